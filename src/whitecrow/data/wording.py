"""Cells and how usual they are, in words and in the units of their column."""

from __future__ import annotations

import math
from datetime import date, datetime, time
from typing import Any

import pyarrow as pa

from whitecrow.data.content import MISSING_WORDS

__all__ = ["describe", "number_text", "shown", "usual_sentence"]

Summary = dict[str, Any]


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
    return {name: shown(frame.column(name)[row].as_py()) for name in names}


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
    if isinstance(value, int | float):
        return number_text(float(value) if isinstance(value, float) else value)
    text = " ".join(str(value).split())
    return text if len(text) <= 80 else text[:79] + "\N{HORIZONTAL ELLIPSIS}"


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
    if value == int(value) and abs(value) < 1e15:
        return str(int(value))
    if abs(value) >= 1e9 or not 1e-6 < spread < 1e9:
        return f"{value:.6g}"
    decimals = min(max(2 - math.floor(math.log10(spread)), 0), 12)
    text = f"{value:.{decimals}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def is_missing(value: Any) -> bool:
    """Whether a cell has no value: None, NaN, or a word that says so."""
    if isinstance(value, str):
        return value.strip() in MISSING_WORDS
    return value is None or (isinstance(value, float) and math.isnan(value))


def usual_sentence(summary: Summary, value: Any) -> str:
    """How usual a value is for its column, judged by the column's summary.

    Parameters
    ----------
    summary : dict
        One of `TableEncoder.summaries_`.
    value : object
        A cell as pyarrow's `as_py` gives it.

    Examples
    --------
    >>> summary = {"kind": "number", "missing": 0.0, "min": 18.0, "q05": 20.1,
    ...            "median": 27.4, "q95": 35.6, "max": 40.0}
    >>> usual_sentence(summary, 412.7)
    '412.7; usual 20.1 to 35.6, median 27.4; above the highest in training (40)'
    """
    if is_missing(value):
        share = summary.get("missing", 0.0)
        return (
            f"missing, as {_percent(share)} of training rows"
            if share
            else ("missing, which no training row was")
        )
    kind = summary["kind"]
    if kind == "number":
        return _usual_number(summary, value)
    if kind == "date":
        return (
            f"{shown(value)}; training rows from {summary['min']} to {summary['max']}"
        )
    if kind in {"category", "boolean"}:
        return _usual_level(summary, value)
    if kind == "constant":
        return f"{shown(value)}; {_constant_text(summary)}"
    return f"{shown(value)}; the column is not used"


def _usual_number(summary: Summary, value: Any) -> str:
    try:
        number = float(value)
    except (TypeError, ValueError):
        return f"{shown(value)}, which is no number; counts as missing"
    low, high = summary["q05"], summary["q95"]
    spread = (high - low) or (summary["max"] - summary["min"])
    text = {key: number_text(summary[key], spread) for key in _PLACES}
    sentence = (
        f"{number_text(number, spread)}; usual {text['q05']} to {text['q95']}, "
        f"median {text['median']}"
    )
    if number > summary["max"]:
        sentence += f"; above the highest in training ({text['max']})"
    elif number < summary["min"]:
        sentence += f"; below the lowest in training ({text['min']})"
    return sentence


_PLACES = ("min", "q05", "median", "q95", "max")


def _usual_level(summary: Summary, value: Any) -> str:
    name = shown(value)
    level = value.strip() if isinstance(value, str) else name
    shares = summary["shares"]
    if summary["kind"] == "boolean":
        level = {"1": "true", "yes": "true", "0": "false", "no": "false"}.get(
            level.lower(), level.lower()
        )
    if level in shares:
        return f"{name!r}, {_percent(shares[level])} of training rows"
    if summary.get("distinct", 0) > len(shares):
        rarest = min(shares.values(), default=0.0)
        return f"{name!r}, at most {_percent(rarest)} of training rows, perhaps none"
    return f"{name!r}, never in training rows"


def _constant_text(summary: Summary) -> str:
    if "median" in summary:
        return f"always {shown(summary['median'])} in training"
    if shares := summary.get("shares"):
        return f"always {shown(max(shares, key=shares.__getitem__))} in training"
    return f"always {summary['min']} in training"


def _percent(share: float) -> str:
    return f"{100 * share:.2g} %" if share < 0.995 else f"{100 * share:.4g} %"
