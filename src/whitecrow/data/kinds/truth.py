"""Two words for true and false: parse, plan, encode, chart, usual."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from whitecrow.data.kinds.number import filled
from whitecrow.data.kinds.plan import (
    COMMON,
    NOTHING_KNOWN,
    RARE,
    Plan,
    Usual,
    all_missing,
    bad_cell,
    bits,
    left_out,
    missing_usual,
    other_type,
    with_indicator,
)
from whitecrow.data.kinds.text import Text, distinct, family_of, numbers
from whitecrow.data.kinds.words import is_missing, percent, quoted, rows_text, shown

__all__ = ["chart", "encode", "find", "notes", "parse", "plan", "usual"]

Values = NDArray[np.float64]
Mask = NDArray[np.bool_]

_PAIRS = (
    ("true", "false"),
    ("yes", "no"),
    ("true", "no"),
    ("yes", "false"),
    ("y", "n"),
    ("t", "f"),
    ("on", "off"),
    ("ja", "nein"),
    ("ja", "nee"),
    ("j", "n"),
    ("wahr", "falsch"),
    ("oui", "non"),
    ("vrai", "faux"),
    ("si", "no"),
    ("s\u00ed", "no"),
    ("s\u00ec", "no"),
    ("verdadero", "falso"),
    ("vero", "falso"),
    ("sim", "n\u00e3o"),
)
_ALWAYS = {"true", "yes", "false", "no"}
_MARKS = {"x", "\u2713", "\u2714", "\u00d7"}
"""A mark that means yes where the other cells are empty."""
_WORDS = {yes: True for yes, _ in _PAIRS} | {no: False for _, no in _PAIRS}
_WORDS |= {"1": True, "0": False} | dict.fromkeys(_MARKS, True)


def find(text: Text, missing: int) -> dict[str, Any] | None:
    """How to read a text column as true and false; None if it is something else.

    Parameters
    ----------
    text : Text
    missing : int
        Cells without a value.
    """
    if len(text.levels) > 64:
        return None
    words = {word.lower() for word in text.words()}
    if words and (words <= _ALWAYS or any(words == set(pair) for pair in _PAIRS)):
        return {}
    if words and words <= _MARKS and missing:
        return {"blank": False}
    return None


def parse(array: pa.Array, settings: dict[str, Any]) -> tuple[Values, Mask]:
    """Text as 0 and 1 (NaN where missing), and which cells were not read."""
    text = distinct(array)
    words = {**_WORDS, **settings.get("words", {})}
    found = [words.get(level.lower()) for level in text.levels.to_pylist()]
    values = np.array([np.nan if one is None else float(one) for one in found])
    absent = text.absent()
    right = ~np.isnan(values)
    blank = settings.get("blank")
    empty = np.nan if blank is None else float(blank)
    values[absent & ~right] = empty
    return text.spread(values, empty), text.spread(~right & ~absent, False)


def plan(name: str, values: Values, how: dict[str, Any] | None = None) -> Plan:
    """The plan for a column of true and false.

    Parameters
    ----------
    name : str
    values : ndarray of float64
        1 for true, 0 for false, NaN where missing.
    how : dict, optional
        How text is read, for `parse`.
    """
    valid = values[~np.isnan(values)]
    if len(valid) == 0:
        return all_missing(name, len(values))
    share = float(valid.mean())
    missing = 1 - len(valid) / len(values)
    present = 1 - missing
    shares = {"true": share * present, "false": (1 - share) * present}
    summary: dict[str, Any] = {"kind": "boolean", "rows": len(values)}
    summary |= {"missing": missing, "shares": shares}
    constant = share in (0.0, 1.0)
    usual = share >= 0.5
    word = "true" if usual else "false"
    if constant and not missing:
        return left_out(name, "constant", f"always {word}", summary, how)
    settings = {**(how or {}), "fill": float(usual), "value": not constant}
    rarer = round(min(share, 1 - share) * len(valid))
    if not constant and rarer <= RARE * len(values):
        settings["apart"] = bits(len(values), rarer)
    if not constant:
        settings["unknown"] = bits(len(values), 0)
    features = () if constant else (name,)
    action = "kept as missing or not" if constant else "kept as 0 and 1"
    found = Plan(name, "boolean", action, "", features, settings, summary)
    return with_indicator(found, word, NOTHING_KNOWN)


def encode(plan: Plan, array: pa.Array, first_row: int) -> list[Values]:
    """0 and 1, and the mark for missing cells.

    A word that hardly a row has is as far from the other one as its rarity in bits, as
    a level of a category is, and a word that is neither is farther.

    Raises
    ------
    DataError
        A cell is neither true nor false, and the model is of before.
    """
    family = family_of(array.type)
    if family == "text":
        values, unread = parse(array, plan.settings)
    elif family in {"number", "boolean", "empty"}:
        values = numbers(array)
        unread = ~(np.isnan(values) | (values == 0) | (values == 1))
    else:
        raise other_type(plan, array)
    settings = plan.settings
    if unread.any() and not settings["tolerant"] and "unknown" not in settings:
        raise bad_cell(plan, array, int(np.argmax(unread)), first_row)
    fill = settings["fill"]
    values = np.where(unread, np.nan, fill + (values - fill) * settings.get("apart", 1))
    encoded = filled(plan, values, unread)
    if unread.any() and "unknown" in settings:
        encoded[0][unread] = fill + (1 - 2 * fill) * settings["unknown"]
    return encoded


def chart(array: pa.Array, settings: dict[str, Any] | None = None) -> Values:
    """0 and 1, NaN where missing."""
    family = family_of(array.type)
    if family == "text":
        return parse(array, settings or {})[0]
    if family in {"number", "boolean", "empty"}:
        values = numbers(array)
        return np.where((values == 0) | (values == 1), values, np.nan)
    return np.full(len(array), np.nan)


def notes(plan: Plan, array: pa.Array) -> tuple[list[str], int]:
    """What is said of words that are neither true nor false, and how many cells."""
    if family_of(array.type) != "text":
        return [], 0
    unread = parse(array, plan.settings)[1]
    count = int(unread.sum())
    if not count:
        return [], 0
    cell = shown(array[int(np.argmax(unread))].as_py())
    rows = f"{rows_text(count)}, such as {quoted(cell)}"
    return [f"{plan.column!r} is neither true nor false in {rows}"], count


def usual(plan: Plan, value: Any) -> Usual:
    """How many of the training rows have the same."""
    if is_missing(value) and plan.settings.get("blank") is None:
        return missing_usual(plan.summary)
    number = _truth_of(value, plan.settings)
    if np.isnan(number):
        return Usual(shown(value), "never in training rows")
    share = plan.summary["shares"]["true" if number else "false"]
    said = f"{percent(share)} of training rows" if share else "never in training rows"
    return Usual(shown(value), said, share >= COMMON)


def _truth_of(value: Any, settings: dict[str, Any]) -> float:
    """1 or 0, NaN for what is neither."""
    if value is None or isinstance(value, str):
        return float(parse(pa.array([value], pa.string()), settings)[0][0])
    return float(value) if value in (0, 1) else np.nan
