"""What was decided in reading data, as sentences for people, the loudest first."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from whitecrow.data.formats.table import Loud

if TYPE_CHECKING:
    from whitecrow.data.kinds import Decision

__all__ = ["LOUD", "ORDINARY", "WORTH_KNOWING", "Note", "folded", "gathered"]

ORDINARY, WORTH_KNOWING, LOUD = 0, 1, 2
MANY = 3
"""Columns of which the same is said become one note."""
_PARTS = re.compile(r"'[^']*'|[-+]?\d[\d.,:e+-]*")


@dataclass(frozen=True)
class Note:
    """A sentence about the data, and what to do about it.

    Attributes
    ----------
    text : str
        The sentence.
    level : int
        `LOUD` for what was left out although it may matter, `WORTH_KNOWING` for what
        was read in a way that may be wrong, else `ORDINARY`.
    column : str or None
        The column that it is about.
    remedy : str
        When something else is wanted, and what to type then; may be empty.

    Examples
    --------
    >>> str(Note("'a' is a date.", remedy="if that is wrong: --read-as 'a=category'"))
    "'a' is a date; if that is wrong: --read-as 'a=category'"
    """

    text: str
    level: int = ORDINARY
    column: str | None = None
    remedy: str = ""

    def __str__(self) -> str:
        if not self.remedy:
            return self.text
        return f"{self.text.rstrip('.')}; {self.remedy}"


def gathered(
    reading: Sequence[str], decisions: Iterable[Decision], training: Iterable[str] = ()
) -> tuple[Note, ...]:
    """Gather what was decided about a file, its columns and its rows.

    Parameters
    ----------
    reading : sequence of str
        What the reader decided; the first sentence says what kind of file it is.
    decisions : iterable of Decision
        What the encoder decided about each column.
    training : iterable of str
        Which rows were left out of training.

    Returns
    -------
    tuple of Note
        The loudest first, otherwise in the order given.
    """
    found = [Note(text, WORTH_KNOWING) for text in training]
    for place, text in enumerate(reading):
        level = WORTH_KNOWING if place else ORDINARY
        found.append(Note(text, LOUD if isinstance(text, Loud) else level))
    found += [
        Note(_sentence(one), one.level, one.column, one.remedy) for one in decisions
    ]
    return tuple(sorted(found, key=lambda note: -note.level))


def folded(notes: Iterable[Note]) -> list[tuple[Note, tuple[Note, ...]]]:
    """Put notes that say the same of several columns into one, with one remedy.

    Returns
    -------
    list of (Note, tuple of Note)
        What to show, in the order given, and the notes that it stands for, if any.

    Examples
    --------
    >>> how = "if that is wrong: --read-as '{}=category'"
    >>> notes = [Note(f"{c!r}: a date", 1, c, how.format(c)) for c in "abc"]
    >>> print(folded(notes)[0][0].text)
    3 columns like 'a': a date
    >>> folded(notes)[0][0].remedy[:50]
    "if that is wrong: --read-as 'a=category' --read-as"
    """
    groups: dict[tuple[Any, ...], list[Note]] = {}
    for place, note in enumerate(notes):
        groups.setdefault(_alike(note) or (place,), []).append(note)
    found: list[tuple[Note, tuple[Note, ...]]] = []
    for members in groups.values():
        if len(members) < MANY:
            found += [(one, ()) for one in members]
        else:
            found.append((_for_all(members), tuple(members)))
    return found


def _alike(note: Note) -> tuple[Any, ...] | None:
    """Return what notes of a kind share: all but the column, its cells and numbers."""
    if note.column is None or note.remedy.count("--") > 1:
        return None
    quoted = note.column.replace("'", "'\\''")
    remedy = note.remedy.replace(f"'{quoted}=", "'NAME=")
    rest = note.text.removeprefix(repr(note.column))
    return note.level, _PARTS.sub("", rest), remedy


def _for_all(members: Sequence[Note]) -> Note:
    first = members[0]
    rest = first.text.removeprefix(repr(first.column)).removeprefix(":").strip()
    text = f"{len(members)} columns like {first.column!r}: {rest}"
    before, mark, _ = first.remedy.partition("--")
    if not mark:
        text += f" (all: {', '.join(str(one.column) for one in members)})"
    options = (mark + one.remedy.partition("--")[2] for one in members)
    return Note(text, first.level, None, before + " ".join(dict.fromkeys(options)))


def _sentence(one: Decision) -> str:
    """Say what matters about a column first, and what was done with it then."""
    if not one.level or not one.detail:
        return str(replace(one, remedy=""))
    return f"{one.column!r}: {one.detail} ({one.noun}: {one.action})"
