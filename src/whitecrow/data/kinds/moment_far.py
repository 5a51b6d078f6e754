"""Dates that lie far from all others: a wrong year, or one that means "no value".

The *bulk* of a column are its dates without these. It is grown from the middle half of
the different dates: whatever lies within one span of it belongs to it, so that each
date that is left out is farther from the bulk than its own dates are from each other.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from whitecrow.data.kinds.moment_text import DAY
from whitecrow.data.kinds.moment_words import day_or_moment
from whitecrow.data.kinds.plan import Plan, read_as, said

__all__ = ["beyond", "bulk", "margins", "warned"]

Values = NDArray[np.float64]
Micros = NDArray[np.int64]

YEAR = 366 * DAY
FEWEST = 4
"""Different dates below which none is far from the others."""
MOST_FAR = 0.05
"""Share of the different dates that can be far from the others."""

_NO_DATES = np.array(
    [
        *("0001-01-01", "1899-12-30", "1899-12-31", "1900-01-01", "1970-01-01"),
        *("2099-12-31", "2999-12-31", "9999-12-31"),
    ],
    "datetime64[us]",
).astype(np.int64)
"""Dates that programs write where there is none."""


def bulk(ordered: Micros) -> tuple[int, int]:
    """Find the first and last of the dates, leaving out those far from all others.

    Examples
    --------
    >>> days = np.append(np.arange(300), 90_000) * DAY
    >>> [end // DAY for end in bulk(days)]
    [0, 299]
    """
    different = np.unique(ordered)
    n, ends = len(different), (int(ordered[0]), int(ordered[-1]))
    if n < FEWEST:
        return ends
    low, high = math.ceil(0.25 * (n - 1)), math.floor(0.75 * (n - 1))
    grown = -1, -1
    while grown != (low, high):
        grown = low, high
        first, last = float(different[low]), float(different[high])
        span = max(last - first, float(DAY))
        low = int(np.searchsorted(different, first - span, "left"))
        high = int(np.searchsorted(different, last + span, "right")) - 1
    first, last = int(different[low]), int(different[high])
    far = ordered[(ordered < first) | (ordered > last)]
    many = n - (high - low + 1) > max(1, MOST_FAR * n)
    often = (~np.isin(far // DAY * DAY, _NO_DATES)).sum() > len(ordered) / 2
    return ends if many or often else (first, last)


def margins(ordered: Micros, first: int, last: int) -> list[float]:
    """Return how far before and after the bulk a date is still near.

    That is the span of the bulk, and at least a year: rows of the next months are not
    anomalies. On a side where training rows lie far off, it is just the span.
    """
    span = float(max(last - first, DAY))
    beside = (int(ordered[0]) < first, int(ordered[-1]) > last)
    return [span if far else max(span, float(YEAR)) for far in beside]


def beyond(settings: dict[str, Any], micros: Micros) -> Values:
    """Measure how far past the bulk dates lie, in doublings of the margin; 0 within."""
    (first, last), (before, after) = settings["bulk"], settings["margins"]
    at = micros.astype(np.float64)
    return np.log2(
        np.maximum(np.maximum((first - at) / before, (at - last) / after), 1)
    )


def warned(plan: Plan, micros: pa.Array, first: int, last: int) -> Plan:
    """Add loud notes to a plan about dates outside the bulk."""
    cells = micros.fill_null(first).to_numpy()
    rows = np.flatnonzero((cells < first) | (cells > last))
    moments, counts = np.unique(cells[rows], return_counts=True)
    meant = (counts >= 2) & np.isin(moments // DAY * DAY, _NO_DATES)
    for moment, times in zip(moments[meant], counts[meant], strict=True):
        name = day_or_moment(int(moment))
        note = f"{name} occurs {times} times, far from all other dates, and may "
        remedy = f"if it does: {read_as(plan.column, f'missing:{name}')}"
        plan = said(plan, [note + "mean missing"], level=2, remedy=remedy)
    lone = rows[~np.isin(cells[rows], moments[meant])]
    if len(lone):
        listed = ", ".join(
            f"{day_or_moment(int(cells[i]))} in row {i}" for i in lone[:3]
        )
        which = "1 cell lies" if len(lone) == 1 else f"{len(lone)} cells lie"
        more = ", ..." if len(lone) > 3 else ""
        plan = said(plan, [f"{which} far from all others: {listed}{more}"], level=2)
    return plan
