"""What label columns mean, batch by batch and in one piece."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from whitecrow.data.labelling import LabelColumn, Labelling, codes_of, describe
from whitecrow.errors import LabelError, ParameterError, UserError


def codes(values: list[object], first_row: int = 0, **rule: object) -> np.ndarray:
    labelling = Labelling(column="y", **rule)  # type: ignore[arg-type]
    return LabelColumn(labelling, "a.csv").codes(pa.array(values), first_row=first_row)


@pytest.mark.parametrize(
    ("values", "rule", "expected"),
    [
        ([1, 0, None], {}, [1, 0, -1]),
        ([1.0, 0.0, float("nan")], {}, [1, 0, -1]),
        ([True, False, None], {}, [1, 0, -1]),
        (["anomaly", "Normal", ""], {}, [1, 0, -1]),
        (["1", "0.0", "true", "false", None], {}, [1, 0, 1, 0, -1]),
        ([-1, 0, 1], {"convention": "deep-sad"}, [1, -1, 0]),
        (["-1", "0", "1"], {"convention": "deep-sad"}, [1, -1, 0]),
        ([-1, 0, 1], {"convention": "sklearn-semi"}, [-1, 0, 1]),
        ([-1, 1], {"convention": "outlier-predict"}, [1, 0]),
        (["neptune", "normal", None], {"anomaly_values": ("!normal",)}, [1, 0, -1]),
        ([2, 3, 4], {"anomaly_values": ("2", "4.0")}, [1, 0, 1]),
    ],
)
def test_codes(values: list[object], rule: dict[str, object], expected: object) -> None:
    found = codes(values, **rule)
    assert found.dtype == np.int8
    assert found.tolist() == expected
    chunked = pa.chunked_array([pa.array(values[:1]), pa.array(values[1:])])
    if len({chunk.type for chunk in chunked.chunks}) == 1:
        labelling = Labelling(column="y", **rule)  # type: ignore[arg-type]
        assert LabelColumn(labelling, "a.csv").codes(chunked).tolist() == expected


@pytest.mark.parametrize(
    ("values", "rule", "message"),
    [
        ([0, 0, 2], {}, "label 2 in row 102, .*--anomaly-value '!0'"),
        ([0, -1], {}, "label -1 in row 101, .*--labels deep-sad"),
        (["a"], {}, "'a' in row 100, .*--anomaly-value a;"),
        ([5], {"convention": "deep-sad"}, "5 in row 100, .*not in the convention"),
        (["x"], {"convention": "deep-sad"}, "'x' in row 100"),
    ],
)
def test_values_outside_the_convention(
    values: list[object], rule: dict[str, object], message: str
) -> None:
    with pytest.raises(LabelError, match=message):
        codes(values, 100, **rule)


def test_levels_that_were_encoded_before_mean_the_same() -> None:
    levels = pa.array(["bad", "good", None, "bad"]).dictionary_encode()
    rule = Labelling(column="y", anomaly_values=("bad",))
    assert LabelColumn(rule, "a.csv").codes(levels).tolist() == [1, 0, -1, 1]
    unused = pa.DictionaryArray.from_arrays([1, 0, None], ["0", "1", "other"])
    plain = LabelColumn(Labelling(column="y"), "a.csv")
    assert plain.codes(unused).tolist() == [1, 0, -1]


def test_lists_are_no_labels() -> None:
    with pytest.raises(LabelError, match=r"column 'y' holds list<.*--label-column"):
        codes([[1], [0]])


# --------------------------------------------------------------- batch by batch


def test_an_anomaly_value_may_come_in_a_later_batch() -> None:
    reader = LabelColumn(Labelling(column="y", anomaly_values=("bad",)), "a.csv")
    assert reader.codes(pa.array(["good", None])).tolist() == [0, -1]
    assert reader.codes(pa.array(["good", "bad"]), first_row=2).tolist() == [0, 1]
    reader.check()


def test_a_misspelt_anomaly_value_is_found_after_all_batches() -> None:
    rule = Labelling(column="y", anomaly_values=("bad", "bda"))
    reader = LabelColumn(rule, "a.csv")
    reader.codes(pa.array(["good", "bad"]))
    reader.codes(pa.array(["ugly", None]))
    with pytest.raises(LabelError) as caught:
        reader.check()
    assert str(caught.value) == (
        "--anomaly-value 'bda': column 'y' of a.csv has no 'bda'; it has good, bad, "
        "ugly"
    )


def test_the_value_that_is_normal_must_occur_too() -> None:
    reader = LabelColumn(Labelling(column="y", anomaly_values=("!nromal",)), "a.csv")
    reader.codes(pa.array([f"attack {i}" for i in range(30)]))
    with pytest.raises(
        LabelError, match=r"'!nromal'.* no 'nromal'; it has .*, \.\.\.$"
    ):
        reader.check()


@pytest.mark.parametrize("wanted", ["1", "1.0", "01"])
def test_numbers_are_spelt_in_many_ways(wanted: str) -> None:
    reader = LabelColumn(Labelling(column="y", anomaly_values=(wanted,)), "a.csv")
    assert reader.codes(pa.array([0.0, 1.0])).tolist() == [0, 1]
    reader.check()


# -------------------------------------------------------------------- the rules


@pytest.mark.parametrize("own", [Labelling(column="z"), Labelling(column="y")])
def test_the_meaning_of_labels_belongs_to_their_column(own: Labelling) -> None:
    filled = own.filled(Labelling(column="y", anomaly_values=("bad",)))
    assert filled.column == own.column
    assert filled.anomaly_values == (("bad",) if own.column == "y" else ())


def test_contradictions_are_refused() -> None:
    with pytest.raises(ParameterError, match="is not a convention"):
        Labelling(convention="other")
    with pytest.raises(ParameterError, match="give one"):
        Labelling(convention="deep-sad", anomaly_values=("1",))


@pytest.mark.parametrize(
    ("values", "anomalies", "expected"),
    [
        (["a", "b", "c", ""], ("a", "c"), [1, 0, 1, -1]),
        (["a", "b", None], ("!a",), [0, 1, -1]),
        (["a", "b", "c"], ("!a", "!b"), [0, 0, 1]),
        ([0, 1, 2], ("1",), [0, 1, 0]),
        ([0.0, 1.0, np.nan], ("1",), [0, 1, -1]),
        (["0", "1.0"], ("1",), [0, 1]),
        ([True, False], ("1",), [1, 0]),
        ([1234567, 1234568], ("1234568",), [0, 1]),
        (pa.chunked_array([["x", None], ["y"]]), ("x",), [1, -1, 0]),
        (np.array([], dtype=str), ("x",), []),
    ],
)
def test_label_values_become_codes(
    values: object, anomalies: tuple[str, ...], expected: list[int]
) -> None:
    found = codes_of(values, anomalies)  # type: ignore[arg-type]
    assert found.dtype == np.int8
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("anomalies", [(), ("a", "!b")])
def test_label_values_that_mean_nothing_are_refused(anomalies: tuple[str, ...]) -> None:
    with pytest.raises(UserError, match="all but normal"):
        codes_of(["a"], anomalies)


def test_how_many_labels_there_are_in_words() -> None:
    found = np.array([1, 0, 0, -1], np.int8)
    assert describe("y", found) == (
        "labels in column 'y': 1 anomaly, 2 normal, 1 unlabelled"
    )


# ------------------------------------------------- words that say nothing, suggestions


def test_words_for_missing_count_as_unlabelled() -> None:
    words = ["unknown", "n/a", "-", "unlabeled", "not checked", "?"]
    reader = LabelColumn(Labelling(column="y", anomaly_values=("bad",)), "a.csv")
    found = reader.codes(pa.array(["bad", "ok", *words]))
    assert found.tolist() == [1, 0, *[-1] * len(words)]
    assert list(reader.unlabelled) == words
    assert "6 unlabelled ('unknown', 'n/a'" in describe("y", found, reader.unlabelled)


@pytest.mark.parametrize(
    ("wanted", "expected"), [("unknown", [1, 0, 0]), ("!unknown", [0, 1, 1])]
)
def test_a_word_that_is_asked_for_is_a_label(wanted: str, expected: list[int]) -> None:
    reader = LabelColumn(Labelling(column="y", anomaly_values=(wanted,)), "a.csv")
    assert reader.codes(pa.array(["unknown", "ok", "error"])).tolist() == expected


@pytest.mark.parametrize(
    ("values", "suggestion"),
    [
        (["yes"] * 3 + ["no"] * 9, "--anomaly-value '!no'"),
        (["NOK"] + ["OK"] * 9, "--anomaly-value '!OK'"),
        (["DDoS"] * 5 + ["BENIGN"] * 4, "--anomaly-value '!BENIGN'"),
        (["neptune", "smurf", "normal.", "normal."], "--anomaly-value '!normal.'"),
        (["bad", "good"], "--anomaly-value '!good'"),
        (["?", "bad", "in Ordnung"], "--anomaly-value '!in Ordnung'"),
        (["B"] * 9 + ["A"], "--anomaly-value A;"),
        ([2, 2, 3], "--anomaly-value 3;"),
    ],
)
def test_the_suggested_value_is_that_of_anomalies(
    values: list[object], suggestion: str
) -> None:
    with pytest.raises(LabelError) as caught:
        codes(values)
    assert f"for example {suggestion}" in str(caught.value)


def test_yes_is_an_anomaly_where_the_column_asks_for_one() -> None:
    asked = LabelColumn(Labelling(column="is_fraud"), "a.csv")
    assert asked.codes(pa.array(["yes", "no", "Y", "nein"])).tolist() == [1, 0, 1, 0]
    with pytest.raises(LabelError):
        LabelColumn(Labelling(column="passed"), "a.csv").codes(pa.array(["yes", "no"]))
