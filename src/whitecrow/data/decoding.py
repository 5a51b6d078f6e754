"""One picture file: opened safely, its head, and its pixels.

Files are hostile until decoded: only regular files are opened, only by the decoders of
the formats that are listed, and large ones one at a time.
"""

from __future__ import annotations

import os
import stat
import sys
import threading
import warnings
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile, ImageOps

from whitecrow.data import depth as depths
from whitecrow.errors import DataError

__all__ = [
    "GREY",
    "GREY_AND_ALPHA",
    "LARGEST_PIXELS",
    "Deep",
    "Head",
    "deep_pixels",
    "head",
    "open_picture",
    "pixels",
    "preview",
    "reason",
    "room",
    "shown",
]

LARGEST_PIXELS = 100_000_000
ALONE_PIXELS = 10_000_000  # larger pictures are decoded one at a time

# Whatever a file is called: no decoder but these sees its bytes.
_FORMATS = ("BMP", "JPEG", "PNG", "PPM", "TIFF", "WEBP")
_DEEP = {"I;16", "I;16B", "I;16L", "I;16N", "I", "F"}
GREY = {"1", "L", "LA", "La"} | _DEEP
# How Pillow unpacks 16-bit colours: to their upper bytes. Read in the other order,
# the same bytes give the lower ones.
_OTHER_ORDER = {
    f"{mode};16{order}": f"{mode};16{other}"
    for mode in ("RGB", "RGBA", "RGBX")
    for order, other in (("B", "L"), ("L", "B"))
}
GREY_AND_ALPHA = "LA;16B"
_ORIENTATION = 0x0112
_PNG_EXIF = {"exif", "Raw profile type exif", "xmp", "XML:com.adobe.xmp"}
_ALONE = threading.Lock()

Size = tuple[int, int]  # height, width
Numbers = NDArray[Any]


@dataclass(frozen=True)
class Head:
    """What a file says before its pixels are decoded; `problem` if it cannot.

    `deep` names the type of pixels of more than 8 bits and is empty for others; `raw`
    is how Pillow unpacks them.
    """

    size: Size = (0, 0)
    mode: str = ""
    deep: str = ""
    raw: str = ""
    pages: bool = False
    problem: str = ""


@dataclass(frozen=True, eq=False)
class Deep:
    """Pixels of more than 8 bits in their final size, and how far they reach."""

    pixels: Numbers  # (h, w) or (h, w, 3)
    extent: NDArray[np.float64]  # of the file, before it was resized
    type: str


@contextmanager
def open_picture(path: Path) -> Iterator[ImageFile.ImageFile]:
    """Open a regular file with the decoders of these formats alone.

    Raises
    ------
    OSError
        The file is a pipe, a device or a folder, cannot be opened, or is not a picture.
    """
    if not stat.S_ISREG(path.stat().st_mode):
        raise OSError("not a regular file")
    with (
        open(path, "rb", opener=_at_once) as stream,
        Image.open(stream, formats=_FORMATS) as image,
    ):
        yield image


def preview(path: Path, *, side: int, depth: depths.Depth | None = None) -> Image.Image:
    """Read one picture as a page shows it: 8 bits, upright, no side above `side`.

    Parameters
    ----------
    depth : (low, high), optional
        See `read_pictures`; without it, a picture of more than 8 bits is scaled by
        the range of its own values.

    Raises
    ------
    DataError
        The picture cannot be read.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = head(path)
        if found.problem:
            raise DataError(f"{shown(path)}: {found.problem}")
        try:
            with room(found):
                image = _upright(path, found, side, depth)
        except Exception as error:  # as in head
            raise DataError(f"{shown(path)}: {reason(error)}") from error
    image.thumbnail((side, side))
    return image


def _upright(
    path: Path, found: Head, side: int, depth: depths.Depth | None
) -> Image.Image:
    if found.deep:
        numbers, _ = depths.to_bytes(_numbers(path, found)[None], depth)
        return Image.fromarray(numbers[0])
    with open_picture(path) as file:
        file.draft("RGB", (side, side))
        mode = "L" if found.mode in GREY else "RGB"
        return ImageOps.exif_transpose(file).convert(mode)


def shown(path: Path) -> str:
    r"""A path as text that any page or file can hold: odd bytes as `\xff`.

    Examples
    --------
    >>> shown(Path("tiles", "a.png"))
    'tiles/a.png'
    """
    return os.fsencode(path.as_posix()).decode("utf-8", "backslashreplace")


def _at_once(path: str, flags: int) -> int:
    """Open without waiting for a writer, should the file have become a pipe."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def head(path: Path, *, largest: int = LARGEST_PIXELS) -> Head:
    """Read what a picture says of itself; never raises."""
    try:
        with open_picture(path) as image:
            w, h = image.size
            mode, raw = image.mode, _raw(image)
            pages = image.format != "MPO" and bool(getattr(image, "is_animated", False))
            turned = _orientation(image) in (5, 6, 7, 8)
            if turned and image.format == "TIFF":
                # Pillow turns these itself and says so in their size, but it takes
                # columns for rows where nothing is compressed.
                turned = False
                if w != h and image.tile and image.tile[0].codec_name == "raw":
                    return Head(
                        problem="lies on its side, which is not supported "
                        "in uncompressed TIFF files; save it upright"
                    )
    except Exception as error:  # the decoders raise nearly anything on broken bytes
        return Head(problem=reason(error))
    if w * h > largest:
        return Head(problem=f"{w} x {h} pixels are more than {largest:,}")
    return Head((h, w) if not turned else (w, h), mode, _deep(mode, raw), raw, pages)


def _orientation(image: ImageFile.ImageFile) -> int:
    """How the picture lies, as far as it is said before the pixels."""
    if image.format == "PNG" and not _PNG_EXIF & set(image.info):
        return 1  # Pillow would decode all pixels to see what is behind them
    return int(image.getexif().get(_ORIENTATION, 1))


def _raw(image: ImageFile.ImageFile) -> str:
    """How Pillow will unpack the pixels, such as `"RGB;16B"`."""
    if image.format == "PPM" and image.mode == "I":
        return "I;16B"  # whatever the largest value, it becomes 65,535
    args = image.tile[0].args if image.tile else ""
    args = args[0] if isinstance(args, tuple) and args else args
    raw = args if isinstance(args, str) else ""
    return raw.replace(";16N", ";16L" if sys.byteorder == "little" else ";16B")


def _deep(mode: str, raw: str) -> str:
    if mode == "F":
        return "floating-point"
    if mode == "I" and ";16" not in raw:
        return "32-bit"
    return "16-bit" if mode in _DEEP or raw in {GREY_AND_ALPHA, *_OTHER_ORDER} else ""


def reason(error: Exception) -> str:
    """Why a picture cannot be read, in a few words."""
    text = str(error)
    if isinstance(error, OSError) and error.strerror:
        text = error.strerror
    text = " ".join(text.split()) or type(error).__name__
    return "not a picture" if "cannot identify" in text else text[:120]


def room(found: Head) -> AbstractContextManager[Any]:
    """Wait, so that only one large picture is in memory at a time."""
    large = found.size[0] * found.size[1] > ALONE_PIXELS
    return _ALONE if large else nullcontext()


def pixels(path: Path, size: Size, channels: int) -> NDArray[np.uint8]:
    """The bytes of a picture in its final size: (h, w), or (h, w, 3) in colour."""
    h, w = size
    mode = "L" if channels == 1 else "RGB"
    with open_picture(path) as file:
        file.draft(mode, (max(h, w), max(h, w)))  # JPEG: decode no more than needed
        image = ImageOps.exif_transpose(file).convert(mode)
        if image.size != (w, h):
            image = image.resize((w, h), Image.Resampling.BILINEAR)
        return np.asarray(image)


def deep_pixels(path: Path, found: Head, size: Size) -> Deep:
    """The numbers of a picture of more than 8 bits in its final size.

    Raises
    ------
    DataError
        A pixel is not finite.
    """
    numbers = _numbers(path, found)
    wrong = numbers.size - int(np.isfinite(numbers).sum()) if found.mode == "F" else 0
    if wrong:
        raise DataError(f"{wrong:,} of {numbers.size:,} pixels are not finite numbers")
    return Deep(_resized(numbers, size), depths.extent(numbers[None]), found.deep)


def _numbers(path: Path, found: Head) -> Numbers:
    """The pixels of a picture of more than 8 bits, upright: (h, w) or (h, w, 3)."""
    if found.raw == GREY_AND_ALPHA:
        upper, lower = np.moveaxis(_unpacked(path, "RGBA")[..., :2], -1, 0)
        return upper.astype(np.uint16) << 8 | lower
    whole = _unpacked(path)
    if found.raw in _OTHER_ORDER:
        lower = _unpacked(path, _OTHER_ORDER[found.raw])[..., :3]
        return whole[..., :3].astype(np.uint16) << 8 | lower
    if found.raw == "I;32N":  # unsigned, which Pillow's mode is not
        whole = whole.view(np.uint32)
    return whole.astype(whole.dtype.newbyteorder("="), copy=False)


def _unpacked(path: Path, raw: str = "") -> Numbers:
    with open_picture(path) as image:
        if raw:
            image.tile = [_with_raw(tile, raw) for tile in image.tile]
        image.load()
        turn = image.getexif().get(_ORIENTATION, 1)
        return _turned(np.array(image), turn)


def _with_raw(tile: Any, raw: str) -> Any:
    args = tile.args
    return tile._replace(args=(raw, *args[1:]) if isinstance(args, tuple) else raw)


def _turned(numbers: Numbers, orientation: int) -> Numbers:
    """Pixels upright, by the eight orientations of Exif."""
    if orientation in (5, 6, 7, 8):
        numbers = numbers.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        numbers = numbers[::-1]
    if orientation in (2, 3, 6, 7):
        numbers = numbers[:, ::-1]
    return np.ascontiguousarray(numbers)


def _resized(numbers: Numbers, size: Size) -> Numbers:
    h, w = size
    if numbers.shape[:2] == size:
        return numbers
    if numbers.ndim == 3:
        planes = np.moveaxis(numbers, -1, 0)
        return np.stack([_resized(plane, size) for plane in planes], axis=-1)
    image = Image.fromarray(numbers.astype(np.float32))
    small = np.asarray(image.resize((w, h), Image.Resampling.BILINEAR))
    whole = numbers.dtype.kind in "ui"
    return np.rint(small).astype(numbers.dtype) if whole else small
