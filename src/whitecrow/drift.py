"""How new rows differ from the training rows, column by column.

The measure is the population stability index of a column over the bins of the training
rows (tenths of the numbers, or levels),

    PSI = sum over bins of (p - q) log(p / q),

with the shares p of new rows and q of training rows. Common practice takes 0.1 for a
small shift and 0.25 for a large one. Few rows have a large index by chance, since a bin
without rows weighs much in it. A shift is reported only if the likelihood ratio

    G = 2 n m / (n + m) sum over bins of p log(p / q)

of n new and m training rows also lies beyond the 999th permille of what it is without a
shift, about chi-squared with one degree of freedom less than bins.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from scipy.special import rel_entr
from scipy.stats import binom, chi2

from whitecrow.data.kinds.words import (
    cell_of,
    number_text,
    percent,
    shown,
)
from whitecrow.grouping import moment_text

if TYPE_CHECKING:
    from whitecrow.data.kinds import TableEncoder

__all__ = ["ColumnDrift", "Drift"]

LARGE = 0.25
_CHANCE = 0.001
_LEAST_SHARE = 1e-4  # of a bin without rows
_OUTSIDE = 0.05
_LEVELS = 30  # the most frequent ones; the others share a bin


@dataclass(frozen=True)
class ColumnDrift:
    """How one column differs from training.

    Attributes
    ----------
    column : str
    psi : float or None
        Population stability index; None where training kept no distribution.
    outside : float
        Share of the rows outside of the range of training, or with a new level.
    missing, missing_in_training : float
        Shares of the rows without a value.
    moved : bool
        Whether a person should look.
    text : str
        The most important difference as a sentence; empty if there is none.
    """

    column: str
    psi: float | None
    outside: float
    missing: float
    missing_in_training: float
    moved: bool
    text: str


class Drift:
    """Counts of new rows beside those of training, filled batch by batch.

    Parameters
    ----------
    encoder : TableEncoder
        Fitted on the training rows.
    """

    def __init__(self, encoder: TableEncoder) -> None:
        used = dict.fromkeys(encoder.source_columns_)
        self._counts = {
            name: _counter(name, encoder)
            for name in used
            if _is_compared(encoder.summaries_[name])
        }
        self.watched = {name: _Watched(name, encoder) for name in encoder.watched_}

    def add(self, frame: pa.Table) -> None:
        """Count the cells of some rows."""
        for name, counter in self._counts.items():
            counter.add(frame.column(name))
        for name, watched in self.watched.items():
            if name in frame.column_names:
                watched.add(frame.column(name))

    def columns(self) -> list[ColumnDrift]:
        """Compare every column; those that had one value in training come last."""
        found = {name: one.compared() for name, one in self._counts.items()}
        for name, watched in self.watched.items():
            compared = watched.compared()
            if compared.moved or name not in found:
                found[name] = compared
        return list(found.values())

    def moved(self) -> list[ColumnDrift]:
        """Return the columns that a person should look at, the most different first."""
        found = [one for one in self.columns() if one.moved]
        return sorted(found, key=lambda one: -(one.psi or 0.0) - one.outside)

    def values(self) -> list[dict[str, Any]]:
        """Return the comparison as plain values, for `--json`."""
        return [asdict(one) for one in self.columns()]


class _Watched:
    """Rows of a column that had one value in training, or none."""

    def __init__(self, name: str, encoder: TableEncoder) -> None:
        self.name, self.encoder = name, encoder
        self.rows = self.missing = self.outside = 0
        self.first: tuple[int, str] | None = None

    def add(self, column: Any) -> None:
        differs = self.encoder.differs(self.name, column)
        if self.first is None and differs.any():
            row = int(np.argmax(differs))
            self.first = self.rows + row, shown(cell_of(column, row))
        self.rows += len(differs)
        self.outside += int(differs.sum())
        self.missing += column.null_count

    def compared(self) -> ColumnDrift:
        before = self.encoder.summaries_[self.name].get("missing", 0.0)
        return ColumnDrift(
            column=self.name,
            psi=None,
            outside=self.outside / max(self.rows, 1),
            missing=self.missing / max(self.rows, 1),
            missing_in_training=before,
            moved=self._text() != "",
            text=self._text(),
        )

    def _text(self) -> str:
        value = self.encoder.always(self.name)
        always = f"{self.name!r} was always {value} in training"
        if not self.rows:
            return f"{always}; these data have no such column"
        if self.first is None:
            return ""
        row, other = self.first
        verb = "differs" if self.outside == 1 else "differ"
        counts = f"{self.outside:,} of {self.rows:,} rows {verb}"
        return f"{always}; {counts}: {other} in row {row}"


class _Counter:
    """Rows of one column by bin; what numbers and levels have in common."""

    def __init__(self, name: str, encoder: TableEncoder, shares: NDArray[Any]) -> None:
        self.name, self.encoder = name, encoder
        self.summary = encoder.summaries_[name]
        self.expected = shares  # of the training rows that have a value
        self.counts = np.zeros(len(shares), dtype=np.int64)
        self.rows = self.missing = self.outside = 0
        self.unread: Counter[str] = Counter()

    def add(self, column: Any) -> None:
        bins, outside = self._bins(column)
        known = bins >= 0
        if not known.all() and len(self.unread) < _LEVELS:
            cells = column.filter(pa.array(~known)).drop_null()
            self.unread.update(shown(cell) for cell in cells.to_pylist())
        self.rows += len(bins)
        self.missing += int((~known).sum())
        self.outside += int(outside.sum())
        self.counts += np.bincount(bins[known], minlength=len(self.counts))

    def compared(self) -> ColumnDrift:
        n, m = int(self.counts.sum()), self._known_in_training()
        index = _psi(self.counts / n, self.expected) if n else None
        moved = index is not None and index > LARGE and self._is_no_chance(n, m)
        outside = self.outside / max(self.rows, 1)
        missing, before = self.missing / max(self.rows, 1), self.summary["missing"]
        text = self._text(outside, missing, before, shifted=bool(moved))
        return ColumnDrift(
            column=self.name,
            psi=None if index is None else float(index),
            outside=outside,
            missing=missing,
            missing_in_training=before,
            moved=text != "",
            text=text,
        )

    def _is_no_chance(self, n: int, m: int) -> bool:
        """Tell whether counts this different are rare without a shift."""
        shares, known = self.counts / n, np.maximum(self.expected, 0.5 / m)
        ratio = 2 * n * m / (n + m) * float(rel_entr(shares, known).sum())
        return ratio > float(chi2.isf(_CHANCE, max(len(shares) - 1, 1)))

    def _known_in_training(self) -> int:
        rows = self.summary["rows"] * (1 - self.summary["missing"])
        return max(round(rows), 1)

    def _text(
        self, outside: float, missing: float, before: float, *, shifted: bool
    ) -> str:
        """Describe the most important difference; return "" if there is none."""
        chance = binom.sf(self.missing - 1, self.rows, max(before, 0.01))
        if missing > before + 0.1 and chance < _CHANCE:
            often = self.unread.most_common(1)
            cells = f" ({often[0][1]:,} hold {often[0][0]!r})" if often else ""
            return (
                f"{self.name!r} is missing in {percent(missing)} of the rows{cells}, "
                f"and in {percent(before)} of the training rows"
            )
        if outside > _OUTSIDE and self.outside > 2:
            return f"{self.name!r}: {percent(outside)} of the rows {self._beyond()}"
        if shifted:
            return f"{self.name!r} is distributed differently: {self._shift()}"
        return ""

    def _bins(self, column: Any) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        raise NotImplementedError  # abstract

    def _beyond(self) -> str:
        raise NotImplementedError  # abstract

    def _shift(self) -> str:
        raise NotImplementedError  # abstract


class _Numbers(_Counter):
    """Numbers and times of day, in the tenths of the training rows; gaps of dates."""

    def __init__(self, name: str, encoder: TableEncoder) -> None:
        summary = encoder.summaries_[name]
        deciles = np.asarray(summary["deciles"], dtype=np.float64)
        if summary["kind"] == "date" and not summary.get("clock"):
            # Later rows have later dates; models know their cycles only.
            deciles = np.array([-np.inf, np.inf])
        self.low, self.high = float(deciles[0]), float(deciles[-1])
        # A value that fills several tenths makes one bin of them.
        self.edges, where = np.unique(deciles[:-1], return_inverse=True)
        shares = np.bincount(where) / (len(deciles) - 1)
        super().__init__(name, encoder, shares)

    def _bins(self, column: Any) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        values = self.encoder.chart(self.name, column)
        bins = np.searchsorted(self.edges, values, side="right") - 1
        bins = np.clip(bins, 0, len(self.edges) - 1)
        bins[np.isnan(values)] = -1
        return bins, (values < self.low) | (values > self.high)

    def _beyond(self) -> str:
        low, high = (self._shown(end) for end in (self.low, self.high))
        return f"lie outside of the training range, {low} to {high}"

    def _shift(self) -> str:
        most = int(np.argmax(self.counts / self.counts.sum() - self.expected))
        low = self._shown(self.edges[most])
        last = most + 1 == len(self.edges)
        high = self._shown(self.high if last else self.edges[most + 1])
        now = percent(float(self.counts[most] / self.counts.sum()))
        return (
            f"{now} of the rows lie between {low} and {high}, and "
            f"{percent(float(self.expected[most]))} of the training rows"
        )

    def _shown(self, value: float) -> str:
        if self.summary["kind"] == "date":
            return moment_text(float(value), 60.0)
        return number_text(float(value), self.high - self.low)


class _Levels(_Counter):
    """Categories: the most frequent levels, the others, new ones."""

    def __init__(self, name: str, encoder: TableEncoder) -> None:
        shares = encoder.summaries_[name]["shares"]
        best = sorted(shares.items(), key=lambda item: -item[1])[:_LEVELS]
        self.places = {level: place for place, (level, _) in enumerate(best)}
        self.known = encoder.known_levels(name)
        parts = np.array([share for _, share in best])
        present = 1 - encoder.summaries_[name]["missing"]
        rest = max(present - parts.sum(), 0.0)
        super().__init__(name, encoder, np.append(parts, rest) / max(present, 1e-12))

    def _bins(self, column: Any) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        encoded = self.encoder.levels(self.name, column).dictionary_encode()
        levels = encoded.dictionary.to_pylist()
        other = len(self.places)
        place = np.array([self.places.get(level, other) for level in levels] + [-1])
        known = set(levels) if self.known is None else self.known
        new = np.array([level not in known for level in levels] + [False])
        codes = encoded.indices.fill_null(len(levels)).to_numpy(zero_copy_only=False)
        return place[codes], new[codes]

    def _beyond(self) -> str:
        return "have a level that no training row has"

    def _shift(self) -> str:
        gaps = self.counts / self.counts.sum() - self.expected
        most = int(np.argmax(np.abs(gaps)))
        names = [repr(level) for level in self.places] + ["another level"]
        now = percent(float(self.counts[most] / self.counts.sum()))
        before = percent(float(self.expected[most]))
        return (
            f"{now} of the rows have {names[most]}, and {before} of the training rows"
        )


class _Truths(_Levels):
    """Truth values, however they are written."""

    def __init__(self, name: str, encoder: TableEncoder) -> None:
        shares = encoder.summaries_[name]["shares"]
        self.places = {"false": 0, "true": 1}
        parts = np.array([shares.get(level, 0.0) for level in self.places])
        _Counter.__init__(self, name, encoder, parts / parts.sum())

    def _bins(self, column: Any) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        values = self.encoder.chart(self.name, column)
        bins = np.where(np.isnan(values), -1, values).astype(np.int64)
        return bins, np.zeros(len(bins), dtype=bool)


def _is_compared(summary: dict[str, Any]) -> bool:
    """Tell whether training kept a distribution; older models have none."""
    return "deciles" in summary or bool(summary.get("shares"))


def _counter(name: str, encoder: TableEncoder) -> _Counter:
    if "deciles" in encoder.summaries_[name]:
        return _Numbers(name, encoder)
    if encoder.summaries_[name]["kind"] == "boolean":
        return _Truths(name, encoder)
    return _Levels(name, encoder)


def _psi(new: NDArray[Any], old: NDArray[Any]) -> float:
    """Compute the population stability index; empty bins count as nearly empty."""
    p, q = (np.maximum(shares, _LEAST_SHARE) for shares in (new, old))
    return float(((p - q) * np.log(p / q)).sum())
