"""How sure a number is: another test set, or another split and training run.

`auroc_interval` says how much an AUROC would move with another test set for the same
fitted detector; `across_seeds` and `across_runs` say how much a result moves with
another split and another training run.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from whitecrow.errors import DataError, ParameterError
from whitecrow.metrics import ranking

__all__ = ["Interval", "MeanError", "across_runs", "across_seeds", "auroc_interval"]

Floats = NDArray[np.float64]

# Halvings of an interval: its end is exact to the last digit.
_HALVINGS = 60


@dataclass(frozen=True)
class Interval:
    """An estimate with the interval that covers it with probability `level`."""

    estimate: float
    low: float
    high: float
    level: float


@dataclass(frozen=True)
class MeanError:
    """A mean over n runs and its standard error (NaN for a single run)."""

    mean: float
    standard_error: float
    n: int


def auroc_interval(y: ArrayLike, score: ArrayLike, *, level: float = 0.95) -> Interval:
    r"""Compute the AUROC and Newcombe's interval for it.

    The interval holds the values :math:`\theta` that are at most
    :math:`z \sqrt{V(\theta)}` away from the AUROC of the data, where

    .. math:: V(\theta) = \frac{\theta (1 - \theta)}{m n} \left(1
        + k \frac{1 - \theta}{2 - \theta} + k \frac{\theta}{1 + \theta}\right),
        \quad k = \frac{m + n}{2} - 1

    is the variance with :math:`m` anomalies and :math:`n` normal rows. It holds with
    few anomalies, too: three that are ranked perfectly say no more than about 0.7 to 1.

    Parameters
    ----------
    y : array-like of shape (n,)
        1 anomaly, 0 normal; rows without a label are left out.
    score : array-like of shape (n,)
        Anomaly scores, higher = more anomalous.
    level : float in (0, 1), default=0.95
        Coverage of the interval.

    Raises
    ------
    DataError, LabelError
        See `ranking.checked`.
    ParameterError
        If `level` is not in (0, 1).

    References
    ----------
    Newcombe, "Confidence intervals for an effect size measure based on the
    Mann-Whitney statistic. Part 2", Statistics in Medicine 25, 2006, method 5.

    Examples
    --------
    >>> found = auroc_interval([0] * 100 + [1] * 3, range(103))
    >>> found.estimate, round(found.low, 2), found.high
    (1.0, 0.7, 1.0)
    """
    _check_level(level)
    odd, values = ranking.checked(y, score, "auroc")
    here = ranking.auroc(odd, values)
    m, n = int(odd.sum()), int((~odd).sum())
    z = float(special.ndtri((1 + level) / 2))
    # V is the same for 1 - AUROC.
    low, high = _lower(here, m, n, z), 1 - _lower(1 - here, m, n, z)
    return Interval(here, low, high, level)


def _lower(here: float, m: int, n: int, z: float) -> float:
    """Find the lower end by bisection."""
    low, high = 0.0, here
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if here - middle > z * np.sqrt(_variance(middle, m, n)):
            low = middle
        else:
            high = middle
    return high


def _variance(theta: float, m: int, n: int) -> float:
    """Compute the variance of an AUROC whose true value is theta."""
    k = (m + n) / 2 - 1
    spread = 1 + k * (1 - theta) / (2 - theta) + k * theta / (1 + theta)
    return theta * (1 - theta) * spread / (m * n)


def across_seeds(values: ArrayLike) -> MeanError:
    """Compute mean and standard error over runs that differ only in their seed.

    Parameters
    ----------
    values : array-like of shape (n,)
        One result a run.

    Raises
    ------
    DataError
        If there are none, or one is not finite.

    Examples
    --------
    >>> across_seeds([0.5, 0.75, 1.0]).mean
    0.75
    """
    runs = np.asarray(values, dtype=np.float64).ravel()
    if not len(runs) or not np.isfinite(runs).all():
        raise DataError(
            f"results over seeds are {runs.tolist()!r}; give one finite number a run"
        )
    error = runs.std(ddof=1) / np.sqrt(len(runs)) if len(runs) > 1 else np.nan
    return MeanError(float(runs.mean()), float(error), len(runs))


def across_runs(values: ArrayLike, *, level: float = 0.95) -> Interval:
    """Compute the mean over runs and Student's t interval for it.

    Parameters
    ----------
    values : array-like of shape (runs,)
        One number a run: an area, a value at a budget, or a difference of two methods
        on the same run.
    level : float in (0, 1), default=0.95
        Coverage of the interval.

    Returns
    -------
    Interval
        Its ends are NaN for a single run, which says nothing about others.

    Raises
    ------
    DataError
        If there are none, or one is not finite.
    ParameterError
        If `level` is not in (0, 1).

    Examples
    --------
    >>> found = across_runs([3.0, 4.0, 5.0])
    >>> found.estimate, round(found.low, 2), round(found.high, 2)
    (4.0, 1.52, 6.48)
    """
    _check_level(level)
    found = across_seeds(values)
    if found.n == 1:
        return Interval(found.mean, np.nan, np.nan, level)
    half = float(special.stdtrit(found.n - 1, (1 + level) / 2)) * found.standard_error
    return Interval(found.mean, found.mean - half, found.mean + half, level)


def _check_level(level: float) -> None:
    if not 0 < level < 1:
        raise ParameterError(f"level={level!r} is not in (0, 1); 0.95 is usual")
