"""Charts as SVG text, drawn for one purpose each; colours come from the page's CSS.

Charts stretch with the page, so text is HTML beside the SVG and keeps its size.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from whitecrow.data.kinds.words import number_text

__all__ = [
    "Histogram",
    "Strip",
    "Timeline",
    "curve",
    "histogram",
    "levels_of",
    "strip_of",
    "timeline",
]

Floats = NDArray[np.float64]

BINS = 72
STRIP_BINS = 32
SPANS = 240  # of a time axis
# A positive score whose largest value is so many medians away gets a log axis.
LONG_TAIL = 25.0


def _percent(value: float, low: float, high: float) -> float:
    """Place a value between two ends, in percent; in the middle where they are one."""
    at = 100 * (value - low) / (high - low) if high > low else 50.0
    return float(np.clip(at, 0.0, 100.0))


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
    is_log : bool
        Whether scores are on a logarithmic axis.
    low, high : float
        What the edges stand for; logarithms where `is_log`.
    """

    bars: str
    flagged_bars: str
    truth: str
    cut: float
    x_ticks: list[tuple[float, str]]
    y_ticks: list[tuple[float, str]]
    is_log: bool
    low: float
    high: float

    def place(self, score: float) -> float:
        """Position of a score in percent, within the chart."""
        if self.is_log:
            score = float(np.log(score)) if score > 0 else self.low
        return _percent(score, self.low, self.high)


def histogram(
    scores: Floats, threshold: float, odd: NDArray[np.bool_] | None
) -> Histogram:
    """Draw bars of all scores with the threshold between two of them.

    Parameters
    ----------
    scores : ndarray of shape (n,)
    threshold : float
    odd : ndarray of bool, shape (n,), optional
        Labelled anomalies.
    """
    is_log = _has_long_tail(scores, threshold)
    values, at = (
        (np.log(scores), float(np.log(threshold))) if is_log else (scores, threshold)
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
    return Histogram(
        bars=_bars(x, np.where(above, 0, heights)),
        flagged_bars=_bars(x, np.where(above, heights, 0)),
        truth=truth,
        cut=float(100 * (at - edges[0]) / (edges[-1] - edges[0])),
        x_ticks=_score_ticks(float(edges[0]), float(edges[-1]), is_log=is_log),
        y_ticks=_count_ticks(int(counts.max())),
        is_log=is_log,
        low=float(edges[0]),
        high=float(edges[-1]),
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
        return _percent(value, self.low, self.high)

    def is_beyond(self, value: float) -> bool:
        """Whether a number lies outside the chart."""
        return not self.low <= value <= self.high


EMPTY = Strip("M0 20", None)
"""The strip of a column without a value."""


def strip_of(values: Floats, usual: tuple[float, float]) -> Strip:
    """Draw a column of numbers around its usual range.

    Parameters
    ----------
    values : ndarray of shape (n,)
        NaN where a cell has no value.
    usual : (float, float)
    """
    low, high = usual
    reach = 1.5 * (high - low)
    finite = values[np.isfinite(values)]
    if not len(finite):
        return EMPTY
    left = max(float(finite.min()), low - reach)
    right = min(float(finite.max()), high + reach)
    if reach == 0:  # most rows have one value
        left, right = float(finite.min()), float(finite.max())
    if right <= left:
        left, right = left - 0.5, right + 0.5
    left, right = _wide_enough(left, right, STRIP_BINS)
    edges = _strip_edges(finite, left, right)
    left, right = float(edges[0]), float(edges[-1])
    counts, _ = np.histogram(finite, edges)
    x = 100 * (edges - left) / (right - left)
    heights = 18 * np.sqrt(counts / max(counts.max(), 1))
    strip = Strip(_silhouette(x, heights), None, left, right)
    return Strip(strip.path, (strip.place(low), strip.place(high)), left, right)


def _wide_enough(low: float, high: float, bins: int) -> tuple[float, float]:
    """Move the ends apart where floats between them are too few for so many bins."""
    least = 4 * bins * max(float(np.spacing(max(abs(low), abs(high)))), 1e-300)
    if high - low >= least:
        return low, high
    middle = low / 2 + high / 2
    return middle - least / 2, middle + least / 2


def _strip_edges(values: Floats, left: float, right: float) -> Floats:
    """Bins of equal width; around each of them, where there are few whole numbers."""
    first, last = np.floor(left), np.ceil(right)
    counted = last - first < STRIP_BINS and max(abs(first), abs(last)) < 2.0**52
    if counted and (values == np.round(values)).all():
        return np.arange(first - 0.5, last + 1.0)
    return np.linspace(left, right, STRIP_BINS + 1)


def levels_of(shares: Mapping[str, float], most: int = 12) -> Strip:
    """Draw bars for the most frequent levels of a category."""
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
    """Draw a path through (x, y) in the unit square, for a viewBox of 0 0 100 100.

    Points are rounded to a quarter of a percent, and those that then lie on a line
    between their neighbours are left out: corners stay, whatever the number of rows.
    """
    points = np.round(400 * np.column_stack([x, 1 - y])) / 4
    points = points[np.r_[True, (np.diff(points, axis=0) != 0).any(axis=1)]]
    before, after = np.diff(points[:-1], axis=0), np.diff(points[1:], axis=0)
    turns = before[:, 0] * after[:, 1] != before[:, 1] * after[:, 0]
    points = points[np.r_[True, turns, True]] if len(points) > 2 else points
    return "M" + "L".join(f"{a:g} {b:g}" for a, b in points)


@dataclass(frozen=True)
class Timeline:
    """Scores over time: of each of many short spans the highest and the median.

    Attributes
    ----------
    band : str
        Path from the median to the highest score, for a viewBox of 0 0 100 100.
    dots : str
        Path of points: the highest flagged score of each span that has one.
    cut : float
        Where the threshold is, from the top.
    x_ticks, y_ticks : list of (float, str)
        From the left, and from the bottom.
    start, step : float
        Begin of the first span and width of a span, in seconds.
    highest : list of float or None
        For each span; None where it has no row.
    counts : list of int
        Flagged rows of each span.
    """

    band: str
    dots: str
    cut: float
    x_ticks: list[tuple[float, str]]
    y_ticks: list[tuple[float, str]]
    start: float
    step: float
    highest: list[float | None]
    counts: list[int]

    def place(self, seconds: float) -> float:
        """Position of a moment in percent, within the chart."""
        return _percent(seconds, self.start, self.start + self.step * len(self.counts))


def timeline(
    moments: Floats, scores: Floats, flagged: NDArray[np.bool_], threshold: float
) -> Timeline | None:
    """Draw scores over time, or nothing where there are no two moments.

    Parameters
    ----------
    moments : ndarray of shape (n,)
        Seconds since 1970; rows without one are left out.
    scores : ndarray of shape (n,)
    flagged : ndarray of bool, shape (n,)
    threshold : float
    """
    known = np.isfinite(moments)
    at, values, odd = moments[known], scores[known], flagged[known]
    if len(at) < 2 or at.min() == at.max():
        return None
    is_log = _has_long_tail(scores, threshold)
    cut = float(np.log(threshold)) if is_log else threshold
    values = np.log(values) if is_log else values
    start, step = float(at.min()), float(at.max() - at.min()) / SPANS
    spans = np.minimum(((at - start) / step).astype(int), SPANS - 1)
    top = _highest(spans, values)
    middle = _medians(spans, values)
    # What is drawn, and not the lowest score: it may be far below all medians.
    low, high = min(float(np.nanmin(middle)), cut), max(float(np.nanmax(top)), cut)
    high = high + 0.04 * (high - low or 1.0)

    def y(scores: Floats) -> Floats:
        return 100 - 100 * (scores - low) / (high - low)

    return Timeline(
        band=_band(y(top), y(middle)),
        dots=_dots(y(_highest(spans[odd], values[odd]))),
        cut=float(y(np.array([cut]))[0]),
        x_ticks=_time_ticks(start, float(at.max())),
        y_ticks=_score_ticks(low, high, is_log=is_log, most=5),
        start=start,
        step=step,
        highest=[
            None if np.isnan(v) else float(v) for v in _highest(spans, scores[known])
        ],
        counts=np.bincount(spans[odd], minlength=SPANS).tolist(),
    )


def _has_long_tail(scores: Floats, threshold: float) -> bool:
    return bool(scores.min() > 0 and threshold > 0) and bool(
        scores.max() > LONG_TAIL * np.median(scores)
    )


def _highest(spans: NDArray[np.int_], values: Floats) -> Floats:
    found = np.full(SPANS, -np.inf)
    np.maximum.at(found, spans, values)
    return np.where(np.isfinite(found), found, np.nan)


def _medians(spans: NDArray[np.int_], values: Floats) -> Floats:
    """Find the median of the values of each span, NaN where there are none."""
    order = np.lexsort((values, spans))
    ends = np.searchsorted(spans[order], np.arange(SPANS + 1))
    middles = (ends[:-1] + ends[1:]) // 2
    found = values[order][np.minimum(middles, len(order) - 1)]
    return np.where(ends[1:] > ends[:-1], found, np.nan)


def _band(top: Floats, bottom: Floats) -> str:
    width = 100 / SPANS
    parts = []
    for span in np.flatnonzero(np.isfinite(top)).tolist():
        high, low = top[span], max(bottom[span], top[span] + 0.8)
        parts.append(
            f"M{span * width:.2f} {high:.1f}h{width:.2f}V{low:.1f}h-{width:.2f}z"
        )
    return "".join(parts)


def _dots(top: Floats) -> str:
    return "".join(
        f"M{(span + 0.5) * 100 / SPANS:.2f} {top[span]:.1f}h0"
        for span in np.flatnonzero(np.isfinite(top)).tolist()
    )


def _edges(values: Floats, at: float) -> Floats:
    """Bins of equal width, one of whose edges is the threshold where it can be."""
    low, high = min(float(values.min()), at), max(float(values.max()), at)
    if high <= low:
        return np.linspace(*_wide_enough(low - 0.5, high + 0.5, BINS), BINS + 1)
    if (wide := _wide_enough(low, high, BINS)) != (low, high):
        return np.linspace(*wide, BINS + 1)
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
    for right, height in zip(x[1:], heights, strict=True):
        shown = max(height, 0.8) if height > 0 else 0
        parts.append(f"V{20 - shown:.1f}H{right:.1f}")
    return "".join(parts) + "V20z"


def _score_ticks(
    low: float, high: float, *, is_log: bool, most: int = 6
) -> list[tuple[float, str]]:
    """Round scores between the edges, which are logarithms where `is_log`."""
    if is_log:
        return _log_ticks(float(np.exp(low)), float(np.exp(high)), most)
    return _ticks(low, high, most)


def _log_ticks(low: float, high: float, most: int) -> list[tuple[float, str]]:
    powers = range(int(np.floor(np.log10(low))), int(np.ceil(np.log10(high))) + 1)
    marks = [m * 10.0**p for p in powers for m in (1, 2, 5)]
    marks = [mark for mark in marks if low <= mark <= high]
    step = max(1, len(marks) // most)
    span = np.log(high / low)
    return [
        (float(100 * np.log(m / low) / span), number_text(m)) for m in marks[::step]
    ]


def _ticks(low: float, high: float, most: int) -> list[tuple[float, str]]:
    raw = (high - low) / most
    power = 10.0 ** np.floor(np.log10(raw))
    step = next(m * power for m in (1, 2, 2.5, 5, 10) if m * power >= raw)
    first = np.ceil(low / step) * step
    return [
        (100 * (m - low) / (high - low), number_text(m, high - low))
        for m in np.arange(first, high + 1e-9 * step, step).tolist()
    ]


def _count_ticks(most: int) -> list[tuple[float, str]]:
    marks: Sequence[int] = [10**p for p in range(9) if 10**p <= most]
    if len(marks) == 1:
        marks = [mark for mark in (1, 2, 5) if mark <= most]
    if len(marks) > 4:
        marks = marks[::2]
    top = np.log1p(most)
    return [(float(100 * np.log1p(mark) / top), f"{mark:,}") for mark in marks]


# ------------------------------------------------------------------------ the time

_MINUTE, _HOUR, _DAY = 60, 3600, 86400
_STEPS = (
    *(1, 2, 5, 10, 15, 30),
    *(m * _MINUTE for m in (1, 2, 5, 10, 15, 30)),
    *(h * _HOUR for h in (1, 2, 3, 6, 12)),
    *(d * _DAY for d in (1, 2, 7, 14)),
)
_MONTHS = (1, 2, 3, 6, 12, 24, 60, 120, 240, 600, 1200)
_MONTH_NAMES = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()  # noqa: SIM905
_EPOCH = dt.datetime(1970, 1, 1)


def _time_ticks(low: float, high: float, most: int = 6) -> list[tuple[float, str]]:
    """Round moments between two, in seconds since 1970."""
    span = high - low
    step = next((s for s in _STEPS if span / s <= most), None)
    if span < most / 2:
        return [(at, f"{text} s") for at, text in _ticks(0.0, span, most)]
    try:
        first, last = (_EPOCH + dt.timedelta(seconds=at) for at in (low, high))
    except OverflowError:
        return []
    if step is None:
        marks = _month_marks(first, last, most)
        return [(100 * (at - low) / span, text) for at, text in marks]
    first_mark = float(np.ceil(low / step) * step)
    moments = np.arange(first_mark, high + 1e-6, step).tolist()
    return [
        (100 * (at - low) / span, _clock_text(_EPOCH + dt.timedelta(seconds=at), step))
        for at in moments
    ]


def _month_marks(
    first: dt.datetime, last: dt.datetime, most: int
) -> list[tuple[float, str]]:
    count = 12 * (last.year - first.year) + last.month - first.month
    step = next((m for m in _MONTHS if count / m <= most), _MONTHS[-1])
    begin = 12 * first.year + first.month - 1
    found = []
    for month in range(-(-begin // step) * step, begin + count + 1, step):
        year, place = divmod(month, 12)
        moment = dt.datetime(year, place + 1, 1)
        if first <= moment <= last:
            text = (
                f"{_MONTH_NAMES[moment.month - 1]} {year}" if step < 12 else f"{year}"
            )
            found.append(((moment - _EPOCH).total_seconds(), text))
    return found


def _clock_text(moment: dt.datetime, step: int) -> str:
    if step >= _DAY or moment.time() == dt.time():
        return f"{moment.day} {_MONTH_NAMES[moment.month - 1]}"
    return f"{moment:%H:%M:%S}" if step < _MINUTE else f"{moment:%H:%M}"
