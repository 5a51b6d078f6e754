r"""Distance to the nearest neighbours: an anomaly has nobody close to it.

With :math:`d_1(x) \le \dots \le d_k(x)` the distances to the `k` nearest training rows,

.. math::

    \text{mean: } s(x) = \frac{1}{k} \sum_{i \le k} d_i(x), \qquad
    \text{max: } s(x) = d_k(x), \qquad
    \text{median: } s(x) = \operatorname{median}_{i \le k} d_i(x).

"max" is the score of Ramaswamy et al. (2000), "mean" that of Angiulli and Pizzuti
(2002), who take the sum. Explanations are exact: each distance is divided among the
columns as its (squared) differences are.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import KW_ONLY
from numbers import Real
from typing import Annotated, Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.neighbors import NearestNeighbors

from whitecrow import labels, tables
from whitecrow.detector import Detector
from whitecrow.errors import DataError
from whitecrow.parameters import Count, Limit, RandomState, Scaling, fitted, options
from whitecrow.scaling import Scaler

__all__ = ["KNN"]

logger = logging.getLogger(__name__)

Array = NDArray[np.float64]

# Numbers held at once while scoring and explaining: 32 MiB.
_BLOCK = 2**22


class KNN(Detector):
    r"""Score rows by the distance to their nearest training rows.

    Unsupervised: `y` is ignored. Pictures become rows of pixels in [0, 1]. A row that
    equals a training row is compared with the other ones only (leave one out), so that
    training rows have scores like those of new rows.

    Parameters
    ----------
    n_neighbors : int, default=50
        The number `k` of neighbours; at most the number of training rows less 1 (then
        a warning is logged). It should exceed the size of groups of anomalies.
    aggregate : {"mean", "max", "median"}, default="mean"
        Of the distances to the neighbours.
    p : {1, 2}, default=2
        Manhattan or Euclidean distance.
    scaling : {"standard", "minmax", "robust", "none"}, default="standard"
        Of the columns of a table: distances depend on units.
    max_rows : int or None, default=20000
        With more training rows, this many chosen at random: with many columns the cost
        of fitting grows with the square of their number. A warning is logged.
    contamination : "auto" or float in (0, 0.5], default="auto"
        Share of training rows to call anomalies.
    n_jobs : int or None, default=None
        Threads for the search of neighbours.
    random_state : int, RandomState or None, default=None
        Of the choice of rows.

    Attributes
    ----------
    n_neighbors_ : int
        The number of neighbours in use.
    train_ : ndarray of shape (m, d)
        Scaled training rows.
    scaler_ : Scaler
        Of the columns.
    offset_, threshold_source_, input_shape_, typical_
        As in `whitecrow.detector.Detector`.

    Notes
    -----
    NOTE[DIFF] Angiulli and Pizzuti take the sum of the distances; the mean ranks alike
    and does not grow with `n_neighbors`. Both papers score the rows of one table; new
    rows are compared with those of training.

    References
    ----------
    Ramaswamy, Rastogi and Shim, Efficient Algorithms for Mining Outliers from Large
    Data Sets, SIGMOD 2000. Angiulli and Pizzuti, Fast Outlier Detection in High
    Dimensional Spaces, PKDD 2002.

    Examples
    --------
    >>> import numpy as np
    >>> from whitecrow.detectors.knn import KNN
    >>> detector = KNN(n_neighbors=2, scaling="none").fit([[0.0], [1.0], [2.0], [9.0]])
    >>> detector.anomaly_score([[1.5], [9.0], [11.0]]).tolist()
    [0.5, 7.5, 5.5]
    """

    explanation: ClassVar[str] = "exact"

    _: KW_ONLY
    n_neighbors: Count = 50
    aggregate: Annotated[str, options("mean", "max", "median")] = "mean"
    p: Annotated[int, options(1, 2, kind=Real)] = 2
    scaling: Scaling = "standard"
    max_rows: Limit = 20_000
    n_jobs: int | None = None
    random_state: RandomState = None

    n_neighbors_: int = fitted()
    train_: Array = fitted()
    scaler_: Scaler = fitted()

    def _fit(
        self, X: NDArray[Any], codes: labels.Codes, auxiliary: NDArray[Any] | None
    ) -> None:
        chosen = tables.limit_rows(
            X, self.max_rows, random_state=self.random_state, method="KNN"
        )
        self.n_neighbors_ = _usable(self.n_neighbors, len(chosen))
        self.scaler_ = tables.centred(tables.fit_scaler(X, self.scaling), chosen)
        self.train_ = self._rows(chosen)
        self._tree = self._build_tree()

    def _anomaly_score(self, X: NDArray[Any]) -> Array:
        weights = _weights(self.aggregate, self.n_neighbors_)
        scores = np.empty(len(X))
        for block, rows in self._blocks(X, 1):
            scores[block] = self._neighbours(rows)[0] @ weights
        return scores

    def _contributions(self, X: NDArray[Any]) -> Array:
        weights = _weights(self.aggregate, self.n_neighbors_)
        parts = np.empty((len(X), self.train_.shape[1]))
        for block, rows in self._blocks(X, self.train_.shape[1]):
            distances, neighbours = self._neighbours(rows)
            differences = np.abs(rows[:, None] - self.train_[neighbours])
            # Of the power p of a distance, each column has the power p of its own.
            shares = np.divide(
                weights,
                distances ** (self.p - 1),
                out=np.zeros_like(distances),
                where=distances > 0,
            )
            parts[block] = np.einsum("nk,nkd->nd", shares, differences**self.p)
        return tables.as_pictures(parts, X.shape[1:])

    def _blocks(self, X: NDArray[Any], width: int) -> Iterator[tuple[slice, Array]]:
        """Scaled rows, as many at a time as memory for their neighbours allows."""
        each = max((self.n_neighbors_ + 1) * width, X[0].size)
        height = max(1, _BLOCK // each)
        for start in range(0, len(X), height):
            rows = self._rows(X[start : start + height])
            yield slice(start, start + len(rows)), rows

    def _neighbours(self, rows: Array) -> tuple[Array, NDArray[np.int64]]:
        """Distances (n, k), the nearest first, and numbers of the neighbours."""
        if not hasattr(self, "_tree"):
            # A loaded detector has the rows only; the tree follows from them.
            self._tree = self._build_tree()
        distances, neighbours, _ = tables.other_neighbours(
            self._tree, self.train_, rows, self.n_neighbors_
        )
        return distances, neighbours

    def _build_tree(self) -> NearestNeighbors:
        tree = NearestNeighbors(
            n_neighbors=self.n_neighbors_, p=self.p, n_jobs=self.n_jobs
        )
        return tree.fit(self.train_)

    def _rows(self, X: NDArray[Any]) -> Array:
        return self.scaler_.transform(tables.as_table(X))


def _weights(aggregate: str, k: int) -> Array:
    """Weigh each of `k` ascending distances as it counts in the score."""
    weights = np.zeros(k)
    chosen = {
        "mean": slice(None),
        "max": slice(k - 1, None),
        "median": slice((k - 1) // 2, k // 2 + 1),
    }[aggregate]
    weights[chosen] = 1 / len(weights[chosen])
    return weights


def _usable(n_neighbors: int, n: int) -> int:
    if n < 2:
        raise DataError(
            f"KNN compares rows with each other; X has n_samples = {n}, give at least 2"
        )
    if n_neighbors >= n:
        logger.warning(
            "n_neighbors=%d is too many for %d rows; using %d", n_neighbors, n, n - 1
        )
    return min(n_neighbors, n - 1)
