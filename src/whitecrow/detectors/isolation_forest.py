r"""Isolation Forest (Liu, Ting and Zhou, 2008): anomalies are easy to cut off.

Each tree cuts a small sample of the rows with random thresholds of random columns until
every row is alone. With :math:`h_t(x)` the number of cuts that isolate `x` in tree `t`
and :math:`c(\psi)` their mean in a random tree of :math:`\psi` rows,

.. math:: s(x) = 2^{-\frac{1}{T} \sum_t h_t(x) / c(\psi)} \in (0, 1).
"""

from __future__ import annotations

from dataclasses import KW_ONLY
from numbers import Integral
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from sklearn import ensemble

from whitecrow import labels, tables
from whitecrow.detector import Detector
from whitecrow.errors import ParameterError
from whitecrow.parameters import Auto, Count, RandomState, Scaling, between, fitted
from whitecrow.scaling import Scaler

__all__ = ["IsolationForest"]

# scikit-learn's trees compute in float32.
_LARGEST = float(np.finfo(np.float32).max)

# A column so many spreads away from 0 loses digits there. Up to this many rows tell.
_FAR, _SAMPLE = 1000.0, 10_000


class IsolationForest(Detector):
    r"""Score rows by how few random cuts isolate them.

    The forest is scikit-learn's, and so is the score, to the last bit, where float32
    holds the columns. It is unsupervised: `y` is ignored. Pictures become rows of
    pixels in [0, 1].

    Parameters
    ----------
    n_estimators : int, default=100
        Trees.
    max_samples : "auto", int or float in (0, 1], default="auto"
        Rows for each tree, as a number or a share; "auto" is 256, or all if fewer.
    max_features : int or float in (0, 1], default=1.0
        Columns for each tree.
    bootstrap : bool, default=False
        Draw the rows of a tree with replacement.
    scaling : {"none", "standard", "minmax", "robust"}, default="none"
        The cuts depend neither on units nor on where 0 is.
    contamination : "auto" or float in (0, 0.5], default="auto"
        Share of training rows to call anomalies.
    n_jobs : int or None, default=None
        Processes for fitting.
    random_state : int, RandomState or None, default=None
        Of samples, columns and thresholds.

    Attributes
    ----------
    forest_ : sklearn.ensemble.IsolationForest
        The fitted forest.
    scaler_ : Scaler
        Of the columns. One that is more than 1000 times its spread away from 0, such as
        times in seconds, is shifted to its middle: trees compute in float32, where all
        its values would be equal.
    offset_, threshold_source_, input_shape_, typical_
        As in `whitecrow.detector.Detector`.

    Notes
    -----
    NOTE[DIFF] scikit-learn casts columns far from 0 to float32 as they are, and scores
    all rows alike where that leaves one value. Columns nearer to 0 are not shifted, and
    their scores are those of scikit-learn.

    References
    ----------
    Liu, Ting and Zhou, Isolation Forest, ICDM 2008.

    Examples
    --------
    >>> import numpy as np
    >>> from whitecrow.detectors.isolation_forest import IsolationForest
    >>> X = np.random.default_rng(0).normal(size=(500, 3))
    >>> detector = IsolationForest(random_state=0).fit(X)
    >>> detector.anomaly_score([[0.0, 0.0, 0.0], [5.0, 5.0, 5.0]]).round(1).tolist()
    [0.4, 0.7]
    """

    _: KW_ONLY
    n_estimators: Count = 100
    max_samples: Auto | Count | Annotated[float, between(0, 1, closed="right")] = "auto"
    max_features: Count | Annotated[float, between(0, 1, closed="right")] = 1.0
    bootstrap: bool = False
    scaling: Scaling = "none"
    n_jobs: int | None = None
    random_state: RandomState = None

    forest_: ensemble.IsolationForest = fitted()
    scaler_: Scaler = fitted()

    def _fit(
        self, X: NDArray[Any], codes: labels.Codes, auxiliary: NDArray[Any] | None
    ) -> None:
        n_columns = tables.as_table(X[:1]).shape[1]
        share = not isinstance(self.max_features, Integral)
        if not share and self.max_features > n_columns:
            raise ParameterError(
                f"max_features={self.max_features} is more than the {n_columns} "
                "columns of X; use at most that, or a share such as 1.0"
            )
        self.scaler_ = _near_zero(tables.fit_scaler(X, self.scaling), X)
        forest = ensemble.IsolationForest(
            n_estimators=self.n_estimators,
            max_samples=_plain(self.max_samples),
            max_features=_plain(self.max_features),
            bootstrap=self.bootstrap,
            n_jobs=self.n_jobs,
            random_state=self.random_state,
        )
        self.forest_ = forest.fit(self._rows(X))

    def _anomaly_score(self, X: NDArray[Any]) -> NDArray[np.float64]:
        scores: NDArray[np.float64] = -self.forest_.score_samples(self._rows(X))
        return scores

    def _rows(self, X: NDArray[Any]) -> NDArray[np.float32]:
        # In float64, so that only what float32 cannot hold is put at its limit.
        rows = self.scaler_.transform(tables.as_table(X))
        return np.clip(rows, -_LARGEST, _LARGEST, out=rows).astype(np.float32)


def _near_zero(scaler: Scaler, X: NDArray[Any]) -> Scaler:
    """Shift columns that are far from 0 to their middle in a copy of the scaler."""
    every = -(-len(X) // _SAMPLE)
    rows = scaler.transform(tables.as_table(X[::every]))
    lower, middle, upper = np.quantile(rows, [0.25, 0.5, 0.75], axis=0, method="lower")
    spread = np.where(upper > lower, upper - lower, rows.std(axis=0))
    far = (np.abs(middle) > _FAR * spread) & (np.ptp(rows, axis=0) > 0)
    return Scaler(
        np.where(far, scaler.center + scaler.scale * middle, scaler.center),
        scaler.scale,
    )


def _plain(number: Any) -> Any:
    """Convert a share of numpy's types to a float: scikit-learn knows only Python's."""
    whole = isinstance(number, Integral | str)
    return number if whole else float(number)
