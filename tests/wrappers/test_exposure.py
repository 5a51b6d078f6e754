"""Exposure: the rule, who the outliers are, and that it is HSC over HSC's network."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.metrics import roc_auc_score
from torch import nn

import whitecrow as wc
from whitecrow.deep import DeepDetector, Losses
from whitecrow.deep.nets.mlp import mlp
from whitecrow.errors import DataError, ParameterError

RNG = np.random.default_rng(0)
X = RNG.normal(size=(200, 4)) @ RNG.normal(size=(4, 4))
OUTLIERS = RNG.normal(5, 1, size=(30, 4))
SHORT = {"epochs": 5, "device": "cpu", "random_state": 0}


def svdd(**more):
    return wc.DeepSVDD(pretrain=False, **{**SHORT, **more})


class Sphere(DeepDetector):
    """HSC's losses, without its rule and its outliers."""

    has_l_a = True
    hidden: tuple[int, ...] = (32, 16, 4)
    epochs = 60
    batch_size = 64
    weight_decay = 5e-7
    milestones: tuple[int, ...] = (30, 45)

    def _build(self, shape):
        widths = (*shape, *self.hidden)
        return mlp(widths, act="leaky_relu", batch_norm=True, bias=True, affine=True)

    def _losses(self, net, batch):
        h = self._score(net, batch.x)
        return Losses(h, -torch.log(-torch.expm1(-h)))

    def _score(self, net, x):
        return (net(x).square().sum(-1) + 1).sqrt() - 1


@pytest.mark.parametrize("given", [OUTLIERS, None])
def test_over_the_losses_of_hsc_it_is_hsc(given):
    """Parity with the method of the paper, to rounding of its logarithms."""
    settings = {"epochs": 10, "milestones": (5, 8), "random_state": 3}
    hsc = wc.HSC(hidden=(32, 16, 4), **settings).fit(X, auxiliary=given)
    mine = wc.Exposure(Sphere(**settings)).fit(X, auxiliary=given)
    assert_allclose(mine.anomaly_score(X), hsc.anomaly_score(X), rtol=2e-3)


@pytest.mark.parametrize("inner", [wc.NeuTraLAD, svdd, wc.DeepSAD, wc.DROCC])
def test_outliers_become_odd(inner):
    """More than for the same method without them."""
    detector = inner(**{**SHORT, "epochs": 30})
    far = RNG.normal(5, 1, size=(100, 4))
    truth = np.repeat([0, 1], [len(X), len(far)])
    both = np.r_[X, far]
    exposed = wc.Exposure(detector).fit(X, auxiliary=OUTLIERS)
    assert roc_auc_score(truth, exposed.anomaly_score(both)) > 0.97


def test_half_of_a_batch_are_outliers_and_none_has_a_label(monkeypatch):
    seen, plain = [], wc.DeepSVDD._losses

    def losses(self, net, batch):
        seen.append(batch)
        return plain(self, net, batch)

    monkeypatch.setattr(wc.DeepSVDD, "_losses", losses)
    wc.Exposure(svdd(batch_size=50)).fit(X, auxiliary=np.full((3, 4), 50.0))
    assert {len(batch.x) for batch in seen} == {100}
    for batch in seen:
        assert batch.outliers.tolist() == [False] * 50 + [True] * 50
        assert ((batch.x > 20).all(dim=1) == batch.outliers).all()
        assert (batch.y == -1).all()


@pytest.mark.parametrize("synthetic", ["uniform", "permuted"])
def test_outliers_are_generated_where_none_are_given(synthetic):
    one, two = (
        wc.Exposure(svdd(), synthetic=synthetic, random_state=0).fit(X)
        for _ in range(2)
    )
    assert_array_equal(one.anomaly_score(X), two.anomaly_score(X))
    blind = svdd().fit(X)
    assert not np.allclose(one.anomaly_score(X), blind.anomaly_score(X))


def test_known_anomalies_cost_what_outliers_do():
    inner = svdd(epochs=40)
    known = RNG.normal(-3, 0.1, size=(20, 4))
    y = np.repeat([np.nan, 1.0], [len(X), len(known)])
    rows = np.r_[X, known]
    told, blind = (wc.Exposure(inner).fit(rows, labels) for labels in (y, None))
    rank = [
        (m.anomaly_score(X) < np.median(m.anomaly_score(known))).mean()
        for m in (told, blind)
    ]
    assert rank[0] > rank[1]


def test_outliers_have_the_columns_of_the_rows():
    with pytest.raises(DataError, match=r"3 features|shape"):
        wc.Exposure(svdd()).fit(X, auxiliary=np.zeros((2, 3)))


@pytest.mark.parametrize(
    ("inner", "said"),
    [
        (wc.AutoEncoder(), "has no loss for anomalies, which outlier exposure needs"),
        (wc.ALAD(), "has a training of its own"),
        (wc.KNN(), "trains deep methods of whitecrow, not KNN"),
    ],
)
def test_what_cannot_be_exposed_is_refused_in_one_line(inner, said):
    with pytest.raises(ParameterError, match=said) as caught:
        wc.Exposure(inner).fit(X)
    assert "\n" not in str(caught.value)


def test_pictures():
    pictures = RNG.integers(0, 256, (20, 1, 16, 16), dtype=np.uint8)
    noise = RNG.integers(0, 256, (5, 1, 16, 16), dtype=np.uint8)
    model = wc.Exposure(svdd(epochs=1)).fit(pictures, auxiliary=noise)
    assert np.isfinite(model.anomaly_score(pictures)).all()


def test_save_and_load(tmp_path):
    model = wc.Exposure([svdd(), wc.NeuTraLAD(**SHORT)]).fit(X, auxiliary=OUTLIERS)
    model.save(tmp_path / "m.crow")
    assert_array_equal(
        wc.load(tmp_path / "m.crow").anomaly_score(X), model.anomaly_score(X)
    )
    assert isinstance(model.detectors_[0].net_, nn.Module)
