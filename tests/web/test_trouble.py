"""Whatever fails in the background is said on the page, and nothing stands still."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from driving import answer, client_of

import whitecrow as wc
from whitecrow.errors import DataError
from whitecrow.web import session as sessions
from whitecrow.web import trouble
from whitecrow.web.session import Session

Make = Callable[..., Session]
Switch = dict[str, Exception | None]
PATIENCE_S = 60


def wait(done: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not done():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.fixture
def switch(monkeypatch: pytest.MonkeyPatch) -> Switch:
    """Makes HBOS learn from labels, and fail at it while an error is set."""
    switch: Switch = {"fit": None, "explain": None}
    fit, explain = wc.HBOS.fit, wc.HBOS.explain

    def fit_or_fail(self: Any, X: Any, y: Any = None) -> Any:
        labelled = y is not None and not np.isnan(np.asarray(y, float)).all()
        if labelled and switch["fit"] is not None:
            raise switch["fit"]
        return fit(self, X, y)

    def explain_or_fail(self: Any, X: Any) -> Any:
        if switch["explain"] is not None:
            raise switch["explain"]
        return explain(self, X)

    monkeypatch.setattr(wc.HBOS, "uses_labels", True)
    monkeypatch.setattr(wc.HBOS, "fit", fit_or_fail)
    monkeypatch.setattr(wc.HBOS, "explain", explain_or_fail)
    return switch


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("CUDA out of memory.\nTried to allocate 2 GiB."),
        np.linalg.LinAlgError("SVD did not converge"),
        MemoryError(),
        DataError("3 rows are too few"),
    ],
)
def test_a_fit_that_fails_is_said_and_tried_again(
    switch: Switch, session: Session, error: Exception
) -> None:
    switch["fit"] = error
    session.answer(session.queue()[0]["id"], "anomaly", None)
    wait(lambda: not session.status()["busy"])
    said = session.status()["model"]
    assert trouble.said(error) in said
    assert "--method" in said
    assert session.queue(), "the questions went away"
    switch["fit"] = None
    session.answer(session.queue()[0]["id"], "normal", None)
    wait(lambda: "learnt from 2 answers" in session.status()["model"])
    assert not session.status()["busy"]


def test_the_page_says_it_and_goes_on(switch: Switch, session: Session) -> None:
    """Through the routes, as a browser sees it."""
    with client_of(session) as client:
        switch["fit"] = RuntimeError("CUDA out of memory")
        for _ in range(3):
            question = client.get("/api/state").json()["queue"][0]
            answer(client, question, "normal")

        def shown() -> Any:
            return client.get("/api/state").json()["state"]

        wait(lambda: not shown()["busy"])
        assert "CUDA out of memory (RuntimeError)" in shown()["model"]
        assert shown()["used"] == 3
        client.post("/api/finish", json={})
        wait(lambda: not shown()["finish"]["running"])
        finish = shown()["finish"]
        assert not finish["done"]
        assert "Not written: CUDA out of memory" in finish["text"]
        assert "press Finish to try again" in finish["text"]
        switch["fit"] = None
        client.post("/api/finish", json={})
        wait(lambda: not shown()["finish"]["running"])
        assert shown()["finish"]["done"], shown()["finish"]


def test_a_row_that_cannot_be_explained_is_shown_and_can_be_answered(
    switch: Switch, session: Session
) -> None:
    with client_of(session) as client:
        switch["explain"] = RuntimeError("no such kernel")
        reply = client.get("/api/question/11")
        assert reply.status_code == 200, reply.text
        question = reply.json()["question"]
        assert "no such kernel" in question["note"]
        assert len(question["values"]) == 3
        answer(client, question, "normal")


def test_questions_that_cannot_be_chosen_are_tried_again(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No answer can wake a thread where there is no question."""
    monkeypatch.setattr(sessions, "_RETRY_S", 0.05)
    with monkeypatch.context() as broken:

        def fail(*_: Any, **__: Any) -> Any:
            raise RuntimeError("no neighbours")

        broken.setattr(session.loop, "ask", fail)
        while queue := session.queue():
            session.answer(queue[0]["id"], "normal", None)
        wait(lambda: "no neighbours" in session.status()["model"])
    wait(session.queue)
    wait(lambda: "no neighbours" not in session.status()["model"])


def test_a_broken_route_answers_with_a_line(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> Any:
        raise RuntimeError("disk is gone")

    with client_of(session) as client:
        monkeypatch.setattr(session, "status", fail)
        client._transport.raise_server_exceptions = False
        reply = client.get("/api/state")
        assert reply.status_code == 500
        assert "disk is gone" in reply.json()["error"]


def test_nothing_of_an_old_fit_is_shown(
    make: Make, table: Path, switch: Switch, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A row that was opened before the answers has the scores of after them."""
    session = make(table)
    before = session.question(40)
    score = wc.HBOS.anomaly_score
    monkeypatch.setattr(wc.HBOS, "anomaly_score", lambda self, X: -3 * score(self, X))
    session.answer(session.queue()[0]["id"], "normal", None)
    wait(lambda: "learnt from 1 answer" in session.status()["model"])
    scores = session.loop.scores_
    after = session.question(40)
    assert after["rank"] == int((scores > scores[40]).sum()) + 1
    assert after["score"] != before["score"]
