"""Train on rows of the official training part, test on the whole official test part."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from whitecrow.data import truth as truths
from whitecrow.data.protocols import Seed, Split, make_split
from whitecrow.data.protocols.labelled_ratio import labelled_ratio
from whitecrow.errors import DataError, ParameterError

__all__ = ["LEGAL", "official"]

# What each protocol may say beside the test part; the rest is how it draws a test.
LEGAL: dict[str, frozenset[str]] = {
    "one_vs_rest": frozenset({"pollution"}),
    "holdout": frozenset({"pollution"}),
    "labelled_ratio": frozenset(
        {"ratio_known_normal", "ratio_known_anomaly", "pollution", "known_classes"}
    ),
}


def official(
    y: ArrayLike,
    *,
    parts: ArrayLike,
    protocol: str = "labelled_ratio",
    random_state: Seed = None,
    **arguments: Any,
) -> Split:
    """Split rows by the parts that a set comes in.

    All normal rows of the part "train" train, with as many of its anomalies as the
    shares ask for (see `labelled_ratio`); every row of the part "test" is tested. Other
    parts, such as "validation", are left alone.

    Parameters
    ----------
    y : array-like of shape (n,)
        The truth: 1 anomaly, 0 normal.
    parts : array-like of str, shape (n,)
        The part of each row.
    protocol : str
        Whose arguments are given: a key of `LEGAL`.
    random_state : int, Generator or None, default=None
        Seed of the draw of anomalies that train.
    **arguments
        Of `labelled_ratio`, as far as the protocol has them.

    Raises
    ------
    DataError
        If a part has no row, or too few for the shares.
    LabelError, ParameterError
        As `labelled_ratio`; or an argument that has no meaning with a given test part.

    Examples
    --------
    >>> parts = ["train"] * 6 + ["test"] * 4
    >>> split = official([0, 0, 0, 0, 0, 1, 0, 0, 1, 1], parts=parts, random_state=0)
    >>> split.train, split.test
    (array([0, 1, 2, 3, 4]), array([6, 7, 8, 9]))
    """
    if protocol not in LEGAL:
        raise ParameterError(
            f"{protocol} draws a test of its own; with an official one use "
            f"{', '.join(LEGAL)}"
        )
    for key in arguments:
        if key not in {*LEGAL[protocol], "classes"}:
            raise ParameterError(
                f"{key} of {protocol} has no meaning with an official test part"
            )
    truth, where = truths.complete(y), np.asarray(parts)
    train, test = (np.flatnonzero(where == part) for part in ("train", "test"))
    if not len(train) or not len(test):
        raise DataError(
            f"the official parts have {len(train)} rows to train and {len(test)} to "
            "test on; each needs some"
        )
    if "classes" in arguments:
        arguments["classes"] = np.asarray(arguments["classes"])[train]
    drawn = labelled_ratio(
        truth[train], train_fraction=1.0, random_state=random_state, **arguments
    )
    known = drawn.y_train >= 0
    return make_split(
        truth,
        test=test,
        unlabelled=train[drawn.train[~known]],
        known=train[drawn.train[known]],
    )
