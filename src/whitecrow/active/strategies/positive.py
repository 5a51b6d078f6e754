"""The highest scores: finds anomalies soonest where scores can be trusted.

specs/active_soel.md 4.3.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from whitecrow.active.strategies import ranks
from whitecrow.active.strategies.interface import Ids, Pool, Strategy

__all__ = ["Positive"]


@dataclass(frozen=True)
class Positive(Strategy):
    """Rows with the highest scores, best first; of equal scores the first row.

    Examples
    --------
    >>> Positive().query(scores=[2, 9, 4], embeddings=None, k=2, random_state=0)
    array([1, 2])
    """

    name: ClassVar[str] = "positive"
    needs: ClassVar[frozenset[str]] = frozenset({"scores"})

    def _choose(self, pool: Pool) -> Ids:
        return ranks.highest(pool.scores, pool, pool.k)

    def _why(self, position: int, place: int) -> str:
        return f"number {position + 1} by score among the rows not shown yet"
