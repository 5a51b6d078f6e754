"""Where a table begins within rows of cells: titles, names, units, then the rows."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import pairwise

from whitecrow.data.formats.names import unique
from whitecrow.data.formats.units import VALUES, is_missing, is_unit, kind_of

__all__ = ["Header", "find", "typed"]

Row = Sequence[str]

_LARGEST_TITLE = 50  # rows
_MOST_DIVIDED = 10  # rows of titles that hold the separator
_SAMPLE_CELLS = 40_000
_YEARS = range(1900, 2101)
_RULE = re.compile(r":-+:?|-+:|-{3,}|={3,}|[-=]*\+[-+=]*")


@dataclass(frozen=True)
class Header:
    """Where a table begins, and what its columns are called.

    Attributes
    ----------
    top : int
        Index of the first row that belongs to the table: names or data.
    first : int
        Index of the first row of data.
    names : tuple of str
        One for each column that stays.
    width : int
        Cells in a row, those of `blank` columns included.
    blank : int
        How many of the last columns have no name and no cell in the sample.
    notes : tuple of str
        What was found, one sentence each.
    """

    top: int
    first: int
    names: tuple[str, ...]
    width: int
    blank: int = 0
    notes: tuple[str, ...] = ()

    @property
    def named(self) -> bool:
        """Tell whether the file names the columns."""
        return self.first > self.top


def find(
    rows: Sequence[Row], lines: Sequence[int], gaps: Collection[int] = ()
) -> Header:
    """Find the names of the columns and the first row of data.

    Parameters
    ----------
    rows : sequence of sequences of str
        The first rows, at least one, without those that are blank.
    lines : sequence of int
        Their line numbers, for notes.
    gaps : collection of int
        Indices of the rows that follow a blank line.

    Returns
    -------
    Header

    Examples
    --------
    >>> found = find([["price", "load"], ["EUR", "bar"], ["5", "2"]], [1, 2, 3])
    >>> found.first, found.names, found.notes
    (2, ('price', 'load'), ('line 2 holds units: price EUR, load bar',))
    """
    width = _common_width(rows)
    rows = rows[: max(20, _SAMPLE_CELLS // width)]
    top = _top(rows, width, gaps)
    notes = _titles(rows, lines, top)
    table = rows[top:]
    header, note = _has_header(table)
    if not header:
        return _without_header(table, width, top, notes, note)
    raw, shift = _header(table, width)
    first = top + 1
    if _is_second_header(table, raw):
        raw = _combined(raw, table[1])
        notes.append(f"lines {lines[top]} and {lines[top + 1]} both hold names")
        first += 1
    else:
        notes += note
    blank = _blank(raw, rows[first:])
    names, changed = unique(raw[: len(raw) - blank])
    notes += [*shift, *changed]
    if first < len(rows) and _is_rule(rows[first]):
        first += 1
    if first < len(rows) and _is_units(rows[first], rows[first + 1 :], len(names)):
        notes.append(_units_note(names, rows[first], lines[first]))
        first += 1
    return Header(top, first, names, len(raw), blank, tuple(notes))


# ---------------------------------------------------------------------- widths


def _common_width(rows: Sequence[Row]) -> int:
    counts = Counter(len(row) for row in rows)
    return max(counts, key=lambda width: (counts[width], width))


def _filled(row: Row) -> int:
    """Count the cells up to the last one that is not empty."""
    return next((j for j in range(len(row), 0, -1) if row[j - 1].strip()), 0)


def _blank(raw: Row, below: Sequence[Row]) -> int:
    """Count the last columns that have neither a name nor a cell."""
    used = max([_filled(raw), *(_filled(row[: len(raw)]) for row in below), 1])
    return len(raw) - used


# ---------------------------------------------------------------------- titles


def _top(rows: Sequence[Row], width: int, gaps: Collection[int]) -> int:
    """Find the index of the row where the table begins; 0 unless there are titles."""
    filled = max(_filled(row) for row in rows if len(row) == width)
    if filled < 2:
        return 0
    if named := _last_words(rows, filled, gaps) or _below_titles(rows, filled):
        return named
    beginning = enumerate(rows[:_LARGEST_TITLE])
    top = next((i for i, row in beginning if not _is_title(row, width, filled)), 0)
    if not top:
        return 0
    titles, below = rows[:top], rows[top:]
    apart = any(i in gaps for i in range(1, top + 1))
    short = all(len(row) < width for row in titles)
    alone = all(_filled(row) == 1 and kind_of(row[0]) == "text" for row in titles)
    header, _ = _has_header(below)
    if not header or all(kind_of(cell) in VALUES for cell in below[0]):
        return top if alone and (apart or short) else 0
    padded = alone and not short
    evident = any(kind in VALUES for kind in _kinds(below[1:], len(below[0])))
    evident |= width > 2 < len(below) and all(len(row) == width for row in below)
    return top if apart or padded or evident else 0


def _last_words(rows: Sequence[Row], filled: int, gaps: Collection[int]) -> int:
    """Find the index of the last row of words above columns of values, or 0.

    Above it are titles: rows that are not names, such as `Serial:,1234`. Units, and
    names below names of groups, belong to the names above them.
    """
    columns = typed(rows[len(rows) // 2 :], filled)
    place = 0
    for i, row in enumerate(rows[:_LARGEST_TITLE]):
        own = [kind_of(row[j]) if j < len(row) else "" for j in columns]
        if all(k in VALUES for k in own) and row[0].strip()[-1:] != ":":
            break  # of the body, or no column has values
        if _are_words(row, own, filled):
            place = i
    if not place:
        return 0
    above, row, below = rows[place - 1], rows[place], rows[place + 1 :]
    unit = _is_units(row, below, len(row)) and _filled(above) >= filled
    apart = place - 1 in gaps
    unit &= apart or any(len(cell.strip()) > 1 for cell in row)
    groups = (apart or place == 1) and len(above) == len(row)
    groups &= sum(bool(cell.strip()) for cell in above) > 1
    if place not in gaps:
        place -= unit or (groups and _is_second_header(rows[place - 1 :], above))
    return 0 if all(_are_words(r, (), filled) for r in rows[:place]) else place


def typed(rows: Sequence[Row], width: int) -> list[int]:
    """Return the columns of which nearly all cells are values."""
    columns = [[kind_of(r[j]) for r in rows if j < len(r)] for j in range(width)]
    return [
        j
        for j, kinds in enumerate(columns)
        if sum(k in VALUES for k in kinds) > 0.8 * sum(map(bool, kinds))
    ]


def _are_words(row: Row, kinds: Sequence[str], filled: int) -> bool:
    """Tell whether a row's cells are distinct and all words (by `kinds` if given)."""
    cells = [cell.strip() for cell in row[: _filled(row)]]
    kinds = kinds or [kind_of(cell) for cell in cells]
    whole = len(cells) >= filled and len(set(cells)) == len(cells)
    return whole and not _is_rule(row) and all(kind == "text" for kind in kinds)


def _below_titles(rows: Sequence[Row], filled: int) -> int:
    """Find the index of a row of names below titles with separators, or 0."""
    for place in range(1, min(len(rows), _MOST_DIVIDED + 1)):
        row, titles = rows[place], rows[:place]
        if all(_is_divided_title(title, row) for title in titles):
            spaced = any(_is_spaced(title, row) for title in titles)
            if _is_new_header(row, rows[place + 1 :], filled, spaced=spaced):
                return place
    return 0


def _is_divided_title(title: Row, names: Row) -> bool:
    """Tell whether a row is a title above these names: shorter, or in more words."""
    end = _filled(title)
    cells = {cell.strip().casefold() for cell in title[:end]}
    if "" in cells or cells.intersection(cell.strip().casefold() for cell in names):
        return False
    if end < _filled(names) or _is_spaced(title, names):
        return True
    worded = [any(" " in cell.strip() for cell in row) for row in (title, names)]
    return worded == [True, False]


def _is_spaced(title: Row, names: Row) -> bool:
    """Tell whether blanks follow separators in the title, as in prose, not in names."""
    found = [any(cell[:1] == " " for cell in row[1:]) for row in (title, names)]
    return found == [True, False]


def _is_new_header(
    row: Row, below: Sequence[Row], filled: int, *, spaced: bool
) -> bool:
    """Tell whether a row has a name for every column, none of which occurs below it."""
    names = [cell.strip() for cell in row[: _filled(row)]]
    if len(names) < filled or len(set(names)) < len(names) or len(below) < 2:
        return False
    if any(kind_of(name) != "text" for name in names):
        return False
    if _is_rule(row) or _is_units(row, below, len(row)):
        return False
    if any(cell.strip() in names for other in below for cell in other if cell):
        return False
    return spaced or any(kind in VALUES for kind in _kinds(below, len(row)))


def _is_title(row: Row, width: int, filled: int) -> bool:
    """Tell whether a row is narrower than the table, or has cells only at its left."""
    end = _filled(row)
    if len(row) > width:
        return end > width
    if any(not cell.strip() for cell in row[:end]):
        return False
    return 2 * end <= filled or len(row) < width - 1


def _titles(rows: Sequence[Row], lines: Sequence[int], top: int) -> list[str]:
    if not top:
        return []
    text = " ".join(" ".join(rows[0]).split())
    shown = repr(text if len(text) <= 60 else text[:57] + "...")
    if top == 1:
        return [f"line {lines[0]} is a title above the table and not read: {shown}"]
    where = f"lines {lines[0]} to {lines[top - 1]}"
    return [f"{where} are titles above the table and not read: {shown}, ..."]


# ---------------------------------------------------------------------- header


def _kinds(rows: Sequence[Row], width: int) -> list[str]:
    """Return what most cells of each column look like."""
    counts: list[Counter[str]] = [Counter() for _ in range(width)]
    for row in rows:
        for cell, count in zip(row, counts, strict=False):
            if kind := kind_of(cell):
                count[kind] += 1
    return [_common(count) for count in counts]


def _common(count: Counter[str]) -> str:
    return max(count, key=lambda kind: (count[kind], kind != "text"), default="")


def _has_header(table: Sequence[Row]) -> tuple[bool, list[str]]:
    """Judge by the rows below whether the first row holds names; return notes, too."""
    first = table[0]
    own = [kind_of(cell) for cell in first]
    values = sum(kind in VALUES for kind in own)
    if not values:
        return True, []
    below = _kinds(table[1:], len(first))
    typed = [j for j, kind in enumerate(below) if kind in VALUES]
    if any(own[j] not in ("", below[j]) for j in typed):
        return True, _doubt(first, values)
    shown = ", ".join(cell.strip() for cell in first[:3])
    same = [j for j in typed if own[j]]
    if same or (values == len(first) and not typed):
        corner = not first[0].strip() and any(r[0].strip() for r in table[1:] if r)
        counted = [str(j) for j in range(len(same))] == [first[j].strip() for j in same]
        if (corner and counted) or _are_names(first, table[1:], same):
            return True, [f"the first row ({shown}, ...) is taken as column names"]
        return False, []
    return True, _doubt(first, values)


def _doubt(first: Row, values: int) -> list[str]:
    if 2 * values <= len(first):
        return []
    shown = ", ".join(cell.strip() for cell in first[:3])
    return [
        f"the first row ({shown}, ...) is taken as column names, though most of it is "
        "numbers; if it is data, add a header row"
    ]


def _are_names(first: Row, below: Sequence[Row], where: Sequence[int]) -> bool:
    """Tell whether numbers count columns or years: 0, 1, 2 or 2019, 2020, 2021."""
    try:
        numbers = [float(first[j]) for j in where]
    except ValueError:
        return False
    steps = {b - a for a, b in pairwise(numbers)}
    if steps == {1.0} and (numbers[0] in (0.0, 1.0) or len(numbers) > 2):
        return True
    years = [number in _YEARS for number in numbers]
    if not years or not all(years) or len(set(numbers)) < len(numbers):
        return False
    rows = [row for row in below[:50] if len(row) > max(where)]
    return bool(rows) and not any(
        row[j].strip()[:4].isdigit() and int(row[j].strip()[:4]) in _YEARS
        for row in rows
        for j in where
    )


def _without_header(
    table: Sequence[Row], width: int, top: int, notes: list[str], note: list[str]
) -> Header:
    raw = [""] * max(width, 1)
    blank = _blank(raw, table)
    names = tuple(f"x{j}" for j in range(len(raw) - blank))
    called = "the column is named x0"
    if len(names) > 1:
        called = f"columns are named x0 to x{len(names) - 1}"
    said = f"the first row holds numbers, so there is no header; {called}"
    return Header(top, top, names, len(raw), blank, (*notes, *note, said))


def _header(table: Sequence[Row], width: int) -> tuple[list[str], list[str]]:
    """Return the row of names, as wide as the rows below it, and a note."""
    raw = list(table[0])
    body = [row for row in table[1:] if len(row) == width]
    if len(raw) == width - 1 and body and len(raw) > 0:
        if not any(row[-1].strip() for row in body):
            return [*raw, ""], []
        return ["", *raw], [
            "the header has one name fewer than the rows have cells, so the first "
            "column has none"
        ]
    if len(raw) > width:
        raw = raw[: max(width, _filled(raw))]
    return raw, []


def _is_second_header(table: Sequence[Row], raw: Row) -> bool:
    """Tell whether the second row holds names, too, below names of column groups."""
    if len(table) < 3 or len(raw) < 3:
        return False
    groups, second = [cell.strip() for cell in raw], table[1]
    filled = [cell for cell in groups if cell]
    if len(filled) == len(set(filled)) == len(raw) or len(second) != len(raw):
        return False
    if _is_units(second, table[2:], len(raw)):
        return False
    kinds = _kinds(table[2:], len(raw))
    typed = [j for j, kind in enumerate(kinds) if kind in VALUES]
    named = [second[j].strip() for j in typed]
    below = {cell.strip() for row in table[2:] for cell in row}
    return (
        len(typed) > 1
        and all(name and kind_of(name) == "text" for name in named)
        and not below.intersection(named)
        and all(groups[j] or second[j].strip() for j in range(len(raw)))
    )


def _combined(groups: Row, names: Row) -> list[str]:
    """Put names of groups before those of columns; a group holds until the next one."""
    result, group = [], ""
    for over, name in zip(groups, names, strict=True):
        group = over.strip() or group
        result.append(f"{group} {name.strip()}".strip())
    return result


def _is_rule(row: Row) -> bool:
    """Tell whether a row is a rule below the names, as in Markdown: `---|---`."""
    cells = [cell.strip() for cell in row if cell.strip()]
    return bool(cells) and all(_RULE.fullmatch(cell) for cell in cells)


# ----------------------------------------------------------------------- units


def _is_units(row: Row, below: Sequence[Row], width: int) -> bool:
    """Tell whether a row has units where the rows below it have numbers."""
    if not below or len(row) < width:
        return False
    kinds = _kinds(below, width)
    columns = list(zip(*(r for r in below if len(r) >= width), strict=False))
    if not columns:
        return False
    known = unknown = 0
    for cell, kind, column in zip(row, kinds, columns, strict=False):
        if is_missing(cell):
            continue
        found = is_unit(cell)
        if cell.strip() in {other.strip() for other in column}:
            return False
        if kind in VALUES:
            if kind_of(cell) in VALUES and not found:
                return False
            known += found
        if not found:
            if len(cell.strip()) > 15:
                return False
            unknown += 1
    return known > 0 and known >= unknown


def _units_note(names: Row, row: Row, line: int) -> str:
    pairs = [
        f"{name} {cell.strip()}"
        for name, cell in zip(names, row, strict=False)
        if not is_missing(cell)
    ]
    more = f", and {len(pairs) - 12} more" if len(pairs) > 12 else ""
    return f"line {line} holds units: {', '.join(pairs[:12])}{more}"
