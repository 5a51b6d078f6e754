"""The rows of a table: the first ones as values, all as data for the page's script."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from whitecrow import labels
from whitecrow.data.kinds.words import shown
from whitecrow.report import island, strips
from whitecrow.report.scores import score_text, spread

if TYPE_CHECKING:
    import pyarrow as pa

    from whitecrow.data.kinds import TableEncoder
    from whitecrow.data.rows import TableRows
    from whitecrow.findings import Findings
    from whitecrow.reasons import Reason
    from whitecrow.report.charts import Strip

__all__ = ["TableView", "bits_of", "table_view", "truth_of"]

MOST_ROWS = 1000
MOST_VALUES = 80  # in the list of all values of a row, as it is without the script
MOST_IDENTIFIERS = 3
# Bytes for the cells of all rows, the largest part of the page, less what each column
# takes elsewhere: a chart, how it was read, its values in the first rows.
CELLS_BUDGET, COLUMN_COST, LEAST_BUDGET = 660_000, 1_200, 150_000
LONGEST_CELLS = (80, 40, 24)


@dataclass(frozen=True, kw_only=True)
class TableView:
    """What the page shows of a table.

    Attributes
    ----------
    rows : list of dict
        The first ones.
    n_rows : int
        All rows that the page can show.
    strips : dict
        Id of a drawing -> strip.
    symbols : dict
        Column -> id of its drawing.
    counts : Counter
        Column -> flagged rows in which it is among the reasons.
    left_out : list of str
        Columns whose cells do not fit on the page.
    shortened : int or None
        Longest text of a cell, where cells were cut.
    data : dict
        For the script.
    """

    rows: list[dict[str, Any]]
    n_rows: int
    strips: dict[str, Strip]
    symbols: dict[str, str]
    counts: Counter[str]
    left_out: list[str]
    shortened: int | None
    data: dict[str, Any]


def table_view(
    result: Findings, table: TableRows, drawn: Mapping[str, Strip]
) -> TableView:
    """Collect what the page shows of the explained rows.

    Parameters
    ----------
    result : Findings
    table : TableRows
        Its rows.
    drawn : mapping of str to Strip
        Column -> its chart.
    """
    rows = result.explained[:MOST_ROWS]
    encoder = result.model.encoder
    assert encoder is not None
    frame = table.take(rows).frame
    numbers = _numbers(encoder, frame)
    cells = {name: _texts(frame[name]) for name in frame.column_names}
    flagged = [row for row in rows if result.flagged[row]]
    counts = Counter(
        r.column for row in flagged or rows for r in result.reasons.get(row, ())
    )
    maker = _Maker(result, table, encoder, rows, cells, numbers, drawn)
    fitting, longest = _fitting(cells, maker.orders, maker.first_columns(counts))
    return TableView(
        rows=[maker.row(place) for place in range(min(len(result.top), len(rows)))],
        n_rows=len(rows),
        strips={maker.symbol(name): strip for name, strip in drawn.items()},
        symbols={name: maker.symbol(name) for name in drawn},
        counts=counts,
        left_out=[name for name in cells if name not in fitting],
        shortened=longest,
        data=maker.data(fitting),
    )


def truth_of(result: Findings, row: int) -> str:
    """Return the label of a row in a word; "" if it has none."""
    codes = result.rows.codes
    if codes is None or codes[row] == labels.UNLABELLED:
        return ""
    return "anomaly" if codes[row] == labels.ANOMALY else "normal"


def bits_of(usual: str) -> tuple[str, ...]:
    """Split a sentence where a line may break."""
    return tuple(re.split(r"(?<=[,;]) ", usual))


@dataclass(frozen=True)
class _Maker:
    """Builds rows and data from what all of them need."""

    result: Findings
    table: TableRows
    encoder: TableEncoder
    rows: Sequence[int]
    cells: Mapping[str, list[str]]
    numbers: Mapping[str, NDArray[np.float64]]
    drawn: Mapping[str, Strip]

    @cached_property
    def places(self) -> dict[str, int]:
        return {name: place for place, name in enumerate(self.cells)}

    @cached_property
    def lines(self) -> list[int] | None:
        return self.table.lines(self.rows)

    @cached_property
    def orders(self) -> dict[str, str]:
        """Tell how the script sorts each column."""
        return {
            name: island.order_code(column, self.numbers.get(name))
            for name, column in self.cells.items()
        }

    @cached_property
    def identifiers(self) -> list[str]:
        return [name for name in self.encoder.identifiers_ if name in self.cells]

    @cached_property
    def axis(self) -> str | None:
        """Return the column with the time of a row, where it is not its name."""
        moment = self.encoder.moment_
        return None if moment in self.identifiers else moment

    @cached_property
    def most(self) -> float:
        """Return the largest share of a reason, for the length of its bar."""
        shares = (r.share for rs in self.result.reasons.values() for r in rs)
        return max(shares, default=1.0)

    @cached_property
    def spread(self) -> float:
        return spread(self.result.scores)

    @cached_property
    def ends(self) -> tuple[float, float]:
        """Return the median and the highest score."""
        return float(np.median(self.result.scores)), float(self.result.scores.max())

    def symbol(self, column: str) -> str:
        return f"s{self.places[column]}"

    def first_columns(self, counts: Counter[str]) -> list[str]:
        """Order all columns, those that a reader misses most first."""
        first = [*self.identifiers, *(name for name, _ in counts.most_common())]
        moment = self.encoder.moment_
        first += [moment] if moment else []
        return list(
            dict.fromkeys([*(n for n in first if n in self.cells), *self.cells])
        )

    def row(self, place: int) -> dict[str, Any]:
        row = self.rows[place]
        order = dict.fromkeys([*self.identifiers, *self.cells])
        return {
            "rank": place + 1,
            "row": self.table.position(row),
            "line": self.lines[place] if self.lines else None,
            "names": [
                (name, self.cells[name][place])
                for name in self.identifiers[:MOST_IDENTIFIERS]
            ],
            "time": "" if self.axis is None else self.cells[self.axis][place],
            "score": self.score(row),
            "width": self.width(row),
            "flagged": bool(self.result.flagged[row]),
            "truth": truth_of(self.result, row),
            "reasons": [
                self.reason(place, one) for one in self.result.reasons.get(row, ())
            ],
            "values": {n: self.cells[n][place] for n in [*order][:MOST_VALUES]},
        }

    def score(self, row: int) -> str:
        return score_text(float(self.result.scores[row]), self.spread)

    def width(self, row: int) -> float:
        (low, high), score = self.ends, float(self.result.scores[row])
        return 100 * max(score - low, 0.0) / ((high - low) or 1.0)

    def reason(self, place: int, reason: Reason) -> dict[str, Any]:
        return {
            "column": reason.column,
            "text": reason.text,
            "usual": reason.usual,
            "bits": bits_of(reason.usual),
            "share": round(100 * reason.share),
            "width": 100 * reason.share / self.most,
            "strip": self.symbol(reason.column) if reason.column in self.drawn else "",
            "mark": self.mark(place, reason),
        }

    def mark(self, place: int, reason: Reason) -> strips.Mark:
        strip = self.drawn.get(reason.column)
        numbers = self.numbers.get(reason.column)
        number = float("nan") if numbers is None else float(numbers[place])
        return strips.place_in(strip, reason.value, number)

    def data(self, fitting: Mapping[str, Sequence[str]]) -> dict[str, Any]:
        rows, pool = self.rows, island.Pool()
        reasons = [
            [
                self.reason_code(place, one, pool)
                for one in self.result.reasons.get(row, ())
            ]
            for place, row in enumerate(rows)
        ]
        return {
            "rows": [self.table.position(row) for row in rows],
            "lines": self.lines,
            "scores": "\n".join(map(self.score, rows)),
            "widths": [round(self.width(row)) for row in rows],
            "flagged": sum(bool(self.result.flagged[row]) for row in rows),
            "labels": "".join(truth_of(self.result, row)[:1] or "-" for row in rows),
            "columns": [self.column_code(name, fitting) for name in self.cells],
            "ids": [self.places[name] for name in self.identifiers],
            "shown": MOST_IDENTIFIERS,
            "axis": None if self.axis is None else self.places[self.axis],
            "most": self.most,
            "reasons": reasons,
            "words": pool.words,
            "groups": self.groups(),
        }

    def column_code(self, name: str, fitting: Mapping[str, Sequence[str]]) -> list[Any]:
        if name not in fitting:
            return [name, None, "t"]
        return [name, island.packed(fitting[name]), self.orders[name]]

    def reason_code(self, place: int, one: Reason, pool: island.Pool) -> list[Any]:
        mark = self.mark(place, one)
        where: Any = mark.beyond[:1] or None
        if mark.bar is not None:
            where = [round(mark.bar[0], 1), round(mark.bar[1], 1)]
        elif not where and mark.at is not None:
            where = round(mark.at, 1)
        column = self.places[one.column]
        return [column, round(one.share, 3), pool[one.text], pool[one.usual], where]

    def groups(self) -> list[list[int]]:
        """Return the places of each group's rows that the page can show."""
        places = {row: place for place, row in enumerate(self.rows)}
        return [
            [places[row] for row in group.rows if row in places]
            for group in self.result.groups
        ]


def _numbers(encoder: TableEncoder, frame: pa.Table) -> dict[str, NDArray[np.float64]]:
    return {
        name: encoder.chart(name, frame[name])
        for name in frame.column_names
        if {"q05", "shares"} & set(encoder.summaries_.get(name, {}))
    }


def _texts(column: pa.ChunkedArray) -> list[str]:
    """Return cells as in the file, "" where there is none."""
    return [_text(value) for value in column.to_pylist()]


def _text(value: Any) -> str:
    if value is None:
        return ""
    return " ".join(value.split()) if isinstance(value, str) else shown(value)


def _fitting(
    cells: Mapping[str, list[str]], orders: Mapping[str, str], first: Sequence[str]
) -> tuple[dict[str, list[str]], int | None]:
    """Choose the columns that fit on the page, cut if that makes all of them fit."""
    budget = max(CELLS_BUDGET - COLUMN_COST * len(cells), LEAST_BUDGET)
    longest = max(
        (len(cell) for column in cells.values() for cell in column), default=0
    )
    for most in LONGEST_CELLS:
        short = {
            n: [island.cut_to(c, most) for c in column] for n, column in cells.items()
        }
        sizes = {
            name: island.size(island.packed(short[name])) + len(orders[name])
            for name in first
        }
        if sum(sizes.values()) <= budget:
            break
    total = np.cumsum([sizes[name] for name in first])
    kept = [name for name, size in zip(first, total, strict=True) if size <= budget]
    return {name: short[name] for name in kept}, most if longest > most else None
