"""What a cell looks like: a number, a moment, a unit, or text."""

from __future__ import annotations

import re

__all__ = ["MISSING_WORDS", "VALUES", "is_missing", "is_unit", "kind_of"]

MISSING_WORDS = (
    *("", "?", "NA", "N/A", "n/a", "#N/A", "<NA>", "NaN", "nan", "-NaN", "-nan"),
    *("null", "NULL", "None", "none"),
)
"""Cells that mean "no value" in text files."""

VALUES = ("number", "quantity", "moment")
"""What `kind_of` says of cells that are no names."""

_SIGN = r"[-+\u2212\u2013]?"
_CURRENCIES = (
    "EUR|USD|GBP|CHF|JPY|CNY|RMB|INR|AUD|CAD|NZD|SEK|NOK|DKK|PLN|CZK|HUF|RUB|TRY|"
    "BRL|MXN|ZAR|KRW|SGD|HKD|ILS|RON|BGN|UAH|AED|SAR|THB|IDR"
)
_MONEY = rf"(?:[A-Z]{{0,2}}[$\u20ac\u00a3\u00a5\u20b9]|{_CURRENCIES}|Rs\.?|kr\.?)"
_GAP = r"[ \u00a0\u202f\u2009]?"
_DIGITS = (
    r"(?:\d{1,3}(?:[.,'\u2019 \u00a0\u202f\u2009]\d{3})+(?:[.,]\d+)?"
    r"|\d{1,3}(?:,\d{2})+,\d{3}(?:\.\d+)?|\d+(?:\.|[.,]\d+)?|[.,]\d+)"
    r"(?:[eE][-+]?\d+)?"
)
_NUMBER = re.compile(
    rf"{_SIGN}{_GAP}\(?{_SIGN}{_GAP}(?:{_MONEY}{_GAP})?{_SIGN}{_DIGITS}"
    rf"(?:{_GAP}(?:[%\u2030]|{_MONEY}))?\)?-?"
)
_QUANTITY = re.compile(
    rf"{_SIGN}{_DIGITS}{_GAP}\u00b0?"
    rf"[A-Za-z\u00b5/\u00b2\u00b3\u00c0-\u017f\u0400-\u04ff]{{1,5}}\d?\.?"
)
_CLOCK = r"\d{1,2}:\d{2}(?::\d{2}(?:[.,]\d+)?)?(?:\s?[AaPp]\.?[Mm]\.?)?"
_ZONE = r"(?:\s?(?:Z|UTC|GMT|[-+]\d{2}:?\d{2}))?"
_MONTH = r"[A-Za-z\u00c0-\u017f]{3,9}\.?"
_MOMENT = re.compile(
    rf"(?:[A-Za-z]{{3,9}},?\s)?(?:"
    rf"\d{{4}}[-/]\d{{1,2}}(?:[-/]\d{{1,2}})?|\d{{4}}\.\d{{1,2}}\.\d{{1,2}}"
    rf"|\d{{1,2}}[-/.]\s?(?:\d{{1,2}}|{_MONTH})[-/.]\s?\d{{2,4}}"
    rf"|\d{{1,2}}\.?\s{_MONTH},?\s\d{{4}}|{_MONTH}\s\d{{1,2}},?\s\d{{4}}"
    rf"|\d{{1,2}}[-/]\d{{4}})"
    rf"(?:[T ,:]\s?(?:{_CLOCK}|\d{{1,2}}){_ZONE})?"
    rf"|\[?\d{{1,2}}/[A-Za-z]{{3}}/\d{{4}}:.*"
    rf"|{_CLOCK}{_ZONE}"
)

_MISSING = {word.lower() for word in MISSING_WORDS} | {"-", "--", "n.a.", "k.a."}

_PREFIX = r"(?:da|[yzafpn\u00b5\u03bcumcdhkKMGTP])?"
_BASE = (
    r"(?:mol|cd|Hz|Pa|bar|Ohm|ohm|Wh|VAr|var|VA|eV|Bq|Gy|Sv|lm|lx|cal|bit|Bit|byte|Byte"
    r"|kat|sr|rad|min|sec|hr|psi|[gmsAKNJWCVFSTHBblLth\u03a9\u2126])"
)
_WORDS = (
    "h|hour|day|d|week|month|yr|year|a|Uhr|Std|Sek|Min|Tag|Jahr|deg|degC|degF|F|"
    "rpm|RPM|U/min|ppm|ppb|vol|wt|rh|RH|dB|dBA|dBm|pH|pcs|pc|St|Stk|Stck|in|inch|"
    "ft|feet|yd|mi|mile|mph|kmh|kph|kn|kt|lb|lbs|oz|gal|gpm|cfm|ton|to|ha|acre|"
    "percent|pct|Prozent|count|ct|cnt|ratio|index|px|pixel|unit|mmHg|inHg|mmH2O|"
    "mmWS|atm|Torr|torr|gauss|cP|cSt|kgf|hp|PS|HP|Mio|Tsd|Mrd|tsd|TEUR|kEUR|barg|"
    "bara|psig|psia|Nm|kNm|Ws|kWs|Ah|mAh"
)
_WORD = rf"(?:{_WORDS}|{_CURRENCIES}|\u00b0[CFK]?|[\u2103\u2109])s?"
_FACTOR = rf"(?:{_PREFIX}{_BASE}|{_WORD}|1|10)(?:[\u00b2\u00b3]|(?:\^|\*\*)?[-+]?\d)?"
_UNIT = re.compile(rf"{_FACTOR}(?:[ ]?[/*\u00b7\u22c5.^ ][ ]?\(?{_FACTOR}\)?){{0,3}}")
_BRACKETED = re.compile(r"\[.{0,20}\]|\(.{0,20}\)|<.{1,20}>|in [^\s]{1,12}")
_SIGNS = re.compile(
    r"[%\u2030\u00b0\u00b2\u00b3\u00b5\u03a9\u2126$\u20ac\u00a3\u00a5\u20b9\u2103\u2109]"
)
_PATTERN = re.compile(
    r"[yYmMdDhHsSjJtT]{1,4}(?:[-/.: T]+[yYmMdDhHsSjJtT]{1,4})+|UTC|ISO ?8601|local time"
)
_TYPES = {"text", "string", "str", "char", "name", "id", "code", "date", "datetime"}
_TYPES |= {"time", "timestamp", "int", "integer", "float", "double", "bool", "boolean"}
_TYPES |= {"number", "real", "numeric", "category", "categorical", "nominal"}


def is_missing(cell: str) -> bool:
    """Return whether a cell is empty, or a word or sign for a missing value."""
    return cell.strip().lower() in _MISSING


def kind_of(cell: str) -> str:
    """Return what a cell looks like: one of `VALUES`, "text", or "" if missing.

    Examples
    --------
    >>> [kind_of(c) for c in ("1.234,50", "$ 5", "5 kg", "3/1/2024", "north", "n/a")]
    ['number', 'number', 'quantity', 'moment', 'text', '']
    """
    cell = cell.strip()
    if is_missing(cell):
        return ""
    if len(cell) > 40 or not any(map(str.isdigit, cell)):
        return "text"
    if _MOMENT.fullmatch(cell):
        return "moment"
    if _NUMBER.fullmatch(cell):
        return "number"
    return "quantity" if _QUANTITY.fullmatch(cell) else "text"


def is_unit(cell: str) -> bool:
    """Return whether a cell names a unit: EUR, [bar], °C, (m/s), kg/m3, percent.

    Examples
    --------
    >>> [is_unit(cell) for cell in ("bar", "[-]", "kWh", "l/min", "offline", "error")]
    [True, True, True, True, False, False]
    """
    cell = cell.strip()
    if not cell or len(cell) > 22:
        return False
    if _BRACKETED.fullmatch(cell) or cell.upper() in _CURRENCIES.split("|"):
        return True
    if kind_of(cell) in ("number", "moment"):
        return False
    if _SIGNS.search(cell) or cell.lower() in _TYPES or _PATTERN.fullmatch(cell):
        return True
    return _UNIT.fullmatch(cell) is not None
