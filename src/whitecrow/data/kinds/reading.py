"""What one kind of column finds in cells of text, and whether that fits."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from whitecrow.data.kinds.text import SILENT, Text

__all__ = ["Reading", "Verdict", "judge"]

Mask = NDArray[np.bool_]

MOSTLY = 0.95
"""Share of cells that must be numbers (or dates) for a text column to hold these."""


@dataclass(frozen=True, eq=False)
class Verdict:
    """Whether a text column holds what a reading found in it.

    Attributes
    ----------
    fits : bool
        Nearly all cells were read.
    words : tuple of str
        Texts that are not known words but must mean "no value": repeated ones among
        many numbers.
    notes : tuple of str
        What counts as missing, and how often.
    bad : int
        Cells that were not read and count as missing.
    share : float
        Share of the cells with a value that were read.
    distinct : int
        How many different cells were read.
    example : str
        A cell that was not read; empty if there is none.
    """

    fits: bool
    words: tuple[str, ...]
    notes: tuple[str, ...]
    bad: int
    share: float
    distinct: int
    example: str


@dataclass(frozen=True, eq=False)
class Reading:
    """A text column as cells of one kind.

    Attributes
    ----------
    looks : str
        What the column looks like, such as "money" or "dates".
    values : ndarray of float64, or pyarrow.Array of int64
        Numbers, seconds or (of dates and times of day) microseconds, for each cell;
        NaN or null where it is missing or was not read.
    settings : dict
        How to read it, for the `parse` of its kind.
    verdict : Verdict
        Whether that fits.
    notes : tuple of str
        How cells are written, in words.
    doubt : str
        Another `--read-as` that might be meant instead; empty if the column tells.
    likeness : float, optional
        Share of the cells with a value that look like it, if not all can be read.
    codes : bool
        Digits with leading zeros: codes, not numbers.
    """

    looks: str
    values: Any
    settings: dict[str, Any]
    verdict: Verdict
    notes: tuple[str, ...] = ()
    doubt: str = ""
    likeness: float | None = None
    codes: bool = False

    @property
    def likely(self) -> float:
        """Return the share of the cells with a value that look like it."""
        return self.verdict.share if self.likeness is None else self.likeness


LEAST_DIFFERENT = 8
"""Different numbers beside which repeated other texts can only mean "no value"."""
MOST_WORDS = 5
"""Different ones, where more than half of the cells are numbers."""


def judge(text: Text, right: Mask, noun: str) -> Verdict:
    """Judge a reading by what it left unread.

    Parameters
    ----------
    text : Text
    right : ndarray of bool
        Which levels were read.
    noun : str
        What was looked for, in the plural.
    """
    absent = text.absent() & ~right
    wrong = ~right & ~absent
    read, unread = int(text.counts[right].sum()), int(text.counts[wrong].sum())
    different = int(right.sum())
    share = read / max(read + unread, 1)
    example = text.levels[int(np.argmax(wrong))].as_py() if wrong.any() else ""
    many = different >= LEAST_DIFFERENT
    places = _repeated(text, wrong, mostly=share > 0.5) if many else []
    absent[places], wrong[places] = True, False
    unread -= int(text.counts[places].sum())
    words = tuple(text.levels[place].as_py() for place in places)
    notes = _absent_notes(text, absent)
    if unread:
        notes.append(_bad_note(text, wrong, unread, noun))
    fits = read > 0 and read >= MOSTLY * (read + unread)
    return Verdict(fits, words, tuple(notes), unread, share, different, example)


def _repeated(text: Text, wrong: Mask, *, mostly: bool) -> list[int]:
    """Find the most frequent unread text, if it is repeated, or several of them."""
    counts = np.where(wrong, text.counts, 0)
    order = np.argsort(-counts, kind="stable")[: MOST_WORDS + 1]
    several = [int(one) for one in order if counts[one] >= 2]
    digits = any(re.search(r"\d", text.levels[one].as_py()) for one in several)
    if mostly and len(several) <= MOST_WORDS and not digits:
        return several
    tied = len(several) > 1 and counts[several[0]] == counts[several[1]]
    return [] if tied else several[:1]


def _absent_notes(text: Text, absent: Mask) -> list[str]:
    notes = []
    for place in np.flatnonzero(absent):
        word = text.levels[int(place)].as_py()
        if word not in SILENT:
            count = int(text.counts[place])
            shown = repr(word[:40])
            means = f"cells are {shown} and count"
            if count == 1:
                means = f"cell is {shown} and counts"
            notes.append(f"{count} {means} as missing")
    return notes


def _bad_note(text: Text, wrong: Mask, count: int, noun: str) -> str:
    row = int(np.argmax(text.spread(wrong, False)))
    first = text.levels[int(text.codes[row])].as_py()[:40]
    if count == 1:
        one = noun.removesuffix("s").replace("times", "time")
        return f"1 cell, {first!r} in row {row}, is not a {one} and counts as missing"
    return (
        f"{count} cells are not {noun} and count as missing, the first is {first!r} "
        f"in row {row}"
    )
