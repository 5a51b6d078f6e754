"""What outlier exposure costs beside a bare training loop on the same pictures.

    python benchmarks/exposure.py

A thousand pictures and as many outliers of the size of CIFAR's, the wide LeNet of the
paper, batches of 64 and 64. The bare loop has its tensors ready, takes a row once an
epoch and nothing else; ours scales, draws, checks the loss, and with `augment` makes
variants. CPU seconds of an epoch, the difference of fits of five epochs and one, median
of three turns one after the other.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import numpy as np
import torch
from torch.nn.functional import softplus

from whitecrow import BCE
from whitecrow.deep.nets.mlp import Linear
from whitecrow.deep.nets.rethinking import build

N, BATCH = 1000, 64
SETTINGS = {"network": "lenet_cifar10_wide", "batch_size": BATCH, "device": "cpu"}


def bare(X: np.ndarray, outliers: np.ndarray, epochs: int) -> None:
    """Train the same network on tensors that are ready."""
    torch.manual_seed(0)
    encoder = build("lenet_cifar10_wide", (3, 32, 32), rep_dim=None, bias=True)
    net = torch.nn.Sequential(encoder, Linear(256, 1)).train()
    adam = torch.optim.Adam(net.parameters(), lr=1e-3, weight_decay=5e-7)
    x, a = (torch.from_numpy(part).float() / 255 for part in (X, outliers))
    for _ in range(epochs):
        order = torch.randperm(len(x))
        for start in range(0, len(x), BATCH):
            rows = x[order[start : start + BATCH]]
            drawn = a[torch.randint(len(a), (len(rows),))]
            logit = net(torch.cat([rows, drawn]))[:, 0]
            sign = torch.cat([torch.ones(len(rows)), -torch.ones(len(rows))])
            loss = softplus(sign * logit).mean()
            adam.zero_grad()
            loss.backward()
            adam.step()


def ours(augment: str) -> Callable[[np.ndarray, np.ndarray, int], None]:
    """Fit the detector for so many epochs."""

    def fit(X: np.ndarray, outliers: np.ndarray, epochs: int) -> None:
        detector = BCE(augment=augment, epochs=epochs, random_state=0, **SETTINGS)
        detector.fit(X, auxiliary=outliers)

    return fit


def epoch(work: Callable[[np.ndarray, np.ndarray, int], None]) -> float:
    """CPU seconds of an epoch, without what a fit costs once."""
    rng = np.random.default_rng(0)
    X, outliers = rng.integers(0, 256, (2, N, 3, 32, 32), dtype=np.uint8)
    seconds = []
    for epochs in (1, 5):
        start = time.process_time()
        work(X, outliers, epochs)
        seconds.append(time.process_time() - start)
    return (seconds[1] - seconds[0]) / 4


CONTENDERS = {
    "bare loop": bare,
    "BCE": ours("none"),
    "BCE, variants": ours("cifar10"),
}


def main() -> None:
    """Print the table."""
    for work in CONTENDERS.values():
        work(*np.zeros((2, 64, 3, 32, 32), dtype=np.uint8), 1)  # warm
    turns = [{name: epoch(work) for name, work in CONTENDERS.items()} for _ in range(3)]
    print("| | CPU s of an epoch | ratio |\n|---|---|---|")
    ratios = {
        name: statistics.median(turn[name] / turn["bare loop"] for turn in turns)
        for name in CONTENDERS
    }
    for name, ratio in ratios.items():
        middle = statistics.median(turn[name] for turn in turns)
        print(f"| {name} | {middle:.2f} | {ratio:.2f} |")


if __name__ == "__main__":
    main()
