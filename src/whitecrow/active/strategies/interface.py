"""What all strategies share: checked inputs, and the interface."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from whitecrow.active.strategies import distances
from whitecrow.errors import DataError, ParameterError

__all__ = ["Floats", "Ids", "Pool", "Seed", "Strategy"]

Ids = NDArray[np.int64]
Floats = NDArray[np.float64]
Seed = int | np.random.Generator | None

# Differences of larger scores may not be finite.
_LARGEST = 1e300


@dataclass(frozen=True)
class Pool:
    """The checked inputs of a query.

    Attributes
    ----------
    n : int
        Number of rows.
    k : int
        How many of them to choose; at least so many are free.
    shown : ndarray of int64
        Rows that have been shown before, whatever the answer.
    rng : Generator
        For strategies that draw.
    scores : ndarray of float64, shape (n,)
        Higher = more anomalous. Empty if the strategy does not need it, as are the
        next two.
    embeddings : ndarray of float32 or float64, shape (n, p)
        Where distances are measured.
    answers : ndarray of float64, shape (n,)
        1 anomaly, 0 normal, NaN unknown.
    ratio : float or None
        Current estimate of the share of anomalies in the pool.
    """

    n: int
    k: int
    shown: Ids
    rng: np.random.Generator
    scores: Floats
    embeddings: distances.Embeddings
    answers: Floats
    ratio: float | None = None

    @property
    def free(self) -> NDArray[np.bool_]:
        """Return a mask of the rows that have not been shown, a new array."""
        free = np.ones(self.n, dtype=np.bool_)
        free[self.shown] = False
        return free

    def after(self, ids: Ids, *, k: int) -> Pool:
        """Return the pool once `ids` have been chosen too, `k` of it to go."""
        return replace(self, shown=np.concatenate([self.shown, ids]), k=k)


class Strategy(ABC):
    """Chooses the rows to show to a person.

    Subclasses are frozen dataclasses whose fields are their parameters. They have a
    `name`, say in `needs` which inputs they read ("scores", "embeddings", "answers"),
    and define `_choose` and `_why`. `sees` says what does best as embeddings of a
    table: the "codes" of a detector, or the "columns".
    """

    name: ClassVar[str]
    needs: ClassVar[frozenset[str]]
    sees: ClassVar[str] = "codes"

    def query(
        self,
        *,
        scores: ArrayLike | None,
        embeddings: ArrayLike | None,
        k: int,
        random_state: Seed,
        labelled: ArrayLike | None = None,
        ratio: float | None = None,
        answers: ArrayLike | None = None,
    ) -> Ids:
        """Return the row indices to ask about, in the order in which to ask.

        Parameters
        ----------
        scores : array-like of shape (n,), or None
            Anomaly scores of the pool, higher = more anomalous.
        embeddings : array-like of shape (n, p), or None
            float32 or float64; other numbers become float64.
        k : int
            How many rows, 1 to the number of rows not shown yet.
        random_state : int, Generator or None
            The same seed gives the same rows.
        labelled : array-like of int, optional
            Rows that have been shown before, whether they were called an anomaly,
            normal, unsure, or were skipped: none of them is asked again, and
            strategies that cover the data count them as covered.
        ratio : float in [0, 1], optional
            Current estimate of the share of anomalies in the pool.
        answers : array-like of shape (n,), optional
            1 anomaly, 0 normal, NaN unknown; for strategies that learn from answers.

        Returns
        -------
        ndarray of int64, shape (k,)
            Distinct, and none of them in `labelled`.

        Raises
        ------
        DataError
            If an input that the strategy needs is missing, not finite, or of another
            length than the rest, or if `labelled` has no rows of the pool.
        ParameterError
            If `k` rows are not left, or `ratio` or `random_state` is illegal.
        """
        given = {"scores": scores, "embeddings": embeddings, "answers": answers}
        n = _n_rows(given)
        used = {
            name: _read(name, given[name], self.name)
            if name in self.needs
            else _UNUSED[name]
            for name in given
        }
        shown = _shown(labelled, n)
        _check_k(k, n, len(shown))
        pool = Pool(n, int(k), shown, _rng(random_state), ratio=_share(ratio), **used)
        return self._choose(pool)

    @abstractmethod
    def _choose(self, pool: Pool) -> Ids:
        """Choose `pool.k` distinct free rows of a checked pool."""

    def why(
        self, position: int, *, shown: int = 0, answers: ArrayLike | None = None
    ) -> str:
        """Say why a row was chosen, for the page.

        Parameters
        ----------
        position : int
            Place in the answer of `query`, from 0.
        shown : int, default=0
            How many rows had been shown before that query.
        answers : array-like of shape (n,), optional
            As they were in that query, for strategies that read them.
        """
        return self._why(position, position + shown)

    @abstractmethod
    def _why(self, position: int, place: int) -> str:
        """Say why, by the place in one query and the place among all rows shown."""


_UNUSED: dict[str, Any] = {
    "scores": np.empty(0),
    "embeddings": np.empty((0, 0), dtype=np.float32),
    "answers": np.empty(0),
}


def _n_rows(given: dict[str, ArrayLike | None]) -> int:
    """Return the length that all inputs share."""
    lengths = {k: len(np.asarray(v)) for k, v in given.items() if v is not None}
    if not lengths:
        raise DataError("a query needs the scores or the embeddings of the pool")
    if len(set(lengths.values())) > 1:
        found = " and ".join(f"{n} {name}" for name, n in lengths.items())
        raise DataError(f"{found} were given; give one of each for every row")
    return next(iter(lengths.values()))


def _read(name: str, given: ArrayLike | None, strategy: str) -> NDArray[Any]:
    """Check one of the inputs, and return it as the strategies take it."""
    if given is None:
        raise DataError(f"strategy {strategy!r} needs {name}; give one for each row")
    if name == "embeddings":
        return distances.checked(given)
    values = np.asarray(given, dtype=np.float64)
    if values.ndim != 1:
        raise DataError(
            f"{name} has shape {values.shape}; give one number for each row"
        )
    fine = np.abs(values) <= _LARGEST
    if name == "scores" and not fine.all():
        row = int(np.flatnonzero(~fine)[0])
        raise DataError(
            f"score of row {row} is {values[row]}, not finite or beyond {_LARGEST:g}; "
            "check the detector"
        )
    return values


def _shown(labelled: ArrayLike | None, n: int) -> Ids:
    """Check which rows were shown, and return their distinct indices."""
    rows = np.unique(np.asarray([] if labelled is None else labelled))
    if not len(rows):
        return np.empty(0, dtype=np.int64)
    if not np.issubdtype(rows.dtype, np.integer):
        raise DataError(
            f"labelled holds {rows.dtype} values; give row numbers, for a mask "
            "np.flatnonzero(mask)"
        )
    if rows[0] < 0 or rows[-1] >= n:
        wrong = rows[0] if rows[0] < 0 else rows[-1]
        raise DataError(f"labelled has row {wrong}; the pool has rows 0 to {n - 1}")
    return rows.astype(np.int64)


def _check_k(k: object, n: int, n_shown: int) -> None:
    left = n - n_shown
    if isinstance(k, bool) or not isinstance(k, int | np.integer) or k < 1:
        raise ParameterError(f"k={k!r}; give a whole number of rows, 1 to {left}")
    if not left:
        raise ParameterError(f"all {n} rows have been shown; end the session")
    if k > left:
        raise ParameterError(
            f"k={k}, but {left} of {n} rows have not been shown; ask for at most {left}"
        )


def _rng(random_state: Seed) -> np.random.Generator:
    try:
        return np.random.default_rng(random_state)
    except (TypeError, ValueError) as error:
        raise ParameterError(
            f"random_state={random_state!r}; take an integer from 0 or a Generator"
        ) from error


def _share(ratio: float | None) -> float | None:
    if ratio is not None and not 0 <= ratio <= 1:
        raise ParameterError(
            f"ratio={ratio!r} is not in [0, 1]; give the share of anomalies, or None"
        )
    return None if ratio is None else float(ratio)
