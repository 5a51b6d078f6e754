"""Whether annotators agree with themselves, asked again, and with each other."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from whitecrow.active.log import ANOMALY, NORMAL, UNSURE, State

__all__ = ["WORDS", "Agreement", "measure", "table"]

WORDS = (ANOMALY, NORMAL, UNSURE)


@dataclass(frozen=True, eq=False)
class Agreement:
    """Two answers to each of some rows.

    Attributes
    ----------
    annotator, other : str
        Who gave them. The same name twice: first answers, and those to the same
        questions asked again.
    counts : ndarray of int, shape (3, 3)
        Rows by the answer of `annotator` (in the order of `WORDS`) and that of `other`.
    """

    annotator: str
    other: str
    counts: NDArray[np.int64]

    @property
    def n(self) -> int:
        """Return the number of rows with two answers."""
        return int(self.counts.sum())

    @property
    def same(self) -> int:
        """Return the number of rows with two equal answers."""
        return int(np.trace(self.counts))

    @property
    def kappa(self) -> float:
        """Return Cohen's kappa: 1 for equal answers, 0 for agreement by chance.

        It is NaN where both gave one and the same answer to all rows.
        """
        n = self.n
        chance = (self.counts.sum(axis=0) / n) @ (self.counts.sum(axis=1) / n)
        return float("nan") if chance == 1 else (self.same / n - chance) / (1 - chance)


def measure(state: State) -> list[Agreement]:
    """Compare each annotator's repeated answers, then every two who share rows.

    Parameters
    ----------
    state : State
        Of a loop, or of `whitecrow.active.replay`. Labels that came with the data
        count as an annotator. An answer that was changed later counts, between two
        annotators, as it is now; a row for which somebody gave two answers and has not
        decided does not.

    Examples
    --------
    >>> from whitecrow.active import Event, replay
    >>> said = [
    ...     Event("answered", item=3, answer="normal", annotator="ann", seq=1),
    ...     Event("answered", item=3, answer="anomaly", annotator="bob", seq=2),
    ...     Event("answered", item=5, answer="normal", annotator="ann", seq=3),
    ...     Event("answered", item=5, answer="normal", annotator="bob", seq=4),
    ... ]
    >>> (found,) = measure(replay(said))
    >>> found.annotator, found.other, found.same, found.n
    ('ann', 'bob', 1, 2)
    """
    found: dict[tuple[str, str], NDArray[np.int64]] = {}
    for (who, other, one, two), rows in state.counts.pairs.items():
        if one in WORDS and two in WORDS:
            empty = np.zeros((len(WORDS), len(WORDS)), dtype=np.int64)
            counts = found.setdefault((who, other), empty)
            counts[WORDS.index(one), WORDS.index(two)] = rows
    people = sorted(found, key=lambda both: (both[0] != both[1], both))
    every = [Agreement(*both, found[both]) for both in people]
    return [agreement for agreement in every if agreement.n]


def table(state: State) -> pa.Table:
    """Tabulate the counts of `measure`.

    Returns
    -------
    pyarrow.Table
        `annotator`, `other`, `answer`, `other_answer` and the number of `rows`.
    """
    schema = pa.schema(
        [(name, pa.string()) for name in ("annotator", "other")]
        + [(name, pa.string()) for name in ("answer", "other_answer")]
        + [("rows", pa.int64())]
    )
    lines = [
        {
            "annotator": one.annotator,
            "other": one.other,
            "answer": WORDS[i],
            "other_answer": WORDS[j],
            "rows": int(one.counts[i, j]),
        }
        for one in measure(state)
        for i, j in np.argwhere(one.counts)
    ]
    return pa.Table.from_pylist(lines, schema=schema)
