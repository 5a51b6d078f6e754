"""SOM-DAGMM: the places of rows on their maps, and all that DAGMM promises."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.metrics import roc_auc_score

import whitecrow as wc
from runs import batch
from small_fits import RULE, SHORT, X, blobs, degenerate, has_effect, reloaded
from whitecrow.deep import device, fit_seeds, mixture
from whitecrow.deep.nets import som
from whitecrow.errors import ParameterError


def nearest(x, weight):
    """Row and column of the nearest neuron in [0, 1], computed with numpy."""
    side = round(len(weight) ** 0.5)
    far = np.linalg.norm(np.asarray(x)[:, None] - np.asarray(weight), axis=2)
    return np.column_stack(np.divmod(far.argmin(axis=1), side)) / (side - 1)


# --------------------------------------------------------------------------- objective


@pytest.mark.parametrize(("recon", "divisor"), [("sum", 1), ("mean", 6)])
def test_the_loss_is_the_objective_of_the_paper(recon, divisor):
    model = wc.SOMDAGMM(recon=recon, lambda_1=0.3, lambda_2=0.7, **SHORT).fit(X)
    x = model._tensor(X)
    loss, l_a, _ = model._losses(model.net_, batch(x, model.net_.maps(x)))
    code = model.net_.mixture.encoder(x)
    error = (x - model.net_.mixture.decoder(code)).double()
    z, membership, _ = model.net_(x)
    whole = mixture.regularise(mixture.estimate(z, membership), 1e-6)
    expected = (
        error.square().sum(-1).mean() / divisor
        + 0.3 * mixture.energy(z, whole).mean()
        + 0.7 * mixture.penalty(whole)
    )
    assert l_a is None
    assert_allclose(loss.double().mean(), expected, rtol=1e-5)


def test_z_is_code_relative_distance_cosine_and_places():
    model = wc.SOMDAGMM(n_soms=2, latent_dim=2, **SHORT).fit(X)
    x = model._tensor(X)
    code = model.net_.mixture.encoder(x)
    x_hat = model.net_.mixture.decoder(code)
    distance = (x - x_hat).norm(dim=1) / x.norm(dim=1)
    cosine = torch.cosine_similarity(x, x_hat)
    places = [nearest(x, weight) for weight in model.net_.maps.weight]
    expected = np.column_stack([code, distance, cosine, *places])
    assert model.latent(X).shape == (70, 8)
    assert_allclose(model.latent(X), expected, rtol=1e-4, atol=1e-5)


def test_training_lowers_reconstruction_error_and_energy():
    long = {**SHORT, "epochs": 60, "lr": 0.01}
    curve = wc.SOMDAGMM(**long).fit(X).loss_curve_
    assert curve[-1] < curve[0] - 0.3


# -------------------------------------------------------------------------------- maps


def test_the_map_is_that_of_the_scaled_training_rows():
    model = wc.SOMDAGMM(n_soms=2, **SHORT).fit(X)
    assert model.som_side_ == som.grid_side(70) == 3
    own = device.seeds(device.seeds(0, 1)[0], 2)
    for weight, seed in zip(model.net_.maps.weight, own, strict=True):
        generator = torch.Generator().manual_seed(seed)
        assert_array_equal(
            weight, som.train_map(model._tensor(X), 3, generator=generator)
        )
    assert not np.allclose(*model.net_.maps.weight)


@pytest.mark.parametrize("n_members", [1, 3])
def test_training_sees_each_row_with_its_own_place(monkeypatch, n_members):
    """Winners are found once, and stay with their rows whatever the order."""
    seen, searched = [], []
    plain, winners = wc.SOMDAGMM._losses, som.winners

    def losses(self, net, step):
        seen.append((net, step))
        return plain(self, net, step)

    def search(x, weight, spare=None):
        if spare is not None:
            searched.append(len(x))
        return winners(x, weight, spare)

    monkeypatch.setattr(wc.SOMDAGMM, "_losses", losses)
    monkeypatch.setattr(som, "winners", search)
    model = wc.SOMDAGMM(n_members=n_members, **SHORT)
    rows = model._check_rows(X, reset=True)
    one = model._training_set(rows, np.full(70, -1, dtype=np.int8), None)
    model._learn(model._first_run([one] * n_members, list(range(n_members))))
    assert searched == [70] * n_members
    for net, step in seen:
        assert_allclose(step.targets, net.maps(step.x))
    assert len(seen) == 3 * 3


def test_test_rows_do_not_move_the_map():
    model = wc.SOMDAGMM(**SHORT).fit(X)
    before = model.net_.maps.weight.clone()
    model.anomaly_score(X * 3)
    assert_array_equal(model.net_.maps.weight, before)


def test_rows_close_to_each_other_have_close_places():
    rows, _ = blobs(600, 8, seed=3)
    model = wc.SOMDAGMM(**{**SHORT, "epochs": 0}).fit(rows)
    places = model.latent(rows)[:, -2:]
    far = np.linalg.norm(rows[:200, None] - rows[None, 200:400], axis=2)
    apart = np.linalg.norm(places[:200, None] - places[None, 200:400], axis=2)
    assert np.corrcoef(far.ravel(), apart.ravel())[0, 1] > 0.5


# --------------------------------------------------------- mixture of all training rows


def test_equal_neurons_do_not_make_scores_depend_on_neighbours():
    """Rows of a few values leave neurons that the same rows pull."""
    rows = np.random.default_rng(0).integers(0, 2, size=(400, 3)).astype(float)
    model = wc.SOMDAGMM(som_side=12, **SHORT).fit(rows)
    assert model.net_.maps.spare.sum() > 20
    alone = np.concatenate([model.anomaly_score(row[None]) for row in rows[:60]])
    assert_allclose(alone, model.anomaly_score(rows)[:60], atol=1e-9)


def test_members_have_maps_of_their_own():
    maps = wc.SOMDAGMM(n_members=3, **SHORT).fit(X).net_.maps.weight
    assert maps.shape == (3, 1, 9, 6)
    assert not np.allclose(maps[0], maps[1])


def test_seeds_fitted_together_have_maps_of_their_own_rows():
    tasks = [(X, None), (3 * X[::-1], None)]
    settings = {**SHORT, "dropout": 0.0, "scaling": "none"}
    fits = fit_seeds(wc.SOMDAGMM(**settings), tasks, [1, 2])
    for fit, (rows, _), seed in zip(fits, tasks, [1, 2], strict=True):
        alone = wc.SOMDAGMM(**{**settings, "random_state": seed}).fit(rows)
        assert_array_equal(fit.net_.maps.weight, alone.net_.maps.weight)
        assert_allclose(fit.anomaly_score(X), alone.anomaly_score(X), rtol=1e-4)


# -------------------------------------------------------------------------------- finds


def test_finds_planted_anomalies():
    """The bound is that of the specification."""
    rows, y = blobs(1500, 20)
    model = wc.SOMDAGMM(epochs=40, random_state=0, device="cpu").fit(rows)
    assert roc_auc_score(y, model.anomaly_score(rows)) > 0.9


@pytest.mark.parametrize("algorithm", som.ALGORITHMS)
@pytest.mark.parametrize(
    ("d", "n"), [(1, 7), (1, 33), (2, 1), (2, 33), (6, 33), (274, 7), (6, 1000)]
)
def test_all_shapes(d, n, algorithm):
    rows = degenerate(n, d)
    model = wc.SOMDAGMM(som_algorithm=algorithm, **SHORT).fit(rows)
    assert np.isfinite(model.anomaly_score(rows)).all()


# --------------------------------------------------------------------------- parameters

ONLINE = {"som_algorithm": "online"}
ALTERNATIVES = {
    "n_soms": 2,
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
    "som_side": 5,
    "som_algorithm": "online",
    "som_epochs": 1,
    "som_lr": (ONLINE, 0.1),
    "scaling": "robust",
    "epochs": 2,
    "batch_size": 16,
    "lr": 0.01,
    "weight_decay": 0.5,
    "n_members": 2,
    "contamination": 0.3,
    "random_state": 1,
}


@pytest.mark.parametrize("parameter", ALTERNATIVES)
def test_every_parameter_has_an_effect(parameter):
    assert has_effect(wc.SOMDAGMM, SHORT, parameter, ALTERNATIVES[parameter])


def test_no_parameter_is_forgotten():
    assert set(ALTERNATIVES) == set(wc.SOMDAGMM().get_params()) - {"device"}


@pytest.mark.parametrize("preset", wc.SOMDAGMM.presets)
def test_presets_run(preset):
    rows = np.random.default_rng(0).normal(size=(40, 30))
    model = wc.SOMDAGMM.preset(preset, epochs=1, random_state=0).fit(rows)
    assert np.isfinite(model.anomaly_score(rows)).all()


@pytest.mark.parametrize("n_members", [1, 2])
def test_scores_and_maps_survive_a_file(tmp_path, n_members):
    model = wc.SOMDAGMM(n_soms=2, n_members=n_members, som_side=4, **SHORT).fit(X)
    loaded = reloaded(model, tmp_path)
    assert_array_equal(loaded.anomaly_score(X), model.anomaly_score(X))
    assert_array_equal(loaded.latent(X), model.latent(X))
    assert_array_equal(loaded.net_.maps.weight, model.net_.maps.weight)
    assert loaded.som_side_ == 4


@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        ("n_soms", 0),
        ("som_side", 0),
        ("som_algorithm", "hexagonal"),
        ("som_epochs", 0),
        ("som_lr", 1.5),
    ],
)
def test_illegal_values_are_named(parameter, value):
    with pytest.raises(ParameterError, match=f"'{parameter}' parameter .* {value!r}"):
        wc.SOMDAGMM(**{parameter: value}).fit(X)
