"""Quality of anomaly scores against the truth.

Precision, recall and F1 count an anomaly as positive and move with the share of
anomalies in the test; AUROC does not. `trivial_f1` is what flagging everything scores:
an F1 means nothing without it.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from whitecrow import labels
from whitecrow.data import truth
from whitecrow.errors import DataError, LabelError, ParameterError

__all__ = [
    "Flagged",
    "auroc",
    "average_precision",
    "best_f1",
    "checked",
    "f1_at_share",
    "flagged",
    "percentile_grid",
    "percentile_threshold",
    "precision_at",
    "searched_threshold",
    "summary",
    "trivial_f1",
]

Bools = NDArray[np.bool_]
Scores = NDArray[np.float64]

# 1 - 0.7 in floating point is a little more than 0.3.
_SLACK = 1e-9


class Flagged(NamedTuple):
    """What a threshold does: rows flagged, precision, recall and F1 of anomalies."""

    n_flagged: int
    precision: float
    recall: float
    f1: float


def checked(
    y: ArrayLike, score: ArrayLike, metric: str, *, both: bool = True
) -> tuple[Bools, Scores]:
    """Check truth and scores, and return those of the labelled rows.

    Parameters
    ----------
    y : array-like of shape (n,)
        1 anomaly, 0 normal, missing for rows to leave out.
    score : array-like of shape (n,)
        Anomaly scores.
    metric : str
        For the message.
    both : bool, default=True
        Whether the metric needs both classes; it needs an anomaly in any case.

    Returns
    -------
    (ndarray of bool, ndarray of float64)
        Whether each labelled row is an anomaly, and its score.

    Raises
    ------
    DataError
        If a score is not finite, or the lengths differ.
    LabelError
        If a class is absent, or a label is illegal.
    """
    values = np.asarray(score, dtype=np.float64)
    if values.ndim != 1:
        raise DataError(
            f"score has shape {values.shape}; give one anomaly score for each row"
        )
    finite = np.isfinite(values)
    if not finite.all():
        row = int(np.flatnonzero(~finite)[0])
        raise DataError(
            f"score of row {row} is {values[row]}, {int((~finite).sum())} of "
            f"{len(values)} are not finite; check the detector and its input"
        )
    codes = truth.codes(y, len(values))
    known = codes != labels.UNLABELLED
    odd = codes[known] == labels.ANOMALY
    n_odd, n_normal = int(odd.sum()), int((~odd).sum())
    if not n_odd or (both and not n_normal):
        raise LabelError(
            f"{metric} needs {'both classes' if both else 'an anomaly'}; the labels "
            f"have {n_odd} anomalies (1) and {n_normal} normal rows (0)"
        )
    return odd, values[known]


def auroc(y: ArrayLike, score: ArrayLike) -> float:
    """Compute the chance that an anomaly scores above a normal row; ties count half.

    Parameters
    ----------
    y : array-like of shape (n,)
        1 anomaly, 0 normal; rows without a label are left out.
    score : array-like of shape (n,)
        Anomaly scores, higher = more anomalous.

    Raises
    ------
    DataError, LabelError
        See `checked`.

    Examples
    --------
    >>> auroc([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])
    0.75
    """
    from sklearn.metrics import roc_auc_score

    odd, values = checked(y, score, "AUROC")
    return float(roc_auc_score(odd, values))


def average_precision(y: ArrayLike, score: ArrayLike) -> float:
    """Average precision over the anomalies by score (AUPR without interpolation).

    Parameters
    ----------
    y, score : array-like of shape (n,)
        As for `auroc`.

    Raises
    ------
    DataError, LabelError
        See `checked`.

    Examples
    --------
    >>> round(average_precision([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8]), 4)
    0.8333
    """
    from sklearn.metrics import average_precision_score

    odd, values = checked(y, score, "average precision", both=False)
    return float(average_precision_score(odd, values))


def precision_at(y: ArrayLike, score: ArrayLike, k: int | None = None) -> float:
    """Compute the share of anomalies among the k rows with the highest scores.

    Rows that tie for the last places count with the share of them that fits, so that
    the result does not depend on the order of the rows.

    Parameters
    ----------
    y, score : array-like of shape (n,)
        As for `auroc`.
    k : int, optional
        The number of anomalies by default, for which precision equals recall.

    Raises
    ------
    DataError, LabelError
        See `checked`.
    ParameterError
        If k is not in 1 to the number of labelled rows.

    Examples
    --------
    >>> precision_at([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8], k=1)
    1.0
    """
    odd, values = checked(y, score, "precision at k", both=False)
    k = int(odd.sum()) if k is None else k
    if not 1 <= k <= len(values):
        raise ParameterError(f"k={k} is not in 1 to {len(values)}, the labelled rows")
    last = np.partition(values, len(values) - k)[len(values) - k]
    above, tied = values > last, values == last
    places = k - int(above.sum())
    return float((odd[above].sum() + places * odd[tied].mean()) / k)


def best_f1(y: ArrayLike, score: ArrayLike) -> tuple[float, float]:
    """Find the highest F1 of any threshold, and the lowest flagged score that gives it.

    This is an oracle: it chooses the threshold with the labels it is judged by.

    Parameters
    ----------
    y, score : array-like of shape (n,)
        As for `auroc`.

    Raises
    ------
    DataError, LabelError
        See `checked`.

    Examples
    --------
    >>> best_f1([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])
    (0.8, 0.35)
    """
    odd, values = checked(y, score, "F1", both=False)
    order = np.argsort(-values, kind="stable")
    ranked, hits = values[order], np.cumsum(odd[order])
    f1 = 2 * hits / (np.arange(1, len(ranked) + 1) + odd.sum())
    # A threshold cannot part equal scores: only the last of a run is a cut.
    f1[:-1][ranked[:-1] == ranked[1:]] = -1.0
    best = int(np.argmax(f1))
    return float(f1[best]), float(ranked[best])


def trivial_f1(y: ArrayLike) -> float:
    """Compute the F1 of flagging every row: 2 p / (1 + p) for a share p of anomalies.

    Examples
    --------
    >>> round(trivial_f1([0, 0, 0, 1]), 4)
    0.4
    """
    odd, _ = checked(y, np.zeros(len(np.asarray(y))), "F1", both=False)
    share = float(odd.mean())
    return 2 * share / (1 + share)


def f1_at_share(y: ArrayLike, score: ArrayLike) -> Flagged:
    """Flag as many rows as there are anomalies, as publications do, and judge that.

    The threshold is the quantile of the scores at the true share of anomalies (linear
    interpolation), and a row is flagged if its score is greater: of rows that tie at
    the threshold, none. This is an oracle, as it knows the share.

    Parameters
    ----------
    y, score : array-like of shape (n,)
        As for `auroc`.

    Raises
    ------
    DataError, LabelError
        See `checked`.

    Examples
    --------
    >>> f1_at_share([0] * 7 + [1] * 3, [1, 2, 3, 4, 5, 6, 8, 8, 8, 9]).f1
    0.5
    """
    odd, values = checked(y, score, "F1", both=False)
    cut = float(np.quantile(values, 1 - odd.mean()))
    return flagged(odd, values, np.nextafter(cut, np.inf))


def flagged(y: ArrayLike, score: ArrayLike, threshold: float) -> Flagged:
    """Compute precision, recall and F1 when rows with score >= threshold are flagged.

    Precision is 0 where nothing is flagged.

    Parameters
    ----------
    y, score : array-like of shape (n,)
        As for `auroc`.
    threshold : float
        In units of the score.

    Raises
    ------
    DataError, LabelError
        See `checked`.

    Examples
    --------
    >>> flagged([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8], 0.4)
    Flagged(n_flagged=2, precision=0.5, recall=0.5, f1=0.5)
    """
    odd, values = checked(y, score, "F1", both=False)
    chosen = values >= threshold
    hits, n_flagged, n_odd = (int(m.sum()) for m in (odd & chosen, chosen, odd))
    return Flagged(
        n_flagged,
        hits / max(n_flagged, 1),
        hits / n_odd,
        2 * hits / (n_flagged + n_odd),
    )


def percentile_threshold(
    score: ArrayLike, share: float, *, whole: bool = True
) -> float:
    """Return the score percentile that leaves a share of the rows above it.

    Parameters
    ----------
    score : array-like of shape (n,)
        Anomaly scores: of training rows for a threshold that can be deployed. The
        published protocol takes test scores and the true share of the test: an oracle.
    share : float in (0, 1)
        Share of anomalies.
    whole : bool, default=True
        Round the percentile up to a whole number, as the published protocol does.

    Raises
    ------
    ParameterError
        If the share is outside its interval.

    Examples
    --------
    >>> float(round(percentile_threshold(range(1, 11), 0.2), 6))
    8.2
    """
    if not 0 < share < 1:
        raise ParameterError(
            f"share={share!r} is not in (0, 1); give a fraction, 0.1 for ten percent"
        )
    percentile = (1 - share) * 100
    if whole:
        percentile = math.ceil(percentile - _SLACK)
    return float(np.percentile(np.asarray(score, dtype=np.float64), percentile))


def percentile_grid(normal_share: float, *, size: int = 100) -> Scores:
    """List percentiles within 5 points of the share of normal rows, at most 100.

    Parameters
    ----------
    normal_share : float in (0, 1)
        Share of normal rows where the threshold is searched.
    size : int, default=100
        Number of percentiles, equally spaced.

    Raises
    ------
    ParameterError
        If the share is outside its interval.

    Examples
    --------
    >>> percentile_grid(0.8)[[0, 1, -1]].round(4)
    array([75.   , 75.101, 85.   ])
    """
    if not 0 < normal_share < 1:
        raise ParameterError(
            f"normal_share={normal_share!r} is not in (0, 1); give a fraction"
        )
    middle = normal_share * 100
    return np.linspace(max(middle - 5, 0.0), min(middle + 5, 100.0), size)


def searched_threshold(y: ArrayLike, score: ArrayLike) -> float:
    """Find the threshold of `percentile_grid` with the best F1 (the lowest of equals).

    Use it on labelled rows that are not the test rows; the published protocol takes
    20 % of the test and judges by the rest.

    Parameters
    ----------
    y, score : array-like of shape (n,)
        As for `auroc`.

    Raises
    ------
    DataError, LabelError
        See `checked`.

    Examples
    --------
    >>> searched_threshold([0] * 8 + [1] * 2, range(1, 11)) > 8
    True
    """
    odd, values = checked(y, score, "F1")
    cuts = np.percentile(values, percentile_grid(float((~odd).mean())))
    n_flagged, hits = (
        len(part) - np.searchsorted(np.sort(part), cuts)
        for part in (values, values[odd])
    )
    f1 = 2 * hits / (n_flagged + odd.sum())
    return float(cuts[int(np.argmax(f1))])


def summary(y: ArrayLike, score: ArrayLike) -> dict[str, float]:
    """Compute all that one looks at first, as plain numbers.

    Parameters
    ----------
    y, score : array-like of shape (n,)
        As for `auroc`.

    Returns
    -------
    dict
        Keys n (labelled rows), n_anomalies, share, auroc, average_precision,
        precision_at_n (k = number of anomalies), best_f1 (an oracle), best_f1_threshold
        and trivial_f1.

    Raises
    ------
    DataError, LabelError
        See `checked`.

    Examples
    --------
    >>> summary([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])["auroc"]
    0.75
    """
    odd, values = checked(y, score, "a summary of the ranking")
    f1, threshold = best_f1(odd, values)
    return {
        "n": len(odd),
        "n_anomalies": int(odd.sum()),
        "share": float(odd.mean()),
        "auroc": auroc(odd, values),
        "average_precision": average_precision(odd, values),
        "precision_at_n": precision_at(odd, values),
        "best_f1": f1,
        "best_f1_threshold": threshold,
        "trivial_f1": trivial_f1(odd),
    }
