"""Anomalies found by asking one question at a time: ours beside coniferest.

    python benchmarks/discovery.py                                # all of ADBench
    python benchmarks/discovery.py --tables cardio thyroid --seeds 0 --questions 20

Somebody who is never wrong says of one row after the other whether it is an anomaly;
every contender chooses the next row knowing the answers so far. All see the same rows:
a table of $WHITECROW_DATA/adbench with at most 40 % anomalies, and of a longer one
10,000 rows drawn with the seed. Contenders have their defaults and one thread.

    python benchmarks/discovery.py --page --seeds 0 1

is about `whitecrow label`: a loop as the page has it, with Deep SAD, five questions
ahead and one in five drawn at random, on the tables of at most 2,500 rows; contenders
are its strategies.

Measurements are kept in `results/discovery.json`; what is there is not repeated without
`--again`. The whole of ADBench replaces the table of discovery.md.
"""

from __future__ import annotations

import argparse
import json
import os
import time
import warnings
from collections.abc import Callable, Sequence
from itertools import product
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
import report
from numpy.typing import NDArray
from sklearn.ensemble import IsolationForest

from whitecrow.scaling import Scaler

Array = NDArray[np.float64]
# The answers so far, NaN where there is none -> the next row to ask about.
Chooser = Callable[[Array], int]

PAGE = report.FOLDER / "discovery.md"
LONGEST = 10_000
LARGEST_SHARE = 0.4
KEYS = ("table", "contender", "seed", "questions")


def ranking(X: Array, seed: int) -> Chooser:
    """From the top of an isolation forest's ranking, whatever the answers."""
    scores = -IsolationForest(random_state=seed).fit(X).score_samples(X)
    return lambda answers: _top(scores, answers)


def ours(X: Array, seed: int) -> Chooser:
    """`whitecrow.active.strategies.aad` on top of the same ranking."""
    from whitecrow.active.strategies.aad import AAD

    rows = Scaler.fit(X).transform(X)
    scores = -IsolationForest(random_state=seed).fit(X).score_samples(X)
    strategy = AAD()

    def choose(answers: Array) -> int:
        known = np.flatnonzero(~np.isnan(answers))
        (chosen,) = strategy.query(
            scores=scores,
            embeddings=rows,
            k=1,
            random_state=np.random.default_rng([seed, len(known)]),
            labelled=known,
            answers=answers,
            X=rows,
        )
        return int(chosen)

    return choose


def aadforest(X: Array, seed: int) -> Chooser:
    from coniferest.aadforest import AADForest

    return _coniferest(AADForest(random_seed=seed, n_jobs=1), X)


def pineforest(X: Array, seed: int) -> Chooser:
    from coniferest.pineforest import PineForest

    return _coniferest(PineForest(random_seed=seed, n_jobs=1), X)


def _coniferest(forest: Any, X: Array) -> Chooser:
    def choose(answers: Array) -> int:
        known = np.flatnonzero(~np.isnan(answers))
        # In coniferest -1 is an anomaly and 1 is not.
        forest.fit_known(X, X[known], np.where(answers[known] == 1, -1, 1))
        return _top(-np.asarray(forest.score_samples(X)), answers)

    return choose


def on_page(strategy: str) -> Callable[[Array, int], Chooser]:
    """A loop as `whitecrow label` has it: five questions between two fits."""

    def start(X: Array, seed: int) -> Chooser:
        from whitecrow import DeepSAD
        from whitecrow.active import Loop

        rows = Scaler.fit(X).transform(X)
        loop = Loop(
            DeepSAD(), rows, strategy=strategy, random_state=seed, budget=len(X)
        )
        waiting: list[int] = []

        def choose(answers: Array) -> int:
            if not waiting:
                told = np.flatnonzero(~np.isnan(answers) & np.isnan(loop.labels_))
                loop.tell(told, answers[told].tolist())
                waiting.extend(loop.ask(5).tolist())
            return waiting.pop(0)

        return choose

    return start


CONTENDERS = {
    "iforest": ranking,
    "aadforest": aadforest,
    "pineforest": pineforest,
    "ours": ours,
}
ON_PAGE = {name: on_page(name) for name in ("mixed", "positive", "aad")}
EVERYBODY = CONTENDERS | ON_PAGE
LONGEST_ON_PAGE = 2_500


def _top(scores: Array, answers: Array) -> int:
    return int(np.argmax(np.where(np.isnan(answers), scores, -np.inf)))


def found(choose: Chooser, y: NDArray[np.int64], questions: int) -> list[int]:
    """Anomalies found after each question."""
    answers = np.full(len(y), np.nan)
    hits = []
    for _ in range(min(questions, len(y))):
        chosen = choose(answers)
        if not np.isnan(answers[chosen]):
            raise RuntimeError(f"row {chosen} was asked twice")
        answers[chosen] = y[chosen]
        hits.append(int(y[chosen]))
    return np.cumsum(hits).tolist()


def read(path: Path, seed: int) -> tuple[Array, NDArray[np.int64]]:
    """The rows that everybody sees, and the truth."""
    with np.load(path) as arrays:
        X, y = arrays["X"].astype(np.float64), arrays["y"].astype(np.int64)
    if len(X) > LONGEST:
        draw = np.random.default_rng(seed)
        rows = np.sort(draw.choice(len(X), LONGEST, replace=False))
        X, y = X[rows], y[rows]
    return X, y


def measure(path: Path, contender: str, seed: int, questions: int) -> dict[str, Any]:
    X, y = read(path, seed)
    start = time.process_time()
    with warnings.catch_warnings():
        # coniferest says that a table has fewer rows than a tree takes.
        warnings.simplefilter("ignore")
        curve = found(EVERYBODY[contender](X, seed), y, questions)
    return {
        "table": path.stem,
        "contender": contender,
        "seed": seed,
        "questions": questions,
        "rows": len(y),
        "anomalies": int(y.sum()),
        "found": curve,
        "seconds": time.process_time() - start,
    }


def tables(names: Sequence[str] | None) -> list[Path]:
    """ADBench files by number, or those that are named."""
    folder = Path(os.environ["WHITECROW_DATA"]) / "adbench"
    paths = sorted(folder.glob("*.npz"), key=lambda path: _number(path.stem))
    if not paths:
        raise SystemExit(f"no .npz files in {folder}; set WHITECROW_DATA")
    if names:
        by_name = {path.stem.split("_", 1)[1].lower(): path for path in paths}
        missing = [name for name in names if name.lower() not in by_name]
        if missing:
            raise SystemExit(f"no table {missing[0]}; use {', '.join(by_name)}")
        wanted = {by_name[name.lower()] for name in names}
        return [path for path in paths if path in wanted]
    return [path for path in paths if _share(path) <= LARGEST_SHARE]


def _number(stem: str) -> int:
    return int(stem.split("_")[0])


def _share(path: Path) -> float:
    with np.load(path) as arrays:
        return float(arrays["y"].mean())


def page(records: list[dict[str, Any]], marks: Sequence[int]) -> str:
    """Found after each mark, a line for each table and the mean; CPU seconds."""
    contenders = [name for name in EVERYBODY if _of(records, contender=name)]
    header = ["table", "rows", "anomalies"]
    header += [f"{name} {mark}" for mark in marks for name in contenders]
    names = sorted({record["table"] for record in records}, key=_number)
    lines = []
    for name in names:
        mine = _of(records, table=name)
        size = [f"{fmean(r[key] for r in mine):.1f}" for key in ("rows", "anomalies")]
        lines.append([name, *size, *_cells(mine, contenders, marks)])
    lines.append(["**mean**", "", "", *_cells(records, contenders, marks)])
    seconds = ", ".join(
        f"{name} {fmean(r['seconds'] for r in _of(records, contender=name)):.1f}"
        for name in contenders
    )
    seeds = len({record["seed"] for record in records})
    return (
        f"{report.table(header, lines)}\n\n{len(names)} tables, {seeds} seeds. CPU "
        f"seconds for a whole run, mean: {seconds}."
    )


def _cells(
    records: list[dict[str, Any]], contenders: Sequence[str], marks: Sequence[int]
) -> list[str]:
    return [
        f"{fmean(r['found'][:mark][-1] for r in _of(records, contender=name)):.1f}"
        for mark in marks
        for name in contenders
    ]


def _of(records: list[dict[str, Any]], **wanted: Any) -> list[dict[str, Any]]:
    return [r for r in records if all(r[key] == wanted[key] for key in wanted)]


def stored() -> list[dict[str, Any]]:
    path = report.RESULTS / "discovery.json"
    return json.loads(path.read_text("utf-8")) if path.exists() else []


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tables", nargs="+", help="names, such as cardio")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--questions", type=int, default=50)
    parser.add_argument("--contenders", nargs="+", default=[])
    parser.add_argument("--page", action="store_true", help="strategies of the page")
    parser.add_argument("--again", action="store_true", help="measure what is stored")
    given = parser.parse_args(arguments)
    given.contenders = given.contenders or [*(ON_PAGE if given.page else CONTENDERS)]
    paths = tables(given.tables)
    if given.page:
        paths = [path for path in paths if len(read(path, 0)[1]) <= LONGEST_ON_PAGE]
    records = collect(paths, given)
    shown = [
        record
        for record in _of(records, questions=given.questions)
        if record["table"] in {path.stem for path in paths}
        and record["seed"] in given.seeds
        and record["contender"] in given.contenders
    ]
    text = page(shown, sorted({min(20, given.questions), given.questions}))
    if not given.tables:
        report.write_section("page" if given.page else "ADBench", text, PAGE)
    print(text)


def collect(paths: Sequence[Path], given: argparse.Namespace) -> list[dict[str, Any]]:
    """Everything that is stored, with what was missing."""
    records = stored()
    for seed, path, contender in product(given.seeds, paths, given.contenders):
        values = (path.stem, contender, seed, given.questions)
        if given.again or not _of(records, **dict(zip(KEYS, values, strict=True))):
            record = measure(path, contender, seed, given.questions)
            print(f"{seed} {path.stem} {contender} {record['found'][-1]}", flush=True)
            records = report.store("discovery", [record], same=KEYS)
    return records


if __name__ == "__main__":
    main()
