"""Model: a detector with the kinds of the columns that it was fitted on.

What `score` reads and what a `.crow` file keeps is decided here, for tables and for
pictures; how a model comes about, in `learning`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from whitecrow import reasons
from whitecrow.data.kinds import TableEncoder, as_table, number_cells
from whitecrow.data.kinds.as_written import decimal_marks
from whitecrow.data.kinds.frame import spelt_as
from whitecrow.data.kinds.words import cell_of, shown
from whitecrow.data.labelling import Labelling
from whitecrow.data.rows import PictureRows, TableRows
from whitecrow.data.source import Reading, Source, open_source
from whitecrow.errors import DataError, ModelFileError
from whitecrow.metrics.quality import percent
from whitecrow.reasons import Reason

if TYPE_CHECKING:
    from whitecrow.detector import Detector

__all__ = ["Model"]


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
    said : tuple of str
        What was found out about the cells of new rows, see `meeting`.
    decimals : mapping of str to str
        Decimal marks of new rows by column, for models that were saved in Python.
    """

    detector: Detector
    encoder: TableEncoder | None = None
    info: dict[str, Any] = field(default_factory=dict)
    said: tuple[str, ...] = ()
    decimals: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Load a `.crow` file.

        Raises
        ------
        ModelFileError
            When there is none, or it is not whole.
        """
        from whitecrow import saving

        if not Path(path).is_file():
            raise ModelFileError(
                f"{path}: no such model file; `whitecrow fit DATA -o {path}` makes one"
            )
        bundle = saving.load_bundle(path)
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
        from whitecrow import saving

        encoder = None if self.encoder is None else self.encoder.to_dict()
        saving.save(path, self.detector, encoder=encoder, info=self.info)

    @property
    def kind(self) -> str:
        """Return what it takes: "table" or "picture"."""
        return "table" if len(self.detector.input_shape_) == 1 else "picture"

    @property
    def threshold(self) -> float:
        """Return the score above which rows are flagged."""
        return float(self.detector.threshold_)

    @property
    def labelling(self) -> Labelling:
        """Return how labels were written in the training data."""
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

    def meeting(self, parts: Iterable[TableRows | PictureRows]) -> Self:
        """Settle how the cells of new rows are written; return the model for them.

        Parameters
        ----------
        parts : iterable of TableRows or PictureRows
            All rows that will be scored, in one pass.
        """
        named = map(self.named, parts)
        frames = (part.frame for part in named if isinstance(part, TableRows))
        if self.encoder is not None:
            encoder, notes = self.encoder.as_written(frames)
            return replace(self, encoder=encoder, said=notes)
        decimals, notes = decimal_marks(frames)
        return replace(self, decimals=decimals, said=notes)

    def named(self, rows: TableRows | PictureRows) -> TableRows | PictureRows:
        """Return new rows with their columns named as in training."""
        learnt = self.detector if self.encoder is None else self.encoder
        names = getattr(learnt, "feature_names_in_", None)
        if isinstance(rows, PictureRows) or names is None:
            return rows
        return replace(rows, frame=spelt_as(rows.frame, map(str, names)))

    def unlike(self, rows: TableRows | PictureRows) -> dict[str, NDArray[np.bool_]]:
        """Tell which rows differ in a column that had one value in training.

        No detector sees such a column, so that the scores do not tell.
        """
        if self.encoder is None or isinstance(rows, PictureRows):
            return {}
        return {
            name: self.encoder.differs(name, rows.frame.column(name))
            for name in self.encoder.watched_
            if name in rows.frame.column_names
        }

    def differences(self, rows: TableRows | PictureRows) -> list[tuple[str, ...]]:
        """Say how each row differs in columns that had one value in training."""
        found: list[tuple[str, ...]] = [()] * len(rows)
        for name, differs in self.unlike(rows).items():
            assert self.encoder is not None
            assert isinstance(rows, TableRows)
            for row in np.flatnonzero(differs):
                value = cell_of(rows.frame.column(name), int(row))
                cell = self.encoder.usual(name, value)
                found[row] = (*found[row], f"{name} = {cell.text} ({cell.usual})")
        return found

    def notes(self, rows: TableRows | PictureRows) -> tuple[str, ...]:
        """Say what is unusual about the columns of new rows, in a sentence each."""
        if isinstance(rows, PictureRows):
            return rows.notes
        if self.encoder is not None:
            return (*self.said, *self.encoder.notes(rows.frame))
        known = getattr(self.detector, "feature_names_in_", None)
        names = rows.frame.column_names
        extra = [] if known is None else [n for n in names if n not in set(known)]
        if not extra:
            return self.said
        few = ", ".join(map(repr, extra[:6])) + (", ..." if len(extra) > 6 else "")
        said = f"columns that training did not have are ignored: {few}"
        return (*self.said, said)

    def name(self, rows: TableRows | PictureRows, row: int) -> str:
        """Name a row as a person would: by position, line, time, and who it is."""
        if isinstance(rows, PictureRows):
            return rows.name(row)
        who = self.who(rows, row)
        axis = None if self.encoder is None else self.encoder.moment_
        if axis and axis not in who and axis in rows.frame.column_names:
            who = {axis: rows.take([row]).cells(0)[axis], **who}
        lines = rows.lines([row])
        known = [f"line {lines[0]}"] if lines else []
        known += who.values()
        return f"{rows.name(row)} ({', '.join(known)})" if known else rows.name(row)

    def who(self, rows: TableRows, row: int) -> dict[str, str]:
        """Return the identifiers of a row, as in the file."""
        names = [] if self.encoder is None else self.encoder.identifiers_
        cells = rows.take([row]).cells(0) if names else {}
        return {name: cells[name] for name in names if name in cells}

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
            return _numbers(self, rows)[0]
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
        for rows in map(self.named, source.batches()):
            yield rows, self.score_rows(rows)

    def score_rows(self, rows: TableRows | PictureRows) -> NDArray[np.float64]:
        """Score rows whose columns have the names of training; see `named`."""
        return self.detector.anomaly_score(self.encode(rows))

    def anomaly_score(self, frame: Any) -> NDArray[np.float64]:
        """Score a frame, such as one of pandas; higher = more anomalous.

        Raises
        ------
        DataError
            When a column is missing, or holds something else than at training.
        """
        rows = self.named(TableRows(source="the frame", frame=as_table(frame)))
        return self.detector.anomaly_score(self.meeting([rows]).encode(rows))

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
            return _plain_reasons(self, rows)
        return reasons.of_rows(self.detector, self.encoder, rows.frame, X=X)

    def texts(self, rows: TableRows | PictureRows) -> list[tuple[str, ...]]:
        """Say why each row is odd, for people; where, for pictures."""
        if isinstance(rows, PictureRows):
            maps = self.detector.explain(rows.images) if len(rows) else ()
            return [(f"oddest place: {reasons.place_of(heat)}",) for heat in maps]
        texts = [
            tuple(f"{reason}, contributes {percent(reason.share)}" for reason in row)
            for row in self.explain(rows)
        ]
        others = self.differences(rows)
        return [(*why, *text) for why, text in zip(others, texts, strict=True)]

    def _check_not_a_feature(self, column: str | None) -> None:
        if self.encoder is not None and column in self.encoder.source_columns_:
            raise DataError(
                f"--label-column: the model was fitted with {column!r} as a feature, "
                f"so it knows the labels; fit it again with --label-column {column} or "
                f"--ignore {column}"
            )


# ------------------------------------------------ models that were saved in Python


def _numbers(model: Model, rows: TableRows) -> tuple[Any, NDArray[np.float64]]:
    """Read the columns of a model that was saved in Python: by name, else by place.

    Returns
    -------
    given : ndarray or pyarrow.Table
        As the detector takes it: with names, if it was fitted with names.
    numbers : ndarray of shape (n, d)
    """
    frame, detector = rows.frame, model.detector
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
    first = rows.position(0) if len(rows) else 0
    columns = [
        number_cells.read_plain(
            name, frame.column(name), first, model.decimals.get(name, ".")
        )
        for name in wanted
    ]
    numbers = np.column_stack(columns)
    return numbers if known is None else pa.table(columns, names=wanted), numbers


def _plain_reasons(model: Model, rows: TableRows) -> list[tuple[Reason, ...]]:
    """Name columns and values, for a model that does not know what is usual."""
    detector = model.detector
    known = getattr(detector, "feature_names_in_", rows.frame.column_names)
    names = [str(name) for name in known]
    given, X = _numbers(model, rows)
    found = []
    for values, part in zip(X, detector.explain(given), strict=True):
        whole = np.clip(part, 0.0, None).sum()
        best = [int(j) for j in np.argsort(-part, kind="stable")[:3] if part[j] > 0]
        found.append(
            tuple(
                Reason(
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
