"""Scores to a Parquet file: batch by batch, whole or not at all."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from whitecrow import labels
from whitecrow.data import catalog
from whitecrow.data.content import Pictures, Table
from whitecrow.errors import DataError, ModelFileError
from whitecrow.workflow import inputs
from whitecrow.workflow.files import replacing
from whitecrow.workflow.inputs import Input, Labelling
from whitecrow.workflow.quality import Quality, evaluate
from whitecrow.workflow.training import Fitted, read_like

if TYPE_CHECKING:
    import pyarrow as pa

    from whitecrow.data.encoding import TableEncoder
    from whitecrow.detector import Detector

__all__ = ["Model", "Scored", "open_model", "score", "write_training_scores"]

BATCH_ROWS = 65_536

Rows = NDArray[Any]


@dataclass(frozen=True, eq=False)
class Model:
    """A model file, opened.

    Attributes
    ----------
    detector : Detector
    encoder : TableEncoder or None
        None for pictures, and for models that were saved in Python.
    info : dict
        What `training.save` wrote down.
    """

    detector: Detector
    encoder: TableEncoder | None
    info: dict[str, Any]

    @property
    def kind(self) -> str:
        """What it takes: "table" or "picture"."""
        return "table" if len(self.detector.input_shape_) == 1 else "picture"

    @property
    def labelling(self) -> Labelling:
        """How labels were written in the training data."""
        return Labelling(
            column=self.info.get("label_column"),
            convention=self.info.get("labels"),
            anomaly_values=tuple(self.info.get("anomaly_values", ())),
        )

    def encode(self, frame: pa.Table | pa.RecordBatch, first_row: int = 0) -> Rows:
        """Rows of a table as the detector takes them.

        Raises
        ------
        DataError
            When a column is missing or of another type than at training.
        """
        if self.encoder is not None:
            return self.encoder.transform(frame, first_row=first_row)
        return _numbers(frame)


class Scored(NamedTuple):
    """What scoring gave.

    Attributes
    ----------
    n_rows, n_flagged : int
    quality : Quality or None
        None where no row has a label.
    things : str
        "rows" or "pictures".
    seen_labels : bool
        Whether the model learnt from the labels of the same source.
    notes : tuple of str
        What is unusual about the columns of the first batch.
    """

    n_rows: int
    n_flagged: int
    quality: Quality | None
    things: str
    seen_labels: bool
    notes: tuple[str, ...] = ()


class _Batch(NamedTuple):
    """Scores of some rows, with what else is known about them."""

    scores: NDArray[np.float64]
    codes: labels.Codes | None
    paths: tuple[str, ...] | None
    notes: tuple[str, ...] = ()


def open_model(path: str | Path) -> Model:
    """Load a `.crow` file.

    Raises
    ------
    ModelFileError
        When there is none, or `persist` refuses it.
    """
    from whitecrow import persist

    if not Path(path).is_file():
        raise ModelFileError(
            f"{path}: no such model file; `whitecrow fit DATA -o {path}` makes one"
        )
    bundle = persist.load_bundle(path)
    encoder = None
    if bundle.encoder is not None:
        from whitecrow.data.encoding import TableEncoder

        encoder = TableEncoder.from_dict(bundle.encoder)
    return Model(bundle.detector, encoder, dict(bundle.info))


def score(
    model: Model,
    source: str,
    out: str | Path,
    labelling: Labelling,
    *,
    on_rows: Callable[[int], None] = lambda n: None,
) -> Scored:
    """Score a source into a Parquet file with `row, anomaly_score, is_anomaly`.

    Tables in text or Parquet files stream in batches, so that memory does not grow
    with their length; for pictures there is a column `path`.

    Parameters
    ----------
    model : Model
    source : str
        As for `inputs.read`.
    out : path
        Replaced when everything is written.
    labelling : Labelling
        Where labels are, if not as in the training data; for evaluation only.
    on_rows : callable
        Called with the number of rows done so far.

    Raises
    ------
    DataError
        When the data do not fit the model, or `out` cannot be written.
    """
    labelling = labelling.filled(model.labelling)
    threshold = float(model.detector.threshold_)
    scores, codes, n_rows, n_flagged = [], [], 0, 0
    notes: list[str] = []
    with replacing(out) as temporary, _writer(temporary) as write:
        for batch in _batches(model, source, labelling):
            write(_columns(batch, n_rows, threshold))
            n_rows += len(batch.scores)
            n_flagged += int((batch.scores > threshold).sum())
            if batch.codes is not None:
                scores.append(batch.scores)
                codes.append(batch.codes)
            notes += batch.notes
            on_rows(n_rows)
    quality = None
    if codes:
        values = np.concatenate(scores)
        quality = evaluate(np.concatenate(codes), values, values > threshold)
    known = model.info.get("labels_used") and model.info.get("source") == source
    things = "rows" if model.kind == "table" else "pictures"
    return Scored(
        n_rows, n_flagged, quality, things, bool(known and quality), tuple(notes)
    )


def write_training_scores(
    path: str | Path, fitted: Fitted, reasons: dict[int, str]
) -> None:
    """`scores.parquet` of the training rows, with the reasons for the top rows.

    Raises
    ------
    DataError
        When `path` cannot be written.
    """
    batch = _Batch(fitted.scores, None, _paths(fitted.data))
    columns = _columns(batch, 0, fitted.threshold)
    columns["rank"] = fitted.ranks
    columns["reasons"] = [reasons.get(row) for row in range(len(fitted.scores))]
    order = ("row", "path", "anomaly_score", "rank", "is_anomaly", "reasons")
    with replacing(path) as temporary, _writer(temporary) as write:
        write({name: columns[name] for name in order if name in columns})


def _batches(model: Model, source: str, labelling: Labelling) -> Iterator[_Batch]:
    if model.kind == "picture":
        yield _picture_batch(model, source, labelling)
        return
    first_row = 0
    for frame, conventional in _frames(model, source):
        rule = labelling.filled(Labelling(column=conventional))
        codes = None
        if rule.column in frame.schema.names:
            _check_no_feature(model, rule.column)
            column = frame[rule.column]
            codes = inputs.column_codes(column, rule, first_row=first_row)
            frame = frame.drop_columns([rule.column])
        scores = model.detector.anomaly_score(model.encode(frame, first_row))
        notes = () if first_row or model.encoder is None else model.encoder.notes(frame)
        yield _Batch(scores, codes, None, notes)
        first_row += frame.num_rows


def _check_no_feature(model: Model, column: str | None) -> None:
    if model.encoder is not None and column in model.encoder.source_columns_:
        raise DataError(
            f"--label-column: the model was fitted with {column!r} as a feature, so it "
            f"knows the labels; fit it again with --label-column {column} or --ignore "
            f"{column}"
        )


def _picture_batch(model: Model, source: str, labelling: Labelling) -> _Batch:
    data = read_like(source, model.detector.input_shape_)
    assert data.pictures is not None
    codes = data.codes
    if labelling.anomaly_values and codes is not None:
        codes = catalog.codes_of(data.pictures.kinds, labelling.anomaly_values)
    scores = model.detector.anomaly_score(data.pictures.images)
    return _Batch(scores, codes, _paths(data), data.notes)


def _frames(
    model: Model, source: str
) -> Iterator[tuple[pa.Table | pa.RecordBatch, str | None]]:
    """Rows in batches, and the label column where the format names one.

    Files that cannot stream (arrays) come in one piece.
    """
    from whitecrow.data import formats, places

    entry = inputs.entry_of(source)
    if entry is not None and entry.where == catalog.SKLEARN:
        yield _whole(catalog.load(entry.name), source)
        return
    place = source if entry is None else catalog.path(entry.name)
    paths = places.expand(place)
    if len(paths) == 1 and (
        paths[0].is_dir() or formats.format_of(paths[0]) == "picture"
    ):
        raise DataError(f"{source} holds pictures, but the model takes a table")
    file = formats.open_tables(place, paths)
    for batch in file.batches(BATCH_ROWS):
        yield batch, file.label_column


def _whole(data: Table | Pictures, source: str) -> tuple[pa.Table, str | None]:
    if isinstance(data, Pictures):
        raise DataError(f"{source} holds pictures, but the model takes a table")
    return data.frame, data.label_column


def _numbers(frame: pa.Table | pa.RecordBatch) -> Rows:
    """Columns as they are, for a model that was saved without an encoding."""
    columns = [_number_column(f.name, frame[f.name]) for f in frame.schema]
    return np.column_stack(columns).astype(np.float64)


def _number_column(name: str, column: Any) -> Rows:
    import pyarrow as pa

    kind = column.type
    if pa.types.is_string(kind):
        with contextlib.suppress(pa.ArrowInvalid):
            column = column.cast(pa.float64())
            kind = column.type
    if not (pa.types.is_floating(kind) or pa.types.is_integer(kind)):
        raise DataError(
            f"column {name!r} is {kind}, and the model was saved in Python without an "
            "encoding of columns; give numbers only, or make the model with "
            "`whitecrow fit`"
        )
    return np.asarray(column.to_numpy(zero_copy_only=False))


def _paths(data: Input) -> tuple[str, ...] | None:
    return None if data.pictures is None else data.pictures.paths


def _columns(batch: _Batch, first_row: int, threshold: float) -> dict[str, Any]:
    n = len(batch.scores)
    columns: dict[str, Any] = {"row": np.arange(first_row, first_row + n)}
    if batch.paths is not None:
        columns["path"] = list(batch.paths)
    columns["anomaly_score"] = batch.scores
    columns["is_anomaly"] = batch.scores > threshold
    return columns


@contextlib.contextmanager
def _writer(path: Path) -> Iterator[Callable[[dict[str, Any]], None]]:
    """A function that adds rows to a Parquet file; the first call sets the columns."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    opened: list[pq.ParquetWriter] = []

    def write(columns: dict[str, Any]) -> None:
        arrays = {name: _array(name, values) for name, values in columns.items()}
        table = pa.table(arrays)
        if not opened:
            opened.append(pq.ParquetWriter(path, table.schema, compression="zstd"))
        opened[0].write_table(table)

    try:
        yield write
    finally:
        if opened:
            opened[0].close()


def _array(name: str, values: Any) -> Any:
    import pyarrow as pa

    kind = pa.string() if name in {"path", "reasons"} else None
    return pa.array(values, type=kind)
