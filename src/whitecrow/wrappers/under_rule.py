"""UnderRule: the mechanism of wrappers that train deep methods under other rules.

Of several methods each learns by itself, and what they say is averaged as

    score(x) = mean over m of asinh((s_m(x) - median of s_m) / iqr of s_m)

over the training rows: linear where most rows are, logarithmic far out, so that no
method decides alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import KW_ONLY
from typing import Annotated, Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import clone
from sklearn.utils.validation import check_is_fitted

from whitecrow import explain, labels, registry
from whitecrow.deep import DeepDetector, Seed
from whitecrow.deep.run import Stage
from whitecrow.detector import Detector, Rows, Scores
from whitecrow.errors import ParameterError
from whitecrow.parameters import fitted, methods

__all__ = ["UnderRule", "by_default", "fresh_copy", "some_rows"]

# So many training rows tell where all of them are: codes of a million fill a memory.
_MEASURED = 5000


class UnderRule(Detector):
    """Base of the wrappers; see the module.

    Attributes
    ----------
    detectors_ : list of DeepDetector
        The fitted methods; often it is one.
    units_ : ndarray of shape (number of methods, 3)
        Median and distance between the quartiles of the training scores of each, and
        the size of its codes.
    """

    uses_labels: ClassVar[bool] = True

    detector: Annotated[Any, methods("fit", "anomaly_score"), list, tuple, None] = None
    _: KW_ONLY
    random_state: Seed = None

    detectors_: list[DeepDetector] = fitted()
    units_: NDArray[np.float64] = fitted()

    def _copies(
        self,
        X: Rows,
        default: Callable[[Rows], list[DeepDetector]],
        *,
        needs: str | None,
        otherwise: str,
    ) -> list[DeepDetector]:
        """Copy the methods to train, and check the rows for each; see `fresh_copy`."""
        given = default(X) if self.detector is None else self.detector
        several = given if isinstance(given, list | tuple) else [given]
        who = type(self).__name__
        if not several:
            raise ParameterError(
                f"{who} has no method to train; give at least one in detector, or None "
                "for the default"
            )
        seed = self.random_state
        copies = [
            fresh_copy(
                one, who=who, needs=needs, otherwise=otherwise, random_state=seed
            )
            for one in several
        ]
        for one in copies:
            one._check_fit(X, None, None)
        return copies

    def _fit_all(
        self,
        copies: list[DeepDetector],
        X: Rows,
        codes: labels.Codes,
        auxiliary: Rows | None,
        stages: Callable[[DeepDetector], Sequence[Stage]],
    ) -> Scores:
        """Fit each of the copies through stages of ours; return the scores of rows."""
        for one in copies:
            one._fit_stages(X, codes, auxiliary, stages(one))
        self.detectors_ = copies
        return self._measured(X, [one._set_threshold(X, codes) for one in copies])

    def _measured(self, X: Rows, scores: list[Scores]) -> Scores:
        """Set units in which several methods compare; combine their training scores."""
        self.units_ = np.ones((len(self.detectors_), 3))
        if len(self.detectors_) == 1:
            return scores[0]
        some = X[some_rows(len(X))]
        for inner, own, unit in zip(self.detectors_, scores, self.units_, strict=True):
            low, median, high = np.quantile(own, [0.25, 0.5, 0.75])
            unit[0], unit[1] = median, _length(high - low)
            spread = inner.embed(some).astype(np.float64).var(axis=0).sum()
            unit[2] = _length(np.sqrt(spread))
        return self._combined(scores)

    def _anomaly_score(self, X: Rows) -> Scores:
        return self._combined(self._scores(X))

    def _scores(self, X: Rows) -> list[Scores]:
        return [inner._anomaly_score(X) for inner in self.detectors_]

    def _combined(self, scores: list[Scores]) -> Scores:
        """Average the scores of several methods as the module says."""
        if len(scores) == 1:
            return scores[0]
        return np.asarray(np.arcsinh(self._in_units(scores)).mean(axis=0))

    def _in_units(self, scores: list[Scores]) -> Scores:
        """Give the scores of each method less the median, in units of their spread."""
        apart = np.stack(scores) - self.units_[:, :1]
        return np.asarray(apart / self.units_[:, 1:2])

    @property
    def explanation(self) -> str:  # type: ignore[override]
        """Name how the methods underneath are explained, by the least exact way."""
        inner = getattr(self, "detectors_", self.detector)
        return explain.least_exact(
            inner if isinstance(inner, list | tuple) else [inner]
        )

    def _contributions(self, X: Rows) -> Scores:
        parts = [inner._contributions(X) for inner in self.detectors_]
        if len(parts) == 1:
            return parts[0]
        # The slope of asinh between the median and the score of each row.
        z = self._in_units(self._scores(X))
        slopes = np.divide(np.arcsinh(z), z, out=np.ones_like(z), where=z != 0)
        slopes /= self.units_[:, 1:2]
        total = [(part.T * slope).T for part, slope in zip(parts, slopes, strict=True)]
        return np.asarray(np.mean(total, axis=0))

    def embed(self, X: ArrayLike) -> NDArray[np.float32]:
        """Compute the codes of the methods underneath; see `DeepDetector.embed`.

        Those of several methods are side by side, each divided by its size.
        """
        check_is_fitted(self)
        codes = [
            inner.embed(X) / np.float32(unit[2])
            for inner, unit in zip(self.detectors_, self.units_, strict=True)
        ]
        return np.concatenate(codes, axis=1)


def by_default(X: Rows) -> list[DeepDetector]:
    """Take NeuTraL AD for tables and Deep SVDD for pictures."""
    name = "neutral_ad" if X.ndim == 2 else "deep_svdd"
    return [registry.method(name).cls()]


def some_rows(n: int) -> NDArray[np.intp]:
    """Return row indices of a fixed sample, of all rows if they are few."""
    if n <= _MEASURED:
        return np.arange(n)
    return np.random.default_rng(0).choice(n, _MEASURED, replace=False)


def _length(spread: float) -> float:
    """Take a spread for a unit, or 1 where all values are equal."""
    return float(spread) if spread > 0 else 1.0


def fresh_copy(
    given: object, *, who: str, needs: str | None, otherwise: str, random_state: Any
) -> DeepDetector:
    """Copy a method, unfitted, that another one trains under rules of its own.

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
