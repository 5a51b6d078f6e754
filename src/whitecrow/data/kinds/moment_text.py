"""Dates and times of day in text, in every usual form, as microseconds."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from whitecrow.data.kinds.moment_tidy import month_of, tidy
from whitecrow.data.kinds.text import as_mask, cast, matches, matching, to_numbers

__all__ = ["DAY", "SECOND", "are_dates", "from_digits", "iso", "put_together", "read"]
__all__ += ["read_clock", "split"]

Values = NDArray[np.float64]
Micros = NDArray[np.int64]
Mask = NDArray[np.bool_]
Ints = NDArray[np.int64]

DAY = 86_400_000_000  # microseconds
SECOND = 1_000_000


# ------------------------------------------------------------------------- forms

_ZONE = r"(?:z|[a-z]{3,4})?(?:[-+]\d{2}(?::?\d{2})?)?"
_TIME = (
    r"(?P<h>\d{1,2})(?:[:h](?P<i>\d{2})(?::(?P<s>\d{2})(?:[.,](?P<f>\d{1,9}))?)?)?"
    r" *(?P<ap>[ap]\.? ?m\.?)? *(?:uhr)? *(?P<z>" + _ZONE + r")(?: \([^)]*\))?"
)
_THEN = r"(?:(?:t|[ :,]+|,? +(?:at|um|a|à|-) +)" + _TIME + r")?$"
_MONTH = r"(?P<mon>[a-zà-žа-ё]{3,12})\.?"
_YEAR = r"(?P<y>(?:19|20)\d{2})"
_FORMS = (
    # 2024-01-05, 05.01.2024, 1/5/24: the order of the column decides.
    r"^(?P<a>\d{1,4})(?P<p>[-/.]) ?(?P<b>\d{1,2})(?P<q>[-/.]) ?(?P<c>\d{1,4})\.?"
    + _THEN,
    # 2024-01, 2024M01, 01/2024, 01.2024
    r"^(?P<y>\d{4})(?:[-/]|-?m)(?P<m>\d{1,2})$",
    r"^(?P<m>\d{1,2})[-/](?P<y>\d{4})$",
    r"^(?P<m>0[1-9]|1[0-2])\." + _YEAR + "$",
    # 2024-Q1, Q1 2024, 2024-W05, 2024-W05-3, KW 17/2024
    r"^" + _YEAR + r"[- /]?q(?P<quarter>[1-4])$",
    r"^q(?P<quarter>[1-4])[- /]*" + _YEAR + "$",
    r"^" + _YEAR + r"[- /]?(?:w|kw|cw)(?P<week>\d{1,2})$",
    r"^" + _YEAR + r"-?w(?P<week>\d{2})-?(?P<weekday>[1-7])$",
    r"^(?:w|kw|cw|week) ?(?P<week>\d{1,2})[- /,.]+" + _YEAR + "$",
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
    fast = iso(levels)
    if fast is not None:
        return fast.to_numpy(zero_copy_only=False), np.ones(len(levels), bool)
    return put_together(split(levels), len(levels), order)


def split(levels: pa.Array) -> Parts:
    """Take each text apart by the form that it has; no text has two."""
    text = tidy(levels)
    first = text.slice(0, 64)
    hits = [matches(first, form).sum() for form in _FORMS]
    parts: Parts = []
    todo = np.arange(len(levels))
    for place in np.argsort(np.negative(hits), kind="stable"):
        if not len(todo):
            break
        some = text if len(todo) == len(text) else text.take(pa.array(todo))
        matched, fields = matching(some, _FORMS[place])
        if matched.any():
            parts.append((todo[matched], fields))
            todo = todo[~matched]
    return parts


def put_together(parts: Parts, n: int, order: str) -> tuple[Micros, Mask]:
    """Read n texts that were taken apart, in this order of day and month."""
    micros, right = np.zeros(n, np.int64), np.zeros(n, bool)
    for places, fields in parts:
        micros[places], right[places] = _moments(fields, order)
    return micros, right


def iso(levels: pa.Array) -> pa.Array | None:
    """Give microseconds of all texts at once, if all have the ISO form."""
    for kind in (pa.timestamp("us"), pa.timestamp("us", "UTC")):
        found = cast(levels, kind)  # with and without a zone
        if found is not None:
            return found.cast(pa.int64())
    return None


def _moments(fields: pa.Array, order: str) -> tuple[Micros, Mask]:
    names = {field.name for field in fields.type}
    if "a" in names:
        year, month, day, right = _ordered(fields, order)
    else:
        year, right = _years(fields, "y"), np.ones(len(fields), bool)
        month = _whole(fields, "m", 1) if "m" in names else np.ones_like(year)
        if "mon" in names:
            month = _mapped(fields, "mon", month_of)
        if "quarter" in names:
            month = 3 * _whole(fields, "quarter") - 2
        day = _whole(fields, "d", 1) if "d" in names else np.ones_like(year)
    micros, possible = _assembled(year, month, day)
    if "week" in names:
        micros, possible = _mondays(micros, _whole(fields, "week"))
    if "weekday" in names:
        micros = micros + (_whole(fields, "weekday") - 1) * DAY
    if "h" in names:
        clock, fine = _time_of(fields)
        micros, possible = micros + clock, possible & fine
    return micros, right & possible


def _whole(fields: pa.Array, name: str, default: int = 0) -> Ints:
    return to_numbers(pc.struct_field(fields, name), pa.int64(), default)


def _years(fields: pa.Array, name: str) -> Ints:
    """Years; those of two digits are 1970 to 2069."""
    year = _whole(fields, name)
    short = as_mask(pc.less(pc.utf8_length(pc.struct_field(fields, name)), 3))
    return np.where(short, year + np.where(year < 70, 2000, 1900), year)


def _mapped(fields: pa.Array, name: str, meaning: Callable[[str], int]) -> Ints:
    """What a function says of each different text of a field."""
    coded = pc.struct_field(fields, name).fill_null("").dictionary_encode()
    values = np.array([meaning(one) for one in coded.dictionary.to_pylist()], np.int64)
    return values[coded.indices.to_numpy(zero_copy_only=False)]


def _ordered(fields: pa.Array, order: str) -> tuple[Ints, Ints, Ints, Mask]:
    """Year, month and day of three groups of digits."""
    first, second, third = (_whole(fields, name) for name in "abc")
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


def _assembled(year: Ints, month: Ints, day: Ints) -> tuple[Micros, Mask]:
    """Days of the calendar as microseconds, and which exist."""
    fine = (month >= 1) & (month <= 12) & (day >= 1) & (year >= 1) & (year <= 9999)
    months = np.where(fine, (year - 1970) * 12 + month - 1, 0).astype("datetime64[M]")
    first = months.astype("datetime64[D]").astype(np.int64)
    following = (months + 1).astype("datetime64[D]").astype(np.int64)
    fine &= first + day - 1 < following
    return np.where(fine, (first + day - 1) * DAY, 0), fine


def _mondays(years: Micros, week: Ints) -> tuple[Micros, Mask]:
    """First days of the weeks of years (ISO: the first has the fourth of January)."""
    fourth = years // DAY + 3
    monday = fourth - (fourth + 3) % 7 + 7 * (week - 1)
    thursday = (monday + 3).astype("datetime64[D]").astype("datetime64[Y]")
    year = (years // DAY).astype("datetime64[D]").astype("datetime64[Y]")
    return monday * DAY, (week >= 1) & (thursday == year)


def _time_of(fields: pa.Array, *, wall: bool = False) -> tuple[Micros, Mask]:
    """Times of day, on the wall or in Greenwich, and which exist."""
    names = {field.name for field in fields.type}
    hour, minute, second = (_whole(fields, name) for name in "his")
    fine = (hour <= 23) & (minute <= 59) & (second <= 59)
    fine |= (hour == 24) & (minute == 0) & (second == 0)
    if "ap" in names:
        half = _mapped(fields, "ap", lambda text: {"a": 0, "p": 12}.get(text[:1], -1))
        fine &= (half < 0) | ((hour >= 1) & (hour <= 12))
        hour = np.where(half < 0, hour, hour % 12 + half)
    micros = (hour * 3600 + minute * 60 + second) * SECOND
    if "f" in names:
        micros = micros + _mapped(fields, "f", lambda text: int((text + "0" * 6)[:6]))
    if "z" in names:
        offset = _mapped(fields, "z", _offset)
        fine &= np.abs(offset) <= 15 * 3600
        micros = micros if wall else micros - offset * SECOND
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


def read_clock(levels: pa.Array, *, wall: bool = True) -> tuple[Micros, Mask]:
    """Different texts as microseconds since midnight, and which are times of day.

    Parameters
    ----------
    levels : pyarrow.Array of text
    wall : bool
        Offsets do not count, and 24:00 is midnight; models of before did otherwise.
    """
    matched, fields = matching(tidy(levels), _CLOCK)
    micros, right = np.zeros(len(levels), np.int64), matched.copy()
    if matched.any():
        found, fine = _time_of(fields, wall=wall)
        bare = [as_mask(pc.equal(pc.struct_field(fields, n), "")) for n in ("i", "ap")]
        # A bare number is no time of day.
        fine &= ~(bare[0] & bare[1]) & (found < DAY + wall) & (found >= 0)
        micros[matched], right[matched] = found % DAY, fine
    return micros, right


# ----------------------------------------------------- numbers without marks


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
    return micros + (hour * 3600 + minute * 60 + second) * SECOND, right


def _clock_digits(digits: Ints) -> int:
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
