import logging

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.metrics import roc_auc_score
from sklearn.neighbors import LocalOutlierFactor
from sklearn.utils.estimator_checks import parametrize_with_checks

from whitecrow.detectors.lof import LOF
from whitecrow.errors import DataError, ParameterError
from whitecrow.saving import load


@pytest.fixture
def problem():
    """A dense and a sparse cluster, and 10 rows beside the dense one."""
    rng = np.random.default_rng(0)
    dense, sparse = rng.normal(0, 0.1, (300, 2)), rng.normal(20, 3, (100, 2))
    beside = rng.normal(0, 0.1, (10, 2)) + rng.choice([-2, 2], (10, 2))
    return np.concatenate([dense, sparse, beside]), np.arange(410) >= 400


@parametrize_with_checks([LOF(n_neighbors=5), LOF(p=1, n_neighbors=3)])
def test_sklearn_contract(estimator, check):
    check(estimator)


@pytest.mark.parametrize("d", [2, 30])
@pytest.mark.parametrize("p", [1, 2])
def test_scores_are_those_of_scikit_learn(d, p):
    rng = np.random.default_rng(d)
    train, new = rng.normal(size=(300, d)), rng.normal(size=(50, d)) * 2
    ours = LOF(n_neighbors=15, p=p, scaling="none").fit(train)
    theirs = LocalOutlierFactor(15, p=p).fit(train)
    novelty = LocalOutlierFactor(15, p=p, novelty=True).fit(train)
    assert_allclose(ours.anomaly_score(train), -theirs.negative_outlier_factor_)
    assert_allclose(ours.anomaly_score(new), -novelty.score_samples(new))


def test_local_density_is_what_counts(problem):
    X, anomaly = problem
    assert roc_auc_score(anomaly, LOF().fit(X).anomaly_score(X)) > 0.99
    # The distance alone does not tell them from the sparse cluster.
    distance = np.linalg.norm(X - np.median(X, axis=0), axis=1)
    assert roc_auc_score(anomaly, distance) < 0.9
    shuffled = np.random.default_rng(1).permuted(X, axis=0)
    assert roc_auc_score(anomaly, LOF().fit(X).anomaly_score(shuffled)) < 0.8


def test_units_do_not_matter(problem):
    X, anomaly = problem
    changed = X * [1e6, 1e-3] + [1e7, 0]
    scores = LOF().fit(changed, anomaly).anomaly_score(changed)
    assert_allclose(scores, LOF().fit(X).anomaly_score(X), rtol=1e-5)


class TestEqualRows:
    def test_definition_on_five_rows(self):
        # k = 1, rows at 0 (twice), 1, 3 and 4.
        detector = LOF(n_neighbors=1, scaling="none").fit([[0.0], [0], [1], [3], [4]])
        assert_allclose(np.diff(detector.train_[:, 0]), [1, 2, 1])
        assert_array_equal(detector.counts_, [2, 1, 1, 1])
        assert_array_equal(detector.distance_, [1, 1, 1, 1])
        # Neighbours of 0: its copy (reachable at d_1 = 1), and 1.
        assert_allclose(detector.reach_, [1, 1, 1, 1])
        assert_allclose(detector.anomaly_score([[0.0], [3.0]]), [1, 1])
        # 2.6 is nearest to 3: reach max(1, .4) = 1; 6 is nearest to 4: reach 2.
        assert_allclose(detector.anomaly_score([[2.6], [6.0]]), [1, 2])

    def test_copies_keep_their_weight(self):
        # Neighbours of 0: 2 copies of itself at reach d_2 = 5, 1 at 4, 5 at 4.
        rows = [[0.0], [0], [0], [1], [5]]
        detector = LOF(n_neighbors=2, scaling="none").fit(rows)
        assert_allclose(detector.distance_, [5, 4, 5])
        # of 0: copies twice 5; neighbours 1 (max(1, 4)) and 5 (max(5, 5))
        assert_allclose(detector.reach_[0], (2 * 5 + 4 + 5) / 4)
        # of 1: neighbour 0 three times max(1, 5), 5 once max(4, 5)
        assert_allclose(detector.reach_[1], 5)
        assert_allclose(detector.reach_[2], (3 * 5 + 4) / 4)
        expected = 4.75 * (2 / 4.75 + 1 / 5 + 1 / 4.75) / 4
        assert_allclose(detector.anomaly_score([[0.0]]), [expected])

    def test_many_copies_do_not_make_their_surroundings_infinite(self):
        rng = np.random.default_rng(0)
        X = rng.integers(0, 6, (2000, 2)).astype(float)
        X[-1] = [30, 30]
        scores = LOF().fit(X).anomaly_score(X)
        assert scores.argmax() == 1999
        assert np.median(scores) == pytest.approx(1, abs=0.1)
        assert scores.max() < 20

    def test_a_group_larger_than_k_is_normal(self):
        X = np.random.default_rng(0).normal(size=(200, 2))
        X[:50] = [4, 4]
        scores = LOF(n_neighbors=10).fit(X).anomaly_score(X)
        X[1:50] = [0, 0]
        alone = LOF(n_neighbors=10).fit(X).anomaly_score(X)
        assert scores[0] < 2 < 3 < alone[0]


@pytest.mark.parametrize("levels", [2, 3, 5])
@pytest.mark.parametrize("d", [1, 2, 4, 6])
@pytest.mark.parametrize("n", [60, 400])
def test_few_different_rows_and_one_far_off(n, d, levels):
    """With all of them as neighbours, it was as dense as they are: rank 401 of 401."""
    X = np.random.default_rng(0).integers(0, levels, (n, d)).astype(float)
    X = np.r_[X, np.full((1, d), 9.0)]
    scores = LOF().fit(X).anomaly_score(X)
    assert (scores < scores[-1]).sum() == n


@pytest.mark.parametrize("d", [1, 3, 20])
@pytest.mark.parametrize("lone", [1, 2])
def test_a_lone_row_beside_equal_ones(d, lone):
    """Each place is the other's neighbour, and both had a score of 1."""
    X = np.repeat([[0.0] * d, [5.0] * d], [300, lone], axis=0)
    detector = LOF().fit(X)
    scores = detector.anomaly_score(X)
    assert np.isfinite(scores).all()
    assert_allclose(scores[:300], 1)
    assert scores[300] > 10
    # A row like neither is odd as well, and odder farther out.
    between, beyond = detector.anomaly_score([[2.0] * d, [9.0] * d])
    assert between > 1
    assert scores[300] < beyond


@pytest.mark.parametrize(
    "counts", [(200, 100, 1), (300, 1, 1), (299, 2, 1), (30, 30, 1)]
)
@pytest.mark.parametrize("places", [(0, 1, 9), (0, 1, 2), (0, 5, 6), (3, 0, -1)])
def test_three_different_rows(counts, places):
    """A row whose neighbour is alone too was the least odd of all."""
    X = np.repeat(np.array(places, dtype=float)[:, None], counts, axis=0)
    scores = LOF().fit_score(X)
    assert np.isfinite(scores).all()
    assert scores.argmax() == len(X) - 1
    assert scores[-1] > scores[0] + 0.5


def test_equal_rows_by_hand():
    """300 and 1 rows: `q` = 1 of `k` = 20, so that equal rows are at 1/20 of 5."""
    detector = LOF(scaling="none").fit(np.repeat([[0.0], [5.0]], [300, 1], axis=0))
    assert (detector.n_neighbors_, detector.least_rows_) == (1, 20)
    assert_allclose(detector.distance_, [0.25, 0.25])
    assert_allclose(detector.reach_, [0.25, 5])
    assert_allclose(detector.anomaly_score([[0.0], [5.0], [2.5]]), [1, 20, 10])


@pytest.mark.parametrize("n", [3, 5, 8, 15, 21])
def test_few_rows_and_one_far_off(n):
    """With all others as neighbours of each, it came last."""
    for seed in range(5):
        X = np.random.default_rng(seed).normal(size=(n, 2))
        X[1] = 20
        assert LOF().fit_score(X).argmax() == 1


def test_near_copies_are_copies():
    """Readings in other units and back: equal but for rounding."""
    rng = np.random.default_rng(0)
    X = np.repeat(rng.normal(20, 5, (60, 3)), rng.integers(1, 9, 60), axis=0)
    near = X + 1e-9 * rng.normal(size=X.shape)
    exact, found = LOF(n_neighbors=5).fit(X), LOF(n_neighbors=5).fit(near)
    assert len(found.train_) == 60
    assert_array_equal(np.sort(found.counts_), np.sort(exact.counts_))
    assert_allclose(found.anomaly_score(near), exact.anomaly_score(X), rtol=1e-5)
    more = near + 1e-9 * rng.normal(size=X.shape)
    assert_allclose(found.anomaly_score(more), found.anomaly_score(near), rtol=1e-5)


@pytest.mark.parametrize("scaling", ["standard", "none"])
@pytest.mark.parametrize("unit", [1e-3, 1.0])
def test_near_copies_of_all_rows_leave_an_order(unit, scaling):
    """Most distances were 0 by rounding, and 1 in place of them: all scored 1."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(400, 20))
    X[7] = 4
    X = unit * np.r_[X, X]
    near = X + unit * 1e-12 * rng.normal(size=X.shape)
    scores = LOF(n_neighbors=1, scaling=scaling).fit_score(near)
    exact = LOF(n_neighbors=1, scaling=scaling).fit_score(X)
    assert_allclose(scores, exact, rtol=1e-5)
    assert set(np.argsort(scores)[-2:]) == {7, 407}


def test_a_clump_of_near_copies_and_a_lone_row():
    X = 1 + 1e-9 * np.random.default_rng(0).normal(size=(301, 3))
    X[-1] = 5
    for scaling in ("standard", "none"):
        scores = LOF(scaling=scaling).fit_score(X)
        assert np.isfinite(scores).all()
        assert scores.argmax() == 300


def test_columns_far_from_zero():
    X = np.random.default_rng(0).normal(size=(300, 20))
    far = LOF(scaling="none").fit_score(X + 1e6)
    assert_allclose(far, LOF(scaling="none").fit_score(X), rtol=1e-6)


@pytest.mark.parametrize("n_neighbors", [1, 2, 20])
@pytest.mark.parametrize("distance", [1e-9, 1e-12])
def test_near_copies_have_finite_scores(n_neighbors, distance):
    """At these distances only rounding is left, and a density of 1 / 0."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(400, 20))
    X = np.r_[X, X + distance * rng.normal(size=X.shape)]
    detector = LOF(n_neighbors=n_neighbors)
    assert np.isfinite(detector.fit_score(X)).all()
    assert np.isfinite(detector.explain(X[:5])).all()


@pytest.mark.parametrize("scaling", ["standard", "none"])
def test_tiny_values(scaling):
    X = 1e-200 * np.random.default_rng(0).normal(size=(100, 3))
    assert np.isfinite(LOF(scaling=scaling).fit_score(X)).all()


def test_published_settings(problem):
    """specs/deep_unsupervised.md 7"""
    X, _ = problem
    found = {name: LOF.preset(name).fit(X).least_rows_ for name in LOF.presets}
    assert found == {
        "nrcan-2022": 20,
        "nrcan-2022-kdd": 100,
        "nrcan-2022-ids": 15,
        "nrcan-2022-arrhythmia": 50,
        "nrcan-2022-thyroid": 20,
    }


def test_a_copy_of_a_training_row_has_its_score(problem):
    X, _ = problem
    detector = LOF().fit(X)
    assert_allclose(detector.anomaly_score(X[400:]), detector.anomaly_score(X)[400:])


def test_far_rows_are_finite_and_ordered(problem):
    detector = LOF().fit(problem[0])
    far = np.array([1e3, 1e6, 2e6, 1e50, 1e300])[:, None] * np.ones(2)
    scores = detector.anomaly_score(far)
    assert np.isfinite(scores).all()
    assert (np.diff(scores) > 0).all()


def test_more_neighbours_than_rows(caplog):
    X = np.array([[0.0], [0.0], [1.0], [2.0], [9.0]])
    with caplog.at_level(logging.WARNING):
        detector = LOF(n_neighbors=20).fit(X)
    assert detector.n_neighbors_ == detector.least_rows_ == 2
    assert "n_neighbors=20 is too many for 5 rows; using 2" in caplog.text
    assert np.isfinite(detector.anomaly_score(X)).all()


@pytest.mark.parametrize("X", [[[1.0, 2.0]], [[1.0, 2.0]] * 5])
def test_rows_without_a_neighbour(X):
    with pytest.raises(DataError, match=f"n_samples = {len(X)} and 1 different row"):
        LOF().fit(X)


@pytest.mark.parametrize("p", [1, 2])
def test_contributions_are_shares_of_the_score(problem, p):
    X, _ = problem
    detector = LOF(p=p).fit(X)
    new = np.array([[0.0, 3.0], [2.0, 0.0], X[0]])
    parts = detector.explain(new)
    assert_allclose(parts.sum(axis=1), detector.anomaly_score(new))
    assert_array_equal(parts[:2].argmax(axis=1), [1, 0])


def test_contributions_are_those_of_the_distances():
    detector = LOF(n_neighbors=2, scaling="none").fit(
        [[0.0, 0], [0, 1], [1, 0], [9, 9]]
    )
    parts = detector.explain([[0.0, 4.0]])[0]
    # Neighbours (0, 1) and (0, 0): nothing in the first column.
    assert parts[0] == 0


def test_pictures():
    pictures = np.random.default_rng(0).integers(0, 40, (50, 2, 4, 4), dtype=np.uint8)
    odd = pictures[:1].copy()
    odd[0, 1, 3, 3] = 255
    detector = LOF(n_neighbors=5).fit(pictures)
    assert detector.anomaly_score(odd) > detector.anomaly_score(pictures).max()
    heat = detector.explain(odd)
    assert heat.shape == (1, 4, 4)
    assert heat[0].argmax() == 15


def test_more_rows_than_the_limit(problem, caplog):
    X, anomaly = problem
    with caplog.at_level(logging.WARNING):
        detector = LOF(max_rows=200, random_state=0).fit(X)
    assert "200 of 410" in caplog.text
    assert detector.counts_.sum() == 200
    assert roc_auc_score(anomaly, detector.anomaly_score(X)) > 0.9


def test_saved_and_loaded_scores_are_equal(problem, tmp_path):
    X, _ = problem
    detector = LOF().fit(X)
    detector.save(tmp_path / "lof.crow")
    loaded = load(tmp_path / "lof.crow")
    assert_array_equal(loaded.anomaly_score(X), detector.anomaly_score(X))
    assert_array_equal(loaded.explain(X[:3]), detector.explain(X[:3]))


@pytest.mark.parametrize(
    ("parameter", "value"), [("n_neighbors", 0), ("p", 3), ("scaling", "l2")]
)
def test_illegal_values_are_named(problem, parameter, value):
    with pytest.raises(ParameterError, match=f"'{parameter}' parameter .* {value!r}"):
        LOF(**{parameter: value}).fit(problem[0])
