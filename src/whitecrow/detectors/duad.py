r"""DUAD: an autoencoder that chooses its training rows, for polluted training data.

Anomalies are few and scattered, so that clusters which hold them are wide. Rows are
clustered by a Gaussian mixture, first as they are and later by
:math:`z = [E(x), \cos(x, \hat x)]`, and only those of clusters with a low variance

.. math::

    v_k = \frac{1}{n_k} \sum_{i \in k} \lVert z_i - \mu_k \rVert^2 \le
    \operatorname{quantile}_{1 - p}(v)

train the autoencoder:

.. math::

    l_n(x) = \lVert x - \hat x \rVert^2 + \mathrm{reg}\, \lVert z \rVert_2, \qquad
    \mathrm{score}(x) = \lVert x - \hat x \rVert^2

All rows are clustered again every few epochs, until the selection stays as it is. There
is no l_a: reconstruction says nothing about what an anomaly should look like.

Source: Li et al., Deep Unsupervised Anomaly Detection, WACV 2021;
specs/deep_unsupervised.md 2.9.
"""

from __future__ import annotations

import warnings
from dataclasses import KW_ONLY
from typing import Annotated, Any, ClassVar, NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture
from torch import Tensor, nn

from whitecrow.deep import Activation, Ruled
from whitecrow.deep.autoencoding import Reconstruction, ReconstructionDetector
from whitecrow.deep.nets.mlp import encoder_widths, mlp
from whitecrow.deep.run import Batch, Losses, Run, Stage
from whitecrow.errors import ParameterError
from whitecrow.parameters import Count, NonNegative, Patience, between, fitted, fixed

__all__ = ["DUAD", "cluster_variances", "kept_clusters"]

# A cluster needs some rows for its variance to say anything.
_ROWS_PER_CLUSTER = 5

# With more columns, full covariances have more entries than there is data for.
_MOST_COLUMNS = 50

# Rows at most from which a mixture is fitted; all rows are then assigned to it.
_MOST_ROWS = 100_000

_MAX_ITER = 400

_PIECE = 65_536

_PUBLISHED = {
    "scaling": "minmax",
    "tol": 0.0,
    "epochs": 200,
    "batch_size": 1024,
    "lr": 1e-4,
}


def cluster_variances(
    z: Float[np.ndarray, "n z"],
    cluster: Int[np.ndarray, "n"],
    means: Float[np.ndarray, "k z"],
) -> Float[np.ndarray, "k"]:
    """Compute each cluster's mean squared distance to its mean; NaN without rows.

    Examples
    --------
    >>> z = np.array([[0.0], [2.0], [5.0]])
    >>> cluster_variances(z, np.array([0, 0, 1]), np.array([[1.0], [5.0], [9.0]]))
    array([ 1.,  0., nan])
    """
    squares = np.square(z - means[cluster]).sum(axis=1)
    total = np.bincount(cluster, weights=squares, minlength=len(means))
    count = np.bincount(cluster, minlength=len(means)).astype(float)
    return np.divide(total, count, out=np.full(len(means), np.nan), where=count > 0)


def kept_clusters(variances: Float[np.ndarray, "k"], p: float) -> Bool[np.ndarray, "k"]:
    """Tell which clusters are kept, leaving out about p percent by variance.

    Examples
    --------
    >>> kept_clusters(np.array([1.0, 0.01, 9.0, np.nan]), 35.0).tolist()
    [True, True, False, False]
    """
    limit = np.nanquantile(variances, (100 - p) / 100)
    # NaN compares as False: clusters without rows are neither kept nor counted.
    return np.asarray(variances <= limit)


class Selection(NamedTuple):
    """Which rows to keep, and the cluster of each row."""

    kept: NDArray[np.bool_]
    cluster: NDArray[np.int64]


def select(
    z: Float[np.ndarray, "n z"],
    *,
    p: float,
    n_clusters: int,
    seed: int,
    start: NDArray[np.int64] | None = None,
) -> Selection:
    """Select the rows of clusters with a low variance.

    Parameters
    ----------
    z : ndarray of shape (n, z)
        What to cluster.
    p : float
        Percent of the clusters to leave out.
    n_clusters, seed
        Of the mixture.
    start : ndarray of shape (n,), optional
        Clusters to start from, those of the last selection: clusters that are found
        anew each time would never settle.
    """
    k = min(n_clusters, len(z) // _ROWS_PER_CLUSTER)
    if k < 2:
        return Selection(np.ones(len(z), bool), np.zeros(len(z), np.int64))
    mixture = _mixture(z, k, seed, start)
    cluster = mixture.predict(z)
    kept = kept_clusters(cluster_variances(z, cluster, mixture.means_), p)
    return Selection(kept[cluster], cluster)


def _mixture(
    z: Float[np.ndarray, "n z"], k: int, seed: int, start: NDArray[np.int64] | None
) -> GaussianMixture:
    if len(z) > _MOST_ROWS:
        chosen = np.random.default_rng(seed).choice(len(z), _MOST_ROWS, replace=False)
        z, start = z[chosen], None if start is None else start[chosen]
    # In units of the data, so that any scaling can be factored.
    ridge = 1e-6 * max(float(z.var(axis=0).mean()), 1e-12)
    full = z.shape[1] <= _MOST_COLUMNS
    first = {} if start is None else _first_components(z, start, ridge, full=full)
    model = GaussianMixture(
        len(first["weights_init"]) if first else k,
        covariance_type="full" if full else "diag",
        max_iter=_MAX_ITER,
        reg_covar=ridge,
        random_state=seed % 2**32,
        **first,
    )
    with warnings.catch_warnings():
        # A selection is needed, not a maximum of the likelihood.
        warnings.simplefilter("ignore", ConvergenceWarning)
        return model.fit(z)


def _first_components(
    z: Float[np.ndarray, "n z"],
    cluster: NDArray[np.int64],
    ridge: float,
    *,
    full: bool,
) -> dict[str, NDArray[np.float64]]:
    """Return arguments that start a mixture from clusters; drop those without rows."""
    parts = [z[cluster == number] for number in np.unique(cluster)]
    spread = [part - part.mean(axis=0) for part in parts]
    if full:
        ridges = ridge * np.eye(z.shape[1])
        precisions = [np.linalg.inv(s.T @ s / len(s) + ridges) for s in spread]
    else:
        precisions = [1 / (np.square(s).mean(axis=0) + ridge) for s in spread]
    return {
        "weights_init": np.array([len(part) for part in parts]) / len(z),
        "means_init": np.array([part.mean(axis=0) for part in parts]),
        "precisions_init": np.array(precisions),
    }


class WithCosine(Reconstruction):
    """Encoder and decoder; gives the reconstruction and z."""

    def forward(
        self, x: Float[Tensor, "*members batch d"]
    ) -> tuple[Float[Tensor, "*members batch d"], Float[Tensor, "*members batch z"]]:
        """Return `(x_hat, z)`."""
        x_hat, code = super().forward(x)
        cosine = torch.cosine_similarity(x, x_hat, dim=-1).unsqueeze(-1)
        return x_hat, torch.cat([code, cosine], dim=-1)


class DUAD(ReconstructionDetector):
    """Deep unsupervised anomaly detection by repeated selection, for tables.

    Parameters
    ----------
    p0, p : float in [0, 100)
        Percent of the clusters, those of highest variance, that do not train: at the
        start, and when rows are selected again.
    r : int
        Epochs between two selections.
    p_s : float
        Without effect; taken because the reference has it, where it is unused.
    n_clusters : int
        Clusters, with five rows each at least.
    tol : float
        Share of the rows that may change for a selection to count as settled.
    max_rounds : int
        Rounds of `epochs` at most.
    latent_dim : int
        Width of the code, for `hidden` "rule"; at most this for "auto".
    reg : float
        Weight of the norm of z.
    hidden : "auto", "rule" or tuple of int
        Widths of the encoder, the last one is that of the code; the decoder mirrors
        them. "auto" is 64, 32 and a third of the columns (at most `latent_dim`).
        "rule" divides the width `n_layers - 1` times by `compression_factor`
        (specs/deep_unsupervised.md 1.2).
    n_layers, compression_factor : int
        The width rule, for `hidden="rule"`.
    act_fn : {"relu", "leaky_relu", "tanh", "sigmoid", "elu"}
        Activation between layers.
    scaling : {"standard", "minmax", "robust", "none"}
        Units of the columns.
    epochs : int
        In a round, after which the selection is compared with the one before.
    batch_size, lr, weight_decay
        Adam; its moments start anew with each selection.
    contamination : "auto" or float in (0, 0.5]
        Share of training rows to call anomalies; "auto" looks at the scores.
    device : {"auto", "cpu", "cuda", "mps"}
        Where to train and score.
    random_state : int, Generator or None
        First weights, clusters and order of rows.

    Attributes
    ----------
    selected_ : ndarray of bool, shape (n,)
        The training rows of the last selection.
    history_ : ndarray of int, shape (selections, 3)
        Of each selection: epochs before it, rows kept, rows that changed.
    stop_reason_ : str
        "converged" or "max_rounds".

    Notes
    -----
    NOTE[DIFF] The reference selects instead of training in every r-th epoch, stops when
    the selection still changes and goes on when it does not, and fails when a cluster
    has no rows. It clusters from scratch each time; here a mixture starts from the last
    clusters, as selections hardly ever settle otherwise.

    Examples
    --------
    >>> import numpy as np
    >>> from whitecrow import DUAD
    >>> from whitecrow.data.synthetic import planted
    >>> X, y = planted("global", 1000, 8, contamination=0.1, random_state=0)
    >>> model = DUAD(random_state=0).fit(X)
    >>> bool(y[model.selected_].mean() < 0.5 * y.mean())
    True
    """

    input_kinds: ClassVar[tuple[str, ...]] = ("table",)
    takes_rules: ClassVar[bool] = False  # it chooses its rows itself

    p0: Annotated[float, between(0, 100)] = 35.0
    p: Annotated[float, between(0, 100)] = 30.0
    _: KW_ONLY
    r: Count = 10
    p_s: float = 35.0
    n_clusters: Count = 20
    tol: Annotated[float, between(0, 1, closed="both")] = 0.01
    max_rounds: Count = 10
    latent_dim: Count = 10
    reg: NonNegative = 0.5
    hidden: Ruled = "auto"
    n_layers: Count = 4
    compression_factor: Count = 2
    act_fn: Activation = "tanh"
    epochs = 20
    batch_size = 64

    # The training of specs/deep_unsupervised.md 1.3; the networks of 1.4 and 7
    presets: ClassVar[dict[str, dict[str, Any]]] = {
        "paper": {**_PUBLISHED, "hidden": (60, 30, 10, 10)},
        "reference": {**_PUBLISHED, "hidden": "rule"},
        "nrcan-2022": {
            **_PUBLISHED,
            "hidden": "rule",
            "latent_dim": 3,
            "act_fn": "relu",
            "n_clusters": 10,
            "weight_decay": 1e-4,
        },
    }

    n_members: int = fixed(1)  # each network has a selection of its own
    patience: Patience = fixed(None)  # the selection says when to stop
    selected_: NDArray[np.bool_] = fitted()
    history_: NDArray[np.int64] = fitted()
    stop_reason_: str = fitted()

    def _build(self, shape: tuple[int, ...]) -> nn.Module:
        widths = self._widths(shape[0])
        encoder, decoder = (mlp(w, act=self.act_fn) for w in (widths, widths[::-1]))
        return WithCosine(encoder, decoder)

    def _widths(self, n_features: int) -> list[int]:
        """Return the widths of the encoder, the code last."""
        return encoder_widths(
            n_features,
            self.hidden,
            auto=(64, 32, min(self.latent_dim, max(1, n_features // 3))),
            n_layers=self.n_layers,
            compression_factor=self.compression_factor,
            latent_dim=self.latent_dim,
        )

    def _losses(self, net: nn.Module, batch: Batch) -> Losses:
        x_hat, z = net(batch.x)
        error = self._squared_error(batch.x, x_hat)
        return Losses(error + self.reg * torch.linalg.vector_norm(z, dim=-1))

    def _score(self, net: nn.Module, x: Tensor) -> Tensor:
        return self._squared_error(x, net(x)[0])

    def _begin(self, run: Run) -> None:
        if len(run.seeds) > 1:
            raise ParameterError(
                "DUAD selects the rows of each fit by themselves, so that seeds cannot "
                "be fitted together; fit them one by one"
            )

    def _train(self, run: Run, stage: Stage) -> None:
        """Train and select in turn until the selection has settled."""
        seed = run.seeds[0]
        last = self._select(run.x.double().cpu().numpy(), self.p0, seed)
        history, done = [(0, last.kept.sum(), 0)], 0
        self.stop_reason_ = "max_rounds"
        for _ in range(self.max_rounds):
            before = last.kept
            for epochs in self._periods():
                run.keep(last.kept)
                run.minimise(self._losses, _period(stage, epochs, done))
                done += epochs
                new = self._select(self._latent(run), self.p, seed, last.cluster)
                changed = (new.kept != last.kept).sum()
                history.append((done, new.kept.sum(), changed))
                last = new
            if (last.kept != before).sum() <= self.tol * len(before):
                self.stop_reason_ = "converged"
                break
        self.selected_ = last.kept
        self.history_ = np.array(history, dtype=np.int64)

    def _periods(self) -> list[int]:
        """Return the number of epochs before each selection of a round."""
        whole, rest = divmod(self.epochs, self.r)
        return [self.r] * whole + [rest] * (rest > 0)

    def _select(
        self,
        z: NDArray[np.float64],
        p: float,
        seed: int,
        start: NDArray[np.int64] | None = None,
    ) -> Selection:
        return select(z, p=p, n_clusters=self.n_clusters, seed=seed, start=start)

    @torch.no_grad()
    def _latent(self, run: Run) -> NDArray[np.float64]:
        """Compute what rows are clustered by once there is a network."""
        net = run.net.eval()
        z = [net(piece)[1].double().cpu().numpy() for piece in run.x.split(_PIECE)]
        net.train()
        return np.concatenate(z)


def _period(stage: Stage, epochs: int, done: int) -> Stage:
    """Return the stage until the next selection, with an order of rows of its own."""
    return stage._replace(epochs=epochs, batches=lambda run, _: run.batches(done))
