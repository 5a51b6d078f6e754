"""An entry of the catalogue, and the check that a file is the one it knows."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from whitecrow.errors import DataError

__all__ = ["CARD", "PREPARED", "SKLEARN", "Entry", "digest", "verify"]

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


def digest(where: Path) -> str:
    """Return the sha256 of a file, or of a folder's sorted listing.

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
    files = where.rglob("*") if where.is_dir() else (where,)
    size = sum(file.stat().st_size for file in files if file.is_file())
    if size != entry.bytes:
        raise DataError(
            f"{where} has {size} bytes, the catalogue's {entry.name} has "
            f"{entry.bytes}; replace or remove it"
        )
    found = _digest_once(where, where.stat().st_mtime_ns)
    if found != entry.sha256:
        raise DataError(
            f"{where} is not the catalogue's {entry.name}: its sha256 is {found}, not "
            f"{entry.sha256}; replace or remove it"
        )


@cache
def _digest_once(where: Path, stamp: int) -> str:
    return digest(where)
