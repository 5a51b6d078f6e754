"""The training loop: parameters, step, batches, schedule -> loss curve.

Nothing to subclass. Data are in memory and batched by index; the loop reads the loss
back once an epoch, never within one, so that an accelerator does not wait for the host.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.optim.adam import adam

from whitecrow import watching
from whitecrow.deep import device
from whitecrow.deep.early import EarlyStopping
from whitecrow.errors import TrainingError
from whitecrow.watching import on_log

__all__ = ["Batches", "Schedule", "on_log", "train"]

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """Adam with a learning rate that drops by `gamma` after each milestone.

    A milestone m means that m epochs run at the higher rate.

    NOTE[DIFF] Deep SAD's released code steps the scheduler before the epoch, so that
    its milestone 50 gives 49 epochs; the paper's 50 + 100 is what happens here.
    """

    epochs: int
    lr: float
    weight_decay: float = 0.0
    milestones: tuple[int, ...] = ()
    gamma: float = 0.1
    betas: tuple[float, float] = (0.9, 0.999)
    clip_norm: float | None = None

    def lr_at(self, epoch: int) -> float:
        """Return the learning rate of an epoch (counted from 0)."""
        passed = sum(epoch >= milestone for milestone in self.milestones)
        return float(self.lr * self.gamma**passed)


class Batches:
    """Shuffled batches of row indices, the same for a member alone or in a stack.

    Parameters
    ----------
    rows : Tensor of shape (n,) or (members, n)
        Row indices of the training set, one line for each member.
    batch_size : int
        Rows in a batch; the last batch of an epoch may be smaller. A last batch of one
        row is left out, as batch statistics of one row do not exist, unless all
        batches have one row.
    seeds : list of int
        One seed for each member: its order of rows depends on nothing else.
    in_company : bool
        Whether other rows join each batch, so that one row need not be left out.
    """

    def __init__(
        self,
        rows: Tensor,
        batch_size: int,
        seeds: list[int],
        *,
        in_company: bool = False,
    ) -> None:
        self.rows = rows
        self.batch_size = batch_size
        self._fewest = 1 if in_company or min(rows.shape[-1], batch_size) == 1 else 2
        self._generators = [torch.Generator().manual_seed(seed) for seed in seeds]

    def __iter__(self) -> Iterator[Tensor]:
        """Yield one epoch: index tensors of shape (batch,) or (members, batch)."""
        n = self.rows.shape[-1]
        orders = [torch.randperm(n, generator=g) for g in self._generators]
        if self.rows.ndim == 1:
            shuffled = self.rows[orders[0].to(self.rows.device)]
        else:
            order = torch.stack(orders).to(self.rows.device)
            shuffled = self.rows.gather(1, order)
        for batch in shuffled.split(self.batch_size, dim=-1):
            if batch.shape[-1] >= self._fewest:
                yield batch


def train(
    parameters: Iterable[Tensor],
    step: Callable[[Tensor], Tensor],
    batches: Iterable[Tensor],
    schedule: Schedule,
    *,
    method: str,
    stage: str = "training",
    watch: EarlyStopping | None = None,
) -> NDArray[np.float64]:
    """Minimise `step(batch)` over all batches, epoch after epoch.

    Parameters
    ----------
    parameters : iterable of Tensor
        What to train.
    step : callable
        From a batch to its mean loss: a scalar, or one loss for each member.
    batches : iterable
        Iterated anew in every epoch.
    schedule : Schedule
        Epochs, learning rate and the rest.
    method, stage : str
        Names for messages.
    watch : EarlyStopping, optional
        Looks at each epoch, and gives the best weights back at the end.

    Returns
    -------
    ndarray of shape (epochs,) or (epochs, members)
        Mean loss of each epoch; fewer where `watch` ends the training.

    Raises
    ------
    TrainingError
        When the loss is no longer finite.

    Examples
    --------
    >>> w = torch.zeros(1, requires_grad=True)
    >>> batches = Batches(torch.arange(4), 2, [0])
    >>> curve = train([w], lambda rows: ((w - 1) ** 2).sum(), batches,
    ...               Schedule(epochs=200, lr=0.05), method="example")
    >>> round(w.item(), 2)
    1.0
    """
    curve = []
    with _Flat(parameters) as flat:
        adam = _Adam(flat, schedule)
        for epoch in range(schedule.epochs):
            adam.lr = schedule.lr_at(epoch)
            loss = _epoch(adam, flat, step, batches, schedule.clip_norm)
            if not np.isfinite(loss).all():
                raise TrainingError(
                    f"{method}: the loss is not finite in epoch {epoch + 1} of "
                    f"{schedule.epochs} ({stage}); try a lower lr than "
                    f"{schedule.lr:g} or scaled inputs"
                )
            curve.append(loss)
            _log(method, stage, epoch, schedule.epochs, loss)
            if watch is not None and watch():
                break
        if watch is not None:
            watch.restore()
    return np.array(curve, dtype=np.float64)


class _Flat:
    """Parameters, and their gradients, as parts of one vector while they are trained.

    An optimiser that walks over the parameters of a small network takes as long as the
    backward pass; on one vector its step is a single call, whatever the network.
    """

    def __init__(self, parameters: Iterable[Tensor]) -> None:
        self.parts = list(parameters)
        self.values = torch.cat([part.detach().flatten() for part in self.parts])
        self.gradient = torch.zeros_like(self.values)

    def __enter__(self) -> _Flat:
        views = self._views(self.values), self._views(self.gradient)
        for part, value, gradient in zip(self.parts, *views, strict=True):
            part.data, part.grad = value, gradient
        return self

    def __exit__(self, *_: object) -> None:
        # Tensors of their own again, which can be saved and copied by themselves.
        for part, gradient in zip(self.parts, self._views(self.gradient), strict=True):
            part.data, part.grad = part.data.clone(), gradient.clone()

    def _views(self, vector: Tensor) -> list[Tensor]:
        pieces = vector.split([part.numel() for part in self.parts])
        return [
            piece.view_as(part) for piece, part in zip(pieces, self.parts, strict=True)
        ]


class _Adam:
    """Adam on the vector of a `_Flat`: torch's function without its bookkeeping."""

    def __init__(self, flat: _Flat, schedule: Schedule) -> None:
        self.lr = schedule.lr
        self._schedule = schedule
        self._vectors = [flat.values], [flat.gradient]
        self._moments = [torch.zeros_like(flat.values)], [torch.zeros_like(flat.values)]
        self._steps = [torch.zeros((), device=flat.values.device)]
        self._fused = device.can_fuse([flat.values])

    @torch.no_grad()
    def step(self) -> None:
        adam(
            *self._vectors,
            *self._moments,
            [],
            self._steps,
            fused=self._fused,
            amsgrad=False,
            beta1=self._schedule.betas[0],
            beta2=self._schedule.betas[1],
            lr=self.lr,
            weight_decay=self._schedule.weight_decay,
            eps=1e-8,
            maximize=False,
        )


def _epoch(
    optimizer: _Adam,
    flat: _Flat,
    step: Callable[[Tensor], Tensor],
    batches: Iterable[Tensor],
    clip_norm: float | None,
) -> NDArray[np.float64]:
    total, n_rows = torch.zeros((), device=flat.values.device), 0
    for batch in batches:
        flat.gradient.zero_()
        loss = step(batch)
        (loss if loss.ndim == 0 else loss.sum()).backward()
        if clip_norm is not None:
            _clip(flat, clip_norm, loss.shape[0] if loss.ndim else None)
        optimizer.step()
        total = torch.add(total, loss.detach(), alpha=batch.shape[-1])
        n_rows += batch.shape[-1]
    result: NDArray[np.float64] = (total / max(n_rows, 1)).double().cpu().numpy()
    return result


def _clip(flat: _Flat, limit: float, members: int | None) -> None:
    """Clip the norm of the gradient, of each member by itself."""
    if members is None:
        norm = torch.linalg.vector_norm(flat.gradient)
        flat.gradient.mul_((limit / (norm + 1e-6)).clamp(max=1.0))
        return
    grads = [part.grad for part in flat.parts if part.grad is not None]
    squares = [grad.square().flatten(1).sum(1) for grad in grads]
    norm = torch.stack(squares).sum(0).sqrt()
    factor = (limit / (norm + 1e-6)).clamp(max=1.0)
    for grad in grads:
        grad.mul_(factor.view(members, *[1] * (grad.ndim - 1)))


def _log(
    method: str, stage: str, epoch: int, epochs: int, loss: NDArray[np.float64]
) -> None:
    mean = float(loss.mean())
    logger.debug("%s, %s: epoch %d, loss %.6g", method, stage, epoch + 1, mean)
    watching.report(
        method=method, stage=stage, epoch=epoch + 1, epochs=epochs, loss=mean
    )
