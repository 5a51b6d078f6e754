"""Dates and times of day, as people write them: parse, plan, encode, chart, usual.

Only the cycles that training rows cover twice are encoded, as waves. Text is read in
every usual form; what a column decides is the *order* of day and month, on all its
cells, and new rows are read in that order.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from whitecrow.data.kinds.plan import (
    QUANTILES,
    Plan,
    Usual,
    all_missing,
    bad_cell,
    deciles,
    left_out,
    other_type,
    read_as,
    said,
    with_indicator,
)
from whitecrow.data.kinds.text import (
    Text,
    Verdict,
    as_mask,
    cast,
    distinct,
    family_of,
    judge,
    numbers,
    sample,
)
from whitecrow.data.kinds.words import is_missing, percent, shown
from whitecrow.errors import DataError

__all__ = ["Found", "chart", "encode", "find", "find_clock", "instants", "parse"]
__all__ += ["from_digits", "plan", "usual"]

Values = NDArray[np.float64]
Micros = NDArray[np.int64]
Mask = NDArray[np.bool_]

ORDERS = {"dmy": "day-first", "mdy": "month-first", "ymd": "year-first"}
_DAY = 86_400_000_000  # microseconds
_SECOND = 1_000_000


# ----------------------------------------------------------------- typed columns


def instants(name: str, array: pa.Array) -> pa.Array:
    """Date, timestamp and time columns as int64 microseconds, null where missing.

    Raises
    ------
    DataError
        A date that microseconds cannot express (beyond the year 294,000).
    """
    kind = array.type
    if family_of(kind) == "clock":
        target = pa.time64("us")
    else:
        target = pa.timestamp("us", "UTC" if getattr(kind, "tz", None) else None)
    options = pc.CastOptions(target_type=target, allow_time_truncate=True)
    try:
        return pc.cast(array, options=options).cast(pa.int64())
    except pa.ArrowInvalid as error:
        raise DataError(
            f"column {name!r} holds a date out of range ({' '.join(str(error).split())}"
            "); correct the cell or leave it empty"
        ) from error


def without_absent(name: str, array: pa.Array, words: Iterable[str]) -> pa.Array:
    """Dates of which some mean "no value", as asked for."""
    wanted, right = read(pa.array(list(words), pa.string()), "")
    known = pc.is_in(instants(name, array), value_set=pa.array(wanted[right]))
    return pc.if_else(known, pa.scalar(None, array.type), array)


def from_digits(values: Values) -> tuple[Micros, Mask]:
    """Whole numbers such as 20240105 or 20240105101500 as microseconds.

    Examples
    --------
    >>> micros, right = from_digits(np.array([20240105.0, 20241305.0]))
    >>> micros[:1].astype("datetime64[us]").astype("datetime64[D]"), right
    (array(['2024-01-05'], dtype='datetime64[D]'), array([ True, False]))
    """
    fine = np.isfinite(values) & (values == np.floor(values)) & (np.abs(values) < 1e15)
    digits = np.where(fine, values, 0).astype(np.int64)
    width = _clock_digits(digits[fine])
    clock = digits % 10**width * (100 if width == 4 else 1)
    digits = digits // 10**width
    year, month, day = digits // 10_000, digits // 100 % 100, digits % 100
    hour, minute, second = clock // 10_000, clock // 100 % 100, clock % 100
    micros, right = _assembled(year, month, day)
    right &= fine & (year >= 1900) & (year < 2100)
    right &= (hour < 24) & (minute < 60) & (second < 60)
    return micros + (hour * 3600 + minute * 60 + second) * _SECOND, right


def _clock_digits(digits: NDArray[np.int64]) -> int:
    """How many digits after those of the day say the time: 0, 4 or 6."""
    for width in (4, 6):
        fewest = 10 ** (7 + width)
        if len(digits) and digits.min() >= fewest and digits.max() < 10 * fewest:
            return width
    return 0


def are_dates(values: Values) -> bool:
    """Whether whole numbers can only be dates written without marks."""
    finite = values[~np.isnan(values)]
    if len(finite) == 0 or finite.min() < 19_000_101:
        return False
    if not 8 <= len(f"{finite.max():.0f}") <= 14:
        return False
    right = from_digits(finite)[1]
    return bool(right.all()) and len(np.unique(finite[:10_000])) >= 3


# ------------------------------------------------------------------ text: parsing

_ZONE = r"(?:z|[a-z]{3,4})?(?:[-+]\d{2}(?::?\d{2})?)?"
_TIME = (
    r"(?P<h>\d{1,2})(?:[:h](?P<i>\d{2})(?::(?P<s>\d{2})(?:[.,](?P<f>\d{1,9}))?)?)?"
    r" *(?P<ap>[ap]\.?m\.?)? *(?:uhr)? *(?P<z>" + _ZONE + r")(?: \([^)]*\))?"
)
_THEN = r"(?:(?:t|[ :,]+|,? +(?:at|um|a|à|-) +)" + _TIME + r")?$"
_MONTH = r"(?P<mon>[a-zà-ÿ]{3,10})\.?"
_FORMS = (
    # 2024-01-05, 05.01.2024, 1/5/24: the order of the column decides.
    r"^(?P<a>\d{1,4})(?P<p>[-/.])(?P<b>\d{1,2})(?P<q>[-/.])(?P<c>\d{1,4})" + _THEN,
    # 2024-01, 01/2024
    r"^(?P<y>\d{4})[-/](?P<m>\d{1,2})$",
    r"^(?P<m>\d{1,2})[-/](?P<y>\d{4})$",
    # 20240105, 20240105T101500, 20240105 10:15
    r"^(?P<y>\d{4})(?P<m>\d{2})(?P<d>\d{2})" + _THEN,
    r"^(?P<y>\d{4})(?P<m>\d{2})(?P<d>\d{2})(?:t| )?(?P<h>\d{2})(?P<i>\d{2})"
    r"(?P<s>\d{2})?(?:[.,](?P<f>\d{1,9}))? *(?P<z>" + _ZONE + ")$",
    # 5 Jan 2024, 05-JAN-24, 5. Januar 2024, 10/Oct/2000:13:55:36 -0700
    r"^(?P<d>\d{1,2})(?:st|nd|rd|th|er|\.|º)?[-/ ]*(?:de |of )? *"
    + _MONTH
    + r"[-/, ]*(?:de |del )? *(?P<y>\d{4}|\d{2})"
    + _THEN,
    # Jan 5, 2024
    r"^"
    + _MONTH
    + r"[-/ ]+(?P<d>\d{1,2})(?:st|nd|rd|th)?(?:, *|[-/ ]+)(?P<y>\d{4})"
    + _THEN,
    # Jan 5 10:00:00 2021, as programs in C write it
    r"^" + _MONTH + r" +(?P<d>\d{1,2}) +(?P<h>\d{1,2}):(?P<i>\d{2}):(?P<s>\d{2})"
    r" +(?:[a-z]{3,4} +)?(?P<y>\d{4})$",
    # 2024-Jan-05
    r"^(?P<y>\d{4})[-/ .]" + _MONTH + r"[-/ .](?P<d>\d{1,2})" + _THEN,
    # January 2024, Jan-24
    r"^" + _MONTH + r"[- /,]+(?:de )?(?P<y>\d{4})$",
    r"^" + _MONTH + r"-(?P<y>\d{2})$",
)
_CLOCK = r"^" + _TIME + "$"
_WEEKDAY = (
    r"^(?:(?:mon|tues?|wed(?:nes)?|thu(?:rs)?|fri|sat(?:ur)?|sun)(?:day)?|"
    r"(?:mon|diens|donners|frei|sams|sonn)tag|mittwoch|sonnabend|mo|di|mi|do|fr|sa|so|"
    r"lundi|mardi|mercredi|jeudi|vendredi|samedi|dimanche|lunes|martes|miércoles|"
    r"jueves|viernes|sábado|domingo)\.?,? +"
)
_NAMES = """
january february march april may june july august september october november december
januar februar märz april mai juni juli august september oktober november dezember
janvier février mars avril mai juin juillet août septembre octobre novembre décembre
enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre
gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre novembre
dicembre januari februari maart april mei juni juli augustus september oktober november
december janeiro fevereiro março abril maio junho julho agosto setembro outubro novembro
dezembro
"""


@lru_cache(maxsize=4096)
def month_of(name: str) -> int:
    """The month of a name or its beginning in seven languages; 0 if there is none.

    Examples
    --------
    >>> month_of("oct"), month_of("März".lower()), month_of("avr"), month_of("mrz")
    (10, 3, 4, 3)
    """
    if name in {"mrz", "mr"}:
        return 3
    bare = _without_accents(name)
    found = {
        index % 12 + 1
        for index, full in enumerate(_NAMES.split())
        if _without_accents(full).startswith(bare)
    }
    return found.pop() if len(found) == 1 and len(bare) >= 3 else 0


def _without_accents(name: str) -> str:
    split = unicodedata.normalize("NFKD", name.lower())
    return "".join(letter for letter in split if not unicodedata.combining(letter))


Parts = list[tuple[NDArray[np.intp], pa.Array]]  # where, and the parts of the texts


def read(levels: pa.Array, order: str) -> tuple[Micros, Mask]:
    """Different texts as microseconds, and which of them are dates.

    Parameters
    ----------
    levels : pyarrow.Array of text
        Without surrounding blanks.
    order : {"", "dmy", "mdy", "ymd"}
        Of day and month in dates of digits; "" goes by the mark between them: month
        first with a slash, day first otherwise.
    """
    fast = _iso(levels)
    if fast is not None:
        return fast.to_numpy(zero_copy_only=False), np.ones(len(levels), bool)
    return _put_together(_split(levels), len(levels), order)


def _split(levels: pa.Array) -> Parts:
    """The parts of each text, by the form that it has; no text has two."""
    text = _tidy(levels)
    first = text.slice(0, 64)
    hits = [
        int(pc.sum(pc.match_substring_regex(first, form)).as_py() or 0)
        for form in _FORMS
    ]
    parts: Parts = []
    todo = np.arange(len(levels))
    for place in np.argsort([-hit for hit in hits], kind="stable"):
        if not len(todo):
            break
        some = text if len(todo) == len(text) else text.take(pa.array(todo))
        fields = pc.extract_regex(some, _FORMS[place])
        matched = np.asarray(fields.is_valid().to_numpy(zero_copy_only=False), bool)
        if matched.any():
            parts.append((todo[matched], fields.filter(pa.array(matched))))
            todo = todo[~matched]
    return parts


def _put_together(parts: Parts, n: int, order: str) -> tuple[Micros, Mask]:
    micros, right = np.zeros(n, np.int64), np.zeros(n, bool)
    for places, fields in parts:
        micros[places], right[places] = _moments(fields, order)
    return micros, right


def _iso(levels: pa.Array) -> pa.Array | None:
    """Microseconds of all texts at once, if all have the ISO form."""
    for kind in (pa.timestamp("us"), pa.timestamp("us", "UTC")):
        found = cast(levels, kind)  # with and without a zone
        if found is not None:
            return found.cast(pa.int64())
    return None


_ALIKE = {"\u00a0": " ", "\u202f": " ", "\u2009": " "}
_ALIKE |= {"\u5e74": "-", "\u6708": "-", "\u65e5": ""}  # year, month, day in Japan


def _tidy(levels: pa.Array) -> pa.Array:
    """Small letters, no brackets, no day of the week."""
    text = pc.utf8_lower(levels)
    if pc.all(pc.string_is_ascii(text)).as_py() is False:
        for old, new in _ALIKE.items():
            text = pc.replace_substring(text, old, new)
    text = pc.utf8_trim(text, "[] '\"")
    if pc.any(pc.match_substring_regex(text, r"^\p{L}")).as_py():
        text = pc.replace_substring_regex(text, _WEEKDAY, "", max_replacements=1)
    return text


def _moments(fields: pa.Array, order: str) -> tuple[Micros, Mask]:
    names = {field.name for field in fields.type}
    if "a" in names:
        year, month, day, right = _ordered(fields, order)
    else:
        year = _years(fields, "y")
        month = _months(fields) if "mon" in names else _whole(fields, "m", 0)
        day = _whole(fields, "d", 1) if "d" in names else np.ones_like(year)
        right = np.ones(len(year), bool)
    micros, possible = _assembled(year, month, day)
    if "h" in names:
        clock, fine = _time_of(fields)
        micros, possible = micros + clock, possible & fine
    return micros, right & possible


def _whole(fields: pa.Array, name: str, default: int) -> NDArray[np.int64]:
    text = pc.struct_field(fields, name)
    text = pc.if_else(pc.equal(text, ""), None, text)
    return text.cast(pa.int64()).fill_null(default).to_numpy(zero_copy_only=False)


def _years(fields: pa.Array, name: str) -> NDArray[np.int64]:
    """Years; those of two digits are 1970 to 2069."""
    year = _whole(fields, name, 0)
    short = as_mask(pc.less(pc.utf8_length(pc.struct_field(fields, name)), 3))
    return np.where(short, year + np.where(year < 70, 2000, 1900), year)


def _mapped(fields: pa.Array, name: str, meaning: Any) -> NDArray[np.int64]:
    """What a function says of each different text of a field."""
    coded = pc.struct_field(fields, name).fill_null("").dictionary_encode()
    values = np.array([meaning(one) for one in coded.dictionary.to_pylist()], np.int64)
    return values[coded.indices.to_numpy(zero_copy_only=False)]


def _months(fields: pa.Array) -> NDArray[np.int64]:
    return _mapped(fields, "mon", month_of)


def _ordered(
    fields: pa.Array, order: str
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], Mask]:
    """Year, month and day of three groups of digits."""
    first, second, third = (_whole(fields, name, 0) for name in "abc")
    mark = pc.struct_field(fields, "p")
    same = as_mask(pc.equal(mark, pc.struct_field(fields, "q")))
    width_a, width_c = (
        pc.utf8_length(pc.struct_field(fields, name)).to_numpy(zero_copy_only=False)
        for name in "ac"
    )
    long_a, long_c = width_a > 2, width_c > 2
    slash = as_mask(pc.equal(mark, "/"))
    year_first = long_a | (~long_c & (order == "ymd"))
    month_first = slash if order in {"", "ymd"} else np.full(len(first), order == "mdy")
    year = np.where(year_first, _years(fields, "a"), _years(fields, "c"))
    month = np.where(year_first | ~month_first, second, first)
    day = np.where(year_first, third, np.where(month_first, second, first))
    # Years have two digits or four: 1.2.3 is not a date.
    year_width = np.where(year_first, width_a, width_c)
    right = same & ~(long_a & long_c) & ((year_width == 2) | (year_width == 4))
    right &= np.where(year_first, width_c, width_a) <= 2
    return year, month, day, right


def _assembled(
    year: NDArray[np.int64], month: NDArray[np.int64], day: NDArray[np.int64]
) -> tuple[Micros, Mask]:
    """Days of the calendar as microseconds, and which exist."""
    fine = (month >= 1) & (month <= 12) & (day >= 1) & (year >= 1) & (year <= 9999)
    months = np.where(fine, (year - 1970) * 12 + month - 1, 0).astype("datetime64[M]")
    first = months.astype("datetime64[D]").astype(np.int64)
    following = (months + 1).astype("datetime64[D]").astype(np.int64)
    fine &= first + day - 1 < following
    return np.where(fine, (first + day - 1) * _DAY, 0), fine


def _time_of(fields: pa.Array) -> tuple[Micros, Mask]:
    """Times of day with their zone taken off, and which exist."""
    names = {field.name for field in fields.type}
    hour, minute = _whole(fields, "h", 0), _whole(fields, "i", 0)
    second = _whole(fields, "s", 0)
    fine = (hour <= 23) & (minute <= 59) & (second <= 59)
    fine |= (hour == 24) & (minute == 0) & (second == 0)
    if "ap" in names:
        half = _mapped(fields, "ap", lambda text: {"a": 0, "p": 12}.get(text[:1], -1))
        fine &= (half < 0) | ((hour >= 1) & (hour <= 12))
        hour = np.where(half < 0, hour, hour % 12 + half)
    micros = (hour * 3600 + minute * 60 + second) * _SECOND
    if "f" in names:
        micros = micros + _mapped(fields, "f", lambda text: int((text + "0" * 6)[:6]))
    if "z" in names:
        offset = _mapped(fields, "z", _offset)
        fine &= np.abs(offset) <= 15 * 3600
        micros = micros - offset * _SECOND
    return micros, fine


_ZONES = {"": 0, "z": 0, "utc": 0, "gmt": 0, "wet": 0, "west": 1, "bst": 1, "cet": 1}
_ZONES |= {"cest": 2, "mez": 1, "mesz": 2, "eet": 2, "eest": 3, "msk": 3, "jst": 9}
_ZONES |= {"est": -5, "edt": -4, "cst": -6, "cdt": -5, "mst": -7, "mdt": -6}
_ZONES |= {"pst": -8, "pdt": -7}


def _offset(zone: str) -> int:
    """Seconds east of Greenwich; more than a day for a zone that is not known."""
    name = "".join(sign for sign in zone if sign.isalpha())
    digits = "".join(sign for sign in zone if sign.isdigit())
    seconds = int(digits[:2] or 0) * 3600 + int(digits[2:] or 0) * 60
    if name not in _ZONES:
        return 2 * 86400
    return _ZONES[name] * 3600 + (-seconds if "-" in zone else seconds)


def read_clock(levels: pa.Array) -> tuple[Micros, Mask]:
    """Different texts as microseconds since midnight, and which are times of day."""
    text = _tidy(levels)
    fields = pc.extract_regex(text, _CLOCK)
    matched = np.asarray(fields.is_valid().to_numpy(zero_copy_only=False), bool)
    micros, right = np.zeros(len(levels), np.int64), matched.copy()
    some = fields.filter(pa.array(matched))
    if len(some):
        found, fine = _time_of(some)
        empty = [as_mask(pc.equal(pc.struct_field(some, n), "")) for n in ("i", "ap")]
        # A bare number is no time of day; 24:00 is the length of a day.
        fine &= ~(empty[0] & empty[1]) & (found < _DAY) & (found >= 0)
        micros[matched], right[matched] = found, fine
    return micros, right


def parse(array: pa.Array, settings: dict[str, Any]) -> tuple[pa.Array, Mask]:
    """Raw text as microseconds (null where missing), and which cells were not read."""
    clock = settings["clock"]
    if not clock and (fast := _iso(array)) is not None:
        return fast, np.zeros(len(array), bool)
    text = distinct(array)
    micros, right = (
        read_clock(text.levels) if clock else read(text.levels, _order(settings))
    )
    words = pa.array(settings.get("words", []), text.levels.type)
    known = text.absent() | as_mask(pc.is_in(text.levels, value_set=words))
    right &= ~known
    valid = text.spread(right, False)
    cells = pa.array(text.spread(micros, 0), mask=~valid)
    return cells, text.spread(~right & ~known, False)


def _order(settings: dict[str, Any]) -> str:
    return str(settings.get("order", ""))


# --------------------------------------------------------- find: text to an order


@dataclass(frozen=True, eq=False)
class Found:
    """What a text column is if it is read as dates or times of day.

    Attributes
    ----------
    micros : pyarrow.Array of int64
        Null where missing.
    verdict : Verdict
        Whether that fits.
    settings : dict
        How to read it, for `parse`.
    notes : tuple of str
        In which order it was read, where it is not the ISO form.
    doubt : str
        Another order that might be meant; empty if the column tells.
    """

    micros: pa.Array
    verdict: Verdict
    settings: dict[str, Any]
    notes: tuple[str, ...] = ()
    doubt: str = ""


def find(text: Text, order: str = "") -> Found | None:
    """The dates of a text column; None if it hardly has any.

    Parameters
    ----------
    text : Text
        The different cells of the column.
    order : {"", "dmy", "mdy", "ymd"}
        What was asked for; judged on the column by default.
    """
    tried = sample(text)
    if not _digits_and_marks(tried):
        return None
    if tried is not text.levels and not any(
        read(tried, one)[1].mean() > 0.25 for one in ("dmy", "mdy", "ymd")
    ):
        return None
    taken, doubt = (order, "") if order else _choose_order(text)
    micros, right = read(text.levels, taken)
    if not right.any():
        return None
    verdict = judge(text, right, "dates")
    settings = {"clock": False, "order": taken, "words": list(verdict.words)}
    cells = pa.array(text.spread(micros, 0), mask=~text.spread(right, False))
    notes = _order_note(text, micros, right)
    return Found(cells, verdict, settings, notes, doubt)


def find_clock(text: Text) -> Found | None:
    """The times of day of a text column; None if it has none."""
    tried = sample(text)
    if tried is not text.levels and read_clock(tried)[1].mean() < 0.25:
        return None
    micros, right = read_clock(text.levels)
    if not right.any():
        return None
    verdict = judge(text, right, "times of day")
    settings = {"clock": True, "words": list(verdict.words)}
    cells = pa.array(text.spread(micros, 0), mask=~text.spread(right, False))
    return Found(cells, verdict, settings)


def _digits_and_marks(levels: pa.Array) -> bool:
    """Whether many texts have digits, and something between them."""
    return bool(
        as_mask(pc.match_substring_regex(levels, r"\d.*[-/.: ,].*\d|^\d{8}")).mean()
        > 0.25
        or as_mask(pc.match_substring_regex(levels, r"\d\D+\d{2}|\p{L}[- ]\d")).mean()
        > 0.25
    )


def _choose_order(text: Text) -> tuple[str, str]:
    """The order in which most cells are dates, and another one that fits as well."""
    if _iso(text.levels) is not None:
        return "", ""
    parts, n = _split(text.levels), len(text.levels)
    readings = {one: _put_together(parts, n, one) for one in ("dmy", "mdy", "ymd")}
    fits = {one: int(text.counts[right].sum()) for one, (_, right) in readings.items()}
    best = [one for one, count in fits.items() if count == max(fits.values())]
    micros, right = readings[best[0]]
    if all(np.array_equal(micros[right], readings[one][0][right]) for one in best):
        # No cell depends on the order; where several fit, later ones go by their mark.
        return (best[0] if len(best) == 1 else ""), ""
    if len(best) == 1:
        return best[0], ""
    return _in_order(text, best, readings)


def _in_order(
    text: Text, best: list[str], readings: dict[str, tuple[Micros, Mask]]
) -> tuple[str, str]:
    """Of several orders, the one by which rows follow each other more evenly."""
    shape = {one: _evenness(text, *readings[one]) for one in best}
    ordered = max(share for share, _ in shape.values())
    slash = as_mask(pc.match_substring(text.levels, "/")).mean() > 0.5
    wanted = ("mdy", "dmy", "ymd") if slash else ("dmy", "mdy", "ymd")
    best = [one for one in wanted if one in best]
    taken = best[0]
    if ordered >= 0.9:
        rest = [one for one in best if shape[one][0] >= ordered - 0.02]
        even = min(rest, key=lambda one: shape[one][1])
        clearly = shape[even][1] < 0.9 * shape[rest[0]][1]
        taken = even if clearly else rest[0]
        # Years of two digits in front would jump: no doubt where the rows are in order.
        best = [one for one in best if one != "ymd" or shape[one][0] >= ordered - 0.02]
    others = [one for one in best if one != taken]
    return taken, ORDERS[others[0]] if others else ""


def _evenness(text: Text, micros: Micros, right: Mask) -> tuple[float, float]:
    """How much the rows are in order, and how uneven their steps are."""
    cells = text.spread(micros, 0)[text.spread(right, False)]
    steps = np.diff(cells).astype(np.float64)
    if len(steps) == 0:
        return 0.0, 0.0
    ordered = max(float((steps >= 0).mean()), float((steps <= 0).mean()))
    lengths = np.abs(steps)
    middle = float(lengths.mean()) or 1.0
    return ordered, float(lengths.std()) / middle


def _order_note(text: Text, micros: Micros, right: Mask) -> tuple[str, ...]:
    iso = as_mask(pc.match_substring_regex(text.levels, r"^\d{4}-\d{2}-\d{2}([T ]|$)"))
    other = right & ~iso
    if not other.any():
        return ()
    place = int(np.argmax(other))
    example = text.levels[place].as_py()[:40]
    return (f"cells such as {example!r} are read as {_iso_text(int(micros[place]))}",)


# -------------------------------------------------------------------------- plan

_PARTS = ("sine", "cosine")
# A cycle is learnt only if the training rows cover it twice: one afternoon of data
# would make every morning an anomaly.
_CYCLES = {"hour": 2 * _DAY, "weekday": 14 * _DAY, "month": 730 * _DAY}


def plan(
    name: str,
    micros: pa.Array,
    settings: dict[str, Any],
    *,
    notes: Iterable[str] = (),
    level: int = 0,
    remedy: str = "",
    tolerant: bool = False,
) -> Plan:
    """The plan for instants or times of day.

    Parameters
    ----------
    name : str
    micros : pyarrow.Array of int64
        As `instants` and `find` give them.
    settings : dict
        How to read the column; `clock` says whether these are times of day.
    notes, level, remedy
        What was found out about the cells already.
    tolerant : bool
        Some cells were not dates; new ones may follow.
    """
    clock = settings["clock"]
    valid = np.sort(micros.drop_null().to_numpy())
    if len(valid) == 0:
        return all_missing(name, len(micros))
    summary = _summary(micros, valid, clock=clock)
    missing = summary["missing"]
    if valid[0] == valid[-1] and not missing:
        return left_out(name, "constant", f"always {summary['min']}", summary)
    cycles = _cycles(valid, clock=clock)
    features = tuple(f"{name} {cycle} {part}" for cycle in cycles for part in _PARTS)
    fill = [float(wave.mean()) for wave in _waves(valid, cycles)]
    settings = settings | {"cycles": cycles, "fill": fill}
    reasons = [*notes, _why_not(valid, cycles, clock=clock)]
    action = f"kept as the cycle of the {' and the '.join(cycles)} (sine and cosine)"
    if not cycles:
        action = "kept as missing or not" if missing else "left out"
    found = Plan(name, "date", action, "", features, settings, summary)
    mean = "the mean of the cycle"
    found = with_indicator(
        found, mean, [note for note in reasons if note], tolerant=tolerant
    )
    return _warned(replace(found, level=level, remedy=remedy), valid)


_NO_DATES = np.array(
    [
        *("0001-01-01", "1899-12-30", "1899-12-31", "1900-01-01", "1970-01-01"),
        *("2099-12-31", "2999-12-31", "9999-12-31"),
    ],
    "datetime64[us]",
).astype(np.int64)
"""Dates that programs write where there is none."""


def _warned(plan: Plan, valid: Micros) -> Plan:
    """The plan with a loud note about dates that may mean "missing"."""
    for moment in (int(valid[0]), int(valid[-1])):
        rest = valid[valid != moment]
        times = len(valid) - len(rest)
        if times < 2 or not len(rest) or moment // _DAY * _DAY not in _NO_DATES:
            continue
        if np.abs(rest - moment).min() > np.ptp(rest):
            name = _iso_text(moment).removesuffix(" 00:00:00")
            note = f"{name} occurs {times} times, far from all other dates, and may "
            remedy = f"if it does: {read_as(plan.column, f'missing:{name}')}"
            plan = said(plan, [note + "mean missing"], level=2, remedy=remedy)
    return plan


def _summary(micros: pa.Array, valid: Micros, *, clock: bool) -> dict[str, Any]:
    missing = 1 - len(valid) / len(micros)
    summary: dict[str, Any] = {"kind": "date", "rows": len(micros), "missing": missing}
    for key, q in QUANTILES.items():
        moment = int(valid[math.floor(q * (len(valid) - 1))])
        summary[key] = _iso_text(moment, clock=clock)
    summary["deciles"] = deciles(valid / _SECOND)
    summary["clock"] = clock
    steps = np.diff(micros.drop_null().to_numpy())
    ahead, back = (
        float((sign * steps >= 0).mean()) if len(steps) else 0.0 for sign in (1, -1)
    )
    return summary | {"ordered": max(ahead, back)}


def _cycles(valid: Micros, *, clock: bool) -> list[str]:
    span = int(valid[-1]) - int(valid[0])
    found = []
    for cycle, needed in _CYCLES.items():
        phase = _phase(valid, cycle)
        covered = cycle == "hour" if clock else span >= needed
        if covered and phase.min() != phase.max():
            found.append(cycle)
    return found


def _phase(micros: Micros, cycle: str) -> Values:
    """Where in its cycle an instant is, in [0, 1)."""
    if cycle == "hour":
        return (micros % _DAY) / _DAY
    if cycle == "weekday":  # the first of January 1970 was a Thursday
        return ((micros // _DAY + 3) % 7) / 7
    months = micros.astype("datetime64[us]").astype("datetime64[M]").astype(np.int64)
    return (months % 12) / 12


def _waves(micros: Micros, cycles: list[str]) -> list[Values]:
    waves = []
    for cycle in cycles:
        angle = 2 * np.pi * _phase(micros, cycle)
        waves += [np.sin(angle), np.cos(angle)]
    return waves


def _why_not(valid: Micros, cycles: list[str], *, clock: bool) -> str:
    if clock or len(cycles) == len(_CYCLES):
        return ""
    span = timedelta(microseconds=int(valid[-1]) - int(valid[0]))
    days = span / timedelta(days=1)
    shown = f"{days:.3g} days" if days >= 2 else f"{24 * days:.2g} hours"
    left = [cycle for cycle in _CYCLES if cycle not in cycles]
    needs = {"hour": "2 days", "weekday": "2 weeks", "month": "2 years"}
    needed = ", ".join(needs[cycle] for cycle in left)
    return (
        f"the time itself says nothing about later rows, and training rows span {shown}"
        f" while the {', '.join(left)} must vary over {needed}"
    )


def _iso_text(micros: int, *, clock: bool = False) -> str:
    try:
        moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=micros)
    except OverflowError:  # beyond the year 9999
        return str(np.datetime64(micros, "us"))
    moment = moment.replace(tzinfo=None)
    return moment.time().isoformat() if clock else moment.isoformat(" ")


# ------------------------------------------------------- encode, chart and usual


def encode(plan: Plan, array: pa.Array, first_row: int) -> list[Values]:
    """Sine and cosine of each cycle of the plan, and the mark for missing cells.

    Raises
    ------
    DataError
        A cell is not a date (or not a time of day, where the plan is for these).
    """
    parsed, unread = _cells(plan, array)
    if unread.any() and not plan.settings["tolerant"]:
        raise bad_cell(plan, array, int(np.argmax(unread)), first_row)
    valid = parsed.is_valid().to_numpy(zero_copy_only=False)
    waves = _waves(parsed.fill_null(0).to_numpy(), plan.settings["cycles"])
    fills = plan.settings["fill"]
    found = [np.where(valid, w, f) for w, f in zip(waves, fills, strict=True)]
    if plan.settings["indicator"]:
        found.append((~valid).astype(np.float64))
    return found


def _cells(plan: Plan, array: pa.Array) -> tuple[pa.Array, Mask]:
    """Cells of any type as microseconds, and which were not read."""
    clock = plan.settings["clock"]
    family = family_of(array.type)
    nothing = np.zeros(len(array), bool)
    if family == "text":
        return parse(array, plan.settings)
    if family == "empty":
        return array.cast(pa.int64()), nothing
    if family == ("clock" if clock else "date"):
        return instants(plan.column, array), nothing
    if family == "number" and plan.settings.get("digits"):
        values = numbers(array)
        micros, right = from_digits(values)
        return pa.array(micros, mask=~right), ~right & ~np.isnan(values)
    raise other_type(plan, array)


def chart(plan: Plan, array: pa.Array) -> Values:
    """Seconds since 1970, or since midnight; NaN where missing.

    Raises
    ------
    DataError
        The cells are of another type than in training.
    """
    micros, _ = _cells(plan, array)
    valid = micros.is_valid().to_numpy(zero_copy_only=False)
    return np.where(valid, micros.fill_null(0).to_numpy() / _SECOND, np.nan)


def usual(plan: Plan, value: Any) -> Usual:
    """A moment beside the range of the training rows."""
    summary = plan.summary
    if is_missing(value):
        share = summary.get("missing", 0.0)
        known = f"as {percent(share)} of training rows"
        return Usual("missing", known if share else "which no training row was")
    return Usual(
        shown(value), f"training rows from {summary['min']} to {summary['max']}"
    )
