"""Euclidean distances within a pool, in pieces: no array of n x n anywhere.

Distances to one point are sums of squared differences in float64, so that a row is at
distance 0 of its equals and of nothing else. Where all pairs are asked for, products of
matrices are ten times faster; those are of rows less their mean, and exact to about
1e-8 of the extent of the data.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from whitecrow.errors import DataError, ParameterError

__all__ = [
    "EXACT",
    "Embeddings",
    "Extent",
    "checked",
    "covering_radius",
    "extent",
    "lower",
    "squared_between",
    "squared_to",
    "tiles",
]

Embeddings = NDArray[np.float32] | NDArray[np.float64]
Floats = NDArray[np.float64]

# Up to so many rows all pairs are looked at; beyond it, sweeps from a few points.
EXACT = 20_000

# Numbers in a piece: 2 MB stay in the cache of one core, 16 MB make a fast product.
_PIECE = 2**18
_TILE = 2**21
# Squares of larger numbers, summed over columns, are no longer finite.
_LARGEST = 1e150


class Extent(NamedTuple):
    """How far rows are from each other.

    Attributes
    ----------
    diameter : float
        Largest distance between two rows; beyond `EXACT` rows a distance between two
        rows that is at least half of it, and mostly all of it.
    farthest : ndarray of shape (n,), or None
        Distance from each row to the one farthest from it; None beyond `EXACT` rows.
    """

    diameter: float
    farthest: Floats | None


def checked(embeddings: ArrayLike) -> Embeddings:
    """Return embeddings as floats, or raise an error that names the row.

    Raises
    ------
    DataError
        If they are not a matrix, or a number is not finite or too large to be squared.
    """
    values = np.asarray(embeddings)
    if values.dtype not in (np.float32, np.float64):
        values = values.astype(np.float64)
    if values.ndim != 2 or not values.shape[1]:
        raise DataError(
            f"embeddings have shape {values.shape}; give one row of numbers for each "
            "row, shape (n, p)"
        )
    # Not above what float32 can hold; and NaN compares as false.
    limit = min(_LARGEST, float(np.finfo(values.dtype).max))
    for rows in _pieces(values):
        fine = (np.abs(values[rows]) <= limit).all(axis=1)
        if not fine.all():
            row = rows.start + int(np.flatnonzero(~fine)[0])
            raise DataError(
                f"embedding of row {row} is not finite or beyond {_LARGEST:g}; check "
                "the network and its input"
            )
    return values


def _pieces(embeddings: Embeddings, size: int = _PIECE) -> Iterator[slice]:
    n, width = embeddings.shape
    step = max(1, size // width)
    return (slice(start, min(start + step, n)) for start in range(0, n, step))


def lower(near: Floats, embeddings: Embeddings, points: ArrayLike) -> None:
    """Lower `near`, squared distances of shape (n,), to those to any of the points."""
    points = np.atleast_2d(np.asarray(points, dtype=np.float64))
    for rows in _pieces(embeddings):
        block = embeddings[rows].astype(np.float64)
        for point in points:
            away = block - point
            squared = np.einsum("ij,ij->i", away, away)
            np.minimum(near[rows], squared, out=near[rows])


def squared_to(embeddings: Embeddings, point: ArrayLike) -> Floats:
    """Compute the squared distance of each row to one point."""
    near = np.full(len(embeddings), np.inf)
    lower(near, embeddings, point)
    return near


def tiles(n: int, width: int) -> Iterator[slice]:
    """Cut n rows into pieces so that a piece by `width` columns has a bounded size."""
    step = max(1, _TILE // max(width, 1))
    return (slice(start, min(start + step, n)) for start in range(0, n, step))


def squared_between(
    rows: NDArray[np.floating], others: NDArray[np.floating]
) -> NDArray[np.floating]:
    """Compute squared distances (len(rows), len(others)) by a matrix product."""
    squared = rows @ others.T
    squared *= -2
    squared += np.einsum("ij,ij->i", rows, rows)[:, None]
    squared += np.einsum("ij,ij->i", others, others)
    return np.maximum(squared, 0, out=squared)


def extent(embeddings: Embeddings) -> Extent:
    """Compute the diameter of the data, and how far the farthest row is from each.

    Examples
    --------
    >>> extent(np.array([[0.0], [1.0], [3.0]])).farthest
    array([3., 2., 3.])
    """
    if len(embeddings) > EXACT:
        return Extent(_swept_diameter(embeddings), None)
    centred = embeddings - embeddings.mean(axis=0, dtype=np.float64)
    squared = np.zeros(len(centred))
    for rows in tiles(len(centred), len(centred)):
        # The other half of the pairs: a distance is that of both rows.
        tile = squared_between(centred[rows], centred[rows.start :])
        np.maximum(squared[rows], tile.max(axis=1), out=squared[rows])
        rest = squared[rows.start :]
        np.maximum(rest, tile.max(axis=0), out=rest)
    farthest = np.sqrt(squared)
    return Extent(float(farthest.max()), farthest)


def _swept_diameter(embeddings: Embeddings) -> float:
    """Estimate the diameter by three steps to the farthest row, from the mean on."""
    point: NDArray[np.floating] = embeddings.mean(axis=0, dtype=np.float64)
    for _ in range(2):
        point = embeddings[np.argmax(squared_to(embeddings, point))]
    return float(np.sqrt(squared_to(embeddings, point).max()))


def covering_radius(embeddings: ArrayLike, centres: ArrayLike) -> float:
    """Compute the largest distance from a row to the nearest of some rows.

    If scores change by at most L times the distance, rows within this radius of rows
    that are ranked right by a margin of 2 L times the radius are ranked right, too.

    Parameters
    ----------
    embeddings : array-like of shape (n, p)
        Rows of the pool, or those of one class of it.
    centres : array-like of int
        Row indices, usually those that have been labelled.

    Raises
    ------
    DataError
        If an embedding is not finite.
    ParameterError
        If there are no centres.

    Examples
    --------
    >>> covering_radius([[0.0, 0.0], [3.0, 4.0], [0.0, 1.0]], [0])
    5.0
    """
    values, rows = checked(embeddings), np.asarray(centres)
    if not rows.size:
        raise ParameterError("centres is empty; give the rows that have been labelled")
    near = np.full(len(values), np.inf)
    lower(near, values, values[rows])
    return float(np.sqrt(near.max()))
