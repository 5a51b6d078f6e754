"""Charts as SVG text, drawn for one purpose each; colours come from the page's CSS.

Charts stretch with the page, so text is HTML beside the SVG and keeps its size.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from whitecrow.data.kinds.words import number_text

__all__ = ["Histogram", "Strip", "curve", "histogram", "strip_of"]

Floats = NDArray[np.float64]

BINS = 72
STRIP_BINS = 32
# A positive score whose largest value is so many medians away gets a log axis.
LONG_TAIL = 25.0


@dataclass(frozen=True)
class Histogram:
    """Scores as bars with counts on a log axis; positions in percent of the chart.

    Attributes
    ----------
    bars, flagged_bars : str
        Paths for a viewBox of 0 0 100 100, below and above the threshold.
    truth : str
        Outline of the labelled anomalies; empty without labels.
    cut : float
        Where the threshold is, from the left; beyond the chart if no score reaches it.
    x_ticks, y_ticks : list of (float, str)
        From the left, and from the bottom.
    """

    bars: str
    flagged_bars: str
    truth: str
    cut: float
    x_ticks: list[tuple[float, str]]
    y_ticks: list[tuple[float, str]]
    is_log: bool


def histogram(
    scores: Floats, threshold: float, odd: NDArray[np.bool_] | None
) -> Histogram:
    """Bars of all scores with the threshold between two of them.

    Parameters
    ----------
    scores : ndarray of shape (n,)
    threshold : float
    odd : ndarray of bool, shape (n,), optional
        Labelled anomalies.
    """
    is_log = bool(scores.min() > 0 and threshold > 0) and bool(
        scores.max() > LONG_TAIL * np.median(scores)
    )
    values, at = (
        (np.log(scores), float(np.log(threshold)))
        if is_log
        else (
            scores,
            threshold,
        )
    )
    edges = _edges(values, at)
    counts, _ = np.histogram(values, edges)
    top = np.log1p(counts.max())
    heights = 100 * np.log1p(counts) / top
    x = 100 * (edges - edges[0]) / (edges[-1] - edges[0])
    above = edges[:-1] >= at - 1e-12 * max(1.0, abs(at))
    truth = ""
    if odd is not None and odd.any():
        hits, _ = np.histogram(values[odd], edges)
        truth = _outline(x, 100 * np.log1p(hits) / top)
    ticks = (
        _ticks(float(np.exp(edges[0])), float(np.exp(edges[-1])), log=True)
        if (is_log)
        else _ticks(float(edges[0]), float(edges[-1]), log=False)
    )
    return Histogram(
        bars=_bars(x, np.where(above, 0, heights)),
        flagged_bars=_bars(x, np.where(above, heights, 0)),
        truth=truth,
        cut=float(100 * (at - edges[0]) / (edges[-1] - edges[0])),
        x_ticks=ticks,
        y_ticks=_count_ticks(int(counts.max())),
        is_log=is_log,
    )


@dataclass(frozen=True)
class Strip:
    """A column's values as a small silhouette, and how to place a value in it.

    Attributes
    ----------
    path : str
        For a viewBox of 0 0 100 20.
    band : (float, float) or None
        From and to, in percent: where the usual values are.
    low, high : float
        What the edges stand for.
    levels : dict
        For categories: level -> (from, to) in percent.
    """

    path: str
    band: tuple[float, float] | None
    low: float = 0.0
    high: float = 1.0
    levels: dict[str, tuple[float, float]] | None = None

    def place(self, value: float) -> float:
        """Position of a number in percent, within the chart."""
        span = self.high - self.low
        at = 100 * (value - self.low) / span if span > 0 else 50.0
        return float(np.clip(at, 0.0, 100.0))

    def is_beyond(self, value: float) -> bool:
        """Whether a number lies outside the chart."""
        return not self.low <= value <= self.high


def strip_of(values: Floats, usual: tuple[float, float]) -> Strip:
    """The silhouette of a column of numbers around its usual range."""
    low, high = usual
    reach = 1.5 * (high - low)
    finite = values[np.isfinite(values)]
    left = max(float(finite.min()), low - reach)
    right = min(float(finite.max()), high + reach)
    if reach == 0:  # most rows have one value
        left, right = float(finite.min()), float(finite.max())
    if right <= left:
        left, right = left - 0.5, right + 0.5
    counts, edges = np.histogram(finite, STRIP_BINS, (left, right))
    x = 100 * (edges - left) / (right - left)
    heights = 18 * np.sqrt(counts / max(counts.max(), 1))
    strip = Strip(_silhouette(x, heights), None, left, right)
    return Strip(strip.path, (strip.place(low), strip.place(high)), left, right)


def levels_of(shares: dict[str, float], most: int = 12) -> Strip:
    """Bars for the most frequent levels of a category."""
    kept = sorted(shares.items(), key=lambda item: -item[1])[:most]
    width = 100 / max(len(kept), 1)
    top = max((share for _, share in kept), default=1.0)
    parts, places = [], {}
    for index, (level, share) in enumerate(kept):
        left, right = index * width + 0.1 * width, (index + 1) * width - 0.1 * width
        height = max(1.0, 18 * share / top)
        parts.append(f"M{left:.1f} 20V{20 - height:.1f}H{right:.1f}V20z")
        places[level] = (left, right)
    return Strip("".join(parts), None, levels=places)


def curve(x: Floats, y: Floats) -> str:
    """A path through (x, y) in the unit square, for a viewBox of 0 0 100 100.

    Points are rounded to a quarter of a percent, and those that then lie on a line
    between their neighbours are left out: corners stay, whatever the number of rows.
    """
    points = np.round(400 * np.column_stack([x, 1 - y])) / 4
    points = points[np.r_[True, (np.diff(points, axis=0) != 0).any(axis=1)]]
    before, after = np.diff(points[:-1], axis=0), np.diff(points[1:], axis=0)
    turns = before[:, 0] * after[:, 1] != before[:, 1] * after[:, 0]
    points = points[np.r_[True, turns, True]] if len(points) > 2 else points
    return "M" + "L".join(f"{a:g} {b:g}" for a, b in points)


def _edges(values: Floats, at: float) -> Floats:
    """Bins of equal width, one of whose edges is the threshold where it can be."""
    low, high = float(values.min()), float(values.max())
    high = max(high, at)
    low = min(low, at)
    if high <= low:
        return np.linspace(low - 0.5, high + 0.5, BINS + 1)
    width = (high - low) / (BINS - 1)
    below = int(np.ceil((at - low) / width))
    above = max(int(np.ceil((high - at) / width)), 1)
    edges = at + width * np.arange(-below, above + 1)
    edges[-1] = max(edges[-1], high)
    return np.asarray(edges, dtype=np.float64)


def _bars(x: Floats, heights: Floats) -> str:
    parts = []
    for left, right, height in zip(x[:-1], x[1:], heights, strict=True):
        if height > 0:
            gap = 0.12 * (right - left)
            top = 100 - max(height, 1.2)
            parts.append(f"M{left + gap:.2f} 100V{top:.2f}H{right - gap:.2f}V100z")
    return "".join(parts)


def _outline(x: Floats, heights: Floats) -> str:
    parts = [f"M{x[0]:.2f} 100"]
    for right, height, left in zip(x[1:], heights, x[:-1], strict=True):
        parts.append(f"L{left:.2f} {100 - height:.2f}H{right:.2f}")
    return "".join(parts) + "V100"


def _silhouette(x: Floats, heights: Floats) -> str:
    parts = [f"M{x[0]:.1f} 20"]
    for right, height, left in zip(x[1:], heights, x[:-1], strict=True):
        shown = max(height, 0.8) if height > 0 else 0
        parts.append(f"L{left:.1f} {20 - shown:.1f}H{right:.1f}")
    return "".join(parts) + "V20z"


def _ticks(low: float, high: float, *, log: bool) -> list[tuple[float, str]]:
    if log:
        powers = range(int(np.floor(np.log10(low))), int(np.ceil(np.log10(high))) + 1)
        marks = [m * 10.0**p for p in powers for m in (1, 2, 5)]
        marks = [mark for mark in marks if low <= mark <= high]
        step = max(1, len(marks) // 6)
        span = np.log(high / low)
        return [
            (float(100 * np.log(m / low) / span), number_text(m)) for m in marks[::step]
        ]
    raw = (high - low) / 6
    power = 10.0 ** np.floor(np.log10(raw))
    step = next(m * power for m in (1, 2, 2.5, 5, 10) if m * power >= raw)
    first = np.ceil(low / step) * step
    return [
        (100 * (m - low) / (high - low), number_text(m, high - low))
        for m in np.arange(first, high + 1e-9 * step, step).tolist()
    ]


def _count_ticks(most: int) -> list[tuple[float, str]]:
    marks: Sequence[int] = [10**p for p in range(9) if 10**p <= most]
    if len(marks) > 4:
        marks = marks[::2]
    top = np.log1p(most)
    return [(float(100 * np.log1p(mark) / top), f"{mark:,}") for mark in marks]
