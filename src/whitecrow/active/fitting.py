"""From the answers so far to a detector, its scores and its embeddings."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.utils import _safe_indexing

from whitecrow import labels, threshold
from whitecrow.detector import Detector, Rows, Scores
from whitecrow.detectors.padim import derivatives
from whitecrow.ratio import among_unlabelled
from whitecrow.scaling import Scaler, to_unit

__all__ = [
    "Fitted",
    "content_hash",
    "describe",
    "embed",
    "goes_on",
    "train",
    "with_threshold",
]

_PICTURES_AT_ONCE = 16

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
    embeddings : ndarray of shape (n, p)
        Where rows that look alike to it are close.
    model : str
        Hash of the scores.
    """

    detector: Detector
    codes: labels.Codes
    scores: Scores
    embeddings: NDArray[Any]
    model: str

    @cached_property
    def order(self) -> NDArray[np.intp]:
        """Return the row indices by descending score; ties keep the row order."""
        return np.argsort(-self.scores, kind="stable")

    @cached_property
    def places(self) -> NDArray[np.float64]:
        """Return the place of each row by score, in (0, 1), low for high scores."""
        n = len(self.scores)
        places = np.empty(n)
        places[self.order] = (np.arange(n) + 0.5) / n
        return places

    def relabelled(self, codes: labels.Codes) -> Fitted:
        """Copy the fit for other labels, which its detector does not learn from."""
        return replace(self, detector=copy.copy(self.detector), codes=codes)


def describe(trained: Detector, X: Any, codes: labels.Codes) -> Fitted:
    """Collect a fitted detector and its scores and embeddings of all rows."""
    scores = trained.anomaly_score(X)
    return Fitted(trained, codes, scores, embed(trained, X), content_hash(scores))


def train(
    detector: Detector,
    X: Any,
    codes: labels.Codes,
    *,
    seed: int,
    ratio: Callable[[], float],
    before: Detector | None = None,
    sample: NDArray[np.int64] | None = None,
) -> Detector:
    """Fit a copy of a detector with labels.

    Parameters
    ----------
    detector : Detector
        Unfitted.
    X : array-like with n rows
    codes : ndarray of int8, shape (n,)
        Labels.
    seed : int
        For a detector that has none.
    ratio : callable
        The share of anomalies among all rows. A detector that would estimate it from
        its labels is told: it cannot know which of them are a fair sample.
    before : Detector or None
        The same, fitted without labels, to train on from: `goes_on` says whether it
        can. It stays as it is.
    sample : ndarray of int64, optional
        Rows to fit on, beside those with a label; all by default.
    """
    y = np.where(codes == labels.UNLABELLED, np.nan, codes.astype(float))
    rows, known = X, y
    if sample is not None:
        chosen = np.union1d(sample, np.flatnonzero(codes != labels.UNLABELLED))
        rows, known = _safe_indexing(X, chosen), y[chosen]
    if before is not None:
        again: Any = copy.deepcopy(before)
        trained: Detector = again.refit(rows, known)
        return trained
    return _fresh(detector, seed, codes, ratio).fit(rows, known)


def goes_on(detector: Detector) -> bool:
    """Tell whether a fit with labels can start from one without them.

    This beats starting from the fit of the last round: what is learnt then depends on
    the answers alone, and not on when they were learnt from.
    """
    return hasattr(detector, "refit")


def _fresh(
    detector: Detector, seed: int, codes: labels.Codes, ratio: Callable[[], float]
) -> Detector:
    fresh = clone(detector)
    parameters = detector.get_params(deep=False)
    if "random_state" in parameters and parameters["random_state"] is None:
        fresh.set_params(random_state=seed)
    answers = codes[codes != labels.UNLABELLED] == labels.ANOMALY
    if len(answers) and parameters.get("ratio") == "estimate":
        rest = among_unlabelled(ratio(), n=len(codes), y=answers)
        fresh.set_params(ratio=min(rest, _LARGEST_RATIO))
    return fresh


def with_threshold(fitted: Fitted, ratio: float) -> Detector:
    """Set the threshold by the labels or, if they are few, by the estimated ratio.

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
        source = (
            f"{100 * ratio:.1f} % of the rows, the share of anomalies by the answers"
        )
        chosen = threshold.Threshold(value, source)
    detector.offset_, detector.threshold_source_ = -chosen.value, chosen.source
    return detector


def embed(detector: Any, X: Any) -> NDArray[Any]:
    """Compute what the detector has learnt to see in each row.

    For a detector without codes, these are the scaled rows, or the `texture` of
    pictures.
    """
    if hasattr(detector, "embed"):
        found = np.asarray(detector.embed(X))
        return found.reshape(len(found), -1)
    rows: Rows = np.asarray(X)
    columns = rows if rows.ndim == 2 else texture(rows)
    return Scaler.fit(columns, "standard").transform(columns)


def texture(pictures: Rows) -> NDArray[np.float32]:
    """Measure how strong edges, lines and spots of four sizes are in each picture.

    The features are mean, spread and a high quantile over the places. Pixels would say
    less: a crack is a crack in any place. Lighting does not matter.

    Parameters
    ----------
    pictures : ndarray of shape (n, c, h, w)

    Returns
    -------
    ndarray of shape (n, 63 c)
    """
    found = []
    for start in range(0, len(pictures), _PICTURES_AT_ONCE):
        some = to_unit(pictures[start : start + _PICTURES_AT_ONCE])
        some = some - some.mean(axis=(1, 2, 3), keepdims=True)
        some /= np.maximum(some.std(axis=(1, 2, 3), keepdims=True), 1e-6)
        maps = np.abs(derivatives(some)).reshape(len(some), -1, 21 * some.shape[1])
        strong = np.quantile(maps, 0.99, axis=1)
        found.append(np.concatenate([maps.mean(1), maps.std(1), strong], axis=1))
    return np.concatenate(found).astype(np.float32)


def content_hash(values: NDArray[Any]) -> str:
    """Hash the shape, type and values of an array."""
    whole = np.ascontiguousarray(values)
    head = f"{whole.dtype.str}{whole.shape}".encode()
    found = hashlib.blake2b(head, digest_size=16)
    found.update(whole.data)  # without a copy: it may be most of the memory
    return found.hexdigest()
