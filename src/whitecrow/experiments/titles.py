"""What a report calls the numbers of a record."""

from __future__ import annotations

from whitecrow.metrics.thresholds import PROTOCOLS

__all__ = ["TITLES"]

TITLES = {
    "auroc": "AUROC",
    "average_precision": "AP",
    "precision_at_n": "P@n",
    "best_f1": "F1, best threshold on the test set",
    "f1_at_share": "F1, threshold at the true share of anomalies",
    "fpr95": "FPR95 (lower is better)",
    "detection_error": "Detection error (lower is better)",
    "aupr_in": "AUPR of normal rows, both classes of one weight",
    "aupr_out": "AUPR of anomalies, both classes of one weight",
    "f1_at_threshold": "F1, threshold from training",
    "trivial_f1": "F1 of flagging every row",
    **{
        f"{measure}_{name}": f"{title}, {protocol.title} (`{name}`)"
        for name, protocol in PROTOCOLS.items()
        for measure, title in (
            ("f1", "F1"),
            ("precision", "Precision"),
            ("recall", "Recall"),
        )
    },
}
