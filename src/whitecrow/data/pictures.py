"""Folders of pictures, in the industrial layout or flat, as one array.

The layout is `train/good/*`, `test/KIND/*` and masks of the defects in
`ground_truth/KIND/*`. Every other folder is read as unlabelled pictures, with its
subfolders. Pictures come out in the order of their paths, all of one size and mode.
"""

from __future__ import annotations

import os
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from whitecrow import labels as conventions
from whitecrow.data.content import GOOD, Pictures, labels_of
from whitecrow.errors import DataError, ParameterError

__all__ = ["SUFFIXES", "masks", "read_pictures", "with_channels"]

SUFFIXES = (".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")
LARGEST_SIDE = 256  # of pictures whose size is not asked for
LARGEST_PIXELS = 100_000_000

_SPLITS = ("train", "test")
_MASKS = "ground_truth"
_GREY = {"1", "L", "LA", "La", "I", "I;16", "I;16B", "I;16L", "I;16N"}
_DEEP = {"I", "I;16", "I;16B", "I;16L", "I;16N"}  # 16 bits a pixel

Item = TypeVar("Item")
Result = TypeVar("Result")
Size = tuple[int, int]  # height, width
Skipped = tuple[str, str]  # path, reason


def read_pictures(
    folder: Path,
    *,
    files: Sequence[Path] | None = None,
    picture_size: int | None = None,
) -> Pictures:
    """All pictures of a folder, or some of them, as one array.

    Parameters
    ----------
    folder : Path
        A data set (with `train/` or `test/`), one of these two, or any folder.
    files : sequence of Path, optional
        Read these files below `folder` instead of all.
    picture_size : int, optional
        Side in pixels of the square that every picture is resized to. Without it,
        the most frequent size is kept, scaled down to 256 pixels on its longer side.

    Returns
    -------
    Pictures
        Broken files are left out and named in `skipped`.

    Raises
    ------
    DataError
        There is no folder, no picture in it, or none that can be read.
    ParameterError
        `picture_size` is not a positive whole number.
    """
    _check_size(picture_size)
    notes: list[str] = []
    if files is None:
        files = _picture_files(folder, notes)
    paths = [path.relative_to(folder).as_posix() for path in files]
    with warnings.catch_warnings():
        # Pillow warns about large pictures and odd metadata; what matters of it, a
        # picture that is too large or broken, is reported by name below.
        warnings.simplefilter("ignore")
        heads = _each(_head, files)
        size = _common_size(heads, picture_size, notes)
        channels = _channels(heads, notes)
        images, failures = _decode(files, heads, size, channels)
    bad = {row: failures[row] for row in range(len(files)) if failures[row]}
    if len(bad) == len(files):
        raise _nothing_readable(folder, paths, bad)
    good = [row for row in range(len(files)) if row not in bad]
    kept = tuple(paths[row] for row in good)
    kinds = _kinds(folder, kept, notes)
    notes.insert(0, _summary(len(kept), size, channels))
    if bad:
        notes.append(f"broken and skipped: {len(bad)} of {len(files)} pictures")
    skipped = tuple((paths[row], reason) for row, reason in bad.items())
    images = images if not bad else images[good]
    codes = labels_of(kinds)
    return Pictures(images, kept, kinds, codes, skipped, str(folder), tuple(notes))


def masks(folder: str | Path, pictures: Pictures) -> NDArray[np.bool_] | None:
    """Masks of the defects, from the `ground_truth` folder of the layout.

    Parameters
    ----------
    folder : str or Path
        The folder that `pictures` was read from: the data set or its `test` folder.
    pictures : Pictures
        Their paths say which mask belongs to which picture, their size is the size
        of the masks.

    Returns
    -------
    ndarray of bool, shape (n, h, w), or None
        True where the defect is; all False for pictures without a defect. None if
        there is no `ground_truth` folder or no picture has a kind.

    Raises
    ------
    DataError
        A picture with a defect has no mask, or its mask cannot be read.
    """
    root = Path(folder)
    places = [root / _MASKS, root.parent / _MASKS]
    truth = next((place for place in places if place.is_dir()), None)
    if truth is None or not any(pictures.kinds):
        return None
    n, _, h, w = pictures.images.shape
    result = np.zeros((n, h, w), dtype=np.bool_)
    for row in np.flatnonzero(pictures.labels == conventions.ANOMALY).tolist():
        mask = _mask_file(truth, pictures.kinds[row], pictures.paths[row])
        result[row] = _read_mask(mask, (h, w))
    return result


def with_channels(images: NDArray[np.uint8], channels: int) -> NDArray[np.uint8]:
    """Grey pictures as colour ones, or colour pictures as grey ones.

    Parameters
    ----------
    images : ndarray of uint8, shape (n, 1 or 3, h, w)
    channels : int
        1 or 3.

    Returns
    -------
    ndarray of uint8, shape (n, channels, h, w)
        The same array if nothing is to do. Grey is the luma of ITU-R 601, as Pillow
        has it.

    Raises
    ------
    ParameterError
        `channels` is neither 1 nor 3.

    Examples
    --------
    >>> with_channels(np.full((2, 3, 4, 4), 7, np.uint8), 1).shape
    (2, 1, 4, 4)
    """
    if channels not in (1, 3):
        raise ParameterError(f"channels={channels}; use 1 (grey) or 3 (colour)")
    if images.shape[1] == channels:
        return images
    if channels == 3:
        return np.repeat(images, 3, axis=1)
    red, green, blue = (images[:, c].astype(np.uint32) for c in range(3))
    grey = (19595 * red + 38470 * green + 7471 * blue + 0x8000) >> 16
    return grey.astype(np.uint8)[:, None]


# ------------------------------------------------------------- finding pictures


def _picture_files(folder: Path, notes: list[str]) -> list[Path]:
    splits = [folder / name for name in _SPLITS if (folder / name).is_dir()]
    found = [path for place in splits or [folder] for path in _visible_files(place)]
    files = [path for path in found if path.suffix.lower() in SUFFIXES]
    if not files:
        raise _no_pictures(folder, found)
    others = Counter(path.suffix.lower() or path.name for path in found)
    for suffix in SUFFIXES:
        others.pop(suffix, None)
    if others:
        names = ", ".join(sorted(others)[:5])
        notes.append(f"other files, left alone: {others.total()} ({names})")
    return files


def _visible_files(folder: Path) -> list[Path]:
    """All files below a folder, in the order of their paths, without hidden ones."""
    found: list[Path] = []
    for place, folders, names in os.walk(folder, onerror=_refuse):
        folders[:] = [f for f in folders if not f.startswith(".") and f != _MASKS]
        found += [Path(place, name) for name in names if not name.startswith(".")]
    return sorted(found, key=lambda path: path.relative_to(folder).parts)


def _refuse(error: OSError) -> None:
    raise DataError(f"{error.filename}: cannot be listed ({error.strerror})")


def _no_pictures(folder: Path, found: list[Path]) -> DataError:
    legal = ", ".join(suffix[1:] for suffix in SUFFIXES)
    for suffix in (".csv", ".csv.gz", ".parquet"):
        if tables := [path for path in found if path.name.lower().endswith(suffix)]:
            return DataError(
                f"{folder}: no pictures in this folder, but {len(tables)} {suffix[1:]} "
                f"files; read them with the pattern '{tables[0].parent / '*'}{suffix}'"
            )
    return DataError(f"{folder}: no pictures in this folder; it needs {legal} files")


def _kinds(folder: Path, paths: tuple[str, ...], notes: list[str]) -> tuple[str, ...]:
    """The kind of each picture: the folder it lies in, where the layout says so."""
    parents = [PurePosixPath(path).parts[:-1] for path in paths]
    if any(parts and parts[0] in _SPLITS for parts in parents):
        kinds = tuple(parts[1] if len(parts) > 1 else "" for parts in parents)
    elif folder.resolve().name in _SPLITS or (GOOD,) in parents:
        kinds = tuple(parts[0] if parts else "" for parts in parents)
    else:
        if folders := sorted({parts[0] for parts in parents if parts}):
            notes.append(
                f"subfolders ({', '.join(folders[:5])}) are not taken as kinds: none "
                f"is called {GOOD!r}, and there is no train or test folder"
            )
        return ("",) * len(paths)
    counts = Counter(kind or "no kind" for kind in kinds)
    notes.append("kinds: " + ", ".join(f"{k} {n}" for k, n in sorted(counts.items())))
    return kinds


# -------------------------------------------------------------- reading pictures


@dataclass(frozen=True)
class _Head:
    """What a file says before its pixels are decoded; `problem` if it cannot."""

    size: Size = (0, 0)
    mode: str = ""
    problem: str = ""


def _check_size(picture_size: int | None) -> None:
    if picture_size is None:
        return
    if isinstance(picture_size, bool) or not 1 <= picture_size <= 4096:
        raise ParameterError(
            f"picture_size={picture_size}; use a number of pixels from 1 to 4096, or "
            "leave it out to keep the size of the files"
        )


def _each(work: Callable[[Item], Result], items: Iterable[Item]) -> list[Result]:
    """Map over files in a few threads: Pillow decodes without holding the GIL."""
    with ThreadPoolExecutor(max_workers=min(8, os.cpu_count() or 1)) as pool:
        return list(pool.map(work, items))


def _head(path: Path) -> _Head:
    try:
        with Image.open(path) as image:
            w, h = image.size
            mode = image.mode
            turned = image.getexif().get(0x0112, 1) in (5, 6, 7, 8)
    except Exception as error:  # the decoders raise nearly anything on broken bytes
        return _Head(problem=_reason(error))
    if w * h > LARGEST_PIXELS:
        return _Head(problem=f"{w} x {h} pixels are more than {LARGEST_PIXELS:,}")
    if mode == "F":
        return _Head(problem="floating-point pixels; save it with 8 or 16 bits")
    return _Head((w, h) if turned else (h, w), mode)


def _reason(error: Exception) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return "not a picture" if "cannot identify" in text else text[:120]


def _common_size(
    heads: list[_Head], picture_size: int | None, notes: list[str]
) -> Size:
    sizes = Counter(head.size for head in heads if not head.problem)
    if not sizes:
        return (1, 1)
    # The smaller one of equally frequent sizes, so that the order does not matter.
    (h, w), _ = min(sizes.items(), key=lambda item: (-item[1], item[0]))
    if picture_size is not None:
        target = (picture_size, picture_size)
    else:
        scale = min(1.0, LARGEST_SIDE / max(h, w))
        target = (max(1, round(h * scale)), max(1, round(w * scale)))
    resized = sum(count for size, count in sizes.items() if size != target)
    if resized:
        reason = "as asked for" if picture_size else "the most frequent size"
        if picture_size is None and target != (h, w):
            reason = f"from {h} x {w}, at most {LARGEST_SIDE} pixels a side"
        notes.append(
            f"resized to {target[0]} x {target[1]} ({reason}): {resized} of "
            f"{sizes.total()} pictures, which have {len(sizes)} sizes"
        )
    return target


def _channels(heads: list[_Head], notes: list[str]) -> int:
    modes = [head.mode for head in heads if not head.problem]
    grey = sum(mode in _GREY for mode in modes)
    if 0 < grey < len(modes):
        notes.append(
            f"converted from grey to colour, as the others are: {grey} of "
            f"{len(modes)} pictures"
        )
    if deep := sum(mode in _DEEP for mode in modes):
        notes.append(
            f"reduced from 16 bits a pixel to 8: {deep} of {len(modes)} pictures"
        )
    if clear := sum(mode in {"LA", "La", "PA", "RGBA", "RGBa"} for mode in modes):
        notes.append(f"transparency dropped: {clear} of {len(modes)} pictures")
    return 1 if grey == len(modes) else 3


def _decode(
    files: Sequence[Path], heads: list[_Head], size: Size, channels: int
) -> tuple[NDArray[np.uint8], list[str]]:
    images = np.zeros((len(files), channels, *size), dtype=np.uint8)

    def fill(row: int) -> str:
        if heads[row].problem:
            return heads[row].problem
        try:
            pixels = _pixels(files[row], size, channels)
        except Exception as error:  # as in _head
            return _reason(error)
        images[row] = pixels[None] if channels == 1 else pixels.transpose(2, 0, 1)
        return ""

    return images, _each(fill, range(len(files)))


def _pixels(path: Path, size: Size, channels: int) -> NDArray[np.uint8]:
    h, w = size
    mode = "L" if channels == 1 else "RGB"
    with Image.open(path) as file:
        file.draft(mode, (max(h, w), max(h, w)))  # JPEG: decode no more than needed
        image = ImageOps.exif_transpose(file)
        if image.mode in _DEEP:
            # Pillow would clip 16 bits at 255.
            deep = np.clip(np.asarray(image), 0, 65535)
            image = Image.fromarray((deep // 257).astype(np.uint8))
        image = image.convert(mode)
        if image.size != (w, h):
            image = image.resize((w, h), Image.Resampling.BILINEAR)
        return np.asarray(image)


def _nothing_readable(folder: Path, paths: list[str], bad: dict[int, str]) -> DataError:
    row, reason = next(iter(bad.items()))
    return DataError(
        f"{folder}: none of {len(paths)} pictures can be read; {paths[row]}: {reason}"
    )


def _summary(n: int, size: Size, channels: int) -> str:
    colour = "grey" if channels == 1 else "colour"
    noun = "picture" if n == 1 else "pictures"
    return f"{n} {noun} of {size[0]} x {size[1]} pixels, {colour}"


# ------------------------------------------------------------------------ masks


def _mask_file(truth: Path, kind: str, path: str) -> Path:
    stem = PurePosixPath(path).stem
    names = [f"{stem}{end}" for end in ("_mask.png", ".png", "_mask.bmp", ".bmp")]
    for name in names:
        if (truth / kind / name).is_file():
            return truth / kind / name
    raise DataError(
        f"{path}: no mask of this {kind}; expected {_MASKS}/{kind}/{names[0]} "
        f"(or {names[1]})"
    )


def _read_mask(path: Path, size: Size) -> NDArray[np.bool_]:
    h, w = size
    try:
        with Image.open(path) as image:
            # Single pixels are picked, not averaged, as published evaluations do.
            near = image.convert("L").resize((w, h), Image.Resampling.NEAREST)
            return np.asarray(near) > 0
    except Exception as error:  # as in _head
        reason = _reason(error)
        raise DataError(f"{path}: the mask cannot be read ({reason})") from error
