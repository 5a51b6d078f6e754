r"""One-class support vector machine (Schoelkopf et al., 2001).

A half-space in the space of a kernel `K` that holds all but a share :math:`\nu` of the
rows, as far from the origin as it can be: with :math:`0 \le \alpha_i \le 1` and
:math:`\sum_i \alpha_i = \nu n`,

.. math:: f(x) = \sum_i \alpha_i K(x_i, x) - \rho,

which is negative outside. The score is

.. math:: s(x) = \log \rho - \log \sum_i \alpha_i K(x_i, x)

for the rbf kernel :math:`K(x_i, x) = e^{-\gamma \|x_i - x\|^2}`, and :math:`-f(x)` for
the others. Both are positive outside and rank alike.

NOTE[DIFF] Reference code scores by the predicted class, -1 or +1, or by :math:`-f`,
which with the rbf kernel is :math:`\rho` for every row that is far from all training
rows: no order among the worst, and nothing to explain. The logarithm has no limit.

NOTE[DIFF] Gamma follows from the training rows; reference code picks it with test
labels.
"""

from __future__ import annotations

from dataclasses import KW_ONLY
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import pdist
from scipy.special import logsumexp
from sklearn import svm
from sklearn.utils import check_random_state

from whitecrow import labels, tables
from whitecrow.detector import Detector
from whitecrow.parameters import (
    Limit,
    Natural,
    Positive,
    RandomState,
    Scaling,
    at_least,
    between,
    fitted,
    options,
)
from whitecrow.scaling import Scaler

__all__ = ["OCSVM"]

Array = NDArray[np.float64]

# Rows whose pairs give the median distance.
_SAMPLE = 1000


class OCSVM(Detector):
    r"""One-class support vector machine.

    Unsupervised: `y` is ignored. Pictures become rows of pixels in [0, 1]. The machine
    is scikit-learn's; the score ranks as its decision function with the other sign
    does, and goes on where that one is saturated.

    Parameters
    ----------
    kernel : {"rbf", "linear", "poly", "sigmoid"}, default="rbf"
        The kernel.
    nu : float in (0, 1], default=0.5
        Upper limit for the share of training rows outside, lower limit for the share of
        support vectors. 0.5 withstands anomalies in the training rows; 0.1 is slightly
        better when there are none.
    gamma : {"scale", "median", "auto"} or float, default="scale"
        Coefficient of the kernels other than linear. "scale" is 1 / (d v) for d columns
        with overall variance v, "auto" 1 / d, and "median" :math:`1 / 2m^2` with the
        median distance m of 1000 random rows.
    degree, coef0 : int, float, default=3, 0.0
        Of the kernels "poly", and "poly" and "sigmoid".
    tol, shrinking, cache_size, max_iter
        Of the solver, as in `sklearn.svm.OneClassSVM`; `cache_size` in MB.
    scaling : {"standard", "minmax", "robust", "none"}, default="standard"
        Of the columns of a table: the rbf kernel depends on units.
    max_rows : int or None, default=10000
        With more training rows, this many chosen at random: the cost of fitting grows
        with the square of their number. A warning is logged.
    contamination : "auto" or float in (0, 0.5], default="auto"
        Share of training rows to call anomalies.
    random_state : int, RandomState or None, default=None
        Of the choice of rows, and of those for "median".

    Attributes
    ----------
    svm_ : sklearn.svm.OneClassSVM
        The fitted machine.
    n_iter_ : int
        Steps of the solver.
    gamma_ : float
        The coefficient in use.
    scaler_ : Scaler
        Of the columns.
    offset_, threshold_source_, input_shape_, typical_
        As in `whitecrow.detector.Detector`.

    References
    ----------
    Schoelkopf, Platt, Shawe-Taylor, Smola and Williamson, Estimating the Support of a
    High-Dimensional Distribution, Neural Computation 2001.

    Examples
    --------
    >>> import numpy as np
    >>> from whitecrow.detectors.ocsvm import OCSVM
    >>> X = np.random.default_rng(0).normal(size=(500, 2))
    >>> scores = OCSVM().fit(X).anomaly_score([[0.0, 0.0], [4.0, 4.0]])
    >>> bool(scores[0] < 0 < scores[1])
    True
    """

    _: KW_ONLY
    kernel: Annotated[str, options("rbf", "linear", "poly", "sigmoid")] = "rbf"
    nu: Annotated[float, between(0, 1, closed="right")] = 0.5
    gamma: Annotated[str, options("scale", "median", "auto")] | Positive = "scale"
    degree: Natural = 3
    coef0: Annotated[float, between(None, None, closed="neither")] = 0.0
    tol: Positive = 1e-3
    shrinking: bool = True
    cache_size: Positive = 200
    max_iter: Annotated[int, at_least(-1)] = -1
    scaling: Scaling = "standard"
    max_rows: Limit = 10_000
    random_state: RandomState = None

    svm_: svm.OneClassSVM = fitted()
    n_iter_: int = fitted()
    gamma_: float = fitted()
    scaler_: Scaler = fitted()

    def _fit(
        self, X: NDArray[Any], codes: labels.Codes, auxiliary: NDArray[Any] | None
    ) -> None:
        self.scaler_ = tables.fit_scaler(X, self.scaling)
        chosen = tables.limit_rows(
            X, self.max_rows, random_state=self.random_state, method="OCSVM"
        )
        rows = self._rows(chosen)
        self.gamma_ = _gamma(rows, self.gamma, self.random_state)
        machine = svm.OneClassSVM(
            kernel=self.kernel,
            nu=self.nu,
            gamma=self.gamma_,
            degree=self.degree,
            coef0=self.coef0,
            tol=self.tol,
            shrinking=self.shrinking,
            cache_size=self.cache_size,
            max_iter=self.max_iter,
        )
        # The solver draws nothing, but takes a seed, without this from numpy's global
        # generator.
        machine.random_state = 0
        self.svm_ = machine.fit(rows)
        self.n_iter_ = int(self.svm_.n_iter_)

    def _anomaly_score(self, X: NDArray[Any]) -> Array:
        if self.kernel == "rbf":
            return _log_score(self._rows(X), self.svm_, self.gamma_)
        scores: Array = -self.svm_.decision_function(self._rows(X))
        return scores

    def _rows(self, X: NDArray[Any]) -> Array:
        return self.scaler_.transform(tables.as_table(X))


def _log_score(rows: Array, machine: svm.OneClassSVM, gamma: float) -> Array:
    """The score of the module's docstring for the rbf kernel."""
    scores = np.empty(len(rows))
    log_alpha = np.log(machine.dual_coef_[0])
    for block, squares in tables.squared_distances(rows, machine.support_vectors_):
        scores[block] = -logsumexp(log_alpha - gamma * squares, axis=1)
    return scores + np.log(-machine.intercept_[0])


def _gamma(rows: Array, gamma: str | float, random_state: Any) -> float:
    if not isinstance(gamma, str):
        return float(gamma)
    d = rows.shape[1]
    if gamma == "median":
        return _median_gamma(rows, random_state)
    # Rows that are all equal have no variance, and any gamma will do.
    variance = rows.var() if gamma == "scale" else 1.0
    return 1.0 / (d * float(variance)) if variance > 0 else 1.0 / d


def _median_gamma(rows: Array, random_state: Any) -> float:
    n = len(rows)
    if n > _SAMPLE:
        chosen = check_random_state(random_state).choice(n, _SAMPLE, replace=False)
        rows = rows[chosen]
    distances = pdist(rows)
    distances = distances[distances > 0]
    # When most rows are equal, the distances of the others count.
    return float(1 / (2 * np.median(distances) ** 2)) if len(distances) else 1.0
