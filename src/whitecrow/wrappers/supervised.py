r"""Supervised: any method with a loss for anomalies, on its labelled rows alone.

.. math::

    \min_\theta \; \frac{1}{|Q|} ( \sum_{j \in Q,\, y_j = 0} l_n(x_j)
    + \sum_{j \in Q,\, y_j = 1} l_a(x_j) )

over the labelled rows Q (rule `supervised` of `whitecrow.supervision`): what labels
give without the other rows, to compare with. Where no row is labelled as normal, all
rows without a label count as normal.

Source: the supervised baseline of Ruff et al., Deep Semi-Supervised Anomaly Detection,
ICLR 2020; specs/deep_sad.md 5.9.
"""

from __future__ import annotations

from whitecrow import labels
from whitecrow.deep import DeepDetector
from whitecrow.deep.run import Run, Stage
from whitecrow.deep.train import Batches
from whitecrow.detector import Rows, Scores
from whitecrow.supervision import exposure, supervised
from whitecrow.wrappers.under_rule import UnderRule, by_default

__all__ = ["Supervised"]


class Supervised(UnderRule):
    """Another method, trained on labelled rows alone.

    Parameters
    ----------
    detector : DeepDetector, list or tuple of them, or None
        The method underneath, or several; their parameters are set there. None takes
        NeuTraL AD for tables and Deep SVDD for pictures.
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
    Rows without a label still set the units of columns, and what is computed before
    training, as the centre of a hypersphere.

    NOTE[DIFF] The published baseline is a classifier with a sigmoid and cross-entropy;
    here it is whatever pair of losses `detector` has.

    Examples
    --------
    >>> import numpy as np
    >>> from whitecrow import DeepSVDD, Supervised
    >>> rng = np.random.default_rng(0)
    >>> X = np.r_[rng.normal(size=(190, 5)), rng.normal(2, 1, size=(10, 5))]
    >>> y = np.full(200, np.nan)
    >>> y[:50], y[195:] = 0, 1
    >>> inner = DeepSVDD(epochs=30, pretrain=False, random_state=0)
    >>> scores = Supervised(inner).fit(X, y).anomaly_score(X)
    >>> bool(scores[190:195].mean() > scores[50:190].mean())
    True
    """

    def _fit(self, X: Rows, codes: labels.Codes, auxiliary: Rows | None) -> Scores:
        copies = self._copies(
            X, by_default, needs="training on labels", otherwise="NormalsOnly"
        )
        plan = _on_labelled if (codes == labels.NORMAL).any() else _against_all_others
        return self._fit_all(copies, X, codes, auxiliary, plan)


def _on_labelled(inner: DeepDetector) -> list[Stage]:
    return [Stage("supervised", supervised, inner._n_epochs, _labelled)]


def _against_all_others(inner: DeepDetector) -> list[Stage]:
    # The rule for known anomalies among rows that count as normal.
    return [Stage("supervised", exposure, inner._n_epochs)]


def _labelled(run: Run, number: int) -> Batches:
    """Make batches of the labelled rows, which are the same for all members."""
    known = run.y[: run.n] != int(labels.UNLABELLED)
    return run.batches(number, run.rows[..., known])
