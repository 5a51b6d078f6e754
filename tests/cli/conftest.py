"""Running commands, and a small table whose odd rows are known."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from running import N_NORMAL, N_ODD, Ran, Run, ran

from whitecrow.cli import main


@pytest.fixture
def run(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Run:
    """A command in this process, in an empty folder, without any data elsewhere."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WHITECROW_DATA", str(tmp_path / "no-data"))

    def go(*arguments: str) -> Ran:
        capsys.readouterr()
        code = main([str(argument) for argument in arguments])
        return ran(code, *capsys.readouterr())

    return go


@pytest.fixture
def run_process(tmp_path: Path) -> Run:
    """A command as a user starts it."""

    def go(*arguments: str, **options: Any) -> Ran:
        done = subprocess.run(
            [sys.executable, "-m", "whitecrow", *map(str, arguments)],
            cwd=tmp_path,
            env={**os.environ, "WHITECROW_DATA": str(tmp_path / "no-data")},
            capture_output=True,
            text=True,
            check=False,
            **options,
        )
        return ran(done.returncode, done.stdout, done.stderr)

    return go


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """CSV with two related numbers, a category and a label; odd rows are the last."""
    rng = np.random.default_rng(0)
    flow = rng.normal(50, 2, N_NORMAL + N_ODD)
    load = 3 * flow + rng.normal(0, 1, len(flow))
    colour = rng.choice(["red", "green"], len(flow)).astype(object)
    flow[N_NORMAL:] += np.linspace(30, 120, N_ODD)
    colour[-1] = "violet"
    y = np.r_[np.zeros(N_NORMAL, int), np.ones(N_ODD, int)]
    path = tmp_path / "pumps.csv"
    lines = ["flow,load,colour,y"]
    lines += [
        f"{a:.3f},{b:.3f},{c},{d}"
        for a, b, c, d in zip(flow, load, colour, y, strict=True)
    ]
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """A folder in the industrial layout: bright squares are the defect."""
    from PIL import Image

    rng = np.random.default_rng(0)
    folder = tmp_path / "tiles"
    places = ["train/good"] * 16 + ["test/good"] * 4 + ["test/hole"] * 4
    for number, place in enumerate(places):
        pixels = rng.integers(90, 130, (24, 24)).astype(np.uint8)
        if place == "test/hole":
            at = 4 * (number - 20)
            pixels[at : at + 6, 14 - at : 20 - at] = 255
        (folder / place).mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(folder / place / f"{number:02d}.png")
    return folder
