"""Readers: what is read from good files, and the one line that a bad file gets."""

from __future__ import annotations

import gzip
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from scipy import io, sparse

from whitecrow import labels
from whitecrow.data import readers
from whitecrow.data.content import Pictures, Table
from whitecrow.errors import DataError, ParameterError


def write(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    data = content.encode() if isinstance(content, str) else content
    path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    return path


def table(path: Path | str) -> Table:
    found = readers.read(path)
    assert isinstance(found, Table)
    return found


def refusal(source: Path | str) -> str:
    """The message for a bad source, which must be one line and begin with its name."""
    with pytest.raises(DataError) as caught:
        readers.read(source)
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith(str(source))
    return message.removeprefix(str(source))


# -------------------------------------------------------------- delimited text


@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz"])
@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_separators_and_types(tmp_path: Path, name: str, separator: str) -> None:
    rows = [
        ["n", "x", "word", "yes", "day", "when"],
        ["1", "0.5", "a b", "true", "2024-02-28", "2024-02-28 10:00:00"],
        ["2", "", "", "False", "2024-02-29", "2024-02-29T11:30:00"],
    ]
    text = "\n".join(separator.join(row) for row in rows) + "\n"
    frame = table(write(tmp_path, name, text)).frame
    assert [str(field.type) for field in frame.schema] == [
        "int64",
        "double",
        "string",
        "bool",
        "date32[day]",
        "timestamp[s]",
    ]
    assert frame["x"].to_pylist() == [0.5, None]
    assert frame["word"].to_pylist() == ["a b", None]
    assert frame["when"][1].as_py().isoformat() == "2024-02-29T11:30:00"


def test_what_was_found_is_noted(tmp_path: Path) -> None:
    path = write(tmp_path, "a.csv.gz", "\ufeffa;b\n1,5;x\n-2,25;y\n")
    found = table(path)
    assert found.frame.to_pydict() == {"a": [1.5, -2.25], "b": ["x", "y"]}
    assert found.notes == (
        "semicolon-separated text, UTF-8 with a byte order mark, gzip",
        "numbers are written with a decimal comma",
    )
    assert found.source == str(path)
    assert found.label_column is None
    assert found.n_rows == 2


def test_decimal_comma_only_without_decimal_points(tmp_path: Path) -> None:
    found = table(write(tmp_path, "a.csv", "a;b\n1.5;1,2\n2.5;3\n"))
    assert found.frame["a"].to_pylist() == [1.5, 2.5]
    assert found.frame["b"].to_pylist() == ["1,2", "3"]


def test_quotes_hide_separators_and_line_ends(tmp_path: Path) -> None:
    text = 'a,b,c\n1,"x, y","line\nbreak"\n2,"say ""ho""",z\n'
    frame = table(write(tmp_path, "a.csv", text)).frame
    assert frame["b"].to_pylist() == ["x, y", 'say "ho"']
    assert frame["c"].to_pylist() == ["line\nbreak", "z"]


def test_separator_is_not_taken_from_within_quotes(tmp_path: Path) -> None:
    text = 'a;b\n1;"x, y, z"\n2;"u, v, w"\n'
    assert table(write(tmp_path, "a.csv", text)).columns == ("a", "b")


def test_one_column_without_a_separator(tmp_path: Path) -> None:
    assert table(write(tmp_path, "a.csv", "load\n1\n2\n")).frame.to_pydict() == {
        "load": [1, 2]
    }


def test_tsv_keeps_commas(tmp_path: Path) -> None:
    frame = table(write(tmp_path, "a.tsv", "a\tb\nx, y\t1\nz, u\t2\n")).frame
    assert frame["a"].to_pylist() == ["x, y", "z, u"]


@pytest.mark.parametrize("word", ["", "NA", "nan", "null", "?", "None", "N/A"])
def test_words_for_missing(tmp_path: Path, word: str) -> None:
    frame = table(write(tmp_path, "a.csv", f"a,b\n1,x\n{word},{word}\n")).frame
    assert frame.to_pydict() == {"a": [1, None], "b": ["x", None]}


@pytest.mark.parametrize(
    ("encoding", "note"),
    [("cp1252", "Windows-1252"), ("utf-16", "UTF-16"), ("utf-8", "UTF-8")],
)
def test_encodings(tmp_path: Path, encoding: str, note: str) -> None:
    path = write(tmp_path, "a.csv", "größe,preis\n1,5 €\n".encode(encoding))
    found = table(path)
    assert found.frame.to_pydict() == {"größe": [1], "preis": ["5 €"]}
    assert note in found.notes[0]


def test_wrong_bytes_beyond_the_sample_change_the_encoding(tmp_path: Path) -> None:
    rows = b"1,plain text to fill the sample\n" * 40_000
    found = table(write(tmp_path, "a.csv", b"a,b\n" + rows + b"2,\xe9t\xe9\n"))
    assert found.frame["b"][-1].as_py() == "été"
    assert "Latin-1 (not valid UTF-8)" in found.notes[0]


def test_a_first_row_of_numbers_is_data(tmp_path: Path) -> None:
    found = table(write(tmp_path, "a.csv", "\ufeff5.1,3.5\n4.9,3.0\n"))
    assert found.frame.to_pydict() == {"x0": [5.1, 4.9], "x1": [3.5, 3.0]}
    assert "no header" in found.notes[1]


def test_counting_numbers_are_names(tmp_path: Path) -> None:
    found = table(write(tmp_path, "a.csv", "0,1,2\n5.1,3.5,1\n4.9,3.0,2\n"))
    assert found.columns == ("0", "1", "2")
    assert found.n_rows == 2
    assert "taken as column names" in found.notes[1]


def test_a_first_row_that_may_be_data_is_noted(tmp_path: Path) -> None:
    found = table(write(tmp_path, "a.csv", "0,tcp,181\n1,udp,5\n"))
    assert found.n_rows == 1
    assert "though most of it is numbers; if it is data, add a header" in found.notes[1]


def test_names_are_trimmed_and_completed(tmp_path: Path) -> None:
    found = table(write(tmp_path, "a.csv", ", b,c \n0,1,2\n1,3,4\n"))
    assert found.columns == ("column_1", "b", "c")
    assert found.notes[1] == "column 1 has no name and is called column_1"


BAD_TEXT = {
    "empty": (b"", "the file is empty"),
    "blank": (b"\n \n", "the file is empty"),
    "header": (b"a,b\n", "a header but no row of data"),
    "ragged": (b"a,b\n1,2\n3,4\n5,6,7\n8,9\n", "line 4 has 3 cells where the first"),
    "ragged after quote": (b'a,b\n1,"x\ny"\n\n2\n', "line 5 has 1 cells"),
    "twice": (b"a,b, a\n1,2,3\n", "the column name 'a' appears 2 times (columns 1, 3)"),
    "all missing": (b"a,b\n,NA\n,\n", "every cell of all 2 columns is missing"),
    "binary": (b"a,b\n1,\x002\n", "the content is not text"),
    "open quote": (b'a,b\n1,x\n2,"y\n3,z\n4,u\n', "never closed"),
    "parquet": (b"PAR1....PAR1", "content is parquet; rename it so that it ends in"),
    "zip": (b"PK\x03\x04....", "content is zip; rename"),
    "gzip": (gzip.compress(b"a,b\n1,2\n"), "rename it so that it ends in .csv.gz"),
    "picture": (b"\x89PNG\r\n....", "content is picture; rename"),
    "utf-16": (b"\xff\xfea\x00,\x00b\x00\n\x00\x00\xd8a\x00", "not valid utf-16"),
}


@pytest.mark.parametrize("case", BAD_TEXT)
def test_bad_csv_gets_one_line(tmp_path: Path, case: str) -> None:
    content, expected = BAD_TEXT[case]
    assert expected in refusal(write(tmp_path, "a.csv", content))


def test_an_inch_sign_is_no_open_quote(tmp_path: Path) -> None:
    frame = table(write(tmp_path, "a.csv", 'a,b\n1,5" pipe\n2,"x\ny"\n')).frame
    assert frame["b"].to_pylist() == ['5" pipe', "x\ny"]


@pytest.mark.parametrize("share", [0.1, 0.5, 0.99])
def test_cut_off_gzip(tmp_path: Path, share: float) -> None:
    rng = np.random.default_rng(0)
    text = "a,b\n" + "".join(f"{x},{y}\n" for x, y in rng.normal(size=(3000, 2)))
    whole = gzip.compress(text.encode())
    path = tmp_path / "a.csv.gz"
    path.write_bytes(whole[: int(share * len(whole))])
    assert "the gzip stream is broken or cut off" in refusal(path)


def test_damaged_gzip(tmp_path: Path) -> None:
    data = bytearray(gzip.compress(b"a,b\n" + b"1,2\n" * 5000))
    data[-6] ^= 0xFF  # the checksum
    path = tmp_path / "a.csv.gz"
    path.write_bytes(data)
    assert "the gzip stream is broken" in refusal(path)


def test_plain_text_called_gz(tmp_path: Path) -> None:
    path = tmp_path / "a.csv.gz"
    path.write_bytes(b"a,b\n1,2\n")
    assert "this is no csv.gz file" in refusal(path)


# ------------------------------------------------------------------ places


def test_missing_file_says_where_it_was_sought(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WHITECROW_DATA", str(tmp_path / "store"))
    message = refusal("no_such.csv")
    assert "no such file or folder" in message
    assert str(tmp_path / "store") in message
    assert "not set" not in message


def test_missing_file_names_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WHITECROW_DATA", raising=False)
    assert refusal("no_such.csv").endswith("$WHITECROW_DATA is not set")


def test_places_in_their_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    work, store = tmp_path / "work", tmp_path / "store"
    shared = tmp_path / "shared" / "data"
    for folder in (work, store, shared):
        folder.mkdir(parents=True)
        write(folder, "a.csv", "a\n1\n")
    monkeypatch.chdir(work)
    monkeypatch.setenv("WHITECROW_DATA", str(store))
    for expected in (work, store, shared):
        assert readers.locate("a.csv").resolve() == expected / "a.csv"
        assert table("*.csv").n_rows == 1
        (expected / "a.csv").unlink()
    with pytest.raises(DataError, match="no such file"):
        readers.locate("a.csv")


@pytest.mark.parametrize("source", ["https://host/a.csv", "s3://bucket/a.csv"])
def test_addresses_are_not_read(source: str) -> None:
    assert "download the file first" in refusal(source)


@pytest.mark.parametrize("source", ["", "a\0b.csv", "x" * 5000, "~nobody-here/a.csv"])
def test_impossible_paths(source: str) -> None:
    with pytest.raises(DataError):
        readers.read(source)


@pytest.mark.parametrize("name", ["notes.docx", "data.xlsx", "noname"])
def test_formats_that_are_not_readable(tmp_path: Path, name: str) -> None:
    message = refusal(write(tmp_path, name, "some text"))
    assert "is not readable" in message
    assert "csv, csv.gz, tsv, parquet, npz, npy, mat" in message


def test_unknown_suffix_with_known_content(tmp_path: Path) -> None:
    path = tmp_path / "data.bin"
    pq.write_table(pa.table({"a": [1]}), path)
    assert "suggests a name that ends in .parquet" in refusal(path)


# ------------------------------------------------------------------ patterns


def test_pattern_joins_files_in_order_by_name(tmp_path: Path) -> None:
    write(tmp_path, "b.csv", "y,x\n0.5,3\n")
    write(tmp_path, "a.csv", "x,y\n1,2\n2,2\n")
    found = table(str(tmp_path / "*.csv"))
    assert found.frame.to_pydict() == {"x": [1, 2, 3], "y": [2.0, 2.0, 0.5]}
    assert found.notes[0] == "2 files: a.csv from row 0, b.csv from row 2"


def test_pattern_with_text_in_one_file_gives_text(tmp_path: Path) -> None:
    write(tmp_path, "a.csv", "x,y\n1,2\n")
    write(tmp_path, "b.csv", "x,y\nlow,3\n")
    assert table(str(tmp_path / "*.csv")).frame.to_pydict() == {
        "x": ["1", "low"],
        "y": [2, 3],
    }


def test_pattern_with_other_columns(tmp_path: Path) -> None:
    write(tmp_path, "a.csv", "x,y\n1,2\n")
    write(tmp_path, "b.csv", "x,z\n1,2\n")
    with pytest.raises(DataError) as caught:
        readers.read(str(tmp_path / "*.csv"))
    assert "b.csv: its columns differ" in str(caught.value)
    assert "without 'y', with 'z'" in str(caught.value)


def test_pattern_without_match(tmp_path: Path) -> None:
    assert "the pattern matches no file" in refusal(str(tmp_path / "*.csv"))


def test_file_whose_name_looks_like_a_pattern(tmp_path: Path) -> None:
    assert table(write(tmp_path, "a[1].csv", "x\n1\n")).n_rows == 1


# ------------------------------------------------------------------ parquet


def test_parquet_keeps_types(tmp_path: Path) -> None:
    frame = pa.table({"a": pa.array([1, None], pa.int16()), "b": ["x", "y"]})
    pq.write_table(frame, tmp_path / "a.parquet")
    assert table(tmp_path / "a.parquet").frame.equals(frame)


@pytest.mark.parametrize("share", [0.2, 0.9])
def test_cut_off_parquet(tmp_path: Path, share: float) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"a": range(1000)}), path)
    data = path.read_bytes()
    path.write_bytes(data[: int(share * len(data))])
    assert "broken or cut-off Parquet" in refusal(path)


def test_parquet_without_rows(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"a": pa.array([], pa.int8())}), path)
    assert "no rows of data" in refusal(path)
    with pytest.raises(DataError, match="no rows of data"):
        next(readers.stream(path))


def test_parquet_with_a_name_twice(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table([[1], [2]], names=["a", "a"]), path)
    assert "the column name 'a' appears 2 times" in refusal(path)


def test_parquet_of_nan_only(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"a": [np.nan, np.nan], "b": pa.nulls(2)}), path)
    assert "every cell of all 2 columns is missing" in refusal(path)


# ------------------------------------------------------------------ arrays


def test_npz_table_with_labels(tmp_path: Path) -> None:
    X = np.arange(6, dtype=np.float32).reshape(3, 2)
    np.savez(tmp_path / "a.npz", X=X, y=np.array([[0], [1], [0]]))
    found = table(tmp_path / "a.npz")
    assert found.columns == ("x0", "x1", "y")
    assert found.label_column == "y"
    assert found.frame.to_pydict() == {"x0": [0, 2, 4], "x1": [1, 3, 5], "y": [0, 1, 0]}


def test_npz_parts_follow_one_another(tmp_path: Path) -> None:
    parts = {"X_test": [[3.0]], "y_test": [1], "X_train": [[1.0], [2.0]]}
    np.savez(tmp_path / "a.npz", y_train=[0, 0], **parts)
    found = table(tmp_path / "a.npz")
    assert found.frame.to_pydict() == {"x0": [1, 2, 3], "y": [0, 0, 1]}
    assert "X_train (2), X_test (1)" in found.notes[1]


def test_npz_says_which_keys_exist(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", left=np.ones((2, 3)), right=np.ones((4, 3)))
    message = refusal(tmp_path / "a.npz")
    assert "no array named X" in message
    assert "left (2, 3), right (4, 3)" in message


def test_npz_takes_the_only_matrix(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", features=np.ones((2, 3)), target=[0, 1])
    found = table(tmp_path / "a.npz")
    assert found.columns == ("x0", "x1", "x2", "y")
    assert "'features' is taken as the data" in found.notes[1]


def test_npz_with_too_few_labels(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", X=np.ones((3, 2)), y=[0, 1])
    assert "the labels have shape (2,) for 3 rows" in refusal(tmp_path / "a.npz")


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
    found = readers.read(tmp_path / "a.npz")
    assert isinstance(found, Pictures)
    np.testing.assert_array_equal(found.images, X.transpose(0, 3, 1, 2))
    # Zero and one are labels, whatever else the file calls them.
    assert found.labels.tolist() == [labels.ANOMALY, labels.NORMAL]
    np.savez(tmp_path / "b.npz", X=X[:, :, :, 0], y=[2, 0])
    grey = readers.read(tmp_path / "b.npz")
    assert isinstance(grey, Pictures)
    assert grey.images.shape == (2, 1, 4, 5)
    assert grey.kinds == ("2", "0")
    assert grey.labels.tolist() == [labels.UNLABELLED] * 2
    assert grey.paths == ("X/0", "X/1")


def test_array_that_is_neither_table_nor_pictures(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.ones((2, 3, 4)))
    assert "neither a table (n, d) nor pictures" in refusal(tmp_path / "a.npy")


@pytest.mark.parametrize(
    "dtype", ["f2", "f4", "f8", "g", ">f8", "i1", ">i4", "u8", "?", "U3", "M8[s]"]
)
def test_npy_of_every_plain_type(tmp_path: Path, dtype: str) -> None:
    array = np.array([[0, 1], [1, 0]]).astype(dtype)
    np.save(tmp_path / "a.npy", array)
    found = table(tmp_path / "a.npy").frame["x1"].to_numpy()
    np.testing.assert_array_equal(found, array[:, 1])


def test_npy_records_and_vectors(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.array([(1, 2.5)], dtype=[("n", "i4"), ("x", "f8")]))
    assert table(tmp_path / "a.npy").frame.to_pydict() == {"n": [1], "x": [2.5]}
    np.save(tmp_path / "b.npy", np.array([3.0, 4.0]))
    assert table(tmp_path / "b.npy").frame.to_pydict() == {"x0": [3.0, 4.0]}


@pytest.mark.parametrize("array", [np.ones((2, 2), complex), np.float64(3)])
def test_npy_that_cannot_be_a_table(tmp_path: Path, array: np.ndarray) -> None:
    np.save(tmp_path / "a.npy", array)
    refusal(tmp_path / "a.npy")


def test_mat_dense_and_sparse(tmp_path: Path) -> None:
    X = np.array([[1.0, 0.0], [0.0, 2.0]])
    io.savemat(tmp_path / "a.mat", {"X": X, "y": [[0], [1]]})
    io.savemat(tmp_path / "b.mat", {"X": sparse.csc_array(X), "y": [[0], [1]]})
    expected = {"x0": [1.0, 0.0], "x1": [0.0, 2.0], "y": [0, 1]}
    assert table(tmp_path / "a.mat").frame.to_pydict() == expected
    assert table(tmp_path / "b.mat").frame.to_pydict() == expected
    assert table(tmp_path / "a.mat").label_column == "y"


@pytest.mark.parametrize("head", [b"MATLAB 7.3 MAT-file, Platform", b"\x89HDF\r\n\x1a"])
def test_new_matlab_files_get_a_remedy(tmp_path: Path, head: bytes) -> None:
    path = write(tmp_path, "a.mat", head + bytes(600))
    assert "save(..., '-v7')" in refusal(path)


@pytest.mark.parametrize("suffix", ["npz", "npy", "mat", "parquet"])
def test_text_under_a_wrong_name(tmp_path: Path, suffix: str) -> None:
    path = write(tmp_path, f"a.{suffix}", "a,b\n1,2\n" * 100)
    assert re.search("this is no|broken or not a", refusal(path))


@pytest.mark.parametrize("suffix", ["npz", "npy", "mat", "parquet", "csv.gz", "png"])
def test_empty_files(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a.{suffix}"
    path.touch()
    assert "the file is empty" in refusal(path)


# ------------------------------------------------------------------ streams


def both_formats(folder: Path, frame: pa.Table) -> Iterator[Path]:
    from pyarrow import csv

    pq.write_table(frame, folder / "a.parquet", row_group_size=777)
    csv.write_csv(frame, folder / "a.csv")
    text = (folder / "a.csv").read_text()
    yield from (folder / "a.parquet", folder / "a.csv")
    yield write(folder, "b.csv.gz", text)


@pytest.mark.parametrize("batch_rows", [1000, 4096, 10**6])
def test_stream_gives_the_rows_in_exact_batches(
    tmp_path: Path, batch_rows: int
) -> None:
    rng = np.random.default_rng(0)
    frame = pa.table(
        {"a": rng.normal(size=10_500), "b": rng.choice(["u", "v"], size=10_500)}
    )
    for path in both_formats(tmp_path, frame):
        batches = list(readers.stream(path, batch_rows=batch_rows))
        sizes = [batch.num_rows for batch in batches]
        assert sizes[:-1] == [batch_rows] * (len(sizes) - 1)
        assert 0 < sizes[-1] <= batch_rows
        assert pa.Table.from_batches(batches).equals(frame)


def test_stream_widens_types_that_later_rows_may_need(tmp_path: Path) -> None:
    # Integers in the first block, decimals and words only after four megabytes.
    early = "1,true,2024-01-01\n" * 300_000
    path = write(tmp_path, "a.csv", f"n,yes,day\n{early}1.5,perhaps,2024-01-01 10:00\n")
    *_, batch = readers.stream(path)
    last = batch.slice(batch.num_rows - 1).to_pylist()[0]
    assert last["n"] == 1.5
    assert last["yes"] == "perhaps"
    assert last["day"].isoformat() == "2024-01-01T10:00:00"


def test_stream_names_the_cell_that_does_not_fit(tmp_path: Path) -> None:
    path = write(tmp_path, "a.csv", "n,m\n" + "1,2\n" * 700_000 + "1,high\n")
    with pytest.raises(DataError) as caught:
        list(readers.stream(path, types={"m": pa.float64()}))
    assert "line 700002, column 'm' holds 'high'" in str(caught.value)


def test_stream_with_given_types(tmp_path: Path) -> None:
    path = write(tmp_path, "a.csv", " n ,code\n1,007\n2,008\n")
    batch = next(readers.stream(path, types={"n": pa.float64()}))
    assert batch.to_pydict() == {"n": [1.0, 2.0], "code": ["007", "008"]}


def test_stream_errors_name_the_line(tmp_path: Path) -> None:
    path = write(tmp_path, "a.csv", "a,b\n" + "1,2\n" * 700_000 + "1\n")
    with pytest.raises(DataError, match="line 700002 has 1 cells"):
        list(readers.stream(path))
    quote = write(tmp_path, "b.csv", 'a,b\n1,2\n3,"4\n5,6\n')
    with pytest.raises(DataError, match="never closed"):
        list(readers.stream(quote))
    header = write(tmp_path, "c.csv", "a,b\n")
    with pytest.raises(DataError, match="no row of data"):
        list(readers.stream(header))


def test_stream_of_a_pattern(tmp_path: Path) -> None:
    for name in ("a.csv", "b.csv"):
        write(tmp_path, name, f"x\n{ord(name[0])}\n")
    batches = readers.stream(str(tmp_path / "*.csv"))
    assert [batch["x"][0].as_py() for batch in batches] == [97.0, 98.0]


def test_stream_refuses_what_it_cannot_cut(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.ones((2, 2)))
    for source in (tmp_path / "a.npy", tmp_path):
        with pytest.raises(DataError, match="files can be read in batches"):
            readers.stream(source)
    with pytest.raises(ParameterError, match="batch_rows=0"):
        readers.stream(tmp_path / "a.npy", batch_rows=0)


def test_stream_does_not_accumulate(tmp_path: Path) -> None:
    peaks = []
    for groups in (4, 20):
        path = tmp_path / f"{groups}.parquet"
        columns = {f"x{j}": np.arange(20_000.0 * groups) for j in range(10)}
        pq.write_table(pa.table(columns), path, row_group_size=20_000)
        del columns
        before, peak = pa.total_allocated_bytes(), 0
        for batch in readers.stream(path, batch_rows=10_000):
            peak = max(peak, pa.total_allocated_bytes() - before)
            del batch
        peaks.append(peak)
    assert peaks[1] < 1.5 * peaks[0]


# ---------------------------------------------------------------- real files


def test_real_tables(real_data: Path) -> None:
    rig = table(real_data / "demo" / "table" / "skab_valve1.csv.gz")
    assert (rig.n_rows, len(rig.columns)) == (18_160, 12)
    assert pa.types.is_timestamp(rig.frame.schema.field("datetime").type)
    kdd = table(real_data / "network" / "nsl_kdd_test.csv.gz")
    assert (kdd.n_rows, len(kdd.columns)) == (22_544, 43)


def test_real_arrays(real_data: Path) -> None:
    npz = table(real_data / "adbench" / "6_cardio.npz")
    mat = table(real_data / "odds" / "cardio.mat")
    assert npz.frame["y"].to_numpy().sum() == 176
    # The README says that both files hold the same values.
    for name in npz.columns:
        np.testing.assert_array_equal(npz.frame[name], mat.frame[name])


def test_real_pictures_in_an_archive(real_data: Path) -> None:
    found = readers.read(real_data / "images" / "pneumoniamnist_partial.npz")
    assert isinstance(found, Pictures)
    assert found.images.shape == (5030, 1, 28, 28)
    assert (found.labels == labels.NORMAL).sum() == 388 + 135 + 234
