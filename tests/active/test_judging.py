"""Judging answers: folds, what looks wrong, and a classifier beside the detector."""

import time
from typing import ClassVar

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import whitecrow as wc
from whitecrow.active import Loop, judging

RNG = np.random.default_rng(0)
N = 400
X = RNG.uniform(-1, 1, size=(N, 2))
CORNERS = (X[:, 0] * X[:, 1] > 0).astype(np.int8)  # no score by distance sees these


def hidden(codes, n):
    """All but the first n rows of each class without a label."""
    kept = np.r_[np.flatnonzero(codes == 1)[:n], np.flatnonzero(codes == 0)[:n]]
    return np.where(np.isin(np.arange(len(codes)), kept), codes, -1).astype(np.int8)


def compare(codes, scores):
    fold = judging.folds(codes, 0)
    return judging.compare(codes, scores, X, fold, seed=0)


@given(codes=st.lists(st.sampled_from([-1, 0, 1]), min_size=1, max_size=60))
def test_folds_hold_all_labels_and_as_many_of_each_class(codes):
    codes = np.array(codes, dtype=np.int8)
    fold = judging.folds(codes, 3)
    assert ((fold >= 0) == (codes >= 0)).all()
    for one in (0, 1):
        sizes = np.bincount(fold[codes == one], minlength=judging.FOLDS)
        assert sizes.max() - sizes.min() <= 1


def test_a_forest_is_ahead_where_labels_say_what_scores_cannot():
    scores = np.linalg.norm(X, axis=1)
    found = compare(hidden(CORNERS, 80), scores)
    assert found.classifier > 0.9 > 0.7 > found.detector
    assert found.ahead == 1


def test_a_detector_is_ahead_where_the_forest_sees_nothing():
    codes = (RNG.random(N) < 0.4).astype(np.int8)
    found = compare(hidden(codes, 80), codes + 0.1 * RNG.random(N))
    assert found.detector == 1
    assert found.ahead == 0


def test_fewer_than_fifty_of_a_class_are_not_enough():
    assert compare(hidden(CORNERS, 49), X[:, 0]) is None
    assert compare(hidden(CORNERS, 50), X[:, 0]) is not None


def test_thousands_of_labels_are_a_matter_of_seconds():
    rng = np.random.default_rng(0)
    many = rng.uniform(-1, 1, size=(60_000, 2))
    codes = (many[:, 0] * many[:, 1] > 0).astype(np.int8)
    fold = judging.folds(codes, 0)
    started = time.process_time()
    found = judging.compare(codes, many[:, 0], many, fold, seed=0)
    rare = np.where((codes == 1) & (np.arange(60_000) > 200), -1, codes)
    assert judging.compare(rare, many[:, 0], many, fold, seed=0).ahead == 1
    assert time.process_time() - started < 30  # all of them take minutes
    assert found.classifier > 0.9
    assert found.ahead == 1


def test_scores_of_rows_without_a_label_do_not_count():
    codes, scores = hidden(CORNERS, 60), X[:, 0].copy()
    first = compare(codes, scores)
    scores[codes < 0] = np.nan
    assert compare(codes, scores) == first


class Fits(wc.KNN):
    """Learns from labels, in that it wants them; counts its fits."""

    uses_labels = True
    known: ClassVar[list[int]] = []

    def _fit(self, X, codes, auxiliary):
        self.known.append(int((codes >= 0).sum()))
        super()._fit(X, codes, auxiliary)


@pytest.fixture
def loop():
    Fits.known.clear()
    return Loop(Fits(), X, random_state=0)


def test_the_loop_hides_labels_once_for_all_that_is_judged(loop):
    known = np.flatnonzero(hidden(CORNERS, 60) >= 0)
    loop.tell(known, CORNERS[known].astype(int))
    found = loop.compare()
    assert found.ahead == 1
    assert Fits.known == [0, 96, 96, 96, 96, 96]
    loop.contradictions()
    assert loop.compare() == found
    assert len(Fits.known) == 6
    loop.undo()
    loop.contradictions()
    assert len(Fits.known) == 11


def test_a_loop_with_few_answers_compares_nothing(loop):
    loop.tell([0, 1, 2], CORNERS[:3].astype(int))
    assert loop.compare() is None
    assert Fits.known == []
