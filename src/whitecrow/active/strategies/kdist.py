r"""MHRot's diverse queries: the seeding of k-means++.

The first row is the one of the largest norm. Then, with $m_j$ the distance of row j to
the nearest row that has been chosen, rows are drawn with $p_j \propto m_j^2$.

Arthur and Vassilvitskii, k-means++: The Advantages of Careful Seeding, SODA 2007; as
used for pictures by Li et al., ICML 2023; specs/active_soel.md 4.8.

NOTE[DIFF]: where all rows left equal rows that have been chosen, they are drawn
uniformly; the reference code stops in a debugger.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from whitecrow.active.strategies import centres
from whitecrow.active.strategies.interface import Floats, Ids, Pool, Strategy

__all__ = ["KDist"]

# In place of the logarithm of 0: never drawn while another row is left.
_SMALLEST = 1e-300


@dataclass(frozen=True)
class KDist(Strategy):
    """Rows drawn by their squared distance to those chosen before.

    Parameters
    ----------
    first : {"max_norm", "centre", "random"}, default="max_norm"
        Where to start if nothing has been shown.

    Raises
    ------
    ParameterError
        If there is no such rule.

    Examples
    --------
    >>> points = [[0.0], [0.0], [1.0], [-5.0]]
    >>> KDist().query(scores=None, embeddings=points, k=1, random_state=0)
    array([3])
    """

    name: ClassVar[str] = "kdist"
    needs: ClassVar[frozenset[str]] = frozenset({"embeddings"})

    first: str = "max_norm"

    def __post_init__(self) -> None:
        centres.check_first(self.first)

    def _choose(self, pool: Pool) -> Ids:
        def gain(near: Floats) -> Floats:
            return centres.draw(np.log(np.maximum(near, _SMALLEST)), pool.rng)

        def start() -> int:
            return centres.first(self.first, pool)

        return centres.spread(pool, start=start, gain=gain)

    def _why(self, position: int, place: int) -> str:
        return centres.why(self.first, place)
