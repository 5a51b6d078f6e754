"""Random variants of pictures, drawn for each picture of a batch by itself.

Colours, mirror images, places and a little noise, all on the device and from the
random numbers of the training: the same for a member alone or in a stack.

Source: the transforms of Ruff et al., arXiv 2006.00339; specs/outlier_exposure.md 3.3.
NOTE[DIFF] Brightness, contrast, saturation and hue change in this order instead of a
random one, and are not rounded to whole grey levels between two steps.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import pad

from whitecrow.deep.nets.noise import Noise

__all__ = ["AUGMENTATIONS", "centre", "colours", "placed", "varied"]

AUGMENTATIONS = ("none", "cifar10", "imagenet")
"""Of pictures that fill their frame: moved by 4 pixels, or cut to 7/8 of the side."""

_JITTER = 0.01
_NOISE = 0.001
_PADDING = 4
_LUMA = torch.tensor([0.299, 0.587, 0.114])


def varied(x: Tensor, noise: Noise, how: str) -> Tensor:
    """Draw a variant of each picture.

    Parameters
    ----------
    x : Tensor of shape (..., batch, c, h, w)
        In [0, 1]; for "none", rows of any shape.
    noise : Noise
        What to draw from.
    how : {"none", "cifar10", "imagenet"}
        "imagenet" gives pictures of 7/8 of the side.

    Examples
    --------
    >>> x = torch.rand(5, 3, 32, 32)
    >>> first, again = (
    ...     varied(x, Noise([1], torch.device("cpu")), "cifar10") for _ in range(2)
    ... )
    >>> bool((first == again).all()), first.shape
    (True, torch.Size([5, 3, 32, 32]))
    """
    if how == "none":
        return x
    lead = x.shape[:-3]
    u = noise.uniform(x.new_empty(*lead, 7)).flatten(0, -2)
    factors = 1 + _JITTER * (2 * u[:, :4] - 1)
    factors[:, 3] -= 1  # hue is an angle, in turns
    flat = colours(x.flatten(0, -4), factors)
    mirrored = (u[:, 4] < 0.5)[:, None, None, None]
    flat = torch.where(mirrored, flat.flip(-1), flat)
    out = placed(flat, u[:, 5:], how).unflatten(0, lead)
    return out + _NOISE * noise.normal(out)


def colours(
    x: Float[Tensor, "batch c h w"], factors: Float[Tensor, "batch four"]
) -> Float[Tensor, "batch c h w"]:
    """Change brightness, contrast, saturation (factors) and hue (turns).

    Grey pictures have no saturation and no hue.
    """
    brightness, contrast, saturation, hue = factors.unbind(1)
    luma = _LUMA.to(x)
    grey = x.mean((1, 2, 3)) if x.shape[1] == 1 else x.mean((2, 3)) @ luma
    offset = ((1 - contrast) * brightness * grey)[:, None, None, None]
    scale = (contrast * brightness)[:, None, None, None]
    if x.shape[1] == 1:
        return (x * scale + offset).clamp(0, 1)
    own = saturation[:, None, None] * torch.eye(3).to(x)
    matrix = own + (1 - saturation[:, None, None]) * luma
    mixed = torch.bmm(matrix, x.flatten(2)).view_as(x)
    return _turned((mixed * scale + offset).clamp(0, 1), hue)


def _turned(
    x: Float[Tensor, "batch c h w"], hue: Float[Tensor, " batch"]
) -> Float[Tensor, "batch c h w"]:
    """Turn the hue of each picture on the hexagon of HSV."""
    high, low = x.amax(1), x.amin(1)
    chroma = high - low
    red, green, blue = x.unbind(1)
    # In sixths of a turn.
    at = torch.where(
        high == red,
        green - blue,
        torch.where(high == green, blue - red, red - green),
    ) / chroma.clamp(min=1e-9)
    at = at + torch.where(high == red, 0, torch.where(high == green, 2, 4))
    at = at + 6 * hue[:, None, None]
    channels = []
    for first in (5, 3, 1):
        k = (at + first) % 6
        channels.append(high - chroma * torch.minimum(k, 4 - k).clamp(0, 1))
    return torch.stack(channels, dim=1)


def placed(
    x: Float[Tensor, "batch c h w"], where: Float[Tensor, "batch two"], how: str
) -> Float[Tensor, "batch c h2 w2"]:
    """Cut a window from each picture; `where` in [0, 1) says which."""
    height, width = x.shape[-2:]
    if how == "cifar10":
        x = pad(x, (_PADDING,) * 4)
    else:
        height, width = _cut(height), _cut(width)
    places = torch.tensor([x.shape[-2] - height + 1, x.shape[-1] - width + 1])
    top, left = (where * places.to(where)).long().unbind(1)
    windows = x.unfold(2, height, 1).unfold(3, width, 1)
    rows = torch.arange(len(x), device=x.device)
    return windows[rows, :, top, left]


def centre(x: Tensor, how: str) -> Tensor:
    """Cut what scoring sees: the middle of the picture for "imagenet", else all."""
    if how != "imagenet":
        return x
    height, width = _cut(x.shape[-2]), _cut(x.shape[-1])
    top, left = (x.shape[-2] - height) // 2, (x.shape[-1] - width) // 2
    return x[..., top : top + height, left : left + width]


def _cut(side: int) -> int:
    return side * 7 // 8
