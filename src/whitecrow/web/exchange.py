"""Labels of the page as files: those of `whitecrow.active.exchange`, with the data."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from whitecrow.active import agreement, exchange
from whitecrow.data.kinds.words import shown
from whitecrow.data.rows import PictureRows
from whitecrow.errors import LabelError

if TYPE_CHECKING:
    import pyarrow as pa

    from whitecrow.active import Loop
    from whitecrow.data.rows import TableRows

    Data = TableRows | PictureRows

__all__ = ["EXPORTS", "Export", "agreement_csv", "match", "write"]

_SUFFIXES = (".csv", ".parquet", ".json")


@dataclass(frozen=True)
class Export:
    """A format for labels.

    Attributes
    ----------
    name, media_type : str
    content : callable
        From the loop and its data to the content of a file.
    """

    name: str
    media_type: str
    content: Callable[[Loop, Data], bytes]


def table(loop: Loop, data: Data) -> pa.Table:
    """Return the engine's table, with the `path` of pictures."""
    import pyarrow as pa

    found = exchange.table(loop)
    if not isinstance(data, PictureRows):
        return found
    paths = [data.paths[item] for item in found["item"].to_pylist()]
    return found.add_column(1, "path", pa.array(paths, pa.string()))


def agreement_csv(loop: Loop) -> bytes:
    """Write `agreement.table`, how often answers to one row agree, as CSV."""
    import pyarrow.csv as pa_csv

    stream = io.BytesIO()
    pa_csv.write_csv(agreement.table(loop.state), stream)
    return stream.getvalue()


def write(path: Path, loop: Loop, data: Data) -> None:
    """Write the labels as Parquet."""
    path.write_bytes(_parquet(loop, data))


def match(loop: Loop, name: str, content: bytes) -> exchange.Matched:
    """Match labels of a file that the page, or Label Studio, wrote to a loop's rows.

    Raises
    ------
    DataError, LabelError
        One line: what of the file is not as it should be.
    """
    suffix = Path(name).suffix.lower()
    if suffix not in _SUFFIXES:
        raise LabelError(f"{name}: labels come as {', '.join(_SUFFIXES)}")
    with tempfile.TemporaryDirectory() as folder:
        # The name is the person's, for messages; the place is ours.
        path = Path(folder) / f"labels{suffix}"
        path.write_bytes(content)
        try:
            found = exchange.match(loop, path)
        except (ValueError, RecursionError) as error:
            raise LabelError(str(error).replace(str(path), name)) from None
    if not len(found.items):
        raise LabelError(f"{name} has no label")
    return found


def _csv(loop: Loop, data: Data) -> bytes:
    import pyarrow.csv as pa_csv

    stream = io.BytesIO()
    pa_csv.write_csv(table(loop, data), stream)
    return stream.getvalue()


def _parquet(loop: Loop, data: Data) -> bytes:
    import pyarrow.parquet as pq

    stream = io.BytesIO()
    pq.write_table(table(loop, data), stream, compression="zstd")
    return stream.getvalue()


def _label_studio(loop: Loop, data: Data) -> bytes:
    """Write the engine's tasks, with what a person needs to see in Label Studio."""
    tasks = exchange.tasks(loop)
    seen = _seen(data, [task["data"]["item"] for task in tasks])
    for task, shows in zip(tasks, seen, strict=True):
        task["data"] = shows | task["data"]
    return exchange.in_lines(tasks).encode()


def _seen(data: Data, rows: list[int]) -> list[dict[str, Any]]:
    """Return what a person sees of some rows, read column by column, as stored."""
    if isinstance(data, PictureRows):
        return [{"image": data.paths[row]} for row in rows]
    frame = data.take(rows).frame
    columns = ([shown(cell) for cell in one.to_pylist()] for one in frame.columns)
    cells = zip(*columns, strict=True)
    return [dict(zip(frame.column_names, row, strict=True)) for row in cells]


def _agreement(loop: Loop, data: Data) -> bytes:
    return agreement_csv(loop)


EXPORTS: dict[str, Export] = {
    "csv": Export("labels.csv", "text/csv; charset=utf-8", _csv),
    "parquet": Export("labels.parquet", "application/vnd.apache.parquet", _parquet),
    "json": Export("labels.json", "application/json", _label_studio),
    "agreement": Export("agreement.csv", "text/csv; charset=utf-8", _agreement),
}
