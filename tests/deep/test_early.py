"""Early stopping: the weights that are kept, by each member for itself."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from torch import nn

import whitecrow as wc
from whitecrow.deep import fit_seeds
from whitecrow.deep.early import EarlyStopping
from whitecrow.deep.stacked import stack
from whitecrow.deep.train import on_log
from whitecrow.errors import DataError, ParameterError

RNG = np.random.default_rng(0)
TABLE = RNG.normal(size=(120, 5))
SHORT = {"epochs": 30, "batch_size": 32, "device": "cpu", "random_state": 0}


def watched(losses, patience, members=1):
    """Train nothing: each epoch sets the weight to its number and has these losses."""
    nets = [nn.Sequential(nn.Linear(1, 1, bias=False)) for _ in range(members)]
    net = nets[0] if members == 1 else stack(nets)
    given = iter(losses)
    watch = EarlyStopping(net, lambda: torch.tensor(next(given)), patience)
    weight = next(net.parameters()).data
    for epoch in range(1, len(losses) + 1):
        weight.fill_(float(epoch))
        if watch():
            break
    watch.restore()
    return watch, weight.flatten().tolist(), epoch


def test_the_best_weights_come_back():
    watch, weight, last = watched([3.0, 1.0, 2.0, 2.0, 0.5], patience=2)
    assert (int(watch.epoch), weight, last) == (2, [2.0], 4)
    assert watched([3.0, 1.0, 2.0, 2.0, 0.5], patience=3)[1:] == ([5.0], 5)


def test_a_member_that_has_ended_is_left_alone():
    """The second becomes worse, and good again when its patience is over."""
    losses = [[3.0, 1.0], [2.0, 5.0], [1.0, 5.0], [0.5, 0.1], [4.0, 0.1], [4.0, 0.1]]
    watch, weight, last = watched(losses, patience=2, members=2)
    assert watch.epoch.tolist() == [4, 1]
    assert (weight, last) == ([4.0, 1.0], 6)


def test_training_ends_early_with_the_weights_of_the_best_epoch():
    """Noise cannot be reproduced for long: what is learnt soon does harm."""
    rows = RNG.normal(size=(60, 8))
    settings = {**SHORT, "lr": 0.02, "epochs": 200, "dropout": 0.0}
    model = wc.AutoEncoder(patience=5, **settings).fit(rows)
    (best,) = model.best_epoch_
    assert len(model.loss_curve_) == best + 5 < 200
    again = wc.AutoEncoder(patience=5, **{**settings, "epochs": int(best)}).fit(rows)
    assert_array_equal(again.anomaly_score(rows), model.anomaly_score(rows))


def test_known_anomalies_are_never_held_out():
    y = np.zeros(len(TABLE))
    y[3:] = 1
    model = wc.DeepSAD(patience=2, pretrain=False, **SHORT)
    held = model._held_out(y.astype(np.int8))
    assert held.sum() == 1
    assert held[:3].sum() == 1


@pytest.mark.parametrize(
    "method",
    [
        wc.AutoEncoder(dropout=0.0),
        wc.DeepSVDD(pretrain=False),
        wc.NeuTraLAD(),
        wc.DROCC(),
        wc.DSEBM(),
        wc.GOAD(n_transforms=3),
        wc.DAGMM(dropout=0.0),
    ],
    ids=lambda method: type(method).__name__,
)
def test_seeds_together_are_seeds_alone(method):
    method.set_params(**{**SHORT, "epochs": 6, "random_state": None}, patience=1)
    fits = fit_seeds(method, [(TABLE, None)] * 2, seeds=[1, 2])
    for fit, seed in zip(fits, [1, 2], strict=True):
        alone = type(method)(**{**method.get_params(), "random_state": seed}).fit(TABLE)
        assert_array_equal(fit.best_epoch_, alone.best_epoch_)
        assert_allclose(
            fit.anomaly_score(TABLE), alone.anomaly_score(TABLE), rtol=1e-3, atol=1e-5
        )


def test_members_keep_epochs_of_their_own(tmp_path):
    model = wc.AutoEncoder(n_members=4, patience=1, **{**SHORT, "lr": 0.05}).fit(TABLE)
    assert len(set(model.best_epoch_.tolist())) > 1
    model.save(tmp_path / "m.crow")
    loaded = wc.load(tmp_path / "m.crow")
    assert_array_equal(loaded.best_epoch_, model.best_epoch_)
    assert_array_equal(loaded.anomaly_score(TABLE), model.anomaly_score(TABLE))


def test_without_patience_nothing_is_held_out():
    plain = wc.AutoEncoder(**SHORT).fit(TABLE)
    assert plain.best_epoch_ is None
    assert len(plain.loss_curve_) == SHORT["epochs"]


@pytest.mark.parametrize("wrapper", [wc.LOE, wc.SOEL, wc.Supervised])
def test_wrappers_train_with_it(wrapper):
    y = np.full(len(TABLE), np.nan)
    y[:10] = [0, 1] * 5
    inner = wc.NeuTraLAD(**{**SHORT, "epochs": 4}, patience=1)
    model = wrapper(inner).fit(TABLE, y)
    assert np.isfinite(model.anomaly_score(TABLE)).all()


def test_too_few_rows_are_refused_in_one_line():
    with pytest.raises(DataError, match="patience=3 holds rows out, and 1 row"):
        wc.AutoEncoder(patience=3, **SHORT).fit(TABLE[:1])


@pytest.mark.parametrize("method", [wc.ALAD, wc.DUAD, wc.SOMDAGMM])
def test_it_is_no_parameter_where_it_has_no_meaning(method):
    assert "patience" not in method().get_params()
    with pytest.raises(ParameterError, match="patience"):
        wc.AutoEncoder(patience=0).fit(TABLE)


def test_a_fit_without_patience_forgets_the_best_epochs_of_before():
    model = wc.AutoEncoder(patience=2, **SHORT).fit(TABLE)
    assert model.best_epoch_ is not None
    assert model.set_params(patience=None).fit(TABLE).best_epoch_ is None


def test_a_refit_keeps_the_best_epochs_of_the_fit():
    model = wc.DeepSAD(patience=2, pretrain=False, **SHORT).fit(TABLE)
    found = model.best_epoch_
    assert_array_equal(model.refit(TABLE).best_epoch_, found)


def test_a_stage_without_epochs_has_no_best_one():
    """All epochs are the warm-up's, so both are one training."""
    settings = {**SHORT, "epochs": 60, "lr": 0.02, "pretrain": False, "patience": 2}
    model = wc.DeepSVDD("one-class", **settings).fit(TABLE)
    warm = wc.DeepSVDD("soft-boundary", warm_up_epochs=60, **settings).fit(TABLE)
    assert_array_equal(warm.anomaly_score(TABLE), model.anomaly_score(TABLE))
    assert model.best_epoch_ == len(model.loss_curve_) - 2
    assert_array_equal(warm.best_epoch_, model.best_epoch_)


def test_an_interrupted_fit_leaves_the_detector_as_it_was():
    model = wc.AutoEncoder(patience=2, **SHORT).fit(TABLE)
    scores, found = model.anomaly_score(TABLE), model.best_epoch_

    def stop(*args, **names):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), on_log(stop):
        model.set_params(patience=None).fit(TABLE + 1)
    assert_array_equal(model.anomaly_score(TABLE), scores)
    assert_array_equal(model.best_epoch_, found)
