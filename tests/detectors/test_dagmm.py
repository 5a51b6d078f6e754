"""DAGMM: the objective, the mixture of all training rows, and what must not happen."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.metrics import roc_auc_score

import whitecrow as wc
from runs import batch
from small_fits import RULE, SHORT, X, blobs, degenerate, has_effect, reloaded
from whitecrow.deep import fit_seeds, mixture
from whitecrow.deep.run import TrainingSet
from whitecrow.errors import ParameterError

# --------------------------------------------------------------------------- objective


@pytest.mark.parametrize(("recon", "divisor"), [("sum", 1), ("mean", 6)])
def test_the_loss_is_the_objective_of_the_paper(recon, divisor):
    model = wc.DAGMM(recon=recon, lambda_1=0.3, lambda_2=0.7, **SHORT).fit(X)
    x = model._tensor(X)
    loss, l_a, _ = model._losses(model.net_, batch(x))
    code = model.net_.encoder(x)
    error = (x - model.net_.decoder(code)).double()
    z, membership, _ = model.net_(x)
    whole = mixture.regularise(mixture.estimate(z, membership), 1e-6)
    expected = (
        error.square().sum(-1).mean() / divisor
        + 0.3 * mixture.energy(z, whole).mean()
        + 0.7 * mixture.penalty(whole)
    )
    assert l_a is None
    assert_allclose(loss.double().mean(), expected, rtol=1e-5)


def test_z_is_the_code_the_relative_distance_and_the_cosine():
    model = wc.DAGMM(latent_dim=2, **SHORT).fit(X)
    x = model._tensor(X)
    code = model.net_.encoder(x)
    x_hat = model.net_.decoder(code)
    distance = (x - x_hat).norm(dim=1) / x.norm(dim=1)
    cosine = torch.cosine_similarity(x, x_hat)
    expected = torch.column_stack([code, distance, cosine])
    assert_allclose(model.latent(X), expected, rtol=1e-4, atol=1e-5)


def test_training_lowers_reconstruction_error_and_energy():
    long = {**SHORT, "epochs": 60, "lr": 0.01}
    for settings in (long, {**long, "lambda_1": 5.0}):
        curve = wc.DAGMM(**settings).fit(X).loss_curve_
        assert curve[-1] < curve[0] - 0.3


# --------------------------------------------------------- mixture of all training rows


def test_dropout_is_off_when_scoring():
    model = wc.DAGMM(dropout=0.9, **SHORT).fit(X)
    assert_array_equal(model.anomaly_score(X), model.anomaly_score(X))


def test_seeds_fitted_together_have_mixtures_of_their_own():
    fits = fit_seeds(
        wc.DAGMM(dropout=0.0, **SHORT), [(X, None), (X[::-1], None)], [1, 2]
    )
    assert all(fit.means_.shape == (1, 4, 7) for fit in fits)
    assert not np.allclose(fits[0].means_, fits[1].means_)


def test_a_component_without_rows_is_revived_and_named():
    model = wc.DAGMM(**SHORT).fit(X)
    net = model.net_
    net.estimation[-1].bias[1] = -1e3
    one = TrainingSet(model._tensor(X), torch.full((len(X),), -1, dtype=torch.int8))
    run = model._run(net, [one], [0], (), ())
    with torch.no_grad(), pytest.warns(UserWarning, match="1 of 4 components"):
        model._end(run)
    assert model.mass_[0, 1] < 1e-6
    z = model.latent(X)
    assert_allclose(model.means_[0, 1], z.mean(axis=0), rtol=1e-6)
    assert_allclose(model.covariances_[0, 1], np.cov(z.T, bias=True), rtol=1e-4)
    assert np.isfinite(model.anomaly_score(X)).all()


# -------------------------------------------------------------------------------- finds


def test_finds_planted_anomalies():
    """1.00 on two seeds when written; the bound is that of the specification."""
    rows, y = blobs(1500, 20)
    model = wc.DAGMM(epochs=40, random_state=0, device="cpu").fit(rows)
    assert roc_auc_score(y, model.anomaly_score(rows)) > 0.95


@pytest.mark.parametrize(("d", "n"), [(1, 7), (2, 1), (6, 33), (274, 7), (6, 1000)])
def test_all_shapes(d, n):
    rows = degenerate(n, d)
    assert np.isfinite(wc.DAGMM(**SHORT).fit(rows).anomaly_score(rows)).all()


# --------------------------------------------------------------------------- parameters

ALTERNATIVES = {
    "n_mixtures": 2,
    "latent_dim": 2,
    "lambda_1": 1.0,
    "lambda_2": 1.0,
    "reg_covar": 0.1,
    "recon": "mean",
    "hidden": (5, 2),
    "n_layers": (RULE, 3),
    "compression_factor": (RULE, 3),
    "ae_act_fn": "tanh",
    "gmm_act_fn": "relu",
    "dropout": 0.0,
    "scaling": "robust",
    "epochs": 2,
    "batch_size": 16,
    "lr": 0.01,
    "weight_decay": 0.5,
    "n_members": 2,
    "patience": 1,
    "contamination": 0.3,
    "random_state": 1,
}


@pytest.mark.parametrize("parameter", ALTERNATIVES)
def test_every_parameter_has_an_effect(parameter):
    assert has_effect(wc.DAGMM, SHORT, parameter, ALTERNATIVES[parameter])


def test_no_parameter_is_forgotten():
    assert set(ALTERNATIVES) == set(wc.DAGMM().get_params()) - {"device"}


@pytest.mark.parametrize(
    ("d", "settings", "widths"),
    [
        (274, {}, [274, 64, 32, 5]),
        (6, {"latent_dim": 2}, [6, 64, 32, 2]),
        (119, {"hidden": "rule", "latent_dim": 1}, [119, 59, 29, 14, 1]),
        (6, {"hidden": (10, 2)}, [6, 10, 2]),
    ],
)
def test_widths(d, settings, widths):
    assert wc.DAGMM(**settings)._widths(d) == widths


@pytest.mark.parametrize("preset", wc.DAGMM.presets)
def test_presets_run(preset):
    rows = np.random.default_rng(0).normal(size=(40, 30))
    model = wc.DAGMM.preset(preset, epochs=1, random_state=0).fit(rows)
    assert np.isfinite(model.anomaly_score(rows)).all()


@pytest.mark.parametrize("n_members", [1, 2])
def test_scores_survive_a_file(tmp_path, n_members):
    model = wc.DAGMM(n_members=n_members, **SHORT).fit(X)
    loaded = reloaded(model, tmp_path)
    assert_array_equal(loaded.anomaly_score(X), model.anomaly_score(X))
    assert_array_equal(loaded.latent(X), model.latent(X))


@pytest.mark.parametrize(
    ("parameter", "value"), [("n_mixtures", 0), ("recon", "max"), ("reg_covar", -1.0)]
)
def test_illegal_values_are_named(parameter, value):
    with pytest.raises(ParameterError, match=f"'{parameter}' parameter .* {value!r}"):
        wc.DAGMM(**{parameter: value}).fit(X)
