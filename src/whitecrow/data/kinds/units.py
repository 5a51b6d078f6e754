"""What stands around the digits of a number: signs, currencies, units."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple

__all__ = ["NOT_A_NUMBER", "Affix", "affix", "base", "factor", "folded"]
__all__ += ["System", "is_currency", "looks", "seconds", "system"]


class Affix(NamedTuple):
    """What the text before and behind the digits says.

    Attributes
    ----------
    sign : float
        1 or -1; NaN if this is not a number.
    unit : str
        Currency and unit, such as "EUR" or "kg"; empty if there is none.
    lead : str
        A decimal mark that stood before the first digit, as in ".5".
    mark : str
        What is ignored, such as a footnote; empty if there is none.
    """

    sign: float
    unit: str = ""
    lead: str = ""
    mark: str = ""


NOT_A_NUMBER = Affix(float("nan"))

_CODES = """
AED ARS AUD BDT BGN BHD BRL CAD CHF CLP CNY COP CZK DKK EGP EUR GBP HKD HRK HUF IDR ILS
INR ISK JPY KES KRW KWD KZT LKR MAD MXN MYR NGN NOK NZD OMR PEN PHP PKR PLN QAR RMB RON
RSD RUB SAR SEK SGD THB TND TRY TWD UAH USD UYU VND XAF XOF ZAR BTC ETH DM AMD AOA AZN
BOB BWP BYN CRC DOP DZD ETB GEL GHS GTQ HNL IQD IRR JMD JOD KGS KHR LBP LYD MDL MGA MKD
MMK MNT MUR MZN NAD NIO NPR PYG RWF TZS UGX UZS VES XPF ZMW
"""
_WORDS = """
kr rs zł zl fr sfr kč kc ft lei lv tl rm rp r$ us$ s/ r euro euros dollar dollars
pounds yen ct cent cents ksh tsh ush br birr tk bs dh dhs fcfa cfa грн сум ریال د.إ บาท
元 円 원
"""
_NATIONAL = re.compile("[A-Z]{1,3}[$¥₵]", re.IGNORECASE)
"""A sign with the letters of a country, as in RD$ and GH₵."""
_RUBLES = "\u0440\u0443\u0431"
_CURRENCIES = {code.lower(): code for code in _CODES.split()}
_CURRENCIES |= {word: word for word in _WORDS.split()}
_SAME = {"euro": "EUR", "euros": "EUR", "€": "EUR", "us$": "$", "r$": "R$"}
_SAME |= {"usd": "$", "dollar": "$", "dollars": "$", "gbp": "£", "pounds": "£"}
_SAME |= {"fr": "CHF", "sfr": "CHF", "zł": "PLN", "zl": "PLN", "¥": "JPY", "yen": "JPY"}
_SAME |= {"inr": "₹", "rs": "₹", "₽": "RUB", _RUBLES: "RUB", "rp": "Rp", "r": "R"}
_SAME |= {"лв": "BGN", "lv": "BGN", "kč": "CZK", "kc": "CZK", "円": "JPY", "元": "CNY"}
_SAME |= {"cent": "ct", "cents": "ct"}

_UNIT = re.compile(
    r"^(?:[^\W\d_]|[°%‰'\"*#$€£/·^.()² ³-])(?:[^\W\d_]|[°%‰'\"*$€£/·^. ()²³-]|"
    r"(?<=[^\W\d_])\^?-?[234](?![\w]))*$"
)
_NO_UNIT = re.compile(
    r"^(?:am|pm|a\.m\.|p\.m\.|uhr|st|nd|rd|th|x|jan|feb|mar|apr|may|jun|jul|aug|sep|"
    r"oct|nov|dec)$"
)
_TWO_WORDS = re.compile(r"^(?:per |sq\.? |cu\.? |fl |us |\S{1,3} )", re.IGNORECASE)
BOUND = "<"
"""Before the unit of a number that is only a bound, as in `<0.05`."""
_BOUND = re.compile("^(?:<=|>=|[<>\u2264\u2265])")
_ABOUT = re.compile(
    r"^(?:[~\u2248]|(?:ca|circa|approx|about|etwa|env)\b\.?)", re.IGNORECASE
)
_PRICE = re.compile(r"^(?:[.,:]-{1,2}|/-)(?=\s|$)")
_NOTE = re.compile(r"\s?(\*+|[\u2020\u2021\u00a7]+|\[\w{1,3}\]|\((?:[a-z]|\d)\))$")
_TOLERANCE = re.compile(r"^(?:\u00b1|\+/-|\+-)\s?\d")
_ARROWS = {
    **dict.fromkeys("\u25b2\u25b3\u2191", "+"),
    **dict.fromkeys("\u25bc\u25bd\u2193", "-"),
}


@lru_cache(maxsize=65536)
def affix(pre: str, post: str) -> Affix:
    """Read what stands before and behind the digits of a number.

    Examples
    --------
    >>> affix("-$", ""), affix("", " kg").unit
    (Affix(sign=-1.0, unit='$', lead='', mark=''), 'kg')
    >>> affix("(", " €)").sign, affix("", " EUR*").mark
    (-1.0, '*')
    """
    pre, post = _unquoted(pre.strip(), post.strip())
    pre, post, negative = _in_brackets(pre, post)
    bound = _BOUND.match(pre)
    if bound:
        pre = pre[bound.end() :].strip()
    pre, post, mark = _marked(pre, post)
    pre, minus = _signed(pre)
    pre = pre.removeprefix("'").strip()
    post = _PRICE.sub("", post).strip()
    if not minus and post[-1:] in {"-", "+"} and post:
        minus, post = post[-1], post[:-1].strip()
    elif not minus and post[:1] == "-" and _currency(post[1:].strip()) is not None:
        minus, post = "-", post[1:].strip()
    if post in {".", ","}:
        post = ""
    lead = ""
    if pre[-1:] in {".", ","} and not pre[:-1].strip()[-1:].isalpha():
        pre, lead = pre[:-1].strip(), pre[-1]
    unit = _unit(pre, post)
    if unit is None:
        return NOT_A_NUMBER
    if bound:
        unit = f"{BOUND}{unit}"
    return Affix(-1.0 if negative or minus == "-" else 1.0, unit, lead, mark)


def _in_brackets(pre: str, post: str) -> tuple[str, str, bool]:
    """Without the brackets by which accountants write a negative number."""
    for first, last in ("()", "<>"):
        if first in pre and post.startswith(last):
            return pre.replace(first, "", 1), post[1:].strip(), True
        if first in pre and post.endswith(last) and first not in post:
            return pre.replace(first, "", 1), post[:-1].strip(), True
    return pre, post, False


def _marked(pre: str, post: str) -> tuple[str, str, str]:
    """Without footnotes and tolerances, and what of these there was."""
    about, note = _ABOUT.match(pre), _NOTE.search(post)
    if about:
        return pre[about.end() :].strip(), post, about[0]
    if _TOLERANCE.match(post):
        return pre, "", "\u00b1"
    return (pre, post[: note.start()], note[1]) if note else (pre, post, "")


def _unquoted(pre: str, post: str) -> tuple[str, str]:
    """Without the marks by which Excel keeps a number as text."""
    for mark in ('="', '"', "'"):
        if pre.startswith(mark):
            pre = pre[len(mark) :]
            post = post.removesuffix('"') if '"' in mark else post
    return pre.strip(), post.strip()


def _signed(pre: str) -> tuple[str, str]:
    """The text before the digits without its sign, and the sign."""
    if pre[:1] in _ARROWS:
        return pre[1:].strip(), _ARROWS[pre[0]]
    for place in (pre[:1], pre[-1:]):
        if place in {"-", "+"} and place:
            rest = pre.removeprefix(place) if pre[:1] == place else pre[:-1]
            return rest.strip(), place
    return pre, ""


def _unit(pre: str, post: str) -> str | None:
    """Currency and unit together; None if the text is something else."""
    if pre == "%" and not post:
        return pre
    currency = _currency(pre) if pre else ""
    if currency is None:
        return None
    if not post:
        return currency
    whole = _currency(post)
    if whole is not None:
        return currency or whole
    first, _, last = post.rpartition(" ")
    if not currency and _currency(last) and folded(first) in _MONEY:
        currency, post = str(_currency(last)), first
    words = len(post.split()) > 1 and not _TWO_WORDS.match(post)
    if len(post) > 16 or words or not _UNIT.match(post) or _NO_UNIT.match(post.lower()):
        return None
    return f"{currency}{post}" if post[0] == "/" else f"{currency} {post}".strip()


def _currency(text: str) -> str | None:
    """One name for a currency, however it is written; None if it is not one."""
    small = text.lower().removesuffix(".")
    if small in _SAME:
        return _SAME[small]
    if _NATIONAL.fullmatch(text):
        return text.upper()
    if len(text) == 1 and unicodedata.category(text) == "Sc":
        return text
    return _CURRENCIES.get(small)


def is_currency(unit: str) -> bool:
    """Whether a unit is money and nothing else."""
    return _currency(unit) is not None


def folded(unit: str) -> str:
    """A unit without capitals, points and the s of a plural."""
    small = unit.lower().replace(".", "")
    return small[:-1] if len(small) > 2 and small.endswith("s") else small


# ---------------------------------------------------------- all units of a column


class System(NamedTuple):
    """The units of a column as one: by what each is multiplied.

    Attributes
    ----------
    factors : dict
        For each unit of the column; units that do not go with the others are not in it.
    unit : str
        What the numbers are in then, empty if they have no unit.
    note : str
        What was converted or left out, in words.
    """

    factors: dict[str, float]
    unit: str = ""
    note: str = ""


_TIME = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1.0}
_TIME |= {"sec": 1.0, "second": 1.0, "sek": 1.0, "min": 60.0, "minute": 60.0}
_TIME |= {"h": 3600.0, "hr": 3600.0, "hour": 3600.0, "std": 3600.0, "d": 86400.0}
_TIME |= {"day": 86400.0, "tag": 86400.0, "tage": 86400.0, "week": 604800.0}
_TIME |= {"msec": 1e-3, "millisecond": 1e-3, "stunde": 3600.0, "stunden": 3600.0}
_TIME |= {"woche": 604800.0, "wochen": 604800.0, "month": 2629746.0, "monat": 2629746.0}
_TIME |= {"monate": 2629746.0, "year": 31556952.0, "yr": 31556952.0, "jahr": 31556952.0}
_TIME |= {"jahre": 31556952.0}
_MONEY = {"k": 1e3, "tsd": 1e3, "m": 1e6, "mn": 1e6, "mio": 1e6, "mln": 1e6}
_MONEY |= {"million": 1e6, "thousand": 1e3, "bn": 1e9, "b": 1e9, "mrd": 1e9}
_MONEY |= {"billion": 1e9, "tn": 1e12, "trillion": 1e12, "tys": 1e3, "mm": 1e6}
_MONEY |= {"l": 1e5, "lakh": 1e5, "lac": 1e5, "cr": 1e7, "crore": 1e7}
_MONEY |= {"\u4e07": 1e4, "\u842c": 1e4, "\u4ebf": 1e8, "\u5104": 1e8}
_PREFIX = {"n": 1e-9, "µ": 1e-6, "μ": 1e-6, "u": 1e-6, "m": 1e-3, "c": 1e-2}
_PREFIX |= {"d": 0.1, "h": 100.0, "k": 1e3, "K": 1e3, "M": 1e6, "G": 1e9, "T": 1e12}
_PREFIX |= {"P": 1e15, "Ki": 2.0**10, "Mi": 2.0**20, "Gi": 2.0**30, "Ti": 2.0**40}
_BASE_UNITS = """
B b bit bits byte bytes Byte Bytes Hz W Wh VA V A Ah g m s Pa bar l L J N Ω Ohm ohm F H
eV mol cal t bps Bps bit/s B/s b/s m/s g/l g/L
"""
_BASES = frozenset(["", *_BASE_UNITS.split()])
_OF_BASE = {
    "Pa": {"bar": 1e5, "psi": 6894.757, "atm": 101325.0, "mmHg": 133.322},
    "g": {"t": 1e6, "lb": 453.59237, "oz": 28.349523, "mcg": 1e-6},
    "m": {"mi": 1609.344, "ft": 0.3048, "yd": 0.9144, "in": 0.0254},
    "l": {"L": 1.0},
    "ones": {"%": 1e-2, "\u2030": 1e-3, "ppm": 1e-6, "ppb": 1e-9},
    "\u00a3": {"p": 1e-2},
    "$": {"\u00a2": 1e-2, "ct": 1e-2},
    "EUR": {"ct": 1e-2},
    # Hemispheres, and debit and credit.
    "latitude": {"N": 1.0, "S": -1.0, "° N": 1.0, "° S": -1.0, "°N": 1.0, "°S": -1.0},
    "longitude": {"E": 1.0, "W": -1.0, "° E": 1.0, "° W": -1.0, "°E": 1.0, "°W": -1.0},
    "balance": {"CR": 1.0, "DR": -1.0, "Cr": 1.0, "Dr": -1.0, "cr": 1.0, "dr": -1.0},
    "Saldo": {"H": 1.0, "S": -1.0},
    "account": {"C": 1.0, "D": -1.0},
}
"""Units that are a multiple of another one, for each of these."""
_SIGNS = ("latitude", "longitude", "balance", "Saldo", "account")


def system(
    weights: Mapping[str, int],
    sizes: Mapping[str, float] | None = None,
    *,
    cents: bool = False,
) -> System:
    """How the units of a column go together, by the number of cells that have each.

    Parameters
    ----------
    weights : mapping of str to int
    sizes : mapping of str to float, optional
        How large the numbers of each unit are.
    cents : bool
        The numbers have decimals or marks of thousands, as money has.

    Examples
    --------
    >>> system({"kB": 5, "MB": 7, "": 1}).factors
    {'': 1.0, 'MB': 1.0, 'kB': 0.001}
    >>> system({"kg": 3, "": 2}).factors, system({"EUR": 90, "$": 2}).factors
    ({'': 1.0, 'kg': 1.0}, {'': 1.0, 'EUR': 1.0})
    """
    plain = {u: count for u, count in weights.items() if not u.startswith(BOUND)}
    found = _system(plain, sizes or {}, cents)
    if sum(plain.values()) < LEAST_PLAIN * sum(weights.values()):
        return found
    # Bounds among numbers count as the numbers that they name.
    bounds = {
        unit: found.factors[unit.removeprefix(BOUND)]
        for unit in sorted(set(weights) - set(plain))
        if unit.removeprefix(BOUND) in found.factors
    }
    return found._replace(factors=found.factors | bounds)


LEAST_PLAIN = 0.05
"""Share of numbers beside which bounds such as `<0.05` count as numbers too."""


def _system(
    weights: Mapping[str, int], sizes: Mapping[str, float], cents: bool
) -> System:
    names = sorted(unit for unit in weights if unit)
    if _are_letters(names, weights):
        if not cents:
            return System({"": 1.0})
        listed = ", ".join(map(repr, names))
        note = f"the letters {listed} behind some numbers are ignored"
        return System({"": 1.0} | dict.fromkeys(names, 1.0), "", note)
    if not names:
        return System({"": 1.0})
    signs = _as_signs(names) if cents else None
    if signs:
        minus = [name for name in names if signs[name] < 0]
        note = f"{', '.join(map(repr, minus))} behind a number makes it negative"
        return System({"": 1.0} | signs, "", note)
    if len(names) == 1:
        return _alone(names[0], weights, sizes)
    for find in (_as_time, _as_scaled, _as_money, _as_written):
        factors = find(names)
        if factors is not None:
            return _together(find, factors, weights, sizes)
    most = max(names, key=lambda unit: weights[unit])
    return System(_with_bare({most: 1.0}, weights), most)


def _are_letters(names: list[str], weights: Mapping[str, int]) -> bool:
    """Whether letters stand behind some of many bare numbers.

    These tell whole numbers apart, as in house 12 a, and are remarks on measurements,
    as in 4.8 H for high.
    """
    letters = all(len(name) == 1 and name.isalpha() for name in names)
    known = all(name in _BASES or name.lower() in _MONEY for name in names)
    remarks = len(names) > 1 and set(names) <= set("HLNA")
    few = all(weights[name] < weights.get("", 0) for name in names)
    return bool(names) and letters and few and (remarks or not known)


def _alone(name: str, weights: Mapping[str, int], sizes: Mapping[str, float]) -> System:
    """The only unit of a column, beside numbers that have none."""
    bare, own = sizes.get("", 0.0), sizes.get(name, 0.0)
    options = [*_scaled(name).items(), ("", _MONEY.get(folded(name), 0.0))]
    ones = [by for base_unit, by in options if not base_unit and by]
    if "" in weights and ones and bare > 0 and own > 0:
        # 1.5K among 850 is 1500; of 450m among 0.45 and among 450, the size tells.
        apart = [abs(math.log(by * own / bare)) for by in ones]
        large = [by for by in ones if by >= 1e3 and name != "m"]
        by = large[0] if large else ones[apart.index(min(apart))]
        if large or min(apart) < abs(math.log(own / bare)):
            factors = {"": 1.0, name: by}
            return System(factors, "", _converted(factors, ""))
    return System(_with_bare({name: 1.0}, weights), name)


def _together(
    find: object,
    factors: dict[str, float],
    weights: Mapping[str, int],
    sizes: Mapping[str, float],
) -> System:
    """Several units as one: that which is most frequent, or what all are parts of."""
    most = max(sorted(factors), key=lambda name: weights[name])
    unit, bare = base(factors), 1.0
    if find is _as_scaled and unit:
        # Numbers without a unit are in the base unit, or in the one of their size.
        whole, ratio = 1.0 / factors[most], _ratio(sizes.get("", 0), sizes.get(most, 0))
        bare = whole if abs(math.log(whole * ratio)) < abs(math.log(ratio)) else 1.0
        factors = {name: by / factors[most] for name, by in factors.items()}
        unit = most
    elif find is _as_money:
        unit = next((h for name in factors if is_currency(h := name.split(" ")[0])), "")
    given = _with_bare(factors, weights)
    if "" in given:
        given[""] = bare
    return System(given, unit, _converted(factors, unit))


def _ratio(one: float, other: float) -> float:
    return one / other if one > 0 and other > 0 else 1.0


def _with_bare(
    factors: dict[str, float], weights: Mapping[str, int]
) -> dict[str, float]:
    """Numbers without a unit are in the same one, but 0.5 is not 0.5 %."""
    parts = sum(count for unit, count in weights.items() if unit in factors)
    if not factors or not any(unit[-1] in "%‰" for unit in factors):
        return {"": 1.0} | factors
    return factors if parts >= weights.get("", 0) else {"": 1.0}


def _as_signs(names: list[str]) -> dict[str, float] | None:
    """Words for a sign, as for debit and credit, of which one is negative."""
    for kind in _SIGNS:
        if set(names) <= set(_OF_BASE[kind]):
            signs = {name: _OF_BASE[kind][name] for name in names}
            return signs if min(signs.values()) < 0 < max(signs.values()) else None
    return None


def _as_time(names: list[str]) -> dict[str, float] | None:
    factors = {name: seconds(name) for name in names}
    known = {name: value for name, value in factors.items() if value is not None}
    return known if len(known) == len(factors) else None


def seconds(name: str) -> float | None:
    """How many seconds a unit of time has; None for another unit."""
    return _TIME.get(name, _TIME.get(folded(name)))


def _as_scaled(names: list[str]) -> dict[str, float] | None:
    """Units of which one is a multiple of the other, such as kB and MB."""
    options = [_scaled(name) for name in names]
    shared = set.intersection(*(set(one) for one in options))
    if not shared:
        return None
    unit = max(sorted(shared), key=len)
    return {name: one[unit] for name, one in zip(names, options, strict=True)}


def _scaled(name: str) -> dict[str, float]:
    """For each base unit that a name may have, the factor to it."""
    found = {name: 1.0} if name in _BASES else {}
    for prefix, factor in _PREFIX.items():
        if name.startswith(prefix) and name[len(prefix) :] in _BASES:
            found[name[len(prefix) :]] = factor
    for base_unit, parts in _OF_BASE.items():
        if base_unit in _SIGNS:
            continue
        if name == base_unit:
            found[name] = 1.0
        for part, factor in parts.items():
            if folded(part) == folded(name) and (part in _BASES) <= (part == name):
                found[base_unit] = factor
            elif part in found:
                found[base_unit] = found[part] * factor
    return found


def _as_money(names: list[str]) -> dict[str, float] | None:
    """Thousands and millions, with one currency or none."""
    heads, factors = set(), {}
    for name in names:
        head, _, tail = name.rpartition(" ")
        known = _MONEY.get(tail.lower().rstrip("."))
        if known is None:
            head, known = name, 1.0
        heads.add(head)
        factors[name] = known
    bare = heads - {""}
    one = len(bare) <= 1 and all(is_currency(head) for head in bare)
    return factors if one and max(factors.values()) > 1 else None


def _as_written(names: list[str]) -> dict[str, float] | None:
    """One unit in several spellings."""
    same = len({folded(name) for name in names}) == 1
    return dict.fromkeys(names, 1.0) if same else None


def factor(name: str, known: Mapping[str, float]) -> float:
    """By what numbers in a new unit are multiplied; NaN if it is of another kind.

    Examples
    --------
    >>> factor("GB", {"": 1.0, "MB": 1.0}), factor("M", {"": 1.0, "K": 1000.0})
    (1000.0, 1000000.0)
    >>> factor("EUR", {"$": 1.0})
    nan
    """
    for other, by in known.items():
        if other and (signs := _as_signs(sorted({other, name}))):
            return signs[name]
        for find in (_as_time, _as_scaled, _as_money, _as_written):
            both = find([other, name]) if other else None
            if both is not None:
                return by * both[name] / both[other]
    return math.nan


def base(factors: Mapping[str, float]) -> str:
    """The unit in which a column's numbers are, empty if they have none."""
    factors = {u: factor for u, factor in factors.items() if not u.startswith(BOUND)}
    ones = [unit for unit, factor in factors.items() if unit and factor == 1.0]
    if ones:
        return ones[0]
    names = [unit for unit in factors if unit]
    if not names:
        return ""
    if _as_time(names) is not None:
        return "s"
    return _root(names[0])


def _root(name: str) -> str:
    roots = sorted(_scaled(name), key=len)
    return roots[-1] if roots else ""


def _converted(factors: Mapping[str, float], unit: str) -> str:
    if set(factors.values()) == {1.0}:
        return ""
    listed = ", ".join(repr(name) for name in factors if name)
    verb = "units" if len(factors) - ("" in factors) > 1 else "unit"
    to = repr(unit) if unit else "ones"
    return f"the {verb} {listed} {'are' if verb == 'units' else 'is'} converted to {to}"


def looks(weights: Mapping[str, int], known: Mapping[str, float]) -> str:
    """What numbers with these units are, and whether units are mixed.

    `known` has the units that are read.
    """
    weights = {u: count for u, count in weights.items() if not u.startswith(BOUND)}
    total = sum(weights.values())
    often = [unit for unit, count in weights.items() if count > 0.05 * total]
    named = sorted(unit for unit in often if unit)
    money = bool(named) and all(is_currency(unit) for unit in named)
    noun = "money" if money else "numbers"
    if any(unit not in known for unit in often):
        listed = ", ".join(repr(unit) if unit else "none" for unit in sorted(often)[:5])
        what = "currencies" if money and "" not in often else "units"
        return f"{noun} in several {what} ({listed})"
    return noun
