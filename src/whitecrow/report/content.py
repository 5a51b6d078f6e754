"""What the page says, as plain values: nothing here knows HTML."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from whitecrow import __version__, labels
from whitecrow.data.kinds.words import describe, number_text, shown
from whitecrow.report import charts, thumbnails
from whitecrow.workflow.quality import percent

if TYPE_CHECKING:
    from whitecrow.workflow.detection import Detection
    from whitecrow.workflow.quality import Quality
    from whitecrow.workflow.reasons import Reason

__all__ = ["column_strip", "is_small", "page", "place_in", "score_text", "spread"]

MOST_COLUMNS = 400  # in the table of columns
MOST_SENTENCES = 12
MOST_VALUES = 80  # in the list of all values of a row
MOST_TILES = 24
NORMAL_TILES = 6


@dataclass(frozen=True, kw_only=True)
class ReasonView:
    """One reason: its text, and a column's strip with the value's place."""

    column: str
    text: str
    usual: str
    bits: tuple[str, ...]
    share: int
    width: float
    strip: str
    mark: float | None
    beyond: str
    bar: tuple[float, float] | None


@dataclass(frozen=True, kw_only=True)
class RowView:
    """One of the rows or pictures with the highest scores."""

    rank: int
    row: int
    name: str
    score: str
    width: float
    flagged: bool
    truth: str
    reasons: tuple[ReasonView, ...] = ()
    values: Mapping[str, str] | None = None
    folder: str = ""
    picture: str = ""
    heat: str = ""
    sharp: bool = False


def page(found: Detection) -> dict[str, Any]:
    """All values that the templates show."""
    fitted = found.fitted
    return {
        "title": f"{Path(fitted.data.source).name}: anomalies",
        "things": _things(found),
        "kind": fitted.data.kind,
        "source": fitted.data.source,
        "n_rows": fitted.data.n_rows,
        "n_flagged": int(fitted.flagged.sum()),
        "share": percent(float(fitted.flagged.mean())),
        "method": _method(found),
        "threshold": score_text(fitted.threshold, spread(fitted.scores)),
        "threshold_source": fitted.detector.threshold_source_,
        "automatic": fitted.choice.contamination == "auto",
        "labels_used": fitted.labels_used,
        "histogram": _histogram(found),
        "quality": None if found.quality is None else _quality(found, found.quality),
        "notes": (*fitted.data.notes, *fitted.encoding[:MOST_SENTENCES]),
        "skipped": fitted.data.pictures.skipped if fitted.data.pictures else (),
        "columns": _columns(found),
        "n_columns": 0 if fitted.encoder is None else len(fitted.encoder.decisions_),
        "steps": _steps(found),
        "footer": _footer(found),
        **(_table(found) if fitted.data.kind == "table" else _tiles(found)),
    }


def score_text(score: float, spread: float) -> str:
    """A score with the same number of decimals for all scores of that spread.

    Examples
    --------
    >>> score_text(0.64, 0.2), score_text(1234.5, 900.0)
    ('0.640', '1,234')
    """
    if not 1e-6 < spread < 1e9:
        return number_text(score)
    decimals = int(np.clip(2 - np.floor(np.log10(spread)), 0, 9))
    return f"{score:,.{decimals}f}"


def _things(found: Detection) -> str:
    return "pictures" if found.fitted.data.kind == "picture" else "rows"


def _method(found: Detection) -> dict[str, Any]:
    choice = found.fitted.choice
    return {
        "name": choice.method.name,
        "title": choice.method.class_name,
        "summary": choice.method.summary,
        "paper": f"{choice.method.paper}, {choice.method.year}",
        "reason": choice.reason,
    }


def spread(scores: NDArray[np.float64]) -> float:
    """Width of the middle nine tenths of the scores."""
    low, high = np.quantile(scores, [0.05, 0.95])
    return float(high - low)


def _histogram(found: Detection) -> charts.Histogram:
    fitted = found.fitted
    codes = fitted.data.codes
    odd = None if codes is None else codes == labels.ANOMALY
    return charts.histogram(fitted.scores, fitted.threshold, odd)


# ------------------------------------------------------------------------ the rows


def _rows(found: Detection) -> list[RowView]:
    fitted = found.fitted
    width = spread(fitted.scores)
    low, high = float(np.median(fitted.scores)), float(fitted.scores.max())
    return [
        RowView(
            rank=rank,
            row=row,
            name=f"row {row}",
            score=score_text(float(fitted.scores[row]), width),
            width=100 * (float(fitted.scores[row]) - low) / ((high - low) or 1.0),
            flagged=bool(fitted.flagged[row]),
            truth=_truth(found, row),
        )
        for rank, row in enumerate(found.top, start=1)
    ]


def _truth(found: Detection, row: int) -> str:
    codes = found.fitted.data.codes
    if codes is None or codes[row] == labels.UNLABELLED:
        return ""
    return "anomaly" if codes[row] == labels.ANOMALY else "normal"


def _table(found: Detection) -> dict[str, Any]:
    from dataclasses import replace

    strips = _strips(found)
    most = max((r.share for rs in found.reasons.values() for r in rs), default=1.0)
    used = set(found.fitted.encoder.source_columns_)  # type: ignore[union-attr]
    names = [c for c in found.fitted.data.table.column_names if c in used]
    rows = [
        replace(
            view,
            reasons=tuple(
                _reason(reason, strips, most)
                for reason in found.reasons.get(view.row, ())
            ),
            values=describe(found.fitted.data.table, view.row, names[:MOST_VALUES]),
        )
        for view in _rows(found)
    ]
    order = {column: f"s{index}" for index, column in enumerate(strips)}
    return {"rows": rows, "strips": {order[c]: s for c, s in strips.items()}}


def _reason(reason: Reason, strips: dict[str, charts.Strip], most: float) -> ReasonView:
    mark, beyond, bar = place_in(strips[reason.column], reason.value)
    return ReasonView(
        column=reason.column,
        text=reason.text,
        usual=reason.usual,
        # Lines break between the parts of the sentence only.
        bits=tuple(re.split(r"(?<=[,;]) ", reason.usual)),
        share=round(100 * reason.share),
        width=100 * reason.share / most,
        strip=f"s{list(strips).index(reason.column)}",
        mark=mark,
        beyond=beyond,
        bar=bar,
    )


def place_in(
    strip: charts.Strip, value: Any
) -> tuple[float | None, str, tuple[float, float] | None]:
    """Where a cell is in its column's strip: mark, side beyond the edge, or bar."""
    number = _number(value)
    if strip.levels is not None:
        bar = strip.levels.get(shown(value))
        return None, "" if bar else "right", bar
    if number is None:
        return None, "", None
    beyond = ""
    if strip.is_beyond(number):
        beyond = "right" if number > strip.high else "left"
    return strip.place(number), beyond, None


def _strips(found: Detection) -> dict[str, charts.Strip]:
    """A small chart for each column that is a reason anywhere."""
    fitted = found.fitted
    assert fitted.encoder is not None
    columns = dict.fromkeys(r.column for rs in found.reasons.values() for r in rs)
    return {
        column: column_strip(
            fitted.encoder.summaries_[column], fitted.data.table[column]
        )
        for column in columns
    }


def column_strip(summary: Mapping[str, Any], column: Any) -> charts.Strip:
    """How the values of a column are distributed, as a small chart.

    Parameters
    ----------
    summary : dict
        One of `TableEncoder.summaries_`.
    column : pyarrow.ChunkedArray
    """
    if summary["kind"] not in {"number", "date"}:
        return charts.levels_of(summary["shares"])
    values = _numbers(column)
    low, high = np.nanquantile(values, [0.05, 0.95])
    return charts.strip_of(values, (float(low), float(high)))


def _numbers(column: Any) -> NDArray[np.float64]:
    """A column as numbers, NaN where a cell has none."""
    import pyarrow as pa

    if pa.types.is_floating(column.type) or pa.types.is_integer(column.type):
        array = column.cast(pa.float64()).to_numpy()
    elif pa.types.is_timestamp(column.type) or pa.types.is_date(column.type):
        zone = getattr(column.type, "tz", None)
        moments = column.cast(pa.timestamp("us", zone)).cast(pa.int64())
        array = moments.cast(pa.float64()).to_numpy() / 1e6
    else:
        cells = [_number(value) for value in column.to_pylist()]
        array = np.array([np.nan if cell is None else cell for cell in cells])
    return np.where(np.isfinite(array), array, np.nan)


def _number(value: Any) -> float | None:
    """A cell as a number: moments as seconds, numbers written as text as numbers."""
    if isinstance(value, dt.datetime):
        zone = value.tzinfo or dt.UTC
        return value.replace(tzinfo=zone).timestamp()
    if isinstance(value, dt.date):
        return float((value - dt.date(1970, 1, 1)).days * 86400)
    try:
        return float(value)
    except (TypeError, ValueError):
        return None


# -------------------------------------------------------------------- the pictures


def _tiles(found: Detection) -> dict[str, Any]:
    from dataclasses import replace

    fitted = found.fitted
    pictures = fitted.data.pictures
    assert pictures is not None
    views = _rows(found)[:MOST_TILES]
    places = [view.row for view in views]
    heats: Any = fitted.detector.explain(fitted.X[places]) if places else ()
    tiles = [
        replace(
            view,
            folder=_folder(pictures.paths[view.row]),
            name=pictures.paths[view.row].rpartition("/")[2],
            picture=_picture(found, view.row),
            heat=thumbnails.heat_uri(heat),
            sharp=is_small(pictures.images),
            truth=view.truth and (pictures.kinds[view.row] or view.truth),
        )
        for view, heat in zip(views, heats, strict=True)
    ]
    shown_rows = {view.row for view in views}
    calm = [
        int(r) for r in fitted.order[::-1][:NORMAL_TILES] if int(r) not in shown_rows
    ]
    return {
        "rows": tiles,
        "calm": [(pictures.paths[row], _picture(found, row, side=128)) for row in calm],
        "sharp": is_small(pictures.images),
        "size": _size(pictures.images),
        "kinds": _kinds(found),
    }


def _folder(path: str) -> str:
    folder, slash, _ = path.rpartition("/")
    return folder + slash


def _size(images: NDArray[np.uint8]) -> str:
    _, channels, height, width = images.shape
    return f"{height} x {width} pixels, {'grey' if channels == 1 else 'colour'}"


def is_small(images: NDArray[np.uint8]) -> bool:
    """Whether pictures are so small that their pixels should stay sharp."""
    return max(images.shape[2:]) <= 48


def _picture(found: Detection, row: int, *, side: int = thumbnails.SIDE) -> str:
    data = found.fitted.data
    assert data.pictures is not None
    file = data.folder / data.pictures.paths[row] if data.folder else None
    return thumbnails.picture_uri(data.pictures.images[row], file, side=side)


def _kinds(found: Detection) -> list[dict[str, Any]]:
    """How each kind of picture fared, where the folders name kinds."""
    from whitecrow.metrics.ranking import auroc

    fitted = found.fitted
    pictures = fitted.data.pictures
    assert pictures is not None
    kinds, codes = np.array(pictures.kinds), pictures.labels
    good = codes == labels.NORMAL
    result = []
    for kind in sorted(set(pictures.kinds)):
        here = kinds == kind
        odd = here & (codes == labels.ANOMALY)
        pair = good | odd
        known = odd.any() and good.any()
        value = auroc(odd[pair], fitted.scores[pair]) if known else None
        result.append(
            {
                "kind": kind or "no kind",
                "n": int(here.sum()),
                "flagged": int(fitted.flagged[here].sum()),
                "auroc": "" if value is None else f"{value:.3f}",
            }
        )
    return result if len(result) > 1 else []


# --------------------------------------------------------------------- the quality


def _quality(found: Detection, quality: Quality) -> dict[str, Any]:
    codes = found.fitted.data.codes
    assert codes is not None
    known = codes != labels.UNLABELLED
    odd, scores = codes[known] == labels.ANOMALY, found.fitted.scores[known]
    both = odd.any() and not odd.all()
    return {
        "n_labelled": quality.n_labelled,
        "n_anomalies": quality.n_anomalies,
        "n_normal": quality.n_labelled - quality.n_anomalies,
        "share": percent(quality.share),
        "auroc": quality.auroc,
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


# --------------------------------------------------------------- columns and footer


def _columns(found: Detection) -> list[dict[str, str]]:
    encoder = found.fitted.encoder
    if encoder is None:
        return []
    return [
        {
            "name": one.column,
            "kind": one.kind,
            "action": one.action,
            "detail": one.detail,
            "usual": _usual(encoder.summaries_.get(one.column)),
        }
        for one in encoder.decisions_[:MOST_COLUMNS]
    ]


def _usual(summary: Mapping[str, Any] | None) -> str:
    """The usual values of a column in a few words."""
    if summary is None:
        return ""
    if summary["kind"] == "number":
        low, high = summary["q05"], summary["q95"]
        spread = float(high - low)
        return f"{number_text(low, spread)} to {number_text(high, spread)}"
    if summary["kind"] == "date":
        return f"{summary['min']} to {summary['max']}"
    shares = summary.get("shares") or {}
    best = sorted(shares.items(), key=lambda item: -item[1])[:3]
    return ", ".join(f"{level} {percent(share)}" for level, share in best)


def _steps(found: Detection) -> list[tuple[str, str]]:
    from whitecrow.workflow.detection import next_steps

    return next_steps(found)


def _footer(found: Detection) -> dict[str, str]:
    choice = found.fitted.choice
    given = ", ".join(f"{k}={v!r}" for k, v in choice.parameters.items())
    now = dt.datetime.now().astimezone()
    return {
        "whitecrow": __version__,
        "method": choice.method.name,
        "preset": choice.preset or "none",
        "parameters": given or "defaults",
        "contamination": str(choice.contamination),
        "seed": str(choice.seed),
        "fitted in": f"{found.fitted.seconds:.1f} s",
        "written": now.strftime("%Y-%m-%d %H:%M %Z"),
    }
