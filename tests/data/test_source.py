"""The door to data: rows and labels from what a user names."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from whitecrow.data.labelling import Labelling
from whitecrow.data.rows import PictureRows, TableRows
from whitecrow.data.source import (
    Reading,
    Source,
    TableSource,
    entry_of,
    open_source,
    paths_of,
)
from whitecrow.errors import DataError, LabelError, ParameterError, UserError

CSV = "Flow,load,state\n1,2,good\n3,4,bad\n5,6,good\n"


def opened(path: Path, **labels: object) -> Source:
    labelling = Labelling(**labels)  # type: ignore[arg-type]
    return open_source(str(path), Reading(labels=labelling))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "a.csv"
    file.write_text(CSV)
    return file


# ------------------------------------------------------------------ where labels are


def test_the_catalogue_knows_labels_and_columns_to_ignore() -> None:
    source = open_source("breast_cancer")
    assert source.rule.column == "y"
    rows = source.rows()
    assert isinstance(rows, TableRows)
    assert rows.codes is not None
    assert int((rows.codes == 1).sum()) == 212
    assert "y" not in rows.frame.column_names


def test_what_the_user_says_comes_before_the_catalogue() -> None:
    rule = Labelling(column="y", anomaly_values=("0",))
    codes = open_source("breast_cancer", Reading(labels=rule)).rows().codes
    assert codes is not None
    assert int((codes == 1).sum()) == 357


def test_a_file_comes_before_a_set_of_that_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert entry_of("digits") is not None
    Path("digits").mkdir()
    assert entry_of("digits") is None


def test_labels_of_training_data_may_be_absent(path: Path) -> None:
    known = Labelling(column="state", anomaly_values=("bad",))
    codes = open_source(str(path), default=known).rows().codes
    assert codes is not None
    assert codes.tolist() == [0, 1, 0]
    other = Labelling(column="y", anomaly_values=("1",))
    source = open_source(str(path), default=other)
    assert source.rule == Labelling()
    assert source.rows().codes is None


def test_a_label_column_without_labels_is_none(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_text("a,y\n1,\n3,\n")
    rows = opened(file, column="y").rows()
    assert rows.codes is None
    assert "labels in column 'y': 2 unlabelled" in rows.notes


def test_kinds_of_pictures_can_be_named_as_anomalies() -> None:
    rule = Labelling(anomaly_values=("!3",))
    rows = open_source("digits_all", Reading(labels=rule)).rows()
    assert isinstance(rows, PictureRows)
    assert rows.codes is not None
    assert (rows.codes == (np.array(rows.kinds) != "3")).all()
    wrong = Reading(labels=Labelling(anomaly_values=("12",)))
    with pytest.raises(LabelError, match="no pictures of that kind; it has 0, 1"):
        open_source("digits_all", wrong)


# ------------------------------------------------------------------- one way to read


def whole(source: TableSource) -> list[int]:
    codes = source.rows().codes
    assert codes is not None
    return codes.tolist()


def in_batches(source: TableSource) -> list[int]:
    found: list[int] = []
    for rows in source.batches(2):
        assert rows.codes is not None
        found += rows.codes.tolist()
    return found


@pytest.mark.parametrize("read", [whole, in_batches])
def test_whole_and_in_batches_give_the_same_labels_and_complaints(
    path: Path, read: Callable[[TableSource], list[int]]
) -> None:
    source = opened(path, column="state", anomaly_values=("bad",))
    assert isinstance(source, TableSource)
    assert read(source) == [0, 1, 0]
    misspelt = opened(path, column="state", anomaly_values=("bda",))
    assert isinstance(misspelt, TableSource)
    with pytest.raises(LabelError, match="has no 'bda'; it has good, bad"):
        read(misspelt)
    unknown = opened(path, column="state")
    assert isinstance(unknown, TableSource)
    with pytest.raises(LabelError, match="the label 'good' in row 0"):
        read(unknown)


def test_batches_know_their_place_in_the_source(path: Path) -> None:
    source = open_source(str(path))
    assert isinstance(source, TableSource)
    first, second = source.batches(2)
    assert [first.position(0), first.position(1), second.position(0)] == [0, 1, 2]
    assert second.name(0) == "row 2"
    rows = source.rows()
    assert rows.lines([2, 0]) == [4, 2]
    taken = rows.take([2])
    assert (taken.name(0), taken.lines([0])) == ("row 2", [4])
    assert taken.cells(0) == {"Flow": "5", "load": "6", "state": "good"}


# ---------------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    ("reading", "message"),
    [
        (Reading(labels=Labelling(column="flow")), "--label-column.*mean 'Flow'"),
        (Reading(ignore=("lood",)), "--ignore: .*did you mean 'load'"),
        (Reading(read_as={"laod": "number"}), "--read-as: .*did you mean 'load'"),
        (Reading(labels=Labelling(anomaly_values=("bad",))), "with --label-column"),
        (Reading(labels=Labelling(convention="deep-sad")), "with --label-column"),
        (Reading(sheet="2"), "--sheet '2' is for workbooks"),
    ],
)
def test_what_a_table_does_not_have(path: Path, reading: Reading, message: str) -> None:
    with pytest.raises(UserError, match=message) as caught:
        open_source(str(path), reading)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("reading", "option"),
    [
        (Reading(labels=Labelling(column="y")), "--label-column"),
        (Reading(labels=Labelling(convention="deep-sad")), "--labels"),
        (Reading(ignore=("y",)), "--ignore"),
        (Reading(read_as={"y": "number"}), "--read-as"),
        (Reading(sheet="1"), "--sheet"),
    ],
)
def test_pictures_have_no_columns(reading: Reading, option: str) -> None:
    with pytest.raises(ParameterError, match=f"{option}: digits holds pictures"):
        open_source("digits", reading)


# ------------------------------------------------------------------------- paths


def test_the_files_of_a_source(path: Path) -> None:
    other = path.with_name("b.csv")
    other.write_text(CSV)
    assert paths_of(str(path)) == (path,)
    assert paths_of(str(path.parent / "*.csv")) == (path, other)
    assert paths_of("breast_cancer") == paths_of("-") == ()
    with pytest.raises(DataError):
        paths_of(str(path.with_name("no.csv")))


def test_paths_of_a_folder_are_its_pictures_too(tmp_path: Path) -> None:
    (tmp_path / "good").mkdir()
    for name in ("good/1.png", "notes.txt"):
        (tmp_path / name).touch()
    assert paths_of(str(tmp_path)) == (tmp_path, tmp_path / "good" / "1.png")


def test_pictures_of_an_array_come_in_the_size_that_is_asked_for(tmp_path):
    """Those of a folder did, and `score` refused an array of another size."""
    images = np.random.default_rng(0).integers(0, 256, (4, 12, 10, 3), dtype=np.uint8)
    np.savez(tmp_path / "p.npz", X_train=images[:3], X_test=images[3:])
    found = open_source(str(tmp_path / "p.npz"), shape=(1, 6, 8)).rows()
    assert found.images.shape == (4, 1, 6, 8)
    assert any("resized to 6 x 8 pixels" in note for note in found.notes)
    assert found.official == ("train", "train", "train", "test")
    assert found.take([3, 0]).official == ("test", "train")
    same = open_source(str(tmp_path / "p.npz"), shape=(3, 12, 10)).rows()
    assert not any("resized" in note for note in same.notes)
