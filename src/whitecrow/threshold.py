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
# Usual scores come in steps where so many pairs of them are equal; then no more than
# this share of the rows is flagged.
_IN_STEPS, _MOST_FLAGGED = 0.01, 0.05
_QUARTILE_OF_GAUSSIAN = 0.6744897501960817


class Threshold(NamedTuple):
    """A threshold and the sentence that says where it comes from."""

    value: float
    source: str


def select(
    scores: NDArray[np.float64], codes: Codes, contamination: float | str
) -> Threshold:
    """Choose the threshold for training scores.

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
    """Find the score that a given share of the rows exceeds, by interpolation.

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
    source = f"contamination={share:g} of the training rows"
    return _Steps.of(scores, equal=0.0).cut(value, source)


def from_labels(scores: NDArray[np.float64], codes: Codes) -> Threshold:
    """Find the cut with the best F1 on the labelled rows, midway between two scores."""
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
    return _Steps.of(scores, equal=0.0).cut(value, source)


def _between(lowest: float, below: float = -np.inf) -> float:
    """Find a value below the lowest score to flag, midway to the next one if any."""
    middle = lowest / 2 + below / 2
    highest = np.nextafter(lowest, -np.inf)
    return float(min(middle, highest) if np.isfinite(middle) else highest)


def from_spread(scores: NDArray[np.float64]) -> Threshold:
    """Add three robust standard deviations of the upper half to the median.

    The standard deviation is that of the Gaussian with the same distance from median
    to upper quartile: scores are skewed, and only their upper side matters. Rows that
    tie are spread over the step to the next scores (the quantiles of the
    mid-distribution): counts give few different scores, and two neighbours among these
    may be median and quartile. Where usual scores come in steps, a twentieth of the
    rows is flagged at most: the spread is then known too badly for more. Where no score
    lies that far out, the highest hundredth is worth a look all the same.

    References
    ----------
    Ma, Genton and Parzen, Asymptotic Properties of Sample Quantiles of Discrete
    Distributions, Annals of the Institute of Statistical Mathematics 2011.

    Examples
    --------
    >>> zeros = np.repeat([0.0, 1.0, 2.0, 3.0, 60.0], [380, 70, 39, 10, 1])
    >>> chosen = from_spread(zeros)
    >>> int((zeros > chosen.value).sum()), chosen.source[-51:]
    (11, 'tie (rows with the next score above: 10, below: 39)')
    """
    steps = _Steps.of(scores)
    if len(steps.highs) == 1:
        return Threshold(float(steps.highs[0]), "all training scores are equal")
    value, source = _far_out(steps), f"{_RULE} of training scores"
    if steps.ties >= _IN_STEPS:
        value = max(value, steps.lowest(_MOST_FLAGGED))
    return steps.cut(value, source) if steps.highs[-1] > value else _highest(steps)


class _Steps(NamedTuple):
    """Different scores, ascending.

    `lows` and `highs` are the least and the largest of those that are equal but for
    rounding, `counts` their rows.
    """

    lows: NDArray[np.float64]
    highs: NDArray[np.float64]
    counts: NDArray[np.int64]

    @classmethod
    def of(cls, scores: NDArray[np.float64], equal: float | None = None) -> _Steps:
        """Group scores that differ by rounding, which the scores tell by default."""
        ordered = np.sort(scores)
        middle, far = np.quantile(ordered, [0.5, 0.95])
        if equal is None:
            equal = max(_EQUAL * abs(middle), _EQUAL_IN_TAIL * (far - middle))
        with np.errstate(over="ignore", invalid="ignore"):  # of scores too far off
            groups = np.round((ordered - middle) / equal) if equal > 0 else ordered
            last = np.append(np.flatnonzero(np.diff(groups) > 0), len(groups) - 1)
        first = np.append(0, last[:-1] + 1)
        return cls(ordered[first], ordered[last], last - first + 1)

    @property
    def ties(self) -> float:
        """Compute the share of tied pairs among the lower three quarters of rows."""
        n = int(self.counts.sum())
        before = np.cumsum(self.counts) - self.counts
        usual = np.clip(0.75 * n - before, 0, self.counts)
        pairs = max(1.0, usual.sum() * (usual.sum() - 1))
        return float((usual * np.maximum(usual - 1, 0)).sum() / pairs)

    def quantiles(self, shares: list[float]) -> NDArray[np.float64]:
        """Interpolate between steps, each of which stands in the middle of its rows.

        Without ties these are the usual quantiles, to the bit.
        """
        n = int(self.counts.sum())
        if len(self.counts) == n:
            return np.asarray(np.quantile(self.highs, shares))
        middles = np.cumsum(self.counts) - (self.counts + 1) / 2
        return np.interp(np.multiply(shares, n - 1), middles, self.highs)

    def lowest(self, share: float) -> float:
        """Find the lowest of these scores that at most a share of the rows exceed."""
        n = self.counts.sum()
        above = n - np.cumsum(self.counts)
        return float(self.highs[np.argmax(above <= max(1, share * n))])

    def cut(self, value: float, source: str) -> Threshold:
        """Set a threshold that divides no step; its source says where scores tie."""
        above = int(np.searchsorted(self.highs, value, side="right"))
        if above < len(self.lows) and self.lows[above] <= value:
            value = float(np.nextafter(self.lows[above], -np.inf))
        next_above = self.counts[above : above + 1].sum()
        next_below = self.counts[max(above - 1, 0) : above].sum()
        if max(next_above, next_below) > 1:
            source += (
                f"; scores tie (rows with the next score above: {next_above}, "
                f"below: {next_below})"
            )
        return Threshold(value, source)


def _far_out(steps: _Steps) -> float:
    """Add three robust standard deviations of the upper half to the median."""
    middle, upper = steps.quantiles([0.5, 0.75])
    with np.errstate(over="ignore"):
        sigma = (upper - middle) / _QUARTILE_OF_GAUSSIAN
        return float(middle + _SPREADS * sigma)


def _highest(steps: _Steps) -> Threshold:
    """Cut off the highest hundredth of the rows, or all with the highest score."""
    level = np.repeat(steps.highs, steps.counts)
    value = float(np.quantile(level, 1 - _WORTH_A_LOOK))
    sharing = int(steps.counts[-1])
    if (level > value).sum() >= sharing:
        what = "no score stands out; the highest 1 % of training rows"
        return steps.cut(value, what)
    what = f"no score stands out, and {sharing} training rows share the highest one"
    if sharing > max(1, _MOST_FLAGGED * len(level)):
        return Threshold(float(steps.highs[-1]), what)
    return Threshold(_between(float(steps.lows[-1]), float(steps.highs[-2])), what)
