"""Formats: found from the content, read into tables, refused in one line."""

from __future__ import annotations

import gzip
import io
import os
import re
import sys
import zipfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.feather as feather
import pyarrow.parquet as pq
import pytest
from scipy import io as scipy_io
from scipy import sparse

from whitecrow import labels
from whitecrow.data import formats, places
from whitecrow.data.formats import Stacked, TableFile
from whitecrow.data.rows import PictureRows, TableRows
from whitecrow.data.source import TableSource, open_source
from whitecrow.errors import DataError, ParameterError


def write(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def saved(save: object, *arguments: object) -> bytes:
    file = io.BytesIO()
    save(file, *arguments)  # type: ignore[operator]
    return file.getvalue()


def refusal(path: Path) -> str:
    """The message for a bad file, one line that begins with its name."""
    with pytest.raises(DataError) as caught:
        formats.open_table(path).read()
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith(str(path))
    return message.removeprefix(str(path))


def contents(path: Path) -> dict[str, list[object]]:
    return formats.open_table(path).read().to_pydict()


TABLE = pa.table({"a": [1, 2], "b": ["x", "y"]})
PARQUET = saved(lambda f: pq.write_table(TABLE, f))
ARROW = saved(lambda f: feather.write_feather(TABLE, f))
CSV = b"a,b\n1,x\n2,y\n"
JSON = b'{"a": 1, "b": "x"}\n{"a": 2, "b": "y"}\n'


def packed(content: bytes) -> bytes:
    """Compress without the time, so that every test worker has the same names."""
    return gzip.compress(content, mtime=0)


# ------------------------------------------------------------ content and name


@pytest.mark.parametrize(
    ("name", "content", "kind"),
    [
        ("a.txt", CSV, "csv"),
        ("a.CSV", CSV, "csv"),
        ("a.json", JSON, "jsonl"),
        ("a.ndjson", JSON, "jsonl"),
        ("a.pq", PARQUET, "parquet"),
        ("a.ipc", ARROW, "arrow"),
    ],
)
def test_names_that_fit(tmp_path: Path, name: str, content: bytes, kind: str) -> None:
    path = write(tmp_path, name, content)
    assert formats.format_of(path) == kind
    file = formats.open_table(path)
    assert [str(cell) for cell in file.read()["a"].to_pylist()] == ["1", "2"]
    assert not any("whatever its name says" in note for note in file.notes)


@pytest.mark.parametrize(
    ("name", "content", "kind"),
    [
        ("a.data", CSV, "csv"),
        ("table", CSV, "csv"),
        ("a.parquet", CSV, "csv"),
        ("a.xlsx", CSV, "csv"),
        ("a.csv", PARQUET, "parquet"),
        ("a.bin", PARQUET, "parquet"),
        ("a.csv", ARROW, "arrow"),
        ("a.csv", JSON, "jsonl"),
        ("a.csv", packed(CSV), "csv"),
        ("a.csv.gz", CSV, "csv"),
        ("a.jsonl", packed(JSON), "jsonl"),
    ],
)
def test_names_that_do_not_fit(
    tmp_path: Path, name: str, content: bytes, kind: str
) -> None:
    path = write(tmp_path, name, content)
    assert formats.format_of(path) == kind
    file = formats.open_table(path)
    assert [str(cell) for cell in file.read()["a"].to_pylist()] == ["1", "2"]
    assert any(f"read as {kind}" in note for note in file.notes)


REFUSED = {
    "pdf": (b"%PDF-1.7", "its content is PDF"),
    "sqlite": (b"SQLite format 3\0", "sqlite3 -csv"),
    "hdf5": (b"\x89HDF\r\n\x1a\n", "HDF5"),
    "pickle": (b"\x80\x04\x95abc", "it could run code"),
    "html": (b"<!DOCTYPE html><html>", "not the page"),
    "picture": (b"\x89PNG\r\n\x1a\n", "a picture"),
    "tar": (gzip.compress(b"x" * 257 + b"ustar" + bytes(300)), "a tar archive"),
    "parquet in gzip": (
        gzip.compress(PARQUET, mtime=0),
        "parquet compressed with gzip",
    ),
    "binary": (bytes(range(256)) * 9, "the content is not text"),
    "R data": (gzip.compress(b"X\n\0\0\0\2" + bytes(99)), "the content is not text"),
    "empty": (b"", "the file is empty"),
    "empty in gzip": (packed(b""), "the file is empty"),
    "zip": (b"PK\x03\x04....", "broken or cut-off zip archive"),
}


@pytest.mark.parametrize("case", REFUSED)
@pytest.mark.parametrize("name", ["a.csv", "a.bin", "a"])
def test_what_is_no_table(tmp_path: Path, case: str, name: str) -> None:
    content, expected = REFUSED[case]
    assert expected in refusal(write(tmp_path, name, content))


@pytest.mark.parametrize("name", ["notes.docx", "noname", "script.py"])
def test_prose_without_a_known_suffix(tmp_path: Path, name: str) -> None:
    message = refusal(write(tmp_path, name, "some text\nmore text\n"))
    assert "is not readable" in message
    assert "csv, tsv, txt, xlsx, jsonl, parquet" in message


def test_numbers_without_a_known_suffix(tmp_path: Path) -> None:
    assert contents(write(tmp_path, "noname", "1.5\n2.5\n")) == {"x0": ["1.5", "2.5"]}


@pytest.mark.parametrize("suffix", ["npz", "npy", "mat", "parquet", "feather", "png"])
def test_empty_files(tmp_path: Path, suffix: str) -> None:
    assert "the file is empty" in refusal(write(tmp_path, f"a.{suffix}", b""))


def test_folders_pipes_and_files_that_are_not_there(tmp_path: Path) -> None:
    assert "a folder" in refusal(tmp_path)
    assert "No such file" in refusal(tmp_path / "no.csv")
    os.mkfifo(tmp_path / "pipe.csv")
    assert "use - and standard input" in refusal(tmp_path / "pipe.csv")


@pytest.mark.skipif(os.getuid() == 0, reason="root may read everything")
def test_files_without_permission(tmp_path: Path) -> None:
    path = write(tmp_path, "a.csv", CSV)
    path.chmod(0)
    assert "Permission denied" in refusal(path)


def test_names_that_are_not_utf8(tmp_path: Path) -> None:
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.csv"))
    path.write_bytes(CSV)
    assert formats.open_table(path).read().num_rows == 2


def test_a_sheet_is_asked_of_a_workbook_only(tmp_path: Path) -> None:
    path = write(tmp_path, "a.csv", CSV)
    with pytest.raises(ParameterError, match="--sheet '2' is for workbooks"):
        formats.open_table(path, sheet="2")


# --------------------------------------------------------------- several files


def stacked(folder: Path, pattern: str = "*") -> TableFile:
    return formats.open_tables(pattern, places.expand(folder / pattern))


def test_files_in_the_order_of_their_names(tmp_path: Path) -> None:
    write(tmp_path, "b.csv", "y,x\n0.5,3\n")
    write(tmp_path, "a.csv", "x,y\n1,2\n\n2,2\n")
    file = stacked(tmp_path)
    assert isinstance(file, Stacked)
    assert file.names == ("x", "y")
    assert file.notes[0] == "2 files: a.csv, b.csv"
    assert file.read().to_pydict() == {"x": ["1", "2", "3"], "y": ["2", "2", "0.5"]}
    assert file.notes[0] == "2 files: a.csv from row 0, b.csv from row 2"
    assert file.lines([2, 0, 1]) == [2, 2, 4]
    assert [batch.num_rows for batch in file.batches(2)] == [2, 1]


def test_columns_of_several_types(tmp_path: Path) -> None:
    for name, column in (("a", [1, 2]), ("b", [0.5]), ("c", ["low"])):
        pq.write_table(pa.table({"x": column, "y": [7] * len(column)}), tmp_path / name)
    file = stacked(tmp_path)
    assert file.read().to_pydict() == {"x": ["1", "2", "0.5", "low"], "y": [7] * 4}
    assert pa.Table.from_batches(file.batches(3)).equals(file.read())
    (tmp_path / "c").unlink()
    assert stacked(tmp_path).read()["x"].to_pylist() == [1.0, 2.0, 0.5]


def test_files_with_other_columns(tmp_path: Path) -> None:
    write(tmp_path, "a.csv", "x,y\n1,2\n")
    write(tmp_path, "b.csv", "x,z\n1,2\n")
    with pytest.raises(DataError, match=r"b.csv: its columns differ.*'y', with 'z'"):
        stacked(tmp_path)


def test_pictures_among_files(tmp_path: Path) -> None:
    write(tmp_path, "a.csv", CSV)
    np.save(tmp_path / "b.npy", np.ones((2, 3, 3), np.uint8))
    with pytest.raises(DataError, match=r"b.npy: it holds pictures"):
        stacked(tmp_path)


# ------------------------------------------------------------ parquet and arrow


@pytest.mark.parametrize("suffix", ["parquet", "feather", "arrow"])
def test_types_stay(tmp_path: Path, suffix: str) -> None:
    frame = pa.table(
        {
            "a": pa.array([1, None], pa.int16()),
            "b": ["x", "y"],
            "c": pa.array(["u", "v"]).dictionary_encode(),
            "d": pa.array([0, 1], pa.timestamp("ns", "UTC")),
        }
    )
    path = tmp_path / f"a.{suffix}"
    if suffix == "parquet":
        pq.write_table(frame, path)
    elif suffix == "feather":
        feather.write_feather(frame, path)
    else:
        with (
            pa.OSFile(str(path), "wb") as sink,
            pa.ipc.new_stream(sink, frame.schema) as w,
        ):
            w.write_table(frame)
    file = formats.open_table(path)
    assert file.read().equals(frame)
    assert pa.Table.from_batches(file.batches(1)).equals(frame)
    assert file.lines([0]) is None
    whole = path.read_bytes()
    for share in (0.2, 0.9):
        path.write_bytes(whole[: int(share * len(whole))])
        assert "broken or cut-off" in refusal(path)


def test_a_name_that_is_not_utf8(tmp_path: Path) -> None:
    content = saved(lambda f: feather.write_feather(pa.table({"name": [1]}), f))
    path = write(tmp_path, "a.feather", content.replace(b"name", b"nam\xe1"))
    assert "broken or cut-off Arrow" in refusal(path)


def test_parquet_without_rows_or_cells(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"a": pa.array([], pa.int8())}), path)
    assert "no rows of data" in refusal(path)
    pq.write_table(pa.table({"a": [np.nan, np.nan], "b": pa.nulls(2)}), path)
    assert "every cell of all 2 columns is missing" in refusal(path)


def test_parquet_with_a_name_twice(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table([[1], [2]], names=["a", "a"]), path)
    file = formats.open_table(path)
    assert file.read().to_pydict() == {"a": [1], "a.2": [2]}
    assert "'a' is now 'a.2'" in file.notes[1]


def test_parquet_of_many_columns(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({f"c{j}": [1] for j in range(20_000)}), path)
    assert len(formats.open_table(path).names) == 20_000


@pytest.mark.parametrize("batch_rows", [1000, 4096, 10**6])
def test_batches_of_row_groups(tmp_path: Path, batch_rows: int) -> None:
    frame = pa.table({"a": np.arange(10_500.0), "b": ["u", "v", "w"] * 3500})
    pq.write_table(frame, tmp_path / "a.parquet", row_group_size=777)
    batches = list(formats.open_table(tmp_path / "a.parquet").batches(batch_rows))
    sizes = [batch.num_rows for batch in batches]
    assert sizes[:-1] == [batch_rows] * (len(sizes) - 1)
    assert 0 < sizes[-1] <= batch_rows
    assert pa.Table.from_batches(batches).equals(frame)


def test_parquet_batches_do_not_accumulate(tmp_path: Path) -> None:
    peaks = []
    for groups in (12, 40):
        path = tmp_path / f"{groups}.parquet"
        columns = {f"x{j}": np.arange(20_000.0 * groups) for j in range(10)}
        pq.write_table(pa.table(columns), path, row_group_size=20_000)
        del columns
        before, peak = pa.total_allocated_bytes(), 0
        for batch in formats.open_table(path).batches(10_000):
            peak = max(peak, pa.total_allocated_bytes() - before)
            del batch
        peaks.append(peak)
    assert peaks[1] < 1.5 * peaks[0]


# ------------------------------------------------------------------------ arrays


def test_npz_table_with_labels(tmp_path: Path) -> None:
    X = np.arange(6, dtype=np.float32).reshape(3, 2)
    np.savez(tmp_path / "a.npz", X=X, y=np.array([[0], [1], [0]]))
    file = formats.open_table(tmp_path / "a.npz")
    assert file.names == ("x0", "x1", "y")
    assert file.label_column == "y"
    assert file.read().to_pydict() == {"x0": [0, 2, 4], "x1": [1, 3, 5], "y": [0, 1, 0]}


@pytest.mark.parametrize("key", ["feature_names", "columns", "Names"])
def test_arrays_name_their_columns(tmp_path: Path, key: str) -> None:
    arrays = {"X": np.arange(6.0).reshape(3, 2), "y": np.array([0, 1, 0])}
    arrays |= {key: np.array(["flow", "load "])}
    np.savez(tmp_path / "a.npz", **arrays)
    scipy_io.savemat(tmp_path / "a.mat", arrays)
    for name in ("a.npz", "a.mat"):
        file = formats.open_table(tmp_path / name)
        assert file.names == ("flow", "load", "y")
        assert f"columns named by {key!r}" in file.notes[0]


def test_other_texts_do_not_name_columns(tmp_path: Path) -> None:
    X = np.zeros((3, 2))
    np.savez(tmp_path / "a.npz", X=X, names=["a", "b", "c"], authors=["Ann", "Ben"])
    assert formats.open_table(tmp_path / "a.npz").names == ("x0", "x1")


def test_npz_parts_follow_one_another(tmp_path: Path) -> None:
    parts = {"X_test": [[3.0]], "y_test": [1], "X_train": [[1.0], [2.0]]}
    np.savez(tmp_path / "a.npz", y_train=[0, 0], **parts)
    file = formats.open_table(tmp_path / "a.npz")
    assert file.read().to_pydict() == {"x0": [1, 2, 3], "y": [0, 0, 1]}
    assert "X_train (2), X_test (1)" in file.notes[1]


def test_npz_says_which_keys_exist(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", left=np.ones((2, 3)), right=np.ones((4, 3)))
    message = refusal(tmp_path / "a.npz")
    assert "no array named X" in message
    assert "left (2, 3), right (4, 3)" in message


def test_npz_takes_the_only_matrix(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", features=np.ones((2, 3)), target=[0, 1])
    file = formats.open_table(tmp_path / "a.npz")
    assert file.names == ("x0", "x1", "x2", "y")
    assert "'features' is taken as the data" in file.notes[1]


def test_npz_with_too_few_labels(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", X=np.ones((3, 2)), y=[0, 1])
    assert "the labels have shape (2,) for 3 rows" in refusal(tmp_path / "a.npz")


def test_npz_with_a_member_that_is_no_array(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("X.npy", b"no array at all")
    assert "its member 'X' is not an array" in refusal(tmp_path / "a.npz")


@pytest.mark.parametrize("name", ["a.npz", "a.npy"])
def test_pickles_are_never_loaded(tmp_path: Path, name: str) -> None:
    array = np.array([{"a": 1}, None], dtype=object)
    path = tmp_path / name
    if name.endswith("z"):
        np.savez(path, X=array)
    else:
        np.save(path, array)
    assert "Python objects (pickle)" in refusal(path)


def test_npz_pictures_with_classes(tmp_path: Path) -> None:
    X = np.arange(2 * 4 * 5 * 3, dtype=np.uint8).reshape(2, 4, 5, 3)
    np.savez(tmp_path / "a.npz", X=X, y=[1, 0], class_names=["cat", "dog"])
    found = formats.open_file(tmp_path / "a.npz")
    assert isinstance(found, PictureRows)
    np.testing.assert_array_equal(found.images, X.transpose(0, 3, 1, 2))
    # Zero and one are labels, whatever else the file calls them.
    assert found.labels.tolist() == [labels.ANOMALY, labels.NORMAL]
    np.savez(tmp_path / "b.npz", X=X[:, :, :, 0], y=[2, 0])
    grey = formats.open_file(tmp_path / "b.npz")
    assert isinstance(grey, PictureRows)
    assert grey.images.shape == (2, 1, 4, 5)
    assert grey.kinds == ("2", "0")
    assert grey.labels.tolist() == [labels.UNLABELLED] * 2
    assert grey.paths == ("X/0", "X/1")
    with pytest.raises(DataError, match="it holds pictures"):
        formats.open_table(tmp_path / "b.npz")


def test_array_that_is_neither_table_nor_pictures(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.ones((2, 3, 4)))
    assert "neither a table (n, d) nor pictures" in refusal(tmp_path / "a.npy")


@pytest.mark.parametrize(
    "dtype", ["f2", "f4", "f8", "g", ">f8", "i1", ">i4", "u8", "?", "U3", "M8[s]"]
)
def test_npy_of_every_plain_type(tmp_path: Path, dtype: str) -> None:
    array = np.array([[0, 1], [1, 0]]).astype(dtype)
    np.save(tmp_path / "a.npy", array)
    found = formats.open_table(tmp_path / "a.npy").read()["x1"].to_numpy()
    np.testing.assert_array_equal(found, array[:, 1])


def test_npy_records_and_vectors(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.array([(1, 2.5)], dtype=[("n", "i4"), ("x", "f8")]))
    assert contents(tmp_path / "a.npy") == {"n": [1], "x": [2.5]}
    np.save(tmp_path / "b.npy", np.array([3.0, 4.0]))
    assert contents(tmp_path / "b.npy") == {"x0": [3.0, 4.0]}


@pytest.mark.parametrize("array", [np.ones((2, 2), complex), np.float64(3)])
def test_npy_that_cannot_be_a_table(tmp_path: Path, array: np.ndarray) -> None:
    np.save(tmp_path / "a.npy", array)
    refusal(tmp_path / "a.npy")


def test_a_complex_column_is_named(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.ones((2, 2)) * 1j)
    message = refusal(tmp_path / "a.npy")
    assert "column 'x0' holds complex numbers; give their real and imag" in message


def test_mat_dense_and_sparse(tmp_path: Path) -> None:
    X = np.array([[1.0, 0.0], [0.0, 2.0]])
    scipy_io.savemat(tmp_path / "a.mat", {"X": X, "y": [[0], [1]]})
    scipy_io.savemat(tmp_path / "b.mat", {"X": sparse.csc_array(X), "y": [[0], [1]]})
    expected = {"x0": [1.0, 0.0], "x1": [0.0, 2.0], "y": [0, 1]}
    assert contents(tmp_path / "a.mat") == expected
    assert contents(tmp_path / "b.mat") == expected
    assert formats.open_table(tmp_path / "a.mat").label_column == "y"


@pytest.mark.parametrize("head", [b"MATLAB 7.3 MAT-file, Platform", b"\x89HDF\r\n\x1a"])
def test_new_matlab_files_get_a_remedy(tmp_path: Path, head: bytes) -> None:
    path = write(tmp_path, "a.mat", head + bytes(600))
    assert "save(..., '-v7')" in refusal(path)


def test_mat_that_unpacks_to_far_more(tmp_path: Path) -> None:
    path = tmp_path / "a.mat"
    scipy_io.savemat(path, {"X": np.zeros((1 << 14, 1 << 12))}, do_compression=True)
    assert "unpack to far more" in refusal(path)


@pytest.mark.parametrize("suffix", ["npz", "npy", "mat"])
def test_noise_under_a_name_of_arrays(tmp_path: Path, suffix: str) -> None:
    path = write(tmp_path, f"a.{suffix}", b"\x01\x02\x00" * 100)
    assert re.search("broken or not a|not text", refusal(path))


# ------------------------------------------------- archives and standard input


def zipped(path: Path, **members: str | bytes) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name.replace("__", "."), content)
    return path


@pytest.mark.parametrize("member", ["x__csv", "in/x__csv", "x__parquet", "x__jsonl"])
def test_a_zip_with_one_table(tmp_path: Path, member: str) -> None:
    content = {"csv": CSV, "parquet": PARQUET, "jsonl": JSON}[member.split("__")[1]]
    path = zipped(tmp_path / "a.zip", **{member: content, "readme__txt": "hello"})
    file = formats.open_table(path)
    assert file.path == path
    assert [str(cell) for cell in file.read()["a"].to_pylist()] == ["1", "2"]
    assert any(" of the archive is read" in note for note in file.notes)


def test_members_are_not_written_where_they_say(tmp_path: Path) -> None:
    inside = tmp_path / "inside"
    inside.mkdir()
    path = zipped(inside / "a.zip", **{"../evil__csv": CSV})
    assert formats.open_table(path).read().num_rows == 2
    assert not (tmp_path / "evil.csv").exists()


def test_zips_without_one_table(tmp_path: Path) -> None:
    two = zipped(tmp_path / "a.zip", x__csv=CSV, y__csv=CSV)
    assert "2 tables in this archive ('x.csv', 'y.csv')" in refusal(two)
    none = zipped(tmp_path / "b.zip", x__doc="text")
    assert "no table in this archive ('x.doc')" in refusal(none)
    bad = zipped(tmp_path / "c.zip", x__csv="a,b\n1,2,3\n4,5\n")
    assert ": x.csv: line 2 has 3 cells" in refusal(bad)
    inner = zipped(tmp_path / "d.zip", x__zip=two.read_bytes())
    assert "no table in this archive ('x.zip')" in refusal(inner)


def test_a_zip_that_would_fill_the_disk(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
        archive.open("x.csv", "w") as member,
    ):
        for _ in range(1100):
            member.write(bytes(1 << 20))
    assert "would unpack to 1,153,433,600" in refusal(path)


@pytest.mark.parametrize("place", ["flag", "data"])
def test_zips_that_are_broken(tmp_path: Path, place: str) -> None:
    path = zipped(tmp_path / "a.zip", x__csv=CSV * 100)
    content = bytearray(path.read_bytes())
    if place == "flag":  # says that it is encrypted
        content[content.index(b"PK\x01\x02") + 8] |= 1
        content[6] |= 1
    else:
        content[50] ^= 0xFF
    path.write_bytes(content)
    assert ("encrypted" if place == "flag" else "cannot be unpacked") in refusal(path)


class _Input(io.StringIO):
    """Standard input as a pipe: text over bytes."""

    def __init__(self, content: bytes) -> None:
        super().__init__()
        self.buffer = io.BytesIO(content)


@pytest.mark.parametrize(
    "content", [CSV, PARQUET, ARROW, JSON, gzip.compress(CSV, mtime=0)]
)
def test_standard_input(monkeypatch: pytest.MonkeyPatch, content: bytes) -> None:
    monkeypatch.setattr(sys, "stdin", _Input(content))
    (path,) = places.expand("-")
    formats.format_of(path)  # may be asked for more than once
    file = formats.open_table(path)
    assert str(file.path) == "-"
    assert [str(cell) for cell in file.read()["a"].to_pylist()] == ["1", "2"]
    assert [batch.num_rows for batch in file.batches(1)] == [1, 1]


def test_standard_input_without_data(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", _Input(b""))
    assert "the file is empty" in refusal(places.STDIN)
    monkeypatch.setattr(sys, "stdin", None)
    assert "pipe a file into the command" in refusal(places.STDIN)


# --------------------------------------------------------------- in one piece


def test_tables_and_pictures_by_source(tmp_path: Path) -> None:
    write(tmp_path, "a.csv", "x,y\n1,2\n")
    found = open_source(str(tmp_path / "*.csv")).rows()
    assert isinstance(found, TableRows)
    assert (len(found), found.frame.column_names) == (1, ["x", "y"])
    np.save(tmp_path / "b.npy", np.ones((2, 3, 3), np.uint8))
    assert isinstance(open_source(str(tmp_path / "b.npy")).rows(), PictureRows)
    source = open_source(str(tmp_path / "a.csv"))
    assert isinstance(source, TableSource)
    assert [len(rows) for rows in source.batches()] == [1]


# ------------------------------------------------------------------- real files


def test_real_arrays(real_data: Path) -> None:
    npz = formats.open_table(real_data / "adbench" / "6_cardio.npz").read()
    mat = formats.open_table(real_data / "odds" / "cardio.mat").read()
    assert npz["y"].to_numpy().sum() == 176
    # The README says that both files hold the same values.
    for name in npz.column_names:
        np.testing.assert_array_equal(npz[name], mat[name])


def test_real_pictures_in_an_archive(real_data: Path) -> None:
    found = formats.open_file(real_data / "images" / "pneumoniamnist_partial.npz")
    assert isinstance(found, PictureRows)
    assert found.images.shape == (5030, 1, 28, 28)
    assert (found.labels == labels.NORMAL).sum() == 388 + 135 + 234


# ------------------------------------------------- separators and titles at odds


def decimals(row: int, separator: str = ";") -> str:
    cells = (f"{row % 9 + 1}.{row + 100},{row % 90 + 10} z\u0142", f"{row % 7},5")
    return separator.join(cells)


@pytest.mark.parametrize("title", ["", "Plant 4, line 2\n", "Plant 4\n\n"])
@pytest.mark.parametrize("header", ["price;load", "price, gross;load"])
@pytest.mark.parametrize("separator", [";", "\t", "|"])
def test_decimal_commas_do_not_separate_below_another_header(
    tmp_path: Path, separator: str, header: str, title: str
) -> None:
    lines = [header.replace(";", separator)]
    lines += [decimals(row, separator) for row in range(300)]
    found = formats.open_table(write(tmp_path, "a.csv", title + "\n".join(lines)))
    assert found.names == tuple(header.split(";"))
    assert found.read().num_rows == 300
    assert found.read()["load"][3].as_py() == "3,5"


def test_unknown_words_behind_decimal_commas_do_not_matter(tmp_path: Path) -> None:
    rows = "".join(f"{row},25 per lot;{row},5\n" for row in range(50))
    found = formats.open_table(write(tmp_path, "a.csv", "price;load\n" + rows))
    assert found.names == ("price", "load")


def test_a_composite_cell_in_a_comma_table_is_one_cell(tmp_path: Path) -> None:
    rows = "".join(f"x{row % 5},a|b,{row}\n" for row in range(50))
    assert formats.open_table(write(tmp_path, "a.csv", rows)).names[-1] == "x2"
    found = formats.open_table(write(tmp_path, "b.csv", "a,b|c,d\n" + rows))
    assert found.names == ("a", "b|c", "d")


TITLES = {
    "one cell fewer": ("Plant 4, line 2", ",", 3),
    "as many cells": ("Plant 4, line 2", ",", 2),
    "two cells fewer": ("Plant 4, line 2", ",", 4),
    "no blank": ("Plant 4;line 2", ";", 2),
    "padded": ("Report;;\n;;", ";", 3),
    "padded, two cells": ("Report;\n;", ";", 2),
    "with a date": ("Report;2024-01-01;\n;;", ";", 3),
    "two lines": ("Device;X12;\nOperator;Max;", ";", 3),
    "and a blank line": ("Plant 4, line 2\n", ",", 3),
}


@pytest.mark.parametrize("case", TITLES)
def test_a_title_may_hold_the_separator(tmp_path: Path, case: str) -> None:
    title, separator, width = TITLES[case]
    names = ("flow", "load", "speed", "heat")[:width]
    rows = [[f"{row}.{j}" for j in range(width)] for row in range(300)]
    table = "\n".join(separator.join(row) for row in (names, *rows))
    found = formats.open_table(write(tmp_path, "a.csv", f"{title}\n{table}\n"))
    assert found.names == names
    assert found.read().num_rows == 300
    assert any("above the table and not read" in note for note in found.notes)
    assert found.lines([0]) == [len(title.split("\n")) + 2]


@pytest.mark.parametrize(
    ("head", "names"),
    [
        ("a,,b,\nx,y,x,y", ("a x", "a y", "b x", "b y")),
        ("Id,Pump,,Fan\nId,p,q,r", ("Id Id", "Pump p", "Pump q", "Fan r")),
        ("flow rate,load,c,d\nkg,bar,m,s", ("flow rate", "load", "c", "d")),
        ("flow, load, c, d", ("flow", "load", "c", "d")),
        ("a,b,c,", ("a", "b", "c", "column_4")),
    ],
)
def test_groups_units_and_gaps_are_no_titles(
    tmp_path: Path, head: str, names: tuple[str, ...]
) -> None:
    rows = "".join(f"{row},{row + 1},2.5,{row % 3}\n" for row in range(60))
    found = formats.open_table(write(tmp_path, "a.csv", f"{head}\n{rows}"))
    assert found.names == names
    assert found.read().num_rows == 60


# ----------------------------------------------------- typed columns, made plain


def test_structs_become_dotted_columns_and_views_plain_cells(tmp_path: Path) -> None:
    table = pa.table(
        {
            "s": pa.array([{"a": 1, "b": {"c": "x"}}, None]),
            "view": pa.array(["u", None], pa.string_view()),
            "bytes": pa.array([b"\xff", b"v"], pa.binary_view()),
            "lists": pa.array([["p"], []], pa.large_list(pa.string_view())),
            "runs": pa.RunEndEncodedArray.from_arrays([2], ["m"]),
        }
    )
    path = tmp_path / "a.arrow"
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, table.schema) as out:
        out.write_table(table)
    found = formats.open_table(path)
    read = found.read()
    assert found.names == ("s.a", "s.b.c", "view", "bytes", "lists", "runs")
    assert read.take([1, 0])["s.b.c"].to_pylist() == [None, "x"]
    assert read.take([1])["view"].to_pylist() == [None]
    assert read.take([0])["lists"].to_pylist() == [["p"]]
    assert read["runs"].to_pylist() == ["m", "m"]
    assert [batch.schema for batch in found.batches(1)] == [read.schema] * 2


def test_a_dotted_name_that_is_taken_gets_another(tmp_path: Path) -> None:
    table = pa.table({"s": [{"a": 1}], "s.a": [2]})
    pq.write_table(table, tmp_path / "a.parquet")
    found = formats.open_table(tmp_path / "a.parquet")
    assert len(set(found.names)) == 2
