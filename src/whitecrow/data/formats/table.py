"""A file that holds a table: in batches or whole, which is all its batches."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from whitecrow.errors import DataError, ParameterError

__all__ = [
    "BATCH_ROWS",
    "EmptyError",
    "InMemory",
    "Loud",
    "Stacked",
    "TableFile",
    "rebatch",
    "without_rows",
]

BATCH_ROWS = 65_536


class EmptyError(DataError):
    """A file without a row of data."""


class Loud(str):
    """A note of what was left out, or read otherwise than meant, and may matter."""

    __slots__ = ()


class TableFile:
    """A file that holds a table.

    Attributes
    ----------
    path : Path
        As it was given.
    schema : pyarrow.Schema
        Names and types of all columns, the label column among them.
    notes : tuple of str
        What was found out, one sentence each. What only the whole file can tell (a
        footer that was left out, rows that were filled) is added when its last batch
        was read.
    label_column : str or None
        Set where the format has one by convention: `y` beside `X`.
    official : tuple of str
        "train", "validation" or "test" for each row, where the file says so.
    """

    official: tuple[str, ...] = ()

    def __init__(
        self,
        path: Path,
        schema: pa.Schema,
        notes: Sequence[str] = (),
        label_column: str | None = None,
    ) -> None:
        self.path = path
        self.schema = schema
        self.label_column = label_column
        self._early = tuple(notes)
        self._late: tuple[str, ...] = ()

    @property
    def notes(self) -> tuple[str, ...]:
        """Return what was found out, one sentence each."""
        return self._early + self._late

    def add_note(self, note: str) -> None:
        """Append a note."""
        self._early = (*self._early, note)

    @property
    def names(self) -> tuple[str, ...]:
        """Return the names of all columns, in the order of the file."""
        return tuple(self.schema.names)

    def batches(self, batch_rows: int = BATCH_ROWS) -> Iterator[pa.RecordBatch]:
        """Return the rows in batches of `batch_rows`; only the last may be shorter.

        Raises
        ------
        DataError
            When what cannot be read is reached, or, at the end, if there was no row
            or no cell.
        ParameterError
            `batch_rows` is below 1.
        """
        if batch_rows < 1:
            raise ParameterError(f"batch_rows={batch_rows}; use a whole number from 1")
        return rebatch(self._not_empty(self._blocks()), batch_rows)

    def read(self) -> pa.Table:
        """Return all rows.

        Raises
        ------
        DataError
            As `batches`.
        """
        return pa.Table.from_batches(self._not_empty(self._blocks()), self.schema)

    def lines(self, rows: Sequence[int]) -> list[int] | None:
        """Return the line numbers, from 1, of rows of data; None without lines.

        Parameters
        ----------
        rows : sequence of int
            Row numbers from 0, in any order.
        """
        del rows
        return None

    def _blocks(self) -> Iterator[pa.RecordBatch]:
        """Yield all rows, in batches of any size."""
        raise NotImplementedError

    def _not_empty(self, blocks: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        rows, some = 0, False
        for block in blocks:
            rows += block.num_rows
            nulls = (pc.is_null(column, nan_is_null=True) for column in block.columns)
            some = some or any(missing.false_count for missing in nulls)
            if block.num_rows:
                yield block
        if not rows:
            raise EmptyError(f"{self.path}: no rows of data")
        if not some:
            raise DataError(
                f"{self.path}: every cell of all {len(self.schema)} columns is "
                "missing; there is nothing to learn from"
            )


class InMemory(TableFile):
    """A table of a format that is read in one piece; `lines` has a number a row."""

    def __init__(
        self,
        path: Path,
        frame: pa.Table,
        notes: Sequence[str] = (),
        label_column: str | None = None,
        lines: Sequence[int] | None = None,
    ) -> None:
        super().__init__(path, frame.schema, notes, label_column)
        self._frame, self._lines = frame, lines

    def lines(self, rows: Sequence[int]) -> list[int] | None:
        """Return the line numbers of rows, as they were given."""
        if self._lines is None:
            return None
        return [self._lines[row] for row in rows]

    def _blocks(self) -> Iterator[pa.RecordBatch]:
        yield from self._frame.to_batches()


class Stacked(TableFile):
    """The tables of several files, one after another; `source` is their pattern.

    Raises
    ------
    DataError
        The columns of a file differ from those of the first, by more than their order.
    """

    def __init__(self, source: Path, parts: Sequence[TableFile]) -> None:
        first = parts[0]
        for part in parts:
            _check_columns(first, part)
        super().__init__(source, _common_schema(parts), (), first.label_column)
        self.parts = tuple(parts)
        self._starts: list[int] = []
        self._empty: list[str] = []

    @property
    def notes(self) -> tuple[str, ...]:
        """List the files, the row at which each begins, and the notes of all."""
        shown = [part.path.name for part in self.parts[:5]]
        if len(self._starts) == len(self.parts):
            starts = self._starts
            shown = [f"{n} from row {s}" for n, s in zip(shown, starts, strict=False)]
        more = f" and {len(self.parts) - 5} more" if len(self.parts) > 5 else ""
        said = dict.fromkeys(note for part in self.parts for note in part.notes)
        files = f"{len(self.parts)} files: {', '.join(shown)}{more}"
        return (files, *map(without_rows, self._empty), *self._early, *said)

    def lines(self, rows: Sequence[int]) -> list[int] | None:
        """Return line numbers, each in the file that has the row."""
        found: dict[int, int] = {}
        for part, start, end in self._spans():
            mine = [row for row in rows if start <= row and (end is None or row < end)]
            there = part.lines([row - start for row in mine]) if mine else []
            if there is None:
                return None
            found.update(zip(mine, there, strict=True))
        return [found[row] for row in rows]

    def _spans(self) -> Iterator[tuple[TableFile, int, int | None]]:
        if not self._starts:  # nobody has read the files yet
            for _ in self._blocks():
                pass
        ends = [*self._starts[1:], None]
        yield from zip(self.parts, self._starts, ends, strict=True)

    def _blocks(self) -> Iterator[pa.RecordBatch]:
        starts, rows = [], 0
        self._empty = []
        for part in self.parts:
            starts.append(rows)
            try:
                for block in part.batches():
                    rows += block.num_rows
                    yield _fitted(part, block, self.schema)
            except EmptyError:
                self._empty.append(part.path.name)
        self._starts = starts


def without_rows(name: str) -> Loud:
    """Write the note on a file of a pattern that has no row."""
    return Loud(f"{name} has no row of data and is left out")


def rebatch(
    batches: Iterable[pa.RecordBatch], batch_rows: int
) -> Iterator[pa.RecordBatch]:
    """Yield the same rows in batches of `batch_rows`; only the last may be shorter."""
    waiting: list[pa.RecordBatch] = []
    rows = 0
    for batch in batches:
        waiting.append(batch)
        rows += batch.num_rows
        if rows < batch_rows:
            continue
        whole = _joined(waiting)
        end = rows - rows % batch_rows
        for start in range(0, end, batch_rows):
            yield whole.slice(start, batch_rows)
        waiting, rows = [whole.slice(end)], rows - end
    if rows:
        yield _joined(waiting)


def _joined(batches: list[pa.RecordBatch]) -> pa.RecordBatch:
    full = [batch for batch in batches if batch.num_rows]
    return full[0] if len(full) == 1 else pa.concat_batches(full)


def _check_columns(first: TableFile, other: TableFile) -> None:
    if set(first.names) == set(other.names):
        return
    absent = sorted(set(first.names) - set(other.names))
    extra = sorted(set(other.names) - set(first.names))
    difference = [f"without {name!r}" for name in absent[:3]]
    difference += [f"with {name!r}" for name in extra[:3]]
    raise DataError(
        f"{other.path}: its columns differ from those of {first.path} "
        f"({', '.join(difference)}); the files of a pattern need equal columns"
    )


def _common_schema(parts: Sequence[TableFile]) -> pa.Schema:
    """Merge the schemas: equal types stay, numbers are widened, all else is text."""
    fields = []
    for name in parts[0].names:
        schemas = [pa.schema([part.schema.field(name)]) for part in parts]
        try:
            merged = pa.unify_schemas(schemas, promote_options="permissive")
            fields.append(merged.field(0).with_nullable(True))
        except (pa.ArrowTypeError, pa.ArrowInvalid):
            fields.append(pa.field(name, pa.string()))
    first = parts[0].schema.metadata
    alike = all(part.schema.metadata == first for part in parts)
    return pa.schema(fields, first if alike else None)


def _fitted(
    part: TableFile, block: pa.RecordBatch, schema: pa.Schema
) -> pa.RecordBatch:
    try:
        return block.select(schema.names).cast(schema)
    except (pa.ArrowException, ValueError) as error:
        text = " ".join(str(error).split())[:160]
        raise DataError(
            f"{part.path}: its columns have other types than those of the other files "
            f"of the pattern ({text}); give the files one after another"
        ) from error
