"""Parquet files, whole or in batches."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from whitecrow.data.content import Table
from whitecrow.data.delimited import rebatch
from whitecrow.errors import DataError

__all__ = ["read_parquet", "stream_parquet"]


def read_parquet(path: Path) -> Table:
    """A whole Parquet file.

    Raises
    ------
    DataError
        The file is broken or cut off, has no columns or repeats a column name.
    """
    with _opened(path) as file:
        try:
            frame = file.read()
        except Exception as error:  # the decoders raise nearly anything on broken bytes
            raise _broken(path, error) from error
        return Table(frame, str(path), (f"Parquet, {file.num_row_groups} row groups",))


def stream_parquet(path: Path, *, batch_rows: int) -> Iterator[pa.RecordBatch]:
    """A Parquet file in batches of `batch_rows` rows, in bounded memory.

    Raises
    ------
    DataError
        As `read_parquet`, or there are no rows.
    """
    with _opened(path) as file:
        if file.metadata.num_rows == 0:
            raise DataError(f"{path}: no rows of data")
        yield from rebatch(_decoded(path, file, batch_rows), batch_rows)


def _decoded(
    path: Path, file: pq.ParquetFile, batch_rows: int
) -> Iterator[pa.RecordBatch]:
    try:
        yield from file.iter_batches(batch_size=batch_rows, use_threads=False)
    except Exception as error:  # as in read_parquet
        raise _broken(path, error) from error


def _opened(path: Path) -> pq.ParquetFile:
    try:
        # Buffered, so that a column of a row group need not be in memory at once.
        file = pq.ParquetFile(path, buffer_size=1 << 17, pre_buffer=False)
        names = file.schema_arrow.names
    except Exception as error:  # as in read_parquet
        raise _broken(path, error) from error
    for name in names:
        if names.count(name) > 1:
            raise DataError(
                f"{path}: the column name {name!r} appears {names.count(name)} times; "
                "rename all but one"
            )
    if not names:
        raise DataError(f"{path}: no columns")
    return file


def _broken(path: Path, error: Exception) -> DataError:
    text = " ".join(str(error).split())[:160]
    return DataError(
        f"{path}: broken or cut-off Parquet ({text}); write or download it again"
    )
