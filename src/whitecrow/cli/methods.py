"""`whitecrow methods`: what can be used, and with which parameters."""

from __future__ import annotations

from typing import Any

from whitecrow.cli._common import Output
from whitecrow.cli._options import Json

__all__ = ["EXAMPLE", "command"]

EXAMPLE = "whitecrow methods\nwhitecrow methods deep_sad"


# Every method has these two; they are options of the commands.
SHARED = {"contamination": "--contamination", "random_state": "--seed"}


def command(name: str | None = None, /, *, json: Json = False) -> None:
    """List all methods, or the parameters of one.

    Parameters
    ----------
    name
        A method whose parameters to show.
    """
    from whitecrow.registry import method, methods

    out = Output(as_json=json)
    if name is not None:
        _one(method(name), out)
        return
    rows = [
        (m.name, _kinds(m.input_kinds), m.supervision, m.summary, f"{m.year}")
        for m in methods()
    ]
    out.table(("method", "input", "learns from", "score", "year"), rows)
    out.line("\n`whitecrow methods NAME` lists the parameters of a method.")
    out.result({"methods": [_plain(m) for m in methods()]})


def _one(record: Any, out: Output) -> None:
    parameters = _parameters(record.cls)
    out.line(f"{record.name}: {record.summary}")
    out.line(f"{record.paper} {record.year}")
    out.line(f"Input: {_kinds(record.input_kinds)}; learns from: {record.supervision}")
    presets = ", ".join(record.cls.presets) or "none"
    out.line(f"Presets (--preset): {presets}\n")
    rows = [(f"--model.{name}", default, legal) for name, default, legal in parameters]
    out.table(("parameter", "default", "values"), rows)
    out.result(
        _plain(record)
        | {
            "presets": list(record.cls.presets),
            "parameters": [
                {"name": name, "default": default, "values": legal}
                for name, default, legal in parameters
            ],
        }
    )


def _parameters(cls: Any) -> list[tuple[str, str, str]]:
    """Name, default and legal values of each constructor argument."""
    import inspect

    from whitecrow.choose import describe, legal_names

    defaults = inspect.signature(cls).parameters
    return [
        (name, str(defaults[name].default), describe(cls, name))
        for name in legal_names(cls)
        if name not in SHARED
    ]


def _kinds(kinds: tuple[str, ...]) -> str:
    return ", ".join(kinds)


def _plain(record: Any) -> dict[str, Any]:
    return {
        "name": record.name,
        "class": record.class_name,
        "summary": record.summary,
        "paper": record.paper,
        "year": record.year,
        "supervision": record.supervision,
        "input_kinds": list(record.input_kinds),
    }
