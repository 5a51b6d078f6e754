"""Parquet and Arrow files: columns with types, in batches."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from whitecrow.data.formats.names import unique
from whitecrow.data.formats.streams import Bytes
from whitecrow.data.formats.table import BATCH_ROWS, TableFile
from whitecrow.data.plain import plain
from whitecrow.errors import DataError

__all__ = ["Arrow", "Parquet"]


class _Columnar(TableFile):
    """What Parquet and Arrow files have in common."""

    kind = ""

    def __init__(self, file: Bytes, path: Path) -> None:
        self._file = file
        try:
            written, note = self._described()
            schema = plain(written.empty_table()).schema
            raw = schema.names
        except Exception as error:  # the decoders raise nearly anything on broken bytes
            raise self._broken(error) from error
        names, changed = unique(raw)
        if not names:
            raise DataError(f"{file.shown}: no columns")
        fields = [f.with_name(n) for f, n in zip(schema, names, strict=True)]
        super().__init__(path, pa.schema(fields), (note, *changed))

    def _described(self) -> tuple[pa.Schema, str]:
        """Return the schema and a note."""
        raise NotImplementedError

    def _decoded(self) -> Iterator[pa.RecordBatch]:
        raise NotImplementedError

    def _blocks(self) -> Iterator[pa.RecordBatch]:
        try:
            for batch in self._decoded():
                batch.validate(full=True)
                columns = plain(pa.Table.from_batches([batch])).columns
                yield from pa.table(columns, schema=self.schema).to_batches()
        except Exception as error:  # as in __init__
            raise self._broken(error) from error

    def _broken(self, error: Exception) -> DataError:
        text = " ".join(str(error).split())[:160]
        return DataError(
            f"{self._file.shown}: broken or cut-off {self.kind} ({text}); write or "
            "download it again"
        )


class Parquet(_Columnar):
    """A Parquet file."""

    kind = "Parquet"

    def _described(self) -> tuple[pa.Schema, str]:
        with self._opened() as file:
            groups = file.num_row_groups
            plural = "group" if groups == 1 else "groups"
            return file.schema_arrow, f"Parquet, {groups} row {plural}"

    def _decoded(self) -> Iterator[pa.RecordBatch]:
        with self._opened() as file:
            yield from file.iter_batches(batch_size=BATCH_ROWS, use_threads=False)

    @contextmanager
    def _opened(self) -> Iterator[Any]:
        # Buffered, so that a column of a row group need not be in memory at once.
        options = {"buffer_size": 1 << 17, "pre_buffer": False}
        with self._file.path.open("rb") as raw, pq.ParquetFile(raw, **options) as file:
            yield file


class Arrow(_Columnar):
    """An Arrow or Feather file, or a stream of Arrow batches in a file."""

    kind = "Arrow"

    def _described(self) -> tuple[pa.Schema, str]:
        with self._file.path.open("rb") as file:
            if self._is_file():
                reader = pa.ipc.open_file(file)
                batches = reader.num_record_batches
                plural = "batch" if batches == 1 else "batches"
                return reader.schema, f"Arrow file, {batches} {plural}"
            return pa.ipc.open_stream(file).schema, "Arrow stream"

    def _decoded(self) -> Iterator[pa.RecordBatch]:
        with self._file.path.open("rb") as file:
            if not self._is_file():
                yield from pa.ipc.open_stream(file)
                return
            reader = pa.ipc.open_file(file)
            for number in range(reader.num_record_batches):
                yield reader.get_batch(number)

    def _is_file(self) -> bool:
        return self._file.head(6) == b"ARROW1"
