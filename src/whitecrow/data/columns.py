"""What becomes of one column: the plan made from training rows, and its execution.

A plan is plain data, so that it is saved as JSON and read by a person. Each kind of
column has a function that makes the plan and one that carries it out; those of dates
and categories are in files of their own.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from whitecrow.data import cells
from whitecrow.data.categories import encode_category, plan_category
from whitecrow.data.dates import encode_date, plan_date
from whitecrow.data.plans import (
    QUANTILES,
    Plan,
    all_missing,
    bad_cell,
    check_parsed,
    first_unparsed,
    left_out,
    other_type,
    with_indicator,
)

__all__ = ["encode_column", "plan_column"]

Values = NDArray[np.float64]

MOSTLY = 0.95
"""Share of cells that must parse for a text column to count as numbers or dates."""
FEWEST_IDS = 20
"""Rows from which on distinct values make a column an identifier."""

_ID_NAME = re.compile(
    r"(^|[\s_.-])(id|idx|index|uid|uuid|guid|key|row)$"
    r"|^column_1$|^unnamed|^__index_level_\d+__$"
)


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
        return plan_date(name, micros, clock=family == "clock")
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
        "date": encode_date,
        "category": encode_category,
    }
    return encode[plan.kind](plan, array, first_row)


# ---------------------------------------------------------------------- numbers


def _plan_number(name: str, values: Values, *, whole: bool, bad: str = "") -> Plan:
    finite = values[np.isfinite(values)]
    if len(finite) == 0:
        return all_missing(name, len(values))
    ordered = np.sort(finite)
    infinite = int(np.isinf(values).sum())
    missing = (len(values) - len(finite)) / len(values)
    whole = whole or bool((ordered == np.floor(ordered)).all())
    summary: dict[str, Any] = {"kind": "number", "rows": len(values)}
    summary |= {"missing": missing, "whole": whole}
    summary |= {key: _quantile(ordered, q) for key, q in QUANTILES.items()}
    constant = bool(ordered[0] == ordered[-1])
    if constant and not missing:
        return left_out(name, "constant", f"always {ordered[0]:.6g}", summary)
    if not missing and _is_row_number(name, ordered, whole=whole):
        detail = f"{len(ordered)} different whole numbers, one for each row"
        return left_out(name, "identifier", detail, summary)
    notes = [bad] if bad else []
    if infinite:
        notes.append(f"{infinite} infinite values count as missing")
    features = () if constant else (name,)
    action = "kept unchanged"
    if constant:
        action = "kept as missing or not"
        notes.append(f"every value is {ordered[0]:.6g}")
    settings = {"fill": summary["median"], "value": not constant}
    return with_indicator(
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


def _encode_number(plan: Plan, array: pa.Array, first_row: int) -> list[Values]:
    family = cells.family_of(array.type)
    if family == "text":
        parsed = cells.text_to_numbers(array)
        check_parsed(plan, array, parsed, first_row)
        values = cells.numbers(parsed)
    elif family in {"number", "boolean", "empty"}:
        values = cells.numbers(array)
    else:
        raise other_type(plan, array)
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
        return all_missing(name, len(values))
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
        return left_out(name, "constant", f"always {word}", summary)
    settings = {"fill": float(usual), "value": not constant}
    features = () if constant else (name,)
    action = "kept as missing or not" if constant else "kept as 0 and 1"
    plan = Plan(name, "boolean", action, "", features, settings, summary)
    return with_indicator(plan, word, [])


def _encode_boolean(plan: Plan, array: pa.Array, first_row: int) -> list[Values]:
    family = cells.family_of(array.type)
    if family == "text":
        parsed = cells.truths(array)
        digits = pc.index_in(array, value_set=pa.array(["0", "1"], array.type))
        parsed = pc.coalesce(parsed.cast(pa.int32()), digits)
        check_parsed(plan, array, parsed, first_row)
        return _filled(plan, cells.numbers(parsed))
    if family not in {"number", "boolean", "empty"}:
        raise other_type(plan, array)
    values = cells.numbers(array)
    odd = ~(np.isnan(values) | (values == 0) | (values == 1))
    if odd.any():
        raise bad_cell(plan, array, int(np.flatnonzero(odd)[0]), first_row)
    return _filled(plan, values)


# ------------------------------------------------------------- text, categories


def _plan_text(name: str, text: pa.Array) -> Plan:
    """Text may hold numbers, dates or truths; otherwise it is a category."""
    present = len(text) - text.null_count
    if present == 0:
        return all_missing(name, len(text))
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
        return plan_date(name, parsed, clock=kind == "time of day", bad=bad)
    return plan_category(name, text)


_PARSERS: dict[str, Callable[[pa.Array], pa.Array]] = {
    "number": cells.text_to_numbers,
    "date": cells.text_to_instants,
    "time of day": cells.text_to_clock,
}


def _bad_note(text: pa.Array, parsed: pa.Array, count: int, kind: str) -> str:
    if not count:
        return ""
    row = first_unparsed(text, parsed)
    return (
        f"{count} cells that are no {kind} count as missing, the first is "
        f"{text[row].as_py()[:40]!r} in row {row}"
    )
