"""Published tables from their original files: whole or not at all, with a data card."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from whitecrow.data import catalog
from whitecrow.data.entry import CARD, digest
from whitecrow.data.kinds.words import percent
from whitecrow.data.prepare import find
from whitecrow.data.prepare.card import listed
from whitecrow.data.prepare.layout import Layout
from whitecrow.data.prepare.raw import paths
from whitecrow.data.prepare.stream import Options, Progress, write
from whitecrow.errors import DataError, ParameterError
from whitecrow.files import check_writable, refuse_inputs, replacing

__all__ = ["lines", "next_command", "originals", "prepare"]


def prepare(
    name: str,
    files: Sequence[str],
    output: str | None,
    options: Options,
    progress: Progress,
) -> dict[str, Any]:
    """Write the table of a set, and its data card beside it.

    Parameters
    ----------
    name : str
        As `whitecrow.data.prepare.find` takes it.
    files : sequence of str
        The original files; those that the catalogue has if there are none.
    output : str or None
        The Parquet file.
    options : Options
        What a user decided.
    progress : callable
        Called with what is done, rows so far, and rows in all where known.

    Returns
    -------
    dict
        The data card, with `path`.

    Raises
    ------
    DataError
        The set is unknown, the files are not its files, nothing can be written, or one
        of the files would be overwritten.
    ParameterError
        `output` is missing or no name of a Parquet file, or the set has no such group
        of columns, or no other convention.
    """
    layout = find(name)
    if output is None or not output.endswith(".parquet"):
        raise ParameterError(
            f"-o {output or ''}: the table is a Parquet file; give a name for it, such "
            f"as -o {layout.name}.parquet"
        )
    target = check_writable(output)
    card_path = target.with_name(target.name.removesuffix(".parquet") + CARD)
    files = files or [str(path) for path in originals(layout)]
    refuse_inputs([target, card_path], paths(files))
    # The table is renamed first: without its card it is still a table.
    with replacing(card_path) as note, replacing(target) as table:
        card = write(layout, files, table, options, progress)
        card |= {"bytes": table.stat().st_size, "sha256": digest(table)}
        note.write_text(json.dumps(card, indent=2) + "\n", encoding="utf-8")
    return card | {"path": str(target), "card": str(card_path)}


def originals(layout: Layout) -> list[Path]:
    """Return the original files of a set; fetch them where that is possible.

    Raises
    ------
    DataError
        They have to be fetched by hand; the message says where, and what to do then.
    """
    fetched = [catalog.get(name) for name in layout.here]
    if fetched and all(e.url or catalog.is_available(e.name) for e in fetched):
        return [catalog.path(entry.name, check=True) for entry in fetched]
    raise DataError(
        f"{layout.name}: {layout.title} has to be fetched by hand, from "
        f"{layout.source}; then run `{_command(layout, layout.files)}`"
    )


def next_command(layout: Layout) -> str:
    """Return the command that prepares a set whose original files are here."""
    return _command(layout, " ".join(layout.here))


def lines(card: dict[str, Any]) -> Iterator[str]:
    """Yield the lines of a data card for people."""
    share = percent(card["anomalies"] / card["rows"])
    yield f"{card['title']}: {card['rows_read']:,} rows read, {card['rows']:,} written"
    yield (
        f"label: {card['label_convention']}; {card['anomalies']:,} anomalies ({share})"
    )
    yield f"categories: {_counts(card['categories'])}"
    if card["splits"]:
        yield f"split: {_counts(card['splits'])}"
    if card["removed"]:
        yield f"removed: {listed(card['removed'])}"
    repeats = f"{card['repeated_rows']:,} rows repeat an earlier one"
    yield f"duplicates: {repeats}{_fate(card)}"
    for column, cells in card["undefined_set_to_0"].items():
        yield f"set to 0: {cells:,} undefined values of {column!r}"
    for column, reason in card["dropped"].items():
        yield f"left out: {column!r}, {reason}"
    symbolic = len(card["symbolic"])
    yield (
        f"features: {card['features']} ({card['features'] - symbolic} numbers, "
        f"{symbolic} symbolic; {card['one_hot_features']} after one-hot encoding)"
    )
    yield from (f"note: {note}" for note in card["notes"])
    yield f"table: {card['path']}"
    yield f"data card: {card['card']}"


def _fate(card: dict[str, Any]) -> str:
    if not card["repeated_rows"]:
        return ""
    kept = "rows that repeat an earlier one" not in card["removed"]
    return " and are kept; --drop-duplicates removes them" if kept else ", removed"


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{name} {rows:,}" for name, rows in counts.items())


def _command(layout: Layout, files: str) -> str:
    return f"whitecrow data prepare {layout.name} {files} -o {layout.name}.parquet"
