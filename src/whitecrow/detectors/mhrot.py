r"""MHRot: which transformation was applied to the picture? That is hard for odd ones.

Every combination t of a flip, two translations and a rotation makes a view
:math:`x_t` of a picture; a network with one head for each of these factors says which.
With the log odds :math:`u_{th}` of the true value :math:`c_{th}` against all others,

.. math::

    l_n(x) = \operatorname{mean}_{t, h} -\log p_h(c_{th} \mid x_t)
           = \operatorname{mean}_{t, h} \operatorname{softplus}(-u_{th})

and as anomalous either the cross-entropy to the uniform distribution over the values,
or that of any other answer:

.. math::

    l_a(x) = \operatorname{mean}_{t, h, c} -\log p_h(c \mid x_t)
    \qquad \text{or} \qquad
    l_a(x) = \operatorname{mean}_{t, h} \operatorname{softplus}(u_{th})

In training, `reg` times the mean squared feature is added to both. The score is
:math:`l_n` without it; or it comes from the features :math:`z_t` of the views and their
means :math:`\mu_t` over the training pictures, as if each transformation were a
Gaussian:

.. math::

    \operatorname{mean}_t -\log \operatorname{softmax}_{t'}
    \left( -\lVert z_t - \mu_{t'} \rVert^2 \right) [t]

Source: Hendrycks et al., Using Self-Supervised Learning Can Improve Model Robustness
and Uncertainty, NeurIPS 2019; l_a: Li et al., Deep Anomaly Detection under Labeling
Budget Constraints, ICML 2023; specs/active_soel.md 3.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY
from itertools import product
from typing import Annotated, Any, ClassVar, NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.validation import check_is_fitted
from torch import Tensor, nn
from torch.nn.functional import softplus

from whitecrow.deep import DeepDetector
from whitecrow.deep.nets.wide_resnet import WideResNet
from whitecrow.deep.run import Batch, Losses, Run
from whitecrow.detector import Scores
from whitecrow.errors import DataError
from whitecrow.parameters import (
    Count,
    NonNegative,
    Scaling,
    Share,
    at_least,
    fixed,
    options,
)

__all__ = [
    "BothScores",
    "MHRot",
    "MultiHead",
    "factors",
    "latent_gauss",
    "log_odds",
    "sources",
    "uniform_loss",
]

SCORES = ("cross_entropy", "latent_gauss")

# Which factors there are: flips, translations along both axes, quarter turns.
_FACTORS = {
    "simple": ("flip", "turn"),
    "medium": ("down", "right", "turn"),
    "complicated": ("flip", "down", "right", "turn"),
}
_VALUES = {"flip": 2, "down": 3, "right": 3, "turn": 4}

# What a view counts for, so that about 512 views are scored at once: their maps, not
# the pictures, fill the memory.
_NUMBERS = 7_800


def factors(kind: str) -> NDArray[np.int64]:
    """List all factors' values by view, shape (views, heads), the last one fastest.

    Examples
    --------
    >>> factors("simple")[:5].tolist()
    [[0, 0], [0, 1], [0, 2], [0, 3], [1, 0]]
    """
    return np.array(list(product(*(range(n) for n in heads(kind)))), dtype=np.int64)


def heads(kind: str) -> tuple[int, ...]:
    """Return the number of values of each factor."""
    return tuple(_VALUES[name] for name in _FACTORS[kind])


def sources(kind: str, side: int, shift: int) -> NDArray[np.int64]:
    """Find where each pixel of each view comes from, shape (views, side * side).

    All transformations move pixels and nothing else, so that one `gather` with these
    numbers makes all views of all pictures of a batch. What a translation would bring
    in from outside is mirrored, the edge itself included.

    Examples
    --------
    >>> sources("simple", 2, 0)[[0, 1, 4]].tolist()  # itself, a turn, a flip
    [[0, 1, 2, 3], [1, 3, 0, 2], [1, 0, 3, 2]]
    """
    shifts = (0, -shift, shift)
    views = []
    for values in factors(kind):
        chosen = dict(zip(_FACTORS[kind], values, strict=True))
        pixels = np.arange(side * side).reshape(side, side)
        if chosen.get("flip"):
            pixels = pixels[:, ::-1]
        down, right = shifts[chosen.get("down", 0)], shifts[chosen.get("right", 0)]
        padded = np.pad(pixels, shift, mode="symmetric")
        rows = slice(shift + down, shift + down + side)
        columns = slice(shift + right, shift + right + side)
        views.append(np.rot90(padded[rows, columns], chosen["turn"]).ravel())
    return np.array(views)


class BothScores(NamedTuple):
    """The two scores of the same pictures, each of shape (n,)."""

    cross_entropy: Scores
    latent_gauss: Scores


class MultiHead(nn.Module):
    """All views of a picture through one trunk and the heads.

    `means` are those of the features of each view; they are set after training.
    """

    sources: Tensor
    means: Tensor

    def __init__(
        self, trunk: WideResNet, moves: NDArray[np.int64], n_logits: int
    ) -> None:
        super().__init__()
        self.trunk = trunk
        self.numbers_per_row = _NUMBERS * len(moves)
        self.heads = nn.Linear(trunk.n_features, n_logits)
        nn.init.zeros_(self.heads.bias)
        self.register_buffer("sources", torch.from_numpy(moves))
        self.register_buffer("means", torch.zeros(len(moves), trunk.n_features))

    def forward(
        self, x: Float[Tensor, "batch c h w"]
    ) -> Float[Tensor, "batch views both"]:
        """Compute features of each view, and behind them the logits of all heads."""
        flat = (2 * x - 1).flatten(-2)
        views = flat[..., self.sources].transpose(-2, -3)
        features = self.trunk(views.flatten(0, 1).unflatten(-1, x.shape[-2:]))
        both = torch.cat([features, self.heads(features)], dim=-1)
        return both.unflatten(0, (x.shape[0], -1))


def log_odds(
    logits: Float[Tensor, "*batch classes"], own: Float[Tensor, "*batch classes"]
) -> Float[Tensor, "*batch"]:
    """Compute the log odds of the true class against all others.

    softplus(-u) is cross-entropy and softplus(u) its complement, -log(1 - p): both are
    finite for any logits.

    Examples
    --------
    >>> log_odds(torch.tensor([3.0, 1.0]), torch.tensor([1.0, 0.0]))
    tensor(2.)
    """
    others = logits.masked_fill(own > 0, -torch.inf).logsumexp(-1)
    return (logits * own).sum(-1) - others


def uniform_loss(logits: Float[Tensor, "*batch classes"]) -> Float[Tensor, "*batch"]:
    """Compute the cross-entropy to the uniform distribution over the classes."""
    return logits.logsumexp(-1) - logits.mean(-1)


def latent_gauss(
    features: Float[Tensor, "*members batch views f"],
    means: Float[Tensor, "*members views f"],
) -> Float[Tensor, "*members batch"]:
    """Average -log p(own transformation) over the views, by distances to the means.

    Examples
    --------
    >>> means = torch.tensor([[0.0, 0.0], [2.0, 0.0]])
    >>> between = torch.tensor([[[1.0, 0.0], [1.0, 5.0]]])
    >>> latent_gauss(torch.stack([means, between[0]]), means)
    tensor([0.0181, 0.6931])
    """
    # What |z|^2 adds is the same for all transformations, and cancels.
    products = features @ means.mT.unsqueeze(-3)
    sizes = means.square().sum(-1)[..., None, None, :]
    log_p = (2 * products - sizes).log_softmax(-1)
    return -log_p.diagonal(dim1=-2, dim2=-1).mean(-1)


class MHRot(DeepDetector):
    """Multi-head prediction of transformations, for square pictures.

    Parameters
    ----------
    transformations : {"medium", "simple", "complicated"}
        Shifts and turns (36 views of a picture), flips and turns (8), or all of them
        (72). Time and memory grow with the number of views.
    shift : int
        Pixels of a translation, 0 < shift < side.
    exposure : {"max_ent", "zero_driven"}
        What an anomaly costs: cross-entropy to the uniform distribution, or that of any
        answer but the true one.
    reg : float
        Weight of the mean squared feature in training.
    score_metric : {"cross_entropy", "latent_gauss"}
        What the heads say, or distances of the features to the mean of each
        transformation. Training does not depend on it, and `both_scores` gives both.
    depth, widen_factor, dropout, reference_block
        Of the trunk, see `whitecrow.deep.nets.wide_resnet.WideResNet`.
    epochs, batch_size, lr, weight_decay, milestones, n_members, contamination
        As for `DeepSVDD`; a batch has `batch_size` pictures with all of their views.
    patience, device, random_state
        As for `DeepSVDD`.

    Notes
    -----
    NOTE[DIFF] The trunk has standard residual blocks and averages over all places; in
    the released code the first convolution of a block is applied twice, and pictures of
    28 x 28 are judged by their upper left corner. `reference_block=True` is that.

    NOTE[DIFF] Losses are means over the views, where the released code scores by sums:
    a factor. They come from log odds, and are not cut off where a probability is below
    1e-9.

    NOTE[DIFF] The regulariser is on for labelled rows, too; it adds the same to both
    losses, so that it changes no guess of a label.

    NOTE[DIFF] The mean features are those of the trained network over all training
    pictures that are not known as anomalies; the released code averages what it sees
    in the last epoch, while the weights still move, with dropout and batch statistics,
    known anomalies included.

    NOTE[DIFF] Under LOE and SOEL, pictures are suspected by l_n - l_a. The released
    code can do so by the latent score of a batch less l_a, and does for CIFAR-10.

    Examples
    --------
    >>> import numpy as np
    >>> from whitecrow import MHRot
    >>> X = np.random.default_rng(0).integers(0, 256, (8, 1, 12, 12), dtype=np.uint8)
    >>> small = MHRot("simple", depth=10, widen_factor=1, epochs=1, random_state=0)
    >>> small.fit(X).anomaly_score(X).shape
    (8,)
    """

    input_kinds: ClassVar[tuple[str, ...]] = ("picture",)
    has_l_a: ClassVar[bool] = True
    # Gradients need the maps of all views of a picture in memory at once.
    explanation: ClassVar[str] = "occlusion"

    transformations: Annotated[str, options(*_FACTORS)] = "medium"
    _: KW_ONLY
    shift: Count = 8
    exposure: Annotated[str, options("max_ent", "zero_driven")] = "max_ent"
    reg: NonNegative = 10.0
    score_metric: Annotated[str, options(*SCORES)] = "cross_entropy"
    depth: Annotated[int, at_least(10)] = 16
    widen_factor: Count = 4
    dropout: Share = 0.3
    reference_block: bool = False
    milestones: tuple[int, ...] = ()
    epochs = 16
    batch_size = 10
    scaling: Scaling = fixed("none")

    # specs/active_soel.md 3.4 and 9, with the epoch of the warm-up
    presets: ClassVar[dict[str, dict[str, Any]]] = {
        "soel-cifar10": {"reference_block": True, "epochs": 17},
        "soel-fmnist": {
            "reference_block": True,
            "lr": 1e-4,
            "epochs": 4,
            "reg": 0.0,
        },
        "soel-medmnist": {"reference_block": True, "lr": 1e-4},
    }

    def both_scores(self, X: ArrayLike) -> BothScores:
        """Compute both scores of each picture, in one pass.

        Parameters
        ----------
        X : array-like of shape (n, c, h, w)
            Pictures of the size of the training pictures.

        Returns
        -------
        BothScores
            (cross_entropy, latent_gauss), means over the members; with one member the
            one that `score_metric` names is `anomaly_score(X)`.
        """
        check_is_fitted(self)
        with torch.no_grad():
            inputs = self._inputs(self._check_rows(X, reset=False))
            parts = [
                torch.stack(self._scores(self.net_, x, SCORES)).cpu() for x in inputs
            ]
        both = torch.cat(parts, dim=-1).view(2, self.n_members, -1).mean(1).numpy()
        return BothScores(*both)

    def _build(self, shape: tuple[int, ...]) -> nn.Module:
        channels, height, width = shape
        if height != width or self.shift >= width:
            raise DataError(
                f"MHRot turns square pictures and shifts them by {self.shift} pixels, "
                f"which pictures of {height} x {width} do not allow; crop or pad them, "
                "or use a smaller shift"
            )
        trunk = WideResNet(
            channels,
            depth=self.depth,
            widen_factor=self.widen_factor,
            dropout=self.dropout,
            reference_block=self.reference_block,
        )
        moves = sources(self.transformations, width, self.shift)
        return MultiHead(trunk, moves, sum(heads(self.transformations)))

    def _losses(self, net: nn.Module, batch: Batch) -> Losses:
        features, logits = self._views(net, batch.x)
        normal, odd = self._pair(logits)
        size = self.reg * features.square().mean((-1, -2))
        return Losses(normal + size, odd + size)

    def _score(self, net: nn.Module, x: Tensor) -> Tensor:
        (score,) = self._scores(net, x, [self.score_metric])
        return score

    def _scores(
        self, net: nn.Module, x: Tensor, metrics: Sequence[str]
    ) -> list[Tensor]:
        # float64, as in float32 the clearest of all views would tie.
        features, logits = (part.double() for part in self._views(net, x))
        means = net.get_buffer("means").double()
        return [
            self._pair(logits)[0]
            if metric == "cross_entropy"
            else latent_gauss(features, means)
            for metric in metrics
        ]

    def _embed(self, net: nn.Module, x: Tensor) -> Tensor:
        return self._views(net, x)[0].flatten(-2)

    def _views(self, net: nn.Module, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return features (..., views, f) and logits (..., views, classes)."""
        n_logits = sum(heads(self.transformations))
        both = net(x)
        return both[..., :-n_logits], both[..., -n_logits:]

    def _pair(self, logits: Tensor) -> tuple[Tensor, Tensor]:
        """Compute both losses of each picture, means over views and heads."""
        counts = heads(self.transformations)
        truth = torch.from_numpy(factors(self.transformations)).to(logits.device)
        max_ent = self.exposure == "max_ent"
        normal, odd = [], []
        for one, count, true in zip(
            logits.split(counts, dim=-1), counts, truth.T, strict=True
        ):
            own = nn.functional.one_hot(true, count).to(one.dtype)
            odds = log_odds(one, own.expand_as(one))
            normal.append(softplus(-odds))
            odd.append(uniform_loss(one) if max_ent else softplus(odds))
        return _mean_of(normal), _mean_of(odd)

    def _end(self, run: Run) -> None:
        # Mean features of each transformation, without known anomalies.
        means = run.mean(lambda x: self._views(run.net, x)[0].double())
        run.net.get_buffer("means").copy_(means)


def _mean_of(losses: list[Tensor]) -> Tensor:
    """Average over heads and views: (heads, ..., views) -> (...)."""
    return torch.stack(losses).mean((0, -1))
