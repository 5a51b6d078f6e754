"""NormalsOnly: any method, fitted without the rows that are known to be anomalies.

A method that does not learn from labels takes every training row for normal. Where some
are known not to be, the least that labels can do is keep these out of training, of the
units of columns too:

    fit(X, y) = fit of the method underneath on X[y != 1]

The threshold is chosen with all labels.

Source: specs/deep_sad.md 10, Q7 (the released code of Ruff et al., Deep Semi-Supervised
Anomaly Detection, ICLR 2020, trains its baselines on labelled anomalies as normal).
"""

from __future__ import annotations

from dataclasses import KW_ONLY
from typing import Annotated, Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import clone
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from whitecrow import labels, registry
from whitecrow.detector import Detector, Rows, Scores
from whitecrow.errors import ParameterError
from whitecrow.parameters import RandomState, fitted, methods

__all__ = ["NormalsOnly"]


class NormalsOnly(Detector):
    """Another method, fitted without known anomalies.

    Parameters
    ----------
    detector : Detector or None
        The method underneath, with parameters of its own; `whitecrow.wrap` makes one
        of any estimator of scikit-learn or PyOD. None takes Consensus.
    contamination : "auto" or float in (0, 0.5]
        For the threshold; "auto" looks at labels if they are enough, else at the
        scores.
    random_state : int, RandomState or None
        Given to a `detector` that has a seed and none set.

    Attributes
    ----------
    detector_ : Detector
        The fitted method.

    Notes
    -----
    A method that learns from labels is given those of the rows that remain.

    NOTE[DIFF] The scaler of the reference sees labelled anomalies, as that of every
    row; here units of columns are those of the rows that train.

    Examples
    --------
    >>> import numpy as np
    >>> from whitecrow import KNN, NormalsOnly
    >>> rng = np.random.default_rng(0)
    >>> X = np.r_[rng.normal(size=(190, 2)), rng.normal(6, 0.1, size=(10, 2))]
    >>> y = np.where(np.arange(200) < 190, np.nan, 1)  # a cluster of known anomalies
    >>> blind, told = KNN(n_neighbors=5), NormalsOnly(KNN(n_neighbors=5))
    >>> scores = [m.fit(X, y).anomaly_score([[6.0, 6.0]])[0] for m in (blind, told)]
    >>> bool(scores[1] > 5 * scores[0])
    True
    """

    uses_labels: ClassVar[bool] = True

    detector: Annotated[Any, methods("fit", "anomaly_score"), None] = None
    _: KW_ONLY
    random_state: RandomState = None

    detector_: Detector = fitted()

    def _fit(self, X: Rows, codes: labels.Codes, auxiliary: Rows | None) -> Scores:
        inner, kept = self._copy(), codes != labels.ANOMALY
        y = np.where(codes[kept] == labels.NORMAL, 0.0, np.nan)
        scores = np.empty(len(X))
        scores[kept] = inner.fit_score(X[kept], y if inner.uses_labels else None)
        if not kept.all():
            scores[~kept] = inner._anomaly_score(X[~kept])
        self.detector_ = inner
        return scores

    def _copy(self) -> Detector:
        given = self.detector
        if given is None:
            given = registry.method("consensus").cls()
        if not isinstance(given, Detector):
            raise ParameterError(
                "NormalsOnly takes detectors of whitecrow, not "
                f"{type(given).__name__}; give whitecrow.wrap(...) of it"
            )
        inner: Detector = clone(given)
        seed = inner.get_params(deep=False)
        if "random_state" in seed and seed["random_state"] is None:
            inner.set_params(random_state=self.random_state)
        return inner

    def _anomaly_score(self, X: Rows) -> Scores:
        return self.detector_._anomaly_score(X)

    @property
    def explanation(self) -> str:  # type: ignore[override]
        """Name how the method underneath is explained."""
        inner = getattr(self, "detector_", self.detector)
        return str(getattr(inner, "explanation", "occlusion"))

    def _contributions(self, X: Rows) -> Scores:
        return self.detector_._contributions(X)

    @available_if(lambda self: hasattr(self._inner(), "embed"))  # type: ignore[untyped-decorator]
    def embed(self, X: ArrayLike) -> NDArray[np.float32]:
        """Compute codes, where the method underneath has some."""
        check_is_fitted(self)
        codes: NDArray[np.float32] = self._inner().embed(X)
        return codes

    def _inner(self) -> Any:
        return getattr(self, "detector_", self.detector)
