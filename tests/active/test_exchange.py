"""Labels come back as they went out."""

import json

import numpy as np
import pytest

import whitecrow as wc
from whitecrow.active import Loop, MemoryLog, exchange
from whitecrow.errors import DataError

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
