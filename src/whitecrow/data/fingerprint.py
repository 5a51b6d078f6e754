"""Hashes of what was read: by them answers know the rows that they are about.

They are those of the cells and files, whatever is made of them later: which columns are
left out, how they are read and encoded, or to which size pictures are brought.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from whitecrow.data.rows import PictureRows
from whitecrow.errors import DataError

if TYPE_CHECKING:
    from whitecrow.data.rows import TableRows

__all__ = ["of_rows"]

_SIZE = 16  # bytes


def of_rows(rows: TableRows | PictureRows) -> str:
    """Hash the cells of a table, or the files of pictures, in their order.

    Parameters
    ----------
    rows : TableRows or PictureRows
        Pictures of an array have no files and are hashed as they are.

    Raises
    ------
    DataError
        The file of a picture cannot be read any more.

    Examples
    --------
    >>> from whitecrow.data.rows import TableRows
    >>> rows = [TableRows(source="", frame=pa.table({"a": [x]})) for x in (1, 2)]
    >>> of_rows(rows[0]) == of_rows(rows[0]), of_rows(rows[0]) == of_rows(rows[1])
    (True, False)
    """
    if isinstance(rows, PictureRows):
        return _of_pictures(rows)
    found = hashlib.blake2b(str(len(rows)).encode(), digest_size=_SIZE)
    for name, column in zip(rows.frame.column_names, rows.frame.columns, strict=True):
        found.update(name.encode() + b"\0" + _of_column(column))
    return found.hexdigest()


def _of_pictures(rows: PictureRows) -> str:
    found = hashlib.blake2b(str(len(rows)).encode(), digest_size=_SIZE)
    if not rows.files:
        found.update(np.ascontiguousarray(rows.images).data)
        return found.hexdigest()
    try:
        for path in rows.files:
            found.update(hashlib.blake2b(path.read_bytes(), digest_size=_SIZE).digest())
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from error
    return found.hexdigest()


def _of_column(column: pa.ChunkedArray) -> bytes:
    """Hash a column; equal cells give equal hashes, however they are chunked."""
    kind = column.type
    if pa.types.is_integer(kind) or pa.types.is_floating(kind):
        return _of_numbers(column)
    shapes, content = (hashlib.blake2b(digest_size=_SIZE) for _ in range(2))
    for chunk in column.chunks:
        texts = _as_text(chunk)
        lengths = pc.fill_null(pc.binary_length(texts), -1)
        shapes.update(lengths.to_numpy(zero_copy_only=False).astype("<i8").tobytes())
        content.update(_bytes_of(texts))
    return shapes.digest() + content.digest()


def _of_numbers(column: pa.ChunkedArray) -> bytes:
    values = hashlib.blake2b(str(column.type).encode(), digest_size=_SIZE)
    missing = hashlib.blake2b(digest_size=_SIZE)
    for chunk in column.chunks:
        filled = pc.fill_null(chunk, 0) if chunk.null_count else chunk
        values.update(filled.to_numpy(zero_copy_only=False).tobytes())
        missing.update(pc.is_null(chunk).to_numpy(zero_copy_only=False).tobytes())
    return values.digest() + missing.digest()


def _as_text(chunk: pa.Array) -> pa.Array:
    """Convert cells to bytes."""
    try:
        return chunk.cast(pa.large_string()).cast(pa.large_binary())
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        cells = [None if cell is None else repr(cell) for cell in chunk.to_pylist()]
        return pa.array(cells, pa.large_string()).cast(pa.large_binary())


def _bytes_of(texts: pa.Array) -> memoryview:
    """Return the bytes of all cells, concatenated, without a copy."""
    filled = pc.fill_null(texts, b"")
    _, ends, content = filled.buffers()
    if not len(filled) or content is None:
        return memoryview(b"")
    places = np.frombuffer(ends, np.int64)[filled.offset :][: len(filled) + 1]
    return memoryview(content)[places[0] : places[-1]]
