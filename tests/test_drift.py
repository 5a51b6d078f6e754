"""How new rows differ from training: the measure by hand, alarms, and no false ones."""

from __future__ import annotations

import math

import numpy as np
import pyarrow as pa
import pytest

from whitecrow.data.kinds import TableEncoder
from whitecrow.drift import ColumnDrift, Drift

N = 2000
DAY = 86_400


def drawn(n: int, seed: int) -> pa.Table:
    """Rows of one distribution."""
    rng = np.random.default_rng(seed)
    start = seed * N * 3600  # each seed is a later time
    seconds = start + 3600 * np.arange(n)
    return pa.table(
        {
            "flow": rng.normal(50, 5, n),
            "state": rng.choice(["on", "off", "idle"], n, p=[0.6, 0.3, 0.1]),
            "valve": rng.random(n) < 0.5,
            "gap": np.where(rng.random(n) < 0.1, np.nan, rng.exponential(3, n)),
            "at": pa.array(seconds.astype("datetime64[s]")),
        }
    )


@pytest.fixture(scope="module")
def encoder() -> TableEncoder:
    return TableEncoder().fit(drawn(N, 0))


def compared(encoder: TableEncoder, *frames: pa.Table) -> dict[str, ColumnDrift]:
    drift = Drift(encoder)
    for frame in frames:
        drift.add(frame)
    return {one.column: one for one in drift.columns()}


def changed(name: str, values: object, n: int = N) -> pa.Table:
    frame = drawn(n, 1)
    at = frame.column_names.index(name)
    return frame.set_column(at, name, pa.array(values))


# --------------------------------------------------------------------- the measure


def test_the_index_of_numbers_by_hand() -> None:
    encoder = TableEncoder().fit(pa.table({"x": np.arange(1000.0) / 2}))
    lower = np.repeat(np.arange(50.0, 250.0, 50), 100) + 10  # of four tenths
    found = compared(encoder, pa.table({"x": lower}))["x"]
    full = (0.25 - 0.1) * math.log(0.25 / 0.1)
    empty = (1e-4 - 0.1) * math.log(1e-4 / 0.1)
    assert found.psi == pytest.approx(4 * full + 6 * empty)
    assert (found.outside, found.missing, found.moved) == (0, 0, True)


def test_the_index_of_levels_by_hand() -> None:
    cells = ["a"] * 500 + ["b"] * 300 + ["c"] * 200
    encoder = TableEncoder().fit(pa.table({"c": cells, "x": np.arange(1000.0)}))
    new = pa.table({"c": ["a"] * 50 + ["b"] * 30 + ["c"] * 20, "x": np.arange(100.0)})
    # The bin of all other levels is empty on both sides.
    assert compared(encoder, new)["c"].psi == pytest.approx(0)
    new = new.set_column(0, "c", pa.array(["a"] * 20 + ["b"] * 30 + ["c"] * 50))
    expected = (0.2 - 0.5) * math.log(0.2 / 0.5) + (0.5 - 0.2) * math.log(0.5 / 0.2)
    assert compared(encoder, new)["c"].psi == pytest.approx(expected)


def test_batches_add_up(encoder: TableEncoder) -> None:
    frame = drawn(900, 3)
    whole = compared(encoder, frame)
    assert compared(encoder, frame.slice(0, 7), frame.slice(7)) == whole


# ------------------------------------------------------------------ no false alarms


@pytest.mark.parametrize("n", [1, 5, 20, 100, 1000])
def test_rows_of_the_same_distribution_do_not_alarm(
    encoder: TableEncoder, n: int
) -> None:
    for seed in range(1, 9):
        drift = Drift(encoder)
        drift.add(drawn(n, seed))
        assert [one.text for one in drift.moved()] == []


def test_later_dates_are_no_shift(encoder: TableEncoder) -> None:
    found = compared(encoder, drawn(N, 9))["at"]
    assert (found.moved, found.outside) == (False, 0)


def test_one_value_of_most_rows_is_one_bin() -> None:
    cells = np.r_[np.zeros(900), np.arange(1.0, 101.0)]
    encoder = TableEncoder().fit(pa.table({"x": cells, "y": np.arange(1000.0)}))
    again = pa.table({"x": cells[::2], "y": np.arange(0.0, 1000, 2)})
    assert compared(encoder, again)["x"].psi == pytest.approx(0, abs=1e-6)


# -------------------------------------------------------------------------- alarms


def test_another_unit_alarms(encoder: TableEncoder) -> None:
    found = compared(encoder, changed("flow", np.full(20, 50.0) * 1000, 20))["flow"]
    assert found.moved
    assert found.outside == 1.0
    assert found.text.startswith(
        "'flow': 100 % of the rows lie outside of the training range, "
    )


def test_a_shift_within_the_range_alarms(encoder: TableEncoder) -> None:
    values = np.random.default_rng(5).normal(55, 2, N)
    found = compared(encoder, changed("flow", values))["flow"]
    assert found.outside < 0.01
    assert "'flow' is distributed differently: " in found.text
    assert found.text.endswith("of the training rows")


def test_new_levels_alarm(encoder: TableEncoder) -> None:
    cells = ["on"] * 1800 + ["broken"] * 200
    found = compared(encoder, changed("state", cells))["state"]
    assert found.outside == 0.1
    assert (
        found.text == "'state': 10 % of the rows have a level that no training row has"
    )


def test_truth_values_alarm_however_they_are_written(encoder: TableEncoder) -> None:
    said = "'valve' is distributed differently: "
    for cells in ([True] * N, ["true"] * N, [1] * N):
        found = compared(encoder, changed("valve", cells))["valve"]
        assert found.text.startswith(said)
        assert found.outside == 0


@pytest.mark.parametrize("name", ["flow", "state", "valve", "at"])
def test_missing_cells_alarm(encoder: TableEncoder, name: str) -> None:
    kind = drawn(1, 0).column(name).type
    cells = drawn(N, 1).column(name).to_pylist()
    gaps = [None if row % 2 else cell for row, cell in enumerate(cells)]
    found = compared(encoder, changed(name, pa.array(gaps, kind)))[name]
    assert found.missing == 0.5
    assert found.text == (
        f"{name!r} is missing in 50 % of the rows, and in 0 % of the training rows"
    )


def test_gaps_as_in_training_are_ordinary(encoder: TableEncoder) -> None:
    found = compared(encoder, drawn(N, 2))["gap"]
    assert found.missing == pytest.approx(found.missing_in_training, abs=0.03)
    assert not found.moved


def test_all_missing_has_no_index(encoder: TableEncoder) -> None:
    found = compared(encoder, changed("flow", pa.nulls(50, pa.float64()), 50))["flow"]
    assert found.psi is None
    assert found.missing == 1.0
    assert found.moved


def test_the_most_different_column_comes_first(encoder: TableEncoder) -> None:
    frame = changed("flow", np.full(N, 1e6))
    state = pa.array(["on"] * 1500 + ["off"] * 500)
    frame = frame.set_column(1, "state", state)
    drift = Drift(encoder)
    drift.add(frame)
    names = [one.column for one in drift.moved()]
    assert names[0] == "flow"
    values = drift.values()
    assert {one["column"] for one in values} == {*drawn(1, 0).column_names}
    assert all(set(one) >= {"psi", "outside", "moved", "text"} for one in values)
