"""Labels in and out: tables (CSV, Parquet) and Label Studio's JSON.

A table has one line for each row with an answer; `item` and `label` are what `read`
needs, the other columns say where the label comes from. `content`, the hash of the row,
is how `match` finds the row again in a table that was sorted or grew, and how it knows
that a label is about other data.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
from numpy.typing import NDArray

from whitecrow.active import fitting, log
from whitecrow.active.loop import Loop
from whitecrow.data.formats import open_table
from whitecrow.errors import DataError, LabelError

__all__ = ["Matched", "in_lines", "match", "read", "table", "tasks", "write"]

_SCHEMA = pa.schema(
    [
        ("item", pa.int64()),
        ("label", pa.int8()),
        ("answer", pa.string()),
        ("annotators", pa.string()),
        ("agree", pa.bool_()),
        ("votes", pa.string()),
        ("again", pa.string()),
        ("strategy", pa.string()),
        ("score", pa.float64()),
        ("content", pa.string()),
        ("time", pa.float64()),
    ]
)

_LABELS = {log.ANOMALY: 1, log.NORMAL: 0}
_WORDS = {1.0: log.ANOMALY, 0.0: log.NORMAL}


class _Line(NamedTuple):
    """A label of a file: row number, answer, and the hash of its row or None."""

    item: int | None
    answer: str
    content: str | None


class Matched(NamedTuple):
    """Labels of a file for the rows of a loop.

    Attributes
    ----------
    items : ndarray of int64
        Row indices in the loop.
    answers : list of str
        One for each.
    missing : int
        Labels of rows that the loop does not have: left out.
    by_number : int
        Of the labels, those whose line does not say what the row held, so that only
        the row number could be used.
    """

    items: NDArray[np.int64]
    answers: list[str]
    missing: int
    by_number: int


# Label Studio's names of the control and of what it labels.
_FROM, _TO = "label", "row"


def table(loop: Loop) -> pa.Table:
    """Tabulate what the annotators said.

    Returns
    -------
    pyarrow.Table
        `item` (row number), `label` (1 anomaly, 0 normal, missing where nobody is sure
        or the annotators disagree), `answer` in words, `annotators`, whether they
        `agree`, the `votes` of each, the answers of those who were asked `again` (where
        nobody was, missing), `strategy` and `score` when asked, `content` (hash of the
        row) and `time` of the last answer.

    Examples
    --------
    >>> from whitecrow import IsolationForest
    >>> X = np.random.default_rng(0).normal(size=(50, 2))
    >>> loop = Loop(IsolationForest(), X)
    >>> loop.tell([3, 8], ["anomaly", "unsure"])
    >>> table(loop).select(["item", "label", "answer"]).to_pylist()[1]
    {'item': 8, 'label': None, 'answer': 'unsure'}
    """
    state = loop.state
    lines = [_line(item, state.rows[item]) for item in state.verdicts()]
    return pa.Table.from_pylist(lines, schema=_SCHEMA)


def write(loop: Loop, path: str | Path) -> None:
    """Write the labels to a file; the ending decides the format.

    Parameters
    ----------
    loop : Loop
        Whose labels.
    path : str or Path
        Ends in `.csv`, `.parquet`, or `.json` (tasks of Label Studio, for its import).

    Raises
    ------
    DataError
        For another ending, or if the file cannot be written.
    """
    path = Path(path)
    writer = _by_ending(path, _WRITERS)
    temporary = path.with_name(f".{path.name}.part")
    try:
        writer(loop, temporary)
        temporary.replace(path)
    except OSError as error:
        raise DataError(
            f"{path} cannot be written: {error.strerror or error}"
        ) from None
    finally:
        temporary.unlink(missing_ok=True)


def read(path: str | Path) -> tuple[NDArray[np.int64], list[str]]:
    """Read row indices and answers from a file, for `Loop.tell`.

    Use `match` where the rows may stand in another order, or be others.

    Parameters
    ----------
    path : str or Path
        A `.csv` or `.parquet` with columns `item` and `label` (or `answer`), or an
        export (`.json`) of Label Studio. Lines without a label are left out. A CSV may
        have been saved by a spreadsheet.

    Raises
    ------
    DataError
        If the file is missing or is none of these, or a label has no row number.
    """
    lines = _read(Path(path))
    if any(line.item is None for line in lines):
        raise DataError(f"{path} has labels without a row number in the column 'item'")
    items = [line.item for line in lines]
    return np.array(items, dtype=np.int64), [line.answer for line in lines]


def match(loop: Loop, path: str | Path) -> Matched:
    """Read labels and find the rows that they are about, by what the rows hold.

    A line with the hash of its row (`content`, which `write` gives) is about the row of
    the loop that has this hash, wherever it stands; a line without is about the row of
    its number.

    Parameters
    ----------
    loop : Loop
        Whose rows.
    path : str or Path
        As for `read`.

    Raises
    ------
    DataError
        As for `read`.
    LabelError
        If no label is about a row of the loop.

    Examples
    --------
    >>> import tempfile
    >>> from whitecrow import HBOS
    >>> X = np.random.default_rng(0).normal(size=(50, 2))
    >>> loop, turned = Loop(HBOS(), X), Loop(HBOS(), X[::-1])
    >>> loop.tell([3, 8], ["anomaly", "normal"])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write(loop, f"{folder}/labels.csv")
    ...     match(turned, f"{folder}/labels.csv").items.tolist()
    [46, 41]
    """
    lines = _read(Path(path))
    rows = _rows(loop, lines)
    found = [(row, line) for row, line in zip(rows, lines, strict=True) if row >= 0]
    if lines and not found:
        raise LabelError(
            f"{path}: none of the {len(lines):,} labels is about a row of these data; "
            "import them where these rows were labelled"
        )
    return Matched(
        np.array([row for row, _ in found], dtype=np.int64),
        [line.answer for _, line in found],
        len(lines) - len(found),
        sum(line.content is None for _, line in found),
    )


def _rows(loop: Loop, lines: list[_Line]) -> list[int]:
    """Find the row of the loop that each line is about, -1 for none."""
    rows = [_same(loop, line) for line in lines]
    if min(rows, default=0) >= 0:
        return rows
    # Only now: of a million rows the hashes take seconds.
    taken, where = set(rows), defaultdict(list)
    for row in reversed(range(loop.n)):
        if row not in taken:
            where[fitting.content_hash(loop.rows[row])].append(row)
    for place, line in enumerate(lines):
        if rows[place] < 0 and where[str(line.content)]:
            rows[place] = where[str(line.content)].pop()
    return rows


def _same(loop: Loop, line: _Line) -> int:
    """Return the row with the line's number, or -1 if its content differs."""
    if line.content is None:
        return -1 if line.item is None else line.item
    if line.item is None or not 0 <= line.item < loop.n:
        return -1
    same = fitting.content_hash(loop.rows[line.item]) == line.content
    return line.item if same else -1


def _read(path: Path) -> list[_Line]:
    reader = _by_ending(path, _READERS)
    if not path.is_file():
        raise DataError(f"there is no file {path}; `exchange.write` writes labels")
    try:
        return list(reader(path))
    except (pa.ArrowException, OSError, LookupError, TypeError, ValueError) as error:
        said = " ".join(str(error).split()).removeprefix(f"{path}: ")
        raise DataError(f"{path} holds no labels that can be read: {said}") from None


def _line(item: int, row: log.Row) -> dict[str, Any]:
    last = max(row.answers.values(), key=_age)
    said = {vote for vote in row.votes.values() if vote in _LABELS}
    votes = (f"{who}: {vote}" for who, vote in sorted(row.votes.items()))
    return {
        "item": item,
        "label": _LABELS.get(str(row.verdict)),
        "answer": row.verdict,
        "annotators": ", ".join(sorted(row.votes)),
        "agree": len(said) <= 1 and row.verdict != log.DISPUTED,
        "votes": ", ".join(votes),
        "again": _again(row),
        "strategy": last.strategy,
        "score": last.score,
        "content": last.content,
        "time": last.time,
    }


def _again(row: log.Row) -> str | None:
    twice = [
        f"{who}: {first.answer}, then {second.answer}"
        for who, (first, second) in sorted(row.repeats.items())
    ]
    return ", ".join(twice) or None


def _age(event: log.Event) -> int:
    return event.seq


def _write_csv(loop: Loop, path: Path) -> None:
    pa_csv.write_csv(table(loop), path)


def _write_parquet(loop: Loop, path: Path) -> None:
    pq.write_table(table(loop), path)


def _write_label_studio(loop: Loop, path: Path) -> None:
    path.write_text(in_lines(tasks(loop)), encoding="utf-8")


def tasks(loop: Loop) -> list[dict[str, Any]]:
    """Return tasks for Label Studio to import, one for each row with an answer."""
    return [_task(line) for line in table(loop).to_pylist()]


def in_lines(tasks: list[dict[str, Any]]) -> str:
    """Write tasks as JSON, one a line: indented, thousands of them take seconds."""
    lines = (json.dumps(task, ensure_ascii=False) for task in tasks)
    return "[\n" + ",\n".join(lines) + "\n]\n"


def _task(line: dict[str, Any]) -> dict[str, Any]:
    result = {
        "from_name": _FROM,
        "to_name": _TO,
        "type": "choices",
        "value": {"choices": [line["answer"]]},
    }
    sure = line["label"] is not None
    return {
        "data": {"item": line["item"], "content": line["content"]},
        "annotations": [
            {"result": [result] if sure else [], "was_cancelled": not sure}
        ],
    }


def _from_table(found: pa.Table) -> Iterable[_Line]:
    names = found.column_names
    column = "label" if "label" in names else "answer"
    if "item" not in names and "content" not in names:
        raise DataError("it has no column 'item' with row numbers")
    wanted = [name for name in ("item", column, "content") if name in {*names, column}]
    for line in found.select(wanted).to_pylist():
        if not _is_empty(line[column]):
            content = line.get("content")
            yield _Line(
                _item(line.get("item")),
                _answer(line[column]),
                None if _is_empty(content) else str(content).strip(),
            )


def _is_empty(cell: Any) -> bool:
    return cell is None or cell != cell or not str(cell).strip()


def _item(cell: Any) -> int | None:
    if _is_empty(cell):
        return None
    number = float(cell)
    if number != int(number):
        raise ValueError(f"{cell!r} is not a row number")
    return int(number)


def _answer(cell: Any) -> str:
    """Return the answer that a cell means, or its text, which `tell` then refuses."""
    text = str(cell).strip()
    try:
        return _WORDS.get(float(text), text)
    except ValueError:
        return text.lower()


def _read_csv(path: Path) -> Iterable[_Line]:
    return _from_table(open_table(path).read())


def _read_parquet(path: Path) -> Iterable[_Line]:
    return _from_table(pq.read_table(path))


def _read_label_studio(path: Path) -> Iterable[_Line]:
    for task in json.loads(path.read_text(encoding="utf-8")):
        for annotation in task["annotations"][:1]:
            for result in annotation["result"][:1]:
                choice = _answer(result["value"]["choices"][0])
                data = task["data"]
                yield _Line(_item(data["item"]), choice, data.get("content"))


_WRITERS: dict[str, Callable[[Loop, Path], None]] = {
    ".csv": _write_csv,
    ".parquet": _write_parquet,
    ".json": _write_label_studio,
}
_READERS: dict[str, Callable[[Path], Iterable[_Line]]] = {
    ".csv": _read_csv,
    ".parquet": _read_parquet,
    ".json": _read_label_studio,
}


def _by_ending(path: Path, known: dict[str, Any]) -> Any:
    if path.suffix.lower() not in known:
        raise DataError(
            f"{path} has none of the endings of label files; use {', '.join(known)}"
        )
    return known[path.suffix.lower()]
