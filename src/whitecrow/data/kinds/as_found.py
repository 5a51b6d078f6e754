"""The plan for a column as its type or its cells of text tell what it is."""

from __future__ import annotations

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
    moment,
    number,
    number_style,
    parts,
    truth,
)
from whitecrow.data.kinds.moment_text import are_dates, from_digits
from whitecrow.data.kinds.number_cells import PLAIN, plain, without_absent
from whitecrow.data.kinds.plan import Known, Plan, all_missing, read_as, said
from whitecrow.data.kinds.reading import Reading
from whitecrow.data.kinds.text import (
    Text,
    as_mask,
    clean_text,
    distinct,
    family_of,
    numbers,
)

__all__ = ["IN_SECONDS", "PLANS", "Task", "absent_numbers", "plan_digits"]
__all__ += ["plan_reading", "plan_truths"]

Values = NDArray[np.float64]


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


# ---------------------------------------------------------------- typed columns


def _plan_numbers(task: Task, array: pa.Array) -> Plan:
    values = numbers(array)
    return _plan_values(task, array, values, whole=pa.types.is_integer(array.type))


def _plan_values(
    task: Task, array: pa.Array, values: Values, *, whole: bool = False
) -> Plan:
    """Plan for numbers as programs write them, which may be dates."""
    style = PLAIN | absent_numbers(task)
    values = without_absent(values, style)
    if are_dates(values):
        return plan_digits(task.name, values)
    return number.plan(
        task.name,
        values,
        whole=whole,
        style=style,
        different=lambda: int(pc.count_distinct(array).as_py()),
    )


def absent_numbers(task: Task) -> dict[str, Any]:
    """Return the numbers that mean "no value", as part of a style."""
    found = [plain(pa.array([word])) for word in task.absent]
    values = [float(one[0]) for one in found if one is not None]
    return {"absent": values} if values else {}


def plan_digits(name: str, values: Values, *, asked: bool = False) -> Plan:
    """Plan for numbers such as 20240105, of which at least one is a date."""
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
    return number.plan(task.name, numbers(array), style=IN_SECONDS)


IN_SECONDS = PLAIN | {"duration": True, "two_parts": "hours"}


def plan_truths(task: Task, array: pa.Array) -> Plan:
    """Plan for a typed column of true and false."""
    return truth.plan(task.name, numbers(array))


def _plan_moments(task: Task, array: pa.Array) -> Plan:
    micros = moment.instants(task.name, array)
    return moment.plan(task.name, micros, {"clock": family_of(array.type) == "clock"})


def _plan_nothing(task: Task, array: pa.Array) -> Plan:
    return all_missing(task.name, len(array))


# ------------------------------------------------------------------- text columns


def _plan_text(task: Task, array: pa.Array) -> Plan:
    """Plan for text: truths, numbers, moments or durations, else a category."""
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


def _plan_plain_numbers(task: Task, array: pa.Array) -> Plan | None:
    """Plan for text that programs wrote as numbers; None if it needs a closer look."""
    values = plain(array)
    if values is None or np.isnan(values).all():
        return None
    present = without_absent(values, absent_numbers(task))
    leading = as_mask(pc.starts_with(array, "0"))
    if (leading & (present >= 1)).any() or _may_be_grouped(array, present):
        return None
    return _plan_values(task, array, values)


_THREE = r"^[-+]?[1-9]\d{0,2}\.\d{3}$"


def _may_be_grouped(array: pa.Array, values: Values) -> bool:
    """Tell whether every point precedes three digits, as a thousands separator does."""
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
    """Plan for numbers, moments, times of day or durations, whichever the cells are."""
    digits = moment.find_digits(text)
    if digits is not None:
        return plan_reading(task, text, digits)
    found = number_style.find(text, task.marks, separator=task.separator)
    if found is not None and found.verdict.fits:
        if found.codes:
            return _plan_codes(task, array)
        if not found.verdict.bad:
            return plan_reading(task, text, found)
    tried = _other_readings(task, text)
    if found is not None:
        tried = [found, *tried]
    fitting = [one for one in tried if one.verdict.fits]
    if fitting:
        best = max(fitting, key=lambda one: one.verdict.share)
        return plan_reading(task, text, best)
    several = parts.find(task.name, text)
    if several is not None:
        return several
    level = category.plan_category(task.name, clean_text(array))
    near = [one for one in tried if one.likely > 0.5 and one.verdict.distinct >= 10]
    if not near and level.kind == "identifier" and moment.looks_alike(text):
        note = "looks like dates or times, in a form that is not known"
        remedy = f"as it is: {read_as(task.name, 'category')}"
        remedy = f"write them as 2024-05-28 09:48 in the file, or {remedy}"
        return said(replace(level, kind="unread"), [note], level=2, remedy=remedy)
    if not near:
        return level
    return _unread(level, max(near, key=lambda one: one.likely))


def _other_readings(task: Task, text: Text) -> list[Reading]:
    """Try to read the column as dates, times of day and durations."""
    when, clock = moment.find(text), moment.find_clock(text)
    lasting = duration.find(text)
    if clock is not None and lasting is not None:
        if duration.named(task.name):
            clock = None
        elif lasting.verdict.share <= clock.verdict.share:
            lasting = None
    return [one for one in (when, clock, lasting) if one is not None]


def plan_reading(task: Task, text: Text, found: Reading) -> Plan:
    """Plan for text by the reading that was found for it."""
    notes = (*found.notes, *found.verdict.notes)
    remedy = _if_wrong(task.name, found.doubt) if found.doubt else ""
    known = Known(notes, remedy, 1, unread=found.verdict.bad)
    if "clock" in found.settings:
        known = replace(known, level=1 if notes else 0)
        return moment.plan(task.name, found.values, found.settings, known)
    if found.settings.get("duration"):
        return number.plan(task.name, found.values, style=found.settings, known=known)
    style = found.settings | absent_numbers(task)
    values = without_absent(found.values, style)
    if not found.notes and are_dates(values):
        return plan_digits(task.name, values)
    if not found.notes:
        known = replace(known, remedy="")
    elif not found.doubt and found.notes != ("written with a decimal comma",):
        known = replace(known, remedy=_if_wrong(task.name, "category"))
    return number.plan(
        task.name, values, style=style, known=known, different=lambda: len(text.levels)
    )


def _plan_codes(task: Task, array: pa.Array) -> Plan:
    """Plan for digits with leading zeros, which name things, as postal codes do."""
    plan = category.plan_category(task.name, clean_text(array))
    if plan.kind == "constant":
        return plan
    note = "digits with leading zeros are codes, not numbers"
    remedy = f"to use them as numbers: {read_as(task.name, 'number')}"
    return said(plan, [note], level=1, remedy=remedy)


def _unread(plan: Plan, found: Reading) -> Plan:
    """Add to a plan what the column mostly looks like, but not as a whole."""
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


PLANS: dict[str, Callable[[Task, pa.Array], Plan]] = {
    "number": _plan_numbers,
    "duration": _plan_durations,
    "boolean": plan_truths,
    "date": _plan_moments,
    "clock": _plan_moments,
    "text": _plan_text,
    "empty": _plan_nothing,
}
"""By the family of the type, see `text.family_of`."""
