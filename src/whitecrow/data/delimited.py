"""Delimited text (CSV, TSV, plain or gzip): find the dialect, read it, stream it.

The dialect is found in the first megabyte and reported; the parsing is pyarrow's.
When pyarrow refuses a file, the file is read once more, slowly, to name the line.
"""

from __future__ import annotations

import codecs
import contextlib
import csv
import gzip
import io
import re
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import islice, pairwise
from pathlib import Path
from typing import Any, TextIO

import pyarrow as pa
from pyarrow import csv as pacsv

from whitecrow.data.content import MISSING_WORDS
from whitecrow.errors import DataError

__all__ = ["Dialect", "read_delimited", "rebatch", "sniff", "stream_delimited"]

SAMPLE_BYTES = 1 << 20
SAMPLE_ROWS = 200
BLOCK_BYTES = 4 << 20  # of a stream, and so the longest row that can be read
SEPARATORS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}

_NUMBER = re.compile(r"\s*[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?\s*")
_DECIMAL_COMMA = re.compile(r"\s*[-+]?\d+,\d+\s*")
_DECIMAL_POINT = re.compile(r"\s*[-+]?\d*\.\d+\s*")
_CONTROL = bytes(set(range(32)) - set(b"\t\n\r\f\x1b"))


@dataclass(frozen=True)
class Dialect:
    """How one delimited file is written.

    Attributes
    ----------
    separator, decimal : str
        What separates cells, and the decimal mark of numbers.
    encoding : str
        A codec name of Python.
    header : bool
        Whether the first row holds the names.
    raw_names, names : tuple of str
        The first row as it stands, and the names of the columns made from it.
    gz : bool
        Whether the file is compressed with gzip.
    notes : tuple of str
        What was found, one sentence each.
    """

    separator: str
    decimal: str
    encoding: str
    header: bool
    raw_names: tuple[str, ...]
    names: tuple[str, ...]
    gz: bool
    notes: tuple[str, ...]


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
        dialect = _western(dialect)
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


# ------------------------------------------------------------------ the dialect


def sniff(path: Path) -> Dialect:
    """Separator, decimal mark, encoding and header of a file, from its beginning.

    Raises
    ------
    DataError
        The file is empty, is no text, or repeats a column name.
    """
    gz = path.suffix.lower() == ".gz"
    sample = _sample(path, gz=gz)
    if not sample.strip(b"\xef\xbb\xbf \t\r\n\x00"):
        raise DataError(f"{path}: the file is empty; it needs a header and rows")
    encoding, text = _decode(path, sample)
    separator, rows = _separator(text, prefer="\t" if ".tsv" in path.name else "")
    if not rows:
        raise DataError(f"{path}: no rows of cells found; is it delimited text?")
    header, notes = _header(rows)
    raw = tuple(rows[0]) if header else tuple(f"x{j}" for j in range(len(rows[0])))
    names, renamed = _names(path, raw)
    decimal = "," if separator != "," and _has_decimal_comma(rows) else "."
    found = f"{SEPARATORS[separator]}-separated text, {_encoding_note(encoding, text)}"
    if gz:
        found += ", gzip"
    if decimal == ",":
        notes = (*notes, "numbers are written with a decimal comma")
    notes = (found, *notes, *renamed)
    return Dialect(separator, decimal, encoding, header, raw, names, gz, notes)


def _sample(path: Path, *, gz: bool) -> bytes:
    try:
        with _open(path, gz=gz) as stream:
            sample: bytes = stream.read(SAMPLE_BYTES)
    except OSError as error:
        raise _unreadable(path, error) from error
    return sample


def _open(path: Path, *, gz: bool) -> Any:
    return pa.input_stream(str(path), compression="gzip" if gz else None)


def _decode(path: Path, sample: bytes) -> tuple[str, str]:
    if sample.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        encodings: tuple[str, ...] = ("utf-16",)
    elif len(sample.translate(None, _CONTROL)) < 0.995 * len(sample) or 0 in sample:
        raise DataError(
            f"{path}: the content is not text; "
            "readable formats are csv, csv.gz, tsv, parquet, npz, npy and mat"
        )
    else:
        encodings = ("utf-8", "cp1252", "latin-1")
    for encoding in encodings:
        # Incremental, because the sample may end within a character.
        decoder = codecs.getincrementaldecoder(encoding)()
        with contextlib.suppress(UnicodeDecodeError):
            return encoding, decoder.decode(sample)
    raise DataError(f"{path}: the text is not valid {encodings[0]}; save it as UTF-8")


def _separator(text: str, *, prefer: str) -> tuple[str, list[list[str]]]:
    """The separator that gives most rows the same number of cells, and those rows."""
    text = text.removeprefix("\ufeff")
    if len(text) > SAMPLE_BYTES // 4:  # the last line may be cut off
        text = text[: text.rfind("\n") + 1] or text
    best: tuple[float, int] = (0.0, 0)
    result = (",", _rows(text, ","))
    if prefer and prefer in text.split("\n", 1)[0]:
        return prefer, _rows(text, prefer)
    for separator in SEPARATORS:
        rows = _rows(text, separator)
        width = len(rows[0]) if rows else 0
        if width < 2:
            continue
        regular = sum(len(row) == width for row in rows) / len(rows)
        if (regular, width) > best:
            best, result = (regular, width), (separator, rows)
    return result


def _rows(text: str, separator: str) -> list[list[str]]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    try:
        return [row for row in islice(reader, SAMPLE_ROWS) if row]
    except csv.Error:  # a cell beyond Python's limit, or a stray carriage return
        return [line.split(separator) for line in text.splitlines()[:SAMPLE_ROWS]]


def _header(rows: list[list[str]]) -> tuple[bool, tuple[str, ...]]:
    first = rows[0]
    if not all(_NUMBER.fullmatch(cell) for cell in first):
        return True, ()
    numbers = [float(cell) for cell in first]
    counting = all(b - a == 1 for a, b in pairwise(numbers))
    if counting and (numbers[0] in (0.0, 1.0) or len(numbers) > 2):
        return True, (f"the first row ({first[0]}, ...) is taken as column names",)
    return False, (
        "the first row holds numbers, so there is no header; "
        f"columns are named x0 to x{len(first) - 1}",
    )


def _names(path: Path, raw: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    names = [name.strip() for name in raw]
    for name in names:
        if name and names.count(name) > 1:
            places = [str(j + 1) for j, other in enumerate(names) if other == name]
            raise DataError(
                f"{path}: the column name {name!r} appears {len(places)} times "
                f"(columns {', '.join(places)}); rename all but one, "
                "or add a header row if the first row is data"
            )
    notes: list[str] = []
    for j, name in enumerate(names):
        if not name:
            names[j] = f"column_{j + 1}"
            while names[j] in names[:j] + names[j + 1 :]:
                names[j] += "_"
            notes.append(f"column {j + 1} has no name and is called {names[j]}")
    return tuple(names), tuple(notes)


def _has_decimal_comma(rows: list[list[str]]) -> bool:
    cells = [cell for row in rows[1:] for cell in row]
    commas = any(_DECIMAL_COMMA.fullmatch(cell) for cell in cells)
    return commas and not any(_DECIMAL_POINT.fullmatch(cell) for cell in cells)


def _encoding_note(encoding: str, text: str) -> str:
    names = {"utf-8": "UTF-8", "utf-16": "UTF-16", "latin-1": "Latin-1"}
    note = names.get(encoding, "Windows-1252 (not valid UTF-8)")
    return note + " with a byte order mark" if text.startswith("\ufeff") else note


def _western(dialect: Dialect) -> Dialect:
    """The same file, when bytes beyond the sample turned out not to be UTF-8."""
    first = dialect.notes[0].replace("UTF-8", "Latin-1 (not valid UTF-8)")
    notes = (first, *dialect.notes[1:])
    return replace(dialect, encoding="latin-1", notes=notes)


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
        with _open(path, gz=dialect.gz) as stream:
            return pacsv.read_csv(stream, **_options(dialect))
    except (pa.ArrowException, OSError, ValueError) as error:
        raise _explained(path, dialect, error) from error


def _blocks(
    path: Path, dialect: Dialect, types: Mapping[str, pa.DataType]
) -> Iterator[pa.RecordBatch]:
    try:
        with _open(path, gz=dialect.gz) as stream:
            yield from pacsv.open_csv(stream, **_options(dialect, types))
    except (pa.ArrowException, OSError, ValueError) as error:
        raise _explained(path, dialect, error) from error


def _widened_types(path: Path, dialect: Dialect) -> dict[str, pa.DataType]:
    try:
        with _open(path, gz=dialect.gz) as stream:
            schema = pacsv.open_csv(stream, **_options(dialect)).schema
    except (pa.ArrowException, OSError, ValueError) as error:
        raise _explained(path, dialect, error) from error
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


def _unreadable(path: Path, error: Exception) -> DataError:
    """The error for a file that cannot be opened or decompressed."""
    text = " ".join(str(error).split())
    if "inflate" in text or "compressed" in text or "zlib" in text:
        return DataError(
            f"{path}: the gzip stream is broken or cut off ({text}); "
            "copy or download the file again"
        )
    return DataError(f"{path}: cannot be read ({text})")


def _explained(path: Path, dialect: Dialect, error: Exception) -> DataError:
    """The complaint of pyarrow with the line and the remedy."""
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
    return _unreadable(path, error)


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
    with _open(path, gz=dialect.gz) as stream:
        while block := stream.read(SAMPLE_BYTES):
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
