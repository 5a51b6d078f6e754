"""What Deep SVDD and Deep SAD share: a network around a centre, and its preparation.

The centre is the mean code of the training rows under the first (or pretrained)
weights; it is then fixed. Coordinates near 0 are moved away from it, as a network
without biases could otherwise reach the centre with all weights 0. HSC, whose centre is
the origin, takes the encoder alone.
"""

from __future__ import annotations

import copy
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from whitecrow import labels
from whitecrow.deep import device, stacked, train
from whitecrow.deep.nets import lenet, rethinking
from whitecrow.deep.nets.mlp import encoder_widths, glorot, mlp
from whitecrow.deep.run import Run
from whitecrow.errors import ParameterError

__all__ = [
    "Hypersphere",
    "build",
    "clip_centre",
    "dense_widths",
    "encoder_for",
    "has_decoder",
    "prepare",
    "set_centre",
    "without_anomalies",
]

# A coordinate of the centre is at least this far from 0.
MARGIN = 0.1
# Of the leaky ReLU in the released code of both methods.
SLOPE = 0.01


class Hypersphere(nn.Module):
    """An encoder and a centre; gives `encoder(x) - centre`."""

    has_member_axis = True

    centre: Tensor

    def __init__(self, encoder: nn.Module, rep_dim: int) -> None:
        super().__init__()
        self.encoder = encoder
        self.register_buffer("centre", torch.zeros(rep_dim))

    def forward(self, x: Tensor) -> Tensor:
        """Return codes relative to the centre, (..., batch, rep_dim)."""
        return self.encoder(x) - self.centre.unsqueeze(-2)


def dense_widths(n_features: int) -> tuple[int, ...]:
    """Return the hidden widths and code of Deep SAD's networks for tables.

    specs/deep_sad.md 3.4: 128-64-32 for arrhythmia (274 columns), 32-16-8 for 9 to 36
    columns, 32-16-4 for thyroid (6 columns).
    """
    if n_features >= 100:
        return (128, 64, 32)
    return (32, 16, 8) if n_features > 6 else (32, 16, 4)


def encoder_for(
    shape: tuple[int, ...],
    *,
    network: Any,
    hidden: Any,
    bias: bool,
    rep_dim: int | None = None,
    start: str = "default",
    slope: float = SLOPE,
    **options: Any,
) -> nn.Module:
    """Build the encoder alone, for methods whose centre is the origin.

    Parameters
    ----------
    shape : tuple of int
        `(d,)` or `(c, h, w)`.
    network, hidden, bias
        As for `DeepSVDD`.
    rep_dim : int, optional
        Width of the code of a network for pictures; by default its own.
    start : {"default", "glorot"}
        First weights of a network that is named: those of the layers, or uniform
        Glorot.
    slope : float
        Of the leaky ReLU.
    **options
        Others of `mlp`, for tables.
    """
    if callable(network):
        own = copy.deepcopy(network(shape))  # theirs stays as it is
        if not isinstance(own, nn.Module):
            raise ParameterError(
                "network must give a torch.nn.Module for the shape of a row, "
                f"got {type(own).__name__}"
            )
        return own
    encoder: nn.Module
    if rethinking.is_known(network):
        return rethinking.build(network, shape, rep_dim=rep_dim, bias=bias)
    if len(shape) == 3:
        name = "lenet" if network == "auto" else network
        encoder = lenet.encoder(name, shape, rep_dim=rep_dim, bias=bias, slope=slope)
    elif network in {"auto", "mlp"}:
        encoder = mlp(_widths(shape[0], hidden), bias=bias, slope=slope, **options)
    else:
        raise ParameterError(
            f"network={network!r} is not for tables; use 'auto', 'mlp' or a callable"
        )
    return glorot(encoder) if start == "glorot" else encoder


def build(
    shape: tuple[int, ...], *, network: Any, hidden: Any, **options: Any
) -> Hypersphere:
    """Build the untrained network for rows of a shape, with the centre at 0.

    `options` are those of `encoder_for`.
    """
    encoder = encoder_for(shape, network=network, hidden=hidden, **options)
    encoder.eval()
    with torch.no_grad():
        rep_dim = encoder(torch.zeros(1, *shape)).shape[-1]
    return Hypersphere(encoder.train(), rep_dim)


def clip_centre(centre: Float[Tensor, "*members r"]) -> Float[Tensor, "*members r"]:
    """Move coordinates within 0.1 of 0 to +-0.1, keeping their sign (0 becomes +0.1).

    NOTE[DIFF] The reference leaves a coordinate of exactly 0 where it is.

    Examples
    --------
    >>> clip_centre(torch.tensor([0.2, -0.02, 0.0]))
    tensor([ 0.2000, -0.1000,  0.1000])
    """
    pushed = torch.where(centre < 0, -MARGIN, MARGIN)
    return torch.where(centre.abs() < MARGIN, pushed, centre)


def prepare(
    run: Run,
    pretraining: train.Schedule | None,
    *,
    output: str = "linear",
    batch_size: int | None = None,
    **network_options: Any,
) -> None:
    """Pretrain first weights where that is asked for, then set the centre.

    A network that trains on keeps its centre. The decoder of a table ends as `output`
    says, "linear" or "sigmoid"; that of pictures always in a sigmoid. Steps of the
    pretraining have `batch_size` rows, by default those of the run.
    """
    if not run.fresh:
        return
    if pretraining is not None:
        _pretrain(run, pretraining, batch_size, {"output": output, **network_options})
    set_centre(run, warm=pretraining is None)


@torch.no_grad()
def set_centre(run: Run, *, warm: bool) -> None:
    """Put the centre at the mean code of all rows not labelled anomalous.

    Parameters
    ----------
    run : Run
        Of a `Hypersphere`, or a stack of them, whose centre is 0.
    warm : bool
        First let normalisation layers see the data; for weights without pretraining.
    """
    net = run.net
    if warm:
        net.train()
        stand_in = without_anomalies(run)
        for index in run.batches(-1):
            net(run.x[stand_in[index]])
    net.eval()
    net.get_buffer("centre").copy_(clip_centre(run.mean(net)))


def without_anomalies(run: Run) -> Tensor:
    """Map row indices to themselves, those of labelled anomalies to other rows.

    Anomalies would otherwise reach the network through the statistics of their batch,
    even where their own loss is left out. Replacing keeps batches of members equally
    long.
    """
    stand_in = torch.arange(len(run.y), device=run.y.device)
    for first in range(0, len(run.y), run.n):
        odd = run.y[first : first + run.n] == int(labels.ANOMALY)
        others, n_odd = (~odd).nonzero()[:, 0], int(odd.sum())
        chosen = torch.arange(n_odd, device=others.device) % len(others)
        stand_in[first : first + run.n][odd] = first + others[chosen]
    return stand_in


def _pretrain(
    run: Run,
    schedule: train.Schedule,
    batch_size: int | None,
    network_options: dict[str, Any],
) -> None:
    """Train the encoder as half of an autoencoder, on rows not labelled anomalous.

    The encoder that is trained here *is* the one of the hypersphere, with its batch
    statistics, so there is no transfer that could silently copy nothing.

    NOTE[DIFF] In the released code of Deep SAD no pretrained weight arrives in the
    network, and labelled anomalies are reconstructed like normal rows.
    """
    decoders = []
    for seed in run.seeds:
        with device.seeded(seed ^ 0xDEC0DE):
            decoders.append(_decoder(tuple(run.x.shape[1:]), **network_options))
    decoder = decoders[0] if len(decoders) == 1 else stacked.stack(decoders)
    decoder.to(run.x.device).train()
    net = run.net.train()
    stand_in = without_anomalies(run)

    def step(index: Tensor) -> Tensor:
        x = run.x[stand_in[index]]
        error = (decoder(net(x)) - x).square().flatten(-run.x.ndim + 1)
        return error.mean((-2, -1))

    parameters = [*net.parameters(), *decoder.parameters()]
    batches, method = run.batches(-2, batch_size=batch_size), run.method
    train.train(parameters, step, batches, schedule, method=method, stage="pretraining")


def _decoder(
    shape: tuple[int, ...],
    *,
    network: Any,
    hidden: Any,
    output: str,
    start: str = "default",
    slope: float = SLOPE,
    **options: Any,
) -> nn.Module:
    """Build the mirror image of the encoder."""
    if not has_decoder(network):
        whose = "a network of your own" if callable(network) else repr(network)
        raise ParameterError(
            f"pretraining needs a decoder, and {whose} brings none; use pretrain=False "
            "or another network, such as 'auto'"
        )
    if len(shape) == 3:
        name = "lenet" if network == "auto" else network
        decoder: nn.Sequential = lenet.decoder(name, shape, slope=slope)
    else:
        decoder = mlp(_widths(shape[0], hidden)[::-1], slope=slope, **options)
        if output == "sigmoid":
            decoder.append(nn.Sigmoid())
    return glorot(decoder) if start == "glorot" else decoder


def has_decoder(network: Any) -> bool:
    """Tell whether a network can be pretrained as half of an autoencoder."""
    return not (callable(network) or rethinking.is_known(network))


def _widths(n_features: int, hidden: Any) -> list[int]:
    return encoder_widths(n_features, hidden, auto=dense_widths(n_features))
