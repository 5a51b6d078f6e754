"""`whitecrow detect`: find the oddest rows or pictures and write a report."""

from __future__ import annotations

from typing import TYPE_CHECKING

from whitecrow.cli import _common
from whitecrow.cli._common import Output
from whitecrow.cli._options import (
    AuxiliaryOptions,
    Data,
    Flag,
    Into,
    Json,
    LabelOptions,
    MethodOptions,
    PictureSize,
    Quiet,
    ReadAs,
    Whole,
)

if TYPE_CHECKING:
    from whitecrow.result import Result

__all__ = ["EXAMPLE", "command", "say"]

EXAMPLE = "whitecrow detect breast_cancer"


def command(
    data: Data,
    /,
    *,
    output: Into = None,
    method: MethodOptions = MethodOptions(),
    labels: LabelOptions = LabelOptions(),
    read_as: ReadAs = (),
    use_labels: Flag = False,
    outliers: AuxiliaryOptions = AuxiliaryOptions(),
    picture_size: PictureSize = None,
    top: Whole = 20,
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
        clock, duration, category, truth, identifier, ignore, missing:VALUE. May be
        given several times.
    use_labels
        Learn from the labels too; otherwise they serve the evaluation only.
    top
        How many rows to explain at least; flagged rows are explained up to 1,000.
    """
    from whitecrow import files, findings, result

    out = Output(as_json=json, quiet=quiet)
    place = output or _common.default_folder(data, "anomalies")
    folder = files.out_folder(
        place, findings.FILES, _common.inputs(data, outliers.auxiliary)
    )
    files.refuse_foreign(folder / name for name in findings.FILES)
    with out.training() as progress:
        reading = labels.reading(read_as, picture_size)
        opened = _common.opened(data, reading, progress)
        choice = method.choose(opened.rows.kind, use_labels=use_labels)
        if use_labels:
            result.check_labels(opened.rows)
        fitted = opened.fit(
            choice, progress, use_labels=use_labels, auxiliary=outliers.given
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
