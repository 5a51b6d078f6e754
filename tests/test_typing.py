"""What a type checker and an editor see of the package."""

from __future__ import annotations

import ast
import importlib
import os
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "src"

GOOD = """
import numpy as np

import whitecrow as wc

X = np.random.default_rng(0).normal(size=(50, 2))
detector = wc.DeepSAD(2.0, epochs=3, random_state=0)
scores = detector.fit(X).anomaly_score(X)
print(scores.max(), wc.metrics.auroc([0, 1], [0.1, 0.2]), wc.__version__)
loop = wc.active.Loop(wc.KNN(), X, strategy="positive")
loop.tell(loop.ask(2), ["anomaly", "normal"])
names: list[str] = [record.name for record in wc.methods()]
again = wc.load("model.crow")
raise wc.errors.DataError("no rows")
"""

# One mistake a line, and what the checker says about it.
BAD = {
    "wc.DeepSAD(epoch=3)": 'Unexpected keyword argument "epoch"',
    'wc.DeepSAD(epochs="three")': 'Argument "epochs" to "DeepSAD" has incompatible',
    "wc.KNN(5)": "Too many positional arguments",
    "wc.DUAD(n_members=2)": 'Unexpected keyword argument "n_members"',
    "wc.KNN().anomaly_score([[1.0]]).nosuch": 'has no attribute "nosuch"',
    "wc.Deepsad()": "Module has no attribute",
    "wc.active.Loop(None, [[1.0]], budgets=3)": 'Unexpected keyword argument "budgets"',
    "wc.active.loops": "Module has no attribute",
}


def stubbed(path: Path) -> dict[str, str]:
    """Public name -> module of its import, "" for what is defined in the file."""
    found: dict[str, str] = {}
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ImportFrom):
            for alias in node.names:
                # `import X as X`: without it a checker takes the name for private.
                assert alias.name == alias.asname, alias.name
                found[alias.name] = str(node.module)
        elif isinstance(node, ast.AnnAssign):
            found[ast.unparse(node.target)] = ""
    return found


@pytest.mark.parametrize("name", ["whitecrow", "whitecrow.active"])
def test_the_stub_has_the_names_of_the_package(name: str) -> None:
    package: ModuleType = importlib.import_module(name)
    modules = dict.fromkeys(package._MODULES, name)
    expected = package._HOMES | modules
    if "__version__" in package.__all__:
        expected = expected | {"__version__": ""}
    folder = SOURCE.joinpath(*name.split("."))
    assert stubbed(folder / "__init__.pyi") == expected
    assert expected.keys() == set(package.__all__)


@pytest.mark.slow
def test_scripts_of_users_are_checked(tmp_path: Path) -> None:
    (tmp_path / "good.py").write_text(GOOD)
    (tmp_path / "bad.py").write_text("\n".join(["import whitecrow as wc", *BAD]))
    strict = ["--config-file=", "--strict", "--follow-imports=silent"]
    run = subprocess.run(
        [sys.executable, "-m", "mypy", *strict, "good.py", "bad.py"],
        cwd=tmp_path,
        env={**os.environ, "MYPYPATH": str(SOURCE)},
        capture_output=True,
        text=True,
    )
    errors = [line for line in run.stdout.splitlines() if ": error: " in line]
    for number, said in enumerate(BAD.values(), start=2):
        assert any(
            line.startswith(f"bad.py:{number}:") and said in line for line in errors
        ), f"{said!r} is not in {run.stdout}"
    assert not [line for line in errors if not re.match(r"bad\.py:[2-9]:", line)]
