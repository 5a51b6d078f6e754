"""Supervised: only labelled rows train, and what happens where labels are few."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.metrics import roc_auc_score

import whitecrow as wc
from whitecrow.errors import ParameterError

RNG = np.random.default_rng(0)
X = np.r_[RNG.normal(size=(190, 4)), RNG.normal(2, 1, size=(60, 4))]
TRUTH = np.repeat([0.0, 1.0], [190, 60])
Y = np.where(np.arange(250) % 3 == 0, TRUTH, np.nan)
SHORT = {"epochs": 5, "device": "cpu", "random_state": 0}


def svdd(**more):
    return wc.DeepSVDD(pretrain=False, **{**SHORT, **more})


def trained_on(monkeypatch, model, y):
    """Labels of the rows of all steps."""
    seen, plain = [], wc.DeepSVDD._losses

    def losses(self, net, batch):
        seen.append(batch.y)
        return plain(self, net, batch)

    monkeypatch.setattr(wc.DeepSVDD, "_losses", losses)
    model.fit(X, y)
    return [y.tolist() for y in seen]


@pytest.mark.parametrize("n_members", [1, 2])
def test_labelled_rows_train_alone(monkeypatch, n_members):
    inner = svdd(batch_size=30, n_members=n_members)
    steps = trained_on(monkeypatch, wc.Supervised(inner), Y)
    labels = np.concatenate([np.ravel(step) for step in steps])
    assert set(labels.tolist()) == {0, 1}
    assert len(labels) == 5 * n_members * np.isfinite(Y).sum()


def test_without_normal_labels_all_others_count_as_normal(monkeypatch):
    y = np.where(np.arange(250) >= 240, 1.0, np.nan)
    model = wc.Supervised(svdd(batch_size=250))
    filled = wc.Supervised(svdd(batch_size=250)).fit(X, np.nan_to_num(y))
    steps = trained_on(monkeypatch, model, y)
    assert [(step.count(-1), step.count(1)) for step in steps] == [(240, 10)] * 5
    assert_allclose(model.anomaly_score(X), filled.anomaly_score(X), rtol=1e-5)


def test_without_labels_it_is_the_method_itself():
    plain = svdd().fit(X).anomaly_score(X)
    assert_allclose(wc.Supervised(svdd()).fit(X).anomaly_score(X), plain, rtol=1e-6)


def test_labels_find_what_resembles_them():
    """Of Gaussians that overlap: optimal is .98, the method without labels far off."""
    inner = svdd(epochs=60)
    told = wc.Supervised(inner).fit(X, Y).anomaly_score(X)
    rest = np.isnan(Y)
    assert roc_auc_score(TRUTH[rest], told[rest]) > 0.93
    assert roc_auc_score(TRUTH[rest], inner.fit(X).anomaly_score(X)[rest]) < 0.9


def test_the_threshold_knows_true_labels_alone():
    """Rows that only count as normal do not choose it."""
    y = np.where(np.arange(250) >= 220, 1.0, np.nan)
    assert "robust" in wc.Supervised(svdd()).fit(X, y).threshold_source_
    assert "labelled anomalies" in wc.Supervised(svdd()).fit(X, Y).threshold_source_


@pytest.mark.parametrize("inner", [wc.AutoEncoder(), wc.DUAD(), wc.ECOD()])
def test_what_has_no_pair_of_losses_is_refused(inner):
    with pytest.raises(ParameterError, match=r"on labels|Supervised") as caught:
        wc.Supervised(inner).fit(X, Y)
    assert "\n" not in str(caught.value)


def test_save_and_load(tmp_path):
    model = wc.Supervised(svdd()).fit(X, Y)
    model.save(tmp_path / "m.crow")
    again = wc.load(tmp_path / "m.crow")
    assert_array_equal(again.anomaly_score(X), model.anomaly_score(X))
