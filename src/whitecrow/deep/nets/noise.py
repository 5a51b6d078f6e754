"""Random numbers of a training step: the same for a member alone or in a stack."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager

import torch
from jaxtyping import Float
from torch import Tensor, nn

__all__ = ["Noise", "OwnDropout", "masks"]


class OwnDropout(nn.Dropout):
    """Dropout that draws its masks from generators of its own, where it has some.

    torch's own draws from the global generator, which nobody else in the process may
    touch for as long as a training takes.
    """

    generators: tuple[torch.Generator, ...] = ()

    def forward(self, x: Tensor) -> Tensor:
        """Drop numbers of any shape; scale what remains by 1 / (1 - p)."""
        if not self.training:
            return x
        keep = 1 - self.p
        generator = self.generators[0] if self.generators else None
        mask = torch.empty_like(x).bernoulli_(keep, generator=generator)
        return x * mask.div_(keep)


@contextmanager
def masks(
    layers: Iterable[nn.Module], seeds: Sequence[int], where: torch.device
) -> Iterator[None]:
    """Run a block in which the dropout of some layers draws from given seeds.

    Parameters
    ----------
    layers : iterable of Module
        Those of a network; layers of other kinds are left alone.
    seeds : sequence of int
        One for each member of a stack.
    where : torch.device
        Of the network.

    Examples
    --------
    >>> layer, x = OwnDropout(0.5), torch.ones(9)
    >>> drawn = []
    >>> for _ in range(2):
    ...     with masks([layer], [3], torch.device("cpu")):
    ...         drawn.append(layer(x))
    >>> bool((drawn[0] == drawn[1]).all())
    True
    """
    generators = tuple(torch.Generator(where).manual_seed(seed) for seed in seeds)
    own = [layer for layer in layers if isinstance(layer, OwnDropout)]
    for layer in own:
        layer.generators = generators
    try:
        yield
    finally:
        for layer in own:
            layer.generators = ()


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
        """Draw standard normal numbers; several members have an axis in `like`."""
        return self._draw(torch.randn, like)

    def uniform(self, like: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """Draw numbers in [0, 1)."""
        return self._draw(torch.rand, like)

    def _draw(self, draw: Callable[..., Tensor], like: Tensor) -> Tensor:
        options = {"device": like.device, "dtype": like.dtype}
        if len(self._generators) == 1:
            return draw(like.shape, generator=self._generators[0], **options)
        shape = like.shape[1:]
        return torch.stack(
            [draw(shape, generator=g, **options) for g in self._generators]
        )
