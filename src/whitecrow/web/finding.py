"""Finding rows: by number, by text in any cell, by the value of a column, by answer."""

from __future__ import annotations

import re
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from whitecrow.active.log import ANSWERS
from whitecrow.data.kinds.words import shown
from whitecrow.data.rows import PictureRows
from whitecrow.errors import ParameterError
from whitecrow.report.content import score_text

if TYPE_CHECKING:
    from whitecrow.web.session import Session

__all__ = ["find"]

MOST = 50
FILTERS = ("all", "open", *ANSWERS, "check")

# What the text of a number, or a part of it, looks like.
_NUMBER = re.compile(r"^(?:[-+\d.e]+|nan?|in?f?)$", re.IGNORECASE)

# Two numbers that the page may show alike.
_ROUNDED = 1e-3

Mask = NDArray[np.bool_]

_COMPARISON = r"\s*(?P<sign><=|>=|=|<|>)\s*(?P<value>.+)$"


def find(session: Session, query: str, show: str) -> dict[str, Any]:
    """Find the rows that match, the highest score first.

    Parameters
    ----------
    session : Session
    query : str
        Empty, a row number, `column=value`, `column>3`, or text of any cell or path.
    show : str
        One of `FILTERS`.

    Returns
    -------
    dict
        `rows`, at most `MOST`, and `text`, how many there are.
    """
    if show not in FILTERS:
        raise ParameterError(f"{show!r} is not a filter; use {', '.join(FILTERS)}")
    hits, column = _matching(session, query.strip())
    rows = np.flatnonzero(hits & _shown(session, show))
    fit = session.fit
    scores = fit.scores
    best = rows[np.argsort(-scores[rows], kind="stable")][:MOST]
    state = session.loop.state
    blind = session.again(state)
    thing = session.data.things.removesuffix("s")
    things = thing if len(rows) == 1 else f"{thing}s"
    more = f", the {MOST} with the highest scores" if len(rows) > MOST else ""
    return {
        "text": f"{len(rows):,} {things}{more}",
        "rows": [
            {
                "id": int(row),
                "name": session.name(int(row)),
                "answer": None if int(row) in blind else state.verdict(int(row)),
                "score": score_text(float(scores[row]), fit.width),
                "text": _cell(session, int(row), column),
            }
            for row in best
        ],
    }


def _shown(session: Session, show: str) -> Mask:
    """Return a mask of the rows with such an answer."""
    n = len(session.data)
    if show == "all":
        return np.ones(n, dtype=bool)
    if show == "check":
        kept = list(session.conflicts())
    else:
        verdicts = session.loop.state.verdicts()
        kept = [row for row, verdict in verdicts.items() if show in ("open", verdict)]
    mask = np.zeros(n, dtype=bool)
    mask[kept] = True
    return ~mask if show == "open" else mask


def _matching(session: Session, query: str) -> tuple[Mask, str | None]:
    """Return a mask of the rows that a query means, and the column it is about."""
    n = len(session.data)
    if not query:
        return np.ones(n, dtype=bool), None
    number = re.fullmatch(r"(?:row\s*)?(\d{1,12})", query, re.IGNORECASE)
    if isinstance(session.data, PictureRows):
        word = query.lower()
        return np.array([word in p.lower() for p in session.data.paths]), None
    if number:
        return np.arange(n) == int(number[1]), None
    frame = session.data.frame
    compared = _known_column(frame.column_names, query)
    if compared:
        names = {name.lower(): name for name in frame.column_names}
        column = names[compared["column"].lower()]
        cells = frame.column(column)
        return _compared(cells, compared["sign"], compared["value"]), column
    if unknown := re.match(r"(?P<column>[\w .-]+?)" + _COMPARISON, query):
        raise ParameterError(_no_column(unknown["column"], frame.column_names))
    return _anywhere(session, query), None


def _no_column(name: str, names: list[str]) -> str:
    lower = {one.lower(): one for one in names}
    near = get_close_matches(name.lower(), lower, n=1)
    hint = f"did you mean {lower[near[0]]!r}?" if near else f"there is {names[0]!r}"
    return f"there is no column {name!r}; {hint}"


def _known_column(names: list[str], query: str) -> re.Match[str] | None:
    """Match a comparison with a column: names may have spaces and signs in them."""
    for name in sorted(names, key=len, reverse=True):
        column = f"(?P<column>{re.escape(name)})"
        if found := re.match(column + _COMPARISON, query, re.IGNORECASE):
            return found
    return None


def _compared(cells: Any, sign: str, value: str) -> Mask:
    try:
        limit = float(value)
        numbers = np.array(cells.cast("float64").to_numpy(), dtype=np.float64)
    except (ValueError, NotImplementedError):
        return _compared_text(cells, sign, value)
    signs = {
        "=": (numbers == limit) | _written(cells, numbers, value),
        "<": numbers < limit,
        ">": numbers > limit,
        "<=": numbers <= limit,
        ">=": numbers >= limit,
    }
    return signs[sign]


def _written(cells: Any, numbers: NDArray[np.float64], value: str) -> Mask:
    """Find the cells that the page shows as this number, though it rounds them.

    0.1 is found in single precision, too, and 0 is not 1e-9.
    """
    limit = float(value)
    found = np.isclose(numbers, limit, rtol=_ROUNDED, atol=0.0) & (numbers != limit)
    for row in np.flatnonzero(found):
        found[row] = shown(cells[int(row)].as_py()) in (value.strip(), shown(limit))
    return found


def _compared_text(cells: Any, sign: str, value: str) -> Mask:
    """Compare the words that the page shows, in the order of the alphabet."""
    words = np.array([shown(cell.as_py()).lower() for cell in cells])
    other = value.lower()
    signs = {
        "=": words == other,
        "<": words < other,
        ">": words > other,
        "<=": words <= other,
        ">=": words >= other,
    }
    return signs[sign]


def _anywhere(session: Session, text: str) -> Mask:
    import pyarrow as pa
    import pyarrow.compute as pc

    frame = session.frame
    mask = np.zeros(frame.num_rows, dtype=bool)
    for cells in frame.columns:
        if pa.types.is_floating(cells.type) and not _NUMBER.search(text):
            continue  # as text, a million numbers take a second
        try:
            words = cells.cast(pa.string())
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            continue
        found = pc.match_substring(words, text, ignore_case=True)
        mask |= pc.fill_null(found, False).to_numpy(zero_copy_only=False)
    return mask


def _cell(session: Session, row: int, column: str | None) -> str:
    if column is None:
        return ""
    return f"{column}: {shown(session.frame.column(column)[row].as_py())}"
