"""Estimates of the share of anomalies: exact cases, limits, coverage."""

import numpy as np
import pytest
from scipy import stats

from whitecrow.active import ratio
from whitecrow.active.ratio import estimate
from whitecrow.errors import ParameterError


def codes_of(n, hits=(), misses=()):
    codes = np.full(n, -1, np.int8)
    codes[list(hits)], codes[list(misses)] = 1, 0
    return codes


def test_answers_at_nearly_the_same_place_count_together():
    rng = np.random.default_rng(0)
    places = np.sort(rng.random(4_000)) ** 3
    odd = rng.random(4_000) < 0.3 * (1 - places)
    depth, alike, rows = ratio._grouped(ratio._depth(places), odd)
    assert rows.sum() == 4_000
    assert (rows[alike].sum(), len(rows) < 1_500) == (odd.sum(), True)
    # One by one: what a group of one is.
    each, shares = 0.0, ratio._LOG_SHARES[-80:]
    for one in (True, False):
        probability = ratio._probability(shares, ratio._depth(places[odd == one]))
        each = each + np.log(probability if one else 1 - probability).sum(axis=-1)
    probability = ratio._probability(shares, depth)
    together = np.log(np.where(alike, probability, 1 - probability)) @ rows
    likely = each > each.max() - 80
    assert likely.sum() > 5
    np.testing.assert_allclose(together[likely], each[likely], atol=0.05)


def test_audit_alone_is_a_beta_binomial_posterior():
    codes = codes_of(1000, hits=[0, 1], misses=range(2, 20))
    found = estimate(codes, np.arange(20), interval="beta")
    rest = stats.betabinom(980, 2.5, 22.5)
    assert found.estimate == pytest.approx((2 + rest.mean()) / 1000, abs=1e-4)
    assert found.low == pytest.approx((2 + rest.ppf(0.05)) / 1000, abs=0.0021)
    assert found.high == pytest.approx((2 + rest.ppf(0.95)) / 1000, abs=0.0021)


def test_exact_is_clopper_pearson():
    codes = codes_of(1000, hits=[0, 1], misses=range(2, 20))
    found = estimate(codes, np.arange(20), interval="exact")
    expected = stats.binomtest(2, 20).proportion_ci(0.9)
    assert found[1:] == pytest.approx((expected.low, expected.high))


def test_without_answers_it_is_the_prior():
    found = estimate(codes_of(500), np.arange(0))
    assert found.estimate == pytest.approx(0.1, abs=0.01)
    assert found.low < 0.01 < 0.25 < found.high


@pytest.mark.parametrize("interval", ["model", "beta", "exact"])
def test_never_outside_what_is_known(interval):
    n, places = 20, (np.arange(20) + 0.5) / 20
    codes = codes_of(n, hits=range(5), misses=range(5, 12))
    found = estimate(codes, np.array([15, 5]), places=places, interval=interval)
    assert 5 / n <= found.low <= found.estimate <= found.high <= 0.5
    all_normal = codes_of(n, misses=range(n))
    found = estimate(all_normal, np.arange(4), places=places, interval=interval)
    assert found.high == pytest.approx(1 / n)


def test_everything_labelled_is_the_share():
    codes = codes_of(40, hits=range(6), misses=range(6, 40))
    places = (np.arange(40) + 0.5) / 40
    found = estimate(codes, np.arange(5), places=places)
    assert found == pytest.approx((0.15, 0.15, 0.15))


def test_chosen_answers_narrow_the_interval():
    """Fifteen normal rows right behind the first five speak against many more."""
    n = 400
    places = (np.arange(n) + 0.5) / n
    audit = np.array([60, 150, 220, 300, 390])
    codes = codes_of(n, hits=range(5), misses=[*range(5, 20), *audit])
    model = estimate(codes, audit, places=places)
    beta = estimate(codes, audit, places=places, interval="beta")
    assert model.high - model.low < 0.6 * (beta.high - beta.low)
    assert model.estimate < beta.estimate
    found = estimate(codes, audit, places=np.full(n, np.nan))
    assert found.estimate == pytest.approx(5 / n)


def test_all_anomalies_where_it_looked_is_not_taken_for_all():
    n = 400
    places = (np.arange(n) + 0.5) / n
    audit = np.array([60, 150, 220, 300, 390])
    codes = codes_of(n, hits=range(15), misses=audit)
    assert estimate(codes, audit, places=places).estimate < 0.2


def test_coverage_on_a_planted_ranking():
    """15 questions by score and 5 at random, 10 % anomalies, a fair ranking."""
    n, inside, errors = 300, 0, []
    for seed in range(200):
        rng = np.random.default_rng(seed)
        y = np.zeros(n, dtype=np.int8)
        y[rng.choice(n, 30, replace=False)] = 1
        order = np.argsort(-(rng.normal(size=n) + 1.5 * y))
        places = np.empty(n)
        places[order] = (np.arange(n) + 0.5) / n
        audit = rng.choice(n, 5, replace=False)
        shown = np.union1d(order[:15], audit)
        codes = np.full(n, -1, np.int8)
        codes[shown] = y[shown]
        found = estimate(codes, audit, places=places)
        inside += found.low <= 0.1 <= found.high
        errors.append(abs(found.estimate - 0.1))
    assert inside >= 180
    assert np.mean(errors) < 0.05


def test_counts_are_exact():
    """Mixtures are not read off a grid: 4 in a thousand of 100,000 rows."""
    mixture = ratio._Mixture(np.array([0.004]), np.array([1.0]))
    found = [ratio._quantile(mixture, 100_000, tail) for tail in (0.05, 0.95)]
    assert found == stats.binom.ppf([0.05, 0.95], 100_000, 0.004).tolist()


def test_bad_input():
    with pytest.raises(ParameterError, match=r"level=1\.5"):
        estimate(codes_of(5), np.arange(0), level=1.5)
    with pytest.raises(ParameterError, match="interval='wald' is not in model, beta"):
        estimate(codes_of(5), np.arange(0), interval="wald")
