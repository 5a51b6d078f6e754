"""Wide residual networks for small pictures.

Zagoruyko and Komodakis, Wide Residual Networks, BMVC 2016: a 3 x 3 stem with 16 maps
and three stages of blocks with 16, 32 and 64 times `widen_factor` maps, normalisation
and activation before each convolution.
"""

from __future__ import annotations

import math

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d

from whitecrow.deep.nets.noise import OwnDropout
from whitecrow.errors import ParameterError

__all__ = ["Block", "WideResNet"]


class Block(nn.Module):
    """`x + conv(relu(norm(conv(relu(norm(x))))))`.

    Parameters
    ----------
    n_in, n_out, stride : int
        Maps in and out; a block that changes the shape has a 1 x 1 convolution beside
        it.
    dropout : float
        Probability of dropping a value before the second convolution.
    reference : bool
        The block of SOEL's released code, where the first convolution is used twice
        (specs/active_soel.md 3.2): in blocks that keep the shape it is applied to its
        own activated output again, and in the others the second normalisation is dead
        and nothing is between the convolutions.
    """

    def __init__(
        self, n_in: int, n_out: int, stride: int, *, dropout: float, reference: bool
    ) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.BatchNorm2d(n_in), nn.BatchNorm2d(n_out)
        self.conv1 = _conv(n_in, n_out, stride=stride)
        self.conv2 = _conv(n_out, n_out)
        self.dropout = OwnDropout(dropout) if dropout else nn.Identity()
        same = n_in == n_out and stride == 1
        self.shortcut = None if same else _conv(n_in, n_out, size=1, stride=stride)
        self.reference = reference

    def forward(self, x: Tensor) -> Tensor:
        """Maps (batch, n_in, h, w) -> (batch, n_out, h / stride, w / stride)."""
        # In place, as no gradient needs these values as they were; fresh memory for
        # maps of this size takes as long as the arithmetic.
        active = self.norm1(x).relu_()
        out = self.conv1(active)
        if not self.reference:
            out = self.norm2(out).relu_()
        elif self.shortcut is None:
            out = self.conv1(self.norm2(out).relu_())
        result: Tensor = self.conv2(self.dropout(out))
        return result.add_(x if self.shortcut is None else self.shortcut(active))


class WideResNet(nn.Module):
    """From pictures to features, 64 times `widen_factor` a picture.

    Parameters
    ----------
    channels : int
        Of the pictures.
    depth : int
        4 more than a multiple of 6: two convolutions in each block, the same number of
        blocks in each of three stages.
    widen_factor : int
        Maps in units of 16, 32 and 64.
    dropout : float
        In the blocks.
    reference_block : bool
        Blocks and pooling of SOEL's released code. Its average goes over the upper left
        4 x 4 places of pictures below 32 pixels, over 8 x 8 from there.

    Raises
    ------
    ParameterError
        For any other depth.

    Examples
    --------
    >>> import torch
    >>> WideResNet(3, depth=10, widen_factor=1)(torch.zeros(2, 3, 16, 16)).shape
    torch.Size([2, 64])
    """

    def __init__(
        self,
        channels: int,
        *,
        depth: int = 16,
        widen_factor: int = 4,
        dropout: float = 0.3,
        reference_block: bool = False,
    ) -> None:
        super().__init__()
        if depth < 10 or (depth - 4) % 6:
            raise ParameterError(
                f"depth={depth} is not 4 more than a multiple of 6; use 10, 16, 22, 28 "
                "or 40"
            )
        widths = [16, *(n * widen_factor for n in (16, 32, 64))]
        blocks: list[nn.Module] = []
        for stage in range(3):
            n_in, n_out = widths[stage], widths[stage + 1]
            for i in range((depth - 4) // 6):
                stride = 2 if stage and not i else 1
                block = Block(
                    n_out if i else n_in,
                    n_out,
                    stride,
                    dropout=dropout,
                    reference=reference_block,
                )
                blocks.append(block)
        self.stem, self.blocks = _conv(channels, 16), nn.Sequential(*blocks)
        self.norm = nn.BatchNorm2d(widths[-1])
        self.n_features, self.reference_block = widths[-1], reference_block

    def forward(
        self, x: Float[Tensor, "batch c h w"]
    ) -> Float[Tensor, "batch features"]:
        """Features, averaged over all places."""
        maps = self.stem(x)
        if x.device.type == "cpu":
            maps = _channels_last(maps)
        maps = self.norm(self.blocks(maps)).relu_()
        if self.reference_block:
            window = 8 if x.shape[-1] >= 32 else 4
            return avg_pool2d(maps, min(window, maps.shape[-1]))[..., 0, 0]
        return maps.mean((-2, -1))


def _channels_last(maps: Tensor) -> Tensor:
    """The same maps with all channels of a place side by side.

    On a CPU every following layer keeps them so, and takes a quarter less time. Unlike
    `contiguous(memory_format=)`, this runs under `torch.func.vmap`.
    """
    return maps.permute(0, 2, 3, 1).contiguous().permute(0, 3, 1, 2)


def _conv(n_in: int, n_out: int, *, size: int = 3, stride: int = 1) -> nn.Conv2d:
    """Without bias, which the next normalisation would take away; He's first values."""
    conv = nn.Conv2d(n_in, n_out, size, stride, padding=size // 2, bias=False)
    nn.init.normal_(conv.weight, std=math.sqrt(2 / (size**2 * n_out)))
    return conv
