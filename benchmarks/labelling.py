"""The labelling page after thousands of answers: how long each thing takes.

    python benchmarks/labelling.py [--answers 10000 30000] [--rows N] [--method NAME]

A table of 30 columns is labelled by two people, `ann` and `bob`, who take turns: one
question in five is an audit, one in twenty is asked again, three in a hundred are
skipped, two in a hundred answers are undone and two changed, and one row in ten is
answered by both. That log is made up, written to a store, and opened as
`whitecrow label` opens it. `resume` is all that comes before the page answers except
fitting and scoring, which are given beside it. `reply` is one answer as the page sends
it: written to disk, the new state, and the reply as JSON, while the detector learns
behind: wall seconds, medians. All other times are CPU seconds of the one thread.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from whitecrow.active import Event, Loop, Store, fitting
from whitecrow.active.log import AGAIN
from whitecrow.choose import choose
from whitecrow.data.source import Reading, open_source
from whitecrow.learning import for_training
from whitecrow.web import exchange, finding, progress
from whitecrow.web.session import Session, Settings

COLUMNS, ODD = 30, 0.03
PEOPLE = ("ann", "bob")
REPLIES = 60


def pool(path: Path, rows: int) -> np.ndarray:
    """Write the table; which rows are odd."""
    rng = np.random.default_rng(0)
    mixing = np.eye(COLUMNS) + 0.3 * rng.normal(size=(COLUMNS, COLUMNS))
    X = rng.normal(size=(rows, COLUMNS)) @ mixing
    odd = np.arange(rows) < ODD * rows
    X[odd, :6] += 3 * X[:, :6].std(axis=0)
    pq.write_table(pa.table({f"c{i:02d}": X[:, i] for i in range(COLUMNS)}), path)
    return odd


class Past:
    """A log that two people might have written."""

    def __init__(self, odd: np.ndarray, audits: np.ndarray, start: int) -> None:
        self.rng = np.random.default_rng(1)
        self.odd, self.n = odd, len(odd)
        self.seq, self.round, self.events = start, 0, []
        # As a strategy chooses: what is odd comes somewhat earlier.
        early = np.argsort(self.rng.random(self.n) * np.where(odd, 0.5, 1))
        self.audits, self.chosen = iter(audits), iter(early)
        self.asked: dict[int, Event] = {}
        self.answered: dict[str, list[int]] = {who: [] for who in PEOPLE}

    def add(self, kind: str, item: int, who: str, **values: Any) -> Event:
        self.seq += 1
        event = Event(
            kind,
            item=item,
            annotator=who,
            time=1.7e9 + self.seq,
            seq=self.seq,
            **values,
        )
        self.events.append(event)
        return event

    def word(self, item: int) -> str:
        if self.rng.random() < 0.02:
            return "unsure"
        wrong = self.rng.random() < 0.03
        return "anomaly" if self.odd[item] ^ wrong else "normal"

    def answer(self, question: Event, who: str, word: str) -> Event:
        copied = ("strategy", "reason", "score", "place", "model")
        values = {name: getattr(question, name) for name in copied}
        values |= {"answer": word, "round": self.round, "content": "0" * 32}
        return self.add("answered", int(question.item or 0), who, **values)

    def question(self, who: str) -> Event:
        audit = self.rng.random() < 0.2
        rows = self.audits if audit else self.chosen
        item = next(int(row) for row in rows if int(row) not in self.asked)
        place = float(self.rng.random() ** (3 if self.odd[item] else 1))
        self.round += 1
        values = {"strategy": "audit" if audit else "aad", "reason": "made up"}
        values |= {"score": 1 - place, "place": min(max(place, 1e-6), 1 - 1e-6)}
        question = self.add("asked", item, who, round=self.round, **values)
        self.asked[item] = question
        return question

    def turn(self, who: str, other: str) -> None:
        question = self.question(who)
        item = int(question.item or 0)
        if self.rng.random() < 0.03:
            self.answer(question, who, "skip")
            return
        told = self.answer(question, who, self.word(item))
        chance = self.rng.random()
        if chance < 0.02:
            self.add("undone", item, who, target=told.seq)
            self.answer(question, who, self.word(item))
        elif chance < 0.04:
            self.answer(question, who, "anomaly")
        elif chance < 0.14:
            self.answer(question, other, self.word(item))
        mine = self.answered[who]
        if len(mine) > 40 and chance > 0.95:
            old = self.asked[mine[int(self.rng.integers(len(mine) - 40))]]
            values = {"strategy": AGAIN, "reason": old.reason, "place": old.place}
            again = self.add(
                "asked", int(old.item or 0), who, round=self.round, **values
            )
            self.answer(again, who, self.word(int(old.item or 0)))
        mine.append(item)

    def write(self, answers: int, store: Store) -> None:
        told = 0
        while told < answers:
            before = len(self.events)
            self.turn(*PEOPLE[:: 1 if self.rng.random() < 0.5 else -1])
            told += sum(event.kind == "answered" for event in self.events[before:])
        store.append(self.events)


Timed = dict[str, float]


@contextmanager
def clock(
    found: Timed, name: str, now: Callable[[], float] = time.thread_time
) -> Iterator[None]:
    started = now()
    yield
    found[name] = found.get(name, 0.0) + now() - started


def fits_timed(found: Timed) -> Callable[[], None]:
    """Count the time of fits and scores apart; a function that ends it."""
    train, describe, ranked = fitting.train, fitting.describe, Loop._ranked_by_columns

    def timed(work: Callable[..., Any]) -> Callable[..., Any]:
        def run(*given: Any, **named: Any) -> Any:
            with clock(found, "fit"):
                return work(*given, **named)

        return run

    fitting.train, fitting.describe = timed(train), timed(describe)
    Loop._ranked_by_columns = timed(ranked)  # type: ignore[method-assign]

    def end() -> None:
        fitting.train, fitting.describe = train, describe
        Loop._ranked_by_columns = ranked  # type: ignore[method-assign]

    return end


def session_of(path: Path, folder: Path, method: str) -> Session:
    data = open_source(str(path), for_training(Reading())).rows()
    choice = choose(data.kind, method, use_labels=True)
    settings = Settings(
        folder=folder, budget=None, strategy="aad", annotator="ann", ask_again=20
    )
    return Session(data, choice, settings)


def opened(path: Path, folder: Path, method: str, found: Timed) -> Session:
    """A session of the folder that is ready, and the time it took besides fits."""
    fits: Timed = {"fit": 0.0}
    end = fits_timed(fits)
    with clock(found, "open"):
        session = session_of(path, folder, method)
    with clock(found, "start"):
        session.start()
    end()
    found["fit"] = fits["fit"]
    found["resume"] = found["open"] + found.pop("start") - found["fit"]
    return session


def shown(session: Session) -> str:
    return json.dumps({"state": session.status(), "queue": session.queue(ready=True)})


def replies(session: Session, odd: np.ndarray, found: Timed) -> None:
    """Answers, undos and polls as the page sends them."""
    taken, undone, polled, waited = [], [], [], 0
    queue = json.loads(shown(session))["queue"]
    for number in range(REPLIES):
        while not queue:
            waited += 1
            time.sleep(0.2)
            queue = json.loads(shown(session))["queue"]
        question, step = queue[0], {}
        with clock(step, "reply", time.perf_counter):
            word = "anomaly" if odd[question["id"]] else "normal"
            session.answer(question["id"], word, question["seen"])
            queue = json.loads(shown(session))["queue"]
        taken.append(step["reply"])
        if number % 10 == 9:
            with clock(step, "undo", time.perf_counter):
                session.undo(1, session.status()["last"])
                queue = json.loads(shown(session))["queue"]
            undone.append(step["undo"])
        with clock(step, "poll", time.perf_counter):
            shown(session)
        polled.append(step["poll"])
        time.sleep(0.3)
    found["reply"], found["reply, slowest"] = float(np.median(taken)), max(taken)
    found["undo"], found["poll"] = float(np.median(undone)), float(np.median(polled))
    found["waited for a question"] = float(waited)


def statistics(session: Session, found: Timed) -> None:
    loop = session.loop
    with clock(found, "found per question"):
        progress._found(loop)
    with clock(found, "share with interval"):
        loop.ratio()
    with clock(found, "quality"):
        progress._by_answers(loop.state)
    with clock(found, "agreement"):
        progress.agreement(loop.state)
    with clock(found, "please check"):
        session.conflicts()
    with clock(found, "search"):
        finding.find(session, "c03>1", "open")


def files(session: Session, path: Path, method: str, found: Timed) -> None:
    """Exports, and the import of one into a fresh folder."""
    exported = b""
    for kind, export in exchange.EXPORTS.items():
        with clock(found, f"export {kind}"):
            content = export.content(session.loop, session.data)
        exported = content if kind == "parquet" else exported
    with tempfile.TemporaryDirectory() as folder:
        fresh = session_of(path, Path(folder), method)
        with clock(found, "import parquet"):
            fresh.take("labels.parquet", exported)
        fresh.close()


def measure(answers: int, rows: int, method: str) -> Timed:
    found: Timed = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        odd = pool(folder / "pool.parquet", rows)
        begun = session_of(folder / "pool.parquet", folder, method)
        Past(odd, begun.loop._order, 1).write(answers, begun.store)
        begun.close()
        session = opened(folder / "pool.parquet", folder, method, found)
        try:
            replies(session, odd, found)
            statistics(session, found)
            files(session, folder / "pool.parquet", method, found)
        finally:
            session.close()
    usage = resource.getrusage(resource.RUSAGE_SELF)
    found["peak GB"] = usage.ru_maxrss / 1e6
    return found


def main(arguments: list[str]) -> None:
    """Measure and print a line for each thing."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--answers", nargs="+", type=int, default=[10_000, 30_000])
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--method", default="hbos")
    given = parser.parse_args(arguments)
    every = [measure(n, given.rows, given.method) for n in given.answers]
    sys.stdout.write(f"| {'':24} |")
    sys.stdout.write("|".join(f" {n:>8,} answers " for n in given.answers) + "|\n")
    for name in every[0]:
        cells = "|".join(f" {one[name]:16.4f} " for one in every)
        sys.stdout.write(f"| {name:24} |{cells}|\n")


if __name__ == "__main__":
    main(sys.argv[1:])
