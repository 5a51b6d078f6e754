"""The plan for a column, and what the kinds of columns share in making one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from whitecrow.data.kinds.words import percent
from whitecrow.errors import DataError

__all__ = [
    "NOTHING_KNOWN",
    "QUANTILES",
    "Known",
    "Plan",
    "Usual",
    "all_missing",
    "bad_cell",
    "deciles",
    "left_out",
    "missing_usual",
    "other_type",
    "plural",
    "quantile",
    "read_as",
    "said",
    "with_indicator",
]

QUANTILES = {"min": 0.0, "q05": 0.05, "q25": 0.25, "median": 0.5}
QUANTILES |= {"q75": 0.75, "q95": 0.95, "max": 1.0}


@dataclass(frozen=True)
class Plan:
    """What is done with one column, and why; every field is plain JSON data.

    Attributes
    ----------
    column, kind, action, detail, remedy, level : str, ..., int
        As in `table.Decision`.
    features : tuple of str
        Names of the encoded columns, none if the column is left out.
    settings : dict
        How cells are read and encoded.
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
    remedy: str = ""
    level: int = 0

    @cached_property
    def level_counts(self) -> dict[str, int]:
        """Training rows with each level of a category; not all levels in format 1."""
        if "counts" in self.settings:
            known = zip(self.settings["levels"], self.settings["counts"], strict=True)
            return {level: count for level, count in known if level is not None}
        rows = self.summary["rows"]
        shares = self.summary["shares"].items()
        return {level: round(share * rows) for level, share in shares}


class Usual(NamedTuple):
    """A cell and what is usual in its column, both as a person reads them.

    Attributes
    ----------
    text : str
        The cell.
    usual : str
        What it is compared with, such as "usual 31.8 to 32.4, median 32".
    """

    text: str
    usual: str


def said(plan: Plan, notes: Sequence[str], *, level: int = 0, remedy: str = "") -> Plan:
    """The plan with more notes in its detail; the louder level and remedy win."""
    detail = "; ".join([note for note in (*notes, plan.detail) if note])
    louder = level >= plan.level and remedy != ""
    return replace(
        plan,
        detail=detail,
        level=max(level, plan.level),
        remedy=remedy if louder else plan.remedy,
    )


def read_as(name: str, how: str) -> str:
    """The option that reads a column in another way.

    Examples
    --------
    >>> read_as("price", "decimal-comma")
    "--read-as 'price=decimal-comma'"
    """
    quoted = f"{name}={how}".replace("'", "'\\''")
    return f"--read-as '{quoted}'"


@dataclass(frozen=True)
class Known:
    """What was found out about the cells of a column before it is planned.

    Attributes
    ----------
    notes : tuple of str
        In words.
    remedy : str
        What to do if they are wrong.
    level : int
        How loud the notes are, as in `table.Decision`.
    tolerant : bool
        Some cells were not read; new ones may follow.
    """

    notes: tuple[str, ...] = ()
    remedy: str = ""
    level: int = 0
    tolerant: bool = False

    def with_note(self, note: str) -> Known:
        """Add a note behind the others."""
        return replace(self, notes=(*self.notes, note))


NOTHING_KNOWN = Known()


def with_indicator(plan: Plan, fill: str, known: Known) -> Plan:
    """Add what is known, and a column that marks missing cells if enough rows had some.

    A mark that hardly a row has would make that row odder than any value does.
    """
    missing, features, action = plan.summary["missing"], plan.features, plan.action
    marked = missing > 0 and not _too_few(missing, plan.summary["rows"])
    notes = list(known.notes)
    if missing:
        becomes = f" and become {fill}" if features else ""
        mark = f"{plan.column} is missing"
        features = (*features, mark) if marked else features
        how = f"marked in {mark!r}" if marked else "too few to mark them"
        notes.append(f"{100 * missing:.2g} % of the rows are missing{becomes}, {how}")
        action = action if features else "left out"
    return replace(
        plan,
        action=action,
        detail="; ".join(notes),
        features=features,
        settings=plan.settings | {"indicator": marked, "tolerant": known.tolerant},
        remedy=known.remedy,
        level=known.level if known.notes else 0,
    )


FEWEST_MISSING = 5
"""Missing rows from which on they are marked, or a tenth of a short table."""
LEAST_MISSING = 0.002
"""Their share in a long one."""


def _too_few(missing: float, rows: int) -> bool:
    least = min(max(FEWEST_MISSING, LEAST_MISSING * rows), rows / 10)
    return round(missing * rows) < least


def all_missing(name: str, n: int) -> Plan:
    """The plan for a column of n rows without any value."""
    summary = {"rows": n, "missing": 1.0}
    return left_out(name, "missing", "no cell has a value", summary)


def left_out(
    name: str,
    kind: str,
    detail: str,
    summary: dict[str, Any],
    settings: dict[str, Any] | None = None,
) -> Plan:
    """A plan without features; by its settings new cells are compared."""
    summary = summary | {"kind": kind}
    return Plan(
        name, kind, "left out", detail, settings=settings or {}, summary=summary
    )


def quantile(ordered: NDArray[np.float64], q: float) -> float:
    """The quantile of sorted numbers, linear between neighbours."""
    place = q * (len(ordered) - 1)
    low = math.floor(place)
    share = place - low
    below = float(ordered[low])
    above = float(ordered[min(low + 1, len(ordered) - 1)])
    if math.isinf(above - below):
        return below * (1 - share) + above * share
    return below + (above - below) * share


def deciles(ordered: NDArray[np.float64]) -> list[float]:
    """Eleven numbers that cut sorted numbers into tenths, the ends among them."""
    return [quantile(ordered, tenth / 10) for tenth in range(11)]


def bad_cell(
    plan: Plan,
    array: pa.Array,
    row: int,
    first_row: int,
    *,
    held: str = "",
    remedy: str = "correct the cell or leave it empty",
) -> DataError:
    """The error for a cell that does not fit, with its row and value."""
    return DataError(
        f"column {plan.column!r} held {held or plural(plan)} in the training data, but "
        f"row {first_row + row} (from 0) holds {str(array[row].as_py())[:40]!r}; "
        f"{remedy}"
    )


def other_type(plan: Plan, array: pa.Array) -> DataError:
    """The error for a column of a type that cannot be what it was in training."""
    return DataError(
        f"column {plan.column!r} held {plural(plan)} in the training data and now "
        f"holds cells of type {array.type}; give it as in training, or fit again"
    )


def plural(plan: Plan) -> str:
    """What the cells of a column are."""
    if plan.kind == "date" and plan.settings["clock"]:
        return "times of day"
    return {
        "number": "numbers",
        "boolean": "true and false",
        "date": "dates",
        "category": "categories",
    }[plan.kind]


def missing_usual(summary: dict[str, Any]) -> Usual:
    """What is said of a missing cell."""
    share = summary.get("missing", 0.0)
    known = f"as {percent(share)} of training rows"
    return Usual("missing", known if share else "which no training row was")
