"""Learning from more and more labels: a fit from the start, or training on.

    python benchmarks/rounds.py [--sets cardio satellite] [--methods hsc] [--seeds 3]

Half of the rows of an ODDS table (drawn with the seed, as many anomalies in each half)
are asked about by the strategy `mixed` on the ranking of an isolation forest, ten rows
in each of five rounds; the AUROC on the other half and the CPU seconds are measured
after each. `cold` fits anew. `refit` trains on from the fit without labels, for a fifth
of the epochs (`DeepDetector.refit`): what `whitecrow.active.Loop` does. `chain` trains
on from the last round.

That the loop takes `refit`, and a fifth, was decided on cardio and satellite.

Reads the `.mat` files of ODDS from `$WHITECROW_DATA/odds`, or `../shared/data/odds`.
"""

from __future__ import annotations

import argparse
import copy
import os
import sys
import time
from pathlib import Path

import numpy as np
from scipy import io
from sklearn.base import clone
from sklearn.model_selection import train_test_split

from whitecrow import IsolationForest
from whitecrow.active import strategies
from whitecrow.detector import Detector
from whitecrow.metrics import auroc
from whitecrow.registry import method
from whitecrow.scaling import Scaler

SETS = (
    *("cardio", "satellite", "thyroid", "pendigits"),
    *("breastw", "pima", "ionosphere", "glass"),
)
ROUNDS, BATCH = 5, 10


def table(name: str) -> tuple[np.ndarray, np.ndarray]:
    """Rows and truth of an ODDS table."""
    default = Path(__file__).parents[2] / "shared" / "data"
    folder = Path(os.environ.get("WHITECROW_DATA", default)) / "odds"
    content = io.loadmat(folder / f"{name}.mat")
    return content["X"].astype(np.float64), content["y"].ravel().astype(int)


def labels_by_round(X: np.ndarray, y: np.ndarray, seed: int) -> list[np.ndarray]:
    """What is known after each round: 1, 0, or NaN."""
    scores = IsolationForest(random_state=seed).fit(X).anomaly_score(X)
    rows = Scaler.fit(X).transform(X)
    shown, known = np.empty(0, dtype=int), np.full(len(X), np.nan)
    found = []
    for number in range(ROUNDS):
        ids = strategies.get("mixed").query(
            scores=scores,
            embeddings=rows,
            k=BATCH,
            random_state=np.random.default_rng([seed, number]),
            labelled=shown,
        )
        shown = np.r_[shown, ids]
        known[ids] = y[ids]
        found.append(known.copy())
    return found


def measure(data: str, name: str, seed: int) -> dict[str, list[tuple[float, float]]]:
    """CPU seconds and AUROC of each way after each round."""
    X, y = table(data)
    X, X_test, y, y_test = train_test_split(
        X, y, test_size=0.5, stratify=y, random_state=seed
    )
    fresh = method(name).cls(random_state=seed)
    first = clone(fresh).fit(X)
    found: dict[str, list[tuple[float, float]]] = {}
    last: dict[str, Detector] = {"refit": first, "chain": first}
    for known in labels_by_round(X, y, seed):
        for way in ("cold", "refit", "chain"):
            started = time.process_time()
            if way == "cold":
                last[way] = clone(fresh).fit(X, known)
            else:
                before = first if way == "refit" else last[way]
                last[way] = copy.deepcopy(before).refit(X, known)
            seconds = time.process_time() - started
            value = auroc(y_test == 1, last[way].anomaly_score(X_test))
            found.setdefault(way, []).append((seconds, float(value)))
    return found


def main(arguments: list[str]) -> None:
    """Measure and print a table of means over the seeds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sets", nargs="+", default=SETS)
    parser.add_argument("--methods", nargs="+", default=["deep_sad"])
    parser.add_argument("--seeds", type=int, default=3)
    given = parser.parse_args(arguments)
    for name in given.methods:
        for data in given.sets:
            runs = [measure(data, name, seed) for seed in range(given.seeds)]
            for way in runs[0]:
                both = np.array([run[way] for run in runs])
                mean, sd = both[..., 1].mean(axis=0), both[..., 1].std(axis=0)
                curve = "  ".join(
                    f"{a:.3f} ± {b:.3f}" for a, b in zip(mean, sd, strict=True)
                )
                seconds = both[..., 0].mean()
                line = f"{name:9} {data:11} {way:6} {seconds:6.2f} s  {curve}\n"
                sys.stdout.write(line)
            sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1:])
