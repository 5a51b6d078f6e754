"""Every kind of column on every surface: nothing breaks, and every decision is said.

Beside the column stands an ordinary one with a planted value, so that a table in which
the column is of no use can be worked with too.
"""

from __future__ import annotations

import decimal
import math
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from people import Desk, delimited, rng

ROWS = 120
ODD = 7
COLUMN = "subject"

MONDAY = datetime(2024, 1, 1, 9, 30)
MOMENTS = [MONDAY + timedelta(hours=7 * row, minutes=row) for row in range(ROWS)]
NUMBERS = [float(v) for v in rng(5).normal(500, 40, ROWS).round(2)]


BIG = [2**63 + 4096 * (row % 11) for row in range(ROWS)]


def text(cell: Callable[[int], str]) -> list[str]:
    return [cell(row) for row in range(ROWS)]


def words(levels: int) -> list[str]:
    return text(lambda row: f"level {row * 7919 % levels}")


def us(value: float) -> str:
    return f"{1000 * value:,.2f}"


def with_(cells: list[Any], **changes: Any) -> list[Any]:
    """Some other cells: `_5="x"` for row 5."""
    found = list(cells)
    for row, cell in changes.items():
        found[int(row.removeprefix("_"))] = cell
    return found


def some(cells: list[Any], cell: Any) -> list[Any]:
    """Every ninth cell another one."""
    return [cell if row % 9 == 4 else one for row, one in enumerate(cells)]


# What text files hold.
WRITTEN: dict[str, list[str]] = {
    "ints": text(lambda row: str(row * 37 % 50)),
    "floats": [str(v) for v in NUMBERS],
    "decimal commas": [str(v).replace(".", ",") for v in NUMBERS],
    "money": [f"${us(v)}" for v in NUMBERS],
    "euros": [us(v).translate(str.maketrans(",.", ".,")) + " €" for v in NUMBERS],
    "thousands": [us(v) for v in NUMBERS],
    "percent": [f"{v / 10:.1f}%" for v in NUMBERS],
    "units": [f"{v} kg" for v in NUMBERS],
    "accounting": [f"({v})" if row % 5 else str(v) for row, v in enumerate(NUMBERS)],
    "scientific": [f"{v:e}" for v in NUMBERS],
    "hexadecimal": text(lambda row: hex(row * 37 % 50)),
    "booleans": text(lambda row: "true" if row % 5 else "false"),
    "booleans in words": text(lambda row: "ja" if row % 5 else "nein"),
    "one letter": text(lambda row: "Y" if row % 5 else "N"),
    "few levels": words(3),
    "many levels": words(40),
    "4,000 levels": text(lambda row: f"user {row * 7919 % 4000}"),
    "numbers and words": text(lambda row: str(row) if row % 2 else f"x{row % 9}"),
    "identifiers": text(lambda row: f"C-{1000 + row}"),
    "row numbers": text(str),
    "sentences": text(lambda row: f"the {row}th pump leaks at joint {row * 13} again"),
    "ISO dates": [f"{d:%Y-%m-%d}" for d in MOMENTS],
    "ISO moments": [d.isoformat() for d in MOMENTS],
    "day first": [f"{d:%d/%m/%Y}" for d in MOMENTS],
    "month first": [f"{d:%m/%d/%Y %I:%M %p}" for d in MOMENTS],
    "named months": [f"{d.day} {d:%b %Y}" for d in MOMENTS],
    "dates as digits": [f"{d:%Y%m%d}" for d in MOMENTS],
    "a bad date": with_([f"{d:%Y-%m-%d}" for d in MOMENTS], _5="unknown"),
    "impossible dates": with_([f"{d:%Y-%m-%d}" for d in MOMENTS], _5="2024-02-31"),
    "far dates": with_([f"{d:%Y-%m-%d}" for d in MOMENTS], _5="9999-12-31"),
    "Apache": [f"[{d:%d/%b/%Y:%H:%M:%S +0000}]" for d in MOMENTS],
    "hours only": [f"{d:%Y-%m-%d %H}" for d in MOMENTS],
    "zones": [d.isoformat() + "+02:00" for d in MOMENTS],
    "two zones": [f"{d.isoformat()}+0{1 + d.day % 2}:00" for d in MOMENTS],
    "nanoseconds": [d.isoformat() + ".123456789" for d in MOMENTS],
    "clock times": [f"{d:%H:%M}" for d in MOMENTS],
    "half days": [f"{d:%I:%M %p}" for d in MOMENTS],
    "durations": [f"{20 + row % 9}:{row % 60:02d}:10" for row in range(ROWS)],
    "days and hours": [f"{row % 4} days 0{row % 9}:10:00" for row in range(ROWS)],
    "beyond 2^53": text(lambda row: str(2**63 + 4096 * (row % 11))),
    "beyond 2^64": text(lambda row: str(2**70 + 2**30 * (row % 11))),
    "all missing": [""] * ROWS,
    "all words for missing": ["n/a"] * ROWS,
    "constant": ["7"] * ROWS,
    "constant text": ["north"] * ROWS,
    "one other": with_(["7"] * ROWS, _5="8"),
    "infinite": with_([str(v) for v in NUMBERS], _5="inf"),
    "all infinite": ["inf"] * ROWS,
    "huge": with_([str(v) for v in NUMBERS], _5="1.797e308"),
    "too huge": with_([str(v) for v in NUMBERS], _5="1e999"),
    "tiny": [str(v * 1e-300) for v in NUMBERS],
    "a sentinel": some([str(v) for v in NUMBERS], "-999"),
    "missing words": some([str(v) for v in NUMBERS], "k.A."),
    "signs": some([str(v) for v in NUMBERS], "--"),
    "empty cells": some([str(v) for v in NUMBERS], ""),
    "one value": with_([""] * ROWS, _5="3.5"),
    "letters of the world": text(lambda row: "αβγ漢字😀"[row % 6] * 3),
    "blanks": text(lambda row: " " * (row % 3)),
    "markup": text(lambda row: f"<b>{'&amp;' * (row % 3)}</b>"),
    "formulas": text(lambda row: f"=SUM(A{row % 3})"),
    "long": text(lambda row: "x" * 5000 + str(row % 3)),
}


def typed() -> dict[str, pa.Array]:
    """What columnar files hold beside text."""
    at = np.array(MOMENTS, "datetime64[ns]") + np.timedelta64(123, "ns")
    clock = [d.time() for d in MOMENTS]
    spans = [timedelta(minutes=row * 17) for row in range(ROWS)]
    gaps = some(NUMBERS, None)
    inf = with_(NUMBERS, _5=math.inf)
    huge = with_(NUMBERS, _5=1.797e308)
    return {
        "int8": pa.array([row % 50 for row in range(ROWS)], pa.int8()),
        "int64 with gaps": pa.array([row % 9 or None for row in range(ROWS)]),
        "uint64": pa.array(BIG, pa.uint64()),
        "float32": pa.array(NUMBERS, pa.float32()),
        "float16": pa.array(np.array(NUMBERS, np.float16)),
        "float64 with gaps": pa.array(gaps),
        "NaN": pa.array(with_(NUMBERS, _5=math.nan)),
        "infinite": pa.array(inf),
        "minus infinite": pa.array(with_(NUMBERS, _5=-math.inf)),
        "huge": pa.array(huge),
        "sentinel": pa.array(some(NUMBERS, -9999.0)),
        "decimal": pa.array([decimal.Decimal(str(v)) for v in NUMBERS]),
        "boolean": pa.array([row % 5 > 0 for row in range(ROWS)]),
        "boolean with gaps": pa.array([row % 5 > 0 or None for row in range(ROWS)]),
        "dictionary": pa.array(words(5)).dictionary_encode(),
        "dictionary of numbers": pa.array([1, 5, 9] * 40).dictionary_encode(),
        "large text": pa.array(words(5), pa.large_string()),
        "text view": pa.array(words(5), pa.string_view()),
        "binary": pa.array([b"zz" if row % 9 else b"\xff" for row in range(ROWS)]),
        "binary text": pa.array([w.encode() for w in words(5)]),
        "fixed binary": pa.array(
            [bytes([row % 3] * 4) for row in range(ROWS)], pa.binary(4)
        ),
        "date32": pa.array([d.date() for d in MOMENTS], pa.date32()),
        "date64": pa.array([d.date() for d in MOMENTS], pa.date64()),
        "nanoseconds": pa.array(at),
        "seconds": pa.array(MOMENTS, pa.timestamp("s")),
        "zone": pa.array(MOMENTS, pa.timestamp("us", "America/New_York")),
        "moments with gaps": pa.array(some(MOMENTS, None), pa.timestamp("us")),
        "time64": pa.array(clock, pa.time64("us")),
        "time32": pa.array(clock, pa.time32("s")),
        "duration": pa.array(spans, pa.duration("ns")),
        "null": pa.nulls(ROWS),
        "lists": pa.array([[1.5] * (row % 3) for row in range(ROWS)]),
        "lists of text": pa.array([["a", "b"][: row % 3] for row in range(ROWS)]),
        "structs": pa.array([{"a": row % 3, "b": "x"} for row in range(ROWS)]),
        "maps": pa.array(
            [[("a", row)] for row in range(ROWS)], pa.map_(pa.string(), pa.int64())
        ),
    }


TYPED = typed()


def ordinary() -> list[float]:
    """The column beside it: one value is odd."""
    values = rng(6).normal(10, 1, ROWS).round(3)
    values[ODD] = 40
    return [float(v) for v in values]


def write(desk: Desk, form: str, kind: str) -> str:
    if form == "csv":
        cells = [f'"{cell}"' for cell in WRITTEN[kind]]
        content = delimited({COLUMN: cells, "beside": ordinary()})
        (desk / "x.csv").write_bytes(content)
        return "x.csv"
    column = TYPED[kind] if form == "typed" else pa.array(WRITTEN[kind])
    table = pa.table({COLUMN: column, "beside": ordinary()})
    pq.write_table(table, desk / "x.parquet")
    return "x.parquet"


CELLS = [(form, kind) for form in ("csv", "parquet") for kind in WRITTEN]
CELLS += [("typed", kind) for kind in TYPED]
REFUSABLE = {"infinite", "minus infinite", "all infinite", "huge", "too huge"}

each = pytest.mark.parametrize(("form", "kind"), CELLS)


@each
def test_detect_and_report(form: str, kind: str, desk: Desk) -> None:
    name = write(desk, form, kind)
    ran = desk.run("detect", name, "-o", "found", "--method", "knn")
    if ran.code and kind in REFUSABLE:
        ran.refused(COLUMN)
        return
    found = desk.found(ran).rows(ROWS)
    found.tells(COLUMN)
    assert "Traceback" not in found.words


@each
def test_fit_score_and_explain(form: str, kind: str, desk: Desk) -> None:
    name = write(desk, form, kind)
    ran = desk.run("fit", name, "-o", "m.crow", "--method", "hbos")
    if ran.code and kind in REFUSABLE:
        ran.refused(COLUMN)
        return
    ran.ok().says(COLUMN)
    # A whole file is all its batches, and `score` reads what `fit` and `detect` read.
    scores = desk.score(name)
    assert scores == desk.detect(name, method="hbos").score
    explained = desk.run("explain", "m.crow", name, "--row", 5, "--row", ODD).ok()
    explained.says("beside")


@each
def test_labelling_starts(form: str, kind: str, desk: Desk) -> None:
    name = write(desk, form, kind)
    words = (
        "--method",
        "hbos",
        "--no-browser",
        "--budget",
        10,
        "--strategy",
        "positive",
    )
    ran = desk.run("label", name, "-o", "labels", *words)
    if ran.code and kind in REFUSABLE:
        ran.refused(COLUMN)
        return
    ran.ok()
    assert len(desk.sessions) == 1


@pytest.mark.parametrize("method", ["knn", None])
def test_all_kinds_in_one_table(method: str | None, desk: Desk) -> None:
    # Lists, structs and the like stand beside each other as they do in a data lake.
    fine = {kind: cells for kind, cells in WRITTEN.items() if kind not in REFUSABLE}
    columns = {f"w {kind}": pa.array(cells) for kind, cells in fine.items()}
    columns |= {f"t {k}": v for k, v in TYPED.items() if k not in REFUSABLE}
    table = pa.table({**columns, "beside": ordinary()})
    pq.write_table(table, desk / "x.parquet")
    found = desk.detect("x.parquet", method=method).rows(ROWS)
    for name in columns:
        assert name in found.words, f"{name} is not in the report"
        # Columns that are kept as they are share a sentence, with the first few names.
        kept = f"'{name}': " not in found.text
        assert name in found.text or (kept and ", ...) are " in found.text), name
