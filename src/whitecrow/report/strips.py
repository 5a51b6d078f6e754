"""Charts of the columns of a table, and where a cell is in them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from whitecrow.data.kinds.moment_words import span
from whitecrow.data.kinds.number import range_text
from whitecrow.data.kinds.words import percent, shown
from whitecrow.report import charts

if TYPE_CHECKING:
    import pyarrow as pa

    from whitecrow.data.kinds import TableEncoder

__all__ = ["Mark", "column_strip", "drawn", "place_in", "usual_text"]

# A silhouette does not change with more rows than these.
MOST_ROWS = 20_000


class Mark(NamedTuple):
    """Where a cell is in its column's strip.

    Attributes
    ----------
    at : float or None
        Position in percent.
    beyond : str
        "left" or "right" for a value outside the chart, else "".
    bar : (float, float) or None
        From and to, for a level of a category.
    """

    at: float | None
    beyond: str
    bar: tuple[float, float] | None


def drawn(
    encoder: TableEncoder, frame: pa.Table, columns: list[str]
) -> dict[str, charts.Strip]:
    """Draw a strip for each of the columns that can have one.

    Parameters
    ----------
    encoder : TableEncoder
    frame : pyarrow.Table
        All rows; of a long table some rows stand for all.
    columns : list of str
    """
    known = [name for name in columns if name in encoder.summaries_]
    if frame.num_rows > MOST_ROWS:
        frame = frame.select(known).take(
            np.linspace(0, frame.num_rows - 1, MOST_ROWS).astype(np.int64)
        )
    strips = {name: column_strip(encoder, name, frame[name]) for name in known}
    return {name: strip for name, strip in strips.items() if strip is not None}


def column_strip(
    encoder: TableEncoder, column: str, cells: pa.ChunkedArray
) -> charts.Strip | None:
    """Draw how the values of a column are distributed; None if nothing can be drawn.

    Parameters
    ----------
    encoder : TableEncoder
    column : str
    cells : pyarrow.ChunkedArray
        Cells of the column, for one that has numbers.
    """
    summary = encoder.summaries_.get(column, {})
    if shares := summary.get("shares"):
        return charts.levels_of(shares)
    if "q05" not in summary:
        return None
    values = encoder.chart(column, cells)
    finite = values[np.isfinite(values)]
    if not len(finite):
        return None
    low, high = np.quantile(finite, [0.05, 0.95])
    return charts.strip_of(values, (float(low), float(high)))


def place_in(strip: charts.Strip | None, value: Any, number: float) -> Mark:
    """Find a cell in its column's strip.

    Parameters
    ----------
    strip : Strip or None
    value : object
        The cell as it was read, for a category.
    number : float
        The cell as `TableEncoder.chart` gives it; NaN if it has none.
    """
    if strip is None:
        return Mark(None, "", None)
    if strip.levels is not None:
        bar = _level(strip.levels, value, number)
        return Mark(None, "" if bar else "right", bar)
    if np.isnan(number):
        return Mark(None, "", None)
    side = "right" if number > strip.high else "left"
    return Mark(strip.place(number), side if strip.is_beyond(number) else "", None)


def usual_text(
    summary: Mapping[str, Any] | None, words: Mapping[str, str] | None = None
) -> str:
    """Say the usual values of a column in a few words.

    Parameters
    ----------
    summary : mapping or None
        As in `TableEncoder.summaries_`.
    words : mapping of str to str, optional
        What the file says for a level, as "Yes" for "true".
    """
    known = words or {}
    if not summary:
        return ""
    if shares := summary.get("shares"):
        best = sorted(shares.items(), key=lambda item: -item[1])[:3]
        texts = (f"{known.get(level, level)} {percent(share)}" for level, share in best)
        return ", ".join(texts).replace(" %", "\N{NO-BREAK SPACE}%")
    if "q05" not in summary:
        return ""
    if isinstance(summary["q05"], str):
        return span(summary)
    return range_text(summary, median=True)


def _level(
    levels: Mapping[str, tuple[float, float]], value: Any, number: float
) -> tuple[float, float] | None:
    if number in {0.0, 1.0}:  # a yes or no, whatever the word
        return levels.get("true" if number else "false")
    return levels.get(value.strip() if isinstance(value, str) else shown(value))
