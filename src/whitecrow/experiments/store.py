"""Records on disk: one small Parquet file for each, so that nothing is half-written.

Models, where they are kept, are beside them, with the names of their records.

A record that was made with other data, parameters or code than a new one stays beside
it, under the name of what it was made with, and is taken up again where that returns.

A run that is killed leaves whole records and loses the one in work; the next run skips
what is there.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from whitecrow.errors import DataError

__all__ = ["Store", "model_path"]


def model_path(models: Path, key: str) -> Path:
    """Return the path of a task's model in a folder of models."""
    return models / f"{key}.crow"


@contextlib.contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise DataError(
            f"cannot write {path}: {error.strerror or error}; choose another folder "
            "with -o"
        ) from error


class Store:
    """The records of an experiment in a folder.

    Parameters
    ----------
    folder : str or Path
        Made when the first record is stored.

    Attributes
    ----------
    models, new_models : Path
        Folders of models; what is in the second one goes to the first with its record.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder) / "records"
        self.models = Path(folder) / "models"
        self.new_models = self.models / "new"

    def has(self, key: str) -> bool:
        """Tell whether a task is done, or failed and recorded as such."""
        return self._path(key).is_file()

    def fits(self, key: str, made_with: str) -> bool:
        """Tell whether a task has a record, and it was made with this.

        Parameters
        ----------
        key : str
            Of the task.
        made_with : str
            Its `provenance`. "", for what cannot be had here, fits everything.
        """
        return self.has(key) and (not made_with or self._made_with(key) == made_with)

    def restore(self, key: str, made_with: str) -> None:
        """Take up the record, and the model, that were set aside and fit again."""
        aside = f"{key}.{made_with}"
        if self.fits(key, made_with) or not self.has(aside):
            return
        with _writing(self.folder):
            if self.has(key):
                self._set_aside(key)
            self._path(aside).replace(self._path(key))
            if self.has_model(aside):
                model_path(self.models, aside).replace(model_path(self.models, key))

    def put(self, key: str, record: dict[str, Any]) -> None:
        """Store the record of a task, and its new model, whole or not at all.

        One that was made with something else is set aside.
        """
        path = self._path(key)
        unfinished = path.with_suffix(f".{os.getpid()}.part")
        model = model_path(self.new_models, key)
        with _writing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            pq.write_table(pa.Table.from_pylist([record]), unfinished)
            if self.has(key) and self._made_with(key) != (
                record.get("made_with") or ""
            ):
                self._set_aside(key)
            if model.is_file():
                model.replace(model_path(self.models, key))
            unfinished.replace(path)

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

    def _set_aside(self, key: str) -> None:
        """Keep a record, and its model, under what they were made with."""
        aside = f"{key}.{self._made_with(key) or 'before'}"
        if self.has_model(key):
            model_path(self.models, key).replace(model_path(self.models, aside))
        self._path(key).replace(self._path(aside))

    def _made_with(self, key: str) -> str:
        return self.get(key).get("made_with") or ""

    def _path(self, key: str) -> Path:
        return self.folder / f"{key}.parquet"
