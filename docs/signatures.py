"""Constructors of detectors on the API page.

mkdocstrings reads files without running them, and these constructors are written
nowhere: they come from the lines of a class (`whitecrow.parameters`).
"""

from __future__ import annotations

import inspect
from typing import Any

import griffe

import whitecrow as wc

METHODS = {f"{m.module}.{m.class_name}": m for m in wc.methods()}


class Signatures(griffe.Extension):
    """Give each detector class the constructor that it has when it runs."""

    def on_class(self, *, cls: griffe.Class, **_: Any) -> None:
        """Add `__init__` to a class that is a method."""
        if cls.path in METHODS:
            signature = inspect.signature(METHODS[cls.path].cls)
            given = [_parameter(one) for one in signature.parameters.values()]
            init = griffe.Function("__init__", parameters=griffe.Parameters(*given))
            cls.set_member("__init__", init)


def _parameter(one: inspect.Parameter) -> griffe.Parameter:
    return griffe.Parameter(
        one.name,
        annotation=inspect.formatannotation(one.annotation),
        kind=griffe.ParameterKind(one.kind.description),
        default=repr(one.default),
    )
