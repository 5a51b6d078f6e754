"""Early stopping: keep the weights under which held-out normal rows cost least."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

__all__ = ["SHARE", "EarlyStopping"]

# Of the rows that are not known anomalies, so many are held out.
SHARE = 0.1


class EarlyStopping:
    """Watch a training: after each epoch, look at a loss; in the end, restore the best.

    The members of a stack are watched one by one: one that has not become better for
    `patience` epochs keeps its weights, whatever the others still learn.

    Parameters
    ----------
    net : Module
        The network, or a stack of them, whose tensors then all have a member axis.
    loss : callable
        Gives the loss of the held-out rows, of shape () or (members,).
    patience : int
        Epochs without a lower loss after which training ends.

    Attributes
    ----------
    epoch : ndarray of int, shape () or (members,)
        The best epoch of each member, counted from 1; 0 before the first.

    Examples
    --------
    >>> net = nn.Linear(1, 1, bias=False)
    >>> losses = iter([3.0, 1.0, 2.0, 4.0])
    >>> watch = EarlyStopping(net, lambda: torch.tensor(next(losses)), patience=2)
    >>> for value in (0.3, 0.1, 0.2, 0.4):
    ...     _ = net.weight.data.fill_(value)
    ...     if watch():
    ...         break
    >>> watch.restore()
    >>> round(net.weight.item(), 1), int(watch.epoch)
    (0.1, 2)
    """

    def __init__(
        self, net: nn.Module, loss: Callable[[], Tensor], patience: int
    ) -> None:
        self._net, self._loss, self._patience = net, loss, patience
        self._kept: dict[str, Tensor] = {}
        self._best: NDArray[np.float64] = np.array(np.inf)
        self._passed = 0
        self.epoch: NDArray[np.int64] = np.array(0)

    def __call__(self) -> bool:
        """Look at the loss after an epoch; tell whether to end."""
        self._net.eval()
        loss = self._loss().detach().double().cpu().numpy()
        self._net.train()
        self._passed += 1
        waiting = self._passed - self.epoch <= self._patience
        better = waiting & (loss < self._best)
        self._keep(better)
        self._best = np.where(better, loss, self._best)
        self.epoch = np.where(better, self._passed, self.epoch)
        return bool((self._passed - self.epoch >= self._patience).all())

    def restore(self) -> None:
        """Give the network the best weights and statistics that it has had."""
        for name, tensor in self._net.state_dict().items():
            if name in self._kept:
                tensor.copy_(self._kept[name])

    def _keep(self, better: Any) -> None:
        for name, tensor in self._net.state_dict().items():
            if name not in self._kept:
                self._kept[name] = tensor.clone()
                continue
            mask = torch.as_tensor(better, device=tensor.device)
            shape = (*mask.shape, *[1] * (tensor.ndim - mask.ndim))
            kept = self._kept[name]
            self._kept[name] = torch.where(mask.view(shape), tensor, kept)
