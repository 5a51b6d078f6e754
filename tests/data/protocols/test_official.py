"""Official parts: who trains, and that all of the test part is tested."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from whitecrow.data.protocols.official import official
from whitecrow.errors import DataError, ParameterError

rows = st.lists(
    st.tuples(st.integers(0, 1), st.sampled_from(["train", "validation", "test"])),
    min_size=6,
    max_size=60,
)


@given(rows, st.integers(0, 5))
def test_every_test_row_is_tested_and_none_else(found, seed):
    y, parts = np.array([one for one, _ in found]), np.array([p for _, p in found])
    try:
        split = official(y, parts=parts, pollution=0.1, random_state=seed)
    except DataError:
        return
    assert split.test.tolist() == np.flatnonzero(parts == "test").tolist()
    normal = np.flatnonzero((parts == "train") & (y == 0))
    assert set(normal) <= set(split.train)
    assert (parts[split.train] == "train").all()


def test_shares_are_of_the_training_part():
    y = np.r_[np.zeros(100), np.ones(60), np.zeros(20), np.ones(20)].astype(int)
    parts = np.repeat(["train", "test"], [160, 40])
    split = official(
        y, parts=parts, ratio_known_anomaly=0.05, pollution=0.1, random_state=0
    )
    assert split.counts.known_anomaly == 5
    assert split.counts.unlabelled_anomaly == 11
    assert (split.counts.test_normal, split.counts.test_anomaly) == (20, 20)


def test_known_classes_are_of_the_training_part():
    y = np.r_[np.zeros(40), np.ones(40), 0, 1].astype(int)
    classes = np.array([*["a"] * 40, *["b"] * 20, *["c"] * 20, "a", "b"])
    parts = np.array([*["train"] * 80, "test", "test"])
    arguments = {"classes": classes, "known_classes": ["c"], "parts": parts}
    split = official(y, ratio_known_anomaly=0.1, **arguments, random_state=0)
    assert set(classes[split.train[split.y_train == 1]]) == {"c"}


def test_what_draws_a_test_is_refused():
    arguments = {"parts": ["train", "test"], "random_state": 0}
    with pytest.raises(ParameterError, match="soel draws a test of its own"):
        official([0, 1], protocol="soel", **arguments)
    with pytest.raises(ParameterError, match="train_fraction of holdout"):
        official([0, 1], protocol="holdout", train_fraction=0.5, **arguments)
    with pytest.raises(DataError, match="1 rows to train and 0 to test on"):
        official([0], parts=["train"])
