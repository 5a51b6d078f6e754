from types import SimpleNamespace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.metrics import roc_auc_score

from whitecrow.detectors import rec_forest
from whitecrow.detectors.rec_forest import RecForest, boxes
from whitecrow.errors import ParameterError
from whitecrow.saving import load


@pytest.fixture
def problem():
    """Blobs in 20 columns and 5 % of rows away from them (smaller than the spec's)."""
    rng = np.random.default_rng(0)
    centres = rng.uniform(-10, 10, (3, 20))
    X = centres[rng.integers(0, 3, 800)] + rng.normal(size=(800, 20))
    X[760:] = rng.uniform(-10, 10, (40, 20))
    return X, np.arange(800) >= 760


class Tree:
    """A root that cuts the first column and a left child that cuts the second one."""

    node_count = 5
    children_left = np.array([1, 2, -1, -1, -1])
    children_right = np.array([4, 3, -1, -1, -1])
    feature = np.array([0, 1, -2, -2, -2])

    def __init__(self, root, child):
        # scikit-learn sends equal values to the left, the paper to the right.
        cuts = np.nextafter([root, child], -np.inf)
        self.threshold = np.array([*cuts, -2, -2, -2])

    def apply(self, rows):
        below = np.where(rows[:, 1] <= self.threshold[1], 2, 3)
        return np.where(rows[:, 0] <= self.threshold[0], below, 4)


GOLDEN = {
    (6.0, 1.0): ([5, 0], [7, 3], (0, 0.5), 0.25),
    (1.0, 3.5): ([0, 3], [5, 4], (1.5, 0), 2.25),
    (12.0, -1.0): ([7, 0], [10, 4], (3.5, 3), 21.25),
    (5.0, 2.0): ([5, 0], [7, 3], (1, 0.5), 1.25),
}


def test_golden_values():
    trees = [Tree(5.0, 2.0), Tree(7.0, 3.0)]
    detector = RecForest(scaling="none").fit([[0.0, 0.0], [10.0, 4.0]])
    detector.forest_ = SimpleNamespace(
        estimators_=[SimpleNamespace(tree_=tree) for tree in trees]
    )
    rows = np.array(list(GOLDEN))
    lower, upper = boxes(trees, rows.astype(np.float32), detector.box_)
    for i, (low, high, attributes, score) in enumerate(GOLDEN.values()):
        assert_array_equal(lower[i], low)
        assert_array_equal(upper[i], high)
        assert_allclose(np.sqrt(detector.explain(rows[i : i + 1])[0]), attributes)
        assert_allclose(detector.anomaly_score(rows[i : i + 1]), score)


def walked(tree, row, lower, upper):
    """The box of one row, node by node."""
    node = 0
    while tree.children_left[node] >= 0:
        f, cut = tree.feature[node], tree.threshold[node]
        if row[f] <= cut:
            upper[f] = min(upper[f], cut)
            node = tree.children_left[node]
        else:
            lower[f] = max(lower[f], cut)
            node = tree.children_right[node]


@pytest.mark.parametrize("n_new", [1, 50])
def test_boxes_are_those_of_a_walk_through_the_trees(problem, n_new, monkeypatch):
    X, _ = problem
    detector = RecForest(n_estimators=7, scaling="none", random_state=0).fit(X)
    trees = [member.tree_ for member in detector.forest_.estimators_]
    rows = np.random.default_rng(1).normal(0, 6, (n_new, 20)).astype(np.float32)
    monkeypatch.setattr(rec_forest, "_BLOCK", 333)
    lower, upper = boxes(trees, rows, detector.box_)
    for i, row in enumerate(rows):
        low, high = detector.box_.astype(float)
        for tree in trees:
            walked(tree, row, low, high)
        assert_allclose(lower[i], low, rtol=1e-6)
        assert_allclose(upper[i], high, rtol=1e-6)
        inside = (row >= detector.box_[0]) & (row <= detector.box_[1])
        assert (low <= row)[inside].all()
        assert (row <= high)[inside].all()


def test_trees_are_completely_random(problem):
    X, _ = problem
    X = X[:, :3]
    detector = RecForest(n_estimators=300, random_state=0).fit(X)
    roots = [member.tree_.feature[0] for member in detector.forest_.estimators_]
    cuts = [member.tree_.threshold[0] for member in detector.forest_.estimators_]
    assert (np.bincount(roots) > 70).all()
    assert np.histogram(cuts, 4, (0, 1))[0].min() > 50
    leaves = [member.tree_.n_leaves for member in detector.forest_.estimators_]
    assert leaves == [800] * 300


def test_finds_planted_anomalies(problem):
    X, anomaly = problem
    scores = RecForest(random_state=0).fit(X).anomaly_score(X)
    assert roc_auc_score(anomaly, scores) > 0.95
    detector = RecForest(random_state=0).fit(X[:760])
    assert roc_auc_score(anomaly, detector.anomaly_score(X)) > 0.99
    rows = np.random.default_rng(1).permutation(800)
    assert roc_auc_score(anomaly[rows], detector.anomaly_score(X)) < 0.7


@pytest.mark.parametrize(
    ("parameter", "value"),
    [("n_estimators", 20), ("max_depth", 4), ("max_samples", 0.1), ("scaling", "none")],
)
def test_every_parameter_has_an_effect(problem, parameter, value):
    X, _ = problem
    usual = RecForest(random_state=0).fit(X).anomaly_score(X)
    changed = RecForest(**{parameter: value}, random_state=0).fit(X).anomaly_score(X)
    assert np.abs(changed / usual - 1).mean() > 0.05


@pytest.mark.parametrize(
    ("max_samples", "expected"), [(100, 100), (0.25, 200), (800, 800), (None, 800)]
)
def test_rows_of_each_tree(problem, max_samples, expected):
    X, _ = problem
    detector = RecForest(max_samples=max_samples, n_estimators=3).fit(X)
    for member in detector.forest_.estimators_:
        # drawn with replacement, if not all
        assert member.tree_.weighted_n_node_samples[0] == expected
        assert (member.tree_.n_leaves == expected) == (expected == 800)


def test_chunks_threads_and_row_order_change_nothing(problem, monkeypatch):
    X, _ = problem
    detector = RecForest(random_state=0, n_estimators=10).fit(X)
    usual = detector.anomaly_score(X)
    monkeypatch.setattr(rec_forest, "_CHUNK", 4000)
    assert_array_equal(detector.anomaly_score(X[::-1])[::-1], usual)
    threaded = RecForest(random_state=0, n_estimators=10, n_jobs=2).fit(X)
    assert_array_equal(threaded.anomaly_score(X), usual)


@pytest.mark.parametrize("scaling", ["minmax", "standard", "robust"])
def test_units_do_not_matter(problem, scaling):
    X, _ = problem
    units = 2.0 ** np.arange(-10, 10)
    before = RecForest(scaling=scaling, random_state=0).fit(X)
    after = RecForest(scaling=scaling, random_state=0).fit(X * units)
    assert_allclose(after.anomaly_score(X * units), before.anomaly_score(X))


def test_beyond_the_training_rows_the_score_is_the_squared_distance():
    X = np.random.default_rng(0).uniform(size=(2000, 2))
    detector = RecForest(scaling="none", random_state=0).fit(X)
    far = np.array([[0.5, 101.0], [0.5, 201.0]])
    assert_allclose(detector.anomaly_score(far), [100**2, 200**2], rtol=1e-2)
    assert_allclose(detector.explain(far)[:, 1], detector.anomaly_score(far), rtol=1e-3)


def test_contributions_add_up_to_the_score(problem):
    X, _ = problem
    detector = RecForest(random_state=0).fit(X)
    odd = X[:2].copy()
    odd[:, 4] += 15
    parts = detector.explain(odd)
    assert_allclose(parts.sum(axis=1), detector.anomaly_score(odd))
    assert_array_equal(parts.argmax(axis=1), [4, 4])


@pytest.mark.parametrize("n", [1, 7, 1000])
@pytest.mark.parametrize("d", [1, 2, 6, 274])
def test_any_shape(n, d):
    X = np.random.default_rng(0).normal(size=(n, d))
    X[:, -1] = 3.0
    X[0] = 0
    detector = RecForest(n_estimators=10, random_state=0).fit(X)
    far = X[-1:] + np.array([[1e2], [1e6], [1e50], [1e300]])
    scores = detector.anomaly_score(np.concatenate([X, far]))
    assert np.isfinite(scores).all()
    assert (np.diff(scores[-4:]) > 0).all()
    assert_array_equal(detector.anomaly_score(X[:1]), scores[:1])


def test_pictures():
    pictures = np.random.default_rng(0).integers(0, 40, (50, 2, 4, 4), dtype=np.uint8)
    odd = pictures[:1].copy()
    odd[0, 1, 3, 3] = 255
    detector = RecForest(random_state=0).fit(pictures)
    assert detector.anomaly_score(odd) > detector.anomaly_score(pictures).max()
    heat = detector.explain(odd)
    assert heat.shape == (1, 4, 4)
    assert heat[0].argmax() == 15


def test_saved_and_loaded_scores_are_equal(problem, tmp_path):
    X, _ = problem
    detector = RecForest(n_estimators=10, random_state=0).fit(X)
    detector.save(tmp_path / "forest.crow")
    loaded = load(tmp_path / "forest.crow")
    assert_array_equal(loaded.anomaly_score(X), detector.anomaly_score(X))
    assert_array_equal(loaded.explain(X[:3]), detector.explain(X[:3]))


@pytest.mark.parametrize(
    ("parameter", "value"),
    [("n_estimators", 0), ("max_depth", 0), ("max_samples", 1.5), ("scaling", "l2")],
)
def test_illegal_values_are_named(problem, parameter, value):
    with pytest.raises(ParameterError, match=f"'{parameter}' parameter .* {value!r}"):
        RecForest(**{parameter: value}).fit(problem[0])
