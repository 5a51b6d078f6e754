"""Delimited text (CSV, TSV, TXT): every column is text, empty cells are missing.

Nothing is inferred here: what a cell means is decided on whole columns, by the kinds.
Well-formed files are parsed by pyarrow. A file that it refuses (rows of another width,
a footnote) is read once more, row by row, by `ragged`: with the same cells.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any, TextIO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv as pacsv

from whitecrow.data.formats import ragged
from whitecrow.data.formats.between import Between
from whitecrow.data.formats.dialect import BLANK, BLANKS, sniff, split
from whitecrow.data.formats.footer import without_footer
from whitecrow.data.formats.streams import BROKEN, Bytes, read_text, unreadable
from whitecrow.data.formats.table import EmptyError, Loud, TableFile
from whitecrow.errors import DataError

__all__ = ["Delimited"]

BLOCK_BYTES = 4 << 20  # and so the longest row that can be read, of narrow tables
SLOW_ROWS = 16_384
MANY_ROWS = 10_000
"""Up to so many, lines are counted one by one."""

_NARROW = ("utf-8", "utf-8-sig", "latin-1", "cp1252")
_EMPTY = re.compile(rb"\n[^!#-&(-~\n]*\n")  # a line of blanks and quotes, if anything
_RETURN = re.compile(rb"\r(?!\n)")


class Delimited(TableFile):
    """A file of delimited text, whose name ends in `suffix` before any compression."""

    def __init__(self, file: Bytes, path: Path, suffix: str) -> None:
        file, self._text = read_text(file)
        self._file = file
        self._dialect = sniff(file, self._text, suffix)
        self._fixes: ragged.Fixes | None = None
        self._between: Between | None = None
        if self._dialect.separator in (BLANK, BLANKS):
            self._fixes = ragged.fixes(self._records(), self._dialect, self._text, file)
        self._name_blank_columns()
        fields = [(name, pa.string()) for name in self._dialect.names]
        # By it the kinds judge whether 47,594 has a decimal comma.
        schema = pa.schema(fields, {"separator": self._dialect.separator})
        super().__init__(path, schema, self._dialect.notes)

    def lines(self, rows: Sequence[int]) -> list[int] | None:
        """Return the line numbers, from 1, on which rows of data begin."""
        if self._between is None:  # nobody has read the file yet
            for _ in self._blocks():
                pass
        assert self._between is not None
        rows = [self._between.raw(row) for row in rows]
        wanted, found = set(rows), {}
        end = max(wanted, default=-1)
        if end >= MANY_ROWS and self._one_line_each(end + 1):
            return [self._dialect.line + row for row in rows]
        for row, line in enumerate(self._line_starts()):
            if row in wanted:
                found[row] = line
            if row >= end:
                break
        return [found[row] for row in rows]

    # ------------------------------------------------------------------- rows

    def _blocks(self) -> Iterator[pa.RecordBatch]:
        dialect = self._dialect
        names = dialect.names
        late: list[str] = []
        last, swallowed = None, ""
        between = Between(dialect.heads, dialect.typed)
        for block in between.rows(without_footer(self._raw_blocks(), late)):
            if block.num_rows:
                swallowed = swallowed or self._swallowed(block)
                columns = block.columns[dialect.lead : dialect.lead + len(names)]
                last = pa.record_batch(columns, schema=self.schema)
                yield last
        if last is None:
            raise _no_rows(self._file.shown, len(names) if late else 0)
        self._check_last_quote(last)
        fixed: tuple[str, ...] = ()
        if self._fixes is not None:
            comments, rows = self._fixes.comments, self._fixes.rows
            between.empty -= sum(number < rows for number in comments)
            fixed = self._fixes.notes
        doubts = (Loud(swallowed),) if swallowed else ()
        self._late = (*fixed, *between.notes(), *late, *doubts)
        self._between = between

    def _raw_blocks(self) -> Iterator[pa.RecordBatch]:
        """Yield blocks with all columns, including unnamed empty ones."""
        done = 0
        if self._fixes is None:
            try:
                for block in self._parsed():
                    done += block.num_rows
                    yield block
                return
            except _RaggedError:
                self._fixes = ragged.fixes(
                    self._records(), self._dialect, self._text, self._file
                )
        for block in self._fixed():
            if done < block.num_rows:
                yield block.slice(done)
            done = max(0, done - block.num_rows)

    def _parsed(self, columns: list[str] | None = None) -> Iterator[pa.RecordBatch]:
        try:
            with self._file.opened(self._dialect.start) as stream:
                yield from pacsv.open_csv(stream, **self._options(columns))
        except BROKEN as error:
            if "Empty CSV" in str(error):
                return
            raise self._explained(error) from error

    def _options(self, columns: list[str] | None) -> dict[str, Any]:
        dialect, quoted = self._dialect, self._text.quotes > 0
        names = [str(j) for j in range(dialect.width)]
        quote = dialect.quote if quoted or dialect.quote != '"' else False
        return {
            "read_options": pacsv.ReadOptions(
                column_names=names,
                encoding=self._text.encoding,
                block_size=max(BLOCK_BYTES, 4 * dialect.longest),
            ),
            "parse_options": pacsv.ParseOptions(
                delimiter=dialect.separator,
                quote_char=quote,
                escape_char="\\" if self._text.escaped else False,
                newlines_in_values=quote is not False,
            ),
            "convert_options": pacsv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.string()),
                strings_can_be_null=True,
                null_values=[""],
                include_columns=columns,
            ),
        }

    def _fixed(self) -> Iterator[pa.RecordBatch]:
        assert self._fixes is not None
        width = self._dialect.width
        rows = ragged.fixed(self._records(), self._fixes, width)
        while some := list(islice(rows, SLOW_ROWS)):
            yield _batch(some, width)

    def _records(self) -> Iterator[tuple[int, list[str]]]:
        """Yield rows as Python reads them, with the line on which each begins."""
        dialect = self._dialect
        line = dialect.line
        try:
            with self._file.text(self._text, dialect.start) as text:
                if dialect.separator in (BLANK, BLANKS):
                    for number, one in enumerate(text, line):
                        if one.strip():
                            yield number, split(one, dialect.separator)
                    return
                reader = self._reader(text)
                for row in reader:
                    if row and (len(row) > 1 or dialect.width == 1 or row[0].strip()):
                        yield line, row
                    line = dialect.line + reader.line_num
        except csv.Error as error:
            raise DataError(f"{self._file.shown}: line {line}: {error}") from error
        except BROKEN as error:
            raise unreadable(self._file, error) from error

    def _reader(self, lines: TextIO, *, strict: bool = False) -> Any:
        return csv.reader(
            lines,
            delimiter=self._dialect.separator,
            quotechar=self._dialect.quote,
            escapechar="\\" if self._text.escaped else None,
            strict=strict,
        )

    def _one_line_each(self, rows: int) -> bool:
        """Tell whether the bytes show that each of the first rows is one line."""
        dialect = self._dialect
        if dialect.separator in (BLANK, BLANKS) or self._text.encoding not in _NARROW:
            return False
        mark, between = dialect.quote.encode(), dialect.separator.encode()
        if len(mark) != 1 or len(between) != 1 or self._text.escaped:
            return False
        try:
            with self._file.opened(dialect.start) as stream:
                for lines in _whole_lines(stream):
                    if _EMPTY.search(lines) or _RETURN.search(lines):
                        return False
                    if not _quotes_end_in_line(lines, mark, between):
                        return False
                    rows -= lines.count(b"\n") - 1
                    if rows <= 0:
                        return True
        except BROKEN as error:
            raise unreadable(self._file, error) from error
        return False

    def _line_starts(self) -> Iterator[int]:
        dialect = self._dialect
        if self._text.quotes or dialect.quote != '"':
            yield from (line for line, _ in self._records())
            return
        with self._file.text(self._text, dialect.start) as text:
            for number, row in enumerate(text, dialect.line):
                one = dialect.width == 1
                if row.strip("\r\n" if one else None) or dialect.separator in row:
                    yield number

    # ----------------------------------------------------------------- checks

    def _name_blank_columns(self) -> None:
        """Name columns without a name after all, if the whole file has a cell there."""
        dialect = self._dialect
        blank = dialect.blank
        if not blank:
            return
        columns = [str(j) for j in range(dialect.width - blank, dialect.width)]
        try:
            parts = self._fixed() if self._fixes else self._parsed(columns)
            empty = all(
                column.null_count == len(column)
                for part in parts
                for column in part.columns[-blank:]
            )
        except _RaggedError:
            self._fixes = ragged.fixes(self._records(), dialect, self._text, self._file)
            return self._name_blank_columns()
        if not empty:
            self._dialect = dialect.all_named()
            return
        note = "the last column has neither a name nor a cell and is left out"
        if blank > 1:
            note = f"the last {blank} columns have neither name nor cells; left out"
        self._dialect = replace(dialect, notes=(*dialect.notes, note))

    def _check_last_quote(self, tail: pa.RecordBatch) -> None:
        """Refuse a file whose last cell swallowed the rest through an open quote."""
        cells = [column[tail.num_rows - 1].as_py() for column in tail.columns]
        if not any(cell and "\n" in cell for cell in cells):
            return
        if (line := self._open_quote()) is not None:
            raise DataError(
                f'{self._file.shown}: a quote (") is opened on line {line} and never '
                "closed, so all lines after it would be one cell; close or remove it"
            )

    def _swallowed(self, block: pa.RecordBatch) -> str:
        """Describe a cell that swallowed whole rows for want of a quote, if any."""
        if not self._text.quotes:
            return ""
        for column in block.columns if block.num_columns > 1 else ():
            for cell in column.filter(pc.match_substring(column, "\n")).to_pylist():
                within = cell.splitlines()[1:-1]
                commas = block.num_columns - 1
                rows = sum(
                    one.count(self._dialect.separator) == commas for one in within
                )
                if rows:
                    return (
                        f"a cell holds {rows} {'row' if rows == 1 else 'rows'} of the "
                        f"table ({cell.split(chr(10))[0][:40]!r}, ...); if that is "
                        f"wrong, a quote ({self._dialect.quote}) is not closed there"
                    )
        return ""

    def _open_quote(self) -> int | None:
        """Find the line of the row in which a quote is never closed.

        Single quotes within a cell, as in 5" pipe, are allowed.
        """
        dialect, text = self._dialect, self._text
        line = dialect.line
        with self._file.text(text, dialect.start) as lines:
            reader = self._reader(lines, strict=True)
            try:
                for _ in reader:
                    line = dialect.line + reader.line_num
            except csv.Error as error:
                return line if "end of data" in str(error) else None
        return None

    def _explained(self, error: Exception) -> DataError:
        """Translate an error of pyarrow into ours, with the line and the remedy."""
        text = " ".join(str(error).split())
        if "Expected" in text and "columns, got" in text:
            return _RaggedError()
        if "straddl" in text:
            return DataError(
                f"{self._file.shown}: a row is longer than "
                f"{max(BLOCK_BYTES, 4 * self._dialect.longest) >> 20} MB"
                f'{self._where_long()}; probably a quote is opened (") and never closed'
            )
        return unreadable(self._file, error)

    def _where_long(self) -> str:
        try:
            for _ in self._records():
                pass
        except DataError as error:
            if match := re.search(r": (line \d+): ", str(error)):
                return f" ({match[1]})"
        return ""


class _RaggedError(DataError):
    """Rows have different widths: they are read once more, by `ragged`."""


def _quotes_end_in_line(lines: bytes, mark: bytes, between: bytes) -> bool:
    """Tell whether each quote opens or ends a cell, or is doubled, all on one line."""
    if mark not in lines:
        return True
    content = np.frombuffer(lines, np.uint8)
    places = np.flatnonzero(content == mark[0])
    breaks = np.flatnonzero(content == ord("\n"))
    if (np.searchsorted(places, breaks) % 2).any():
        return False
    before, behind = content[places[::2] - 1], content[places[1::2] + 1]
    ends = [mark[0], between[0], ord("\n")]
    return bool(np.isin(before, ends).all() and np.isin(behind, [*ends, 13]).all())


def _whole_lines(stream: Any) -> Iterator[bytes]:
    """Yield the bytes in pieces of whole lines, each preceded by a line break."""
    rest = b""
    while block := stream.read(BLOCK_BYTES):
        head, found, tail = (rest + block).rpartition(b"\n")
        if found:
            yield b"\n" + head + found
        rest = tail
    if rest:
        yield b"\n" + rest + b"\n"


def _batch(rows: list[list[str]], width: int) -> pa.RecordBatch:
    columns = [
        pa.array([cell or None for cell in column], pa.string())
        for column in zip(*rows, strict=True)
    ]
    return pa.record_batch(columns, names=[str(j) for j in range(width)])


def _no_rows(shown: str, empty_columns: int) -> DataError:
    if empty_columns:
        return DataError(
            f"{shown}: every cell of all {empty_columns} columns is missing; there is "
            "nothing to learn from"
        )
    return EmptyError(f"{shown}: there is a header but no row of data below it")
