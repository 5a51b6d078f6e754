"""Metrics of out-of-distribution detection: golden values, and by brute force."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from whitecrow.errors import LabelError, ParameterError
from whitecrow.metrics import balanced_aupr, detection_error, f1_at_share, fpr_at_tpr
from whitecrow.metrics.ranking import average_precision

# specs/clad.md G4: confidences of normal rows, then of anomalies.
NORMAL, ODD = [0.9, 0.8, 0.7, 0.6, 0.55], [0.75, 0.5, 0.4, 0.3]
Y = np.r_[np.zeros(5), np.ones(4)]
SCORE = -np.r_[NORMAL, ODD]


def test_golden_values():
    assert fpr_at_tpr(Y, SCORE) == 0.25
    assert detection_error(Y, SCORE) == pytest.approx(0.125)
    assert average_precision(Y, SCORE) == pytest.approx(0.8928571429)
    assert average_precision(1 - Y, -SCORE) == pytest.approx(0.8766666667)
    # By hand: the steps of the recall times the precision of two classes of one weight.
    assert balanced_aupr(Y, SCORE) == pytest.approx(0.75 + 0.25 / 1.6)
    accepted = 0.4 + 0.2 * (0.6 / 0.85 + 0.8 / 1.05 + 1 / 1.25)
    assert balanced_aupr(Y, SCORE, positive="normal") == pytest.approx(accepted)


@pytest.mark.parametrize(
    ("score", "f1"),
    [
        ([0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.95, 0.7, 0.8, 0.9], 2 / 3),
        ([0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 0.8, 0.8, 0.9], 0.5),
    ],
)
def test_golden_f1_at_the_true_share(score, f1):
    """specs/active_soel.md 14.9: rows that tie at the threshold are not flagged."""
    assert f1_at_share([0] * 7 + [1] * 3, score).f1 == pytest.approx(f1)


cases = st.lists(st.tuples(st.booleans(), st.integers(0, 6)), min_size=2, max_size=30)


@given(cases.filter(lambda rows: len({odd for odd, _ in rows}) == 2))
def test_every_threshold_by_hand(rows):
    odd = np.array([one for one, _ in rows])
    score = np.array([float(value) for _, value in rows])
    pairs = [
        ((score[~odd] <= cut).mean(), (score[odd] <= cut).mean())
        for cut in [-np.inf, *np.unique(score)]
    ]
    errors = [(1 - normal + missed) / 2 for normal, missed in pairs]
    assert detection_error(odd, score) == pytest.approx(min(errors))
    accepted = [missed for normal, missed in pairs if normal >= 0.95 - 1e-12]
    assert fpr_at_tpr(odd, score) == pytest.approx(min(accepted))


@given(st.integers(1, 20))
def test_balanced_aupr_does_not_depend_on_the_share(times):
    y, score = np.r_[Y, np.zeros(5 * times)], np.r_[SCORE, np.tile(SCORE[:5], times)]
    for positive in ("anomaly", "normal"):
        expected = balanced_aupr(Y, SCORE, positive=positive)
        assert balanced_aupr(y, score, positive=positive) == pytest.approx(expected)


def test_what_cannot_be_measured_is_refused():
    with pytest.raises(LabelError, match="needs both classes"):
        fpr_at_tpr([0, 0], [1, 2])
    with pytest.raises(ParameterError, match="tpr=0"):
        fpr_at_tpr(Y, SCORE, tpr=0)
    with pytest.raises(ParameterError, match="'anomaly' or 'normal'"):
        balanced_aupr(Y, SCORE, positive="odd")
