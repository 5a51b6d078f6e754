"""Random numbers of a training step: the same for a member alone or in a stack."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager

import torch
from jaxtyping import Float
from torch import Tensor, nn

__all__ = ["Noise", "OwnDropout", "masks"]


class OwnDropout(nn.Dropout):
    """Dropout that draws its masks from a generator of its own, where it has one.

    torch's own draws from the global generator, which nobody else in the process may
    touch for as long as a training takes.
    """

    generator: torch.Generator | None = None

    def forward(self, x: Tensor) -> Tensor:
        """Any shape in and out; what remains is scaled by 1 / (1 - p)."""
        if not self.training:
            return x
        keep = 1 - self.p
        mask = torch.empty_like(x).bernoulli_(keep, generator=self.generator)
        return x * mask.div_(keep)


@contextmanager
def masks(
    layers: Iterable[nn.Module], seed: int, where: torch.device
) -> Iterator[None]:
    """Run a block in which the dropout of some layers draws from one generator.

    Parameters
    ----------
    layers : iterable of Module
        Those of a network; layers of other kinds are left alone.
    seed : int
        Of the generator.
    where : torch.device
        Of the network.

    Examples
    --------
    >>> layer, x = OwnDropout(0.5), torch.ones(9)
    >>> drawn = []
    >>> for _ in range(2):
    ...     with masks([layer], 3, torch.device("cpu")):
    ...         drawn.append(layer(x))
    >>> bool((drawn[0] == drawn[1]).all())
    True
    """
    generator = torch.Generator(where).manual_seed(seed)
    own = [layer for layer in layers if isinstance(layer, OwnDropout)]
    for layer in own:
        layer.generator = generator
    try:
        yield
    finally:
        for layer in own:
            layer.generator = None


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
