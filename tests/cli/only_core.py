"""Run commands as somebody does who installed whitecrow and nothing else.

    python only_core.py '["doctor"]' '["methods"]'

Distributions that the core dependencies do not need cannot be imported and have no
version. Ends with the first exit code that is not 0.
"""

from __future__ import annotations

import importlib.abc
import json
import sys
from importlib import metadata
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name


def closure(roots: list[str]) -> set[str]:
    """Names of the distributions that these need, on this machine."""
    seen: set[tuple[str, str]] = set()
    queue = [(canonicalize_name(root), "") for root in roots]
    while queue:
        name, extra = queue.pop()
        if (name, extra) in seen:
            continue
        seen.add((name, extra))
        try:
            listed = metadata.requires(name) or []
        except metadata.PackageNotFoundError:
            continue
        for one in map(Requirement, listed):
            if one.marker is None or one.marker.evaluate({"extra": extra}):
                wanted = canonicalize_name(one.name)
                queue += [(wanted, ""), *((wanted, more) for more in one.extras)]
    return {name for name, _ in seen}


class Hidden(importlib.abc.MetaPathFinder):
    """Modules that are not there."""

    def __init__(self, names: set[str]) -> None:
        self.names = names

    def find_spec(self, fullname: str, path: Any, target: Any = None) -> None:
        if fullname.partition(".")[0] in self.names:
            raise ModuleNotFoundError(f"No module named {fullname!r}", name=fullname)


def hide(roots: list[str]) -> None:
    """Hide everything that `roots` do not need."""
    kept = closure([*roots, "whitecrow"])
    owners = metadata.packages_distributions()
    names = {
        module
        for module, found in owners.items()
        if not kept & {canonicalize_name(one) for one in found}
    }
    real = metadata.version

    def version(name: str) -> str:
        if canonicalize_name(name) not in kept:
            raise metadata.PackageNotFoundError(name)
        return real(name)

    metadata.version = version
    sys.meta_path.insert(0, Hidden(names))
    for name in names & sys.modules.keys():
        del sys.modules[name]


def main() -> int:
    hide(json.loads(sys.argv[1]))
    from whitecrow.cli import main as run

    for command in sys.argv[2:]:
        if code := run(json.loads(command)):
            return code
    return 0


if __name__ == "__main__":
    sys.exit(main())
