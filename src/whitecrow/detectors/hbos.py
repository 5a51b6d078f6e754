r"""HBOS (Goldstein and Dengel, 2012): a row is odd when its values are rare.

With a histogram for each column, and the heights :math:`h_j` of its bins divided by
that of the highest one,

.. math:: s(x) = -\sum_j \log \frac{h_j(x_j) + \alpha}{1 + \alpha}.

Beyond the training values the height falls to nothing within the width of one bin, and
a power law goes on: `e` ranges of the column beyond, :math:`\log (1 + e)` is added.
"""

from __future__ import annotations

import math
from dataclasses import KW_ONLY
from typing import Annotated, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from whitecrow import labels, tables
from whitecrow.detector import Detector
from whitecrow.parameters import Count, Positive, fitted, options
from whitecrow.scaling import Scaler

__all__ = ["HBOS"]

Array = NDArray[np.float64]

# Numbers held at once while scoring: 32 MiB.
_BLOCK = 2**22


class HBOS(Detector):
    r"""Score rows by how rare their values are, column by column.

    Unsupervised: `y` is ignored. Units do not matter. Pictures become rows of pixels in
    [0, 1].

    Parameters
    ----------
    n_bins : int or "sqrt", default=10
        Bins for each column; "sqrt" is the square root of the number of rows.
    mode : {"static", "dynamic"}, default="static"
        Bins of equal width, or of equal numbers of rows.
    alpha : float, default=0.01
        Height given to empty bins, relative to the tallest bin.
    contamination : "auto" or float in (0, 0.5], default="auto"
        Share of training rows to call anomalies.

    Attributes
    ----------
    edges_ : ndarray of shape (d, k + 1)
        Of the bins, where 0 and 1 are the least and the largest training value.
    heights_ : ndarray of shape (d, k)
        Of the bins, 1 for the highest one of a column.
    bins_ : ndarray of int64, shape (d,)
        How many bins a column has. The rest of its edges is infinite: where many
        values are equal, fewer bins of equal numbers exist.
    scaler_ : Scaler
        Of the columns.
    offset_, threshold_source_, input_shape_, typical_
        As in `whitecrow.detector.Detector`.

    Notes
    -----
    NOTE[DIFF] The paper leaves empty bins open, where the score is infinite: `alpha` is
    a regulariser as PyOD has it. There it is added to a density, so that it means
    something else in other units; here it is a share of the highest bin.

    NOTE[DIFF] In PyOD all rows beyond the training values have the score of an empty
    bin; here farther ones score higher.

    References
    ----------
    Goldstein and Dengel, Histogram-based Outlier Score (HBOS): A Fast Unsupervised
    Anomaly Detection Algorithm, KI 2012, poster and demo track.

    Examples
    --------
    >>> import numpy as np
    >>> from whitecrow.detectors.hbos import HBOS
    >>> X = np.random.default_rng(0).normal(size=(1000, 3))
    >>> HBOS().fit(X).anomaly_score([[0.0, 0.0, 0.0], [0.0, 3.0, 0.0]]).round().tolist()
    [0.0, 3.0]
    """

    explanation: ClassVar[str] = "exact"

    _: KW_ONLY
    n_bins: Count | Annotated[str, options("sqrt")] = 10
    mode: Annotated[str, options("static", "dynamic")] = "static"
    alpha: Positive = 0.01

    edges_: Array = fitted()
    heights_: Array = fitted()
    bins_: NDArray[np.int64] = fitted()
    scaler_: Scaler = fitted()

    def _fit(
        self, X: NDArray[Any], codes: labels.Codes, auxiliary: NDArray[Any] | None
    ) -> None:
        table = tables.as_table(X)
        self.scaler_ = Scaler.fit(table, "minmax")
        rows = self.scaler_.transform(table)
        n, d = rows.shape
        k = math.isqrt(n) if isinstance(self.n_bins, str) else int(self.n_bins)
        self.edges_ = np.full((d, k + 1), np.inf)
        self.heights_ = np.zeros((d, k))
        self.bins_ = np.empty(d, dtype=np.int64)
        for j, column in enumerate(rows.T):
            edges, heights = histogram(column, k, self.mode)
            self.bins_[j] = len(heights)
            self.edges_[j, : len(edges)] = edges
            self.heights_[j, : len(heights)] = heights

    def _anomaly_score(self, X: NDArray[Any]) -> Array:
        scores = np.empty(len(X))
        height = max(1, _BLOCK // len(self.bins_))
        for start in range(0, len(X), height):
            block = slice(start, start + height)
            scores[block] = self._terms(X[block]).sum(axis=1)
        return scores

    def _contributions(self, X: NDArray[Any]) -> Array:
        return tables.as_pictures(self._terms(X), X.shape[1:])

    def _terms(self, X: NDArray[Any]) -> Array:
        """Compute the terms of the score, shape (n, d)."""
        terms = self.scaler_.transform(tables.as_table(X))
        for j, count in enumerate(self.bins_):
            edges, heights = self.edges_[j, : count + 1], self.heights_[j, :count]
            terms[:, j] = rarity(terms[:, j], edges, heights, self.alpha)
        return terms


def histogram(column: Array, n_bins: int, mode: str) -> tuple[Array, Array]:
    """Edges and relative heights of the bins of one column.

    Parameters
    ----------
    column : ndarray of shape (n,)
        Values from 0 to 1; or all 0.
    n_bins : int
        Number of bins; at most that, if they have equal numbers of rows.
    mode : {"static", "dynamic"}
        Equal width or equal numbers of rows.

    Examples
    --------
    >>> edges, heights = histogram(np.array([0.0, 0.1, 0.2, 1.0]), 2, "static")
    >>> edges.tolist(), heights.round(8).tolist()
    ([0.0, 0.5, 1.0], [1.0, 0.33333333])
    >>> edges, heights = histogram(np.array([0.0, 0.1, 0.2, 1.0]), 2, "dynamic")
    >>> edges.tolist(), heights.round(8).tolist()
    ([0.0, 0.1, 1.0], [1.0, 0.33333333])
    """
    edges = np.linspace(0, 1, n_bins + 1)
    if mode == "static" or not column.any():
        counts, _ = np.histogram(column, edges)
        return edges, counts / counts.max()
    # Edges at values that occur: many equal ones are at the left end of their bin.
    edges = np.unique(np.quantile(column, edges, method="lower"))
    counts, _ = np.histogram(column, edges)
    density = counts / np.diff(edges)
    return edges, density / density.max()


def rarity(values: Array, edges: Array, heights: Array, alpha: float) -> Array:
    """Compute what one column adds to the score.

    Examples
    --------
    >>> edges, heights = np.array([0.0, 0.5, 1.0]), np.array([0.24, 1.0])
    >>> terms = rarity(np.array([0.3, 0.7, 1.0]), edges, heights, 0.01)
    >>> np.exp(-terms).round(3).tolist()
    [0.248, 1.0, 1.0]
    """
    bins = np.searchsorted(edges, values, side="right") - 1
    bins = np.clip(bins, 0, len(heights) - 1)
    beyond = np.maximum(np.maximum(edges[0] - values, values - edges[-1]), 0)
    width = edges[bins + 1] - edges[bins]
    height = heights[bins] * np.maximum(1 - beyond / width, 0)
    terms: Array = np.log1p(beyond) - np.log((height + alpha) / (1 + alpha))
    return terms
