"""What stands below a table: rows without a cell, footnotes, and lines of totals."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

import pyarrow as pa

from whitecrow.data.formats.units import kind_of

__all__ = ["without_footer"]

TAIL_ROWS = 64
_TOTAL = re.compile(
    r"(?:grand |sub)?(?:totals?|sum|summe|gesamt|gesamtsumme|insgesamt"
    r"|total g[e\u00e9]n[e\u00e9]ral|totale|totaal|somma|suma|soma|somme|celkem|razem"
    r"|totalt|average|mean|mittelwert)\s*:?",
    re.IGNORECASE,
)


def without_footer(
    blocks: Iterable[pa.RecordBatch], notes: list[str]
) -> Iterator[pa.RecordBatch]:
    """Yield rows of text without the empty rows and footnotes at the end of a table.

    What is left out is added to `notes` when the end was reached.
    """
    held: list[pa.RecordBatch] = []
    for block in blocks:
        held.append(block)
        while len(held) > 1 and sum(b.num_rows for b in held[1:]) >= TAIL_ROWS:
            yield held.pop(0)
    if not held:
        return
    tail = pa.concat_batches(held)
    kept = _kept(tail, notes)
    if kept:
        yield tail.slice(0, kept)


def _kept(tail: pa.RecordBatch, notes: list[str]) -> int:
    """How many rows of the tail belong to the table."""
    end = tail.num_rows
    if tail.num_columns < 2:
        return end
    first = max(0, end - TAIL_ROWS)
    kept = _above_empty(tail, end, first)
    if empty := end - kept:
        what = "row" if empty == 1 else f"{empty} rows"
        notes.append(f"the last {what} without any cell left out")
    if footnotes := _footnotes(tail, kept, first):
        shown = " ".join(str(tail.column(0)[kept - footnotes].as_py()).split())[:60]
        kept -= footnotes
        kept = _above_empty(tail, kept, first)
        notes.append(
            f"the text below the table ({shown!r}) is not a row and is left out"
        )
    if kept and (word := _total(tail, kept - 1)):
        notes.append(
            f"the last row looks like a line of totals ({word!r}); it is a row like "
            "the others, so delete it if it is not"
        )
    return kept


def _above_empty(tail: pa.RecordBatch, end: int, first: int) -> int:
    while end > first and _cells(tail, end - 1, 1) == []:
        end -= 1
    return end


def _footnotes(tail: pa.RecordBatch, end: int, first: int) -> int:
    """How many rows at the end have one cell of text and stand below an empty row."""
    row = end
    while row > first and end - row < 20:
        cells = _cells(tail, row - 1, 2)
        if not cells:
            return end - row
        if len(cells) > 1 or cells[0][0] != 0 or kind_of(cells[0][1]) != "text":
            return 0
        row -= 1
    return 0


def _total(tail: pa.RecordBatch, row: int) -> str:
    cells = _cells(tail, row, 1)
    return cells[0][1] if cells and _TOTAL.fullmatch(cells[0][1].strip()) else ""


def _cells(tail: pa.RecordBatch, row: int, most: int) -> list[tuple[int, str]]:
    """The first cells of a row that are not empty, with their columns."""
    found: list[tuple[int, str]] = []
    for j, column in enumerate(tail.columns):
        cell = column[row]
        if cell.is_valid and cell.as_py().strip():
            found.append((j, cell.as_py()))
            if len(found) == most:
                break
    return found
