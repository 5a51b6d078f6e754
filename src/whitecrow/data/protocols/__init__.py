"""Who trains, who tests, and which labels training may see: one file a protocol.

A protocol is a pure function of the truth and a seed. It returns a `Split` of row
numbers; training and test rows never overlap, and the resulting counts are reported.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from whitecrow import labels
from whitecrow.errors import ParameterError

__all__ = [
    "Counts",
    "Rows",
    "Seed",
    "Split",
    "ceil",
    "check_share",
    "floor",
    "make_split",
    "normal_and_odd",
    "take",
]

Rows = NDArray[np.int64]
Seed = int | np.random.Generator | None

# A product of shares such as 9 * 0.1 / 0.9 may fall just short of a whole number.
_SLACK = 1e-9


@dataclass(frozen=True)
class Counts:
    """How many rows of each sort a split has.

    Attributes
    ----------
    known_normal, known_anomaly : int
        Training rows whose label training may see.
    unlabelled_normal, unlabelled_anomaly : int
        Training rows without a label; the second are the pollution.
    test_normal, test_anomaly : int
        Test rows.
    unused : int
        Rows in no part.
    validation : int
        Rows set apart from the training rows.
    """

    known_normal: int
    unlabelled_normal: int
    unlabelled_anomaly: int
    known_anomaly: int
    test_normal: int
    test_anomaly: int
    unused: int
    validation: int = 0

    @property
    def pollution(self) -> float:
        """Return the share of anomalies among unlabelled training rows, 0 if none."""
        unlabelled = self.unlabelled_normal + self.unlabelled_anomaly
        return self.unlabelled_anomaly / unlabelled if unlabelled else 0.0


@dataclass(frozen=True, eq=False)
class Split:
    """Rows for training and for testing, which never overlap.

    Attributes
    ----------
    train, test : ndarray of int64
        Row numbers, ascending.
    y_train : ndarray of int8, shape (len(train),)
        What training may know: `NORMAL`, `ANOMALY` or `UNLABELLED`.
    y_test : ndarray of int8, shape (len(test),)
        The truth about the test rows.
    counts : Counts
        What came out.
    validation : ndarray of int64
        Rows like the unlabelled training rows that take no part in fitting.
    """

    train: Rows
    test: Rows
    y_train: labels.Codes
    y_test: labels.Codes
    counts: Counts
    validation: Rows = field(default_factory=lambda: np.empty(0, np.int64))


def make_split(
    truth: labels.Codes,
    *,
    test: Rows,
    unlabelled: Rows,
    known: Rows | None = None,
    validation: Rows | None = None,
) -> Split:
    """Build a `Split` from the rows of each part, in any order.

    Parameters
    ----------
    truth : ndarray of int8, shape (n,)
        Codes of all rows.
    test, unlabelled, known, validation : ndarray of int64
        Test rows, training rows without and with a visible label, and rows set apart.
    """
    none = np.empty(0, np.int64)
    known = none if known is None else known
    apart = none if validation is None else np.sort(validation)
    visible = np.full(len(truth), labels.UNLABELLED)
    visible[known] = truth[known]
    train, test = np.sort(np.concatenate([unlabelled, known])), np.sort(test)
    used = np.concatenate([train, test, apart])
    if len(np.unique(used)) != len(used):
        raise AssertionError("a protocol drew a row twice")
    parts = {"known": known, "unlabelled": unlabelled, "test": test}
    sizes = {
        f"{part}_{word}": int(np.count_nonzero(truth[rows] == code))
        for part, rows in parts.items()
        for word, code in (("normal", labels.NORMAL), ("anomaly", labels.ANOMALY))
    }
    counts = Counts(**sizes, unused=len(truth) - len(used), validation=len(apart))
    return Split(train, test, visible[train], truth[test], counts, apart)


def floor(rows: float) -> int:
    """Round a product of shares down."""
    return math.floor(rows + _SLACK)


def ceil(rows: float) -> int:
    """Round a product of shares up."""
    return math.ceil(rows - _SLACK)


def normal_and_odd(truth: labels.Codes) -> tuple[Rows, Rows]:
    """Return the row indices of normal rows, and those of anomalies."""
    normal, odd = (np.flatnonzero(truth == c) for c in (labels.NORMAL, labels.ANOMALY))
    return normal, odd


def take(rows: Rows, count: int, rng: np.random.Generator) -> tuple[Rows, Rows]:
    """Draw `count` rows; return the drawn ones and the rest."""
    mixed = rng.permutation(rows)
    return mixed[:count], mixed[count:]


def check_share(
    name: str, value: float, *, above: bool = False, up_to: bool = False
) -> None:
    """Refuse a share outside [0, 1); the flags exclude 0 and include 1.

    Raises
    ------
    ParameterError
        With the name, the value and the legal interval.
    """
    low = value > 0 if above else value >= 0
    high = value <= 1 if up_to else value < 1
    if not (low and high):
        interval = f"{'(' if above else '['}0, 1{']' if up_to else ')'}"
        raise ParameterError(
            f"{name}={value!r} is not a share in {interval}; give a fraction, 0.1 for "
            "ten percent"
        )
