"""`whitecrow data`: the data sets that are known by name."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import App, Parameter

from whitecrow.cli._common import Output, epilogue
from whitecrow.cli._options import Flag, Json, Whole

if TYPE_CHECKING:
    from whitecrow.data.catalog import Entry
    from whitecrow.data.prepare.layout import Layout

__all__ = ["EXAMPLE", "command"]

EXAMPLE = "whitecrow data list\nwhitecrow data show breast_cancer"

command = App(
    name="data", help="List, show, fetch and prepare the data sets known by name."
)


@command.command(name="list", help_epilogue=epilogue("whitecrow data list"))
def list_(*, json: Json = False) -> None:
    """List all data sets."""
    from whitecrow.data import catalog

    out = Output(as_json=json)
    known = {*catalog.names(), *catalog.prepared()}
    entries = [catalog.get(name) for name in sorted(known)]
    available = [catalog.is_available(entry.name) for entry in entries]
    rows = [
        (e.name, e.kind, f"{e.rows:,}", f"{e.features:,}", _share(e), _where(e, here))
        for e, here in zip(entries, available, strict=True)
    ]
    out.table(("name", "kind", "rows", "features", "anomalies", "available"), rows)
    out.line("\n`whitecrow data show NAME` has source and terms.")
    out.line("`whitecrow data prepare` lists tables to make from original files.")
    out.result(
        {
            "sets": [
                asdict(entry) | {"available": here}
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
        A name from `whitecrow data list` or `whitecrow data prepare`.
    """
    from whitecrow.data import catalog, prepare

    out = Output(as_json=json)
    if not catalog.has(name) and prepare.knows(name):
        _show_layout(prepare.find(name), out)
        return
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
    out.facts(facts)
    out.result(asdict(entry) | {"available": here})


@command.command(help_epilogue=epilogue("whitecrow data get digits"))
def get(name: str, /, *, json: Json = False) -> None:
    """Find a data set on this machine or fetch it, and check its sha256.

    Of a set that has to be prepared, these are the original files.

    Parameters
    ----------
    name
        A name from `whitecrow data list` or `whitecrow data prepare`.
    """
    from whitecrow.data import catalog, prepare
    from whitecrow.data.entry import SKLEARN

    out = Output(as_json=json)
    if not catalog.has(name) and prepare.knows(name):
        _get_originals(prepare.find(name), out)
        return
    entry = catalog.get(name)
    if entry.where == SKLEARN:
        out.line(f"{entry.name} comes with scikit-learn; use it by its name")
        out.result(asdict(entry) | {"path": None})
        return
    with out.progress() as progress:
        progress(f"looking for {entry.name}", 0, None)
        path = catalog.path(entry.name, check=True)
    out.line(f"{entry.name}: {path} (sha256 checked)")
    out.line(f"terms: {entry.terms} ({entry.license})")
    out.result(asdict(entry) | {"path": str(path)})


@command.command(name="prepare", help_epilogue=epilogue("whitecrow data prepare"))
def prepare_(
    name: str | None = None,
    /,
    *files: str,
    output: Annotated[str | None, Parameter(name=["--output", "-o"])] = None,
    anomaly: Literal["attack", "normal"] | None = None,
    columns: str | None = None,
    drop_duplicates: Flag = False,
    remove_undefined: Flag = False,
    attack_names: Flag = False,
    seed: Whole = 0,
    json: Json = False,
) -> None:
    """Make one Parquet file of the original files of a published table.

    As in `whitecrow data prepare kdd10 kddcup.data_10_percent.gz -o kdd10.parquet`;
    without a name, the sets are listed. Files larger than memory stream through. The
    Parquet file has the features, `label` (1 anomaly, 0 normal), `category`, and
    `split` where a set has one. A data card beside it, `kdd10.card.json`, counts what
    was removed and left out, and why.

    Parameters
    ----------
    name
        A set; case and dashes do not matter.
    files
        Its original files, folders with them, or names from `whitecrow data list`; may
        be left out where `whitecrow data get NAME` finds them.
    output
        The Parquet file; in `$WHITECROW_DATA/prepared/` it is found by its name.
    anomaly
        The class with label 1, if not the one of the publications.
    columns
        A group of features of cse_cic_ids2018: `group1` to `group5`, `group1A` to
        `group5A`.
    drop_duplicates
        Remove rows that repeat an earlier one; they are counted in any case.
    remove_undefined
        Remove rows with undefined rates where publications set them to 0.
    attack_names
        Let `category` be the single attack, not its family.
    seed
        For thinning out the attacks of kddrev.
    """
    out = Output(as_json=json)
    if name is None:
        _list_layouts(out)
        return
    from whitecrow.data.prepare import publish
    from whitecrow.data.prepare.stream import Options

    options = Options(
        anomaly=anomaly,
        columns=columns,
        drop_duplicates=drop_duplicates,
        remove_undefined=remove_undefined,
        attack_names=attack_names,
        seed=seed,
    )
    with out.progress() as progress:
        card = publish.prepare(name, files, output, options, progress)
    for line in publish.lines(card):
        out.line(line)
    out.result(card)


def _list_layouts(out: Output) -> None:
    from whitecrow.data import prepare
    from whitecrow.data.prepare.layout import convention

    rows = [
        (layout.name, layout.title, convention(layout, layout.anomaly))
        for layout in prepare.layouts()
    ]
    out.table(("name", "set", "label"), rows)
    out.line("\n`whitecrow data get NAME` says where the original files are.")
    keys = ("name", "title", "label_convention")
    out.result({"sets": [dict(zip(keys, row, strict=True)) for row in rows]})


def _show_layout(layout: Layout, out: Output) -> None:
    from whitecrow.data.prepare.layout import convention

    facts = {
        "label": convention(layout, layout.anomaly),
        "source": layout.source,
        "prepare": f"whitecrow data prepare {layout.name} {layout.files} "
        f"-o {layout.name}.parquet",
    }
    out.line(f"{layout.name}: {layout.title}, to be prepared from original files")
    out.facts(facts)
    out.result({"name": layout.name, "title": layout.title} | facts)


def _get_originals(layout: Layout, out: Output) -> None:
    from whitecrow.data.prepare import publish

    with out.progress() as progress:
        progress(f"looking for {layout.name}", 0, None)
        found = publish.originals(layout)
    for path in found:
        out.line(f"{layout.name}: {path} (sha256 checked)")
    following = publish.next_command(layout)
    out.line(f"next: {following}")
    paths = [str(path) for path in found]
    out.result({"name": layout.name, "paths": paths, "next": following})


def _share(entry: Entry) -> str:
    if entry.anomalies is None:
        return "classes"
    return f"{entry.anomalies:,} ({100 * entry.anomalies / entry.rows:.1f} %)"


def _where(entry: Entry, available: bool) -> str:
    if available:
        return "yes"
    return "download" if entry.url else "by hand"
