import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from numpy.testing import assert_array_equal

import whitecrow as wc
from whitecrow import frames
from whitecrow.errors import DataError, UserError

rng = np.random.default_rng(0)
X = rng.normal(size=(100, 2))
MIXED = {
    "at": pd.date_range("2024-01-01", periods=100),
    "x": X[:, 0],
    "kind": ["a", "b"] * 50,
}


class Stream:
    """A frame of a library that speaks Arrow and nothing else, as polars does."""

    def __init__(self, table):
        self.table = table

    def __arrow_c_stream__(self, requested_schema=None):
        return self.table.__arrow_c_stream__(requested_schema)


class Interchange:
    """A frame that speaks the older protocol only."""

    def __init__(self, table):
        self.table = table

    def __dataframe__(self, **options):
        return self.table.__dataframe__(**options)


FORMS = {
    "pandas": lambda columns: pd.DataFrame(columns),
    "pyarrow": lambda columns: pa.table(pd.DataFrame(columns)),
    "batch": lambda columns: pa.RecordBatch.from_pandas(pd.DataFrame(columns)),
    "stream": lambda columns: Stream(pa.table(pd.DataFrame(columns))),
    "interchange": lambda columns: Interchange(pa.table(pd.DataFrame(columns))),
}
form = pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)


@form
def test_a_frame_of_numbers_is_rows_with_names(form):
    columns = {"a": X[:, 0], "b": X[:, 1]}
    detector = wc.ECOD().fit(form(columns))
    assert detector.feature_names_in_.tolist() == ["a", "b"]
    assert_array_equal(
        detector.anomaly_score(form(columns)), wc.ECOD().fit(X).anomaly_score(X)
    )
    with pytest.raises(DataError, match="feature names should match"):
        detector.anomaly_score(form({"b": X[:, 1], "a": X[:, 0]}))
    with pytest.raises(DataError, match=r"c|1 features"):
        detector.anomaly_score(form({"a": X[:, 0]}))


@form
def test_other_columns_are_named_with_the_remedy(form):
    with pytest.raises(DataError, match=r"'at' \(.*'kind' \(.*TableEncoder") as caught:
        wc.ECOD().fit(form(MIXED))
    assert "'x'" not in str(caught.value)
    assert "\n" not in str(caught.value)
    fitted = wc.ECOD().fit(form({"x": X[:, 0], "kind": X[:, 1]}))
    with pytest.raises(DataError, match=r"column 'kind' \(.*does not hold"):
        fitted.anomaly_score(form({"x": X[:, 0], "kind": ["a", "b"] * 50}))


@form
def test_missing_cells_are_named(form):
    columns = {"a": X[:, 0], "b": np.where(np.arange(100) == 7, np.nan, X[:, 1])}
    with pytest.raises(DataError, match=r"NaN .*row 7, column 'b'"):
        wc.ECOD().fit(form(columns))


def test_types_of_numbers():
    table = pa.table(
        {
            "whole": pa.array([1, 2, 2**60], pa.int64()),
            "unsigned": pa.array([1, 2, 2**64 - 1], pa.uint64()),
            "truth": [True, False, True],
            "decimal": pa.array([1, 2, 3], pa.decimal128(5, 2)),
            "none": pa.nulls(3),
        }
    )
    rows = frames.numbers(table, "X")
    assert rows.dtype == np.float64
    assert rows[:, 2].tolist() == [1, 0, 1]
    assert np.isnan(rows[:, 4]).all()
    singles = pa.table({"a": pa.array([1, 2], pa.float32())})
    assert frames.numbers(singles, "X").dtype == np.float32


def test_many_columns_are_counted():
    frame = pd.DataFrame({f"c{i}": ["a"] for i in range(9)})
    with pytest.raises(DataError, match=r"'c5' \(.*\) and 3 more do not"):
        frames.require_numbers(frame, "X")


def test_columns_of_objects_that_are_numbers_pass():
    frame = pd.DataFrame(
        {
            "o": pd.Series([1, 2.5, 3], dtype=object),
            "c": pd.Categorical([1, 2, 1]),
            "i": pd.array([1, 2, 3], dtype="Int64"),
        }
    )
    assert wc.ECOD().fit(frame).n_features_in_ == 3


@pytest.mark.parametrize(
    "rows",
    [
        pa.array([1.0, 2.0]),
        pd.Series([1.0, 2.0]),
        pa.table({}),
        pd.DataFrame(),
        np.array([["2024-01-01"], ["2024-01-02"]], dtype="datetime64[D]"),
        np.array([[pd.Timestamp("2024-01-01")], [1.0]], dtype=object),
        [[{"a": 1}], [2]],
        [[None, 1.0], [2.0, 3.0]],
    ],
    ids=str,
)
def test_what_is_no_table_of_numbers_is_one_line(rows):
    with pytest.raises(UserError) as caught:
        wc.ECOD().fit(rows)
    assert "\n" not in str(caught.value)
