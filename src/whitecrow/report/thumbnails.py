"""Pictures and heat maps as files or data URIs, small enough for a page of many."""

from __future__ import annotations

import base64
import io
from contextlib import suppress
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from whitecrow.data.decoding import preview
from whitecrow.errors import DataError

__all__ = ["heat", "picture", "png", "uri"]

SIDE = 224
# The page's colour for what is odd, in its light and its dark version.
RED, GREEN, BLUE = 232, 93, 31


def picture(
    pixels: NDArray[np.uint8],
    file: Path | None = None,
    *,
    side: int = SIDE,
    depth: tuple[float, float] | None = None,
) -> tuple[str, bytes]:
    """Write a picture as JPEG or, if it is tiny, as PNG: media type and content.

    Parameters
    ----------
    pixels : ndarray of uint8, shape (c, h, w)
        What the detector saw.
    file : Path, optional
        The original, shown instead of the pixels where it is larger than them.
    side : int
        Longest side in pixels.
    depth : (low, high), optional
        The values of a picture of more than 8 bits that are shown as 0 and 255.
    """
    image = _shown(pixels, file, side, depth)
    stream = io.BytesIO()
    if max(image.size) <= 64:
        image.save(stream, "PNG", optimize=True)
        return "image/png", stream.getvalue()
    image.save(stream, "JPEG", quality=78, optimize=True)
    return "image/jpeg", stream.getvalue()


def png(pixels: NDArray[np.uint8]) -> bytes:
    """Write pixels of shape (c, h, w) as a PNG, as they are."""
    stream = io.BytesIO()
    _image(pixels).save(stream, "PNG", optimize=True)
    return stream.getvalue()


def heat(values: NDArray[np.float64]) -> tuple[str, bytes]:
    """Draw a heat map as a PNG of one colour whose opacity is the heat.

    Parameters
    ----------
    values : ndarray of shape (h, w)
        Half of the picture, the cooler one, stays clear.
    """
    low, high = float(np.median(values)), float(values.max())
    share = np.clip((values - low) / (high - low), 0, 1) if high > low else values * 0
    layers = np.empty((*values.shape, 4), dtype=np.uint8)
    layers[..., 0], layers[..., 1], layers[..., 2] = RED, GREEN, BLUE
    layers[..., 3] = np.rint(215 * share**1.3)
    image = Image.fromarray(layers)
    if max(image.size) > 96:
        image.thumbnail((96, 96))
    stream = io.BytesIO()
    image.save(stream, "PNG", optimize=True)
    return "image/png", stream.getvalue()


def _shown(
    pixels: NDArray[np.uint8],
    file: Path | None,
    side: int,
    depth: tuple[float, float] | None,
) -> Image.Image:
    if file is not None:
        with suppress(DataError):  # the file is gone; what the detector saw is here
            return preview(file, side=side, depth=depth)
    return _image(pixels)


def _image(pixels: NDArray[np.uint8]) -> Image.Image:
    if len(pixels) == 1:
        return Image.fromarray(pixels[0])
    return Image.fromarray(np.ascontiguousarray(pixels.transpose(1, 2, 0)))


def uri(kind: str, content: bytes) -> str:
    """Write a picture as text, for a page that holds all it shows."""
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"
