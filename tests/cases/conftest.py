"""A desk: an empty folder in which commands run as a person runs them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from people import Desk, Ran

from whitecrow.cli import main
from whitecrow.web import serving


@pytest.fixture
def desk(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Desk:
    """Commands in this process; an exception that they do not catch fails the test.

    The page of `label` is not served; its sessions are kept.
    """
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WHITECROW_DATA", str(tmp_path / "no-data"))
    monkeypatch.setenv("COLUMNS", "200")
    sessions: list[Any] = []
    monkeypatch.setattr(serving, "serve", lambda one, *_, **__: sessions.append(one))

    def run(*words: object) -> Ran:
        capsys.readouterr()
        code = main([str(word) for word in words])
        return Ran(code, *capsys.readouterr())

    return Desk(tmp_path, run, sessions)


@pytest.fixture
def shell(tmp_path: Path) -> Desk:
    """Commands in processes of their own."""
    environment = {
        **os.environ,
        "WHITECROW_DATA": str(tmp_path / "no-data"),
        "COLUMNS": "200",
        "NO_COLOR": "1",
    }

    def run(*words: object, stdin: bytes | None = None) -> Ran:
        done = subprocess.run(
            [sys.executable, "-m", "whitecrow", *map(str, words)],
            cwd=tmp_path,
            env=environment,
            input=stdin,
            capture_output=True,
            check=False,
        )
        out, err = done.stdout.decode(), done.stderr.decode()
        assert "Traceback" not in err, err
        return Ran(done.returncode, out, err)

    return Desk(tmp_path, run)
