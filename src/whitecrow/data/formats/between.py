"""Lines among the rows of a table that are no rows.

Comments, the header once more (as in exports put together), and lines without a cell.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import reduce

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from whitecrow.data.formats.units import VALUES, kind_of

__all__ = ["Between", "commented", "lines"]

_FEW = 2
_ERROR = re.compile(r"#(N/A|[A-Z/0]+[!?])\s*$")
"""Cells of spreadsheets whose formula failed."""
_SELDOM = 0.1
"""More cells that begin with # than these are names or colours, and no comments."""


@dataclass
class Between:
    """What is left out among the rows of a file, noted while they are read.

    Attributes
    ----------
    heads : sequence of sequences of str
        The rows with names and units, as wide as the rows below them.
    typed : sequence of int
        Columns of values.
    left_out : list of int
        Numbers, among all rows of the file, of those that were left out.
    """

    heads: Sequence[Sequence[str]]
    typed: Sequence[int]
    left_out: list[int] = field(default_factory=list)
    repeated: int = 0
    comments: list[str] = field(default_factory=list)
    empty: int = 0

    def rows(self, blocks: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Yield the blocks of text without what is not a row."""
        start = 0
        for block in blocks:
            keep = np.ones(block.num_rows, bool)
            if block.num_columns > 1:
                keep[self._empty(block)] = False
                self.empty += int((~keep).sum())
                for i in np.flatnonzero(self._doubtful(block)):
                    cells = [column[int(i)].as_py() or "" for column in block.columns]
                    keep[i] = self.is_row(cells)
            self.left_out += (start + np.flatnonzero(~keep)).tolist()
            start += block.num_rows
            yield block if keep.all() else block.filter(pa.array(keep))

    def is_row(self, cells: Sequence[str]) -> bool:
        """Tell whether cells are a row; if they are not, count them."""
        cells = [cell.strip() for cell in cells]
        if any(cells == list(head) for head in self._repeatable()):
            self.repeated += 1
            return False
        kinds = [kind_of(cells[j]) for j in self.typed]
        misfit = "text" in kinds and not any(kind in VALUES for kind in kinds)
        if cells[0].startswith("#") and misfit and not _ERROR.match(cells[0]):
            self.comments.append(" ".join(filter(None, cells)))
            return False
        return True

    def raw(self, row: int) -> int:
        """Return the index, among all rows of the file, of a row that was kept."""
        for out in self.left_out:
            if out > row:
                break
            row += 1
        return row

    def notes(self) -> list[str]:
        """Describe what was left out, one sentence each."""
        found = []
        if self.repeated:
            shown = lines(self.repeated)
            found.append(f"the header once more among the rows is left out ({shown})")
        if self.comments:
            found.append(commented(self.comments))
        if self.empty > 0:
            found.append(
                f"{lines(self.empty)} without any cell among the rows left out"
            )
        return found

    def _repeatable(self) -> list[Sequence[str]]:
        return [head for head in self.heads if sum(map(bool, head)) > 1]

    def _empty(self, block: pa.RecordBatch) -> NDArray[np.bool_]:
        if not all(column.null_count for column in block.columns):
            return np.zeros(block.num_rows, bool)
        return np.asarray(reduce(pc.and_, map(pc.is_null, block.columns)))

    def _doubtful(self, block: pa.RecordBatch) -> NDArray[np.bool_]:
        """Mark the rows that may be comments or headers, judged by one cell."""
        marks = _true(pc.starts_with(block.column(0), "#"))
        if marks.sum() > max(_FEW, _SELDOM * block.num_rows):
            marks[:] = False
        for head in self._repeatable():
            place = next(j for j, cell in enumerate(head) if cell)
            cells = pc.utf8_trim_whitespace(block.column(place))
            marks |= _true(pc.equal(cells, head[place]))
        return marks


def commented(comments: Sequence[str]) -> str:
    """Write the note on comments among the rows."""
    shown = f"{lines(len(comments))}: {comments[0][:60]!r}"
    return f"comments (#) among the rows are left out ({shown})"


def lines(count: int) -> str:
    """Format a number of lines."""
    return "1 line" if count == 1 else f"{count:,} lines"


def _true(found: pa.Array) -> NDArray[np.bool_]:
    return np.array(pc.fill_null(found, False))
