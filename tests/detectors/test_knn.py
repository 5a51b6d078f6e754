import logging

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.metrics import roc_auc_score
from sklearn.utils.estimator_checks import parametrize_with_checks

from whitecrow.detectors import knn
from whitecrow.detectors.knn import KNN
from whitecrow.errors import DataError, ParameterError
from whitecrow.saving import load

AGGREGATES = ["mean", "max", "median"]


@pytest.fixture
def problem():
    """A ring and, at the end, 20 rows inside of it."""
    rng = np.random.default_rng(0)
    angle = rng.uniform(0, 2 * np.pi, 420)
    X = np.stack([np.cos(angle), np.sin(angle)], axis=1) * 5
    X[400:] = 0
    return X + rng.normal(0, 0.3, X.shape), np.arange(420) >= 400


@parametrize_with_checks([KNN(p=1, aggregate="median")])
def test_sklearn_contract(estimator, check):
    check(estimator)


@pytest.mark.parametrize(
    ("aggregate", "expected"),
    # distances of 3.1 to 0, 1, 2, 9: 3.1, 2.1, 1.1, 5.9
    [("mean", 2.1), ("max", 3.1), ("median", 2.1)],
)
def test_definition(aggregate, expected):
    X = [[0.0], [1.0], [2.0], [9.0]]
    detector = KNN(n_neighbors=3, aggregate=aggregate, scaling="none").fit(X)
    assert_allclose(detector.anomaly_score([[3.1]]), [expected])


def test_the_median_of_an_even_number():
    detector = KNN(n_neighbors=2, aggregate="median", scaling="none")
    assert_allclose(detector.fit([[0.0], [1.0], [4.0]]).anomaly_score([[5.0]]), [2.5])


@pytest.mark.parametrize("d", [2, 30])
@pytest.mark.parametrize("p", [1, 2])
@pytest.mark.parametrize("aggregate", AGGREGATES)
def test_scores_are_those_of_pyod(d, p, aggregate):
    pyod = pytest.importorskip("pyod.models.knn")
    rng = np.random.default_rng(d)
    train, new = rng.normal(size=(300, d)), rng.normal(size=(50, d)) * 2
    method = {"max": "largest"}.get(aggregate, aggregate)
    theirs = pyod.KNN(n_neighbors=6, method=method, p=p).fit(train)
    ours = KNN(n_neighbors=6, aggregate=aggregate, p=p, scaling="none").fit(train)
    assert_allclose(ours.anomaly_score(train), theirs.decision_scores_)
    assert_allclose(ours.anomaly_score(new), theirs.decision_function(new))


@pytest.mark.parametrize("aggregate", AGGREGATES)
def test_finds_what_no_column_alone_shows(problem, aggregate):
    X, anomaly = problem
    detector = KNN(n_neighbors=60, aggregate=aggregate).fit(X)
    assert roc_auc_score(anomaly, detector.anomaly_score(X)) > 0.99
    distance = np.linalg.norm(X, axis=1)
    assert roc_auc_score(anomaly, distance) < 0.1
    shuffled = np.random.default_rng(1).permuted(X, axis=0)
    assert roc_auc_score(anomaly, detector.anomaly_score(shuffled)) < 0.7


def test_too_few_neighbours_miss_a_group(problem):
    X, anomaly = problem
    scores = KNN(n_neighbors=3).fit(X).anomaly_score(X)
    assert roc_auc_score(anomaly, scores) < 0.9


def test_units_and_row_order_do_not_matter(problem):
    X, anomaly = problem
    order = np.random.default_rng(0).permutation(len(X))
    changed = X * [1e6, 1e-3] + [1e7, 0]
    scores = KNN().fit(changed[order], anomaly[order]).anomaly_score(changed)
    assert_allclose(scores, KNN().fit(X).anomaly_score(X), rtol=1e-5)


@pytest.mark.parametrize("d", [2, 30])
def test_a_large_offset_costs_no_digits(d):
    X = np.random.default_rng(0).normal(size=(100, d))
    here = KNN(scaling="none").fit(X).anomaly_score(X)
    there = KNN(scaling="none").fit(X + 2.0**30).anomaly_score(X + 2.0**30)
    assert_allclose(there, here, rtol=1e-6)


def test_the_size_of_blocks_changes_nothing(problem, monkeypatch):
    X, _ = problem
    detector = KNN().fit(X)
    whole, parts = detector.anomaly_score(X), detector.explain(X)
    monkeypatch.setattr(knn, "_BLOCK", 500)
    assert_allclose(detector.anomaly_score(X), whole)
    assert_allclose(detector.explain(X), parts)


def test_a_training_row_is_scored_by_the_others():
    X = np.array([[0.0], [0.0], [3.0], [10.0]])
    detector = KNN(n_neighbors=1, scaling="none").fit(X)
    # The two at 0 have each other; 3 has 0; 10 has 3.
    assert_allclose(detector.anomaly_score(X), [0, 0, 3, 7])
    # A new row at 2.9 has 3.
    assert_allclose(detector.anomaly_score([[2.9]]), [0.1])


@pytest.mark.parametrize("aggregate", AGGREGATES)
@pytest.mark.parametrize("p", [1, 2])
def test_contributions_add_up_to_the_score(problem, p, aggregate):
    X, _ = problem
    detector = KNN(p=p, aggregate=aggregate, n_neighbors=4).fit(X)
    new = np.array([[0.0, 30.0], [20.0, 0.0], X[0]])
    parts = detector.explain(new)
    assert (parts >= 0).all()
    assert_allclose(parts.sum(axis=1), detector.anomaly_score(new))
    assert_array_equal(parts[:2].argmax(axis=1), [1, 0])


def test_contributions_where_the_score_is_zero():
    detector = KNN(n_neighbors=1).fit([[1.0, 2.0]] * 3 + [[4.0, 4.0]])
    assert_array_equal(detector.explain([[1.0, 2.0]]), [[0, 0]])


@pytest.mark.parametrize("n", [2, 7, 1000])
@pytest.mark.parametrize("d", [1, 2, 6, 274])
def test_any_shape(n, d):
    X = np.random.default_rng(0).normal(size=(n, d))
    X[:, -1] = 3.0
    X[0] = 0
    detector = KNN().fit(X)
    far = X[-1:] + np.array([[1e2], [1e6], [1e50], [1e300]])
    scores = detector.anomaly_score(np.concatenate([X, far]))
    assert np.isfinite(scores).all()
    assert (np.diff(scores[-4:]) > 0).all()
    assert_allclose(detector.anomaly_score(X[:1]), scores[:1], rtol=1e-9)


def test_more_neighbours_than_rows(caplog):
    with caplog.at_level(logging.WARNING):
        detector = KNN().fit([[0.0], [1.0], [3.0]])
    assert detector.n_neighbors_ == 2
    assert "n_neighbors=50 is too many for 3 rows; using 2" in caplog.text


def test_one_row_has_no_neighbour():
    with pytest.raises(DataError, match="n_samples = 1"):
        KNN().fit([[1.0, 2.0]])


def test_more_rows_than_the_limit(problem, caplog):
    X, anomaly = problem
    with caplog.at_level(logging.WARNING):
        detector = KNN(max_rows=300, random_state=0).fit(X)
    assert "300 of 420" in caplog.text
    assert len(detector.train_) == 300
    assert roc_auc_score(anomaly, detector.anomaly_score(X)) > 0.95


def test_pictures():
    pictures = np.random.default_rng(0).integers(0, 40, (50, 2, 4, 4), dtype=np.uint8)
    odd = pictures[:1].copy()
    odd[0, 1, 3, 3] = 255
    detector = KNN(n_neighbors=5).fit(pictures)
    assert detector.anomaly_score(odd) > detector.anomaly_score(pictures).max()
    heat = detector.explain(odd)
    assert heat.shape == (1, 4, 4)
    assert heat[0].argmax() == 15


def test_saved_and_loaded_scores_are_equal(problem, tmp_path):
    X, _ = problem
    detector = KNN().fit(X)
    detector.save(tmp_path / "knn.crow")
    loaded = load(tmp_path / "knn.crow")
    assert_array_equal(loaded.anomaly_score(X), detector.anomaly_score(X))
    assert_array_equal(loaded.explain(X[:3]), detector.explain(X[:3]))


@pytest.mark.parametrize(
    ("parameter", "value"),
    [("n_neighbors", 0), ("p", 3), ("aggregate", "sum"), ("scaling", "l2")],
)
def test_illegal_values_are_named(problem, parameter, value):
    with pytest.raises(ParameterError, match=f"'{parameter}' parameter .* {value!r}"):
        KNN(**{parameter: value}).fit(problem[0])
