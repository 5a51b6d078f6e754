"""What LOE and SOEL share: another deep method, trained under rules of their own."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import clone
from sklearn.utils.validation import check_is_fitted

from whitecrow import explain
from whitecrow.deep import DeepDetector
from whitecrow.detector import Detector, Rows, Scores
from whitecrow.errors import ParameterError

__all__ = ["RulingDetector", "fresh_copy"]


class RulingDetector(Detector):
    """The mechanism of detectors that score and explain as the method underneath.

    Attributes
    ----------
    detector_ : DeepDetector
        The fitted method.
    """

    uses_labels: ClassVar[bool] = True
    explanation: ClassVar[str] = "exact"

    detector_: DeepDetector

    def embed(self, X: ArrayLike) -> NDArray[np.float32]:
        """Codes of the method underneath; see `DeepDetector.embed`."""
        check_is_fitted(self)
        return self.detector_.embed(X)

    def _anomaly_score(self, X: Rows) -> Scores:
        return self.detector_._anomaly_score(X)

    def _contributions(self, X: Rows) -> Scores:
        return explain.raw(self.detector_, X)


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
        When it is no deep method, or has no loss for anomalies and needs one.
    """
    if not isinstance(given, DeepDetector):
        raise ParameterError(
            f"{who} trains deep methods of whitecrow, not {type(given).__name__}; "
            "use NeuTraLAD, DeepSVDD, DeepSAD or HSC"
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
