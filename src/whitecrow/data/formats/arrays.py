"""Array files (NPZ, NPY, MAT) as tables or pictures.

`X` of shape (n, d) is a table with the columns `x0` to `x{d-1}`, or those that a list
of d texts such as `feature_names` names; `y` beside it is the label column. Arrays of
shape (n, h, w) or (n, h, w, 3) of type uint8 are pictures. The parts of a split
(`X_train`, `X_test`; `train_images`, ...) are read one after another.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from whitecrow.data.formats import matlab
from whitecrow.data.formats.archive import check_sizes, members_of
from whitecrow.data.formats.names import unique
from whitecrow.data.formats.streams import Bytes
from whitecrow.data.formats.table import InMemory
from whitecrow.data.plain import complex_column
from whitecrow.data.rows import PictureRows
from whitecrow.errors import DataError

__all__ = ["from_arrays", "read_mat", "read_npy", "read_npz"]

Array = NDArray[Any]
Arrays = dict[str, Array]

LABEL_COLUMN = "y"
_PARTS = ("train", "val", "valid", "test")
_OFFICIAL = dict(
    zip(_PARTS, ("train", "validation", "validation", "test"), strict=True)
)
_DATA_NAME = re.compile(r"(X|x|images?|data)$")
_LABEL_NAME = re.compile(r"(y|labels?|targets?)$")
_COLUMN_NAMES = re.compile(
    r"((feature|column|col|variable|var|attribute|attr)_?)?names?$"
    r"|(features|columns|cols|variables|vars|attributes|attrs|header)$",
    re.IGNORECASE,
)


def read_npz(file: Bytes) -> InMemory | PictureRows:
    """Read an `.npz` archive, never unpickling anything.

    Raises
    ------
    DataError
        The archive is broken, holds Python objects, or no array is recognised; the
        message then lists the keys with their shapes.
    """
    members = [m for m in members_of(file, ".npz file") if _is_wanted(m.filename)]
    check_sizes(file, members)
    return from_arrays(file.shown, _decoded(file, "npz", _load_npz))


def read_npy(file: Bytes) -> InMemory | PictureRows:
    """Read an array: (n, d) is a table, (n, h, w) or (n, h, w, 3) of uint8 pictures."""
    load = partial(np.load, allow_pickle=False)
    return from_arrays(file.shown, {"X": _decoded(file, "npy", load)})


def read_mat(file: Bytes) -> InMemory | PictureRows:
    """Read a MATLAB file up to version 7 with `X` and, optionally, `y`.

    Raises
    ------
    DataError
        Version 7.3 (an HDF5 file that scipy does not read), or as `read_npz`.
    """
    if file.head(16).startswith((b"MATLAB 7.3", b"\x89HDF")):
        raise DataError(
            f"{file.shown}: MATLAB 7.3 files (HDF5) are not readable here; save it in "
            "MATLAB with save(..., '-v7'), or convert it to .npz with keys X and y"
        )
    return from_arrays(file.shown, _decoded(file, "mat", matlab.load))


# ------------------------------------------------------------------ decoding


def _decoded(file: Bytes, kind: str, load: Callable[[Path], Any]) -> Any:
    try:
        return load(file.path)
    except Exception as error:  # the decoders raise nearly anything on broken bytes
        text = " ".join(str(error).split())[:160] or type(error).__name__
        if "allow_pickle" in text:
            raise DataError(
                f"{file.shown}: it holds Python objects (pickle), which could run code "
                "and are never loaded; save plain arrays of numbers"
            ) from error
        raise DataError(
            f"{file.shown}: broken or not a .{kind} file ({text}); write or download "
            "it again"
        ) from error


def _load_npz(path: Path) -> Arrays:
    # Opened here, since numpy leaves the file of a broken archive open.
    with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
        found = {key: archive[key] for key in archive.files if _is_wanted(key)}
    for key, array in found.items():
        if not isinstance(array, np.ndarray):
            raise ValueError(f"its member {key!r} is not an array")
    return found


def _is_wanted(key: str) -> bool:
    # Everything but positions in some other set; small names of classes stay.
    return not key.removesuffix(".npy").endswith("_index")


# ------------------------------------------------------------- finding the parts


def from_arrays(source: str, arrays: Arrays) -> InMemory | PictureRows:
    """Make a table or pictures of arrays by their names; see the module."""
    parts = _parts(source, arrays)
    notes: tuple[str, ...] = ()
    if len(parts) > 1:
        counts = ", ".join(f"{key} ({len(arrays[key])})" for key, _ in parts)
        notes = (f"parts read one after another: {counts}",)
    elif parts[0][0] != "X":
        notes = (f"the array {parts[0][0]!r} is taken as the data",)
    X = _joined(source, arrays, [key for key, _ in parts])
    y = None
    if all(label for _, label in parts):
        y = _joined(source, arrays, [label for _, label in parts if label])
        y = _vector_of(source, y, len(X))
    rows = [(key, row) for key, _ in parts for row in range(len(arrays[key]))]
    official = tuple(_OFFICIAL[_part(k)] for k, _ in rows) if len(parts) > 1 else ()
    if X.ndim >= 3:
        paths = tuple(f"{key}/{row}" for key, row in rows)
        found = _pictures(source, X, y, paths, arrays.get("class_names"), notes)
        return replace(found, official=official)
    names, how = _named(arrays, X)
    table = _table(source, X, y, names, (how, *notes))
    table.official = official
    return table


def _named(arrays: Arrays, X: Array) -> tuple[list[str], str]:
    """Find the names of the columns, and say where they come from."""
    if X.dtype.names:
        names = list(X.dtype.names)
        return names, f"records with the fields {', '.join(names[:12])}"
    width = X.shape[1] if X.ndim == 2 else 1
    found = f"array of shape {X.shape}, columns named"
    for key, array in arrays.items():
        texts = array.dtype.kind == "U" and array.shape == (width,)
        if texts and _COLUMN_NAMES.match(key):
            return array.tolist(), f"{found} by {key!r}"
    return [f"x{j}" for j in range(width)], f"{found} x0, x1, ..."


def _parts(source: str, arrays: Arrays) -> list[tuple[str, str | None]]:
    """Pair the keys of data and labels: one pair, or one for each part of a split."""
    solid = [key for key, array in arrays.items() if array.ndim]
    data = [key for key in solid if _DATA_NAME.match(_base(key))]
    if not data:
        data = [key for key in solid if arrays[key].ndim >= 2]
        data = [key for key in data if not _LABEL_NAME.match(_base(key))]
    if any(_part(key) for key in data):
        data = [key for part in _PARTS for key in sorted(data) if _part(key) == part]
    if not data or (len(data) > 1 and not all(_part(key) for key in data)):
        raise DataError(
            f"{source}: no array named X (and y); it holds {_listed(arrays)}; "
            "save the data as X of shape (rows, columns)"
        )
    return [(key, _label_key(key, arrays)) for key in data]


def _part(key: str) -> str:
    return next((part for part in _PARTS if part in key.lower().split("_")), "")


def _base(key: str) -> str:
    return "_".join(word for word in key.split("_") if word.lower() not in _PARTS)


def _label_key(key: str, arrays: Arrays) -> str | None:
    labels = (other for other in arrays if _LABEL_NAME.match(_base(other)))
    return next((other for other in labels if _part(other) == _part(key)), None)


def _listed(arrays: Mapping[str, Array]) -> str:
    shown = [f"{key} {array.shape}" for key, array in list(arrays.items())[:12]]
    return ", ".join(shown) or "no array"


def _joined(source: str, arrays: Arrays, keys: list[str]) -> Array:
    if len(keys) == 1:
        return arrays[keys[0]]
    shapes = {arrays[key].shape[1:] for key in keys}
    if len(shapes) > 1:
        raise DataError(
            f"{source}: {', '.join(keys)} differ in shape ({_listed(arrays)}); "
            "their rows must have the same columns"
        )
    return np.concatenate([arrays[key] for key in keys])


def _vector_of(source: str, y: Array, n: int) -> Array:
    if y.size != n or max(y.shape, default=1) != y.size:
        raise DataError(
            f"{source}: the labels have shape {y.shape} for {n} rows; "
            "give one label a row, shape (n,) or (n, 1)"
        )
    return y.reshape(-1)


# ---------------------------------------------------------------- making tables


def _table(
    source: str, X: Array, y: Array | None, names: list[str], notes: tuple[str, ...]
) -> InMemory:
    if not names or X.size == 0:
        raise DataError(f"{source}: X has shape {X.shape}; it needs rows and columns")
    called, changed = unique(names)
    columns = {
        name: _arrow(source, name, column)
        for name, column in zip(called, _columns(X), strict=True)
    }
    label = None
    if y is not None:
        label = LABEL_COLUMN
        while label in columns:
            label += "_"
        columns[label] = _arrow(source, label, y)
    return InMemory(Path(source), pa.table(columns), (*notes, *changed), label)


def _columns(X: Array) -> list[Array]:
    if X.dtype.names:
        records = X.reshape(-1)
        return [records[name] for name in X.dtype.names]
    return list(X.reshape(-1, 1).T if X.ndim < 2 else X.T)


def _arrow(source: str, name: str, column: Array) -> pa.Array:
    if column.dtype.kind == "c":
        raise DataError(f"{source}: {complex_column(name)}")
    if column.dtype.kind not in "biufUM" or column.ndim != 1:
        raise DataError(
            f"{source}: {name!r} of type {column.dtype} cannot be a column; save "
            "numbers, booleans, dates or text"
        )
    native = column.astype(column.dtype.newbyteorder("="), copy=False)
    try:
        return pa.array(np.ascontiguousarray(native))
    except (pa.ArrowException, TypeError, ValueError) as error:
        if native.dtype.kind == "f":  # longer than double
            return pa.array(native.astype(np.float64))
        raise DataError(f"{source}: {' '.join(str(error).split())}") from error


# -------------------------------------------------------------- making pictures


def _pictures(
    source: str,
    X: Array,
    y: Array | None,
    names: tuple[str, ...],
    class_names: Array | None,
    notes: tuple[str, ...],
) -> PictureRows:
    images = _channels_first(source, X)
    kinds = ("",) * len(images) if y is None else _kinds(y, class_names)
    codes = None
    if y is not None and _is_binary(y):
        kinds = tuple("anomaly" if value else "good" for value in y.tolist())
        codes = y.astype(np.int8)
        notes = (*notes, "labels are 0 and 1, read as normal and anomaly")
    elif y is not None:
        notes = (
            *notes,
            f"{len(set(kinds))} classes are kept as kinds; which of them are normal is "
            "yours to choose, so no picture is labelled",
        )
    n, c, h, w = images.shape
    found = f"{n} pictures of {h} x {w} pixels, {'grey' if c == 1 else 'colour'}"
    return PictureRows(
        source=source,
        images=images,
        paths=names,
        kinds=kinds,
        codes=codes,
        notes=(found, *notes),
    )


def _channels_first(source: str, X: Array) -> NDArray[np.uint8]:
    if X.dtype != np.uint8 or X.ndim > 4 or 0 in X.shape:
        raise DataError(
            f"{source}: an array of shape {X.shape} and type {X.dtype} is neither a "
            "table (n, d) nor pictures; pictures are uint8 of shape (n, h, w) or "
            "(n, h, w, 3)"
        )
    if X.ndim == 3:
        return X[:, None]
    if X.shape[3] in (1, 3):
        return np.ascontiguousarray(X.transpose(0, 3, 1, 2))
    if X.shape[1] in (1, 3):
        return X
    raise DataError(
        f"{source}: pictures of shape {X.shape[1:]} have no axis of 1 or 3 channels; "
        "save them as (n, h, w) or (n, h, w, 3)"
    )


def _kinds(y: Array, class_names: Array | None) -> tuple[str, ...]:
    if class_names is not None and y.dtype.kind in "iu" and class_names.ndim == 1:
        names = [str(name) for name in class_names.tolist()]
        if y.min() >= 0 and y.max() < len(names):
            return tuple(names[code] for code in y.tolist())
    return tuple(str(value) for value in y.tolist())


def _is_binary(y: Array) -> bool:
    return y.dtype.kind in "biuf" and set(np.unique(y).tolist()) == {0, 1}
