r"""Scores next to the decision, away from each other.

Row by row the smallest cost

$$\frac12 + \frac{|\{i\ \mathrm{chosen}: d_{ij} \le \rho_j\}|}{2 m} + b_j,
\qquad m = \lceil n / k \rceil,$$

where b is $|s - a|$ scaled to [0, 1], with the anchor a of `margin`, and $\rho_j$ the
distance from row j to its m-th nearest row, itself counted as the first.

Görnitz et al., Toward Supervised Anomaly Detection, JAIR 2013; with the anchor at the
highest tenth it is `hybr1` of MHRot in the reference code of Li et al., ICML 2023;
specs/active_soel.md 4.7.

NOTE[DIFF]: the share that gives the anchor is the current estimate, not the truth.
NOTE[DIFF]: rows shown in earlier rounds count as chosen, in k too.
NOTE[DIFF]: beyond 20,000 rows $\rho_j$ is a quantile of the distances to 2,000 random
rows, so that the strategy draws.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from whitecrow.active.strategies import distances, ranks
from whitecrow.active.strategies.interface import Floats, Ids, Pool, Strategy

__all__ = ["Hybrid1", "MarDiverse"]

# Rows that stand for all of a large pool where a row's neighbourhood is measured.
_REFERENCES = 2_000

# Of the squared extent: more than what products of matrices are wrong by.
_SLACK = 1e-12


@dataclass(frozen=True)
class MarDiverse(Strategy):
    """Rows near the decision whose neighbourhoods hold few rows chosen before.

    Parameters
    ----------
    anchor : float in (0, 1], optional
        Share of the pool above the decision. By default the `ratio` of the query, and
        0.1 where there is none.

    Raises
    ------
    ParameterError
        If the share is outside its interval.

    Examples
    --------
    >>> scores = [0.0, 0.4, 0.5, 0.6, 0.2]
    >>> points = [[0.0], [5.0], [5.1], [9.0], [9.1]]
    >>> MarDiverse(anchor=0.4).query(
    ...     scores=scores, embeddings=points, k=3, random_state=0
    ... )
    array([2, 3, 1])
    """

    name: ClassVar[str] = "mar_diverse"
    needs: ClassVar[frozenset[str]] = frozenset({"scores", "embeddings"})

    anchor: float | None = None

    def __post_init__(self) -> None:
        ranks.check_anchor(self.anchor)

    def _choose(self, pool: Pool) -> Ids:
        m = math.ceil(pool.n / (pool.k + len(pool.shown)))
        radius = neighbourhoods(pool, m)
        cost = ranks.unit(np.abs(pool.scores - ranks.anchor(pool, self.anchor))) + 0.5
        for row in pool.shown:
            cost += near(pool, row, radius) / (2 * m)
        free, ids = pool.free, np.empty(pool.k, dtype=np.int64)
        for place in range(pool.k):
            row = ids[place] = np.argmin(np.where(free, cost, np.inf))
            free[row] = False
            cost += near(pool, row, radius) / (2 * m)
        return ids

    def _why(self, position: int, place: int) -> str:
        border = "the score is near the border between normal and anomalous"
        return f"{border}, and few rows near it were shown" if place else border


@dataclass(frozen=True)
class Hybrid1(MarDiverse):
    """`MarDiverse` with its anchor at the highest tenth, as for pictures.

    Parameters
    ----------
    anchor : float in (0, 1], default=0.1
        Share of the pool above the decision.
    """

    name: ClassVar[str] = "hybrid1"

    anchor: float | None = 0.1


def near(pool: Pool, row: np.int64, radius: Floats) -> NDArray[np.bool_]:
    """Tell which rows have `row` within their squared radius."""
    return distances.squared_to(pool.embeddings, pool.embeddings[row]) <= radius


def neighbourhoods(pool: Pool, m: int) -> Floats:
    """Compute the squared distance of each row to its m-th nearest, itself included."""
    everyone = pool.embeddings
    exact = pool.n <= distances.EXACT
    # Products in float32 are twice as fast, and exact enough for an estimate.
    dtype = np.float64 if exact else np.float32
    mean = everyone.mean(axis=0, dtype=np.float64).astype(dtype)
    chosen = slice(None) if exact else pool.rng.choice(pool.n, _REFERENCES, False)
    others = everyone[chosen].astype(dtype) - mean
    place = m - 1 if exact else math.ceil(m / pool.n * _REFERENCES) - 1
    radius = np.empty(pool.n)
    for part in distances.tiles(pool.n, len(others)):
        block = everyone[part].astype(dtype) - mean
        squared = distances.squared_between(block, others)
        radius[part] = np.partition(squared, place, axis=1)[:, place]
    return radius + _SLACK * np.einsum("ij,ij->i", others, others).max()
