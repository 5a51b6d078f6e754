r"""From a few labels to the share of anomalies among all rows.

Labelled rows are rarely a fair sample: most strategies ask where anomalies are. The
published estimate weighs each answer by how usual its score is among all rows, compared
with the labelled ones,

.. math::

    \hat\alpha = \frac{1}{K} \sum_{j \in Q} \frac{p(s_j)}{q(s_j)}\, y_j, \qquad
    h = \frac{\max s - \min s}{K}

with Gaussian kernel densities p of all scores and q of the labelled ones, both of
bandwidth h. It corrects for the score only: with diverse queries, which look for odd
rows in other ways, it is far too high (specs/active_soel.md 7). `nearest` is ours: a
labelled row stands for the rows that it is nearest to, which are few where it is odd.

Source: Li et al., Deep Anomaly Detection under Labeling Budget Constraints, ICML 2023.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.metrics import pairwise_distances_argmin

from whitecrow.errors import DataError

__all__ = ["among_unlabelled", "iw_kde", "nearest"]


def iw_kde(*, scores: ArrayLike, queried: ArrayLike, y: ArrayLike) -> float:
    """Estimate the share of anomalies by importance weights, as published.

    Parameters
    ----------
    scores : array-like of shape (n,)
        Anomaly scores of all rows, from a model that has not seen the labels.
    queried : array-like of int, shape (k,)
        Numbers of the labelled rows.
    y : array-like of shape (k,)
        Their labels: 1 anomaly, 0 normal, or a probability.

    Returns
    -------
    float
        As the formula has it: not negative, but not cut at 1 either.

    Raises
    ------
    DataError
        Without a labelled row, with labels for other rows, or scores that are not
        finite.

    Examples
    --------
    >>> scores = [0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.9, 1]
    >>> round(iw_kde(scores=scores, queried=[0, 4, 8, 9], y=[0, 0, 1, 1]), 6)
    0.323206
    """
    s, answers = np.asarray(scores, float), np.asarray(y, float)
    at = s[np.asarray(queried, dtype=np.intp)]
    _check("scores", s, at, answers)
    width = np.ptp(s) / len(at)
    if width == 0:
        return float(answers.mean())
    weights = _density(at, s, width) / _density(at, at, width)
    return float((weights * answers).mean())


def nearest(*, embeddings: ArrayLike, queried: ArrayLike, y: ArrayLike) -> float:
    """Return the share of rows whose nearest labelled row is an anomaly.

    This is made for labelled rows that cover the data. Where they are the rows with the
    highest scores, all others are nearest to the last of them, and this says nothing.

    Parameters
    ----------
    embeddings : array-like of shape (n, p)
        Codes of all rows, in which the distance of two rows means something.
    queried : array-like of int, shape (k,)
        Numbers of the labelled rows.
    y : array-like of shape (k,)
        Their labels: 1 anomaly, 0 normal, or a probability.

    Returns
    -------
    float
        Between 0 and 1.

    Raises
    ------
    DataError
        As `iw_kde`.

    Examples
    --------
    >>> codes = [[0.0], [0.1], [0.2], [0.3], [5.0]]
    >>> nearest(embeddings=codes, queried=[1, 4], y=[0, 1])
    0.2
    """
    codes, answers = np.asarray(embeddings), np.asarray(y, float)
    at = codes[np.asarray(queried, dtype=np.intp)]
    _check("codes", codes, at, answers)
    return float(answers[pairwise_distances_argmin(codes, at)].mean())


def among_unlabelled(share: float, *, n: int, y: ArrayLike) -> float:
    """Turn the share of anomalies in all rows into that in the rows that are left.

    Parameters
    ----------
    share : float
        Of anomalies in all `n` rows.
    n : int
        How many rows there are, labelled or not.
    y : array-like of shape (k,)
        Labels of the labelled rows, 1 or 0.

    Returns
    -------
    float
        Within [0, 1]: what the labels contradict is cut off. 0 where no row is left.

    Examples
    --------
    >>> round(among_unlabelled(0.32, n=10, y=[0, 0, 1, 1]), 3)
    0.2
    """
    answers = np.asarray(y, float)
    left = n - len(answers)
    rest = (share * n - answers.sum()) / left if left else 0.0
    return float(np.clip(rest, 0, 1))


def _check(
    what: str,
    values: NDArray[Any],
    at: NDArray[Any],
    answers: NDArray[np.float64],
) -> None:
    if not len(at) or answers.shape != at.shape[:1] or not np.isfinite(values).all():
        raise DataError(
            f"the ratio needs finite {what} and one label for each of at least one "
            f"labelled row; got {len(at)} rows and {answers.size} labels"
        )


def _density(
    at: NDArray[np.float64], points: NDArray[np.float64], width: float
) -> NDArray[np.float64]:
    """Average the kernel around all points, without the factor that cancels."""
    return np.array([np.exp(-0.5 * ((points - t) / width) ** 2).mean() for t in at])
