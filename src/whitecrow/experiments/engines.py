"""Where tasks run: in this process, in several, or on a Dask cluster."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from whitecrow.errors import DataError, MissingDependencyError
from whitecrow.experiments.record import Record, failure
from whitecrow.experiments.task import Task

__all__ = ["ENGINES", "results"]

ENGINES = ("local", "dask")

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

    The cluster is the one of DASK_SCHEDULER_ADDRESS, else one on this machine. What a
    worker had in hand when it died runs again on another one; tasks under which
    several workers die are recorded as failed.

    Raises
    ------
    DataError
        If the scheduler cannot be reached, or is lost.
    MissingDependencyError
        Without the extra `dask`.
    """
    try:
        from distributed import Client, LocalCluster, as_completed
    except ImportError:
        raise MissingDependencyError(
            "--engine dask needs Dask; install it with: pip install 'whitecrow[dask]'"
        ) from None
    address = os.environ.get("DASK_SCHEDULER_ADDRESS")
    if address:
        try:
            client = Client(address, timeout="20s")
        except (OSError, TimeoutError) as error:
            raise DataError(
                f"there is no Dask scheduler at {address}, as DASK_SCHEDULER_ADDRESS "
                "says; start one, or unset it for a cluster on this machine"
            ) from error
        with client:
            yield from _submit(client, groups, work, as_completed)
        return
    with (
        LocalCluster(threads_per_worker=1, dashboard_address=":0") as cluster,
        Client(cluster) as client,
    ):
        yield from _submit(client, groups, work, as_completed)


def _submit(
    client: Any, groups: list[Group], work: Callable[[Group], Records], completed: Any
) -> Iterator[tuple[Group, Records]]:
    from concurrent.futures import CancelledError

    futures = {client.submit(work, group, pure=False): group for group in groups}
    for future in completed(list(futures)):
        group = futures[future]
        try:
            records = future.result()
        except CancelledError as error:
            raise DataError(
                "the Dask scheduler is gone; what was done is stored: run again when "
                "there is one"
            ) from error
        except Exception as error:  # of the cluster: a contender's own are records
            records = [failure(task, error) for task in group]
        yield group, records
