from dataclasses import KW_ONLY
from typing import ClassVar

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from whitecrow.detector import Detector, check_rows
from whitecrow.errors import DataError, LabelError, ParameterError, TrainingError
from whitecrow.parameters import NonNegative, RandomState


class Distance(Detector):
    """The distance from the mean row; known anomalies are left out."""

    uses_labels: ClassVar[bool] = True
    power: NonNegative = 1.0
    _: KW_ONLY
    random_state: RandomState = None

    def _fit(self, X, codes, auxiliary):
        self.codes_, self.auxiliary_ = codes, auxiliary
        self.centre_ = X[codes != 1].mean(axis=0)

    def _anomaly_score(self, X):
        axes = tuple(range(1, X.ndim))
        with np.errstate(invalid="ignore", divide="ignore"):
            return (
                np.square(X - self.centre_).sum(axes) ** (self.power / 2)
            ) / self.power


class Blind(Distance):
    uses_labels = False


class Exposed(Distance):
    uses_auxiliary = True


class TablesOnly(Distance):
    input_kinds = ("table",)


@pytest.fixture
def X():
    return np.random.default_rng(0).normal(size=(200, 3))


PICTURES = np.random.default_rng(0).integers(0, 256, (20, 1, 4, 4), dtype=np.uint8)


# ----------------------------------------------------------------- scores and verdicts


def test_all_methods_agree_on_the_sign(X):
    detector = Distance(contamination=0.1).fit(X)
    score = detector.anomaly_score(X)
    assert score.dtype == np.float64
    assert_array_equal(detector.score_samples(X), -score)
    assert_array_equal(detector.decision_function(X), -score - detector.offset_)
    assert detector.threshold_ == -detector.offset_
    assert_array_equal(
        detector.predict(X), np.where(score > detector.threshold_, -1, 1)
    )
    assert (detector.predict(X) == -1).sum() == 20
    assert "contamination=0.1" in detector.threshold_source_


def test_a_score_on_the_threshold_is_normal(X):
    detector = Distance().fit(X)
    detector.offset_ = -detector.anomaly_score(X)[7]
    assert detector.predict(X[7:8]) == 1


def test_fit_predict_hands_labels_on(X):
    X[:20] += 50
    y = np.full(200, np.nan)
    y[:20] = 1
    verdict = Distance(contamination=0.05).fit_predict(X, y)
    assert_array_equal(verdict, Distance(contamination=0.05).fit(X, y).predict(X))
    without = Distance(contamination=0.05).fit(X).anomaly_score(X)
    assert not np.allclose(Distance().fit(X, y).anomaly_score(X), without)


def test_threshold_uses_labels_only_where_the_method_does(X):
    y = np.r_[np.ones(20), np.zeros(180)]
    X[:20] += 9
    assert "F1" in Distance().fit(X, y).threshold_source_
    assert "median" in Blind().fit(X, y).threshold_source_


def test_scores_that_are_not_finite_are_an_error_at_fitting(X):
    with pytest.raises(TrainingError, match="200 of 200 training rows"):
        Distance(power=0.0).fit(X)


def test_before_fitting():
    for call in ("anomaly_score", "predict", "score_samples", "explain"):
        with pytest.raises(NotFittedError):
            getattr(Distance(), call)(np.zeros((2, 2)))


# ----------------------------------------------------------------- what is learnt from


@pytest.mark.parametrize("y", [["red"] * 200, np.full(200, -7), np.zeros(3)])
def test_labels_are_not_even_read_where_they_are_ignored(X, y):
    assert_array_equal(
        Blind().fit(X, y).anomaly_score(X), Blind().fit(X).anomaly_score(X)
    )


def test_labels_arrive_as_codes(X):
    y = np.array([1, 0, None, "", "anomaly"] * 40, dtype=object)
    codes = Distance().fit(X, y).codes_
    assert codes.dtype == np.int8
    assert_array_equal(codes, [1, 0, -1, -1, 1] * 40)


def test_bad_labels_are_refused_before_any_work(X):
    detector = Distance()
    with pytest.raises(LabelError, match="3 labels for 200 rows"):
        detector.fit(X, [0, 1, 0])
    with pytest.raises(LabelError, match="row 4"):
        detector.fit(X, [0] * 4 + [-1] * 196)
    assert not hasattr(detector, "centre_")


@pytest.mark.filterwarnings("ignore:.*labels are not reversed")
def test_nothing_to_learn_from(X):
    with pytest.raises(LabelError, match="all rows are labelled as anomalies"):
        Distance().fit(X, np.ones(200))


def test_auxiliary_outliers(X):
    outliers = np.full((5, 3), 9.0)
    assert_array_equal(Exposed().fit(X, auxiliary=outliers).auxiliary_, outliers)
    assert Exposed().fit(X).auxiliary_ is None
    with pytest.raises(ParameterError, match="takes no auxiliary outliers; use HSC"):
        Distance().fit(X, auxiliary=outliers)
    with pytest.raises(DataError, match="2 features"):
        Exposed().fit(X, auxiliary=outliers[:, :2])
    with pytest.raises(DataError, match="NaN"):
        Exposed().fit(X, auxiliary=outliers * np.nan)


# -------------------------------------------------------------------------------- rows


@pytest.mark.parametrize(
    "container",
    [
        list,
        lambda X: [tuple(row) for row in X],
        pd.DataFrame,
        np.asfortranarray,
        lambda X: X[:, ::-1][:, ::-1],
        lambda X: X.astype(object),
    ],
)
def test_containers(X, container):
    detector = Distance().fit(container(X))
    assert_array_equal(
        detector.anomaly_score(container(X)), Distance().fit(X).anomaly_score(X)
    )


@pytest.mark.parametrize(
    ("dtype", "kept"),
    [
        (np.float32, np.float32),
        (np.float64, np.float64),
        (np.float16, np.float64),
        (np.int8, np.float64),
        (np.uint64, np.float64),
        (bool, np.float64),
    ],
)
def test_types_of_numbers(dtype, kept):
    rows = np.arange(12).reshape(6, 2).astype(dtype)
    assert check_rows(rows, ("table",), "X").dtype == kept
    assert Distance().fit(rows).anomaly_score(rows).dtype == np.float64


@pytest.mark.parametrize("rows", [np.zeros((9, 4)), np.zeros((9, 1, 4, 4), np.uint8)])
def test_rows_arrive_in_one_order_in_memory(rows):
    """Sums, and so the last bits of scores, depend on it."""
    detector = Distance()
    for given in (np.asfortranarray(rows), rows[:, ::-1], rows[::2]):
        assert detector._check_rows(given, reset=True).flags.c_contiguous


def test_pictures_keep_their_bytes_and_floats_become_float32():
    assert check_rows(PICTURES, ("picture",), "X").dtype == np.uint8
    assert check_rows(PICTURES / 255, ("picture",), "X").dtype == np.float32


BAD_ROWS = {
    "1d": (np.zeros(3), r"Expected 2D array, got 1D"),
    "0d": (3.0, "Expected 2D array, got scalar"),
    "3d": (np.zeros((2, 2, 2)), r"3 dimensions; give a table \(n, d\) or pictures"),
    "no rows": (np.zeros((0, 3)), "0 sample"),
    "no columns": (np.zeros((3, 0)), "0 feature"),
    "words": ([["a", "b"]], "numeric"),
    "ragged": ([[1, 2], [1]], "inhomogeneous"),
    "complex": (np.zeros((3, 3), complex), "Complex"),
    "sparse": (sparse.csr_array(np.eye(3)), "sparse .* dense rows"),
    "nan": (np.array([[0, 0], [0, np.nan]]), "NaN .*row 1, column 1; 1 values"),
    "infinity": (np.array([[-np.inf, 0], [0, 1]]), "infinity .*row 0, column 0"),
    "both": (np.array([[-np.inf, np.inf]]), "infinity .*2 values"),
}


@pytest.mark.parametrize("name", BAD_ROWS)
def test_bad_rows_give_one_line(name):
    rows, message = BAD_ROWS[name]
    with pytest.raises(DataError, match=message) as caught:
        Distance().fit(rows)
    assert "\n" not in str(caught.value)


def test_the_column_of_a_frame_is_named():
    frame = pd.DataFrame({"age": [1.0, 2.0], "height": [1.0, np.inf]})
    with pytest.raises(DataError, match="row 1, column 'height'"):
        Distance().fit(frame)


def test_huge_rows_are_no_infinity():
    rows = np.array([[1e308, 1e308], [1e308, -1e308]])
    assert check_rows(rows, ("table",), "X") is not None


@pytest.mark.parametrize("call", ["anomaly_score", "predict", "explain"])
def test_rows_to_score_are_like_those_at_fitting(X, call):
    detector = Distance().fit(X)
    with pytest.raises(DataError, match=r"2 features.* expecting 3"):
        getattr(detector, call)(X[:, :2])
    pictures = Distance().fit(PICTURES)
    with pytest.raises(
        DataError, match=r"\(1, 5, 5\), but Distance was .* \(1, 4, 4\)"
    ):
        getattr(pictures, call)(np.zeros((2, 1, 5, 5)))


def test_names_of_columns_must_agree():
    frame = pd.DataFrame(np.eye(3), columns=["a", "b", "c"])
    detector = Distance().fit(frame)
    with pytest.raises(DataError, match="feature names should match"):
        detector.anomaly_score(frame[["a", "c", "b"]])


def test_kinds_that_a_method_does_not_take():
    with pytest.raises(
        DataError, match=r"TablesOnly takes table input, not X of shape"
    ):
        TablesOnly().fit(PICTURES)


def test_typical_row_and_picture(X):
    assert_array_equal(Distance().fit(X).typical_, np.median(X, axis=0))
    typical = Distance().fit(PICTURES).typical_
    assert_allclose(typical, PICTURES.mean(axis=0) / 255)
    scaled = (PICTURES / 255).astype(np.float32)
    assert_allclose(Distance().fit(scaled).typical_, typical, rtol=1e-5)


def test_masked_cells_are_missing(X):
    """A mask was dropped, and the value under it scored."""
    masked = np.ma.masked_equal(np.where(np.arange(200)[:, None] == 5, -9, X), -9)
    for call in (Distance().fit, Distance().fit(X).anomaly_score):
        with pytest.raises(
            DataError, match=r"3 masked cells \(first: \[5, 0\]\).*fill"
        ):
            call(masked)
    whole = np.ma.masked_array(X, mask=False)
    assert_array_equal(
        Distance().fit(whole).anomaly_score(whole), Distance().fit(X).anomaly_score(X)
    )


@pytest.mark.parametrize(
    "convert",
    [
        lambda rows: rows.astype(np.int64),
        lambda rows: rows.astype(np.uint16),
        lambda rows: rows.astype(np.int16),
        lambda rows: rows.tolist(),
        lambda rows: rows[:, :, ::-1].astype(np.int32)[:, :, ::-1],
    ],
)
def test_whole_numbers_up_to_255_are_bytes(convert):
    """They were taken for fractions, 255 times too bright."""
    expected = Distance().fit(PICTURES)
    assert_array_equal(
        expected.anomaly_score(convert(PICTURES)), expected.anomaly_score(PICTURES)
    )
    found = Distance().fit(convert(PICTURES))
    assert_array_equal(found.typical_, expected.typical_)
    assert found.typical_.max() <= 1


@pytest.mark.parametrize(
    ("pictures", "message"),
    [
        (PICTURES.astype(np.uint16) * 257, "whole numbers from 0 to 65[0-9]+;"),
        (PICTURES.astype(np.int64) - 1, "whole numbers from -1 to"),
        (PICTURES.astype(float), r"floats from 0 to 25.*X / 255\.0.*astype\('uint8'"),
        (PICTURES / 255 * 2 - 1, "floats from -1 to"),
    ],
)
def test_pictures_in_other_units_are_refused(pictures, message):
    fitted = Distance().fit(PICTURES)
    for call in (Distance().fit, fitted.anomaly_score, fitted.explain):
        with pytest.raises(DataError, match=message) as caught:
            call(pictures)
        assert "\n" not in str(caught.value)


def test_pictures_of_truth_and_of_rounded_fractions():
    fitted = Distance().fit(PICTURES)
    black = PICTURES > 127
    assert_array_equal(
        fitted.anomaly_score(black), fitted.anomaly_score(black.astype(np.float32))
    )
    fitted.anomaly_score((PICTURES / 255) * (1 + 1e-6))


# ------------------------------------------------------------- fits that score, or fail


def test_scores_of_a_fit_are_those_of_the_fitted_detector(X):
    detector = Distance(contamination=0.1)
    scores = detector.fit_score(X)
    assert_array_equal(scores, detector.anomaly_score(X))
    assert detector.offset_ == Distance(contamination=0.1).fit(X).offset_
    assert not any(value is scores for value in vars(detector).values())


def test_a_row_is_scored_once_at_fitting(X):
    class Counting(Distance):
        scored = 0

        def _anomaly_score(self, X):
            Counting.scored += len(X)
            return super()._anomaly_score(X)

    Counting().fit_score(X)
    assert Counting.scored == 200


def test_scores_that_a_method_has_anyway_are_taken(X):
    class Knows(Distance):
        def _fit(self, X, codes, auxiliary):
            super()._fit(X, codes, auxiliary)
            return np.arange(200.0)

    assert_array_equal(Knows().fit_score(X), np.arange(200.0))


class Stops(Distance):
    def _fit(self, X, codes, auxiliary):
        self.centre_ = X.mean(axis=0) + 7
        self.half_ = True
        raise self.power


@pytest.mark.parametrize(
    "error", [KeyboardInterrupt(), ValueError("no"), MemoryError()]
)
def test_a_fit_that_fails_leaves_the_detector_as_it_was(X, error):
    detector = Stops()
    detector.__class__ = Distance
    before = detector.fit(X).anomaly_score(X)
    detector.__class__ = Stops
    kept = dict(vars(detector))
    detector._check_parameters = lambda: None
    detector.power = error
    with pytest.raises(type(error)):
        detector.fit(pd.DataFrame(X[:, :2], columns=["a", "b"]))
    assert not hasattr(detector, "half_")
    assert set(vars(detector)) == {*kept, "_check_parameters"}
    detector.power = 1.0
    assert_array_equal(detector.anomaly_score(X), before)


def test_bad_rows_at_a_second_fit_leave_the_first(X):
    detector = Distance().fit(X)
    before = detector.anomaly_score(X)
    for bad in (X[:, :2] * np.nan, np.zeros((0, 2)), [["a", "b"]]):
        with pytest.raises(DataError):
            detector.fit(bad)
        assert_array_equal(detector.anomaly_score(X), before)


# -------------------------------------------------------------------------- parameters


@pytest.mark.parametrize(
    ("parameters", "named"),
    [
        ({"power": -1.0}, "power"),
        ({"power": "2"}, "power"),
        ({"contamination": 0.0}, "contamination"),
        ({"contamination": 0.6}, "contamination"),
        ({"contamination": "half"}, "contamination"),
        ({"random_state": "x"}, "random_state"),
    ],
)
def test_illegal_parameters_are_named_with_their_value(X, parameters, named):
    with pytest.raises(
        ParameterError, match=f"'{named}' parameter of Distance"
    ) as caught:
        Distance(**parameters).fit(X)
    assert repr(parameters[named]) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_construction_checks_nothing_and_clone_copies():
    odd = Distance(power="nonsense", contamination=7)
    assert clone(odd).get_params() == odd.get_params()


def test_presets():
    class Named(Distance):
        presets: ClassVar = {"paper": {"power": 2.0}}

    assert Named.preset("paper").power == 2.0
    assert Named.preset("paper", power=3.0, random_state=1).get_params() == {
        "power": 3.0,
        "random_state": 1,
        "contamination": "auto",
    }
    with pytest.raises(ParameterError, match="no preset 'code'; it has: 'paper'"):
        Named.preset("code")
    with pytest.raises(ParameterError, match="it has: none"):
        Distance.preset("paper")


def test_scores_are_one_number_for_each_row(X):
    class Column(Distance):
        def _anomaly_score(self, X):
            return super()._anomaly_score(X)[:, None]

    with pytest.raises(TrainingError, match=r"Column: scores .*\(\d+, 1\); _anomaly"):
        Column().fit(X)
