"""Auxiliary outliers generated from the training rows, where none are given."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

__all__ = ["GENERATED", "permuted", "uniform"]


def uniform(x: Tensor, generator: torch.Generator) -> Tensor:
    """Draw rows from the box around the training rows, a tenth wider on each side."""
    low, high = x.amin(0), x.amax(0)
    margin = 0.1 * (high - low)
    noise = torch.rand(x.shape, generator=generator).to(x.device)
    return low - margin + noise * (high - low + 2 * margin)


def permuted(x: Tensor, generator: torch.Generator) -> Tensor:
    """Permute every column by itself: the marginals without the dependence."""
    flat = x.flatten(1)
    order = torch.rand(flat.shape, generator=generator).argsort(0).to(x.device)
    return flat.gather(0, order).view_as(x)


GENERATED: dict[str, Callable[[Tensor, torch.Generator], Tensor]] = {
    "uniform": uniform,
    "permuted": permuted,
}
