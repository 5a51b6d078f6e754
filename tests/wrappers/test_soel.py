import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.metrics import roc_auc_score

import whitecrow as wc
from runs import polluted, run_of
from whitecrow import (
    HSC,
    KDE,
    LOE,
    SOEL,
    AutoEncoder,
    DeepSAD,
    DeepSVDD,
    NeuTraLAD,
    RobustAutoEncoder,
    ratio,
)
from whitecrow.deep import train
from whitecrow.deep.run import TrainingSet
from whitecrow.errors import DataError, LabelError, ParameterError
from whitecrow.wrappers import soel as soel_file
from whitecrow.wrappers import under_rule
from whitecrow.wrappers.soel import METHODS, Alternating, Joint, LabelledOnly

SHORT = {"epochs": 5, "device": "cpu"}


X, Y = polluted(0)
TEST, TRUTH = polluted(1)
FEW = np.where(np.arange(400) % 20 == 0, Y, np.nan)
MANY = np.where(np.arange(400) % 2, Y, np.nan)


# ------------------------------------------------------------------------ batches


def members(n, known, n_members=1, batch_size=4):
    y = torch.full((n,), -1, dtype=torch.int8)
    y[list(known)] = 1
    one = TrainingSet(torch.zeros(n, 2), y)
    return run_of([one] * n_members, range(n_members), batch_size)


def test_joint_batches_have_all_labelled_rows_in_front():
    batches = [b.tolist() for b in Joint(members(11, [0, 5, 9]), 0)]
    assert [batch[:3] for batch in batches] == [[0, 5, 9]] * 2
    rest = batches[0][3:] + batches[1][3:]
    assert sorted(rest) == [1, 2, 3, 4, 6, 7, 8, 10]


def test_more_labelled_rows_than_a_batch_are_sampled():
    steps = iter(Joint(members(30, range(20), batch_size=4), 0))
    first, second = (set(next(steps).tolist()[:4]) for _ in range(2))
    assert first | second <= set(range(20))
    assert first != second


def test_alternating_batches():
    data = members(10, [2, 3])
    batches = [b.tolist() for b in Alternating(data, 0)]
    assert batches[::2] == [[2, 3]] * 2
    assert sorted(batches[1] + batches[3]) == [0, 1, 4, 5, 6, 7, 8, 9]


def test_labelled_rows_only_as_often_as_an_epoch_has_batches():
    assert [b.tolist() for b in LabelledOnly(members(10, [2, 3]), 0)] == [[2, 3]] * 3


@pytest.mark.parametrize("known", [[], range(9)])
@pytest.mark.parametrize("kind", [Joint, Alternating])
def test_all_or_no_rows_labelled(kind, known):
    rows = torch.cat(list(kind(members(9, known, batch_size=3), 0)))
    assert sorted(rows.tolist()) == list(range(9))


def test_one_unlabelled_row_is_never_a_batch():
    """It reached batch normalisation by itself, and left NaN there."""
    (together,) = Alternating(members(9, range(8), batch_size=4), 0)
    assert sorted(together.tolist()) == list(range(9))
    for kind in (Joint, Alternating):
        sizes = [len(batch) for batch in kind(members(9, range(4), batch_size=4), 0)]
        # Beside the labelled rows the last of five may stand alone, but not by itself.
        assert sizes == ([8, 5] if kind is Joint else [4, 4])


@pytest.mark.parametrize("update", ["joint", "alternate"])
def test_one_row_without_a_label(update):
    y = np.where(np.arange(30) == 29, np.nan, np.arange(30) < 5)
    model = SOEL(DeepSVDD(pretrain=False, **SHORT), update=update, random_state=0)
    assert np.isfinite(model.fit(X[:30], y).anomaly_score(X)).all()


@pytest.mark.parametrize("kind", [Joint, Alternating, LabelledOnly])
def test_batches_of_members(kind):
    for batch in kind(members(9, [0, 4], n_members=3), 0):
        assert batch.shape[0] == 3
        known = batch[:, :2].tolist()
        assert known[0] == known[1] == known[2] or kind is Alternating


# ----------------------------------------------------------------------- learning


def sad(**parameters):
    return DeepSAD(
        pretrain=False, epsilon=1.0, device="cpu", random_state=0, **parameters
    )


def quality(detector, y=None):
    return roc_auc_score(TRUTH, detector.fit(X, y).anomaly_score(TEST))


@pytest.mark.parametrize("update", ["joint", "alternate"])
@pytest.mark.parametrize("method", ["loe", "hard", "oc", "sup"])
def test_labels_help(method, update):
    inner = sad(epochs=40)
    model = SOEL(inner, method=method, ratio=0.1, update=update)
    assert quality(model, MANY) > quality(inner) + 0.01


def test_generated_outliers_stay_outliers():
    """They were normal rows in the warm-up, and gone after it."""
    inner = HSC(epochs=30, device="cpu", random_state=0)
    alone = quality(inner)
    blind = SOEL(inner, method="blind", warm_up_epochs=15)
    assert quality(blind) == pytest.approx(alone, abs=0.03)


def test_blind_does_not_see_labels_in_its_threshold_either():
    """It said "best F1 on 15 labelled anomalies"."""
    models = [
        SOEL(NeuTraLAD(**SHORT), method="blind", random_state=0).fit(X, y)
        for y in (MANY, None)
    ]
    assert models[0].threshold_ == models[1].threshold_
    assert models[0].threshold_source_ == models[1].threshold_source_


def test_few_labels_weigh_as_much_as_many_rows():
    told = quality(SOEL(sad(epochs=40), ratio=0.1), FEW)
    blind = quality(SOEL(sad(epochs=40), method="blind"), FEW)
    assert told > blind


BLIND = [NeuTraLAD, DeepSVDD, HSC, wc.DAGMM, wc.SOMDAGMM, wc.GOAD, wc.DSEBM]


@pytest.mark.parametrize("method", BLIND)
def test_blind_is_the_method_itself(method):
    inner = method(random_state=0, **SHORT)
    plain = inner.fit(X).anomaly_score(TEST)
    blind = SOEL(inner, method="blind", warm_up_epochs=5).fit(X, FEW)
    assert_array_equal(blind.anomaly_score(TEST), plain)


@pytest.mark.parametrize("inner", [NeuTraLAD, DeepSVDD, DeepSAD, HSC, wc.DROCC])
@pytest.mark.parametrize("method", METHODS)
def test_every_method_with_a_pair(inner, method):
    detector = inner(epochs=2, device="cpu")
    if "pretrain" in detector.get_params():
        detector.set_params(pretrain=False)
    model = SOEL(detector, method=method, random_state=0).fit(X, FEW)
    assert np.isfinite(model.anomaly_score(X)).all()
    assert len(model.detectors_[0].loss_curve_) == 2


@pytest.mark.parametrize("method", ["loe", "sup"])
def test_all_rows_labelled(method):
    model = SOEL(NeuTraLAD(**SHORT), method=method, random_state=0).fit(X, Y)
    assert np.isfinite(model.anomaly_score(X)).all()


def test_members():
    model = SOEL(NeuTraLAD(n_members=2, **SHORT), random_state=0).fit(X, FEW)
    assert model.detectors_[0].loss_curve_.shape == (5, 2)
    assert (model.detectors_[0].member_scale_ > 0).all()
    assert model.embed(X[:3]).shape == (3, 2 * 12 * 12)


def test_the_stages():
    heard = []
    with train.on_log(lambda epoch, record: heard.append(record["stage"])):
        SOEL(NeuTraLAD(**SHORT), warm_up_epochs=2).fit(X, FEW)
    assert heard == ["warm-up"] * 2 + ["loe"] * 3


def test_the_same_seed_gives_the_same_scores():
    one, two = (SOEL(NeuTraLAD(**SHORT), random_state=5).fit(X, FEW) for _ in range(2))
    assert_array_equal(one.anomaly_score(TEST), two.anomaly_score(TEST))


@pytest.mark.parametrize("n_members", [1, 2])
def test_places_on_maps_are_there_in_every_stage(n_members):
    """The second stage had no places: a traceback about shapes of matrices."""
    inner = wc.SOMDAGMM(n_soms=2, n_members=n_members, batch_size=150, **SHORT)
    model = SOEL(inner, method="blind", random_state=0).fit(X, FEW)
    alone = inner.set_params(random_state=0).fit(X)
    maps = [m.net_.state_dict()["maps.weight"] for m in (alone, model.detectors_[0])]
    assert_array_equal(*maps)
    assert np.isfinite(model.anomaly_score(TEST)).all()


@pytest.mark.parametrize("inner", [wc.ALAD(**SHORT), wc.DUAD(**SHORT)])
@pytest.mark.parametrize(
    "wrapped", [lambda m: LOE(m, variant="refine"), lambda m: SOEL(m, method="blind")]
)
def test_methods_with_a_training_of_their_own_are_refused(inner, wrapped):
    """DUAD was trained as if there were no rule."""
    with pytest.raises(ParameterError, match="has a training of its own") as caught:
        wrapped(inner).fit(X)
    assert "\n" not in str(caught.value)


# ------------------------------------------------------------------- ratio, labels


def warmed_up(epochs):
    return NeuTraLAD(random_state=3, epochs=epochs, device="cpu").fit(X)


def test_the_ratio_is_estimated_after_the_warm_up():
    """Nearest labels count for 20 answers, beside ten rows with one anomaly."""
    inner = NeuTraLAD(random_state=3, **SHORT)
    model = SOEL(inner, warm_up_epochs=2).fit(X, FEW)
    queried = np.flatnonzero(np.isfinite(FEW))
    known = ratio.nearest(
        embeddings=warmed_up(2).embed(X), queried=queried, y=FEW[queried]
    )
    assert known > 0
    rest = ratio.among_unlabelled((1 + 20 * known) / 30, n=400, y=FEW[queried])
    assert model.ratio_ == pytest.approx(rest, rel=1e-6)


def test_the_published_ratio():
    inner = NeuTraLAD(random_state=3, **SHORT)
    model = SOEL(inner, ratio="iw_kde", warm_up_epochs=2).fit(X, FEW)
    queried = np.flatnonzero(np.isfinite(FEW))
    scores = warmed_up(2).anomaly_score(X)
    share = ratio.iw_kde(scores=scores, queried=queried, y=FEW[queried])
    rest = ratio.among_unlabelled(share, n=400, y=FEW[queried])
    assert model.ratio_ == pytest.approx(rest, rel=1e-6)


def test_a_ratio_is_never_more_than_half():
    y = np.full(400, np.nan)
    y[:8], y[399] = 1, 0
    assert SOEL(NeuTraLAD(**SHORT), random_state=0).fit(X, y).ratio_ <= 0.5


def test_a_given_ratio_and_none_to_estimate():
    assert SOEL(NeuTraLAD(**SHORT), ratio=0.3).fit(X, FEW).ratio_ == 0.3
    assert SOEL(NeuTraLAD(**SHORT)).fit(X).ratio_ == 0.1


def test_certainty_is_a_probability():
    """Labels of which nothing is known speak for both sides."""
    settings = {"ratio": 0.1, "smoothing": 0.0, "random_state": 0}
    scores = {
        sure: SOEL(NeuTraLAD(**SHORT), **settings)
        .fit(X, FEW, certainty=None if sure is None else np.full(400, sure))
        .anomaly_score(TEST)
        for sure in (None, 1.0, 0.9, 0.5)
    }
    assert_allclose(scores[1.0], scores[None], rtol=1e-5)
    assert not np.allclose(scores[0.9], scores[None], rtol=1e-3)
    swapped = SOEL(NeuTraLAD(**SHORT), **settings)
    swapped.fit(X, 1 - FEW, certainty=np.full(400, 0.5))
    assert_allclose(swapped.anomaly_score(TEST), scores[0.5], rtol=1e-5)


def test_smoothing_is_certainty():
    smooth = SOEL(NeuTraLAD(**SHORT), ratio=0.1, smoothing=0.1, random_state=0)
    sure = SOEL(NeuTraLAD(**SHORT), ratio=0.1, smoothing=0.0, random_state=0)
    assert_allclose(
        smooth.fit(X, FEW).anomaly_score(TEST),
        sure.fit(X, FEW, certainty=np.full(400, 0.9)).anomaly_score(TEST),
        rtol=1e-4,
    )


@pytest.mark.parametrize(
    ("certainty", "message"),
    [(np.full(400, 0.3), "certainty 0.3 in row 0"), (np.ones(3), r"shape \(3,\)")],
)
def test_illegal_certainty(certainty, message):
    with pytest.raises(LabelError, match=message):
        SOEL(NeuTraLAD(**SHORT)).fit(X, FEW, certainty=certainty)


def test_certainty_is_not_looked_at_without_a_label():
    certainty = np.where(np.isfinite(FEW), 0.8, np.nan)
    SOEL(NeuTraLAD(**SHORT)).fit(X, FEW, certainty=certainty)


# -------------------------------------------------------------------- what is given


def test_methods_without_a_pair_can_only_be_blind():
    inner = AutoEncoder(**SHORT)
    assert SOEL(inner, method="blind").fit(X, FEW).detectors_[0].loss_curve_.shape == (
        5,
    )
    with pytest.raises(ParameterError, match="use method='blind' or NeuTraLAD"):
        SOEL(inner).fit(X, FEW)


@pytest.mark.parametrize("inner", [KDE(), LOE(NeuTraLAD())])
def test_only_deep_methods_can_be_trained(inner):
    with pytest.raises(ParameterError, match="SOEL trains deep methods"):
        SOEL(inner).fit(X)


def test_labelled_rows_only_need_labels():
    with pytest.raises(LabelError, match="method='sup' learns from labelled rows"):
        SOEL(method="sup").fit(X)


@pytest.mark.parametrize("given", [{"update": "alternate"}, {"method": "sup"}])
def test_one_label_is_no_batch(given):
    y = np.full(400, np.nan)
    y[0] = 1
    with pytest.raises(DataError, match="one label is a batch of one row"):
        SOEL(NeuTraLAD(**SHORT), **given).fit(X, y)
    SOEL(NeuTraLAD(trans_batch_norm=True, **SHORT)).fit(X, y)


def test_the_detector_given_stays_as_it_is():
    inner = NeuTraLAD(**SHORT)
    model = SOEL(inner, random_state=3).fit(X, FEW)
    assert not hasattr(inner, "net_")
    assert (inner.random_state, model.detectors_[0].random_state) == (None, 3)


def test_defaults_by_the_kind_of_rows():
    views, sphere = soel_file._default(X)
    assert isinstance(views, NeuTraLAD)
    assert (views.batch_size, views.trans_hidden) == (80, "columns")
    assert isinstance(sphere, HSC)
    assert soel_file._default(np.zeros((9, 65)))[0].trans_hidden == 64
    (picture,) = soel_file._default(np.zeros((2, 1, 8, 8)))
    assert type(picture) is DeepSVDD


def test_codes_are_those_of_the_method():
    model = SOEL(NeuTraLAD(**SHORT), random_state=0).fit(X, FEW)
    assert_array_equal(model.embed(X), model.detectors_[0].embed(X))


# -------------------------------------------------------------------- several methods


def several(**parameters):
    return SOEL(
        [NeuTraLAD(**SHORT), DeepSVDD(pretrain=False, **SHORT)],
        ratio=0.1,
        random_state=0,
        **parameters,
    )


def test_each_of_several_methods_learns_by_itself():
    together = several().fit(X, FEW)
    for inner, trained in zip(together.detector, together.detectors_, strict=True):
        alone = SOEL(inner, ratio=0.1, random_state=0).fit(X, FEW)
        assert_array_equal(alone.anomaly_score(TEST), trained.anomaly_score(TEST))


def test_the_score_of_several_methods():
    model = several().fit(X, FEW)
    expected = np.zeros(len(TEST))
    for inner in model.detectors_:
        low, median, high = np.percentile(inner.anomaly_score(X), [25, 50, 75])
        scores = inner.anomaly_score(TEST)
        expected += np.arcsinh((scores - median) / (high - low)) / 2
    assert_allclose(model.anomaly_score(TEST), expected)


def test_codes_of_several_methods_have_one_size():
    model = several().fit(X, FEW)
    codes = model.embed(X).astype(float)
    parts = np.split(codes, [model.detectors_[0].embed(X).shape[1]], axis=1)
    assert_allclose([part.var(axis=0).sum() for part in parts], 1, rtol=1e-4)


def test_several_methods_explain_what_they_say():
    """Squared errors of columns add up to a score; so do the parts of the mean."""
    members = [RobustAutoEncoder(**SHORT), RobustAutoEncoder(hidden=(2,), **SHORT)]
    model = SOEL(members, ratio=0.1, random_state=0).fit(X, FEW)
    # Parts lead from an error of 0 to the score; the score counts from the median.
    model.units_[:, 0] = 0
    parts = model.explain(TEST).sum(axis=1)
    assert_allclose(parts, model.anomaly_score(TEST), rtol=1e-5)


def test_several_methods_saved_and_loaded(tmp_path):
    model = several().fit(X, FEW)
    model.save(tmp_path / "m.crow")
    same = wc.load(tmp_path / "m.crow")
    assert_array_equal(same.anomaly_score(TEST), model.anomaly_score(TEST))
    assert_array_equal(same.embed(TEST), model.embed(TEST))


def test_rows_that_are_all_equal():
    model = SOEL([NeuTraLAD(**SHORT), HSC(**SHORT)]).fit(np.ones((20, 3)))
    assert np.isfinite(model.anomaly_score(np.ones((2, 3)))).all()


def test_a_part_of_many_rows_tells_where_they_are(monkeypatch):
    monkeypatch.setattr(under_rule, "_MEASURED", 100)
    assert len(set(under_rule.some_rows(400))) == 100
    assert_array_equal(under_rule.some_rows(100), np.arange(100))
    model = SOEL([NeuTraLAD(**SHORT), HSC(**SHORT)], random_state=0).fit(X, FEW)
    assert 0 < model.ratio_ <= 0.5


def test_no_method_at_all():
    with pytest.raises(ParameterError, match="SOEL has no method to train"):
        SOEL([]).fit(X)


def test_saved_and_loaded(tmp_path):
    model = SOEL(NeuTraLAD(trans_layers=3, **SHORT), random_state=0).fit(X, FEW)
    model.save(tmp_path / "m.crow")
    same = wc.load(tmp_path / "m.crow")
    assert_array_equal(same.anomaly_score(TEST), model.anomaly_score(TEST))
    assert same.ratio_ == model.ratio_


@pytest.mark.parametrize(
    "parameters",
    [{"ratio": 1.0}, {"method": "gt"}, {"update": "both"}, {"smoothing": 0.5}],
)
def test_illegal_parameters(parameters):
    with pytest.raises(ParameterError, match=next(iter(parameters))):
        SOEL(**parameters).fit(X)
