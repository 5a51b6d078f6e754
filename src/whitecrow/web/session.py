"""One sitting at the labelling page: the loop of `whitecrow.active`, without waiting.

A request only writes an answer down and reads what is prepared. Two threads prepare:
the learner fits after new answers and measures, the filler keeps a few questions ahead
of the person. Answers that come during a fit are learnt from in the next one. Whatever
fails in a thread is said on the page, and the thread goes on.
"""

from __future__ import annotations

import itertools
import logging
import re
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from whitecrow import labels
from whitecrow.active import Event, Loop, Store, agreement
from whitecrow.active.judging import Contradiction
from whitecrow.active.log import ANSWERS, SKIP, State
from whitecrow.choose import Choice, build
from whitecrow.data import fingerprint
from whitecrow.data.kinds import TableEncoder
from whitecrow.data.rows import PictureRows, TableRows
from whitecrow.errors import DataError, LabelError, UserError
from whitecrow.files import replacing
from whitecrow.learning import Fit, facts
from whitecrow.model import Model
from whitecrow.notes import LOUD, Note, gathered
from whitecrow.report import content
from whitecrow.watching import on_log
from whitecrow.web import exchange, progress, trouble, views

if TYPE_CHECKING:
    import pyarrow as pa

    from whitecrow.detector import Detector
    from whitecrow.report.charts import Strip

__all__ = ["STORE", "Conflict", "Session", "Settings", "Shown", "Taken"]

logger = logging.getLogger(__name__)

STORE = "answers.db"
AHEAD = 5
"""Questions that are ready: what a person answers during one fit."""
_READY = 4 * AHEAD  # chosen, so that handing them out takes no time
_LONG_READY = 8 * AHEAD  # of a table longer than FIT_ROWS, where choosing takes longer
FIT_ROWS = 20_000
"""Of a longer table so many rows are fitted on, beside those with an answer: a person
waits for it. All rows are scored, and asked about."""
_CHECK_EVERY = 5  # answers between two looks for contradictions, which take five fits
_FEWEST_TO_CHECK = 20  # before that, what a detector says against an answer is noise
_MOST_CONFLICTS = 10
_DECISIONS = 20
_PATIENCE_S = 30.0  # for one step of a fit that is under way when the page is closed
_CACHED = 256
_RETRY_S = 15.0  # after a failure to prepare questions, for which no answer can wake us


class Conflict(UserError):  # noqa: N818 - what happened, as HTTP names it
    """The page showed something that has changed since."""


class _ClosedError(Exception):
    """The page was closed during a fit."""


class _LaterError(Exception):
    """Somebody answered while answers were checked, which can wait."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What the command line decides.

    Attributes
    ----------
    folder : Path
        Holds the answers, and what is written at the end.
    budget : int or None
    strategy : str
    annotator : str
    use_labels : bool
        Labels of the data are learnt from, as answers of `whitecrow.active.log.GIVEN`.
    ask_again : int or None
        As for `Loop`.
    ignore : sequence of str
        Columns to leave out.
    read_as : mapping of str to str
        How to read columns.
    """

    folder: Path
    budget: int | None
    strategy: str
    annotator: str
    use_labels: bool = False
    ask_again: int | None = None
    ignore: Sequence[str] = ()
    read_as: Mapping[str, str] = field(default_factory=dict)


class Taken(NamedTuple):
    """Result of taking labels from a file, in numbers of rows."""

    new: int
    known: int
    missing: int
    by_number: int

    def __str__(self) -> str:
        told = [f"New labels: {self.new:,}."]
        if self.known:
            told.append(f"Rows whose answer stays as it was: {self.known:,}.")
        if self.missing:
            told.append(f"Left out, of rows that these data lack: {self.missing:,}.")
        if self.by_number:
            told.append(
                f"Matched by row number only, as the file does not say what the rows "
                f"held: {self.by_number:,}."
            )
        return " ".join(told)


@dataclass(frozen=True, eq=False)
class Shown:
    """A fit as the page shows it, with what was drawn of it.

    A newer fit has another one, so that nothing of an old fit is shown as new.

    Attributes
    ----------
    model : Detector
    scores : ndarray of shape (n,)
    views : dict
        Rows as they are shown, by number.
    heats : dict
        Where pictures are odd, by number.
    """

    model: Detector
    scores: NDArray[np.float64]
    views: OrderedDict[int, dict[str, Any]] = field(default_factory=OrderedDict)
    heats: OrderedDict[int, NDArray[np.float64]] = field(default_factory=OrderedDict)

    @cached_property
    def width(self) -> float:
        """Return the width of the scores, by which they are rounded."""
        return content.spread(self.scores)


class Session:
    """Everything that the page can do, without HTTP, from any thread.

    Parameters
    ----------
    data : TableRows or PictureRows
    choice : Choice
        The method to train.
    settings : Settings

    Raises
    ------
    DataError
        If the folder holds answers about other data, or there are no labels to use.
    ParameterError
        If the method, strategy or budget is not valid.
    """

    def __init__(
        self, data: TableRows | PictureRows, choice: Choice, settings: Settings
    ) -> None:
        if settings.use_labels and data.codes is None:
            raise DataError(
                f"--use-labels: {data.source} has no labels; name their column with "
                "--label-column"
            )
        self.data, self.choice, self.settings = data, choice, settings
        self.X, self.encoder = _encoded(data, settings)
        self.store = Store(settings.folder / STORE)
        try:
            self.loop = Loop(
                build(choice),
                self.X,
                strategy=settings.strategy,
                budget=settings.budget,
                random_state=choice.seed,
                store=self.store,
                annotator=settings.annotator,
                ask_again=settings.ask_again,
                fit_rows=FIT_ROWS,
                source_hash=fingerprint.of_rows(data),
            )
            self._give()
        except BaseException:
            self.store.close()
            raise
        self._chosen = _READY if len(data) <= FIT_ROWS else _LONG_READY
        self.fit = Shown(self.loop.detector, np.zeros(len(data)))  # until `start`
        self.measures = progress.Measures()
        self.finishing = progress.Finishing()
        self.strips: dict[str, Strip] = {}
        self.near: OrderedDict[int, views.Near] = OrderedDict()
        self._checked_at = 0
        self._conflicts: list[Contradiction] = []
        self._turn = threading.Lock()  # one change at a time
        self._learn, self._fill = threading.Event(), threading.Event()
        self._closed, self._busy, self._checking = False, False, False
        self._problems: dict[str, str] = {}
        self._threads: list[threading.Thread] = []

    def _give(self) -> None:
        """Take the labels of the data for answers; those that are there stay."""
        if not self.settings.use_labels:
            return
        assert self.data.codes is not None
        rows = np.flatnonzero(self.data.codes != labels.UNLABELLED)
        self.loop.tell(rows, self.data.codes[rows].tolist(), given=True)

    @property
    def _truth(self) -> labels.Codes | None:
        """Return the labels of the data, if nobody learns from them."""
        return None if self.settings.use_labels else self.data.codes

    @property
    def frame(self) -> pa.Table:
        """Return the columns of a table, as they were read."""
        assert isinstance(self.data, TableRows)
        return self.data.frame

    @property
    def pictures(self) -> PictureRows:
        """Return the data, where they are pictures."""
        assert isinstance(self.data, PictureRows)
        return self.data

    @property
    def notes(self) -> tuple[Note, ...]:
        """Return what was read and decided, the loudest first."""
        decisions = () if self.encoder is None else self.encoder.decisions_
        known = gathered(self.data.notes, decisions)
        return (*(Note(note, LOUD) for note in self.loop.notes), *known)

    def start(self) -> None:
        """Fit, choose the first questions, and begin to prepare more.

        Raises
        ------
        UserError
            If the method refuses the data.
        """
        self.loop.prepare(self._chosen)
        self.loop.ask(AHEAD)
        self.show_fit(self.loop.detector_)
        self.measures.look(self.loop, self._truth)
        self.queue()  # explains the first questions, and draws what all share
        for what, work, wake in (
            ("training", self._learn_once, self._learn),
            ("questions", self._fill_once, self._fill),
        ):
            thread = threading.Thread(
                target=self._run, args=(what, work, wake), daemon=True
            )
            thread.start()
            self._threads.append(thread)
        self._fill.set()
        if self.loop.spent:  # going on: there may be answers to check
            self._learn.set()

    def show_fit(self, model: Detector) -> None:
        """Show the last fit of the loop from now on.

        Where the scores are the same, as for a method that does not learn from labels,
        so is what was drawn.
        """
        scores, last = self.loop.scores_, self.fit
        same = last.scores is scores
        self.fit = replace(last, model=model) if same else Shown(model, scores)

    def close(self) -> None:
        """Stop preparing. Nothing is lost: answers are on disk already."""
        self._closed = True
        self._learn.set()
        self._fill.set()
        for thread in self._threads:
            # A process that ends while a thread is inside torch is aborted.
            thread.join(timeout=_PATIENCE_S)
        self.store.close()

    # --- what a person does -----------------------------------------------------------

    def answer(self, row: int, word: str, seen: int | None) -> None:
        """Take an answer; it is on disk when this returns.

        Parameters
        ----------
        row : int
        word : str
            One of `ANSWERS`.
        seen : int or None
            `seq` of the own answer that the page showed for the row; None for none.

        Raises
        ------
        LabelError
            If there is no such row or answer.
        Conflict
            If another tab answered in between; nothing is written.
        """
        self._check_row(row)
        if word not in ANSWERS:
            raise LabelError(f"{word!r} is not an answer; use {', '.join(ANSWERS)}")
        with self._turn:
            mine = self._mine(row)
            if (mine.seq if mine else None) != seen:
                now = f"{mine.answer!r}" if mine else "open"
                raise Conflict(
                    f"{self.name(row)} was changed in another tab and is {now} now; "
                    "look again"
                )
            self.loop.tell([row], [word])
        self._wake(row)

    def undo(self, n: int, last: int | None) -> list[int]:
        """Take back the last n decisions; return their rows, the last one first.

        Raises
        ------
        Conflict
            If the last decision is not `last` any more: another tab was faster.
        """
        with self._turn:
            known = self.loop.state.latest(self.settings.annotator, 1)
            if not known:
                return []
            if known[0].seq != last:
                raise Conflict("another tab decided something in between; look again")
            rows = [int(row) for row in self.loop.undo(n)]
        self._wake(*rows)
        return rows

    def take(self, name: str, content: bytes) -> Taken:
        """Take the labels of a file for rows that have no answer yet."""
        found = exchange.match(self.loop, name, content)
        given = dict(zip(found.items.tolist(), found.answers, strict=True))
        with self._turn:
            state = self.loop.state
            new = {
                row: word
                for row, word in given.items()
                if self._mine(row, state) is None
            }
            if new:
                self.loop.tell(list(new), list(new.values()))
        self._wake(*new)
        return Taken(len(new), len(given) - len(new), found.missing, found.by_number)

    def finish(self) -> None:
        """Write labels, model and report, in a thread."""
        if self.finishing.begin():
            thread = threading.Thread(target=self._finish)
            self._threads.append(thread)
            thread.start()

    def write(self) -> list[Path]:
        """Write labels, model and report; return what was written."""
        from whitecrow import result

        folder, state = self.settings.folder, self.loop.state
        with replacing(folder / "labels.parquet") as temporary:
            exchange.write(temporary, self.loop, self.data)
        found = result.write(result.judged(self._fit(state)), folder)
        written = [folder / "labels.parquet"]
        if agreement.measure(state):
            written.append(folder / "agreement.csv")
            with replacing(written[-1]) as temporary:
                temporary.write_bytes(exchange.agreement_csv(self.loop))
        return [*written, *map(Path, found.files().values())]

    # --- what the page shows ----------------------------------------------------------

    def queue(self, *, ready: bool = False) -> list[dict[str, Any]]:
        """Return the next questions; with `ready`, those that take no time, or one."""
        state = self.loop.state
        if self._left(state) == 0:
            return []
        rows = state.pending(self.settings.annotator)[: min(AHEAD, self._left(state))]
        if ready:
            rows = [row for row in rows if row in self.fit.views] or rows[:1]
        return [self.question(row, state) for row in rows]

    def question(self, row: int, state: State | None = None) -> dict[str, Any]:
        """Return a row as the page shows it."""
        self._check_row(row)
        state = state or self.loop.state
        asked, mine = state.question(row), self._mine(row, state)
        shown = self._view(row)
        columns = [one["column"] for one in shown["reasons"] or ()]
        blind = row in self.again(state)
        return shown | {
            "neighbours": views.neighbours(self, row, state, columns),
            "why": self.worded(str(asked.reason)) if asked else "",
            "answer": mine.answer if mine and not blind else None,
            "seen": mine.seq if mine else None,
        }

    def again(self, state: State | None = None) -> set[int]:
        """Return the rows that are asked again: their answer is not shown."""
        state = state or self.loop.state
        return state.asks_again(self.settings.annotator)

    def status(self) -> dict[str, Any]:
        """Return progress and the last decisions."""
        state = self.loop.state
        verdicts, judged = state.counts.verdicts, state.counts.judged
        n = len(self.data)
        own = state.latest(self.settings.annotator, 4 * _DECISIONS)
        return {
            "n_rows": n,
            "used": state.spent(),
            "budget": self.settings.budget or n,
            "left": self._left(state),
            "open": n - verdicts.total() + verdicts[SKIP],
            "counts": {word: judged[word] for word in ANSWERS} | {SKIP: verdicts[SKIP]},
            "last": own[0].seq if own else None,
            "decisions": self._decisions(own, state),
            "conflicts": self._to_check(state),
            "busy": self._busy or self._learn.is_set() or self.finishing.running,
            "model": self._troubles() or self.worded(self.measures.model),
            "found": self.measures.found,
            "ratio": self.measures.ratio,
            "quality": self._quality(),
            "agreement": self._agreement(state),
            "finish": self.finishing.status(),
        }

    def conflicts(
        self, state: State | None = None, most: int | None = None
    ) -> dict[int, str]:
        """Return rows to check and why: two answers, two people, or the detector."""
        state = state or self.loop.state
        doubted = (
            (one.item, self.worded(one.reason))
            for one in self._conflicts
            if state.verdict(one.item) == one.label
        )
        twice = progress.disagreements(state, self.settings.annotator)
        return dict(itertools.islice(itertools.chain(twice, doubted), most))

    def worded(self, text: str) -> str:
        """Reword a sentence of the engine, which calls everything a row."""
        if self.data.kind == "table":
            return text
        return re.sub(r"\brow(s?)\b", r"picture\1", text)

    def name(self, row: int) -> str:
        """Return what a person calls a row."""
        name = self.data.name(row)
        return name if self.data.kind == "picture" else name.capitalize()

    def heat(self, row: int) -> NDArray[np.float64]:
        """Compute where a picture is odd, or take it from the cache."""
        fit = self.fit
        known = fit.heats.get(row)
        if known is None:
            known = np.asarray(fit.model.explain(self.X[[row]])[0], dtype=np.float64)
            views.keep(fit.heats, row, known, _CACHED)
        return known

    # --- behind ----------------------------------------------------------------------

    def _mine(self, row: int, state: State | None = None) -> Event | None:
        state = state or self.loop.state
        return state.answer(self.settings.annotator, row)

    def _left(self, state: State) -> int:
        return max(0, (self.settings.budget or len(self.data)) - state.spent())

    def _check_row(self, row: int) -> None:
        if not 0 <= row < len(self.data):
            raise LabelError(f"there is no row {row}")

    def _decisions(self, own: list[Event], state: State) -> list[dict[str, Any]]:
        """Return the last own decisions, each row once, with the depth of its undo."""
        rows: dict[int, dict[str, Any]] = {}
        hidden = {None, *self.again(state)}
        for depth, event in enumerate(own, start=1):
            if event.item not in rows and event.item not in hidden:
                assert event.item is not None
                rows[event.item] = self._decision(event) | {"depth": depth}
        return list(rows.values())[:_DECISIONS]

    def _decision(self, event: Event) -> dict[str, Any]:
        assert event.item is not None
        return {
            "id": event.item,
            "seq": event.seq,
            "name": self.name(event.item),
            "answer": event.answer,
        }

    def _to_check(self, state: State) -> list[dict[str, Any]]:
        blind = self.again(state)
        found = []
        for row, why in self.conflicts(state, _MOST_CONFLICTS + len(blind)).items():
            if row not in blind:
                mine = self._mine(row, state)
                vote = state.votes(row).get(self.settings.annotator)
                entry = {"id": row, "name": self.name(row), "text": why}
                entry |= {"answer": vote, "seq": mine.seq if mine else None}
                found.append(entry)
        return found[:_MOST_CONFLICTS]

    def _view(self, row: int) -> dict[str, Any]:
        """Return what does not change with an answer, if possible from the cache."""
        fit = self.fit
        known = fit.views.get(row)
        if known is None:
            try:
                known = views.question(self, fit, row)
            except Exception as error:
                logger.warning("row %d is shown without reasons", row, exc_info=True)
                known = views.plain(self, fit, row, trouble.said(error))
            views.keep(fit.views, row, known, _CACHED)
        return known

    def _wake(self, *rows: int) -> None:
        for row in rows:
            self.fit.views.pop(row, None)
        self._learn.set()
        self._fill.set()

    def _run(self, what: str, work: Callable[[], None], wake: threading.Event) -> None:
        while True:
            # Without a question nobody can answer, and only an answer would wake us.
            stuck = what == "questions" and what in self._problems
            wake.wait(_RETRY_S if stuck else None)
            wake.clear()
            if self._closed:
                return
            try:
                with on_log(self._go_on), self._telling(what):
                    work()
            except _ClosedError:
                return

    @contextmanager
    def _telling(self, what: str) -> Iterator[None]:
        """Say on the page what fails inside; the answers go on."""
        try:
            yield
        except (_ClosedError, _LaterError):
            raise
        except Exception as error:
            self._problems[what] = trouble.sentence(what, error, seconds=_RETRY_S)
            if not isinstance(error, UserError):
                logger.warning("%s", self._problems[what], exc_info=True)
        else:
            self._problems.pop(what, None)

    def _troubles(self) -> str:
        return " ".join(self._problems.copy().values())

    def _go_on(self, epoch: int, record: dict[str, object]) -> None:
        """Stop a fit after an epoch, if the session is closed or work is waiting."""
        if self._closed:
            raise _ClosedError
        if self._checking and self._learn.is_set():
            raise _LaterError

    def _fill_once(self) -> None:
        self.loop.ask(AHEAD, spare=self._chosen)
        self.queue()  # explains what is new, before anybody waits for it

    def _learn_once(self) -> None:
        self._busy = True
        try:
            self.loop.prepare(self._chosen)
            self.show_fit(self.loop.fitted_)
            self.measures.look(self.loop, self._truth)
            self._fill.set()
            self._check()
        finally:
            self._busy = False

    def _check(self) -> None:
        """Judge answers by fits without them, unless somebody answers: this is slow."""
        spent = self.loop.spent
        due = abs(spent - self._checked_at) >= _CHECK_EVERY
        if not due or spent < _FEWEST_TO_CHECK or self._learn.is_set():
            return
        self._checking = True
        try:
            with self._telling("checking"):
                self._conflicts = self.loop.contradictions()
                self.measures.compare(self.loop)
                self._checked_at = spent
        except _LaterError:
            pass  # an answer came: it is learnt first
        finally:
            self._checking = False

    def _finish(self) -> None:
        try:
            written = self.write()
        except Exception as error:
            if not isinstance(error, UserError | OSError):
                logger.warning("the files were not written", exc_info=True)
            self.finishing.end(trouble.unwritten(error), failed=True)
        else:
            names = ", ".join(path.name for path in written)
            self.finishing.end(f"to {self.settings.folder}: {names}")

    def _fit(self, state: State) -> Fit:
        codes = state.codes(len(self.data))
        if not (codes != labels.UNLABELLED).any():
            raise DataError("there is no answer yet to learn from; answer a few first")
        detector = self.loop.detector_
        rows = replace(self.data, codes=codes)
        scores = np.asarray(self.loop.scores_, dtype=np.float64)
        used = detector.uses_labels
        info = facts(rows, self.choice, used=used, detector=detector, scores=scores)
        return Fit(
            model=Model(detector, self.encoder, info),
            choice=self.choice,
            rows=rows,
            X=self.X,
            scores=scores,
            labels_used=used,
            notes=self._said(state),
            seconds=self.measures.seconds,
        )

    def _quality(self) -> dict[str, Any]:
        chart, beside = self.measures.quality, self.measures.beside
        return chart | {"text": self.worded(f"{chart['text']} {beside}".strip())}

    def _said(self, state: State) -> tuple[str, ...]:
        """Say for the report who labelled the data, and how surely."""
        said = (one["text"] for one in self._agreement(state))
        beside = (self.measures.beside,) if self.measures.beside else ()
        return (*self.loop.notes, *said, *beside)

    def _agreement(self, state: State) -> list[dict[str, Any]]:
        found = progress.agreement(state)
        return [one | {"text": self.worded(one["text"])} for one in found]


def _encoded(
    data: TableRows | PictureRows, settings: Settings
) -> tuple[NDArray[Any], TableEncoder | None]:
    """Turn the rows into what a detector takes."""
    if isinstance(data, PictureRows):
        return data.images, None
    encoder = TableEncoder(ignore=tuple(settings.ignore), read_as=settings.read_as)
    encoder.fit(data.frame)
    return encoder.transform(data.frame), encoder
