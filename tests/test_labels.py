import contextlib

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from whitecrow import labels
from whitecrow.errors import LabelError
from whitecrow.labels import ANOMALY, NORMAL, UNLABELLED

MEANINGS = {
    ANOMALY: [1, 1.0, True, np.int64(1), np.True_, "anomaly", " Anomaly "],
    NORMAL: [0, 0.0, False, np.uint8(0), -0.0, "normal", "NORMAL"],
    UNLABELLED: [None, float("nan"), np.float32("nan"), pd.NA, pd.NaT, ""],
}


@pytest.mark.parametrize(
    ("value", "code"),
    [(value, code) for code, values in MEANINGS.items() for value in values],
)
def test_every_way_to_write_a_label(value, code):
    codes = labels.encode(np.array([value, 0, 0], dtype=object))
    assert codes.dtype == np.int8
    assert_array_equal(codes, [code, NORMAL, NORMAL])


@pytest.mark.parametrize(
    "y",
    [
        [0, 1, 0, 0],
        (0.0, 1.0, 0.0, 0.0),
        np.array([[0], [1], [0], [0]]),
        np.array([0, 1, 0, 0], dtype=np.uint8),
        np.array([False, True, False, False]),
        np.array(["normal", "anomaly", "normal", "normal"]),
        pd.Series([0, 1, 0, 0], index=[7, 3, 1, 0]),
        pd.Series([False, True, False, False]),
        pd.Series(["normal", "anomaly", "normal", "normal"]),
        pd.Series([0, 1, 0, 0], dtype="Int64"),
    ],
    ids=lambda y: type(y).__name__ + str(getattr(y, "dtype", "")),
)
def test_every_container(y):
    assert_array_equal(labels.encode(y, n=4), [0, 1, 0, 0])


def test_missing_values_of_pandas():
    assert_array_equal(
        labels.encode(pd.Series([0, None, 1], dtype="Int64")), [0, -1, 1]
    )
    assert_array_equal(labels.encode(pd.Series([0, None, 1])), [0, -1, 1])
    words = pd.Series(["normal", None, "anomaly"])
    assert_array_equal(labels.encode(words), [0, -1, 1])


def test_no_labels_at_all():
    assert_array_equal(labels.encode(None, n=3), [UNLABELLED] * 3)


@pytest.mark.parametrize(
    "value", [2, 0.5, "yes", "1", np.inf, -np.inf, [1, 0], {}, b"normal", 1j]
)
def test_anything_else_is_refused_with_its_row(value):
    y = np.zeros(4, dtype=object)
    y[2] = value
    with pytest.raises(LabelError, match="row 2") as caught:
        labels.encode(y)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", [np.int64, np.float32, object])
def test_a_negative_label_shows_both_readings_and_the_calls(kind):
    with pytest.raises(LabelError, match="row 1") as caught:
        labels.encode(np.array([0, -1, 1], dtype=kind))
    message = str(caught.value)
    for call in ("from_deep_sad", "from_sklearn_semi", "from_outlier_predict"):
        assert f"labels.{call}(y)" in message
    assert "\n" not in message


def test_wrong_number_and_shape():
    with pytest.raises(LabelError, match="3 labels for 4 rows"):
        labels.encode([0, 1, 0], n=4)
    with pytest.raises(LabelError, match=r"shape \(2, 2\)"):
        labels.encode([[0, 1], [1, 0]])
    with pytest.raises(LabelError, match="one column"):
        labels.encode([[0], [1, 0]])
    with pytest.raises(LabelError, match=r"shape \(\)"):
        labels.encode(1)


def test_conversions():
    assert_array_equal(labels.from_deep_sad([-1, 0, 1]), [1, np.nan, 0])
    assert_array_equal(labels.from_sklearn_semi([-1, 0, 1]), [np.nan, 0, 1])
    assert_array_equal(labels.from_outlier_predict([-1, 1]), [1, 0])


@pytest.mark.parametrize(
    ("call", "value"),
    [
        (labels.from_deep_sad, 2),
        (labels.from_deep_sad, float("nan")),
        (labels.from_sklearn_semi, 0.5),
        (labels.from_outlier_predict, 0),
        (labels.from_outlier_predict, "a"),
    ],
)
def test_conversions_refuse_what_is_not_theirs(call, value):
    with pytest.raises(LabelError, match=rf"{call.__name__} takes .*; got"):
        call(np.array([1, value], dtype=object))


def test_reversed_labels_are_suspected_only_without_unlabelled_rows():
    with pytest.warns(UserWarning, match="3 rows are labelled anomaly"):
        labels.encode([1, 1, 1, 0])
    labels.encode([1, 1, 1, 0, None])
    labels.encode([1, 1, 0, 0])


label = st.sampled_from([0, 1, None, True, False, "anomaly", "normal", "", np.nan])


@given(st.lists(label, max_size=30))
def test_codes_are_those_of_each_value_alone(values):
    y = np.array([*values, 0, None], dtype=object)
    codes = labels.encode(y)
    assert_array_equal(codes, [labels.encode(y[[i, -1]])[0] for i in range(len(y))])


@given(st.lists(st.one_of(label, st.integers(), st.floats(), st.text()), max_size=9))
def test_any_list_gives_codes_or_one_line(values):
    y = np.array([*values, None], dtype=object)
    with contextlib.suppress(LabelError):
        assert set(labels.encode(y).tolist()) <= {-1, 0, 1}
