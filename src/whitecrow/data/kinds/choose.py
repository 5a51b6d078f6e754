"""Which kind a column is: the plan made from training rows, and its execution."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from whitecrow.data.kinds import (
    category,
    duration,
    labels,
    moment,
    number,
    number_style,
    truth,
)
from whitecrow.data.kinds.moment_text import are_dates, from_digits
from whitecrow.data.kinds.number_cells import PLAIN, parse, plain, without_absent
from whitecrow.data.kinds.plan import Known, Plan, all_missing, left_out, read_as, said
from whitecrow.data.kinds.reading import Reading
from whitecrow.data.kinds.text import (
    Column,
    Text,
    as_mask,
    clean_text,
    distinct,
    family_of,
    flat,
    numbers,
)
from whitecrow.errors import DataError, ParameterError

__all__ = ["HOWS", "check_how", "encode_column", "plain_cells", "plan_column"]

Values = NDArray[np.float64]

HOWS = (
    *("number", "decimal-comma", "decimal-point", "date", "day-first", "month-first"),
    *("year-first", "clock", "duration", "category", "identifier", "truth", "ignore"),
    "missing:VALUE",
)
"""Ways to read a column that a user can ask for."""

_ORDERS = {"date": "", "day-first": "dmy", "month-first": "mdy", "year-first": "ymd"}
_DECIMALS = {"number": "", "decimal-comma": ",", "decimal-point": "."}


@dataclass(frozen=True)
class Task:
    """One column to plan.

    Attributes
    ----------
    name : str
    how : str
        One of `HOWS`, or empty: as the column itself tells.
    absent : tuple of str
        Values that mean "no value", as asked for.
    marks : callable
        Gives the decimal mark of other columns of the table.
    separator : str
        What stands between the cells of the file, "" if unknown.
    """

    name: str
    how: str
    absent: tuple[str, ...]
    marks: Callable[[], str]
    separator: str = ""


def check_how(column: str, how: str) -> None:
    """Refuse a way to read a column that does not exist.

    Raises
    ------
    ParameterError
        With the legal ones.
    """
    for word in how.split("|"):
        if word not in HOWS[:-1] and not re.match(r"missing:.", word):
            raise ParameterError(
                f"read_as={how!r} for column {column!r} is not known; use one of "
                f"{', '.join(HOWS)}"
            )


def plan_column(
    name: str,
    column: Column,
    how: str = "",
    marks: Callable[[], str] = str,
    separator: str = "",
) -> Plan:
    """Decide from the training rows what becomes of a column.

    Parameters
    ----------
    name : str
        The name of the column.
    column : pyarrow.Array or ChunkedArray
        Its cells in the training rows, at least one.
    how : str
        One of `HOWS`, or several with `|` between them; as the column tells by default.
    marks : callable
        Gives the decimal mark that other columns of the table have, "" if unknown.
    separator : str
        What stands between the cells of the file, "" if unknown.

    Raises
    ------
    DataError
        A date out of range.
    ParameterError
        The column cannot be read as asked.

    Examples
    --------
    >>> plan_column("load", pa.array([1.0, None, 3.0])).features
    ('load', 'load is missing')
    """
    words = [word for word in how.split("|") if word]
    absent = tuple(w.partition(":")[2] for w in words if w.startswith("missing:"))
    asked = [word for word in words if not word.startswith("missing:")]
    task = Task(name, asked[0] if asked else "", absent, marks, separator)
    try:
        array = flat(name, column)
    except DataError:
        reason = "cells of bytes that are not UTF-8 text have no single value"
        return Plan(name, "ignored", "left out", reason)
    if task.how == "ignore":
        return Plan(name, "ignored", "left out", "as asked for")
    family = family_of(array.type)
    if family == "other":
        reason = f"cells of type {array.type} have no single value"
        return Plan(name, "ignored", "left out", reason)
    array = _without(name, array, absent)
    plan = _as_asked(task, array) if task.how else _PLANS[family](task, array)
    plan = labels.warned(plan) if not task.how else plan
    return _with_absent(plan, absent) if absent else plan


def _with_absent(plan: Plan, words: tuple[str, ...]) -> Plan:
    settings = plan.settings | ({"absent_words": list(words)} if plan.features else {})
    note = f"{', '.join(words)} means missing, as asked for"
    return said(replace(plan, settings=settings), [note])


def encode_column(plan: Plan, column: Column, first_row: int = 0) -> list[Values]:
    """Carry out a plan on new rows.

    Parameters
    ----------
    plan : Plan
        A plan that has features.
    column : pyarrow.Array or ChunkedArray, n cells
        The column of the new rows.
    first_row : int
        Index of the first row, for messages.

    Returns
    -------
    list of ndarray of float64, each of shape (n,)
        One for each of `plan.features`, all finite.

    Raises
    ------
    DataError
        The cells are of another type than in training; the first one is named.
    """
    array = plain_cells(plan, column)
    encode: dict[str, Callable[[Plan, pa.Array, int], list[Values]]] = {
        "number": number.encode,
        "boolean": truth.encode,
        "date": moment.encode,
        "category": _encode_category,
    }
    return encode[plan.kind](plan, array, first_row)


def plain_cells(plan: Plan, column: Column) -> pa.Array:
    """The cells of a column without the words that mean "no value" as asked for."""
    array = flat(plan.column, column)
    return _without(plan.column, array, tuple(plan.settings.get("absent_words", ())))


def _encode_category(plan: Plan, array: pa.Array, first_row: int) -> list[Values]:
    if plan.settings.get("as_text"):
        array = _as_text(array)
    if family_of(array.type) == "text":
        array = clean_text(array)
    return category.encode_category(plan, array, first_row)


# ---------------------------------------------------------------- typed columns


def _plan_numbers(task: Task, array: pa.Array) -> Plan:
    values = numbers(array)
    return _plan_values(task, array, values, whole=pa.types.is_integer(array.type))


def _plan_values(
    task: Task, array: pa.Array, values: Values, *, whole: bool = False
) -> Plan:
    """The plan for numbers as programs write them, which may be dates."""
    style = PLAIN | _absent_numbers(task)
    values = without_absent(values, style)
    if are_dates(values):
        return _plan_digits(task.name, values)
    return number.plan(
        task.name,
        values,
        whole=whole,
        style=style,
        different=lambda: int(pc.count_distinct(array).as_py()),
    )


def _absent_numbers(task: Task) -> dict[str, Any]:
    """Values that mean "no value", as numbers."""
    found = [plain(pa.array([word])) for word in task.absent]
    values = [float(one[0]) for one in found if one is not None]
    return {"absent": values} if values else {}


def _plan_digits(name: str, values: Values, *, asked: bool = False) -> Plan:
    micros, right = from_digits(values)
    settings = {"clock": False, "order": "", "digits": True}
    first = f"{values[np.isfinite(values)][0]:.0f}"
    known = Known((f"whole numbers such as {first} are read as dates",))
    if not asked:
        known = replace(known, level=1, remedy=_if_wrong(name, "number"))
    return moment.plan(name, pa.array(micros, mask=~right), settings, known)


def _if_wrong(name: str, how: str) -> str:
    return f"if that is wrong: {read_as(name, how)}"


def _plan_durations(task: Task, array: pa.Array) -> Plan:
    return number.plan(task.name, numbers(array), style=_IN_SECONDS)


_IN_SECONDS = PLAIN | {"duration": True, "two_parts": "hours"}


def _plan_truths(task: Task, array: pa.Array) -> Plan:
    return truth.plan(task.name, numbers(array))


def _plan_moments(task: Task, array: pa.Array) -> Plan:
    micros = moment.instants(task.name, array)
    return moment.plan(task.name, micros, {"clock": family_of(array.type) == "clock"})


def _plan_nothing(task: Task, array: pa.Array) -> Plan:
    return all_missing(task.name, len(array))


# ------------------------------------------------------------------- text columns


def _plan_text(task: Task, array: pa.Array) -> Plan:
    """Text may hold truths, numbers, moments or durations; else it is a category."""
    fast = _plan_plain_numbers(task, array)
    if fast is not None:
        return fast
    text = distinct(array)
    missing = len(array) - int(text.counts[~text.absent()].sum())
    if missing == len(array):
        return all_missing(task.name, len(array))
    how = truth.find(text, missing)
    if how is not None:
        plan = truth.plan(task.name, truth.parse(array, how)[0], how)
        return said(plan, ["empty cells count as false"] if "blank" in how else [])
    return _best_reading(task, array, text)


def _without(name: str, array: pa.Array, words: tuple[str, ...]) -> pa.Array:
    """Text or dates of which some words are null; numbers are told by their style."""
    family = family_of(array.type)
    if words and family == "date":
        return moment.without_absent(name, array, words)
    if not words or family != "text":
        return array
    trimmed = pc.utf8_trim_whitespace(array)
    known = pc.is_in(trimmed, value_set=pa.array(words, trimmed.type))
    return pc.if_else(known, None, trimmed)


def _plan_plain_numbers(task: Task, array: pa.Array) -> Plan | None:
    """The plan for text that programs wrote as numbers; None if it needs a look."""
    values = plain(array)
    if values is None or np.isnan(values).all():
        return None
    present = without_absent(values, _absent_numbers(task))
    leading = as_mask(pc.starts_with(array, "0"))
    if (leading & (present >= 1)).any() or _may_be_grouped(array, present):
        return None
    return _plan_values(task, array, values)


_THREE = r"^[-+]?[1-9]\d{0,2}\.\d{3}$"


def _may_be_grouped(array: pa.Array, values: Values) -> bool:
    """Whether every point stands before three digits, as a mark of thousands does."""
    finite = np.abs(values[np.isfinite(values)])
    if len(finite) == 0 or finite.max() >= 1000 or finite.max() < 1:
        return False
    dotted = pc.match_substring(array, ".")
    first = array.slice(0, 2000)
    for cells, has in ((first, dotted.slice(0, 2000)), (array, dotted)):
        some = pc.filter(cells, has.fill_null(False))
        if not pc.all(pc.match_substring_regex(some, _THREE)).as_py() and len(some):
            return False
    return bool(pc.any(dotted).as_py())


def _best_reading(task: Task, array: pa.Array, text: Text) -> Plan:
    """Numbers, moments, times of day or durations, whichever the cells are."""
    found = number_style.find(text, task.marks, separator=task.separator)
    if found is not None and found.verdict.fits:
        if found.codes:
            return _plan_codes(task, array)
        if not found.verdict.bad:
            return _plan_reading(task, text, found)
    tried = _other_readings(task, text)
    if found is not None:
        tried = [found, *tried]
    fitting = [one for one in tried if one.verdict.fits]
    if fitting:
        best = max(fitting, key=lambda one: one.verdict.share)
        return _plan_reading(task, text, best)
    level = category.plan_category(task.name, clean_text(array))
    near = [one for one in tried if one.likely > 0.5 and one.verdict.distinct >= 10]
    if not near:
        return level
    return _unread(level, max(near, key=lambda one: one.likely))


def _other_readings(task: Task, text: Text) -> list[Reading]:
    """Dates, times of day and durations, as far as the column can be them."""
    when, clock = moment.find(text), moment.find_clock(text)
    lasting = duration.find(text)
    if clock is not None and lasting is not None:
        if duration.named(task.name):
            clock = None
        elif lasting.verdict.share <= clock.verdict.share:
            lasting = None
    return [one for one in (when, clock, lasting) if one is not None]


def _plan_reading(task: Task, text: Text, found: Reading) -> Plan:
    """The plan for text that was read as something."""
    notes = (*found.notes, *found.verdict.notes)
    remedy = _if_wrong(task.name, found.doubt) if found.doubt else ""
    known = Known(notes, remedy, 1, tolerant=found.verdict.bad > 0)
    if "clock" in found.settings:
        known = replace(known, level=1 if notes else 0)
        return moment.plan(task.name, found.values, found.settings, known)
    if found.settings.get("duration"):
        return number.plan(task.name, found.values, style=found.settings, known=known)
    style = found.settings | _absent_numbers(task)
    values = without_absent(found.values, style)
    if not found.notes and are_dates(values):
        return _plan_digits(task.name, values)
    if not found.notes:
        known = replace(known, remedy="")
    elif not found.doubt and found.notes != ("written with a decimal comma",):
        known = replace(known, remedy=_if_wrong(task.name, "category"))
    return number.plan(
        task.name, values, style=style, known=known, different=lambda: len(text.levels)
    )


def _plan_codes(task: Task, array: pa.Array) -> Plan:
    """Digits with leading zeros name things, as postal codes do."""
    plan = category.plan_category(task.name, clean_text(array))
    if plan.kind == "constant":
        return plan
    note = "digits with leading zeros are codes, not numbers"
    remedy = f"to use them as numbers: {read_as(task.name, 'number')}"
    return said(plan, [note], level=1, remedy=remedy)


def _unread(plan: Plan, found: Reading) -> Plan:
    """A column that is mostly something, but not as a whole."""
    looks, verdict = found.looks, found.verdict
    note = f"looks like {looks}"
    if "several" in looks:
        remedy = "bring them to one in the file"
    else:
        if verdict.example:
            rest = 100 * (1 - verdict.share)
            note += f", but {rest:.2g} % of the cells are not, such as "
            note += repr(verdict.example[:40])
        how = {"dates": "date", "times of day": "clock", "durations": "duration"}
        wanted = read_as(plan.column, how.get(looks, "number"))
        remedy = f"to count the others as missing: {wanted}"
    if plan.kind == "identifier":
        remedy += f", or as it is: {read_as(plan.column, 'category')}"
        summary = plan.summary | {"kind": "unread"}
        plan = replace(plan, kind="unread", detail="", summary=summary)
    return said(plan, [note], level=2, remedy=remedy)


# ------------------------------------------------------------------ as asked for


def _as_asked(task: Task, array: pa.Array) -> Plan:
    """The plan for a column that the user says how to read."""
    family = family_of(array.type)
    if family == "text" and clean_text(array).null_count == len(array):
        return all_missing(task.name, len(array))
    if task.how == "identifier":
        summary = {"rows": len(array), "missing": array.null_count / len(array)}
        return left_out(task.name, "identifier", "as asked for", summary)
    if task.how == "category":
        cells = clean_text(_as_text(array))
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
    return _tolerantly(_plan_reading(task, text, found))


def _as_text(array: pa.Array) -> pa.Array:
    try:
        return array.cast(pa.string())
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        cells = [None if cell is None else str(cell) for cell in array.to_pylist()]
        return pa.array(cells, pa.string())


def _cannot(task: Task, array: pa.Array) -> ParameterError:
    filled = array.drop_null()
    example = f", such as {str(filled[0])[:40]!r}" if len(filled) else ""
    return ParameterError(
        f"column {task.name!r} cannot be read as {task.how!r}: no cell is one{example};"
        f" leave out {read_as(task.name, task.how)}"
    )


def _tolerantly(plan: Plan) -> Plan:
    """What was asked for holds for new rows too: others count as missing."""
    settings = plan.settings | ({"tolerant": True} if plan.features else {})
    return replace(plan, settings=settings, remedy="")


def _asked_typed(task: Task, array: pa.Array, family: str) -> Plan:
    numeric = task.how in (*_DECIMALS, "duration")
    if family in {"number", "duration", "boolean"} and numeric:
        style = _IN_SECONDS if family == "duration" else PLAIN
        style = style | _absent_numbers(task)
        values = without_absent(numbers(array), style)
        return number.plan(task.name, values, style=style)
    if family == "number" and task.how in _ORDERS:
        values = numbers(array)
        if from_digits(values)[1].any():
            return _plan_digits(task.name, values, asked=True)
    if family == "empty" or (family == task.how and family in {"date", "clock"}):
        return _PLANS[family](task, array)
    raise _cannot(task, array)


def _asked_numbers(task: Task, array: pa.Array) -> Plan:
    text = distinct(array)
    decimal = _DECIMALS.get(task.how, "")
    found = number_style.find(text, task.marks, decimal, separator=task.separator)
    if found is None or not found.verdict.share:
        raise _cannot(task, array)
    style = found.settings | _absent_numbers(task)
    known = Known((*found.notes, *found.verdict.notes), level=1)
    values = parse(array, style)[0]
    return _tolerantly(number.plan(task.name, values, style=style, known=known))


def _asked_durations(task: Task, array: pa.Array) -> Plan:
    text = distinct(array)
    lasting = duration.find(text)
    if lasting is None:
        return _asked_numbers(task, array)
    return _tolerantly(_plan_reading(task, text, lasting))


def _asked_truth(task: Task, array: pa.Array) -> Plan:
    """Two different cells, whatever they are."""
    if family_of(array.type) == "boolean":
        return _plan_truths(task, array)
    text = distinct(_as_text(array))
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
    return truth.plan(task.name, truth.parse(_as_text(array), how)[0], how)


_PLANS: dict[str, Callable[[Task, pa.Array], Plan]] = {
    "number": _plan_numbers,
    "duration": _plan_durations,
    "boolean": _plan_truths,
    "date": _plan_moments,
    "clock": _plan_moments,
    "text": _plan_text,
    "empty": _plan_nothing,
}
