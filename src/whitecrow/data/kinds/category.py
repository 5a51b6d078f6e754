r"""Categories: how rare a level is, in one column, and which of the common ones it is.

With `n` training rows, of which level `l` has :math:`c_l`, its rarity in bits is

.. math::

    r(l) = \max \Bigl( 0, \; -\log_2 \bigl( 2 \, P(l) \bigr) \Bigr), \qquad
    P(l) = \frac{1}{n} \sum_{m : c_m \le c_l} c_m .

:math:`P` is the share of the rows whose level is as rare or rarer: a tail probability.
Less than one bit counts as 0, so that the more common three quarters of the rows have
0: which of two common levels is a little less common would otherwise be all that the
column varies by, and one rare row would lie hundreds of such steps away. Each further
bit halves what is left: 9 bits say that one row in a thousand has a level so rare.
A level that training never had has

.. math:: r = \log_2 \frac{n + 1}{N_1 + 1},

with :math:`N_1` rows whose level was seen once: minus the log of Good and Turing's
estimate (1953) of how often a new level turns up, and more than any level seen.

Levels are *common* when each has a sixteenth of the rows or more, and no fewer than all
rarer levels together. Two to sixteen of them are told apart by one to four columns of
-1 and 1, in which all other levels are 0; each halves their rows as nearly as whole
levels can.

Why so. Detectors standardise columns, and in a standardised column of 0 and 1 a level
of share `p` weighs :math:`1 / p`. A shop seen 60 times had such a column and a thousand
shops seen once shared one: the pooled column was common, and the shop was odd. A tail
probability compares a level with the rows: 4,000 levels that are equally frequent say
nothing, and in a column of which a quarter are seen once that is not odd. Its log is
linear where histograms, distances and trees look for tails, and with half of the rows
at 0 no detector takes the most common level for the other tail. A column of -1 and 1
weighs what a column of numbers weighs, and its halves are equally frequent, so that it
says which and not how rare: a combination of common levels that does not occur stays
odd. In benchmarks/categories.py each column that says which costs quality, so there are
few; an odd combination of levels below a sixteenth is not found.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from whitecrow.data.kinds.plan import (
    COMMON,
    Plan,
    Usual,
    left_out,
    missing_usual,
    other_type,
    read_as,
)
from whitecrow.data.kinds.text import PLAIN_NUMBER, clean_text, composed, family_of
from whitecrow.data.kinds.words import is_missing, percent, quoted, rows_text, shown

__all__ = [
    "encode_category",
    "missing",
    "never_seen",
    "notes",
    "plan_category",
    "rarity",
    "usual",
]

Values = NDArray[np.float64]

MOST_COMMON = 16
"""Levels that can be told apart; each has at least this part of the rows."""
LISTED_LEVELS = 200
"""Levels whose share is kept for reports."""
RARE = 0.01
"""Below this share of the training rows, it is said how often a level was seen."""


NEARLY_ALL = 0.95
"""Share of different texts from which on nobody need be told that these are names."""


def plan_category(name: str, text: pa.Array, *, asked: bool = False) -> Plan:
    """Plan for clean text that holds neither numbers nor dates.

    Texts that differ in nearly every row are an identifier and left out.

    Parameters
    ----------
    name : str
    text : pyarrow.Array of text
        Without words for "no value".
    asked : bool
        The user says that this is a category, however many levels there are.

    Examples
    --------
    >>> plan = plan_category("valve", pa.array(["open", "shut"] * 20 + [None]))
    >>> plan.features
    ('valve rarity', 'valve code 1')
    >>> plan.settings
    {'levels': ['open', 'shut', None], 'counts': [20, 20, 1], 'signs': [[1, -1]]}
    """
    levels, counts = _levels(text)
    n, present = len(text), len(text) - text.null_count
    known = [pair for pair in zip(levels, counts, strict=True) if pair[0] is not None]
    summary = {
        "kind": "category",
        "rows": n,
        "missing": text.null_count / n,
        "distinct": len(known),
        "shares": {level: count / n for level, count in known[:LISTED_LEVELS]},
        "counts": dict(known[:LISTED_LEVELS]),
    }
    if len(levels) == 1:
        return left_out(name, "constant", f"always {levels[0][:40]!r}", summary)
    if _names_rows(known, present) and not asked:
        detail = f"{len(known):,} different texts in {present:,} rows"
        nothing: dict[str, Any] = {"shares": {}, "counts": {}}
        found = left_out(name, "identifier", detail, summary | nothing)
        if len(known) >= NEARLY_ALL * present:
            return found
        remedy = f"if it says more than who a row is: {read_as(name, 'category')}"
        return replace(found, level=2, remedy=remedy)
    signs = _signs(counts)
    features = [f"{name} rarity"]
    features += [f"{name} code {i + 1}" for i in range(len(signs))]
    action = "kept as how rare its level is"
    if signs:
        action += ", and which of the common ones"
    settings = {"levels": levels, "counts": counts, "signs": signs}
    detail = _detail(summary, settings)
    return Plan(name, "category", action, detail, tuple(features), settings, summary)


def _names_rows(known: list[tuple[str, int]], present: int) -> bool:
    """Tell whether most texts occur once, and none is frequent."""
    many = len(known) > max(1, present / 2)
    return many and known[0][1] < max(2, 0.05 * present)


def _levels(text: pa.Array) -> tuple[list[Any], list[int]]:
    """Distinct texts and, if some are missing, None, the most frequent first.

    Equals are in order of the alphabet, so that the order of the rows is no matter.
    """
    counted = pc.value_counts(text)
    pairs = zip(counted.field(0).to_pylist(), counted.field(1).to_pylist(), strict=True)
    ordered = sorted(pairs, key=lambda pair: (-pair[1], pair[0] or ""))
    return [level for level, _ in ordered], [count for _, count in ordered]


def _detail(summary: dict[str, Any], settings: dict[str, Any]) -> str:
    rarest, n = settings["counts"][-1], summary["rows"]
    notes = [
        f"{summary['distinct']} levels, the rarest seen {_times(rarest)} in {n:,} rows"
    ]
    if summary["missing"]:
        share = 100 * summary["missing"]
        notes.append(f"missing cells ({share:.2g} % of the rows) are a level too")
    notes.append("levels never seen in training are the oddest")
    return "; ".join(notes)


# ----------------------------------------------------- how rare, and which of them


def rarity(counts: Sequence[int]) -> Values:
    """How rare each level is, in bits, and last a level never seen.

    Parameters
    ----------
    counts : sequence of int
        Rows of each level, in descending order.

    Returns
    -------
    ndarray of shape (len(counts) + 1,)

    Examples
    --------
    >>> rarity([900, 96, 2, 1, 1]).round(1).tolist()
    [0.0, 2.3, 7.0, 8.0, 8.0, 8.4]
    >>> rarity([10, 10, 10, 10]).round(1).tolist()
    [0.0, 0.0, 0.0, 0.0, 5.4]
    """
    rows = np.asarray(counts, dtype=np.int64)
    n, once = int(rows.sum()), int(np.count_nonzero(rows == 1))
    first_equal = np.searchsorted(-rows, -rows)
    as_rare = rows[::-1].cumsum()[::-1][first_equal]
    seen_levels = np.log2(n / (2 * as_rare))
    seen_levels[seen_levels < 1] = 0.0
    return np.append(seen_levels, math.log2((n + 1) / (once + 1)))


def _signs(counts: list[int]) -> list[list[int]]:
    """For each column that tells common levels apart, -1 or 1 for each of these.

    Of two levels in all, the rarity tells which it is, unless they are equal.
    """
    common = _common(counts)
    if len(counts) == 2 and counts[0] != counts[1]:
        return []
    columns = []
    groups = [list(range(common))] if common > 1 else []
    while any(len(group) > 1 for group in groups):
        column, groups = _halved(groups, counts)
        columns.append([column[level] for level in range(common)])
    return columns


def _common(counts: list[int]) -> int:
    """How many levels are common: the longest run of the most frequent ones."""
    n = sum(counts)
    found, rarer = 0, n
    for i, count in enumerate(counts[:MOST_COMMON]):
        rarer -= count
        if count * MOST_COMMON >= n and count >= rarer:
            found = i + 1
    return found


def _halved(
    groups: list[list[int]], counts: list[int]
) -> tuple[dict[int, int], list[list[int]]]:
    """A sign for each level, such that each group and all rows are cut in half.

    Halves of a group differ by no more than one level, so that few columns suffice.
    """
    signs: dict[int, int] = {}
    halves: list[list[int]] = []
    total = 0
    for group in groups:
        sides: dict[int, list[int]] = {1: [], -1: []}
        rows = {1: 0, -1: 0}
        room = (len(group) + 1) // 2
        for level in group:
            lighter = -1 if (rows[1] - rows[-1] or total) > 0 else 1
            sign = lighter if len(sides[lighter]) < room else -lighter
            sides[sign].append(level)
            rows[sign] += counts[level]
            total += sign * counts[level]
            signs[level] = sign
        halves += [side for side in sides.values() if side]
    return signs, halves


# --------------------------------------------------------------------- new rows


def encode_category(plan: Plan, array: pa.Array, first_row: int) -> list[Values]:
    """Encode a column as one array for each feature of the plan.

    Raises
    ------
    DataError
        The cells are dates, or numbers although no level is one.
    """
    if "counts" not in plan.settings:
        return _encode_one_hot(plan, array)
    codes = _codes(plan, array)
    encoded = [rarity(plan.settings["counts"])[codes]]
    others = len(plan.settings["levels"]) + 1
    for column in plan.settings["signs"]:
        values = np.zeros(others)
        values[: len(column)] = column
        encoded.append(values[codes])
    return encoded


def _codes(plan: Plan, array: pa.Array) -> NDArray[np.int64]:
    """The place of each cell among the levels of the plan, or their number."""
    levels = plan.settings["levels"]
    text = _as_text(plan, array)
    # A missing cell is found where None is a level.
    codes = pc.index_in(text, value_set=composed(pa.array(levels, text.type)))
    codes = codes.fill_null(len(levels)).cast(pa.int64())
    return np.asarray(codes.to_numpy(zero_copy_only=False))


def _as_text(plan: Plan, array: pa.Array) -> pa.Array:
    family = family_of(array.type)
    if family == "text":
        return array
    if family not in {"number", "boolean", "empty"}:
        raise other_type(plan, array)
    # A file whose codes all happen to be digits is read as numbers.
    if family == "number" and not _has_number(plan.settings["levels"]):
        raise other_type(plan, array)
    if pa.types.is_floating(array.type):
        array = array.cast(pa.float64())
    return clean_text(array.cast(pa.string()))


def _has_number(levels: list[Any]) -> bool:
    texts = pa.array(levels, pa.string())
    return bool(pc.any(pc.match_substring_regex(texts, PLAIN_NUMBER)).as_py())


def _encode_one_hot(plan: Plan, array: pa.Array) -> list[Values]:
    """Encode by a plan of format 1: 0 and 1 for each level that was not rare.

    Of the columns after those of the levels, one is for missing cells, if training had
    some, and the last for all others.
    """
    codes = _codes(plan, array)
    other = len(plan.features) - 1
    if plan.settings["missing"]:
        absent = _as_text(plan, array).is_null().to_numpy(zero_copy_only=False)
        codes = np.where(codes == other - 1, other, codes)
        codes = np.where(absent, other - 1, codes)
    return [(codes == code).astype(np.float64) for code in range(other + 1)]


# ---------------------------------------------------------------------- in words


def never_seen(plan: Plan, array: pa.Array) -> NDArray[np.bool_]:
    """Tell which cells hold a level that training never had.

    Missing cells are not among them. By a plan of format 1 that pooled rare levels with
    new ones, none are.

    Examples
    --------
    >>> plan = plan_category("valve", pa.array(["open", "shut", "open"]))
    >>> never_seen(plan, pa.array(["ajar", "open", None])).tolist()
    [True, False, False]
    """
    levels = plan.settings["levels"]
    if "counts" not in plan.settings and plan.summary["distinct"] > len(levels):
        return np.zeros(len(array), dtype=bool)
    present = _as_text(plan, array).is_valid().to_numpy(zero_copy_only=False)
    return np.asarray(present & (_codes(plan, array) == len(levels)))


def missing(array: pa.Array) -> int:
    """Count the cells that have no value."""
    nan = pa.types.is_floating(array.type)
    cells = clean_text(array) if family_of(array.type) == "text" else array
    return int(pc.sum(pc.is_null(cells, nan_is_null=nan)).as_py() or 0)


def notes(plan: Plan, array: pa.Array) -> list[str]:
    """Say in how many rows there is a level that training never had."""
    cells = clean_text(array) if family_of(array.type) == "text" else array
    count = int(never_seen(plan, cells).sum())
    if not count:
        return []
    rows = rows_text(count)
    return [f"{plan.column!r} has a level that training never had in {rows}"]


def usual(plan: Plan, value: Any) -> Usual:
    """Say how often training rows had the level of a cell.

    Examples
    --------
    >>> plan = plan_category("valve", pa.array(["open"] * 200 + ["shut"]))
    >>> usual(plan, "shut").usual, usual(plan, "ajar").usual
    ('seen once in 201 rows', 'never in training rows')
    """
    summary = plan.summary
    if is_missing(value):
        return missing_usual(summary)
    name, rows = quoted(shown(value)), summary["rows"]
    level = shown(value)
    if isinstance(value, str):
        level = composed(pa.array([value.strip()]))[0].as_py()
    count = plan.level_counts.get(level)
    if count is None and summary["distinct"] > len(plan.level_counts):
        # A plan of format 1 has not all levels.
        rarest = min(plan.level_counts.values(), default=0)
        said = f"seen at most {_times(rarest)} in {rows:,} rows, perhaps never"
        return Usual(name, said)
    if not count:
        return Usual(name, "never in training rows")
    if count >= RARE * rows:
        said = f"{percent(count / rows)} of training rows"
        return Usual(name, said, count >= COMMON * rows)
    return Usual(name, f"seen {_times(count)} in {rows:,} rows")


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count:,} times"
