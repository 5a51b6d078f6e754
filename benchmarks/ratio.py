"""How well few answers tell the share of anomalies.

    python benchmarks/ratio.py                       # 200 runs a cell, minutes
    python benchmarks/ratio.py --runs 50 --share 0.3

Pools of ODDS tables: half of the normal rows, and anomalies to make up the share, both
drawn anew in each run. K questions by a strategy, a fifth of them and at least five
drawn at random; answers are right. The scores are distances to neighbours and do
not change, so that this is quick. The constants of the model were chosen on runs with
an isolation forest and other seeds. Mean absolute error of the estimate, and how often
the 90 % interval covers the truth.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import scipy.io

from whitecrow import KNN
from whitecrow.active import Annotator, Loop, ratio, simulate
from whitecrow.ratio import iw_kde, nearest

NAMES = ("breastw", "ionosphere", "pima", "satellite")
STRATEGIES = ("mixed", "kmeans", "positive")
_FIRST = 1000
# The last two are for training and come without an interval.
ESTIMATES = (*ratio.INTERVALS, "iw_kde", "nearest")


def pool(name: str, share: float, rng: np.random.Generator) -> tuple[Any, Any]:
    folder = Path(os.environ.get("WHITECROW_DATA", "data"))
    table = scipy.io.loadmat(folder / "odds" / f"{name}.mat")
    X, y = table["X"].astype(float), table["y"].ravel()
    normal, odd = (rng.permutation(np.flatnonzero(y == label)) for label in (0, 1))
    normal = normal[: len(normal) // 2 + 1]
    rows = np.r_[normal, odd[: int(share / (1 - share) * len(normal))]]
    rng.shuffle(rows)
    return X[rows], y[rows]


def estimates(loop: Loop, scores: Any) -> Iterator[tuple[str, ratio.Estimate]]:
    for interval in ratio.INTERVALS:
        yield interval, loop.ratio(interval=interval)
    labels = loop.labels_
    known = np.flatnonzero(~np.isnan(labels))
    answers: dict[str, Any] = {"queried": known, "y": labels[known]}
    published = iw_kde(scores=scores, **answers)
    yield "iw_kde", ratio.Estimate(published, np.nan, np.nan)
    standing = nearest(embeddings=loop.embeddings_, **answers)
    yield "nearest", ratio.Estimate(standing, np.nan, np.nan)


def cell(name: str, share: float, strategy: str, k: int, runs: int) -> dict[str, Any]:
    """Error, bias, coverage and width of each estimate."""
    found: dict[str, list[tuple[float, ...]]] = {one: [] for one in ESTIMATES}
    for seed in range(_FIRST, _FIRST + runs):
        X, y = pool(name, share, np.random.default_rng(seed))
        knn = KNN()
        loop = Loop(knn, X, strategy=strategy, random_state=seed, budget=k)
        simulate(loop, Annotator(y), k, batch=5)
        for kind, (value, low, high) in estimates(loop, loop.scores_):
            off, truth = value - y.mean(), y.mean()
            # 1e-9: at the ends of what is known, truth and end are the same number.
            inside = low - 1e-9 <= truth <= high + 1e-9
            found[kind].append((abs(off), off, inside, high - low))
    return {kind: np.mean(rows, axis=0) for kind, rows in found.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--share", type=float, default=0.1)
    parser.add_argument("--questions", type=int, default=20)
    parser.add_argument("--strategy", choices=STRATEGIES, action="append")
    given = parser.parse_args()
    print(f"{given.share:.0%} anomalies, K = {given.questions}, {given.runs} runs")
    print("data        strategy  estimate   error    bias   covers  width")
    for name in NAMES:
        for strategy in given.strategy or STRATEGIES:
            row = cell(name, given.share, strategy, given.questions, given.runs)
            for kind, (error, bias, covers, width) in row.items():
                told = f"{covers:7.1%}{width:7.2f}" if kind in ratio.INTERVALS else ""
                print(
                    f"{name:12}{strategy:10}{kind:8}{error:8.3f}{bias:+8.3f} {told}",
                    flush=True,
                )


if __name__ == "__main__":
    main()
