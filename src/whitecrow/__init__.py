"""whitecrow finds anomalies with whatever supervision there is.

Importing the package is cheap: names below load what they need when first used.
"""

from __future__ import annotations

import importlib
from typing import Any

from whitecrow.registry import methods as _methods

__version__ = "0.1.0"

# Public name -> module that defines it.
_HOMES = {
    **{method.class_name: method.module for method in _methods()},
    "Result": "whitecrow.result",
    "TableEncoder": "whitecrow.data.kinds.table",
    "detect": "whitecrow.result",
    "load": "whitecrow.saving",
    "methods": "whitecrow.registry",
    "register": "whitecrow.registry",
    "wrap": "whitecrow.wrappers.wrapped",
}
_MODULES = ("active", "data", "errors", "labels", "metrics", "supervision")

# What checkers and editors know of these is in __init__.pyi.
__all__ = sorted(["__version__", *_HOMES, *_MODULES])


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return importlib.import_module(f"whitecrow.{name}")
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'whitecrow' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
