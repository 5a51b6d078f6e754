"""Zip archives with one table, and standard input: spooled to a temporary file."""

from __future__ import annotations

import shutil
import sys
import zipfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path, PurePosixPath
from tempfile import mkdtemp
from typing import Any, BinaryIO
from weakref import finalize

from whitecrow.data.formats.streams import Bytes
from whitecrow.errors import DataError

__all__ = ["check_sizes", "members_of", "spooled", "unzipped"]

LARGEST = 64 << 30  # bytes that a member may have once it is unpacked
SUSPECT = 1 << 30  # bytes from which a member must not be mostly repetition
RATIO = 200
_MINOR = (".txt", ".dat", ".json", ".md")


def members_of(file: Bytes, what: str = "zip archive") -> list[zipfile.ZipInfo]:
    """Return the members of a zip archive, without folders.

    Raises
    ------
    DataError
        It is broken; the message calls it `what`.
    """
    try:
        with zipfile.ZipFile(file.path) as archive:
            return [info for info in archive.infolist() if not info.is_dir()]
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise DataError(
            f"{file.shown}: broken or cut-off {what} ({error}); copy or download "
            "it again"
        ) from error


def check_sizes(
    file: Bytes, members: Sequence[zipfile.ZipInfo], largest: int = LARGEST
) -> None:
    """Refuse an archive that would fill memory or disk once it is unpacked.

    Raises
    ------
    DataError
        A member is larger than `largest`, or is nearly all repetition, or encrypted.
    """
    for info in members:
        if info.flag_bits & 1:
            raise DataError(
                f"{file.shown}: {info.filename!r} is encrypted; unpack it with its "
                "password first"
            )
    size = sum(info.file_size for info in members)
    packed = sum(info.compress_size for info in members)
    if size > largest or (size > SUSPECT and size > RATIO * packed):
        raise DataError(
            f"{file.shown}: {packed:,} bytes would unpack to {size:,}; unpack it "
            "yourself if that is right, or write the data as Parquet"
        )


def unzipped(file: Bytes, suffixes: Sequence[str]) -> tuple[Bytes, str]:
    """Unpack the only table of a zip archive; return it and its name there.

    It is unpacked to a temporary file. Names of tables end in one of `suffixes`.

    Raises
    ------
    DataError
        There is no table or more than one, or it is too large.
    """
    members = members_of(file)
    tables = [info for info in members if _is_table(info.filename, suffixes)]
    major = [i for i in tables if not i.filename.lower().endswith(_MINOR)]
    if len(major) == 1 or (major and len(tables) > 1):
        tables = major
    if len(tables) != 1:
        names = ", ".join(repr(info.filename) for info in members[:8])
        more = f" and {len(members) - 8} more" if len(members) > 8 else ""
        found = f"{len(tables)} tables" if tables else "no table"
        raise DataError(
            f"{file.shown}: {found} in this archive ({names or 'nothing'}{more}); give "
            "an archive with one, or unpack it and name a file or a pattern"
        )
    (info,) = tables
    check_sizes(file, [info])
    name = PurePosixPath(info.filename).name
    try:
        with zipfile.ZipFile(file.path) as archive, archive.open(info) as stream:
            return _copied(stream, f"{file.shown}: {info.filename}"), name
    except Exception as error:  # the decoders raise nearly anything on broken bytes
        text = " ".join(str(error).split())[:160]
        raise DataError(
            f"{file.shown}: {info.filename!r} cannot be unpacked ({text}); copy or "
            "download the archive again"
        ) from error


def spooled() -> Bytes:
    """Copy standard input to a temporary file, once.

    Raises
    ------
    DataError
        Standard input is a terminal, or closed.
    """
    return _spooled(sys.stdin)


@cache
def _spooled(stdin: Any) -> Bytes:
    if stdin is None or stdin.closed or stdin.isatty():
        raise DataError(
            "-: standard input has no data; pipe a file into the command, for example "
            "`cat data.csv | whitecrow detect - -o out`"
        )
    return _copied(getattr(stdin, "buffer", stdin), "-")


def _copied(stream: BinaryIO | Any, shown: str) -> Bytes:
    folder = _Folder()
    place = folder.path / "data"
    with place.open("wb") as target:
        shutil.copyfileobj(stream, target, 1 << 20)
    return Bytes(place, shown, keep=folder)


class _Folder:
    """A temporary folder that goes when nothing refers to it any more."""

    def __init__(self) -> None:
        self.path = Path(mkdtemp(prefix="whitecrow-"))
        finalize(self, shutil.rmtree, self.path, ignore_errors=True)


def _is_table(name: str, suffixes: Sequence[str]) -> bool:
    parts = [part for part in PurePosixPath(name).parts if part != ".."]
    hidden = any(part.startswith((".", "__MACOSX")) for part in parts)
    return not hidden and name.lower().endswith(tuple(suffixes))
