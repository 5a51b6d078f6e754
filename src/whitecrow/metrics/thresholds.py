"""How publications turn scores into flags: each protocol by name, side by side.

One ranking gives as many F1 as there are ways to choose the threshold, and most of
those in print look at the truth of the rows that they are judged by. `PROTOCOLS` has
them all; only one, `train_quantile`, could be used on data whose truth is not known.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from whitecrow.errors import LabelError
from whitecrow.labels import ANOMALY, Codes
from whitecrow.metrics.ranking import flagged, percentile_threshold, searched_threshold

__all__ = ["PROTOCOLS", "Choice", "Protocol", "Scored", "outcomes"]

Scores = NDArray[np.float64]

# Share of the test rows on which `validation_optimal` searches, as published.
_SEARCHED = 0.2


@dataclass(frozen=True, eq=False, kw_only=True)
class Scored:
    """A run: scores and truth of its rows.

    Attributes
    ----------
    train, test : ndarray of float64
        Anomaly scores of the training and of the test rows.
    y_train, y_test : ndarray of int8
        The truth about them.
    validation : ndarray of float64, optional
        Scores of rows like the training rows that took no part in fitting.
    contamination : float in (0, 0.5]
        Share of training rows to flag, as a user would assume it.
    seed : int
        Of the draw of `validation_optimal`.
    """

    train: Scores
    y_train: Codes
    test: Scores
    y_test: Codes
    validation: Scores | None = None
    contamination: float = 0.05
    seed: int = 0

    @property
    def both(self) -> tuple[Codes, Scores]:
        """Return truth and scores of training and test rows together."""
        y = np.concatenate([self.y_train, self.y_test])
        return y, np.concatenate([self.train, self.test])


class Choice(NamedTuple):
    """A threshold, and the rows that it is judged by; scores from it on are flagged."""

    threshold: float
    y: Codes
    score: Scores


@dataclass(frozen=True)
class Protocol:
    """One way to choose a threshold.

    Attributes
    ----------
    choose : callable
        From `Scored` to `Choice`.
    title : str
        For reports.
    leak : str
        What it reads of the truth of the rows that it is judged by; empty if nothing.
    """

    choose: Callable[[Scored], Choice]
    title: str
    leak: str


def outcomes(scored: Scored) -> dict[str, float]:
    """Compute precision, recall, F1 and threshold of each protocol.

    Returns
    -------
    dict
        Keys such as "f1_train_quantile"; NaN where a protocol cannot be followed, as
        its part of the test has one class only.

    Examples
    --------
    >>> y, score = np.repeat([0, 1], [80, 20]).astype(np.int8), np.arange(100.0)
    >>> found = outcomes(Scored(train=score[:80], y_train=y[:80], test=score, y_test=y))
    >>> found["f1_test_only_optimal"], round(found["f1_train_quantile"], 3)
    (1.0, 0.909)
    """
    found = {}
    for name, protocol in PROTOCOLS.items():
        for measure, value in _outcome(protocol, scored).items():
            found[f"{measure}_{name}"] = value
    return found


def _outcome(protocol: Protocol, scored: Scored) -> dict[str, float]:
    try:
        threshold, y, score = protocol.choose(scored)
        result = flagged(y, score, threshold)
    except LabelError:
        return dict.fromkeys(("f1", "precision", "recall", "threshold"), float("nan"))
    return {
        "f1": result.f1,
        "precision": result.precision,
        "recall": result.recall,
        "threshold": threshold,
    }


def _share(y: Codes) -> float:
    return float((y == ANOMALY).mean())


def _train_quantile(run: Scored) -> Choice:
    seen = run.train
    if run.validation is not None and len(run.validation):
        seen = run.validation
    cut = percentile_threshold(seen, run.contamination, whole=False)
    # Strictly above, as detectors do: a score shared by most rows is not odd.
    return Choice(float(np.nextafter(cut, np.inf)), run.y_test, run.test)


def _percentile(run: Scored) -> Choice:
    cut = percentile_threshold(run.test, _share(run.y_test))
    return Choice(cut, run.y_test, run.test)


def _validation_optimal(run: Scored) -> Choice:
    rows = np.random.default_rng(run.seed).permutation(len(run.test))
    first, rest = np.split(rows, [int(len(rows) * _SEARCHED)])
    cut = searched_threshold(run.y_test[first], run.test[first])
    return Choice(cut, run.y_test[rest], run.test[rest])


def _test_optimal(run: Scored) -> Choice:
    cut = searched_threshold(run.y_test, run.test)
    return Choice(cut, run.y_test, run.test)


def _combined_theoretical(run: Scored) -> Choice:
    y, score = run.both
    return Choice(percentile_threshold(score, _share(y), whole=False), y, score)


def _combined_optimal(run: Scored) -> Choice:
    y, score = run.both
    return Choice(searched_threshold(y, score), y, score)


def _test_only_leaking(run: Scored) -> Choice:
    cut = percentile_threshold(run.test, _share(run.y_test), whole=False)
    return Choice(cut, run.y_test, run.test)


def _test_only_theoretical(run: Scored) -> Choice:
    share = _share(run.both[0])
    return Choice(
        percentile_threshold(run.test, share, whole=False), run.y_test, run.test
    )


# The names from `combined_theoretical` on are those of the successor of the code that
# published the three before; two of them are the same search.
PROTOCOLS: dict[str, Protocol] = {
    "train_quantile": Protocol(_train_quantile, "quantile of training scores", ""),
    "percentile": Protocol(
        _percentile,
        "whole percentile of test scores at the true share",
        "the share of anomalies in the test",
    ),
    "validation_optimal": Protocol(
        _validation_optimal,
        "best on a fifth of the test, judged by the rest",
        "the labels of a fifth of the test",
    ),
    "test_optimal": Protocol(
        _test_optimal, "best percentile on the test", "all labels of the test"
    ),
    "combined_theoretical": Protocol(
        _combined_theoretical,
        "training and test rows together, at their true share",
        "the share of anomalies in all rows",
    ),
    "combined_optimal": Protocol(
        _combined_optimal,
        "training and test rows together, best percentile",
        "all labels of training and test",
    ),
    "test_only_leaking": Protocol(
        _test_only_leaking,
        "percentile of test scores at the true share",
        "the share of anomalies in the test",
    ),
    "test_only_optimal": Protocol(
        _test_optimal, "best percentile on the test", "all labels of the test"
    ),
    "test_only_theoretical": Protocol(
        _test_only_theoretical,
        "percentile of test scores at the share of training and test rows together",
        "the share of anomalies in all rows",
    ),
}
