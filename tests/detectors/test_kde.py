import logging

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.integrate import quad
from scipy.special import logsumexp
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KernelDensity
from sklearn.utils.estimator_checks import parametrize_with_checks

from whitecrow import tables
from whitecrow.detectors import kde
from whitecrow.detectors.kde import KDE
from whitecrow.errors import DataError, ParameterError
from whitecrow.saving import load

KERNELS = list(kde._KERNELS)
ENDING = ["tophat", "epanechnikov", "linear", "cosine"]


@pytest.fixture
def problem():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(420, 3)) * [1, 10, 0.1]
    X[400:] += [5, 0, 0]
    return X, np.arange(420) >= 400


@parametrize_with_checks(
    [
        KDE(),
        KDE(kernel="exponential", bandwidth="silverman"),
        KDE(kernel="epanechnikov"),
    ]
)
def test_sklearn_contract(estimator, check):
    check(estimator)


def test_golden_value():
    detector = KDE(bandwidth=1.0, scaling="none").fit([[0.0], [2.0]])
    assert_allclose(detector.anomaly_score([[1.0]]), [1.41893853], atol=1e-8)


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("d", [1, 2, 7])
def test_new_rows_have_the_density_of_scikit_learn(kernel, d):
    rng = np.random.default_rng(d)
    train, new = rng.normal(size=(200, d)) + 50, rng.normal(size=(50, d)) * 2 + 50
    h = 3.0 if kernel in ENDING and d == 7 else 0.7
    ours = KDE(kernel=kernel, bandwidth=h, scaling="none").fit(train)
    theirs = KernelDensity(kernel=kernel, bandwidth=h).fit(train)
    expected = -theirs.score_samples(new)
    scores = ours.anomaly_score(new)
    seen = np.ones(50, dtype=bool)
    if kernel in ENDING:  # beyond, scikit-learn's is infinite, or what rounding leaves
        seen = np.linalg.norm(new[:, None] - train, axis=2).min(axis=1) < 0.99 * h
    assert seen.sum() > 15
    if kernel == "cosine" and d % 2 == 0:  # scikit-learn's does not integrate to one
        expected += (scores - expected)[seen][0]
    # scikit-learn's tree is off by up to 3e-4 where the density is low.
    assert_allclose(scores[seen], expected[seen], rtol=1e-5)
    assert seen.all() or scores[~seen].min() > scores[seen].max()


def test_kernels_that_end_by_hand():
    """One row at 0 and one far off: the density of one kernel, halved."""
    for kernel, height in [
        ("tophat", 1 / 2),
        ("epanechnikov", 3 / 4 * (1 - 0.25)),
        ("linear", 1 - 0.5),
        ("cosine", np.pi / 4 * np.cos(np.pi / 4)),
    ]:
        detector = KDE(kernel=kernel, bandwidth=2.0, scaling="none")
        score = detector.fit([[0.0], [1000.0]]).anomaly_score([[1.0]])
        assert_allclose(score, -np.log(height / 2 / 2), rtol=1e-7)


@pytest.mark.parametrize("d", [1, 2, 5, 50, 1000])
def test_the_volume_of_the_cosine_kernel_does_not_cancel(d):
    """The terms of scikit-learn's sum grow with the columns, and cancel."""
    moment, _ = quad(lambda t: (1 - t) ** (d - 1) * np.sin(t * np.pi / 2), 0, 1)
    assert_allclose(kde._cosine_moment(d), moment, rtol=1e-9)


@pytest.mark.parametrize("kernel", ENDING)
@pytest.mark.parametrize("d", [1, 3, 20])
def test_rules_give_kernels_that_end_the_variance_of_a_gaussian(kernel, d):
    X = np.random.default_rng(0).normal(size=(300, d))
    wide, gaussian = KDE(kernel=kernel).fit(X), KDE().fit(X)
    h = wide.bandwidth_ / gaussian.bandwidth_
    profile = kde._ENDING[kernel]
    fourth, second = (
        quad(lambda u, p=power: u**p * profile(np.array(u)), 0, 1)[0]
        for power in (d + 1, d - 1)
    )
    assert_allclose(h**2 * fourth / second / d, 1)


def test_the_density_is_exact_where_it_is_low():
    rng = np.random.default_rng(7)
    train, new = rng.normal(size=(200, 7)) + 50, rng.normal(size=(50, 7)) * 2 + 50
    squares = ((new[:, None] - train) ** 2).sum(axis=2)
    density = logsumexp(-squares / 2, axis=1) - np.log(200) - 3.5 * np.log(2 * np.pi)
    ours = KDE(bandwidth=1.0, scaling="none").fit(train)
    assert_allclose(ours.anomaly_score(new), -density, rtol=1e-12)


@pytest.mark.parametrize("kernel", KERNELS)
def test_the_density_integrates_to_one(kernel):
    detector = KDE(kernel=kernel, bandwidth=0.5, scaling="none").fit([[0.0], [1.0]])
    total, _ = quad(
        lambda x: np.exp(-detector.anomaly_score([[x]])[0]),
        *(-30, 30),
        points=[-0.5, 0, 0.5, 1, 1.5],
        limit=200,
    )
    assert total == pytest.approx(1, abs=1e-4)


def test_a_training_row_is_scored_by_the_others():
    train = np.array([[0.0], [0.0], [3.0], [10.0]])
    detector = KDE(bandwidth=1.0, scaling="none").fit(train)
    for row in (1, 2, 3):
        others = KernelDensity(bandwidth=1.0).fit(np.delete(train, row, axis=0))
        expected = -others.score_samples(train[row : row + 1])
        assert_allclose(detector.anomaly_score(train[row : row + 1]), expected)


def test_training_rows_are_ranked_with_many_columns():
    # Each of 40 columns adds about 2 to the squared distance of two rows: compared with
    # itself, every training row would have the density of its own kernel and no other.
    X = np.random.default_rng(0).normal(size=(300, 40))
    X[290:] *= 2
    scores = KDE(bandwidth=0.5).fit(X).anomaly_score(X)
    assert roc_auc_score(np.arange(300) >= 290, scores) == 1


@pytest.mark.parametrize("kernel", KERNELS)
def test_far_rows_are_finite_and_ordered(problem, kernel):
    detector = KDE(kernel=kernel).fit(problem[0])
    far = np.array([10.0, 1e3, 1e6, 1e6 + 1, 1e9, 1e50])[:, None] * np.ones(3)
    scores = detector.anomaly_score(far)
    assert np.isfinite(scores).all()
    assert (np.diff(scores) > 0).all()
    assert np.isfinite(detector.anomaly_score(np.full((1, 3), -1.7e308))).all()


def test_a_large_offset_costs_no_digits():
    X = np.random.default_rng(0).normal(size=(100, 2))
    new = np.array([[0.3, 0.1], [3.0, 0.0]])
    here = KDE(scaling="none").fit(X).anomaly_score(new)
    there = KDE(scaling="none").fit(X + 2.0**30).anomaly_score(new + 2.0**30)
    assert_allclose(there, here, rtol=1e-5)


def test_finds_what_is_beside_the_cloud(problem):
    X, anomaly = problem
    assert roc_auc_score(anomaly, KDE().fit(X).anomaly_score(X)) > 0.97
    shuffled = np.random.default_rng(1).permuted(X, axis=0)
    assert roc_auc_score(anomaly, KDE().fit(X).anomaly_score(shuffled)) < 0.7


def test_units_do_not_matter(problem):
    X, anomaly = problem
    changed = X * [1e6, 1e-6, 1] + [0, 1e3, -1e3]
    scores = KDE().fit(X).anomaly_score(X)
    assert_allclose(
        KDE().fit(changed, anomaly).anomaly_score(changed), scores, rtol=1e-6
    )


class TestBandwidth:
    def test_rules(self):
        X = np.random.default_rng(0).normal(size=(100, 3)) * [1, 2, 3]
        assert KDE().fit(X).bandwidth_ == pytest.approx(100 ** (-1 / 7))
        silverman = (100 * 5 / 4) ** (-1 / 7)
        assert KDE(bandwidth="silverman").fit(X).bandwidth_ == pytest.approx(silverman)
        theirs = KernelDensity(bandwidth="silverman").fit(X).bandwidth_
        assert silverman == pytest.approx(theirs)

    def test_rules_follow_the_units_when_nothing_is_scaled(self):
        X = np.random.default_rng(0).normal(size=(100, 3))
        small, large = (KDE(scaling="none").fit(X * u).bandwidth_ for u in (1, 1000))
        assert large == pytest.approx(1000 * small)

    def test_constant_columns_do_not_count(self):
        X = np.random.default_rng(0).normal(size=(100, 2))
        padded = np.hstack([X, np.ones((100, 5))])
        assert KDE().fit(padded).bandwidth_ == pytest.approx(KDE().fit(X).bandwidth_)

    def test_cv_takes_the_most_likely(self, monkeypatch):
        monkeypatch.setattr(kde, "_GRID", np.array([0.01, 0.4, 30.0]))
        X = np.random.default_rng(0).normal(size=(100, 1))
        detector = KDE(bandwidth="cv", random_state=0).fit(X)
        assert detector.bandwidth_ == pytest.approx(0.4)

    def test_cv_has_the_grid_of_the_deep_sad_code(self):
        published = 2.0 ** np.arange(0.5, 5.5, 0.5)
        assert_allclose(kde._GRID[-10:], published)

    @pytest.mark.parametrize("kernel", ["gaussian", "exponential"])
    @pytest.mark.parametrize("unit", [3.0, 30.0])
    def test_the_published_choice(self, kernel, unit):
        """That of the Deep SAD code: GridSearchCV over its widths, five folds."""
        X = unit * np.random.default_rng(1).normal(size=(100, 4))
        grid = {"bandwidth": 2.0 ** np.arange(0.5, 5.5, 0.5)}
        theirs = GridSearchCV(KernelDensity(kernel=kernel), grid, cv=5).fit(X)
        ours = KDE(kernel=kernel, bandwidth="deep-sad", scaling="none").fit(X)
        assert ours.bandwidth_ == theirs.best_params_["bandwidth"]

    def test_the_published_grid_starts_high(self):
        X = np.random.default_rng(0).uniform(size=(100, 2))
        assert KDE.preset("deep-sad").fit(X).bandwidth_ == pytest.approx(2**0.5)

    def test_cv_agrees_with_a_search_in_scikit_learn(self):
        X = np.random.default_rng(0).normal(size=(60, 2))
        folds = [(np.delete(np.arange(60), t), t) for t in np.arange(60).reshape(5, 12)]
        likelihood = [
            sum(
                KernelDensity(bandwidth=h).fit(X[a]).score_samples(X[b]).sum()
                for a, b in folds
            )
            for h in kde._GRID
        ]
        found = KDE(bandwidth="cv", scaling="none", random_state=0).fit(X).bandwidth_
        expected = kde._GRID[np.argmax(likelihood)] * np.sqrt(X.var(axis=0).mean())
        assert abs(np.log2(found / expected)) < 0.51


@pytest.mark.parametrize("kernel", KERNELS)
def test_contributions_and_entropy_make_up_the_score(problem, kernel):
    X, _ = problem
    detector = KDE(kernel=kernel).fit(X)
    new = np.array([[0.1, 2.0, 0.3], [6.0, -30.0, 0.0]])
    parts = detector.explain(new)
    # s = sum w e - H(w) + log nZ, with e from differences.
    train, rows = detector.train_, detector.scaler_.transform(new)
    distances = np.linalg.norm(rows[:, None] - train, axis=2)
    h = detector.bandwidth_
    e = kde._exponents(distances**2, h, kernel, 3)
    w = np.exp(-e) / np.exp(-e).sum(axis=1, keepdims=True)
    assert_allclose(parts.sum(axis=1), (w * e).sum(axis=1))
    entropy = -(w * np.log(w, where=w > 0, out=np.zeros_like(w))).sum(axis=1)
    rest = detector.anomaly_score(new) - parts.sum(axis=1) + entropy
    assert_allclose(rest[0], rest[1])


@pytest.mark.parametrize("kernel", KERNELS)
def test_contributions_are_divided_as_the_squared_distance(kernel):
    detector = KDE(kernel=kernel, bandwidth=1.0, scaling="none").fit(
        [[0.0, 0.0], [0.0, 0.0]]
    )
    for row in ([0.3, 0.6], [3.0, 6.0]):
        parts = detector.explain([row])[0]
        assert parts[1] == pytest.approx(4 * parts[0], abs=1e-8)


def test_the_odd_column_is_explained_also_for_a_training_row(problem):
    X, _ = problem
    X[7] = [0.0, 60.0, 0.0]
    assert KDE().fit(X).explain(X[7:8])[0].argmax() == 1


def test_pictures(tmp_path):
    pictures = np.random.default_rng(0).integers(0, 40, (50, 2, 4, 4), dtype=np.uint8)
    odd = pictures[:1].copy()
    odd[0, 1, 3, 3] = 255
    detector = KDE().fit(pictures)
    assert detector.anomaly_score(odd) > detector.anomaly_score(pictures).max()
    heat = detector.explain(odd)
    assert heat.shape == (1, 4, 4)
    assert heat[0].argmax() == 15


def test_more_rows_than_the_limit(problem, caplog):
    X, anomaly = problem
    with caplog.at_level(logging.WARNING):
        detector = KDE(max_rows=100, random_state=0).fit(X)
    assert "100 of 420" in caplog.text
    assert detector.train_.shape == (100, 3)
    assert roc_auc_score(anomaly, detector.anomaly_score(X)) > 0.95
    with caplog.at_level(logging.WARNING):
        again = KDE(max_rows=100, random_state=0).fit(X)
    assert_array_equal(again.train_, detector.train_)


def test_scores_do_not_depend_on_blocks(problem, monkeypatch):
    X, _ = problem
    detector = KDE().fit(X)
    whole = detector.anomaly_score(X)
    monkeypatch.setattr(tables, "_BLOCK", 1000)
    assert_allclose(detector.anomaly_score(X), whole, rtol=1e-12)


def test_saved_and_loaded_scores_are_equal(problem, tmp_path):
    X, _ = problem
    detector = KDE(kernel="exponential", bandwidth="cv", random_state=0).fit(X[:100])
    detector.save(tmp_path / "kde.crow")
    loaded = load(tmp_path / "kde.crow")
    assert_array_equal(loaded.anomaly_score(X), detector.anomaly_score(X))
    assert_array_equal(loaded.explain(X[:3]), detector.explain(X[:3]))


def test_one_row_is_not_enough():
    with pytest.raises(DataError, match="n_samples = 1, give at least 2"):
        KDE().fit([[1.0, 2.0]])


@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        ("kernel", "triangle"),
        ("bandwidth", 0.0),
        ("bandwidth", "auto"),
        ("max_rows", 1),
    ],
)
def test_illegal_values_are_named(problem, parameter, value):
    with pytest.raises(ParameterError, match=f"'{parameter}' parameter .* {value!r}"):
        KDE(**{parameter: value}).fit(problem[0])
