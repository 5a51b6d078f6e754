"""What happened during labelling, and what follows from it.

Everything that a person does becomes an event, and events are only ever added. What
the answers are is a pure function of the events, `replay`: stopping, going on, undoing
and auditing need nothing else. What is known of a row follows from its own events, so
`State.after` replays those of the rows that something happened to, and no others. A log
is anything with `begin`, `append` and `read`; `MemoryLog` forgets,
`whitecrow.active.Store` does not.
"""

from __future__ import annotations

import itertools
import threading
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from operator import attrgetter
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from whitecrow import labels

__all__ = [
    "AGAIN",
    "ANOMALY",
    "ANSWERS",
    "DISPUTED",
    "GIVEN",
    "NORMAL",
    "SKIP",
    "UNSURE",
    "Counts",
    "Event",
    "Log",
    "MemoryLog",
    "Row",
    "State",
    "replay",
]

ANOMALY, NORMAL, UNSURE, SKIP = "anomaly", "normal", "unsure", "skip"
ANSWERS = (ANOMALY, NORMAL, UNSURE, SKIP)

DISPUTED = "disputed"
"""Verdict on a row that as many annotators call an anomaly as call normal, and vote of
one who gave two answers to the same question and has not decided yet."""

AGAIN = "again"
"""Strategy of a question that the same annotator has answered before."""

GIVEN = "the data"
"""Annotator of the labels that the data came with; they cost no question."""


@dataclass(frozen=True)
class Event:
    """One line of a log.

    Attributes
    ----------
    kind : {"opened", "asked", "answered", "undone"}
        What happened.
    item : int or None
        Number of the row.
    content : str or None
        Hash of the row; of all rows where the kind is "opened".
    answer : str or None
        One of `ANSWERS`.
    annotator : str or None
        Who was asked, or answered.
    round : int or None
        Questions chosen together have the same number; the first is 1.
    strategy, reason : str or None
        What chose the question, and why, as a sentence for people.
    score : float or None
        Anomaly score when the question was chosen.
    place : float or None
        Place of that score among all rows, in (0, 1), 0 for the highest.
    model : str or None
        Hash of all scores when the question was chosen.
    target : int or None
        `seq` of the answer that an "undone" takes back.
    detail : str or None
        For "opened": number of rows and seed, as JSON.
    time : float
        Seconds since 1970.
    seq : int
        Place in the log, from 1; 0 where it has none yet.
    """

    kind: str
    item: int | None = None
    content: str | None = None
    answer: str | None = None
    annotator: str | None = None
    round: int | None = None
    strategy: str | None = None
    reason: str | None = None
    score: float | None = None
    place: float | None = None
    model: str | None = None
    target: int | None = None
    detail: str | None = None
    time: float = 0.0
    seq: int = 0


class Log(Protocol):
    """Where events are kept."""

    def begin(self, event: Event) -> Event:
        """Make `event` the first one, or return the first one that is there."""

    def append(self, events: Sequence[Event]) -> list[Event]:
        """Add all of them or, after an exception, none; return them with `seq`."""

    def read(self, after: int = 0) -> list[Event]:
        """Return the events with a `seq` above `after`, in order."""


class MemoryLog:
    """A log for as long as the process lives.

    Examples
    --------
    >>> log = MemoryLog()
    >>> log.append([Event("answered", item=3, answer="normal", annotator="me")])[0].seq
    1
    """

    def __init__(self) -> None:
        self._events: list[Event] = []
        self._lock = threading.Lock()

    def begin(self, event: Event) -> Event:
        """Make `event` the first one, or return the first one that is there."""
        if not self._events:
            self.append([event])
        return self._events[0]

    def append(self, events: Sequence[Event]) -> list[Event]:
        """Add events; return them with their place in the log."""
        with self._lock:
            first = len(self._events) + 1
            placed = [replace(e, seq=first + i) for i, e in enumerate(events)]
            self._events += placed
        return placed

    def read(self, after: int = 0) -> list[Event]:
        """Return the events with a `seq` above `after`, in order."""
        return self._events[after:]


@dataclass(frozen=True)
class Row:
    """What follows from the events of one row; those of other rows change nothing.

    Attributes
    ----------
    events : tuple of Event
        Questions about it and the answers that stand, in their order.
    asked : Event or None
        The last question; not one that asks again.
    answers : dict of str to Event
        For each annotator the answer that counts: the latest one.
    again : dict of str to Event
        For each annotator the open question that asks again.
    repeats : dict of str to (Event, Event)
        For each annotator who was asked again: the first answer, and that to the
        second question. A second question that was skipped counts as none.
    votes : dict of str to str
        What each annotator says; `DISPUTED` where their two answers differ and they
        have not decided since.
    verdict : str or None
        What they say together; None if nobody answered.
    """

    events: tuple[Event, ...]
    asked: Event | None
    answers: dict[str, Event]
    again: dict[str, Event]
    repeats: dict[str, tuple[Event, Event]]
    votes: dict[str, str]
    verdict: str | None

    @property
    def first(self) -> int:
        """Return the `seq` of the first answer, which there must be."""
        return next(event.seq for event in self.events if event.kind == "answered")

    @property
    def judged(self) -> bool:
        """Tell whether somebody answered with more than "skip".

        Labels that came with the data are not answers, but count in the verdict.
        """
        return self.verdict != SKIP and any(who != GIVEN for who in self.answers)

    @property
    def unclear(self) -> bool:
        """Tell whether somebody has to decide between two answers."""
        return self.verdict == DISPUTED or DISPUTED in self.votes.values()

    @property
    def last_round(self) -> int:
        """Return the round of the latest answer."""
        return max((event.round or 0 for event in self.answers.values()), default=0)

    def waiting(self) -> dict[str, Event]:
        """Map annotators to the question that nobody has dealt with since."""
        if self.asked is None or self.verdict not in (None, SKIP):
            return self.again
        who = str(self.asked.annotator)
        mine = self.answers.get(who)
        if mine is not None and mine.seq > self.asked.seq:
            return self.again
        return {who: self.asked} | self.again


def _row(events: tuple[Event, ...]) -> Row:
    """Derive the state of a row from its questions and the answers that stand."""
    asked: Event | None = None
    answers, again = dict[str, Event](), dict[str, Event]()
    repeats = dict[str, tuple[Event, Event]]()
    for event in events:
        who = str(event.annotator)
        if event.kind == "asked":
            if event.strategy == AGAIN:
                again[who] = event
            else:
                asked = event
            continue
        again.pop(who, None)
        if event.strategy == AGAIN and who in answers:
            if event.answer == SKIP:
                continue  # nothing new is said
            repeats[who] = answers[who], event
        answers[who] = event
    votes = {who: _vote(mine, repeats.get(who)) for who, mine in answers.items()}
    verdict = _verdict(list(votes.values()))
    return Row(events, asked, answers, again, repeats, votes, verdict)


def _vote(mine: Event, both: tuple[Event, Event] | None) -> str:
    torn = both is not None and both[1] is mine and both[0].answer != mine.answer
    return DISPUTED if torn else str(mine.answer)


def _verdict(votes: list[str]) -> str | None:
    """Return the majority; "unsure" or "skip" only where nobody is sure."""
    yes, no = votes.count(ANOMALY), votes.count(NORMAL)
    if yes != no:
        return ANOMALY if yes > no else NORMAL
    if yes or DISPUTED in votes:
        return DISPUTED
    if not votes:
        return None
    return UNSURE if UNSURE in votes else SKIP


@dataclass(frozen=True)
class Counts:
    """What a reply needs the numbers of: each row is counted when it changes.

    Attributes
    ----------
    verdicts, judged : Counter of str
        Rows by verdict: all with an answer, and those that are `Row.judged`.
    strategies : Counter of str
        Rows by the strategy of the last question.
    pairs : Counter of (str, str, str, str)
        Rows by annotator, other annotator, and the vote of each. The same annotator
        twice: first answers, and those to the same questions asked again.
    """

    verdicts: Counter[str] = field(default_factory=Counter)
    judged: Counter[str] = field(default_factory=Counter)
    strategies: Counter[str] = field(default_factory=Counter)
    pairs: Counter[tuple[str, str, str, str]] = field(default_factory=Counter)

    def copy(self) -> Counts:
        """Return an independent copy of the counts."""
        return Counts(*(getattr(self, one.name).copy() for one in fields(self)))

    def add(self, row: Row, sign: int = 1) -> None:
        """Count a row, or with -1 stop counting it."""
        if row.verdict is not None:
            self.verdicts[row.verdict] += sign
            if row.judged:
                self.judged[row.verdict] += sign
        if row.asked is not None:
            self.strategies[str(row.asked.strategy)] += sign
        for one, two in itertools.combinations(sorted(row.votes), 2):
            self.pairs[one, two, row.votes[one], row.votes[two]] += sign
        for who, (first, second) in row.repeats.items():
            self.pairs[who, who, str(first.answer), str(second.answer)] += sign


@dataclass(frozen=True, eq=False)
class State:
    """What follows from a log. It never changes: `after` gives the next one.

    Attributes
    ----------
    rows : dict of int to Row
        Every row with a question or an answer.
    told : dict of str to (list of Event)
        For each annotator the answers that stand, in their order.
    open, unclear, skipped : dict of int to Row
        Those of `rows` with a question that waits for an answer, with two answers to
        decide between, and with the verdict "skip".
    counts : Counts
        Numbers of them.
    rounds : int
        Rounds of questions so far.
    since_again : dict of str to int
        For each annotator the number of questions since the last one that asked again.
    """

    rows: dict[int, Row] = field(default_factory=dict)
    told: dict[str, list[Event]] = field(default_factory=dict)
    open: dict[int, Row] = field(default_factory=dict)
    unclear: dict[int, Row] = field(default_factory=dict)
    skipped: dict[int, Row] = field(default_factory=dict)
    counts: Counts = field(default_factory=Counts)
    rounds: int = 0
    since_again: dict[str, int] = field(default_factory=dict)
    _codes: labels.Codes = field(default_factory=lambda: np.empty(0, np.int8))

    # --- the next state ---------------------------------------------------------------

    def after(self, events: Iterable[Event]) -> State:
        """Return the state after further events.

        Only the rows of these events are computed anew; the rest is copied.

        Parameters
        ----------
        events : iterable of Event
            Each with a `seq` above all before.
        """
        told = {who: given.copy() for who, given in self.told.items()}
        since, rounds = self.since_again.copy(), self.rounds
        changed = dict[int, list[Event]]()
        for event in sorted(events, key=_seq):
            answer = _take_back(told, event.target) if event.kind == "undone" else event
            if answer is None or answer.kind not in ("asked", "answered"):
                continue
            assert answer.item is not None
            if answer.item not in changed:
                before = self.rows.get(answer.item)
                changed[answer.item] = list(before.events) if before else []
            if event.kind == "undone":
                changed[answer.item].remove(answer)
                continue
            changed[answer.item].append(event)
            if event.kind == "asked":
                who, rounds = str(event.annotator), max(rounds, event.round or 0)
                since[who] = 0 if event.strategy == AGAIN else since.get(who, 0) + 1
            else:
                told.setdefault(str(event.annotator), []).append(event)
        rows = {item: _row(tuple(said)) for item, said in changed.items()}
        placed = self._placed(rows)
        return replace(placed, told=told, rounds=rounds, since_again=since)

    def _placed(self, changed: dict[int, Row]) -> State:
        """Return the state with some rows replaced."""
        rows, open_, unclear = self.rows.copy(), self.open.copy(), self.unclear.copy()
        skipped, counts = self.skipped.copy(), self.counts.copy()
        codes = np.full(
            max([len(self._codes), *(item + 1 for item in changed)]), labels.UNLABELLED
        )
        codes[: len(self._codes)] = self._codes
        for item, row in changed.items():
            if item in rows:
                counts.add(rows[item], -1)
            counts.add(row)
            _place(rows, item, row, bool(row.events))
            _place(open_, item, row, bool(row.waiting()))
            _place(unclear, item, row, row.unclear)
            _place(skipped, item, row, row.verdict == SKIP)
            codes[item] = _CODES.get(str(row.verdict), labels.UNLABELLED)
        return State(rows, {}, open_, unclear, skipped, counts, _codes=codes)

    # --- for a reply: what takes a time that no answer adds to ------------------------

    def answer(self, annotator: str, item: int) -> Event | None:
        """Return the answer of an annotator that counts for a row."""
        row = self.rows.get(item)
        return row.answers.get(annotator) if row else None

    def question(self, item: int) -> Event | None:
        """Return the last question about a row that is not a repeat."""
        row = self.rows.get(item)
        return row.asked if row else None

    def latest(self, annotator: str, n: int) -> list[Event]:
        """Return the last n answers of an annotator that still stand, newest first."""
        return self.told.get(annotator, [])[: -n - 1 : -1]

    def votes(self, item: int) -> dict[str, str]:
        """Map annotators to their answer, for one row."""
        row = self.rows.get(item)
        return dict(row.votes) if row else {}

    def verdict(self, item: int) -> str | None:
        """Return the annotators' joint verdict on a row; None if nobody answered.

        It is the majority of "anomaly" and "normal", `DISPUTED` where these are equal,
        and "unsure" or "skip" only where nobody is sure.
        """
        row = self.rows.get(item)
        return row.verdict if row else None

    def torn(self, annotator: str) -> dict[int, tuple[Event, Event]]:
        """Return rows with two different answers of which none was chosen since."""
        return {
            item: row.repeats[annotator]
            for item, row in self.unclear.items()
            if row.votes.get(annotator) == DISPUTED
        }

    def pending(self, annotator: str) -> list[int]:
        """Return rows an annotator was asked about and nobody has dealt with."""
        waiting = {
            item: row.waiting()[annotator].seq
            for item, row in self.open.items()
            if annotator in row.waiting()
        }
        return sorted(waiting, key=lambda item: waiting[item])

    def waiting(self) -> set[int]:
        """Return the rows that anybody is being asked about."""
        return set(self.open)

    def asks_again(self, annotator: str) -> set[int]:
        """Return the rows that an annotator is being asked about a second time."""
        return {item for item, row in self.open.items() if annotator in row.again}

    def spent(self) -> int:
        """Count the rows that a person answered with more than "skip"."""
        return self.counts.judged.total()

    def codes(self, n: int) -> labels.Codes:
        """Return labels to train with; rows nobody is sure of stay unlabelled."""
        codes = np.full(n, labels.UNLABELLED)
        codes[: len(self._codes)] = self._codes[:n]
        return codes

    def is_settled(self, item: int, rounds_of_rest: int) -> bool:
        """Tell whether a row is answered or recently skipped: not to be asked."""
        row = self.rows.get(item)
        if row is None or row.verdict is None:
            return False
        return row.verdict != SKIP or row.last_round + rounds_of_rest > self.rounds

    def n_settled(self, rounds_of_rest: int) -> int:
        """Count the rows that are not to be asked about."""
        rested = (not self.is_settled(item, rounds_of_rest) for item in self.skipped)
        return self.counts.verdicts.total() - sum(rested)

    # --- all rows ---------------------------------------------------------------------

    def verdicts(self) -> dict[int, str]:
        """Map every row with an answer to its verdict, in order of first answers."""
        return dict(self._verdicts)

    def judged(self) -> dict[int, str]:
        """Map the rows that somebody answered with more than "skip" to verdicts.

        Labels that came with the data are not answers, but count in the verdict.
        """
        told = self._verdicts.items()
        return {item: verdict for item, verdict in told if self.rows[item].judged}

    def settled(self, rounds_of_rest: int) -> NDArray[np.int64]:
        """Return the indices of answered or recently skipped rows: not to be asked."""
        found = (item for item in self.rows if self.is_settled(item, rounds_of_rest))
        return np.fromiter(found, np.int64)

    @cached_property
    def asked(self) -> dict[int, Event]:
        """Map each row to the last question about it, in order; skip repeats."""
        last = [row.asked for row in self.rows.values() if row.asked is not None]
        return {int(event.item or 0): event for event in sorted(last, key=_seq)}

    @cached_property
    def answers(self) -> dict[str, dict[int, Event]]:
        """Map each annotator to the answer that counts for each row."""
        found: dict[str, dict[int, Event]] = {}
        for item, row in self.rows.items():
            for who, answer in row.answers.items():
                found.setdefault(who, {})[item] = answer
        return found

    @cached_property
    def _verdicts(self) -> dict[int, str]:
        told = [(row.first, item) for item, row in self.rows.items() if row.answers]
        return {item: str(self.rows[item].verdict) for _, item in sorted(told)}


_CODES = {ANOMALY: labels.ANOMALY, NORMAL: labels.NORMAL}

_seq = attrgetter("seq")


def _take_back(told: dict[str, list[Event]], seq: int | None) -> Event | None:
    """Remove the answer with this place in the log, if it stands."""
    for given in told.values():
        place = bisect_left(given, seq or 0, key=_seq)
        if place < len(given) and given[place].seq == seq:
            return given.pop(place)
    return None


def _place(rows: dict[int, Row], item: int, row: Row, belongs: bool) -> None:
    if belongs:
        rows[item] = row
    else:
        rows.pop(item, None)


def replay(events: Iterable[Event]) -> State:
    """Derive the state that follows from events, in the order of their `seq`.

    Parameters
    ----------
    events : iterable of Event
        A whole log, or its beginning.

    Examples
    --------
    >>> told = [
    ...     Event("answered", item=3, answer="normal", annotator="me", seq=1),
    ...     Event("answered", item=3, answer="anomaly", annotator="me", seq=2),
    ... ]
    >>> replay(told).verdict(3)
    'anomaly'
    >>> replay([*told, Event("undone", target=2, seq=3)]).verdict(3)
    'normal'
    """
    return State().after(events)
