"""Dates and times of day: only the cycles that training rows cover, as waves."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from whitecrow.data import cells
from whitecrow.data.plans import (
    QUANTILES,
    Plan,
    all_missing,
    check_parsed,
    left_out,
    other_type,
    with_indicator,
)

__all__ = ["encode_date", "plan_date"]

Values = NDArray[np.float64]

_DAY = 86_400_000_000  # microseconds
_PARTS = ("sine", "cosine")
# A cycle is learnt only if the training rows cover it twice: one afternoon of data
# would make every morning an anomaly.
_CYCLES = {"hour": 2 * _DAY, "weekday": 14 * _DAY, "month": 730 * _DAY}


def plan_date(name: str, micros: pa.Array, *, clock: bool, bad: str = "") -> Plan:
    """The plan for instants or times of day.

    Parameters
    ----------
    name : str
    micros : pyarrow.Array of int64
        As `cells.instants` gives them.
    clock : bool
        Whether these are times of day.
    bad : str
        A note about cells of text that are no date; with it, new ones may follow.
    """
    valid = np.sort(micros.drop_null().to_numpy())
    if len(valid) == 0:
        return all_missing(name, len(micros))
    missing = 1 - len(valid) / len(micros)
    summary: dict[str, Any] = {"kind": "date", "rows": len(micros), "missing": missing}
    for key, q in QUANTILES.items():
        moment = int(valid[math.floor(q * (len(valid) - 1))])
        summary[key] = _iso(moment, clock=clock)
    if valid[0] == valid[-1] and not missing:
        return left_out(name, "constant", f"always {summary['min']}", summary)
    cycles = _cycles(valid, clock=clock)
    features = tuple(f"{name} {cycle} {part}" for cycle in cycles for part in _PARTS)
    waves = _waves(valid, cycles)
    settings = {
        "cycles": cycles,
        "fill": [float(wave.mean()) for wave in waves],
        "clock": clock,
    }
    notes = [note for note in (bad, _why_not(valid, cycles, clock=clock)) if note]
    action = f"kept as the cycle of the {' and the '.join(cycles)} (sine and cosine)"
    if not cycles:
        action = "kept as missing or not" if missing else "left out"
    plan = Plan(name, "date", action, "", features, settings, summary)
    return with_indicator(plan, "the mean of the cycle", notes, tolerant=bool(bad))


def _cycles(valid: NDArray[np.int64], *, clock: bool) -> list[str]:
    span = int(valid[-1]) - int(valid[0])
    found = []
    for cycle, needed in _CYCLES.items():
        phase = _phase(valid, cycle)
        covered = cycle == "hour" if clock else span >= needed
        if covered and phase.min() != phase.max():
            found.append(cycle)
    return found


def _phase(micros: NDArray[np.int64], cycle: str) -> Values:
    """Where in its cycle an instant is, in [0, 1)."""
    if cycle == "hour":
        return (micros % _DAY) / _DAY
    if cycle == "weekday":  # the first of January 1970 was a Thursday
        return ((micros // _DAY + 3) % 7) / 7
    months = micros.astype("datetime64[us]").astype("datetime64[M]").astype(np.int64)
    return (months % 12) / 12


def _waves(micros: NDArray[np.int64], cycles: list[str]) -> list[Values]:
    waves = []
    for cycle in cycles:
        angle = 2 * np.pi * _phase(micros, cycle)
        waves += [np.sin(angle), np.cos(angle)]
    return waves


def _why_not(valid: NDArray[np.int64], cycles: list[str], *, clock: bool) -> str:
    if clock or len(cycles) == len(_CYCLES):
        return ""
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


def _iso(micros: int, *, clock: bool) -> str:
    try:
        moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=micros)
    except OverflowError:  # beyond the year 9999
        return str(np.datetime64(micros, "us"))
    moment = moment.replace(tzinfo=None)
    return moment.time().isoformat() if clock else moment.isoformat(" ")


def encode_date(plan: Plan, array: pa.Array, first_row: int) -> list[Values]:
    """Sine and cosine of each cycle of the plan, and the mark for missing cells.

    Raises
    ------
    DataError
        A cell is no date (or no time of day, where the plan is for these).
    """
    clock = plan.settings["clock"]
    family = cells.family_of(array.type)
    if family == "text":
        parsed = (cells.text_to_clock if clock else cells.text_to_instants)(array)
        check_parsed(plan, array, parsed, first_row)
    elif family == "empty":
        parsed = array.cast(pa.int64())
    elif family == ("clock" if clock else "date"):
        parsed = cells.instants(plan.column, array)
    else:
        raise other_type(plan, array)
    valid = parsed.is_valid().to_numpy(zero_copy_only=False)
    waves = _waves(parsed.fill_null(0).to_numpy(), plan.settings["cycles"])
    fills = plan.settings["fill"]
    found = [np.where(valid, w, f) for w, f in zip(waves, fills, strict=True)]
    if plan.settings["indicator"]:
        found.append((~valid).astype(np.float64))
    return found
