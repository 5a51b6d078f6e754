r"""NeuTraL AD: learned transformations that must stay close to x, and apart.

K transformations give views :math:`x_k`; an encoder maps them and x itself to
directions :math:`z_k, z_0`. With :math:`s(k, l) = \cos(z_k, z_l) / \tau` and the logit

.. math::

    r_k = \log \sum_{l \ne k,\, l \ge 1} e^{s(k, l)} - s(k, 0)

the deterministic contrastive loss and its complement are a logistic pair:

.. math::

    l_n = \frac{1}{\log K} \operatorname{mean}_k \operatorname{softplus}(r_k), \qquad
    l_a = \frac{1}{\log K} \operatorname{mean}_k \operatorname{softplus}(-r_k)

:math:`l_n` is 1 when all views coincide. The score is :math:`l_n`.

Source: Qiu et al., Neural Transformation Learning for Deep Anomaly Detection Beyond
Images, ICML 2021; l_a: Qiu et al., ICML 2022; specs/deep_unsupervised.md 2.10 and
specs/active_soel.md 2.
"""

from __future__ import annotations

import math
from dataclasses import KW_ONLY
from typing import Annotated, Any, ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import softplus

from whitecrow.deep import Activation, DeepDetector, Widths
from whitecrow.deep.nets.mlp import BatchNorm, mlp
from whitecrow.deep.published import NRCAN, NRCAN_ODDS
from whitecrow.deep.run import Batch, Losses, Run, Stage
from whitecrow.parameters import (
    Count,
    NonNegative,
    Positive,
    at_least,
    between,
    options,
)

__all__ = ["NeuTraLAD", "Transformations", "contrastive_logits"]

TYPES = ("mul", "residual", "forward")

_SOEL: dict[str, Any] = {
    "trans_hidden": "columns",
    "trans_layers": 3,
    "trans_batch_norm": True,
    "scaling": "none",
    "weight_decay": 0.0,
}

# Shorter codes than this have no direction.
_SHORTEST = 1e-12


class Transformations(nn.Module):
    """K maps without biases, each layer of all of them as one batched product."""

    has_member_axis = True

    def __init__(
        self,
        n: int,
        n_features: int,
        hidden: int,
        kind: str,
        *,
        n_layers: int = 2,
        batch_norm: bool = False,
    ) -> None:
        super().__init__()
        self.n, self.kind = n, kind
        self.first = _uniform(n_features, n * hidden, n_in=n_features)
        # Under names of their own, as lists of parameters have no member axis.
        self.middle = [f"middle_{i}" for i in range(n_layers - 2)]
        for name in self.middle:
            self.register_parameter(name, _uniform(n, hidden, hidden, n_in=hidden))
        self.second = _uniform(n, hidden, n_features, n_in=hidden)
        self.norms = nn.Sequential(
            *(
                BatchNorm(n * hidden, eps=1e-5) if batch_norm else nn.Identity()
                for _ in range(n_layers - 1)
            )
        )

    def forward(
        self, x: Float[Tensor, "*members batch d"]
    ) -> Float[Tensor, "*members views batch d"]:
        """Compute all K views of each row."""
        norms = list(self.norms)
        hidden = torch.relu(norms[0](x @ self.first))
        for name, norm in zip(self.middle, norms[1:], strict=True):
            out = self._by_view(hidden) @ getattr(self, name)
            hidden = torch.relu(norm(out.transpose(-2, -3).flatten(-2)))
        out = self._by_view(hidden) @ self.second
        if self.kind == "mul":
            return torch.sigmoid(out) * x.unsqueeze(-3)
        return out + x.unsqueeze(-3) if self.kind == "residual" else out

    def _by_view(self, hidden: Tensor) -> Tensor:
        """Reshape (..., batch, K h) to (..., K, batch, h)."""
        return hidden.unflatten(-1, (self.n, -1)).transpose(-2, -3)


def _uniform(*shape: int, n_in: int) -> nn.Parameter:
    bound = 1 / math.sqrt(n_in)
    return nn.Parameter(torch.empty(shape).uniform_(-bound, bound))


class Views(nn.Module):
    """Codes of a row and of its K views; rows may get one more, constant column."""

    has_member_axis = True

    def __init__(
        self, transformations: nn.Module, encoder: nn.Module, constant: float = 0.0
    ) -> None:
        super().__init__()
        self.transformations, self.encoder = transformations, encoder
        self.constant = constant

    def forward(
        self, x: Float[Tensor, "*members batch d"]
    ) -> Float[Tensor, "*members all batch z"]:
        """Compute the code of each row (0) and those of its views (1..K)."""
        if self.constant:
            x = torch.nn.functional.pad(x, (0, 1), value=self.constant)
        views = torch.cat([x.unsqueeze(-3), self.transformations(x)], dim=-3)
        codes = self.encoder(views.flatten(-3, -2))
        return codes.unflatten(-2, views.shape[-3:-1])


def contrastive_logits(
    codes: Float[Tensor, "*members all batch z"], temperature: float
) -> Float[Tensor, "*members batch views"]:
    """Compute the logits r_k of the module docstring, finite for any codes."""
    codes = codes.transpose(-2, -3)
    # Lengths from the diagonal of the products: what is divided is all x all numbers a
    # row, not all x z, which halves the time of a step.
    products = codes @ codes.transpose(-1, -2)
    lengths = products.diagonal(dim1=-2, dim2=-1).clamp(min=_SHORTEST**2).sqrt()
    similarity = products / (lengths.unsqueeze(-1) * lengths.unsqueeze(-2))
    similarity = similarity[..., 1:, :] / temperature
    to_original, to_views = similarity[..., 0], similarity[..., 1:]
    itself = torch.eye(to_views.shape[-1], dtype=torch.bool, device=codes.device)
    return to_views.masked_fill(itself, -torch.inf).logsumexp(-1) - to_original


class NeuTraLAD(DeepDetector):
    """Neural transformation learning for tables.

    Parameters
    ----------
    n_transforms : int
        K, at least 2.
    trans_type : {"residual", "mul", "forward"}
        x + T(x), sigmoid(T(x)) * x, or T(x).
    temperature : float
        tau.
    trans_hidden : "auto", "columns" or int
        Hidden width of a transformation: the number of columns, which "auto" keeps
        within 24 and 200.
    trans_layers : int
        Layers of a transformation, at least 2.
    trans_batch_norm : bool
        Normalisation (without scale and shift) after its hidden layers.
    constant : float
        Value of one more column behind the scaled ones, 0 for none. With it the score
        depends on where a row is, and not only on its direction, which is all that a
        network without biases sees.
    hidden : "auto" or tuple of int
        Hidden widths and code of the encoder; "auto" is 2 d three times below 32
        columns, 64, 64, 32 up to 300, and 256, 256, 64 above (SOEL's sizes).
    act_fn, bias, batch_norm
        Of the encoder.
    lr_factor : float in (0, 1]
        What remains of the learning rate after each milestone.
    scaling, epochs, batch_size, lr, weight_decay, milestones, n_members, contamination
        As for `DeepSVDD`.
    patience, device, random_state
        As for `DeepSVDD`.

    Notes
    -----
    NOTE[DIFF] In the reference the masks live in a Python list, so that they are not
    saved and stop training; here they are parameters. The loss is divided by K log K.

    Columns are scaled to [0, 1] by default: without biases the score of a row depends
    on its direction only, and rows around the origin of standardised columns have any.

    Examples
    --------
    >>> import numpy as np
    >>> from whitecrow import NeuTraLAD
    >>> X = np.random.default_rng(0).normal(size=(200, 6))
    >>> model = NeuTraLAD(epochs=3, random_state=0).fit(X)
    >>> bool(np.isfinite(model.anomaly_score(X)).all())
    True
    """

    input_kinds: ClassVar[tuple[str, ...]] = ("table",)
    has_l_a: ClassVar[bool] = True
    # Without biases the score depends on the direction of a row alone, so it hardly
    # changes on the way from the typical row: gradients along it explain nothing.
    explanation: ClassVar[str] = "occlusion"

    n_transforms: Annotated[int, at_least(2)] = 11
    _: KW_ONLY
    trans_type: Annotated[str, options(*TYPES)] = "residual"
    temperature: Positive = 0.1
    trans_hidden: Annotated[str, options("auto", "columns")] | Count = "auto"
    trans_layers: Annotated[int, at_least(2)] = 2
    trans_batch_norm: bool = False
    constant: NonNegative = 0.0
    hidden: Widths = "auto"
    act_fn: Activation = "relu"
    bias: bool = False
    batch_norm: bool = False
    lr_factor: Annotated[float, between(0, 1, closed="right")] = 0.1
    milestones: tuple[int, ...] = ()
    scaling = "minmax"
    weight_decay = 1e-5

    # Official settings for Thyroid and KDD (specs/deep_unsupervised.md 2.10); those of
    # SOEL, whose batches are a fifth of a table (specs/active_soel.md 2.1 and 9).
    presets: ClassVar[dict[str, dict[str, Any]]] = {
        "thyroid": {
            "hidden": (24,) * 5,
            "trans_hidden": 24,
            "epochs": 200,
            "weight_decay": 1e-5,
        },
        "kdd": {
            "hidden": (64, 64, 64, 64, 32),
            "trans_hidden": 100,
            "trans_type": "mul",
            "batch_size": 1000,
            "lr": 5e-4,
            "lr_factor": 0.5,
            "epochs": 10,
        },
        "arrhythmia": {
            "hidden": (64, 64, 64, 64, 32),
            "trans_hidden": 200,
            "batch_norm": True,
            "lr": 5e-4,
            "epochs": 200,
        },
        "kddrev": {
            "hidden": (64, 64, 64, 64, 32),
            "trans_hidden": 100,
            "trans_type": "mul",
            "batch_size": 1000,
            "lr": 5e-4,
            "lr_factor": 0.5,
            "epochs": 30,
        },
        "nrcan-2022": {
            **NRCAN,
            "hidden": (64, 64, 64, 64, 32),
            "trans_hidden": 100,
            "trans_type": "mul",
            "batch_size": 1000,
            "lr": 5e-4,
            "epochs": 10,
        },
        "nrcan-2022-ids": {
            **NRCAN,
            "hidden": (32, 32, 32, 32, 16),
            "trans_hidden": 200,
            "trans_type": "mul",
        },
        "nrcan-2022-arrhythmia": {
            **NRCAN_ODDS,
            "hidden": (64, 64, 64, 64, 64, 32),
            "trans_hidden": 200,
            "batch_size": 128,
        },
        "nrcan-2022-thyroid": {
            **NRCAN_ODDS,
            "hidden": (24,) * 5,
            "trans_hidden": 24,
            "batch_norm": True,
            "lr": 1e-3,
        },
        "soel-tabular": {**_SOEL, "n_transforms": 9, "epochs": 101},
        "soel-features": {
            **_SOEL,
            "n_transforms": 15,
            "trans_type": "forward",
            "trans_hidden": 2048,
            "hidden": (512, 128),
            "batch_size": 512,
            "lr": 1e-4,
            "epochs": 31,
        },
    }

    def _build(self, shape: tuple[int, ...]) -> nn.Module:
        d = shape[0] + bool(self.constant)
        automatic = {"auto": min(200, max(24, d)), "columns": d}
        masks = Transformations(
            self.n_transforms,
            d,
            int(automatic.get(str(self.trans_hidden), self.trans_hidden)),
            self.trans_type,
            n_layers=self.trans_layers,
            batch_norm=self.trans_batch_norm,
        )
        widths = _encoder_widths(d) if isinstance(self.hidden, str) else self.hidden
        encoder = mlp(
            (d, *widths), act=self.act_fn, bias=self.bias, batch_norm=self.batch_norm
        )
        return Views(masks, encoder, float(self.constant))

    def _losses(self, net: nn.Module, batch: Batch) -> Losses:
        r = contrastive_logits(net(batch.x), self.temperature)
        scale = math.log(self.n_transforms)
        return Losses(softplus(r).mean(-1) / scale, softplus(-r).mean(-1) / scale)

    def _train(self, run: Run, stage: Stage) -> None:
        run.minimise(self._losses, stage, gamma=self.lr_factor)

    def _score(self, net: nn.Module, x: Tensor) -> Tensor:
        r = contrastive_logits(net(x), self.temperature)
        return softplus(r).mean(-1) / math.log(self.n_transforms)

    def _embed(self, net: nn.Module, x: Tensor) -> Tensor:
        return net(x).transpose(-2, -3).flatten(-2)


def _encoder_widths(d: int) -> tuple[int, ...]:
    if d < 32:
        return (2 * d,) * 3
    return (64, 64, 32) if d <= 300 else (256, 256, 64)
