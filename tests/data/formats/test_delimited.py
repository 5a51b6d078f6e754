"""Delimited text: the cells as they are written, and the one line for a bad file."""

from __future__ import annotations

import csv
import gzip
import io
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from whitecrow.data import formats
from whitecrow.data.formats import TableFile, delimited, header, names, units
from whitecrow.data.labelling import Labelling
from whitecrow.data.rows import TableRows
from whitecrow.data.source import Reading, open_source
from whitecrow.errors import DataError, ParameterError


def write(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    data = content.encode() if isinstance(content, str) else content
    path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    return path


def opened(folder: Path, content: str | bytes, name: str = "a.csv") -> TableFile:
    return formats.open_table(write(folder, name, content))


def cells(file: TableFile) -> dict[str, list[str | None]]:
    return file.read().to_pydict()


def said(file: TableFile) -> str:
    return " | ".join(file.notes)


def refusal(folder: Path, content: str | bytes, name: str = "a.csv") -> str:
    """The message for a bad file, one line that begins with its name."""
    path = write(folder, name, content)
    with pytest.raises(DataError) as caught:
        formats.open_table(path).read()
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith(str(path))
    return message.removeprefix(str(path))


# ------------------------------------------------------------------ text is text


@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz", "a.txt", "a.dat", "a"])
@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_every_column_is_text(tmp_path: Path, name: str, separator: str) -> None:
    rows = [
        ["n", "x", "word", "yes", "day"],
        ["1", "0.50", "a b", "true", "2024-02-28"],
        ["007", "", " NA ", "False", "?"],
    ]
    text = "\n".join(separator.join(row) for row in rows) + "\n"
    file = opened(tmp_path, text, name)
    frame = file.read()
    assert {field.type for field in frame.schema} == {pa.string()}
    assert frame.to_pylist() == [
        dict(zip(rows[0], (cell or None for cell in row), strict=True))
        for row in rows[1:]
    ]
    assert file.names == tuple(rows[0])
    assert file.label_column is None


def test_only_empty_cells_are_missing(tmp_path: Path) -> None:
    file = opened(tmp_path, 'a,b\n"",NA\n null ,None\nnan,""\n')
    assert cells(file) == {"a": [None, " null ", "nan"], "b": ["NA", "None", None]}


def test_what_was_found_is_noted(tmp_path: Path) -> None:
    file = opened(tmp_path, "\ufeffa;b\n1,5;x\n-2,25;y\n", "a.csv.gz")
    assert cells(file) == {"a": ["1,5", "-2,25"], "b": ["x", "y"]}
    assert file.notes == (
        "semicolon-separated text, UTF-8 with a byte order mark, gzip",
    )


def test_quotes_hide_separators_and_line_ends(tmp_path: Path) -> None:
    file = opened(tmp_path, 'a,b,c\n1,"x, y","line\nbreak"\n2,"say ""ho""",z\n')
    assert cells(file)["b"] == ["x, y", 'say "ho"']
    assert cells(file)["c"] == ["line\nbreak", "z"]
    assert file.lines([1, 0]) == [4, 2]


def test_single_quotes(tmp_path: Path) -> None:
    file = opened(tmp_path, "'a','b'\n'x, y','1'\n'z','2'\n")
    assert cells(file) == {"a": ["x, y", "z"], "b": ["1", "2"]}


# -------------------------------------------------------------------- separators


def test_separator_is_not_taken_from_within_quotes(tmp_path: Path) -> None:
    text = 'a;b\n1;"x, y, z"\n2;"u, v, w"\n'
    assert opened(tmp_path, text).names == ("a", "b")


@pytest.mark.parametrize("name", ["a.csv", "a.txt"])
def test_lists_within_cells_do_not_change_the_separator(
    tmp_path: Path, name: str
) -> None:
    rows = "".join(f"{i},x;y;z,{i}.5\n" for i in range(5))
    assert opened(tmp_path, "id,tags,price\n" + rows, name).names == (
        "id",
        "tags",
        "price",
    )


@pytest.mark.parametrize(
    "text",
    ["load\n1\n2\n", "load\n1,5\n2,5\n3,5\n", "note\nhello, world\nfoo\n"],
)
def test_one_column(tmp_path: Path, text: str) -> None:
    name, *rows = text.splitlines()
    assert cells(opened(tmp_path, text)) == {name: rows}


def test_tsv_keeps_commas(tmp_path: Path) -> None:
    frame = cells(opened(tmp_path, "a\tb\nx, y\t1\nz, u\t2\n", "a.tsv"))
    assert frame["a"] == ["x, y", "z, u"]


def test_decimal_commas_win_over_commas_as_separator(tmp_path: Path) -> None:
    file = opened(tmp_path, "400,00;407,25\n401,00;408,25\n")
    assert cells(file) == {"x0": ["400,00", "401,00"], "x1": ["407,25", "408,25"]}


@pytest.mark.parametrize("mark", ["sep=;\r\n", '"sep=;"\n', "SEP=;\r"])
def test_separator_line_is_obeyed(tmp_path: Path, mark: str) -> None:
    file = opened(tmp_path, mark + "a,b;c\n1,5;2\n")
    assert cells(file) == {"a,b": ["1,5"], "c": ["2"]}
    assert "line 1 says that the separator is a semicolon" in said(file)
    assert file.lines([0]) == [3]


def test_an_odd_separator_that_the_file_names(tmp_path: Path) -> None:
    assert cells(opened(tmp_path, "sep=:\na:b\n1:2\n")) == {"a": ["1"], "b": ["2"]}


@pytest.mark.parametrize(
    ("text", "names", "first"),
    [
        ("a b\n1 22\n11 2\n", "a b", ["1", "22"]),
        ("  a    b\n  1   22\n 11    2\n", "a b", ["1", "22"]),
        ("1,5 2,5\n10,5 2,25\n", "x0 x1", ["1,5", "2,5"]),
        (
            "when              load\n2024-01-01 10:00  1.5\n2024-01-01 11:00  2.5\n",
            "when load",
            ["2024-01-01 10:00", "1.5"],
        ),
        ('city  n\n"New York"  1\n"Los Angeles"  2\n', "city n", ["New York", "1"]),
    ],
)
@pytest.mark.parametrize("name", ["a.txt", "a.dat", "a.csv"])
def test_columns_aligned_by_blanks(
    tmp_path: Path, text: str, names: str, first: list[str], name: str
) -> None:
    if name == "a.csv" and "," in text:
        pytest.skip("commas separate in a file called csv")
    file = opened(tmp_path, text, name)
    assert file.names == tuple(names.split())
    assert list(file.read().to_pylist()[0].values()) == first
    assert "aligned by blanks" in file.notes[0]
    assert file.lines([1]) == [len(text.splitlines())]


# --------------------------------------------------------------------- encodings


@pytest.mark.parametrize(
    ("encoding", "note"),
    [("cp1252", "Windows-1252"), ("utf-16", "UTF-16"), ("utf-8", "UTF-8")],
)
def test_encodings(tmp_path: Path, encoding: str, note: str) -> None:
    file = opened(tmp_path, "größe,preis\n1,5 €\n".encode(encoding))
    assert cells(file) == {"größe": ["1"], "preis": ["5 €"]}
    assert note in file.notes[0]


@pytest.mark.parametrize(
    ("last", "word", "note"),
    [
        (b"2,\xe9t\xe9\n", "été", "Windows-1252 (not valid UTF-8)"),
        (b"2,\xe9t\x81\n", "ét\x81", "Latin-1 (not valid UTF-8)"),
        (b"2,\xc3\xa9t\xc3\xa9\n", "été", "UTF-8"),
    ],
)
def test_bytes_beyond_the_sample_decide_on_the_encoding(
    tmp_path: Path, last: bytes, word: str, note: str
) -> None:
    rows = b"1,plain text to fill the sample\n" * 40_000
    file = opened(tmp_path, b"a,b\n" + rows + last)
    assert note in file.notes[0]
    assert file.read()["b"][-1].as_py() == word
    *_, batch = file.batches()
    assert batch["b"][-1].as_py() == word


@pytest.mark.parametrize("ends", ["\n", "\r\n", "\r"])
def test_line_ends(tmp_path: Path, ends: str) -> None:
    file = opened(tmp_path, ends.join(["a,b", "1,2", "", "3,4", ""]))
    assert cells(file) == {"a": ["1", "3"], "b": ["2", "4"]}
    assert file.lines([0, 1]) == [2, 4]


PIECES = [
    "1",
    "x y",
    '"q"',
    '"a\n""b"',
    '""',
    'a"b',
    '"c',
    "\n",
    "\r\n",
    "\r",
    ",",
    " ",
]
PIECES += ['"d,""e"', "é", "\n\n", ",\n", ";", "\t", '5" ', '"f""']


@settings(max_examples=400, deadline=None)
@given(body=st.lists(st.sampled_from(PIECES), min_size=1, max_size=25))
@example(body=['a"b', ",", '"c', "\n", '"d,""e"'])
@example(body=['"q"', ",", "1", "\n", '"d,""e"', ",", '""', "\n", "1", ",", "x y"])
@example(body=['""', "\n", "1", ",", "1"])
@example(body=[",\n", "1", ","])
def test_lines_are_the_same_without_counting(
    tmp_path_factory: pytest.TempPathFactory, body: list[str]
) -> None:
    path = write(tmp_path_factory.getbasetemp(), "l.csv", "a,b\n" + "".join(body))
    try:
        file = formats.open_table(path)
        rows = file.read().num_rows
        assert isinstance(file, delimited.Delimited)
        slow = file.lines(range(rows))
    except DataError:
        return
    # Lines that are no rows, as one without a cell, are counted.
    assert file._between is not None
    raw = [file._between.raw(row) for row in range(rows)]
    if raw and file._one_line_each(raw[-1] + 1):
        assert slow == [file._dialect.line + row for row in raw]


@pytest.mark.parametrize("row", ["1,x y\n", '"1","x ""y"""\r\n'])
def test_lines_of_a_long_file_are_not_counted(tmp_path: Path, row: str) -> None:
    file = opened(tmp_path, "# title\na,b\n" + row * 300_000)
    assert isinstance(file, delimited.Delimited)
    assert file._one_line_each(300_000)
    assert file.lines([299_999, 0]) == [300_002, 3]
    blank = opened(tmp_path, "a,b\n" + row * 20_000 + "\n" + row)
    assert blank.lines([20_000, 0]) == [20_003, 2]


# ------------------------------------------------------------------------ header


@pytest.mark.parametrize(
    "rows",
    [
        "5.1,3.5\n4.9,3.0\n",
        "0,tcp,181\n1,udp,5\n",
        "2024-01-03;12,5;A\n2024-01-04;13,5;B\n",
        "$1,200.50;7\n$900.00;8\n",
        "1.234,50;3 %\n234,50;4 %\n",
        "10:30|5 kg\n11:30|6 kg\n",
        "Alice,1999\nBob,2001\n",
        "7\n8\n",
    ],
)
def test_a_first_row_like_the_others_is_data(tmp_path: Path, rows: str) -> None:
    file = opened(tmp_path, "\ufeff" + rows)
    assert file.names == tuple(f"x{j}" for j in range(len(file.names)))
    assert file.read().num_rows == 2
    assert "there is no header" in said(file)
    assert file.lines([0, 1]) == [1, 2]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("0,1,2\n5.1,3.5,1\n4.9,3.0,2\n", "0 1 2"),
        ("region,2019,2020\nnorth,5.5,6.1\nsouth,3.2,4\n", "region 2019 2020"),
        ("shop,2024-01-01,2024-02-01\na,5,6\nb,3,4\n", "shop 2024-01-01 2024-02-01"),
        ("day,1a,1b\nmon,5,6\ntue,3,4\n", "day 1a 1b"),
        ("a,b\nx,y\nu,v\n", "a b"),
        (",0\na,5\nb,6\n", "column_1 0"),
        ("V1,V2\n1,2\n3,4\n", "V1 V2"),
    ],
)
def test_names_that_look_like_values(tmp_path: Path, text: str, names: str) -> None:
    file = opened(tmp_path, text)
    assert file.names == tuple(names.split())
    assert file.read().num_rows == 2


def test_a_first_row_that_may_be_data_is_noted(tmp_path: Path) -> None:
    file = opened(tmp_path, "id,17,181\n1,22,a\n2,23,b\n")
    assert file.read().num_rows == 2
    assert "though most of it is numbers; if it is data, add a header" in said(file)


def test_names_are_trimmed_completed_and_made_different(tmp_path: Path) -> None:
    file = opened(tmp_path, ", b,c ,c,c.2\n0,1,2,3,4\n1,3,4,5,6\n")
    assert file.names == ("column_1", "b", "c", "c.3", "c.2")
    assert "column 1 has no name and is called column_1" in file.notes
    assert "names that stand twice were made different: 'c' is now 'c.3'" in file.notes


@pytest.mark.parametrize("raw", [["a"] * 50_000, [""] * 50_000])
def test_names_of_many_columns_take_no_time(raw: list[str]) -> None:
    start = time.process_time()
    found, notes = names.unique(raw)
    assert len(set(found)) == 50_000
    assert len(" ".join(notes)) < 300
    assert time.process_time() - start < 2


# ------------------------------------------------------- titles, units, comments

TITLES = {
    "alone": "Report of station 7\n",
    "apart": "Report of station 7\n\n",
    "padded": "Report of station 7;;\n",
    "padded and apart": "Report of station 7;;\n;;\n",
    "several": "Report\nof station 7\n\n",
    "facts": "Station;7\nFrom;2024-01-01\n\n",
    "commas": "Report, of, station, 7\n\n",
    "quoted": '"Report\nof station 7"\n\n',
}


@pytest.mark.parametrize("title", TITLES)
@pytest.mark.parametrize("ends", ["\n", "\r\n"])
def test_titles_above_the_header(tmp_path: Path, title: str, ends: str) -> None:
    if title == "facts":
        table = "price;load;shop;town;street\n1,5;2;a;b;c\n2,5;3;a;b;c\n"
    else:
        table = "price;load;shop\n1,5;2;a\n2,5;3;b\n"
    text = (TITLES[title] + table).replace("\n", ends)
    file = opened(tmp_path, text)
    assert cells(file)["price"] == ["1,5", "2,5"]
    assert file.names[:3] == ("price", "load", "shop")
    assert "above the table and not read" in said(file)
    assert TITLES[title].strip('"')[:6] in said(file)
    assert file.lines([0]) == [TITLES[title].count("\n") + 2]


def test_a_title_above_text(tmp_path: Path) -> None:
    file = opened(tmp_path, "Report\nname;town;street\na;b;c\nd;e;f\n")
    assert file.names == ("name", "town", "street")
    assert file.read().num_rows == 2


def test_a_title_above_numbers_without_a_header(tmp_path: Path) -> None:
    file = opened(tmp_path, "Report of station 7\n\n400;407\n401;408\n")
    assert cells(file) == {"x0": ["400", "401"], "x1": ["407", "408"]}


@pytest.mark.parametrize(
    "text",
    [
        "a;b;c;d\n1;;;\n2;3;4;5\n",
        "a;;;\n1;2;3;4\n2;3;4;5\n",
        ";x;y\nr1;1;2\nr2;3;4\n",
        "a,b\nx,\ny,2\n",
    ],
)
def test_what_is_no_title(tmp_path: Path, text: str) -> None:
    file = opened(tmp_path, text)
    assert file.read().num_rows == 2
    assert "title" not in said(file)


@pytest.mark.parametrize(
    "row",
    [
        "EUR;bar",
        "[EUR];[bar]",
        "(EUR);(m/s)",
        "EUR;-",
        ";°C",
        "%;kWh",
        "kg/m3;l/min",
        "m³/h;1/min",
        "USD;W/m²",
        "[-];mbar",
        "in EUR;in mm",
        "EUR/MWh;µg/m³",
        "ct/kWh;W m-2",
    ],
)
@pytest.mark.parametrize("shop", ["", ";shop"])
def test_a_line_of_units(tmp_path: Path, row: str, shop: str) -> None:
    tail = [";-", ";north", ";south"] if shop else ["", "", ""]
    text = f"price;load{shop}\n{row}{tail[0]}\n1,5;2{tail[1]}\n2,5;3{tail[2]}\n"
    file = opened(tmp_path, text)
    assert cells(file)["price"] == ["1,5", "2,5"]
    assert "line 2 holds units: " in said(file)
    assert file.lines([0]) == [3]


def test_the_note_on_units_pairs_them_with_names(tmp_path: Path) -> None:
    file = opened(tmp_path, "when,price,load\nyyyy-mm-dd,EUR,bar\n2024-01-01,5,2\n")
    assert "line 2 holds units: when yyyy-mm-dd, price EUR, load bar" in file.notes


@pytest.mark.parametrize(
    "text",
    [
        "shop,load\nm,5\nk,6\n",  # text that might be units, beside a number
        "state,load\nok,offline\nok,5\nok,6\n",  # a bad cell, and a text that repeats
        "load,temp\nn.a.,-\n5,6\n7,8\n",  # missing
        "load,temp\nerror,offline\n5,6\n7,8\n",
        "kind,size\nm,s\nm,l\n",  # no numbers at all
        "a,b\n1,h\n2,h\n",
    ],
)
def test_what_is_no_line_of_units(tmp_path: Path, text: str) -> None:
    file = opened(tmp_path, text)
    assert file.read().num_rows == len(text.splitlines()) - 1
    assert "units" not in said(file)


def test_titles_names_and_units_together(tmp_path: Path) -> None:
    text = "sep=;\nReport\n\nprice;load\n[EUR];[bar]\n\n1,5;2\n;\n2,5;3\n"
    file = opened(tmp_path, text)
    assert cells(file) == {"price": ["1,5", "2,5"], "load": ["2", "3"]}
    assert file.lines([0, 1]) == [7, 9]


@pytest.mark.parametrize(
    "groups", ["Engine;;Gearbox;", "Engine;Engine;Gearbox;Gearbox"]
)
def test_names_of_groups_above_names(tmp_path: Path, groups: str) -> None:
    file = opened(tmp_path, f"{groups}\ntemp;load;temp;load\n1;2;3;4\n2;3;4;5\n")
    assert file.names == ("Engine temp", "Engine load", "Gearbox temp", "Gearbox load")
    assert file.read().num_rows == 2
    assert "lines 1 and 2 both hold names" in said(file)


def test_comments_at_the_top(tmp_path: Path) -> None:
    file = opened(tmp_path, "# made by a logger\n#\n\na,b\n1,2\n3,4\n")
    assert cells(file) == {"a": ["1", "3"], "b": ["2", "4"]}
    assert "lines are comments (#)" in said(file)
    assert file.lines([0]) == [5]


@pytest.mark.parametrize(
    ("text", "name"),
    [("#a,b\n5,2\n3,4\n", "a.csv"), ("# logger\n# a b\n5 22\n13 4\n", "a.dat")],
)
def test_names_in_a_comment(tmp_path: Path, text: str, name: str) -> None:
    file = opened(tmp_path, text, name)
    assert file.names == ("a", "b")
    assert file.read().num_rows == 2
    assert "the last comment names the columns" in said(file)


def test_what_units_look_like() -> None:
    for cell in ("EUR", "[bar]", "°C", "(m/s)", "%", "kW", "Nm", "hPa", "rpm", "µm"):
        assert units.is_unit(cell), cell
    for cell in ("north", "offline", "5", "2024-01-01", "Rome", "yes", ""):
        assert not units.is_unit(cell), cell


def test_a_layout_of_nothing_but_names() -> None:
    found = header.find([["a", "b"]], [1])
    assert (found.first, found.names, found.named) == (1, ("a", "b"), True)


# ------------------------------------------------------------------ columns, rows


@pytest.mark.parametrize("text", ["a;b;\n1;2;\n3;4;\n", "a;b\n1;2;\n3;4;\n"])
def test_separators_at_the_line_ends(tmp_path: Path, text: str) -> None:
    file = opened(tmp_path, text)
    assert cells(file) == {"a": ["1", "3"], "b": ["2", "4"]}
    assert "the last column has neither a name nor a cell" in said(file)


def test_a_column_without_a_name_is_kept_for_one_late_cell(tmp_path: Path) -> None:
    rows = "1;2;\n" * 300_000
    file = opened(tmp_path, "a;b;\n" + rows + "1;2;x\n")
    assert file.names == ("a", "b", "column_3")
    assert file.read()["column_3"][-1].as_py() == "x"


def test_names_of_rows_without_a_header(tmp_path: Path) -> None:
    file = opened(tmp_path, "a,b\nr1,1,2\nr2,3,4\n")
    assert cells(file) == {"column_1": ["r1", "r2"], "a": ["1", "3"], "b": ["2", "4"]}
    assert "one name fewer than the rows have cells" in said(file)


def test_rows_that_end_early_are_filled(tmp_path: Path) -> None:
    file = opened(tmp_path, "a,b,note\n1,2,x\n3,4\n\n5,6,y\n7,8\n")
    assert cells(file)["a"] == ["1", "3", "5", "7"]
    assert cells(file)["note"] == ["x", None, "y", None]
    assert "2 rows end before the last column; filled with empty cells" in file.notes
    assert file.lines([1, 2]) == [3, 5]


def test_a_short_row_far_down_reads_alike_in_batches(tmp_path: Path) -> None:
    text = "a,note\n" + "1,x\n" * 700_000 + "2\n" + "3,y\n"
    file = opened(tmp_path, text)
    whole = file.read()
    assert whole.num_rows == 700_002
    assert whole.slice(700_000).to_pylist() == [
        {"a": "2", "note": None},
        {"a": "3", "note": "y"},
    ]
    batches = opened(tmp_path, text).batches(1000)
    assert pa.Table.from_batches(batches).equals(whole)


def test_empty_cells_beyond_the_last_column(tmp_path: Path) -> None:
    file = opened(tmp_path, "a,b\n1,2\n3,4,\n5,6\n")
    assert cells(file) == {"a": ["1", "3", "5"], "b": ["2", "4", "6"]}
    assert "1 row ends beyond the last column" in said(file)


@pytest.mark.parametrize(
    "end", ["\nSource: somebody\n", "Source: somebody", ";;\nSource: somebody;;\n"]
)
def test_text_below_the_table(tmp_path: Path, end: str) -> None:
    file = opened(tmp_path, "a;b;c\n1;2;3\n4;5;6\n" + end)
    assert cells(file)["a"] == ["1", "4"]
    assert "'Source: somebody') is not a row and is left out" in said(file)


def test_empty_rows_at_the_end(tmp_path: Path) -> None:
    file = opened(tmp_path, "a;b\n1;2\n;\n3;4\n;\n;\n")
    assert cells(file)["a"] == ["1", "3"]
    assert "1 line without any cell among the rows left out" in file.notes
    assert "the last 2 rows without any cell left out" in file.notes


def test_a_line_of_totals_is_left_out(tmp_path: Path) -> None:
    file = opened(tmp_path, "shop;price\na;1\nb;2\nTotal;3\n")
    assert file.read().num_rows == 2
    assert "totals below the table are left out (1 line: Total)" in said(file)


def test_an_inch_sign_is_no_open_quote(tmp_path: Path) -> None:
    frame = cells(opened(tmp_path, 'a,b\n1,5" pipe\n2,"x\ny"\n'))
    assert frame["b"] == ['5" pipe', "x\ny"]


def test_many_columns_take_no_time(tmp_path: Path) -> None:
    width = 100_000
    row = ",".join(str(j % 10) for j in range(width))
    header = ",".join(f"c{j}" for j in range(width))
    path = write(tmp_path, "a.csv", f"{header}\n" + f"{row}\n" * 3)
    start = time.process_time()
    file = formats.open_table(path)
    assert file.read().shape == (3, width)
    assert sum(batch.num_rows for batch in file.batches(2)) == 3
    assert time.process_time() - start < 20  # two readings; each under ten alone


def test_nothing_but_separators(tmp_path: Path) -> None:
    assert "empty" in refusal(tmp_path, b"," * 100_000)


def test_a_row_of_many_megabytes(tmp_path: Path) -> None:
    text = "x" * (6 << 20)
    file = opened(tmp_path, f"a,b\n1,{text}\n2,y\n")
    assert cells(file)["b"] == [text, "y"]


# ------------------------------------------------------------------------ errors

BAD_TEXT = {
    "empty": (b"", "the file is empty"),
    "blank": (b"\n \n", "the file is empty"),
    "mark": (b"\xef\xbb\xbf", "the file is empty"),
    "header": (b"a,b\n", "a header but no row of data"),
    "ragged": (b"a,b\n1,2\n3,4\n5,6,7\n8,9\n", "line 4 has 3 cells where the first"),
    "shifted": (b"a,b,c\n1,2,3\n3,4\n5,6,7\n", "line 3 has 2 cells where the first"),
    "ragged after quote": (b'a,b\n"x\ny",1\n\nz\nw,2\n', "line 5 has 1 cells"),
    "cut off": (b"a,b,c\n1,x,y\n3,u,v\n2,w", "line 4 has 2 cells where the first"),
    "short names": (b"a,b\n1,2,3,4\n5,6,7,8\n", "line 2 has 4 cells where the first"),
    "all missing": (b"a,b\n,\n,\n", "every cell of all 2 columns is missing"),
    "binary": (b"a,b\n1,\x002\n", "the content is not text"),
    "late NUL": (b"a,b\n" + b"1,2\n" * 300_000 + b"1,\x00\n", "line 300002 has a NUL"),
    "open quote": (b'a,b\n1,x\n2,"y\n3,z\n4,u\n', "opened on line 3 and never closed"),
    "utf-16": (b"\xff\xfea\x00,\x00b\x00\n\x00\x00\xd8a\x00", "not valid UTF-16"),
}


@pytest.mark.parametrize("case", BAD_TEXT)
def test_bad_text_gets_one_line(tmp_path: Path, case: str) -> None:
    content, expected = BAD_TEXT[case]
    assert expected in refusal(tmp_path, content)


@pytest.mark.parametrize("case", BAD_TEXT)
def test_bad_text_gets_the_same_line_in_batches(tmp_path: Path, case: str) -> None:
    content, expected = BAD_TEXT[case]
    with pytest.raises(DataError) as caught:
        list(opened(tmp_path, content).batches(1000))
    assert expected in str(caught.value)


def test_an_open_quote_before_many_megabytes(tmp_path: Path) -> None:
    text = 'a,b\n1,x\n2,"y\n' + "3,z\n" * 3_000_000
    assert "(line 3); probably a quote is opened" in refusal(tmp_path, text)


@pytest.mark.parametrize("suffix", ["gz", "bz2", "xz", "zst"])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.99])
def test_cut_off_streams(tmp_path: Path, suffix: str, share: float) -> None:
    rng = np.random.default_rng(0)
    text = "a,b\n" + "".join(f"{x},{y}\n" for x, y in rng.normal(size=(3000, 2)))
    whole = PACKERS[suffix](text.encode())
    path = tmp_path / f"a.csv.{suffix}"
    path.write_bytes(whole)
    assert formats.open_table(path).read().num_rows == 3000
    path.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(DataError, match="stream is broken or cut off"):
        formats.open_table(path)


def _pack_bz2(data: bytes) -> bytes:
    import bz2

    return bz2.compress(data)


def _pack_xz(data: bytes) -> bytes:
    import lzma

    return lzma.compress(data)


PACKERS = {
    "gz": gzip.compress,
    "bz2": _pack_bz2,
    "xz": _pack_xz,
    "zst": lambda data: pa.compress(data, "zstd", asbytes=True),
}


def test_damaged_gzip(tmp_path: Path) -> None:
    data = bytearray(gzip.compress(b"a,b\n" + b"1,2\n" * 5000))
    data[-6] ^= 0xFF  # the checksum
    path = tmp_path / "a.csv.gz"
    path.write_bytes(data)
    with pytest.raises(DataError, match="the gzip stream is broken"):
        formats.open_table(path)


# ----------------------------------------------------- whole files and batches


@pytest.mark.parametrize("batch_rows", [1, 1000, 4096, 10**6])
def test_batches_have_the_size_asked_for(tmp_path: Path, batch_rows: int) -> None:
    rows = "".join(f"{i},{i % 7}\n" for i in range(3000))
    file = opened(tmp_path, "a,b\n" + rows)
    sizes = [batch.num_rows for batch in file.batches(batch_rows)]
    assert sizes[:-1] == [batch_rows] * (len(sizes) - 1)
    assert 0 < sizes[-1] <= batch_rows
    assert sum(sizes) == 3000


def test_batch_rows_are_checked(tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match="batch_rows=0"):
        opened(tmp_path, "a\n1\n").batches(0)


def test_batches_do_not_accumulate(tmp_path: Path) -> None:
    peaks = []
    for rows in (2_000_000, 5_000_000):
        path = write(tmp_path, "a.csv", "a,b\n" + "12345678,abcdefgh\n" * rows)
        before, peak = pa.total_allocated_bytes(), 0
        for batch in formats.open_table(path).batches():
            peak = max(peak, pa.total_allocated_bytes() - before)
            del batch
        peaks.append(peak)
    assert peaks[1] < 1.5 * peaks[0]


CELL = st.text(alphabet='ab1.,;\t|"\n -é#=', max_size=6)


def _rows() -> st.SearchStrategy[list[list[str]]]:
    widths = st.integers(2, 5)
    return widths.flatmap(
        lambda width: st.lists(
            st.lists(CELL, min_size=width, max_size=width), min_size=1, max_size=12
        )
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("delimited")


@settings(max_examples=400, deadline=None)
@given(
    rows=_rows(),
    separator=st.sampled_from(",;\t|"),
    ends=st.sampled_from(["\n", "\r\n"]),
    batch_rows=st.integers(1, 5),
    encoding=st.sampled_from(["utf-8", "utf-16", "cp1252"]),
)
@example(
    rows=[["1", '"'], ["", "x"]],
    separator=",",
    ends="\n",
    batch_rows=1,
    encoding="utf-8",
)
@example(rows=[["", ";\n;"]], separator=",", ends="\n", batch_rows=1, encoding="utf-8")
@example(
    rows=[["", "", "\n;;"], ["", "\n;;", "\n;;"]],
    separator=",",
    ends="\n",
    batch_rows=1,
    encoding="utf-8",
)
def test_cells_are_those_of_any_reader_in_one_piece_and_in_batches(
    folder: Path,
    rows: list[list[str]],
    separator: str,
    ends: str,
    batch_rows: int,
    encoding: str,
) -> None:
    """A header and last row that are clear, and between them anything."""
    width = len(rows[0])
    header = [f"name of {j}" for j in range(width)]
    rows = [["1.5"] * width, *rows, ["2.5"] * width]
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=separator, lineterminator=ends)
    writer.writerows([header, *rows])
    path = folder / "any.csv"
    path.write_bytes(text.getvalue().encode(encoding, errors="replace"))
    file = formats.open_table(path)
    assert file.names == tuple(header)
    found = file.read()
    # Of several columns, a line without any cell is no row.
    kept = [i for i, row in enumerate(rows) if any(row) or width == 1]
    expected = [[cell or None for cell in rows[i]] for i in kept]
    assert [list(row.values()) for row in found.to_pylist()] == expected
    assert pa.Table.from_batches(file.batches(batch_rows)).equals(found)
    lines = file.lines(range(len(kept)))
    starts = [1]
    for row in [header, *rows]:
        starts.append(starts[-1] + 1 + sum(cell.count("\n") for cell in row))
    assert lines == [starts[1 + i] for i in kept]


@settings(max_examples=300, deadline=None)
@given(
    rows=st.lists(st.lists(CELL, min_size=1, max_size=5), min_size=1, max_size=12),
    separator=st.sampled_from(",;\t|"),
    batch_rows=st.integers(1, 5),
)
def test_whole_and_batches_agree_on_rows_of_any_width(
    folder: Path, rows: list[list[str]], separator: str, batch_rows: int
) -> None:
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=separator).writerows(rows)
    path = folder / "ragged.csv"
    path.write_text(text.getvalue(), newline="")
    try:
        file = formats.open_table(path)
        found = file.read()
    except DataError as error:
        with pytest.raises(DataError) as caught:
            list(formats.open_table(path).batches(batch_rows))
        assert str(caught.value) == str(error)  # noqa: PT017
        return
    again = formats.open_table(path)
    assert pa.Table.from_batches(again.batches(batch_rows)).equals(found)
    assert again.notes == file.notes
    lines = file.lines(range(found.num_rows))
    assert lines == sorted(set(lines or []))


def test_real_tables(real_data: Path) -> None:
    rig = formats.open_table(real_data / "demo" / "table" / "skab_valve1.csv.gz")
    assert rig.read().shape == (18_160, 12)
    kdd = formats.open_table(real_data / "network" / "nsl_kdd_test.csv.gz")
    assert kdd.read().shape == (22_544, 43)


def test_the_separator_stays_with_the_rows(tmp_path: Path) -> None:
    wanted = {b"separator": b";"}
    for name in "ab":
        write(tmp_path, f"{name}.csv", "x;y\n47,594;1\n48,125;0\n")
    for place in ("a.csv", "?.csv"):
        labelled = Labelling(column="y")
        source = open_source(str(tmp_path / place), Reading(labels=labelled))
        rows = source.rows()
        assert isinstance(rows, TableRows)
        parts = [*source.batches(1), rows, rows.take([1])]
        assert all(part.frame.schema.metadata == wanted for part in parts)
