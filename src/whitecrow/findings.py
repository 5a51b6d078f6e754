"""What was found: the one object that report, terminal and JSON show."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from whitecrow import grouping, scores
from whitecrow.choose import Choice
from whitecrow.data.kinds import grouped
from whitecrow.data.kinds.number import range_text
from whitecrow.data.rows import PictureRows, TableRows
from whitecrow.errors import MissingDependencyError
from whitecrow.learning import Fit
from whitecrow.metrics.quality import Quality, beside_chance, percent
from whitecrow.model import Model
from whitecrow.notes import Note

if TYPE_CHECKING:
    import pyarrow as pa

    from whitecrow.metrics.pixels import PixelQuality
    from whitecrow.reasons import Reason

__all__ = ["FILES", "Findings", "encoding_of"]

REPORT, SCORES, FLAGGED, MODEL = (
    "report.html",
    "scores.parquet",
    "flagged.csv",
    "model.crow",
)
FILES = (REPORT, SCORES, FLAGGED, MODEL)
"""What `result.write` puts into a folder."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Findings:
    """Scores of rows with the reasons, and everything that a reader has to know.

    Attributes
    ----------
    fit : Fit
        The model and the rows that it ranked.
    top : list of int
        Rows with the highest scores, the highest first.
    explained : list of int
        Rows with reasons, by rank: those of `top`, and the flagged ones.
    reasons : mapping of int to tuple of Reason
        For the explained rows of a table.
    quality : Quality or None
        None where no row has a label.
    pixels : PixelQuality or None
        Where defects have masks.
    folder : Path or None
        Where `write` put the files.
    """

    fit: Fit
    top: list[int]
    explained: list[int]
    reasons: Mapping[int, tuple[Reason, ...]]
    quality: Quality | None = None
    pixels: PixelQuality | None = None
    folder: Path | None = None

    # --- what was fitted --------------------------------------------------------------

    @property
    def source(self) -> str:
        """The data as the user named them."""
        return self.rows.source

    @property
    def kind(self) -> str:
        """What the rows are: "table" or "picture"."""
        return self.rows.kind

    @property
    def model(self) -> Model:
        """The fitted model."""
        return self.fit.model

    @property
    def choice(self) -> Choice:
        """The method with its settings."""
        return self.fit.choice

    @property
    def rows(self) -> TableRows | PictureRows:
        """The rows that were ranked."""
        return self.fit.rows

    @property
    def X(self) -> NDArray[Any]:
        """The rows as the detector takes them."""
        return self.fit.X

    @property
    def labels_used(self) -> bool:
        """Whether labels had a part in training."""
        return self.fit.labels_used

    @property
    def seconds(self) -> float:
        """Time for encoding, fitting and scoring."""
        return self.fit.seconds

    # --- what it says -----------------------------------------------------------------

    @property
    def scores(self) -> NDArray[np.float64]:
        """The anomaly score of each row; higher = more anomalous."""
        return self.fit.scores

    @property
    def threshold(self) -> float:
        """Rows with a higher score are flagged."""
        return self.model.threshold

    @property
    def threshold_source(self) -> str:
        """Where the threshold comes from, as a sentence."""
        said = str(self.model.detector.threshold_source_)
        said = said.replace("no score stands out", "no training score stands out")
        return said.replace("training rows", f"training {self.rows.things}")

    @cached_property
    def flagged(self) -> NDArray[np.bool_]:
        """Whether each row is an anomaly by the threshold."""
        return np.asarray(self.scores > self.threshold)

    @property
    def n_flagged(self) -> int:
        """How many rows are flagged."""
        return int(self.flagged.sum())

    @cached_property
    def order(self) -> NDArray[np.intp]:
        """Positions of the rows, the highest score first."""
        return np.argsort(-self.scores, kind="stable")

    @cached_property
    def ranks(self) -> NDArray[np.int64]:
        """1 for the highest score; equal scores are ranked in the order of rows."""
        ranks = np.empty(len(self.scores), dtype=np.int64)
        ranks[self.order] = np.arange(1, len(self.scores) + 1)
        return ranks

    @property
    def notes(self) -> tuple[Note, ...]:
        """What was read and decided, the loudest first."""
        return self.fit.said

    @cached_property
    def groups(self) -> tuple[grouping.Group, ...]:
        """Flagged rows that share a reason or an episode in time, largest first."""
        if isinstance(self.rows, PictureRows):
            return ()
        why = {row: self.reasons[row] for row in self.explained if self.flagged[row]}
        found = (
            *grouping.by_reason(why, self.scores, self._sides(list(why))),
            *grouping.by_episode(self.flagged, self.scores, self.moments),
        )
        return tuple(sorted(found, key=lambda group: -len(group.rows)))

    @cached_property
    def moments(self) -> NDArray[np.float64] | None:
        """Seconds since 1970 of each row, where the table has a time axis."""
        encoder = self.model.encoder
        if encoder is None or encoder.moment_ is None:
            return None
        assert isinstance(self.rows, TableRows)
        return encoder.chart(encoder.moment_, self.rows.frame.column(encoder.moment_))

    @property
    def identifiers(self) -> list[str]:
        """Columns that say who a row is."""
        encoder = self.model.encoder
        return [] if encoder is None else encoder.identifiers_

    def name(self, row: int) -> str:
        """Say what a person calls a row: its position, line and time, and who it is."""
        return self.model.name(self.rows, row)

    # --- where it goes ----------------------------------------------------------------

    def to_arrow(self) -> pa.Table:
        """Give all rows with their score, rank, flag and reasons, in their order."""
        table = self.columns()
        if isinstance(self.rows, TableRows):
            for name in self.rows.frame.column_names:
                free = scores.free_name(name, table.column_names)
                table = table.append_column(free, self.rows.frame.column(name))
        return table

    def to_frame(self) -> Any:
        """Give all rows with their score, rank, flag and reasons as a pandas frame.

        Raises
        ------
        MissingDependencyError
            Without pandas; `to_arrow` does without.
        """
        try:
            return self.to_arrow().to_pandas()
        except ModuleNotFoundError:
            raise MissingDependencyError(
                "to_frame needs pandas: pip install pandas, or use to_arrow()"
            ) from None

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self.reading()}>"

    def reading(self) -> str:
        """Say the result in one line."""
        quality = self.quality
        verb = "is" if self.n_flagged == 1 else "are"
        things = self.rows.things
        text = f"{self.n_flagged:,} of {len(self.rows):,} {things} {verb} flagged"
        if quality is not None and quality.precision is not None:
            hits = quality.true_positives
            what = "is a labelled anomaly" if hits == 1 else "are labelled anomalies"
            text += (
                f"; {hits:,} of these {what} (precision {percent(quality.precision)}"
            )
            recall = quality.recall
            text += ")" if recall is None else f", recall {percent(recall)})"
        if quality is not None and quality.auroc is not None:
            text += f"; AUROC {quality.auroc:.3f}{beside_chance(quality.auroc)}"
        if self.pixels is not None:
            text += (
                f"; by pixel AUROC {self.pixels.auroc:.3f}, PRO {self.pixels.pro:.3f}"
            )
        return text + "."

    def next_steps(self) -> list[tuple[str, str]]:
        """Say what to do next: (purpose, command), to be pasted where `detect` ran."""
        folder = self.folder or Path()
        pictures = self.kind == "picture"
        new = "NEW_PICTURES" if pictures else "NEW_DATA.csv"
        thing = "picture" if pictures else "row"
        row = str(self.rows.position(self.top[0]) if self.top else 0)
        model = str(folder / MODEL)
        score = ["whitecrow", "score", model, new, "-o", "new_scores.csv"]
        explain = ["whitecrow", "explain", model, self.source, "--row", row]
        return [
            ("Score new data with this model", shlex.join(score)),
            (f"Explain any {thing}, not only those above", shlex.join(explain)),
            (
                "Look at the scores in Python",
                "import pyarrow.parquet as pq; "
                f"pq.read_table({str(folder / SCORES)!r})",
            ),
        ]

    def files(self) -> dict[str, str]:
        """Name the files that `write` made, by what they hold."""
        if self.folder is None:
            return {}
        names = {
            "report": REPORT,
            "flagged_rows": FLAGGED,
            "scores": SCORES,
            "model": MODEL,
        }
        return {what: str(self.folder / name) for what, name in names.items()}

    def summary(self) -> dict[str, Any]:
        """Give the result as plain values, for `--json`."""
        return {
            "source": self.source,
            "kind": self.kind,
            "rows": len(self.rows),
            "flagged": self.n_flagged,
            "method": self.choice.method.name,
            "chosen_because": self.choice.reason,
            "threshold": self.threshold,
            "threshold_source": self.threshold_source,
            "labels_used": self.labels_used,
            "quality": self.quality.to_dict() if self.quality else None,
            "pixels": self.pixels.to_dict() if self.pixels else None,
            "top": [self._plain(row) for row in self.top],
            "groups": [
                {"text": one.text, "rows": len(one.rows)} for one in self.groups
            ],
            "notes": [asdict(note) for note in self.notes],
            "encoding": encoding_of(self.model),
            "seed": self.choice.seed,
            "seconds": round(self.seconds, 3),
            **self.files(),
        }

    def _sides(self, rows: list[int]) -> dict[tuple[int, str], str]:
        """Say of each number that is a reason at which end of the usual range it is."""
        encoder, sides = self.model.encoder, {}
        if encoder is None or not rows:
            return {}
        assert isinstance(self.rows, TableRows)
        frame = self.rows.take(rows).frame
        for column in {r.column for row in rows for r in self.reasons[row]}:
            summary = encoder.summaries_[column]
            if summary["kind"] != "number":
                continue
            low, high = summary["q05"], summary["q95"]
            values = encoder.chart(column, frame.column(column))
            for row, value in zip(rows, values, strict=True):
                side = grouping.side_of(value, low, high, range_text(summary))
                sides[row, column] = side
        return {place: side for place, side in sides.items() if side}

    def _plain(self, row: int) -> dict[str, Any]:
        found = {
            "row": self.rows.position(row),
            "anomaly_score": float(self.scores[row]),
            "is_anomaly": bool(self.flagged[row]),
            "reasons": [str(reason) for reason in self.reasons.get(row, ())],
        }
        if isinstance(self.rows, PictureRows):
            return found | {"path": self.rows.paths[row]}
        lines = self.rows.lines([row])
        found |= {"line": lines[0]} if lines else {}
        return found | {"identifiers": self.model.who(self.rows, row)}

    def columns(self, names: Sequence[str] = ()) -> pa.Table:
        """Give all rows with what we say of them, and some columns of the data."""
        more: dict[str, Any] = {"rank": self.ranks}
        rows = range(len(self.rows))
        more["reasons"] = [
            "; ".join(map(str, self.reasons[row])) if row in self.reasons else None
            for row in rows
        ]
        if isinstance(self.rows, TableRows):
            lines = self.rows.lines(rows)
            more |= {} if lines is None else {"line": np.asarray(lines, dtype=np.int64)}
        return scores.columns(
            self.rows, self.scores, self.threshold, identifiers=names, more=more
        )


def encoding_of(model: Model) -> list[str]:
    """Say what became of the columns, one sentence for all that are alike."""
    return [] if model.encoder is None else grouped(model.encoder.decisions_)
