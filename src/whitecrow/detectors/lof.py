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
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components
from sklearn.neighbors import NearestNeighbors

from whitecrow import labels, tables
from whitecrow.detector import Detector
from whitecrow.errors import DataError
from whitecrow.parameters import Count, Limit, RandomState, Scaling, fitted, options
from whitecrow.scaling import Scaler

__all__ = ["LOF"]

logger = logging.getLogger(__name__)

# Rows as close as this, in units of the median distance to the middle, are equal: half
# of the digits of a float32, and about what rounding leaves of distances.
_SAME = 1e-7

Array = NDArray[np.float64]


class LOF(Detector):
    r"""Compare the density around a row with that around its neighbours.

    Unsupervised: `y` is ignored. Pictures become rows of pixels in [0, 1]. A row that
    equals a training row is not its own neighbour, so that training rows have the score
    of scikit-learn's `fit_predict` and new rows that of its `novelty=True`.

    Parameters
    ----------
    n_neighbors : int, default=20
        The number `k` of neighbours; at most half of the other training rows (then a
        warning is logged). More is smoother; it should exceed the size of groups of
        anomalies.
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
    least_rows_ : int
        The number `k` of neighbours in use.
    n_neighbors_ : int
        The different rows that :math:`d_k` counts: as many, or fewer where there are
        few different rows.
    same_ : float
        Rows no farther than this from each other count as equal.
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

    Notes
    -----
    NOTE[DIFF] Equal training rows, but for rounding, are one place with a weight, and
    :math:`d_k` counts places, as the paper advises (its k-distinct-distance): otherwise
    k + 1 equal rows have an infinite density, and everything near them an infinite
    score.

    NOTE[DIFF] With few places a row that is far from the rest would be one of the `k`
    nearest of all, and as dense as they are. There :math:`d_k` is the distance to
    `q < k` places times `q / k`: half of the other places, or as many as have `k` rows
    on average. Means are then over the nearest `k` rows, copies of a row first.

    NOTE[DIFF] For the same reason `k` is at most half of the other rows. scikit-learn
    takes all of them, and ranks a lone row among fifteen last.

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

    # specs/deep_unsupervised.md 7
    presets: ClassVar[dict[str, dict[str, Any]]] = {
        "nrcan-2022": {"n_neighbors": 20, "scaling": "minmax"},
        "nrcan-2022-kdd": {"n_neighbors": 100, "scaling": "minmax"},
        "nrcan-2022-ids": {"n_neighbors": 15, "scaling": "minmax"},
        "nrcan-2022-arrhythmia": {"n_neighbors": 50},
        "nrcan-2022-thyroid": {"n_neighbors": 20},
    }

    least_rows_: int = fitted()
    n_neighbors_: int = fitted()
    same_: float = fitted()
    train_: Array = fitted()
    counts_: NDArray[np.int64] = fitted()
    distance_: Array = fitted()
    reach_: Array = fitted()
    scaler_: Scaler = fitted()

    def _fit(
        self, X: NDArray[Any], codes: labels.Codes, auxiliary: NDArray[Any] | None
    ) -> None:
        chosen = tables.limit_rows(
            X, self.max_rows, random_state=self.random_state, method="LOF"
        )
        self.scaler_ = tables.centred(tables.fit_scaler(X, self.scaling), chosen)
        rows = self._rows(chosen)
        self.same_ = _rounding(rows, self.p)
        self.train_, self.counts_ = np.unique(rows, axis=0, return_counts=True)
        distances, neighbours = self._merge(len(chosen))
        place = self.n_neighbors_ - 1
        self.distance_ = distances[:, place] * self.n_neighbors_ / self.least_rows_
        # All are 0 where the squares of all differences are.
        self.distance_[self.distance_ == 0] = self.same_ or 1.0
        weights, copies = self._weights(neighbours, self.counts_ - 1)
        reach = np.maximum(distances, self.distance_[neighbours])
        self.reach_ = _weighted_mean(reach, weights, self.distance_, copies)

    def _merge(self, n: int) -> tuple[Array, NDArray[np.int64]]:
        """Make one place of rows that differ by rounding; the neighbours of places."""
        while True:
            self.least_rows_, self.n_neighbors_ = _usable(
                self.n_neighbors, len(self.train_), n
            )
            self._tree = self._build_tree()
            most = min(self._n_places(), len(self.train_) - 1)
            distances, neighbours = self._tree.kneighbors(n_neighbors=most)
            near = distances <= self.same_ if self.same_ > 0 else distances < 0
            if not near.any():
                return distances, neighbours
            place = _joined(near, neighbours)
            _, first = np.unique(place, return_index=True)
            self.train_ = self.train_[first]
            self.counts_ = np.bincount(place, self.counts_).astype(np.int64)

    def _anomaly_score(self, X: NDArray[Any]) -> Array:
        distances, neighbours, twin = self._neighbours(self._rows(X))
        # A row that equals a training row has the remaining copies of it as neighbours.
        copies = np.where(twin >= 0, self.counts_[twin] - 1, 0)
        weights, copies = self._weights(neighbours, copies)
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
        """Divide the score as the distances to the neighbours are."""
        rows = self._rows(X)
        _, neighbours, _ = self._neighbours(rows)
        weights, _ = self._weights(neighbours, np.zeros(len(rows), np.int64))
        parts = np.empty_like(rows)
        for i, row in enumerate(rows):
            parts[i] = weights[i] @ np.abs(row - self.train_[neighbours[i]]) ** self.p
        total = parts.sum(axis=1)
        parts *= (self._anomaly_score(X) / np.where(total > 0, total, 1))[:, None]
        return tables.as_pictures(parts, X.shape[1:])

    def _rows(self, X: NDArray[Any]) -> Array:
        return self.scaler_.transform(tables.as_table(X))

    def _build_tree(self) -> NearestNeighbors:
        tree = NearestNeighbors(
            n_neighbors=self._n_places(), p=self.p, n_jobs=self.n_jobs
        )
        return tree.fit(self.train_)

    def _n_rows(self) -> int:
        """Return `k`; models that were saved before have `n_neighbors_` alone."""
        return int(vars(self).get("least_rows_", self.n_neighbors_))

    def _n_places(self) -> int:
        """Return how many different rows to look at: these have `k` rows, and `d_k`."""
        return min(self._n_rows(), len(self.train_))

    def _weights(
        self, neighbours: NDArray[np.int64], copies: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Count how often each neighbour, and the row itself, enters a mean."""
        weights = np.where(neighbours < 0, 0, self.counts_[neighbours])
        if self._n_rows() == self.n_neighbors_:
            return weights, copies
        copies = np.minimum(copies, self._n_rows())
        left = self._n_rows() - copies[:, None] - np.cumsum(weights, axis=1) + weights
        return np.clip(left, 0, weights), copies

    def _neighbours(self, rows: Array) -> tuple[Array, NDArray[Any], NDArray[Any]]:
        """Distances and numbers of the neighbours, and of the equal row (or -1)."""
        if not hasattr(self, "_tree"):
            # A loaded detector has the rows only; the tree follows from them.
            self._tree = self._build_tree()
        return tables.other_neighbours(
            self._tree,
            self.train_,
            rows,
            self._n_places(),
            same=vars(self).get("same_", 0.0),
        )


def _weighted_mean(
    values: Array,
    weights: NDArray[np.int64],
    own: Array,
    own_weights: NDArray[np.int64],
) -> Array:
    """Average over the neighbours (columns) and the copies of the row itself."""
    total = (values * weights).sum(axis=1) + own * own_weights
    mean: Array = total / (weights.sum(axis=1) + own_weights)
    return mean


def _rounding(rows: Array, p: int) -> float:
    """Estimate how close rows are that differ by rounding alone."""
    middle: Array = np.median(rows, axis=0)
    distances = np.linalg.norm(rows - middle, ord=p, axis=1)
    distances = distances[distances > 0]
    return _SAME * float(np.median(distances)) if len(distances) else 0.0


def _joined(near: NDArray[np.bool_], neighbours: NDArray[np.int64]) -> NDArray[Any]:
    """Assign a number to each group of rows that are near each other."""
    n = len(near)
    edges: Any = (near[near], (np.nonzero(near)[0], neighbours[near]))
    place: NDArray[Any] = connected_components(csr_array(edges, shape=(n, n)))[1]
    return place


def _usable(n_neighbors: int, n_different: int, n: int) -> tuple[int, int]:
    """Count the rows that are neighbours, and the different ones among them.

    Half of the others at most: with all of them as neighbours a row far from the rest
    would be a neighbour of all, and as dense as they are.
    """
    if n_different < 2:
        raise DataError(
            f"LOF compares rows with their neighbours; X has n_samples = {n} and "
            f"{n_different} different row: give at least 2 different ones"
        )
    used = min(n_neighbors, max(1, (n - 1) // 2))
    if used < n_neighbors:
        logger.warning(
            "n_neighbors=%d is too many for %d rows; using %d", n_neighbors, n, used
        )
    others = n_different - 1
    return used, min(used, others, max(1, others // 2, -(-used * n_different // n)))
