"""Folders of pictures as one array of bytes, with what their folders say.

Pictures come out in the order of their paths, all of one size and mode. What the
folders mean is decided in `folders`, how more than 8 bits become bytes in `depth`.
"""

from __future__ import annotations

import os
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import NoReturn, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from whitecrow import labels as conventions
from whitecrow.data import decoding
from whitecrow.data import depth as depths
from whitecrow.data.decoding import (
    GREY,
    GREY_AND_ALPHA,
    LARGEST_PIXELS,
    Deep,
    Head,
    Size,
    shown,
)
from whitecrow.data.folders import TRAIN, Meaning, is_part, meaning, without_masks
from whitecrow.data.rows import PictureRows, if_any
from whitecrow.errors import DataError, ParameterError

__all__ = [
    "SUFFIXES",
    "in_size",
    "named",
    "read_pictures",
    "suffixed",
    "training_rows",
    "with_channels",
]

SUFFIXES = (
    *(".bmp", ".jpeg", ".jpg", ".pbm", ".pgm", ".png", ".pnm", ".ppm"),
    *(".tif", ".tiff", ".webp"),
)
LARGEST_SIDE = 256  # of pictures whose size is not asked for

Item = TypeVar("Item")
Outcome = TypeVar("Outcome")


def read_pictures(
    folder: Path,
    *,
    files: Sequence[Path] | None = None,
    picture_size: int | Size | None = None,
    largest_side: int = LARGEST_SIDE,
    depth: depths.Depth | None = None,
) -> PictureRows:
    """Read all pictures of a folder, or some of them, as one array.

    Parameters
    ----------
    folder : Path
        A data set (with `train` or `test`), one of these two, or any folder.
    files : sequence of Path, optional
        Read these files below `folder` instead of all.
    picture_size : int or (height, width), optional
        Size in pixels that every picture is resized to; a number is the side of a
        square. Without it, the most frequent size is kept, scaled down to
        `largest_side` on its longer side.
    largest_side : int, default=256
        See `picture_size`.
    depth : (low, high), optional
        The values of pictures of more than 8 bits that become 0 and 255, as
        `depth` of an earlier call has them. Without it, they are found from
        the pictures of `train`, if there are any, or from all; see `depth.to_bytes`.

    Returns
    -------
    PictureRows
        Broken files are left out and named in `skipped`.

    Raises
    ------
    DataError
        There is no folder, no picture in it, none that can be read, or there are
        several data sets in it.
    ParameterError
        `picture_size` or `largest_side` is not a number of pixels, or `depth` not a
        pair of numbers.
    """
    _check_size(picture_size)
    _check_size(largest_side)
    depth = None if depth is None else depths.checked(depth)
    files, said, notes = _found(folder, files)
    with warnings.catch_warnings():
        # Pillow warns about large pictures and odd metadata; what matters of it, a
        # picture that is too large or broken, is reported by name below.
        warnings.simplefilter("ignore")
        heads = _one_type(_each(_head, files))
        size = _common_size(heads, picture_size, largest_side, notes)
        channels = _channels(heads, notes)
        images, deep, failures = _decode(files, heads, size, channels)
    train = np.array([part == TRAIN for part in said.parts], dtype=bool)
    train &= said.codes != conventions.ANOMALY
    depth = _fill_deep(images, deep, depth, train, notes)
    return _put_together(folder, files, said, images, failures, notes, depth)


def _put_together(
    folder: Path,
    files: Sequence[Path],
    said: Meaning,
    images: NDArray[np.uint8],
    failures: list[str],
    notes: list[str],
    depth: depths.Depth | None,
) -> PictureRows:
    """Build the rows from the pictures that could be read and what is known of each."""
    paths = [shown(path.relative_to(folder)) for path in files]
    bad = {row: failures[row] for row in range(len(files)) if failures[row]}
    if len(bad) == len(files):
        row, reason = next(iter(bad.items()))
        raise DataError(
            f"{shown(folder)}: none of {len(paths)} pictures can be read; "
            f"{paths[row]}: {reason}"
        )
    good = [row for row in range(len(files)) if row not in bad]
    if bad:
        notes.append(f"broken and skipped: {len(bad)} of {len(files)} pictures")
    return PictureRows(
        images=images if not bad else images[good],
        paths=tuple(paths[row] for row in good),
        kinds=tuple(said.kinds[row] for row in good),
        codes=if_any(said.codes[good]),
        skipped=tuple((paths[row], reason) for row, reason in bad.items()),
        source=shown(folder),
        notes=(_summary(len(good), images.shape), *notes, *said.notes),
        parts=(parts := tuple(said.parts[row] for row in good)),
        official=parts if any(parts) else (),
        files=tuple(files[row] for row in good),
        depth=depth,
    )


def training_rows(
    parts: Sequence[str], kinds: Sequence[str], codes: conventions.Codes
) -> tuple[NDArray[np.bool_], str]:
    """Choose the pictures that a detector should be fitted on, and say which they are.

    Where there is a `train` folder, these are its pictures but those of a defect;
    otherwise all, and the sentence is empty.

    Parameters
    ----------
    parts, kinds : sequence of str
        As in `PictureRows`.
    codes : ndarray of int8, shape (n,)
        Labels of the pictures.

    Examples
    --------
    >>> kinds = ("good", "good", "dent")
    >>> codes = np.array([0, 0, 1], dtype=np.int8)
    >>> training_rows(("train", "test", "test"), kinds, codes)[1]
    'trained on 1 picture of train/good; the other 2 are scored only'
    """
    train = np.array([part == TRAIN for part in parts], dtype=bool)
    if train.any():
        train &= codes != conventions.ANOMALY
    if not train.any() or train.all():
        return np.ones(len(codes), dtype=bool), ""
    named = sorted({kinds[row] for row in np.flatnonzero(train).tolist()} - {""})
    where = TRAIN
    if 0 < len(named) <= 3:
        where = " and ".join(f"{TRAIN}/{kind}" for kind in named)
    n, others = int(train.sum()), int((~train).sum())
    noun = "picture" if n == 1 else "pictures"
    verb = "is" if others == 1 else "are"
    return train, (
        f"trained on {n:,} {noun} of {where}; the other {others:,} {verb} scored only"
    )


def with_channels(images: NDArray[np.uint8], channels: int) -> NDArray[np.uint8]:
    """Convert grey pictures to colour, or colour pictures to grey.

    Parameters
    ----------
    images : ndarray of uint8, shape (n, 1 or 3, h, w)
    channels : int
        1 or 3.

    Returns
    -------
    ndarray of uint8, shape (n, channels, h, w)
        The same array if there is nothing to do. Grey is the luma of ITU-R 601, as in
        Pillow.

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


def in_size(images: NDArray[np.uint8], size: Size) -> NDArray[np.uint8]:
    """Resize pictures to a height and width, as those of files are.

    Parameters
    ----------
    images : ndarray of uint8, shape (n, c, h, w)
    size : (height, width)

    Returns
    -------
    ndarray of uint8, shape (n, c, height, width)
        The same array if there is nothing to do.

    Examples
    --------
    >>> in_size(np.full((2, 1, 4, 4), 7, np.uint8), (6, 8)).shape
    (2, 1, 6, 8)
    """
    if images.shape[2:] == size:
        return images
    height, width = size
    planes = images.reshape(-1, *images.shape[2:])
    made = [
        np.asarray(
            Image.fromarray(one).resize((width, height), Image.Resampling.BILINEAR)
        )
        for one in planes
    ]
    return np.stack(made).reshape(*images.shape[:2], height, width)


# ------------------------------------------------------------- finding pictures


def _found(
    folder: Path, files: Sequence[Path] | None
) -> tuple[list[Path], Meaning, list[str]]:
    """Find the pictures to read, what their folders say, and notes."""
    notes: list[str] = []
    listed = _listed(folder, notes) if files is None else list(files)
    paths = [path.relative_to(folder).as_posix() for path in listed]
    rows, masks = without_masks(paths)
    if masks and rows:
        notes.append(f"masks, not read as pictures: {len(masks)}")
    elif masks:
        rows = masks
    listed, paths = [listed[r] for r in rows], [paths[r] for r in rows]
    said = meaning([shown(Path(p)) for p in paths], folder=shown(named(folder)))
    return [listed[row] for row in said.rows], said, notes


def named(folder: Path) -> Path:
    """Resolve a path that does not end in the name of its folder, such as `..`."""
    return folder if folder.name.strip(".") else folder.resolve()


def _listed(folder: Path, notes: list[str]) -> list[Path]:
    found = [path for place in _places(folder) for path in _visible_files(place)]
    files = [path for path in found if path.suffix.lower() in SUFFIXES]
    if not files:
        raise _no_pictures(folder, found)
    others = Counter(path.suffix.lower() or path.name for path in found)
    for suffix in SUFFIXES:
        others.pop(suffix, None)
    if others:
        names = ", ".join(shown(Path(name)) for name in sorted(others)[:5])
        notes.append(f"other files, left alone: {others.total()} ({names})")
    return files


def _places(folder: Path) -> list[Path]:
    """List the parts of a data set, training first, or the folder if it has none."""
    try:
        parts = [path for path in folder.iterdir() if is_part(path.name)]
    except OSError as error:
        _refuse(error)
    parts = sorted((p for p in parts if p.is_dir()), key=lambda p: (_order(p), p.name))
    return parts if any(_order(part) != 1 for part in parts) else [folder]


def _order(path: Path) -> int:
    first = path.name.casefold()[:2]
    return 0 if first == "tr" else 2 if first == "te" else 1


def _visible_files(folder: Path) -> list[Path]:
    """List all files below a folder except hidden ones, in the order of their paths."""
    found: list[Path] = []
    linked: set[Path] = set()
    for place, folders, names in os.walk(folder, onerror=_refuse, followlinks=True):
        visible = (f for f in sorted(folders) if not f.startswith("."))
        folders[:] = [f for f in visible if _leads_on(Path(place, f), linked)]
        found += [Path(place, name) for name in names if not name.startswith(".")]
    return sorted(found, key=lambda path: path.relative_to(folder).parts)


def suffixed(folder: Path) -> list[Path]:
    """List all files below a folder that have a picture's suffix."""
    files = _visible_files(folder)
    return [path for path in files if path.suffix.lower() in SUFFIXES]


def _leads_on(path: Path, linked: set[Path]) -> bool:
    """Tell whether to enter a folder: not through a link to one above it, nor twice."""
    if not path.is_symlink():
        return True
    try:
        target = path.resolve(strict=True)
    except (OSError, RuntimeError):  # a link to itself
        return False
    if target in linked or path.parent.resolve().is_relative_to(target):
        return False
    linked.add(target)
    return True


def _refuse(error: OSError) -> NoReturn:
    raise DataError(
        f"{shown(Path(error.filename))}: cannot be listed ({error.strerror})"
    ) from error


def _no_pictures(folder: Path, found: list[Path]) -> DataError:
    legal = ", ".join(suffix[1:] for suffix in SUFFIXES)
    for suffix in (".csv", ".csv.gz", ".parquet"):
        if tables := [path for path in found if path.name.lower().endswith(suffix)]:
            files = "file" if len(tables) == 1 else "files"
            return DataError(
                f"{shown(folder)}: no pictures in this folder, but {len(tables)} "
                f"{suffix[1:]} {files}; read them with the pattern "
                f"'{shown(tables[0].parent / '*')}{suffix}'"
            )
    return DataError(
        f"{shown(folder)}: no pictures in this folder; it needs {legal} files"
    )


# ------------------------------------------------------------- sizes and colours


def _check_size(size: int | Size | None) -> None:
    if size is None:
        return
    for side in size if isinstance(size, tuple) else (size,):
        if isinstance(side, bool) or not 1 <= side <= 4096:
            raise ParameterError(
                f"picture_size={size}; use a number of pixels from 1 to 4096, or "
                "leave it out to keep the size of the files"
            )


def _each(work: Callable[[Item], Outcome], items: Iterable[Item]) -> list[Outcome]:
    """Map over files in a few threads: Pillow decodes without holding the GIL."""
    with ThreadPoolExecutor(max_workers=min(8, os.cpu_count() or 1)) as pool:
        return list(pool.map(work, items))


def _head(path: Path) -> Head:
    return decoding.head(path, largest=LARGEST_PIXELS)


def _one_type(heads: list[Head]) -> list[Head]:
    """Refuse the rarer of whole and floating-point pixels, which share no range."""
    deep = Counter(h.deep == "floating-point" for h in heads if h.deep)
    if len(deep) < 2:
        return heads
    kept = deep[True] > deep[False]
    problem = f"{'whole' if kept else 'floating-point'} numbers, unlike most pictures"
    return [
        replace(head, problem=problem)
        if head.deep and (head.deep == "floating-point") != kept
        else head
        for head in heads
    ]


def _common_size(
    heads: list[Head],
    picture_size: int | Size | None,
    largest_side: int,
    notes: list[str],
) -> Size:
    sizes = Counter(head.size for head in heads if not head.problem)
    if not sizes:
        return (1, 1)
    # The smaller one of equally frequent sizes, so that the order does not matter.
    (h, w), _ = min(sizes.items(), key=lambda item: (-item[1], item[0]))
    if isinstance(picture_size, tuple):
        target = picture_size
    elif picture_size is not None:
        target = (picture_size, picture_size)
    else:
        scale = min(1.0, largest_side / max(h, w))
        target = (max(1, round(h * scale)), max(1, round(w * scale)))
    resized = sum(count for size, count in sizes.items() if size != target)
    shape = f"{target[0]} x {target[1]}"
    if picture_size is None and target != (h, w):
        notes.append(
            f"scaled from {h} x {w} to {shape} pixels; --picture-size takes another "
            "size"
        )
    if resized and (picture_size is not None or len(sizes) > 1):
        reason = "the most frequent size" if picture_size is None else "as asked for"
        noun = "size" if len(sizes) == 1 else "sizes"
        notes.append(
            f"resized to {shape} ({reason}): {resized} of {sizes.total()} pictures, "
            f"which have {len(sizes)} {noun}"
        )
    return target


def _channels(heads: list[Head], notes: list[str]) -> int:
    good = [head for head in heads if not head.problem]
    modes = [head.mode if head.raw != GREY_AND_ALPHA else "LA" for head in good]
    grey = sum(mode in GREY for mode in modes)
    if 0 < grey < len(modes):
        notes.append(
            f"converted from grey to colour, as the others are: {grey} of "
            f"{len(modes)} pictures"
        )
    if clear := sum(mode in {"LA", "La", "PA", "RGBA", "RGBa"} for mode in modes):
        notes.append(f"transparency dropped: {clear} of {len(modes)} pictures")
    if pages := sum(head.pages for head in good):
        notes.append(
            f"only the first page is read of files with several: {pages} of "
            f"{len(modes)} pictures"
        )
    return 1 if grey == len(modes) else 3


# -------------------------------------------------------------- decoding pictures


def _planes(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)


def _decode(
    files: Sequence[Path], heads: list[Head], size: Size, channels: int
) -> tuple[NDArray[np.uint8], dict[int, Deep], list[str]]:
    """Decode all pictures: bytes, the numbers of those with more bits, and failures."""
    images = np.zeros((len(files), channels, *size), dtype=np.uint8)
    deep: dict[int, Deep] = {}

    def fill(row: int) -> str:
        head = heads[row]
        if head.problem:
            return head.problem
        try:
            with decoding.room(head):
                if head.deep:
                    deep[row] = decoding.deep_pixels(files[row], head, size)
                else:
                    found = decoding.pixels(files[row], size, channels)
                    images[row] = _planes(found)
        except Exception as error:  # the decoders raise nearly anything
            return decoding.reason(error)
        return ""

    return images, deep, _each(fill, range(len(files)))


def _fill_deep(
    images: NDArray[np.uint8],
    deep: dict[int, Deep],
    depth: depths.Depth | None,
    train: NDArray[np.bool_],
    notes: list[str],
) -> depths.Depth | None:
    """Put pictures of more than 8 bits among the others, by the range of the set."""
    if not deep:
        if depth is not None:
            notes.append(
                "pictures of 8 bits a pixel, taken as they are; the model was fitted "
                f"on values of {depths.span(depth)}, scaled to 0 to 255"
            )
        return depth
    given = depth is not None
    rows = [row for row in sorted(deep) if train[row]] or sorted(deep)
    if depth is None:
        extents = np.concatenate([deep[row].extent for row in rows])
        dtype = np.result_type(*{deep[row].pixels.dtype for row in deep})
        depth = depths.found(extents, dtype)
    for row, found in deep.items():
        images[row] = _planes(depths.scaled(found.pixels, depth))
    every = np.concatenate([found.extent for found in deep.values()])
    notes += _deep_notes(list(deep.values()), len(images), depth, every, given=given)
    return depth


def _deep_notes(
    deep: list[Deep],
    n: int,
    depth: depths.Depth,
    extents: NDArray[np.float64],
    *,
    given: bool,
) -> list[str]:
    types = " and ".join(sorted({found.type for found in deep}))
    bits = "16 bits" if types == "16-bit" else "more than 8 bits"
    whose = "as the model was fitted" if given else "of the set"
    note = (
        f"{types} pictures: values {depths.span(depth)} {whose} are scaled to 0 to 255 "
        f"({len(deep)} of {n} pictures have {bits} a pixel)"
    )
    beyond = int(depths.is_beyond(extents, depth).sum())
    if not beyond:
        return [note]
    return [
        note,
        f"values beyond that are cut off: in {beyond} of {len(deep)} pictures",
    ]


def _summary(n: int, shape: tuple[int, ...]) -> str:
    _, channels, h, w = shape
    colour = "grey" if channels == 1 else "colour"
    noun = "picture" if n == 1 else "pictures"
    return f"{n} {noun} of {h} x {w} pixels, {colour}"
