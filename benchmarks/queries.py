"""Query strategies on a large pool: seconds and memory for one round of questions.

Each strategy runs in a process of its own, on one thread. `peak` is the largest
resident set during the query, with Python and the pool. Embeddings are float32 in 50
clusters, scores random.

    python benchmarks/queries.py [ROWS [COLUMNS [K [STRATEGY ...]]]]
"""

from __future__ import annotations

import os
import sys

# Before numpy is imported: products of matrices take all cores otherwise.
os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1"))

import multiprocessing
import time
from typing import Any

import numpy as np
from measure import _peak, _reset_peak

from whitecrow.active import strategies

_CLUSTERS = 50
_CHUNK = 2**16


def pool(n: int, width: int) -> tuple[Any, Any]:
    """Scores and embeddings, made in pieces so that the memory of it stays small."""
    rng = np.random.default_rng(0)
    means = rng.standard_normal((_CLUSTERS, width), dtype=np.float32) * 3
    embeddings = np.empty((n, width), dtype=np.float32)
    for start in range(0, n, _CHUNK):
        rows = embeddings[start : start + _CHUNK]
        rng.standard_normal(out=rows, dtype=np.float32)
        rows += means[rng.integers(_CLUSTERS, size=len(rows))]
    return rng.standard_normal(n), embeddings


def measure(name: str, n: int, width: int, k: int) -> dict[str, float]:
    """One query: CPU and wall seconds, peak megabytes, covering radius."""
    scores, embeddings = pool(n, width)
    strategy = strategies.get(name)
    strategy.query(
        scores=scores[:100], embeddings=embeddings[:100], k=1, random_state=0
    )
    _reset_peak()
    cpu, wall = time.process_time(), time.perf_counter()
    ids = strategy.query(scores=scores, embeddings=embeddings, k=k, random_state=0)
    seconds = time.process_time() - cpu, time.perf_counter() - wall
    peak = _peak()
    radius = strategies.covering_radius(embeddings, ids)
    return {
        "cpu": seconds[0],
        "wall": seconds[1],
        "peak": peak,
        "radius": radius,
    }


def main(n: int = 1_000_000, width: int = 64, k: int = 100, *names: str) -> None:
    size = n * width * 4 / 2**20
    print(f"{n} rows x {width} float32 columns ({size:.0f} MB), k = {k}, one thread\n")
    print("| strategy | CPU s | wall s | peak MB | covering radius |")
    print("|---|---|---|---|---|")
    fresh = multiprocessing.get_context("spawn")
    for name in names or strategies.names():
        with fresh.Pool(1) as worker:
            found = worker.apply(measure, (name, n, width, k))
        seconds = f"{found['cpu']:.1f} | {found['wall']:.1f}"
        cells = f"{seconds} | {found['peak']:.0f} | {found['radius']:.1f}"
        print(f"| {name} | {cells} |", flush=True)


if __name__ == "__main__":
    numbers = [int(word) for word in sys.argv[1:4]]
    main(*numbers, *sys.argv[4:])
