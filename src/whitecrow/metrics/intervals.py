"""How sure a number is: bootstrap over test rows, standard error over seeds.

The two answer different questions. The bootstrap says how much the result would move
with another test set for the same fitted detector; the spread over seeds says how much
it moves with another split and another training run.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from whitecrow.errors import DataError, ParameterError
from whitecrow.metrics import ranking

__all__ = ["Interval", "MeanError", "across_seeds", "bootstrap"]

Floats = NDArray[np.float64]

# Resampled counts held at a time: 32 MB of float64.
_CELLS = 4_000_000


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


def bootstrap(
    y: ArrayLike,
    score: ArrayLike,
    *,
    metric: str = "auroc",
    level: float = 0.95,
    n_resamples: int = 1000,
    random_state: int | np.random.Generator | None = None,
) -> Interval:
    """Percentile bootstrap of a ranking metric over the test rows.

    Anomalies and normal rows are resampled apart, so that each resample has as many of
    both as the data.

    Parameters
    ----------
    y : array-like of shape (n,)
        1 anomaly, 0 normal; rows without a label are left out.
    score : array-like of shape (n,)
        Anomaly scores, higher = more anomalous.
    metric : {"auroc", "average_precision"}, default="auroc"
        What is estimated.
    level : float in (0, 1), default=0.95
        Coverage of the interval.
    n_resamples : int, default=1000
        At least 1.
    random_state : int, Generator or None, default=None
        Seed of the resamples.

    Returns
    -------
    Interval
        The metric on the data as they are, and the quantiles of the resamples.

    Raises
    ------
    DataError, LabelError
        See `ranking.checked`.
    ParameterError
        If a parameter has an illegal value.

    References
    ----------
    Efron and Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 13.

    Examples
    --------
    >>> y, score = [0] * 50 + [1] * 10, list(range(45)) + [90] * 5 + [80] * 10
    >>> found = bootstrap(y, score, random_state=0)
    >>> found.estimate, found.low < found.estimate < found.high
    (0.9, True)
    """
    if metric not in _METRICS:
        raise ParameterError(f"metric={metric!r} is not in {', '.join(_METRICS)}")
    if not 0 < level < 1:
        raise ParameterError(f"level={level!r} is not in (0, 1); 0.95 is usual")
    if n_resamples < 1:
        raise ParameterError(f"n_resamples={n_resamples!r} is less than 1; try 1000")
    odd, values = ranking.checked(y, score, metric)
    rng = np.random.default_rng(random_state)
    order = np.argsort(values, kind="stable")
    # Runs of equal scores count as one place in the ranking.
    starts = np.flatnonzero(np.diff(values[order], prepend=np.nan) != 0)
    place = np.empty(len(values), np.intp)
    place[order] = np.repeat(
        np.arange(len(starts)), np.diff(starts, append=len(values))
    )
    compute, n_places = _METRICS[metric], len(starts)
    here = compute(*(_counts(place[m][None], n_places) for m in (odd, ~odd)))
    draws = _resample(compute, place[odd], place[~odd], n_places, n_resamples, rng)
    low, high = np.quantile(draws, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(here[0]), float(low), float(high), level)


def across_seeds(values: ArrayLike) -> MeanError:
    """Mean and standard error over runs that differ only in their seed.

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


def _resample(
    compute: Callable[[Floats, Floats], Floats],
    odd: NDArray[np.intp],
    normal: NDArray[np.intp],
    n_places: int,
    n_resamples: int,
    rng: np.random.Generator,
) -> Floats:
    """The metric of each resample; as many at a time as memory allows."""
    step = max(1, _CELLS // (len(odd) + len(normal)))
    parts = []
    for begin in range(0, n_resamples, step):
        size = min(step, n_resamples - begin)
        drawn = (rng.choice(rows, size=(size, len(rows))) for rows in (odd, normal))
        parts.append(compute(*(_counts(places, n_places) for places in drawn)))
    return np.concatenate(parts)


def _counts(places: NDArray[np.intp], n_places: int) -> Floats:
    """How many rows of each resample have each place, shape (resamples, places)."""
    shift = n_places * np.arange(len(places))[:, None]
    flat = np.bincount((places + shift).ravel(), minlength=n_places * len(places))
    return flat.reshape(len(places), n_places).astype(np.float64)


def _auroc(odd: Floats, normal: Floats) -> Floats:
    """Area under the ROC curve from counts by place, lowest score first."""
    below = np.cumsum(normal, axis=1) - normal / 2
    return (odd * below).sum(axis=1) / (odd.sum(axis=1) * normal.sum(axis=1))


def _average_precision(odd: Floats, normal: Floats) -> Floats:
    """Average precision from counts by place, lowest score first."""
    hits = np.cumsum(odd[:, ::-1], axis=1)
    alarms = hits + np.cumsum(normal[:, ::-1], axis=1)
    gained = odd[:, ::-1] * hits / np.maximum(alarms, 1)
    return gained.sum(axis=1) / odd.sum(axis=1)


_METRICS: dict[str, Callable[[Floats, Floats], Floats]] = {
    "auroc": _auroc,
    "average_precision": _average_precision,
}
