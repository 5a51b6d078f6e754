"""Query strategies against golden values, naive versions, and what all of them owe."""

from __future__ import annotations

import math
import tracemalloc

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.spatial.distance import cdist

from whitecrow.active import strategies
from whitecrow.active.strategies import centres, distances, interface, ranks
from whitecrow.active.strategies.kmeans import KMeans
from whitecrow.active.strategies.mar_diverse import MarDiverse, near, neighbourhoods
from whitecrow.active.strategies.margin import Margin
from whitecrow.active.strategies.mixed import Mixed
from whitecrow.active.strategies.pos_diverse import PosDiverse
from whitecrow.errors import DataError, ParameterError

NAMES = strategies.names()
DETERMINISTIC = ["aad", "kcenter", "mar_diverse", "margin", "pos_diverse", "positive"]
# One round after another gives what one long round gives.
SEQUENTIAL = ["kcenter", "kdist", "kmeans", "pos_diverse", "positive"]

every_strategy = pytest.mark.parametrize("name", NAMES)


def column(*values):
    return np.array(values, dtype=np.float64)[:, None]


def pool(*, scores=(), embeddings=((),), k=1, shown=(), ratio=None):
    """What `query` hands on to a strategy."""
    return interface.Pool(
        n=max(len(scores), len(embeddings)),
        k=k,
        shown=np.array(shown, dtype=np.int64),
        rng=np.random.default_rng(0),
        scores=np.asarray(scores, dtype=np.float64),
        embeddings=np.asarray(embeddings, dtype=np.float64),
        answers=np.empty(0),
        ratio=ratio,
    )


def problem(seed, n, width=3):
    rng = np.random.default_rng(seed)
    return rng.normal(size=n), rng.normal(size=(n, width)).astype(np.float32)


def ask(strategy, scores, embeddings, k, *, seed=0, **rest):
    if isinstance(strategy, str):
        strategy = strategies.get(strategy)
    return strategy.query(
        scores=scores, embeddings=embeddings, k=k, random_state=seed, **rest
    )


@pytest.fixture
def weights(monkeypatch):
    """Probabilities that strategies draw by, rows already chosen included."""
    seen = []
    drawn = centres.draw

    def recorded(log_weights, rng):
        weight = np.exp(log_weights - log_weights.max())
        seen.append(weight / weight.sum())
        return drawn(log_weights, rng)

    monkeypatch.setattr(centres, "draw", recorded)
    return seen


# --------------------------------------------------- golden: specs/active_soel.md 14


LINE = column(0, 1, 2, 10)
SQUARE = np.array(
    [(0, 0), (0, 1), (1, 0), (1, 1), (10, 0), (10, 1), (0, 10), (5, 5)], dtype=float
)


def test_golden_first_row():
    size = distances.extent(LINE)
    everyone = np.arange(4)
    log_means = centres._log_sums(LINE, everyone, size.farthest, 0.01 * 10) - np.log(4)
    expected = [98.61370564, 88.61370564, 78.61370564, 98.61375104]
    np.testing.assert_allclose(log_means, expected, atol=5e-9)
    assert centres.central(LINE, size=size, scale=0.1) == 2
    assert centres.central(SQUARE, scale=0.1) == 7


def test_golden_kmeans(weights):
    for seed in range(200):
        first, second, third = ask("kmeans", None, LINE, 3, seed=seed)
        assert (first, second) == (2, 3)
        assert third in {0, 1}
    assert weights[0][3] == pytest.approx(1 - 2e-26)
    np.testing.assert_allclose(weights[1][:2], [0.9999546, 4.54e-5], atol=5e-8)


def test_golden_kmeans_warmer(weights):
    for seed in range(50):
        ids = ask(KMeans(temperature=0.1), None, LINE, 3, seed=seed)
        assert ids[0] == 2
        if ids[1] == 3:
            break
    expected = [0.00246955, 0.0009085, 0.00033422, 0.99628774]
    np.testing.assert_allclose(weights[-2], expected, atol=5e-9)
    expected = [0.61029569, 0.22451524, 0.08259454, 0.08259454]
    np.testing.assert_allclose(weights[-1], expected, atol=5e-9)


def test_golden_kmeans_in_the_plane(weights):
    ids = [ask("kmeans", None, SQUARE, 4, seed=seed) for seed in range(50)]
    np.testing.assert_allclose(weights[0][[0, 4, 6]], 0.33039187, atol=5e-9)
    assert all(chosen[0] == 7 for chosen in ids)
    assert sum(set(chosen) == {7, 0, 4, 6} for chosen in ids) >= 45


def test_golden_kdist(weights):
    points = np.array([(0, 0), (1, 0), (0, 1), (10, 0), (0, 10.5)])
    assert ask("kdist", None, points, 2)[0] == 4
    expected = [0.2112068966, 0.2131226054, 0.1728927203, 0.4027777778, 0]
    np.testing.assert_allclose(weights[0], expected, atol=5e-11)


@pytest.mark.parametrize("name", ["pos_diverse", "hybrid2"])
def test_golden_pos_diverse(name):
    scores = [0.1, 0.2, 0.9, 1, 0.5, 0.3]
    ids = ask(name, scores, column(0, 1, 4, 4.2, 2, 6), 4)
    assert ids.tolist() == [3, 2, 4, 5]


TEN = [0.05, 0.10, 0.20, 0.22, 0.30, 0.31, 0.45, 0.60, 0.90, 1.00]


@pytest.mark.parametrize(("share", "rows"), [(0.2, {7, 8, 9}), (0.3, {5, 6, 7})])
def test_golden_margin(share, rows):
    assert set(ask("margin", TEN, None, 3, ratio=share)) == rows
    assert set(ask(Margin(anchor=share), TEN, None, 3, ratio=0.9)) == rows


def test_golden_mar_diverse():
    points = column(0, 0.1, 0.25, 5, 5.1, 5.25, 9, 9.1, 9.25, 9.45)
    assert ask("mar_diverse", TEN, points, 4, ratio=0.5).tolist() == [5, 2, 4, 6]

    inside = pool(scores=TEN, embeddings=points, k=4, ratio=0.5)
    assert ranks.anchor(inside, None) == 0.31
    away = ranks.unit(np.abs(inside.scores - 0.31))
    expected = [0.3768116, 0.30434783, 0.15942029, 0.13043479, 0.01449274, 0]
    expected += [0.20289853, 0.42028989, 0.85507243, 1]
    np.testing.assert_allclose(away, expected, atol=5e-8)
    covered = near(inside, np.int64(5), neighbourhoods(inside, 3))
    costs = np.delete(0.5 + away + covered / 6, 5)
    expected = [0.8768, 0.8043, 0.6594, 0.7971, 0.6812, 0.7029, 0.9203, 1.3551, 1.5]
    np.testing.assert_allclose(costs, expected, atol=5e-5)


def test_hybrid1_reads_no_estimate():
    scores, points = problem(0, 60)
    ids = ask("hybrid1", scores, points, 6, ratio=0.5)
    assert ids.tolist() == ask(MarDiverse(anchor=0.1), scores, points, 6).tolist()
    assert ids.tolist() != ask("mar_diverse", scores, points, 6, ratio=0.5).tolist()


# ------------------------------------------------------------- naive versions


def naive_centre(far, k):
    chosen = [int(np.argmin(far.max(axis=1)))]
    while len(chosen) < k:
        chosen.append(int(np.argmax(far[chosen].min(axis=0))))
    return chosen


def naive_pos_diverse(scores, far, k):
    s = (scores - scores.min()) / np.ptp(scores)
    chosen = [int(np.argmax(s))]
    while len(chosen) < k:
        gain = s + far[chosen].min(axis=0) / far.max()
        gain[chosen] = -1
        chosen.append(int(np.argmax(gain)))
    return chosen


def naive_mar_diverse(scores, far, k, share, shown=()):
    n, m = len(scores), math.ceil(len(scores) / (k + len(shown)))
    away = np.abs(scores - np.sort(scores)[n - int(n * share)])
    b = (away - away.min()) / np.ptp(away)
    rho = np.sort(far, axis=1)[:, m - 1]
    chosen = list(shown)
    while len(chosen) < k + len(shown):
        cost = b + 0.5 + (far[chosen] <= rho).sum(axis=0) / (2 * m)
        cost[chosen] = 1000
        chosen.append(int(np.argmin(cost)))
    return chosen[len(shown) :]


@given(seed=st.integers(0, 10**6), n=st.integers(5, 60), k=st.integers(1, 5))
def test_blocked_and_naive_agree(seed, n, k):
    scores, points = problem(seed, n)
    far = cdist(points.astype(float), points.astype(float))
    assert ask("kcenter", None, points, k).tolist() == naive_centre(far, k)
    ids = ask("pos_diverse", scores, points, k)
    assert ids.tolist() == naive_pos_diverse(scores, far, k)
    ids = ask("mar_diverse", scores, points, k, ratio=0.2)
    assert ids.tolist() == naive_mar_diverse(scores, far, k, 0.2)
    shown = [n - 1, 0, 2][: n - k]
    ids = ask("mar_diverse", scores, points, k, ratio=0.2, labelled=shown)
    assert ids.tolist() == naive_mar_diverse(scores, far, k, 0.2, shown)


@given(seed=st.integers(0, 10**6), n=st.integers(2, 60))
def test_first_row_minimises_the_mean_of_exponentials(seed, n):
    _, points = problem(seed, n)
    far = cdist(points.astype(float), points.astype(float))
    scale = 0.2 * far.max()
    means = np.exp(far / scale).mean(axis=0)
    row = centres.central(points, scale=scale)
    assert means[row] == pytest.approx(means.min())


def test_draws_follow_the_weights():
    rng = np.random.default_rng(0)
    weight = np.array([0.5, 0.3, 0.15, 0.05])
    rows = [np.argmax(centres.draw(np.log(weight), rng)) for _ in range(20_000)]
    share = np.bincount(rows, minlength=4) / len(rows)
    np.testing.assert_allclose(share, weight, atol=0.012)  # three standard deviations


def test_extent_in_tiles(monkeypatch):
    _, points = problem(1, 40)
    whole = distances.extent(points)
    monkeypatch.setattr(distances, "_TILE", 7 * 40)
    monkeypatch.setattr(distances, "_PIECE", 12)
    tiled = distances.extent(points)
    far = cdist(points.astype(float), points.astype(float))
    for size in (whole, tiled):
        np.testing.assert_allclose(size.farthest, far.max(axis=1), rtol=1e-9)
        assert size.diameter == pytest.approx(far.max())
    squared = distances.squared_to(points, points[3])
    np.testing.assert_allclose(squared, far[3] ** 2, rtol=1e-12)
    assert squared[3] == 0


# ------------------------------------------------------------------ large pools


@given(seed=st.integers(0, 10**6))
def test_sweeps_of_a_large_pool(seed):
    _, points = problem(seed, 200)
    exact = distances.extent(points)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(distances, "EXACT", 100)
        swept = distances.extent(points)
        row = centres.central(points, scale=1.0)
    assert swept.farthest is None
    assert exact.diameter / 2 <= swept.diameter <= exact.diameter * (1 + 1e-9)
    assert exact.farthest[row] <= 1.35 * exact.farthest.min()


def test_sweeps_of_a_large_lopsided_pool(monkeypatch):
    """Most rows at one end: neither the mean nor a sweep from it says much."""
    points = 10 * np.linspace(0, 1, 200)[:, None] ** 4
    monkeypatch.setattr(distances, "EXACT", 100)
    assert distances.extent(points).diameter == 10
    assert points[centres.central(points)] == pytest.approx(5, abs=0.2)


def test_neighbourhoods_of_a_large_pool(monkeypatch):
    scores, points = problem(2, 4000)
    inside = pool(scores=scores, embeddings=points, k=20)
    exact = neighbourhoods(inside, 200)
    monkeypatch.setattr(distances, "EXACT", 1000)
    estimate = neighbourhoods(inside, 200)
    # The 100th nearest of 2,000: a tenth of its share, a thirtieth of its radius.
    ratio = np.sqrt(estimate / exact)
    assert np.median(ratio) == pytest.approx(1, abs=0.02)
    assert (np.abs(ratio - 1) < 0.25).mean() > 0.99


@every_strategy
def test_memory_grows_with_the_rows(name):
    """A float32 for each pair of 50,000 rows would take 10 GB."""
    scores, points = problem(0, 50_000, 16)
    tracemalloc.start()
    try:
        ids = ask(name, scores, points, 5)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert len(set(ids)) == 5
    assert peak < 80e6


def test_memory_where_all_pairs_are_looked_at():
    _, points = problem(0, 10_000, 4)
    tracemalloc.start()
    try:
        ask("kmeans", None, points, 2)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 100e6  # not 800 MB


# -------------------------------------------------------------- what all owe


@st.composite
def queries(draw):
    n = draw(st.integers(1, 30))
    # Few distinct values: ties, equal rows, and constant columns are common.
    value = st.integers(-2, 2)
    scores = draw(st.lists(value, min_size=n, max_size=n))
    points = draw(st.lists(st.tuples(value, value), min_size=n, max_size=n))
    shown = draw(st.lists(st.integers(0, n - 1), max_size=n - 1, unique=True))
    k = draw(st.integers(1, n - len(shown)))
    ratio = draw(st.none() | st.floats(0, 1))
    rest = {"labelled": shown, "ratio": ratio, "seed": draw(st.integers(0, 99))}
    return (np.array(scores), np.array(points, dtype=np.float32), k), rest


@every_strategy
@given(query=queries())
def test_distinct_new_rows_of_the_pool(name, query):
    arguments, rest = query
    scores, _, k = arguments
    ids = ask(name, *arguments, **rest)
    assert ids.dtype == np.int64
    assert ids.shape == (k,)
    assert len(set(ids)) == k
    assert not set(ids) & set(rest["labelled"])
    assert set(ids) <= set(range(len(scores)))
    assert ids.tolist() == ask(name, *arguments, **rest).tolist()


@every_strategy
def test_equal_embeddings_and_equal_scores(name):
    ids = ask(
        name, np.zeros(12), np.ones((12, 4), dtype=np.float32), 9, labelled=[3, 5]
    )
    assert len(set(ids) - {3, 5}) == 9


def test_of_equal_values_the_first_rows_are_the_highest():
    values = np.random.default_rng(0).integers(0, 9, 200).astype(float)
    shown = np.arange(0, 200, 3)
    inside = pool(scores=values, shown=shown)
    order = np.argsort(-values, kind="stable")
    order = order[~np.isin(order, shown)]
    for count in (1, 30, 100, len(order), 500):
        found = ranks.highest(values, inside, count)
        np.testing.assert_array_equal(found, order[:count])


@every_strategy
def test_inputs_stay_as_they_were(name):
    scores, points = problem(0, 30)
    before = scores.copy(), points.copy()
    ask(name, scores, points, 5)
    np.testing.assert_array_equal(before[0], scores)
    np.testing.assert_array_equal(before[1], points)


@every_strategy
def test_seeds(name):
    scores, points = problem(0, 200)
    ids = [ask(name, scores, points, 10, seed=seed).tolist() for seed in range(5)]
    distinct = len({tuple(chosen) for chosen in ids})
    assert distinct == 1 if name in {*DETERMINISTIC, "hybrid1", "hybrid2"} else 5
    rng = np.random.default_rng(3)
    assert ask(name, scores, points, 10, seed=rng).tolist() == ids[3]


@pytest.mark.parametrize("name", DETERMINISTIC)
@given(seed=st.integers(0, 10**6), n=st.integers(6, 40))
def test_order_of_rows_does_not_matter(name, seed, n):
    scores, points = problem(seed, n)
    lowest = np.sort(distances.extent(points).farthest)[:2]
    assume(lowest[1] - lowest[0] > 1e-9)  # two rows may be in the middle
    order = np.random.default_rng(seed).permutation(n)
    ids = ask(name, scores, points, 4, labelled=None, ratio=0.3)
    moved = ask(name, scores[order], points[order], 4, labelled=None, ratio=0.3)
    assert order[moved].tolist() == ids.tolist()


@pytest.mark.parametrize("name", SEQUENTIAL)
def test_rounds_go_on_where_the_last_one_stopped(name):
    scores, points = problem(4, 100)
    rng = np.random.default_rng(0)
    first = ask(name, scores, points, 4, seed=rng)
    second = ask(name, scores, points, 3, labelled=first, seed=rng)
    if name not in DETERMINISTIC:
        rng = np.random.default_rng(0)
    whole = ask(name, scores, points, 7, seed=rng)
    assert [*first, *second] == whole.tolist()


@pytest.mark.parametrize("name", ["kmeans", "kcenter", "kdist"])
def test_covering_strategies_cover(name):
    """SOEL's reason for diverse queries, on data with a far small cluster."""
    rng = np.random.default_rng(0)
    points = np.concatenate([rng.normal(size=(480, 5)), rng.normal(9, 0.3, (20, 5))])
    scores = rng.normal(size=500)
    radius = {
        other: np.mean(
            [
                strategies.covering_radius(
                    points, ask(other, scores, points, 10, seed=seed)
                )
                for seed in range(10)
            ]
        )
        for other in (name, "random")
    }
    assert radius[name] < 0.75 * radius["random"]


# ------------------------------------------------------------------ one by one


def test_positive_takes_the_first_of_equals():
    assert ask("positive", [1, 5, 5, 5, 2], None, 2).tolist() == [1, 2]


def test_pos_random_stays_in_the_upper_half():
    scores = np.arange(20)
    rows = {
        int(row)
        for s in range(40)
        for row in ask("pos_random", scores, None, 3, seed=s)
    }
    assert rows == set(range(10, 20))
    left = ask("pos_random", scores, None, 5, labelled=np.arange(10, 20))
    assert set(left) == set(range(5, 10))
    assert len(ask("pos_random", scores, None, 20)) == 20


@pytest.mark.parametrize("name", ["random", "audit"])
def test_random_is_uniform(name):
    rows = [
        ask(name, np.zeros(5), None, 1, labelled=[2], seed=s)[0] for s in range(2000)
    ]
    share = np.bincount(rows, minlength=5) / len(rows)
    np.testing.assert_allclose(share, [0.25, 0.25, 0, 0.25, 0.25], atol=0.03)


def test_margin_without_an_estimate_assumes_a_tenth():
    scores = np.arange(50.0)
    assert ask("margin", scores, None, 1).tolist() == [45]
    assert ask("margin", scores, None, 1, ratio=0.29).tolist() == [36]
    assert ask("margin", np.arange(100.0), None, 1, ratio=0.29).tolist() == [71]
    assert ask("margin", scores, None, 1, ratio=0.0).tolist() == [49]


def test_pos_diverse_without_distances_is_positive():
    scores, points = problem(5, 50)
    ids = ask(PosDiverse(alpha=0), scores, points, 8)
    assert ids.tolist() == ask("positive", scores, None, 8).tolist()


@pytest.mark.parametrize("epsilon", [0, 0.2, 0.3, 0.5, 1])
def test_mixed_keeps_its_share_from_round_to_round(epsilon):
    scores, points = problem(6, 300)
    strategy = Mixed(epsilon=epsilon)
    shown: list[int] = []
    for _ in range(20):
        (row,) = ask(strategy, scores, points, 1, labelled=shown)
        best = ask("positive", scores, None, 1, labelled=shown)
        explores = "score" not in strategy.why(0, shown=len(shown))
        assert explores or row == best
        shown.append(int(row))
    reasons = [strategy.why(place) for place in range(20)]
    assert sum("score" not in reason for reason in reasons) == round(20 * epsilon)


def test_mixed_explores_away_from_its_best_rows():
    points = column(0, 0.1, 0.2, 5, 10)
    ids = ask(Mixed(), [5, 4, 3, 2, 1], points, 2)
    assert ids.tolist() == [0, 4]


@pytest.mark.parametrize(("first", "row"), [("max_norm", 3), ("centre", 2)])
@pytest.mark.parametrize("name", ["kmeans", "kcenter", "kdist"])
def test_rules_for_the_first_row(name, first, row):
    assert ask(strategies.get(name, first=first), None, LINE, 1).tolist() == [row]
    start = strategies.get(name, first="random")
    rows = {int(ask(start, None, LINE, 1, seed=seed)[0]) for seed in range(40)}
    assert rows == {0, 1, 2, 3}


@every_strategy
def test_reasons(name):
    strategy = strategies.get(name)
    reasons = [strategy.why(0), strategy.why(1), strategy.why(0, shown=3)]
    assert all(reason and "\n" not in reason for reason in reasons)


def test_reason_of_the_first_row_of_all():
    strategy = strategies.get("kmeans")
    assert strategy.why(0) == "in the middle of the data"
    assert (
        strategy.why(0, shown=5) == strategy.why(1) == "far from all rows shown so far"
    )


def test_covering_radius():
    assert strategies.covering_radius(LINE, [0]) == 10
    assert strategies.covering_radius(LINE, [0, 3]) == 2
    assert strategies.covering_radius(LINE, range(4)) == 0
    with pytest.raises(ParameterError, match="give the rows that have been labelled"):
        strategies.covering_radius(LINE, [])


# ------------------------------------------------------------------- registry


def test_names_of_the_design():
    listed = "kmeans random positive pos_random pos_diverse margin mar_diverse kcenter"
    assert {*listed.split(), "kdist", "mixed", "audit", "hybrid1", "hybrid2"} <= set(
        NAMES
    )
    assert sorted(NAMES) == NAMES


@every_strategy
def test_registry(name):
    strategy = strategies.get(name)
    assert strategy.name == name
    assert strategy.needs <= {"scores", "embeddings", "answers"}
    assert strategy == strategies.get(name)
    with pytest.raises(ParameterError, match="has no parameter 'speed'; it takes"):
        strategies.get(name, speed=3)


def test_unknown_name():
    with pytest.raises(ParameterError, match="no query strategy 'k-means'; choose one"):
        strategies.get("k-means")


@pytest.mark.parametrize(
    ("name", "parameters", "message"),
    [
        ("kmeans", {"temperature": 0}, "take the strategy 'kcenter'"),
        ("kmeans", {"temperature": float("nan")}, "temperature=nan"),
        ("kmeans", {"first": "middle"}, "choose one of centre, max_norm, random"),
        ("kdist", {"first": "middle"}, "choose one of"),
        ("kcenter", {"first": "middle"}, "choose one of"),
        ("margin", {"anchor": 0}, r"anchor=0 is not in \(0, 1\]"),
        ("mar_diverse", {"anchor": 10}, "anchor=10"),
        ("pos_diverse", {"alpha": -1}, "alpha=-1"),
        ("mixed", {"epsilon": 2}, "epsilon=2"),
        ("mixed", {"temperature": -1}, "temperature=-1"),
    ],
)
def test_illegal_parameters(name, parameters, message):
    with pytest.raises(ParameterError, match=message):
        strategies.get(name, **parameters)


# ------------------------------------------------------------------ bad input


GOOD = {
    "scores": np.zeros(6),
    "embeddings": np.zeros((6, 2)),
    "k": 2,
    "random_state": 0,
}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"scores": None}, "'mixed' needs scores"),
        ({"embeddings": None}, "'mixed' needs embeddings"),
        ({"scores": None, "embeddings": None}, "needs the scores or the embeddings"),
        ({"scores": np.zeros(5)}, "5 scores and 6 embeddings"),
        ({"scores": np.zeros((6, 1))}, r"scores has shape \(6, 1\)"),
        ({"scores": [0, 0, np.nan, 0, 0, 0]}, "score of row 2 is nan"),
        ({"scores": [0, np.inf, 0, 0, 0, 0]}, "score of row 1 is inf"),
        ({"embeddings": np.zeros(6)}, r"embeddings have shape \(6,\)"),
        ({"embeddings": np.zeros((6, 0))}, r"embeddings have shape \(6, 0\)"),
        ({"embeddings": column(0, 0, 0, np.nan, 0, 0)}, "embedding of row 3"),
        ({"embeddings": column(-1e200, 0, 0, 0, 0, 0)}, "embedding of row 0"),
        ({"labelled": [7]}, "labelled has row 7; the pool has rows 0 to 5"),
        ({"labelled": [-1]}, "labelled has row -1"),
        ({"labelled": [True] * 6}, r"np.flatnonzero\(mask\)"),
        ({"labelled": [0.5]}, "labelled holds float64 values"),
    ],
)
def test_unusable_data(changes, message):
    with pytest.raises(DataError, match=message) as caught:
        strategies.get("mixed").query(**(GOOD | changes))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"k": 7}, "k=7, but 6 of 6 rows have not been shown; ask for at most 6"),
        ({"k": 4, "labelled": [1, 1, 2, 4]}, "k=4, but 3 of 6 rows"),
        ({"k": 1, "labelled": range(6)}, "all 6 rows have been shown"),
        ({"k": 0}, "k=0; give a whole number of rows, 1 to 6"),
        ({"k": 1.5}, "k=1.5"),
        ({"k": True}, "k=True"),
        ({"ratio": 1.2}, r"ratio=1.2 is not in \[0, 1\]"),
        ({"random_state": -1}, "random_state=-1"),
        ({"random_state": "seed"}, "random_state='seed'"),
    ],
)
def test_illegal_query(changes, message):
    with pytest.raises(ParameterError, match=message) as caught:
        strategies.get("mixed").query(**(GOOD | changes))
    assert "\n" not in str(caught.value)


def test_float32_up_to_its_largest():
    points = np.array([[0.0], [1.0], [3e38]], dtype=np.float32)
    assert ask("kcenter", None, points, 2)[1] == 2
