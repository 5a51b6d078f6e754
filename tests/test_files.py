"""Files appear whole or not at all."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from whitecrow.errors import DataError
from whitecrow.files import check_writable, out_folder, refuse_inputs, replacing


def write_half(target: Path, error: Exception) -> None:
    with replacing(target) as temporary:
        temporary.write_text("half")
        raise error


def test_the_old_file_stays_until_the_new_one_is_whole(tmp_path: Path) -> None:
    target = tmp_path / "a.txt"
    target.write_text("old")
    with replacing(target) as temporary:
        temporary.write_text("new")
        assert target.read_text() == "old"
        assert temporary.parent == tmp_path
    assert target.read_text() == "new"
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    target = tmp_path / "a.txt"
    target.write_text("old")
    full = OSError(errno.ENOSPC, "No space left on device")
    with pytest.raises(DataError, match=r"cannot write .*a\.txt: No space left"):
        write_half(target, full)
    assert target.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


def test_another_error_passes_and_cleans_up(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError):
        write_half(tmp_path / "a.txt", ZeroDivisionError())
    assert list(tmp_path.iterdir()) == []


def test_targets_are_checked_before_the_work(tmp_path: Path) -> None:
    assert check_writable(tmp_path / "m.crow") == tmp_path / "m.crow"
    with pytest.raises(DataError, match="it is a folder"):
        check_writable(tmp_path)
    with pytest.raises(DataError, match="there is no folder"):
        check_writable(tmp_path / "no" / "m.crow")
    assert list(tmp_path.iterdir()) == []


def test_folders_are_made_with_their_parents(tmp_path: Path) -> None:
    assert out_folder(tmp_path / "a" / "b").is_dir()
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="cannot write"):
        out_folder(tmp_path / "file" / "b")


# -------------------------------------------------------------------- never an input


def test_an_input_is_not_a_target_however_it_is_spelt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = tmp_path / "a.csv"
    data.write_text("x")
    (tmp_path / "link.csv").symlink_to(data)
    (tmp_path / "hard.csv").hardlink_to(data)
    (tmp_path / "sub").mkdir()
    monkeypatch.chdir(tmp_path)
    for name in ("a.csv", "./a.csv", "sub/../a.csv", "link.csv", "hard.csv", str(data)):
        with pytest.raises(DataError, match="overwrite the input") as caught:
            refuse_inputs([Path(name)], [data])
        assert "\n" not in str(caught.value)
        with pytest.raises(DataError, match="overwrite the input"):
            check_writable(name, [data])
    with pytest.raises(DataError, match=r"overwrite the input .*link\.csv"):
        refuse_inputs([data], [Path("link.csv")])
    assert data.read_text() == "x"


def test_other_files_and_those_that_are_not_there_are_no_inputs(tmp_path: Path) -> None:
    data, other = tmp_path / "a.csv", tmp_path / "b.csv"
    data.write_text("x")
    other.write_text("x")
    refuse_inputs([other, tmp_path / "new.csv"], [data, tmp_path / "gone.csv"])
    refuse_inputs([], [data])
    (tmp_path / "broken").symlink_to(tmp_path / "nowhere")
    refuse_inputs([tmp_path / "broken"], [data])


def test_files_of_a_folder_are_checked(tmp_path: Path) -> None:
    data = tmp_path / "flagged.csv"
    data.write_text("x")
    with pytest.raises(DataError, match="overwrite the input"):
        out_folder(tmp_path, ["report.html", "flagged.csv"], [data])
    assert out_folder(tmp_path, ["report.html"], [data]) == tmp_path
    with pytest.raises(DataError, match="overwrite the input"):
        out_folder(data, ["report.html"], [data])
