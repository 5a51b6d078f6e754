from itertools import pairwise

import pytest
import torch
from torch import nn

from whitecrow.deep import stacked
from whitecrow.deep.nets.lenet import LENETS, decoder, encoder, restore_biases
from whitecrow.errors import DataError, ParameterError

# Spec deep_sad.md, section 4: parameters of encoder and decoder.
PUBLISHED = {
    "lenet_mnist": ((1, 28, 28), 32, 7_272, 1_200),
    "lenet_fmnist": ((1, 28, 28), 64, 222_096, 27_792),
    "lenet_cifar10": ((3, 32, 32), 128, 520_544, 284_000),
    # Section 7.4: the same with dense layers of 64 and 32.
    "lenet_fmnist_64_32": ((1, 28, 28), 32, 115_600, 18_448),
}
SHAPES = {name: row[0] for name, row in PUBLISHED.items()} | {"lenet": (2, 24, 40)}


def n_parameters(net):
    return sum(p.numel() for p in net.parameters())


def sizes(net, x, kinds):
    """Width of the map after each layer of the given kinds."""
    seen = []
    for layer in net:
        x = layer(x)
        if isinstance(layer, kinds):
            seen.append(x.shape[-1])
    return seen


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_networks_have_the_published_parameters(name):
    shape, rep_dim, n_encoder, n_decoder = PUBLISHED[name]
    net = encoder(name, shape)
    assert net.rep_dim == rep_dim
    assert n_parameters(net) == n_encoder
    assert n_parameters(decoder(name, shape)) == n_decoder


@pytest.mark.parametrize("name", LENETS)
def test_only_weights_of_convolutions_and_dense_layers_are_learned(name):
    net = nn.Sequential(encoder(name, SHAPES[name]), decoder(name, SHAPES[name]))
    for path, parameter in net.named_parameters():
        assert path.endswith("weight")
        assert parameter.ndim >= 2
    norms = [m for m in net.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
    assert norms
    assert all(norm.eps == 1e-4 for norm in norms)


@pytest.mark.parametrize("name", LENETS)
def test_bias_gives_every_layer_a_bias_but_those_before_a_normalisation(name):
    shape = SHAPES[name]
    for net in (encoder(name, shape, bias=True), decoder(name, shape, bias=True)):
        for layer, after in pairwise([*net, None]):
            if hasattr(layer, "weight"):
                normalised = isinstance(after, nn.modules.batchnorm._BatchNorm)
                assert (layer.bias is None) == normalised


@pytest.mark.parametrize("name", LENETS)
def test_biases_of_older_files_come_back(name):
    for make in (encoder, decoder):
        net = make(name, SHAPES[name], bias=True)
        plain = list(net.state_dict())
        restore_biases(net, plain)
        assert list(net.state_dict()) == plain
        every = [f"{n}.bias" for n, layer in enumerate(net) if hasattr(layer, "weight")]
        restore_biases(net, every)
        assert set(net.state_dict()) == {*plain, *every}


def test_sizes_of_the_mnist_decoder():
    net = decoder("lenet_mnist", (1, 28, 28)).eval()
    kinds = (nn.Unflatten, nn.Upsample, nn.ConvTranspose2d)
    assert sizes(net, torch.zeros(1, 32), kinds) == [4, 8, 8, 16, 14, 28, 28]


def test_sizes_of_the_cifar10_decoder():
    net = decoder("lenet_cifar10", (3, 32, 32)).eval()
    kinds = (nn.Unflatten, nn.Upsample, nn.ConvTranspose2d)
    expected = [4, 4, 8, 8, 16, 16, 32, 32]
    assert sizes(net, torch.zeros(1, 128), kinds) == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("lenet_mnist", [14, 7]),
        ("lenet_fmnist", [14, 7]),
        ("lenet_cifar10", [16, 8, 4]),
    ],
)
def test_sizes_of_the_encoders(name, expected):
    net = encoder(name, SHAPES[name]).eval()
    seen = sizes(net, torch.zeros(1, *SHAPES[name]), nn.MaxPool2d)
    assert seen == expected


def test_the_general_network_is_that_of_cifar10_on_its_pictures():
    general = encoder("lenet", (3, 32, 32)).state_dict()
    published = encoder("lenet_cifar10", (3, 32, 32)).state_dict()
    assert list(general) == list(published)
    assert [v.shape for v in general.values()] == [v.shape for v in published.values()]


@pytest.mark.parametrize(
    "shape",
    [(1, 8, 8), (1, 28, 28), (3, 16, 16), (4, 17, 64), (3, 31, 250), (2, 9, 129)],
)
def test_the_general_network_gives_the_input_size_back(shape):
    net = encoder("lenet", shape, rep_dim=5)
    code = net(torch.rand(3, *shape))
    assert code.shape == (3, 5)
    assert decoder("lenet", shape, rep_dim=5)(code).shape == (3, *shape)


@pytest.mark.parametrize("side", [64, 65, 224, 512])
def test_the_dense_layer_stays_small_for_large_pictures(side):
    dense = [m for m in encoder("lenet", (3, side, side)) if isinstance(m, nn.Linear)]
    assert [layer.in_features <= 128 * 8 * 8 for layer in dense] == [True]


@pytest.mark.parametrize("name", LENETS)
def test_decoded_pictures_are_in_0_to_1_and_use_it(name):
    shape = SHAPES[name]
    net = decoder(name, shape)
    code = torch.randn(8, encoder(name, shape).rep_dim) * 10
    pictures = net(code)
    assert pictures.shape == (8, *shape)
    assert pictures.min() >= 0
    assert pictures.max() <= 1
    assert pictures.std() > 0.01


def test_glorot_start_of_the_cifar10_decoder():
    torch.manual_seed(0)
    convs = [m for m in decoder("lenet_cifar10", (3, 32, 32)) if hasattr(m, "stride")]
    weight = convs[1].weight  # 128 -> 64 maps, kernel 5 x 5
    limit = 2**0.5 * (6 / (25 * (128 + 64))) ** 0.5
    assert weight.abs().max().item() == pytest.approx(limit, rel=1e-2)


@pytest.mark.parametrize("name", LENETS)
def test_slope_reaches_every_activation(name):
    shape = SHAPES[name]
    nets = (encoder(name, shape, slope=0.1), decoder(name, shape, slope=0.1))
    slopes = [m.negative_slope for n in nets for m in n if isinstance(m, nn.LeakyReLU)]
    assert set(slopes) == {0.1}


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("name", LENETS)
def test_stacked_members_equal_the_members(name, training):
    torch.manual_seed(0)
    shape = SHAPES[name]
    nets = [nn.Sequential(encoder(name, shape), decoder(name, shape)) for _ in range(2)]
    x = torch.rand(2, 4, *shape)
    together = stacked.stack(nets).train(training)(x)
    alone = torch.stack([net.train(training)(x[i]) for i, net in enumerate(nets)])
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("make", [encoder, decoder])
class TestErrors:
    def test_unknown_name(self, make):
        with pytest.raises(
            ParameterError, match=r"network='vgg' is not for pictures.*'lenet_mnist'"
        ):
            make("vgg", (1, 28, 28))

    @pytest.mark.parametrize("name", PUBLISHED)
    def test_other_size(self, make, name):
        with pytest.raises(
            DataError, match=r"not \(3, 28, 28\); use the network 'lenet'"
        ):
            make(name, (3, 28, 28))

    @pytest.mark.parametrize("name", LENETS)
    def test_table(self, make, name):
        with pytest.raises(DataError, match=r"not rows of shape \(7,\)"):
            make(name, (7,))

    def test_too_small(self, make):
        with pytest.raises(DataError, match="at least 8 x 8 pixels, not 7 x 20"):
            make("lenet", (1, 7, 20))


@pytest.mark.parametrize("name", ["lenet_mnist", "lenet_cifar10"])
def test_code_that_is_no_map_of_4_x_4(name):
    with pytest.raises(ParameterError, match=r"rep_dim=20 .* multiple of 16"):
        decoder(name, SHAPES[name], rep_dim=20)
