"""Reasons in words."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from whitecrow import KDE, reasons
from whitecrow.data.kinds.table import TableEncoder
from whitecrow.reasons import place_of


@pytest.fixture
def frame() -> pa.Table:
    rng = np.random.default_rng(0)
    n = 200
    flow = rng.normal(50, 2, n)
    flow[5] = np.nan
    return pa.table(
        {
            "flow": pa.array(flow, from_pandas=True),
            "state": rng.choice(["on", "off, idle"], n),
            "steady": rng.normal(0, 1, n),
        }
    )


def explained(frame: pa.Table, row: dict[str, object]) -> tuple[reasons.Reason, ...]:
    encoder = TableEncoder().fit(frame)
    detector = KDE().fit(encoder.transform(frame))
    one = pa.table({name: pa.array([value]) for name, value in row.items()})
    (found,) = reasons.of_rows(detector, encoder, one)
    return found


def test_a_number_beside_its_usual_range(frame: pa.Table) -> None:
    first, *_ = explained(frame, {"flow": 80.0, "state": "on", "steady": 0.0})
    assert (first.column, first.value, first.text) == ("flow", 80.0, "80")
    assert first.usual.startswith("usual 47.05 to 53.15, ")
    assert first.usual.endswith("above the highest in training (54)")
    assert first.share > 0.5
    assert str(first) == f"flow = 80 ({first.usual})"


def test_a_category_with_a_comma(frame: pa.Table) -> None:
    found = explained(frame, {"flow": 50.0, "state": "off, idle", "steady": 9.0})
    assert found[0].column == "steady"
    text, usual = TableEncoder().fit(frame).usual("state", "off, idle")
    assert (text, usual) == ("'off, idle'", "51 % of training rows")


@pytest.mark.parametrize(
    ("column", "value", "expected"),
    [
        ("flow", None, ("missing", "as 0.5 % of training rows")),
        ("steady", None, ("missing", "which no training row was")),
        ("state", "new", ("'new'", "never in training rows")),
    ],
)
def test_the_value_comes_apart_from_what_is_usual(
    frame: pa.Table, column: str, value: object, expected: tuple[str, str]
) -> None:
    assert tuple(TableEncoder().fit(frame).usual(column, value)) == expected


def test_contributions_of_encoded_columns_add_up() -> None:
    names, totals = reasons.by_column(
        np.arange(8.0).reshape(2, 4), ["b", "a", "b", "b"]
    )
    assert names == ["b", "a"]
    assert totals.tolist() == [[5.0, 1.0], [17.0, 5.0]]


@pytest.mark.parametrize(
    ("y", "x", "words"),
    [
        (0, 0, "upper left"),
        (15, 15, "centre,"),
        (15, 29, "middle right"),
        (29, 15, "low"),
    ],
)
def test_places_in_words(y: int, x: int, words: str) -> None:
    heat = np.zeros((30, 30))
    heat[y, x] = 1.0
    assert place_of(heat).startswith(words)
