"""Scores in files: names, order, batches, and nothing half written."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from whitecrow.data.rows import PictureRows, TableRows
from whitecrow.errors import DataError
from whitecrow.scores import check_format, columns, free_name, write_table, writing


def rows(first: int = 0, n: int = 3) -> TableRows:
    numbers = np.arange(first, first + n)
    frame = pa.table({"pump": [f"P,{i}" for i in numbers], "row": numbers * 10})
    return TableRows(source="a.csv", frame=frame, numbers=numbers)


def scored(first: int = 0, n: int = 3) -> pa.Table:
    values = np.linspace(0, 1, n)
    return columns(rows(first, n), values, 0.5, identifiers=["pump"])


def read(path: Path) -> pa.Table:
    if path.suffix in {".parquet", ".pq"}:
        return pq.read_table(path)
    options = pa.csv.ParseOptions(delimiter="\t" if path.suffix == ".tsv" else ",")
    return pa.csv.read_csv(path, parse_options=options)


@pytest.mark.parametrize(
    "name", ["s.csv", "s.CSV", "s.csv.gz", "s.tsv", "s.parquet", "s.pq"]
)
def test_batches_come_back_as_one_table(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    with writing(path) as write:
        write(scored(0))
        write(scored(3, 2))
        assert not path.exists()
    assert read(path).to_pydict() == {
        "row": [0, 1, 2, 3, 4],
        "anomaly_score": [0.0, 0.5, 1.0, 0.0, 1.0],
        "is_anomaly": [False, False, True, False, True],
        "pump": ["P,0", "P,1", "P,2", "P,3", "P,4"],
    }
    assert [one.name for one in tmp_path.iterdir()] == [name]


def fail_after_a_batch(path: Path) -> None:
    with writing(path) as write:
        write(scored())
        raise DataError("a bad cell in a later batch")


@pytest.mark.parametrize("name", ["s.csv", "s.csv.gz", "s.parquet"])
def test_a_failure_leaves_the_older_file(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_text("older")
    with pytest.raises(DataError, match="a bad cell"):
        fail_after_a_batch(path)
    assert path.read_text() == "older"
    assert [one.name for one in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("name", ["s", "s.txt", "s.csv.zip", "s.json", "csv"])
def test_other_endings_are_refused(name: str) -> None:
    with pytest.raises(DataError, match=r"-o .*: scores are written as \.parquet"):
        check_format(name)


def test_workbooks_are_refused_with_a_way_out(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"not written; write a \.csv"):
        write_table(tmp_path / "s.xlsx", scored())
    assert list(tmp_path.iterdir()) == []


def test_columns_of_the_data_do_not_hide_ours() -> None:
    found = columns(rows(), np.zeros(3), 1.0, identifiers=["row", "pump"])
    assert found.column_names == [
        *("row", "anomaly_score", "is_anomaly", "row (data)", "pump")
    ]
    assert found["row (data)"].to_pylist() == [0, 10, 20]
    assert free_name("reasons", ()) == "reasons (data)"
    assert free_name("pump", ["pump"]) == "pump (data)"


def test_further_columns_have_their_place() -> None:
    more = {"reasons": [None, "x = 1", None], "line": np.array([2, 3, 4])}
    more["rank"] = np.array([3, 1, 2])
    found = columns(rows(), np.zeros(3), 1.0, more=more)
    assert found.column_names == [
        *("row", "line", "anomaly_score", "rank", "is_anomaly", "reasons")
    ]
    assert found.schema.field("reasons").type == pa.string()
    empty = columns(rows(n=1), np.zeros(1), 1.0, more={"reasons": [None]})
    assert empty.schema.field("reasons").type == pa.string()


def test_pictures_have_paths_and_their_place_in_the_folder() -> None:
    pictures = PictureRows(
        source="tiles",
        images=np.zeros((3, 1, 2, 2), np.uint8),
        paths=("a.png", "b.png", "c.png"),
        kinds=("", "", ""),
    )
    found = columns(pictures.take([2, 1]), np.array([2.0, 1.0]), 1.5)
    assert found.to_pydict() == {
        "row": [2, 1],
        "path": ["c.png", "b.png"],
        "anomaly_score": [2.0, 1.0],
        "is_anomaly": [True, False],
    }
