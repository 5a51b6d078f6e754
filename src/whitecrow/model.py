"""Model: a detector with the kinds of the columns that it was fitted on.

What `fit` learns from, what `score` reads and what a `.crow` file keeps is decided
here, for tables and for pictures.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from whitecrow import labels, reasons
from whitecrow.choose import Choice, build
from whitecrow.data.kinds import TableEncoder, number_cells
from whitecrow.data.labelling import Labelling
from whitecrow.data.layout import TRAIN
from whitecrow.data.pictures import training_rows
from whitecrow.data.rows import PictureRows, TableRows
from whitecrow.data.source import PictureSource, Reading, Source, open_source
from whitecrow.errors import DataError, ModelFileError, ParameterError
from whitecrow.metrics.quality import percent
from whitecrow.notes import Note, gathered

if TYPE_CHECKING:
    from whitecrow.detector import Detector
    from whitecrow.reasons import Reason

__all__ = ["Fit", "Model", "facts", "fit", "for_training", "learnt_from"]

PICTURE_SIDE = 128
"""Pictures with a longer side are scaled to this many pixels for training."""

Stage = Callable[[str], None]


@dataclass(frozen=True, eq=False)
class Model:
    """A detector, how its columns are read, and what is known about its training.

    Attributes
    ----------
    detector : Detector
        Fitted.
    encoder : TableEncoder or None
        None for pictures, and for models that were saved in Python.
    info : dict
        Plain values: source, rows, labels, share of flagged training rows.
    """

    detector: Detector
    encoder: TableEncoder | None = None
    info: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Load a `.crow` file.

        Raises
        ------
        ModelFileError
            When there is none, or it is not whole.
        """
        from whitecrow import persist

        if not Path(path).is_file():
            raise ModelFileError(
                f"{path}: no such model file; `whitecrow fit DATA -o {path}` makes one"
            )
        bundle = persist.load_bundle(path)
        known = bundle.encoder
        encoder = None if known is None else TableEncoder.from_dict(known)
        return cls(bundle.detector, encoder, dict(bundle.info))

    def save(self, path: str | Path) -> None:
        """Write a `.crow` file with all that scoring new data takes.

        Raises
        ------
        ModelFileError
            When it cannot be written.
        """
        from whitecrow import persist

        encoder = None if self.encoder is None else self.encoder.to_dict()
        persist.save(path, self.detector, encoder=encoder, info=self.info)

    @property
    def kind(self) -> str:
        """What it takes: "table" or "picture"."""
        return "table" if len(self.detector.input_shape_) == 1 else "picture"

    @property
    def threshold(self) -> float:
        """Rows with a higher score are flagged."""
        return float(self.detector.threshold_)

    @property
    def labelling(self) -> Labelling:
        """How labels were written in the training data."""
        return Labelling(
            column=self.info.get("label_column"),
            convention=self.info.get("labels"),
            anomaly_values=tuple(self.info.get("anomaly_values", ())),
        )

    def open(self, name: str, reading: Reading) -> Source:
        """Open data that this model is to score.

        Raises
        ------
        DataError
            When these are pictures and the model takes tables, or the other way round,
            or the label column that `reading` names is a feature of the model.
        """
        shape = self.detector.input_shape_ if self.kind == "picture" else None
        depth = self.info.get("depth")
        source = open_source(
            name,
            reading,
            default=self.labelling,
            shape=shape,
            depth=None if depth is None else (float(depth[0]), float(depth[1])),
        )
        if source.kind != self.kind:
            things = {"table": "a table", "picture": "pictures"}
            raise DataError(
                f"{name} holds {things[source.kind]}, but the model takes "
                f"{things[self.kind]}"
            )
        self._check_not_a_feature(source.rule.column)
        return source

    def notes(self, rows: TableRows | PictureRows) -> tuple[str, ...]:
        """Say what is unusual about the columns of new rows, a sentence each."""
        if isinstance(rows, PictureRows):
            return rows.notes
        if self.encoder is not None:
            return self.encoder.notes(rows.frame)
        known = getattr(self.detector, "feature_names_in_", None)
        names = rows.frame.column_names
        extra = [] if known is None else [n for n in names if n not in set(known)]
        if not extra:
            return ()
        few = ", ".join(map(repr, extra[:6])) + (", ..." if len(extra) > 6 else "")
        return (f"columns that training did not have are ignored: {few}",)

    def encode(self, rows: TableRows | PictureRows) -> Any:
        """Turn rows into what the detector takes: an array, or numbers with names.

        Raises
        ------
        DataError
            When a column is missing, or holds something else than at training.
        """
        if isinstance(rows, PictureRows):
            return rows.images
        if self.encoder is None:
            return _numbers(self.detector, rows)[0]
        first = rows.position(0) if len(rows) else 0
        return self.encoder.transform(rows.frame, first_row=first)

    def score(
        self, source: Source
    ) -> Iterator[tuple[TableRows | PictureRows, NDArray[np.float64]]]:
        """Score a source batch by batch, in the order of its rows.

        Yields
        ------
        rows : TableRows or PictureRows
        scores : ndarray of float64, shape (len(rows),)
            Higher = more anomalous.

        Raises
        ------
        DataError
            When the data do not fit the model.
        """
        for rows in source.batches():
            yield rows, self.detector.anomaly_score(self.encode(rows))

    def explain(
        self, rows: TableRows | PictureRows, X: NDArray[Any] | None = None
    ) -> list[tuple[Reason, ...]]:
        """Find the columns that make each row odd; nothing for pictures.

        Parameters
        ----------
        rows : TableRows or PictureRows
            Few: all of them are explained.
        X : ndarray, optional
            The same rows, encoded.
        """
        if isinstance(rows, PictureRows) or not len(rows):
            return [() for _ in range(len(rows))]
        if self.encoder is None:
            return _plain_reasons(self.detector, rows)
        return reasons.of_rows(self.detector, self.encoder, rows.frame, X=X)

    def texts(self, rows: TableRows | PictureRows) -> list[tuple[str, ...]]:
        """Say why each row is odd, for people; where, for pictures."""
        if isinstance(rows, PictureRows):
            maps = self.detector.explain(rows.images) if len(rows) else ()
            return [(f"oddest place: {reasons.place_of(heat)}",) for heat in maps]
        return [
            tuple(f"{reason}, contributes {percent(reason.share)}" for reason in row)
            for row in self.explain(rows)
        ]

    def _check_not_a_feature(self, column: str | None) -> None:
        if self.encoder is not None and column in self.encoder.source_columns_:
            raise DataError(
                f"--label-column: the model was fitted with {column!r} as a feature, "
                f"so it knows the labels; fit it again with --label-column {column} or "
                f"--ignore {column}"
            )


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
        """What was read and decided, the loudest first."""
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
    auxiliary: str | None = None,
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
    auxiliary : str, optional
        Outliers from elsewhere: a source with the columns, or pictures, of `rows`.
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
        extra["auxiliary"] = _auxiliary(auxiliary, model, rows)
    y = _labels(rows, keep) if used and detector.uses_labels else None
    stage(f"fitting {choice.method.name}")
    scores = _fitted(detector, X, keep, y, extra)
    if used and not detector.uses_labels:
        # Rows that were left out of training still say where to cut.
        told = np.ones(len(rows), dtype=bool) if rows.kind == "table" else keep
        detector._cut(scores[told], _codes(rows)[told])
    model.info.update(
        facts(rows, choice, used=used, detector=detector, scores=scores, rule=rule)
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
    learns = use_labels and choice.method.cls.uses_labels
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


def _labels(
    rows: TableRows | PictureRows, keep: NDArray[np.bool_]
) -> NDArray[np.float64]:
    codes = _codes(rows)[keep]
    return np.where(codes == labels.UNLABELLED, np.nan, codes)


def _encoded(
    rows: TableRows | PictureRows,
    keep: NDArray[np.bool_],
    detector: Detector,
    ignore: Sequence[str],
    read_as: Mapping[str, str] | None,
) -> tuple[Model, NDArray[Any]]:
    """Give the model to be, and all rows as its detector takes them."""
    if isinstance(rows, PictureRows):
        return Model(detector), rows.images
    encoder = TableEncoder(ignore=tuple(ignore), read_as=dict(read_as or {}))
    frame = rows.frame if keep.all() else rows.frame.filter(_mask(keep))
    encoder.fit(frame)
    return Model(detector, encoder), encoder.transform(rows.frame)


def _mask(keep: NDArray[np.bool_]) -> Any:
    import pyarrow as pa

    return pa.array(keep)


def _fitted(
    detector: Detector,
    X: NDArray[Any],
    keep: NDArray[np.bool_],
    y: NDArray[np.float64] | None,
    extra: dict[str, Any],
) -> NDArray[np.float64]:
    """Fit, and score all rows, each of them once."""
    if keep.all():
        return detector.fit_score(X, y, **extra)
    scores = np.empty(len(X))
    scores[keep] = detector.fit_score(X[keep], y, **extra)
    scores[~keep] = detector.anomaly_score(X[~keep])
    return scores


def _ranked(
    rows: TableRows | PictureRows, keep: NDArray[np.bool_]
) -> NDArray[np.intp] | None:
    """Give the pictures outside of the train folder; None to rank all rows."""
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
    """Note what is known about a training, as plain values for the model file."""
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


def _auxiliary(name: str, model: Model, rows: TableRows | PictureRows) -> Any:
    """Read outliers from elsewhere as the detector takes rows."""
    shape = rows.images.shape[1:] if isinstance(rows, PictureRows) else None
    depth = rows.depth if isinstance(rows, PictureRows) else None
    source = open_source(name, shape=shape, depth=depth)
    if source.kind != rows.kind:
        holds = "pictures" if isinstance(source, PictureSource) else "a table"
        wanted = "a table" if rows.kind == "table" else "pictures"
        raise ParameterError(f"--auxiliary: {name} holds {holds}, not {wanted}")
    return model.encode(source.rows())


def _numbers(detector: Detector, rows: TableRows) -> tuple[Any, NDArray[np.float64]]:
    """Read the columns of a model that was saved in Python: by name, else by place.

    Returns
    -------
    given : ndarray or pyarrow.Table
        As the detector takes it: with names, if it was fitted with names.
    numbers : ndarray of shape (n, d)
    """
    import pyarrow as pa

    frame = rows.frame
    known = getattr(detector, "feature_names_in_", None)
    wanted = frame.column_names if known is None else [str(name) for name in known]
    absent = [name for name in wanted if name not in frame.column_names]
    if absent:
        shown = ", ".join(map(repr, absent[:3])) + (", ..." if len(absent) > 3 else "")
        raise DataError(
            f"{rows.source}: {len(absent)} of {len(wanted)} columns of the training "
            f"data are missing: {shown}; add or rename them"
        )
    if known is None and len(wanted) != detector.input_shape_[0]:
        raise DataError(
            f"{rows.source} has {len(wanted)} columns, but the model was saved in "
            f"Python without their names and takes {detector.input_shape_[0]}; give "
            "the same columns in the same order, or make the model with "
            "`whitecrow fit`"
        )
    columns = [
        number_cells.read_plain(
            name, frame.column(name), rows.position(0) if len(rows) else 0
        )
        for name in wanted
    ]
    numbers = np.column_stack(columns)
    return numbers if known is None else pa.table(columns, names=wanted), numbers


def _plain_reasons(detector: Detector, rows: TableRows) -> list[tuple[Reason, ...]]:
    """Name columns and values, for a model that does not know what is usual."""
    from whitecrow.data.kinds.words import shown

    known = getattr(detector, "feature_names_in_", rows.frame.column_names)
    names = [str(name) for name in known]
    given, X = _numbers(detector, rows)
    found = []
    for values, part in zip(X, detector.explain(given), strict=True):
        whole = np.clip(part, 0.0, None).sum()
        best = [int(j) for j in np.argsort(-part, kind="stable")[:3] if part[j] > 0]
        found.append(
            tuple(
                reasons.Reason(
                    names[j],
                    float(values[j]),
                    shown(float(values[j])),
                    "the model does not know what is usual",
                    float(part[j] / whole),
                )
                for j in best
            )
        )
    return found
