import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.stats import norm
from sklearn.metrics import f1_score

import whitecrow as wc
from whitecrow import threshold

# specs/deep_unsupervised.md 10, G13
TENTHS = np.arange(1, 11) / 10
G13_LABELS = np.array([0, 0, 0, 0, 1, 0, 0, 0, 1, 1], dtype=np.int8)
NONE = np.full(10, -1, dtype=np.int8)


def test_golden_contamination():
    chosen = threshold.select(TENTHS, NONE, 0.3)
    assert chosen.value == pytest.approx(0.73)
    flagged = chosen.value < TENTHS
    assert flagged.sum() == 3
    assert f1_score(G13_LABELS, flagged) == pytest.approx(2 / 3)


def test_golden_two_of_ten():
    chosen = threshold.from_contamination(np.arange(1.0, 11.0), 0.2)
    assert chosen.value == pytest.approx(8.2)
    assert (np.arange(1.0, 11.0) > chosen.value).sum() == 2


def test_golden_best_f1():
    # specs/active_soel.md 14.9: three anomalies below one false alarm
    scores = np.array([0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.95, 0.7, 0.8, 0.9])
    codes = np.repeat(np.array([0, 1], np.int8), [7, 3])
    value = threshold.from_labels(scores, codes).value
    # Four flagged, three of them right: F1 6/7 beats the 2/3 of three flagged.
    assert (scores > value).tolist() == [False] * 6 + [True] * 4


finite = st.floats(-1e6, 1e6, width=32)


@given(
    scores=hnp.arrays(np.float64, st.integers(2, 40), elements=finite), data=st.data()
)
def test_no_cut_has_a_better_f1(scores, data):
    n = len(scores)
    codes = data.draw(hnp.arrays(np.int8, n, elements=st.sampled_from([-1, 0, 1])))
    codes[:2] = 0, 1
    known = codes >= 0
    y, s = codes[known], scores[known]
    value = threshold.from_labels(scores, codes).value
    best = max(f1(y, s >= cut) for cut in s)
    assert f1(y, s > value) == pytest.approx(best)


def f1(y, flagged):
    return 2 * (y * flagged).sum() / (y.sum() + flagged.sum())


@given(
    scores=hnp.arrays(np.float64, st.integers(1, 60), elements=finite, unique=True),
    share=st.floats(0.01, 0.5),
)
def test_contamination_is_the_share_flagged(scores, share):
    flagged = (scores > threshold.from_contamination(scores, share).value).sum()
    assert abs(flagged - share * len(scores)) <= 1


def test_spread_is_three_standard_deviations_of_a_gaussian():
    scores = norm.ppf((np.arange(10_001) + 0.5) / 10_001, loc=5, scale=2)
    assert threshold.from_spread(scores).value == pytest.approx(11, abs=0.01)


def test_few_extreme_rows_do_not_move_the_spread():
    scores = np.random.default_rng(0).normal(size=1000)
    polluted = scores.copy()
    polluted[:30] = 1e6
    moved = threshold.from_spread(polluted).value - threshold.from_spread(scores).value
    assert abs(moved) < 0.2


def test_where_no_score_stands_out_the_highest_hundredth_is_flagged():
    scores = np.arange(1000.0)
    chosen = threshold.from_spread(scores)
    assert (scores > chosen.value).sum() == 10
    assert "no score stands out" in chosen.source
    assert "median" in threshold.from_spread(np.r_[scores, 1e9]).source


@pytest.mark.parametrize(("n_labels", "decide"), [(10, True), (9, False)])
def test_labels_decide_from_ten_of_each(n_labels, decide):
    scores = np.random.default_rng(0).normal(size=100)
    codes = np.full(100, -1, dtype=np.int8)
    codes[:n_labels], codes[20:50] = 1, 0
    scores[:n_labels] += 10
    chosen = threshold.select(scores, codes, "auto")
    assert ("best F1" in chosen.source) == decide
    assert scores[n_labels:].max() < chosen.value + 5


def test_known_anomalies_do_not_enter_the_spread():
    scores = np.r_[np.arange(100.0), np.full(9, 1e9)]
    codes = np.r_[np.full(100, -1), np.full(9, 1)].astype(np.int8)
    clean = threshold.from_spread(scores[:100])
    assert threshold.select(scores, codes, "auto") == clean


def test_a_share_wins_over_labels():
    codes = np.repeat(np.array([0, 1], np.int8), 50)
    scores = np.random.default_rng(0).normal(size=100) + 9 * codes
    assert (scores > threshold.select(scores, codes, 0.1).value).sum() == 10


@pytest.mark.parametrize("contamination", ["auto", 0.5, 0.001])
def test_equal_scores_and_single_rows_give_a_finite_threshold(contamination):
    for n in (1, 2, 50):
        codes = np.full(n, -1, dtype=np.int8)
        chosen = threshold.select(np.ones(n), codes, contamination)
        assert chosen.value == 1.0
        assert chosen.source


# ------------------------------------------------------------------ where scores tie


def flagged(scores):
    chosen = threshold.from_spread(np.asarray(scores, dtype=float))
    return np.flatnonzero(np.asarray(scores) > chosen.value), chosen.source


@pytest.mark.parametrize("share", [0.45, 0.6, 0.74, 0.76, 0.9, 0.98])
@pytest.mark.parametrize("noise", [0.0, 1e-9])
def test_rows_of_zeros_do_not_make_all_others_odd(share, noise):
    """With three quarters of the rows at 0 the quartiles had no distance: 24 %."""
    rng = np.random.default_rng(0)
    scores = np.where(np.arange(500) < share * 500, 0.0, rng.poisson(2, 500) + 1.0)
    scores += noise * rng.random(500)
    scores[-1] = 60
    found, source = flagged(scores)
    assert 499 in found
    assert len(found) <= 25
    assert source


def test_a_few_discrete_scores():
    found, source = flagged(np.repeat([0.0, 1.0, 2.0], [480, 19, 1]))
    assert found.tolist() == [499]
    found, source = flagged(np.repeat([0.0, 1.0], [480, 20]))
    assert len(found) == 20
    assert "20 training rows share the highest" in source
    assert len(flagged(np.repeat([0.0, 1.0], [300, 200]))[0]) == 0
    assert len(flagged(np.repeat([0.0, 1.0, 2.0, 3.0], [25, 25, 25, 25]))[0]) == 0


@pytest.mark.parametrize("n", range(2, 31))
def test_few_rows(n):
    """The one that is far out is flagged, and of equal ones none."""
    assert len(flagged(np.full(n, 7.25))[0]) == 0
    rounded = 7.25 + 1e-15 * np.arange(n)
    assert len(flagged(rounded)[0]) == 0
    if n >= 4:
        lone = np.r_[np.full(n - 1, 7.25), 100.0]
        assert flagged(lone)[0].tolist() == [n - 1]
        lone = np.r_[np.random.default_rng(n).normal(size=n - 1), 100.0]
        assert n - 1 in flagged(lone)[0]


def test_the_highest_score_shared_by_more_than_a_hundredth():
    """Saturated scores tie at the top, and a quantile among them flags nobody."""
    scores = np.r_[np.linspace(0, 1, 296), np.full(4, 1.0001)]
    found, source = flagged(scores)
    assert found.tolist() == [296, 297, 298, 299]
    assert "4 training rows share the highest" in source


def test_a_share_among_equal_scores_flags_all_of_them_or_none():
    scores = np.repeat([1.0, 2.0], [93, 7])
    assert (scores > threshold.from_contamination(scores, 0.05).value).sum() == 7
    assert (scores > threshold.from_contamination(scores, 0.02).value).sum() == 0
    assert threshold.from_contamination(np.ones(9), 0.5).value == 1.0


def test_scores_without_ties_have_the_threshold_that_they_had():
    for seed in range(20):
        scores = np.random.default_rng(seed).gamma(2, size=500)
        scores[0] = 100
        middle, upper = np.quantile(scores, [0.5, 0.75])
        expected = middle + 3 * ((upper - middle) / 0.6744897501960817)
        assert threshold.from_spread(scores).value == expected


def test_hugely_different_scores():
    scores = np.r_[np.zeros(40), 1e-300, 1.0, 1.7e308]
    assert 42 in flagged(scores)[0]


# ------------------------------------------------------------ where they come in steps

METHODS = [wc.ECOD, wc.HBOS, wc.KNN, wc.IsolationForest, wc.PCA, wc.GMM, wc.KDE, wc.LOF]


@pytest.mark.parametrize("mean", [0.1, 0.3, 1, 5, 10, 30])
@pytest.mark.parametrize("method", METHODS)
def test_of_counts_without_anomalies_a_twentieth_is_flagged_at_most(method, mean):
    """Median and quartile were neighbouring steps: up to 25 % were flagged."""
    seeded = "random_state" in method._get_param_names()
    for n, seed in [(100, 0), (300, 1), (1000, 2)]:
        X = np.random.default_rng(seed).poisson(mean, (n, 1))
        detector = method(random_state=0) if seeded else method()
        scores = detector.fit_score(X)
        assert (scores > detector.threshold_).mean() <= 0.05


def test_a_far_count_is_flagged_all_the_same():
    for method in (wc.ECOD, wc.KNN, wc.PCA):
        X = np.random.default_rng(0).poisson(5, (300, 1))
        X[7] = 60
        assert method().fit_predict(X)[7] == -1


def test_equal_anomalies_beside_scores_that_differ():
    """A tenth of the rows ties, but the usual ones do not: they have a spread."""
    scores = np.r_[np.random.default_rng(0).normal(size=900), np.full(100, 9.0)]
    found, source = flagged(scores)
    assert set(range(900, 1000)) <= set(found)
    assert "next score above: 100, below: 1)" in source


def test_rows_that_are_all_there_twice_have_the_threshold_of_one_copy():
    scores = np.random.default_rng(0).gamma(2, size=500)
    once, twice = (threshold.from_spread(np.repeat(scores, k)).value for k in (1, 2))
    assert once == pytest.approx(twice, rel=0.01)


def test_a_step_stands_in_the_middle_of_its_rows():
    """Mid-ranks by hand: 1, 3.5, 6 and 8 of 0 to 8; median at 4, quartile at 6."""
    scores = np.array([0.0, 0, 0, 2, 2, 4, 4, 4, 20])
    middle = 2 + 2 * (4 - 3.5) / (6 - 3.5)
    expected = middle + 3 * (4 - middle) / 0.6744897501960817
    chosen = threshold.from_spread(scores)
    assert chosen.value == pytest.approx(expected)
    assert "scores tie (rows with the next score above: 1, below: 3)" in chosen.source


def test_a_cut_does_not_divide_scores_that_differ_by_rounding():
    usual = np.random.default_rng(0).normal(size=999)
    high = float(threshold.from_spread(np.r_[usual, 9]).value)
    scores = np.r_[usual, 9, high + 1e-12 * np.arange(-5, 6)]
    found = flagged(scores)[0]
    assert len(set(found) & set(range(1000, 1011))) in {0, 11}


def test_ties_are_told_for_shares_and_labels_too():
    scores = np.repeat([1.0, 2.0, 3.0], [60, 30, 10])
    assert threshold.from_contamination(scores, 0.1).source.endswith(
        "; scores tie (rows with the next score above: 10, below: 30)"
    )
    codes = np.repeat(np.array([0, 1], np.int8), [90, 10])
    assert threshold.from_labels(scores, codes).source.endswith(
        "; scores tie (rows with the next score above: 10, below: 30)"
    )
    assert "tie" not in threshold.from_contamination(np.arange(99.0), 0.1).source
