"""Why a row or a picture is odd.

Three ways, by what the method offers (`Detector.explanation`):

- exact: the score is a sum over columns or pixels, as a reconstruction error is;
- gradient: integrated gradients of a network's score from the typical row;
- occlusion: how much the score drops when a column (or a patch of a picture) takes its
  typical value, for everything else.

For tables contributions are per column; for pictures a heat map, smoothed so that it
shows regions.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, cast

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

if TYPE_CHECKING:
    from whitecrow.deep import DeepDetector
    from whitecrow.detector import Detector, Rows, Scores

__all__ = ["contributions", "estimated", "least_exact"]

# Patches along each side of a picture, and rows scored at once, for occlusion.
_PATCHES = 12
_BLOCK = 4096

# Numbers of a piece of rows: gradients hold what all layers make of it in memory.
_NUMBERS = 2**20


def contributions(detector: Detector, X: Rows) -> Scores:
    """Contribution of each column or pixel to the anomaly score.

    Parameters
    ----------
    detector : Detector
        Fitted.
    X : ndarray of shape (n, d) or (n, c, h, w)
        Rows as `Detector` checks them.

    Returns
    -------
    ndarray of shape (n, d) or (n, h, w)
        Larger = speaks more for an anomaly; in units of the anomaly score.

    Examples
    --------
    >>> from whitecrow import KDE
    >>> rows = np.random.default_rng(0).normal(size=(100, 3))
    >>> parts = contributions(KDE().fit(rows), np.array([[0.0, 9.0, 0.0]]))
    >>> int(parts.argmax())
    1
    """
    size = max(1, _NUMBERS // X[:1].size)
    pieces = [X[start : start + size] for start in range(0, len(X), size)]
    parts = np.concatenate([detector._contributions(piece) for piece in pieces])
    return _smooth(parts) if X.ndim == 4 else parts


def least_exact(detectors: Iterable[object]) -> str:
    """Name how several detectors together are explained: by the least exact way."""
    ways = {getattr(one, "explanation", "occlusion") for one in detectors}
    return next((way for way in ("occlusion", "gradient") if way in ways), "exact")


def estimated(detector: Detector, X: Rows) -> Scores:
    """Contributions, before smoothing, by gradients or by occlusion."""
    if detector.explanation == "gradient":
        return _gradients(cast("DeepDetector", detector), X)
    return _occlusion(detector, X) if X.ndim == 2 else _patches(detector, X)


def _gradients(detector: DeepDetector, X: Rows) -> Scores:
    parts = detector._path_gradients(X)
    return parts if X.ndim == 2 else np.abs(parts).sum(axis=1)


def _occlusion(detector: Detector, X: Rows) -> Scores:
    """Score less the score with one column at its typical value."""
    n, d = X.shape
    parts = np.empty((n, d))
    per_block = max(1, _BLOCK // d)
    for start in range(0, n, per_block):
        rows = X[start : start + per_block]
        changed = np.repeat(rows, d, axis=0).reshape(len(rows), d, d)
        changed[:, np.arange(d), np.arange(d)] = detector.typical_
        before = detector._anomaly_score(rows)
        after = detector._anomaly_score(changed.reshape(-1, d)).reshape(-1, d)
        parts[start : start + per_block] = before[:, None] - after
    return parts


def _patches(detector: Detector, X: Rows) -> Scores:
    """Score less the score with one patch as in the mean picture."""
    height, width = X.shape[2:]
    unit = 255 if X.dtype == np.uint8 else 1
    typical = (detector.typical_ * unit).astype(X.dtype)
    before = detector._anomaly_score(X)
    parts = np.zeros((len(X), height, width))
    for top, bottom in _cuts(height):
        for left, right in _cuts(width):
            changed = X.copy()
            patch = typical[:, top:bottom, left:right]
            changed[:, :, top:bottom, left:right] = patch
            drop = before - detector._anomaly_score(changed)
            parts[:, top:bottom, left:right] = drop[:, None, None]
    return parts


def _cuts(length: int) -> list[tuple[int, int]]:
    edges = np.linspace(0, length, min(_PATCHES, length) + 1).astype(int)
    return list(zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True))


def _smooth(maps: NDArray[np.float64]) -> Scores:
    """Blur of a fortieth of the picture: single pixels are not a finding."""
    sigma = max(maps.shape[1:]) / 40
    return np.asarray(gaussian_filter(maps, sigma=(0, sigma, sigma)))
