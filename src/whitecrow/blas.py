"""How many threads products of matrices take.

One for small matrices: threads of BLAS and OpenMP wait for each other at the end of
every product. Where a product takes microseconds, and other programs use the cores, the
wait is most of the time: a mixture of Gaussians was fitted in up to twenty times the
CPU time.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from threadpoolctl import threadpool_info, threadpool_limits

__all__ = ["one_thread", "threads", "threads_here"]

_lock = threading.Lock()
# Blocks that run now, and what gives the threads of BLAS back after the last of them.
_blocks: list[Any] = []


@contextmanager
def one_thread() -> Iterator[None]:
    """Run a block with one thread for BLAS and OpenMP, and give the others back.

    Blocks of several Python threads may overlap: BLAS has one setting for all of them,
    which ends with the last block. OpenMP has one for each Python thread.

    Examples
    --------
    >>> import numpy as np
    >>> with one_thread():
    ...     product = np.eye(3) @ np.eye(3)
    """
    with _lock:
        limits = _blocks[0] if _blocks else threadpool_limits(1, user_api="blas")
        _blocks.append(limits)
    try:
        with threadpool_limits(1, user_api="openmp"):
            yield
    finally:
        with _lock:
            _blocks.pop()
            if not _blocks:
                limits.restore_original_limits()


def threads_here() -> dict[str, int]:
    """Return how many threads BLAS and OpenMP take in this process.

    Examples
    --------
    >>> with one_thread():
    ...     threads_here()["blas"]
    1
    """
    found: dict[str, int] = {}
    for pool in threadpool_info():
        api = pool["user_api"]
        found[api] = max(found.get(api, 1), pool["num_threads"])
    return found


@contextmanager
def threads(numbers: dict[str, int]) -> Iterator[None]:
    """Run a block with as many threads as `threads_here` told of another process.

    Sums are then taken in the same order, so that results are equal to the bit.
    """
    with threadpool_limits(numbers):
        yield
