r"""Deep SVDD: map normal rows close to a centre; score by the distance to it.

.. math::

    d(x) = \lVert \varphi(x) - c \rVert^2, \qquad
    l_n = d, \qquad l_a = 1 / (d + \epsilon)

one-class: mean of :math:`d`; soft-boundary:
:math:`R^2 + \frac{1}{\nu} \operatorname{mean} \max(0, d - R^2)`, with :math:`R` the
:math:`1 - \nu` quantile of :math:`\sqrt d` in the batch. The score is :math:`d`.

Source: Ruff et al., Deep One-Class Classification, ICML 2018;
specs/deep_unsupervised.md 2.5. l_a is Deep SAD's (ICLR 2020): with it, latent outlier
exposure works over Deep SVDD.
"""

from __future__ import annotations

import warnings
from dataclasses import KW_ONLY
from typing import Annotated, Any, ClassVar

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from whitecrow.deep import Activation, DeepDetector, Network, Widths, hypersphere, train
from whitecrow.deep.published import NRCAN, NRCAN_ODDS
from whitecrow.deep.run import Batch, Losses, Run, Stage
from whitecrow.parameters import Auto, Natural, between, options
from whitecrow.supervision import unlabelled

__all__ = ["DeepSVDD", "radius", "soft_boundary"]

# Keeps l_a and its gradient of the size of l_n's: with Deep SAD's 1e-6, rows near the
# centre that latent outlier exposure suspects would outweigh all the others together.
EPSILON = 1.0


def radius(
    d: Float[Tensor, "*members batch"], nu: float
) -> Float[Tensor, "*members 1"]:
    """Compute the radius that leaves the share `nu` of the rows outside.

    Examples
    --------
    >>> radius(torch.tensor([1.0, 4.0, 9.0, 16.0, 25.0]), nu=0.1)
    tensor([4.6000])
    """
    return torch.quantile(d.detach().sqrt(), 1 - nu, dim=-1, keepdim=True)


class soft_boundary:  # noqa: N801 - a rule, written like those of `supervision`
    """Only what lies outside of the radius costs; the radius costs too."""

    def __init__(self, nu: float) -> None:
        self.nu = nu

    def __call__(
        self,
        *,
        l_n: Float[Tensor, "*members batch"],
        l_a: Float[Tensor, "*members batch"] | None,
        y: Tensor,
        outliers: Tensor | None = None,
    ) -> Float[Tensor, "*members"]:
        """Compute a loss per member; Deep SVDD trains without auxiliary outliers."""
        r2 = radius(l_n, self.nu).square()
        outside = (l_n - r2).clamp(min=0).mean(-1)
        return r2.squeeze(-1) + outside / self.nu


class DeepSVDD(DeepDetector):
    """Deep support vector data description.

    Parameters
    ----------
    objective : {"one-class", "soft-boundary"}
        See the formula in the module.
    nu : float in (0, 1]
        Share of training rows outside of the soft boundary.
    warm_up_epochs : int
        Epochs under the one-class objective before the soft boundary.
    hidden : "auto" or tuple of int
        Hidden widths and code of the network for tables; "auto" is that of the Deep SAD
        paper: 128, 64, 32 from 100 columns on, else 32, 16, 8 (4 for 6 columns or
        fewer).
    act_fn : {"relu", "leaky_relu", "tanh", "sigmoid", "elu"}
        Activation between layers; bounded ones make collapse possible.
    bias, batch_norm : bool
        Biases make collapse possible: a constant map reaches the centre.
    pretrain : "auto" or bool
        Start from the encoder of an autoencoder; "auto" does so for pictures. On tables
        it learns to tell the anomalies among the training rows from the others.
    pretrain_epochs : int
        Its epochs.
    network : str or callable
        "auto" takes a perceptron for tables and a convolutional network for pictures;
        or a name from `whitecrow.deep.nets.lenet`; or a callable from the shape of a
        row to a module.
    scaling
        As for `AutoEncoder`.
    epochs : "auto" or int
        "auto" is 10 for tables, where longer training learns the anomalies among the
        rows, and 50 for pictures, where shorter training learns too little of a few
        hundred.
    batch_size, lr, weight_decay, milestones, n_members, contamination
        As for `AutoEncoder`; after each milestone the learning rate drops to a tenth.
    patience, device, random_state
        As for `AutoEncoder`.

    Attributes
    ----------
    radius_ : ndarray of shape (n_members,)
        The `1 - nu` quantile of the training distances.

    Warns
    -----
    UserWarning
        When all training rows get the same score (hypersphere collapse).

    Notes
    -----
    NOTE[DIFF] The radius is solved on every batch (Deep SAD paper, appendix) instead of
    every few epochs. The centre is computed anew in every fit; the reference keeps that
    of the first.

    NOTE[DIFF] The score is the squared distance under both objectives; the reference
    subtracts the squared radius for the soft boundary, a constant. Collapse is told by
    distances that float32 cannot tell apart, not by a share of the norm of the rows.

    NOTE[DIFF] In l_a, which Deep SVDD itself has not, epsilon is 1 and not the 1e-6 of
    Deep SAD: see `EPSILON`.

    Examples
    --------
    >>> import numpy as np
    >>> from whitecrow import DeepSVDD
    >>> X = np.random.default_rng(0).normal(size=(200, 8))
    >>> model = DeepSVDD(epochs=5, pretrain=False, random_state=0).fit(X)
    >>> model.anomaly_score(X).shape
    (200,)
    """

    has_l_a: ClassVar[bool] = True

    objective: Annotated[str, options("one-class", "soft-boundary")] = "one-class"
    _: KW_ONLY
    nu: Annotated[float, between(0, 1, closed="right")] = 0.1
    warm_up_epochs: Natural = 5
    hidden: Widths = (64, 32)
    act_fn: Activation = "leaky_relu"
    bias: bool = False
    batch_norm: bool = True
    pretrain: bool | Auto = "auto"
    pretrain_epochs: Natural = 30
    network: Network = "auto"
    milestones: tuple[int, ...] = ()
    epochs: Natural | Auto = "auto"  # type: ignore[assignment]
    weight_decay = 1e-6

    presets: ClassVar[dict[str, dict[str, Any]]] = {
        "nrcan-2022": {**NRCAN, "hidden": (128, 256, 512), "pretrain": False},
        "nrcan-2022-arrhythmia": {
            **NRCAN_ODDS,
            "hidden": (256, 512),
            "pretrain": False,
            "batch_size": 128,
        },
        "nrcan-2022-thyroid": {
            **NRCAN_ODDS,
            "hidden": (32, 64, 128),
            "pretrain": False,
        },
    }

    def _build(self, shape: tuple[int, ...]) -> nn.Module:
        return hypersphere.build(shape, **self._network_options())

    def _losses(self, net: nn.Module, batch: Batch) -> Losses:
        d = net(batch.x).square().sum(-1)
        return Losses(d, 1 / (d + EPSILON))

    def _score(self, net: nn.Module, x: Tensor) -> Tensor:
        return net(x).square().sum(-1)

    def _embed(self, net: nn.Module, x: Tensor) -> Tensor:
        code: Tensor = net(x)
        return code

    def _begin(self, run: Run) -> None:
        if self.objective == "one-class":
            run.plan(Stage("one-class", unlabelled, self._n_epochs))
        warm = min(self.warm_up_epochs, self._n_epochs)
        run.plan(
            Stage("warm-up", unlabelled, warm),
            Stage("soft boundary", soft_boundary(self.nu), self._n_epochs - warm),
        )
        pretrain = self.pretrain
        if pretrain == "auto":
            pretrain = len(self.input_shape_) == 3 and hypersphere.has_decoder(
                self.network
            )
        pretraining = train.Schedule(epochs=self.pretrain_epochs, lr=self.lr)
        hypersphere.prepare(
            run, pretraining if pretrain else None, **self._network_options()
        )

    def _end(self, run: Run) -> None:
        scores = run.scores(self._score).numpy()
        self.radius_ = np.quantile(np.sqrt(scores), 1 - self.nu, axis=1)
        # Distances that differ by less than float32 can hold are one point.
        if (np.ptp(scores, axis=1) < 1e-8 * (1 + scores.mean(axis=1))).any():
            warnings.warn(
                "DeepSVDD: all training rows have the same distance from the centre "
                "(hypersphere collapse, or equal rows); use bias=False, an unbounded "
                "act_fn, fewer epochs or a lower lr",
                UserWarning,
                stacklevel=3,
            )

    def _network_options(self) -> dict[str, Any]:
        return {
            "network": self.network,
            "hidden": self.hidden,
            "act": self.act_fn,
            "bias": self.bias,
            "batch_norm": self.batch_norm,
        }
