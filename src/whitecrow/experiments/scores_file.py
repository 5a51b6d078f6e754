"""The scores of a test as a file beside the record, where an experiment keeps them.

A Parquet table with a row for each test row, in the order of the split: `score`,
`anomaly`, `kind` (the class, where the set names classes), and `picture`, a PNG of
those pictures that a report shows.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from whitecrow import labels
from whitecrow.experiments.problem import Problem
from whitecrow.report.thumbnails import png

__all__ = ["ends", "write_scores"]

_SHOWN = 32  # pictures of each end, as in the plots of Deep SAD (specs/deep_sad.md 6)


def write_scores(path: Path, made: Problem, scores: NDArray[np.float64]) -> None:
    """Write the scores of the test rows, with the pictures that a report shows."""
    columns = {
        "score": pa.array(scores.astype(np.float64)),
        "anomaly": pa.array(made.y_test == labels.ANOMALY),
    }
    if made.kinds is not None:
        columns["kind"] = pa.array(made.kinds.tolist())
    if made.X_test.ndim == 4:
        rows = ends(scores, made.y_test == labels.ANOMALY)
        shown = set(np.concatenate(list(rows.values())).tolist())
        cells = [
            png(made.X_test[row]) if row in shown else None
            for row in range(len(scores))
        ]
        columns["picture"] = pa.array(cells, pa.binary())
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(columns), path)


def ends(
    scores: NDArray[np.float64], odd: NDArray[np.bool_]
) -> dict[str, NDArray[np.intp]]:
    """List the rows with the lowest and the highest scores, the lowest first.

    Parameters
    ----------
    scores : ndarray, shape (n,)
    odd : ndarray of bool, shape (n,)
        Anomalies.

    Returns
    -------
    dict
        "all-low", "all-high", "normal-low", "normal-high", "anomalies-low",
        "anomalies-high" -> at most 32 rows.

    Examples
    --------
    >>> found = ends(np.array([0.3, 0.1, 0.2]), np.array([True, False, False]))
    >>> found["all-low"].tolist(), found["normal-high"].tolist()
    ([1, 2, 0], [1, 2])
    """
    found = {}
    for name, part in {
        "all": np.arange(len(scores)),
        "normal": np.flatnonzero(~odd),
        "anomalies": np.flatnonzero(odd),
    }.items():
        order = part[np.argsort(scores[part], kind="stable")]
        found[f"{name}-low"], found[f"{name}-high"] = order[:_SHOWN], order[-_SHOWN:]
    return found
