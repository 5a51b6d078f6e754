"""What was decided in reading data, as sentences for people, the loudest first."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from whitecrow.data.formats.table import Loud

if TYPE_CHECKING:
    from whitecrow.data.kinds import Decision

__all__ = ["LOUD", "ORDINARY", "WORTH_KNOWING", "Note", "gathered"]

ORDINARY, WORTH_KNOWING, LOUD = 0, 1, 2


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


def _sentence(one: Decision) -> str:
    """Say what matters about a column first, and what was done with it then."""
    if not one.level or not one.detail:
        return str(replace(one, remedy=""))
    return f"{one.column!r}: {one.detail} ({one.noun}: {one.action})"
