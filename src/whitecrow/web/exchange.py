"""Labels as files: CSV, Parquet and Label Studio's JSON, out and in."""

from __future__ import annotations

import csv
import datetime as dt
import io
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from whitecrow import labels
from whitecrow.active.log import ANOMALY, ANSWERS, NORMAL
from whitecrow.data.truth import codes as encode
from whitecrow.data.wording import describe
from whitecrow.errors import LabelError

if TYPE_CHECKING:
    import pyarrow as pa

    from whitecrow.active.log import State
    from whitecrow.workflow.inputs import Input

__all__ = ["EXPORTS", "Export", "read", "table", "write"]

_QUESTION, _ITEM = "label", "item"  # names inside Label Studio's JSON


@dataclass(frozen=True)
class Export:
    """A format for labels.

    Attributes
    ----------
    suffix, media_type : str
    content : callable
        From the data and the state of the log to the content of a file.
    """

    suffix: str
    media_type: str
    content: Callable[[Input, State], bytes]


def table(data: Input, state: State) -> pa.Table:
    """One line for each row with an answer.

    Returns
    -------
    pyarrow.Table
        `row` (from 0), `path` for pictures, `label` (1, 0, or missing where nobody is
        sure), `answer`, `annotator` (all, joined by ", "), `round`, `strategy` and
        `anomaly_score` as they were when it was asked about, `time` of the last answer.
    """
    import pyarrow as pa

    lines = [_line(data, state, row) for row in sorted(state.verdicts())]
    types = {
        "row": pa.int64(),
        "path": pa.string(),
        "label": pa.int8(),
        "answer": pa.string(),
        "annotator": pa.string(),
        "round": pa.int64(),
        "strategy": pa.string(),
        "anomaly_score": pa.float64(),
        "time": pa.timestamp("ms", "UTC"),
    }
    if data.pictures is None:
        del types["path"]
    return pa.table(
        {
            name: pa.array([line[name] for line in lines], kind)
            for name, kind in types.items()
        }
    )


def _line(data: Input, state: State, row: int) -> dict[str, Any]:
    verdict, asked = state.verdict(row), state.asked.get(row)
    given = {who: one[row] for who, one in state.answers.items() if row in one}
    last = max(event.time for event in given.values())
    return {
        "row": row,
        "path": data.pictures.paths[row] if data.pictures else None,
        "label": {ANOMALY: 1, NORMAL: 0}.get(str(verdict)),
        "answer": verdict,
        "annotator": ", ".join(sorted(given)),
        "round": None if asked is None else asked.round,
        "strategy": None if asked is None else asked.strategy,
        "anomaly_score": None if asked is None else asked.score,
        "time": dt.datetime.fromtimestamp(last, dt.UTC),
    }


def write(path: Path, data: Input, state: State) -> None:
    """Write `table` as Parquet."""
    import pyarrow.parquet as pq

    pq.write_table(table(data, state), path, compression="zstd")


def _csv(data: Input, state: State) -> bytes:
    found = table(data, state)
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(found.column_names)
    for line in found.to_pylist():
        line["time"] = line["time"].isoformat(timespec="milliseconds")
        writer.writerow([_cell(value) for value in line.values()])
    return stream.getvalue().encode()


def _cell(value: Any) -> Any:
    """A cell that a spreadsheet does not take for a formula."""
    if isinstance(value, str) and value.startswith(("=", "+", "-", "@")):
        return "'" + value
    return value


def _parquet(data: Input, state: State) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    sink = pa.BufferOutputStream()
    pq.write_table(table(data, state), sink, compression="zstd")
    return bytes(sink.getvalue())


def _label_studio(data: Input, state: State) -> bytes:
    tasks = [_task(data, state, row) for row in sorted(state.verdicts())]
    return json.dumps(tasks, indent=1, ensure_ascii=False).encode()


def _task(data: Input, state: State, row: int) -> dict[str, Any]:
    if data.pictures is not None:
        shown = {"image": data.pictures.paths[row]}
    else:
        shown = describe(data.table, row)
    return {
        "id": row + 1,  # Label Studio counts from 1
        "data": {**shown, "whitecrow_row": row},
        "annotations": [
            {
                "completed_by": {"email": who},
                "created_at": dt.datetime.fromtimestamp(e[row].time, dt.UTC).isoformat(),
                "was_cancelled": e[row].answer == "skip",
                "result": [
                    {
                        "from_name": _QUESTION,
                        "to_name": _ITEM,
                        "type": "choices",
                        "value": {"choices": [e[row].answer]},
                    }
                ],
            }
            for who, e in sorted(state.answers.items())
            if row in e
        ],
    }


EXPORTS: dict[str, Export] = {
    "csv": Export(".csv", "text/csv; charset=utf-8", _csv),
    "parquet": Export(".parquet", "application/vnd.apache.parquet", _parquet),
    "json": Export(".json", "application/json", _label_studio),
}


# ------------------------------------------------------------------------------ in


def read(name: str, content: bytes, data: Input) -> dict[int, str]:
    """Labels from a file that `EXPORTS` wrote, or one with a row or path and a label.

    Parameters
    ----------
    name : str
        Of the file; its ending says the format.
    content : bytes
    data : Input
        What the labels are about.

    Returns
    -------
    dict
        Row -> answer.

    Raises
    ------
    LabelError
        One line: the format, column, line or value that does not fit.
    """
    suffix = Path(name).suffix.lower()
    readers = {".csv": _from_csv, ".parquet": _from_parquet, ".json": _from_json}
    if suffix not in readers:
        raise LabelError(f"{name}: labels come as .csv, .parquet or .json")
    try:
        lines = readers[suffix](content)
    except (ValueError, KeyError, TypeError, AttributeError, OSError) as error:
        text = " ".join(str(error).split())[:120]
        raise LabelError(f"{name} cannot be read as {suffix[1:]}: {text}") from error
    places = {path: row for row, path in enumerate(data.pictures.paths)} if (
        data.pictures
    ) else {}
    found: dict[int, str] = {}
    for number, line in enumerate(lines, start=1):
        where = f"{name}, entry {number}"
        answer = _answer(line, where)
        if answer is not None:
            found[_row(line, places, data.n_rows, where)] = answer
    if not found:
        raise LabelError(f"{name} has no label")
    return found


def _from_csv(content: bytes) -> Sequence[Mapping[str, Any]]:
    return list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"))))


def _from_parquet(content: bytes) -> Sequence[Mapping[str, Any]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    return pq.read_table(pa.BufferReader(content)).to_pylist()


def _from_json(content: bytes) -> Sequence[Mapping[str, Any]]:
    return [
        {
            "row": task["data"].get("whitecrow_row"),
            "path": task["data"].get("image"),
            "answer": result["value"]["choices"][0],
        }
        for task in json.loads(content)
        for annotation in task["annotations"]
        for result in annotation["result"]
    ]


def _row(
    line: Mapping[str, Any], places: Mapping[str, int], n_rows: int, where: str
) -> int:
    path, row = line.get("path"), line.get("row")
    if path and places:
        if path not in places:
            raise LabelError(f"{where}: there is no picture {str(path)[:80]!r}")
        return places[path]
    try:
        number = int(row)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        raise LabelError(
            f"{where} names no row; there must be a column 'row'"
            + (" or 'path'" if places else "")
        ) from None
    if not 0 <= number < n_rows:
        raise LabelError(f"{where}: there is no row {number}, only 0 to {n_rows - 1}")
    return number


def _answer(line: Mapping[str, Any], where: str) -> str | None:
    """The answer of a line; None where it has none that can be taken over."""
    given = line.get("answer")
    if given in ANSWERS:
        return str(given)
    if given in (None, "", "disputed"):
        given = line.get("label")
    if isinstance(given, str):
        given = {"1": 1, "0": 0, "1.0": 1, "0.0": 0}.get(given.strip(), given)
    try:
        code = encode([given])[0]
    except LabelError:
        raise LabelError(
            f"{where}: {str(given)[:40]!r} is no label; use {', '.join(ANSWERS)}, 1 or 0"
        ) from None
    if code == labels.UNLABELLED:
        return None
    return ANOMALY if code == labels.ANOMALY else NORMAL
