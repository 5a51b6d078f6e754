import copy

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.metrics import roc_auc_score

import whitecrow as wc
from runs import polluted
from whitecrow import HSC, KDE, LOE, AutoEncoder, DeepSAD, DeepSVDD, NeuTraLAD
from whitecrow.deep import DeepDetector, train
from whitecrow.errors import DataError, LabelError, ParameterError
from whitecrow.wrappers.under_rule import by_default

SHORT = {"epochs": 5, "device": "cpu"}


X, Y = polluted(0)
TEST, TRUTH = polluted(1)


def stages_of(detector):
    heard = []
    with train.on_log(lambda epoch, record: heard.append(record["stage"])):
        detector.fit(X)
    return heard


@pytest.mark.parametrize(
    ("variant", "warm", "stages"),
    [
        ("soft", 2, ["warm-up"] * 2 + ["soft"] * 3),
        ("hard", 0, ["hard"] * 5),
        ("refine", 9, ["warm-up"] * 5),
    ],
)
def test_warm_up_is_part_of_the_epochs(variant, warm, stages):
    assert stages_of(LOE(NeuTraLAD(**SHORT), variant=variant, warm_up_epochs=warm)) == (
        stages
    )


@pytest.mark.parametrize("variant", ["soft", "refine"])
def test_guessed_labels_withstand_pollution(variant):
    inner = DeepSAD(
        epochs=40, pretrain=False, epsilon=1.0, device="cpu", random_state=0
    )
    detectors = inner, LOE(inner, ratio=0.15, variant=variant)
    blind, loe = (
        roc_auc_score(TRUTH, one.fit(X).anomaly_score(TEST)) for one in detectors
    )
    assert loe > blind + 0.01


@pytest.mark.parametrize("method", [NeuTraLAD, HSC])
def test_without_anomalies_assumed_it_is_the_method_itself(method):
    inner = method(random_state=0, **SHORT)
    plain = inner.fit(X).anomaly_score(TEST)
    loe = LOE(inner, ratio=0.0, warm_up_epochs=5).fit(X)
    assert_array_equal(loe.anomaly_score(TEST), plain)


def test_generated_outliers_are_no_rows_to_guess_about(monkeypatch):
    """They were labels before: normal in the warm-up, known anomalies after it."""
    heard, rules = [], {}

    def spy(rule):
        def listening(**batch):
            heard.append((rule, batch["y"], batch["outliers"]))
            return rule(**batch)

        return rules.setdefault(rule, listening)

    fit_stages = DeepDetector._fit_stages
    monkeypatch.setattr(
        DeepDetector,
        "_fit_stages",
        lambda self, X, codes, auxiliary, stages: fit_stages(
            self, X, codes, auxiliary, [s._replace(rule=spy(s.rule)) for s in stages]
        ),
    )
    LOE(HSC(**SHORT), ratio=0.1, random_state=0).fit(X)
    assert len({rule for rule, _, _ in heard}) == 2
    for _, y, outliers in heard:
        assert (y == -1).all()
        assert outliers.sum() == len(y) / 2


def test_known_labels_are_used():
    inner = DeepSAD(epochs=30, pretrain=False, device="cpu", random_state=0)
    y = np.where(np.arange(400) % 2, Y, np.nan)
    blind, told = (LOE(inner, ratio=0.01).fit(X, labels) for labels in (None, y))
    scores = [roc_auc_score(TRUTH, d.anomaly_score(TEST)) for d in (blind, told)]
    assert scores[1] > scores[0] + 0.02
    assert "F1" in told.threshold_source_


@pytest.mark.parametrize("method", [NeuTraLAD, DeepSVDD, DeepSAD, HSC])
@pytest.mark.parametrize("variant", ["soft", "hard", "refine"])
def test_every_method_with_a_pair(method, variant):
    inner = method(epochs=2, device="cpu")
    if "pretrain" in inner.get_params():
        inner.set_params(pretrain=False)
    loe = LOE(inner, variant=variant, random_state=0).fit(X)
    assert np.isfinite(loe.anomaly_score(X)).all()
    assert type(loe.detector_) is method


def test_methods_without_a_pair_can_only_refine():
    inner = AutoEncoder(**SHORT)
    assert LOE(inner, variant="refine").fit(X).detector_.loss_curve_.shape == (5,)
    for variant in ("soft", "hard"):
        with pytest.raises(ParameterError, match="use variant='refine' or") as caught:
            LOE(inner, variant=variant).fit(X)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("inner", [KDE(), LOE(NeuTraLAD())])
def test_only_deep_methods_can_be_trained(inner):
    with pytest.raises(
        ParameterError, match=f"not {type(inner).__name__}; use NeuTraL"
    ):
        LOE(inner).fit(X)


def test_the_detector_given_stays_as_it_is():
    inner = NeuTraLAD(**SHORT)
    loe = LOE(inner, random_state=3).fit(X)
    assert not hasattr(inner, "net_")
    assert inner.random_state is None
    assert loe.detector_ is not inner
    assert loe.detector_.random_state == 3
    kept = LOE(NeuTraLAD(random_state=8, **SHORT), random_state=3).fit(X)
    assert kept.detector_.random_state == 8


def test_parameters_within_are_reached_from_outside():
    loe = LOE(NeuTraLAD()).set_params(detector__epochs=1, ratio=0.3)
    assert len(loe.fit(X).detector_.loss_curve_) == 1


def test_parts_of_the_method_are_complete():
    """What the method itself keeps after a fit, it keeps inside too."""
    inner = DeepSVDD(pretrain=False, random_state=0, **SHORT)
    alone = {key for key in vars(inner.fit(X)) if key.endswith("_")}
    inside = {key for key in vars(LOE(inner).fit(X).detector_) if key.endswith("_")}
    assert alone == inside


def test_defaults_by_the_kind_of_rows():
    assert type(by_default(X)[0]) is NeuTraLAD
    assert type(by_default(np.zeros((2, 1, 8, 8)))[0]) is DeepSVDD
    with pytest.raises(DataError, match="NeuTraLAD takes table input"):
        LOE(NeuTraLAD()).fit(np.zeros((9, 1, 8, 8)))


@pytest.mark.parametrize(
    "parameters", [{"ratio": 1.0}, {"ratio": -0.1}, {"variant": "both"}]
)
def test_illegal_parameters(parameters):
    with pytest.raises(ParameterError, match=next(iter(parameters))):
        LOE(**parameters).fit(X)


@pytest.mark.filterwarnings("ignore:.*labels are not reversed")
def test_nothing_to_learn_from():
    with pytest.raises(LabelError, match="all rows are labelled as anomalies"):
        LOE().fit(X, np.ones(400))


def test_the_ratio_matters():
    few, many = (
        LOE(NeuTraLAD(random_state=0, **SHORT), ratio=ratio, warm_up_epochs=1).fit(X)
        for ratio in (0.05, 0.4)
    )
    assert not np.allclose(few.anomaly_score(X), many.anomaly_score(X))


def test_several_methods_say_together_what_is_odd(tmp_path):
    both = [NeuTraLAD(**SHORT), DeepSVDD(pretrain=False, **SHORT)]
    model = LOE(both, random_state=0).fit(X)
    alone = [LOE(one, random_state=0).fit(X) for one in both]
    scores = np.stack([one.anomaly_score(X) for one in alone])
    low, median, high = np.quantile(scores, [0.25, 0.5, 0.75], axis=1)
    expected = np.arcsinh((scores - median[:, None]) / (high - low)[:, None]).mean(0)
    np.testing.assert_allclose(model.anomaly_score(X), expected, rtol=1e-12)
    assert model.explanation == "occlusion"
    model.save(tmp_path / "m.crow")
    assert_array_equal(wc.load(tmp_path / "m.crow").anomaly_score(X), expected)


def test_a_file_with_one_method_is_read(tmp_path):
    """Files of before several methods have `detector_`, and no units."""
    model = LOE(NeuTraLAD(**SHORT), random_state=0).fit(X)
    old = copy.copy(model)
    del old.detectors_, old.units_
    vars(old)["detector_"] = model.detector_
    old.save(tmp_path / "old.crow")
    again = wc.load(tmp_path / "old.crow")
    assert_array_equal(again.anomaly_score(TEST), model.anomaly_score(TEST))
    assert_array_equal(again.embed(TEST), model.embed(TEST))
