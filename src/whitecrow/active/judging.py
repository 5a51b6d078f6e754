"""Answers judged by scores that do not know them: which look wrong, who ranks better.

Each labelled row is scored by a detector that was fitted without its label (the others
in four of five folds). A row whose score says the opposite of its label deserves a
second look. And with labels enough a plain classifier, judged in the same way, can rank
better than any detector; then people should know.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import average_precision_score

from whitecrow import labels
from whitecrow.active import log
from whitecrow.detector import Scores

__all__ = [
    "Comparison",
    "Contradiction",
    "compare",
    "contradictions",
    "enough",
    "folds",
]

FOLDS = 5

_BOTH = (labels.ANOMALY, labels.NORMAL)

# Of each class, to say what a typical score of it is.
FEWEST = 3

# Of each class, for a classifier (specs/active_soel.md 13.3). A forest does well with
# so few, where boosting has hardly a leaf to split.
ENOUGH = 50
_TREES = 200

# Of each class: more say nothing new of who is ahead, and take long.
_MOST = 1000
_RESAMPLES = 200

Folds = NDArray[np.int64]


class Contradiction(NamedTuple):
    """A labelled row whose score says the opposite.

    Attributes
    ----------
    item : int
        Number of the row.
    label : {"anomaly", "normal"}
        What it is labelled.
    score : float
    reason : str
        Where the score lies among those of the other class, for people to read.
    """

    item: int
    label: str
    score: float
    reason: str


class Comparison(NamedTuple):
    """The detector and a random forest on labelled rows.

    Attributes
    ----------
    detector, classifier : float
        Average precision on the labelled rows, each scored without its label.
    ahead : float in [0, 1]
        Share of resamples of these rows in which the classifier has the higher one.
    """

    detector: float
    classifier: float
    ahead: float


def folds(codes: labels.Codes, seed: int) -> Folds:
    """Assign folds 0 to 4 to labelled rows, balanced by class, and -1 to the others.

    Parameters
    ----------
    codes : ndarray of int8, shape (n,)
    seed : int
    """
    rng = np.random.default_rng([seed, 2])
    fold = np.full(len(codes), -1)
    for one in _BOTH:
        members = rng.permutation(np.flatnonzero(codes == one))
        fold[members] = np.arange(len(members)) % FOLDS
    return fold


# ------------------------------------------------------------------ what looks wrong


def contradictions(
    codes: labels.Codes, scores: Scores, *, hidden: bool
) -> list[Contradiction]:
    """Find labelled rows whose score contradicts their label.

    A normal row is reported where it scores above a quarter of the labelled anomalies,
    an anomaly where it scores below a quarter of the labelled normal rows; above or
    below half of them where these quarters overlap.

    Parameters
    ----------
    codes : ndarray of int8, shape (n,)
        At least three of each class, or nothing is reported.
    scores : ndarray of shape (n,)
        Those of rows without a label are not looked at.
    hidden : bool
        Whether they do not know the label of their row, for the reason.

    Returns
    -------
    list of Contradiction

    Examples
    --------
    >>> codes = np.array([1, 1, 1, 0, 0, 0, 0], dtype=np.int8)
    >>> scores = np.array([8.0, 9.0, 10.0, 1.0, 2.0, 3.0, 9.5])
    >>> [found] = contradictions(codes, scores, hidden=False)
    >>> found.item, found.reason
    (6, 'labelled normal, but scores above 67 % of the labelled anomalies')
    """
    if not enough(codes, FEWEST):
        return []
    odd, normal = codes == labels.ANOMALY, codes == labels.NORMAL
    high, low = np.quantile(scores[odd], 0.25), np.quantile(scores[normal], 0.75)
    if high <= low:
        high, low = np.median(scores[odd]), np.median(scores[normal])
    if high <= low:
        return []  # scores that say nothing contradict nothing
    wrong = (normal & (scores > high)) | (odd & (scores < low))
    return [
        _contradiction(int(i), codes, scores, hidden) for i in np.flatnonzero(wrong)
    ]


def enough(codes: labels.Codes, fewest: int) -> bool:
    """Tell whether both classes have at least `fewest` labels."""
    return min((codes == one).sum() for one in _BOTH) >= fewest


def _contradiction(
    item: int, codes: labels.Codes, scores: Scores, hidden: bool
) -> Contradiction:
    odd = codes[item] == labels.ANOMALY
    other = labels.NORMAL if odd else labels.ANOMALY
    label = log.ANOMALY if odd else log.NORMAL
    beyond = (scores[codes == other] < scores[item]).mean()
    share, side = (1 - beyond, "below") if odd else (beyond, "above")
    against = "normal rows" if odd else "anomalies"
    place = f"{side} {100 * share:.0f} % of the labelled {against}"
    reason = f"labelled {label}, but scores {place}"
    if hidden:
        reason += " when its own label is hidden"
    return Contradiction(item, label, float(scores[item]), reason)


# ----------------------------------------------------------------- who ranks better


def compare(
    codes: labels.Codes,
    scores: Scores,
    features: NDArray[np.floating],
    fold: Folds,
    *,
    seed: int,
) -> Comparison | None:
    """Compare the detector with a random forest; None with fewer than 50 of a class.

    Parameters
    ----------
    codes : ndarray of int8, shape (n,)
    scores : ndarray of shape (n,)
        Of the detector; those of labelled rows do not know their label.
    features : ndarray of shape (n, p)
        What the classifier sees.
    fold : ndarray of int64, shape (n,)
        As of `folds`.
    seed : int
        Also for which labelled rows are looked at where they are thousands.
    """
    if not enough(codes, ENOUGH):
        return None
    rng = np.random.default_rng([seed, 4])
    classes = (rng.permutation(np.flatnonzero(codes == one)) for one in _BOTH)
    known = np.concatenate([rows[:_MOST] for rows in classes])
    X, y, fold = features[known], codes[known] == labels.ANOMALY, fold[known]
    voted = np.empty(len(known))
    for number in range(FOLDS):
        rest, mine = fold != number, fold == number
        model = RandomForestClassifier(_TREES, random_state=seed)
        voted[mine] = model.fit(X[rest], y[rest]).predict_proba(X[mine])[:, 1]
    theirs = scores[known]
    return Comparison(
        float(average_precision_score(y, theirs)),
        float(average_precision_score(y, voted)),
        _share_ahead(y, voted, theirs, rng),
    )


def _share_ahead(
    y: NDArray[np.bool_], ours: Scores, theirs: Scores, rng: np.random.Generator
) -> float:
    """Return the share of resamples, drawn by class, in which ours is better."""
    classes = [np.flatnonzero(y), np.flatnonzero(~y)]
    ahead = 0
    for _ in range(_RESAMPLES):
        rows = np.concatenate([rng.choice(each, len(each)) for each in classes])
        mine = average_precision_score(y[rows], ours[rows])
        ahead += mine > average_precision_score(y[rows], theirs[rows])
    return ahead / _RESAMPLES
