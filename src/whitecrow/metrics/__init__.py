"""How good a ranking is (`ranking`), and how sure that is (`intervals`).

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

__all__ = [
    "Flagged",
    "Interval",
    "MeanError",
    "across_seeds",
    "auroc",
    "average_precision",
    "best_f1",
    "bootstrap",
    "flagged",
    "percentile_grid",
    "percentile_threshold",
    "precision_at",
    "searched_threshold",
    "summary",
    "trivial_f1",
]
