"""Networks of specs/outlier_exposure.md 2: counts, first weights, sizes of pictures."""

import pytest
import torch
from torch import nn

from whitecrow.deep.nets.rethinking import NAMES, Attention, build
from whitecrow.errors import DataError

SHAPES = {
    "lenet_mnist_wide": (1, 28, 28),
    "lenet_cifar10_wide": (3, 32, 32),
    "resnet18_cbam": (3, 224, 224),
    "toy": (2,),
}


def count(name, bias=True, **options):
    net = build(name, SHAPES[name], rep_dim=None, bias=bias, **options)
    return sum(p.numel() for p in net.parameters())


@pytest.mark.parametrize(
    ("name", "biased", "without"),
    [
        ("lenet_mnist_wide", 115_968, 115_600),
        ("lenet_cifar10_wide", 1_440_512, 1_438_048),
        ("resnet18_cbam", 11_397_720, 11_397_720),
        ("toy", 34_176, 33_280),
    ],
)
def test_golden_numbers_of_parameters(name, biased, without):
    assert (count(name), count(name, bias=False)) == (biased, without)


def test_golden_buffers_of_the_residual_network():
    net = build("resnet18_cbam", (3, 64, 64), rep_dim=256, bias=True)
    assert sum(b.numel() for b in net.buffers()) == 9_644


@pytest.mark.parametrize(
    ("name", "deviations"),
    [
        ("lenet_mnist_wide", [0.097009, 0.057732, 0.049505, 0.144338]),
        ("lenet_cifar10_wide", [0.067609, 0.040823, 0.028866, 0.039526, 0.051031]),
        ("toy", [0.124508, 0.072169]),
    ],
)
def test_golden_deviations_of_first_weights(name, deviations):
    torch.manual_seed(0)
    net = build(name, SHAPES[name], rep_dim=None, bias=True)
    layers = [m for m in net if isinstance(m, nn.Conv2d | nn.Linear)]
    for layer, expected in zip(layers, deviations, strict=True):
        few = 4 / layer.weight.numel() ** 0.5
        assert layer.weight.std().item() == pytest.approx(expected, rel=few)
        fan_in = layer.weight[0].numel()
        assert layer.bias.abs().max() <= fan_in**-0.5


def test_the_gate_of_places_starts_at_a_half():
    gate = Attention(32).eval()
    assert (gate.places(torch.randn(2, 32, 9, 9)) == 0.5).all()
    assert (gate.train().places(torch.randn(2, 32, 9, 9)) == 0.5).all()


def test_first_weights_of_the_residual_network():
    torch.manual_seed(0)
    net = build("resnet18_cbam", (3, 64, 64), rep_dim=256, bias=True)
    assert net.code.weight.std().item() == pytest.approx(0.0625, rel=0.02)
    assert (net.code.bias == 0).all()
    last = net.blocks[-1].conv2.weight
    assert last.std().item() == pytest.approx((2 / (512 * 9)) ** 0.5, rel=0.02)


@pytest.mark.parametrize("name", NAMES)
def test_names_of_the_released_code_and_other_sizes(name):
    """Sizes were fixed, and a wrong one failed late."""
    shape = (5,) if name in {"toy", "toy_Net"} else (1, 40, 36)
    net = build(name, shape, rep_dim=7, bias=True).eval()
    assert net(torch.rand(2, *shape)).shape == (2, 7)


def test_rows_of_the_other_kind_are_one_line():
    with pytest.raises(DataError, match="takes rows of a table"):
        build("toy", (1, 28, 28), rep_dim=None, bias=True)
    with pytest.raises(DataError, match="takes pictures"):
        build("resnet18_cbam", (9,), rep_dim=None, bias=True)
    with pytest.raises(DataError, match="at least 8 x 8 pixels, not 6 x 30"):
        build("lenet_cifar10_wide", (3, 6, 30), rep_dim=None, bias=True)
