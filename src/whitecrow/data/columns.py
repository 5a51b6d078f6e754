"""What becomes of one column: the plan made from training rows, and its execution.

A plan is plain data, so that it is saved as JSON and read by a person. Each kind of
column has a function that makes the plan and one that carries it out.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from whitecrow.data import cells
from whitecrow.errors import DataError

__all__ = ["MISSING_LEVEL", "OTHER_LEVEL", "Plan", "encode_column", "plan_column"]

Values = NDArray[np.float64]

MOSTLY = 0.95
"""Share of cells that must parse for a text column to count as numbers or dates."""
MAX_LEVELS = 50
"""Levels of a category with a column of their own."""
RARE_SHARE, RARE_ROWS = 0.001, 20
"""A level is rare below this share of the rows and below this number of rows."""
LISTED_LEVELS = 200
"""Levels whose share is kept for reports."""
FEWEST_IDS = 20
"""Rows from which on distinct values make a column an identifier."""

OTHER_LEVEL = "(other)"
MISSING_LEVEL = "(missing)"

_ID_NAME = re.compile(
    r"(^|[\s_.-])(id|idx|index|uid|uuid|guid|key|row)$"
    r"|^column_1$|^unnamed|^__index_level_\d+__$"
)
_QUANTILES = {"min": 0.0, "q05": 0.05, "q25": 0.25, "median": 0.5}
_QUANTILES |= {"q75": 0.75, "q95": 0.95, "max": 1.0}
_DAY = 86_400_000_000  # microseconds
_PARTS = ("sine", "cosine")
# A cycle is learnt only if the training rows cover it twice: one afternoon of data
# would make every morning an anomaly.
_CYCLES = {"hour": 2 * _DAY, "weekday": 14 * _DAY, "month": 730 * _DAY}


@dataclass(frozen=True)
class Plan:
    """What is done with one column, and why; every field is plain JSON data.

    Attributes
    ----------
    column, kind, action, detail : str
        As in `encoding.Decision`.
    features : tuple of str
        Names of the encoded columns, none if the column is left out.
    settings : dict
        What `encode_column` needs.
    summary : dict
        What a person needs to judge a value, see `TableEncoder.summaries_`.
    """

    column: str
    kind: str
    action: str
    detail: str = ""
    features: tuple[str, ...] = ()
    settings: dict[str, Any] = field(default_factory=dict)
    summary: dict[str, Any] = field(default_factory=dict)


def plan_column(name: str, column: cells.Column) -> Plan:
    """Decide from the training rows what becomes of a column.

    Parameters
    ----------
    name : str
        The name of the column.
    column : pyarrow.Array or ChunkedArray
        Its cells in the training rows, at least one.

    Returns
    -------
    Plan

    Raises
    ------
    DataError
        Text that is not UTF-8, or a date out of range.

    Examples
    --------
    >>> plan_column("load", pa.array([1.0, None, 3.0])).features
    ('load', 'load is missing')
    """
    array = cells.flat(name, column)
    family = cells.family_of(array.type)
    if family == "other":
        reason = f"cells of type {array.type} have no single value"
        return Plan(name, "ignored", "left out", reason)
    if family == "text":
        return _plan_text(name, cells.clean_text(array))
    if family in {"date", "clock"}:
        micros = cells.instants(name, array)
        return _plan_date(name, micros, clock=family == "clock")
    if family == "boolean":
        return _plan_boolean(name, array)
    whole = pa.types.is_integer(array.type)
    return _plan_number(name, cells.numbers(array), whole=whole)


def encode_column(plan: Plan, column: cells.Column, first_row: int = 0) -> list[Values]:
    """Carry out a plan on new rows.

    Parameters
    ----------
    plan : Plan
        A plan that has features.
    column : pyarrow.Array or ChunkedArray, n cells
        The column of the new rows.
    first_row : int
        Number of the first row, for messages.

    Returns
    -------
    list of ndarray of float64, each of shape (n,)
        One for each of `plan.features`, all finite.

    Raises
    ------
    DataError
        The cells are of another type than in training; the first one is named.
    """
    array = cells.flat(plan.column, column)
    if cells.family_of(array.type) == "text":
        array = cells.clean_text(array)
    encode: dict[str, Callable[[Plan, pa.Array, int], list[Values]]] = {
        "number": _encode_number,
        "boolean": _encode_boolean,
        "date": _encode_date,
        "category": _encode_category,
    }
    return encode[plan.kind](plan, array, first_row)


# ---------------------------------------------------------------------- numbers


def _plan_number(name: str, values: Values, *, whole: bool, bad: str = "") -> Plan:
    finite = values[np.isfinite(values)]
    if len(finite) == 0:
        return _all_missing(name, len(values))
    ordered = np.sort(finite)
    infinite = int(np.isinf(values).sum())
    missing = (len(values) - len(finite)) / len(values)
    whole = whole or bool((ordered == np.floor(ordered)).all())
    summary: dict[str, Any] = {"kind": "number", "rows": len(values)}
    summary |= {"missing": missing, "whole": whole}
    summary |= {key: _quantile(ordered, q) for key, q in _QUANTILES.items()}
    constant = bool(ordered[0] == ordered[-1])
    if constant and not missing:
        return _left_out(name, "constant", f"always {ordered[0]:.6g}", summary)
    if not missing and _is_row_number(name, ordered, whole=whole):
        detail = f"{len(ordered)} different whole numbers, one for each row"
        return _left_out(name, "identifier", detail, summary)
    notes = [bad] if bad else []
    if infinite:
        notes.append(f"{infinite} infinite values count as missing")
    features = () if constant else (name,)
    action = "kept unchanged"
    if constant:
        action = "kept as missing or not"
        notes.append(f"every value is {ordered[0]:.6g}")
    settings = {"fill": summary["median"], "value": not constant}
    return _with_indicator(
        Plan(name, "number", action, "", features, settings, summary),
        f"its median, {summary['median']:.6g}",
        notes,
        tolerant=bool(bad),
    )


def _quantile(ordered: Values, q: float) -> float:
    """Linear between neighbours."""
    place = q * (len(ordered) - 1)
    low = math.floor(place)
    share = place - low
    below = float(ordered[low])
    above = float(ordered[min(low + 1, len(ordered) - 1)])
    if math.isinf(above - below):
        return below * (1 - share) + above * share
    return below + (above - below) * share


def _is_row_number(name: str, ordered: Values, *, whole: bool) -> bool:
    n = len(ordered)
    if not whole or n < FEWEST_IDS:
        return False
    counts_up = float(ordered[-1]) - float(ordered[0]) == n - 1
    named = _ID_NAME.search(name.strip().lower()) is not None
    return (counts_up or named) and bool((ordered[1:] > ordered[:-1]).all())


def _with_indicator(
    plan: Plan, fill: str, notes: list[str], *, tolerant: bool = False
) -> Plan:
    """The plan with a column that marks missing cells, if training rows had some."""
    missing = plan.summary["missing"]
    features = plan.features
    if missing:
        features = (*features, f"{plan.column} is missing")
        notes.append(
            f"{100 * missing:.2g} % of the rows are missing and become {fill}, marked "
            f"in {features[-1]!r}"
        )
    settings = plan.settings | {"indicator": bool(missing), "tolerant": tolerant}
    detail = "; ".join(notes)
    return replace(plan, detail=detail, features=features, settings=settings)


def _encode_number(plan: Plan, array: pa.Array, first_row: int) -> list[Values]:
    family = cells.family_of(array.type)
    if family == "text":
        parsed = cells.text_to_numbers(array)
        _check_parsed(plan, array, parsed, first_row)
        values = cells.numbers(parsed)
    elif family in {"number", "boolean", "empty"}:
        values = cells.numbers(array)
    else:
        raise _other_type(plan, array)
    return _filled(plan, values)


def _filled(plan: Plan, values: Values) -> list[Values]:
    bad = ~np.isfinite(values)
    found = []
    if plan.settings["value"]:
        fill = plan.settings["fill"]
        found.append(np.where(bad, fill, values) if bad.any() else values)
    if plan.settings["indicator"]:
        found.append(bad.astype(np.float64))
    return found


# --------------------------------------------------------------------- booleans


def _plan_boolean(name: str, array: pa.Array) -> Plan:
    values = cells.numbers(array)
    valid = values[~np.isnan(values)]
    if len(valid) == 0:
        return _all_missing(name, len(values))
    share = float(valid.mean())
    missing = 1 - len(valid) / len(values)
    summary = {"kind": "boolean", "rows": len(values), "missing": missing}
    summary["shares"] = {
        "true": share * (1 - missing),
        "false": (1 - share) * (1 - missing),
    }
    constant = share in (0.0, 1.0)
    usual = share >= 0.5
    word = "true" if usual else "false"
    if constant and not missing:
        return _left_out(name, "constant", f"always {word}", summary)
    settings = {"fill": float(usual), "value": not constant}
    features = () if constant else (name,)
    action = "kept as missing or not" if constant else "kept as 0 and 1"
    plan = Plan(name, "boolean", action, "", features, settings, summary)
    return _with_indicator(plan, word, [])


def _encode_boolean(plan: Plan, array: pa.Array, first_row: int) -> list[Values]:
    family = cells.family_of(array.type)
    if family == "text":
        parsed = cells.truths(array)
        digits = pc.index_in(array, value_set=pa.array(["0", "1"], array.type))
        parsed = pc.coalesce(parsed.cast(pa.int32()), digits)
        _check_parsed(plan, array, parsed, first_row)
        return _filled(plan, cells.numbers(parsed))
    if family not in {"number", "boolean", "empty"}:
        raise _other_type(plan, array)
    values = cells.numbers(array)
    odd = ~(np.isnan(values) | (values == 0) | (values == 1))
    if odd.any():
        raise _bad_cell(plan, array, int(np.flatnonzero(odd)[0]), first_row)
    return _filled(plan, values)


# ------------------------------------------------------------------------ dates


def _plan_date(name: str, micros: pa.Array, *, clock: bool, bad: str = "") -> Plan:
    valid = np.sort(micros.drop_null().to_numpy())
    if len(valid) == 0:
        return _all_missing(name, len(micros))
    missing = 1 - len(valid) / len(micros)
    summary: dict[str, Any] = {"kind": "date", "rows": len(micros), "missing": missing}
    for key, q in _QUANTILES.items():
        moment = int(valid[math.floor(q * (len(valid) - 1))])
        summary[key] = _iso(moment, clock=clock)
    if valid[0] == valid[-1] and not missing:
        return _left_out(name, "constant", f"always {summary['min']}", summary)
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
    return _with_indicator(plan, "the mean of the cycle", notes, tolerant=bool(bad))


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


def _encode_date(plan: Plan, array: pa.Array, first_row: int) -> list[Values]:
    clock = plan.settings["clock"]
    family = cells.family_of(array.type)
    if family == "text":
        parsed = (cells.text_to_clock if clock else cells.text_to_instants)(array)
        _check_parsed(plan, array, parsed, first_row)
    elif family == "empty":
        parsed = array.cast(pa.int64())
    elif family == ("clock" if clock else "date"):
        parsed = cells.instants(plan.column, array)
    else:
        raise _other_type(plan, array)
    valid = parsed.is_valid().to_numpy(zero_copy_only=False)
    waves = _waves(parsed.fill_null(0).to_numpy(), plan.settings["cycles"])
    fills = plan.settings["fill"]
    found = [np.where(valid, w, f) for w, f in zip(waves, fills, strict=True)]
    if plan.settings["indicator"]:
        found.append((~valid).astype(np.float64))
    return found


# ------------------------------------------------------------- text, categories


def _plan_text(name: str, text: pa.Array) -> Plan:
    """Text may hold numbers, dates or truths; otherwise it is a category."""
    present = len(text) - text.null_count
    if present == 0:
        return _all_missing(name, len(text))
    if cells.truths(text).null_count == text.null_count:
        return _plan_boolean(name, cells.truths(text))
    for kind, parse in _PARSERS.items():
        parsed = parse(text)
        right = len(parsed) - parsed.null_count
        if right < MOSTLY * present:
            continue
        bad = _bad_note(text, parsed, present - right, kind)
        if kind == "number":
            return _plan_number(name, cells.numbers(parsed), whole=False, bad=bad)
        return _plan_date(name, parsed, clock=kind == "time of day", bad=bad)
    return _plan_category(name, text)


_PARSERS: dict[str, Callable[[pa.Array], pa.Array]] = {
    "number": cells.text_to_numbers,
    "date": cells.text_to_instants,
    "time of day": cells.text_to_clock,
}


def _bad_note(text: pa.Array, parsed: pa.Array, count: int, kind: str) -> str:
    if not count:
        return ""
    row = _first_unparsed(text, parsed)
    return (
        f"{count} cells that are no {kind} count as missing, the first is "
        f"{text[row].as_py()[:40]!r} in row {row}"
    )


def _plan_category(name: str, text: pa.Array) -> Plan:
    levels, counts = _levels(text)
    n, present = len(text), len(text) - text.null_count
    summary = {
        "kind": "category",
        "rows": n,
        "missing": text.null_count / n,
        "distinct": len(levels),
        "shares": {
            level: count / n
            for level, count in zip(
                levels[:LISTED_LEVELS], counts[:LISTED_LEVELS], strict=True
            )
        },
    }
    if len(levels) == 1 and not text.null_count:
        return _left_out(name, "constant", f"always {levels[0][:40]!r}", summary)
    enough = max(2, min(math.ceil(RARE_SHARE * n), RARE_ROWS))
    kept = [v for v, c in zip(levels, counts, strict=True) if c >= enough][:MAX_LEVELS]
    names_rows = len(levels) > present / 2 and counts[0] < max(2, 0.05 * present)
    if names_rows or not kept:
        detail = f"{len(levels)} different texts in {present} rows"
        return _left_out(name, "identifier", detail, summary | {"shares": {}})
    return _one_hot(name, kept, summary)


def _levels(text: pa.Array) -> tuple[list[str], list[int]]:
    """Distinct texts, most frequent first, equals in order of the alphabet."""
    counted = pc.value_counts(text.drop_null())
    pairs = zip(counted.field(0).to_pylist(), counted.field(1).to_pylist(), strict=True)
    ordered = sorted(pairs, key=lambda pair: (-pair[1], pair[0]))
    return [level for level, _ in ordered], [count for _, count in ordered]


def _one_hot(name: str, kept: list[str], summary: dict[str, Any]) -> Plan:
    rare = summary["distinct"] - len(kept)
    shown = [*kept]
    if summary["missing"]:
        shown.append(MISSING_LEVEL)
    shown.append(OTHER_LEVEL)
    features = tuple(f"{name}={level}" for level in shown)
    notes = [f"{len(kept)} levels"]
    if rare:
        notes[0] = f"{len(kept)} of {summary['distinct']} levels, the others are rare"
    if summary["missing"]:
        share = 100 * summary["missing"]
        notes.append(f"missing cells ({share:.2g} % of the rows) are a level too")
    joined = "rare levels and those" if rare else "levels"
    notes.append(f"{joined} never seen in training share {features[-1]!r}")
    settings = {"levels": kept, "missing": bool(summary["missing"])}
    action = "one column of 0 and 1 for each level"
    return Plan(name, "category", action, "; ".join(notes), features, settings, summary)


def _encode_category(plan: Plan, array: pa.Array, first_row: int) -> list[Values]:
    levels = plan.settings["levels"]
    family = cells.family_of(array.type)
    if family in {"number", "boolean", "empty"}:
        # A file whose codes all happen to be digits is read as numbers.
        if family == "number" and not _has_number(levels):
            raise _other_type(plan, array)
        if pa.types.is_floating(array.type):
            array = array.cast(pa.float64())
        array = cells.clean_text(array.cast(pa.string()))
    elif family != "text":
        raise _other_type(plan, array)
    codes = pc.index_in(array, value_set=pa.array(levels, array.type))
    other = len(plan.features) - 1
    codes = codes.fill_null(other).to_numpy(zero_copy_only=False)
    if plan.settings["missing"]:
        absent = array.is_null().to_numpy(zero_copy_only=False)
        codes = np.where(absent, other - 1, codes)
    return [(codes == code).astype(np.float64) for code in range(other + 1)]


def _has_number(levels: list[str]) -> bool:
    return bool(pc.any(cells.is_number_text(pa.array(levels, pa.string()))).as_py())


# ----------------------------------------------------------------------- shared


def _all_missing(name: str, n: int) -> Plan:
    summary = {"rows": n, "missing": 1.0}
    return _left_out(name, "missing", "no cell has a value", summary)


def _left_out(name: str, kind: str, detail: str, summary: dict[str, Any]) -> Plan:
    return Plan(name, kind, "left out", detail, summary=summary | {"kind": kind})


def _first_unparsed(text: pa.Array, parsed: pa.Array) -> int:
    wrong = pc.and_(pc.is_valid(text), pc.is_null(parsed))
    return int(pc.index(wrong, True).as_py())


def _check_parsed(plan: Plan, text: pa.Array, parsed: pa.Array, first_row: int) -> None:
    if parsed.null_count > text.null_count and not plan.settings["tolerant"]:
        raise _bad_cell(plan, text, _first_unparsed(text, parsed), first_row)


def _bad_cell(plan: Plan, array: pa.Array, row: int, first_row: int) -> DataError:
    return DataError(
        f"column {plan.column!r} held {_plural(plan)} in the training data, but row "
        f"{first_row + row} (from 0) holds {str(array[row].as_py())[:40]!r}; correct "
        "the cell or leave it empty"
    )


def _other_type(plan: Plan, array: pa.Array) -> DataError:
    return DataError(
        f"column {plan.column!r} held {_plural(plan)} in the training data and now "
        f"holds cells of type {array.type}; give it as in training, or fit again"
    )


def _plural(plan: Plan) -> str:
    if plan.kind == "date" and plan.settings["clock"]:
        return "times of day"
    return {
        "number": "numbers",
        "boolean": "true and false",
        "date": "dates",
        "category": "categories",
    }[plan.kind]
