import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import stats
from sklearn.metrics import roc_auc_score
from sklearn.utils.estimator_checks import parametrize_with_checks

from whitecrow.detectors import ecod
from whitecrow.detectors.ecod import ECOD
from whitecrow.errors import ParameterError
from whitecrow.saving import load

COMBINE = ["columns", "rows"]


@pytest.fixture
def problem():
    """Columns skewed to the left, to the right and not; 20 odd rows at the end."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(420, 6))
    X[:, 0] = -rng.exponential(size=420)
    X[:, 1] = rng.exponential(size=420)
    X[400:] += rng.choice([-3, 3], (20, 6))
    return X, np.arange(420) >= 400


@parametrize_with_checks([ECOD(combine="rows")])
def test_sklearn_contract(estimator, check):
    check(estimator)


def test_definition_on_four_rows():
    X = np.array([[0.0, 1.0], [1.0, 1.0], [1.0, 2.0], [9.0, 0.0]])
    left = -np.log(np.array([[1, 3], [3, 3], [3, 4], [4, 1]]) / 4)
    right = -np.log(np.array([[4, 3], [3, 3], [3, 1], [1, 4]]) / 4)
    by_column = ECOD().fit(X)
    assert_allclose(by_column.explain(X), np.maximum(left, right), atol=1e-15)
    # The first column is skewed to the right; the second not at all, as of the right.
    by_row = ECOD(combine="rows").fit(X)
    sums = np.maximum(left.sum(axis=1), right.sum(axis=1))
    assert_allclose(by_row.anomaly_score(X), sums)


def test_the_paper_takes_the_largest_of_three_sums(problem):
    X, _ = problem
    n = len(X)
    left = -np.log((X[:, None] >= X).sum(axis=1) / n)
    right = -np.log((X[:, None] <= X).sum(axis=1) / n)
    skewed = np.where(stats.skew(X) < 0, left, right)
    expected = np.max([part.sum(axis=1) for part in (left, right, skewed)], axis=0)
    detector = ECOD(combine="rows").fit(X)
    assert_allclose(detector.anomaly_score(X), expected)
    # Each of the three is the largest one for some rows.
    sums = np.stack([part.sum(axis=1) for part in (left, right, skewed)])
    assert set(sums.argmax(axis=0)) == {0, 1, 2}


def test_training_scores_are_those_of_pyod(problem):
    pyod = pytest.importorskip("pyod.models.ecod")
    X, _ = problem
    assert_allclose(ECOD().fit(X).anomaly_score(X), pyod.ECOD().fit(X).decision_scores_)


def test_new_rows_rank_as_in_pyod(problem):
    # There a new row counts in its own tail, and ends beyond the training rows tie.
    pyod = pytest.importorskip("pyod.models.ecod")
    X, _ = problem
    new = np.random.default_rng(1).normal(0, 1.5, size=(50, 6))
    theirs = [pyod.ECOD().fit(X).decision_function(row[None])[0] for row in new]
    ours = ECOD().fit(X).anomaly_score(new)
    assert stats.spearmanr(ours, theirs).statistic > 0.99


@pytest.mark.parametrize("combine", COMBINE)
def test_finds_tails_and_only_tails(problem, combine):
    X, anomaly = problem
    detector = ECOD(combine=combine).fit(X[:400])
    assert roc_auc_score(anomaly, detector.anomaly_score(X)) > 0.95
    shuffled = np.random.default_rng(1).permuted(X, axis=0)
    assert roc_auc_score(anomaly, detector.anomaly_score(shuffled)) < 0.7


@pytest.mark.parametrize("combine", COMBINE)
def test_units_and_row_order_do_not_matter(problem, combine):
    X, _ = problem
    order = np.random.default_rng(0).permutation(len(X))
    changed = X * np.geomspace(1e-6, 1e6, 6) + 1
    new = np.concatenate([X, 2 * X])
    before = ECOD(combine=combine).fit(X)
    after = ECOD(combine=combine).fit(changed[order])
    assert_allclose(
        after.anomaly_score(new * np.geomspace(1e-6, 1e6, 6) + 1),
        before.anomaly_score(new),
    )


def test_the_tail_goes_on_beyond_the_training_rows():
    X = np.array([[-1.0], [1.0]] * 50)
    detector = ECOD().fit(X)
    scores = detector.anomaly_score([[1.0], [2.0], [-3.0]])
    assert_allclose(scores, np.log([2, 100 * 2, 100 * 3]))


@pytest.mark.parametrize("combine", COMBINE)
def test_contributions_add_up_to_the_score(problem, combine, monkeypatch):
    X, _ = problem
    detector = ECOD(combine=combine).fit(X)
    parts = detector.explain(X)
    assert (parts >= 0).all()
    monkeypatch.setattr(ecod, "_BLOCK", 30)
    assert_allclose(detector.anomaly_score(X), parts.sum(axis=1))
    odd = np.median(X, axis=0, keepdims=True)
    odd[0, 3] = 6.0
    assert detector.explain(odd)[0].argmax() == 3


@pytest.mark.parametrize("n", [1, 7, 1000])
@pytest.mark.parametrize("d", [1, 2, 6, 274])
def test_any_shape(n, d):
    X = np.random.default_rng(0).normal(size=(n, d))
    X[:, -1] = 3.0
    X[0] = 0
    detector = ECOD().fit(X)
    far = X[-1:] + np.array([[1e2], [1e6], [1e50], [1e300]])
    scores = detector.anomaly_score(np.concatenate([X, far]))
    assert np.isfinite(scores).all()
    assert (np.diff(scores[-4:]) > 0).all()
    assert_array_equal(detector.anomaly_score(X[:1]), scores[:1])


def test_pictures():
    pictures = np.random.default_rng(0).integers(0, 40, (50, 2, 4, 4), dtype=np.uint8)
    odd = pictures[:1].copy()
    odd[0, 1, 3, 3] = 255
    detector = ECOD().fit(pictures)
    assert detector.anomaly_score(odd) > detector.anomaly_score(pictures[:1])
    assert detector.explain(odd).shape == (1, 4, 4)


def test_saved_and_loaded_scores_are_equal(problem, tmp_path):
    X, _ = problem
    detector = ECOD(combine="rows").fit(X)
    detector.save(tmp_path / "ecod.crow")
    loaded = load(tmp_path / "ecod.crow")
    assert_array_equal(loaded.anomaly_score(2 * X), detector.anomaly_score(2 * X))
    assert_array_equal(loaded.explain(X[:3]), detector.explain(X[:3]))


def test_illegal_values_are_named(problem):
    with pytest.raises(ParameterError, match=r"'combine' parameter .* 'both'"):
        ECOD(combine="both").fit(problem[0])
