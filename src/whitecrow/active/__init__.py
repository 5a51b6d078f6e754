"""Labelling with few questions: what to ask, and what follows from the answers.

`Loop` asks and is told; a page, a terminal or a simulated annotator drives it. `Store`
keeps everything that happened in one file. Names load what they need when first used.
"""

from __future__ import annotations

import importlib
from typing import Any

# Public name -> module that defines it.
_HOMES = {
    "Annotator": "whitecrow.active.annotator",
    "Event": "whitecrow.active.log",
    "Loop": "whitecrow.active.loop",
    "MemoryLog": "whitecrow.active.log",
    "Store": "whitecrow.active.store",
    "replay": "whitecrow.active.log",
    "simulate": "whitecrow.active.annotator",
}
_MODULES = ("agreement", "exchange", "ratio", "strategies")

__all__ = [
    "Annotator",
    "Event",
    "Loop",
    "MemoryLog",
    "Store",
    "agreement",
    "exchange",
    "ratio",
    "replay",
    "simulate",
    "strategies",
]


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return importlib.import_module(f"whitecrow.active.{name}")
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'whitecrow.active' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
