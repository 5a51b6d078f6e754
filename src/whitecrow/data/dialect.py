"""How a delimited file is written, found in its first megabyte.

Separator, decimal mark, encoding and header, each reported in a sentence.
"""

from __future__ import annotations

import codecs
import contextlib
import csv
import io
import re
from dataclasses import dataclass, replace
from itertools import islice, pairwise
from pathlib import Path
from typing import Any

import pyarrow as pa

from whitecrow.errors import DataError

__all__ = ["SEPARATORS", "Dialect", "as_western", "opened", "sniff", "unreadable"]

SAMPLE_BYTES = 1 << 20
SAMPLE_ROWS = 200
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
        with opened(path, gz=gz) as stream:
            sample: bytes = stream.read(SAMPLE_BYTES)
    except OSError as error:
        raise unreadable(path, error) from error
    return sample


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
    numeric = sum(_NUMBER.fullmatch(cell) is not None for cell in first)
    if 2 * numeric > len(first) > numeric:
        return True, (
            f"the first row ({', '.join(first[:3])}, ...) is taken as column names, "
            "though most of it is numbers; if it is data, add a header row",
        )
    if numeric < len(first):
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


def as_western(dialect: Dialect) -> Dialect:
    """The same file, when bytes beyond the sample turned out not to be UTF-8."""
    first = dialect.notes[0].replace("UTF-8", "Latin-1 (not valid UTF-8)")
    notes = (first, *dialect.notes[1:])
    return replace(dialect, encoding="latin-1", notes=notes)


def opened(path: Path, *, gz: bool) -> Any:
    """The bytes of a file, decompressed while they are read."""
    return pa.input_stream(str(path), compression="gzip" if gz else None)


def unreadable(path: Path, error: Exception) -> DataError:
    """The error for a file that cannot be opened or decompressed."""
    text = " ".join(str(error).split())
    if "inflate" in text or "compressed" in text or "zlib" in text:
        return DataError(
            f"{path}: the gzip stream is broken or cut off ({text}); "
            "copy or download the file again"
        )
    return DataError(f"{path}: cannot be read ({text})")
