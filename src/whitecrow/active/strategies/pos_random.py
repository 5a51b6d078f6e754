"""Uniform among the upper half of the scores.

Trittenbach et al., An Overview and a Benchmark of Active Learning for Outlier Detection
with One-Class Classifiers, 2021; specs/active_soel.md 4.4.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from whitecrow.active.strategies import ranks
from whitecrow.active.strategies.interface import Ids, Pool, Strategy

__all__ = ["PosRandom"]


@dataclass(frozen=True)
class PosRandom(Strategy):
    """Random rows of the upper half by score of those not shown yet.

    If more are asked for than the half has, the half is widened to as many.

    Examples
    --------
    >>> strategy = PosRandom()
    >>> strategy.query(scores=[1, 9, 2, 8], embeddings=None, k=2, random_state=0)
    array([1, 3])
    """

    name: ClassVar[str] = "pos_random"
    needs: ClassVar[frozenset[str]] = frozenset({"scores"})

    def _choose(self, pool: Pool) -> Ids:
        half = (pool.n - len(pool.shown)) // 2
        upper = ranks.highest(pool.scores, pool, max(half, pool.k))
        return pool.rng.permutation(upper)[: pool.k]

    def _why(self, position: int, place: int) -> str:
        return "random, of the upper half by score"
