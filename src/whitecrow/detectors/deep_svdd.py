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
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
import torch
from jaxtyping import Float
from sklearn.utils._param_validation import Interval, StrOptions
from torch import Tensor, nn

from whitecrow import hypersphere, train
from whitecrow.deep import DeepDetector, Members, Stage
from whitecrow.detector import Rows
from whitecrow.nets.mlp import ACTIVATIONS
from whitecrow.supervision import unlabelled

__all__ = ["DeepSVDD", "radius", "soft_boundary"]

# Keeps l_a and its gradient of the size of l_n's: with Deep SAD's 1e-6, rows near the
# centre that latent outlier exposure suspects would outweigh all the others together.
EPSILON = 1.0


def radius(
    d: Float[Tensor, "*members batch"], nu: float
) -> Float[Tensor, "*members 1"]:
    """The radius that leaves the share `nu` of the rows outside.

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
        """One loss for each member; Deep SVDD trains without auxiliary outliers."""
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
        Hidden widths and code of the network for tables; "auto" is 128, 64, 32 from
        100 columns on, else 32, 16, 8 (4 for 6 columns or fewer).
    act_fn : {"relu", "leaky_relu", "tanh", "sigmoid", "elu"}
        Activation between layers; bounded ones make collapse possible.
    bias, batch_norm : bool
        Biases make collapse possible: a constant map reaches the centre.
    pretrain : bool
        Start from the encoder of an autoencoder.
    pretrain_epochs : int
        Its epochs.
    network : str or callable
        "auto" takes a perceptron for tables and a convolutional network for pictures;
        or a name from `whitecrow.nets.lenet`; or a callable from the shape of a row to
        a module.
    scaling, epochs, batch_size, lr, weight_decay, milestones, n_members, contamination
        As for `AutoEncoder`; after each milestone the learning rate drops to a tenth.
    device, random_state
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

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "objective": [StrOptions({"one-class", "soft-boundary"})],
        "nu": [Interval(Real, 0, 1, closed="right")],
        "warm_up_epochs": [Interval(Integral, 0, None, closed="left")],
        "hidden": [StrOptions({"auto"}), tuple, list],
        "act_fn": [StrOptions(set(ACTIVATIONS))],
        "bias": ["boolean"],
        "batch_norm": ["boolean"],
        "pretrain": ["boolean"],
        "pretrain_epochs": [Interval(Integral, 0, None, closed="left")],
    }

    def __init__(
        self,
        objective: str = "one-class",
        *,
        nu: float = 0.1,
        warm_up_epochs: int = 10,
        hidden: str | tuple[int, ...] = "auto",
        act_fn: str = "leaky_relu",
        bias: bool = False,
        batch_norm: bool = True,
        pretrain: bool = True,
        pretrain_epochs: int = 30,
        network: Any = "auto",
        scaling: str = "standard",
        epochs: int = 50,
        batch_size: int = 128,
        lr: float = 1e-3,
        weight_decay: float = 1e-6,
        milestones: tuple[int, ...] = (),
        n_members: int = 1,
        contamination: float | str = "auto",
        device: str = "auto",
        random_state: Any = None,
    ) -> None:
        self.objective = objective
        self.nu = nu
        self.warm_up_epochs = warm_up_epochs
        self.hidden = hidden
        self.act_fn = act_fn
        self.bias = bias
        self.batch_norm = batch_norm
        self.pretrain = pretrain
        self.pretrain_epochs = pretrain_epochs
        self.network = network
        self.scaling = scaling
        self.epochs = epochs
        self.batch_size = batch_size
        self.lr = lr
        self.weight_decay = weight_decay
        self.milestones = milestones
        self.n_members = n_members
        self.contamination = contamination
        self.device = device
        self.random_state = random_state

    def _build(self, shape: tuple[int, ...]) -> nn.Module:
        return hypersphere.build(shape, **self._network_options())

    def _losses(self, net: nn.Module, x: Tensor) -> tuple[Tensor, Tensor]:
        d = net(x).square().sum(-1)
        return d, 1 / (d + EPSILON)

    def _score(self, net: nn.Module, x: Tensor) -> Tensor:
        return net(x).square().sum(-1)

    def _embed(self, net: nn.Module, x: Tensor) -> Tensor:
        code: Tensor = net(x)
        return code

    def _stages(self) -> list[Stage]:
        if self.objective == "one-class":
            return [Stage("one-class", unlabelled, self.epochs)]
        warm = min(self.warm_up_epochs, self.epochs)
        return [
            Stage("warm-up", unlabelled, warm),
            Stage("soft boundary", soft_boundary(self.nu), self.epochs - warm),
        ]

    def _prepare(self, net: nn.Module, data: Members) -> None:
        pretraining = train.Schedule(epochs=self.pretrain_epochs, lr=self.lr)
        hypersphere.prepare(
            net,
            data,
            pretraining if self.pretrain else None,
            method=type(self).__name__,
            **self._network_options(),
        )

    def _finish(self, X: Rows) -> None:
        scores = self._member_scores(X)
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
