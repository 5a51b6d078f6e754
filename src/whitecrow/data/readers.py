"""Files, patterns and folders as a table or as pictures; large tables in batches.

The suffix says which format is expected and the first bytes must agree with it, so
that a wrong name gives one clear sentence and not the complaint of a parser.
"""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from whitecrow.data import arrays, delimited, parquet, pictures
from whitecrow.data.content import Pictures, Table
from whitecrow.errors import DataError, ParameterError

__all__ = ["FORMATS", "Pictures", "Table", "locate", "places", "read", "stream"]

FORMATS = {
    ".csv": "csv",
    ".csv.gz": "csv",
    ".tsv": "csv",
    ".tsv.gz": "csv",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".npz": "npz",
    ".npy": "npy",
    ".mat": "mat",
    **dict.fromkeys(pictures.SUFFIXES, "picture"),
}
"""Suffix to format; `stream` takes csv and parquet."""

_STREAMED = ("csv", "parquet")
_SIGNATURES = {
    b"PAR1": ("parquet", ".parquet"),
    b"\x1f\x8b": ("gzip", ".csv.gz"),
    b"\x93NUMPY": ("npy", ".npy"),
    b"PK\x03\x04": ("zip", ".npz (if it holds arrays)"),
    b"MATLAB": ("mat", ".mat"),
    b"\x89HDF": ("hdf5", ""),
    b"\x89PNG": ("picture", ".png"),
    b"\xff\xd8\xff": ("picture", ".jpg"),
    b"%PDF": ("pdf", ""),
    b"SQLite": ("sqlite", ""),
}


def read(source: str | Path, *, picture_size: int | None = None) -> Table | Pictures:
    r"""Read a file, the files of a pattern, or a folder of pictures.

    Parameters
    ----------
    source : str or Path
        A csv, csv.gz, tsv, parquet, npz, npy, mat or picture file; a pattern such as
        `data/*.csv`, whose files must have equal columns; or a folder of pictures.
        Looked for as `locate` does.
    picture_size : int, optional
        Side in pixels that pictures are resized to; see `pictures.read_pictures`.

    Returns
    -------
    Table or Pictures
        With the reader's decisions in `notes`.

    Raises
    ------
    DataError
        The source is missing, empty, broken, of a format that is not readable, or
        its rows or columns are inconsistent. The message names file and line.
    ParameterError
        `picture_size` is not a positive number.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder, "pumps.csv")
    ...     _ = path.write_text("flow;state\n1,5;on\n2,5;off\n")
    ...     table = read(path)
    >>> table.frame.to_pydict()
    {'flow': [1.5, 2.5], 'state': ['on', 'off']}
    >>> table.notes[1]
    'numbers are written with a decimal comma'
    """
    paths = _expand(source)
    if len(paths) == 1 and paths[0].is_dir():
        return pictures.read_pictures(paths[0], picture_size=picture_size)
    formats = {format_of(path) for path in paths}
    if formats == {"picture"}:
        base = Path(os.path.commonpath([path.parent for path in paths]))
        return pictures.read_pictures(base, files=paths, picture_size=picture_size)
    if len(paths) > 1 and "picture" in formats:
        raise DataError(
            f"{source}: the pattern matches pictures and other files; "
            "give a pattern with one suffix, such as '*.png'"
        )
    parts = [_read_file(path) for path in paths]
    if len(parts) == 1:
        return parts[0]
    tables = [part for part in parts if isinstance(part, Table)]
    if len(tables) < len(parts):
        raise DataError(f"{source}: array files of pictures are read one at a time")
    return _stacked(str(source), tables)


def stream(
    source: str | Path,
    *,
    batch_rows: int = 65536,
    types: Mapping[str, pa.DataType] | None = None,
) -> Iterator[pa.RecordBatch]:
    r"""Read csv or parquet files in batches, never a whole file in memory.

    Parameters
    ----------
    source : str or Path
        As for `read`, but only csv, csv.gz, tsv and parquet. The files of a pattern
        follow one another.
    batch_rows : int
        Rows in a batch; only the last batch of a file may be shorter.
    types : mapping of column name to pyarrow type, optional
        Types of the columns of text files;
        columns that it does not name are text. Without it, the first rows decide
        and a later cell that does not fit is an error.

    Yields
    ------
    pyarrow.RecordBatch

    Raises
    ------
    DataError
        As for `read`, at the first batch that is affected.
    ParameterError
        `batch_rows` is below 1.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder, "pumps.csv")
    ...     _ = path.write_text("flow,load\n1,1\n2,3\n4,5\n")
    ...     [batch.num_rows for batch in stream(path, batch_rows=2)]
    [2, 1]
    """
    if batch_rows < 1:
        raise ParameterError(f"batch_rows={batch_rows}; use a whole number from 1")
    paths = _expand(source)
    for path in paths:
        if path.is_dir() or format_of(path) not in _STREAMED:
            raise DataError(
                f"{path}: only csv, csv.gz, tsv and parquet files can be read in "
                "batches; convert the data to one of them, or read it whole"
            )
    return _batches(paths, batch_rows, types)


def locate(source: str | Path) -> Path:
    """The path of a source: as given, in `$WHITECROW_DATA`, or in `../shared/data`.

    Raises
    ------
    DataError
        It is in none of these places; the message names them.

    Examples
    --------
    >>> locate("no_such_file.csv")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ...
    whitecrow.errors.DataError: no_such_file.csv: no such file or folder; ...
    """
    text = str(source)
    if re.match(r"[a-z][a-z0-9+]+://", text):
        raise DataError(f"{text}: addresses are not read; download the file first")
    given = _at_home(text)
    try:
        for place in (Path(), *places()):
            if text and (place / given).exists():
                return place / given
    except (OSError, ValueError) as error:  # too long a name, or a NUL in it
        raise DataError(f"{text[:80]!r}: not a path ({error})") from error
    looked = ", ".join(["as given", *(str(place) for place in places())])
    hint = "" if "WHITECROW_DATA" in os.environ else "; $WHITECROW_DATA is not set"
    raise DataError(f"{text}: no such file or folder; looked {looked}{hint}")


def places() -> list[Path]:
    """The folders where data are looked for besides the path as given."""
    found = []
    if folder := os.environ.get("WHITECROW_DATA"):
        found.append(_at_home(folder))
    roots = [Path.cwd()]
    checkout = Path(__file__).resolve().parents[3]
    if (checkout / "pyproject.toml").exists():  # not installed, but worked on
        roots.append(checkout)
    for root in roots:
        shared = root.parent / "shared" / "data"
        if shared.is_dir() and shared not in found:
            found.append(shared)
    return found


def _at_home(text: str) -> Path:
    try:
        return Path(text).expanduser()
    except (RuntimeError, ValueError):  # ~name without an account here, or a NUL
        return Path(text)


def format_of(path: Path) -> str:
    """The format that the suffix names, once the content agrees.

    Raises
    ------
    DataError
        The suffix names no readable format, the file is empty or cannot be read, or
        it holds something else.
    """
    name = path.name.lower()
    suffix = next((s for s in FORMATS if name.endswith(s)), "")
    try:
        with path.open("rb") as file:
            head = file.read(16)
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from error
    actual, right = next(
        (found for start, found in _SIGNATURES.items() if head.startswith(start)),
        ("", ""),
    )
    if not suffix:
        raise _unknown_format(path, right)
    if not head:
        raise DataError(f"{path}: the file is empty")
    expected = FORMATS[suffix]
    allowed = {
        "csv": {"gzip"} if suffix.endswith(".gz") else {""},
        "npz": {"zip"},
        "mat": {"mat", "hdf5", ""},
        "picture": {"picture", ""},
    }.get(expected, {expected})
    if actual not in allowed:
        advice = f"rename it so that it ends in {right}" if right else "convert it"
        content = actual or "something else"
        raise DataError(
            f"{path}: this is no {suffix[1:]} file, its content is {content}; {advice}"
        )
    return expected


# --------------------------------------------------------------------- patterns


def _expand(source: str | Path) -> list[Path]:
    text = str(source)
    if not glob.has_magic(text) or os.path.lexists(text):
        return [locate(source)]
    for place in (Path(), *places()):
        pattern = str(place / _at_home(text))
        # Path.glob takes no absolute patterns.
        found = sorted(map(Path, glob.glob(pattern, recursive=True)))  # noqa: PTH207
        if files := [path for path in found if path.is_file()]:
            return files
    raise DataError(
        f"{text}: the pattern matches no file; quote it so that the shell leaves it "
        "alone, and check the folder"
    )


def _stacked(source: str, tables: Sequence[Table]) -> Table:
    first = tables[0]
    frames = []
    for table in tables:
        _check_columns(first, table)
        frames.append(table.frame.select(list(first.columns)))
    frame = _concatenated(frames)
    starts = [0]
    for table in tables:
        starts.append(starts[-1] + table.n_rows)
    shown = [
        f"{Path(table.source).name} from row {start}"
        for table, start in zip(tables[:5], starts, strict=False)
    ]
    more = f" and {len(tables) - 5} more" if len(tables) > 5 else ""
    notes = (f"{len(tables)} files: {', '.join(shown)}{more}", *first.notes)
    return Table(frame, source, notes, first.label_column)


def _check_columns(first: Table, other: Table) -> None:
    if set(first.columns) == set(other.columns):
        return
    absent = sorted(set(first.columns) - set(other.columns))
    extra = sorted(set(other.columns) - set(first.columns))
    difference = [f"without {name!r}" for name in absent[:3]]
    difference += [f"with {name!r}" for name in extra[:3]]
    raise DataError(
        f"{other.source}: its columns differ from those of {first.source} "
        f"({', '.join(difference)}); the files of a pattern need equal columns"
    )


def _concatenated(frames: list[pa.Table]) -> pa.Table:
    """One after another; a column of different types becomes wider, else text."""
    try:
        return pa.concat_tables(frames, promote_options="permissive")
    except (pa.ArrowTypeError, pa.ArrowInvalid):
        return pa.concat_tables(_as_text_where_different(frames))


def _as_text_where_different(frames: list[pa.Table]) -> list[pa.Table]:
    schemas = [frame.schema for frame in frames]
    fields = []
    for field in schemas[0]:
        types = {schema.field(field.name).type for schema in schemas}
        kind = field.type if len(types) == 1 else pa.string()
        fields.append(pa.field(field.name, kind))
    return [frame.cast(pa.schema(fields)) for frame in frames]


# ------------------------------------------------------------------------ files


def _read_file(path: Path) -> Table | Pictures:
    expected = format_of(path)
    if expected == "npz":
        part = arrays.read_npz(path)
    elif expected == "npy":
        part = arrays.read_npy(path)
    elif expected == "mat":
        part = arrays.read_mat(path)
    elif expected == "parquet":
        part = parquet.read_parquet(path)
    else:
        frame, notes = delimited.read_delimited(path)
        part = Table(frame, str(path), notes)
    if isinstance(part, Table):
        _check_not_empty(path, part.frame)
    return part


def _check_not_empty(path: Path, frame: pa.Table) -> None:
    if frame.num_rows == 0:
        raise DataError(f"{path}: no rows of data")
    for column in frame.columns:
        if pc.count(column, mode="only_valid").as_py() and not _all_nan(column):
            return
    raise DataError(
        f"{path}: every cell of all {frame.num_columns} columns is missing; "
        "there is nothing to learn from"
    )


def _all_nan(column: pa.ChunkedArray) -> bool:
    if not pa.types.is_floating(column.type):
        return False
    return bool(pc.all(pc.is_null(column, nan_is_null=True)).as_py())


def _unknown_format(path: Path, right: str) -> DataError:
    legal = "csv, csv.gz, tsv, parquet, npz, npy, mat, and png, jpg, bmp, tif, webp"
    advice = "if it is delimited text, rename it to end in .csv"
    if right:
        advice = f"its content suggests a name that ends in {right}"
    shown = path.suffix or "no suffix"
    return DataError(f"{path}: {shown} is not readable; {advice} (readable: {legal})")


# ---------------------------------------------------------------------- batches


def _batches(
    paths: list[Path], batch_rows: int, types: Mapping[str, pa.DataType] | None
) -> Iterator[pa.RecordBatch]:
    for path in paths:
        if format_of(path) == "parquet":
            yield from parquet.stream_parquet(path, batch_rows=batch_rows)
        else:
            yield from delimited.stream_delimited(
                path, batch_rows=batch_rows, types=types
            )
