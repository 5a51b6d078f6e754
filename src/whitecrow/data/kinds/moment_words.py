"""Moments in words: dates as text, and what is usual about the cycles of a column."""

from __future__ import annotations

from calendar import day_name, month_name
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from whitecrow.data.kinds.moment_text import DAY
from whitecrow.data.kinds.plan import QUANTILES
from whitecrow.data.kinds.words import percent

__all__ = [
    "PLACES",
    "day_or_moment",
    "iso_text",
    "listed",
    "odd_parts",
    "place",
    "span",
]

PLACES = {"hour": 24, "weekday": 7, "month": 12}
"""Parts of each cycle that are counted."""
RARE = 0.5
"""Part of an even share below which an hour, a weekday or a month is odd."""
MOST_HOURS = 18
"""Hours that can be called the usual ones."""


def iso_text(micros: int, *, clock: bool = False) -> str:
    """A moment in ISO form."""
    try:
        moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=micros)
    except OverflowError:  # beyond the year 9999
        return str(np.datetime64(micros, "us"))
    moment = moment.replace(tzinfo=None)
    return moment.time().isoformat() if clock else moment.isoformat(" ")


def day_or_moment(micros: int) -> str:
    """A moment in ISO form, without the time if that is midnight."""
    return iso_text(micros).removesuffix(" 00:00:00")


def listed(words: list[str]) -> str:
    """Words as in a sentence.

    Examples
    --------
    >>> listed(["hour"]), listed(["hour", "weekday", "month"])
    ('hour', 'hour, weekday and month')
    """
    return " and ".join([", ".join(words[:-1]), words[-1]] if words[1:] else words)


def span(summary: Mapping[str, Any]) -> str:
    """From when to when the training rows are, without zeros that all of them have.

    Examples
    --------
    >>> span({"min": "2024-01-03 00:00:00", "max": "2024-11-16 00:00:00"})
    '2024-01-03 to 2024-11-16'
    >>> span({"min": "09:30:00", "max": "09:30:00"})
    '09:30'
    """
    moments = [str(summary[key]) for key in QUANTILES if key in summary]
    for zeros in (":00", " 00:00"):
        if all(text.endswith(zeros) for text in moments):
            moments = [text.removesuffix(zeros) for text in moments]
    return " to ".join(dict.fromkeys([moments[0], moments[-1]]))


def place(micros: NDArray[np.int64], cycle: str) -> NDArray[np.int64]:
    """Which hour, weekday or month an instant is in, from 0."""
    if cycle == "hour":
        return micros % DAY // (DAY // 24)
    if cycle == "weekday":  # the first of January 1970 was a Thursday
        return (micros // DAY + 3) % 7
    months = micros.astype("datetime64[us]").astype("datetime64[M]").astype(np.int64)
    return months % 12


def odd_parts(summary: dict[str, Any], micros: int) -> list[str]:
    """Say which of its hour, weekday and month few training rows have."""
    found = []
    for cycle, counts in summary.get("cycles", {}).items():
        at = int(place(np.array([micros]), cycle)[0])
        share = counts[at] / sum(counts)
        if share >= RARE / len(counts):
            continue
        seen = f"as {percent(share)} of training rows" if share else "as none was"
        if cycle == "hour":
            first, width = _usual_hours(counts)
            if (at - first) % 24 >= width:
                seen = f"usually {first:02}:00 to {(first + width) % 24:02}:00"
            time = iso_text(micros % DAY, clock=True)[:5]
            found.append(seen if summary["clock"] else f"at {time}, {seen}")
        elif cycle == "weekday":
            found.append(f"a {day_name[at]}, {seen}")
        else:
            found.append(f"in {month_name[at + 1]}, {seen}")
    return found


def _usual_hours(counts: list[int]) -> tuple[int, int]:
    """First hour and length of the shortest part of the day with nearly all rows."""
    twice = np.concatenate([[0], np.cumsum(counts * 2)])
    for width in range(1, MOST_HOURS + 1):
        within = twice[width : width + 24] - twice[:24]
        if within.max() >= 0.95 * sum(counts):
            return int(within.argmax()), width
    return 0, 24
