"""MemAE: golden values, a memory that is trained and saved, shrinkage that shrinks."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.metrics import roc_auc_score
from torch import nn

import whitecrow as wc
from runs import batch
from small_fits import RULE, SHORT, X, degenerate, has_effect, reloaded, scores_apart
from whitecrow.data.synthetic import planted
from whitecrow.detectors.mem_ae import Memory, Recall, address, entropy, shrink
from whitecrow.errors import ParameterError

PICTURES = np.random.default_rng(0).integers(0, 256, (12, 1, 8, 8), dtype=np.uint8)

# ------------------------------------------------------- specs/deep_unsupervised.md, G4

QUERY = torch.tensor([[1.0, 0.0]], dtype=torch.float64)
ITEMS = torch.tensor([[1, 0], [0, 1], [-1, 0], [0.5, 0.5]], dtype=torch.float64)
WEIGHTS = {
    False: [0.4739908463, 0.1743714876, 0.0641476854, 0.2874899807],
    True: [0.4445794918, 0.1635516550, 0.0601672914, 0.3317015618],
}
TOP = [1.0, 0.0, 0.0, 0.0]


@pytest.mark.parametrize(
    ("cosine", "h", "recalled"),
    [
        (False, 1.1929791180, [0.5535881512, 0.3181164780]),
        (True, 1.1916657818, [0.5502629812, 0.3294024359]),
    ],
)
def test_golden_addressing(cosine, h, recalled):
    w = address(QUERY, ITEMS, cosine=cosine)
    assert_allclose(w, [WEIGHTS[cosine]], atol=1e-8)
    assert_allclose(entropy(w), [h], atol=1e-8)
    assert_allclose(w @ ITEMS, [recalled], atol=1e-8)


@pytest.mark.parametrize(
    ("cosine", "threshold", "w", "h"),
    [
        (False, 0.2, [0.6224593312, 0, 0, 0.3775406688], 0.6628473183),
        (False, 0.3, TOP, 0.0),
        (False, 0.5, TOP, 0.0),  # all weights are below: the largest keeps its item
        (True, 0.2, [0.5727042928, 0, 0, 0.4272957072], 0.6825377790),
        (True, 0.25, [0.5727042928, 0, 0, 0.4272957072], 0.6825377790),
        (True, 0.3, [0.5727042928, 0, 0, 0.4272957072], 0.6825377790),
    ],
)
def test_golden_shrinkage(cosine, threshold, w, h):
    found = shrink(address(QUERY, ITEMS, cosine=cosine), threshold)
    assert_allclose(found, [w], atol=1e-8)
    assert_allclose(entropy(found), [h], atol=1e-8)
    expected = np.array([w]) @ ITEMS.numpy()
    assert_allclose(found @ ITEMS, expected, atol=1e-8)


@pytest.mark.parametrize(
    ("recon", "loss"), [("sum", 0.0914273183), ("mean", 0.0457819129)]
)
def test_golden_loss(recon, loss):
    """Encoder and decoder are the identity."""
    memory = Memory(4, 2, threshold=0.2, cosine=True)
    memory.items = nn.Parameter(ITEMS)
    model = wc.MemAE(recon=recon, alpha=2e-4)
    model.input_shape_ = (2,)
    net = Recall(nn.Identity(), memory, nn.Identity())
    found = model._losses(net, batch(QUERY)).normal
    assert_allclose(found.detach(), [loss], atol=1e-8)
    assert_allclose(model._score(net, QUERY).detach(), [0.0912908107], atol=1e-8)


def test_a_threshold_below_all_weights_shrinks_nothing():
    """The reference's threshold of 0.0025, for 2000 items, does nothing to 50."""
    w = torch.full((1, 50), 0.02)
    assert_allclose(shrink(w, 0.0025), w)


def test_auto_is_one_nth():
    assert wc.MemAE(mem_dim=40)._memory(3).threshold == 1 / 40
    assert wc.MemAE(mem_dim=40, shrink_thres=0.1)._memory(3).threshold == 0.1


# ------------------------------------------------------------------------------- memory


def test_gradients_reach_what_is_kept_and_are_tame_at_the_threshold():
    w = torch.tensor([[0.4, 0.3, 0.2, 0.1]], dtype=torch.float64, requires_grad=True)
    shrink(w, 0.2).square().sum().backward()
    assert torch.isfinite(w.grad).all()
    assert (w.grad[0, :2] != 0).all()
    assert_array_equal(w.grad[0, 2:], [0, 0])
    assert w.grad.abs().max() < 10


def test_members_side_by_side_equal_members_alone():
    z, items = torch.randn(3, 7, 4), torch.randn(3, 5, 4)
    for cosine in (True, False):
        together = shrink(address(z, items, cosine=cosine), 0.2)
        for i in range(3):
            alone = shrink(address(z[i], items[i], cosine=cosine), 0.2)
            assert_allclose(together[i], alone, atol=1e-6)


def test_the_memory_is_trained():
    before, after = (wc.MemAE(**{**SHORT, "epochs": e}).fit(X).net_ for e in (0, 20))
    assert not torch.allclose(before.memory.items, after.memory.items, atol=1e-3)
    assert "memory.items" in after.state_dict()


def test_a_row_is_decoded_from_few_items_and_never_from_its_own_code():
    model = wc.MemAE(**{**SHORT, "epochs": 20}, shrink_thres=0.04).fit(X)
    x_hat, weights = model.net_(model._tensor(X))
    assert_allclose(weights.sum(1), np.ones(70), rtol=1e-5)
    assert (weights > 0).sum(1).max() <= 1 / 0.04
    assert_allclose(model.net_.decoder(weights @ model.net_.memory.items), x_hat)
    score = (model._tensor(X) - x_hat).square().sum(1)
    assert_allclose(model.anomaly_score(X), score, rtol=1e-5)


def test_directions_of_one_number_are_warned_of():
    with pytest.warns(UserWarning, match="latent_dim=3"):
        wc.MemAE(latent_dim=1, **SHORT).fit(X)
    wc.MemAE(latent_dim=1, addressing="dot", **SHORT).fit(X)


# -------------------------------------------------------------------------------- finds


def test_finds_planted_anomalies():
    rows, y = planted("global", 1500, 20, random_state=0)
    model = wc.MemAE(epochs=10, lr=3e-3, random_state=0, device="cpu").fit(rows)
    assert roc_auc_score(y, model.anomaly_score(rows)) > 0.95


def test_contributions_add_up_to_the_score():
    model = wc.MemAE(n_members=2, **SHORT).fit(X)
    assert_allclose(model.explain(X).sum(axis=1), model.anomaly_score(X), rtol=1e-5)


def test_scores_depend_on_neither_neighbours_nor_order():
    model = wc.MemAE(**SHORT).fit(X)
    together = model.anomaly_score(X)
    for apart in scores_apart(model, X):
        assert_allclose(apart, together, rtol=1e-5)


def test_pictures():
    model = wc.MemAE(**SHORT).fit(PICTURES)
    assert model.net_.memory.items.shape == (50, 128)
    assert model.explain(PICTURES).shape == (12, 8, 8)
    with pytest.raises(ParameterError, match="not for tables"):
        wc.MemAE(network="lenet").fit(X)


@pytest.mark.parametrize(("d", "n"), [(1, 7), (2, 1), (6, 33), (274, 7), (6, 1000)])
def test_all_shapes(d, n):
    rows = degenerate(n, d)
    assert np.isfinite(wc.MemAE(**SHORT).fit(rows).anomaly_score(rows)).all()


# --------------------------------------------------------------------------- parameters

ALTERNATIVES = {
    "mem_dim": 10,
    "latent_dim": 2,
    "shrink_thres": 0.0,
    "alpha": 1.0,
    "addressing": "dot",
    "recon": "mean",
    "hidden": (5, 3),
    "n_layers": (RULE, 3),
    "compression_factor": (RULE, 3),
    "act_fn": "tanh",
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
    assert has_effect(wc.MemAE, SHORT, parameter, ALTERNATIVES[parameter])


def test_the_network_for_pictures_has_an_effect():
    pictures = np.random.default_rng(0).random((6, 1, 28, 28), dtype=np.float32)
    scores = [
        wc.MemAE(network=name, **SHORT).fit(pictures).anomaly_score(pictures)
        for name in ("auto", "lenet_mnist")
    ]
    assert not np.allclose(*scores)


def test_no_parameter_is_forgotten():
    others = {"device", "network"}
    assert set(ALTERNATIVES) == set(wc.MemAE().get_params()) - others


@pytest.mark.parametrize("preset", wc.MemAE.presets)
def test_presets_run(preset):
    rows = np.random.default_rng(0).normal(size=(40, 30))
    model = wc.MemAE.preset(preset, epochs=1, random_state=0).fit(rows)
    assert np.isfinite(model.anomaly_score(rows)).all()


@pytest.mark.parametrize("rows", [X, PICTURES], ids=["table", "pictures"])
def test_scores_survive_a_file(tmp_path, rows):
    model = wc.MemAE(n_members=2, **SHORT).fit(rows)
    loaded = reloaded(model, tmp_path)
    assert_array_equal(loaded.anomaly_score(rows), model.anomaly_score(rows))


@pytest.mark.parametrize(
    ("parameter", "value"),
    [("mem_dim", 0), ("addressing", "l2"), ("shrink_thres", 1.0)],
)
def test_illegal_values_are_named(parameter, value):
    with pytest.raises(ParameterError, match=f"'{parameter}' parameter .* {value!r}"):
        wc.MemAE(**{parameter: value}).fit(X)
