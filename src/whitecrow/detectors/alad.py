r"""ALAD: two adversarial cycles; an odd row does not come back as it was.

An encoder E and a generator G play against three discriminators, which see pairs:

============ ==================== ====================
game         real                 fake
============ ==================== ====================
:math:`D_xz` :math:`x, E(x)`      :math:`G(z), z`
:math:`D_xx` :math:`x, x`         :math:`x, G(E(x))`
:math:`D_zz` :math:`z, z`         :math:`z, E(G(z))`
============ ==================== ====================

with :math:`z \sim N(0, I)`. For logits :math:`r, f` of a real and a fake pair a
discriminator minimises :math:`\mathrm{softplus}(-r) + \mathrm{softplus}(f)`, E and G
minimise :math:`\mathrm{softplus}(r) + \mathrm{softplus}(-f)`; the games are added. With
:math:`\varphi` the last hidden layer of :math:`D_{xx}`,

.. math::

    \mathrm{score}(x) = \lVert \varphi(x, x) - \varphi(x, G(E(x))) \rVert_1

Source: Zenati, Romain, Foo, Lecouat and Chandrasekhar, Adversarially Learned Anomaly
Detection, ICDM 2018; specs/deep_unsupervised.md 2.7.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import KW_ONLY
from itertools import pairwise
from typing import Annotated, Any, ClassVar, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import leaky_relu, normalize, softplus

from whitecrow.deep import DeepDetector, Widths, train
from whitecrow.deep import device as devices
from whitecrow.deep.nets.mlp import BatchNorm, Linear
from whitecrow.deep.nets.noise import Noise
from whitecrow.deep.published import NRCAN, NRCAN_ODDS
from whitecrow.deep.run import Run, Stage
from whitecrow.errors import ParameterError
from whitecrow.parameters import Count, Patience, Share, at_least, fixed, options

__all__ = ["ALAD", "Game", "Players", "SpectralLinear", "distance"]

_NRCAN = {**NRCAN, "weight_decay": 1e-6}
_NRCAN_ODDS = {**NRCAN_ODDS, "weight_decay": 1e-6, "batch_size": 32}

SCORES = ("features_l1", "features_l2", "l1", "l2", "ch")

HIDDEN = ("encoder_hidden", "generator_hidden", "xx_hidden", "zz_hidden")

_SLOPE = 0.2

Rows = Float[Tensor, "*members batch d"]
Logits = Float[Tensor, "*members batch"]


# ----------------------------------------------------------------------------- networks


class SpectralLinear(Linear):
    """A linear layer whose weight is divided by its largest singular value.

    That value is followed by one power iteration a training step.
    """

    left: Tensor
    right: Tensor

    def __init__(self, n_in: int, n_out: int, *, bias: bool = True) -> None:
        super().__init__(n_in, n_out, bias=bias)
        self.register_buffer("left", torch.zeros(1, n_in))
        self.register_buffer("right", normalize(torch.randn(n_out, 1), dim=0))
        self.iterate(5)

    def forward(
        self, x: Float[Tensor, "*members batch in"]
    ) -> Float[Tensor, "*members batch out"]:
        """Apply `Linear` with a weight of norm 1."""
        norm = self.left @ self.weight @ self.right
        y = x @ (self.weight / norm)
        return y if self.bias is None else y + self.bias.unsqueeze(-2)

    @torch.no_grad()
    def iterate(self, times: int = 1) -> None:
        """Turn both directions towards the first singular vectors."""
        for _ in range(times):
            self.left.copy_(normalize(self.weight @ self.right, dim=-2).mT)
            self.right.copy_(normalize(self.left @ self.weight, dim=-1).mT)


def iterate(net: nn.Module, times: int = 1) -> None:
    """Run power iterations in all layers that have a norm to follow."""
    for module in net.modules():
        if isinstance(module, SpectralLinear):
            module.iterate(times)


def dense(widths: Sequence[int], *, layer: type[Linear], slope: float) -> nn.Sequential:
    """Build layers of these widths, a leaky ReLU after every one but the last."""
    layers: list[nn.Module] = []
    for n_in, n_out in pairwise(widths):
        layers += [layer(n_in, n_out), nn.LeakyReLU(slope)]
    return nn.Sequential(*layers[:-1])


def drop(
    h: Float[Tensor, "*members batch width"], share: float, noise: Noise | None
) -> Float[Tensor, "*members batch width"]:
    """Apply dropout with masks from `noise`; without noise, none."""
    if noise is None or not share:
        return h
    return h * (noise.uniform(h) >= share) / (1 - share)


class Critic(nn.Module):
    """Tells real pairs from fake ones; its last hidden layer is of use, too."""

    has_member_axis = True

    def __init__(
        self, widths: Sequence[int], *, layer: type[Linear], dropout: float
    ) -> None:
        super().__init__()
        self.dropout = dropout
        self.hidden = nn.Sequential(*[layer(*shape) for shape in pairwise(widths)])
        self.last = layer(widths[-1], 1)

    def forward(
        self, a: Rows, b: Rows, noise: Noise | None = None
    ) -> tuple[Float[Tensor, "*members batch width"], Logits]:
        """Return the last hidden layer, and the logit of "real"."""
        h = torch.cat([a, b], dim=-1)
        for linear in self.hidden:
            h = drop(leaky_relu(linear(h), _SLOPE), self.dropout, noise)
        return h, self.last(h).squeeze(-1)


class JointCritic(nn.Module):
    """Tells pairs of a row and a code; each has a layer of its own first."""

    has_member_axis = True

    def __init__(
        self,
        n_features: int,
        latent_dim: int,
        width: int,
        *,
        layer: type[Linear],
        dropout: float,
        batch_norm: bool,
    ) -> None:
        super().__init__()
        self.dropout = dropout
        self.row = layer(n_features, width, bias=not batch_norm)
        self.norm = BatchNorm(width, affine=True) if batch_norm else nn.Identity()
        self.code = layer(latent_dim, width)
        self.joint = layer(2 * width, width)
        self.last = layer(width, 1)

    def forward(
        self,
        x: Rows,
        z: Float[Tensor, "*members batch latent"],
        noise: Noise | None = None,
    ) -> Logits:
        """Return the logit of "real"."""
        of_row = leaky_relu(self.norm(self.row(x)), _SLOPE)
        of_code = drop(leaky_relu(self.code(z), _SLOPE), self.dropout, noise)
        h = leaky_relu(self.joint(torch.cat([of_row, of_code], dim=-1)), _SLOPE)
        return self.last(drop(h, self.dropout, noise)).squeeze(-1)


class Moves(NamedTuple):
    """What E and G make of rows x and codes z."""

    code: Tensor
    row: Tensor
    row_again: Tensor
    code_again: Tensor


class Game(NamedTuple):
    """Logits of the real and of the fake pairs, each of shape (..., batch)."""

    real: Tensor
    fake: Tensor


class Players(nn.Module):
    """All five networks; a discriminator that does not play is not there."""

    has_member_axis = True

    def __init__(
        self,
        encoder: nn.Module,
        generator: nn.Module,
        xz: JointCritic,
        xx: Critic | None,
        zz: Critic | None,
    ) -> None:
        super().__init__()
        self.encoder, self.generator = encoder, generator
        self.xz, self.xx, self.zz = xz, xx, zz

    def critics(self) -> list[nn.Parameter]:
        """Return the parameters of the discriminators."""
        there = [critic for critic in (self.xz, self.xx, self.zz) if critic is not None]
        return [parameter for critic in there for parameter in critic.parameters()]

    def move(self, x: Tensor, z: Tensor) -> Moves:
        """Encode, generate, and do both the other way round."""
        code, row = self.encoder(x), self.generator(z)
        return Moves(code, row, self.generator(code), self.encoder(row))

    def judge(self, x: Tensor, z: Tensor, moves: Moves, noise: Noise) -> list[Game]:
        """Return the games of all discriminators that play."""
        games = [Game(self.xz(x, moves.code, noise), self.xz(moves.row, z, noise))]
        if self.xx is not None:
            games.append(_cycle(self.xx, x, moves.row_again, noise))
        if self.zz is not None:
            games.append(_cycle(self.zz, z, moves.code_again, noise))
        return games


def _cycle(critic: Critic, first: Tensor, again: Tensor, noise: Noise) -> Game:
    """Play the game of a cycle, real and fake pairs in one call."""
    pairs = torch.cat([first, first], -2), torch.cat([first, again], -2)
    logits: Tensor = critic(*pairs, noise)[1]
    real, fake = logits.chunk(2, dim=-1)
    return Game(real, fake)


# ------------------------------------------------------------------------------- losses


def critics_loss(games: Iterable[Game]) -> Logits:
    """Compute the binary cross-entropy of all discriminators, row by row."""
    losses = [softplus(-game.real) + softplus(game.fake) for game in games]
    return torch.stack(losses).sum(0)


def players_loss(games: Iterable[Game]) -> Logits:
    """Compute the same loss with the labels the other way round."""
    losses = [softplus(game.real) + softplus(-game.fake) for game in games]
    return torch.stack(losses).sum(0)


def distance(
    a: Float[Tensor, "*members batch width"],
    b: Float[Tensor, "*members batch width"],
    norm: str,
) -> Logits:
    """Compute the L1 or L2 distance of each row.

    Examples
    --------
    >>> a, b = torch.tensor([[1.0, 2.0, 3.0]]), torch.tensor([[1.0, 0.0, 4.0]])
    >>> distance(a, b, "l1"), distance(a, b, "l2")
    (tensor([3.]), tensor([2.2361]))
    """
    return (a - b).norm(p=1 if norm == "l1" else 2, dim=-1)


class Average:
    """Exponential moving average of parameters.

    Its decay grows from 2/11 to `decay`, so that it forgets the first weights soon.
    """

    def __init__(self, parameters: Iterable[Tensor], decay: float) -> None:
        self.parameters, self.decay = list(parameters), decay
        self.mean = [parameter.detach().clone() for parameter in self.parameters]
        self.steps = 0

    @torch.no_grad()
    def update(self) -> None:
        """Move the average towards the parameters after a step."""
        self.steps += 1
        decay = min(self.decay, (1 + self.steps) / (10 + self.steps))
        for mean, parameter in zip(self.mean, self.parameters, strict=True):
            mean.lerp_(parameter, 1 - decay)

    @torch.no_grad()
    def settle(self) -> None:
        """Put the average in place of the parameters."""
        for mean, parameter in zip(self.mean, self.parameters, strict=True):
            parameter.copy_(mean)


# ---------------------------------------------------------------------------- estimator


class ALAD(DeepDetector):
    """Adversarially learned anomaly detection for tables.

    Parameters
    ----------
    score_metric : {"features_l1", "features_l2", "l1", "l2", "ch"}
        Distance of x and G(E(x)) in the last hidden layer of D_xx, or in the scaled
        columns; or the cross-entropy of D_xx taking G(E(x)) for x.
    latent_dim : int
        Columns of a code; -1 is half the number of columns.
    spectral_norm : bool
        Divide the weights of E and the discriminators by their largest singular value.
    ema_decay : float in [0, 1)
        Scores are those of a moving average of the weights; 0: of the last ones.
    cycle_xx, cycle_zz : bool
        Play the games of D_xx and D_zz.
    encoder_hidden, generator_hidden : "auto" or tuple of int
        Hidden widths of E and G; "auto" is 2 L, and 2 L, 128, for codes of L columns.
    xz_hidden : int
        Width of the layers of D_xz.
    xx_hidden, zz_hidden : "auto" or tuple of int
        Hidden widths of D_xx and D_zz; "auto" is 128, and L.
    dropout, xz_dropout : float in [0, 1)
        Share of hidden units to drop in D_xx and D_zz, and in D_xz.
    batch_norm : bool
        Normalise the layer of D_xz that sees a row.
    scaling, epochs, batch_size, lr, weight_decay, n_members, contamination
        As for `AutoEncoder`.
    device, random_state
        As for `AutoEncoder`.

    Notes
    -----
    NOTE[DIFF] The reference code takes L2 distances of features, normalises nothing,
    averages nothing, and starts scales of batch normalisation around 0.

    NOTE[DIFF] The authors stop when the score on validation rows no longer improves;
    here training has `epochs`, as there are no rows to spare.

    NOTE[DIFF] In the authors' code for tables spectral normalisation is off. With it,
    the last hidden layer of D_xx neither explodes nor vanishes.

    Examples
    --------
    >>> import numpy as np
    >>> from whitecrow import ALAD
    >>> t = np.random.default_rng(0).uniform(-1, 1, 300)
    >>> X = np.c_[t, t**2, 1 - t]
    >>> model = ALAD(epochs=5, random_state=0).fit(X)
    >>> model.anomaly_score(X).shape
    (300,)
    """

    input_kinds: ClassVar[tuple[str, ...]] = ("table",)
    takes_rules: ClassVar[bool] = False  # it is trained as a game
    _salt: ClassVar[int] = 0xA1AD
    _counts: ClassVar[tuple[str, ...]] = HIDDEN

    score_metric: Annotated[str, options(*SCORES)] = "features_l1"
    _: KW_ONLY
    latent_dim: Annotated[int, at_least(1), options(-1)] = -1
    spectral_norm: bool = True
    ema_decay: Share = 0.999
    cycle_xx: bool = True
    cycle_zz: bool = True
    encoder_hidden: Widths = "auto"
    generator_hidden: Widths = "auto"
    xz_hidden: Count = 128
    xx_hidden: Widths = "auto"
    zz_hidden: Widths = "auto"
    dropout: Share = 0.2
    xz_dropout: Share = 0.5
    batch_norm: bool = True
    patience: Patience = fixed(None)  # a game has no loss to judge by
    epochs = 100
    batch_size = 50
    lr = 1e-4

    # The authors' networks, and specs/deep_unsupervised.md 7
    presets: ClassVar[dict[str, dict[str, Any]]] = {
        "kdd": {
            "latent_dim": 32,
            "encoder_hidden": (64,),
            "generator_hidden": (64, 128),
            "zz_hidden": (32,),
            "spectral_norm": False,
            "batch_size": 50,
            "lr": 1e-5,
        },
        "arrhythmia": {
            "latent_dim": 64,
            "encoder_hidden": (256, 128),
            "generator_hidden": (128, 256),
            "xx_hidden": (256, 128),
            "zz_hidden": (64, 32),
            "spectral_norm": False,
            "batch_size": 32,
            "lr": 1e-5,
        },
        "nrcan-2022": {**_NRCAN, "latent_dim": 64},
        "nrcan-2022-ids": {**_NRCAN, "latent_dim": 32},
        "nrcan-2022-arrhythmia": {**_NRCAN_ODDS, "latent_dim": 64},
        "nrcan-2022-thyroid": {**_NRCAN_ODDS, "latent_dim": 32},
    }

    def _build(self, shape: tuple[int, ...]) -> nn.Module:
        if not self.cycle_xx and self.score_metric not in {"l1", "l2"}:
            raise ParameterError(
                f"score_metric={self.score_metric!r} of ALAD needs the discriminator "
                "that cycle_xx=False leaves out; use 'l1', 'l2', or cycle_xx=True"
            )
        d, latent = shape[0], self._latent(shape[0])
        layer = SpectralLinear if self.spectral_norm else Linear
        encoder = _widths(self.encoder_hidden, (2 * latent,))
        generator = _widths(self.generator_hidden, (2 * latent, 128))
        xx = (2 * d, *_widths(self.xx_hidden, (128,)))
        zz = (2 * latent, *_widths(self.zz_hidden, (latent,)))
        return Players(
            dense((d, *encoder, latent), layer=layer, slope=_SLOPE),
            dense((latent, *generator, d), layer=Linear, slope=0.0),
            JointCritic(
                d,
                latent,
                self.xz_hidden,
                layer=layer,
                dropout=self.xz_dropout,
                batch_norm=self.batch_norm,
            ),
            Critic(xx, layer=layer, dropout=self.dropout) if self.cycle_xx else None,
            Critic(zz, layer=layer, dropout=self.dropout) if self.cycle_zz else None,
        )

    def _latent(self, n_features: int) -> int:
        return max(1, n_features // 2) if self.latent_dim == -1 else self.latent_dim

    def _score(self, net: nn.Module, x: Tensor) -> Tensor:
        assert isinstance(net, Players)
        again: Tensor = net.generator(net.encoder(x))
        if net.xx is None or self.score_metric in {"l1", "l2"}:
            return distance(x, again, self.score_metric)
        features, logit = net.xx(x, again)
        if self.score_metric == "ch":
            return softplus(-logit)
        return distance(net.xx(x, x)[0], features, self.score_metric[-2:])

    def _train(self, run: Run, stage: Stage) -> None:
        net, noise = run.net, run.noise
        assert isinstance(net, Players)
        schedule = run.schedule(stage, betas=(0.5, 0.999))
        opponent = _adam(net.critics(), schedule)
        average = Average(net.parameters(), self.ema_decay)

        def step(index: Tensor) -> Tensor:
            average.update()  # with what the step before left
            iterate(net)
            x = run.take(index).x
            like = x.new_empty(*x.shape[:-1], self._latent(x.shape[-1]))
            _train_critics(net, x, noise.normal(like), noise, opponent)
            z = noise.normal(like)
            return players_loss(net.judge(x, z, net.move(x, z), noise)).mean(-1)

        players = [*net.encoder.parameters(), *net.generator.parameters()]
        run.descend(step, players, stage, schedule)
        average.update()
        average.settle()
        iterate(net, times=20)


def _widths(given: str | tuple[int, ...], auto: tuple[int, ...]) -> tuple[int, ...]:
    return auto if isinstance(given, str) else tuple(given)


def _adam(
    parameters: list[nn.Parameter], schedule: train.Schedule
) -> torch.optim.Optimizer:
    return torch.optim.Adam(
        parameters,
        lr=schedule.lr,
        betas=schedule.betas,
        weight_decay=schedule.weight_decay,
        fused=devices.can_fuse(parameters),
    )


def _train_critics(
    net: Players, x: Tensor, z: Tensor, noise: Noise, opponent: torch.optim.Optimizer
) -> None:
    """Train the discriminators for one step; the step of E and G keeps them fixed."""
    with torch.no_grad():
        moves = net.move(x, z)
    critics = net.critics()
    for parameter in critics:
        parameter.requires_grad_(True)
    loss = critics_loss(net.judge(x, z, moves, noise)).mean(-1).sum()
    gradients = torch.autograd.grad(loss, critics)
    for parameter, gradient in zip(critics, gradients, strict=True):
        parameter.grad = gradient
        parameter.requires_grad_(False)
    opponent.step()
