"""Data as a command names them: features for the detector, truth for the evaluation."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from whitecrow import labels
from whitecrow.data import catalog
from whitecrow.data.content import Pictures, Table
from whitecrow.data.truth import codes as encode
from whitecrow.errors import DataError, LabelError, ParameterError

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = [
    "CONVENTIONS",
    "Input",
    "Labelling",
    "column_codes",
    "entry_of",
    "load_table",
    "read",
]

CONVENTIONS: dict[str, Callable[[Any], NDArray[np.float64]]] = {
    "deep-sad": labels.from_deep_sad,
    "sklearn-semi": labels.from_sklearn_semi,
    "outlier-predict": labels.from_outlier_predict,
}


@dataclass(frozen=True, kw_only=True)
class Labelling:
    """Where labels are and how they are written.

    Attributes
    ----------
    column : str or None
        The label column.
    convention : str or None
        A key of `CONVENTIONS` where labels are not 1, 0 and missing.
    anomaly_values : tuple of str
        Values that mean an anomaly; "!normal" means every value but "normal".
    ignore : tuple of str
        Columns that are no features.
    """

    column: str | None = None
    convention: str | None = None
    anomaly_values: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.convention is not None and self.convention not in CONVENTIONS:
            legal = ", ".join(CONVENTIONS)
            raise ParameterError(
                f"--labels {self.convention!r} is no convention; use one of {legal}"
            )
        if self.convention and self.anomaly_values:
            raise ParameterError(
                "--labels and --anomaly-value both say what labels mean; give one"
            )

    def filled(self, other: Labelling) -> Labelling:
        """The same, with what is not given here taken from `other`."""
        meaning = self if self.convention or self.anomaly_values else other
        same_column = self.column in (None, other.column)
        return Labelling(
            column=self.column or other.column,
            convention=meaning.convention if same_column else self.convention,
            anomaly_values=(meaning if same_column else self).anomaly_values,
            ignore=self.ignore or other.ignore,
        )


@dataclass(frozen=True, eq=False, kw_only=True)
class Input:
    """Data in memory, split into features and truth.

    Attributes
    ----------
    source : str
        As the user named it.
    features : pyarrow.Table or None
        Columns of a table without the label column; None for pictures.
    pictures : Pictures or None
        None for a table.
    codes : ndarray of int8, shape (n,), or None
        Labels of the rows; None if no row has one.
    labelling : Labelling
        How the labels were read.
    notes : tuple of str
        What was decided in reading.
    folder : Path or None
        Where the files of the pictures are.
    """

    source: str
    features: pa.Table | None = None
    pictures: Pictures | None = None
    codes: labels.Codes | None = None
    labelling: Labelling = Labelling()
    notes: tuple[str, ...] = ()
    folder: Path | None = None

    @property
    def kind(self) -> str:
        """What the rows are: "table" or "picture"."""
        return "table" if self.pictures is None else "picture"

    @property
    def n_rows(self) -> int:
        """Rows of the table, or number of pictures."""
        if self.pictures is not None:
            return len(self.pictures)
        return int(self.table.num_rows)

    @property
    def table(self) -> pa.Table:
        """The features, of an input that is a table."""
        assert self.features is not None
        return self.features


def read(
    source: str, labelling: Labelling | None = None, *, picture_size: int | None = None
) -> Input:
    """Data by path, pattern, folder or catalogue name.

    Parameters
    ----------
    source : str
        What the user typed.
    labelling : Labelling, optional
        Where labels are; the catalogue and the format fill in what is not given.
    picture_size : int, optional
        Side of the square that pictures are resized to.

    Raises
    ------
    DataError, LabelError
        One line: what cannot be read, or which column or label is not there.

    Examples
    --------
    >>> read("breast_cancer").n_rows
    569
    """
    labelling = labelling or Labelling()
    entry = entry_of(source)
    data, folder = _load(source, entry, picture_size)
    if isinstance(data, Pictures):
        return _pictures(source, data, folder, labelling)
    if entry is not None:
        values = () if entry.label_column is None else entry.anomaly_values
        labelling = labelling.filled(
            Labelling(
                column=entry.label_column, anomaly_values=values, ignore=entry.ignore
            )
        )
    return _table(source, data, labelling)


def load_table(source: str) -> tuple[pa.Table, str | None]:
    """All columns of a table, and the label column where the format names one.

    Raises
    ------
    DataError
        When the source cannot be read, or holds pictures.
    """
    data, _ = _load(source, entry_of(source), None)
    if isinstance(data, Pictures):
        raise DataError(f"{source} holds pictures, but the model takes a table")
    return data.frame, data.label_column


def entry_of(source: str) -> catalog.Entry | None:
    """The catalogue entry of this name, unless a file or folder is called so."""
    if Path(source).exists() or not catalog.is_known(source):
        return None
    return catalog.get(source)


def column_codes(
    column: Any, labelling: Labelling, *, first_row: int = 0
) -> labels.Codes:
    """A label column as codes.

    Parameters
    ----------
    column : pyarrow array
        The labels as they stand in the file.
    labelling : Labelling
        What they mean.
    first_row : int, default=0
        Row number of the first label, for messages.

    Returns
    -------
    ndarray of int8, shape (n,)

    Raises
    ------
    LabelError
        For a value outside the convention: the column, row, value and the options
        that say what it means.
    """
    import pyarrow as pa

    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    encoded = column.dictionary_encode(null_encoding="encode")
    values = encoded.dictionary.to_pylist()
    where = encoded.indices.to_numpy(zero_copy_only=False)
    codes = np.empty(len(values), dtype=np.int8)
    for index, value in enumerate(values):
        try:
            codes[index] = _code(value, labelling)
        except LabelError as error:
            row = first_row + int(np.flatnonzero(where == index)[0])
            raise LabelError(_no_label(labelling, row, value)) from error
    return codes[where]


def _code(value: Any, labelling: Labelling) -> np.int8:
    if labelling.anomaly_values:
        return catalog.codes_of([value], labelling.anomaly_values)[0]
    value = _unquoted(value)
    if labelling.convention is None or value is None:
        return encode([value])[0]
    if isinstance(value, str):
        raise LabelError(f"{value!r} is no number")
    return encode(CONVENTIONS[labelling.convention]([value]))[0]


def _unquoted(value: Any) -> Any:
    """Numbers and truth values that stand in a column of text."""
    if not isinstance(value, str):
        return value
    word = value.strip().lower()
    if word in {"true", "false"}:
        return word == "true"
    try:
        return float(word)
    except ValueError:
        return value


def _no_label(labelling: Labelling, row: int, value: Any) -> str:
    number = _unquoted(value)
    shown = value if isinstance(number, (int, float)) else repr(value)
    found = f"column {labelling.column!r} has the label {shown} in row {row}, which is"
    if labelling.convention is not None:
        return f"{found} not in the convention --labels {labelling.convention}"
    if isinstance(number, (int, float)) and number < 0:
        return (
            f"{found} 'anomaly' for some tools and 'unlabelled' for others; say which "
            "with --labels deep-sad (-1 anomaly, 0 unlabelled, 1 normal), "
            "--labels sklearn-semi (-1 unlabelled) or "
            "--labels outlier-predict (-1 anomaly, 1 normal)"
        )
    return (
        f"{found} neither 1 or 'anomaly', nor 0 or 'normal', nor missing; say which "
        f"value means an anomaly, for example --anomaly-value '{value}' or "
        f"--anomaly-value '!{value}' (all but {value})"
    )


def check_columns(wanted: Iterable[str], frame: Any, source: str, option: str) -> None:
    """Refuse names that a table does not have, with the closest ones it has."""
    for name in wanted:
        if name not in frame.schema.names:
            names = frame.schema.names
            lowered = {other.lower(): other for other in names}
            found = difflib.get_close_matches(name.lower(), lowered, n=3, cutoff=0.5)
            close = [lowered[key] for key in found]
            hint = f"did you mean {' or '.join(map(repr, close))}? " if close else ""
            shown = ", ".join(names[:12]) + (", ..." if len(names) > 12 else "")
            raise DataError(
                f"{option}: {source} has no column {name!r}; {hint}it has {shown}"
            )


def _load(
    source: str, entry: catalog.Entry | None, picture_size: int | None
) -> tuple[Table | Pictures, Path | None]:
    from whitecrow.data import reading

    if entry is not None and entry.where == catalog.SKLEARN:
        return catalog.load(entry.name), None
    place: str | Path = source if entry is None else catalog.path(entry.name)
    data = reading.read(place, picture_size=picture_size)
    # Where the paths of pictures start: the folder, or that of a pattern's files.
    folder = Path(data.source)
    return data, folder if isinstance(data, Pictures) and folder.is_dir() else None


def _table(source: str, data: Table, labelling: Labelling) -> Input:
    check_columns(labelling.ignore, data.frame, source, "--ignore")
    if labelling.column is None:
        labelling = replace(labelling, column=data.label_column)
    notes, codes, frame = list(data.notes), None, data.frame
    if labelling.column is None:
        if labelling.convention or labelling.anomaly_values:
            raise ParameterError(
                "--labels and --anomaly-value describe a label column; "
                "name it with --label-column"
            )
    else:
        check_columns([labelling.column], frame, source, "--label-column")
        _check_values(frame[labelling.column], labelling, source)
        codes = column_codes(frame[labelling.column], labelling)
        notes.append(_label_note(labelling.column, codes))
        frame = frame.drop_columns([labelling.column])
    if codes is not None and not (codes != labels.UNLABELLED).any():
        codes = None
    return Input(
        source=source,
        features=frame,
        codes=codes,
        labelling=labelling,
        notes=tuple(notes),
    )


def _check_values(column: Any, labelling: Labelling, source: str) -> None:
    """Refuse an anomaly value that does not occur: most likely it is misspelt."""
    import pyarrow.compute as pc

    present = pc.unique(column).to_pylist()
    for value in labelling.anomaly_values:
        plain = value.removeprefix("!")
        hits = catalog.codes_of(present, (plain,)) == labels.ANOMALY
        if not hits.any():
            shown = ", ".join(str(p) for p in present[:10] if p is not None)
            more = ", ..." if len(present) > 10 else ""
            raise LabelError(
                f"--anomaly-value {value!r}: column {labelling.column!r} of {source} "
                f"has no {plain!r}; it has {shown}{more}"
            )


def _label_note(column: str, codes: labels.Codes) -> str:
    counts = {
        "anomalies": int((codes == labels.ANOMALY).sum()),
        "normal": int((codes == labels.NORMAL).sum()),
        "unlabelled": int((codes == labels.UNLABELLED).sum()),
    }
    shown = ", ".join(f"{n:,} {name}" for name, n in counts.items() if n)
    return f"labels in column {column!r}: {shown}"


def _pictures(
    source: str, data: Pictures, folder: Path | None, labelling: Labelling
) -> Input:
    given = [
        option
        for option, value in (
            ("--label-column", labelling.column),
            ("--labels", labelling.convention),
            ("--ignore", labelling.ignore),
        )
        if value
    ]
    if given:
        raise ParameterError(
            f"{' and '.join(given)}: {source} holds pictures, which have no columns; "
            "their labels are the names of their folders"
        )
    data = _by_kind(data, labelling.anomaly_values, source)
    known = data.labels != labels.UNLABELLED
    return Input(
        source=source,
        pictures=data,
        codes=data.labels if known.any() else None,
        labelling=labelling,
        notes=data.notes,
        folder=folder,
    )


def _by_kind(data: Pictures, values: tuple[str, ...], source: str) -> Pictures:
    """Labels from the kinds of pictures, where the user says which are anomalies."""
    if not values:
        return data
    present = sorted(set(data.kinds))
    for value in values:
        if value.removeprefix("!") not in present:
            raise LabelError(
                f"--anomaly-value {value!r}: {source} has no pictures of that kind; "
                f"it has {', '.join(kind or 'no kinds' for kind in present)}"
            )
    return replace(data, labels=catalog.codes_of(list(data.kinds), values))
