"""Pictures of more than 8 bits a pixel as bytes, by the range of their values.

A camera of ten bits writes 16-bit files whose values end at 1,023, and floating-point
pictures run from 0 to 1, from -1,000 to 3,000 or as they please. So bytes are made by
the range of a whole set of pictures, not of its file format: `low` becomes 0 and `high`
becomes 255. The pair is a plain fact that is kept with a model, so that pictures to
come are scaled as those that it was fitted on.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from whitecrow.errors import DataError, ParameterError

__all__ = [
    "Depth",
    "checked",
    "extent",
    "found",
    "is_beyond",
    "scaled",
    "span",
    "to_bytes",
]

Depth = tuple[float, float]  # the values that become 0 and 255
Numbers = NDArray[Any]
Extents = NDArray[np.float64]  # (n, 4): lowest, nearly lowest, nearly highest, highest

_TAIL = 0.001  # share of pixels beyond "nearly lowest" and "nearly highest"
_COST = 4  # extremes may cost two of the eight bits
_HEADROOM = 0.25  # of the span, on either side: defects to come may be brighter
_FULL = 0.49  # of a range: its upper half is nearly this much
_TOPS = (255, 1023, 4095, 16383, 65535)  # 8, 10, 12, 14 and 16 bits
_CHUNK = 1 << 22  # pixels at a time


def to_bytes(
    images: Numbers, depth: Depth | None = None
) -> tuple[NDArray[np.uint8], Depth | None]:
    """Convert pictures of any numeric type to bytes.

    Parameters
    ----------
    images : ndarray, shape (n, ...)
        Bytes are returned as they are; truth values become 0 and 255.
    depth : (low, high), optional
        The values that become 0 and 255, as an earlier call found them. Without it,
        they are found from these pictures.

    Returns
    -------
    images : ndarray of uint8, shape (n, ...)
    depth : (low, high) or None
        None if there was nothing to scale.

    Raises
    ------
    DataError
        The type is not a number, or a pixel is not finite.
    ParameterError
        `depth` is not a pair of finite numbers in ascending order.

    Notes
    -----
    The range is that from the lowest to the highest pixel of the set or, if extremes
    would cost more than two of the eight bits (hot pixels), that of 99.8 % of the
    pixels of each picture, at worst without a tenth of the pictures at either end. A
    quarter is left free on both sides, unless extremes fill it, for defects to come.
    Where the values fill about half of 8 to 16 bits, or of 0 to 1, all of it is taken.

    Examples
    --------
    >>> ten_bits = np.array([[[0, 511, 1023]]], dtype=np.uint16)
    >>> to_bytes(ten_bits)
    (array([[[  0, 127, 255]]], dtype=uint8), (0.0, 1023.0))
    >>> to_bytes(np.array([[[2000]]], dtype=np.uint16), (0.0, 1023.0))[0].item()
    255
    """
    if depth is not None:
        checked(depth)
    if images.dtype == np.uint8:
        return images, None
    if images.dtype == np.bool_:
        return images.astype(np.uint8) * np.uint8(255), None
    if images.dtype.kind not in "uif":
        raise DataError(
            f"pictures of type {images.dtype}; save whole or floating-point numbers"
        )
    step = max(1, _CHUNK // max(1, math.prod(images.shape[1:])))
    parts = [slice(start, start + step) for start in range(0, len(images), step)]
    extents = [extent(images[part], first=part.start) for part in parts]
    depth = depth or found(np.concatenate(extents), images.dtype)
    result = np.empty(images.shape, dtype=np.uint8)
    for part in parts:
        result[part] = scaled(images[part], depth)
    return result, depth


def checked(depth: Sequence[float]) -> Depth:
    """Convert a depth to two floats, or raise an error that says what a depth is.

    Raises
    ------
    ParameterError
        It is not a pair of finite numbers in ascending order.
    """
    try:
        low, high = (float(value) for value in depth)
    except (TypeError, ValueError, OverflowError):
        low, high = math.nan, math.nan
    if not (math.isfinite(high - low) and low < high):
        raise ParameterError(
            f"depth={depth!r}; give the values that become 0 and 255, the lower one "
            "first, such as (0, 1023), or leave it out to find them"
        )
    return low, high


def extent(images: Numbers, *, first: int = 0) -> Extents:
    """Measure the range of each picture's values; `first` is the index of the first.

    Returns
    -------
    ndarray of float64, shape (n, 4)
        The lowest pixel, the one above the lowest thousandth, the one below the
        highest thousandth, the highest.

    Raises
    ------
    DataError
        A pixel is not finite.
    """
    flat = images.reshape(len(images), -1)
    n = flat.shape[1]
    if flat.dtype.kind == "f":
        bad = n - np.isfinite(flat).sum(axis=1)
        if bad.any():
            row = int(np.flatnonzero(bad)[0])
            raise DataError(
                f"picture {first + row}: {bad[row]:,} of {n:,} pixels are not finite "
                "numbers"
            )
    inner = max(int(n >= 64), int(_TAIL * n))
    places = [0, inner, n - 1 - inner, n - 1]
    ordered = np.sort(flat, axis=1)  # for numbers as fast as a partition
    # Within bounds whose difference is finite.
    return np.clip(ordered[:, places].astype(np.float64), -1e300, 1e300)


def found(extents: Extents, dtype: np.dtype[Any]) -> Depth:
    """Choose the range to scale a set of pictures by; see `to_bytes` and `extent`.

    Pixels of integers get integers as bounds.

    Examples
    --------
    >>> hot = np.array([[400.0, 410.0, 590.0, 65535.0]] * 20)
    >>> found(hot, np.dtype(np.uint16))
    (365.0, 635.0)
    """
    whole = dtype.kind in "ui"
    lowest, highest = float(extents[:, 0].min()), float(extents[:, 3].max())
    inside = _inner(extents)
    low, high = _generous(extents, inside)
    for top in _TOPS if whole else (1, *_TOPS):
        if lowest >= 0 and highest <= top:
            if high - low >= _FULL * top or high == low:
                return 0.0, float(top)
            break
    room = _HEADROOM * (inside[1] - inside[0])
    low, high = min(low, inside[0] - room), max(high, inside[1] + room)
    if lowest >= 0:
        low = max(low, 0.0)
    if dtype == np.uint16:
        high = min(high, 65535.0)
    if whole:
        low, high = float(math.floor(low)), float(math.ceil(high))
    if low < high:
        return low, high
    room = max(1.0, 1e-9 * abs(low))
    return low - room, high + room


def _inner(extents: Extents) -> Depth:
    """Find the range of most pixels of most pictures, or a wider one if it is empty."""
    drop = len(extents) // 10
    lows, highs = np.sort(extents[:, 1]), np.sort(extents[:, 2])
    low, high = float(lows[drop]), float(highs[len(highs) - 1 - drop])
    if low >= high:
        low, high = float(lows[0]), float(highs[-1])
    if low >= high:
        low, high = float(extents[:, 0].min()), float(extents[:, 3].max())
    return low, high


def _generous(extents: Extents, inside: Depth) -> Depth:
    """Return the widest range that leaves enough of the 256 values to the inner one."""
    limit = _COST * (inside[1] - inside[0])
    for left, right in ((0, 3), (1, 2)):
        low, high = float(extents[:, left].min()), float(extents[:, right].max())
        if high - low <= limit:
            return low, high
    return inside


def scaled(images: Numbers, depth: Depth) -> NDArray[np.uint8]:
    """Scale numbers to bytes: `low` becomes 0, `high` 255, the rest is clipped."""
    low, high = depth
    above = np.clip(images.astype(np.float64), low, high) - low
    if images.dtype.kind in "ui":
        # Rounded down, so that 16 bits are divided by 257. Exact below 2^45.
        return np.floor_divide(above * 255, high - low).astype(np.uint8)
    return np.rint(above / (high - low) * 255).astype(np.uint8)


def is_beyond(extents: Extents, depth: Depth) -> NDArray[np.bool_]:
    """Tell which pictures have values beyond the range, extremes aside."""
    return np.asarray((extents[:, 1] < depth[0]) | (extents[:, 2] > depth[1]))


def span(depth: Depth) -> str:
    """Format the range as text.

    Examples
    --------
    >>> span((340, 1023)), span((-0.25, 1.5))
    ('340 to 1,023', '-0.25 to 1.5')
    """
    low, high = (
        f"{value:,.0f}" if float(value).is_integer() else f"{value:.4g}"
        for value in depth
    )
    return f"{low} to {high}"
