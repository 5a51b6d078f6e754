r"""BCE: a binary classifier of training rows against auxiliary outliers.

.. math::

    l_n = \log(1 + e^{\ell}), \qquad l_a = \log(1 + e^{-\ell})

with the logit :math:`\ell` of a linear head on the code of a row. The score is
:math:`\ell`. Without auxiliary outliers, labelled anomalies and generated outliers are
what it learns from.

Source: Ruff et al., Rethinking Assumptions in Deep Anomaly Detection, arXiv 2006.00339;
specs/outlier_exposure.md 1.3, 1.5.
"""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor, nn
from torch.nn.functional import softplus

from whitecrow.deep.exposed import ExposedDetector
from whitecrow.deep.run import Batch, Losses

__all__ = ["BCE"]


class BCE(ExposedDetector):
    """Binary classifier with outlier exposure.

    `fit(X, y, auxiliary=X_out)` trains against the rows of `X_out` and the anomalies
    labelled in `y`. Without `auxiliary`, outliers are generated.

    Parameters
    ----------
    synthetic, outlier_ratio, outlier_weight
        As for `HSC`.
    hidden, act_fn, bias, batch_norm, rep_dim
        As for `HSC`; the linear head has a bias in any case.
    augment, normalise
        As for `HSC`.
    network
        As for `HSC`.
    scaling, epochs, batch_size, lr, weight_decay, milestones, n_members, contamination
        As for `HSC`.
    patience, device, random_state
        As for `HSC`.

    Attributes
    ----------
    outliers_drawn_, auxiliary_given_
        As for `HSC`.

    Notes
    -----
    NOTE[DIFF] The score is the logit, not its sigmoid, which is 1.0 in float32 from
    16.7 on and ties the clearest anomalies.

    Examples
    --------
    >>> import numpy as np
    >>> from whitecrow import BCE
    >>> rng = np.random.default_rng(0)
    >>> X, outliers = rng.normal(size=(300, 4)), rng.normal(4, 1, size=(50, 4))
    >>> model = BCE(epochs=15, random_state=0).fit(X, auxiliary=outliers)
    >>> bool(model.anomaly_score(outliers).min() > np.median(model.anomaly_score(X)))
    True
    """

    _head: ClassVar[bool] = True

    def _losses(self, net: nn.Module, batch: Batch) -> Losses:
        logit = self._seen(net, batch)[..., -1]
        return self._weighed(batch, softplus(logit), softplus(-logit))

    def _score(self, net: nn.Module, x: Tensor) -> Tensor:
        return self._whole(net, x)[..., -1]
