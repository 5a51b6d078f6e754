import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.base import BaseEstimator, clone
from sklearn.cluster import KMeans
from sklearn.covariance import EllipticEnvelope
from sklearn.ensemble import IsolationForest
from sklearn.linear_model import LinearRegression, LogisticRegression, SGDOneClassSVM
from sklearn.metrics import roc_auc_score
from sklearn.mixture import GaussianMixture
from sklearn.neighbors import KernelDensity, LocalOutlierFactor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, OneClassSVM
from sklearn.utils.estimator_checks import parametrize_with_checks

import whitecrow as wc
from whitecrow.errors import ModelFileError, ParameterError
from whitecrow.wrappers.wrapped import Wrapped, wrap


@pytest.fixture
def problem():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(330, 3))
    X[300:] += [6, -6, 0]
    return X, np.arange(330) >= 300


SKLEARN = [
    EllipticEnvelope(random_state=0),
    IsolationForest(random_state=0, contamination=0.3),
    LocalOutlierFactor(n_neighbors=40, novelty=True),
    OneClassSVM(gamma=0.1),
    GaussianMixture(random_state=0),
    KernelDensity(),
    make_pipeline(StandardScaler(), IsolationForest(random_state=0)),
]


def checked(wrapped, X, anomaly):
    """Fit on normal rows; scores must put the anomalies first."""
    detector = wrapped.fit(X[~anomaly])
    scores = detector.anomaly_score(X)
    assert scores.dtype == np.float64
    assert np.isfinite(scores).all()
    return roc_auc_score(anomaly, scores)


@parametrize_with_checks(
    [
        Wrapped(IsolationForest(n_estimators=10, random_state=0)),
        Wrapped(make_pipeline(StandardScaler(), GaussianMixture(random_state=0))),
    ]
)
def test_sklearn_contract(estimator, check):
    check(estimator)


@pytest.mark.parametrize("estimator", SKLEARN, ids=repr)
def test_anomalies_come_first_for_scikit_learn(estimator, problem):
    assert checked(wrap(estimator), *problem) > 0.99


def test_anomalies_come_first_for_a_decision_function_only(problem):
    # A linear one-class machine separates from the origin: move the cloud away from it.
    X, anomaly = problem
    X = np.where(anomaly[:, None], 0.0, X + 20)
    assert checked(wrap(SGDOneClassSVM(random_state=0)), X, anomaly) > 0.99


def test_scores_and_signs_are_those_of_the_estimator(problem):
    X, _ = problem
    theirs = make_pipeline(StandardScaler(), IsolationForest(random_state=0)).fit(X)
    ours = wrap(clone(theirs)).fit(X)
    assert_array_equal(ours.anomaly_score(X), -theirs.score_samples(X))
    assert_array_equal(ours.score_samples(X), theirs.score_samples(X))


@pytest.mark.parametrize(
    "name", ["ecod.ECOD", "knn.KNN", "iforest.IForest", "copod.COPOD"]
)
def test_anomalies_come_first_for_pyod(name, problem):
    pytest.importorskip("pyod", reason="PyOD is an extra (bench, dev)")
    module, _, cls = name.partition(".")
    estimator = getattr(pytest.importorskip(f"pyod.models.{module}"), cls)()
    assert checked(wrap(estimator), *problem) > 0.95
    piped = make_pipeline(StandardScaler(), estimator)
    assert checked(wrap(piped), *problem) > 0.95


def test_detectors_modelled_on_pyod_are_recognised(problem):
    class Norm(BaseEstimator):
        def fit(self, X, y=None):
            self.decision_scores_ = self.decision_function(X)
            return self

        def decision_function(self, X):
            return (X**2).sum(axis=1)

    assert checked(wrap(Norm()), *problem) > 0.99


def test_ours_are_returned_as_they_are():
    ours = wc.IsolationForest()
    assert wrap(ours) is ours
    assert wc.wrap is wrap


def test_our_contamination_sets_the_threshold(problem):
    X, _ = problem
    theirs = IsolationForest(contamination=0.3, random_state=0)
    detector = wrap(theirs, contamination=0.1).fit(X)
    assert (detector.predict(X) == -1).sum() == 33


class Recorder(BaseEstimator):
    """Notes the `y` that it was fitted with."""

    def __init__(self, slope=1.0):
        self.slope = slope

    def fit(self, X, y=None):
        self.seen_ = y
        return self

    def score_samples(self, X):
        return -self.slope * X[:, 0]


class TestLabels:
    def test_they_are_ignored_by_default(self, problem):
        X, anomaly = problem
        detector = wrap(Recorder()).fit(X, anomaly)
        assert detector.estimator_.seen_ is None
        assert "F1" not in detector.threshold_source_
        assert detector.uses_labels is False

    def test_they_are_passed_as_0_and_1_on_request(self, problem):
        X, anomaly = problem
        y = anomaly.astype(float)
        y[:100] = np.nan
        detector = wrap(Recorder(), use_labels=True).fit(X, y)
        assert_array_equal(detector.estimator_.seen_, anomaly.astype(int))
        assert "F1" in detector.threshold_source_


class TestContract:
    def test_clone_and_nested_parameters(self):
        detector = wrap(Recorder(), contamination=0.2)
        detector.set_params(estimator__slope=3.0)
        copy = clone(detector)
        assert copy.get_params()["estimator__slope"] == 3.0
        assert copy.contamination == 0.2
        assert copy.estimator is not detector.estimator

    def test_the_given_estimator_is_not_fitted(self, problem):
        theirs = Recorder()
        wrap(theirs).fit(problem[0])
        assert not hasattr(theirs, "seen_")

    def test_an_estimator_that_cannot_be_cloned_is_copied(self, problem):
        class Stubborn(Recorder):
            def __init__(self, slope=1.0):
                self.slope = float(slope) + 1

        detector = wrap(Stubborn()).fit(problem[0])
        assert detector.estimator_.slope == 2
        assert detector.estimator_ is not detector.estimator

    def test_pictures_are_flattened(self):
        pictures = np.zeros((20, 1, 4, 4), dtype=np.uint8)
        pictures[3, 0, 0, 0] = 255
        detector = wrap(Recorder()).fit(pictures)
        assert detector.anomaly_score(pictures).argmax() == 3
        assert detector.anomaly_score(pictures).max() == 1
        assert detector.explain(pictures[3:4]).shape == (1, 4, 4)

    def test_the_odd_column_is_explained(self, problem):
        detector = wrap(EllipticEnvelope(random_state=0)).fit(problem[0][:300])
        assert detector.explain(np.array([[0.1, 0.1, 9.0]]))[0].argmax() == 2

    def test_infinite_scores_become_finite(self):
        detector = wrap(KernelDensity(kernel="tophat")).fit(np.eye(4))
        scores = detector.anomaly_score(np.vstack([np.eye(4), 9 * np.eye(4)]))
        assert np.isfinite(scores).all()
        assert scores[4:].min() > scores[:4].max()

    def test_saved_and_loaded_scores_are_equal(self, problem, tmp_path):
        X, _ = problem
        theirs = make_pipeline(StandardScaler(), IsolationForest(random_state=0))
        detector = wrap(theirs, contamination=0.1).fit(X)
        detector.save(tmp_path / "m.crow")
        loaded = wc.load(tmp_path / "m.crow")
        assert_array_equal(loaded.anomaly_score(X), detector.anomaly_score(X))
        assert_array_equal(loaded.predict(X), detector.predict(X))
        assert repr(loaded.estimator) == repr(theirs)

    def test_what_cannot_be_saved_says_so(self, problem, tmp_path):
        detector = wrap(Recorder()).fit(problem[0])
        with pytest.raises(ModelFileError, match="Recorder"):
            detector.save(tmp_path / "m.crow")
        assert not list(tmp_path.iterdir())


class TestErrors:
    def test_local_outlier_factor_that_cannot_score(self):
        with pytest.raises(
            ParameterError,
            match=r"LocalOutlierFactor cannot score new rows.*\(novelty=True\)",
        ):
            wrap(LocalOutlierFactor(novelty=False))

    def test_clustering(self):
        with pytest.raises(ParameterError, match="KMeans cannot score new rows"):
            wrap(KMeans())

    @pytest.mark.parametrize(
        "estimator",
        [
            SVC(),
            make_pipeline(StandardScaler(), LogisticRegression()),
            LinearRegression(),
        ],
    )
    def test_predictors_of_a_target(self, estimator):
        with pytest.raises(ParameterError, match="predicts a target"):
            wrap(estimator)

    def test_a_class(self):
        with pytest.raises(ParameterError, match=r"use wrap\(IsolationForest\(\)\)"):
            wrap(IsolationForest)

    def test_built_directly_it_is_checked_in_fit(self, problem):
        with pytest.raises(ParameterError, match="KMeans cannot score new rows"):
            Wrapped(KMeans()).fit(problem[0])
        with pytest.raises(ParameterError, match="'estimator' parameter"):
            Wrapped(7).fit(problem[0])

    def test_nan_scores(self, problem):
        with pytest.raises(ParameterError, match=r"Recorder gives NaN .* of 330 rows"):
            wrap(Recorder(slope=np.nan)).fit(problem[0])
