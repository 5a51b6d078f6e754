"""What questions bring: anomalies found, and quality of the detector, by budget.

Two goals, measured apart. Discovery counts the anomalies among the rows asked about,
beside what the list ranked by score would have found and what is possible. Detection
is a quality (AUROC, average precision) on other rows, measured after each batch.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from whitecrow.errors import DataError

__all__ = ["Curve", "Discovery", "detection", "discovery"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Curve:
    """A value after each number of answers.

    Attributes
    ----------
    questions : ndarray of int64, shape (t,)
        Increasing.
    values : ndarray of float64, shape (t,)
        The value after so many answers.
    """

    questions: NDArray[np.int64]
    values: Floats

    def at(self, budget: int) -> float:
        """Return the last value within a budget; NaN before the first."""
        place = int(np.searchsorted(self.questions, budget, side="right")) - 1
        return float(self.values[place]) if place >= 0 else float("nan")

    def area(self) -> float:
        """Return the mean height of the curve from its first to its last question.

        The area is that of trapezoids; a single point gives its own value.
        """
        if len(self.questions) == 1:
            return float(self.values[0])
        width = self.questions[-1] - self.questions[0]
        return float(np.trapezoid(self.values, self.questions) / width)


@dataclass(frozen=True, eq=False)
class Discovery:
    """Anomalies found after 1, 2, ... questions.

    Attributes
    ----------
    found, ranked, ideal : Curve
        By the questions that were asked; by asking in the order of the scores; and by
        asking about likely anomalies until they run out.
    """

    found: Curve
    ranked: Curve
    ideal: Curve

    def area(self) -> float:
        """Return the area under `found` as a share of that under `ideal`."""
        ideal = self.ideal.values.sum()
        return float(self.found.values.sum() / ideal) if ideal else float("nan")


def discovery(asked: ArrayLike, y: ArrayLike, score: ArrayLike) -> Discovery:
    """Compute the discovery curves of a session whose truth is known.

    Parameters
    ----------
    asked : array-like of int, shape (t,)
        Rows in the order in which they were asked about.
    y : array-like of shape (n,)
        The truth of all rows: 1 anomaly, 0 normal.
    score : array-like of shape (n,)
        Anomaly scores before any answer.

    Returns
    -------
    Discovery

    Raises
    ------
    DataError
        If the lengths differ, a row is not valid, or nothing was asked.

    Examples
    --------
    >>> curves = discovery([4, 0, 3], [0, 0, 0, 1, 1], [0.5, 0.4, 0.3, 0.2, 0.1])
    >>> curves.found.values.tolist(), curves.ranked.values.tolist()
    ([1.0, 1.0, 2.0], [0.0, 0.0, 0.0])
    >>> curves.found.at(2), curves.ideal.at(2), round(curves.area(), 3)
    (1.0, 2.0, 0.8)
    """
    rows, truth = np.asarray(asked), np.asarray(y)
    scores = np.asarray(score, dtype=np.float64)
    if truth.shape != scores.shape or truth.ndim != 1:
        raise DataError(
            f"{truth.shape} labels for {scores.shape} scores; give one each"
        )
    if not np.isin(truth, (0, 1)).all():
        raise DataError(
            "y holds more than 0 and 1; discovery needs the truth of all rows"
        )
    whole = rows.ndim == 1 and rows.size and rows.dtype.kind in "iu"
    if not whole or rows.min() < 0 or rows.max() >= len(truth):
        raise DataError(
            f"asked holds no rows of 0 to {len(truth) - 1}; give those that were asked "
            "about, in their order"
        )
    ranked = np.argsort(-scores, kind="stable")[: len(rows)]
    count = np.arange(1, len(rows) + 1)
    best = np.minimum(count, int(truth.sum()))
    return Discovery(
        Curve(count, np.cumsum(truth[rows]).astype(np.float64)),
        Curve(count, np.cumsum(truth[ranked]).astype(np.float64)),
        Curve(count, best.astype(np.float64)),
    )


def detection(questions: ArrayLike, quality: ArrayLike) -> Curve:
    """Build a detection curve from measurements.

    Parameters
    ----------
    questions : array-like of int, shape (t,)
        Answers spent when each was made, increasing.
    quality : array-like of shape (t,)
        For example `metrics.auroc` on rows held out.

    Raises
    ------
    DataError
        If there are none, the lengths differ, or the numbers do not increase.

    Examples
    --------
    >>> detection([0, 10, 20], [0.5, 0.9, 0.9]).area()
    0.8
    """
    count, values = np.asarray(questions), np.asarray(quality, dtype=np.float64)
    fits = count.ndim == 1 and count.size and count.shape == values.shape
    if not fits or (np.diff(count) <= 0).any():
        raise DataError(
            f"{count.shape} numbers of questions for {values.shape} qualities; give "
            "one each, the numbers increasing"
        )
    return Curve(count.astype(np.int64), values)
