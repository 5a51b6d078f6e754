import logging
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_allclose, assert_array_equal
from sklearn import svm
from sklearn.base import clone
from sklearn.metrics import roc_auc_score

import whitecrow as wc
from whitecrow.errors import DataError, ParameterError
from whitecrow.saving import load
from whitecrow.wrappers.consensus import Consensus, evidence


def two(**settings):
    """A consensus of two fast methods."""
    members = [wc.KNN(n_neighbors=5), wc.HBOS()]
    scout = wc.IsolationForest(n_estimators=20)
    return Consensus(members, scout=scout, **{"random_state": 0, **settings})


@pytest.fixture
def problem():
    """Normal rows and, at the end, a tenth that form a group of their own."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 4))
    X[270:] = 3 + rng.normal(size=(30, 4))
    return X, np.arange(300) >= 270


# ---------------------------------------------------------------------------- evidence


def test_evidence_by_hand():
    reference = np.array([0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 14.0])
    # The 90 % quantile is 9, the only excess over it 5; of 11 rows r score s or more.
    for score, r, excess in ((0, 11, 0), (6, 5, 0), (9, 2, 0), (14, 2, 1), (29, 2, 4)):
        expected = math.log(1 - math.log((r + 1) / 13) + excess)
        assert_allclose(evidence(np.array([float(score)]), reference), [expected])


def test_evidence_of_ties_counts_all_of_them():
    reference = np.repeat([0.0, 1.0], [90, 60])
    expected = np.log1p(-np.log((np.array([150, 60]) + 1) / 152))
    assert_allclose(evidence(np.array([0.0, 1.0]), reference), expected)
    # Nothing is beyond the quantile, 1: the mean distance from it, 0.6, is the unit.
    assert_allclose(
        np.expm1(evidence(np.array([1.0, 4.0]), reference)),
        np.expm1(expected[1]) + np.array([0, 5]),
    )


@pytest.mark.parametrize("value", [0.0, -7.0, 1e9])
def test_evidence_where_all_training_rows_are_equal(value):
    scores = evidence(value + np.array([-1.0, 0.0, 1.0, 1e6]), np.full(20, value))
    assert np.isfinite(scores).all()
    assert scores[0] == scores[1] < scores[2] < scores[3]


def test_evidence_does_not_see_rounding_errors():
    rng = np.random.default_rng(0)
    score = np.repeat(rng.exponential(size=40), 5)
    reference = np.sort(score * (1 + 1e-15 * rng.normal(size=200)))
    off = score * (1 + 1e-15 * rng.normal(size=200))
    assert_allclose(evidence(off, reference), evidence(score, reference), rtol=1e-5)


finite = st.floats(-1e100, 1e100)


@given(
    arrays(float, st.integers(2, 40), elements=finite),
    arrays(float, st.integers(2, 20), elements=finite),
)
def test_evidence_is_finite_and_never_falls(reference, scores):
    found = evidence(np.sort(scores), np.sort(reference))
    assert np.isfinite(found).all()
    assert (found > 0).all()
    assert (np.diff(found) >= 0).all()


@given(arrays(float, st.integers(10, 40), elements=st.floats(-100, 100)))
def test_evidence_rises_beyond_all_training_rows(reference):
    beyond = np.quantile(reference, 0.9) + np.geomspace(1, 1e9, 10)
    assert (np.diff(evidence(beyond, np.sort(reference))) > 0).all()


@given(
    arrays(float, 30, elements=st.integers(-100, 100)),
    st.floats(0.1, 100),
    st.floats(-100, 100),
)
def test_evidence_has_no_unit(reference, factor, shift):
    reference = np.sort(reference)
    assert_allclose(
        evidence(factor * reference + shift, factor * reference + shift),
        evidence(reference, reference),
        rtol=1e-6,
    )


# ------------------------------------------------------------------------------ fitting


def test_the_whole_recipe_by_hand(problem):
    """One round, and members without chance."""
    X, _ = problem
    members = [wc.KNN(n_neighbors=5), wc.HBOS()]
    scout = wc.ECOD()

    def votes(detectors):
        scores = [one.anomaly_score(X) for one in detectors]
        return np.sum([evidence(s, np.sort(s)) for s in scores], axis=0)

    alike = [clone(scout).fit(X)] * 2  # as many votes as members
    first = votes([*(clone(one).fit(X) for one in members), *alike])
    kept = first <= np.quantile(first, 0.7)
    last = votes([clone(one).fit(X[kept]) for one in members])

    model = Consensus(members, scout=scout, drop=0.3, rounds=1).fit(X)
    assert_array_equal(model.kept_, kept)
    assert_allclose(model.anomaly_score(X), np.expm1(last / 2))
    assert kept.sum() == 210


def test_planted_pollution_is_dropped_and_found(problem):
    X, anomaly = problem
    model = Consensus(random_state=0).fit(X)
    assert not model.kept_[anomaly].any()
    assert model.kept_.sum() == 240
    assert roc_auc_score(anomaly, model.anomaly_score(X)) > 0.99
    # The control: with what they hide, the same methods see less.
    blind = Consensus(rounds=0, random_state=0).fit(X)
    assert roc_auc_score(anomaly, blind.anomaly_score(X)) < 0.98
    assert blind.kept_.all()


def test_the_scout_has_a_say_in_what_is_dropped_only(problem):
    X, _ = problem
    plain, other = (
        Consensus([wc.HBOS()], scout=scout, rounds=1).fit(X)
        for scout in (wc.HBOS(), wc.KNN(n_neighbors=40))
    )
    assert (plain.kept_ != other.kept_).any()
    same = clone(wc.HBOS()).fit(X[other.kept_]).anomaly_score(X)
    alone = np.expm1(evidence(same, np.sort(same)))
    assert_allclose(other.anomaly_score(X), alone)


def test_parts_that_it_keeps(problem):
    X, _ = problem
    model = Consensus(random_state=0).fit(X)
    names = [type(one).__name__ for one in model.detectors_]
    assert names == ["KNN", "KNN", "HBOS", "GMM"]
    assert [one.scaling for one in model.detectors_[:2]] == ["standard", "minmax"]
    assert isinstance(model.scout_, wc.IsolationForest)
    assert model.references_.shape == (4, 300)
    assert (np.diff(model.references_) >= 0).all()
    # Members can be used by themselves, and know their thresholds.
    for one in (*model.detectors_, model.scout_):
        assert 0 < (one.predict(X) == -1).mean() < 0.4


def test_given_detectors_stay_unfitted_and_get_the_seed(problem):
    X, _ = problem
    members = (wc.GMM(n_components=2), wc.GMM(random_state=5), wc.HBOS())
    model = Consensus(members, random_state=3).fit(X)
    assert not any(hasattr(one, "offset_") for one in members)
    assert [one.random_state for one in model.detectors_[:2]] == [3, 5]
    assert model.scout_.random_state == 3
    assert model.get_params()["detectors"] is members
    again = clone(model)
    assert again.detectors[0] is not members[0]
    assert_array_equal(again.fit(X).anomaly_score(X), model.anomaly_score(X))


def test_nested_parameters(problem):
    X, _ = problem
    model = Consensus([wc.HBOS()], scout=wc.ECOD())
    model.set_params(scout__contamination=0.2, drop=0.4, detectors=[wc.KNN()])
    model.fit(X)
    assert model.scout_.contamination == 0.2
    assert model.kept_.sum() == 180
    assert isinstance(model.detectors_[0], wc.KNN)


@pytest.mark.parametrize("n", [2, 3, 9, 10, 11, 25])
@pytest.mark.parametrize("d", [1, 4])
def test_few_rows_and_constant_columns(n, d):
    X = np.random.default_rng(0).normal(size=(n, d))
    X[:, -1] = 7.0
    model = Consensus(random_state=0).fit(X)
    assert model.kept_.sum() >= min(n, 10)
    far = X[-1:] + np.array([[1e2], [1e6], [1e50], [1e300]])
    scores = model.anomaly_score(np.concatenate([X, far]))
    assert np.isfinite(scores).all()
    assert scores[-4:].min() > scores[:n].max()
    assert (np.diff(scores[-4:-1]) > 0).all()
    assert np.isfinite(model.explain(far)).all()


def test_equal_rows():
    X = np.full((50, 3), 2.0)
    model = Consensus(random_state=0).fit(X)
    scores = model.anomaly_score([[2.0, 2.0, 2.0], [2.0, 3.0, 2.0], [2.0, 9.0, 2.0]])
    assert (np.diff(scores) > 0).all()
    assert_allclose(model.anomaly_score(X), scores[0])


def test_notes_of_the_members_are_there_once(caplog):
    X = np.random.default_rng(0).normal(size=(18, 3))
    with caplog.at_level(logging.WARNING):
        Consensus(random_state=0).fit(X)
        assert caplog.text.count("is too many for") == 1
        wc.KNN().fit(X)
        wc.KNN().fit(X)
    assert caplog.text.count("is too many for") == 3


# -------------------------------------------------------------- scores and explanations


def test_scores_do_not_depend_on_company(problem):
    X, _ = problem
    twice = np.repeat(X[::3], 3, axis=0)
    model = Consensus(random_state=0).fit(twice)
    alone = [model.anomaly_score(row[None])[0] for row in twice[:60]]
    assert_allclose(alone, model.anomaly_score(twice)[:60], rtol=1e-6)


def test_units_do_not_matter(problem):
    X, _ = problem
    changed = X * np.geomspace(1e-6, 1e6, 4) + 1e3
    before, after = (
        Consensus(random_state=0).fit(rows).anomaly_score(rows) for rows in (X, changed)
    )
    assert_allclose(after, before, rtol=1e-4)


def test_contributions_add_up_to_the_score(problem):
    """Those of the methods, which are never negative here, share out the evidence."""
    X, _ = problem
    model = two().fit(X)
    odd = X[:4].copy()
    odd[np.arange(4), np.arange(4)] += 20
    parts = model.explain(odd)
    assert (parts >= 0).all()
    assert_allclose(parts.sum(axis=1), model.anomaly_score(odd))
    assert_array_equal(parts.argmax(axis=1), np.arange(4))


def test_pictures():
    pictures = np.random.default_rng(0).integers(0, 40, (40, 2, 4, 4), dtype=np.uint8)
    odd = pictures[:1].copy()
    odd[0, 1, 3, 3] = 255
    model = Consensus(random_state=0).fit(pictures)
    assert model.anomaly_score(odd) > model.anomaly_score(pictures).max()
    heat = model.explain(odd)
    assert heat.shape == (1, 4, 4)
    assert heat[0].argmax() == 15


# ----------------------------------------------------------------------- saving, errors


@pytest.mark.parametrize("kind", [list, tuple])
def test_saved_and_loaded_scores_are_equal(problem, kind, tmp_path):
    X, _ = problem
    outside = wc.wrap(svm.OneClassSVM(nu=0.3))
    members = kind([wc.KNN(n_neighbors=3), two(rounds=1), outside])
    model = Consensus(members, random_state=0).fit(X)
    model.save(tmp_path / "consensus.crow")
    loaded = load(tmp_path / "consensus.crow")
    assert_array_equal(loaded.anomaly_score(X), model.anomaly_score(X))
    assert_array_equal(loaded.explain(X[:3]), model.explain(X[:3]))
    assert_array_equal(loaded.kept_, model.kept_)
    assert type(loaded.detectors) is kind
    assert repr(loaded.detectors) == repr(members)
    assert_array_equal(loaded.fit(X).anomaly_score(X), model.anomaly_score(X))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"detectors": []}, "no methods to ask; give at least one"),
        ({"detectors": [svm.OneClassSVM()]}, r"not OneClassSVM; use whitecrow\.wrap"),
        ({"detectors": [wc.KNN(p=3)]}, "'p' parameter of KNN"),
        ({"detectors": wc.KNN()}, "'detectors' parameter of Consensus"),
        ({"scout": "forest"}, "'scout' parameter of Consensus"),
        ({"scout": wc.HBOS}, "not ABCMeta|not type"),
        ({"drop": 1.0}, "'drop' parameter of Consensus .* 1.0"),
        ({"rounds": -1}, "'rounds' parameter of Consensus .* -1"),
    ],
)
def test_illegal_values_are_named(problem, settings, message):
    with pytest.raises(ParameterError, match=message):
        Consensus(**settings).fit(problem[0])


def test_one_row_is_too_few():
    with pytest.raises(DataError, match="n_samples = 1"):
        Consensus().fit([[1.0, 2.0]])


def test_scores_of_the_last_round_are_those_of_the_fit(problem):
    X, _ = problem
    asked = []

    class Counts(wc.ECOD):
        def _anomaly_score(self, X):
            asked.append(len(X))
            return super()._anomaly_score(X)

    model = wc.Consensus([Counts()], rounds=2, random_state=0)
    scores = model.fit_score(X)
    assert asked == [len(X)] * 3  # before the first round and after each
    np.testing.assert_array_equal(scores, model.anomaly_score(X))
    few = wc.Consensus([Counts()], max_rows=50, random_state=0)
    np.testing.assert_array_equal(few.fit_score(X), few.anomaly_score(X))
