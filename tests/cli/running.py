"""What tests of commands share: the result of one, and the size of their table."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, NamedTuple

N_NORMAL, N_ODD = 240, 12


class Ran(NamedTuple):
    """What a command gave."""

    code: int
    out: str
    err: str  # without the lines of progress
    progress: tuple[str, ...] = ()

    @property
    def json(self) -> dict[str, Any]:
        return json.loads(self.out)


def ran(code: int, out: str, err: str) -> Ran:
    """Keep complaints and progress, which both go to stderr, apart."""
    lines = err.splitlines(keepends=True)
    progress = [line for line in lines if line.endswith(" ...\n")]
    said = [line for line in lines if line not in progress]
    return Ran(code, out, "".join(said), tuple(line[:-5] for line in progress))


Run = Callable[..., Ran]
