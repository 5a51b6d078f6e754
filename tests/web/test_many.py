"""After many answers a reply says the same as counting anew, and takes no more work."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from whitecrow.active import Event, Loop, MemoryLog, replay
from whitecrow.choose import choose
from whitecrow.data.kinds.words import describe
from whitecrow.data.rows import PictureRows, TableRows
from whitecrow.data.source import open_source
from whitecrow.metrics import auroc
from whitecrow.web import exchange, progress, views
from whitecrow.web.session import Session, Settings

ROWS = 1_000


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> TableRows | PictureRows:
    X = np.random.default_rng(0).normal(size=(ROWS, 3))
    path = tmp_path_factory.mktemp("many") / "many.csv"
    lines = [",".join(f"{cell:.3f}" for cell in row) for row in X]
    path.write_text("\n".join(["a,b,c", *lines]))
    return open_source(str(path)).rows()


@pytest.fixture
def start(data: TableRows | PictureRows, tmp_path: Path) -> Any:
    """A function that opens a session with some answers, without its threads."""
    opened = []

    def answered(n: int) -> Session:
        folder = tmp_path / str(n)
        folder.mkdir()
        choice = choose(data.kind, "hbos", use_labels=True)
        settings = Settings(
            folder=folder, budget=None, strategy="positive", annotator="me"
        )
        session = Session(data, choice, settings)
        opened.append(session)
        other = Loop(
            session.loop.detector, session.X, store=session.store, annotator="x"
        )
        for row in range(n):
            word = "anomaly" if row % 7 == 0 else "normal"
            session.loop.tell([row], [word])
            if row % 3 == 0:
                other.tell([row], [word])
        session.loop.prepare(20)
        session.loop.ask(5)
        session.show_fit(session.loop.detector_)
        return session

    yield answered
    for session in opened:
        session.close()


def steps(work: Callable[[], object]) -> int:
    """Bytecodes that some work takes: a clock that no other process disturbs."""
    counted = 0

    def count(frame: FrameType, kind: str, _: Any) -> Any:
        nonlocal counted
        frame.f_trace_opcodes = True
        counted += kind == "opcode"
        return count

    before = sys.gettrace()
    sys.settrace(count)
    try:
        work()
    finally:
        sys.settrace(before)
    return counted


def reply(session: Session) -> None:
    """An answer, what the page then shows, and the question that follows."""
    question = session.queue(ready=True)[0]
    session.answer(question["id"], "normal", question["seen"])
    session.status()
    session.loop.ask(5)
    session.queue(ready=True)


def undo(session: Session) -> None:
    session.undo(1, session.status()["last"])


def test_a_reply_takes_no_more_work_after_many_answers(start: Any) -> None:
    found = {}
    for n in (150, 900):
        session = start(n)
        reply(session)  # looks once at all rows that the new questions may be near
        found[n] = {
            "reply": steps(partial(reply, session)),
            "poll": steps(session.status),
            "undo": steps(partial(undo, session)),
        }
    for name, few in found[150].items():
        assert found[900][name] < 1.3 * few, (name, found)


def test_counting_work_sees_a_loop_over_all_answers(start: Any) -> None:
    few, many = (
        steps(session.loop.state.verdicts) for session in (start(150), start(900))
    )
    assert many > 3 * few


def test_neighbours_are_those_among_all(start: Any) -> None:
    session = start(60)
    rng = np.random.default_rng(0)
    points = session.loop.embeddings_
    row = 999
    for number in range(40):
        if number % 5 == 4:
            session.loop.undo(3)  # may take away a neighbour
        else:
            session.loop.tell([int(rng.integers(900))], ["anomaly"])
        state = session.loop.state
        known = np.flatnonzero(state.codes(ROWS) != -1)
        gaps = np.linalg.norm(points[known] - points[row], axis=1)
        expected = known[np.argsort(gaps, kind="stable")[:4]].tolist()
        assert views._nearest(session, row, state) == expected


def test_quality_after_each_answer_is_the_auroc_so_far() -> None:
    rng = np.random.default_rng(0)
    log, told = MemoryLog(), []
    for item in range(60):
        place = float(rng.integers(1, 10)) / 10  # ties among them
        word = "anomaly" if rng.random() < 1 - place else "normal"
        log.append(
            [
                Event("asked", item=item, annotator="me", place=place),
                Event("answered", item=item, annotator="me", answer=word),
            ]
        )
        told.append((word == "anomaly", 1 - place))
    points = progress._by_answers(replay(log.read()))
    odd, scores = np.array(told).T
    expected = [
        (n, auroc(odd[:n], scores[:n]))
        for n in range(1, 61)
        if min(odd[:n].sum(), n - odd[:n].sum()) >= 3
    ]
    assert len(points) > 40
    np.testing.assert_allclose(points, expected)


def test_the_cells_of_an_export_are_those_of_the_page(tmp_path: Path) -> None:
    path = tmp_path / "mixed.parquet"
    columns = {"flow": [1.5, None, 3.0], "state": ["on", "off", None], "n": [1, 2, 3]}
    pq.write_table(pa.table(columns), path)
    data = open_source(str(path)).rows()
    assert isinstance(data, TableRows)
    assert exchange._seen(data, [2, 0]) == [
        describe(data.frame, 2),
        describe(data.frame, 0),
    ]
