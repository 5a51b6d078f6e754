r"""High scores, away from each other.

Row by row the largest $s_j + \alpha\, m_j / D$, with scores s scaled to [0, 1], the
distance $m_j$ to the nearest row that has been chosen, and the diameter D of the data.
The first row has the highest score.

Das et al., 2019; with $\alpha = 1$ it is `hybr2` of MHRot and `pos_diverse` of NTL in
the reference code of Li et al., ICML 2023; specs/active_soel.md 4.5.

NOTE[DIFF]: rows are never chosen twice. The reference code sets the score of a chosen
row to 0, and can choose it again when nothing else is left.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from whitecrow.active.strategies import centres, distances, ranks
from whitecrow.active.strategies.interface import Floats, Ids, Pool, Strategy
from whitecrow.errors import ParameterError

__all__ = ["Hybrid2", "PosDiverse"]


@dataclass(frozen=True)
class PosDiverse(Strategy):
    """Rows of high score that are far from those chosen before.

    Parameters
    ----------
    alpha : float, default=1.0
        Weight of the distance beside the score; 0 is `positive`.

    Raises
    ------
    ParameterError
        If alpha is negative or not finite.

    Examples
    --------
    >>> scores, points = [0.1, 1.0, 0.9, 0.6], [[0.0], [1.0], [1.1], [3.0]]
    >>> PosDiverse().query(scores=scores, embeddings=points, k=2, random_state=0)
    array([1, 3])
    """

    name: ClassVar[str] = "pos_diverse"
    needs: ClassVar[frozenset[str]] = frozenset({"scores", "embeddings"})

    alpha: float = 1.0

    def __post_init__(self) -> None:
        if not 0 <= self.alpha < np.inf:
            raise ParameterError(
                f"alpha={self.alpha!r}; give a number from 0, the weight of distances"
            )

    def _choose(self, pool: Pool) -> Ids:
        scores = ranks.unit(pool.scores)
        weight = self.alpha / (distances.extent(pool.embeddings).diameter or 1.0)

        def gain(near: Floats) -> Floats:
            return scores + weight * np.sqrt(near)

        def start() -> int:
            return int(np.argmax(scores))

        return centres.spread(pool, start=start, gain=gain)

    def _why(self, position: int, place: int) -> str:
        if place:
            return "high score, and far from all rows shown so far"
        return "the highest score"


@dataclass(frozen=True)
class Hybrid2(PosDiverse):
    """`PosDiverse` under the name it has for pictures."""

    name: ClassVar[str] = "hybrid2"
