"""An experiment file as frozen dataclasses.

A file is TOML: what is compared (`[[methods]]`), on which sets (`data`), under which
protocol (`[protocol]`), how often (`seeds`), and what was published (`[[published]]`).
Objects of the package never see it: `plan` turns it into plain arguments.
"""

from __future__ import annotations

import dataclasses
import itertools
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from whitecrow.errors import DataError
from whitecrow.experiments import asking
from whitecrow.experiments.asking import Asking
from whitecrow.experiments.measures import TITLES, leak_of
from whitecrow.experiments.sets import named
from whitecrow.experiments.store import MODELS, SCORES

__all__ = [
    "OFFICIAL",
    "PROTOCOLS",
    "SWEPT",
    "Experiment",
    "MethodSpec",
    "Published",
    "combinations",
    "load",
    "parse",
]

T = TypeVar("T")

# What a sweep may change, before the dot of its keys.
SWEPT = ("protocol", "parameters", "auxiliary")

# The word by which a protocol takes the test part that a set comes with.
OFFICIAL = "official"

PROTOCOLS = ("holdout", "labelled_ratio", "one_vs_rest", "soel", "stratified")


@dataclass(frozen=True, kw_only=True)
class MethodSpec:
    """One contender.

    Attributes
    ----------
    name : str
        Of `whitecrow.methods()`; "pyod:CLASS" for a peer; "reference:NAME" for a plain
        classifier of `whitecrow.experiments.references`.
    label : str
        What the report calls it; by default the name.
    preset : str or None
        A named set of parameters.
    parameters : mapping
        Constructor arguments.
    grid : mapping
        Argument -> list of values; every combination is a contender.
    for_data : mapping
        Set -> constructor arguments that hold there only.
    use_labels : bool or None
        Hand known labels to the method; None: if it learns from labels, and else fit
        it without known anomalies; False: labels are unknown to it.
    auxiliary : mapping
        Auxiliary outliers, in place of those of the experiment.
    most_seeds : int or None
        A slow contender has only the first so many seeds; the report marks it.
    asking : tuple of Asking
        Training labels start unknown, and the answers to questions are what is known:
        each is a contender. The file has one table, in which `strategy`, `questions`
        and `wrong` may be lists. Empty: what the protocol says is known.
    """

    name: str
    label: str = ""
    preset: str | None = None
    parameters: Mapping[str, Any] = field(default_factory=dict)
    grid: Mapping[str, list[Any]] = field(default_factory=dict)
    for_data: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    use_labels: bool | None = None
    auxiliary: Mapping[str, Any] = field(default_factory=dict)
    most_seeds: int | None = None
    asking: tuple[Asking, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Published:
    """A printed number."""

    data: str
    method: str
    metric: str
    mean: float
    std: float | None = None
    source: str = ""


@dataclass(frozen=True, kw_only=True)
class Experiment:
    """Everything that a file says.

    Attributes
    ----------
    name, title, source, note
        Identifier, heading, where the protocol was published, and what differs.
    data : tuple of str
        Catalogue names, paths, or the names of `readings`.
    readings : mapping
        Name -> where a set is and how it is read. In a file, an entry of `data` may be
        a table of `path`, and where needed `name`, `test` (the file of the official
        test part), `label_column`, `labels`, `anomaly_values`, `ignore`, `read_as`,
        `sheet` and `picture_size`, as on the command line.
    protocol : mapping
        `name`, one of `PROTOCOLS`, and its arguments.
    auxiliary : mapping
        Auxiliary outliers for the methods that train on some: see
        `whitecrow.outliers`.
    repeat : mapping
        Argument of the protocol -> values, each of which counts as a repetition.
    sweep : mapping
        "protocol.NAME", "parameters.NAME" or "auxiliary.NAME" -> values, each of which
        is a contender of every method: a point of a curve, if only one thing is swept.
    methods : tuple of MethodSpec
    seeds : tuple of int
    metrics : tuple of str
        What the report shows, of `measures.TITLES`.
    anomaly : str
        "label", or "reversed" where the labelled anomalies play the normal class.
    max_rows : int or None
        Larger sets are cut to a random selection of this many rows, as ADBench does.
    leak_as_published : bool
        Show numbers whose threshold reads the truth of the rows it is judged by, as the
        publication did; the report says so.
    store_models : bool
        Keep every fitted model beside its record, for `--test-only`.
    keep_scores : bool
        Keep the scores of all test rows beside the record; the report then shows the
        pictures with the lowest and the highest ones.
    published : tuple of Published
    """

    name: str
    title: str
    data: tuple[str, ...]
    protocol: Mapping[str, Any]
    readings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    methods: tuple[MethodSpec, ...]
    seeds: tuple[int, ...]
    source: str = ""
    note: str = ""
    auxiliary: Mapping[str, Any] = field(default_factory=dict)
    repeat: Mapping[str, list[Any]] = field(default_factory=dict)
    sweep: Mapping[str, list[Any]] = field(default_factory=dict)
    metrics: tuple[str, ...] = ("auroc", "average_precision")
    anomaly: str = "label"
    max_rows: int | None = None
    leak_as_published: bool = False
    store_models: bool = False
    keep_scores: bool = False
    published: tuple[Published, ...] = ()

    @property
    def keep(self) -> tuple[str, ...]:
        """Return the kinds of files that are kept beside records."""
        asked = {MODELS: self.store_models, SCORES: self.keep_scores}
        return tuple(kind for kind, wanted in asked.items() if wanted)


def load(path: str | Path) -> Experiment:
    """Read an experiment file.

    Raises
    ------
    DataError
        One line: the file, the key, and what is legal there.
    """
    path = Path(path)
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise DataError(
            f"there is no experiment file {path}; `whitecrow experiment list` shows "
            "those in experiments/"
        ) from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise DataError(f"{path} is not a readable TOML file: {error}") from None
    content.setdefault("name", path.stem)
    content.setdefault("title", content["name"])
    try:
        return parse(content)
    except DataError as error:
        raise DataError(f"{path}: {error}") from None


def parse(content: Mapping[str, Any]) -> Experiment:
    """Build an experiment from the content of a file.

    Examples
    --------
    >>> parse({"name": "e", "title": "E", "data": ["breast_cancer"], "seeds": 2,
    ...        "protocol": {"name": "holdout"}, "methods": [{"name": "knn"}]}).seeds
    (0, 1)
    """
    facts = dict(content)
    seeds = facts.get("seeds", 1)
    facts["seeds"] = tuple(range(seeds)) if isinstance(seeds, int) else tuple(seeds)
    facts["methods"] = tuple(_method(method) for method in facts.get("methods", ()))
    facts["published"] = tuple(
        _record(Published, number) for number in facts.get("published", ())
    )
    facts["data"], facts["readings"] = named(facts.get("data", ()))
    if "metrics" in facts:
        facts["metrics"] = tuple(facts["metrics"])
    experiment = _record(Experiment, facts)
    _check(experiment)
    return experiment


def combinations(grid: Mapping[str, list[Any]]) -> Iterator[dict[str, Any]]:
    """Yield every choice of one value for each key; the last key changes first.

    Examples
    --------
    >>> list(combinations({"a": [1, 2], "b": [3]}))
    [{'a': 1, 'b': 3}, {'a': 2, 'b': 3}]
    """
    for values in itertools.product(*grid.values()):
        yield dict(zip(grid, values, strict=True))


def _method(facts: Any) -> MethodSpec:
    method = _record(MethodSpec, facts)
    if "asking" not in facts:
        return method
    asked = vars(_record(Asking, facts["asking"]))
    lists = {key: v if isinstance(v, list) else [v] for key, v in asked.items()}
    every = tuple(Asking(**chosen) for chosen in combinations(lists))
    if not every:
        raise DataError(f"asking of {method.name!r} has an empty list; give a value")
    return dataclasses.replace(method, asking=every)


def _record(cls: type[T], facts: Any) -> T:
    if not isinstance(facts, Mapping):
        raise DataError(f"{facts!r} should be a table of {cls.__name__}")
    fields = dataclasses.fields(cls)  # type: ignore[arg-type]
    legal = [each.name for each in fields]
    for key in facts:
        if key not in legal:
            raise DataError(
                f"{key!r} is no key of {cls.__name__}; use {', '.join(legal)}"
            )
    needed = [
        each.name
        for each in fields
        if each.default is dataclasses.MISSING
        and each.default_factory is dataclasses.MISSING
    ]
    for key in needed:
        if key not in facts:
            raise DataError(f"the key {key!r} of {cls.__name__} is missing")
    return cls(**facts)


def _check(experiment: Experiment) -> None:
    for key in ("data", "methods", "seeds"):
        if not getattr(experiment, key):
            raise DataError(f"{key!r} is empty; give at least one")
    _one_of("protocol.name", experiment.protocol.get("name"), PROTOCOLS)
    _one_of("anomaly", experiment.anomaly, ("label", "reversed"))
    _check_lists("repeat", experiment.repeat)
    _check_lists("sweep", experiment.sweep)
    for metric in experiment.metrics:
        _one_of("metrics", metric, tuple(TITLES))
        if leak_of(metric) and not experiment.leak_as_published:
            raise DataError(
                f"metrics = {metric!r} chooses its threshold with {leak_of(metric)}; "
                "set leak_as_published = true, and the report will say so"
            )
    if experiment.store_models:
        _check_storable(experiment.methods)
    for method in experiment.methods:
        for each in method.asking:
            asking.check(each, method=method.name, use_labels=method.use_labels)
    for number in experiment.published:
        _one_of("published.metric", number.metric, tuple(TITLES))


def _check_lists(where: str, given: Mapping[str, Any]) -> None:
    for key, values in given.items():
        if not isinstance(values, list) or not values:
            raise DataError(f"{where}.{key} = {values!r}; give a list of values")
        if where == "sweep" and not key.startswith(tuple(f"{part}." for part in SWEPT)):
            raise DataError(
                f'sweep.{key}: say "protocol.{key}" or "parameters.{key}" for a '
                f"curve; values to average over belong into [repeat], {key} = [...]"
            )


def _check_storable(methods: tuple[MethodSpec, ...]) -> None:
    for method in methods:
        if ":" in method.name:
            raise DataError(
                f"store_models = true, but {method.name!r} is none of our methods and "
                "has no model file; leave one of the two out"
            )


def _one_of(key: str, value: Any, legal: tuple[str, ...]) -> None:
    if value not in legal:
        raise DataError(f"{key} = {value!r}; use one of {', '.join(legal)}")
