r"""SOEL's diverse queries: soft farthest-first.

The first row is the one in the middle, which minimises $\sum_i \exp(d_{ij} / \tau D)$
over rows j, where D is the diameter of the data. Then, with $m_j$ the distance of row j
to the nearest row that has been chosen, rows are drawn with
$p_j \propto \exp(m_j / \tau D)$: mostly one that is far from all rows chosen so far,
which makes their covering radius small.

Li et al., Deep Anomaly Detection under Labeling Budget Constraints, ICML 2023;
specs/active_soel.md 4.1 and 13.1.

NOTE[DIFF]: drawn by the Gumbel trick. The distribution is that of the reference code,
which computes exp(100) for all pairs of rows, draws again while a row is drawn twice,
and fails if all rows are equal or fewer than asked for.
NOTE[DIFF]: rows that were shown in earlier rounds count as chosen; the reference code
has one round.
NOTE[DIFF]: beyond 20,000 rows the middle is that of the smallest ball, and D comes from
three sweeps over the data.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from whitecrow.active.strategies import centres, distances
from whitecrow.active.strategies.interface import Floats, Ids, Pool, Strategy
from whitecrow.errors import ParameterError

__all__ = ["KMeans"]


@dataclass(frozen=True)
class KMeans(Strategy):
    """Rows that cover the data, drawn by their distance to those chosen before.

    Parameters
    ----------
    temperature : float, default=0.01
        A row that is farther away by this share of the diameter is e times as likely.
    first : {"centre", "max_norm", "random"}, default="centre"
        Where to start if nothing has been shown.

    Raises
    ------
    ParameterError
        If a parameter is illegal.

    Examples
    --------
    >>> points = [[0.0], [1.0], [2.0], [10.0]]
    >>> KMeans().query(scores=None, embeddings=points, k=3, random_state=0)
    array([2, 3, 0])
    """

    name: ClassVar[str] = "kmeans"
    needs: ClassVar[frozenset[str]] = frozenset({"embeddings"})

    temperature: float = 0.01
    first: str = "centre"

    def __post_init__(self) -> None:
        centres.check_first(self.first)
        if not 0 < self.temperature < np.inf:
            raise ParameterError(
                f"temperature={self.temperature!r} is not positive; for 0, always the "
                "farthest row, take the strategy 'kcenter'"
            )

    def _choose(self, pool: Pool) -> Ids:
        size = distances.extent(pool.embeddings)
        # Rows that are all equal are at distance 0; any scale will do.
        scale = self.temperature * size.diameter or 1.0

        def gain(near: Floats) -> Floats:
            return centres.draw(np.sqrt(near) / scale, pool.rng)

        def start() -> int:
            return centres.first(self.first, pool, size=size, scale=scale)

        return centres.spread(pool, start=start, gain=gain)

    def _why(self, position: int, place: int) -> str:
        return centres.why(self.first, place)
