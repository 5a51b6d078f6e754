"""Many methods on many sets: average ranks, and which of them are really apart.

On each set the best method has rank 1; equal ones share the mean of their ranks. After
a Friedman test says that the methods differ at all, two of them differ if their average
ranks are further apart than the critical difference of Nemenyi's test,

    CD = q_alpha sqrt(k (k + 1) / (6 N)),

for k methods on N sets, with q_alpha the quantile of the studentised range divided by
sqrt(2).

Source: Demšar, Statistical Comparisons of Classifiers over Multiple Data Sets, JMLR 7,
2006, section 3.2.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy import stats

from whitecrow.errors import ParameterError
from whitecrow.experiments.svg import ACCENT, INK, escape, picture, stroke, words

__all__ = ["Ranking", "critical_difference", "diagram", "groups", "rank"]


@dataclass(frozen=True)
class Ranking:
    """Average ranks, the best method first.

    Attributes
    ----------
    ranks : dict
        Method -> average rank.
    n_sets : int
    p_value : float
        Of the Friedman test: how likely such ranks are if all methods are alike.
    critical_difference : float
        Of average ranks.
    """

    ranks: dict[str, float]
    n_sets: int
    p_value: float
    critical_difference: float


def critical_difference(n_methods: int, n_sets: int, alpha: float = 0.05) -> float:
    """Compute the distance of average ranks from which on two methods differ.

    Examples
    --------
    >>> round(critical_difference(4, 14), 2)  # Demšar, section 3.2.2: 1.25
    1.25
    """
    q = stats.studentized_range.ppf(1 - alpha, n_methods, np.inf) / math.sqrt(2)
    return float(q * math.sqrt(n_methods * (n_methods + 1) / (6 * n_sets)))


def rank(quality: Mapping[str, Sequence[float]], alpha: float = 0.05) -> Ranking:
    """Rank methods by their quality on the same sets.

    Parameters
    ----------
    quality : mapping
        Method -> one number for each set, in the same order; higher is better.
    alpha : float
        Level of significance.

    Raises
    ------
    ParameterError
        Fewer than three methods or two sets, or numbers missing.

    Examples
    --------
    >>> found = rank({"a": [0.9, 0.8], "b": [0.7, 0.8], "c": [0.5, 0.4]})
    >>> found.ranks
    {'a': 1.25, 'b': 1.75, 'c': 3.0}
    """
    names = list(quality)
    table = np.array([quality[name] for name in names], dtype=float)
    if table.ndim != 2 or min(table.shape[0] - 2, table.shape[1] - 1) < 1:
        raise ParameterError(
            "a ranking needs three methods and two sets with a number for each; "
            f"got {len(names)} methods"
        )
    if not np.isfinite(table).all():
        raise ParameterError("a ranking needs a number of each method on each set")
    ranks = _ranks(table)
    order = np.argsort(ranks.mean(axis=1), kind="stable")
    n_methods, n_sets = table.shape
    same = np.ptp(ranks, axis=0).max() == 0  # the test divides by the spread of ranks
    return Ranking(
        {names[i]: float(ranks[i].mean()) for i in order},
        n_sets,
        1.0 if same else float(stats.friedmanchisquare(*table).pvalue),
        critical_difference(n_methods, n_sets, alpha),
    )


def _ranks(
    table: Float[np.ndarray, "methods sets"],
) -> Float[np.ndarray, "methods sets"]:
    # Differences in the last digits are not differences.
    return np.asarray(stats.rankdata(-table.round(6), axis=0))


def groups(ranking: Ranking) -> list[tuple[str, ...]]:
    """Group methods that are not significantly apart, in maximal runs of two or more.

    Examples
    --------
    >>> groups(Ranking({"a": 1.0, "b": 1.5, "c": 3.0}, 9, 0.01, 1.0))
    [('a', 'b')]
    """
    names, ranks = list(ranking.ranks), np.array(list(ranking.ranks.values()))
    ends = np.searchsorted(ranks, ranks + ranking.critical_difference, side="right")
    found, covered = [], 0
    for start, end in enumerate(ends):
        if end > covered and end - start > 1:
            found.append(tuple(names[start:end]))
        covered = max(covered, end)
    return found


# ------------------------------------------------------------------------------ diagram

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
