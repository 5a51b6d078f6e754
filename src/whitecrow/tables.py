"""What detectors without a network share: rows from pictures, a limit, distances."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.neighbors import NearestNeighbors
from sklearn.utils import check_random_state

from whitecrow.scaling import Scaler, to_unit

__all__ = [
    "as_pictures",
    "as_table",
    "centred",
    "fit_scaler",
    "limit_rows",
    "other_neighbours",
    "squared_distances",
    "twins",
]

logger = logging.getLogger(__name__)

# Distances held at once: 32 MiB.
_BLOCK = 2**22


def as_table(X: NDArray[Any]) -> NDArray[Any]:
    """Pictures (n, c, h, w) as rows (n, c*h*w) of values in [0, 1]; tables as they are.

    Examples
    --------
    >>> as_table(np.full((2, 1, 4, 4), 255, dtype=np.uint8)).shape
    (2, 16)
    """
    return X if X.ndim == 2 else to_unit(X).reshape(len(X), -1)


def as_pictures(
    contributions: NDArray[np.float64], shape: tuple[int, ...]
) -> NDArray[np.float64]:
    """Reshape contributions of flattened rows as `Detector.explain` returns them.

    Parameters
    ----------
    contributions : ndarray of shape (n, d)
        One value for each value of a flattened row.
    shape : tuple of int
        Of a row before: `(d,)`, or `(c, h, w)`, whose channels are summed.
    """
    if len(shape) == 1:
        return contributions
    maps: NDArray[np.float64] = contributions.reshape(-1, *shape).sum(axis=1)
    return maps


def fit_scaler(X: NDArray[Any], how: str) -> Scaler:
    """Fit a scaler to the rows of `as_table(X)`.

    Pictures are not scaled column by column: that would blow up the noise of pixels
    that hardly vary, such as those of a border.
    """
    return Scaler.fit(as_table(X), how if X.ndim == 2 else "none")


def centred(scaler: Scaler, X: NDArray[Any]) -> Scaler:
    """Centre a scaler, so that rows are around 0, where distances lose no digits."""
    middle = scaler.transform(as_table(X)).mean(axis=0)
    return Scaler(scaler.center + scaler.scale * middle, scaler.scale)


def limit_rows(
    X: NDArray[Any],
    max_rows: int | None,
    *,
    random_state: Any,
    method: str,
    cost: str = "the square of their number",
) -> NDArray[Any]:
    """At most `max_rows` rows, chosen at random without replacement, in their order.

    Logs a warning when rows are left out, with what the `cost` of the method grows.
    """
    if max_rows is None or len(X) <= max_rows:
        return X
    generator = check_random_state(random_state)
    chosen = np.sort(generator.choice(len(X), max_rows, replace=False))
    logger.warning(
        "%s learns from %d of %d rows, chosen at random, as its cost grows with %s; "
        "max_rows sets the limit",
        method,
        max_rows,
        len(X),
        cost,
    )
    return X[chosen]


def other_neighbours(
    tree: NearestNeighbors,
    train: NDArray[Any],
    rows: NDArray[Any],
    k: int,
    *,
    same: float = 0.0,
) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.int64]]:
    """Find the k nearest training rows of each row, itself left out.

    Parameters
    ----------
    tree : NearestNeighbors
        Fitted to `train`.
    train : ndarray of shape (m, d)
        At least `k` rows.
    rows : ndarray of shape (n, d)
        Of whose neighbours.
    k : int
        How many.
    same : float, default=0.0
        A row that is no farther than this from the nearest training row equals it, too.

    Returns
    -------
    distances, neighbours : ndarray of shape (n, k)
        And numbers of the neighbours, the nearest first; 0 and -1 where a row that was
        left out is one of `k` training rows.
    twin : ndarray of shape (n,)
        Number of the training row that was left out as equal; -1 if none was.

    Examples
    --------
    >>> train = np.array([[0.0], [1.0], [5.0]])
    >>> tree = NearestNeighbors().fit(train)
    >>> distances, _, twin = other_neighbours(tree, train, np.array([[1.0], [3.0]]), 1)
    >>> distances.ravel().tolist(), twin.tolist()
    ([1.0, 2.0], [1, -1])
    """
    asked = min(k + 1, len(train))
    distances, neighbours = tree.kneighbors(rows, n_neighbors=asked)
    if asked == k:
        distances = np.pad(distances, ((0, 0), (0, 1)))
        neighbours = np.pad(neighbours, ((0, 0), (0, 1)), constant_values=-1)
    twin = twins(train, rows)
    if same > 0:
        near = (twin < 0) & (distances[:, 0] <= same)
        twin[near] = neighbours[near, 0]
    # Where near copies crowd it out, the equal row may be none of the k + 1.
    own = (neighbours == twin[:, None]) & (twin >= 0)[:, None]
    place = np.where(own.any(axis=1), own.argmax(axis=1), k)
    kept = np.arange(k) + (np.arange(k) >= place[:, None])
    return (
        np.take_along_axis(distances, kept, axis=1),
        np.take_along_axis(neighbours, kept, axis=1),
        twin,
    )


def twins(train: NDArray[Any], rows: NDArray[Any]) -> NDArray[np.int64]:
    """Find the training row that each row equals to the bit; -1 where none does.

    Distances do not tell: they round, and a near copy may come out as the nearer one.

    Parameters
    ----------
    train : ndarray of shape (m, d)
        Where to look.
    rows : ndarray of shape (n, d)
        Of the same type.

    Examples
    --------
    >>> train = np.array([[1.0, 2.0], [0.0, 1.0], [0.0, 1.0]])
    >>> twins(train, np.array([[-0.0, 1.0], [1.0, 2.0], [2.0, 1.0]])).tolist()
    [1, 0, -1]
    """
    known, asked = _hashes(train), _hashes(rows)
    order = np.argsort(known, kind="stable")
    place = np.searchsorted(known[order], asked)
    candidate = order[np.minimum(place, len(order) - 1)]
    equal = (train[candidate] == rows).all(axis=1)
    return np.where(equal, candidate, -1)


def _hashes(rows: NDArray[Any]) -> NDArray[np.uint64]:
    """Hash each row to a number, equal for equal rows; in integers, so exact."""
    words = np.ascontiguousarray(rows, dtype=np.float64) + 0.0  # -0.0 becomes 0.0
    bits = words.view(np.uint64)
    bits ^= bits >> np.uint64(29)
    rng = np.random.default_rng(0)
    factors = rng.integers(2**64 - 1, size=rows.shape[1], dtype=np.uint64) | np.uint64(
        1
    )
    return np.asarray((bits * factors).sum(axis=1, dtype=np.uint64))


def squared_distances(
    rows: NDArray[np.float64], others: NDArray[np.float64]
) -> Iterator[tuple[slice, NDArray[np.float64]]]:
    """Compute squared Euclidean distances, some rows at a time.

    One matrix product a block is ten times faster than differences when there are many
    columns. Both are taken around the mean of `others` first, as products of large
    numbers lose digits.

    Parameters
    ----------
    rows : ndarray of shape (n, d)
        From where.
    others : ndarray of shape (m, d)
        To where.

    Yields
    ------
    block : slice
        Of `rows`.
    squares : ndarray of shape (length of the block, m)
        May be overwritten.

    Examples
    --------
    >>> blocks = squared_distances(np.array([[0.0], [3.0]]), np.array([[1.0], [5.0]]))
    >>> [squares.tolist() for _, squares in blocks]
    [[[1.0, 25.0], [4.0, 4.0]]]
    """
    middle = others.mean(axis=0)
    others = others - middle
    norms = (others**2).sum(axis=1)
    height = max(1, _BLOCK // len(others))
    for start in range(0, len(rows), height):
        part = rows[start : start + height] - middle
        squares = part @ others.T
        squares *= -2
        squares += (part**2).sum(axis=1)[:, None]
        squares += norms
        np.maximum(squares, 0, out=squares)
        yield slice(start, start + len(part)), squares
