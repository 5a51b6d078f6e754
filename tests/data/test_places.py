"""Where sources are looked for."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from whitecrow.data import places
from whitecrow.errors import DataError


def refusal(source: str) -> str:
    with pytest.raises(DataError) as caught:
        places.expand(source)
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_missing_file_says_where_it_was_sought(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WHITECROW_DATA", str(tmp_path / "store"))
    message = refusal("no_such.csv")
    assert "no such file or folder" in message
    assert str(tmp_path / "store") in message
    assert "not set" not in message


def test_missing_file_names_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WHITECROW_DATA", raising=False)
    assert refusal("no_such.csv").endswith("$WHITECROW_DATA is not set")


def test_places_in_their_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    work, store = tmp_path / "work", tmp_path / "store"
    shared = tmp_path / "shared" / "data"
    for folder in (work, store, shared):
        folder.mkdir(parents=True)
        (folder / "a.csv").write_text("a\n1\n")
    monkeypatch.chdir(work)
    monkeypatch.setenv("WHITECROW_DATA", str(store))
    for expected in (work, store, shared):
        assert places.locate("a.csv").resolve() == expected / "a.csv"
        (found,) = places.expand("*.csv")
        assert found.resolve() == expected / "a.csv"
        (expected / "a.csv").unlink()
    with pytest.raises(DataError, match="no such file"):
        places.locate("a.csv")


@pytest.mark.parametrize("source", ["https://host/a.csv", "s3://bucket/a.csv"])
def test_addresses_are_not_read(source: str) -> None:
    assert "download the file first" in refusal(source)


@pytest.mark.parametrize("source", ["", "a\0b.csv", "x" * 5000, "~nobody-here/a.csv"])
def test_impossible_paths(source: str) -> None:
    refusal(source)


def test_patterns(tmp_path: Path) -> None:
    for name in ("b.csv", "a.csv", "c.txt", "a[1].csv"):
        (tmp_path / name).touch()
    (tmp_path / "d.csv").mkdir()
    found = [path.name for path in places.expand(tmp_path / "*.csv")]
    assert found == ["a.csv", "a[1].csv", "b.csv"]
    assert places.expand(tmp_path / "a[1].csv") == [tmp_path / "a[1].csv"]
    assert "the pattern matches no file" in refusal(str(tmp_path / "*.xml"))


def test_standard_input() -> None:
    assert places.expand("-") == [places.STDIN]


def test_a_working_folder_that_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert isinstance(places.places(), list)
    os.chdir(tmp_path)
