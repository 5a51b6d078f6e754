"""How good a ranking is, where the truth is known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from whitecrow import labels
from whitecrow.metrics.intervals import auroc_interval
from whitecrow.metrics.ranking import auroc, average_precision

__all__ = ["Quality", "evaluate", "percent"]


@dataclass(frozen=True, kw_only=True)
class Quality:
    """Quality of scores on the labelled rows.

    Attributes
    ----------
    n_labelled, n_anomalies : int
    auroc : float or None
        None if a class is absent.
    interval : (float, float) or None
        95 % interval of the AUROC (Newcombe's); None with it.
    average_precision : float or None
        None if there is no anomaly.
    true_positives, false_positives, false_negatives, true_negatives : int
        Of the flagged rows.
    """

    n_labelled: int
    n_anomalies: int
    auroc: float | None
    interval: tuple[float, float] | None
    average_precision: float | None
    true_positives: int
    false_positives: int
    false_negatives: int
    true_negatives: int

    @property
    def share(self) -> float:
        """Return the share of labelled anomalies: the AP of a random ranking."""
        return self.n_anomalies / self.n_labelled

    @property
    def precision(self) -> float | None:
        """Return the share of anomalies among flagged rows; None if none is flagged."""
        n_flagged = self.true_positives + self.false_positives
        return self.true_positives / n_flagged if n_flagged else None

    @property
    def recall(self) -> float | None:
        """Return the share of the anomalies that are flagged; None without any."""
        return self.true_positives / self.n_anomalies if self.n_anomalies else None

    def to_dict(self) -> dict[str, float | int | list[float] | None]:
        """Return plain numbers, for `--json`."""
        return {
            "labelled": self.n_labelled,
            "anomalies": self.n_anomalies,
            "auroc": self.auroc,
            "auroc_interval_95": list(self.interval) if self.interval else None,
            "average_precision": self.average_precision,
            "precision": self.precision,
            "recall": self.recall,
            "true_positives": self.true_positives,
            "false_positives": self.false_positives,
            "false_negatives": self.false_negatives,
            "true_negatives": self.true_negatives,
        }


def evaluate(
    codes: labels.Codes | None,
    scores: NDArray[np.float64],
    flagged: NDArray[np.bool_],
) -> Quality | None:
    """Measure quality on the labelled rows; None if no row has a label.

    Examples
    --------
    >>> codes = np.array([0, 0, 0, 1, -1], dtype=np.int8)
    >>> scores = np.array([0.1, 0.2, 0.9, 0.8, 5.0])
    >>> quality = evaluate(codes, scores, scores > 0.5)
    >>> quality.precision, quality.recall, round(quality.auroc, 3)
    (0.5, 1.0, 0.667)
    """
    if codes is None or not (codes != labels.UNLABELLED).any():
        return None
    known = codes != labels.UNLABELLED
    odd, values, chosen = codes[known] == labels.ANOMALY, scores[known], flagged[known]
    both = bool(odd.any() and not odd.all())
    return Quality(
        n_labelled=len(odd),
        n_anomalies=int(odd.sum()),
        auroc=auroc(odd, values) if both else None,
        interval=_interval(odd, values) if both else None,
        average_precision=average_precision(odd, values) if odd.any() else None,
        true_positives=int((odd & chosen).sum()),
        false_positives=int((~odd & chosen).sum()),
        false_negatives=int((odd & ~chosen).sum()),
        true_negatives=int((~odd & ~chosen).sum()),
    )


def _interval(
    odd: NDArray[np.bool_], values: NDArray[np.float64]
) -> tuple[float, float]:
    found = auroc_interval(odd, values)
    return found.low, found.high


def beside_chance(auroc: float) -> str:
    """Say that the ranking misleads if its AUROC is below 0.5; else return "".

    Examples
    --------
    >>> f"AUROC 0.412{beside_chance(0.412)}"
    'AUROC 0.412, worse than chance (0.5)'
    """
    return ", worse than chance (0.5)" if auroc < 0.5 else ""


def percent(share: float) -> str:
    """Write a share in per cent, with the digits that matter.

    Examples
    --------
    >>> percent(0.0031), percent(0.5), percent(0.0), percent(0.997)
    ('0.31 %', '50 %', '0 %', '99.7 %')
    """
    value = 100 * share
    if 99 < value < 100:
        return f"{value:.3g} %"
    return f"{value:.0f} %" if value >= 10 or value == 0 else f"{value:.2g} %"
