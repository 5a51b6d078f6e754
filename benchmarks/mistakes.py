"""What wrong answers cost, and what it brings to look again at what the page flags.

    python benchmarks/mistakes.py                         # two wrong of 20, ten seeds
    python benchmarks/mistakes.py --wrong 0.2
    python benchmarks/mistakes.py --wrong 0.25 --missed   # only anomalies overlooked

Tables, splits, questions and detector are those of `benchmarks/soel.py`: twenty rows
that `kmeans` asks for at once, and `SOEL()`. Then somebody looks again, once, at each
row that `Loop.contradictions` flags, which is what the page shows from 20 answers on;
the second look is as often wrong as the first. AUROC on held-out rows, per cent:

`right`    all answers are right
`wrong`    so many are not
`checked`  the same after the second look

`cost` is `right` less the other, with a 95 % interval (Student's t over seeds: the
same table split and trained anew). `flagged` counts the rows to look at again, and
`found` the wrong answers among them; `in vain` counts what is flagged where all answers
are right.
"""

from __future__ import annotations

import argparse
import sys
from typing import NamedTuple

import numpy as np
import report
import soel

from whitecrow import SOEL
from whitecrow.active import Loop

HEADER = [
    "",
    "right",
    "wrong",
    "cost",
    "checked",
    "cost",
    "flagged",
    "found",
    "in vain",
]


class Case(NamedTuple):
    """One table, split once: AUROC in per cent, and numbers of rows."""

    right: float
    wrong: float
    checked: float
    flagged: int
    found: int
    made: int
    in_vain: int


def measure(name: str, k: int, share: float, missed: bool, seed: int) -> Case:
    """Ask, answer with mistakes, look again."""
    data = soel.split(name, seed)
    truth = soel.ask(soel.unlabelled(data, k, seed), data, k, seed)
    known = np.flatnonzero(np.isfinite(truth))
    rng = np.random.default_rng(seed)
    lies = mistakes(truth, known, share, missed, rng)
    y = turned(truth, lies)
    again = flagged(data, y, seed)
    slips = again[rng.random(len(again)) < share]
    if missed:
        slips = slips[truth[slips] == 1]
    second = y.copy()
    second[again] = turned(truth, slips)[again]
    qualities = [auroc(data, labels, seed) for labels in (truth, y, second)]
    found = len(np.intersect1d(again, lies))
    in_vain = len(flagged(data, truth, seed))
    return Case(*qualities, len(again), found, len(lies), in_vain)


def mistakes(
    truth: np.ndarray,
    known: np.ndarray,
    share: float,
    missed: bool,
    rng: np.random.Generator,
) -> np.ndarray:
    """Rows that are answered wrongly: a share of all, or of the anomalies."""
    among = known[truth[known] == 1] if missed else known
    return rng.choice(among, round(share * len(among)), replace=False)


def turned(y: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """The other label for these rows."""
    other = y.copy()
    other[rows] = 1 - other[rows]
    return other


def flagged(data: soel.Split, y: np.ndarray, seed: int) -> np.ndarray:
    """Rows whose label the loop finds contradicted."""
    known = np.flatnonzero(np.isfinite(y))
    loop = Loop(SOEL(random_state=seed), data.X, random_state=seed)
    loop.tell(known, y[known].astype(int))
    return np.array([row.item for row in loop.contradictions()], dtype=np.intp)


def auroc(data: soel.Split, y: np.ndarray, seed: int) -> float:
    scores = SOEL(random_state=seed).fit(data.X, y).anomaly_score(data.X_test)
    return soel.quality(data.y_test, scores)[1]


def line(name: str, cases: list[Case]) -> list[str]:
    """One line of the table."""
    columns = Case(*map(np.array, zip(*cases, strict=True)))
    cells = [name, f"{columns.right.mean():.1f}"]
    for worse in (columns.wrong, columns.checked):
        mean, half = soel.difference(columns.right, worse)
        cells += [f"{worse.mean():.1f}", f"{mean:.1f} ± {half:.1f}"]
    found = f"{columns.found.mean():.1f} of {columns.made.mean():.1f}"
    return [
        *cells,
        f"{columns.flagged.mean():.1f}",
        found,
        f"{columns.in_vain.mean():.1f}",
    ]


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--sets", nargs="+", default=soel.SETS, choices=soel.SETS)
    parser.add_argument("--questions", type=int, default=20)
    parser.add_argument("--wrong", type=float, default=soel.WRONG)
    parser.add_argument("--missed", action="store_true")
    parser.add_argument("--seeds", type=int, default=10)
    options = parser.parse_args(arguments)
    plan = options.questions, options.wrong, options.missed
    lines = []
    for name in options.sets:
        seeds = range(soel.FIRST_SEED, soel.FIRST_SEED + options.seeds)
        lines.append(line(name, [measure(name, *plan, seed) for seed in seeds]))
        print(" | ".join(lines[-1]), file=sys.stderr, flush=True)
    print(report.table(HEADER, lines))


if __name__ == "__main__":
    main(sys.argv[1:])
