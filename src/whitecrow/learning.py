"""From rows to a model: what is learnt from, and what is known about it then."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from whitecrow import labels
from whitecrow.choose import Choice, build
from whitecrow.data.folders import TRAIN
from whitecrow.data.kinds import TableEncoder
from whitecrow.data.labelling import Labelling
from whitecrow.data.pictures import training_rows
from whitecrow.data.rows import PictureRows, TableRows
from whitecrow.data.source import Reading
from whitecrow.defaults import PICTURE_SIDE
from whitecrow.errors import DataError
from whitecrow.model import Model
from whitecrow.notes import Note, gathered
from whitecrow.outliers import outliers

if TYPE_CHECKING:
    from whitecrow.detector import Detector

__all__ = ["Fit", "Stage", "facts", "fit", "for_training", "learnt_from"]

Stage = Callable[[str], None]


@dataclass(frozen=True, eq=False, kw_only=True)
class Fit:
    """A model with the rows that were ranked when it was fitted.

    Attributes
    ----------
    model : Model
    choice : Choice
    rows : TableRows or PictureRows
        The training rows; of pictures with a test part, those of that part.
    X : ndarray
        The same rows as the detector takes them.
    scores : ndarray of float64, shape (n,)
        Their scores.
    labels_used : bool
        Whether labels had a part in training.
    notes : tuple of str
        What was left out of training, and why.
    seconds : float
        Time for encoding, fitting and scoring.
    """

    model: Model
    choice: Choice
    rows: TableRows | PictureRows
    X: NDArray[Any]
    scores: NDArray[np.float64]
    labels_used: bool
    notes: tuple[str, ...]
    seconds: float

    @cached_property
    def said(self) -> tuple[Note, ...]:
        """Return what was read and decided, the loudest first."""
        encoder = self.model.encoder
        decisions = () if encoder is None else encoder.decisions_
        return gathered(self.rows.notes, decisions, self.notes)


def fit(
    rows: TableRows | PictureRows,
    choice: Choice,
    *,
    rule: Labelling | None = None,
    use_labels: bool = False,
    ignore: Sequence[str] = (),
    read_as: Mapping[str, str] | None = None,
    auxiliary: Mapping[str, Any] | None = None,
    stage: Stage = lambda text: None,
) -> Fit:
    """Encode the rows, fit a detector, and score.

    Parameters
    ----------
    rows : TableRows or PictureRows
    choice : Choice
        The method.
    rule : Labelling, optional
        How the labels of the rows were written, for the model file.
    use_labels : bool, default=False
        Learn from the labels: a method that can gets them, and any other is fitted
        without the rows that are labelled as anomalies. Otherwise labels are not used.
    ignore : sequence of str
        Columns to leave out.
    read_as : mapping of str to str, optional
        How to read columns.
    auxiliary : mapping, optional
        Outliers from elsewhere, as `whitecrow.outliers.outliers` takes them.
    stage : callable
        Told what is being done.

    Raises
    ------
    UserError
        Whatever the encoder and the detector refuse.
    """
    started = time.perf_counter()
    detector = build(choice)
    keep, notes = learnt_from(rows, choice, use_labels)
    known = _codes(rows)[keep] != labels.UNLABELLED
    used = use_labels and bool((known.any() and detector.uses_labels) or len(notes))
    stage("reading the columns")
    model, X = _encoded(rows, keep, detector, ignore, read_as)
    extra: dict[str, Any] = {}
    if auxiliary is not None:
        extra["auxiliary"] = _auxiliary(auxiliary, model, rows, X)
    y = None
    if used and detector.uses_labels:
        codes = _codes(rows)[keep]
        y = np.where(codes == labels.UNLABELLED, np.nan, codes)
    stage(f"fitting {choice.method.name}")
    scores = _fitted(detector, X, keep, y, extra)
    if used and not detector.uses_labels:
        # Rows that were left out of training still say where to cut.
        told = np.ones(len(rows), dtype=bool) if rows.kind == "table" else keep
        detector._cut(scores[told], _codes(rows)[told])
    model.info.update(
        facts(
            rows, choice, used=used, detector=detector, scores=scores[keep], rule=rule
        )
    )
    ranked = _ranked(rows, keep)
    return Fit(
        model=model,
        choice=choice,
        rows=rows if ranked is None else rows.take(ranked),
        X=X if ranked is None else X[ranked],
        scores=scores if ranked is None else scores[ranked],
        labels_used=used,
        notes=notes,
        seconds=time.perf_counter() - started,
    )


def for_training(reading: Reading) -> Reading:
    """Read large pictures in the size for training, unless a size is asked for."""
    return replace(reading, largest_side=PICTURE_SIDE)


def learnt_from(
    rows: TableRows | PictureRows, choice: Choice, use_labels: bool
) -> tuple[NDArray[np.bool_], tuple[str, ...]]:
    """Decide which rows to train on, and say which are left out.

    Of pictures with a `train` folder beside others, those of `train`. Where labels are
    to be used by a method that does not learn from them, no labelled anomaly.

    Returns
    -------
    keep : ndarray of bool, shape (n,)
    notes : tuple of str

    Raises
    ------
    DataError
        When no row is left.
    """
    learns = use_labels and build(choice).uses_labels
    keep, said = _part(rows, with_defects=learns)
    notes = [said] if said else []
    odd = keep & (_codes(rows) == labels.ANOMALY)
    if use_labels and odd.any() and not learns:
        keep = keep & ~odd
        notes.append(
            f"{int(odd.sum()):,} {rows.things} labelled as anomalies are left out of "
            f"training: {choice.method.name} learns what is normal"
        )
    if not keep.any():
        raise DataError(
            f"{rows.source}: all rows are labelled as anomalies, so there is nothing "
            "to learn from; add normal or unlabelled rows"
        )
    return keep, tuple(notes)


# ------------------------------------------------------------------------- helpers


def _part(
    rows: TableRows | PictureRows, *, with_defects: bool
) -> tuple[NDArray[np.bool_], str]:
    """Mark the pictures of the train folder, where there are others; else all rows."""
    if not isinstance(rows, PictureRows):
        return np.ones(len(rows), dtype=bool), ""
    codes = np.full(len(rows), labels.UNLABELLED) if with_defects else _codes(rows)
    return training_rows(rows.parts, rows.kinds, codes)


def _codes(rows: TableRows | PictureRows) -> labels.Codes:
    if rows.codes is None:
        return np.full(len(rows), labels.UNLABELLED)
    return rows.codes


def _encoded(
    rows: TableRows | PictureRows,
    keep: NDArray[np.bool_],
    detector: Detector,
    ignore: Sequence[str],
    read_as: Mapping[str, str] | None,
) -> tuple[Model, NDArray[Any]]:
    """Return the model to be, and all rows as its detector takes them."""
    if isinstance(rows, PictureRows):
        return Model(detector), rows.images
    encoder = TableEncoder(ignore=tuple(ignore), read_as=dict(read_as or {}))
    frame = rows.frame if keep.all() else rows.frame.filter(pa.array(keep))
    encoder.fit(frame)
    return Model(detector, encoder), encoder.transform(rows.frame)


def _fitted(
    detector: Detector,
    X: NDArray[Any],
    keep: NDArray[np.bool_],
    y: NDArray[np.float64] | None,
    extra: dict[str, Any],
) -> NDArray[np.float64]:
    """Fit the detector, and score all rows, each of them once."""
    if keep.all():
        return detector.fit_score(X, y, **extra)
    scores = np.empty(len(X))
    scores[keep] = detector.fit_score(X[keep], y, **extra)
    scores[~keep] = detector.anomaly_score(X[~keep])
    return scores


def _ranked(
    rows: TableRows | PictureRows, keep: NDArray[np.bool_]
) -> NDArray[np.intp] | None:
    """Select the pictures outside of the train folder; None to rank all rows."""
    if not isinstance(rows, PictureRows):
        return None
    other = np.array([part != TRAIN for part in rows.parts], dtype=bool)
    return np.flatnonzero(other) if other.any() and not other.all() else None


def facts(
    rows: TableRows | PictureRows,
    choice: Choice,
    *,
    used: bool,
    detector: Detector,
    scores: NDArray[np.float64],
    rule: Labelling | None = None,
) -> dict[str, Any]:
    """Note what is known about a training, as plain values for the model file.

    `scores` are those of the rows that were trained on.
    """
    rule = rule or Labelling()
    info: dict[str, Any] = {
        "kind": rows.kind,
        "source": rows.source,
        "rows": len(rows),
        "flagged_share": float((scores > detector.threshold_).mean()),
        "method": choice.method.name,
        "labels_used": used,
        "label_column": rule.column,
        "labels": rule.convention,
        "anomaly_values": list(rule.anomaly_values),
    }
    if isinstance(rows, PictureRows):
        _, channels, height, width = rows.images.shape
        info |= {"channels": channels, "height": height, "width": width}
        info["depth"] = None if rows.depth is None else list(rows.depth)
    return info


def _auxiliary(
    given: Mapping[str, Any], model: Model, rows: TableRows | PictureRows, X: Any
) -> Any:
    """Draw outliers from elsewhere as the detector takes rows."""

    def encode(others: TableRows | PictureRows) -> Any:
        others = model.named(others)
        return model.meeting([others]).encode(others)

    return outliers(
        given,
        np.asarray(X),
        normal=_classes(rows) if isinstance(rows, PictureRows) else (),
        encode=encode,
        depth=rows.depth if isinstance(rows, PictureRows) else None,
        source=rows.source,
        name=_option,
    ).rows


def _classes(rows: PictureRows) -> list[str]:
    """Name the classes of the rows that are not known as anomalies."""
    odd = _codes(rows) == labels.ANOMALY
    named = {kind for kind, out in zip(rows.kinds, odd, strict=True) if not out}
    return sorted(named - {"", "good"})


def _option(key: str) -> str:
    """Name what says something about auxiliary outliers as the command line does."""
    return "--auxiliary" if key == "data" else f"--auxiliary-{key.replace('_', '-')}"
