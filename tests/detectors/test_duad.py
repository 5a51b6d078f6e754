"""DUAD: golden selections, training on what was selected, and when it stops."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import load_breast_cancer
from sklearn.metrics import roc_auc_score
from sklearn.mixture import GaussianMixture

import small_fits
import whitecrow as wc
from runs import batch
from small_fits import RULE, degenerate, has_effect, reloaded, scores_apart
from whitecrow.data.protocols.holdout import holdout
from whitecrow.data.synthetic import planted
from whitecrow.deep import fit_seeds
from whitecrow.detectors import duad
from whitecrow.detectors.duad import cluster_variances, kept_clusters, select
from whitecrow.errors import ParameterError

X = np.random.default_rng(0).normal(size=(80, 6)) @ np.diag([1, 2, 3, 1, 1, 1])
SHORT = {**small_fits.SHORT, "max_rounds": 2, "n_clusters": 5}

# ------------------------------------------------------- specs/deep_unsupervised.md, G9


def test_golden_variances():
    z = np.array([[0, 2, 10, 10.2, 20, 26]]).T
    cluster = np.repeat([0, 1, 2], 2)
    found = cluster_variances(z, cluster, np.array([[1.0], [10.1], [23.0]]))
    assert_allclose(found, [1, 0.01, 9], atol=1e-8)
    for p in (35.0, 30.0):
        assert_array_equal(kept_clusters(found, p)[cluster], [True] * 4 + [False] * 2)


@pytest.mark.parametrize(
    ("variances", "p", "limit", "n_kept"),
    [
        ([1, 0.01, 9], 35.0, 3.4, 2),
        ([1, 0.01, 9], 30.0, 4.2, 2),
        ([1, 2, 3, 4], 35.0, 2.95, 2),
        ([1, 2, 3, 4], 30.0, 3.1, 3),
        (np.arange(20), 35.0, 12.35, 13),
        (np.arange(20), 30.0, 13.3, 14),
        ([1, np.nan, 2, 3, 4, np.nan], 30.0, 3.1, 3),
    ],
)
def test_golden_quantiles(variances, p, limit, n_kept):
    variances = np.array(variances, dtype=float)
    kept = kept_clusters(variances, p)
    assert kept.sum() == n_kept
    assert_array_equal(kept, np.nan_to_num(variances, nan=np.inf) <= limit + 1e-9)


def test_a_cluster_without_rows_has_no_variance():
    found = cluster_variances(np.zeros((2, 3)), np.array([0, 2]), np.ones((3, 3)))
    assert_allclose(found, [3, np.nan, 3])


# ---------------------------------------------------------------------------- selection


def two_tight_groups_and_a_loose_one(n=300):
    rng = np.random.default_rng(0)
    tight = rng.normal(0, 0.1, (n, 2)) + np.where(np.arange(n) % 2, 5, -5)[:, None]
    loose = rng.normal(0, 3, (n // 10, 2)) * [1, 0.2] + [0, 12]
    return np.r_[tight, loose], np.arange(n + n // 10) < n


def test_rows_of_the_widest_cluster_are_left_out():
    z, expected = two_tight_groups_and_a_loose_one()
    found = select(z, p=35.0, n_clusters=3, seed=0)
    assert_array_equal(found.kept, expected)


def test_a_selection_starts_from_the_last_one():
    """Clusters found anew have other numbers, and borders elsewhere."""
    z = np.random.default_rng(1).normal(size=(300, 3))
    first = select(z, p=35.0, n_clusters=8, seed=0)
    again = select(z + 1e-6, p=35.0, n_clusters=8, seed=1, start=first.cluster)
    anew = select(z + 1e-6, p=35.0, n_clusters=8, seed=1)
    assert (again.cluster == first.cluster).mean() > 0.9
    assert (again.kept == first.kept).mean() > (anew.kept == first.kept).mean()


@pytest.mark.parametrize(
    ("n", "clusters"), [(4, 1), (9, 1), (10, 2), (52, 10), (500, 20)]
)
def test_clusters_have_five_rows_each_at_least(monkeypatch, n, clusters):
    fitted = []
    plain = duad._mixture
    monkeypatch.setattr(
        duad, "_mixture", lambda z, k, *a: fitted.append(k) or plain(z, k, *a)
    )
    select(np.random.default_rng(0).normal(size=(n, 2)), p=30.0, n_clusters=20, seed=0)
    assert fitted == ([clusters] if clusters > 1 else [])


@pytest.mark.parametrize(("d", "kind"), [(50, "full"), (51, "diag")])
def test_many_columns_have_diagonal_covariances(d, kind):
    z = np.random.default_rng(0).normal(size=(60, d))
    first = np.arange(60) % 3
    for start in (None, first):
        assert duad._mixture(z, 3, 0, start).covariance_type == kind


def test_a_mixture_is_fitted_to_some_of_many_rows(monkeypatch):
    monkeypatch.setattr(duad, "_MOST_ROWS", 100)
    seen = []
    plain = GaussianMixture.fit
    monkeypatch.setattr(
        GaussianMixture, "fit", lambda self, z: seen.append(len(z)) or plain(self, z)
    )
    z = np.random.default_rng(0).normal(size=(150, 2))
    found = select(z, p=30.0, n_clusters=4, seed=0)
    select(z, p=30.0, n_clusters=4, seed=0, start=found.cluster)
    assert seen == [100, 100]
    assert len(found.kept) == 150


@pytest.mark.parametrize("scale", [0.0, 1e-8, 1e6])
def test_rows_in_any_units_and_equal_rows(scale):
    z = np.repeat(np.random.default_rng(0).normal(size=(20, 3)), 5, axis=0) * scale
    z[:, 2] = 1e6
    first = select(z, p=30.0, n_clusters=6, seed=0)
    again = select(z, p=30.0, n_clusters=6, seed=0, start=first.cluster)
    assert first.kept.any()
    assert again.kept.any()


# ----------------------------------------------------------------------------- training


def test_only_selected_rows_train(monkeypatch):
    kept = np.arange(80) < 30
    trained, asked = [], []

    def fixed(z, *, p, **_):
        asked.append(p)
        return duad.Selection(kept, np.zeros(80, int))

    plain = duad.DUAD._losses

    def losses(self, net, step):
        trained.append(step.x)
        return plain(self, net, step)

    monkeypatch.setattr(duad, "select", fixed)
    monkeypatch.setattr(duad.DUAD, "_losses", losses)
    model = wc.DUAD(40.0, 20.0, **SHORT, r=1).fit(X)
    assert asked == [40, 20, 20, 20]
    rows = torch.cat(trained)
    assert len(rows) == 3 * 30  # three epochs, then the selection has settled
    expected = model._tensor(X)[:30].unique(dim=0)
    assert_allclose(rows.unique(dim=0), expected)
    assert model.stop_reason_ == "converged"


def test_no_epoch_is_lost_to_a_selection():
    model = wc.DUAD(**{**SHORT, "epochs": 5, "max_rounds": 3}, r=2, tol=0.0).fit(X)
    rounds = len(model.loss_curve_) // 5
    assert len(model.loss_curve_) == 5 * rounds
    expected = [0] + [5 * i + e for i in range(rounds) for e in (2, 4, 5)]
    assert_array_equal(model.history_[:, 0], expected)


@pytest.mark.parametrize(
    ("changes", "tol", "rounds", "reason"),
    [
        ([9, 0], 0.0, 2, "converged"),
        ([9, 9, 9, 9], 0.0, 3, "max_rounds"),
        ([4, 0], 0.05, 1, "converged"),
        ([5, 4], 0.05, 2, "converged"),
    ],
)
def test_it_stops_when_the_selection_has_settled(
    monkeypatch, changes, tol, rounds, reason
):
    """Each round adds or takes away as many of the 80 rows."""
    masks = [np.arange(80) < 50]
    for n in changes:
        mask = masks[-1].copy()
        mask[:n] = ~mask[:n]
        masks.append(mask)
    made = iter(masks)
    monkeypatch.setattr(
        duad, "select", lambda z, **_: duad.Selection(next(made), np.zeros(80, int))
    )
    model = wc.DUAD(**{**SHORT, "max_rounds": 3}, tol=tol).fit(X)
    assert model.stop_reason_ == reason
    assert_array_equal(model.history_[1:, 2], changes[:rounds])
    assert_array_equal(model.history_[:, 1], [m.sum() for m in masks[: rounds + 1]])
    assert_array_equal(model.selected_, masks[rounds])


def test_z_is_the_code_and_the_cosine():
    model = wc.DUAD(**SHORT).fit(X)
    x = model._tensor(X)
    code = model.net_.encoder(x)
    cosine = torch.cosine_similarity(x, model.net_.decoder(code))
    assert_allclose(model.net_(x)[1], torch.column_stack([code, cosine]), rtol=1e-5)


def test_the_loss_has_a_penalty_on_z_and_the_score_has_none():
    model = wc.DUAD(reg=2.0, **SHORT).fit(X)
    x = model._tensor(X)
    x_hat, z = model.net_(x)
    error = (x - x_hat).square().sum(1)
    loss, l_a, _ = model._losses(model.net_, batch(x))
    assert l_a is None
    assert_allclose(loss, error + 2 * z.norm(dim=1), rtol=1e-5)
    assert_allclose(model.anomaly_score(X), error, rtol=1e-5)
    assert_allclose(model.explain(X).sum(axis=1), error, rtol=1e-5)


def test_seeds_cannot_be_fitted_together():
    with pytest.raises(ParameterError, match="one by one"):
        fit_seeds(wc.DUAD(**SHORT), [(X, None)] * 2, [0, 1])


# -------------------------------------------------------------------------------- finds


def test_withstands_pollution_better_than_an_autoencoder():
    """AUROC .81 and .74 when written, and alike for other seeds.

    Of one without dropout that trains on; the default has .88.
    """
    cancer = load_breast_cancer()
    rows, y = cancer.data, 1 - cancer.target
    split = holdout(y, pollution=0.1, random_state=0)
    model = wc.DUAD(random_state=0, device="cpu").fit(rows[split.train])
    narrow = {"hidden": (64, 32, 10), "act_fn": "relu", "batch_norm": False}
    plain = wc.AutoEncoder(
        **narrow, dropout=0.0, epochs=50, random_state=0, device="cpu"
    )
    plain.fit(rows[split.train])
    test = rows[split.test]
    found, usual = (
        roc_auc_score(split.y_test, m.anomaly_score(test)) for m in (model, plain)
    )
    assert found > usual + 0.03


def test_selections_leave_scattered_anomalies_out():
    rows, y = planted("global", 1000, 8, contamination=0.1, random_state=0)
    model = wc.DUAD(random_state=0, device="cpu").fit(rows)
    assert y[model.selected_].mean() < 0.5 * y.mean()


def test_finds_planted_anomalies():
    rows, y = planted("global", 1000, 20, contamination=0.05, random_state=0)
    model = wc.DUAD(max_rounds=1, random_state=0, device="cpu").fit(rows)
    assert roc_auc_score(y, model.anomaly_score(rows)) > 0.95


def test_scores_depend_on_neither_neighbours_nor_order():
    model = wc.DUAD(**SHORT).fit(X)
    together = model.anomaly_score(X)
    for apart in scores_apart(model, X):
        assert_allclose(apart, together, rtol=1e-5)


@pytest.mark.parametrize(("d", "n"), [(1, 7), (2, 1), (6, 33), (274, 7), (6, 1000)])
def test_all_shapes(d, n):
    rows = degenerate(n, d)
    assert np.isfinite(wc.DUAD(**SHORT).fit(rows).anomaly_score(rows)).all()


# --------------------------------------------------------------------------- parameters

ALTERNATIVES = {
    "p0": 70.0,
    "p": 70.0,
    "r": 1,
    "n_clusters": 3,
    "tol": 1.0,
    "max_rounds": 1,
    "latent_dim": 1,
    "reg": 0.0,
    "hidden": (5, 3),
    "n_layers": (RULE, 3),
    "compression_factor": (RULE, 3),
    "act_fn": "relu",
    "scaling": "robust",
    "epochs": 2,
    "batch_size": 16,
    "lr": 0.01,
    "weight_decay": 0.5,
    "contamination": 0.3,
    "random_state": 1,
}


@pytest.mark.parametrize("parameter", ALTERNATIVES)
def test_every_parameter_has_an_effect(parameter):
    assert has_effect(wc.DUAD, SHORT, parameter, ALTERNATIVES[parameter], X)


def test_no_parameter_is_forgotten_and_one_is_ignored():
    assert set(ALTERNATIVES) == set(wc.DUAD().get_params()) - {"device", "p_s"}
    scores = [wc.DUAD(p_s=p_s, **SHORT).fit(X).anomaly_score(X) for p_s in (35.0, 5.0)]
    assert_array_equal(*scores)


@pytest.mark.parametrize("preset", wc.DUAD.presets)
def test_presets_run(preset):
    rows = np.random.default_rng(0).normal(size=(40, 30))
    model = wc.DUAD.preset(preset, epochs=1, random_state=0).fit(rows)
    assert np.isfinite(model.anomaly_score(rows)).all()


def test_scores_and_the_selection_survive_a_file(tmp_path):
    model = wc.DUAD(**SHORT).fit(X)
    loaded = reloaded(model, tmp_path)
    assert_array_equal(loaded.anomaly_score(X), model.anomaly_score(X))
    assert_array_equal(loaded.selected_, model.selected_)
    assert_array_equal(loaded.history_, model.history_)
    assert loaded.stop_reason_ == model.stop_reason_


@pytest.mark.parametrize(
    ("parameter", "value"), [("p", 100.0), ("r", 0), ("tol", -0.1)]
)
def test_illegal_values_are_named(parameter, value):
    with pytest.raises(ParameterError, match=f"'{parameter}' parameter .* {value!r}"):
        wc.DUAD(**{parameter: value}).fit(X)
