"""Encoding of mixed tables: each kind of column, new rows, words, round trip."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from whitecrow.data import formats
from whitecrow.data.kinds import Decision, TableEncoder, grouped, words
from whitecrow.errors import DataError, ModelFileError, ParameterError

START = datetime(2024, 1, 1)


def fitted(**columns: Any) -> TableEncoder:
    return TableEncoder().fit(pa.table(columns))


def decision(encoder: TableEncoder, column: str) -> Decision:
    return next(one for one in encoder.decisions_ if one.column == column)


def encoded(encoder: TableEncoder, **columns: Any) -> dict[str, list[float]]:
    X = encoder.transform(pa.table(columns))
    assert X.dtype == np.float64
    assert X.flags.c_contiguous
    assert np.isfinite(X).all()
    assert X.shape[1] == len(encoder.feature_names_) == len(encoder.source_columns_)
    return dict(zip(encoder.feature_names_, X.T.tolist(), strict=True))


# ---------------------------------------------------------------------- numbers


@pytest.mark.parametrize(
    "kind", [pa.int8(), pa.uint64(), pa.float16(), pa.float32(), pa.decimal128(6, 2)]
)
def test_numbers_keep_their_units(kind: pa.DataType) -> None:
    column = pa.array([1.0, 5.0, 3.0]).cast(kind)
    assert encoded(fitted(x=column), x=column) == {"x": [1.0, 5.0, 3.0]}


def test_few_whole_numbers_stay_numbers() -> None:
    encoder = fitted(x=[0, 1, 1, 0] * 10)
    assert str(decision(encoder, "x")) == "'x' is a number: kept unchanged."


def test_missing_cells_become_the_median_and_are_marked() -> None:
    encoder = fitted(x=[1.0, None, float("nan"), 2.0, 9.0])
    assert encoded(encoder, x=[5.0, None]) == {
        "x": [5.0, 2.0],
        "x is missing": [0.0, 1.0],
    }
    assert decision(encoder, "x").detail == (
        "40 % of the rows are missing and become its median, 2, marked in "
        "'x is missing'"
    )
    assert encoder.summaries_["x"]["missing"] == 0.4


def test_missing_only_in_new_rows() -> None:
    encoder = fitted(x=[1.0, 2.0, 9.0])
    assert encoded(encoder, x=[None, 4.0]) == {"x": [2.0, 4.0]}
    assert encoder.notes(pa.table({"x": [None, 4.0]})) == (
        "'x' is missing in 1 row, which training never had",
    )


def test_text_of_numbers() -> None:
    cells = [str(i / 2) for i in range(96)] + [" 7 ", "1e3", "broken", "off"]
    encoder = fitted(x=cells)
    one = decision(encoder, "x")
    assert (one.kind, one.level) == ("number", 1)
    assert "2 cells are not numbers and count as missing" in one.detail
    assert "the first is 'broken' in row 98" in one.detail
    assert "become its median, 23.75, marked in 'x is not a number'" in one.detail
    assert encoded(encoder, x=["2.5", "what", ""]) == {
        "x": [2.5, 23.75, 23.75],
        "x is not a number": [0.0, pytest.approx(np.log2(100 / 4)), 0.0],
    }
    assert encoder.usual("x", "what")[:2] == (
        "'what'",
        "not a number, as 2 cells in 100 rows",
    )


@pytest.mark.parametrize(
    ("rows", "least"), [(4, 1), (20, 2), (50, 5), (60, 5), (2500, 5), (10_000, 20)]
)
def test_missing_cells_are_marked_from_a_few_on(rows: int, least: int) -> None:
    values = np.random.default_rng(0).normal(size=rows)
    for missing, marked in ((least - 1, False), (least, True)):
        values[:missing] = np.nan
        encoder = fitted(x=values, y=values > 3)
        assert ("x is missing" in encoder.feature_names_) == marked
        assert np.isfinite(
            encoder.transform(pa.table({"x": values, "y": values > 3}))
        ).all()


def test_a_constant_that_is_seldom_missing_is_left_out() -> None:
    encoder = fitted(x=[5.0] * 99 + [None], y=list(range(50)) * 2)
    assert encoder.feature_names_ == ["y"]
    assert "every value is 5" in decision(encoder, "x").detail
    assert decision(encoder, "x").action == "left out"


def test_text_of_too_few_numbers_is_a_category() -> None:
    encoder = fitted(x=["1"] * 94 + ["low"] * 6)
    assert decision(encoder, "x").kind == "category"


def test_quantiles_of_numbers() -> None:
    values = np.random.default_rng(0).normal(size=501)
    summary = fitted(x=values).summaries_["x"]
    for key, q in {"min": 0, "q05": 0.05, "q25": 0.25, "median": 0.5, "max": 1}.items():
        assert summary[key] == pytest.approx(np.quantile(values, q), rel=1e-12)


def test_durations_are_seconds() -> None:
    column = [timedelta(minutes=2), timedelta(milliseconds=1500)]
    assert encoded(fitted(x=column), x=column) == {"x": [120.0, 1.5]}


# ----------------------------------------------------- booleans, left-out columns


def test_booleans() -> None:
    encoder = fitted(x=[True, False, None, True])
    assert encoded(encoder, x=[False, None, True]) == {
        "x": [0.0, 1.0, 1.0],
        "x is missing": [0.0, 1.0, 0.0],
    }
    assert encoder.summaries_["x"]["shares"] == {"true": 0.5, "false": 0.25}
    assert fitted(x=["yes", "no", "Yes"]).feature_names_ == ["x"]
    assert encoded(encoder, x=["0", "yes", "TRUE"])["x"] == [0.0, 1.0, 1.0]
    assert encoded(encoder, x=[0, 1, 1])["x"] == [0.0, 1.0, 1.0]


@pytest.mark.parametrize(
    ("cells", "kind", "detail"),
    [
        ([5.0] * 30, "constant", "always 5"),
        (["P1"] * 30, "constant", "always 'P1'"),
        ([True] * 30, "constant", "always true"),
        ([START] * 30, "constant", "always 2024-01-01 00:00:00"),
        ([None] * 30, "missing", "no cell has a value"),
        ([float("nan")] * 30, "missing", "no cell has a value"),
        (["", "NA"] * 15, "missing", "no cell has a value"),
        (list(range(7, 37)), "identifier", "30 different whole numbers"),
        ([f"u{i}" for i in range(30)], "identifier", "30 different texts in 30 rows"),
        ([[1]] * 30, "ignored", "cells of type list<item: int64> have no single"),
    ],
)
def test_columns_that_say_nothing_are_left_out(
    cells: list[Any], kind: str, detail: str
) -> None:
    encoder = fitted(c=cells, x=np.arange(30.0) ** 2)
    one = decision(encoder, "c")
    assert (one.kind, one.action) == (kind, "left out")
    assert one.detail.startswith(detail)
    assert encoder.feature_names_ == ["x"]
    # Left out, so new rows need not have it.
    assert encoded(encoder, x=[4.0]) == {"x": [4.0]}


def test_row_numbers_by_name_or_by_counting() -> None:
    rng = np.random.default_rng(0)
    x, some = rng.normal(size=50), rng.permutation(1000)[:50]
    assert decision(fitted(x=x, patient_id=some), "patient_id").kind == "identifier"
    assert decision(fitted(x=x, reading=some), "reading").kind == "number"
    shuffled = rng.permutation(50) + 100
    assert decision(fitted(x=x, reading=shuffled), "reading").kind == "identifier"


def test_one_value_and_gaps_keep_the_gaps() -> None:
    encoder = fitted(x=[3.0, None, 3.0], y=[1.0, 2.0, 4.0])
    assert encoder.feature_names_ == ["x is missing", "y"]
    assert decision(encoder, "x").detail == (
        "every value is 3; 33 % of the rows are missing, marked in 'x is missing'"
    )
    assert encoded(encoder, x=[None], y=[0.0])["x is missing"] == [1.0]


def test_ignored_columns() -> None:
    frame = pa.table({"x": [1.0, 2.0], "label": ["a", "b"]})
    encoder = TableEncoder(ignore=("label",)).fit(frame)
    assert (
        str(decision(encoder, "label"))
        == "'label' is ignored: left out (as asked for)."
    )
    assert encoder.feature_names_ == ["x"]
    assert "label" not in encoder.summaries_
    with pytest.raises(ParameterError, match=r"no column 'lable'.*close: 'label'"):
        TableEncoder(ignore=("lable",)).fit(frame)


def test_nothing_to_use() -> None:
    with pytest.raises(DataError, match=r"no column of the table can be used: 'x' is"):
        fitted(x=[1.0, 1.0])
    with pytest.raises(DataError, match="no rows"):
        fitted(x=pa.array([], pa.float64()))
    with pytest.raises(DataError, match="'x' appears 2 times"):
        TableEncoder().fit(pa.table([[1], [2]], names=["x", "x"]))


# ------------------------------------------------------------------- categories


def test_categories() -> None:
    encoder = fitted(c=["b", "a", " a"] * 20 + ["b"] * 10 + [None, "rare"])
    assert encoder.feature_names_ == ["c rarity", "c code 1"]
    assert encoder.source_columns_ == ["c"] * 2
    found = encoder.transform(pa.table({"c": ["a ", "b", None, "rare", "new"]}))
    np.testing.assert_array_equal(np.abs(found[:, 1]), [1, 1, 0, 0, 0])
    assert found[0, 1] == -found[1, 1]
    rarity = found[:, 0].tolist()
    assert rarity == sorted(rarity)
    assert rarity[2] == rarity[3] < rarity[4]  # seen once, and never
    summary = encoder.summaries_["c"]
    assert summary["distinct"] == 3
    assert summary["shares"] == {"a": 40 / 72, "b": 30 / 72, "rare": 1 / 72}


def test_missing_category_that_training_never_had_is_new() -> None:
    encoder = fitted(c=["a", "b"] * 5)
    missing, seen = encoded(encoder, c=[None, "a"])["c rarity"]
    assert missing > seen
    assert encoder.notes(pa.table({"c": ["a", "z", None]})) == (
        "'c' is missing in 1 row, which training never had",
        "'c' has a level that training never had in 1 row",
    )


def test_many_levels_cost_few_columns() -> None:
    cells = [f"v{i:03}" for i in range(100) for _ in range(200 - i)]
    assert fitted(c=cells).feature_names_ == ["c rarity"]
    cells = ["a"] * 30_000 + ["b"] * 20 + ["c"] * 19
    rarity = encoded(fitted(c=cells), c=["a", "b", "c"])["c rarity"]
    assert rarity[0] == 0 < rarity[1] < rarity[2]


def test_dictionary_and_bytes_are_text() -> None:
    cells = ["u", "v", "u", "v"]
    plain = encoded(fitted(c=cells), c=cells)
    for column in (
        pa.array(cells).dictionary_encode(),
        pa.array(cells, pa.large_string()),
        pa.array(cells, pa.string_view()),
        pa.array([cell.encode() for cell in cells]),
        pa.chunked_array([cells[:1], cells[1:]]).dictionary_encode(),
    ):
        assert encoded(fitted(c=column), c=column) == plain
        assert encoded(fitted(c=cells), c=column) == plain


def test_bytes_that_are_not_text() -> None:
    column = pa.array([b"\xff\xfe", b"a"])
    one = decision(fitted(c=column, x=[1, 2]), "c")
    assert (one.kind, one.action) == ("ignored", "left out")
    with pytest.raises(DataError, match="column 'c' holds bytes that are not UTF-8"):
        fitted(c=["a", "b", "a", "b"]).transform(pa.table({"c": column}))


def test_codes_that_happen_to_be_digits() -> None:
    encoder = fitted(c=["12", "A5", "12", "A5"])
    name = "c code 1"
    known = encoded(encoder, c=["12"])[name][0]
    assert known != 0
    assert encoded(encoder, c=[12, 99])[name] == [known, 0.0]
    assert encoded(encoder, c=[12.0, float("nan")])[name] == [known, 0.0]
    with pytest.raises(DataError, match="held categories in the training data and now"):
        encoded(fitted(c=["a", "b", "a", "b"]), c=[1, 2])


def test_features_of_two_columns_never_share_a_name() -> None:
    encoder = fitted(**{"c": ["a", "b", "a", "b"], "c rarity": [1.0, 2.0, 3.0, 5.0]})
    assert len(set(encoder.feature_names_)) == len(encoder.feature_names_) == 3


# ------------------------------------------------------------------------ dates


def hours(n: int, step: float = 1.0) -> list[datetime]:
    return [START + timedelta(hours=i * step) for i in range(n)]


def test_cycles_that_training_covers_twice() -> None:
    assert fitted(t=hours(47), x=range(0, 94, 2)).feature_names_ == ["x"]
    assert fitted(t=hours(49)).feature_names_ == ["t hour sine", "t hour cosine"]
    two_weeks = fitted(t=hours(24 * 14 + 1)).feature_names_
    assert two_weeks[2:] == ["t weekday sine", "t weekday cosine"]
    two_years = fitted(t=hours(731, step=24.0)).feature_names_
    # Noon to noon: the hour does not vary.
    assert [name.split()[1] for name in two_years[::2]] == ["weekday", "month"]


def test_phases_of_known_instants() -> None:
    encoder = fitted(t=hours(24 * 800))
    found = encoded(encoder, t=[datetime(2022, 12, 28, 6), datetime(2024, 4, 1, 18)])
    assert found["t hour sine"] == pytest.approx([1.0, -1.0])
    # Wednesday is day 2 of 7, Monday day 0; December month 11 of 12, April month 3.
    assert found["t weekday sine"] == pytest.approx([np.sin(4 * np.pi / 7), 0.0])
    assert found["t month sine"] == pytest.approx([np.sin(22 * np.pi / 12), 1.0])


def test_left_out_dates_say_why() -> None:
    sentence = str(decision(fitted(t=hours(6), x=[1.0, 2, 4, 8, 16, 32]), "t"))
    assert "left out" in sentence
    assert "5 hours of rows show no usual hour, weekday or month" in sentence


def test_every_type_of_date_gives_the_same() -> None:
    times = [START + timedelta(hours=7 * i) for i in range(40)]
    expected = encoded(fitted(t=times), t=times)
    text = [moment.isoformat() for moment in times]
    for column in (
        pa.array(times, pa.timestamp("s")),
        pa.array(times, pa.timestamp("ns")),
        pa.array(times, pa.timestamp("ms", "Europe/Berlin")),
        text,
        [f"{cell}Z" for cell in text],
        [cell.replace("T", " ") for cell in text],
    ):
        assert encoded(fitted(t=column), t=column) == expected
        assert encoded(fitted(t=times), t=column) == expected


def test_impossible_and_mixed_dates_in_text() -> None:
    text = [moment.isoformat() for moment in hours(60)]
    encoder = fitted(t=[*text, "2024-02-30", "2024-01-01T05:00:00+05:00"])
    assert "'2024-02-30' in row 60, is not a date" in decision(encoder, "t").detail
    found = encoded(encoder, t=["2024-02-30", "2024-01-01T05:00:00+05:00"])
    assert "marked in 't is not a date'" in decision(encoder, "t").detail
    assert found["t is not a date"] == [pytest.approx(np.log2(31)), 0.0]
    assert found["t hour cosine"][1] == 1.0


def test_times_of_day() -> None:
    clock = pa.array([i * 3600 for i in range(24)], pa.time32("s"))
    text = [f"{i:02}:00:00" for i in range(24)]
    encoder = fitted(t=clock)
    assert encoder.feature_names_ == ["t hour sine", "t hour cosine"]
    assert encoded(encoder, t=text) == encoded(encoder, t=clock)
    assert encoded(fitted(t=text), t=clock) == encoded(encoder, t=clock)
    text, usual, _ = encoder.usual("t", clock[3].as_py())
    assert text == "03:00:00"
    assert usual.startswith("training rows")


def test_missing_dates() -> None:
    encoder = fitted(t=[*hours(72), *[None] * 8])
    found = encoded(encoder, t=pa.array([None], pa.timestamp("s")))
    assert found["t is missing"] == [1.0]
    assert found["t hour sine"] == pytest.approx([0.0], abs=1e-12)


# ------------------------------------------------------------- errors at scoring


@pytest.fixture
def encoder() -> TableEncoder:
    n = 72
    return fitted(
        flow=np.arange(n) ** 1.5,
        valve=["open", "shut"] * (n // 2),
        on=[True, False] * (n // 2),
        at=hours(n),
    )


def good_rows(n: int = 3) -> dict[str, Any]:
    return {
        "flow": [1.0] * n,
        "valve": ["open"] * n,
        "on": [True] * n,
        "at": [START] * n,
    }


def test_a_missing_column_is_named_with_close_names(encoder: TableEncoder) -> None:
    rows = good_rows()
    rows["Flow "] = rows.pop("flow")
    with pytest.raises(DataError) as caught:
        encoder.transform(pa.table(rows))
    assert str(caught.value) == (
        "1 of 4 columns of the training data are missing: 'flow' (close: 'Flow '); "
        "add or rename them"
    )


def test_columns_that_training_has_too_are_not_close() -> None:
    encoder = fitted(temp_in=np.arange(9) ** 2, temp_out=np.arange(9) ** 3)
    with pytest.raises(DataError, match="missing: 'temp_in'; add or"):
        encoder.transform(pa.table({"temp_out": [1]}))
    with pytest.raises(DataError, match=r"'temp_in' \(close: 'temp_inn'\)"):
        encoder.transform(pa.table({"temp_out": [1], "temp_inn": [1]}))


@pytest.mark.parametrize(
    ("column", "cells", "message"),
    [
        ("flow", ["1", "high", "2"], "held numbers in the training data, but row 101"),
        ("flow", [START] * 3, "held numbers in the training data and now holds"),
        ("at", ["2024-01-01", "", "soon"], "held dates in the training data, but row"),
        (
            "at",
            [1, 2, 3],
            "held dates in the training data and now holds cells of type",
        ),
        ("valve", [START] * 3, "held categories in the training data and now holds"),
        ("valve", [[1]] * 3, "now holds cells of type list"),
    ],
)
def test_cells_of_another_type(
    encoder: TableEncoder, column: str, cells: list[Any], message: str
) -> None:
    with pytest.raises(DataError) as caught:
        encoder.transform(pa.table(good_rows() | {column: cells}), first_row=100)
    text = str(caught.value)
    assert text.startswith(f"column {column!r}")
    assert message in text
    assert "\n" not in text


def test_extra_columns_and_order_do_not_matter(encoder: TableEncoder) -> None:
    rows = good_rows()
    turned = dict(reversed(rows.items())) | {"more": [1, 2, 3]}
    np.testing.assert_array_equal(
        encoder.transform(pa.table(rows)), encoder.transform(pa.table(turned))
    )
    assert encoder.notes(pa.table(turned)) == (
        "columns that training did not have are ignored: 'more'",
    )


def test_columns_without_a_value_at_scoring(encoder: TableEncoder) -> None:
    rows = {name: pa.nulls(3) for name in good_rows()}
    assert np.isfinite(encoder.transform(pa.table(rows))).all()


def test_other_frames(encoder: TableEncoder) -> None:
    pandas = pytest.importorskip("pandas")
    rows = good_rows()
    expected = encoder.transform(pa.table(rows))
    for frame in (pandas.DataFrame(rows), pa.record_batch(rows), rows):
        np.testing.assert_array_equal(encoder.transform(frame), expected)
    empty = encoder.transform(pa.table(rows).slice(0, 0))
    assert empty.shape == (0, expected.shape[1])


def test_complex_numbers_are_refused_by_their_column() -> None:
    pandas = pytest.importorskip("pandas")
    z = np.arange(9) * 1j
    for frame, name in (
        (pandas.DataFrame({"a": np.arange(9), "z": z}), "z"),
        ({"z": z, "mixed": [1, "a", *range(7)]}, "z"),
        (np.column_stack([z, z]), "x0"),
    ):
        with pytest.raises(DataError, match=f"column '{name}' holds complex numbers; "):
            TableEncoder().fit(frame)


def test_not_fitted() -> None:
    with pytest.raises(DataError, match="not fitted"):
        TableEncoder().transform(pa.table({"x": [1]}))


# ------------------------------------------------------------------------ words


def test_a_word_that_is_neither_true_nor_false_is_the_oddest() -> None:
    encoder = fitted(on=["no", "yes"] * 30)
    value = encoded(encoder, on=["no", "yes", "perhaps"])["on"]
    assert value[:2] == [0.0, 1.0]
    assert abs(value[2]) > 4
    assert encoder.usual("on", "perhaps").usual == "never in training rows"
    notes = encoder.notes(pa.table({"on": ["no", "perhaps"]}))
    said = "'on' is neither true nor false in 1 row, such as 'perhaps'"
    assert notes == (said,)


def test_a_rare_word_counts_as_a_rare_level_does() -> None:
    value = encoded(fitted(on=["ja"] * 399 + ["nein"]), on=["ja", "nein", ""])["on"]
    assert value == [1.0, pytest.approx(1 - np.log2(200)), 1.0]


def test_texts_of_which_many_repeat_are_not_left_out_silently() -> None:
    texts = [f"{90 + i % 50}-{60 + i % 7}" for i in range(60)]
    encoder = fitted(x=[*texts, *texts[:40]], y=[i % 7 for i in range(100)])
    one = decision(encoder, "x")
    assert (one.kind, one.level) == ("identifier", 2)
    assert "--read-as 'x=category'" in one.remedy


@pytest.mark.parametrize(
    ("form", "values"),
    [
        ("{:.0f}/{:.0f}", [135.0, 85.0]),
        ("{:.0f}x{:.0f}x{:.0f} cm", [135.0, 85.0, 60.0]),
        ("{:.4f}, {:.4f}", [135.0, 85.0]),
        ("{:.0f} \u00d7 {:.0f} mm", [135.0, 85.0]),
    ],
)
def test_cells_of_several_numbers(form: str, values: list[float]) -> None:
    rng = np.random.default_rng(0)
    rows = zip(*(rng.normal(mean, 8, 400) for mean in (120, 80, 50)), strict=True)
    cells = [form.format(*row) for row in rows]
    encoder = fitted(x=[*cells, "none taken", None], y=[i % 7 for i in range(402)])
    one = decision(encoder, "x")
    assert (one.kind, one.level) == ("number", 1)
    assert f"are read as {len(values)} numbers" in one.detail
    new = [form.format(135, 85, 60), "none", "what"]
    found = encoder.transform(pa.table({"x": new, "y": [1, 1, 1]}))
    assert found[0, :-1].tolist() == [values[0], 0.0, *values[1:]]
    assert found[2, 1] > 7
    assert encoder.usual("x", new[0]).usual.count("usual") == len(values)
    assert encoder.usual("x", "what")[:2] == (
        "'what'",
        "not a number, as one cell in 402 rows",
    )
    again = TableEncoder.from_dict(json.loads(json.dumps(encoder.to_dict())))
    assert again.transform(pa.table({"x": new, "y": [1, 1, 1]})).tolist() == (
        found.tolist()
    )


def test_usual_of_each_kind(encoder: TableEncoder) -> None:
    assert encoder.usual("flow", 1000.0)[:2] == (
        "1000",
        "usual 7 to 554, median 212; above the highest in training (598)",
    )
    assert encoder.usual("flow", None)[:2] == ("missing", "which no training row was")
    assert encoder.usual("flow", "high")[:2] == (
        "'high'",
        "not a number, never in training rows",
    )
    assert encoder.usual("valve", "open")[:2] == ("'open'", "50 % of training rows")
    assert encoder.usual("valve", "ajar")[:2] == ("'ajar'", "never in training rows")
    assert encoder.usual("on", False)[:2] == ("false", "50 % of training rows")
    assert encoder.usual("at", START)[:2] == (
        "2024-01-01 00:00:00",
        "training rows from 2024-01-01 00:00 to 2024-01-03 23:00",
    )
    with pytest.raises(ParameterError, match=r"no column 'flo' in training .*'flow'"):
        encoder.usual("flo", 1)


def test_usual_of_left_out_columns() -> None:
    frame = pa.table(
        {
            "x": [1.0, 2.0, 4.0] * 10,
            "five": [5] * 30,
            "word": ["w"] * 30,
            "id": range(30),
            "label": [0] * 30,
        }
    )
    encoder = TableEncoder(ignore=("label",)).fit(frame)
    assert encoder.usual("five", 6)[:2] == ("6", "always 5 in training")
    assert encoder.usual("word", "v")[:2] == ("v", "always w in training")
    assert encoder.usual("id", 31)[:2] == ("31", "the column is not used")
    assert encoder.usual("label", 1)[:2] == ("1", "the column is not used")


def test_usual_of_rare_levels() -> None:
    cells = ["north"] * 24_000 + ["south"] * 15_997 + ["east"] * 3
    encoder = fitted(c=cells)
    assert encoder.usual("c", "north").usual == "60 % of training rows"
    assert encoder.usual("c", "east").usual == "seen 3 times in 40,000 rows"
    cells = [f"v{i:03}" for i in range(300) for _ in range(3)]
    usual = fitted(c=cells * 7).usual("c", "v299").usual
    assert usual == "seen 21 times in 6,300 rows"


def test_bytes_are_looked_up_as_text() -> None:
    cells = pa.array([b"zz" if i % 3 else b"yy" for i in range(60)])
    assert fitted(c=cells).usual("c", b"zz")[:2] == ("'zz'", "67 % of training rows")


@pytest.mark.parametrize(
    ("value", "spread", "expected"),
    [
        (412.7031, 15.5, "412.7"),
        (0.0265878, 0.0017, "0.02659"),
        (123456.7, 50_000.0, "123457"),
        (3.0, 0.001, "3"),
        (-0.5, 10.0, "-0.5"),
        (1.23456789e-9, 0.0, "1.23457e-09"),
        (2.5e20, 1.0, "2.5e+20"),
        (float("inf"), 1.0, "infinite"),
    ],
)
def test_numbers_have_the_digits_that_matter(
    value: float, spread: float, expected: str
) -> None:
    assert words.number_text(value, spread) == expected


def test_describe_shows_original_cells() -> None:
    frame = pa.table(
        {
            "x": [1 / 3],
            "n": [12],
            "t": [START],
            "c": [" a\nb "],
            "gap": [float("nan")],
            "on": [False],
            "long": ["y" * 100],
        }
    )
    found = words.describe(frame, 0)
    assert found.pop("long") == "y" * 79 + "\N{HORIZONTAL ELLIPSIS}"
    assert found == {
        "x": "0.333333",
        "n": "12",
        "t": "2024-01-01 00:00:00",
        "c": "a b",
        "gap": "missing",
        "on": "false",
    }
    assert words.describe(frame, 0, ["n"]) == {"n": "12"}


def test_equal_decisions_share_a_sentence() -> None:
    encoder = fitted(**{f"x{i}": [1.0, 2.0, 9.0] for i in range(9)}, c=["a", "b", "a"])
    first, second = grouped(encoder.decisions_)
    assert first == (
        "9 columns ('x0', 'x1', 'x2', 'x3', 'x4', 'x5', ...) are numbers: kept "
        "unchanged."
    )
    assert second.startswith("'c' is a category: kept as how rare its level is")


# ------------------------------------------------------------------- round trip


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"format": 3, "columns": []},
        {"format": 1},
        {"format": 1, "columns": [{"column": "a"}]},
        {"format": 1, "columns": [{"column": "a", "kind": "spell", "action": ""}]},
        {"format": 1, "columns": [None]},
    ],
)
def test_damaged_encodings(data: dict[str, Any]) -> None:
    with pytest.raises(ModelFileError):
        TableEncoder.from_dict(data)


def cells_of(kind: str) -> st.SearchStrategy[Any]:
    return {
        "float": st.floats(width=64),
        "int": st.integers(-(2**63), 2**63 - 1),
        "bool": st.booleans(),
        "word": st.sampled_from(["a", "b", " b", "c", "?", "1", ""]),
        "text": st.text(max_size=5),
        "digits": st.sampled_from(["1", "2.5", "-3e4", "inf", "x"]),
        "date": st.datetimes(datetime(1700, 1, 1), datetime(2200, 1, 1)),
        "iso": st.datetimes().map(str),
    }[kind]


@st.composite
def frames(draw: DrawFn) -> pa.Table:
    kinds = ["float", "int", "bool", "word", "text", "digits", "date", "iso"]
    n = draw(st.integers(1, 40))
    columns = {}
    for j, kind in enumerate(draw(st.lists(st.sampled_from(kinds), max_size=4))):
        cell = st.none() | cells_of(kind)
        values = draw(st.lists(cell, min_size=n, max_size=n))
        columns[f"{kind}{j}"] = pa.array(values, from_pandas=False)
    columns["last"] = pa.array(np.arange(n) ** 2 - 0.5)  # never left out if n > 1
    return pa.table(columns)


@settings(max_examples=150)
@given(frame=frames(), data=st.data())
def test_properties_of_every_encoding(frame: pa.Table, data: st.DataObject) -> None:
    try:
        encoder = TableEncoder().fit(frame)
    except DataError as error:
        assert frame.num_rows == 1 or "can be used" in str(error)  # noqa: PT017
        return
    X = encoder.transform(frame)
    assert np.isfinite(X).all()
    order = data.draw(st.permutations(range(frame.num_rows)))
    np.testing.assert_array_equal(encoder.transform(frame.take(list(order))), X[order])
    cut = data.draw(st.integers(0, frame.num_rows))
    parts = [frame.slice(0, cut), frame.slice(cut)]
    halves = [encoder.transform(part) for part in parts]
    np.testing.assert_array_equal(np.concatenate(halves), X)
    again = TableEncoder.from_dict(json.loads(json.dumps(encoder.to_dict())))
    assert again.to_dict() == encoder.to_dict()
    assert again.decisions_ == encoder.decisions_
    assert again.summaries_ == encoder.summaries_
    np.testing.assert_array_equal(again.transform(frame), X)
    for column in frame.column_names:
        encoder.usual(column, frame[column][0].as_py())


@settings(max_examples=50)
@given(frame=frames(), data=st.data())
def test_row_order_changes_no_decision(frame: pa.Table, data: st.DataObject) -> None:
    order = data.draw(st.permutations(range(frame.num_rows)))
    try:
        encoder = TableEncoder().fit(frame)
    except DataError:
        with pytest.raises(DataError):
            TableEncoder().fit(frame.take(list(order)))
        return
    other = TableEncoder().fit(frame.take(list(order)))
    assert other.feature_names_ == encoder.feature_names_
    assert [o.kind for o in other.decisions_] == [o.kind for o in encoder.decisions_]


def test_blocks_of_a_long_table_join() -> None:
    n = 40_000
    rng = np.random.default_rng(0)
    x = rng.normal(size=n)
    c = rng.permutation(["a", "b"] * (n // 2))
    encoder = fitted(x=x, c=c)
    X = encoder.transform(pa.table({"x": pa.chunked_array([x[:7], x[7:]]), "c": c}))
    np.testing.assert_array_equal(X[:, 0], x)
    (sign,) = encoder.transform(pa.table({"x": [0.0], "c": ["a"]}))[:, -1]
    np.testing.assert_array_equal(X[:, -1], np.where(c == "a", sign, -sign))
    bad = ["1"] * n
    bad[35_000] = "oops"
    with pytest.raises(DataError, match="row 35007"):
        encoder.transform(pa.table({"x": bad, "c": c}), first_row=7)


# ------------------------------------------------------- text files, real tables


def test_a_streamed_file_is_encoded_as_the_whole(tmp_path: Path) -> None:
    rows = ["x,n,code,on,at,note"]
    for i in range(300):
        gap = "" if i % 50 == 3 else f"{i / 7:.3f}"
        moment = START + timedelta(hours=i)
        code = "A7" if i % 3 else "12"
        rows.append(f"{gap},{i % 11},{code},{i % 2 == 0},{moment},free text {i}")
    path = tmp_path / "a.csv"
    path.write_text("\n".join(rows) + "\n")
    file = formats.open_table(path)
    whole = file.read()
    encoder = TableEncoder().fit(whole)
    X = encoder.transform(whole)
    parts = [encoder.transform(batch) for batch in file.batches(64)]
    np.testing.assert_array_equal(np.concatenate(parts), X)


def test_real_tables(real_data: Path) -> None:
    found = formats.open_table(real_data / "network" / "nsl_kdd_test.csv.gz").read()
    encoder = TableEncoder(ignore=("label", "difficulty")).fit(found)
    kinds = {one.column: one.kind for one in encoder.decisions_}
    assert kinds["num_outbound_cmds"] == "constant"
    categories = {name for name, kind in kinds.items() if kind == "category"}
    assert categories == {"protocol_type", "service", "flag"}
    X = encoder.transform(found)
    words = np.array(found["service"].to_pylist())
    rarity = X[:, encoder.feature_names_.index("service rarity")]
    assert rarity[words == "http"].max() == 0  # the most common one
    counts = dict(zip(*np.unique(words, return_counts=True), strict=True))
    assert counts[words[rarity.argmax()]] == min(counts.values())
    share = (np.array(found["protocol_type"].to_pylist()) == "tcp").mean()
    assert encoder.summaries_["protocol_type"]["shares"]["tcp"] == pytest.approx(share)


def test_real_time_series(real_data: Path) -> None:
    found = formats.open_table(
        real_data / "demo" / "table" / "skab_valve1.csv.gz"
    ).read()
    ignore = ("anomaly", "changepoint", "run")
    encoder = TableEncoder(ignore=ignore).fit(found)
    assert len(encoder.feature_names_) == 8
    assert "5.3 hours of rows show no" in str(decision(encoder, "datetime"))
    assert encoder.usual("Temperature", 120.0).usual.endswith("in training (79.89)")
