r"""Self-organising maps: neurons on a square grid that spread over the rows.

Neuron k has a place on the grid and a weight :math:`w_k` among the rows. At step t of T
each row finds its winner, the neuron with the nearest weight, and pulls the winner and
those around it:

.. math::

    \eta(t) = \frac{\eta_0}{1 + 2t/T}, \qquad
    \sigma(t) = \frac{\sigma_0}{1 + 2t/T}, \qquad
    w_k \leftarrow w_k + \eta(t) \left( \bar x_k - w_k \right)

with :math:`\bar x_k` the mean of the rows whose winner is less than :math:`\sigma` rows
and less than :math:`\sigma` columns of the grid away from k (a bubble), and
:math:`\sigma_0 = \max(1.5, g/2)` on a grid of side g. With one row a step this is the
online rule; with all rows and :math:`\eta = 1` it is the batch rule. Both are this one
update here. Neurons that are close on the grid get similar weights, so that the place
of a row's winner says where the row is among all rows.

Source: Kohonen, The Self-Organizing Map, Proceedings of the IEEE, 1990;
specs/deep_unsupervised.md 2.3.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from jaxtyping import Bool, Float, Float64, Int64
from torch import Tensor, nn

from whitecrow.deep.device import wide

__all__ = [
    "ALGORITHMS",
    "SelfOrganisingMaps",
    "bubble",
    "grid_side",
    "places",
    "train_map",
    "winners",
]

ALGORITHMS = ("batch", "online")

_LARGEST_SIDE = 32

# Rows of a step of the online rule: few for the grid, many for the processor.
_ONLINE_ROWS = 64

# Distances are computed in pieces of about this many, which stay in the cache.
_PIECE = 500_000


def grid_side(n_rows: int) -> int:
    """Neurons along a side: half of `sqrt(5 sqrt(n))`, from 1 to 32.

    Examples
    --------
    >>> [grid_side(n) for n in (7, 452, 494_021, 10_000_000)]
    [1, 5, 29, 32]
    """
    return min(_LARGEST_SIDE, int(math.sqrt(5 * math.sqrt(n_rows))) // 2)


def bubble(side: int, sigma: float) -> Float64[Tensor, "side side"]:
    """1 where two rows of the grid (or two columns) are less than `sigma` apart.

    The neighbourhood of a neuron is the product of that of its row and of its column.
    """
    place = torch.arange(side, dtype=torch.float64)
    return ((place[:, None] - place).abs() < sigma).double()


def winners(
    x: Float[Tensor, "batch d"],
    weight: Float[Tensor, "neurons d"],
    spare: Bool[Tensor, "neurons"] | None = None,
) -> Int64[Tensor, "batch"]:
    """The neuron nearest to each row; one that is `spare` never is.

    Examples
    --------
    >>> winners(torch.tensor([[0.1], [2.2]]), torch.tensor([[0.0], [1.0], [2.0]]))
    tensor([0, 2])
    """
    # |x - w|^2 / 2 less what is the same for all neurons, |x|^2 / 2.
    offset = weight.square().sum(-1) / 2
    if spare is not None:
        offset = offset.masked_fill(spare, torch.inf)
    pieces = [
        torch.addmm(offset, rows, weight.T, alpha=-1).argmin(-1)
        for rows in x.split(_rows_of_a_piece(weight))
    ]
    return torch.cat(pieces)


def _rows_of_a_piece(weight: Tensor) -> int:
    return max(1, _PIECE // len(weight))


def places(winner: Int64[Tensor, "batch"], side: int) -> Float[Tensor, "batch 2"]:
    """Row and column on the grid, from 0 to 1; 0 where there is one neuron.

    Examples
    --------
    >>> places(torch.tensor([22]), side=5)  # row 4, column 2
    tensor([[1.0000, 0.5000]])
    """
    row_and_column = torch.stack([winner // side, winner % side], dim=-1)
    return row_and_column / max(1, side - 1)


@torch.no_grad()
def train_map(
    x: Float[Tensor, "batch d"],
    side: int,
    *,
    algorithm: str = "batch",
    epochs: int = 10,
    lr: float = 0.6,
    generator: torch.Generator,
) -> Float[Tensor, "neurons d"]:
    """Weights of a map, row by row of the grid.

    Parameters
    ----------
    x : Tensor of shape (batch, d)
        Training rows.
    side : int
        The grid has `side * side` neurons.
    algorithm : {"batch", "online"}
        One update an epoch from all rows, or one from every 64 rows in random order.
    epochs : int
        Passes over the rows.
    lr : float
        First step size of the online rule; that of the batch rule is 1.
    generator : torch.Generator
        Draws the rows that the weights start from, and the order of rows.

    Examples
    --------
    >>> x = torch.linspace(0, 1, 100)[:, None]
    >>> weight = train_map(x, 3, generator=torch.Generator().manual_seed(0))
    >>> weight.shape, bool((weight >= 0).all() and (weight <= 1).all())
    (torch.Size([9, 1]), True)
    """
    first = torch.randint(len(x), (side * side,), generator=generator)
    weight = wide(x[first.to(x.device)])
    widest, eta = max(1.5, side / 2), 1.0 if algorithm == "batch" else lr
    size = len(x) if algorithm == "batch" else _ONLINE_ROWS
    step, steps = 0, epochs * math.ceil(len(x) / size)
    for _ in range(epochs):
        for rows in _batches(x, size, generator):
            slower = 1 + 2 * step / steps
            now = eta if algorithm == "batch" else eta / slower
            weight = _pulled(weight, rows, sigma=widest / slower, eta=now)
            step += 1
    return weight.to(x.dtype).to(x.device)


def _batches(x: Tensor, size: int, generator: torch.Generator) -> Iterator[Tensor]:
    if size >= len(x):
        yield x
        return
    for rows in torch.randperm(len(x), generator=generator).split(size):
        yield x[rows.to(x.device)]


def _pulled(
    weight: Float64[Tensor, "neurons d"],
    x: Float[Tensor, "batch d"],
    *,
    sigma: float,
    eta: float,
) -> Float64[Tensor, "neurons d"]:
    """The weights after one step; a neuron that no row reaches keeps its own."""
    total, count = _hits(weight, x)
    side = math.isqrt(len(weight))
    near = bubble(side, sigma).to(weight.device)
    reach = (near @ count.view(side, side) @ near).view(-1, 1)
    grid = total.view(side, side, -1)
    pull = torch.einsum("ir,rcd,cj->ijd", near, grid, near).reshape(total.shape)
    target = torch.where(reach > 0, pull / reach.clamp(min=1), weight)
    return torch.lerp(weight, target, eta)


def _hits(
    weight: Float64[Tensor, "neurons d"], x: Float[Tensor, "batch d"]
) -> tuple[Float64[Tensor, "neurons d"], Float64[Tensor, "neurons"]]:
    """Sum and number of the rows of each winner.

    In float64: neurons that the same rows pull must end up equal, however their sums
    were ordered, or rounding would decide which of them wins.
    """
    nearest = weight.to(x.dtype).to(x.device)
    total, count = torch.zeros_like(weight), torch.zeros_like(weight[:, 0])
    for rows in x.split(_rows_of_a_piece(weight)):
        winner = winners(rows, nearest).to(weight.device)
        total.index_add_(0, winner, wide(rows))
        count += torch.bincount(winner, minlength=len(weight))
    return total, count


def repeats(weight: Float[Tensor, "neurons d"]) -> Bool[Tensor, "neurons"]:
    """Which neurons have the weight of an earlier one.

    Examples
    --------
    >>> repeats(torch.tensor([[1.0], [0.0], [1.0]]))
    tensor([False, False,  True])
    """
    _, kind = torch.unique(weight, dim=0, return_inverse=True)
    number = torch.arange(len(weight), device=weight.device)
    first = torch.full_like(number, len(weight)).scatter_reduce_(
        0, kind, number, "amin"
    )
    return first[kind] != number


class SelfOrganisingMaps(nn.Module):
    """Maps of one side over the same columns; from rows to places on all of them.

    Parameters
    ----------
    n_maps, side, n_features : int
        Sizes; `store` fills the maps in.
    """

    has_member_axis = True

    weight: Tensor
    spare: Tensor

    def __init__(self, n_maps: int, side: int, n_features: int) -> None:
        super().__init__()
        self.side = side
        shape = n_maps, side * side
        self.register_buffer("weight", torch.zeros(*shape, n_features))
        # Equal neurons are equally near, and rounding must not choose between them.
        self.register_buffer("spare", torch.zeros(shape, dtype=torch.bool))

    def resize(self, side: int) -> None:
        """Make room for maps of another side, which are then to be filled in."""
        *before, _, n_features = self.weight.shape
        self.side = side
        self.weight = self.weight.new_zeros(*before, side * side, n_features)
        self.spare = self.spare.new_zeros(*before, side * side)

    def store(
        self, weight: Float[Tensor, "neurons d"], number: int, member: int = 0
    ) -> None:
        """Put a trained map in its place."""
        shape = self.weight.shape[-3:]
        self.weight.view(-1, *shape)[member, number] = weight
        self.spare.view(-1, *shape[:2])[member, number] = repeats(weight)

    def forward(
        self, x: Float[Tensor, "*members batch d"]
    ) -> Float[Tensor, "*members batch places"]:
        """Two columns for each map."""
        if x.ndim == 3:
            members = range(len(x))
            return torch.stack(
                [self.of_member(x[member], member) for member in members]
            )
        return self.of_member(x)

    def of_member(
        self, x: Float[Tensor, "batch d"], member: int = 0
    ) -> Float[Tensor, "batch places"]:
        """The same for one member of a stack."""
        shape = self.weight.shape[-3:]
        weights = self.weight.view(-1, *shape)[member]
        spare = self.spare.view(-1, *shape[:2])[member]
        found = [
            places(winners(x, *one), self.side)
            for one in zip(weights, spare, strict=True)
        ]
        return torch.cat(found, dim=-1).to(x.dtype)
