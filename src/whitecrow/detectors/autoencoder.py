r"""Autoencoder: what a narrow network cannot reproduce is odd.

.. math::

    l_n(x) = \sum_j (x_j - \hat x_j)^2 + \mathrm{reg} \, \lVert E(x) \rVert_2,
    \qquad \hat x = D(E(x)), \qquad
    \mathrm{score}(x) = \sum_j (x_j - \hat x_j)^2

There is no l_a: reconstruction says nothing about what an anomaly should look like.

Source: specs/deep_unsupervised.md 2.1; Sakurada and Yairi, MLSDA 2014; the penalty on
the code from Sabokrou-type robust autoencoders, arXiv 2407.08838.
"""

from __future__ import annotations

from dataclasses import KW_ONLY
from typing import Any, ClassVar

from torch import Tensor, nn

from whitecrow.deep import Activation, Network, Ruled
from whitecrow.deep.autoencoding import Reconstruction, ReconstructionDetector, halves
from whitecrow.deep.nets.mlp import encoder_widths
from whitecrow.deep.published import NRCAN, NRCAN_ODDS
from whitecrow.deep.run import Batch, Losses
from whitecrow.parameters import Auto, Count, Natural, NonNegative, Share

__all__ = ["AutoEncoder"]


# A published autoencoder has none of what regularises the default.
_PLAIN = {"act_fn": "relu", "batch_norm": False, "dropout": 0.0}


class AutoEncoder(ReconstructionDetector):
    """Autoencoder; the score is the squared reconstruction error.

    Parameters
    ----------
    hidden : "auto", "rule" or tuple of int
        Widths of the encoder, the last one is that of the code; the decoder mirrors
        them. In the default dropout, not a narrow code, keeps the network from copying
        its input; "auto" is 64, 32 and a code of a third of the columns (at least 1, at
        most 10). "rule" divides the width `n_layers - 1` times by
        `compression_factor` and ends in `latent_dim` (specs/deep_unsupervised.md 1.2).
    n_layers, compression_factor, latent_dim : int
        The width rule, for `hidden="rule"`.
    act_fn : {"relu", "leaky_relu", "tanh", "sigmoid", "elu"}
        Activation between layers.
    reg : float
        Weight of the norm of the code.
    batch_norm : bool
        Normalise hidden layers.
    dropout : float
        Share of hidden units to drop in training.
    network : str or callable
        "auto" takes a perceptron for tables and a convolutional network for pictures;
        or a name from `whitecrow.deep.nets.lenet`; or a callable from the shape of a
        row to `(encoder, decoder)`.
    scaling : {"standard", "minmax", "robust", "none"}
        Units of the columns of a table; pictures are scaled to [0, 1].
    epochs : "auto" or int
        "auto" is 10 for tables and 50 for pictures.
    batch_size, lr, weight_decay
        Adam.
    n_members : int
        Networks to train side by side; scores are averaged.
    contamination : "auto" or float in (0, 0.5]
        Share of training rows to call anomalies; "auto" looks at the scores.
    patience : int or None
        Hold out a tenth of the rows that are no known anomalies, end when they have not
        been reproduced better for so many epochs, and keep the best weights. None
        trains for all `epochs`, on all rows.
    device : {"auto", "cpu", "cuda", "mps"}
        Where to train and score.
    random_state : int, Generator or None
        First weights and order of rows.

    Notes
    -----
    NOTE[DIFF] In the reference code the penalty acts on the input, so that it is
    constant and the option dead; here it acts on the code. Default 0: a plain
    autoencoder.

    Examples
    --------
    >>> import numpy as np
    >>> from whitecrow import AutoEncoder
    >>> t = np.random.default_rng(0).uniform(-1, 1, 300)
    >>> X = np.c_[t, t**2, 1 - t]
    >>> model = AutoEncoder(epochs=200, random_state=0).fit(X)
    >>> usual, odd = model.anomaly_score([[0.5, 0.25, 0.5], [0.5, 0.9, 0.5]])
    >>> bool(odd > 5 * usual)
    True
    """

    hidden: Ruled = (64, 32)
    _: KW_ONLY
    n_layers: Count = 4
    compression_factor: Count = 2
    latent_dim: Count = 3
    act_fn: Activation = "tanh"
    reg: NonNegative = 0.0
    batch_norm: bool = True
    dropout: Share = 0.2
    network: Network = "auto"
    epochs: Natural | Auto = "auto"  # type: ignore[assignment]
    batch_size = 64

    # DAGMM's autoencoders (specs/deep_unsupervised.md 1.4)
    presets: ClassVar[dict[str, dict[str, Any]]] = {
        "paper": {
            **_PLAIN,
            "hidden": (60, 30, 10, 1),
            "act_fn": "tanh",
            "lr": 1e-4,
            "epochs": 200,
        },
        "reference": {
            **_PLAIN,
            "hidden": "rule",
            "lr": 1e-4,
            "epochs": 200,
            "scaling": "minmax",
        },
        "nrcan-2022": {**NRCAN, **_PLAIN, "hidden": (60, 30, 10, 1)},
        "nrcan-2022-ids": {**NRCAN, **_PLAIN, "hidden": (32, 2)},
        "nrcan-2022-arrhythmia": {
            **NRCAN_ODDS,
            **_PLAIN,
            "hidden": (10, 2),
            "batch_size": 128,
        },
        "nrcan-2022-thyroid": {**NRCAN_ODDS, **_PLAIN, "hidden": (12, 4, 1)},
    }

    def _build(self, shape: tuple[int, ...]) -> nn.Module:
        encoder, decoder = halves(
            shape,
            network=self.network,
            widths=self._widths,
            act=self.act_fn,
            batch_norm=self.batch_norm,
            affine=True,
            dropout=self.dropout,
        )
        return Reconstruction(encoder, decoder)

    def _widths(self, n_features: int) -> list[int]:
        return encoder_widths(
            n_features,
            self.hidden,
            auto=(64, 32, min(10, max(1, n_features // 3))),
            n_layers=self.n_layers,
            compression_factor=self.compression_factor,
            latent_dim=self.latent_dim,
        )

    def _losses(self, net: nn.Module, batch: Batch) -> Losses:
        x_hat, code = net(batch.x)
        loss = self._squared_error(batch.x, x_hat)
        if self.reg:
            loss = loss + self.reg * code.norm(dim=-1)
        return Losses(loss)

    def _score(self, net: nn.Module, x: Tensor) -> Tensor:
        return self._squared_error(x, net(x)[0])

    def _embed(self, net: nn.Module, x: Tensor) -> Tensor:
        code: Tensor = net(x)[1]
        return code
