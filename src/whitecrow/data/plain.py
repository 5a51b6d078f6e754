"""Arrow tables with columns that every function of Arrow takes: no structs, no views.

Whatever makes rows out of typed files and frames passes them through here once, so
that all who read them later see the same columns by the same names.
"""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

__all__ = ["complex_column", "plain"]


def plain(table: pa.Table) -> pa.Table:
    """Flatten structs to dotted columns, and turn views and runs into plain cells.

    Examples
    --------
    >>> table = pa.table({"pump": pa.array([{"id": "a"}, {"id": "b"}])})
    >>> plain(table).to_pydict()
    {'pump.id': ['a', 'b']}
    """
    while any(pa.types.is_struct(field.type) for field in table.schema):
        table = table.flatten()
    for place, field in enumerate(table.schema):
        column, kind = table.column(place), field.type
        if pa.types.is_run_end_encoded(kind):
            column, kind = _without_runs(column), kind.value_type
        if column.type != (kind := _plain_type(kind)):
            column = column.cast(kind)
        if kind != field.type:
            table = table.set_column(place, field.with_type(kind), column)
    return table


def complex_column(name: str) -> str:
    """Say of a column of complex numbers what to do: neither Arrow nor we take any.

    Examples
    --------
    >>> complex_column("z").partition("; ")[0]
    "the column 'z' holds complex numbers"
    """
    return (
        f"the column {name!r} holds complex numbers; give their real and imaginary "
        "parts, or size and angle, as two columns"
    )


def _without_runs(column: pa.ChunkedArray) -> pa.ChunkedArray:
    chunks = [pc.run_end_decode(chunk) for chunk in column.chunks]
    return pa.chunked_array(chunks, column.type.value_type)


def _plain_type(kind: pa.DataType) -> pa.DataType:
    """Give the type without views, also within lists, maps and structs."""
    is_a = pa.types
    if is_a.is_string_view(kind):
        return pa.large_string()
    if is_a.is_binary_view(kind):
        return pa.large_binary()
    if is_a.is_dictionary(kind):
        values = _plain_type(kind.value_type)
        return pa.dictionary(kind.index_type, values, kind.ordered)
    if is_a.is_map(kind):
        return pa.map_(_plain_type(kind.key_type), _plain_type(kind.item_type))
    if is_a.is_struct(kind):
        return pa.struct([f.with_type(_plain_type(f.type)) for f in kind])
    if is_a.is_fixed_size_list(kind):
        return pa.list_(_inner(kind), kind.list_size)
    if is_a.is_large_list(kind):
        return pa.large_list(_inner(kind))
    if is_a.is_list(kind):
        return pa.list_(_inner(kind))
    return kind  # views of lists stay: Arrow takes them, but casts them wrongly


def _inner(kind: pa.DataType) -> pa.Field:
    return kind.value_field.with_type(_plain_type(kind.value_type))
