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

NOTE[DIFF] Gamma follows from the training rows, or with `gamma="labels"` from labelled
rows that do not train. The Deep SAD code picks it by the labels of a tenth of the test
rows, and its paper nu too: an oracle, which no estimator can be, as `fit` sees no test.

NOTE[DIFF] Many rows are sampled (`max_rows`); others approximate the kernel from 20,000
rows on. An exact machine of 10,000 rows fits in seconds, and all methods here that
compare rows with each other have such a limit.
"""

from __future__ import annotations

from dataclasses import KW_ONLY
from typing import Annotated, Any, ClassVar, cast

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import pdist
from scipy.special import logsumexp
from sklearn import svm
from sklearn.metrics import roc_auc_score
from sklearn.utils import check_random_state

from whitecrow import labels, tables
from whitecrow.detector import Detector
from whitecrow.errors import LabelError
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

# Candidates of gamma="labels": those of the Deep SAD code.
_GRID = 2.0 ** np.arange(-7.0, 3.0)

# Of the normal rows, so many are held out to choose gamma with: half of the labelled
# ones, or a tenth where none is labelled.
_HELD_OUT, _HELD_OUT_UNLABELLED = 0.5, 0.1


class _OnlyForGamma:
    """True of an instance that chooses its gamma by labels, and of no other."""

    def __get__(self, detector: Any, owner: type) -> bool:
        return detector is not None and detector.gamma == "labels"


class OCSVM(Detector):
    r"""Score rows by a one-class support vector machine.

    Unsupervised: `y` is ignored, but for `gamma="labels"`. Pictures become rows of
    pixels in [0, 1]. The machine is scikit-learn's; the score ranks as its decision
    function with the other sign does, and goes on where that one is saturated.

    Parameters
    ----------
    kernel : {"rbf", "linear", "poly", "sigmoid"}, default="rbf"
        The kernel.
    nu : float in (0, 1], default=0.5
        Upper limit for the share of training rows outside, lower limit for the share of
        support vectors. 0.5 withstands anomalies in the training rows; 0.1 is slightly
        better when there are none.
    gamma : {"scale", "median", "auto", "labels"} or float, default="scale"
        Coefficient of the kernels other than linear. "scale" is 1 / (d v) for d columns
        with overall variance v, "auto" 1 / d, and "median" :math:`1 / 2m^2` with the
        median distance m of 1000 random rows. "labels" is the one of ten values from
        1/128 to 4 with the best AUROC on rows that are held out: all labelled
        anomalies, which never train, and half of the labelled normal rows, or a tenth
        of the others if none is labelled. The machine is then fitted with these too.
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
        Of the choice of rows, and of those for "median" and "labels".

    Attributes
    ----------
    svm_ : sklearn.svm.OneClassSVM
        The fitted machine.
    n_iter_ : int
        Steps of the solver.
    gamma_ : float
        The coefficient in use.
    gamma_source_ : str
        Where it comes from, in words.
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
    gamma: Annotated[str, options("scale", "median", "auto", "labels")] | Positive = (
        "scale"
    )
    degree: Natural = 3
    coef0: Annotated[float, between(None, None, closed="neither")] = 0.0
    tol: Positive = 1e-3
    shrinking: bool = True
    cache_size: Positive = 200
    max_iter: Annotated[int, at_least(-1)] = -1
    scaling: Scaling = "standard"
    max_rows: Limit = 10_000
    random_state: RandomState = None

    uses_labels: ClassVar[bool] = cast(bool, _OnlyForGamma())

    # specs/deep_sad.md 5.3; specs/deep_unsupervised.md 7
    presets: ClassVar[dict[str, dict[str, Any]]] = {
        "deep-sad": {"nu": 0.1, "gamma": "labels", "scaling": "minmax"},
        "nrcan-2022": {"nu": 0.4, "scaling": "minmax"},
        "nrcan-2022-kdd": {"nu": 0.25, "scaling": "minmax"},
        "nrcan-2022-ids2017": {"nu": 0.01, "scaling": "minmax"},
        "nrcan-2022-ids2018": {"nu": 0.4, "scaling": "minmax"},
        "nrcan-2022-arrhythmia": {"nu": 0.4},
        "nrcan-2022-thyroid": {"nu": 0.05},
    }

    svm_: svm.OneClassSVM = fitted()
    n_iter_: int = fitted()
    gamma_: float = fitted()
    gamma_source_: str = fitted()
    scaler_: Scaler = fitted()

    def _fit(
        self, X: NDArray[Any], codes: labels.Codes, auxiliary: NDArray[Any] | None
    ) -> None:
        if self.gamma == "labels":
            X = self._choose_gamma(X, codes)
            rows = self._limited(X)
        else:
            self.scaler_ = tables.fit_scaler(X, self.scaling)
            rows = self._limited(X)
            self.gamma_ = _gamma(rows, self.gamma, self.random_state)
            self.gamma_source_ = f"gamma={self.gamma}"
        self.svm_ = self._machine(rows, self.gamma_)
        self.n_iter_ = int(self.svm_.n_iter_)

    def _limited(self, X: NDArray[Any]) -> Array:
        chosen = tables.limit_rows(
            X, self.max_rows, random_state=self.random_state, method="OCSVM"
        )
        return self._rows(chosen)

    def _machine(self, rows: Array, gamma: float) -> svm.OneClassSVM:
        machine = svm.OneClassSVM(
            kernel=self.kernel,
            nu=self.nu,
            gamma=gamma,
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
        return machine.fit(rows)

    def _choose_gamma(self, X: NDArray[Any], codes: labels.Codes) -> NDArray[Any]:
        """Take the gamma that tells anomalies best from rows held out; what may train.

        Raises
        ------
        LabelError
            When no row is labelled as an anomaly, or less than three others are there.
        """
        odd, X = X[codes == labels.ANOMALY], X[codes != labels.ANOMALY]
        if not len(odd) or len(X) < 3:
            raise LabelError(
                f'OCSVM(gamma="labels") needs a labelled anomaly and three other rows '
                f'to choose by, not {len(odd)} and {len(X)}; or use gamma="scale"'
            )
        self.scaler_ = tables.fit_scaler(X, self.scaling)
        normal = codes[codes != labels.ANOMALY] == labels.NORMAL
        out, kind = _held_out(normal, check_random_state(self.random_state))
        train = self._limited(np.delete(X, out, axis=0))
        asked = self._rows(np.concatenate([X[out], odd]))
        anomaly = np.arange(len(asked)) >= len(out)
        found = [
            roc_auc_score(anomaly, self._scores(asked, self._machine(train, g), g))
            for g in map(float, _GRID)
        ]
        self.gamma_ = float(_GRID[int(np.argmax(found))])
        self.gamma_source_ = (
            f"best AUROC ({max(found):.3f}) on {len(odd)} labelled anomalies and "
            f"{len(out)} {kind} rows held out"
        )
        return X

    def _anomaly_score(self, X: NDArray[Any]) -> Array:
        return self._scores(self._rows(X), self.svm_, self.gamma_)

    def _scores(self, rows: Array, machine: svm.OneClassSVM, gamma: float) -> Array:
        if self.kernel == "rbf":
            return _log_score(rows, machine, gamma)
        scores: Array = -machine.decision_function(rows)
        return scores

    def _rows(self, X: NDArray[Any]) -> Array:
        return self.scaler_.transform(tables.as_table(X))


def _held_out(
    normal: NDArray[np.bool_], random: np.random.RandomState
) -> tuple[NDArray[np.int64], str]:
    """Choose row indices to select gamma with, ascending, and return their labels."""
    kind, share = "labelled normal", _HELD_OUT
    candidates = np.flatnonzero(normal)
    if not len(candidates):
        kind, share = "unlabelled", _HELD_OUT_UNLABELLED
        candidates = np.arange(len(normal))
    count = max(1, int(share * len(candidates)))
    return np.sort(random.choice(candidates, count, replace=False)), kind


def _log_score(rows: Array, machine: svm.OneClassSVM, gamma: float) -> Array:
    """Compute the score of the module's docstring for the rbf kernel."""
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
