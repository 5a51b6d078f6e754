"""Splits: disjoint, of the sizes asked for, repeatable, and honest about counts."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from whitecrow import labels
from whitecrow.data import truth
from whitecrow.data.protocols import Split, make_split
from whitecrow.data.protocols.holdout import holdout, polluting, stratified
from whitecrow.data.protocols.labelled_ratio import counts, labelled_ratio
from whitecrow.data.protocols.one_vs_rest import one_vs_rest, truth_of
from whitecrow.data.protocols.soel import soel
from whitecrow.errors import DataError, LabelError, ParameterError, UserError

SEEDS = st.integers(0, 2**32)


def problem(n_normal, n_odd):
    """A truth whose rows are mixed in a fixed order."""
    y = np.repeat([0, 1], [n_normal, n_odd])
    return np.random.default_rng(7).permutation(y)


def check(split: Split, y) -> None:
    """What holds for every split."""
    y = np.asarray(y)
    assert not set(split.train.tolist()) & set(split.test.tolist())
    for rows in (split.train, split.test):
        assert len(np.unique(rows)) == len(rows)
        assert (np.diff(rows) > 0).all()
    np.testing.assert_array_equal(split.y_test, y[split.test])
    known = split.y_train != labels.UNLABELLED
    np.testing.assert_array_equal(split.y_train[known], y[split.train[known]])
    assert split.y_train.dtype == split.y_test.dtype == np.int8
    hidden = y[split.train[~known]]
    found = split.counts
    assert found.known_normal == (split.y_train == 0).sum()
    assert found.known_anomaly == (split.y_train == 1).sum()
    assert found.unlabelled_normal == (hidden == 0).sum()
    assert found.unlabelled_anomaly == (hidden == 1).sum()
    assert found.test_normal == (y[split.test] == 0).sum()
    assert found.test_anomaly == (y[split.test] == 1).sum()
    assert found.unused == len(y) - len(split.train) - len(split.test)


# ------------------------------------------------------------------------- holdout


@pytest.mark.parametrize(
    ("n", "rho", "expected"),
    [(100, 0.05, 5), (193, 0.05, 10), (1000, 0.1, 111), (38_527, 0.12, 5253)],
)
def test_pollution_counts_of_the_specification(n, rho, expected):
    assert polluting(n, rho) == expected


@given(st.integers(1, 100_000))
def test_pollution_that_is_a_whole_number_is_not_cut(m):
    assert polluting(9 * m, 0.1) == m


@pytest.mark.parametrize(
    ("n_normal", "train", "test"),
    [(386, 193, 193), (3679, 1840, 1839), (396_743, 198_372, 198_371)],
)
def test_holdout_sizes_of_the_specification(n_normal, train, test):
    split = holdout(np.repeat([0, 1], [n_normal, 66]), random_state=0)
    assert (split.counts.unlabelled_normal, split.counts.test_normal) == (train, test)
    assert split.counts.test_anomaly == 66


@given(
    n_normal=st.integers(2, 300),
    n_odd=st.integers(1, 200),
    fraction=st.floats(0.05, 0.95),
    rho=st.floats(0, 0.6),
    seed=SEEDS,
)
def test_holdout_is_disjoint_and_polluted_within_one_row(
    n_normal, n_odd, fraction, rho, seed
):
    y = problem(n_normal, n_odd)
    arguments = {"train_fraction": fraction, "pollution": rho}
    try:
        split = holdout(y, **arguments, random_state=seed)
    except DataError:
        n_train = math.ceil(n_normal * fraction - 1e-9)
        assert n_train >= n_normal or n_train * rho / (1 - rho) > n_odd - 1 - 1e-6
        return
    check(split, y)
    found = split.counts
    assert found.unused == 0
    assert found.known_normal == found.known_anomaly == 0
    n_train = found.unlabelled_normal
    assert abs(n_train - n_normal * fraction) <= 1
    assert abs(found.unlabelled_anomaly - rho / (1 - rho) * n_train) <= 1
    assert found.pollution <= rho + 1e-9
    again = holdout(y, **arguments, random_state=seed)
    np.testing.assert_array_equal(split.train, again.train)
    np.testing.assert_array_equal(split.test, again.test)


@given(
    n_normal=st.integers(2, 300),
    n_odd=st.integers(1, 200),
    pct=st.floats(0.3, 1),
    rho=st.floats(0, 0.4),
    pool=st.floats(0, 0.9),
    val=st.floats(0, 0.6),
    one_class=st.booleans(),
    seed=SEEDS,
)
def test_holdout_options_keep_all_parts_apart(
    n_normal, n_odd, pct, rho, pool, val, one_class, seed
):
    y = problem(n_normal, n_odd)
    kinds = np.where(y == 1, np.arange(len(y)) % 3, 9)
    wanted = int(kinds[y == 1][0]) if one_class else None
    arguments = {
        "pct": pct,
        "pollution": rho,
        "hold_out": pool,
        "val_ratio": val,
        "pollution_class": wanted,
        "classes": kinds,
    }
    try:
        split = holdout(y, **arguments, random_state=seed)
    except DataError:  # too few rows for what is asked; the messages are tested below
        return
    parts = [split.train, split.test, split.validation]
    used = np.concatenate(parts)
    assert len(np.unique(used)) == len(used)
    kept = math.ceil(n_normal * pct - 1e-9)
    n_train = math.ceil(kept / 2)
    n_fit = math.floor(n_train * (1 - val) + 1e-9)
    found = split.counts
    assert found.unlabelled_normal == n_fit
    assert found.unlabelled_anomaly == polluting(n_fit, rho)
    assert found.test_normal == kept - n_train
    injected = polluting(n_train, rho)
    assert found.validation == n_train - n_fit + injected - found.unlabelled_anomaly
    held = math.floor(n_odd * pool + 1e-9) if pool else injected
    assert found.test_anomaly == n_odd - held
    assert found.unused == len(y) - len(used) == n_normal - kept + held - injected
    odd = np.concatenate([split.train, split.validation])
    odd = odd[y[odd] == 1]
    assert len(odd) == injected
    assert wanted is None or set(kinds[odd].tolist()) <= {wanted}
    again = holdout(y, **arguments, random_state=seed)
    repeated = [again.train, again.test, again.validation]
    for part, same in zip(parts, repeated, strict=True):
        np.testing.assert_array_equal(part, same)


def test_a_held_out_pool_keeps_the_test_the_same_for_any_pollution():
    y = problem(400, 100)
    tests = [
        holdout(y, hold_out=0.3, pollution=rho, random_state=5).test
        for rho in (0.0, 0.05, 0.1)
    ]
    np.testing.assert_array_equal(tests[0], tests[1])
    np.testing.assert_array_equal(tests[0], tests[2])
    assert y[tests[0]].sum() == 70


@pytest.mark.parametrize(
    ("arguments", "kind", "words"),
    [
        ({"pct": 0.0}, ParameterError, ["pct=0.0", "(0, 1]"]),
        ({"hold_out": 1.0}, ParameterError, ["hold_out=1.0", "[0, 1)"]),
        ({"val_ratio": 1.0}, ParameterError, ["val_ratio=1.0"]),
        ({"val_ratio": 0.99}, DataError, ["leaves none to fit; lower val_ratio"]),
        (
            {"hold_out": 0.2, "pollution": 0.1},
            DataError,
            ["takes 3 anomalies", "keeps 2 for it", "raise hold_out"],
        ),
        ({"pollution_class": 1}, ParameterError, ["needs classes"]),
        (
            {"pollution_class": "x", "classes": np.repeat([0, 1], [60, 10])},
            ParameterError,
            ["no anomaly is of pollution_class='x'; choose among 1"],
        ),
    ],
)
def test_holdout_says_what_is_wrong(arguments, kind, words):
    with pytest.raises(kind) as caught:
        holdout(np.repeat([0, 1], [60, 10]), **arguments, random_state=0)
    assert [word for word in words if word not in str(caught.value)] == []
    assert "\n" not in str(caught.value)


def test_the_suggested_pollution_is_the_largest_that_works():
    y = problem(100, 11)
    with pytest.raises(DataError, match="takes 16 of 11 anomalies") as caught:
        holdout(y, pollution=0.25)
    most = float(str(caught.value).rsplit(" ", 1)[1])
    assert holdout(y, pollution=most).counts.test_anomaly <= 2
    with pytest.raises(DataError):
        holdout(y, pollution=most + 0.03)


def test_holdout_draws_every_row_sometimes_and_does_not_touch_global_state():
    y = problem(20, 6)
    before = np.random.get_state()[1].copy()
    splits = [holdout(y, pollution=0.2, random_state=seed) for seed in range(40)]
    np.testing.assert_array_equal(before, np.random.get_state()[1])
    assert set(np.concatenate([s.train for s in splits]).tolist()) == set(range(26))
    assert len({tuple(split.train.tolist()) for split in splits}) == 40
    generator = np.random.default_rng(0)
    first, second = (holdout(y, random_state=generator) for _ in "ab")
    assert not np.array_equal(first.train, second.train)


@given(
    n_normal=st.integers(3, 300),
    n_odd=st.integers(3, 100),
    fraction=st.floats(0.2, 0.8),
    known=st.floats(0, 1),
    seed=SEEDS,
)
def test_stratified_keeps_the_shares_within_one_row(
    n_normal, n_odd, fraction, known, seed
):
    y = problem(n_normal, n_odd)
    split = stratified(
        y, train_fraction=fraction, known_anomalies=known, random_state=seed
    )
    check(split, y)
    found = split.counts
    assert found.unused == 0
    assert abs(found.test_normal - (1 - fraction) * n_normal) <= 0.5 + 1e-6
    assert abs(found.test_anomaly - (1 - fraction) * n_odd) <= 0.5 + 1e-6
    n_odd_train = found.known_anomaly + found.unlabelled_anomaly
    assert 0 <= found.known_anomaly - known * n_odd_train + 1e-6 < 1 + 2e-6


# ------------------------------------------------------------------ labelled_ratio

GOLDEN = {
    (0, 0.01, 0): [(0, 5923, 0, 59), (0, 6000, 0, 60), (0, 5000, 0, 50)],
    (0, 0.05, 0): [(0, 5923, 0, 311), (0, 6000, 0, 315), (0, 5000, 0, 263)],
    (0, 0.10, 0): [(0, 5923, 0, 658), (0, 6000, 0, 666), (0, 5000, 0, 555)],
    (0, 0.20, 0): [(0, 5923, 0, 1480), (0, 6000, 0, 1500), (0, 5000, 0, 1250)],
    (0, 0.05, 0.01): [(0, 5923, 59, 314), (0, 6000, 60, 318), (0, 5000, 50, 265)],
    (0, 0.05, 0.05): [(0, 5923, 311, 328), (0, 6000, 315, 332), (0, 5000, 263, 277)],
    (0, 0.05, 0.10): [(0, 5923, 658, 346), (0, 6000, 666, 350), (0, 5000, 555, 292)],
    (0, 0.05, 0.20): [
        (0, 5923, 1480, 389),
        (0, 6000, 1500, 394),
        (0, 5000, 1250, 328),
    ],
    (0, 0.01, 0.10): [(0, 5923, 658, 66), (0, 6000, 666, 67), (0, 5000, 555, 56)],
    (0.05, 0.05, 0.10): [
        (344, 5578, 619, 344),
        (348, 5651, 627, 348),
        (290, 4709, 523, 290),
    ],
}


@pytest.mark.parametrize("ratios", GOLDEN)
def test_counts_of_the_specification(ratios):
    assert [tuple(counts(n, *ratios)) for n in (5923, 6000, 5000)] == GOLDEN[ratios]


ODDS = {
    "arrhythmia": (386, 66, 231, 155, 27, 2),
    "cardio": (1655, 176, 993, 662, 71, 10),
    "satellite": (4399, 2036, 2639, 1760, 815, 26),
    "satimage-2": (5732, 71, 3439, 2293, 29, 34),
    "shuttle": (45_586, 3511, 27_351, 18_235, 1405, 276),
    "thyroid": (3679, 93, 2207, 1472, 38, 22),
}


@pytest.mark.parametrize("name", ODDS)
def test_odds_splits_of_the_specification(name):
    n_normal, n_odd, train, test_normal, test_odd, known = ODDS[name]
    y = problem(n_normal, n_odd)
    split = labelled_ratio(y, ratio_known_anomaly=0.01, random_state=0)
    check(split, y)
    found = split.counts
    assert (found.unlabelled_normal, found.known_anomaly) == (train, known)
    assert (found.test_normal, found.test_anomaly) == (test_normal, test_odd)
    assert len(split.train) == train + known


@given(
    n_normal=st.integers(1, 400),
    n_odd=st.integers(0, 400),
    known_normal=st.floats(0, 0.6),
    known_odd=st.floats(0, 0.6),
    pollution=st.floats(0, 0.5),
    fraction=st.floats(0.1, 1),
    seed=SEEDS,
)
def test_labelled_ratio_is_disjoint_and_within_one_row(
    n_normal, n_odd, known_normal, known_odd, pollution, fraction, seed
):
    assume(known_normal + known_odd < 0.95)
    y = problem(n_normal, n_odd)
    arguments = {
        "ratio_known_normal": known_normal,
        "ratio_known_anomaly": known_odd,
        "pollution": pollution,
        "train_fraction": fraction,
    }
    n = math.floor(n_normal * fraction + 1e-9)
    sizes = counts(n, known_normal, known_odd, pollution)
    needed = sizes.unlabelled_anomaly + sizes.known_anomaly
    if needed > math.floor(n_odd * fraction + 1e-9):
        with pytest.raises(DataError, match="lower"):
            labelled_ratio(y, **arguments, random_state=seed)
        return
    split = labelled_ratio(y, **arguments, random_state=seed)
    check(split, y)
    found = split.counts
    assert found.test_normal == n_normal - n
    assert n - (found.known_normal + found.unlabelled_normal) in (0, 1)
    # The system of the reference, solved by elimination instead of in closed form.
    rows = [
        [1, 1, 0, 0],
        [1 - known_normal, -known_normal, -known_normal, -known_normal],
        [-known_odd, -known_odd, -known_odd, 1 - known_odd],
        [0, -pollution, 1 - pollution, 0],
    ]
    a, b, u, m = np.linalg.solve(np.array(rows), [n, 0, 0, 0])
    realised = [
        found.known_normal,
        found.unlabelled_normal,
        found.unlabelled_anomaly,
        found.known_anomaly,
    ]
    assert (np.array([a, b, u, m]) - realised > -1e-6).all()
    assert (np.array([a, b, u, m]) - realised < 1 + 1e-6).all()
    again = labelled_ratio(y, **arguments, random_state=seed)
    np.testing.assert_array_equal(split.train, again.train)
    np.testing.assert_array_equal(split.y_train, again.y_train)


def test_pollution_and_known_anomalies_share_no_row_where_they_used_to():
    y = problem(4399, 2036)  # satellite: 37 of 154 rows were drawn twice
    split = labelled_ratio(y, ratio_known_anomaly=0.05, pollution=0.1, random_state=0)
    found = split.counts
    assert (found.known_anomaly, found.unlabelled_anomaly) == (154, 293)
    odd = split.train[y[split.train] == 1]
    assert len(np.unique(odd)) == 154 + 293
    assert found.pollution == pytest.approx(0.1, abs=1 / 2932)


def test_different_seeds_draw_different_rows():
    y = problem(300, 100)
    drawn = {
        tuple(labelled_ratio(y, pollution=0.1, random_state=seed).train.tolist())
        for seed in range(30)
    }
    assert len(drawn) == 30


def test_known_anomalies_come_from_the_known_classes_and_pollution_from_all():
    classes = np.random.default_rng(0).integers(0, 10, 5000)
    y = classes != 0
    split = labelled_ratio(
        y,
        ratio_known_anomaly=0.1,
        pollution=0.3,
        train_fraction=1.0,
        classes=classes,
        known_classes=[3, 4],
        random_state=0,
    )
    assert len(split.test) == 0
    assert set(classes[split.train[split.y_train == 1]].tolist()) == {3, 4}
    hidden = classes[split.train[split.y_train == labels.UNLABELLED]]
    assert set(hidden.tolist()) == set(range(10))


def test_a_number_of_known_classes_is_drawn():
    classes = np.repeat(["a", "b", "c", "d"], 100)
    drawn = set()
    for seed in range(20):
        split = labelled_ratio(
            classes != "a",
            ratio_known_anomaly=0.1,
            classes=classes,
            known_classes=1,
            random_state=seed,
        )
        known = set(classes[split.train[split.y_train == 1]].tolist())
        assert len(known) == 1
        drawn |= known
    assert drawn == {"b", "c", "d"}


CLASSES = np.repeat([0, 1, 2], [60, 30, 10])


@pytest.mark.parametrize(
    ("arguments", "kind", "words"),
    [
        ({"ratio_known_anomaly": 1.0}, ParameterError, ["ratio_known_anomaly=1.0"]),
        ({"ratio_known_normal": -0.1}, ParameterError, ["ratio_known_normal=-0.1"]),
        ({"pollution": float("nan")}, ParameterError, ["pollution=nan"]),
        ({"train_fraction": 0.0}, ParameterError, ["train_fraction=0.0", "(0, 1]"]),
        (
            {"ratio_known_normal": 0.5, "ratio_known_anomaly": 0.5},
            ParameterError,
            ["0.5", "sum below 1"],
        ),
        ({"ratio_known_anomaly": 0.6}, DataError, ["54 known", "has 24"]),
        ({"pollution": 0.45}, DataError, ["29 anomalies", "has 24"]),
        (
            {"ratio_known_anomaly": 0.3, "classes": CLASSES, "known_classes": [2]},
            DataError,
            ["15 known anomalies"],
        ),
        (
            {"ratio_known_anomaly": 0.1, "classes": CLASSES, "known_classes": 0},
            DataError,
            ["4 known anomalies", "has 0"],
        ),
        ({"known_classes": 1}, ParameterError, ["needs classes"]),
        (
            {"classes": CLASSES, "known_classes": [0]},
            ParameterError,
            ["has 0", "choose among 1, 2"],
        ),
        ({"classes": CLASSES, "known_classes": 3}, ParameterError, ["0 to 2"]),
        ({"classes": [1, 2], "known_classes": 1}, ParameterError, ["(2,)", "(100,)"]),
    ],
)
def test_labelled_ratio_says_what_is_wrong(arguments, kind, words):
    with pytest.raises(kind) as caught:
        labelled_ratio(CLASSES != 0, **arguments, random_state=0)
    assert [word for word in words if word not in str(caught.value)] == []
    assert "\n" not in str(caught.value)


# ---------------------------------------------------------------------- one_vs_rest


def test_one_class_against_the_rest_in_the_official_parts():
    classes = np.tile(np.arange(5), 20)
    test = np.arange(100) >= 60
    split = one_vs_rest(classes, normal=[1, 3], test=test)
    check(split, truth_of(classes, [1, 3]))
    np.testing.assert_array_equal(split.test, np.arange(60, 100))
    assert set(classes[split.train].tolist()) == {1, 3}
    assert len(split.train) == 24
    assert split.counts.unused == 36
    assert split.counts.test_normal == 16


def test_one_class_against_the_rest_without_official_parts_is_a_holdout():
    classes = np.repeat(["cat", "dog"], [10, 4])
    split = one_vs_rest(classes, normal=["cat"], random_state=1)
    check(split, truth_of(classes, ["cat"]))
    assert (split.counts.unlabelled_normal, split.counts.test_anomaly) == (5, 4)


@pytest.mark.parametrize("normal", [[], [9], [0, 1], [0, 9]])
def test_normal_classes_must_be_some_but_not_all(normal):
    with pytest.raises(ParameterError, match="some but not all of the classes 0, 1"):
        one_vs_rest([0, 1, 0], normal=normal)


def test_official_part_must_fit_and_leave_something():
    with pytest.raises(ParameterError, match=r"\(2,\)"):
        one_vs_rest([0, 1, 0], normal=[0], test=[True, False])
    with pytest.raises(DataError, match="outside the test part"):
        one_vs_rest([0, 1, 0], normal=[0], test=[True, False, True])


# ------------------------------------------------------------------------------ soel

# Rows and anomalies; normal and anomalous training rows; the same of the test.
SOEL = {
    "breastw": (683, 239, 223, 24, 221, 215),
    "ionosphere": (351, 126, 113, 12, 112, 114),
    "pima": (768, 268, 251, 27, 249, 241),
    "satellite": (6435, 2036, 2200, 244, 2199, 1792),
}


def check_soel(y, counts):
    """The counts of the specification, and the first anomalies for every seed."""
    n, n_odd, normal, odd, normal_test, odd_test = counts
    assert (len(y), int(y.sum())) == (n, n_odd)
    for seed in range(2):
        split = soel(y, random_state=seed)
        check(split, y)
        found = split.counts
        assert (found.unlabelled_normal, found.unlabelled_anomaly) == (normal, odd)
        assert (found.test_normal, found.test_anomaly) == (normal_test, odd_test)
        polluting = split.train[y[split.train] == 1]
        np.testing.assert_array_equal(polluting, np.flatnonzero(y)[:odd])


@pytest.mark.parametrize("name", SOEL)
def test_soel_splits_of_the_specification(name):
    n, n_odd, *_ = SOEL[name]
    check_soel(problem(n - n_odd, n_odd), SOEL[name])


@pytest.mark.parametrize("name", SOEL)
def test_soel_splits_of_the_files(name, real_data, monkeypatch):
    from whitecrow.experiments.file import parse
    from whitecrow.experiments.problem import problem
    from whitecrow.experiments.task import plan

    monkeypatch.setenv("WHITECROW_DATA", str(real_data))
    content = {
        **{"name": "e", "title": "E", "data": [f"odds_{name}"], "seeds": 1},
        **{"protocol": {"name": "soel"}, "methods": [{"name": "knn"}]},
    }
    made = problem(plan(parse(content))[0])
    n, _, normal, odd, normal_test, odd_test = SOEL[name]
    assert np.bincount(made.truth_train).tolist() == [normal, odd]
    assert np.bincount(made.y_test).tolist() == [normal_test, odd_test]
    assert len(made.X_train) + len(made.X_test) == n
    assert np.isnan(made.y_train).all()


def test_soel_draws_normal_rows_by_the_seed():
    y = problem(100, 20)
    one, other = (soel(y, random_state=seed).train for seed in (0, 1))
    assert not np.array_equal(one, other)
    np.testing.assert_array_equal(one, soel(y, random_state=0).train)
    none = soel(y, pollution=0.0, random_state=0).counts
    assert (none.unlabelled_anomaly, none.test_anomaly) == (0, 20)


def test_soel_says_what_is_wrong():
    with pytest.raises(ParameterError, match=r"pollution=1.0 is not a share"):
        soel(problem(50, 9), pollution=1.0)
    with pytest.raises(DataError, match="leave no test beside 26 and 26 that train"):
        soel(problem(50, 9), pollution=0.5)


# ---------------------------------------------------------------------------- shared


@pytest.mark.parametrize("protocol", [holdout, stratified, labelled_ratio, soel])
def test_protocols_need_the_whole_truth(protocol):
    with pytest.raises(LabelError, match="row 2 has no label"):
        protocol([0, 1, None, 0, 1, 0])
    with pytest.raises(LabelError, match="negative"):
        protocol([0, -1, 1])


@pytest.mark.parametrize("protocol", [holdout, stratified, soel])
@pytest.mark.parametrize("y", [[], [0, 0, 0], [1, 1], [0, 1], [0, 0, 1][:1]])
def test_too_few_rows_are_an_error_of_the_user(protocol, y):
    with pytest.raises(UserError):
        protocol(y, random_state=0)


@pytest.mark.parametrize("fraction", [0.0, 1.0, -1, 2, float("nan")])
@pytest.mark.parametrize("protocol", [holdout, stratified])
def test_train_fraction_is_a_share(protocol, fraction):
    with pytest.raises(ParameterError, match=r"train_fraction=.* \(0, 1\)"):
        protocol(problem(20, 10), train_fraction=fraction)


def test_mostly_anomalies_is_no_reversal_in_a_truth():
    np.testing.assert_array_equal(truth.codes([1, 1, 0]), [1, 1, 0])
    assert holdout([1, 1, 1, 0, 0], random_state=0).counts.test_anomaly == 3


def test_a_row_cannot_be_drawn_twice():
    rows = np.array([0, 1])
    with pytest.raises(AssertionError):
        make_split(np.array([0, 0, 1], np.int8), test=rows, unlabelled=rows)
