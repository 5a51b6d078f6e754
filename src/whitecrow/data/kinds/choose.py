"""Which kind a column is: the plan made from training rows, and its execution."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from whitecrow.data.kinds import category, labels, moment, number, parts, truth
from whitecrow.data.kinds.as_asked import plan_as_asked
from whitecrow.data.kinds.as_found import PLANS, Task
from whitecrow.data.kinds.plan import Plan, said
from whitecrow.data.kinds.text import Column, as_text, clean_text, family_of, flat
from whitecrow.errors import DataError, ParameterError

__all__ = ["HOWS", "check_how", "encode_column", "plain_cells", "plan_column"]

Values = NDArray[np.float64]

HOWS = (
    *("number", "decimal-comma", "decimal-point", "date", "day-first", "month-first"),
    *("year-first", "clock", "duration", "category", "identifier", "truth", "ignore"),
    "missing:VALUE",
)
"""Ways to read a column that a user can ask for."""


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
    plan = plan_as_asked(task, array) if task.how else PLANS[family](task, array)
    plan = labels.warned(plan, array) if not task.how else plan
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
        "number": parts.encode if parts.has_parts(plan) else number.encode,
        "boolean": truth.encode,
        "date": moment.encode,
        "category": _encode_category,
    }
    return encode[plan.kind](plan, array, first_row)


def plain_cells(plan: Plan, column: Column) -> pa.Array:
    """Return the cells of a column, null where a given word means "no value"."""
    array = flat(plan.column, column)
    return _without(plan.column, array, tuple(plan.settings.get("absent_words", ())))


def _without(name: str, array: pa.Array, words: tuple[str, ...]) -> pa.Array:
    """Replace some words by null in text or dates; numbers are told by their style."""
    family = family_of(array.type)
    if words and family == "date":
        return moment.without_absent(name, array, words)
    if not words or family != "text":
        return array
    trimmed = pc.utf8_trim_whitespace(array)
    known = pc.is_in(trimmed, value_set=pa.array(words, trimmed.type))
    return pc.if_else(known, None, trimmed)


def _encode_category(plan: Plan, array: pa.Array, first_row: int) -> list[Values]:
    if plan.settings.get("as_text"):
        array = as_text(array)
    if family_of(array.type) == "text":
        array = clean_text(array)
    return category.encode_category(plan, array, first_row)
