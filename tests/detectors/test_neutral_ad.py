import math

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from torch.nn.functional import softplus

from whitecrow import NeuTraLAD
from whitecrow.detectors.neutral_ad import (
    TYPES,
    Transformations,
    Views,
    _encoder_widths,
    contrastive_logits,
)

RNG = np.random.default_rng(0)
TABLE = RNG.normal(size=(100, 5))
FAST = {"epochs": 3, "device": "cpu", "random_state": 0}


def pair(codes, temperature):
    """`(l_n, l_a)` of one row whose code and views are given."""
    codes = torch.as_tensor(codes, dtype=torch.float64)
    codes = codes[:, None] if codes.ndim == 2 else codes
    r = contrastive_logits(codes, float(temperature))
    scale = math.log(len(codes) - 1)
    return (softplus(r).mean(-1) / scale).squeeze(), (
        softplus(-r).mean(-1) / scale
    ).squeeze()


ROOT3 = math.sqrt(3) / 2
F = [[1, 0, 0], [1, 1, 0], [1, 0, 1], [0, 1, 1]]
G = [[0, 0, 1], [1, 0, 1], [-0.5, ROOT3, 1], [-0.5, -ROOT3, 1]]


# specs/active_soel.md 14.1
@pytest.mark.parametrize(
    ("views", "temperature", "l_n", "l_a"),
    [
        ([[1, 0], [1, 0], [0, 1]], 1, 0.725970541542, 1.447318061986),
        ([[1, 0], [1, 0], [0, 1]], 0.1, 0.500032748383, 7.713507952829),
        ([[1, 0], [1, 0], [-1, 0]], 1, 0.591559206041, 2.034254246930),
        ([[1, 0], [1, 0], [-1, 0]], 0.1, 0.500000001487, 14.926950384486),
        ([[3, 4], [4, 3], [0, 2]], 1, 0.813246702887, 1.217201314336),
        ([[3, 4], [4, 3], [0, 2]], 0.1, 0.111004638241, 4.150550752730),
        ([[1, 1], [2, 2], [5, 5]], 1, 1, 1),
        ([[1, 1], [2, 2], [5, 5]], 0.1, 1, 1),
        ([[1, 2]] * 4, 1, 1, 0.369070246429),
        ([[1, 2]] * 4, 0.01, 1, 0.369070246429),
        (F, 1, 1.028218772320, 0.371260291869),
        (F, 0.1, 1.864824799923, 0.973607777549),
        (G, 1, 0.744680962250, 0.529827731672),
        (G, 0.1, 0.018644068231, 3.548479544591),
    ],
)
def test_golden_pair(views, temperature, l_n, l_a):
    found = pair(views, temperature)
    assert found[0].item() == pytest.approx(l_n, abs=1e-10)
    # The table has -log(1 - p), which cancels where p is close to 1.
    assert found[1].item() == pytest.approx(l_a, rel=3e-9)


# specs/deep_unsupervised.md 10, G5
@pytest.mark.parametrize(
    ("views", "temperature", "scaled"),
    [
        ([[1, 0], [0, 1], [1, 1]], 0.5, 1.6771203359),
        ([[1, 0], [0, 1], [1, 1]], 0.1, 5.6013096319),
        ([[1, 0], [0, 1], [1, 1]], 0.07, 10.7947136422 / (2 * math.log(2))),
        ([[1, 0], [0, 1], [1, 1]], 1.0, 1.8010874882 / (2 * math.log(2))),
        ([[1, 0], [1, 0], [0, 1], [-1, 0]], 0.5, 1.0562078236),
        ([[0.3, 0.4]] * 12, 0.1, 1.0),
    ],
)
def test_golden_score(views, temperature, scaled):
    assert pair(views, temperature)[0].item() == pytest.approx(scaled, abs=1e-9)


@pytest.mark.parametrize("temperature", [1e-3, 0.1, 1.0, 10.0])
def test_identities(temperature):
    codes = torch.randn(6, 4, 3, generator=torch.Generator().manual_seed(0)).double()
    l_n, l_a = pair(codes, temperature)
    r = contrastive_logits(codes, float(temperature))
    assert_allclose(l_n - l_a, r.mean(-1) / math.log(5))
    assert torch.isfinite(l_n).all()
    assert torch.isfinite(l_a).all()
    factors = torch.tensor([3.0, 1e-3, 7.0, 1e5, 1.0, 2.0]).double().view(6, 1, 1)
    assert_allclose(pair(codes * factors, temperature)[0], l_n)
    assert_allclose(pair(codes[[0, 3, 1, 5, 2, 4]], temperature)[1], l_a)


@pytest.mark.parametrize("size", [1e-9, 1e-3, 1e6, 1e15])
def test_codes_of_any_size_are_directions(size):
    codes = torch.randn(4, 8, 3, generator=torch.Generator().manual_seed(0))
    expected = contrastive_logits(codes, 0.1)
    assert_allclose(
        contrastive_logits(codes * size, 0.1), expected, rtol=1e-3, atol=1e-4
    )


def test_a_code_without_direction_is_finite():
    codes = torch.zeros(4, 2, 3, requires_grad=True)
    contrastive_logits(codes, 0.1).sum().backward()
    assert torch.isfinite(codes.grad).all()


@pytest.mark.parametrize("kind", TYPES)
def test_transformations_one_by_one(kind):
    torch.manual_seed(0)
    views = Transformations(3, 4, 5, kind)
    x = torch.randn(6, 4)
    found = views(x)
    for k in range(3):
        first = views.first[:, k * 5 : (k + 1) * 5]
        out = torch.relu(x @ first) @ views.second[k]
        expected = {
            "mul": torch.sigmoid(out) * x,
            "residual": out + x,
            "forward": out,
        }[kind]
        torch.testing.assert_close(found[k], expected)


def test_the_row_itself_is_code_zero():
    torch.manual_seed(0)
    views, x = Transformations(3, 4, 5, "residual"), torch.randn(6, 4)
    codes = Views(views, torch.nn.Identity())(x)
    assert codes.shape == (4, 6, 4)
    assert torch.equal(codes[0], x)
    torch.testing.assert_close(codes[1:], views(x))


def test_transformations_are_trained_and_kept():
    """In the reference they are neither parameters nor saved."""
    first = NeuTraLAD(**{**FAST, "epochs": 0}).fit(TABLE).net_.state_dict()
    last = NeuTraLAD(**FAST).fit(TABLE).net_.state_dict()
    for name in ("transformations.first", "transformations.second"):
        assert not torch.equal(first[name], last[name])


def test_score_is_the_loss_of_normal_rows():
    detector = NeuTraLAD(temperature=0.5, n_transforms=4, **FAST).fit(TABLE)
    codes = detector.net_(detector._tensor(TABLE))
    expected = pair(codes.double(), 0.5)[0]
    assert_allclose(detector.anomaly_score(TABLE), expected, rtol=1e-4)


@pytest.mark.parametrize(
    ("d", "widths"), [(6, (12,) * 3), (32, (64, 64, 32)), (301, (256, 256, 64))]
)
def test_widths_of_the_encoder(d, widths):
    assert _encoder_widths(d) == widths


def test_one_column():
    X = RNG.normal(size=(50, 1))
    assert np.isfinite(NeuTraLAD(**FAST).fit(X).anomaly_score(X)).all()


def test_published_settings():
    thyroid, kdd = NeuTraLAD.preset("thyroid"), NeuTraLAD.preset("kdd")
    assert thyroid.hidden == (24,) * 5
    assert thyroid.trans_type == "residual"
    assert (kdd.trans_type, kdd.batch_size, kdd.lr) == ("mul", 1000, 5e-4)


# specs/active_soel.md 2.1: transformations and encoder together
@pytest.mark.parametrize(
    ("preset", "d", "total"),
    [("soel-tabular", 9, 2_997), ("soel-features", 2048, 189_857_792)],
)
def test_parameters_of_the_published_networks(preset, d, total):
    with torch.device("meta"):
        net = NeuTraLAD.preset(preset)._build((d,))
    assert sum(p.numel() for p in net.parameters()) == total


@pytest.mark.parametrize("training", [True, False])
def test_deeper_transformations_one_by_one(training):
    torch.manual_seed(0)
    views = Transformations(3, 4, 5, "forward", n_layers=4, batch_norm=True)
    views.train(training)
    x = torch.randn(6, 4)
    found = views(x)
    for k in range(3):
        out = norm(x @ views.first[:, k * 5 : (k + 1) * 5], training)
        for weight in (views.middle_0, views.middle_1):
            out = norm(out @ weight[k], training)
        torch.testing.assert_close(found[k], out @ views.second[k])


def norm(x, training):
    """Normalised by the batch, or by the first running statistics, 0 and 1."""
    if training:
        x = x - x.mean(0)
        return torch.relu(x / (x.var(0, unbiased=False) + 1e-5).sqrt())
    return torch.relu(x / math.sqrt(1 + 1e-5))


def test_a_constant_column_tells_near_from_far():
    plain = NeuTraLAD(scaling="none", **FAST).fit(TABLE)
    assert_allclose(
        plain.anomaly_score(3 * TABLE), plain.anomaly_score(TABLE), atol=1e-4
    )
    told = NeuTraLAD(scaling="none", constant=1.0, **FAST).fit(TABLE)
    assert not np.allclose(
        told.anomaly_score(3 * TABLE), told.anomaly_score(TABLE), atol=1e-2
    )


def test_codes_of_all_views_side_by_side():
    model = NeuTraLAD(n_transforms=4, hidden=(7, 3), **FAST).fit(TABLE)
    codes = model.embed(TABLE)
    assert codes.shape == (100, 5 * 3)
    assert codes.dtype == np.float32
    assert_allclose(
        codes[:, 3:6], model.net_(model._tensor(TABLE))[1].numpy(), rtol=1e-5
    )
