"""Dates and times of day, as people write them: parse, plan, encode, chart, usual.

Only the cycles that training rows cover twice are encoded, as waves. Text is read in
every usual form; what a column decides is the *order* of day and month, on all its
cells, and new rows are read in that order.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from whitecrow.data.kinds.moment_text import (
    DAY,
    SECOND,
    from_digits,
    iso,
    put_together,
    read,
    read_clock,
    split,
)
from whitecrow.data.kinds.plan import (
    NOTHING_KNOWN,
    QUANTILES,
    Known,
    Plan,
    Usual,
    all_missing,
    bad_cell,
    deciles,
    left_out,
    marks,
    missing_usual,
    other_type,
    read_as,
    said,
    with_indicator,
)
from whitecrow.data.kinds.reading import Reading, judge
from whitecrow.data.kinds.text import (
    Text,
    as_mask,
    distinct,
    family_of,
    matches,
    numbers,
    sample,
)
from whitecrow.data.kinds.words import is_missing, shown
from whitecrow.errors import DataError

__all__ = ["chart", "encode", "find", "find_clock", "instants", "parse", "plan"]
__all__ += ["usual", "without_absent"]

Values = NDArray[np.float64]
Micros = NDArray[np.int64]
Mask = NDArray[np.bool_]

ORDERS = {"dmy": "day-first", "mdy": "month-first", "ymd": "year-first"}


# ----------------------------------------------------------------- typed columns


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


def without_absent(name: str, array: pa.Array, words: Iterable[str]) -> pa.Array:
    """Dates of which some mean "no value", as asked for."""
    wanted, right = read(pa.array(list(words), pa.string()), "")
    known = pc.is_in(instants(name, array), value_set=pa.array(wanted[right]))
    return pc.if_else(known, pa.scalar(None, array.type), array)


# -------------------------------------------------------------------------- text


def parse(array: pa.Array, settings: dict[str, Any]) -> tuple[pa.Array, Mask]:
    """Raw text as microseconds (null where missing), and which cells were not read."""
    clock = settings["clock"]
    if not clock and (fast := iso(array)) is not None:
        return fast, np.zeros(len(array), bool)
    text = distinct(array)
    order = settings.get("order", "")
    micros, right = read_clock(text.levels) if clock else read(text.levels, order)
    absent = text.absent(settings.get("words", ()))
    return _spread(text, micros, right & ~absent), text.spread(~right & ~absent, False)


def _spread(text: Text, micros: Micros, right: Mask) -> pa.Array:
    return pa.array(text.spread(micros, 0), mask=~text.spread(right, False))


# --------------------------------------------------------- find: text to an order


def find(text: Text, order: str = "") -> Reading | None:
    """The dates of a text column; None if it hardly has any.

    Parameters
    ----------
    text : Text
        The different cells of the column.
    order : {"", "dmy", "mdy", "ymd"}
        What was asked for; judged on the column by default.
    """
    tried = sample(text)
    if not _digits_and_marks(tried):
        return None
    if tried is not text.levels and not any(
        read(tried, one)[1].mean() > 0.25 for one in ORDERS
    ):
        return None
    taken, doubt = (order, "") if order else _choose_order(text)
    micros, right = read(text.levels, taken)
    if not right.any():
        return None
    verdict = judge(text, right, "dates")
    settings = {"clock": False, "order": taken, "words": list(verdict.words)}
    cells = _spread(text, micros, right)
    notes = _order_note(text, micros, right)
    return Reading("dates", cells, settings, verdict, notes, doubt)


def find_clock(text: Text) -> Reading | None:
    """The times of day of a text column; None if it has none."""
    tried = sample(text)
    if tried is not text.levels and read_clock(tried)[1].mean() < 0.25:
        return None
    micros, right = read_clock(text.levels)
    if not right.any():
        return None
    verdict = judge(text, right, "times of day")
    settings = {"clock": True, "words": list(verdict.words)}
    cells = _spread(text, micros, right)
    return Reading("times of day", cells, settings, verdict)


def _digits_and_marks(levels: pa.Array) -> bool:
    """Whether many texts have digits, and something between them."""
    forms = (r"\d.*[-/.: ,].*\d|^\d{8}", r"\d\D+\d{2}|\p{L}[- ]\d")
    return any(matches(levels, form).mean() > 0.25 for form in forms)


def _choose_order(text: Text) -> tuple[str, str]:
    """The order in which most cells are dates, and another one that fits as well."""
    if iso(text.levels) is not None:
        return "", ""
    parts, n = split(text.levels), len(text.levels)
    readings = {one: put_together(parts, n, one) for one in ORDERS}
    fits = {one: int(text.counts[right].sum()) for one, (_, right) in readings.items()}
    best = [one for one, count in fits.items() if count == max(fits.values())]
    micros, right = readings[best[0]]
    if all(np.array_equal(micros[right], readings[one][0][right]) for one in best):
        # No cell depends on the order; where several fit, later ones go by their mark.
        return (best[0] if len(best) == 1 else ""), ""
    if len(best) == 1:
        return best[0], ""
    return _in_order(text, best, readings)


def _in_order(
    text: Text, best: list[str], readings: dict[str, tuple[Micros, Mask]]
) -> tuple[str, str]:
    """Of several orders, the one by which rows follow each other more evenly."""
    shape = {one: _evenness(text, *readings[one]) for one in best}
    ordered = max(share for share, _ in shape.values())
    slash = as_mask(pc.match_substring(text.levels, "/")).mean() > 0.5
    wanted = ("mdy", "dmy", "ymd") if slash else ("dmy", "mdy", "ymd")
    best = [one for one in wanted if one in best]
    taken = best[0]
    if ordered >= 0.9:
        rest = [one for one in best if shape[one][0] >= ordered - 0.02]
        even = min(rest, key=lambda one: shape[one][1])
        clearly = shape[even][1] < 0.9 * shape[rest[0]][1]
        taken = even if clearly else rest[0]
        # Years of two digits in front would jump: no doubt where the rows are in order.
        best = [one for one in best if one != "ymd" or shape[one][0] >= ordered - 0.02]
    others = [one for one in best if one != taken]
    return taken, ORDERS[others[0]] if others else ""


def _evenness(text: Text, micros: Micros, right: Mask) -> tuple[float, float]:
    """How much the rows are in order, and how uneven their steps are."""
    cells = text.spread(micros, 0)[text.spread(right, False)]
    steps = np.diff(cells).astype(np.float64)
    if len(steps) == 0:
        return 0.0, 0.0
    ordered = max(float((steps >= 0).mean()), float((steps <= 0).mean()))
    lengths = np.abs(steps)
    middle = float(lengths.mean()) or 1.0
    return ordered, float(lengths.std()) / middle


def _order_note(text: Text, micros: Micros, right: Mask) -> tuple[str, ...]:
    iso = matches(text.levels, r"^\d{4}-\d{2}-\d{2}([T ]|$)")
    other = right & ~iso
    if not other.any():
        return ()
    place = int(np.argmax(other))
    example = text.levels[place].as_py()[:40]
    return (f"cells such as {example!r} are read as {_iso_text(int(micros[place]))}",)


# -------------------------------------------------------------------------- plan

_PARTS = ("sine", "cosine")
# A cycle is learnt only if the training rows cover it twice: one afternoon of data
# would make every morning an anomaly.
_CYCLES = {"hour": 2 * DAY, "weekday": 14 * DAY, "month": 730 * DAY}


def plan(
    name: str, micros: pa.Array, settings: dict[str, Any], known: Known = NOTHING_KNOWN
) -> Plan:
    """Plan for instants or times of day.

    Parameters
    ----------
    name : str
    micros : pyarrow.Array of int64
        As `instants` and `find` give them.
    settings : dict
        How to read the column; `clock` says whether these are times of day.
    known : Known
        What was found out about the cells already.
    """
    clock = settings["clock"]
    valid = np.sort(micros.drop_null().to_numpy())
    if len(valid) == 0:
        return all_missing(name, len(micros))
    summary = _summary(micros, valid, clock=clock)
    missing = summary["missing"]
    if valid[0] == valid[-1] and not missing:
        return left_out(name, "constant", f"always {summary['min']}", summary)
    cycles = _cycles(valid, clock=clock)
    features = tuple(f"{name} {cycle} {part}" for cycle in cycles for part in _PARTS)
    fill = [float(wave.mean()) for wave in _waves(valid, cycles)]
    settings = settings | {"cycles": cycles, "fill": fill}
    action = f"kept as the cycle of the {' and the '.join(cycles)} (sine and cosine)"
    if not cycles:
        action = "kept as missing or not" if missing else "left out"
    found = Plan(name, "date", action, "", features, settings, summary)
    if not clock and len(cycles) < len(_CYCLES):
        known = known.with_note(_why_not(valid, cycles))
    found = with_indicator(found, "the mean of the cycle", known)
    return _warned(found, valid)


_NO_DATES = np.array(
    [
        *("0001-01-01", "1899-12-30", "1899-12-31", "1900-01-01", "1970-01-01"),
        *("2099-12-31", "2999-12-31", "9999-12-31"),
    ],
    "datetime64[us]",
).astype(np.int64)
"""Dates that programs write where there is none."""


def _warned(plan: Plan, valid: Micros) -> Plan:
    """The plan with a loud note about dates that may mean "missing"."""
    for moment in (int(valid[0]), int(valid[-1])):
        rest = valid[valid != moment]
        times = len(valid) - len(rest)
        if times < 2 or not len(rest) or moment // DAY * DAY not in _NO_DATES:
            continue
        if np.abs(rest - moment).min() > np.ptp(rest):
            name = _iso_text(moment).removesuffix(" 00:00:00")
            note = f"{name} occurs {times} times, far from all other dates, and may "
            remedy = f"if it does: {read_as(plan.column, f'missing:{name}')}"
            plan = said(plan, [note + "mean missing"], level=2, remedy=remedy)
    return plan


def _summary(micros: pa.Array, valid: Micros, *, clock: bool) -> dict[str, Any]:
    missing = 1 - len(valid) / len(micros)
    summary: dict[str, Any] = {"kind": "date", "rows": len(micros), "missing": missing}
    for key, q in QUANTILES.items():
        moment = int(valid[math.floor(q * (len(valid) - 1))])
        summary[key] = _iso_text(moment, clock=clock)
    summary["deciles"] = deciles(valid / SECOND)
    summary["clock"] = clock
    steps = np.diff(micros.drop_null().to_numpy())
    ahead, back = (
        float((sign * steps >= 0).mean()) if len(steps) else 0.0 for sign in (1, -1)
    )
    return summary | {"ordered": max(ahead, back)}


def _cycles(valid: Micros, *, clock: bool) -> list[str]:
    span = int(valid[-1]) - int(valid[0])
    found = []
    for cycle, needed in _CYCLES.items():
        phase = _phase(valid, cycle)
        covered = cycle == "hour" if clock else span >= needed
        if covered and phase.min() != phase.max():
            found.append(cycle)
    return found


def _phase(micros: Micros, cycle: str) -> Values:
    """Where in its cycle an instant is, in [0, 1)."""
    if cycle == "hour":
        return (micros % DAY) / DAY
    if cycle == "weekday":  # the first of January 1970 was a Thursday
        return ((micros // DAY + 3) % 7) / 7
    months = micros.astype("datetime64[us]").astype("datetime64[M]").astype(np.int64)
    return (months % 12) / 12


def _waves(micros: Micros, cycles: list[str]) -> list[Values]:
    waves = []
    for cycle in cycles:
        angle = 2 * np.pi * _phase(micros, cycle)
        waves += [np.sin(angle), np.cos(angle)]
    return waves


def _why_not(valid: Micros, cycles: list[str]) -> str:
    span = timedelta(microseconds=int(valid[-1]) - int(valid[0]))
    days = span / timedelta(days=1)
    shown = f"{days:.3g} days" if days >= 2 else f"{24 * days:.2g} hours"
    left = [cycle for cycle in _CYCLES if cycle not in cycles]
    needs = {"hour": "2 days", "weekday": "2 weeks", "month": "2 years"}
    needed = ", ".join(needs[cycle] for cycle in left)
    return (
        f"the time itself says nothing about later rows, and training rows span {shown}"
        f" while the {', '.join(left)} must vary over {needed}"
    )


def _iso_text(micros: int, *, clock: bool = False) -> str:
    try:
        moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=micros)
    except OverflowError:  # beyond the year 9999
        return str(np.datetime64(micros, "us"))
    moment = moment.replace(tzinfo=None)
    return moment.time().isoformat() if clock else moment.isoformat(" ")


# ------------------------------------------------------- encode, chart and usual


def encode(plan: Plan, array: pa.Array, first_row: int) -> list[Values]:
    """Sine and cosine of each cycle of the plan, and the mark for missing cells.

    Raises
    ------
    DataError
        A cell is not a date (or not a time of day, where the plan is for these).
    """
    parsed, unread = _cells(plan, array)
    if unread.any() and not plan.settings["tolerant"]:
        raise bad_cell(plan, array, int(np.argmax(unread)), first_row)
    valid = parsed.is_valid().to_numpy(zero_copy_only=False)
    waves = _waves(parsed.fill_null(0).to_numpy(), plan.settings["cycles"])
    fills = plan.settings["fill"]
    found = [np.where(valid, w, f) for w, f in zip(waves, fills, strict=True)]
    return found + marks(plan, ~valid, unread)


def _cells(plan: Plan, array: pa.Array) -> tuple[pa.Array, Mask]:
    """Cells of any type as microseconds, and which were not read."""
    clock = plan.settings["clock"]
    family = family_of(array.type)
    nothing = np.zeros(len(array), bool)
    if family == "text":
        return parse(array, plan.settings)
    if family == "empty":
        return array.cast(pa.int64()), nothing
    if family == ("clock" if clock else "date"):
        return instants(plan.column, array), nothing
    if family == "number" and plan.settings.get("digits"):
        values = numbers(array)
        micros, right = from_digits(values)
        return pa.array(micros, mask=~right), ~right & ~np.isnan(values)
    raise other_type(plan, array)


def chart(plan: Plan, array: pa.Array) -> Values:
    """Seconds since 1970, or since midnight; NaN where missing.

    Raises
    ------
    DataError
        The cells are of another type than in training.
    """
    micros, _ = _cells(plan, array)
    valid = micros.is_valid().to_numpy(zero_copy_only=False)
    return np.where(valid, micros.fill_null(0).to_numpy() / SECOND, np.nan)


def usual(plan: Plan, value: Any) -> Usual:
    """A moment beside the range of the training rows."""
    summary = plan.summary
    if is_missing(value):
        return missing_usual(summary)
    return Usual(
        shown(value), f"training rows from {summary['min']} to {summary['max']}"
    )
