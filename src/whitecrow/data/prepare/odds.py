"""Tables of the ODDS library: MATLAB files with X and y, where 1 is an outlier."""

from __future__ import annotations

from whitecrow.data.prepare.layout import Layout

__all__ = ["LAYOUTS"]

PAGE = "https://odds.cs.stonybrook.edu/"


def attack(text: str) -> str:
    """Return "outlier" for 1: ODDS tells outliers from the rest and nothing more."""
    return "outlier" if text == "1" else text


LAYOUTS = tuple(
    Layout(
        name=name,
        title=f"{name.capitalize()} (ODDS)",
        source=f"{PAGE} ({name}.mat)",
        files=f"{name}.mat",
        here=(f"odds_{name}",),
        label="y",
        normal="0",
        reversible=False,
        attack=attack,
    )
    for name in ("arrhythmia", "thyroid")
)
