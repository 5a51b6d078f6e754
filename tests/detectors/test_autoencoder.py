import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from torch import nn

from runs import batch
from whitecrow import AutoEncoder
from whitecrow.deep.nets.mlp import Linear
from whitecrow.errors import ParameterError

RNG = np.random.default_rng(0)
TABLE = RNG.normal(size=(80, 5))
CPU = {"device": "cpu", "random_state": 0}


def widths(detector, n_features=24):
    """Output widths of all layers."""
    net = detector._build((n_features,))
    return [m.weight.shape[1] for m in net.modules() if isinstance(m, Linear)]


class Fixed(nn.Module):
    """A reconstruction that is known: everything but the first column, halved."""

    def __init__(self):
        super().__init__()
        self.dummy = nn.Parameter(torch.zeros(1))

    def forward(self, x):
        half = x / 2
        return half, x[..., :2]


def test_score_and_loss_by_hand():
    detector = AutoEncoder(reg=0.5, scaling="none")
    detector.input_shape_ = (3,)
    x = torch.tensor([[3.0, 4.0, 2.0], [0.0, 0.0, 0.0]])
    score = detector._score(Fixed(), x)
    assert score.tolist() == pytest.approx([1.5**2 + 2**2 + 1, 0])
    l_n, l_a, _ = detector._losses(Fixed(), batch(x))
    assert l_n.tolist() == pytest.approx([7.25 + 0.5 * 5, 0])
    assert l_a is None


def test_widths():
    assert widths(AutoEncoder()) == [64, 32, 64, 24]
    assert widths(AutoEncoder("auto")) == [64, 32, 8, 32, 64, 24]
    assert widths(AutoEncoder("auto"), 274)[2] == 10
    assert widths(AutoEncoder("auto"), 1)[2] == 1
    assert widths(AutoEncoder((7, 3))) == [7, 3, 7, 24]
    # specs/deep_unsupervised.md G1
    assert widths(AutoEncoder("rule"), 119) == [59, 29, 14, 3, 14, 29, 59, 119]


def test_a_rule_that_leaves_no_unit_is_refused():
    with pytest.raises(ParameterError, match="n_layers"):
        AutoEncoder("rule").fit(RNG.normal(size=(20, 6)))


def test_the_last_layers_of_both_halves_are_not_activated():
    net = AutoEncoder((4, 2), act_fn="sigmoid", dropout=0.1, batch_norm=True)._build(
        (5,)
    )
    for half in (net.encoder, net.decoder):
        assert isinstance(half[-1], Linear)


def test_a_row_off_the_learnt_line_stands_out():
    t = RNG.uniform(-1, 1, 400)
    X = np.c_[t, t**2, 1 - t]
    narrow = {"hidden": (64, 32, 1), "act_fn": "relu", "batch_norm": False}
    detector = AutoEncoder(**narrow, dropout=0.0, epochs=60, **CPU).fit(X)
    assert detector.anomaly_score([[0.5, 0.9, 0.5]]) > 10 * np.median(
        detector.anomaly_score(X)
    )


def test_contributions_are_squared_errors_in_scaled_columns():
    detector = AutoEncoder(epochs=2, **CPU).fit(TABLE)
    x = detector._tensor(TABLE)
    with torch.no_grad():
        error = x - detector.net_(x)[0]
    assert_allclose(detector.explain(TABLE), error.square().numpy(), rtol=1e-6)


def test_the_penalty_acts_on_the_code():
    """NOTE[DIFF]: on the input, as in the reference code, it would do nothing."""
    lengths = []
    for reg in (0.0, 10.0):
        detector = AutoEncoder(reg=reg, epochs=20, **CPU).fit(TABLE)
        with torch.no_grad():
            lengths.append(detector.net_(detector._tensor(TABLE))[1].norm(dim=1).mean())
    assert lengths[1] < 0.5 * lengths[0]


def test_a_network_of_your_own_for_pictures():
    def conv(shape):
        down = nn.Conv2d(shape[0], 2, 4, stride=4)
        return down, nn.ConvTranspose2d(2, shape[0], 4, stride=4)

    pictures = RNG.integers(0, 256, (20, 1, 8, 8), dtype=np.uint8)
    detector = AutoEncoder(network=conv, epochs=1, **CPU).fit(pictures)
    assert detector.explain(pictures).shape == (20, 8, 8)
    with torch.no_grad():
        x = torch.from_numpy(pictures / np.float32(255))
        error = (x - detector.net_(x)[0]).square().sum((1, 2, 3))
    assert_allclose(detector.anomaly_score(pictures), error.numpy(), rtol=1e-5)


def test_published_networks():
    assert widths(AutoEncoder.preset("paper")) == [60, 30, 10, 1, 10, 30, 60, 24]
    assert AutoEncoder.preset("paper").act_fn == "tanh"
    assert AutoEncoder.preset("reference").scaling == "minmax"
