"""The plan for a column, and what the kinds of columns share in making one."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from whitecrow.errors import DataError

__all__ = [
    "QUANTILES",
    "Plan",
    "all_missing",
    "bad_cell",
    "check_parsed",
    "first_unparsed",
    "left_out",
    "other_type",
    "with_indicator",
]

QUANTILES = {"min": 0.0, "q05": 0.05, "q25": 0.25, "median": 0.5}
QUANTILES |= {"q75": 0.75, "q95": 0.95, "max": 1.0}


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


def with_indicator(
    plan: Plan, fill: str, notes: list[str], *, tolerant: bool = False
) -> Plan:
    """The plan with a column that marks missing cells, if training rows had some."""
    missing = plan.summary["missing"]
    features = plan.features
    if missing:
        features = (*features, f"{plan.column} is missing")
        becomes = f" and become {fill}" if plan.features else ""
        notes.append(
            f"{100 * missing:.2g} % of the rows are missing{becomes}, marked in "
            f"{features[-1]!r}"
        )
    settings = plan.settings | {"indicator": bool(missing), "tolerant": tolerant}
    detail = "; ".join(notes)
    return replace(plan, detail=detail, features=features, settings=settings)


def all_missing(name: str, n: int) -> Plan:
    """The plan for a column of n rows without any value."""
    summary = {"rows": n, "missing": 1.0}
    return left_out(name, "missing", "no cell has a value", summary)


def left_out(name: str, kind: str, detail: str, summary: dict[str, Any]) -> Plan:
    """A plan without features."""
    return Plan(name, kind, "left out", detail, summary=summary | {"kind": kind})


def first_unparsed(text: pa.Array, parsed: pa.Array) -> int:
    """The first row with text from which nothing was parsed."""
    wrong = pc.and_(pc.is_valid(text), pc.is_null(parsed))
    return int(pc.index(wrong, True).as_py())


def check_parsed(plan: Plan, text: pa.Array, parsed: pa.Array, first_row: int) -> None:
    """Refuse text that does not parse, unless training had some of it too."""
    if parsed.null_count > text.null_count and not plan.settings["tolerant"]:
        raise bad_cell(plan, text, first_unparsed(text, parsed), first_row)


def bad_cell(plan: Plan, array: pa.Array, row: int, first_row: int) -> DataError:
    """The error for a cell that does not fit, with its row and value."""
    return DataError(
        f"column {plan.column!r} held {_plural(plan)} in the training data, but row "
        f"{first_row + row} (from 0) holds {str(array[row].as_py())[:40]!r}; correct "
        "the cell or leave it empty"
    )


def other_type(plan: Plan, array: pa.Array) -> DataError:
    """The error for a column of a type that cannot be what it was in training."""
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
