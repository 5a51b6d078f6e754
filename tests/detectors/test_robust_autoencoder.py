import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.metrics import roc_auc_score

import whitecrow as wc
from runs import batch, planned
from whitecrow.deep import fit_seeds
from whitecrow.detectors.robust_autoencoder import RobustAutoEncoder
from whitecrow.errors import ParameterError
from whitecrow.saving import load

FAST = {"epochs": 3, "device": "cpu", "random_state": 0}


@pytest.fixture(scope="module")
def problem():
    """Rows near a plane in 12 columns, and a dense group of anomalies off it: 15 %."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(400, 2)) @ rng.normal(size=(2, 12))
    X += 0.2 * rng.normal(size=X.shape)
    X[340:] = 3 * rng.normal(size=12) + 0.1 * rng.normal(size=(60, 12))
    return X, np.arange(400) >= 340


class Constant(torch.nn.Module):
    """Reconstructs every row by 0 and encodes it as itself."""

    def forward(self, x):
        return torch.zeros_like(x), x


def test_losses():
    detector = RobustAutoEncoder(reg=0.5)
    detector.input_shape_ = (2,)
    x = torch.tensor([[3.0, 4.0], [0.0, 0.0]])
    l_n, l_a, _ = detector._losses(Constant(), batch(x))
    # e = 25 and 0, norms 5 and 0
    assert_allclose(l_n, [25 + 2.5, 0])
    assert_allclose(l_a, [1 / 25 + 2.5, 1e6], rtol=1e-6)
    assert_allclose(detector._score(Constant(), x), [25, 0])
    detector.reg = 0.0
    assert_allclose(
        detector._losses(Constant(), batch(x)).anomalous, [1 / 25, 1e6], rtol=1e-6
    )


@pytest.mark.parametrize(
    ("robust", "expected"),
    [
        ("hard", (1 + 4 + 9 + 1 / 25.0) / 4),
        ("soft", (1 + 4 + 9 + (25 + 1 / 25) / 2) / 4),
        ("refine", (1 + 4 + 9) / 3),
    ],
)
def test_the_rows_with_the_largest_error_count_as_anomalies(robust, expected):
    detector = RobustAutoEncoder(
        ratio=0.25, robust=robust, reg=0.0, warm_up_epochs=3, epochs=10
    )
    warm, main = planned(detector, shape=(1,)).stages
    assert (warm.epochs, main.epochs) == (3, 7)
    x = torch.tensor([[1.0], [2.0], [5.0], [3.0]])
    l_n, l_a, _ = detector._losses(Constant(), batch(x))
    y = torch.full((4,), -1, dtype=torch.int8)
    assert_allclose(main.rule(l_n=l_n, l_a=l_a, y=y), expected, rtol=1e-6)
    assert_allclose(warm.rule(l_n=l_n, l_a=l_a, y=y), (1 + 4 + 9 + 25) / 4)


@pytest.mark.parametrize("robust", ["hard", "refine"])
def test_withstands_anomalies_among_the_training_rows(problem, robust):
    X, anomaly = problem
    settings = {"epochs": 20, "device": "cpu", "random_state": 0}
    scores = RobustAutoEncoder(robust=robust, **settings).fit(X).anomaly_score(X)
    assert roc_auc_score(anomaly, scores) > 0.99
    plain = wc.AutoEncoder(**settings).fit(X).anomaly_score(X)
    assert roc_auc_score(anomaly, plain) < 0.3
    shuffled = np.random.default_rng(0).permutation(anomaly)
    assert roc_auc_score(shuffled, scores) < 0.7


@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        ("hidden", (8, 2)),
        ("ratio", 0.4),
        ("robust", "soft"),
        ("warm_up_epochs", 0),
        ("reg", 0.0),
        ("act_fn", "tanh"),
        ("scaling", "minmax"),
        ("epochs", 4),
        ("batch_size", 32),
        ("lr", 1e-2),
        ("weight_decay", 0.1),
        ("n_members", 2),
    ],
)
def test_every_parameter_has_an_effect(problem, parameter, value):
    X, _ = problem
    usual = RobustAutoEncoder(**FAST).fit(X).anomaly_score(X)
    changed = RobustAutoEncoder(**{**FAST, parameter: value}).fit(X).anomaly_score(X)
    assert np.abs(changed / usual - 1).max() > 1e-4


def test_the_reference_preset():
    detector = RobustAutoEncoder.preset("reference")
    assert (detector.reg, detector.robust, detector.warm_up_epochs) == (0.5, "hard", 0)


def test_contributions_add_up_to_the_score(problem):
    X, _ = problem
    for n_members in (1, 3):
        detector = RobustAutoEncoder(n_members=n_members, **FAST).fit(X)
        parts = detector.explain(X[:9])
        assert_allclose(parts.sum(axis=1), detector.anomaly_score(X[:9]), rtol=1e-5)


def test_seeds_side_by_side_are_those_one_by_one(problem):
    X, _ = problem
    detector = RobustAutoEncoder(**FAST)
    fits = fit_seeds(detector, [(X, None)] * 2, seeds=[0, 1])
    alone = RobustAutoEncoder(**{**FAST, "random_state": 1}).fit(X)
    assert_allclose(fits[1].anomaly_score(X), alone.anomaly_score(X), rtol=1e-3)


def test_row_order_and_company_do_not_matter_when_scoring(problem):
    X, _ = problem
    detector = RobustAutoEncoder(**FAST).fit(X)
    scores = detector.anomaly_score(X)
    assert_allclose(detector.anomaly_score(X[::-1])[::-1], scores, rtol=1e-5)
    assert_allclose(detector.anomaly_score(X[:1]), scores[:1], rtol=1e-5)


@pytest.mark.parametrize("n", [1, 7, 65])
@pytest.mark.parametrize("d", [1, 2, 6, 274])
def test_any_shape(n, d):
    X = np.random.default_rng(0).normal(size=(n, d))
    X[:, -1] = 3.0
    X[0] = 0
    detector = RobustAutoEncoder(**FAST).fit(X)
    far = X[-1:] + np.array([[1e2], [1e6], [1e10]])
    scores = detector.anomaly_score(np.concatenate([X, far]))
    assert np.isfinite(scores).all()
    assert (np.diff(scores[-3:]) > 0).all()


def test_latent_outlier_exposure_takes_it(problem):
    X, _ = problem
    inner = RobustAutoEncoder(epochs=30, lr=5e-3, reg=0.0, device="cpu")
    ours = RobustAutoEncoder(
        epochs=30, lr=5e-3, reg=0.0, device="cpu", random_state=0
    ).fit(X)
    theirs = wc.LOE(inner, ratio=0.2, variant="hard", random_state=0).fit(X)
    # The same rule, stages and seed: the same network.
    assert_array_equal(theirs.anomaly_score(X), ours.anomaly_score(X))


def test_pictures():
    pictures = np.random.default_rng(0).integers(0, 40, (20, 1, 28, 28), dtype=np.uint8)
    detector = RobustAutoEncoder(**{**FAST, "epochs": 1}).fit(pictures)
    odd = pictures[:1].copy()
    odd[0, 0, 10:20, 10:20] = 255
    assert detector.anomaly_score(odd) > detector.anomaly_score(pictures).max()
    assert detector.explain(odd).shape == (1, 28, 28)


def test_saved_and_loaded_scores_are_equal(problem, tmp_path):
    X, _ = problem
    detector = RobustAutoEncoder(**FAST).fit(X)
    detector.save(tmp_path / "robust.crow")
    loaded = load(tmp_path / "robust.crow")
    assert_array_equal(loaded.anomaly_score(X), detector.anomaly_score(X))
    assert_array_equal(loaded.explain(X[:3]), detector.explain(X[:3]))


def test_a_picture_network_is_not_for_tables(problem):
    with pytest.raises(ParameterError, match="network='lenet' is not for tables"):
        RobustAutoEncoder(network="lenet").fit(problem[0])


@pytest.mark.parametrize(
    ("parameter", "value"), [("ratio", 1.0), ("robust", "l21"), ("reg", -1.0)]
)
def test_illegal_values_are_named(problem, parameter, value):
    with pytest.raises(ParameterError, match=f"'{parameter}' parameter .* {value!r}"):
        RobustAutoEncoder(**{parameter: value}).fit(problem[0])
