"""In which style a column of text holds numbers, if it does.

Marks are judged on the whole column: `1,125` beside `993` has a thousands mark, beside
`12,5` a decimal comma; where the column does not tell, the other columns of the table
do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from whitecrow.data.kinds import units
from whitecrow.data.kinds.number_cells import (
    Cells,
    Readings,
    Style,
    apart,
    other_mark,
    read,
    readings,
    to_floats,
)
from whitecrow.data.kinds.reading import Reading, judge
from whitecrow.data.kinds.text import Text, as_mask, matches, sample

__all__ = ["find", "table_mark", "tells"]

Values = NDArray[np.float64]
Mask = NDArray[np.bool_]
Marks = Callable[[], str]


def find(
    text: Text, marks: Marks, decimal: str = "", *, separator: str = ""
) -> Reading | None:
    """Find the style in which a text column holds numbers; None if it hardly has any.

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
    if tried is not text.levels and readings(apart(tried)).either.mean() < 0.25:
        return None
    cells = apart(text.levels)
    found = readings(cells)
    number = found.either & ~text.absent()
    if not number.any() or _are_addresses(text.levels.filter(pa.array(number))):
        return None
    mark, doubt = decimal, ""
    if not decimal:
        mark, doubt = _decimal(text, cells, found, marks, separator)
    weights = _weights(cells.unit[number], text.counts[number])
    sizes, cents = _sizes(text, cells, number, mark)
    system = units.system(weights, sizes, cents=cents)
    style: Style = {"decimal": mark, "units": system.factors, "unit": system.unit}
    values, right = read(cells, style)
    right &= ~text.absent()
    verdict = judge(text, right, "numbers")
    if verdict.words:
        style["words"] = list(verdict.words)
    present = int(text.counts[~text.absent()].sum())
    # Many different words behind numbers are no units: these are addresses or codes.
    alike = 0 if len(weights) > MOST_UNITS else int(text.counts[number].sum())
    notes = _written(text, cells, values, right, mark) + _mixed(text, found, mark)
    notes += _ignored(text, cells, right)
    return Reading(
        looks=units.looks(weights, system.factors),
        values=text.spread(np.where(right, values, np.nan), np.nan),
        settings=style,
        verdict=verdict,
        notes=(*notes, system.note) if system.note else notes,
        doubt=doubt,
        likeness=alike / max(present, 1),
        codes=not decimal and _are_codes(text, cells, right),
    )


def _sizes(
    text: Text, cells: Cells, number: Mask, mark: str
) -> tuple[dict[str, float], bool]:
    """Measure how large the numbers of each unit are, and whether most have cents."""
    names = np.unique(cells.unit[number].astype(str)).tolist()
    alike: Style = {"decimal": mark, "units": dict.fromkeys(names, 1.0)}
    values = np.abs(read(cells, alike)[0])
    sizes = {
        name: float(np.nanmedian(values[number & (cells.unit == name)]))
        for name in names[:MOST_UNITS]
    }
    broken = number & matches(cells.core, r"[.,]\d{1,}$")
    cents = text.counts[broken].sum() > 0.5 * text.counts[number].sum()
    return sizes, bool(cents)


def _ignored(text: Text, cells: Cells, right: Mask) -> tuple[str, ...]:
    """Describe the footnotes and other marks beside numbers that are ignored."""
    marked = right & (cells.mark != "")
    if not marked.any():
        return ()
    count, cell = int(text.counts[marked].sum()), text.levels[int(np.argmax(marked))]
    cells_have = f"{count} cells such as {cell.as_py()[:40]!r} have"
    if count == 1:
        cells_have = f"1 cell, {cell.as_py()[:40]!r}, has"
    return (f"{cells_have} a mark beside the number, which is ignored",)


def _mixed(text: Text, found: Readings, mark: str) -> tuple[str, ...]:
    """Report cells that can only have the other decimal mark."""
    first, second = found.by(mark)
    count = int(text.counts[second & ~first & ~text.absent()].sum())
    if not count or not (first & ~second).any():
        return ()
    other = "comma" if mark == "." else "point"
    verb = "cell has" if count == 1 else "cells have"
    return (f"{count} {verb} a decimal {other}, unlike the others",)


_BYTE = r"(?:25[0-5]|2[0-4]\d|1?\d?\d)"


def _are_addresses(levels: pa.Array) -> bool:
    """Tell whether numbers with three points are IP addresses."""
    form = rf"^{_BYTE}\.{_BYTE}\.{_BYTE}\.{_BYTE}$"
    return bool(matches(levels, form).mean() > 0.5)


MOST_UNITS = 6
"""Different units in a column that looks like numbers."""


def _weights(unit: NDArray[Any], counts: NDArray[np.int64]) -> dict[str, int]:
    names, place = np.unique(unit.astype(str), return_inverse=True)
    weights = np.bincount(place, counts, minlength=len(names))
    return {str(name): int(w) for name, w in zip(names, weights, strict=True)}


def _decimal(
    text: Text, cells: Cells, found: Readings, marks: Marks, separator: str
) -> tuple[str, str]:
    """Choose the decimal mark of a column, and name another reading if that is open."""
    by_point = int(text.counts[found.point & ~found.comma].sum())
    by_comma = int(text.counts[found.comma & ~found.point].sum())
    if by_point or by_comma:
        return ("." if by_point >= by_comma else ","), ""
    open_ = found.point & found.comma & found.marked
    if not open_.any():
        return ".", ""
    # Each open cell has one mark before exactly three digits, such as 1,125.
    commas = as_mask(pc.match_substring(cells.core, ","))
    mostly = text.counts[open_ & commas].sum() * 2 > text.counts[open_].sum()
    mark = "," if mostly else "."
    if _are_money(cells.unit[open_], text.counts[open_]):  # has two decimals or none
        return other_mark(mark), ""
    # A comma between the cells of a file is seldom within numbers; others may be.
    thousands = mark == "," and separator in ("", ",")
    others = to_floats(cells, np.flatnonzero(found.point & ~found.marked), ".")
    if len(others):
        several = int((open_ & (commas == (mark == ","))).sum()) >= 20
        thousands = bool(others.max() < 1000) and (thousands or several)
    told = marks()
    if told:
        agree = not len(others) or (told != mark) == thousands
        return told, "" if agree else _DOUBT[told]
    if thousands:
        mark = other_mark(mark)
        return mark, _DOUBT[mark]
    return mark, _DOUBT[mark] if mark == "," else ""


_DOUBT = {",": "decimal-point", ".": "decimal-comma"}
"""The other way to read a column, for each mark."""


def _are_money(unit: NDArray[Any], counts: NDArray[np.int64]) -> bool:
    money = [units.is_currency(str(one)) for one in unit]
    return bool(counts[np.array(money, bool)].sum() > 0.5 * counts.sum())


def table_mark(columns: Iterable[Text]) -> str:
    """Find the decimal mark of most text columns that tell it; "" if none does."""
    votes = 0
    for text in columns:
        if not len(text.levels):
            continue
        found = readings(apart(sample(text)))
        if found.either.mean() >= 0.5:
            votes += int(np.sign(int(found.point.sum()) - int(found.comma.sum())))
    return "" if votes == 0 else "." if votes > 0 else ","


def tells(text: Text) -> bool:
    """Tell whether a cell is a number by one decimal mark only."""
    found = readings(apart(text.levels))
    return bool((found.point != found.comma).any())


def _are_codes(text: Text, cells: Cells, right: Mask) -> bool:
    """Tell whether whole numbers have leading zeros, often or all in the same width."""
    bare = right & (cells.unit == "") & (cells.sign == 1.0)
    digits = matches(cells.core, r"^\d+$")
    no_power = as_mask(pc.equal(cells.exponent, ""))
    if not right.any() or not (bare & digits & no_power)[right].all():
        return False
    codes, counts = cells.core.filter(pa.array(right)), text.counts[right]
    leading = matches(codes, r"^0\d")
    often = counts[leading].sum() >= 0.05 * counts.sum()
    equally_long = pc.count_distinct(pc.utf8_length(codes)).as_py() == 1
    return bool(leading.any() and (often or equally_long))


def _written(
    text: Text, cells: Cells, values: Values, right: Mask, decimal: str
) -> tuple[str, ...]:
    """Describe how cells are written, where programs write numbers differently."""
    core = cells.core
    mark = as_mask(pc.match_substring(core, other_mark(decimal)))
    grouped = matches(core, r"[ '_]|[.,].*[.,]")
    grouped |= matches(core, r"^\d+[.,]\d{3}$") & mark
    united = cells.unit != ""
    ordinary = matches(text.levels, r"^[-+]?[\d.,]")
    signs = ((cells.sign < 0) & ~ordinary) | matches(text.levels, r"\d-$")
    telling = right * (4 * signs + 2 * grouped + united)
    if telling.any():
        pick = int(np.argmax(telling))
        cell = text.levels[pick].as_py()
        return (f"cells such as {cell[:40]!r} are read as {_exact(values[pick])}",)
    if decimal == "," and (right & as_mask(pc.match_substring(core, ","))).any():
        return ("written with a decimal comma",)
    return ()


def _exact(value: float) -> str:
    if abs(value) < 1e15 and value == int(value):
        return str(int(value))
    return f"{value:.12g}"
