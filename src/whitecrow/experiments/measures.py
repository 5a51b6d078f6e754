"""What a record holds of the quality of a ranking: titles, and what is cheating."""

from __future__ import annotations

from whitecrow.metrics.thresholds import PROTOCOLS

__all__ = ["LOWER_IS_BETTER", "TITLES", "leak_of"]

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

# Of these less is better.
LOWER_IS_BETTER = frozenset({"fpr95", "detection_error"})


def leak_of(metric: str) -> str:
    """Say what the threshold of a metric reads of the truth that judges it.

    Examples
    --------
    >>> leak_of("f1_test_optimal"), leak_of("auroc")
    ('all labels of the test', '')
    """
    if metric == "best_f1":
        return "all labels of the test"
    protocol = PROTOCOLS.get(metric.partition("_")[2])
    return protocol.leak if protocol else ""
