r"""What autoencoders share: their networks, and the parts of a squared error.

The score of such a method is the squared error of a reconstruction,
:math:`\sum_j (x_j - \hat x_j)^2`, so that the squared error of each column, or of each
pixel, is its exact share of the score. What a row costs in training is the method's.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import mse_loss

from whitecrow.deep.detector import DeepDetector
from whitecrow.deep.nets import lenet
from whitecrow.deep.nets.mlp import mlp
from whitecrow.detector import Rows, Scores
from whitecrow.errors import ParameterError

__all__ = ["Reconstruction", "ReconstructionDetector", "halves"]


class Reconstruction(nn.Module):
    """Encoder and decoder; gives the reconstruction and the code."""

    has_member_axis = True

    def __init__(self, encoder: nn.Module, decoder: nn.Module) -> None:
        super().__init__()
        self.encoder, self.decoder = encoder, decoder

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return `(x_hat, code)`."""
        code = self.encoder(x)
        return self.decoder(code), code


def halves(
    shape: tuple[int, ...],
    *,
    network: Any,
    widths: Callable[[int], list[int]],
    **options: Any,
) -> tuple[nn.Module, nn.Module]:
    """Build the untrained encoder and decoder for rows of a shape.

    Parameters
    ----------
    shape : tuple of int
        `(d,)` or `(c, h, w)`.
    network : str or callable
        "auto", "mlp", a name from `whitecrow.deep.nets.lenet`, or a callable from the
        shape to both halves.
    widths : callable
        From the number of columns of a table to the widths of the encoder.
    **options
        Of `mlp`, for tables.

    Raises
    ------
    ParameterError
        For a network that does not take tables.

    Examples
    --------
    >>> encoder, decoder = halves((6,), network="auto", widths=lambda d: [d, 4, 2])
    >>> decoder(encoder(torch.zeros(5, 6))).shape
    torch.Size([5, 6])
    """
    if callable(network):
        encoder, decoder = copy.deepcopy(network(shape))  # theirs stay as they are
        return encoder, decoder
    if len(shape) == 3:
        name = "lenet" if network == "auto" else network
        return lenet.encoder(name, shape), lenet.decoder(name, shape)
    if network not in {"auto", "mlp"}:
        raise ParameterError(
            f"network={network!r} is not for tables; use 'auto', 'mlp' or a callable"
        )
    there = widths(shape[0])
    return mlp(there, **options), mlp(there[::-1], **options)


class ReconstructionDetector(DeepDetector):
    """The mechanism of detectors whose score is the squared error of `net(x)[0]`."""

    explanation: ClassVar[str] = "exact"

    def _squared_error(self, x: Tensor, x_hat: Tensor) -> Tensor:
        """Sum the squared error over the dimensions of a row, shape (..., batch)."""
        squares = mse_loss(x_hat, x, reduction="none")  # one pass, and one back
        return squares.flatten(-len(self.input_shape_)).sum(-1)

    @torch.no_grad()
    def _contributions(self, X: Rows) -> Scores:
        """Compute the squared error of each column, or pixel over its channels."""
        x = self._input(X)
        error = (x - self.net_(x)[0]).square().double().cpu().numpy()
        error = error.reshape(self.n_members, *X.shape)
        scale = self.member_scale_.reshape(-1, *[1] * X.ndim)
        parts = (error / scale).mean(axis=0)
        return np.asarray(parts.sum(axis=1) if X.ndim == 4 else parts)
