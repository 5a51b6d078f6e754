"""Rows a second in training at d = 120 and batches of 1,024, beside the products alone.

A difference of two fits, of one epoch and of three, so that scaling, first steps and
the threshold do not count. CPU seconds of one thread, so that a shared machine does not
matter: two cores give up to twice as much. The floor beside it is what the matrix
products of a training step take at the speed of a large square product, without
activations, losses, memory traffic or optimiser: no implementation in float32 is faster
on this core.

    python benchmarks/throughput.py [METHOD ...]
    python benchmarks/throughput.py --threads 2     # seconds on the clock, printed only
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence

import numpy as np
import report
import torch
from torch.utils.flop_counter import FlopCounterMode

import whitecrow as wc
from whitecrow.deep import Batch, DeepDetector
from whitecrow.deep.nets.noise import Noise

COLUMNS, BATCH, TURNS = 120, 1024, 3

# Default networks; rows, and the rows a second aimed at (specs/deep_unsupervised.md 9).
METHODS: dict[str, tuple[Callable[..., DeepDetector], int, int]] = {
    "autoencoder": (wc.AutoEncoder, 102_400, 300_000),
    "mem_ae": (wc.MemAE, 102_400, 300_000),
    "deep_svdd": (lambda **kw: wc.DeepSVDD(pretrain=False, **kw), 102_400, 300_000),
    "dagmm": (wc.DAGMM, 102_400, 300_000),
    "neutral_ad": (lambda **kw: wc.NeuTraLAD(n_transforms=11, **kw), 20_480, 30_000),
}


def rate(make: Callable[..., DeepDetector], X: np.ndarray) -> float:
    """Rows a CPU second of an epoch, in the best turn."""
    made = {"batch_size": BATCH, "random_state": 0, "device": "cpu"}
    make(epochs=1, **made).fit(X[: 2 * BATCH])
    fits = [
        [_seconds(make(epochs=e, **made).fit, X) for e in (1, 3)] for _ in range(TURNS)
    ]
    return 2 * len(X) / (min(f[1] for f in fits) - min(f[0] for f in fits))


def operations(detector: DeepDetector, X: np.ndarray) -> float:
    """Floating-point operations of the products of a training step, for each row."""
    detector.fit(X)
    net = detector.net_.train().requires_grad_(True)
    x = detector._tensor(X)
    unlabelled = torch.full((len(x),), -1, dtype=torch.int8)
    batch = Batch(x, unlabelled, Noise([0], x.device))
    with FlopCounterMode(display=False) as counter:
        detector._losses(net, batch).normal.mean().backward()
    return counter.get_total_flops() / len(X)


def peak(n: int = 1024) -> float:
    """Operations a CPU second of a square product in float32."""
    a, b = torch.randn(n, n), torch.randn(n, n)
    return 2 * n**3 / min(_seconds(torch.matmul, a, b) for _ in range(20))


def _seconds(work: Callable[..., object], *arguments: object) -> float:
    clock = time.process_time if torch.get_num_threads() == 1 else time.perf_counter
    start = clock()
    work(*arguments)
    return clock() - start


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("methods", nargs="*", default=list(METHODS))
    parser.add_argument("--threads", type=int, default=1)
    given = parser.parse_args(arguments)
    torch.set_num_threads(given.threads)
    fastest, lines = peak(), []
    for name in given.methods:
        make, n, aim = METHODS[name]
        X = np.random.default_rng(0).normal(size=(n, COLUMNS)).astype(np.float32)
        work = operations(make(epochs=1, batch_size=BATCH, device="cpu"), X[:BATCH])
        found, floor = rate(make, X), fastest / work
        numbers = [f"{found:,.0f}", f"{floor:,.0f}", report.ratio(floor / found)]
        lines.append([name, *numbers, f"{aim:,} on two cores", f"{work / 1000:.0f}"])
        print(*lines[-1], flush=True)
    if given.threads > 1:
        return
    header = [
        "method",
        "rows a second",
        "products alone",
        "ratio",
        "aim",
        "kflop a row",
    ]
    about = f"One thread; {fastest / 1e9:.0f} Gflop/s in a product of 1,024 x 1,024."
    text = "\n\n".join([report.machine(), about, report.table(header, lines)])
    report.write_section("throughput", text)


if __name__ == "__main__":
    main()
