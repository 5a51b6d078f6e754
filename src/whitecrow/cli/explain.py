"""`whitecrow explain`: why rows or pictures are odd."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from whitecrow.cli._common import Output
from whitecrow.cli._options import Data, Json, LabelOptions, Whole, model_file

if TYPE_CHECKING:
    from whitecrow.scoring import Explained

__all__ = ["EXAMPLE", "command"]

EXAMPLE = (
    "whitecrow fit breast_cancer -o model.crow\n"
    "whitecrow explain model.crow breast_cancer --row 7"
)


def command(
    model: str,
    data: Data,
    /,
    *,
    row: Annotated[
        tuple[Whole, ...],
        Parameter(negative="", consume_multiple=True, show_default=False),
    ] = (),
    top: Whole = 3,
    labels: LabelOptions = LabelOptions(),
    json: Json = False,
) -> None:
    """Say which columns make rows odd, in the units of the data.

    For pictures, say where in the picture the oddest place is.

    Parameters
    ----------
    model
        A file that `whitecrow fit` wrote, or a folder of `whitecrow detect`.
    data
        As for `whitecrow fit`.
    row
        Positions of rows, counted from 0; several may be given.
    top
        Without --row: explain so many of the rows with the highest scores.
    """
    from whitecrow import scoring
    from whitecrow.model import Model

    out = Output(as_json=json)
    model = model_file(model, data, "explain")
    reading = labels.for_model()
    fitted = Model.load(model)
    source = fitted.open(data, reading)
    found = scoring.explain(fitted, source, rows=row, top=top)
    for one in found:
        out.line(f"{one.name}: score {one.score:.4g}, {_verdict(one)}")
        for text in one.texts:
            out.line(f"  {text}")
    out.result({"model": model, "rows": [_plain(one) for one in found]})


def _verdict(one: Explained) -> str:
    if one.score > one.threshold:
        return f"above the threshold {one.threshold:.4g}"
    verdict = f"not above the threshold {one.threshold:.4g}"
    if one.unlike:
        verdict += ", but flagged: a column differs that was constant in training"
    return verdict


def _plain(one: Explained) -> dict[str, Any]:
    return {
        "row": one.row,
        "name": one.name,
        "anomaly_score": one.score,
        "is_anomaly": one.is_anomaly,
        "threshold": one.threshold,
        "reasons": list(one.texts),
    }
