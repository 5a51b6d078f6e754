import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import stats
from sklearn.metrics import roc_auc_score
from sklearn.utils.estimator_checks import parametrize_with_checks

from whitecrow.detectors import hbos
from whitecrow.detectors.hbos import HBOS
from whitecrow.errors import ParameterError
from whitecrow.saving import load

MODES = ["static", "dynamic"]


@pytest.fixture
def problem():
    """Columns with two clusters and, at the end, 20 rows between and beyond them."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(420, 4)) + rng.choice([-4, 4], (420, 4))
    X[400:410] = rng.normal(0, 0.5, (10, 4))
    X[410:] = rng.choice([-9, 9], (10, 4))
    return X, np.arange(420) >= 400


@parametrize_with_checks([HBOS(mode="dynamic", n_bins="sqrt")])
def test_sklearn_contract(estimator, check):
    check(estimator)


def test_definition():
    X = np.array([0.0, 1, 1, 2, 2, 2, 2, 10])[:, None]
    detector = HBOS(n_bins=5, alpha=0.1).fit(X)
    # bins of width 2: 3, 4, 0, 0, 1
    expected = -np.log((np.array([3, 4, 0, 0, 1]) / 4 + 0.1) / 1.1)
    assert_allclose(detector.anomaly_score([[1.0], [3], [5], [7], [10]]), expected)


def test_beyond_the_training_rows():
    X = np.arange(100.0)[:, None] / 99 * 10
    detector = HBOS(n_bins=5, alpha=0.1).fit(X)
    # bins of width 2 and height 1, a range of 10
    scores = detector.anomaly_score([[10.0], [11], [12], [20], [-10]])
    heights = np.array([1, 0.5, 0, 0, 0])
    tail = np.log1p([0, 0.1, 0.2, 1, 1])
    assert_allclose(scores, tail - np.log((heights + 0.1) / 1.1), atol=1e-12)


def test_bins_of_equal_numbers():
    X = np.concatenate([np.linspace(0, 1, 51), np.linspace(1, 11, 51)[1:]])[:, None]
    detector = HBOS(n_bins=2, mode="dynamic", alpha=0.01).fit(X)
    assert_allclose(detector.edges_, [[0, 1 / 11, 1]])
    assert_allclose(detector.heights_, [[1, 0.1 * 51 / 50]], rtol=1e-12)


def test_equal_values_share_a_bin():
    X = np.array([0.0] * 70 + [5.0] * 20 + [9.0] * 10)[:, None]
    detector = HBOS(mode="dynamic").fit(X)
    # [0, 5) has 70 rows, [5, 9] has 30 on a width of 4.
    assert_array_equal(detector.bins_, [2])
    assert_allclose(detector.heights_[0, :2], [1, 30 / 4 / (70 / 5)])
    scores = detector.anomaly_score([[0.0], [5.0], [9.0]])
    assert scores[0] == 0
    assert 0 < scores[1] == scores[2]


@pytest.mark.parametrize("n_bins", [10, 25])
def test_one_column_ranks_as_in_pyod(n_bins):
    pyod = pytest.importorskip("pyod.models.hbos")
    X = np.random.default_rng(0).gamma(2, size=(500, 1))
    theirs = pyod.HBOS(n_bins=n_bins).fit(X).decision_scores_
    ours = HBOS(n_bins=n_bins).fit(X).anomaly_score(X)
    ranks = [stats.rankdata(scores.round(12)) for scores in (ours, theirs)]
    assert_array_equal(*ranks)


def test_columns_with_equal_histograms_have_the_scores_of_pyod():
    # Only then does the regulariser of PyOD mean the same in all columns.
    pyod = pytest.importorskip("pyod.models.hbos")
    rng = np.random.default_rng(0)
    values = rng.normal(size=500)
    X = np.stack([rng.permutation(values) for _ in range(4)], axis=1)
    counts, edges = np.histogram(values, 10)
    alpha = 0.1 * 500 * (edges[1] - edges[0]) / counts.max()
    theirs = pyod.HBOS(alpha=0.1).fit(X).decision_scores_
    ours = HBOS(alpha=alpha).fit(X).anomaly_score(X)
    assert_allclose(
        ours / np.log(2) - theirs, np.full(500, (ours / np.log(2) - theirs)[0])
    )


@pytest.mark.parametrize("mode", MODES)
def test_finds_rare_values_also_in_the_middle(problem, mode):
    X, anomaly = problem
    detector = HBOS(mode=mode).fit(X[:400])
    assert roc_auc_score(anomaly, detector.anomaly_score(X)) > 0.99
    shuffled = np.random.default_rng(1).permuted(X, axis=0)
    assert roc_auc_score(anomaly, detector.anomaly_score(shuffled)) < 0.7


@pytest.mark.parametrize("mode", MODES)
def test_units_and_row_order_do_not_matter(problem, mode):
    X, _ = problem
    order = np.random.default_rng(0).permutation(len(X))
    units = 2.0 ** np.array([-20, 20, 3, 1])
    before = HBOS(mode=mode).fit(X)
    after = HBOS(mode=mode).fit(X[order] * units)
    assert_allclose(
        after.anomaly_score(3 * X * units), before.anomaly_score(3 * X), atol=1e-12
    )


@pytest.mark.parametrize(
    ("parameter", "value"),
    [("n_bins", 20), ("n_bins", "sqrt"), ("mode", "dynamic"), ("alpha", 0.1)],
)
def test_every_parameter_has_an_effect(problem, parameter, value):
    X, _ = problem
    usual = HBOS().fit(X).anomaly_score(X)
    changed = HBOS(**{parameter: value}).fit(X).anomaly_score(X)
    assert np.abs(usual - changed).max() > 0.1


def test_the_square_root_of_the_rows(problem):
    assert HBOS(n_bins="sqrt").fit(problem[0]).heights_.shape == (4, 20)


@pytest.mark.parametrize("mode", MODES)
def test_contributions_add_up_to_the_score(problem, mode, monkeypatch):
    X, _ = problem
    detector = HBOS(mode=mode).fit(X)
    parts = detector.explain(X)
    assert (parts >= 0).all()
    monkeypatch.setattr(hbos, "_BLOCK", 30)
    assert_allclose(detector.anomaly_score(X), parts.sum(axis=1))
    assert detector.explain([[4.0, -4.0, 0.0, 4.0]])[0].argmax() == 2


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("n", [1, 7, 1000])
@pytest.mark.parametrize("d", [1, 2, 6, 274])
def test_any_shape(n, d, mode):
    X = np.random.default_rng(0).normal(size=(n, d))
    X[:, -1] = 3.0
    X[0] = 0
    detector = HBOS(mode=mode).fit(X)
    far = X[-1:] + np.array([[1e2], [1e6], [1e50], [1e300]])
    scores = detector.anomaly_score(np.concatenate([X, far]))
    assert np.isfinite(scores).all()
    assert (np.diff(scores[-4:]) > 0).all()
    assert_array_equal(detector.anomaly_score(X[:1]), scores[:1])


def test_pictures():
    pictures = np.random.default_rng(0).integers(0, 40, (50, 2, 4, 4), dtype=np.uint8)
    odd = pictures[:1].copy()
    odd[0, 1, 3, 3] = 255
    detector = HBOS().fit(pictures)
    assert detector.anomaly_score(odd) > detector.anomaly_score(pictures[:1])
    assert detector.explain(odd)[0].argmax() == 15


def test_saved_and_loaded_scores_are_equal(problem, tmp_path):
    X, _ = problem
    detector = HBOS(mode="dynamic").fit(X.round())
    detector.save(tmp_path / "hbos.crow")
    loaded = load(tmp_path / "hbos.crow")
    assert_array_equal(loaded.anomaly_score(2 * X), detector.anomaly_score(2 * X))
    assert_array_equal(loaded.explain(X[:3]), detector.explain(X[:3]))


@pytest.mark.parametrize(
    ("parameter", "value"), [("n_bins", 0), ("mode", "auto"), ("alpha", 0.0)]
)
def test_illegal_values_are_named(problem, parameter, value):
    with pytest.raises(ParameterError, match=f"'{parameter}' parameter .* {value!r}"):
        HBOS(**{parameter: value}).fit(problem[0])
