"""Frames of any library as Arrow tables."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from whitecrow.data.plain import complex_column, plain
from whitecrow.errors import DataError

__all__ = ["Frame", "as_table", "spelling", "spelt_as"]

Frame = Any  # a pyarrow Table or RecordBatch, or whatever pyarrow.table() takes


def as_table(frame: Frame) -> pa.Table:
    """Give a frame of any library as an Arrow table with one cell a column and row.

    Parameters
    ----------
    frame : pyarrow.Table or RecordBatch, pandas, polars or other frame, or array (n, d)
        The columns of an array are named x0, x1, ...; structs become dotted columns.

    Raises
    ------
    DataError
        It has no columns, or a column name is there twice.

    Examples
    --------
    >>> as_table(np.zeros((3, 2))).column_names
    ['x0', 'x1']
    """
    table = plain(_to_arrow(frame))
    names = table.column_names
    if len(set(names)) < len(names):
        name = next(name for name in names if names.count(name) > 1)
        raise DataError(
            f"the column name {name!r} appears {names.count(name)} times; rename all "
            "but one"
        )
    return table


def spelling(names: Iterable[str]) -> Callable[[str], str]:
    """Give what finds a name in a list, however letters with accents are typed.

    Examples
    --------
    >>> spelling(["a", "\u00f6"])("o\u0308") == "\u00f6", spelling(["a"])("b")
    (True, 'b')
    """
    known = {unicodedata.normalize("NFC", name): name for name in names}
    return lambda name: known.get(unicodedata.normalize("NFC", name), name)


def spelt_as(frame: pa.Table, names: Iterable[str]) -> pa.Table:
    """Name the columns of new rows as in training, where only the typing differs."""
    absent = spelling(name for name in names if name not in frame.column_names)
    renamed = frame.rename_columns([absent(name) for name in frame.column_names])
    return renamed.replace_schema_metadata(frame.schema.metadata)


def _to_arrow(frame: Frame) -> pa.Table:
    if isinstance(frame, pa.Table):
        return frame
    if isinstance(frame, pa.RecordBatch):
        return pa.Table.from_batches([frame])
    if (names := getattr(getattr(frame, "dtype", None), "names", None)) is not None:
        return _column_by_column({name: frame[name] for name in names})
    if isinstance(frame, np.ndarray):
        if frame.ndim != 2:
            raise DataError(
                f"an array of shape {frame.shape} is not a table; give (rows, columns)"
            )
        columns = {f"x{j}": column for j, column in enumerate(frame.T.copy())}
        _check_real(columns)
        return pa.table(columns)
    if isinstance(frame, list) and frame and all(isinstance(r, Mapping) for r in frame):
        names = dict.fromkeys(name for row in frame for name in row)
        return _column_by_column({n: [row.get(n) for row in frame] for n in names})
    if len(getattr(frame, "shape", (0, 0))) == 1:
        raise DataError(
            f"{type(frame).__name__} is one column, not a table; give a frame, such as "
            "series.to_frame()"
        )
    try:
        if hasattr(frame, "columns") and hasattr(frame, "iloc"):  # pandas
            return pa.Table.from_pandas(frame, preserve_index=False)
        return pa.table(frame)
    except (pa.ArrowException, TypeError, ValueError, AttributeError) as error:
        if hasattr(frame, "keys") and hasattr(frame, "__getitem__"):
            return _column_by_column(frame)
        raise DataError(
            f"{type(frame).__name__} is not a table with named columns; give a frame "
            "of pandas, polars or pyarrow, such as pd.DataFrame(...)"
        ) from error


def _column_by_column(frame: Any) -> pa.Table:
    """A frame of which a column has cells of several types; these become text."""
    names = [str(name) for name in frame]
    if len(set(names)) < len(names):
        name = next(name for name in names if names.count(name) > 1)
        raise DataError(f"the column name {name!r} is repeated; rename all but one")
    _check_real(frame)
    try:
        arrays = [_any_column(frame[name]) for name in frame]
        return pa.table(arrays, names=names)
    except (pa.ArrowException, TypeError, ValueError) as error:
        message = " ".join(str(error).split())
        raise DataError(f"the columns do not form a table: {message}") from error


def _check_real(frame: Any) -> None:
    for name in frame:
        if getattr(getattr(frame[name], "dtype", None), "kind", "") == "c":
            raise DataError(complex_column(str(name)))


def _any_column(cells: Any) -> pa.Array:
    try:
        return pa.array(cells, from_pandas=True)
    except (pa.ArrowException, TypeError, ValueError):
        texts = [None if _is_none(cell) else str(cell) for cell in cells]
        return pa.array(texts, pa.string())


def _is_none(cell: Any) -> bool:
    return cell is None or bool(cell != cell)  # NaN and NaT differ from themselves
