import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from sklearn.metrics import roc_auc_score

from whitecrow import DeepSADOE
from whitecrow.detectors.deep_sad_oe import outlier_loss
from whitecrow.supervision import exposure

# specs/outlier_exposure.md 8, case A
CODES = torch.tensor(
    [[0, 0, 0], [0.3, -0.4, 0], [1, 2, 2], [-0.3, 0.4, 0], [1, 2, 2], [6, -2, 3]],
    dtype=torch.float64,
)
ODD = torch.tensor([-1, -1, -1, 1, 1, 1], dtype=torch.int8)


def test_golden_losses():
    d = CODES.square().sum(-1)
    l_a = outlier_loss(d, 1e-9)
    found = torch.where(ODD == 1, l_a, d)
    expected = [0, 0.25, 9, 3.999999984, 0.1111111111, 0.0204081633]
    assert_allclose(found, expected, atol=1e-9)
    mean = exposure(l_n=d, l_a=l_a, y=ODD).item()
    assert mean == pytest.approx(2.230253209727, abs=1e-9)
    assert roc_auc_score(ODD == 1, d) == pytest.approx(7 / 9)


@pytest.mark.parametrize(
    ("row", "expected"),
    [([1, 2, 2], [-0.0246913580, -0.0493827160, -0.0493827160]), ([0, 0, 0], [0] * 3)],
)
def test_golden_gradients_of_an_outlier(row, expected):
    z = torch.tensor(row, dtype=torch.float64, requires_grad=True)
    outlier_loss(z.square().sum(), 1e-9).backward()
    assert_allclose(z.grad, expected, atol=1e-9)


def test_golden_gradient_in_the_mean():
    z = CODES.clone().requires_grad_()
    d = z.square().sum(-1)
    exposure(l_n=d, l_a=outlier_loss(d, 1e-9), y=ODD).backward()
    assert_allclose(z.grad[3], [1.6, -2.1333333333, 0], atol=1e-7)


def test_the_gradient_of_a_step_is_clipped(monkeypatch):
    from whitecrow.deep import train

    seen, clip = [], train._clip
    monkeypatch.setattr(
        train, "_clip", lambda flat, norm, n: seen.append(norm) or clip(flat, norm, n)
    )
    X = np.random.default_rng(0).normal(size=(40, 3))
    DeepSADOE(epochs=1, device="cpu").fit(X)
    assert seen == [10.0]
    DeepSADOE(epochs=1, clip_norm=None, device="cpu").fit(X)
    assert seen == [10.0]
