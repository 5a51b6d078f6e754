"""Who is compared: the detector of a task, and the rows that it trains on."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from whitecrow import labels
from whitecrow.errors import DataError
from whitecrow.experiments.problem import Problem
from whitecrow.experiments.references import reference
from whitecrow.experiments.task import Task

__all__ = ["build", "fitted", "left_out", "outliers_for", "training"]


def build(task: Task, n_features: int | None = None) -> Any:
    """Build the unfitted detector of a task; peers of PyOD may ask for the width.

    Raises
    ------
    DataError
        For arguments that a method does not have, or a peer that is not there.
    """
    from whitecrow import registry
    from whitecrow.choose import legal_names

    try:
        given = {key: _untoml(value) for key, value in task.parameters.items()}
        if task.method.startswith("pyod:"):
            return _peer(task, given, n_features)
        if task.method.startswith("reference:"):
            return reference(task.method.removeprefix("reference:"), task.seed)
        cls = registry.method(task.method).cls
        if "random_state" in legal_names(cls):
            given.setdefault("random_state", task.seed)
        return cls(**given) if task.preset is None else cls.preset(task.preset, **given)
    except TypeError as error:
        raise DataError(f"{task.label}: {error}") from None


def _untoml(value: Any) -> Any:
    """Turn TOML's lists into tuples, `{method = NAME, ...}` into a detector (LOE)."""
    if isinstance(value, list):
        return tuple(_untoml(one) for one in value)
    if isinstance(value, dict) and "method" in value:
        from whitecrow import registry

        inner = {key: _untoml(v) for key, v in value.items() if key != "method"}
        return registry.method(value["method"]).cls(**inner)
    return value


def _peer(task: Task, given: dict[str, Any], n_features: int | None) -> Any:
    """Build a detector of PyOD under our contract, with the same seed."""
    import importlib
    import inspect

    from whitecrow.wrappers.wrapped import wrap

    name = task.method.removeprefix("pyod:")
    place = f"pyod.models.{_PYOD.get(name, name.lower())}"
    try:
        cls = getattr(importlib.import_module(place), name)
    except (ImportError, AttributeError) as error:
        raise DataError(f"PyOD has no {name} here: {error}") from None
    offered = {"random_state": task.seed, "n_features": n_features}
    for key in offered.keys() & inspect.signature(cls).parameters.keys():
        given.setdefault(key, offered[key])
    return wrap(cls(**given))


_PYOD = {"AutoEncoder": "auto_encoder", "DeepSVDD": "deep_svdd"}


def training(
    task: Task, detector: Any, made: Problem
) -> tuple[NDArray[Any], NDArray[np.float64] | None]:
    """Give rows and labels as a method trains on them.

    One that does not learn from labels is fitted without known anomalies, as
    `NormalsOnly` does; with `use_labels = false` they are unknown to every method.
    """
    if task.use_labels is False:
        return made.X_train, None
    if detector.uses_labels or task.use_labels:
        return made.X_train, made.y_train
    odd = left_out(task, detector, made)
    return (made.X_train[~odd] if odd.any() else made.X_train), None


def fitted(task: Task, detector: Any, made: Problem) -> Any:
    """Fit a detector on the rows, the labels and the outliers that are its own."""
    X, y = training(task, detector, made)
    outliers = outliers_for(detector, made)
    if outliers is None:
        return detector.fit(X, y)
    return detector.fit(X, y, auxiliary=outliers)


def outliers_for(detector: Any, made: Problem) -> NDArray[Any] | None:
    """Return the auxiliary outliers, for a method that trains on some."""
    if made.auxiliary is None or not getattr(detector, "uses_auxiliary", False):
        return None
    return made.auxiliary.rows


def left_out(task: Task, detector: Any, made: Problem) -> NDArray[np.bool_]:
    """Mark the known anomalies that a method does not train on."""
    uses = task.use_labels is not None or detector.uses_labels
    odd: NDArray[np.bool_] = made.y_train == labels.ANOMALY
    return np.zeros_like(odd) if uses else odd
