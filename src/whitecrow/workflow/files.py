"""Writing files: whole or not at all, and a failure is one line."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from whitecrow.errors import DataError

__all__ = ["check_writable", "out_folder", "replacing"]


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """A temporary name beside `path`, which takes its place when the block ends well.

    Raises
    ------
    DataError
        When the system refuses to write (no space, no permission); nothing is left
        behind, and an older file of that name stays as it was.

    Examples
    --------
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with replacing(Path(folder) / "a.txt") as name:
    ...         _ = name.write_text("whole")
    ...     os.listdir(folder)
    ['a.txt']
    """
    target = Path(path)
    temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        yield temporary
        temporary.replace(target)
    except OSError as error:
        raise cannot_write(target, error) from error
    finally:
        temporary.unlink(missing_ok=True)


def cannot_write(path: Path, error: OSError) -> DataError:
    """The one line for a refusal of the system."""
    reason = os.strerror(error.errno) if error.errno else " ".join(str(error).split())
    return DataError(
        f"cannot write {path}: {reason}; free some space or give another place with -o"
    )


def check_writable(path: str | Path) -> Path:
    """Refuse a target that cannot be written, before hours are spent on its content.

    Raises
    ------
    DataError
        When `path` is a folder, or its folder does not exist or is not writable.
    """
    target = Path(path)
    if target.is_dir():
        raise DataError(
            f"cannot write {target}: it is a folder; give the name of a file in it"
        )
    if not target.parent.is_dir():
        raise DataError(
            f"cannot write {target}: there is no folder {target.parent}; make it first"
        )
    _try(target.parent)
    return target


def out_folder(path: str | Path) -> Path:
    """A folder for output, made if it does not exist.

    Raises
    ------
    DataError
        When it cannot be made or written to.
    """
    folder = Path(path)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise cannot_write(folder, error) from error
    _try(folder)
    return folder


def _try(folder: Path) -> None:
    # Asking for permissions says nothing about read-only file systems or for root.
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise cannot_write(folder, error) from error
