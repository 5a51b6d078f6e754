"""Picture sets in the files of their authors, made here byte by byte."""

import gzip
import pickle
import struct

import numpy as np
import pytest

from whitecrow.data.originals import read_cifar, read_idx
from whitecrow.data.source import Reading, changes_of, open_source
from whitecrow.errors import DataError

RNG = np.random.default_rng(0)


def idx(array, kind=0x08):
    head = struct.pack(f">BBBB{array.ndim}I", 0, 0, kind, array.ndim, *array.shape)
    return head + array.tobytes()


@pytest.fixture
def mnist(tmp_path):
    """Six training and four test pictures, half of the files packed."""
    arrays = {}
    for part, n in (("train", 6), ("t10k", 4)):
        X = RNG.integers(0, 256, (n, 28, 28), dtype=np.uint8)
        y = np.arange(n, dtype=np.uint8) % 3
        arrays[part] = X, y
        packed = gzip.compress(idx(X))
        (tmp_path / f"{part}-images-idx3-ubyte.gz").write_bytes(packed)
        (tmp_path / f"{part}-labels-idx1-ubyte").write_bytes(idx(y))
    return tmp_path, arrays


def test_a_folder_of_idx_files_has_parts_and_classes(mnist):
    folder, arrays = mnist
    rows = open_source(str(folder)).rows()
    expected = np.concatenate([arrays["train"][0], arrays["t10k"][0]])
    np.testing.assert_array_equal(rows.images[:, 0], expected)
    assert rows.official == ("train",) * 6 + ("test",) * 4
    assert rows.kinds == ("0", "1", "2", "0", "1", "2", "0", "1", "2", "0")


def test_a_changed_file_is_noticed(mnist):
    folder, _ = mnist
    before = changes_of(str(folder))
    assert len(before) == 5
    (folder / "t10k-labels-idx1-ubyte").write_bytes(idx(np.zeros(3, np.uint8)))
    assert changes_of(str(folder)) != before
    with pytest.raises(DataError, match="4 pictures of the test part have 3 classes"):
        open_source(str(folder))


@pytest.mark.parametrize("raw", [False, True])
def test_emnist_stands_upright(tmp_path, raw):
    X = RNG.integers(0, 256, (3, 28, 28), dtype=np.uint8)
    name = "emnist-letters-train"
    (tmp_path / f"{name}-images-idx3-ubyte").write_bytes(idx(X))
    classes = np.array([1, 26, 3], np.uint8)
    (tmp_path / f"{name}-labels-idx1-ubyte").write_bytes(idx(classes))
    rows = open_source(str(tmp_path), Reading(raw_orientation=raw)).rows()
    np.testing.assert_array_equal(rows.images[:, 0], X if raw else X.swapaxes(1, 2))
    assert rows.kinds == ("A", "Z", "C")
    assert any("turned upright" in note for note in rows.notes) is not raw


@pytest.mark.parametrize("kind", [">i2", ">i4", ">f4", ">f8"])
def test_idx_of_other_numbers(tmp_path, kind):
    codes = {">i2": 0x0B, ">i4": 0x0C, ">f4": 0x0D, ">f8": 0x0E}
    array = RNG.integers(-99, 99, (2, 5)).astype(kind)
    (tmp_path / "x").write_bytes(idx(array, codes[kind]))
    found = read_idx(tmp_path / "x")
    np.testing.assert_array_equal(found, array)
    assert found.dtype.isnative


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda b: b[:-1], "bytes instead of"),
        (lambda b: b + b"x", "bytes instead of"),
        (lambda b: b[:9], "ends within its sizes"),
        (lambda b: b"P" + b[1:], "does not begin as an IDX file"),
        (lambda b: gzip.compress(b)[:-9], "broken"),
    ],
)
def test_broken_idx_is_one_line(tmp_path, change, message):
    content = idx(np.zeros((2, 4, 4), np.uint8))
    (tmp_path / "x").write_bytes(change(content))
    with pytest.raises(DataError, match=message) as caught:
        read_idx(tmp_path / "x")
    assert "\n" not in str(caught.value)


def test_files_of_several_sets_are_refused(tmp_path):
    content = idx(np.zeros((2, 28, 28), np.uint8))
    for name in ("emnist-letters-train", "emnist-digits-train"):
        (tmp_path / f"{name}-images-idx3-ubyte").write_bytes(content)
    with pytest.raises(DataError, match="several sets"):
        open_source(str(tmp_path))


# ----------------------------------------------------------------------------- CIFAR


def python_2(pixels, classes, key):
    """A pickle as Python 2 wrote it: texts as BINSTRING, numbers as BININT1."""

    def text(value):
        if len(value) < 256:
            return b"U" + bytes([len(value)]) + value
        return b"T" + struct.pack("<i", len(value)) + value

    numbers = b"".join(b"K" + bytes([c]) for c in classes)
    return (
        b"\x80\x02}q\x01("
        + (text(b"batch_label") + text(b"training batch 1 of 5"))
        + (text(b"filenames") + b"](" + text(b"a.png") * len(classes) + b"e")
        + (text(key) + b"](" + numbers + b"e")
        + (text(b"data") + text(pixels.tobytes()))
        + b"u."
    )


def python_3(pixels, classes, key):
    content = {b"data": pixels.reshape(len(pixels), -1), key: classes.tolist()}
    return pickle.dumps(content, protocol=4)


@pytest.mark.parametrize("written", [python_2, python_3])
@pytest.mark.parametrize("key", [b"labels", b"fine_labels"])
def test_pictures_and_classes_of_cifar(tmp_path, written, key):
    pixels = RNG.integers(0, 256, (5, 3, 32, 32), dtype=np.uint8)
    classes = np.array([3, 0, 9, 1, 1])
    (tmp_path / "b").write_bytes(written(pixels, classes, key))
    found, its = read_cifar(tmp_path / "b")
    np.testing.assert_array_equal(found, pixels.transpose(0, 2, 3, 1))
    np.testing.assert_array_equal(its, classes)


def test_a_folder_of_cifar(tmp_path):
    parts = []
    for name in ("data_batch_1", "data_batch_2", "test_batch"):
        pixels = RNG.integers(0, 256, (4, 3, 32, 32), dtype=np.uint8)
        parts.append(pixels)
        classes = np.array([0, 1, 2, 1])
        (tmp_path / name).write_bytes(python_2(pixels, classes, b"labels"))
    meta = {"num_cases_per_batch": 4, "label_names": ["plane", "car", "bird"]}
    (tmp_path / "batches.meta").write_bytes(pickle.dumps(meta, protocol=2))
    (tmp_path / "readme.html").write_text("<p>")
    rows = open_source(str(tmp_path)).rows()
    np.testing.assert_array_equal(rows.images, np.concatenate(parts))
    assert rows.official == ("train",) * 8 + ("test",) * 4
    assert rows.kinds[:4] == ("plane", "car", "bird", "car")


class Bad:
    def __reduce__(self):
        import os

        return os.mkdir, ("here",)


def test_nothing_of_a_pickle_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "batches.meta").write_bytes(pickle.dumps(Bad()))
    (tmp_path / "data_batch_1").write_bytes(pickle.dumps(Bad()))
    with pytest.raises(DataError, match="no pictures of 32 x 32"):
        open_source(str(tmp_path))
    assert not (tmp_path / "here").exists()


@pytest.mark.parametrize("content", [b"", b"no pickle", b"\x80\x04\x95"])
def test_broken_pickles_are_one_line(tmp_path, content):
    (tmp_path / "batches.meta").write_bytes(b"")
    (tmp_path / "data_batch_1").write_bytes(content)
    with pytest.raises(DataError, match="data_batch_1: ") as caught:
        open_source(str(tmp_path))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("size", [16, (12, 20)])
@pytest.mark.parametrize("kind", ["originals", "array"])
def test_the_size_that_is_asked_for(mnist, size, kind):
    """Of arrays it was left out without a word."""
    folder, arrays = mnist
    source = str(folder)
    if kind == "array":
        source = str(folder / "x.npz")
        np.savez(source, X=arrays["train"][0])
    rows = open_source(source, Reading(picture_size=size)).rows()
    assert rows.images.shape[2:] == (size if isinstance(size, tuple) else (size, size))
    assert any("resized to" in note for note in rows.notes)
