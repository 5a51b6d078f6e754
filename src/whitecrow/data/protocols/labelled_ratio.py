"""A few labels and polluted training rows: the sampler of Deep SAD, in closed form.

Ruff et al., "Deep Semi-Supervised Anomaly Detection", ICLR 2020, section 4. All normal
training rows are used and anomalies are added on top, until the labelled rows are the
asked shares of the whole training set and the pollution is the asked share of its
unlabelled part. With n normal rows, r_n and r_a the shares of known normal and known
anomalous rows, and p the pollution, the training set has

    N = n / (r_n + (1 - p) (1 - r_n - r_a))

rows: r_n N known normal, r_a N known anomalies, and of the other (1 - r_n - r_a) N a
share p of unlabelled anomalies; each number is cut to a whole one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from whitecrow import labels
from whitecrow.data import truth as truths
from whitecrow.data.protocols import (
    Rows,
    Seed,
    Split,
    check_share,
    floor,
    make_split,
    normal_and_odd,
    take,
)
from whitecrow.errors import DataError, ParameterError

__all__ = ["Sizes", "counts", "labelled_ratio"]


class Sizes(NamedTuple):
    """Rows of each sort in the training set."""

    known_normal: int
    unlabelled_normal: int
    unlabelled_anomaly: int
    known_anomaly: int


def counts(
    n: int, ratio_known_normal: float, ratio_known_anomaly: float, pollution: float
) -> Sizes:
    """Compute the four sizes for n normal training rows.

    Parameters
    ----------
    n : int
        Normal rows that may train.
    ratio_known_normal, ratio_known_anomaly : float in [0, 1)
        Shares of the whole training set; together less than 1.
    pollution : float in [0, 1)
        Share of anomalies among the unlabelled training rows.

    Returns
    -------
    Sizes
        (known_normal, unlabelled_normal, unlabelled_anomaly, known_anomaly)

    Raises
    ------
    ParameterError
        If a share is outside its interval.

    Examples
    --------
    >>> tuple(counts(6000, 0.0, 0.05, 0.1))
    (0, 6000, 666, 350)
    """
    check_share("ratio_known_normal", ratio_known_normal)
    check_share("ratio_known_anomaly", ratio_known_anomaly)
    check_share("pollution", pollution)
    unlabelled = 1 - ratio_known_normal - ratio_known_anomaly
    if unlabelled <= 0:
        raise ParameterError(
            f"ratio_known_normal={ratio_known_normal} and ratio_known_anomaly="
            f"{ratio_known_anomaly} leave no unlabelled rows; keep their sum below 1"
        )
    total = n / (ratio_known_normal + (1 - pollution) * unlabelled)
    shares = (
        ratio_known_normal,
        (1 - pollution) * unlabelled,
        pollution * unlabelled,
        ratio_known_anomaly,
    )
    return Sizes(*(floor(share * total) for share in shares))


def labelled_ratio(
    y: ArrayLike,
    *,
    ratio_known_normal: float = 0.0,
    ratio_known_anomaly: float = 0.0,
    pollution: float = 0.0,
    train_fraction: float = 0.6,
    classes: ArrayLike | None = None,
    known_classes: int | Sequence[Any] | None = None,
    random_state: Seed = None,
) -> Split:
    """Draw Deep SAD's training set from a share of the rows; test on the rest.

    Parameters
    ----------
    y : array-like of shape (n,)
        The truth: 1 anomaly, 0 normal.
    ratio_known_normal, ratio_known_anomaly : float in [0, 1), default=0.0
        Shares of labelled rows in the whole training set.
    pollution : float in [0, 1), default=0.0
        Share of anomalies among the unlabelled training rows, of all classes.
    train_fraction : float in (0, 1], default=0.6
        Share of the rows of each class that may train, rounded down. With 1.0 the test
        is empty: for sets with an official test part.
    classes : array-like of shape (n,), optional
        A finer class of each row (a digit, an attack), for `known_classes`.
    known_classes : int or sequence, optional
        Known anomalies come only from these classes, or from this many classes drawn
        among the anomalous ones. All of them by default.
    random_state : int, Generator or None, default=None
        Seed of the draw.

    Returns
    -------
    Split
        Anomalies of the training share that were not drawn are in neither part.

    Raises
    ------
    DataError
        If there are fewer anomalies than the shares ask for.
    LabelError, ParameterError
        If a row has no label or an illegal one, a share is outside its interval, or a
        known class is absent or normal.

    Examples
    --------
    >>> shares = {"ratio_known_anomaly": 0.1, "pollution": 0.1}
    >>> split = labelled_ratio([0] * 100 + [1] * 40, **shares, random_state=0)
    >>> split.counts.unlabelled_normal, split.counts.unlabelled_anomaly
    (60, 6)
    >>> split.counts.known_anomaly, split.counts.test_normal, split.counts.test_anomaly
    (7, 40, 16)
    """
    check_share("train_fraction", train_fraction, above=True, up_to=True)
    truth = truths.complete(y)
    rng = np.random.default_rng(random_state)
    candidates = _candidates(truth, classes, known_classes, rng)
    (normal, normal_test), (odd, odd_test) = (
        take(rows, floor(len(rows) * train_fraction), rng)
        for rows in normal_and_odd(truth)
    )
    sizes = counts(len(normal), ratio_known_normal, ratio_known_anomaly, pollution)
    known_normal, rest = take(normal, sizes.known_normal, rng)
    known, polluting = _anomalies(odd, candidates[odd], sizes, rng)
    return make_split(
        truth,
        test=np.concatenate([normal_test, odd_test]),
        unlabelled=np.concatenate([rest[: sizes.unlabelled_normal], polluting]),
        known=np.concatenate([known_normal, known]),
    )


def _anomalies(
    odd: Rows, candidate: NDArray[np.bool_], sizes: Sizes, rng: np.random.Generator
) -> tuple[Rows, Rows]:
    """Draw known anomalies, and polluting ones among those that are left.

    NOTE[DIFF]: the reference draws both independently, so that a row may be both; it
    then stands in the training set twice, with one label for both copies.
    """
    available = int(candidate.sum())
    if sizes.known_anomaly > available:
        raise DataError(
            f"the ratios ask for {sizes.known_anomaly} known anomalies, the training "
            f"part has {available} of the known classes; lower ratio_known_anomaly or "
            "name more known_classes"
        )
    known, others = take(odd[candidate], sizes.known_anomaly, rng)
    pool = np.concatenate([odd[~candidate], others])
    if sizes.unlabelled_anomaly > len(pool):
        raise DataError(
            f"the pollution asks for {sizes.unlabelled_anomaly} anomalies, the "
            f"training part has {len(pool)} beside the {len(known)} known ones; lower "
            "pollution or ratio_known_anomaly"
        )
    return known, take(pool, sizes.unlabelled_anomaly, rng)[0]


def _candidates(
    truth: labels.Codes,
    classes: ArrayLike | None,
    known_classes: int | Sequence[Any] | None,
    rng: np.random.Generator,
) -> NDArray[np.bool_]:
    """Tell which rows may become known anomalies."""
    odd = truth == labels.ANOMALY
    if known_classes is None:
        return odd
    if classes is None:
        raise ParameterError(
            f"known_classes={known_classes!r} needs classes; give the class of each row"
        )
    values = np.asarray(classes)
    if values.shape != truth.shape:
        raise ParameterError(
            f"classes has shape {values.shape}, y has {truth.shape}; give one class "
            "for each row"
        )
    legal = np.setdiff1d(values[odd], values[~odd])
    return odd & np.isin(values, _known(known_classes, legal, rng))


def _known(
    asked: int | Sequence[Any], legal: NDArray[Any], rng: np.random.Generator
) -> NDArray[Any]:
    """Return the known classes, drawn if only their number is given."""
    if isinstance(asked, (int, np.integer)):
        if not 0 <= asked <= len(legal):
            raise ParameterError(
                f"known_classes={asked} is not in 0 to {len(legal)}, the number of "
                "classes that have only anomalies"
            )
        return rng.choice(legal, size=int(asked), replace=False)
    chosen = np.asarray(asked)
    wrong = chosen[~np.isin(chosen, legal)].tolist()
    if wrong:
        raise ParameterError(
            f"known_classes has {wrong[0]!r}, which is not a class of anomalies only; "
            f"choose among {', '.join(map(repr, legal.tolist()))}"
        )
    return chosen
