"""Files as instruments, databases and spreadsheets export them."""

from __future__ import annotations

from pathlib import Path

import pytest
from people import workbook

from whitecrow.data import formats
from whitecrow.data.formats import TableFile

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
