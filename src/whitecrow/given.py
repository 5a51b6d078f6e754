"""Data and labels as a caller in Python has them: frames, arrays, or names."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from whitecrow import labels
from whitecrow.data.depth import to_bytes
from whitecrow.data.formats import InMemory
from whitecrow.data.kinds import as_table
from whitecrow.data.labelling import Labelling
from whitecrow.data.rows import PictureRows, TableRows
from whitecrow.data.source import Reading, TableSource, check_columns, open_source
from whitecrow.errors import UserError

__all__ = ["in_python", "rows_of"]


def rows_of(
    data: Any, given: Any, ignore: Sequence[str]
) -> tuple[TableRows | PictureRows, Labelling, Sequence[str]]:
    """Open what a caller in Python has.

    Parameters
    ----------
    data, given
        As `data` and `labels` of `whitecrow.detect`.
    ignore : sequence of str
        Columns to leave out.

    Returns
    -------
    rows : TableRows or PictureRows
        With their labels.
    rule : Labelling
        How the labels were written.
    ignore : sequence of str
        Columns to leave out: those asked for, or those that the catalogue names.

    Raises
    ------
    DataError, LabelError
        One line: what cannot be read or used.
    """
    column = given if isinstance(given, str) else None
    ignore = (ignore,) if isinstance(ignore, str) else tuple(ignore)
    if isinstance(data, str | Path):
        reading = Reading(labels=Labelling(column=column), ignore=ignore)
        source = open_source(str(data), reading)
        rows = _with_labels(source.rows(), None if column else given)
        return rows, source.rule, source.ignore
    array = np.asarray(data) if _is_nameless(data) else None
    if array is not None and array.ndim == 4:
        return _with_labels(_array_pictures(array), given), Labelling(), ()
    return _frame_rows(data, array, given, column, ignore)


def _frame_rows(
    data: Any,
    array: NDArray[Any] | None,
    given: Any,
    column: str | None,
    ignore: tuple[str, ...],
) -> tuple[TableRows, Labelling, Sequence[str]]:
    frame = as_table(data if array is None else array)
    check_columns(ignore, frame.column_names, "the frame", "ignore")
    if column is not None:
        check_columns([column], frame.column_names, "the frame", "labels")
    source = TableSource(
        name="the frame",
        file=InMemory(Path("frame"), frame),
        rule=Labelling(column=column),
        ignore=ignore,
    )
    rows = _with_labels(source.rows(), None if column else given)
    assert isinstance(rows, TableRows)
    return rows, source.rule, ignore


def _is_nameless(data: Any) -> bool:
    """Tell whether data are an array, or lists of lists: without names of columns."""
    if isinstance(data, list | tuple):
        return not (data and isinstance(data[0], Mapping))
    tables = hasattr(data, "__arrow_c_stream__") or hasattr(data, "columns")
    named = tables or getattr(getattr(data, "dtype", None), "names", None)
    return hasattr(data, "__array__") and not named


_OPTIONS = (
    (r"--read-as '(.+?)=([^']+)'", r"read_as={'\1': '\2'}"),
    (r"--labels deep-sad", "whitecrow.labels.from_deep_sad(y)"),
    (r"--labels sklearn-semi", "whitecrow.labels.from_sklearn_semi(y)"),
    (r"--labels outlier-predict", "whitecrow.labels.from_outlier_predict(y)"),
    (r"--anomaly-value '?!(.+?)'?(?=;|$)(; '!'.*)?", r"labels=(column != '\1')"),
    (r"--anomaly-value '?(.+?)'?(?=;|$)(; '!'.*)?", r"labels=(column == '\1')"),
    (r"--label-column ([\w.]+)", r"labels='\1'"),
    (r"--label-column", "labels"),
    (r" with -o\b", ""),
)


@contextmanager
def in_python() -> Iterator[None]:
    """Name parameters as in Python where a message names options of the command line.

    Examples
    --------
    >>> with in_python():
    ...     raise UserError("--top -1 is negative; leave out --use-labels")
    Traceback (most recent call last):
    whitecrow.errors.UserError: top=-1 is negative; leave out use_labels
    """
    try:
        yield
    except UserError as error:
        text = str(error)
        for pattern, call in _OPTIONS:
            text = re.sub(pattern, call, text)
        text = re.sub(r"--([a-z][a-z-]*) (?=['-])", _parameter("="), text)
        error.args = (re.sub(r"--([a-z][a-z-]*)", _parameter(""), text),)
        raise


def _parameter(behind: str) -> Callable[[re.Match[str]], str]:
    return lambda found: found[1].replace("-", "_") + behind


def _array_pictures(images: NDArray[Any]) -> PictureRows:
    pixels, depth = to_bytes(images)
    names = tuple(f"picture {i}" for i in range(len(pixels)))
    return PictureRows(
        source="the array",
        images=pixels,
        paths=names,
        kinds=("",) * len(names),
        depth=depth,
    )


def _with_labels(rows: Any, given: Any) -> Any:
    if given is None:
        return rows
    codes = labels.encode(given, n=len(rows))
    return replace(rows, codes=codes if (codes != labels.UNLABELLED).any() else None)
