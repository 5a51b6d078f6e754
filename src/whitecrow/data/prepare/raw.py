"""Original files, as their authors wrote them, in batches of text.

What differs from well-formed tables is dealt with here: no header, blanks around names,
one name for two columns, bytes that are not UTF-8, folders of compressed files.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
from pyarrow import csv as pacsv

from whitecrow.data import catalog, formats, places
from whitecrow.data.formats import TableFile
from whitecrow.data.formats.dialect import SEPARATORS
from whitecrow.data.formats.ragged import refusal
from whitecrow.data.formats.streams import BROKEN, Bytes, Text, unreadable
from whitecrow.data.formats.units import MISSING_WORDS
from whitecrow.data.prepare.layout import Columns, Layout
from whitecrow.data.rows import PictureRows
from whitecrow.errors import DataError

__all__ = ["Source", "batches", "paths", "sources"]

BLOCK_BYTES = 8 << 20
HEAD_BYTES = 1 << 16


@dataclass(frozen=True)
class Source:
    """One original file.

    Attributes
    ----------
    path : Path
        Where it is.
    columns : tuple of str
        Names of its columns, without blanks and doubles.
    header : bool
        Whether its first row holds the names.
    split : str or None
        Train or test, where the file name says it.
    """

    path: Path
    columns: Columns
    header: bool
    split: str | None


def sources(files: Sequence[str], layout: Layout) -> list[Source]:
    """Find the original files of a set, and check each; `files` as for `paths`.

    Raises
    ------
    DataError
        A file is missing, given twice, empty, or of another layout.
    """
    every = paths(files)
    real = [path.resolve() for path in every]
    for path in every:
        if real.count(path.resolve()) > 1:
            raise DataError(f"{path}: given twice, so all its rows would be doubled")
    for path in filter(_is_description, every):
        _check_description(path, layout)
    found = [_source(path, layout) for path in every if not _is_description(path)]
    if not found:
        raise DataError(
            f"no file with rows among {', '.join(files)}; give {layout.files}"
        )
    for other in found[1:]:
        _check_equal(found[0], other, layout)
    return found


def batches(source: Source, columns: Columns, label: str) -> Iterator[pa.RecordBatch]:
    """Yield the rows of a file: the columns asked for, and the label.

    Raises
    ------
    DataError
        No rows, a row of another width, a broken archive.
    """
    wanted = [*columns, label]
    rows = 0
    parts = _arrays if source.path.suffix == ".mat" else _text
    for batch in parts(source, wanted):
        rows += batch.num_rows
        yield batch
    if not rows:
        raise DataError(f"{source.path}: there is no row of data in it")


# -------------------------------------------------------------------- finding files


def paths(files: Sequence[str]) -> list[Path]:
    """Name the original files that are given: files, folders, or catalogue names.

    Raises
    ------
    DataError
        A file is missing, or a folder has none.
    """
    return [path for given in files for path in _expanded(given)]


def _expanded(given: str) -> list[Path]:
    if given in catalog.names() and not Path(given).exists():
        return [catalog.path(given)]
    path = places.locate(given)
    if not path.is_dir():
        return [path]
    every = sorted(path.iterdir())
    found = [file for file in every if file.name.endswith((".csv", ".csv.gz"))]
    if not found:
        raise DataError(f"{path}: no .csv or .csv.gz file in this folder")
    return found


def _is_description(path: Path) -> bool:
    return path.suffix == ".names"


def _check_description(path: Path, layout: Layout) -> None:
    """Refuse a names file that does not describe the columns of the layout."""
    text = path.read_text(encoding="latin-1")
    found = tuple(re.findall(r"^\s*(\w+)\s*:\s*\w+\s*\.", text, re.MULTILINE))
    if found != layout.required:
        raise DataError(
            f"{path}: it describes {len(found)} columns, not the "
            f"{len(layout.required)} of {layout.title}; leave it out, they are known"
        )


def _source(path: Path, layout: Layout) -> Source:
    if path.suffix == ".mat":
        columns, header = _matrix(path).names, True
    else:
        columns, header = _first_row(path, layout)
    missing = [c for c in (*layout.required, layout.label) if c not in columns]
    if missing:
        raise DataError(
            f"{path}: there is no column {missing[0]!r}, so this is no file of "
            f"{layout.title}; it has {', '.join(columns[:5])}, ...; "
            f"the original files are at {layout.source}"
        )
    return Source(path, columns, header, _split(path) if layout.splits else None)


def _check_equal(first: Source, other: Source, layout: Layout) -> None:
    """Refuse files of a set that differ in more than the columns to be dropped."""
    differing = set(first.columns) ^ set(other.columns)
    differing -= set(layout.drop) - set(layout.revived)
    if differing:
        raise DataError(
            f"{first.path} and {other.path} do not belong together: only one of them "
            f"has the column {min(differing)!r}"
        )


def _split(path: Path) -> str:
    found = [part for part in ("train", "test") if part in path.name.lower()]
    if len(found) != 1:
        raise DataError(
            f"{path}: the file name does not say whether this is the train or the test "
            "part; keep the original names"
        )
    return found[0]


# ------------------------------------------------------------------- the first row


def _first_row(path: Path, layout: Layout) -> tuple[Columns, bool]:
    cells = _cells(path)
    _check_separator(path, cells)
    names = _unique([cell.strip() for cell in cells])
    if not layout.names or names[0] == layout.names[0]:
        return names, True
    if len(cells) != len(layout.names):
        raise DataError(
            f"{path}: the first row has {len(cells)} cells, files of {layout.title} "
            f"have {len(layout.names)}; the original files are at {layout.source}"
        )
    return layout.names, False


def _cells(path: Path) -> list[str]:
    head = _bytes(path).head(HEAD_BYTES)
    if head.startswith((b"PK\x03\x04", b"\x1f\x8b")) or b"\x00" in head:
        raise DataError(
            f"{path}: its content is not text; unpack archives, and let the name of "
            "what gzip compressed end in .gz"
        )
    if not head.strip(b"\xef\xbb\xbf \t\r\n"):
        raise DataError(f"{path}: the file is empty; download it again")
    line = re.split(rb"[\r\n]", head.lstrip(b"\xef\xbb\xbf"), maxsplit=1)[0]
    return next(csv.reader([line.decode("latin-1")]), [""])


def _check_separator(path: Path, cells: list[str]) -> None:
    others = [s for s in SEPARATORS if s != "," and cells[0].count(s) > 1]
    if len(cells) < 3 and others:
        raise DataError(
            f"{path}: its cells are separated by a {SEPARATORS[others[0]]}, those of "
            "the original files by a comma; give the original files"
        )


def _unique(names: Sequence[str]) -> Columns:
    """Make names unique: a second one gets ".1", as in most tools."""
    result: list[str] = []
    for name in names:
        number, unique = 0, name
        while unique in result:
            number += 1
            unique = f"{name}.{number}"
        result.append(unique)
    return tuple(result)


def _bytes(path: Path) -> Bytes:
    return Bytes(path, str(path), "gzip" if path.suffix.lower() == ".gz" else "")


# ------------------------------------------------------------------------ the rows


def _text(source: Source, wanted: list[str]) -> Iterator[pa.RecordBatch]:
    names = source.columns
    options = {
        "read_options": pacsv.ReadOptions(
            column_names=list(names),
            skip_rows=int(source.header),
            block_size=BLOCK_BYTES,
        ),
        "convert_options": pacsv.ConvertOptions(
            # Repeated headers and bytes of other encodings stand in the way of types.
            column_types=dict.fromkeys(names, pa.string()),
            check_utf8=False,
            strings_can_be_null=True,
            null_values=list(MISSING_WORDS),
            include_columns=wanted,
        ),
    }
    file = _bytes(source.path)
    try:
        with file.opened() as stream:
            yield from pacsv.open_csv(stream, **options)
    except BROKEN as error:
        if "columns, got" in str(error):
            raise _ragged(file, len(names)) from error
        raise unreadable(file, error) from error


def _ragged(file: Bytes, width: int) -> DataError:
    """Return the error for the first line of another width."""
    with file.text(Text("latin-1", 0, 0, True), 0) as text:
        reader, line = csv.reader(text), 1
        for row in reader:
            if row and len(row) != width:
                return refusal(file.shown, ",", width, line, len(row), cut_off=False)
            line = reader.line_num + 1
    return DataError(f"{file.shown}: its lines have different numbers of cells")


def _matrix(path: Path) -> TableFile:
    data = formats.open_file(path)
    if isinstance(data, PictureRows) or data.label_column is None:
        raise DataError(f"{path}: no arrays X and y in it")
    return data


def _arrays(source: Source, wanted: list[str]) -> Iterator[pa.RecordBatch]:
    table = _matrix(source.path)
    whole = table.read()
    place = table.names.index(str(table.label_column))
    truth = whole.column(place).cast(pa.int64()).cast(pa.string())
    frame = whole.set_column(place, wanted[-1], truth)
    yield from frame.select(wanted).to_batches()
