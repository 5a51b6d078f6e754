"""Numbers, as people write them: parse, plan, encode, chart, usual.

A cell of text is a sign, digits with marks, and a unit before or behind. Marks are
judged on the whole column: `1,125` beside `993` has a thousands mark, beside `12,5` a
decimal comma; where the column does not tell, the other columns of the table do. What
was found is the column's *style*, plain JSON, by which new rows are read as well.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from whitecrow.data.kinds import duration, units
from whitecrow.data.kinds.plan import (
    QUANTILES,
    Plan,
    Usual,
    all_missing,
    bad_cell,
    deciles,
    left_out,
    other_type,
    quantile,
    read_as,
    said,
    with_indicator,
)
from whitecrow.data.kinds.text import (
    Text,
    Verdict,
    as_mask,
    cast,
    distinct,
    family_of,
    flat,
    judge,
    numbers,
    sample,
)
from whitecrow.data.kinds.words import number_text, percent, shown
from whitecrow.errors import DataError

__all__ = [
    "Found",
    "chart",
    "encode",
    "filled",
    "find",
    "parse",
    "parse_typed",
    "plain",
    "read_plain",
]
__all__ += ["plan", "table_mark", "usual", "without_absent"]

Values = NDArray[np.float64]
Mask = NDArray[np.bool_]
Style = dict[str, Any]
Marks = Callable[[], str]

FEWEST_IDS = 20
"""Rows from which on distinct values make a column an identifier."""
EXACT = 2.0**53
"""Whole numbers beyond this are not all told apart as floats."""


# ------------------------------------------------------------------------- parse


def plain(array: pa.Array) -> Values | None:
    """Text that is nothing but numbers with decimal points or gaps; None if it is not.

    Examples
    --------
    >>> plain(pa.array(["1.5", "-2e1"])), plain(pa.array(["1,5"]))
    (array([  1.5, -20. ]), None)
    """
    values = cast(array, pa.float64())
    return None if values is None else numbers(values)


def read_plain(name: str, column: Any, first_row: int = 0) -> Values:
    """Read a column of numbers of which nothing is known from training.

    Parameters
    ----------
    name : str
        The column, for messages.
    column : pyarrow.Array or ChunkedArray
        Numbers, or text that holds numbers as programs write them.
    first_row : int
        Index of the first row in its source, for messages.

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
        values, unread = parse(array, {"decimal": ".", "units": {"": 1.0}})
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
    """Clean or raw text as numbers in the column's unit.

    Parameters
    ----------
    array : pyarrow.Array of text
    style : dict
        As `find` gives it.

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
        by_level, right = _read(_apart(text.levels), style)
    words = pa.array(style.get("words", []), text.levels.type)
    known = text.absent() | as_mask(pc.is_in(text.levels, value_set=words))
    unread = ~right & ~known
    values = text.spread(np.where(right, by_level, np.nan), np.nan)
    return without_absent(values, style), text.spread(unread, False)


def _fast(array: pa.Array, style: Style) -> Values | None:
    """The column in one cast, if its style allows it."""
    if style.get("duration") or style["units"].get("", 1.0) != 1.0:
        return None
    if "" not in style["units"]:
        return None
    if style["decimal"] == ".":
        return plain(array)
    if pc.any(pc.match_substring(array, ".")).as_py():
        return None
    return plain(pc.replace_substring(array, ",", "."))


def parse_typed(array: pa.Array, style: Style) -> Values:
    """A column of numbers, durations or truths as numbers in its unit."""
    return without_absent(numbers(array), style)


def without_absent(values: Values, style: Style) -> Values:
    """Numbers of which some mean "no value", as asked for."""
    absent = style.get("absent")
    return np.where(np.isin(values, absent), np.nan, values) if absent else values


class _Cells(NamedTuple):
    """Levels of text, taken apart."""

    core: pa.Array  # digits and marks, such as "1,234.5"
    exponent: pa.Array
    sign: Values  # 1 or -1; NaN where the level is not a number
    unit: NDArray[Any]


_APART = (
    r"(?s)^(?P<pre>[^\d]*)(?P<core>\d(?:[\d., '_]*\d)?)"
    r"(?P<exponent>(?:[eE][-+]?\d+)?)(?P<post>.*)$"
)
_LIKE = {
    **dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2212", "-"),
    **dict.fromkeys("\u2019\u2018\u02bc\u00b4\u2032`", "'"),
}
_INFINITE = {"inf": 1.0, "infinity": 1.0, "infinite": 1.0, "\u221e": 1.0}


def _alike(levels: pa.Array) -> pa.Array:
    """Levels with one kind of minus, apostrophe, blank and digit."""
    if pc.all(pc.string_is_ascii(levels)).as_py() is not False:
        return levels
    for old, new in _LIKE.items():
        levels = pc.replace_substring(levels, old, new)
    return pc.utf8_trim_whitespace(pc.utf8_normalize(levels, "NFKC"))


def _apart(levels: pa.Array) -> _Cells:
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
    return _with_infinite(levels, _Cells(core, exponent, sign, unit))


def _with_infinite(levels: pa.Array, cells: _Cells) -> _Cells:
    """Words for infinity become a number too large for any float."""
    bare = pc.utf8_ltrim(pc.utf8_lower(levels), "+-")
    words = as_mask(pc.is_in(bare, value_set=pa.array(list(_INFINITE), bare.type)))
    if not words.any():
        return cells
    minus = as_mask(pc.starts_with(levels, "-"))
    put = pa.array(words)
    return _Cells(
        pc.if_else(put, pa.scalar("1", cells.core.type), cells.core),
        pc.if_else(put, pa.scalar("e999", cells.core.type), cells.exponent),
        np.where(words, np.where(minus, -1.0, 1.0), cells.sign),
        np.where(words, "", cells.unit),
    )


def _affixes(
    pre: pa.Array, post: pa.Array
) -> tuple[list[units.Affix], NDArray[np.int64]]:
    """The different pairs around the digits, and which pair each level has."""
    before, behind = pre.dictionary_encode(), post.dictionary_encode()
    first, second = (
        coded.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
        for coded in (before, behind)
    )
    width = len(behind.dictionary) + 1
    pairs, place = np.unique(first * width + second, return_inverse=True)
    texts, tails = before.dictionary.to_pylist(), behind.dictionary.to_pylist()
    found = []
    for pair in pairs.tolist():
        # No match at all is -1 * width - 1.
        known = pair >= 0
        found.append(
            units.affix(texts[pair // width], tails[pair % width])
            if known
            else units.NOT_A_NUMBER
        )
    return found, place


def _pattern(group: str, decimal: str) -> str:
    """Digits in groups of three, or in the Indian way, and decimals."""
    forms = [
        rf"[1-9]\d{{0,2}}(?:{re.escape(mark)}\d{{3}})+"
        for mark in (group, " ", "'", "_")
    ]
    if group == ",":
        forms.append(r"[1-9]\d?(?:,\d{2})+,\d{3}")
    return rf"^(?:\d+|{'|'.join(forms)})(?:{re.escape(decimal)}\d*)?$"


_POINT, _COMMA = _pattern(",", "."), _pattern(".", ",")


class _Readings(NamedTuple):
    """Which levels are numbers if the decimal mark is a point, or a comma."""

    point: Mask
    comma: Mask
    marked: Mask  # has a point or comma at all


def _readings(cells: _Cells) -> _Readings:
    possible = ~np.isnan(cells.sign)
    marked = as_mask(pc.match_substring_regex(cells.core, r"[.,]"))
    other = as_mask(pc.match_substring_regex(cells.core, r"[ '_]"))
    point, comma = possible.copy(), possible.copy()
    some = np.flatnonzero((marked | other) & possible)
    if len(some):
        cores = cells.core.take(pa.array(some))
        point[some] = as_mask(pc.match_substring_regex(cores, _POINT))
        comma[some] = as_mask(pc.match_substring_regex(cores, _COMMA))
    return _Readings(point, comma, marked & possible)


def _read(cells: _Cells, style: Style) -> tuple[Values, Mask]:
    """Levels as numbers, and which were read."""
    right = _readings(cells)
    factors = _factors(cells.unit, style)
    first, second = right.point, right.comma
    if style["decimal"] == ",":
        first, second = second, first
    known = ~np.isnan(factors)
    # A cell that is a number in the other style only is read in that one.
    other = second & ~first
    by_comma = (first if style["decimal"] == "," else other) & known
    values = np.full(len(factors), np.nan)
    for mask, marks in ((by_comma, ".,"), ((first | other) & known & ~by_comma, ",.")):
        some = np.flatnonzero(mask)
        if len(some):
            values[some] = _values(cells, some, *marks)
    with np.errstate(over="ignore"):
        return values * cells.sign * factors, (first | second) & known


def _values(cells: _Cells, some: NDArray[np.intp], group: str, decimal: str) -> Values:
    place = pa.array(some)
    core = cells.core.take(place)
    for mark in (group, " ", "'", "_"):
        if pc.any(pc.match_substring(core, mark)).as_py():
            core = pc.replace_substring(core, mark, "")
    if decimal == ",":
        core = pc.replace_substring(core, ",", ".")
    exponent = cells.exponent.take(place)
    joined = pc.binary_join_element_wise(core, exponent, pa.scalar("", core.type))
    return numbers(joined.cast(pa.float64()))


def _factors(unit: NDArray[Any], style: Style) -> Values:
    """By what the numbers of each unit are multiplied; NaN where it is another unit."""
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
    return 1.0 if set(known) == {""} and units.is_currency(name) else math.nan


# --------------------------------------------------------- find: text to a style


@dataclass(frozen=True, eq=False)
class Found:
    """What a text column is if it is read as numbers.

    Attributes
    ----------
    values : ndarray of float64
        For each different cell; NaN where it is missing or was not read.
    style : dict
        How to read it, for `parse`.
    verdict : Verdict
        Whether that fits.
    notes : tuple of str
        How cells are written, in words.
    doubt : str
        Another `--read-as` that might be meant instead; empty if the column tells.
    looks : str
        What it looks like if it does not fit, such as "money".
    likeness : float
        Share of the cells with a value that are numbers, in whatever unit.
    codes : bool
        Digits with leading zeros: codes, not numbers.
    """

    values: Values
    style: Style
    verdict: Verdict
    notes: tuple[str, ...] = ()
    doubt: str = ""
    looks: str = "numbers"
    likeness: float = 0.0
    codes: bool = False


PLAIN: Style = {"decimal": ".", "units": {"": 1.0}}
"""Numbers as programs write them."""


def find(
    text: Text, marks: Marks, decimal: str = "", *, separator: str = ""
) -> Found | None:
    """The style in which a text column holds numbers; None if it hardly has any.

    Parameters
    ----------
    text : Text
    marks : callable
        Gives the decimal mark that other columns of the table have, "" if unknown.
    decimal : str
        The mark that was asked for; judged on the column by default.
    separator : str
        What stands between the cells of the file, "" if unknown.
    """
    tried = sample(text)
    if tried is not text.levels:
        rows = _readings(_apart(tried))
        if (rows.point | rows.comma).mean() < 0.25:
            return None
    cells = _apart(text.levels)
    readings = _readings(cells)
    number = (readings.point | readings.comma) & ~text.absent()
    if not number.any() or _are_addresses(text.levels.filter(pa.array(number))):
        return None
    mark, doubt = decimal, ""
    if not decimal:
        mark, doubt = _decimal(text, cells, readings, marks, separator)
    weights = _weights(cells.unit[number], text.counts[number])
    system = units.system(weights)
    style: Style = {"decimal": mark, "units": system.factors}
    values, right = _read(cells, style)
    right &= ~text.absent()
    verdict = judge(text, right, "numbers")
    if verdict.words:
        style["words"] = list(verdict.words)
    present = int(text.counts[~text.absent()].sum())
    # Many different words behind numbers are no units: these are addresses or codes.
    alike = 0 if len(weights) > MOST_UNITS else int(text.counts[number].sum())
    written = _written(text, cells, values, right, style)
    written += _mixed(text, readings, mark)
    return Found(
        values=np.where(right, values, np.nan),
        style=style,
        verdict=verdict,
        notes=(*written, system.note) if system.note else written,
        doubt=doubt,
        looks=units.looks(weights),
        likeness=alike / max(present, 1),
        codes=not decimal and _are_codes(text, cells, right),
    )


def _mixed(text: Text, readings: _Readings, mark: str) -> tuple[str, ...]:
    """What is said if some cells can only have the other decimal mark."""
    first, second = readings.point, readings.comma
    if mark == ",":
        first, second = second, first
    count = int(text.counts[second & ~first & ~text.absent()].sum())
    if not count or not (first & ~second).any():
        return ()
    other = "comma" if mark == "." else "point"
    verb = "cell has" if count == 1 else "cells have"
    return (f"{count} {verb} a decimal {other}, unlike the others",)


_BYTE = r"(?:25[0-5]|2[0-4]\d|1?\d?\d)"


def _are_addresses(levels: pa.Array) -> bool:
    """Whether numbers with three points are addresses of the internet."""
    form = rf"^{_BYTE}\.{_BYTE}\.{_BYTE}\.{_BYTE}$"
    return bool(as_mask(pc.match_substring_regex(levels, form)).mean() > 0.5)


MOST_UNITS = 6
"""Different units in a column that looks like numbers."""


def _weights(unit: NDArray[Any], counts: NDArray[np.int64]) -> dict[str, int]:
    names, place = np.unique(unit.astype(str), return_inverse=True)
    weights = np.bincount(place, counts, minlength=len(names))
    return {str(name): int(w) for name, w in zip(names, weights, strict=True)}


def _decimal(
    text: Text, cells: _Cells, readings: _Readings, marks: Marks, separator: str
) -> tuple[str, str]:
    """The decimal mark of a column, and another way to read it if that is open."""
    by_point = int(text.counts[readings.point & ~readings.comma].sum())
    by_comma = int(text.counts[readings.comma & ~readings.point].sum())
    if by_point or by_comma:
        return (".", "") if by_point >= by_comma else (",", "")
    open_ = readings.point & readings.comma & readings.marked
    if not open_.any():
        return ".", ""
    # Each open cell has one mark before exactly three digits, such as 1,125.
    commas = as_mask(pc.match_substring(cells.core, ","))
    mark = (
        "," if text.counts[open_ & commas].sum() * 2 > text.counts[open_].sum() else "."
    )
    whole = readings.point & ~readings.marked
    others = np.abs(_values(cells, np.flatnonzero(whole), ",", "."))
    if _are_money(cells.unit[open_], text.counts[open_]):  # has two decimals or none
        return {",": ".", ".": ","}[mark], ""
    # A comma between the cells of a file is seldom within numbers; others may be.
    thousands = mark == "," and separator in ("", ",")
    if len(others):
        several = int((open_ & (commas == (mark == ","))).sum()) >= 20
        thousands = bool(others.max() < 1000) and (thousands or several)
    told = marks()
    if told:
        agree = not len(others) or (told != mark) == thousands
        return told, "" if agree else _doubt(told)
    if thousands:
        told = {",": ".", ".": ","}[mark]
        return told, _doubt(told)
    return mark, _doubt(mark) if mark == "," else ""


def _are_money(unit: NDArray[Any], counts: NDArray[np.int64]) -> bool:
    money = [units.is_currency(str(one)) for one in unit]
    return bool(counts[np.array(money, bool)].sum() > 0.5 * counts.sum())


def _doubt(taken: str) -> str:
    """The other way to read the column."""
    other = {",": ".", ".": ","}[taken]
    return "decimal-comma" if other == "," else "decimal-point"


def table_mark(columns: Iterable[pa.Array]) -> str:
    """The decimal mark of most columns of text that tell it; "" if none does."""
    votes = 0
    for array in columns:
        text = distinct(array)
        readings = _readings(_apart(sample(text)))
        if not len(text.levels) or (readings.point | readings.comma).mean() < 0.5:
            continue
        point = int((readings.point & ~readings.comma).sum())
        comma = int((readings.comma & ~readings.point).sum())
        votes += int(np.sign(point - comma))
    return "" if votes == 0 else "." if votes > 0 else ","


def _are_codes(text: Text, cells: _Cells, right: Mask) -> bool:
    """Whether whole numbers have leading zeros, as postal codes do."""
    bare = right & (cells.unit == "") & (cells.sign == 1.0)
    digits = as_mask(pc.match_substring_regex(cells.core, r"^\d+$"))
    no_power = as_mask(pc.equal(cells.exponent, ""))
    if not right.any() or not (bare & digits & no_power)[right].all():
        return False
    return has_leading_zeros(cells.core.filter(pa.array(right)), text.counts[right])


def has_leading_zeros(digits: pa.Array, counts: NDArray[np.int64]) -> bool:
    """Whether texts of digits are codes: equally long, or often with leading zeros."""
    leading = as_mask(pc.match_substring_regex(digits, r"^0\d"))
    if not leading.any():
        return False
    widths = pc.utf8_length(digits).to_numpy(zero_copy_only=False)
    often = counts[leading].sum() >= 0.05 * counts.sum()
    return bool(often or (widths == widths[0]).all())


def _written(
    text: Text, cells: _Cells, values: Values, right: Mask, style: Style
) -> tuple[str, ...]:
    """How cells are written, where it is not as programs write numbers."""
    core = cells.core
    grouped = as_mask(pc.match_substring_regex(core, r"[ '_]|[.,].*[.,]")) & right
    three = as_mask(pc.match_substring_regex(core, r"^\d+[.,]\d{3}$")) & right
    mark = "," if style["decimal"] == "." else "."
    grouped |= three & as_mask(pc.match_substring(core, mark))
    united = (cells.unit != "") & right
    ordinary = as_mask(pc.match_substring_regex(text.levels, r"^[-+]?[\d.,]"))
    signs = right & (cells.sign < 0) & ~ordinary
    signs |= right & as_mask(pc.match_substring_regex(text.levels, r"\d-$"))
    telling = np.where(
        united | grouped | signs, 1 + 2 * grouped + united + 4 * signs, 0
    )
    if telling.any():
        pick = int(np.argmax(telling))
        cell = text.levels[pick].as_py()
        return (f"cells such as {cell[:40]!r} are read as {_exact(values[pick])}",)
    commas = right & as_mask(pc.match_substring(core, ","))
    if style["decimal"] == "," and commas.any():
        return ("written with a decimal comma",)
    return ()


def _exact(value: float) -> str:
    if abs(value) < 1e15 and value == int(value):
        return str(int(value))
    return f"{value:.12g}"


# -------------------------------------------------------------------------- plan


def plan(
    name: str,
    values: Values,
    *,
    whole: bool = False,
    style: Style | None = None,
    notes: Iterable[str] = (),
    level: int = 0,
    remedy: str = "",
    tolerant: bool = False,
    different: Callable[[], int] | None = None,
) -> Plan:
    """The plan for a column of numbers.

    Parameters
    ----------
    name : str
    values : ndarray of float64
        NaN where missing; infinite cells are extreme ones.
    whole : bool
        Whether the column can hold whole numbers only.
    style : dict, optional
        How text is read, for `parse`.
    notes, level, remedy
        What was found out about the cells already.
    tolerant : bool
        Some cells were not numbers; new ones may follow.
    different : callable, optional
        Gives the number of different cells, where floats do not tell them apart.
    """
    style = PLAIN if style is None else style
    ordered = np.sort(values[np.isfinite(values)])
    if len(ordered) == 0:
        return _never_finite(name, values)
    summary = _summary(values, ordered, whole=whole, style=style)
    if len(ordered) == len(values):
        detail = _row_number(name, ordered, summary["whole"], different)
        if detail:
            return left_out(name, "identifier", detail, summary)
        if ordered[0] == ordered[-1]:
            return left_out(name, "constant", f"always {ordered[0]:.6g}", summary)
    constant = bool(ordered[0] == ordered[-1]) and not np.isinf(values).any()
    remarks = [*notes, f"every value is {ordered[0]:.6g}"] if constant else [*notes]
    low, high = _bounds(values, ordered)
    settings = {"fill": summary["median"], "value": not constant, "style": style}
    settings |= {"low": low, "high": high}
    action = "kept as missing or not" if constant else "kept unchanged"
    features = () if constant else (name,)
    found = Plan(name, "number", action, "", features, settings, summary)
    fill = f"its median, {summary['median']:.6g}"
    louder = level if remarks else 0
    found = with_indicator(found, fill, remarks, tolerant=tolerant)
    return _warned(replace(found, level=louder, remedy=remedy), values, ordered)


def _never_finite(name: str, values: Values) -> Plan:
    if np.isnan(values).all():
        return all_missing(name, len(values))
    summary = {"rows": len(values), "missing": float(np.isnan(values).mean())}
    return left_out(name, "ignored", "every value is infinite", summary)


def _summary(
    values: Values, ordered: Values, *, whole: bool, style: Style
) -> dict[str, Any]:
    whole = whole or bool((ordered == np.floor(ordered)).all())
    missing = float(np.isnan(values).mean())
    summary: dict[str, Any] = {"kind": "number", "rows": len(values)}
    summary |= {"missing": missing, "whole": whole}
    summary |= {key: quantile(ordered, q) for key, q in QUANTILES.items()}
    summary["deciles"] = deciles(ordered)
    unit = "seconds" if style.get("duration") else units.base(style["units"])
    return summary | ({"unit": unit} if unit else {})


_ID_NAME = re.compile(
    r"(^|[\s_.-])(id|idx|index|uid|uuid|guid|key|row)$"
    r"|^column_1$|^unnamed|^__index_level_\d+__$"
)


def _row_number(
    name: str, ordered: Values, whole: bool, different: Callable[[], int] | None
) -> str:
    """Why a column without gaps only says which row it is; empty if it does not."""
    n = len(ordered)
    if not whole or n < FEWEST_IDS:
        return ""
    if abs(ordered[0]) > EXACT or abs(ordered[-1]) > EXACT:
        apart = int(np.count_nonzero(ordered[1:] != ordered[:-1])) + 1
        exact = different() if different is not None else apart
        if exact > apart and exact > n / 2:
            return f"{exact} different numbers of 16 or more digits in {n} rows"
    counts_up = float(ordered[-1]) - float(ordered[0]) == n - 1
    named = _ID_NAME.search(name.strip().lower()) is not None
    if (counts_up or named) and bool((ordered[1:] > ordered[:-1]).all()):
        return f"{n} different whole numbers, one for each row"
    return ""


# --------------------------------------------- cells that are far from all others

FAR = 1e9
"""Spreads beyond the quartiles from which on a cell is huge; real data stay below."""
BEYOND = 10
"""Ranges of the other values that a huge or infinite cell is put beyond them."""
LARGEST = 1e150
"""Squares of it are finite."""


def _bounds(values: Values, ordered: Values) -> tuple[float, float]:
    """Where cells are cut off.

    Ordinary cells are far within, so that they keep their values to the bit. If no
    training row is beyond, a new one may be as far as squares allow.
    """
    low, high = _far(ordered)
    usual = ordered[(ordered >= low) & (ordered <= high)]
    if len(usual) < len(ordered) or np.isinf(values).any():
        first, last = float(usual[0]), float(usual[-1])
        width = (last - first) or abs(last) or 1.0
        largest = float(np.finfo(np.float64).max)
        low, high = first - BEYOND * width, last + BEYOND * width
        return max(low, -largest), min(high, largest)
    return low, high


def _far(ordered: Values) -> tuple[float, float]:
    first, median, third = (quantile(ordered, q) for q in (0.25, 0.5, 0.75))
    spread = third - first
    if spread == 0:
        away = np.abs(ordered[ordered != median] / 2 - median / 2)
        spread = 2 * float(np.median(away)) if len(away) else abs(median) or 1.0
    low, high = first - FAR * spread, third + FAR * spread
    if math.isfinite(low) and math.isfinite(high):
        return low, high
    if max(abs(first), abs(third)) < LARGEST:
        return -LARGEST, LARGEST
    return float(ordered[0]), float(ordered[-1])


def _warned(plan: Plan, values: Values, ordered: Values) -> Plan:
    """The plan with loud notes about cells that are far from all others."""
    name, low, high = plan.column, plan.settings["low"], plan.settings["high"]
    if not plan.settings["value"]:
        return plan
    beyond = (values < low) | (values > high)
    if beyond.any():
        plan = said(plan, [_extreme_note(values, beyond)], level=2)
    within = (ordered >= low) & (ordered <= high)
    found = _sentinels(ordered[within]) + _fills(ordered[~within], ordered[within])
    if found:
        value = _in_full(found[0].value)
        notes = [_sentinel_note(*one) for one in found]
        remedy = f"if it does: {read_as(name, f'missing:{value}')}"
        plan = said(plan, notes, level=2, remedy=remedy)
    return plan


def _extreme_note(values: Values, beyond: Mask) -> str:
    row, count = int(np.argmax(beyond)), int(beyond.sum())
    shown_as = f"{number_text(values[row])} in row {row}"
    if count == 1:
        return (
            f"1 cell is huge or infinite ({shown_as}) and counts as beyond all others"
        )
    return (
        f"{count} cells are huge or infinite (the first: {shown_as}) and count as "
        "beyond all others"
    )


class _Sentinel(NamedTuple):
    value: float
    times: int
    first: float  # of the other values
    last: float


def _sentinels(ordered: Values) -> list[_Sentinel]:
    """Repeated values at an end, far from the rest, as -999 for "no value"."""
    found: list[_Sentinel] = []
    rest = ordered
    while len(found) < 3 and (one := _sentinel(rest)) is not None:
        found.append(one)
        rest = rest[one.times :] if one.value == rest[0] else rest[: -one.times]
    return found


def _fills(huge: Values, usual: Values) -> list[_Sentinel]:
    """Repeated huge values that programs write for "no value"."""
    values, counts = np.unique(huge, return_counts=True)
    ends = float(usual[0]), float(usual[-1])
    pairs = zip(values.tolist(), counts.tolist(), strict=True)
    return [_Sentinel(v, n, *ends) for v, n in pairs if n >= 2 and _is_fill(v)]


def _in_full(value: float) -> str:
    """A number with all its digits."""
    text = number_text(value)
    return text if float(text) == value else repr(value)


def _sentinel(ordered: Values) -> _Sentinel | None:
    for value in (float(ordered[0]), float(ordered[-1])):
        if value != math.floor(value) and not _is_fill(value):
            continue
        side = "left" if value == ordered[-1] else "right"
        cut = int(np.searchsorted(ordered, value, side))  # type: ignore[call-overload]
        count, rest = (
            (len(ordered) - cut, ordered[:cut])
            if side == "left"
            else (cut, ordered[cut:])
        )
        if count >= 2 and len(rest) and _stands_apart(value, count, rest):
            return _Sentinel(value, count, float(rest[0]), float(rest[-1]))
    return None


_LIMITS = {-32768.0, 32767.0, 65535.0, -2147483648.0, 2147483647.0, 4294967295.0}
_HUGE = (1e20, 1e30, 1e35, 1e36, 9.96921e36, 1e37, 1e38)  # the fifth is of netCDF
_LOGGED = (999.25, 9999.25)  # of logs of boreholes, negative


def _is_fill(value: float) -> bool:
    """Whether programs write a number that is not whole, or huge, for "no value"."""
    digits = number_text(abs(value))
    if len(digits) >= 4 and "." in digits and set(digits) == {"9", "."}:
        return True
    known = _HUGE if value > 0 else (*_HUGE, *_LOGGED)
    return any(math.isclose(abs(value), one, rel_tol=1e-6) for one in known)


def _stands_apart(value: float, count: int, rest: Values) -> bool:
    digits = number_text(abs(value))
    repeated = len(set(digits)) == 1 and digits[0] in "6789"
    known = value in _LIMITS or (repeated and len(digits) >= (2 if value < 0 else 3))
    known |= _is_fill(value) or (value < 0 and value % 100 == 0)
    first, last = float(rest[0]), float(rest[-1])
    gap, width = max(first - value, value - last), last - first
    if value < 0 <= first and (known or value == -1) and count >= 3:
        return _several(rest)
    if known and gap > 0.5 * width:
        return _several(rest)
    return bool(
        (known or value < 0) and count >= 5 and gap > 2 * width and _several(rest)
    )


def _several(rest: Values) -> bool:
    """Whether there are five different values or more."""
    return int(np.count_nonzero(rest[1:] != rest[:-1])) >= 4


def _sentinel_note(value: float, count: int, first: float, last: float) -> str:
    return (
        f"{number_text(value)} occurs {count} times, far from all other values "
        f"({first:.6g} to {last:.6g}), and may mean missing"
    )


# ------------------------------------------------------- encode, chart and usual


def encode(plan: Plan, array: pa.Array, first_row: int) -> list[Values]:
    """The numbers and the mark for missing cells.

    Raises
    ------
    DataError
        A cell is not a number, and training rows had no such cell.
    """
    family = family_of(array.type)
    if family == "text":
        values, unread = parse(array, _style_of(plan, array))
        if unread.any() and not plan.settings["tolerant"]:
            raise bad_cell(plan, array, int(np.argmax(unread)), first_row)
    elif family in {"number", "boolean", "empty", "duration"}:
        values = _typed(plan, array)
    else:
        raise other_type(plan, array)
    return filled(plan, values)


def _style_of(plan: Plan, array: pa.Array) -> Style:
    """How text is read; models of format 1 know the range only, and it tells."""
    known = plan.settings.get("style")
    if known is not None:
        return dict(known)
    if not pc.any(pc.match_substring(array, ",")).as_py():
        return PLAIN
    low, high = plan.summary["min"], plan.summary["max"]

    def away(style: Style) -> float:
        values = parse(array, style)[0]
        values = values[np.isfinite(values)]
        outside = np.abs(values - np.clip(values, low, high))
        return float(np.median(outside)) if len(values) else math.inf

    comma = PLAIN | {"decimal": ","}
    return comma if away(comma) < away(PLAIN) else PLAIN


def _typed(plan: Plan, array: pa.Array) -> Values:
    if "style" in plan.settings:
        return parse_typed(array, plan.settings["style"])
    if pa.types.is_decimal(array.type):  # models of format 1 rounded decimals so
        array = array.cast(pa.float64(), safe=False)
    return numbers(array)


def filled(plan: Plan, values: Values) -> list[Values]:
    """Values with the fill where they are missing, within bounds, and the mark."""
    settings = plan.settings
    # Models of format 1 have no bounds: infinite cells count as missing there.
    missing = np.isnan(values) if "low" in settings else ~np.isfinite(values)
    found = []
    if settings["value"]:
        if missing.any():
            values = np.where(missing, settings["fill"], values)
        found.append(_within(values, settings))
    if settings["indicator"]:
        found.append(missing.astype(np.float64))
    return found


def _within(values: Values, settings: dict[str, Any]) -> Values:
    if "low" not in settings or not len(values):
        return values
    low, high = settings["low"], settings["high"]
    if values.min() >= low and values.max() <= high:
        return values
    return np.clip(values, low, high)


def chart(plan: Plan, array: pa.Array) -> Values:
    """Numbers in the column's unit, NaN where missing; huge ones at the bounds."""
    family = family_of(array.type)
    if family == "text":
        values = parse(array, _style_of(plan, array))[0]
    elif family in {"number", "boolean", "empty", "duration"}:
        values = parse_typed(array, plan.settings.get("style", PLAIN))
    else:
        return np.full(len(array), np.nan)
    if "low" in plan.settings:
        return np.clip(values, plan.settings["low"], plan.settings["high"])
    return np.where(np.isfinite(values), values, np.nan)


def usual(plan: Plan, value: Any) -> Usual:
    """A number beside the range of the training rows."""
    summary = plan.summary
    style = plan.settings.get("style", PLAIN)
    if isinstance(value, str):
        style = _style_of(plan, pa.array([value]))
    number = _number_of(value, style)
    if number is None:
        return Usual(shown(value), "not a number; counts as missing")
    if math.isnan(number):
        return missing_usual(summary)
    spread = (summary["q95"] - summary["q05"]) or (summary["max"] - summary["min"])
    text = {key: number_text(summary[key], spread) for key in _PLACES}
    unit = f" {summary['unit']}" if summary.get("unit") else ""
    sentence = f"usual {text['q05']} to {text['q95']}, median {text['median']}{unit}"
    if number > summary["max"]:
        sentence += f"; above the highest in training ({text['max']})"
    elif number < summary["min"]:
        sentence += f"; below the lowest in training ({text['min']})"
    return Usual(_shown(value, number, spread), sentence)


_PLACES = ("min", "q05", "median", "q95", "max")


def _number_of(value: Any, style: Style) -> float | None:
    """The number in a cell: NaN if it is missing, None if it is something else."""
    if isinstance(value, str):
        values, unread = parse(pa.array([value]), style)
        return None if unread[0] else float(values[0])
    if isinstance(value, timedelta):
        value = value.total_seconds()
    try:
        number = math.nan if value is None else float(value)
    except (TypeError, ValueError):
        return None
    return math.nan if number in style.get("absent", []) else number


def _shown(value: Any, number: float, spread: float) -> str:
    """The cell as in the file, unless a program wrote all its digits."""
    if isinstance(value, str) and (
        len(value.strip()) <= 12 or not _PROGRAM.match(value)
    ):
        return shown(value)
    if isinstance(value, str | float):
        return number_text(number, spread)
    return shown(value)


_PROGRAM = re.compile(r"^\s*-?\d*\.\d+(e[-+]?\d+)?\s*$", re.IGNORECASE)


def missing_usual(summary: dict[str, Any]) -> Usual:
    """What is said of a missing cell."""
    share = summary.get("missing", 0.0)
    known = f"as {percent(share)} of training rows"
    return Usual("missing", known if share else "which no training row was")
