"""Categories: one column of 0 and 1 for each level that is not rare."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from whitecrow.data.kinds.plan import Plan, Usual, left_out, other_type
from whitecrow.data.kinds.text import PLAIN_NUMBER, clean_text, family_of
from whitecrow.data.kinds.words import is_missing, percent, shown

__all__ = ["MISSING_LEVEL", "OTHER_LEVEL", "encode_category", "missing", "notes"]
__all__ += ["plan_category", "usual"]

Values = NDArray[np.float64]

MAX_LEVELS = 50
"""Levels of a category with a column of their own."""
RARE_SHARE, RARE_ROWS = 0.001, 20
"""A level is rare below this share of the rows and below this number of rows."""
LISTED_LEVELS = 200
"""Levels whose share is kept for reports."""

OTHER_LEVEL = "(other)"
MISSING_LEVEL = "(missing)"


def plan_category(name: str, text: pa.Array, *, asked: bool = False) -> Plan:
    """The plan for clean text that holds neither numbers nor dates.

    Rare levels share one column with those that training never had. Texts that differ
    in nearly every row are an identifier and left out.

    Parameters
    ----------
    name : str
    text : pyarrow.Array of text
        Without words for "no value".
    asked : bool
        The user says that this is a category, however many levels there are.
    """
    levels, counts = _levels(text)
    n, present = len(text), len(text) - text.null_count
    summary = {
        "kind": "category",
        "rows": n,
        "missing": text.null_count / n,
        "distinct": len(levels),
        "shares": {
            level: count / n
            for level, count in zip(
                levels[:LISTED_LEVELS], counts[:LISTED_LEVELS], strict=True
            )
        },
        "counts": dict(
            zip(levels[:LISTED_LEVELS], counts[:LISTED_LEVELS], strict=True)
        ),
    }
    if len(levels) == 1 and not text.null_count:
        return left_out(name, "constant", f"always {levels[0][:40]!r}", summary)
    enough = max(2, min(math.ceil(RARE_SHARE * n), RARE_ROWS))
    kept = [v for v, c in zip(levels, counts, strict=True) if c >= enough][:MAX_LEVELS]
    names_rows = len(levels) > present / 2 and counts[0] < max(2, 0.05 * present)
    if (names_rows and not asked) or not kept:
        detail = f"{len(levels)} different texts in {present} rows"
        nothing: dict[str, Any] = {"shares": {}, "counts": {}}
        return left_out(name, "identifier", detail, summary | nothing)
    return _one_hot(name, kept, summary)


def _levels(text: pa.Array) -> tuple[list[str], list[int]]:
    """Distinct texts, most frequent first, equals in order of the alphabet."""
    counted = pc.value_counts(text.drop_null())
    table = pa.table({"level": counted.field(0), "count": counted.field(1)})
    table = table.sort_by([("count", "descending"), ("level", "ascending")])
    return table["level"].to_pylist(), table["count"].to_pylist()


def _one_hot(name: str, kept: list[str], summary: dict[str, Any]) -> Plan:
    rare = summary["distinct"] - len(kept)
    shown = [*kept]
    if summary["missing"]:
        shown.append(MISSING_LEVEL)
    shown.append(OTHER_LEVEL)
    features = tuple(f"{name}={level}" for level in shown)
    notes = [f"{len(kept)} levels"]
    if rare:
        notes[0] = f"{len(kept)} of {summary['distinct']} levels, the others are rare"
    if summary["missing"]:
        share = 100 * summary["missing"]
        notes.append(f"missing cells ({share:.2g} % of the rows) are a level too")
    joined = "rare levels and those" if rare else "levels"
    notes.append(f"{joined} never seen in training share {features[-1]!r}")
    settings = {"levels": kept, "missing": bool(summary["missing"])}
    action = "one column of 0 and 1 for each level"
    return Plan(name, "category", action, "; ".join(notes), features, settings, summary)


def encode_category(plan: Plan, array: pa.Array, first_row: int) -> list[Values]:
    """One array of 0 and 1 for each feature of the plan; exactly one is 1 in a row.

    Raises
    ------
    DataError
        The cells are dates, or numbers although no level is one.
    """
    levels = plan.settings["levels"]
    family = family_of(array.type)
    if family in {"number", "boolean", "empty"}:
        # A file whose codes all happen to be digits is read as numbers.
        if family == "number" and not _has_number(levels):
            raise other_type(plan, array)
        if pa.types.is_floating(array.type):
            array = array.cast(pa.float64())
        array = clean_text(array.cast(pa.string()))
    elif family != "text":
        raise other_type(plan, array)
    codes = pc.index_in(array, value_set=pa.array(levels, array.type))
    other = len(plan.features) - 1
    codes = codes.fill_null(other).to_numpy(zero_copy_only=False)
    if plan.settings["missing"]:
        absent = array.is_null().to_numpy(zero_copy_only=False)
        codes = np.where(absent, other - 1, codes)
    return [(codes == code).astype(np.float64) for code in range(other + 1)]


def _has_number(levels: list[str]) -> bool:
    texts = pa.array(levels, pa.string())
    return bool(pc.any(pc.match_substring_regex(texts, PLAIN_NUMBER)).as_py())


def missing(array: pa.Array) -> int:
    """How many cells have no value."""
    nan = pa.types.is_floating(array.type)
    cells = clean_text(array) if family_of(array.type) == "text" else array
    return int(pc.sum(pc.is_null(cells, nan_is_null=nan)).as_py() or 0)


def notes(plan: Plan, array: pa.Array) -> list[str]:
    """What is said of levels that training never had."""
    levels = plan.settings["levels"]
    if plan.summary["distinct"] > len(levels):
        return []  # rare ones share a column with new ones
    none = 0 if plan.settings["missing"] else missing(array)
    cells = clean_text(array) if family_of(array.type) == "text" else array
    count = int(encode_category(plan, cells, 0)[-1].sum()) - none
    if count <= 0:
        return []
    return [f"{plan.column!r} has a level that training never had in {count} rows"]


RARE = 0.01
"""Below this share of the training rows, it is said how often a level was seen."""


def usual(plan: Plan, value: Any) -> Usual:
    """How often training rows had the level."""
    summary = plan.summary
    if is_missing(value):
        share = summary.get("missing", 0.0)
        known = f"as {percent(share)} of training rows"
        return Usual("missing", known if share else "which no training row was")
    name = shown(value)
    level = value.strip() if isinstance(value, str) else name
    shares, rows = summary["shares"], summary["rows"]
    if level in shares:
        count = round(shares[level] * rows)
        if shares[level] >= RARE:
            return Usual(repr(name), f"{percent(shares[level])} of training rows")
        return Usual(repr(name), f"seen {_times(count)} in {rows:,} rows")
    if summary.get("distinct", 0) > len(shares):
        rarest = round(min(shares.values(), default=0.0) * rows)
        said = f"seen at most {_times(rarest)} in {rows:,} rows, perhaps never"
        return Usual(repr(name), said)
    return Usual(repr(name), "never in training rows")


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count:,} times"
