"""whitecrow with the settings of a benchmark, which every side reads from one table.

`SETTINGS` of `speed` says architecture, batch and epochs; each function here translates
them into constructor arguments, as `peers` does for the others.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from torch import nn

import whitecrow as wc
from whitecrow import deep
from whitecrow.deep.nets.mlp import BatchNorm, mlp
from whitecrow.detector import Detector


class Ours:
    """A detector of ours as a contender."""

    def __init__(self, detector: Detector) -> None:
        self.detector = detector

    def fit(self, X: np.ndarray, y: np.ndarray) -> None:
        self.detector.fit(X, y if self.detector.uses_labels else None)

    def score(self, X: np.ndarray) -> np.ndarray:
        return self.detector.anomaly_score(X)


class Seeds:
    """Several seeds of a detector, trained as one batched network."""

    def __init__(self, detector: deep.DeepDetector, n: int) -> None:
        self.detector, self.n = detector, n
        self.fits: list[deep.DeepDetector] = []

    def fit(self, X: np.ndarray, y: np.ndarray) -> None:
        tasks = [(X, None)] * self.n
        self.fits = deep.fit_seeds(self.detector, tasks, list(range(self.n)))

    def score(self, X: np.ndarray) -> np.ndarray:
        return np.mean([fit.anomaly_score(X) for fit in self.fits], axis=0)


def method(name: str, s: dict[str, Any]) -> Ours:
    """A method with settings of `speed`."""
    return Ours(_BUILDERS[name](s))


def seeds(name: str, s: dict[str, Any], n: int) -> Seeds:
    """`n` seeds of a method, stacked."""
    return Seeds(_BUILDERS[name](s), n)


def default(name: str, s: dict[str, Any]) -> Ours:
    """A method as a user gets it, with the preset and parameters of an experiment."""
    given = dict(s.get("parameters", {}))
    return Ours(
        _detector(name, s.get("preset"), given, s["seed"], bool(s.get("brief")))
    )


def _detector(
    name: str, preset: str | None, given: dict[str, Any], seed: int, brief: bool
) -> Detector:
    """A detector from what a file can say; a table in it is a detector inside."""
    cls = next(record.cls for record in wc.methods() if record.name == name)
    for key, value in given.items():
        if isinstance(value, list):
            given[key] = tuple(value)
        if isinstance(value, dict):
            inner = dict(value)
            given[key] = _detector(inner.pop("method"), None, inner, seed, brief)
    forced: dict[str, Any] = {"random_state": seed, "device": "cpu"}
    if brief:
        forced |= {"epochs": 1, "pretrain_epochs": 1}
    given |= {key: forced[key] for key in forced.keys() & cls().get_params().keys()}
    return cls.preset(preset, **given) if preset else cls(**given)


def _autoencoder(s: dict[str, Any]) -> Detector:
    options = {"batch_norm": s["batch_norm"], "affine": True, "dropout": s["dropout"]}

    def network(shape: tuple[int, ...]) -> tuple[nn.Module, nn.Module]:
        widths = (shape[0], *s["hidden"])
        encoder = nn.Sequential(mlp(widths, **options), *_activated(widths[-1], s))
        return encoder, mlp(widths[::-1], **options)

    return wc.AutoEncoder(network=network, **_optimiser(s))


def _deep_svdd(s: dict[str, Any]) -> Detector:
    return wc.DeepSVDD(pretrain=False, **_hypersphere(s), **_optimiser(s))


def _deep_sad(s: dict[str, Any]) -> Detector:
    return wc.DeepSAD(
        pretrain=False,
        milestones=(),
        clip_norm=None,
        **_hypersphere(s),
        **_optimiser(s),
    )


def _neutral_ad(s: dict[str, Any]) -> Detector:
    return wc.NeuTraLAD(
        n_transforms=s["n_transforms"],
        trans_hidden=s["trans_hidden"],
        trans_type="residual",
        scaling="standard",  # as for the other sides
        temperature=s["temperature"],
        hidden=tuple(s["hidden"]),
        act_fn="relu",
        bias=s["bias"],
        batch_norm=s["batch_norm"],
        **_optimiser(s),
    )


def _hypersphere(s: dict[str, Any]) -> dict[str, Any]:
    if s["activated_code"]:
        return {"network": lambda shape: _activated_encoder(shape[0], s)}
    return {
        "hidden": tuple(s["hidden"]),
        "act_fn": "relu",
        "bias": s["bias"],
        "batch_norm": s["batch_norm"],
    }


def _activated_encoder(d: int, s: dict[str, Any]) -> nn.Module:
    widths = (d, *s["hidden"])
    layers = mlp(widths, bias=s["bias"], batch_norm=s["batch_norm"])
    return nn.Sequential(layers, *_activated(widths[-1], s))


def _activated(width: int, s: dict[str, Any]) -> list[nn.Module]:
    norm = [BatchNorm(width, affine=True)] if s["batch_norm"] else []
    dropout = [nn.Dropout(s["dropout"])] if s["dropout"] else []
    return [*norm, nn.ReLU(), *dropout]


def _optimiser(s: dict[str, Any]) -> dict[str, Any]:
    return {
        "epochs": s["epochs"],
        "batch_size": s["batch_size"],
        "lr": s["lr"],
        "weight_decay": s["weight_decay"],
        "random_state": s["seed"],
        "device": "cpu",
    }


_BUILDERS = {
    "autoencoder": _autoencoder,
    "deep_svdd": _deep_svdd,
    "deep_sad": _deep_sad,
    "neutral_ad": _neutral_ad,
    "isolation_forest": lambda s: wc.IsolationForest(random_state=s["seed"]),
    "lof": lambda s: wc.LOF(n_neighbors=s["n_neighbors"]),
    "ocsvm": lambda s: wc.OCSVM(nu=s["nu"], max_rows=None),
    "kde": lambda s: wc.KDE(bandwidth=s["bandwidth"], max_rows=None),
}
