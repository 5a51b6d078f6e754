"""Fully connected blocks, the width rule, and autoencoders of them.

The blocks take an optional leading *member* dimension: with weights of shape
`(members, in, out)` and rows of shape `(members, batch, in)` the same forward pass runs
many networks at once, as one batched product. `whitecrow.deep.stacked` uses that.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import SupportsInt

import torch
from jaxtyping import Float
from torch import Tensor, nn

from whitecrow.deep.nets.noise import OwnDropout
from whitecrow.errors import ParameterError

__all__ = [
    "ACTIVATIONS",
    "BatchNorm",
    "Dropout",
    "Linear",
    "activation",
    "autoencoder_widths",
    "encoder_widths",
    "glorot",
    "halving_widths",
    "mlp",
]

_DRAWN_AHEAD = 2**17

ACTIVATIONS = ("relu", "leaky_relu", "tanh", "sigmoid", "elu")


class Linear(nn.Module):
    """`x W + b`, for one network or for a stack of members.

    NOTE[DIFF] The weight is stored as (in, out), transposed against `torch.nn.Linear`:
    a stack of members is then one `baddbmm` without a transposed copy. First values
    have the same distribution, uniform in +-1/sqrt(in).
    """

    has_member_axis = True

    def __init__(self, n_in: int, n_out: int, *, bias: bool = True) -> None:
        super().__init__()
        bound = 1 / math.sqrt(n_in)
        self.weight = nn.Parameter(torch.empty(n_in, n_out).uniform_(-bound, bound))
        start = torch.empty(n_out).uniform_(-bound, bound) if bias else None
        self.bias = None if start is None else nn.Parameter(start)

    def forward(
        self, x: Float[Tensor, "*members batch in"]
    ) -> Float[Tensor, "*members batch out"]:
        """Map (batch, in) to (batch, out), or both with a leading member axis."""
        if self.weight.ndim == 2:
            if self.bias is None or x.ndim != 2:
                y = x @ self.weight
                return y if self.bias is None else y + self.bias
            return torch.addmm(self.bias, x, self.weight)
        if self.bias is None:
            return torch.bmm(x, self.weight)
        return torch.baddbmm(self.bias.unsqueeze(-2), x, self.weight)


class BatchNorm(nn.Module):
    """Batch normalisation over the batch dimension, for one network or a stack.

    NOTE[DIFF] The epsilon is Deep SAD's 1e-4 for all methods; the encoders of SOEL's
    code have torch's 1e-5.
    """

    has_member_axis = True

    running_mean: Tensor
    running_var: Tensor

    def __init__(
        self,
        width: int,
        *,
        affine: bool = False,
        eps: float = 1e-4,
        momentum: float = 0.1,
    ) -> None:
        super().__init__()
        self.eps, self.momentum = eps, momentum
        self.weight = nn.Parameter(torch.ones(width)) if affine else None
        self.bias = nn.Parameter(torch.zeros(width)) if affine else None
        self.register_buffer("running_mean", torch.zeros(width))
        self.register_buffer("running_var", torch.ones(width))

    def forward(
        self, x: Float[Tensor, "*members batch width"]
    ) -> Float[Tensor, "*members batch width"]:
        """Normalise each column with statistics of the batch (or running ones)."""
        state = self.weight, self.bias, self.running_mean, self.running_var
        if x.ndim == 2:
            return self._normalised(x, *state)
        members, batch, width = x.shape
        flat = [None if part is None else part.view(-1) for part in state]
        y = self._normalised(x.transpose(0, 1).reshape(batch, -1), *flat)
        return y.view(batch, members, width).transpose(0, 1)

    def _normalised(
        self,
        x: Tensor,
        weight: Tensor | None,
        bias: Tensor | None,
        mean: Tensor | None,
        var: Tensor | None,
    ) -> Tensor:
        # Call torch.batch_norm directly: the checks of F.batch_norm cost 10 % of a
        # small layer.
        return torch.batch_norm(
            x,
            weight,
            bias,
            mean,
            var,
            self.training,
            self.momentum,
            self.eps,
            torch.backends.cudnn.enabled,
        )


class Dropout(OwnDropout):
    """Dropout that draws the masks of many small batches at once.

    Drawing one number takes as long as drawing ten thousand: on a small batch it would
    be the slowest part of the layer. Each member of a stack has a generator, so that
    its masks are those that it has alone.
    """

    def __init__(self, p: float) -> None:
        super().__init__(p)
        self._drawn, self._used = torch.empty(1, 0), 0

    def train(self, mode: bool = True) -> Dropout:
        """Set the mode; masks drawn under another seed are forgotten."""
        self._drawn, self._used = torch.empty(1, 0), 0
        super().train(mode)
        return self

    def forward(self, x: Tensor) -> Tensor:
        """Drop numbers of any shape; scale what remains by 1 / (1 - p)."""
        if not self.training:
            return x
        stacked = x.ndim == 3 and len(self.generators) == len(x)
        generators = self.generators if stacked else self.generators[:1] or (None,)
        size = x.numel() // len(generators)
        start, end = self._used, self._used + size
        if end > self._drawn.shape[1]:
            keep = 1 - self.p
            drawn = x.new_empty(len(generators), max(_DRAWN_AHEAD, size))
            for line, generator in zip(drawn, generators, strict=True):
                line.uniform_(generator=generator)
            self._drawn = drawn.lt_(keep).div_(keep)
            start, end = 0, size
        self._used = end
        return x * self._drawn[:, start:end].reshape(x.shape)


def activation(name: str, slope: float = 0.01) -> nn.Module:
    """Return the activation of this name, one of `ACTIVATIONS`.

    `slope` is that of the leaky ReLU for negative numbers.
    """
    layers: dict[str, nn.Module] = {
        "relu": nn.ReLU(),
        "leaky_relu": nn.LeakyReLU(slope),
        "tanh": nn.Tanh(),
        "sigmoid": nn.Sigmoid(),
        "elu": nn.ELU(),
    }
    if name not in layers:
        raise ParameterError(
            f"there is no activation {name!r}; use one of {', '.join(ACTIVATIONS)}"
        )
    return layers[name]


def mlp(
    widths: Sequence[int],
    *,
    act: str = "relu",
    slope: float = 0.01,
    bias: bool = True,
    batch_norm: bool = False,
    affine: bool = False,
    dropout: float = 0.0,
) -> nn.Sequential:
    """Build linear layers of the given widths; every one but the last is activated.

    Parameters
    ----------
    widths : sequence of int
        Input width, hidden widths, output width.
    act : str
        One of `ACTIVATIONS`.
    slope : float
        Of the leaky ReLU.
    bias, batch_norm, affine : bool
        Biases of the linear layers, except where normalisation follows;
        normalisation after each hidden layer, before the activation; scale and shift
        of the normalisation.
    dropout : float
        Probability of dropping a hidden unit.

    Examples
    --------
    >>> mlp((4, 3, 2))(torch.zeros(5, 4)).shape
    torch.Size([5, 2])
    """
    layers: list[nn.Module] = []
    for n_in, n_out in pairwise(widths[:-1]):
        # Normalisation takes any bias away again; its gradient would be rounding noise,
        # which Adam turns into steps of full size.
        layers.append(Linear(n_in, n_out, bias=bias and not batch_norm))
        if batch_norm:
            layers.append(BatchNorm(n_out, affine=affine))
        layers.append(activation(act, slope))
        if dropout:
            layers.append(Dropout(dropout))
    layers.append(Linear(widths[-2], widths[-1], bias=bias))
    return nn.Sequential(*layers)


def glorot(net: nn.Module) -> nn.Module:
    """Draw the weights of all layers anew, uniform as Glorot and Bengio have it.

    Biases stay as they are. The module is returned.
    """
    for parameter in net.parameters():
        if parameter.ndim > 1:
            nn.init.xavier_uniform_(parameter)
    return net


def halving_widths(
    n_features: int, *, n_layers: int, compression_factor: int
) -> list[int]:
    """Return `[d, d//c, d//c//c, ...]` with `n_layers` steps (Deep SVDD's rule).

    Raises
    ------
    ParameterError
        When a width would be 0, with the largest number of layers that fits.

    Examples
    --------
    >>> halving_widths(65, n_layers=4, compression_factor=2)
    [65, 32, 16, 8, 4]
    """
    widths = [n_features]
    for layer in range(n_layers):
        widths.append(widths[-1] // compression_factor)
        if widths[-1] == 0:
            raise ParameterError(
                f"n_layers={n_layers} with compression_factor={compression_factor} "
                f"leaves layer {layer + 1} of {n_features} columns without a unit; "
                f"use n_layers <= {layer} or a smaller factor"
            )
    return widths


def autoencoder_widths(
    n_features: int, *, n_layers: int, compression_factor: int, latent_dim: int
) -> list[int]:
    """Compute widths of an encoder: divided by the factor each time, then the code.

    The width rule of specs/deep_unsupervised.md, 1.2; the decoder is its mirror image.

    Examples
    --------
    >>> autoencoder_widths(274, n_layers=4, compression_factor=2, latent_dim=3)
    [274, 137, 68, 34, 3]
    """
    hidden = halving_widths(
        n_features, n_layers=n_layers - 1, compression_factor=compression_factor
    )
    return [*hidden, latent_dim]


def encoder_widths(
    n_features: int,
    hidden: str | Sequence[SupportsInt],
    *,
    auto: Sequence[int],
    **rule: int,
) -> list[int]:
    """Return widths of an encoder from input to code, as a parameter `hidden` says.

    Parameters
    ----------
    n_features : int
        Width of the input.
    hidden : "auto", "rule" or sequence of int
        The widths after the input, or where they come from.
    auto : sequence of int
        What "auto" stands for.
    **rule
        Arguments of `autoencoder_widths`, for "rule".

    Examples
    --------
    >>> encoder_widths(9, "auto", auto=(64, 3))
    [9, 64, 3]
    """
    if hidden == "rule":
        return autoencoder_widths(n_features, **rule)
    widths = auto if hidden == "auto" else hidden
    return [n_features, *(int(width) for width in widths)]
