"""Write files: whole or not at all, over our own only, failures in one line."""

from __future__ import annotations

import gzip
import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from whitecrow.errors import DataError

__all__ = [
    "check_writable",
    "out_folder",
    "refuse_foreign",
    "refuse_inputs",
    "replacing",
]

# What our files have near an end: reports, models, tables of scores, of labels and of
# agreement.
_OURS = (
    *(b'content="whitecrow ', b"manifest.sha256", b"anomaly_score"),
    *(b"annotators", b'"annotator","other"'),
)
_NEAR = 2**16
# Nobody means a folder of such a name.
_FILES = {".crow", ".csv", ".gz", ".html", ".json", ".parquet", ".tsv", ".txt", ".xlsx"}


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """Give a temporary name that takes the place of `path` when the block ends well.

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
    """Put a refusal of the system in one line."""
    reason = os.strerror(error.errno) if error.errno else " ".join(str(error).split())
    return DataError(
        f"cannot write {path}: {reason}; free some space or give another place with -o"
    )


def refuse_inputs(
    targets: Iterable[Path], inputs: Iterable[Path], option: str = "-o"
) -> None:
    """Refuse to write over a file that is read, however its path is spelt.

    Parameters
    ----------
    targets, inputs : iterable of Path
        What is written and what is read.
    option : str
        The option that names the targets, for the message.

    Raises
    ------
    DataError
        When a target and an input are the same file, through links as well.
    """
    written = [target for target in targets if target.exists()]
    if not written:
        return
    read = [path for path in inputs if path.exists()]
    for target in written:
        for path in read:
            if target.samefile(path):
                raise DataError(
                    f"{option} {target}: this would overwrite the input {path}; give "
                    "another name"
                )


def refuse_foreign(targets: Iterable[Path], option: str = "-o") -> None:
    """Refuse to write over a file that none of our commands wrote.

    Parameters
    ----------
    targets : iterable of Path
        What is written.
    option : str
        The option that names the targets, for the message.

    Raises
    ------
    DataError
        When there is such a file, or something that is no file.
    """
    for target in targets:
        if target.exists() and not target.is_file():
            what = "a folder" if target.is_dir() else "no regular file"
            raise DataError(
                f"{option}: cannot write {target}: it is {what}; give another name"
            )
        if target.exists() and not _is_ours(target):
            raise DataError(
                f"{option}: {target} exists and is not of whitecrow; move it, or give "
                "another name"
            )


def _is_ours(path: Path) -> bool:
    with path.open("rb") as file:
        start = file.read(_NEAR)
        file.seek(max(0, path.stat().st_size - _NEAR))
        end = file.read()
    if start[:2] == b"\x1f\x8b":
        with gzip.open(path) as packed:
            start = packed.read(_NEAR)
    return not start or any(mark in part for mark in _OURS for part in (start, end))


def check_writable(path: str | Path, inputs: Iterable[Path] = ()) -> Path:
    """Refuse a target that cannot be written, before hours are spent on its content.

    Parameters
    ----------
    path : path
        The file to write.
    inputs : iterable of Path
        Files that are read, and must not be overwritten.

    Raises
    ------
    DataError
        When `path` is a folder, a device or an input, or its folder does not exist or
        is not writable.
    """
    target = Path(path)
    if target.is_dir():
        raise DataError(
            f"cannot write {target}: it is a folder; give the name of a file in it"
        )
    if target.exists() and not target.is_file():
        raise DataError(
            f"cannot write {target}: it is no regular file; give another name"
        )
    if not target.parent.is_dir():
        raise DataError(
            f"cannot write {target}: there is no folder {target.parent}; make it first"
        )
    refuse_inputs([target], inputs)
    _try(target.parent)
    return target


def out_folder(
    path: str | Path, names: Iterable[str] = (), inputs: Iterable[Path] = ()
) -> Path:
    """Make a folder for output, if it does not exist.

    Parameters
    ----------
    path : path
        The folder.
    names : iterable of str
        Files that will be written into it.
    inputs : iterable of Path
        Files that are read: none of `names` may be one of them.

    Raises
    ------
    DataError
        When it cannot be made or written to, its name is that of a file, or an input
        would be overwritten.
    """
    folder = Path(path)
    if folder.suffix.lower() in _FILES and not folder.exists():
        raise DataError(
            f"-o {folder} would be a folder with several files; give a name without "
            f"{folder.suffix}"
        )
    if folder.is_file():
        refuse_inputs([folder], inputs)
        raise DataError(
            f"cannot write {folder}: it is a file; give the name of a folder with -o"
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise cannot_write(folder, error) from error
    refuse_inputs([folder / name for name in names], inputs)
    _try(folder)
    return folder


def _try(folder: Path) -> None:
    # Asking for permissions says nothing about read-only file systems or for root.
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise cannot_write(folder, error) from error
