"""How one group of authors trained many methods, for presets of their name."""

from __future__ import annotations

__all__ = ["NRCAN", "NRCAN_ODDS"]

# The last configurations of the group around deep_unsupervised: intrusion data, and
# Arrhythmia and Thyroid (specs/deep_unsupervised.md 7).
NRCAN = {
    "scaling": "minmax",
    "epochs": 200,
    "batch_size": 1024,
    "lr": 1e-4,
    "weight_decay": 1e-4,
}
NRCAN_ODDS = {**NRCAN, "scaling": "standard"}
