"""Data sets and splits of the benchmarks: the same rows for everybody.

A data set is a name of the catalogue, or `generated_<rows>x<columns>`: a table with
planted anomalies. Splits and encoding are those of `whitecrow experiment run`.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from whitecrow import labels
from whitecrow.data import synthetic
from whitecrow.data.protocols.holdout import holdout
from whitecrow.data.protocols.labelled_ratio import labelled_ratio
from whitecrow.errors import DataError
from whitecrow.experiments.problem import Problem, problem
from whitecrow.experiments.task import Task

_PROTOCOLS = {"holdout": holdout, "labelled_ratio": labelled_ratio}
_GENERATED = re.compile(r"generated_(\d+)x(\d+)")


@functools.lru_cache(maxsize=4)
def _generated(rows: int, columns: int) -> tuple[np.ndarray, np.ndarray]:
    return synthetic.planted(
        "dependency", rows, columns, contamination=0.02, random_state=0
    )


def split(data: str, protocol: Mapping[str, Any], seed: int) -> Problem:
    """Training rows with the labels that may be known, and test rows with the truth.

    Equal for equal arguments, whoever asks.
    """
    if match := _GENERATED.fullmatch(data):
        return _split_generated(match, protocol, seed)
    task = Task(
        data=data,
        method="",
        label="",
        seed=seed,
        parameters={},
        protocol=dict(protocol),
    )
    return problem(task)


def _split_generated(
    match: re.Match[str], protocol: Mapping[str, Any], seed: int
) -> Problem:
    X, y = _generated(int(match[1]), int(match[2]))
    options = {key: value for key, value in protocol.items() if key != "name"}
    if protocol["name"] not in _PROTOCOLS:
        legal = ", ".join(_PROTOCOLS)
        raise DataError(f"protocol {protocol['name']!r} is not one of {legal}")
    drawn = _PROTOCOLS[protocol["name"]](y, random_state=seed, **options)
    visible = np.where(drawn.y_train == labels.UNLABELLED, np.nan, drawn.y_train)
    return Problem(
        X_train=X[drawn.train],
        X_test=X[drawn.test],
        y_train=visible,
        y_test=drawn.y_test,
        truth_train=y[drawn.train].astype(np.int8),
        X_validation=X[drawn.validation],
    )


def describe(found: Problem) -> str:
    """How many rows of each sort, in one line."""
    known, odd = int((found.y_train == 1).sum()), int((found.y_test == 1).sum())
    labelled = f", {known} of them labelled anomalies" if known else ""
    return (
        f"train {len(found.X_train)} rows{labelled}; test {len(found.X_test)} rows, "
        f"{odd} of them anomalies"
    )
