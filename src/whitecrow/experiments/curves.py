"""Curves over the number of questions, or over what is swept."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from whitecrow.experiments.measures import TITLES
from whitecrow.experiments.outcomes import Outcomes, varies
from whitecrow.experiments.pictures import Panel
from whitecrow.experiments.task import Contender, contenders

__all__ = ["by_axis"]

_FOUND = "anomalies among the questions"


def by_axis(found: Outcomes) -> list[list[Panel]]:
    """Collect curves over what varies: rows of panels, one panel for each metric.

    What is swept is swept for all methods, whose curves share a row; each method that
    asks several numbers of questions has a row of its own, with a panel more for the
    anomalies found. Values are per cent, mean over all sets; a contender that misses a
    set has no value.
    """
    rows: dict[str, list[Contender]] = {}
    for method in found.experiment.methods:
        if varies(method, found.experiment.sweep):
            every = list(contenders(method, found.experiment.sweep))
            axis = every[0].at[0] if every[0].at else ""
            alone = axis == "questions"
            rows.setdefault(every[0].curve if alone else axis, []).extend(every)
    return [_panels(found, every) for every in rows.values()]


def _panels(found: Outcomes, every: list[Contender]) -> list[Panel]:
    axis = every[0].at[0] if every[0].at else ""
    keys = {metric: TITLES[metric] for metric in found.experiment.metrics}
    if axis == "questions":
        keys["found"] = _FOUND
    return [
        Panel(title, _curves(found, every, key), axis) for key, title in keys.items()
    ]


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
