import pytest
import torch
from torch.nn.functional import conv2d

from whitecrow.deep.nets.wide_resnet import Block, WideResNet
from whitecrow.errors import ParameterError


def count(net):
    return sum(p.numel() for p in net.parameters())


# specs/active_soel.md 3.2, with the heads of "medium": 10 logits
@pytest.mark.parametrize(("channels", "total"), [(3, 2_748_890), (1, 2_748_602)])
@pytest.mark.parametrize("reference", [True, False])
def test_parameters_of_the_published_network(channels, total, reference):
    net = WideResNet(channels, reference_block=reference)
    assert net.n_features == 256
    assert count(net) + 256 * 10 + 10 == total


def seen(n_in, n_out, reference):
    torch.manual_seed(0)
    block = Block(n_in, n_out, 1, dropout=0.3, reference=reference).eval()
    return block, torch.randn(2, n_in, 5, 5)


@pytest.mark.parametrize("reference", [True, False])
def test_a_block_that_keeps_the_shape(reference):
    block, x = seen(4, 4, reference)
    first = conv2d(torch.relu(block.norm1(x)), block.conv1.weight, padding=1)
    between = torch.relu(block.norm2(first))
    if reference:
        between = conv2d(between, block.conv1.weight, padding=1)
    expected = x + conv2d(between, block.conv2.weight, padding=1)
    torch.testing.assert_close(block(x), expected)


@pytest.mark.parametrize("reference", [True, False])
def test_a_block_that_changes_the_shape(reference):
    block, x = seen(3, 4, reference)
    active = torch.relu(block.norm1(x))
    between = conv2d(active, block.conv1.weight, padding=1)
    if not reference:
        between = torch.relu(block.norm2(between))
    expected = conv2d(active, block.shortcut.weight)
    expected += conv2d(between, block.conv2.weight, padding=1)
    torch.testing.assert_close(block(x), expected)


@pytest.mark.parametrize("side", [8, 28, 32])
def test_reference_pooling_sees_a_corner(side):
    """Of 28 x 28 pixels, only what reaches the upper left 4 x 4 of 7 x 7 places."""
    torch.manual_seed(0)
    net = WideResNet(1, depth=10, widen_factor=1, reference_block=True).eval()
    x = torch.randn(1, 1, side, side)
    changed = x.clone()
    changed[..., -1, -1] += 5
    moved = (net(changed) - net(x)).abs().max() > 1e-6
    assert bool(moved) == (side != 28)


def test_first_values():
    torch.manual_seed(0)
    weight = Block(64, 64, 1, dropout=0.0, reference=False).conv1.weight
    assert weight.std().item() == pytest.approx((2 / (9 * 64)) ** 0.5, rel=0.02)


@pytest.mark.parametrize("depth", [4, 11, 17])
def test_depths(depth):
    with pytest.raises(ParameterError, match=f"depth={depth} is not 4 more than"):
        WideResNet(3, depth=depth)


@pytest.mark.parametrize("reference", [True, False])
@pytest.mark.parametrize("n_in", [3, 4])
def test_gradients_of_a_block(n_in, reference):
    """What is computed in place is what the formula says, backwards too."""
    torch.manual_seed(0)
    block = Block(n_in, 4, 1, dropout=0.0, reference=reference).double()
    x = torch.randn(2, n_in, 5, 5, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(block, x)


def test_layout_of_the_maps_changes_no_gradient(monkeypatch):
    def gradients():
        torch.manual_seed(0)
        net = WideResNet(3, depth=10, widen_factor=1, dropout=0.0).double()
        (net(x).square() * torch.arange(64)).sum().backward()
        return [parameter.grad for parameter in net.parameters()]

    x = torch.randn(4, 3, 8, 8).double()
    ours = gradients()
    monkeypatch.setattr(
        "whitecrow.deep.nets.wide_resnet._channels_last", lambda maps: maps
    )
    torch.testing.assert_close(ours, gradients())


@pytest.mark.parametrize("channels", [1, 3])
def test_maps_have_their_channels_side_by_side(channels):
    seen = []
    net = WideResNet(channels, depth=10, widen_factor=1)
    net.norm.register_forward_hook(lambda layer, x, y: seen.append(y))
    net(torch.randn(2, channels, 8, 8))
    assert seen[0].is_contiguous(memory_format=torch.channels_last)
