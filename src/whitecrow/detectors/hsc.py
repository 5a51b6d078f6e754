r"""HSC: a classifier against auxiliary outliers whose normal region is a ball.

.. math::

    h(z) = \sqrt{\lVert z \rVert^2 + 1} - 1, \qquad z = \varphi(x), \qquad
    l_n = h, \qquad l_a = -\log(1 - e^{-h})

This is binary cross-entropy with P(normal) = exp(-h), radial instead of linear. Normal
and unlabelled rows cost :math:`l_n`, outliers :math:`l_a`; half of every batch are
outliers (rule `whitecrow.supervision.exposure`). The score is :math:`h`.

Source: Ruff et al., Rethinking Assumptions in Deep Anomaly Detection, arXiv 2006.00339;
specs/outlier_exposure.md 1.1.
"""

from __future__ import annotations

import math
from typing import Annotated

import torch
from jaxtyping import Float
from torch import Tensor, nn

from whitecrow.deep.exposed import ExposedDetector
from whitecrow.deep.run import Batch, Losses
from whitecrow.parameters import options

__all__ = ["HSC", "NORMS", "distance", "outlier_loss"]

NORMS = ("l1", "l2", "l2_squared", "pseudo_huber")

# An outlier exactly at the centre costs -log of this.
EPSILON = 1e-9


def distance(
    z: Float[Tensor, "*members batch r"], norm: str = "pseudo_huber"
) -> Float[Tensor, "*members batch"]:
    """Measure how far a code is from the origin, in one of four norms.

    Examples
    --------
    >>> distance(torch.tensor([[1.0, 2.0, 2.0]]), "l2")
    tensor([3.])
    """
    if norm == "l1":
        return z.abs().sum(-1)
    if norm == "l2":
        return z.norm(dim=-1)
    squared = z.square().sum(-1)
    if norm == "l2_squared":
        return squared
    # sqrt(s + 1) - 1 without the cancellation near 0
    return squared / ((squared + 1).sqrt() + 1)


def outlier_loss(h: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """Compute -log(1 - exp(-h)), accurate for small and large h, finite at 0."""
    h = h.clamp(min=EPSILON)
    near = -(-torch.expm1(-h.clamp(max=math.log(2)))).log()
    far = -torch.log1p(-torch.exp(-h.clamp(min=math.log(2))))
    return torch.where(h <= math.log(2), near, far)


class HSC(ExposedDetector):
    """Hypersphere classifier with outlier exposure.

    `fit(X, y, auxiliary=X_out)` trains against the rows of `X_out` and the anomalies
    labelled in `y`. Without `auxiliary`, outliers are generated.

    Parameters
    ----------
    norm : {"pseudo_huber", "l1", "l2", "l2_squared"}
        The distance h.
    synthetic : {"uniform", "permuted"}
        Outliers to generate when none are given: uniform in the range of the training
        rows widened by a tenth on each side, or training rows with every column
        shuffled by itself (pictures: every pixel).
    outlier_ratio : float
        Auxiliary outliers in a batch, for each of its rows.
    outlier_weight : float
        Factor of the loss of an auxiliary outlier.
    hidden, act_fn, bias, batch_norm
        As for `DeepSVDD`. Biases do no harm here: outliers keep the map from
        collapsing.
    rep_dim : "auto" or int
        Width of the code of a network for pictures; "auto" is its own.
    augment : {"none", "cifar10", "imagenet"}
        Train on variants of the pictures: colours changed by a hundredth, mirror
        images, noise, and moved by up to 4 pixels ("cifar10"), or cut to 7/8 of the
        side ("imagenet", where scoring sees the middle).
    normalise : {"none", "rows", "cifar10", "imagenet"}
        Bring the channels of pictures to mean 0 and deviation 1: those of the training
        rows, or numbers published for a kind of pictures.
    network : str or callable
        As for `DeepSVDD`, or one of the networks of the paper: "lenet_mnist_wide",
        "lenet_cifar10_wide", "resnet18_cbam" (pictures of any size), "toy" (tables), or
        their names in the released code.
    scaling, epochs, batch_size, lr, weight_decay, milestones, n_members, contamination
        As for `DeepSVDD`. A batch has `batch_size` rows, and outliers beside them.
    patience, device, random_state
        As for `DeepSVDD`.

    Attributes
    ----------
    outliers_drawn_ : int
        How many outliers the last training has seen, counted with repetition.
    auxiliary_given_ : bool
        Whether the last training had outliers from the caller. They are not kept, so
        that `refit` needs them again; without any it generates outliers as `fit` does.

    Notes
    -----
    NOTE[DIFF] The score is h, not 1 - exp(-h): the latter is 1.0 in float32 for all
    h > 17 and ties the clearest anomalies. A labelled normal row costs l_n; the
    reference treats it as an outlier.

    Examples
    --------
    >>> import numpy as np
    >>> from whitecrow import HSC
    >>> rng = np.random.default_rng(0)
    >>> X, outliers = rng.normal(size=(300, 4)), rng.normal(4, 1, size=(50, 4))
    >>> model = HSC(epochs=15, random_state=0).fit(X, auxiliary=outliers)
    >>> bool(model.anomaly_score(outliers).min() > np.median(model.anomaly_score(X)))
    True
    """

    norm: Annotated[str, options(*NORMS)] = "pseudo_huber"

    def _losses(self, net: nn.Module, batch: Batch) -> Losses:
        h = distance(self._seen(net, batch), self.norm)
        return self._weighed(batch, h, outlier_loss(h))

    def _score(self, net: nn.Module, x: Tensor) -> Tensor:
        return distance(self._whole(net, x), self.norm)
