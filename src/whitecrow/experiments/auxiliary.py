"""Auxiliary outliers of a task: rows of another set, or noise, for training alone.

Which classes and rows of a set are drawn follows from a seed of the file and from
nothing else: they are the same for all methods, normal classes and seeds, and a smaller
number is a part of a larger one. Classes that are normal are never drawn.

Source: Ruff et al., Rethinking Assumptions in Deep Anomaly Detection, 2021;
specs/outlier_exposure.md 3.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from whitecrow.data.source import PictureSource, open_source
from whitecrow.errors import DataError

__all__ = ["KEYS", "NOISES", "Outliers", "check_keys", "outliers"]

Rows = NDArray[Any]

KEYS = ("data", "noise", "size", "classes", "blur", "seed")


class Outliers(NamedTuple):
    """Rows for training, and what they are.

    Attributes
    ----------
    rows : ndarray
        Like the training rows.
    classes : tuple of str
        Those that were drawn; empty where the set has none.
    """

    rows: Rows
    classes: tuple[str, ...] = ()


def check_keys(given: Mapping[str, Any]) -> None:
    """Refuse what an experiment file cannot say about auxiliary outliers.

    Raises
    ------
    DataError
        One line: the key, and what is legal.
    """
    for key in given:
        if key not in KEYS:
            raise DataError(f"auxiliary.{key}: use {', '.join(KEYS)}")
    if ("data" in given) == ("noise" in given):
        raise DataError("auxiliary needs either data, the name of a set, or noise")
    if "noise" in given and given["noise"] not in NOISES:
        raise DataError(
            f"auxiliary.noise = {given['noise']!r}; use {', '.join(NOISES)}"
        )
    if "noise" in given and "classes" in given:
        raise DataError("auxiliary.classes: noise has no classes; leave it out")
    for key, least in (("size", 1), ("seed", 0)):
        value = given.get(key, least)
        if not isinstance(value, int) or isinstance(value, bool) or value < least:
            raise DataError(f"auxiliary.{key} = {value!r}; give a whole number")
    classes = given.get("classes", ["any"])
    number = isinstance(classes, int) and not isinstance(classes, bool) and classes > 0
    if not number and not (isinstance(classes, list) and classes):
        raise DataError(
            f"auxiliary.classes = {classes!r}; give how many, or a list of them"
        )
    blur = given.get("blur", 0)
    if not isinstance(blur, int | float) or isinstance(blur, bool) or blur < 0:
        raise DataError(
            f"auxiliary.blur = {blur!r}; give a radius in pixels, 0 or more"
        )


def outliers(
    given: Mapping[str, Any],
    X_train: Rows,
    *,
    normal: Collection[str] = (),
    encode: Callable[[Any], Rows] | None = None,
) -> Outliers:
    """Draw auxiliary outliers for training rows.

    Parameters
    ----------
    given : mapping
        `data` (a set or path) or `noise` (see `NOISES`); `size`, how many rows;
        `classes`, how many or which; `blur`, the standard deviation in pixels of a
        Gaussian blur of these pictures alone; `seed` of what is drawn.
    X_train : ndarray of shape (n, d) or (n, c, h, w)
        Training rows: the outliers are brought to their shape.
    normal : collection of str
        Normal classes, left out of those that may be drawn.
    encode : callable, optional
        From a table to encoded rows, for tables.

    Raises
    ------
    DataError
        If the set has other columns, is of the other kind, or has too few classes.

    Examples
    --------
    >>> X = np.random.default_rng(0).normal(size=(50, 3))
    >>> outliers({"noise": "uniform", "size": 20}, X).rows.shape
    (20, 3)
    """
    rng = np.random.default_rng(given.get("seed", 0))
    if "noise" in given:
        size = given.get("size", len(X_train))
        return Outliers(_blurred(NOISES[given["noise"]](X_train, size, rng), given))
    rows, kinds = _read(given["data"], X_train, encode)
    kept = np.arange(len(rows))
    classes: tuple[str, ...] = ()
    if kinds is not None:
        classes = _classes(given, kinds, normal, rng)
        kept = np.flatnonzero(np.isin(kinds, classes))
    # The order is that of all rows, whichever classes are drawn.
    order = rng.permutation(len(rows))
    chosen = order[np.isin(order, kept)][: given.get("size", len(kept))]
    return Outliers(_blurred(rows[chosen], given), classes)


def _read(
    name: str, X_train: Rows, encode: Callable[[Any], Rows] | None
) -> tuple[Rows, NDArray[np.str_] | None]:
    pictures = X_train.ndim == 4
    source = open_source(name, shape=X_train.shape[1:] if pictures else None)
    if isinstance(source, PictureSource) != pictures:
        wanted = "pictures" if pictures else "a table"
        raise DataError(f"auxiliary.data: {name} is not {wanted}, as the set is")
    if isinstance(source, PictureSource):
        found = source.rows()
        kinds = np.asarray(found.kinds, dtype=str)
        return found.images, kinds if kinds.any() else None
    assert encode is not None
    return encode(source.rows().frame), None


def _classes(
    given: Mapping[str, Any],
    kinds: NDArray[np.str_],
    normal: Collection[str],
    rng: np.random.Generator,
) -> tuple[str, ...]:
    """Choose classes; those of the normal rows' names are never among them."""
    never = {name.casefold() for name in normal}
    # Drawn from all classes first, so that they are the same for every normal class.
    order = [str(one) for one in rng.permutation(np.unique(kinds))]
    legal = [one for one in order if one.casefold() not in never]
    asked = given.get("classes")
    if asked is None:
        return tuple(sorted(legal))
    if isinstance(asked, int):
        if asked > len(legal):
            raise DataError(
                f"auxiliary.classes = {asked}: {given['data']} has {len(legal)} "
                "classes beside the normal ones"
            )
        return tuple(sorted(legal[:asked]))
    wrong = [str(one) for one in asked if str(one) not in legal]
    if wrong:
        raise DataError(
            f"auxiliary.classes: {wrong[0]!r} is no class of {given['data']}, or it is "
            "a normal one"
        )
    return tuple(str(one) for one in asked)


def _blurred(rows: Rows, given: Mapping[str, Any]) -> Rows:
    blur = given.get("blur", 0)
    if not blur:
        return rows
    if rows.ndim != 4:
        raise DataError("auxiliary.blur is for pictures; leave it out")
    from scipy.ndimage import gaussian_filter

    soft = gaussian_filter(rows.astype(np.float32), (0, 0, blur, blur))
    return soft.round().astype(rows.dtype) if rows.dtype == np.uint8 else soft


def _uniform(X: Rows, size: int, rng: np.random.Generator) -> Rows:
    """Draw from the box around the rows, a tenth wider; any grey or colour."""
    if X.ndim == 4:
        return rng.integers(0, 256, (size, *X.shape[1:]), dtype=np.uint8)
    low, high = X.min(axis=0), X.max(axis=0)
    margin = 0.1 * (high - low)
    return (
        low - margin + rng.uniform(size=(size, X.shape[1])) * (high - low + 2 * margin)
    )


def _gaussian(X: Rows, size: int, rng: np.random.Generator) -> Rows:
    """Draw each number by itself, with mean and deviation of its column or channel."""
    axes = (0, 2, 3) if X.ndim == 4 else 0
    mean, std = (f(X, axis=axes, keepdims=True)[0] for f in (np.mean, np.std))
    drawn = mean + std * rng.normal(size=(size, *X.shape[1:]))
    return drawn.clip(0, 255).round().astype(np.uint8) if X.ndim == 4 else drawn


def _shuffled(X: Rows, size: int, rng: np.random.Generator) -> Rows:
    """Permute the pixels of each picture, or each column by itself."""
    some = X[rng.choice(len(X), size, replace=size > len(X))]
    if X.ndim == 4:
        flat = some.reshape(size, X.shape[1], -1)
        order = rng.random((size, 1, flat.shape[2])).argsort(axis=2)
        return np.take_along_axis(flat, order, axis=2).reshape(some.shape)
    return np.take_along_axis(some, rng.random(some.shape).argsort(axis=0), axis=0)


NOISES: dict[str, Callable[[Rows, int, np.random.Generator], Rows]] = {
    "uniform": _uniform,
    "gaussian": _gaussian,
    "shuffled": _shuffled,
}
