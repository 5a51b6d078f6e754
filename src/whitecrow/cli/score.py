"""`whitecrow score`: scores of new data from a model file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from whitecrow.cli import _common
from whitecrow.cli._common import Output
from whitecrow.cli._options import Data, Into, Json, LabelOptions, Quiet, model_file

if TYPE_CHECKING:
    from whitecrow.metrics.quality import Quality
    from whitecrow.scoring import Scored

__all__ = ["EXAMPLE", "command"]

EXAMPLE = (
    "whitecrow fit breast_cancer -o model.crow\n"
    "whitecrow score model.crow breast_cancer -o scores.csv"
)


def command(
    model: str,
    data: Data,
    /,
    *,
    output: Into = None,
    engine: Literal["local", "dask"] = "local",
    labels: LabelOptions = LabelOptions(),
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Score data with a model file; large tables stream in bounded memory.

    The scores have the columns `row` (counted from 0), `anomaly_score` (higher = more
    anomalous), `is_anomaly` (above the model's threshold) and the columns that say who
    a row is; `path` for pictures. New data are compared with the training data, column
    by column. Where the data have labels, the quality of the ranking is printed.

    Parameters
    ----------
    model
        A file that `whitecrow fit` wrote, or a folder of `whitecrow detect`.
    data
        As for `whitecrow fit`; csv, Parquet, Arrow and jsonl may be larger than memory.
    output
        A file for the scores: .csv, .csv.gz, .tsv or .parquet; by default named after
        the data, as in pumps-scores.csv for pumps.csv.
    engine
        `local`, or `dask`: batches of rows are scored by the cluster of
        DASK_SCHEDULER_ADDRESS, else by processes of this machine. The scores are the
        same.
    """
    from whitecrow import files, scores, scoring
    from whitecrow.data.source import paths_of
    from whitecrow.model import Model

    out = Output(as_json=json, quiet=quiet)
    model, reading = model_file(model, data, "score"), labels.for_model()
    output = output or f"{_common.stem_of(data)}-scores.csv"
    scores.check_format(output)
    files.refuse_foreign([files.check_writable(output, [Path(model), *paths_of(data)])])
    fitted = Model.load(model)
    with out.progress() as progress:
        progress.stage(f"scoring {data}")
        done = scoring.score(
            fitted,
            fitted.open(data, reading),
            output,
            engine=engine,
            on_rows=lambda n: progress(f"{n:,} rows scored", n, None),
        )
    _say(done, output, out)


def _say(done: Scored, output: str, out: Output) -> None:
    from whitecrow.metrics.quality import percent

    for note in done.notes:
        out.line(f"note: {note}")
    share = percent(done.n_flagged / done.n_rows)
    verb = "is" if done.n_flagged == 1 else "are"
    out.line(
        f"{done.n_flagged:,} of {done.n_rows:,} {done.things} {verb} flagged ({share}"
        f"{done.in_training})"
    )
    for line in done.comparison:
        out.line(line)
    if done.quality is not None:
        _say_quality(done.quality, out, seen=done.seen_labels)
    out.line(f"scores: {output}")
    out.result(done.values() | {"scores": output})


def _say_quality(quality: Quality, out: Output, *, seen: bool) -> None:
    from whitecrow.metrics.quality import beside_chance

    anomalies = "anomaly" if quality.n_anomalies == 1 else "anomalies"
    rows = "row" if quality.n_labelled == 1 else "rows"
    out.line(
        f"labels: {quality.n_anomalies:,} {anomalies} in {quality.n_labelled:,} "
        f"labelled {rows}, for evaluation only"
    )
    if seen:
        out.line(
            "note: the model learnt from the labels of this source, so the numbers "
            "below say nothing about new data"
        )
    if quality.auroc is not None:
        chance = beside_chance(quality.auroc)
        out.line(f"AUROC {quality.auroc:.4f}{_interval(quality.interval)}{chance}")
        out.line(
            f"average precision {quality.average_precision:.4f} "
            f"(a random ranking has {quality.share:.4f})"
        )


def _interval(ends: tuple[float, float] | None) -> str:
    return f" (95 % interval {ends[0]:.4f} to {ends[1]:.4f})" if ends else ""
