"""Why a row is odd, in words and in the units of the data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pyarrow as pa

    from whitecrow.data.kinds import TableEncoder
    from whitecrow.detector import Detector

__all__ = ["TOGETHER", "Reason", "by_column", "of_rows", "place_of"]

TOGETHER = "unusual together with the other values"
"""What is said of a cell that many rows have, beside which its range says nothing."""

# Beside the strongest column, those below this part of its share explain nothing.
_LEAST_PART = 0.2
_PLACES = (("upper", "middle", "lower"), ("left", "centre", "right"))


@dataclass(frozen=True)
class Reason:
    """One column that makes a row odd.

    Attributes
    ----------
    column : str
        Column of the data.
    value : object
        What the row has there, as it was read; None if missing.
    text : str
        The value for a person, such as "12".
    usual : str
        What it is compared with, such as "usual 31.8 to 32.4, median 32".
    share : float
        Share of the contributions that speak for an anomaly, 0 to 1.
    """

    column: str
    value: Any
    text: str
    usual: str
    share: float

    def __str__(self) -> str:
        # A name may hold a line break, and a reason is one line.
        return " ".join(f"{self.column} = {self.text} ({self.usual})".split())


def of_rows(
    detector: Detector,
    encoder: TableEncoder,
    frame: pa.Table,
    *,
    X: NDArray[np.float64] | None = None,
    limit: int = 3,
) -> list[tuple[Reason, ...]]:
    """Find the reasons for each row of a (small) table, the strongest first.

    Parameters
    ----------
    detector : Detector
        Fitted on the rows that `encoder` gives.
    encoder : TableEncoder
    frame : pyarrow.Table
        The rows to explain.
    X : ndarray of shape (n, d), optional
        The same rows, encoded.
    limit : int, default=3
        At most this many columns a row.
    """
    parts = detector.explain(encoder.transform(frame) if X is None else X)
    names, totals = by_column(parts, encoder.source_columns_)
    cells = {name: frame.column(name).to_pylist() for name in names}
    found = []
    for row in range(frame.num_rows):
        values = {name: cells[name][row] for name in names}
        found.append(_reasons(values, totals[row], encoder, limit))
    return found


def by_column(
    parts: NDArray[np.float64], sources: Sequence[str]
) -> tuple[list[str], NDArray[np.float64]]:
    """Add the contributions of encoded columns up to those of the data's columns.

    Parameters
    ----------
    parts : ndarray of shape (n, d)
    sources : sequence of str
        For each encoded column, the column that it comes from.

    Returns
    -------
    names : list of str
        Columns of the data in the order of their first appearance.
    totals : ndarray of shape (n, len(names))

    Examples
    --------
    >>> by_column(np.array([[1.0, 2.0, 4.0]]), ["a", "b", "a"])
    (['a', 'b'], array([[5., 2.]]))
    """
    names = list(dict.fromkeys(sources))
    place = {name: index for index, name in enumerate(names)}
    totals = np.zeros((len(parts), len(names)))
    for index, source in enumerate(sources):
        totals[:, place[source]] += parts[:, index]
    return names, totals


def place_of(heat: NDArray[np.float64]) -> str:
    """Say in words where the hottest place of a heat map is.

    Examples
    --------
    >>> heat = np.zeros((30, 30))
    >>> heat[2, 27] = 1
    >>> place_of(heat)
    'upper right, at 92 % of the width and 8 % of the height'
    """
    height, width = heat.shape
    y, x = np.unravel_index(int(heat.argmax()), heat.shape)
    down, across = (y + 0.5) / height, (x + 0.5) / width
    words = [
        names[int(3 * at)] for names, at in zip(_PLACES, (down, across), strict=True)
    ]
    name = "centre" if words == ["middle", "centre"] else " ".join(words)
    at = f"{100 * across:.0f} % of the width and {100 * down:.0f} % of the height"
    return f"{name}, at {at}"


def _reasons(
    cells: dict[str, Any],
    totals: NDArray[np.float64],
    encoder: TableEncoder,
    limit: int,
) -> tuple[Reason, ...]:
    names = list(cells)
    positive = np.clip(totals, 0.0, None)
    whole = positive.sum()
    found = []
    for index in np.argsort(-positive, kind="stable")[:limit]:
        if positive[index] <= _LEAST_PART * positive.max():
            break
        name, share = names[index], float(positive[index] / whole)
        cell = encoder.usual(name, cells[name])
        usual = TOGETHER if cell.common else cell.usual
        found.append(Reason(name, cells[name], cell.text, usual, share))
    return tuple(found)
