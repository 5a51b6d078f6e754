"""Pictures of one size, as they were read, and what their folders say."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from whitecrow import labels as conventions

__all__ = ["GOOD", "MISSING_WORDS", "Pictures", "labels_of"]

GOOD = "good"
"""The kind of the pictures without a defect, by the industrial folder layout."""

MISSING_WORDS = (
    *("", "?", "NA", "N/A", "n/a", "#N/A", "<NA>", "NaN", "nan", "-NaN", "-nan"),
    *("null", "NULL", "None", "none"),
)
"""Cells that mean "no value" in text files."""


@dataclass(frozen=True, eq=False)
class Pictures:
    """Pictures of one size, with what the folder layout says about each.

    Attributes
    ----------
    images : ndarray of uint8, shape (n, c, h, w)
        One channel if all pictures are grey, otherwise red, green, blue.
    paths : tuple of str
        Relative to the folder that was read, with forward slashes.
    kinds : tuple of str
        `"good"` or the kind of defect; `""` where the layout names none.
    labels : ndarray of int8, shape (n,)
        `labels.NORMAL` for good, `ANOMALY` for another kind, `UNLABELLED`.
    skipped : tuple of (path, reason)
        Pictures that could not be read.
    source : str
        The path or pattern that was read.
    notes : tuple of str
        What the reader decided, one sentence each.
    parts : tuple of str
        `"train"`, `"validation"` or `"test"` where the folders say so, otherwise `""`.
        Empty for pictures that no folder holds.
    files : tuple of Path
        Where each picture can be opened; `paths` are for reading. Empty for arrays.
    depth : (float, float) or None
        The values of pictures of more than 8 bits that became 0 and 255, to be kept
        with a model and handed in with new pictures.
    """

    images: NDArray[np.uint8]
    paths: tuple[str, ...]
    kinds: tuple[str, ...]
    labels: NDArray[np.int8]
    skipped: tuple[tuple[str, str], ...]
    source: str
    notes: tuple[str, ...] = ()
    parts: tuple[str, ...] = ()
    files: tuple[Path, ...] = ()
    depth: tuple[float, float] | None = None

    def __len__(self) -> int:
        return len(self.paths)


def labels_of(kinds: tuple[str, ...]) -> NDArray[np.int8]:
    """Codes from kinds: good is normal, another kind an anomaly, "" unlabelled.

    Examples
    --------
    >>> labels_of(("good", "crack", ""))
    array([ 0,  1, -1], dtype=int8)
    """
    codes = np.full(len(kinds), conventions.UNLABELLED)
    for row, kind in enumerate(kinds):
        if kind:
            codes[row] = conventions.NORMAL if kind == GOOD else conventions.ANOMALY
    return codes
