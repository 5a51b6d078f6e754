"""Detect: fit on the data, rank them, say why, and write it all down."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from whitecrow.errors import ParameterError
from whitecrow.workflow import reasons as why
from whitecrow.workflow.files import out_folder
from whitecrow.workflow.inputs import Input
from whitecrow.workflow.quality import Quality, evaluate, percent
from whitecrow.workflow.scoring import write_training_scores
from whitecrow.workflow.training import Choice, Fitted, fit, save

__all__ = [
    "Detection",
    "check_use_of_labels",
    "detect",
    "next_steps",
    "reading",
    "report_on",
]


@dataclass(frozen=True, eq=False, kw_only=True)
class Detection:
    """What `detect` found.

    Attributes
    ----------
    fitted : Fitted
    quality : Quality or None
        None where no row has a label.
    top : ndarray of int
        Rows with the highest scores, the highest first.
    reasons : dict
        Row -> reasons, for the top rows of a table.
    folder : Path
        Holds `report.html`, `scores.parquet` and `model.crow`.
    """

    fitted: Fitted
    quality: Quality | None
    top: list[int]
    reasons: Mapping[int, tuple[why.Reason, ...]]
    folder: Path

    @property
    def report(self) -> Path:
        """The page for people."""
        return self.folder / "report.html"

    @property
    def scores(self) -> Path:
        """The score of every row."""
        return self.folder / "scores.parquet"

    @property
    def model(self) -> Path:
        """The fitted detector."""
        return self.folder / "model.crow"


def detect(
    data: Input,
    choice: Choice,
    folder: str | Path,
    *,
    use_labels: bool = False,
    auxiliary: str | None = None,
    top: int = 20,
) -> Detection:
    """Fit, rank, explain the top rows, and write report, scores and model.

    Parameters
    ----------
    data : Input
    choice : Choice
    folder : path
        Made if it does not exist.
    use_labels : bool, default=False
        Learn from the labels too; otherwise they serve the evaluation only.
    auxiliary : str, optional
        Outliers from elsewhere.
    top : int, default=20
        Rows to explain.

    Raises
    ------
    UserError
        Whatever the data, the method or the file system refuse.
    """
    if top < 0:
        raise ParameterError(f"--top {top} is negative; use 0 or a number of rows")
    if use_labels:
        check_use_of_labels(data, choice)
    place = out_folder(folder)
    fitted = fit(data, choice, use_labels=use_labels, auxiliary=auxiliary)
    return report_on(fitted, place, top=top)


def report_on(fitted: Fitted, folder: Path, *, top: int = 20) -> Detection:
    """Explain the top rows, and write report, scores and model of a fitted detector.

    Parameters
    ----------
    fitted : Fitted
    folder : Path
        Exists.
    top : int, default=20
        Rows to explain.
    """
    from whitecrow import report

    rows = [int(row) for row in fitted.order[:top]]
    found = Detection(
        fitted=fitted,
        quality=evaluate(fitted.data.codes, fitted.scores, fitted.flagged),
        top=rows,
        reasons=_reasons(fitted, rows),
        folder=folder,
    )
    save(fitted, found.model)
    texts = {row: "; ".join(map(str, found.reasons[row])) for row in found.reasons}
    write_training_scores(found.scores, fitted, texts)
    report.write(found)
    return found


def check_use_of_labels(data: Input, choice: Choice) -> None:
    """Refuse to learn from labels that are not there, or with a method that cannot."""
    from whitecrow.detectors._table import methods

    if not choice.method.cls.uses_labels:
        legal = ", ".join(m.name for m in methods() if m.cls.uses_labels)
        raise ParameterError(
            f"--use-labels: {choice.method.name} does not learn from labels; "
            f"use --method with one of {legal}"
        )
    if data.codes is None:
        raise ParameterError(
            f"--use-labels: {data.source} has no labels; name their column with "
            "--label-column"
        )


def reading(found: Detection) -> str:
    """The result in one line."""
    fitted, quality = found.fitted, found.quality
    things = "rows" if fitted.data.kind == "table" else "pictures"
    n_flagged, n = int(fitted.flagged.sum()), fitted.data.n_rows
    text = f"{n_flagged:,} of {n:,} {things} are flagged"
    if quality is not None and quality.precision is not None:
        text += (
            f"; {quality.true_positives:,} of these are labelled anomalies "
            f"(precision {percent(quality.precision)}"
        )
        recall = quality.recall
        text += ")" if recall is None else f", recall {percent(recall)})"
    if quality is not None and quality.auroc is not None:
        text += f"; AUROC {quality.auroc:.3f}"
    return text + "."


def next_steps(found: Detection) -> list[tuple[str, str]]:
    """What to do next: (purpose, command), to be pasted where `detect` ran."""
    model, source = str(found.model), found.fitted.data.source
    new = "NEW_PICTURES" if found.fitted.data.kind == "picture" else "NEW_DATA.csv"
    row = str(found.top[0] if found.top else 0)
    return [
        (
            "Score new data with this model",
            shlex.join(["whitecrow", "score", model, new, "-o", "new_scores.parquet"]),
        ),
        (
            "Explain any row, not only those above",
            shlex.join(["whitecrow", "explain", model, source, "--row", row]),
        ),
        (
            "Look at the scores in Python",
            f"import pyarrow.parquet as pq; pq.read_table({str(found.scores)!r})",
        ),
    ]


def summary(found: Detection) -> dict[str, Any]:
    """The result as plain values, for `--json`."""
    fitted = found.fitted
    paths = fitted.data.pictures.paths if fitted.data.pictures else None
    return {
        "source": fitted.data.source,
        "kind": fitted.data.kind,
        "rows": fitted.data.n_rows,
        "flagged": int(fitted.flagged.sum()),
        "method": fitted.choice.method.name,
        "chosen_because": fitted.choice.reason,
        "threshold": fitted.threshold,
        "threshold_source": fitted.detector.threshold_source_,
        "labels_used": fitted.labels_used,
        "quality": found.quality.to_dict() if found.quality else None,
        "top": [
            {
                "row": row,
                "anomaly_score": float(fitted.scores[row]),
                "is_anomaly": bool(fitted.flagged[row]),
                "reasons": [str(reason) for reason in found.reasons.get(row, ())],
            }
            | ({"path": paths[row]} if paths else {})
            for row in found.top
        ],
        "notes": list(fitted.data.notes),
        "encoding": fitted.encoding,
        "seed": fitted.choice.seed,
        "seconds": round(fitted.seconds, 3),
        "report": str(found.report),
        "scores": str(found.scores),
        "model": str(found.model),
    }


def _reasons(fitted: Fitted, rows: list[int]) -> dict[int, tuple[why.Reason, ...]]:
    if fitted.encoder is None or not rows:
        return {}
    frame = fitted.data.table.take(rows)
    found = why.of_rows(fitted.detector, fitted.encoder, frame)
    return dict(zip(rows, found, strict=True))
