"""Groups: planted sentinels and bursts are found, chance is not."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest

from whitecrow.grouping import by_episode, by_reason, moment_text, side_of


class R(NamedTuple):
    column: str
    text: str
    share: float


def flags(n: int, rows: list[int]) -> np.ndarray:
    flagged = np.zeros(n, dtype=bool)
    flagged[rows] = True
    return flagged


# ---------------------------------------------------------------------- one reason


def test_sentinels_are_one_group() -> None:
    rng = np.random.default_rng(0)
    scores = rng.uniform(size=9000)
    rows = rng.choice(9000, 400, replace=False)
    reasons = {
        int(row): (
            [R("AH", "-200", 0.4), R("RH", "-200", 0.35), R("T", "-200", 0.25)]
            if place < 366
            else [R("CO", f"{rng.normal():.4f}", 0.9)]
        )
        for place, row in enumerate(rows)
    }
    (group,) = by_reason(reasons, scores)
    assert group.text == "AH = -200, with RH = -200 and T = -200"
    assert group.column == "AH"
    assert sorted(group.rows) == sorted(int(row) for row in rows[:366])
    assert [scores[row] for row in group.rows] == sorted(scores[rows[:366]])[::-1]


def test_groups_are_picked_for_rows_that_are_in_none_yet() -> None:
    both = [R("a", "x", 0.5), R("b", "y", 0.5)]
    reasons = dict.fromkeys(range(5), both)
    reasons |= {row: [R("b", "y", 0.9)] for row in range(5, 12)}
    groups = by_reason(reasons, np.zeros(12))
    assert [group.text for group in groups] == ["b = y"]
    assert len(groups[0].rows) == 12


def test_a_group_has_all_rows_with_its_reason() -> None:
    """Also those of an earlier group, and those of which the reason is a weak one."""
    reasons = {row: [R("a", "x", 0.6), R("b", "y", 0.4)] for row in range(5)}
    reasons |= {row: [R("a", "x", 0.9), R("b", "y", 0.1)] for row in range(5, 9)}
    reasons |= {row: [R("b", "y", 0.9)] for row in range(9, 12)}
    groups = by_reason(reasons, np.zeros(12))
    assert {group.column: set(group.rows) for group in groups} == {
        "a": set(range(9)),
        "b": set(range(12)),
    }


def test_weak_reasons_do_not_make_groups() -> None:
    reasons = {row: [R("a", str(row), 0.9), R("b", "y", 0.1)] for row in range(9)}
    assert by_reason(reasons, np.zeros(9)) == ()


def test_two_rows_are_no_group() -> None:
    reasons = {row: [R("a", "x", 0.9)] for row in range(2)}
    assert by_reason(reasons, np.zeros(2)) == ()
    assert by_reason({}, np.zeros(2)) == ()


def test_rows_beyond_the_same_end_are_a_group_where_they_are_many() -> None:
    reasons = {row: [R("flow", f"{row + 0.5}", 0.9)] for row in range(100)}
    high = {(row, "flow"): "above its usual 1 to 2" for row in range(60)}
    low = {(row, "flow"): "below its usual 1 to 2" for row in range(60, 62)}
    groups = by_reason(reasons, np.arange(100.0), high | low)
    assert [(group.text, len(group.rows)) for group in groups] == [
        ("flow above its usual 1 to 2", 60)
    ]


def test_a_value_comes_before_a_side() -> None:
    reasons = {row: [R("flow", "-200", 0.9)] for row in range(10)}
    sides = {(row, "flow"): "below its usual 1 to 2" for row in range(10)}
    (group,) = by_reason(reasons, np.zeros(10), sides)
    assert group.text == "flow = -200"


def test_many_values_on_one_side_are_one_group() -> None:
    """22, 22.03 and 22.97 are one finding, even where each occurs several times."""
    reasons = {
        row: [R("flow", ("22", "22.03", "22.97")[row % 3], 0.9)] for row in range(60)
    }
    sides = {(row, "flow"): "below its usual 27 to 33" for row in range(60)}
    (group,) = by_reason(reasons, np.zeros(60), sides)
    assert group.text == "flow below its usual 27 to 33"
    assert len(group.rows) == 60


def test_side() -> None:
    assert side_of(3.0, 1.0, 2.0, "1 to 2") == "above its usual 1 to 2"
    assert side_of(0.0, 1.0, 2.0, "1 to 2") == "below its usual 1 to 2"
    assert side_of(1.0, 1.0, 2.0, "1 to 2") == ""
    assert side_of(float("nan"), 1.0, 2.0, "1 to 2") == ""


def test_thousands_of_keys_are_quick() -> None:
    reasons = {
        row: [R(f"c{row % 40}", str(row % 97), 0.5), R("x", str(row), 0.5)]
        for row in range(1000)
    }
    assert all(len(group.rows) >= 3 for group in by_reason(reasons, np.zeros(1000)))


# --------------------------------------------------------------------- one episode


def bursts(rng: np.random.Generator, n: int, density: float) -> np.ndarray:
    """11 bursts of 100 rows, of which a part is flagged."""
    flagged = np.zeros(n, dtype=bool)
    for burst in range(11):
        start = 400 + burst * (n - 600) // 11
        flagged[start : start + 100] = rng.uniform(size=100) < density
    return flagged


@pytest.mark.parametrize("density", [1.0, 0.8, 0.6])
def test_eleven_bursts_are_eleven_episodes(density: float) -> None:
    flagged = bursts(np.random.default_rng(0), 9000, density)
    moments = 1583748873.0 + np.arange(9000)
    groups = by_episode(flagged, np.zeros(9000), moments)
    assert len(groups) == 11
    assert sum(len(group.rows) for group in groups) >= 0.98 * flagged.sum()
    assert groups[0].column is None
    assert groups[0].start.startswith("2020-03-09 ")


def test_sparse_bursts_are_episodes_too() -> None:
    """A threshold that flags a fifth of each burst still shows the bursts."""
    flagged = bursts(np.random.default_rng(3), 9400, 0.2)
    groups = by_episode(flagged, np.zeros(9400), 10.0 * np.arange(9400))
    assert 11 <= len(groups) <= 20
    assert sum(len(group.rows) for group in groups) >= 0.8 * flagged.sum()


def test_scattered_rows_are_no_episodes() -> None:
    for share in (0.002, 0.02, 0.1, 0.3, 0.5):
        flagged = np.random.default_rng(1).uniform(size=8000) < share
        assert by_episode(flagged, np.zeros(8000)) == ()


def test_nights_do_not_end_an_episode_but_weeks_do() -> None:
    days = [day + 60 * (day > 20) for day in range(40)]
    hours = 3600.0 * np.arange(8, 20)
    moments = np.concatenate([86400 * day + hours for day in days])
    flagged = np.zeros(len(moments), dtype=bool)
    flagged[12 * 5 + 6 : 12 * 7] = True  # an afternoon, and the whole next day
    flagged[12 * 20 : 12 * 22] = True  # the days before and after the pause
    groups = by_episode(flagged, np.zeros(len(moments)), moments)
    assert [len(group.rows) for group in groups] == [18, 12, 12]


def test_rows_need_not_be_in_the_order_of_time() -> None:
    rng = np.random.default_rng(0)
    moments = 60.0 * np.arange(2000)
    flagged = flags(2000, [*range(100, 140), *range(900, 930)])
    mixed = rng.permutation(2000)
    groups = by_episode(flagged[mixed], np.zeros(2000), moments[mixed])
    assert [len(group.rows) for group in groups] == [40, 30]
    assert groups[0].text == "1970-01-01 01:40 to 02:19"
    assert (groups[0].start, groups[0].end) == ("1970-01-01 01:40", "1970-01-01 02:19")


def test_missing_moments_and_equal_ones() -> None:
    moments = np.repeat(3600.0 * np.arange(500), 2)
    moments[:50] = np.nan
    flagged = flags(1000, [*range(10), *range(400, 412)])
    (group,) = by_episode(flagged, np.zeros(1000), moments)
    assert sorted(group.rows) == list(range(400, 412))
    assert by_episode(flagged, np.zeros(1000), np.full(1000, np.nan)) == ()


def test_without_moments_rows_are_named() -> None:
    (group,) = by_episode(flags(1000, [10, 11, 12, 14]), np.arange(1000.0))
    assert group.text == "rows 10 to 14"
    assert group.rows == (14, 12, 11, 10)


def test_nothing_flagged() -> None:
    assert by_episode(np.zeros(9, dtype=bool), np.zeros(9)) == ()


@pytest.mark.parametrize(
    ("seconds", "step", "text"),
    [
        (0.0, 86400.0, "1970-01-01"),
        (3600.0, 86400.0, "1970-01-01 01:00"),
        (61.0, 60.0, "1970-01-01 00:01:01"),
        (-86400.0, 1.0, "1969-12-31 00:00:00"),
        (1e30, 1.0, "1e+30 s"),
    ],
)
def test_moments_in_words(seconds: float, step: float, text: str) -> None:
    assert moment_text(seconds, step) == text
