"""The catalogue says what is true, finds what is there and refuses what is wrong."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from whitecrow import labels
from whitecrow.data import catalog
from whitecrow.data.entry import digest, verify
from whitecrow.data.source import PictureSource, TableSource, open_source
from whitecrow.errors import DataError

SHIPPED = {"breast_cancer", "digits", "digits_all"}
ENTRIES = [catalog.get(name) for name in catalog.names()]


@pytest.fixture
def no_data(tmp_path, monkeypatch):
    """No data folder and an empty cache; the folder that $WHITECROW_DATA names."""
    folder = tmp_path / "data"
    folder.mkdir()
    monkeypatch.setenv("WHITECROW_DATA", str(folder))
    monkeypatch.setenv("WHITECROW_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("whitecrow.data.places.places", lambda: [folder])
    return folder


@pytest.fixture
def tiny(no_data, monkeypatch):
    """A set of our own that is not there yet, and has no address."""
    entry = catalog.Entry(
        name="tiny",
        kind="table",
        rows=2,
        features=1,
        where="sub/tiny.csv",
        source="our own pen",
        terms="none",
        license="CC0",
        bytes=14,
        sha256="6e0d7c9b0d4b3c5c0c1b6f7f1a2b3c4d" * 2,
        label_column="bad",
        anomaly_values=("yes",),
        ignore=("id",),
    )
    monkeypatch.setattr(catalog, "_entries", lambda: {"tiny": entry})
    return entry


# --------------------------------------------------------------------------- facts


def test_names_are_sorted_unique_and_complete():
    found = catalog.names()
    assert list(found) == sorted(set(found))
    assert set(found) >= SHIPPED
    for name in ("cardio", "odds_cardio", "mnist", "nsl_kdd_test", "skab_valve1"):
        assert name in found
    assert len(found) > 90


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)
def test_every_entry_is_whole(entry):
    assert entry.kind in {"table", "pictures", "network"}
    assert entry.rows > 0
    assert entry.features > 0
    assert entry.anomalies is None or 0 <= entry.anomalies < entry.rows
    assert entry.source
    assert entry.terms
    assert entry.license
    assert "\n" not in entry.source + entry.terms + entry.license + entry.hint
    assert bool(entry.anomaly_values) >= (entry.label_column is not None)
    if entry.name in SHIPPED:
        assert (entry.where, entry.url, entry.sha256) == ("sklearn", None, None)
        return
    assert len(entry.sha256) == 64
    assert int(entry.sha256, 16) >= 0
    assert entry.bytes > 0
    assert not entry.where.startswith(("/", "."))
    assert entry.url is None or entry.url.startswith("https://")
    assert entry.url is None or entry.url.endswith((".npz", ".mat"))


def test_no_file_is_listed_twice():
    files = [entry.where for entry in ENTRIES if entry.name not in SHIPPED]
    sums = [entry.sha256 for entry in ENTRIES if entry.name not in SHIPPED]
    assert len(files) == len(set(files)) == len(set(sums))


def test_facts_agree_with_the_real_files(real_data):
    listed = (real_data / "SHA256SUMS").read_text().splitlines()
    sums = {path: sha for sha, path in (line.split(maxsplit=1) for line in listed)}
    # The tables of OddBench have no names of their own here.
    others = ("weights/", "README", "oddbench/")
    on_disk = {p for p in sums if not p.startswith(others)}
    for entry in ENTRIES:
        if entry.name in SHIPPED:
            continue
        where = real_data / entry.where
        if where.is_dir():
            verify(where, entry)
            on_disk -= {p for p in on_disk if p.startswith(entry.where + "/")}
            continue
        assert entry.sha256 == sums[entry.where], entry.name
        assert entry.bytes == where.stat().st_size, entry.name
        on_disk.remove(entry.where)
    assert on_disk == set()


SMALL = [
    entry
    for entry in ENTRIES
    if entry.where.startswith(("odds/", "adbench/", "adbench_nlp/", "demo/"))
    and entry.bytes < 120_000
]
OTHERS = [
    "nsl_kdd_test",
    "skab_valve1",
    "magnetic_tiles",
    "solar_cells",
    "pneumoniamnist_partial",
]


@pytest.mark.parametrize("name", [*(entry.name for entry in SMALL), *OTHERS])
def test_loaded_sets_have_the_rows_columns_and_anomalies_that_are_listed(
    real_data, monkeypatch, name
):
    monkeypatch.setenv("WHITECROW_DATA", str(real_data))
    entry, source = catalog.get(name), open_source(name)
    if isinstance(source, PictureSource):
        data = source.pictures
        assert len(data) == entry.rows
        assert np.prod(data.images.shape[1:]) == entry.features
        assert (data.labels == labels.ANOMALY).sum() == entry.anomalies
        return
    rows = source.rows()
    assert len(rows) == entry.rows
    assert source.rule.column == entry.label_column
    assert source.ignore == entry.ignore
    assert set(entry.ignore) <= set(rows.frame.column_names)
    assert len(rows.frame.column_names) - len(entry.ignore) == entry.features
    if entry.label_column:
        assert (rows.codes == labels.ANOMALY).sum() == entry.anomalies
        assert (rows.codes == labels.NORMAL).sum() == entry.rows - entry.anomalies


# ------------------------------------------------------------------------- lookup


def test_names_are_forgiving_about_case_and_dashes():
    assert catalog.get(" Satimage-2 ") is catalog.get("satimage_2")


@pytest.mark.parametrize(
    ("name", "close"), [("cardo", "cardio"), ("breastcancer", "breast_cancer")]
)
def test_unknown_names_are_answered_with_close_ones(name, close):
    with pytest.raises(DataError) as caught:
        catalog.get(name)
    assert repr(name) in str(caught.value)
    assert close in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_name_like_nothing_gets_no_suggestion():
    with pytest.raises(DataError, match="whitecrow data list") as caught:
        catalog.get("zzqqxx")
    assert "did you mean" not in str(caught.value)


def test_importing_the_catalogue_is_cheap():
    code = (
        "import sys, whitecrow.data.catalog as c; c.names(); c.get('cardio');"
        "heavy = {'pyarrow', 'sklearn', 'torch', 'pooch', 'requests', 'scipy'};"
        "sys.exit(repr(heavy & set(sys.modules)) if heavy & set(sys.modules) else 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


# -------------------------------------------------------------------- shipped sets


def test_breast_cancer_calls_malignant_tumours_anomalies():
    source = open_source("breast_cancer")
    rows = source.rows()
    assert rows.frame.shape == (569, 30)
    assert source.rule.column == "y"
    y = rows.codes
    assert y.sum() == 212
    # Malignant tumours are the larger ones.
    radius = np.asarray(rows.frame["mean_radius"])
    assert radius[y == 1].mean() > 17 > 13 > radius[y == 0].mean()


def test_digits_are_zeros_with_two_of_each_other_digit():
    data = open_source("digits").pictures
    assert data.images.shape == (196, 1, 8, 8)
    assert data.images.dtype == np.uint8
    assert data.images.max() == 255
    assert len(set(data.paths)) == 196
    assert sorted(set(data.kinds)) == [*"123456789", "good"]
    odd = data.labels == labels.ANOMALY
    assert odd.sum() == 18
    assert (np.array(data.kinds) == "good").sum() == (~odd).sum() == 178
    # Zeros are hollow: their middle is dark.
    assert data.images[~odd, 0, 3:5, 3:5].mean() < 30


def test_all_digits_keep_their_class():
    data = open_source("digits_all").pictures
    assert len(data) == 1797
    assert set(data.kinds) == set("0123456789")
    zero = np.array(data.kinds) == "0"
    np.testing.assert_array_equal(zero, data.labels == labels.NORMAL)


@pytest.mark.parametrize("name", sorted(SHIPPED))
def test_shipped_sets_agree_with_their_entry_and_have_no_path(name):
    entry, rows = catalog.get(name), open_source(name).rows()
    assert catalog.is_available(name)
    assert len(rows) == entry.rows
    assert (rows.codes == labels.ANOMALY).sum() == entry.anomalies
    assert entry.hint in rows.notes
    with pytest.raises(DataError, match="has no file; use its name"):
        catalog.path(name)


# ------------------------------------------------------------------------ finding


def test_a_set_is_found_in_the_data_folder_and_read(tiny, no_data):
    assert not catalog.is_available("tiny")
    file = no_data / "sub" / "tiny.csv"
    file.parent.mkdir()
    file.write_text("id,bad,x\na,yes,1\nb,no,2\n")
    assert catalog.is_available("tiny")
    assert catalog.path("tiny") == file
    source = open_source("tiny")
    assert isinstance(source, TableSource)
    assert source.rule.column == "bad"
    assert source.ignore == ("id",)
    assert source.rows().codes.tolist() == [1, 0]


def test_a_set_without_address_says_where_to_get_it(tiny, no_data):
    with pytest.raises(DataError) as caught:
        open_source("tiny")
    for word in (
        "tiny",
        "our own pen",
        "none",
        "CC0",
        "sub/tiny.csv",
        "WHITECROW_DATA",
    ):
        assert word in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_shared_folder_beside_the_working_folder_is_searched(tmp_path, monkeypatch):
    monkeypatch.delenv("WHITECROW_DATA", raising=False)
    monkeypatch.setenv("WHITECROW_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "shared" / "data" / "odds"
    folder.mkdir(parents=True)
    (tmp_path / "project").mkdir()
    monkeypatch.chdir(tmp_path / "project")
    (folder / "glass.mat").write_bytes(b"x")
    assert catalog.path("odds_glass").samefile(folder / "glass.mat")


# ------------------------------------------------------------------------- checks


def entry_for(where, **changes):
    size = sum(f.stat().st_size for f in [where, *where.rglob("*")] if f.is_file())
    entry = replace(catalog.get("cardio"), sha256=digest(where), bytes=size)
    return replace(entry, **changes)


@pytest.mark.parametrize("folder", [False, True])
def test_a_changed_byte_is_found(tmp_path, folder):
    file = tmp_path / "set" / "a" / "b.bin"
    file.parent.mkdir(parents=True)
    file.write_bytes(b"12345678")
    (file.parent / "c.bin").write_bytes(b"more")
    where = tmp_path / "set" if folder else file
    entry = entry_for(where)
    verify(where, entry)
    file.write_bytes(b"123x5678")
    os.utime(where, ns=(1, 1))
    with pytest.raises(DataError, match=r"sha256 is .* replace or remove it"):
        verify(where, entry)
    file.write_bytes(b"1234")
    with pytest.raises(DataError, match=r"has \d+ bytes, .* cardio has"):
        verify(where, entry)


def test_a_renamed_file_changes_the_digest_of_a_folder(tmp_path):
    (tmp_path / "a.png").write_bytes(b"1")
    before = digest(tmp_path)
    (tmp_path / "a.png").rename(tmp_path / "b.png")
    assert digest(tmp_path) != before


def test_path_checks_only_when_asked(tiny, no_data):
    file = no_data / "sub" / "tiny.csv"
    file.parent.mkdir()
    file.write_text("something else")
    assert catalog.path("tiny") == file
    with pytest.raises(DataError, match="sha256"):
        catalog.path("tiny", check=True)
