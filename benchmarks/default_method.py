"""Which method `detect` takes when nobody says: chosen with tables left out.

    whitecrow experiment run experiments/default_method.toml
    python benchmarks/default_method.py

For each table the candidate is chosen that is best on the mean of all *other* tables;
what it does on the table left out is what a user with a table of their own may expect.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from whitecrow.experiments.file import load
from whitecrow.experiments.store import Store
from whitecrow.experiments.task import plan

METRICS = ("auroc", "average_precision")
EXPERIMENT = Path(__file__).parents[1] / "experiments" / "default_method.toml"


def qualities(file: Path, folder: Path) -> tuple[list[str], NDArray[np.float64]]:
    """Candidates, and (candidates, tables, metrics): means over seeds in percent."""
    experiment = load(file)
    store = Store(folder)
    records = store.read(task.key for task in plan(experiment))
    names = list(dict.fromkeys(record["label"] for record in records))
    table = np.full((len(names), len(experiment.data), len(METRICS)), np.nan)
    for i, name in enumerate(names):
        for j, data in enumerate(experiment.data):
            found = [
                [record[metric] for metric in METRICS]
                for record in records
                if (record["label"], record["data"]) == (name, data)
                and not record["error"]
            ]
            if found:
                table[i, j] = 100 * np.mean(found, axis=0)
    whole = ~np.isnan(table).any(axis=(1, 2))
    return [n for n, kept in zip(names, whole, strict=True) if kept], table[whole]


def left_out(table: NDArray[np.float64], folds: list[NDArray[np.int64]]) -> list[int]:
    """For each table the candidate that is best on the tables of the other folds."""
    chosen = np.empty(table.shape[1], dtype=np.int64)
    for fold in folds:
        others = np.setdiff1d(np.arange(table.shape[1]), fold)
        chosen[fold] = table[:, others].mean(axis=1).sum(axis=-1).argmax()
    return chosen.tolist()


def expected(table: NDArray[np.float64], chosen: list[int]) -> NDArray[np.float64]:
    """Mean over the tables of what their candidate does on them."""
    return np.array(table[chosen, np.arange(table.shape[1])].mean(axis=0))


def main() -> None:
    """Print the means, and those on the tables left out."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--file", type=Path, default=EXPERIMENT)
    parser.add_argument("-o", "--output", type=Path, default=None)
    given = parser.parse_args()
    folder = given.output or Path("results") / load(given.file).name
    names, table = qualities(given.file, folder)
    means = table.mean(axis=1)
    for i in np.argsort(-means.sum(axis=1)):
        print(f"{names[i]:40s} AUROC {means[i, 0]:.1f}  AP {means[i, 1]:.1f}")
    n = table.shape[1]
    chosen = left_out(table, [np.array([j]) for j in range(n)])
    found = expected(table, chosen)
    print(f"\n{n} tables, each left out in turn: {found[0]:.1f} / {found[1]:.1f}, by")
    for i in set(chosen):
        print(f"  {names[i]}: {chosen.count(i)} times")
    rng = np.random.default_rng(0)
    fifths = [np.array_split(rng.permutation(n), 5) for _ in range(20)]
    every = np.mean([expected(table, left_out(table, f)) for f in fifths], axis=0)
    print(f"a fifth of them left out at a time: {every[0]:.1f} / {every[1]:.1f}")


if __name__ == "__main__":
    main()
