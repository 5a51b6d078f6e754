"""Lines around a table, and the files that a table comes in."""

from __future__ import annotations

import gzip
import io
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from people import (
    ODD,
    Desk,
    N,
    Serial,
    comma,
    delimited,
    loads,
    prices,
    quoted,
    rng,
    workbook,
    zipped,
)
from pyarrow import feather

CODED = {"price": [f"{v:.2f}" for v in prices()], "load": loads()}


def number_rows() -> list[list[float]]:
    return [[a, float(b)] for a, b in zip(prices(), loads(), strict=True)]


# --- lines around a table -------------------------------------------------------------


@pytest.mark.parametrize("sep", [";", ",", "\t", "|"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_an_excel_separator_line_is_obeyed(sep: str, end: str, desk: Desk) -> None:
    desk.table("x.csv", CODED, sep=sep, above=f"sep={sep}{end}", end=end)
    desk.detect("x.csv").rows(N).first().says("price")


def test_a_separator_line_decides_against_what_is_likely(desk: Desk) -> None:
    columns = {"price": [v.replace(".", ",") for v in CODED["price"]]}
    columns["load"] = [v.replace(".", ",") for v in CODED["load"]]
    desk.table("x.csv", columns, sep=";", above="sep=;\n")
    desk.detect("x.csv").rows(N).first()


@pytest.mark.parametrize(
    "units",
    [
        ["EUR", "bar"],
        ["[EUR]", "[bar]"],
        ["(EUR)", "(bar)"],
        ["EUR", ""],
        ["€", "m³/h"],
        ["-", "%"],
        ["kg", "°C"],
    ],
    ids=str,
)
def test_a_line_of_units_is_said_and_is_no_row(units: list[str], desk: Desk) -> None:
    columns = {
        name: [unit, *CODED[name]] for name, unit in zip(CODED, units, strict=True)
    }
    found = desk.detect(desk.table("x.csv", columns))
    found.rows(N).first().tells("unit")
    found.says(rf"row {ODD}\b")


def test_units_in_the_header_are_part_of_names(desk: Desk) -> None:
    columns = {"price [EUR]": CODED["price"], "load (bar)": CODED["load"]}
    found = desk.detect(desk.table("x.csv", columns)).rows(N).first()
    found.tells(r"price \[EUR\]")


@pytest.mark.parametrize(
    "above",
    [
        "Export of 12.03.2021\n",
        "Plant 4, line 2\nExported by Ann\n\n",
        "# made by hand\n# on Monday\n",
        "Report;;\n;;\n",
        "\n\n",
        '"Quarterly report, all sites"\n',
        "% comment of a logger\n",
        "Station: North\nFrom: 2021-01-01\nTo: 2021-12-31\n\n",
    ],
    ids=range(8),
)
@pytest.mark.parametrize("sep", [",", ";"])
def test_lines_above_the_header_are_said(above: str, sep: str, desk: Desk) -> None:
    found = desk.detect(desk.table("x.csv", CODED, sep=sep, above=above))
    found.rows(N).first().tells("price")
    if above.strip():
        found.tells("above|title|comment|skipped|left out|header")


def test_comment_lines_inside(desk: Desk) -> None:
    text = delimited(CODED).decode().splitlines(keepends=True)
    text.insert(100, "# pump changed\n")
    (desk / "x.csv").write_text("".join(text))
    ran = desk.run("detect", "x.csv", "-o", "found", "--method", "knn")
    if ran.code:
        ran.refused("line 101|comment")
        return
    desk.found(ran).rows(N).first()


@pytest.mark.parametrize("sep", [",", ";"])
@pytest.mark.parametrize("in_header", [True, False])
def test_separators_at_the_end_of_lines(sep: str, in_header: bool, desk: Desk) -> None:
    lines = delimited(CODED, sep=sep).decode().splitlines()
    lines = [line + (sep if i or in_header else "") for i, line in enumerate(lines)]
    (desk / "x.csv").write_text("\n".join(lines) + "\n")
    found = desk.detect("x.csv").rows(N).first()
    found.says("price", "load")


@pytest.mark.parametrize("below", ["\n\n\n", ",\n,\n", "   \n"])
def test_empty_lines_below(below: str, desk: Desk) -> None:
    (desk / "x.csv").write_text(delimited(CODED).decode() + below)
    desk.detect("x.csv").rows(N).first()


@pytest.mark.parametrize("end", ["\r\n", "\r"])
def test_lines_of_other_systems(end: str, desk: Desk) -> None:
    desk.detect(desk.table("x.csv", CODED, end=end)).rows(N).first()


def test_line_breaks_in_quotes(desk: Desk) -> None:
    notes = [quoted("two\nlines") if i % 50 == 3 else "one" for i in range(N)]
    found = desk.detect(desk.table("x.csv", {**CODED, "note": notes}))
    found.rows(N).first().tells(f"line {ODD + 3}")


def test_no_header(desk: Desk) -> None:
    desk.detect(desk.table("x.csv", CODED, header=False)).rows(N).first()


def test_two_columns_of_one_name(desk: Desk) -> None:
    lines = delimited({"a": CODED["price"], "b": CODED["load"]}).decode()
    (desk / "x.csv").write_text(lines.replace("a,b", "a,a", 1))
    ran = desk.run("detect", "x.csv", "-o", "found", "--method", "knn")
    if ran.code:
        ran.refused("'a'|a,a|two columns|twice")
        return
    desk.found(ran).rows(N).first()


def test_a_column_without_a_name(desk: Desk) -> None:
    # What pandas writes with its index.
    columns = {"": range(N), **CODED}
    desk.detect(desk.table("x.csv", columns)).rows(N).first()


@pytest.mark.parametrize("content", [b"", b"\n\n", b"price,load\n", b"\xef\xbb\xbf"])
def test_a_file_without_rows_is_refused(content: bytes, desk: Desk) -> None:
    (desk / "x.csv").write_bytes(content)
    desk.run("detect", "x.csv", "-o", "found").refused("x.csv")


def test_a_line_with_too_many_cells_is_named(desk: Desk) -> None:
    lines = delimited(CODED).decode().splitlines()
    lines[120] += ",5,6"
    (desk / "x.csv").write_text("\n".join(lines) + "\n")
    ran = desk.run("detect", "x.csv", "-o", "found", "--method", "knn")
    if ran.code:
        ran.refused("line 121")
        return
    ran.says("line 121")


# --- what text is made of -------------------------------------------------------------


@pytest.mark.parametrize(
    "encoding",
    ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252", "latin-1"],
)
def test_any_encoding(encoding: str, desk: Desk) -> None:
    sites = ["Köln", "Genève", "Málaga"] * 100
    columns = {"Preis": CODED["price"], "Größe": CODED["load"], "Ort": sites}
    mark = "\ufeff" if encoding in ("utf-16-le", "utf-16-be") else ""
    desk.table("x.csv", columns, encoding=encoding, above=mark)
    desk.detect("x.csv").rows(N).first().tells("Preis", "Größe", "Ort")
    desk.fit("x.csv", "--method", "knn")
    assert len(desk.score("x.csv")) == N


LATE: dict[str, tuple[str, str, str]] = {
    "another alphabet": ("plain text of some length", "caf\xe9", "latin-1"),
    "text among numbers": ("1234567.25", "n/a", "utf-8"),
    "decimals among whole numbers": ("123456789", "12.5", "utf-8"),
    "a number after nothing": ("", "12.5", "utf-8"),
    "a time after days": ("2021-03-04", "2021-03-05 10:30", "utf-8"),
    "a level that comes late": ("north of the river and far away", "moon", "utf-8"),
}


@pytest.mark.parametrize("name", LATE)
def test_what_comes_after_the_first_megabyte(name: str, desk: Desk) -> None:
    often, late, encoding = LATE[name]
    n = 50_000
    cells = [often] * n
    cells[n - 5] = late
    values = rng().normal(size=(n, 2))
    columns = {
        "flow": [f"{v:.9f}" for v in values[:, 0]],
        "temp": [f"{v:.9f}" for v in values[:, 1]],
        "note": cells,
    }
    desk.table("x.csv", columns, encoding=encoding)
    desk.fit("x.csv", "--method", "ecod")
    scores = desk.score("x.csv")
    assert scores == desk.detect("x.csv", method="ecod").score


@pytest.mark.parametrize("name", ["x.tsv", "x.tab", "x.txt", "x.csv", "x.TXT", "x.CSV"])
def test_names_of_text_files(name: str, desk: Desk) -> None:
    desk.detect(desk.table(name, CODED, sep="\t")).rows(N).first()


def test_columns_between_blanks(desk: Desk) -> None:
    desk.table("x.txt", CODED, sep="  ")
    ran = desk.run("detect", "x.txt", "-o", "found", "--method", "knn")
    if ran.code:
        ran.refused("x.txt")
        return
    desk.found(ran).rows(N).first()


@pytest.mark.parametrize("name", ["x.csv.gz", "x.tsv.gz", "x.txt.gz"])
def test_packed_text(name: str, desk: Desk) -> None:
    sep = "\t" if "tsv" in name else ","
    (desk / name).write_bytes(gzip.compress(delimited(CODED, sep=sep)))
    desk.detect(name).rows(N).first()


@pytest.mark.parametrize(
    "members",
    [
        {"x.csv": delimited(CODED)},
        {"folder/readings.csv": delimited(CODED)},
        {"x.csv": delimited(CODED), "__MACOSX/._x.csv": b"\x00\x05\x16\x07"},
        {"x.tsv": delimited(CODED, sep="\t"), "README.txt": b"Read me first.\n"},
    ],
    ids=["plain", "in a folder", "of a Mac", "with a note"],
)
def test_a_zip_with_one_table(members: dict[str, bytes], desk: Desk) -> None:
    zipped(desk / "x.zip", members)
    desk.detect("x.zip").rows(N).first()
    desk.fit("x.zip", "--method", "knn")
    assert len(desk.score("x.zip")) == N


def test_a_zip_with_two_tables_says_which(desk: Desk) -> None:
    zipped(desk / "x.zip", {"a.csv": delimited(CODED), "b.csv": delimited(CODED)})
    ran = desk.run("detect", "x.zip", "-o", "found", "--method", "knn")
    if ran.code:
        ran.refused("a.csv", "b.csv")
        return
    ran.says("a.csv")


def test_a_zip_without_a_table_is_refused(desk: Desk) -> None:
    zipped(desk / "x.zip", {"letter.docx": b"PK"})
    desk.run("detect", "x.zip", "-o", "found").refused("x.zip")


# --- workbooks ------------------------------------------------------------------------


def book_rows(head: list[Any] | None = None) -> list[list[Any]]:
    sites = ["north", "south"]
    body = [[*row, sites[i % 2]] for i, row in enumerate(number_rows())]
    return [head or ["price", "load", "site"], *body]


def test_a_workbook(desk: Desk) -> None:
    workbook(desk / "x.xlsx", {"Sheet1": book_rows()})
    desk.detect("x.xlsx").rows(N).first().tells("price", "site")
    desk.fit("x.xlsx", "--method", "knn")
    assert len(desk.score("x.xlsx")) == N


def test_the_first_sheet_with_data_is_said(desk: Desk) -> None:
    notes = [["Read me first"], ["This book has prices."]]
    workbook(desk / "x.xlsx", {"Notes": [], "Prices": book_rows(), "More": notes})
    found = desk.detect("x.xlsx").rows(N).first()
    found.tells("Prices", "--sheet")


def test_a_sheet_is_chosen(desk: Desk) -> None:
    other = [["a", "b"], *[[i % 7, i % 5] for i in range(50)]]
    workbook(desk / "x.xlsx", {"Prices": book_rows(), "Other": other})
    desk.detect("x.xlsx").rows(N)
    desk.detect("x.xlsx", "--sheet", "Other").rows(50)
    ran = desk.run("detect", "x.xlsx", "-o", "found", "--sheet", "Nosuch")
    ran.refused("Nosuch", "Prices", "Other")


def test_a_workbook_with_title_lines_and_empty_columns(desk: Desk) -> None:
    rows = [[None, *row[:1], None, *row[1:]] for row in book_rows()]
    workbook(desk / "x.xlsx", {"S": [["Prices of 2021"], [], *rows]})
    desk.detect("x.xlsx").rows(N).first().tells("price", "site")


def test_a_workbook_with_dates_times_and_truth(desk: Desk) -> None:
    start = 44_200  # a Monday
    rows = [
        [price, Serial(start + i), Serial(start + i + 0.4, 2), Serial(0.4, 3), i != 9]
        for i, (price, _) in enumerate(number_rows())
    ]
    head = ["price", "day", "at", "clock", "ok"]
    workbook(desk / "x.xlsx", {"S": [head, *rows]})
    found = desk.detect("x.xlsx").rows(N).first(at_most=2)
    told = [line for line in found.text.splitlines() if "day" in line]
    assert any("date" in line for line in told)
    found.tells("clock", "ok")


def test_a_workbook_with_numbers_as_text_and_empty_rows(desk: Desk) -> None:
    rows = [[comma(f"{row[0]:,.2f}"), row[1]] for row in number_rows()]
    rows += [[None, None]] * 3
    workbook(desk / "x.xlsx", {"S": [["price", "load"], *rows]})
    desk.detect("x.xlsx").rows(N).first()


def test_a_broken_workbook_is_refused(desk: Desk) -> None:
    (desk / "x.xlsx").write_bytes(b"PK\x03\x04 not a book")
    desk.run("detect", "x.xlsx", "-o", "found").refused("x.xlsx")


def test_an_empty_workbook_is_refused(desk: Desk) -> None:
    workbook(desk / "x.xlsx", {"S": []})
    desk.run("detect", "x.xlsx", "-o", "found").refused("x.xlsx")


# --- lines of JSON --------------------------------------------------------------------


def lines_of(objects: list[dict[str, Any]]) -> str:
    return "".join(json.dumps(one) + "\n" for one in objects)


def plain_objects() -> list[dict[str, Any]]:
    return [{"price": a, "load": b} for a, b in number_rows()]


JSON: dict[str, Callable[[int, dict[str, Any]], dict[str, Any]]] = {
    "nested": lambda i, one: {**one, "shop": {"city": "Rome", "at": {"nr": i % 3}}},
    "a key is missing": lambda i, one: one if i % 9 == 4 else {**one, "note": "ok"},
    "the first lacks a key": lambda i, one: {**one, "late": i % 4} if i else one,
    "lists": lambda i, one: {**one, "tags": ["a", "b"][: i % 3]},
    "nothing": lambda i, one: {**one, "maybe": None if i % 5 else 3.5},
    "truth": lambda i, one: {**one, "open": i % 7 > 0},
    "two types": lambda i, one: {**one, "code": "x1" if i == 40 else i % 4},
    "numbers as text": lambda i, one: {**one, "price": f"${one['price']:,.2f}"},
    "dates": lambda i, one: {**one, "at": f"2021-03-{1 + i % 28:02d}T10:00:00Z"},
    "an object or nothing": lambda i, one: {**one, "who": None if i % 2 else {"a": 1}},
}


@pytest.mark.parametrize("name", JSON)
def test_lines_of_json(name: str, desk: Desk) -> None:
    objects = [JSON[name](i, one) for i, one in enumerate(plain_objects())]
    (desk / "x.jsonl").write_text(lines_of(objects))
    found = desk.detect("x.jsonl").rows(N).first(at_most=3)
    if name == "nested":
        found.tells(r"shop\.city", r"shop\.at\.nr")
    if name == "lists":
        found.tells("tags")
    desk.fit("x.jsonl", "--method", "knn")
    assert len(desk.score("x.jsonl")) == N


@pytest.mark.parametrize("name", ["x.ndjson", "x.jsonl.gz"])
def test_other_names_of_lines_of_json(name: str, desk: Desk) -> None:
    text = lines_of(plain_objects()).encode()
    (desk / name).write_bytes(gzip.compress(text) if "gz" in name else text)
    desk.detect(name).rows(N).first()


def test_a_broken_line_of_json_is_named(desk: Desk) -> None:
    text = lines_of(plain_objects()).splitlines()
    text[41] = '{"price": 12, "load"'
    (desk / "x.jsonl").write_text("\n".join(text) + "\n")
    desk.run("detect", "x.jsonl", "-o", "found").refused("x.jsonl", "line 42")


def test_one_list_of_json(desk: Desk) -> None:
    (desk / "x.json").write_text(json.dumps(plain_objects()))
    ran = desk.run("detect", "x.json", "-o", "found", "--method", "knn")
    if ran.code:
        ran.refused("x.json", "jsonl|lines")
        return
    desk.found(ran).rows(N).first()


# --- columnar files, standard input, patterns -----------------------------------------


def columns() -> pa.Table:
    return pa.table({"price": prices(), "load": [float(v) for v in loads()]})


def write_stream(table: pa.Table, path: Path) -> None:
    with pa.ipc.new_stream(path, table.schema) as file:
        file.write_table(table)


@pytest.mark.parametrize("name", ["x.arrow", "x.feather", "x.ipc", "x.arrows"])
def test_arrow_files(name: str, desk: Desk) -> None:
    if name == "x.arrows":
        write_stream(columns(), desk / name)
    else:
        feather.write_feather(columns(), desk / name, compression="uncompressed")
    ran = desk.run("detect", name, "-o", "found", "--method", "knn")
    if name in ("x.ipc", "x.arrows") and ran.code:
        ran.refused(name)
        return
    desk.found(ran).rows(N).first()


def content(kind: str) -> bytes:
    if kind == "csv":
        return delimited(CODED)
    if kind == "semicolons":
        return delimited(
            {k: [v.replace(".", ",") for v in c] for k, c in CODED.items()}, sep=";"
        )
    if kind == "json":
        return lines_of(plain_objects()).encode()
    if kind == "gzip":
        return gzip.compress(delimited(CODED))
    buffer = io.BytesIO()
    pq.write_table(columns(), buffer)
    return buffer.getvalue()


@pytest.mark.parametrize("kind", ["csv", "semicolons", "json", "gzip", "parquet"])
def test_standard_input(kind: str, desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def pour() -> None:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content(kind))))

    pour()
    desk.detect("-").rows(N).first()
    pour()
    desk.fit("-", "--method", "knn")
    pour()
    assert len(desk.score("-")) == N


def test_nothing_on_standard_input(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"")))
    desk.run("detect", "-", "-o", "found").refused("standard input|stdin|'-'|-:")


def test_a_pipe_between_processes(shell: Desk) -> None:
    ran = shell.run(
        "detect", "-", "-o", "found", "--method", "knn", stdin=delimited(CODED)
    )
    ran.ok().says("price")


def test_files_of_a_pattern(desk: Desk) -> None:
    first = {name: cells[:100] for name, cells in CODED.items()}
    second = {name: CODED[name][100:] for name in ("load", "price")}
    desk.table("x-1.csv", first)
    desk.table("x-2.csv", second)
    desk.detect("x-*.csv").rows(N).first()


def test_files_of_a_pattern_that_do_not_fit(desk: Desk) -> None:
    desk.table("x-1.csv", CODED)
    desk.table("x-2.csv", {"other": CODED["price"]})
    desk.run("detect", "x-*.csv", "-o", "found").refused("x-2.csv")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("x.xls", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600),
        ("x.pdf", b"%PDF-1.7\n"),
        ("x.docx", b"PK\x03\x04"),
        ("x.sqlite", b"SQLite format 3\0"),
        ("x.parquet", b"PAR1 but not really"),
        ("x.csv", b"\x00\x01\x02\xff\xfe\x00" * 50),
        ("x.sas7bdat", b"\0" * 300),
    ],
)
def test_what_is_no_table_is_refused(name: str, content: bytes, desk: Desk) -> None:
    (desk / name).write_bytes(content)
    desk.run("detect", name, "-o", "found").refused(name)
