"""Tell whoever watches a fit how far it is; importing this costs nothing."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from contextvars import ContextVar

__all__ = ["LogCallback", "on_log", "report"]

LogCallback = Callable[[int, dict[str, object]], None]
_callback: ContextVar[LogCallback | None] = ContextVar("on_log", default=None)


@contextlib.contextmanager
def on_log(callback: LogCallback) -> Iterator[None]:
    """Call `callback(epoch, record)` after each epoch of a fit inside the block.

    The record has the keys `method`, `stage`, `epoch`, `epochs` and, where a network is
    trained, `loss`. A method without epochs counts its steps. What the callback raises
    ends the fit.

    Examples
    --------
    >>> with on_log(lambda epoch, record: print(record["stage"], epoch)):
    ...     report(method="KNN", stage="fitting", epoch=1, epochs=2)
    fitting 1
    """
    token = _callback.set(callback)
    try:
        yield
    finally:
        _callback.reset(token)


def report(*, epoch: int, **record: object) -> None:
    """Say that an epoch, or a step, is done; nothing happens if nobody watches."""
    callback = _callback.get()
    if callback is not None:
        callback(epoch, {"epoch": epoch, **record})
