"""Questions and answers of the discovery benchmark, and its table."""

import discovery
import numpy as np
import pytest
import report


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Two tables, one of them with too many anomalies."""
    (tmp_path / "adbench").mkdir()
    X = np.random.default_rng(0).normal(size=(60, 3))
    X[:6] += 9
    for name, n_odd in (("10_far", 6), ("9_many", 30)):
        y = (np.arange(60) < n_odd).astype(int)
        np.savez(tmp_path / "adbench" / f"{name}.npz", X=X, y=y)
    monkeypatch.setenv("WHITECROW_DATA", str(tmp_path))
    monkeypatch.setattr(report, "RESULTS", tmp_path / "results")
    monkeypatch.setattr(discovery, "PAGE", tmp_path / "discovery.md")
    return tmp_path


def test_what_is_found():
    y = np.array([0, 1, 1, 0])
    order = iter([1, 0, 2, 3])
    assert discovery.found(lambda answers: next(order), y, 9) == [1, 1, 2, 2]


def test_a_row_is_not_asked_twice():
    with pytest.raises(RuntimeError, match="row 2 was asked twice"):
        discovery.found(lambda answers: 2, np.zeros(5, dtype=int), 2)


def test_unknown_tables(folder):
    with pytest.raises(SystemExit, match=r"no table 10_far; use .*far"):
        discovery.tables(["10_far"])


def test_tables(folder):
    assert [path.stem for path in discovery.tables(None)] == ["10_far"]
    assert [path.stem for path in discovery.tables(["Many", "far"])] == [
        "9_many",
        "10_far",
    ]


def test_long_tables_are_drawn_from(folder, monkeypatch):
    monkeypatch.setattr(discovery, "LONGEST", 40)
    path = folder / "adbench" / "10_far.npz"
    X, y = discovery.read(path, 0)
    assert X.shape == (40, 3)
    assert y.shape == (40,)
    np.testing.assert_array_equal(X, discovery.read(path, 0)[0])
    assert not np.array_equal(X, discovery.read(path, 1)[0])


def test_runs_and_goes_on(folder, capsys):
    arguments = ["--seeds", "0", "--questions", "6", "--contenders", "iforest", "ours"]
    discovery.main(arguments)
    out = capsys.readouterr().out
    assert "0 10_far ours 6\n" in out
    cells = [cell.strip() for cell in out.splitlines()[4].split("|")]
    assert cells[1:4] == ["10_far", "60.0", "6.0"]
    assert "1 tables, 1 seeds." in out
    discovery.main(arguments)
    again = capsys.readouterr().out
    assert "ours 6\n" not in again
    assert again == out[out.index("| table") :]
    assert again in (folder / "discovery.md").read_text("utf-8")
