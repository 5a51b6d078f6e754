r"""How many anomalies there are, from the answers.

Answers to questions that a strategy chose say little about the share :math:`a` of
anomalies by themselves: a strategy that looks for anomalies finds more than there are.
So a part of the questions, the audit, is drawn uniformly. Of its rows, :math:`x`
anomalies and :math:`m` normal ones give the likelihood

.. math:: a^x (1 - a)^m .

The other answers are compared with what to expect at their place in the ranking. Among
the rows at place :math:`r` (0 is the highest score, 1 the lowest), the share of
anomalies is

.. math:: p(r) = (1 - \varepsilon) \, \sigma(\alpha - b \log\tfrac{r}{1 - r})
          + \varepsilon a ,

where :math:`b`, which is not known, says how good the ranking is (0 is useless),
:math:`\alpha` makes the mean over all places :math:`a`, and a share
:math:`\varepsilon` of the anomalies may be anywhere. A strategy also looks at other
things than the score, and so picks an anomaly rather than a normal row of the same
place: the odds of chosen rows are :math:`e^g` times as high, with :math:`g` not known
either. This holds only roughly, and so these answers count half:

.. math:: \prod_i p_g(r_i)^{y_i / 2} (1 - p_g(r_i))^{(1 - y_i) / 2} .

The prior of :math:`a` is Beta(1/2, 9/2): it expects one anomaly in ten rows, and near 0
it is Jeffreys' prior, whose intervals cover rare anomalies as often as they say (with
an exception where no anomaly was seen; Brown, Cai and DasGupta, "Interval estimation
for a binomial proportion", Statistical Science 16, 2001, section 4.1.2). All
values of :math:`b` and :math:`g` on a grid are equally likely before the answers.

The model is only roughly right, and with many answers it would be too sure of itself.
An audited row whose place in the ranking was otherwise asked about row after row says
nothing about the rows without a label; so each counts as far as the rows of its place
are still open. With :math:`m'` such rows the audit alone gives a beta distribution for
the open rows, and the model is mixed in with the weight :math:`1 / (1 + (m' / 25)^2)`:
it helps while the audit is small. The number of anomalies among the rows without a
label is then a mixture of binomial distributions (of beta-binomial ones without the
model), whose quantiles are computed exactly; the labelled rows are known.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import interpolate, special, stats

from whitecrow.errors import ParameterError
from whitecrow.labels import ANOMALY, NORMAL, UNLABELLED, Codes

__all__ = ["INTERVALS", "Estimate", "estimate"]

INTERVALS = ("model", "beta", "exact")

Floats = NDArray[np.float64]

# Beta(1/2, 9/2): one anomaly in ten rows is expected, and 0 is not ruled out.
_PRIOR = (0.5, 4.5)
_HIGHEST = 0.5

# Answers to chosen questions count half, and so many of them at most: see the module.
_WEIGHT = 0.5
_MOST_CHOSEN = 50.0

# With so many audited rows, the audit alone counts as much as the model; where the
# model counts less than this, it is not asked.
_ENOUGH_AUDITED = 25.0
_UNHEARD = 0.01

# Qualities of a ranking; how much likelier an anomaly is chosen than a normal row of
# the same score (log odds); the share of the anomalies that may be anywhere.
_SLOPES = np.array([0.0, 0.5, 1.0, 2.0, 3.0, 5.0, 8.0])
_GAINS = np.array([0.0, 1.0, 2.0, 4.0])
_ANYWHERE = 0.01

# Shares of anomalies for which the curves are computed; between them the likelihood is
# interpolated. Places, as log odds: the two ends of the ranking are told apart, down to
# the first of a hundred million rows.
_LOG_SHARES = np.linspace(np.log(1e-8), np.log(_HIGHEST), 160)
_EDGES = np.linspace(-18, 18, 145)
_DEPTHS = (_EDGES[1:] + _EDGES[:-1]) / 2

# Steps of the final distribution of the share.
_FINE = 400
_PARTS = 300

# Shares less likely than the likeliest by this factor (log) are left out.
_NEGLIGIBLE = 20.0

# Answers whose places differ by less than this in log odds are counted together.
_ALIKE = 0.1

# No row is certainly an anomaly, however steep the curve.
_CERTAIN = 1e-4


class _Curves(NamedTuple):
    """What the model says for each slope and each share of anomalies.

    `log_likelihood` of the chosen answers, and the log of the share of anomalies among
    the rows without a label (`log_rest`), both of shape (slopes, shares).
    """

    log_shares: Floats
    log_likelihood: Floats
    log_rest: Floats


class _Mixture(NamedTuple):
    """Shares of anomalies that the rows without a label may have, and their weights."""

    share: Floats
    weight: Floats


class Estimate(NamedTuple):
    """The share of anomalies, and an interval for it."""

    estimate: float
    low: float
    high: float


def estimate(
    codes: Codes,
    audit: NDArray[np.int64],
    *,
    places: Floats | None = None,
    level: float = 0.9,
    interval: str = "model",
) -> Estimate:
    """Estimate the share of anomalies from an audit and what else is known.

    Parameters
    ----------
    codes : ndarray of int8, shape (n,)
        Labels of all rows, as `whitecrow.labels.encode` gives them.
    audit : ndarray of int64
        Rows that were drawn uniformly from all rows. Those without a label are left
        out, as if they were no different from the others.
    places : ndarray of shape (n,), optional
        Place of each row by score, in (0, 1), 0 for the highest; for a labelled row by
        a score that had not learnt its label. NaN leaves an answer out.
    level : float in (0, 1), default=0.9
        Probability that the interval covers the share.
    interval : {"model", "beta", "exact"}, default="model"
        "model" uses all answers, as the module says; "beta" those of the audit, with
        the same prior, which expects one anomaly in ten. "exact" is Clopper and
        Pearson's interval around the estimate of "beta": it expects nothing, and is
        wide. Without `places`, "model" is "beta".

    Returns
    -------
    Estimate
        In [1/n, 0.5], and not outside what the labels leave possible.

    Raises
    ------
    ParameterError
        If `level` or `interval` has an illegal value.

    Examples
    --------
    >>> codes = np.full(1000, -1, np.int8)
    >>> codes[:20] = [1, 1] + [0] * 18
    >>> [round(value, 3) for value in estimate(codes, np.arange(20))]
    [0.1, 0.025, 0.211]
    """
    if not 0 < level < 1:
        raise ParameterError(f"level={level!r} is not in (0, 1); 0.9 is usual")
    if interval not in INTERVALS:
        raise ParameterError(f"interval={interval!r} is not in {', '.join(INTERVALS)}")
    tails = (1 - level) / 2, (1 + level) / 2
    seen = _counted(codes[audit], np.ones(len(audit)))
    if interval == "model" and places is not None:
        found = _by_model(codes, audit, places, tails)
    else:
        mixture = _by_audit(seen, tails[0])
        found = _counts(mixture, int(seen[0]), len(codes) - int(sum(seen)), tails)
    found = found / len(codes)
    if interval == "exact":
        found[1:] = _clopper_pearson(seen, tails)
    middle, low, high = np.clip(found, *_possible(codes)).tolist()
    # The mean of a lopsided distribution may lie beyond its quantiles.
    return Estimate(middle, min(low, middle), max(high, middle))


def _counted(codes: Codes, weight: Floats) -> tuple[float, float]:
    """Sum the weights of the anomalies and of the normal rows."""
    return float(weight[codes == ANOMALY].sum()), float(weight[codes == NORMAL].sum())


def _clopper_pearson(
    seen: tuple[float, float], tails: tuple[float, float]
) -> tuple[float, float]:
    """Compute the exact interval from anomalies and normal rows of the audit."""
    hits, misses = seen
    low = stats.beta.ppf(tails[0], hits, misses + 1) if hits else 0.0
    high = stats.beta.ppf(tails[1], hits + 1, misses) if misses else 1.0
    return low, high


def _counts(
    mixture: _Mixture, known: int, n_rest: int, tails: tuple[float, float]
) -> Floats:
    """Compute mean and quantiles of the number of anomalies among all rows."""
    mean = n_rest * float(mixture.weight @ mixture.share)
    low, high = (_quantile(mixture, n_rest, tail) for tail in tails)
    return known + np.array([mean, low, high])


def _quantile(mixture: _Mixture, n: int, tail: float) -> int:
    """Find the smallest count exceeded with probability 1 - tail at most."""
    low, high = 0, n
    while low < high:
        middle = (low + high) // 2
        if mixture.weight @ special.bdtr(middle, n, mixture.share) >= tail:
            high = middle
        else:
            low = middle + 1
    return low


def _by_audit(seen: tuple[float, float], tail: float) -> _Mixture:
    """Build the posterior from audited rows alone: a beta distribution in parts."""
    a, b = _PRIOR[0] + seen[0], _PRIOR[1] + seen[1]
    rank = (np.arange(_PARTS) + 0.5) / _PARTS
    share = stats.beta.ppf(rank * stats.beta.cdf(_HIGHEST, a, b), a, b)
    if a < 1:
        # No anomaly is seen. There Jeffreys' interval misses shares that this happens
        # to often; it begins at none and ends as Clopper and Pearson's does instead.
        share[rank < 2 * tail] = 0.0
        upper = rank > 1 - 2 * tail
        share[upper] = np.minimum(stats.beta.ppf(rank[upper], 1.0, b), _HIGHEST)
    return _Mixture(share, np.full(_PARTS, 1 / _PARTS))


def _by_model(
    codes: Codes, audit: NDArray[np.int64], places: Floats, tails: tuple[float, float]
) -> Floats:
    """Compute mean and quantiles of the number of anomalies, from all answers."""
    open_ = codes == UNLABELLED
    placed = ~np.isnan(places)
    known, rest = int((codes == ANOMALY).sum()), places[open_ & placed]
    if not len(rest):
        return np.full(3, float(known))
    chosen = ~open_ & placed
    chosen[audit] = False
    seen = _counted(codes[audit], _kept(places[audit], rest, places[chosen]))
    mixture = _by_audit(seen, tails[0])
    trust = 1 / (1 + (sum(seen) / _ENOUGH_AUDITED) ** 2)
    if trust > _UNHEARD:
        curves = _curves(len(codes), rest, places[chosen], codes[chosen] == ANOMALY)
        mixture = _pooled(_merged(_refined(curves, seen), seen), mixture, trust)
    return _counts(mixture, known, int(open_.sum()), tails)


def _pooled(one: _Mixture, other: _Mixture, trust: float) -> _Mixture:
    """Mix two mixtures, the first with probability `trust`."""
    weight = np.r_[trust * one.weight, (1 - trust) * other.weight]
    return _Mixture(np.r_[one.share, other.share], weight)


def _kept(audited: Floats, rest: Floats, chosen: Floats) -> Floats:
    """Weigh each audited row by how far it stands for the rows without a label.

    Where all rows of a part of the ranking were chosen, an audited one among them says
    nothing about the others.
    """
    n_rest, n_chosen = _by_place(rest), _by_place(chosen)
    share = n_rest / np.maximum(n_rest + n_chosen, 1)
    overall = len(rest) / (len(rest) + len(chosen))
    placed = ~np.isnan(audited)
    found = np.full(len(audited), overall)
    found[placed] = share[_part(audited[placed])]
    return found


def _by_place(places: Floats) -> NDArray[np.int64]:
    """Count the rows in each part of the ranking."""
    return np.bincount(_part(places), minlength=len(_DEPTHS))


def _part(places: Floats) -> NDArray[np.int64]:
    return np.searchsorted(_EDGES[1:-1], _depth(places))


def _curves(n: int, rest: Floats, chosen: Floats, odd: NDArray[np.bool_]) -> _Curves:
    """Compute what the model says about the chosen answers and about the other rows."""
    # Shares of less than a tenth of a row are all none.
    first = max(0, int(np.searchsorted(_LOG_SHARES, np.log(0.1 / n))) - 1)
    log_shares = _LOG_SHARES[first:]
    log_likelihood = _log_likelihood(log_shares, chosen, odd)
    rows = _by_place(rest)
    share = _probability(log_shares, _DEPTHS) @ (rows / len(rest))
    return _Curves(log_shares, log_likelihood, np.log(share))


def _weighed(curves: _Curves, seen: tuple[float, float]) -> Floats:
    """Compute the posterior weight of each slope and share, the largest being 1."""
    # The density of log a has a factor a more than that of a.
    log_weight = curves.log_likelihood + _PRIOR[0] * curves.log_shares
    log_weight += (_PRIOR[1] - 1) * np.log1p(-np.exp(curves.log_shares))
    log_weight += seen[0] * curves.log_rest
    log_weight += seen[1] * np.log1p(-np.exp(curves.log_rest))
    return np.exp(log_weight - log_weight.max())


def _refined(curves: _Curves, seen: tuple[float, float]) -> _Curves:
    """Interpolate the curves on a finer grid of the shares that matter."""
    weight = _weighed(curves, seen).max(axis=0)
    matter = np.flatnonzero(weight > np.exp(-_NEGLIGIBLE))
    ends = [max(matter[0] - 1, 0), min(matter[-1] + 1, len(weight) - 1)]
    first, last = curves.log_shares[ends]
    fine = np.linspace(first, last, _FINE)
    values = np.stack([curves.log_likelihood, curves.log_rest])
    smooth = interpolate.CubicSpline(curves.log_shares, values, axis=-1)
    log_likelihood, log_rest = smooth(fine)
    return _Curves(fine, log_likelihood, np.minimum(log_rest, np.log(1 - _CERTAIN)))


def _merged(curves: _Curves, seen: tuple[float, float]) -> _Mixture:
    """Merge cells into parts of about equal weight, each with its mean share."""
    share: Floats = np.exp(curves.log_rest).ravel()
    weight: Floats = _weighed(curves, seen).ravel()
    order = np.argsort(share)
    share, weight = share[order], weight[order] / weight.sum()
    part = np.minimum((np.cumsum(weight) * _PARTS).astype(int), _PARTS - 1)
    mass = np.bincount(part, weight, _PARTS).astype(np.float64)
    mean = np.bincount(part, weight * share, _PARTS)
    used = mass > 0
    return _Mixture(mean[used] / mass[used], mass[used])


def _depth(places: Floats) -> Floats:
    """Return log odds of the places, which tell far ends of the ranking apart."""
    found: Floats = special.logit(np.clip(places, 1e-9, 1 - 1e-9))
    return found


def _probability(log_shares: Floats, depth: Floats, gain: float = 0.0) -> Floats:
    """Compute the probability of an anomaly, shape (slopes, shares, depths)."""
    curve = _intercepts()[:, -len(log_shares) :, None] - _SLOPES[:, None, None] * depth
    anywhere = _ANYWHERE * np.exp(log_shares)[:, None]
    found = (1 - _ANYWHERE) * special.expit(curve + gain) + anywhere
    return np.minimum(found, 1 - _CERTAIN)


def _log_likelihood(
    log_shares: Floats, places: Floats, odd: NDArray[np.bool_]
) -> Floats:
    """Compute the weighted log-likelihood of chosen answers, over all gains."""
    depth, odd, rows = _grouped(_depth(places), odd)
    by_gain = []
    weight = min(_WEIGHT, _MOST_CHOSEN / max(1, len(places)))
    for gain in _GAINS:
        probability = _probability(log_shares, depth, gain)
        said = np.where(odd, probability, 1 - probability)
        by_gain.append(weight * (np.log(said) @ rows))
    return np.asarray(special.logsumexp(by_gain, axis=0))


def _grouped(
    depth: Floats, odd: NDArray[np.bool_]
) -> tuple[Floats, NDArray[np.bool_], NDArray[np.int64]]:
    """Merge equal answers at nearly the same place, and count them.

    Thousands of answers then take the time of some hundreds.
    """
    key = 2 * np.round(depth / _ALIKE).astype(np.int64) + odd
    _, first, group, rows = np.unique(
        key, return_index=True, return_inverse=True, return_counts=True
    )
    return np.bincount(group, depth) / rows, odd[first], rows


@lru_cache(maxsize=1)
def _intercepts() -> Floats:
    """Find the intercept that gives each slope and share this mean, by bisection."""
    rows = np.diff(special.expit(np.r_[-np.inf, _EDGES[1:-1], np.inf]))
    steep = -_SLOPES[:, None, None] * _DEPTHS
    shares = np.exp(_LOG_SHARES)
    low = np.full((len(_SLOPES), len(_LOG_SHARES)), -200.0)
    high = -low
    for _ in range(50):
        middle = (low + high) / 2
        below = special.expit(middle[..., None] + steep) @ rows < shares
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    return middle


def _possible(codes: Codes) -> tuple[float, float]:
    """Bound the share by what the known rows allow, within the prior's limits."""
    n = len(codes)
    least = max(1, int((codes == ANOMALY).sum())) / n
    most = 1 - int((codes == NORMAL).sum()) / n
    return least, max(least, min(most, _HIGHEST))
