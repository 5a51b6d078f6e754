"""Workbooks (xlsx, xlsm, xlsb, xls, ods): the first sheet with data, or a named one.

Formulas are their values, errors and merged cells that are not the first one are
missing. A column has a type if all its cells have it: number, moment, truth; else it
is text.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterable, Sequence
from datetime import date, datetime, time, timedelta
from functools import reduce
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa

from whitecrow.data.formats import header
from whitecrow.data.formats.archive import check_sizes, members_of
from whitecrow.data.formats.between import Between
from whitecrow.data.formats.footer import without_footer
from whitecrow.data.formats.header import Header
from whitecrow.data.formats.names import unique
from whitecrow.data.formats.streams import Bytes
from whitecrow.data.formats.table import EmptyError, InMemory, Loud
from whitecrow.errors import DataError, ParameterError

__all__ = ["read_workbook"]

LARGEST = 4 << 30  # bytes of XML
MOST_CELLS = 60_000_000
TAIL = 10_000  # rows of which the last one may hold the sums
_REFERENCE = re.compile(rb'<c r="([A-Z]{1,3})(\d{1,7})"')

_FORMULA = re.compile(
    rb'<c r="([A-Z]{1,3})\d{1,7}"[^>]*><f[^>]*(?:/>|>[^<]*</f>)(?:<v ?/>|<v></v>)?</c>'
)

_TYPES = {
    bool: pa.bool_(),
    date: pa.date32(),
    datetime: pa.timestamp("us"),
    time: pa.time64("us"),
    timedelta: pa.duration("us"),
}

Row = list[Any]


def read_workbook(file: Bytes, path: Path, sheet: str | None = None) -> InMemory:
    """Read a sheet by its name, or its number from 1, or the first one with a table.

    Raises
    ------
    DataError
        The workbook is broken, encrypted, too large or empty.
    ParameterError
        There is no such sheet; the message lists those that there are.
    """
    if file.head(4).startswith(b"PK"):
        _check(file)
    book, names = _opened(file)
    wanted = None if sheet is None else _chosen(file, sheet, names)
    found = _found(file, book, names) if wanted is None else _rows(file, book, wanted)
    if found is None or not found.rows:
        what = "sheet with a table" if sheet is None else f"cell in sheet {sheet!r}"
        why = f"; it has {_FORMULAS}" if _formulas(file) else ""
        shown = _listed(names)
        raise DataError(f"{file.shown}: no {what}; it has the sheets {shown}{why}")
    note = f"workbook, sheet {found.name!r}"
    if len(names) > 1:
        others = _listed([other for other in names if other != found.name])
        first = " (the first with a table)" if sheet is None else ""
        note += f"{first}; the others are {others} (--sheet chooses)"
    return _table(file, path, found, note)


# --------------------------------------------------------------------- opening


def _check(file: Bytes) -> None:
    """Refuse a workbook whose sheets would not fit into memory."""
    members = members_of(file, "workbook")
    check_sizes(file, members, LARGEST)
    for info in members:
        if not re.fullmatch(r"xl/worksheets/[^/]+\.xml", info.filename):
            continue
        try:
            with zipfile.ZipFile(file.path) as archive, archive.open(info) as stream:
                rows, columns = _extent(iter(lambda: stream.read(1 << 20), b""))
        except Exception as error:  # the decoders raise nearly anything
            raise _broken(file, error) from error
        if rows * columns > MOST_CELLS:
            raise DataError(
                f"{file.shown}: {info.filename} reaches over {rows:,} rows and "
                f"{columns:,} columns; delete the cells that stand far away, or save "
                "the sheet as CSV"
            )


def _extent(blocks: Iterable[bytes]) -> tuple[int, int]:
    """Count rows and columns up to the last cell, by the last cell of each row."""
    rows, columns, rest = 0, 0, b""
    for block in blocks:
        *whole, rest = (rest + block).split(b"</row>")
        for row in whole:
            if match := _REFERENCE.match(row, max(0, row.rfind(b"<c r="))):
                rows = max(rows, int(match[2]))
                columns = max(columns, _number_of(match[1]))
    return rows, columns


def _number_of(letters: bytes) -> int:
    return reduce(lambda number, letter: 26 * number + letter - 64, letters, 0)


def _opened(file: Bytes) -> tuple[Any, list[str]]:
    """Open the workbook; return it and the names of its sheets, hidden ones last."""
    import python_calamine as calamine

    try:
        with file.path.open("rb") as stream:
            book = calamine.CalamineWorkbook.from_filelike(stream)
        metadata = book.sheets_metadata
    except BaseException as error:  # a panic of the decoder is no Exception
        raise _broken(file, error) from error
    sheets = [m for m in metadata if m.typ == calamine.SheetTypeEnum.WorkSheet]
    visible = calamine.SheetVisibleEnum.Visible
    sheets.sort(key=lambda m: m.visible != visible)
    return book, [m.name for m in sheets]


def _broken(file: Bytes, error: BaseException) -> DataError:
    kind = type(error).__name__
    if not isinstance(error, Exception) and kind != "PanicException":
        raise error
    text = " ".join(str(error).split())[:160] or kind
    if "assword" in kind + text or "ncrypt" in text or _is_encrypted(file):
        return DataError(
            f"{file.shown}: the workbook is encrypted; open it with its password and "
            "save it without one"
        )
    return DataError(
        f"{file.shown}: broken or not a workbook ({text}); save it again, or as CSV"
    )


def _is_encrypted(file: Bytes) -> bool:
    name = "EncryptedPackage".encode("utf-16-le")
    return file.head(4) != b"PK\x03\x04" and any(name in b for b in file.blocks())


def _chosen(file: Bytes, sheet: str, names: Sequence[str]) -> str:
    if sheet in names:
        return sheet
    if sheet.isdecimal() and 1 <= int(sheet) <= len(names):
        return names[int(sheet) - 1]
    lowered = {name.strip().lower(): name for name in names}
    if sheet.strip().lower() in lowered:
        return lowered[sheet.strip().lower()]
    raise ParameterError(
        f"{file.shown}: no sheet {sheet!r}; it has {_listed(names)}, or use a number "
        f"from 1 to {len(names)}"
    )


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - 10} more" if len(names) > 10 else ""
    return ", ".join(repr(name) for name in names[:10]) + more


# ------------------------------------------------------------------------ rows


class Sheet(NamedTuple):
    """The rows of a sheet with a cell, their numbers there, and its first column."""

    name: str
    rows: list[Row]
    lines: list[int]
    left: int


def _found(file: Bytes, book: Any, names: Sequence[str]) -> Sheet | None:
    """Find the first sheet with a column of values, else the first table of words."""
    words = None
    for name in names:
        sheet = _rows(file, book, name)
        if sheet.rows and _is_table(sheet.rows):
            if len(names) == 1 or _has_values(sheet.rows):
                return sheet
            words = words or sheet
    return words


def _rows(file: Bytes, book: Any, name: str) -> Sheet:
    try:
        sheet = book.get_sheet_by_name(name)
        rows = sheet.to_python(skip_empty_area=True)
        top, left = sheet.start or (0, 0)
    except BaseException as error:  # as in _opened
        raise _broken(file, error) from error
    kept = [(row, i) for i, row in enumerate(rows, top + 1) if _last(row)]
    return Sheet(name, [row for row, _ in kept], [i for _, i in kept], left)


def _last(row: Row) -> int:
    """Count the cells up to the last one that is not empty."""
    return next((j for j in range(len(row), 0, -1) if _text(row[j - 1]).strip()), 0)


def _is_table(rows: list[Row]) -> bool:
    """Tell whether a sheet holds rows below names, or numbers, rather than a cover."""
    sample = [[_text(cell) for cell in row] for row in rows[:200]]
    found = header.find(sample, range(1, len(sample) + 1))
    return found.first < len(sample) and (
        len(found.names) > 1 or any(not isinstance(r[0], str) for r in rows)
    )


def _has_values(rows: list[Row]) -> bool:
    sample = [[_text(cell) for cell in row] for row in rows[:200]]
    return bool(header.typed(sample[1:], len(sample[0])))


def _table(file: Bytes, path: Path, sheet: Sheet, note: str) -> InMemory:
    rows, lines = sheet.rows, sheet.lines
    sample = [[_text(cell) for cell in row] for row in rows[:200]]
    pairs = enumerate(pairwise(lines[:200]), 1)
    gaps = {i for i, (a, b) in pairs if b > a + 1}
    found = header.find(sample, lines, gaps)
    width = max([_last(row) for row in rows[found.first :]], default=0)
    names = found.names
    if width > len(names):  # a column without a name whose cells come late
        raw = [*names, *[""] * (width - len(names))]
        names, _ = unique(raw)
    notes = [note, *(n.replace("line", "row", 1) for n in found.notes)]
    body, numbers = rows[found.first :], lines[found.first :]
    between = _between(sample, found)
    kept = [
        i
        for i, row in enumerate(body)
        if not isinstance(row[0], str) or between.is_row([*map(_text, row)])
    ]
    body, numbers = [body[i] for i in kept], [numbers[i] for i in kept]
    notes += between.notes()
    body = body[: len(body) - _footer(body, numbers, notes)]
    if not body:
        raise EmptyError(f"{file.shown}: there is a header but no row of data below it")
    columns = {name: _column([row[j] for row in body]) for j, name in enumerate(names)}
    frame = pa.table(columns)
    notes += _without_values(file, sheet.left, frame)
    return InMemory(path, frame, notes, lines=numbers[: len(body)])


_FORMULAS = (
    "formulas without stored values: open the workbook in Excel or LibreOffice and "
    "save it once"
)


def _without_values(file: Bytes, left: int, frame: pa.Table) -> list[str]:
    """Warn of empty columns whose formulas nobody has computed."""
    columns = frame.columns
    empty = {j for j, c in enumerate(columns) if c.null_count == frame.num_rows}
    found = empty and empty.intersection(j - left for j in _formulas(file))
    if not found:
        return []
    names = ", ".join(repr(frame.column_names[j]) for j in sorted(found))
    return [Loud(f"{names}: {_FORMULAS}")]


def _formulas(file: Bytes) -> set[int]:
    """Find the columns, from 0, with a formula without a value, in any sheet."""
    found: set[bytes] = set()
    if not zipfile.is_zipfile(file.path):
        return set()
    with zipfile.ZipFile(file.path) as archive:
        for name in archive.namelist():
            if re.fullmatch(r"xl/worksheets/[^/]+\.xml", name):
                with archive.open(name) as stream:
                    rest = b""
                    for block in iter(lambda: stream.read(1 << 20), b""):
                        *rows, rest = (rest + block).split(b"</row>")
                        found.update(m for row in rows for m in _FORMULA.findall(row))
    return {_number_of(letters) - 1 for letters in found}


def _between(sample: Sequence[Sequence[str]], found: Header) -> Between:
    heads = [[cell.strip() for cell in r] for r in sample[found.top : found.first]]
    return Between(heads, header.typed(sample[found.first :], found.width))


def _footer(rows: list[Row], lines: list[int], notes: list[str]) -> int:
    """Count the footnote rows at the end; empty rows are put back to tell them."""
    tail: list[list[str | None]] = []
    for row, line, before in zip(
        rows[-TAIL:], lines[-TAIL:], [0, *lines][-TAIL - 1 : -1], strict=False
    ):
        if tail and line > before + 1:
            tail.append([None] * len(row))
        tail.append([_text(cell) or None for cell in row])
    if not tail:
        return 0
    columns = [pa.array(list(c), pa.string()) for c in zip(*tail, strict=True)]
    batch = pa.record_batch(columns, names=[str(j) for j in range(len(columns))])
    kept = sum(b.num_rows for b in without_footer([batch], notes))
    return sum(any(cell for cell in row) for row in tail[kept:])


# --------------------------------------------------------------------- columns


def _column(cells: list[Any]) -> pa.Array:
    """Build a column of one type if all its cells have it, else of text."""
    filled = [cell for cell in cells if cell != "" and cell is not None]
    kinds = {type(cell) for cell in filled}
    empty = [None if cell == "" else cell for cell in cells]
    if kinds and kinds <= {int, float}:
        return _numbers(empty)
    if len(kinds) == 1 and (kind := _TYPES.get(*kinds)):
        return pa.array(empty, kind)
    if kinds == {date, datetime}:
        return pa.array([_moment(cell) for cell in empty], pa.timestamp("us"))
    return pa.array([_text(cell) or None for cell in cells], pa.string())


def _numbers(cells: list[Any]) -> pa.Array:
    whole = all(cell is None or float(cell).is_integer() for cell in cells)
    largest = max((abs(cell) for cell in cells if cell is not None), default=0)
    if whole and largest < 2**53:
        return pa.array([None if c is None else int(c) for c in cells], pa.int64())
    return pa.array([None if c is None else float(c) for c in cells], pa.float64())


def _moment(cell: date | datetime | None) -> datetime | None:
    if cell is None or isinstance(cell, datetime):
        return cell
    return datetime(cell.year, cell.month, cell.day)


def _text(cell: Any) -> str:
    """Format a cell as a person would write it."""
    if isinstance(cell, str):
        return cell
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, float):
        return str(int(cell)) if cell.is_integer() and abs(cell) < 1e15 else repr(cell)
    if isinstance(cell, datetime):
        return cell.isoformat(sep=" ")
    if isinstance(cell, date | time):
        return cell.isoformat()
    return str(cell)
