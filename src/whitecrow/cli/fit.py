"""`whitecrow fit`: learn what is normal, keep it in a model file."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from whitecrow.cli import _common
from whitecrow.cli._common import Output
from whitecrow.cli._options import (
    AuxiliaryOptions,
    Data,
    Into,
    Json,
    LabelOptions,
    MethodOptions,
    PictureSize,
    Quiet,
    ReadAs,
)

if TYPE_CHECKING:
    from whitecrow.learning import Fit

__all__ = ["EXAMPLE", "command"]

EXAMPLE = "whitecrow fit breast_cancer --method deep_sad -o model.crow"


def command(
    data: Data,
    /,
    *,
    output: Into = None,
    method: MethodOptions = MethodOptions(),
    labels: LabelOptions = LabelOptions(),
    read_as: ReadAs = (),
    outliers: AuxiliaryOptions = AuxiliaryOptions(),
    picture_size: PictureSize = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Learn what is normal and write a model file that scores new data.

    A label column is used: a method that learns from labels gets them, and any other
    is fitted without the rows that are labelled as anomalies. The output says so.

    Parameters
    ----------
    data
        As for `whitecrow detect`.
    output
        The model file, usually NAME.crow; by default named after the data, as in
        pumps.crow for pumps.csv.
    read_as
        How to read a column, as in `--read-as when=month-first`; see
        `whitecrow detect --help`. May be given several times.
    """
    from whitecrow import files

    out = Output(as_json=json, quiet=quiet)
    output = output or f"{_common.stem_of(data)}.crow"
    target = files.check_writable(output, _common.inputs(data, outliers.auxiliary))
    files.refuse_foreign([target])
    with out.training() as progress:
        reading = labels.reading(read_as, picture_size)
        opened = _common.opened(data, reading, progress)
        wanted = labels.given and opened.rows.codes is not None
        choice = method.choose(opened.rows.kind, use_labels=wanted)
        fitted = opened.fit(choice, progress, use_labels=True, auxiliary=outliers.given)
        progress.stage("writing the model")
        fitted.model.save(output)
    _say(fitted, output, out)


def _say(found: Fit, output: str, out: Output) -> None:
    _common.say_fitted(found, found.said, out)
    out.line(f"model: {output} ({found.seconds:.1f} s)")
    words = ("whitecrow", "score", output, "NEW_DATA", "-o", "scores.csv")
    out.line(f"next: {_common.command_line(*words)}")
    out.result(_values(found, output))


def _values(found: Fit, output: str) -> dict[str, Any]:
    from whitecrow.findings import encoding_of

    detector = found.model.detector
    return {
        "source": found.rows.source,
        "kind": found.rows.kind,
        "rows": found.model.info["rows"],
        "method": found.choice.method.name,
        "chosen_because": found.choice.reason,
        "labels_used": found.labels_used,
        "threshold": found.model.threshold,
        "threshold_source": detector.threshold_source_,
        "notes": [asdict(note) for note in found.said],
        "encoding": encoding_of(found.model),
        "seed": found.choice.seed,
        "seconds": round(found.seconds, 3),
        "model": output,
    }
