"""Fitted scikit-learn objects as bytes, without pickle and without trust.

skops rebuilds objects of listed types only. A tree needs one check more: scikit-learn
follows its node numbers in C without looking, so a file with a wrong one could crash
the process that scores with it. skops is imported by the first estimator that needs it:
that takes two seconds.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.tree import BaseDecisionTree

from whitecrow.errors import ModelFileError
from whitecrow.forests import check_tree

__all__ = ["TRUSTED", "check_columns", "dump", "undump"]

# What skops may rebuild beyond its own safe defaults.
TRUSTED = ("sklearn.tree._tree.Tree",)


def dump(estimator: BaseEstimator) -> bytes:
    """Write a fitted estimator as bytes.

    Raises
    ------
    ModelFileError
        When it holds objects of types that `undump` would not rebuild.
    """
    import skops.io

    data: bytes = skops.io.dumps(estimator)
    strange = set(skops.io.get_untrusted_types(data=data)) - set(TRUSTED)
    if strange:
        raise ModelFileError(
            f"{type(estimator).__name__} holds {', '.join(sorted(strange))}, which a "
            "model file does not take; save it by other means"
        )
    return data


def undump(data: bytes) -> Any:
    """Read the estimator that `dump` wrote.

    Raises
    ------
    ModelFileError
        When a tree in it points outside of itself.
    """
    import skops.io

    estimator = skops.io.loads(data, trusted=list(TRUSTED))
    for part in _walk(estimator, set()):
        if isinstance(part, BaseDecisionTree) and hasattr(part, "tree_"):
            check_tree(part)
        elif hasattr(part, "estimators_features_"):
            check_columns(part)
    return estimator


def _walk(value: Any, seen: set[int]) -> Iterator[BaseEstimator]:
    """All estimators inside of a value."""
    if id(value) in seen:
        return
    seen.add(id(value))
    if isinstance(value, BaseEstimator):
        yield value
        value = list(vars(value).values())
    elif isinstance(value, dict):
        value = list(value.values())
    elif isinstance(value, np.ndarray) and value.dtype == object:
        value = value.ravel().tolist()
    if isinstance(value, list | tuple):
        for item in value:
            yield from _walk(item, seen)


def check_columns(forest: Any) -> None:
    """Refuse an ensemble with a member that takes columns which do not exist.

    Raises
    ------
    ModelFileError
        When one does.
    """
    pairs = zip(forest.estimators_, forest.estimators_features_, strict=True)
    for member, columns in pairs:
        chosen = np.asarray(columns)
        whole = len(chosen) == member.n_features_in_
        if not whole or (chosen < 0).any() or (chosen >= forest.n_features_in_).any():
            raise ModelFileError("a tree in it takes columns that do not exist")
