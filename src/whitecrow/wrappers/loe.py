r"""LOE: latent outlier exposure over any method with a loss for anomalies.

The training rows are polluted; which of them are anomalies is a variable. Weights and
labels are fitted in turns: for fixed weights, the share `ratio` of rows ranked first by
:math:`l_n - l_a` are the anomalies, and cost

.. math::

    \text{soft: } \tfrac{1}{2} (l_n + l_a), \qquad \text{hard: } l_a, \qquad
    \text{refine: nothing (they are left out)}

The ranking is done in every batch (rules `latent` and `refine` of
`whitecrow.supervision`). The score is that of the method underneath.

Source: Qiu et al., Latent Outlier Exposure for Anomaly Detection with Contaminated
Data, ICML 2022; specs/active_soel.md 1 and 6.
"""

from __future__ import annotations

from dataclasses import KW_ONLY
from typing import Annotated, Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.validation import check_is_fitted

from whitecrow import labels, registry
from whitecrow.deep import DeepDetector, Seed
from whitecrow.deep.run import Stage
from whitecrow.detector import Detector, Rows, Scores
from whitecrow.parameters import Natural, Share, fitted, methods, options
from whitecrow.supervision import Rule, latent, refine, unlabelled
from whitecrow.wrappers.under_rule import fresh_copy

__all__ = ["LOE"]


class LOE(Detector):
    """Latent outlier exposure.

    Parameters
    ----------
    detector : DeepDetector or None
        The method underneath; its parameters are set there. None takes NeuTraL AD for
        tables and Deep SVDD for pictures.
    ratio : float in [0, 1)
        Assumed share of anomalies among the unlabelled training rows.
    variant : {"soft", "hard", "refine"}
        What a row taken as anomalous costs.
    warm_up_epochs : int
        Epochs in which every row counts as normal, before the labels are guessed; they
        are among the epochs of `detector`.
    contamination : "auto" or float in (0, 0.5]
        For the threshold; "auto" looks at the scores.
    random_state : int, Generator or None
        Given to a `detector` that has none.

    Attributes
    ----------
    detector_ : DeepDetector
        The fitted method.

    Notes
    -----
    The rule of LOE takes the place of the rules of `detector`: `eta` of DeepSAD,
    `objective` of DeepSVDD, `robust` of RobustAutoEncoder and `only_ce_epochs` of DROCC
    have no effect in it. ALAD and DUAD, whose training is no rule, are refused.

    A method that trains against outliers which it generates, as HSC does, trains
    against them here too, in the warm-up as well. They cost l_a, are never guessed to
    be normal, and do not count in `ratio`.

    NOTE[DIFF] Optimiser moments start anew after the warm-up. Labelled rows, where `y`
    has some, keep their label.

    Examples
    --------
    >>> import numpy as np
    >>> from whitecrow import LOE, DeepSVDD
    >>> rng = np.random.default_rng(0)
    >>> X = np.r_[rng.normal(size=(190, 5)), rng.normal(4, 1, size=(10, 5))]
    >>> inner = DeepSVDD(epochs=10, pretrain=False)
    >>> model = LOE(inner, ratio=0.05, random_state=0).fit(X)
    >>> scores = model.anomaly_score(X)
    >>> bool(scores[190:].mean() > scores[:190].mean())
    True
    """

    uses_labels: ClassVar[bool] = True

    detector: Annotated[Any, methods("fit", "anomaly_score"), None] = None
    _: KW_ONLY
    ratio: Share = 0.1
    variant: Annotated[str, options("soft", "hard", "refine")] = "soft"
    warm_up_epochs: Natural = 2
    random_state: Seed = None

    detector_: DeepDetector = fitted()

    def _fit(self, X: Rows, codes: labels.Codes, auxiliary: Rows | None) -> None:
        inner = self._inner(X)
        inner._check_fit(X, None, None)
        warm = min(self.warm_up_epochs, inner.epochs)
        stages = [
            Stage("warm-up", unlabelled, warm),
            Stage(self.variant, self._rule(), inner.epochs - warm),
        ]
        inner._fit_stages(X, codes, auxiliary, stages)
        inner._set_threshold(X, codes)
        self.detector_ = inner

    def _inner(self, X: Rows) -> DeepDetector:
        """The method to train, as a fresh copy."""
        given = self.detector
        if given is None:
            name = "neutral_ad" if X.ndim == 2 else "deep_svdd"
            given = registry.method(name).cls()
        return fresh_copy(
            given,
            who="LOE",
            needs=None if self.variant == "refine" else f"variant={self.variant!r}",
            otherwise="variant='refine'",
            random_state=self.random_state,
        )

    def _rule(self) -> Rule:
        if self.variant == "refine":
            return refine(self.ratio)
        return latent(self.ratio, soft=self.variant == "soft")

    def _anomaly_score(self, X: Rows) -> Scores:
        return self.detector_._anomaly_score(X)

    @property
    def explanation(self) -> str:  # type: ignore[override]
        """How the method underneath is explained."""
        inner = getattr(self, "detector_", self.detector)
        return str(getattr(inner, "explanation", "occlusion"))

    def _contributions(self, X: Rows) -> Scores:
        return self.detector_._contributions(X)

    def embed(self, X: ArrayLike) -> NDArray[np.float32]:
        """Codes of the method underneath; see `DeepDetector.embed`."""
        check_is_fitted(self)
        return self.detector_.embed(X)
