"""Scores to a file: Parquet or CSV, batch by batch, whole or not at all."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
from numpy.typing import NDArray

from whitecrow.data.kinds.words import cell_of, in_full
from whitecrow.data.rows import PictureRows, TableRows
from whitecrow.errors import DataError
from whitecrow.files import replacing

__all__ = ["SUFFIXES", "check_format", "columns", "write_table", "writing"]

SUFFIXES = (".parquet", ".pq", ".csv", ".csv.gz", ".tsv")
OURS = ("row", "line", "path", "anomaly_score", "rank", "is_anomaly", "reasons")
"""Names of our own columns; a column of the data that is called so gets a mark."""

Write = Callable[[pa.Table], None]


def check_format(path: str | Path) -> None:
    """Refuse a file name whose ending is not a format that scores can have.

    Raises
    ------
    DataError
        With the endings that can be used.
    """
    name = str(path).lower()
    if name.endswith(SUFFIXES):
        return
    if name.endswith((".xlsx", ".xls", ".ods")):
        raise DataError(
            f"-o {path}: workbooks are read but not written; write a .csv, which a "
            "spreadsheet opens"
        )
    raise DataError(
        f"-o {path}: scores are written as {', '.join(SUFFIXES)}; give a name that "
        "ends in one of these"
    )


@contextmanager
def writing(path: str | Path) -> Iterator[Write]:
    """Yield a function that adds rows to a file; the first call sets the columns.

    The file appears under its name when the block ends well.

    Raises
    ------
    DataError
        When the ending is not a format, or the file cannot be written.
    """
    check_format(path)
    with replacing(path) as temporary:
        opened: list[Any] = []

        def write(table: pa.Table) -> None:
            if not opened:
                opened.append(_opened(temporary, str(path).lower(), table.schema))
            opened[0].write_table(table)

        try:
            yield write
        finally:
            for one in opened:
                one.close()


def write_table(path: str | Path, table: pa.Table) -> None:
    """Write one table; see `writing`."""
    with writing(path) as write:
        write(table)


def columns(
    rows: TableRows | PictureRows,
    scores: NDArray[np.float64],
    threshold: float,
    *,
    identifiers: Sequence[str] = (),
    more: Mapping[str, Any] | None = None,
) -> pa.Table:
    """Put scores beside what says which row each belongs to.

    Parameters
    ----------
    rows : TableRows or PictureRows
    scores : ndarray of shape (n,)
    threshold : float
        Rows with a higher score are flagged.
    identifiers : sequence of str
        Columns of the data to keep, those that say who a row is.
    more : mapping of str to array, optional
        Further columns of ours: `line`, `rank`, `reasons`.

    Returns
    -------
    pyarrow.Table
        `row` (counted from 0), `path` of pictures, `anomaly_score`, `is_anomaly`, and
        the others; our columns in a fixed order, then the identifiers.
    """
    found: dict[str, Any] = {
        "row": np.arange(len(rows)) if rows.numbers is None else rows.numbers,
        "anomaly_score": scores,
        "is_anomaly": scores > threshold,
        **(more or {}),
    }
    if isinstance(rows, PictureRows):
        found["path"] = list(rows.paths)
    texts = {"path": pa.string(), "reasons": pa.string()}
    arrays = {
        name: pa.array(found[name], type=texts.get(name))
        for name in OURS
        if name in found
    }
    if isinstance(rows, TableRows):
        for name in identifiers:
            arrays[free_name(name, arrays)] = rows.frame.column(name)
    return pa.table(arrays)


def free_name(name: str, taken: Any) -> str:
    """Give a column of the data a name that is not one of ours, nor taken.

    Examples
    --------
    >>> free_name("row", ()), free_name("customer", ())
    ('row (data)', 'customer')
    >>> free_name("row", ["row (data)"])
    'row (data) (data)'
    """
    while name in OURS or name in taken:
        name += " (data)"
    return name


class _Text:
    """A delimited file that grows by tables."""

    def __init__(self, path: Path, name: str, schema: Any) -> None:
        packed = "gzip" if name.endswith(".gz") else None
        self._stream = pa.output_stream(str(path), compression=packed)
        options = pa_csv.WriteOptions(
            delimiter="\t" if ".tsv" in name else ",", quoting_style="needed"
        )
        schema = as_text(schema.empty_table()).schema
        self._writer = pa_csv.CSVWriter(self._stream, schema, write_options=options)

    def write_table(self, table: Any) -> None:
        self._writer.write_table(as_text(table))

    def close(self) -> None:
        self._writer.close()
        self._stream.close()


def as_text(table: pa.Table) -> pa.Table:
    """Turn columns that delimited text cannot hold into text as a person reads it.

    Numbers, truths, text and moments stay; categories become their levels.

    Examples
    --------
    >>> import pyarrow as pa
    >>> as_text(pa.table({"n": [1], "tags": [["a", "b"]]})).to_pydict()
    {'n': [1], 'tags': ['["a", "b"]']}
    """
    for place, field in enumerate(table.schema):
        column = table.column(place)
        if field.type != (kind := _cell_type(field.type)):
            column = column.cast(kind) if _casts(field.type) else _in_full(column)
            table = table.set_column(place, field.with_type(kind), column)
    return table


def _cell_type(kind: pa.DataType) -> pa.DataType:
    """Return the type that cells of a type have in delimited text."""
    is_a = pa.types
    if is_a.is_dictionary(kind):
        return _cell_type(kind.value_type)
    stays = (
        *(is_a.is_integer, is_a.is_floating, is_a.is_boolean, is_a.is_decimal),
        *(is_a.is_string, is_a.is_large_string, is_a.is_null),
        *(is_a.is_date, is_a.is_time, is_a.is_timestamp),
    )
    return kind if any(test(kind) for test in stays) else pa.string()


def _casts(kind: pa.DataType) -> bool:
    """Tell whether Arrow writes the cells of a category as they are."""
    return pa.types.is_dictionary(kind) and kind.value_type == _cell_type(kind)


def _in_full(column: pa.ChunkedArray) -> pa.ChunkedArray:
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    maps = pa.types.is_map(column.type)
    cells = (cell_of(column, row) for row in range(len(column)))
    texts = [in_full(dict(cell) if maps and cell else cell) for cell in cells]
    return pa.chunked_array([pa.array(texts, pa.string())])


def _opened(path: Path, name: str, schema: Any) -> Any:
    if name.endswith((".parquet", ".pq")):
        return pq.ParquetWriter(path, schema, compression="zstd")
    return _Text(path, name, schema)
