"""One memory layout for what a detector has learnt: C order.

BLAS takes other paths for a matrix that is stored by columns, and on some processors
they round differently. A model file holds arrays in C order, so that whatever is fitted
gets this order before the first score: a model and its copy from a file are then equal
to the bit on any processor.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator

from whitecrow.scaling import Scaler

__all__ = ["in_c_order", "is_network", "settle"]


def settle(estimator: BaseEstimator) -> None:
    """Put the arrays of a fitted estimator, and of those inside it, into C order.

    Parameters
    ----------
    estimator : BaseEstimator
        A detector, or a part of one. Its parameters, which are the caller's, stay as
        they are.

    Examples
    --------
    >>> from sklearn.preprocessing import StandardScaler
    >>> scaler = StandardScaler()
    >>> scaler.mean_ = np.zeros((4, 3)).T
    >>> settle(scaler)
    >>> scaler.mean_.flags.c_contiguous
    True
    """
    parameters = estimator._get_param_names()
    for name, value in list(vars(estimator).items()):
        if name not in parameters:
            settled = in_c_order(value)
            if settled is not value:
                setattr(estimator, name, settled)


def in_c_order(value: Any) -> Any:
    """Return a fitted value with its arrays in C order; estimators change in place.

    Examples
    --------
    >>> turned = np.zeros((2, 3)).T
    >>> [part.flags.c_contiguous for part in in_c_order([turned, turned[:2]])]
    [True, True]
    """
    if isinstance(value, np.ndarray):
        return np.asarray(value, order="C")
    if isinstance(value, Scaler):
        arrays = {key: in_c_order(part) for key, part in value.to_arrays().items()}
        return Scaler.from_arrays(arrays)
    if isinstance(value, BaseEstimator):
        settle(value)
    elif type(value) in (list, tuple):
        return type(value)(in_c_order(item) for item in value)
    elif is_network(value):
        for tensor in [*value.parameters(), *value.buffers()]:
            tensor.data = tensor.data.contiguous()
    return value


def is_network(value: Any) -> bool:
    """Tell whether it is a torch module, without importing torch for the answer."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(value, torch.nn.Module)
