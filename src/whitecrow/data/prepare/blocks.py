"""Batches of text as numbers, names and labels: the cleaning of single rows."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from whitecrow.data.kinds.text import PLAIN_NUMBER
from whitecrow.data.prepare import raw
from whitecrow.data.prepare.layout import NORMAL, Columns, Layout
from whitecrow.errors import DataError

__all__ = ["HEADER", "UNLABELLED", "Block", "Labels", "read"]

HEADER, UNLABELLED = "header rows repeated among the data", "rows without a label"
MOST_ATTACKS = 1000
_DASH = re.compile("\\s*[\u2013\u2014\ufffd]\\s*")

Floats = NDArray[np.float64]


@dataclass
class Block:
    """Some rows of a file.

    Attributes
    ----------
    numbers : dict of ndarray
        Numeric columns; NaN where a cell is missing or no number, infinities as such.
    texts : dict of pyarrow.Array
        Symbolic columns, null where a cell is missing.
    attacks : ndarray of int
        Place of each row's label in `Labels.names`.
    split : str or None
        Train or test.
    """

    numbers: dict[str, Floats]
    texts: dict[str, pa.Array]
    attacks: NDArray[np.int64]
    split: str | None

    def __len__(self) -> int:
        return len(self.attacks)


class Labels:
    """The texts of a label column, each understood once.

    Attributes
    ----------
    names : list of str
        Names of attacks as they were met, and "normal".
    """

    def __init__(self, layout: Layout) -> None:
        self.names: list[str] = []
        self._layout = layout
        self._places: dict[bytes | None, int] = {
            None: -1,
            layout.label.encode(): -2,
        }

    def places(self, column: pa.Array) -> NDArray[np.int64]:
        """Find each row's label in `names`: its index, -1 if none, -2 for a header."""
        encoded = column.cast(pa.binary()).dictionary_encode(null_encoding="encode")
        found = [self._place(text) for text in encoded.dictionary.to_pylist()]
        rows = encoded.indices.to_numpy(zero_copy_only=False)
        return np.array(found, dtype=np.int64)[rows]

    def is_attack(self) -> NDArray[np.bool_]:
        """Tell which of the names are attacks."""
        return np.array([name != NORMAL for name in self.names], dtype=bool)

    def _place(self, text: bytes | None) -> int:
        text = None if text is None else text.strip() or None
        if text not in self._places:
            name = self._name(text)
            if name not in self.names:
                self.names.append(name)
            self._places[text] = self.names.index(name)
        return self._places[text]

    def _name(self, text: bytes | None) -> str:
        assert text is not None
        name = " ".join(_DASH.sub(" - ", self._layout.attack(_decoded(text))).split())
        if len(self.names) >= MOST_ATTACKS:
            raise DataError(
                f"column {self._layout.label!r} has more than {MOST_ATTACKS} different "
                f"values, such as {name!r}; these are no files of {self._layout.title}"
            )
        return NORMAL if name.lower() == self._layout.normal else name


def read(
    files: Sequence[raw.Source],
    layout: Layout,
    columns: Columns,
    labels: Labels,
    removed: Counter[str],
) -> Iterator[Block]:
    """Yield all labelled rows; count the others by reason in `removed`."""
    for source in files:
        for batch in raw.batches(source, columns, layout.label):
            attacks = labels.places(batch[layout.label])
            keep = attacks >= 0
            removed[UNLABELLED] += int((attacks == -1).sum())
            removed[HEADER] += int((attacks == -2).sum())
            if not keep.all():
                batch, attacks = batch.filter(pa.array(keep)), attacks[keep]
            yield Block(
                {c: _numbers(batch[c]) for c in columns if c not in layout.symbolic},
                {c: _texts(batch[c]) for c in columns if c in layout.symbolic},
                attacks,
                source.split,
            )


def _numbers(column: pa.Array) -> Floats:
    try:
        values = column.cast(pa.float64())
    except pa.ArrowInvalid:  # blanks around numbers, or a cell that is no number
        text = pc.ascii_trim_whitespace(column).cast(pa.binary())
        right = pc.match_substring_regex(text, PLAIN_NUMBER)
        values = pc.if_else(right, text, None).cast(pa.float64())
    return np.array(values.to_numpy(zero_copy_only=False))


def _texts(column: pa.Array) -> pa.Array:
    encoded = column.cast(pa.binary()).dictionary_encode()
    texts = [_decoded(text).strip() for text in encoded.dictionary.to_pylist()]
    return pa.array(texts, pa.string()).take(encoded.indices)


def _decoded(text: bytes) -> str:
    """Decode UTF-8, or Windows-1252 if the text is not valid UTF-8."""
    try:
        return text.decode()
    except UnicodeDecodeError:
        return text.decode("cp1252", errors="replace")
