"""Random numbers of a training step: the same for a member alone or in a stack."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

__all__ = ["Noise"]


class Noise:
    """Draws from one generator for each member.

    Parameters
    ----------
    seeds : sequence of int
        One for each member: what it draws depends on nothing else.
    where : torch.device
        Where to draw.

    Examples
    --------
    >>> together = Noise([3, 4], torch.device("cpu")).normal(torch.empty(2, 5))
    >>> alone = Noise([4], torch.device("cpu")).normal(torch.empty(5))
    >>> bool((together[1] == alone).all())
    True
    """

    def __init__(self, seeds: Sequence[int], where: torch.device) -> None:
        self._generators = [torch.Generator(where).manual_seed(seed) for seed in seeds]

    def normal(self, like: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """Standard normal numbers; with several members `like` has an axis of them."""
        return self._draw(torch.randn, like)

    def uniform(self, like: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """Numbers in [0, 1)."""
        return self._draw(torch.rand, like)

    def _draw(self, draw: Callable[..., Tensor], like: Tensor) -> Tensor:
        options = {"device": like.device, "dtype": like.dtype}
        if len(self._generators) == 1:
            return draw(like.shape, generator=self._generators[0], **options)
        shape = like.shape[1:]
        return torch.stack(
            [draw(shape, generator=g, **options) for g in self._generators]
        )
