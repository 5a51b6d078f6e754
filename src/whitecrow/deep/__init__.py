"""Deep methods: the estimator, one training, networks, and many seeds at once.

A method says `_build`, `_losses` and `_score`, and where it needs them `_embed`,
`_begin`, `_train` and `_end` (`whitecrow.deep.detector`); a training is a `Run`.
"""

from __future__ import annotations

from whitecrow.deep.detector import (
    Activation,
    DeepDetector,
    Network,
    Ruled,
    Seed,
    Widths,
)
from whitecrow.deep.run import Batch, Losses, Run, Stage
from whitecrow.deep.seeds import fit_seeds

__all__ = [
    "Activation",
    "Batch",
    "DeepDetector",
    "Losses",
    "Network",
    "Ruled",
    "Run",
    "Seed",
    "Stage",
    "Widths",
    "fit_seeds",
]
