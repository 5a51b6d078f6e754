"""Frames of any library as rows of numbers, or one line about their other columns.

pandas is known by its attributes, and everything else by the Arrow PyCapsule interface
or the interchange protocol, so that no library of frames is imported here.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from whitecrow.errors import DataError

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["as_table", "is_pandas", "numbers", "require_numbers"]

# Column names that fit on a line.
_SHOWN = 6


def is_pandas(X: Any) -> bool:
    """Tell whether it is a frame of pandas, or of a library with its interface."""
    return all(hasattr(X, name) for name in ("iloc", "dtypes", "columns"))


def as_table(X: Any) -> pa.Table | None:
    """Return a frame of another library than pandas as an Arrow table, else None.

    Examples
    --------
    >>> import pyarrow
    >>> as_table(pyarrow.table({"a": [1, 2]})).column_names
    ['a']
    >>> as_table(np.zeros((2, 2))) is None
    True
    """
    protocols = ("__arrow_c_stream__", "__arrow_c_array__", "__dataframe__")
    spoken = [name for name in protocols if hasattr(X, name)]
    if isinstance(X, np.ndarray) or is_pandas(X) or not spoken:
        return None
    import pyarrow as pa

    try:
        if spoken != ["__dataframe__"]:
            return pa.table(X)
        from pyarrow import interchange

        return pa.Table.from_batches(interchange.from_dataframe(X).to_batches())
    except (TypeError, ValueError, pa.ArrowInvalid):
        return None  # one column, or no columns at all


def numbers(table: pa.Table, who: str) -> NDArray[Any]:
    """Return the columns of an Arrow table side by side; missing cells become NaN.

    Raises
    ------
    DataError
        When columns hold no numbers; the message has their names.

    Examples
    --------
    >>> import pyarrow
    >>> numbers(pyarrow.table({"a": [1, None], "b": [True, False]}), "ECOD").tolist()
    [[1.0, 1.0], [nan, 0.0]]
    """
    import pyarrow as pa

    _refuse(
        [
            (name, str(column.type))
            for name, column in zip(table.column_names, table.columns, strict=True)
            if not _is_number(column.type)
        ],
        who,
    )
    single = all(column.type in (pa.float16(), pa.float32()) for column in table)
    type_ = pa.float32() if single and table.num_columns else pa.float64()
    columns = [column.cast(type_, safe=False).to_numpy() for column in table.columns]
    return np.column_stack(columns) if columns else np.empty((table.num_rows, 0))


def _is_number(type_: pa.DataType) -> bool:
    from pyarrow import types

    tests = (types.is_integer, types.is_floating, types.is_boolean, types.is_decimal)
    return types.is_null(type_) or any(test(type_) for test in tests)


def require_numbers(X: Any, who: str) -> None:
    """Refuse a frame of pandas with columns that hold no numbers.

    Raises
    ------
    DataError
        With the names of these columns.
    """
    _refuse(list(_strange(X)), who)


def _strange(X: Any) -> Iterator[tuple[str, str]]:
    """List name and type of the columns of a pandas frame that hold no numbers."""
    for place, name in enumerate(X.columns):
        column = X.iloc[:, place]
        if getattr(column.dtype, "kind", "O") in "biufc":
            continue
        present = np.asarray(column.dropna().to_numpy(), dtype=object)
        try:
            present.astype(np.float64)
        except (TypeError, ValueError):
            yield str(name), str(column.dtype)


def _refuse(columns: list[tuple[str, str]], who: str) -> None:
    if not columns:
        return
    shown = ", ".join(f"{name!r} ({kind})" for name, kind in columns[:_SHOWN])
    more = f" and {len(columns) - _SHOWN} more" if len(columns) > _SHOWN else ""
    what = "column" if len(columns) == 1 else "columns"
    raise DataError(
        f"{who} needs numbers, which {what} {shown}{more} "
        f"{'does' if len(columns) == 1 else 'do'} not hold; encode the table with "
        "whitecrow.TableEncoder() before it in a pipeline, or call whitecrow.detect(df)"
    )
