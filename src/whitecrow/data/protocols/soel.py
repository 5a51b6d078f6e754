"""The first anomalies of a file pollute the training rows: the split of SOEL's code.

Li et al., "Deep Anomaly Detection under Labeling Budget Constraints", ICML 2023, as the
reference code has it (specs/active_soel.md 8.1).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from whitecrow.data import truth as truths
from whitecrow.data.protocols import Seed, Split, make_split, normal_and_odd, take
from whitecrow.data.protocols.holdout import polluting
from whitecrow.errors import DataError

__all__ = ["soel"]


def soel(y: ArrayLike, *, pollution: float = 0.1, random_state: Seed = None) -> Split:
    """Train on half of the normal rows plus one, and on the file's first anomalies.

    `holdout` draws the polluting rows anew with each seed; here they are the same for
    all of them. Where a file is sorted by kind, they are of one kind.

    Parameters
    ----------
    y : array-like of shape (n,)
        The truth: 1 anomaly, 0 normal, in the order of the file.
    pollution : float in [0, 1), default=0.1
        Share of anomalies among the training rows. They are taken out of the test.
    random_state : int, Generator or None, default=None
        Seed of the draw of normal rows.

    Returns
    -------
    Split
        All training rows are unlabelled, and every row is in one of the parts.

    Raises
    ------
    DataError
        If the test would have no normal row or no anomaly.
    LabelError
        If a row has no label or an illegal one.
    ParameterError
        If `pollution` is not in [0, 1).

    Examples
    --------
    >>> split = soel([0] * 36 + [1] * 5, random_state=0)
    >>> split.counts.unlabelled_normal, split.train[-2:], len(split.test)
    (19, array([36, 37]), 20)
    """
    truth = truths.complete(y)
    normal, odd = normal_and_odd(truth)
    n_train = len(normal) // 2 + 1
    n_odd = polluting(n_train, pollution)
    if n_train >= len(normal) or n_odd >= len(odd):
        raise DataError(
            f"{len(normal)} normal rows and {len(odd)} anomalies leave no test beside "
            f"{n_train} and {n_odd} that train; give more rows or lower the pollution"
        )
    train, test = take(normal, n_train, np.random.default_rng(random_state))
    return make_split(
        truth,
        test=np.concatenate([test, odd[n_odd:]]),
        unlabelled=np.concatenate([train, odd[:n_odd]]),
    )
