"""Any row: the comparison for everything else.

specs/active_soel.md 4.2.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from whitecrow.active.strategies.interface import Ids, Pool, Strategy

__all__ = ["Random"]


@dataclass(frozen=True)
class Random(Strategy):
    """Uniform among the rows not shown yet.

    Examples
    --------
    >>> ids = Random().query(scores=[1, 2, 3], embeddings=None, k=3, random_state=0)
    >>> sorted(ids.tolist())
    [0, 1, 2]
    """

    name: ClassVar[str] = "random"
    needs: ClassVar[frozenset[str]] = frozenset()

    def _choose(self, pool: Pool) -> Ids:
        return pool.rng.permutation(np.flatnonzero(pool.free))[: pool.k]

    def _why(self, position: int, place: int) -> str:
        return "random"
