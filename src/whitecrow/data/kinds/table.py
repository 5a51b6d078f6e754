"""Tables of mixed columns as matrices of finite numbers, and what was decided.

Fitted on training rows only. Numbers keep their own units, since detectors scale;
every decision about a column can be read, and the whole encoder is plain JSON.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, replace
from functools import cache
from typing import Any, Self

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin

from whitecrow.data.kinds import (
    category,
    constant,
    moment,
    number,
    number_style,
    parts,
    truth,
)
from whitecrow.data.kinds.as_written import as_written, texts_of
from whitecrow.data.kinds.choose import (
    check_how,
    encode_column,
    plain_cells,
    plan_column,
)
from whitecrow.data.kinds.decision import NOUNS, decision_of, few
from whitecrow.data.kinds.frame import Frame, as_table
from whitecrow.data.kinds.plan import Plan, Usual
from whitecrow.data.kinds.text import clean_text, distinct, family_of, flat
from whitecrow.data.kinds.words import rows_text, shown
from whitecrow.errors import DataError, ModelFileError, ParameterError

__all__ = ["TableEncoder"]

FORMAT = 2
BLOCK_ROWS = 16384  # written at once: small enough for the processor's cache
CHUNK_ROWS = 1 << 18  # read at once: different texts are looked at once in each

SEPARATOR = b"separator"
"""Key of a schema's metadata: what stands between the cells of the file."""

Floats = NDArray[np.float64]


class TableEncoder(TransformerMixin, BaseEstimator):
    """Encode the columns of a table as finite numbers.

    Numbers stay in their units, also where text holds them as people write them (money,
    percent, thousands marks, decimal commas). Categories become one column that says
    how rare a level is, and a few that tell common levels apart, see
    `whitecrow.data.kinds.category`. Dates become the cycles (hour, weekday, month) that
    the training rows cover at least twice. Missing cells become the median, with a
    column that marks them if they occurred in training; infinite and huge cells count
    as far beyond all others. Constant and empty columns, row numbers and texts that are
    different in every row are left out.

    Parameters
    ----------
    ignore : iterable of str
        Columns to leave out, such as the labels.
    read_as : mapping of str to str, optional
        How to read a column, where the column does not tell or tells wrongly: number,
        decimal-comma, decimal-point, date, day-first, month-first, year-first, clock,
        duration, category, identifier, truth, ignore, or `missing:VALUE`.

    Attributes
    ----------
    feature_names_ : list of str
        Names of the encoded columns.
    source_columns_ : list of str
        For each of them, the column of the table that it was made from.
    decisions_ : list of Decision
        One for each column of the training table, in its order.
    identifiers_ : list of str
        Columns that say who a row is.
    moment_ : str or None
        The column of dates by which the rows are in order, or another one of dates.
    summaries_ : dict of str to dict
        For each column that was not ignored: `kind`, `rows`, `missing` (share); for
        numbers and dates `min`, `q05`, `q25`, `median`, `q75`, `q95`, `max` (numbers
        in the column's unit, dates as ISO text) and `deciles` (eleven numbers, of dates
        in seconds since 1970), of money its `decimal` mark, of durations `lasting`;
        for categories `distinct`, `shares` and `counts` (the 200 most frequent levels);
        for booleans `shares`.

    Examples
    --------
    >>> frame = pa.table({"flow": [1.0, 2.0, None, 4.0], "valve": ["a", "b", "a", "b"]})
    >>> encoder = TableEncoder().fit(frame)
    >>> encoder.feature_names_
    ['flow', 'flow is missing', 'valve rarity', 'valve code 1']
    >>> encoder.transform(pa.table({"valve": ["c"], "flow": [3.0]}))
    array([[3.        , 0.        , 2.32192809, 0.        ]])
    >>> encoder.usual("valve", "c")
    Usual(text="'c'", usual='never in training rows', common=False)
    """

    _plans: list[Plan]

    def __init__(
        self,
        *,
        ignore: Iterable[str] = (),
        read_as: Mapping[str, str] | None = None,
    ) -> None:
        self.ignore = ignore
        self.read_as = read_as

    def fit(self, frame: Frame, y: object = None) -> Self:
        """Decide from training rows what becomes of each column.

        Parameters
        ----------
        frame : pyarrow.Table, or any frame with columns
            Training rows, at least one.
        y : object
            Not used; scikit-learn's pipelines pass it.

        Raises
        ------
        DataError
            No rows, a repeated column name, no column that can be used.
        ParameterError
            A column to ignore or to read in a certain way does not exist, or it cannot
            be read in that way.
        """
        table = as_table(frame)
        names = table.column_names
        ignored = {self.ignore} if isinstance(self.ignore, str) else set(self.ignore)
        hows = dict(self.read_as or {})
        _check_named(ignored, names, "to ignore")
        _check_named(set(hows), names, "to read")
        for name, how in hows.items():
            check_how(name, how)
        if table.num_rows == 0:
            raise DataError("the table has no rows; training needs at least one")
        hows |= dict.fromkeys(ignored, "ignore")
        plans = _with_unique_features(_plan(table, hows))
        if not any(plan.features for plan in plans):
            said = (str(decision_of(plan)).rstrip(".") for plan in plans[:5])
            reasons = "; ".join(said)
            raise DataError(f"no column of the table can be used: {reasons}")
        self._set_plans(plans)
        return self

    def transform(self, frame: Frame, *, first_row: int = 0) -> Floats:
        """Encode rows, as decided in `fit`.

        Parameters
        ----------
        frame : pyarrow.Table, or any frame with columns
            n rows with at least the used columns; others are ignored, see `notes`.
        first_row : int
            Index of the first row in its source, for messages.

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
        table = as_table(frame)
        used = [plan for plan in self._fitted() if plan.features]
        _check_present(self._plans, table.column_names)
        columns = [table.column(plan.column) for plan in used]
        result = np.empty((table.num_rows, len(self.feature_names_)))
        for start in range(0, table.num_rows, CHUNK_ROWS):
            encoded: list[Floats] = []
            for plan, column in zip(used, columns, strict=True):
                part = column.slice(start, CHUNK_ROWS)
                encoded += encode_column(plan, part, first_row + start)
            _interleave(encoded, result[start : start + CHUNK_ROWS])
        return result

    def get_feature_names_out(self, input_features: object = None) -> NDArray[Any]:
        """Names of the encoded columns, as scikit-learn asks for them."""
        self._fitted()
        return np.array(self.feature_names_, dtype=object)

    def notes(self, frame: Frame) -> tuple[str, ...]:
        """What is unusual about the columns of new rows, one sentence each.

        Columns that are ignored because training did not have them, levels of
        categories that training did not have, and missing cells where training had
        none (they become the median).
        """
        table = as_table(frame)
        known = {plan.column for plan in self._fitted()}
        extra = [name for name in table.column_names if name not in known]
        found = []
        if extra:
            found.append(
                f"columns that training did not have are ignored: {few(extra)}"
            )
        for plan in self._plans:
            if plan.features and plan.column in table.column_names:
                found += _column_notes(plan, table.column(plan.column))
        return tuple(found)

    def usual(self, column: str, value: Any) -> Usual:
        """A cell and what is usual in its column, both as a person reads them.

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
        plan = self._plan_of(column)
        if isinstance(value, bytes):
            value = value.decode("utf-8", "replace")
        absent = plan.settings.get("absent_words", ())
        if isinstance(value, str) and value.strip() in absent:
            value = None
        return _usual(plan, value)

    def chart(self, column: str, cells: Any) -> Floats:
        """The cells of a column as numbers for a chart.

        Parameters
        ----------
        column : str
        cells : pyarrow.Array or ChunkedArray
            Some cells of that column.

        Returns
        -------
        ndarray of float64
            Numbers in their unit, durations in seconds, dates in seconds since 1970,
            times of day in seconds since midnight; NaN where a cell is missing, and
            for categories, of which `summaries_` has the shares.

        Raises
        ------
        ParameterError
            There was no such column in training.
        """
        plan = self._plan_of(column)
        try:
            return _chart(plan, plain_cells(plan, cells))
        except DataError:  # cells of another type than in training
            return np.full(len(cells), np.nan)

    @property
    def watched_(self) -> list[str]:
        """Columns that had one value, or none, in all training rows."""
        return [p.column for p in self._fitted() if constant.is_watched(p)]

    def differs(self, column: str, cells: Any) -> NDArray[np.bool_]:
        """Tell which cells of a watched column are not what they were in training."""
        plan = self._plan_of(column)
        return constant.differs(plan, plain_cells(plan, cells))

    def always(self, column: str) -> str:
        """Give what the cells of a watched column were in training."""
        return constant.always(self._plan_of(column))

    def as_written(self, frames: Iterable[Frame]) -> tuple[Self, tuple[str, ...]]:
        """Settle on all new rows how their cells are written.

        Parameters
        ----------
        frames : iterable of pyarrow.Table
            All rows that will be encoded.

        Returns
        -------
        encoder : TableEncoder
            For these rows.
        notes : tuple of str
            What is open, or counts as missing, a sentence each.
        """
        plans, notes = as_written(self._fitted(), *texts_of(frames))
        encoder = type(self)(ignore=self.ignore, read_as=self.read_as)
        encoder._set_plans(plans)
        return encoder, tuple(notes)

    def levels(self, column: str, cells: Any) -> pa.Array:
        """Give the cells of a category as its levels are written, null if missing."""
        plan = self._plan_of(column)
        return clean_text(plain_cells(plan, cells).cast(pa.string()))

    def known_levels(self, column: str) -> set[str] | None:
        """Give the levels that a category had in training; None if not all are kept."""
        plan = self._plan_of(column)
        levels = plan.settings.get("levels")
        if levels is None or len(levels) < plan.summary["distinct"]:
            return None
        return {level for level in levels if level is not None}

    def to_dict(self) -> dict[str, Any]:
        """The fitted encoder as plain JSON data."""
        return {"format": FORMAT, "columns": [asdict(plan) for plan in self._fitted()]}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """The encoder that `to_dict` described, after JSON or directly.

        Format 1, of earlier versions, encodes as it did then.

        Raises
        ------
        ModelFileError
            The data do not describe an encoder of this version.
        """
        if data.get("format") not in {1, FORMAT}:
            raise ModelFileError(
                f"table encoding of format {data.get('format')!r}; this version of "
                f"whitecrow reads formats 1 and {FORMAT}"
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

    def _plan_of(self, column: str) -> Plan:
        for plan in self._fitted():
            if plan.column == column:
                return plan
        names = [plan.column for plan in self._plans]
        raise ParameterError(f"no column {column!r} in training{_close(column, names)}")

    def _set_plans(self, plans: list[Plan]) -> None:
        self._plans = plans
        self.feature_names_ = [name for plan in plans for name in plan.features]
        self.source_columns_ = [plan.column for plan in plans for _ in plan.features]
        self.decisions_ = [decision_of(plan) for plan in plans]
        self.summaries_ = {p.column: p.summary for p in plans if p.summary}
        self.identifiers_ = [p.column for p in plans if p.kind == "identifier"]
        self.moment_ = _time_axis(plans)
        self.feature_names_in_ = np.array([p.column for p in plans], dtype=object)
        self.n_features_in_ = len(plans)


# ------------------------------------------------------------------------ planning


def _plan(table: pa.Table, hows: Mapping[str, str]) -> list[Plan]:
    """A plan for each column; what one does not tell, the others may."""
    separator = (table.schema.metadata or {}).get(SEPARATOR, b"").decode()

    @cache
    def marks() -> str:
        columns = (
            distinct(flat(field.name, table.column(field.name)))
            for field in table.schema
            if family_of(field.type) == "text" and hows.get(field.name) != "ignore"
        )
        return number_style.table_mark(columns)

    return [
        plan_column(name, table.column(name), hows.get(name, ""), marks, separator)
        for name in table.column_names
    ]


def _check_named(wanted: set[str], names: list[str], purpose: str) -> None:
    for name in sorted(wanted - set(names)):
        raise ParameterError(f"no column {name!r} {purpose}{_close(name, names)}")


def _check_present(plans: list[Plan], names: list[str]) -> None:
    """Refuse rows without a used column, which a new one may be by another name."""
    used, present = [plan for plan in plans if plan.features], set(names)
    absent = [plan.column for plan in used if plan.column not in present]
    if absent:
        known = {plan.column for plan in plans}
        new = [name for name in names if name not in known]
        which = ", ".join(
            f"{name!r}{_close(name, new, short=True)}" for name in absent[:3]
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
        return f" (close: {few([lowered[key] for key in close])})"
    return "" if short else f"; the columns are {few(names)}"


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


def _plan_from(record: Mapping[str, Any]) -> Plan:
    plan = Plan(**record)
    if plan.kind not in NOUNS:
        raise KeyError(plan.kind)
    return replace(plan, features=tuple(plan.features))


def _time_axis(plans: list[Plan]) -> str | None:
    """The column of dates that goes with the order of the rows, or the first one."""
    dates = [p for p in plans if p.kind == "date" and not p.settings.get("clock")]
    best = max(dates, key=lambda plan: plan.summary.get("ordered", 0.0), default=None)
    return None if best is None else best.column


# -------------------------------------------------------------- rows by their kind


def _interleave(columns: list[Floats], block: Floats) -> None:
    """Columns into rows, a few thousand at once."""
    for start in range(0, len(block), BLOCK_ROWS):
        rows = slice(start, start + BLOCK_ROWS)
        for place, values in enumerate(columns):
            block[rows, place] = values[rows]


_USUAL: dict[str, Callable[[Plan, Any], Usual]] = {
    "number": number.usual,
    "boolean": truth.usual,
    "date": moment.usual,
    "category": category.usual,
}


def _usual(plan: Plan, value: Any) -> Usual:
    if parts.has_parts(plan):
        return parts.usual(plan, value)
    if plan.kind in _USUAL:
        return _USUAL[plan.kind](plan, value)
    if plan.kind in {"constant", "missing"}:
        return Usual(shown(value), f"always {constant.always(plan)} in training")
    return Usual(shown(value), "the column is not used")


def _chart(plan: Plan, array: pa.Array) -> Floats:
    if parts.has_parts(plan):
        return parts.chart(plan, array)
    if plan.kind == "number" or "whole" in plan.summary:
        return number.chart(plan, array)
    if plan.kind == "boolean":
        return truth.chart(array, plan.settings)
    if plan.kind == "date":
        return moment.chart(plan, array)
    return np.full(len(array), np.nan)


def _column_notes(plan: Plan, column: Any) -> list[str]:
    array = plain_cells(plan, column)
    if plan.kind == "category":
        found = category.notes(plan, array)
        missing = category.missing(array)
    else:
        found, unread = truth.notes(plan, array) if plan.kind == "boolean" else ([], 0)
        found = moment.notes(plan, array) if plan.kind == "date" else found
        missing = int(np.isnan(_chart(plan, array)).sum()) - unread
    if missing and not plan.summary["missing"]:
        never = f"is missing in {rows_text(missing)}, which training never had"
        found = [f"{plan.column!r} {never}", *found]
    return found
