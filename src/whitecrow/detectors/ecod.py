r"""ECOD (Li et al., 2022): a row is odd when its values lie in the tails of columns.

With the shares of training rows at or below, and at or above, a value,

.. math::

    L_j(x) = -\log \frac{|\{i : x_{ij} \le x_j\}|}{n}, \qquad
    R_j(x) = -\log \frac{|\{i : x_{ij} \ge x_j\}|}{n},

and :math:`A_j = L_j` for columns that are skewed to the left, else :math:`R_j`,

.. math::

    \text{columns: } s(x) = \sum_j \max(L_j, R_j), \qquad
    \text{rows: } s(x) = \max \Bigl( \sum_j L_j, \sum_j R_j, \sum_j A_j \Bigr).

"rows" is the paper's score, "columns" that of the authors' code. Beyond the training
values the tail goes on as a power law, so that no score is infinite and farther rows
score higher: `e` standard deviations beyond, :math:`\log n + \log (1 + e)`.
"""

from __future__ import annotations

from dataclasses import KW_ONLY
from typing import Annotated, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from whitecrow import labels, tables
from whitecrow.detector import Detector
from whitecrow.parameters import fitted, options
from whitecrow.scaling import Scaler

__all__ = ["ECOD"]

Array = NDArray[np.float64]

# Numbers held at once while scoring: 32 MiB.
_BLOCK = 2**22


class ECOD(Detector):
    r"""Score rows by how far in the tails their values are, column by column.

    Unsupervised: `y` is ignored. Nothing to tune; units do not matter. Pictures become
    rows of pixels in [0, 1]. The fitted detector holds as many numbers as the training
    rows.

    Parameters
    ----------
    combine : {"columns", "rows"}, default="columns"
        Take the less likely tail in each column, or the least likely of three sums of
        tails in each row.
    contamination : "auto" or float in (0, 0.5], default="auto"
        Share of training rows to call anomalies.

    Attributes
    ----------
    sorted_ : ndarray of shape (d, n)
        Scaled training values of each column, ascending.
    left_ : ndarray of bool, shape (d,)
        Which columns are skewed to the left.
    scaler_ : Scaler
        Of the columns, for distances beyond the training values.
    offset_, threshold_source_, input_shape_, typical_
        As in `whitecrow.detector.Detector`.

    Notes
    -----
    NOTE[DIFF] The authors' code sums the less likely tail of each column, their paper
    takes the largest of three sums over the columns. The default is the code's: it
    ranks a little better.

    NOTE[DIFF] In PyOD new rows enter the distribution that they are compared with, so
    that a score depends on the company. Here the distribution is that of the training
    rows, and beyond it the tail goes on.

    References
    ----------
    Li, Zhao, Hu, Botta, Ionescu and Chen, ECOD: Unsupervised Outlier Detection Using
    Empirical Cumulative Distribution Functions, TKDE 2022.

    Examples
    --------
    >>> import numpy as np
    >>> from whitecrow.detectors.ecod import ECOD
    >>> X = np.random.default_rng(0).normal(size=(1000, 3))
    >>> ECOD().fit(X).anomaly_score([[0.0, 0.0, 0.0], [0.0, 3.0, 0.0]]).round().tolist()
    [2.0, 8.0]
    """

    explanation: ClassVar[str] = "exact"

    _: KW_ONLY
    combine: Annotated[str, options("columns", "rows")] = "columns"

    sorted_: Array = fitted()
    left_: NDArray[np.bool_] = fitted()
    scaler_: Scaler = fitted()

    def _fit(
        self, X: NDArray[Any], codes: labels.Codes, auxiliary: NDArray[Any] | None
    ) -> None:
        self.scaler_ = tables.fit_scaler(X, "standard")
        rows = self.scaler_.transform(tables.as_table(X))
        self.sorted_ = np.sort(np.ascontiguousarray(rows.T), axis=1)
        rows -= rows.mean(axis=0)
        self.left_ = (rows**3).sum(axis=0) < 0

    def _anomaly_score(self, X: NDArray[Any]) -> Array:
        scores = np.empty(len(X))
        height = max(1, _BLOCK // len(self.sorted_))
        for start in range(0, len(X), height):
            block = slice(start, start + height)
            scores[block] = self._tails(X[block]).sum(axis=1)
        return scores

    def _contributions(self, X: NDArray[Any]) -> Array:
        return tables.as_pictures(self._tails(X), X.shape[1:])

    def _tails(self, X: NDArray[Any]) -> Array:
        """Compute the terms of the score, shape (n, d)."""
        rows = self.scaler_.transform(tables.as_table(X))
        left, right = np.empty_like(rows), np.empty_like(rows)
        for j, known in enumerate(self.sorted_):
            left[:, j], right[:, j] = tails(rows[:, j], known)
        if self.combine == "columns":
            return np.maximum(left, right)
        three = np.stack([left, right, np.where(self.left_, left, right)])
        largest = three.sum(axis=2).argmax(axis=0)
        chosen: Array = np.take_along_axis(three, largest[None, :, None], axis=0)[0]
        return chosen


def tails(values: Array, known: Array) -> tuple[Array, Array]:
    """Compute the left and right tail terms of one column.

    Parameters
    ----------
    values : ndarray of shape (n,)
        In standard deviations of the training values.
    known : ndarray of shape (m,)
        The training values, ascending.

    Examples
    --------
    >>> left, right = tails(np.array([1.0, 5.0]), np.array([0.0, 1.0, 2.0, 3.0]))
    >>> np.exp(-left).tolist(), np.exp(-right).round(3).tolist()
    ([0.5, 1.0], [0.75, 0.083])
    """
    m = len(known)
    below = np.searchsorted(known, values, side="right")
    above = m - np.searchsorted(known, values, side="left")
    left = np.log(m) - np.log(np.maximum(below, 1))
    right = np.log(m) - np.log(np.maximum(above, 1))
    left += np.log1p(np.maximum(known[0] - values, 0))
    right += np.log1p(np.maximum(values - known[-1], 0))
    return left, right
