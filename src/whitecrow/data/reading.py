"""A source as a table or as pictures, read in one piece."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa

from whitecrow.data import formats, pictures, places
from whitecrow.data.content import Pictures, Table
from whitecrow.errors import DataError

__all__ = ["read", "stream"]


def read(
    source: str | Path, *, picture_size: int | None = None, sheet: str | None = None
) -> Table | Pictures:
    r"""Read a file, the files of a pattern, or a folder of pictures.

    Parameters
    ----------
    source : str or Path
        A file of `formats.FORMATS`; a pattern such as `data/*.csv`, whose files must
        have equal columns; or a folder of pictures. Looked for as `places.locate` does.
    picture_size : int, optional
        Side in pixels that pictures are resized to; see `pictures.read_pictures`.
    sheet : str, optional
        The sheet of a workbook.

    Raises
    ------
    DataError
        The source is missing, empty, broken, of a format that is not readable, or
        its rows or columns are inconsistent. The message names file and line.
    ParameterError
        `picture_size` is not a positive number, or there is no such sheet.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder, "pumps.csv")
    ...     _ = path.write_text("flow;state\n1,5;on\n2,5;off\n")
    ...     table = read(path)
    >>> table.frame.to_pydict()
    {'flow': ['1,5', '2,5'], 'state': ['on', 'off']}
    """
    paths = places.expand(source)
    if len(paths) == 1 and paths[0].is_dir():
        return pictures.read_pictures(paths[0], picture_size=picture_size)
    kinds = {formats.format_of(path) for path in paths}
    if kinds == {"picture"}:
        base = Path(os.path.commonpath([path.parent for path in paths]))
        return pictures.read_pictures(base, files=paths, picture_size=picture_size)
    if len(paths) > 1 and "picture" in kinds:
        raise DataError(
            f"{source}: the pattern matches pictures and other files; "
            "give a pattern with one suffix, such as '*.png'"
        )
    if len(paths) == 1:
        found = formats.open_file(paths[0], sheet=sheet)
        if isinstance(found, Pictures):
            return found
    else:
        found = formats.open_tables(source, paths, sheet=sheet)
    frame = found.read()
    return Table(frame, str(found.path), found.notes, found.label_column)


def stream(
    source: str | Path, *, batch_rows: int = formats.BATCH_ROWS
) -> Iterator[pa.RecordBatch]:
    r"""Return the rows of a file, or of the files of a pattern, in batches.

    Parameters
    ----------
    source : str or Path
        As for `read`, but no pictures.
    batch_rows : int
        Rows in a batch; only the last one may be shorter.

    Raises
    ------
    DataError, ParameterError
        As for `read`, at the first batch that is affected.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder, "pumps.csv")
    ...     _ = path.write_text("flow,load\n1,1\n2,3\n4,5\n")
    ...     [batch.num_rows for batch in stream(path, batch_rows=2)]
    [2, 1]
    """
    paths = places.expand(source)
    return formats.open_tables(source, paths).batches(batch_rows)
