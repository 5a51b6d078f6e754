"""Labels come back as they went out."""

import json

import numpy as np
import pytest

import whitecrow as wc
from whitecrow.active import Loop, MemoryLog, exchange
from whitecrow.errors import DataError, LabelError

X = np.random.default_rng(0).normal(size=(30, 2))


@pytest.fixture
def loop():
    log = MemoryLog()
    loop = Loop(wc.HBOS(), X, random_state=0, store=log)
    ids = loop.ask(3)
    assert not {20, 21} & set(ids.tolist())
    loop.tell([*ids, 20, 21], [1, 0, "unsure", 1, 1])
    Loop(wc.HBOS(), X, store=log, annotator="bob").tell([21], [0])
    return loop


def test_table_says_where_labels_come_from(loop):
    lines = {line["item"]: line for line in exchange.table(loop).to_pylist()}
    first = next(iter(loop.state.asked))
    assert lines[first]["label"] == 1
    assert lines[first]["strategy"] == loop.state.asked[first].strategy
    assert lines[first]["score"] == loop.scores_[first]
    disputed = lines[21]
    assert disputed["label"] is None
    assert disputed["answer"] == "disputed"
    assert disputed["annotators"] == "bob, me"
    assert not disputed["agree"]


@pytest.mark.parametrize("ending", ["csv", "parquet", "json"])
def test_there_and_back(loop, tmp_path, ending):
    path = tmp_path / f"labels.{ending}"
    exchange.write(loop, path)
    fresh = Loop(wc.HBOS(), X)
    fresh.tell(*exchange.read(path))
    np.testing.assert_array_equal(fresh.labels_, loop.labels_)
    assert [one.name for one in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("ending", ["csv", "parquet", "json"])
def test_rows_are_found_again_by_what_they_hold(loop, tmp_path, ending):
    """Sorted anew, and with rows before, between and behind."""
    path = tmp_path / f"labels.{ending}"
    exchange.write(loop, path)
    order = np.random.default_rng(1).permutation(40)
    rows = np.vstack([X, X[:10] + 100])[order]
    other = Loop(wc.HBOS(), rows)
    found = exchange.match(other, path)
    other.tell(found.items, found.answers)
    expected = np.full(40, np.nan)
    expected[:30] = loop.labels_
    np.testing.assert_array_equal(other.labels_, expected[order])
    assert (found.missing, found.by_number) == (0, 0)


def test_labels_of_other_rows_are_refused_with_counts(loop, tmp_path):
    path = tmp_path / "labels.csv"
    exchange.write(loop, path)
    with pytest.raises(LabelError, match="none of the 3 labels is about a row of"):
        exchange.match(Loop(wc.HBOS(), X + 1), path)
    some = X.copy()
    some[20] += 1
    found = exchange.match(Loop(wc.HBOS(), some), path)
    assert (len(found.items), found.missing) == (2, 1)
    assert 20 not in found.items


def test_equal_rows_are_all_found(tmp_path):
    rows = X.copy()
    rows[7] = rows[3]
    loop = Loop(wc.HBOS(), rows)
    loop.tell([3, 7], ["anomaly", "anomaly"])
    exchange.write(loop, tmp_path / "labels.csv")
    found = exchange.match(Loop(wc.HBOS(), rows[::-1]), tmp_path / "labels.csv")
    assert sorted(found.items.tolist()) == [22, 26]


def test_a_csv_that_a_spreadsheet_saved(loop, tmp_path):
    """Semicolons, a mark at the beginning, and what it takes for the end of a line."""
    path = tmp_path / "labels.csv"
    exchange.write(loop, path)
    text = path.read_text().replace('"', "").replace(", ", "/")
    cells = [line.split(",") for line in text.splitlines()]
    saved = "\r\n".join(";".join(line) for line in cells)
    path.write_bytes(saved.encode("utf-8-sig"))
    fresh = Loop(wc.HBOS(), X)
    found = exchange.match(fresh, path)
    fresh.tell(found.items, found.answers)
    np.testing.assert_array_equal(fresh.labels_, loop.labels_)


def test_lines_without_content_are_matched_by_number(loop, tmp_path):
    path = tmp_path / "mine.csv"
    path.write_text("item;label\n3;1\n4;\n5;0\n")
    found = exchange.match(loop, path)
    assert found.items.tolist() == [3, 5]
    assert found.answers == ["anomaly", "normal"]
    assert found.by_number == 2


def test_label_studio_tasks(loop, tmp_path):
    exchange.write(loop, tmp_path / "labels.json")
    tasks = json.loads((tmp_path / "labels.json").read_text())
    assert {"data", "annotations"} <= set(tasks[0])
    first = tasks[0]["annotations"][0]
    assert first["result"][0]["value"] == {"choices": ["anomaly"]}
    assert first["result"][0]["type"] == "choices"
    assert tasks[2]["annotations"][0]["was_cancelled"]


def test_answers_in_words_can_be_read(tmp_path):
    path = tmp_path / "mine.csv"
    path.write_text("item,answer\n3,anomaly\n4,\n5,unsure\n")
    ids, answers = exchange.read(path)
    assert ids.tolist() == [3, 5]
    assert answers == ["anomaly", "unsure"]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.csv", "row,label\n1,1\n", "item"),
        ("a.csv", "", "no labels that can be read"),
        ("a.csv", "item,label\nx,1\n", "no labels that can be read"),
        ("a.json", "{", "no labels that can be read"),
        ("a.json", "[{}]", "no labels that can be read"),
        ("a.parquet", "no", "no labels that can be read"),
        ("a.txt", "", "use .csv, .parquet, .json"),
    ],
)
def test_bad_files(tmp_path, name, text, message):
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(DataError, match=message) as error:
        exchange.read(path)
    assert "\n" not in str(error.value)


def test_missing_places(loop, tmp_path):
    with pytest.raises(DataError, match="there is no file"):
        exchange.read(tmp_path / "a.csv")
    with pytest.raises(DataError, match="cannot be written"):
        exchange.write(loop, tmp_path / "missing" / "a.json")
