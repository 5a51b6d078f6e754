"""Durations written with colons, words or in ISO form, as seconds."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from whitecrow.data.kinds.reading import Reading, judge
from whitecrow.data.kinds.text import (
    Text,
    as_mask,
    matches,
    matching,
    sample,
    to_numbers,
)

__all__ = ["find", "named", "read"]

Values = NDArray[np.float64]
Mask = NDArray[np.bool_]

_COLONS = (
    r"^(?P<sign>[-+]?)(?:(?P<d>\d+) ?(?:days?|d|tage?)?,? ?(?P<again>[-+]?))??"
    r"(?P<a>\d+):(?P<b>\d{2})(?::(?P<c>\d{2}))?(?P<f>[.,]\d{1,9})?$"
)
_UNITS = {
    word: seconds
    for seconds, words in {
        604800.0: "w wk wks week weeks woche wochen semaine semaines semana semanas "
        "settimana settimane weken",
        86400.0: "d day days tag tage tagen jour jours d\u00eda d\u00edas dia dias "
        "giorno giorni dag dagen",
        3600.0: "h hr hrs hour hours std stunde stunden heure heures hora horas ora "
        "ore uur uren",
        60.0: "m min mins minute minutes minuten minuto minutos minuti minuut",
        1.0: "s sec secs second seconds sek sekunde sekunden seconde secondes "
        "seconden segundo segundos secondo secondi",
        1e-3: "ms",
    }.items()
    for word in words.split()
}
"""Seconds of each word in seven languages."""
_WORD = "|".join(sorted(_UNITS, key=len, reverse=True))
_PART = rf"\d+(?:[.,]\d+)? ?(?:{_WORD})\.?"
_AND = r",? ?(?:(?:and|und|et|y|e|en) )?"
_WORDS = rf"^(?P<sign>[-+]?)(?P<parts>{_PART}(?:{_AND}{_PART})*(?:\d{{1,2}})?)$"
_NUMBER = r"\d+(?:[.,]\d+)?"
_ISO = rf"^(?P<sign>[-+]?)p(?P<parts>(?:{_NUMBER}[wd])*(?:t(?:{_NUMBER}[hms])*)?)$"
_EACH = re.compile(r"(\d+(?:[.,]\d+)?) ?([a-z\u00ed]*)")
_NAMED = re.compile(
    r"duration|elapsed|dauer|laufzeit|runtime|run_time|lap|dur\u00e9e|duree|"
    r"time_taken|uptime|downtime|age\b",
    re.IGNORECASE,
)


def named(column: str) -> bool:
    """Tell whether the name of a column says that it holds durations."""
    return _NAMED.search(column) is not None


def read(levels: pa.Array, style: dict[str, Any]) -> tuple[Values, Mask]:
    """Read distinct texts as seconds, and tell which of them are durations.

    Parameters
    ----------
    levels : pyarrow.Array of text
    style : dict
        `two_parts` says what 12:34 is: "hours" (and minutes) or "minutes".
    """
    text = pc.replace_substring(pc.utf8_lower(levels), "\u2212", "-")
    values = np.full(len(levels), np.nan)
    matched, fields = matching(text, _COLONS)
    if matched.any():
        values[matched] = _of_colons(fields, style.get("two_parts", "hours"))
    rest = np.flatnonzero(~matched)
    for pattern in (_WORDS, _ISO):
        hit, fields = matching(text.take(pa.array(rest)), pattern)
        if hit.any():
            values[rest[hit]] = _of_words(fields)
            rest = rest[~hit]
    return values, ~np.isnan(values)


def _of_colons(fields: pa.Array, two_parts: str) -> Values:
    fraction = pc.replace_substring(pc.struct_field(fields, "f"), ",", ".")
    texts = [*(pc.struct_field(fields, name) for name in "dabc"), fraction]
    days, first, second, third, part = (to_numbers(t, pa.float64(), 0) for t in texts)
    minutes = as_mask(pc.equal(pc.struct_field(fields, "c"), ""))
    # With a fraction the last of two parts is seconds, whatever the column has.
    fractional = as_mask(pc.not_equal(fraction, ""))
    short = minutes & ((two_parts == "minutes") | fractional)
    seconds = np.where(short, first * 60 + second, first * 3600 + second * 60 + third)
    minus = as_mask(pc.equal(pc.struct_field(fields, "sign"), "-"))
    again = as_mask(pc.equal(pc.struct_field(fields, "again"), "-"))
    fine = (second < 60) & (third < 60)
    clock = np.where(again, -1, 1) * (seconds + part)
    # Python writes minus one second as "-1 day, 23:59:59": only days are negative.
    has_days = as_mask(pc.not_equal(pc.struct_field(fields, "d"), ""))
    sign = np.where(minus, -1, 1)
    value = np.where(has_days, sign * days * 86400 + clock, sign * clock)
    return np.where(fine, value, np.nan)


def _of_words(fields: pa.Array) -> Values:
    minus = as_mask(pc.equal(pc.struct_field(fields, "sign"), "-"))
    parts = pc.struct_field(fields, "parts").to_pylist()
    seconds = [_seconds(one.replace("dt", "d")) for one in parts]
    return np.where(minus, -1, 1) * np.array(seconds)


def _seconds(parts: str) -> float:
    """Add up parts such as "2h 15m"; digits at the end are of the next unit."""
    total, last = 0.0, 1.0
    found = _EACH.findall(parts)
    for digits, word in found:
        last = _UNITS[word] if word else last / 60
        total += float(digits.replace(",", ".")) * last
    return total if found else float("nan")


def find(text: Text) -> Reading | None:
    """Read a text column as durations; None if it has none.

    Parameters
    ----------
    text : Text
        The different cells of the column.
    """
    tried = sample(text)
    if tried is not text.levels and read(tried, {})[1].mean() < 0.25:
        return None
    three = matches(text.levels, r"\d:\d{1,2}:\d").any()
    style: dict[str, Any] = {"decimal": ".", "units": {"": 1.0}, "duration": True}
    style["two_parts"] = "minutes" if three else "hours"
    seconds, right = read(text.levels, style)
    if not right.any():
        return None
    verdict = judge(text, right & ~text.absent(), "durations")
    if verdict.words:
        style["words"] = list(verdict.words)
    values = text.spread(seconds, np.nan)
    row = int(np.argmax(np.isfinite(values)))
    example = text.levels[int(text.codes[row])].as_py()
    note = f"durations such as {example!r} are read as {values[row]:.12g} seconds"
    return Reading("durations", values, style, verdict, (note,), "clock")
