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
    err: str

    @property
    def json(self) -> dict[str, Any]:
        return json.loads(self.out)


Run = Callable[..., Ran]
