"""Bare loops: the same kernels as a deep method, in plain torch and nothing else.

What a competent user would write for one data set: standardised float32 tensors, index
batches, fused Adam, one function. No checks, no threshold, no history, no saving. The
price of everything that whitecrow does around a loop is its time over this one.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import normalize


class Bare(NamedTuple):
    """A fitted bare loop."""

    mean: np.ndarray
    scale: np.ndarray
    net: nn.Module
    row_scores: Callable[[Tensor], Tensor]

    def score(self, X: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            return self.row_scores(_tensor(X, self.mean, self.scale)).numpy()


def autoencoder(X: np.ndarray, y: np.ndarray, s: dict[str, Any]) -> Bare:
    mean, scale, x = _standardised(X, s)
    d, hidden = X.shape[1], s["hidden"]
    net = nn.Sequential(*_layers((d, *hidden, *hidden[-2::-1], d), s))

    def errors(rows: Tensor) -> Tensor:
        return (net(rows) - rows).square().sum(1)

    _train(net, lambda index: errors(x[index]).mean(), len(x), s)
    return Bare(mean, scale, net, errors)


def deep_svdd(X: np.ndarray, y: np.ndarray, s: dict[str, Any]) -> Bare:
    mean, scale, x = _standardised(X, s)
    net = _encoder(X.shape[1], s)
    centre = _centre(net, x)

    def distances(rows: Tensor) -> Tensor:
        return (net(rows) - centre).square().sum(1)

    _train(net, lambda index: distances(x[index]).mean(), len(x), s)
    return Bare(mean, scale, net, distances)


def deep_sad(X: np.ndarray, y: np.ndarray, s: dict[str, Any]) -> Bare:
    mean, scale, x = _standardised(X, s)
    odd = torch.from_numpy(y == 1)
    net = _encoder(X.shape[1], s)
    centre = _centre(net, x[~odd])

    def distances(rows: Tensor) -> Tensor:
        return (net(rows) - centre).square().sum(1)

    def loss(index: Tensor) -> Tensor:
        d = distances(x[index])
        return torch.where(odd[index], 1 / (d + 1e-6), d).mean()

    _train(net, loss, len(x), s)
    return Bare(mean, scale, net, distances)


def neutral_ad(X: np.ndarray, y: np.ndarray, s: dict[str, Any]) -> Bare:
    mean, scale, x = _standardised(X, s)
    net = _Views(X.shape[1], s)

    def losses(rows: Tensor) -> Tensor:
        return _contrastive(net(rows), s["temperature"])

    _train(net, lambda index: losses(x[index]).mean(), len(x), s)
    return Bare(mean, scale, net, losses)


class _Views(nn.Module):
    """Codes of x and of its K learned views, the views as batched products."""

    def __init__(self, d: int, s: dict[str, Any]) -> None:
        super().__init__()
        k, width = s["n_transforms"], s["trans_hidden"]
        first, second = d**-0.5, width**-0.5
        self.first = nn.Parameter(torch.empty(k, d, width).uniform_(-first, first))
        self.second = nn.Parameter(torch.empty(k, width, d).uniform_(-second, second))
        self.encoder = _encoder(d, s)

    def forward(self, x: Tensor) -> Tensor:
        views = x + torch.relu(x @ self.first) @ self.second
        return self.encoder(torch.cat([x[None], views])).transpose(0, 1)


def _contrastive(codes: Tensor, temperature: float) -> Tensor:
    z = normalize(codes, dim=-1)
    similarity = (z @ z.transpose(1, 2) / temperature).exp()
    k = z.shape[1] - 1
    to_views = similarity[:, 1:, 1:].sum(-1) - similarity[:, 1:, 1:].diagonal(0, 1, 2)
    to_original = similarity[:, 1:, 0]
    terms = torch.log(to_views + to_original) - torch.log(to_original)
    return terms.mean(-1) / np.log(k)


def _train(
    net: nn.Module, loss_of: Callable[[Tensor], Tensor], n: int, s: dict[str, Any]
) -> None:
    optimizer = torch.optim.Adam(
        net.parameters(), lr=s["lr"], weight_decay=s["weight_decay"], fused=True
    )
    net.train()
    for _ in range(s["epochs"]):
        for index in torch.randperm(n).split(s["batch_size"]):
            optimizer.zero_grad()
            loss = loss_of(index)
            loss.backward()
            optimizer.step()
    net.eval()


def _encoder(d: int, s: dict[str, Any]) -> nn.Sequential:
    layers = _layers((d, *s["hidden"]), s)
    return nn.Sequential(*layers, *_activated(s["hidden"][-1], s, s["activated_code"]))


def _layers(widths: tuple[int, ...], s: dict[str, Any]) -> list[nn.Module]:
    """Linear layers, activated between each other."""
    layers: list[nn.Module] = [nn.Linear(widths[0], widths[1], bias=s["bias"])]
    for n_in, n_out in pairwise(widths[1:]):
        layers += _activated(n_in, s, True)
        layers.append(nn.Linear(n_in, n_out, bias=s["bias"]))
    return layers


def _activated(width: int, s: dict[str, Any], wanted: bool) -> list[nn.Module]:
    if not wanted:
        return []
    norm = [nn.BatchNorm1d(width)] if s["batch_norm"] else []
    dropout = [nn.Dropout(s["dropout"])] if s["dropout"] else []
    return [*norm, nn.ReLU(), *dropout]


@torch.no_grad()
def _centre(net: nn.Module, x: Tensor) -> Tensor:
    centre = net(x).mean(0)
    pushed = torch.where(centre < 0, -0.1, 0.1)
    return torch.where(centre.abs() < 0.1, pushed, centre)


def _standardised(
    X: np.ndarray, s: dict[str, Any]
) -> tuple[np.ndarray, np.ndarray, Tensor]:
    torch.manual_seed(s["seed"])
    mean, scale = X.mean(0), X.std(0)
    scale[scale == 0] = 1
    return mean, scale, _tensor(X, mean, scale)


def _tensor(X: np.ndarray, mean: np.ndarray, scale: np.ndarray) -> Tensor:
    return torch.from_numpy(((X - mean) / scale).astype(np.float32))


LOOPS = {
    "autoencoder": autoencoder,
    "deep_svdd": deep_svdd,
    "deep_sad": deep_sad,
    "neutral_ad": neutral_ad,
}
