"""How good a ranking is (`ranking`), and how sure that is (`intervals`).

How publications choose the rows to flag is in `thresholds`.

The functions are importable from here. Scores are anomaly scores: higher = more
anomalous. Labels follow `whitecrow.labels`; rows without a label are left out.
"""

from __future__ import annotations

from whitecrow.metrics.intervals import Interval, MeanError, across_seeds, bootstrap
from whitecrow.metrics.ranking import (
    Flagged,
    auroc,
    average_precision,
    best_f1,
    flagged,
    percentile_grid,
    percentile_threshold,
    precision_at,
    searched_threshold,
    summary,
    trivial_f1,
)
from whitecrow.metrics.thresholds import PROTOCOLS, Scored, outcomes

__all__ = [
    "PROTOCOLS",
    "Flagged",
    "Interval",
    "MeanError",
    "Scored",
    "across_seeds",
    "auroc",
    "average_precision",
    "best_f1",
    "bootstrap",
    "flagged",
    "outcomes",
    "percentile_grid",
    "percentile_threshold",
    "precision_at",
    "searched_threshold",
    "summary",
    "trivial_f1",
]
