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

from whitecrow.data.kinds.words import percent, quoted, shown
from whitecrow.errors import DataError

__all__ = [
    "COMMON",
    "NOTHING_KNOWN",
    "QUANTILES",
    "RARE",
    "Known",
    "Plan",
    "Usual",
    "all_missing",
    "bad_cell",
    "bits",
    "deciles",
    "left_out",
    "marks",
    "missing_usual",
    "other_type",
    "plural",
    "quantile",
    "read_as",
    "said",
    "unread_usual",
    "with_indicator",
]

Values = NDArray[np.float64]
Mask = NDArray[np.bool_]

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
        """Count training rows by level of a category (not all levels in format 1)."""
        if "counts" in self.settings:
            known = zip(self.settings["levels"], self.settings["counts"], strict=True)
            return {level: count for level, count in known if level is not None}
        rows = self.summary["rows"]
        shares = self.summary["shares"].items()
        return {level: round(share * rows) for level, share in shares}


COMMON = 0.05
"""Of a cell that so many of the training rows have, none is odd by itself; the tails
of a usual range hold as many."""


class Usual(NamedTuple):
    """A cell and what is usual in its column, both as a person reads them.

    Attributes
    ----------
    text : str
        The cell.
    usual : str
        What it is compared with, such as "usual 31.8 to 32.4, median 32".
    common : bool
        Whether many training rows have such a cell: it is not odd by itself.
    """

    text: str
    usual: str
    common: bool = False


def said(plan: Plan, notes: Sequence[str], *, level: int = 0, remedy: str = "") -> Plan:
    """Add notes to the detail of a plan; the louder level and remedy win."""
    detail = "; ".join([note for note in (*notes, plan.detail) if note])
    louder = level >= plan.level and remedy != ""
    return replace(
        plan,
        detail=detail,
        level=max(level, plan.level),
        remedy=remedy if louder else plan.remedy,
    )


def read_as(name: str, how: str) -> str:
    """Write the option that reads a column in another way.

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
    unread : int
        Cells with text that could not be read.
    """

    notes: tuple[str, ...] = ()
    remedy: str = ""
    level: int = 0
    unread: int = 0

    def with_note(self, note: str) -> Known:
        """Append a note."""
        return replace(self, notes=(*self.notes, note))


NOTHING_KNOWN = Known()


def with_indicator(plan: Plan, fill: str, known: Known) -> Plan:
    """Add what is known, and columns that mark cells without a value.

    Empty cells are marked if enough rows had some: a mark that hardly a row has would
    make that row odder than any value does. A cell with text that could not be read is
    an oddity of its own, and marked even if it is the only one.
    """
    rows, missing, unread = plan.summary["rows"], plan.summary["missing"], known.unread
    empty = round(missing * rows) - unread
    new = [f"{plan.column} is missing"] if empty and not _too_few(empty, rows) else []
    marked = bool(new)
    new += [f"{plan.column} is not {_one(plan)}"] if unread else []
    features = (*plan.features, *new)
    notes = list(known.notes)
    if missing:
        becomes = f" and become {fill}" if plan.features else ""
        how = f"marked in {' and '.join(map(repr, new))}"
        how = how if new else "too few to mark them"
        notes.append(f"{percent(missing)} of the rows are missing{becomes}, {how}")
    # Of a column that is nearly always empty, the cells with a value are the rare ones.
    scarce = marked and rows - empty <= RARE * rows
    indicator = bits(rows, rows - empty) if scarce else marked
    settings: dict[str, Any] = {"indicator": indicator, "tolerant": unread > 0}
    settings |= {"unread": unread} if unread else {}
    return replace(
        plan,
        action=plan.action if features or not missing else "left out",
        detail="; ".join(notes),
        features=features,
        settings=plan.settings | settings,
        remedy=known.remedy,
        level=known.level if known.notes else 0,
    )


def marks(plan: Plan, missing: Mask, unread: Mask) -> list[Values]:
    """Encode the marks of `with_indicator`.

    A cell that was not read is marked by the rarity of such cells, in the units of
    levels of categories, as if it were one of these.
    """
    settings, found = plan.settings, []
    count = settings.get("unread", 0)  # models of before marked both in one column
    if settings["indicator"]:
        empty = missing & ~unread if count else missing
        found.append(np.where(empty, float(settings["indicator"]), 0.0))
    if count:
        found.append(np.where(unread, bits(plan.summary["rows"], count), 0.0))
    return found


def bits(rows: int, cells: int) -> float:
    """Return the rarity, in bits, of a cell that so many of the rows have.

    Much as `category.rarity`, but at least 1; 0 cells stand for one never seen.
    """
    if not cells:
        return math.log2(rows + 1)
    return max(1.0, math.log2(rows / (2 * cells)))


RARE = 0.01
"""Share of the rows up to which cells count by how rare they are."""
FEWEST_MISSING = 5
"""Missing rows from which on they are marked, or a tenth of a short table."""
LEAST_MISSING = 0.002
"""Their share in a long one."""


def _too_few(missing: int, rows: int) -> bool:
    return missing < min(max(FEWEST_MISSING, LEAST_MISSING * rows), rows / 10)


def all_missing(name: str, n: int) -> Plan:
    """Plan for a column of n rows without any value."""
    summary = {"rows": n, "missing": 1.0}
    return left_out(name, "missing", "no cell has a value", summary)


def left_out(
    name: str,
    kind: str,
    detail: str,
    summary: dict[str, Any],
    settings: dict[str, Any] | None = None,
) -> Plan:
    """Plan for a column without features; its settings serve to compare new cells."""
    summary = summary | {"kind": kind}
    return Plan(
        name, kind, "left out", detail, settings=settings or {}, summary=summary
    )


def quantile(ordered: NDArray[np.float64], q: float) -> float:
    """Interpolate a quantile of sorted numbers linearly between neighbours."""
    place = q * (len(ordered) - 1)
    low = math.floor(place)
    share = place - low
    below = float(ordered[low])
    above = float(ordered[min(low + 1, len(ordered) - 1)])
    if math.isinf(above - below):
        return below * (1 - share) + above * share
    return below + (above - below) * share


def deciles(ordered: NDArray[np.float64]) -> list[float]:
    """Return eleven numbers that cut sorted numbers into tenths, ends included."""
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
    """Return the error for a cell that does not fit, with its row and value."""
    return DataError(
        f"column {plan.column!r} held {held or plural(plan)} in the training data, but "
        f"row {first_row + row} (from 0) holds {str(array[row].as_py())[:40]!r}; "
        f"{remedy}"
    )


def other_type(plan: Plan, array: pa.Array) -> DataError:
    """Return the error for a column whose type cannot be what it was in training."""
    return DataError(
        f"column {plan.column!r} held {plural(plan)} in the training data and now "
        f"holds cells of type {array.type}; give it as in training, or fit again"
    )


def plural(plan: Plan) -> str:
    """Name what the cells of a column are."""
    return _CELLS["clock" if plan.settings.get("clock") else plan.kind][1]


def _one(plan: Plan) -> str:
    return _CELLS["clock" if plan.settings.get("clock") else plan.kind][0]


_CELLS = {
    "number": ("a number", "numbers"),
    "boolean": ("true or false", "true and false"),
    "date": ("a date", "dates"),
    "clock": ("a time of day", "times of day"),
    "category": ("a category", "categories"),
}
"""What one cell of a kind is, and what several are."""


def missing_usual(summary: dict[str, Any]) -> Usual:
    """Describe a missing cell beside the training rows."""
    share = summary.get("missing", 0.0)
    known = f"like {percent(share)} of training rows"
    known = known if share else "which no training row was"
    return Usual("missing", known, common=share >= COMMON)


def unread_usual(plan: Plan, value: str) -> Usual:
    """Describe a cell that could not be read beside the training rows."""
    count, rows = plan.settings.get("unread", 0), plan.summary["rows"]
    seen = "never in training rows"
    if count:
        seen = f"as {'one cell' if count == 1 else f'{count} cells'} in {rows:,} rows"
    unit = plan.summary.get("unit", "")
    unit = f" in {unit}" if unit and any(map(str.isdigit, value)) else ""
    return Usual(quoted(shown(value)), f"not {_one(plan)}{unit}, {seen}")
