"""Workbooks: sheets as tables, with types."""

from __future__ import annotations

import datetime as dt
import zipfile
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from whitecrow.data import formats
from whitecrow.data.formats import TableFile, workbook
from whitecrow.errors import DataError, ParameterError

MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE = "http://schemas.openxmlformats.org/package/2006/relationships"
TYPES = "http://schemas.openxmlformats.org/package/2006/content-types"
EPOCH = dt.datetime(1899, 12, 30)
# Formats of cells by their index: general, date, date with time, time of day.
STYLES = (
    f'<styleSheet xmlns="{MAIN}"><cellXfs count="4"><xf numFmtId="0"/>'
    '<xf numFmtId="14" applyNumberFormat="1"/><xf numFmtId="22" applyNumberFormat="1"/>'
    '<xf numFmtId="21" applyNumberFormat="1"/></cellXfs></styleSheet>'
)


class Raw(str):
    """The XML of a cell, with {at} for its place."""


def cell_xml(value: Any, at: str) -> str:
    if value is None:
        return ""
    if isinstance(value, Raw):
        return value.format(at=at)
    if isinstance(value, bool):
        return f'<c r="{at}" t="b"><v>{int(value)}</v></c>'
    if isinstance(value, dt.datetime):
        return f'<c r="{at}" s="2"><v>{(value - EPOCH) / dt.timedelta(days=1)}</v></c>'
    if isinstance(value, dt.date):
        days = (dt.datetime.combine(value, dt.time()) - EPOCH).days
        return f'<c r="{at}" s="1"><v>{days}</v></c>'
    if isinstance(value, dt.time):
        seconds = value.hour * 3600 + value.minute * 60 + value.second
        return f'<c r="{at}" s="3"><v>{seconds / 86400}</v></c>'
    if isinstance(value, int | float):
        return f'<c r="{at}"><v>{value}</v></c>'
    return f'<c r="{at}" t="inlineStr"><is><t>{escape(str(value))}</t></is></c>'


def column_of(j: int) -> str:
    return chr(65 + j) if j < 26 else chr(64 + j // 26) + chr(65 + j % 26)


def sheet_xml(rows: Sequence[Sequence[Any]], extra: str = "") -> str:
    body = "".join(
        f'<row r="{i}">'
        + "".join(cell_xml(v, f"{column_of(j)}{i}") for j, v in enumerate(row))
        + "</row>"
        for i, row in enumerate(rows, 1)
    )
    return (
        f'<?xml version="1.0"?><worksheet xmlns="{MAIN}"><sheetData>{body}</sheetData>'
        f"{extra}</worksheet>"
    )


def write(path: Path, _states: Sequence[str] = (), **sheets: Any) -> Path:
    """Write a workbook: the rows of each sheet, or its XML."""
    names = list(sheets)
    states = [*_states, *[""] * len(names)]
    parts = "".join(
        f'<Override PartName="/xl/worksheets/sheet{i}.xml" ContentType="application/'
        'vnd.openxmlformats-officedocument.spreadsheetml.worksheet+xml"/>'
        for i in range(1, len(names) + 1)
    )
    entries = "".join(
        f'<sheet name="{name}" sheetId="{i}" r:id="r{i}" {states[i - 1]}/>'
        for i, name in enumerate(names, 1)
    )
    links = "".join(
        f'<Relationship Id="r{i}" Type="{OFFICE}/worksheet" '
        f'Target="worksheets/sheet{i}.xml"/>'
        for i in range(1, len(names) + 1)
    )
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(
            "[Content_Types].xml",
            f'<?xml version="1.0"?><Types xmlns="{TYPES}"><Default Extension="rels" '
            'ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
            '<Default Extension="xml" ContentType="application/xml"/>'
            '<Override PartName="/xl/workbook.xml" ContentType="application/vnd.'
            'openxmlformats-officedocument.spreadsheetml.sheet.main+xml"/>'
            f"{parts}</Types>",
        )
        archive.writestr(
            "_rels/.rels",
            f'<?xml version="1.0"?><Relationships xmlns="{PACKAGE}"><Relationship '
            f'Id="r1" Type="{OFFICE}/officeDocument" Target="xl/workbook.xml"/>'
            "</Relationships>",
        )
        archive.writestr(
            "xl/workbook.xml",
            f'<?xml version="1.0"?><workbook xmlns="{MAIN}" xmlns:r="{OFFICE}"><sheets>'
            f"{entries}</sheets></workbook>",
        )
        archive.writestr(
            "xl/_rels/workbook.xml.rels",
            f'<?xml version="1.0"?><Relationships xmlns="{PACKAGE}">{links}'
            f'<Relationship Id="s" Type="{OFFICE}/styles" Target="styles.xml"/>'
            "</Relationships>",
        )
        archive.writestr("xl/styles.xml", f'<?xml version="1.0"?>{STYLES}')
        for i, rows in enumerate(sheets.values(), 1):
            xml = rows if isinstance(rows, str) else sheet_xml(rows)
            archive.writestr(f"xl/worksheets/sheet{i}.xml", xml)
    return path


def opened(folder: Path, rows: Any) -> TableFile:
    return formats.open_table(write(folder / "a.xlsx", Sheet1=rows))


def said(file: TableFile) -> str:
    return " | ".join(file.notes)


def refusal(path: Path, sheet: str | None = None) -> str:
    with pytest.raises((DataError, ParameterError)) as caught:
        formats.open_table(path, sheet=sheet).read()
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith(str(path))
    return message


DAY, NOON = dt.date(2024, 2, 29), dt.datetime(2024, 2, 29, 12, 30)


@pytest.mark.parametrize(
    ("cells", "kind", "expected"),
    [
        ([1, 2.0, None], pa.int64(), [1, 2, None]),
        ([1, 2.5], pa.float64(), [1.0, 2.5]),
        ([True, False], pa.bool_(), [True, False]),
        ([DAY, None], pa.date32(), [DAY, None]),
        ([NOON, NOON], pa.timestamp("us"), [NOON, NOON]),
        ([NOON, DAY], pa.timestamp("us"), [NOON, dt.datetime(2024, 2, 29)]),
        ([dt.time(9, 5), None], pa.time64("us"), [dt.time(9, 5), None]),
        (["x", ""], pa.string(), ["x", None]),
        ([1.0, "k.A.", 2.5], pa.string(), ["1", "k.A.", "2.5"]),
        ([NOON, "?"], pa.string(), ["2024-02-29 12:30:00", "?"]),
        ([True, "x"], pa.string(), ["true", "x"]),
        (["007", "1,5"], pa.string(), ["007", "1,5"]),
        ([1e20, 5], pa.float64(), [1e20, 5.0]),
    ],
)
def test_types(
    tmp_path: Path, cells: list[Any], kind: pa.DataType, expected: list[Any]
) -> None:
    rows = [["n", "a"], *([i, cell] for i, cell in enumerate(cells))]
    frame = opened(tmp_path, rows).read()
    assert frame.schema.field("a").type == kind
    assert frame["a"].to_pylist() == expected


def test_formulas_errors_and_merged_cells(tmp_path: Path) -> None:
    rows = [
        ["a", "b", "c"],
        [Raw('<c r="{at}"><f>1+1</f><v>2</v></c>'), 1, "north"],
        [Raw('<c r="{at}" t="e"><v>#DIV/0!</v></c>'), 2, None],
        [Raw('<c r="{at}" t="str"><f>"x"</f><v>3</v></c>'), 3, "south"],
    ]
    merged = '<mergeCells count="1"><mergeCell ref="C2:C3"/></mergeCells>'
    file = opened(tmp_path, sheet_xml(rows, merged))
    assert file.read().to_pydict() == {
        "a": ["2", None, "3"],
        "b": [1, 2, 3],
        "c": ["north", None, "south"],
    }


def test_titles_units_blanks_and_footnotes(tmp_path: Path) -> None:
    rows = [
        [],
        [None, "Report of station 7"],
        [],
        [None, "price", "load", None, None],
        [None, "EUR", "bar"],
        [None, 1.5, 2],
        [],
        [None, 2.5, 3],
        [],
        [None, "Source: somebody"],
    ]
    file = opened(tmp_path, rows)
    assert file.read().to_pydict() == {"price": [1.5, 2.5], "load": [2, 3]}
    assert file.lines([0, 1]) == [6, 8]
    assert "row 2 is a title above the table and not read" in said(file)
    assert "row 5 holds units: price EUR, load bar" in said(file)
    assert "('Source: somebody') is not a row and is left out" in said(file)
    assert [batch.num_rows for batch in file.batches(1)] == [1, 1]


def test_numbers_and_doubles_as_names(tmp_path: Path) -> None:
    file = opened(tmp_path, [["shop", 2019, 2020, "shop"], ["a", 1.5, 2, 3]])
    assert file.names == ("shop", "2019", "2020", "shop.2")


def test_numbers_without_names(tmp_path: Path) -> None:
    file = opened(tmp_path, [[1.5, 2.5], [3.5, 4.5]])
    assert file.read().to_pydict() == {"x0": [1.5, 3.5], "x1": [2.5, 4.5]}


def test_a_cell_beside_the_table_is_a_column(tmp_path: Path) -> None:
    rows = [["a", "b"], *([i, i + 0.5] for i in range(400)), [1, 2.5, "note"]]
    frame = opened(tmp_path, rows).read()
    assert frame.column_names == ["a", "b", "column_3"]
    assert frame["column_3"].to_pylist()[-1] == "note"


# ------------------------------------------------------------------------ sheets


def several(folder: Path) -> Path:
    return write(
        folder / "a.xlsx",
        ('state="hidden"',),
        Secret=[["z"], [1], [2]],
        Cover=[["Report"], ["of somebody"]],
        Empty=[],
        Data=[["a", "b"], [1, 2]],
        More=[["c", "d"], [3, 4]],
    )


def test_the_first_sheet_with_a_table(tmp_path: Path) -> None:
    file = formats.open_table(several(tmp_path))
    assert file.read().to_pydict() == {"a": [1], "b": [2]}
    assert "sheet 'Data' (the first with a table); the others are 'Cover'" in said(file)
    assert "--sheet" in said(file)


@pytest.mark.parametrize("sheet", ["More", "more", "4"])
def test_a_sheet_by_name_or_number(tmp_path: Path, sheet: str) -> None:
    file = formats.open_table(several(tmp_path), sheet=sheet)
    assert file.read().to_pydict() == {"c": [3], "d": [4]}


@pytest.mark.parametrize("sheet", ["Nothing", "0", "9", ""])
def test_a_sheet_that_is_not_there(tmp_path: Path, sheet: str) -> None:
    message = refusal(several(tmp_path), sheet)
    assert f"no sheet {sheet!r}; it has 'Cover', 'Empty', 'Data', 'More'" in message


def test_a_sheet_without_a_table(tmp_path: Path) -> None:
    assert "no cell in sheet 'Empty'" in refusal(several(tmp_path), "Empty")
    path = write(tmp_path / "b.xlsx", A=[], B=[["Report"]])
    assert "no sheet with a table; it has the sheets 'A', 'B'" in refusal(path)
    path = write(tmp_path / "c.xlsx", A=[["a", "b"]])
    assert "no row of data below it" in refusal(path, "A")


# ------------------------------------------------------------------------- errors


@pytest.mark.parametrize("share", [0.1, 0.5, 0.95])
def test_cut_off(tmp_path: Path, share: float) -> None:
    path = several(tmp_path)
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    assert "broken or" in refusal(path)


def test_encrypted(tmp_path: Path) -> None:
    path = tmp_path / "a.xlsx"
    name = "EncryptedPackage".encode("utf-16-le")
    path.write_bytes(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600) + name)
    assert "the workbook is encrypted" in refusal(path)


def test_a_cell_far_away(tmp_path: Path) -> None:
    far = '<row r="1048576"><c r="XFD1048576"><v>1</v></c></row>'
    xml = sheet_xml([["a", "b"], [1, 2]]).replace("</sheetData>", f"{far}</sheetData>")
    message = refusal(write(tmp_path / "a.xlsx", Sheet1=xml))
    assert "reaches over 1,048,576 rows and 16,384 columns" in message


def test_xml_that_is_mostly_repetition(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path / "a.xlsx", Sheet1=[["a", "b"], [1, 2], ["x" * 10**6, 3]])
    monkeypatch.setattr(workbook, "LARGEST", 10**6)
    assert "would unpack to 1,0" in refusal(path)


@pytest.mark.parametrize("suffix", ["xlsm", "data", "csv"])
def test_other_names(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a.{suffix}"
    path.write_bytes(write(tmp_path / "b.xlsx", A=[["a", "b"], [1, 2]]).read_bytes())
    assert formats.open_table(path).read().to_pydict() == {"a": [1], "b": [2]}
