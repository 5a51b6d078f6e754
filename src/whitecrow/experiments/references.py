"""Plain classifiers that every comparison with labels should show.

Whoever cannot beat a balanced logistic regression on the same few labels must say so.
Known anomalies are one class, all other training rows the other.
"""

from __future__ import annotations

from typing import Any, ClassVar

from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from whitecrow import labels
from whitecrow.detector import Detector, Rows, Scores
from whitecrow.errors import DataError, ParameterError

__all__ = ["REFERENCES", "Reference", "reference"]


def _logistic(seed: int) -> Any:
    model = LogisticRegression(class_weight="balanced", max_iter=2000)
    return make_pipeline(StandardScaler(), model)


def _boosting(seed: int) -> Any:
    return HistGradientBoostingClassifier(class_weight="balanced", random_state=seed)


REFERENCES = {"logistic_regression": _logistic, "gradient_boosting": _boosting}


class Reference(Detector):
    """A scikit-learn classifier of known anomalies against all other rows.

    Parameters
    ----------
    classifier : str
        A key of `REFERENCES`.
    contamination : "auto" or float
        For the threshold.
    random_state : int
        Of the boosting.

    Examples
    --------
    >>> import numpy as np
    >>> X = np.r_[np.zeros((20, 2)), np.ones((5, 2))]
    >>> y = np.r_[np.full(20, np.nan), np.ones(5)]
    >>> model = Reference("logistic_regression").fit(X, y)
    >>> bool(model.anomaly_score([[1, 1]]) > model.anomaly_score([[0, 0]]))
    True
    """

    uses_labels: ClassVar[bool] = True

    def __init__(
        self,
        classifier: str = "logistic_regression",
        *,
        contamination: float | str = "auto",
        random_state: int = 0,
    ) -> None:
        self.classifier = classifier
        self.contamination = contamination
        self.random_state = random_state

    def _fit(self, X: Rows, codes: labels.Codes, auxiliary: Rows | None) -> None:
        known = codes == labels.ANOMALY
        if not known.any():
            raise DataError("a classifier needs at least one known anomaly")
        model = REFERENCES[self.classifier](self.random_state)
        self.model_ = model.fit(X.reshape(len(X), -1), known)

    def _anomaly_score(self, X: Rows) -> Scores:
        flat = X.reshape(len(X), -1)
        scores: Scores = self.model_.decision_function(flat).astype(float)
        return scores


def reference(name: str, seed: int) -> Reference:
    """Build the reference of this name.

    Raises
    ------
    ParameterError
        With the legal names.
    """
    if name not in REFERENCES:
        raise ParameterError(
            f"there is no reference {name!r}; use {', '.join(REFERENCES)}"
        )
    return Reference(name, random_state=seed)
