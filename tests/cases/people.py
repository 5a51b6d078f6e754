"""Files as people have them: writing small ones, and what the commands made of them."""

from __future__ import annotations

import html
import io
import re
import zipfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

N = 300
ODD = 7
"""The planted row."""


@dataclass(frozen=True)
class Ran:
    """One command: its exit code, and what it printed."""

    code: int
    out: str
    err: str

    @property
    def text(self) -> str:
        return self.out + self.err

    def ok(self) -> Ran:
        assert self.code == 0, self.text
        return self

    def refused(self, *words: str) -> Ran:
        """One line that names the place and the remedy, and exit code 2."""
        assert self.code == 2, f"exit code {self.code}: {self.text}"
        said = [line for line in self.err.splitlines() if line.strip()]
        assert said, "nothing is said"
        assert len(said) <= 3, self.err
        return self.says(*words)

    def says(self, *words: str) -> Ran:
        for word in words:
            assert re.search(word, self.text, re.I), f"no /{word}/ in: {self.text}"
        return self

    def never_says(self, *words: str) -> Ran:
        for word in words:
            assert not re.search(word, self.text, re.I), f"/{word}/ in: {self.text}"
        return self


@dataclass(frozen=True)
class Found(Ran):
    """What `detect` wrote: in the order of the rows."""

    rank: list[int]
    flag: list[bool]
    score: list[float]
    report: str

    @property
    def words(self) -> str:
        """The report as a person reads it, without what draws it."""
        bare = re.sub(r"(?is)<(script|style)\b.*?</\1>", " ", self.report)
        bare = re.sub(r"(?i)<wbr\b[^>]*>", "", bare)
        text = html.unescape(re.sub(r"<[^>]+>", " ", bare)).replace("\xad", "")
        return re.sub(r"[\u200b\u2060]", "", re.sub(r"\s+", " ", text))

    def first(self, row: int = ODD, at_most: int = 1) -> Found:
        told = f"row {row} has rank {self.rank[row]} of {len(self.rank)}\n{self.text}"
        assert self.rank[row] <= at_most, told
        return self

    def rows(self, count: int) -> Found:
        assert len(self.rank) == count, f"{len(self.rank)} rows\n{self.text}"
        return self

    def tells(self, *words: str) -> Found:
        """Both the terminal and the report say it."""
        self.says(*words)
        for word in words:
            assert re.search(word, self.words, re.I), f"no /{word}/ in the report"
        return self


def scores_of(path: Path) -> list[dict[str, Any]]:
    """Rows of scores.parquet in the order of the data."""
    rows: list[dict[str, Any]] = pq.read_table(path).to_pylist()
    return sorted(rows, key=lambda row: row["row"])


class Desk:
    """A folder with a person's files, and the commands that they run there."""

    def __init__(
        self, folder: Path, run: Callable[..., Ran], sessions: Sequence[Any] = ()
    ) -> None:
        self.folder, self.run, self.sessions = folder, run, sessions

    def __truediv__(self, name: str) -> Path:
        return self.folder / name

    def detect(self, name: str, *options: str, method: str | None = "knn") -> Found:
        how = () if method is None else ("--method", method)
        return self.found(self.run("detect", name, "-o", "found", *how, *options))

    def found(self, ran: Ran) -> Found:
        """What a `detect` wrote into the folder `found`."""
        ran.ok()
        rows = scores_of(self / "found/scores.parquet")
        return Found(
            ran.code,
            ran.out,
            ran.err,
            rank=[row["rank"] for row in rows],
            flag=[row["is_anomaly"] for row in rows],
            score=[row["anomaly_score"] for row in rows],
            report=(self / "found/report.html").read_text(encoding="utf-8"),
        )

    def fit(self, name: str, *options: str, to: str = "m.crow") -> Ran:
        return self.run("fit", name, "-o", to, *options).ok()

    def score(self, name: str, *options: str, model: str = "m.crow") -> list[float]:
        self.run("score", model, name, "-o", "s.parquet", *options).ok()
        return [row["anomaly_score"] for row in scores_of(self / "s.parquet")]

    def table(self, name: str, columns: Mapping[str, Iterable[Any]], **how: Any) -> str:
        (self / name).write_bytes(delimited(columns, **how))
        return name


def delimited(
    columns: Mapping[str, Iterable[Any]],
    *,
    sep: str = ",",
    encoding: str = "utf-8",
    above: str = "",
    header: bool = True,
    end: str = "\n",
) -> bytes:
    """Columns as text; what needs quotes has to bring them."""
    rows = zip(*columns.values(), strict=True)
    lines = [sep.join(map(str, row)) for row in rows]
    if header:
        lines = [sep.join(columns), *lines]
    return (above + end.join(lines) + end).encode(encoding)


# --- numbers ------------------------------------------------------------------------


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def prices(odd: float = 99_999.5, mean: float = 1500, sd: float = 200) -> list[float]:
    values = rng(1).normal(mean, sd, N)
    values[ODD] = odd
    return [float(value) for value in values]


def loads(digits: int = 3) -> list[str]:
    """An ordinary second column."""
    return [f"{value:.{digits}f}" for value in rng(2).normal(10, 2, N)]


def comma(text: str) -> str:
    """Points and commas change places."""
    return text.translate(str.maketrans(",.", ".,"))


def quoted(text: str) -> str:
    return f'"{text}"'


# --- workbooks ----------------------------------------------------------------------

_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_DOCUMENT = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006/relationships"
_TYPES = "http://schemas.openxmlformats.org/package/2006/content-types"
_OFFICE = "application/vnd.openxmlformats-officedocument.spreadsheetml"
_HEAD = '<?xml version="1.0" encoding="UTF-8"?>'

DATE, CLOCK = "date", "clock"


@dataclass(frozen=True)
class Serial:
    """A number that Excel shows as a date, a date with a time, or a time."""

    days: float
    style: int = 1


def workbook(path: Path, sheets: Mapping[str, Sequence[Sequence[Any]]]) -> str:
    """A minimal .xlsx file; None leaves a cell out."""
    names = list(sheets)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("[Content_Types].xml", _content_types(len(names)))
        file.writestr(
            "_rels/.rels", _relations([("officeDocument", "xl/workbook.xml")])
        )
        entries = "".join(
            f'<sheet name="{html.escape(name)}" sheetId="{i}" r:id="rId{i}"/>'
            for i, name in enumerate(names, 1)
        )
        file.writestr(
            "xl/workbook.xml",
            f'{_HEAD}<workbook xmlns="{_MAIN}" xmlns:r="{_DOCUMENT}">'
            f"<sheets>{entries}</sheets></workbook>",
        )
        targets = [
            ("worksheet", f"worksheets/sheet{i}.xml") for i in range(1, len(names) + 1)
        ]
        file.writestr(
            "xl/_rels/workbook.xml.rels",
            _relations([*targets, ("styles", "styles.xml")]),
        )
        file.writestr("xl/styles.xml", _STYLES)
        for i, name in enumerate(names, 1):
            file.writestr(f"xl/worksheets/sheet{i}.xml", _sheet(sheets[name]))
    return path.name


_STYLES = (
    f'{_HEAD}<styleSheet xmlns="{_MAIN}"><fonts><font/></fonts><fills><fill/></fills>'
    "<borders><border/></borders><cellStyleXfs><xf/></cellStyleXfs><cellXfs>"
    '<xf numFmtId="0"/><xf numFmtId="14" applyNumberFormat="1"/>'
    '<xf numFmtId="22" applyNumberFormat="1"/><xf numFmtId="21" applyNumberFormat="1"/>'
    "</cellXfs></styleSheet>"
)


def _content_types(sheets: int) -> str:
    parts = [("/xl/workbook.xml", "sheet.main"), ("/xl/styles.xml", "styles")]
    parts += [
        (f"/xl/worksheets/sheet{i}.xml", "worksheet") for i in range(1, sheets + 1)
    ]
    overrides = "".join(
        f'<Override PartName="{part}" ContentType="{_OFFICE}.{kind}+xml"/>'
        for part, kind in parts
    )
    relations = "application/vnd.openxmlformats-package.relationships+xml"
    return (
        f'{_HEAD}<Types xmlns="{_TYPES}">'
        f'<Default Extension="rels" ContentType="{relations}"/>'
        f'<Default Extension="xml" ContentType="application/xml"/>{overrides}</Types>'
    )


def _relations(targets: Sequence[tuple[str, str]]) -> str:
    entries = "".join(
        f'<Relationship Id="rId{i}" Type="{_DOCUMENT}/{kind}" Target="{target}"/>'
        for i, (kind, target) in enumerate(targets, 1)
    )
    return f'{_HEAD}<Relationships xmlns="{_PACKAGE}">{entries}</Relationships>'


def _sheet(rows: Sequence[Sequence[Any]]) -> str:
    body = "".join(
        f'<row r="{i}">'
        + "".join(_cell(f"{_letter(j)}{i}", cell) for j, cell in enumerate(row))
        + "</row>"
        for i, row in enumerate(rows, 1)
        if row
    )
    return (
        f'{_HEAD}<worksheet xmlns="{_MAIN}"><sheetData>{body}</sheetData></worksheet>'
    )


def _letter(column: int) -> str:
    return "ABCDEFGHIJKLMNOPQRSTUVWXYZ"[column]


def _cell(at: str, value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, Serial):
        return f'<c r="{at}" s="{value.style}"><v>{value.days!r}</v></c>'
    if isinstance(value, bool):
        return f'<c r="{at}" t="b"><v>{int(value)}</v></c>'
    if isinstance(value, int | float):
        return f'<c r="{at}"><v>{value!r}</v></c>'
    text = html.escape(str(value), quote=False)
    return f'<c r="{at}" t="inlineStr"><is><t xml:space="preserve">{text}</t></is></c>'


def zipped(path: Path, members: Mapping[str, bytes]) -> str:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in members.items():
            file.writestr(name, content)
    path.write_bytes(buffer.getvalue())
    return path.name
