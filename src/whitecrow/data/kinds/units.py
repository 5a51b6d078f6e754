"""What stands around the digits of a number: signs, currencies, units."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple

__all__ = ["NOT_A_NUMBER", "Affix", "affix", "base", "folded", "is_currency", "looks"]
__all__ += ["System", "system"]


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
    """

    sign: float
    unit: str = ""
    lead: str = ""


NOT_A_NUMBER = Affix(float("nan"))

_CODES = """
AED ARS AUD BDT BGN BHD BRL CAD CHF CLP CNY COP CZK DKK EGP EUR GBP HKD HRK HUF IDR ILS
INR ISK JPY KES KRW KWD KZT LKR MAD MXN MYR NGN NOK NZD OMR PEN PHP PKR PLN QAR RMB RON
RSD RUB SAR SEK SGD THB TND TRY TWD UAH USD UYU VND XAF XOF ZAR BTC ETH DM
"""
_WORDS = """
kr kr. rs rs. zł zl fr fr. sfr sfr. kč kc ft lei lv tl rm rp r$ us$ a$ c$ ca$ au$ nz$
hk$ s$ nt$ mx$ s/ s/. r euro euros eur. dollar dollars pounds yen ct cent cents
"""
_RUBLES = "\u0440\u0443\u0431"
_CURRENCIES = {code.lower(): code for code in _CODES.split()}
_CURRENCIES |= {word: word for word in _WORDS.split()}
_SAME = {"euro": "EUR", "euros": "EUR", "eur.": "EUR", "€": "EUR", "us$": "$"}
_SAME |= {"usd": "$", "dollar": "$", "dollars": "$", "gbp": "£", "pounds": "£"}
_SAME |= {"rs.": "rs", "kr.": "kr", "fr.": "CHF", "fr": "CHF", "sfr": "CHF"}
_SAME |= {"sfr.": "CHF", "zł": "PLN", "zl": "PLN", "¥": "JPY", "yen": "JPY"}
_SAME |= {"inr": "rs", "₹": "rs", "₽": "RUB", _RUBLES: "RUB", f"{_RUBLES}.": "RUB"}
_SAME |= {"лв": "BGN", "лв.": "BGN", "lv": "BGN", "kč": "CZK", "kc": "CZK"}

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
_BOUND = re.compile("^(?:<=|>=|[<>~\u2264\u2265\u2248])")
_PRICE = re.compile(r"^(?:[.,]-{1,2}|/-)(?=\s|$)")


@lru_cache(maxsize=65536)
def affix(pre: str, post: str) -> Affix:
    """Read what stands before and behind the digits of a number.

    Examples
    --------
    >>> affix("-$", ""), affix("(", " €)"), affix("", " kg").unit
    (Affix(sign=-1.0, unit='$', lead=''), Affix(sign=-1.0, unit='EUR', lead=''), 'kg')
    """
    pre, post = _unquoted(pre.strip(), post.strip())
    bound = _BOUND.match(pre)
    if bound:
        pre = pre[bound.end() :].strip()
    negative = False
    if "(" in pre and post.endswith(")") and "(" not in post:
        pre, post, negative = pre.replace("(", "", 1), post[:-1].strip(), True
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
    return Affix(-1.0 if negative or minus == "-" else 1.0, unit, lead)


def _unquoted(pre: str, post: str) -> tuple[str, str]:
    """Without the marks by which Excel keeps a number as text."""
    for mark in ('="', '"', "'"):
        if pre.startswith(mark):
            pre = pre[len(mark) :]
            post = post.removesuffix('"') if '"' in mark else post
    return pre.strip(), post.strip()


def _signed(pre: str) -> tuple[str, str]:
    """The text before the digits without its sign, and the sign."""
    for place in (pre[:1], pre[-1:]):
        if place in {"-", "+"} and place:
            rest = pre.removeprefix(place) if pre[:1] == place else pre[:-1]
            return rest.strip(), place
    return pre, ""


def _unit(pre: str, post: str) -> str | None:
    """Currency and unit together; None if the text is something else."""
    currency = ""
    if pre:
        found = _currency(pre)
        if found is None:
            return None
        currency = found
    if not post:
        return currency
    whole = _currency(post)
    if whole is not None:
        return currency or whole
    words = len(post.split()) > 1 and not _TWO_WORDS.match(post)
    if len(post) > 16 or words or not _UNIT.match(post) or _NO_UNIT.match(post.lower()):
        return None
    return f"{currency} {post}".strip()


def _currency(text: str) -> str | None:
    """One name for a currency, however it is written; None if it is not one."""
    small = text.lower()
    if small in _SAME:
        return _SAME[small]
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
    note : str
        What was converted or left out, in words.
    """

    factors: dict[str, float]
    note: str = ""


_TIME = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1.0}
_TIME |= {"sec": 1.0, "second": 1.0, "sek": 1.0, "min": 60.0, "minute": 60.0}
_TIME |= {"h": 3600.0, "hr": 3600.0, "hour": 3600.0, "std": 3600.0, "d": 86400.0}
_TIME |= {"day": 86400.0, "tag": 86400.0, "tage": 86400.0, "week": 604800.0}
_TIME |= {"msec": 1e-3, "millisecond": 1e-3, "stunde": 3600.0, "stunden": 3600.0}
_MONEY = {"k": 1e3, "tsd": 1e3, "m": 1e6, "mn": 1e6, "mio": 1e6, "mln": 1e6}
_MONEY |= {"million": 1e6, "thousand": 1e3, "bn": 1e9, "b": 1e9, "mrd": 1e9}
_MONEY |= {"billion": 1e9, "tn": 1e12, "trillion": 1e12}
_PREFIX = {"n": 1e-9, "µ": 1e-6, "μ": 1e-6, "u": 1e-6, "m": 1e-3, "c": 1e-2}
_PREFIX |= {"d": 0.1, "h": 100.0, "k": 1e3, "K": 1e3, "M": 1e6, "G": 1e9, "T": 1e12}
_PREFIX |= {"P": 1e15, "Ki": 2.0**10, "Mi": 2.0**20, "Gi": 2.0**30, "Ti": 2.0**40}
_BASE_UNITS = """
B b bit bits byte bytes Byte Bytes Hz W Wh VA V A Ah g m s Pa bar l L J N Ω Ohm ohm F H
eV mol cal t bps Bps bit/s B/s b/s m/s g/l g/L
"""
_BASES = frozenset(["", *_BASE_UNITS.split()])


def system(weights: Mapping[str, int]) -> System:
    """How the units of a column go together, by the number of cells that have each.

    Examples
    --------
    >>> system({"kB": 5, "MB": 7, "": 1}).factors
    {'': 1.0, 'MB': 1000000.0, 'kB': 1000.0}
    >>> system({"kg": 3, "": 2}).factors, system({"EUR": 90, "$": 2}).factors
    ({'': 1.0, 'kg': 1.0}, {'': 1.0, 'EUR': 1.0})
    """
    plain = {u: count for u, count in weights.items() if not u.startswith(BOUND)}
    found = _system(plain)
    if sum(plain.values()) <= 0.5 * sum(weights.values()):
        return found
    # Bounds among numbers count as the numbers that they name.
    bounds = {
        unit: found.factors[unit.removeprefix(BOUND)]
        for unit in sorted(set(weights) - set(plain))
        if unit.removeprefix(BOUND) in found.factors
    }
    return System(found.factors | bounds, found.note)


def _system(weights: Mapping[str, int]) -> System:
    names = sorted(unit for unit in weights if unit)
    if _are_suffixes(names, weights):
        return System({"": 1.0})
    if len(names) <= 1:
        return System(_with_bare(dict.fromkeys(names, 1.0), weights))
    for find in (_as_time, _as_scaled, _as_money, _as_written):
        factors = find(names)
        if factors is not None:
            return System(_with_bare(factors, weights), _converted(factors))
    most = max(names, key=lambda unit: weights[unit])
    return System(_with_bare({most: 1.0}, weights))


def _are_suffixes(names: list[str], weights: Mapping[str, int]) -> bool:
    """Whether letters behind some numbers tell these apart, as in house 12 a."""
    letters = all(len(name) == 1 and name.isalpha() for name in names)
    known = all(name in _BASES or name.lower() in _MONEY for name in names)
    few = all(weights[name] < weights.get("", 0) for name in names)
    return letters and few and not known


def _with_bare(
    factors: dict[str, float], weights: Mapping[str, int]
) -> dict[str, float]:
    """Numbers without a unit are in the same one, but 0.5 is not 0.5 %."""
    parts = sum(count for unit, count in weights.items() if unit in factors)
    if not factors or not any(unit[-1] in "%‰" for unit in factors):
        return {"": 1.0} | factors
    return factors if parts >= weights.get("", 0) else {"": 1.0}


def _as_time(names: list[str]) -> dict[str, float] | None:
    factors = {name: _TIME.get(name, _TIME.get(folded(name))) for name in names}
    return _all_known(factors)


def _as_scaled(names: list[str]) -> dict[str, float] | None:
    """Units that differ by the prefix only, such as kB and MB."""
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


def _all_known(factors: Mapping[str, float | None]) -> dict[str, float] | None:
    known = {name: value for name, value in factors.items() if value is not None}
    return known if len(known) == len(factors) else None


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


def _converted(factors: Mapping[str, float]) -> str:
    if set(factors.values()) == {1.0}:
        return ""
    listed = ", ".join(repr(unit) for unit in factors)
    unit = base(factors)
    return f"the units {listed} are converted to {repr(unit) if unit else 'ones'}"


def looks(weights: Mapping[str, int]) -> str:
    """What numbers with these units are, and whether units are mixed."""
    weights = {u: count for u, count in weights.items() if not u.startswith(BOUND)}
    total = sum(weights.values())
    often = [unit for unit, count in weights.items() if count > 0.05 * total]
    named = sorted(unit for unit in often if unit)
    money = bool(named) and all(is_currency(unit) for unit in named)
    noun = "money" if money else "numbers"
    system_of = system(weights).factors
    if any(unit not in system_of for unit in often):
        listed = ", ".join(repr(unit) if unit else "none" for unit in sorted(often)[:5])
        what = "currencies" if money and "" not in often else "units"
        return f"{noun} in several {what} ({listed})"
    return noun
