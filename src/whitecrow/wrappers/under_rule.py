"""What wrappers share that train a deep method under rules of their own."""

from __future__ import annotations

from typing import Any

from sklearn.base import clone

from whitecrow.deep import DeepDetector
from whitecrow.errors import ParameterError

__all__ = ["fresh_copy"]


def fresh_copy(
    given: object, *, who: str, needs: str | None, otherwise: str, random_state: Any
) -> DeepDetector:
    """An unfitted copy of a method that another one trains under rules of its own.

    Parameters
    ----------
    given : object
        What the user passed.
    who, needs, otherwise : str
        For messages: the class of the other method; its setting that needs a loss for
        anomalies (None if it needs none); and the setting that does without.
    random_state : int, Generator or None
        For a method that has none.

    Raises
    ------
    ParameterError
        When it is no deep method, is not trained by a rule, or has no loss for
        anomalies and needs one.
    """
    if not isinstance(given, DeepDetector):
        raise ParameterError(
            f"{who} trains deep methods of whitecrow, not {type(given).__name__}; "
            "use NeuTraLAD, DeepSVDD, DeepSAD or HSC"
        )
    if not given.takes_rules:
        raise ParameterError(
            f"{type(given).__name__} has a training of its own, without a loss of each "
            f"row that {who} could weigh; use {type(given).__name__} by itself, or "
            f"{who} over NeuTraLAD, DeepSVDD, DeepSAD or HSC"
        )
    if needs is not None and not given.has_l_a:
        raise ParameterError(
            f"{type(given).__name__} has no loss for anomalies, which "
            f"{needs} needs; use {otherwise} or NeuTraLAD, DeepSVDD, DeepSAD or HSC"
        )
    inner: DeepDetector = clone(given)
    if inner.random_state is None:
        inner.set_params(random_state=random_state)
    return inner
