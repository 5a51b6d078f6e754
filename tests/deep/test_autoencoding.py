"""What autoencoders share: halves that fit together, and the parts of an error."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from torch import nn

import whitecrow as wc
from whitecrow.deep.autoencoding import Reconstruction, halves
from whitecrow.errors import ParameterError

TABLE = np.random.default_rng(0).normal(size=(40, 6))
PICTURES = np.random.default_rng(0).random((12, 3, 8, 8), dtype=np.float32)
SHORT = {"epochs": 2, "device": "cpu", "random_state": 0}
METHODS = [wc.AutoEncoder, wc.RobustAutoEncoder, wc.MemAE]


@pytest.mark.parametrize(
    ("shape", "network"), [((6,), "auto"), ((6,), "mlp"), ((3, 9, 8), "auto")]
)
def test_the_decoder_gives_what_the_encoder_takes(shape, network):
    both = halves(shape, network=network, widths=lambda d: [d, 4, 2], act="tanh")
    x = torch.randn(5, *shape)
    x_hat, code = Reconstruction(*both)(x)
    assert x_hat.shape == x.shape
    assert_array_equal(code.detach(), both[0](x).detach())


def test_a_callable_brings_both_halves():
    own = nn.Linear(6, 2), nn.Linear(2, 6)
    found = halves((6,), network=lambda shape: own, widths=lambda d: [d])
    for half, theirs in zip(found, own, strict=True):
        assert half is not theirs  # a copy: theirs stay as they are
        assert_array_equal(half.weight.detach(), theirs.weight.detach())


def test_a_network_for_pictures_is_not_for_tables():
    with pytest.raises(ParameterError, match="network='lenet' is not for tables"):
        halves((6,), network="lenet", widths=lambda d: [d, 2])


@pytest.mark.parametrize("method", [*METHODS, wc.DUAD])
def test_columns_make_up_the_score(method):
    model = method(**SHORT).fit(TABLE)
    x = model._tensor(TABLE)
    parts = (x - model.net_(x)[0]).square()
    assert_allclose(model.explain(TABLE), parts, rtol=1e-5)
    assert_allclose(model.explain(TABLE).sum(1), model.anomaly_score(TABLE), rtol=1e-5)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("rows", [TABLE, PICTURES], ids=["table", "pictures"])
def test_members_share_in_their_units(method, rows):
    model = method(n_members=2, **SHORT).fit(rows)
    parts = model._contributions(rows)
    assert parts.shape == ((12, 8, 8) if rows is PICTURES else (40, 6))
    total = parts.reshape(len(rows), -1).sum(axis=1)
    assert_allclose(total, model.anomaly_score(rows), rtol=1e-5)
