"""What becomes of a column, in words for people."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from whitecrow.data.kinds.plan import Plan

__all__ = ["NOUNS", "Decision", "decision_of", "few", "grouped"]

NOUNS = {
    "number": ("a number", "numbers"),
    "category": ("a category", "categories"),
    "boolean": ("a yes/no column", "yes/no columns"),
    "date": ("a date", "dates"),
    "clock": ("a time of day", "times of day"),
    "constant": ("constant", "constant"),
    "missing": ("empty", "empty"),
    "identifier": ("an identifier", "identifiers"),
    "ignored": ("ignored", "ignored"),
    "unread": ("not understood", "not understood"),
}


@dataclass(frozen=True)
class Decision:
    """What becomes of one column; `str()` gives one plain sentence.

    Attributes
    ----------
    column : str
        The name in the table.
    kind : str
        number, category, boolean, date, clock (a time of day), constant, missing,
        identifier, ignored or unread (it looks like something, but cannot be read as
        it).
    action : str
        What is done, such as "kept unchanged" or "left out".
    detail : str
        Why, or with which numbers; may be empty.
    remedy : str
        What to do if that is not right; may be empty.
    level : int
        0 is ordinary, 1 worth knowing (cells were reinterpreted), 2 loud (left out
        although it may matter, or values that may mean something else).

    Examples
    --------
    >>> str(Decision("pump", "constant", "left out", "always 'P1'"))
    "'pump' is constant: left out (always 'P1')."
    """

    column: str
    kind: str
    action: str
    detail: str = ""
    remedy: str = ""
    level: int = 0

    @property
    def noun(self) -> str:
        """Return the kind with its article, such as "a number"."""
        return NOUNS[self.kind][0]

    def __str__(self) -> str:
        reason = f" ({self.detail})" if self.detail else ""
        remedy = f"; {self.remedy}" if self.remedy else ""
        return f"{self.column!r} is {self.noun}: {self.action}{reason}{remedy}."


def decision_of(plan: Plan) -> Decision:
    """Extract from a plan the decision to report."""
    kind = "clock" if plan.settings.get("clock") else plan.kind
    return Decision(
        plan.column, kind, plan.action, plan.detail, plan.remedy, plan.level
    )


def grouped(decisions: Iterable[Decision]) -> list[str]:
    """Describe decisions in sentences, one for all columns that are treated alike.

    The loudest come first.

    Examples
    --------
    >>> grouped([Decision("a", "number", "kept"), Decision("b", "number", "kept")])
    ["2 columns ('a', 'b') are numbers: kept."]
    """
    groups: dict[tuple[Any, ...], list[Decision]] = {}
    for one in sorted(decisions, key=lambda one: -one.level):
        # Remedies name the column.
        alike = (one.level, one.kind, one.action, one.detail, _nameless(one))
        groups.setdefault(alike, []).append(one)
    return [_sentence(members) for members in groups.values()]


def _nameless(one: Decision) -> str:
    return one.remedy.replace(f"'{one.column}=", "'NAME=")


def _sentence(members: list[Decision]) -> str:
    first = members[0]
    if len(members) == 1:
        return str(first)
    reason = f" ({first.detail})" if first.detail else ""
    remedy = f"; {_nameless(first)}" if first.remedy else ""
    noun = NOUNS[first.kind][1]
    names = few([one.column for one in members])
    return (
        f"{len(members)} columns ({names}) are {noun}: {first.action}{reason}{remedy}."
    )


def few(names: list[str], most: int = 6) -> str:
    """List the first of some names."""
    listed = ", ".join(repr(name) for name in names[:most])
    return f"{listed}, ..." if len(names) > most else listed
