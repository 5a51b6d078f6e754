"""Train on one part of the normal rows, test on the rest and the anomalies.

`holdout` is the protocol of the one-class literature, optionally with polluted training
rows; `stratified` is the plain split of ADBench (Han et al. 2022, section 3.3).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from whitecrow import labels
from whitecrow.data import truth as truths
from whitecrow.data.protocols import Seed, Split, check_share, make_split, take
from whitecrow.errors import DataError

__all__ = ["holdout", "polluting", "stratified"]

# A product of shares such as 9 * 0.1 / 0.9 may fall just short of a whole number.
_SLACK = 1e-9


def polluting(n: int, pollution: float) -> int:
    """How many anomalies pollute n normal rows: floor(n * rho / (1 - rho)).

    Parameters
    ----------
    n : int
        Normal training rows.
    pollution : float in [0, 1)
        Share rho of anomalies among all training rows.

    Examples
    --------
    >>> polluting(1000, 0.1)
    111
    """
    check_share("pollution", pollution)
    return math.floor(n * pollution / (1 - pollution) + _SLACK)


def holdout(
    y: ArrayLike,
    *,
    train_fraction: float = 0.5,
    pollution: float = 0.0,
    random_state: Seed = None,
) -> Split:
    """Normal rows split in two; all anomalies are tested, but for the pollution.

    Parameters
    ----------
    y : array-like of shape (n,)
        The truth: 1 anomaly, 0 normal.
    train_fraction : float in (0, 1), default=0.5
        Share of the normal rows that train, rounded up.
    pollution : float in [0, 1), default=0.0
        Share of anomalies among the training rows. They are taken out of the test.
    random_state : int, Generator or None, default=None
        Seed of the draw.

    Returns
    -------
    Split
        All training rows are unlabelled.

    Raises
    ------
    DataError
        If a part would have no normal row, or the test no anomaly.
    LabelError
        If a row has no label or an illegal one.
    ParameterError
        If a share is outside its interval.

    References
    ----------
    The protocol of Zong et al. 2018 and its successors; the published code of several
    draws test rows among the training rows and leaves the pollution in the test, which
    this function does not.

    Examples
    --------
    >>> split = holdout([0] * 20 + [1] * 5, pollution=0.1, random_state=0)
    >>> len(split.train), split.counts.unlabelled_anomaly, len(split.test)
    (11, 1, 14)
    """
    check_share("train_fraction", train_fraction, above=True)
    truth = truths.complete(y)
    rng = np.random.default_rng(random_state)
    normal, odd = (np.flatnonzero(truth == c) for c in (labels.NORMAL, labels.ANOMALY))
    n_train = math.ceil(len(normal) * train_fraction - _SLACK)
    if not 0 < n_train < len(normal):
        raise DataError(
            f"{len(normal)} normal rows cannot be split with train_fraction="
            f"{train_fraction}: each part needs one; give more rows"
        )
    n_polluting = polluting(n_train, pollution)
    _check_left(len(odd), n_polluting, n_train, pollution)
    train, test = take(normal, n_train, rng)
    polluted, tested = take(odd, n_polluting, rng)
    return make_split(
        truth,
        test=np.concatenate([test, tested]),
        unlabelled=np.concatenate([train, polluted]),
    )


def stratified(
    y: ArrayLike,
    *,
    train_fraction: float = 0.7,
    known_anomalies: float = 0.0,
    random_state: Seed = None,
) -> Split:
    """Both classes split with the same share, as in ADBench (70 % train).

    Parameters
    ----------
    y : array-like of shape (n,)
        The truth: 1 anomaly, 0 normal.
    train_fraction : float in (0, 1), default=0.7
        Share of the rows of each class that train, to the nearest row.
    known_anomalies : float in [0, 1], default=0.0
        Share of the training anomalies whose label training may see, rounded up
        (ADBench's ratio of labelled anomalies). All other training rows are unlabelled.
    random_state : int, Generator or None, default=None
        Seed of the draw.

    Returns
    -------
    Split
        With the truth of all rows at hand, `y[split.train]` are the labels for a fully
        supervised run.

    Raises
    ------
    DataError
        If a class would be absent from the training or the test rows.
    LabelError
        If a row has no label or an illegal one.
    ParameterError
        If a share is outside its interval.

    Examples
    --------
    >>> split = stratified([0] * 20 + [1] * 10, known_anomalies=0.1, random_state=0)
    >>> split.counts.known_anomaly, split.counts.test_normal, split.counts.test_anomaly
    (1, 6, 3)
    """
    check_share("train_fraction", train_fraction, above=True)
    check_share("known_anomalies", known_anomalies, up_to=True)
    truth = truths.complete(y)
    rng = np.random.default_rng(random_state)
    parts = []
    for code, word in ((labels.NORMAL, "normal"), (labels.ANOMALY, "anomaly")):
        rows = np.flatnonzero(truth == code)
        n_train = math.floor(len(rows) * train_fraction + 0.5)
        if not 0 < n_train < len(rows):
            raise DataError(
                f"{len(rows)} rows of class {word} cannot be split with train_fraction="
                f"{train_fraction}: each part needs one; give more rows"
            )
        parts.append(take(rows, n_train, rng))
    (normal, normal_test), (odd, odd_test) = parts
    known, hidden = take(odd, math.ceil(len(odd) * known_anomalies - _SLACK), rng)
    return make_split(
        truth,
        test=np.concatenate([normal_test, odd_test]),
        unlabelled=np.concatenate([normal, hidden]),
        known=known,
    )


def _check_left(n_odd: int, n_polluting: int, n_train: int, pollution: float) -> None:
    """Refuse a pollution that leaves no anomaly to test on."""
    if not n_odd:
        raise DataError(
            "y has no anomaly (1) to test on; a protocol needs at least one"
        )
    if n_polluting >= n_odd:
        most = math.floor(1e4 * (n_odd - 1) / (n_train + n_odd - 1)) / 1e4
        raise DataError(
            f"pollution={pollution} of {n_train} normal training rows takes "
            f"{n_polluting} of {n_odd} anomalies and leaves none to test; use at most "
            f"{most:g}"
        )
