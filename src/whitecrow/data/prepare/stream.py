"""The second pass: clean, label and write, never more than a batch in memory.

Nothing is scaled and nothing is turned into several columns here: that is fitted on
training rows, by whitecrow's encoding of tables. Ports stay numbers or are left out;
nothing is encoded with the help of labels.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from whitecrow.data.formats import rebatch
from whitecrow.data.prepare import raw
from whitecrow.data.prepare.blocks import Block, Labels, read
from whitecrow.data.prepare.card import Written, card, ignored, listed
from whitecrow.data.prepare.layout import (
    LABEL,
    OTHERS,
    Anomaly,
    Columns,
    Layout,
    convention,
)
from whitecrow.data.prepare.seen import Seen, hashed, text_hashes
from whitecrow.data.prepare.survey import Facts, Plan, Survey, decide, survey
from whitecrow.errors import DataError, ParameterError

__all__ = ["METADATA_KEY", "Options", "Progress", "write"]

METADATA_KEY = b"whitecrow"
GROUP_ROWS = 1 << 17

BAD, NEGATIVE = "rows with a missing or infinite value", "rows with a negative value"
REPEATED, THINNED = "rows that repeat an earlier one", "attacks thinned out at random"

Progress = Callable[[str, int, int | None], None]
Rows = NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True)
class Options:
    """What a user may decide.

    Attributes
    ----------
    anomaly : {"attack", "normal"} or None
        Which class has label 1; None for that of the publications.
    columns : str or None
        A group of features of the layout.
    drop_duplicates : bool
        Whether rows that repeat an earlier one are removed, not only counted.
    remove_undefined : bool
        Whether undefined rates remove the row where publications set them to 0.
    attack_names : bool
        Whether `category` is the single attack rather than its family.
    seed : int
        For thinning out attacks.
    """

    anomaly: Anomaly | None = None
    columns: str | None = None
    drop_duplicates: bool = False
    remove_undefined: bool = False
    attack_names: bool = False
    seed: int = 0


def write(
    layout: Layout,
    files: Sequence[str],
    target: Path,
    options: Options,
    progress: Progress,
) -> dict[str, Any]:
    """Write the table of a set, incomplete until this returns the data card.

    Parameters and errors are those of `publish.prepare`.
    """
    _check(layout, options)
    if options.remove_undefined:
        layout = replace(layout, zero=())
    found = raw.sources(files, layout)
    first = survey(
        found,
        layout,
        _candidates(found, layout, options),
        lambda rows: progress("first pass", rows, None),
    )
    plan = decide(first, layout, options.columns)
    while True:
        if not plan.columns:
            name, reason = next(iter(plan.dropped.items()))
            raise DataError(
                f"no column is left ({name!r}: {reason}; and so on); give all files of "
                f"{layout.title}"
            )
        second = _Pass(layout, plan, first, options)
        second.write(found, target, lambda n: progress("second pass", n, first.rows))
        facts = second.done.facts
        constant = [name for name, of_column in facts.items() if of_column.is_constant]
        if not constant:
            return card(layout, found, first, plan, second.done, second.anomaly)
        # They lost their variation with the rows that were removed.
        plan = plan.without(dict.fromkeys(constant, "constant once rows were removed"))


def _check(layout: Layout, options: Options) -> None:
    if options.columns is not None and options.columns not in layout.groups:
        legal = ", ".join(layout.groups) or "none"
        raise ParameterError(
            f"--columns {options.columns}: {layout.title} has no such group of "
            f"columns; it has {legal}"
        )
    if options.anomaly is not None and not layout.reversible:
        raise ParameterError(
            f"--anomaly: {layout.title} has outliers and no attacks; leave it out"
        )


def _candidates(
    files: Sequence[raw.Source], layout: Layout, options: Options
) -> Columns:
    """Choose the columns to read: all but the label and those the layout drops."""
    dropped = set(layout.drop)
    if options.columns is not None:
        dropped -= set(layout.revived)
    names = files[0].columns
    return tuple(c for c in names if c != layout.label and c not in dropped)


class _Pass:
    """The second pass over the files, from plan to Parquet."""

    def __init__(
        self, layout: Layout, plan: Plan, first: Survey, options: Options
    ) -> None:
        self.layout, self.plan, self.first, self.options = layout, plan, first, options
        self.anomaly: Anomaly = options.anomaly or layout.anomaly
        self.done = Written(facts={name: Facts() for name in plan.columns})
        self.schema = self._schema()
        self._labels, self._seen = Labels(layout), Seen()
        self._kept_attacks = _sample(layout, first, options.seed)
        self._attacks_so_far = 0

    def write(
        self, files: Sequence[raw.Source], target: Path, on_rows: Callable[[int], None]
    ) -> None:
        """Read the files once more, and write what is left."""
        with pq.ParquetWriter(target, self.schema, compression="zstd") as writer:
            for batch in rebatch(self._batches(files, on_rows), GROUP_ROWS):
                writer.write_batch(batch, row_group_size=GROUP_ROWS)
        if not self.done.rows:
            raise DataError(
                f"no row is left: {listed(self.done.removed)}; give the original "
                f"files of {self.layout.title}"
            )

    def _batches(
        self, files: Sequence[raw.Source], on_rows: Callable[[int], None]
    ) -> Iterator[pa.RecordBatch]:
        needed = tuple(n for n in self.first.facts if n in self.plan.checked)
        rows = 0
        blocks = read(files, self.layout, needed, self._labels, self.done.removed)
        for block in blocks:
            rows += len(block)
            on_rows(rows)
            batch = self._batch(block)
            if batch.num_rows:
                yield batch

    def _batch(self, block: Block) -> pa.RecordBatch:
        keep = self._clean(block, self._thinned(block))
        features, hashes = self._features(block, keep)
        repeats = self._seen.add(hashes)
        self.done.repeats += int(repeats.sum())
        attacks = block.attacks[keep]
        if self.options.drop_duplicates:
            self._remove(REPEATED, int(repeats.sum()))
            features = {n: v.filter(pa.array(~repeats)) for n, v in features.items()}
            attacks = attacks[~repeats]
        for name, column in features.items():
            self._note(name, column)
        columns = [*features.values(), *self._truth(attacks, block.split)]
        return pa.record_batch(columns, schema=self.schema)

    # ------------------------------------------------------------ which rows stay

    def _thinned(self, block: Block) -> Rows:
        """Choose the rows that stay when attacks are thinned out, or all."""
        keep = np.ones(len(block), dtype=bool)
        if self._kept_attacks is not None:
            attack = self._labels.is_attack()[block.attacks]
            start = self._attacks_so_far
            self._attacks_so_far += int(attack.sum())
            keep[attack] = self._kept_attacks[start : self._attacks_so_far]
            self._remove(THINNED, int((~keep).sum()))
        return keep

    def _clean(self, block: Block, keep: Rows) -> Rows:
        """Choose the rows without bad or negative cells; set undefined rates to 0."""
        good, positive = keep.copy(), keep.copy()
        for name, values in block.numbers.items():
            finite = np.isfinite(values)
            if not finite.all():
                if name in self.layout.zero:
                    self.done.zeroed[name] += int((keep & ~finite).sum())
                    values[~finite] = 0.0
                else:
                    good &= finite
            if self.layout.never_negative and self.first.facts[name].negative:
                positive &= ~(values < 0)
        for texts in block.texts.values():
            if texts.null_count:
                good &= texts.is_valid().to_numpy(zero_copy_only=False)
        self._remove(BAD, int((keep & ~good).sum()))
        self._remove(NEGATIVE, int((good & ~positive).sum()))
        return np.asarray(good & positive)

    def _remove(self, reason: str, rows: int) -> None:
        if rows:
            self.done.removed[reason] += rows

    # ---------------------------------------------------------- what is in the rows

    def _features(
        self, block: Block, keep: Rows
    ) -> tuple[dict[str, pa.Array], NDArray[np.uint64]]:
        """Return the columns of the rows that stay, and a hash of each row."""
        mask = None if keep.all() else pa.array(keep)
        features: dict[str, pa.Array] = {}
        parts: list[NDArray[Any]] = []
        for name in self.plan.columns:
            if name in block.numbers:
                values = block.numbers[name]
                values = values if mask is None else values[keep]
                parts.append(values)
                whole = self.first.facts[name].whole
                features[name] = pa.array(values.astype(np.int64) if whole else values)
            else:
                texts = block.texts[name]
                features[name] = texts if mask is None else texts.filter(mask)
                parts.append(_text_hashes(features[name]))
        names = text_hashes([f"{name} {block.split}" for name in self._labels.names])
        parts.append(names[block.attacks[keep]])
        return features, hashed(parts, int(keep.sum()))

    def _note(self, name: str, column: pa.Array) -> None:
        facts = self.done.facts[name]
        if pa.types.is_string(column.type):
            facts.add_texts(column)
        elif len(column):
            ends = pc.min_max(column).as_py()
            facts.low = min(facts.low, ends["min"])
            facts.high = max(facts.high, ends["max"])

    def _truth(self, attacks: NDArray[np.int64], split: str | None) -> list[pa.Array]:
        """Return label and category, and the split if the set has one."""
        wanted = self._labels.is_attack()
        if self.anomaly == "normal":
            wanted = ~wanted
        label = wanted[attacks].astype(np.int8)
        names = self._labels.names
        if not self.options.attack_names:
            names = [self.layout.family(name) for name in names]
        category = pa.array(names, pa.string()).take(pa.array(attacks))
        self.done.rows += len(label)
        self.done.anomalies += int(label.sum())
        for name, rows in zip(
            names, np.bincount(attacks, minlength=len(names)), strict=True
        ):
            self.done.categories[name] += int(rows)
        if split is None:
            return [pa.array(label), category]
        self.done.splits[split] += len(label)
        return [pa.array(label), category, pa.array([split] * len(label), pa.string())]

    def _schema(self) -> pa.Schema:
        symbolic, facts = self.layout.symbolic, self.first.facts
        numbers = {True: pa.int64(), False: pa.float64()}
        fields = [
            (name, pa.string() if name in symbolic else numbers[facts[name].whole])
            for name in self.plan.columns
        ]
        fields += [(LABEL, pa.int8()), (OTHERS[0], pa.string())]
        if self.layout.splits:
            fields.append((OTHERS[1], pa.string()))
        about = {
            "name": self.layout.name,
            "title": self.layout.title,
            "label_convention": convention(self.layout, self.anomaly),
            "label_column": LABEL,
            "ignore": list(ignored(self.layout)),
            "dropped": dict(self.plan.dropped),
        }
        return pa.schema(fields, metadata={METADATA_KEY: json.dumps(about)})


def _sample(layout: Layout, first: Survey, seed: int) -> Rows | None:
    """Draw the attacks that stay, in their order; None for all."""
    if layout.attacks_per_normal is None:
        return None
    wanted = int(layout.attacks_per_normal * (first.rows - first.attacks))
    keep = np.zeros(first.attacks, dtype=bool)
    rng = np.random.default_rng(seed)
    keep[rng.permutation(first.attacks)[:wanted]] = True
    return keep


def _text_hashes(texts: pa.Array) -> NDArray[np.uint64]:
    encoded = texts.dictionary_encode()
    hashes = text_hashes(encoded.dictionary.to_pylist())
    return hashes[encoded.indices.to_numpy(zero_copy_only=False)]
