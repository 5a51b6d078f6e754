"""The pictures with the lowest and the highest scores of a test, in grids."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from PIL import Image

from whitecrow.experiments.file import Experiment
from whitecrow.experiments.scores_file import ends
from whitecrow.experiments.store import SCORES, Store
from whitecrow.experiments.task import Task

__all__ = ["drawn", "grids", "section"]

_ACROSS, _GAP = 8, 2
_PARTS = ("all", "normal", "anomalies")


def drawn(
    experiment: Experiment, tasks: list[Task], store: Store
) -> Iterator[tuple[str, dict[str, bytes]]]:
    """Draw the grids of the first seed of each contender, set and repetition.

    Yields
    ------
    title : str
    grids : dict of str to bytes
        As of `grids`.
    """
    for task in tasks:
        path = store.kept_file(SCORES, task.key)
        if task.seed == experiment.seeds[0] and path.is_file():
            chosen = [
                f"{key} = {_text(task.protocol[key])}" for key in experiment.repeat
            ]
            title = ", ".join([f"{task.label} on {task.data}", *chosen])
            if found := grids(path):
                yield title, found


def _text(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def section(files: Mapping[str, Mapping[str, str]]) -> list[str]:
    """Write the part of a report that shows grids.

    Parameters
    ----------
    files : mapping
        Title -> name of a grid -> name of its file.
    """
    if not files:
        return []
    parts = [
        "## Lowest and highest scores",
        "Pictures of the test, the lowest score first; the first seed only.",
    ]
    for title, names in files.items():
        lines = ["| of the test | lowest | highest |", "|---|---|---|"]
        for part in _PARTS:
            cells = [
                f"![{part}, {end}]({names[f'{part}-{end}']})"
                for end in ("low", "high")
                if f"{part}-{end}" in names
            ]
            if cells:
                lines.append(f"| {part} | {' | '.join(cells)} |")
        table = "\n".join(lines)
        parts.append(
            f"<details markdown><summary>{title}</summary>\n\n{table}\n\n</details>"
        )
    return parts


def grids(path: Path) -> dict[str, bytes]:
    """Draw the pictures with the lowest and the highest scores, as PNG files.

    Parameters
    ----------
    path : Path
        The scores of a task.

    Returns
    -------
    dict
        A name of `ends` -> a grid, row by row from the lowest score to the highest; {}
        where the set has no pictures.
    """
    with pq.ParquetFile(path) as file:
        table = file.read()
    if "picture" not in table.column_names:
        return {}
    odd = np.asarray(table["anomaly"].to_pylist(), dtype=bool)
    pictures = table["picture"]
    return {
        name: _grid([pictures[int(row)].as_py() for row in rows])
        for name, rows in ends(table["score"].to_numpy(), odd).items()
        if len(rows)
    }


def _grid(pictures: list[bytes]) -> bytes:
    every = [Image.open(io.BytesIO(picture)) for picture in pictures]
    width, height = every[0].width + _GAP, every[0].height + _GAP
    down = -(-len(every) // _ACROSS)
    mode = every[0].mode
    white = 255 if mode == "L" else (255, 255, 255)
    size = (_ACROSS * width - _GAP, down * height - _GAP)
    sheet = Image.new(mode, size, white)
    for place, one in enumerate(every):
        sheet.paste(one, (place % _ACROSS * width, place // _ACROSS * height))
    stream = io.BytesIO()
    sheet.save(stream, "PNG", optimize=True)
    return stream.getvalue()
