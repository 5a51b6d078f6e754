"""Records on disk: one small Parquet file for each, so that nothing is half-written.

Models, where they are kept, are beside them, with the names of their records.

A record that was made with other data, parameters or code than a new one stays beside
it, under the name of what it was made with, and is taken up again where that returns.

A run that is killed leaves whole records and loses the one in work; the next run skips
what is there.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from whitecrow.errors import DataError

__all__ = ["Store", "model_path"]


def model_path(models: Path, key: str) -> Path:
    """Return the path of a task's model in a folder of models."""
    return models / f"{key}.crow"


class Store:
    """The records of an experiment in a folder.

    Parameters
    ----------
    folder : str or Path
        Made when the first record is stored.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder) / "records"
        self.models = Path(folder) / "models"

    def has(self, key: str) -> bool:
        """Tell whether a task is done, or failed and recorded as such."""
        return self._path(key).is_file()

    def fits(self, key: str, made_with: str) -> bool:
        """Tell whether the record of a task was made with this.

        Parameters
        ----------
        key : str
            Of the task.
        made_with : str
            Its `provenance`. "", for what cannot be had here, fits everything.
        """
        if not made_with:
            return self.has(key)
        if self.has(key) and self.get(key).get("made_with") == made_with:
            return True
        kept = self._path(f"{key}.{made_with}")
        if not kept.is_file():
            return False
        self.put(key, self.get(f"{key}.{made_with}"))
        return True

    def put(self, key: str, record: dict[str, Any]) -> None:
        """Store the record of a task, whole or not at all."""
        path = self._path(key)
        if self.has(key):
            before = self.get(key).get("made_with") or "before"
            if before != record.get("made_with", "before"):
                path.replace(self._path(f"{key}.{before}"))
        unfinished = path.with_suffix(f".{os.getpid()}.part")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            pq.write_table(pa.Table.from_pylist([record]), unfinished)
            unfinished.replace(path)
        except OSError as error:
            raise DataError(
                f"cannot write {path}: {error.strerror or error}; choose another "
                "folder with -o"
            ) from error

    def has_model(self, key: str) -> bool:
        """Tell whether the model of a task is kept."""
        return model_path(self.models, key).is_file()

    def drop(self, key: str) -> None:
        """Forget a record, so that its task runs again."""
        self._path(key).unlink(missing_ok=True)

    def read(self, keys: Iterable[str]) -> list[dict[str, Any]]:
        """Read the records of these tasks, in their order, without those missing."""
        return [self.get(key) for key in keys if self.has(key)]

    def get(self, key: str) -> dict[str, Any]:
        """Read one record."""
        # ParquetFile: a folder reader would take the name for a partition.
        with pq.ParquetFile(self._path(key)) as file:
            record: dict[str, Any] = file.read().to_pylist()[0]
        return record

    def _path(self, key: str) -> Path:
        return self.folder / f"{key}.parquet"
