r"""Principal components: what a few directions do not explain is odd.

With the mean :math:`\mu` of the scaled training rows and the directions
:math:`U = (u_1, \dots, u_q)` of their largest variances
:math:`\lambda_1 \ge \dots \ge \lambda_q`,

.. math::

    \text{reconstruction: } s(x) = \| v - U U^\top v \|^2, \qquad
    \text{mahalanobis: } s(x) = \sum_{k \le q} \frac{(u_k^\top v)^2}{\lambda_k}
    + \frac{\| v - U U^\top v \|^2}{\sigma^2}, \qquad v = x - \mu,

where :math:`\sigma^2` is the mean variance of the other directions. The second one is
minus twice the log density of probabilistic PCA (Tipping and Bishop, 1999), but for a
constant, and with all directions the squared Mahalanobis distance.

Both are the squared length of a vector with one entry for each column,
:math:`r = a v + U (g \odot U^\top v)`, so that explanations are exact: :math:`r_j^2`.
For the Mahalanobis distance of standardised columns these are the contributions of
Garthwaite and Koch (2016).

Source: specs/deep_unsupervised.md 2.14; Shyu et al., ICDM workshops 2003.
"""

from __future__ import annotations

import logging
from dataclasses import KW_ONLY
from typing import Annotated, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from whitecrow import labels, tables
from whitecrow.detector import Detector
from whitecrow.parameters import Count, Scaling, between, fitted, options
from whitecrow.scaling import Scaler

__all__ = ["PCA"]

logger = logging.getLogger(__name__)

Array = NDArray[np.float64]

# Numbers held at once while scoring: 32 MiB.
_BLOCK = 2**22

# Directions without variance count as if they had this share of the mean variance.
_LEAST_VARIANCE = 1e-6


class PCA(Detector):
    r"""Score rows by the distance to the main directions, or to the mean.

    Unsupervised: `y` is ignored. Pictures become rows of pixels in [0, 1].

    Parameters
    ----------
    n_components : int, float in (0, 1), or None, default=0.7
        The number `q` of directions; or the share of the variance that they must
        explain; or all. Where the score is the reconstruction error, at least one
        direction is left out, or else nothing would be odd.
    measure : {"mahalanobis", "reconstruction"}, default="mahalanobis"
        Squared distance to the mean, in units of the standard deviation along each
        direction; or squared distance to what the directions explain.
    scaling : {"standard", "minmax", "robust", "none"}, default="standard"
        Of the columns of a table: variances depend on units.
    contamination : "auto" or float in (0, 0.5], default="auto"
        Share of training rows to call anomalies.

    Attributes
    ----------
    mean_ : ndarray of shape (d,)
        Of the scaled training rows.
    components_ : ndarray of shape (q, d)
        The directions, of length 1, the one with the largest variance first.
    variances_ : ndarray of shape (q,)
        Variance along each of them.
    noise_variance_ : float
        Mean variance along the other ones.
    scaler_ : Scaler
        Of the columns.
    offset_, threshold_source_, input_shape_, typical_
        As in `whitecrow.detector.Detector`.

    Notes
    -----
    NOTE[DIFF] The reference code scores by reconstruction from one direction
    (`PCA.preset("reference")`), and fits on all rows, those of the test too. The
    Mahalanobis distance ranks better on most tables; the fit sees training rows only.

    NOTE[DIFF] Shyu et al. add the squares of the first and of the last directions in
    two sums with a threshold each. Here all directions enter one score; the last ones
    share a variance, as those of few rows are mostly noise.

    References
    ----------
    Shyu, Chen, Sarinnapakorn and Chang, A Novel Anomaly Detection Scheme Based on
    Principal Component Classifier, ICDM workshops 2003. Tipping and Bishop,
    Probabilistic Principal Component Analysis, JRSS B 1999. Garthwaite and Koch,
    Evaluating the Contributions of Individual Variables to a Quadratic Form,
    Australian & New Zealand Journal of Statistics 2016.

    Examples
    --------
    >>> from whitecrow.detectors.pca import PCA
    >>> detector = PCA.preset("reference").fit([[0, 0], [2, 2], [4, 4]])
    >>> detector.anomaly_score([[1, 0], [9, 9]]).round(8).tolist()
    [0.5, 0.0]
    """

    explanation: ClassVar[str] = "exact"

    _: KW_ONLY
    n_components: Count | Annotated[float, between(0, 1, closed="neither")] | None = 0.7
    measure: Annotated[str, options("mahalanobis", "reconstruction")] = "mahalanobis"
    scaling: Scaling = "standard"

    presets: ClassVar[dict[str, dict[str, Any]]] = {
        "reference": {"n_components": 1, "measure": "reconstruction", "scaling": "none"}
    }

    mean_: Array = fitted()
    components_: Array = fitted()
    variances_: Array = fitted()
    noise_variance_: float = fitted()
    scaler_: Scaler = fitted()

    def _fit(
        self, X: NDArray[Any], codes: labels.Codes, auxiliary: NDArray[Any] | None
    ) -> None:
        self.scaler_ = tables.fit_scaler(X, self.scaling)
        rows = self._rows(X)
        self.mean_ = rows.mean(axis=0)
        rows -= self.mean_
        variances, directions = principal(rows)
        most = rows.shape[1] - (self.measure == "reconstruction")
        q = _number(self.n_components, variances, most)
        self.components_, self.variances_ = directions[:q], variances[:q]
        n_others = max(1, rows.shape[1] - q)
        self.noise_variance_ = float(variances[q:].sum() / n_others)

    def _anomaly_score(self, X: NDArray[Any]) -> Array:
        scores = np.empty(len(X))
        height = max(1, _BLOCK // len(self.mean_))
        for start in range(0, len(X), height):
            block = slice(start, start + height)
            scores[block] = np.square(self._residuals(X[block])).sum(axis=1)
        return scores

    def _contributions(self, X: NDArray[Any]) -> Array:
        return tables.as_pictures(np.square(self._residuals(X)), X.shape[1:])

    def _residuals(self, X: NDArray[Any]) -> Array:
        """Compute the vector `r` of the module's docstring for each row."""
        rows = self._rows(X) - self.mean_
        kept, lost = self._gains()
        along = rows @ self.components_.T
        rows *= lost
        rows += (along * (kept - lost)) @ self.components_
        return rows

    def _gains(self) -> tuple[Array | float, float]:
        """Return the weight of each kept direction, and of the remaining ones."""
        if self.measure == "reconstruction":
            return 0.0, 1.0
        n_others = len(self.mean_) - len(self.variances_)
        total = self.variances_.sum() + n_others * self.noise_variance_
        least = _LEAST_VARIANCE * (total / len(self.mean_) or 1.0)
        kept: Array = 1 / np.sqrt(np.maximum(self.variances_, least))
        return kept, 1 / np.sqrt(max(self.noise_variance_, least))

    def _rows(self, X: NDArray[Any]) -> Array:
        return self.scaler_.transform(tables.as_table(X))


def principal(rows: Array) -> tuple[Array, Array]:
    """Variances and directions of centred rows, the largest variance first.

    Parameters
    ----------
    rows : ndarray of shape (n, d)
        With mean 0.

    Returns
    -------
    variances : ndarray of shape (min(n, d),)
    directions : ndarray of shape (min(n, d), d)

    Examples
    --------
    >>> variances, directions = principal(np.array([[-1.0, 0.0], [1.0, 0.0]]))
    >>> variances.tolist(), np.abs(directions).tolist()
    ([1.0, 0.0], [[1.0, 0.0], [0.0, 1.0]])
    """
    n, d = rows.shape
    if n < d:
        _, singular, directions = np.linalg.svd(rows, full_matrices=False)
        return singular**2 / n, directions
    # Many times faster than the singular values when there are many rows.
    variances, vectors = np.linalg.eigh(rows.T @ rows / n)
    return np.maximum(variances[::-1], 0), vectors[:, ::-1].T


def _number(wanted: int | float | None, variances: Array, most: int) -> int:
    """Decide how many directions to keep, `most` at the most."""
    most = min(most, len(variances))
    if wanted is None:
        return most
    if isinstance(wanted, int | np.integer):
        if wanted > most:
            logger.warning(
                "n_components=%d is too many for these rows; using %d", wanted, most
            )
        return min(int(wanted), most)
    total = variances.sum()
    enough = np.searchsorted(np.cumsum(variances) / (total or 1.0), wanted) + 1
    return min(int(enough), most)
