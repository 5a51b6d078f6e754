"""Files as instruments, databases and spreadsheets export them."""

from __future__ import annotations

import json
import os
import re
import zipfile
from pathlib import Path

import pyarrow as pa
import pytest
from people import workbook
from PIL import Image

from whitecrow.data import formats
from whitecrow.data.formats import TableFile
from whitecrow.data.formats.table import Loud
from whitecrow.data.rows import PictureRows
from whitecrow.data.source import open_source
from whitecrow.errors import DataError

ROWS = [(f"{100 + i % 7}.25", f"{10 + i % 3}.5") for i in range(30)]
BODY = "".join(f"{a},{b}\n" for a, b in ROWS)


def opened(folder: Path, content: str | bytes, name: str = "x.csv") -> TableFile:
    data = content.encode() if isinstance(content, str) else content
    (folder / name).write_bytes(data)
    return formats.open_table(folder / name)


def said(file: TableFile) -> str:
    return " | ".join(file.notes)


# --- lines above the header that hold a separator -------------------------------------


@pytest.mark.parametrize(
    ("above", "names"),
    [
        ("Pump report, 2024\n", "a,b"),
        ("Export of 01.02.2024, 10:00\n", "t,a"),
        ("Serial:,1234\nDate:,2024-01-01\nOperator:,Kim\n\n", "a,b"),
        ("Serial:,1234\nDate:,2024-01-01\nOperator:,Kim\n", "a,b"),
        ("Serial,1234\nDate,2024-01-01\nOperator,Kim\n", "a,b"),
        ("Serial:,1234\nDate:,2024-01-01\n\n", "name,a"),
    ],
    ids=range(6),
)
def test_titles_that_hold_the_separator(tmp_path: Path, above: str, names: str) -> None:
    file = opened(tmp_path, f"{above}{names}\n{BODY}")
    frame = file.read()
    assert file.names == tuple(names.split(","))
    assert frame.num_rows == len(ROWS)
    assert file.lines([0]) == [above.count("\n") + 2]
    assert "above the table and not read" in said(file)
    assert "units" not in said(file)


def test_titles_padded_with_separators(tmp_path: Path) -> None:
    body = "".join(f"{a},{b},5\n" for a, b in ROWS)
    file = opened(tmp_path, f"Pump report,,\nPlant,Rome,\n,,\na,b,c\n{body}")
    assert file.names == ("a", "b", "c")
    assert file.read().num_rows == len(ROWS)


@pytest.mark.parametrize("gap", ["", "\n"])
def test_titles_above_names_and_units(tmp_path: Path, gap: str) -> None:
    above = f"Serial,1234\nDate,2024-01-01\n{gap}"
    file = opened(tmp_path, f"{above}price,load\nEUR,bar\n{BODY}")
    assert file.names == ("price", "load")
    assert "units: price EUR, load bar" in said(file)
    assert file.read().num_rows == len(ROWS)


def test_titles_of_a_sheet(tmp_path: Path) -> None:
    rows = [["Plant", "Rome"], ["Date", 45300], [], ["a", "b"]]
    rows += [[float(a), float(b)] for a, b in ROWS]
    workbook(tmp_path / "x.xlsx", {"S": rows})
    file = formats.open_table(tmp_path / "x.xlsx")
    assert file.names == ("a", "b")
    assert file.read().to_pylist()[0] == {"a": 100.25, "b": 10.5}


@pytest.mark.parametrize(
    ("text", "names", "rows"),
    [
        (f"a,b\noffline,stopped\n{BODY}", ("a", "b"), 31),
        ("K1,100\nK2,ERR\nK3,99\nK4,98\n", ("x0", "x1"), 4),
        (f"price,load\nEUR,bar\n{BODY}", ("price", "load"), 30),
        (f"name,2019\n,EUR\n{BODY}", ("name", "2019"), 30),
        ("first,second\nu,v\nw,x\n", ("first", "second"), 2),
    ],
    ids=range(5),
)
def test_what_is_no_title(
    tmp_path: Path, text: str, names: tuple[str, ...], rows: int
) -> None:
    file = opened(tmp_path, text)
    assert file.names == names
    assert file.read().num_rows == rows


# --- lines that are no rows -----------------------------------------------------------

NAMED = "".join(f"K{i},{a},{b}\n" for i, (a, b) in enumerate(ROWS))
SUMS = f",{sum(float(a) for a, _ in ROWS)},{sum(float(b) for _, b in ROWS)}\n"


@pytest.mark.parametrize(
    "below",
    [
        "Total,3000,300\n",
        "\nSumme:,3000,300\n",
        "Gesamtergebnis,3000,300\n",
        "Razem,3000,\n\n\n",
        "Mean,100,10\nStd,1,1\nMin,99,9\nMax,107,12\n",
        SUMS,
    ],
    ids=range(6),
)
def test_totals_are_left_out(tmp_path: Path, below: str) -> None:
    file = opened(tmp_path, f"name,a,b\n{NAMED}{below}")
    assert file.read().num_rows == len(ROWS)
    assert "totals below the table are left out" in said(file)


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        (f"name,a,b\n{NAMED}Max,103,11\n", 31),
        (f"name,a,b\n{NAMED},103,11\n", 31),
        ("what,a\n" + "Mean,1\nMax,2\nTotal,3\n" * 9, 27),
        (f"name,a,b\n{NAMED}".replace("K", "#") + "#30,error,5\n", 31),
    ],
    ids=range(4),
)
def test_rows_that_only_look_like_none(tmp_path: Path, text: str, rows: int) -> None:
    file = opened(tmp_path, text)
    assert file.read().num_rows == rows
    assert "left out" not in said(file)


def lined(*inserted: str) -> str:
    """The table with lines inserted, each after ten rows more."""
    lines = ["name,a,b\n", *NAMED.splitlines(keepends=True)]
    for number, line in enumerate(inserted, 1):
        lines.insert(11 * number, line)
    return "".join(lines)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (lined("name,a,b\n", "\nname,a,b\n"), "the header once more"),
        (lined("# pump changed\n", "# again\n"), "comments (#) among the rows"),
        (lined("# pause, restart, now\n"), "'# pause restart now'"),
        (lined("# a, b, c, d, e\n") + "# end, of, all, lines\n", "comments (#)"),
        (lined(",,\n", ",,\n"), "2 lines without any cell among the rows"),
    ],
    ids=range(5),
)
def test_lines_among_the_rows(tmp_path: Path, text: str, words: str) -> None:
    file = opened(tmp_path, text)
    frame = file.read()
    assert frame["name"].to_pylist() == [f"K{i}" for i in range(30)]
    assert words in said(file)
    lines = text.splitlines()
    found = formats.open_table(tmp_path / "x.csv").lines([0, 15, 29])
    assert found is not None
    assert [lines[n - 1].split(",")[0] for n in found] == ["K0", "K15", "K29"]


@pytest.mark.parametrize("padding", ["", ","])
def test_a_second_table_below(tmp_path: Path, padding: str) -> None:
    below = f"{padding * 2}\nkey,value{padding}\nx,5{padding}\ny,6{padding}\n"
    file = opened(tmp_path, f"name,a,b\n{NAMED}{below}")
    assert file.read().num_rows == len(ROWS)
    (note,) = [note for note in file.notes if "another table" in note]
    assert "(key, value) is not read" in note
    assert isinstance(note, Loud)


@pytest.mark.parametrize("rule", ["|---|---|", "|:---|--:|"])
def test_a_table_of_markdown(tmp_path: Path, rule: str) -> None:
    body = "".join(f"| {a} | {b} |\n" for a, b in ROWS)
    file = opened(tmp_path, f"| name | b |\n{rule}\n{body}", "x.txt")
    assert file.names == ("name", "b")
    assert file.read().num_rows == len(ROWS)
    assert file.lines([0]) == [3]


def test_a_table_of_a_database(tmp_path: Path) -> None:
    body = "".join(f" {a} | {b}\n" for a, b in ROWS)
    file = opened(tmp_path, f" a | b\n---+---\n{body}(30 rows)\n", "x.txt")
    assert file.names == ("a", "b")
    assert file.read().num_rows == len(ROWS)


def test_lines_that_are_no_rows_of_a_sheet(tmp_path: Path) -> None:
    body = [[f"K{i}", float(a), float(b)] for i, (a, b) in enumerate(ROWS)]
    head = ["name", "a", "b"]
    rows = [head, *body[:9], head, *body[9:], [], ["Total", 3000, 300]]
    workbook(tmp_path / "x.xlsx", {"S": rows})
    file = formats.open_table(tmp_path / "x.xlsx")
    frame = file.read()
    assert frame.num_rows == len(ROWS)
    assert pa.types.is_floating(frame["a"].type)
    assert file.lines([8, 9]) == [10, 12]
    assert "Total" in said(file)
    assert "the header once more" in said(file)


# --- encodings ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("encoding", "word", "name"),
    [
        ("shift-jis", "\u6771\u4eac \u5927\u962a", "Shift-JIS"),
        ("shift-jis", "\u30bb\u30f3\u30b5\u30fc \u30dd\u30f3\u30d7", "Shift-JIS"),
        ("gbk", "\u4e0a\u6d77 \u72b6\u6001\u6b63\u5e38", "GBK"),
        ("big5", "\u81fa\u5317 \u6eab\u5ea6", "Big5"),
        ("euc-kr", "\uc11c\uc6b8 \uc628\ub3c4", "EUC-KR"),
        (
            "cp1251",
            "\u041c\u043e\u0441\u043a\u0432\u0430 \u041a\u0430\u0437\u0430\u043d\u044c",
            "Windows-1251",
        ),
    ],
    ids=range(6),
)
def test_letters_say_the_encoding(
    tmp_path: Path, encoding: str, word: str, name: str
) -> None:
    first, second = word.split()
    body = NAMED.replace("K", first)
    file = opened(tmp_path, f"{second},a,b\n{body}".encode(encoding))
    assert file.names[0] == second
    assert file.read()[second][3].as_py() == f"{first}3"
    (note,) = [note for note in file.notes if "not UTF-8" in note]
    assert isinstance(note, Loud)
    assert name in note


def test_letters_that_say_too_little_are_pointed_out(tmp_path: Path) -> None:
    file = opened(tmp_path, f"a,b\n{BODY}\u0440\u0430\u0431,1\n".encode("cp1251"))
    (note,) = [note for note in file.notes if "not UTF-8" in note]
    assert isinstance(note, Loud)


@pytest.mark.parametrize("word", ["gr\xf6\xdfe", "fa\xe7ade", "T \xb0C", "\xb5m"])
def test_latin_letters_stay_latin(tmp_path: Path, word: str) -> None:
    file = opened(tmp_path, f"{word},b\n{BODY}".encode("cp1252"))
    assert file.names[0] == word
    assert "Windows-1252" in said(file)


def test_one_bad_byte_leaves_the_other_letters(tmp_path: Path) -> None:
    text = f"gr\xf6\xdfe,a,b\n{NAMED}".replace("K", "K\xf6ln ").encode()
    file = opened(tmp_path, text.replace("K\xf6ln 7".encode(), b"K\xf6ln 7"))
    frame = file.read()
    assert frame["gr\xf6\xdfe"].to_pylist()[6:8] == ["K\xf6ln 6", "K\ufffdln 7"]
    assert pa.Table.from_batches(file.batches(7)).equals(frame)
    (note,) = [note for note in file.notes if "not valid UTF-8" in note]
    assert isinstance(note, Loud)
    assert "line 9" in note


@pytest.mark.parametrize("name", ["x.csv", "x.jsonl"])
@pytest.mark.parametrize("encoding", ["utf-32", "utf-16-le", "utf-16-be", "utf-16"])
def test_wide_letters_with_and_without_a_mark(
    tmp_path: Path, encoding: str, name: str
) -> None:
    text = f"a,b\n{BODY}" if name == "x.csv" else '{"a": "100.25", "b": 1}\n' * 30
    file = opened(tmp_path, text.encode(encoding), name)
    assert file.read()["a"][0].as_py() == "100.25"
    assert file.read().num_rows == len(ROWS)


@pytest.mark.parametrize("end", [b"\0" * 5000, b"\x1a", b"\0" * (3 << 20)], ids=len)
def test_what_fills_a_file_up(tmp_path: Path, end: bytes) -> None:
    file = opened(tmp_path, f"a,b\n{BODY}".encode() + end)
    frame = file.read()
    assert frame["b"].to_pylist() == [b for _, b in ROWS]
    assert "end of the file" in said(file)
    with pytest.raises(DataError, match="not text"):
        opened(tmp_path, f"a,b\n{BODY}".encode() + end + b"\0\n1,2\n")


# --- JSON that is not records ---------------------------------------------------------

PAIRS = [[float(a), float(b)] for a, b in ROWS]
RECORDS = [{"a": a, "b": b} for a, b in PAIRS]
COLUMNS = {"a": [a for a, _ in PAIRS], "b": [b for _, b in PAIRS]}
FEATURES = [{"type": "Feature", "geometry": None, "properties": r} for r in RECORDS]
SHAPES = {
    "columns": json.dumps(COLUMNS),
    "to_json": json.dumps(
        {name: dict(enumerate(cells)) for name, cells in COLUMNS.items()}
    ),
    "to_json index": json.dumps(dict(enumerate(RECORDS))),
    "to_json split": json.dumps({"columns": ["a", "b"], "index": [0], "data": PAIRS}),
    "wrapped": json.dumps({"status": "ok", "data": RECORDS}),
    "GeoJSON": json.dumps({"type": "FeatureCollection", "features": FEATURES}),
    "arrays": json.dumps([["a", "b"], *PAIRS]),
    "an array a line": '["a", "b"]\n' + "".join(f"{pair}\n" for pair in PAIRS),
}


@pytest.mark.parametrize("indent", [False, True])
@pytest.mark.parametrize("shape", SHAPES)
def test_json_that_is_not_records(tmp_path: Path, shape: str, indent: bool) -> None:
    text = SHAPES[shape]
    if indent and shape != "an array a line":
        text = json.dumps(json.loads(text), indent=1)
    file = opened(tmp_path, text, "x.json")
    assert file.read().to_pylist() == RECORDS
    assert file.notes[0].startswith("JSON, ")


def test_arrays_without_names(tmp_path: Path) -> None:
    file = opened(tmp_path, "".join(f"{pair}\n" for pair in PAIRS), "x.jsonl")
    assert file.names == ("x0", "x1")
    assert file.read().num_rows == len(ROWS)


def test_rows_under_their_keys(tmp_path: Path) -> None:
    text = json.dumps({f"K{i}": row for i, row in enumerate(RECORDS)})
    frame = opened(tmp_path, text, "x.json").read()
    assert frame.to_pylist()[3] == {"key": "K3", **RECORDS[3]}


def test_one_record_stays_one(tmp_path: Path) -> None:
    frame = opened(tmp_path, '{"a": 1, "b": {"c": 2}}\n', "x.jsonl").read()
    assert frame.to_pylist() == [{"a": 1, "b.c": 2}]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("5", "a single JSON value"),
        ('"a"', "a single JSON value"),
        ('{"a": 1}\n{oops\n', "line 2 is not valid JSON"),
        ("[[1, 2], [3]]", "holds other things than objects"),
    ],
)
def test_json_that_is_no_table(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(DataError, match=words) as caught:
        opened(tmp_path, text, "x.json").read()
    assert type(caught.value) is DataError


# --- quotes with a backslash ----------------------------------------------------------

SAID = 'say \\"hi, you\\"'


@pytest.mark.parametrize("every", [1, 30])
@pytest.mark.parametrize("cell", [SAID, '\\"hi\\" there', '5 x 3\\"', 'a\\\\b \\"c\\"'])
def test_quotes_with_a_backslash(tmp_path: Path, cell: str, every: int) -> None:
    notes = [f'"{cell}"' if i % every == 0 else "fine" for i in range(30)]
    rows = zip(ROWS, notes, strict=True)
    text = "a,note,b\n" + "".join(f"{a},{note},{b}\n" for (a, b), note in rows)
    file = opened(tmp_path, text)
    frame = file.read()
    assert frame["note"][0].as_py() == cell.replace('\\"', '"').replace("\\\\", "\\")
    assert frame["b"].to_pylist() == [b for _, b in ROWS]
    assert file.lines([0, 29]) == [2, 31]
    assert '\\"' in said(file)


@pytest.mark.parametrize("cell", ["C:\\data\\", 'say ""hi"" \\ now', "a\\b"])
def test_backslashes_that_are_none_before_quotes(tmp_path: Path, cell: str) -> None:
    text = "a,note,b\n" + "".join(f'{a},"{cell}",{b}\n' for a, b in ROWS)
    frame = opened(tmp_path, text).read()
    assert frame["note"][0].as_py() == cell.replace('""', '"')
    assert frame["b"].to_pylist() == [b for _, b in ROWS]


# --- workbooks ------------------------------------------------------------------------


def with_formulas(path: Path, cell: str, columns: str = "C") -> None:
    """A workbook with columns of formulas that nobody has computed."""
    head: list[list[object]] = [["a", "b", "twice"]]
    workbook(path, {"S": head + [[float(a), float(b), 0] for a, b in ROWS]})
    with zipfile.ZipFile(path) as file:
        parts = {name: file.read(name) for name in file.namelist()}
    name = "xl/worksheets/sheet1.xml"
    wanted = rf'<c r="([{columns}]\d+)"><v>[^<]*</v></c>'
    xml = re.sub(wanted, rf'<c r="\1">{cell}</c>', parts[name].decode())
    parts[name] = xml.encode()
    with zipfile.ZipFile(path, "w") as file:
        for part, content in parts.items():
            file.writestr(part, content)


@pytest.mark.parametrize("value", ["", "<v/>", "<v></v>"])
def test_formulas_without_values(tmp_path: Path, value: str) -> None:
    with_formulas(tmp_path / "x.xlsx", f"<f>A2*2</f>{value}")
    file = formats.open_table(tmp_path / "x.xlsx")
    assert file.read()["twice"].null_count == len(ROWS)
    (note,) = [note for note in file.notes if "formulas" in note]
    assert isinstance(note, Loud)
    assert note.startswith("'twice': formulas without stored values: open")
    with_formulas(tmp_path / "x.xlsx", "<f>A2*2</f><v>5</v>")
    file = formats.open_table(tmp_path / "x.xlsx")
    assert "formulas" not in said(file)
    with_formulas(tmp_path / "x.xlsx", f"<f>1+2</f>{value}", "ABC")
    with pytest.raises(DataError, match="formulas without stored values"):
        formats.open_table(tmp_path / "x.xlsx")


def test_a_list_of_fields_before_the_table(tmp_path: Path) -> None:
    fields = [["Field", "Meaning"], ["a", "temperature"], ["b", "pressure"]]
    data = [["a", "b"], *[[float(a), float(b)] for a, b in ROWS]]
    workbook(tmp_path / "x.xlsx", {"Fields": fields, "Data": data})
    file = formats.open_table(tmp_path / "x.xlsx")
    assert file.names == ("a", "b")
    assert "the others are 'Fields' (--sheet chooses)" in said(file)
    workbook(tmp_path / "x.xlsx", {"Fields": fields, "More": fields})
    assert formats.open_table(tmp_path / "x.xlsx").names == ("Field", "Meaning")


# --- files of a pattern, signs, and what is no table ----------------------------------


@pytest.mark.parametrize("empty", ["", "a,b\n", "\n\n"])
@pytest.mark.parametrize("name", ["1.csv", "3.csv"])
def test_a_part_without_rows_is_left_out(tmp_path: Path, empty: str, name: str) -> None:
    for part in ("2.csv", "4.csv"):
        (tmp_path / part).write_text(f"a,b\n{BODY}")
    (tmp_path / name).write_text(empty)
    rows = open_source(str(tmp_path / "*.csv")).rows()
    assert len(rows) == 2 * len(ROWS)
    (note,) = [note for note in rows.notes if "no row of data" in note]
    assert note == f"{name} has no row of data and is left out"
    assert isinstance(note, Loud)


def test_a_pattern_without_any_row(tmp_path: Path) -> None:
    for part in ("1.csv", "2.csv"):
        (tmp_path / part).write_text("a,b\n")
    with pytest.raises(DataError, match="no rows of data"):
        open_source(str(tmp_path / "*.csv")).rows()


@pytest.mark.parametrize("mark", [":", "^", "~"])
def test_a_sign_that_may_separate(tmp_path: Path, mark: str) -> None:
    file = opened(tmp_path, f"a,b\n{BODY}".replace(",", mark))
    (note,) = [note for note in file.notes if "one column only" in note]
    assert isinstance(note, Loud)
    file = opened(tmp_path, f"sep={mark}\na,b\n{BODY}".replace(",", mark))
    assert file.names == ("a", "b")
    times = "".join(f"10:{i}\n" for i in range(10, 40))
    assert "one column only" not in said(opened(tmp_path, f"time\n{times}"))


@pytest.mark.parametrize("line", ['Kx,100,"pipe\n', '"K,100,9\n'])
@pytest.mark.parametrize("last", [False, True])
def test_an_open_quote_is_named(tmp_path: Path, line: str, last: bool) -> None:
    text = f"name,a,b\n{NAMED}{line}{'' if last else NAMED}"
    with pytest.raises(DataError, match=r'a quote \("\) is opened on line 32'):
        opened(tmp_path, text).read()


def test_rows_between_two_odd_quotes_are_pointed_out(tmp_path: Path) -> None:
    lines = f"a,b,note\n{BODY}".replace(".5\n", ".5,ok\n").splitlines()
    for line in (10, 20):
        lines[line] = lines[line].replace("ok", '"ok')
    text = "\n".join(lines) + "\n"
    file = opened(tmp_path, text)
    file.read()
    (note,) = [note for note in file.notes if "is not closed there" in note]
    assert isinstance(note, Loud)
    assert "a cell holds 9 rows" in note


@pytest.mark.parametrize(
    ("content", "name", "words"),
    [
        ("version https://git-lfs.github.com/spec/v1\nsize 5\n", "x.csv", "Git LFS"),
        ("<html><table><tr><td>1</table></html>", "x.xls", "an HTML table; open it"),
        ("<table><tr><td>1</table>", "x.csv", "an HTML table; open it"),
        ("<!DOCTYPE html><p>Log in</p>", "x.csv", "HTML, not a table"),
        (
            f"a,b,c\n1,2\n{BODY}".replace(".5\n", ".5,1\n"),
            "x.csv",
            "column 3, a number",
        ),
    ],
    ids=range(5),
)
def test_what_is_no_table(tmp_path: Path, content: str, name: str, words: str) -> None:
    with pytest.raises(DataError, match=words):
        opened(tmp_path, content, name).read()


def test_a_picture_folder_whose_name_is_not_utf8(tmp_path: Path) -> None:
    folder = Path(os.fsdecode(os.fsencode(tmp_path) + b"/gr\xfcn"))
    for kind in ("train/good", "test/good", "test/dent"):
        (folder / kind).mkdir(parents=True)
        for number in range(2):
            Image.new("L", (8, 8), 9 * number).save(folder / kind / f"{number}.png")
    rows = open_source(str(folder)).rows()
    assert isinstance(rows, PictureRows)
    assert rows.folder == folder
