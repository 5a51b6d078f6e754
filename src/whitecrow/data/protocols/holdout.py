"""Train on one part of the normal rows, test on the rest and the anomalies.

`holdout` is the protocol of the one-class literature (Zong et al. 2018 and successors),
optionally with polluted training rows. The published code of several draws test rows
among the training rows and leaves the pollution in the test; this does not.
`stratified` is the plain split of ADBench (Han et al. 2022, section 3.3).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from whitecrow import labels
from whitecrow.data import truth as truths
from whitecrow.data.protocols import (
    Rows,
    Seed,
    Split,
    ceil,
    check_share,
    floor,
    make_split,
    normal_and_odd,
    take,
)
from whitecrow.errors import DataError, ParameterError

__all__ = ["holdout", "polluting", "stratified"]


def polluting(n: int, pollution: float) -> int:
    """Count the anomalies that pollute n normal rows: floor(n * rho / (1 - rho)).

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
    return floor(n * pollution / (1 - pollution))


def holdout(
    y: ArrayLike,
    *,
    train_fraction: float = 0.5,
    pct: float = 1.0,
    pollution: float = 0.0,
    hold_out: float = 0.0,
    pollution_class: Any = None,
    classes: ArrayLike | None = None,
    val_ratio: float = 0.0,
    random_state: Seed = None,
) -> Split:
    """Split normal rows in two; test on all anomalies, but for the pollution.

    Parameters
    ----------
    y : array-like of shape (n,)
        The truth: 1 anomaly, 0 normal.
    train_fraction : float in (0, 1), default=0.5
        Share of the normal rows that train, rounded up.
    pct : float in (0, 1], default=1.0
        Share of the normal rows that are used at all, rounded up.
    pollution : float in [0, 1), default=0.0
        Share of anomalies among the training rows. They are taken out of the test.
    hold_out : float in [0, 1), default=0.0
        Share of the anomalies, rounded down, that no test sees and that pollute, so
        that the test is the same for any pollution. With 0 just the pollution is left
        out of the test.
    pollution_class : optional
        Only anomalies of this class pollute.
    classes : array-like of shape (n,), optional
        A finer class of each row (an attack), for `pollution_class`.
    val_ratio : float in [0, 1), default=0.0
        Share of the training rows, normal and polluting ones alike, that are set apart
        for validation: n normal rows keep floor(n (1 - val_ratio)).
    random_state : int, Generator or None, default=None
        Seed of the draw.

    Returns
    -------
    Split
        All training rows are unlabelled.

    Raises
    ------
    DataError
        If a part would have no normal row, the test no anomaly, or there are too few
        anomalies for the pollution.
    LabelError, ParameterError
        If a row has no label or an illegal one, a share is outside its interval, or no
        anomaly has the class.

    Examples
    --------
    >>> split = holdout([0] * 20 + [1] * 5, pollution=0.1, random_state=0)
    >>> len(split.train), split.counts.unlabelled_anomaly, len(split.test)
    (11, 1, 14)
    """
    check_share("train_fraction", train_fraction, above=True)
    check_share("pct", pct, above=True, up_to=True)
    check_share("hold_out", hold_out)
    check_share("val_ratio", val_ratio)
    truth = truths.complete(y)
    candidate = _candidates(truth, classes, pollution_class)
    rng = np.random.default_rng(random_state)
    normal, odd = normal_and_odd(truth)
    if pct < 1:
        normal, _ = take(normal, ceil(len(normal) * pct), rng)
    if not len(odd):
        raise DataError(
            "y has no anomaly (1) to test on; a protocol needs at least one"
        )
    n_train, n_fit = _normal_sizes(len(normal), train_fraction, val_ratio)
    train, test = take(normal, n_train, rng)
    polluted, tested = _polluted(odd, candidate[odd], n_train, pollution, hold_out, rng)
    train, apart = _keep(train, n_fit, rng)
    polluted, odd_apart = _keep(polluted, polluting(n_fit, pollution), rng)
    return make_split(
        truth,
        test=np.concatenate([test, tested]),
        unlabelled=np.concatenate([train, polluted]),
        validation=np.concatenate([apart, odd_apart]),
    )


def stratified(
    y: ArrayLike,
    *,
    train_fraction: float = 0.7,
    known_anomalies: float = 0.0,
    random_state: Seed = None,
) -> Split:
    """Split both classes with the same share, as in ADBench (70 % train).

    Parameters
    ----------
    y : array-like of shape (n,)
        The truth: 1 anomaly, 0 normal.
    train_fraction : float in (0, 1), default=0.7
        Share of the rows of each class that train, to the nearest row.
    known_anomalies : float in [0, 1], default=0.0
        Share of the training anomalies whose label training may see, rounded up
        (ADBench's ratio of labelled anomalies).
    random_state : int, Generator or None, default=None
        Seed of the draw.

    Returns
    -------
    Split
        For a fully supervised run `y[split.train]` are the labels.

    Raises
    ------
    DataError
        If a class would be absent from the training or the test rows.
    LabelError, ParameterError
        If a row has no label or an illegal one, or a share is outside its interval.

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
    for rows, word in zip(normal_and_odd(truth), ("normal", "anomaly"), strict=True):
        n_train = math.floor(len(rows) * train_fraction + 0.5)
        if not 0 < n_train < len(rows):
            raise DataError(
                f"{len(rows)} rows of class {word} cannot be split with train_fraction="
                f"{train_fraction}: each part needs one; give more rows"
            )
        parts.append(take(rows, n_train, rng))
    (normal, normal_test), (odd, odd_test) = parts
    known, hidden = take(odd, ceil(len(odd) * known_anomalies), rng)
    return make_split(
        truth,
        test=np.concatenate([normal_test, odd_test]),
        unlabelled=np.concatenate([normal, hidden]),
        known=known,
    )


def _normal_sizes(
    n_normal: int, train_fraction: float, val_ratio: float
) -> tuple[int, int]:
    """Count the normal rows that train, and those of them that do not validate."""
    n_train = ceil(n_normal * train_fraction)
    if not 0 < n_train < n_normal:
        raise DataError(
            f"{n_normal} normal rows cannot be split with train_fraction="
            f"{train_fraction}: each part needs one; give more rows"
        )
    n_fit = floor(n_train * (1 - val_ratio))
    if not n_fit:
        raise DataError(
            f"val_ratio={val_ratio} of {n_train} normal training rows leaves none to "
            "fit; lower val_ratio"
        )
    return n_train, n_fit


def _candidates(
    truth: labels.Codes, classes: ArrayLike | None, pollution_class: Any
) -> NDArray[np.bool_]:
    """Tell which rows may pollute."""
    odd: NDArray[np.bool_] = truth == labels.ANOMALY
    if pollution_class is None:
        return odd
    values = np.asarray(classes)
    if values.shape != truth.shape:
        raise ParameterError(
            f"pollution_class={pollution_class!r} needs classes, one for each of the "
            f"{len(truth)} rows; got shape {values.shape}"
        )
    chosen: NDArray[np.bool_] = odd & (values == pollution_class)
    if not chosen.any():
        legal = ", ".join(map(repr, np.unique(values[odd]).tolist()))
        raise ParameterError(
            f"no anomaly is of pollution_class={pollution_class!r}; choose among "
            f"{legal}"
        )
    return chosen


def _polluted(
    odd: Rows,
    candidate: NDArray[np.bool_],
    n_train: int,
    pollution: float,
    hold_out: float,
    rng: np.random.Generator,
) -> tuple[Rows, Rows]:
    """Draw anomalies to train and to test on; `candidate` says which may pollute."""
    count = polluting(n_train, pollution)
    if hold_out:
        pool, tested = take(odd, floor(len(odd) * hold_out), rng)
        able = pool[np.isin(pool, odd[candidate])]
        if count > len(able):
            raise DataError(
                f"pollution={pollution} of {n_train} normal training rows takes "
                f"{count} anomalies, and hold_out={hold_out} keeps {len(able)} for it; "
                "lower the pollution or raise hold_out"
            )
        return able[:count], tested
    able = odd[candidate]
    most = min(len(able), len(odd) - 1)
    if count > most:
        share = math.floor(1e4 * most / (n_train + most)) / 1e4
        raise DataError(
            f"pollution={pollution} of {n_train} normal training rows takes {count} of "
            f"{len(able)} anomalies, and one at least is left to test; use at most "
            f"{share:g}"
        )
    polluted, rest = take(able, count, rng)
    return polluted, np.concatenate([odd[~candidate], rest])


def _keep(rows: Rows, count: int, rng: np.random.Generator) -> tuple[Rows, Rows]:
    """Split rows for fitting from rows set apart; draw nothing if all are kept."""
    return take(rows, count, rng) if count < len(rows) else (rows, rows[:0])
