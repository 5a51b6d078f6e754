"""Some classes of a labelled set are normal, the others are anomalies.

The protocol of the picture benchmarks: train on the normal classes of the official
training part, test on the whole official test part.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from whitecrow import labels
from whitecrow.data.protocols import Seed, Split, make_split
from whitecrow.data.protocols.holdout import holdout
from whitecrow.errors import DataError, ParameterError

__all__ = ["one_vs_rest", "truth_of"]


def truth_of(classes: ArrayLike, normal: Collection[Any]) -> labels.Codes:
    """Encode the named classes as `NORMAL` and all others as `ANOMALY`.

    Parameters
    ----------
    classes : array-like of shape (n,)
        The class of each row.
    normal : collection
        The normal classes.

    Raises
    ------
    ParameterError
        If a normal class is absent, none is named, or no other class is left.

    Examples
    --------
    >>> truth_of([3, 5, 3], normal=[3])
    array([0, 1, 0], dtype=int8)
    """
    values, chosen = np.asarray(classes), np.asarray(list(normal))
    present = np.unique(values)
    absent = [value for value in chosen.tolist() if value not in set(present.tolist())]
    if absent or not 0 < len(np.unique(chosen)) < len(present):
        raise ParameterError(
            f"normal={chosen.tolist()!r} must name some but not all of the classes "
            f"{', '.join(map(repr, present.tolist()))}"
        )
    return np.where(np.isin(values, chosen), labels.NORMAL, labels.ANOMALY)


def one_vs_rest(
    classes: ArrayLike,
    *,
    normal: Collection[Any],
    test: ArrayLike | None = None,
    random_state: Seed = None,
) -> Split:
    """Train on the normal classes, test on all of them.

    Parameters
    ----------
    classes : array-like of shape (n,)
        The class of each row.
    normal : collection
        The normal classes, one or several.
    test : array-like of bool, shape (n,), optional
        The official test part. Without it half of the normal rows and all others are
        the test, drawn by `holdout`.
    random_state : int, Generator or None, default=None
        Seed of that draw; unused with `test`.

    Returns
    -------
    Split
        All training rows are normal and unlabelled; the other classes of the official
        training part are in neither part.

    Raises
    ------
    DataError
        If `test` leaves no normal row to train on.
    ParameterError
        If `normal` does not fit the classes, or `test` not the rows.

    Examples
    --------
    >>> split = one_vs_rest([0, 0, 1, 0, 1], normal=[0], test=[0, 0, 0, 1, 1])
    >>> split.train, split.test, split.y_test
    (array([0, 1]), array([3, 4]), array([0, 1], dtype=int8))
    """
    truth = truth_of(classes, normal)
    if test is None:
        return holdout(truth, random_state=random_state)
    official = np.asarray(test, dtype=bool)
    if official.shape != truth.shape:
        raise ParameterError(
            f"test has shape {official.shape}, classes has {truth.shape}; give one "
            "True or False for each row"
        )
    train = np.flatnonzero(~official & (truth == labels.NORMAL))
    if not len(train):
        raise DataError(
            f"no row of the normal classes {list(normal)!r} is outside the test part; "
            "choose other normal classes"
        )
    return make_split(truth, test=np.flatnonzero(official), unlabelled=train)
