"""The one door to data: a path, a pattern or a name opens to rows.

A source knows where its labels are. The rule is resolved when it is opened and checked
while it is read, so that whoever reads a table whole and whoever reads it batch by
batch get the same rows, the same labels and the same complaints.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import ClassVar

import numpy as np
import pyarrow as pa

from whitecrow.data import (
    catalog,
    formats,
    labelling,
    originals,
    pictures,
    places,
    shipped,
)
from whitecrow.data.entry import SKLEARN, Entry
from whitecrow.data.formats import BATCH_ROWS, TableFile
from whitecrow.data.formats.arrays import from_arrays
from whitecrow.data.kinds.frame import spelling
from whitecrow.data.labelling import LabelColumn, Labelling, codes_of
from whitecrow.data.rows import PictureRows, TableRows, if_any
from whitecrow.errors import DataError, ParameterError

__all__ = [
    "PictureSource",
    "Reading",
    "TableSource",
    "changes_of",
    "open_source",
    "paths_of",
]

PICTURE_SIDE = 256
"""Pictures with a longer side are scaled to this many pixels, unless asked for."""


@dataclass(frozen=True, kw_only=True)
class Reading:
    """How a user wants a source to be read.

    Attributes
    ----------
    labels : Labelling
        Where labels are; the catalogue and the format fill in what is not given.
    ignore : tuple of str
        Columns to leave out.
    read_as : mapping of str to str
        How to read a column, see `TableEncoder`.
    sheet : str or None
        The sheet of a workbook, by name or number.
    picture_size : int or (int, int) or None
        Side in pixels of the square, or height and width, that pictures are resized to.
    largest_side : int
        Pictures with a longer side are scaled down to it, if no size is given.
    raw_orientation : bool
        Leave pictures of EMNIST's own files on their side, as they are stored.
    """

    labels: Labelling = field(default_factory=Labelling)
    ignore: tuple[str, ...] = ()
    read_as: Mapping[str, str] = field(default_factory=dict)
    sheet: str | None = None
    picture_size: int | tuple[int, int] | None = None
    largest_side: int = PICTURE_SIDE
    raw_orientation: bool = False


@dataclass(frozen=True, eq=False, kw_only=True)
class TableSource:
    """A table whose label rule is settled.

    Attributes
    ----------
    name : str
        As the user named it.
    file : TableFile
    rule : Labelling
        With a column only if the table has it.
    ignore : tuple of str
        Columns to leave out: those asked for, or those that the catalogue names.
    read_as : mapping of str to str
        How to read a column.
    paths : tuple of Path
        The files that are read.
    """

    kind: ClassVar[str] = "table"

    name: str
    file: TableFile
    rule: Labelling
    ignore: tuple[str, ...] = ()
    read_as: Mapping[str, str] = field(default_factory=dict)
    paths: tuple[Path, ...] = ()

    def batches(self, batch_rows: int = BATCH_ROWS) -> Iterator[TableRows]:
        """Read the rows in order, in bounded memory where the format allows it.

        Raises
        ------
        DataError, LabelError
            At the first batch that cannot be read, or after the last one, if an
            anomaly value never occurred.
        """
        reader = LabelColumn(self.rule, self.name) if self.rule.column else None
        first = 0
        for batch in self.file.batches(batch_rows):
            frame = pa.Table.from_batches([batch])
            numbers = np.arange(first, first + batch.num_rows)
            rows = TableRows(source=self.name, frame=frame, numbers=numbers)
            yield rows if reader is None else _labelled(rows, reader, first)
            first += batch.num_rows
        if reader is not None:
            reader.check()

    def rows(self) -> TableRows:
        """Read all rows into memory.

        Raises
        ------
        DataError, LabelError
            What cannot be read, or which label is not one.
        """
        frame = self.file.read()
        # Some notes are known only now.
        rows = TableRows(
            source=self.name, frame=frame, file=self.file, notes=self.file.notes
        )
        if self.rule.column is None:
            return rows
        reader = LabelColumn(self.rule, self.name)
        found = _labelled(rows, reader, 0)
        reader.check()
        assert found.codes is not None
        note = labelling.describe(self.rule.column, found.codes, reader.unlabelled)
        return replace(found, codes=if_any(found.codes), notes=(*rows.notes, note))


@dataclass(frozen=True, eq=False, kw_only=True)
class PictureSource:
    """Pictures whose label rule is settled.

    Attributes
    ----------
    name : str
        As the user named it.
    rule : Labelling
        Kinds that mean an anomaly; the folders' own words if it says nothing.
    pictures : PictureRows
        As they were read.
    paths : tuple of Path
        The files or the folder that were read.
    """

    kind: ClassVar[str] = "picture"
    ignore: ClassVar[tuple[str, ...]] = ()

    name: str
    rule: Labelling
    pictures: PictureRows
    paths: tuple[Path, ...] = ()

    def batches(self, batch_rows: int = BATCH_ROWS) -> Iterator[PictureRows]:
        """Yield the pictures, which are in memory, in one piece."""
        yield self.rows()

    def rows(self) -> PictureRows:
        """Return the pictures with their labels."""
        found, codes = self.pictures, self.pictures.codes
        if self.rule.anomaly_values and any(found.kinds):
            codes = if_any(codes_of(list(found.kinds), self.rule.anomaly_values))
        # The text of a path is not the path where its name is not UTF-8.
        places = (*self.paths[:1], Path(found.source))
        folder = next((path for path in places if path.is_dir()), None)
        return replace(found, source=self.name, codes=codes, folder=folder)


Source = TableSource | PictureSource


def open_source(
    name: str,
    reading: Reading | None = None,
    *,
    default: Labelling | None = None,
    shape: tuple[int, ...] | None = None,
    depth: tuple[float, float] | None = None,
) -> Source:
    """Open data by path, pattern, folder, catalogue name, or `-` for standard input.

    Parameters
    ----------
    name : str
        What the user typed. A file or folder of that name comes before a set of the
        catalogue.
    reading : Reading, optional
        How to read it. A column that it names must be there.
    default : Labelling, optional
        Where labels are if `reading` does not say, such as those of a model's training
        data; a column that it names may be absent.
    shape : tuple (c, h, w), optional
        Channels and size that pictures must come in.
    depth : (low, high), optional
        The range of values of pictures with more than 8 bits that becomes 0 to 255.

    Raises
    ------
    DataError, ParameterError
        One line: what cannot be read, or which column is not there.

    Examples
    --------
    >>> source = open_source("breast_cancer")
    >>> source.kind, len(source.rows())
    ('table', 569)
    """
    reading = reading or Reading()
    entry = entry_of(name)
    if shape is not None:
        reading = replace(reading, picture_size=(shape[1], shape[2]))
    opened, paths = _opened(name, entry, reading, depth)
    if isinstance(opened, TableFile):
        rule, ignore = _table_rule(name, opened, reading, entry, default)
        return TableSource(
            name=name,
            file=opened,
            rule=rule,
            ignore=ignore,
            read_as=reading.read_as,
            paths=paths,
        )
    rule = _picture_rule(name, opened, reading, default)
    size = reading.picture_size
    if size is not None:
        channels = opened.images.shape[1] if shape is None else shape[0]
        height, width = (size, size) if isinstance(size, int) else size
        opened = _in_shape(opened, (channels, height, width))
    return PictureSource(name=name, rule=rule, pictures=opened, paths=paths)


def _in_shape(opened: PictureRows, shape: tuple[int, ...]) -> PictureRows:
    """Bring pictures of an array to a shape; those of files come in its size."""
    height, width = shape[1:]
    images = pictures.with_channels(opened.images, shape[0])
    if images.shape[2:] == (height, width):
        return replace(opened, images=images)
    note = f"resized to {height} x {width} pixels, as asked for: all pictures"
    images = pictures.in_size(images, (height, width))
    return replace(opened, images=images, notes=(*opened.notes, note))


def entry_of(name: str) -> Entry | None:
    """Find the catalogue entry of this name, unless a file or folder is called so."""
    if Path(name).exists() or not catalog.is_known(name):
        return None
    return catalog.get(name)


def paths_of(name: str) -> tuple[Path, ...]:
    """Name the files that a source would read, without reading them.

    For a folder, these are the folder and all files in it with a picture's suffix.

    Raises
    ------
    DataError
        If there is no such source.
    """
    entry = entry_of(name)
    if entry is not None:
        if entry.where == SKLEARN:
            return ()
        name = str(catalog.path(entry.name))
    found = places.expand(name)
    if found[0].is_dir() and originals.holds_originals(found[0]):
        return (found[0], *(p for p in sorted(found[0].iterdir()) if p.is_file()))
    if found[0].is_dir():
        return (found[0], *pictures.suffixed(found[0]))
    return () if found == [places.STDIN] else tuple(found)


def changes_of(name: str) -> tuple[tuple[str, int, int], ...]:
    """Tell sizes and times of change of the files of a source.

    Raises
    ------
    DataError
        If there is no such source.
    """
    facts = [(path, path.stat()) for path in paths_of(name)]
    return tuple((str(path), f.st_size, f.st_mtime_ns) for path, f in facts)


def check_columns(
    wanted: Iterable[str], names: Sequence[str], source: str, option: str
) -> None:
    """Refuse names that a table does not have, with the closest ones it has."""
    for name in wanted:
        if name not in names:
            lowered = {other.lower(): other for other in names}
            found = difflib.get_close_matches(name.lower(), lowered, n=3, cutoff=0.5)
            close = [lowered[key] for key in found]
            hint = f"did you mean {' or '.join(map(repr, close))}? " if close else ""
            shown = ", ".join(names[:12]) + (", ..." if len(names) > 12 else "")
            raise DataError(
                f"{option}: {source} has no column {name!r}; {hint}it has {shown}"
            )


# ------------------------------------------------------------------------- opening


def _opened(
    name: str,
    entry: Entry | None,
    reading: Reading,
    depth: tuple[float, float] | None,
) -> tuple[TableFile | PictureRows, tuple[Path, ...]]:
    if entry is not None and entry.where == SKLEARN:
        return shipped.load(entry), ()
    place = name if entry is None else str(catalog.path(entry.name))
    paths = places.expand(place)
    some = paths if len(paths) == 1 else [p for p in paths if p.stat().st_size]
    kinds = set() if paths[0].is_dir() else {formats.format_of(path) for path in some}
    if paths[0].is_dir() and originals.holds_originals(paths[0]):
        return _originals(paths[0], reading), tuple(paths)
    if paths[0].is_dir() or kinds == {"picture"}:
        return _folder(paths, reading, depth), tuple(paths)
    if len(paths) > 1 and "picture" in kinds:
        raise DataError(
            f"{name}: the pattern matches pictures and other files; "
            "give a pattern with one suffix, such as '*.png'"
        )
    if len(paths) == 1:
        return formats.open_file(paths[0], sheet=reading.sheet), tuple(paths)
    return formats.open_tables(place, paths, sheet=reading.sheet), tuple(paths)


def _originals(folder: Path, reading: Reading) -> PictureRows:
    """Read a set of pictures in the files of its authors."""
    arrays, notes = originals.arrays_of(folder, raw_orientation=reading.raw_orientation)
    found = from_arrays(str(folder), arrays)
    if isinstance(found, TableFile):
        raise DataError(f"{folder}: its arrays are no pictures")
    return replace(found, notes=(*found.notes, *notes))


def _folder(
    paths: Sequence[Path], reading: Reading, depth: tuple[float, float] | None
) -> PictureRows:
    """Read the pictures of a folder, or the picture files of a pattern."""
    folder, files = paths[0], None
    if not folder.is_dir():
        folder, files = Path(os.path.commonpath([p.parent for p in paths])), paths
    return pictures.read_pictures(
        folder,
        files=files,
        picture_size=reading.picture_size,
        largest_side=reading.largest_side,
        depth=depth,
    )


def _table_rule(
    name: str,
    file: TableFile,
    reading: Reading,
    entry: Entry | None,
    default: Labelling | None,
) -> tuple[Labelling, tuple[str, ...]]:
    """Settle where labels are and which columns are left out."""
    columns = file.names
    reading = _as_spelt(reading, columns)
    if default is not None and default.column is not None:
        default = replace(default, column=spelling(columns)(default.column))
    check_columns(reading.ignore, columns, name, "--ignore")
    check_columns(reading.read_as, columns, name, "--read-as")
    if reading.labels.column is not None:
        check_columns([reading.labels.column], columns, name, "--label-column")
    ignore = reading.ignore
    if not ignore and entry is not None:
        ignore = tuple(column for column in entry.ignore if column in columns)
    rule = reading.labels
    for known in (default, _entry_rule(entry), Labelling(column=file.label_column)):
        if known is not None and known.column in columns:
            rule = rule.filled(known)
    if rule.column is None and reading.labels.given:
        raise ParameterError(
            "--labels and --anomaly-value describe a label column; "
            "name it with --label-column"
        )
    return (rule if rule.column else Labelling()), ignore


def _as_spelt(reading: Reading, columns: Sequence[str]) -> Reading:
    """Name columns as the file does, however letters with accents are typed."""
    name = spelling(columns)
    column = reading.labels.column
    return replace(
        reading,
        labels=replace(reading.labels, column=column and name(column)),
        ignore=tuple(map(name, reading.ignore)),
        read_as={name(one): how for one, how in reading.read_as.items()},
    )


def _entry_rule(entry: Entry | None) -> Labelling | None:
    if entry is None or entry.label_column is None:
        return None
    return Labelling(column=entry.label_column, anomaly_values=entry.anomaly_values)


def _picture_rule(
    name: str, found: PictureRows, reading: Reading, default: Labelling | None
) -> Labelling:
    given = [
        option
        for option, value in (
            ("--label-column", reading.labels.column),
            ("--labels", reading.labels.convention),
            ("--ignore", reading.ignore),
            ("--read-as", reading.read_as),
            ("--sheet", reading.sheet),
        )
        if value
    ]
    if given:
        raise ParameterError(
            f"{' and '.join(given)}: {name} holds pictures, which have no columns; "
            "their labels are the names of their folders"
        )
    values = reading.labels.anomaly_values
    labelling.kinds_named(values, found.kinds, name)
    if not values and default is not None:
        values = default.anomaly_values
    return Labelling(anomaly_values=values)


def _labelled(rows: TableRows, reader: LabelColumn, first: int) -> TableRows:
    name, known = reader.rule.column, len(reader.unlabelled)
    codes = reader.codes(rows.frame.column(name), first_row=first)
    frame, notes = rows.frame.drop_columns([name]), rows.notes
    if words := list(reader.unlabelled)[known:]:
        shown = ", ".join(map(repr, words))
        notes = (*notes, f"label column {name!r}: {shown} counts as unlabelled")
    return replace(rows, frame=frame, codes=codes, notes=notes)
