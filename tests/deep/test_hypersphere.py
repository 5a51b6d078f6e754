import numpy as np
import pytest
import torch
from torch import nn

import whitecrow as wc
from runs import run_of
from whitecrow.deep import hypersphere, train
from whitecrow.deep.hypersphere import clip_centre
from whitecrow.deep.run import TrainingSet
from whitecrow.errors import ParameterError

NET = {
    "network": "auto",
    "hidden": (4, 3),
    "act": "leaky_relu",
    "bias": False,
    "batch_norm": True,
}


def run(net, n=40, d=5, odd=(), seeds=(0,), batch_size=16):
    generator = torch.Generator().manual_seed(0)
    y = torch.full((n,), -1, dtype=torch.int8)
    y[list(odd)] = 1
    one = TrainingSet(torch.randn(n, d, generator=generator), y)
    return run_of([one] * len(seeds), seeds, batch_size, net)


def network(**changes):
    torch.manual_seed(0)
    return hypersphere.build((5,), **{**NET, **changes})


# specs/deep_sad.md G2, specs/deep_unsupervised.md G11; NOTE[DIFF] 0 becomes +0.1
@pytest.mark.parametrize(
    ("mean", "clipped"),
    [
        ((0.2, -0.04, 0.07, 0, -0.4), (0.2, -0.1, 0.1, 0.1, -0.4)),
        ((0.05, -0.03, 0.5, 0, -0.2), (0.1, -0.1, 0.5, 0.1, -0.2)),
    ],
)
def test_golden_centre(mean, clipped):
    centre = torch.tensor(mean)
    torch.testing.assert_close(clip_centre(centre), torch.tensor(clipped))
    stack = torch.stack([centre, -centre])
    torch.testing.assert_close(clip_centre(stack)[0], torch.tensor(clipped))


def test_the_centre_is_the_mean_code_in_scoring_mode():
    net = network()
    data = run(net)
    hypersphere.set_centre(data, warm=True)
    codes = net.eval().encoder(data.x)
    torch.testing.assert_close(net.centre, clip_centre(codes.mean(0)))
    assert (net.centre.abs() >= 0.1 - 1e-7).all()
    torch.testing.assert_close(net(data.x), codes - net.centre)


@pytest.mark.parametrize("pretrain", [False, True])
@pytest.mark.parametrize("batch_norm", [False, True])
def test_labelled_anomalies_move_neither_centre_nor_network(pretrain, batch_norm):
    """Not even through the statistics of the batches they are in."""
    results = []
    for shift in (0.0, 50.0):
        net = network(batch_norm=batch_norm)
        data = run(net, odd=(3, 17, 30))
        data.x[[3, 17, 30]] += shift
        schedule = train.Schedule(epochs=3, lr=0.01) if pretrain else None
        options = {**NET, "batch_norm": batch_norm}
        hypersphere.prepare(data, schedule, **options)
        results.append(net.state_dict())
    for name, tensor in results[0].items():
        torch.testing.assert_close(tensor, results[1][name], rtol=0, atol=0)


def test_rows_that_stand_in_for_anomalies_are_of_the_same_member():
    sets = []
    for odd in ([0, 1, 2, 3], [5]):
        y = torch.full((6,), -1, dtype=torch.int8)
        y[odd] = 1
        sets.append(TrainingSet(torch.randn(6, 2), y))
    data = run_of(sets, [0, 1])
    stand_in = hypersphere.without_anomalies(data)
    assert stand_in.tolist() == [4, 5, 4, 5, 4, 5, 6, 7, 8, 9, 10, 6]


def test_pretraining_starts_the_network():
    """The encoder after pretraining is the one that training starts from."""
    fresh, net = network(), network()
    schedule = train.Schedule(epochs=5, lr=0.01)
    hypersphere.prepare(run(net), schedule, **NET)
    encoder = dict(net.encoder.named_parameters())
    for name, first in fresh.encoder.named_parameters():
        assert not torch.equal(encoder[name], first)
    running = {n: b for n, b in net.encoder.named_buffers() if "running" in n}
    assert all(b.abs().sum() > 0 for b in running.values())


def test_pretraining_learns_to_reconstruct():
    heard = []
    with train.on_log(lambda epoch, record: heard.append(record)):
        schedule = train.Schedule(epochs=60, lr=0.01)
        hypersphere.prepare(run(network()), schedule, **NET)
    assert {record["stage"] for record in heard} == {"pretraining"}
    assert heard[-1]["loss"] < 0.8 * heard[0]["loss"]


def test_pretraining_needs_a_decoder():
    def mine(shape):
        return nn.Linear(shape[0], 2)

    options = {**NET, "network": mine}
    net = hypersphere.build((5,), **options)
    schedule = train.Schedule(epochs=1, lr=0.01)
    with pytest.raises(ParameterError, match="pretrain=False"):
        hypersphere.prepare(run(net), schedule, **options)


# specs/deep_sad.md 3.4
@pytest.mark.parametrize(
    ("d", "widths"),
    [(274, (128, 64, 32)), (36, (32, 16, 8)), (9, (32, 16, 8)), (6, (32, 16, 4))],
)
def test_golden_widths(d, widths):
    assert hypersphere.dense_widths(d) == widths


def test_networks_by_shape_and_by_hand():
    assert network().centre.shape == (3,)
    pictures = hypersphere.build((1, 28, 28), **NET)
    assert pictures(torch.zeros(2, 1, 28, 28)).shape[0] == 2
    own = hypersphere.build((5,), **{**NET, "network": lambda shape: nn.Linear(5, 7)})
    assert own.centre.shape == (7,)


def test_networks_that_do_not_fit_are_refused():
    with pytest.raises(ParameterError, match=r"torch.nn.Module .* got int"):
        hypersphere.build((5,), **{**NET, "network": lambda shape: 3})
    with pytest.raises(ParameterError, match="'lenet_mnist' is not for tables"):
        hypersphere.build((5,), **{**NET, "network": "lenet_mnist"})


def test_networks_for_tables_are_refused_for_pictures():
    """The message was "there is no LeNet 'mlp'"."""
    pictures = np.zeros((9, 1, 8, 8), dtype=np.uint8)
    for method in (wc.HSC, wc.DeepSVDD, wc.AutoEncoder):
        with pytest.raises(ParameterError, match="network='mlp' is not for pictures"):
            method(network="mlp").fit(pictures)
        with pytest.raises(ParameterError, match="The 'network' parameter of"):
            method(network="resnet").fit(pictures)
