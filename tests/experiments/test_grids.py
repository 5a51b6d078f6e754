"""Scores that are kept, and the pictures at both ends of them."""

import io
import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from whitecrow.cli import main

TOML = """
title = "Ends"
data = ["p.npz", "breast_cancer"]
seeds = 2
keep_scores = true
[protocol]
name = "holdout"
[[methods]]
name = "isolation_forest"
label = "forest"
"""


@pytest.fixture
def place(tmp_path, monkeypatch):
    """Pictures of one grey value each; every tenth is bright, and odd."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    odd = np.arange(300) % 10 == 0
    X = rng.integers(0, 100, (300, 8, 8)) + 150 * odd[:, None, None]
    np.savez("p.npz", X=X.astype(np.uint8), y=odd)
    Path("e.toml").write_text(TOML)
    return tmp_path


def scores(folder, n_rows):
    """Read the tables of scores that have a row for each of so many test rows."""
    tables = [pq.ParquetFile(path).read() for path in folder.glob("scores/*.parquet")]
    return [table for table in tables if len(table) == n_rows]


def test_scores_are_kept_and_give_the_numbers_of_the_record(place, capsys):
    assert main(["experiment", "run", "e.toml", "-o", "out", "--json"]) == 0
    records = json.loads(capsys.readouterr().out)["records"]
    (first, second) = [r for r in records if r["data"] == "p.npz"]
    from whitecrow import metrics

    tables = scores(place / "out", 165)
    found = [
        metrics.auroc(t["anomaly"].to_numpy(), t["score"].to_numpy()) for t in tables
    ]
    assert sorted(found) == sorted([first["auroc"], second["auroc"]])
    assert "picture" in tables[0].column_names
    others = [
        pq.ParquetFile(p).read() for p in (place / "out/scores").glob("*.parquet")
    ]
    tabular = [t for t in others if "picture" not in t.column_names]
    assert len(tabular) == 2


def test_the_report_shows_both_ends(place, capsys):
    assert main(["experiment", "run", "e.toml", "-o", "out"]) == 0
    page = Path("out/report.md").read_text()
    assert page.count("<details") == 1  # the first seed, and no table
    assert "<summary>forest on p.npz</summary>" in page
    names = [part.split(")")[0] for part in page.split("](")[1:] if ".png" in part]
    assert len(names) == 6
    for name in names:
        grid = np.asarray(Image.open(Path("out", name)))
        tiles = [
            grid[y : y + 8, x : x + 8].mean()
            for y in range(0, grid.shape[0], 10)
            for x in range(0, grid.shape[1], 10)
        ]
        bright = np.array([140 < tile < 250 for tile in tiles])
        if "anomalies" in name:
            assert bright[:30].all(), name
        elif "all-high" in name:  # ascending: thirty anomalies are the last
            assert bright[-30:].all(), name
            assert not bright[:-30].any(), name
        else:
            assert not bright.any(), name


def test_scores_come_when_they_are_asked_for_later(place):
    text = Path("e.toml").read_text()
    Path("e.toml").write_text(text.replace("keep_scores = true\n", ""))
    command = ["experiment", "run", "e.toml", "-o", "out"]
    assert main(command) == 0
    assert not Path("out/scores").exists()
    Path("e.toml").write_text(text)
    assert main(command) == 0
    assert len(list(Path("out/scores").glob("*.parquet"))) == 4


def test_a_picture_is_written_as_it_is():
    from whitecrow.report.thumbnails import png

    pixels = np.random.default_rng(0).integers(0, 256, (3, 5, 4)).astype(np.uint8)
    back = np.asarray(Image.open(io.BytesIO(png(pixels))))
    np.testing.assert_array_equal(back.transpose(2, 0, 1), pixels)
