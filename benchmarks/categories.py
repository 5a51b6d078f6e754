"""How categories are encoded: 0 and 1 for each level, or how rare a level is.

    python benchmarks/categories.py [--sets nsl_kdd ...] [--methods knn ...] [--seeds 3]

Old is a column of 0 and 1 for each of the 50 most frequent levels and one for all other
levels; new is `whitecrow.data.kinds.category`. Both encode the same rows of the same
tables; numbers stay as they are.

Three protocols. *holdout*: half of the normal rows to train, the others and the
anomalies to test. *polluted*: normal rows with 5 % anomalies among them, to train and
to test. *made*: tables of which we know which rows are odd, to train and to test.
At most 4,000 rows train and 4,000 test.

Levels of the real tables: protocols, services and flags of the network tables; those of
the bank's campaign, put together from ADBench's columns of 0 and 1; all of lymphography
and breastw; codes of OddBench's tables that name things and do not count (rules,
partners, users, post codes); the hour and the whole amount of payments; the run of a
test rig. Of the last three, half of the columns are cut into bins of equal width, and a
bin is a level.

Reads `$WHITECROW_DATA`, or `../shared/data`. Takes half an hour on one core.
"""

from __future__ import annotations

import argparse
import itertools
import logging
import math
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow import csv

from whitecrow.data.kinds.category import encode_category, plan_category
from whitecrow.metrics import auroc, average_precision
from whitecrow.registry import method

FOLDER = Path(
    os.environ.get("WHITECROW_DATA", Path(__file__).parents[2] / "shared" / "data")
)
ROWS, POLLUTION = 4000, 0.05
METHODS: dict[str, dict[str, Any]] = {
    "consensus": {},
    "knn": {},
    "hbos": {},
    "isolation_forest": {},
    "autoencoder": {"epochs": 10},
}
Data = tuple[list[np.ndarray], np.ndarray, np.ndarray]  # levels, numbers, truth


# --------------------------------------------------------------------- encodings


def old(levels: np.ndarray, train: np.ndarray) -> np.ndarray:
    """A column for each level that is not rare, 50 at most, and one for the others."""
    counted = sorted(Counter(levels[train].tolist()).items(), key=lambda p: (-p[1], p))
    enough = max(2, min(math.ceil(0.001 * len(train)), 20))
    kept = [level for level, count in counted if count >= enough][:50]
    columns = [levels == level for level in kept]
    columns.append(~np.isin(levels, kept))
    return np.stack(columns, axis=1).astype(np.float64)


def new(levels: np.ndarray, train: np.ndarray) -> np.ndarray:
    """Encode as whitecrow does."""
    plan = plan_category("c", pa.array(levels[train].tolist()))
    if not plan.features:
        return np.empty((len(levels), 0))
    return np.stack(encode_category(plan, pa.array(levels.tolist()), 0), axis=1)


ENCODINGS: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]]
ENCODINGS = {"old": old, "new": new}


# ------------------------------------------------------------------------ tables


def texts(values: np.ndarray) -> np.ndarray:
    return np.array([f"level {value:g}" for value in values])


def divided(X: np.ndarray, y: np.ndarray, levels: list[int]) -> Data:
    """The columns of numbers that are levels, and the others."""
    others = np.delete(X, levels, axis=1)
    return [texts(X[:, j]) for j in levels], others, y


def network(name: str) -> Data:
    frame = csv.read_csv(FOLDER / "network" / f"{name}.csv.gz")
    kinds = ["protocol_type", "service", "flag"]
    numbers = [
        c for c in frame.column_names if c not in {*kinds, "label", "difficulty"}
    ]
    y = np.array(frame["label"].to_pylist()) != "normal"
    X = np.stack([frame[c].to_numpy().astype(float) for c in numbers], axis=1)
    return [np.array(frame[c].to_pylist()) for c in kinds], X, y


def campaign() -> Data:
    """Groups of columns of which exactly one is set were one column of levels."""
    X, y = adbench("5_campaign")
    ends = (1, 13, 17, 25, 28, 31, 34), (35, 45, 50), (54, 57)
    groups = [pair for end in ends for pair in itertools.pairwise(end)]
    levels = [X[:, a:b].argmax(axis=1) for a, b in groups]
    grouped = [j for a, b in groups for j in range(a, b)]
    return [texts(one) for one in levels], np.delete(X, grouped, axis=1), y


def adbench(name: str) -> tuple[np.ndarray, np.ndarray]:
    found = np.load(FOLDER / "adbench" / f"{name}.npz")
    return found["X"], found["y"] == 1


def all_levels(name: str) -> Data:
    X, y = adbench(name)
    return divided(X, y, list(range(X.shape[1])))


def binned(name: str, bins: int) -> Data:
    X, y = adbench(name)
    chosen = np.random.default_rng(0).permutation(X.shape[1])[: X.shape[1] // 2]
    for j in chosen:
        edges = np.linspace(X[:, j].min(), X[:, j].max(), bins + 1)[1:-1]
        X[:, j] = np.searchsorted(edges, X[:, j])
    return divided(X, y, chosen.tolist())


def oddbench(name: str, *levels: str) -> Data:
    found = np.load(FOLDER / "oddbench" / f"{name}.npz", allow_pickle=True)
    names = [str(one).strip() for one in found["feature_names"]]
    X = np.concatenate([found["train"], found["test"]])
    y = np.concatenate([np.zeros(len(found["train"])), found["test_labels"]]) == 1
    return divided(X, y, [names.index(level) for level in levels])


def payments() -> Data:
    frame = csv.read_csv(FOLDER / "demo" / "table" / "creditcard_sample.csv.gz")
    hours = np.floor(frame["Time"].to_numpy() / 3600) % 24
    amounts = frame["Amount"].to_numpy().round()
    X = np.stack([frame[f"V{i}"].to_numpy() for i in range(1, 29)], axis=1)
    return [texts(hours), texts(amounts)], X, frame["Class"].to_numpy() == 1


def rig() -> Data:
    frame = csv.read_csv(FOLDER / "demo" / "table" / "skab_other.csv.gz")
    without = {"datetime", "run", "anomaly", "changepoint"}
    numbers = [c for c in frame.column_names if c not in without]
    X = np.stack([frame[c].to_numpy() for c in numbers], axis=1)
    return [np.array(frame["run"].to_pylist())], X, frame["anomaly"].to_numpy() == 1


REAL: dict[str, Callable[[], Data]] = {
    "nsl_kdd": lambda: network("nsl_kdd_train20"),
    "kdd10": lambda: network("kddcup99_10percent"),
    "campaign": campaign,
    "lymphography": lambda: all_levels("21_Lymphography"),
    "breastw": lambda: all_levels("4_breastw"),
    "RulePriority": lambda: oddbench("RulePriorityAnomalies", "Rule Id"),
    "LoanRepayment": lambda: oddbench("LoanRepaymentTerms", "partner_id"),
    "SurveyError": lambda: oddbench("SurveyError", "idAgente", "idUsuario", "idModulo"),
    "RealEstate": lambda: oddbench("RealEstateProperties", "post_code"),
    "creditcard": payments,
    "skab": rig,
    "pendigits, 12 bins": lambda: binned("28_pendigits", 12),
    "satimage-2, 8 bins": lambda: binned("31_satimage-2", 8),
    "thyroid, 20 bins": lambda: binned("38_thyroid", 20),
}


# --------------------------------------------------------------- tables we made


def shops(rng: np.random.Generator) -> Data:
    """50 shops of 60 rows each, and 1,000 seen once: these."""
    levels = np.concatenate([np.arange(3000) % 50, np.arange(1000) + 50])
    return [texts(levels)], rng.normal(size=(4000, 1)), np.arange(4000) >= 3000


def three_rows(rng: np.random.Generator, common: int, times: int) -> Data:
    """3 rows with a level seen once or three times, beside equally common levels."""
    levels = np.arange(4000) % common
    levels[:3] = common if times == 3 else common + np.arange(3)
    return [texts(levels)], rng.normal(size=(4000, 2)), np.arange(4000) < 3


def zipf(rng: np.random.Generator) -> Data:
    """The rarest tenth of the rows, where the k-th level has a share like 1 / k."""
    shares = 1 / np.arange(1, 1001)
    levels = rng.choice(1000, 4000, p=shares / shares.sum())
    counts = np.bincount(levels)[levels]
    return (
        [texts(levels)],
        rng.normal(size=(4000, 20)),
        counts <= np.quantile(counts, 0.1),
    )


def pair(rng: np.random.Generator, levels: int) -> Data:
    """10 rows whose two levels are common and never come together."""
    side, half = rng.integers(0, 2, 4000), levels // 2
    other = np.where(np.arange(4000) < 10, 1 - side, side)
    found = [which * half + rng.integers(0, half, 4000) for which in (side, other)]
    truth = np.arange(4000) < 10
    return [texts(one) for one in found], rng.normal(size=(4000, 2)), truth


MADE: dict[str, Callable[[np.random.Generator], Data]] = {
    "shops seen once": shops,
    "3 rows, one level, 5 common": lambda rng: three_rows(rng, 5, 3),
    "3 rows, one level, 30 common": lambda rng: three_rows(rng, 30, 3),
    "3 rows, three levels, 30 common": lambda rng: three_rows(rng, 30, 1),
    "rarest of 1,000 Zipf levels": zipf,
    "pairs of 2 x 6 levels": lambda rng: pair(rng, 6),
    "pairs of 2 x 20 levels": lambda rng: pair(rng, 20),
}


# ----------------------------------------------------------------------- running


def splits(
    truth: np.ndarray, seed: int
) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    rng = np.random.default_rng(seed)
    normal, odd = (rng.permutation(np.flatnonzero(truth == kind)) for kind in (0, 1))
    half = min(ROWS, len(normal) // 2)
    test = np.concatenate([normal[half : half + ROWS // 2], odd[: ROWS // 2]])
    yield "holdout", normal[:half], test
    some = normal[:ROWS]
    both = np.concatenate([some, odd[: max(5, round(POLLUTION * len(some)))]])
    yield "polluted", both, both


def tasks(
    sets: list[str], seeds: int
) -> Iterator[tuple[str, str, int, Data, np.ndarray, np.ndarray]]:
    for name in sets:
        for seed in range(seeds):
            if name in MADE:
                data = MADE[name](np.random.default_rng(seed))
                rows = np.arange(len(data[2]))
                yield "made", name, seed, data, rows, rows
                continue
            data = REAL[name]()
            for protocol, train, test in splits(data[2], seed):
                yield protocol, name, seed, data, train, test


def measured(
    name: str, seed: int, data: Data, train: np.ndarray, test: np.ndarray, encoding: str
) -> tuple[float, float]:
    """AUROC and average precision of one method on the test rows, in percent."""
    levels, numbers, truth = data
    rows, where = np.unique(np.concatenate([train, test]), return_inverse=True)
    place, encode = where[: len(train)], ENCODINGS[encoding]
    parts = [encode(one[rows], place) for one in levels]
    X = np.concatenate([*parts, numbers[rows]], axis=1)
    cls: Any = method(name).cls
    detector = cls(**METHODS[name])
    if "random_state" in detector.get_params():
        detector.set_params(random_state=seed)
    scores = detector.fit(X[place]).anomaly_score(X[where[len(train) :]])
    y = truth[test].astype(int)
    return 100 * auroc(y, scores), 100 * average_precision(y, scores)


def show(
    found: dict[tuple[str, ...], list[tuple[float, float]]], protocol: str
) -> None:
    """Print a table for each measure: old and new, means over the seeds."""
    sets = list(dict.fromkeys(key[1] for key in found if key[0] == protocol))
    methods = list(dict.fromkeys(key[2] for key in found))
    for place, measure in enumerate(("AUROC", "average precision")):
        print(f"\n{protocol}, {measure}, old / new\n")
        print("| | " + " | ".join(methods) + " |\n|---|" + "---|" * len(methods))
        means = np.array(
            [
                [
                    [
                        np.mean([run[place] for run in found[protocol, s, m, e]])
                        for e in ENCODINGS
                    ]
                    for m in methods
                ]
                for s in sets
            ]
        )
        for name, row in zip(
            [*sets, "mean"], [*means, means.mean(axis=0)], strict=True
        ):
            cells = " | ".join(" / ".join(f"{v:.1f}" for v in cell) for cell in row)
            print(f"| {name} | {cells} |")


def main() -> None:
    """Measure, and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sets", nargs="+", default=[*MADE, *REAL])
    parser.add_argument("--methods", nargs="+", default=list(METHODS))
    parser.add_argument("--seeds", type=int, default=3)
    given = parser.parse_args()
    logging.getLogger("whitecrow").setLevel(logging.ERROR)
    found: dict[tuple[str, ...], list[tuple[float, float]]] = {}
    for protocol, name, seed, *rows in tasks(given.sets, given.seeds):
        for one in given.methods:
            for encoding in ENCODINGS:
                result = measured(one, seed, *rows, encoding)
                found.setdefault((protocol, name, one, encoding), []).append(result)
                print(protocol, name, seed, one, encoding, *result, file=sys.stderr)
    for protocol in dict.fromkeys(key[0] for key in found):
        show(found, protocol)


if __name__ == "__main__":
    main()
