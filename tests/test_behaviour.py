"""The checks of `whitecrow.testing`, on every method and on broken detectors."""

import random
from typing import ClassVar

import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist
from sklearn import ensemble
from sklearn.utils import check_random_state

import whitecrow as wc
from whitecrow import tables
from whitecrow.detector import Detector
from whitecrow.errors import ParameterError, TrainingError, UserError
from whitecrow.supervision import unlabelled
from whitecrow.testing import check_detector, checks_for
from whitecrow.testing.checks import CHECKS

# ------------------------------------------------------------------------- our methods

# Settings with which a method trains in a fraction of a second on a few hundred rows.
CPU = {"device": "cpu"}
FAST = {
    "autoencoder": wc.AutoEncoder(hidden=(16, 2), epochs=25, lr=5e-3, **CPU),
    "dagmm": wc.DAGMM(epochs=30, batch_size=64, lr=5e-3, **CPU),
    "deep_sad": wc.DeepSAD(epochs=25, pretrain_epochs=5, lr=5e-3, **CPU),
    "deep_svdd": wc.DeepSVDD(epochs=15, pretrain_epochs=5, lr=3e-3, **CPU),
    "drocc": wc.DROCC(num_hidden_nodes=64, epochs=30, lr=5e-3, **CPU),
    "dsebm": wc.DSEBM(fc_1_out=32, fc_2_out=64, epochs=25, lr=5e-3, **CPU),
    "goad": wc.GOAD(n_transforms=16, epochs=15, lr=3e-3, **CPU),
    "duad": wc.DUAD(n_clusters=8, epochs=15, max_rounds=2, lr=5e-3, **CPU),
    "bce": wc.BCE(epochs=20, lr=5e-3, **CPU),
    "deep_sad_oe": wc.DeepSADOE(epochs=20, lr=5e-3, **CPU),
    "focal": wc.Focal(epochs=20, lr=5e-3, **CPU),
    "hsc": wc.HSC(epochs=20, lr=5e-3, **CPU),
    "isolation_forest": wc.IsolationForest(n_estimators=50, scaling="standard"),
    "exposure": wc.Exposure(wc.DeepSVDD(hidden="auto", epochs=50, lr=5e-3, **CPU)),
    "loe": wc.LOE(wc.DeepSVDD(hidden="auto", epochs=20, lr=5e-3, **CPU), ratio=0.05),
    "normals_only": wc.NormalsOnly(wc.KNN()),
    "mem_ae": wc.MemAE(epochs=25, lr=5e-3, **CPU),
    "mhrot": wc.MHRot("simple", depth=10, widen_factor=1, epochs=1, **CPU),
    "neutral_ad": wc.NeuTraLAD(epochs=15, lr=5e-3, **CPU),
    "robust_autoencoder": wc.RobustAutoEncoder((16, 2), epochs=25, lr=5e-3, **CPU),
    "soel": wc.SOEL(wc.DeepSVDD(epochs=20, pretrain=False, lr=5e-3, **CPU), ratio=0.05),
    "supervised": wc.Supervised(wc.DeepSVDD(epochs=40, pretrain=False, lr=5e-3, **CPU)),
    "som_dagmm": wc.SOMDAGMM(epochs=30, batch_size=64, lr=5e-3, **CPU),
}
# Two epochs say nothing about quality, but everything about the rest.
TINY = {"epochs": 2, "pretrain_epochs": 1, "warm_up_epochs": 1}
FAST_ON_PICTURES = {
    "exposure": wc.Exposure(wc.DeepSVDD(epochs=2, pretrain=False, **CPU)),
    "loe": wc.LOE(wc.DeepSVDD(epochs=2, pretrain=False, **CPU)),
    "mhrot": wc.MHRot("simple", depth=10, widen_factor=1, epochs=1, **CPU),
    "padim": wc.PaDiM(size=28),
    "soel": wc.SOEL(wc.DeepSVDD(epochs=2, pretrain=False, **CPU)),
    "supervised": wc.Supervised(wc.DeepSVDD(epochs=2, pretrain=False, **CPU)),
}
DIRECTION = (
    "without biases the network is homogeneous: the score of a row depends on its "
    "direction alone, and tends to a constant along a ray"
)
SKIP = {
    "neutral_ad": {"far_rows_apart": DIRECTION},
    "normals_only": {
        "labels_help": "anomalies that nobody knows remain among the training rows"
    },
    "isolation_forest": {
        "far_rows_apart": "beyond the last cut all rows are in the same leaf"
    },
}


def fast(record, settings):
    """The given settings of a method, or its defaults with few epochs."""
    if record.name in settings:
        return settings[record.name]
    detector = record.cls()
    legal = detector.get_params()
    return detector.set_params(**{k: v for k, v in TINY.items() if k in legal})


def cases():
    for record in wc.methods():
        detector = fast(record, FAST)
        skip = SKIP.get(record.name, {})
        if "picture" in detector.input_kinds:
            skip = {**skip, "pictures": "run with fewer epochs below"}
        for name, check in checks_for(detector, skip=skip):
            yield pytest.param(check, id=f"{record.name}-{name}")
        if "picture" in detector.input_kinds:
            on_pictures = dict(checks_for(fast(record, FAST_ON_PICTURES)))
            yield pytest.param(on_pictures["pictures"], id=f"{record.name}-pictures")


@pytest.mark.parametrize("check", list(cases()))
def test_method(check):
    check()


def test_a_wrapped_estimator():
    forest = ensemble.IsolationForest(n_estimators=30, random_state=0)
    theirs = "scikit-learn's trees compute in float32"
    reasons = {"far_rows": theirs, "far_rows_apart": theirs, "pictures": "takes long"}
    check_detector(wc.wrap(forest), skip=reasons)


def test_which_checks_apply_follows_from_the_detector():
    forest = ensemble.IsolationForest()
    blind, told = (
        {name for name, _ in checks_for(wc.wrap(forest, use_labels=use))}
        for use in (False, True)
    )
    assert blind - told == {"labels_are_ignored"}
    assert told - blind == {"labels_help"}
    assert "pictures" not in dict(checks_for(wc.NeuTraLAD()))
    assert set(dict(checks_for(wc.PaDiM()))) <= set(CHECKS) - {
        "far_rows",
        "labels_help",
    }


# ---------------------------------------------------------------- a sound detector ...


def kth_distance(rows, train, k=5):
    """Distance to the k-th of the nearest training rows."""
    k = min(k, len(train))
    return np.partition(cdist(rows, train), k - 1, axis=1)[:, k - 1]


class Sound(Detector):
    """The distance to the fifth neighbour among nine tenths of the training rows."""

    def __init__(self, scaling="standard", *, contamination="auto", random_state=None):
        self.scaling = scaling
        self.contamination = contamination
        self.random_state = random_state

    def _fit(self, X, codes, auxiliary):
        self.scaler_ = tables.fit_scaler(X, self.scaling)
        rows = self._rows(X)
        rng = check_random_state(self.random_state)
        kept = np.sort(rng.permutation(len(rows))[: max(1, round(0.9 * len(rows)))])
        self._learn(rows, kept, codes, auxiliary)

    def _learn(self, rows, kept, codes, auxiliary):
        self.normal_ = rows[kept]

    def _rows(self, X):
        return self.scaler_.transform(tables.as_table(X))

    def _anomaly_score(self, X):
        return kth_distance(self._rows(X), self.normal_)


class SoundWithLabels(Sound):
    """Less the distance to known anomalies and outliers, where there are any."""

    uses_labels: ClassVar[bool] = True
    uses_auxiliary: ClassVar[bool] = True
    input_kinds: ClassVar = ("table",)

    def _learn(self, rows, kept, codes, auxiliary):
        self.normal_ = rows[codes != 1]
        self.odd_ = rows[codes == 1]
        if auxiliary is not None:
            self.odd_ = np.r_[self.odd_, self._rows(auxiliary)]

    def _anomaly_score(self, X):
        rows = self._rows(X)
        score = kth_distance(rows, self.normal_)
        # Not all of it, so that far rows still have the higher scores.
        return score - 0.9 * kth_distance(rows, self.odd_) if len(self.odd_) else score


@pytest.mark.parametrize("cls", [Sound, SoundWithLabels])
def test_a_sound_detector_passes(cls):
    check_detector(cls())


def test_every_check_applies_to_one_of_the_sound_detectors():
    applied = {
        name for cls in (Sound, SoundWithLabels) for name, _ in checks_for(cls())
    }
    assert applied | {"save_and_load", "wrappers", "members"} == set(CHECKS)


# ----------------------------------------------------------------- ... and broken ones

BROKEN = {}


def breaks(*checks):
    """Put a class on the list, with the checks that must find it out."""

    def register(cls):
        for check in checks:
            BROKEN[f"{check}-{cls.__name__}"] = (check, cls)
        return cls

    return register


@breaks("planted_anomalies", "planted_anomalies_far_from_the_origin")
class SignFlipped(Sound):
    def _anomaly_score(self, X):
        return -super()._anomaly_score(X)


@breaks("planted_anomalies_far_from_the_origin")
class DistanceFromOrigin(Sound):
    """Finds anomalies where the data happen to be around 0."""

    def _anomaly_score(self, X):
        return np.linalg.norm(tables.as_table(X), axis=1)


@breaks("planted_anomalies")
class PushesEverythingDown(Sound):
    """PyOD's DevNet: normal rows far from the origin hide that it learns nothing."""

    def _anomaly_score(self, X):
        return -np.linalg.norm(tables.as_table(X), axis=1)


@breaks("labels_help")
class BlindToLabels(SoundWithLabels):
    def _fit(self, X, codes, auxiliary):
        super()._fit(X, np.full_like(codes, -1), auxiliary)


@breaks("labels_help")
class AnyLabelsDo(SoundWithLabels):
    """Labels switch to another model, whichever rows they are of."""

    def _fit(self, X, codes, auxiliary):
        super()._fit(X, codes, auxiliary)
        self.known_ = bool((codes == 1).any())

    def _anomaly_score(self, X):
        if not self.known_ or X.shape[1] != 8:
            return super()._anomaly_score(X)
        return -np.linalg.norm(X - np.repeat([1.5, 0.0], [3, 5]), axis=1)


@breaks("labels_help")
class SwapsLabels(SoundWithLabels):
    def _fit(self, X, codes, auxiliary):
        super()._fit(X, np.where(codes >= 0, 1 - codes, codes), auxiliary)


@breaks("labels_are_ignored")
class PeeksAtLabels(Sound):
    def fit(self, X, y=None):
        return super().fit(X if y is None else np.asarray(X)[np.asarray(y) == 0])


@breaks("labels_are_ignored")
class ThresholdFromLabels(Sound):
    def fit(self, X, y=None):
        super().fit(X)
        self.offset_ += 0.0 if y is None else 1.0
        return self


@breaks("auxiliary_outliers_help")
class BlindToOutliers(SoundWithLabels):
    def _fit(self, X, codes, auxiliary):
        super()._fit(X, codes, None)


@breaks("auxiliary_outliers_help")
class ForgetsOutliers(SoundWithLabels):
    def refit(self, X):
        return self.fit(X)


@breaks("auxiliary_outliers_help")
class RefusesForNoReason(SoundWithLabels):
    def refit(self, X):
        raise ParameterError("not today")


@breaks("deterministic")
class Forgetful(Sound):
    def _fit(self, X, codes, auxiliary):
        kept, self.random_state = self.random_state, None
        super()._fit(X, codes, auxiliary)
        self.random_state = kept


@breaks("deterministic")
class NoisyScores(Sound):
    def _anomaly_score(self, X):
        noise = np.random.default_rng().normal(size=len(X))
        return super()._anomaly_score(X) + 1e-9 * noise


@breaks("memory_layout")
class TurnsItsRows(Sound):
    def _anomaly_score(self, X):
        self.normal_ = np.asfortranarray(self.normal_)
        return super()._anomaly_score(X)


@breaks("seeds_differ")
class OneSeedForAll(Sound):
    def _fit(self, X, codes, auxiliary):
        kept, self.random_state = self.random_state, self.random_state and 0
        super()._fit(X, codes, auxiliary)
        self.random_state = kept


@breaks("global_random_state")
class SeedsNumpy(Sound):
    def _fit(self, X, codes, auxiliary):
        np.random.seed(self.random_state)
        super()._fit(X, codes, auxiliary)


@breaks("global_random_state")
class SeedsTorch(Sound):
    def _fit(self, X, codes, auxiliary):
        torch.manual_seed(self.random_state)
        super()._fit(X, codes, auxiliary)


@breaks("global_random_state")
class DrawsWhenScoring(Sound):
    def _anomaly_score(self, X):
        np.random.random()
        return super()._anomaly_score(X)


@breaks("global_random_state")
class DependsOnPythonsGenerator(Sound):
    def _anomaly_score(self, X):
        return super()._anomaly_score(X) * (1 + random.random())


@breaks("global_random_state")
class ReadsGlobalState(Sound):
    def _anomaly_score(self, X):
        state = np.random.get_state()[1][0]
        return super()._anomaly_score(X) * (1 + state % 7)


@breaks("wrappers")
class IgnoresRules(wc.AutoEncoder):
    """As DUAD did."""

    def _train(self, run, stage):
        super()._train(run, stage._replace(rule=unlabelled))


@breaks("members")
class LearnsFromItsCompany(wc.AutoEncoder):
    """The more networks there are, the larger are the first weights of each."""

    def _begin(self, run):
        for parameter in run.net.parameters():
            parameter.data.mul_(len(run.seeds))


@breaks("refit_without_outliers")
class ForgetsThatThereWereOutliers(wc.HSC):
    def _scaled_set(self, X, codes, auxiliary):
        made = super()._scaled_set(X, codes, auxiliary)
        self.auxiliary_given_ = False
        return made


@breaks("wrappers")
class CannotGoOn(wc.AutoEncoder):
    """As SOM-DAGMM could not: its rows have columns that a further training lacked."""

    def _begin(self, run):
        run.prepared = run.fresh

    def _train(self, run, stage):
        assert run.prepared
        super()._train(run, stage)


@breaks("scores")
class Saturated(Sound):
    """A sigmoid in float32 ties the clearest anomalies."""

    def _anomaly_score(self, X):
        score = super()._anomaly_score(X).astype(np.float32)
        return 1 / (1 + np.exp(-40 * score - 20))


@breaks("scores")
class Column(Sound):
    def _anomaly_score(self, X):
        return super()._anomaly_score(X)[:, None]


@breaks("scores")
class OppositeVerdict(Sound):
    def predict(self, X):
        return -super().predict(X)


@breaks("scores")
class OppositeSamples(Sound):
    def score_samples(self, X):
        return self.anomaly_score(X)


@breaks("scores")
class NotCentred(Sound):
    def decision_function(self, X):
        return self.score_samples(X)


@breaks("contamination")
class DeafToContamination(Sound):
    def _set_threshold(self, X, codes, scores=None):
        self.offset_, self.threshold_source_ = -1.0, "nowhere"


@breaks("contamination")
class CountsTheOtherSide(Sound):
    def _set_threshold(self, X, codes, scores=None):
        kept = self.contamination
        self.contamination = "auto" if kept == "auto" else max(0.5 - kept, 0.01)
        super()._set_threshold(X, codes, scores)
        self.contamination = kept


@breaks("batches")
class NormalisesWithinTheBatch(Sound):
    def _anomaly_score(self, X):
        score = super()._anomaly_score(X)
        return score - score.mean()


@breaks("row_order")
class KnowsThePlace(Sound):
    def _anomaly_score(self, X):
        return super()._anomaly_score(X) + 1e-4 * np.arange(len(X))


@breaks("far_rows")
class Overflows(Sound):
    def _anomaly_score(self, X):
        with np.errstate(over="ignore", invalid="ignore"):
            return super()._anomaly_score(X) ** 4


@breaks("far_rows")
class NormalFarAway(Sound):
    """A kernel that underflows to its value for usual rows."""

    def _anomaly_score(self, X):
        score = super()._anomaly_score(X)
        return score * np.exp(-np.minimum(score, 700) / 20)


@breaks("far_rows_apart")
class TiesFarAway(Sound):
    def _anomaly_score(self, X):
        return -np.exp(-super()._anomaly_score(X))


@breaks("parameters")
class ChangesItsParameters(Sound):
    def _fit(self, X, codes, auxiliary):
        super()._fit(X, codes, auxiliary)
        self.scaling = "none"


@breaks("parameters")
class ReturnsNothing(Sound):
    def fit(self, X, y=None):
        super().fit(X, y)


@breaks("parameters")
class ScoresUnfitted(Sound):
    def anomaly_score(self, X):
        return super().anomaly_score(X) if hasattr(self, "normal_") else X[:, 0]


@breaks("data_untouched")
class WritesIntoTheRows(Sound):
    def _anomaly_score(self, X):
        score = super()._anomaly_score(X)
        X -= X.mean(axis=0)
        return score


@breaks("pickle")
class LosesItsState(Sound):
    def __getstate__(self):
        state = super().__getstate__()
        return {**state, "normal_": state["normal_"][:10]}


@breaks("save_and_load")
class IsolationForest(wc.IsolationForest):
    """Keeps something under a name that is not saved."""

    def _fit(self, X, codes, auxiliary):
        super()._fit(X, codes, auxiliary)
        self.weight = 2.0

    def _anomaly_score(self, X):
        return super()._anomaly_score(X) * getattr(self, "weight", 1.0)


@breaks("one_column")
class NeedsTwoColumns(Sound):
    def _anomaly_score(self, X):
        with np.errstate(invalid="ignore", divide="ignore"):
            return super()._anomaly_score(X) / np.float64(X.shape[1] - 1)


@breaks("three_rows")
class NeedsFiveRows(Sound):
    def _anomaly_score(self, X):
        return np.partition(cdist(self._rows(X), self.normal_), 4, axis=1)[:, 4]


@breaks("containers")
class RoundsFloat32(Sound):
    def _anomaly_score(self, X):
        score = super()._anomaly_score(X)
        return np.rint(score) if X.dtype == np.float32 else score


@breaks("constant_columns")
class DividesByZero(Sound):
    def _rows(self, X):
        with np.errstate(invalid="ignore", divide="ignore"):
            return super()._rows(X) / np.sqrt(self.scaler_.scale != 1)


@breaks("equal_rows")
class DividesByDistance(Sound):
    def _anomaly_score(self, X):
        with np.errstate(divide="ignore"):
            return np.log(super()._anomaly_score(X))


@breaks("units")
class OnlyClaimsToScale(Sound):
    def _rows(self, X):
        return np.clip(tables.as_table(X), -1e100, 1e100).astype(float)


@breaks("explanations_have_a_shape")
class ExplainsRows(Sound):
    def explain(self, X):
        return super().explain(X).sum(axis=1)


@breaks("explanations_have_a_shape")
class ExplainsWithNaN(Sound):
    def explain(self, X):
        return super().explain(X) * np.nan


@breaks("explanations")
class ExplainsBackwards(Sound):
    def explain(self, X):
        return -super().explain(X)


@breaks("bad_input")
class TakesNaN(Sound):
    def _check_rows(self, X, *, reset):
        return super()._check_rows(np.nan_to_num(np.asarray(X)), reset=reset)


@breaks("bad_input")
class Chatty(Sound):
    def _check_rows(self, X, *, reset):
        try:
            return super()._check_rows(X, reset=reset)
        except UserError as error:
            # around the class of the error, which would make one line of it
            error.args = (f"{error}\nSee the manual.",)
            raise


@breaks("bad_input")
class PlainErrors(Sound):
    def _check_rows(self, X, *, reset):
        try:
            return super()._check_rows(X, reset=reset)
        except UserError as error:
            raise ValueError(str(error)) from None


@breaks("pictures")
class BytesAreNotFractions(Sound):
    def _rows(self, X):
        return X.reshape(len(X), -1).astype(float)


@breaks("pictures")
class FlatHeat(Sound):
    def explain(self, X):
        return super().explain(X).reshape(len(X), -1)


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_detector_is_found_out(name):
    check, cls = BROKEN[name]
    with pytest.raises((AssertionError, ParameterError, TrainingError, ValueError)):
        dict(checks_for(cls()))[check]()


def test_every_check_finds_somebody_out():
    assert {check for check, _ in BROKEN.values()} == set(CHECKS)


# -------------------------------------------------------------------- how they are run


def test_all_failures_are_reported_together():
    with pytest.raises(AssertionError, match="SignFlipped fails") as caught:
        check_detector(SignFlipped())
    report = str(caught.value)
    assert (
        "planted_anomalies: planted anomalies in centred data have AUROC 0.0" in report
    )
    assert "\n\nfar_rows: " in report


def test_an_error_within_a_check_is_a_failure():
    with pytest.raises(AssertionError, match="three_rows: ValueError: kth"):
        check_detector(NeedsFiveRows())


def test_skipped_checks_have_to_exist():
    names = [name for name, _ in checks_for(Sound(), skip={"pictures": "reason"})]
    assert "pictures" not in names
    assert "batches" in names
    with pytest.raises(ParameterError, match="skip names labels_help"):
        list(checks_for(Sound(), skip={"labels_help": "it uses none"}))


def test_the_detector_given_stays_as_it_is():
    given = Sound()
    check_detector(given, skip={"pictures": "slow"})
    assert vars(given) == vars(Sound())


# ------------------------------------------------------------------------- huge cells

HUGE = ["consensus", "gmm", "isolation_forest", "kde", "knn", "lof", "ocsvm", "pca"]


@pytest.mark.parametrize("cell", [1e30, 1e200, 1.7e308, -1.7e308])
@pytest.mark.parametrize("name", HUGE)
def test_a_huge_cell_ranks_first(name, cell):
    """It was refused from 1e155 on: the column spans more than float64 can hold."""
    rows = np.random.default_rng(0).normal(size=(300, 5))
    rows[7, 2] = cell
    detector = {record.name: record.cls for record in wc.methods()}[name]()
    if "random_state" in detector.get_params():
        detector.set_params(random_state=0)
    scores = detector.fit_score(rows)
    assert np.isfinite(scores).all()
    assert (scores < scores[7]).sum() == 299
    assert detector.explain(rows[7:8]).argmax() == 2
