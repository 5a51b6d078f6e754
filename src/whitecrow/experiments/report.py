"""Records as a page: ours beside published, mean and spread, failures by name."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from whitecrow.experiments.asking import Asking
from whitecrow.experiments.curves import Panel
from whitecrow.experiments.plan import Contender, contenders, plan
from whitecrow.experiments.ranking import Ranking, rank
from whitecrow.experiments.spec import Experiment, MethodSpec, Published, leak_of
from whitecrow.metrics.thresholds import PROTOCOLS

__all__ = ["budgets", "comma_separated", "markdown", "rankings"]

# From so many sets on a report ranks the contenders.
_MANY_SETS = 6

_TITLES = {
    "auroc": "AUROC",
    "average_precision": "AP",
    "precision_at_n": "P@n",
    "best_f1": "F1, best threshold on the test set",
    "f1_at_share": "F1, threshold at the true share of anomalies",
    "f1_at_threshold": "F1, threshold from training",
    "trivial_f1": "F1 of flagging every row",
    **{
        f"{measure}_{name}": f"{title}, {protocol.title} (`{name}`)"
        for name, protocol in PROTOCOLS.items()
        for measure, title in (
            ("f1", "F1"),
            ("precision", "Precision"),
            ("recall", "Recall"),
        )
    },
}

Records = list[dict[str, Any]]
# Those that did not fail, by contender and set.
Cells = dict[tuple[str, str], Records]


def markdown(
    experiment: Experiment,
    records: Records,
    pictures: Mapping[str, str] | None = None,
) -> str:
    """Write the page of an experiment as Markdown.

    Parameters
    ----------
    experiment : Experiment
    records : list of dict
    pictures : mapping, optional
        Metric -> file name of its critical-difference diagram, for the page to show;
        and under "questions" that of the curves over their number.
    """
    good = _cells(records)
    flat = [record for cell in good.values() for record in cell]
    parts = [f"# {experiment.title}", _intro(experiment, len(flat))]
    parts += _by_questions(experiment, good, pictures or {})
    for metric in experiment.metrics:
        parts += [f"## {_TITLES[metric]}", _leak(metric)]
        parts += _ranked(experiment, good, metric, pictures or {})
        parts.append(_table(experiment, good, metric))
    parts += _asked(experiment, good)
    parts.append(_left_out(good))
    parts += ["## CPU seconds of a fit", _seconds(experiment, good, "fit_seconds")]
    if any("fit_wall_seconds" in record for record in flat):
        wall = _seconds(experiment, good, "fit_wall_seconds")
        parts += ["## Seconds of a fit on the clock", wall]
    parts += _by_kind(experiment, flat)
    parts += _sources(experiment)
    parts += _failures(records)
    return "\n\n".join(part for part in parts if part) + "\n"


def comma_separated(experiment: Experiment, records: Records) -> str:
    """Write the page's numbers as CSV: a line for each set, contender and metric."""
    good = _cells(records)
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    asked = _askings(experiment)
    writer.writerow(_COLUMNS + (_ASKED if asked else ()))
    others = [number.method for number in experiment.published]
    for data in experiment.data:
        for name in dict.fromkeys([*_labels(good), *others]):
            for metric in experiment.metrics:
                line = _line(experiment, good, data, name, metric)
                more = _questions(good, data, name, asked.get(name)) if asked else []
                writer.writerow(line + more)
    return file.getvalue()


_COLUMNS = (
    *("data", "method", "metric", "leak", "mean", "std", "n", "trivial_f1"),
    *("published_mean", "published_std", "published_source"),
    *("fit_cpu_seconds", "fit_wall_seconds"),
)
# Of experiments in which somebody asks.
_ASKED = ("strategy", "questions", "wrong", "found", "first_fit_cpu_seconds")


def _line(
    experiment: Experiment, good: Cells, data: str, name: str, metric: str
) -> list[str | float | None]:
    """Return one line of the CSV, None where there is nothing."""

    def mean(key: str) -> float | None:
        return _mean(good, name, data, key)

    values = _values(good, name, data, metric)
    spread = float(np.std(values)) if values else None
    number = _published(experiment, name, data, metric)
    printed = (number.mean, number.std, number.source) if number else (None,) * 3
    return [
        *(data, name, metric, leak_of(metric), mean(metric), spread, len(values)),
        *(mean("trivial_f1"), *printed, mean("fit_seconds"), mean("fit_wall_seconds")),
    ]


def _questions(
    good: Cells, data: str, name: str, asking: Asking | None
) -> list[str | float | None]:
    """Return what a line of the CSV says of the questions."""
    if asking is None:
        return [None] * len(_ASKED)
    return [
        *(asking.strategy, asking.questions, asking.wrong),
        *(_mean(good, name, data, key) for key in ("found", "first_fit_seconds")),
    ]


def rankings(experiment: Experiment, records: Records) -> dict[str, Ranking]:
    """Rank the contenders by each metric, where there are enough sets.

    Contenders that miss a set are left out. Nobody is ranked where the number of
    questions varies: the curves say more than places among many budgets.
    """
    return _rankings(experiment, _cells(records))


def _rankings(experiment: Experiment, good: Cells) -> dict[str, Ranking]:
    if any(map(_varies, experiment.methods)):
        return {}
    found = {}
    for metric in experiment.metrics:
        means = _means(experiment, good, metric)
        if len(experiment.data) >= _MANY_SETS and len(means) > 2:
            found[metric] = rank(means)
    return found


def _means(experiment: Experiment, good: Cells, metric: str) -> dict[str, list[float]]:
    """Map contenders that have every set to their mean over seeds on each of them."""
    found = {}
    for name in _labels(good):
        values = [_values(good, name, data, metric) for data in experiment.data]
        if all(values):
            found[name] = [float(np.mean(each)) for each in values]
    return found


def _ranked(
    experiment: Experiment, good: Cells, metric: str, pictures: Mapping[str, str]
) -> list[str]:
    """Tabulate mean over all sets and average rank, best first, with the diagram."""
    ranking = _rankings(experiment, good).get(metric)
    if ranking is None:
        return []
    means = _means(experiment, good, metric)
    few = {
        method.label or method.name: method.most_seeds
        for method in experiment.methods
        if method.most_seeds
    }
    rows = []
    for name, place in ranking.ranks.items():
        mean = 100 * np.mean(means[name])
        seconds = np.mean(_everywhere(good, name, "fit_seconds"))
        shown = f"{name} ({few[name]} seed)" if name in few else name
        rows.append([shown, f"{mean:.1f}", f"{place:.1f}", f"{seconds:.2g}"])
    text = (
        f"Over {ranking.n_sets} sets. Ranks of two contenders differ (Nemenyi's test, "
        f"5 %) if they are {ranking.critical_difference:.1f} apart; that all are alike "
        f"has p = {ranking.p_value:.1g} (Friedman's test)."
    )
    left_out = [name for name in _labels(good) if name not in means]
    if left_out:
        text += f" Without {', '.join(left_out)}, which miss a set."
    head = ["", "mean", "average rank", "CPU seconds of a fit"]
    parts = [text, _grid(head, rows)]
    if metric in pictures:
        parts.append(f"![Critical differences]({pictures[metric]})")
    return parts


def _askings(experiment: Experiment) -> dict[str, Asking]:
    """Map the labels of contenders that ask to their questions."""
    every = [each for method in experiment.methods for each in contenders(method)]
    return {each.label: each.asking for each in every if each.asking is not None}


def _asked(experiment: Experiment, good: Cells) -> list[str]:
    """Tabulate who asked what, and how many of the questions found an anomaly."""
    rows = []
    for name, asking in _askings(experiment).items():
        found = [_mean(good, name, data, "found") for data in experiment.data]
        cells = ["" if value is None else f"{value:.1f}" for value in found]
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
    head = ["", "strategy", "questions", "wrong", *experiment.data]
    return ["## What was asked", text, _grid(head, rows)]


def _left_out(good: Cells) -> str:
    """Say which methods were fitted without known anomalies."""
    names = {
        name
        for (name, _), records in good.items()
        if any(record.get("n_left_out") for record in records)
    }
    if not names:
        return ""
    return (
        f"Fitted without the training rows that are known to be anomalies, as they do "
        f"not learn from labels: {', '.join(sorted(names))}. `use_labels = false` "
        "would train on these rows as normal ones."
    )


def budgets(experiment: Experiment, records: Records) -> list[list[Panel]]:
    """Collect curves over the number of questions: a row for each method varying it.

    Each row has a panel for each metric, and one for the anomalies found. Values are
    per cent, mean over all sets; a contender that misses a set has no value.
    """
    return _budgets(experiment, _cells(records))


def _budgets(experiment: Experiment, good: Cells) -> list[list[Panel]]:
    rows = []
    for method in experiment.methods:
        if _varies(method):
            asked = list(contenders(method))
            panels = [
                Panel(_TITLES[metric], _curves(experiment, good, asked, metric))
                for metric in experiment.metrics
            ]
            found = _curves(experiment, good, asked, "found")
            rows.append([*panels, Panel(_FOUND, found)])
    return rows


def _varies(method: MethodSpec) -> bool:
    """Tell whether a method asks several numbers of questions."""
    return len({asking.questions for asking in method.asking}) > 1


_FOUND = "anomalies among the questions"


def _curves(
    experiment: Experiment, good: Cells, asked: list[Contender], key: str
) -> dict[str, dict[int, float]]:
    """Average over all sets, in per cent, by curve and number of questions."""
    curves: dict[str, dict[int, float]] = {}
    for each in asked:
        assert each.asking is not None
        values = [_values(good, each.label, data, key) for data in experiment.data]
        curve = curves.setdefault(each.curve, {})
        whole = each.asking.questions if key == "found" else 1
        if all(values) and whole:
            mean = np.mean([np.mean(value) for value in values])
            curve[each.asking.questions] = 100 * float(mean) / whole
    return curves


def _by_questions(
    experiment: Experiment, good: Cells, pictures: Mapping[str, str]
) -> list[str]:
    """Tabulate each metric, with the number of questions across."""
    rows = _budgets(experiment, good)
    if not rows:
        return []
    parts = ["## By number of questions", "Per cent, mean over all sets and seeds."]
    if "questions" in pictures:
        parts.append(f"![By number of questions]({pictures['questions']})")
    for panels in zip(*rows, strict=True):
        curves = [item for panel in panels for item in panel.curves.items()]
        across = sorted({k for _, curve in curves for k in curve})
        lines = [
            [name, *(f"{curve[k]:.1f}" if k in curve else "" for k in across)]
            for name, curve in curves
        ]
        head = [panels[0].title, *map(str, across)]
        parts.append(_grid(head, lines))
    return parts


def _leak(metric: str) -> str:
    leak = leak_of(metric)
    return (
        f"**Leak, as published:** the threshold is chosen with {leak}." if leak else ""
    )


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


def _table(experiment: Experiment, good: Cells, metric: str) -> str:
    """Tabulate mean and deviation over seeds in percent; published below in italics."""
    names = _labels(good)
    rows = []
    for name in names:
        values = [_cell(good, name, data, metric) for data in experiment.data]
        rows += [[name, *values], *_printed_row(experiment, name, metric)]
    # Published methods that we did not run.
    others = dict.fromkeys(number.method for number in experiment.published)
    for name in others:
        if name not in names:
            rows += _printed_row(experiment, name, metric)
    if metric != "trivial_f1" and "f1" in metric and names:
        trivial = [
            _cell(good, names[0], data, "trivial_f1") for data in experiment.data
        ]
        rows.append(["flag every row", *trivial])
    return _wide_grid(["", *experiment.data], rows)


def _printed_row(experiment: Experiment, name: str, metric: str) -> list[list[str]]:
    """Return the row of published numbers of a method, if there are any."""
    numbers = [_printed(experiment, name, data, metric) for data in experiment.data]
    if not any(numbers):
        return []
    return [[f"*{name}, published*", *(f"*{n}*" if n else "" for n in numbers)]]


def _intro(experiment: Experiment, done: int) -> str:
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
            "**Leak, as published:** thresholds are chosen with the truth about the "
            "rows that they are judged by, where a table says so."
        )
    planned = len(plan(experiment))
    if done < planned:
        lines.append(f"Unfinished: {done} of {planned} runs.")
    lines.append(experiment.note.strip())
    return "\n".join(line for line in lines if line)


def _cells(records: Records) -> Cells:
    cells: Cells = {}
    for record in records:
        if not record["error"]:
            cells.setdefault((record["label"], record["data"]), []).append(record)
    return cells


def _labels(good: Cells) -> list[str]:
    return list(dict.fromkeys(label for label, _ in good))


def _values(good: Cells, label: str, data: str, key: str) -> list[float]:
    """Return a key's values, without NaN and without old records that lack the key."""
    found = [record.get(key) for record in good.get((label, data), [])]
    return [value for value in found if value is not None and not math.isnan(value)]


def _everywhere(good: Cells, label: str, key: str) -> list[float]:
    """Return a key's values on all sets."""
    sets = [data for name, data in good if name == label]
    return [value for data in sets for value in _values(good, label, data, key)]


def _mean(good: Cells, label: str, data: str, key: str) -> float | None:
    """Average a key over seeds; None where there is nothing."""
    values = _values(good, label, data, key)
    return float(np.mean(values)) if values else None


def _cell(good: Cells, label: str, data: str, metric: str) -> str:
    values = 100 * np.array(_values(good, label, data, metric))
    if not len(values):
        return ""
    if len(values) == 1:
        return f"{values[0]:.1f}"
    return f"{values.mean():.1f} ± {values.std():.1f}"


def _printed(experiment: Experiment, label: str, data: str, metric: str) -> str:
    number = _published(experiment, label, data, metric)
    return _number(number) if number else ""


def _published(
    experiment: Experiment, label: str, data: str, metric: str
) -> Published | None:
    for number in experiment.published:
        if (number.method, number.data, number.metric) == (label, data, metric):
            return number
    return None


def _number(number: Published) -> str:
    spread = "" if number.std is None else f" ± {100 * number.std:.1f}"
    return f"{100 * number.mean:.1f}{spread}"


def _seconds(experiment: Experiment, good: Cells, key: str) -> str:
    rows = []
    for name in _labels(good):
        found = [_values(good, name, data, key) for data in experiment.data]
        rows.append([name, *(f"{np.mean(v):.3g}" if v else "" for v in found)])
    return _wide_grid(["", *experiment.data], rows)


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


def _failures(records: Records) -> list[str]:
    failed = [record for record in records if record["error"]]
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
