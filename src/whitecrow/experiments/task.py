"""From an experiment to tasks: pure, and each with a hash of all that it depends on."""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, NamedTuple

from whitecrow.experiments.asking import Asking
from whitecrow.experiments.file import SWEPT, Experiment, MethodSpec, combinations

__all__ = ["Contender", "Task", "askings", "contenders", "plan", "shard"]

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
    asking : Asking or None
        How training rows come to have labels; None: by the protocol.
    reading : mapping or None
        Where the data are and how they are read, if their name does not say it.
    auxiliary : mapping or None
        Outliers for training.
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
    asking: Asking | None = None
    reading: Mapping[str, Any] | None = None
    auxiliary: Mapping[str, Any] | None = None

    @property
    def key(self) -> str:
        """Return the hash of all fields but the label."""
        facts = {**asdict(self), "version": VERSION}
        del facts["label"]
        # As in records from before there were such things.
        for name in ("asking", "reading", "auxiliary"):
            if getattr(self, name) is None:
                del facts[name]
        text = json.dumps(facts, sort_keys=True, default=list)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    @property
    def first(self) -> Task | None:
        """Return the fit without labels that is asked; None if nothing is asked.

        It is the same for all strategies and numbers of questions.
        """
        if self.asking is None:
            return None
        parameters = {**self.parameters, **self.asking.first}
        return replace(self, parameters=parameters, use_labels=False, asking=None)

    @property
    def group(self) -> str:
        """Return a key of what runs together: seeds, or tasks that ask the same fit."""
        if self.first is not None:
            return f"asking {self.first.key}"
        return replace(self, seed=0).key


class Contender(NamedTuple):
    """One line of a report.

    Attributes
    ----------
    label : str
        What the report calls it.
    curve : str
        The same without the number of questions, or the value that is swept.
    parameters : dict
        Constructor arguments.
    asking : Asking or None
    protocol, auxiliary : dict
        Arguments of the protocol, and of auxiliary outliers, that are swept.
    at : (str, float) or None
        The place on its curve: the name of the axis, and the value.
    """

    label: str
    curve: str
    parameters: dict[str, Any]
    asking: Asking | None
    protocol: dict[str, Any]
    auxiliary: dict[str, Any]
    at: tuple[str, float] | None = None


def plan(experiment: Experiment) -> list[Task]:
    """List all tasks, set by set, so that a set is read once.

    Examples
    --------
    >>> from whitecrow.experiments.file import parse
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
            label=each.label,
            seed=seed,
            parameters={**each.parameters, **method.for_data.get(data, {})},
            protocol={**experiment.protocol, **each.protocol, **repeated},
            preset=method.preset,
            use_labels=method.use_labels,
            anomaly=experiment.anomaly,
            max_rows=experiment.max_rows,
            asking=each.asking,
            reading=experiment.readings.get(data),
            auxiliary=_auxiliary(experiment, method, each),
        )
        for data in experiment.data
        for method in experiment.methods
        for each in contenders(method, experiment.sweep)
        for repeated in combinations(experiment.repeat)
        for seed in experiment.seeds[: method.most_seeds]
    ]


def _auxiliary(
    experiment: Experiment, method: MethodSpec, each: Contender
) -> dict[str, Any] | None:
    given = method.auxiliary or experiment.auxiliary
    return {**given, **each.auxiliary} if given else None


def shard(tasks: list[Task], index: int, count: int) -> list[Task]:
    """Return part `index` (from 1) of `count`, by hash: the same on every machine.

    Tasks that ask the same fit are in one part.
    """
    keys = [(task.first or task).key for task in tasks]
    return [
        task
        for task, key in zip(tasks, keys, strict=True)
        if int(key, 16) % count == index - 1
    ]


def contenders(
    method: MethodSpec, sweep: Mapping[str, list[Any]] | None = None
) -> Iterator[Contender]:
    """Yield every combination of the grid, of the questions, and of what is swept.

    Examples
    --------
    >>> asked = [Asking(strategy="random", questions=k) for k in (5, 10)]
    >>> method = MethodSpec(name="soel", grid={"ratio": [0.1]}, asking=tuple(asked))
    >>> [each.label for each in contenders(method)]
    ['soel (ratio=0.1, questions=5)', 'soel (ratio=0.1, questions=10)']
    >>> [each.at for each in contenders(MethodSpec(name="knn"),
    ...                                 {"parameters.p": [1, 2]})]
    [('p', 1.0), ('p', 2.0)]
    """
    name = method.label or method.name
    varied = [
        key for key in _ASKED if len({getattr(a, key) for a in method.asking}) > 1
    ]
    swept = {tuple(key.split(".", 1)): values for key, values in (sweep or {}).items()}
    axis = "questions" if "questions" in varied else None
    if axis is None and len(swept) == 1:
        ((_, axis),) = swept
    for chosen, asking, values in itertools.product(
        list(combinations(method.grid)),
        method.asking or (None,),
        itertools.product(*swept.values()),
    ):
        changes: dict[str, dict[str, Any]] = {where: {} for where in SWEPT}
        for (where, key), value in zip(swept, values, strict=True):
            changes[where][key] = value
        asked = {key: getattr(asking, key) for key in varied}
        shown = chosen | _together(changes) | asked
        curve = {key: value for key, value in shown.items() if key != axis}
        yield Contender(
            _label(name, shown),
            _label(name, curve),
            {**method.parameters, **chosen, **changes["parameters"]},
            asking,
            changes["protocol"],
            changes["auxiliary"],
            _at(axis, shown),
        )


def _together(changes: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
    return {key: value for part in changes.values() for key, value in part.items()}


def _at(axis: str | None, shown: Mapping[str, Any]) -> tuple[str, float] | None:
    value = shown.get(axis) if axis else None
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return (str(axis), float(value)) if value is not None and number else None


_ASKED = ("strategy", "wrong", "questions")


def _label(name: str, chosen: Mapping[str, Any]) -> str:
    shown = ", ".join(f"{key}={value}" for key, value in chosen.items())
    return f"{name} ({shown})" if shown else name


def askings(experiment: Experiment) -> dict[str, Asking]:
    """Map the labels of contenders that ask to their questions."""
    every = [
        each
        for method in experiment.methods
        for each in contenders(method, experiment.sweep)
    ]
    return {each.label: each.asking for each in every if each.asking is not None}
