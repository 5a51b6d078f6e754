"""Where labels stand in a table, and what they mean: the only place that decides it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from whitecrow import labels
from whitecrow.data.kinds import text
from whitecrow.data.truth import codes as encode
from whitecrow.errors import DataError, LabelError, ParameterError

__all__ = ["CONVENTIONS", "LabelColumn", "Labelling", "codes_of"]

CONVENTIONS: dict[str, Callable[[Any], NDArray[np.float64]]] = {
    "deep-sad": labels.from_deep_sad,
    "sklearn-semi": labels.from_sklearn_semi,
    "outlier-predict": labels.from_outlier_predict,
}
_SHOWN = 10
_FAULTS = {"error", "err", "invalid", "void", "missing", "no reading", "fehlt"}
"""Words for a missing value in other columns that name a fault among labels."""
_NOT_LABELLED = {
    *("unlabeled", "unlabelled", "not labeled", "not labelled", "unchecked"),
    *("not checked", "not reviewed", "ungepr\u00fcft", "nicht gepr\u00fcft"),
}


@dataclass(frozen=True, kw_only=True)
class Labelling:
    """Where labels are and how they are written.

    Attributes
    ----------
    column : str or None
        The label column.
    convention : str or None
        A key of `CONVENTIONS` where labels are not 1, 0 and missing.
    anomaly_values : tuple of str
        Values that mean an anomaly; "!normal" means every value but "normal".
    """

    column: str | None = None
    convention: str | None = None
    anomaly_values: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.convention is not None and self.convention not in CONVENTIONS:
            legal = ", ".join(CONVENTIONS)
            raise ParameterError(
                f"--labels {self.convention!r} is not a convention; use one of {legal}"
            )
        if self.convention and self.anomaly_values:
            raise ParameterError(
                "--labels and --anomaly-value both say what labels mean; give one"
            )

    @property
    def given(self) -> bool:
        """Tell whether anything is said about labels."""
        return bool(self.column or self.convention or self.anomaly_values)

    def filled(self, other: Labelling) -> Labelling:
        """Fill in from `other` what is not given here.

        The meaning of labels belongs to their column: another column inherits nothing.
        """
        meaning = self if self.convention or self.anomaly_values else other
        if self.column not in (None, other.column):
            meaning = self
        return Labelling(
            column=self.column or other.column,
            convention=meaning.convention,
            anomaly_values=meaning.anomaly_values,
        )


class LabelColumn:
    """The labels of a table, read batch by batch under one rule.

    Parameters
    ----------
    rule : Labelling
        With a column.
    source : str
        What the user called the data, for messages.
    """

    def __init__(self, rule: Labelling, source: str) -> None:
        self.rule, self.source = rule, source
        self._wanted = {v.removeprefix("!") for v in rule.anomaly_values}
        self._seen: dict[str, None] = {}
        self.unlabelled: dict[str, None] = {}
        """Words that count as unlabelled."""

    def codes(self, column: Any, *, first_row: int = 0) -> labels.Codes:
        """Read the labels of some rows.

        Parameters
        ----------
        column : pyarrow array
            The labels as they stand in the file.
        first_row : int, default=0
            Position of the first one in the source, for messages.

        Returns
        -------
        ndarray of int8, shape (n,)

        Raises
        ------
        LabelError
            For a value outside the convention: the column, row, value and the options
            that say what it means.
        """
        import pyarrow as pa

        if isinstance(column, pa.ChunkedArray):
            column = column.combine_chunks()
        if pa.types.is_nested(column.type):
            raise LabelError(
                f"column {self.rule.column!r} holds {column.type}, which is no label; "
                "name another with --label-column"
            )
        if pa.types.is_dictionary(column.type):
            # It may hold levels that no row has, and gaps.
            column = column.dictionary_decode()
        encoded = column.dictionary_encode(null_encoding="encode")
        values = encoded.dictionary.to_pylist()
        where = encoded.indices.to_numpy(zero_copy_only=False)
        self._note(values)
        codes = np.empty(len(values), dtype=np.int8)
        for index, value in enumerate(values):
            if self._says_nothing(value):
                codes[index] = labels.UNLABELLED
                continue
            try:
                codes[index] = _code(value, self.rule)
            except LabelError as error:
                row = first_row + int(np.flatnonzero(where == index)[0])
                counts = np.bincount(where, minlength=len(values)).tolist()
                known = {
                    f"{v:g}" if isinstance(v, float) else str(v): n
                    for v, n in zip(values, counts, strict=True)
                    if _canonical(v) is not None and not self._says_nothing(v)
                }
                raise LabelError(_not_a_label(self.rule, row, value, known)) from error
        return codes[where]

    def check(self) -> None:
        """Refuse an anomaly value that never occurred: most likely it is misspelt.

        Raises
        ------
        LabelError
            With some of the values that did occur.
        """
        for value in self.rule.anomaly_values:
            plain = value.removeprefix("!")
            if plain in self._wanted:
                more = ", ..." if len(self._seen) >= _SHOWN else ""
                raise LabelError(
                    f"--anomaly-value {value!r}: column {self.rule.column!r} of "
                    f"{self.source} has no {plain!r}; it has "
                    f"{', '.join(self._seen)}{more}"
                )

    def _says_nothing(self, value: Any) -> bool:
        """Tell whether a word means that a row has no label, and keep it for a note."""
        if not isinstance(value, str) or not (word := value.strip()):
            return False
        named = {one.removeprefix("!") for one in self.rule.anomaly_values}
        lowered = word.lower()
        nothing = text.says_nothing(word) and lowered not in _FAULTS
        if word in named or not (nothing or lowered in _NOT_LABELLED):
            return False
        self.unlabelled.setdefault(word)
        return True

    def _note(self, values: list[Any]) -> None:
        present = [value for value in values if _canonical(value) is not None]
        for value in present[:_SHOWN]:
            if len(self._seen) < _SHOWN:
                self._seen.setdefault(str(value))
        if self._wanted:
            found = {_canonical(value) for value in present}
            self._wanted = {v for v in self._wanted if _canonical(v) not in found}


def codes_of(values: ArrayLike, anomaly_values: tuple[str, ...]) -> NDArray[np.int8]:
    """Encode a label column by the values that mean an anomaly.

    Parameters
    ----------
    values : array-like of shape (n,)
        The label column; numbers are compared as numbers, everything else as text.
    anomaly_values : tuple of str
        The values that mean an anomaly, or "!value" for every value but that one.

    Returns
    -------
    ndarray of int8, shape (n,)
        `ANOMALY`, `NORMAL`, or `UNLABELLED` where the value is missing.

    Raises
    ------
    DataError
        If plain values and "!value" are mixed, or none is given.

    Examples
    --------
    >>> codes_of(["neptune", "normal", None], ("!normal",))
    array([ 1,  0, -1], dtype=int8)
    >>> codes_of([0.0, 1.0], ("1",))
    array([0, 1], dtype=int8)
    """
    negated = [value.startswith("!") for value in anomaly_values]
    if not anomaly_values or any(negated) != all(negated):
        raise DataError(
            f"anomaly values {anomaly_values} are neither all plain nor all '!value': "
            "give the values that mean an anomaly, or '!normal' for all but normal"
        )
    wanted = {_canonical(value.removeprefix("!")) for value in anomaly_values}
    # A set has few distinct labels and many rows: decide once per distinct value.
    column = np.asarray(values)
    rows = (column if column.dtype.kind in "iufb" else column.astype(object)).tolist()
    texts = {value: _canonical(value) for value in set(rows)}
    decided = {
        value: labels.UNLABELLED if text is None else (text in wanted) != negated[0]
        for value, text in texts.items()
    }
    return np.array([decided[value] for value in rows], dtype=np.int8)


def describe(column: str | None, codes: labels.Codes, words: Iterable[str] = ()) -> str:
    """Say in a sentence how many labels there are of each kind.

    `words` are those that count as unlabelled.
    """
    n_odd = int((codes == labels.ANOMALY).sum())
    counts = {
        "anomaly" if n_odd == 1 else "anomalies": n_odd,
        "normal": int((codes == labels.NORMAL).sum()),
        "unlabelled": int((codes == labels.UNLABELLED).sum()),
    }
    shown = ", ".join(f"{n:,} {name}" for name, n in counts.items() if n)
    said = ", ".join(map(repr, words))
    return f"labels in column {column!r}: {shown}" + (f" ({said})" if said else "")


def kinds_named(values: Iterable[str], kinds: Iterable[str], source: str) -> None:
    """Refuse an anomaly value that is not a kind of picture.

    Raises
    ------
    LabelError
        With the kinds that there are.
    """
    present = sorted(set(kinds))
    for value in values:
        if value.removeprefix("!") not in present:
            raise LabelError(
                f"--anomaly-value {value!r}: {source} has no pictures of that kind; "
                f"it has {', '.join(kind or 'no kinds' for kind in present)}"
            )


def _code(value: Any, rule: Labelling) -> np.int8:
    if rule.anomaly_values:
        return codes_of([value], rule.anomaly_values)[0]
    if isinstance(value, str) and rule.column and labels.asks(rule.column):
        answer = labels.in_a_question(value)
        value = value if answer is None else answer
    value = _unquoted(value)
    if rule.convention is None or value is None:
        return encode([value])[0]
    if isinstance(value, str):
        raise LabelError(f"{value!r} is not a number")
    return encode(CONVENTIONS[rule.convention]([value]))[0]


def _unquoted(value: Any) -> Any:
    """Read the numbers and truth values that stand in a column of text."""
    if not isinstance(value, str):
        return value
    word = value.strip().lower()
    if word in {"true", "false"}:
        return word == "true"
    try:
        return float(word)
    except ValueError:
        return value.strip()


def _canonical(value: Any) -> str | None:
    """Write a label so that 1, 1.0, True and "1" are equal; None if it is missing."""
    if value is None or value != value:
        return None
    try:
        return repr(float(value))
    except (TypeError, ValueError):
        return str(value).strip() or None


def _not_a_label(rule: Labelling, row: int, value: Any, values: dict[str, int]) -> str:
    found = f"column {rule.column!r} has the label {value!r} in row {row}, which is"
    if rule.convention is not None:
        return f"{found} not in the convention --labels {rule.convention}"
    number = _unquoted(value)
    if isinstance(number, (int, float)) and number < 0:
        return (
            f"{found} 'anomaly' for some tools and 'unlabelled' for others; say which "
            "with --labels deep-sad (-1 anomaly, 0 unlabelled, 1 normal), "
            "--labels sklearn-semi (-1 unlabelled) or "
            "--labels outlier-predict (-1 anomaly, 1 normal)"
        )
    return (
        f"{found} neither 1 or 'anomaly', nor 0 or 'normal', nor missing; say which "
        f"value means an anomaly, for example "
        f"{labels.suggested(rule.column or '', values)}; '!' means all but that"
    )
