"""ALAD: golden values, who trains what, spectral norms, the average, and the scores."""

import inspect
import math

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.metrics import roc_auc_score
from torch.nn.functional import softplus

import whitecrow as wc
from small_fits import SHORT, X, degenerate, has_effect, reloaded
from whitecrow.data.synthetic import planted
from whitecrow.deep import stacked
from whitecrow.deep.nets.noise import Noise
from whitecrow.detectors.alad import (
    Average,
    Game,
    JointCritic,
    SpectralLinear,
    critics_loss,
    distance,
    iterate,
    players_loss,
)
from whitecrow.errors import DataError, ParameterError

CPU = torch.device("cpu")


def draw(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(len(shape)))


def parts(net):
    """All parameters of each of the five networks as one vector."""
    names = ("encoder", "generator", "xz", "xx", "zz")
    return {
        name: torch.cat([p.flatten() for p in getattr(net, name).parameters()])
        for name in names
    }


# ------------------------------------------------------ specs/deep_unsupervised.md, G10


def test_golden_losses_of_undecided_discriminators():
    games = [Game(torch.zeros(4).double(), torch.zeros(4).double())] * 3
    assert_allclose(critics_loss(games), [6 * math.log(2)] * 4)
    assert_allclose(players_loss(games), [4.1588830834] * 4)


def test_golden_losses_of_one_pair():
    game = Game(torch.tensor([1.0]).double(), torch.tensor([-0.5]).double())
    assert_allclose(critics_loss([game]), [0.7873386717], atol=1e-9)
    assert_allclose(players_loss([game]), [2.2873386717], atol=1e-9)


def test_golden_distances():
    a, b = torch.tensor([[1.0, 2.0, 3.0]]), torch.tensor([[1.0, 0.0, 4.0]])
    assert distance(a, b, "l1").item() == 3
    assert distance(a, b, "l2").item() == pytest.approx(2.2360679775)


# ---------------------------------------------------------------------------- networks


def test_spectral_layers_have_norm_one():
    layer = SpectralLinear(7, 5)
    layer.iterate(200)
    found = torch.linalg.matrix_norm(layer(torch.eye(7)) - layer.bias, ord=2)
    assert found.item() == pytest.approx(1, rel=1e-4)
    with torch.no_grad():
        layer.weight.mul_(100)
    assert_allclose(layer(draw(3, 7)).detach().norm() < 10, True)


def test_spectral_norms_train_like_those_of_torch():
    """The gradient runs through the norm, the singular vectors are constants."""
    layer, weight = SpectralLinear(4, 3, bias=False), torch.nn.Linear(4, 3, bias=False)
    layer.iterate(300)
    with torch.no_grad():
        weight.weight.copy_(layer.weight.T)
    theirs = torch.nn.utils.parametrizations.spectral_norm(
        weight, n_power_iterations=300
    )
    x = draw(6, 4)
    layer(x).square().sum().backward()
    theirs(x).square().sum().backward()
    original = theirs.parametrizations.weight.original
    assert_allclose(layer.weight.grad, original.grad.T, atol=1e-4)


def test_spectral_layers_run_stacked():
    layers = [SpectralLinear(4, 3) for _ in range(3)]
    together = stacked.stack(layers)
    x = draw(3, 6, 4)
    iterate(together)
    for i, layer in enumerate(layers):
        iterate(layer)
        assert_allclose(together(x)[i].detach(), layer(x[i]).detach(), atol=1e-6)


def test_average_is_exponential_once_it_is_warm():
    parameter = torch.zeros(1)
    average = Average([parameter], decay=0.9)
    values, expected = [float(t) for t in range(200)], 0.0
    for t, value in enumerate(values, start=1):
        parameter.fill_(value)
        average.update()
        decay = min(0.9, (1 + t) / (10 + t))
        expected = decay * expected + (1 - decay) * value
    average.settle()
    assert parameter.item() == pytest.approx(expected, rel=1e-5)
    assert 185 < parameter.item() < 195  # lags by 0.9 / (1 - 0.9)


def test_dropout_is_of_the_critics_and_of_training_only():
    net = wc.ALAD(**SHORT).fit(X).net_
    x, again = draw(5, 6), draw(5, 6)
    _, still = net.xx(x, again)
    _, noisy = net.xx(x, again, Noise([0], CPU))
    assert_array_equal(still, net.xx(x, again)[1])
    assert not np.allclose(still, noisy)


def test_all_three_discriminators_see_their_pairs():
    """Written out once more, without the calls that take two pairs at once."""
    model = wc.ALAD(dropout=0.0, xz_dropout=0.0, batch_norm=False, **SHORT).fit(X)
    net, x, z = model.net_, draw(5, 6), draw(5, 3)
    moves = net.move(x, z)
    assert_allclose(moves.code_again, net.encoder(net.generator(z)))
    assert_allclose(moves.row_again, net.generator(net.encoder(x)))
    found = net.judge(x, z, moves, Noise([0], CPU))
    expected = [
        (net.xz(x, moves.code), net.xz(moves.row, z)),
        (net.xx(x, x)[1], net.xx(x, moves.row_again)[1]),
        (net.zz(z, z)[1], net.zz(z, moves.code_again)[1]),
    ]
    for game, pair in zip(found, expected, strict=True):
        assert_allclose(game.real, pair[0], rtol=1e-5)
        assert_allclose(game.fake, pair[1], rtol=1e-5)


# ---------------------------------------------------------------------------- training


def test_everybody_trains():
    before = parts(wc.ALAD(**{**SHORT, "epochs": 0}).fit(X).net_)
    after = parts(wc.ALAD(**SHORT).fit(X).net_)
    for name, start in before.items():
        assert (start != after[name]).float().mean() > 0.9, name


def test_discriminators_are_fixed_while_encoder_and_generator_train(monkeypatch):
    """A player's loss that moved the critics would let them agree with the players."""
    monkeypatch.setattr("whitecrow.detectors.alad._train_critics", lambda *a: None)
    before = parts(wc.ALAD(**{**SHORT, "epochs": 0}).fit(X).net_)
    after = parts(wc.ALAD(**SHORT).fit(X).net_)
    for name in ("xz", "xx", "zz"):
        assert_allclose(after[name], before[name], atol=1e-7)
    assert not np.allclose(after["generator"], before["generator"], atol=1e-5)


def test_critics_learn_to_tell_real_from_fake(monkeypatch):
    """With players that stand still, the critics' loss falls."""
    losses = []

    def spy(games):
        loss = critics_loss(games)
        losses.append(loss.mean().item())
        return loss

    monkeypatch.setattr("whitecrow.detectors.alad.critics_loss", spy)
    monkeypatch.setattr(
        "whitecrow.detectors.alad.players_loss",
        lambda games: 0 * players_loss(games),
    )
    wc.ALAD(**{**SHORT, "epochs": 40, "lr": 2e-3}).fit(X)
    assert losses[0] == pytest.approx(6 * math.log(2), rel=0.1)
    assert np.mean(losses[-9:]) < 0.8 * losses[0]


def test_the_loss_is_the_reported_one():
    curve = wc.ALAD(**SHORT).fit(X).loss_curve_
    assert curve.shape == (3,)
    assert_allclose(curve, 6 * math.log(2), rtol=0.1)  # nobody has learnt much yet
    one_game = wc.ALAD("l1", cycle_xx=False, cycle_zz=False, **SHORT).fit(X)
    assert_allclose(one_game.loss_curve_, 2 * math.log(2), rtol=0.1)
    assert one_game.net_.xx is None
    assert one_game.net_.zz is None


def test_a_game_takes_no_rule():
    with pytest.raises(ParameterError, match="ALAD has a training of its own"):
        wc.LOE(wc.ALAD(**SHORT), variant="refine").fit(X)


def test_anomaly_detection_of_autograd_stays_off():
    wc.ALAD(**SHORT).fit(X)
    assert not torch.is_anomaly_enabled()


# ------------------------------------------------------------------------------ scores


def test_scores_are_those_of_the_paper_and_the_code():
    model = wc.ALAD(**SHORT).fit(X)
    net, x = model.net_, model._tensor(X)
    again = net.generator(net.encoder(x))
    real, (fake, logit) = net.xx(x, x)[0], net.xx(x, again)
    expected = {
        "features_l1": (real - fake).abs().sum(-1),
        "features_l2": (real - fake).square().sum(-1).sqrt(),
        "l1": (x - again).abs().sum(-1),
        "l2": (x - again).square().sum(-1).sqrt(),
        "ch": softplus(-logit),
    }
    for metric, score in expected.items():
        model.set_params(score_metric=metric)
        assert_allclose(model.anomaly_score(X), score, rtol=1e-5)
    assert real.shape == (70, 128)


def test_scores_depend_on_neither_neighbours_nor_order(monkeypatch):
    model = wc.ALAD(**SHORT).fit(X)
    together = model.anomaly_score(X)
    order = np.random.default_rng(1).permutation(len(X))
    assert_allclose(model.anomaly_score(X[order]), together[order], rtol=1e-5)
    monkeypatch.setattr(
        "whitecrow.deep.run._PIECE", 6 * 23
    )  # three pieces of 23 rows, one of 1
    assert_allclose(model.anomaly_score(X), together, rtol=1e-5)


def test_finds_planted_anomalies():
    rows, y = planted("global", 1000, 8, random_state=0)
    model = wc.ALAD(
        epochs=20, batch_size=128, lr=1e-3, xz_hidden=32, random_state=0, device="cpu"
    )
    assert roc_auc_score(y, model.fit(rows).anomaly_score(rows)) > 0.9


def test_reconstruction_without_discriminator_of_rows_is_refused():
    with pytest.raises(ParameterError, match=r"cycle_xx=False.*use 'l1'"):
        wc.ALAD(cycle_xx=False).fit(X)


# -------------------------------------------------------------------------- the general


ALTERNATIVES = {
    "score_metric": "l2",
    "latent_dim": 2,
    "spectral_norm": False,
    "ema_decay": 0.0,
    "cycle_xx": ({"score_metric": "l1"}, False),
    "cycle_zz": False,
    "encoder_hidden": (9, 8),
    "generator_hidden": (9,),
    "xz_hidden": 9,
    "xx_hidden": (9, 8),
    "zz_hidden": (9,),
    "dropout": 0.0,
    "xz_dropout": 0.0,
    "batch_norm": False,
    "scaling": "robust",
    "epochs": 2,
    "batch_size": 16,
    "lr": 0.01,
    "weight_decay": 0.5,
    "n_members": 2,
    "contamination": 0.3,
    "random_state": 1,
}


@pytest.mark.parametrize("parameter", ALTERNATIVES)
def test_every_parameter_has_an_effect(parameter):
    assert has_effect(wc.ALAD, SHORT, parameter, ALTERNATIVES[parameter])


def test_no_parameter_is_forgotten():
    assert set(ALTERNATIVES) == set(inspect.signature(wc.ALAD).parameters) - {"device"}


def test_sizes_of_the_reference_code():
    net = wc.ALAD(**SHORT).fit(X).net_
    encoder = [tuple(layer.weight.shape) for layer in net.encoder[::2]]
    generator = [tuple(layer.weight.shape) for layer in net.generator[::2]]
    assert encoder == [(6, 6), (6, 3)]
    assert generator == [(3, 6), (6, 128), (128, 6)]
    assert isinstance(net.xz, JointCritic)
    assert tuple(net.xz.joint.weight.shape) == (256, 128)
    assert [tuple(layer.weight.shape) for layer in net.xx.hidden] == [(12, 128)]
    assert [tuple(layer.weight.shape) for layer in net.zz.hidden] == [(6, 3)]
    assert (net.xz.norm.weight - 1).abs().max() < 0.1


@pytest.mark.parametrize("preset", wc.ALAD.presets)
def test_presets_run(preset):
    model = wc.ALAD.preset(preset, epochs=1, random_state=0).fit(X)
    assert np.isfinite(model.anomaly_score(X)).all()


@pytest.mark.parametrize(("d", "n"), [(1, 7), (2, 2), (6, 33), (274, 7)])
def test_all_shapes(d, n):
    rows = degenerate(n, d)
    assert np.isfinite(wc.ALAD(**SHORT).fit(rows).anomaly_score(rows)).all()


def test_one_row_needs_no_batch_normalisation():
    with pytest.raises(DataError, match=r"n_samples = 1.*batch_norm=False"):
        wc.ALAD(**SHORT).fit(X[:1])
    wc.ALAD(batch_norm=False, **SHORT).fit(X[:1])


def test_scores_survive_a_file(tmp_path):
    model = wc.ALAD(n_members=2, cycle_zz=False, **SHORT).fit(X)
    loaded = reloaded(model, tmp_path)
    assert_array_equal(loaded.anomaly_score(X), model.anomaly_score(X))


@pytest.mark.parametrize(
    ("parameter", "value"),
    [("score_metric", "fm"), ("latent_dim", 0), ("latent_dim", -2), ("ema_decay", 1.0)],
)
def test_illegal_values_are_named(parameter, value):
    with pytest.raises(ParameterError, match=f"'{parameter}' parameter .* {value!r}"):
        wc.ALAD(**{parameter: value}).fit(X)


@pytest.mark.parametrize("parameter", ["encoder_hidden", "xx_hidden"])
@pytest.mark.parametrize("value", [(0,), (2.5,), ("a",)])
def test_widths_are_whole_and_positive(parameter, value):
    with pytest.raises(ParameterError, match=f"{parameter}=.*positive whole numbers"):
        wc.ALAD().set_params(**{parameter: value}).fit(X)
