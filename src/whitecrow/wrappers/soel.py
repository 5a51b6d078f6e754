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
of the method underneath. Of several methods each learns by itself, and what they say
is averaged as

.. math::

    \mathrm{score}(x) = \operatorname{mean}_m \operatorname{asinh}
    \frac{s_m(x) - \operatorname{median} s_m}{\operatorname{iqr} s_m}

over the training rows: linear where most rows are, logarithmic far out, so that no
method decides alone.

Source: Li et al., Deep Anomaly Detection under Labeling Budget Constraints, ICML 2023;
specs/active_soel.md 1, 6, 7 and 13.3.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import KW_ONLY
from typing import Annotated, Any, ClassVar, Self

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from whitecrow import labels, ratio, registry
from whitecrow.deep import DeepDetector, train
from whitecrow.deep.run import Run, Stage
from whitecrow.detector import Rows, Scores, all_or_nothing
from whitecrow.errors import DataError, LabelError
from whitecrow.parameters import Natural, Share, between, fitted, options
from whitecrow.supervision import (
    Rule,
    labelled,
    one_class,
    soel,
    truncated,
    unlabelled,
)
from whitecrow.wrappers.under_rule import UnderRule, some_rows

__all__ = ["SOEL", "Alternating", "Joint", "LabelledOnly"]

METHODS = ("loe", "hard", "refine", "oc", "sup", "blind")
RATIOS = ("estimate", "iw_kde")

# What is assumed before anybody has looked: one anomaly among ten rows.
_PRIOR_ANOMALIES, _PRIOR_ROWS = 1, 10

# Anomalies are in the minority, whatever an estimate says.
_LARGEST_RATIO = 0.5

# Transformations as wide as a table of features take minutes, and rank no better.
_WIDEST = 64


class _Steps:
    """Row numbers of the labelled and the unlabelled rows, and seeds to shuffle them.

    All members share one training set, so that their labelled rows are the same.
    """

    def __init__(self, run: Run, number: int) -> None:
        known = run.y[: run.n] != int(labels.UNLABELLED)
        self.known = run.rows[..., known]
        self.free = run.rows[..., ~known]
        self.size, self.n = run.batch_size, run.n
        self.seeds = [seed + number for seed in run.seeds]
        self._draws = torch.Generator().manual_seed(self.seeds[0] ^ 0x50E1)

    def _sample(self) -> Tensor:
        """Return all labelled rows, or a batch of them if they are more."""
        count = self.known.shape[-1]
        if count <= self.size:
            return self.known
        drawn = torch.randperm(count, generator=self._draws)[: self.size]
        return self.known[..., drawn.to(self.known.device)]


class Joint(_Steps):
    """Batches of unlabelled rows, each with the labelled rows in front of it."""

    in_company: ClassVar[bool] = True

    def __init__(self, run: Run, number: int) -> None:
        super().__init__(run, number)
        whole = self.free if self.free.shape[-1] else self.known
        company = self.in_company and 0 < self.known.shape[-1] < self.n
        self._rest = train.Batches(whole, self.size, self.seeds, in_company=company)

    def __iter__(self) -> Iterator[Tensor]:
        """Yield the batches of an epoch."""
        for batch in self._rest:
            if self.free.shape[-1]:
                yield torch.cat([self._sample(), batch], dim=-1)
            else:
                yield batch


class Alternating(Joint):
    """All labelled rows as one batch before every batch of unlabelled ones.

    One unlabelled row is no batch, as it cannot be normalised: it joins the others.
    """

    in_company: ClassVar[bool] = False

    def __iter__(self) -> Iterator[Tensor]:
        """Yield the batches of an epoch."""
        if self.free.shape[-1] == 1:
            yield torch.cat([self.known, self.free], dim=-1)
            return
        for batch in self._rest:
            if self.free.shape[-1] and self.known.shape[-1]:
                yield self.known
            yield batch


class LabelledOnly(_Steps):
    """The labelled rows, as often as an epoch has batches."""

    def __iter__(self) -> Iterator[Tensor]:
        """Yield the batches of an epoch."""
        for _ in range(-(-self.n // self.size)):
            yield self._sample()


class SOEL(UnderRule):
    """Semi-supervised outlier exposure with a limited labelling budget.

    Parameters
    ----------
    detector : DeepDetector, list or tuple of them, or None
        The method underneath, or several; their parameters are set there. None takes
        NeuTraL AD and the hypersphere classifier, five members of each, for tables,
        and Deep SVDD for pictures.
    method : {"loe", "hard", "refine", "oc", "sup", "blind"}
        What the unlabelled rows are for: soft or hard latent outlier exposure;
        training without the most suspicious of them; all of them normal; labelled
        rows only; or all rows normal, whatever their label.
    ratio : {"estimate", "iw_kde"} or float in [0, 1)
        Share of anomalies among the unlabelled rows, for "loe", "hard" and "refine".
        "estimate" gives every row the label of the labelled row that is nearest after
        the warm-up (`whitecrow.ratio.nearest`), which counts for as many answers as
        there are, beside ten rows of which one is an anomaly. "iw_kde" is the published
        estimate from the scores after the warm-up. Both are at most 0.5, and 0.1
        without labels.
    update : {"joint", "alternate"}
        Labelled and unlabelled rows in one batch; or, as published, a step on all
        labelled rows and then one on a batch of the others, with whole numbers of rows
        and without smoothing.
    smoothing : float in [0, 0.5)
        Share of the labels that are assumed to be wrong.
    warm_up_epochs : int
        Epochs in which every row counts as normal; they are among those of `detector`.
    contamination : "auto" or float in (0, 0.5]
        For the threshold; "auto" looks at the labels if they are enough and `method` is
        not "blind", else at the scores.
    random_state : int, Generator or None
        Given to a `detector` that has none.

    Attributes
    ----------
    detectors_ : list of DeepDetector
        The fitted methods; often it is one.
    units_ : ndarray of shape (number of methods, 3)
        Median and distance between the quartiles of the training scores of each, and
        the size of its codes.
    ratio_ : float
        The share of anomalies among the unlabelled rows that was assumed.

    Notes
    -----
    The rule of SOEL takes the place of those of `detector`, as in LOE; ALAD and DUAD
    are refused.

    A method that trains against outliers which it generates, as HSC does, trains
    against them here too, in the warm-up as well: they cost l_a beside the unlabelled
    rows, and do not count in `ratio`. With `method="sup"` they cost nothing after the
    warm-up.

    NOTE[DIFF] Labelled and unlabelled rows share a batch, and so the statistics of
    batch normalisation: in the reference those of the labelled batch are of K rows.

    NOTE[DIFF] Quotas are exact in every batch; the reference truncates, so that of ten
    rows and a ratio of 0.19 it takes one.

    NOTE[DIFF] The published estimate of the ratio knows of a row no more than its score
    after one epoch. Diverse questions go to odd rows whatever the score, so that it is
    0.5 and more where 0.1 is true; rows that are far from others stand for few.

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

    _: KW_ONLY
    method: Annotated[str, options(*METHODS)] = "loe"
    ratio: Annotated[str, options(*RATIOS)] | Share = "estimate"
    update: Annotated[str, options("joint", "alternate")] = "joint"
    smoothing: Annotated[float, between(0, 0.5)] = 0.05
    warm_up_epochs: Natural = 1

    ratio_: float = fitted()

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
        self.fit_score(X, y, auxiliary=auxiliary, certainty=certainty)
        return self

    def fit_score(
        self,
        X: ArrayLike,
        y: ArrayLike | None = None,
        *,
        auxiliary: ArrayLike | None = None,
        certainty: ArrayLike | None = None,
    ) -> Scores:
        """Learn as `fit` does, and return the anomaly scores of the same rows.

        Parameters
        ----------
        X, y, auxiliary, certainty
            As for `fit`.

        Returns
        -------
        ndarray of float64, shape (n,)
            As `whitecrow.detector.Detector.fit_score` returns them.

        Raises
        ------
        DataError, LabelError, ParameterError
            As `fit`.
        """
        with all_or_nothing(self):
            rows, codes, _ = self._check_fit(X, y, auxiliary)
            soft = codes if certainty is None else _soft(codes, np.asarray(certainty))
            return self._set_threshold(rows, codes, self._train(rows, codes, soft))

    def _fit(self, X: Rows, codes: labels.Codes, auxiliary: Rows | None) -> Scores:
        return self._train(X, codes, codes)

    def _train(self, X: Rows, codes: labels.Codes, soft: NDArray[Any]) -> Scores:
        """Train all methods, first without labels; return the scores of the rows."""
        blind = self.method == "blind"
        self.detectors_ = self._copies(
            X,
            _default,
            needs=None if blind else f"method={self.method!r}",
            otherwise="method='blind'",
        )
        self._check_labels(codes)
        for inner in self.detectors_:
            inner._fit_stages(X, codes, None, [self._warm_up(inner)])
        self.ratio_ = self._choose_ratio(X, codes)
        for inner in self.detectors_:
            warm = self._warm_up(inner)
            rest = Stage(self.method, self._rule(), inner._n_epochs - warm.epochs)
            rest = rest._replace(batches=self._batches())
            inner._continue(X, soft, [rest], after=[warm])
        told = [inner._set_threshold(X, codes) for inner in self.detectors_]
        return self._measured(X, told)

    def _codes(self, y: ArrayLike | None, n: int) -> labels.Codes:
        codes = super()._codes(y, n)
        if self.method != "blind":
            return codes
        # For the centre and the threshold, too, all rows are then alike.
        return np.full_like(codes, labels.UNLABELLED)

    def _warm_up(self, inner: DeepDetector) -> Stage:
        return Stage("warm-up", unlabelled, min(self.warm_up_epochs, inner._n_epochs))

    def _check_labels(self, codes: labels.Codes) -> None:
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

    def _choose_ratio(self, X: Rows, codes: labels.Codes) -> float:
        if not isinstance(self.ratio, str):
            return float(self.ratio)
        queried = np.flatnonzero(codes != labels.UNLABELLED)
        if not len(queried):
            return _PRIOR_ANOMALIES / _PRIOR_ROWS
        answers = codes[queried] == labels.ANOMALY
        scores = self._measured(X, self._scores(X))  # and units of the codes
        if self.ratio == "iw_kde":
            share = ratio.iw_kde(scores=scores, queried=queried, y=answers)
        else:
            odd = _PRIOR_ANOMALIES + len(queried) * self._nearest(X, queried, answers)
            share = odd / (_PRIOR_ROWS + len(queried))
        share = float(np.clip(share, 1 / len(X), _LARGEST_RATIO))
        rest = ratio.among_unlabelled(share, n=len(X), y=answers)
        return min(rest, _LARGEST_RATIO)

    def _nearest(
        self, X: Rows, queried: NDArray[np.intp], answers: NDArray[np.bool_]
    ) -> float:
        rows = np.union1d(some_rows(len(X)), queried)
        at = np.searchsorted(rows, queried)
        return ratio.nearest(embeddings=self.embed(X[rows]), queried=at, y=answers)

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
            return None
        if self.method == "sup":
            return LabelledOnly
        # The reference takes one joint step for "oc".
        alternate = self.update == "alternate" and self.method != "oc"
        return Alternating if alternate else Joint


def _default(X: Rows) -> list[DeepDetector]:
    """Build two methods with logistic losses that see different anomalies.

    NeuTraL AD has the published sizes up to 64 columns, and five batches an epoch, but
    scaled rows and biases. On raw columns, as published, units decide; on centred ones
    the direction of a row, which is all that the network sees without biases, says
    little.
    """
    if X.ndim == 4:
        return [_build("deep_svdd")]
    size = min(512, max(2, -(-len(X) // 5)))
    neutral: Any = registry.method("neutral_ad").cls
    both: dict[str, Any] = {"scaling": "standard", "n_members": 5}
    more: dict[str, Any] = {"batch_size": size, "constant": 1.0, "bias": True}
    if X.shape[1] > _WIDEST:
        more["trans_hidden"] = _WIDEST
    views = neutral.preset("soel-tabular", **more, **both)
    return [views, _build("hsc", **both)]


def _build(name: str, **parameters: Any) -> DeepDetector:
    cls: Any = registry.method(name).cls
    detector: DeepDetector = cls(**parameters)
    return detector


def _soft(codes: labels.Codes, certainty: NDArray[Any]) -> NDArray[np.float32]:
    """Convert labels and how sure they are to probabilities of an anomaly."""
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
