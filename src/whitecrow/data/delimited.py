"""Delimited text (CSV, TSV, plain or gzip), whole or in batches.

The parsing is pyarrow's. When pyarrow refuses a file, the file is read once more,
slowly, to name the line.
"""

from __future__ import annotations

import contextlib
import csv
import gzip
import re
import zlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TextIO

import pyarrow as pa
from pyarrow import csv as pacsv

from whitecrow.data.content import MISSING_WORDS
from whitecrow.data.dialect import (
    SEPARATORS,
    Dialect,
    as_western,
    opened,
    sniff,
    unreadable,
)
from whitecrow.errors import DataError

__all__ = ["explained", "read_delimited", "rebatch", "stream_delimited"]

BLOCK_BYTES = 4 << 20  # and so the longest row that can be read
READ_BYTES = 1 << 20


def read_delimited(path: Path) -> tuple[pa.Table, tuple[str, ...]]:
    """A whole delimited file.

    Parameters
    ----------
    path : Path
        An existing file; a name that ends in `.gz` is decompressed.

    Returns
    -------
    frame : pyarrow.Table
        Types inferred: integers, floats, booleans, ISO dates and times, text.
    notes : tuple of str
        What was found out about the file.

    Raises
    ------
    DataError
        The file is empty, has only a header, no text, ragged rows (named by line),
        duplicate names, or a broken gzip stream.
    """
    dialect = sniff(path)
    frame = _parse(path, dialect)
    if any(pa.types.is_binary(field.type) for field in frame.schema):
        dialect = as_western(dialect)
        frame = _parse(path, dialect)
    if frame.num_rows == 0:
        raise _no_rows(path)
    _check_last_quote(path, dialect, frame)
    return frame.rename_columns(list(dialect.names)), dialect.notes


def stream_delimited(
    path: Path, *, batch_rows: int, types: Mapping[str, pa.DataType] | None = None
) -> Iterator[pa.RecordBatch]:
    """A delimited file in batches of `batch_rows` rows, in bounded memory.

    Types are those of the first four megabytes, widened (integers become floats,
    yes/no and empty columns text), since later cells may need it; `types` gives
    them by name instead, and columns that it does not name are text.

    Raises
    ------
    DataError
        As `read_delimited`, or a cell does not fit the type of its column.
    """
    dialect = sniff(path)
    if types is None:
        chosen = _widened_types(path, dialect)
    else:
        pairs = zip(dialect.raw_names, dialect.names, strict=True)
        chosen = {raw: types.get(name, pa.string()) for raw, name in pairs}
    last = None
    for batch in rebatch(_blocks(path, dialect, chosen), batch_rows):
        last = batch.rename_columns(list(dialect.names))
        yield last
    if last is None:
        raise _no_rows(path)
    _check_last_quote(path, dialect, last)


def rebatch(
    batches: Iterator[pa.RecordBatch], batch_rows: int
) -> Iterator[pa.RecordBatch]:
    """The same rows in batches of `batch_rows`; only the last one may be shorter."""
    waiting: list[pa.RecordBatch] = []
    rows = 0
    for batch in batches:
        waiting.append(batch)
        rows += batch.num_rows
        if rows < batch_rows:
            continue
        whole = pa.Table.from_batches(waiting).combine_chunks().to_batches()[0]
        end = rows - rows % batch_rows
        for start in range(0, end, batch_rows):
            yield whole.slice(start, batch_rows)
        waiting, rows = [whole.slice(end)], rows - end
    if rows:
        yield pa.Table.from_batches(waiting).combine_chunks().to_batches()[0]


# ------------------------------------------------------------------ the parsing


def _options(
    dialect: Dialect, types: Mapping[str, pa.DataType] | None = None
) -> dict[str, Any]:
    return {
        "read_options": pacsv.ReadOptions(
            column_names=None if dialect.header else list(dialect.raw_names),
            encoding=dialect.encoding,
            block_size=BLOCK_BYTES,
        ),
        "parse_options": pacsv.ParseOptions(
            delimiter=dialect.separator, newlines_in_values=True
        ),
        "convert_options": pacsv.ConvertOptions(
            strings_can_be_null=True,
            null_values=list(MISSING_WORDS),
            decimal_point=dialect.decimal,
            column_types=types,
        ),
    }


def _parse(path: Path, dialect: Dialect) -> pa.Table:
    try:
        with opened(path, gz=dialect.gz) as stream:
            return pacsv.read_csv(stream, **_options(dialect))
    except (pa.ArrowException, OSError, ValueError) as error:
        raise explained(path, dialect, error) from error


def _blocks(
    path: Path, dialect: Dialect, types: Mapping[str, pa.DataType]
) -> Iterator[pa.RecordBatch]:
    try:
        with opened(path, gz=dialect.gz) as stream:
            yield from pacsv.open_csv(stream, **_options(dialect, types))
    except (pa.ArrowException, OSError, ValueError) as error:
        raise explained(path, dialect, error) from error


def _widened_types(path: Path, dialect: Dialect) -> dict[str, pa.DataType]:
    try:
        with opened(path, gz=dialect.gz) as stream:
            schema = pacsv.open_csv(stream, **_options(dialect)).schema
    except (pa.ArrowException, OSError, ValueError) as error:
        raise explained(path, dialect, error) from error
    return {field.name: _widened(field.type) for field in schema}


def _widened(kind: pa.DataType) -> pa.DataType:
    if pa.types.is_integer(kind):
        return pa.float64()
    if pa.types.is_date(kind) or kind == pa.timestamp("s"):
        return pa.timestamp("us")
    if pa.types.is_null(kind) or pa.types.is_boolean(kind) or pa.types.is_binary(kind):
        return pa.string()
    return kind


# ------------------------------------------------------------------- the errors


def _no_rows(path: Path) -> DataError:
    return DataError(f"{path}: there is a header but no row of data below it")


def explained(path: Path, dialect: Dialect, error: Exception) -> DataError:
    """The complaint of pyarrow, with the line and the remedy.

    Parameters
    ----------
    path : Path
        The file.
    dialect : Dialect
        How it was read.
    error : Exception
        What pyarrow raised.
    """
    text = " ".join(str(error).split())
    if "Expected" in text and "columns, got" in text:
        return _ragged(path, dialect)
    if match := re.search(r"column #(\d+): .*?invalid value '(.*)'", text):
        return _bad_cell(path, dialect, int(match[1]), match[2])
    if "straddl" in text:
        return DataError(
            f"{path}: a row is longer than {BLOCK_BYTES >> 20} MB; probably a quote "
            'is opened (") and never closed'
        )
    if isinstance(error, UnicodeError) or "UTF8" in text:
        return DataError(
            f"{path}: the text is not valid {dialect.encoding}; save it as UTF-8"
        )
    if "Empty CSV" in text:
        return _no_rows(path)
    return unreadable(path, error)


def _ragged(path: Path, dialect: Dialect) -> DataError:
    width = len(dialect.names)
    found = _first_line(path, dialect, lambda row: len(row) != width)
    where = f"line {found[0]} has {len(found[1])} cells" if found else "a line differs"
    return DataError(
        f"{path}: {where} where the first line has {width}; correct the line, or quote "
        f"cells that contain the separator ({SEPARATORS[dialect.separator]})"
    )


def _bad_cell(path: Path, dialect: Dialect, column: int, value: str) -> DataError:
    def has_it(row: list[str]) -> bool:
        return len(row) > column and row[column] == value

    found = _first_line(path, dialect, has_it)
    where = f"line {found[0]}, " if found else ""
    return DataError(
        f"{path}: {where}column {dialect.names[column]!r} holds {value[:60]!r}, which "
        "does not fit the type of that column; correct the cell or leave it empty"
    )


def _first_line(
    path: Path, dialect: Dialect, wanted: Callable[[list[str]], bool]
) -> tuple[int, list[str]] | None:
    """The first row of data that is wanted, with the line on which it begins."""
    encoding = "utf-8-sig" if dialect.encoding == "utf-8" else dialect.encoding
    with (
        contextlib.suppress(csv.Error, OSError, EOFError, zlib.error),
        _open_text(path, encoding, gz=dialect.gz) as text,
    ):
        reader = csv.reader(text, delimiter=dialect.separator)
        begin = 1
        for number, row in enumerate(reader):
            if row and (number or not dialect.header) and wanted(row):
                return begin, row
            begin = reader.line_num + 1
    return None


def _open_text(path: Path, encoding: str, *, gz: bool) -> TextIO:
    if gz:
        return gzip.open(path, "rt", encoding=encoding, errors="replace", newline="")
    return path.open(encoding=encoding, errors="replace", newline="")


def _check_last_quote(
    path: Path, dialect: Dialect, tail: pa.Table | pa.RecordBatch
) -> None:
    """Refuse a file whose last cell swallowed the rest because of an open quote."""
    cells = [column[tail.num_rows - 1].as_py() for column in tail.columns]
    if not any(isinstance(cell, str) and "\n" in cell for cell in cells):
        return
    quotes = 0
    with opened(path, gz=dialect.gz) as stream:
        while block := stream.read(READ_BYTES):
            quotes += block.count(b'"')
    if quotes % 2 and not _is_well_quoted(path, dialect):
        raise DataError(
            f'{path}: a quote (") is opened in the last row that was found and never '
            "closed, so all lines after it would be one cell; close or remove it"
        )


def _is_well_quoted(path: Path, dialect: Dialect) -> bool:
    """Whether every quote is closed; odd ones within a cell, as in 5" pipe, may be."""
    with _open_text(path, dialect.encoding, gz=dialect.gz) as text:
        try:
            for _ in csv.reader(text, delimiter=dialect.separator, strict=True):
                pass
        except csv.Error:  # at the end of the file, or a cell beyond Python's limit
            return False
    return True
