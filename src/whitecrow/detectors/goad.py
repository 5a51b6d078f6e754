r"""GOAD: which of M random maps was applied? That is hard to tell for odd rows.

Fixed random affine maps :math:`x \mapsto W_m x + b_m`, with
:math:`W_m \sim N(0, 1)^{r \times d}` and :math:`b_m \sim N(0, \mathrm{shift}^2 d)^r`; a
trunk shared by all of them gives features :math:`f_m(x)`, a head M logits. With
:math:`c_m` the mean feature of a map over a batch,

.. math::

    l_n(x) = \operatorname{mean}_m \mathrm{CE}_m(x) + \mathrm{lamb} \cdot
    \operatorname{mean}_m \max\Bigl(0, \lVert f_m - c_m \rVert^2 + \mathrm{margin}
    - \min_{m' \ne m} \lVert f_m - c_{m'} \rVert^2\Bigr)

and after training, with :math:`c_m` over all training rows,

.. math::

    \mathrm{score}(x) = -\sum_m \log \operatorname{softmax}_{m'}
    \bigl(-\max(\lVert f_m - c_{m'} \rVert^2, \epsilon)\bigr)_m

There is no l_a.

Source: Bergman and Hoshen, Classification-Based Anomaly Detection for General Data,
ICLR 2020; specs/deep_unsupervised.md 2.15.
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
from whitecrow.parameters import Count, Natural, NonNegative, at_least

__all__ = ["GOAD", "Features", "closeness", "log_odds", "triplet_centre"]

# Numbers held at once for each of a few matrices (rows, maps, maps).
_BLOCK = 4_000_000

_SLOPE = 0.2

_NRCAN: dict[str, Any] = {
    "scaling": "minmax",
    "n_transforms": 256,
    "feature_space": 128,
    "epochs": 25,
    "batch_size": 64,
    "lr": 1e-4,
    "weight_decay": 1e-4,
}
_NRCAN_ODDS = {
    **_NRCAN,
    "scaling": "standard",
    "feature_space": 32,
    "num_hidden_nodes": 8,
}


class Features(nn.Module):
    """The maps, the trunk and the head; centres are set after training."""

    has_member_axis = True

    maps: Tensor
    shifts: Tensor
    centres: Tensor

    def __init__(
        self,
        n_features: int,
        *,
        n_maps: int,
        width: int,
        hidden: int,
        n_layers: int,
        shift: float,
    ) -> None:
        super().__init__()
        self.n_maps = n_maps
        # Those of the largest matrices.
        self.numbers_per_row = n_maps * max(n_maps, width, hidden)
        self.register_buffer("maps", torch.randn(n_features, n_maps * width))
        length = shift * math.sqrt(n_features)
        self.register_buffer("shifts", length * torch.randn(n_maps * width))
        self.register_buffer("centres", torch.zeros(n_maps, hidden))
        trunk: list[nn.Module] = [Linear(width, hidden, bias=False)]
        for _ in range(n_layers):
            trunk += [nn.LeakyReLU(_SLOPE), Linear(hidden, hidden, bias=False)]
        self.trunk = nn.Sequential(*trunk)
        self.head = nn.Sequential(nn.LeakyReLU(_SLOPE), Linear(hidden, n_maps))

    def forward(
        self, x: Float[Tensor, "*members batch d"]
    ) -> tuple[
        Float[Tensor, "*members batch maps h"],
        Float[Tensor, "*members batch maps maps"],
    ]:
        """Compute features and logits of each row under each map."""
        features = self.features(x)
        logits = self.head(features.flatten(-3, -2))
        return features, logits.unflatten(-2, (-1, self.n_maps))

    def features(
        self, x: Float[Tensor, "*members batch d"]
    ) -> Float[Tensor, "*members batch maps h"]:
        """Compute features of each row under each map."""
        views = (x @ self.maps + self.shifts.unsqueeze(-2)).unflatten(
            -1, (self.n_maps, -1)
        )
        return self.trunk(views.flatten(-3, -2)).unflatten(-2, (-1, self.n_maps))


def closeness(
    features: Float[Tensor, "*members batch maps h"],
    centres: Float[Tensor, "*members maps h"],
) -> Float[Tensor, "*members batch maps maps"]:
    """Compute `|f|^2 - |f - c|^2` for each feature and each centre.

    A softmax, or a difference, over the centres is that of the negative distances; but
    far away, where |f|^2 is large, this keeps its digits.
    """
    products = features.flatten(-3, -2) @ centres.mT
    norms = centres.square().sum(-1)[..., None, :]
    return (2 * products - norms).unflatten(-2, features.shape[-3:-1])


def triplet_centre(
    close: Float[Tensor, "*members batch maps maps"], margin: float
) -> Float[Tensor, "*members batch maps"]:
    """Compute by how much the own centre should have been nearer than any other.

    Examples
    --------
    >>> triplet_centre(torch.tensor([[[3.0, 1.0], [0.0, 0.5]]]), margin=1.0)
    tensor([[0.0000, 0.5000]])
    """
    own = close.diagonal(dim1=-2, dim2=-1)
    itself = torch.eye(close.shape[-1], dtype=torch.bool, device=close.device)
    other = close.masked_fill(itself, -torch.inf).amax(-1)
    return (margin + other - own).clamp(min=0)


def log_odds(
    logits: Float[Tensor, "*members batch maps maps"],
) -> Float[Tensor, "*members batch maps"]:
    """Compute log odds of mistaking each map for another; softplus is cross-entropy."""
    own = logits.diagonal(dim1=-2, dim2=-1)
    itself = torch.eye(logits.shape[-1], dtype=torch.bool, device=logits.device)
    return logits.masked_fill(itself, -torch.inf).logsumexp(-1) - own


class GOAD(DeepDetector):
    """Classification of random linear maps, for tables.

    Parameters
    ----------
    n_transforms : int
        M, at least 2. Time and memory grow with its square.
    feature_space : int
        r, the columns that a map makes of a row.
    shift : float
        Size of b_m: that of a map's own part at `shift` times a typical row.
    num_hidden_nodes : int
        Width of the trunk and of the features.
    n_layers : int
        Hidden layers of the trunk; 0 is a linear one.
    lamb : float
        Weight of the triplet-centre loss.
    margin : float
        See the formula in the module.
    eps : float
        Squared distances below count as this much.
    scaling, epochs, batch_size, lr, weight_decay, milestones, n_members, contamination
        As for `AutoEncoder`; after each milestone the learning rate drops to a tenth.
    patience, device, random_state
        As for `AutoEncoder`.

    Notes
    -----
    NOTE[DIFF] The reference code mixes the rows of a batch when it reshapes (B, r, M),
    so that a score is a statistic of its batch; trains the random maps; and keeps as
    centres the averages of its last epoch, whose weights were moving. Here rows are
    apart, maps are fixed, and centres are means over all rows after training.

    NOTE[DIFF] The maps of the paper are affine, those of published code linear
    (`shift=0`). Linear ones leave the mean of centred columns in the origin: without
    hidden layers all centres coincide there, and with them much is lost, too.

    Examples
    --------
    >>> import numpy as np
    >>> from whitecrow import GOAD
    >>> t = np.random.default_rng(0).uniform(-1, 1, 300)
    >>> X = np.c_[t, t**2, 1 - t]
    >>> model = GOAD(epochs=10, random_state=0).fit(X)
    >>> usual, odd = model.anomaly_score([[0.5, 0.25, 0.5], [0.5, 0.9, -0.5]])
    >>> bool(odd > usual)
    True
    """

    input_kinds: ClassVar[tuple[str, ...]] = ("table",)

    n_transforms: Annotated[int, at_least(2)] = 32
    _: KW_ONLY
    feature_space: Count = 32
    shift: NonNegative = 0.5
    num_hidden_nodes: Count = 8
    n_layers: Natural = 1
    lamb: NonNegative = 0.1
    margin: NonNegative = 1.0
    eps: NonNegative = 0.0
    milestones: tuple[int, ...] = ()
    epochs = 25
    batch_size = 64

    # specs/deep_unsupervised.md 7
    presets: ClassVar[dict[str, dict[str, Any]]] = {
        "nrcan-2022": {**_NRCAN, "num_hidden_nodes": 128, "n_layers": 5},
        "nrcan-2022-ids": {
            **_NRCAN,
            "n_transforms": 64,
            "feature_space": 64,
            "num_hidden_nodes": 32,
            "n_layers": 5,
        },
        "nrcan-2022-arrhythmia": {**_NRCAN_ODDS, "n_layers": 0, "epochs": 1},
        "nrcan-2022-thyroid": {**_NRCAN_ODDS, "n_layers": 1},
    }

    def _build(self, shape: tuple[int, ...]) -> nn.Module:
        return Features(
            shape[0],
            n_maps=self.n_transforms,
            width=self.feature_space,
            hidden=self.num_hidden_nodes,
            n_layers=self.n_layers,
            shift=self.shift,
        )

    def _losses(self, net: nn.Module, batch: Batch) -> Losses:
        features, logits = net(batch.x)
        loss = softplus(log_odds(logits))
        if self.lamb:
            close = closeness(features, features.mean(-3))
            loss = loss + self.lamb * triplet_centre(close, self.margin)
        return Losses(loss.mean(-1))

    def _score(self, net: nn.Module, x: Tensor) -> Tensor:
        assert isinstance(net, Features)
        features = net.features(x)
        close = closeness(features, net.centres)
        # In units of `closeness`, a squared distance of at least eps.
        nearest = features.square().sum(-1, keepdim=True) - self.eps
        # float64, as exp(-104) is 0 in float32: typical rows would tie.
        return softplus(log_odds(torch.minimum(close, nearest)).double()).sum(-1)

    def _train(self, run: Run, stage: Stage) -> None:
        run.minimise(self._losses, stage, betas=(0.5, 0.999))

    def _end(self, run: Run) -> None:
        net = run.net
        assert isinstance(net, Features)
        # Mean features of all rows that are not labelled anomalous.
        net.centres.copy_(run.mean(net.features))
