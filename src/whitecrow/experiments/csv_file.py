"""The numbers of a report as CSV: a line for each set, contender and metric."""

from __future__ import annotations

import csv
import io

import numpy as np

from whitecrow.experiments.asking import Asking
from whitecrow.experiments.measures import leak_of
from whitecrow.experiments.outcomes import Outcomes
from whitecrow.experiments.task import askings

__all__ = ["comma_separated"]

_COLUMNS = (
    *("data", "method", "metric", "leak", "mean", "std", "n", "trivial_f1"),
    *("published_mean", "published_std", "published_source"),
    *("fit_cpu_seconds", "fit_wall_seconds"),
)

# Of experiments in which somebody asks.
_ASKED = ("strategy", "questions", "wrong", "found", "first_fit_cpu_seconds")


def comma_separated(found: Outcomes) -> str:
    """Write the numbers of a report as CSV."""
    experiment = found.experiment
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    asked = askings(experiment)
    writer.writerow(_COLUMNS + (_ASKED if asked else ()))
    others = [number.method for number in experiment.published]
    for data in experiment.data:
        for name in dict.fromkeys([*found.labels, *others]):
            for metric in experiment.metrics:
                line = _line(found, data, name, metric)
                more = _questions(found, data, name, asked.get(name)) if asked else []
                writer.writerow(line + more)
    return file.getvalue()


def _line(
    found: Outcomes, data: str, name: str, metric: str
) -> list[str | float | None]:
    """Return one line of the CSV, None where there is nothing."""

    def mean(key: str) -> float | None:
        return found.mean(name, data, key)

    values = found.values(name, data, metric)
    spread = float(np.std(values)) if values else None
    number = found.published(name, data, metric)
    printed = (number.mean, number.std, number.source) if number else (None,) * 3
    return [
        *(data, name, metric, leak_of(metric), mean(metric), spread, len(values)),
        *(mean("trivial_f1"), *printed, mean("fit_seconds"), mean("fit_wall_seconds")),
    ]


def _questions(
    found: Outcomes, data: str, name: str, asking: Asking | None
) -> list[str | float | None]:
    """Return what a line of the CSV says of the questions."""
    if asking is None:
        return [None] * len(_ASKED)
    return [
        *(asking.strategy, asking.questions, asking.wrong),
        *(found.mean(name, data, key) for key in ("found", "first_fit_seconds")),
    ]
