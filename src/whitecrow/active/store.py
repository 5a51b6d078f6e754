"""Store: a log of events in one SQLite file that only grows.

An answer is on disk when `append` returns: the log is written ahead (WAL) and flushed
with every transaction (`synchronous=FULL`). Several processes may write at once; each
transaction waits for its turn. The database refuses to change or delete an event.

The file must be on a local disk: network file systems do not lock reliably.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import fields, replace
from operator import attrgetter
from pathlib import Path
from typing import Any, Self

from whitecrow.active.log import Event
from whitecrow.errors import DataError

__all__ = ["Store"]

FORMAT = 1

# "crow": tells our files from other people's databases.
_APPLICATION = 0x63726F77

_WAIT_S = 30.0

_COLUMNS = [field.name for field in fields(Event) if field.name != "seq"]

_values = attrgetter(*_COLUMNS)

_SCHEMA = f"""
CREATE TABLE IF NOT EXISTS events (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL, item INTEGER, content TEXT, answer TEXT, annotator TEXT,
    round INTEGER, strategy TEXT, reason TEXT, score REAL,
    place REAL, model TEXT, target INTEGER, detail TEXT,
    time REAL NOT NULL
);
CREATE TRIGGER IF NOT EXISTS no_update BEFORE UPDATE ON events
    BEGIN SELECT RAISE(ABORT, 'events are never changed'); END;
CREATE TRIGGER IF NOT EXISTS no_delete BEFORE DELETE ON events
    BEGIN SELECT RAISE(ABORT, 'events are never deleted'); END;
PRAGMA application_id = {_APPLICATION};
PRAGMA user_version = {FORMAT};
"""


class Store:
    """Events in a file.

    Parameters
    ----------
    path : str or Path
        An existing store is continued, else one is made; its folder must exist.

    Raises
    ------
    DataError
        If the file is not a store, is from a newer whitecrow, or cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> from whitecrow.active import Event
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with Store(Path(folder) / "answers.db") as store:
    ...         told = Event("answered", item=3, answer="normal", annotator="me")
    ...         _ = store.append([told])
    ...     with Store(Path(folder) / "answers.db") as store:
    ...         [(event.item, event.answer) for event in store.read()]
    [(3, 'normal')]
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._lock = threading.RLock()
        with self._errors():
            # Threads share the connection and take turns by the lock.
            self._db = sqlite3.connect(
                self.path,
                timeout=_WAIT_S,
                isolation_level=None,
                check_same_thread=False,
            )
        try:
            with self._errors():
                self._prepare()
        except DataError:
            self._db.close()
            raise

    def begin(self, event: Event) -> Event:
        """Make `event` the first one, or return the first one that is there."""
        with self._transaction():
            rows = self._select("WHERE seq = (SELECT MIN(seq) FROM events)")
            return rows[0] if rows else self._insert(event)

    def append(self, events: Sequence[Event]) -> list[Event]:
        """Add all events in one transaction; on return they are on disk."""
        with self._transaction():
            return [self._insert(event) for event in events]

    def read(self, after: int = 0) -> list[Event]:
        """Return the events with a `seq` above `after`, in order, by any writer."""
        with self._lock, self._errors():
            return self._select("WHERE seq > ? ORDER BY seq", after)

    def close(self) -> None:
        """Close the file; nothing is lost without it."""
        self._db.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _prepare(self) -> None:
        format_, owner = self._pragma("user_version"), self._pragma("application_id")
        tables = self._db.execute("SELECT COUNT(*) FROM sqlite_master").fetchone()[0]
        if tables and owner != _APPLICATION:
            raise DataError(
                f"{self.path} is a database of another program; name a file that "
                "does not exist yet, or a store that whitecrow wrote"
            )
        if format_ > FORMAT:
            raise DataError(
                f"{self.path} has store format {format_}, and this whitecrow reads up "
                f"to {FORMAT}; update whitecrow"
            )
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=FULL")
        if not tables:
            self._db.executescript(f"BEGIN IMMEDIATE;{_SCHEMA}COMMIT;")

    def _pragma(self, name: str) -> int:
        return int(self._db.execute(f"PRAGMA {name}").fetchone()[0])

    def _insert(self, event: Event) -> Event:
        marks = ", ".join("?" * len(_COLUMNS))
        cursor = self._db.execute(
            f"INSERT INTO events ({', '.join(_COLUMNS)}) VALUES ({marks})",
            _values(event),
        )
        assert cursor.lastrowid is not None
        return replace(event, seq=cursor.lastrowid)

    def _select(self, where: str, *values: Any) -> list[Event]:
        columns = ", ".join([*_COLUMNS, "seq"])
        rows = self._db.execute(f"SELECT {columns} FROM events {where}", values)
        return [Event(*row) for row in rows]

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        # IMMEDIATE: wait for other writers now, not after having read old events.
        with self._lock, self._errors():
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """Re-raise SQLite's errors as one line with a remedy."""
        try:
            yield
        except sqlite3.Error as error:
            said = str(error)
            remedy = next(
                (fix for word, fix in _REMEDIES.items() if word in said),
                "check the path and the permissions of its folder",
            )
            raise DataError(f"{self.path}: {said}; {remedy}") from error


_REMEDIES = {
    "not a database": "this is not a store of answers: name another file",
    "malformed": "the file is damaged: restore a copy of it",
    "full": "make room and answer again; what was answered before is safe",
    "locked": "another program holds the file: close it and answer again",
    "readonly": "the file cannot be written: change its permissions",
    "closed database": "the store was closed: open it again with Store(path)",
}
