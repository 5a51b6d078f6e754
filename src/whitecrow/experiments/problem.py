"""The data of a task, split and encoded.

Preprocessing is fitted on training rows, splits are disjoint, and test labels select
nothing.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from whitecrow import labels
from whitecrow.data.kinds.number_cells import plain
from whitecrow.data.kinds.text import clean_text, family_of
from whitecrow.data.protocols import Split
from whitecrow.data.protocols.holdout import holdout, stratified
from whitecrow.data.protocols.labelled_ratio import labelled_ratio
from whitecrow.data.protocols.soel import soel
from whitecrow.data.source import PictureSource, TableSource, open_source
from whitecrow.errors import DataError
from whitecrow.experiments.task import Task

__all__ = ["PROTOCOLS", "Problem", "problem"]

# One class of a set against the others is a matter of the truth; the split is that of
# normal rows.
PROTOCOLS: dict[str, Callable[..., Split]] = {
    "holdout": holdout,
    "labelled_ratio": labelled_ratio,
    "one_vs_rest": holdout,
    "soel": soel,
    "stratified": stratified,
}


@dataclass(frozen=True, eq=False)
class Problem:
    """A split of a set, encoded.

    Attributes
    ----------
    X_train, X_test : ndarray
        Rows, encoded by what the training rows look like.
    y_train : ndarray of float, shape (n,)
        Known labels in the public convention; NaN where training may not see them.
    y_test : ndarray of int8
        Truth.
    truth_train : ndarray of int8
        Truth about the training rows, for what publications report on them.
    X_validation : ndarray
        Rows set apart from the training rows; often none.
    kinds : ndarray of str or None
        Category of each test row, where the set names categories.
    """

    X_train: NDArray[Any]
    X_test: NDArray[Any]
    y_train: NDArray[np.float64]
    y_test: labels.Codes
    truth_train: labels.Codes
    X_validation: NDArray[Any]
    kinds: NDArray[np.str_] | None = None


def problem(task: Task) -> Problem:
    """Read, split and encode the data of a task; pictures stay as they are."""
    data, truth, kinds = _load(task.data)
    chosen = _cut(data.shape[0], task.max_rows, task.seed)
    if task.protocol["name"] == "one_vs_rest":
        truth = _one_class(task, kinds)
    elif truth is None:
        raise DataError(f"{task.data} has no labels, so nothing can be measured on it")
    elif task.anomaly == "reversed":
        truth = np.where(truth == labels.ANOMALY, labels.NORMAL, labels.ANOMALY)
    truth = truth[chosen]
    kinds = None if kinds is None else kinds[chosen]
    split = _split(task, truth, kinds)
    parts = [split.train, split.test, split.validation]
    X_train, X_test, X_validation = _encode(data, [chosen[part] for part in parts])
    return Problem(
        X_train=X_train,
        X_test=X_test,
        y_train=np.where(split.y_train == labels.UNLABELLED, np.nan, split.y_train),
        y_test=truth[split.test],
        truth_train=truth[split.train],
        X_validation=X_validation,
        kinds=None if kinds is None else kinds[split.test],
    )


def _one_class(task: Task, kinds: NDArray[np.str_] | None) -> labels.Codes:
    """Take some classes of a set as normal, all others as anomalies."""
    from whitecrow.data.protocols.one_vs_rest import truth_of

    if kinds is None:
        raise DataError(f"{task.data} names no classes, which one_vs_rest needs")
    return truth_of(kinds, task.protocol["normal"])


def _split(task: Task, truth: labels.Codes, kinds: NDArray[np.str_] | None) -> Split:
    other = {"name", "normal"}
    arguments = {key: v for key, v in task.protocol.items() if key not in other}
    if {"pollution_class", "known_classes"} & set(arguments):
        if kinds is None:
            raise DataError(f"{task.data} names no classes to choose anomalies by")
        arguments["classes"] = kinds
    try:
        return PROTOCOLS[task.protocol["name"]](
            truth, **arguments, random_state=task.seed
        )
    except TypeError as error:
        raise DataError(f"protocol {task.protocol['name']}: {error}") from None


def _cut(n: int, max_rows: int | None, seed: int) -> NDArray[np.int64]:
    if max_rows is None or n <= max_rows:
        return np.arange(n)
    rng = np.random.default_rng(seed)
    return np.sort(rng.choice(n, max_rows, replace=False))


@functools.lru_cache(maxsize=2)
def _load(
    name: str,
) -> tuple[Any, labels.Codes | None, NDArray[np.str_] | None]:
    """Read rows, truth, and the classes of the rows where the set names them."""
    source = open_source(name)
    data = source.rows()
    if data.codes is not None and (data.codes == labels.UNLABELLED).any():
        raise DataError(f"{name} has rows without a label; measure on complete truth")
    if isinstance(source, PictureSource):
        classes = np.asarray(source.pictures.kinds, dtype=str)
        return source.pictures.images, data.codes, classes if classes.any() else None
    table = source.rows().frame.drop_columns(list(source.ignore))
    return table, data.codes, _kinds(source)


def _kinds(source: TableSource) -> NDArray[np.str_] | None:
    """Return the label column as classes, where it holds words."""
    if source.rule.column is None:
        return None
    words = source.file.read().column(source.rule.column).combine_chunks()
    if family_of(words.type) != "text" or plain(clean_text(words)) is not None:
        return None
    return np.asarray(words.to_pylist(), dtype=str)


def _encode(
    data: pa.Table | NDArray[np.uint8], parts: list[NDArray[Any]]
) -> list[NDArray[Any]]:
    """Fit the encoding to the first part, the training rows, and encode all parts."""
    if isinstance(data, np.ndarray):
        return [data[part] for part in parts]
    from whitecrow.data.kinds.table import TableEncoder

    tables = [data.take(pa.array(part)) for part in parts]
    encoder = TableEncoder().fit(tables[0])
    return [encoder.transform(table) for table in tables]
