import logging

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.metrics import roc_auc_score
from sklearn.metrics.pairwise import pairwise_distances
from sklearn.svm import OneClassSVM
from sklearn.utils.estimator_checks import parametrize_with_checks

from whitecrow.detectors.ocsvm import OCSVM
from whitecrow.errors import LabelError, ParameterError
from whitecrow.saving import load


@pytest.fixture
def problem():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(420, 3)) * [1, 10, 0.1]
    X[400:] += [6, 0, 0]
    return X, np.arange(420) >= 400


@parametrize_with_checks([OCSVM(), OCSVM(gamma="median"), OCSVM(kernel="linear")])
def test_sklearn_contract(estimator, check):
    check(estimator)


@pytest.mark.parametrize("kernel", ["rbf", "linear", "poly", "sigmoid"])
def test_score_follows_from_the_decision_function_of_scikit_learn(kernel):
    X = np.random.default_rng(0).normal(size=(100, 3)) + 1
    settings = {"kernel": kernel, "nu": 0.3, "degree": 2, "coef0": 0.5, "tol": 1e-4}
    theirs = OneClassSVM(**settings, gamma="scale").fit(X)
    expected = -theirs.decision_function(X)
    if kernel == "rbf":
        rho = -theirs.intercept_[0]
        expected = np.log(rho / (rho - expected))
    ours = OCSVM(**settings, scaling="none").fit(X)
    assert_allclose(ours.anomaly_score(X), expected, rtol=1e-6, atol=1e-9)


def test_nu_is_the_share_of_rows_outside(problem):
    X, _ = problem
    outside = (OCSVM(nu=0.3).fit(X).anomaly_score(X) > 0).mean()
    assert outside == pytest.approx(0.3, abs=0.02)


def test_scores_are_not_two_classes(problem):
    X, _ = problem
    assert len(np.unique(OCSVM().fit(X).anomaly_score(X))) > 300


def test_finds_what_is_beside_the_cloud(problem):
    X, anomaly = problem
    detector = OCSVM().fit(X[:400])
    assert roc_auc_score(anomaly, detector.anomaly_score(X)) > 0.97
    shuffled = np.random.default_rng(1).permuted(X, axis=0)
    assert roc_auc_score(anomaly, detector.anomaly_score(shuffled)) < 0.7


def test_units_do_not_matter(problem):
    X, anomaly = problem
    changed = X * [1e6, 1e-6, 1] + [0, 1e3, -1e3]
    scores = OCSVM().fit(X).anomaly_score(X)
    again = OCSVM().fit(changed, anomaly).anomaly_score(changed)
    assert_allclose(again, scores, atol=0.01)


class TestGamma:
    def test_median_is_that_of_the_distances(self):
        X = np.random.default_rng(0).normal(size=(100, 5))
        median = np.median(pairwise_distances(X)[np.triu_indices(100, 1)])
        detector = OCSVM(gamma="median", scaling="none").fit(X)
        assert detector.gamma_ == pytest.approx(1 / (2 * median**2))

    def test_median_of_a_sample_of_many_rows(self):
        X = np.random.default_rng(0).normal(size=(3000, 2))
        fits = [OCSVM(gamma="median", random_state=s).fit(X).gamma_ for s in (0, 0, 1)]
        assert fits[0] == fits[1] != fits[2]
        assert fits[0] == pytest.approx(fits[2], rel=0.05)

    def test_median_when_most_rows_are_equal(self):
        X = np.zeros((50, 1))
        X[:3] = [[3.0], [6.0], [9.0]]
        detector = OCSVM(gamma="median", scaling="none").fit(X)
        assert detector.gamma_ == pytest.approx(1 / (2 * 6.0**2))

    def test_names_and_numbers(self):
        X = np.random.default_rng(0).normal(size=(100, 5)) * 3
        expected = {"scale": 1 / (5 * X.var()), "auto": 0.2, 0.7: 0.7}
        for gamma, value in expected.items():
            detector = OCSVM(gamma=gamma, scaling="none").fit(X)
            assert detector.gamma_ == pytest.approx(value)

    @pytest.mark.parametrize("gamma", ["scale", "median"])
    def test_equal_rows(self, gamma):
        detector = OCSVM(gamma=gamma).fit(np.ones((10, 2)))
        assert detector.anomaly_score([[9.0, 9.0]]) > detector.anomaly_score([[1.0, 1]])


class TestGammaByLabels:
    """A ring with anomalies inside: only narrow kernels see them."""

    @pytest.fixture
    def ring(self):
        rng = np.random.default_rng(0)
        angle = rng.uniform(0, 2 * np.pi, 400)
        X = np.column_stack([np.cos(angle), np.sin(angle)])
        X[380:] *= 0.5
        X += rng.normal(0, 0.03, X.shape)
        return X, np.arange(400) >= 380

    def test_the_best_gamma_of_the_grid_is_chosen(self, ring):
        X, anomaly = ring
        y = np.where(np.arange(400) % 2 == 0, anomaly, np.nan)
        chosen = OCSVM(nu=0.1, gamma="labels", random_state=0).fit(X, y)
        assert chosen.gamma_ in {1.0, 2.0, 4.0}
        assert "10 labelled anomalies and 95 labelled normal" in chosen.gamma_source_
        wide = OCSVM(nu=0.1, gamma=2.0**-7).fit(X)
        aurocs = [
            roc_auc_score(anomaly, one.anomaly_score(X)) for one in (chosen, wide)
        ]
        assert aurocs[0] > 0.9
        assert aurocs[1] < 0.5

    def test_labelled_anomalies_do_not_train(self, ring):
        X, anomaly = ring
        X = np.r_[X, [[50.0, 50.0]]]
        y = np.r_[np.where(anomaly, 1, 0), 1].astype(float)
        told = OCSVM(gamma="labels", random_state=0).fit(X, y)
        alone = OCSVM(gamma=told.gamma_).fit(X[y == 0])
        assert_array_equal(told.anomaly_score(X), alone.anomaly_score(X))
        assert_array_equal(told.scaler_.center, alone.scaler_.center)

    def test_without_labelled_normal_rows_a_tenth_is_held_out(self, ring):
        X, anomaly = ring
        y = np.where(anomaly, 1, np.nan)
        chosen = OCSVM(gamma="labels", random_state=0).fit(X, y)
        assert "20 labelled anomalies and 38 unlabelled rows" in chosen.gamma_source_

    def test_other_labels_choose_another_gamma(self, ring):
        """The control: far rows are seen at any width, and the first one wins."""
        X, anomaly = ring
        X = np.where(anomaly[:, None], X + 20, X)
        chosen = OCSVM(gamma="labels", random_state=0).fit(X, anomaly.astype(int))
        assert chosen.gamma_ == 2.0**-7

    def test_it_learns_from_labels_only_then(self, ring):
        assert OCSVM.uses_labels is False
        assert OCSVM().uses_labels is False
        assert OCSVM(gamma="labels").uses_labels is True

    @pytest.mark.parametrize("y", [None, [0.0] * 400, [np.nan] * 400])
    def test_without_labelled_anomalies_it_says_what_to_do(self, ring, y):
        with pytest.raises(LabelError, match=r'three other rows .* gamma="scale"'):
            OCSVM(gamma="labels").fit(ring[0], y)

    def test_it_is_saved(self, ring, tmp_path):
        X, anomaly = ring
        chosen = OCSVM(gamma="labels", random_state=0).fit(X, anomaly.astype(int))
        chosen.save(tmp_path / "svm.crow")
        loaded = load(tmp_path / "svm.crow")
        assert_array_equal(loaded.anomaly_score(X), chosen.anomaly_score(X))
        assert loaded.gamma_source_ == chosen.gamma_source_


@pytest.mark.parametrize("name", OCSVM.presets)
def test_presets_fit(problem, name):
    X, anomaly = problem
    detector = OCSVM.preset(name, random_state=0).fit(X, anomaly.astype(int))
    assert np.isfinite(detector.anomaly_score(X)).all()


def test_published_settings():
    """specs/deep_unsupervised.md 7"""
    nus = {name: one["nu"] for name, one in OCSVM.presets.items()}
    assert nus == {
        "deep-sad": 0.1,
        "nrcan-2022": 0.4,
        "nrcan-2022-kdd": 0.25,
        "nrcan-2022-ids2017": 0.01,
        "nrcan-2022-ids2018": 0.4,
        "nrcan-2022-arrhythmia": 0.4,
        "nrcan-2022-thyroid": 0.05,
    }


def test_far_rows_are_finite_and_ordered(problem):
    detector = OCSVM().fit(problem[0])
    far = np.array([10.0, 1e3, 1e6, 1e6 + 1, 1e50])[:, None] * np.ones(3)
    scores = detector.anomaly_score(far)
    assert (np.diff(scores) > 0).all()
    # scikit-learn's decision function is the same for all of them.
    assert len(np.unique(detector.svm_.decision_function(far))) == 1
    assert np.isfinite(detector.anomaly_score([[-1.7e308] * 3])).all()


def test_pictures():
    pictures = np.random.default_rng(0).integers(0, 40, (50, 2, 4, 4), dtype=np.uint8)
    odd = pictures[:1].copy()
    odd[0, :, 2:, 2:] = 255
    detector = OCSVM().fit(pictures)
    assert detector.anomaly_score(odd) > detector.anomaly_score(pictures).max()
    assert detector.explain(odd).shape == (1, 4, 4)
    assert detector.explain(odd)[0].argmax() in {10, 11, 14, 15}


def test_more_rows_than_the_limit(problem, caplog):
    X, anomaly = problem
    with caplog.at_level(logging.WARNING):
        detector = OCSVM(max_rows=100, random_state=0).fit(X[:400])
    assert "OCSVM learns from 100 of 400 rows" in caplog.text
    assert detector.svm_.shape_fit_ == (100, 3)
    assert roc_auc_score(anomaly, detector.anomaly_score(X)) > 0.9


def test_saved_and_loaded_scores_are_equal(problem, tmp_path):
    X, _ = problem
    detector = OCSVM(gamma="median", random_state=0).fit(X)
    detector.save(tmp_path / "svm.crow")
    loaded = load(tmp_path / "svm.crow")
    assert_array_equal(loaded.anomaly_score(X), detector.anomaly_score(X))


@pytest.mark.parametrize(
    ("parameter", "value"), [("nu", 0.0), ("gamma", "silverman"), ("kernel", "laplace")]
)
def test_illegal_values_are_named(problem, parameter, value):
    with pytest.raises(ParameterError, match=f"'{parameter}' parameter .* {value!r}"):
        OCSVM(**{parameter: value}).fit(problem[0])
