"""Problems with planted anomalies, of which the answer is known.

`planted` makes tables with one of the four kinds of anomalies of Han et al., "ADBench:
Anomaly Detection Benchmark", NeurIPS 2022, section 3. Normal rows come from a Gaussian
mixture, x ~ sum_k w_k N(mu_k, S_k), whose columns are strongly correlated. Anomalies:

- local: x ~ sum_k w_k N(mu_k, a S_k), a = 5. Near their cluster, but off its bulk.
- global: uniform in the box of the normal rows, widened about its middle by a = 1.1.
- dependency: each column of other normal rows shuffled by itself. All marginals are
  those of normal rows, their dependence is gone.
- clustered: x ~ sum_k w_k N(a mu_k, S_k), a = 5. Dense groups away from normal ones.

`pictures` makes grey textures with planted defects and their masks.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from whitecrow.errors import ParameterError

__all__ = ["DEFECTS", "KINDS", "Pictures", "pictures", "planted"]

Floats = NDArray[np.float64]

INFLATION = 5.0
WIDENING = 1.1
SHIFT = 5.0
# Distance of a cluster's centre from the origin, in standard deviations of a column.
_RADIUS = 2.0
# Share of a column's variance that is its own; the rest comes from common factors.
_OWN_VARIANCE = 0.1


class _Mixture(NamedTuple):
    """weights (k,), means (k, d), and factors (k, d, d): S_k = F_k F_k^T."""

    weights: Floats
    means: Floats
    factors: Floats


class Pictures(NamedTuple):
    """Generated pictures.

    Attributes
    ----------
    images : ndarray of uint8, shape (n, 1, size, size)
    y : ndarray of int64, shape (n,)
        1 where a defect is planted.
    masks : ndarray of bool, shape (n, size, size)
        The pixels of the defect.
    """

    images: NDArray[np.uint8]
    y: NDArray[np.int64]
    masks: NDArray[np.bool_]


def planted(
    kind: str = "global",
    n: int = 1000,
    d: int = 10,
    *,
    contamination: float = 0.05,
    n_clusters: int = 2,
    random_state: int | np.random.Generator | None = None,
) -> tuple[Floats, NDArray[np.int64]]:
    """Generate a table with planted anomalies of one kind.

    Parameters
    ----------
    kind : {"local", "global", "dependency", "clustered"}, default="global"
        See the module's text for the formulas.
    n : int, default=1000
        Rows, at least 2.
    d : int, default=10
        Columns; "dependency" needs at least 2.
    contamination : float in [0, 0.5], default=0.05
        Share of anomalies, to the nearest row; at least one unless it is 0.
    n_clusters : int, default=2
        Clusters of normal rows. They have different centres and covariances.
    random_state : int, Generator or None, default=None
        Seed of everything: the clusters, the rows and their order.

    Returns
    -------
    X : ndarray of float64, shape (n, d)
        Rows in random order. The columns have scales of about 1 to 3.
    y : ndarray of int64, shape (n,)
        1 anomaly, 0 normal.

    Raises
    ------
    ParameterError
        If a parameter has an illegal value.

    Examples
    --------
    >>> X, y = planted("local", 200, 5, random_state=0)
    >>> X.shape, int(y.sum())
    ((200, 5), 10)
    """
    _check(kind, tuple(KINDS), n, contamination)
    fewest = 2 if kind == "dependency" else 1
    if d < fewest:
        raise ParameterError(
            f"d={d} columns are too few for kind={kind!r}; use at least {fewest}"
        )
    if n_clusters < 1:
        raise ParameterError(f"n_clusters={n_clusters} is less than 1; use 2")
    rng = np.random.default_rng(random_state)
    n_odd = _n_odd(n, contamination)
    mixture = _mixture(n_clusters, d, rng)
    normal = _draw(mixture, n - n_odd, rng)
    odd = KINDS[kind](mixture, normal, n_odd, rng)
    order = rng.permutation(n)
    y = np.repeat(np.array([0, 1], np.int64), [n - n_odd, n_odd])
    return np.concatenate([normal, odd])[order], y[order]


def _mixture(k: int, d: int, rng: np.random.Generator) -> _Mixture:
    """Draw clusters whose columns follow a few common factors.

    S_k = c L L^T + 0.1 I with L of shape (d, r), r = max(1, d // 3) and rows of length
    1: each column has variance 1, of which 0.1 is its own.
    """
    direction = rng.standard_normal((k, d))
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    loadings = rng.standard_normal((k, d, max(1, d // 3)))
    loadings /= np.linalg.norm(loadings, axis=2, keepdims=True)
    common = (1 - _OWN_VARIANCE) * loadings @ loadings.transpose(0, 2, 1)
    factors = np.linalg.cholesky(common + _OWN_VARIANCE * np.eye(d))
    weights = rng.dirichlet(np.full(k, 10.0))
    return _Mixture(
        weights, _RADIUS * math.sqrt(d) * direction, factors.astype(np.float64)
    )


def _draw(mixture: _Mixture, n: int, rng: np.random.Generator) -> Floats:
    cluster = rng.choice(len(mixture.weights), size=n, p=mixture.weights)
    rows = rng.standard_normal((n, mixture.means.shape[1]))
    for k, (mean, factor) in enumerate(
        zip(mixture.means, mixture.factors, strict=True)
    ):
        rows[cluster == k] = mean + rows[cluster == k] @ factor.T
    return rows


def _local(m: _Mixture, normal: Floats, n: int, rng: np.random.Generator) -> Floats:
    return _draw(m._replace(factors=m.factors * math.sqrt(INFLATION)), n, rng)


def _global(m: _Mixture, normal: Floats, n: int, rng: np.random.Generator) -> Floats:
    # NOTE[DIFF]: the paper scales minimum and maximum themselves, which widens the box
    # only where zero is inside it; about the middle it is the same for centred columns.
    low, high = normal.min(axis=0), normal.max(axis=0)
    middle, half = (low + high) / 2, WIDENING * (high - low) / 2
    return middle + half * rng.uniform(-1.0, 1.0, (n, normal.shape[1]))


def _dependency(
    m: _Mixture, normal: Floats, n: int, rng: np.random.Generator
) -> Floats:
    # NOTE[DIFF]: the paper fits a vine copula and kernel densities; a mixture of known
    # form needs neither, and a shuffle of each column keeps its marginal exactly.
    # More rows than needed, so that a few are not shuffled into themselves.
    return rng.permuted(_draw(m, n + 100, rng), axis=0)[:n]


def _clustered(m: _Mixture, normal: Floats, n: int, rng: np.random.Generator) -> Floats:
    return _draw(m._replace(means=m.means * SHIFT), n, rng)


KINDS: dict[str, Callable[[_Mixture, Floats, int, np.random.Generator], Floats]] = {
    "local": _local,
    "global": _global,
    "dependency": _dependency,
    "clustered": _clustered,
}


def pictures(
    kind: str = "mixed",
    n: int = 100,
    size: int = 32,
    *,
    contamination: float = 0.1,
    random_state: int | np.random.Generator | None = None,
) -> Pictures:
    """Generate grey pictures of a woven texture, some with a planted defect.

    Parameters
    ----------
    kind : {"blob", "scratch", "mixed"}, default="mixed"
        A round dark spot, a thin bright line, or one of both by chance.
    n : int, default=100
        Pictures, at least 2.
    size : int, default=32
        Height and width in pixels, at least 8.
    contamination : float in [0, 0.5], default=0.1
        Share of pictures with a defect, to the nearest; at least one unless it is 0.
    random_state : int, Generator or None, default=None
        Seed of the textures, the defects and the order.

    Returns
    -------
    Pictures
        (images, y, masks)

    Raises
    ------
    ParameterError
        If a parameter has an illegal value.

    Examples
    --------
    >>> images, y, masks = pictures("blob", 20, random_state=0)
    >>> images.shape, int(y.sum()), bool(masks[y == 0].any())
    ((20, 1, 32, 32), 2, False)
    """
    _check(kind, (*DEFECTS, "mixed"), n, contamination)
    if size < 8:
        raise ParameterError(f"size={size} pixels are too few; use at least 8")
    rng = np.random.default_rng(random_state)
    y = np.zeros(n, np.int64)
    y[rng.permutation(n)[: _n_odd(n, contamination)]] = 1
    grey = _textures(n, size, rng)
    masks = np.zeros((n, size, size), bool)
    for row in np.flatnonzero(y):
        name = str(rng.choice(list(DEFECTS))) if kind == "mixed" else kind
        change = DEFECTS[name](size, rng)
        grey[row] += change
        masks[row] = np.abs(change) > 0.1
    images = np.rint(255 * grey.clip(0, 1)).astype(np.uint8)
    return Pictures(images[:, None], y, masks)


def _textures(n: int, size: int, rng: np.random.Generator) -> Floats:
    """Draw two crossing gratings of random phase; light, angle and noise vary."""
    down, across = np.mgrid[:size, :size] / size
    angle = rng.normal(0.0, 0.05, (n, 1, 1))
    phase = rng.uniform(0, 2 * np.pi, (2, n, 1, 1))
    warp = np.cos(angle) * across + np.sin(angle) * down
    weft = np.cos(angle) * down - np.sin(angle) * across
    threads = np.sin(8 * np.pi * np.stack([warp, weft]) + phase).sum(axis=0)
    light = rng.normal(0.5, 0.02, (n, 1, 1))
    return light + 0.08 * threads + rng.normal(0.0, 0.02, (n, size, size))


def _blob(size: int, rng: np.random.Generator) -> Floats:
    """Draw a round dark spot with a soft edge, wholly inside the picture."""
    radius = rng.uniform(0.06, 0.12)
    y, x = rng.uniform(2 * radius, 1 - 2 * radius, 2)
    down, across = (np.mgrid[:size, :size] + 0.5) / size
    distance = np.hypot(down - y, across - x)
    return -rng.uniform(0.3, 0.45) * _soft(distance - radius, size)


def _scratch(size: int, rng: np.random.Generator) -> Floats:
    """Draw a straight bright line, about a pixel and a half wide."""
    angle, length = rng.uniform(0, np.pi), rng.uniform(0.3, 0.6)
    y, x = rng.uniform(0.35, 0.65, 2)
    down, across = (np.mgrid[:size, :size] + 0.5) / size
    along = (down - y) * np.sin(angle) + (across - x) * np.cos(angle)
    aside = (down - y) * np.cos(angle) - (across - x) * np.sin(angle)
    beyond = np.maximum(np.abs(along) - length / 2, 0)
    return rng.uniform(0.3, 0.45) * _soft(np.hypot(beyond, aside) - 0.75 / size, size)


def _soft(outside: Floats, size: int) -> Floats:
    """Return 1 inside and 0 outside, falling over one pixel at the edge."""
    return np.clip(0.5 - outside * size, 0, 1)


DEFECTS: dict[str, Callable[[int, np.random.Generator], Floats]] = {
    "blob": _blob,
    "scratch": _scratch,
}


def _n_odd(n: int, contamination: float) -> int:
    return max(round(n * contamination), 1) if contamination else 0


def _check(kind: str, kinds: tuple[str, ...], n: int, contamination: float) -> None:
    if kind not in kinds:
        raise ParameterError(f"kind={kind!r} is not in {', '.join(kinds)}")
    if n < 2:
        raise ParameterError(f"n={n} is too small for a problem; use at least 2")
    if not 0 <= contamination <= 0.5:
        raise ParameterError(
            f"contamination={contamination!r} is not in [0, 0.5]; give the share of "
            "anomalies, 0.05 for five percent"
        )
