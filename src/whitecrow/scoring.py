"""Score new data with a model, compare them with its training, and explain rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from whitecrow import blas, cluster, labels, scores
from whitecrow.data.rows import PictureRows, TableRows
from whitecrow.data.source import Source, TableSource, paths_of
from whitecrow.drift import Drift
from whitecrow.errors import DataError, UserError
from whitecrow.metrics.quality import Quality, evaluate, percent
from whitecrow.model import Model

__all__ = ["Explained", "Scored", "explain", "score"]

# So many times the share of training rows that are flagged is an alarm.
_ALARM = 3.0


@dataclass(frozen=True, eq=False, kw_only=True)
class Scored:
    """What scoring gave.

    Attributes
    ----------
    n_rows, n_flagged : int
    things : str
        "rows" or "pictures".
    quality : Quality or None
        None where no row has a label.
    seen_labels : bool
        Whether the model learnt from the labels of the same source.
    notes : tuple of str
        What is unusual about the columns.
    training_share : float or None
        Share of the training rows that the model flags; None for older models.
    drift : Drift or None
        How the columns differ from training; None for pictures and for models that
        were saved in Python.
    """

    n_rows: int
    n_flagged: int
    things: str
    quality: Quality | None = None
    seen_labels: bool = False
    notes: tuple[str, ...] = ()
    training_share: float | None = None
    drift: Drift | None = None

    @property
    def in_training(self) -> str:
        """Return the share of training rows flagged, as part of a sentence."""
        if self.training_share is None:
            return ""
        return f"; {percent(self.training_share)} in training"

    @property
    def alarm(self) -> bool:
        """Tell whether far more rows are flagged than in training."""
        if self.training_share is None or not self.n_rows:
            return False
        expected = self.training_share * self.n_rows
        noise = 3 * max(expected, 1.0) ** 0.5
        return self.n_flagged > _ALARM * expected + noise

    @property
    def comparison(self) -> list[str]:
        """Say how the data differ from training, in one line if all is well."""
        moved = [] if self.drift is None else self.drift.moved()
        lines = []
        if self.alarm:
            lines.append(
                f"attention: {self.n_flagged:,} of {self.n_rows:,} {self.things} are "
                f"flagged, but {percent(self.training_share or 0.0)} of the training "
                f"{self.things}; the data are unlike those of training, or a column is "
                "in other units"
            )
        lines += [f"attention: {one.text}" for one in moved]
        if self.drift is not None and not lines:
            lines.append(
                f"columns: all {len(self.drift.columns())} are distributed as in "
                "training"
            )
        return lines

    def values(self) -> dict[str, Any]:
        """Return the result as plain values, for `--json`."""
        return {
            "rows": self.n_rows,
            "flagged": self.n_flagged,
            "flagged_share": self.n_flagged / self.n_rows,
            "flagged_share_in_training": self.training_share,
            "alarm": self.alarm,
            "drift": [] if self.drift is None else self.drift.values(),
            "quality": self.quality.to_dict() if self.quality else None,
            "notes": list(self.notes),
            "learnt_from_these_labels": self.seen_labels,
        }


def score(
    model: Model,
    source: Source,
    out: str | Path,
    *,
    engine: str = "local",
    on_rows: Callable[[int], None] = lambda n: None,
) -> Scored:
    """Score a source into a file with `row, anomaly_score, is_anomaly`.

    Tables stream in batches where their format allows it, so that memory does not grow
    with their length; for pictures there is a column `path`.

    Parameters
    ----------
    model : Model
    source : TableSource or PictureSource
        As `model.open` gives it.
    out : path
        Replaced when everything is written; its ending decides the format.
    engine : {"local", "dask"}
        Where batches are scored; the scores are the same to the bit. They are read
        and written here.
    on_rows : callable
        Called with the number of rows done so far.

    Raises
    ------
    DataError
        When the data do not fit the model, or `out` cannot be written.
    """
    model = model.meeting(source.batches())
    total = _Total(model)
    identifiers = [] if model.encoder is None else model.encoder.identifiers_
    with scores.writing(out) as write:
        for rows, values in _SCORERS[engine](model, source):
            known = [n for n in identifiers if _has(rows, n)]
            flagged = (values > model.threshold) | _any(model.unlike(rows), len(rows))
            more: dict[str, Any] = {"is_anomaly": flagged}
            if total.drift is not None and total.drift.watched:
                texts = ["; ".join(why) or None for why in model.differences(rows)]
                more["reasons"] = texts
            threshold = model.threshold
            write(scores.columns(rows, values, threshold, identifiers=known, more=more))
            total.add(rows, values, flagged)
            on_rows(total.n_rows)
        if not total.n_rows:
            raise DataError(f"{source.name}: there are no rows to score")
    if isinstance(source, TableSource):  # the first one names the format
        total.notes |= dict.fromkeys(source.file.notes[1:])
    return total.result(seen=_learnt_from_labels(model, source.name))


Batches = Iterator[tuple[TableRows | PictureRows, NDArray[np.float64]]]


def _on_cluster(model: Model, source: Source) -> Batches:
    """Score batch by batch on a Dask cluster, in the order of the rows."""
    try:
        with cluster.connected() as client:
            work = partial(_like_here, blas.threads_here())
            batches = map(model.named, source.batches())
            yield from cluster.in_order(client, work, model, batches)
    except UserError:
        raise
    except Exception as error:  # of the cluster, such as workers that die
        raise DataError(f"scoring on the cluster failed: {error}") from error


def _like_here(
    threads: dict[str, int], model: Model, rows: TableRows | PictureRows
) -> NDArray[np.float64]:
    """Score with as many threads as on the machine that asks: the same rounding."""
    with blas.threads(threads):
        return model.score_rows(rows)


_SCORERS: dict[str, Callable[[Model, Source], Batches]] = {
    "local": Model.score,
    "dask": _on_cluster,
}


@dataclass(eq=False)
class _Total:
    """What is kept of the batches."""

    model: Model
    n_rows: int = 0
    n_flagged: int = 0
    things: str = "rows"
    notes: dict[str, None] = field(default_factory=dict)
    scores: list[NDArray[np.float64]] = field(default_factory=list)
    codes: list[labels.Codes] = field(default_factory=list)
    flagged: list[NDArray[np.bool_]] = field(default_factory=list)

    def __post_init__(self) -> None:
        encoder = self.model.encoder
        self.drift = None if encoder is None else Drift(encoder)

    def add(
        self, rows: Any, values: NDArray[np.float64], flagged: NDArray[np.bool_]
    ) -> None:
        if not self.n_rows:
            self.things = rows.things
            self.notes |= dict.fromkeys(self.model.notes(rows))
        if isinstance(rows, TableRows):
            self.notes |= dict.fromkeys(rows.notes)
        if self.drift is not None:
            self.drift.add(rows.frame)
        self.n_rows += len(values)
        self.n_flagged += int(flagged.sum())
        if rows.codes is not None:
            self.scores.append(values)
            self.flagged.append(flagged)
            self.codes.append(rows.codes)

    def result(self, *, seen: bool) -> Scored:
        quality = None
        if self.codes:
            values, flagged = np.concatenate(self.scores), np.concatenate(self.flagged)
            quality = evaluate(np.concatenate(self.codes), values, flagged)
        return Scored(
            n_rows=self.n_rows,
            n_flagged=self.n_flagged,
            things=self.things,
            quality=quality,
            seen_labels=seen and quality is not None,
            notes=tuple(self.notes),
            training_share=self.model.info.get("flagged_share"),
            drift=self.drift,
        )


def _any(unlike: dict[str, NDArray[np.bool_]], n: int) -> NDArray[np.bool_]:
    """Tell which rows differ in one of the columns."""
    return np.any([np.zeros(n, dtype=bool), *unlike.values()], axis=0)


def _has(rows: Any, name: str) -> bool:
    return isinstance(rows, TableRows) and name in rows.frame.column_names


def _learnt_from_labels(model: Model, name: str) -> bool:
    """Tell whether the model learnt from labels of this very source."""
    if not model.info.get("labels_used"):
        return False
    known = str(model.info.get("source"))
    if known == name:
        return True
    try:
        ours, theirs = paths_of(name), paths_of(known)
    except DataError:  # the training data are not here
        return False
    return {p.resolve() for p in ours} == {p.resolve() for p in theirs} != set()


# ---------------------------------------------------------------------- explaining


@dataclass(frozen=True, kw_only=True)
class Explained:
    """One row with its score and what speaks for an anomaly.

    Attributes
    ----------
    row : int
        Counted from 0.
    name : str
        "row 7", with its line, its time and who it is, or the path of a picture.
    score, threshold : float
    texts : tuple of str
        The strongest first; what speaks against an anomaly is left out.
    unlike : bool
        Whether a column differs that had one value in training.
    """

    row: int
    name: str
    score: float
    threshold: float
    texts: tuple[str, ...]
    unlike: bool = False

    @property
    def is_anomaly(self) -> bool:
        """Tell whether the score is above the threshold or a column unlike training."""
        return self.score > self.threshold or self.unlike


def explain(
    model: Model, source: Source, *, rows: Sequence[int] = (), top: int = 3
) -> list[Explained]:
    """Explain the given rows, or those with the highest scores.

    Raises
    ------
    DataError
        When a row is not there, or the data do not fit the model.
    """
    data = model.named(source.rows())
    for row in rows:
        if not 0 <= row < len(data):
            raise DataError(
                f"--row {row}: {source.name} has the rows 0 to {len(data) - 1}, "
                "counted from 0"
            )
    model = model.meeting([data])
    values = model.detector.anomaly_score(model.encode(data))
    unlike = _any(model.unlike(data), len(data))
    chosen = list(rows) or np.lexsort((-values, ~unlike))[:top].tolist()
    texts = model.texts(data.take(chosen))
    return [
        Explained(
            row=row,
            name=model.name(data, row),
            score=float(values[row]),
            threshold=model.threshold,
            texts=text,
            unlike=bool(unlike[row]),
        )
        for row, text in zip(chosen, texts, strict=True)
    ]
