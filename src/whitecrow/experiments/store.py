"""Records on disk: one small Parquet file for each, so that nothing is half-written.

Models and scores, where they are kept, are beside them, with the names of the records.

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
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from whitecrow.errors import DataError

__all__ = ["KINDS", "MODELS", "NOTHING", "SCORES", "Keep", "Store", "file_of"]

KINDS = MODELS, SCORES = "models", "scores"
"""What may be kept beside a record."""
_SUFFIX = {MODELS: "crow", SCORES: "parquet"}


class Keep(NamedTuple):
    """Folders of models and of scores; what has none is not kept.

    Attributes
    ----------
    models, scores : Path or None
    """

    models: Path | None = None
    scores: Path | None = None


NOTHING = Keep()


def file_of(folder: Path, kind: str, key: str) -> Path:
    """Return the path of what is kept of a task."""
    return folder / f"{key}.{_SUFFIX[kind]}"


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
    kept : Keep
        Folders of models and scores.
    new : Keep
        Where runs put them: they go to `kept` together with the record.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder) / "records"
        root = Path(folder).resolve()
        self.kept = Keep(root / MODELS, root / SCORES)
        self.new = Keep(root / MODELS / "new", root / SCORES / "new")

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
        """Take up what was set aside, if it is right again."""
        aside = f"{key}.{made_with}"
        if self.fits(key, made_with) or not self.has(aside):
            return
        with _writing(self.folder):
            if self.has(key):
                self._set_aside(key)
            self._move_kept(self.kept, aside, key)
            self._path(aside).replace(self._path(key))

    def put(self, key: str, record: dict[str, Any]) -> None:
        """Store the record of a task, and what is kept of it, whole or not at all.

        One that was made with something else is set aside.
        """
        path = self._path(key)
        unfinished = path.with_suffix(f".{os.getpid()}.part")
        with _writing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            pq.write_table(pa.Table.from_pylist([record]), unfinished)
            if self.has(key) and self._made_with(key) != (
                record.get("made_with") or ""
            ):
                self._set_aside(key)
            self._move_kept(self.new, key, key)
            unfinished.replace(path)

    def kept_file(self, kind: str, key: str) -> Path:
        """Return where the model (`MODELS`) or the scores (`SCORES`) of a task are."""
        return file_of(getattr(self.kept, kind), kind, key)

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
        """Keep a record, and what is beside it, under what they were made with."""
        aside = f"{key}.{self._made_with(key) or 'before'}"
        self._move_kept(self.kept, key, aside)
        self._path(key).replace(self._path(aside))

    def _move_kept(self, start: Keep, key: str, new_key: str) -> None:
        for kind, place in start._asdict().items():
            file = file_of(place, kind, key)
            if file.is_file():
                file.replace(file_of(getattr(self.kept, kind), kind, new_key))

    def _made_with(self, key: str) -> str:
        return self.get(key).get("made_with") or ""

    def _path(self, key: str) -> Path:
        return self.folder / f"{key}.parquet"
