"""LeNet encoders for pictures, and the decoders that make autoencoders of them.

The three networks of Deep SVDD and Deep SAD (Ruff et al., 2018 and 2020), as their
released code has them, and one of the same family for pictures of any size. All use
5x5 kernels, batch normalisation (eps 1e-4), leaky ReLU and 2x2 max-pooling; the code
layer is linear. There is no bias and no scale or shift in the normalisation: with one,
a network could map every picture to the centre, a loss of zero that tells nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import pairwise
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from whitecrow.errors import DataError, ParameterError

__all__ = ["LENETS", "Decoder", "Encoder", "decoder", "encoder", "restore_biases"]

Shape = tuple[int, ...]

_EPS = 1e-4
# Smaller pictures have nothing left to pool: they are better used as tables.
_SMALLEST = 8
# The general network adds blocks until its last maps are at most this wide.
_MAP = 8


class _Step(NamedTuple):
    """One transposed convolution of a decoder, with the upsampling before it."""

    channels: int
    size: tuple[int, int] | None
    padding: int = 2


class _Plan(NamedTuple):
    """What distinguishes one LeNet from another."""

    shape: Shape | None  # of a picture; None takes any
    channels: tuple[int, ...]  # of the blocks of the encoder
    rep_dim: int
    hidden: int | None  # width of a dense layer before the code
    seed: Shape | None  # of the first maps of the decoder; None: rep_dim / 16, 4, 4
    steps: tuple[_Step, ...]
    glorot: bool  # how the decoder starts


_MNIST = _Plan(
    shape=(1, 28, 28),
    channels=(8, 4),
    rep_dim=32,
    hidden=None,
    seed=None,
    # Padding 3 turns maps of 16 into 14, so that the last upsampling gives 28.
    steps=(_Step(4, (8, 8)), _Step(8, (16, 16), padding=3), _Step(1, (28, 28))),
    glorot=False,
)
_FMNIST = _Plan(
    shape=(1, 28, 28),
    channels=(16, 32),
    rep_dim=64,
    hidden=128,
    seed=(8, 4, 4),
    steps=(_Step(32, (8, 8)), _Step(16, (16, 16), padding=3), _Step(1, (28, 28))),
    glorot=False,
)
_CIFAR10 = _Plan(
    shape=(3, 32, 32),
    channels=(32, 64, 128),
    rep_dim=128,
    hidden=None,
    seed=None,
    steps=(
        _Step(128, None),
        _Step(64, (8, 8)),
        _Step(32, (16, 16)),
        _Step(3, (32, 32)),
    ),
    glorot=True,
)
# As the Deep SAD paper describes it; its code has 128 and 64.
_FMNIST_64_32 = _FMNIST._replace(rep_dim=32, hidden=64, seed=(4, 4, 4))
_PUBLISHED = {
    "lenet_mnist": _MNIST,
    "lenet_fmnist": _FMNIST,
    "lenet_fmnist_64_32": _FMNIST_64_32,
    "lenet_cifar10": _CIFAR10,
}

LENETS = ("lenet", *_PUBLISHED)


class Encoder(nn.Sequential):
    """Pictures (batch, c, h, w) -> codes (batch, rep_dim).

    Attributes
    ----------
    rep_dim : int
        Width of the code.
    """

    def __init__(self, layers: Sequence[nn.Module], rep_dim: int) -> None:
        super().__init__(*layers)
        self.rep_dim = rep_dim

    def forward(self, x: Float[Tensor, "batch c h w"]) -> Float[Tensor, "batch rep"]:
        """Encode a batch of pictures."""
        for layer in self:
            x = layer(x)
        return x


class Decoder(nn.Sequential):
    """Codes (batch, rep_dim) -> pictures (batch, c, h, w) in [0, 1]."""

    def forward(self, z: Float[Tensor, "batch rep"]) -> Float[Tensor, "batch c h w"]:
        """Decode a batch of codes into pictures."""
        for layer in self:
            z = layer(z)
        return z


def encoder(
    name: str,
    shape: Shape,
    *,
    rep_dim: int | None = None,
    bias: bool = False,
    slope: float = 0.01,
) -> Encoder:
    """Build the encoder of a LeNet.

    Parameters
    ----------
    name : str
        A published network, "lenet_mnist", "lenet_fmnist", "lenet_fmnist_64_32" or
        "lenet_cifar10", or "lenet": blocks of 32, 64 and 128 channels (that of
        CIFAR-10) for pictures of any size, with further blocks of 128 until the maps
        are at most 8 x 8.
    shape : tuple of int
        `(c, h, w)` of a picture; a published network takes its own only.
    rep_dim : int, optional
        Width of the code; by default the published one (32, 64, 128), and 128.
    bias : bool
        Add scale and shift to the normalisation, and a bias where none follows: before
        it the gradient of one would be rounding noise, which Adam turns into steps of
        full size.
    slope : float
        Of the leaky ReLU; 0.01 in the released code, 0.1 in the Deep SAD paper.

    Raises
    ------
    ParameterError
        For an unknown name.
    DataError
        For pictures that the network cannot take.

    References
    ----------
    Ruff et al., Deep Semi-Supervised Anomaly Detection, ICLR 2020.

    Examples
    --------
    >>> import torch
    >>> net = encoder("lenet", (3, 48, 64), rep_dim=16)
    >>> net(torch.zeros(2, 3, 48, 64)).shape
    torch.Size([2, 16])
    """
    plan = _plan(name, shape)
    rep_dim = rep_dim or plan.rep_dim
    layers: list[nn.Module] = []
    n_in, (height, width) = shape[0], shape[1:]
    for n_out in plan.channels:
        layers += [
            nn.Conv2d(n_in, n_out, 5, padding=2, bias=False),
            nn.BatchNorm2d(n_out, eps=_EPS, affine=bias),
            nn.LeakyReLU(slope),
            nn.MaxPool2d(2, ceil_mode=True),
        ]
        n_in, height, width = n_out, _half(height), _half(width)
    layers.append(nn.Flatten())
    n_flat = n_in * height * width
    if plan.hidden is not None:
        layers += [
            nn.Linear(n_flat, plan.hidden, bias=False),
            nn.BatchNorm1d(plan.hidden, eps=_EPS, affine=bias),
            nn.LeakyReLU(slope),
        ]
        n_flat = plan.hidden
    layers.append(nn.Linear(n_flat, rep_dim, bias=bias))
    return Encoder(layers, rep_dim)


def decoder(
    name: str,
    shape: Shape,
    *,
    rep_dim: int | None = None,
    bias: bool = False,
    slope: float = 0.01,
) -> Decoder:
    """Build the decoder that belongs to `encoder` with the same arguments.

    Parameters
    ----------
    name, shape, rep_dim, bias, slope
        As for `encoder`. The decoders of "lenet_mnist" and "lenet_cifar10" read the
        code as maps of 4 x 4 and need a multiple of 16 for `rep_dim`.

    Raises
    ------
    ParameterError
        For an unknown name, or a `rep_dim` that the network cannot take.
    DataError
        For pictures that the network cannot take.

    Examples
    --------
    >>> import torch
    >>> decoder("lenet_mnist", (1, 28, 28))(torch.zeros(2, 32)).shape
    torch.Size([2, 1, 28, 28])
    """
    plan = _plan(name, shape)
    rep_dim = rep_dim or plan.rep_dim
    layers = _first_maps(name, plan, rep_dim, bias=bias)
    n_in = plan.seed[0] if plan.seed else rep_dim // 16
    for step in plan.steps:
        layers.append(nn.LeakyReLU(slope))
        if step.size is not None:
            layers.append(nn.Upsample(step.size))
        last = step is plan.steps[-1]
        conv = nn.ConvTranspose2d(
            n_in, step.channels, 5, padding=step.padding, bias=bias and last
        )
        if plan.glorot:
            gain = nn.init.calculate_gain("leaky_relu", slope)
            nn.init.xavier_uniform_(conv.weight, gain=gain)
        layers += [conv, nn.BatchNorm2d(step.channels, eps=_EPS, affine=bias)]
        n_in = step.channels
    # The last normalisation goes: a picture has a brightness of its own.
    layers[-1] = nn.Sigmoid()
    return Decoder(*layers)


def restore_biases(net: nn.Module, names: Collection[str]) -> None:
    """Give layers before a normalisation the biases that a file names.

    Older networks have them, though normalisation takes any bias away again. Scores of
    a model that was trained with them follow from them to the bit.

    Parameters
    ----------
    net : Module
        Where the LeNets are in; their new biases are 0.
    names : collection of str
        Of saved parameters, as in a state of `net`.
    """
    for path, module in net.named_modules():
        if not isinstance(module, Encoder | Decoder):
            continue
        for (number, layer), (_, after) in pairwise(module.named_children()):
            name = f"{path}.{number}.bias" if path else f"{number}.bias"
            if name in names and isinstance(after, nn.BatchNorm1d | nn.BatchNorm2d):
                layer.bias = nn.Parameter(torch.zeros(after.num_features))


def _first_maps(name: str, plan: _Plan, rep_dim: int, *, bias: bool) -> list[nn.Module]:
    """Build the layers from the code to the maps that the first convolution sees."""
    if plan.seed is not None:
        width = plan.seed[0] * plan.seed[1] * plan.seed[2]
        return [
            nn.Linear(rep_dim, width, bias=False),
            nn.BatchNorm1d(width, eps=_EPS, affine=bias),
            nn.Unflatten(1, plan.seed),
        ]
    if rep_dim % 16:
        raise ParameterError(
            f"rep_dim={rep_dim} does not fit the decoder of {name}, which reads the "
            "code as maps of 4 x 4; use a multiple of 16, or the network 'lenet'"
        )
    return [nn.Unflatten(1, (rep_dim // 16, 4, 4))]


def _plan(name: str, shape: Shape) -> _Plan:
    if name not in LENETS:
        legal = ", ".join(repr(known) for known in LENETS)
        raise ParameterError(
            f"network={name!r} is not for pictures; use 'auto' or one of {legal}"
        )
    if len(shape) != 3:
        raise DataError(
            f"{name} takes pictures of shape (c, h, w), not rows of shape "
            f"{tuple(shape)}; use an MLP for tables"
        )
    if name == "lenet":
        return _general(shape)
    plan = _PUBLISHED[name]
    if tuple(shape) != plan.shape:
        raise DataError(
            f"{name} takes pictures of shape {plan.shape}, not {tuple(shape)}; use the "
            "network 'lenet', which takes any size"
        )
    return plan


def _general(shape: Shape) -> _Plan:
    """Plan the CIFAR-10 network for any size: pooling rounds up, upsampling fits it."""
    if min(shape[1:]) < _SMALLEST:
        raise DataError(
            f"lenet takes pictures of at least {_SMALLEST} x {_SMALLEST} pixels, not "
            f"{shape[1]} x {shape[2]}; flatten them and use a method for tables"
        )
    channels = [32, 64, 128]
    sizes = [(shape[1], shape[2])]
    while len(sizes) <= len(channels) or max(sizes[-1]) > _MAP:
        sizes.append((_half(sizes[-1][0]), _half(sizes[-1][1])))
    channels += [128] * (len(sizes) - 1 - len(channels))
    ups = [None, *sizes[-2::-1]]
    outs = [*channels[::-1], shape[0]]
    return _Plan(
        shape=None,
        channels=tuple(channels),
        rep_dim=128,
        hidden=None,
        seed=(8, *sizes[-1]),
        steps=tuple(_Step(out, size) for out, size in zip(outs, ups, strict=True)),
        glorot=True,
    )


def _half(size: int) -> int:
    """Halve a size, rounding up."""
    return (size + 1) // 2
