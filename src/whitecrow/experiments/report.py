"""Records as a page: ours beside published, mean and spread, failures by name."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from typing import Any

import numpy as np

from whitecrow.experiments.spec import Experiment, Published

__all__ = ["markdown", "table"]

_TITLES = {
    "auroc": "AUROC",
    "average_precision": "AP",
    "precision_at_n": "P@n",
    "best_f1": "F1, best threshold on the test set",
    "f1_at_share": "F1, threshold at the true share of anomalies",
    "f1_at_threshold": "F1, threshold from training",
    "trivial_f1": "F1 of flagging every row",
}

Records = list[dict[str, Any]]


def markdown(experiment: Experiment, records: Records) -> str:
    """The page of an experiment."""
    good = [record for record in records if not record["error"]]
    parts = [f"# {experiment.title}", _intro(experiment, good)]
    for metric in experiment.metrics:
        parts += [f"## {_TITLES[metric]}", table(experiment, good, metric)]
    parts += ["## CPU seconds of a fit", _seconds(experiment, good)]
    parts += _by_kind(experiment, good)
    parts += _failures(records)
    return "\n\n".join(part for part in parts if part) + "\n"


def table(experiment: Experiment, records: Records, metric: str) -> str:
    """Mean and standard deviation over seeds in percent; published below in italics."""
    names = _labels(records)
    rows = []
    for name in names:
        values = [_cell(records, name, data, metric) for data in experiment.data]
        rows += [[name, *values], *_printed_row(experiment, name, metric)]
    # Published methods that we did not run.
    others = dict.fromkeys(number.method for number in experiment.published)
    for name in others:
        if name not in names:
            rows += _printed_row(experiment, name, metric)
    if metric in {"best_f1", "f1_at_share", "f1_at_threshold"} and names:
        trivial = [
            _cell(records, names[0], data, "trivial_f1") for data in experiment.data
        ]
        rows.append(["flag every row", *trivial])
    return _grid(["", *experiment.data], rows)


def _printed_row(experiment: Experiment, name: str, metric: str) -> list[list[str]]:
    """The row of published numbers of a method, if there are any."""
    numbers = [_printed(experiment, name, data, metric) for data in experiment.data]
    if not any(numbers):
        return []
    return [[f"*{name}, published*", *(f"*{n}*" if n else "" for n in numbers)]]


def _intro(experiment: Experiment, records: Records) -> str:
    arguments = {k: v for k, v in experiment.protocol.items() if k != "name"}
    settings = ", ".join(f"{key} = {value}" for key, value in arguments.items())
    lines = [f"Source: {experiment.source}." if experiment.source else ""]
    lines.append(
        f"Protocol `{experiment.protocol['name']}`{': ' if settings else ''}"
        f"{settings}; {len(experiment.seeds)} seeds, each with a split of its own. "
        "Percent, mean ± standard deviation over seeds."
    )
    for key, values in experiment.sweep.items():
        lines.append(f"Repeated for {len(values)} values of `{key}`.")
    if experiment.anomaly == "reversed":
        lines.append("The labelled anomalies play the normal class, as published.")
    if experiment.max_rows:
        lines.append(f"Sets are cut to {experiment.max_rows:,} random rows.")
    if experiment.leak_as_published:
        lines.append(
            "**Leak, as published:** the best threshold is chosen on test labels."
        )
    done = len(records)
    repeated = len(experiment.seeds) * math.prod(map(len, experiment.sweep.values()))
    planned = len(experiment.data) * repeated * len(_labels(records))
    if done < planned:
        lines.append(f"Unfinished: {done} of {planned} runs.")
    lines.append(experiment.note.strip())
    return "\n".join(line for line in lines if line)


def _labels(records: Records) -> list[str]:
    return list(dict.fromkeys(record["label"] for record in records))


def _values(records: Records, label: str, data: str, key: str) -> list[float]:
    return [r[key] for r in records if r["label"] == label and r["data"] == data]


def _cell(records: Records, label: str, data: str, metric: str) -> str:
    values = 100 * np.array(_values(records, label, data, metric))
    if not len(values):
        return ""
    if len(values) == 1:
        return f"{values[0]:.1f}"
    return f"{values.mean():.1f} ± {values.std():.1f}"


def _printed(experiment: Experiment, label: str, data: str, metric: str) -> str:
    for number in experiment.published:
        if (number.method, number.data, number.metric) == (label, data, metric):
            return _number(number)
    return ""


def _number(number: Published) -> str:
    spread = "" if number.std is None else f" ± {100 * number.std:.1f}"
    return f"{100 * number.mean:.1f}{spread}"


def _seconds(experiment: Experiment, records: Records) -> str:
    rows = []
    for name in _labels(records):
        found = [_values(records, name, d, "fit_seconds") for d in experiment.data]
        rows.append([name, *(f"{np.mean(v):.3g}" if v else "" for v in found)])
    return _grid(["", *experiment.data], rows)


def _by_kind(experiment: Experiment, records: Records) -> list[str]:
    """Share of the rows of each category that are flagged, for sets that name them."""
    parts = []
    for data in experiment.data:
        named = [
            r for r in records if r["data"] == data and r["recall_by_kind"] != "{}"
        ]
        if not named:
            continue
        names = _labels(named)
        sums: dict[str, dict[str, list[float]]] = {}
        for record in named:
            for kind, (_, share) in json.loads(record["recall_by_kind"]).items():
                sums.setdefault(kind, {}).setdefault(record["label"], []).append(share)
        rows = [
            [
                kind,
                *(
                    f"{100 * np.mean(found[name]):.0f}" if name in found else ""
                    for name in names
                ),
            ]
            for kind, found in sorted(sums.items())
        ]
        parts += [
            f"## Flagged of each category, {data}",
            "Percent of test rows, the threshold being the true share of anomalies.",
            _grid(["category", *names], rows),
        ]
    return parts


def _failures(records: Records) -> list[str]:
    failed = [record for record in records if record["error"]]
    if not failed:
        return []
    lines = [
        f"- {r['label']} on {r['data']}, seed {r['seed']}: {r['error']}" for r in failed
    ]
    return ["## Failures", "\n".join(lines)]


def _grid(head: list[str], rows: Iterable[list[str]]) -> str:
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    lines += ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join(lines)
