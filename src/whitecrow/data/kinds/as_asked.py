"""The plan for a column that the user says how to read."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa

from whitecrow.data.kinds import category, duration, moment, number, number_style, truth
from whitecrow.data.kinds.as_found import (
    IN_SECONDS,
    PLANS,
    Task,
    absent_numbers,
    plan_digits,
    plan_reading,
    plan_truths,
)
from whitecrow.data.kinds.moment_text import from_digits
from whitecrow.data.kinds.number_cells import PLAIN, parse, without_absent
from whitecrow.data.kinds.plan import Known, Plan, all_missing, left_out, read_as
from whitecrow.data.kinds.text import (
    as_text,
    clean_text,
    distinct,
    family_of,
    numbers,
)
from whitecrow.errors import ParameterError

__all__ = ["plan_as_asked"]

_ORDERS = {"date": "", "day-first": "dmy", "month-first": "mdy", "year-first": "ymd"}
_DECIMALS = {"number": "", "decimal-comma": ",", "decimal-point": "."}


def plan_as_asked(task: Task, array: pa.Array) -> Plan:
    """Plan for a column as `task.how` says.

    Raises
    ------
    ParameterError
        The column cannot be read so.
    """
    family = family_of(array.type)
    if family == "text" and clean_text(array).null_count == len(array):
        return all_missing(task.name, len(array))
    if task.how == "identifier":
        summary = {"rows": len(array), "missing": array.null_count / len(array)}
        return left_out(task.name, "identifier", "as asked for", summary)
    if task.how == "category":
        cells = clean_text(as_text(array))
        if cells.null_count == len(cells):  # typed cells without a value
            return all_missing(task.name, len(array))
        plan = category.plan_category(task.name, cells, asked=True)
        return replace(plan, settings=plan.settings | {"as_text": family != "text"})
    if task.how == "truth":
        return _asked_truth(task, array)
    if family != "text":
        return _asked_typed(task, array, family)
    if task.how in _DECIMALS:
        return _asked_numbers(task, array)
    if task.how == "duration":
        return _asked_durations(task, array)
    text = distinct(array)
    clock = task.how == "clock"
    found = moment.find_clock(text) if clock else moment.find(text, _ORDERS[task.how])
    if found is None:
        raise _cannot(task, array)
    return _tolerantly(plan_reading(task, text, found))


def _cannot(task: Task, array: pa.Array) -> ParameterError:
    filled = array.drop_null()
    example = f", such as {str(filled[0])[:40]!r}" if len(filled) else ""
    return ParameterError(
        f"column {task.name!r} cannot be read as {task.how!r}: no cell is one{example};"
        f" leave out {read_as(task.name, task.how)}"
    )


def _tolerantly(plan: Plan) -> Plan:
    """Make a plan tolerant: cells of new rows that do not fit count as missing."""
    settings = plan.settings | ({"tolerant": True} if plan.features else {})
    return replace(plan, settings=settings, remedy="")


def _asked_typed(task: Task, array: pa.Array, family: str) -> Plan:
    numeric = task.how in (*_DECIMALS, "duration")
    if family in {"number", "duration", "boolean"} and numeric:
        style = IN_SECONDS if family == "duration" else PLAIN
        style = style | absent_numbers(task)
        values = without_absent(numbers(array), style)
        return number.plan(task.name, values, style=style)
    if family == "number" and task.how in _ORDERS:
        values = numbers(array)
        if from_digits(values)[1].any():
            return plan_digits(task.name, values, asked=True)
    if family == "empty" or (family == task.how and family in {"date", "clock"}):
        return PLANS[family](task, array)
    raise _cannot(task, array)


def _asked_numbers(task: Task, array: pa.Array) -> Plan:
    text = distinct(array)
    decimal = _DECIMALS.get(task.how, "")
    found = number_style.find(text, task.marks, decimal, separator=task.separator)
    if found is None or not found.verdict.share:
        raise _cannot(task, array)
    style = found.settings | absent_numbers(task)
    verdict = found.verdict
    known = Known((*found.notes, *verdict.notes), level=1, unread=verdict.bad)
    values = parse(array, style)[0]
    return _tolerantly(number.plan(task.name, values, style=style, known=known))


def _asked_durations(task: Task, array: pa.Array) -> Plan:
    text = distinct(array)
    lasting = duration.find(text)
    if lasting is None:
        return _asked_numbers(task, array)
    return _tolerantly(plan_reading(task, text, lasting))


def _asked_truth(task: Task, array: pa.Array) -> Plan:
    """Plan for any two different cells as true and false."""
    if family_of(array.type) == "boolean":
        return plan_truths(task, array)
    text = distinct(as_text(array))
    known = truth.parse(text.levels, {})[0]
    words = text.words()
    how: dict[str, Any] = {}
    if not np.isfinite(known[~text.absent()]).all():
        if len(words) != 2:
            raise ParameterError(
                f"column {task.name!r} cannot be read as 'truth': it has {len(words)} "
                f"different cells; leave out {read_as(task.name, 'truth')}"
            )
        how = {"words": {word.lower(): word == max(words) for word in words}}
    return truth.plan(task.name, truth.parse(as_text(array), how)[0], how)
