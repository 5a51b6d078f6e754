"""A report as Markdown: ours beside published, mean and spread, failures by name."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from whitecrow.experiments import curves, grids, remarks
from whitecrow.experiments.file import Experiment, Published
from whitecrow.experiments.measures import TITLES, leak_of
from whitecrow.experiments.outcomes import Outcomes
from whitecrow.experiments.ranking import Ranking, best_against_second
from whitecrow.experiments.task import askings, plan

__all__ = ["markdown"]

Records = list[dict[str, Any]]


def markdown(
    found: Outcomes,
    pictures: Mapping[str, str] | None = None,
    sheets: Mapping[str, Mapping[str, str]] | None = None,
) -> str:
    """Write the page of an experiment as Markdown.

    Parameters
    ----------
    found : Outcomes
    pictures : mapping, optional
        Metric -> file name of its critical-difference diagram, for the page to show;
        and under "curves" that of the curves.
    sheets : mapping, optional
        Files of pictures with the lowest and highest scores, as `grids.section` takes.
    """
    experiment, pictures = found.experiment, pictures or {}
    rankings = found.rankings
    parts = [f"# {experiment.title}", _intro(experiment, len(found.good))]
    parts += _by_axis(found, pictures)
    for metric in experiment.metrics:
        parts += [f"## {TITLES[metric]}", _leak(metric)]
        if metric in rankings:
            parts += _ranked(found, rankings[metric], metric, pictures)
        parts.append(_table(found, metric))
    parts += _asked(found)
    parts += remarks.of_training(found)
    parts += ["## CPU seconds of a fit", _seconds(found, "fit_seconds")]
    if any("fit_wall_seconds" in record for record in found.good):
        wall = _seconds(found, "fit_wall_seconds")
        parts += ["## Seconds of a fit on the clock", wall]
    if any(record.get("peak_memory") for record in found.good):
        peak = _seconds(found, "peak_memory")
        parts += ["## Memory of the process at its peak, MiB", peak]
    parts += _by_kind(experiment, found.good)
    parts += grids.section(sheets or {})
    parts += _sources(experiment)
    parts += _failures(found.failed)
    return "\n\n".join(part for part in parts if part) + "\n"


def _intro(experiment: Experiment, done: int) -> str:
    arguments = {k: v for k, v in experiment.protocol.items() if k != "name"}
    settings = ", ".join(f"{key} = {value}" for key, value in arguments.items())
    lines = [f"Source: {experiment.source}." if experiment.source else ""]
    lines.append(
        f"Protocol `{experiment.protocol['name']}`{': ' if settings else ''}"
        f"{settings}; {_seeds(len(experiment.seeds))}, each with a split of its own. "
        "Percent, mean ± standard deviation over seeds."
    )
    for key, values in experiment.repeat.items():
        lines.append(f"Repeated for {len(values)} values of `{key}`.")
    if experiment.anomaly == "reversed":
        lines.append("The labelled anomalies play the normal class, as published.")
    if experiment.max_rows:
        lines.append(f"Sets are cut to {experiment.max_rows:,} random rows.")
    if experiment.leak_as_published:
        lines.append(
            "**Leak, as published:** thresholds are chosen with the truth about the "
            "rows that they are judged by, where a table says so."
        )
    planned = len(plan(experiment))
    if done < planned:
        lines.append(f"Unfinished: {done} of {planned} runs.")
    lines.append(experiment.note.strip())
    return "\n".join(line for line in lines if line)


def _seeds(n: int) -> str:
    return f"{n} seed" if n == 1 else f"{n} seeds"


def _by_axis(found: Outcomes, pictures: Mapping[str, str]) -> list[str]:
    """Tabulate each metric, with what varies across."""
    rows = curves.by_axis(found)
    if not rows:
        return []
    axis = rows[0][0].across
    title = "By number of questions" if axis == "questions" else f"By `{axis}`"
    parts = [f"## {title}", "Per cent, mean over all sets and seeds."]
    if "curves" in pictures:
        parts.append(f"![{title}]({pictures['curves']})")
    for panels in zip(*rows, strict=True):
        drawn = [item for panel in panels for item in panel.curves.items()]
        across = sorted({k for _, curve in drawn for k in curve})
        lines = [
            [name, *(f"{curve[k]:.1f}" if k in curve else "" for k in across)]
            for name, curve in drawn
        ]
        head = [panels[0].title, *(f"{k:g}" for k in across)]
        parts.append(_grid(head, lines))
    return parts


def _leak(metric: str) -> str:
    leak = leak_of(metric)
    return (
        f"**Leak, as published:** the threshold is chosen with {leak}." if leak else ""
    )


def _ranked(
    found: Outcomes, ranking: Ranking, metric: str, pictures: Mapping[str, str]
) -> list[str]:
    """Tabulate mean over all sets and average rank, best first, with the diagram."""
    few = {
        method.label or method.name: method.most_seeds
        for method in found.experiment.methods
        if method.most_seeds
    }
    rows = []
    for name, place in ranking.ranks.items():
        mean = 100 * np.mean(found.on_all_sets(name, metric))
        seconds = np.mean(found.on_all_sets(name, "fit_seconds"))
        shown = f"{name} ({_seeds(few[name])})" if name in few else name
        rows.append([shown, f"{mean:.1f}", f"{place:.1f}", f"{seconds:.2g}"])
    text = (
        f"Over {ranking.n_sets} sets. Ranks of two contenders differ (Nemenyi's test, "
        f"5 %) if they are {ranking.critical_difference:.1f} apart; that all are alike "
        f"has p = {ranking.p_value:.1g} (Friedman's test)."
    )
    p_value = best_against_second(found.quality(metric), ranking)
    if p_value is not None:
        first, second = list(ranking.ranks)[:2]
        text += (
            f" Of {first} against {second} p = {p_value:.1g} (Wilcoxon's signed-rank "
            "test, two-sided)."
        )
    left_out = [name for name in found.labels if name not in ranking.ranks]
    if left_out:
        text += f" Without {', '.join(left_out)}, which miss a set."
    head = ["", "mean", "average rank", "CPU seconds of a fit"]
    parts = [text, _grid(head, rows)]
    if metric in pictures:
        parts.append(f"![Critical differences]({pictures[metric]})")
    return parts


def _table(found: Outcomes, metric: str) -> str:
    """Tabulate mean and deviation over seeds in percent; published below in italics."""
    experiment, names = found.experiment, found.labels
    rows = []
    for name in names:
        values = [_cell(found, name, data, metric) for data in experiment.data]
        rows += [[name, *values], *_printed_row(found, name, metric)]
    # Published methods that we did not run.
    others = dict.fromkeys(number.method for number in experiment.published)
    for name in others:
        if name not in names:
            rows += _printed_row(found, name, metric)
    if metric != "trivial_f1" and "f1" in metric and names:
        trivial = [
            _cell(found, names[0], data, "trivial_f1") for data in experiment.data
        ]
        rows.append(["flag every row", *trivial])
    return _wide_grid(["", *experiment.data], rows)


def _printed_row(found: Outcomes, name: str, metric: str) -> list[list[str]]:
    """Return the row of published numbers of a method, if there are any."""
    sets = found.experiment.data
    numbers = [_printed(found, name, data, metric) for data in sets]
    if not any(numbers):
        return []
    return [[f"*{name}, published*", *(f"*{n}*" if n else "" for n in numbers)]]


def _printed(found: Outcomes, label: str, data: str, metric: str) -> str:
    number = found.published(label, data, metric)
    return _number(number) if number else ""


def _number(number: Published) -> str:
    spread = "" if number.std is None else f" ± {100 * number.std:.1f}"
    return f"{100 * number.mean:.1f}{spread}"


def _cell(found: Outcomes, label: str, data: str, metric: str) -> str:
    values = 100 * np.array(found.values(label, data, metric))
    if not len(values):
        return ""
    if len(values) == 1:
        return f"{values[0]:.1f}"
    return f"{values.mean():.1f} ± {values.std():.1f}"


def _asked(found: Outcomes) -> list[str]:
    """Tabulate who asked what, and how many of the questions found an anomaly."""
    rows = []
    sets = found.experiment.data
    for name, asking in askings(found.experiment).items():
        means = [found.mean(name, data, "found") for data in sets]
        cells = ["" if value is None else f"{value:.1f}" for value in means]
        facts = [asking.strategy, str(asking.questions), f"{asking.wrong:g}"]
        rows.append([name, *facts, *cells])
    if not rows:
        return []
    text = (
        "Training rows whose label is known, chosen all at once by the strategy, from "
        "the scores and codes of a fit without labels; all other labels are unknown. "
        "`wrong` is the share of wrong answers. Then the anomalies among the "
        "questions, mean over seeds. Seconds of a fit are those of the fit with the "
        "answers."
    )
    head = ["", "strategy", "questions", "wrong", *sets]
    return ["## What was asked", text, _grid(head, rows)]


def _seconds(found: Outcomes, key: str) -> str:
    sets = found.experiment.data
    rows = []
    for name in found.labels:
        means = [found.mean(name, data, key) for data in sets]
        rows.append([name, *("" if v is None else f"{v:.3g}" for v in means)])
    return _wide_grid(["", *sets], rows)


def _by_kind(experiment: Experiment, records: Records) -> list[str]:
    """Tabulate the flagged share of each category, for sets that name categories."""
    parts = []
    for data in experiment.data:
        named = [
            r for r in records if r["data"] == data and r["recall_by_kind"] != "{}"
        ]
        if named:
            parts += [
                f"## Flagged of each category, {data}",
                "Percent of test rows, the threshold being the true share of "
                "anomalies: recall of a category of anomalies, false alarms of a "
                "category of normal rows. Rows are the mean over seeds.",
                _kinds(named),
            ]
    return parts


def _kinds(records: Records) -> str:
    """Tabulate the categories of a set: what they are, rows, and a column a method.

    The mean over seeds is of those whose test has the category.
    """
    names = list(dict.fromkeys(record["label"] for record in records))
    found: dict[str, dict[str, list[list[float]]]] = {}
    for record in records:
        for kind, facts in json.loads(record["recall_by_kind"]).items():
            found.setdefault(kind, {}).setdefault(record["label"], []).append(facts)
    rows = []
    for kind, by_method in sorted(found.items()):
        every = [facts for each in by_method.values() for facts in each]
        size = np.mean([facts[0] for facts in every])
        # Older records do not say what a category is.
        shares = [facts[2] for facts in every if len(facts) > 2]
        what = ("anomaly" if np.mean(shares) > 0.5 else "normal") if shares else ""
        cells = [
            f"{100 * np.mean([facts[1] for facts in by_method[name]]):.0f}"
            if name in by_method
            else ""
            for name in names
        ]
        rows.append([kind, what, f"{size:.0f}", *cells])
    return _grid(["category", "is", "rows", *names], rows)


def _sources(experiment: Experiment) -> list[str]:
    """List the sources of the published numbers."""
    methods: dict[str, dict[str, None]] = {}
    for number in experiment.published:
        if number.source:
            methods.setdefault(number.source, {})[number.method] = None
    if not methods:
        return []
    lines = [f"- {source}: {', '.join(names)}" for source, names in methods.items()]
    return ["## Sources of the published numbers", "\n".join(lines)]


def _failures(failed: Records) -> list[str]:
    if not failed:
        return []
    lines = [
        f"- {r['label']} on {r['data']}, seed {r['seed']}: {r['error']}" for r in failed
    ]
    return ["## Failures", "\n".join(lines)]


def _wide_grid(head: list[str], rows: list[list[str]]) -> str:
    """Lay out a table, with a row for each set if these outnumber the contenders."""
    if len(head) <= len(rows):
        return _grid(head, rows)
    turned = [list(column) for column in zip(head, *rows, strict=True)]
    return _grid(turned[0], turned[1:])


def _grid(head: list[str], rows: Iterable[list[str]]) -> str:
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    lines += ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join(lines)
