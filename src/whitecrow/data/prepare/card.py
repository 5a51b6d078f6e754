"""What was done with the files of a set, as plain data: the data card."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from whitecrow.data.prepare import raw
from whitecrow.data.prepare.layout import (
    LABEL,
    OTHERS,
    Anomaly,
    Columns,
    Layout,
    convention,
)
from whitecrow.data.prepare.survey import Facts, Plan, Survey

__all__ = ["Written", "card", "ignored", "listed"]


@dataclass
class Written:
    """What the second pass did.

    Attributes
    ----------
    rows, anomalies, repeats : int
        Rows written, those with label 1, and rows that repeat an earlier one.
    removed : Counter
        Rows not written, by reason.
    zeroed : Counter
        Undefined values that became 0, by column.
    categories, splits : Counter
        Rows written, by category and by split.
    facts : dict
        Of the columns, as written.
    """

    rows: int = 0
    anomalies: int = 0
    repeats: int = 0
    removed: Counter[str] = field(default_factory=Counter)
    zeroed: Counter[str] = field(default_factory=Counter)
    categories: Counter[str] = field(default_factory=Counter)
    splits: Counter[str] = field(default_factory=Counter)
    facts: dict[str, Facts] = field(default_factory=dict)


def ignored(layout: Layout) -> Columns:
    """Return the columns of the output that are neither features nor the label."""
    return OTHERS if layout.splits else OTHERS[:1]


def listed(counts: Mapping[str, int]) -> str:
    """List counts in a sentence.

    Examples
    --------
    >>> listed({"rows without a label": 1200, "rows with a negative value": 0})
    '1,200 rows without a label'
    """
    return ", ".join(f"{rows:,} {reason}" for reason, rows in counts.items() if rows)


def card(
    layout: Layout,
    files: Sequence[raw.Source],
    first: Survey,
    plan: Plan,
    done: Written,
    anomaly: Anomaly,
) -> dict[str, Any]:
    """Record what was read, removed, left out and written."""
    symbolic = {
        n: len(done.facts[n].symbols) for n in plan.columns if n in layout.symbolic
    }
    return {
        "name": layout.name,
        "title": layout.title,
        "source": layout.source,
        "files": [file.path.name for file in files],
        "label_convention": convention(layout, anomaly),
        "label_column": LABEL,
        "ignore": list(ignored(layout)),
        "rows_read": first.read,
        "rows": done.rows,
        "anomalies": done.anomalies,
        "removed": {reason: rows for reason, rows in done.removed.items() if rows},
        "repeated_rows": done.repeats,
        "undefined_set_to_0": dict(done.zeroed),
        "columns_read": len(files[0].columns),
        "features": len(plan.columns),
        "symbolic": symbolic,
        "one_hot_features": len(plan.columns) - len(symbolic) + sum(symbolic.values()),
        "dropped": {**_left_out(layout, files, first), **plan.dropped},
        "categories": dict(done.categories.most_common()),
        "splits": dict(done.splits),
        "notes": _notes(layout, first),
    }


def _left_out(
    layout: Layout, files: Sequence[raw.Source], first: Survey
) -> dict[str, str]:
    """List the columns that the layout drops and some file has, with the reasons."""
    there = set().union(*(file.columns for file in files)) - set(first.facts)
    return {name: reason for name, reason in layout.drop.items() if name in there}


def _notes(layout: Layout, first: Survey) -> list[str]:
    """Say what is odd about the files as a whole."""
    if not first.attacks:
        return [f"there is no attack in these files of {layout.title}"]
    if first.attacks == first.rows:
        return [f"there is no normal row in these files of {layout.title}"]
    return []
