"""Metrics against golden values, brute force and scikit-learn."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import f1_score

from whitecrow import metrics
from whitecrow.errors import DataError, LabelError, ParameterError, UserError

TENTHS = np.arange(1, 11) / 10
Y = [0, 0, 0, 0, 1, 0, 0, 0, 1, 1]

ranked = st.integers(2, 25).flatmap(
    lambda n: st.tuples(
        st.lists(st.integers(0, 1), min_size=n, max_size=n),
        st.lists(st.integers(0, 6), min_size=n, max_size=n),
    )
)


def with_both(pair):
    y, score = pair
    return [0, 1, *y], [3, 3, *score]


def test_golden_values_of_the_specification():
    assert metrics.auroc(Y, TENTHS) == pytest.approx(0.8571428571, abs=1e-9)
    assert metrics.average_precision(Y, TENTHS) == pytest.approx(0.8333333333, abs=1e-9)
    threshold = metrics.percentile_threshold(TENTHS, 0.3)
    assert threshold == pytest.approx(0.73, abs=1e-9)
    found = metrics.flagged(Y, TENTHS, threshold)
    assert found == pytest.approx((3, 2 / 3, 2 / 3, 2 / 3))
    hard = np.full(10, -1.0)
    hard[[6, 8, 9]] = 1
    assert metrics.auroc(Y, hard) == pytest.approx(0.7619047619, abs=1e-9)


def test_golden_threshold_and_grid_of_the_specification():
    score = np.arange(1, 11)
    assert metrics.percentile_threshold(score, 0.2) == pytest.approx(8.2, abs=1e-9)
    y = [0] * 8 + [1, 1]
    assert metrics.flagged(y, score, 8.2) == (2, 1.0, 1.0, 1.0)
    grid = metrics.percentile_grid(0.8)
    assert len(grid) == 100
    np.testing.assert_allclose(grid[[0, 1, -1]], [75.0, 75.1010101, 85.0], atol=1e-6)
    assert metrics.percentile_grid(0.99)[-1] == 100


@pytest.mark.parametrize(
    ("share", "percentile"),
    [(0.2548, 75), (0.0481, 96), (0.3290, 68), (0.6497, 36), (0.6667, 34)],
)
def test_whole_percentiles_of_the_specification(share, percentile):
    score = np.linspace(0, 100, 100_001)
    assert metrics.percentile_threshold(score, share) == pytest.approx(percentile)
    exact = metrics.percentile_threshold(score, share, whole=False)
    assert exact == pytest.approx(100 * (1 - share))


@pytest.mark.parametrize(
    ("share", "f1"),
    [(66 / 259, 0.4062), (93 / 1932, 0.0919), (71_463 / 109_990, 0.7877)],
)
def test_trivial_f1_of_the_specification(share, f1):
    n = 20_000
    y = np.arange(n) < share * n
    assert metrics.trivial_f1(y) == pytest.approx(f1, abs=2e-4)
    everything = metrics.flagged(y, np.zeros(n), 0.0)
    assert everything.f1 == pytest.approx(metrics.trivial_f1(y), abs=1e-12)


@given(ranked.map(with_both))
def test_auroc_is_the_chance_to_win_a_pair(pair):
    y, score = map(np.array, pair)
    wins = [
        (a > b) + (a == b) / 2
        for a, b in itertools.product(score[y == 1], score[y == 0])
    ]
    assert metrics.auroc(y, score) == pytest.approx(np.mean(wins))
    assert metrics.auroc(y, -score) == pytest.approx(1 - np.mean(wins))


@given(ranked.map(with_both))
def test_best_f1_is_the_best_of_all_cuts_and_its_threshold_gives_it(pair):
    y, score = map(np.array, pair)
    f1, threshold = metrics.best_f1(y, score)
    tried = [f1_score(y, score >= cut) for cut in np.unique(score)]
    assert f1 == pytest.approx(max(tried))
    assert metrics.flagged(y, score, threshold).f1 == pytest.approx(f1)
    assert f1 >= metrics.trivial_f1(y) - 1e-12


@given(ranked.map(with_both), st.integers(1, 27), st.randoms(use_true_random=False))
def test_precision_at_is_the_mean_over_orders_of_ties(pair, k, random):
    y, score = map(np.array, pair)
    k = min(k, len(y))
    noise = np.random.default_rng(0).random((4000, len(y))) * 0.5
    top = np.argsort(-(score + noise), axis=1)[:, :k]
    expected = y[top].mean()
    found = metrics.precision_at(y, score, k)
    assert found == pytest.approx(expected, abs=0.05)
    order = list(range(len(y)))
    random.shuffle(order)
    assert metrics.precision_at(y[order], score[order], k) == pytest.approx(found)


def test_precision_at_counts_the_anomalies_by_default():
    assert metrics.precision_at(Y, TENTHS) == pytest.approx(2 / 3)
    assert metrics.precision_at(Y, TENTHS, k=1) == 1
    for k in (0, 11, -1):
        with pytest.raises(ParameterError, match=f"k={k} is not in 1 to 10"):
            metrics.precision_at(Y, TENTHS, k=k)


def test_searched_threshold_parts_separable_scores():
    rng = np.random.default_rng(0)
    y = np.repeat([0, 1], [900, 100])
    score = np.where(y, 5.0, 0.0) + rng.random(1000)
    found = metrics.searched_threshold(y, score)
    assert metrics.flagged(y, score, found).f1 == 1


def test_rows_without_a_label_are_left_out():
    y = [0, None, 1, float("nan"), 1, 0]
    score = [0.1, 99, 0.9, -99, 0.2, 0.3]
    assert metrics.summary(y, score) == metrics.summary(
        [0, 1, 1, 0], [0.1, 0.9, 0.2, 0.3]
    )


def test_summary_has_everything_as_plain_numbers():
    found = metrics.summary(Y, TENTHS)
    assert found["n"] == 10
    assert found["n_anomalies"] == 3
    assert found["share"] == 0.3
    assert found["auroc"] == metrics.auroc(Y, TENTHS)
    assert found["average_precision"] == metrics.average_precision(Y, TENTHS)
    assert found["precision_at_n"] == pytest.approx(2 / 3)
    assert found["best_f1"] == pytest.approx(0.8)
    assert found["best_f1_threshold"] == 0.9
    assert found["trivial_f1"] == pytest.approx(0.6 / 1.3)
    assert {type(value) for value in found.values()} == {int, float}


@pytest.mark.parametrize(
    "metric", [metrics.auroc, metrics.summary, metrics.searched_threshold]
)
@pytest.mark.parametrize("y", [[0, 0], [1, 1], [None, None], [None, 1], []])
def test_one_class_is_an_error_with_counts(metric, y):
    with pytest.raises(LabelError, match=r"both classes.* anomalies \(1\)"):
        metric(y, [0.5] * len(y))


@pytest.mark.parametrize(
    "metric",
    [
        metrics.average_precision,
        metrics.precision_at,
        metrics.best_f1,
        lambda y, score: metrics.flagged(y, score, 0.5),
    ],
)
def test_metrics_of_anomalies_need_one_but_no_normal_row(metric):
    with pytest.raises(LabelError, match="an anomaly"):
        metric([0, 0], [0.1, 0.2])
    assert np.max(metric([1, 1], [0.6, 0.7])) >= 1


@pytest.mark.parametrize(
    ("y", "score", "kind", "words"),
    [
        ([0, 1], [0.1, float("nan")], DataError, "score of row 1 is nan"),
        ([0, 1], [float("inf"), 1], DataError, "score of row 0 is inf"),
        ([0, 1], [[0.1], [0.2]], DataError, r"shape \(2, 1\)"),
        ([0, 1, 1], [0.1, 0.2], LabelError, "3 labels for 2 rows"),
        ([0, -1], [0.1, 0.2], LabelError, "negative"),
        ([0, 2], [0.1, 0.2], LabelError, "label 2"),
    ],
)
def test_bad_input_is_named(y, score, kind, words):
    with pytest.raises(kind, match=words) as caught:
        metrics.auroc(y, score)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("share", [0, 1, -0.1, float("nan")])
def test_shares_outside_their_interval(share):
    with pytest.raises(UserError, match="share="):
        metrics.percentile_threshold(TENTHS, share)
    with pytest.raises(UserError, match="normal_share="):
        metrics.percentile_grid(share)
