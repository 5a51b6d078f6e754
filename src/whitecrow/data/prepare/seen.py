"""Which rows repeat an earlier one, in eight bytes a row."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

__all__ = ["Seen", "hashed", "text_hashes"]

Hashes = NDArray[np.uint64]

_FACTORS = (np.uint64(0x9E3779B97F4A7C15), np.uint64(0xD6E8FEB86659FD93))
_SHIFT = np.uint64(32)


class Seen:
    """Hashes of all rows so far.

    They are kept in sorted runs, each at least twice as long as the next, so that a
    batch of b rows among n costs O(b log² n), and memory is 8 bytes a row.

    With 16 million rows the chance that any two different rows have the same 64 bits is
    one in a hundred thousand.
    """

    def __init__(self) -> None:
        self._runs: list[Hashes] = []

    def add(self, hashes: Hashes) -> NDArray[np.bool_]:
        """Add a batch, and tell which of its rows repeat an earlier one."""
        unique, first, group = np.unique(hashes, return_index=True, return_inverse=True)
        old = np.zeros(len(unique), dtype=bool)
        for run in self._runs:
            place = np.minimum(np.searchsorted(run, unique), len(run) - 1)
            old |= run[place] == unique
        self._keep(unique[~old])
        repeats = first[group] != np.arange(len(hashes))
        return np.asarray(repeats | old[group])

    def _keep(self, run: Hashes) -> None:
        if not len(run):
            return
        self._runs.append(run)
        while len(self._runs) > 1 and len(self._runs[-2]) < 2 * len(self._runs[-1]):
            merged = np.concatenate([self._runs.pop(), self._runs.pop()])
            merged.sort(kind="stable")  # merges sorted runs in one sweep
            self._runs.append(merged)


def hashed(columns: Iterable[NDArray[np.float64] | Hashes], rows: int) -> Hashes:
    """Hash each row of some columns: numbers without NaN, or hashes of text.

    Examples
    --------
    >>> twice = hashed([np.array([1.0, 2.0, 1.0]), text_hashes(["a", "a", "a"])], 3)
    >>> Seen().add(twice)
    array([False, False,  True])
    """
    mixed = np.zeros(rows, dtype=np.uint64)
    for column in columns:
        mixed ^= _bits(column)
        for factor in _FACTORS:
            mixed *= factor
            mixed ^= mixed >> _SHIFT
    return mixed


def _bits(column: NDArray[np.float64] | Hashes) -> Hashes:
    texts = column.dtype == np.uint64
    return (column if texts else column + 0.0).view(np.uint64)  # -0.0 is 0.0


def text_hashes(texts: Iterable[str]) -> Hashes:
    """Hash each text."""
    digests = [hashlib.blake2b(text.encode(), digest_size=8).digest() for text in texts]
    return np.frombuffer(b"".join(digests), dtype=np.uint64)
