"""Threshold protocols: golden values, by hand, and which of them read the truth."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from whitecrow import metrics
from whitecrow.metrics import PROTOCOLS, Scored, outcomes

TENTHS = np.arange(1, 11) / 10
Y = np.array([0, 0, 0, 0, 1, 0, 0, 0, 1, 1], np.int8)
CLEAN = np.zeros(10, np.int8)


def scored(**change):
    facts = {"train": TENTHS - 0.5, "y_train": CLEAN, "test": TENTHS, "y_test": Y}
    return Scored(**{**facts, **change})


def test_the_protocols_are_those_of_the_specification():
    assert list(PROTOCOLS) == [
        "train_quantile",
        "percentile",
        "validation_optimal",
        "test_optimal",
        "combined_theoretical",
        "combined_optimal",
        "test_only_leaking",
        "test_only_optimal",
        "test_only_theoretical",
    ]
    assert [name for name, p in PROTOCOLS.items() if not p.leak] == ["train_quantile"]


def test_golden_percentile():
    found = outcomes(scored())
    assert found["threshold_percentile"] == pytest.approx(0.73, abs=1e-9)
    assert found["precision_percentile"] == pytest.approx(2 / 3)
    assert found["recall_percentile"] == pytest.approx(2 / 3)
    assert found["f1_percentile"] == pytest.approx(2 / 3)


def test_golden_percentile_with_two_top_anomalies():
    y = np.repeat([0, 1], [8, 2]).astype(np.int8)
    found = outcomes(scored(test=np.arange(1.0, 11), y_test=y))
    assert found["threshold_percentile"] == pytest.approx(8.2, abs=1e-9)
    assert found["f1_percentile"] == 1
    assert found["f1_test_optimal"] == found["f1_test_only_optimal"] == 1


def test_shares_of_the_test_and_of_all_rows():
    """3 of 10 test rows and none of 10 training rows: 30 and 15 percent."""
    found = outcomes(scored())
    assert found["threshold_test_only_leaking"] == pytest.approx(
        np.quantile(TENTHS, 0.7)
    )
    assert found["threshold_test_only_theoretical"] == pytest.approx(
        np.quantile(TENTHS, 0.85)
    )
    together = np.r_[TENTHS - 0.5, TENTHS]
    assert found["threshold_combined_theoretical"] == pytest.approx(
        np.quantile(together, 0.85)
    )
    # The two above 0.85 of the test are anomalies; the third is missed.
    assert found["precision_test_only_theoretical"] == 1
    assert found["recall_test_only_theoretical"] == pytest.approx(2 / 3)


def test_combined_protocols_judge_training_rows_too():
    """Training rows above all test rows are false alarms, whatever the threshold."""
    found = outcomes(scored(train=TENTHS + 5))
    assert found["f1_combined_optimal"] < found["f1_test_only_optimal"]
    assert found["precision_combined_theoretical"] == 0


def test_the_training_quantile_reads_no_truth():
    found = outcomes(scored(contamination=0.2))
    assert found["threshold_train_quantile"] == pytest.approx(0.32)
    other = outcomes(scored(contamination=0.2, y_test=1 - Y, y_train=1 - CLEAN))
    assert other["threshold_train_quantile"] == found["threshold_train_quantile"]
    apart = outcomes(scored(contamination=0.2, validation=TENTHS))
    assert apart["threshold_train_quantile"] == pytest.approx(0.82)


def test_a_score_that_most_training_rows_share_is_not_flagged():
    found = outcomes(
        scored(train=np.full(10, 0.3), test=np.r_[np.full(7, 0.3), 1, 1, 1])
    )
    assert found["recall_train_quantile"] == pytest.approx(2 / 3)


def test_the_search_on_a_fifth_is_seeded_and_judged_by_the_rest():
    rng = np.random.default_rng(0)
    y = np.repeat([0, 1], [800, 200]).astype(np.int8)
    score = y + rng.normal(size=1000)
    runs = [outcomes(scored(test=score, y_test=y, seed=s)) for s in (1, 1, 2)]
    f1 = [run["f1_validation_optimal"] for run in runs]
    assert f1[0] == f1[1] != f1[2]
    whole = metrics.flagged(y, score, runs[0]["threshold_validation_optimal"])
    assert f1[0] == pytest.approx(whole.f1, abs=0.05)
    assert f1[0] != whole.f1


def test_a_part_of_one_class_has_no_number():
    y = np.r_[np.zeros(9), 1].astype(np.int8)
    found = [
        outcomes(scored(y_test=y, seed=s))["f1_validation_optimal"] for s in range(9)
    ]
    assert np.isnan(found).all()  # one anomaly cannot be searched on and judged by
    assert not np.isnan(outcomes(scored(y_test=y))["f1_percentile"])


@given(st.integers(0, 2**16), st.floats(0.05, 0.9))
def test_no_protocol_beats_the_best_threshold(seed, share):
    rng = np.random.default_rng(seed)
    y = (np.arange(60) < max(2, share * 60)).astype(np.int8)
    score = np.round(y + rng.normal(size=60), 1)
    train, truth = rng.normal(size=40), np.zeros(40, np.int8)
    found = outcomes(
        scored(train=train, y_train=truth, test=score, y_test=y, seed=seed)
    )
    best = metrics.best_f1(y, score)[0] + 1e-9
    on_test = set(PROTOCOLS) - {
        "validation_optimal",
        "combined_theoretical",
        "combined_optimal",
    }
    assert all(found[f"f1_{name}"] <= best for name in on_test)
    searched = [found[f"f1_{n}"] for n in ("test_optimal", "test_only_optimal")]
    assert searched[0] == searched[1]


@given(st.integers(0, 2**16))
def test_the_search_is_the_best_of_its_percentiles(seed):
    rng = np.random.default_rng(seed)
    y = (rng.random(50) < 0.3).astype(np.int8)
    y[:2] = 0, 1
    score = np.round(rng.normal(size=50), 1)
    cut = metrics.searched_threshold(y, score)
    grid = np.percentile(score, metrics.percentile_grid(float((y == 0).mean())))
    best = max(metrics.flagged(y, score, each).f1 for each in grid.tolist())
    assert metrics.flagged(y, score, cut).f1 == pytest.approx(best)
