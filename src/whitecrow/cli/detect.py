"""`whitecrow detect`: rank rows or pictures, say why, write a report."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from whitecrow.cli import _common
from whitecrow.cli._common import Flag, Json, LabelOptions, MethodOptions, Output

__all__ = ["EXAMPLE", "command", "say"]

EXAMPLE = "whitecrow detect breast_cancer -o report/"


def command(
    data: str,
    /,
    *,
    output: Annotated[str, Parameter(name=["--output", "-o"])],
    method: MethodOptions = MethodOptions(),
    labels: LabelOptions = LabelOptions(),
    use_labels: Flag = False,
    auxiliary: str | None = None,
    picture_size: int | None = None,
    top: int = 20,
    json: Json = False,
) -> None:
    """Rank rows or pictures by how anomalous they are, and write a report.

    Parameters
    ----------
    data
        A table (csv, csv.gz, tsv, parquet, npz, npy, mat), a pattern in quotes, a
        folder of pictures, or a name from `whitecrow data list`.
    output
        A folder for report.html, scores.parquet and model.crow.
    use_labels
        Learn from the labels too; otherwise they serve the evaluation only.
    auxiliary
        Outliers from elsewhere, for methods that train against them.
    picture_size
        Side in pixels that pictures are scaled to.
    top
        How many rows to explain.
    json
        Print one JSON object instead of text.
    """
    from whitecrow.workflow import detection, files, training

    out = Output(as_json=json)
    files.out_folder(output)
    with out.progress() as progress, _common.training_progress(progress):
        rows = training.read_for_training(
            data, labels.rule(), picture_size=picture_size
        )
        choice = method.choose(rows.kind, use_labels=use_labels)
        found = detection.detect(
            rows,
            choice,
            output,
            use_labels=use_labels,
            auxiliary=auxiliary,
            top=top,
        )
    say(found, out)


def say(found: object, out: Output) -> None:
    """The result for people, or as JSON."""
    from whitecrow.workflow import detection

    assert isinstance(found, detection.Detection)
    fitted = found.fitted
    _common.say_fitted(fitted, out)
    for row in found.top[:3]:
        out.line(_top_line(found, row))
    out.line()
    out.line(f"report: {found.report}")
    out.line(detection.reading(found))
    out.result(detection.summary(found))


def _top_line(found: object, row: int) -> str:
    from whitecrow.workflow import detection

    assert isinstance(found, detection.Detection)
    fitted = found.fitted
    name = f"row {row}"
    if fitted.data.pictures is not None:
        name = fitted.data.pictures.paths[row]
    text = f"  {name}: score {fitted.scores[row]:.4g}"
    reasons = "; ".join(map(str, found.reasons.get(row, ())))
    return f"{text}  {reasons}" if reasons else text
