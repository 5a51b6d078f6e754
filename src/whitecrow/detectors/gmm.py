r"""Gaussian mixture: anomalies lie where the density of a few Gaussians is low.

With weights :math:`w_k`, means :math:`\mu_k` and precision matrices
:math:`\Lambda_k = P_k P_k^\top`,

.. math::

    s(x) = -\log p(x) = -\log \sum_k w_k
    \frac{|P_k|}{(2\pi)^{d/2}} e^{-m_k(x) / 2}, \qquad
    m_k(x) = \| P_k^\top (x - \mu_k) \|^2.

Explanations are exact: with the responsibilities :math:`r_k(x)` of the components, the
score is :math:`\sum_k r_k m_k / 2` and terms that belong to no column. The part of
column `j` in :math:`m_k` is :math:`v_j (\Lambda_k v)_j` with :math:`v = x - \mu_k`,
what integrated gradients on the way from the mean would give.

Source: Dempster, Laird and Rubin, JRSS B 1977; Bishop, IEE Proceedings 1994.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator
from dataclasses import KW_ONLY
from typing import Annotated, Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve_triangular
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture

from whitecrow import blas, labels, tables
from whitecrow.detector import Detector
from whitecrow.errors import DataError, TrainingError
from whitecrow.parameters import (
    Auto,
    Count,
    Limit,
    NonNegative,
    RandomState,
    Scaling,
    fitted,
    options,
)
from whitecrow.scaling import Scaler

__all__ = ["GMM"]

Array = NDArray[np.float64]

# Numbers held at once while scoring: 32 MiB.
_BLOCK = 2**22

# A component of fewer rows describes these rows, and not where others will be; nor does
# one of fewer than twice the rows that a covariance matrix needs.
_ROWS_EACH, _ROWS_PER_COLUMN = 30, 2

# One of fewer rows than this share of what each has on average is left out with them,
# and the others are fitted again; so many fits at most, and so large a share of rows.
_FEW = 0.25
_FITS = 5
_MOST_LEFT_OUT = 0.25

# With more columns, a full covariance has too many entries to estimate and to invert.
_MOST_FULL = 60


class GMM(Detector):
    r"""Score rows by their density under a mixture of Gaussians.

    Unsupervised: `y` is ignored. Pictures become rows of pixels in [0, 1].

    Parameters
    ----------
    n_components : int, default=8
        Gaussians; at most one for 30 training rows, and for 2 (d + 1) with d columns.
    covariance_type : {"auto", "full", "diag"}, default="auto"
        Gaussians of any direction, or along the columns. "auto" takes "full" up to 60
        columns.
    reg_covar : float, default=0.05
        Added to each variance, in units of the scaled columns: the default is a
        twentieth of the variance of a standardised column, so that no Gaussian
        shrinks onto a few equal rows.
    shrinkage : "auto" or float, default="auto"
        For how many rows the mean covariance counts in that of each Gaussian; "auto" is
        d + 1, the fewest that determine a covariance. Otherwise one of few rows fits
        these, odd ones among them, closely.
    max_iter : int, default=50
        Steps of expectation maximisation. Whether they suffice to converge matters
        little for a score, so there is no warning if they do not.
    scaling : {"standard", "minmax", "robust", "none"}, default="standard"
        Of the columns of a table. The score is the log density in scaled units.
    max_rows : int or None, default=20000
        With more training rows, this many chosen at random. A warning is logged.
    contamination : "auto" or float in (0, 0.5], default="auto"
        Share of training rows to call anomalies.
    random_state : int, RandomState or None, default=None
        Of the first guess (k-means) and of the choice of rows.

    Attributes
    ----------
    weights_ : ndarray of shape (k,)
        Of the Gaussians; they sum to 1.
    means_ : ndarray of shape (k, d)
        Component means, in scaled units.
    precisions_cholesky_ : ndarray of shape (k, d, d), or (k, d) for "diag"
        The factors `P` of the module's docstring; their diagonals for "diag".
    n_iter_ : int
        Steps of expectation maximisation.
    scaler_ : Scaler
        Of the columns.
    offset_, threshold_source_, input_shape_, typical_
        As in `whitecrow.detector.Detector`.

    Notes
    -----
    The mixture is fitted by scikit-learn's `GaussianMixture`, and with equal settings
    and `shrinkage=0` the score is the negative of its `score_samples`.

    A Gaussian that describes fewer than 30 rows, and less than a quarter of an equal
    share, says that these rows are far from the others. It is left out with its rows,
    and the mixture fitted again: otherwise a lone row far out would have a Gaussian of
    its own, and the highest density of all.

    NOTE[DIFF] Bishop chooses the number of Gaussians by cross-validation and smooths
    none of them; here few rows lower the number, few rows have no Gaussian,
    covariances are drawn towards their mean as in regularised discriminant analysis
    (Friedman 1989), and `reg_covar` is large, because the training rows may contain
    anomalies.

    References
    ----------
    Dempster, Laird and Rubin, Maximum Likelihood from Incomplete Data via the EM
    Algorithm, JRSS B 1977. Bishop, Novelty Detection and Neural Network Validation,
    IEE Proceedings: Vision, Image and Signal Processing 1994. Friedman, Regularized
    Discriminant Analysis, JASA 1989.

    Examples
    --------
    >>> import numpy as np
    >>> from whitecrow.detectors.gmm import GMM
    >>> rng = np.random.default_rng(0)
    >>> X = np.concatenate([rng.normal(-5, 1, (200, 2)), rng.normal(5, 1, (200, 2))])
    >>> detector = GMM(n_components=2, random_state=0).fit(X)
    >>> detector.anomaly_score([[5.0, 5.0], [0.0, 0.0]]).round().tolist()
    [0.0, 10.0]
    """

    explanation: ClassVar[str] = "exact"

    _: KW_ONLY
    n_components: Count = 8
    covariance_type: Annotated[str, options("auto", "full", "diag")] = "auto"
    reg_covar: NonNegative = 0.05
    shrinkage: NonNegative | Auto = "auto"
    max_iter: Count = 50
    scaling: Scaling = "standard"
    max_rows: Limit = 20_000
    random_state: RandomState = None

    weights_: Array = fitted()
    means_: Array = fitted()
    precisions_cholesky_: Array = fitted()
    n_iter_: int = fitted()
    scaler_: Scaler = fitted()

    def _fit(
        self, X: NDArray[Any], codes: labels.Codes, auxiliary: NDArray[Any] | None
    ) -> None:
        if len(X) < 2:
            raise DataError(
                f"GMM estimates variances; X has n_samples = {len(X)}, give at least 2"
            )
        self.scaler_ = tables.fit_scaler(X, self.scaling)
        chosen = tables.limit_rows(
            X,
            self.max_rows,
            random_state=self.random_state,
            method="GMM",
            cost="their number",
        )
        mixture, counts = self._mixture(self._rows(chosen))
        kept = counts > 0
        self.weights_ = mixture.weights_[kept]
        if not kept.all():
            self.weights_ /= self.weights_.sum()
        self.means_ = mixture.means_[kept]
        self.precisions_cholesky_ = mixture.precisions_cholesky_[kept]
        self.n_iter_ = mixture.n_iter_
        auto = isinstance(self.shrinkage, str)
        strength = self.means_.shape[1] + 1 if auto else float(self.shrinkage)
        if strength > 0 and len(self.weights_) > 1:
            covariances = _shrunk(mixture.covariances_[kept], counts[kept], strength)
            self.precisions_cholesky_ = _factors(covariances)

    def _mixture(self, rows: Array) -> tuple[GaussianMixture, Array]:
        """Fit the mixture; how many rows each of its Gaussians describes.

        Those of a few rows describe 0: their rows are left out, and it is fitted again.
        """
        least = (1 - _MOST_LEFT_OUT) * len(rows)
        with blas.one_thread():
            for _ in range(_FITS):
                mixture = self._fitted(rows)
                few = _few(mixture, len(rows))
                own = few[mixture.predict(rows)]
                if not own.any() or (~own).sum() < least:
                    break
                rows = rows[~own]
        return mixture, np.where(few, 0, mixture.weights_ * len(rows))

    def _fitted(self, rows: Array) -> GaussianMixture:
        n, d = rows.shape
        kind = self.covariance_type
        if kind == "auto":
            kind = "full" if d <= _MOST_FULL else "diag"
        each = max(_ROWS_EACH, _ROWS_PER_COLUMN * (d + 1))
        mixture = GaussianMixture(
            n_components=max(1, min(self.n_components, n // each)),
            covariance_type=kind,
            reg_covar=self.reg_covar,
            max_iter=self.max_iter,
            random_state=self.random_state,
        )
        try:
            with warnings.catch_warnings():
                # Of few steps, and of fewer different rows than Gaussians.
                warnings.simplefilter("ignore", ConvergenceWarning)
                return mixture.fit(rows)
        except ValueError:
            raise TrainingError(
                "GMM: the covariance of some rows cannot be inverted; use a larger "
                f'reg_covar than {self.reg_covar:g} or scaling="standard"'
            ) from None

    def _anomaly_score(self, X: NDArray[Any]) -> Array:
        scores = np.empty(len(X))
        for block, rows in self._blocks(X):
            joint = np.stack([self._joint(k, rows) for k in self._components()])
            least = joint.min(axis=0)
            scores[block] = least - np.log(np.exp(least - joint).sum(axis=0))
        return scores

    def _contributions(self, X: NDArray[Any]) -> Array:
        parts = np.zeros((len(X), self.means_.shape[1]))
        for block, rows in self._blocks(X):
            joint = np.stack([self._joint(k, rows) for k in self._components()])
            duties = np.exp(joint.min(axis=0) - joint)
            duties /= duties.sum(axis=0)
            for k in self._components():
                v = rows - self.means_[k]
                pull = self._whitened(k, v, back=True)
                parts[block] += duties[k][:, None] * v * pull / 2
        return tables.as_pictures(parts, X.shape[1:])

    def _joint(self, k: int, rows: Array) -> Array:
        """Compute the negative log of a weighted Gaussian density for each row."""
        factor = self.precisions_cholesky_[k]
        d = rows.shape[1]
        diagonal = np.diag(factor) if factor.ndim == 2 else factor
        constant = d / 2 * math.log(2 * math.pi) - np.log(diagonal).sum()
        squares = np.square(self._whitened(k, rows - self.means_[k])).sum(axis=1)
        joint: Array = squares / 2 + constant - np.log(self.weights_[k])
        return joint

    def _whitened(self, k: int, v: Array, *, back: bool = False) -> Array:
        """Compute `P' v` of each row; with `back`, `P P' v`."""
        factor = self.precisions_cholesky_[k]
        if factor.ndim == 1:
            return v * (factor**2 if back else factor)
        white: Array = v @ factor
        return white @ factor.T if back else white

    def _components(self) -> range:
        return range(len(self.weights_))

    def _blocks(self, X: NDArray[Any]) -> Iterator[tuple[slice, Array]]:
        """Scaled rows, as many at a time as memory allows."""
        height = max(1, _BLOCK // self.means_.shape[1])
        for start in range(0, len(X), height):
            rows = self._rows(X[start : start + height])
            yield slice(start, start + len(rows)), rows

    def _rows(self, X: NDArray[Any]) -> Array:
        return self.scaler_.transform(tables.as_table(X))


def _shrunk(covariances: Array, counts: Array, strength: float) -> Array:
    """Draw covariances towards their mean, which counts as `strength` rows.

    Examples
    --------
    >>> variances = np.array([[1.0], [4.0]])
    >>> _shrunk(variances, np.array([20.0, 10.0]), 10.0).ravel().round(8).tolist()
    [1.33333333, 3.0]
    """
    pooled = np.tensordot(counts / counts.sum(), covariances, axes=1)
    own = (counts / (counts + strength)).reshape(-1, *[1] * pooled.ndim)
    shrunk: Array = own * covariances + (1 - own) * pooled
    return shrunk


def _factors(covariances: Array) -> Array:
    """Factors `P` of the inverses; of variances, if these are all there is."""
    if covariances.ndim == 2:
        return np.asarray(1 / np.sqrt(covariances))
    lower = np.linalg.cholesky(covariances)
    unit = np.eye(lower.shape[1])
    return np.stack([solve_triangular(one, unit, lower=True).T for one in lower])


def _few(mixture: GaussianMixture, n: int) -> NDArray[np.bool_]:
    """Find Gaussians that describe so few of n rows that these may be anomalies."""
    k = len(mixture.weights_)
    few: NDArray[np.bool_] = n * mixture.weights_ < min(_ROWS_EACH, _FEW * n / k)
    return few
