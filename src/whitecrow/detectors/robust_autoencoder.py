r"""Robust autoencoder: it does not learn to reproduce what looks anomalous already.

With the squared error :math:`e(x) = \lVert x - D(E(x)) \rVert^2`,

.. math::

    l_n(x) = e(x) + \mathrm{reg} \, \lVert E(x) \rVert_2, \qquad
    l_a(x) = \frac{1}{e(x) + \epsilon} + \mathrm{reg} \, \lVert E(x) \rVert_2, \qquad
    \mathrm{score}(x) = e(x).

In each batch the share `ratio` of rows that come first by :math:`l_n - l_a` is taken
for anomalies. These pay :math:`l_a` ("hard"), the mean of both losses ("soft"), or
nothing ("refine"); all others pay :math:`l_n`.

Source: specs/deep_unsupervised.md 2.16, of the code for Nkashama et al., Robustness
Evaluation of Deep Unsupervised Learning Algorithms for Intrusion Detection Systems,
arXiv 2207.03576; the rules are those of Qiu et al., Latent Outlier Exposure, ICML 2022.
"""

from __future__ import annotations

from dataclasses import KW_ONLY
from typing import Annotated, Any, ClassVar

from torch import Tensor, nn

from whitecrow.deep import Activation, Network, Widths
from whitecrow.deep.autoencoding import Reconstruction, ReconstructionDetector, halves
from whitecrow.deep.nets.mlp import encoder_widths
from whitecrow.deep.run import Batch, Losses, Run, Stage
from whitecrow.parameters import Natural, NonNegative, Share, options
from whitecrow.supervision import Rule, latent, refine, unlabelled

__all__ = ["RobustAutoEncoder"]

# Keeps the loss of an anomaly finite.
_EPSILON = 1e-6


class RobustAutoEncoder(ReconstructionDetector):
    """Autoencoder for training rows with anomalies among them.

    Unsupervised: `y` is ignored.

    Parameters
    ----------
    hidden : "auto" or tuple of int
        Widths of the encoder, the last one is that of the code; the decoder mirrors
        them. "auto" gives 64, 32 and a code of a third of the columns (at least 1, at
        most 10).
    ratio : float in [0, 1)
        Assumed share of anomalies in the training rows; 0 is a plain autoencoder with
        a penalty. Too high does less harm than too low.
    robust : {"hard", "soft", "refine"}
        What a row taken for an anomaly costs.
    warm_up_epochs : int
        Epochs, of all `epochs`, in which every row counts as normal.
    reg : float
        Weight of the norm of the code.
    act_fn : {"relu", "leaky_relu", "tanh", "sigmoid", "elu"}
        Activation between layers.
    network : str or callable
        "auto" takes a perceptron for tables and a convolutional network for pictures;
        or a name from `whitecrow.deep.nets.lenet`; or a callable from the shape of a
        row to `(encoder, decoder)`.
    scaling : {"standard", "minmax", "robust", "none"}
        Units of the columns of a table; pictures are scaled to [0, 1].
    epochs, batch_size, lr, weight_decay
        Adam.
    n_members : int
        Networks to train side by side; scores are averaged.
    contamination : "auto" or float in (0, 0.5]
        Share of training rows to call anomalies; "auto" looks at the scores.
    patience : int or None
        As for `AutoEncoder`.
    device : {"auto", "cpu", "cuda", "mps"}
        Where to train and score.
    random_state : int, Generator or None
        First weights and order of rows.

    Notes
    -----
    NOTE[DIFF] The reference code has no epsilon, no warm-up and no other variant than
    "hard", and it cuts the number of anomalies in a batch to a whole number.

    Examples
    --------
    >>> import numpy as np
    >>> from whitecrow import RobustAutoEncoder
    >>> rng = np.random.default_rng(0)
    >>> t = rng.uniform(-1, 1, (300, 1))
    >>> X = np.concatenate([np.hstack([t, t, -t]), rng.normal(size=(30, 3))])
    >>> scores = RobustAutoEncoder(epochs=60, random_state=0).fit(X).anomaly_score(X)
    >>> bool(np.median(scores[300:]) > 10 * np.median(scores[:300]))
    True
    """

    has_l_a: ClassVar[bool] = True

    hidden: Widths = "auto"
    _: KW_ONLY
    ratio: Share = 0.2
    robust: Annotated[str, options("hard", "soft", "refine")] = "hard"
    warm_up_epochs: Natural = 2
    reg: NonNegative = 0.5
    act_fn: Activation = "relu"
    network: Network = "auto"
    batch_size = 64

    presets: ClassVar[dict[str, dict[str, Any]]] = {
        "reference": {
            "warm_up_epochs": 0,
            "lr": 1e-4,
            "epochs": 200,
            "scaling": "minmax",
        }
    }

    def _build(self, shape: tuple[int, ...]) -> nn.Module:
        encoder, decoder = halves(
            shape, network=self.network, widths=self._widths, act=self.act_fn
        )
        return Reconstruction(encoder, decoder)

    def _widths(self, n_features: int) -> list[int]:
        code = min(10, max(1, n_features // 3))
        return encoder_widths(n_features, self.hidden, auto=(64, 32, code))

    def _losses(self, net: nn.Module, batch: Batch) -> Losses:
        x_hat, code = net(batch.x)
        error = self._squared_error(batch.x, x_hat)
        penalty = self.reg * code.norm(dim=-1) if self.reg else 0.0
        return Losses(error + penalty, 1 / (error + _EPSILON) + penalty)

    def _score(self, net: nn.Module, x: Tensor) -> Tensor:
        return self._squared_error(x, net(x)[0])

    def _begin(self, run: Run) -> None:
        warm = min(self.warm_up_epochs, self.epochs)
        run.plan(
            Stage("warm-up", unlabelled, warm),
            Stage(self.robust, self._rule(), self.epochs - warm),
        )

    def _rule(self) -> Rule:
        if self.robust == "refine":
            return refine(self.ratio)
        return latent(self.ratio, soft=self.robust == "soft")
