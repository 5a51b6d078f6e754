"""Problems of a file: official parts, normal classes, sets of one's own."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from whitecrow.data import catalog
from whitecrow.errors import DataError
from whitecrow.experiments.file import parse
from whitecrow.experiments.problem import problem
from whitecrow.experiments.record import run_task
from whitecrow.experiments.task import plan

RNG = np.random.default_rng(0)


def made(data, protocol, **facts):
    content = {"name": "e", "title": "E", "data": [data], "protocol": protocol}
    return plan(parse({**content, "methods": [{"name": "knn"}], **facts}))[0]


@pytest.fixture
def pictures(tmp_path):
    """Two parts of 8 x 8 pictures of three classes; class 2 is brighter."""
    arrays = {}
    for part, n in (("train", 60), ("test", 30)):
        y = np.arange(n) % 3
        X = RNG.integers(0, 60, (n, 8, 8)) + 60 * (y == 2)[:, None, None]
        arrays |= {f"X_{part}": X.astype(np.uint8), f"y_{part}": y.astype(np.uint8)}
    np.savez(tmp_path / "p.npz", **arrays)
    return str(tmp_path / "p.npz")


@pytest.fixture
def table(tmp_path):
    """Rows of three classes, with a column of numbers for the class."""
    kind = np.arange(90) % 3
    X = RNG.normal(size=(90, 2)) + 4.0 * (kind == 2)[:, None]
    path = tmp_path / "t.parquet"
    pq.write_table(pa.table({"a": X[:, 0], "b": X[:, 1], "kind": kind}), path)
    return {"path": str(path), "label_column": "kind", "name": "mine"}


@pytest.mark.parametrize(
    "protocol",
    [
        {"name": "one_vs_rest"},
        {"name": "holdout"},
        {"name": "stratified"},
        {"name": "soel"},
        {"name": "labelled_ratio", "ratio_known_anomaly": 0.1},
    ],
    ids=lambda protocol: protocol["name"],
)
@pytest.mark.parametrize("kind", ["pictures", "table"])
@pytest.mark.parametrize("normal", [[0, 1], ["0", "1"]], ids=["numbers", "words"])
def test_normal_classes_under_every_protocol(protocol, kind, normal, request):
    """`normal` was ignored by all but one_vs_rest, and the run failed on pictures."""
    data = request.getfixturevalue(kind)
    found = problem(made(data, {**protocol, "normal": normal}))
    assert set(found.kinds[found.y_test == 0]) <= {"0", "1"}
    assert set(found.kinds[found.y_test == 1]) == {"2"}
    assert run_task(made(data, {**protocol, "normal": normal}))["auroc"] > 0.8


@pytest.mark.parametrize("name", ["one_vs_rest", "holdout", "labelled_ratio"])
def test_the_official_test_part_is_tested_whole(name, pictures):
    protocol = {"name": name, "normal": [0], "test": "official"}
    found = problem(made(pictures, protocol))
    assert (len(found.X_train), len(found.X_test)) == (20, 30)
    assert int(found.y_test.sum()) == 20
    with np.load(pictures) as arrays:
        np.testing.assert_array_equal(found.X_test[:, 0], arrays["X_test"])


def test_a_test_file_of_its_own(table, tmp_path):
    other = pq.read_table(table["path"]).slice(0, 12)
    pq.write_table(other, tmp_path / "test.parquet")
    both = {**table, "test": str(tmp_path / "test.parquet")}
    protocol = {"name": "labelled_ratio", "normal": [0], "test": "official"}
    found = problem(made(both, protocol))
    assert (len(found.X_train), len(found.X_test)) == (30, 12)
    pq.write_table(other.drop_columns(["a"]), tmp_path / "test.parquet")
    with pytest.raises(DataError, match="its test has other columns"):
        problem(made({**both, "name": "again"}, protocol))


def test_what_has_no_official_part_is_refused(table):
    protocol = {"name": "holdout", "normal": [0], "test": "official"}
    with pytest.raises(DataError, match="mine has no official test part"):
        problem(made(table, protocol))


def test_parts_of_arrays_of_a_table(tmp_path):
    """Rows of X_train and X_test were one table without parts."""
    X, y = RNG.normal(size=(60, 3)), np.arange(60) % 10 == 0
    parts = {"X_train": X[:40], "y_train": y[:40], "X_test": X[40:], "y_test": y[40:]}
    np.savez(tmp_path / "t.npz", **parts)
    found = problem(
        made(str(tmp_path / "t.npz"), {"name": "holdout", "test": "official"})
    )
    assert (len(found.X_train), len(found.X_test)) == (36, 20)
    np.testing.assert_array_equal(found.y_test, y[40:])


def test_rows_without_a_class_are_refused(table):
    """They were a class called None."""
    rows = pq.read_table(table["path"])
    kind = pa.array([None, *rows["kind"].to_pylist()[1:]])
    pq.write_table(rows.set_column(2, "kind", kind), table["path"])
    with pytest.raises(DataError, match=r"rows without a class \(1 of 90\)"):
        problem(made(table, {"name": "holdout", "normal": [0]}))


def test_a_label_column_of_ones_own(tmp_path):
    """No key named the label column of a CSV."""
    lines = [f"{RNG.normal()},{'yes' if i > 80 else 'no'},{i}" for i in range(90)]
    (tmp_path / "mine.csv").write_text("a,fraud,id\n" + "\n".join(lines))
    data = {
        "path": str(tmp_path / "mine.csv"),
        "label_column": "fraud",
        "anomaly_values": ["yes"],
        "ignore": ["id"],
    }
    found = problem(made(data, {"name": "holdout"}))
    assert found.X_train.shape[1] == 1
    assert int(found.y_test.sum()) == 9


def test_groups_of_classes_have_the_names_of_the_scenarios():
    """specs/clad.md 3: sixteen scenarios, each class at most once."""
    sets = ("mnist", "cifar10_subset", "gtsrb_subset", "tiny_imagenet40_32")
    groups = [catalog.groups(name) for name in sets]
    assert sum(map(len, groups)) == 16
    for name, found, n in zip(sets, groups, (10, 10, 43, 40), strict=True):
        classes = [one for group in found.values() for one in group]
        assert len(set(classes)) == len(classes) == n, name


COUNTS = {  # classes of the training part that are normal, test rows
    ("mnist", "CUR"): (17_905, 2_964, 7_036),
    ("mnist", "STR"): (18_849, 3_145, 6_855),
    ("mnist", "MIX"): (23_246, 3_891, 6_109),
    ("cifar10_subset", "THG"): (4_000, 2_000, 3_000),
    ("cifar10_subset", "LIV"): (6_000, 3_000, 2_000),
    ("gtsrb_subset", "SPDL"): (560, 224, 980),
    ("gtsrb_subset", "WARN"): (15 * 70, 15 * 28, 28 * 28),
    ("tiny_imagenet40_32", "ANML"): (480, 240, 960),
}


@pytest.mark.parametrize(("name", "group"), COUNTS)
def test_official_counts(name, group, real_data, monkeypatch):
    """specs/clad.md 3.1 to 3.4 for whole sets, the README of the data for subsets."""
    monkeypatch.setenv("WHITECROW_DATA", str(real_data))
    protocol = {"name": "one_vs_rest", "normal": group, "test": "official"}
    found = problem(made(name, protocol))
    sizes = len(found.X_train), int((found.y_test == 0).sum()), int(found.y_test.sum())
    assert sizes == COUNTS[name, group]


def test_files_of_scenarios_run_at_smoke_size(real_data, monkeypatch):
    monkeypatch.setenv("WHITECROW_DATA", str(real_data))
    from whitecrow.experiments.file import load

    root = Path(__file__).parents[2] / "experiments"
    for file in [*root.glob("clad/*.toml"), *root.glob("deep_sad/*.toml")]:
        tasks = [task for task in plan(load(file)) if task.method == "isolation_forest"]
        assert tasks, file
        small = type(tasks[-1])(**{**vars(tasks[-1]), "max_rows": 1500})
        record = run_task(small)
        assert record["error"] == "", (file, record["error"])
