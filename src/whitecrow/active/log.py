"""What happened during labelling, and what follows from it.

Everything that a person does becomes an event, and events are only ever added. What
the answers are is a pure function of the events, `replay`: stopping, going on, undoing
and auditing need nothing else. A log is anything with `begin`, `append` and `read`;
`MemoryLog` forgets, `whitecrow.active.Store` does not.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
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
    "Event",
    "Log",
    "MemoryLog",
    "State",
    "latest",
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
        """Events with a `seq` above `after`, in order."""


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
        """Events with a `seq` above `after`, in order."""
        return self._events[after:]


@dataclass(frozen=True, eq=False)
class State:
    """What follows from a log.

    Attributes
    ----------
    asked : dict of int to Event
        The last question about each row, in the order of the questions; those that ask
        again are not among them.
    answers : dict of str to (dict of int to Event)
        For each annotator the answer that counts for each row: the latest one that
        was not undone.
    rounds : int
        Rounds of questions so far.
    again : dict of str to (dict of int to Event)
        For each annotator the open questions that ask again.
    repeats : dict of str to (dict of int to (Event, Event))
        For each annotator the rows that were asked again: the first answer, and that
        to the second question. A second question that was skipped counts as none.
    order : tuple of int
        Rows in the order of their first answers.
    """

    asked: dict[int, Event] = field(default_factory=dict)
    answers: dict[str, dict[int, Event]] = field(default_factory=dict)
    rounds: int = 0
    again: dict[str, dict[int, Event]] = field(default_factory=dict)
    repeats: dict[str, dict[int, tuple[Event, Event]]] = field(default_factory=dict)
    order: tuple[int, ...] = ()

    def torn(self, annotator: str) -> dict[int, tuple[Event, Event]]:
        """Rows that got two different answers of which none was chosen since."""
        mine = self.answers.get(annotator, {})
        return {
            item: both
            for item, both in self.repeats.get(annotator, {}).items()
            if mine.get(item) is both[1] and both[0].answer != both[1].answer
        }

    def votes(self, item: int) -> dict[str, str]:
        """Annotator -> answer, for one row."""
        return {
            who: DISPUTED if item in self._torn[who] else str(given[item].answer)
            for who, given in self.answers.items()
            if item in given
        }

    def verdict(self, item: int) -> str | None:
        """What the annotators together say about a row; None if nobody answered.

        The majority of "anomaly" and "normal"; `DISPUTED` where both have as many;
        "unsure" or "skip" only where nobody is sure.
        """
        votes = list(self.votes(item).values())
        yes, no = votes.count(ANOMALY), votes.count(NORMAL)
        if yes != no:
            return ANOMALY if yes > no else NORMAL
        if yes or DISPUTED in votes:
            return DISPUTED
        if not votes:
            return None
        return UNSURE if UNSURE in votes else SKIP

    def verdicts(self) -> dict[int, str]:
        """Row -> verdict, for every row with an answer, in order of first answers."""
        return dict(self._verdicts)

    def codes(self, n: int) -> labels.Codes:
        """Labels to train with: rows that nobody is sure of stay unlabelled."""
        codes = np.full(n, labels.UNLABELLED)
        for item, verdict in self._verdicts.items():
            if verdict in _CODES:
                codes[item] = _CODES[verdict]
        return codes

    def pending(self, annotator: str) -> list[int]:
        """Rows that an annotator was asked about and nobody has dealt with since."""
        mine = self.answers.get(annotator, {})
        waiting = {
            item: question.seq
            for item, question in self.asked.items()
            if question.annotator == annotator
            and (item not in mine or mine[item].seq < question.seq)
            and self.verdict(item) in (None, SKIP)
        }
        again = self.again.get(annotator, {})
        waiting |= {item: question.seq for item, question in again.items()}
        return sorted(waiting, key=lambda item: waiting[item])

    def waiting(self) -> set[int]:
        """Rows that anybody is being asked about."""
        askers = {str(question.annotator) for question in self.asked.values()}
        return {item for who in askers for item in self.pending(who)}

    def judged(self) -> dict[int, str]:
        """Row -> verdict, where somebody answered with more than "skip".

        Labels that came with the data are no answers, but count in the verdict.
        """
        people = [given for who, given in self.answers.items() if who != GIVEN]
        return {
            item: verdict
            for item, verdict in self._verdicts.items()
            if verdict != SKIP and any(item in given for given in people)
        }

    def spent(self) -> int:
        """Rows with an answer other than "skip" that somebody was there to give."""
        return len(self.judged())

    @cached_property
    def _torn(self) -> dict[str, dict[int, tuple[Event, Event]]]:
        return {who: self.torn(who) for who in self.answers}

    @cached_property
    def _verdicts(self) -> dict[int, str]:
        return {item: str(self.verdict(item)) for item in self.order}

    def settled(self, rounds_of_rest: int) -> NDArray[np.int64]:
        """Rows that are not to be asked about: answered, or skipped of late."""
        items = []
        for item, verdict in self._verdicts.items():
            if verdict != SKIP or self._last_round(item) + rounds_of_rest > self.rounds:
                items.append(item)
        return np.array(items, dtype=np.int64)

    def _last_round(self, item: int) -> int:
        given = (one[item].round or 0 for one in self.answers.values() if item in one)
        return max(given, default=0)


_CODES = {ANOMALY: labels.ANOMALY, NORMAL: labels.NORMAL}


def replay(events: Iterable[Event]) -> State:
    """The state that follows from events, in the order of their `seq`.

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
    ordered = sorted(events, key=lambda event: event.seq)
    undone = {event.target for event in ordered if event.kind == "undone"}
    state, order, rounds = State(), dict[int, None](), 0
    for event in ordered:
        if event.kind == "asked":
            rounds = max(rounds, event.round or 0)
            _ask(state, event)
        elif event.kind == "answered" and event.seq not in undone:
            _take(state, event, order)
    return replace(state, rounds=rounds, order=tuple(order))


def _ask(state: State, question: Event) -> None:
    assert question.item is not None
    if question.strategy == AGAIN:
        mine = state.again.setdefault(str(question.annotator), {})
        mine[question.item] = question
    else:
        state.asked.pop(question.item, None)  # to the end: the order of last questions
        state.asked[question.item] = question


def _take(state: State, answer: Event, order: dict[int, None]) -> None:
    assert answer.item is not None
    who, item = str(answer.annotator), answer.item
    state.again.get(who, {}).pop(item, None)
    mine = state.answers.setdefault(who, {})
    first = mine.get(item)
    if answer.strategy == AGAIN and first is not None:
        if answer.answer == SKIP:
            return  # nothing new is said
        state.repeats.setdefault(who, {})[item] = (first, answer)
    mine[item] = answer
    order.setdefault(item)


def latest(events: Iterable[Event], annotator: str, n: int) -> list[Event]:
    """The last n answers of an annotator that still stand, the newest first."""
    known = list(events)
    undone = {event.target for event in known if event.kind == "undone"}
    mine = [
        event
        for event in known
        if event.kind == "answered"
        and event.annotator == annotator
        and event.seq not in undone
    ]
    return sorted(mine, key=lambda event: -event.seq)[:n]
