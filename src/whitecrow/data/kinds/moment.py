"""Dates and times of day, as people write them: parse, plan, encode, chart, usual.

Only the cycles that training rows cover twice are encoded, as waves. Text is read in
every usual form; what a column decides is the *order* of day and month, on all its
cells, and new rows are read in that order.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from whitecrow.data.kinds import moment_far
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
from whitecrow.data.kinds.moment_tidy import month_of
from whitecrow.data.kinds.moment_words import (
    PLACES,
    day_or_moment,
    iso_text,
    listed,
    odd_parts,
    place,
    span,
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
    unread_usual,
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
from whitecrow.data.kinds.words import is_missing, rows_text, shown
from whitecrow.errors import DataError

__all__ = ["chart", "encode", "find", "find_clock", "find_digits", "instants"]
__all__ += ["looks_alike", "notes", "parse", "plan", "usual", "without_absent"]

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
    levels = pc.replace_substring_regex(
        text.levels, *settings.get("spaced", ("^$", ""))
    )
    if clock:
        micros, right = read_clock(levels, wall=settings.get("wall", False))
    else:
        micros, right = read(levels, order)
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
    settings = {"clock": True, "wall": True, "words": list(verdict.words)}
    cells = _spread(text, micros, right)
    notes = [
        f"{text.levels[int(np.argmax(some))].as_py()!r} is read as {reading}"
        for form, reading in _CLOCK_NOTES.items()
        if (some := right & matches(text.levels, form)).any()
    ]
    return Reading("times of day", cells, settings, verdict, tuple(notes))


_DIGITS = {
    r"^(\d{2})(\d{2})$": r"\1:\2",
    r"^(\d{2})(\d{2})(\d{2})$": r"\1:\2:\3",
    r"^(\d{2})(\d{2})((?:19|20)\d{2})$": r"\1.\2.\3",
    r"^(0[1-9]|1[0-2])\.((?:19|20)\d{2})$": r"\1/\2",
}
"""How moments are written as digits with leading zeros, and with the usual marks."""


def find_digits(text: Text) -> Reading | None:
    """Moments that are digits such as 0312, 031209, 05012024 or 01.2024; None if not.

    Codes can look so too: nearly all must be moments, and use the whole hour.
    """
    for form, new in _DIGITS.items():
        if matches(text.levels, form).mean() < 0.9:
            continue
        spaced = replace(
            text, levels=pc.replace_substring_regex(text.levels, form, new)
        )
        clock = ":" in new
        found = find_clock(spaced) if clock else find(spaced)
        if found is None or not found.verdict.fits:
            continue
        minutes = found.values.drop_null().to_numpy() // (60 * SECOND)
        hours = len(np.unique(minutes // 60))
        few = hours < 5 or np.ptp(minutes % 60) < 50 or found.verdict.distinct < 20
        if few if clock else hours < 3:
            continue
        row = int(np.flatnonzero(found.values.is_valid())[0])
        cell, moment = text.levels[int(text.codes[row])], int(found.values[row].as_py())
        reading = iso_text(moment, clock=True) if clock else day_or_moment(moment)
        note = f"digits such as {cell.as_py()!r} are read as {reading}"
        settings = found.settings | {"spaced": [form, new]}
        return replace(found, settings=settings, notes=(note,), doubt="category")
    return None


def looks_alike(text: Text) -> bool:
    """Whether texts that were not read look like moments all the same."""
    levels = pc.utf8_lower(sample(text))
    marked = matches(levels, r"(^|[ t])\d{1,2}[:hg]\d{2}(\D|$)")
    words = pc.struct_field(pc.extract_regex(levels, r"(?P<word>\p{L}{3,})"), "word")
    named = [month_of(word or "") > 0 for word in words.to_pylist()]
    return bool((marked | (np.array(named) & matches(levels, r"\d"))).mean() > 0.9)


_CLOCK_NOTES = {
    "^24": "midnight",
    r"[-+]\d{2}:?\d{2}$": "the time on the wall there: offsets do not count",
}
"""What is said of times of day that could be meant in another way."""


def _digits_and_marks(levels: pa.Array) -> bool:
    """Whether many texts have digits, and something between them."""
    forms = (r"\d.*[-/.: ,].*\d|^\d{8}", r"\d\D+\d|\p{L}[- ]\d")
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
    return (
        f"cells such as {example!r} are read as {day_or_moment(int(micros[place]))}",
    )


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
    first, last = _ends(valid, clock=clock)
    near = valid[(valid >= first) & (valid <= last)]
    summary = _summary(micros, near, clock=clock)
    missing = summary["missing"]
    if valid[0] == valid[-1] and not missing:
        return left_out(name, "constant", f"always {summary['min']}", summary)
    cycles = _cycles(near, clock=clock)
    summary["cycles"] = {cycle: _counts(near, cycle) for cycle in cycles}
    features = tuple(f"{name} {cycle} {part}" for cycle in cycles for part in _PARTS)
    fill = [float(wave.mean()) for wave in _waves(near, cycles)]
    settings = settings | {"cycles": cycles, "fill": fill}
    far = len(near) < len(valid)
    if not clock:
        before, after = sides = moment_far.margins(valid, first, last)
        summary["near"] = [(first - before) / SECOND, (last + after) / SECOND]
        settings |= {"bulk": [first, last], "margins": sides, "far": far}
        features = (*features, *[f"{name} far off"][:far])
    action = _action(cycles, missing, far)
    found = Plan(name, "date", action, "", features, settings, summary)
    if not cycles:
        known = known.with_note(_why_none(near))
    found = with_indicator(found, "the mean of the cycle", known)
    return moment_far.warned(found, micros, first, last)


def _ends(valid: Micros, *, clock: bool) -> tuple[int, int]:
    return (int(valid[0]), int(valid[-1])) if clock else moment_far.bulk(valid)


def _action(cycles: list[str], missing: float, far: bool) -> str:
    if cycles:
        return f"kept as {listed(cycles)}"
    if far:
        return "kept as how far it lies from the others"
    return "kept as missing or not" if missing else "left out"


def _summary(micros: pa.Array, near: Micros, *, clock: bool) -> dict[str, Any]:
    missing = micros.null_count / len(micros)
    summary: dict[str, Any] = {"kind": "date", "rows": len(micros), "missing": missing}
    for key, q in QUANTILES.items():
        moment = int(near[math.floor(q * (len(near) - 1))])
        summary[key] = iso_text(moment, clock=clock)
    summary["deciles"] = deciles(near / SECOND)
    summary["clock"] = clock
    steps = np.diff(micros.drop_null().to_numpy())
    ahead, back = (
        float((sign * steps >= 0).mean()) if len(steps) else 0.0 for sign in (1, -1)
    )
    return summary | {"ordered": max(ahead, back)}


def _cycles(near: Micros, *, clock: bool) -> list[str]:
    span = int(near[-1]) - int(near[0])
    found = []
    for cycle, needed in _CYCLES.items():
        phase = _phase(near, cycle)
        covered = cycle == "hour" if clock else span >= needed
        if cycle == "weekday" and _are_months(near):
            continue
        if covered and phase.min() != phase.max():
            found.append(cycle)
    return found


def _are_months(near: Micros) -> bool:
    """Whether all are first days of months: periods, whose weekday says nothing."""
    days = near.astype("datetime64[us]")
    return bool((days == days.astype("datetime64[M]")).all())


def _counts(near: Micros, cycle: str) -> list[int]:
    counts = np.bincount(place(near, cycle), minlength=PLACES[cycle])
    return [int(count) for count in counts]


def _phase(micros: Micros, cycle: str) -> Values:
    """Where in its cycle an instant is, in [0, 1)."""
    if cycle == "hour":
        return (micros % DAY) / DAY
    return place(micros, cycle) / PLACES[cycle]


def _waves(micros: Micros, cycles: list[str]) -> list[Values]:
    waves = []
    for cycle in cycles:
        angle = 2 * np.pi * _phase(micros, cycle)
        waves += [np.sin(angle), np.cos(angle)]
    return waves


def _why_none(near: Micros) -> str:
    hours = (int(near[-1]) - int(near[0])) / DAY * 24
    length = f"{hours / 24:.3g} days" if hours >= 48 else f"{hours:.2g} hours"
    return f"{length} of rows show no usual hour, weekday or month"


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
    micros = parsed.fill_null(0).to_numpy()
    waves = _waves(micros, plan.settings["cycles"])
    if "bulk" in plan.settings:
        off = np.where(valid, moment_far.beyond(plan.settings, micros), 0.0)
        far = plan.settings["far"]
        # Where training had none, no column tells: the circle widens instead.
        waves = [*waves, off] if far else [wave * (1 + off) for wave in waves]
    fills = plan.settings["fill"]
    fills = [*fills, 0.0][: len(waves)]
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


def notes(plan: Plan, array: pa.Array) -> list[str]:
    """Say which cells of new rows lie far from the dates of training."""
    if "bulk" not in plan.settings:
        return []
    micros, _ = _cells(plan, array)
    cells = micros.fill_null(plan.settings["bulk"][0]).to_numpy()
    far = np.flatnonzero(moment_far.beyond(plan.settings, cells))
    if not len(far):
        return []
    rows = rows_text(len(far))
    dates = f"the dates of training, {span(plan.summary)},"
    example = day_or_moment(int(cells[far[0]]))
    return [f"{plan.column!r} is far from {dates} in {rows}, such as {example}"]


def usual(plan: Plan, value: Any) -> Usual:
    """A moment beside the training rows: far off, at a rare hour, or in their span."""
    if is_missing(value):
        return missing_usual(plan.summary)
    said = f"training rows from {span(plan.summary)}"
    try:
        micros = _cells(plan, pa.array([value]))[0]
    except (DataError, OverflowError, pa.ArrowException):
        return Usual(shown(value), said)
    if micros.null_count:
        return unread_usual(plan, str(value))
    moment = int(micros[0].as_py())
    if "bulk" in plan.settings and moment_far.beyond(plan.settings, micros.to_numpy()):
        side = "before" if moment < plan.settings["bulk"][0] else "after"
        return Usual(shown(value), f"far {side} all other dates, {span(plan.summary)}")
    odd = odd_parts(plan.summary, moment)
    return Usual(shown(value), "; ".join(odd) or said, common=not odd)
