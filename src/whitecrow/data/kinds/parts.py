"""Cells of two or three numbers, as 120/80 and 37x39x53 cm: a number for each part.

Such a column is a number column, whose summary and chart are those of the first part.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from whitecrow.data.kinds import number
from whitecrow.data.kinds.plan import Known, Plan, Usual, read_as, unread_usual
from whitecrow.data.kinds.reading import judge
from whitecrow.data.kinds.text import Text, distinct, family_of, matching, numbers
from whitecrow.data.kinds.words import shown

__all__ = ["chart", "encode", "find", "has_parts", "usual"]

Values = NDArray[np.float64]
Mask = NDArray[np.bool_]

FEWEST = 20
"""Different cells from which on parts are read; fewer are levels of a category."""
_PART = r"[-+]?\d+(?:\.\d+)?"
_BETWEEN = r" ?(?:[/x\x{d7}*;]|, ?| to ) ?"


def has_parts(plan: Plan) -> bool:
    """Tell whether the cells of a column are several numbers."""
    return "parts" in plan.settings


def find(name: str, text: Text) -> Plan | None:
    """Plan for a text column of which each cell is several numbers; None if it is not.

    Examples
    --------
    >>> cells = pa.array([f"{120 + i % 9}/{70 + i % 7}" for i in range(60)])
    >>> find("pressure", distinct(cells)).features
    ('pressure 1', 'pressure 2')
    """
    for count in (2, 3):
        values, right = _read(text.levels, count)
        verdict = judge(text, right & ~text.absent(), "numbers")
        if verdict.fits and verdict.distinct >= FEWEST:
            example = text.levels[int(np.argmax(right))].as_py()[:40]
            note = f"cells such as {example!r} are read as {count} numbers"
            remedy = f"if that is wrong: {read_as(name, 'category')}"
            known = Known((note, *verdict.notes), remedy, 1, verdict.bad)
            return _plan(name, [text.spread(one, np.nan) for one in values], known)
    return None


def _read(levels: pa.Array, count: int) -> tuple[list[Values], Mask]:
    """Read the parts of distinct texts as numbers; tell which texts have so many."""
    parts = _BETWEEN.join(f"(?P<n{i}>{_PART})" for i in range(count))
    right, fields = matching(levels, rf"^\(?{parts} ?(?:[^\d/;*]{{0,8}})$")
    values = [np.full(len(levels), np.nan) for _ in range(count)]
    for i, one in enumerate(values):
        one[right] = numbers(pc.struct_field(fields, f"n{i}").cast(pa.float64()))
    return values, right


def _plan(name: str, values: Sequence[Values], known: Known) -> Plan:
    first = number.plan(f"{name} 1", values[0], known=known)
    # All parts of a cell are missing together: the first one says so.
    others = [
        number.plan(f"{name} {i}", np.where(np.isnan(one), np.nanmedian(one), one))
        for i, one in enumerate(values[1:], 2)
    ]
    parts = [first, *others]
    settings: dict[str, Any] = {"parts": [asdict(part) for part in parts]}
    return replace(
        first,
        column=name,
        kind="number",
        action="kept as a number for each part",
        detail="; ".join(known.notes),
        remedy=known.remedy,
        level=known.level,
        features=tuple(feature for part in parts for feature in part.features),
        settings=settings | {"tolerant": True, "unread": known.unread},
    )


def _parts(plan: Plan) -> list[Plan]:
    return [Plan(**part) for part in plan.settings["parts"]]


def _values(plan: Plan, array: pa.Array) -> tuple[list[Values], Mask]:
    """Read the parts of each cell, and tell which cells were not read."""
    count = len(plan.settings["parts"])
    if family_of(array.type) != "text":
        gaps = array.is_null().to_numpy(zero_copy_only=False)
        return [np.full(len(array), np.nan)] * count, ~gaps
    text = distinct(array)
    values, right = _read(text.levels, count)
    unread = text.spread(~right & ~text.absent(), False)
    return [text.spread(one, np.nan) for one in values], unread


def encode(plan: Plan, array: pa.Array, first_row: int) -> list[Values]:
    """Encode the number of each part, and the marks."""
    values, unread = _values(plan, array)
    found = []
    for part, one in zip(_parts(plan), values, strict=True):
        if part.features:
            found += number.filled(part, one, unread)
    return found


def chart(plan: Plan, array: pa.Array) -> Values:
    """Return the first part of each cell, NaN where it is missing."""
    return _values(plan, array)[0][0]


def usual(plan: Plan, value: Any) -> Usual:
    """Compare the parts of a cell with their ranges in training."""
    values, unread = _values(plan, pa.array([value]))
    if unread[0]:
        return unread_usual(plan, str(value))
    found = [
        number.usual(part, None if np.isnan(one[0]) else float(one[0]))
        for part, one in zip(_parts(plan), values, strict=True)
        if part.features
    ]
    said = dict.fromkeys(one.usual for one in found)
    return Usual(shown(value), " | ".join(said), all(one.common for one in found))
