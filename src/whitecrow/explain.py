"""Why a row or a picture is odd: ways to say it for any score.

A method has one of three, which its `explanation` names:

- exact: the score is a sum over columns or pixels, as a reconstruction error is;
- gradient: integrated gradients of a network's score from the typical row
  (`whitecrow.deep`);
- occlusion: how much the score drops when a column (or a patch of a picture) takes its
  typical value, for everything else.

For tables contributions are per column; for pictures a heat map, smoothed so that it
shows regions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

__all__ = ["contributions", "least_exact", "occlusion", "patches"]

Rows = NDArray[Any]
Values = NDArray[np.float64]

# Patches along each side of a picture, and rows scored at once, for occlusion.
_PATCHES = 12
_BLOCK = 4096

# Numbers of a piece of rows: gradients hold what all layers make of it in memory.
_NUMBERS = 2**20


def contributions(explain: Callable[[Rows], Values], X: Rows) -> Values:
    """Explain rows piece by piece, and smooth the maps of pictures.

    Parameters
    ----------
    explain : callable
        From rows to the contribution of each column, or of each pixel of a picture.
    X : ndarray of shape (n, d) or (n, c, h, w)
        Rows.

    Returns
    -------
    ndarray of shape (n, d) or (n, h, w)
        Larger = speaks more for an anomaly; in units of the anomaly score.

    Examples
    --------
    >>> contributions(lambda rows: rows**2, np.array([[0.0, 9.0]]))
    array([[ 0., 81.]])
    """
    size = max(1, _NUMBERS // X[:1].size)
    pieces = [X[start : start + size] for start in range(0, len(X), size)]
    parts = np.concatenate([explain(piece) for piece in pieces])
    return _smooth(parts) if X.ndim == 4 else parts


def occlusion(score: Callable[[Rows], Values], X: Rows, typical: Rows) -> Values:
    """Score less the score with one column at its typical value.

    Examples
    --------
    >>> occlusion(lambda rows: rows.sum(axis=1), np.array([[1.0, 5.0]]), np.ones(2))
    array([[0., 4.]])
    """
    n, d = X.shape
    parts = np.empty((n, d))
    per_block = max(1, _BLOCK // d)
    for start in range(0, n, per_block):
        rows = X[start : start + per_block]
        changed = np.repeat(rows, d, axis=0).reshape(len(rows), d, d)
        changed[:, np.arange(d), np.arange(d)] = typical
        after = score(changed.reshape(-1, d)).reshape(-1, d)
        parts[start : start + per_block] = score(rows)[:, None] - after
    return parts


def patches(score: Callable[[Rows], Values], X: Rows, typical: Rows) -> Values:
    """Score less the score with one patch as in the mean picture, which is in [0, 1].

    Examples
    --------
    >>> picture = np.zeros((1, 1, 24, 24))
    >>> picture[..., 2:4, 8:10] = 1
    >>> parts = patches(lambda X: X.sum(axis=(1, 2, 3)), picture, np.zeros((1, 24, 24)))
    >>> np.argwhere(parts[0]).min(axis=0), np.argwhere(parts[0]).max(axis=0)
    (array([2, 8]), array([3, 9]))
    """
    height, width = X.shape[2:]
    unit = 255 if X.dtype == np.uint8 else 1
    typical = (typical * unit).astype(X.dtype)
    before = score(X)
    parts = np.zeros((len(X), height, width))
    for top, bottom in _cuts(height):
        for left, right in _cuts(width):
            changed = X.copy()
            patch = typical[:, top:bottom, left:right]
            changed[:, :, top:bottom, left:right] = patch
            parts[:, top:bottom, left:right] = (before - score(changed))[:, None, None]
    return parts


def least_exact(detectors: Iterable[object]) -> str:
    """Name how several detectors together are explained: by the least exact way."""
    ways = {getattr(one, "explanation", "occlusion") for one in detectors}
    return next((way for way in ("occlusion", "gradient") if way in ways), "exact")


def _cuts(length: int) -> list[tuple[int, int]]:
    edges = np.linspace(0, length, min(_PATCHES, length) + 1).astype(int)
    return list(zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True))


def _smooth(maps: Values) -> Values:
    """Blur of a fortieth of the picture: single pixels are not a finding."""
    sigma = max(maps.shape[1:]) / 40
    return np.asarray(gaussian_filter(maps, sigma=(0, sigma, sigma)))
