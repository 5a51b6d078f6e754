"""Refuse an experiment that cannot run as it is written, before anything runs."""

from __future__ import annotations

import difflib
import importlib.util
import inspect
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from whitecrow import parameters
from whitecrow.data import catalog, prepare
from whitecrow.data.protocols import official
from whitecrow.data.source import paths_of
from whitecrow.errors import DataError, UserError
from whitecrow.experiments.contender import build
from whitecrow.experiments.file import OFFICIAL, Experiment, MethodSpec
from whitecrow.experiments.problem import PROTOCOLS
from whitecrow.experiments.task import Task, contenders
from whitecrow.outliers import check_keys

__all__ = ["check", "check_data", "checked"]

# What a protocol gets from elsewhere than the file.
_NOT_IN_FILES = {"y", "classes", "random_state"}


def check(experiment: Experiment) -> None:
    """Refuse methods, parameters and protocol arguments that do not exist.

    Raises
    ------
    DataError
        One line: what is wrong where, and what is legal.

    Examples
    --------
    >>> from whitecrow.experiments.file import parse
    >>> check(parse({"name": "e", "title": "E", "data": ["wine"],
    ...              "protocol": {"name": "holdout", "polution": 0.1},
    ...              "methods": [{"name": "knn"}]}))
    Traceback (most recent call last):
    ...
    whitecrow.errors.DataError: protocol.polution is no argument of holdout; did you \
mean pollution?
    """
    _check_protocol(experiment)
    _check_seeds(experiment)
    for given in [experiment.auxiliary, *(m.auxiliary for m in experiment.methods)]:
        if given:
            check_keys(given)
    _check_swept_outliers(experiment)
    seen: set[str] = set()
    for method in experiment.methods:
        _check_sets(f"for_data of {method.name!r}", method.for_data, experiment.data)
        for parameters_ in _settings(experiment, method):
            _check_settings(method, parameters_)
        for each in contenders(method, experiment.sweep):
            if each.label in seen:
                raise DataError(
                    f"two methods are called {each.label!r}; give each a label of its "
                    "own"
                )
            seen.add(each.label)
    published = [number.data for number in experiment.published]
    _check_sets("published.data", published, experiment.data)


def checked(experiment: Experiment, path: Path) -> Experiment:
    """Return the experiment of a file if `check` finds nothing.

    Raises
    ------
    DataError
        As `check`, with the file.
    """
    try:
        check(experiment)
    except DataError as error:
        raise DataError(f"{path}: {error}") from None
    return experiment


def check_data(experiment: Experiment) -> None:
    """Refuse sets that no name, and no path on this machine, stands for.

    Raises
    ------
    DataError
        One line with the closest names.
    """
    places: list[str] = []
    for set_ in experiment.data:
        reading = experiment.readings.get(set_, {"path": set_})
        places += [reading[key] for key in ("path", "test") if key in reading]
    given = [experiment.auxiliary, *(m.auxiliary for m in experiment.methods)]
    places += [one["data"] for one in given if "data" in one]
    for place in places:
        if catalog.has(place) or prepare.knows(place):
            continue
        if place.isidentifier() and not Path(place).exists():
            catalog.get(place)  # says which names are close
        paths_of(place)


def _check_protocol(experiment: Experiment) -> None:
    name = experiment.protocol["name"]
    legal = {
        key
        for key in inspect.signature(PROTOCOLS[name]).parameters
        if key not in _NOT_IN_FILES
    }
    legal |= {"normal", "test"}
    if experiment.protocol.get("test") == OFFICIAL:
        if name not in official.LEGAL:
            raise DataError(
                f"protocol.test: {name} draws a test of its own; with an official one "
                f"use {', '.join(official.LEGAL)}"
            )
        legal = {*official.LEGAL[name], "normal", "test"}
    given_anywhere = {*experiment.protocol, *experiment.repeat}
    if name == "one_vs_rest" and "normal" not in given_anywhere:
        raise DataError(
            "protocol one_vs_rest needs normal = [...], the classes that are normal"
        )
    swept_in = {
        key.removeprefix("protocol."): values
        for key, values in experiment.sweep.items()
        if key.startswith("protocol.")
    }
    for where, given in (
        ("protocol", experiment.protocol),
        ("repeat", experiment.repeat),
        ("sweep.protocol", swept_in),
    ):
        for key in given:
            if key not in {*legal, "name"}:
                raise DataError(
                    f"{where}.{key} is no argument of {name}; {_instead(key, legal)}"
                )


def _check_swept_outliers(experiment: Experiment) -> None:
    for key, values in experiment.sweep.items():
        if key.startswith("auxiliary."):
            if not experiment.auxiliary:
                raise DataError(f"sweep.{key} needs auxiliary = {{ data = ... }}")
            for value in values:
                name = key.partition(".")[2]
                check_keys({**experiment.auxiliary, name: value})


def _check_seeds(experiment: Experiment) -> None:
    seeds: tuple[Any, ...] = experiment.seeds
    for seed in seeds:
        if not isinstance(seed, int) or isinstance(seed, bool) or seed < 0:
            raise DataError(
                f"seeds = {seed!r}; give whole numbers from 0, or how many of them"
            )


def _check_sets(where: str, named: Collection[str], data: Collection[str]) -> None:
    for name in named:
        if name not in data:
            raise DataError(
                f"{where}: {name!r} is none of the sets of this file; "
                f"{_instead(name, data)}"
            )


def _settings(experiment: Experiment, method: MethodSpec) -> Iterator[dict[str, Any]]:
    """Yield every set of constructor arguments that some run will have."""
    every: list[Mapping[str, Any]] = [{}, *method.for_data.values()]
    every += [asking.first for asking in method.asking if asking.first]
    grid: Mapping[str, Any] = method.grid
    for key, values in grid.items():
        if not isinstance(values, list) or not values:
            raise DataError(
                f"grid.{key} of {method.name!r} is {values!r}; give a list of values"
            )
    for each in contenders(method, experiment.sweep):
        for more in every:
            yield {**each.parameters, **more}


def _check_settings(method: MethodSpec, given: dict[str, Any]) -> None:
    """Build the detector of a run, and check the values of its parameters."""
    if method.name.startswith("pyod:") and importlib.util.find_spec("pyod") is None:
        return  # the run will say that PyOD is missing
    task = Task(
        data="",
        method=method.name,
        label=method.label or method.name,
        seed=0,
        parameters=given,
        protocol={},
        preset=method.preset,
    )
    try:
        detector = build(task, n_features=1)
        for one in [detector, *_inside(detector)]:
            if hasattr(type(one), "_parameter_constraints"):
                parameters.check(one)
        if method.auxiliary and not getattr(detector, "uses_auxiliary", False):
            raise DataError("it trains on no auxiliary outliers; leave auxiliary out")
    except UserError as error:
        text = " ".join(str(error).split())
        raise DataError(f"method {method.name!r}: {text}") from None


def _inside(detector: Any) -> list[Any]:
    """List the detectors among the parameters of another one."""
    if not hasattr(detector, "get_params"):
        return []
    found: list[Any] = []
    for value in detector.get_params(deep=False).values():
        many = value if isinstance(value, list | tuple) else [value]
        found += [one for one in many if hasattr(one, "anomaly_score")]
    return found


def _instead(name: str, legal: Collection[str]) -> str:
    close = difflib.get_close_matches(name, legal, n=1)
    if close:
        return f"did you mean {close[0]}?"
    return f"use {', '.join(sorted(legal))}" if legal else "it takes none"
