r"""Rules: from a pair of per-row losses and labels to one number.

A deep method gives `l_n` (the loss of a row taken as normal) and `l_a` (taken as
anomalous). A rule says how labels, known or guessed, combine the two. Every rule is a
function `rule(l_n=, l_a=, y=)` of tensors of shape `(..., batch)`; it averages over the
batch and leaves the leading dimensions (members trained side by side) alone. `y` has
codes of `whitecrow.labels` and the shape of the losses.

Auxiliary outliers, where a batch has some, are no labels: `outliers` is a mask of their
own. They are never taken for training rows. With `supervised` and `labelled` they cost
nothing, with all other rules l_a each, among the rows that are not labelled.

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
`labelled`     labelled rows only: (1 - p) l_n + p l_a, p their probability  [4]_
               of being an anomaly
`one_class`    `labelled`, plus the mean l_n of the unlabelled rows          [4]_
`soel`         `labelled`, plus the mean of `latent` or `refine` over the    [4]_
               unlabelled rows
`truncated`    `soel` with whole numbers of rows, as its released code       [4]_
============== ============================================================= ==========

The last four count the labelled rows as one half and the unlabelled ones as the other,
however many there are of each; a half without rows is 0. Their `y` may hold
probabilities, with -1 where a row is unlabelled.

.. [1] Qiu et al., Latent Outlier Exposure for Anomaly Detection with Contaminated Data,
   ICML 2022.
.. [2] Ruff et al., Deep Semi-Supervised Anomaly Detection, ICLR 2020, eq. 7.
.. [3] Hendrycks et al., Deep Anomaly Detection with Outlier Exposure, ICLR 2019;
   Ruff et al., Rethinking Assumptions in Deep Anomaly Detection, 2021.
.. [4] Li et al., Deep Anomaly Detection under Labeling Budget Constraints, ICML 2023;
   specs/active_soel.md 1 and 6.
"""

from __future__ import annotations

from typing import Protocol

import torch
from jaxtyping import Bool, Float, Int8, Int64
from torch import Tensor

from whitecrow.errors import ParameterError
from whitecrow.labels import ANOMALY, NORMAL, UNLABELLED

__all__ = [
    "Rule",
    "exposure",
    "labelled",
    "latent",
    "one_class",
    "refine",
    "semi",
    "soel",
    "supervised",
    "truncated",
    "unlabelled",
]

Losses = Float[Tensor, "*members batch"]
Codes = Int8[Tensor, "*members batch"]
Ranks = Int64[Tensor, "*members batch"]
Loss = Float[Tensor, "*members"]
# Codes, or the probability that a row is an anomaly, -1 where it is unlabelled.
Labels = Codes | Losses
Mask = Bool[Tensor, "*members batch"]

# Python numbers: torch compares tensors with them, not with numpy scalars.
_ANOMALY, _NORMAL, _UNLABELLED = int(ANOMALY), int(NORMAL), int(UNLABELLED)


class Rule(Protocol):
    """What every rule looks like."""

    def __call__(
        self,
        *,
        l_n: Losses,
        l_a: Losses | None,
        y: Codes,
        outliers: Mask | None = None,
    ) -> Loss:
        """Average over the batch: one loss for each member."""
        ...


def unlabelled(
    *, l_n: Losses, l_a: Losses | None, y: Codes, outliers: Mask | None = None
) -> Loss:
    """Count every row as normal; ignore labels.

    Examples
    --------
    >>> l_n, y = torch.tensor([1.0, 3.0]), torch.tensor([-1, -1], dtype=torch.int8)
    >>> unlabelled(l_n=l_n, l_a=None, y=y)
    tensor(2.)
    """
    return _exposed(l_n, l_a, outliers).mean(-1)


def supervised(
    *, l_n: Losses, l_a: Losses | None, y: Codes, outliers: Mask | None = None
) -> Loss:
    """Average over labelled rows only: l_n of normals and l_a of anomalies.

    A batch without a label has loss 0.
    """
    known = (y != _UNLABELLED).to(l_n.dtype)
    losses = torch.where(y == _ANOMALY, _need(l_a, "supervised"), l_n) * known
    return losses.sum(-1) / known.sum(-1).clamp(min=1)


def exposure(
    *, l_n: Losses, l_a: Losses | None, y: Codes, outliers: Mask | None = None
) -> Loss:
    """Average l_a of known outliers and l_n of everything else."""
    odd = y == _ANOMALY if outliers is None else (y == _ANOMALY) | outliers
    return torch.where(odd, _need(l_a, "exposure"), l_n).mean(-1)


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

    def __call__(
        self,
        *,
        l_n: Losses,
        l_a: Losses | None,
        y: Codes,
        outliers: Mask | None = None,
    ) -> Loss:
        """Compute one loss for each member."""
        l_a = _need(l_a, "semi")
        losses = torch.where(
            y == _ANOMALY, self.eta * l_a, _exposed(l_n, l_a, outliers)
        )
        return torch.where(y == _NORMAL, self.eta * l_n, losses).mean(-1)


class refine:  # noqa: N801
    """Leave out the share `ratio` of the unlabelled rows with the highest l_n."""

    def __init__(self, ratio: float) -> None:
        self.ratio = _check_ratio(ratio)

    def __call__(
        self,
        *,
        l_n: Losses,
        l_a: Losses | None,
        y: Codes,
        outliers: Mask | None = None,
    ) -> Loss:
        """Compute one loss for each member."""
        weights = 1 - _suspicion(l_n, _free(y, outliers), self.ratio)
        weights = torch.where(y == _ANOMALY, 0.0, weights)
        losses = _exposed(l_n, l_a, outliers)
        return (weights * losses).sum(-1) / weights.sum(-1).clamp(min=1e-12)


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

    def __call__(
        self,
        *,
        l_n: Losses,
        l_a: Losses | None,
        y: Codes,
        outliers: Mask | None = None,
    ) -> Loss:
        """Compute one loss for each member."""
        l_a = _need(l_a, "latent")
        share = _suspicion(l_n - l_a, _free(y, outliers), self.ratio)
        share = share * (0.5 if self.soft else 1.0)
        share = torch.where(y == _ANOMALY, 1.0, share)
        return _mixed(l_n, l_a, _certain(share, outliers)).mean(-1)


class labelled:  # noqa: N801
    """Labelled rows only, whose labels may be soft or smoothed.

    Parameters
    ----------
    smoothing : float
        Share of labels that are assumed to be wrong, in [0, 0.5): a row labelled as
        anomaly has p = 1 - smoothing, one labelled as normal p = smoothing. Without
        it a single wrong label can cost more than any number of right ones.

    Examples
    --------
    >>> l_n, l_a = torch.tensor([1.0, 4.0]), torch.tensor([2.0, 8.0])
    >>> labelled(0.0)(l_n=l_n, l_a=l_a, y=torch.tensor([-1.0, 0.75]))
    tensor(7.)
    """

    def __init__(self, smoothing: float = 0.05) -> None:
        self.smoothing = _check_smoothing(smoothing)

    def __call__(
        self,
        *,
        l_n: Losses,
        l_a: Losses | None,
        y: Labels,
        outliers: Mask | None = None,
    ) -> Loss:
        """Compute one loss for each member."""
        l_a, known = _need(l_a, "labelled"), y != _UNLABELLED
        p = self.smoothing + (1 - 2 * self.smoothing) * y.to(l_n.dtype)
        p = torch.where(known, p, 0.0)
        return _mean(_mixed(l_n, l_a, p), known.to(l_n.dtype))


class one_class:  # noqa: N801
    """Labelled rows by their label; all others count as normal."""

    def __init__(self, smoothing: float = 0.05) -> None:
        self._labelled = labelled(smoothing)

    def __call__(
        self,
        *,
        l_n: Losses,
        l_a: Losses | None,
        y: Labels,
        outliers: Mask | None = None,
    ) -> Loss:
        """Compute one loss for each member."""
        rest = (y == _UNLABELLED).to(l_n.dtype)
        losses = _exposed(l_n, l_a, outliers)
        return self._labelled(l_n=l_n, l_a=l_a, y=y) + _mean(losses, rest)


class soel:  # noqa: N801
    """A few labels, and latent outlier exposure on all other rows.

    As in `latent`, the row on the boundary is split, so that the quota is exact in
    every batch, however small.

    Parameters
    ----------
    ratio : float
        Assumed share of anomalies among the unlabelled rows, in [0, 1).
    variant : {"soft", "hard", "refine"}
        What an unlabelled row taken as anomalous costs: half of both losses, l_a, or
        nothing.
    smoothing : float
        As for `labelled`.
    """

    def __init__(
        self, ratio: float, *, variant: str = "soft", smoothing: float = 0.05
    ) -> None:
        if variant not in {"soft", "hard", "refine"}:
            raise ParameterError(
                f"there is no variant {variant!r} of soel; use 'soft', 'hard' or "
                "'refine'"
            )
        self.ratio = _check_ratio(ratio)
        self.variant = variant
        self._labelled = labelled(smoothing)

    def __call__(
        self,
        *,
        l_n: Losses,
        l_a: Losses | None,
        y: Labels,
        outliers: Mask | None = None,
    ) -> Loss:
        """Compute one loss for each member."""
        l_a = _need(l_a, "soel")
        free, rest = _free(y, outliers), (y == _UNLABELLED).to(l_n.dtype)
        if self.variant == "refine":
            rest = rest * (1 - _suspicion(l_n, free, self.ratio))
            losses = _exposed(l_n, l_a, outliers)
        else:
            share = _suspicion(l_n - l_a, free, self.ratio)
            share = share * (0.5 if self.variant == "soft" else 1.0)
            losses = _mixed(l_n, l_a, _certain(share, outliers))
        rest = _mean(losses, rest)
        return self._labelled(l_n=l_n, l_a=l_a, y=y) + rest


class truncated:  # noqa: N801
    """SOEL's rule as its released code computes it, for comparisons with it.

    Of b unlabelled rows the int(b ratio) that rank highest cost half of both losses,
    the int(b (1 - ratio)) that rank lowest l_n; what is between them is left out.
    """

    def __init__(self, ratio: float) -> None:
        self.ratio = _check_ratio(ratio)
        self._labelled = labelled(0.0)

    def __call__(
        self,
        *,
        l_n: Losses,
        l_a: Losses | None,
        y: Labels,
        outliers: Mask | None = None,
    ) -> Loss:
        """Compute one loss for each member."""
        l_a = _need(l_a, "truncated")
        free = _free(y, outliers)
        # float64, as Python's own product is.
        size = free.sum(-1, keepdim=True).double()
        rank = _rank(l_n - l_a, free)
        odd = free & (rank < (size * self.ratio).floor())
        normal = free & (rank >= size - (size * (1 - self.ratio)).floor())
        losses = _mixed(l_n, l_a, _certain(0.5 * odd.to(l_n.dtype), outliers))
        counted = odd | normal if outliers is None else odd | normal | outliers
        rest = _mean(losses, counted.to(l_n.dtype))
        return self._labelled(l_n=l_n, l_a=l_a, y=y) + rest


def _free(y: Labels, outliers: Mask | None) -> Mask:
    """Tell training rows without a label from all others."""
    free = y == _UNLABELLED
    return free if outliers is None else free & ~outliers


def _exposed(l_n: Losses, l_a: Losses | None, outliers: Mask | None) -> Losses:
    """Return l_n of rows, and l_a of auxiliary outliers."""
    if outliers is None:
        return l_n
    return torch.where(outliers, _need(l_a, "exposure"), l_n)


def _certain(share: Losses, outliers: Mask | None) -> Losses:
    """Set the share of l_a to 1 for auxiliary outliers."""
    return share if outliers is None else torch.where(outliers, 1.0, share)


def _mixed(l_n: Losses, l_a: Losses, share: Losses) -> Losses:
    """Compute (1 - share) l_n + share l_a, also for infinite l_a where share is 0."""
    return (1 - share) * l_n + torch.where(share > 0, share * l_a, 0.0)


def _mean(losses: Losses, weights: Losses) -> Loss:
    """Compute the weighted mean; 0 without weights, whatever the losses there."""
    counted = torch.where(weights > 0, weights * losses, 0.0)
    return counted.sum(-1) / weights.sum(-1).clamp(min=1e-12)


def _rank(score: Losses, free: Bool[Tensor, "*members batch"]) -> Ranks:
    """Rank rows by score, the highest at 0; rows that are not free come last."""
    ranked = score.detach().masked_fill(~free, -torch.inf)
    return ranked.argsort(dim=-1, descending=True, stable=True).argsort(dim=-1)


def _suspicion(score: Losses, free: Mask, ratio: float) -> Losses:
    """Return 1 for the `ratio` share of free rows with the highest score, else 0.

    The row on the boundary takes the fraction that makes the sum exact.
    """
    quota = ratio * free.sum(-1, keepdim=True)
    fraction = (quota - _rank(score, free)).clamp(0, 1)
    return torch.where(free, fraction, 0.0).to(score.dtype)


def _check_ratio(ratio: float) -> float:
    if not 0 <= ratio < 1:
        raise ParameterError(
            f"ratio={ratio!r} is the share of anomalies in the unlabelled rows; "
            "give a number in [0, 1)"
        )
    return float(ratio)


def _check_smoothing(smoothing: float) -> float:
    if not 0 <= smoothing < 0.5:
        raise ParameterError(
            f"smoothing={smoothing!r} is the share of labels that are assumed to be "
            "wrong; give a number in [0, 0.5)"
        )
    return float(smoothing)


def _need(l_a: Losses | None, rule: str) -> Losses:
    if l_a is None:
        raise ParameterError(
            f"the rule '{rule}' needs a method with a loss for anomalies, and this one "
            "has none; use 'unlabelled' or 'refine', or another method "
            "(`whitecrow methods` lists them)"
        )
    return l_a
