"""Simulated annotators: what labelling would bring, measured where truth is known."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from whitecrow import labels
from whitecrow.active import log
from whitecrow.active.loop import Loop
from whitecrow.errors import LabelError, ParameterError

__all__ = ["Annotator", "simulate"]


class Annotator:
    """Somebody who knows the truth, and may err, be unsure, or have no time.

    A row gets the same answer whenever it is asked about, whatever the order of the
    questions; only "skip" is drawn anew each time.

    Parameters
    ----------
    y : array-like of shape (n,)
        The truth: 1 anomaly, 0 normal.
    missed : float in [0, 1], default=0.0
        Share of the anomalies that are called normal.
    false_alarms : float in [0, 1], default=0.0
        Share of the normal rows that are called anomalies.
    unsure, skip : float in [0, 1], default=0.0
        Shares of the questions that get these answers.
    random_state : int, Generator or None, default=None
        Seed.

    Examples
    --------
    >>> Annotator([0, 1, 0]).answer([1, 2])
    ['anomaly', 'normal']
    >>> Annotator.noisy([0, 1, 0], 1.0).answer([1, 2])
    ['normal', 'anomaly']
    """

    def __init__(
        self,
        y: ArrayLike,
        *,
        missed: float = 0.0,
        false_alarms: float = 0.0,
        unsure: float = 0.0,
        skip: float = 0.0,
        random_state: int | np.random.Generator | None = None,
    ) -> None:
        shares = {"missed": missed, "false_alarms": false_alarms}
        for name, share in (shares | {"unsure": unsure, "skip": skip}).items():
            if not 0 <= share <= 1:
                raise ParameterError(f"{name}={share!r} is not in [0, 1]")
        truth = labels.encode(y)
        if (truth == labels.UNLABELLED).any():
            row = int(np.flatnonzero(truth == labels.UNLABELLED)[0])
            raise LabelError(f"row {row} has no label; a simulation needs the truth")
        self._rng = np.random.default_rng(random_state)
        odd = truth == labels.ANOMALY
        wrong = self._rng.random(len(odd)) < np.where(odd, missed, false_alarms)
        self._words = np.where(odd ^ wrong, log.ANOMALY, log.NORMAL).astype(object)
        self._words[self._rng.random(len(odd)) < unsure] = log.UNSURE
        self._skip = skip

    @classmethod
    def noisy(
        cls,
        y: ArrayLike,
        share: float,
        random_state: int | np.random.Generator | None = None,
    ) -> Annotator:
        """Build an annotator who errs in this share of the rows of either class."""
        return cls(y, missed=share, false_alarms=share, random_state=random_state)

    def answer(self, ids: ArrayLike) -> list[str]:
        """Answer questions about rows."""
        items = np.asarray(ids, dtype=np.int64)
        skipped = self._rng.random(len(items)) < self._skip
        return [
            log.SKIP if late else str(self._words[item])
            for item, late in zip(items, skipped, strict=True)
        ]


def simulate(
    loop: Loop,
    annotator: Annotator,
    questions: int,
    *,
    batch: int = 1,
) -> Loop:
    """Let an annotator answer the questions of a loop.

    Parameters
    ----------
    loop : Loop
        It goes on from where it is.
    annotator : Annotator
        Who answers.
    questions : int
        How many are asked; skipped ones count, so that it comes to an end.
    batch : int, default=1
        How many are asked at a time, between fits.

    Returns
    -------
    Loop
        The same, fitted with the last answers.

    Examples
    --------
    >>> from whitecrow import IsolationForest
    >>> rng = np.random.default_rng(0)
    >>> X = np.r_[rng.normal(size=(95, 2)), rng.normal(6, 1, size=(5, 2))]
    >>> y = np.arange(100) >= 95
    >>> loop = Loop(IsolationForest(), X, strategy="positive", random_state=0)
    >>> simulate(loop, Annotator(y), 10).spent
    10
    """
    asked = 0
    while asked < questions and not loop.finished:
        ids = loop.ask(min(batch, questions - asked))
        if not len(ids):
            break
        loop.tell(ids, annotator.answer(ids))
        asked += len(ids)
    return loop.refit()
