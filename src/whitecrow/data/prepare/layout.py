"""What a layout of original files is: facts, which one mechanism carries out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

__all__ = ["LABEL", "NORMAL", "OTHERS", "Anomaly", "Columns", "Layout", "convention"]

Anomaly = Literal["attack", "normal"]

LABEL = "label"
OTHERS = ("category", "split")
"""Columns of the output that are no features, besides the label."""
NORMAL = "normal"
"""The category of normal rows, whatever the original files call them."""

Columns = tuple[str, ...]


def _as_it_is(text: str) -> str:
    return text


@dataclass(frozen=True, kw_only=True)
class Layout:
    """How the original files of a data set are written, and what to make of them.

    Attributes
    ----------
    name, title : str
        What the set is called on the command line and in print.
    source : str
        Where a person gets the original files.
    files : str
        What to give to `whitecrow data prepare` then.
    label : str
        The column with the truth.
    normal : str
        Its value for normal rows, in small letters.
    aliases : tuple of str
        Other names of the set.
    here : tuple of str
        Sets of the catalogue that together are the original files.
    anomaly : {"attack", "normal"}
        Which class publications call the anomaly; "normal" is the reversed convention.
    reversible : bool
        Whether the other convention makes sense.
    names : tuple of str
        Columns of files without a header.
    required : tuple of str
        Columns by which the right files are recognised.
    symbolic : tuple of str
        Columns whose values are names even where they look like numbers.
    drop : mapping of column to reason
        What is left out where it is present.
    zero : tuple of str
        Columns where an undefined value (x / 0) becomes 0 instead of removing the row.
    never_negative : bool
        Whether a negative number is an error of the measurement.
    groups : mapping of name to function
        Choices of features: from the columns that are there to those that are kept.
    revived : tuple of str
        Columns of `drop` that a group may choose.
    splits : bool
        Whether the file names say train or test.
    attacks_per_normal : float or None
        Attacks are thinned out at random to this multiple of the normal rows.
    attack : callable
        From the text of a label to the name of the attack.
    family : callable
        From the name of an attack to its family.
    """

    name: str
    title: str
    source: str
    files: str
    label: str
    normal: str
    aliases: tuple[str, ...] = ()
    here: tuple[str, ...] = ()
    anomaly: Anomaly = "attack"
    reversible: bool = True
    names: Columns = ()
    required: Columns = ()
    symbolic: Columns = ()
    drop: Mapping[str, str] = field(default_factory=dict)
    zero: Columns = ()
    never_negative: bool = False
    groups: Mapping[str, Callable[[Columns], Columns]] = field(default_factory=dict)
    revived: Columns = ()
    splits: bool = False
    attacks_per_normal: float | None = None
    attack: Callable[[str], str] = _as_it_is
    family: Callable[[str], str] = _as_it_is


def convention(layout: Layout, anomaly: Anomaly) -> str:
    """Say what the label means, in words that name a reversal."""
    if not layout.reversible:
        return "1 = outlier, 0 = the rest"
    if anomaly == "normal":
        return "REVERSED: 1 = normal, 0 = attack"
    return "1 = attack, 0 = normal"
