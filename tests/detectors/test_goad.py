"""GOAD: the formulas, rows that do not touch each other, centres, and results."""

import inspect

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.metrics import roc_auc_score
from torch.nn.functional import cross_entropy, log_softmax, softplus

import small_fits
import whitecrow as wc
from runs import batch
from small_fits import X, degenerate, has_effect, reloaded
from whitecrow.data.synthetic import planted
from whitecrow.deep import device, train
from whitecrow.detectors.goad import Features, closeness, log_odds, triplet_centre
from whitecrow.errors import ParameterError

SHORT = {**small_fits.SHORT, "n_transforms": 5}


def draw(*shape):
    generator = torch.Generator().manual_seed(len(shape))
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


# ---------------------------------------------------------------------------- formulas


def test_maps_are_affine_and_rows_stay_apart():
    """The einsum 'bd,mdr->bmr' of the specification, plus the shift of each map."""
    settings = {"n_maps": 4, "width": 3, "hidden": 2, "n_layers": 0, "shift": 0.5}
    net = Features(5, **settings).double()
    x = draw(7, 5)
    views = torch.einsum("bd,dmr->bmr", x, net.maps.view(5, 4, 3))
    views = views + net.shifts.view(4, 3)
    expected = views @ net.trunk[0].weight
    assert_allclose(net.features(x).detach(), expected.detach(), atol=1e-12)


def test_maps_are_fixed():
    untrained = wc.GOAD(**{**SHORT, "epochs": 0}).fit(X).net_
    trained = wc.GOAD(**SHORT).fit(X).net_
    assert_array_equal(trained.maps, untrained.maps)
    assert_array_equal(trained.shifts, untrained.shifts)
    assert not np.allclose(trained.trunk[0].weight, untrained.trunk[0].weight)


def test_maps_and_shifts_have_their_distributions():
    settings = {"n_maps": 100, "width": 50, "hidden": 2, "n_layers": 0}
    with device.seeded(0):
        net = Features(16, shift=0.5, **settings)
    assert net.maps.std() == pytest.approx(1, abs=0.02)
    assert net.shifts.std() == pytest.approx(0.5 * 4, abs=0.05)


def test_closeness_is_distance_but_for_the_length():
    f, c = draw(6, 4, 3), draw(4, 3)
    distances = (f[:, :, None] - c).square().sum(-1)
    expected = f.square().sum(-1, keepdim=True) - distances
    assert_allclose(closeness(f, c), expected, atol=1e-12)


def test_triplet_loss():
    f, c = draw(6, 4, 3), draw(4, 3)
    d = (f[:, :, None] - c).square().sum(-1).numpy()
    expected = [
        [max(0, row[m, m] + 0.7 - np.delete(row[m], m).min()) for m in range(4)]
        for row in d
    ]
    assert_allclose(triplet_centre(closeness(f, c), 0.7), expected, atol=1e-12)


def test_log_odds_are_cross_entropy():
    logits = draw(6, 4, 4)
    targets = torch.arange(4).repeat(6)
    expected = cross_entropy(logits.flatten(0, 1), targets, reduction="none")
    assert_allclose(softplus(log_odds(logits)).flatten(), expected, atol=1e-12)


@pytest.mark.parametrize("eps", [0.0, 0.05, 30.0])
def test_score_of_the_paper(eps):
    model = wc.GOAD(eps=eps, **SHORT).fit(X)
    with torch.no_grad():
        features = model.net_.features(model._tensor(X)).double()
    distances = (features[:, :, None] - model.net_.centres).square().sum(-1)
    log_p = log_softmax(-distances.clamp(min=eps), dim=-1)
    expected = -log_p.diagonal(dim1=1, dim2=2).sum(-1)
    assert_allclose(model.anomaly_score(X), expected, rtol=1e-3)


def test_centres_are_means_over_all_rows_after_training(monkeypatch):
    model = wc.GOAD(**SHORT).fit(X)
    with torch.no_grad():
        expected = model.net_.features(model._tensor(X)).mean(0)
    assert_allclose(model.net_.centres, expected, atol=1e-5)
    monkeypatch.setattr("whitecrow.deep.run._PIECE", 13 * 5 * 32)  # 13 rows at a time
    piecewise = wc.GOAD(**SHORT).fit(X).net_
    assert_allclose(piecewise.centres, expected, atol=1e-5)


def test_a_row_trains_itself_alone():
    """Without the centres of a batch, a loss depends on no other row."""
    model = wc.GOAD(lamb=0.0, **SHORT).fit(X)
    x = model._tensor(X)
    changed = x.clone()
    changed[3] += 1
    before, after = (model._losses(model.net_, batch(r)).normal for r in (x, changed))
    differs = (before - after).abs() > 1e-5
    assert differs.nonzero().flatten().tolist() == [3]


def test_batch_centres_enter_the_loss_with_lamb():
    model = wc.GOAD(**SHORT).fit(X)
    x = model._tensor(X)
    plain = wc.GOAD(**{**SHORT, "lamb": 0.0})
    features, logits = model.net_(x)
    centres = features.mean(0)
    extra = triplet_centre(closeness(features, centres), 1.0).mean(-1)
    expected = plain._losses(model.net_, batch(x)).normal + 0.1 * extra
    assert_allclose(model._losses(model.net_, batch(x)).normal, expected, rtol=1e-5)
    assert logits.shape == (70, 5, 5)


# ------------------------------------------------------------------------------ scores


def test_scores_depend_on_neither_neighbours_nor_order(monkeypatch):
    model = wc.GOAD(**SHORT).fit(X)
    together = model.anomaly_score(X)
    order = np.random.default_rng(1).permutation(len(X))
    assert_allclose(model.anomaly_score(X[order]), together[order], rtol=1e-4)
    # The batches of one class that flattered the reference code change nothing.
    assert_allclose(model.anomaly_score(np.repeat(X[:1], 9, 0)), together[0], rtol=1e-4)
    monkeypatch.setattr(
        "whitecrow.deep.run._PIECE", 23 * 5 * 32
    )  # three pieces of 23 rows, one of 1
    assert [len(piece) for piece in model._pieces(X)] == [23, 23, 23, 1]
    assert_allclose(model.anomaly_score(X), together, rtol=1e-4)


def test_typical_rows_do_not_tie():
    rows, _ = planted("local", 2000, 6, contamination=0.0, random_state=0)
    model = wc.GOAD(num_hidden_nodes=32, shift=3.0, random_state=0, device="cpu")
    scores = model.fit(rows).anomaly_score(rows)
    assert scores.min() < 1e-40  # below what float32 can hold
    assert len(np.unique(scores)) > 0.99 * len(rows)


def test_without_a_shift_the_centres_of_a_linear_trunk_coincide():
    def centres(shift):
        model = wc.GOAD(shift=shift, n_layers=0, **SHORT).fit(X)
        with torch.no_grad():
            size = model.net_.features(model._tensor(X)).norm(dim=-1).mean()
        return model.net_.centres.norm(dim=-1) / size

    assert (centres(0.0) < 1e-5).all()
    assert (centres(0.5) > 0.1).all()


@pytest.mark.parametrize("kind", ["global", "dependency"])
def test_finds_planted_anomalies(kind):
    rows, y = planted(kind, 2000, 20, random_state=0)
    model = wc.GOAD(random_state=0, device="cpu").fit(rows)
    assert roc_auc_score(y, model.anomaly_score(rows)) > 0.9


def test_an_ensemble_has_maps_of_its_own():
    net = wc.GOAD(n_members=3, **SHORT).fit(X).net_
    assert net.maps.shape == (3, 6, 5 * 32)
    assert net.centres.shape == (3, 5, 8)
    assert not np.allclose(net.maps[0], net.maps[1])
    assert not np.allclose(net.centres[0], net.centres[1])


# -------------------------------------------------------------------------- the general


ALTERNATIVES = {
    "n_transforms": 4,
    "feature_space": 7,
    "shift": 1.0,
    "num_hidden_nodes": 3,
    "n_layers": 0,
    "lamb": 5.0,
    "margin": 9.0,
    "eps": 10.0,
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
    assert has_effect(wc.GOAD, SHORT, parameter, ALTERNATIVES[parameter])


def test_no_parameter_is_forgotten():
    assert set(ALTERNATIVES) == set(inspect.signature(wc.GOAD).parameters) - {"device"}


def test_adam_forgets_quickly(monkeypatch):
    seen, plain = [], train.train

    def spy(parameters, step, batches, schedule, **names):
        seen.append(schedule.betas)
        return plain(parameters, step, batches, schedule, **names)

    monkeypatch.setattr(train, "train", spy)
    wc.GOAD(**SHORT).fit(X)
    assert seen == [(0.5, 0.999)]


@pytest.mark.parametrize("preset", wc.GOAD.presets)
def test_presets_run(preset):
    model = wc.GOAD.preset(preset, n_transforms=8, epochs=1, random_state=0).fit(X)
    assert np.isfinite(model.anomaly_score(X)).all()


@pytest.mark.parametrize(("d", "n"), [(1, 7), (2, 1), (6, 33), (274, 7)])
def test_all_shapes(d, n):
    rows = degenerate(n, d)
    assert np.isfinite(wc.GOAD(**SHORT).fit(rows).anomaly_score(rows)).all()


def test_scores_survive_a_file(tmp_path):
    model = wc.GOAD(n_members=2, **SHORT).fit(X)
    loaded = reloaded(model, tmp_path)
    assert_array_equal(loaded.anomaly_score(X), model.anomaly_score(X))


@pytest.mark.parametrize(
    ("parameter", "value"), [("n_transforms", 1), ("n_layers", -1), ("lamb", -0.1)]
)
def test_illegal_values_are_named(parameter, value):
    with pytest.raises(ParameterError, match=f"'{parameter}' parameter .* {value!r}"):
        wc.GOAD(**{parameter: value}).fit(X)
