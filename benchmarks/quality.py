"""How good the rankings are, beside peers, plain references and published numbers.

    python benchmarks/quality.py                                   # all of grid/
    python benchmarks/quality.py experiments/deep_sad_odds.toml    # one published table

The files are those of `whitecrow experiment run`, which measures our methods. Here
every contender has a process of its own, for its CPU seconds and its memory, and the
peers and the plain references take part on the same splits without being named; the
page says where a plain reference wins.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import statistics
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import measure
import peers
import report

from whitecrow.experiments import task as plans
from whitecrow.experiments.file import Experiment, load
from whitecrow.metrics import MeanError, across_seeds

ROOT = Path(__file__).parent.parent
GRID = Path(__file__).parent / "grid"
METRICS = {"auroc": "AUROC", "ap": "AP", "f1": "F1"}
_PUBLISHED = {"auroc": "auroc", "average_precision": "ap", "f1_at_share": "f1"}
_PACKAGES = {"pyod": "PyOD", "deepod": "DeepOD", "sklearn": "plain"}


def plan(experiment: Experiment) -> list[dict[str, Any]]:
    """All tasks: contender by data set by swept value, each with all seeds."""
    found: dict[str, dict[str, Any]] = {}
    for task in plans.plan(experiment):
        if ":" in task.method:  # a peer or a reference by name: see `_others`
            continue
        settings = {"parameters": dict(task.parameters), "preset": task.preset}
        ours = _task(experiment, task, task.label, "default", task.method, settings)
        entries = [ours, *_others(experiment, task)]
        if task.asking is not None:  # `whitecrow experiment run` knows how to ask
            entries = [entry for entry in entries if entry["plain"]]
        for entry in entries:
            key = json.dumps([entry["data"], entry["name"], entry["protocol"]])
            found.setdefault(key, entry)
    in_file = list(experiment.data)
    return sorted(found.values(), key=lambda t: (in_file.index(t["data"]), t["plain"]))


def _others(experiment: Experiment, task: plans.Task) -> list[dict[str, Any]]:
    """The peers of a method, and the plain references that can take part."""
    keys = [
        (method, side)
        for method, side in peers.PEERS
        if method == task.method and side != "sklearn"
    ]
    plain = peers.PLAIN + (peers.LABELLED if sees_labels(experiment) else ())
    keys += [(method, "sklearn") for method in plain]
    return [
        _task(experiment, task, f"{_PACKAGES[side]} {method}", side, method, settings)
        for method, side in keys
        for settings in [peers.DEFAULTS.get((method, side), {})]
    ]


def _task(
    experiment: Experiment,
    task: plans.Task,
    name: str,
    side: str,
    method: str,
    settings: Mapping[str, Any],
) -> dict[str, Any]:
    return {
        "experiment": experiment.name,
        "data": task.data,
        "protocol": dict(task.protocol),
        "seeds": list(experiment.seeds),
        "name": name,
        "side": side,
        "method": method,
        "settings": dict(settings),
        "plain": side == "sklearn",
    }


def sees_labels(experiment: Experiment) -> bool:
    """Whether training rows have labels, so that a classifier can be trained."""
    shares = ("ratio_known_anomaly", "known_anomalies")
    return any(experiment.protocol.get(share) for share in shares)


def run(experiment: Experiment, *, with_peers: bool = True) -> list[dict[str, Any]]:
    """Measure all tasks, one process each; each is kept as soon as it is done.

    Returns what is known about the experiment, earlier runs of other tasks included.
    """
    kept: list[dict[str, Any]] = []
    for task in plan(experiment):
        if task["side"] in {"pyod", "deepod"} and not with_peers:
            continue
        found = measure.run(task)
        print(_progress(task, found), flush=True)
        kept = report.store(
            "quality", found, same=("experiment", "data", "protocol", "name")
        )
    return [record for record in kept if record["experiment"] == experiment.name]


def _progress(task: Mapping[str, Any], records: Sequence[Mapping[str, Any]]) -> str:
    swept = str(task["protocol"].get("normal", ""))
    head = f"{task['data']:16} {task['name']:34} {swept}"
    if "error" in records[0]:
        return f"{head} failed: {records[0]['error']}"
    return f"{head} AUROC {percent(record['auroc'] for record in records)}"


def percent(values: Iterable[float]) -> str:
    """Mean and standard error in percent."""
    found = _percent(values)
    if found.n == 1:
        return f"{found.mean:.1f}"
    return f"{found.mean:.1f} ± {found.standard_error:.1f}"


def _percent(values: Iterable[float]) -> MeanError:
    return across_seeds([100 * value for value in values])


HEADER = [
    "data",
    "contender",
    *METRICS.values(),
    "fit, CPU s",
    "peak MB",
    "published",
]


def rows(experiment: Experiment, records: list[dict[str, Any]]) -> list[list[str]]:
    """Lines of the table, data set by data set."""
    lines = []
    for data in experiment.data:
        published = _published(experiment, data)
        for name in _names(experiment):
            own = _of(records, data, name)
            lines.append(_line(data, name, own, published.pop(name, "")))
        lines += [
            [data, f"{name} (published)", "", "", "", "", "", number]
            for name, number in published.items()
        ]
    return lines


def _names(experiment: Experiment) -> list[str]:
    return list(dict.fromkeys(task["name"] for task in plan(experiment)))


def _published(experiment: Experiment, data: str) -> dict[str, str]:
    found = {}
    for number in experiment.published:
        if number.data == data:
            parts = [number.mean] if number.std is None else [number.mean, number.std]
            text = " ± ".join(f"{100 * part:.1f}" for part in parts)
            found[number.method] = f"{METRICS[_PUBLISHED[number.metric]]} {text}"
    return found


def _of(records: list[dict[str, Any]], data: str, name: str) -> list[dict[str, Any]]:
    return [r for r in records if r["data"] == data and r["name"] == name]


def _line(
    data: str, name: str, records: list[dict[str, Any]], published: str
) -> list[str]:
    failed = [record["error"] for record in records if "error" in record]
    if failed or not records:
        reason = failed[0] if failed else "not run"
        return [data, name, reason, "", "", "", "", published]
    parts = [percent([record[metric] for record in records]) for metric in METRICS]
    fit = statistics.median(record["fit_cpu"] for record in records)
    peak = max(record["peak_mb"] for record in records)
    return [data, name, *parts, report.seconds(fit), f"{peak:.0f}", published]


def verdicts(experiment: Experiment, records: list[dict[str, Any]]) -> list[str]:
    """One sentence for each data set: how our best does against the best reference."""
    sentences = []
    for data in experiment.data:
        best: dict[str, tuple[MeanError, str]] = {}
        for name in _names(experiment):
            own = _of(records, data, name)
            if own and not any("error" in record for record in own):
                mean, side = _percent(r["auroc"] for r in own), own[0]["side"]
                if side not in best or mean.mean > best[side][0].mean:
                    best[side] = (mean, name)
        if {"default", "sklearn"} <= best.keys():
            sentences.append(_verdict(data, best["default"], best["sklearn"]))
    return sentences


def _verdict(
    data: str, ours: tuple[MeanError, str], plain: tuple[MeanError, str]
) -> str:
    (our, our_name), (their, their_name) = ours, plain
    difference = our.mean - their.mean
    error = (our.standard_error**2 + their.standard_error**2) ** 0.5
    text = (
        f"{our_name} {our.mean:.1f} against {their_name} {their.mean:.1f} "
        f"(difference {difference:+.1f} ± {error:.1f})"
    )
    if difference < 0:
        return f"- {data}: **a plain reference wins**: {text}."
    return f"- {data}: {'ahead' if difference > error else 'no clear winner'}: {text}."


def section(experiment: Experiment, records: list[dict[str, Any]]) -> str:
    """What RESULTS.md says about an experiment."""
    notes = sorted({f"- {r['data']}: {r['note']}" for r in records if "note" in r})
    protocol = json.dumps({**experiment.protocol, **experiment.repeat})
    source = f" {experiment.source}." if experiment.source else ""
    paragraphs = [
        f"**{experiment.title}.**{source}",
        experiment.note.strip(),
        f"Protocol `{protocol}`, seeds {list(experiment.seeds)}. Mean ± standard error "
        "over seeds in percent; F1 when as many rows are flagged as there are "
        "anomalies; CPU seconds of a fit on one thread.",
        "\n".join(notes) if len(notes) < 9 else "",
        report.table(HEADER, rows(experiment, records)),
        "AUROC of our best against the best plain reference:",
        "\n".join(verdicts(experiment, records)),
        report.machine(),
    ]
    return "\n\n".join(part for part in paragraphs if part)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("files", nargs="*", type=Path, help="experiment files")
    parser.add_argument("--seeds", type=int, nargs="+", help="in place of the file's")
    parser.add_argument("--data", nargs="+", help="in place of the file's")
    parser.add_argument("--no-peers", action="store_true", help="ours and the plain")
    given = parser.parse_args(arguments)
    for path in given.files or sorted(GRID.glob("*.toml")):
        whole = part = load(path)
        if given.seeds:
            whole = part = dataclasses.replace(whole, seeds=tuple(given.seeds))
        if given.data:
            part = dataclasses.replace(whole, data=tuple(given.data))
        text = section(whole, run(part, with_peers=not given.no_peers))
        report.write_section(whole.name, text)
        print(text)


if __name__ == "__main__":
    main()
