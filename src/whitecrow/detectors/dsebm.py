r"""DSEBM: a network that is an energy; normal rows lie where it is low and flat.

With :math:`h_0 = x` and :math:`h_l = \mathrm{softplus}(W_l h_{l-1} + b_l)`,

.. math::

    E(x) = \tfrac{1}{2} \lVert x - b' \rVert^2 - \sum_j h_{L,j}, \qquad
    f(x) = x - \nabla E(x)

The plain architecture has the layers :math:`W_1, W_2`; the tied one goes back through
:math:`W_2^\top, W_1^\top`, with biases of its own. Score matching on rows with noise
:math:`\varepsilon \sim N(0, \sigma^2 I)` is a reconstruction:

.. math::

    l_n(x) = \lVert x - f(x + \varepsilon) \rVert^2, \qquad
    \mathrm{score}(x) = \lVert x - f(x) \rVert^2 = \lVert \nabla E(x) \rVert^2
    \;\text{ or }\; E(x)

The gradient is closed form: with :math:`a_l` the argument of softplus in layer l,
:math:`u_L = \sigma(a_L)` and :math:`u_{l-1} = (W_l^\top u_l) \odot \sigma(a_{l-1})`,
it is :math:`x - b' - W_1^\top u_1`. There is no l_a.

Source: Zhai, Cheng, Lu and Zhang, Deep Structured Energy Based Models for Anomaly
Detection, ICML 2016; the tied network is that of ALAD's authors;
specs/deep_unsupervised.md 2.6.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import KW_ONLY
from itertools import pairwise
from typing import Annotated, Any, ClassVar, NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import ArrayLike
from sklearn.utils.validation import check_is_fitted
from torch import Tensor, nn
from torch.nn.functional import softplus

from whitecrow.deep import DeepDetector
from whitecrow.deep.published import NRCAN, NRCAN_ODDS
from whitecrow.deep.run import Batch, Losses
from whitecrow.detector import Rows, Scores
from whitecrow.parameters import Count, NonNegative, options

__all__ = ["DSEBM", "BothScores", "Energy"]

SCORES = ("reconstruction", "energy")


class BothScores(NamedTuple):
    """The two scores of the same rows, each of shape (n,)."""

    energy: Scores
    reconstruction: Scores


class Energy(nn.Module):
    """The energy and its gradient, for one network or for a stack of members."""

    has_member_axis = True

    def __init__(self, widths: Sequence[int], *, tied: bool) -> None:
        super().__init__()
        self.tied, self.n_weights = tied, len(widths) - 1
        # Not in a ParameterList, which a stack of members could not join.
        for number, (n_in, n_out) in enumerate(pairwise(widths)):
            weight = torch.randn(n_in, n_out) * math.sqrt(2 / (n_in + n_out))
            self.register_parameter(f"weight_{number}", nn.Parameter(weight))
        outputs = [*widths[1:], *(widths[-2::-1] if tied else ())]
        for number, n_out in enumerate(outputs):
            self.register_parameter(f"bias_{number}", nn.Parameter(torch.zeros(n_out)))
        self.centre = nn.Parameter(torch.zeros(widths[0]))

    def layers(self) -> list[tuple[Tensor, Tensor]]:
        """Return weight (in, out) and bias of each layer, there and back if tied."""
        weights = [getattr(self, f"weight_{i}") for i in range(self.n_weights)]
        if self.tied:
            weights += [weight.mT for weight in reversed(weights)]
        return [(w, getattr(self, f"bias_{i}")) for i, w in enumerate(weights)]

    def forward(
        self, x: Float[Tensor, "*members batch d"]
    ) -> tuple[Float[Tensor, "*members batch"], Float[Tensor, "*members batch d"]]:
        """Compute the energy of each row and its gradient."""
        layers, h, slopes = self.layers(), x, []
        for weight, bias in layers:
            a = h @ weight + bias.unsqueeze(-2)
            slopes.append(torch.sigmoid(a))
            h = softplus(a)
        u = slopes.pop()
        while slopes:
            weight, _ = layers[len(slopes)]
            u = (u @ weight.mT) * slopes.pop()
        offset = x - self.centre.unsqueeze(-2)
        energy = 0.5 * offset.square().sum(-1) - h.sum(-1)
        return energy, offset - u @ layers[0][0].mT


def denoising_loss(
    net: nn.Module,
    *,
    x: Float[Tensor, "*members batch d"],
    noisy: Float[Tensor, "*members batch d"],
) -> Float[Tensor, "*members batch"]:
    """Measure how far from the row a step down the energy takes the noisy row."""
    gradient = net(noisy)[1]
    return (x - noisy + gradient).square().sum(-1)


class DSEBM(DeepDetector):
    """Deep structured energy-based model for tables.

    Parameters
    ----------
    score_metric : {"reconstruction", "energy"}
        DSEBM-r, the squared norm of the gradient, or DSEBM-e. `both_scores` gives
        both at once.
    architecture : {"tied", "plain"}
        Two layers there and back with the same weights, or two layers there.
    fc_1_out, fc_2_out : int
        Widths of the two layers.
    noise_std : float
        sigma, in units of the scaled columns.
    scaling, epochs, batch_size, lr, weight_decay, milestones, n_members, contamination
        As for `AutoEncoder`; after each milestone the learning rate drops to a tenth.
    patience, device, random_state
        As for `AutoEncoder`.

    Notes
    -----
    NOTE[DIFF] In the reference code b' has one row for each position in a batch and is
    never trained, so that a score depends on a row's neighbours; here it is one trained
    vector.

    NOTE[DIFF] The reference code takes the root of DSEBM-r, which ranks the same; here
    it is the square, as in the paper, and a sum over columns.

    Examples
    --------
    >>> import numpy as np
    >>> from whitecrow import DSEBM
    >>> t = np.random.default_rng(0).uniform(-1, 1, 300)
    >>> X = np.c_[t, t**2, 1 - t]
    >>> model = DSEBM(noise_std=0.5, epochs=30, random_state=0).fit(X)
    >>> usual, odd = model.anomaly_score([[0.5, 0.25, 0.5], [0.5, 0.9, 0.5]])
    >>> bool(odd > 10 * usual)
    True
    """

    input_kinds: ClassVar[tuple[str, ...]] = ("table",)
    _one_unit: ClassVar[bool] = True  # of the scaled columns
    _salt: ClassVar[int] = 0xE9E7
    explanation: ClassVar[str] = "exact"

    score_metric: Annotated[str, options(*SCORES)] = "reconstruction"
    _: KW_ONLY
    architecture: Annotated[str, options("tied", "plain")] = "tied"
    fc_1_out: Count = 128
    fc_2_out: Count = 512
    noise_std: NonNegative = 1.0
    milestones: tuple[int, ...] = ()

    # specs/deep_unsupervised.md 7
    presets: ClassVar[dict[str, dict[str, Any]]] = {
        "nrcan-2022": NRCAN,
        "nrcan-2022-arrhythmia": {**NRCAN_ODDS, "batch_size": 128},
        "nrcan-2022-thyroid": {
            **NRCAN_ODDS,
            "fc_1_out": 64,
            "fc_2_out": 128,
        },
    }

    def both_scores(self, X: ArrayLike) -> BothScores:
        """Compute the energy and the reconstruction score of each row, in one pass.

        Parameters
        ----------
        X : array-like of shape (n, d)
            Rows with the columns of the training rows.

        Returns
        -------
        BothScores
            (energy, reconstruction); the one that `score_metric` names is
            `anomaly_score(X)`.
        """
        check_is_fitted(self)
        rows = self._check_rows(X, reset=False)
        parts = [self._energies(piece) for piece in self._pieces(rows)]
        energy, reconstruction = map(np.concatenate, zip(*parts, strict=True))
        return BothScores(energy, reconstruction.sum(axis=1))

    def _build(self, shape: tuple[int, ...]) -> nn.Module:
        widths = (shape[0], self.fc_1_out, self.fc_2_out)
        return Energy(widths, tied=self.architecture == "tied")

    def _losses(self, net: nn.Module, batch: Batch) -> Losses:
        noisy = batch.x + self.noise_std * batch.noise.normal(batch.x)
        return Losses(denoising_loss(net, x=batch.x, noisy=noisy))

    def _score(self, net: nn.Module, x: Tensor) -> Tensor:
        energy, gradient = net(x)
        return energy if self.score_metric == "energy" else gradient.square().sum(-1)

    def _contributions(self, X: Rows) -> Scores:
        """Compute squared gradients, or integrated gradients for the energy."""
        return (
            self._path_gradients(X)
            if self.score_metric == "energy"
            else self._energies(X)[1]
        )

    @torch.no_grad()
    def _energies(self, X: Rows) -> tuple[Scores, Scores]:
        """Compute energy (n,) and squared gradient (n, d), means over the members."""
        energy, gradient = self.net_(self._input(X))
        shape = (self.n_members, len(X))
        energy = energy.double().view(shape).mean(0)
        squares = gradient.square().double().view(*shape, -1).mean(0)
        return energy.cpu().numpy(), squares.cpu().numpy()
