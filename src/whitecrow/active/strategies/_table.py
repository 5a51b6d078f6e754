"""The registry: every strategy, one row, imported when asked for."""

from __future__ import annotations

import importlib
import inspect
from typing import TYPE_CHECKING, Any, cast

from whitecrow.errors import ParameterError

if TYPE_CHECKING:
    from whitecrow.active.strategies.interface import Strategy

__all__ = ["get", "names"]

# Name -> module in this folder, class in it. A new strategy is a file and a row here.
_STRATEGIES = {
    "aad": ("aad", "AAD"),
    "audit": ("audit", "Audit"),
    "hybrid1": ("mar_diverse", "Hybrid1"),
    "hybrid2": ("pos_diverse", "Hybrid2"),
    "kcenter": ("kcenter", "KCenter"),
    "kdist": ("kdist", "KDist"),
    "kmeans": ("kmeans", "KMeans"),
    "mar_diverse": ("mar_diverse", "MarDiverse"),
    "margin": ("margin", "Margin"),
    "mixed": ("mixed", "Mixed"),
    "pos_diverse": ("pos_diverse", "PosDiverse"),
    "pos_random": ("pos_random", "PosRandom"),
    "positive": ("positive", "Positive"),
    "random": ("random", "Random"),
}


def names() -> list[str]:
    """List the names that `get` knows, sorted.

    Examples
    --------
    >>> "kmeans" in names()
    True
    """
    return sorted(_STRATEGIES)


def get(name: str, **parameters: Any) -> Strategy:
    """Build a strategy by its name.

    Parameters
    ----------
    name : str
        One of `names()`.
    **parameters
        Fields of its class, such as `temperature` of "kmeans".

    Raises
    ------
    ParameterError
        If there is no such strategy, or a parameter is unknown or out of range.

    Examples
    --------
    >>> strategy = get("positive")
    >>> strategy.query(scores=[0.1, 0.9, 0.4], embeddings=None, k=2, random_state=0)
    array([1, 2])
    >>> strategy.why(0)
    'number 1 by score among the rows not shown yet'
    """
    if name not in _STRATEGIES:
        raise ParameterError(
            f"no query strategy {name!r}; choose one of {', '.join(names())}"
        )
    stem, class_name = _STRATEGIES[name]
    module = importlib.import_module(f"whitecrow.active.strategies.{stem}")
    cls = getattr(module, class_name)
    known = inspect.signature(cls).parameters
    unknown = sorted(parameters.keys() - known.keys())
    if unknown:
        legal = f"it takes {', '.join(known)}" if known else "it takes none"
        raise ParameterError(
            f"strategy {name!r} has no parameter {unknown[0]!r}; {legal}"
        )
    return cast("Strategy", cls(**parameters))
