"""Discovery: answers move the ranking where they should, and more is found."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm, rankdata
from sklearn.tree import ExtraTreeRegressor

from whitecrow.active import strategies
from whitecrow.active.strategies import aad
from whitecrow.active.strategies.aad import AAD
from whitecrow.errors import DataError, ParameterError
from whitecrow.scaling import Scaler


def ask(X, scores, answers, *, k=1, seed=0, **rest):
    known = np.flatnonzero(~np.isnan(answers))
    return AAD(**rest).query(
        scores=scores,
        embeddings=X,
        k=k,
        random_state=seed,
        labelled=known,
        answers=answers,
    )


def told(n, **answers):
    """Answers by row, such as `_3=1`."""
    values = np.full(n, np.nan)
    for row, answer in answers.items():
        values[int(row[1:])] = answer
    return values


def clusters(seed=0):
    """400 usual rows, and far off 30 that are of no interest and 30 that are."""
    rng = np.random.default_rng(seed)
    X = np.concatenate(
        [
            rng.normal(size=(400, 4)),
            rng.normal([8, 8, 0, 0], 0.7, (30, 4)),
            rng.normal([0, 0, -6, 6], 0.7, (30, 4)),
        ]
    )
    y = np.repeat([0, 0, 1], [400, 30, 30])
    return X, y, np.linalg.norm(X, axis=1)


def standardised(X):
    return Scaler.fit(X).transform(X, np.float32)


def discovered(choose, y, questions):
    answers = np.full(len(y), np.nan)
    for _ in range(questions):
        (row,) = choose(answers)
        assert np.isnan(answers[row])
        answers[row] = y[row]
    return int(np.nansum(answers))


def posterior(X, scores, answers):
    known = np.flatnonzero(~np.isnan(answers))
    pool = strategies.Pool(
        n=len(X),
        k=1,
        shown=known,
        rng=np.random.default_rng(0),
        scores=scores,
        embeddings=X,
        answers=answers,
    )
    return aad._posterior(pool, np.arange(pool.n), known, 50)


# ----------------------------------------------------------------- what is learnt


def test_without_answers_it_is_the_ranking():
    X, _, scores = clusters()
    expected = np.argsort(-scores)[:5].tolist()
    assert ask(X, scores, np.full(len(X), np.nan), k=5).tolist() == expected
    ids = AAD().query(scores=scores, embeddings=X, k=5, random_state=0)
    assert ids.tolist() == expected


def test_neighbours_of_a_normal_row_drop_and_those_of_an_anomaly_rise():
    X, _, scores = clusters()
    nothing, other = told(len(X), _450=1), told(len(X), _450=1, _405=0)
    before, after = posterior(X, scores, nothing), posterior(X, scores, other)
    change = after - before
    assert (change[400:430] < -0.15).all()
    assert change[400:430].mean() < 2 * change[:400].mean() < 0
    assert (ask(X, scores, other, k=20) >= 430).all()


def test_finds_more_than_the_ranking():
    X, y, scores = clusters()
    plain = np.argsort(-scores)
    assert y[plain[:40]].sum() < 15
    assert discovered(lambda answers: ask(X, scores, answers, n_trees=30), y, 40) >= 28


def test_golden():
    """By hand: in a tree of two rows the one cut parts them."""
    prior = -0.8 + 0.25 * np.array([0.6744897501960817, -0.6744897501960817])
    # Nothing in common with the other row, and 1 with itself, to which noise adds 0.1.
    expected = [prior[0] + (1 - prior[0]) / 1.1, prior[1]]
    X = np.array([[3.0], [1.0]])
    found = posterior(X, np.array([2.0, 1.0]), told(2, _0=1))
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_nodes_have_gaussian_weights():
    """Ridge regression on nodes, of which each tree has one at each of eight depths."""
    X, _, scores = clusters()
    answers = told(len(X), _2=0, _405=0, _450=1)
    known = [2, 405, 450]
    codes = aad.paths(standardised(X), 50, np.random.default_rng(0))
    passed = np.concatenate([codes >> bit for bit in range(8)], axis=1)
    nodes = np.concatenate([passed == passed[row] for row in known], axis=1)
    where = np.concatenate([passed[[row]] for row in known], axis=1)
    place = np.tile(np.arange(passed.shape[1]), 3)
    _, first = np.unique(np.stack([where[0], place]), axis=1, return_index=True)
    features = nodes[:, first] / np.sqrt(50 * 8)
    start = -0.8 + 0.25 * norm.ppf((rankdata(scores) - 0.5) / len(X))
    gram = features[known].T @ features[known] + 0.1 * np.eye(len(first))
    weights = np.linalg.solve(
        gram, features[known].T @ (2 * answers[known] - 1 - start[known])
    )
    found = posterior(X, scores, answers)
    np.testing.assert_allclose(found, start + features @ weights, atol=1e-6)


def test_many_answers_pull_as_the_exact_solution_does(monkeypatch):
    X, y, scores = clusters()
    answers = np.where(np.arange(len(X)) % 3 == 0, np.nan, y)
    exact = posterior(X, scores, answers)
    monkeypatch.setattr(aad, "_DIRECT", 100)
    close = posterior(X, scores, answers)
    assert 0 < np.abs(close - exact).max() < 0.03
    monkeypatch.setattr(aad, "_TOLERANCE", 1e-10)
    np.testing.assert_allclose(posterior(X, scores, answers), exact, atol=1e-6)


def test_scores_count_by_their_rank():
    X, _, scores = clusters()
    answers = told(len(X), _450=1, _405=0, _2=0)
    expected = posterior(X, scores, answers)
    np.testing.assert_array_equal(posterior(X, np.exp(scores), answers), expected)


def test_units_of_columns_do_not_matter():
    X, _, scores = clusters()
    answers = told(len(X), _450=1, _405=0, _2=0)
    moved = posterior(X * 2.0 ** np.arange(4) + 16, scores, answers)
    np.testing.assert_allclose(moved, posterior(X, scores, answers), atol=1e-3)


def test_a_ranking_that_is_wrong_is_left():
    """Anomalies are the lowest scores: no number of answers from the top finds one."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(600, 3))
    scores = np.linalg.norm(X, axis=1)
    y = (scores < np.quantile(scores, 0.1)).astype(int)
    assert discovered(lambda answers: ask(X, scores, answers, n_trees=30), y, 60) >= 20


def test_random_rows_in_every_second_place_until_something_is_found():
    X, _, scores = clusters()
    answers = np.full(len(X), np.nan)
    answers[:10] = 0
    patient = ask(X, scores, answers, k=6, patience=11)
    mixed = ask(X, scores, answers, k=6, patience=10)
    assert mixed[::2].tolist() == patient[:3].tolist()
    assert len({*mixed}) == 6
    assert ask(X, scores, answers, k=6, seed=1)[1] != mixed[1]
    answers[450] = 1
    found = ask(X, scores, answers, k=6, patience=10)
    assert found.tolist() == ask(X, scores, answers, k=6, patience=99).tolist()


# ---------------------------------------------------------------------- contract


def test_deterministic():
    X, _, scores = clusters()
    answers = told(len(X), _450=1, _405=0)
    first = ask(X, scores, answers, k=9)
    assert first.tolist() == ask(X, scores, answers, k=9).tolist()
    assert first.tolist() == ask(X.astype(np.float32), scores, answers, k=9).tolist()


def test_rows_in_place_of_embeddings():
    X, _, scores = clusters()
    answers = told(len(X), _450=1, _405=0)
    given = {
        "scores": scores,
        "k": 9,
        "random_state": 0,
        "labelled": [405, 450],
        "answers": answers,
    }
    ids = AAD().query(embeddings=np.zeros((len(X), 1)), X=X, **given)
    assert ids.tolist() == ask(X, scores, answers, k=9).tolist()


@pytest.mark.parametrize(
    "X",
    [
        np.ones((20, 3)),
        np.arange(20.0)[:, None],
        np.repeat(np.eye(2), 10, axis=0),
        np.full((20, 1), 1e140) * np.linspace(-1, 1, 20)[:, None],
    ],
    ids=["constant", "one_column", "duplicates", "huge"],
)
@pytest.mark.parametrize("answer", [0, 1, None])
def test_every_row_is_asked_once(X, answer):
    truth = np.arange(20) % 2 if answer is None else np.full(20, answer)
    choose = lambda answers: ask(X, np.zeros(20), answers, n_trees=5)  # noqa: E731
    assert discovered(choose, truth, 20) == truth.sum()


def test_unsure_and_skipped_rows_are_not_asked_again():
    X, _, scores = clusters()
    rest = np.setdiff1d(np.arange(len(X)), [3, 4])
    ids = AAD(n_trees=5).query(
        scores=scores,
        embeddings=X,
        k=2,
        random_state=0,
        labelled=rest,
        answers=told(len(X), _450=1, _405=0),
    )
    assert sorted(ids.tolist()) == [3, 4]


def test_reasons():
    strategy = strategies.get("aad")
    assert strategy.why(0) == "number 1 of the oddest rows not shown yet"
    # What was shown before may have been an audit, of any score.
    assert strategy.why(1, shown=3) == "number 2 of the oddest rows not shown yet"
    some = [np.nan, 1, 0]
    assert "answers" in strategy.why(0, shown=3, answers=some)


def test_a_random_row_does_not_pass_for_one_with_a_high_score():
    rng = np.random.default_rng(0)
    points, answers = rng.normal(size=(200, 2)), np.full(200, np.nan)
    scores = np.arange(200.0)
    answers[-8:] = 0
    strategy = strategies.get("aad")
    ids = strategy.query(
        scores=scores,
        embeddings=points,
        k=6,
        random_state=0,
        labelled=np.arange(192, 200),
        answers=answers,
    )
    why = [strategy.why(i, shown=8, answers=answers) for i in range(len(ids))]
    at_random = ["at random" in reason for reason in why]
    assert at_random == [False, True] * 3
    assert scores[ids[at_random]].min() < 150 < scores[ids[~np.array(at_random)]].min()


@pytest.mark.parametrize("name", ["n_trees", "patience"])
@pytest.mark.parametrize("value", [0, 2.5])
def test_illegal_parameters(name, value):
    message = f"{name}={value}; give a whole number from 1"
    with pytest.raises(ParameterError, match=message):
        strategies.get("aad", **{name: value})


def test_scores_are_needed():
    with pytest.raises(DataError, match="'aad' needs scores"):
        AAD().query(scores=None, embeddings=np.eye(3), k=1, random_state=0)


# ------------------------------------------------------------------------- trees


def test_paths_are_the_cuts_of_the_trees(monkeypatch):
    grown, trees = aad._grown, []
    monkeypatch.setattr(
        aad, "_grown", lambda *given: trees.append(grown(*given)) or trees[-1]
    )
    X = standardised(clusters()[0])
    codes = aad.paths(X, 3, np.random.default_rng(0))
    for number, tree in enumerate(trees):
        leaves = tree.apply(X)
        same_leaf = leaves[:, None] == leaves
        same_path = codes[:, None, number] == codes[:, number]
        np.testing.assert_array_equal(same_leaf, same_path)
        first_cut = X[:, tree.feature[0]] <= tree.threshold[0]
        np.testing.assert_array_equal(codes[:, number] < 128, first_cut)
        assert tree.n_node_samples[0] == 256


def test_together_counts_common_cuts():
    codes = np.array([[0b00000000], [0b00000001], [0b01000000], [0b10000000]], np.uint8)
    shares = aad.together(codes, codes[:1])
    assert shares.ravel().tolist() == [1.0, 7 / 8, 1 / 8, 0.0]


def test_the_pull_of_answers_is_a_weighted_sum_of_common_cuts():
    rng = np.random.default_rng(0)
    codes = aad.paths(standardised(clusters()[0]), 20, rng)
    weights = rng.normal(size=7)
    expected = aad.together(codes, codes[:7]) @ weights
    np.testing.assert_allclose(
        aad._pull(codes, codes[:7], weights), expected, atol=1e-6
    )


def test_rows_that_are_equally_alike_stay_equal():
    """Whichever of the trees it is that they share a part of the path with one in."""
    rng = np.random.default_rng(0)
    paths = 2 ** (np.arange(40) % 8)
    codes = np.array([rng.permutation(paths) for _ in range(50)], dtype=np.uint8)
    answered = np.zeros((1, 40), np.uint8)
    assert len(np.unique(aad._pull(codes, answered, np.array([0.7])))) == 1


def test_ranks_of_some_are_those_among_all():
    scores = np.random.default_rng(0).normal(size=500).round(1)
    rows = np.arange(0, 500, 7)
    np.testing.assert_array_equal(aad._ranks(scores, rows), rankdata(scores)[rows])


def test_codes_of_a_stump():
    stump = ExtraTreeRegressor(max_depth=1, random_state=0).fit([[0.0], [1.0]], [0, 1])
    assert aad._codes(stump.tree_).tolist() == [0, 0, 128]


def test_of_a_large_pool_some_rows_are_ranked(monkeypatch):
    """The highest scores, others at random, and all that is left when little is."""
    monkeypatch.setattr(aad, "_LARGE", 40)
    answers = np.full(300, np.nan)
    answers[[0, 299]] = 1, 0

    def pool(shown, k, seed=0):
        return aad.Pool(
            n=300,
            k=k,
            shown=np.asarray(shown),
            rng=np.random.default_rng(seed),
            scores=np.arange(300.0),
            embeddings=np.random.default_rng(0).normal(size=(300, 2)),
            answers=answers,
        )

    known = np.array([0, 299])
    some = aad._candidates(pool(known, 3), known)
    assert {0, *range(280, 300)} <= set(some.tolist())
    assert 25 < len(some) <= 45
    assert (np.diff(some) > 0).all()
    other = aad._candidates(pool(known, 3, seed=1), known)
    assert set(some.tolist()) != set(other.tolist())
    chosen = strategies.get("aad")._choose(pool(known, 30))
    assert len(set(chosen.tolist()) - {0, 299}) == 30
    # With all but three low ones shown, those are asked.
    shown = [*range(3), *range(6, 300)]
    assert sorted(strategies.get("aad")._choose(pool(shown, 3)).tolist()) == [3, 4, 5]
