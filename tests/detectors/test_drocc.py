"""DROCC: golden values, the direction of the search, the schedule, and results."""

import inspect
import math

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.metrics import roc_auc_score
from torch.nn.functional import softplus

import whitecrow as wc
from runs import planned
from small_fits import SHORT, X, degenerate, has_effect, reloaded
from whitecrow.data.synthetic import planted
from whitecrow.deep import train
from whitecrow.detectors.drocc import Classifier, descend, drops, project
from whitecrow.errors import ParameterError


class Linear(Classifier):
    """f(x) = 3 x_0 + 4 x_1 - 0.7, whose gradient is known everywhere."""

    def __init__(self):
        super().__init__(2, 1, 1)

    def forward(self, x):
        return x @ torch.tensor([3.0, 4.0]) - 0.7

    def input_gradient(self, x):
        return torch.tensor([3.0, 4.0]).expand(x.shape)


def searcher(n_features=2, **settings):
    model = wc.DROCC(**{**SHORT, **settings})
    model.input_shape_ = (n_features,)
    return model


# ------------------------------------------------------- specs/deep_unsupervised.md, G8


def test_golden_projection():
    h = torch.tensor([[3.0, 4.0], [0.3, 0.4], [1.8, 2.4]])
    expected = [[2.4, 3.2], [1.2, 1.6], [1.8, 2.4]]
    assert_allclose(project(h, 2.0, 2.0), expected, rtol=1e-6)


def test_golden_step_goes_towards_the_normal():
    x = torch.tensor([[0.2, -0.3], [5.0, 7.0]])
    moved = descend(x, Linear().input_gradient(x), 0.01)
    assert_allclose(moved - x, [[-0.006, -0.008]] * 2, atol=1e-6)
    assert (Linear()(moved) < Linear()(x)).all()


def test_golden_loss_of_a_negative():
    assert softplus(torch.tensor(-0.3).double()).item() == pytest.approx(0.5543552445)


def test_golden_zero_gradient_moves_nothing():
    x = torch.tensor([[0.2, -0.3]])
    assert_array_equal(descend(x, torch.zeros_like(x), 0.01), x)
    assert_array_equal(project(torch.zeros(1, 2), 2.0, 2.0), [[0.0, 0.0]])


@pytest.mark.parametrize(
    ("epochs", "expected"),
    [
        (200, {0: 1e-3, 95: 1e-3, 96: 1e-4, 140: 1e-4, 141: 1e-5, 186: 1e-6}),
        (100, {0: 1e-3, 65: 1e-3, 66: 1e-4, 81: 1e-5, 95: 1e-5, 96: 1e-6, 99: 1e-6}),
        (40, {0: 1e-3, 39: 1e-3}),
    ],
)
def test_golden_learning_rates(monkeypatch, epochs, expected):
    model = wc.DROCC(epochs=epochs, only_ce_epochs=50, lr=1e-3)
    rates = []
    monkeypatch.setattr(
        train,
        "train",
        lambda parameters, step, batches, schedule, **names: [
            rates.append(schedule.lr_at(epoch)) or 0.0
            for epoch in range(schedule.epochs)
        ],
    )
    run = planned(model)
    for stage in run.each_stage():
        model._train(run, stage)
    assert len(rates) == epochs
    assert [rates[e] for e in expected] == pytest.approx(list(expected.values()))
    assert len(set(np.diff(np.log10(rates)).round(6))) <= 2  # only drops to a tenth


@pytest.mark.parametrize(
    ("d", "radius"),
    [(6, 1.2247), (65, 4.0311), (119, 5.4544), (120, 5.4772), (274, 8.2765)],
)
def test_golden_radius(d, radius):
    rows = np.random.default_rng(0).normal(size=(9, d))
    model = wc.DROCC(**SHORT).fit(rows)
    assert model.radius_ == pytest.approx(radius, abs=1e-4)


# -------------------------------------------------------------------------- the search


@pytest.mark.parametrize("n_classes", [1, 2])
def test_the_closed_form_is_the_gradient(n_classes):
    torch_ = torch.Generator().manual_seed(0)
    net = Classifier(5, 9, n_classes).double()
    for parameter in net.parameters():
        torch.nn.init.normal_(parameter, generator=torch_)
    x = torch.randn(8, 5, generator=torch_, dtype=torch.float64, requires_grad=True)
    expected = torch.autograd.grad(net(x).sum(), x)[0]
    assert_allclose(net.input_gradient(x).detach(), expected, atol=1e-12)


def test_two_classes_are_a_softmax():
    net = Classifier(3, 4, 2)
    x = torch.randn(6, 3, generator=torch.Generator().manual_seed(0))
    logits = net.last(torch.relu(net.first(x)))
    expected = torch.nn.functional.cross_entropy(
        logits, torch.ones(6).long(), reduction="none"
    )
    assert_allclose(softplus(-net(x)).detach(), expected.detach(), rtol=1e-5)


def test_negatives_are_hard_and_within_reach():
    x = torch.randn(200, 2, generator=torch.Generator().manual_seed(1))
    h = torch.randn(200, 2, generator=torch.Generator().manual_seed(2))
    model = searcher(radius=1.5, gamma=2.0, ascent_steps=37, ascent_step_size=0.2)
    negatives = model._hardest(Linear(), x, h)
    distance = (negatives - x).norm(dim=-1)
    assert distance.min() >= 1.5 - 1e-4
    assert distance.max() <= 3.0 + 1e-4
    lazy = searcher(radius=1.5, gamma=2.0, ascent_steps=0)._hardest(Linear(), x, h)
    assert (Linear()(negatives) < Linear()(lazy)).all()


def test_projections_have_a_period(monkeypatch):
    calls = []

    def spy(h, radius, gamma):
        calls.append((radius, gamma))
        return h

    monkeypatch.setattr("whitecrow.detectors.drocc.project", spy)
    x = torch.zeros(3, 2)
    searcher(radius=1.0, ascent_steps=50, projection_period=10)._hardest(
        Linear(), x, x + 1
    )
    assert calls == [(1.0, 2.0)] * 6


def test_a_saturated_logit_does_not_stop_the_search():
    """The loss of a very anomalous point is flat in float32, the logit is not."""
    x, h = torch.full((1, 2), 1e3), torch.ones(1, 2)
    moved = searcher(ascent_steps=1)._hardest(Linear(), x, h)
    assert Linear()(moved) < Linear()(x + h)


# ---------------------------------------------------------------------------- training


def test_hard_negatives_come_after_the_first_epochs(monkeypatch):
    searched = []
    search = wc.DROCC._hardest

    def spy(self, net, x, h):
        searched.append(len(x))
        return search(self, net, x, h)

    monkeypatch.setattr(wc.DROCC, "_hardest", spy)
    heard = []
    with train.on_log(lambda epoch, record: heard.append((record["stage"], epoch))):
        wc.DROCC(only_ce_epochs=2, **SHORT).fit(X)
    expected = [("cross-entropy", 1), ("cross-entropy", 2), ("hard negatives", 1)]
    assert heard == expected
    assert searched == [32, 32, 6]  # the incomplete batch counts, too


def test_hard_negatives_keep_the_classifier_from_calling_everything_normal():
    rng = np.random.default_rng(1)
    near_a_line = rng.normal(size=(70, 1)) + 0.05 * rng.normal(size=(70, 6))
    beside = rng.normal(size=(200, 6))
    longer = {**SHORT, "epochs": 30, "lr": 0.01}
    only_normal = wc.DROCC(only_ce_epochs=30, **longer).fit(near_a_line)
    robust = wc.DROCC(**longer).fit(near_a_line)
    assert (only_normal.anomaly_score(beside) < -2).all()  # everything is normal
    scores = robust.anomaly_score(beside)
    assert (scores > 0).mean() > 0.9
    assert np.median(scores) > robust.anomaly_score(near_a_line).max()


def test_labels_are_not_used():
    rows, y = planted("global", 300, 6, random_state=0)
    models = [wc.DROCC(**SHORT).fit(rows, labels) for labels in (None, y, 1 - y)]
    scores = [model.anomaly_score(rows) for model in models]
    assert_array_equal(scores[0], scores[1])
    assert_array_equal(scores[0], scores[2])


def test_latent_outlier_exposure_runs_over_it():
    rows, y = planted("global", 600, 6, contamination=0.1, random_state=0)
    inner = wc.DROCC(epochs=20, lr=5e-3, batch_size=64, device="cpu")
    model = wc.LOE(inner, ratio=0.1, warm_up_epochs=5, random_state=0).fit(rows)
    assert roc_auc_score(y, model.anomaly_score(rows)) > 0.95


def test_finds_planted_anomalies():
    rows, y = planted("dependency", 2000, 20, random_state=0)
    model = wc.DROCC(epochs=10, random_state=0, device="cpu").fit(rows)
    assert roc_auc_score(y, model.anomaly_score(rows)) > 0.9


# -------------------------------------------------------------------------- the general


ALTERNATIVES = {
    "radius": 0.5,
    "gamma": 1.0,
    "lamb": 0.1,
    "num_hidden_nodes": 20,
    "num_classes": 2,
    "only_ce_epochs": 1,
    "ascent_steps": 5,
    "ascent_step_size": 0.01,
    "projection_period": 50,
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
    assert has_effect(wc.DROCC, SHORT, parameter, ALTERNATIVES[parameter])


def test_no_parameter_is_forgotten():
    assert set(ALTERNATIVES) == set(inspect.signature(wc.DROCC).parameters) - {"device"}


def test_scores_depend_on_neither_neighbours_nor_order(monkeypatch):
    model = wc.DROCC(**SHORT).fit(X)
    together = model.anomaly_score(X)
    order = np.random.default_rng(1).permutation(len(X))
    assert_allclose(model.anomaly_score(X[order]), together[order], atol=1e-6)
    monkeypatch.setattr(
        "whitecrow.deep.run._PIECE", 6 * 23
    )  # three pieces of 23 rows, one of 1
    assert_allclose(model.anomaly_score(X), together, atol=1e-6)


@pytest.mark.parametrize("preset", wc.DROCC.presets)
def test_presets_run(preset):
    model = wc.DROCC.preset(preset, epochs=2, only_ce_epochs=1, random_state=0).fit(X)
    assert np.isfinite(model.anomaly_score(X)).all()
    published = wc.DROCC.preset(preset)
    assert published.only_ce_epochs == 50
    assert drops(published.epochs, 50)[0] > 50


@pytest.mark.parametrize(("d", "n"), [(1, 7), (2, 1), (6, 33), (274, 7)])
def test_all_shapes(d, n):
    rows = degenerate(n, d)
    model = wc.DROCC(**SHORT).fit(rows)
    assert np.isfinite(model.anomaly_score(rows)).all()
    assert model.radius_ == math.sqrt(d) / 2


def test_scores_survive_a_file(tmp_path):
    model = wc.DROCC(num_classes=2, n_members=2, **SHORT).fit(X)
    loaded = reloaded(model, tmp_path)
    assert_array_equal(loaded.anomaly_score(X), model.anomaly_score(X))
    assert loaded.radius_ == model.radius_


@pytest.mark.parametrize(
    ("parameter", "value"), [("radius", 0.0), ("gamma", 0.5), ("num_classes", 3)]
)
def test_illegal_values_are_named(parameter, value):
    with pytest.raises(ParameterError, match=f"'{parameter}' parameter .* {value!r}"):
        wc.DROCC(**{parameter: value}).fit(X)
