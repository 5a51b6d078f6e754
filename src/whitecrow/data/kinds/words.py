"""Cells in words."""

from __future__ import annotations

import json
import math
from datetime import date, datetime, time, timedelta
from typing import Any

import pyarrow as pa

from whitecrow.data.kinds.text import NO_VALUE

__all__ = [
    "describe",
    "in_full",
    "is_missing",
    "lasting_text",
    "number_text",
    "percent",
]
__all__ += ["quoted", "rows_text", "shown"]


def describe(
    frame: pa.Table | pa.RecordBatch, row: int, columns: list[str] | None = None
) -> dict[str, str]:
    """The cells of one row as a person would write them.

    Parameters
    ----------
    frame : pyarrow.Table or RecordBatch
    row : int
        Counted from 0.
    columns : list of str, optional
        Only these columns, in this order; all by default.

    Returns
    -------
    dict of str to str

    Examples
    --------
    >>> describe(pa.table({"flow": [0.1 + 0.2], "state": [None]}), 0)
    {'flow': '0.3', 'state': 'missing'}
    """
    names = frame.schema.names if columns is None else columns
    return {name: shown(cell_of(frame.column(name), row)) for name in names}


def cell_of(column: Any, row: int) -> Any:
    """One cell as a Python value; what Python cannot hold comes as text.

    Examples
    --------
    >>> cell_of(pa.array([7]), 0)
    7
    """
    scalar = column[row]
    try:
        return scalar.as_py()
    except (ValueError, OverflowError, pa.ArrowException):
        return str(scalar)


def shown(value: Any) -> str:
    """One cell as text, at most 80 characters.

    Examples
    --------
    >>> shown(1234567.0), shown(float("nan")), shown(True)
    ('1234567', 'missing', 'true')
    """
    if is_missing(value):
        return "missing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return value.isoformat(" ")
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, timedelta):
        return str(value)
    if isinstance(value, int | float):
        return number_text(float(value) if isinstance(value, float) else value)
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    text = " ".join(str(value).split())
    return text if len(text) <= 80 else text[:79] + "\N{HORIZONTAL ELLIPSIS}"


def in_full(value: Any) -> str | None:
    r"""One cell as text for a file: uncut, lists and maps as JSON; None if missing.

    Examples
    --------
    >>> in_full([1, "a"]), in_full({"at": date(2024, 5, 1)}), in_full(b"ok\xff")
    ('[1, "a"]', '{"at": "2024-05-01"}', 'ok\ufffd')
    """
    if value is None:
        return None
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, list | dict):
        return json.dumps(value, ensure_ascii=False, default=in_full)
    return value if isinstance(value, str) else shown(value)


def number_text(value: float, spread: float = 0.0) -> str:
    """A number with the digits that matter beside a spread in the same unit.

    Parameters
    ----------
    value : float
    spread : float
        A width that a reader compares with, such as between two quantiles; the text
        resolves about a hundredth of it. 0 if there is none: six digits.

    Examples
    --------
    >>> number_text(412.7031, 15.5), number_text(1e-7 / 3), number_text(5_000_000)
    ('412.7', '3.33333e-08', '5000000')
    """
    if not math.isfinite(value):
        return "infinite" if value > 0 else "minus infinite"
    if value == int(value) and abs(value) < 1e19:
        return str(int(value))
    if abs(value) >= 1e9 or not 1e-6 < spread < 1e9:
        return f"{value:.6g}"
    decimals = min(max(2 - math.floor(math.log10(spread)), 0), 12)
    text = f"{value:.{decimals}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def lasting_text(seconds: float, spread: float = 0.0) -> str:
    """A duration, as exact as `number_text` is beside a spread.

    Examples
    --------
    >>> lasting_text(27121.0, 26_000.0), lasting_text(-2.5), lasting_text(9e5, 5e5)
    ('7 h 32 min', '-2.5 s', '10 d 10 h')
    """
    step = next((size for _, size in _LASTING if 100 * size <= spread), 0)
    if not step or not math.isfinite(seconds):
        return f"{number_text(seconds, spread)} s"
    left, parts = round(abs(seconds) / step) * step, []
    for unit, size in _LASTING:
        count, left = divmod(left, size)
        parts += [f"{count} {unit}"] if count else []
    return ("-" if seconds < 0 else "") + " ".join(parts) if parts else "0 s"


_LASTING = (("d", 86400), ("h", 3600), ("min", 60), ("s", 1))


def is_missing(value: Any) -> bool:
    """Whether a cell has no value: None, NaN, or a word that says so."""
    if isinstance(value, str):
        return value.strip() in NO_VALUE
    return value is None or (isinstance(value, float) and math.isnan(value))


def percent(share: float) -> str:
    """A share in percent.

    Examples
    --------
    >>> percent(0.123), percent(0.9996)
    ('12 %', '99.96 %')
    """
    return f"{100 * share:.2g} %" if share < 0.995 else f"{100 * share:.4g} %"


def rows_text(count: int) -> str:
    """A number of rows.

    Examples
    --------
    >>> rows_text(1), rows_text(1200)
    ('1 row', '1,200 rows')
    """
    return "1 row" if count == 1 else f"{count:,} rows"


def quoted(text: str) -> str:
    """A text between quotes, as it is.

    Examples
    --------
    >>> quoted("8'9")
    "'8'9'"
    """
    return f"'{text}'"
