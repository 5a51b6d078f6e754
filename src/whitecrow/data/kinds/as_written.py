"""How the cells of new rows are written, settled on all of them before one is encoded.

The same rules as in training hold: the marks of numbers are judged on the whole column
and the whole table, and a few cells that are no number or date count as missing. Only
where the new rows do not tell a decimal mark, the range of the training rows does.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from whitecrow.data.kinds import moment, number_cells, number_style, truth
from whitecrow.data.kinds.number_cells import PLAIN, Style, plain
from whitecrow.data.kinds.plan import Plan, plural
from whitecrow.data.kinds.reading import judge
from whitecrow.data.kinds.text import Text, distinct, family_of, flat, matches
from whitecrow.errors import DataError

__all__ = ["as_written", "decimal_marks", "texts_of"]

LEAST_READ = 0.75
"""Share of the cells that must be read: what the column holds is known from training,
and one impossible date among four is one bad cell."""
MOST = 20
"""Different cells of one shape that are kept; so many tell what all would."""
_OPEN = r"\.\d{3}\s*$"
_PARSERS: dict[str, Callable[..., Any]] = {
    "number": number_cells.parse,
    "boolean": truth.parse,
    "date": moment.parse,
}


class _Written:
    """Some cells of each shape in a column of text, with the counts of all of them.

    The shape of a cell is what is left when all digits are alike, so that memory does
    not grow with the rows.
    """

    def __init__(self) -> None:
        self._shapes: dict[str, dict[str, int]] = {}

    def add(self, array: pa.Array) -> None:
        """Count the cells of some rows."""
        if plain(array) is not None:  # some cells of each sort tell what all do
            open_, marked = matches(array, _OPEN), matches(array, r"[.]")
            sorts = (open_, marked & ~open_, ~marked)
            some = [array.filter(pa.array(one)).slice(0, 300) for one in sorts]
            array = pa.concat_arrays(some)
        text = distinct(array)
        shapes = pc.replace_substring_regex(text.levels, r"\d", "0").to_pylist()
        cells = zip(shapes, text.levels.to_pylist(), text.counts.tolist(), strict=True)
        for shape, level, count in cells:
            alike = self._shapes.setdefault(shape, {})
            # One that is not kept is counted with the first of its shape.
            kept = level in alike or len(alike) < MOST
            level = level if kept else next(iter(alike))
            alike[level] = alike.get(level, 0) + count

    @property
    def text(self) -> Text:
        """The cells that are kept."""
        cells = [item for alike in self._shapes.values() for item in alike.items()]
        levels = pa.array([level for level, _ in cells], pa.string())
        counts = np.array([count for _, count in cells], dtype=np.int64)
        return Text(levels, np.arange(len(cells)), counts)


def texts_of(frames: Iterable[pa.Table]) -> tuple[dict[str, Text], str]:
    """The cells of all columns of text, and what separates them in their file."""
    found: dict[str, _Written] = {}
    separator = ""
    for frame in frames:
        separator = (frame.schema.metadata or {}).get(b"separator", b"").decode()
        for name in frame.column_names:
            try:
                array = flat(name, frame.column(name))
            except DataError:  # bytes that are no text; said where they are encoded
                continue
            if family_of(array.type) == "text":
                found.setdefault(name, _Written()).add(array)
    return {name: written.text for name, written in found.items()}, separator


def as_written(
    plans: Sequence[Plan], texts: dict[str, Text], separator: str
) -> tuple[list[Plan], list[str]]:
    """The plans as new rows are written, and what is said about that."""

    @cache
    def marks() -> str:
        ignored = {plan.column for plan in plans if plan.kind == "ignored"}
        return number_style.table_mark(
            text for name, text in texts.items() if name not in ignored
        )

    adapted, said = [], []
    for plan in plans:
        if (text := texts.get(plan.column)) is not None and len(text.levels):
            plan, notes = _marked(plan, text, marks, separator)
            said += notes
            plan, notes = _tolerant(plan, text)
            said += notes
        adapted.append(plan)
    return adapted, said


def _marked(
    plan: Plan, text: Text, marks: Callable[[], str], separator: str
) -> tuple[Plan, list[str]]:
    """The plan with the decimal mark of the new rows."""
    style = plan.settings.get("style")
    if style is None or style.get("duration"):
        return plan, []
    mark, notes = _decimal(text, marks, separator, style, plan.summary)
    notes = [f"{plan.column!r} {note}" for note in notes]
    if mark == style["decimal"]:
        return plan, notes
    style = style | {"decimal": mark}
    return replace(plan, settings=plan.settings | {"style": style}), notes


def decimal_marks(
    frames: Iterable[pa.Table],
) -> tuple[dict[str, str], tuple[str, ...]]:
    """The decimal marks of columns of which nothing is known from training, and notes.

    Examples
    --------
    >>> decimal_marks([pa.table({"a": ["1,255", "70,4"], "b": ["1.255", "2.1"]})])
    ({'a': ',', 'b': '.'}, ())
    """
    texts, separator = texts_of(frames)
    marks = cache(lambda: number_style.table_mark(texts.values()))
    found, said = {}, []
    for name, text in texts.items():
        found[name], notes = _decimal(text, marks, separator, PLAIN)
        said += [f"{name!r} {note}" for note in notes]
    return found, tuple(said)


def _decimal(
    text: Text,
    marks: Callable[[], str],
    separator: str,
    style: Style,
    summary: dict[str, Any] | None = None,
) -> tuple[str, list[str]]:
    """The decimal mark of a column, and what is said of it if nothing tells it."""
    found = number_style.find(text, marks, separator=separator)
    if found is None:
        return style["decimal"], []
    mark: str = found.settings["decimal"]
    if number_style.tells(text) or (marks() and not found.doubt):
        return mark, []
    by_mark = {m: number_cells.parse(text.levels, style | {"decimal": m}) for m in ".,"}
    point, comma = (values for values, _ in by_mark.values())
    if np.array_equal(point, comma, equal_nan=True):
        return style["decimal"], []
    if summary is not None:
        away = {m: _away(values, summary) for m, (values, _) in by_mark.items()}
        mark = min(style["decimal"] + ".,", key=away.__getitem__)
        if away["."] != away[","]:
            return mark, []
    elif not found.doubt:
        return mark, []
    place = int(np.flatnonzero(point != comma)[0])
    cell, value = text.levels[place].as_py(), by_mark[mark][0][place]
    return mark, [
        f"does not tell its decimal mark: cells such as {cell[:40]!r} are read as "
        f"{value:.12g}; if that is wrong, write some with other decimals"
    ]


def _away(values: Any, summary: dict[str, Any]) -> float:
    """How far numbers are from the range of the training rows."""
    values = values[np.isfinite(values)]
    outside = np.abs(values - np.clip(values, summary["min"], summary["max"]))
    return float(np.median(outside)) if len(outside) else math.inf


def _tolerant(plan: Plan, text: Text) -> tuple[Plan, list[str]]:
    """The plan by which a few cells that cannot be read count as missing."""
    if plan.settings.get("tolerant", True) or plan.kind not in _PARSERS:
        return plan, []
    if "unknown" in plan.settings:  # neither true nor false: the oddest level
        return plan, []
    settings = plan.settings.get("style", plan.settings)
    if plan.kind == "number" and "style" not in plan.settings:
        return plan, []
    unread = _PARSERS[plan.kind](text.levels, settings)[1]
    if not unread.any():
        return plan, []
    nouns = plural(plan)
    verdict = judge(text, ~unread & ~text.absent(), nouns)
    if not verdict.fits and verdict.share < LEAST_READ:
        return plan, []
    count, first = int(text.counts[unread].sum()), int(np.argmax(unread))
    cell = repr(text.levels[first].as_py()[:40])
    means = f"{count:,} cells such as {cell} are not, and count"
    if count == 1:
        means = f"1 cell, {cell}, is not, and counts"
    note = f"{plan.column!r} held {nouns} in training: {means} as missing"
    return replace(plan, settings=plan.settings | {"tolerant": True}), [note]
