r"""PaDiM: a Gaussian for every place of the picture.

At place :math:`(i, j)` local features :math:`f_{ij}(x)` of the training pictures have
mean :math:`\mu_{ij}` and covariance :math:`\Sigma_{ij}`. The anomaly map and the score
of a picture are

.. math::

    M_{ij}(x) = \sqrt{(f_{ij} - \mu_{ij})^\top \Sigma_{ij}^{-1} (f_{ij} - \mu_{ij})},
    \qquad \mathrm{score}(x) = \operatorname{mean\ of\ the\ top\ 1\%\ of\ } M(x)

Source: Defard et al., PaDiM: a Patch Distribution Modeling Framework for Anomaly
Detection and Localization, ICPR workshops 2021.

NOTE[DIFF] The features of the paper come from a network pretrained on ImageNet. Here
they are Gaussian derivatives (orders 0 to 2, four scales; Koenderink and van Doorn,
Biological Cybernetics 1987): no weights to fetch, and they suit industrial pictures,
which look little like ImageNet. The covariance is pooled over neighbouring places, so
that a few dozen pictures are enough.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import KW_ONLY
from typing import Annotated, Any, ClassVar

import numpy as np
import torch
from jaxtyping import Float32
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, uniform_filter

from whitecrow import labels
from whitecrow.detector import Detector, Rows, Scores
from whitecrow.parameters import at_least, fitted
from whitecrow.scaling import to_unit

__all__ = ["PaDiM", "derivatives"]

Maps = Float32[np.ndarray, "n h w k"]

SCALES = (1.0, 2.0, 4.0, 8.0)
ORDERS = ((0, 1), (1, 0), (0, 2), (2, 0), (1, 1))

# Places to each side over which a covariance is pooled, and what is added to its
# diagonal, in units of the variance of each feature.
_NEIGHBOURHOOD = 7
_RIDGE = 1e-3

# Largest side of the grid of places, and share of it that makes the score.
_LARGEST_GRID = 64
_TOP = 0.01

_PICTURES_AT_ONCE = 16


class PaDiM(Detector):
    """Patch distribution modelling for pictures taken from the same position.

    Fits in seconds on a CPU, needs a few dozen pictures, and shows where a defect is.

    Parameters
    ----------
    size : int
        Pictures with a longer side are scaled down to this many pixels.
    normalise : bool
        Give each picture mean 0 and variance 1 first, so that lighting does not
        matter.
    contamination : "auto" or float in (0, 0.5]
        Share of training pictures to call anomalies; "auto" looks at the scores.

    Attributes
    ----------
    mean_ : ndarray of shape (h, w, k)
        Mean feature vector of each place.
    precision_ : ndarray of shape (h, w, k, k)
        Inverse covariance of each place.
    scale_ : ndarray of shape (k,)
        Standard deviation of each feature over all places and pictures.

    Notes
    -----
    The method compares places, so it suits pictures of the same thing in the same
    position (parts, cells, tiles). Labels are ignored. See the module for `NOTE[DIFF]`.

    Examples
    --------
    >>> import numpy as np
    >>> from whitecrow import PaDiM
    >>> rng = np.random.default_rng(0)
    >>> pictures = rng.integers(100, 120, size=(30, 1, 32, 32)).astype(np.uint8)
    >>> model = PaDiM().fit(pictures)
    >>> scratched = pictures[:1].copy()
    >>> scratched[0, 0, 8:24, 15:17] = 200
    >>> bool(model.anomaly_score(scratched) > 2 * model.anomaly_score(pictures).max())
    True
    >>> heat = model.explain(scratched)[0]
    >>> row, column = np.unravel_index(heat.argmax(), heat.shape)
    >>> bool(8 <= row < 24 and 13 <= column < 19)
    True
    """

    input_kinds: ClassVar[tuple[str, ...]] = ("picture",)
    explanation: ClassVar[str] = "exact"

    size: Annotated[int, at_least(8)] = 128
    _: KW_ONLY
    normalise: bool = True

    mean_: NDArray[np.float32] = fitted()
    precision_: NDArray[np.float32] = fitted()
    scale_: NDArray[np.float32] = fitted()

    def _fit(self, X: Rows, codes: labels.Codes, auxiliary: Rows | None) -> None:
        mean: Any = 0.0
        for maps in self._features(X):
            mean = mean + maps.sum(axis=0, dtype=np.float64)
        mean = mean / len(X)
        covariance: Any = 0.0
        spread: Any = 0.0
        centre = mean.mean(axis=(0, 1))
        for maps in self._features(X):
            off = maps - mean
            covariance = covariance + np.einsum("nhwi,nhwj->hwij", off, off)
            spread = spread + np.square(maps - centre).sum(axis=(0, 1, 2))
        scale = np.sqrt(spread / (len(X) * mean.shape[0] * mean.shape[1]))
        scale = np.where(scale > 1e-6, scale, 1.0)
        pooled = uniform_filter(covariance / len(X), (_NEIGHBOURHOOD,) * 2 + (0, 0))
        pooled /= scale[:, None] * scale
        pooled += _RIDGE * np.eye(len(scale))
        self.mean_ = mean.astype(np.float32)
        self.scale_ = scale.astype(np.float32)
        self.precision_ = np.linalg.inv(pooled).astype(np.float32)

    def _anomaly_score(self, X: Rows) -> Scores:
        scores = []
        for distances in self._distances(X):
            flat = np.sort(distances.reshape(len(distances), -1), axis=1)
            top = max(1, round(_TOP * flat.shape[1]))
            scores.append(flat[:, -top:].mean(axis=1, dtype=np.float64))
        return np.concatenate(scores)

    def _contributions(self, X: Rows) -> Scores:
        """Compute the anomaly map at the size of the pictures."""
        maps = np.concatenate(list(self._distances(X))).astype(np.float64)
        small = self._small(X.shape[2:])
        for axis, (length, shrunk) in enumerate(
            zip(X.shape[2:], small, strict=True), 1
        ):
            maps = _stretched(maps, axis, length, shrunk, _step(small))
        return maps

    def _distances(self, X: Rows) -> Iterator[NDArray[np.float32]]:
        """Yield the Mahalanobis distance of each place, shape (n, h, w)."""
        for maps in self._features(X):
            off = (maps - self.mean_) / self.scale_
            turned = np.einsum("nhwi,hwij->nhwj", off, self.precision_, optimize=True)
            squared = np.einsum("nhwj,nhwj->nhw", turned, off)
            smooth = gaussian_filter(np.sqrt(np.maximum(squared, 0)), (0, 1, 1))
            yield smooth.astype(np.float32)

    def _features(self, X: Rows) -> Iterator[Maps]:
        """Yield features of every place, a few pictures at a time."""
        for start in range(0, len(X), _PICTURES_AT_ONCE):
            pictures = to_unit(X[start : start + _PICTURES_AT_ONCE])
            pictures = self._shrink(pictures)
            if self.normalise:
                pictures = pictures - pictures.mean(axis=(1, 2, 3), keepdims=True)
                spread = pictures.std(axis=(1, 2, 3), keepdims=True)
                pictures = pictures / np.maximum(spread, 1e-6)
            step = _step(pictures.shape[2:])
            yield derivatives(pictures)[:, ::step, ::step]

    def _small(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return height and width of pictures of this shape once scaled down."""
        longest = max(shape)
        if longest <= self.size:
            return shape
        return tuple(max(1, round(side * self.size / longest)) for side in shape)

    def _shrink(self, pictures: NDArray[np.float32]) -> NDArray[np.float32]:
        shape = self._small(pictures.shape[2:])
        if shape == pictures.shape[2:]:
            return pictures
        tensor = torch.from_numpy(np.ascontiguousarray(pictures))
        small = torch.nn.functional.interpolate(tensor, size=shape, mode="area")
        return np.asarray(small.numpy())


def _step(shape: tuple[int, ...]) -> int:
    """Return the number of pixels from one place with features to the next."""
    return max(1, -(-max(shape) // _LARGEST_GRID))


def _stretched(
    maps: NDArray[np.float64], axis: int, length: int, shrunk: int, step: int
) -> NDArray[np.float64]:
    """Interpolate values at pixels 0, step, 2 step ... to each of `length` pixels.

    Pixel centres of the side and of the shrunk side correspond.
    """
    last = maps.shape[axis] - 1
    at = ((np.arange(length) + 0.5) * shrunk / length - 0.5) / step
    below = np.clip(np.floor(at).astype(np.intp), 0, max(0, last - 1))
    share = np.clip(at - below, 0, 1) if last else np.zeros(length)
    share = share.reshape([-1 if i == axis else 1 for i in range(maps.ndim)])
    low = maps.take(below, axis=axis)
    high = maps.take(np.minimum(below + 1, last), axis=axis)
    return low + share * (high - low)


def derivatives(pictures: Float32[np.ndarray, "n c h w"]) -> Maps:
    """Compute scale-normalised Gaussian derivatives of each channel.

    Returns
    -------
    ndarray of shape (n, h, w, k)
        k = 21 for each channel: five derivatives at four scales, and the blur at the
        largest one.
    """
    found = []
    for sigma in SCALES:
        spread = (0, 0, sigma, sigma)
        for order in ORDERS:
            response = gaussian_filter(pictures, spread, order=(0, 0, *order))
            found.append(response * np.float32(sigma ** sum(order)))
    found.append(gaussian_filter(pictures, (0, 0, SCALES[-1], SCALES[-1])))
    return np.moveaxis(np.concatenate(found, axis=1), 1, -1)
