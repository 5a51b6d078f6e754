"""The data sets that whitecrow knows by name: what they are, where, on which terms.

The facts are in `catalog.toml` beside this file, one entry a set. A set is looked for
in `$WHITECROW_DATA`, then in `../shared/data`, and is fetched into the cache only when
it was asked for by name, has an address, and is nowhere on this machine. Sets that
`whitecrow data prepare` wrote into `prepared/` below these folders have a name too.
"""

from __future__ import annotations

import difflib
import hashlib
import json
import tomllib
from dataclasses import dataclass, replace
from functools import cache
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from whitecrow import labels
from whitecrow.errors import DataError

if TYPE_CHECKING:
    from whitecrow.data.content import Pictures, Table

__all__ = [
    "Entry",
    "codes_of",
    "digest",
    "get",
    "has",
    "is_available",
    "is_known",
    "load",
    "names",
    "path",
    "prepared",
    "verify",
]

SKLEARN = "sklearn"
PREPARED = "prepared"
CARD = ".card.json"
"""What the name of a data card has in place of `.parquet`."""


@dataclass(frozen=True)
class Entry:
    """One data set of the catalogue.

    Attributes
    ----------
    name : str
        What the set is called here and on the command line.
    kind : str
        "table", "pictures" or "network" (a table of network connections).
    rows, features : int
        Rows or pictures; columns without the label and the ignored ones, or values of
        one picture.
    anomalies : int or None
        None where the labels are classes and the experiment chooses the normal ones.
    where : str
        Path below the data folder, or "sklearn" for a set that scikit-learn ships.
    bytes : int or None
        Size of the file, or of all files of the folder.
    sha256 : str or None
        Of the file, or of the folder's listing (see `digest`).
    url : str or None
        Where it can be fetched as it is; None where it must be got by hand.
    source, terms, license : str
        Where it comes from, what is allowed and asked for, and the licence.
    label_column : str or None
        The column with the truth.
    anomaly_values : tuple of str
        Its values that mean an anomaly; "!normal" means every value but "normal".
    ignore : tuple of str
        Columns that give the truth away or are not features.
    hint : str
        What to know before using it.
    """

    name: str
    kind: str
    rows: int
    features: int
    where: str
    source: str
    terms: str
    license: str
    anomalies: int | None = None
    bytes: int | None = None
    sha256: str | None = None
    url: str | None = None
    label_column: str | None = None
    anomaly_values: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    hint: str = ""


def names() -> tuple[str, ...]:
    """The names of all sets but those that were prepared here, sorted.

    Examples
    --------
    >>> "breast_cancer" in names()
    True
    """
    return tuple(sorted(_entries()))


def get(name: str) -> Entry:
    """What the catalogue says about a set.

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
    """Whether `get` finds a set of this name.

    Examples
    --------
    >>> has("Breast-Cancer"), has("kdd_11")
    (True, False)
    """
    return is_known(_key(name))


def is_known(name: str) -> bool:
    """Whether a set is called exactly so, in the catalogue or among the prepared ones.

    Examples
    --------
    >>> is_known("breast_cancer"), is_known("Breast-Cancer")
    (True, False)
    """
    return name in _entries() or name in prepared()


def prepared() -> dict[str, Entry]:
    """The sets that were prepared into `prepared/` below the data folders, by name.

    A name that the catalogue has keeps its meaning. A data card that cannot be read, or
    has no table beside it, is passed over.
    """
    from whitecrow.data import places

    found: dict[str, Entry] = {}
    for folder in places.places():
        for card in sorted((folder / PREPARED).glob(f"*{CARD}")):
            entry = _prepared_entry(card)
            if entry is not None and entry.name not in _entries():
                found.setdefault(entry.name, entry)
    return found


def is_available(name: str) -> bool:
    """Whether a set can be loaded without a download.

    Examples
    --------
    >>> is_available("breast_cancer")
    True
    """
    entry = get(name)
    return entry.where == SKLEARN or _local(entry) is not None or _cached(entry)


def path(name: str, *, check: bool = False) -> Path:
    """Where a set lies on this machine; fetched first where that is possible.

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
            f"{entry.name} is shipped by scikit-learn and has no file; use "
            f"catalog.load({entry.name!r})"
        )
    found = _local(entry)
    if found is None:
        from whitecrow.data import download

        return download.fetch(entry)
    if check:
        verify(found, entry)
    return found


def load(name: str) -> Table | Pictures:
    """A set, read into memory.

    Parameters
    ----------
    name : str
        A name of `names()`.

    Returns
    -------
    Table or Pictures
        As `reading.read` gives them; a table also knows its label column.

    Raises
    ------
    DataError
        As for `get` and `path`, or if the file cannot be read.

    Examples
    --------
    >>> load("breast_cancer").n_rows
    569
    """
    from whitecrow.data import _shipped, content, reading

    entry = get(name)
    if entry.where == SKLEARN:
        return _shipped.load(entry)
    data = reading.read(path(name))
    if not isinstance(data, content.Table):
        return data
    notes = data.notes
    if entry.ignore:
        notes += (f"columns that are not features: {', '.join(entry.ignore)}",)
    return replace(data, label_column=entry.label_column, notes=notes)


def codes_of(values: ArrayLike, anomaly_values: tuple[str, ...]) -> NDArray[np.int8]:
    """A label column as codes, by the values that mean an anomaly.

    Parameters
    ----------
    values : array-like of shape (n,)
        The label column; numbers are compared as numbers, everything else as text.
    anomaly_values : tuple of str
        The values that mean an anomaly, or "!value" for every value but that one.

    Returns
    -------
    ndarray of int8, shape (n,)
        `ANOMALY`, `NORMAL`, or `UNLABELLED` where the value is missing.

    Raises
    ------
    DataError
        If plain values and "!value" are mixed, or none is given.

    Examples
    --------
    >>> codes_of(["neptune", "normal", None], ("!normal",))
    array([ 1,  0, -1], dtype=int8)
    >>> codes_of([0.0, 1.0], ("1",))
    array([0, 1], dtype=int8)
    """
    negated = [value.startswith("!") for value in anomaly_values]
    if not anomaly_values or any(negated) != all(negated):
        raise DataError(
            f"anomaly values {anomaly_values} are neither all plain nor all '!value': "
            "give the values that mean an anomaly, or '!normal' for all but normal"
        )
    wanted = {_canonical(value.removeprefix("!")) for value in anomaly_values}
    # A set has few distinct labels and many rows: decide once per distinct value.
    column = np.asarray(values)
    rows = (column if column.dtype.kind in "iufb" else column.astype(object)).tolist()
    texts = {value: _canonical(value) for value in set(rows)}
    decided = {
        value: labels.UNLABELLED if text is None else (text in wanted) != negated[0]
        for value, text in texts.items()
    }
    return np.array([decided[value] for value in rows], dtype=np.int8)


def digest(where: Path) -> str:
    """The sha256 of a file, or of a folder's sorted listing.

    The listing has one line for every file: its path below the folder, a tab, its
    sha256, a newline.
    """
    if where.is_dir():
        files = (file for file in where.rglob("*") if file.is_file())
        lines = (f"{f.relative_to(where).as_posix()}\t{digest(f)}\n" for f in files)
        return hashlib.sha256("".join(sorted(lines)).encode()).hexdigest()
    with where.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def verify(where: Path, entry: Entry) -> None:
    """Check that a file or folder is the one that the catalogue knows.

    Raises
    ------
    DataError
        If its size or its sha256 differs.
    """
    size = _size(where)
    if size != entry.bytes:
        raise DataError(
            f"{where} has {size} bytes, the catalogue's {entry.name} has "
            f"{entry.bytes}; replace or remove it"
        )
    stamp = where.stat().st_mtime_ns
    if _digest_once(where, stamp) != entry.sha256:
        raise DataError(
            f"{where} is not the catalogue's {entry.name}: its sha256 is "
            f"{_digest_once(where, stamp)}, not {entry.sha256}; replace or remove it"
        )


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


@cache
def _digest_once(where: Path, stamp: int) -> str:
    return digest(where)


def _size(where: Path) -> int:
    files = where.rglob("*") if where.is_dir() else (where,)
    return sum(file.stat().st_size for file in files if file.is_file())


def _local(entry: Entry) -> Path | None:
    from whitecrow.data import places

    found = (folder / entry.where for folder in places.places())
    return next((place for place in found if place.exists()), None)


def _cached(entry: Entry) -> bool:
    from whitecrow.data import download

    return (download.cache_folder() / entry.where).exists()


def _canonical(value: Any) -> str | None:
    """A label as text, equal for 1, 1.0, True and "1"; None where it is missing."""
    if value is None or value != value or value == "":
        return None
    try:
        return repr(float(value))
    except (TypeError, ValueError):
        return str(value).strip()


@cache
def _entries() -> dict[str, Entry]:
    text = resources.files("whitecrow.data").joinpath("catalog.toml").read_text("utf-8")
    table = tomllib.loads(text)
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
