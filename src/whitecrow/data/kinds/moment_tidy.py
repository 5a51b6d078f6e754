"""Texts of moments in one spelling: marks, words for half days, names of months."""

from __future__ import annotations

import unicodedata
from functools import lru_cache

import pyarrow as pa
import pyarrow.compute as pc

__all__ = ["month_of", "tidy"]

_ALIKE = dict.fromkeys("\u00a0\u202f\u2009", " ") | {"\u0131": "i"}
# Year, month, day, hour, minute and second in China, Japan and Korea.
_ALIKE |= dict.fromkeys("年月년월", "-") | dict.fromkeys("日일", " ")
_ALIKE |= dict.fromkeys("时時시分분", ":") | dict.fromkeys("秒초", "")
_CLOCK = r"(\d{1,2}(?::\d{2}){1,2})"
_EASTERN = (
    (r": +", ":"),
    (r":(\d)(:|$)", r":0\1\2"),
    (r":$", ""),
    (r"(?:上午|午前|오전) ?" + _CLOCK, r"\1 am"),
    (r"(?:下午|午後|오후) ?" + _CLOCK, r"\1 pm"),
    (r"- +(\d)", r"-\1"),
)
_POINTS = (  # a time with points behind a date or before "Uhr", a zone by its place
    (r"^(\d{1,2})\.(\d{2}) *uhr$", r"\1:\2"),
    (r"^(\d{1,2}) *uhr$", r"\1:00"),
    (r"^(.*\d{2}),? +(\d{1,2})\.(\d{2})\.(\d{2})(\D|$)", r"\1 \2:\3:\4\5"),
    (r"^(.*\d{2}),? +(\d{1,2})\.(\d{2})([^\d.]|$)", r"\1 \2:\3\4"),
    (r"\[[a-z_/]+\]?$", ""),
)
_WEEKDAY = (
    r"^(?:(?:mon|tues?|wed(?:nes)?|thu(?:rs)?|fri|sat(?:ur)?|sun)(?:day)?|"
    r"(?:mon|diens|donners|frei|sams|sonn)tag|mittwoch|sonnabend|mo|di|mi|do|fr|sa|so|"
    r"lundi|mardi|mercredi|jeudi|vendredi|samedi|dimanche|lunes|martes|miércoles|"
    r"jueves|viernes|sábado|domingo)\.?,? +"
)


def tidy(levels: pa.Array) -> pa.Array:
    """Tidy texts: lower case, no brackets, no day of the week, marks as in Europe.

    Examples
    --------
    >>> cells = ["\u4e0a\u534807:24", "Fri, 25.06.2024 18.48", "03.12 Uhr"]
    >>> tidy(pa.array(cells)).to_pylist()
    ['07:24 am', '25.06.2024 18:48', '03:12']
    """
    text = pc.utf8_lower(levels)
    if pc.all(pc.string_is_ascii(text)).as_py() is False:
        eastern = pc.any(pc.match_substring_regex(text, r"\p{Han}|\p{Hangul}")).as_py()
        for old, new in _ALIKE.items():
            text = pc.replace_substring(text, old, new)
        text = _replaced(text, _EASTERN) if eastern else text
    text = pc.utf8_trim(text, "[] '\"")
    if pc.any(pc.match_substring_regex(text, r"^\p{L}")).as_py():
        text = pc.replace_substring_regex(text, _WEEKDAY, "", max_replacements=1)
    if pc.any(pc.match_substring_regex(text, r" \d{1,2}\.\d|uhr|\[")).as_py():
        text = _replaced(text, _POINTS)
    return text


def _replaced(text: pa.Array, rules: tuple[tuple[str, str], ...]) -> pa.Array:
    for form, new in rules:
        text = pc.replace_substring_regex(text, form, new)
    return text


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
_MORE = """
stycznia lutego marca kwietnia maja czerwca lipca sierpnia września października
listopada grudnia styczeń luty marzec kwiecień maj czerwiec lipiec sierpień wrzesień
październik listopad grudzień января февраля марта апреля мая июня июля августа сентября
октября ноября декабря январь февраль март апрель май июнь июль август сентябрь октябрь
ноябрь декабрь
ocak şubat mart nisan mayis haziran temmuz ağustos eylül ekim kasim aralik
ledna února března dubna května června července srpna září října listopadu prosince
leden únor březen duben květen červen červenec srpen září říjen listopad prosinec
tammikuuta helmikuuta maaliskuuta huhtikuuta toukokuuta kesäkuuta heinäkuuta elokuuta
syyskuuta lokakuuta marraskuuta joulukuuta januari februari mars april maj juni juli
augusti september oktober november december januar februar marts april maj juni juli
august september oktober november december januari februari maret april mei juni juli
agustus september oktober november desember
"""
"""Polish, Russian, Turkish, Czech, Finnish, Swedish, Danish, Indonesian."""


@lru_cache(maxsize=4096)
def month_of(name: str) -> int:
    """Find a month by its name, or the start of it, in fifteen languages; 0 if none.

    Examples
    --------
    >>> month_of("oct"), month_of("März".lower()), month_of("avr"), month_of("mrz")
    (10, 3, 4, 3)
    """
    if name in {"mrz", "mr"}:
        return 3
    bare = _without_accents(name)
    for names in (_NAMES, _MORE):
        found = {
            index % 12 + 1
            for index, full in enumerate(names.split())
            if _without_accents(full).startswith(bare)
        }
        if len(found) == 1 and len(bare) >= 3:
            return found.pop()
    return 0


def _without_accents(name: str) -> str:
    split = unicodedata.normalize("NFKD", name.lower())
    return "".join(letter for letter in split if not unicodedata.combining(letter))
