"""Simulated annotators, and how much their errors cost."""

import numpy as np
import pytest

import whitecrow as wc
from whitecrow.active import Annotator, Loop, simulate
from whitecrow.errors import LabelError, ParameterError

Y = np.arange(2000) % 4 == 0
ALL = np.arange(2000)


def said(annotator):
    return np.array(annotator.answer(ALL))


def test_perfect():
    np.testing.assert_array_equal(said(Annotator(Y)) == "anomaly", Y)


@pytest.mark.parametrize("share", [0.05, 0.1, 0.2])
def test_noisy_errs_in_both_kinds(share):
    wrong = (said(Annotator.noisy(Y, share, random_state=0)) == "anomaly") != Y
    assert wrong[Y].mean() == pytest.approx(share, abs=0.04)
    assert wrong[~Y].mean() == pytest.approx(share, abs=0.04)


def test_one_sided_errors():
    wrong = (said(Annotator(Y, missed=0.3, random_state=0)) == "anomaly") != Y
    assert wrong[Y].mean() == pytest.approx(0.3, abs=0.05)
    assert not wrong[~Y].any()
    wrong = (said(Annotator(Y, false_alarms=0.3, random_state=0)) == "anomaly") != Y
    assert not wrong[Y].any()


def test_lazy():
    words = said(Annotator(Y, unsure=0.2, skip=0.5, random_state=0))
    assert (words == "skip").mean() == pytest.approx(0.5, abs=0.04)
    assert (words == "unsure").mean() == pytest.approx(0.1, abs=0.03)


def test_a_row_gets_the_same_answer_again():
    annotator = Annotator(Y, missed=0.5, unsure=0.3, random_state=0)
    first = said(annotator)
    assert annotator.answer(ALL[::-1]) == first[::-1].tolist()


def test_bad_input():
    with pytest.raises(ParameterError, match="missed=2"):
        Annotator(Y, missed=2)
    with pytest.raises(LabelError, match="row 1 has no label"):
        Annotator([0, None, 1])


def test_simulation_ends_with_an_annotator_who_always_skips():
    X = np.random.default_rng(0).normal(size=(30, 2))
    loop = Loop(wc.HBOS(), X, budget=20, random_state=0)
    simulate(loop, Annotator(np.zeros(30), skip=1.0), 20, batch=5)
    assert loop.spent == 0


def planted(seed, n=600, odd=60):
    """Anomalies off the plane that the normal rows are near; some are for testing."""
    rng = np.random.default_rng(seed)
    plane = rng.normal(size=(3, 8))
    X = rng.normal(size=(2 * n, 3)) @ plane + 0.3 * rng.normal(size=(2 * n, 8))
    y = np.zeros(2 * n, dtype=int)
    hit = rng.choice(2 * n, 2 * odd, replace=False)
    X[hit] = rng.normal(size=(2 * odd, 8)) * X.std(axis=0)
    y[hit] = 1
    return X[:n], y[:n], X[n:], y[n:]


def held_out_auroc(noise, seed, questions=60):
    X, y, X_new, y_new = planted(seed)
    detector = wc.DeepSAD(epochs=30, pretrain=False)
    loop = Loop(detector, X, strategy="mixed", random_state=seed)
    annotator = Annotator.noisy(y, noise, random_state=seed)
    simulate(loop, annotator, questions, batch=30)
    return wc.metrics.auroc(y_new, loop.detector_.anomaly_score(X_new))


@pytest.mark.slow
def test_one_wrong_answer_in_ten_costs_little():
    clean, noisy = (
        np.mean([held_out_auroc(noise, seed) for seed in range(6)])
        for noise in (0.0, 0.1)
    )
    assert clean > 0.85
    assert noisy > clean - 0.03
