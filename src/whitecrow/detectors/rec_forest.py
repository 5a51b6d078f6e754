r"""RecForest (Xu et al., 2021): what a random forest cannot reconstruct is odd.

Every tree cuts the training rows with random thresholds of random columns until each is
alone. The cuts on the way of a row `x` through a tree leave a box
:math:`[\ell, u]` around it, within the box of all training rows. With the intersection
of the boxes of all trees, column by column,

.. math::

    \hat x_j = \tfrac{1}{2} \bigl( \max_t \ell^t_j(x) + \min_t u^t_j(x) \bigr), \qquad
    s(x) = \sum_j (x_j - \hat x_j)^2.

Where training rows are dense, cuts are too, and the box is small. Beyond the training
rows the reconstruction stays at their border, and the score grows with the square of
the distance. Explanations are exact: :math:`(x_j - \hat x_j)^2`; its root is what the
paper calls the outlying attributes.

Source: specs/deep_unsupervised.md 2.11.
"""

from __future__ import annotations

from dataclasses import KW_ONLY
from typing import Annotated, Any, ClassVar

import numpy as np
from joblib import Parallel, delayed, effective_n_jobs
from numpy.typing import NDArray
from sklearn.ensemble import ExtraTreesRegressor
from sklearn.utils import check_random_state

from whitecrow import labels, tables
from whitecrow.detector import Detector
from whitecrow.parameters import Count, RandomState, Scaling, between, fitted
from whitecrow.scaling import Scaler

__all__ = ["RecForest"]

Array = NDArray[np.float64]
Boxes = NDArray[np.float32]

# scikit-learn's trees compute in float32.
_LARGEST = float(np.finfo(np.float32).max)

# Numbers of the boxes of rows that one loop over the trees goes through (32 MiB), and
# of those that are updated at once, so that they stay in the processor's cache (1 MiB).
_CHUNK = 2**23
_BLOCK = 2**18


class RecForest(Detector):
    r"""Distance of a row to the middle of its box in a forest of random trees.

    Unsupervised: `y` is ignored. Pictures become rows of pixels in [0, 1].

    Parameters
    ----------
    n_estimators : int, default=100
        Trees.
    max_depth : int or None, default=None
        Cuts on the way through a tree, at most; None cuts until rows are alone.
    max_samples : int, float in (0, 1] or None, default=1000
        Rows for each tree, as a number or a share, drawn with replacement; None is all
        of them, once, and so is a number that exceeds them.
    scaling : {"minmax", "standard", "robust", "none"}, default="minmax"
        Of the columns of a table: the cuts do not depend on units, but the score does.
    contamination : "auto" or float in (0, 0.5], default="auto"
        Share of training rows to call anomalies.
    n_jobs : int or None, default=None
        Threads for fitting and scoring.
    random_state : int, RandomState or None, default=None
        Of samples, columns and thresholds.

    Attributes
    ----------
    forest_ : sklearn.ensemble.ExtraTreesRegressor
        The trees, fitted to random targets.
    box_ : ndarray of float32, shape (2, d)
        Least and largest scaled value of each column in the training rows.
    scaler_ : Scaler
        Of the columns.
    offset_, threshold_source_, input_shape_, typical_
        As in `whitecrow.detector.Detector`.

    Notes
    -----
    NOTE[DIFF] The paper's trees see all training rows. A thousand each give scores as
    good, and a forest whose size does not grow with the rows.

    NOTE[DIFF] The score is in scaled units, so that columns are comparable. A value
    that equals a threshold goes to the left, as in scikit-learn, not to the right;
    with random thresholds that hardly ever happens.

    References
    ----------
    Xu et al., Reconstruction-based Anomaly Detection with Completely Random Forest,
    SDM 2021.

    Examples
    --------
    >>> import numpy as np
    >>> from whitecrow.detectors.rec_forest import RecForest
    >>> x = np.random.default_rng(0).normal(size=500)
    >>> detector = RecForest(random_state=0).fit(np.stack([x, x, -x], axis=1))
    >>> usual, odd = detector.anomaly_score([[1.0, 1.0, -1.0], [1.0, -1.0, -1.0]])
    >>> bool(odd > 10 * usual)
    True
    """

    explanation: ClassVar[str] = "exact"

    _: KW_ONLY
    n_estimators: Count = 100
    max_depth: Count | None = None
    max_samples: Count | Annotated[float, between(0, 1, closed="right")] | None = 1000
    scaling: Scaling = "minmax"
    n_jobs: int | None = None
    random_state: RandomState = None

    forest_: ExtraTreesRegressor = fitted()
    box_: Boxes = fitted()
    scaler_: Scaler = fitted()

    def _fit(
        self, X: NDArray[Any], codes: labels.Codes, auxiliary: NDArray[Any] | None
    ) -> None:
        self.scaler_ = tables.fit_scaler(X, self.scaling)
        rows = _float32(self._rows(X))
        self.box_ = np.stack([rows.min(axis=0), rows.max(axis=0)])
        random = check_random_state(self.random_state)
        sampled = self._sampled(len(rows))
        forest = ExtraTreesRegressor(
            self.n_estimators,
            # The one candidate for a cut is a random threshold of a random column.
            max_features=1,
            max_depth=self.max_depth,
            bootstrap=sampled is not None,
            max_samples=sampled,
            n_jobs=self.n_jobs,
            random_state=random.randint(2**31 - 1),
        )
        self.forest_ = forest.fit(rows, random.uniform(size=len(rows)))

    def _sampled(self, n: int) -> int | float | None:
        """Rows to draw for each tree; None if it takes all of them."""
        given = self.max_samples
        whole = isinstance(given, int | np.integer)
        return None if given is None or (whole and given >= n) else given

    def _anomaly_score(self, X: NDArray[Any]) -> Array:
        scores = np.empty(len(X))

        def score(chunk: slice) -> None:
            scores[chunk] = np.square(self._residuals(X[chunk])).sum(axis=1)

        share = -(-len(X) // effective_n_jobs(self.n_jobs))
        height = max(1, min(share, _CHUNK // self.box_.size))
        Parallel(self.n_jobs, prefer="threads")(
            delayed(score)(slice(start, start + height))
            for start in range(0, len(X), height)
        )
        return scores

    def _contributions(self, X: NDArray[Any]) -> Array:
        return tables.as_pictures(np.square(self._residuals(X)), X.shape[1:])

    def _residuals(self, X: NDArray[Any]) -> Array:
        """Scaled rows less their reconstruction."""
        rows = self._rows(X)
        trees = [member.tree_ for member in self.forest_.estimators_]
        lower, upper = boxes(trees, _float32(rows), self.box_)
        rows -= lower / 2
        rows -= upper / 2
        return rows

    def _rows(self, X: NDArray[Any]) -> Array:
        return self.scaler_.transform(tables.as_table(X))


def boxes(trees: list[Any], rows: Boxes, box: Boxes) -> tuple[Boxes, Boxes]:
    """The intersection of the boxes that all trees put around each row.

    Parameters
    ----------
    trees : list of sklearn.tree._tree.Tree
        Their cuts: rows up to the threshold go to the left.
    rows : ndarray of float32, shape (n, d)
        Where.
    box : ndarray of float32, shape (2, d)
        Around all training rows.

    Returns
    -------
    lower, upper : ndarray of float32, shape (n, d)
    """
    n, d = rows.shape
    # Lower bounds, and upper bounds with their sign changed: both can only grow.
    bounds = np.tile(_signed(box), (n, 1))
    height = max(1, _BLOCK // (2 * d))
    for tree in trees:
        leaves = tree.apply(rows)
        table, place = leaf_bounds(tree, leaves, _signed(box))
        for start in range(0, n, height):
            part = bounds[start : start + height]
            np.maximum(part, table[place[leaves[start : start + height]]], out=part)
    return bounds[:, :d], np.negative(bounds[:, d:], out=bounds[:, d:])


def leaf_bounds(
    tree: Any, leaves: NDArray[np.int64], start: Boxes
) -> tuple[Boxes, NDArray[np.int64]]:
    """Boxes of the given leaves of a tree, level by level from the root.

    Parameters
    ----------
    tree : sklearn.tree._tree.Tree
        With its cuts.
    leaves : ndarray of int64
        Their numbers; they may repeat.
    start : ndarray of float32, shape (2 * d,)
        Lower and minus upper bounds of the root.

    Returns
    -------
    bounds : ndarray of float32, shape (m, 2 * d)
        Of the leaves and of all nodes above them.
    place : ndarray of int64, shape (n_nodes,)
        Where the box of a node is.
    """
    # Each of these is a new view whenever it is asked for.
    left, right = tree.children_left, tree.children_right
    feature, threshold = tree.feature, tree.threshold
    needed = _with_ancestors(left, right, leaves)
    place = np.cumsum(needed) - 1
    bounds = np.empty((place[-1] + 1, len(start)), dtype=np.float32)
    bounds[0] = start
    nodes = np.zeros(1, dtype=np.int64)
    while len(nodes):
        level = []
        nodes = nodes[left[nodes] >= 0]
        # Left of a cut is an upper bound, right of it a lower one.
        for children, sign, offset in ((left, -1, len(start) // 2), (right, 1, 0)):
            parents = nodes[needed[children[nodes]]]
            below, column = place[children[parents]], feature[parents] + offset
            bounds[below] = bounds[place[parents]]
            cuts = (sign * threshold[parents]).astype(np.float32)
            bounds[below, column] = np.maximum(bounds[below, column], cuts)
            level.append(children[parents])
        nodes = np.concatenate(level)
    return bounds, place


def _with_ancestors(
    left: NDArray[np.int64], right: NDArray[np.int64], leaves: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Which nodes are on the way to the leaves."""
    parent = np.zeros(len(left), dtype=np.int64)
    inner = np.flatnonzero(left >= 0)
    parent[left[inner]] = inner
    parent[right[inner]] = inner
    needed = np.zeros(len(left), dtype=np.bool_)
    needed[leaves] = True
    nodes = np.flatnonzero(needed)
    while len(nodes):
        nodes = parent[nodes]
        nodes = nodes[~needed[nodes]]
        needed[nodes] = True
    return needed


def _float32(rows: Array) -> Boxes:
    return np.clip(rows, -_LARGEST, _LARGEST).astype(np.float32)


def _signed(box: Boxes) -> Boxes:
    return np.concatenate([box[0], -box[1]])
