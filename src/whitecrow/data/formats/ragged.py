"""Rows of different widths: filled where that is unambiguous, else refused by line."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from whitecrow.data.formats.between import commented
from whitecrow.data.formats.dialect import SEPARATORS, Dialect
from whitecrow.data.formats.footer import second_table
from whitecrow.data.formats.streams import Bytes, Text
from whitecrow.data.formats.table import Loud
from whitecrow.data.formats.units import kind_of
from whitecrow.errors import DataError

__all__ = ["Fixes", "fixed", "fixes", "refusal"]

Record = tuple[int, list[str]]

_FULL_ROWS = 10_000
_FOOTNOTES = 20


@dataclass
class Fixes:
    """What has to be done to the rows of a file.

    Attributes
    ----------
    rows : int
        How many of its records are rows of the table; those after them are footnotes.
    filled, cut : int
        Rows that lacked cells, and rows with empty cells too many.
    footnotes : list of (line, text)
        What stands below the table.
    below : (line, names) or None
        Where another table begins below the table.
    comments : dict of int to str
        Records that are comments; a row without a cell stands for each.
    """

    rows: int = 0
    filled: int = 0
    cut: int = 0
    footnotes: list[tuple[int, str]] = field(default_factory=list)
    below: tuple[int, list[str]] | None = None
    comments: dict[int, str] = field(default_factory=dict)

    @property
    def notes(self) -> tuple[str, ...]:
        """Describe what was done, one sentence each."""
        found = []
        if self.filled:
            found.append(
                f"{_rows(self.filled)} before the last column; filled with empty cells"
            )
        if self.cut:
            found.append(f"{_rows(self.cut)} beyond the last column, with empty cells")
        if self.comments:
            found.append(commented(list(self.comments.values())))
        if self.below:
            line, names = self.below
            shown = ", ".join(name.strip() for name in names[:5])
            found.append(Loud(f"line {line}: {second_table(shown)}"))
        if self.footnotes:
            line, text = self.footnotes[0]
            found.append(
                f"the text below the table (line {line}: {text[:60]!r}) is not a row "
                "and is left out"
            )
        return tuple(found)


def _rows(count: int) -> str:
    return "1 row ends" if count == 1 else f"{count:,} rows end"


def fixed(records: Iterable[Record], plan: Fixes, width: int) -> Iterator[list[str]]:
    """Yield the rows of a file, all of one width."""
    for number, (_, row) in enumerate(records):
        if number == plan.rows:
            return
        if number in plan.comments:
            row = []
        if len(row) < width:
            row = row + [""] * (width - len(row))
        yield row[:width]


def fixes(
    records: Iterable[Record], dialect: Dialect, text: Text, file: Bytes
) -> Fixes:
    """Find out what has to be done to the rows of a file.

    A row that ends early is filled if it fits: its cells are numbers where those of
    the column are, and no column that always has a number is left empty. One cell of
    text below the table is a footnote.

    Raises
    ------
    DataError
        A row is neither whole nor fits; the message names its line.
    """
    width, plan = dialect.width, Fixes()
    numeric: list[int] | None = None
    whole: list[list[str]] = []
    waiting: list[Record] = []
    places: list[int] = []  # of those that wait
    last, end, gap = 0, 0, False
    for number, (line, row) in enumerate(records):
        if _is_comment(row, width, whole):
            plan.comments[number] = dialect.separator.join(row).strip()
            continue
        if any(cell.strip() for cell in row[width:]):
            raise _refusal(file, dialect, line, row)
        if len(row) < width:
            gap = gap if waiting else line > end + 1
            waiting.append((line, row))
            places.append(number)
            if len(waiting) <= _FULL_ROWS:
                continue
        last = number + 1
        plan.cut += len(row) > width
        end = line + sum(cell.count("\n") for cell in row)
        if len(row) == width and len(whole) < _FULL_ROWS and _is_row(row, dialect):
            whole.append(row)
        if whole and waiting:
            numeric = _numeric(whole, width) if numeric is None else numeric
            _fill(waiting, numeric, plan, dialect, file)
            waiting, places = [], []
    if waiting and not whole:
        raise _refusal(file, dialect, *waiting[0])
    rest, notes = _parted(waiting, _footnotes(waiting, dialect.separator))
    rest, second = _parted(rest, rest if gap and _is_table(rest) else [])
    numeric = _numeric(whole, width) if numeric is None else numeric
    sentence = notes and " " in waiting[-1][1][0].strip()
    if not text.ended and waiting and not (sentence or second):
        raise _refusal(file, dialect, *waiting[-1], cut_off=True)
    _fill(rest, numeric, plan, dialect, file)
    plan.footnotes = [(line, row[0].strip()) for line, row in notes]
    plan.below = second[0] if second else None
    plan.rows = [*places, places[-1] + 1 if rest else last][len(rest)]
    return plan


def _parted(rows: list[Record], end: list[Record]) -> tuple[list[Record], list[Record]]:
    return rows[: len(rows) - len(end)], end


def _is_comment(row: list[str], width: int, whole: list[list[str]]) -> bool:
    """Tell whether a row of the wrong width begins with `#`, as no other row does."""
    marked = len(row) != width and row[0].lstrip().startswith("#")
    return marked and not any(other[0].startswith("#") for other in whole[:1])


def _is_row(row: list[str], dialect: Dialect) -> bool:
    """Tell whether a row has a cell, and is not the header once more."""
    cells = tuple(cell.strip() for cell in row)
    return any(cells) and cells not in dialect.heads


def _is_table(rows: list[Record]) -> bool:
    """Tell whether rows that are too short form a table: names, and rows as wide."""
    widths = [len(row) for _, row in rows]
    words = rows and all(kind_of(cell) == "text" for cell in rows[0][1])
    return bool(words) and len(rows) > 1 and 2 <= widths[0] == max(widths)


def _numeric(whole: list[list[str]], width: int) -> list[int]:
    """Find the columns with a number in every row seen before any gap."""
    columns = list(range(width))
    for row in whole:
        columns = [j for j in columns if kind_of(row[j]) in ("number", "moment")]
    return columns


def _fill(
    rows: list[Record], numeric: list[int], plan: Fixes, dialect: Dialect, file: Bytes
) -> None:
    for line, row in rows:
        lacking = any(j >= len(row) for j in numeric)
        other = any(kind_of(row[j]) == "text" for j in numeric if j < len(row))
        if lacking or other:
            raise _refusal(file, dialect, line, row, numeric=numeric)
        plan.filled += 1


def _footnotes(waiting: list[Record], separator: str) -> list[Record]:
    """Find the records at the end of a file that have one cell of text."""
    notes: list[Record] = []
    for line, row in reversed(waiting[-_FOOTNOTES:]):
        cells = [cell for cell in row if cell.strip()]
        if len(cells) != 1 or not row[0].strip() or kind_of(row[0]) != "text":
            break
        if "\n" in row[0] and separator in row[0]:  # rows behind an open quote
            break
        notes.insert(0, (line, row))
    return notes


def _refusal(
    file: Bytes,
    dialect: Dialect,
    line: int,
    row: list[str],
    *,
    cut_off: bool = False,
    numeric: Sequence[int] = (),
) -> DataError:
    where = (dialect.separator, dialect.width, line)
    if len(row) < dialect.width and any("\n" in cell for cell in row):
        return DataError(
            f"{file.shown}: a quote ({dialect.quote}) is opened on line {line} and not "
            "closed there, so the lines after it become one cell; close or remove it"
        )
    lacking = [j for j in numeric if j >= len(row)]
    found = refusal(file.shown, *where, len(row), cut_off=cut_off)
    if not lacking:
        return found
    why = f"; column {lacking[0] + 1}, a number in all other rows, is missing; "
    return DataError(str(found).replace("; ", why, 1))


def refusal(
    shown: str, separator: str, width: int, line: int, cells: int, *, cut_off: bool
) -> DataError:
    """Return the error for a row that is too short or too long."""
    remedy = (
        "the file may be cut off: copy or download it again"
        if cut_off
        else "correct the line, or quote cells that contain the separator "
        f"({SEPARATORS.get(separator, repr(separator))})"
    )
    return DataError(
        f"{shown}: line {line} has {cells} cells where the first line has {width}; "
        f"{remedy}"
    )
