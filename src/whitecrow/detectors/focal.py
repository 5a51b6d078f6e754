r"""Focal: a binary classifier that cares most for the rows that it gets wrong.

.. math::

    l = (1 - p)^{\gamma} \, b, \qquad p = e^{-b}

with the binary cross-entropy :math:`b` of a row, as normal (:math:`\log(1 + e^{\ell})`)
or as an outlier (:math:`\log(1 + e^{-\ell})`), and the logit :math:`\ell` of a linear
head on its code. :math:`\gamma = 0` is `BCE`. The score is :math:`\ell`.

Source: Ruff et al., Rethinking Assumptions in Deep Anomaly Detection, arXiv 2006.00339;
specs/outlier_exposure.md 1.4. The loss: Lin et al., Focal Loss for Dense Object
Detection, ICCV 2017.
"""

from __future__ import annotations

import math
from typing import ClassVar

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import softplus

from whitecrow.deep.exposed import ExposedDetector
from whitecrow.deep.run import Batch, Losses
from whitecrow.parameters import NonNegative

__all__ = ["Focal", "focused"]

# The power has no gradient at p = 1 for gamma below 1.
EPSILON = 1e-7


def focused(b: Float[Tensor, "*shape"], gamma: float) -> Float[Tensor, "*shape"]:
    """Weigh binary cross-entropies by (1 - p) ** gamma, where p = exp(-b).

    p is kept 1e-7 away from 0 and 1.

    Examples
    --------
    >>> import torch
    >>> focused(torch.tensor([0.6931472, 30.0]), gamma=2.0)
    tensor([ 0.1733, 30.0000])
    """
    low, high = -math.log1p(-EPSILON), -math.log(EPSILON)
    wrong = -(-b.clamp(low, high)).expm1()
    return wrong**gamma * b


class Focal(ExposedDetector):
    """Binary classifier with the focal loss and outlier exposure.

    `fit(X, y, auxiliary=X_out)` trains against the rows of `X_out` and the anomalies
    labelled in `y`. Without `auxiliary`, outliers are generated.

    Parameters
    ----------
    gamma : float
        How much less a row counts that is on the right side; 0 is `BCE`.
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
    >>> from whitecrow import Focal
    >>> rng = np.random.default_rng(0)
    >>> X, outliers = rng.normal(size=(300, 4)), rng.normal(4, 1, size=(50, 4))
    >>> model = Focal(epochs=15, random_state=0).fit(X, auxiliary=outliers)
    >>> bool(model.anomaly_score(outliers).min() > np.median(model.anomaly_score(X)))
    True
    """

    _head: ClassVar[bool] = True

    gamma: NonNegative = 2.0

    def _losses(self, net: nn.Module, batch: Batch) -> Losses:
        logit = self._seen(net, batch)[..., -1]
        both = (focused(softplus(sign * logit), self.gamma) for sign in (1, -1))
        return self._weighed(batch, *both)

    def _score(self, net: nn.Module, x: Tensor) -> Tensor:
        return self._whole(net, x)[..., -1]
