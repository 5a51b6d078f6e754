"""Curves over one number: panels side by side, a row for each method."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from whitecrow.report.svg import picture, stroke, words

__all__ = ["Panel", "diagram"]

Curve = Mapping[float, float]


class Panel(NamedTuple):
    """One picture of a row.

    Attributes
    ----------
    title : str
        What is on the vertical axis.
    curves : mapping
        Name -> place on the horizontal axis -> value.
    across : str
        What is on the horizontal axis.
    """

    title: str
    curves: Mapping[str, Curve]
    across: str


_WIDTH, _HEIGHT, _GAP, _TOP = 250.0, 170.0, 56.0, 34.0
_KEY, _LINE, _LETTER = 34.0, 15.0, 6.2

# Okabe and Ito's colours, that most people can tell apart; then the same once more.
_COLOURS = (
    *("#0072b2", "#d55e00", "#009e73", "#cc79a7"),
    *("#e69f00", "#56b4e9", "#000000", "#8c6d31"),
)
_DASHES = ("", "5 3", "2 2")
_FAINT = "#c5ccd3"
# An axis is logarithmic if its last place is so many times the first.
_LOG_FROM = 50


def diagram(rows: Sequence[Sequence[Panel]], title: str = "") -> str:
    """Draw curves as SVG text; panels of a row share their curves, named on the right.

    Parameters
    ----------
    rows : sequence of sequences of Panel
        At least one panel in each row.
    title : str
        For the head of the picture.
    """
    names = [list(row[0].curves) for row in rows]
    widest = max(len(name) for row in names for name in row)
    n_panels = max(len(row) for row in rows)
    keys = _GAP + n_panels * (_WIDTH + _GAP)
    parts = [words(_GAP, 18.0, title, "start", weight="600")]
    y = _TOP
    for row, named in zip(rows, names, strict=True):
        for place, panel in enumerate(row):
            parts += _panel(panel, _GAP + place * (_WIDTH + _GAP), y + 20)
        parts += _keys(named, keys - _GAP / 2, y + 20)
        y += max(_HEIGHT, _LINE * len(named)) + 20 + _GAP
    width = keys + _KEY + _LETTER * widest
    return picture(parts, width=width, height=y, title=title, size=11)


def _panel(panel: Panel, left: float, top: float) -> list[str]:
    """Draw axes and curves; nothing but a title where there are no values."""
    points = [point for curve in panel.curves.values() for point in curve.items()]
    parts = [words(left, top - 8, panel.title, "start")]
    if not points:
        return parts
    places = sorted({k for k, _ in points})
    is_log = places[0] > 0 and places[-1] >= _LOG_FROM * places[0]
    low = places[0] if is_log else min(0.0, places[0])
    across = _Axis(low, places[-1], left, left + _WIDTH, is_log)
    ticks = _ticks(min(v for _, v in points), max(v for _, v in points))
    up = _Axis(ticks[0], ticks[-1], top + _HEIGHT, top)
    parts += _axes(across, up, places, ticks, panel.across)
    for i, curve in enumerate(panel.curves.values()):
        colour, dash = _look(i)
        corners = [(across.at(k), up.at(value)) for k, value in sorted(curve.items())]
        parts += _drawn(corners, colour, dash)
    return parts


class _Axis(NamedTuple):
    """Values from `low` to `high` between two places."""

    low: float
    high: float
    begin: float
    end: float
    is_log: bool = False

    def at(self, value: float) -> float:
        low, high = self.low, self.high
        if self.is_log:
            value, low, high = math.log(value), math.log(low), math.log(high)
        share = (value - low) / ((high - low) or 1)
        return self.begin + share * (self.end - self.begin)


def _axes(
    across: _Axis,
    up: _Axis,
    places: Sequence[float],
    ticks: Sequence[float],
    name: str,
) -> list[str]:
    parts = []
    for tick in ticks:
        y = up.at(tick)
        parts.append(stroke(across.begin, y, across.end, y, width=0.5, colour=_FAINT))
        parts.append(words(across.begin - 6, y + 4, f"{tick:g}", "end"))
    for k in places:
        x = across.at(k)
        parts.append(stroke(x, up.begin, x, up.begin + 4, width=1.0))
        parts.append(words(x, up.begin + 16, f"{k:g}", "middle"))
    middle = (across.begin + across.end) / 2
    parts.append(words(middle, up.begin + 30, name, "middle"))
    return [*parts, stroke(across.begin, up.begin, across.end, up.begin)]


def _ticks(low: float, high: float) -> list[float]:
    """Choose three to seven round numbers around all values.

    Examples
    --------
    >>> _ticks(81.2, 91.5)
    [80.0, 82.0, 84.0, 86.0, 88.0, 90.0, 92.0]
    """
    rough = max(high - low, 1e-6) / 6
    scale = 10.0 ** math.floor(math.log10(rough))
    step = next(scale * nice for nice in (1, 2, 5, 10) if scale * nice >= rough)
    first, last = math.floor(low / step), math.ceil(high / step)
    last = max(last, first + 1)
    return [round(step * i, 9) for i in range(first, last + 1)]


def _drawn(corners: Sequence[tuple[float, float]], colour: str, dash: str) -> list[str]:
    """Draw a line through points, with a dot on each."""
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in corners)
    dashed = f' stroke-dasharray="{dash}"' if dash else ""
    line = (
        f'<polyline points="{path}" fill="none" stroke="{colour}" '
        f'stroke-width="1.5"{dashed}/>'
    )
    dots = [
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.2" fill="{colour}"/>'
        for x, y in corners
    ]
    return [line, *dots]


def _keys(names: Sequence[str], left: float, top: float) -> list[str]:
    parts = []
    for i, name in enumerate(names):
        y = top + _LINE * (i + 0.5)
        colour, dash = _look(i)
        line = stroke(left, y, left + 22, y, colour=colour, dash=dash)
        parts += [line, words(left + 28, y + 4, name, "start")]
    return parts


def _look(i: int) -> tuple[str, str]:
    """Return colour and dashes of the i-th curve."""
    dash = _DASHES[i // len(_COLOURS) % len(_DASHES)]
    return _COLOURS[i % len(_COLOURS)], dash
