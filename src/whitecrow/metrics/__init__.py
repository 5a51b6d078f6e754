"""How good a ranking is (`ranking`), and how sure that is (`intervals`).

How publications choose the rows to flag is in `thresholds`; what questions to a person
bring is in `budget`.

The functions are importable from here. Scores are anomaly scores: higher = more
anomalous. Labels follow `whitecrow.labels`; rows without a label are left out.
"""

from __future__ import annotations

from whitecrow.metrics.acceptance import balanced_aupr, detection_error, fpr_at_tpr
from whitecrow.metrics.budget import Curve, Discovery, detection, discovery
from whitecrow.metrics.intervals import (
    Interval,
    MeanError,
    across_runs,
    across_seeds,
    auroc_interval,
)
from whitecrow.metrics.ranking import (
    Flagged,
    auroc,
    average_precision,
    best_f1,
    f1_at_share,
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
    "Curve",
    "Discovery",
    "Flagged",
    "Interval",
    "MeanError",
    "Scored",
    "across_runs",
    "across_seeds",
    "auroc",
    "auroc_interval",
    "average_precision",
    "balanced_aupr",
    "best_f1",
    "detection",
    "detection_error",
    "discovery",
    "f1_at_share",
    "flagged",
    "fpr_at_tpr",
    "outcomes",
    "percentile_grid",
    "percentile_threshold",
    "precision_at",
    "searched_threshold",
    "summary",
    "trivial_f1",
]
