"""`whitecrow data`: the data sets that are known by name."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from cyclopts import App

from whitecrow.cli._common import Json, Output, epilogue

if TYPE_CHECKING:
    from whitecrow.data.catalog import Entry

__all__ = ["EXAMPLE", "command"]

EXAMPLE = "whitecrow data list\nwhitecrow data show breast_cancer"

command = App(name="data", help="List, show and fetch the data sets known by name.")


@command.command(name="list", help_epilogue=epilogue("whitecrow data list"))
def list_(*, json: Json = False) -> None:
    """List all data sets.

    Parameters
    ----------
    json
        Print one JSON object instead of text.
    """
    from whitecrow.data import catalog

    out = Output(as_json=json)
    entries = [catalog.get(name) for name in catalog.names()]
    available = [catalog.is_available(entry.name) for entry in entries]
    rows = [
        (e.name, e.kind, f"{e.rows:,}", f"{e.features:,}", _share(e), _where(e, here))
        for e, here in zip(entries, available, strict=True)
    ]
    out.table(("name", "kind", "rows", "features", "anomalies", "available"), rows)
    out.line("\n`whitecrow data show NAME` has source and terms.")
    out.result(
        {
            "sets": [
                _plain(entry) | {"available": here}
                for entry, here in zip(entries, available, strict=True)
            ]
        }
    )


@command.command(help_epilogue=epilogue("whitecrow data show breast_cancer"))
def show(name: str, /, *, json: Json = False) -> None:
    """Show what a data set is, where it comes from, and its terms.

    Parameters
    ----------
    name
        A name from `whitecrow data list`.
    json
        Print one JSON object instead of text.
    """
    from whitecrow.data import catalog

    out = Output(as_json=json)
    entry = catalog.get(name)
    here = catalog.is_available(entry.name)
    out.line(f"{entry.name}: {entry.kind}, {entry.rows:,} x {entry.features:,}")
    facts = {
        "anomalies": _share(entry),
        "label column": entry.label_column,
        "anomaly is": ", ".join(entry.anomaly_values),
        "no features": ", ".join(entry.ignore),
        "source": entry.source,
        "terms": entry.terms,
        "license": entry.license,
        "available": _where(entry, here),
        "note": entry.hint,
    }
    for what, value in facts.items():
        if value:
            out.line(f"  {what}: {value}")
    out.result(_plain(entry) | {"available": here})


@command.command(help_epilogue=epilogue("whitecrow data get digits"))
def get(name: str, /, *, json: Json = False) -> None:
    """Find a data set on this machine or fetch it, and check its sha256.

    Parameters
    ----------
    name
        A name from `whitecrow data list`.
    json
        Print one JSON object instead of text.
    """
    from whitecrow.data import catalog

    out = Output(as_json=json)
    entry = catalog.get(name)
    if entry.where == catalog.SKLEARN:
        out.line(f"{entry.name} comes with scikit-learn; use it by its name")
        out.result(_plain(entry) | {"path": None})
        return
    with out.progress() as progress:
        progress(f"looking for {entry.name}", 0, None)
        path = catalog.path(entry.name, check=True)
    out.line(f"{entry.name}: {path} (sha256 checked)")
    out.line(f"terms: {entry.terms} ({entry.license})")
    out.result(_plain(entry) | {"path": str(path)})


def _share(entry: Entry) -> str:
    if entry.anomalies is None:
        return "classes"
    return f"{entry.anomalies:,} ({100 * entry.anomalies / entry.rows:.1f} %)"


def _where(entry: Entry, available: bool) -> str:
    if available:
        return "yes"
    return "download" if entry.url else "by hand"


def _plain(entry: Entry) -> dict[str, Any]:
    return asdict(entry)
