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
_RULE = "median + 3 robust standard deviations"
_WORTH_A_LOOK = 0.01

# Scores are equal but for rounding within this share of their size, or of their tail.
_EQUAL, _EQUAL_IN_TAIL = 1e-9, 1e-7
# With so many rows at a quartile, the distance of quartiles is no spread; the spread of
# the other rows then decides, and flags no more than this.
_MANY_TIES, _MOST_FLAGGED = 0.25, 0.1
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
    """The score that a given share of the rows exceeds (linear interpolation).

    Rows that share that score are not flagged, unless nothing else would be and all of
    them come closer to the share than none.

    Examples
    --------
    >>> from_contamination(np.repeat([1.0, 2.0], [93, 7]), 0.05).value < 2
    True
    """
    value = float(np.quantile(scores, 1.0 - share))
    nothing_above = scores.max() <= value
    from_here = (scores >= value).mean()
    if nothing_above and abs(from_here - share) < share and scores.min() < value:
        value = _between(value, scores[scores < value].max())
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
    to upper quartile: scores are skewed, and only their upper side matters. Where a
    quarter of the rows share the median score, as those of rows of zeros do, quartiles
    say nothing about the others: every different score then counts once, and at most a
    tenth of the rows are flagged. Where no score lies that far out, the highest
    hundredth is worth a look all the same.

    Examples
    --------
    >>> zeros = np.repeat([0.0, 1.0, 2.0, 3.0, 60.0], [380, 70, 39, 10, 1])
    >>> chosen = from_spread(zeros)
    >>> int((zeros > chosen.value).sum()), chosen.source[-18:]
    (1, ', as many rows tie')
    """
    ties = _Ties.of(scores)
    if len(ties.values) == 1:
        return Threshold(float(scores.max()), "all training scores are equal")
    if ties.at_quartiles < _MANY_TIES:
        value, source = _far_out(scores), f"{_RULE} of training scores"
    else:
        value = max(_far_out(ties.values), ties.lowest(_MOST_FLAGGED))
        source = f"{_RULE} of the different training scores, as many rows tie"
    return Threshold(value, source) if scores.max() > value else _highest(scores, ties)


class _Ties(NamedTuple):
    """Different scores, but for rounding: the highest of each group, ascending.

    `counts` are the rows in each group, `at_quartiles` the share of rows that have the
    median or the upper quartile, whichever more rows have.
    """

    values: NDArray[np.float64]
    counts: NDArray[np.int64]
    at_quartiles: float

    @classmethod
    def of(cls, scores: NDArray[np.float64]) -> _Ties:
        ordered = np.sort(scores)
        middle, upper, far = np.quantile(ordered, [0.5, 0.75, 0.95])
        equal = max(_EQUAL * abs(middle), _EQUAL_IN_TAIL * (far - middle))
        with np.errstate(over="ignore", invalid="ignore"):  # of scores too far off
            groups = np.round((ordered - middle) / equal) if equal > 0 else ordered
            last = np.append(np.flatnonzero(np.diff(groups) > 0), len(groups) - 1)
        at = [np.mean(np.abs(ordered - x) <= equal) for x in (middle, upper)]
        return cls(ordered[last], np.diff(last, prepend=-1), float(max(at)))

    def lowest(self, share: float) -> float:
        """The lowest of these scores that no more than a share of the rows exceed."""
        n = self.counts.sum()
        above = n - np.cumsum(self.counts)
        return float(self.values[np.argmax(above <= max(1, share * n))])


def _far_out(scores: NDArray[np.float64]) -> float:
    """Median plus three robust standard deviations of the upper half."""
    middle, upper = np.quantile(scores, [0.5, 0.75])
    with np.errstate(over="ignore"):
        sigma = (upper - middle) / _QUARTILE_OF_GAUSSIAN
        return float(middle + _SPREADS * sigma)


def _highest(scores: NDArray[np.float64], ties: _Ties) -> Threshold:
    """The highest hundredth of the rows, or all that share the highest score."""
    value = float(np.quantile(scores, 1 - _WORTH_A_LOOK))
    sharing = int(ties.counts[-1])
    if (scores > value).sum() >= sharing:
        return Threshold(value, "no score stands out; the highest 1 % of training rows")
    what = f"no score stands out, and {sharing} training rows share the highest one"
    if sharing > max(1, _MOST_FLAGGED * len(scores)):
        return Threshold(float(scores.max()), what)
    below = float(ties.values[-2])
    return Threshold(_between(float(scores[scores > below].min()), below), what)
