"""CPU seconds and memory beside PyOD, DeepOD, scikit-learn and bare loops.

    python benchmarks/speed.py                              # all, about half an hour
    python benchmarks/speed.py --data cardio --repeats 1    # a first look
    python benchmarks/speed.py --big                        # 10 million rows

A case fixes architecture, batch and epochs once, and every side reads them from it.
Each measurement is a process of its own, and the sides take turns, so that what else
the machine does hits them alike; a ratio is the median over the turns.
"""

from __future__ import annotations

import argparse
import itertools
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import measure
import report

DATA = ("cardio", "shuttle", "generated_100000x30")

_DEEP = {
    "bias": True,
    "batch_norm": False,
    "dropout": 0.0,
    "activated_code": False,
    "lr": 1e-3,
    # DeepOD's is fixed.
    "weight_decay": 1e-5,
}
# PyOD's autoencoder activates the code; each layer but the last may be normalised.
_AUTOENCODER = {**_DEEP, "hidden": [64, 32], "activated_code": True, "batch_size": 32}
# DeepOD's defaults.
_DEEPOD = {**_DEEP, "hidden": [100, 50, 128], "bias": False, "batch_size": 64}
_NEUTRAL = {**_DEEPOD, "n_transforms": 11, "trans_hidden": 50, "temperature": 0.1}
_EPOCHS = {"cardio": 50, "shuttle": 4, "generated_100000x30": 2}
_NORMALS = {"name": "holdout", "train_fraction": 0.8}
_FEW = {"name": "labelled_ratio", "ratio_known_anomaly": 0.01}


@dataclass(frozen=True)
class Case:
    """What is compared: the first side is ours; the ratios aimed at stand last."""

    title: str
    method: str
    sides: tuple[str, ...]
    settings: dict[str, Any]
    data: tuple[str, ...] = DATA
    protocol: dict[str, Any] = field(default_factory=lambda: dict(_NORMALS))
    # Share of the epochs of `_EPOCHS`; a step of NeuTraL AD is several times longer.
    effort: float = 1.0
    at_least: dict[str, float] = field(default_factory=dict)
    at_most: dict[str, float] = field(default_factory=dict)
    one_thread: bool = True


CASES = {
    "autoencoder": Case(
        "AutoEncoder, 64-32, batch 32",
        "autoencoder",
        ("whitecrow", "pyod", "bare"),
        _AUTOENCODER,
        at_least={"bare": 1 / 1.3},
    ),
    "autoencoder_norm": Case(
        "AutoEncoder, 64-32, batch 32, batch norm and dropout 0.2 (PyOD's defaults)",
        "autoencoder",
        ("whitecrow", "pyod", "bare"),
        {**_AUTOENCODER, "batch_norm": True, "dropout": 0.2},
        data=("cardio", "shuttle"),
        at_least={"bare": 1 / 1.3},
    ),
    "autoencoder_free": Case(
        "AutoEncoder, PyOD's defaults, threads as installed",
        "autoencoder",
        ("whitecrow", "pyod"),
        {**_AUTOENCODER, "batch_norm": True, "dropout": 0.2},
        effort=0.25,
        at_least={"pyod": 5},
        one_thread=False,
    ),
    "deep_svdd": Case(
        "DeepSVDD, 100-50-128, batch 64 (DeepOD's defaults)",
        "deep_svdd",
        ("whitecrow", "deepod", "bare"),
        _DEEPOD,
        at_least={"bare": 1 / 1.3},
    ),
    "deep_svdd_pyod": Case(
        "DeepSVDD, 64-32 with activated code, batch 32 (PyOD's defaults)",
        "deep_svdd",
        ("whitecrow", "pyod", "bare"),
        {**_AUTOENCODER, "bias": False},
        data=("cardio", "shuttle"),
        at_least={"bare": 1 / 1.3},
    ),
    "deep_svdd_free": Case(
        "DeepSVDD, DeepOD's defaults, threads as installed",
        "deep_svdd",
        ("whitecrow", "deepod"),
        _DEEPOD,
        effort=0.25,
        at_least={"deepod": 3},
        one_thread=False,
    ),
    "deep_sad": Case(
        "DeepSAD, 100-50-128, batch 64 (DeepOD's defaults), no pretraining",
        "deep_sad",
        ("whitecrow", "deepod", "bare"),
        _DEEPOD,
        protocol=_FEW,
        at_least={"bare": 1 / 1.3},
    ),
    "deep_sad_free": Case(
        "DeepSAD, DeepOD's defaults, threads as installed",
        "deep_sad",
        ("whitecrow", "deepod"),
        _DEEPOD,
        protocol=_FEW,
        effort=0.25,
        at_least={"deepod": 3},
        one_thread=False,
    ),
    "neutral_ad": Case(
        "NeuTraLAD, 11 transformations of width 50, encoder 100-50-128, batch 64",
        "neutral_ad",
        ("whitecrow", "deepod", "bare"),
        _NEUTRAL,
        effort=0.25,
        at_least={"bare": 1 / 1.3},
    ),
    "neutral_ad_free": Case(
        "NeuTraLAD as above, threads as installed",
        "neutral_ad",
        ("whitecrow", "deepod"),
        _NEUTRAL,
        effort=0.08,
        at_least={"deepod": 3},
        one_thread=False,
    ),
    "stacked": Case(
        "AutoEncoder, 64-32, batch 32: five seeds stacked against one",
        "autoencoder",
        ("whitecrow", "seeds"),
        {**_AUTOENCODER, "n_seeds": 5},
        data=("cardio", "shuttle"),
        at_most={"seeds": 2},
    ),
    "stacked_deep_sad": Case(
        "DeepSAD, 32-16-8 with batch norm, batch 128 (our defaults): five seeds",
        "deep_sad",
        ("whitecrow", "seeds"),
        {
            **_DEEPOD,
            "hidden": [32, 16, 8],
            "batch_norm": True,
            "batch_size": 128,
            "n_seeds": 5,
        },
        data=("cardio", "shuttle"),
        protocol=_FEW,
        at_most={"seeds": 2},
    ),
    "stacked_wide": Case(
        "DeepSVDD, 100-50-128, batch 64: five seeds; arithmetic, not overhead",
        "deep_svdd",
        ("whitecrow", "seeds"),
        {**_DEEPOD, "n_seeds": 5},
        data=("cardio",),
        at_most={"seeds": 2},
    ),
    "isolation_forest": Case(
        "IsolationForest", "isolation_forest", ("whitecrow", "sklearn"), {}
    ),
    "lof": Case(
        "LOF, 20 neighbours",
        "lof",
        ("whitecrow", "sklearn"),
        {"n_neighbors": 20},
        data=("cardio", "generated_10000x30"),
    ),
    "ocsvm": Case(
        "OCSVM, nu 0.1",
        "ocsvm",
        ("whitecrow", "sklearn"),
        {"nu": 0.1},
        data=("cardio", "generated_10000x30"),
    ),
    "kde": Case(
        "KDE, bandwidth 1",
        "kde",
        ("whitecrow", "sklearn"),
        {"bandwidth": 1.0},
        data=("cardio", "generated_10000x30"),
    ),
}


def tasks(name: str, data: str) -> list[dict[str, Any]]:
    """One task for each side of a case on a data set."""
    case = CASES[name]
    epochs = max(1, round(case.effort * _EPOCHS.get(data, 2)))
    return [
        {
            "case": name,
            "side": side,
            "method": case.method,
            "data": data,
            "protocol": case.protocol,
            "settings": {**case.settings, "epochs": epochs},
            "seeds": [0],
            "one_thread": case.one_thread,
        }
        for side in case.sides
    ]


def compare(name: str, data: str, repeats: int) -> list[dict[str, Any]]:
    """Measure the sides of a case in turns; each turn begins with another side."""
    sides = tasks(name, data)
    records = []
    for turn in range(repeats):
        shift = turn % len(sides)
        for task in sides[shift:] + sides[:shift]:
            record = measure.run(task)[0]
            records.append({**record, "turn": turn})
            print(_progress(record), flush=True)
    return records


def _progress(record: dict[str, Any]) -> str:
    head = f"{record['data']:20} {record['case']:20} {record['side']:10}"
    if "error" in record:
        return f"{head} failed: {record['error']}"
    return f"{head} fit {record['fit_cpu']:7.2f} s  AUROC {record['auroc']:.3f}"


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """Median over the turns of theirs by ours."""
    pairs = zip(ours, theirs, strict=True)
    return statistics.median(their / our for our, their in pairs)


def rows(records: Iterable[dict[str, Any]]) -> list[list[str]]:
    """Lines of the table: one for each case, data set and side."""
    key = lambda record: (record["case"], record["data"])  # noqa: E731
    ordered = sorted(records, key=lambda r: (list(CASES).index(r["case"]), r["data"]))
    lines = []
    for (name, data), group in itertools.groupby(ordered, key):
        by_side = _by_side(list(group))
        ours = by_side.get("whitecrow", [])
        for side in CASES[name].sides:
            lines.append(_line(name, data, side, by_side.get(side, []), ours))
    return lines


def _by_side(group: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    group.sort(key=lambda record: record["turn"])
    sides: dict[str, list[dict[str, Any]]] = {}
    for record in group:
        sides.setdefault(record["side"], []).append(record)
    return sides


def _line(
    name: str,
    data: str,
    side: str,
    theirs: list[dict[str, Any]],
    ours: list[dict[str, Any]],
) -> list[str]:
    failed = [record["error"] for record in [*theirs, *ours] if "error" in record]
    if failed or not theirs:
        return [name, data, side, failed[0] if failed else "not run", *[""] * 9]
    fit, score = ([r[part] for r in theirs] for part in ("fit_cpu", "score_cpu"))
    own = side == "whitecrow" or len(ours) != len(theirs)
    fit_ratio = score_ratio = "1" if side == "whitecrow" else ""
    if not own:
        fit_ratio = report.ratio(ratio([r["fit_cpu"] for r in ours], fit))
        score_ratio = report.ratio(ratio([r["score_cpu"] for r in ours], score))
    case = CASES[name]
    aims = {">=": case.at_least.get(side), "<=": case.at_most.get(side)}
    return [
        name,
        data,
        side,
        report.seconds(statistics.median(fit)),
        f"{report.seconds(min(fit))}-{report.seconds(max(fit))}",
        fit_ratio,
        " ".join(f"{sign} {report.ratio(x)}" for sign, x in aims.items() if x),
        report.seconds(statistics.median(score)),
        score_ratio,
        f"{statistics.median(r['peak_mb'] for r in theirs):.0f}",
        f"{statistics.median(r['added_mb'] for r in theirs):.0f}",
        f"{100 * theirs[0]['auroc']:.1f}",
        f"{100 * theirs[0]['ap']:.1f}",
    ]


HEADER = [
    "case",
    "data",
    "side",
    "fit, CPU s",
    "range",
    "ratio",
    "aim",
    "score, CPU s",
    "ratio",
    "peak MB",
    "added MB",
    "AUROC",
    "AP",
]


def section(records: list[dict[str, Any]]) -> str:
    """What RESULTS.md says about speed."""
    names = sorted({r["case"] for r in records}, key=list(CASES).index)
    cases = "\n".join(f"- `{name}`: {CASES[name].title}" for name in names)
    return "\n\n".join([report.machine(), cases, report.table(HEADER, rows(records))])


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", nargs="+", choices=CASES, default=list(CASES))
    parser.add_argument("--data", nargs="+", help="default: those of each case")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument(
        "--big", action="store_true", help="10 million rows from a file"
    )
    parser.add_argument("--rows", type=int, default=10_000_000, help="for --big")
    given = parser.parse_args(arguments)
    if given.big:
        import big

        report.write_section("big", big.section(big.run(given.rows)))
        return
    for name in given.cases:
        for data in given.data or CASES[name].data:
            records = compare(name, data, given.repeats)
            kept = report.store("speed", records, same=("case", "data"))
    print(report.table(HEADER, rows(kept)))
    report.write_section("speed", section(kept))


if __name__ == "__main__":
    main()
