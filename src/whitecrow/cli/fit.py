"""`whitecrow fit`: learn what is normal, keep it in a model file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from whitecrow.cli import _common
from whitecrow.cli._common import Json, LabelOptions, MethodOptions, Output

if TYPE_CHECKING:
    from whitecrow.workflow.training import Fitted

__all__ = ["EXAMPLE", "command"]

EXAMPLE = "whitecrow fit breast_cancer --method deep_sad -o model.crow"


def command(
    data: str,
    /,
    *,
    output: Annotated[str, Parameter(name=["--output", "-o"])],
    method: MethodOptions = MethodOptions(),
    labels: LabelOptions = LabelOptions(),
    auxiliary: str | None = None,
    picture_size: int | None = None,
    json: Json = False,
) -> None:
    """Learn what is normal and write a model file that scores new data.

    A method that learns from labels gets them when the data have a label column; the
    output says so.

    Parameters
    ----------
    data
        A table (csv, csv.gz, tsv, parquet, npz, npy, mat), a pattern in quotes, a
        folder of pictures, or a name from `whitecrow data list`.
    output
        The model file, usually NAME.crow.
    auxiliary
        Outliers from elsewhere, for methods that train against them.
    picture_size
        Side in pixels that pictures are scaled to.
    json
        Print one JSON object instead of text.
    """
    from whitecrow.workflow import files, training

    out = Output(as_json=json)
    files.check_writable(output)
    with out.progress() as progress, _common.training_progress(progress):
        rows = training.read_for_training(
            data, labels.rule(), picture_size=picture_size
        )
        wanted = labels.given and rows.codes is not None
        choice = method.choose(rows.kind, use_labels=wanted)
        fitted = training.fit(rows, choice, use_labels=True, auxiliary=auxiliary)
        training.save(fitted, output)
    _say(fitted, output, out)


def _say(fitted: Fitted, output: str, out: Output) -> None:
    data = fitted.data
    _common.say_fitted(fitted, out)
    out.line(f"model: {output} ({fitted.seconds:.1f} s)")
    out.line(
        "next: "
        + _common.command_line(
            "whitecrow", "score", output, "NEW_DATA", "-o", "s.parquet"
        )
    )
    out.result(
        {
            "source": data.source,
            "kind": data.kind,
            "rows": data.n_rows,
            "method": fitted.choice.method.name,
            "chosen_because": fitted.choice.reason,
            "labels_used": fitted.labels_used,
            "threshold": fitted.threshold,
            "threshold_source": fitted.detector.threshold_source_,
            "notes": list(data.notes),
            "encoding": fitted.encoding,
            "seed": fitted.choice.seed,
            "seconds": round(fitted.seconds, 3),
            "model": output,
        }
    )
