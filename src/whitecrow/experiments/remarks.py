"""Sentences of a report about what trained, and what did not."""

from __future__ import annotations

import numpy as np

from whitecrow.experiments.outcomes import Outcomes

__all__ = ["of_training"]


def of_training(found: Outcomes) -> list[str]:
    """Say who was fitted without known anomalies, and with which outliers."""
    return [_left_out(found), _without_outliers(found), _drawn(found)]


def _without_outliers(found: Outcomes) -> str:
    """Say which methods had no use for the auxiliary outliers of the file."""
    if not found.experiment.auxiliary:
        return ""
    names = dict.fromkeys(
        record["label"] for record in found.good if not record.get("n_auxiliary")
    )
    if not names:
        return ""
    return f"Fitted without auxiliary outliers, as they take none: {', '.join(names)}."


def _drawn(found: Outcomes) -> str:
    """Say how many auxiliary outliers there were, and how many a fit has seen."""
    counts: dict[str, list[tuple[int, int]]] = {}
    for record in found.good:
        if seen := record.get("n_auxiliary_drawn"):
            pair = record["n_auxiliary"], seen
            counts.setdefault(record["label"], []).append(pair)
    lines = []
    for label, pairs in counts.items():
        given, seen = (round(float(np.mean(each))) for each in zip(*pairs, strict=True))
        there = f"{given:,} given" if given else "generated"
        lines.append(f"{label}: {there}, {seen:,} seen")
    if not lines:
        return ""
    return (
        "Auxiliary outliers of a fit, counted with repetition as they are seen: "
        f"{'; '.join(lines)}."
    )


def _left_out(found: Outcomes) -> str:
    """Say which methods were fitted without known anomalies."""
    names = {record["label"] for record in found.good if record.get("n_left_out")}
    if not names:
        return ""
    return (
        f"Fitted without the training rows that are known to be anomalies, as they do "
        f"not learn from labels: {', '.join(sorted(names))}. `use_labels = false` "
        "would train on these rows as normal ones."
    )
