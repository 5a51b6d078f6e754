"""What users install works without what we develop with."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from pathlib import Path

import only_core
import pytest
from packaging.requirements import Requirement

from whitecrow.cli import doctor

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
CORE = [Requirement(one).name for one in PROJECT["project"]["dependencies"]]


def run(folder: Path, *commands: list[str]) -> subprocess.CompletedProcess[str]:
    """Commands in one process that sees the core dependencies only."""
    given = [json.dumps(CORE), *(json.dumps(command) for command in commands)]
    return subprocess.run(
        [sys.executable, only_core.__file__, *given],
        cwd=folder,
        capture_output=True,
        text=True,
    )


def test_the_usual_commands(tmp_path: Path) -> None:
    data, model = "breast_cancer", "out/model.crow"
    found = run(
        tmp_path,
        ["doctor"],
        ["methods"],
        ["detect", data, "-o", "out"],
        ["score", model, data, "-o", "scores.parquet"],
        ["explain", model, data, "--row", "3"],
    )
    assert found.returncode == 0, found.stdout + found.stderr
    assert "pandas: not installed" in found.stdout
    assert (tmp_path / "out" / "report.html").is_file()
    assert (tmp_path / "scores.parquet").is_file()


def test_what_is_hidden_is_hidden(tmp_path: Path) -> None:
    """The test above would pass without saying anything if nothing were."""
    code = f"import only_core; only_core.hide({CORE!r}); import "
    for name in ("matplotlib", "pandas", "pytest", "hypothesis"):
        there = subprocess.run([sys.executable, "-c", f"import {name}"])
        if there.returncode:
            continue  # not here anyway
        found = subprocess.run(
            [sys.executable, "-c", code + name],
            cwd=Path(only_core.__file__).parent,
            capture_output=True,
            text=True,
        )
        assert "ModuleNotFoundError" in found.stderr


@pytest.mark.parametrize("name", doctor.PACKAGES)
def test_the_doctor_asks_for_what_is_always_there(name: str) -> None:
    assert name in CORE


def test_the_doctor_does_not_need_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> str:
        raise doctor_metadata.PackageNotFoundError(name)

    from importlib import metadata as doctor_metadata

    monkeypatch.setattr(doctor_metadata, "version", missing)
    assert set(doctor._versions().values()) >= {doctor.ABSENT}
