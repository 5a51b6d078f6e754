"""NormalsOnly: known anomalies are in neither the fit nor the units."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.ensemble import IsolationForest

import whitecrow as wc
from whitecrow.errors import LabelError, ParameterError

RNG = np.random.default_rng(0)
X = np.r_[RNG.normal(size=(150, 4)), RNG.normal(6, 0.3, size=(30, 4))]
Y = np.repeat([np.nan, 1.0], [150, 30])

INNER = [
    wc.KNN(),
    wc.OCSVM(random_state=0),
    wc.ECOD(),
    wc.AutoEncoder(epochs=2, random_state=0),
    wc.DeepSAD(epochs=2, pretrain=False, random_state=0),
    wc.wrap(IsolationForest(random_state=0)),
]


@pytest.mark.parametrize("inner", INNER, ids=lambda one: type(one).__name__)
def test_it_is_the_method_fitted_on_the_other_rows(inner, tmp_path):
    model = wc.NormalsOnly(inner).fit(X, Y)
    alone = inner.fit(X[:150])
    assert_array_equal(model.anomaly_score(X), alone.anomaly_score(X))
    assert_array_equal(model.explain(X[:3]), alone.explain(X[:3]))
    assert model.explanation == alone.explanation
    assert hasattr(model, "embed") == hasattr(alone, "embed")
    model.save(tmp_path / "m.crow")
    again = wc.load(tmp_path / "m.crow")
    assert_array_equal(again.anomaly_score(X), model.anomaly_score(X))


def test_the_threshold_is_chosen_with_all_labels():
    model = wc.NormalsOnly(wc.KNN()).fit(X, np.nan_to_num(Y))
    assert "30 labelled anomalies" in model.threshold_source_
    assert_array_equal(model.predict(X) == -1, Y == 1)


def test_labels_of_rows_that_remain_reach_a_method_that_learns():
    y = Y.copy()
    y[:20] = 0
    inner = wc.DeepSAD(epochs=2, pretrain=False, eta=50.0, random_state=0)
    told, blind = (wc.NormalsOnly(inner).fit(X, labels) for labels in (y, Y))
    assert not np.allclose(told.anomaly_score(X), blind.anomaly_score(X))


def test_the_seed_is_passed_on_and_the_detector_given_stays_as_it_is():
    inner = wc.IsolationForest()
    model = wc.NormalsOnly(inner, random_state=3).fit(X, Y)
    assert (inner.random_state, model.detector_.random_state) == (None, 3)


def test_by_default_it_is_consensus():
    model = wc.NormalsOnly(random_state=0).fit(X, Y)
    assert isinstance(model.detector_, wc.Consensus)
    assert_array_equal(
        model.anomaly_score(X),
        wc.Consensus(random_state=0).fit(X[:150]).anomaly_score(X),
    )


def test_no_row_is_left():
    reversed_ = pytest.warns(UserWarning, match="reversed")
    with reversed_, pytest.raises(LabelError, match="all rows are labelled as anom"):
        wc.NormalsOnly(wc.KNN()).fit(X, np.ones(180))


def test_estimators_of_others_are_to_be_wrapped():
    class Theirs:
        def fit(self, X): ...
        def anomaly_score(self, X): ...

    with pytest.raises(ParameterError, match=r"whitecrow\.wrap"):
        wc.NormalsOnly(Theirs()).fit(X, Y)
