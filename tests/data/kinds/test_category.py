"""Encoding of categories: rare is odd for every method, and old plans still encode."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

import whitecrow as wc
from whitecrow.data.kinds.category import (
    encode_category,
    never_seen,
    plan_category,
    rarity,
    usual,
)
from whitecrow.data.kinds.plan import Plan
from whitecrow.errors import DataError
from whitecrow.metrics import auroc

Array = NDArray[np.float64]

METHODS: dict[str, Callable[[], Any]] = {
    "consensus": lambda: wc.Consensus(random_state=0),
    "knn": wc.KNN,
    "gmm": lambda: wc.GMM(random_state=0),
    "hbos": wc.HBOS,
    "ecod": wc.ECOD,
    "isolation_forest": lambda: wc.IsolationForest(random_state=0),
}
every_method = pytest.mark.parametrize("method", METHODS)


def text(levels: Iterable[Any]) -> pa.Array:
    return pa.array([None if one is None else str(one) for one in levels], pa.string())


def planned(levels: Iterable[Any]) -> Plan:
    return plan_category("c", text(levels))


def encoded(plan: Plan, levels: Iterable[Any]) -> Array:
    return np.stack(encode_category(plan, text(levels), 0), axis=1)


def fitted(levels: Iterable[Any]) -> Array:
    levels = list(levels)
    return encoded(planned(levels), levels)


def scores(method: str, *parts: Array) -> Array:
    """Scores of training rows that have these columns."""
    X = np.concatenate(parts, axis=1)
    found: Array = METHODS[method]().fit(X).anomaly_score(X)
    return found


def ranks(values: Array) -> NDArray[np.int64]:
    """1 for the highest."""
    return np.asarray((-values).argsort().argsort() + 1)


def correlation(a: Array, b: Array) -> float:
    """Spearman's, with ties in any order broken by chance."""
    mixed = np.random.default_rng(0).permutation(len(a))
    return float(np.corrcoef(ranks(a[mixed]), ranks(b[mixed]))[0, 1])


# ------------------------------------------------------------------ rare is odd


@every_method
def test_shops_seen_once_are_odder_than_shops_seen_sixty_times(method: str) -> None:
    levels = [f"shop{i:02}" for i in range(50)] * 60 + [f"once{i}" for i in range(1000)]
    x = np.random.default_rng(0).normal(size=(4000, 1))
    found = scores(method, fitted(levels), x)
    assert found[3000:].mean() > found[:3000].mean() + 0.5 * found.std()


@every_method
@pytest.mark.parametrize("times", [1, 3])
@pytest.mark.parametrize("common", [5, 10, 30])
def test_three_rows_of_a_rare_level_rank_first(
    method: str, common: int, times: int
) -> None:
    levels = np.arange(4000) % common
    levels[:3] = common if times == 3 else common + np.arange(3)
    X = np.random.default_rng(common + times).normal(size=(4000, 2))
    parts = [fitted(levels), X]
    if method == "isolation_forest":
        # Trees of 256 rows hardly ever have one of the three; this one has all rows.
        forest = wc.IsolationForest(max_samples=1.0, random_state=0)
        found = forest.fit(np.hstack(parts)).anomaly_score(np.hstack(parts))
    else:
        found = scores(method, *parts)
    worst = ranks(found)[:3].max()
    # A Gaussian of their own makes rows that are alike a little less odd.
    most = {"consensus": 3, "knn": 3, "isolation_forest": 3, "gmm": 120}
    assert worst <= most.get(method, 40)


@every_method
def test_scores_grow_with_the_rarity_of_zipf_levels(method: str) -> None:
    rng = np.random.default_rng(3)
    shares = 1 / np.arange(1, 1001)
    levels = rng.choice(1000, 3000, p=shares / shares.sum())
    counts = np.bincount(levels)[levels]
    found = scores(method, fitted(levels), rng.normal(size=(3000, 20)))
    assert correlation(found, -counts.astype(float)) > 0.08


@every_method
def test_equally_frequent_levels_say_nothing(method: str) -> None:
    X = np.random.default_rng(4).normal(size=(3000, 5))
    column = fitted(np.arange(3000) % 1000)
    assert not column.any()
    with_column, without = scores(method, column, X), scores(method, X)
    assert correlation(with_column, without) > 0.9


@pytest.mark.parametrize(
    ("method", "levels", "least"),
    [
        ("consensus", 6, 0.98),
        ("knn", 6, 0.98),
        ("knn", 12, 0.95),
        ("gmm", 6, 0.98),
        ("isolation_forest", 4, 0.65),
    ],
)
def test_an_odd_combination_of_common_levels_is_found(
    method: str, levels: int, least: float
) -> None:
    rng = np.random.default_rng(5)
    odd = np.arange(4000) < 10
    side, half = rng.integers(0, 2, 4000), levels // 2
    a = side * half + rng.integers(0, half, 4000)
    b = np.where(odd, 1 - side, side) * half + rng.integers(0, half, 4000)
    found = scores(method, fitted(a), fitted(b), rng.normal(size=(4000, 2)))
    assert auroc(odd.astype(int), found) > least


@every_method
def test_the_rarer_of_two_levels_is_odd(method: str) -> None:
    levels = ["no"] * 3960 + ["yes"] * 40
    column = fitted(levels)
    assert column.shape == (4000, 1)
    found = scores(method, column, np.random.default_rng(6).normal(size=(4000, 3)))
    assert auroc((np.array(levels) == "yes").astype(int), found) > 0.95


# --------------------------------------------------------------- what is encoded


def test_rarity_is_the_log_of_a_tail_probability() -> None:
    counts = [500, 300, 100, 40, 40, 18, 1, 1]
    n = sum(counts)
    as_rare = [sum(c for c in counts if c <= one) for one in counts]
    expected = [max(0.0, -np.log2(2 * rows / n)) for rows in as_rare]
    found = rarity(counts)
    np.testing.assert_allclose(found[:-1], expected, atol=1e-12)
    assert found[-1] == pytest.approx(np.log2((n + 1) / 3))


@given(st.lists(st.integers(1, 50), min_size=2, max_size=60))
def test_rarer_is_never_less_and_new_levels_are_the_oddest(counts: list[int]) -> None:
    counts.sort(reverse=True)
    found = rarity(counts)
    assert (np.diff(found[:-1]) >= 0).all()
    assert found[-1] > found[:-1].max() or counts[0] == 1
    # The more common half of the rows has 0.
    assert np.sum(np.array(counts)[found[:-1] == 0]) * 2 >= sum(counts)


def test_common_levels_are_told_apart_by_few_balanced_columns() -> None:
    for count, columns in [(2, 1), (3, 2), (4, 2), (5, 3), (8, 3), (9, 4), (16, 4)]:
        levels = np.repeat(np.arange(count), 10)
        found = fitted(levels)[:, 1:]
        assert found.shape[1] == columns
        assert len(np.unique(found, axis=0)) == count
        assert set(np.unique(found)) == {-1.0, 1.0}
        assert abs(found.mean(axis=0)).max() <= 1 / count + 1e-12


def test_columns_tell_apart_only_what_is_not_rarer_than_all_others() -> None:
    assert fitted(np.arange(170) % 17).shape[1] == 1
    # 20 % and 80 % in levels of 1 %: which is which says little.
    assert fitted(["big"] * 20 + [f"s{i % 8}" for i in range(80)]).shape[1] > 1
    assert fitted(["big"] * 20 + [f"s{i % 40}" for i in range(80)]).shape[1] == 1
    # Rare levels, missing cells and new levels are 0 there.
    plan = planned(["a"] * 50 + ["b"] * 50 + ["rare"] * 2)
    assert plan.features == ("c rarity", "c code 1")
    codes = encoded(plan, ["a", "b", "rare", None, "new"])[:, 1]
    np.testing.assert_array_equal(codes, [1, -1, 0, 0, 0])


def test_a_column_of_two_levels_needs_no_code_unless_they_are_equal() -> None:
    assert fitted("aaab").shape[1] == 1
    np.testing.assert_array_equal(fitted("aabb"), [[0, 1], [0, 1], [0, -1], [0, -1]])


def test_the_order_of_the_rows_is_no_matter() -> None:
    levels = [f"v{i % 7}" for i in range(50)] + [None] * 7
    mixed = np.random.default_rng(0).permutation(np.array(levels, object))
    assert planned(levels) == planned(mixed.tolist())


def test_columns_that_name_rows_are_left_out() -> None:
    repeated = [f"u{i}" for i in range(900)] + ["twice"] * 2
    assert planned(repeated).kind == "identifier"
    # Half of the rows are guests: those with a name are not odd, a new one is not.
    guests = planned(["guest"] * 500 + [f"u{i}" for i in range(500)])
    assert guests.kind == "category"
    found = encoded(guests, ["guest", "u7", "new"])[:, 0]
    np.testing.assert_allclose(found, [0, 0, np.log2(1001 / 501)])
    # No level is frequent, and still they say nothing about single rows.
    assert planned(i % 1000 for i in range(5000)).kind == "category"


# ------------------------------------------------------- missing and unseen cells


def test_missing_cells_are_a_level() -> None:
    plan = planned(["a"] * 60 + ["b"] * 39 + [None])
    assert plan.settings["levels"] == ["a", "b", None]
    found = encoded(plan, ["a", None, "new"])[:, 0]
    np.testing.assert_allclose(found, [0, np.log2(50), np.log2(101 / 2)])
    common = planned([None] * 99 + ["a"])
    np.testing.assert_allclose(encoded(common, [None, "a"])[:, 0], [0, np.log2(50)])
    assert "missing cells (1 % of the rows) are a level too" in plan.detail


def test_a_text_that_looks_like_our_word_for_missing_is_a_level() -> None:
    plan = planned(["(missing)"] * 6 + ["a"] * 3 + [None])
    assert plan.settings["counts"] == [6, 3, 1]
    assert len(np.unique(encoded(plan, ["(missing)", "a", None]), axis=0)) == 3


def test_unseen_levels_are_odder_than_all_others() -> None:
    plan = planned([f"v{i % 50}" for i in range(4000)])
    found = encoded(plan, ["v3", "new", None])[:, 0]
    np.testing.assert_allclose(found, [0, np.log2(4001), np.log2(4001)])
    assert never_seen(plan, text(["v3", "new", None])).tolist() == [False, True, False]


@pytest.mark.parametrize("method", ["consensus", "knn", "gmm", "hbos", "ecod"])
def test_rows_with_a_new_level_score_highest(method: str) -> None:
    levels = np.arange(2000) % 20
    plan, X = planned(levels), np.random.default_rng(0).normal(size=(2000, 2))
    rows = np.hstack([encoded(plan, levels), X])
    detector = METHODS[method]().fit(rows)
    new = np.hstack([encoded(plan, ["new"]), np.zeros((1, 2))])
    known = np.sort(detector.anomaly_score(rows))
    assert detector.anomaly_score(new)[0] > known[-3]


def test_numbers_can_be_levels_and_dates_cannot() -> None:
    plan = planned(["12", "A5", "12", "A5", "A5"])
    found = encode_category(plan, pa.array([12, 99]), 0)
    np.testing.assert_array_equal(found, encoded(plan, ["12", "99"]).T)
    with pytest.raises(DataError, match="now holds cells of type int64"):
        encode_category(planned("aabbb"), pa.array([1, 2]), 0)


# ------------------------------------------------------------------------- words


def test_how_often_a_level_was_seen() -> None:
    plan = planned(["a"] * 39_996 + ["b"] * 3 + [None])
    assert usual(plan, "b").usual == "seen 3 times in 40,000 rows"
    assert usual(plan, " a ").usual == "99.99 % of training rows"
    assert usual(plan, None) == usual(plan, "NA")
    assert usual(plan, "z").usual == "never in training rows"
    many = planned([*range(4000)] * 3 + ["once"])
    assert usual(many, "3999").usual == "seen 3 times in 12,001 rows"
    assert usual(many, "once").usual == "seen once in 12,001 rows"


def test_the_decision_says_what_is_done() -> None:
    plan = planned(["a"] * 5 + ["b"] * 4 + ["c"] * 2)
    assert plan.action == "kept as how rare its level is, and which of the common ones"
    assert plan.detail == (
        "3 levels, the rarest seen 2 times in 11 rows; "
        "levels never seen in training are the oddest"
    )
    assert planned("aab").action == "kept as how rare its level is"


# ------------------------------------------------------------ size and old plans


def test_a_hundred_thousand_levels_are_two_lists() -> None:
    rng = np.random.default_rng(0)
    common = (rng.pareto(1, 200_000) * 500).astype(int) % 100_000
    levels = text(np.concatenate([np.arange(100_000), common]))
    plan = plan_category("c", levels)
    assert len(plan.settings["levels"]) == len(plan.settings["counts"]) == 100_000
    assert len(plan.features) <= 5
    assert len(plan.summary["shares"]) == 200
    stored = json.dumps(asdict(plan))
    assert len(stored) < 30 * 100_000
    record = json.loads(stored)
    again = Plan(**record | {"features": tuple(record["features"])})
    assert again == plan
    for a, b in zip(
        encode_category(plan, levels.slice(0, 1000), 0),
        encode_category(again, levels.slice(0, 1000), 0),
        strict=True,
    ):
        np.testing.assert_array_equal(a, b)


OLD = Plan(
    column="c",
    kind="category",
    action="one column of 0 and 1 for each level",
    features=("c=12", "c=b", "c=(missing)", "c=(other)"),
    settings={"levels": ["12", "b"], "missing": True},
    summary={
        "kind": "category",
        "rows": 10,
        "missing": 0.1,
        "distinct": 3,
        "shares": {"12": 0.5, "b": 0.3, "rare": 0.1},
    },
)
"""As version 1 of the encoding was stored."""


def test_plans_of_format_1_encode_to_the_bit() -> None:
    found = encoded(OLD, ["b", "12", None, "rare", "new"])
    np.testing.assert_array_equal(
        found,
        [[0, 1, 0, 0], [1, 0, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1], [0, 0, 0, 1]],
    )
    numbers = np.stack(encode_category(OLD, pa.array([12.0, 7.0, None]), 0), axis=1)
    np.testing.assert_array_equal(numbers, found[[1, 3, 2]])
    full = replace(
        OLD,
        features=("c=12", "c=b", "c=(other)"),
        settings={"levels": ["12", "b"], "missing": False},
    )
    np.testing.assert_array_equal(
        encoded(full, ["b", "12", None, "new"]),
        [[0, 1, 0], [1, 0, 0], [0, 0, 1], [0, 0, 1]],
    )


def test_plans_of_format_1_in_words() -> None:
    assert usual(OLD, "b").usual == "30 % of training rows"
    assert usual(OLD, "new").usual == "never in training rows"
    assert not never_seen(OLD, text(["new", "rare"])).any()
    known = replace(OLD, summary=OLD.summary | {"distinct": 2})
    assert never_seen(known, text(["new", "b", None])).tolist() == [True, False, False]
    many = replace(OLD, summary=OLD.summary | {"distinct": 300})
    assert usual(many, "new").usual == "seen at most once in 10 rows, perhaps never"
