"""Ranks and scaled scores, as the strategies that read scores need them."""

from __future__ import annotations

import math

import numpy as np

from whitecrow.active.strategies.interface import Floats, Ids, Pool
from whitecrow.errors import ParameterError

__all__ = ["anchor", "check_anchor", "highest", "unit"]

# The share of anomalies where nobody has an estimate yet.
_ASSUMED = 0.1

# 0.29 of 100 rows is a little less than 29 in floating point.
_SLACK = 1e-9


def highest(values: Floats, pool: Pool, count: int) -> Ids:
    """Return the free rows with the highest values, best first; ties in row order."""
    rows = np.flatnonzero(pool.free)
    if 0 < count < len(rows):
        # A million rows are not sorted for the sake of a few.
        least = np.partition(values[rows], len(rows) - count)[len(rows) - count]
        rows = rows[values[rows] >= least]
    return rows[np.argsort(-values[rows], kind="stable")[:count]]


def unit(values: Floats) -> Floats:
    """Scale values to [0, 1], or to zeros if all are equal."""
    low, high = values.min(), values.max()
    return (values - low) / (high - low) if high > low else np.zeros_like(values)


def check_anchor(share: float | None) -> None:
    """Raise if the share to put the anchor at is not valid."""
    if share is not None and not 0 < share <= 1:
        raise ParameterError(
            f"anchor={share!r} is not in (0, 1]; give a share of the rows, or None for "
            "the current estimate of the share of anomalies"
        )


def anchor(pool: Pool, share: float | None) -> float:
    """Return the lowest score in a share of the pool with the highest scores.

    By default the share is the current estimate of the share of anomalies.
    """
    share = share if share is not None else pool.ratio
    share = _ASSUMED if share is None else share
    count = max(1, math.floor(pool.n * share + _SLACK))
    return float(np.partition(pool.scores, pool.n - count)[pool.n - count])
