"""Intervals cover the truth as often as they say, also where the data are few."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from whitecrow.errors import DataError, LabelError, ParameterError
from whitecrow.metrics import across_runs, across_seeds, auroc, auroc_interval


def coverage(m: int, n: int, gap: float, runs: int = 400) -> float:
    """Share of planted rankings whose interval holds the true AUROC."""
    rng = np.random.default_rng([m, n])
    truth, y = stats.norm.cdf(gap / np.sqrt(2)), np.repeat([0, 1], [n, m])
    hits = 0
    for _ in range(runs):
        found = auroc_interval(y, rng.normal(gap * y))
        hits += found.low <= truth <= found.high
    return hits / runs


@pytest.mark.parametrize("gap", [0.0, 1.0, 2.0])
@pytest.mark.parametrize("m", [3, 5, 10, 30])
def test_the_auroc_is_covered_with_few_anomalies_too(m: int, gap: float) -> None:
    """A bootstrap had 0.61 with 3 anomalies, and 0.78 with 5."""
    assert 0.925 <= coverage(m, 100, gap) <= 0.995


def test_a_perfect_ranking_of_three_is_no_proof() -> None:
    found = auroc_interval([0] * 100 + [1] * 3, range(103))
    assert found.estimate == found.high == 1
    assert found.low == pytest.approx(0.7, abs=0.02)


def test_the_ends_are_where_the_variance_says() -> None:
    """Newcombe's method 5: as far away as z standard errors there, on both sides."""
    y, score = np.repeat([0, 1], [40, 12]), np.random.default_rng(0).normal(size=52)
    score[40:] += 1
    found = auroc_interval(y, score, level=0.9)
    k = (12 + 40) / 2 - 1
    for end in (found.low, found.high):
        spread = 1 + k * (1 - end) / (2 - end) + k * end / (1 + end)
        error = np.sqrt(end * (1 - end) * spread / (12 * 40))
        assert abs(found.estimate - end) == pytest.approx(1.6448536 * error)


def test_labels_the_other_way_round_turn_it_over() -> None:
    rng = np.random.default_rng(0)
    y, score = rng.integers(0, 2, 60), rng.normal(size=60)
    one, other = auroc_interval(y, score), auroc_interval(1 - y, score)
    assert one.low == pytest.approx(1 - other.high)
    assert one.estimate == auroc(y, score)


def test_level_widens_and_rows_narrow() -> None:
    y = np.repeat([0, 1], [40, 20])
    score = np.random.default_rng(0).normal(y)
    usual, wide = auroc_interval(y, score), auroc_interval(y, score, level=0.99)
    assert wide.low < usual.low < usual.estimate < usual.high < wide.high
    many = auroc_interval(np.tile(y, 50), np.tile(score, 50))
    assert many.high - many.low < 0.3 * (usual.high - usual.low)


def test_rows_without_a_label_are_left_out() -> None:
    y, score = [0, 1, 0, 1, None], [0.1, 0.9, 0.8, 0.7, 5.0]
    assert auroc_interval(y, score) == auroc_interval(y[:4], score[:4])


def test_bad_input() -> None:
    with pytest.raises(ParameterError, match="level=95"):
        auroc_interval([0, 1], [0.1, 0.2], level=95)
    with pytest.raises(LabelError, match="both classes"):
        auroc_interval([0, 0], [0.1, 0.2])
    with pytest.raises(ParameterError, match="level=2"):
        across_runs([1.0], level=2)
    for bad in ([], [0.9, float("nan")]):
        with pytest.raises(DataError, match="results over seeds"):
            across_runs(bad)


@pytest.mark.parametrize("n", [3, 5, 10])
def test_few_runs_are_covered_too(n: int) -> None:
    """A bootstrap had 0.73 with 3 runs, and 0.84 with 5."""
    rng = np.random.default_rng(n)
    found = [across_runs(rng.normal(2, 1, n)) for _ in range(1000)]
    assert 0.93 <= np.mean([one.low <= 2 <= one.high for one in found]) <= 0.97


def test_one_run_says_nothing_about_others() -> None:
    found = across_runs([3.0])
    assert found.estimate == 3
    assert np.isnan([found.low, found.high]).all()


def test_standard_error_over_seeds() -> None:
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
