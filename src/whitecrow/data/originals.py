"""Picture sets in the files that their authors give: IDX (MNIST, EMNIST) and CIFAR's.

A folder with such files is read like an array with parts: the official training and
test pictures with their classes. Nothing is unpickled: of CIFAR's Python files, which
are pickles, only the texts and numbers are looked at, in the order in which they stand.
"""

from __future__ import annotations

import gzip
import io
import math
import pickletools
import re
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from whitecrow.errors import DataError

__all__ = ["arrays_of", "holds_originals", "read_cifar", "read_idx"]

Arrays = dict[str, NDArray[Any]]

_IDX = re.compile(
    r"(?P<set>.*?)(?P<part>train|t10k|test)-(?P<what>images|labels)[-.]"
    r"idx[13]-ubyte(\.gz)?$"
)
_IDX_TYPES = {
    0x08: ">u1",
    0x09: ">i1",
    0x0B: ">i2",
    0x0C: ">i4",
    0x0D: ">f4",
    0x0E: ">f8",
}
_CIFAR = {
    "train": re.compile(r"(data_batch_\d+|train)$"),
    "test": re.compile(r"(test_batch|test)$"),
}
_META = {"batches.meta": "label_names", "meta": "fine_label_names"}
_LABELS = ("labels", "fine_labels")
_PIXELS = 3 * 32 * 32
# Names of opcodes.
_TEXTS = ("STRING", "UNICODE", "UNICODE8", "BYTES", "BYTES8")
_NUMBERS = {"BININT", "BININT1", "BININT2", "INT", "LONG1"}
_LETTERS = [*"ABCDEFGHIJKLMNOPQRSTUVWXYZ"]


def holds_originals(folder: Path) -> bool:
    """Tell whether a folder has files of a set as its authors give it."""
    try:
        names = [path.name for path in folder.iterdir()]
    except OSError:  # the reader of pictures says why
        return False
    return any(map(_IDX.match, names)) or any(
        meta in names and (folder / meta).is_file() for meta in _META
    )


def arrays_of(
    folder: Path, *, raw_orientation: bool = False
) -> tuple[Arrays, tuple[str, ...]]:
    """Read the pictures and classes of all parts.

    Parameters
    ----------
    folder : Path
    raw_orientation : bool
        Leave the pictures of EMNIST as they are stored, rows and columns swapped; by
        default they stand upright, as those of MNIST.

    Returns
    -------
    arrays : dict
        `X_train`, `y_train`, `X_test`, `y_test`, as far as there are files of a part,
        and `class_names` where the files name them.
    notes : tuple of str

    Raises
    ------
    DataError
        If a file is broken, or there are files of several sets.
    """
    names = [path.name for path in folder.iterdir()]
    if any(map(_IDX.match, names)):
        return _idx_arrays(folder, raw_orientation)
    return _cifar_arrays(folder), ()


# ------------------------------------------------------------------------------- IDX


def read_idx(path: Path) -> NDArray[Any]:
    """Read one IDX file, packed by gzip or not.

    Raises
    ------
    DataError
        If it is no IDX file, or shorter or longer than it says.
    """
    content = path.read_bytes()
    if content[:2] == b"\x1f\x8b":
        try:
            content = gzip.decompress(content)
        except (OSError, EOFError) as error:
            raise DataError(f"{path}: broken ({error}); download it again") from error
    if len(content) < 4 or content[:2] != b"\0\0" or content[2] not in _IDX_TYPES:
        raise DataError(f"{path}: it does not begin as an IDX file does")
    kind, axes = np.dtype(_IDX_TYPES[content[2]]), content[3]
    start = 4 + 4 * axes
    if len(content) < start:
        raise DataError(f"{path}: it ends within its sizes; download it again")
    shape = struct.unpack(f">{axes}I", content[4:start])
    wanted = start + kind.itemsize * math.prod(shape)
    if len(content) != wanted:
        raise DataError(
            f"{path}: it says {' x '.join(map(str, shape))} and has {len(content):,} "
            f"bytes instead of {wanted:,}; download it again"
        )
    found = np.frombuffer(content, kind, offset=start).reshape(shape)
    return found.astype(kind.newbyteorder("="))


def _idx_arrays(folder: Path, raw_orientation: bool) -> tuple[Arrays, tuple[str, ...]]:
    found: Arrays = {}
    sets = set()
    for path in sorted(folder.iterdir()):
        match = _IDX.match(path.name)
        if match is None:
            continue
        sets.add(match["set"])
        part = "train" if match["part"] == "train" else "test"
        key = f"{'X' if match['what'] == 'images' else 'y'}_{part}"
        if key in found and len(sets) == 1:
            raise DataError(f"{folder}: the {part} part is there twice; keep one file")
        found[key] = read_idx(path)
    if len(sets) > 1:
        raise DataError(
            f"{folder} has files of several sets ({', '.join(sorted(sets))}); give a "
            "folder with those of one"
        )
    (name,) = sets
    _check_pairs(folder, found)
    if not name.lower().startswith("emnist"):
        return found, ()
    if "letters" in name:
        found["class_names"] = np.array(["", *_LETTERS])
    if raw_orientation:
        return found, ()
    for key in ("X_train", "X_test"):
        if key in found:
            found[key] = np.ascontiguousarray(found[key].swapaxes(1, 2))
    return found, ("pictures of EMNIST are stored on their side: turned upright",)


# ----------------------------------------------------------------------------- CIFAR


class _Token(NamedTuple):
    """A text or a number of a pickle, where it stands."""

    text: bytes | None
    number: int | None


def read_cifar(path: Path) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Read pictures (n, 32, 32, 3) and classes of one of CIFAR's Python files.

    Raises
    ------
    DataError
        If it is none.
    """
    tokens = list(_tokens(path))
    longest = max((t.text for t in tokens if t.text is not None), key=len, default=b"")
    if not longest or len(longest) % _PIXELS:
        raise DataError(
            f"{path}: it holds no pictures of 32 x 32 in three colours; download it "
            "again (the version for Python)"
        )
    pixels = np.frombuffer(longest, np.uint8).reshape(-1, 3, 32, 32)
    classes = _numbers_after(tokens, _LABELS)
    if len(classes) != len(pixels):
        raise DataError(
            f"{path}: it has {len(classes)} classes for {len(pixels)} pictures; "
            "download it again"
        )
    return pixels.transpose(0, 2, 3, 1).copy(), np.array(classes)


def _cifar_arrays(folder: Path) -> Arrays:
    found: Arrays = {}
    for part, pattern in _CIFAR.items():
        paths = [p for p in sorted(folder.iterdir()) if pattern.match(p.name)]
        if any(path.is_file() for path in paths):
            parts = [read_cifar(path) for path in paths if path.is_file()]
            found[f"X_{part}"] = np.concatenate([pictures for pictures, _ in parts])
            found[f"y_{part}"] = np.concatenate([classes for _, classes in parts])
    if not found:
        raise DataError(f"{folder} has the names of CIFAR's classes, but no pictures")
    for name, key in _META.items():
        if (folder / name).is_file():
            n = 1 + max(int(y.max()) for k, y in found.items() if k.startswith("y_"))
            names = _texts_after(list(_tokens(folder / name)), key)[:n]
            if len(names) == n:
                found["class_names"] = np.array(names)
    return found


def _tokens(path: Path) -> Iterator[_Token]:
    """List the texts and whole numbers of a pickle, without running any of it."""
    try:
        for code, value, _ in pickletools.genops(io.BytesIO(path.read_bytes())):
            given: Any = value
            if code.name.endswith(_TEXTS):
                # Python 2 wrote bytes as texts: as Latin-1 they come back whole.
                text = given if isinstance(given, bytes) else given.encode("latin-1")
                yield _Token(text, None)
            elif code.name in _NUMBERS:
                yield _Token(None, int(given))
    except (ValueError, UnicodeError, struct.error, IndexError) as error:
        raise DataError(
            f"{path}: broken, or no pickle ({error}); download it again"
        ) from error


def _numbers_after(tokens: list[_Token], keys: tuple[str, ...]) -> list[int]:
    """Return the numbers between a key and the next text."""
    found: list[int] = []
    inside = False
    for token in tokens:
        if token.text is not None:
            if inside:
                break
            inside = token.text.decode("latin-1") in keys
        elif inside and token.number is not None:
            found.append(token.number)
    return found


def _texts_after(tokens: list[_Token], key: str) -> list[str]:
    texts = [t.text.decode("latin-1") for t in tokens if t.text is not None]
    return texts[texts.index(key) + 1 :] if key in texts else []


def _check_pairs(folder: Path, found: Arrays) -> None:
    for part in ("train", "test"):
        X, y = found.get(f"X_{part}"), found.get(f"y_{part}")
        if y is not None and X is None:
            raise DataError(f"{folder} has classes of the {part} part, but no pictures")
        if X is not None and y is not None and len(X) != len(y):
            raise DataError(
                f"{folder}: {len(X)} pictures of the {part} part have {len(y)} classes"
            )
