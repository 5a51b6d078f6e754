"""Shapes of JSON that hold a table: objects, arrays, columns, and what wraps them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

__all__ = ["records_in"]

Record = dict[str, Any]


def records_in(value: Any) -> tuple[list[Record], str] | None:
    """Return the rows that a JSON value holds and how they stand there, or None.

    Examples
    --------
    >>> records_in({"a": {"0": 1, "1": 2}, "b": {"0": 3, "1": 4}})
    ([{'a': 1, 'b': 3}, {'a': 2, 'b': 4}], 'an object of columns')
    >>> records_in({"columns": ["a", "b"], "data": [[1, 3], [2, 4]]})
    ([{'a': 1, 'b': 3}, {'a': 2, 'b': 4}], 'an object of column names and rows')
    >>> records_in({"a": 1, "b": 2}) is None
    True
    """
    if isinstance(value, list):
        return _in_array(value)
    if not isinstance(value, dict):
        return None
    names: Any = value.get("columns")
    rows: Any = value.get("data")
    if _are(names, str) and _are(rows, list) and set(map(len, rows)) == {len(names)}:
        return _named(names, rows), "an object of column names and rows"
    features: Any = value.get("features")
    if _are(features, dict) and all("properties" in one for one in features):
        found = [one["properties"] or {} for one in features]
        return found, "the properties of GeoJSON features, without their geometry"
    arrays = {key: v for key, v in value.items() if _are(v, dict)}
    if len(arrays) == 1:
        ((key, rows),) = arrays.items()
        return rows, f"an array of objects, under the key {key!r}"
    return None if arrays else _in_columns(value)


def _in_array(value: list[Any]) -> tuple[list[Record], str] | None:
    if all(isinstance(one, dict) for one in value):
        return value, "an array of objects"
    if not _are(value, list) or len(set(map(len, value))) > 1 or not value[0]:
        return None
    names, *rows = value
    if rows and _are(names, str) and len(set(names)) == len(names):
        return _named(names, rows), "arrays, of which the first one holds names"
    names = [f"x{j}" for j in range(len(value[0]))]
    return _named(names, value), "arrays without names"


def _in_columns(value: Record) -> tuple[list[Record], str] | None:
    """Turn columns into rows: arrays of one length, or objects with the same keys."""
    columns = list(value.values())
    if columns and all(_are(column, _SCALAR) for column in columns):
        lengths = {len(column) for column in columns}
        if len(lengths) == 1 and lengths != {1}:
            rows = list(zip(*columns, strict=True))
            return _named(list(value), rows), "an object of columns"
    if not _are(columns, dict) or any(list(c) != list(columns[0]) for c in columns):
        return None
    inner = list(columns[0])
    if not all(isinstance(cell, _SCALAR) for c in columns for cell in c.values()):
        return None
    if len(inner) > 1 and (_counted(inner) or len(inner) > 2 * len(value)):
        rows = list(zip(*(c.values() for c in columns), strict=True))
        return _keyed(inner, _named(list(value), rows)), "an object of columns"
    if len(value) > 1 and (_counted(value) or len(value) > 2 * len(inner)):
        return _keyed(value, columns), "an object of rows"
    return None


def _counted(keys: Iterable[str]) -> bool:
    return all(key.isdecimal() for key in keys)


def _keyed(keys: Iterable[str], rows: list[Record]) -> list[Record]:
    """Add its key to each row, unless the keys are numbers."""
    if _counted(keys) or "key" in rows[0]:
        return rows
    return [{"key": key, **row} for key, row in zip(keys, rows, strict=True)]


_SCALAR = (str, int, float, bool, type(None))


def _are(values: Any, kind: type | tuple[type, ...]) -> bool:
    """Tell whether a value is a list, not empty, of items of this type alone."""
    return (
        isinstance(values, list)
        and bool(values)
        and all(isinstance(one, kind) for one in values)
    )


def _named(names: Sequence[str], rows: Sequence[Sequence[Any]]) -> list[Record]:
    return [dict(zip(names, row, strict=True)) for row in rows]
