"""Published tables as one Parquet file each, from the files as their authors give them.

A layout says how the original files are written and what publications make of them
(`kdd`, `cic`, `malmem`, `odds`); `stream` carries it out, in batches.
"""

from __future__ import annotations

import re
from functools import cache

from whitecrow.data.prepare import cic, kdd, malmem, odds
from whitecrow.data.prepare.layout import Layout
from whitecrow.errors import DataError

__all__ = ["find", "knows", "layouts"]


def layouts() -> tuple[Layout, ...]:
    """Return the layouts of all sets that can be prepared, sorted by name.

    Examples
    --------
    >>> [layout.name for layout in layouts() if layout.anomaly == "normal"]
    ['kdd10', 'usb_ids_1']
    """
    parts = (cic.LAYOUTS, kdd.LAYOUTS, malmem.LAYOUTS, odds.LAYOUTS)
    return tuple(sorted(sum(parts, ()), key=lambda layout: layout.name))


def knows(name: str) -> bool:
    """Tell whether there is a layout of this name.

    Examples
    --------
    >>> knows("CIC-IDS2017"), knows("cardio")
    (True, False)
    """
    return _key(name) in _by_name()


def find(name: str) -> Layout:
    """Find the layout of a set.

    Parameters
    ----------
    name : str
        Its name or another name of it; case, dashes and underscores do not matter.

    Raises
    ------
    DataError
        If there is none; the message lists the names.

    Examples
    --------
    >>> find("NSL-KDD").label
    'label'
    """
    if not knows(name):
        legal = ", ".join(layout.name for layout in layouts())
        raise DataError(
            f"no layout is called {name!r}, so its files cannot be prepared; there are "
            f"{legal}"
        )
    return _by_name()[_key(name)]


@cache
def _by_name() -> dict[str, Layout]:
    return {
        _key(name): layout
        for layout in layouts()
        for name in (layout.name, *layout.aliases)
    }


def _key(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())
