"""What tests of deep methods for tables share: small rows, and questions to a fit."""

import numpy as np
from sklearn.datasets import make_blobs

import whitecrow as wc

X = np.random.default_rng(0).normal(size=(70, 6)) @ np.diag([1, 2, 3, 1, 1, 1])
SHORT = {"epochs": 3, "batch_size": 32, "device": "cpu", "random_state": 0}

# What the width rule of autoencoders needs on six columns.
RULE = {"hidden": "rule", "n_layers": 2, "compression_factor": 2, "latent_dim": 2}


def blobs(n, d, seed=0):
    """Three clusters, and 5 % rows anywhere in their box."""
    rng = np.random.default_rng(seed)
    odd = n // 20
    rows, _ = make_blobs(n - odd, d, centers=3, random_state=seed)
    box = rng.uniform(rows.min(axis=0), rows.max(axis=0), size=(odd, d))
    return np.r_[rows, box], np.repeat([0, 1], [n - odd, odd])


def degenerate(n, d):
    """Rows of which a third is zero, with a column that is constant."""
    rows = np.random.default_rng(0).normal(size=(n, d))
    rows[: n // 3] = 0
    rows[:, d // 2] = 3.0
    return rows


def has_effect(method, settings, parameter, value, rows=X):
    """Whether a value of a parameter changes scores or threshold.

    `(needed, value)` is a value together with the settings that it matters under.
    """
    if isinstance(value, tuple) and isinstance(value[0], dict):
        needed, value = value
        settings = {**settings, **needed}
    models = [
        method(**given).fit(rows)
        for given in (settings, {**settings, parameter: value})
    ]
    results = [np.r_[m.anomaly_score(rows), m.threshold_] for m in models]
    return not np.allclose(*results, rtol=1e-6, atol=0)


def scores_apart(model, rows):
    """Scores of rows in another order, put back, and of each row by itself."""
    order = np.random.default_rng(1).permutation(len(rows))
    shuffled = np.empty(len(rows))
    shuffled[order] = model.anomaly_score(rows[order])
    alone = np.concatenate([model.anomaly_score(row[None]) for row in rows])
    return shuffled, alone


def reloaded(model, folder):
    """The model as it comes back from a file."""
    model.save(folder / "m.crow")
    return wc.load(folder / "m.crow")
