"""Reasons in words."""

from __future__ import annotations

import re

import numpy as np
import pyarrow as pa
import pytest

from whitecrow import KDE, reasons
from whitecrow.data.kinds.number import range_text
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
    text, usual, _ = TableEncoder().fit(frame).usual("state", "off, idle")
    assert (text, usual) == ("'off, idle'", "51 % of training rows")


@pytest.mark.parametrize(
    ("column", "value", "expected"),
    [
        ("flow", None, ("missing", "like 0.5 % of training rows")),
        ("steady", None, ("missing", "which no training row was")),
        ("state", "new", ("'new'", "never in training rows")),
    ],
)
def test_the_value_comes_apart_from_what_is_usual(
    frame: pa.Table, column: str, value: object, expected: tuple[str, str]
) -> None:
    assert TableEncoder().fit(frame).usual(column, value)[:2] == expected


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


@pytest.fixture
def visits() -> tuple[TableEncoder, pa.Table]:
    rng = np.random.default_rng(1)
    n = 200
    charges = [f"${amount:,.2f}" for amount in rng.uniform(1000, 9000, n)]
    tags = np.where(np.arange(n) < 4, 1.0, 0.0)
    frame = pa.table(
        {
            "charges": charges,
            "tags": tags,
            "state": ["on"] * 60 + ["off"] * 136 + ["stuck"] * 4,
            "age": pa.array([None] * 4 + [40.0 + row % 30 for row in range(n - 4)]),
        }
    )
    return TableEncoder().fit(frame), frame


@pytest.mark.parametrize(
    ("column", "cell", "usual"),
    [
        ("charges", "$5,000.00", None),
        ("charges", "$12.00", r"usual \$[\d,]+ to \$[\d,]+, median \$[\d,]+; below .*"),
        ("tags", 1.0, "usually 0"),
        ("state", "off", None),
        ("state", "stuck", r"2 % of training rows"),
        ("age", None, r"like 2 % of training rows"),
    ],
)
def test_a_range_is_told_only_of_what_is_outside_of_it(
    visits: tuple[TableEncoder, pa.Table], column: str, cell: object, usual: str | None
) -> None:
    found = visits[0].usual(column, cell)
    assert found.common == (usual is None)
    assert usual is None or re.fullmatch(usual, found.usual), found.usual


def test_reasons_of_rows_know_what_is_within_its_range(frame: pa.Table) -> None:
    found = explained(frame, {"flow": 52.9, "state": "on", "steady": 1.5})
    told = {reason.column: reason.usual for reason in found}
    assert told["flow"] == reasons.TOGETHER


def test_ranges_have_their_unit_once_or_before_each_number() -> None:
    flow = {"q05": -0.001, "median": 4.0, "q95": 7.5, "min": -1.0, "max": 9.0}
    assert range_text(flow | {"unit": "EUR"}) == "0 to 7.5 €"
    assert range_text(flow | {"unit": "kg"}, median=True) == (
        "usual 0 to 7.5, median 4 kg"
    )


def test_ranges_of_money_have_thousands_marks() -> None:
    pay = {"q05": 111_730.4, "median": 1e6, "q95": 2.5e6, "min": 0.0, "max": 9e6}
    money = pay | {"unit": "$", "decimal": "."}
    assert range_text(money) == "$111,730 to $2,500,000"
    comma = pay | {"unit": "EUR", "decimal": ",", "q05": 1234.5, "q95": 1300.25}
    assert range_text(comma) == "1.234,5 to 1.300,2 €"
    # Numbers without a unit stay as they are, and so do models of before.
    assert range_text(pay) == "111730 to 2500000"


def test_ranges_of_durations_are_told_in_hours_and_minutes() -> None:
    cells = [f"{1 + row % 8}h {row % 60}m" for row in range(200)]
    encoder = TableEncoder().fit(pa.table({"took": cells}))
    found = encoder.usual("took", "30h 5m").usual
    assert found == (
        "usual 1 h 20 min to 8 h 31 min, median 5 h; above the highest in training "
        "(8 h 59 min)"
    )


def test_a_reason_is_one_line() -> None:
    one = reasons.Reason("net\nvalue", 1.0, "1", "usual 2 to 3", 0.5)
    assert str(one) == "net value = 1 (usual 2 to 3)"
