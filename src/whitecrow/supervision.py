r"""Rules: from a pair of per-row losses and labels to one number.

A deep method gives `l_n` (the loss of a row taken as normal) and `l_a` (taken as
anomalous). A rule says how labels, known or guessed, combine the two. Every rule is a
function `rule(l_n=, l_a=, y=)` of tensors of shape `(..., batch)`; it averages over the
batch and leaves the leading dimensions (members trained side by side) alone. `y` has
codes of `whitecrow.labels` and the shape of the losses.

============== ============================================================= ==========
rule           loss of a row                                                 source
============== ============================================================= ==========
`unlabelled`   l_n
`refine`       l_n, the share `ratio` with the highest score is left out     [1]_
`semi`         l_n; known normal eta l_n, known anomaly eta l_a              [2]_
`exposure`     l_n; auxiliary outliers and known anomalies l_a               [3]_
`latent`       l_n, except the share `ratio` ranked first by l_n - l_a:      [1]_
               soft (l_n + l_a) / 2, hard l_a; known labels are respected
`supervised`   labelled rows only: normal l_n, anomaly l_a
============== ============================================================= ==========

.. [1] Qiu et al., Latent Outlier Exposure for Anomaly Detection with Contaminated Data,
   ICML 2022.
.. [2] Ruff et al., Deep Semi-Supervised Anomaly Detection, ICLR 2020, eq. 7.
.. [3] Hendrycks et al., Deep Anomaly Detection with Outlier Exposure, ICLR 2019;
   Ruff et al., Rethinking Assumptions in Deep Anomaly Detection, 2021.
"""

from __future__ import annotations

from typing import Protocol

import torch
from jaxtyping import Float, Int8
from torch import Tensor

from whitecrow.errors import ParameterError
from whitecrow.labels import ANOMALY, NORMAL, UNLABELLED

__all__ = [
    "Rule",
    "exposure",
    "latent",
    "refine",
    "semi",
    "supervised",
    "unlabelled",
]

Losses = Float[Tensor, "*members batch"]
Codes = Int8[Tensor, "*members batch"]
Loss = Float[Tensor, "*members"]

# Python numbers: torch compares tensors with them, not with numpy scalars.
_ANOMALY, _NORMAL, _UNLABELLED = int(ANOMALY), int(NORMAL), int(UNLABELLED)


class Rule(Protocol):
    """What every rule looks like."""

    def __call__(self, *, l_n: Losses, l_a: Losses | None, y: Codes) -> Loss:
        """One loss for each member."""
        ...


def unlabelled(*, l_n: Losses, l_a: Losses | None, y: Codes) -> Loss:
    """Every row counts as normal; labels are ignored.

    Examples
    --------
    >>> l_n, y = torch.tensor([1.0, 3.0]), torch.tensor([-1, -1], dtype=torch.int8)
    >>> unlabelled(l_n=l_n, l_a=None, y=y)
    tensor(2.)
    """
    return l_n.mean(-1)


def supervised(*, l_n: Losses, l_a: Losses | None, y: Codes) -> Loss:
    """Labelled rows only: the mean of l_n over normals and l_a over anomalies.

    A batch without a label has loss 0.
    """
    known = (y != _UNLABELLED).to(l_n.dtype)
    losses = torch.where(y == _ANOMALY, _need(l_a, "supervised"), l_n) * known
    return losses.sum(-1) / known.sum(-1).clamp(min=1)


def exposure(*, l_n: Losses, l_a: Losses | None, y: Codes) -> Loss:
    """Known outliers take l_a, everything else l_n; the plain mean of both."""
    return torch.where(y == _ANOMALY, _need(l_a, "exposure"), l_n).mean(-1)


class semi:  # noqa: N801 - a rule with a parameter, used like the rules without one
    """Deep SAD's rule: labelled rows weigh `eta` times an unlabelled one.

    Parameters
    ----------
    eta : float
        Weight of a labelled row, > 0. Without labels it has no effect.

    Examples
    --------
    >>> l_n, l_a = torch.tensor([1.0, 2.0]), torch.tensor([1.0, 0.5])
    >>> semi(eta=4.0)(l_n=l_n, l_a=l_a, y=torch.tensor([-1, 1], dtype=torch.int8))
    tensor(1.5000)
    """

    def __init__(self, eta: float = 1.0) -> None:
        self.eta = eta

    def __call__(self, *, l_n: Losses, l_a: Losses | None, y: Codes) -> Loss:
        """One loss for each member."""
        l_a = _need(l_a, "semi")
        losses = torch.where(y == _ANOMALY, self.eta * l_a, l_n)
        return torch.where(y == _NORMAL, self.eta * l_n, losses).mean(-1)


class refine:  # noqa: N801
    """Leave out the share `ratio` of the unlabelled rows with the highest l_n."""

    def __init__(self, ratio: float) -> None:
        self.ratio = _check_ratio(ratio)

    def __call__(self, *, l_n: Losses, l_a: Losses | None, y: Codes) -> Loss:
        """One loss for each member."""
        weights = 1 - _suspicion(l_n, y, self.ratio)
        weights = torch.where(y == _ANOMALY, 0.0, weights)
        return (weights * l_n).sum(-1) / weights.sum(-1).clamp(min=1e-12)


class latent:  # noqa: N801
    """Latent outlier exposure: labels of unlabelled rows are variables too.

    For fixed networks the best labels are closed form: the share `ratio` of unlabelled
    rows ranked first by l_n - l_a are the anomalies. `soft` gives these rows the mean
    of both losses, `hard` l_a alone. Labelled rows keep their label.

    NOTE[DIFF] The reference truncates the number of anomalies in a batch to an integer
    and drops the row in between (with 32 rows and ratio 0.05: 1 instead of 1.6). Here
    the boundary row is split in proportion, so that the quota is exact in each batch.

    Parameters
    ----------
    ratio : float
        Assumed share of anomalies among the unlabelled rows, in [0, 1).
    soft : bool
        Which of the two variants.
    """

    def __init__(self, ratio: float, *, soft: bool = True) -> None:
        self.ratio = _check_ratio(ratio)
        self.soft = soft

    def __call__(self, *, l_n: Losses, l_a: Losses | None, y: Codes) -> Loss:
        """One loss for each member."""
        l_a = _need(l_a, "latent")
        share = _suspicion(l_n - l_a, y, self.ratio) * (0.5 if self.soft else 1.0)
        share = torch.where(y == _ANOMALY, 1.0, share)
        # l_n + share (l_a - l_n), but safe where l_a is infinite and share is 0
        anomalous = torch.where(share > 0, share * l_a, 0.0)
        return ((1 - share) * l_n + anomalous).mean(-1)


def _suspicion(score: Losses, y: Codes, ratio: float) -> Losses:
    """1 for the `ratio` share of unlabelled rows with the highest score, else 0.

    The row on the boundary takes the fraction that makes the sum exact.
    """
    free = y == _UNLABELLED
    quota = ratio * free.sum(-1, keepdim=True)
    ranked = score.detach().masked_fill(~free, -torch.inf)
    rank = ranked.argsort(dim=-1, descending=True, stable=True).argsort(dim=-1)
    return torch.where(free, (quota - rank).clamp(0, 1), 0.0).to(score.dtype)


def _check_ratio(ratio: float) -> float:
    if not 0 <= ratio < 1:
        raise ParameterError(
            f"ratio={ratio!r} is the share of anomalies in the unlabelled rows; "
            "give a number in [0, 1)"
        )
    return float(ratio)


def _need(l_a: Losses | None, rule: str) -> Losses:
    if l_a is None:
        raise ParameterError(
            f"the rule '{rule}' needs a method with a loss for anomalies, and this one "
            "has none; use 'unlabelled' or 'refine', or another method "
            "(`whitecrow methods` lists them)"
        )
    return l_a
