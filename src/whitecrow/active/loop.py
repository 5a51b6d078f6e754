"""Loop: which rows to ask about, and what the answers say.

The loop asks (`ask`) and is told (`tell`); who shows the questions is not its business.
Its state is a pure function of a log (`whitecrow.active.log`), which a `Store` keeps.

Two kinds of questions take turns. Most are chosen by a strategy, to find anomalies or
to teach the detector. The others are an audit: the first rows of a random order of all
rows, so that their answers say how many anomalies there are whatever the strategy does.
A third kind is there on demand: a row that the annotator answered long ago, again.
"""

from __future__ import annotations

import itertools
import json
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import _safe_indexing

from whitecrow import labels, registry
from whitecrow.active import fitting, judging, log, strategies
from whitecrow.active import ratio as ratios
from whitecrow.active.judging import Comparison, Contradiction
from whitecrow.active.log import Event, Log, MemoryLog, State
from whitecrow.detector import Detector, Rows, Scores, check_rows
from whitecrow.errors import DataError, LabelError, ParameterError
from whitecrow.wrappers.wrapped import wrap

__all__ = ["History", "Loop"]

Ids = NDArray[np.int64]

AUDIT, AGAIN = "audit", log.AGAIN

# Fewer random questions say next to nothing about the share of anomalies.
_FEWEST_AUDITED = 5

# Old answers that are looked at for one to ask about again.
_TRIES = 200

# A skipped row may be asked again this many rounds later.
_REST = 3

_BY_NUMBER = (
    "these answers were given in an earlier version, which knew rows by their encoding;"
    " they are taken by row number, since the table has as many rows; check one of them"
)

_WORDS = {0: log.NORMAL, 1: log.ANOMALY}


@dataclass(frozen=True, eq=False)
class History:
    """What each question brought.

    Attributes
    ----------
    items : ndarray of int64, shape (t,)
        Rows in the order of their first answers; skipped ones are left out.
    found : ndarray of int64, shape (t,)
        Anomalies among the first 1, 2, ... of them.
    ranked, ranked_unknown : ndarray of int64, shape (t,)
        Of the rows ranked first by the scores of a detector without any answer: those
        known to be anomalies, and those that nobody has judged.
    """

    items: Ids
    found: Ids
    ranked: Ids
    ranked_unknown: Ids


class _Question(NamedTuple):
    item: int
    strategy: str
    reason: str


class Loop:
    """Questions about rows, and a detector that learns from the answers.

    Parameters
    ----------
    detector : Detector, estimator or None
        What ranks the rows: a whitecrow detector, or anything that `wrap` takes. None
        takes Deep SAD. It is copied before it is fitted.
    X : array-like of shape (n, d), or (n, c, h, w) for pictures
        The rows to ask about.
    strategy : str or Strategy, default="mixed"
        How rows are chosen; see `whitecrow.active.strategies`.
    budget : int or None, default=None
        Most rows to answer, by all annotators together; "skip" costs nothing. None is
        no limit.
    audit_share : float in [0, 1], default=0.2
        Share of the questions that are drawn at random, for `ratio`. With a budget it
        is raised where needed to make them five.
    random_state : int, Generator or None, default=None
        Seed. A store that is continued goes on with its own.
    store : Store or None, default=None
        Where answers are kept, and continued; None keeps them in memory.
    annotator : str, default="me"
        Who answers. Several annotators may share a store.
    ask_again : int or None, default=None
        After so many questions, one is about a row that the annotator answered at least
        as many answers ago, for `whitecrow.active.agreement`; None asks nothing twice.

    fit_rows : int or None, default=None
        Most rows to fit on, drawn at random; those with a label come on top. All rows
        are scored, and asked about. None fits on all.
    source_hash : str or None, default=None
        What the rows were made of, hashed by the caller. Answers about the same source
        are taken however its rows were encoded when they were given, and those of a
        log without such a hash if it is about as many rows, with a note.

    Attributes
    ----------
    notes : tuple of str
        What a person should know about the answers that were there, in sentences.

    Raises
    ------
    DataError
        If the rows cannot be used, or the store is about other rows.
    ParameterError
        If a parameter has an illegal value.

    Notes
    -----
    `ask` learns from new answers before it chooses, which takes as long as a fit.
    Where a person waits, call `prepare` in another thread while they answer: the next
    `ask` then takes what was prepared. All methods may be called from any thread.

    Examples
    --------
    >>> import numpy as np
    >>> from whitecrow import IsolationForest
    >>> from whitecrow.active import Loop
    >>> rng = np.random.default_rng(0)
    >>> X = np.r_[rng.normal(size=(95, 2)), rng.normal(6, 1, size=(5, 2))]
    >>> loop = Loop(IsolationForest(), X, strategy="positive", random_state=0)
    >>> ids = loop.ask(5)
    >>> loop.tell(ids, ["anomaly" if item >= 95 else "normal" for item in ids])
    >>> estimate, low, high = loop.ratio()
    >>> bool(low < 0.05 < high)
    True
    """

    def __init__(
        self,
        detector: Any,
        X: ArrayLike,
        *,
        strategy: Any = "mixed",
        budget: int | None = None,
        audit_share: float = 0.2,
        random_state: int | np.random.Generator | None = None,
        store: Log | None = None,
        annotator: str = "me",
        ask_again: int | None = None,
        fit_rows: int | None = None,
        source_hash: str | None = None,
    ) -> None:
        _check(
            audit_share,
            annotator,
            budget=budget,
            ask_again=ask_again,
            fit_rows=fit_rows,
        )
        self.detector = _detector(detector)
        self.X: Any = X if hasattr(X, "columns") else np.asarray(X)
        self.rows = _rows(X, self.detector)
        self.strategy, self._choice = _strategy(strategy)
        self.budget, self.audit_share = budget, audit_share
        self.annotator, self.ask_again = annotator, ask_again
        self._log: Log = MemoryLog() if store is None else store
        self._events: list[Event] = []
        self._state = log.replay([])
        self.notes: tuple[str, ...] = ()
        self._seed = self._open(random_state, source_hash)
        self._order = np.random.default_rng([self._seed, 0]).permutation(self.n)
        few = fit_rows is None or fit_rows >= self.n
        self._sample = None if few else np.sort(self._order[:fit_rows])
        self._fitted: fitting.Fitted | None = None
        self._first: fitting.Fitted | None = None
        self._forest: Scores | None = None
        self._judged: tuple[labels.Codes, Scores] | None = None
        self._estimated: tuple[Any, ratios.Estimate] | None = None
        self._ready: list[_Question] = []
        self._lock = threading.RLock()  # the state, for moments
        # Fitting and choosing take long: nobody who answers waits for them.
        self._busy, self._choosing = threading.Lock(), threading.RLock()

    # --- questions and answers --------------------------------------------------------

    @property
    def n(self) -> int:
        """Number of rows."""
        return len(self.rows)

    @property
    def state(self) -> State:
        """What follows from all answers so far, those of other annotators included."""
        with self._lock:
            news = self._log.read(self._events[-1].seq if self._events else 0)
            if news:
                self._events += news
                self._state = self._state.after(news)
            return self._state

    @property
    def events(self) -> tuple[Event, ...]:
        """The log."""
        with self._lock:
            self.state  # noqa: B018 - reads what is new
            return tuple(self._events)

    @property
    def spent(self) -> int:
        """Rows answered, those skipped not counted."""
        return self.state.spent()

    @property
    def finished(self) -> bool:
        """Whether the budget is spent or there is nothing left to ask."""
        if self.budget is not None and self.spent >= self.budget:
            return True
        return self.state.n_settled(_REST) >= self.n

    def ask(self, k: int = 1, *, spare: int = 0) -> Ids:
        """Return the next questions.

        Those that were asked before and not answered come first, so that asking again
        after a crash or in another tab is safe.

        Parameters
        ----------
        k : int, default=1
            How many; fewer come back where budget or rows run out, none at the end.
        spare : int, default=0
            For a thread beside one that calls `prepare`: where questions must be
            chosen, choose so many more, and by the last fit, without learning from
            newer answers. The next `ask` hands them out at once.

        Returns
        -------
        ndarray of int64, shape (at most k,)
            Row numbers; `why` says what each was chosen for.
        """
        _check_count("k", k)
        open_ = self._open_questions(k)
        missing = self._room(k) - len(open_)
        if missing > 0:
            if not spare:
                self._catch_up(missing)
            open_ += self._hand_out(missing, spare)
        return np.array(open_, dtype=np.int64)

    def why(self, id: int) -> str:
        """Say why a row was asked about, in a sentence for people."""
        question = self.state.question(int(id))
        if question is None:
            raise ParameterError(
                f"row {id} was not asked about; `ask` gives rows to ask about"
            )
        return str(question.reason)

    def tell(self, ids: ArrayLike, answers: Any, *, given: bool = False) -> None:
        """Take answers; when this returns, a `Store` has them on disk.

        Parameters
        ----------
        ids : array-like of int, shape (k,)
            Rows, usually those of `ask`; others may be told about too.
        answers : sequence of length k
            1 or "anomaly", 0 or "normal", "unsure" (not asked again, and not learnt
            from) or "skip" (may be asked again after three rounds).
        given : bool, default=False
            These are labels that the data came with: answers of nobody here, which cost
            no budget.

        Raises
        ------
        LabelError
            If an answer or a row number is not valid; then nothing is taken.
        """
        items, words = _checked(ids, answers, self.n)
        who = log.GIVEN if given else self.annotator
        with self._lock:
            state = self.state
            open_ = {*state.pending(who), *state.torn(who)}
            news = []
            for item, word in zip(items, words, strict=True):
                mine = state.answer(who, item)
                # A page that sends an answer twice has said one thing.
                if item in open_ or mine is None or mine.answer != word:
                    news.append(self._answer(item, word, state, who))
            self._log.append(news)

    def relabel(self, ids: ArrayLike, answers: Any) -> None:
        """Change your own answers: like `tell`, for rows that were answered before."""
        items, _ = _checked(ids, answers, self.n)
        state = self.state
        for item in items:
            if state.answer(self.annotator, item) is None:
                raise LabelError(
                    f"row {item} has no answer of {self.annotator!r} to change; use "
                    "tell for a first answer"
                )
        self.tell(ids, answers)

    def undo(self, n: int = 1) -> Ids:
        """Take back your last n answers; return their rows, the last answer first."""
        _check_count("n", n)
        with self._lock:
            last = self.state.latest(self.annotator, n)
            self._log.append(
                [self._event("undone", e.item, target=e.seq) for e in last]
            )
            return np.array([event.item for event in last], dtype=np.int64)

    # --- what is learnt ---------------------------------------------------------------

    def refit(self) -> Loop:
        """Learn from the answers so far, if there are new ones."""
        with self._busy:
            self._learn()
        return self

    def prepare(self, k: int = 1) -> None:
        """Learn from the answers so far and choose the next k questions.

        For a thread beside the person who answers. The questions count as asked when
        `ask` hands them out.
        """
        _check_count("k", k)
        with self._busy:
            self._learn(keep=True)
        chosen = self._choose(k)  # meanwhile `ask` hands out the earlier ones
        with self._choosing:
            self._ready = chosen

    @property
    def detector_(self) -> Detector:
        """The detector, fitted with all answers so far.

        Fits first where there are new answers. The threshold comes from the labels,
        or from `ratio` while there are fewer than ten of each class.
        """
        return self.refit().fitted_

    @property
    def fitted_(self) -> Detector:
        """The detector as of the last fit, with the threshold of now."""
        return fitting.with_threshold(self._current(), self.ratio()[0])

    @property
    def scores_(self) -> Scores:
        """Anomaly scores of all rows as of the last fit."""
        return self._current().scores

    @property
    def embeddings_(self) -> NDArray[Any]:
        """Embeddings of all rows as of the last fit."""
        return self._current().embeddings

    @property
    def stale(self) -> bool:
        """Whether there are answers that the detector has not learnt from."""
        fitted = self._fitted
        return fitted is None or bool((self.state.codes(self.n) != fitted.codes).any())

    @property
    def learns(self) -> bool:
        """Whether answers decide what is asked next, beside what they teach."""
        return "answers" in getattr(self._choice, "needs", ())

    @property
    def labels_(self) -> NDArray[np.float64]:
        """1 anomaly, 0 normal, NaN for all rows without a sure answer."""
        codes = self.state.codes(self.n)
        return np.where(codes == labels.UNLABELLED, np.nan, codes.astype(float))

    def ratio(self, *, level: float = 0.9, interval: str = "model") -> ratios.Estimate:
        """Estimate the share of anomalies among all rows: estimate, low and high end.

        See `whitecrow.active.ratio.estimate` for the parameters.
        """
        state = self.state
        asked, last = (state, self._fitted, level, interval), self._estimated
        if last is not None and last[0] == asked:
            return last[1]
        found = ratios.estimate(
            state.codes(self.n),
            self._audited(state),
            places=self._places(state),
            level=level,
            interval=interval,
        )
        self._estimated = asked, found
        return found

    # --- looking back -----------------------------------------------------------------

    def history(self) -> History:
        """Return what each question brought, beside the list ranked without answers."""
        state = self.state
        items = np.array(list(state.judged()), dtype=np.int64)
        codes = state.codes(self.n)
        ranked = self._ranking(state)[: len(items)]
        return History(
            items,
            np.cumsum(codes[items] == labels.ANOMALY),
            np.cumsum(codes[ranked] == labels.ANOMALY),
            np.cumsum(codes[ranked] == labels.UNLABELLED),
        )

    def _ranking(self, state: State) -> Ids:
        """Rows by score without any answer, but for those that nobody need look at."""
        order = self._unlabelled().order
        told = state.told.get(log.GIVEN, ())
        given = np.array([event.item for event in told], dtype=np.int64)
        return order[~np.isin(order, given)] if len(given) else order

    def contradictions(self) -> list[Contradiction]:
        """List labelled rows whose score says the opposite: please look again.

        Each labelled row is scored by a detector that has not seen its label (five
        folds, so five fits). See `whitecrow.active.judging` for when a row is reported.
        """
        codes = self.state.codes(self.n)
        if not judging.enough(codes, judging.FEWEST):
            return []
        hidden = self.detector.uses_labels
        return judging.contradictions(codes, self._held_out(codes), hidden=hidden)

    def compare(self) -> Comparison | None:
        """Compare the detector with a random forest that learns from the labels alone.

        Both score each labelled row without its label, as for `contradictions`. The
        forest sees the columns (of pictures the codes of the detector) and the
        score of a detector that knows no label.

        Returns
        -------
        Comparison or None
            None with fewer than 50 labels of a class.
        """
        codes = self.state.codes(self.n)
        if not judging.enough(codes, judging.ENOUGH):
            return None
        known = np.flatnonzero(codes != labels.UNLABELLED)
        first = self._unlabelled()
        seen = self.rows if self.rows.ndim == 2 else first.embeddings
        return judging.compare(
            codes[known],
            self._held_out(codes)[known],
            np.column_stack([seen[known], first.scores[known]]),
            judging.folds(codes, self._seed)[known],
            seed=self._seed,
        )

    def covering_radius(self) -> float:
        """Return the largest distance from a row to one that was asked or answered."""
        state = self.state
        shown = list(state.rows)
        if not shown:
            return float("inf")
        return strategies.covering_radius(self.embeddings_, shown)

    # --- mechanism --------------------------------------------------------------------

    def _open(self, random_state: Any, source: str | None) -> int:
        """The seed of the log, which is that of the one who opened it first."""
        drawn = int(np.random.default_rng(random_state).integers(2**31))
        content = fitting.content_hash(self.rows)
        detail: dict[str, Any] = {"rows": self.n, "seed": drawn}
        detail |= {"source": source} if source else {}
        first = self._log.begin(
            Event(
                "opened", content=content, detail=json.dumps(detail), time=time.time()
            )
        )
        told = json.loads(first.detail or "{}")
        same = first.kind == "opened" and first.content == content
        if not same and first.kind == "opened" and source and told.get("source"):
            same = bool(told["source"] == source)
        elif not same and first.kind == "opened" and source:
            same = told.get("rows") == self.n
            self.notes = (_BY_NUMBER,) if same else ()
        if not same:
            where = getattr(self._log, "path", "the log")
            raise DataError(
                f"{where} holds answers about other data ({told.get('rows', '?')} "
                f"rows, not these {self.n} or not in this order); give the data it was "
                "started with, or another store"
            )
        return int(told["seed"])

    def _event(self, kind: str, item: int | None, **values: Any) -> Event:
        values.setdefault("annotator", self.annotator)
        return Event(kind, item=item, time=time.time(), **values)

    def _answer(self, item: int, word: str, state: State, who: str) -> Event:
        row = None if who == log.GIVEN else state.rows.get(item)
        question = None if row is None else row.again.get(who) or row.asked
        # The round of now, not of the question: a skipped row rests from now on.
        extra: dict[str, Any] = {"round": state.rounds}
        if question is not None:
            extra |= {
                "strategy": question.strategy,
                "reason": question.reason,
                "score": question.score,
                "place": question.place,
                "model": question.model,
            }
        content = fitting.content_hash(self.rows[item])
        extra |= {"answer": word, "annotator": who, "content": content}
        return self._event("answered", item, **extra)

    def _room(self, k: int) -> int:
        """How many questions may be open at a time."""
        left = self.n if self.budget is None else self.budget - self.spent
        return max(0, min(k, left))

    def _open_questions(self, k: int) -> list[int]:
        return self.state.pending(self.annotator)[: self._room(k)]

    def _catch_up(self, k: int) -> None:
        """Learn before choosing, unless questions wait or another thread is at it."""
        enough = len(self._still_open(self._ready)) >= k
        if enough or not (self._fitted is None or self.stale):
            return
        if self._busy.acquire(blocking=self._fitted is None):
            try:
                self._learn()
            finally:
                self._busy.release()

    def _learn(self, *, keep: bool = False) -> None:
        if not self.stale:
            return
        fitted = self._fit(self.state.codes(self.n))
        with self._choosing:
            self._fitted = fitted
            if not keep:
                self._ready = []  # chosen by a detector that knew less

    def _fit(self, codes: labels.Codes) -> fitting.Fitted:
        if not (codes != labels.UNLABELLED).any():
            return self._unlabelled()
        if not self.detector.uses_labels:
            return self._unlabelled().relabelled(codes)
        return fitting.describe(self._trained(codes), self.X, codes)

    def _trained(self, codes: labels.Codes) -> Detector:
        """A detector alone, without what it says about all rows, which takes long."""
        labelled = (codes != labels.UNLABELLED).any()
        goes_on = labelled and fitting.goes_on(self.detector)
        return fitting.train(
            self.detector,
            self.X,
            codes,
            seed=self._seed,
            ratio=lambda: self.ratio().estimate,
            before=self._unlabelled().detector if goes_on else None,
            sample=self._sample,
        )

    def _current(self) -> fitting.Fitted:
        if self._fitted is None:
            self.refit()
        assert self._fitted is not None
        return self._fitted

    def _unlabelled(self) -> fitting.Fitted:
        """The detector as it was before any answer."""
        if self._first is None:
            nothing = np.full(self.n, labels.UNLABELLED)
            self._first = fitting.describe(self._trained(nothing), self.X, nothing)
        return self._first

    def _hand_out(self, k: int, spare: int) -> list[int]:
        with self._choosing:
            again = self._due_again(k)
            k -= len(again)
            chosen = self._still_open(self._ready)
            if len(chosen) < k:
                chosen += self._choose(k - len(chosen) + spare, chosen)
                self._ready = chosen
            chosen = chosen[:k]
            with self._lock:
                # Somebody may have answered one while the others were chosen.
                chosen = self._still_open(chosen) + again
                number = self.state.rounds + 1
                self._log.append([self._asked(question, number) for question in chosen])
            handed = {question.item for question in chosen}
            self._ready = [q for q in self._ready if q.item not in handed]
            return [question.item for question in chosen]

    def _asked(self, question: _Question, number: int) -> Event:
        fitted = self._current()
        return self._event(
            "asked",
            question.item,
            content=fitting.content_hash(self.rows[question.item]),
            round=number,
            strategy=question.strategy,
            reason=question.reason,
            score=float(fitted.scores[question.item]),
            place=float(fitted.places[question.item]),
            model=fitted.model,
        )

    def _still_open(self, questions: Sequence[_Question]) -> list[_Question]:
        state, waiting = self.state, self._waiting(self.state)
        return [
            question
            for question in questions
            if question.item not in waiting
            and not state.is_settled(question.item, _REST)
        ]

    def _closed(self) -> set[int]:
        """Rows to skip: already answered, or being shown to someone now."""
        state = self.state
        return {*state.settled(_REST).tolist(), *self._waiting(state)}

    def _waiting(self, state: State) -> set[int]:
        """Rows that somebody is being asked about, unless nothing else is left.

        Then what another annotator left open is asked again.
        """
        waiting = state.waiting()
        closed = sum(not state.is_settled(item, _REST) for item in waiting)
        return waiting if state.n_settled(_REST) + closed < self.n else set()

    def _choose(self, k: int, before: Sequence[_Question] = ()) -> list[_Question]:
        """The next k questions after some: due audits, the others by the strategy."""
        closed = {*self._closed(), *(question.item for question in before)}
        k = min(k, self.n - len(closed))
        if k <= 0:
            return []
        due = self._audits_due(k, before)
        audits = [
            _Question(item, AUDIT, _AUDIT_REASON)
            for item in self._next_audits(sum(due), closed)
        ]
        closed |= {question.item for question in audits}
        rest = k - len(audits)
        others = self._by_strategy(rest, closed) if rest else []
        return [audits.pop(0) if audit else others.pop(0) for audit in due]

    def _by_strategy(self, k: int, closed: set[int]) -> list[_Question]:
        fitted = self._current()
        scores, points = fitted.scores, fitted.embeddings
        if self.rows.ndim == 2 and getattr(self._choice, "sees", "") == "columns":
            scores, points = self._ranked_by_columns(fitted), self.rows
        answers = self.labels_
        ids = self._choice.query(
            scores=scores,
            embeddings=points,
            k=k,
            random_state=np.random.default_rng([self._seed, 1, len(self._events)]),
            labelled=np.array(sorted(closed), dtype=np.int64),
            ratio=self.ratio()[0],
            answers=answers,
        )
        told: dict[str, Any] = {"answers": answers} if self.learns else {}
        why = (self._choice.why(i, shown=len(closed), **told) for i in range(len(ids)))
        return [
            _Question(int(item), self.strategy, reason)
            for item, reason in zip(ids, why, strict=True)
        ]

    def _ranked_by_columns(self, fitted: fitting.Fitted) -> Scores:
        """Scores for a strategy that learns itself: no answer is to count twice.

        Where those of the detector have learnt, an isolation forest's take their place.
        """
        if not self.detector.uses_labels:
            return fitted.scores
        if self._forest is None:
            cls: Any = registry.method("isolation_forest").cls
            forest = cls(random_state=self._seed)
            rows = self.rows if self._sample is None else self.rows[self._sample]
            self._forest = forest.fit(rows).anomaly_score(self.rows)
        return self._forest

    def _due_again(self, k: int) -> list[_Question]:
        """A row to ask again, where the next k questions hold the place of one."""
        if self.ask_again is None:
            return []
        state = self.state
        if state.since_again.get(self.annotator, 0) + k < self.ask_again:
            return []
        oldest = state.told.get(self.annotator, [])[: -self.ask_again]
        rng = np.random.default_rng([self._seed, 3, len(self._events)])
        for place in rng.permutation(len(oldest))[:_TRIES]:
            answer = oldest[place]
            if _can_be_asked_again(answer, state):
                return [_Question(int(answer.item or 0), AGAIN, str(answer.reason))]
        return []

    # --- audit ------------------------------------------------------------------------

    def _audits_due(self, k: int, before: Sequence[_Question] = ()) -> list[bool]:
        """Which of the next k questions are audits, so that their share is as set."""
        share = self.audit_share
        if share and self.budget:
            share = min(1.0, max(share, _FEWEST_AUDITED / self.budget))
        strategies = self.state.counts.strategies
        done = strategies[AUDIT] + sum(one.strategy == AUDIT for one in before)
        asked, due = strategies.total() + len(before), list[bool]()
        for place in range(asked + 1, asked + k + 1):
            due.append(int(share * place + 0.5) > done)
            done += due[-1]
        return due

    def _next_audits(self, count: int, closed: set[int]) -> list[int]:
        """The first rows of the random order that are open.

        Rows of it with an answer already are audited for free.
        """
        open_ = (int(item) for item in self._order if int(item) not in closed)
        return list(itertools.islice(open_, count))

    def _audited(self, state: State) -> Ids:
        """The beginning of the random order, up to the last row asked for audit."""
        asked = np.zeros(self.n, dtype=bool)
        for item, row in state.rows.items():
            if row.asked is not None and row.asked.strategy == AUDIT:
                asked[item] = row.verdict not in (None, log.SKIP)
        places = np.flatnonzero(asked[self._order])
        return self._order[: places[-1] + 1] if len(places) else self._order[:0]

    def _places(self, state: State) -> Scores | None:
        """Places by score: of answered rows before their answer was learnt."""
        if self._fitted is None:
            return None
        places = self._fitted.places.copy()
        for item, row in state.rows.items():
            if row.verdict is not None:
                place = None if row.asked is None else row.asked.place
                places[item] = np.nan if place is None else place
        return places

    def _held_out(self, codes: labels.Codes) -> Scores:
        """Scores of labelled rows by detectors that have not seen their label."""
        if not self.detector.uses_labels:
            return self._current().scores
        if self._judged is not None and np.array_equal(self._judged[0], codes):
            return self._judged[1]
        scores = np.full(self.n, np.nan)
        fold = judging.folds(codes, self._seed)
        for number in range(fold.max() + 1):
            hidden = fold == number
            known = np.where(hidden, labels.UNLABELLED, codes)
            rows = np.flatnonzero(hidden)
            some = _safe_indexing(self.X, rows)
            scores[rows] = self._trained(known).anomaly_score(some)
        self._judged = codes, scores
        return scores


def _can_be_asked_again(answer: Event, state: State) -> bool:
    """Whether it is sure, the last word of its annotator, and asked for only once."""
    row = state.rows[int(answer.item or 0)]
    again = (one for one in row.events if (one.kind, one.strategy) == ("asked", AGAIN))
    return (
        answer.answer in _WORDS.values()
        # Whoever looked a row up remembers that they answered it.
        and bool(answer.reason)
        and row.answers.get(str(answer.annotator)) is answer
        and all(question.annotator != answer.annotator for question in again)
    )


_AUDIT_REASON = "drawn at random, to estimate how many anomalies there are"


def _detector(given: Any) -> Detector:
    if given is None:
        return registry.method("deep_sad").cls()
    return wrap(given)


def _rows(X: ArrayLike, detector: Detector) -> Rows:
    try:
        rows = np.asarray(X)
        if rows.dtype.kind not in "iufb":
            rows = rows.astype(np.float64)
    except (TypeError, ValueError):
        raise DataError(
            "X holds values that are not numbers, or rows of different lengths; encode "
            "it first, for example with whitecrow.TableEncoder"
        ) from None
    if not rows.size:
        raise DataError(f"X of shape {rows.shape} has no rows or columns to ask about")
    return check_rows(rows, detector.input_kinds, type(detector).__name__)


def _strategy(given: Any) -> tuple[str, Any]:
    """Name and object; an object with `query` is taken as it is."""
    choice = given if hasattr(given, "query") else strategies.get(given)
    return str(getattr(choice, "name", type(choice).__name__)), choice


def _check(audit_share: Any, annotator: Any, **counts: Any) -> None:
    for name, value in counts.items():
        if value is not None:
            _check_count(name, value)
    if not 0 <= audit_share <= 1:
        raise ParameterError(
            f"audit_share={audit_share!r} is not in [0, 1]; 0.2 asks one question in "
            "five at random"
        )
    if not isinstance(annotator, str) or not annotator.strip():
        raise ParameterError(
            f"annotator={annotator!r} is not a name; use for example 'me'"
        )
    if annotator == log.GIVEN:
        raise ParameterError(
            f"annotator={annotator!r} is the name of the labels that the data came "
            "with; use another one"
        )


def _check_count(name: str, value: Any) -> None:
    whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
    if not whole or value < 1:
        raise ParameterError(f"{name}={value!r} is not a whole number of at least 1")


def _checked(ids: ArrayLike, answers: Any, n: int) -> tuple[list[int], list[str]]:
    """Row numbers and answers as words, or one line about the first bad one."""
    items = np.atleast_1d(np.asarray(ids))
    if isinstance(answers, str | int | float | np.generic):
        answers = [answers]
    words = [_word(answer) for answer in answers]
    if items.ndim != 1 or (len(items) and items.dtype.kind not in "iu"):
        raise LabelError("ids are row numbers, one for each answer; use those of ask()")
    if len(items) != len(words):
        raise LabelError(f"{len(words)} answers for {len(items)} rows; give one each")
    for item in items:
        if not 0 <= item < n:
            raise LabelError(f"there is no row {item}; rows go from 0 to {n - 1}")
    if len(np.unique(items)) < len(items):
        raise LabelError("a row is there twice; give one answer for each row")
    return [int(item) for item in items], words


def _word(answer: Any) -> str:
    if isinstance(answer, str):
        word = answer.strip().lower()
        if word in log.ANSWERS:
            return word
    elif isinstance(answer, int | float | np.number | np.bool_) and answer in _WORDS:
        return _WORDS[int(answer)]
    raise LabelError(
        f"{answer!r} is not an answer; use 1 or 'anomaly', 0 or 'normal', 'unsure', "
        "or 'skip'"
    )
