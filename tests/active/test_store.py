"""What was acknowledged is on disk, whoever dies and whoever else writes."""

import os
import random
import signal
import sqlite3
import subprocess
import sys
import time

import pytest

from whitecrow.active import Event, MemoryLog, Store
from whitecrow.errors import DataError

WRITER = """
import sys
from whitecrow.active import Event, Store
path, who, first, count = sys.argv[1:]
with Store(path) as store:
    for item in range(int(first), int(first) + int(count)):
        told = Event("answered", item=item, answer="normal", annotator=who)
        (placed,) = store.append([told])
        print(placed.item, flush=True)
"""


def writer(path, who="me", first=0, count=10**6):
    command = [sys.executable, "-c", WRITER, str(path), who, str(first), str(count)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def event(item, **values):
    return Event("answered", item=item, answer="normal", annotator="me", **values)


def items(path):
    with Store(path) as store:
        return [one.item for one in store.read()]


def is_sound(path):
    database = sqlite3.connect(path)
    try:
        return database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    finally:
        database.close()


def kill_writers(path, times):
    rng = random.Random(0)
    acknowledged = []
    for _ in range(times):
        first = len(acknowledged)
        process = writer(path, first=first)
        said = [process.stdout.readline()]
        time.sleep(rng.uniform(0, 0.03))
        os.kill(process.pid, signal.SIGKILL)
        said += process.stdout.readlines()
        process.stdout.close()
        process.wait()
        # A line cut short by the kill was not read by anybody.
        acknowledged += [int(line) for line in said if line.endswith("\n")]
        there = items(path)
        assert there[: len(acknowledged)] == acknowledged
        # At most the one that was on disk but not acknowledged yet.
        assert len(there) <= len(acknowledged) + 1
        acknowledged = there
    assert is_sound(path)
    return acknowledged


def test_kill_loses_no_acknowledged_answer(tmp_path):
    assert len(kill_writers(tmp_path / "a.db", times=3)) >= 3


@pytest.mark.slow
def test_many_kills_lose_no_acknowledged_answer(tmp_path):
    assert len(kill_writers(tmp_path / "a.db", times=60)) >= 60


def test_two_processes_lose_none_of_each_other(tmp_path):
    path = tmp_path / "a.db"
    both = [writer(path, "ann", 0, 60), writer(path, "bob", 100, 60)]
    for process in both:
        process.communicate(timeout=60)
        assert process.returncode == 0
    with Store(path) as store:
        events = store.read()
    for who, first in (("ann", 0), ("bob", 100)):
        mine = [one.item for one in events if one.annotator == who]
        assert mine == list(range(first, first + 60))
    assert [one.seq for one in events] == list(range(1, 121))
    assert is_sound(path)


@pytest.mark.parametrize("make", [MemoryLog, None])
def test_logs_behave_alike(tmp_path, make):
    log = make() if make else Store(tmp_path / "a.db")
    opened = log.begin(Event("opened", content="x"))
    assert opened.seq == 1
    assert log.begin(Event("opened", content="y")) == opened
    placed = log.append([event(3, score=0.5, round=2), event(4)])
    assert [one.seq for one in placed] == [2, 3]
    assert log.read() == [opened, *placed]
    assert log.read(after=2) == placed[1:]
    assert log.append([]) == []


def test_a_failed_append_leaves_nothing(tmp_path):
    with Store(tmp_path / "a.db") as store:
        store.append([event(1)])
        broken = Event(None, item=3)  # type: ignore[arg-type]
        with pytest.raises(DataError, match="NOT NULL"):
            store.append([event(2), broken])
        assert [one.item for one in store.read()] == [1]
        store.append([event(4)])
        assert [one.item for one in store.read()] == [1, 4]


@pytest.mark.parametrize(
    "statement", ["DELETE FROM events", "UPDATE events SET item=9"]
)
def test_events_are_never_changed(tmp_path, statement):
    path = tmp_path / "a.db"
    with Store(path) as store:
        store.append([event(1)])
    database = sqlite3.connect(path)
    with pytest.raises(sqlite3.IntegrityError, match="never"):
        database.execute(statement)
    database.close()


def test_other_files_are_refused(tmp_path):
    text = tmp_path / "notes.txt"
    text.write_text("not a database, but long enough to be looked at" * 50)
    with pytest.raises(DataError, match="name another file"):
        Store(text)
    foreign = tmp_path / "foreign.db"
    database = sqlite3.connect(foreign)
    database.execute("CREATE TABLE cats (name)")
    database.commit()
    database.close()
    with pytest.raises(DataError, match="another program"):
        Store(foreign)
    future = tmp_path / "future.db"
    Store(future).close()
    database = sqlite3.connect(future)
    database.execute("PRAGMA user_version = 99")
    database.close()
    with pytest.raises(DataError, match=r"format 99.*update whitecrow"):
        Store(future)
    with pytest.raises(DataError, match="folder"):
        Store(tmp_path / "missing" / "a.db")


def test_a_closed_store_says_so(tmp_path):
    store = Store(tmp_path / "a.db")
    store.close()
    with pytest.raises(DataError, match="open it again"):
        store.append([event(1)])
