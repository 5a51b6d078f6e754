"""Any scikit-learn or PyOD detector under our contract.

`wrap(estimator)` gives a detector for every protocol, session and command: scores that
are higher for anomalies whatever the library's sign, a threshold from training scores
or labels, explanations, errors in one line.
"""

from __future__ import annotations

import copy
from dataclasses import KW_ONLY
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone, is_classifier, is_regressor
from sklearn.pipeline import Pipeline

from whitecrow import labels, tables
from whitecrow.detector import Detector
from whitecrow.errors import ParameterError
from whitecrow.parameters import fitted, methods

__all__ = ["Wrapped", "wrap"]

# What an infinite score becomes: beyond all others, but with a mean and a difference.
_LIMIT = 1e100


def wrap(
    estimator: Any, *, use_labels: bool = False, contamination: float | str = "auto"
) -> Detector:
    """Turn an estimator of another library into a whitecrow detector.

    Parameters
    ----------
    estimator : object
        A scikit-learn estimator with `score_samples` or `decision_function` (higher =
        normal), also as last step of a pipeline; a PyOD detector (higher = anomalous);
        or a whitecrow detector, which is returned as it is.
    use_labels : bool, default=False
        Pass `y` to the estimator's `fit`: 1 for labelled anomalies, 0 for all others.
    contamination : "auto" or float in (0, 0.5], default="auto"
        Share of training rows to call anomalies; the estimator's own is not used.

    Returns
    -------
    Detector

    Raises
    ------
    ParameterError
        When the estimator cannot score new rows, or is no detector.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.covariance import EllipticEnvelope
    >>> X = np.random.default_rng(0).normal(size=(200, 2))
    >>> detector = wrap(EllipticEnvelope(random_state=0), contamination=0.05).fit(X)
    >>> detector.predict([[0.0, 0.0], [7.0, 7.0]]).tolist()
    [1, -1]
    """
    if isinstance(estimator, Detector):
        return estimator
    _orientation(estimator)
    return Wrapped(estimator, use_labels=use_labels, contamination=contamination)


class Wrapped(Detector):
    """An estimator of another library under our contract; see `wrap`.

    Unsupervised unless `use_labels`. Pictures become rows of pixels in [0, 1].

    Parameters
    ----------
    estimator : object
        As in `wrap`; it is copied before it is fitted.
    use_labels : bool, default=False
        As in `wrap`.
    contamination : "auto" or float in (0, 0.5], default="auto"
        As in `wrap`.

    Attributes
    ----------
    estimator_ : object
        The fitted copy.
    offset_, threshold_source_, input_shape_, typical_
        As in `whitecrow.detector.Detector`.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.ensemble import IsolationForest
    >>> X = np.random.default_rng(0).normal(size=(100, 2))
    >>> theirs = IsolationForest(random_state=0)
    >>> ours = Wrapped(theirs).fit(X)
    >>> bool((ours.anomaly_score(X) == -theirs.fit(X).score_samples(X)).all())
    True
    """

    estimator: Annotated[Any, methods("fit")]
    _: KW_ONLY
    use_labels: bool = False

    estimator_: Any = fitted()

    @property
    def uses_labels(self) -> bool:  # type: ignore[override]
        """Tell whether `fit` does anything with `y`."""
        return self.use_labels

    def _fit(
        self, X: NDArray[Any], codes: labels.Codes, auxiliary: NDArray[Any] | None
    ) -> None:
        _orientation(self.estimator)
        rows = tables.as_table(X)
        self.estimator_ = _copy(self.estimator)
        if self.use_labels:
            self.estimator_.fit(rows, (codes == labels.ANOMALY).astype(np.int64))
        else:
            self.estimator_.fit(rows)

    def _anomaly_score(self, X: NDArray[Any]) -> NDArray[np.float64]:
        method, sign = _orientation(self.estimator_)
        found = getattr(self.estimator_, method)(tables.as_table(X))
        scores = sign * np.asarray(found, dtype=np.float64).reshape(len(X))
        unknown = np.isnan(scores)
        if unknown.any():
            raise ParameterError(
                f"{_name(self.estimator_)} gives NaN as score of {unknown.sum()} rows "
                f"(first: row {unknown.argmax()}); change its parameters"
            )
        return np.clip(scores, -_LIMIT, _LIMIT)


def _orientation(estimator: Any) -> tuple[str, float]:
    """Find the method that scores new rows, and the sign that makes anomalies high."""
    last = _last_step(estimator)
    if isinstance(last, type):
        raise ParameterError(
            f"wrap takes an estimator, not the class {last.__name__}; "
            f"use wrap({last.__name__}())"
        )
    if _is_pyod(last):
        return "decision_function", 1.0
    if hasattr(last, "__sklearn_tags__") and (
        is_classifier(last) or is_regressor(last)
    ):
        raise ParameterError(
            f"{_name(estimator)} is no anomaly detector but predicts a target; wrap "
            "takes estimators whose scores are higher for normal rows"
        )
    for method in ("score_samples", "decision_function"):
        if hasattr(estimator, method):
            return method, -1.0
    raise ParameterError(
        f"{_name(estimator)} cannot score new rows: it has neither score_samples nor "
        f"decision_function{_advice(last)}"
    )


def _last_step(estimator: Any) -> Any:
    while isinstance(estimator, Pipeline):
        estimator = estimator.steps[-1][1]
    return estimator


def _is_pyod(estimator: Any) -> bool:
    """Tell whether higher scores mean anomalies, as in PyOD and its kin."""
    homes = {cls.__module__.partition(".")[0] for cls in type(estimator).__mro__}
    names = {cls.__name__ for cls in type(estimator).__mro__}
    return (
        "pyod" in homes
        or "BaseDetector" in names
        or hasattr(estimator, "decision_scores_")
    )


def _advice(estimator: Any) -> str:
    if getattr(estimator, "novelty", True):
        return ""
    return f"; use {_name(estimator)}(novelty=True)"


def _copy(estimator: Any) -> Any:
    try:
        return clone(estimator, safe=False)
    except (RuntimeError, TypeError):
        # Constructors that change their arguments cannot be cloned.
        return copy.deepcopy(estimator)


def _name(estimator: Any) -> str:
    return type(estimator).__name__
