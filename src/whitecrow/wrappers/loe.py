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
from typing import Annotated

import numpy as np

from whitecrow import labels
from whitecrow.deep import DeepDetector
from whitecrow.deep.run import Stage
from whitecrow.detector import Rows, Scores
from whitecrow.parameters import Natural, Share, options
from whitecrow.supervision import Rule, latent, refine, unlabelled
from whitecrow.wrappers.under_rule import UnderRule, by_default

__all__ = ["LOE"]


class LOE(UnderRule):
    """Latent outlier exposure.

    Parameters
    ----------
    detector : DeepDetector, list or tuple of them, or None
        The method underneath, or several; their parameters are set there. None takes
        NeuTraL AD for tables and Deep SVDD for pictures.
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
        The fitted method, the first of several.
    detectors_, units_
        As of `SOEL`.

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

    _: KW_ONLY
    ratio: Share = 0.1
    variant: Annotated[str, options("soft", "hard", "refine")] = "soft"
    warm_up_epochs: Natural = 2

    def _fit(self, X: Rows, codes: labels.Codes, auxiliary: Rows | None) -> Scores:
        copies = self._copies(
            X,
            by_default,
            needs=None if self.variant == "refine" else f"variant={self.variant!r}",
            otherwise="variant='refine'",
        )
        return self._fit_all(copies, X, codes, auxiliary, self._plan)

    def _plan(self, inner: DeepDetector) -> list[Stage]:
        warm = min(self.warm_up_epochs, inner._n_epochs)
        return [
            Stage("warm-up", unlabelled, warm),
            Stage(self.variant, self._rule(), inner._n_epochs - warm),
        ]

    def _rule(self) -> Rule:
        if self.variant == "refine":
            return refine(self.ratio)
        return latent(self.ratio, soft=self.variant == "soft")

    @property
    def detector_(self) -> DeepDetector:
        """Return the fitted method, the first of several."""
        return self.detectors_[0]

    @detector_.setter
    def detector_(self, one: DeepDetector) -> None:
        # Files of before several methods have this attribute.
        self.detectors_, self.units_ = [one], np.ones((1, 3))
