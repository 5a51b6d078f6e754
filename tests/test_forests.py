"""Isolation forests as arrays: equal after a round trip; a tampered tree is refused."""

import subprocess
import sys

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.ensemble import IsolationForest
from sklearn.tree import ExtraTreeRegressor

import whitecrow as wc
from whitecrow import forests
from whitecrow.errors import ModelFileError

X = np.random.default_rng(0).normal(size=(80, 3))
KINDS = [{}, {"max_features": 2}, {"bootstrap": True, "max_samples": 0.5}]


def described(forest):
    arrays = {}
    return forests.describe(forest, "f", arrays), arrays


@pytest.mark.parametrize("kind", KINDS, ids=str)
@pytest.mark.parametrize("seed", [0, np.random.RandomState(0)])
def test_round_trip_keeps_everything(kind, seed):
    forest = IsolationForest(n_estimators=5, random_state=seed, **kind).fit(X)
    assert forests.is_forest(forest)
    description, arrays = described(forest)
    again = forests.rebuild(description, "f", arrays)
    assert_array_equal(again.score_samples(2 * X), forest.score_samples(2 * X))
    assert set(vars(again)) == set(vars(forest))
    assert again.fit(X).offset_ == -0.5
    second, arrays_again = described(again) if isinstance(seed, int) else (None, None)
    if second is not None:
        assert second == description
        assert arrays_again.keys() == arrays.keys()


def test_only_forests_of_these_classes():
    class Own(IsolationForest):
        pass

    class Tree(ExtraTreeRegressor):
        pass

    assert not forests.is_forest(Own(n_estimators=2).fit(X))
    assert not forests.is_forest(IsolationForest())
    odd = IsolationForest(n_estimators=2, random_state=0).fit(X)
    odd.estimators_[0].__class__ = Tree
    assert not forests.is_forest(odd)
    with pytest.raises(ModelFileError, match="f is a set"):
        forests.describe({1}, "f", {})


@pytest.mark.parametrize(
    ("field", "value"),
    [("left_child", 10**9), ("right_child", 0), ("left_child", -5), ("feature", 3)],
)
def test_a_tree_that_points_outside_is_refused(field, value):
    description, arrays = described(IsolationForest(n_estimators=2).fit(X))
    changed = arrays[f"f/estimators_/1/tree_/{field}"].copy()
    changed[0] = value
    arrays[f"f/estimators_/1/tree_/{field}"] = changed
    with pytest.raises(ModelFileError, match="points outside of itself"):
        forests.rebuild(description, "f", arrays)


def test_a_tree_with_another_number_of_nodes_is_refused():
    description, arrays = described(IsolationForest(n_estimators=2).fit(X))
    arrays["f/estimators_/1/tree_/values"] = np.zeros((3, 1, 1))
    with pytest.raises(ValueError, match="Wrong shape"):
        forests.rebuild(description, "f", arrays)


def test_columns_that_do_not_exist_are_refused(tmp_path):
    model = wc.IsolationForest(n_estimators=3, random_state=0).fit(X)
    model.forest_.estimators_features_[1] = np.array([0, 1, 7])
    model.save(tmp_path / "m.crow")
    with pytest.raises(ModelFileError, match="columns that do not exist"):
        wc.load(tmp_path / "m.crow")


def test_files_of_format_1_still_load(tmp_path, monkeypatch):
    """They hold forests as skops parts."""
    model = wc.Consensus(random_state=0).fit(X)
    monkeypatch.setattr(forests, "is_forest", lambda value: False)
    monkeypatch.setattr("whitecrow.saving.archive.FORMAT", 1)
    model.save(tmp_path / "old.crow")
    monkeypatch.undo()
    assert b"skops" in (tmp_path / "old.crow").read_bytes()
    loaded = wc.load(tmp_path / "old.crow")
    assert_array_equal(loaded.anomaly_score(X), model.anomaly_score(X))
    assert_array_equal(loaded.scout_.anomaly_score(X), model.scout_.anomaly_score(X))


def test_the_default_method_is_saved_and_loaded_without_torch_or_skops(tmp_path):
    """To import them took longer than to fit on a small table."""
    code = f"""
import sys, numpy as np, whitecrow as wc
X = np.random.default_rng(0).normal(size=(100, 3))
wc.Consensus(random_state=0).fit(X).save({str(tmp_path / "m.crow")!r})
wc.load({str(tmp_path / "m.crow")!r}).anomaly_score(X)
print([name for name in ("torch", "skops") if name in sys.modules])
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
