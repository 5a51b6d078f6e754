"""What every test run shares: shape checks, threads, and where things are found."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import NoReturn

# Small problems are slower on several threads, and xdist has workers already. Read by
# torch and numpy when they are imported, and handed on to commands run by tests.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest
from hypothesis import settings
from jaxtyping import install_import_hook

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "src"


def annotated_modules() -> list[str]:
    """Name the modules whose signatures give the shapes of tensors.

    Only these are checked: beartype resolves every annotation of a module, and the
    others import what they only name in annotations under TYPE_CHECKING.
    """
    return [
        ".".join(path.relative_to(SOURCE).with_suffix("").parts)
        for path in sorted(SOURCE.rglob("*.py"))
        if "from jaxtyping import" in path.read_text(encoding="utf-8")
    ]


# Shapes are checked in tests and only there; must run before whitecrow is imported.
install_import_hook(annotated_modules(), "beartype.beartype")

settings.register_profile("default", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") == "true" else "default")


def _skip(reason: str) -> NoReturn:
    """Skip a test that misses something, except in CI, where nothing may be missing."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


def _folder(variable: str, name: str, what: str) -> Path:
    """Find a folder that a variable of the environment names, or one of `shared`."""
    asked = os.environ.get(variable)
    folder = Path(asked) if asked else ROOT.parent / "shared" / name
    if not folder.is_dir():
        _skip(f"needs {what}: no folder {folder}, and {variable} names no other")
    return folder


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder with the real data sets: $WHITECROW_DATA, or shared/data beside us."""
    return _folder("WHITECROW_DATA", "data", "real data")


@pytest.fixture(scope="session")
def collected_cases() -> Path:
    """Folder with the cases that users met: $WHITECROW_CASES, or shared/cases."""
    return _folder("WHITECROW_CASES", "cases", "the collected cases")


@pytest.fixture(scope="session")
def chromium() -> str:
    """Path of a Chromium: $CHROMIUM, or the first one that is installed."""
    names = ("chromium", "chromium-browser", "google-chrome")
    asked = os.environ.get("CHROMIUM")
    found = [asked] if asked else [path for path in map(shutil.which, names) if path]
    if not found:
        _skip(f"needs Chromium: install one of {', '.join(names)} or set CHROMIUM")
    return found[0]
