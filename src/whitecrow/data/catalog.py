"""The data sets that whitecrow knows by name: what they are, where, on which terms.

The facts are in `catalog.toml` beside this file, one entry a set. A set is looked for
in `$WHITECROW_DATA`, then in `../shared/data`, and is fetched into the cache only when
it was asked for by name, has an address, and is nowhere on this machine. Sets that
`whitecrow data prepare` wrote into `prepared/` below these folders have a name too.
"""

from __future__ import annotations

import difflib
import json
import tomllib
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from whitecrow.data import download, places
from whitecrow.data.entry import CARD, PREPARED, SKLEARN, Entry, verify
from whitecrow.errors import DataError

__all__ = [
    "SKLEARN",
    "Entry",
    "get",
    "groups",
    "has",
    "is_available",
    "is_known",
    "names",
    "path",
    "prepared",
]


def names() -> tuple[str, ...]:
    """Return the sorted names of all sets, except those prepared on this machine.

    Examples
    --------
    >>> "breast_cancer" in names()
    True
    """
    return tuple(sorted(_entries()))


def get(name: str) -> Entry:
    """Look up the entry of a set by its name.

    Parameters
    ----------
    name : str
        A name of `names()`; case does not matter, a dash is as good as an underscore.

    Raises
    ------
    DataError
        If there is no such set; the message has the closest names.

    Examples
    --------
    >>> get("cardio").rows
    1831
    """
    key = _key(name)
    entries = _entries()
    if key in entries:
        return entries[key]
    entries = prepared() | entries
    if key in entries:
        return entries[key]
    close = difflib.get_close_matches(key, entries, n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(close)}? " if close else ""
    raise DataError(
        f"no data set is called {name!r}; {hint}`whitecrow data list` shows all "
        f"{len(entries)}"
    )


def has(name: str) -> bool:
    """Tell whether `get` finds a set of this name.

    Examples
    --------
    >>> has("Breast-Cancer"), has("kdd_11")
    (True, False)
    """
    return is_known(_key(name))


def is_known(name: str) -> bool:
    """Tell whether a set, catalogued or prepared, has exactly this name.

    Examples
    --------
    >>> is_known("breast_cancer"), is_known("Breast-Cancer")
    (True, False)
    """
    return name in _entries() or name in prepared()


def prepared() -> dict[str, Entry]:
    """Return the sets prepared into `prepared/` below the data folders, by name.

    Names of the catalogue take precedence. A data card that cannot be read, or has no
    table beside it, is skipped.
    """
    found: dict[str, Entry] = {}
    for folder in places.places():
        for card in sorted((folder / PREPARED).glob(f"*{CARD}")):
            entry = _prepared_entry(card)
            if entry is not None and entry.name not in _entries():
                found.setdefault(entry.name, entry)
    return found


def is_available(name: str) -> bool:
    """Tell whether a set can be loaded without a download.

    Examples
    --------
    >>> is_available("breast_cancer")
    True
    """
    entry = get(name)
    cached = download.cache_folder() / entry.where
    return entry.where == SKLEARN or _local(entry) is not None or cached.exists()


def path(name: str, *, check: bool = False) -> Path:
    """Return the path of a set on this machine; fetch the set first if it is missing.

    Parameters
    ----------
    name : str
        A name of `names()`.
    check : bool, default=False
        Compare size and sha256 with the catalogue, once for a file in a process. A set
        from the cache is always checked.

    Raises
    ------
    DataError
        If the set has no file (scikit-learn ships it), is nowhere and cannot be
        fetched, or is not the file that the catalogue knows.
    """
    entry = get(name)
    if entry.where == SKLEARN:
        raise DataError(
            f"{entry.name} is shipped by scikit-learn and has no file; use its name"
        )
    found = _local(entry)
    if found is None:
        return download.fetch(entry)
    if check:
        verify(found, entry)
    return found


def groups(name: str) -> dict[str, tuple[str, ...]]:
    """Return the named groups of classes of a set: group -> classes.

    Examples
    --------
    >>> groups("mnist")["CUR"]
    ('0', '3', '8')
    """
    found = _catalogue().get("groups", {}).get(_key(name), {})
    return {group: tuple(classes) for group, classes in found.items()}


def _key(name: str) -> str:
    return name.strip().lower().replace("-", "_")


def _prepared_entry(card: Path) -> Entry | None:
    stem = card.name.removesuffix(CARD)
    table = card.with_name(f"{stem}.parquet")
    if not table.exists():
        return None
    try:
        facts = json.loads(card.read_text(encoding="utf-8"))
        return Entry(
            name=_key(stem),
            kind="table",
            rows=facts["rows"],
            features=facts["features"],
            anomalies=facts["anomalies"],
            where=f"{PREPARED}/{table.name}",
            bytes=facts["bytes"],
            sha256=facts["sha256"],
            source=f"prepared from {facts['title']}, {facts['source']}",
            terms="those of the original files",
            license="that of the original files",
            label_column=facts["label_column"],
            anomaly_values=("1",),
            ignore=tuple(facts["ignore"]),
            hint=f"label: {facts['label_convention']}",
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _local(entry: Entry) -> Path | None:
    found = (folder / entry.where for folder in places.places())
    return next((place for place in found if place.exists()), None)


@cache
def _catalogue() -> dict[str, Any]:
    text = resources.files("whitecrow.data").joinpath("catalog.toml").read_text("utf-8")
    return tomllib.loads(text)


@cache
def _entries() -> dict[str, Entry]:
    table = _catalogue()
    return {
        name: _entry(name, table["origins"][facts["origin"]] | facts)
        for name, facts in table["sets"].items()
    }


def _entry(name: str, facts: dict[str, Any]) -> Entry:
    lists = {key: tuple(value) for key, value in facts.items() if type(value) is list}
    facts = {key: value for key, value in facts.items() if key != "origin"} | lists
    if "url" in facts:
        facts["url"] = facts["url"].format(file=Path(facts["where"]).name)
    return Entry(name=name, **facts)
