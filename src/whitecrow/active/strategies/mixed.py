"""Exploit and explore: highest scores, and a share of rows that cover the data.

specs/active_soel.md 13.1.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from whitecrow.active.strategies.interface import Ids, Pool, Strategy
from whitecrow.active.strategies.kmeans import KMeans
from whitecrow.active.strategies.positive import Positive
from whitecrow.errors import ParameterError

__all__ = ["Mixed"]


@dataclass(frozen=True)
class Mixed(Strategy):
    """`positive`, and every now and then `kmeans`.

    The two alternate by their shares, counted from the first row ever shown, so that
    the share holds whenever one stops, and with one row a round.

    Parameters
    ----------
    epsilon : float in [0, 1], default=0.5
        Share of rows that explore.
    temperature : float, default=0.01
        Of `kmeans`.

    Raises
    ------
    ParameterError
        If a parameter is outside its interval.

    Examples
    --------
    >>> scores, points = [9, 8, 7, 1], [[0.0], [0.1], [0.2], [5.0]]
    >>> Mixed().query(scores=scores, embeddings=points, k=3, random_state=0)
    array([0, 3, 1])
    """

    name: ClassVar[str] = "mixed"
    needs: ClassVar[frozenset[str]] = frozenset({"scores", "embeddings"})

    epsilon: float = 0.5
    temperature: float = 0.01

    def __post_init__(self) -> None:
        if not 0 <= self.epsilon <= 1:
            raise ParameterError(
                f"epsilon={self.epsilon!r} is not in [0, 1]; give the share to explore"
            )
        KMeans(self.temperature)

    def _choose(self, pool: Pool) -> Ids:
        n_shown = len(pool.shown)
        explores = np.array([self._explores(n_shown + i) for i in range(pool.k)])
        ids = np.empty(pool.k, dtype=np.int64)
        sure, n_far = int((~explores).sum()), int(explores.sum())
        ids[~explores] = Positive()._choose(pool.after(ids[:0], k=sure))
        # After the others, so that these cover what those leave.
        if n_far:
            rest = pool.after(ids[~explores], k=n_far)
            ids[explores] = KMeans(self.temperature)._choose(rest)
        return ids

    def _why(self, position: int, place: int) -> str:
        if self._explores(place):
            return KMeans()._why(position, place)
        return "the highest score among the rows not shown yet"

    def _explores(self, place: int) -> bool:
        """Tell whether the share, up to this place, reaches another whole row."""
        before, after = place * self.epsilon, (place + 1) * self.epsilon
        return math.floor(after) > math.floor(before)
