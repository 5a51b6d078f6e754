"""Auxiliary outliers: rows of another set, or noise, for training alone.

Which classes and rows of a set are drawn follows from a seed of their own and from
nothing else: they are the same for all methods, normal classes and seeds, and a smaller
number is a part of a larger one. Classes that are normal are never drawn.

Source: Ruff et al., Rethinking Assumptions in Deep Anomaly Detection, 2021;
specs/outlier_exposure.md 3.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from whitecrow.data.rows import PictureRows, TableRows
from whitecrow.data.source import changes_of, open_source, paths_of
from whitecrow.errors import DataError

__all__ = ["BLURS", "KEYS", "NOISES", "Outliers", "check_keys", "outliers"]

Rows = NDArray[Any]
Encode = Callable[[TableRows | PictureRows], Rows]

KEYS = ("data", "noise", "size", "classes", "blur", "blur_by", "seed")


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


def check_keys(
    given: Mapping[str, Any], *, name: Callable[[str], str] = "auxiliary.{}".format
) -> None:
    """Refuse what cannot be said about auxiliary outliers.

    Parameters
    ----------
    given : mapping
        As for `outliers`.
    name : callable
        From a key to what the user calls it.

    Raises
    ------
    DataError
        One line: the key, and what is legal.
    """
    for key in given:
        if key not in KEYS:
            raise DataError(f"{name(key)}: use {', '.join(KEYS)}")
    if ("data" in given) == ("noise" in given):
        raise DataError(
            f"auxiliary outliers need either {name('data')}, the name of a set, or "
            f"{name('noise')}"
        )
    if "noise" in given and given["noise"] not in NOISES:
        raise DataError(
            f"{name('noise')} = {given['noise']!r}; use {', '.join(NOISES)}"
        )
    if "noise" in given and "classes" in given:
        raise DataError(f"{name('classes')}: noise has no classes; leave it out")
    for key, least in (("size", 1), ("seed", 0)):
        value = given.get(key, least)
        if not isinstance(value, int) or isinstance(value, bool) or value < least:
            raise DataError(
                f"{name(key)} = {value!r}; give a whole number from {least}"
            )
    classes = given.get("classes", ["any"])
    number = isinstance(classes, int) and not isinstance(classes, bool) and classes > 0
    if not number and not (isinstance(classes, list | tuple) and classes):
        raise DataError(
            f"{name('classes')} = {classes!r}; give how many, or a list of them"
        )
    blur = given.get("blur", 0)
    if not isinstance(blur, int | float) or isinstance(blur, bool) or blur < 0:
        raise DataError(
            f"{name('blur')} = {blur!r}; give a deviation in pixels, 0 or more"
        )
    if given.get("blur_by", "gaussian") not in BLURS:
        raise DataError(
            f"{name('blur_by')} = {given['blur_by']!r}; use {', '.join(BLURS)}"
        )


def outliers(
    given: Mapping[str, Any],
    X: Rows,
    *,
    normal: Collection[str] = (),
    encode: Encode | None = None,
    depth: tuple[float, float] | None = None,
    source: str | None = None,
    name: Callable[[str], str] = "auxiliary.{}".format,
) -> Outliers:
    """Draw auxiliary outliers for training rows.

    Parameters
    ----------
    given : mapping
        `data` (a set or path) or `noise` (see `NOISES`); `size`, how many rows;
        `classes`, how many or which; `blur`, the standard deviation in pixels of a
        Gaussian blur of these pictures alone, and `blur_by`, see `BLURS`; `seed` of
        what is drawn.
    X : ndarray of shape (n, d) or (n, c, h, w)
        Training rows, pictures as uint8: the outliers are brought to their shape.
    normal : collection of str
        Normal classes, left out of those that may be drawn.
    encode : callable, optional
        From the rows of a table to numbers like those of `X`; needed for `data` of
        tables.
    depth : (low, high), optional
        The range of values of pictures with more than 8 bits that becomes 0 to 255.
    source : str, optional
        Where the training rows come from: it cannot give outliers, too.
    name : callable
        From a key of `given` to what the user calls it, for messages.

    Raises
    ------
    DataError
        If the set is that of the training rows, has other columns, is of the other
        kind, is too small or has too few classes.

    Examples
    --------
    >>> X = np.random.default_rng(0).normal(size=(50, 3))
    >>> outliers({"noise": "uniform", "size": 20}, X).rows.shape
    (20, 3)
    """
    check_keys(given, name=name)
    rng = np.random.default_rng(given.get("seed", 0))
    if given.get("blur") and X.ndim != 4:
        raise DataError(f"{name('blur')} is for pictures; leave it out")
    if "noise" in given:
        drawn = NOISES[given["noise"]](X, given.get("size", len(X)), rng)
        return Outliers(_blurred(drawn, given))
    if source is not None and _same(given["data"], source):
        raise DataError(
            f"{name('data')}: {given['data']} is what training rows come from; "
            "outliers are rows of another set that are certainly not normal"
        )
    rows, kinds = _read(given["data"], X, encode, depth, name)
    kept = np.arange(len(rows))
    classes: tuple[str, ...] = ()
    if kinds is not None:
        classes = _classes(given, kinds, normal, rng, name)
        kept = np.flatnonzero(np.isin(kinds, classes))
    elif "classes" in given:
        raise DataError(f"{name('classes')}: {given['data']} names no classes")
    size = given.get("size", len(kept))
    if size > len(kept):
        those = f" of {len(classes)} classes" if "classes" in given else ""
        raise DataError(
            f"{name('size')} = {size}: {given['data']} has {len(kept)} rows{those} "
            "that may be drawn; give a smaller number"
        )
    # The order is that of all rows, whichever classes are drawn.
    order = rng.permutation(len(rows))
    chosen = order[np.isin(order, kept)][:size]
    return Outliers(_blurred(rows[chosen], given), classes)


@functools.lru_cache(maxsize=1)
def _rows(
    data: str,
    shape: tuple[int, ...] | None,
    depth: tuple[float, float] | None,
    changes: tuple[tuple[str, int, int], ...],
) -> TableRows | PictureRows:
    """Read a set once for the tasks that follow, until its files change."""
    return open_source(data, shape=shape, depth=depth).rows()


def _same(one: str, other: str) -> bool:
    """Tell whether two names stand for the same data."""
    if one == other:
        return True
    try:
        ours, theirs = (
            {path.resolve() for path in paths_of(place)} for place in (one, other)
        )
    except DataError:  # a name of rows in memory; what is missing is told when read
        return False
    return bool(ours) and ours == theirs


def _read(
    data: str,
    X: Rows,
    encode: Encode | None,
    depth: tuple[float, float] | None,
    name: Callable[[str], str],
) -> tuple[Rows, NDArray[np.str_] | None]:
    pictures = X.ndim == 4
    shape = X.shape[1:] if pictures else None
    rows = _rows(data, shape, depth, changes_of(data))
    if isinstance(rows, PictureRows) != pictures:
        holds, wanted = ("a table", "pictures") if pictures else ("pictures", "a table")
        raise DataError(f"{name('data')}: {data} holds {holds}, not {wanted}")
    if isinstance(rows, PictureRows):
        kinds = np.asarray(rows.kinds, dtype=str)
        return rows.images, kinds if kinds.any() else None
    if encode is None:
        raise DataError(f"{name('data')}: give encode, which turns {data} into numbers")
    return encode(rows), None


def _classes(
    given: Mapping[str, Any],
    kinds: NDArray[np.str_],
    normal: Collection[str],
    rng: np.random.Generator,
    name: Callable[[str], str],
) -> tuple[str, ...]:
    """Choose classes; those of the normal rows' names are never among them."""
    never = {one.casefold() for one in normal}
    # Drawn from all classes first, so that they are the same for every normal class.
    order = [str(one) for one in rng.permutation(np.unique(kinds))]
    legal = [one for one in order if one.casefold() not in never]
    asked = given.get("classes")
    if not legal:
        raise DataError(
            f"{name('data')}: all classes of {given['data']} are normal ones "
            f"({', '.join(sorted(never))}); take another set"
        )
    if asked is None:
        return tuple(sorted(legal))
    if isinstance(asked, int):
        if asked > len(legal):
            raise DataError(
                f"{name('classes')} = {asked}: {given['data']} has {len(legal)} "
                "classes beside the normal ones"
            )
        return tuple(sorted(legal[:asked]))
    wrong = [str(one) for one in asked if str(one) not in legal]
    if wrong:
        raise DataError(
            f"{name('classes')}: {wrong[0]!r} is no class of {given['data']}, or it is "
            "a normal one"
        )
    return tuple(str(one) for one in asked)


def _blurred(rows: Rows, given: Mapping[str, Any]) -> Rows:
    blur = float(given.get("blur", 0))
    return BLURS[given.get("blur_by", "gaussian")](rows, blur) if blur else rows


def _gaussian_blur(rows: Rows, deviation: float) -> Rows:
    from scipy.ndimage import gaussian_filter

    axes = (0, 0, deviation, deviation)
    soft = gaussian_filter(rows.astype(np.float32), axes, mode="nearest")
    return soft.round().astype(rows.dtype)


def _pillow_blur(rows: Rows, deviation: float) -> Rows:
    """Blur as the released code does: three passes of a box, rounded."""
    from PIL import Image, ImageFilter

    how = ImageFilter.GaussianBlur(deviation)
    planes = [
        np.asarray(Image.fromarray(plane).filter(how))
        for plane in rows.reshape(-1, *rows.shape[2:])
    ]
    return np.stack(planes).reshape(rows.shape)


BLURS: dict[str, Callable[[Rows, float], Rows]] = {
    "gaussian": _gaussian_blur,
    "pillow": _pillow_blur,
}
"""A true Gaussian, or Pillow's approximation, both with the edge carried on."""


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
