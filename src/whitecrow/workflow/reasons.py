"""Why a row is odd, in words and in the units of the data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pyarrow as pa

    from whitecrow.data.kinds.table import TableEncoder
    from whitecrow.detector import Detector

__all__ = ["Reason", "by_column", "of_rows"]

# Beside the strongest column, those below this part of its share explain nothing.
_LEAST_PART = 0.2


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
        return f"{self.column} = {self.text} ({self.usual})"


def of_rows(
    detector: Detector,
    encoder: TableEncoder,
    frame: pa.Table,
    *,
    limit: int = 3,
) -> list[tuple[Reason, ...]]:
    """Reasons for each row of a (small) table, the strongest first.

    Parameters
    ----------
    detector : Detector
        Fitted on the rows that `encoder` gives.
    encoder : TableEncoder
    frame : pyarrow.Table
        The rows to explain.
    limit : int, default=3
        At most this many columns a row.
    """
    parts = detector.explain(encoder.transform(frame))
    names, totals = by_column(parts, encoder.source_columns_)
    return [
        _reasons(frame.slice(row, 1), names, totals[row], encoder, limit)
        for row in range(frame.num_rows)
    ]


def by_column(
    parts: NDArray[np.float64], sources: Sequence[str]
) -> tuple[list[str], NDArray[np.float64]]:
    """Contributions of encoded columns added up to those of the data's columns.

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


def _reasons(
    row: pa.Table,
    names: list[str],
    totals: NDArray[np.float64],
    encoder: TableEncoder,
    limit: int,
) -> tuple[Reason, ...]:
    positive = np.clip(totals, 0.0, None)
    whole = positive.sum()
    found = []
    for index in np.argsort(-positive, kind="stable")[:limit]:
        if positive[index] <= _LEAST_PART * positive.max():
            break
        share = float(positive[index] / whole)
        value = row[names[index]][0].as_py()
        text, usual = encoder.usual(names[index], value)
        found.append(Reason(names[index], value, text, usual, share))
    return tuple(found)
