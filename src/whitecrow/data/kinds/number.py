"""Numbers, as people write them: plan, encode, chart, usual.

A cell of text is a sign, digits with marks, and a unit before or behind. What was found
out about the marks and units of a column is its *style*, by which new rows are read as
well.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from whitecrow.data.kinds import number_far, units
from whitecrow.data.kinds.number_cells import (
    PLAIN,
    Style,
    apart,
    parse,
    readings,
    without_absent,
)
from whitecrow.data.kinds.plan import (
    NOTHING_KNOWN,
    QUANTILES,
    RARE,
    Known,
    Plan,
    Usual,
    all_missing,
    bad_cell,
    bits,
    deciles,
    left_out,
    marks,
    missing_usual,
    other_type,
    quantile,
    read_as,
    said,
    unread_usual,
    with_indicator,
)
from whitecrow.data.kinds.text import family_of, numbers
from whitecrow.data.kinds.words import lasting_text, number_text, percent, shown
from whitecrow.errors import DataError

__all__ = ["chart", "encode", "filled", "plan", "range_text", "usual"]

Values = NDArray[np.float64]
Mask = NDArray[np.bool_]

FEWEST_IDS = 20
"""Rows from which on distinct values make a column an identifier."""
EXACT = 2.0**53
"""Whole numbers beyond this are not all told apart as floats."""


def plan(
    name: str,
    values: Values,
    *,
    whole: bool = False,
    style: Style = PLAIN,
    known: Known = NOTHING_KNOWN,
    different: Callable[[], int] | None = None,
) -> Plan:
    """Plan for a column of numbers.

    Parameters
    ----------
    name : str
    values : ndarray of float64
        NaN where missing; infinite cells are extreme ones.
    whole : bool
        Whether the column can hold whole numbers only.
    style : dict
        How text is read, for `number_cells.parse`.
    known : Known
        What was found out about the cells already.
    different : callable, optional
        Gives the number of different cells, where floats do not tell them apart.
    """
    ordered = np.sort(values[np.isfinite(values)])
    if len(ordered) == 0:
        return _never_finite(name, values)
    summary = _summary(values, ordered, whole=whole, style=style)
    if len(ordered) == len(values):
        detail = _row_number(name, ordered, summary["whole"], different)
        if detail:
            return left_out(name, "identifier", detail, summary)
        if ordered[0] == ordered[-1]:
            detail = f"always {ordered[0]:.6g}"
            return left_out(name, "constant", detail, summary, {"style": style})
    constant = bool(ordered[0] == ordered[-1]) and not np.isinf(values).any()
    if constant:
        known = known.with_note(f"every value is {ordered[0]:.6g}")
    low, high = number_far.bounds(values, ordered)
    settings = {"fill": summary["median"], "value": not constant, "style": style}
    settings |= {"low": low, "high": high}
    action = "kept as missing or not" if constant else "kept unchanged"
    features: tuple[str, ...] = () if constant else (name,)
    others = int(np.count_nonzero(~np.isnan(values) & (values != summary["median"])))
    if 0 < others <= RARE * len(values):
        action = "kept unchanged, and as how rare another value is"
        features, settings["others"] = (name, f"{name} rarity"), others
    found = Plan(name, "number", action, "", features, settings, summary)
    found = with_indicator(found, f"its median, {summary['median']:.6g}", known)
    found = number_far.warned(found, values, ordered)
    repeated = summary["whole"] and len(np.unique(ordered)) <= len(ordered) / 2
    if not (repeated and found.features and _CODE_NAME.search(_words(name))):
        return found
    remedy = f"if these are codes: {read_as(name, 'category')}"
    return said(found, ["looks like codes by its name"], level=1, remedy=remedy)


def _never_finite(name: str, values: Values) -> Plan:
    if np.isnan(values).all():
        return all_missing(name, len(values))
    summary = {"rows": len(values), "missing": float(np.isnan(values).mean())}
    return left_out(name, "ignored", "every value is infinite", summary)


def _summary(
    values: Values, ordered: Values, *, whole: bool, style: Style
) -> dict[str, Any]:
    whole = whole or bool((ordered == np.floor(ordered)).all())
    missing = float(np.isnan(values).mean())
    summary: dict[str, Any] = {"kind": "number", "rows": len(values)}
    summary |= {"missing": missing, "whole": whole}
    summary |= {key: quantile(ordered, q) for key, q in QUANTILES.items()}
    summary["deciles"] = deciles(ordered)
    unit = style.get("unit", units.base(style["units"]))
    if style.get("duration"):
        return summary | {"unit": "seconds", "lasting": True}
    summary |= {"unit": unit} if unit else {}
    return summary | ({"decimal": style["decimal"]} if units.is_currency(unit) else {})


_CODE_NAME = re.compile(
    r"(^|_)(zip|plz|postcode|postal|code|status|konto|account|kreditor|debitor|sku|ean)"
    r"(_?(code|nr|no|number|id))?$"
)


def _words(name: str) -> str:
    """The words of a name, small and with a line between them."""
    split = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name.strip())
    return re.sub(r"[\W_]+", "_", split).lower()


_ID_NAME = re.compile(
    r"(^|[\s_.-])(id|idx|index|uid|uuid|guid|key|row)$"
    r"|^column_1$|^unnamed|^__index_level_\d+__$"
)


def _row_number(
    name: str, ordered: Values, whole: bool, different: Callable[[], int] | None
) -> str:
    """Why a column without gaps only says which row it is; empty if it does not."""
    n = len(ordered)
    if not whole or n < FEWEST_IDS:
        return ""
    if abs(ordered[0]) > EXACT or abs(ordered[-1]) > EXACT:
        apart = int(np.count_nonzero(ordered[1:] != ordered[:-1])) + 1
        exact = different() if different is not None else apart
        if exact > apart and exact > n / 2:
            return f"{exact:,} different numbers of 16 or more digits in {n:,} rows"
    counts_up = float(ordered[-1]) - float(ordered[0]) == n - 1
    named = _ID_NAME.search(name.strip().lower()) is not None
    if (counts_up or named) and bool((ordered[1:] > ordered[:-1]).all()):
        return f"{n:,} different whole numbers, one for each row"
    return ""


# ------------------------------------------------------- encode, chart and usual


def encode(plan: Plan, array: pa.Array, first_row: int) -> list[Values]:
    """The numbers and the mark for missing cells.

    Raises
    ------
    DataError
        A cell is not a number, and training rows had no such cell.
    """
    family = family_of(array.type)
    if family == "text":
        values, unread = parse(array, _style_of(plan, array))
        if unread.any() and not plan.settings["tolerant"]:
            raise _not_read(plan, array, int(np.argmax(unread)), first_row)
        return filled(plan, values, unread)
    if family in {"number", "boolean", "empty", "duration"}:
        values = _typed(plan, array)
        return filled(plan, values, np.zeros(len(values), bool))
    raise other_type(plan, array)


def _not_read(plan: Plan, array: pa.Array, row: int, first_row: int) -> DataError:
    """The error for a cell that is no number, or one in another unit."""
    cells = apart(array.slice(row, 1))
    if not readings(cells).either[0]:
        return bad_cell(plan, array, row, first_row)
    known = [unit for unit in plan.settings.get("style", PLAIN)["units"] if unit]
    unit = str(cells.unit[0])
    held = f"numbers in {' or '.join(map(repr, known))}" if known else "plain numbers"
    if unit:
        remedy = f"take {unit!r} off all cells, if these are the units of training"
    else:
        remedy = "add the unit to the cells"
    remedy += ", or convert them first; or fit again on data with these units"
    return bad_cell(plan, array, row, first_row, held=held, remedy=remedy)


def _style_of(plan: Plan, array: pa.Array) -> Style:
    """How text is read; models of format 1 know the range only, and it tells."""
    known = plan.settings.get("style")
    if known is not None:
        return dict(known)
    if not pc.any(pc.match_substring(array, ",")).as_py():
        return PLAIN
    low, high = plan.summary["min"], plan.summary["max"]

    def away(style: Style) -> float:
        values = parse(array, style)[0]
        values = values[np.isfinite(values)]
        outside = np.abs(values - np.clip(values, low, high))
        return float(np.median(outside)) if len(values) else math.inf

    comma = PLAIN | {"decimal": ","}
    return comma if away(comma) < away(PLAIN) else PLAIN


def _typed(plan: Plan, array: pa.Array) -> Values:
    if "style" in plan.settings:
        return without_absent(numbers(array), plan.settings["style"])
    if pa.types.is_decimal(array.type):  # models of format 1 rounded decimals so
        array = array.cast(pa.float64(), safe=False)
    return numbers(array)


def filled(plan: Plan, values: Values, unread: Mask) -> list[Values]:
    """Values with the fill where they are missing, within bounds, and the marks."""
    settings = plan.settings
    # Models of format 1 have no bounds: infinite cells count as missing there.
    missing = np.isnan(values) if "low" in settings else ~np.isfinite(values)
    found = []
    if settings["value"]:
        if missing.any():
            values = np.where(missing, settings["fill"], values)
        found.append(_within(values, settings))
        if others := settings.get("others"):
            unusual = ~missing & (values != plan.summary["median"])
            found.append(np.where(unusual, bits(plan.summary["rows"], others), 0.0))
    return found + marks(plan, missing, unread)


def _within(values: Values, settings: dict[str, Any]) -> Values:
    if "low" not in settings or not len(values):
        return values
    low, high = settings["low"], settings["high"]
    if values.min() >= low and values.max() <= high:
        return values
    return np.clip(values, low, high)


def chart(plan: Plan, array: pa.Array) -> Values:
    """Numbers in the column's unit, NaN where missing; huge ones at the bounds."""
    family = family_of(array.type)
    if family == "text":
        values = parse(array, _style_of(plan, array))[0]
    elif family in {"number", "boolean", "empty", "duration"}:
        values = without_absent(numbers(array), plan.settings.get("style", PLAIN))
    else:
        return np.full(len(array), np.nan)
    if "low" in plan.settings:
        return np.clip(values, plan.settings["low"], plan.settings["high"])
    return np.where(np.isfinite(values), values, np.nan)


def usual(plan: Plan, value: Any) -> Usual:
    """A number beside the range of the training rows."""
    summary = plan.summary
    style = plan.settings.get("style", PLAIN)
    if isinstance(value, str):
        style = _style_of(plan, pa.array([value]))
    number = _number_of(value, style)
    if number is None:
        return unread_usual(plan, str(value))
    if math.isnan(number):
        return missing_usual(summary)
    others = plan.settings.get("others", 0)
    if not plan.settings.get("value", True) or others:
        return _beside_one(plan, value, number, others)
    spread = (summary["q95"] - summary["q05"]) or (summary["max"] - summary["min"])
    sentence = range_text(summary, median=True)
    if number > summary["max"]:
        highest = _amount(summary["max"], spread, summary)
        sentence += f"; above the highest in training ({highest})"
    elif number < summary["min"]:
        lowest = _amount(summary["min"], spread, summary)
        sentence += f"; below the lowest in training ({lowest})"
    common = summary["q05"] <= number <= summary["q95"]
    return Usual(_shown(value, number, spread), sentence, common)


def range_text(summary: Mapping[str, Any], *, median: bool = False) -> str:
    """Say the usual range of a column of numbers in its unit.

    Parameters
    ----------
    summary : mapping
        As in `TableEncoder.summaries_`.
    median : bool, default=False
        Name the median too; a range of one value is then told as "usually 0".

    Examples
    --------
    >>> flow = {"q05": 3.0, "median": 4.0, "q95": 7.0, "min": 0.0, "max": 9.0}
    >>> range_text(flow), range_text(flow | {"unit": "$"}, median=True)
    ('3 to 7', 'usual $3 to $7, median $4')
    >>> range_text(flow | {"q95": 7e6, "unit": "$", "decimal": "."})
    '$3 to $7,000,000'
    """
    keys = ("q05", "q95", "median")
    width = (summary["q95"] - summary["q05"]) or (summary["max"] - summary["min"])
    texts = [_amount(summary[key], width, summary) for key in keys]
    unit = "" if summary.get("lasting") else summary.get("unit") or ""
    before, after = (unit, "") if unit in _BEFORE else ("", unit)
    after = f" {_SIGNS.get(after, after)}" if after else ""
    low, high, middle = (before + ("0" if text == "-0" else text) for text in texts)
    if low == high:
        return f"usually {low}{after}" if median else f"{low}{after}"
    if not median:
        return f"{low} to {high}{after}"
    return f"usual {low} to {high}, median {middle}{after}"


def _amount(value: float, spread: float, summary: Mapping[str, Any]) -> str:
    """A number; money with marks of thousands, as its decimal mark asks for."""
    if summary.get("lasting"):
        return lasting_text(value, spread)
    text = number_text(value, spread)
    if not (mark := summary.get("decimal")):
        return text
    whole, point, rest = text.partition(".")
    text = re.sub(r"(?<=\d)(?=(?:\d{3})+$)", ",", whole) + point + rest
    return text.translate(str.maketrans(",.", ".,")) if mark == "," else text


def _beside_one(plan: Plan, value: Any, number: float, others: int) -> Usual:
    """A number where all training rows but a few have the same one."""
    summary = plan.summary
    median, rows = number_text(summary["median"]), summary["rows"]
    present = 1 - summary["missing"]
    if not others:
        text = f"has a value; {percent(1 - present)} of training rows have none"
        text = text if number == summary["median"] else f"always {median} in training"
        return Usual(_shown(value, number, 0), text)
    text = f"{median} in {percent(present - others / rows)} of training rows"
    shown_as = _shown(value, number, summary["max"] - summary["min"])
    return Usual(shown_as, text, number == summary["median"])


_SIGNS = {"EUR": "\N{EURO SIGN}"}
_BEFORE = "$\N{POUND SIGN}\N{YEN SIGN}"


def _number_of(value: Any, style: Style) -> float | None:
    """The number in a cell: NaN if it is missing, None if it is something else."""
    if isinstance(value, str):
        values, unread = parse(pa.array([value]), style)
        return None if unread[0] else float(values[0])
    if isinstance(value, timedelta):
        value = value.total_seconds()
    try:
        number = math.nan if value is None else float(value)
    except (TypeError, ValueError):
        return None
    return math.nan if number in style.get("absent", []) else number


def _shown(value: Any, number: float, spread: float) -> str:
    """The cell as in the file, unless a program wrote all its digits."""
    if isinstance(value, str) and (
        len(value.strip()) <= 12 or not _PROGRAM.match(value)
    ):
        return shown(value)
    if isinstance(value, str | float):
        return number_text(number, spread)
    return shown(value)


_PROGRAM = re.compile(r"^\s*-?\d*\.\d+(e[-+]?\d+)?\s*$", re.IGNORECASE)
