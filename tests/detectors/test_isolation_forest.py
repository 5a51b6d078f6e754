import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import spearmanr
from sklearn import ensemble
from sklearn.metrics import roc_auc_score
from sklearn.utils.estimator_checks import parametrize_with_checks

from whitecrow.detectors.isolation_forest import IsolationForest
from whitecrow.errors import ParameterError
from whitecrow.saving import load
from whitecrow.scaling import Scaler


@pytest.fixture
def problem():
    """Rows of an elongated cloud around 0 and, at the end, 20 beside it."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(420, 4)) * [1, 1, 5, 0.1]
    X[400:, :2] += 5
    return X, np.arange(420) >= 400


@parametrize_with_checks([IsolationForest(n_estimators=10)])
def test_sklearn_contract(estimator, check):
    check(estimator)


def test_scores_are_those_of_scikit_learn_to_the_bit(problem):
    X, _ = problem
    settings = {"n_estimators": 20, "max_samples": 0.5, "max_features": 3}
    ours = IsolationForest(**settings, bootstrap=True, random_state=3).fit(X)
    theirs = ensemble.IsolationForest(**settings, bootstrap=True, random_state=3).fit(X)
    assert_array_equal(ours.anomaly_score(X), -theirs.score_samples(X))
    assert ours.anomaly_score(X).dtype == np.float64


def test_finds_what_is_beside_the_cloud_without_labels(problem):
    X, anomaly = problem
    detector = IsolationForest(random_state=0).fit(X[:400])
    assert roc_auc_score(anomaly, detector.anomaly_score(X)) > 0.98
    shuffled = np.random.default_rng(1).permuted(X, axis=0)
    assert roc_auc_score(anomaly, detector.anomaly_score(shuffled)) < 0.7


def test_labels_are_ignored(problem):
    X, anomaly = problem
    with_labels = IsolationForest(random_state=0).fit(X, anomaly)
    without = IsolationForest(random_state=0).fit(X)
    assert_array_equal(with_labels.anomaly_score(X), without.anomaly_score(X))
    assert with_labels.offset_ == without.offset_


def test_contamination_is_the_share_of_training_rows_called_anomalies(problem):
    X, _ = problem
    detector = IsolationForest(contamination=0.1, random_state=0).fit(X)
    assert (detector.predict(X) == -1).sum() == 42


@pytest.mark.parametrize("offset", [1e6, 1e9, -1.7e12])
def test_columns_far_from_zero_are_ranked_as_those_around_it(problem, offset):
    """Trees compute in float32, where such rows were all equal: one score for all."""
    X, _ = problem
    near = IsolationForest(random_state=0).fit_score(X)
    far = IsolationForest(random_state=0).fit_score(X + offset)
    assert_allclose(far, near, atol=0.01)
    assert spearmanr(far, near).statistic > 0.999
    shifted = (X + offset) - offset  # with the digits that float64 has left
    same = IsolationForest(random_state=0).fit_score(shifted)
    assert spearmanr(far, same).statistic > 0.9999


def test_one_column_far_from_zero(problem):
    X, _ = problem
    X = np.column_stack([X, 1.7e9 + np.random.default_rng(0).normal(size=len(X))])
    detector = IsolationForest(random_state=0).fit(X)
    assert (detector.scaler_.center[:4] == 0).all()
    odd = X[:1] + np.array([0, 0, 0, 0, 10.0])
    assert detector.anomaly_score(odd) > detector.anomaly_score(X[:1]) + 0.05
    assert detector.explain(odd)[0].argmax() == 4


def test_columns_of_few_values_are_not_shifted():
    X = 7.3 + np.repeat([[0.0, 0, 0], [0, 1, 0], [0, 0, 3]], [90, 7, 3], axis=0)
    detector = IsolationForest(random_state=0).fit(X)
    assert (detector.scaler_.center == 0).all()
    theirs = ensemble.IsolationForest(random_state=0).fit(X)
    assert_array_equal(detector.anomaly_score(X), -theirs.score_samples(X))


def test_a_forest_that_was_saved_without_a_shift_scores_as_it_did():
    """What the scaler of such a file holds is a centre of 0, and so no shift."""
    X = 1e9 + np.random.default_rng(0).normal(size=(300, 2))
    detector = IsolationForest(random_state=0).fit(X)
    detector.scaler_ = Scaler(np.zeros(2), np.ones(2))
    detector.forest_ = ensemble.IsolationForest(random_state=0).fit(
        X.astype(np.float32)
    )
    theirs = -detector.forest_.score_samples(X.astype(np.float32))
    assert_array_equal(detector.anomaly_score(X), theirs)


def test_scaling_changes_no_score_beyond_rounding(problem):
    X, _ = problem
    scores = [
        IsolationForest(scaling=how, random_state=0).fit(X).anomaly_score(X)
        for how in ("none", "robust")
    ]
    assert_allclose(*scores, rtol=0.05)


def test_values_beyond_float32_have_finite_scores(problem):
    X, _ = problem
    detector = IsolationForest(random_state=0).fit(X)
    far = np.full((1, 4), 1e300)
    assert np.isfinite(detector.anomaly_score(far)).all()
    assert np.isfinite(IsolationForest(random_state=0).fit(X * 1e200).offset_)


def test_large_whole_numbers_are_kept_apart():
    X = np.arange(100.0)[:, None] * 1e16
    scores = IsolationForest(random_state=0).fit(X).anomaly_score(X)
    assert len(np.unique(scores)) > 50


def test_pictures_are_rows_of_pixels():
    pictures = np.random.default_rng(0).integers(0, 99, (60, 1, 6, 6), dtype=np.uint8)
    detector = IsolationForest(random_state=0).fit(pictures)
    rows = (pictures / np.float32(255)).reshape(60, 36)
    theirs = ensemble.IsolationForest(random_state=0).fit(rows)
    assert_array_equal(detector.anomaly_score(pictures), -theirs.score_samples(rows))


def test_saved_and_loaded_scores_are_equal(problem, tmp_path):
    X, _ = problem
    detector = IsolationForest(n_estimators=10, scaling="robust", random_state=0).fit(X)
    detector.save(tmp_path / "forest.crow")
    loaded = load(tmp_path / "forest.crow")
    assert_array_equal(loaded.anomaly_score(X), detector.anomaly_score(X))
    assert_array_equal(loaded.predict(X), detector.predict(X))


def test_the_odd_column_is_explained(problem):
    X, _ = problem
    detector = IsolationForest(random_state=0).fit(X)
    parts = detector.explain(np.array([[0.0, 9.0, 0.0, 0.0]]))
    assert parts.shape == (1, 4)
    assert parts[0].argmax() == 1


@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        ("n_estimators", 0),
        ("max_samples", 2.5),
        ("contamination", 0.7),
        ("scaling", "l2"),
    ],
)
def test_illegal_values_are_named(problem, parameter, value):
    with pytest.raises(ParameterError, match=f"'{parameter}' parameter .* {value!r}"):
        IsolationForest(**{parameter: value}).fit(problem[0])


def test_more_columns_than_there_are(problem):
    with pytest.raises(
        ParameterError, match="max_features=5 is more than the 4 columns"
    ):
        IsolationForest(max_features=5).fit(problem[0])


@pytest.mark.parametrize("kind", [np.float32, np.float16, np.float64])
def test_shares_of_numpys_types(kind):
    X = np.random.default_rng(0).normal(size=(100, 4))
    shares = {"max_features": 0.5, "max_samples": 0.25, "random_state": 0}
    theirs = {**shares, "max_features": kind(0.5), "max_samples": kind(0.25)}
    found = IsolationForest(**theirs).fit_score(X)
    np.testing.assert_array_equal(found, IsolationForest(**shares).fit_score(X))
