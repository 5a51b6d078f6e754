"""Greedy k-centre: the farthest row every time.

The covering radius of what has been shown is at most twice the smallest that so many
rows can have. It is the limit of `kmeans` for temperature 0, and draws nothing.

Gonzalez, Clustering to Minimize the Maximum Intercluster Distance, 1985; Sener and
Savarese, Active Learning for Convolutional Neural Networks: A Core-Set Approach, 2018.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from whitecrow.active.strategies import centres
from whitecrow.active.strategies.interface import Floats, Ids, Pool, Strategy

__all__ = ["KCenter"]


@dataclass(frozen=True)
class KCenter(Strategy):
    """The row farthest from those chosen before, again and again.

    Parameters
    ----------
    first : {"centre", "max_norm", "random"}, default="centre"
        Where to start if nothing has been shown.

    Raises
    ------
    ParameterError
        If there is no such rule.

    Examples
    --------
    >>> points = [[0.0], [1.0], [2.0], [10.0]]
    >>> KCenter().query(scores=None, embeddings=points, k=4, random_state=0)
    array([2, 3, 0, 1])
    """

    name: ClassVar[str] = "kcenter"
    needs: ClassVar[frozenset[str]] = frozenset({"embeddings"})

    first: str = "centre"

    def __post_init__(self) -> None:
        centres.check_first(self.first)

    def _choose(self, pool: Pool) -> Ids:
        def gain(near: Floats) -> Floats:
            return near

        def start() -> int:
            return centres.first(self.first, pool)

        return centres.spread(pool, start=start, gain=gain)

    def _why(self, position: int, place: int) -> str:
        return centres.why(self.first, place)
