"""The first pass: what is in each column, and so which columns are kept."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from whitecrow.data.prepare import raw
from whitecrow.data.prepare.blocks import Block, Floats, Labels, read
from whitecrow.data.prepare.layout import Columns, Layout
from whitecrow.errors import DataError

__all__ = ["BAD_SHARE", "Facts", "Plan", "Survey", "decide", "survey"]

BAD_SHARE = 0.10
"""A column with this share of bad cells goes; with fewer, the rows go."""
MOST_SYMBOLS = 100_000

OnRows = Callable[[int], None]


@dataclass
class Facts:
    """What is known of a column.

    Attributes
    ----------
    infinite, missing, negative : int
        Cells that are infinite, missing (or no number), below zero.
    low, high : float
        The range of the finite numbers.
    whole : bool
        Whether all of these are whole numbers.
    symbols : set of str
        The values of a symbolic column.
    """

    infinite: int = 0
    missing: int = 0
    negative: int = 0
    low: float = np.inf
    high: float = -np.inf
    whole: bool = True
    symbols: set[str] = field(default_factory=set)

    def add_numbers(self, values: Floats) -> None:
        """Take in some cells of a numeric column."""
        finite = np.isfinite(values)
        if not finite.all():
            missing = int(np.isnan(values).sum())
            self.missing += missing
            self.infinite += len(values) - int(finite.sum()) - missing
            values = values[finite]
        if not len(values):
            return
        low, high = float(values.min()), float(values.max())
        if low < 0:
            self.negative += int((values < 0).sum())
        self.low, self.high = min(self.low, low), max(self.high, high)
        # Whole numbers beyond 2**53 would change on the way.
        small = max(-low, high) < 2.0**53
        self.whole = self.whole and small and bool((np.rint(values) == values).all())

    def add_texts(self, values: pa.Array) -> None:
        """Take in some cells of a symbolic column."""
        self.missing += values.null_count
        self.symbols.update(pc.unique(values.drop_null()).to_pylist())

    @property
    def bad(self) -> int:
        """Count the cells that cannot be used."""
        return self.infinite + self.missing

    @property
    def is_constant(self) -> bool:
        """Tell whether all cells that can be used are equal."""
        return not self.low < self.high and len(self.symbols) < 2


@dataclass
class Survey:
    """What the first pass found.

    Attributes
    ----------
    rows : int
        Labelled rows.
    read : int
        All rows.
    facts : dict
        Of each column that a layout does not leave out.
    attacks : int
        Rows that are attacks.
    """

    rows: int
    read: int
    facts: dict[str, Facts]
    attacks: int


@dataclass(frozen=True)
class Plan:
    """What becomes of the columns.

    Attributes
    ----------
    columns : tuple of str
        The features that are written.
    checked : tuple of str
        Columns in which a bad cell removes the row: those written, and those that only
        the choice of a group leaves out.
    dropped : mapping of column to reason
        What is not written.
    """

    columns: Columns
    checked: Columns
    dropped: Mapping[str, str]

    def without(self, others: Mapping[str, str]) -> Plan:
        """Return the plan without some more columns."""
        parts = (self.columns, self.checked)
        columns, checked = (tuple(c for c in p if c not in others) for p in parts)
        return Plan(columns, checked, {**self.dropped, **others})


def survey(
    files: Sequence[raw.Source],
    layout: Layout,
    columns: Columns,
    on_rows: OnRows,
) -> Survey:
    """Read everything once."""
    labels, removed = Labels(layout), Counter[str]()
    facts = {name: Facts() for name in columns}
    rows = attacks = 0
    for block in read(files, layout, columns, labels, removed):
        rows += len(block)
        _add(facts, block, layout)
        attacks += int(labels.is_attack()[block.attacks].sum())
        on_rows(rows)
    if not rows:
        raise DataError(
            f"no row of {', '.join(str(f.path) for f in files)} has a value in column "
            f"{layout.label!r}; these are no files of {layout.title}"
        )
    return Survey(rows, rows + removed.total(), facts, attacks)


def _add(facts: dict[str, Facts], block: Block, layout: Layout) -> None:
    for name, values in block.numbers.items():
        facts[name].add_numbers(values)
    for name, texts in block.texts.items():
        facts[name].add_texts(texts)
        if len(facts[name].symbols) > MOST_SYMBOLS:
            raise DataError(
                f"column {name!r} has more than {MOST_SYMBOLS:,} different values; "
                f"these are no files of {layout.title}"
            )


def decide(found: Survey, layout: Layout, group: str | None) -> Plan:
    """Decide which columns are kept, by what is in them."""
    reasons = {
        name: _reason(name, facts, found.rows, layout)
        for name, facts in found.facts.items()
    }
    checked = tuple(name for name, reason in reasons.items() if reason is None)
    dropped = {name: reason for name, reason in reasons.items() if reason is not None}
    if group is None:
        return Plan(checked, checked, dropped)
    wanted = layout.groups[group](tuple(found.facts))
    for name in wanted:
        if name not in found.facts:
            raise DataError(
                f"--columns {group} needs the column {name!r}, which the files do not "
                "have"
            )
    columns = tuple(name for name in checked if name in wanted)
    others = {n: f"not of {group}" for n in checked if n not in wanted}
    return Plan(columns, checked, dropped | others)


def _reason(name: str, facts: Facts, rows: int, layout: Layout) -> str | None:
    bad, negative = facts.bad / rows, facts.negative / rows
    if name not in layout.zero and bad >= BAD_SHARE:
        return f"{100 * bad:.0f} % of the cells are missing, infinite or no numbers"
    if layout.never_negative and negative >= BAD_SHARE:
        return f"{100 * negative:.0f} % of the cells are negative, which cannot be"
    if facts.is_constant and not (name in layout.zero and facts.bad):
        value = min(facts.symbols) if facts.symbols else f"{facts.low:g}"
        return f"constant ({value})"
    return None
