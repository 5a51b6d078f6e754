import math

import numpy as np
import pytest
import torch
from torch import nn

from whitecrow.deep import device
from whitecrow.deep.nets.mlp import (
    ACTIVATIONS,
    BatchNorm,
    Dropout,
    Linear,
    activation,
    autoencoder_widths,
    encoder_widths,
    halving_widths,
    mlp,
)
from whitecrow.errors import ParameterError


# specs/deep_unsupervised.md 10, G1
@pytest.mark.parametrize(
    ("d", "widths"),
    [
        (274, [274, 137, 68, 34]),
        (119, [119, 59, 29, 14]),
        (65, [65, 32, 16, 8]),
        (66, [66, 33, 16, 8]),
        (52, [52, 26, 13, 6]),
    ],
)
def test_golden_widths(d, widths):
    rule = {"n_layers": 4, "compression_factor": 2, "latent_dim": 3}
    assert autoencoder_widths(d, **rule) == [*widths, 3]


def test_golden_widths_of_other_depths():
    narrow = autoencoder_widths(274, n_layers=2, compression_factor=1, latent_dim=10)
    assert narrow == [274, 274, 10]
    short = autoencoder_widths(6, n_layers=3, compression_factor=2, latent_dim=1)
    assert short == [6, 3, 1, 1]


# specs/deep_unsupervised.md 1.2, Deep SVDD
@pytest.mark.parametrize(
    ("hidden", "widths"),
    [("auto", [9, 7, 2]), ("rule", [9, 4, 3]), ((np.int64(5), 1), [9, 5, 1])],
)
def test_widths_of_an_encoder(hidden, widths):
    rule = {"n_layers": 2, "compression_factor": 2, "latent_dim": 3}
    found = encoder_widths(9, hidden, auto=(7, 2), **rule)
    assert found == widths
    assert all(type(width) is int for width in found)


@pytest.mark.parametrize(
    ("d", "n_layers", "factor", "widths"),
    [
        (274, 2, 2, [274, 137, 68]),
        (274, 2, 4, [274, 68, 17]),
        (65, 4, 2, [65, 32, 16, 8, 4]),
        (6, 2, 2, [6, 3, 1]),
    ],
)
def test_golden_halving(d, n_layers, factor, widths):
    assert halving_widths(d, n_layers=n_layers, compression_factor=factor) == widths


@pytest.mark.parametrize(("n_layers", "factor", "fits"), [(4, 2, 2), (2, 4, 1)])
def test_a_width_of_zero_is_refused_with_what_fits(n_layers, factor, fits):
    with pytest.raises(ParameterError, match=f"use n_layers <= {fits}"):
        halving_widths(6, n_layers=n_layers, compression_factor=factor)
    assert min(halving_widths(6, n_layers=fits, compression_factor=factor)) >= 1


def test_first_weights_have_the_distribution_of_torch():
    torch.manual_seed(0)
    ours, theirs = Linear(400, 300), nn.Linear(400, 300)
    bound = 1 / math.sqrt(400)
    for one in (ours.weight, ours.bias, theirs.weight, theirs.bias):
        assert one.abs().max() <= bound
    spreads = [one.weight.detach().std().item() for one in (ours, theirs)]
    assert spreads[0] == pytest.approx(spreads[1], rel=0.02)
    assert ours.bias.abs().max() > 0.9 * bound


@pytest.mark.parametrize("bias", [True, False])
def test_linear_is_that_of_torch(bias):
    ours, theirs = Linear(4, 3, bias=bias), nn.Linear(4, 3, bias=bias)
    theirs.weight.data = ours.weight.data.T
    if bias:
        theirs.bias.data = ours.bias.data
    x = torch.randn(5, 4)
    torch.testing.assert_close(ours(x), theirs(x))


@pytest.mark.parametrize("affine", [True, False])
@pytest.mark.parametrize("training", [True, False])
def test_batch_norm_is_that_of_torch(affine, training):
    ours = BatchNorm(3, affine=affine).train(training)
    theirs = nn.BatchNorm1d(3, affine=affine, eps=1e-4).train(training)
    for _ in range(3):
        x = 2 + 3 * torch.randn(6, 3)
        torch.testing.assert_close(ours(x), theirs(x))
    torch.testing.assert_close(ours.running_mean, theirs.running_mean)
    torch.testing.assert_close(ours.running_var, theirs.running_var)


@pytest.mark.parametrize("shape", [(32, 64), (5, 32, 8), (2, 100_000)])
def test_dropout_drops_its_share_and_scales_the_rest(shape):
    dropout, x = Dropout(0.25), torch.ones(shape, requires_grad=True)
    with device.seeded(0):
        masks = [dropout(x) for _ in range(200_000 // x.numel() + 2)]
    assert {value.item() for mask in masks for value in mask.unique()} == {
        0.0,
        torch.tensor(4 / 3).item(),
    }
    kept = torch.stack(masks).gt(0).double()
    assert kept.mean().item() == pytest.approx(0.75, abs=0.005)
    agreement = (kept[0] == kept[1]).double().mean().item()
    assert agreement == pytest.approx(0.75**2 + 0.25**2, abs=0.05)
    masks[0].sum().backward()
    assert torch.equal(x.grad, masks[0])
    assert torch.equal(dropout.eval()(x), x)


def test_dropout_depends_on_the_seed_of_this_training_only():
    dropout, x = Dropout(0.5), torch.ones(16, 16)
    runs = []
    for seed in (0, 1, 0):
        dropout.train()
        with device.seeded(seed):
            runs.append(torch.stack([dropout(x) for _ in range(3)]))
    assert torch.equal(runs[0], runs[2])
    assert not torch.equal(runs[0], runs[1])


def test_layers_in_order():
    net = mlp((4, 3, 2), act="tanh", batch_norm=True, affine=True, dropout=0.5)
    kinds = [Linear, BatchNorm, nn.Tanh, Dropout, Linear]
    assert [type(layer) for layer in net] == kinds
    assert net[1].weight is not None
    assert [type(layer) for layer in mlp((4, 2))] == [Linear]


def test_without_biases_nothing_is_added():
    net = mlp((4, 3, 3, 2), act="leaky_relu", bias=False)
    assert torch.equal(net(torch.zeros(1, 4)), torch.zeros(1, 2))
    assert all(p.ndim == 2 for p in net.parameters())


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations(name):
    x = torch.linspace(-2, 2, 5)
    y = activation(name)(x)
    assert (y.diff() >= 0).all()
    assert y[-1] > y[2]


def test_unknown_activation_is_refused_with_the_legal_ones():
    with pytest.raises(ParameterError, match="'gelu'; use one of relu, "):
        activation("gelu")


def test_a_bias_that_normalisation_takes_away_is_left_out():
    net = mlp((4, 3, 2), bias=True, batch_norm=True)
    assert net[0].bias is None
    assert net[-1].bias is not None
