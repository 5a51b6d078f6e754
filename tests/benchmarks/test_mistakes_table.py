"""Mistakes of the benchmark: how many, of whom, and what a line says of them."""

import mistakes
import numpy as np
import pytest
import soel

TRUTH = np.array([1.0] * 8 + [0.0] * 12 + [np.nan] * 20)
KNOWN = np.arange(20)


def test_one_in_ten_is_wrong():
    lies = mistakes.mistakes(TRUTH, KNOWN, 0.1, False, np.random.default_rng(0))
    assert len(set(lies.tolist())) == 2
    y = mistakes.turned(TRUTH, lies)
    assert np.flatnonzero(y[KNOWN] != TRUTH[KNOWN]).tolist() == sorted(lies)
    assert np.isnan(y[20:]).all()


def test_only_anomalies_are_missed():
    rng = np.random.default_rng(0)
    for _ in range(20):
        lies = mistakes.mistakes(TRUTH, KNOWN, 0.25, True, rng)
        assert TRUTH[lies].tolist() == [1.0, 1.0]


def test_a_line_has_costs_seed_by_seed():
    cases = [
        mistakes.Case(90.0, 88.0, 89.5, 3, 1, 2, 2),
        mistakes.Case(80.0, 78.0, 79.5, 4, 2, 2, 1),
    ]
    assert mistakes.line("any", cases) == [
        *("any", "85.0", "83.0", "2.0 ± 0.0", "84.5", "0.5 ± 0.0"),
        *("3.5", "1.5 of 2.0", "1.5"),
    ]


def test_second_looks_mend_what_is_found(monkeypatch):
    data = soel.Split(np.zeros((40, 1)), TRUTH == 1, None, None)
    told = []
    monkeypatch.setattr(soel, "split", lambda name, seed: data)
    monkeypatch.setattr(soel, "unlabelled", lambda *_: None)
    monkeypatch.setattr(soel, "ask", lambda *_: TRUTH)
    monkeypatch.setattr(
        mistakes, "flagged", lambda _, y, seed: np.flatnonzero((y != TRUTH) & (y >= 0))
    )
    monkeypatch.setattr(mistakes, "auroc", lambda _, y, seed: told.append(y) or 0.0)
    case = mistakes.measure("any", 20, 0.1, False, 1)
    assert case[3:] == (2, 2, 2, 0)
    right, wrong, checked = (np.nansum(y != TRUTH) - 20 for y in told)
    assert (right, wrong) == (0, 2)
    assert checked == pytest.approx(0, abs=1)  # a second look may slip, too
