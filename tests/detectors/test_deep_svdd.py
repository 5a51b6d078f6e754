import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from sklearn.datasets import load_digits
from torch import nn

from runs import batch
from whitecrow import AutoEncoder, DeepSVDD
from whitecrow.deep import train
from whitecrow.detectors.deep_svdd import radius, soft_boundary
from whitecrow.metrics import auroc

RNG = np.random.default_rng(0)
TABLE = RNG.normal(size=(200, 5))
FAST = {"epochs": 5, "pretrain": False, "device": "cpu", "random_state": 0}
SQUARES = torch.tensor([1.0, 4.0, 9.0, 16.0, 25.0])


# specs/deep_unsupervised.md 10, G11
@pytest.mark.parametrize(("nu", "expected"), [(0.1, 4.6), (0.2, 4.2)])
def test_golden_radius(nu, expected):
    assert radius(SQUARES, nu).item() == pytest.approx(expected)


def test_golden_soft_boundary():
    y = torch.full((5,), -1).char()
    loss = soft_boundary(0.2)(l_n=SQUARES, l_a=None, y=y)
    assert loss.item() == pytest.approx(25.0)
    stack = torch.stack([SQUARES, 4 * SQUARES])
    loss = soft_boundary(0.2)(l_n=stack, l_a=None, y=y.expand(2, 5))
    assert loss.tolist() == pytest.approx([25.0, 100.0])


def test_only_rows_outside_of_the_boundary_have_a_gradient():
    d = SQUARES.clone().requires_grad_()
    soft_boundary(0.2)(l_n=d, l_a=None, y=torch.full((5,), -1).char()).backward()
    # 1 / nu n for the one row outside; the radius is solved, not trained.
    assert d.grad.tolist() == pytest.approx([0, 0, 0, 0, 1.0])


def test_the_score_is_the_squared_distance_to_the_centre():
    detector = DeepSVDD(**FAST).fit(TABLE)
    x = detector._tensor(TABLE)
    codes = detector.net_.encoder(x)
    expected = (codes - detector.net_.centre).square().sum(1)
    assert_allclose(detector.anomaly_score(TABLE), expected.numpy(), rtol=1e-5)
    l_n, l_a, _ = detector._losses(detector.net_, batch(x))
    assert_allclose(l_n, expected.numpy(), rtol=1e-5)
    assert_allclose(l_a, 1 / (expected + 1.0).numpy(), rtol=1e-5)


@pytest.mark.parametrize("nu", [0.05, 0.3])
def test_the_radius_leaves_nu_outside(nu):
    detector = DeepSVDD("soft-boundary", nu=nu, warm_up_epochs=2, **FAST).fit(TABLE)
    assert detector.radius_.shape == (1,)
    outside = np.sqrt(detector.anomaly_score(TABLE)) > detector.radius_[0]
    assert outside.mean() == pytest.approx(nu, abs=0.01)


def test_the_centre_is_computed_anew_in_every_fit():
    """The reference keeps that of its first run."""
    settings = {**FAST, "scaling": "none", "batch_norm": False}
    detector = DeepSVDD(**settings).fit(TABLE + 5)
    first = detector.net_.centre.clone()
    detector.fit(TABLE - 20)
    assert not torch.equal(detector.net_.centre, first)
    again = DeepSVDD(**settings).fit(TABLE - 20)
    assert torch.equal(detector.net_.centre, again.net_.centre)


def test_no_layer_has_a_bias():
    net = DeepSVDD(**FAST).fit(TABLE).net_
    assert all(parameter.ndim == 2 for parameter in net.parameters())


def test_pretraining_comes_first_and_is_reported():
    heard = []
    with train.on_log(lambda epoch, record: heard.append(record["stage"])):
        DeepSVDD(pretrain=True, epochs=2, pretrain_epochs=3, device="cpu").fit(TABLE)
    assert heard == ["pretraining"] * 3 + ["one-class"] * 2


@pytest.mark.parametrize(
    ("rows", "network", "first"),
    [
        (TABLE, "auto", "one-class"),
        (RNG.integers(0, 256, (20, 1, 8, 8), np.uint8), "auto", "pretraining"),
        (
            RNG.integers(0, 256, (20, 1, 8, 8), np.uint8),
            lambda shape: nn.Sequential(nn.Flatten(), nn.Linear(64, 2, bias=False)),
            "one-class",
        ),
    ],
    ids=["table", "pictures", "own network"],
)
def test_pictures_are_pretrained_and_tables_are_not(rows, network, first):
    heard = []
    with train.on_log(lambda epoch, record: heard.append(record["stage"])):
        DeepSVDD(network=network, epochs=1, pretrain_epochs=1, device="cpu").fit(rows)
    assert heard[0] == first


@pytest.mark.parametrize("cls", [DeepSVDD, AutoEncoder])
def test_a_hundred_pictures_are_learnt(cls):
    """Ten epochs, right for tables, ranked other digits *below* a one (AUROC 0.2)."""
    X, y = load_digits(return_X_y=True)
    X = (X.reshape(-1, 1, 8, 8) * 15.9).astype(np.uint8)
    train = np.flatnonzero(y == 1)[:100]
    model = cls(device="cpu", random_state=0).fit(X[train])
    test = np.setdiff1d(np.arange(len(y)), train)
    assert auroc(y[test] != 1, model.anomaly_score(X[test])) > 0.8
    assert len(model.loss_curve_) == 50
    assert len(cls(device="cpu").fit(TABLE).loss_curve_) == 10


def test_collapse_is_noticed():
    """Biases and bounded units let a constant reach the centre."""
    collapsing = DeepSVDD(
        bias=True,
        act_fn="sigmoid",
        batch_norm=False,
        epochs=200,
        weight_decay=0.1,
        hidden="auto",
    )
    collapsing.set_params(lr=0.03, pretrain=False, device="cpu", random_state=0)
    with pytest.warns(UserWarning, match="hypersphere collapse"):
        collapsing.fit(TABLE)


def test_a_healthy_fit_does_not_warn():
    DeepSVDD(**{**FAST, "epochs": 60}).fit(TABLE)
