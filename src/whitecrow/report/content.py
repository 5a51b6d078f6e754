"""What the page says, as plain values: nothing here knows HTML."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from whitecrow import __version__, labels
from whitecrow.data.kinds.words import percent, shown
from whitecrow.data.rows import PictureRows, TableRows
from whitecrow.grouping import moment_text
from whitecrow.metrics.quality import beside_chance
from whitecrow.notes import LOUD, ORDINARY, WORTH_KNOWING, folded
from whitecrow.report import charts, island
from whitecrow.report.pictures import is_small, picture_view
from whitecrow.report.rows import TableView, table_view
from whitecrow.report.scores import cuts, histogram, score_text, spread, static_cuts
from whitecrow.report.strips import column_strip, drawn, place_in, usual_text

if TYPE_CHECKING:
    from whitecrow.findings import Findings
    from whitecrow.metrics.quality import Quality

__all__ = [
    "column_strip",
    "is_small",
    "page",
    "place_in",
    "score_text",
    "spread",
    "summary",
]

MOST_COLUMNS = 400
FIRST_COLUMNS = 12  # shown at once; the others in a fold
FIRST_GROUPS = 9
FRAGMENT_ROWS, FRAGMENT_GROUPS = 10, 5


@dataclass(frozen=True, kw_only=True)
class NoteView:
    """A note, and what to type where something can be done about it."""

    text: str
    before: str
    command: str
    members: tuple[str, ...] = ()


def page(result: Findings) -> dict[str, Any]:
    """Collect all values that the templates show."""
    bars = histogram(result)
    found = cuts(result, bars)
    rows = result.rows
    if isinstance(rows, PictureRows):
        special = picture_view(result, rows)
    else:
        special = _table(result, rows)
    data = special.pop("data", {}) | {"cuts": found, "things": result.rows.things}
    return {
        "title": f"{Path(result.source).name}: anomalies",
        "things": result.rows.things,
        "kind": result.kind,
        "source": result.source,
        "name": Path(result.source).name or result.source,
        "n_rows": len(result.scores),
        "n_flagged": result.n_flagged,
        "share": percent(float(result.flagged.mean())),
        "method": _method(result),
        "threshold": score_text(result.threshold, spread(result.scores)),
        "threshold_source": result.threshold_source,
        "automatic": result.choice.contamination == "auto",
        "labels_used": result.labels_used,
        "loud": _notes(result, LOUD),
        "read": [*_notes(result, WORTH_KNOWING), *_notes(result, ORDINARY)],
        "histogram": bars,
        "cuts": found,
        "static_cuts": static_cuts(found) if found else [],
        "quality": None if result.quality is None else _quality(result, result.quality),
        "pixels": result.pixels,
        "steps": result.next_steps(),
        "files": {what: Path(name).name for what, name in result.files().items()},
        "footer": _footer(result),
        "n_columns": 0,
        **special,
        "data": island.dumps(data),
    }


def summary(result: Findings) -> dict[str, Any]:
    """Collect the values of a short piece for a notebook."""
    width = spread(result.scores)
    rows = [
        {
            "rank": rank,
            "name": result.name(row),
            "score": score_text(float(result.scores[row]), width),
            "flagged": bool(result.flagged[row]),
            "reasons": [str(reason) for reason in result.reasons.get(row, ())],
        }
        for rank, row in enumerate(result.top[:FRAGMENT_ROWS], start=1)
    ]
    return {
        "things": result.rows.things,
        "kind": result.kind,
        "n_rows": len(result.scores),
        "n_flagged": result.n_flagged,
        "method": result.choice.method.class_name,
        "threshold": score_text(result.threshold, width),
        "threshold_source": result.threshold_source,
        "loud": [*_notes(result, LOUD), *_notes(result, WORTH_KNOWING)],
        "auroc": None if result.quality is None else result.quality.auroc,
        "beside_chance": _chance(result),
        "groups": [
            {"n": len(group.rows), "text": group.text}
            for group in result.groups[:FRAGMENT_GROUPS]
        ],
        "rows": rows,
    }


def _chance(result: Findings) -> str:
    auroc = None if result.quality is None else result.quality.auroc
    return "" if auroc is None else beside_chance(auroc)


def _method(result: Findings) -> dict[str, Any]:
    choice = result.choice
    return {
        "name": choice.method.name,
        "title": choice.method.class_name,
        "summary": choice.method.summary,
        "paper": f"{choice.method.paper}, {choice.method.year}",
        "reason": choice.reason,
    }


# ----------------------------------------------------------------------- the notes


def _notes(result: Findings, level: int) -> list[NoteView]:
    """Notes of a level; what is ordinary about a column is told beside its chart."""
    wanted = [
        note
        for note in result.notes
        if min(max(note.level, ORDINARY), LOUD) == level
        and (level > ORDINARY or note.column is None)
    ]
    return [
        replace(
            note_view(note.text, note.remedy),
            members=tuple(one.text for one in members),
        )
        for note, members in folded(wanted)
    ]


def note_view(text: str, remedy: str) -> NoteView:
    """Part a remedy into what is said and what is typed.

    Examples
    --------
    >>> note_view("'id' is left out", "to use it: --read-as id=category").command
    '--read-as id=category'
    """
    at = next((remedy.find(m) for m in ("whitecrow ", "--") if m in remedy), -1)
    if at < 0:
        return NoteView(text=text, before=remedy, command="")
    return NoteView(text=text, before=remedy[:at].strip(), command=remedy[at:].strip())


# ----------------------------------------------------------------------- the table


def _table(result: Findings, rows: TableRows) -> dict[str, Any]:
    encoder = result.model.encoder
    assert encoder is not None
    names = [one.column for one in encoder.decisions_][:MOST_COLUMNS]
    reasons = (r.column for rs in result.reasons.values() for r in rs)
    wanted = list(dict.fromkeys([*names, *reasons]))
    frame = rows.frame
    strips = drawn(encoder, frame, [n for n in wanted if n in frame.column_names])
    view = table_view(result, rows, strips)
    columns = _columns(result, view)
    time, time_data = _timeline(result)
    groups = _groups(result, view)
    return {
        "view": view,
        "groups": [one for one in groups if one["kind"] == "reason"],
        "episodes": [one for one in groups if one["kind"] == "episode"],
        "first_groups": FIRST_GROUPS,
        "columns": columns,
        "first_columns": FIRST_COLUMNS,
        "n_columns": len(encoder.decisions_),
        "time": time,
        "data": view.data | {"time": time_data},
    }


def _groups(result: Findings, view: TableView) -> list[dict[str, Any]]:
    most = max((len(group.rows) for group in result.groups), default=1)
    return [
        {
            "index": index,
            "text": group.text,
            "n": len(group.rows),
            "width": 100 * len(group.rows) / most,
            "kind": "episode" if group.column is None else "reason",
            "reach": len(view.data["groups"][index]),
        }
        for index, group in enumerate(result.groups)
    ]


def _columns(result: Findings, view: TableView) -> list[dict[str, Any]]:
    """List the columns, those that cause most flags first."""
    encoder = result.model.encoder
    assert encoder is not None
    most = max(view.counts.values(), default=1)
    found: list[dict[str, Any]] = []
    for one in encoder.decisions_:
        summary = encoder.summaries_.get(one.column, {})
        missing = summary.get("missing", 0.0)
        found.append(
            {
                "name": one.column,
                "kind": one.noun.removeprefix("a ").removeprefix("an "),
                "action": one.action,
                # What is among the notes is not told again in full.
                "notes": ("", "h-read", "h-loud")[min(max(one.level, 0), 2)],
                "detail": one.detail,
                "remedy": note_view("", one.remedy) if one.remedy else None,
                "usual": usual_text(summary, _words(result, one.column)),
                "missing": percent(missing) if missing else "",
                "strip": view.symbols.get(one.column, ""),
                "n": view.counts[one.column],
                "width": 100 * view.counts[one.column] / most,
            }
        )
    found.sort(key=lambda column: -column["n"])
    return found[:MOST_COLUMNS]


def _words(result: Findings, column: str) -> dict[str, str]:
    """Words of the file for true and false, where a column has them."""
    encoder, rows = result.model.encoder, result.rows
    assert encoder is not None
    assert isinstance(rows, TableRows)
    if encoder.summaries_.get(column, {}).get("kind") != "boolean":
        return {}
    cells = rows.frame.column(column)
    truths = encoder.chart(column, cells)
    found = {}
    for word, truth in (("true", 1.0), ("false", 0.0)):
        at = np.flatnonzero(truths == truth)
        if len(at):
            found[word] = shown(cells[int(at[0])].as_py())
    return found


# ------------------------------------------------------------------------ the time


def _timeline(result: Findings) -> tuple[dict[str, Any] | None, dict[str, Any] | None]:
    """Draw the time axis for the template, and what its script needs."""
    encoder = result.model.encoder
    assert encoder is not None
    column, moments = encoder.moment_, result.moments
    if column is None or moments is None:
        return None, None
    chart = charts.timeline(moments, result.scores, result.flagged, result.threshold)
    if chart is None:
        return None, None
    width = spread(result.scores)
    data = {
        "start": chart.start,
        "step": chart.step,
        "highest": [
            None if score is None else score_text(score, width)
            for score in chart.highest
        ],
        "counts": chart.counts,
        "column": column,
    }
    end = chart.start + chart.step * len(chart.counts)
    view = {
        "chart": chart,
        "column": column,
        "start": moment_text(chart.start, chart.step),
        "end": moment_text(end, chart.step),
        "episodes": _bands(result, chart, moments),
    }
    return view, data


def _bands(
    result: Findings, chart: charts.Timeline, moments: NDArray[np.float64]
) -> list[dict[str, Any]]:
    """Episodes on the time axis, in the order of time."""
    bands = []
    for index, group in enumerate(result.groups):
        if group.column is None:
            at = moments[list(group.rows)]
            left, right = chart.place(float(at.min())), chart.place(float(at.max()))
            band = {"index": index, "text": group.text, "n": len(group.rows)}
            bands.append(band | {"left": left, "width": right - left})
    return sorted(bands, key=lambda band: band["left"])


# --------------------------------------------------------------------- the quality


def _quality(result: Findings, quality: Quality) -> dict[str, Any]:
    codes = result.rows.codes
    assert codes is not None
    known = codes != labels.UNLABELLED
    odd, scores = codes[known] == labels.ANOMALY, result.scores[known]
    both = odd.any() and not odd.all()
    return {
        "n_labelled": quality.n_labelled,
        "n_anomalies": quality.n_anomalies,
        "n_normal": quality.n_labelled - quality.n_anomalies,
        "share": percent(quality.share),
        "auroc": quality.auroc,
        "beside_chance": _chance(result),
        "interval": quality.interval,
        "average_precision": quality.average_precision,
        "base": quality.share,
        "precision": None if quality.precision is None else percent(quality.precision),
        "recall": None if quality.recall is None else percent(quality.recall),
        "counts": {
            "tp": quality.true_positives,
            "fp": quality.false_positives,
            "fn": quality.false_negatives,
            "tn": quality.true_negatives,
        },
        "roc": _roc(odd, scores) if both else None,
        "pr": _pr(odd, scores) if both else None,
        "point": _point(quality),
    }


def _roc(odd: NDArray[np.bool_], scores: NDArray[np.float64]) -> str:
    from sklearn.metrics import roc_curve

    fpr, tpr, _ = roc_curve(odd, scores)
    return charts.curve(fpr, tpr)


def _pr(odd: NDArray[np.bool_], scores: NDArray[np.float64]) -> str:
    from sklearn.metrics import precision_recall_curve

    precision, recall, _ = precision_recall_curve(odd, scores)
    return charts.curve(recall[::-1], precision[::-1])


def _point(quality: Quality) -> dict[str, float] | None:
    """Where the threshold lies on both curves."""
    n_normal = quality.n_labelled - quality.n_anomalies
    if quality.precision is None or quality.recall is None or not n_normal:
        return None
    return {
        "fpr": 100 * quality.false_positives / n_normal,
        "tpr": 100 * quality.recall,
        "precision": 100 * quality.precision,
    }


def _footer(result: Findings) -> dict[str, str]:
    choice = result.choice
    given = ", ".join(f"{k}={v!r}" for k, v in choice.parameters.items())
    now = dt.datetime.now().astimezone()
    return {
        "whitecrow": __version__,
        "method": choice.method.name,
        "preset": choice.preset or "none",
        "parameters": given or "defaults",
        "contamination": str(choice.contamination),
        "seed": str(choice.seed),
        "fitted in": f"{result.seconds:.1f} s",
        "written": now.strftime("%Y-%m-%d %H:%M %Z"),
    }
