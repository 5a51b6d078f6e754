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
from numbers import Integral, Real
from typing import Any, ClassVar

import torch
from jaxtyping import Float
from sklearn.utils._param_validation import Interval, StrOptions
from torch import Tensor, nn
from torch.nn.functional import softplus

from whitecrow.deep import DeepDetector
from whitecrow.nets.mlp import ACTIVATIONS, mlp

__all__ = ["NeuTraLAD", "Transformations", "contrastive_logits"]

TYPES = ("mul", "residual", "forward")

# Shorter codes than this have no direction.
_SHORTEST = 1e-12


class Transformations(nn.Module):
    """K two-layer maps without biases, as one product and one batched product."""

    has_member_axis = True

    def __init__(self, n: int, n_features: int, hidden: int, kind: str) -> None:
        super().__init__()
        self.n, self.kind = n, kind
        first, second = 1 / math.sqrt(n_features), 1 / math.sqrt(hidden)
        self.first = nn.Parameter(
            torch.empty(n_features, n * hidden).uniform_(-first, first)
        )
        self.second = nn.Parameter(
            torch.empty(n, hidden, n_features).uniform_(-second, second)
        )

    def forward(
        self, x: Float[Tensor, "*members batch d"]
    ) -> Float[Tensor, "*members views batch d"]:
        """All K views of each row."""
        hidden = torch.relu(x @ self.first).unflatten(-1, (self.n, -1))
        out = hidden.transpose(-2, -3) @ self.second
        if self.kind == "mul":
            return torch.sigmoid(out) * x.unsqueeze(-3)
        return out + x.unsqueeze(-3) if self.kind == "residual" else out


class Views(nn.Module):
    """Codes of a row and of its K views."""

    has_member_axis = True

    def __init__(self, transformations: nn.Module, encoder: nn.Module) -> None:
        super().__init__()
        self.transformations, self.encoder = transformations, encoder

    def forward(
        self, x: Float[Tensor, "*members batch d"]
    ) -> Float[Tensor, "*members all batch z"]:
        """Code 0 is that of the row, 1..K are those of its views."""
        views = torch.cat([x.unsqueeze(-3), self.transformations(x)], dim=-3)
        codes = self.encoder(views.flatten(-3, -2))
        return codes.unflatten(-2, views.shape[-3:-1])


def contrastive_logits(
    codes: Float[Tensor, "*members all batch z"], temperature: float
) -> Float[Tensor, "*members batch views"]:
    """The logits r_k of the module docstring, finite for any codes."""
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
    trans_hidden : "auto" or int
        Hidden width of a transformation; "auto" is the number of columns, at least 24
        and at most 200.
    hidden : "auto" or tuple of int
        Hidden widths and code of the encoder; "auto" is 2 d three times below 32
        columns, 64, 64, 32 up to 300, and 256, 256, 64 above (SOEL's sizes).
    act_fn, bias, batch_norm
        Of the encoder.
    scaling, epochs, batch_size, lr, weight_decay, milestones, n_members, contamination
        As for `DeepSVDD`.
    device, random_state
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

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "n_transforms": [Interval(Integral, 2, None, closed="left")],
        "trans_type": [StrOptions(set(TYPES))],
        "temperature": [Interval(Real, 0, None, closed="neither")],
        "trans_hidden": [
            StrOptions({"auto"}),
            Interval(Integral, 1, None, closed="left"),
        ],
        "hidden": [StrOptions({"auto"}), tuple, list],
        "act_fn": [StrOptions(set(ACTIVATIONS))],
        "bias": ["boolean"],
        "batch_norm": ["boolean"],
    }

    # Official settings for Thyroid and KDD (specs/deep_unsupervised.md 2.10)
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
            "epochs": 10,
        },
    }

    def __init__(
        self,
        n_transforms: int = 11,
        *,
        trans_type: str = "residual",
        temperature: float = 0.1,
        trans_hidden: str | int = "auto",
        hidden: str | tuple[int, ...] = "auto",
        act_fn: str = "relu",
        bias: bool = False,
        batch_norm: bool = False,
        scaling: str = "minmax",
        epochs: int = 50,
        batch_size: int = 128,
        lr: float = 1e-3,
        weight_decay: float = 1e-5,
        milestones: tuple[int, ...] = (),
        n_members: int = 1,
        contamination: float | str = "auto",
        device: str = "auto",
        random_state: Any = None,
    ) -> None:
        self.n_transforms = n_transforms
        self.trans_type = trans_type
        self.temperature = temperature
        self.trans_hidden = trans_hidden
        self.hidden = hidden
        self.act_fn = act_fn
        self.bias = bias
        self.batch_norm = batch_norm
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
        d = shape[0]
        width = (
            min(200, max(24, d)) if self.trans_hidden == "auto" else self.trans_hidden
        )
        masks = Transformations(self.n_transforms, d, int(width), self.trans_type)
        widths = _encoder_widths(d) if isinstance(self.hidden, str) else self.hidden
        encoder = mlp(
            (d, *widths), act=self.act_fn, bias=self.bias, batch_norm=self.batch_norm
        )
        return Views(masks, encoder)

    def _losses(self, net: nn.Module, x: Tensor) -> tuple[Tensor, Tensor]:
        r = contrastive_logits(net(x), self.temperature)
        scale = math.log(self.n_transforms)
        return softplus(r).mean(-1) / scale, softplus(-r).mean(-1) / scale

    def _score(self, net: nn.Module, x: Tensor) -> Tensor:
        return self._losses(net, x)[0]


def _encoder_widths(d: int) -> tuple[int, ...]:
    if d < 32:
        return (2 * d,) * 3
    return (64, 64, 32) if d <= 300 else (256, 256, 64)
