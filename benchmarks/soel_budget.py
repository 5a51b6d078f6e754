"""What labels bring SOEL: by their number, by who chooses the rows, and by training.

    python benchmarks/soel_budget.py                      # networks in seconds
    python benchmarks/soel_budget.py --networks default   # those of `SOEL()`, ten times
    python benchmarks/soel_budget.py --tables adbench_cv_vit/MVTec-AD_bottle ...

The protocol of `soel.py` on ODDS tables, or on other tables of $WHITECROW_DATA by
`FOLDER/NAME`: ADBench has features of pictures. Each strategy asks all its questions at
once, of the fit without labels, and training is latent outlier exposure; then each way
to train, with questions by `kmeans`. AUROC and AP are of the test rows; "found" is the
share of the questions whose answer is an anomaly. Everything is mean over tables and
seeds. `sphere`, the networks unless told otherwise, is one half of those of `SOEL()`:
three members of the hypersphere classifier.

Measurements are kept in `results/soel_budget.json`; what is there is not repeated.
`--plot FILE.svg` draws the curves.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import report
import soel
from matplotlib import rcParams
from matplotlib.figure import Figure

from whitecrow import HSC, SOEL

TABLES = ("breastw", "ionosphere", "pima", "cardio")
QUESTIONS = (5, 10, 20, 40)
# The seven of the reference code, and two of ours.
STRATEGIES = (
    *("kmeans", "random", "positive", "pos_random", "pos_diverse", "margin"),
    *("mar_diverse", "kcenter", "mixed"),
)
TRAINING = ("loe", "hard", "refine", "oc", "sup")
MEASURES = ("auroc", "ap", "found")
TITLES = {"auroc": "AUROC", "ap": "AP", "found": "anomalies among the questions"}
KEYS = ("networks", "table", "seed", "strategy", "method", "k")
Record = dict[str, Any]


def networks(name: str) -> Any:
    return None if name == "default" else HSC(scaling="standard", n_members=3)


def grid() -> list[tuple[str, str]]:
    """Strategies with one way to train, and ways to train with one strategy."""
    pairs = [(strategy, "loe") for strategy in STRATEGIES]
    return pairs + [("kmeans", method) for method in TRAINING if method != "loe"]


def measure(inner: Any, data: soel.Split, cold: Any, record: Record) -> Record:
    """Ask, learn, and judge on the test rows."""
    k, seed = record["k"], record["seed"]
    y = soel.ask(cold, data, k, seed, record["strategy"])
    model = SOEL(inner, method=record["method"], random_state=seed).fit(data.X, y)
    return record | _judged(model, data, found=100 * float(np.nanmean(y)))


def _judged(model: Any, data: soel.Split, found: float) -> Record:
    f1, auroc, ap = soel.quality(data.y_test, model.anomaly_score(data.X_test))
    return {"f1": f1, "auroc": auroc, "ap": ap, "found": found}


def missing(name: str, table: str, seed: int, done: set[str]) -> list[Record]:
    """What there is to measure, as records without results."""
    ways = [("none", "loe", 0)]
    ways += [(*pair, k) for pair in grid() for k in QUESTIONS]
    values = [(name, table, seed, *way) for way in ways]
    records = [dict(zip(KEYS, value, strict=True)) for value in values]
    return [record for record in records if _key(record) not in done]


def _key(record: Record) -> str:
    return json.dumps([record[key] for key in KEYS])


def runs(name: str, tables: Sequence[str], n_seeds: int) -> Iterator[Record]:
    """Records as they come, of what is not stored yet."""
    done = {_key(record) for record in stored()}
    inner = networks(name)
    for seed in range(soel.FIRST_SEED, soel.FIRST_SEED + n_seeds):
        for table in tables:
            todo = missing(name, table, seed, done)
            if not todo:
                continue
            data = soel.split(table, seed)
            cold = SOEL(inner, random_state=seed).fit(data.X)
            for record in todo:
                if record["k"]:
                    yield measure(inner, data, cold, record)
                else:
                    yield record | _judged(cold, data, found=float("nan"))


def stored() -> list[Record]:
    path = report.RESULTS / "soel_budget.json"
    return json.loads(path.read_text("utf-8")) if path.exists() else []


def mean(records: list[Record], measure: str, **same: Any) -> float:
    """Mean over tables and seeds."""
    chosen = [r[measure] for r in records if all(r[k] == v for k, v in same.items())]
    return float(np.mean(chosen)) if chosen else float("nan")


def rows(records: list[Record]) -> Iterator[list[str]]:
    """One line for each strategy and way to train."""
    for strategy, method in grid():
        cells = [
            f"{mean(records, m, strategy=strategy, method=method, k=k):.1f}"
            for m in MEASURES
            for k in QUESTIONS
        ]
        yield [strategy, method, *cells]


def table(records: list[Record]) -> str:
    header = [f"{m} {k}" for m in MEASURES for k in QUESTIONS]
    return report.table(["strategy", "training", *header], rows(records))


def plot(records: list[Record], path: Path) -> None:
    """Strategies above, ways to train below, a panel for each measure."""
    rcParams["svg.hashsalt"] = "soel"  # the same picture for the same numbers
    figure = Figure(figsize=(11, 7), layout="constrained")
    panels = figure.subplots(2, len(MEASURES), sharex=True)
    groups = [grid()[: len(STRATEGIES)], [("kmeans", m) for m in TRAINING]]
    for line, group, place in zip(panels, groups, (0, 1), strict=True):
        for panel, of in zip(line, MEASURES, strict=True):
            for pair in group:
                _draw(panel, records, of, pair, label=pair[place])
            panel.set_title(TITLES[of] + ", %", fontsize=10)
            panel.grid(alpha=0.3)
        line[-1].legend(fontsize=7, loc="center left", bbox_to_anchor=(1, 0.5))
    for panel in panels[-1]:
        panel.set_xlabel("questions")
    figure.savefig(path, metadata={"Date": None})


def _draw(
    panel: Any, records: list[Record], of: str, pair: tuple[str, str], label: str
) -> None:
    strategy, method = pair
    same = {"strategy": strategy, "method": method}
    values = [mean(records, of, k=k, **same) for k in QUESTIONS]
    panel.plot(QUESTIONS, values, marker="o", markersize=3, label=label)


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--networks", default="sphere", choices=["sphere", "default"])
    parser.add_argument("--tables", nargs="+", default=TABLES)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--plot", type=Path)
    given = parser.parse_args(arguments)
    for record in runs(given.networks, given.tables, given.seeds):
        report.store("soel_budget", [record], same=KEYS)
    wanted = [r for r in stored() if r["networks"] == given.networks]
    wanted = [r for r in wanted if r["table"] in given.tables]
    zero = [f"{mean(wanted, m, k=0):.1f}" for m in ("auroc", "ap")]
    print(f"Without a label: AUROC {zero[0]}, AP {zero[1]}.\n\n{table(wanted)}")
    if given.plot:
        plot(wanted, given.plot)


if __name__ == "__main__":
    main(sys.argv[1:])
