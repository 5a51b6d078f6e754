r"""DAGMM: the density of a row's code and of how badly it is reconstructed.

An autoencoder gives the code :math:`z_c = E(x)`; with the features
:math:`z_r = [\lVert x - \hat x \rVert / \lVert x \rVert,\, \cos(x, \hat x)]` of the
reconstruction it makes :math:`z = [z_c, z_r]`. A second network assigns z softly to the
K components of a Gaussian mixture with energy E (see `whitecrow.deep.mixture`). Both
are trained together:

.. math::

    J = \operatorname{mean}_i \Bigl( \lVert x_i - \hat x_i \rVert^2
        + \lambda_1 E(z_i) \Bigr) + \lambda_2 \sum_k \sum_j 1 / \Sigma_{kjj}, \qquad
    \mathrm{score}(x) = E(z)

with the mixture of the batch in training and that of all training rows afterwards.
There is no l_a: a density says nothing about what an anomaly should look like.

Source: Zong et al., Deep Autoencoding Gaussian Mixture Model for Unsupervised Anomaly
Detection, ICLR 2018; specs/deep_unsupervised.md 2.2.
"""

from __future__ import annotations

from typing import Any, ClassVar

from torch import Tensor, nn

from whitecrow.deep.mixture import MixtureDetector
from whitecrow.deep.run import Batch, Losses
from whitecrow.parameters import Count

__all__ = ["DAGMM"]

_PAPER = {
    "ae_act_fn": "tanh",
    "scaling": "minmax",
    "epochs": 200,
    "batch_size": 1024,
    "lr": 1e-4,
}
_NRCAN = {**_PAPER, "weight_decay": 1e-4}


class DAGMM(MixtureDetector):
    """Deep autoencoding Gaussian mixture model, for tables.

    Parameters
    ----------
    n_mixtures : int
        Components K.
    latent_dim : int
        Width of the code, for `hidden` "auto" and "rule".
    lambda_1 : float
        Weight of the energy.
    lambda_2 : float
        Weight of the penalty on small variances.
    reg_covar : float
        Added to the diagonal of the covariances.
    recon : {"sum", "mean"}
        Squared error of a row: sum over its columns (paper) or mean (reference).
    hidden : "auto", "rule" or tuple of int
        Widths of the encoder, the last one is that of the code; the decoder mirrors
        them. "auto" is 64, 32 and the code. "rule" divides the width `n_layers - 1`
        times by `compression_factor` (specs/deep_unsupervised.md 1.2).
    n_layers, compression_factor : int
        The width rule, for `hidden="rule"`.
    ae_act_fn, gmm_act_fn : {"relu", "leaky_relu", "tanh", "sigmoid", "elu"}
        Activation of the autoencoder, and of the estimation network.
    dropout : float
        Share of hidden units of the estimation network to drop in training.
    scaling : {"standard", "minmax", "robust", "none"}
        Units of the columns.
    epochs, batch_size, lr, weight_decay
        Adam. Batches are made equally large, up to `batch_size`.
    n_members : int
        Networks to train side by side; energies are averaged.
    contamination : "auto" or float in (0, 0.5]
        Share of training rows to call anomalies; "auto" looks at the scores.
    patience : int or None
        As for `AutoEncoder`.
    device : {"auto", "cpu", "cuda", "mps"}
        Where to train and score.
    random_state : int, Generator or None
        First weights, dropout and order of rows.

    Attributes
    ----------
    mass_ : ndarray of shape (n_members, n_mixtures)
        Training rows of each component, as a sum of memberships.
    means_ : ndarray of shape (n_members, n_mixtures, z)
        Mean of each component; `latent` gives the z of rows.
    covariances_ : ndarray of shape (n_members, n_mixtures, z, z)
        Covariance of each component.

    Warns
    -----
    UserWarning
        When a component has no rows after training.

    Notes
    -----
    NOTE[DIFF] The mixture that scores is that of all training rows, without dropout.
    In the reference it is that of the last batch, with dropout. Energies are not
    clipped, so that strong anomalies do not tie. The default network is wider than the
    paper's, which `preset("paper")` has: it ranks tables better, and its code is not
    bounded, so that far rows keep their order.

    Results vary from seed to seed more than for other methods; `n_members` helps.

    Examples
    --------
    >>> import numpy as np
    >>> from whitecrow import DAGMM
    >>> rng = np.random.default_rng(0)
    >>> t = rng.uniform(-1, 1, 500)
    >>> X = np.c_[t, t**2, 1 - t] + rng.normal(0, 0.01, (500, 3))
    >>> model = DAGMM(epochs=50, random_state=0).fit(X)
    >>> usual, odd = model.anomaly_score([[0.5, 0.25, 0.5], [0.5, 0.9, -0.5]])
    >>> bool(odd > usual)
    True
    >>> model.latent(X).shape
    (500, 7)
    """

    # "paper" is its KDD (specs/deep_unsupervised.md 2.2); "nrcan-2022" is 7
    presets: ClassVar[dict[str, dict[str, Any]]] = {
        "paper": {**_PAPER, "hidden": (60, 30, 10, 1)},
        "paper-arrhythmia": {
            **_PAPER,
            "hidden": (10, 2),
            "n_mixtures": 2,
            "batch_size": 128,
            "epochs": 10_000,
        },
        "paper-thyroid": {
            **_PAPER,
            "hidden": (12, 4, 1),
            "n_mixtures": 2,
            "epochs": 20_000,
        },
        "reference": {
            **_PAPER,
            "hidden": "rule",
            "latent_dim": 1,
            "ae_act_fn": "relu",
            "recon": "mean",
            "reg_covar": 1e-12,
        },
        "nrcan-2022": {**_NRCAN, "hidden": (60, 30, 10, 1)},
        "nrcan-2022-arrhythmia": {
            **_NRCAN,
            "hidden": (10, 2),
            "n_mixtures": 2,
            "batch_size": 128,
            "scaling": "standard",
        },
        "nrcan-2022-thyroid": {
            **_NRCAN,
            "hidden": (12, 4, 1),
            "n_mixtures": 2,
            "scaling": "standard",
        },
    }

    n_mixtures: Count = 4

    def _build(self, shape: tuple[int, ...]) -> nn.Module:
        return self._mixture_net(shape[0])

    def _losses(self, net: nn.Module, batch: Batch) -> Losses:
        return Losses(self._objective(net, batch.x))

    def _score(self, net: nn.Module, x: Tensor) -> Tensor:
        return self._energy(net, x)
