"""Names of columns: trimmed, complete, and each only once."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["unique"]

_SHOWN = 5


def unique(
    raw: Sequence[str], *, first: int = 1
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Strip blanks off names, fill gaps and rename doubles; describe the changes.

    Parameters
    ----------
    raw : sequence of str
        The names as they stand in the file.
    first : int, default=1
        The number of the first column, for columns without a name.

    Examples
    --------
    >>> unique(["price", "", "price"])[0]
    ('price', 'column_2', 'price.2')
    """
    names = [name.strip() for name in raw]
    taken = set(names)
    seen: set[str] = set()
    numbers: dict[str, int] = {}
    nameless, renamed = [], []
    for j, name in enumerate(names):
        if not name:
            names[j] = _free(f"column_{j + first}", "_{}", taken, numbers)
            nameless.append((j + first, names[j]))
        elif name in seen:
            names[j] = _free(name, ".{}", taken, numbers)
            renamed.append((name, names[j]))
        seen.add(names[j])
        taken.add(names[j])
    return tuple(names), (*_nameless(nameless), *_renamed(renamed))


def _free(name: str, pattern: str, taken: set[str], numbers: dict[str, int]) -> str:
    number, free = numbers.get(name, 1), name
    while free in taken:
        number += 1
        free = name + pattern.format(number)
    numbers[name] = number
    return free


def _nameless(found: list[tuple[int, str]]) -> list[str]:
    if not found:
        return []
    if len(found) == 1:
        return [f"column {found[0][0]} has no name and is called {found[0][1]}"]
    shown = ", ".join(name for _, name in found[:_SHOWN])
    more = ", ..." if len(found) > _SHOWN else ""
    return [f"{len(found)} columns have no name and are called {shown}{more}"]


def _renamed(found: list[tuple[str, str]]) -> list[str]:
    if not found:
        return []
    shown = ", ".join(f"{old!r} is now {new!r}" for old, new in found[:_SHOWN])
    more = f", and {len(found) - _SHOWN:,} more" if len(found) > _SHOWN else ""
    return [f"names that stand twice were made different: {shown}{more}"]
