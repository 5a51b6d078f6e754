import logging

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn import decomposition
from sklearn.metrics import roc_auc_score
from sklearn.utils.estimator_checks import parametrize_with_checks

from whitecrow.detectors import pca
from whitecrow.detectors.pca import PCA
from whitecrow.errors import ParameterError
from whitecrow.saving import load

MEASURES = ["mahalanobis", "reconstruction"]


@pytest.fixture
def problem():
    """Three factors in 20 columns and, at the end, 20 rows that break their ties."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(420, 3)) @ rng.normal(size=(3, 20))
    X += 0.3 * rng.normal(size=X.shape) + 5
    X[400:] = rng.permuted(X[400:], axis=0)
    return X, np.arange(420) >= 400


@parametrize_with_checks([PCA(n_components=1, measure="reconstruction")])
def test_sklearn_contract(estimator, check):
    check(estimator)


def test_golden_value():
    detector = PCA.preset("reference").fit([[0.0, 0.0], [2.0, 2.0], [4.0, 4.0]])
    assert_allclose(detector.anomaly_score([[1.0, 0.0]]), [0.5], atol=1e-12)


@pytest.mark.parametrize("shape", [(60, 5), (5, 60)])
@pytest.mark.parametrize("q", [1, 3])
def test_reconstruction_is_that_of_scikit_learn(shape, q):
    rng = np.random.default_rng(q)
    X, new = rng.normal(size=shape) + 3, rng.normal(size=(9, shape[1]))
    theirs = decomposition.PCA(q).fit(X)
    back = theirs.inverse_transform(theirs.transform(new))
    ours = PCA(n_components=q, measure="reconstruction", scaling="none").fit(X)
    assert_allclose(ours.anomaly_score(new), ((new - back) ** 2).sum(axis=1))


def test_all_directions_give_the_mahalanobis_distance(problem):
    X, _ = problem
    detector = PCA(n_components=None, scaling="none").fit(X)
    v, covariance = X - X.mean(axis=0), np.cov(X.T, bias=True)
    expected = np.einsum("ij,jk,ik->i", v, np.linalg.inv(covariance), v)
    assert_allclose(detector.anomaly_score(X), expected)


def test_few_directions_give_the_density_of_probabilistic_pca(problem):
    X, _ = problem
    detector = PCA(n_components=3, scaling="none").fit(X)
    theirs = decomposition.PCA(3).fit(X * np.sqrt(419 / 420))
    density = theirs.score_samples(X - X.mean(axis=0) + theirs.mean_)
    sums = detector.anomaly_score(X) + 2 * density
    assert_allclose(sums, sums[0])


@pytest.mark.parametrize("measure", MEASURES)
def test_finds_rows_that_break_the_ties_between_columns(problem, measure):
    X, anomaly = problem
    detector = PCA(n_components=0.9, measure=measure).fit(X[:400])
    assert roc_auc_score(anomaly, detector.anomaly_score(X)) > 0.99
    # The columns alone do not tell them.
    distance = np.abs((X - X.mean(axis=0)) / X.std(axis=0)).mean(axis=1)
    assert roc_auc_score(anomaly, distance) < 0.7
    shuffled = np.random.default_rng(1).permuted(X, axis=0)
    assert roc_auc_score(anomaly, detector.anomaly_score(shuffled)) < 0.7


@pytest.mark.parametrize("measure", MEASURES)
def test_finds_what_is_away_from_blobs(measure, monkeypatch):
    rng = np.random.default_rng(0)
    X = rng.uniform(-10, 10, (3, 20))[rng.integers(0, 3, 4000)]
    X += rng.normal(size=X.shape)
    X[3800:] = rng.uniform(-10, 10, (200, 20))
    detector = PCA(measure=measure).fit(X)
    scores = detector.anomaly_score(X)
    assert roc_auc_score(np.arange(4000) >= 3800, scores) > 0.95
    monkeypatch.setattr(pca, "_BLOCK", 999)
    assert_allclose(detector.anomaly_score(X), scores)


@pytest.mark.parametrize("measure", MEASURES)
def test_units_and_row_order_do_not_matter(problem, measure):
    X, _ = problem
    order = np.random.default_rng(0).permutation(len(X))
    changed = X * np.geomspace(1e-6, 1e6, 20) + 1e3
    before = PCA(measure=measure).fit(X)
    after = PCA(measure=measure).fit(changed[order])
    assert_allclose(
        after.anomaly_score(changed), before.anomaly_score(X), rtol=1e-5, atol=1e-9
    )


@pytest.mark.parametrize("measure", MEASURES)
def test_contributions_add_up_to_the_score(problem, measure):
    X, _ = problem
    detector = PCA(measure=measure).fit(X)
    odd = X[:2].copy()
    odd[:, 4] += 50
    parts = detector.explain(odd)
    assert (parts >= 0).all()
    assert_allclose(parts.sum(axis=1), detector.anomaly_score(odd))
    assert_array_equal(parts.argmax(axis=1), [4, 4])


class TestNumberOfComponents:
    @pytest.mark.parametrize(("share", "expected"), [(0.5, 1), (0.8, 2), (0.99, 3)])
    def test_share_of_the_variance(self, share, expected):
        X = np.random.default_rng(0).normal(size=(5000, 4)) * [3, 2, 1, 0.01]
        detector = PCA(n_components=share, scaling="none").fit(X)
        # variances 9, 4, 1, 0.0001
        assert len(detector.components_) == expected

    def test_reconstruction_leaves_one_out(self, caplog):
        X = np.random.default_rng(0).normal(size=(50, 3))
        with caplog.at_level(logging.WARNING):
            detector = PCA(n_components=3, measure="reconstruction").fit(X)
        assert "n_components=3 is too many for these rows; using 2" in caplog.text
        assert detector.anomaly_score(X).max() > 0.1
        assert len(PCA(n_components=None).fit(X).components_) == 3

    def test_it_changes_the_scores(self, problem):
        scores = [
            PCA(n_components=q).fit(problem[0]).anomaly_score(problem[0]).std()
            for q in (1, 3, 0.5, None)
        ]
        assert len(np.unique(np.round(scores, 6))) == 4


@pytest.mark.parametrize("measure", MEASURES)
@pytest.mark.parametrize("n", [1, 7, 1000])
@pytest.mark.parametrize("d", [1, 2, 6, 274])
def test_any_shape(n, d, measure):
    X = np.random.default_rng(0).normal(size=(n, d))
    X[:, -1] = 3.0
    X[0] = 0
    detector = PCA(measure=measure).fit(X)
    far = X[-1:] + np.array([[1e2], [1e6], [1e50], [1e300]])
    scores = detector.anomaly_score(np.concatenate([X, far]))
    assert np.isfinite(scores).all()
    assert (np.diff(scores[-4:]) > 0).all()
    assert_allclose(detector.anomaly_score(X[:1]), scores[:1], rtol=1e-9, atol=1e-12)


def test_pictures():
    pictures = np.random.default_rng(0).integers(0, 40, (50, 2, 4, 4), dtype=np.uint8)
    odd = pictures[:1].copy()
    odd[0, 1, 3, 3] = 255
    detector = PCA().fit(pictures)
    assert detector.anomaly_score(odd) > detector.anomaly_score(pictures).max()
    heat = detector.explain(odd)
    assert heat.shape == (1, 4, 4)
    assert heat[0].argmax() == 15


def test_saved_and_loaded_scores_are_equal(problem, tmp_path):
    X, _ = problem
    detector = PCA().fit(X)
    detector.save(tmp_path / "pca.crow")
    loaded = load(tmp_path / "pca.crow")
    assert_array_equal(loaded.anomaly_score(X), detector.anomaly_score(X))
    assert_array_equal(loaded.explain(X[:3]), detector.explain(X[:3]))


@pytest.mark.parametrize(
    ("parameter", "value"),
    [("n_components", 0), ("n_components", 1.5), ("measure", "l2"), ("scaling", "l2")],
)
def test_illegal_values_are_named(problem, parameter, value):
    with pytest.raises(ParameterError, match=f"'{parameter}' parameter .* {value!r}"):
        PCA(**{parameter: value}).fit(problem[0])
