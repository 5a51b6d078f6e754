"""Rows in memory: those of a table, or pictures; what a command works on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from whitecrow import labels
from whitecrow.data.content import Pictures
from whitecrow.data.kinds.words import describe

if TYPE_CHECKING:
    import pyarrow as pa

    from whitecrow.data.formats import TableFile

__all__ = ["PictureRows", "Rows", "TableRows"]


class Rows(Protocol):
    """What tables and pictures have in common.

    Attributes
    ----------
    kind : str
        "table" or "picture".
    things : str
        What a person calls them: "rows" or "pictures".
    codes : ndarray of int8, shape (n,), or None
        Labels; None if no row has one.
    """

    kind: ClassVar[str]
    things: ClassVar[str]

    @property
    def source(self) -> str:
        """The data as the user named them."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What was decided in reading, a sentence each."""

    @property
    def codes(self) -> labels.Codes | None:
        """Labels of the rows; None if no row has one."""

    def __len__(self) -> int: ...

    def position(self, row: int) -> int:
        """Give the position of a row in its source, counted from 0."""

    def name(self, row: int) -> str:
        """Say what a person calls a row."""

    def cells(self, row: int) -> dict[str, str]:
        """Give what is known about a row, as text by column."""

    def take(self, rows: Sequence[int] | NDArray[Any]) -> Self:
        """Take some of the rows, in the order given."""


@dataclass(frozen=True, eq=False, kw_only=True)
class TableRows:
    """Rows of a table, as they were read.

    Attributes
    ----------
    source : str
        The data as the user named them.
    frame : pyarrow.Table
        All columns but the label column; text as in the file.
    codes : ndarray of int8, shape (n,), or None
        Labels of the rows; None if no row has one.
    numbers : ndarray of int64, shape (n,), or None
        Positions of the rows in their source, counted from 0; None if these are all.
    file : TableFile or None
        Where they come from, for line numbers.
    notes : tuple of str
        What was decided in reading, a sentence each.
    """

    kind: ClassVar[str] = "table"
    things: ClassVar[str] = "rows"

    source: str
    frame: pa.Table
    codes: labels.Codes | None = None
    numbers: NDArray[np.int64] | None = None
    file: TableFile | None = None
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return int(self.frame.num_rows)

    def position(self, row: int) -> int:
        """Give the position of a row in its source, counted from 0."""
        return int(row if self.numbers is None else self.numbers[row])

    def name(self, row: int) -> str:
        """Say what a person calls a row."""
        return f"row {self.position(row)}"

    def lines(self, rows: Sequence[int]) -> list[int] | None:
        """Give the line of each row in its file, from 1; None where it has none."""
        if self.file is None:
            return None
        return self.file.lines([self.position(row) for row in rows])

    def cells(self, row: int) -> dict[str, str]:
        """Give the cells of a row as a person would write them."""
        return describe(self.frame, row)

    def take(self, rows: Sequence[int] | NDArray[Any]) -> TableRows:
        """Take some of the rows, in the order given."""
        chosen = np.asarray(rows, dtype=np.int64)
        numbers = chosen if self.numbers is None else self.numbers[chosen]
        codes = None if self.codes is None else self.codes[chosen]
        frame = self.frame.take(chosen)
        return replace(self, frame=frame, codes=codes, numbers=numbers)


@dataclass(frozen=True, eq=False, kw_only=True)
class PictureRows:
    """Pictures of one size, with what their folders say about each.

    Attributes
    ----------
    source : str
        The data as the user named them.
    images : ndarray of uint8, shape (n, c, h, w)
    paths : tuple of str
        Relative to `folder`, with forward slashes, for people.
    kinds : tuple of str
        "good" or the kind of defect; "" where the layout names none.
    codes : ndarray of int8, shape (n,), or None
        Labels of the pictures; None if none has one.
    parts : tuple of str
        "train", "test" or "" for each picture.
    skipped : tuple of (path, reason)
        Pictures that could not be read.
    folder : Path or None
        The folder that was read; None for arrays.
    files : tuple of Path
        Where each picture can be opened; empty for arrays.
    depth : (low, high) or None
        The range of values that became 0 to 255; None for 8-bit pictures.
    numbers : ndarray of int64, shape (n,), or None
        Positions of the pictures in their source, counted from 0; None if these are
        all.
    notes : tuple of str
        What was decided in reading, a sentence each.
    """

    kind: ClassVar[str] = "picture"
    things: ClassVar[str] = "pictures"

    source: str
    images: NDArray[np.uint8]
    paths: tuple[str, ...]
    kinds: tuple[str, ...]
    codes: labels.Codes | None = None
    parts: tuple[str, ...] = ()
    skipped: tuple[tuple[str, str], ...] = ()
    folder: Path | None = None
    files: tuple[Path, ...] = ()
    depth: tuple[float, float] | None = None
    numbers: NDArray[np.int64] | None = None
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.paths)

    def position(self, row: int) -> int:
        """Give the position of a picture in its source, counted from 0."""
        return int(row if self.numbers is None else self.numbers[row])

    def name(self, row: int) -> str:
        """Say what a person calls a picture."""
        return self.paths[row]

    def file(self, row: int) -> Path | None:
        """Give the file of a picture; None for arrays."""
        return self.files[row] if self.files else None

    def read(self) -> Pictures:
        """Give the same as a reader does, with a label for every picture."""
        codes = np.full(len(self), labels.UNLABELLED)
        return Pictures(
            images=self.images,
            paths=self.paths,
            kinds=self.kinds,
            labels=codes if self.codes is None else self.codes,
            skipped=self.skipped,
            source=self.source,
            parts=self.parts,
            files=self.files,
            depth=self.depth,
        )

    def cells(self, row: int) -> dict[str, str]:
        """Give what is known about a picture, by name."""
        known = {"path": self.paths[row], "kind": self.kinds[row]}
        return {name: text for name, text in known.items() if text}

    def take(self, rows: Sequence[int] | NDArray[Any]) -> PictureRows:
        """Take some of the pictures, in the order given."""
        chosen = np.asarray(rows, dtype=np.int64)

        def some(values: tuple[Any, ...]) -> tuple[Any, ...]:
            return tuple(values[row] for row in chosen) if values else ()

        return replace(
            self,
            images=self.images[chosen],
            paths=some(self.paths),
            kinds=some(self.kinds),
            parts=some(self.parts),
            files=some(self.files),
            codes=None if self.codes is None else self.codes[chosen],
            numbers=chosen if self.numbers is None else self.numbers[chosen],
        )
