"""A critical-difference diagram: average ranks on a line, bars over what is alike."""

from __future__ import annotations

import math
from collections.abc import Sequence

from whitecrow.experiments.ranking import Ranking, groups
from whitecrow.report.svg import ACCENT, INK, escape, picture, stroke, words

__all__ = ["diagram"]

_WIDTH, _MARGIN, _LINE = 720.0, 200.0, 19.0


def diagram(ranking: Ranking, title: str = "") -> str:
    """Draw a critical-difference diagram as SVG text, with bars over what is alike.

    Parameters
    ----------
    ranking : Ranking
    title : str
        What is ranked, for the head of the picture.
    """
    names, ranks = list(ranking.ranks), list(ranking.ranks.values())
    bars = groups(ranking)
    axis = 62.0
    first_label = axis + 16 + 9 * len(bars)
    half = math.ceil(len(names) / 2)
    height = first_label + _LINE * half + 8
    parts = [words(_WIDTH / 2, 16.0, title, "middle", weight="600")]
    parts += _axis(ranks, axis)
    parts += _scale(ranking, ranks)
    for i, (name, value) in enumerate(zip(names, ranks, strict=True)):
        on_left = i < half
        row = i if on_left else len(names) - 1 - i
        y = first_label + _LINE * row + 6
        parts += _leader(name, value, _x(value, ranks), axis, y, on_left=on_left)
    for level, group in enumerate(bars):
        y = axis + 12 + 9 * level
        left, right = (_x(ranking.ranks[n], ranks) for n in (group[0], group[-1]))
        parts.append(stroke(left - 3, y, right + 3, y, width=4.0, colour=ACCENT))
    return picture(parts, width=_WIDTH, height=height, title=title)


def _ends(ranks: Sequence[float]) -> tuple[int, int]:
    return math.floor(min(ranks)), max(
        math.ceil(max(ranks)), math.floor(min(ranks)) + 1
    )


def _x(value: float | int, ranks: Sequence[float]) -> float:
    low, high = _ends(ranks)
    return _MARGIN + (_WIDTH - 2 * _MARGIN) * (value - low) / (high - low)


def _axis(ranks: Sequence[float], y: float) -> list[str]:
    low, high = _ends(ranks)
    step = 1 if high - low <= 12 else 2
    parts = [stroke(_x(low, ranks), y, _x(high, ranks), y)]
    for tick in range(low, high + 1, step):
        x = _x(tick, ranks)
        parts += [stroke(x, y - 5, x, y), words(x, y - 9, str(tick), "middle")]
    return parts


def _scale(ranking: Ranking, ranks: Sequence[float]) -> list[str]:
    """Draw the critical difference as a length on the axis, in the corner."""
    low, _ = _ends(ranks)
    length = _x(low + ranking.critical_difference, ranks) - _x(low, ranks)
    label = f"critical difference {ranking.critical_difference:.2f}"
    return [
        stroke(12.0, 40.0, 12 + length, 40.0, width=2.0, colour=ACCENT),
        words(12.0, 34.0, label, "start"),
    ]


def _leader(
    name: str, value: float, x: float, axis: float, y: float, *, on_left: bool
) -> list[str]:
    """Draw a line from the axis down and out to the name."""
    end = _MARGIN - 14 if on_left else _WIDTH - _MARGIN + 14
    anchor, out = ("end", -4) if on_left else ("start", 4)
    label = f"{escape(name)} {value:.1f}" if on_left else f"{value:.1f} {escape(name)}"
    return [
        stroke(x, axis, x, y, width=1.0),
        stroke(x, y, end, y, width=1.0),
        f'<text x="{end + out:.1f}" y="{y + 4:.1f}" text-anchor="{anchor}" '
        f'fill="{INK}">{label}</text>',
    ]
