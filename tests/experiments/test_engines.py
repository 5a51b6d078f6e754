"""Engines: a cluster of real processes, one of which is killed in the middle."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from whitecrow.errors import DataError
from whitecrow.experiments import engines
from whitecrow.experiments.file import parse
from whitecrow.experiments.run import run
from whitecrow.experiments.store import Store
from whitecrow.experiments.task import plan

CONTENT = {
    "name": "e",
    "title": "E",
    "data": ["breast_cancer"],
    "seeds": 1,
    "protocol": {"name": "holdout"},
    "methods": [
        {
            "name": "isolation_forest",
            "grid": {"n_estimators": list(range(400, 424))},
        }
    ],
}


@pytest.fixture
def cluster(tmp_path):
    """A scheduler and three workers, each a process that nobody starts again."""
    pytest.importorskip("distributed", reason="Dask is in the extra `dask`")
    file = tmp_path / "scheduler.json"
    place = ["--scheduler-file", str(file)]
    started = []

    def start(name, *options):
        command = [sys.executable, "-m", f"distributed.cli.{name}", *place, *options]
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        started.append(subprocess.Popen(command, cwd=tmp_path, **quiet))

    start("dask_scheduler", "--port", "0", "--no-dashboard")
    for _ in range(3):
        start("dask_worker", "--nthreads", "1", "--no-nanny", "--no-dashboard")
    while not file.exists():
        assert started[0].poll() is None
        time.sleep(0.1)
    yield json.loads(file.read_text())["address"], started
    for process in started:
        process.kill()
        process.wait()


@pytest.mark.slow  # Dask takes some seconds to start
def test_a_worker_killed_in_the_middle_loses_and_doubles_nothing(
    cluster, tmp_path, monkeypatch
):
    address, (_, *workers) = cluster
    monkeypatch.setenv("DASK_SCHEDULER_ADDRESS", address)
    tasks, store, heard = plan(parse(CONTENT)), Store(tmp_path / "out"), []

    def on_record(task, record):
        heard.append(task.key)
        if len(heard) == 4:
            os.kill(workers[0].pid, signal.SIGKILL)

    assert run(tasks, store, engine="dask", on_record=on_record) == 24
    assert workers[0].wait(10) == -signal.SIGKILL
    assert sorted(heard) == sorted(task.key for task in tasks)
    records = store.read(task.key for task in tasks)
    assert [record["error"] for record in records] == [""] * 24
    alone = Store(tmp_path / "alone")
    run(tasks[:2], alone)
    for task in tasks[:2]:
        assert alone.get(task.key)["auroc"] == store.get(task.key)["auroc"]


@pytest.mark.slow
def test_a_lost_scheduler_keeps_what_was_done(cluster, tmp_path, monkeypatch):
    address, (scheduler, *_) = cluster
    monkeypatch.setenv("DASK_SCHEDULER_ADDRESS", address)
    tasks, store, heard = plan(parse(CONTENT)), Store(tmp_path / "out"), []

    def on_record(task, record):
        heard.append(task.key)
        if len(heard) == 3:
            scheduler.kill()

    with pytest.raises(DataError, match="scheduler is gone"):
        run(tasks, store, engine="dask", on_record=on_record)
    assert all(store.get(key)["error"] == "" for key in heard)


def test_no_scheduler_is_one_line(tmp_path, monkeypatch):
    distributed = pytest.importorskip("distributed", reason="Dask is an extra")

    def refuse(address, timeout):
        raise OSError("timed out")

    monkeypatch.setattr(distributed, "Client", refuse)
    monkeypatch.setenv("DASK_SCHEDULER_ADDRESS", "tcp://127.0.0.1:1")
    with pytest.raises(DataError, match=r"no Dask scheduler at tcp://127\.0\.0\.1:1"):
        run(plan(parse(CONTENT))[:1], Store(tmp_path), engine="dask")


class DiedError(Exception):
    pass


def test_tasks_that_kill_workers_are_failures_and_the_rest_goes_on():
    class Future:
        def __init__(self, work, group):
            self.work, self.group = work, group

        def result(self):
            return self.work(self.group)

    class Client:
        def submit(self, work, group, pure):
            return Future(work, group)

    def work(group):
        if group[0].parameters["n_estimators"] == 401:
            raise DiedError("Attempted to run on 4 workers, which all died")
        return [{"error": ""} for _ in group]

    groups = [[task] for task in plan(parse(CONTENT))[:3]]
    found = list(engines._submit(Client(), groups, work, iter))
    assert [records[0]["error"] for _, records in found] == [
        "",
        "DiedError: Attempted to run on 4 workers, which all died",
        "",
    ]


def test_a_killed_process_of_jobs_is_one_line():
    """Loky's TerminatedWorkerError was a traceback."""

    def die(group):  # inside, so that it travels as what it is
        os.kill(os.getpid(), signal.SIGKILL)
        yield {}

    groups = [[task] for task in plan(parse(CONTENT))[:3]]
    with pytest.raises(DataError, match="a process of --jobs was killed"):
        list(engines.results(groups, die, jobs=2, engine="local"))


def test_a_process_of_its_own_tells_its_memory_and_may_die():
    def work(group):  # inside, so that it travels as what it is
        (task,) = group
        n = task.parameters["n_estimators"]
        if n == 401:
            os.kill(os.getpid(), signal.SIGKILL)
        filled = b"x" * (200_000_000 * (n == 402))
        yield {"error": "", "pid": os.getpid(), "size": len(filled)}

    groups = [[task] for task in plan(parse(CONTENT))[:3]]
    found = list(engines.results(groups, work, jobs=2, engine="process"))
    assert [group for group, _ in found] == groups
    first, second, third = (records[0] for _, records in found)
    assert second["error"].startswith("DataError: its process was killed")
    assert len({first["pid"], third["pid"], os.getpid()}) == 3
    assert third["peak_memory"] - first["peak_memory"] > 150  # MiB
