r"""Deep SAD with outlier exposure: normal rows near the origin, outliers far from it.

.. math::

    d(x) = \lVert \varphi(x) \rVert^2, \qquad l_n = d, \qquad l_a = 1 / (d + \epsilon)

Unlike in `DeepSAD` the centre is the origin, nothing is pretrained, and half of every
batch are auxiliary outliers. The score is :math:`d`.

Source: Ruff et al., Rethinking Assumptions in Deep Anomaly Detection, arXiv 2006.00339;
specs/outlier_exposure.md 1.2.
"""

from __future__ import annotations

from dataclasses import KW_ONLY

from jaxtyping import Float
from torch import Tensor, nn

from whitecrow.deep.exposed import ExposedDetector
from whitecrow.deep.run import Batch, Losses
from whitecrow.parameters import Positive

__all__ = ["DeepSADOE", "outlier_loss"]


def outlier_loss(d: Float[Tensor, "*shape"], epsilon: float) -> Float[Tensor, "*shape"]:
    """Compute 1 / (d + epsilon)."""
    return 1 / (d + epsilon)


class DeepSADOE(ExposedDetector):
    """Deep SAD with outlier exposure, around the origin.

    `fit(X, y, auxiliary=X_out)` trains against the rows of `X_out` and the anomalies
    labelled in `y`. Without `auxiliary`, outliers are generated.

    Parameters
    ----------
    synthetic, outlier_ratio, outlier_weight
        As for `HSC`.
    hidden, act_fn, bias, batch_norm, rep_dim
        As for `HSC`.
    augment, normalise
        As for `HSC`.
    epsilon : float
        What an outlier at the origin costs is 1 over this.
    clip_norm : float or None
        Largest norm of the gradient of a step; None clips nothing.
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
    NOTE[DIFF] epsilon is 1e-6 instead of 1e-9, and gradients are clipped: an outlier
    near the origin has a gradient of 2 |z| / epsilon^2.

    Examples
    --------
    >>> import numpy as np
    >>> from whitecrow import DeepSADOE
    >>> rng = np.random.default_rng(0)
    >>> X, outliers = rng.normal(size=(300, 4)), rng.normal(4, 1, size=(50, 4))
    >>> model = DeepSADOE(epochs=15, random_state=0).fit(X, auxiliary=outliers)
    >>> bool(model.anomaly_score(outliers).min() > np.median(model.anomaly_score(X)))
    True
    """

    _: KW_ONLY
    epsilon: Positive = 1e-6
    clip_norm: Positive | None = 10.0

    def _losses(self, net: nn.Module, batch: Batch) -> Losses:
        d = self._seen(net, batch).square().sum(-1)
        return self._weighed(batch, d, outlier_loss(d, self.epsilon))

    def _score(self, net: nn.Module, x: Tensor) -> Tensor:
        return self._whole(net, x).square().sum(-1)
