"""`whitecrow score`: scores of new data from a model file."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from whitecrow.cli._common import Json, LabelOptions, Output

__all__ = ["EXAMPLE", "command"]

EXAMPLE = (
    "whitecrow fit breast_cancer -o model.crow\n"
    "whitecrow score model.crow breast_cancer -o scores.parquet"
)


def command(
    model: str,
    data: str,
    /,
    *,
    output: Annotated[str, Parameter(name=["--output", "-o"])],
    labels: LabelOptions = LabelOptions(),
    json: Json = False,
) -> None:
    """Score data with a model file; large tables stream in bounded memory.

    The scores have the columns `row` (counted from 0), `anomaly_score` (higher = more
    anomalous) and `is_anomaly` (above the model's threshold); `path` for pictures.
    Where the data have labels, the quality of the ranking is printed.

    Parameters
    ----------
    model
        A file that `whitecrow fit` or `whitecrow detect` wrote.
    data
        As for `whitecrow fit`; csv and parquet may be larger than memory.
    output
        A Parquet file for the scores.
    json
        Print one JSON object instead of text.
    """
    from whitecrow.workflow import files, scoring

    out = Output(as_json=json)
    files.check_writable(output)
    fitted = scoring.open_model(model)
    with out.progress() as progress:
        done = scoring.score(
            fitted,
            data,
            output,
            labels.rule(),
            on_rows=lambda n: progress(f"{n:,} rows scored", n, None),
        )
    _say(done, output, out)


def _interval(ends: tuple[float, float] | None) -> str:
    return f" (95 % interval {ends[0]:.4f} to {ends[1]:.4f})" if ends else ""


def _say(done: object, output: str, out: Output) -> None:
    from whitecrow.workflow import scoring
    from whitecrow.workflow.quality import percent

    assert isinstance(done, scoring.Scored)
    for note in done.notes:
        out.line(f"read: {note}")
    share = percent(done.n_flagged / done.n_rows)
    out.line(
        f"{done.n_flagged:,} of {done.n_rows:,} {done.things} are flagged ({share})"
    )
    quality = done.quality
    if quality is not None:
        out.line(
            f"labels: {quality.n_anomalies:,} anomalies in {quality.n_labelled:,} "
            "labelled rows, for evaluation only"
        )
    if done.seen_labels:
        out.line(
            "note: the model learnt from the labels of this source, so the numbers "
            "below say nothing about new data"
        )
    if quality is not None and quality.auroc is not None:
        out.line(f"AUROC {quality.auroc:.4f}{_interval(quality.interval)}")
        out.line(
            f"average precision {quality.average_precision:.4f} "
            f"(a random ranking has {quality.share:.4f})"
        )
    out.line(f"scores: {output}")
    out.result(
        {
            "rows": done.n_rows,
            "flagged": done.n_flagged,
            "quality": quality.to_dict() if quality else None,
            "notes": list(done.notes),
            "learnt_from_these_labels": done.seen_labels,
            "scores": output,
        }
    )
