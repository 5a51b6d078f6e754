"""JSON: one object a line, or one value that holds a table (see `shapes`).

A first pass over the file finds all names and the kind of each column, so that batches
have one type whatever comes later.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa

from whitecrow.data.formats.names import unique
from whitecrow.data.formats.shapes import records_in
from whitecrow.data.formats.streams import BROKEN, Bytes, Text, read_text, unreadable
from whitecrow.data.formats.table import InMemory, TableFile
from whitecrow.errors import DataError

__all__ = ["open_json"]

BATCH_ROWS = 16_384
LARGEST_ARRAY = 1 << 30  # bytes
MOST_COLUMNS = 200_000

Record = dict[str, Any]
Kinds = dict[str, set[str]]


def open_json(file: Bytes, path: Path) -> TableFile:
    """Open a file of JSON.

    Raises
    ------
    DataError
        It holds no objects; a line is broken, and the message has its number.
    """
    file, text = read_text(file)
    start = file.head(4096)[text.mark :].decode(text.encoding, "replace").lstrip()
    if start.startswith("["):
        return _whole(file, path, text)
    try:
        found = _Lines(file, path, text)
    except DataError as error:
        if "not valid JSON" not in str(error) or _one_object(file, text) is None:
            raise
        return _whole(file, path, text)
    if found.single and records_in(_one_object(file, text)) is not None:
        return _whole(file, path, text)
    return found


class _Lines(TableFile):
    """A file with one JSON object in each line."""

    def __init__(self, file: Bytes, path: Path, text: Text) -> None:
        self._file, self._text = file, text
        kinds: Kinds = {}
        rows = 0
        for line, record in self._records():
            rows += 1
            _note(kinds, _flat(file, f"line {line}", record))
            if len(kinds) > MOST_COLUMNS:
                raise DataError(
                    f"{file.shown}: more than {MOST_COLUMNS:,} columns by line {line}; "
                    "write what varies as a value, not as a key"
                )
        if not rows:
            raise DataError(f"{file.shown}: no rows of data")
        self.single = rows == 1
        note = f"JSON lines, {text}" + (f", {file.packing}" if file.packing else "")
        schema, changed = _schema(kinds)
        self._keys = list(kinds)
        super().__init__(path, schema, (note, *text.notes, *_nested(kinds), *changed))

    def lines(self, rows: Sequence[int]) -> list[int] | None:
        wanted, found = set(rows), {}
        for row, (line, _) in enumerate(self._texts()):
            if row in wanted:
                found[row] = line
            if len(found) == len(wanted):
                break
        return [found[row] for row in rows]

    def _texts(self) -> Iterator[tuple[int, str]]:
        try:
            with self._file.text(self._text, self._text.mark) as lines:
                for number, line in enumerate(lines, 1):
                    if line.strip():
                        yield number, line
        except BROKEN as error:
            raise unreadable(self._file, error) from error

    def _records(self) -> Iterator[tuple[int, Record]]:
        for number, line in self._texts():
            yield number, _parsed(self._file.shown, number, line)

    def _blocks(self) -> Iterator[pa.RecordBatch]:
        flat = (_flat(self._file, f"line {n}", one) for n, one in self._records())
        while some := list(islice(flat, BATCH_ROWS)):
            yield _batch(some, self._keys, self.schema)


# --------------------------------------------------------------------- parsing


def _parsed(shown: str, number: int, line: str) -> Record:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise DataError(
            f"{shown}: line {number} is not valid JSON ({_reason(error)}); correct or "
            "delete the line"
        ) from error
    if not isinstance(record, dict):
        raise DataError(
            f"{shown}: line {number} holds {type(record).__name__} where an object "
            '{"name": value, ...} is expected'
        )
    return record


def _reason(error: Exception) -> str:
    if isinstance(error, RecursionError):
        return "nested too deeply"
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg}, character {error.colno}"
    return " ".join(str(error).split())[:80]


def _one_object(file: Bytes, text: Text) -> Record | None:
    """Read the single object that a file holds over several lines; None otherwise."""
    try:
        found = _loaded(file, text)
    except DataError:
        return None
    return found if isinstance(found, dict) else None


def _loaded(file: Bytes, text: Text) -> Any:
    parts, size = [], 0
    for block in file.blocks():
        size += len(block)
        if size > LARGEST_ARRAY:
            raise DataError(
                f"{file.shown}: one JSON value of more than {LARGEST_ARRAY >> 20} MB; "
                "write one object a line (.jsonl), which is read in batches"
            )
        parts.append(block)
    whole = b"".join(parts)[text.mark :].decode(text.encoding)
    try:
        return json.loads(whole)
    except (ValueError, RecursionError) as error:
        if (arrays := _array_lines(whole)) is not None:
            return arrays
        raise DataError(
            f"{file.shown}: not valid JSON ({_reason(error)}); write one object a "
            "line, or one array of objects"
        ) from error


def _array_lines(whole: str) -> list[Any] | None:
    """Parse a text with one array in each line; return None for other texts."""
    found = []
    try:
        for line in filter(str.strip, whole.splitlines()):
            found.append(json.loads(line))
            if not isinstance(found[-1], list):
                return None
    except (ValueError, RecursionError):
        return None
    return found


def _whole(file: Bytes, path: Path, text: Text) -> TableFile:
    """Read one value that holds a table, or one array in each line."""
    value = _loaded(file, text)
    found = records_in(value)
    if found is None:
        what = "array holds other things than objects"
        if isinstance(value, dict):
            keys = ", ".join(list(value)[:8])
            what = f"object with the keys {keys} holds not one array of objects"
        raise DataError(
            f"{file.shown}: the JSON {what}; write one object a line, or "
            '[{"name": value, ...}, ...]'
        )
    value, how = found
    note = f"JSON, {how}"
    kinds: Kinds = {}
    records = [_flat(file, f"element {i}", v) for i, v in enumerate(value)]
    for record in records:
        _note(kinds, record)
    if not kinds:
        raise DataError(f"{file.shown}: no rows of data")
    schema, changed = _schema(kinds)
    frame = pa.Table.from_batches([_batch(records, list(kinds), schema)])
    return InMemory(path, frame, (note, *text.notes, *_nested(kinds), *changed))


# --------------------------------------------------------------------- columns


def _flat(file: Bytes, where: str, record: Record) -> Record:
    """Flatten nested objects to names with dots."""
    found: Record = {}
    waiting = list(reversed(record.items()))
    while waiting:
        name, value = waiting.pop()
        if isinstance(value, dict):
            inner = [(f"{name}.{key}", cell) for key, cell in value.items()]
            waiting += reversed(inner)
        elif name in found:
            raise DataError(
                f"{file.shown}: {where} has two values for {name!r}, one of them "
                "nested; rename one of the keys"
            )
        else:
            found[name] = value
    return found


def _note(kinds: Kinds, record: Record) -> None:
    for name, value in record.items():
        kinds.setdefault(name, set()).add(_kind(value))


def _kind(value: Any) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        return "int" if -(1 << 63) <= value < 1 << 63 else "huge"
    if isinstance(value, list):
        inner = {_kind(cell) for cell in value} - {"NoneType"}
        if not inner:
            return "empty list"
        kind = _common(inner)
        return "list mixed" if "list" in kind else f"list {kind}"
    return type(value).__name__


def _common(kinds: set[str]) -> str:
    if len(kinds) == 1:
        return next(iter(kinds))
    return "float" if kinds == {"int", "float"} else "mixed"


_TYPES = {
    "bool": pa.bool_(),
    "int": pa.int64(),
    "float": pa.float64(),
    "str": pa.string(),
}


def _schema(kinds: Kinds) -> tuple[pa.Schema, tuple[str, ...]]:
    names, changed = unique([_as_text(key) or "" for key in kinds])
    types = map(_type, kinds.values())
    return pa.schema(list(zip(names, types, strict=True))), changed


def _type(kinds: set[str]) -> pa.DataType:
    found = kinds - {"NoneType"}
    if not found:
        return pa.null()
    if all("list" in kind for kind in found):
        inner = {kind.removeprefix("list ") for kind in found} - {"empty list"}
        kind = _common(inner)
        return pa.list_(_TYPES[kind]) if kind in _TYPES else pa.string()
    return _TYPES.get(_common(found), pa.string())


def _nested(kinds: Kinds) -> list[str]:
    dotted = [name for name in kinds if "." in name]
    if not dotted:
        return []
    shown = ", ".join(dotted[:5]) + (", ..." if len(dotted) > 5 else "")
    return [f"nested objects are columns with dots: {shown}"]


def _batch(
    records: list[Record], keys: Sequence[str], schema: pa.Schema
) -> pa.RecordBatch:
    columns = [
        _column([record.get(key) for record in records], kind)
        for key, kind in zip(keys, schema.types, strict=True)
    ]
    return pa.record_batch(columns, schema=schema)


def _column(cells: list[Any], kind: pa.DataType) -> pa.Array:
    if pa.types.is_string(kind):
        cells = [_as_text(cell) for cell in cells]
    elif pa.types.is_floating(kind):
        cells = [_as_float(cell) for cell in cells]
    elif pa.types.is_list(kind) and pa.types.is_floating(kind.value_type):
        cells = [None if cell is None else list(map(_as_float, cell)) for cell in cells]
    return pa.array(cells, kind)


def _as_float(cell: float | None) -> float | None:
    # Arrow refuses whole numbers that lose a digit.
    return None if cell is None else float(cell)


def _as_text(cell: Any) -> str | None:
    if cell is None or cell == "":
        return None
    text = cell if isinstance(cell, str) else json.dumps(cell, ensure_ascii=False)
    # JSON may hold halves of characters, which no text file can.
    return text.encode("utf-8", "replace").decode("utf-8")
