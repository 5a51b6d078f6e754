"""Numbers in text: cells taken apart into sign, digits and unit, and put together.

How the cells of a column are to be read is its *style*, plain JSON: `decimal` (its
mark), `units` (by what the numbers of each are multiplied), and where they matter
`words` and `absent` (what means "no value") and `duration`.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from whitecrow.data.kinds import duration, units
from whitecrow.data.kinds.text import (
    as_mask,
    cast,
    distinct,
    family_of,
    flat,
    matches,
    numbers,
)
from whitecrow.errors import DataError

__all__ = ["PLAIN", "Cells", "Readings", "Style", "apart", "other_mark", "parse"]
__all__ += ["plain", "read", "read_plain", "readings", "to_floats", "without_absent"]

Values = NDArray[np.float64]
Mask = NDArray[np.bool_]
Style = dict[str, Any]

PLAIN: Style = {"decimal": ".", "units": {"": 1.0}}
"""Numbers as programs write them."""


def plain(array: pa.Array) -> Values | None:
    """Cast text that is nothing but numbers with decimal points or gaps; None if not.

    Examples
    --------
    >>> plain(pa.array(["1.5", "-2e1"])), plain(pa.array(["1,5"]))
    (array([  1.5, -20. ]), None)
    """
    values = cast(array, pa.float64())
    return None if values is None else numbers(values)


def read_plain(
    name: str, column: Any, first_row: int = 0, decimal: str = "."
) -> Values:
    """Read a column of numbers of which nothing is known from training.

    Parameters
    ----------
    name : str
        The column, for messages.
    column : pyarrow.Array or ChunkedArray
        Numbers, or text that holds numbers as programs write them.
    first_row : int
        Index of the first row in its source, for messages.
    decimal : str
        The decimal mark of text.

    Raises
    ------
    DataError
        A cell that is not a number, or a column of another type.

    Examples
    --------
    >>> read_plain("a", pa.array(["1.5", "2"]))
    array([1.5, 2. ])
    """
    array = flat(name, column)
    remedy = (
        "the model was saved in Python without an encoding of columns; give numbers "
        "only, or make the model with `whitecrow fit`"
    )
    family = family_of(array.type)
    if family == "text":
        values, unread = parse(array, PLAIN | {"decimal": decimal})
        if unread.any():
            row = int(np.flatnonzero(unread)[0])
            raise DataError(
                f"column {name!r} holds {array[row].as_py()[:40]!r} in row "
                f"{first_row + row}, and {remedy}"
            )
        return values
    if family not in {"number", "boolean", "empty", "duration"}:
        raise DataError(f"column {name!r} is {array.type}, and {remedy}")
    return numbers(array)


def parse(array: pa.Array, style: Style) -> tuple[Values, Mask]:
    """Parse clean or raw text as numbers in the column's unit.

    Parameters
    ----------
    array : pyarrow.Array of text
    style : dict
        As `number_style.find` gives it.

    Returns
    -------
    values : ndarray of float64
        NaN where a cell is missing or was not read.
    unread : ndarray of bool
        Cells with text that is not a number.
    """
    values = _fast(array, style)
    if values is not None:
        return without_absent(values, style), np.zeros(len(values), bool)
    text = distinct(array)
    if not len(text.levels):
        return np.full(len(array), np.nan), np.zeros(len(array), bool)
    if style.get("duration"):
        by_level, right = duration.read(text.levels, style)
    else:
        by_level, right = read(apart(text.levels), style)
        _with_durations(text.levels, style, by_level, right)
    unread = ~right & ~text.absent(style.get("words", ()))
    values = text.spread(np.where(right, by_level, np.nan), np.nan)
    return without_absent(values, style), text.spread(unread, False)


def _with_durations(
    levels: pa.Array, style: Style, values: Values, right: Mask
) -> None:
    """Read durations such as 2m13s as well, if the numbers are in a unit of time."""
    for unit, by in style["units"].items():
        if unit and (seconds := units.seconds(unit)) and not right.all():
            others = np.flatnonzero(~right)
            lasting, known = duration.read(levels.take(pa.array(others)), style)
            values[others[known]] = lasting[known] * by / seconds
            right[others[known]] = True


def _fast(array: pa.Array, style: Style) -> Values | None:
    """Cast the whole column at once, if its style allows it."""
    if style.get("duration") or style["units"].get("") != 1.0:
        return None
    if style["decimal"] == ".":
        return plain(array)
    if pc.any(pc.match_substring(array, ".")).as_py():
        return None
    return plain(pc.replace_substring(array, ",", "."))


def without_absent(values: Values, style: Style) -> Values:
    """Replace by NaN the numbers that are said to mean "no value"."""
    absent = style.get("absent")
    return np.where(np.isin(values, absent), np.nan, values) if absent else values


class Cells(NamedTuple):
    """Levels of text, taken apart."""

    core: pa.Array  # digits and marks, such as "1,234.5"
    exponent: pa.Array
    sign: Values  # 1 or -1; NaN where the level is not a number
    unit: NDArray[Any]
    mark: NDArray[Any]  # what is ignored, such as a footnote


SUPER = "\u2070\u00b9\u00b2\u00b3\u2074-\u2079"
_APART = (
    r"(?s)^(?P<pre>[^\d]*)(?P<core>\d(?:[\d., '_]*\d)?)"
    r"(?P<exponent>(?:[eE][-+]?\d+)?)(?P<post>.*)$"
)
_LIKE = {
    **dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2212", "-"),
    **dict.fromkeys("\u2019\u2018\u02bc\u00b4\u2032`", "'"),
    **{chr(zero + i): str(i) for zero in (0x660, 0x6F0) for i in range(10)},
    **{"\u066a": "%", "\u066b": ".", "\u066c": ","},
}
_POWERS = (
    (
        r"(\d) ?[x*\x{d7}\x{b7}] ?10\^?([-\x{2212}\x{207b}+]?[\d" + SUPER + "]+)",
        r"\1e\2",
    ),
    (r"(\d)[dD]([-+]\d+)$", r"\1e\2"),
    (rf"(\d)[{SUPER}]+", r"\1*"),
)
"""Powers of ten, as `3.1 x 10^6` and `3.1D+06`; other raised digits are footnotes."""
_INFINITE = ("inf", "infinity", "infinite", "\u221e")


def _alike(levels: pa.Array) -> pa.Array:
    """Unify the ways to write minus, apostrophe, blank, digits and powers of ten."""
    for form, written in _POWERS:
        levels = pc.replace_substring_regex(levels, form, written)
    if pc.all(pc.string_is_ascii(levels)).as_py() is not False:
        return levels
    levels = pc.replace_substring(levels, "\u207b", "-")
    for old, new in _LIKE.items():
        levels = pc.replace_substring(levels, old, new)
    return pc.utf8_trim_whitespace(pc.utf8_normalize(levels, "NFKC"))


def apart(levels: pa.Array) -> Cells:
    """Split distinct texts into the parts of a number."""
    levels = _alike(levels)
    fields = pc.extract_regex(levels, _APART)
    core = pc.struct_field(fields, "core")
    exponent = pc.struct_field(fields, "exponent")
    pre, post = (pc.struct_field(fields, name) for name in ("pre", "post"))
    found, place = _affixes(pre, post)
    lead = np.array([one.lead for one in found], object)[place]
    if any(lead):
        leading = pa.array(["0" + mark if mark else "" for mark in lead], core.type)
        core = pc.binary_join_element_wise(leading, core, pa.scalar("", core.type))
    sign = np.array([one.sign for one in found])[place]
    unit = np.array([one.unit for one in found], object)[place]
    mark = np.array([one.mark for one in found], object)[place]
    return _with_infinite(levels, Cells(core, exponent, sign, unit, mark))


def _with_infinite(levels: pa.Array, cells: Cells) -> Cells:
    """Turn words for infinity into a number too large for any float."""
    bare = pc.utf8_ltrim(pc.utf8_lower(levels), "+-")
    words = as_mask(pc.is_in(bare, value_set=pa.array(_INFINITE, bare.type)))
    if not words.any():
        return cells
    minus = as_mask(pc.starts_with(levels, "-"))
    put = pa.array(words)
    return Cells(
        pc.if_else(put, pa.scalar("1", cells.core.type), cells.core),
        pc.if_else(put, pa.scalar("e999", cells.core.type), cells.exponent),
        np.where(words, np.where(minus, -1.0, 1.0), cells.sign),
        np.where(words, "", cells.unit),
        cells.mark,
    )


def _affixes(
    pre: pa.Array, post: pa.Array
) -> tuple[list[units.Affix], NDArray[np.int64]]:
    """Find the distinct pairs around the digits, and which pair each level has."""
    before, behind = pre.dictionary_encode(), post.dictionary_encode()
    first, second = (
        coded.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
        for coded in (before, behind)
    )
    width = len(behind.dictionary) + 1
    pairs, place = np.unique(first * width + second, return_inverse=True)
    texts, tails = before.dictionary.to_pylist(), behind.dictionary.to_pylist()
    found = [
        # No match at all is -1 * width - 1.
        units.NOT_A_NUMBER
        if pair < 0
        else units.affix(texts[pair // width], tails[pair % width])
        for pair in pairs.tolist()
    ]
    return found, place


def _pattern(group: str, decimal: str) -> str:
    """Build a pattern of digits in groups of three, or the Indian way, and decimals."""
    forms = [
        rf"[1-9]\d{{0,2}}(?:{re.escape(mark)}\d{{3}})+"
        for mark in (group, " ", "'", "_")
    ]
    if group == ",":
        forms.append(r"[1-9]\d?(?:,\d{2})+,\d{3}")
    return rf"^(?:\d+|{'|'.join(forms)})(?:{re.escape(decimal)}\d*)?$"


_POINT, _COMMA = _pattern(",", "."), _pattern(".", ",")


class Readings(NamedTuple):
    """Which levels are numbers if the decimal mark is a point, or a comma."""

    point: Mask
    comma: Mask
    marked: Mask  # has a point or comma at all

    @property
    def either(self) -> Mask:
        """Tell which levels are numbers by one decimal mark or the other."""
        return self.point | self.comma

    def by(self, decimal: str) -> tuple[Mask, Mask]:
        """Return the readings with this decimal mark, and with the other one."""
        comma = decimal == ","
        return (self.comma, self.point) if comma else (self.point, self.comma)


def readings(cells: Cells) -> Readings:
    """Tell which levels are numbers, by either decimal mark."""
    possible = ~np.isnan(cells.sign)
    marked = matches(cells.core, r"[.,]")
    point, comma = possible.copy(), possible.copy()
    some = np.flatnonzero(matches(cells.core, r"[., '_]") & possible)
    if len(some):
        cores = cells.core.take(pa.array(some))
        point[some], comma[some] = matches(cores, _POINT), matches(cores, _COMMA)
    return Readings(point, comma, marked & possible)


def read(cells: Cells, style: Style) -> tuple[Values, Mask]:
    """Convert levels to numbers, and tell which were read."""
    factors = _factors(cells.unit, style)
    first, second = readings(cells).by(style["decimal"])
    known = ~np.isnan(factors)
    # A cell that is a number in the other style only is read in that one.
    other = second & ~first
    by_comma = (first if style["decimal"] == "," else other) & known
    values = np.full(len(factors), np.nan)
    by_point = (first | second) & known & ~by_comma
    for mask, decimal in ((by_comma, ","), (by_point, ".")):
        some = np.flatnonzero(mask)
        if len(some):
            values[some] = to_floats(cells, some, decimal)
    with np.errstate(over="ignore"):
        return values * cells.sign * factors, (first | second) & known


def other_mark(mark: str) -> str:
    """Return the other decimal mark."""
    return "." if mark == "," else ","


def to_floats(cells: Cells, some: NDArray[np.intp], decimal: str) -> Values:
    """Convert some levels to numbers, without sign and unit."""
    place = pa.array(some)
    core = cells.core.take(place)
    for mark in (other_mark(decimal), " ", "'", "_"):
        if pc.any(pc.match_substring(core, mark)).as_py():
            core = pc.replace_substring(core, mark, "")
    if decimal == ",":
        core = pc.replace_substring(core, ",", ".")
    exponent = cells.exponent.take(place)
    joined = pc.binary_join_element_wise(core, exponent, pa.scalar("", core.type))
    return numbers(joined.cast(pa.float64()))


def _factors(unit: NDArray[Any], style: Style) -> Values:
    """Return the factor of each number's unit; NaN where it is another unit."""
    names, place = np.unique(unit.astype(str), return_inverse=True)
    return np.array([_factor(str(name), style) for name in names])[place]


def _factor(name: str, style: Style) -> float:
    known: dict[str, float] = style["units"]
    if name in known:
        return float(known[name])
    alike = {units.folded(one): factor for one, factor in known.items()}
    if units.folded(name) in alike:
        return float(alike[units.folded(name)])
    # Money among numbers that had no unit at all is read too.
    if set(known) == {""} and units.is_currency(name):
        return 1.0
    return units.factor(name, known)
