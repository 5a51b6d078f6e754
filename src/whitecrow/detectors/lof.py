r"""Local outlier factor (Breunig et al., 2000): sparser than the neighbours are.

With :math:`N(x)` the `k` nearest training rows and :math:`d_k(o)` the distance of row
`o` to its own k-th neighbour,

.. math::

    r(x) = \frac{1}{|N(x)|} \sum_{o \in N(x)} \max(d_k(o), \|x - o\|), \qquad
    s(x) = \frac{1}{|N(x)|} \sum_{o \in N(x)} \frac{r(x)}{r(o)},

where :math:`1 / r` is the local reachability density. About 1 in the middle of any
cluster, dense or sparse; larger for rows that are far from it on its own scale.
"""

from __future__ import annotations

import logging
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

__all__ = ["LOF"]

logger = logging.getLogger(__name__)

# Of the median distance to the k-th neighbour: below, rounding decides.
_LEAST_DISTANCE = 1e-6

Array = NDArray[np.float64]


class LOF(Detector):
    r"""Density against the density around the nearest neighbours.

    Unsupervised: `y` is ignored. Pictures become rows of pixels in [0, 1]. A row that
    equals a training row is not its own neighbour, so that training rows have the score
    of scikit-learn's `fit_predict` and new rows that of its `novelty=True`.

    NOTE[DIFF] Equal training rows count as one place with a weight, as the paper
    advises (its k-distinct-distance). Otherwise k + 1 equal rows have an infinite
    density, and everything near them an infinite score. For the same reason no
    :math:`d_k` is below a millionth of their median.

    Parameters
    ----------
    n_neighbors : int, default=20
        The number `k` of neighbours; at most the number of different training rows
        less 1, and fewer where few different rows have many copies (then a warning is
        logged). More is smoother; it should exceed the size of groups of anomalies.
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
        Scaled training rows, each once.
    counts_ : ndarray of shape (m,)
        How often each occurs.
    distance_, reach_ : ndarray of shape (m,)
        :math:`d_k` and :math:`r` of each.
    scaler_ : Scaler
        Of the columns.
    offset_, threshold_source_, input_shape_, typical_
        As in `whitecrow.detector.Detector`.

    References
    ----------
    Breunig, Kriegel, Ng and Sander, LOF: Identifying Density-Based Local Outliers,
    SIGMOD 2000.

    Examples
    --------
    >>> import numpy as np
    >>> from whitecrow.detectors.lof import LOF
    >>> X = np.random.default_rng(0).normal(size=(500, 2))
    >>> LOF().fit(X).anomaly_score([[0.0, 0.0], [4.0, 4.0]]).round(1).tolist()
    [1.0, 5.0]
    """

    explanation: ClassVar[str] = "exact"

    _: KW_ONLY
    n_neighbors: Count = 20
    p: Annotated[int, options(1, 2, kind=Real)] = 2
    scaling: Scaling = "standard"
    max_rows: Limit = 20_000
    n_jobs: int | None = None
    random_state: RandomState = None

    n_neighbors_: int = fitted()
    train_: Array = fitted()
    counts_: NDArray[np.int64] = fitted()
    distance_: Array = fitted()
    reach_: Array = fitted()
    scaler_: Scaler = fitted()

    def _fit(
        self, X: NDArray[Any], codes: labels.Codes, auxiliary: NDArray[Any] | None
    ) -> None:
        self.scaler_ = tables.fit_scaler(X, self.scaling)
        chosen = tables.limit_rows(
            X, self.max_rows, random_state=self.random_state, method="LOF"
        )
        self.train_, self.counts_ = np.unique(
            self._rows(chosen), axis=0, return_counts=True
        )
        self.n_neighbors_ = _usable(self.n_neighbors, len(self.train_), len(chosen))
        self._tree = self._build_tree()
        distances, neighbours = self._tree.kneighbors()
        self.distance_ = _above_rounding(distances[:, -1])
        self.reach_ = _weighted_mean(
            np.maximum(distances, self.distance_[neighbours]),
            self.counts_[neighbours],
            self.distance_,
            self.counts_ - 1,
        )

    def _anomaly_score(self, X: NDArray[Any]) -> Array:
        distances, neighbours, twin = self._neighbours(self._rows(X))
        weights = self.counts_[neighbours]
        # A row that equals a training row has the remaining copies of it as neighbours.
        copies = np.where(twin >= 0, self.counts_[twin] - 1, 0)
        reach = _weighted_mean(
            np.maximum(distances, self.distance_[neighbours]),
            weights,
            self.distance_[twin],
            copies,
        )
        density = _weighted_mean(
            1 / self.reach_[neighbours], weights, 1 / self.reach_[twin], copies
        )
        return reach * density

    def _contributions(self, X: NDArray[Any]) -> Array:
        """The score, divided as the distances to the neighbours are."""
        rows = self._rows(X)
        _, neighbours, _ = self._neighbours(rows)
        parts = np.empty_like(rows)
        for i, row in enumerate(rows):
            weights = self.counts_[neighbours[i]]
            parts[i] = weights @ np.abs(row - self.train_[neighbours[i]]) ** self.p
        total = parts.sum(axis=1)
        parts *= (self._anomaly_score(X) / np.where(total > 0, total, 1))[:, None]
        return tables.as_pictures(parts, X.shape[1:])

    def _rows(self, X: NDArray[Any]) -> Array:
        return self.scaler_.transform(tables.as_table(X))

    def _build_tree(self) -> NearestNeighbors:
        tree = NearestNeighbors(
            n_neighbors=self.n_neighbors_, p=self.p, n_jobs=self.n_jobs
        )
        return tree.fit(self.train_)

    def _neighbours(self, rows: Array) -> tuple[Array, NDArray[Any], NDArray[Any]]:
        """Distances and numbers of the neighbours, and of the equal row (or -1)."""
        if not hasattr(self, "_tree"):
            # A loaded detector has the rows only; the tree follows from them.
            self._tree = self._build_tree()
        return tables.other_neighbours(self._tree, self.train_, rows, self.n_neighbors_)


def _weighted_mean(
    values: Array,
    weights: NDArray[np.int64],
    own: Array,
    own_weights: NDArray[np.int64],
) -> Array:
    """Mean over the neighbours (columns) and the copies of the row itself."""
    total = (values * weights).sum(axis=1) + own * own_weights
    mean: Array = total / (weights.sum(axis=1) + own_weights)
    return mean


def _above_rounding(distances: Array) -> Array:
    """Raise distances to the k-th neighbour to where more than rounding is left.

    Near copies, as of readings that were converted and back, have such distances, or 0:
    the densities there, and the scores of all rows around, would be infinite.
    """
    least = _LEAST_DISTANCE * float(np.median(distances))
    return np.maximum(distances, least or 1.0)


def _usable(n_neighbors: int, n_different: int, n: int) -> int:
    """How many different rows are neighbours.

    Where there are few different rows with many copies, half of the others at most, or
    else as many as have `n_neighbors` copies on average: with all of them as neighbours
    a row far from the rest would be a neighbour of all, and as dense as they are.
    """
    if n_different < 2:
        raise DataError(
            f"LOF compares rows with their neighbours; X has n_samples = {n} and "
            f"{n_different} different row: give at least 2 different ones"
        )
    others = n_different - 1
    local = max(1, others // 2, -(-n_neighbors * n_different // n))
    used = min(n_neighbors, others, local)
    if used < n_neighbors:
        logger.warning(
            "n_neighbors=%d is too many for %d different rows; using %d",
            n_neighbors,
            n_different,
            used,
        )
    return used
