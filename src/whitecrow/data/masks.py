"""Masks of the defects, from `ground_truth` or beside their pictures."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from whitecrow import labels as conventions
from whitecrow.data.decoding import Size, head, open_picture, reason, room
from whitecrow.data.folders import holds_masks, is_part, pairs, without_masks
from whitecrow.data.pictures import named, suffixed
from whitecrow.data.rows import PictureRows
from whitecrow.errors import DataError

__all__ = ["Masks", "read_masks"]


@dataclass(frozen=True, eq=False)
class Masks:
    """Where the defects are.

    Attributes
    ----------
    marked : ndarray of bool, shape (n, h, w)
        True where the defect is; all False for good pictures.
    known : ndarray of bool, shape (n,)
        Whether it is known of a picture: it is good, or has a mask. Others are left
        out of an evaluation.
    notes : tuple of str
        Which masks are missing or cannot be read.
    """

    marked: NDArray[np.bool_]
    known: NDArray[np.bool_]
    notes: tuple[str, ...] = ()


def read_masks(folder: Path, pictures: PictureRows) -> Masks | None:
    """Read the masks of the defects: from `ground_truth`, or beside the pictures.

    Parameters
    ----------
    folder : Path
        The folder that `pictures` was read from: the data set or its `test` folder.
    pictures : PictureRows
        Their paths say which mask belongs to which picture, their size is the size
        of the masks: single pixels are picked, as published evaluations do.

    Returns
    -------
    Masks or None
        None if no picture has a mask.
    """
    base, masks = _mask_files(folder)
    files = pictures.files or [folder / path for path in pictures.paths]
    names = [_below(base, folder, path) for path in files]
    found = pairs(names, [path.relative_to(base).as_posix() for path in masks])
    n, _, h, w = pictures.images.shape
    marked = np.zeros((n, h, w), dtype=np.bool_)
    # Not of a good picture: those of one name lie in several folders.
    good = pictures.labels == conventions.NORMAL
    wanted = [row for row in range(n) if found[row] and not good[row]]
    if not wanted:
        return None
    problems: dict[int, str] = {}
    for row in wanted:
        try:
            for place in found[row]:
                marked[row] |= _read_mask(masks[place], (h, w))
        except Exception as error:  # the decoders raise nearly anything
            problems[row] = reason(error)
    known = good.copy()
    known[[row for row in wanted if row not in problems]] = True
    notes = _mask_notes(pictures, marked, known, found, problems)
    return Masks(marked, known, tuple(notes))


def _mask_files(folder: Path) -> tuple[Path, list[Path]]:
    """Find where paths start, and the masks: beside `test` for a folder `test`."""
    whole = named(folder)
    beside = [p for p in whole.parent.iterdir() if holds_masks(p.name) and p.is_dir()]
    if is_part(whole.name) and beside:
        return whole.parent, [path for place in beside for path in suffixed(place)]
    listed = suffixed(folder)
    _, masks = without_masks([path.relative_to(folder).as_posix() for path in listed])
    return folder, [listed[row] for row in masks]


def _below(base: Path, folder: Path, path: Path) -> str:
    inside = path.relative_to(folder).as_posix()
    return inside if base == folder else f"{named(folder).name}/{inside}"


def _read_mask(path: Path, size: Size) -> NDArray[np.bool_]:
    h, w = size
    said = head(path)
    if said.problem:
        raise DataError(said.problem)
    with room(said), open_picture(path) as image:
        # The neighbours of a line are no longer 0 in a compressed file.
        low = 127 if image.format in {"JPEG", "MPO"} else 0
        near = image.convert("L").resize((w, h), Image.Resampling.NEAREST)
        return np.asarray(near) > low


def _mask_notes(
    pictures: PictureRows,
    marked: NDArray[np.bool_],
    known: NDArray[np.bool_],
    found: list[list[int]],
    problems: dict[int, str],
) -> list[str]:
    notes = []
    odd = pictures.labels == conventions.ANOMALY
    missing = [row for row in np.flatnonzero(odd).tolist() if not found[row]]
    if missing:
        notes.append(
            f"no mask: {len(missing)} of {int(odd.sum())} pictures with a defect, left "
            f"out of what is measured by pixels ({pictures.paths[missing[0]]}"
            f"{', ...' if len(missing) > 1 else ''})"
        )
    if problems:
        row, reason = next(iter(problems.items()))
        notes.append(
            f"masks that cannot be read: {len(problems)} ({pictures.paths[row]}: "
            f"{reason})"
        )
    empty = int((odd & known & ~marked.any(axis=(1, 2))).sum())
    if empty:
        notes.append(f"masks without a marked pixel at this size: {empty}")
    return notes
