"""The bootstrap computes the metric it names and covers what it promises."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, roc_auc_score

from whitecrow.errors import DataError, LabelError, ParameterError
from whitecrow.metrics import across_seeds, auroc, bootstrap, intervals

PEERS = {"auroc": roc_auc_score, "average_precision": average_precision_score}


@given(
    st.lists(
        st.tuples(st.integers(0, 1), st.integers(0, 5), st.integers(0, 4)),
        min_size=1,
        max_size=30,
    ),
    st.sampled_from(sorted(PEERS)),
)
def test_metrics_from_counts_equal_weighted_peers(rows, metric):
    # One certain row of each class, then rows with ties and with weights from zero on.
    y, score, weight = np.array([(0, 2, 1), (1, 3, 1), *rows]).T
    counts = [
        np.bincount(score[y == c], weight[y == c], minlength=6)[None] for c in (1, 0)
    ]
    found = intervals._METRICS[metric](*counts)
    expected = PEERS[metric](y, score, sample_weight=weight)
    assert found[0] == pytest.approx(expected)


@pytest.mark.parametrize("metric", sorted(PEERS))
def test_bootstrap_agrees_with_a_plain_loop(metric):
    rng = np.random.default_rng(0)
    y = np.repeat([0, 1], [150, 50])
    score = np.round(rng.normal(y * 1.2, 1), 1)
    found = bootstrap(y, score, metric=metric, n_resamples=4000, random_state=1)
    assert found.estimate == pytest.approx(PEERS[metric](y, score))
    draws = []
    for _ in range(1500):
        rows = np.concatenate(
            [rng.choice(np.flatnonzero(y == c), (y == c).sum()) for c in (0, 1)]
        )
        draws.append(PEERS[metric](y[rows], score[rows]))
    expected = np.quantile(draws, [0.025, 0.975])
    np.testing.assert_allclose([found.low, found.high], expected, atol=0.012)


def test_chunks_do_not_change_the_resamples(monkeypatch):
    y = np.repeat([0, 1], [30, 10])
    score = np.random.default_rng(0).normal(y)
    monkeypatch.setattr(intervals, "_CELLS", 40)
    small = bootstrap(y, score, n_resamples=3000, random_state=0)
    monkeypatch.undo()
    whole = bootstrap(y, score, n_resamples=3000, random_state=0)
    assert small.low == pytest.approx(whole.low, abs=0.02)
    assert small.high == pytest.approx(whole.high, abs=0.02)


def test_intervals_cover_the_true_value_about_as_often_as_they_say():
    rng = np.random.default_rng(0)
    y = np.repeat([0, 1], [200, 60])
    truth = 0.7602499  # P(N(1, 1) > N(0, 1)) = Phi(1 / sqrt(2))
    hits = 0
    for seed in range(150):
        score = rng.normal(y, 1.0)
        found = bootstrap(y, score, level=0.9, n_resamples=300, random_state=seed)
        hits += found.low <= truth <= found.high
    assert 0.82 <= hits / 150 <= 0.97


def test_bootstrap_repeats_by_seed_and_level_widens():
    y = np.repeat([0, 1], [40, 20])
    score = np.random.default_rng(0).normal(y)
    first, again, other = (bootstrap(y, score, random_state=s) for s in (0, 0, 1))
    assert first == again
    assert first != other
    wide = bootstrap(y, score, level=0.99, random_state=0)
    assert wide.low < first.low < auroc(y, score) < first.high < wide.high


def test_bootstrap_ignores_rows_without_a_label():
    y, score = [0, 1, 0, 1, None], [0.1, 0.9, 0.8, 0.7, 5.0]
    assert bootstrap(y, score, random_state=0) == bootstrap(
        y[:4], score[:4], random_state=0
    )


def test_a_perfect_ranking_has_an_interval_of_one_point():
    found = bootstrap([0, 0, 1, 1], [1, 2, 3, 4], random_state=0)
    assert (found.low, found.estimate, found.high) == (1, 1, 1)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"metric": "f1"}, "metric='f1' is not in auroc, average_precision"),
        ({"level": 95}, "level=95"),
        ({"n_resamples": 0}, "n_resamples=0"),
    ],
)
def test_illegal_parameters_are_named(arguments, words):
    with pytest.raises(ParameterError, match=words):
        bootstrap([0, 1], [0.1, 0.2], **arguments)


def test_one_class_has_no_interval():
    with pytest.raises(LabelError, match="both classes"):
        bootstrap([0, 0], [0.1, 0.2])


def test_standard_error_over_seeds():
    found = across_seeds([1.0, 2.0, 3.0, 4.0])
    assert (found.mean, found.n) == (2.5, 4)
    # variance 5/3 with n - 1, over 4 runs
    assert found.standard_error == pytest.approx(np.sqrt(5 / 3 / 4))
    single = across_seeds([0.9])
    assert single.mean == 0.9
    assert np.isnan(single.standard_error)
    for bad in ([], [0.9, float("nan")]):
        with pytest.raises(DataError, match="results over seeds"):
            across_seeds(bad)
