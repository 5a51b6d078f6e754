"""Curves over the number of questions: the numbers behind the pictures."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from whitecrow.experiments.outcomes import Outcomes, varies
from whitecrow.experiments.pictures import Panel
from whitecrow.experiments.task import Contender, contenders
from whitecrow.experiments.titles import TITLES

__all__ = ["by_questions"]

_FOUND = "anomalies among the questions"


def by_questions(found: Outcomes) -> list[list[Panel]]:
    """Collect curves over the number of questions: a row for each method varying it.

    Each row has a panel for each metric, and one for the anomalies found. Values are
    per cent, mean over all sets; a contender that misses a set has no value.
    """
    rows = []
    for method in found.experiment.methods:
        if varies(method):
            asked = list(contenders(method))
            panels = [
                Panel(TITLES[metric], _curves(found, asked, metric))
                for metric in found.experiment.metrics
            ]
            rows.append([*panels, Panel(_FOUND, _curves(found, asked, "found"))])
    return rows


def _curves(
    found: Outcomes, asked: Iterable[Contender], key: str
) -> dict[str, dict[int, float]]:
    """Average over all sets, in per cent, by curve and number of questions."""
    curves: dict[str, dict[int, float]] = {}
    for each in asked:
        assert each.asking is not None
        values = found.on_all_sets(each.label, key)
        curve = curves.setdefault(each.curve, {})
        whole = each.asking.questions if key == "found" else 1
        if values and whole:
            curve[each.asking.questions] = 100 * float(np.mean(values)) / whole
    return curves
