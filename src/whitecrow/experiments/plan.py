"""From an experiment to tasks: pure, and each with a hash of all that it depends on."""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from whitecrow.experiments.spec import Experiment, MethodSpec

__all__ = ["Task", "plan", "shard"]

# Part of every hash: raise it when a change makes stored records wrong.
VERSION = 1


@dataclass(frozen=True, kw_only=True)
class Task:
    """One method on one split of one set.

    Attributes
    ----------
    data, method, label, seed
        What, with which name in the report, and the seed of split and method.
    parameters : mapping
        Constructor arguments.
    preset, use_labels, protocol, anomaly, max_rows
        As in the experiment.
    """

    data: str
    method: str
    label: str
    seed: int
    parameters: Mapping[str, Any]
    protocol: Mapping[str, Any]
    preset: str | None = None
    use_labels: bool | None = None
    anomaly: str = "label"
    max_rows: int | None = None

    @property
    def key(self) -> str:
        """Hash of everything above but the label."""
        facts = {**asdict(self), "version": VERSION}
        del facts["label"]
        text = json.dumps(facts, sort_keys=True, default=list)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    @property
    def group(self) -> str:
        """The same for tasks that differ in their seed only."""
        return Task(**{**asdict(self), "seed": 0}).key


def plan(experiment: Experiment) -> list[Task]:
    """All tasks, set by set, so that a set is read once.

    Examples
    --------
    >>> from whitecrow.experiments.spec import parse
    >>> experiment = parse({
    ...     "name": "e", "title": "E", "data": ["breast_cancer"], "seeds": [3, 4],
    ...     "protocol": {"name": "holdout"},
    ...     "methods": [{"name": "lof", "grid": {"n_neighbors": [5, 20]}}]})
    >>> [(task.label, task.seed) for task in plan(experiment)][1:3]
    [('lof (n_neighbors=5)', 4), ('lof (n_neighbors=20)', 3)]
    """
    return [
        Task(
            data=data,
            method=method.name,
            label=label,
            seed=seed,
            parameters={**parameters, **method.for_data.get(data, {})},
            protocol={**experiment.protocol, **swept},
            preset=method.preset,
            use_labels=method.use_labels,
            anomaly=experiment.anomaly,
            max_rows=experiment.max_rows,
        )
        for data in experiment.data
        for method in experiment.methods
        for label, parameters in _contenders(method)
        for swept in _combinations(experiment.sweep)
        for seed in experiment.seeds[: method.most_seeds]
    ]


def shard(tasks: list[Task], index: int, count: int) -> list[Task]:
    """The part `index` (from 1) of `count`, by hash: the same on every machine."""
    return [task for task in tasks if int(task.key, 16) % count == index - 1]


def _contenders(method: MethodSpec) -> Iterator[tuple[str, dict[str, Any]]]:
    """Label and parameters of each combination of the grid."""
    name = method.label or method.name
    for chosen in _combinations(method.grid):
        shown = ", ".join(f"{key}={value}" for key, value in chosen.items())
        yield (f"{name} ({shown})" if shown else name), {**method.parameters, **chosen}


def _combinations(grid: Mapping[str, list[Any]]) -> Iterator[dict[str, Any]]:
    for values in itertools.product(*grid.values()):
        yield dict(zip(grid, values, strict=True))
