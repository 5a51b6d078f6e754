"""Rows one after another, far from those before: what the covering strategies share."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from whitecrow.active.strategies import distances
from whitecrow.active.strategies.distances import Embeddings, Extent
from whitecrow.active.strategies.interface import Floats, Ids, Pool
from whitecrow.errors import ParameterError

__all__ = ["FIRST", "central", "check_first", "draw", "first", "spread", "why"]

# Where to start if nothing has been shown yet.
FIRST = ("centre", "max_norm", "random")

# Steps towards the centre of the smallest ball around all rows.
_STEPS = 50


def spread(
    pool: Pool, *, start: Callable[[], int], gain: Callable[[Floats], Floats]
) -> Ids:
    """Choose rows one by one by their distance to those chosen or shown before.

    Parameters
    ----------
    pool : Pool
        With embeddings.
    start : callable
        Gives the first row if nothing has been shown.
    gain : callable
        From squared distances to the nearest row that is chosen or shown, (n,), to the
        gain of choosing each row, (n,). The free row with the highest gain is chosen.

    Returns
    -------
    ndarray of int64, shape (pool.k,)
    """
    free = pool.free
    near = np.full(pool.n, np.inf)
    ids = [] if len(pool.shown) else [start()]
    distances.lower(near, pool.embeddings, pool.embeddings[[*pool.shown, *ids]])
    free[ids] = False
    while len(ids) < pool.k:
        ids.append(int(np.argmax(np.where(free, gain(near), -np.inf))))
        free[ids[-1]] = False
        distances.lower(near, pool.embeddings, pool.embeddings[ids[-1]])
    return np.array(ids, dtype=np.int64)


def draw(log_weights: Floats, rng: np.random.Generator) -> Floats:
    """Perturb log weights: the row of the largest is then a draw by the weights.

    Gumbel noise is minus the logarithm of an exponential variable. No weight is
    computed, so none overflows, and rows can be left out afterwards.
    """
    return log_weights - np.log(rng.standard_exponential(len(log_weights)))


def check_first(rule: str) -> None:
    """Raise if there is no such rule for the first row."""
    if rule not in FIRST:
        raise ParameterError(f"first={rule!r}; choose one of {', '.join(FIRST)}")


def first(
    rule: str, pool: Pool, *, size: Extent | None = None, scale: float = 0.0
) -> int:
    """Choose the first row by one of the rules in `FIRST`; the rest as in `central`."""
    if rule == "random":
        return int(pool.rng.integers(pool.n))
    if rule == "max_norm":
        origin = np.zeros(pool.embeddings.shape[1])
        return int(np.argmax(distances.squared_to(pool.embeddings, origin)))
    return central(pool.embeddings, size=size, scale=scale)


def central(
    embeddings: Embeddings, *, size: Extent | None = None, scale: float = 0.0
) -> int:
    r"""Find the row in the middle of the data.

    Up to `distances.EXACT` rows it minimises $\sum_i e^{d_{ij} / \mathrm{scale}}$ over
    rows j; for scale 0, that is the row whose farthest row is nearest. Beyond that many
    rows it is the row nearest to the centre of the smallest ball around all of them.
    `size` is what `distances.extent` gives, if it has been computed already.
    """
    if len(embeddings) > distances.EXACT:
        return _ball_centre(embeddings)
    farthest = (size or distances.extent(embeddings)).farthest
    assert farthest is not None
    if not scale:
        return int(np.argmin(farthest))
    # The logarithm of a mean over i lies between the largest term less log n and the
    # largest term: rows whose lower bound exceeds the best upper bound cannot win.
    bound = farthest.min() + scale * np.log(len(embeddings))
    rivals = np.flatnonzero(farthest <= bound)
    costs = _log_sums(embeddings, rivals, farthest[rivals], scale)
    return int(rivals[np.argmin(costs)])


def _log_sums(
    embeddings: Embeddings, rivals: Ids, farthest: Floats, scale: float
) -> Floats:
    """Compute log(sum(exp(distance / scale))) over all rows, for each rival."""
    centred = embeddings - embeddings.mean(axis=0, dtype=np.float64)
    sums = np.empty(len(rivals))
    for part in distances.tiles(len(rivals), len(centred)):
        away = np.sqrt(distances.squared_between(centred[rivals[part]], centred))
        away -= farthest[part, None]
        away /= scale
        sums[part] = np.exp(away, out=away).sum(axis=1)
    return farthest / scale + np.log(sums)


def _ball_centre(embeddings: Embeddings) -> int:
    """Find the row nearest to the smallest ball's centre (Badoiu and Clarkson)."""
    centre = embeddings.mean(axis=0, dtype=np.float64)
    for step in range(1, _STEPS + 1):
        farthest = embeddings[np.argmax(distances.squared_to(embeddings, centre))]
        centre += (farthest - centre) / (step + 1)
    return int(np.argmin(distances.squared_to(embeddings, centre)))


def why(rule: str, place: int) -> str:
    """Return the reason of all covering strategies, for a place since the start."""
    if place:
        return "far from all rows shown so far"
    return {
        "centre": "in the middle of the data",
        "max_norm": "farthest from the origin",
        "random": "a random row to start from",
    }[rule]
