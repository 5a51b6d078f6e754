"""Files of arbitrary bytes: a table or a UserError of one line, nothing else."""

from __future__ import annotations

import gzip
import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.feather as feather
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image
from scipy.io import savemat
from scipy.sparse import csc_array

from whitecrow.data import formats, places
from whitecrow.data.formats import matlab
from whitecrow.data.kinds import TableEncoder
from whitecrow.data.rows import PictureRows, TableRows
from whitecrow.data.source import open_source
from whitecrow.errors import UserError

ROWS = np.random.default_rng(0).normal(size=(60, 3)).round(3)


def _csv() -> bytes:
    lines = [
        "a;b;c",
        *(f'{x};"{y}";2024-01-0{1 + i % 9}' for i, (x, y, _) in enumerate(ROWS)),
    ]
    return "\n".join(lines).encode()


def _saved(save: Callable[[io.BytesIO], object]) -> bytes:
    file = io.BytesIO()
    save(file)
    return file.getvalue()


def _picture(kind: str) -> bytes:
    image = Image.fromarray((np.abs(ROWS) * 80).astype(np.uint8))
    return _saved(lambda file: image.save(file, kind))


def _zip(members: dict[str, bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name), content)
    return file.getvalue()


def _xlsx() -> bytes:
    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    package = "http://schemas.openxmlformats.org/package/2006/relationships"
    names = "".join(f'<c t="inlineStr"><is><t>{name}</t></is></c>' for name in "abc")
    rows = "".join(
        "<row>" + "".join(f"<c><v>{cell}</v></c>" for cell in row) + "</row>"
        for row in ROWS
    )
    return _zip(
        {
            "[Content_Types].xml": b"<Types/>",
            "_rels/.rels": f'<Relationships xmlns="{package}"><Relationship Id="r1" '
            f'Type="{office}/officeDocument" Target="xl/workbook.xml"/>'
            "</Relationships>".encode(),
            "xl/workbook.xml": f'<workbook xmlns="{main}" xmlns:r="{office}"><sheets>'
            '<sheet name="S" sheetId="1" r:id="r1"/></sheets></workbook>'.encode(),
            "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{package}">'
            f'<Relationship Id="r1" Type="{office}/worksheet" '
            'Target="worksheets/sheet1.xml"/></Relationships>'.encode(),
            "xl/worksheets/sheet1.xml": f'<worksheet xmlns="{main}"><sheetData><row>'
            f"{names}</row>{rows}</sheetData></worksheet>".encode(),
        }
    )


def _jsonl() -> bytes:
    records = [{"a": x, "b": {"c": [y], "d": "x"}} for x, y, _ in ROWS.tolist()]
    return "\n".join(map(json.dumps, records)).encode()


def _txt() -> bytes:
    return "\n".join(["a b c", *(" ".join(map(str, row)) for row in ROWS)]).encode()


GOOD = {
    "csv": _csv(),
    "csv.gz": gzip.compress(_csv(), mtime=0),
    "tsv": _csv().replace(b";", b"\t"),
    "parquet": _saved(lambda f: pq.write_table(pa.table({"a": ROWS[:, 0]}), f)),
    "feather": _saved(
        lambda f: feather.write_feather(pa.table({"a": ROWS[:, 0], "b": ["x"] * 60}), f)
    ),
    "jsonl": _jsonl(),
    "txt": _txt(),
    "xlsx": _xlsx(),
    "zip": _zip({"in.csv": _csv()}),
    "npz": _saved(lambda f: np.savez_compressed(f, X=ROWS, y=ROWS[:, 0] > 0)),
    "npy": _saved(lambda f: np.save(f, ROWS)),
    "mat": _saved(lambda f: savemat(f, {"X": ROWS, "y": np.ones(60)})),
    "png": _picture("png"),
    "jpg": _picture("jpeg"),
    "bmp": _picture("bmp"),
    "tif": _picture("tiff"),
    "webp": _picture("webp"),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fuzz")


def digest(folder: Path, suffix: str, content: bytes) -> TableRows | PictureRows | None:
    """Read in one piece and in batches; only a UserError of one line may come out."""
    path = folder / f"a.{suffix}"
    path.write_bytes(content)
    found = None
    try:
        found = open_source(str(path)).rows()
        if isinstance(found, TableRows):
            X = TableEncoder().fit(found.frame).transform(found.frame)
            assert np.isfinite(X).all()
    except UserError as error:
        assert "\n" not in str(error)  # noqa: PT017
    try:
        file = formats.open_file(path)
        if not isinstance(file, PictureRows):
            batches = list(file.batches(7))
            if isinstance(found, TableRows):
                assert sum(batch.num_rows for batch in batches) == len(found)
                lines = file.lines(range(len(found)))
                assert lines is None or len(lines) == len(found)
    except UserError as error:
        assert "\n" not in str(error)  # noqa: PT017
    return found


@pytest.mark.parametrize("suffix", GOOD)
def test_the_files_to_be_damaged_are_good(folder: Path, suffix: str) -> None:
    found = digest(folder, suffix, GOOD[suffix])
    assert found is not None
    assert len(found) == (60 if isinstance(found, TableRows) else 1)


@pytest.mark.parametrize("suffix", GOOD)
@settings(max_examples=25)
@given(content=st.binary(max_size=300))
def test_random_bytes(folder: Path, suffix: str, content: bytes) -> None:
    digest(folder, suffix, content)


@pytest.mark.parametrize("suffix", GOOD)
@settings(max_examples=25)
@given(data=st.data())
def test_random_bytes_after_a_right_beginning(
    folder: Path, suffix: str, data: st.DataObject
) -> None:
    start = data.draw(st.integers(4, 40))
    digest(folder, suffix, GOOD[suffix][:start] + data.draw(st.binary(max_size=200)))


@pytest.mark.parametrize("suffix", GOOD)
@settings(max_examples=25)
@given(data=st.data())
def test_cut_off_files(folder: Path, suffix: str, data: st.DataObject) -> None:
    size = data.draw(st.integers(0, len(GOOD[suffix]) - 1))
    digest(folder, suffix, GOOD[suffix][:size])


@pytest.mark.parametrize("suffix", GOOD)
@settings(max_examples=40)
@given(data=st.data())
def test_altered_bytes(folder: Path, suffix: str, data: st.DataObject) -> None:
    content = bytearray(GOOD[suffix])
    places = st.integers(0, len(content) - 1)
    for place in data.draw(st.lists(places, min_size=1, max_size=4)):
        content[place] = data.draw(st.integers(0, 255))
    digest(folder, suffix, bytes(content))


@settings(max_examples=150)
@given(
    text=st.text(alphabet='ab1.,;\t|"\n\r -:é\ufeff\0#=%', max_size=80),
    encoding=st.sampled_from(["utf-8", "cp1252", "utf-16"]),
)
def test_odd_text(folder: Path, text: str, encoding: str) -> None:
    digest(folder, "csv", text.encode(encoding, errors="ignore"))


@settings(max_examples=60)
@example(source="~\0")
@given(source=st.text(max_size=30))
def test_odd_names(source: str) -> None:
    with pytest.raises(UserError):
        places.expand(source + "/no/such.csv")


RICH = _saved(
    lambda f: savemat(
        f,
        {
            "X": np.eye(3),
            "s": csc_array(np.eye(4)),
            "c": 1j * np.ones(3),
            "t": ["abc", "de"],
            "cells": np.array(["a", 2], dtype=object),
            "fields": {"a": 1},
        },
    )
)


def test_matrices_of_every_class(folder):
    (folder / "rich.mat").write_bytes(RICH)
    found = matlab.load(folder / "rich.mat")
    assert {name: array.shape for name, array in found.items()} == {
        "X": (3, 3),
        "s": (4, 4),
        "c": (1, 3),
        "t": (2,),
    }
    np.testing.assert_array_equal(found["s"], np.eye(4))
    assert found["t"].tolist() == ["abc", "de "]


@settings(max_examples=300)
@example(place=RICH.index(b"X\0"), value=10)  # a name that is a line break
@given(place=st.integers(128, len(RICH) - 1), value=st.integers(0, 20))
def test_matrices_of_every_class_damaged(folder, place, value):
    content = bytearray(RICH)
    content[place] = value
    digest(folder, "mat", bytes(content))


@pytest.mark.parametrize(
    ("place", "value"),
    [(144, 5), (145, 8), (176, 0), (177, 1), (176, 14), (176, 15)],
    ids=[
        "called sparse",
        "called complex",
        "no type",
        "another type",
        "a matrix as numbers",
        "a compressed element as numbers",
    ],
)
def test_matrices_on_which_the_decoder_dies(folder, place, value):
    content = bytearray(GOOD["mat"])
    content[place] = value
    content[0] = ord("m")  # which scipy does not look at
    (folder / "deadly.mat").write_bytes(content)
    with pytest.raises(UserError, match=r"broken or not a \.mat file"):
        open_source(str(folder / "deadly.mat")).rows()
