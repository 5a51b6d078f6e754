"""Scores in words, and where the threshold could be."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from whitecrow import labels
from whitecrow.data.kinds.words import number_text
from whitecrow.report import charts
from whitecrow.threshold import from_contamination

if TYPE_CHECKING:
    from whitecrow.findings import Findings

__all__ = ["cuts", "histogram", "score_text", "spread", "static_cuts"]

# Thresholds of the slider, and rows times thresholds that are worth the time.
MOST_CUTS, FEWEST_CUTS, WORK = 160, 24, 20_000_000
# `--contamination` takes shares up to this one.
LARGEST_SHARE = 0.5
_TABLE = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5)


def score_text(score: float, spread: float) -> str:
    """Write a score with the same number of decimals for all scores of that spread.

    Examples
    --------
    >>> score_text(0.64, 0.2), score_text(1234.5, 900.0)
    ('0.640', '1,234')
    """
    if not 1e-6 < spread < 1e9:
        return number_text(score)
    decimals = int(np.clip(2 - np.floor(np.log10(spread)), 0, 9))
    # Adding zero makes a zero of what rounds to minus zero.
    return f"{round(score, decimals) + 0.0:,.{decimals}f}"


def spread(scores: NDArray[np.float64]) -> float:
    """Return the width of the middle nine tenths of the scores."""
    low, high = np.quantile(scores, [0.05, 0.95])
    return float(high - low)


def histogram(result: Findings) -> charts.Histogram:
    """Draw the distribution of the scores, with the labelled anomalies."""
    codes = result.rows.codes
    odd = None if codes is None else codes == labels.ANOMALY
    return charts.histogram(result.scores, result.threshold, odd)


def cuts(result: Findings, drawn: charts.Histogram) -> dict[str, Any] | None:
    """Count what other thresholds would flag, for the slider; None with too few rows.

    Returns
    -------
    dict
        `shares` (values of `--contamination`; None for the threshold of the report, and
        where the detector was fitted on other rows than these),
        `counts`, `scores` (text), `places` (percent, in the histogram), `hits` and
        `labelled` (flagged anomalies and flagged rows with a label), `anomalies`,
        `start` (index of the threshold of the report).
    """
    shares = _shares(result)
    if len(shares) < 2:
        return None
    ranked = np.sort(result.scores)
    found_at = [from_contamination(ranked, share).value for share in shares]
    values = np.r_[found_at, result.threshold]
    order = np.argsort(-values, kind="stable")
    values, names = values[order], np.r_[shares, np.nan][order]
    names = names if _is_training(result) else np.full(len(names), np.nan)
    width = spread(result.scores)
    counts = _above(result.scores, values)
    found: dict[str, Any] = {
        "shares": [None if np.isnan(s) else float(f"{s:.2g}") for s in names],
        "counts": counts.tolist(),
        "scores": [score_text(float(v), width) for v in values],
        "places": [round(drawn.place(float(v)), 2) for v in values],
        "start": int(np.flatnonzero(order == len(shares))[0]),
        "n": len(result.scores),
    }
    codes = result.rows.codes
    if codes is not None and (codes == labels.ANOMALY).any():
        known = codes != labels.UNLABELLED
        found["hits"] = _above(result.scores[codes == labels.ANOMALY], values).tolist()
        found["labelled"] = _above(result.scores[known], values).tolist()
        found["anomalies"] = int((codes == labels.ANOMALY).sum())
    return found


def static_cuts(found: dict[str, Any]) -> list[dict[str, Any]]:
    """Pick a few of the thresholds of `cuts`, for a table that needs no script."""
    rows = []
    for share in _TABLE:
        if share not in found["shares"]:
            continue
        at = found["shares"].index(share)
        flagged = found["counts"][at]
        row = {"share": f"{share:g}", "count": flagged, "score": found["scores"][at]}
        if "hits" in found:
            labelled, hits = found["labelled"][at], found["hits"][at]
            row["precision"] = f"{100 * hits / labelled:.0f} %" if labelled else "none"
            row["recall"] = f"{100 * hits / found['anomalies']:.0f} %"
        rows.append(row)
    return rows


def _shares(result: Findings) -> NDArray[np.float64]:
    """Choose shares with two digits, from one row on."""
    n = len(result.scores)
    if n < 4:
        return np.empty(0)
    number = int(np.clip(WORK // n, FEWEST_CUTS, MOST_CUTS))
    grid = np.geomspace(max(1 / n, 1e-6), LARGEST_SHARE, number)
    wanted = {float(f"{share:.2g}") for share in grid}
    wanted |= {share for share in _TABLE if share >= 1 / n}
    return np.array(sorted(share for share in wanted if share <= LARGEST_SHARE))


def _is_training(result: Findings) -> bool:
    """Tell whether the threshold was set by the scores of the ranked rows."""
    return bool(result.model.info.get("rows", len(result.scores)) == len(result.scores))


def _above(
    scores: NDArray[np.float64], values: NDArray[np.float64]
) -> NDArray[np.int64]:
    ranked = np.sort(scores)
    return len(ranked) - np.searchsorted(ranked, values, side="right")
