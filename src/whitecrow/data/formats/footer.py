"""What stands below a table: empty rows, footnotes, totals, and another table."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

import pyarrow as pa

from whitecrow.data.formats.between import lines
from whitecrow.data.formats.table import Loud
from whitecrow.data.formats.units import VALUES, kind_of

__all__ = ["second_table", "without_footer"]

TAIL_ROWS = 64
_MOST_TOTALS = 12
_TOTAL = re.compile(
    r"(?:grand |sub)?(?:totals?|sum|summe|gesamt|gesamtsumme|gesamtergebnis|insgesamt"
    r"|total g[e\u00e9]n[e\u00e9]ral|totale|totaal|somma|suma|soma|somme|celkem|razem"
    r"|totalt|averages?|mean|mittelwert|durchschnitt|moyenne|media)\s*:?",
    re.IGNORECASE,
)
_BESIDE_TOTAL = re.compile(
    r"(?:max|min)(?:imum|imal)?|std\.?|stdev|st\.? ?dev\.?|sd|median|count|anzahl|n",
    re.IGNORECASE,
)
"""Words that may be names or levels as well: Max."""


def without_footer(
    blocks: Iterable[pa.RecordBatch], notes: list[str]
) -> Iterator[pa.RecordBatch]:
    """Yield rows of text without the footer below the table.

    What is left out is added to `notes` when the end was reached.
    """
    held: list[pa.RecordBatch] = []
    whole = True
    for block in blocks:
        held.append(block)
        while len(held) > 1 and sum(b.num_rows for b in held[1:]) >= TAIL_ROWS:
            whole = False
            yield held.pop(0)
    if not held:
        return
    tail = pa.concat_batches(held)
    kept = _kept(tail, notes, whole)
    if kept:
        yield tail.slice(0, kept)


def _kept(tail: pa.RecordBatch, notes: list[str], whole: bool) -> int:
    """Count the rows of the tail that belong to the table."""
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
        kept = _above_empty(tail, kept - footnotes, first)
        notes.append(
            f"the text below the table ({shown!r}) is not a row and is left out"
        )
    if second := _second_table(tail, kept, first):
        shown = ", ".join(cell.strip() for _, cell in _cells(tail, kept - second, 5))
        kept = _above_empty(tail, kept - second, first)
        notes.append(Loud(second_table(shown)))
    if totals := _totals(tail, kept, first) or (whole and _sums(tail, kept)):
        words = [_cells(tail, i, 1)[0][1].strip() for i in range(kept - totals, kept)]
        kept = _above_empty(tail, kept - totals, first)
        shown = f"{lines(totals)}: {', '.join(words[:5])}"
        notes.append(f"totals below the table are left out ({shown})")
    return kept


def second_table(names: str) -> str:
    """Write the note on another table below the first."""
    return (
        f"another table below the first one ({names}) is not read; save it as a file "
        "of its own if it matters"
    )


def _above_empty(tail: pa.RecordBatch, end: int, first: int) -> int:
    while end > first and _cells(tail, end - 1, 1) == []:
        end -= 1
    return end


def _footnotes(tail: pa.RecordBatch, end: int, first: int) -> int:
    """Count the rows at the end that hold one cell of text each, below an empty row."""
    row = end
    while row > first and end - row < 20:
        cells = _cells(tail, row - 1, 2)
        if not cells:
            return end - row
        if len(cells) > 1 or cells[0][0] != 0 or kind_of(cells[0][1]) != "text":
            return 0
        row -= 1
    return 0


def _second_table(tail: pa.RecordBatch, end: int, first: int) -> int:
    """Count the rows at the end that form a narrower table below an empty row."""
    rows: list[list[str]] = []
    for i in range(end - 1, first - 1, -1):
        cells = _cells(tail, i, tail.num_columns)
        if not cells:
            break
        rows.insert(0, [cell for _, cell in cells])
        if cells[-1][0] >= len(cells):  # a gap within the row
            return 0
    else:
        return 0
    above = [len(_cells(tail, i, tail.num_columns)) for i in range(first, end)]
    wide = max(above[: -len(rows)], default=0)
    if len(rows) < 2 or not 2 <= len(rows[0]) < wide:
        return 0
    narrow = all(len(row) <= len(rows[0]) for row in rows)
    words = all(kind_of(cell) == "text" for cell in rows[0])
    return len(rows) if narrow and words else 0


def _totals(tail: pa.RecordBatch, end: int, first: int) -> int:
    """Count the last rows that begin with a word for totals that no other row has."""
    row, certain = end, False
    while row > max(first, end - _MOST_TOTALS):
        cells = _cells(tail, row - 1, tail.num_columns)
        word = cells[0][1].strip() if cells else ""
        sure = _TOTAL.fullmatch(word) is not None
        values = any(kind_of(cell) in VALUES for _, cell in cells[1:])
        if not (sure or _BESIDE_TOTAL.fullmatch(word)) or not values:
            break
        certain |= sure
        row -= 1
    words = [_cells(tail, i, 1)[0] for i in range(row, end)]
    others = {cell for i in range(first, row) for cell in _cells(tail, i, 1)}
    known = len(set(words)) == len(words) and not others.intersection(words)
    return end - row if certain and known else 0


def _sums(tail: pa.RecordBatch, end: int) -> int:
    """Return 1 if the last row is unnamed and sums up the rows above it, else 0."""
    cells = dict(_cells(tail, end - 1, tail.num_columns)) if end > 3 else {}
    if not cells or all(j in cells for j in range(tail.num_columns)):
        return 0
    for j, cell in cells.items():
        try:
            column = tail.column(j).slice(0, end - 1).drop_null().to_pylist()
            numbers = [float(c.replace(",", ".")) for c in column]
            total = float(cell.replace(",", "."))
        except ValueError:
            return 0
        close = abs(sum(numbers) - total) <= 1e-6 * sum(map(abs, numbers))
        if sum(map(bool, numbers)) < 3 or not close:
            return 0
    return 1


def _cells(tail: pa.RecordBatch, row: int, most: int) -> list[tuple[int, str]]:
    """Return the first cells of a row that are not empty, with their columns."""
    found: list[tuple[int, str]] = []
    for j, column in enumerate(tail.columns):
        cell = column[row]
        if cell.is_valid and cell.as_py().strip():
            found.append((j, cell.as_py()))
            if len(found) == most:
                break
    return found
