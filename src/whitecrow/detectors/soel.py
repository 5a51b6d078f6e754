r"""SOEL: a few labels, and latent outlier exposure on everything else.

A person has looked at K of the n training rows; the set Q of these has labels y, the
rest U has none, and a share r of U is anomalous. Over any method with a pair of losses,

.. math::

    \min_\theta \min_{\tilde y}\;
    \frac{1}{|Q|} \sum_{j \in Q} (1 - p_j)\, l_n(x_j) + p_j\, l_a(x_j)
    + \frac{1}{|U|} \sum_{i \in U} (1 - \tilde y_i)\, l_n(x_i) + \tilde y_i\, l_a(x_i)

with :math:`p_j = y_j` but for smoothing, :math:`\tilde y \in \{0, 0.5\}` (or
:math:`\{0, 1\}`) and as many rows of U above 0 as r says: those that rank first by
:math:`l_n - l_a`. Few labels count as much as many unlabelled rows. The score is that
of the method underneath.

Source: Li et al., Deep Anomaly Detection under Labeling Budget Constraints, ICML 2023;
specs/active_soel.md 1, 6, 7 and 13.3.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from numbers import Integral, Real
from typing import Any, ClassVar, Self

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions
from torch import Tensor

from whitecrow import labels, ratio, train
from whitecrow.deep import DeepDetector, Members, Stage
from whitecrow.detector import Detector, Rows
from whitecrow.detectors import _table
from whitecrow.errors import DataError, LabelError
from whitecrow.ruling import RulingDetector, fresh_copy
from whitecrow.supervision import (
    Rule,
    labelled,
    one_class,
    soel,
    truncated,
    unlabelled,
)

__all__ = ["SOEL", "Alternating", "Joint", "LabelledOnly"]

METHODS = ("loe", "hard", "refine", "oc", "sup", "blind")

# Without a label nothing can be estimated: the default of LOE.
_UNKNOWN_RATIO = 0.1

# Anomalies are in the minority, whatever an estimate says.
_LARGEST_RATIO = 0.5


class _Steps:
    """Row numbers of the labelled and the unlabelled rows, and seeds to shuffle them.

    All members share one training set, so that their labelled rows are the same.
    """

    def __init__(self, data: Members, number: int) -> None:
        known = data.y[: data.n] != int(labels.UNLABELLED)
        self.known = data.rows[..., known]
        self.free = data.rows[..., ~known]
        self.size, self.n = data.batch_size, data.n
        self.seeds = [seed + number for seed in data.seeds]
        self._draws = torch.Generator().manual_seed(self.seeds[0] ^ 0x50E1)

    def _sample(self) -> Tensor:
        """All labelled rows, or a batch of them if they are more."""
        count = self.known.shape[-1]
        if count <= self.size:
            return self.known
        drawn = torch.randperm(count, generator=self._draws)[: self.size]
        return self.known[..., drawn.to(self.known.device)]


class Joint(_Steps):
    """Batches of unlabelled rows, each with the labelled rows in front of it."""

    def __init__(self, data: Members, number: int) -> None:
        super().__init__(data, number)
        whole = self.free if self.free.shape[-1] else self.known
        self._rest = train.Batches(whole, self.size, self.seeds)

    def __iter__(self) -> Iterator[Tensor]:
        """One epoch."""
        for batch in self._rest:
            if self.free.shape[-1]:
                yield torch.cat([self._sample(), batch], dim=-1)
            else:
                yield batch


class Alternating(Joint):
    """All labelled rows as one batch before every batch of unlabelled ones."""

    def __iter__(self) -> Iterator[Tensor]:
        """One epoch."""
        for batch in self._rest:
            if self.free.shape[-1] and self.known.shape[-1]:
                yield self.known
            yield batch


class LabelledOnly(_Steps):
    """The labelled rows, as often as an epoch has batches."""

    def __iter__(self) -> Iterator[Tensor]:
        """One epoch."""
        for _ in range(-(-self.n // self.size)):
            yield self._sample()


class SOEL(RulingDetector):
    """Semi-supervised outlier exposure with a limited labelling budget.

    Parameters
    ----------
    detector : DeepDetector or None
        The method underneath; its parameters are set there. None takes three members of
        NeuTraL AD with the published sizes for tables, and Deep SVDD for pictures.
    method : {"loe", "hard", "refine", "oc", "sup", "blind"}
        What the unlabelled rows are for: soft or hard latent outlier exposure;
        training without the most suspicious of them; all of them normal; labelled
        rows only; or all rows normal, whatever their label.
    ratio : "estimate" or float in [0, 1)
        Share of anomalies among the unlabelled rows, for "loe", "hard" and "refine".
        "estimate" is the published one (`whitecrow.ratio.iw_kde`) from the scores after
        the warm-up, at most 0.5, and 0.1 without labels.
    update : {"joint", "alternate"}
        Labelled and unlabelled rows in one batch; or, as published, a step on all
        labelled rows and then one on a batch of the others, with whole numbers of rows
        and without smoothing.
    smoothing : float in [0, 0.5)
        Share of the labels that are assumed to be wrong.
    warm_up_epochs : int
        Epochs in which every row counts as normal; they are among those of `detector`.
    contamination : "auto" or float in (0, 0.5]
        For the threshold; "auto" looks at the labels if they are enough, else at the
        scores.
    random_state : int, Generator or None
        Given to a `detector` that has none.

    Attributes
    ----------
    detector_ : DeepDetector
        The fitted method.
    ratio_ : float
        The share of anomalies among the unlabelled rows that was assumed.

    Notes
    -----
    NOTE[DIFF] Labelled and unlabelled rows share a batch, and so the statistics of
    batch normalisation: in the reference those of the labelled batch are of K rows.

    NOTE[DIFF] Quotas are exact in every batch; the reference truncates, so that of ten
    rows and a ratio of 0.19 it takes one.

    NOTE[DIFF] Labels are smoothed by 0.05, as people make mistakes and the replayed
    labels weigh much. The optimiser starts anew after the warm-up, and the network of
    the last epoch counts, not that with the lowest loss on one batch.

    Examples
    --------
    >>> import numpy as np
    >>> from whitecrow import SOEL, DeepSVDD
    >>> rng = np.random.default_rng(0)
    >>> X = np.r_[rng.normal(size=(190, 5)), rng.normal(2, 1, size=(10, 5))]
    >>> y = np.full(200, np.nan)
    >>> y[:5], y[195:] = 0, 1  # ten rows that somebody looked at
    >>> inner = DeepSVDD(epochs=10, pretrain=False)
    >>> model = SOEL(inner, ratio=0.03, random_state=0).fit(X, y)
    >>> scores = model.anomaly_score(X)
    >>> bool(scores[190:195].mean() > scores[5:190].mean())
    True
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "detector": [HasMethods(["fit", "anomaly_score"]), None],
        "method": [StrOptions(set(METHODS))],
        "ratio": [StrOptions({"estimate"}), Interval(Real, 0, 1, closed="left")],
        "update": [StrOptions({"joint", "alternate"})],
        "smoothing": [Interval(Real, 0, 0.5, closed="left")],
        "warm_up_epochs": [Interval(Integral, 0, None, closed="left")],
        "random_state": ["random_state", np.random.Generator],
    }

    ratio_: float

    def __init__(
        self,
        detector: Any = None,
        *,
        method: str = "loe",
        ratio: str | float = "estimate",
        update: str = "joint",
        smoothing: float = 0.05,
        warm_up_epochs: int = 1,
        contamination: float | str = "auto",
        random_state: Any = None,
    ) -> None:
        self.detector = detector
        self.method = method
        self.ratio = ratio
        self.update = update
        self.smoothing = smoothing
        self.warm_up_epochs = warm_up_epochs
        self.contamination = contamination
        self.random_state = random_state

    def fit(
        self,
        X: ArrayLike,
        y: ArrayLike | None = None,
        *,
        auxiliary: ArrayLike | None = None,
        certainty: ArrayLike | None = None,
    ) -> Self:
        """Learn from a few labels and all rows.

        Parameters
        ----------
        X, y, auxiliary
            As for every detector.
        certainty : array-like of shape (n,), optional
            How sure each label is, from 0.5 (a guess) to 1; it is not looked at where
            `y` is missing.

        Returns
        -------
        self

        Raises
        ------
        DataError, LabelError, ParameterError
            One line each: what is wrong, where, and the remedy.
        """
        rows, codes, _ = self._check_fit(X, y, auxiliary)
        soft = codes if certainty is None else _soft(codes, np.asarray(certainty))
        self._learn(rows, codes, soft)
        self._set_threshold(rows, codes)
        return self

    def _fit(self, X: Rows, codes: labels.Codes, auxiliary: Rows | None) -> None:
        self._learn(X, codes, codes)

    def _learn(self, X: Rows, codes: labels.Codes, soft: NDArray[Any]) -> None:
        inner = self._inner(X)
        inner._check_fit(X, None, None)
        self._check_labels(inner, codes)
        warm = Stage("warm-up", unlabelled, min(self.warm_up_epochs, inner.epochs))
        inner._fit_stages(X, codes, None, [warm])
        self.ratio_ = self._choose_ratio(inner, X, codes)
        rest = Stage(self.method, self._rule(), inner.epochs - warm.epochs)
        rest = rest._replace(batches=self._batches())
        inner._continue(X, soft, [rest], after=[warm])
        inner._set_threshold(X, codes)
        self.detector_ = inner

    def _inner(self, X: Rows) -> DeepDetector:
        """The method to train, as a fresh copy."""
        given = _default(X) if self.detector is None else self.detector
        return fresh_copy(
            given,
            who="SOEL",
            needs=None if self.method == "blind" else f"method={self.method!r}",
            otherwise="method='blind'",
            random_state=self.random_state,
        )

    def _check_labels(self, inner: DeepDetector, codes: labels.Codes) -> None:
        n_known = int((codes != labels.UNLABELLED).sum())
        if self.method == "sup" and not n_known:
            raise LabelError(
                "method='sup' learns from labelled rows only, and y has none; "
                "label some, or use method='loe'"
            )
        lonely = self.update == "alternate" or self.method == "sup"
        if lonely and n_known == 1 and self.method != "blind":
            raise DataError(
                "one label is a batch of one row, which cannot be normalised; label "
                "another row, or use update='joint' with a method other than 'sup'"
            )

    def _choose_ratio(self, inner: DeepDetector, X: Rows, codes: labels.Codes) -> float:
        if not isinstance(self.ratio, str):
            return float(self.ratio)
        queried = np.flatnonzero(codes != labels.UNLABELLED)
        if not len(queried):
            return _UNKNOWN_RATIO
        answers = codes[queried] == labels.ANOMALY
        scores = inner._anomaly_score(X)
        share = ratio.iw_kde(scores=scores, queried=queried, y=answers)
        share = float(np.clip(share, 1 / len(X), _LARGEST_RATIO))
        rest = ratio.among_unlabelled(share, n=len(X), y=answers)
        return min(rest, _LARGEST_RATIO)

    def _rule(self) -> Rule:
        if self.method == "blind":
            return unlabelled
        smoothing = 0.0 if self.update == "alternate" else self.smoothing
        if self.method == "sup":
            return labelled(smoothing)
        if self.method == "oc":
            return one_class(smoothing)
        if self.method == "loe" and self.update == "alternate":
            return truncated(self.ratio_)
        variant = "soft" if self.method == "loe" else self.method
        return soel(self.ratio_, variant=variant, smoothing=smoothing)

    def _batches(self) -> Any:
        if self.method == "blind":
            return Members.batches
        if self.method == "sup":
            return LabelledOnly
        # The reference takes one joint step for "oc".
        alternate = self.update == "alternate" and self.method != "oc"
        return Alternating if alternate else Joint


def _default(X: Rows) -> Detector:
    """Three NeuTraL ADs of the published sizes, five batches an epoch.

    On raw columns, as published, units decide; on centred ones the direction of a row,
    which is all that the network sees, says little without a constant column.
    """
    if X.ndim == 4:
        return _table.method("deep_svdd").cls()
    size = min(512, max(2, -(-len(X) // 5)))
    build = partial(_table.method("neutral_ad").cls.preset, "soel-tabular")
    return build(batch_size=size, scaling="standard", constant=1.0, n_members=3)


def _soft(codes: labels.Codes, certainty: NDArray[Any]) -> NDArray[np.float32]:
    """Labels and how sure they are as probabilities of an anomaly."""
    known = codes != labels.UNLABELLED
    if certainty.shape != codes.shape:
        raise LabelError(
            f"certainty has shape {certainty.shape} for {len(codes)} rows; give one "
            "number a row"
        )
    sure = np.where(known, certainty, 1.0).astype(np.float32)
    if not ((sure >= 0.5) & (sure <= 1)).all():
        row = int(np.flatnonzero(~((sure >= 0.5) & (sure <= 1)))[0])
        raise LabelError(
            f"certainty {sure[row]:g} in row {row} is not in [0.5, 1]; a label that is "
            "less likely than not is the other label"
        )
    p = np.where(codes == labels.ANOMALY, sure, 1 - sure)
    return np.where(known, p, np.float32(-1)).astype(np.float32)
