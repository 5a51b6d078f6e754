"""From scores (and labels, where there are enough) to a threshold.

All values are in units of the anomaly score: a row is called an anomaly when its score
is above the threshold.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from whitecrow.labels import ANOMALY, NORMAL, Codes

__all__ = ["Threshold", "from_contamination", "from_labels", "from_spread", "select"]

# With fewer labels of either class the best cut says more about luck than about data.
ENOUGH_LABELS = 10

# Three standard deviations above the middle of a Gaussian.
_SPREADS = 3.0
_WORTH_A_LOOK = 0.01
_QUARTILE_OF_GAUSSIAN = 0.6744897501960817


class Threshold(NamedTuple):
    """A threshold and the sentence that says where it comes from."""

    value: float
    source: str


def select(
    scores: NDArray[np.float64], codes: Codes, contamination: float | str
) -> Threshold:
    """The threshold for training scores.

    Parameters
    ----------
    scores : ndarray of shape (n,)
        Anomaly scores of the training rows, higher = more anomalous.
    codes : ndarray of int8, shape (n,)
        Labels as `whitecrow.labels.encode` gives them.
    contamination : "auto" or float in (0, 0.5]
        A float is the share of training rows to call anomalies. "auto" uses the
        labels when at least 10 of each class are there, else the spread of the scores.

    Examples
    --------
    >>> scores = np.arange(10.0)
    >>> select(scores, np.full(10, -1, np.int8), 0.2).value
    7.2
    """
    if contamination != "auto":
        return from_contamination(scores, float(contamination))
    counts = (codes == ANOMALY).sum(), (codes == NORMAL).sum()
    if min(counts) >= ENOUGH_LABELS:
        return from_labels(scores, codes)
    return from_spread(scores[codes != ANOMALY])


def from_contamination(scores: NDArray[np.float64], share: float) -> Threshold:
    """The score that a given share of the rows exceeds (linear interpolation)."""
    value = float(np.quantile(scores, 1.0 - share))
    return Threshold(value, f"contamination={share:g} of the training rows")


def from_labels(scores: NDArray[np.float64], codes: Codes) -> Threshold:
    """The cut with the best F1 on the labelled rows, midway between two scores."""
    known = codes != -1
    order = np.argsort(-scores[known], kind="stable")
    ranked, hits = scores[known][order], codes[known][order] == ANOMALY
    found = np.cumsum(hits)
    f1 = 2 * found / (np.arange(1, len(ranked) + 1) + hits.sum())
    # A cut inside a run of equal scores cannot be made.
    f1[:-1][ranked[:-1] == ranked[1:]] = -1.0
    best = int(np.argmax(f1))
    value = _between(ranked[best], *ranked[best + 1 : best + 2])
    source = f"best F1 on {hits.sum()} labelled anomalies and {(~hits).sum()} normals"
    return Threshold(value, source)


def _between(lowest: float, below: float = -np.inf) -> float:
    """A value below the lowest score to flag, and midway to the next one if any."""
    middle = lowest / 2 + below / 2
    highest = np.nextafter(lowest, -np.inf)
    return float(min(middle, highest) if np.isfinite(middle) else highest)


def from_spread(scores: NDArray[np.float64]) -> Threshold:
    """Median plus three robust standard deviations of the upper half.

    The standard deviation is that of the Gaussian with the same distance from median
    to upper quartile: scores are skewed, and only their upper side matters. Where no
    score lies that far out, the highest hundredth is worth a look all the same.
    """
    middle, upper = np.quantile(scores, [0.5, 0.75])
    sigma = (upper - middle) / _QUARTILE_OF_GAUSSIAN
    value = float(middle + _SPREADS * sigma)
    if scores.max() <= value:
        value = float(np.quantile(scores, 1 - _WORTH_A_LOOK))
        return Threshold(value, "no score stands out; the highest 1 % of training rows")
    return Threshold(value, "median + 3 robust standard deviations of training scores")
