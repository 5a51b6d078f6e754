"""The only file that knows label conventions.

Outside: `1` anomaly, `0` normal, missing (NaN, None, NA, "") unlabelled; booleans and
the strings "anomaly" / "normal" mean the same. Inside: int8 codes, used as masks and
never in arithmetic.
"""

from __future__ import annotations

import re
import shlex
import warnings
from collections.abc import Mapping
from typing import Any, NoReturn

import numpy as np
from numpy.typing import ArrayLike, NDArray

from whitecrow.errors import LabelError

__all__ = [
    "ANOMALY",
    "NORMAL",
    "NORMAL_WORDS",
    "UNLABELLED",
    "asks",
    "encode",
    "from_deep_sad",
    "from_outlier_predict",
    "from_sklearn_semi",
    "in_a_question",
    "suggested",
]

UNLABELLED = np.int8(-1)
NORMAL = np.int8(0)
ANOMALY = np.int8(1)

Codes = NDArray[np.int8]

NORMAL_WORDS = frozenset(
    [
        *("normal", "benign", "good", "ok", "okay", "regular", "nominal", "healthy"),
        *("legit", "legitimate", "genuine", "inlier", "clean", "negative", "neg"),
        *("no", "false", "0", "pass", "passed", "no_failure", "no failure"),
        *("gut", "in ordnung", "i.o.", "i. o.", "io", "nein", "gesund", "fehlerfrei"),
    ]
)
"""What people write in a column of labels for rows that are not anomalies."""

_YES = {"yes", "y", "ja", "j", "oui", "si", "s\u00ed", "sim"}
_NO = {"no", "n", "nein", "nee", "non", "n\u00e3o"}
_QUESTION = re.compile(
    r"(^|_)(anomal(y|ous)|fraud(ulent)?|outlier|attack|malicious|malware|defect(ive)?|"
    r"fault(y)?|failure|failed|abnormal|intrusion)$"
)

_WORDS = {"anomaly": ANOMALY, "normal": NORMAL, "": UNLABELLED}


def encode(y: ArrayLike | None, n: int | None = None) -> Codes:
    """Encode labels in the public convention as int8 codes.

    Parameters
    ----------
    y : array-like of shape (n,) or None
        1 or True or "anomaly"; 0 or False or "normal"; NaN, None, NA or "" for
        unlabelled. None means that no row is labelled and needs `n`.
    n : int, optional
        The number of rows that `y` must describe.

    Returns
    -------
    ndarray of int8, shape (n,)
        `ANOMALY` (1), `NORMAL` (0) or `UNLABELLED` (-1).

    Raises
    ------
    LabelError
        For any other value; a negative one is shown with both of its usual readings.

    Examples
    --------
    >>> encode([1, 0, None, float("nan")])
    array([ 1,  0, -1, -1], dtype=int8)
    """
    if y is None:
        return np.full(n or 0, UNLABELLED)
    values = _as_vector(y)
    if n is not None and len(values) != n:
        raise LabelError(
            f"y has {len(values)} labels for {n} rows; give one label a row, "
            "missing (None or NaN) where it is unknown"
        )
    codes = _encode_objects(values) if values.dtype == object else _encode(values)
    _warn_if_reversed(codes)
    return codes


def from_deep_sad(y: ArrayLike) -> NDArray[np.float64]:
    """Convert Deep SAD's labels (-1 anomaly, 0 unlabelled, +1 normal) to ours.

    Examples
    --------
    >>> from_deep_sad([-1, 0, 1])
    array([ 1., nan,  0.])
    """
    return _translate(y, {-1: 1.0, 0: np.nan, 1: 0.0}, "from_deep_sad")


def from_sklearn_semi(y: ArrayLike) -> NDArray[np.float64]:
    """Convert scikit-learn's semi-supervised labels (-1 means unlabelled) to ours.

    Examples
    --------
    >>> from_sklearn_semi([-1, 0, 1])
    array([nan,  0.,  1.])
    """
    return _translate(y, {-1: np.nan, 0: 0.0, 1: 1.0}, "from_sklearn_semi")


def from_outlier_predict(y: ArrayLike) -> NDArray[np.float64]:
    """Convert the output of scikit-learn's `predict` (-1 outlier, +1 inlier) to ours.

    Examples
    --------
    >>> from_outlier_predict([-1, 1])
    array([1., 0.])
    """
    return _translate(y, {-1: 1.0, 1: 0.0}, "from_outlier_predict")


def asks(name: str) -> bool:
    """Tell whether the name of a column asks whether a row is an anomaly.

    Examples
    --------
    >>> asks("isFraud"), asks("is attack"), asks("passed")
    (True, True, False)
    """
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name.strip()).lower()
    return _QUESTION.search(re.sub(r"[^a-z]+", "_", words)) is not None


def in_a_question(word: str) -> bool | None:
    """Return what yes or no says where a column asks for anomalies; None for others."""
    word = word.strip().lower()
    return True if word in _YES else False if word in _NO else None


def suggested(name: str, values: Mapping[str, float]) -> str:
    """Suggest the options that say what the values of a label column mean.

    Parameters
    ----------
    name : str
        Of the column.
    values : mapping of str to float
        How frequent each value is.

    Returns
    -------
    str
        Empty where the values are labels as they are: everything but normal is an
        anomaly where a value says normal, and the rarest value where none does.

    Examples
    --------
    >>> suggested("kind", {"normal": 90, "neptune": 40, "smurf": 9})
    "--anomaly-value '!normal'"
    >>> suggested("kind", {"a": 90, "b c": 9}), suggested("kind", {"1": 5, "0": 90})
    ("--anomaly-value 'b c'", '')
    """
    if all(_is_label(name, value) for value in values):
        return ""
    normal = [v for v in values if v.strip().lower().rstrip(".") in NORMAL_WORDS]
    if not normal or len(normal) == len(values):
        rarest = min(values, key=values.__getitem__)
        if set(values) == {"-1", "1"} and rarest == "-1":
            return "--labels outlier-predict"
        normal = []
    chosen = [f"!{value}" for value in normal] or [rarest]
    return " ".join(f"--anomaly-value {shlex.quote(value)}" for value in chosen)


def _is_label(name: str, value: str) -> bool:
    word = value.strip().lower()
    known = {*_WORDS, "0", "1", "0.0", "1.0", "true", "false"}
    return word in known or (asks(name) and in_a_question(word) is not None)


def _as_vector(y: ArrayLike) -> NDArray[Any]:
    if isinstance(y, np.ma.MaskedArray):
        known = y.data.astype(object)
        known[np.ma.getmaskarray(y)] = None
        y = known
    try:
        values = np.asarray(y)
    except ValueError:  # lists of different lengths
        raise LabelError(
            "y is no vector; labels are one column, one label a row"
        ) from None
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    if values.ndim != 1:
        raise LabelError(
            f"y has shape {values.shape}; labels are one column, one label a row"
        )
    if values.dtype.kind in "iufb":
        return values
    return values.astype(object)


def _encode(values: NDArray[Any]) -> Codes:
    codes = np.full(len(values), UNLABELLED)
    codes[values == 0] = NORMAL
    codes[values == 1] = ANOMALY
    legal = (values == 0) | (values == 1)
    if values.dtype.kind == "f":
        legal |= np.isnan(values)
    if not legal.all():
        _refuse(values[~legal][0], int(np.flatnonzero(~legal)[0]))
    return codes


def _encode_objects(values: NDArray[Any]) -> Codes:
    codes = np.full(len(values), UNLABELLED)
    for row, value in enumerate(values):
        codes[row] = _encode_one(value, row)
    return codes


def _encode_one(value: Any, row: int) -> np.int8:
    if value is None or type(value).__name__ in {"NAType", "NaTType"}:
        return UNLABELLED
    if isinstance(value, str):
        word = value.strip().lower()
        if word in _WORDS:
            return _WORDS[word]
        _refuse(value, row)
    try:
        number = float(value)
    except (TypeError, ValueError):
        _refuse(value, row)
    if np.isnan(number):
        return UNLABELLED
    if number not in (0.0, 1.0):
        _refuse(value, row)
    return ANOMALY if number == 1.0 else NORMAL


def _refuse(value: Any, row: int) -> NoReturn:
    shown = value.item() if isinstance(value, np.generic) else value
    if isinstance(shown, (int, float)) and shown < 0:
        raise LabelError(
            f"label {shown!r} in row {row} is negative, which means 'anomaly' for some "
            "tools and 'unlabelled' for others; convert with labels.from_deep_sad(y) "
            "(-1 anomaly, 0 unlabelled, +1 normal), labels.from_sklearn_semi(y) "
            "(-1 unlabelled) or labels.from_outlier_predict(y) (-1 anomaly, +1 normal)"
        )
    raise LabelError(
        f"label {shown!r} in row {row} is not a label; use 1 or 'anomaly', 0 or "
        "'normal', and missing (None, NaN or '') where it is unknown"
    )


def _warn_if_reversed(codes: Codes) -> None:
    anomalies, normals = int((codes == ANOMALY).sum()), int((codes == NORMAL).sum())
    if anomalies > normals and not (codes == UNLABELLED).any():
        warnings.warn(
            f"{anomalies} rows are labelled anomaly (1) and only {normals} normal (0), "
            "none is unlabelled: check that the labels are not reversed",
            UserWarning,
            stacklevel=4,
        )


def _translate(y: ArrayLike, table: dict[int, float], name: str) -> NDArray[np.float64]:
    values = np.asarray(y)
    result = np.full(values.shape, np.inf)
    for code, label in table.items():
        result[values == code] = label
    unknown = np.isinf(result)
    if unknown.any():
        legal = ", ".join(str(code) for code in table)
        raise LabelError(
            f"labels.{name} takes {legal}; got {values[unknown].tolist()[0]!r}"
        )
    return result
