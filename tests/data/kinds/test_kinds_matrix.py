"""Every kind of column through everything that an encoder does, and what is said."""

from __future__ import annotations

import json
import random
import warnings
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from sklearn.base import clone
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from whitecrow.data.kinds import TableEncoder, grouped, words
from whitecrow.data.kinds.labels import label_like
from whitecrow.errors import DataError, UserError

N = 240
RNG = np.random.default_rng(0)
CHANCE = random.Random(0)
X = RNG.normal(50, 3, N)
AT = [datetime(2024, 1, 1) + timedelta(hours=7 * i) for i in range(N)]
NS = np.datetime64("2024-01-01T00:00:00.123456789") + np.arange(N).astype("m8[h]")


def with_one(cells: list[Any], cell: Any) -> list[Any]:
    return [*cells[:7], cell, *cells[8:]]


COLUMNS: dict[str, Any] = {
    "whole numbers": [str(v) for v in RNG.integers(0, 50, N)],
    "decimals": [f"{v:.3f}" for v in X],
    "decimal commas": [f"{v:.3f}".replace(".", ",") for v in X],
    "money": [f"${v * 1000:,.2f}" for v in X],
    "percent": [f"{v:.1f} %" for v in X],
    "units": [f"{v:.1f} kg" for v in X],
    "several units": [f"{v:.1f} {('kg', 'pcs')[i % 2]}" for i, v in enumerate(X)],
    "typed ints": RNG.integers(0, 50, N),
    "typed floats": X,
    "gaps": pa.array(np.where(X > 53, np.nan, X), from_pandas=True),
    "decimal128": [Decimal(f"{v:.3f}") for v in X],
    "decimal256": pa.array([Decimal(f"{v:.3f}") for v in X], pa.decimal256(60, 5)),
    "float16": X.astype(np.float16),
    "big uint64": pa.array([2**63 + 2**50 * int(v) for v in X], pa.uint64()),
    "big ids": pa.array([2**60 + i for i in range(N)]),
    "row numbers": list(range(N)),
    "booleans": [bool(v > 50) for v in X],
    "yes and no": ["yes" if v > 50 else "no" for v in X],
    "ja und nein": ["ja" if v > 50 else "nein" for v in X],
    "crosses": ["x" if v > 50 else None for v in X],
    "few levels": [CHANCE.choice(["red", "green", "blue"]) for _ in range(N)],
    "many levels": [f"shop {CHANCE.randrange(60)}" for _ in range(N)],
    "identifiers": [f"C-{1000 + i}" for i in range(N)],
    "e-mails": [f"a{i}@example.org" for i in range(N)],
    "postal codes": [f"{CHANCE.randrange(100, 99999):05}" for _ in range(N)],
    "iso dates": [str(one) for one in AT],
    "day first": [f"{one:%d/%m/%Y}" for one in AT],
    "month first": [f"{one:%m/%d/%Y %I:%M %p}" for one in AT],
    "one bad date": with_one([f"{one:%Y-%m-%d}" for one in AT], "unknown"),
    "clock": [f"{one:%H:%M}" for one in AT],
    "durations": [f"{i % 40}:{i % 60:02}:00" for i in range(N)],
    "apache": [f"[{one:%d/%b/%Y:%H:%M:%S} -0700]" for one in AT],
    "dates": [one.date() for one in AT],
    "date64": pa.array([one.date() for one in AT], pa.date64()),
    "timestamps": AT,
    "nanoseconds": pa.array(NS),
    "zones": pa.array(AT, pa.timestamp("ms", "Europe/Berlin")),
    "times": [one.time() for one in AT],
    "time32": pa.array([one.time() for one in AT], pa.time32("s")),
    "typed durations": [timedelta(minutes=int(v)) for v in X],
    "nanosecond durations": pa.array((X * 1e9).astype(np.int64), pa.duration("ns")),
    "intervals": pa.array([(0, i, 0) for i in range(N)], pa.month_day_nano_interval()),
    "bytes": [f"z{i % 3}".encode() for i in range(N)],
    "bytes of one width": pa.array([b"ab", b"cd"] * (N // 2), pa.binary(2)),
    "not text": pa.array([b"\xff\xfe", b"a"] * (N // 2)),
    "dictionary": pa.array([f"k{i % 4}" for i in range(N)]).dictionary_encode(),
    "coded numbers": pa.array([i % 7 for i in range(N)]).dictionary_encode(),
    "string view": pa.array([f"k{i % 4}" for i in range(N)], pa.string_view()),
    "large string": pa.array([f"k{i % 4}" for i in range(N)], pa.large_string()),
    "runs": pc.run_end_encode(pa.array([i // 40 for i in range(N)])),
    "lists": [[1]] * N,
    "structs": [{"a": i % 7, "b": f"k{i % 3}"} for i in range(N)],
    "nothing": pa.nulls(N),
    "all missing": [None] * (N - 1) + [""],
    "words for missing": ["NA", "n/a"] * (N // 2),
    "constant": ["7"] * N,
    "infinite": with_one([f"{v:.3f}" for v in X], "inf"),
    "typed infinite": np.where(np.arange(N) == 7, np.inf, X),
    "all infinite": [float("inf")] * N,
    "huge": with_one([f"{v:.3f}" for v in X], "1.797e308"),
    "typed huge": np.where(np.arange(N) == 7, -1.797e308, X),
    "sentinel": ["-999" if i % 9 == 0 else f"{v:.2f}" for i, v in enumerate(X)],
    "dashes": ["-" if i % 9 == 0 else f"{v:.2f}" for i, v in enumerate(X)],
    "line breaks": [f"a\nb{i % 3}" for i in range(N)],
    "long texts": [f"{i} " + "x" * 3000 for i in range(N)],
    "": [f"{v:.3f}" for v in X],
    "quote's": [f"{v:.3f}".replace(".", ",") for v in X],
}


def table(name: str) -> pa.Table:
    frame = pa.table({name: COLUMNS[name], "other": np.arange(N) ** 2 - 0.5})
    return frame


@pytest.mark.parametrize("name", COLUMNS)
def test_no_kind_of_column_fails_anywhere(name: str) -> None:
    frame = table(name)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        encoder = TableEncoder().fit(frame)
        X = encoder.transform(frame)
        assert X.shape == (N, len(encoder.feature_names_))
        assert np.isfinite(X).all()
        again = TableEncoder.from_dict(json.loads(json.dumps(encoder.to_dict())))
        assert again.decisions_ == encoder.decisions_
        np.testing.assert_array_equal(again.transform(frame), X)
        assert encoder.notes(frame) == ()
        flat = frame.flatten() if name == "structs" else frame
        for column in flat.column_names:
            cells = flat[column]
            chart = encoder.chart(column, cells)
            assert chart.shape == (N,)
            assert not np.isinf(chart).any()
            for row in (0, 7, N - 1):
                text, usual, _ = encoder.usual(column, words.cell_of(cells, row))
                assert text
                assert usual
        assert words.describe(frame, 7)
        for decision in encoder.decisions_:
            assert "\n" not in str(decision)
        assert grouped(encoder.decisions_)


@pytest.mark.parametrize("name", COLUMNS)
def test_new_rows_of_any_type_are_encoded_or_refused_in_one_line(name: str) -> None:
    encoder = TableEncoder().fit(table(name))
    for other in COLUMNS:
        frame = pa.table({name: COLUMNS[other], "other": np.arange(N)})
        if name == "structs" or other == "structs":
            continue
        try:
            assert np.isfinite(encoder.transform(frame)).all()
        except UserError as error:
            assert "\n" not in str(error)  # noqa: PT017
        assert not np.isinf(encoder.chart(name, frame[name])).any()
        encoder.usual(name, words.cell_of(frame[name], 7))


@pytest.mark.parametrize("how", ["number", "date", "clock", "duration", "category"])
@pytest.mark.parametrize("name", COLUMNS)
def test_any_column_is_read_as_asked_or_refused_in_one_line(
    name: str, how: str
) -> None:
    if name == "structs":
        return
    frame = table(name)
    try:
        encoder = TableEncoder(read_as={name: how}).fit(frame)
    except UserError as error:
        assert "\n" not in str(error)  # noqa: PT017
        return
    assert np.isfinite(encoder.transform(frame)).all()


def test_loud_decisions_come_first() -> None:
    names = ["decimals", "several units", "money", "sentinel", "few levels"]
    encoder = TableEncoder().fit(pa.table({name: COLUMNS[name] for name in names}))
    levels = {one.column: one.level for one in encoder.decisions_}
    assert levels == dict(zip(names, [0, 2, 1, 2, 0], strict=True))
    said = grouped(encoder.decisions_)
    assert said[0].startswith("'several units' is not understood: left out")
    assert said[1].startswith("'sentinel' is a number")
    assert said[2].startswith("'money'")


def test_equal_remedies_share_a_sentence() -> None:
    cells = ["1,125", "2,250", "3,375", "4,500", "993"]
    encoder = TableEncoder().fit(pa.table({"a": cells, "at": cells}))
    (sentence,) = grouped(encoder.decisions_)
    assert sentence == (
        "2 columns ('a', 'at') are numbers: kept unchanged (cells such as '1,125' are "
        "read as 1125); if that is wrong: --read-as 'NAME=decimal-comma'."
    )


def test_identifiers_and_row_numbers() -> None:
    names = ["identifiers", "row numbers", "decimals", "e-mails"]
    encoder = TableEncoder().fit(pa.table({name: COLUMNS[name] for name in names}))
    assert encoder.identifiers_ == ["identifiers", "row numbers", "e-mails"]
    asked = TableEncoder(read_as={"few levels": "identifier"}).fit(table("few levels"))
    assert asked.identifiers_ == ["few levels"]


def test_ignored_columns_are_not_looked_at() -> None:
    for encoder in (
        TableEncoder(ignore=["money"]),
        TableEncoder(ignore="money"),
        TableEncoder(read_as={"money": "ignore"}),
    ):
        assert encoder.fit(table("money")).feature_names_ == ["other"]


# ------------------------------------------------------------------------- truths


@pytest.mark.parametrize(
    "pair",
    [
        *(("true", "false"), ("Yes", "No"), ("ja", "nein"), ("oui", "non"), ("T", "F")),
        *(("s\u00ed", "no"), ("y", "n"), ("on", "off"), ("wahr", "falsch")),
        *(("vrai", "faux"), ("J", "N"), ("TRUE", "FALSE")),
    ],
)
def test_pairs_of_words_are_truths(pair: tuple[str, str]) -> None:
    cells = [pair[i % 3 == 0] for i in range(60)]
    frame = pa.table({"c": cells, "other": np.arange(60) ** 2})
    encoder = TableEncoder().fit(frame)
    assert encoder.feature_names_ == ["c", "other"]
    assert encoder.transform(frame)[:, 0].tolist() == [
        float(c == pair[0]) for c in cells
    ]
    assert encoder.usual("c", pair[0])[:2] == (pair[0], "67 % of training rows")
    new = pa.table({"c": ["yes", "0", "FALSE"], "other": [1, 2, 3]})
    assert encoder.transform(new)[:, 0].tolist() == [1.0, 0.0, 0.0]


def test_a_word_for_missing_among_truths() -> None:
    cells = ["yes", "no", "unknown", "yes", "n/a"] * 12
    encoder = TableEncoder().fit(pa.table({"c": cells}))
    assert encoder.feature_names_ == ["c", "c is missing"]


def test_crosses_beside_empty_cells() -> None:
    frame = pa.table({"c": ["x", None, "X", ""] * 15})
    encoder = TableEncoder().fit(frame)
    assert encoder.transform(frame).tolist() == [[1.0], [0.0], [1.0], [0.0]] * 15
    assert "empty cells count as false" in encoder.decisions_[0].detail
    assert encoder.usual("c", None)[:2] == ("missing", "50 % of training rows")


def test_any_two_words_can_be_truths_if_asked() -> None:
    frame = pa.table({"c": ["open", "shut", "shut", ""] * 15})
    encoder = TableEncoder(read_as={"c": "truth"}).fit(frame)
    assert encoder.feature_names_ == ["c", "c is missing"]
    assert encoder.transform(frame)[:3, 0].tolist() == [0.0, 1.0, 1.0]


# ------------------------------------------------------------- columns like labels


@pytest.mark.parametrize(
    ("name", "values", "expected"),
    [
        ("anomaly", "01", True),
        ("is_fraud", "01", True),
        ("isFraud", "01", True),
        ("Class", ["good", "bad"], True),
        ("label", ["normal", "neptune", "smurf"], True),
        ("label", ["a", "b", "c"], False),
        ("y", "01", True),
        ("machine.failure", "01", True),
        ("is_anomaly", ["true", "false"], True),
        ("changepoint", "01", True),
        ("gt", "01", True),
        ("diagnosis", "MB", True),
        ("Pass/Fail", ["-1", "1"], True),
        ("status", ["ok", "broken"], True),
        ("test result", ["Pass", "Fail"], True),
        ("status", ["open", "shut"], False),
        ("state", ["ok", "warm", "hot"], False),
        ("statement", "01", False),
        ("outlier_score", "01", False),
        ("pressure", "01", False),
        ("anomaly", ["1"], False),
    ],
)
def test_names_of_labels(name: str, values: list[str], expected: bool) -> None:
    assert label_like(name, values) is expected


@pytest.mark.parametrize(
    "cells",
    [
        ["1" if i % 40 == 0 else "0" for i in range(N)],
        [int(i % 40 == 0) for i in range(N)],
        [i % 40 == 0 for i in range(N)],
        ["anomaly" if i % 40 == 0 else "normal" for i in range(N)],
        [-1 if i % 40 == 0 else 1 for i in range(N)],
    ],
)
def test_a_column_like_labels_is_pointed_out_but_kept(cells: list[Any]) -> None:
    frame = pa.table({"is anomaly": cells, "other": np.arange(N) ** 2})
    encoder = TableEncoder().fit(frame)
    one = encoder.decisions_[0]
    assert one.level == 2
    assert "looks like labels" in one.detail
    assert "--label-column 'is anomaly'" in one.remedy
    assert "is anomaly" in encoder.source_columns_


@pytest.mark.parametrize(
    ("cells", "options"),
    [
        (
            ["normal", "neptune", "smurf"],
            "--label-column label --anomaly-value '!normal'",
        ),
        (["yes", "no"], "--label-column label --anomaly-value '!no'"),
        (["A", "B", "B"], "--label-column label --anomaly-value A"),
        (["1", "2", "2"], "--label-column label --anomaly-value 1"),
        (["0", "1", "0"], "--label-column label"),
    ],
)
def test_the_options_for_labels_work_as_pasted(cells: list[str], options: str) -> None:
    frame = pa.table({"label": (cells * N)[:N], "other": np.arange(N) ** 2})
    one = TableEncoder().fit(frame).decisions_[0]
    assert one.remedy == f"if it says which rows are anomalies: {options}"


# --------------------------------------------------------------- frames, scikit-learn


def test_an_encoder_is_a_transformer_of_scikit_learn() -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(
        {"load": X, "state": [f"s{i % 3}" for i in range(N)], "label": 0},
        index=np.arange(N) + 1000,
    )
    encoder = TableEncoder(ignore=["label"], read_as={"state": "category"})
    copy = clone(encoder)
    assert copy.get_params() == encoder.get_params()
    pipeline = make_pipeline(copy, StandardScaler()).fit(frame)
    assert pipeline.transform(frame).shape == (N, len(copy.feature_names_))
    shown = encoder.set_output(transform="pandas").fit_transform(frame)
    assert list(shown.columns) == list(encoder.get_feature_names_out())
    assert (shown.index == frame.index).all()
    assert encoder.feature_names_in_.tolist() == ["load", "state", "label"]


def test_frames_of_any_maker() -> None:
    pandas = pytest.importorskip("pandas")
    columns = {"load": X, "state": [f"s{i % 3}" for i in range(N)]}
    expected = TableEncoder().fit_transform(pa.table(columns))

    class Capsule:
        """Any frame that hands out Arrow data, as those of polars and duckdb do."""

        def __arrow_c_stream__(self, requested_schema: object = None) -> object:
            return pa.table(columns).__arrow_c_stream__(requested_schema)

    frame = pandas.DataFrame(columns)
    for other in (frame, columns, Capsule(), frame.set_index(frame.index + 5)):
        np.testing.assert_array_equal(TableEncoder().fit_transform(other), expected)
    frame["state"] = frame["state"].astype("category")
    np.testing.assert_array_equal(TableEncoder().fit_transform(frame), expected)


def test_cells_of_several_types_become_text() -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"mixed": [1, "a", None] * 20, "load": np.arange(60) ** 2})
    encoder = TableEncoder().fit(frame)
    assert encoder.source_columns_[0] == "mixed"
    assert set(encoder.summaries_["mixed"]["shares"]) == {"1", "a"}


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (np.zeros(3), r"an array of shape \(3,\) is not a table"),
        (7, "int is not a table with named columns"),
        ({"a": [1, 2], "b": [1]}, "the columns do not form a table"),
    ],
)
def test_what_is_not_a_table(frame: object, message: str) -> None:
    with pytest.raises(DataError, match=message):
        TableEncoder().fit(frame)


def test_repeated_names() -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(np.zeros((3, 2)), columns=["a", "a"])
    with pytest.raises(DataError, match=r"column name 'a'"):
        TableEncoder().fit(frame)
    structs = pa.table({"a": [{"b": 1}], "a.b": [2]})
    with pytest.raises(DataError, match=r"'a\.b' appears 2 times"):
        TableEncoder().fit(structs)


def test_nested_columns_become_dotted_ones() -> None:
    frame = pa.table({"s": [{"a": i * i, "b": {"c": i % 3}} for i in range(20)]})
    assert TableEncoder().fit(frame).source_columns_ == ["s.a", "s.b.c"]


def test_dates_beyond_python() -> None:
    far = pa.array([10**17 + i for i in range(30)], pa.timestamp("us"))
    frame = pa.table({"at": far, "day": [date(2024, 1, 1)] * 30, "x": range(0, 60, 2)})
    encoder = TableEncoder().fit(frame)
    assert encoder.usual("at", words.cell_of(far, 0)).text
    assert encoder.usual("day", time(3, 4)).text == "03:04:00"
