import pytest
import torch
from torch import nn

from whitecrow.deep import stacked
from whitecrow.deep.nets import lenet
from whitecrow.deep.nets.mlp import mlp


def dense():
    return mlp((6, 5, 3), act="elu", batch_norm=True, affine=True, dropout=0.0)


def foreign():
    """Layers that know nothing of members."""
    layers = nn.Linear(6, 5), nn.BatchNorm1d(5), nn.Tanh(), nn.Linear(5, 3)
    return nn.Sequential(*layers)


def convolutional():
    return lenet.encoder("lenet", (1, 8, 8))


class Twice(nn.Module):
    """A net with a forward of its own, which says nothing about members."""

    def __init__(self):
        super().__init__()
        self.inner = mlp((6, 3))

    def forward(self, x):
        return 2 * self.inner(x)


NETS = {
    "dense": (dense, (6,)),
    "foreign": (foreign, (6,)),
    "convolutional": (convolutional, (1, 8, 8)),
    "twice": (Twice, (6,)),
}


@pytest.fixture(params=NETS)
def case(request):
    """Three members, their stack, and rows for each of them."""
    build, shape = NETS[request.param]
    torch.manual_seed(0)
    nets = [build() for _ in range(3)]
    return nets, stacked.stack(nets), torch.randn(3, 7, *shape)


def test_blocks_of_ours_run_stacked_and_others_are_mapped():
    assert stacked.runs_stacked(dense())
    for build in (foreign, convolutional, Twice):
        assert not stacked.runs_stacked(build())
        assert type(stacked.stack([build(), build()])).__name__ == "Mapped"


def test_forward_equals_members_one_by_one(case):
    nets, together, x = case
    for training in (True, False):
        together.train(training)
        y = together(x)
        for i, net in enumerate(nets):
            torch.testing.assert_close(y[i], net.train(training)(x[i]))


def test_gradients_and_statistics_equal_members_one_by_one(case):
    nets, together, x = case
    together.train()(x).square().sum().backward()
    parts = dict(together.named_parameters())
    for i, net in enumerate(nets):
        net.train()(x[i]).square().sum().backward()
        for name, parameter in net.named_parameters():
            stacked_name = name if name in parts else name.replace(".", "__")
            torch.testing.assert_close(parts[stacked_name].grad[i], parameter.grad)
        for name, buffer in net.named_buffers():
            if buffer.dtype.is_floating_point:
                found = dict(stacked.member(together, net, i).named_buffers())[name]
                torch.testing.assert_close(found, buffer)


def test_a_member_alone_is_the_member(case):
    nets, together, x = case
    template = nets[0]
    expected = [net.eval()(x[i]) for i, net in enumerate(nets)]
    together.eval()
    for i in (2, 1, 0):
        alone = stacked.member(together, template, i).eval()
        torch.testing.assert_close(alone(x[i]), expected[i], rtol=0, atol=0)


def test_members_share_no_memory(case):
    nets, together, _ = case
    for parameter in together.parameters():
        parameter.data.zero_()
    assert all(p.abs().sum() > 0 for p in nets[0].parameters() if p.ndim > 1)


def test_state_dict_round_trip(case):
    nets, together, x = case
    other = stacked.stack(list(reversed(nets)))
    assert not torch.equal(other.eval()(x), together.eval()(x))
    other.load_state_dict(together.state_dict())
    assert torch.equal(other.eval()(x), together.eval()(x))


def test_mapped_members_drop_out_different_units():
    nets = [nn.Sequential(nn.Linear(4, 400), nn.Dropout(0.5)) for _ in range(2)]
    for net in nets:
        net[0].weight.data.zero_()
        net[0].bias.data.fill_(1.0)
    y = stacked.stack(nets).train()(torch.zeros(2, 1, 4))
    assert not torch.equal(y[0], y[1])
