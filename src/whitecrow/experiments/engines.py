"""Where tasks run: here, in several processes, in one each, or on a Dask cluster."""

from __future__ import annotations

import functools
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from whitecrow import cluster
from whitecrow.errors import DataError, UserError
from whitecrow.experiments.record import Record, failure
from whitecrow.experiments.task import Task

__all__ = ["ENGINES", "results"]

ENGINES = ("local", "process", "dask")

Group = list[Task]
Records = list[Record]
Work = Callable[[Group], Iterator[Record]]


def results(
    groups: list[Group], work: Work, jobs: int, engine: str
) -> Iterator[tuple[Group, Iterable[Record]]]:
    """Yield each group with its records: one by one here, all at once elsewhere."""
    whole = functools.partial(_listed, work)
    if engine == "dask":
        yield from _on_dask(groups, whole)
    elif engine == "process":
        yield from _apart(groups, whole, jobs)
    elif jobs == 1:
        for group in groups:
            yield group, work(group)
    else:
        from joblib import Parallel, delayed
        from joblib.externals.loky.process_executor import TerminatedWorkerError

        pool = Parallel(n_jobs=jobs, return_as="generator")
        found = pool(delayed(whole)(group) for group in groups)
        try:
            yield from zip(groups, found, strict=True)
        except TerminatedWorkerError as error:
            raise DataError(
                "a process of --jobs was killed, perhaps for want of memory; what was "
                "done is stored: run again, with fewer jobs"
            ) from error


def _listed(work: Work, group: Group) -> Records:
    return list(work(group))


def _on_dask(
    groups: list[Group], work: Callable[[Group], Records]
) -> Iterator[tuple[Group, Records]]:
    """Yield each group with its records, as they come in.

    What a worker had in hand when it died runs again on another one; tasks under which
    several workers die are recorded as failed.
    """
    with cluster.connected() as client:
        from distributed import as_completed

        yield from _submit(client, groups, work, as_completed)


def _submit(
    client: Any, groups: list[Group], work: Callable[[Group], Records], completed: Any
) -> Iterator[tuple[Group, Records]]:
    again = "what was done is stored: run again when there is one"
    futures = {client.submit(work, group, pure=False): group for group in groups}
    for future in completed(list(futures)):
        group = futures[future]
        try:
            records = cluster.outcome(future, again)
        except UserError:
            raise
        except Exception as error:  # of the cluster: a contender's own are records
            records = [failure(task, error) for task in group]
        yield group, records


def _apart(
    groups: list[Group], work: Callable[[Group], Records], jobs: int
) -> Iterator[tuple[Group, Records]]:
    """Yield each group with its records, made in a process that ends with it."""
    alone = functools.partial(_in_own_process, work)
    with ThreadPoolExecutor(jobs) as waiting:
        yield from zip(groups, waiting.map(alone, groups), strict=True)


def _in_own_process(work: Callable[[Group], Records], group: Group) -> Records:
    from joblib.externals import loky

    with loky.ProcessPoolExecutor(1) as process:
        try:
            records: Records = process.submit(_measured, work, group).result()
            return records
        except loky.BrokenProcessPool:
            killed = DataError("its process was killed, perhaps for want of memory")
            return [failure(task, killed) for task in group]


def _measured(work: Callable[[Group], Records], group: Group) -> Records:
    """Note the most memory that the process has had; seeds run together share it."""
    records = work(group)
    peak = _peak_memory()
    return [{**record, "peak_memory": peak} for record in records]


def _peak_memory() -> float | None:
    """Return the most MiB that this process has had; None on Windows."""
    status = Path("/proc/self/status")
    if status.exists():  # `getrusage` counts what the parent had, too
        (line,) = re.findall(r"VmHWM:\s+(\d+) kB", status.read_text())
        return int(line) / 2**10
    if sys.platform == "win32":
        return None
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
