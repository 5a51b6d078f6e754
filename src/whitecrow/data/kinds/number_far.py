"""Cells that are far from all others: huge ones, and numbers that mean "no value"."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from whitecrow.data.kinds.plan import Plan, quantile, read_as, said
from whitecrow.data.kinds.words import number_text

__all__ = ["bounds", "warned"]

Values = NDArray[np.float64]
Mask = NDArray[np.bool_]

FAR = 1e9
"""Spreads beyond the quartiles from which on a cell is huge; real data stay below."""
BEYOND = 10
"""Ranges of the other values that a huge or infinite cell is put beyond them."""
LARGEST = 1e150
"""Squares of it are finite."""


def bounds(values: Values, ordered: Values) -> tuple[float, float]:
    """Find the bounds at which cells are clipped.

    Ordinary cells are far within them, so that they keep their values to the bit. If no
    training row is beyond, a new one may be as large as can be squared.
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


def warned(plan: Plan, values: Values, ordered: Values) -> Plan:
    """Add loud notes to a plan about cells that are far from all others."""
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
    cell = f"{number_text(values[row])} in row {row}"
    if count == 1:
        return f"1 cell is huge or infinite ({cell}) and counts as beyond all others"
    cells = f"{count} cells are huge or infinite (the first: {cell})"
    return f"{cells} and count as beyond all others"


class _Sentinel(NamedTuple):
    value: float
    times: int
    first: float  # of the other values
    last: float


def _sentinels(ordered: Values) -> list[_Sentinel]:
    """Find repeated values at an end, far from the rest, as -999 for "no value"."""
    found: list[_Sentinel] = []
    rest = ordered
    while len(found) < 3 and (one := _sentinel(rest)) is not None:
        found.append(one)
        rest = rest[one.times :] if one.value == rest[0] else rest[: -one.times]
    return found


def _fills(huge: Values, usual: Values) -> list[_Sentinel]:
    """Find repeated huge values that programs write for "no value"."""
    values, counts = np.unique(huge, return_counts=True)
    ends = float(usual[0]), float(usual[-1])
    pairs = zip(values.tolist(), counts.tolist(), strict=True)
    return [_Sentinel(v, n, *ends) for v, n in pairs if n >= 2 and _is_fill(v)]


def _in_full(value: float) -> str:
    """Format a number with all its digits."""
    text = number_text(value)
    return text if float(text) == value else repr(value)


def _sentinel(ordered: Values) -> _Sentinel | None:
    for value in (float(ordered[0]), float(ordered[-1])):
        if value != math.floor(value) and not _is_fill(value):
            continue
        side = "left" if value == ordered[-1] else "right"
        cut = int(np.searchsorted(ordered, value, side))  # type: ignore[call-overload]
        count, rest = cut, ordered[cut:]
        if side == "left":
            count, rest = len(ordered) - cut, ordered[:cut]
        if count >= 2 and len(rest) and _stands_apart(value, count, rest):
            return _Sentinel(value, count, float(rest[0]), float(rest[-1]))
    return None


_LIMITS = {-32768.0, 32767.0, 65535.0, -2147483648.0, 2147483647.0, 4294967295.0}
_HUGE = (1e20, 1e30, 1e35, 1e36, 9.96921e36, 1e37, 1e38)  # the fifth is of netCDF
_LOGGED = (999.25, 9999.25)  # of logs of boreholes, negative


def _is_fill(value: float) -> bool:
    """Tell whether programs write a fractional or huge number for "no value"."""
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
    """Tell whether there are five different values or more."""
    return int(np.count_nonzero(rest[1:] != rest[:-1])) >= 4


def _sentinel_note(value: float, count: int, first: float, last: float) -> str:
    return (
        f"{number_text(value)} occurs {count} times, far from all other values "
        f"({first:.6g} to {last:.6g}), and may mean missing"
    )
