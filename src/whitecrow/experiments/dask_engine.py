"""The Dask engine: tasks on an existing cluster, or on a local one."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from whitecrow.errors import MissingDependencyError

if TYPE_CHECKING:
    from whitecrow.experiments.plan import Task

__all__ = ["results"]

Group = list["Task"]
Records = list[dict[str, Any]]


def results(
    groups: list[Group], work: Callable[[Group], Records]
) -> Iterator[tuple[Group, Records]]:
    """Yield each group with its records, as they come in.

    The cluster is the one of DASK_SCHEDULER_ADDRESS, else one on this machine.

    Raises
    ------
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
        with Client(address) as client:
            yield from _submit(client, groups, work, as_completed)
        return
    with (
        LocalCluster(threads_per_worker=1, dashboard_address=None) as cluster,
        Client(cluster) as client,
    ):
        yield from _submit(client, groups, work, as_completed)


def _submit(
    client: Any, groups: list[Group], work: Callable[[Group], Records], completed: Any
) -> Iterator[tuple[Group, Records]]:
    futures = {client.submit(work, group, pure=False): group for group in groups}
    for future in completed(list(futures)):
        yield futures[future], future.result()
