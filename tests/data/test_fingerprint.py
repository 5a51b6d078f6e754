"""What makes rows the same, and what does not."""

from __future__ import annotations

import datetime
from decimal import Decimal
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from whitecrow.data.fingerprint import of_rows
from whitecrow.data.rows import TableRows
from whitecrow.data.source import Reading, open_source

CELLS = [
    pa.array(["ab", None, "", "c"]),
    pa.array([b"\xff", None]),
    pa.array([1.5, None, float("nan")]),
    pa.array([2**64 - 1], pa.uint64()),
    pa.array([True, None, False]),
    pa.array([datetime.datetime(2020, 1, 1), None]),
    pa.array([Decimal("1.2"), None]),
    pa.array([[1, 2], None]),
    pa.array([None, None]),
]


def of_cells(*chunks: pa.Array) -> str:
    frame = pa.table({"a": pa.chunked_array(chunks)})
    return of_rows(TableRows(source="", frame=frame))


@pytest.mark.parametrize("cells", CELLS, ids=lambda cells: str(cells.type))
def test_equal_cells_have_one_hash_in_any_chunks(cells: pa.Array) -> None:
    cells = pa.concat_arrays([cells, cells])
    whole = of_cells(cells)
    assert of_cells(cells[:1], cells[1:1], cells[1:]) == whole
    assert of_cells(cells[:-1]) != whole


def test_other_cells_have_another_hash() -> None:
    texts = [["ab", "c"], ["a", "bc"], ["ab", None], ["ab", ""], ["c", "ab"]]
    assert len({of_cells(pa.array(text)) for text in texts}) == len(texts)
    assert of_cells(pa.array([0.0, None])) != of_cells(pa.array([None, 0.0]))


def test_pictures_are_their_files(tmp_path: Path) -> None:
    for name in "ab":
        pixels = np.full((20, 20), 40 if name == "a" else 90, np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"{name}.png")
    found = {
        of_rows(open_source(str(tmp_path), Reading(picture_size=size)).rows())
        for size in (None, 8, 16)
    }
    assert len(found) == 1
    Image.fromarray(np.zeros((20, 20), np.uint8)).save(tmp_path / "b.png")
    assert of_rows(open_source(str(tmp_path)).rows()) not in found
