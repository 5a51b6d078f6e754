"""Rows in memory: those of a table, or pictures; what a command works on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from whitecrow import labels as conventions
from whitecrow.data.kinds.words import describe

if TYPE_CHECKING:
    import pyarrow as pa

    from whitecrow.data.formats.table import TableFile

__all__ = ["PictureRows", "Rows", "TableRows", "if_any"]


def if_any(codes: conventions.Codes) -> conventions.Codes | None:
    """Return the same codes, or None if no row has a label."""
    return codes if (codes != conventions.UNLABELLED).any() else None


@dataclass(frozen=True, eq=False, kw_only=True)
class Rows:
    """What tables and pictures have in common.

    `kind` is "table" or "picture", `things` what a person calls them: "rows" or
    "pictures". Readers give the path that was read as `source`.
    """

    kind: ClassVar[str]
    things: ClassVar[str]

    source: str
    codes: conventions.Codes | None = None
    numbers: NDArray[np.int64] | None = None
    notes: tuple[str, ...] = ()

    def position(self, row: int) -> int:
        """Return the position of a row in its source, counted from 0."""
        return int(row if self.numbers is None else self.numbers[row])

    def _taken(self, chosen: NDArray[np.int64], **values: Any) -> Self:
        """Return a copy with the chosen rows, of which `values` are given."""
        return replace(
            self,
            codes=None if self.codes is None else self.codes[chosen],
            numbers=chosen if self.numbers is None else self.numbers[chosen],
            **values,
        )


@dataclass(frozen=True, eq=False, kw_only=True)
class TableRows(Rows):
    """Rows of a table, as they were read.

    Attributes
    ----------
    frame : pyarrow.Table
        All columns but the label column; text as in the file.
    file : TableFile or None
        Where they come from, for line numbers.
    source : str
        The data as the user named them.
    codes : ndarray of int8, shape (n,), or None
        Labels of the rows; None if no row has one.
    numbers : ndarray of int64, shape (n,), or None
        Positions in the source, counted from 0; None if these are all.
    notes : tuple of str
        What was decided in reading, a sentence each.
    """

    kind: ClassVar[str] = "table"
    things: ClassVar[str] = "rows"

    frame: pa.Table
    file: TableFile | None = None

    def __len__(self) -> int:
        return int(self.frame.num_rows)

    def name(self, row: int) -> str:
        """Name a row as a person would."""
        return f"row {self.position(row)}"

    def lines(self, rows: Sequence[int]) -> list[int] | None:
        """Return the line of each row in its file, from 1; None if it has none."""
        if self.file is None:
            return None
        return self.file.lines([self.position(row) for row in rows])

    def cells(self, row: int) -> dict[str, str]:
        """Return the cells of a row as a person would write them."""
        return describe(self.frame, row)

    def take(self, rows: Sequence[int] | NDArray[Any]) -> TableRows:
        """Take some of the rows, in the order given."""
        chosen = np.asarray(rows, dtype=np.int64)
        return self._taken(chosen, frame=self.frame.take(chosen))


@dataclass(frozen=True, eq=False, kw_only=True)
class PictureRows(Rows):
    """Pictures of one size, with what their folders say about each.

    Attributes
    ----------
    images : ndarray of uint8, shape (n, c, h, w)
        One channel if all pictures are grey, otherwise red, green, blue.
    paths : tuple of str
        Relative to the folder that was read, with forward slashes, for people.
    kinds : tuple of str
        "good" or the kind of defect; "" where the folders name none.
    parts : tuple of str
        "train", "validation" or "test" where the folders say so, otherwise "". Empty
        for pictures that no folder holds.
    official : tuple of str
        The part of a split that each picture comes in, of folders and of arrays alike
        ("train", "validation" or "test"); empty if there is no split.
    skipped : tuple of (path, reason)
        Pictures that could not be read.
    folder : Path or None
        The folder that was read; None for arrays.
    files : tuple of Path
        Where each picture can be opened; empty for arrays.
    depth : (low, high) or None
        The values of pictures of more than 8 bits that became 0 and 255, to be kept
        with a model and handed in with new pictures.
    source : str
        The data as the user named them.
    codes : ndarray of int8, shape (n,), or None
        Labels of the pictures; None if no picture has one.
    numbers : ndarray of int64, shape (n,), or None
        Positions in the source, counted from 0; None if these are all.
    notes : tuple of str
        What was decided in reading, a sentence each.
    """

    kind: ClassVar[str] = "picture"
    things: ClassVar[str] = "pictures"

    images: NDArray[np.uint8]
    paths: tuple[str, ...]
    kinds: tuple[str, ...]
    parts: tuple[str, ...] = ()
    official: tuple[str, ...] = ()
    skipped: tuple[tuple[str, str], ...] = ()
    folder: Path | None = None
    files: tuple[Path, ...] = ()
    depth: tuple[float, float] | None = None

    def __len__(self) -> int:
        return len(self.paths)

    @property
    def labels(self) -> conventions.Codes:
        """Return the labels of all pictures, unlabelled ones included."""
        if self.codes is None:
            return np.full(len(self), conventions.UNLABELLED)
        return self.codes

    def name(self, row: int) -> str:
        """Name a picture as a person would."""
        return self.paths[row]

    def file(self, row: int) -> Path | None:
        """Return the file of a picture; None for arrays."""
        return self.files[row] if self.files else None

    def cells(self, row: int) -> dict[str, str]:
        """Return what is known about a picture, by name."""
        known = {"path": self.paths[row], "kind": self.kinds[row]}
        return {name: text for name, text in known.items() if text}

    def take(self, rows: Sequence[int] | NDArray[Any]) -> PictureRows:
        """Take some of the pictures, in the order given."""
        chosen = np.asarray(rows, dtype=np.int64)
        names = ("paths", "kinds", "parts", "official", "files")
        by_row = {name: getattr(self, name) for name in names}
        some = {
            name: tuple(values[row] for row in chosen) if values else ()
            for name, values in by_row.items()
        }
        return self._taken(chosen, images=self.images[chosen], **some)
