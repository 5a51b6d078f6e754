r"""What DAGMM and SOM-DAGMM share: a Gaussian mixture over the codes of a network.

A network gives each row a vector :math:`z` and soft memberships :math:`\gamma`. The
mixture is not fitted by EM but read off them:

.. math::

    \varphi_k = \frac{1}{N} \sum_i \gamma_{ik}, \qquad
    \mu_k = \frac{\sum_i \gamma_{ik} z_i}{\sum_i \gamma_{ik}}, \qquad
    \Sigma_k = \frac{\sum_i \gamma_{ik} (z_i - \mu_k)(z_i - \mu_k)^\top}
                    {\sum_i \gamma_{ik}}

and the energy of a row is its negative log-density,
:math:`E(z) = -\log \sum_k \varphi_k \mathcal N(z; \mu_k, \Sigma_k)`. All of it is
float64; every function takes leading member dimensions.

Source: Zong et al., Deep Autoencoding Gaussian Mixture Model for Unsupervised Anomaly
Detection, ICLR 2018; specs/deep_unsupervised.md 2.2.
"""

from __future__ import annotations

import copy
import math
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import KW_ONLY
from functools import reduce
from typing import Annotated, Any, ClassVar, NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Float64
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from whitecrow.deep.detector import Activation, DeepDetector, Ruled
from whitecrow.deep.device import answers_at_once, wide
from whitecrow.deep.nets.mlp import encoder_widths, mlp
from whitecrow.deep.run import Run
from whitecrow.detector import Rows, Scores
from whitecrow.parameters import Count, NonNegative, Share, fitted, options

__all__ = [
    "AutoencodedMixture",
    "Mixture",
    "MixtureDetector",
    "energy",
    "estimate",
    "even_batch_size",
    "merge",
    "of_batch",
    "penalty",
    "reconstruction_features",
    "regularise",
]

# Added to the diagonal, in units of its mean, until a covariance can be factored.
_LEVELS = (0.0, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2)

# A component with a smaller share of the rows describes nothing.
_DEAD = 1e-6

# A row is not taken to be shorter than this, in units of a row whose columns are 1.
_SHORTEST = 1e-3

_TINY = 1e-300

# Width of the hidden layer of the estimation network in all of the papers' settings.
_ESTIMATION = 10


class Mixture(NamedTuple):
    """Components of a mixture; all float64.

    Attributes
    ----------
    mass : Tensor of shape (..., k)
        Sum of the memberships of each component.
    mean : Tensor of shape (..., k, z)
    covariance : Tensor of shape (..., k, z, z)
    """

    mass: Float64[Tensor, "*members k"]
    mean: Float64[Tensor, "*members k z"]
    covariance: Float64[Tensor, "*members k z z"]


def estimate(
    z: Float64[Tensor, "*members batch z"],
    membership: Float64[Tensor, "*members batch k"],
) -> Mixture:
    """The mixture that memberships define.

    Examples
    --------
    >>> z = torch.tensor([[0.0], [2.0], [9.0]], dtype=torch.float64)
    >>> membership = torch.tensor([[1, 0], [1, 0], [0, 1]], dtype=torch.float64)
    >>> mixture = estimate(z, membership)
    >>> mixture.mean.squeeze().tolist(), mixture.covariance.squeeze().tolist()
    ([1.0, 9.0], [1.0, 0.0])
    """
    # Rows lie along the last axis: lines of z or k numbers would be slow to work on.
    rows, weight = z.mT.contiguous(), membership.mT.contiguous()
    mass = weight.sum(-1).clamp(min=_TINY)
    share = weight / mass.unsqueeze(-1)
    mean = share @ rows.mT
    off = rows.unsqueeze(-3) - mean.unsqueeze(-1)
    return Mixture(mass, mean, (share.unsqueeze(-2) * off) @ off.mT)


def merge(first: Mixture, second: Mixture) -> Mixture:
    """The mixture of two sets of rows from the mixtures of each.

    Exact, and without the cancellation of sums of squares (Chan, Golub and LeVeque,
    Updating Formulae and a Pairwise Algorithm for Computing Sample Variances, 1979).
    """
    mass = first.mass + second.mass
    part = (second.mass / mass).unsqueeze(-1)
    step = second.mean - first.mean
    between = (part * (1 - part)).unsqueeze(-1) * outer(step)
    part_of_matrix = part.unsqueeze(-1)
    within = torch.lerp(first.covariance, second.covariance, part_of_matrix)
    return Mixture(mass, first.mean + part * step, within + between)


def outer(x: Float64[Tensor, "*n z"]) -> Float64[Tensor, "*n z z"]:
    """`x x^T` of each vector."""
    return x.unsqueeze(-1) * x.unsqueeze(-2)


def regularise(mixture: Mixture, reg_covar: float) -> Mixture:
    """The mixture with covariances that have a Cholesky factor.

    `reg_covar` is added to the diagonal. Where that is not enough, so is the smallest
    of 1e-6, 1e-5 ... 1e-2 times the mean of the diagonal that is. All of them are
    tried at once: nothing waits for an accelerator's answer.
    """
    covariance = mixture.covariance
    identity = torch.eye(covariance.shape[-1], dtype=torch.float64).to(covariance)
    if answers_at_once(covariance):
        usual = covariance + reg_covar * identity
        if not torch.linalg.cholesky_ex(usual.detach()).info.any():
            return mixture._replace(covariance=usual)
    with torch.no_grad():
        size = covariance.diagonal(dim1=-2, dim2=-1).mean(-1, keepdim=True)
        levels = torch.tensor(_LEVELS, dtype=torch.float64).to(covariance)
        jitter = reg_covar + levels * size.clamp(min=1e-12)
        tried = covariance.unsqueeze(-3) + jitter[..., None, None] * identity
        works = torch.linalg.cholesky_ex(tried).info == 0
        # The first that works, or the last one.
        works[..., -1] = True
        chosen = jitter.gather(-1, works.int().argmax(-1, keepdim=True))
    return mixture._replace(covariance=covariance + chosen.unsqueeze(-1) * identity)


def energy(
    z: Float64[Tensor, "*members batch z"], mixture: Mixture
) -> Float64[Tensor, "*members batch"]:
    """Negative log-density of each row, however far it is from all components."""
    log_density, *_ = _log_densities(z, mixture)
    return -log_density.logsumexp(-2)


def _log_densities(
    z: Float64[Tensor, "*members batch z"], mixture: Mixture
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Logarithms of phi_k N(z), shape (..., k, batch), and what they are made of.

    That is the Cholesky factor L of each covariance and its inverse, (..., k, z, z),
    and the whitened rows `L^-1 (z - mean)`, (..., k, z, batch).
    """
    factor = torch.linalg.cholesky_ex(mixture.covariance).L
    identity = torch.eye(z.shape[-1], dtype=z.dtype, device=z.device)
    inverse = torch.linalg.solve_triangular(factor, identity, upper=False)
    white = inverse @ (z.mT.contiguous().unsqueeze(-3) - mixture.mean.unsqueeze(-1))
    log_scale = factor.diagonal(dim1=-2, dim2=-1).log().sum(-1)
    constant = z.shape[-1] / 2 * math.log(2 * math.pi)
    log_share = (mixture.mass / mixture.mass.sum(-1, keepdim=True)).log()
    at_mean = (log_share - log_scale - constant).unsqueeze(-1)
    return at_mean - white.square().sum(-2) / 2, factor, inverse, white


def penalty(mixture: Mixture) -> Float64[Tensor, "*members"]:
    """Sum of 1 / variance over all components and coordinates."""
    return mixture.covariance.diagonal(dim1=-2, dim2=-1).reciprocal().sum((-1, -2))


def of_batch(
    z: Float64[Tensor, "*members batch z"],
    membership: Float64[Tensor, "*members batch k"],
    reg_covar: float,
) -> tuple[Float64[Tensor, "*members batch"], Float64[Tensor, "*members"]]:
    """Energies of rows under the mixture that they define, and its penalty.

    The same as `estimate`, `regularise`, `energy` and `penalty` one after the other,
    but for the way back: it is written down, and passes over rows and components a
    third as often.
    """
    energies, small = _OfBatch.apply(  # type: ignore[no-untyped-call]
        z, membership, reg_covar
    )
    return energies, small


class _OfBatch(torch.autograd.Function):
    """`of_batch` and its derivative."""

    @staticmethod
    def forward(
        ctx: Any, z: Tensor, membership: Tensor, reg_covar: float
    ) -> tuple[Tensor, Tensor]:
        mixture = regularise(estimate(z, membership), reg_covar)
        log_density, *parts = _log_densities(z, mixture)
        ctx.save_for_backward(membership, *mixture, log_density, *parts)
        return -log_density.logsumexp(-2), penalty(mixture)

    @staticmethod
    @once_differentiable
    def backward(
        ctx: Any, of_energy: Tensor, of_penalty: Tensor
    ) -> tuple[Tensor, Tensor, None]:
        membership, mass, _, covariance, log_density, *parts = ctx.saved_tensors
        factor, inverse, white = parts
        mass = mass.unsqueeze(-1)
        share = membership.mT / mass
        # To the mixture, in whitened coordinates; a covariance counts twice.
        pull = of_energy.unsqueeze(-2) * log_density.softmax(-2)
        total = pull.sum(-1, keepdim=True)
        of_white = pull.unsqueeze(-2) * white
        of_mean = -of_white.sum(-1, keepdim=True)
        variance = covariance.diagonal(dim1=-2, dim2=-1).unsqueeze(-1)
        scaled = factor * (2 * of_penalty[..., None, None, None] / variance.square())
        of_covariance = -(factor.mT @ scaled) - of_white @ white.mT
        of_covariance.diagonal(dim1=-2, dim2=-1).add_(total)
        # And on to the rows that made it
        moved = (of_covariance @ white).add_(of_mean)
        of_white.addcmul_(share.unsqueeze(-2), moved)
        of_z = inverse.flatten(-3, -2).mT @ of_white.flatten(-3, -2)
        of_share = moved.add_(of_mean).mul_(white).sum(-2) / 2
        of_share -= (share * of_share).sum(-1, keepdim=True)
        of_mass = total.sum(-2, keepdim=True) / mass.sum(-2, keepdim=True)
        of_membership = (of_share - total) / mass + of_mass
        return of_z.mT, of_membership.mT, None


def reconstruction_features(
    x: Float[Tensor, "*members batch d"], x_hat: Float[Tensor, "*members batch d"]
) -> tuple[Float64[Tensor, "*members batch 2"], Float[Tensor, "*members batch"]]:
    """Relative distance `|x - x_hat| / |x|` and cosine of the two; and the distance.

    NOTE[DIFF] A row shorter than 1e-3 sqrt(d) is taken to be that long: an all-zero row
    would otherwise be infinitely far from its reconstruction.

    Examples
    --------
    >>> x, x_hat = torch.tensor([[3.0, 4.0]]), torch.tensor([[3.0, 0.0]])
    >>> reconstruction_features(x, x_hat)
    (tensor([[0.8000, 0.6000]], dtype=torch.float64), tensor([4.]))
    """
    lengths = _Lengths.apply(x, x_hat)  # type: ignore[no-untyped-call]
    distance, length, length_hat, product = lengths
    length = length.clamp(min=_SHORTEST * math.sqrt(x.shape[-1]))
    cosine = product / (length * length_hat.clamp(min=1e-15))
    return torch.stack([distance / length, cosine], dim=-2).mT, distance.to(x)


class _Lengths(torch.autograd.Function):
    """`|x - y|`, `|x|`, `|y|` and `x y` of each pair of rows, one after the other.

    They are summed in the precision of the rows: in float64 they would cost more than
    training does. So would their derivatives, were they not taken together.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, y: Tensor) -> Tensor:
        off = x - y
        lengths = [torch.linalg.vector_norm(rows, dim=-1) for rows in (off, x, y)]
        found = wide(torch.stack([*lengths, torch.linalg.vecdot(x, y)]))
        ctx.save_for_backward(off, x, y, found)
        return found

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, slopes: Tensor) -> tuple[Tensor | None, Tensor]:
        off, x, y, found = ctx.saved_tensors
        # Where a length is 0, so is the row that its slope is multiplied by.
        by_length = slopes[:3] / found[:3].clamp(min=1e-20)
        of_off, of_x, of_y = by_length.to(x).unsqueeze(-1)
        of_both = slopes[3].to(x).unsqueeze(-1)
        slope = (of_y * y).addcmul_(of_off, off, value=-1).addcmul_(of_both, x)
        if not ctx.needs_input_grad[0]:
            return None, slope
        return of_off * off + of_x * x + of_both * y, slope


def exact(net: nn.Module) -> nn.Module:
    """A copy of a network that computes in float64.

    An energy multiplies rounding errors of z by up to 1 / variance: in float32 the
    score of a row would depend on the rows that it is scored with. A network that does
    so already is returned itself.
    """
    if next(net.parameters()).dtype == torch.float64:
        return net
    twin = copy.deepcopy(net)
    on_mps = next(net.parameters()).device.type == "mps"
    return (twin.cpu() if on_mps else twin).double()


def even_batch_size(n: int, batch_size: int) -> int:
    """The largest size up to `batch_size` that leaves no small last batch.

    Statistics of a handful of rows would be wild, and the optimiser remembers them.

    Examples
    --------
    >>> even_batch_size(1030, 256)
    206
    """
    return math.ceil(n / math.ceil(n / batch_size))


class AutoencodedMixture(nn.Module):
    """Autoencoder, reconstruction features, and an estimation network over both.

    Input columns beyond those of the autoencoder pass into z as they are.
    """

    has_member_axis = True

    def __init__(
        self,
        widths: Sequence[int],
        n_mixtures: int,
        *,
        n_further: int = 0,
        ae_act: str,
        gmm_act: str,
        dropout: float,
    ) -> None:
        super().__init__()
        self.n_features = widths[0]
        self.encoder = mlp(widths, act=ae_act)
        self.decoder = mlp(widths[::-1], act=ae_act)
        estimation = (widths[-1] + 2 + n_further, _ESTIMATION, n_mixtures)
        self.estimation = mlp(estimation, act=gmm_act, dropout=dropout)

    def forward(
        self, x: Float[Tensor, "*members batch d"]
    ) -> tuple[
        Float64[Tensor, "*members batch z"],
        Float64[Tensor, "*members batch k"],
        Float[Tensor, "*members batch"],
    ]:
        """`(z, membership, distance)`; the distance is that to the reconstruction."""
        rows, further = x[..., : self.n_features], x[..., self.n_features :]
        code = self.encoder(rows)
        x_hat = self.decoder(code)
        features, distance = reconstruction_features(rows, x_hat)
        # Columns one after the other, as the mixture needs them.
        parts = wide(code), features, wide(further)
        z = torch.cat([part.mT for part in parts], dim=-2).mT
        logits = self.estimation(z.to(x))
        return z, wide(logits).mT.softmax(-2).mT, distance


class MixtureDetector(DeepDetector):
    """The mechanism of detectors whose score is the energy of such a mixture.

    Explanations are by occlusion. Gradients along a path from the typical row would
    start where rows are short, and relative distances mean nothing.

    Attributes
    ----------
    mass_ : ndarray of shape (n_members, n_mixtures)
        Training rows of each component, as a sum of memberships.
    means_ : ndarray of shape (n_members, n_mixtures, z)
    covariances_ : ndarray of shape (n_members, n_mixtures, z, z)
    """

    input_kinds: ClassVar[tuple[str, ...]] = ("table",)
    explanation: ClassVar[str] = "occlusion"
    _one_unit: ClassVar[bool] = True  # energies

    _: KW_ONLY
    n_mixtures: Count = 4
    latent_dim: Count = 5
    lambda_1: NonNegative = 0.1
    lambda_2: NonNegative = 0.005
    reg_covar: NonNegative = 1e-6
    recon: Annotated[str, options("sum", "mean")] = "sum"
    hidden: Ruled = "auto"
    n_layers: Count = 4
    compression_factor: Count = 2
    ae_act_fn: Activation = "relu"
    gmm_act_fn: Activation = "tanh"
    dropout: Share = 0.5
    batch_size = 256
    mass_: NDArray[np.float64] = fitted()
    means_: NDArray[np.float64] = fitted()
    covariances_: NDArray[np.float64] = fitted()

    def latent(self, X: Any) -> NDArray[np.float64]:
        """The vectors z in which the mixture lives.

        Parameters
        ----------
        X : array-like of shape (n, d)
            Rows like those of training.

        Returns
        -------
        ndarray of shape (n, z), or (n_members, n, z) where there are several
            Code, relative distance, cosine, and what a method appends.
        """
        rows = self._check_rows(X, reset=False)
        parts = [z.cpu().numpy() for z, _ in self._passes(rows)]
        return np.asarray(np.concatenate(parts, axis=-2))

    def _mixture_net(
        self, n_features: int, *, n_further: int = 0
    ) -> AutoencodedMixture:
        """The untrained network over so many columns."""
        return AutoencodedMixture(
            self._widths(n_features),
            self.n_mixtures,
            n_further=n_further,
            ae_act=self.ae_act_fn,
            gmm_act=self.gmm_act_fn,
            dropout=self.dropout,
        )

    def _objective(self, net: nn.Module, x: Tensor) -> Tensor:
        """J of each row of a batch, with the mixture of the batch.

        The squared error, lambda_1 times the energy, and lambda_2 times the penalty,
        which is the same for each row, so that the mean over the batch is J.
        """
        z, membership, distance = net(x)
        error = distance.square()
        if self.recon == "mean":
            error = error / self.input_shape_[0]
        energies, small = of_batch(z, membership, self.reg_covar)
        rest = self.lambda_1 * energies + self.lambda_2 * small.unsqueeze(-1)
        return error + rest.to(error.dtype).to(error.device)

    def _widths(self, n_features: int) -> list[int]:
        """Of the encoder, the code last."""
        return encoder_widths(
            n_features,
            self.hidden,
            auto=(64, 32, self.latent_dim),
            n_layers=self.n_layers,
            compression_factor=self.compression_factor,
            latent_dim=self.latent_dim,
        )

    def _begin(self, run: Run) -> None:
        run.batch_size = even_batch_size(run.n, run.batch_size)

    def _end(self, run: Run) -> None:
        """Estimate the mixture of all training rows, in one pass without dropout."""
        net = exact(run.net)
        passes = (net(wide(run.rows_at(index)))[:2] for index in run.passes())
        mixture = reduce(merge, (estimate(*pair) for pair in passes))
        mixture = self._revive(mixture)
        mass, means, covariances = (part.cpu().numpy() for part in mixture)
        shape = self.n_members, self.n_mixtures
        self.mass_ = mass.reshape(shape)
        self.means_ = means.reshape(*shape, -1)
        self.covariances_ = covariances.reshape(*self.means_.shape, -1)

    def _revive(self, mixture: Mixture) -> Mixture:
        """Give components without rows the mean and covariance of all rows."""
        n = mixture.mass.sum(-1, keepdim=True)
        dead = mixture.mass < _DEAD * n
        if not dead.any():
            return mixture
        warnings.warn(
            f"{type(self).__name__}: {int(dead.sum())} of {dead.numel()} components of "
            "the mixture have no rows; a smaller n_mixtures says the same",
            UserWarning,
            stacklevel=3,
        )
        share = (mixture.mass / n).unsqueeze(-1)
        mean = (share * mixture.mean).sum(-2, keepdim=True)
        spread = mixture.covariance + outer(mixture.mean - mean)
        whole = (share.unsqueeze(-1) * spread).sum(-3, keepdim=True)
        return Mixture(
            mixture.mass,
            torch.where(dead.unsqueeze(-1), mean, mixture.mean),
            torch.where(dead[..., None, None], whole, mixture.covariance),
        )

    @torch.no_grad()
    def _passes(self, X: Rows) -> Iterator[tuple[Tensor, Tensor]]:
        """`(z, membership)` of the rows, in pieces."""
        net = exact(self.net_)
        for piece in self._pieces(X):
            z, membership, _ = net(wide(self._input(piece)))
            yield z, membership

    def _member_scores(self, X: Rows) -> Scores:
        """Scores of each member, by one copy of the network for all pieces."""
        twin = copy.copy(self)
        twin.net_ = exact(self.net_)
        return super(MixtureDetector, twin)._member_scores(X)

    def _energy(self, net: nn.Module, x: Tensor) -> Tensor:
        """Energy of rows under the mixture of all training rows."""
        z, _, _ = exact(net)(wide(x))
        arrays = self.mass_, self.means_, self.covariances_
        alone = self.n_members == 1
        parts = [torch.from_numpy(a[0] if alone else a).to(z.device) for a in arrays]
        return energy(z, regularise(Mixture(*parts), self.reg_covar))
