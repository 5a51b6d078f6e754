r"""Kernel density estimation (Parzen, 1962): anomalies lie where few rows are.

With :math:`u = \|x - x_i\| / h`, a kernel :math:`K(u) = e^{-e_i(x)}` around each
training row `i`, and `Z` the volume that makes the density integrate to one,

.. math:: s(x) = -\log p(x) = -\log \frac{1}{nZ} \sum_i e^{-e_i(x)}.

It is computed as a log-sum-exp, so that it stays finite and ordered however far `x` is.
To kernels that end at :math:`u = 1` a billionth of the exponential one is added, which
does not show within.

========================  ==========================================================
gaussian, exponential     :math:`e^{-u^2/2}`, :math:`e^{-u}`
tophat, linear            1, :math:`1 - u`, up to :math:`u = 1`
epanechnikov, cosine      :math:`1 - u^2`, :math:`\cos \pi u / 2`, up to :math:`u = 1`
========================  ==========================================================

Explanations are exact: with the weights :math:`w_i = e^{-e_i} / \sum_k e^{-e_k}`,
:math:`s = \sum_i w_i e_i - H(w) + \log nZ`, and each :math:`e_i` is divided among the
columns as the squared distance is.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import KW_ONLY
from typing import Annotated, Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import KFold

from whitecrow import labels, tables
from whitecrow.detector import Detector
from whitecrow.errors import DataError
from whitecrow.parameters import Limit, Positive, RandomState, Scaling, fitted, options
from whitecrow.scaling import Scaler

__all__ = ["KDE"]

Array = NDArray[np.float64]

_KERNELS = ("gaussian", "tophat", "epanechnikov", "exponential", "linear", "cosine")
_BANDWIDTHS = ("scott", "silverman", "cv", "deep-sad")
# Candidates of "cv": those of the Deep SAD code, 2^0.5 ... 2^5, and smaller ones.
_GRID = 2.0 ** np.arange(-3.0, 5.5, 0.5)
_PUBLISHED = _GRID[-10:]
_FOLDS = 5

# The share of an exponential kernel in kernels that end.
_BEYOND = 1e-9


class KDE(Detector):
    r"""Score rows by their kernel density.

    Unsupervised: `y` is ignored. Pictures become rows of pixels in [0, 1]. A row that
    equals a training row is compared with the other ones only (leave one out): with
    itself, every training row would look typical as soon as there are many columns.

    Parameters
    ----------
    kernel : str, default="gaussian"
        "gaussian", "tophat", "epanechnikov", "exponential", "linear" or "cosine".
    bandwidth : {"scott", "silverman", "cv", "deep-sad"} or float, default="scott"
        The width `h` of the kernel, in units of the scaled columns. The rules are
        :math:`n^{-1/(d+4)}` and :math:`(n (d+2) / 4)^{-1/(d+4)}` for `d` columns that
        vary; "cv" takes the most likely of 17 widths from 1/8 to 32 in 5-fold
        cross-validation. All three are times the root mean variance of these columns,
        and kernels that end are as wide as give each column that variance. "deep-sad"
        takes the most likely of ten widths from 1.41 to 32, in folds of the rows as
        they come.
    scaling : {"standard", "minmax", "robust", "none"}, default="standard"
        Of the columns of a table. The score is the log density in scaled units.
    max_rows : int or None, default=10000
        With more training rows, this many chosen at random: the cost of scoring grows
        with their number. A warning is logged.
    contamination : "auto" or float in (0, 0.5], default="auto"
        Share of training rows to call anomalies.
    random_state : int, RandomState or None, default=None
        Of the choice of rows and of the folds of "cv".

    Attributes
    ----------
    bandwidth_ : float
        The width in use.
    train_ : ndarray of shape (n, d)
        Scaled training rows.
    scaler_ : Scaler
        Of the columns.
    offset_, threshold_source_, input_shape_, typical_
        As in `whitecrow.detector.Detector`.

    Notes
    -----
    NOTE[DIFF] Kernels that end give rows beyond all of them an infinite score in
    scikit-learn and in the Deep SAD code; here these are finite and ordered.

    NOTE[DIFF] The grid of the Deep SAD code (`KDE.preset("deep-sad")`) starts at 1.41,
    too wide for few columns in [0, 1]; that of "cv" has smaller ones, in units of the
    spread, and its folds are shuffled. Without a grid that code takes 1.0, or for the
    exponential kernel the square of the largest distance; give such a number.

    References
    ----------
    Parzen, On Estimation of a Probability Density Function and Mode, Annals of
    Mathematical Statistics, 1962. Scott, Multivariate Density Estimation, 1992.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.metrics import roc_auc_score
    >>> from whitecrow.detectors.kde import KDE
    >>> rng = np.random.default_rng(0)
    >>> X = np.concatenate([rng.normal(size=(95, 3)), rng.normal(6, 1, size=(5, 3))])
    >>> scores = KDE().fit(X).anomaly_score(X)
    >>> round(roc_auc_score(np.arange(100) >= 95, scores), 2)
    0.99
    """

    explanation: ClassVar[str] = "exact"

    _: KW_ONLY
    kernel: Annotated[str, options(*_KERNELS)] = "gaussian"
    bandwidth: Annotated[str, options(*_BANDWIDTHS)] | Positive = "scott"
    scaling: Scaling = "standard"
    max_rows: Limit = 10_000
    random_state: RandomState = None

    presets: ClassVar[dict[str, dict[str, Any]]] = {
        "deep-sad": {"bandwidth": "deep-sad", "scaling": "minmax"},
    }

    bandwidth_: float = fitted()
    train_: Array = fitted()
    scaler_: Scaler = fitted()

    def _fit(
        self, X: NDArray[Any], codes: labels.Codes, auxiliary: NDArray[Any] | None
    ) -> None:
        if len(X) < 2:
            raise DataError(
                f"KDE compares rows with each other; X has n_samples = {len(X)}, give "
                "at least 2"
            )
        self.scaler_ = tables.fit_scaler(X, self.scaling)
        chosen = tables.limit_rows(
            X, self.max_rows, random_state=self.random_state, method="KDE"
        )
        self.train_ = self.scaler_.transform(tables.as_table(chosen))
        self.bandwidth_ = _bandwidth(
            self.train_, self.bandwidth, self.kernel, self.random_state
        )

    def _anomaly_score(self, X: NDArray[Any]) -> Array:
        rows = self.scaler_.transform(tables.as_table(X))
        return negative_log_density(rows, self.train_, self.bandwidth_, self.kernel)

    def _contributions(self, X: NDArray[Any]) -> Array:
        rows = self.scaler_.transform(tables.as_table(X))
        parts = _exponents_by_column(rows, self.train_, self.bandwidth_, self.kernel)
        return tables.as_pictures(parts, X.shape[1:])


def negative_log_density(rows: Array, train: Array, h: float, kernel: str) -> Array:
    """Compute the score of the module's docstring.

    Parameters
    ----------
    rows : ndarray of shape (n, d)
        Where; a row that equals a training row leaves that one out.
    train : ndarray of shape (m, d)
        Centres of the kernels, at least two.
    h : float
        Bandwidth.
    kernel : str
        Form of the kernels, one of the module's docstring.

    Examples
    --------
    >>> train = np.array([[0.0], [2.0]])
    >>> negative_log_density(np.array([[1.0]]), train, 1.0, "gaussian").round(8)
    array([1.41893853])
    """
    scores = np.empty(len(rows))
    for block, squares in tables.squared_distances(rows, train):
        exponents = _exponents(squares, h, kernel, train.shape[1])
        n_others = _leave_out(exponents, rows[block], train)
        scores[block] = np.log(n_others) - _log_sum_exp(exponents)
    d = train.shape[1]
    return scores + _log_volume(kernel, d) + d * math.log(h)


def _exponents_by_column(rows: Array, train: Array, h: float, kernel: str) -> Array:
    """Compute `sum_i w_i e_i` of the module's docstring, column by column."""
    middle = train.mean(axis=0)
    parts = np.empty_like(rows)
    for block, squares in tables.squared_distances(rows, train):
        exponents = _exponents(squares, h, kernel, train.shape[1])
        _leave_out(exponents, rows[block], train)
        weights = np.exp(exponents.min(axis=1, keepdims=True) - exponents)
        weights /= weights.sum(axis=1, keepdims=True)
        # What a squared difference in one column adds to an exponent.
        if kernel == "gaussian":
            weights /= 2 * h**2
        elif kernel == "exponential":
            weights /= h * np.sqrt(np.maximum(squares, np.finfo(float).tiny))
        else:
            weights *= np.where(weights > 0, exponents, 0)
            weights /= np.maximum(squares, np.finfo(float).tiny)
        total = weights.sum(axis=1, keepdims=True)
        # sum_i w_i (x - x_i)^2 by two matrix products, around the middle.
        x, x_i = rows[block] - middle, train - middle
        parts[block] = total * x**2 - 2 * x * (weights @ x_i) + weights @ x_i**2
    return np.maximum(parts, 0)


def _leave_out(exponents: Array, rows: Array, train: Array) -> NDArray[np.int64]:
    """Exclude each row from its own density; return the number of rows left."""
    twin = tables.twins(train, rows)
    same = twin >= 0
    exponents[same, twin[same]] = np.inf
    return len(train) - same.astype(np.int64)


def _log_sum_exp(exponents: Array) -> Array:
    """Compute `log sum exp(-e)` over the columns; the argument is overwritten."""
    smallest = exponents.min(axis=1)
    np.subtract(smallest[:, None], exponents, out=exponents)
    np.exp(exponents, out=exponents)
    result: Array = np.log(exponents.sum(axis=1)) - smallest
    return result


def _exponents(squares: Array, h: float, kernel: str, d: int) -> Array:
    """Compute `e_i` of the module's docstring from squared distances in d columns."""
    if kernel == "gaussian":
        return squares / (2 * h**2)
    u: Array = np.sqrt(squares) / h
    if kernel == "exponential":
        return u
    beyond = math.log(_BEYOND) + _log_volume(kernel, d) - _log_volume("exponential", d)
    with np.errstate(divide="ignore"):
        within = np.log(np.where(u < 1, _ENDING[kernel](np.minimum(u, 1)), 0))
    exponents: Array = -np.logaddexp(within, beyond - u)
    return exponents


_ENDING: dict[str, Callable[[Array], Array]] = {
    "tophat": np.ones_like,
    "epanechnikov": lambda u: 1 - u**2,
    "linear": lambda u: 1 - u,
    "cosine": lambda u: np.cos(math.pi / 2 * u),
}


def _log_volume(kernel: str, d: int) -> float:
    """Integrate a kernel of width 1 over d columns; return the logarithm.

    Examples
    --------
    >>> [round(math.exp(_log_volume(kernel, 1)), 4) for kernel in _KERNELS]
    [2.5066, 2.0, 1.3333, 2.0, 1.0, 1.2732]
    """
    if kernel == "gaussian":
        return d / 2 * math.log(2 * math.pi)
    # Surface of the unit sphere times the integral of r^(d-1) K(r).
    surface = math.log(2) + d / 2 * math.log(math.pi) - math.lgamma(d / 2)
    return surface + _log_moment(kernel, d)


def _log_moment(kernel: str, d: int) -> float:
    """Integrate r^(d-1) K(r); return the logarithm."""
    if kernel == "exponential":
        return math.lgamma(d)
    if kernel == "cosine":
        return math.log(_cosine_moment(d))
    inverse = {"tophat": d, "epanechnikov": d * (d + 2) / 2, "linear": d * (d + 1)}
    return -math.log(inverse[kernel])


def _cosine_moment(d: int) -> float:
    """Integral of r^(d-1) cos(r pi/2) to 1, by the series of sin((1-r) pi/2).

    Its terms shrink by at least 2.4 each, whatever d; scikit-learn's sum cancels.
    """
    half = math.pi / 2
    term = total = half / (d * (d + 1))
    for m in range(20):
        term *= -(half**2) / ((d + 2 * m + 2) * (d + 2 * m + 3))
        total += term
    return total


def _unit_width(kernel: str, d: int) -> float:
    """Find the width at which a compact kernel has variance 1 in each column."""
    if kernel in ("gaussian", "exponential"):
        return 1.0
    variance = math.exp(_log_moment(kernel, d + 2) - _log_moment(kernel, d)) / d
    return 1 / math.sqrt(variance)


def _bandwidth(
    train: Array, bandwidth: str | float, kernel: str, random_state: Any
) -> float:
    if not isinstance(bandwidth, str):
        return float(bandwidth)
    if bandwidth == "deep-sad":
        return _most_likely(train, _PUBLISHED, kernel, KFold(_folds(train)))
    # Columns that do not vary have no density to estimate.
    variances = train.var(axis=0)
    n, d = len(train), max(1, int((variances > 0).sum()))
    spread = math.sqrt(variances.sum() / d) or 1.0
    spread *= _unit_width(kernel, d)
    if bandwidth == "cv":
        folds = KFold(_folds(train), shuffle=True, random_state=random_state)
        return _most_likely(train, _GRID * spread, kernel, folds)
    count = n if bandwidth == "scott" else n * (d + 2) / 4
    return float(spread * count ** (-1 / (d + 4)))


def _folds(train: Array) -> int:
    return min(_FOLDS, len(train))


def _most_likely(train: Array, candidates: Array, kernel: str, folds: KFold) -> float:
    """Choose the bandwidth of the grid under which held-out rows are most likely."""
    total = np.zeros(len(candidates))
    for fit, held_out in folds.split(train):
        for i, h in enumerate(candidates):
            scores = negative_log_density(train[held_out], train[fit], h, kernel)
            total[i] += scores.sum()
    return float(candidates[total.argmin()])
