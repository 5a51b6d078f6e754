"""Data for the page's script: compact, and safe inside a `<script>` element."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Pool", "cut_to", "dumps", "order_code", "packed"]

# What JSON leaves as it is and HTML or JavaScript would read as its own.
_ESCAPES = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026"}
_ESCAPES |= {"\u2028": "\\u2028", "\u2029": "\\u2029"}
_PLAIN = re.compile(r"-?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")


def dumps(value: Any) -> str:
    r"""Write plain data as JSON that cannot end the element that holds it.

    Examples
    --------
    >>> print(dumps(["</script>", 0.5]))
    ["\u003c/script\u003e",0.5]
    """
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return re.sub("[<>&\u2028\u2029]", lambda found: _ESCAPES[found[0]], text)


class Pool:
    """Strings by number, so that each is written once.

    Examples
    --------
    >>> pool = Pool()
    >>> [pool[word] for word in ("a", "b", "a")], pool.words
    ([0, 1, 0], ['a', 'b'])
    """

    def __init__(self) -> None:
        self._places: dict[str, int] = {}

    def __getitem__(self, word: str) -> int:
        return self._places.setdefault(word, len(self._places))

    @property
    def words(self) -> list[str]:
        """Return the strings, each at its number."""
        return list(self._places)


def packed(cells: Sequence[str]) -> str | list[Any]:
    r"""Join the cells of a column, or its different cells where many are alike.

    Examples
    --------
    >>> packed(["1.5", "2.5"]), packed(["on", "on", "on", "off"])
    ('1.5\n2.5', ['on\noff', [0, 0, 0, 1]])
    """
    pool = Pool()
    places = [pool[cell] for cell in cells]
    if 2 * len(pool.words) <= len(cells):
        return ["\n".join(pool.words), places]
    return "\n".join(cells)


def cut_to(text: str, most: int) -> str:
    """Shorten a text that is longer than so many characters.

    Examples
    --------
    >>> cut_to("abcdef", 4), cut_to("abc", 4)
    ('abc…', 'abc')
    """
    return text if len(text) <= most else text[: most - 1] + "\N{HORIZONTAL ELLIPSIS}"


def order_code(cells: Sequence[str], numbers: NDArray[np.float64] | None) -> str:
    """Tell how the script sorts a column: "t" as text, "n" as numbers, or by ranks.

    The script parses nothing but plain numbers, and these only where it would get
    what the encoder got: money, dates and decimal commas come with their ranks.

    Parameters
    ----------
    cells : sequence of str
    numbers : ndarray of shape (n,), optional
        The cells as `TableEncoder.chart` gives them, NaN where missing.

    Returns
    -------
    str
        "t", "n", or two characters of base 64 for each cell, "~~" if it is missing.

    Examples
    --------
    >>> order_code(["1.5", "2"], np.array([1.5, 2.0]))
    'n'
    >>> order_code(["1.125,50", "", "9"], np.array([1125.5, np.nan, 9.0]))
    '01~~00'
    """
    if numbers is None or not np.isfinite(numbers).any():
        return "t"
    known = np.isfinite(numbers)
    if all(_reads(cell, number) for cell, number in zip(cells, numbers, strict=True)):
        return "n"
    ranks = np.zeros(len(numbers), dtype=int)
    ranks[known] = np.unique(numbers[known], return_inverse=True)[1]
    return "".join(
        _digits(rank) if here else "~~"
        for rank, here in zip(ranks.tolist(), known.tolist(), strict=True)
    )


def _reads(cell: str, number: float) -> bool:
    if not math.isfinite(number):
        return not _PLAIN.fullmatch(cell)
    # The cell of a typed column is shown with six digits.
    return bool(_PLAIN.fullmatch(cell)) and math.isclose(
        float(cell), number, rel_tol=1e-5
    )


_BASE = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz{"


def _digits(rank: int) -> str:
    """Write a rank as two characters that sort as text in the order of ranks."""
    high, low = divmod(min(rank, 4095), 64)
    return _BASE[high] + _BASE[low]


def size(value: Mapping[str, Any] | Sequence[Any] | str) -> int:
    """Return the number of bytes that a value takes on the page."""
    return len(dumps(value).encode())
