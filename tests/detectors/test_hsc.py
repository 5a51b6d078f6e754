import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from sklearn.base import clone
from sklearn.metrics import roc_auc_score

import whitecrow as wc
from runs import run_of
from whitecrow import HSC
from whitecrow.deep import fit_seeds
from whitecrow.deep.run import TrainingSet
from whitecrow.detectors.hsc import NORMS, distance, outlier_loss
from whitecrow.errors import DataError, ParameterError
from whitecrow.supervision import exposure

RNG = np.random.default_rng(0)
TABLE = RNG.normal(size=(100, 4))
FAST = {"epochs": 4, "device": "cpu", "random_state": 0}

# specs/outlier_exposure.md 8, case A
CODES = torch.tensor(
    [[0, 0, 0], [0.3, -0.4, 0], [1, 2, 2], [-0.3, 0.4, 0], [1, 2, 2], [6, -2, 3]],
    dtype=torch.float64,
)
CODES_Y = torch.tensor([-1, -1, -1, 1, 1, 1], dtype=torch.int8)
CASE_A = {
    "pseudo_huber": (
        [0, 0.1180339887, 2.1622776602, 0.1180339887, 2.1622776602, 6.0710678119],
        [0, 0.1180339887, 2.1622776602, 2.1952192076, 0.1222385376, 0.0023113748],
        0.766680130007,
    ),
    "l1": (
        [0, 0.7, 5, 0.7, 5, 11],
        [0, 0.7, 5, 0.6863410008, 0.0067607484, 0.0000167008],
        1.065519741684,
    ),
    "l2": (
        [0, 0.5, 3, 0.5, 3, 7],
        [0, 0.5, 3, 0.9327521270, 0.0510691799, 0.0009122970],
        0.747455600650,
    ),
    "l2_squared": (
        [0, 0.25, 9, 0.25, 9, 49],
        [0, 0.25, 9, 1.5086915449, 0.0001234164, 0.0],
        1.793135826724,
    ),
}


def test_all_norms_have_golden_values():
    assert set(CASE_A) == set(NORMS)


@pytest.mark.parametrize("norm", NORMS)
def test_golden_losses(norm):
    expected, losses, mean = CASE_A[norm]
    h = distance(CODES, norm)
    assert_allclose(h, expected, atol=1e-9)
    found = torch.where(CODES_Y == 1, outlier_loss(h), h)
    # The table adds 1e-9 within the logarithm.
    assert_allclose(found, losses, atol=1e-8)
    batch = {"l_n": h, "l_a": outlier_loss(h), "y": CODES_Y}
    assert exposure(**batch).item() == pytest.approx(mean, abs=5e-9)
    assert roc_auc_score(CODES_Y == 1, h) == pytest.approx(7 / 9)


def gradient(loss, z):
    z = torch.tensor(z, dtype=torch.float64, requires_grad=True)
    loss(distance(z[None])).sum().backward()
    return z.grad.tolist()


def test_golden_gradients():
    normal = gradient(lambda h: h, [1, 2, 2])
    assert normal == pytest.approx([0.316227766, 0.632455532, 0.632455532])
    outlier = gradient(outlier_loss, [1, 2, 2])
    assert outlier == pytest.approx([-0.0411170801, -0.0822341602, -0.0822341602])
    in_the_mean = np.array(gradient(outlier_loss, [-0.3, 0.4, 0])) / 6
    assert in_the_mean == pytest.approx([0.35696, -0.47595, 0], abs=1e-5)


@pytest.mark.parametrize("norm", NORMS)
def test_golden_outlier_on_the_centre(norm):
    z = torch.zeros(1, 3, dtype=torch.float64, requires_grad=True)
    loss = outlier_loss(distance(z, norm))
    assert loss.item() == pytest.approx(20.7232658369, abs=1e-6)
    loss.sum().backward()
    assert z.grad.abs().sum() == 0


def test_outlier_loss_is_accurate_in_float32():
    h = np.concatenate([np.geomspace(1e-8, 60, 400), [np.log(2)]]).astype(np.float32)
    wide = h.astype(np.float64)
    exact = np.where(h < 1, -np.log(-np.expm1(-wide)), -np.log1p(-np.exp(-wide)))
    assert_allclose(outlier_loss(torch.from_numpy(h)), exact, rtol=3e-6)
    assert (outlier_loss(torch.tensor([1e3, 1e30])) >= 0).all()


def test_pseudo_huber_is_accurate_near_and_far():
    z = torch.tensor([[1e-5, 0], [1e-3, 0], [1e6, 0], [1e15, 0]], dtype=torch.float32)
    assert_allclose(distance(z), [5e-11, 5e-7, 1e6, 1e15], rtol=1e-5)


def test_the_score_does_not_saturate():
    """1 - exp(-h) is 1.0 in float32 from h = 17.4 on."""
    detector = HSC(**FAST).fit(TABLE)
    far = detector.anomaly_score(TABLE[0] * np.array([[1e3], [1e4], [1e5], [1e6]]))
    assert (far > 20).all()
    assert (np.diff(far) > 0).all()


def test_half_of_a_batch_are_outliers(monkeypatch):
    detector, seen = HSC(batch_size=16, **FAST), []
    losses = detector._losses
    monkeypatch.setattr(
        detector, "_losses", lambda net, b: seen.append(b.x.clone()) or losses(net, b)
    )
    detector.fit(TABLE, auxiliary=np.full((3, 4), 50.0))
    assert {len(x) for x in seen} == {32, 8}
    for x in seen:
        assert ((x > 20).all(dim=1).nonzero()[:, 0] >= len(x) / 2).all()
        assert (x > 20).all(dim=1).sum() == len(x) / 2


def outliers_of(detector, x, given=None):
    one = TrainingSet(x, torch.full((len(x),), -1, dtype=torch.int8), given)
    run = run_of([one], [0])
    detector._begin(run)
    return run.outliers


def test_generated_outliers():
    x = torch.tensor(TABLE, dtype=torch.float32)
    uniform = outliers_of(HSC(), x)
    low, high = x.amin(0), x.amax(0)
    margin = 0.1 * (high - low)
    assert uniform.shape == x.shape
    assert ((uniform >= low - margin) & (uniform <= high + margin)).all()
    assert ((uniform < low) | (uniform > high)).any()
    permuted = outliers_of(HSC(synthetic="permuted"), x)
    assert torch.equal(permuted.sort(0)[0], x.sort(0)[0])
    assert not torch.equal(permuted.sort(0)[1][:, 0], permuted.sort(0)[1][:, 1])
    assert torch.equal(uniform, outliers_of(HSC(), x))


def test_given_outliers_are_taken_instead_of_generated_ones():
    given = torch.ones(1, 2)
    assert outliers_of(HSC(), torch.zeros(3, 2), given).tolist() == [[1, 1]]


def test_labelled_normal_rows_cost_what_others_do():
    """NOTE[DIFF]: the reference treats them as outliers."""
    y = np.full(100, np.nan)
    unlabelled = HSC(**FAST).fit(TABLE, y).anomaly_score(TABLE)
    y[:50] = 0
    assert_allclose(HSC(**FAST).fit(TABLE, y).anomaly_score(TABLE), unlabelled, rtol=0)


# ---------------------------------------------------------------------------- pictures


def test_seeds_together_are_seeds_alone_on_pictures():
    """Biases before a normalisation moved by rounding: scores differed by 0.5 %."""
    images = RNG.integers(0, 256, size=(24, 1, 28, 28), dtype=np.uint8)
    detector = HSC(network="lenet_mnist", batch_size=8, **FAST)
    for fit in fit_seeds(detector, [(images, None)] * 2, [3, 4]):
        alone = clone(detector).set_params(random_state=fit.random_state).fit(images)
        assert_allclose(
            fit.anomaly_score(images), alone.anomaly_score(images), rtol=1e-3
        )


# ------------------------------------------------------------------------------- refit


def test_a_refit_takes_outliers_and_never_swaps_them_silently(monkeypatch):
    """It made outliers of its own, whatever `fit` was given."""
    around_four = RNG.normal(4, 0.1, size=(30, 4))
    detector = HSC(**FAST).fit(TABLE, auxiliary=around_four)
    scores = detector.anomaly_score(TABLE)
    with pytest.raises(ParameterError, match=r"refit\(X, y, auxiliary=") as caught:
        detector.refit(TABLE)
    assert "\n" not in str(caught.value)
    assert_allclose(detector.anomaly_score(TABLE), scores, rtol=0)

    seen, losses = [], HSC._losses
    monkeypatch.setattr(
        HSC, "_losses", lambda self, net, b: seen.append(b.x) or losses(self, net, b)
    )
    detector.refit(TABLE, auxiliary=around_four)
    for x in seen:
        assert x[len(x) // 2 :].min() > 2


def test_outliers_of_a_refit_alone_are_remembered(tmp_path):
    detector = HSC(**FAST).fit(TABLE)
    plain = detector.refit(TABLE).anomaly_score(TABLE)
    detector.refit(TABLE, auxiliary=np.full((3, 4), 9.0))
    assert not np.allclose(detector.anomaly_score(TABLE), plain)
    detector.save(tmp_path / "m.crow")
    for one in (detector, wc.load(tmp_path / "m.crow")):
        with pytest.raises(ParameterError, match="was fitted with auxiliary outliers"):
            one.refit(TABLE)
        with pytest.raises(DataError, match=r"3 features|shape"):
            one.refit(TABLE, auxiliary=np.zeros((2, 3)))


def test_a_fit_anew_forgets_that_there_were_outliers():
    detector = HSC(**FAST).fit(TABLE, auxiliary=np.full((3, 4), 9.0)).fit(TABLE)
    assert np.isfinite(detector.refit(TABLE).anomaly_score(TABLE)).all()
