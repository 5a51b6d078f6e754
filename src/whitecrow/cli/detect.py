"""`whitecrow detect`: find the oddest rows or pictures and write a report."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from whitecrow.cli import _common
from whitecrow.cli._common import (
    Data,
    Flag,
    Json,
    LabelOptions,
    MethodOptions,
    Output,
    Quiet,
    ReadAs,
)

if TYPE_CHECKING:
    from whitecrow.result import Result

__all__ = ["EXAMPLE", "command", "say"]

EXAMPLE = "whitecrow detect breast_cancer"


def command(
    data: Data,
    /,
    *,
    output: Annotated[
        str | None, Parameter(name=["--output", "-o"], show_default=False)
    ] = None,
    method: MethodOptions = MethodOptions(),
    labels: LabelOptions = LabelOptions(),
    read_as: ReadAs = (),
    use_labels: Flag = False,
    auxiliary: str | None = None,
    picture_size: int | None = None,
    top: int = 20,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Find the oddest rows or pictures, say why they are odd, and write a report.

    Parameters
    ----------
    data
        A table (csv, tsv, txt, Parquet, Arrow, xlsx, jsonl, zip, npz, npy, mat; `-`
        reads standard input), a pattern in quotes, a folder of pictures, or a name
        from `whitecrow data list`.
    output
        A folder for report.html, flagged.csv, scores.parquet and model.crow; by
        default named after the data, as in `pumps-anomalies` for pumps.csv.
    read_as
        How to read a column, as in `--read-as when=month-first`: number,
        decimal-comma, decimal-point, date, day-first, month-first, year-first,
        duration, category, truth, identifier, ignore, missing:VALUE. May be given
        several times.
    use_labels
        Learn from the labels too; otherwise they serve the evaluation only.
    auxiliary
        Outliers from elsewhere, for methods that train against them.
    picture_size
        Side in pixels that pictures are scaled to.
    top
        How many rows to explain at least; flagged rows are explained up to 1,000.
    json
        Print one JSON object instead of text.
    quiet
        Do not show progress.
    """
    from whitecrow import files, model, result
    from whitecrow.data.source import open_source, paths_of

    out = Output(as_json=json, quiet=quiet)
    place = output or _common.default_folder(data, "anomalies")
    read = [*paths_of(data), *(paths_of(auxiliary) if auxiliary else ())]
    files.out_folder(place, result.FILES, read)
    reading = labels.reading(read_as, picture_size)
    with out.progress() as progress, _common.training_progress(progress):
        progress.stage(f"reading {data}")
        source = open_source(data, model.for_training(reading))
        rows = source.rows()
        choice = method.choose(rows.kind, use_labels=use_labels)
        if use_labels:
            result.check_labels(rows)
        fitted = model.fit(
            rows,
            choice,
            rule=source.rule,
            use_labels=use_labels,
            ignore=source.ignore,
            read_as=reading.read_as,
            auxiliary=auxiliary,
            stage=progress.stage,
        )
        found = result.judged(fitted, top=top, stage=progress.stage)
        found = result.write(found, place, progress.stage)
    say(found, out)


def say(found: Result, out: Output) -> None:
    """Show the result to people, or as JSON."""
    _common.say_fitted(found.fit, found.notes, out)
    out.line()
    for row in found.top[:3]:
        out.line(_top_line(found, row))
    for group in found.groups[:3]:
        out.line(f"  {len(group.rows):,} flagged rows: {group.text}")
    out.line()
    files = found.files()
    out.line(f"flagged rows: {files['flagged_rows']}")
    out.line(f"report: {files['report']}")
    out.line(found.reading())
    out.result(found.summary() if out.as_json else {})


def _top_line(found: Result, row: int) -> str:
    text = f"  {found.name(row)}: score {found.scores[row]:.4g}"
    reasons = "; ".join(map(str, found.reasons.get(row, ())))
    return f"{text}  {reasons}" if reasons else text
