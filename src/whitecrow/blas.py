"""One thread for products of small matrices.

Threads of BLAS and OpenMP wait for each other at the end of every product. Where a
product takes microseconds, and other programs use the cores, the wait is most of the
time: a mixture of Gaussians was fitted in up to twenty times the CPU time.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from threadpoolctl import threadpool_limits

__all__ = ["one_thread"]

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
