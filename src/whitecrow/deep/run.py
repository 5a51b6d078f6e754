"""Run: one training of a network, or of a stack of networks.

It holds what training needs and no method should write twice: rows, labels and
auxiliary outliers on the device, batches by index, noise that is the same for a member
alone or in a stack, the training loop under a rule, and passes over all rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from whitecrow import labels
from whitecrow.deep import stacked, train
from whitecrow.deep.early import EarlyStopping
from whitecrow.deep.nets.mlp import BatchNorm
from whitecrow.deep.nets.noise import Noise
from whitecrow.errors import DataError, ParameterError
from whitecrow.supervision import Rule

__all__ = [
    "Batch",
    "Losses",
    "Run",
    "Stage",
    "TrainingSet",
    "outliers_beside",
    "rows_at_once",
]

# Numbers in a piece of rows that pass the network together: an accelerator wants much
# work at once, and on a CPU the layers of a piece should stay in its cache.
_PIECE = 4_000_000
_ROWS_ON_CPU = 1024
# Sets the noise of held-out rows apart from that of the stages.
_WATCHING = 0x3A7C4


@dataclass(frozen=True)
class TrainingSet:
    """Scaled rows, their labels, and auxiliary outliers where there are any.

    Labels are codes, or probabilities for rules that take them (-1 where unlabelled).
    Held-out rows are normal ones by which early stopping judges.
    """

    x: Tensor
    y: Tensor
    outliers: Tensor | None = None
    held_out: Tensor | None = None

    def to(self, where: torch.device) -> TrainingSet:
        """Copy the set to another device."""
        others = (
            None if part is None else part.to(where)
            for part in (self.outliers, self.held_out)
        )
        return TrainingSet(self.x.to(where), self.y.to(where), *others)


class Batch(NamedTuple):
    """What a loss may see of a step.

    Attributes
    ----------
    x : Tensor of shape (..., batch, *shape)
        Scaled rows, auxiliary outliers last.
    y : Tensor of shape (..., batch)
        Codes, or probabilities; outliers have no label.
    noise : Noise
        Random numbers of this training.
    targets : Tensor of shape (..., batch, t) or None
        What `Run.targets` holds for these rows; 0 for auxiliary outliers, whose loss
        as anomalies must not depend on it.
    outliers : Tensor of bool, shape (..., batch), or None
        Which rows are auxiliary outliers: a rule says by the mask what they cost.
    """

    x: Tensor
    y: Tensor
    noise: Noise
    targets: Tensor | None = None
    outliers: Tensor | None = None

    def loss(self, rule: Rule, losses: Losses) -> Tensor:
        """Combine the losses of the rows by a rule, to one for each member."""
        normal = losses.normal
        if losses.unknown is not None:
            free = self.y == int(labels.UNLABELLED)
            normal = torch.where(free, losses.unknown, normal)
        return rule(l_n=normal, l_a=losses.anomalous, y=self.y, outliers=self.outliers)


class Losses(NamedTuple):
    """What each row of a batch costs: taken as normal, as anomalous, or unlabelled.

    Without `anomalous` a method cannot learn from anomalies; without `unknown` a row
    without a label costs what a normal one does.
    """

    normal: Tensor
    anomalous: Tensor | None = None
    unknown: Tensor | None = None


class Stage(NamedTuple):
    """A stretch of training under one rule.

    Attributes
    ----------
    name : str
        For messages and progress.
    rule : Rule
        See `whitecrow.supervision`.
    epochs : int
        How long.
    batches : callable
        Row indices of each step, from the run and the number of the stage; by default
        all rows in a new order in every epoch.
    losses : callable or None
        In place of the losses of the method, where a stage has losses of its own.
    """

    name: str
    rule: Rule
    epochs: int
    batches: Callable[[Run, int], Iterable[Tensor]] | None = None
    losses: Callable[[nn.Module, Batch], Losses] | None = None


class Run:
    """One training: of a network alone, or of the members of a stack side by side.

    Parameters
    ----------
    net : Module
        The network, or the stack, on the device of the sets.
    sets : sequence of TrainingSet
        One for each member; the same object where members share it.
    seeds : list of int
        One for each member: its batches and noise depend on nothing else.
    method : str
        For messages.
    batch_size : int
        Rows of a step.
    schedule : Schedule
        Learning rate and the rest; epochs are those of the stages, whose milestones
        count on from stage to stage.
    salt : int
        Keeps the noise of a method apart from other draws by the same seeds.
    stages : sequence of Stage
        Where a wrapper brings rules of its own; else the method plans.
    after : sequence of Stage or None
        What was trained before, where a fitted network trains on.
    patience : int or None
        Of early stopping, where the sets hold rows out.

    Attributes
    ----------
    n : int
        Rows of each member.
    x, y : Tensor
        Rows and labels of all distinct sets, one set after the other.
    rows : Tensor of shape (n,) or (members, n)
        Indices into `x` of the rows of each member.
    outliers : Tensor or None
        Auxiliary outliers; each batch gets as many as it has rows, or as many as
        `expose` says, drawn with replacement.
    targets : Tensor of shape (n, t) or (members, n, t), or None
        What `_begin` found out about each row, given to losses with the batch.
    fresh : bool
        Whether the weights are new; False where a fitted network trains on.
    stages : list of Stage
        What is to be trained.
    curve : ndarray of shape (epochs,) or (epochs, members)
        Mean loss of each epoch so far.
    best_epoch : ndarray of int, shape () or (members,), or None
        The epoch whose weights early stopping has kept, counted from 1 over all stages.
    """

    targets: Tensor | None = None
    outliers: Tensor | None = None
    best_epoch: NDArray[np.int64] | None = None

    def __init__(
        self,
        net: nn.Module,
        sets: Sequence[TrainingSet],
        seeds: list[int],
        *,
        method: str,
        batch_size: int,
        schedule: train.Schedule,
        salt: int = 0,
        stages: Sequence[Stage] = (),
        after: Sequence[Stage] | None = None,
        patience: int | None = None,
    ) -> None:
        self._patience, self._outlier_ratio = patience, 1.0
        self._held_out = _side_by_side([one.held_out for one in sets])
        self.net, self.seeds, self.method = net, seeds, method
        self.batch_size, self.fresh = batch_size, after is None
        self.stages, self._before = list(stages), list(after or ())
        self._schedule, self._salt = schedule, salt
        self.n = len(sets[0].x)
        shared = all(one is sets[0] for one in sets)
        distinct = sets[:1] if shared else sets
        self.x = _join([one.x for one in distinct])
        self.y = _join([one.y for one in distinct])
        given = [one.outliers for one in distinct if one.outliers is not None]
        if given:
            self._expose(given)
        rows = torch.arange(len(self.x), device=self.x.device)
        if len(sets) > 1:
            rows = rows.view(-1, self.n).expand(len(sets), self.n)
        self.rows = rows
        self._number = len(self._before)
        self.noise = self._noise_of(self._number)
        self._done = sum(stage.epochs for stage in self._before)
        self.curve = np.empty((0, *rows.shape[:-1]))

    # --- what a method arranges in `_begin` -------------------------------------------

    def plan(self, *stages: Stage) -> None:
        """Set the stages of a method, unless a wrapper has brought its own."""
        self.stages = self.stages or list(stages)

    def expose(
        self, make: Callable[[Tensor, torch.Generator], Tensor], *, ratio: float = 1.0
    ) -> None:
        """Generate auxiliary outliers, unless the caller gave some.

        Parameters
        ----------
        make : callable
            From the rows (n, *shape) of a training set and a generator, seeded as its
            first member is, to outliers of the shape of rows.
        ratio : float
            Outliers in a batch, for each of its rows.
        """
        self._outlier_ratio = ratio
        if self.outliers is None:
            made = [
                make(x, torch.Generator().manual_seed(seed))
                for x, seed in zip(self.x.split(self.n), self.seeds, strict=False)
            ]
            self._expose(made)

    def keep(self, mask: NDArray[np.bool_]) -> None:
        """Train on these of the n rows from now on; for a network alone."""
        at = torch.from_numpy(np.flatnonzero(mask)).to(self.x.device)
        self.rows = torch.arange(len(self.x), device=self.x.device)[at]

    # --- training ---------------------------------------------------------------------

    def each_stage(self) -> Iterator[Stage]:
        """Enter the stages one after the other, each with noise of its own."""
        for number, stage in enumerate(self.stages, start=len(self._before)):
            self._number, self.noise = number, self._noise_of(number)
            yield stage
            self._done += stage.epochs

    def minimise(
        self,
        losses: Callable[[nn.Module, Batch], Losses],
        stage: Stage,
        **changes: Any,
    ) -> None:
        """Train the network through a stage.

        Parameters
        ----------
        losses : callable
            From the network and a `Batch` to `Losses`; those of the stage go first.
        stage : Stage
            Epochs, rule and batches.
        **changes
            Fields of the schedule that a method has otherwise, as `betas`; milestones
            count the epochs of all stages.

        Raises
        ------
        TrainingError
            When the loss is no longer finite.
        DataError
            Where a network normalises within batches of one row.
        """
        chosen, net = stage.losses or losses, self.net

        def step(index: Tensor) -> Tensor:
            batch = self.take(index)
            return batch.loss(stage.rule, chosen(net, batch))

        parameters = [p for p in net.parameters() if p.requires_grad]
        watch = self._watch(chosen)
        before = len(self.curve)
        self.descend(step, parameters, stage, self.schedule(stage, **changes), watch)
        if watch is not None and stage.epochs:
            self.best_epoch = before + watch.epoch

    def descend(
        self,
        step: Callable[[Tensor], Tensor],
        parameters: Iterable[Tensor],
        stage: Stage,
        schedule: train.Schedule,
        watch: EarlyStopping | None = None,
    ) -> None:
        """Train some parameters by a step from row indices to the loss."""
        if not stage.epochs:
            return
        self._check_batches(self.rows.shape[-1])
        batches = (
            self.batches(self._number)
            if stage.batches is None
            else stage.batches(self, self._number)
        )
        curve = train.train(
            parameters,
            step,
            batches,
            schedule,
            method=self.method,
            stage=stage.name,
            watch=watch,
        )
        self.curve = np.concatenate([self.curve, curve])

    def schedule(self, stage: Stage, **changes: Any) -> train.Schedule:
        """Return the schedule of a stage; its milestones count from its start."""
        own = replace(self._schedule, epochs=stage.epochs, **changes)
        return replace(own, milestones=tuple(m - self._done for m in own.milestones))

    def batches(
        self, number: int, rows: Tensor | None = None, *, batch_size: int | None = None
    ) -> train.Batches:
        """Make batches of row indices, in an order of their own for each number.

        Parameters
        ----------
        number : int
            Of the stage.
        rows : Tensor of shape (k,) or (members, k), optional
            Some of `self.rows`; by default all.
        batch_size : int, optional
            Of these batches, if not that of the run.
        """
        rows = self.rows if rows is None else rows
        self._check_batches(rows.shape[-1])
        seeds = [seed + number for seed in self.seeds]
        return train.Batches(rows, batch_size or self.batch_size, seeds)

    def take(self, index: Tensor) -> Batch:
        """Return rows, labels and targets of a batch, the auxiliary outliers last."""
        x, y, targets = self.rows_at(index), _at(self.y, index), None
        if self.targets is not None:
            own = (index % self.n).unsqueeze(-1)
            targets = torch.take_along_dim(self.targets, own, dim=-2)
        if self.outliers is None:
            return Batch(x, y, self.noise, targets)
        axis = index.ndim - 1
        drawn = self.outliers[self._draw(index)]
        lead = drawn.shape[: axis + 1]
        if targets is not None:
            none = targets.new_zeros(*lead, targets.shape[-1])
            targets = torch.cat([targets, none], dim=axis)
        unknown = y.new_full(lead, int(labels.UNLABELLED))
        masks = [torch.zeros_like(y), torch.ones_like(unknown)]
        return Batch(
            torch.cat([x, drawn], dim=axis),
            torch.cat([y, unknown], dim=axis),
            self.noise,
            targets,
            torch.cat(masks, dim=axis).bool(),
        )

    # --- passes over all rows ---------------------------------------------------------

    def rows_at(self, index: Tensor) -> Tensor:
        """Return the rows (..., batch, *shape) of the indices (..., batch)."""
        return _at(self.x, index)

    def passes(self) -> Iterator[Tensor]:
        """Yield all row indices in order, in pieces that pass the network together."""
        size = rows_at_once(self.net, self.x[0].numel(), len(self.seeds))
        yield from self.rows.split(size, dim=-1)

    def mean(self, f: Callable[[Tensor], Tensor]) -> Tensor:
        """Average over the rows that are not known anomalies.

        Parameters
        ----------
        f : callable
            From rows (..., batch, *shape) to values (..., batch, *of each).

        Returns
        -------
        Tensor of shape (..., *of each)
        """
        axis = self.rows.ndim - 1
        total = torch.zeros((), device=self.x.device)
        count = torch.zeros((), device=self.x.device)
        for index in self.passes():
            values = f(self.rows_at(index))
            # Labels are codes or probabilities.
            kept = (self.y[index] <= 0.5)[(..., *[None] * (values.ndim - index.ndim))]
            total = total + torch.where(kept, values, 0.0).sum(axis)
            count = count + kept.sum(axis)
        return total / count.clamp(min=1)

    def scores(self, score: Callable[[nn.Module, Tensor], Tensor]) -> Tensor:
        """Score all rows: float64 on the CPU, shape (members, n)."""
        parts = [score(self.net, self.rows_at(index)) for index in self.passes()]
        return torch.cat(parts, dim=-1).double().cpu().view(len(self.seeds), -1)

    # --- inside -----------------------------------------------------------------------

    def _watch(
        self, losses: Callable[[nn.Module, Batch], Losses]
    ) -> EarlyStopping | None:
        """Judge a stage by what held-out rows cost as normal ones."""
        x, patience = self._held_out, self._patience
        if x is None or patience is None:
            return None
        if self.targets is not None:
            raise ParameterError(
                f"{self.method} finds out something about each training row, which "
                "held-out rows do not have; use patience=None"
            )
        axis = self.rows.ndim - 1
        pieces = x.split(rows_at_once(self.net, x[0].numel(), len(self.seeds)), axis)

        def loss() -> Tensor:
            noise = self._noise_of(_WATCHING)  # the same after each epoch
            total = torch.zeros((), device=x.device)
            for piece in pieces:
                y = torch.full(piece.shape[: axis + 1], int(labels.UNLABELLED))
                batch = Batch(piece, y.to(x.device), noise)
                total = total + losses(self.net, batch).normal.detach().sum(-1)
            return total / x.shape[axis]

        return EarlyStopping(self.net, loss, patience)

    def _noise_of(self, number: int) -> Noise:
        seeds = [seed ^ self._salt + number for seed in self.seeds]
        return Noise(seeds, self.x.device)

    def _expose(self, outliers: Sequence[Tensor]) -> None:
        """Hold the outliers of each distinct set, and where those of members begin."""
        self.outliers = _join([one.to(self.x.device) for one in outliers])
        self._n_outliers = len(outliers[0])
        step = self._n_outliers if len(outliers) == len(self.seeds) else 0
        self._first_outlier = [i * step for i in range(len(self.seeds))]
        self._draws = [
            torch.Generator().manual_seed(seed ^ 0x5EED) for seed in self.seeds
        ]

    def _draw(self, index: Tensor) -> Tensor:
        n = self._n_outliers
        size = (outliers_beside(index.shape[-1], self._outlier_ratio),)
        draws = [
            first + torch.randint(n, size, generator=g)
            for first, g in zip(self._first_outlier, self._draws, strict=True)
        ]
        drawn = draws[0] if index.ndim == 1 else torch.stack(draws)
        return drawn.to(index.device)

    def _check_batches(self, n: int) -> None:
        """Refuse batches of one of n rows where batch statistics are needed."""
        if self.outliers is None and min(n, self.batch_size) == 1 and self._normalises:
            raise DataError(
                f"{self.method} normalises within a batch and cannot learn from one "
                f"row at a time (n_samples = {n}, batch_size={self.batch_size}); give "
                "more rows, a larger batch_size, or batch_norm=False"
            )

    @property
    def _normalises(self) -> bool:
        kinds = (BatchNorm, nn.modules.batchnorm._BatchNorm)
        return any(isinstance(layer, kinds) for layer in stacked.layers(self.net))


def outliers_beside(n: int, ratio: float) -> int:
    """Return how many auxiliary outliers a batch of n rows has."""
    return max(1, round(ratio * n))


def rows_at_once(net: nn.Module, numbers: int, members: int) -> int:
    """Return how many rows pass a network together.

    Parameters
    ----------
    net : Module
        One whose rows grow inside says by `numbers_per_row` to how many numbers.
    numbers, members : int
        Numbers of a row, and members that see it.
    """
    inside = getattr(next(stacked.layers(net)), "numbers_per_row", 0)
    rows = max(1, _PIECE // max(1, max(numbers, inside) * members))
    on_cpu = next(net.parameters()).device.type == "cpu"
    return min(rows, _ROWS_ON_CPU) if on_cpu else rows


def _at(values: Tensor, index: Tensor) -> Tensor:
    """Return `values[index]`; `index_select` along one axis is twice as fast."""
    if index.ndim == 1:
        return values.index_select(0, index)
    return values.index_select(0, index.flatten()).unflatten(0, index.shape)


def _side_by_side(parts: Sequence[Tensor | None]) -> Tensor | None:
    """Stack what members have; None if they have nothing."""
    given = [part for part in parts if part is not None]
    return (given[0] if len(given) == 1 else torch.stack(given)) if given else None


def _join(tensors: Sequence[Tensor]) -> Tensor:
    return tensors[0] if len(tensors) == 1 else torch.cat(list(tensors))
