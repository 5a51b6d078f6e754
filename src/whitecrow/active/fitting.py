"""From the answers so far to a detector, its scores and its embeddings."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone

from whitecrow import labels, threshold
from whitecrow.detector import Detector, Rows, Scores
from whitecrow.ratio import among_unlabelled
from whitecrow.scaling import Scaler, to_unit

__all__ = ["Fitted", "content_hash", "embed", "fit", "with_threshold"]

# Anomalies are in the minority.
_LARGEST_RATIO = 0.5


@dataclass(frozen=True, eq=False)
class Fitted:
    """A detector with what it says about the rows it was fitted on.

    Attributes
    ----------
    detector : Detector
        Fitted.
    codes : ndarray of int8, shape (n,)
        The labels it was fitted with.
    scores : ndarray of shape (n,)
        Its anomaly scores.
    places : ndarray of shape (n,)
        Place of each row by score, in (0, 1), 0 for the highest.
    embeddings : ndarray of shape (n, p)
        Where rows that look alike to it are close.
    model : str
        Hash of the scores.
    """

    detector: Detector
    codes: labels.Codes
    scores: Scores
    places: NDArray[np.float64]
    embeddings: NDArray[Any]
    model: str


def fit(
    detector: Detector,
    X: Any,
    codes: labels.Codes,
    *,
    seed: int,
    ratio: Callable[[], float],
    before: Fitted | None = None,
) -> Fitted:
    """Fit a copy of a detector with labels, from where `before` stopped if it can.

    A detector without a use for labels is fitted once: its scores would be the same.
    One that would estimate the share of anomalies from its labels is told what
    `ratio` says of all rows: it cannot know which of the labels are a fair sample.
    """
    if before is not None and not detector.uses_labels:
        # A copy of its own, for a threshold of its own.
        return replace(before, detector=copy.copy(before.detector), codes=codes)
    y = np.where(codes == labels.UNLABELLED, np.nan, codes.astype(float))
    fresh = _fresh(detector, seed, before)
    answers = codes[codes != labels.UNLABELLED] == labels.ANOMALY
    if len(answers) and detector.get_params(deep=False).get("ratio") == "estimate":
        rest = among_unlabelled(ratio(), n=len(codes), y=answers)
        fresh.set_params(ratio=min(rest, _LARGEST_RATIO))
    fitted = fresh.fit(X, y)
    scores = fitted.anomaly_score(X)
    return Fitted(
        detector=fitted,
        codes=codes,
        scores=scores,
        places=_places(scores),
        embeddings=embed(fitted, X),
        model=content_hash(scores),
    )


def _places(scores: Scores) -> NDArray[np.float64]:
    n = len(scores)
    places = np.empty(n)
    places[np.argsort(-scores, kind="stable")] = (np.arange(n) + 0.5) / n
    return places


def _fresh(detector: Detector, seed: int, before: Fitted | None) -> Detector:
    parameters = detector.get_params(deep=False)
    if before is not None and "warm_start" in parameters:
        # A copy: the detector of the last round goes on answering meanwhile.
        return copy.deepcopy(before.detector).set_params(warm_start=True)
    fresh = clone(detector)
    if "random_state" in parameters and parameters["random_state"] is None:
        fresh.set_params(random_state=seed)
    return fresh


def with_threshold(fitted: Fitted, ratio: float) -> Detector:
    """The detector, cut at the labels or, with few of them, at the estimated ratio.

    A `contamination` that the user gave stays.
    """
    detector = fitted.detector
    if detector.get_params(deep=False).get("contamination", "auto") != "auto":
        return detector
    classes = (labels.ANOMALY, labels.NORMAL)
    if min((fitted.codes == one).sum() for one in classes) >= threshold.ENOUGH_LABELS:
        chosen = threshold.from_labels(fitted.scores, fitted.codes)
    else:
        value = threshold.from_contamination(fitted.scores, ratio).value
        source = f"{ratio:.1%} of the rows, the share of anomalies by the answers"
        chosen = threshold.Threshold(value, source)
    detector.offset_, detector.threshold_source_ = -chosen.value, chosen.source
    return detector


def embed(detector: Any, X: Any) -> NDArray[Any]:
    """What the detector has learnt to see in each row, or the scaled rows."""
    if hasattr(detector, "embed"):
        found = np.asarray(detector.embed(X))
        return found.reshape(len(found), -1)
    rows: Rows = np.asarray(X)
    if rows.ndim == 2:
        return Scaler.fit(rows, "standard").transform(rows)
    return to_unit(rows).reshape(len(rows), -1)


def content_hash(values: NDArray[Any]) -> str:
    """Hash of shape, type and values of an array."""
    whole = np.ascontiguousarray(values)
    head = f"{whole.dtype.str}{whole.shape}".encode()
    return hashlib.blake2b(head + whole.tobytes(), digest_size=16).hexdigest()
