"""The cases that users met, run as they were collected: a table, pictures, a model.

`$WHITECROW_CASES`, or shared/cases beside this checkout, holds the cases and what runs
them; the other files of this folder have each of them, and others of its kind, anew.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.slow
def test_all_collected_cases_come_out_right(
    collected_cases: Path, tmp_path: Path
) -> None:
    run = subprocess.run(
        [sys.executable, collected_cases / "harness.py", collected_cases / "cases.py"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    done = re.search(r"^(\d+) of (\d+) cases right$", run.stdout, re.MULTILINE)
    assert done, run.stderr
    assert int(done[1]) == int(done[2]) >= 37, run.stdout
