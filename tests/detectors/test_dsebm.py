"""DSEBM: golden values, the closed form, both scores, and independence of batches."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.metrics import roc_auc_score

import whitecrow as wc
from small_fits import SHORT, X, degenerate, has_effect, reloaded
from whitecrow.data.synthetic import planted
from whitecrow.deep import device
from whitecrow.detectors.dsebm import Energy, denoising_loss
from whitecrow.errors import ParameterError

# ------------------------------------------------------- specs/deep_unsupervised.md, G6

W_1 = [[1.0, -1.0], [0.5, 2.0], [0.0, 1.0]]
W_2 = [[1.0, 0.0, -1.0], [0.5, 0.5, 0.5]]
B_1, B_2, C_1, C_2 = [0, 0.1, -0.1], [0.2, -0.3], [0, 0.1, 0], [-0.1, 0.05]
POINT = torch.tensor([[0.5, -0.25]], dtype=torch.float64)


def golden(name):
    widths = (2, 3) if name == "one layer" else (2, 3, 2)
    net = Energy(widths, tied=name == "tied").double()
    values = {"weight_0": np.transpose(W_1), "bias_0": B_1, "centre": [0.1, 0.2]}
    if name != "one layer":
        values |= {"weight_1": np.transpose(W_2), "bias_1": B_2}
    if name == "tied":
        values |= {"bias_2": C_1, "bias_3": C_2}
    net.load_state_dict({key: torch.as_tensor(v) for key, v in values.items()})
    return net.requires_grad_(False)


@pytest.mark.parametrize(
    ("name", "energy", "reconstruction", "tolerance"),
    [
        ("one layer", -2.1099602093, [1.0104637765, 0.8593440312], 1e-8),
        ("plain", -2.1950473614, [0.8876229464, -0.3240009487], 1e-6),
        ("tied", -3.4438844163, [0.3421386200, 0.4292791388], 1e-8),
    ],
)
def test_golden_energy_and_reconstruction(name, energy, reconstruction, tolerance):
    found, gradient = golden(name)(POINT)
    assert_allclose(found, [energy], atol=tolerance, rtol=0)
    assert_allclose(POINT - gradient, [reconstruction], atol=tolerance, rtol=0)


@pytest.mark.parametrize(
    ("name", "norm", "loss"),
    [
        ("one layer", 1.2211541454, 0.9696017903),
        ("tied", 0.6973810749, 0.2604511476),
    ],
)
def test_golden_norm_and_denoising_loss(name, norm, loss):
    net = golden(name)
    assert_allclose(net(POINT)[1].norm(), norm, atol=1e-8)
    noisy = POINT + torch.tensor([[0.1, -0.2]])
    assert_allclose(denoising_loss(net, x=POINT, noisy=noisy), [loss], atol=1e-8)


def test_golden_energy_of_a_network_of_zeros():
    net = Energy((2, 3, 2), tied=True).double()
    net.load_state_dict({k: torch.zeros_like(v) for k, v in net.state_dict().items()})
    assert_allclose(net(torch.zeros(1, 2).double())[0].detach(), [-2 * np.log(2)])


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("widths", [(4, 3), (4, 7, 5), (1, 2, 3, 4)])
def test_the_closed_form_is_the_gradient(tied, widths):
    net = Energy(widths, tied=tied).double()
    for parameter in net.parameters():
        torch.nn.init.normal_(parameter, generator=torch.Generator().manual_seed(0))
    x = torch.linspace(-2, 2, 6 * widths[0], dtype=torch.float64).view(6, -1)
    x.requires_grad_()
    energy, gradient = net(x)
    expected = torch.autograd.grad(energy.sum(), x)[0]
    assert_allclose(gradient.detach(), expected, atol=1e-12)


# ------------------------------------------------------------------------------ scores


@pytest.mark.parametrize("metric", ["reconstruction", "energy"])
@pytest.mark.parametrize("n_members", [1, 3])
def test_both_scores_hold_the_one_that_was_asked_for(metric, n_members):
    model = wc.DSEBM(metric, n_members=n_members, **SHORT).fit(X)
    both = model.both_scores(X)
    assert_allclose(getattr(both, metric), model.anomaly_score(X), rtol=1e-6)
    assert not np.allclose(both.energy, both.reconstruction)


def test_contributions_add_up_to_the_reconstruction_score():
    model = wc.DSEBM(n_members=2, **SHORT).fit(X)
    assert_allclose(model.explain(X).sum(axis=1), model.anomaly_score(X), rtol=1e-5)


def test_contributions_add_up_to_the_difference_in_energy():
    model = wc.DSEBM("energy", **SHORT).fit(X)
    typical = model.anomaly_score(model.typical_[None])
    difference = model.anomaly_score(X) - typical
    assert_allclose(model.explain(X).sum(axis=1), difference, atol=0.02)


def test_scores_depend_on_neither_neighbours_nor_order(monkeypatch):
    model = wc.DSEBM(**SHORT).fit(X)
    together = model.anomaly_score(X)
    order = np.random.default_rng(1).permutation(len(X))
    assert_allclose(model.anomaly_score(X[order]), together[order], rtol=1e-5)
    assert_allclose(model.both_scores(X[:1]).reconstruction, together[:1], rtol=1e-5)
    monkeypatch.setattr(
        "whitecrow.deep.run._PIECE", 6 * 23
    )  # three pieces of 23 rows, one of 1
    assert_allclose(model.anomaly_score(X), together, rtol=1e-5)
    assert_allclose(model.both_scores(X).reconstruction, together, rtol=1e-5)


@pytest.mark.parametrize("metric", ["reconstruction", "energy"])
@pytest.mark.parametrize("architecture", ["tied", "plain"])
def test_finds_planted_anomalies(metric, architecture):
    rows, y = planted("global", 2000, 20, random_state=0)
    model = wc.DSEBM(
        metric, architecture=architecture, epochs=5, random_state=0, device="cpu"
    )
    assert roc_auc_score(y, model.fit(rows).anomaly_score(rows)) > 0.95


def test_far_rows_keep_their_order():
    scores = wc.DSEBM(**SHORT).fit(X).anomaly_score([[10.0**k] * 6 for k in range(12)])
    assert (np.diff(scores) > 0).all()
    assert np.isfinite(scores).all()


# ---------------------------------------------------------------------------- training


def test_the_bias_of_the_rows_is_one_trained_vector():
    net = wc.DSEBM(**SHORT).fit(X).net_
    assert net.centre.shape == (6,)
    assert (net.centre != 0).all()


def test_the_noise_of_a_member_depends_on_its_seed_alone():
    alone = [
        wc.DSEBM(**{**SHORT, "random_state": s}, n_members=k).fit(X).loss_curve_
        for s, k in [(5, 1), (5, 3)]
    ]
    assert_allclose(alone[0], alone[1][:, 0], rtol=1e-4)
    assert len(set(device.seeds(5, 3))) == 3


@pytest.mark.parametrize("architecture", ["tied", "plain"])
def test_without_noise_training_flattens_the_energy_at_the_rows(architecture):
    model = wc.DSEBM(
        architecture=architecture,
        noise_std=0.0,
        **{**SHORT, "epochs": 40, "batch_size": 70},
    ).fit(X)
    # With one batch an epoch, the loss is the mean score before each step.
    assert model.loss_curve_[-1] < 0.5 * model.loss_curve_[0]
    assert model.anomaly_score(X).mean() < model.loss_curve_[-1]


ALTERNATIVES = {
    "score_metric": "energy",
    "architecture": "plain",
    "fc_1_out": 5,
    "fc_2_out": 5,
    "noise_std": 0.1,
    "scaling": "robust",
    "epochs": 2,
    "batch_size": 16,
    "lr": 0.01,
    "weight_decay": 0.5,
    "milestones": (1,),
    "n_members": 2,
    "patience": 1,
    "contamination": 0.3,
    "random_state": 1,
}


@pytest.mark.parametrize("parameter", ALTERNATIVES)
def test_every_parameter_has_an_effect(parameter):
    assert has_effect(wc.DSEBM, SHORT, parameter, ALTERNATIVES[parameter])


def test_no_parameter_is_forgotten():
    assert set(ALTERNATIVES) == set(wc.DSEBM().get_params()) - {"device"}


@pytest.mark.parametrize("preset", wc.DSEBM.presets)
def test_presets_run(preset):
    model = wc.DSEBM.preset(preset, epochs=1, random_state=0).fit(X)
    assert np.isfinite(model.anomaly_score(X)).all()


@pytest.mark.parametrize(("d", "n"), [(1, 7), (2, 1), (6, 33), (274, 7)])
def test_all_shapes(d, n):
    rows = degenerate(n, d)
    assert np.isfinite(wc.DSEBM(**SHORT).fit(rows).anomaly_score(rows)).all()


def test_scores_survive_a_file(tmp_path):
    model = wc.DSEBM("energy", architecture="plain", n_members=2, **SHORT).fit(X)
    loaded = reloaded(model, tmp_path)
    assert_array_equal(loaded.anomaly_score(X), model.anomaly_score(X))


@pytest.mark.parametrize(
    ("parameter", "value"),
    [("score_metric", "r"), ("architecture", "untied"), ("noise_std", -1.0)],
)
def test_illegal_values_are_named(parameter, value):
    with pytest.raises(ParameterError, match=f"'{parameter}' parameter .* {value!r}"):
        wc.DSEBM(**{parameter: value}).fit(X)
