"""Columns as plain arrays, and text of which each different cell is looked at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from whitecrow.errors import DataError

__all__ = [
    "NO_VALUE",
    "PLAIN_NUMBER",
    "SILENT",
    "Text",
    "as_mask",
    "as_text",
    "cast",
    "clean_text",
    "composed",
    "distinct",
    "family_of",
    "flat",
    "matches",
    "matching",
    "numbers",
    "sample",
    "says_nothing",
    "to_numbers",
]

Column = Any  # pyarrow.Array or pyarrow.ChunkedArray: pyarrow has no types
Mask = NDArray[np.bool_]

PLAIN_NUMBER = r"^[-+]?((\d+\.?\d*|\.\d+)([eE][-+]?\d+)?|[iI]nf(inity)?|INF)$"
"""A number as programs write it."""
_FEW_LEVELS = 5000
"""Up to here every different text is tried; beyond, a sample says if it is worth it."""

SILENT = frozenset(
    [
        *("", "?", "NA", "N/A", "n/a", "#N/A", "<NA>", "NaN", "nan", "-NaN", "-nan"),
        *("null", "NULL", "None", "none"),
    ]
)
"""Cells that programs write for "no value"; nobody need be told."""
NO_VALUE = SILENT | {
    *("(null)", "(NULL)", "<null>", "\\N", "#DIV/0!", "#VALUE!", "#REF!", "#NAME?"),
    *("#NUM!", "#NULL!"),
}
"""Cells that mean "no value" in every column, also one of categories."""

# Among numbers, dates and truths these mean "no value" too; written small.
_ABSENT = {word.lower() for word in NO_VALUE} | {
    *("-", "--", "---", "----", "\u2013", "\u2014", "\u2212", "_", "__", "."),
    *("..", "...", "\u2026", "*", "**", "***", "/", "//", "n.a.", "n.a", "n. a."),
    *("n / a", "(n/a)", "(na)", "nil", "nul", "void", "undefined", "undef", "unknown"),
    *("(unknown)", "unk", "missing", "(missing)", "<missing>", "blank", "(blank)"),
    *("empty", "(empty)", "<empty>", "tbd", "t.b.d.", "tba", "t.b.a.", "no data"),
    *("no value", "not available", "not applicable", "not recorded", "not known"),
    *("not measured", "not specified", "not set", "unavailable", "unspecified"),
    *("n.d.", "nd", "n/d", "n.v.", "nv", "n/v", "k.a.", "k. a.", "k.a", "ka"),
    *("keine angabe", "unbekannt", "fehlt", "leer", "nicht verf\u00fcgbar", "o.a."),
    *("inconnu", "n.c.", "n.r.", "s.o.", "sin dato", "sin datos", "desconocido"),
    *("s/d", "1.#qnan", "1.#ind", "-1.#ind", "nat", "<nat>", "xx", "xxx", "#"),
    *("#missing", "#null", "-nan", "+nan", "nan(ind)", "-nan(ind)", "na.", "(none)"),
    *("no reading", "invalid", "error", "err", "n/r"),
    *("0000-00-00", "0000-00-00 00:00:00", "00/00/0000", "00.00.0000", "0/0/0000"),
}


def says_nothing(word: str) -> bool:
    """Tell whether a word means "no value", among numbers, dates and labels."""
    return word.strip().lower() in _ABSENT


# -------------------------------------------------------------------- any column


def family_of(kind: pa.DataType) -> str:
    """Classify a type: number, duration, boolean, date, clock, text, empty or other.

    Examples
    --------
    >>> family_of(pa.int16()), family_of(pa.date32()), family_of(pa.list_(pa.int8()))
    ('number', 'date', 'other')
    """
    tests = {
        "number": ("integer", "floating", "decimal"),
        "duration": ("duration",),
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
    """Join a column into one array; decode dictionaries, views, runs and bytes.

    Raises
    ------
    DataError
        Text that is not valid UTF-8.
    """
    array = _joined(column)
    if isinstance(array.type, pa.BaseExtensionType):
        array = array.storage
    if pa.types.is_run_end_encoded(array.type):
        array = pc.run_end_decode(array)
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    kind = array.type
    try:
        if _is_bytes(kind):
            # By way of binary: bytes of fixed width, or in views, do not cast to text.
            array = array.cast(pa.large_binary()).cast(pa.large_string())
        elif pa.types.is_string_view(kind):
            array = array.cast(pa.large_string())
        elif family_of(kind) == "text":
            array.validate(full=True)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise DataError(
            f"column {name!r} holds bytes that are not UTF-8 text; leave the column "
            "out or write it as text"
        ) from error
    return array


def _joined(column: Column) -> pa.Array:
    if not isinstance(column, pa.ChunkedArray):
        return column
    if column.num_chunks == 1:
        return column.chunk(0)  # combine_chunks would copy
    array = column.combine_chunks()
    if isinstance(array, pa.ChunkedArray):  # text beyond 2 GB
        array = pa.concat_arrays(array.cast(pa.large_string()).chunks)
    return array


def _is_bytes(kind: pa.DataType) -> bool:
    tests = ("binary", "large_binary", "binary_view", "fixed_size_binary")
    return any(getattr(pa.types, f"is_{name}")(kind) for name in tests)


_SECONDS = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}


def numbers(array: pa.Array) -> NDArray[np.float64]:
    """Convert number, boolean and empty columns to floats, durations to seconds."""
    kind = array.type
    if pa.types.is_null(kind):
        return np.full(len(array), np.nan)
    if pa.types.is_decimal(kind):
        # By way of text: the direct cast is off by the last bit for most decimals.
        array = array.cast(pa.string()).cast(pa.float64())
    elif pa.types.is_boolean(kind):
        array = array.cast(pa.uint8())
    elif pa.types.is_duration(kind):
        ticks = array.cast(pa.int64()).to_numpy(zero_copy_only=False)
        return ticks.astype(np.float64) * _SECONDS[kind.unit]
    values = array.to_numpy(zero_copy_only=False)
    return values.astype(np.float64, copy=False)


# -------------------------------------------------------------------------- text


def cast(array: pa.Array, kind: pa.DataType) -> pa.Array | None:
    """Cast text to another type; None if a cell is not of that type.

    The first cells are tried alone: a whole column that fails to cast takes as long as
    twenty that do not.
    """
    try:
        array.slice(0, 256).cast(kind)
        return array.cast(kind)
    except pa.ArrowInvalid:
        return None


def composed(array: pa.Array) -> pa.Array:
    """Compose accents: one character for each accented letter, however it is typed."""
    if pc.all(pc.string_is_ascii(array)).as_py() is not False:
        return array
    return pc.utf8_normalize(array, "NFC")


def clean_text(array: pa.Array) -> pa.Array:
    """Compose text, strip blanks, and turn words for "no value" into null."""
    trimmed = composed(pc.utf8_trim_whitespace(array))
    words = pa.array(sorted(NO_VALUE), trimmed.type)
    return pc.if_else(pc.is_in(trimmed, value_set=words), None, trimmed)


def as_text(array: pa.Array) -> pa.Array:
    """Convert cells of any type to text."""
    try:
        return array.cast(pa.string())
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        cells = [None if cell is None else str(cell) for cell in array.to_pylist()]
        return pa.array(cells, pa.string())


@dataclass(frozen=True, eq=False)
class Text:
    """The different cells of a text column.

    Attributes
    ----------
    levels : pyarrow.Array
        Without surrounding blanks, in the order of their first appearance.
    codes : ndarray of int64, shape (n,)
        For each cell its level; -1 for null.
    counts : ndarray of int64
        How many cells have each level.
    """

    levels: pa.Array
    codes: NDArray[np.int64]
    counts: NDArray[np.int64]

    def spread(self, values: NDArray[Any], empty: Any) -> NDArray[Any]:
        """Spread values of levels over the cells; `empty` where a cell is null."""
        return np.append(values, np.array([empty], values.dtype))[self.codes]

    def absent(self, words: Sequence[str] = ()) -> Mask:
        """Tell which levels say "no value": well-known words, and those given."""
        kind = self.levels.type
        known = pa.array(sorted(_ABSENT), kind)
        found = as_mask(pc.is_in(pc.utf8_lower(self.levels), value_set=known))
        if not words:
            return found
        return found | as_mask(pc.is_in(self.levels, value_set=pa.array(words, kind)))

    def words(self) -> list[str]:
        """Return the levels that are a value."""
        found: list[str] = self.levels.filter(pa.array(~self.absent())).to_pylist()
        return found


def distinct(array: pa.Array) -> Text:
    """Find the distinct cells of a plain text array."""
    coded = pc.utf8_trim_whitespace(array).dictionary_encode()
    codes = coded.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
    levels = coded.dictionary
    counts = np.bincount(codes[codes >= 0], minlength=len(levels))
    return Text(levels, codes, counts)


def as_mask(array: pa.Array) -> Mask:
    """Convert a boolean array to numpy; null becomes False."""
    return np.asarray(array.fill_null(False).to_numpy(zero_copy_only=False), bool)


def matches(array: pa.Array, pattern: str) -> Mask:
    """Tell which texts have a match of a pattern."""
    return as_mask(pc.match_substring_regex(array, pattern))


def matching(array: pa.Array, pattern: str) -> tuple[Mask, pa.Array]:
    """Tell which texts have a form, and take those apart into its named groups."""
    fields = pc.extract_regex(array, pattern)
    matched = as_mask(fields.is_valid())
    return matched, fields.filter(pa.array(matched))


def to_numbers(digits: pa.Array, kind: pa.DataType, default: float) -> NDArray[Any]:
    """Cast texts of digits to numbers; empty ones become the default."""
    digits = pc.if_else(pc.equal(digits, ""), None, digits)
    values = digits.cast(kind).fill_null(default).to_numpy(zero_copy_only=False)
    return np.asarray(values)


def sample(text: Text) -> pa.Array:
    """Choose up to 1,200 levels: the most frequent, and others at even steps."""
    if len(text.levels) <= _FEW_LEVELS:
        return text.levels
    steps = np.linspace(0, len(text.levels) - 1, 1000).astype(np.int64)
    often = np.argsort(-text.counts, kind="stable")[:200]
    return text.levels.take(pa.array(np.unique(np.append(steps, often))))
