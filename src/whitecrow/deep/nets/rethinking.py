"""The networks of *Rethinking Assumptions in Deep Anomaly Detection*.

Two LeNets that differ from those of Deep SAD (wider, with biases, Xavier's first
weights), a ResNet-18 with attention for large pictures, and a small network for points
in a plane. All take rows of any size of their kind.

Source: Ruff et al., arXiv 2006.00339; specs/outlier_exposure.md 2. Attention: Woo et
al., CBAM: Convolutional Block Attention Module, ECCV 2018.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from whitecrow.errors import DataError

__all__ = ["NAMES", "Attention", "ResNet18", "build", "is_known"]

Shape = tuple[int, ...]

_EPS = 1e-4
_SLOPE = 0.01
_LEAKY = nn.init.calculate_gain("leaky_relu", _SLOPE)


class _LeNet(NamedTuple):
    channels: tuple[int, ...]
    hidden: int
    rep_dim: int


_LENETS = {
    "lenet_mnist_wide": _LeNet((16, 32), 64, 32),
    "lenet_cifar10_wide": _LeNet((32, 64, 128), 512, 256),
}

_ALIASES = {
    "mnist_LeNet": "lenet_mnist_wide",
    "cifar10_LeNet": "lenet_cifar10_wide",
    "imagenet_WideResNet": "resnet18_cbam",
    "toy_Net": "toy",
}
"""What the released code calls them."""


def build(name: str, shape: Shape, *, rep_dim: int | None, bias: bool) -> nn.Module:
    """Build an encoder by its name, or by that of the released code.

    Parameters
    ----------
    name : str
        One of `NAMES`.
    shape : tuple of int
        `(c, h, w)` of a picture; `(d,)` for "toy".
    rep_dim : int or None
        Width of the code; None: 32, 256, 256 and 128.
    bias : bool
        Of the LeNets: biases, and scale and shift in the normalisation.

    Raises
    ------
    DataError
        For rows of the other kind, or pictures with nothing left to pool.

    Examples
    --------
    >>> net = build("cifar10_LeNet", (3, 32, 32), rep_dim=None, bias=True)
    >>> sum(p.numel() for p in net.parameters())
    1440512
    """
    name = _ALIASES.get(name, name)
    kinds = (1,) if name == "toy" else (3,)
    if len(shape) not in kinds:
        wanted = "rows of a table" if name == "toy" else "pictures of shape (c, h, w)"
        raise DataError(
            f"network={name!r} takes {wanted}, not rows of shape {tuple(shape)}; use "
            "'auto'"
        )
    return _BUILDERS[name](shape, rep_dim, bias)


def is_known(name: object) -> bool:
    """Tell whether a network of this module has the name."""
    return isinstance(name, str) and name in NAMES


# ---------------------------------------------------------------------------- LeNets


def _lenet(plan: _LeNet, shape: Shape, rep_dim: int | None, bias: bool) -> nn.Module:
    layers: list[nn.Module] = []
    n_in, (height, width) = shape[0], shape[1:]
    if min(height, width) < 2 ** len(plan.channels):
        least = 2 ** len(plan.channels)
        raise DataError(
            f"this LeNet halves pictures {len(plan.channels)} times and takes those of "
            f"at least {least} x {least} pixels, not {height} x {width}; flatten them "
            "and use a perceptron"
        )
    for n_out in plan.channels:
        layers += [
            _xavier(nn.Conv2d(n_in, n_out, 5, padding=2, bias=bias)),
            nn.BatchNorm2d(n_out, eps=_EPS, affine=bias),
            nn.LeakyReLU(_SLOPE),
            nn.MaxPool2d(2),
        ]
        n_in, height, width = n_out, height // 2, width // 2
    return nn.Sequential(
        *layers,
        nn.Flatten(),
        _xavier(nn.Linear(n_in * height * width, plan.hidden, bias=bias)),
        nn.BatchNorm1d(plan.hidden, eps=_EPS, affine=bias),
        nn.LeakyReLU(_SLOPE),
        _xavier(nn.Linear(plan.hidden, rep_dim or plan.rep_dim, bias=bias), gain=1.0),
    )


def _xavier(layer: nn.Conv2d | nn.Linear, gain: float = _LEAKY) -> nn.Module:
    nn.init.xavier_normal_(layer.weight, gain)
    return layer


# ------------------------------------------------------------------------ ResNet-18


class Attention(nn.Module):
    """CBAM: weights for the channels, then for the places, of maps.

    Parameters
    ----------
    channels : int
        Of the maps.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        narrow = max(1, channels // 16)
        self.channel = nn.Sequential(
            nn.Linear(channels, narrow), nn.ReLU(), nn.Linear(narrow, channels)
        )
        conv = nn.Conv2d(2, 1, 7, padding=3, bias=False)
        norm = nn.BatchNorm2d(1, momentum=0.01)
        self.place = nn.Sequential(conv, norm)
        for layer in self.channel:
            if isinstance(layer, nn.Linear):
                nn.init.zeros_(layer.bias)
        nn.init.kaiming_normal_(conv.weight, mode="fan_out", nonlinearity="relu")
        # The gate of places starts at sigmoid(0) = 0.5 everywhere.
        nn.init.zeros_(norm.weight)

    def places(self, x: Float[Tensor, "batch c h w"]) -> Float[Tensor, "batch one h w"]:
        """Compute the weight of each place."""
        seen = torch.cat([x.amax(1, keepdim=True), x.mean(1, keepdim=True)], dim=1)
        return torch.sigmoid(self.place(seen))

    def forward(self, x: Float[Tensor, "batch c h w"]) -> Float[Tensor, "batch c h w"]:
        """Weigh channels, then places."""
        pooled = self.channel(x.mean((2, 3))) + self.channel(x.amax((2, 3)))
        x = x * torch.sigmoid(pooled)[:, :, None, None]
        return x * self.places(x)


class _Block(nn.Module):
    def __init__(self, n_in: int, n_out: int, stride: int) -> None:
        super().__init__()
        self.conv1 = _conv(n_in, n_out, 3, stride)
        self.conv2 = _conv(n_out, n_out, 3, 1)
        self.norm1, self.norm2 = nn.BatchNorm2d(n_out), nn.BatchNorm2d(n_out)
        self.attention = Attention(n_out)
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or n_in != n_out:
            self.shortcut = nn.Sequential(
                nn.Conv2d(n_in, n_out, 1, stride=stride, bias=False),
                nn.BatchNorm2d(n_out),
            )

    def forward(self, x: Tensor) -> Tensor:
        out = self.norm1(self.conv1(x)).relu()
        out = self.attention(self.norm2(self.conv2(out)))
        return (out + self.shortcut(x)).relu()


class ResNet18(nn.Module):
    """A residual network of 18 layers with CBAM in every block.

    Parameters
    ----------
    channels : int
        Of a picture.
    rep_dim : int
        Width of the code.

    Examples
    --------
    >>> net = ResNet18(3, 256)
    >>> sum(p.numel() for p in net.parameters())
    11397720
    """

    def __init__(self, channels: int, rep_dim: int) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            _conv(channels, 64, 7, 2),
            nn.BatchNorm2d(64),
            nn.ReLU(),
            nn.MaxPool2d(3, stride=2, padding=1),
        )
        blocks, n_in = [], 64
        for n_out in (64, 128, 256, 512):
            for number in range(2):
                stride = 2 if number == 0 and n_out > 64 else 1
                blocks.append(_Block(n_in, n_out, stride))
                n_in = n_out
        self.blocks = nn.Sequential(*blocks)
        self.code = nn.Linear(512, rep_dim)
        nn.init.normal_(self.code.weight, std=math.sqrt(2 / 512))
        nn.init.zeros_(self.code.bias)

    def forward(self, x: Float[Tensor, "batch c h w"]) -> Float[Tensor, "batch rep"]:
        """Encode a batch of pictures."""
        code: Tensor = self.code(self.blocks(self.stem(x)).mean((2, 3)))
        return code


def _conv(n_in: int, n_out: int, size: int, stride: int) -> nn.Conv2d:
    conv = nn.Conv2d(n_in, n_out, size, stride=stride, padding=size // 2, bias=False)
    nn.init.kaiming_normal_(conv.weight, mode="fan_out", nonlinearity="relu")
    return conv


def _resnet(shape: Shape, rep_dim: int | None, bias: bool) -> nn.Module:
    return ResNet18(shape[0], rep_dim or 256)


# ------------------------------------------------------------------------------ toy


def _toy(shape: Shape, rep_dim: int | None, bias: bool) -> nn.Module:
    return nn.Sequential(
        _xavier(nn.Linear(shape[0], 256, bias=bias)),
        nn.BatchNorm1d(256, affine=bias),
        nn.ELU(),
        _xavier(nn.Linear(256, rep_dim or 128, bias=bias), gain=1.0),
        nn.Sigmoid(),
    )


def _builder(plan: _LeNet) -> Callable[[Shape, int | None, bool], nn.Module]:
    return lambda shape, rep_dim, bias: _lenet(plan, shape, rep_dim, bias)


_BUILDERS: dict[str, Callable[[Shape, int | None, bool], nn.Module]] = {
    **{name: _builder(plan) for name, plan in _LENETS.items()},
    "resnet18_cbam": _resnet,
    "toy": _toy,
}

NAMES = (*_BUILDERS, *_ALIASES)
"""Names of the networks here, and those of the released code."""
