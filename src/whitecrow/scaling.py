"""Columns of a table in comparable units, and pictures in [0, 1].

Statistics and arithmetic are float64 whatever comes in: the mean of a float32 column
of times or amounts is otherwise off by more than its spread.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import DTypeLike, NDArray

from whitecrow.errors import ParameterError

__all__ = ["SCALINGS", "Scaler", "to_unit"]

SCALINGS = ("standard", "minmax", "robust", "none")

Vector = NDArray[np.float64]

# So far from all training rows, distance says nothing more; squares remain finite.
_FARTHEST = {np.dtype(np.float32): 1e15, np.dtype(np.float64): 1e100}


# The squares of smaller deviations are lost.
_SMALLEST_SPREAD = 1e-100


@dataclass(frozen=True, eq=False)
class Scaler:
    """`(x - center) / scale` for each column.

    Attributes
    ----------
    center, scale : ndarray of float64, shape (d,)
        `scale` is positive; it is 1 for constant columns, so that these become 0 in
        training and keep their own units when a new value turns up.

    Examples
    --------
    >>> scaler = Scaler.fit(np.array([[0.0, 7.0], [2.0, 7.0]]), "standard")
    >>> scaler.transform(np.array([[3.0, 8.0]])).tolist()
    [[2.0, 1.0]]
    """

    center: Vector
    scale: Vector

    @classmethod
    def fit(cls, X: NDArray[Any], how: str = "standard") -> Self:
        """Compute the statistics of the training rows.

        Parameters
        ----------
        X : ndarray of shape (n, d)
            Training rows without NaN or infinity.
        how : {"standard", "minmax", "robust", "none"}
            Mean and standard deviation; minimum and range; median and distance between
            the quartiles (the standard deviation where more than half of the rows
            are equal); or 0 and 1.

        Raises
        ------
        ParameterError
            For any other `how`.
        """
        if how not in SCALINGS:
            legal = ", ".join(repr(name) for name in SCALINGS)
            raise ParameterError(f"scaling={how!r} is not known; use one of {legal}")
        with np.errstate(over="ignore", under="ignore", invalid="ignore"):
            center, scale = _statistics(X, how)
            _mend(center, scale, X, how)
        # Rounding error in a constant column is not spread.
        noise = 8 * np.finfo(np.float64).eps * np.abs(center)
        if how != "none":
            scale = np.where(scale > noise, scale, 1.0)
        return cls(center, scale)

    def transform(self, X: NDArray[Any], dtype: DTypeLike = np.float64) -> NDArray[Any]:
        """Scale rows into a new array.

        Parameters
        ----------
        X : ndarray of shape (n, d)
            Rows with the columns of the training rows.
        dtype : {float64, float32}
            Of the result. Values beyond 1e100 (float32: 1e15) are put there, so that
            a score of them is finite.
        """
        farthest = _FARTHEST[np.dtype(dtype)]
        with np.errstate(over="ignore"):
            scaled = np.subtract(X, self.center, dtype=np.float64)
            scaled /= self.scale
        np.clip(scaled, -farthest, farthest, out=scaled)
        return scaled.astype(dtype, copy=False)

    def to_arrays(self) -> dict[str, Vector]:
        """Return what a file needs to hold; `from_arrays` takes it back."""
        return {"center": self.center, "scale": self.scale}

    @classmethod
    def from_arrays(cls, arrays: dict[str, Vector]) -> Self:
        """Rebuild the scaler that `to_arrays` described."""
        return cls(arrays["center"], arrays["scale"])


def to_unit(images: NDArray[Any]) -> NDArray[np.float32]:
    """Convert pictures to float32: divide uint8 by 255, leave floats as they are.

    Examples
    --------
    >>> to_unit(np.array([0, 255], dtype=np.uint8)).tolist()
    [0.0, 1.0]
    """
    if images.dtype == np.uint8:
        return np.divide(images, np.float32(255), dtype=np.float32)
    return images.astype(np.float32, copy=False)


def _statistics(X: NDArray[Any], how: str) -> tuple[Vector, Vector]:
    if how == "none":
        return np.zeros(X.shape[1]), np.ones(X.shape[1])
    rows = X.astype(np.float64, copy=False)
    if how == "standard":
        return rows.mean(axis=0), rows.std(axis=0)
    if how == "minmax":
        low = rows.min(axis=0)
        return low, rows.max(axis=0) - low
    lower, middle, upper = np.quantile(rows, [0.25, 0.5, 0.75], axis=0)
    spread = upper - lower
    return middle, np.where(spread > 0, spread, rows.std(axis=0))


def _mend(center: Vector, scale: Vector, X: NDArray[Any], how: str) -> None:
    """Recompute columns with squares or spans beyond float64, in units of their size.

    The units are powers of 2, so that nothing is rounded.
    """
    sound = np.isfinite(center) & np.isfinite(scale) & (scale > _SMALLEST_SPREAD)
    for column in np.flatnonzero(~sound):
        values = X[:, column].astype(np.float64)
        exponent = np.frexp(np.abs(values).max())[1]
        own = _statistics(np.ldexp(values, -exponent)[:, None], how)
        center[column], scale[column] = np.ldexp(np.concatenate(own), exponent)
    np.clip(scale, 0, np.finfo(np.float64).max, out=scale)
