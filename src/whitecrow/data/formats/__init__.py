"""Files as tables: any format, in batches or whole, each column as it is written.

`open_table` opens one file, `open_tables` the files of a pattern. The content of a file
decides which format it has; a name that says otherwise is mentioned in the notes.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from whitecrow.data.formats.archive import spooled, unzipped
from whitecrow.data.formats.signature import FORMATS, Found, format_in, suffix_of
from whitecrow.data.formats.streams import Bytes
from whitecrow.data.formats.table import (
    BATCH_ROWS,
    EmptyError,
    InMemory,
    Stacked,
    TableFile,
    rebatch,
    without_rows,
)
from whitecrow.data.places import STDIN
from whitecrow.data.rows import PictureRows
from whitecrow.errors import DataError, ParameterError

__all__ = [
    "BATCH_ROWS",
    "FORMATS",
    "InMemory",
    "Stacked",
    "TableFile",
    "format_of",
    "open_file",
    "open_table",
    "open_tables",
    "rebatch",
]

_TABLES = tuple(s for s, kind in FORMATS.items() if kind not in ("picture", "zip"))
_ALL = "csv, tsv, txt, xlsx, jsonl, parquet, arrow, zip, npz, npy, mat"


def format_of(path: Path) -> str:
    """Return the format of a file: a value of `FORMATS`.

    Raises
    ------
    DataError
        The file is empty, cannot be read, or holds something that is not readable.
    """
    return format_in(_bytes(path), path.name).kind


def open_file(path: Path, *, sheet: str | None = None) -> TableFile | PictureRows:
    """Open a file that holds a table, or arrays that are pictures.

    Parameters
    ----------
    path : Path
        A file; `-` is standard input.
    sheet : str, optional
        The sheet of a workbook: its name, or its number from 1.

    Raises
    ------
    DataError
        The file is missing, empty, broken or of a format that is not readable.
    ParameterError
        There is no such sheet, or the file is not a workbook.
    """
    return _opened(_bytes(path), path, path.name, sheet)


def open_table(path: Path, *, sheet: str | None = None) -> TableFile:
    r"""Open a file that holds a table.

    Parameters
    ----------
    path, sheet
        As for `open_file`.

    Raises
    ------
    DataError, ParameterError
        As for `open_file`, or the file holds pictures.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder, "pumps.csv")
    ...     _ = path.write_text("flow;state\n1,5;on\n2,5;off\n")
    ...     file = open_table(path)
    ...     file.read().to_pydict(), file.lines([1])
    ({'flow': ['1,5', '2,5'], 'state': ['on', 'off']}, [3])
    """
    found = open_file(path, sheet=sheet)
    if isinstance(found, PictureRows):
        raise DataError(f"{path}: it holds pictures, but a table is asked for")
    return found


def open_tables(
    source: str | Path, paths: Sequence[Path], *, sheet: str | None = None
) -> TableFile:
    """Open files with equal columns as one table.

    Parameters
    ----------
    source : str or Path
        What names them: a pattern.
    paths : sequence of Path
        At least one file.
    sheet : str, optional
        As for `open_table`.

    Raises
    ------
    DataError
        As for `open_table`, or the columns of the files differ.
    """
    parts, empty = [], []
    for path in paths:
        try:
            parts.append(open_table(path, sheet=sheet))
        except EmptyError as error:
            empty.append((path.name, error))
    if not parts:
        raise empty[0][1]
    found = parts[0] if len(parts) == 1 else Stacked(Path(source), parts)
    for name, _ in empty:
        found.add_note(without_rows(name))
    return found


def _bytes(path: Path) -> Bytes:
    if path == STDIN:
        return spooled()
    if path.is_dir():
        raise DataError(f"{path}: a folder, where a file is expected")
    if path.exists() and not path.is_file():
        raise DataError(f"{path}: not a file; for a pipe, use - and standard input")
    return Bytes(path, str(path))


def _opened(
    file: Bytes, path: Path, name: str, sheet: str | None
) -> TableFile | PictureRows:
    what = format_in(file, name)
    kind = what.kind
    if sheet is not None and kind not in ("workbook", "zip"):
        raise ParameterError(
            f"{path}: --sheet {sheet!r} is for workbooks; leave it out"
        )
    if kind == "zip":
        member, name = unzipped(file, _TABLES)
        found = _opened(member, path, name, sheet)
        if isinstance(found, TableFile):
            found.add_note(f"the file {name!r} of the archive is read")
        return found
    file = Bytes(file.path, file.shown, what.packing, file.keep)
    found = _read(file, path, name, kind, sheet)
    if isinstance(found, TableFile):
        _check_names(found, name, what)
    return found


def _read(
    file: Bytes, path: Path, name: str, kind: str, sheet: str | None
) -> TableFile | PictureRows:
    """Open a file with the reader of its format."""
    if kind == "csv":
        from whitecrow.data.formats.delimited import Delimited

        return Delimited(file, path, suffix_of(name))
    if kind in ("parquet", "arrow"):
        from whitecrow.data.formats import columnar

        return (columnar.Parquet if kind == "parquet" else columnar.Arrow)(file, path)
    if kind == "jsonl":
        from whitecrow.data.formats.jsonlines import open_json

        return open_json(file, path)
    if kind == "workbook":
        from whitecrow.data.formats.workbook import read_workbook

        return read_workbook(file, path, sheet)
    if kind == "picture":
        raise DataError(f"{path}: a picture, where a table is expected")
    from whitecrow.data.formats import arrays

    readers = {"npz": arrays.read_npz, "npy": arrays.read_npy, "mat": arrays.read_mat}
    found = readers[kind](file)
    if isinstance(found, TableFile):
        found.path = path
    return found


def _check_names(found: TableFile, name: str, what: Found) -> None:
    """Note that a name suggests another format, or refuse what is not a table."""
    known = any(name.lower().endswith(suffix) for suffix in FORMATS)
    prose = what.kind == "csv" and len(found.names) == 1 and not known and name != "-"
    if prose and "no header" not in " ".join(found.notes):
        suffix = Path(name).suffix or "no suffix"
        raise DataError(
            f"{found.path}: {suffix} is not readable, and the content is no table; if "
            f"it is delimited text, rename it to end in .csv (readable: {_ALL})"
        )
    if what.misnamed and name != "-":
        shown = f"{what.kind}, {what.packing}" if what.packing else what.kind
        found.add_note(f"read as {shown} by its content, whatever its name says")
