"""Cells of Arrow columns as numpy arrays: numbers, instants, and text that holds them.

Missing is NaN for numbers and null elsewhere. Instants are microseconds since 1970 in
UTC; times of day are microseconds since midnight.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from whitecrow.data.content import MISSING_WORDS
from whitecrow.errors import DataError

__all__ = [
    "clean_text",
    "family_of",
    "flat",
    "instants",
    "is_number_text",
    "numbers",
    "text_to_clock",
    "text_to_instants",
    "text_to_numbers",
    "truths",
]

_NUMBER = r"^[-+]?((\d+\.?\d*|\.\d+)([eE][-+]?\d+)?|[iI]nf(inity)?|INF)$"
_CLOCK = r"([01]\d|2[0-3]):[0-5]\d(:[0-5]\d(\.\d{1,6})?)?"
_ZONE = r"(Z|[-+](0\d|1[0-4])(:?[0-5]\d)?)"
_DATE = rf"^[1-9]\d{{3}}-\d{{2}}-\d{{2}}([T ]{_CLOCK}{_ZONE}?)?$"
_TRUTH = {"true": True, "yes": True, "false": False, "no": False}
_SECONDS = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}

Column = Any  # pyarrow.Array or pyarrow.ChunkedArray: pyarrow has no types


def family_of(kind: pa.DataType) -> str:
    """The family of a type: number, boolean, date, clock, text, empty or other.

    Examples
    --------
    >>> family_of(pa.int16()), family_of(pa.date32()), family_of(pa.list_(pa.int8()))
    ('number', 'date', 'other')
    """
    tests = {
        "number": ("integer", "floating", "decimal", "duration"),
        "boolean": ("boolean",),
        "date": ("date", "timestamp"),
        "clock": ("time",),
        "text": ("string", "large_string"),
        "empty": ("null",),
    }
    for family, names in tests.items():
        if any(getattr(pa.types, f"is_{name}")(kind) for name in names):
            return family
    return "other"


def flat(name: str, column: Column) -> pa.Array:
    """One contiguous array; dictionaries, views and bytes become plain text.

    Raises
    ------
    DataError
        Text that is not valid UTF-8.
    """
    array = column
    if isinstance(column, pa.ChunkedArray):
        # combine_chunks copies, and text beyond 2 GB would stay in chunks.
        array = column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()
    if isinstance(array, pa.ChunkedArray):
        array = pa.concat_arrays(array.cast(pa.large_string()).chunks)
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    kind = array.type
    try:
        if pa.types.is_binary(kind) or pa.types.is_string_view(kind):
            array = array.cast(pa.string())
        elif family_of(kind) == "text":
            array.validate(full=True)
    except pa.ArrowInvalid as error:
        raise DataError(
            f"column {name!r} holds bytes that are not UTF-8 text; leave the column "
            "out or write it as text"
        ) from error
    return array


def numbers(array: pa.Array) -> NDArray[np.float64]:
    """Number, boolean and empty columns as floats; durations in seconds."""
    kind = array.type
    if pa.types.is_null(kind):
        return np.full(len(array), np.nan)
    if pa.types.is_decimal(kind):
        array = array.cast(pa.float64(), safe=False)
    elif pa.types.is_boolean(kind):
        array = array.cast(pa.uint8())
    elif pa.types.is_duration(kind):
        ticks = array.cast(pa.int64()).to_numpy(zero_copy_only=False)
        return ticks.astype(np.float64) * _SECONDS[kind.unit]
    values = array.to_numpy(zero_copy_only=False)
    return values.astype(np.float64, copy=False)


def instants(name: str, array: pa.Array) -> pa.Array:
    """Date, timestamp and time columns as int64 microseconds, null where missing.

    Raises
    ------
    DataError
        A date that microseconds cannot express (beyond the year 294,000).
    """
    kind = array.type
    if family_of(kind) == "clock":
        target = pa.time64("us")
    else:
        target = pa.timestamp("us", "UTC" if getattr(kind, "tz", None) else None)
    options = pc.CastOptions(target_type=target, allow_time_truncate=True)
    try:
        return pc.cast(array, options=options).cast(pa.int64())
    except pa.ArrowInvalid as error:
        raise DataError(
            f"column {name!r} holds a date out of range ({' '.join(str(error).split())}"
            "); correct the cell or leave it empty"
        ) from error


# ------------------------------------------------------------------------- text


def clean_text(array: pa.Array) -> pa.Array:
    """Text without surrounding blanks; words for "no value" become null."""
    trimmed = pc.utf8_trim_whitespace(array)
    words = pa.array(MISSING_WORDS, trimmed.type)
    return pc.if_else(pc.is_in(trimmed, value_set=words), None, trimmed)


def is_number_text(text: pa.Array) -> pa.Array:
    """Whether each cell of clean text is a number; null for null."""
    return pc.match_substring_regex(text, _NUMBER)


def text_to_numbers(text: pa.Array) -> pa.Array:
    """Clean text as floats, null where it is no number."""
    return pc.if_else(is_number_text(text), text, None).cast(pa.float64())


def text_to_instants(text: pa.Array) -> pa.Array:
    """Clean text as microseconds, null where it is no date in ISO form."""
    dates = pc.if_else(pc.match_substring_regex(text, _DATE), text, None)
    for kind in (pa.timestamp("us"), pa.timestamp("us", "UTC")):
        try:
            return dates.cast(kind).cast(pa.int64())
        except pa.ArrowInvalid:  # with and without a zone, or a 30th of February
            continue
    return pa.array([_instant(cell) for cell in dates.to_pylist()], pa.int64())


def _instant(cell: str | None) -> int | None:
    if cell is None:
        return None
    try:
        moment = datetime.fromisoformat(cell)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    since = moment - datetime(1970, 1, 1, tzinfo=UTC)
    return (since.days * 86400 + since.seconds) * 1_000_000 + since.microseconds


def text_to_clock(text: pa.Array) -> pa.Array:
    """Clean text as microseconds since midnight, null where it is no time of day."""
    clock = pc.if_else(pc.match_substring_regex(text, f"^{_CLOCK}$"), text, None)
    # Arrow parses instants, not times of day.
    day, blank = pa.scalar("1970-01-01", clock.type), pa.scalar(" ", clock.type)
    dated = pc.binary_join_element_wise(day, clock, blank)
    return dated.cast(pa.timestamp("us")).cast(pa.int64())


def truths(text: pa.Array) -> pa.Array:
    """Clean text as booleans (true, false, yes, no), null where it is none."""
    lowered = pc.utf8_lower(text)
    words = pa.array(_TRUTH, lowered.type)
    values = pa.array(_TRUTH.values(), pa.bool_())
    return values.take(pc.index_in(lowered, value_set=words))
