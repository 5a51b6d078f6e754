import pytest
import torch
from numpy.testing import assert_allclose
from torch.nn.functional import softplus

from whitecrow.detectors.focal import focused

# specs/outlier_exposure.md 8, case B
LOGITS = torch.tensor([-2, 0, 1.5, -1, 0.5, 3], dtype=torch.float64)
B = softplus(torch.where(torch.arange(6) > 2, -LOGITS, LOGITS))
LOSSES = {
    0.0: ".1269280110 .6931471806 1.7014132780 1.3132616875 .4740769842 .0485873516",
    0.5: ".0438228810 .4901290717 1.5384149093 1.1228645306 .2912934651 .0105811018",
    2.0: ".0018035628 .1732867951 1.1372723156 .7018683034 .0675734905 .0001092833",
    4.0: ".0000256274 .0433216988 .7601846868 .3751111603 .0096317197 .0000002458",
}
MEANS = {
    0.0: 0.726235748810,
    0.5: 0.582850993266,
    2.0: 0.346985625141,
    4.0: 0.198045856464,
}


@pytest.mark.parametrize("gamma", LOSSES)
def test_golden_losses(gamma):
    found = focused(B, gamma)
    assert_allclose(found, [float(x) for x in LOSSES[gamma].split()], atol=1e-9)
    assert found.mean().item() == pytest.approx(MEANS[gamma], abs=1e-9)


def test_golden_extremes():
    right = softplus(torch.tensor(-30.0, dtype=torch.float64))
    assert focused(right, 2.0).item() == pytest.approx(9.3576e-28, rel=1e-4)
    wrong = softplus(torch.tensor(30.0, dtype=torch.float64))
    assert focused(wrong, 2.0).item() == pytest.approx(29.999994, abs=1e-6)


@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0])
def test_gradients_are_finite_at_both_ends(gamma):
    """The power of 0 has an infinite gradient for gamma below 1."""
    b = torch.tensor([0.0, 1e-12, 1e-3, 5.0, 200.0], requires_grad=True)
    focused(b, gamma).sum().backward()
    assert torch.isfinite(b.grad).all()
