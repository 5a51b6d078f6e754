"""What came of an experiment: values by contender, set and key."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from whitecrow.experiments.file import (
    Experiment,
    MethodSpec,
    Published,
)
from whitecrow.experiments.measures import LOWER_IS_BETTER
from whitecrow.experiments.ranking import Ranking, rank
from whitecrow.experiments.task import contenders

__all__ = ["Outcomes", "varies"]

# From so many sets on contenders are ranked.
_MANY_SETS = 6


class Outcomes:
    """Records of an experiment, looked up by contender and set.

    Parameters
    ----------
    experiment : Experiment
    records : iterable of dict
        Those that failed are kept apart.

    Attributes
    ----------
    good, failed : list of dict
        Records.
    labels : list of str
        Contenders with a record that did not fail.
    """

    def __init__(
        self, experiment: Experiment, records: Iterable[dict[str, Any]]
    ) -> None:
        self.experiment = experiment
        self.good: list[dict[str, Any]] = []
        self.failed: list[dict[str, Any]] = []
        for record in records:
            (self.failed if record["error"] else self.good).append(record)
        self._cells: dict[tuple[str, str], list[dict[str, Any]]] = {}
        for record in self.good:
            self._cells.setdefault((record["label"], record["data"]), []).append(record)
        self.labels = list(dict.fromkeys(label for label, _ in self._cells))

    def values(self, label: str, data: str, key: str) -> list[float]:
        """Return a key's values, without NaN, and without records that lack the key."""
        found = [record.get(key) for record in self._cells.get((label, data), [])]
        return [value for value in found if value is not None and not math.isnan(value)]

    def mean(self, label: str, data: str, key: str) -> float | None:
        """Average a key over seeds; None where there is nothing."""
        values = self.values(label, data, key)
        return float(np.mean(values)) if values else None

    def on_all_sets(self, label: str, key: str) -> list[float]:
        """Return a contender's mean over seeds on each set; [] if it misses one."""
        means = [self.mean(label, data, key) for data in self.experiment.data]
        return [mean for mean in means if mean is not None] if None not in means else []

    @functools.cached_property
    def rankings(self) -> dict[str, Ranking]:
        """Rank the contenders by each metric, where there are enough sets.

        Contenders that miss a set are left out. Nobody is ranked where there are
        curves: they say more than places among many budgets.
        """
        many = len(self.experiment.data) >= _MANY_SETS
        sweep = self.experiment.sweep
        if not many or any(varies(one, sweep) for one in self.experiment.methods):
            return {}
        found = {}
        for metric in self.experiment.metrics:
            quality = self.quality(metric)
            if len(quality) > 2:
                found[metric] = rank(quality)
        return found

    def quality(self, metric: str) -> dict[str, list[float]]:
        """Map contenders that have every set to numbers of which more is better."""
        sign = -1.0 if metric in LOWER_IS_BETTER else 1.0
        means = {label: self.on_all_sets(label, metric) for label in self.labels}
        return {
            label: [sign * value for value in each]
            for label, each in means.items()
            if each
        }

    def published(self, label: str, data: str, metric: str) -> Published | None:
        """Return the printed number of a method on a set."""
        for number in self.experiment.published:
            if (number.method, number.data, number.metric) == (label, data, metric):
                return number
        return None


def varies(method: MethodSpec, sweep: Mapping[str, list[Any]]) -> bool:
    """Tell whether a method has a curve: several numbers of questions, or a sweep."""
    every = [each.at for each in contenders(method, sweep)]
    return None not in every and len(set(every)) > 1
