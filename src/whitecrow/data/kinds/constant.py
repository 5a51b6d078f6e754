"""Columns with one value in all training rows: no detector sees them, new rows may.

A constant column is left out of the encoding, so a row with another value there has an
ordinary score. It is watched instead: which cells differ from what was always there.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from whitecrow.data.kinds import number, truth
from whitecrow.data.kinds.plan import Plan
from whitecrow.data.kinds.text import (
    as_mask,
    as_text,
    clean_text,
    distinct,
    family_of,
)
from whitecrow.data.kinds.words import shown

__all__ = ["always", "differs", "is_watched"]

Mask = NDArray[np.bool_]


def is_watched(plan: Plan) -> bool:
    """Tell whether a column had one value, or none at all, in training.

    Dates are not watched: later rows have later dates.
    """
    if plan.kind in {"number", "boolean"}:  # one value, and gaps
        return plan.settings.get("value") is False
    return plan.kind == "missing" or (plan.kind == "constant" and _of(plan) != "date")


def always(plan: Plan) -> str:
    """Format the value that a watched column had, as a person reads it."""
    summary = plan.summary
    if plan.kind == "missing":
        return "missing"
    if "shares" in summary:
        return shown(max(summary["shares"], key=summary["shares"].__getitem__))
    return shown(summary.get("median", summary.get("min")))


def differs(plan: Plan, array: pa.Array) -> Mask:
    """Tell which cells of a watched column are not what they always were.

    Gaps differ where training had none.
    """
    if plan.kind == "missing":
        return ~_absent(array)
    kind = _of(plan)
    if kind == "number":
        values = number.chart(plan, array)
        same = np.isclose(values, plan.summary["median"], rtol=1e-6, atol=0.0)
    elif kind == "boolean":
        same = truth.chart(array, plan.settings) == float(always(plan) == "true")
    else:
        same = as_mask(pc.equal(clean_text(as_text(array)), _level(plan)))
    return ~same if plan.kind == "constant" else ~same & ~_absent(array)


def _level(plan: Plan) -> str:
    """Return the one level of a category, uncut."""
    return str(next(iter(plan.summary["shares"])))


def _of(plan: Plan) -> str:
    """Return the kind of the cells of a constant column."""
    summary = plan.summary
    if "shares" in summary:
        return "category" if len(summary["shares"]) == 1 else "boolean"
    return "number" if "whole" in summary else "date"


def _absent(array: pa.Array) -> Mask:
    if family_of(array.type) == "text":
        text = distinct(array)
        return text.spread(text.absent(), True)
    nan = pa.types.is_floating(array.type)
    return as_mask(pc.is_null(array, nan_is_null=nan))
