"""How a delimited file is written, found in its first megabyte.

Separator, quotes, titles, names and units, each reported in a sentence. What the first
megabyte cannot decide (the encoding, whether a column without a name is empty) is
decided on the whole file, by `streams.read_text` and by `delimited`.
"""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice

from whitecrow.data.formats import header
from whitecrow.data.formats.header import Header
from whitecrow.data.formats.names import unique
from whitecrow.data.formats.streams import Bytes, Text
from whitecrow.data.formats.table import EmptyError, Loud
from whitecrow.data.formats.units import VALUES, kind_of
from whitecrow.errors import DataError

__all__ = ["BLANK", "BLANKS", "NONE", "SEPARATORS", "Dialect", "sniff", "split"]

SAMPLE_BYTES = 1 << 20
SAMPLE_ROWS = 200
LONGEST_SAMPLE = 64 << 20
BLANK, BLANKS, NONE = " ", "  ", "\x1f"
"""Runs of blanks, runs of two and more, and what separates one column: nothing."""

SEPARATORS = {
    ",": "comma",
    ";": "semicolon",
    "\t": "tab",
    "|": "bar",
    BLANKS: "blanks",
    BLANK: "blanks",
    NONE: "nothing",
}
_SEP_LINE = re.compile(r'"?sep=(.)"?[ \t]*(?:\r\n|\r|\n|$)', re.IGNORECASE)
_COMMENT = re.compile(r"[ \t]*#[^\r\n]*(?:\r\n|\r|\n|$)|[ \t]*(?:\r\n|\r|\n)")
_TOKEN = re.compile(r'"([^"]*)"|(\S+)')


@dataclass(frozen=True)
class Dialect:
    """How one delimited file is written.

    Attributes
    ----------
    separator, quote : str
        What separates cells (a key of `SEPARATORS`), and what encloses them.
    names : tuple of str
        The names of the columns.
    width : int
        Cells in a row; more than names where the last columns are blank.
    start, line : int
        Where the rows of data begin: bytes from the beginning, and line number.
    longest : int
        Characters of the longest line of the sample.
    notes : tuple of str
        What was found, one sentence each.
    heads : tuple of tuples of str
        The rows with names and units, as wide as the rows of data.
    typed : tuple of int
        Columns of values, in the sample.
    lead : int
        Blank columns before the first one: 1 where rows begin with a separator.
    """

    separator: str
    quote: str
    names: tuple[str, ...]
    width: int
    start: int
    line: int
    longest: int
    notes: tuple[str, ...]
    heads: tuple[tuple[str, ...], ...] = ()
    typed: tuple[int, ...] = ()
    lead: int = 0

    @property
    def blank(self) -> int:
        """Count the last columns that have no name."""
        return self.width - self.lead - len(self.names)

    def all_named(self) -> Dialect:
        """Return a copy with names for the blank columns, which are not empty."""
        blank = [""] * self.blank
        names, notes = unique([*self.names, *blank])
        return replace(self, names=names, notes=(*self.notes, *notes))


@dataclass(frozen=True)
class _Record:
    """A row of cells of the sample, and where it is: characters and lines."""

    cells: list[str]
    line: int
    at: int
    end: int
    next_line: int


@dataclass(frozen=True)
class _Candidate:
    """A way to read the sample."""

    separator: str
    records: list[_Record]
    found: Header
    score: float
    lead: int = 0


def sniff(file: Bytes, text: Text, suffix: str) -> Dialect:
    """Detect how a file whose name ends in `suffix` is written.

    Raises
    ------
    DataError
        The file has no cell.
    """
    sample = _sample(file, text)
    if not sample.strip(" \t\r\n,;|"):
        raise EmptyError(f"{file.shown}: the file is empty; it needs a header and rows")
    begin, lines, forced, comment, notes = _preamble(sample)
    body = sample[begin:]
    if text.escaped:
        notes.append('quotes within cells are written \\"')
        body = body.replace('\\"', '""')  # of the same length, and read the same
    quote = _quote(body)
    best = _best(body, quote, forced, suffix, lines)
    if not best.records:
        raise DataError(f"{file.shown}: no rows of cells found; is it delimited text?")
    found = _named_by_comment(best, comment)
    at, line = _start(best.records, found)
    start = text.mark + len(sample[: begin + at].encode(text.encoding, "replace"))
    kind = SEPARATORS.get(best.separator, repr(best.separator))
    what = "text in one column" if best.separator == NONE else f"{kind}-separated text"
    if best.separator in (BLANK, BLANKS):
        what = "text in columns aligned by blanks"
    if best.separator == NONE and (mark := _unknown_separator(best.records)):
        notes.append(
            Loud(
                f"one column only; if {mark!r} separates columns, replace it by a "
                "comma, or write sep= and the sign as the first line"
            )
        )
    packing = f", {file.packing}" if file.packing else ""
    rows = [["", *r.cells] if best.lead else r.cells for r in best.records]
    width = found.width + best.lead
    heads = (r + [""] * (width - len(r)) for r in rows[found.top : found.first])
    return Dialect(
        best.separator,
        quote,
        found.names,
        width,
        start,
        line,
        max(map(len, sample.splitlines())),
        (f"{what}, {text}{packing}", *text.notes, *notes, *found.notes),
        tuple(tuple(cell.strip() for cell in head[:width]) for head in heads),
        tuple(header.typed(rows[found.first :], width)),
        best.lead,
    )


def _unknown_separator(records: list[_Record]) -> str:
    """Find a mark that occurs equally often in all lines, none of which is a value."""
    cells = [record.cells[0] for record in records]
    if len(cells) < 3 or any(kind_of(cell) in VALUES for cell in cells):
        return ""
    counts = {mark: {cell.count(mark) for cell in cells} for mark in ":^~\x01"}
    return next((m for m, c in counts.items() if len(c) == 1 and 0 not in c), "")


def split(line: str, separator: str) -> list[str]:
    """Split a line at runs of blanks, or of two and more; quotes hide blanks."""
    if separator == BLANKS:
        return [cell.strip('"') for cell in re.split(r"[ \t]{2,}|\t", line.strip())]
    if '"' not in line:
        return line.split()
    return [a if b == "" else b for a, b in _TOKEN.findall(line)]


# ---------------------------------------------------------------------- sample


def _sample(file: Bytes, text: Text) -> str:
    """Decode whole lines of the first megabyte, or of more if lines are longer."""
    size, raw = SAMPLE_BYTES, file.head(SAMPLE_BYTES)
    while len(raw) == size < LONGEST_SAMPLE and len(raw.splitlines()) < 4:
        size *= 8
        raw = file.head(size)
    decoder = codecs.getincrementaldecoder(text.encoding)("replace")
    sample = decoder.decode(raw[text.mark :])
    if len(raw) == size:  # the last line may be cut off
        end = max(sample.rfind("\n"), sample.rfind("\r")) + 1
        if sample[end - 1 : end] == "\r":  # and so may the line end
            end = max(sample.rfind("\n", 0, end), sample.rfind("\r", 0, end - 1)) + 1
        sample = sample[:end] or sample
    return sample


def _preamble(sample: str) -> tuple[int, int, str, str, list[str]]:
    """Find where the table may begin, below `sep=` and comments, and what they say."""
    at, lines, forced, comment, notes = 0, 0, "", "", []
    if match := _SEP_LINE.match(sample):
        forced, at, lines = match[1], match.end(), 1
        name = SEPARATORS.get(forced, repr(forced))
        notes.append(f"line 1 says that the separator is a {name}")
    first = at
    end, count = at, lines
    while (match := _COMMENT.match(sample, end)) and match.end() > end:
        end, count = match.end(), count + 1
        if match[0].lstrip().startswith("#"):
            comment, at, lines = match[0], end, count
    if not comment or not sample[at:].strip():
        return first, int(bool(forced)), forced, "", notes
    skipped = lines - int(bool(forced))
    what = "line is a comment" if skipped == 1 else "lines are comments"
    notes.append(f"the first {f'{skipped} ' if skipped > 1 else ''}{what} (#)")
    return at, lines, forced, comment.strip().lstrip("#").strip(), notes


def _quote(body: str) -> str:
    """Return a single quote if one encloses every cell of line 1, else a double one."""
    first = body.split("\n", 1)[0].strip()
    return "'" if re.fullmatch(r"'[^'\"]*'(?:[,;\t|]'[^'\"]*')+", first) else '"'


# ------------------------------------------------------------------ separators


def _best(body: str, quote: str, forced: str, suffix: str, lines: int) -> _Candidate:
    """Choose the separator that gives regular rows whose cells hold no other one."""
    if forced:
        return _candidate(body, forced, quote, lines)
    first = body.lstrip("\r\n").split("\n", 1)[0]
    if suffix in (".tsv", ".tab") and "\t" in first:
        return _candidate(body, "\t", quote, lines)
    strict = [_candidate(body, s, quote, lines) for s in (",", ";", "\t", "|")]
    usable = _without_decimal_commas([c for c in strict if _is_usable(c)])
    if suffix not in (".csv", ".tsv") or not usable:
        loose = [_candidate(body, s, quote, lines) for s in (BLANKS, BLANK)]
        usable += [c for c in loose if _is_usable(c) and _is_aligned(c)]
    if not usable:
        return _candidate(body, NONE, quote, lines)
    return max(usable, key=lambda c: (c.score, c.found.width))


def _without_decimal_commas(usable: list[_Candidate]) -> list[_Candidate]:
    """Drop the comma if another separator splits header and rows alike.

    Of prices such as `1.500,23 z\u0142;10,1` a comma makes regular rows too, but not of
    their header.
    """
    even = [c for c in usable if c.separator != "," and _splits_header(c)]
    return [
        c
        for c in usable
        if c.separator != "," or not any(_differs_at_header(c, other) for other in even)
    ]


def _splits_header(candidate: _Candidate) -> bool:
    found, records = candidate.found, candidate.records[candidate.found.top :]
    widths = [len(record.cells) == found.width for record in records]
    commas = [cell for r in records[:50] for cell in r.cells if "," in cell]
    if 2 * sum(bool(re.search(r"\d,\d", cell)) for cell in commas) < len(commas):
        return False  # these commas are not within numbers
    if not all(re.search(r"\w", cell) for cell in records[0].cells[:2]):
        return False  # no names
    most = len(records) >= max(3, 0.5 * len(candidate.records))
    return most and found.named and widths[0] and sum(widths) >= 0.9 * len(widths)


def _differs_at_header(candidate: _Candidate, other: _Candidate) -> bool:
    """Tell whether the header that another separator finds differs in width."""
    line = other.records[other.found.top].line
    cells = next((r.cells for r in candidate.records if r.line == line), [])
    return len(cells) != candidate.found.width


def _candidate(body: str, separator: str, quote: str, lines: int) -> _Candidate:
    records = list(islice(_records(body, separator, quote, lines), SAMPLE_ROWS))
    rows, gaps = [], set()
    for record in records:
        if any(cell.strip() for cell in record.cells):
            rows.append(record)
            if record.line > (rows[-2].next_line if len(rows) > 1 else lines + 1):
                gaps.add(len(rows) - 1)
    if not rows:
        return _Candidate(separator, [], Header(0, 0, (), 0), 0.0)
    lead = separator == "|" and all(not r.cells[0] for r in rows if len(r.cells) > 1)
    if lead and len(rows) > 2:
        rows = [replace(r, cells=r.cells[1:] or r.cells) for r in rows]
    cells = [record.cells for record in rows]
    found = header.find(cells, [record.line for record in rows], gaps)
    score = _score(cells, found, separator)
    return _Candidate(separator, rows, found, score, int(lead and len(rows) > 2))


def _records(body: str, separator: str, quote: str, lines: int) -> Iterator[_Record]:
    """Yield the rows of the sample, without blank lines."""
    at, line = 0, lines + 1
    if separator in (BLANK, BLANKS):
        for number, text in enumerate(io.StringIO(body, newline=""), line):
            end = at + len(text)
            if text.strip():
                yield _Record(split(text, separator), number, at, end, number + 1)
            at = end
        return
    ends = [0]

    def counted() -> Iterator[str]:
        for text in io.StringIO(body, newline=""):
            ends[0] += len(text)
            yield text

    reader = csv.reader(counted(), delimiter=separator, quotechar=quote)
    while True:
        try:
            row = next(reader, None)
        except csv.Error:  # a cell beyond Python's limit
            row = ["..."]
        if row is None:
            return
        after = lines + reader.line_num + 1
        if row:
            yield _Record(row, line, at, ends[0], after)
        at, line = ends[0], after


def _score(rows: list[list[str]], found: Header, separator: str) -> float:
    """Score how regular the rows are, and how free of other separators their cells."""
    body = rows[found.top :]
    regular = sum(len(row) == found.width for row in body) / len(body)
    some = [cell for row in body[:50] for cell in row[:1000] if cell.strip()]
    clean = sum(_is_clean(cell, separator) for cell in some) / max(1, len(some))
    return regular * (0.5 + 0.5 * clean)


def _is_clean(cell: str, separator: str) -> bool:
    if kind_of(cell) in VALUES:
        return True
    if cell.count('"') % 2:  # a quoted cell was split
        return False
    if any(other in cell for other in ",;\t|" if other != separator):
        return False
    parts = cell.split()
    return len(parts) < 2 or not all(kind_of(part) in VALUES for part in parts)


def _is_usable(candidate: _Candidate) -> bool:
    """Tell whether a separator makes columns, also of line 1 unless it is a title."""
    found, rows = candidate.found, [record.cells for record in candidate.records]
    if found.width < 2 or (len(rows[0]) < 2 and not found.top):
        return False
    # One column of numbers with decimal commas looks like two columns.
    body = rows[found.top :]
    commas = [re.fullmatch(r"\s*[-+]?\d+", row[0]) for row in body if len(row) == 2]
    alone = candidate.separator == "," and found.width == 2 and len(rows[0]) < 2
    return not (alone and not found.named and all(commas))


def _is_aligned(candidate: _Candidate) -> bool:
    """Tell whether blanks separate columns, not words: regular rows, mostly values."""
    found, rows = candidate.found, [record.cells for record in candidate.records]
    body = rows[found.first :]
    if not body or candidate.score < 0.9:
        return False
    cells = [cell for row in body[:50] for cell in row]
    return 2 * sum(kind_of(cell) in VALUES for cell in cells) >= len(cells)


# ----------------------------------------------------------------------- start


def _named_by_comment(best: _Candidate, comment: str) -> Header:
    """Take the names from the last comment above a table without a header itself."""
    found = best.found
    below = [record.cells for record in best.records[found.first :]]
    first = best.records[found.top].cells
    numbers = all(kind_of(cell) in VALUES for cell in first)
    values = any(kind_of(cell) in VALUES for row in below[:20] for cell in row)
    if not comment or (found.named and values and not numbers):
        return found
    if best.separator in (BLANK, BLANKS):
        names = split(comment, best.separator)
    else:
        names = next(csv.reader([comment], delimiter=best.separator), [])
    if len(names) != found.width or any(kind_of(name) in VALUES for name in names):
        return found
    named, changed = unique(names)
    notes = ("the last comment names the columns", *changed)
    return replace(found, first=found.top, names=named, blank=0, notes=notes)


def _start(records: list[_Record], found: Header) -> tuple[int, int]:
    """Find where the rows of data begin: character offset and line number."""
    if not found.named:
        return records[found.first].at, records[found.first].line
    above = records[found.first - 1]
    return above.end, above.next_line
