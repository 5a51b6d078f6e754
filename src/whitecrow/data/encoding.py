"""Tables of mixed columns as matrices of finite numbers, and what was decided.

Fitted on training rows only. Numbers keep their own units, since detectors scale;
every decision about a column can be read, and the whole encoder is plain JSON.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from whitecrow.data.columns import encode_column, plan_column
from whitecrow.data.plans import Plan
from whitecrow.data.wording import describe, usual_sentence
from whitecrow.errors import DataError, ModelFileError, ParameterError

__all__ = ["Decision", "TableEncoder", "describe", "grouped"]

FORMAT = 1
BLOCK_ROWS = 16384  # encoded at once: small enough for the processor's cache

Frame = Any  # a pyarrow Table or RecordBatch, or whatever pyarrow.table() takes

_NOUNS = {
    "number": ("a number", "numbers"),
    "category": ("a category", "categories"),
    "boolean": ("a yes/no column", "yes/no columns"),
    "date": ("a date", "dates"),
    "constant": ("constant", "constant"),
    "missing": ("empty", "empty"),
    "identifier": ("an identifier", "identifiers"),
    "ignored": ("ignored", "ignored"),
}


@dataclass(frozen=True)
class Decision:
    """What becomes of one column; `str()` gives one plain sentence.

    Attributes
    ----------
    column : str
        The name in the table.
    kind : str
        number, category, boolean, date, constant, missing, identifier or ignored.
    action : str
        What is done, such as "kept unchanged" or "left out".
    detail : str
        Why, or with which numbers; may be empty.

    Examples
    --------
    >>> str(Decision("pump", "constant", "left out", "always 'P1'"))
    "'pump' is constant: left out (always 'P1')."
    """

    column: str
    kind: str
    action: str
    detail: str = ""

    def __str__(self) -> str:
        reason = f" ({self.detail})" if self.detail else ""
        return f"{self.column!r} is {_NOUNS[self.kind][0]}: {self.action}{reason}."


class TableEncoder:
    """Encode the columns of a table as finite numbers.

    Numbers, and text of which 95 % are numbers, stay in their units. Categories
    become columns of 0 and 1, one for each level that is not rare. Dates become the
    cycles (hour, weekday, month) that the training rows cover at least twice. Missing
    and infinite cells become the median, with a column that marks them if they
    occurred in training. Constant and empty columns, row numbers and texts that are
    different in every row are left out.

    Attributes
    ----------
    feature_names_ : list of str
        Names of the encoded columns.
    source_columns_ : list of str
        For each of them, the column of the table that it was made from.
    decisions_ : list of Decision
        One for each column of the training table, in its order.
    summaries_ : dict of str to dict
        For each column that was not ignored: `kind`, `rows`, `missing` (share); for
        numbers and dates `min`, `q05`, `q25`, `median`, `q75`, `q95`, `max` (numbers
        in the column's unit, dates as ISO text); for categories `distinct` and
        `shares` (the 200 most frequent levels); for booleans `shares`.
    arrow_types_ : dict of str to pyarrow.DataType
        The types to read the used columns of text files with, for `reading.stream`.

    Examples
    --------
    >>> frame = pa.table({"flow": [1.0, 2.0, None, 4.0], "valve": ["a", "b", "a", "b"]})
    >>> encoder = TableEncoder().fit(frame)
    >>> encoder.feature_names_
    ['flow', 'flow is missing', 'valve=a', 'valve=b', 'valve=(other)']
    >>> encoder.transform(pa.table({"valve": ["c"], "flow": [3.0]}))
    array([[3., 0., 0., 0., 1.]])
    >>> encoder.usual("valve", "c")
    "'c', never in training rows"
    """

    _plans: list[Plan]

    def fit(self, frame: Frame, *, ignore: Iterable[str] = ()) -> Self:
        """Decide from training rows what becomes of each column.

        Parameters
        ----------
        frame : pyarrow.Table, or anything that pyarrow.table() takes
            Training rows, at least one.
        ignore : iterable of str
            Columns to leave out, such as the labels.

        Raises
        ------
        DataError
            No rows, a repeated column name, no column that can be used.
        ParameterError
            A column to ignore does not exist.
        """
        table = _as_table(frame)
        left_out = set(ignore)
        _check_ignore(left_out, table.column_names)
        if table.num_rows == 0:
            raise DataError("the table has no rows; training needs at least one")
        plans = []
        for name in table.column_names:
            if name in left_out:
                plans.append(Plan(name, "ignored", "left out", "as asked for"))
            else:
                plans.append(plan_column(name, table.column(name)))
        plans = _with_unique_features(plans)
        if not any(plan.features for plan in plans):
            reasons = "; ".join(str(_decision(plan)) for plan in plans[:5])
            raise DataError(f"no column of the table can be used: {reasons}")
        self._set_plans(plans)
        return self

    def transform(self, frame: Frame, *, first_row: int = 0) -> NDArray[np.float64]:
        """Encode rows, as decided in `fit`.

        Parameters
        ----------
        frame : pyarrow.Table or RecordBatch, or anything that pyarrow.table() takes
            n rows with at least the used columns; others are ignored, see `notes`.
        first_row : int
            Number of the first row in its source, for messages.

        Returns
        -------
        ndarray of float64, shape (n, d)
            In C order, without NaN or infinity.

        Raises
        ------
        DataError
            A used column is missing (with names that are close), or a cell is of
            another type than in training (with its row).
        """
        table = _as_table(frame)
        used = [plan for plan in self._fitted() if plan.features]
        _check_present(used, table.column_names)
        columns = [table.column(plan.column) for plan in used]
        result = np.empty((table.num_rows, len(self.feature_names_)))
        for start in range(0, table.num_rows, BLOCK_ROWS):
            block = result[start : start + BLOCK_ROWS]
            place = 0
            for plan, column in zip(used, columns, strict=True):
                part = column.slice(start, BLOCK_ROWS)
                for values in encode_column(plan, part, first_row + start):
                    block[:, place] = values
                    place += 1
        return result

    def notes(self, frame: Frame) -> tuple[str, ...]:
        """What is unusual about the columns of new rows, one sentence each.

        Columns that are ignored because training did not have them, levels of
        categories that training did not have, and missing cells where training had
        none (they become the median).
        """
        table = _as_table(frame)
        known = {plan.column for plan in self._fitted()}
        extra = [name for name in table.column_names if name not in known]
        found = []
        if extra:
            found.append(
                f"columns that training did not have are ignored: {_few(extra)}"
            )
        for plan in self._plans:
            if plan.features and plan.column in table.column_names:
                found += _column_notes(plan, table.column(plan.column))
        return tuple(found)

    def usual(self, column: str, value: Any) -> str:
        """How usual a cell is, in a sentence with the column's own units.

        Parameters
        ----------
        column : str
        value : object
            A cell as pyarrow's `as_py` gives it.

        Raises
        ------
        ParameterError
            There was no such column in training.
        """
        self._fitted()
        if column in self.summaries_:
            return usual_sentence(self.summaries_[column], value)
        names = [plan.column for plan in self._plans]
        if column in names:
            return usual_sentence({"kind": "ignored"}, value)
        raise ParameterError(f"no column {column!r} in training{_close(column, names)}")

    def to_dict(self) -> dict[str, Any]:
        """The fitted encoder as plain JSON data."""
        return {"format": FORMAT, "columns": [asdict(plan) for plan in self._fitted()]}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """The encoder that `to_dict` described, after JSON or directly.

        Raises
        ------
        ModelFileError
            The data do not describe an encoder of this version.
        """
        if data.get("format") != FORMAT:
            raise ModelFileError(
                f"table encoding of format {data.get('format')!r}; this version of "
                f"whitecrow reads format {FORMAT}"
            )
        try:
            plans = [_plan_from(record) for record in data["columns"]]
        except (KeyError, TypeError, AttributeError) as error:
            raise ModelFileError(
                f"the table encoding is damaged ({error}); fit and save the model again"
            ) from error
        encoder = cls()
        encoder._set_plans(plans)
        return encoder

    def _fitted(self) -> list[Plan]:
        if not hasattr(self, "_plans"):
            raise DataError("the table encoder is not fitted; call fit(frame) first")
        return self._plans

    def _set_plans(self, plans: list[Plan]) -> None:
        self._plans = plans
        self.feature_names_ = [name for plan in plans for name in plan.features]
        self.source_columns_ = [plan.column for plan in plans for _ in plan.features]
        self.decisions_ = [_decision(plan) for plan in plans]
        self.summaries_ = {p.column: p.summary for p in plans if p.summary}
        self.arrow_types_ = {
            plan.column: _reading_type(plan) for plan in plans if plan.features
        }


def grouped(decisions: Iterable[Decision]) -> list[str]:
    """Sentences about decisions, one for all columns that are treated alike.

    Examples
    --------
    >>> grouped([Decision("a", "number", "kept"), Decision("b", "number", "kept")])
    ["2 columns ('a', 'b') are numbers: kept."]
    """
    groups: dict[tuple[str, str, str], list[Decision]] = {}
    for one in decisions:
        groups.setdefault((one.kind, one.action, one.detail), []).append(one)
    sentences = []
    for (kind, action, detail), members in groups.items():
        if len(members) == 1:
            sentences.append(str(members[0]))
            continue
        names = _few([one.column for one in members])
        reason = f" ({detail})" if detail else ""
        noun = _NOUNS[kind][1]
        sentences.append(
            f"{len(members)} columns ({names}) are {noun}: {action}{reason}."
        )
    return sentences


# ---------------------------------------------------------------------- helpers


def _as_table(frame: Frame) -> pa.Table:
    if isinstance(frame, pa.RecordBatch):
        frame = pa.Table.from_batches([frame])
    elif not isinstance(frame, pa.Table):
        frame = pa.table(frame)
    names = frame.column_names
    if len(set(names)) < len(names):
        name = next(name for name in names if names.count(name) > 1)
        raise DataError(
            f"the column name {name!r} appears {names.count(name)} times; rename all "
            "but one"
        )
    return frame


def _check_ignore(left_out: set[str], names: list[str]) -> None:
    for name in sorted(left_out - set(names)):
        raise ParameterError(f"no column {name!r} to ignore{_close(name, names)}")


def _check_present(used: list[Plan], names: list[str]) -> None:
    absent = [plan.column for plan in used if plan.column not in names]
    if absent:
        which = ", ".join(
            f"{name!r}{_close(name, names, short=True)}" for name in absent[:3]
        )
        more = f" and {len(absent) - 3} more" if len(absent) > 3 else ""
        raise DataError(
            f"{len(absent)} of {len(used)} columns of the training data are missing: "
            f"{which}{more}; add or rename them"
        )


def _close(name: str, names: list[str], *, short: bool = False) -> str:
    lowered = {other.lower(): other for other in names}
    close = difflib.get_close_matches(name.lower(), lowered, n=3, cutoff=0.6)
    if close:
        return f" (close: {_few([lowered[key] for key in close])})"
    return "" if short else f"; the columns are {_few(names)}"


def _few(names: list[str], most: int = 6) -> str:
    listed = ", ".join(repr(name) for name in names[:most])
    return f"{listed}, ..." if len(names) > most else listed


def _decision(plan: Plan) -> Decision:
    return Decision(plan.column, plan.kind, plan.action, plan.detail)


def _with_unique_features(plans: list[Plan]) -> list[Plan]:
    """Two columns may be named so that their features would be called the same."""
    taken: set[str] = set()
    result = []
    for plan in plans:
        names = []
        for name in plan.features:
            while name in taken:
                name += "'"
            taken.add(name)
            names.append(name)
        result.append(replace(plan, features=tuple(names)))
    return result


def _reading_type(plan: Plan) -> pa.DataType:
    if plan.kind == "number" and not plan.settings["tolerant"]:
        return pa.float64()
    return pa.string()  # parsed by the encoder, whatever the first rows hold


def _plan_from(record: Mapping[str, Any]) -> Plan:
    plan = Plan(**record)
    if plan.kind not in _NOUNS:
        raise KeyError(plan.kind)
    return replace(plan, features=tuple(plan.features))


def _column_notes(plan: Plan, column: Any) -> list[str]:
    found = []
    missing = pc.is_null(column, nan_is_null=pa.types.is_floating(column.type))
    count = int(pc.sum(missing).as_py() or 0)
    if count and not plan.summary["missing"]:
        found.append(
            f"{plan.column!r} is missing in {count} rows, which training never had"
        )
    if plan.kind == "category":
        last = encode_column(plan, column)[-1]
        seen = plan.summary["distinct"] == len(plan.settings["levels"])
        count = int(last.sum()) - (0 if plan.settings["missing"] else count)
        if count > 0 and seen:
            found.append(
                f"{plan.column!r} has a level that training never had in {count} rows"
            )
    return found
