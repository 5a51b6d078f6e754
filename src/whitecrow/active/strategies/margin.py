r"""Scores next to the decision.

The k rows of the smallest $|s - a|$, where a is the lowest score among the share of the
pool that is thought to be anomalous.

Görnitz et al., Toward Supervised Anomaly Detection, JAIR 2013;
specs/active_soel.md 4.6.

NOTE[DIFF]: the share is the current estimate; the reference code takes the truth.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from whitecrow.active.strategies import ranks
from whitecrow.active.strategies.interface import Ids, Pool, Strategy

__all__ = ["Margin"]


@dataclass(frozen=True)
class Margin(Strategy):
    """Rows whose scores are nearest to the decision, nearest first.

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
    >>> scores = [0.1, 0.2, 0.5, 0.7, 1.0]
    >>> strategy = Margin()
    >>> strategy.query(
    ...     scores=scores, embeddings=None, k=2, random_state=0, ratio=0.4
    ... )
    array([3, 2])
    """

    name: ClassVar[str] = "margin"
    needs: ClassVar[frozenset[str]] = frozenset({"scores"})

    anchor: float | None = None

    def __post_init__(self) -> None:
        ranks.check_anchor(self.anchor)

    def _choose(self, pool: Pool) -> Ids:
        away = np.abs(pool.scores - ranks.anchor(pool, self.anchor))
        return ranks.highest(-away, pool, pool.k)

    def _why(self, position: int, place: int) -> str:
        return "the score is near the border between normal and anomalous"
