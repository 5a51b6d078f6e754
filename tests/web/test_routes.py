"""What the page can ask and tell, and that nothing gets lost or mixed up."""

from __future__ import annotations

import io
import json
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import pytest
from driving import ODD, answer, client_of
from starlette.testclient import TestClient

from whitecrow.active import Store, replay
from whitecrow.data.labelling import Labelling
from whitecrow.errors import DataError
from whitecrow.model import Model
from whitecrow.web import finding
from whitecrow.web.session import STORE, Session

Make = Callable[..., Session]


def first(client: TestClient) -> dict[str, Any]:
    return client.get("/api/state").json()["queue"][0]


def state(client: TestClient) -> dict[str, Any]:
    return client.get("/api/state").json()["state"]


def label(client: TestClient, *words: str) -> list[int]:
    """Answer the next questions; the rows that they were about."""
    rows = []
    for word in words:
        question = first(client)
        answer(client, question, word)
        rows.append(question["id"])
    return rows


# ------------------------------------------------------------------------ showing


def test_a_question_is_a_row_as_a_person_reads_it(client: TestClient) -> None:
    question = first(client)
    assert question["name"] == f"Row {question['id']}"
    assert question["why"]
    columns = {one["column"] for one in question["reasons"]}
    columns |= {name for name, _ in question["values"]}
    assert columns == {ODD, "load", "colour"}
    assert question["id"] >= 72  # the odd ones come first by this strategy
    strongest = question["reasons"][0]
    assert strongest["column"] in {ODD, "colour"}
    assert strongest["chart"]["path"].startswith("M")
    assert "violet" in str(question)


def test_neighbours_are_labelled_rows(client: TestClient) -> None:
    rows = label(client, "anomaly", "unsure", "normal")
    near = first(client)["neighbours"]
    assert {one["id"] for one in near} <= {rows[0], rows[2]}
    question = client.get(f"/api/question/{rows[1]}").json()["question"]
    assert {one["answer"] for one in question["neighbours"]} == {"anomaly", "normal"}


def test_pictures_with_heat_maps(make: Make, pictures: Path) -> None:
    client = client_of(make(pictures, method="padim"))
    queue = client.get("/api/state").json()["queue"]
    question = next(one for one in queue if one["name"].endswith("_odd.png"))
    for kind in ("picture", "heat"):
        reply = client.get(question[kind])
        assert reply.headers["content-type"] == "image/png"
        assert len(reply.content) > 100
    assert client.get("/picture/40").status_code == 404
    label(client, "anomaly", "normal")
    assert client.get(first(client)["neighbours"][0]["picture"]).status_code == 200


def test_a_table_has_no_pictures(client: TestClient) -> None:
    assert client.get("/picture/0").status_code == 404
    assert client.get("/heat/0").status_code == 404


@pytest.mark.parametrize(
    ("query", "rows"),
    [
        ("7", [7]),
        ("row 7", [7]),
        ("violet", range(72, 80)),
        ("colour=Violet", range(72, 80)),
        ("COLOUR = violet", range(72, 80)),
        (f"{ODD}>90", range(72, 80)),
        ("load<0", []),
        ("99999999", []),
        ("((", []),
    ],
)
def test_finding_rows(client: TestClient, query: str, rows: Any) -> None:
    found = client.get("/api/rows", params={"q": query}).json()
    assert {one["id"] for one in found["rows"]} == set(rows)
    assert found["text"] == f"{len(rows)} {'row' if len(rows) == 1 else 'rows'}"


@pytest.mark.parametrize(
    ("value", "rows"), [("0", [0]), ("1e-9", [1]), ("0.1", [2]), ("0.3", [3])]
)
def test_a_number_is_found_as_it_is_written(value: str, rows: list[int]) -> None:
    """0 is not 1e-9, and 0.1 in single precision is 0.1 to whoever reads the page."""
    cells = pa.chunked_array([[0.0, 1e-9, float(np.float32(0.1)), 0.1 + 0.2, None]])
    assert np.flatnonzero(finding._compared(cells, "=", value)).tolist() == rows


def test_filters(client: TestClient) -> None:
    rows = label(client, "anomaly", "normal", "skip")
    for show, expected in (("anomaly", rows[:1]), ("skip", rows[2:]), ("check", [])):
        found = client.get("/api/rows", params={"show": show}).json()["rows"]
        assert [one["id"] for one in found] == expected
    found = client.get("/api/rows", params={"show": "open"}).json()
    assert found["text"].startswith("77 rows")
    assert client.get("/api/rows", params={"show": "x"}).status_code == 422
    assert client.get("/api/rows", params={"q": "lod=3"}).status_code == 422


# ------------------------------------------------------------------------ telling


def test_answers_are_on_disk_before_the_reply(
    client: TestClient, session: Session
) -> None:
    rows = label(client, "anomaly", "normal", "unsure", "skip")
    with Store(session.settings.folder / STORE) as store:
        told = replay(store.read())
    words = [told.verdict(row) for row in rows]
    assert words == ["anomaly", "normal", "unsure", "skip"]
    now = state(client)
    assert now["used"] == 3  # a skipped question costs nothing
    assert [one["id"] for one in now["decisions"]] == rows[::-1]


def test_undo_of_any_depth(client: TestClient) -> None:
    rows = label(client, *["normal"] * 6)
    decisions = state(client)["decisions"]
    deep = decisions[3]
    assert deep["depth"] == 4
    values = {"n": deep["depth"], "last": state(client)["last"]}
    reply = client.post("/api/undo", json=values).json()
    assert reply["question"]["id"] == deep["id"] == rows[2]
    assert [one["id"] for one in reply["state"]["decisions"]] == rows[1::-1]
    assert reply["question"]["answer"] is None
    # What is taken back is asked again.
    assert {one["id"] for one in reply["queue"]} & set(rows[2:])
    empty = client.post("/api/undo", json={"n": 99, "last": reply["state"]["last"]})
    assert empty.json()["state"]["decisions"] == []
    assert client.post("/api/undo", json={"n": 1, "last": None}).status_code == 200


def test_a_decision_can_be_changed(client: TestClient) -> None:
    (row,) = label(client, "normal")
    decision = state(client)["decisions"][0]
    question = {"id": row, "seen": decision["seq"]}
    after = answer(client, question, "anomaly")["state"]
    assert after["counts"] == {"anomaly": 1, "normal": 0, "unsure": 0, "skip": 0}
    assert after["used"] == 1
    # And the change be undone.
    last = {"n": 1, "last": after["last"]}
    undone = client.post("/api/undo", json=last).json()["state"]
    assert undone["decisions"][0]["answer"] == "normal"


def test_any_row_can_be_labelled(client: TestClient) -> None:
    question = client.get("/api/question/5").json()["question"]
    assert answer(client, question, "normal")["state"]["used"] == 1
    assert client.get("/api/question/5").json()["question"]["answer"] == "normal"


def test_a_second_tab_cannot_overwrite_unseen(client: TestClient) -> None:
    question = first(client)
    answer(client, question, "anomaly")
    values = {"id": question["id"], "answer": "normal", "seen": None}
    late = client.post("/api/answer", json=values)
    assert late.status_code == 409
    assert "another tab" in late.json()["error"]
    assert state(client)["counts"]["anomaly"] == 1
    assert client.post("/api/undo", json={"n": 1, "last": 1}).status_code == 409
    assert state(client)["used"] == 1


def test_tabs_at_the_same_time_take_each_row_once(session: Session) -> None:
    accepted: list[int] = []

    def work() -> None:
        client = client_of(session)
        for row in range(15):
            values = {"id": row, "answer": "normal", "seen": None}
            reply = client.post("/api/answer", json=values)
            assert reply.status_code in (200, 409), reply.text
            if reply.status_code == 200:
                accepted.append(row)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(accepted) == list(range(15))
    assert session.status()["used"] == 15


def test_two_annotators_keep_their_own_answers(
    make: Make, table: Path, tmp_path: Path
) -> None:
    ann, bob = make(table, annotator="ann"), make(table, annotator="bob")
    ann.answer(3, "anomaly", None)
    bob.answer(3, "normal", None)
    assert bob.status()["decisions"][0]["answer"] == "normal"
    assert ann.loop.state.verdict(3) == "disputed"
    bob.undo(1, bob.status()["last"])
    assert ann.loop.state.verdict(3) == "anomaly"
    assert not {q["id"] for q in ann.queue()} & {q["id"] for q in bob.queue()}


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"[]", 400),
        (b"{", 400),
        (b"\xff\xfe", 400),
        (b'{"id": "3", "answer": "normal"}', 400),
        (b'{"id": true, "answer": "normal"}', 400),
        (b'{"id": 1e9, "answer": "normal"}', 400),
        (b'{"id": 80, "answer": "normal"}', 422),
        (b'{"id": -1, "answer": "normal"}', 422),
        (b'{"id": 3, "answer": "maybe"}', 422),
        (b'{"id": 3}', 422),
        (b'{"id": 3, "answer": "normal", "seen": 7}', 409),
        (b'{"id": 3, "answer": "normal", "seen": "x"}', 400),
        (b"[" * 60_000, 400),
    ],
)
def test_nonsense_is_refused_in_a_line(
    client: TestClient, body: bytes, status: int
) -> None:
    reply = client.post("/api/answer", content=body)
    assert reply.status_code == status
    assert "\n" not in reply.json()["error"]
    assert state(client)["used"] == 0


def test_undo_needs_a_number(client: TestClient) -> None:
    for body in ({}, {"n": 0}, {"n": -3}, {"n": "all"}):
        assert client.post("/api/undo", json=body).status_code == 400


def test_the_budget_ends_the_questions(make: Make, table: Path) -> None:
    client = client_of(make(table, budget=6))
    label(client, *["normal"] * 6)
    reply = client.get("/api/state").json()
    assert reply["queue"] == []
    assert reply["state"]["left"] == 0


# -------------------------------------------------------------- two answers to a row


def test_a_row_is_asked_again_blindly(make: Make, table: Path) -> None:
    session = make(table, ask_again=5)
    client = client_of(session)
    seen: list[int] = []
    while True:
        question = first(client)
        if question["id"] in seen:
            break
        seen.append(question["id"])
        answer(client, question, "anomaly" if len(seen) % 2 else "normal")
    before = state(client)
    assert before["agreement"] == []
    assert question["answer"] is None
    assert question["why"] == session.loop.why(question["id"])
    assert "again" not in question["why"]
    assert question["id"] not in {one["id"] for one in before["decisions"]}
    found = client.get("/api/rows", params={"q": str(question["id"])}).json()["rows"]
    assert [one["answer"] for one in found] == [None]

    # The other answer: both are kept, and the page asks which it is.
    was = "anomaly" if seen.index(question["id"]) % 2 == 0 else "normal"
    other = "normal" if was == "anomaly" else "anomaly"
    now = answer(client, question, other)["state"]
    (conflict,) = now["conflicts"]
    assert conflict["text"] == f"You said {was} first, and {other} when asked again."
    assert (conflict["id"], conflict["answer"]) == (question["id"], "disputed")
    (agreed,) = now["agreement"]
    assert agreed["text"] == "me, asked again: the same answer to 0 of 1 row."
    assert agreed["words"] == ["anomaly", "normal"]
    found = client.get("/api/rows", params={"show": "check"}).json()["rows"]
    assert [one["id"] for one in found] == [question["id"]]
    lines = client.get("/api/export/agreement").text.splitlines()
    assert lines[1:] == [f'"me","me","{was}","{other}",1']

    decided = answer(client, {"id": conflict["id"], "seen": conflict["seq"]}, other)
    assert decided["state"]["conflicts"] == []
    assert decided["state"]["agreement"] == now["agreement"]
    exported = pq.read_table(io.BytesIO(client.get("/api/export/parquet").content))
    again = {line["item"]: line["again"] for line in exported.to_pylist()}
    assert again[question["id"]] == f"me: {was}, then {other}"


def test_annotators_side_by_side(make: Make, table: Path, tmp_path: Path) -> None:
    ann, bob = make(table, annotator="ann"), make(table, annotator="bob")
    for row, one, other in ((1, "normal", "normal"), (2, "anomaly", "normal")):
        ann.answer(row, one, None)
        bob.answer(row, other, None)
    ann.answer(3, "normal", None)
    status = bob.status()
    (agreed,) = status["agreement"]
    assert agreed["text"] == "ann and bob: the same answer to 1 of 2 rows (kappa 0.00)."
    assert (agreed["side"], agreed["top"]) == ("ann", "bob")
    assert agreed["counts"] == [[0, 1], [0, 1]]
    (conflict,) = status["conflicts"]
    assert conflict["text"] == "ann says anomaly, bob says normal."
    assert (conflict["id"], conflict["answer"]) == (2, "normal")
    # Who has not answered is asked, too: theirs decides.
    eve = make(table, annotator="eve")
    (conflict,) = eve.status()["conflicts"]
    assert (conflict["answer"], conflict["seq"]) == (None, None)
    eve.answer(2, "anomaly", None)
    assert bob.status()["conflicts"] == []
    written = ann.write()
    assert "agreement.csv" in {path.name for path in written}
    report = (tmp_path / "report.html").read_text()
    assert "ann and bob: the same answer to 1 of 2 rows" in report


# ------------------------------------------------------------------ labels of the data


@pytest.fixture
def labelled(table: Path, tmp_path: Path) -> Path:
    """The table, with labels of every tenth row; one of them is wrong."""
    lines = table.read_text().splitlines()
    lines[0] += ",known"
    for row in range(80):
        known = row % 10 == 5
        lines[row + 1] += "," + (str(int(row == 75)) if known else "")
    path = tmp_path / "labelled.csv"
    path.write_text("\n".join(lines))
    return path


def test_labels_of_the_data_are_given_answers(
    make: Make, labelled: Path, table: Path
) -> None:
    column = Labelling(column="known")
    settings = {"labelling": column, "use_labels": True, "method": "deep_sad"}
    session = make(labelled, **settings)
    status = session.status()
    assert status["model"] == "The detector has learnt from 8 labels of the data."
    assert (status["used"], status["decisions"]) == (0, [])
    assert sum(status["counts"].values()) == 0
    assert session.loop.labels_[75] == 1
    assert not {one["id"] for one in session.queue()} & set(range(5, 80, 10))
    near = session.queue()[0]["neighbours"]
    assert {one["id"] for one in near} <= set(range(5, 80, 10))
    session.answer(75, "normal", None)
    assert session.status()["conflicts"][0]["text"] == (
        "me says normal, the data says anomaly."
    )
    session.close()
    again = make(labelled, **settings)  # nothing is told twice
    told = [event for event in again.loop.events if event.kind == "answered"]
    assert len(told) == 9
    with pytest.raises(DataError, match="has no labels"):
        make(table, use_labels=True)


def test_what_a_method_without_labels_makes_of_answers(
    make: Make, table: Path, pictures: Path, tmp_path: Path
) -> None:
    plain = make(table).status()["model"]
    assert plain == (
        "HBOS does not learn from labels: its scores stay. The answers will decide "
        "which scores count as anomalies."
    )
    (tmp_path / "p").mkdir()
    shown = make(pictures, method="padim", strategy="aad", folder=tmp_path / "p")
    before = shown.fit.model.threshold_
    for row in range(30):
        shown.answer(row, "anomaly" if row % 8 == 3 else "normal", None)
    while shown.status()["busy"]:
        time.sleep(0.05)
    status = shown.status()
    assert status["model"] == (
        "PaDiM does not learn from labels: its scores stay. The answers decide what is "
        "asked next and which scores count as anomalies."
    )
    assert shown.fit.model.threshold_ != before
    texts = [status["quality"]["text"], *(one["why"] for one in shown.queue())]
    texts += [one["text"] for one in status["conflicts"]]
    assert not [text for text in texts if "row" in text]


def test_many_answers_are_compared_with_a_classifier(make: Make, tmp_path: Path):
    rng = np.random.default_rng(0)
    places = rng.uniform(-1, 1, size=(120, 2))
    odd = places[:, 0] * places[:, 1] > 0  # which no distance to a centre tells
    path = tmp_path / "corners.csv"
    path.write_text("\n".join(["x,y", *(f"{x:.3f},{y:.3f}" for x, y in places)]))
    session = make(path, budget=None)
    lines = (f"{row},{'anomaly' if odd[row] else 'normal'}" for row in range(120))
    session.take("labels.csv", "\n".join(["item,answer", *lines]).encode())
    while session.status()["busy"]:
        time.sleep(0.05)
    text = session.status()["quality"]["text"]
    said = " They are enough to train a classifier."
    assert text.endswith(f", each row scored without its own answer).{said}")
    assert "A random forest that learns from the answers alone ranks" in text
    assert said in (session.write()[-1].parent / "report.html").read_text()


# ------------------------------------------------------------------------ in and out


def test_exports(client: TestClient) -> None:
    rows = label(client, "anomaly", "normal", "unsure")
    reply = client.get("/api/export/csv")
    assert 'filename="labels.csv"' in reply.headers["content-disposition"]
    for table in (
        pa_csv.read_csv(io.BytesIO(reply.content)),
        pq.read_table(io.BytesIO(client.get("/api/export/parquet").content)),
    ):
        found = {line["item"]: line["label"] for line in table.to_pylist()}
        assert found == dict(zip(rows, [1, 0, None], strict=True))
    tasks = json.loads(client.get("/api/export/json").content)
    assert tasks[0]["data"]["colour"] == "violet"
    choice = tasks[0]["annotations"][0]["result"][0]["value"]["choices"]
    assert choice == ["anomaly"]
    assert client.get("/api/export/xlsx").status_code == 404


@pytest.mark.parametrize("kind", ["csv", "parquet", "json"])
def test_an_export_can_be_imported_elsewhere(
    client: TestClient, make: Make, table: Path, tmp_path: Path, kind: str
) -> None:
    rows = label(client, "anomaly", "normal")
    content = client.get(f"/api/export/{kind}").content
    (tmp_path / "other").mkdir()
    other = client_of(make(table, folder=tmp_path / "other"))
    question = other.get(f"/api/question/{rows[1]}").json()["question"]
    answer(other, question, "unsure")  # what a person said here stays
    reply = other.post(f"/api/import?name=labels.{kind}", content=content).json()
    assert reply["text"] == "New labels: 1. Rows whose answer stays as it was: 1."
    counts = {"anomaly": 1, "normal": 0, "unsure": 1, "skip": 0}
    assert reply["state"]["counts"] == counts


def test_labels_follow_their_rows_into_a_sorted_file(
    client: TestClient, make: Make, table: Path, tmp_path: Path
) -> None:
    rows = label(client, "anomaly", "normal")
    content = client.get("/api/export/csv").content
    head, *lines = table.read_text().splitlines()
    (tmp_path / "other").mkdir()
    turned = tmp_path / "other" / "turned.csv"
    turned.write_text("\n".join([head, *lines[::-1]]))
    other = make(turned, folder=tmp_path / "other")
    reply = client_of(other).post("/api/import?name=labels.csv", content=content)
    assert reply.json()["text"] == "New labels: 2."
    verdicts = other.loop.state.verdicts()
    assert verdicts == {79 - rows[0]: "anomaly", 79 - rows[1]: "normal"}


def test_labels_of_another_table_are_refused(
    client: TestClient, make: Make, table: Path, tmp_path: Path
) -> None:
    label(client, "anomaly", "normal")
    content = client.get("/api/export/csv").content
    (tmp_path / "other").mkdir()
    head, *lines = table.read_text().splitlines()
    shifted = tmp_path / "other" / "shifted.csv"
    shifted.write_text("\n".join([head, *(f"1{line}" for line in lines)]))
    other = make(shifted, folder=tmp_path / "other")
    reply = client_of(other).post("/api/import?name=labels.csv", content=content)
    assert reply.status_code == 422
    assert "none of the 2 labels is about a row" in reply.json()["error"]
    assert not other.loop.state.verdicts()


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.txt", b"item,label\n1,1\n", "csv"),
        ("a.csv", b"", "a.csv"),
        ("a.csv", b"item,label\n", "no label"),
        ("a.csv", b"row,label\n1,1\n", "item"),
        ("a.csv", b"item,label\n1,odd\n", "odd"),
        ("a.csv", b"item,label\n400,1\n", "400"),
        ("a.json", b"{", "a.json"),
        ("a.json", b"[1]", "a.json"),
        ("a.parquet", b"PAR1", "a.parquet"),
        ("../../a.csv", b"item,label\n400,1\n", "400"),
    ],
)
def test_bad_imports_take_nothing(
    client: TestClient, name: str, content: bytes, said: str
) -> None:
    reply = client.post("/api/import", params={"name": name}, content=content)
    assert reply.status_code == 422
    assert said in reply.json()["error"]
    assert "\n" not in reply.json()["error"]
    assert state(client)["used"] == 0


def test_finishing_writes_labels_model_and_report(
    make: Make, table: Path, tmp_path: Path
) -> None:
    session = make(table, method="deep_sad")
    client = client_of(session)
    rows = label(client, "anomaly", "normal", "anomaly", "normal")
    client.post("/api/finish", json={})
    for thread in session._threads[2:]:
        thread.join()
    finish = state(client)["finish"]
    assert (finish["running"], finish["done"]) == (False, True), finish
    labels = pq.read_table(tmp_path / "labels.parquet").to_pylist()
    assert {line["item"] for line in labels} == set(rows)
    assert "are flagged" in (tmp_path / "report.html").read_text()
    assert len(Model.load(tmp_path / "model.crow").encode(session.data)) == 80


def test_finishing_without_an_answer_says_so(session: Session) -> None:
    session.finish()
    session._threads[-1].join()
    status = session.finishing.status()
    assert not status["done"]
    assert "no answer yet" in status["text"]


# ------------------------------------------------------------------------ the session


def test_going_on(make: Make, table: Path, tmp_path: Path) -> None:
    before = make(table)
    for row, word in ((75, "anomaly"), (3, "normal"), (4, "unsure")):
        before.answer(row, word, None)
    waiting = [question["id"] for question in before.queue()]
    shown = before.status()
    before.close()
    after = make(table)
    assert after.status()["decisions"] == shown["decisions"]
    assert [question["id"] for question in after.queue()] == waiting


def test_answers_stay_however_the_columns_are_read(make: Make, table: Path) -> None:
    before = make(table)
    before.answer(75, "anomaly", None)
    before.close()
    ways: list[dict[str, Any]] = [
        {"ignore": ("colour",)},
        {"read_as": {"load": "category"}},
        {},
    ]
    for way in ways:
        after = make(table, **way)
        assert after.loop.state.verdicts() == {75: "anomaly"}
        assert not after.loop.notes
        after.close()


def test_a_folder_of_a_changed_cell(make: Make, table: Path, tmp_path: Path) -> None:
    make(table).close()
    lines = table.read_text().splitlines()
    other = tmp_path / "other.csv"
    other.write_text("\n".join([*lines[:-1], lines[-1].replace("violet", "blue")]))
    with pytest.raises(DataError, match="other data"):
        make(other, ignore=("load",))


def test_a_folder_of_other_data(make: Make, table: Path, pictures: Path) -> None:
    make(table)
    with pytest.raises(DataError, match="other data"):
        make(pictures, method="padim")


def test_the_share_and_what_was_found(make: Make, table: Path) -> None:
    session = make(table, strategy="mixed")
    for _ in range(12):
        while not (queue := session.queue()):
            pass
        row = queue[0]["id"]
        session.answer(row, "anomaly" if row >= 72 else "normal", None)
    session.measures.look(session.loop, None)
    found, ratio = session.measures.found, session.measures.ratio
    assert found["path"]
    assert found["list"]
    assert "in 12 questions" in found["text"]
    assert ratio["low"] <= 0.1 <= ratio["high"] <= ratio["scale"]


def test_somebody_faster_than_a_fit_is_asked_by_the_last_one(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    learnt = threading.Event()
    monkeypatch.setattr(session.loop, "prepare", lambda k: learnt.wait(60))
    before = session.loop.fitted_
    deadline = time.monotonic() + 30
    for number in range(28):  # more than are chosen at a time
        while not (queue := session.queue(ready=True)):
            assert time.monotonic() < deadline, f"no question after {number} answers"
        session.answer(queue[0]["id"], "normal", None)
    assert session.loop.fitted_ is before
    learnt.set()


def test_a_failed_training_is_said_and_the_answers_go_on(
    session: Session, client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(k: int = 1) -> None:
        done.set()
        raise DataError("no memory")

    done = threading.Event()
    monkeypatch.setattr(session.loop, "prepare", broken)
    label(client, "normal")
    assert done.wait(10)
    label(client, "normal")
    assert state(client)["used"] == 2
