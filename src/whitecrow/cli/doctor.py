"""`whitecrow doctor`: what is installed, where data are found, how fast we start."""

from __future__ import annotations

from typing import Any

from whitecrow.cli._common import Output
from whitecrow.cli._options import Flag, Json
from whitecrow.errors import UserError

__all__ = ["EXAMPLE", "command"]

EXAMPLE = "whitecrow doctor --timings"

# What comes with whitecrow, and what an extra or the user may bring.
PACKAGES = (
    *("torch", "numpy", "scipy", "scikit-learn", "pyarrow", "safetensors", "skops"),
    *("pillow", "cyclopts", "rich", "jinja2", "starlette", "uvicorn"),
)
OPTIONAL = ("dask", "distributed", "pandas", "pyod")
ABSENT = "not installed"

# CPU seconds, best of three runs.
LIMITS = {"import whitecrow": 0.3, "whitecrow --help": 0.6}
_CODE = {
    "import whitecrow": ["-c", "import whitecrow"],
    "whitecrow --help": ["-m", "whitecrow", "--help"],
}


def command(*, timings: Flag = False, json: Json = False) -> None:
    """Show versions, devices, and where data are looked for.

    Parameters
    ----------
    timings
        Measure the CPU seconds of start-up beside their limits; exit code 2 if one
        is exceeded.
    """
    out = Output(as_json=json)
    found = {"versions": _versions(), "machine": _machine(), "data": _data()}
    for title, facts in found.items():
        out.line(title)
        out.facts(facts)
    measured = {name: _cpu_seconds(_CODE[name]) for name in LIMITS} if timings else {}
    for name, seconds in measured.items():
        verdict = "ok" if seconds <= LIMITS[name] else "TOO SLOW"
        out.line(f"{name}: {seconds:.2f} s CPU, limit {LIMITS[name]} s: {verdict}")
    out.result(found | {"timings": measured, "limits": LIMITS if timings else {}})
    slow = [name for name, seconds in measured.items() if seconds > LIMITS[name]]
    if slow:
        raise UserError(f"over the limit: {', '.join(slow)}; run again when idle")


def _versions() -> dict[str, str]:
    import platform

    from whitecrow import __version__

    found = {"whitecrow": __version__, "python": platform.python_version()}
    return found | {name: _version(name) for name in (*PACKAGES, *OPTIONAL)}


def _version(name: str) -> str:
    from importlib import metadata

    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ABSENT


def _machine() -> dict[str, Any]:
    import os
    import platform

    import torch

    from whitecrow.deep import device

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None
    return {
        "system": platform.platform(),
        "cores": cores or os.cpu_count(),
        "threads of torch": torch.get_num_threads(),
        "devices": ", ".join(device.available()),
    }


def _data() -> dict[str, str]:
    import os

    from whitecrow.data import catalog, download, places

    found = ", ".join(map(str, places.places())) or "none"
    here = sum(catalog.is_available(name) for name in catalog.names())
    return {
        "WHITECROW_DATA": os.environ.get("WHITECROW_DATA", "not set"),
        "folders found": found,
        "cache": str(download.cache_folder()),
        "sets": f"{here} of {len(catalog.names())} can be used without a download",
    }


def _cpu_seconds(arguments: list[str]) -> float:
    """CPU time of a fresh interpreter, the best of three."""
    return min(_once(arguments) for _ in range(3))


def _once(arguments: list[str]) -> float:
    import os
    import subprocess
    import sys

    before = os.times()
    subprocess.run([sys.executable, *arguments], check=True, capture_output=True)
    after = os.times()
    spent = after.children_user + after.children_system
    return spent - before.children_user - before.children_system
