"""What the tables of the SOEL benchmark are made of."""

import numpy as np
import pytest
import soel


def test_difference_is_paired():
    ours, theirs = np.array([50.0, 70.0, 91.0]), np.array([49.0, 69.0, 90.0])
    assert soel.difference(ours, theirs) == pytest.approx((1.0, 0.0))


def test_half_of_the_interval_is_student_t():
    mean, half = soel.difference(np.array([1.0, 2.0, 3.0]), np.zeros(3))
    assert (mean, half) == pytest.approx((2.0, 4.303 / np.sqrt(3)), rel=1e-3)


def test_quality_flags_as_many_rows_as_there_are_anomalies():
    # specs/active_soel.md 14.9
    y = np.arange(10) >= 7
    scores = np.array([0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.95, 0.7, 0.8, 0.9])
    assert soel.quality(y, scores)[0] == pytest.approx(100 * 2 / 3)


def test_a_row_tells_how_far_the_reference_is():
    found = np.tile([92.6, 96.0, 95.0], (5, 1))
    line = soel.row("breastw", "parity", found, 2.0)
    assert line.startswith("| breastw | parity | 92.6 ± 0.0 | 96.0 ± 0.0 |")
    assert line.endswith("| 92.6 ± 1.8 (+0.0 se) | 2.0 |")
    assert soel.row("breastw", "loe", found, 2.0, "loe").endswith("| LOE 95.3 | 2.0 |")


def test_wrong_answers_are_one_in_ten(monkeypatch):
    rng = np.random.default_rng(0)
    data = soel.Split(rng.normal(size=(60, 3)), np.arange(60) < 6, None, None)
    told = []

    class Spy:
        def __init__(self, **parameters):
            pass

        def fit(self, X, y=None):
            told.append(y)
            return self

        def anomaly_score(self, X):
            return X[:, 0]

        def embed(self, X):
            return X

    monkeypatch.setattr(soel, "SOEL", Spy)
    soel._fitted.clear()
    soel.wrong(data, 20, 0)
    known = np.isfinite(told[-1])
    assert known.sum() == 20
    assert (told[-1][known] != data.y[known]).sum() == 2
    soel._fitted.clear()


def test_splits_pollute_alike_and_judge_by_their_own_rows(monkeypatch):
    rng = np.random.default_rng(0)
    X = np.r_[rng.normal(size=(40, 2)), rng.normal(9, 0.1, size=(20, 2))]
    monkeypatch.setattr(soel, "_read", lambda name: {"X": X, "y": np.arange(60) >= 40})
    ours, theirs = soel.split("any", 0, "soel"), soel.split("any", 0, "loe")
    assert ours.y.sum() == theirs.y.sum() == 2
    assert (ours.y_test.sum(), theirs.y_test.sum()) == (18, 20)
    known = set(map(tuple, X))
    assert all(tuple(row) in known for row in ours.X)
    copies = theirs.X[theirs.y]
    assert not any(tuple(row) in known for row in copies)
    assert np.abs(copies - 9).max() < 1


class Shift:
    """A score without labels."""

    def anomaly_score(self, X):
        return X[:, 0]


def test_labels_after_scores_learn_from_answers_alone():
    X = np.random.default_rng(0).normal(size=(200, 3))
    y = np.where(np.arange(200) < 40, X[:, 1] > 0, np.nan)
    model = soel.AfterScore(Shift(), soel.LogisticRegression()).fit(X, y)
    assert model.classifier.n_features_in_ == 4
    scores = model.anomaly_score(X[40:])
    assert soel.metrics.auroc(X[40:, 1] > 0, scores) > 0.95
    alone = soel.AfterScore(Shift(), soel.LogisticRegression()).fit(X, y * 0)
    assert alone.anomaly_score(X).tolist() == X[:, 0].tolist()
