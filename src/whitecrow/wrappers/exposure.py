r"""Exposure: outlier exposure over any method with a loss for anomalies.

Rows from elsewhere that are surely not normal, the auxiliary outliers, show a network
what normal rows are not, whether or not they look like the anomalies to come. Every
batch has as many of them as training rows,

.. math::

    \min_\theta \; \frac{1}{2n} ( \sum_{i \le n} l_n(x_i)
    + \sum_{j \le n} l_a(x^\mathrm{out}_j) )

and known anomalies cost :math:`l_a` as well (rule `exposure` of
`whitecrow.supervision`). The score is that of the method underneath. Over the
hypersphere classifier this is HSC itself.

Source: Hendrycks, Mazeika and Dietterich, Deep Anomaly Detection with Outlier Exposure,
ICLR 2019; Ruff et al., Rethinking Assumptions in Deep Anomaly Detection, 2021;
specs/outlier_exposure.md 1 and 3.
"""

from __future__ import annotations

from dataclasses import KW_ONLY
from typing import Annotated, ClassVar

from whitecrow import labels
from whitecrow.deep import DeepDetector
from whitecrow.deep.outliers import GENERATED
from whitecrow.deep.run import Run, Stage
from whitecrow.deep.train import Batches
from whitecrow.detector import Rows, Scores
from whitecrow.parameters import options
from whitecrow.supervision import exposure
from whitecrow.wrappers.under_rule import UnderRule, by_default

__all__ = ["Exposure"]


class Exposure(UnderRule):
    """Outlier exposure over another method.

    Parameters
    ----------
    detector : DeepDetector, list or tuple of them, or None
        The method underneath, or several; their parameters are set there. None takes
        NeuTraL AD for tables and Deep SVDD for pictures.
    synthetic : {"uniform", "permuted"}
        Outliers to generate where `fit` is given none: in a box around the training
        rows, or training rows with every column in an order of its own.
    contamination : "auto" or float in (0, 0.5]
        For the threshold; "auto" looks at labels if they are enough, else at the
        scores.
    random_state : int, Generator or None
        Given to a `detector` that has none.

    Attributes
    ----------
    detectors_, units_
        As of `SOEL`.

    Notes
    -----
    Auxiliary outliers are no labels: they have no part in the units of columns, the
    centre of a hypersphere or the threshold.

    NOTE[DIFF] Outliers are as many as rows in every batch, as for HSC; the paper takes
    twice as many and weighs them by 0.5.

    Examples
    --------
    >>> import numpy as np
    >>> from whitecrow import DeepSVDD, Exposure
    >>> rng = np.random.default_rng(0)
    >>> X, outliers = rng.normal(size=(300, 4)), rng.normal(4, 1, size=(50, 4))
    >>> inner = DeepSVDD(epochs=15, pretrain=False, random_state=0)
    >>> model = Exposure(inner).fit(X, auxiliary=outliers)
    >>> bool(model.anomaly_score(outliers).min() > np.median(model.anomaly_score(X)))
    True
    """

    uses_auxiliary: ClassVar[bool] = True

    _: KW_ONLY
    synthetic: Annotated[str, options(*GENERATED)] = "uniform"

    def _fit(self, X: Rows, codes: labels.Codes, auxiliary: Rows | None) -> Scores:
        copies = self._copies(
            X, by_default, needs="outlier exposure", otherwise="the method by itself"
        )
        return self._fit_all(copies, X, codes, auxiliary, self._plan)

    def _plan(self, inner: DeepDetector) -> list[Stage]:
        return [Stage("exposure", exposure, inner._n_epochs, self._batches)]

    def _batches(self, run: Run, number: int) -> Batches:
        run.expose(GENERATED[self.synthetic])
        return run.batches(number)
