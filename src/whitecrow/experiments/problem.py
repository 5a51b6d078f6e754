"""The data of a task, split and encoded.

Preprocessing is fitted on training rows, splits are disjoint, and test labels select
nothing.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from whitecrow import labels
from whitecrow.data import catalog
from whitecrow.data.kinds.number_cells import plain
from whitecrow.data.kinds.text import clean_text, family_of
from whitecrow.data.labelling import LabelColumn
from whitecrow.data.protocols import Split
from whitecrow.data.protocols.holdout import holdout, stratified
from whitecrow.data.protocols.labelled_ratio import labelled_ratio
from whitecrow.data.protocols.official import official
from whitecrow.data.protocols.one_vs_rest import truth_of
from whitecrow.data.protocols.soel import soel
from whitecrow.data.rows import if_any
from whitecrow.data.source import PictureSource, changes_of, open_source
from whitecrow.errors import DataError
from whitecrow.experiments.file import OFFICIAL
from whitecrow.experiments.sets import reading_of
from whitecrow.experiments.task import Task
from whitecrow.outliers import Outliers, outliers

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
    auxiliary : Outliers or None
        For the training of methods that take outliers.
    """

    X_train: NDArray[Any]
    X_test: NDArray[Any]
    y_train: NDArray[np.float64]
    y_test: labels.Codes
    truth_train: labels.Codes
    X_validation: NDArray[Any]
    kinds: NDArray[np.str_] | None = None
    auxiliary: Outliers | None = None


def problem(task: Task) -> Problem:
    """Read, split and encode the data of a task; pictures stay as they are."""
    by_class = "normal" in task.protocol
    reading = json.dumps(task.reading or {}, sort_keys=True)
    loaded = _load(task.data, reading, by_class, _changes(task))
    chosen = _cut(loaded.data.shape[0], task.max_rows, task.seed)
    truth = _truth(task, loaded)[chosen]
    kinds = None if loaded.kinds is None else loaded.kinds[chosen]
    split = _split(task, truth, kinds, _official(task, loaded, chosen))
    parts = [split.train, split.test, split.validation]
    (X_train, X_test, X_validation), encode = _encode(
        loaded.data, [chosen[part] for part in parts]
    )
    made = None
    if task.auxiliary is not None:
        normal = _normal(task) if by_class else ()
        made = outliers(
            task.auxiliary,
            X_train,
            normal=normal,
            encode=_of(encode),
            source=(task.reading or {}).get("path", task.data),
        )
    return Problem(
        X_train=X_train,
        X_test=X_test,
        y_train=np.where(split.y_train == labels.UNLABELLED, np.nan, split.y_train),
        y_test=truth[split.test],
        truth_train=truth[split.train],
        X_validation=X_validation,
        kinds=None if kinds is None else kinds[split.test],
        auxiliary=made,
    )


def _truth(task: Task, loaded: _Loaded) -> labels.Codes:
    """Return the labels of all rows, or take some classes as normal."""
    if "normal" in task.protocol:
        if loaded.kinds is None:
            raise DataError(f"{task.data} names no classes to choose normal ones of")
        return truth_of(loaded.kinds, _normal(task))
    if loaded.truth is None:
        named = (
            ""
            if loaded.kinds is None
            else ("; it has classes: say which are normal by protocol.normal")
        )
        raise DataError(
            f"{task.data} has no labels, so nothing can be measured on it{named}"
        )
    if task.anomaly == "reversed":
        odd = loaded.truth == labels.ANOMALY
        return np.where(odd, labels.NORMAL, labels.ANOMALY)
    return loaded.truth


def _normal(task: Task) -> list[str]:
    """Return the normal classes: those listed, one, or a group of the catalogue."""
    given = task.protocol["normal"]
    if isinstance(given, str):
        return list(catalog.groups(task.data).get(given, [given]))
    many = given if isinstance(given, list | tuple) else [given]
    return [str(one) for one in many]


def _official(
    task: Task, loaded: _Loaded, chosen: NDArray[np.int64]
) -> NDArray[np.str_] | None:
    """Return the official part of each row, where the protocol tests on one."""
    test = task.protocol.get("test")
    if test is None:
        return None
    if test != OFFICIAL:
        raise DataError(f"protocol.test = {test!r}; use {OFFICIAL!r} or leave it out")
    if loaded.parts is None or "test" not in loaded.parts:
        raise DataError(
            f"{task.data} has no official test part; leave protocol.test out, or give "
            "its file as test of the set: { path = ..., test = ... }"
        )
    return loaded.parts[chosen]


def _split(
    task: Task,
    truth: labels.Codes,
    kinds: NDArray[np.str_] | None,
    parts: NDArray[np.str_] | None,
) -> Split:
    name = task.protocol["name"]
    other = {"name", "normal", "test"}
    arguments = {key: v for key, v in task.protocol.items() if key not in other}
    if {"pollution_class", "known_classes"} & set(arguments):
        if kinds is None:
            raise DataError(f"{task.data} names no classes to choose anomalies by")
        arguments["classes"] = kinds
        for key in ("pollution_class", "known_classes"):
            if key in arguments:
                arguments[key] = _as_classes(arguments[key], key)
    protocol: Callable[..., Split] = PROTOCOLS[name]
    if parts is not None:
        protocol = functools.partial(official, parts=parts, protocol=name)
    try:
        return protocol(truth, **arguments, random_state=task.seed)
    except TypeError as error:
        raise DataError(f"protocol {name}: {error}") from None


def _as_classes(given: Any, key: str) -> Any:
    """Write classes as they are named; a number of known classes stays one."""
    if isinstance(given, list | tuple):
        return [str(one) for one in given]
    return given if key == "known_classes" else str(given)


def _cut(n: int, max_rows: int | None, seed: int) -> NDArray[np.int64]:
    if max_rows is None or n <= max_rows:
        return np.arange(n)
    rng = np.random.default_rng(seed)
    return np.sort(rng.choice(n, max_rows, replace=False))


class _Loaded(NamedTuple):
    """A set as read: rows, truth, classes and official parts where it has them."""

    data: Any
    truth: labels.Codes | None
    kinds: NDArray[np.str_] | None
    parts: NDArray[np.str_] | None


@functools.lru_cache(maxsize=2)
def _load(name: str, reading: str, by_class: bool, changes: tuple[Any, ...]) -> _Loaded:
    """Read a set once for the tasks that follow, until its files change."""
    given = json.loads(reading)
    first = _loaded(given.get("path", name), given, by_class)
    if "test" not in given:
        return first
    second = _loaded(given["test"], given, by_class)
    if not isinstance(first.data, pa.Table) or not isinstance(second.data, pa.Table):
        raise DataError(
            f"test of {name}: only tables have it in a file of its own; put pictures "
            "into the folders train and test"
        )
    if first.data.column_names != second.data.column_names:
        raise DataError(f"{name}: its test has other columns than its training file")
    both = pa.concat_tables([first.data, second.data], promote_options="permissive")
    sizes = [len(first.data), len(second.data)]
    return _Loaded(
        both,
        _joined(first.truth, second.truth),
        _joined(first.kinds, second.kinds),
        np.repeat(["train", "test"], sizes),
    )


def _changes(task: Task) -> tuple[Any, ...]:
    """Tell sizes and times of change of the files of a set."""
    given = task.reading or {}
    places = [given.get("path", task.data), given.get("test")]
    return tuple(changes_of(place) for place in places if place is not None)


def _joined(one: Any, other: Any) -> Any:
    return None if one is None or other is None else np.concatenate([one, other])


def _loaded(name: str, given: Mapping[str, Any], by_class: bool) -> _Loaded:
    """Read one source; with classes to choose, labels need not say what is odd."""
    source = open_source(name, reading_of(given))
    if isinstance(source, PictureSource):
        found = source.rows()
        _check_labels(name, found.codes)
        classes = np.asarray(found.kinds, dtype=str)
        official = np.asarray(found.official, dtype=str)
        return _Loaded(
            found.images,
            found.codes,
            classes if classes.any() else None,
            official if official.any() else None,
        )
    frame, column = source.file.read(), source.rule.column
    official = np.asarray(source.file.official, dtype=str)
    parts = official if official.any() else None
    table = frame.drop_columns([*source.ignore, *([column] if column else [])])
    if column is None:
        return _Loaded(table, None, None, parts)
    cells = frame.column(column).combine_chunks()
    if by_class:
        return _Loaded(table, None, _classes(name, cells), parts)
    reader = LabelColumn(source.rule, name)
    codes = if_any(reader.codes(cells, first_row=0))
    reader.check()
    _check_labels(name, codes)
    return _Loaded(table, codes, _kinds(cells), parts)


def _check_labels(name: str, codes: labels.Codes | None) -> None:
    if codes is not None and (codes == labels.UNLABELLED).any():
        raise DataError(f"{name} has rows without a label; measure on complete truth")


def _classes(name: str, cells: pa.Array) -> NDArray[np.str_]:
    """Return the classes of all rows, as they are written."""
    if n := cells.null_count:
        raise DataError(
            f"{name} has rows without a class ({n} of {len(cells)}); measure on "
            "complete truth"
        )
    return np.asarray(cells.cast(pa.string()).to_pylist(), dtype=str)


def _kinds(words: pa.Array) -> NDArray[np.str_] | None:
    """Return the cells of a label column as classes, where they are words."""
    if family_of(words.type) != "text" or plain(clean_text(words)) is not None:
        return None
    return np.asarray(words.to_pylist(), dtype=str)


def _of(encode: Callable[[Any], NDArray[Any]] | None) -> Any:
    """Encode the frame of rows."""
    return None if encode is None else lambda rows: encode(rows.frame)


def _encode(
    data: pa.Table | NDArray[np.uint8], parts: list[NDArray[Any]]
) -> tuple[list[NDArray[Any]], Callable[[Any], NDArray[Any]] | None]:
    """Fit the encoding to the first part, the training rows, and encode all parts."""
    if isinstance(data, np.ndarray):
        return [data[part] for part in parts], None
    from whitecrow.data.kinds.table import TableEncoder

    tables = [data.take(pa.array(part)) for part in parts]
    encoder = TableEncoder().fit(tables[0])
    return [encoder.transform(table) for table in tables], encoder.transform
