"""Why single rows of any data are odd to a model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from whitecrow.data.kinds.words import shown
from whitecrow.errors import DataError
from whitecrow.workflow import inputs, reasons
from whitecrow.workflow.inputs import Input, Labelling
from whitecrow.workflow.quality import percent
from whitecrow.workflow.scoring import Model
from whitecrow.workflow.training import read_like

__all__ = ["Explained", "explain", "place_of"]

_PLACES = (("upper", "middle", "lower"), ("left", "centre", "right"))


@dataclass(frozen=True, kw_only=True)
class Explained:
    """One row with its score and what speaks for an anomaly.

    Attributes
    ----------
    row : int
        Counted from 0.
    name : str
        "row 7", or the path of a picture.
    score, threshold : float
    texts : tuple of str
        The strongest first; what speaks against an anomaly is left out.
    """

    row: int
    name: str
    score: float
    threshold: float
    texts: tuple[str, ...]

    @property
    def is_anomaly(self) -> bool:
        """Whether the score is above the threshold."""
        return self.score > self.threshold


def explain(
    model: Model,
    source: str,
    labelling: Labelling,
    *,
    rows: Sequence[int] = (),
    top: int = 3,
) -> list[Explained]:
    """Explanations of the given rows, or of those with the highest scores.

    Raises
    ------
    DataError
        When a row is not there, or the data do not fit the model.
    """
    if model.kind == "picture":
        data = read_like(source, model.detector.input_shape_)
        assert data.pictures is not None
        X: NDArray[Any] = data.pictures.images
    else:
        data = _table(model, source, labelling)
        X = model.encode(data.table)
    for row in rows:
        if not 0 <= row < len(X):
            raise DataError(
                f"--row {row}: {source} has the rows 0 to {len(X) - 1}, counted from 0"
            )
    chosen = list(rows) if rows else _highest(model, X, top)
    scores = model.detector.anomaly_score(X[chosen])
    texts = _texts(model, data, X, chosen)
    return [
        Explained(
            row=row,
            name=data.pictures.paths[row] if data.pictures else f"row {row}",
            score=float(score),
            threshold=float(model.detector.threshold_),
            texts=text,
        )
        for row, score, text in zip(chosen, scores, texts, strict=True)
    ]


def place_of(heat: NDArray[np.float64]) -> str:
    """Where the hottest place of a heat map is, in words.

    Examples
    --------
    >>> heat = np.zeros((30, 30))
    >>> heat[2, 27] = 1
    >>> place_of(heat)
    'upper right, at 92 % of the width and 8 % of the height'
    """
    height, width = heat.shape
    y, x = np.unravel_index(int(heat.argmax()), heat.shape)
    down, across = (y + 0.5) / height, (x + 0.5) / width
    words = [
        names[int(3 * at)] for names, at in zip(_PLACES, (down, across), strict=True)
    ]
    name = "centre" if words == ["middle", "centre"] else " ".join(words)
    at = f"{100 * across:.0f} % of the width and {100 * down:.0f} % of the height"
    return f"{name}, at {at}"


def _table(model: Model, source: str, labelling: Labelling) -> Input:
    frame, conventional = inputs.load_table(source)
    known = labelling.filled(model.labelling).filled(Labelling(column=conventional))
    if known.column in frame.column_names:
        frame = frame.drop_columns([known.column])
    return Input(source=source, features=frame, labelling=known)


def _highest(model: Model, X: NDArray[Any], top: int) -> list[int]:
    order = np.argsort(-model.detector.anomaly_score(X), kind="stable")
    return [int(row) for row in order[:top]]


def _texts(
    model: Model, data: Input, X: NDArray[Any], rows: list[int]
) -> list[tuple[str, ...]]:
    if not rows:
        return []
    if data.pictures is not None:
        maps = model.detector.explain(X[rows])
        return [(f"oddest place: {place_of(heat)}",) for heat in maps]
    if model.encoder is None:
        names = data.table.schema.names
        parts = model.detector.explain(X[rows])
        return [
            _plain(names, row, part) for row, part in zip(X[rows], parts, strict=True)
        ]
    frame = data.table.take(rows)
    found = reasons.of_rows(model.detector, model.encoder, frame)
    return [
        tuple(f"{reason}, contributes {percent(reason.share)}" for reason in row)
        for row in found
    ]


def _plain(
    names: Sequence[str], row: NDArray[Any], part: NDArray[np.float64]
) -> tuple[str, ...]:
    """For models without a table encoding: columns and values, nothing to compare."""
    strongest = [int(j) for j in np.argsort(-part, kind="stable")[:3] if part[j] > 0]
    return tuple(f"{names[j]} = {shown(float(row[j]))}" for j in strongest)
