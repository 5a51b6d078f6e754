"""Metrics of out-of-distribution detection, exact, where normal rows are the positives.

Publications of that field call normal rows in-distribution and accept a row whose score
is below a threshold. The three metrics are read off the sorted scores: none depends on
a grid of thresholds, and none on the share of anomalies in the test.

Source: Hendrycks and Gimpel, ICLR 2017; Liang et al., ICLR 2018; specs/clad.md 1.6.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from whitecrow.errors import ParameterError
from whitecrow.metrics.ranking import checked

__all__ = ["balanced_aupr", "detection_error", "fpr_at_tpr"]


def fpr_at_tpr(y: ArrayLike, score: ArrayLike, tpr: float = 0.95) -> float:
    """Compute the share of anomalies accepted when a share of the normal rows is.

    The threshold is the strictest that accepts the share `tpr` of the normal rows.
    With 0.95 this is the FPR95 of publications; lower is better.

    Parameters
    ----------
    y : array-like of shape (n,)
        1 anomaly, 0 normal; rows without a label are left out.
    score : array-like of shape (n,)
        Anomaly scores, higher = more anomalous.
    tpr : float in (0, 1]
        Share of the normal rows.

    Raises
    ------
    DataError, LabelError
        As `auroc`.
    ParameterError
        For a share outside of (0, 1].

    Examples
    --------
    >>> fpr_at_tpr([0, 0, 0, 1, 1], [0.1, 0.2, 0.5, 0.4, 0.9])
    0.5
    """
    if not 0 < tpr <= 1:
        raise ParameterError(f"tpr={tpr!r} is not a share in (0, 1]; 0.95 is usual")
    accepted_normal, accepted_odd = _accepted(y, score, "FPR at a TPR")
    return float(accepted_odd[np.searchsorted(accepted_normal, tpr - 1e-12)])


def detection_error(y: ArrayLike, score: ArrayLike) -> float:
    """Compute the least mean of both error rates over all thresholds; lower is better.

    The mean of the share of normal rows that are flagged and the share of anomalies
    that are not, with the threshold that makes it smallest: an oracle.

    Parameters
    ----------
    y, score : array-like of shape (n,)
        As for `fpr_at_tpr`.

    Raises
    ------
    DataError, LabelError
        As `auroc`.

    Examples
    --------
    >>> detection_error([0, 0, 0, 1, 1], [0.1, 0.2, 0.5, 0.4, 0.9])
    0.16666666666666669
    """
    accepted_normal, accepted_odd = _accepted(y, score, "detection error")
    return float(((1 - accepted_normal) + accepted_odd).min() / 2)


def balanced_aupr(
    y: ArrayLike, score: ArrayLike, *, positive: str = "anomaly"
) -> float:
    """Compute the average precision as if there were as many anomalies as normal rows.

    Parameters
    ----------
    y, score : array-like of shape (n,)
        As for `fpr_at_tpr`.
    positive : {"anomaly", "normal"}
        What is to be found: AUPR-out and AUPR-in of publications.

    Raises
    ------
    DataError, LabelError
        As `auroc`.
    ParameterError
        For another word.

    Examples
    --------
    >>> y, score = [0, 0, 0, 1], [0.1, 0.2, 0.5, 0.4]
    >>> round(balanced_aupr(y, score), 4), balanced_aupr(y, score, positive="normal")
    (0.75, 0.8333333333333333)
    """
    from sklearn.metrics import average_precision_score

    if positive not in {"anomaly", "normal"}:
        raise ParameterError(f"positive={positive!r}; use 'anomaly' or 'normal'")
    odd, values = checked(y, score, "balanced AUPR")
    weight = np.where(odd, 1 / odd.sum(), 1 / (~odd).sum())
    if positive == "normal":
        odd, values = ~odd, -values
    return float(average_precision_score(odd, values, sample_weight=weight))


def _accepted(
    y: ArrayLike, score: ArrayLike, metric: str
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the shares of normal rows and anomalies accepted at each threshold.

    Thresholds ascend: the first accepts nothing, and each accepts rows up to a score.
    """
    odd, values = checked(y, score, metric)
    cuts = np.unique(values)
    shares = [
        np.searchsorted(np.sort(values[part]), cuts, side="right") / part.sum()
        for part in (~odd, odd)
    ]
    normal, anomalous = (np.concatenate([[0.0], share]) for share in shares)
    return normal, anomalous
