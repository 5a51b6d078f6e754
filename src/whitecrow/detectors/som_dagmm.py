r"""SOM-DAGMM: DAGMM that also sees where a row is among all rows.

A code of few numbers does not keep rows apart that were apart. A self-organising map of
the training rows (see `whitecrow.deep.nets.som`) does: rows close to each other have
winning neurons close to each other. The place of the winner on the grid of side g,

.. math::

    z_s = \left[ \frac{\mathrm{row}(k)}{g - 1}, \frac{\mathrm{column}(k)}{g - 1} \right]
    \quad\text{with}\quad k = \operatorname{argmin}_j \lVert x - w_j \rVert

(0 where g = 1), is appended to the code :math:`z_c = E(x)` and to the features
:math:`z_r = [\lVert x - \hat x \rVert / \lVert x \rVert,\, \cos(x, \hat x)]` of the
reconstruction: :math:`z = [z_c, z_r, z_s]`. The rest is DAGMM, with energy E in a
mixture of K Gaussians (see `whitecrow.deep.mixture`):

.. math::

    J = \operatorname{mean}_i \Bigl( \lVert x_i - \hat x_i \rVert^2
        + \lambda_1 E(z_i) \Bigr) + \lambda_2 \sum_k \sum_j 1 / \Sigma_{kjj}, \qquad
    \mathrm{score}(x) = E(z)

The maps are trained first and then stay as they are: no gradient passes them, and the
places of the training rows are computed once.

Source: Chen et al., Self-Organizing Map assisted Deep Autoencoding Gaussian Mixture
Model for Intrusion Detection, arXiv 2008.12686, 2020; specs/deep_unsupervised.md 2.3.
"""

from __future__ import annotations

from dataclasses import KW_ONLY
from typing import Annotated, Any, ClassVar

import torch
from jaxtyping import Float, Float64
from torch import Tensor, nn

from whitecrow.deep import device
from whitecrow.deep.mixture import AutoencodedMixture, MixtureDetector
from whitecrow.deep.nets import som
from whitecrow.deep.run import Batch, Losses, Run
from whitecrow.parameters import Auto, Count, Patience, between, fitted, fixed, options

__all__ = ["SOMDAGMM"]

# DAGMM's, with the map of the reference code: specs/deep_unsupervised.md 2.2 and 2.3.
_PAPER = {
    "ae_act_fn": "tanh",
    "scaling": "minmax",
    "epochs": 200,
    "batch_size": 1024,
    "lr": 1e-4,
    "som_algorithm": "online",
}
_NRCAN = {**_PAPER, "weight_decay": 1e-4, "n_mixtures": 2}


class _MappedMixture(nn.Module):
    """The maps, and the network of DAGMM over rows and their places on the maps."""

    has_member_axis = True

    def __init__(
        self, maps: som.SelfOrganisingMaps, mixture: AutoencodedMixture
    ) -> None:
        super().__init__()
        self.maps = maps
        self.mixture = mixture

    def forward(
        self, x: Float[Tensor, "*members batch d"]
    ) -> tuple[
        Float64[Tensor, "*members batch z"],
        Float64[Tensor, "*members batch k"],
        Float[Tensor, "*members batch"],
    ]:
        """Return `(z, membership, distance)`, as `AutoencodedMixture` does."""
        result: tuple[Tensor, Tensor, Tensor] = self.mixture(
            torch.cat([x, self.maps(x)], dim=-1)
        )
        return result


class SOMDAGMM(MixtureDetector):
    """DAGMM assisted by self-organising maps, for tables.

    Parameters
    ----------
    n_soms : int
        Maps, each from a seed of its own.
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
    som_side : "auto" or int
        Neurons along a side of a map. "auto" is half of the root of 5 sqrt(n) for n
        training rows, from 1 to 32.
    som_algorithm : {"batch", "online"}
        How a map is trained: by the mean of all rows around a neuron, once an epoch,
        or by steps towards a few rows at a time.
    som_epochs : int
        Passes over the rows to train a map.
    som_lr : float
        First step size of "online".
    scaling : {"standard", "minmax", "robust", "none"}
        Units of the columns.
    epochs, batch_size, lr, weight_decay
        Adam. Batches are made equally large, up to `batch_size`.
    n_members : int
        Networks to train side by side, each with maps of its own; energies are
        averaged.
    contamination : "auto" or float in (0, 0.5]
        Share of training rows to call anomalies; "auto" looks at the scores.
    device : {"auto", "cpu", "cuda", "mps"}
        Where to train and score.
    random_state : int, Generator or None
        First weights of maps and networks, dropout and order of rows.

    Attributes
    ----------
    som_side_ : int
        Neurons along a side of each map.
    mass_ : ndarray of shape (n_members, n_mixtures)
        Training rows of each component, as a sum of memberships.
    means_ : ndarray of shape (n_members, n_mixtures, z)
        Mean of each component; `latent` gives the z of rows, places on the maps last.
    covariances_ : ndarray of shape (n_members, n_mixtures, z, z)
        Covariance of each component.

    Warns
    -----
    UserWarning
        When a component has no rows after training.

    Notes
    -----
    NOTE[DIFF] Neighbours on the grid learn together. In the reference code the
    neighbourhood is the winner alone, so that places mean nothing, and the map sees
    the first 8000 rows of the file, test rows and anomalies among them.

    NOTE[DIFF] Places are in [0, 1] as the paper says; in the reference code they are
    the row and column themselves, up to 31.

    NOTE[DIFF] The mixture that scores is that of all training rows. The reference code
    estimates it anew from each test batch, so that a score depends on its company.

    NOTE[DIFF] The weights lambda are those of DAGMM and of the reference's manual; in
    the reference code the two are swapped, without a reason given.

    Examples
    --------
    >>> import numpy as np
    >>> from whitecrow import SOMDAGMM
    >>> rng = np.random.default_rng(0)
    >>> t = rng.uniform(-1, 1, 500)
    >>> X = np.c_[t, t**2, 1 - t] + rng.normal(0, 0.01, (500, 3))
    >>> model = SOMDAGMM(epochs=50, random_state=0).fit(X)
    >>> usual, odd = model.anomaly_score([[0.5, 0.25, 0.5], [0.5, 0.9, -0.5]])
    >>> bool(odd > usual)
    True
    >>> model.latent(X).shape  # code, two features, row and column on the map
    (500, 9)
    """

    n_soms: Count = 1
    _: KW_ONLY
    som_side: Auto | Count = "auto"
    som_algorithm: Annotated[str, options(*som.ALGORITHMS)] = "batch"
    som_epochs: Count = 10
    som_lr: Annotated[float, between(0, 1, closed="right")] = 0.6
    patience: Patience = fixed(None)  # held-out rows have no place on the maps

    # "paper" is for KDD, "nrcan-2022" is specs/deep_unsupervised.md 7
    presets: ClassVar[dict[str, dict[str, Any]]] = {
        "paper": {**_PAPER, "hidden": (60, 30, 10, 1)},
        "paper-ids2018": {**_PAPER, "hidden": (60, 30, 10, 1), "som_lr": 0.8},
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
            "batch_size": 128,
            "scaling": "standard",
        },
        "nrcan-2022-thyroid": {
            **_NRCAN,
            "hidden": (12, 4, 1),
            "scaling": "standard",
        },
    }

    som_side_: int = fitted()

    def _build(self, shape: tuple[int, ...]) -> nn.Module:
        # Of a fit, `_begin` gives the maps the side that its rows need.
        side = getattr(self, "som_side_", 1)
        maps = som.SelfOrganisingMaps(self.n_soms, side, shape[0])
        mixture = self._mixture_net(shape[0], n_further=2 * self.n_soms)
        return _MappedMixture(maps, mixture)

    def _begin(self, run: Run) -> None:
        """Train the maps of each member; the places of the rows on them are targets."""
        super()._begin(run)
        maps, own = _maps(run.net), _rows_of_members(run)
        if run.fresh:
            auto = self.som_side == "auto"
            self.som_side_ = som.grid_side(run.n) if auto else int(self.som_side)
            maps.resize(self.som_side_)
            for member, (x, seed) in enumerate(zip(own, run.seeds, strict=True)):
                self._learn_maps(maps, x, seed, member)
        places = [maps.of_member(x, member) for member, x in enumerate(own)]
        run.targets = places[0] if run.rows.ndim == 1 else torch.stack(places)

    def _learn_maps(
        self, maps: som.SelfOrganisingMaps, x: Tensor, seed: int, member: int
    ) -> None:
        for number, own in enumerate(device.seeds(seed, self.n_soms)):
            weight = som.train_map(
                x,
                self.som_side_,
                algorithm=self.som_algorithm,
                epochs=self.som_epochs,
                lr=self.som_lr,
                generator=torch.Generator().manual_seed(own),
            )
            maps.store(weight, number, member)

    def _losses(self, net: nn.Module, batch: Batch) -> Losses:
        assert batch.targets is not None
        with_places = torch.cat([batch.x, batch.targets], dim=-1)
        return Losses(self._objective(net.get_submodule("mixture"), with_places))

    def _score(self, net: nn.Module, x: Tensor) -> Tensor:
        return self._energy(net, x)


def _maps(net: nn.Module) -> som.SelfOrganisingMaps:
    assert isinstance(net, _MappedMixture)
    return net.maps


def _rows_of_members(run: Run) -> Tensor:
    """Return rows (members, n, d), of one set that all share or one for each."""
    sets = run.x.view(-1, run.n, run.x.shape[-1])
    return sets.expand(len(run.seeds), -1, -1)
