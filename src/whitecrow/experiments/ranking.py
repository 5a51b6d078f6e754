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

__all__ = ["Ranking", "best_against_second", "critical_difference", "groups", "rank"]


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
        1.0 if same else float(stats.friedmanchisquare(*ranks).pvalue),
        critical_difference(n_methods, n_sets, alpha),
    )


def _ranks(
    table: Float[np.ndarray, "methods sets"],
) -> Float[np.ndarray, "methods sets"]:
    # Differences in the last digits are not differences.
    return np.asarray(stats.rankdata(-table.round(6), axis=0))


def best_against_second(
    quality: Mapping[str, Sequence[float]], ranking: Ranking
) -> float | None:
    """Compute the p value of Wilcoxon's signed-rank test of the two best methods.

    Parameters
    ----------
    quality : mapping
        As for `rank`.
    ranking : Ranking
        Of these numbers.

    Returns
    -------
    float or None
        Two-sided; sets on which both are equal are left out. None where there are
        fewer than six others, as no difference could then be significant at 5 %.

    Examples
    --------
    >>> b = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6]
    >>> quality = {"a": [0.9] * 6, "b": b, "c": [0.0] * 6}
    >>> best_against_second(quality, rank(quality))
    0.03125
    """
    first, second = list(ranking.ranks)[:2]
    apart = np.subtract(quality[first], quality[second]).round(6)
    apart = apart[apart != 0]
    return float(stats.wilcoxon(apart).pvalue) if len(apart) >= 6 else None


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
