import logging
import math
import warnings

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import multivariate_normal
from sklearn.metrics import roc_auc_score
from sklearn.mixture import GaussianMixture
from sklearn.utils.estimator_checks import parametrize_with_checks

from whitecrow.detectors import gmm
from whitecrow.detectors.gmm import GMM
from whitecrow.errors import DataError, ParameterError, TrainingError
from whitecrow.saving import load

KINDS = ["full", "diag"]


@pytest.fixture
def problem():
    """Two clusters in 6 columns and, at the end, 20 rows in the middle of them."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(420, 6)) + np.array([-4, 4])[rng.integers(0, 2, 420)][:, None]
    X[400:] = rng.normal(size=(20, 6))
    return X, np.arange(420) >= 400


@parametrize_with_checks([GMM(n_components=2, covariance_type="diag", max_iter=5)])
def test_sklearn_contract(estimator, check):
    check(estimator)


def test_density_by_hand():
    """Variance 1 and 0.05 more: a Gaussian around 0."""
    detector = GMM(scaling="none").fit([[-1.0], [1.0]])
    expected = [0.5 * math.log(2 * math.pi * 1.05), 1.0 / 2.1]
    scores = detector.anomaly_score([[0.0], [1.0]])
    assert_allclose(scores, [expected[0], sum(expected)])


@pytest.mark.parametrize("kind", KINDS)
def test_score_is_that_of_scikit_learn(problem, kind):
    X = problem[0][:400]  # without the few rows that we give no Gaussian
    theirs = GaussianMixture(
        2, covariance_type=kind, reg_covar=0.1, max_iter=200, random_state=0
    ).fit(X)
    ours = GMM(
        n_components=2,
        covariance_type=kind,
        reg_covar=0.1,
        max_iter=200,
        shrinkage=0,
        scaling="none",
        random_state=0,
    ).fit(X)
    new = np.random.default_rng(1).uniform(-12, 12, (50, 6))
    assert_allclose(ours.anomaly_score(new), -theirs.score_samples(new))


def test_density_of_what_is_stored(problem):
    X, _ = problem
    detector = GMM(n_components=3, scaling="none", random_state=0).fit(X)
    density = sum(
        weight * multivariate_normal(mean, np.linalg.inv(factor @ factor.T)).pdf(X)
        for weight, mean, factor in zip(
            detector.weights_,
            detector.means_,
            detector.precisions_cholesky_,
            strict=True,
        )
    )
    assert_allclose(detector.anomaly_score(X), -np.log(density))


@pytest.mark.parametrize("kind", KINDS)
def test_finds_what_is_between_clusters(problem, kind, monkeypatch):
    X, anomaly = problem
    detector = GMM(covariance_type=kind, random_state=0).fit(X[:400])
    scores = detector.anomaly_score(X)
    assert roc_auc_score(anomaly, scores) > 0.99
    monkeypatch.setattr(gmm, "_BLOCK", 100)
    assert_allclose(detector.anomaly_score(X), scores)


def test_one_gaussian_does_not_find_it(problem):
    """The control of the test above."""
    X, anomaly = problem
    detector = GMM(n_components=1).fit(X[:400])
    assert roc_auc_score(anomaly, detector.anomaly_score(X)) < 0.6


@pytest.mark.parametrize(("n", "expected"), [(2, 1), (59, 1), (60, 2), (500, 8)])
def test_one_component_for_thirty_rows(n, expected):
    X = np.random.default_rng(0).normal(size=(n, 2))
    assert len(GMM(random_state=0).fit(X).weights_) == expected


@pytest.mark.parametrize(("d", "expected"), [(14, 8), (20, 5), (70, 1)])
def test_one_component_for_twice_the_rows_of_a_covariance(d, expected):
    X = np.random.default_rng(0).normal(size=(250, d))
    assert len(GMM(random_state=0).fit(X).weights_) == expected


@pytest.mark.parametrize("kind", KINDS)
def test_shrinkage_by_hand(problem, kind):
    """Two covariances of 200 rows each, and their mean as 200 rows more."""
    X = problem[0][:400] * np.where(problem[0][:400, :1] > 0, 1, 2)
    settings = {"n_components": 2, "covariance_type": kind, "scaling": "none"}
    own = GMM(**settings, shrinkage=0, random_state=0).fit(X)
    drawn = GMM(**settings, shrinkage=200, random_state=0).fit(X)
    alike = GMM(**settings, shrinkage=1e12, random_state=0).fit(X)
    before, after, pooled = (covariances(one) for one in (own, drawn, alike))
    share = (400 * own.weights_ / (400 * own.weights_ + 200)).reshape(
        -1, *[1] * (before.ndim - 1)
    )
    mean = np.tensordot(own.weights_, before, 1)
    assert_allclose(pooled, np.broadcast_to(mean, pooled.shape), atol=1e-6)
    assert_allclose(after, share * before + (1 - share) * mean, rtol=1e-8, atol=1e-8)
    assert_array_equal(drawn.means_, own.means_)


def covariances(detector):
    factors = detector.precisions_cholesky_
    if factors.ndim == 2:
        return 1 / factors**2
    return np.stack([np.linalg.inv(p @ p.T) for p in factors])


@pytest.mark.parametrize(("d", "shape"), [(60, (1, 60, 60)), (61, (1, 61))])
def test_many_columns_have_variances_only(d, shape):
    X = np.random.default_rng(0).normal(size=(50, d))
    assert GMM().fit(X).precisions_cholesky_.shape == shape


@pytest.mark.parametrize("kind", KINDS)
def test_contributions_add_up_to_the_distance(problem, kind):
    """The rest of the score belongs to no column: with one Gaussian, a constant."""
    X, _ = problem
    detector = GMM(n_components=1, covariance_type=kind).fit(X)
    rest = detector.anomaly_score(X) - detector.explain(X).sum(axis=1)
    assert_allclose(rest, rest[0])


def test_contributions_weigh_the_components(problem):
    X, _ = problem
    detector = GMM(n_components=3, scaling="none", random_state=0).fit(X)
    expected, density = np.zeros(X.shape), np.exp(-detector.anomaly_score(X))
    for weight, mean, factor in zip(
        detector.weights_, detector.means_, detector.precisions_cholesky_, strict=True
    ):
        precision = factor @ factor.T
        gaussian = multivariate_normal(mean, np.linalg.inv(precision))
        duty = weight * gaussian.pdf(X) / density
        v = X - mean
        expected += duty[:, None] * v * (v @ precision) / 2
    assert_allclose(detector.explain(X), expected, atol=1e-9)


@pytest.mark.parametrize("kind", KINDS)
def test_units_and_row_order_do_not_matter(problem, kind):
    X, _ = problem
    order = np.random.default_rng(0).permutation(len(X))
    changed = X * np.geomspace(1e-6, 1e6, 6) + 1e3
    before = GMM(n_components=1, covariance_type=kind).fit(X)
    after = GMM(n_components=1, covariance_type=kind).fit(changed[order])
    assert_allclose(after.anomaly_score(changed), before.anomaly_score(X), rtol=1e-5)


@pytest.mark.parametrize("n", [2, 3, 7, 300])
@pytest.mark.parametrize("d", [1, 2, 6, 274])
def test_any_shape(n, d):
    X = np.random.default_rng(0).normal(size=(n, d))
    X[:, -1] = 3.0
    X[0] = 0
    detector = GMM(random_state=0).fit(X)
    far = X[-1:] + np.array([[1e2], [1e6], [1e50], [1e300]])
    scores = detector.anomaly_score(np.concatenate([X, far]))
    assert np.isfinite(scores).all()
    assert (np.diff(scores[-4:]) > 0).all()
    assert np.isfinite(detector.explain(far)).all()
    assert_allclose(detector.anomaly_score(X[:1]), scores[:1], rtol=1e-9)


def test_equal_rows_and_few_steps_are_silent():
    X = np.repeat([[0.0, 1.0], [5.0, 5.0]], 200, axis=0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        detector = GMM(max_iter=1, random_state=0).fit(X)
    fine, odd = detector.anomaly_score([[0.0, 1.0], [2.5, 3.0]])
    assert fine < odd


def test_one_row_is_too_few():
    with pytest.raises(DataError, match="n_samples = 1, give at least 2"):
        GMM().fit([[1.0, 2.0]])


def test_what_cannot_be_inverted_is_an_error_with_a_remedy():
    X = np.zeros((50, 2))
    X[:, 0] = np.arange(50)
    with pytest.raises(TrainingError, match=r"larger reg_covar than 0 or scaling"):
        GMM(reg_covar=0).fit(X)


def test_rows_beyond_the_limit_are_left_out(problem, caplog):
    X, _ = problem
    with caplog.at_level(logging.WARNING):
        limited = GMM(max_rows=100, random_state=0).fit(X)
    assert "GMM learns from 100 of 420 rows" in caplog.text
    assert "cost grows with their number; max_rows" in caplog.text
    assert len(limited.weights_) == 3
    assert len(GMM(random_state=0).fit(X).weights_) == 8


def test_pictures():
    pictures = np.random.default_rng(0).integers(0, 40, (50, 2, 4, 4), dtype=np.uint8)
    odd = pictures[:1].copy()
    odd[0, 1, 3, 3] = 255
    detector = GMM(random_state=0).fit(pictures)
    assert detector.anomaly_score(odd) > detector.anomaly_score(pictures).max()
    heat = detector.explain(odd)
    assert heat.shape == (1, 4, 4)
    assert heat[0].argmax() == 15


@pytest.mark.parametrize("kind", KINDS)
def test_saved_and_loaded_scores_are_equal(problem, kind, tmp_path):
    X, _ = problem
    detector = GMM(covariance_type=kind, random_state=0).fit(X)
    detector.save(tmp_path / "gmm.crow")
    loaded = load(tmp_path / "gmm.crow")
    assert_array_equal(loaded.anomaly_score(X), detector.anomaly_score(X))
    assert_array_equal(loaded.explain(X[:3]), detector.explain(X[:3]))


@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        ("n_components", 0),
        ("covariance_type", "tied"),
        ("reg_covar", -1.0),
        ("shrinkage", -1.0),
        ("shrinkage", "full"),
        ("max_iter", 0),
        ("scaling", "l2"),
        ("max_rows", 1),
    ],
)
def test_illegal_values_are_named(problem, parameter, value):
    with pytest.raises(ParameterError, match=f"'{parameter}' parameter .* {value!r}"):
        GMM(**{parameter: value}).fit(problem[0])


# ------------------------------------------------------- rows far out, by themselves


@pytest.mark.parametrize("d", [1, 3, 10, 20, 70])
@pytest.mark.parametrize(("n", "n_odd"), [(100, 1), (100, 2), (400, 1), (400, 5)])
def test_a_few_rows_far_out_get_no_gaussian(n, d, n_odd):
    """A Gaussian of its own made a lone row the least odd of all."""
    X = np.random.default_rng(0).normal(size=(n, d))
    X[7 : 7 + n_odd] = 9 + 0.3 * np.random.default_rng(1).normal(size=(n_odd, d))
    detector = GMM(random_state=0).fit(X)
    scores = detector.anomaly_score(X)
    assert scores[7 : 7 + n_odd].min() > np.delete(scores, range(7, 7 + n_odd)).max()
    assert_allclose(detector.weights_.sum(), 1)


@pytest.mark.parametrize("kind", ["moderate", "one column", "far in one", "clusters"])
@pytest.mark.parametrize("d", [2, 10, 30, 60])
@pytest.mark.parametrize("n", [100, 400])
def test_a_lone_row_is_first_where_each_gaussian_has_few_rows(n, d, kind):
    """It bent the covariance of the 20 to 50 rows around it towards itself."""
    for seed in range(4):
        rng = np.random.default_rng(seed)
        X = rng.normal(size=(n, d))
        if kind == "moderate":
            X[7] = 5
        elif kind == "one column":
            X[7, 0] = 9 if d < 60 else 15  # 9 is hidden among 60 columns of 100 rows
        elif kind == "far in one":
            X[7, 0] = 50
        else:
            X += rng.normal(0, 6, (5, d))[rng.integers(0, 5, n)]
            X[7] = 30 * np.sqrt(d) * X[7] / np.linalg.norm(X[7])
        assert GMM(random_state=seed).fit_score(X).argmax() == 7


def test_rows_far_out_in_several_places():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(1000, 8))
    X[:6] = 20 * rng.normal(size=(6, 8))
    scores = GMM(random_state=0).fit(X).anomaly_score(X)
    assert scores[:6].min() > scores[6:].max()


def test_a_cluster_of_normal_rows_keeps_its_gaussian():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(1000, 4))
    X[:40] = 8 + 0.5 * rng.normal(size=(40, 4))
    scores = GMM(random_state=0).fit(X).anomaly_score(X)
    assert np.median(scores[:40]) < np.quantile(scores, 0.95)


def test_no_more_than_a_quarter_of_the_rows_is_left_out():
    """Many small clusters: what is left of them has no Gaussian, and no vote."""
    rng = np.random.default_rng(0)
    X = np.r_[rng.normal(size=(150, 2)), rng.uniform(-90, 90, (50, 2))]
    detector = GMM(random_state=0).fit(X)
    assert np.isfinite(detector.anomaly_score(X)).all()
    assert_allclose(detector.weights_.sum(), 1)
