"""Uniform draws that are for counting, not for learning.

The share of anomalies among them is an unbiased estimate of the share among the rows
not shown before, and binomial intervals hold for it; the answers to strategies that
choose are not a fair sample. specs/active_soel.md 13.2.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from whitecrow.active.strategies.random import Random

__all__ = ["Audit"]


@dataclass(frozen=True)
class Audit(Random):
    """`Random` with another purpose, which is kept with the answers.

    Examples
    --------
    >>> Audit().query(scores=[1], embeddings=None, k=1, random_state=0)
    array([0])
    """

    name: ClassVar[str] = "audit"

    def _why(self, position: int, place: int) -> str:
        return "random, to estimate how many anomalies there are"
