"""Until `whitecrow.result` exists: a Result of today's workflow, for tests."""

from __future__ import annotations

import datetime as dt
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa

from whitecrow import grouping
from whitecrow.report.strips import usual_text
from whitecrow.data.encoding import TableEncoder
from whitecrow.data.rows import PictureRows, TableRows
from whitecrow.workflow import quality, reasons, training
from whitecrow.workflow.inputs import Labelling


@dataclass(frozen=True)
class Note:
    text: str
    level: int = 0
    column: str | None = None
    remedy: str = ""


def number(value: Any) -> float:
    if isinstance(value, dt.datetime):
        return value.replace(tzinfo=value.tzinfo or dt.UTC).timestamp()
    if isinstance(value, dt.date):
        return float((value - dt.date(1970, 1, 1)).days * 86400)
    if isinstance(value, dt.time):
        return value.hour * 3600.0 + value.minute * 60 + value.second
    try:
        return float(value)
    except (TypeError, ValueError):
        try:
            return number(dt.datetime.fromisoformat(str(value)))
        except ValueError:
            return float("nan")


class Encoder:
    def __init__(self, fitted: TableEncoder, frame: pa.Table) -> None:
        self._fitted = fitted
        self.decisions_ = [
            SimpleNamespace(
                column=d.column, kind=d.kind, action=d.action, detail=d.detail,
                remedy="", level=0, text=str(d), __str__=lambda s: s.text,
            )
            for d in fitted.decisions_
        ]
        self.summaries_ = fitted.summaries_
        self.source_columns_ = fitted.source_columns_
        self.identifiers_ = [d.column for d in fitted.decisions_ if d.kind == "identifier"]
        dates = [d.column for d in fitted.decisions_ if d.kind == "date"]
        self.moment_ = dates[0] if dates else None

    def chart(self, column: str, cells: Any) -> np.ndarray:
        if pa.types.is_floating(cells.type) or pa.types.is_integer(cells.type):
            found = cells.cast(pa.float64()).to_numpy(zero_copy_only=False) if isinstance(cells, pa.Array) else cells.cast(pa.float64()).to_numpy()
            return found
        return np.array([number(v) for v in cells.to_pylist()], dtype=float)


class TheseRows(TableRows):
    def __init__(self, data: Any) -> None:
        self.frame, self.codes = data.features, data.codes

    def __len__(self) -> int:
        return self.frame.num_rows

    def position(self, row: int) -> int:
        return row

    def lines(self, rows: Any) -> list[int]:
        return [int(r) + 2 for r in rows]

    def name(self, row: int) -> str:
        return f"row {row}"


class ThesePictures(PictureRows):
    def __init__(self, data: Any) -> None:
        self.codes = data.codes
        if data.pictures is not None:
            p = data.pictures
            self.images, self.paths, self.kinds = p.images, p.paths, p.kinds
            self.skipped, self.folder = p.skipped, data.folder
            self.part = tuple(x.partition("/")[0] if x.split("/")[0] in {"train", "test"} else "" for x in p.paths)

    def __len__(self) -> int:
        return len(self.paths)

    def position(self, row: int) -> int:
        return row

    def file(self, row: int) -> Path | None:
        return None if self.folder is None else self.folder / self.paths[row]

    def name(self, row: int) -> str:
        return self.paths[row]


class Result:
    def __init__(self, fitted: Any, top: int = 20, notes: tuple[Note, ...] | None = None) -> None:
        data = fitted.data
        self.source, self.kind = data.source, data.kind
        self.rows, self.X = (TheseRows if data.pictures is None else ThesePictures)(data), fitted.X
        encoder = None if fitted.encoder is None else Encoder(fitted.encoder, data.features)
        self.model = SimpleNamespace(detector=fitted.detector, encoder=encoder, info={})
        self.choice = fitted.choice
        self.scores, self.threshold = fitted.scores, fitted.threshold
        self.threshold_source = fitted.detector.threshold_source_
        self.flagged, self.order, self.ranks = fitted.flagged, fitted.order, fitted.ranks
        self.labels_used, self.seconds = fitted.labels_used, fitted.seconds
        n = max(top, min(1000, int(self.flagged.sum())))
        self.explained = [int(r) for r in self.order[:n]]
        self.top = self.explained[:top]
        self.reasons, self.groups = {}, ()
        if encoder is not None and self.explained:
            frame = data.table.take(self.explained)
            found = reasons.of_rows(fitted.detector, fitted.encoder, frame)
            self.reasons = dict(zip(self.explained, found, strict=True))
            self.groups = self._groups(frame)
        self.quality = quality.evaluate(data.codes, self.scores, self.flagged)
        self.pixels = None
        if notes is None:
            notes = tuple(Note(n) for n in (*data.notes, *fitted.encoding))
        self.notes = notes

    def _groups(self, frame: pa.Table) -> tuple[grouping.Group, ...]:
        encoder, sides = self.model.encoder, {}
        for column in {r.column for rs in self.reasons.values() for r in rs}:
            summary = encoder.summaries_[column]
            if summary["kind"] != "number":
                continue
            values = encoder.chart(column, frame[column])
            for row, value in zip(self.explained, values, strict=True):
                if side := grouping.side_of(value, summary["q05"], summary["q95"], usual_text(summary)):
                    sides[row, column] = side
        flagged = {r: self.reasons[r] for r in self.explained if self.flagged[r]}
        return tuple(sorted(
            (*grouping.by_reason(flagged, self.scores, sides),
             *grouping.by_episode(self.flagged, self.scores, self.moments)),
            key=lambda group: -len(group.rows)))

    @property
    def moments(self) -> Any:
        column = self.model.encoder.moment_
        return None if column is None else self.model.encoder.chart(column, self.rows.frame[column])

    def next_steps(self) -> list[tuple[str, str]]:
        return [("Score new data with this model", "whitecrow score out/model.crow NEW_DATA.csv -o new_scores.parquet")]


def result_of(source: str, *, label: str | None = None, anomaly: tuple[str, ...] = (), ignore: tuple[str, ...] = (), method: str | None = None, notes: Any = None, top: int = 20, contamination: str = "auto") -> Result:
    data = training.read_for_training(source, Labelling(column=label, ignore=ignore, anomaly_values=anomaly))
    choice = training.choose(data.kind, method, use_labels=False, contamination=contamination)
    return Result(training.fit(data, choice, use_labels=False), top, notes)
