"""The deep unsupervised family as a whole: specs/deep_unsupervised.md 11."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

import whitecrow as wc
from whitecrow.data.synthetic import planted
from whitecrow.errors import UserError

FAMILY = (
    *("alad", "autoencoder", "dagmm", "deep_svdd", "drocc", "dsebm", "duad", "goad"),
    *("lof", "mem_ae", "neutral_ad", "ocsvm", "pca", "rec_forest"),
    *("robust_autoencoder", "som_dagmm"),
)
CPU = {"device": "cpu", "random_state": 0}
# A few epochs: whether it runs, not what it finds.
SHORT = {"epochs": 2, "pretrain_epochs": 1, "max_rounds": 1, **CPU}


def method(name, settings):
    detector = wc.methods()[[m.name for m in wc.methods()].index(name)].cls()
    legal = detector.get_params()
    return detector.set_params(**{k: v for k, v in settings.items() if k in legal})


# What one row alone does not have: neighbours, a variance, a batch to normalise.
NEED_NEIGHBOURS = {"alad", "autoencoder", "deep_svdd", "lof"}

every_method = pytest.mark.parametrize("name", FAMILY)


@pytest.mark.parametrize("d", [1, 2, 6, 274])
@pytest.mark.parametrize("n", [1, 7, 1000])
@every_method
def test_sizes(name, n, d):
    """Item 1: constant columns and rows of zeros among them, and a last batch of one.

    A method that cannot learn from so few rows says so in one line.
    """
    rows = np.random.default_rng(0).normal(size=(n, d))
    rows[: n // 4] = 0
    if d > 1:
        rows[:, d // 2] = 3.0
    detector = method(name, {**SHORT, "batch_size": 333})
    if n == 1 and name in NEED_NEIGHBOURS:
        with pytest.raises(UserError, match=r"at least 2|n_samples = 1"):
            detector.fit(rows)
        return
    assert np.isfinite(detector.fit(rows).anomaly_score(rows)).all()


# ALAD's own schedule of 100 epochs in batches of 50 takes minutes.
DEFAULTS = {"alad": {"epochs": 20, "batch_size": 128, "lr": 1e-3}}

# The spec proposes .95 for some of them and .9 for the others.
FOUND = 0.95


@pytest.mark.slow
@every_method
def test_planted_anomalies_are_found(name):
    """Item 6: a twentieth of 4000 rows, 20 columns; defaults but for `DEFAULTS`."""
    rows, y = planted("global", 4000, 20, contamination=0.05, random_state=0)
    detector = method(name, {**CPU, **DEFAULTS.get(name, {})})
    scores = detector.fit(rows).anomaly_score(rows)
    assert roc_auc_score(y, scores) > FOUND


@pytest.mark.slow
def test_selection_withstands_pollution():
    """Item 6: with a tenth of anomalies DUAD is not behind the autoencoder."""
    rows, y = planted("global", 4000, 20, contamination=0.1, random_state=0)
    found, usual = (
        roc_auc_score(y, method(name, CPU).fit(rows).anomaly_score(rows))
        for name in ("duad", "autoencoder")
    )
    assert found > usual - 0.001


def test_strong_anomalies_do_not_tie():
    """Item 7: tiny and constant variances, and rows far out."""
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(600, 6)) * [1, 1e-7, 0, 1, 1e-4, 1]
    far = rng.normal(size=(200, 6)) * 100
    for name in ("dagmm", "som_dagmm"):
        model = method(name, {**CPU, "epochs": 5}).fit(rows)
        scores = model.anomaly_score(far)
        assert np.isfinite(scores).all()
        assert len(np.unique(scores)) > 0.99 * len(far)
