"""The numbers and texts of a .mat file, checked before scipy decodes them.

scipy's reader trusts what a file of version 5 says about itself: one damaged byte can
end the process. The format is short enough to check: an element is a type, a size and
data, and a matrix is an element whose data are elements (flags, shape, name, values).
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

# Types of elements.
_NUMBERS = {*range(1, 8), 9, 12, 13}
_MATRIX, _COMPRESSED, _TEXTS = 14, 15, {16, 17, 18}
# Classes of matrices; the others are made of matrices, and no data of ours.
_CHAR, _SPARSE, _CLASSES = 4, 5, range(4, 16)
_COMPLEX = 0x800
# Bytes that an element may have once it is unpacked, or as a multiple of the packed.
_LARGEST, _RATIO = 1 << 28, 200


def load(path: Path) -> dict[str, NDArray[Any]]:
    """Read arrays of numbers and texts by name; skip cells, structures and objects.

    Raises
    ------
    Exception
        Of nearly any type, on broken bytes.
    """
    from scipy.io import loadmat

    content = path.read_bytes()
    names = None
    if 0 not in content[:4]:  # scipy takes it for version 5, whatever its text says
        names = list(_names(content))
    found: dict[str, Any] = loadmat(
        io.BytesIO(content),  # type: ignore[arg-type]  # an open file is fine
        spmatrix=False,
        variable_names=names,
    )
    return {
        name: _solid(value) for name, value in found.items() if not name.startswith("_")
    }


def _solid(value: Any) -> NDArray[Any]:
    if not hasattr(value, "toarray"):
        return np.asarray(value)
    columns = value.tocsc()
    columns.check_format(full_check=True)  # no value lies outside of the shape
    if np.any(np.diff(columns.indptr) < 0):  # which that check omits without values
        raise ValueError("columns of fewer than no values")
    return np.asarray(columns.toarray())


def _names(content: bytes) -> Iterator[str]:
    """Yield the names of the matrices of numbers and texts."""
    order = "<" if content[126:128] == b"IM" else ">"
    for kind, element in _elements(memoryview(content)[128:], order):
        data = element
        if kind == _COMPRESSED:
            whole = memoryview(_inflated(element))
            ((kind, data),) = _elements(whole, order)
        if kind != _MATRIX:
            raise ValueError(f"an element of type {kind} outside of a matrix")
        flags, shape, name, *values = _elements(data, order)
        (bits,) = struct.unpack_from(f"{order}I", flags[1])
        if bits & 0xFF in _CLASSES:
            _check(bits, [flags, shape, name], values)
            yield bytes(name[1]).decode("latin1")


def _inflated(element: memoryview) -> bytes:
    inflater = zlib.decompressobj()
    whole = inflater.decompress(element, max(_LARGEST, _RATIO * len(element)))
    if inflater.unconsumed_tail:
        raise ValueError(f"{len(element):,} bytes that unpack to far more than that")
    return whole


def _elements(content: memoryview, order: str) -> Iterator[tuple[int, memoryview]]:
    place = 0
    while place + 8 <= len(content):
        kind, size = struct.unpack_from(f"{order}II", content, place)
        start, end = place + 8, place + 8 + size
        if kind >> 16:  # a small one: size, type and data share eight bytes
            kind, size = kind & 0xFFFF, kind >> 16
            start, end = place + 4, place + 8
        elif kind != _COMPRESSED:
            end += -size % 8
        known = kind in _NUMBERS | _TEXTS or kind in (_MATRIX, _COMPRESSED)
        if not known or start + size > min(end, len(content)):
            raise ValueError(f"an element of type {kind} and {size} bytes")
        yield kind, content[start : start + size]
        place = end


def _check(
    bits: int,
    head: list[tuple[int, memoryview]],
    values: list[tuple[int, memoryview]],
) -> None:
    """Raise ValueError where a part is missing, too short, or of the wrong type."""
    kind = bits & 0xFF
    expected = 3 if kind == _SPARSE else 1
    expected += bool(bits & _COMPLEX)
    if len(values) != expected:
        raise ValueError(f"{len(values)} parts of values instead of {expected}")
    allowed = _NUMBERS | _TEXTS if kind == _CHAR else _NUMBERS
    for part, _ in values:
        if part not in allowed:
            raise ValueError(f"values of type {part}")
    for part, _ in head:
        if part not in _NUMBERS:
            raise ValueError(f"a head of type {part}")
    if len(head[1][1]) < 8:
        raise ValueError("a shape of fewer than two axes")
