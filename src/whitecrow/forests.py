"""Isolation forests as plain values and arrays, for a file to hold.

skops writes any estimator, but to import it takes two seconds: it imports all of
scikit-learn, and torch. A forest needs neither. Only the classes below are rebuilt.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.ensemble import IsolationForest
from sklearn.tree import ExtraTreeRegressor
from sklearn.tree._tree import NODE_DTYPE, Tree

from whitecrow.errors import ModelFileError

__all__ = ["check_tree", "describe", "is_forest", "rebuild"]

_CLASSES: dict[str, type[BaseEstimator]] = {
    "IsolationForest": IsolationForest,
    "ExtraTreeRegressor": ExtraTreeRegressor,
}
_FIELDS: tuple[str, ...] = NODE_DTYPE.names
_LEAF = -1


def is_forest(value: Any) -> bool:
    """Tell whether it is a fitted forest of scikit-learn's own trees."""
    return type(value) is IsolationForest and all(
        type(tree) is ExtraTreeRegressor for tree in getattr(value, "estimators_", [0])
    )


def describe(value: Any, key: str, arrays: dict[str, NDArray[Any]]) -> dict[str, Any]:
    """Describe a value inside of a forest in JSON; its arrays go into `arrays`.

    Parameters
    ----------
    value : object
        A forest, or a part of one.
    key : str
        Where it is: its arrays have names that begin with it.
    arrays : dict
        To add to.

    Raises
    ------
    ModelFileError
        When a part of it is of another kind.
    """
    if isinstance(value, np.ndarray):
        arrays[key] = value
        return {"array": list(value.shape)}
    if type(value) is Tree:
        return {"tree": _describe_tree(value, key, arrays)}
    if type(value).__name__ in _CLASSES:
        inner = {k: describe(v, f"{key}/{k}", arrays) for k, v in vars(value).items()}
        return {"class": type(value).__name__, "attributes": inner}
    if isinstance(value, list | tuple):
        items = [describe(item, f"{key}/{i}", arrays) for i, item in enumerate(value)]
        return {type(value).__name__: items}
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, str | bool | int | float):
        return {"value": value}
    # Of a generator that was given, only what it drew matters.
    if isinstance(value, np.random.RandomState):
        return {"value": None}
    raise ModelFileError(f"{key} is a {type(value).__name__}, which no forest has")


def _describe_tree(
    tree: Any, key: str, arrays: dict[str, NDArray[Any]]
) -> dict[str, int]:
    state = tree.__getstate__()
    for field in _FIELDS:
        arrays[f"{key}/{field}"] = state["nodes"][field]
    arrays[f"{key}/values"] = state["values"]
    return {"n_features": int(tree.n_features), "max_depth": int(state["max_depth"])}


def rebuild(description: dict[str, Any], key: str, arrays: dict[str, Any]) -> Any:
    """Rebuild what `describe` described.

    Raises
    ------
    ModelFileError
        When a tree points outside of itself.
    """
    if "array" in description:
        return arrays[key].reshape(description["array"])
    if "tree" in description:
        return _rebuild_tree(description["tree"], key, arrays)
    if "class" in description:
        value: Any = _CLASSES[description["class"]]()
        for name, part in description["attributes"].items():
            value.__dict__[name] = rebuild(part, f"{key}/{name}", arrays)
        if hasattr(value, "tree_"):
            check_tree(value)
        return value
    for kind, make in _SEQUENCES.items():
        if kind in description:
            items = enumerate(description[kind])
            return make([rebuild(item, f"{key}/{i}", arrays) for i, item in items])
    return description["value"]


_SEQUENCES: dict[str, Callable[[list[Any]], Any]] = {"list": list, "tuple": tuple}


def _rebuild_tree(facts: dict[str, int], key: str, arrays: dict[str, Any]) -> Tree:
    nodes = np.zeros(len(arrays[f"{key}/left_child"]), dtype=NODE_DTYPE)
    for field in _FIELDS:
        nodes[field] = arrays[f"{key}/{field}"]
    tree = Tree(facts["n_features"], np.array([1], dtype=np.intp), 1)
    state = {"max_depth": facts["max_depth"], "node_count": len(nodes), "nodes": nodes}
    tree.__setstate__({**state, "values": arrays[f"{key}/values"]})
    return tree


def check_tree(estimator: Any) -> None:
    """Refuse a tree whose nodes point outside: scikit-learn follows them unseen.

    Raises
    ------
    ModelFileError
        When a child or a column does not exist.
    """
    tree = estimator.tree_
    left, right = tree.children_left, tree.children_right
    here = np.arange(tree.node_count)
    leaves = (left == _LEAF) & (right == _LEAF)
    # Children come after their parent, so that a walk ends.
    inner = (left > here) & (right > here)
    inner &= (left < tree.node_count) & (right < tree.node_count)
    inner &= (tree.feature >= 0) & (tree.feature < tree.n_features)
    if not (leaves | inner).all() or tree.n_features != estimator.n_features_in_:
        raise ModelFileError("a tree in it points outside of itself")
