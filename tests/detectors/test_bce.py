import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from sklearn.metrics import roc_auc_score
from torch.nn.functional import softplus

from whitecrow import BCE
from whitecrow.supervision import exposure

# specs/outlier_exposure.md 8, case B
LOGITS = torch.tensor([-2, 0, 1.5, -1, 0.5, 3], dtype=torch.float64)
ODD = torch.tensor([-1, -1, -1, 1, 1, 1], dtype=torch.int8)


def test_golden_losses():
    losses = {"l_n": softplus(LOGITS), "l_a": softplus(-LOGITS)}
    found = torch.where(ODD == 1, losses["l_a"], losses["l_n"])
    expected = [0.1269280110, 0.6931471806, 1.7014132780]
    expected += [1.3132616875, 0.4740769842, 0.0485873516]
    assert_allclose(found, expected, atol=1e-9)
    assert exposure(**losses, y=ODD).item() == pytest.approx(0.726235748810, abs=1e-9)
    assert roc_auc_score(ODD == 1, LOGITS) == pytest.approx(6 / 9)


def test_the_losses_of_a_fit_are_those_of_its_logit():
    X = np.random.default_rng(0).normal(size=(40, 3))
    model = BCE(epochs=2, device="cpu", random_state=0).fit(X)
    from whitecrow.deep.nets.noise import Noise
    from whitecrow.deep.run import Batch

    x = torch.from_numpy(X).float()
    batch = Batch(x, torch.full((40,), -1), Noise([0], torch.device("cpu")))
    losses = model._losses(model.net_, batch)
    logit = model._score(model.net_, x)
    torch.testing.assert_close(losses.normal, softplus(logit))
    torch.testing.assert_close(losses.anomalous, softplus(-logit))


def test_the_score_does_not_saturate():
    """A sigmoid is 1.0 in float32 from 16.7 on."""
    X = np.random.default_rng(0).normal(size=(100, 4))
    model = BCE(epochs=20, device="cpu", random_state=0)
    model.fit(X, auxiliary=X + 20)
    far = model.anomaly_score((X[:1] + 20) * np.array([[1e2], [1e3], [1e4]]))
    assert (far > 17).all()
    assert (np.diff(far) > 0).all()
