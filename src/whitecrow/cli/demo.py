"""`whitecrow demo`: the whole way from data to a report, without anything prepared."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from whitecrow.cli import detect
from whitecrow.cli._common import Output, command_line
from whitecrow.cli._options import Json, LabelOptions, MethodOptions, Whole

__all__ = ["EXAMPLE", "command"]

EXAMPLE = "whitecrow demo"


def command(
    *,
    output: Annotated[str, Parameter(name=["--output", "-o"])] = "whitecrow-demo",
    seed: Whole = 0,
    json: Json = False,
) -> None:
    """Find malignant tumours among benign ones, and write a report.

    The data are real and come with scikit-learn. Malignant tumours are thinned out to a
    share at which one would look for anomalies; the labels serve the evaluation only.

    Parameters
    ----------
    output
        A folder for report.html, flagged.csv, scores.parquet and model.crow.
    seed
        The same seed gives the same scores.
    """
    from whitecrow import files
    from whitecrow.data import demo

    table = files.out_folder(output) / "tumours.csv"
    with files.replacing(table) as temporary:
        demo.write(temporary)
    words = ["--label-column", demo.LABEL_COLUMN, "--anomaly-value", demo.ANOMALY]
    words = [str(table), *words, "-o", output]
    Output(as_json=json).line(f"$ {command_line('whitecrow', 'detect', *words)}")
    detect.command(
        str(table),
        output=output,
        labels=LabelOptions(
            label_column=demo.LABEL_COLUMN, anomaly_value=(demo.ANOMALY,)
        ),
        method=MethodOptions(seed=seed),
        json=json,
    )
