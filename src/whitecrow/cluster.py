"""Work on the machines of a Dask cluster: the one that is named, or one of our own."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from whitecrow.errors import DataError, MissingDependencyError

__all__ = ["ADDRESS", "connected", "in_order", "outcome"]

ADDRESS = "DASK_SCHEDULER_ADDRESS"
"""Environment variable with the address of a running scheduler."""

Item = TypeVar("Item")


@contextmanager
def connected() -> Iterator[Any]:
    """Yield a client of the cluster that `ADDRESS` names, else of one on this machine.

    Raises
    ------
    DataError
        If the scheduler cannot be reached.
    MissingDependencyError
        Without the extra `dask`.
    """
    try:
        import distributed
    except ImportError:
        raise MissingDependencyError(
            "--engine dask needs Dask; install it with: pip install 'whitecrow[dask]'"
        ) from None
    dask: Any = distributed  # has no types
    address = os.environ.get(ADDRESS)
    if not address:
        with (
            dask.LocalCluster(threads_per_worker=1, dashboard_address=":0") as cluster,
            dask.Client(cluster) as client,
        ):
            yield client
        return
    try:
        client = dask.Client(address, timeout="20s")
    except (OSError, TimeoutError) as error:
        raise DataError(
            f"there is no Dask scheduler at {address}, as {ADDRESS} says; start one, "
            "or unset it for a cluster on this machine"
        ) from error
    with client:
        yield client


def outcome(future: Any, remedy: str) -> Any:
    """Return what a future holds, or raise what its work raised.

    Raises
    ------
    DataError
        If the scheduler is gone; `remedy` says what to do then.
    """
    from concurrent.futures import CancelledError

    try:
        return future.result()
    except CancelledError as error:
        raise DataError(f"the Dask scheduler is gone; {remedy}") from error


def in_order(
    client: Any, work: Callable[..., Any], shared: Any, items: Iterable[Item]
) -> Iterator[tuple[Item, Any]]:
    """Yield each item with `work(shared, item)`, in the order of the items.

    So many items are under way as two for each thread of the cluster, so that memory
    does not grow with their number.

    Parameters
    ----------
    client : distributed.Client
    work : callable
    shared : object
        Sent once, and again to workers that take the place of others.
    items : iterable
    """
    remedy = "run again when there is one"
    # A task and not `scatter`: what is lost with a worker is made again.
    held = client.submit(_itself, shared, pure=False)
    threads = sum(client.nthreads().values()) or 1
    waiting: deque[tuple[Item, Any]] = deque()
    for item in items:
        waiting.append((item, client.submit(work, held, item, pure=False)))
        if len(waiting) > 2 * threads:
            first, future = waiting.popleft()
            yield first, outcome(future, remedy)
    for first, future in waiting:
        yield first, outcome(future, remedy)


def _itself(one: Any) -> Any:
    return one
