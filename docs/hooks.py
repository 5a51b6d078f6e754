"""What mkdocs takes from the code: lists of pages, the registry, the commands' help.

A line `<!-- insert NAME -->` in a page is replaced by what INSERTS[NAME] returns.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import whitecrow as wc
from whitecrow.cli import app
from whitecrow.metrics.thresholds import PROTOCOLS

DOCS = Path(__file__).parent


def on_config(config: Any) -> Any:
    """Expand a folder in the navigation into its pages, index.md first."""
    config.nav = _expanded(config.nav)
    return config


def _expanded(nav: Any) -> Any:
    if isinstance(nav, list):
        return [
            {title: _expanded(where)} for one in nav for title, where in one.items()
        ]
    return _pages(nav) if nav.endswith("/") else nav


def _pages(folder: str) -> list[str]:
    found = sorted(path.name for path in (DOCS / folder).glob("*.md"))
    found.sort(key=lambda name: name != "index.md")
    return [folder + name for name in found]


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Fill in what is generated."""
    return re.sub(
        r"^<!-- insert (\w+) -->$",
        lambda match: INSERTS[match[1]](),
        markdown,
        flags=re.MULTILINE,
    )


def methods_table() -> str:
    """Every registered method with its paper; names link to their pages."""
    rows = ["| method | score | for | supervision | source |", "|---|---|---|---|---|"]
    for m in sorted(wc.methods(), key=lambda m: m.name):
        kinds = ", ".join(f"{kind}s" for kind in m.input_kinds)
        link = f"[{m.class_name}]({m.name}.md)"
        cells = (link, m.summary, kinds, m.supervision, f"{m.paper} {m.year}")
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows)


def thresholds_table() -> str:
    """Every threshold protocol, and what it reads of the truth."""
    rows = ["| name | flagged by | reads of the truth |", "|---|---|---|"]
    for name, protocol in PROTOCOLS.items():
        rows.append(f"| `{name}` | {protocol.title} | {protocol.leak or 'nothing'} |")
    return "\n".join(rows)


def detector_classes() -> str:
    """A reference entry for each detector class, where it is defined."""
    homes = sorted((m.class_name, m.module) for m in wc.methods())
    return "\n\n".join(f"::: {module}.{cls}" for cls, module in homes)


def command_help(name: str) -> str:
    """Arguments and options of a command, as its `--help` has them."""
    usage = app[name].generate_docs()
    options = usage[usage.index("**") :]
    return f'??? note "Options of {name}"\n\n{textwrap.indent(options, "    ")}'


INSERTS: dict[str, Callable[[], str]] = {
    "methods": methods_table,
    "thresholds": thresholds_table,
    "detectors": detector_classes,
} | {f"help_{name}": partial(command_help, name) for name in app if name[0] != "-"}
