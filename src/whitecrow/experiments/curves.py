"""Curves over the number of questions, or over what is swept."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from whitecrow.experiments.outcomes import Outcomes, varies
from whitecrow.experiments.pictures import Panel
from whitecrow.experiments.task import Contender, contenders
from whitecrow.experiments.titles import TITLES

__all__ = ["by_axis"]

_FOUND = "anomalies among the questions"


def by_axis(found: Outcomes) -> list[list[Panel]]:
    """Collect curves over what varies: a row for each method that has several values.

    Each row has a panel for each metric, and one for the anomalies found where
    questions are asked. Values are per cent, mean over all sets; a contender that
    misses a set has no value.
    """
    rows = []
    for method in found.experiment.methods:
        if varies(method, found.experiment.sweep):
            every = list(contenders(method, found.experiment.sweep))
            axis = next(each.at[0] for each in every if each.at)
            panels = [
                Panel(TITLES[metric], _curves(found, every, metric), axis)
                for metric in found.experiment.metrics
            ]
            if axis == "questions":
                panels.append(Panel(_FOUND, _curves(found, every, "found"), axis))
            rows.append(panels)
    return rows


def _curves(
    found: Outcomes, every: Iterable[Contender], key: str
) -> dict[str, dict[float, float]]:
    """Average over all sets, in per cent, by curve and value on the axis."""
    curves: dict[str, dict[float, float]] = {}
    for each in every:
        assert each.at is not None
        values = found.on_all_sets(each.label, key)
        curve = curves.setdefault(each.curve, {})
        whole = each.at[1] if key == "found" else 1
        if values and whole:
            curve[each.at[1]] = 100 * float(np.mean(values)) / whole
    return curves
