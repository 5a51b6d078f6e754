"""Where a source is: a path, a pattern, or a name below the folders for data."""

from __future__ import annotations

import glob
import os
import re
from pathlib import Path

from whitecrow.errors import DataError

__all__ = ["STDIN", "expand", "locate", "places"]

STDIN = Path("-")
"""Stands for standard input wherever a file may be named."""


def locate(source: str | Path) -> Path:
    """Return the path of a source: as given, or below one of the folders for data.

    Raises
    ------
    DataError
        It is in none of these places; the message names them.

    Examples
    --------
    >>> locate("no_such_file.csv")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ...
    whitecrow.errors.DataError: no_such_file.csv: no such file or folder; ...
    """
    text = str(source)
    if text == str(STDIN):
        return STDIN
    if re.match(r"[a-z][a-z0-9+]+://", text):
        raise DataError(f"{text}: addresses are not read; download the file first")
    given = _at_home(text)
    try:
        for place in (Path(), *places()):
            if text and (place / given).exists():
                return place / given
    except (OSError, ValueError) as error:  # too long a name, or a NUL in it
        raise DataError(f"{text[:80]!r}: not a path ({error})") from error
    looked = ", ".join(["as given", *(str(place) for place in places())])
    hint = "" if "WHITECROW_DATA" in os.environ else "; $WHITECROW_DATA is not set"
    raise DataError(f"{text}: no such file or folder; looked {looked}{hint}")


def places() -> list[Path]:
    """Return the folders where data are looked for besides the path as given."""
    found = []
    if folder := os.environ.get("WHITECROW_DATA"):
        found.append(_at_home(folder))
    roots = [_working_folder()]
    checkout = Path(__file__).resolve().parents[3]
    if (checkout / "pyproject.toml").exists():  # not installed, but worked on
        roots.append(checkout)
    for root in filter(None, roots):
        shared = root.parent / "shared" / "data"
        if shared.is_dir() and shared not in found:
            found.append(shared)
    return found


def expand(source: str | Path) -> list[Path]:
    """Return the files of a pattern in the order of their names, or the one source.

    Parameters
    ----------
    source : str or Path
        A path, a pattern such as `data/*.csv`, or `-` for standard input.

    Raises
    ------
    DataError
        Nothing is there; the message says where it was looked for.
    """
    text = str(source)
    if not glob.has_magic(text) or os.path.lexists(text):
        return [locate(source)]
    for place in (Path(), *places()):
        pattern = str(place / _at_home(text))
        # Path.glob takes no absolute patterns.
        found = sorted(map(Path, glob.glob(pattern, recursive=True)))  # noqa: PTH207
        if files := [path for path in found if path.is_file()]:
            return files
    raise DataError(
        f"{text}: the pattern matches no file; quote it so that the shell leaves it "
        "alone, and check the folder"
    )


def _working_folder() -> Path | None:
    try:
        return Path.cwd()
    except OSError:  # it was deleted while we stand in it
        return None


def _at_home(text: str) -> Path:
    try:
        return Path(text).expanduser()
    except (RuntimeError, ValueError):  # ~name without an account here, or a NUL
        return Path(text)
