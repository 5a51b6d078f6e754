r"""MemAE: reconstruct from remembered normal codes; what memory cannot give is odd.

The code :math:`z = E(x)` is a query to N memory items :math:`m_i`. The decoder gets
what memory returns, and never the code itself:

.. math::

    w = \operatorname{softmax}_i \cos(z, m_i), \qquad
    \hat w_i = \frac{w_i [w_i > \lambda]}{\sum_k w_k [w_k > \lambda]}, \qquad
    \hat x = D \Bigl( \sum_i \hat w_i m_i \Bigr)

.. math::

    l_n(x) = \lVert x - \hat x \rVert^2 - \alpha \sum_i \hat w_i \log \hat w_i, \qquad
    \mathrm{score}(x) = \lVert x - \hat x \rVert^2

The shrinkage by :math:`\lambda` and the entropy make a row use few items. There is no
l_a: reconstruction says nothing about what an anomaly should look like.

Source: Gong et al., Memorizing Normality to Detect Anomaly: Memory-augmented Deep
Autoencoder for Unsupervised Anomaly Detection, ICCV 2019; specs/deep_unsupervised.md
2.4.
"""

from __future__ import annotations

import math
import warnings
from dataclasses import KW_ONLY
from typing import Annotated, Any, ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import normalize

from whitecrow.deep import Activation, Ruled
from whitecrow.deep.autoencoding import ReconstructionDetector
from whitecrow.deep.nets import lenet
from whitecrow.deep.nets.mlp import encoder_widths, mlp
from whitecrow.deep.published import NRCAN, NRCAN_ODDS
from whitecrow.deep.run import Batch, Losses, Run
from whitecrow.errors import ParameterError
from whitecrow.parameters import Auto, Count, NonNegative, Share, options

__all__ = ["MemAE", "Memory", "address", "entropy", "shrink"]

EPSILON = 1e-12


def address(
    z: Float[Tensor, "*members batch c"],
    items: Float[Tensor, "*members n c"],
    *,
    cosine: bool,
) -> Float[Tensor, "*members batch n"]:
    """Weigh each item by the softmax of its similarity to the query."""
    if cosine:
        z, items = normalize(z, dim=-1), normalize(items, dim=-1)
    # Laid out as columns: the two products of the way back are then swift, too.
    return (z @ items.mT.contiguous()).softmax(-1)


def shrink(
    w: Float[Tensor, "*members batch n"], threshold: float
) -> Float[Tensor, "*members batch n"]:
    """Set weights up to the threshold to 0; the others add up to 1 again.

    Where none is above the threshold, all the weight goes to the largest.

    NOTE[DIFF] The paper's `max(w - t, 0) w / (|w - t| + eps)` is this but for a slope
    of 1 / eps where w is t: one such weight would spoil the steps of an optimiser.

    Examples
    --------
    >>> shrink(torch.tensor([[0.5, 0.4, 0.1], [0.3, 0.4, 0.3]]), 0.4)
    tensor([[1., 0., 0.],
            [0., 1., 0.]])
    """
    kept = torch.nn.functional.threshold(w, threshold, 0.0)
    total = kept.sum(-1, keepdim=True)
    none = (total == 0).to(w.dtype)
    top = w.detach().max(-1, keepdim=True).indices
    return kept.scatter_add(-1, top, none) / (total + none)


def entropy(w: Float[Tensor, "*members batch n"]) -> Float[Tensor, "*members batch"]:
    """Compute `-sum w log w` of each row."""
    return -(w * (w + EPSILON).log()).sum(-1)


class Memory(nn.Module):
    """Items of normality; gives what they make of a query, and their weights."""

    has_member_axis = True

    def __init__(self, n: int, width: int, *, threshold: float, cosine: bool) -> None:
        super().__init__()
        self.threshold, self.cosine = threshold, cosine
        bound = 1 / math.sqrt(width)
        self.items = nn.Parameter(torch.empty(n, width).uniform_(-bound, bound))

    def forward(
        self, z: Float[Tensor, "*members batch c"]
    ) -> tuple[Float[Tensor, "*members batch c"], Float[Tensor, "*members batch n"]]:
        """Return `(recalled, weights)`."""
        weights = address(z, self.items, cosine=self.cosine)
        if self.threshold:
            weights = shrink(weights, self.threshold)
        return weights @ self.items, weights


class Recall(nn.Module):
    """Encoder, memory and decoder; gives the reconstruction and the weights."""

    has_member_axis = True

    def __init__(self, encoder: nn.Module, memory: Memory, decoder: nn.Module) -> None:
        super().__init__()
        self.encoder, self.memory, self.decoder = encoder, memory, decoder

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return `(x_hat, weights)`."""
        recalled, weights = self.memory(self.encoder(x))
        return self.decoder(recalled), weights


class MemAE(ReconstructionDetector):
    """Autoencoder with a memory between encoder and decoder.

    Parameters
    ----------
    mem_dim : int
        Memory items N.
    latent_dim : int
        Width of the code, for `hidden` "auto" and "rule"; 3 or more with cosine
        addressing, since directions of one number are only + and -.
    shrink_thres : "auto" or float in [0, 1)
        Weights up to this one become 0; "auto" is 1 / N, the lower end of the paper's
        [1/N, 3/N], and 0 leaves all weights as they are.
    alpha : float
        Weight of the entropy.
    addressing : {"cosine", "dot"}
        Similarity of code and item: cosine (paper) or inner product (reference).
    recon : {"sum", "mean"}
        Squared error of a row in the loss: sum over its columns (paper) or mean.
    hidden : "auto", "rule" or tuple of int
        Widths of the encoder, the last one is that of the code; the decoder mirrors
        them. "auto" is 60, 30, 10 and the code (KDD in the paper). "rule" divides the
        width `n_layers - 1` times by `compression_factor`
        (specs/deep_unsupervised.md 1.2).
    n_layers, compression_factor : int
        The width rule, for `hidden="rule"`.
    act_fn : {"relu", "leaky_relu", "tanh", "sigmoid", "elu"}
        Activation between layers.
    network : str
        "auto" takes a perceptron for tables and a convolutional network for pictures;
        or a name from `whitecrow.deep.nets.lenet`.
    scaling : {"standard", "minmax", "robust", "none"}
        Units of the columns of a table; pictures are scaled to [0, 1].
    epochs, batch_size, lr, weight_decay
        Adam.
    n_members : int
        Networks to train side by side; scores are averaged.
    contamination : "auto" or float in (0, 0.5]
        Share of training rows to call anomalies; "auto" looks at the scores.
    patience : int or None
        As for `AutoEncoder`.
    device : {"auto", "cpu", "cuda", "mps"}
        Where to train and score.
    random_state : int, Generator or None
        First weights and order of rows.

    Warns
    -----
    UserWarning
        For cosine addressing with codes of one number.

    Notes
    -----
    NOTE[DIFF] A picture is one query; the paper's networks for pictures and videos ask
    memory once for each place. The reference addresses by inner products, shrinks
    nothing, and loses its memory on an accelerator.

    Examples
    --------
    >>> import numpy as np
    >>> from whitecrow import MemAE
    >>> t = np.random.default_rng(0).uniform(-1, 1, 300)
    >>> X = np.c_[t, t**2, 1 - t]
    >>> model = MemAE(epochs=60, random_state=0).fit(X)
    >>> usual, odd = model.anomaly_score([[0.5, 0.25, 0.5], [0.5, 0.9, -0.5]])
    >>> bool(odd > 5 * usual)
    True
    """

    mem_dim: Count = 50
    _: KW_ONLY
    latent_dim: Count = 3
    shrink_thres: Auto | Share = "auto"
    alpha: NonNegative = 2e-4
    addressing: Annotated[str, options("cosine", "dot")] = "cosine"
    recon: Annotated[str, options("sum", "mean")] = "sum"
    hidden: Ruled = "auto"
    n_layers: Count = 4
    compression_factor: Count = 2
    act_fn: Activation = "relu"
    network: Annotated[str, options("auto", "mlp", *lenet.LENETS)] = "auto"

    # "paper" is its KDD (specs/deep_unsupervised.md 1.4)
    presets: ClassVar[dict[str, dict[str, Any]]] = {
        "paper": {
            "hidden": (60, 30, 10, 3),
            "act_fn": "tanh",
            "batch_size": 1024,
            "epochs": 200,
            "lr": 1e-4,
        },
        "reference": {
            "hidden": "rule",
            "act_fn": "relu",
            "addressing": "dot",
            "shrink_thres": 0.0,
            "recon": "mean",
            "scaling": "minmax",
            "batch_size": 1024,
            "epochs": 200,
            "lr": 1e-4,
        },
        "nrcan-2022": {**NRCAN, "mem_dim": 150},
        "nrcan-2022-ids2018": {**NRCAN, "mem_dim": 150, "hidden": (40, 20, 10)},
        "nrcan-2022-arrhythmia": {**NRCAN_ODDS, "mem_dim": 50, "batch_size": 128},
        "nrcan-2022-thyroid": {**NRCAN_ODDS, "mem_dim": 50},
    }

    def _build(self, shape: tuple[int, ...]) -> nn.Module:
        if len(shape) == 3:
            name = "lenet" if self.network == "auto" else self.network
            encoder = lenet.encoder(name, shape)
            memory = self._memory(encoder.rep_dim)
            decoder = lenet.decoder(name, shape, rep_dim=encoder.rep_dim)
            return Recall(encoder, memory, decoder)
        if self.network not in {"auto", "mlp"}:
            raise ParameterError(
                f"network={self.network!r} is not for tables; use 'auto' or 'mlp'"
            )
        widths = self._widths(shape[0])
        halves = [mlp(w, act=self.act_fn) for w in (widths, widths[::-1])]
        return Recall(halves[0], self._memory(widths[-1]), halves[1])

    def _memory(self, width: int) -> Memory:
        auto = isinstance(self.shrink_thres, str)
        threshold = 1 / self.mem_dim if auto else float(self.shrink_thres)
        cosine = self.addressing == "cosine"
        return Memory(self.mem_dim, width, threshold=threshold, cosine=cosine)

    def _widths(self, n_features: int) -> list[int]:
        """Return the widths of the encoder, the code last."""
        return encoder_widths(
            n_features,
            self.hidden,
            auto=(60, 30, 10, self.latent_dim),
            n_layers=self.n_layers,
            compression_factor=self.compression_factor,
            latent_dim=self.latent_dim,
        )

    def _begin(self, run: Run) -> None:
        table = len(self.input_shape_) == 1
        narrow = table and self._widths(self.input_shape_[0])[-1] == 1
        if run.fresh and narrow and self.addressing == "cosine":
            warnings.warn(
                "MemAE: codes of one number have two directions, so that cosine "
                "addressing tells two kinds of rows apart; use latent_dim=3 or "
                'addressing="dot"',
                UserWarning,
                stacklevel=2,
            )

    def _losses(self, net: nn.Module, batch: Batch) -> Losses:
        x_hat, weights = net(batch.x)
        recon = self._squared_error(batch.x, x_hat)
        if self.recon == "mean":
            recon = recon / math.prod(self.input_shape_)
        return Losses(recon + self.alpha * entropy(weights))

    def _score(self, net: nn.Module, x: Tensor) -> Tensor:
        return self._squared_error(x, net(x)[0])
