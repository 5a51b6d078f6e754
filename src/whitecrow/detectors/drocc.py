r"""DROCC: a classifier of training rows against the hardest points around them.

With the logit :math:`f(x)` of "anomaly",

.. math::

    l_n(x) = \mathrm{softplus}(f(x)) + \mathrm{lamb} \cdot
    \max_{\tilde x \in N(x)} \mathrm{softplus}(-f(\tilde x)), \qquad
    l_a(x) = \mathrm{softplus}(-f(x)), \qquad \mathrm{score}(x) = f(x)

    N(x) = \{\tilde x : r \le \lVert \tilde x - x \rVert \le \gamma r\}

The first epochs have the first term of l_n alone. The maximum is searched from
:math:`\tilde x = x + h, h \sim N(0, I)`: in each step h goes down the normalised
gradient of f (towards what looks most normal); every few steps, and at last, its length
is put back between r and gamma r.

Source: Goyal, Raghunathan, Jain, Simhadri and Jain, DROCC: Deep Robust One-Class
Classification, ICML 2020; specs/deep_unsupervised.md 2.8.
"""

from __future__ import annotations

import math
from dataclasses import KW_ONLY
from typing import Annotated, Any, ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import softplus

from whitecrow.deep import DeepDetector
from whitecrow.deep.nets.mlp import Linear
from whitecrow.deep.run import Batch, Losses, Run, Stage
from whitecrow.parameters import (
    Auto,
    Count,
    Natural,
    NonNegative,
    Positive,
    at_least,
    between,
)
from whitecrow.supervision import unlabelled

__all__ = ["DROCC", "Classifier", "descend", "drops", "project"]

ONLY_CE = "cross-entropy"

_PAPER = {"only_ce_epochs": 50, "ascent_step_size": 0.01, "epochs": 100}
_NRCAN = {
    **_PAPER,
    "scaling": "minmax",
    "epochs": 200,
    "batch_size": 1024,
    "weight_decay": 1e-4,
}

Perturbations = Float[Tensor, "*members batch d"]


class Classifier(nn.Module):
    """d -> hidden, ReLU -> one logit, or the difference of two."""

    has_member_axis = True

    def __init__(self, n_features: int, hidden: int, n_classes: int) -> None:
        super().__init__()
        self.first = Linear(n_features, hidden)
        self.last = Linear(hidden, n_classes)

    def forward(
        self, x: Float[Tensor, "*members batch d"]
    ) -> Float[Tensor, "*members batch"]:
        """Return the logit of "anomaly"."""
        logits = self.last(torch.relu(self.first(x)))
        return logits[..., -1] - (logits[..., 0] if logits.shape[-1] == 2 else 0)

    def input_gradient(self, x: Perturbations) -> Perturbations:
        """Compute the gradient of the logit by each row, in closed form."""
        weight = self.last.weight
        readout = weight[..., -1] - (weight[..., 0] if weight.shape[-1] == 2 else 0)
        active = (self.first(x) > 0) * readout.unsqueeze(-2)
        return active @ self.first.weight.mT


def project(h: Perturbations, radius: float, gamma: float) -> Perturbations:
    """Scale perturbations to lengths from `radius` to `gamma * radius`; 0 stays 0.

    Examples
    --------
    >>> project(torch.tensor([[3.0, 4.0], [0.3, 0.4], [1.8, 2.4]]), 2.0, 2.0)
    tensor([[2.4000, 3.2000],
            [1.2000, 1.6000],
            [1.8000, 2.4000]])
    """
    length = h.norm(dim=-1, keepdim=True)
    return h * (length.clamp(radius, gamma * radius) / length.clamp(min=1e-12))


def descend(
    h: Perturbations, gradient: Perturbations, step_size: float
) -> Perturbations:
    """Step towards what looks more normal; a row without a gradient stays."""
    length = gradient.norm(dim=-1, keepdim=True).clamp(min=1e-12)
    return h - step_size * gradient / length


def drops(epochs: int, only_ce_epochs: int) -> tuple[int, ...]:
    """Return the epochs that divide the learning rate by ten, three times.

    After 30, 60 and 90 % of the epochs that have hard negatives, the next one included.

    Examples
    --------
    >>> drops(200, 50)
    (96, 141, 186)
    """
    last = epochs - only_ce_epochs
    if last <= 0:
        return ()
    return tuple(only_ce_epochs + tenths * last // 10 + 1 for tenths in (3, 6, 9))


class DROCC(DeepDetector):
    """Deep robust one-class classification for tables.

    Parameters
    ----------
    radius : "auto" or float
        r, in units of the scaled columns; "auto" is half the root of the number of
        columns.
    gamma : float
        Hard negatives are at most `gamma * radius` away, at least 1.
    lamb : float
        Weight of the hard negatives.
    num_hidden_nodes : int
        Hidden units.
    num_classes : {1, 2}
        One logit, or two whose difference is taken.
    only_ce_epochs : int
        Epochs, among `epochs`, before the first hard negatives.
    ascent_steps : int
        Steps of the search for the hardest points.
    ascent_step_size : float
        Their length, in units of the scaled columns.
    projection_period : int
        Steps between two projections to the distances that are allowed.
    scaling, epochs, batch_size, lr, weight_decay, n_members, contamination
        As for `AutoEncoder`; the learning rate drops to a tenth after 30, 60 and 90 %
        of the epochs with hard negatives.
    patience, device, random_state
        As for `AutoEncoder`.

    Attributes
    ----------
    radius_ : float
        The radius in use.

    Notes
    -----
    NOTE[DIFF] The reference code searches in the wrong direction, for the points that
    look most anomalous already; takes true labels for the cross-entropy; and ends an
    epoch at an incomplete batch. Here labels are not used, and every batch counts.

    NOTE[DIFF] Defaults differ: no epochs without hard negatives, in which there is one
    class only and nothing to learn, and steps of 0.1 instead of 0.01, as 50 of the
    latter hardly move. `preset("paper")` has the published values.

    NOTE[DIFF] The gradient of the logit gives the direction, not that of the loss: they
    are parallel, but the latter is 0 in float32 where the logit is large.

    NOTE[DIFF] The paper also keeps hard negatives away from all other training rows; no
    published code does, nor does this one.

    Examples
    --------
    >>> import numpy as np
    >>> from whitecrow import DROCC
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(300, 6)) @ rng.normal(size=(6, 6))
    >>> model = DROCC(epochs=20, random_state=0).fit(X)
    >>> bool(model.anomaly_score(3 * X).mean() > model.anomaly_score(X).mean())
    True
    """

    input_kinds: ClassVar[tuple[str, ...]] = ("table",)
    _one_unit: ClassVar[bool] = True  # logits
    _salt: ClassVar[int] = 0xD20CC
    has_l_a: ClassVar[bool] = True

    radius: Auto | Positive = "auto"
    _: KW_ONLY
    gamma: Annotated[float, at_least(1)] = 2.0
    lamb: NonNegative = 1.0
    num_hidden_nodes: Count = 128
    num_classes: Annotated[int, between(1, 2, closed="both")] = 1
    only_ce_epochs: Natural = 0
    ascent_steps: Natural = 50
    ascent_step_size: Positive = 0.1
    projection_period: Count = 10
    batch_size = 256

    # Official settings, and specs/deep_unsupervised.md 7
    presets: ClassVar[dict[str, dict[str, Any]]] = {
        "paper": _PAPER,
        "arrhythmia": {
            **_PAPER,
            "radius": 16.0,
            "ascent_step_size": 0.001,
            "epochs": 200,
            "lr": 1e-4,
        },
        "thyroid": {**_PAPER, "radius": 2.5},
        "nrcan-2022": {**_NRCAN, "num_hidden_nodes": 20, "lr": 1e-4},
        "nrcan-2022-arrhythmia": {**_NRCAN, "scaling": "standard", "batch_size": 128},
        "nrcan-2022-thyroid": {**_NRCAN, "scaling": "standard"},
    }

    def _build(self, shape: tuple[int, ...]) -> nn.Module:
        return Classifier(shape[0], self.num_hidden_nodes, self.num_classes)

    def _losses(self, net: nn.Module, batch: Batch) -> Losses:
        plain = self._cross_entropy(net, batch)
        noise = batch.noise.normal(batch.x)
        hard = self.lamb * softplus(-net(self._hardest(net, batch.x, noise)))
        return plain._replace(normal=plain.normal + hard)

    def _cross_entropy(self, net: nn.Module, batch: Batch) -> Losses:
        """Compute the losses without hard negatives."""
        logit = net(batch.x)
        return Losses(softplus(logit), softplus(-logit))

    def _score(self, net: nn.Module, x: Tensor) -> Tensor:
        return net(x)

    def _begin(self, run: Run) -> None:
        first = min(self.only_ce_epochs, self.epochs)
        run.plan(
            Stage(ONLY_CE, unlabelled, first, losses=self._cross_entropy),
            Stage("hard negatives", unlabelled, self.epochs - first),
        )
        self.radius_ = self._radius()

    def _train(self, run: Run, stage: Stage) -> None:
        milestones = drops(self.epochs, self.only_ce_epochs)
        run.minimise(self._losses, stage, milestones=milestones)

    @torch.no_grad()
    def _hardest(self, net: nn.Module, x: Tensor, h: Tensor) -> Tensor:
        """Search from `x + h` for the most normal points around each row."""
        assert isinstance(net, Classifier)
        radius = self._radius()
        for step in range(1, self.ascent_steps + 1):
            h = descend(h, net.input_gradient(x + h), self.ascent_step_size)
            if step % self.projection_period == 0:
                h = project(h, radius, self.gamma)
        return x + project(h, radius, self.gamma)

    def _radius(self) -> float:
        if isinstance(self.radius, str):
            return math.sqrt(self.input_shape_[0]) / 2
        return float(self.radius)
