"""Tables: Markdown for people in RESULTS.md, JSON for programs in results/."""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent
RESULTS = FOLDER / "results"
PAGE = FOLDER / "RESULTS.md"
_PACKAGES = ("whitecrow", "torch", "scikit-learn", "numpy", "pyod", "deepod")


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table, in columns as wide as their widest cell."""
    cells = [list(header), *map(list, rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = [f"| {' | '.join(map(str.ljust, row, widths))} |" for row in cells]
    rule = "|" + "|".join("-" * (width + 2) for width in widths) + "|"
    return "\n".join([lines[0], rule, *lines[1:]])


def seconds(value: float) -> str:
    """Three digits."""
    return f"{value:.3g}" if value < 100 else f"{value:.0f}"


def ratio(value: float) -> str:
    """How many times as much, two digits."""
    return f"{value:.2f}x" if value < 10 else f"{value:.0f}x"


def machine() -> str:
    """Where and with what it was measured, in one paragraph."""
    found = []
    for name in _PACKAGES:
        try:
            found.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            found.append(f"{name} absent")
    return (
        f"{os.cpu_count()} cores ({platform.machine()}, {platform.system()}), Python "
        f"{platform.python_version()}, {', '.join(found)}; no accelerator used."
    )


def store(
    name: str, records: list[dict[str, Any]], *, same: Sequence[str]
) -> list[dict[str, Any]]:
    """Put records into results/<name>.json in place of older ones with equal keys.

    Returns everything that is now in the file.
    """
    path = RESULTS / f"{name}.json"
    new = {_key(record, same) for record in records}
    old = json.loads(path.read_text("utf-8")) if path.exists() else []
    kept = [record for record in old if _key(record, same) not in new]
    RESULTS.mkdir(exist_ok=True)
    _replace(path, json.dumps([*kept, *records], indent=1))
    return [*kept, *records]


def _key(record: dict[str, Any], same: Sequence[str]) -> str:
    return json.dumps([record.get(key) for key in same], sort_keys=True)


def write_section(name: str, text: str, page: Path = PAGE) -> None:
    """Replace what stands between the marks of a section of RESULTS.md."""
    begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    whole = page.read_text("utf-8") if page.exists() else ""
    if begin not in whole:
        whole = f"{whole.rstrip()}\n\n## {name}\n\n{begin}\n{end}\n".lstrip()
    head, rest = whole.split(begin, 1)
    tail = rest.split(end, 1)[1]
    _replace(page, f"{head}{begin}\n\n{text}\n\n{end}{tail}")


def _replace(path: Path, text: str) -> None:
    part = path.with_name(path.name + ".part")
    part.write_text(text, "utf-8")
    part.replace(path)
