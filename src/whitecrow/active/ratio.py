"""How many anomalies there are, from the answers to randomly drawn questions.

Answers to questions that a strategy chose say little about the share of anomalies:
where it looks for anomalies it finds more of them than there are. So a part of the
questions, the audit, is drawn uniformly, and only these are extrapolated; all other
answers count for what they are, rows that are known.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from whitecrow.errors import ParameterError
from whitecrow.labels import ANOMALY, NORMAL, Codes

__all__ = ["INTERVALS", "Estimate", "audited"]

INTERVALS = ("beta", "exact")

# Beta(1, 9): as if one anomaly had been seen among ten rows. Anomalies are rare.
_PRIOR = (1.0, 9.0)

_HIGHEST = 0.5


class Estimate(NamedTuple):
    """The share of anomalies, and an interval for it."""

    estimate: float
    low: float
    high: float


def audited(
    codes: Codes,
    audit: NDArray[np.int64],
    *,
    level: float = 0.9,
    interval: str = "beta",
) -> Estimate:
    """The share of anomalies, from an audit and from what else is known.

    Parameters
    ----------
    codes : ndarray of int8, shape (n,)
        Labels of all rows, as `whitecrow.labels.encode` gives them.
    audit : ndarray of int64
        Rows that were drawn uniformly from all rows. Those without a label are left
        out, as if they were no different from the others.
    level : float in (0, 1), default=0.9
        Probability that the interval covers the share.
    interval : {"beta", "exact"}, default="beta"
        With the prior Beta(1, 9), which expects one anomaly in ten; or Clopper and
        Pearson's, which expects nothing and is wide.

    Returns
    -------
    Estimate
        In [1/n, 0.5], and not outside what the labels leave possible.

    Examples
    --------
    >>> codes = np.full(1000, -1, np.int8)
    >>> codes[:20] = [1, 1] + [0] * 18
    >>> [round(value, 3) for value in audited(codes, np.arange(20))]
    [0.1, 0.032, 0.197]
    """
    if not 0 < level < 1:
        raise ParameterError(f"level={level!r} is not in (0, 1); 0.9 is usual")
    if interval not in INTERVALS:
        raise ParameterError(f"interval={interval!r} is not in {', '.join(INTERVALS)}")
    drawn = codes[audit]
    hits, misses = int((drawn == ANOMALY).sum()), int((drawn == NORMAL).sum())
    posterior = stats.beta(_PRIOR[0] + hits, _PRIOR[1] + misses)
    tails = (1 - level) / 2, (1 + level) / 2
    if interval == "beta":
        low, high = posterior.ppf(tails[0]), posterior.ppf(tails[1])
    else:
        low = stats.beta.ppf(tails[0], hits, misses + 1) if hits else 0.0
        high = stats.beta.ppf(tails[1], hits + 1, misses) if misses else 1.0
    return Estimate(*np.clip([posterior.mean(), low, high], *_possible(codes)).tolist())


def _possible(codes: Codes) -> tuple[float, float]:
    """The shares that the known rows leave possible, within the prior's limits."""
    n = len(codes)
    least = max(1, int((codes == ANOMALY).sum())) / n
    most = 1 - int((codes == NORMAL).sum()) / n
    return least, max(least, min(most, _HIGHEST))
