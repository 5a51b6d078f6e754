"""A row or a picture as the page shows it, as plain values: nothing here knows HTML."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from whitecrow import labels, reasons
from whitecrow.data.kinds.words import describe, shown
from whitecrow.data.rows import PictureRows
from whitecrow.reasons import place_of
from whitecrow.report import charts, content, thumbnails
from whitecrow.web import trouble

if TYPE_CHECKING:
    from whitecrow.active.log import State
    from whitecrow.reasons import Reason
    from whitecrow.report.charts import Strip
    from whitecrow.web.session import Session, Shown

__all__ = ["Near", "heat", "keep", "neighbours", "picture", "plain", "question"]

_REASONS = 6
_VALUES = 120
_NEIGHBOURS = 4
_QUESTIONS = 16  # on their way to the page, with what is near them
_LARGE, _SMALL = 768, 160

Item = TypeVar("Item")


class Near(NamedTuple):
    """The labelled rows nearest to one, by what is labelled and by the embeddings."""

    rows: NDArray[np.int64]
    sure: NDArray[np.bool_]
    points: NDArray[Any]


def question(session: Session, fit: Shown, row: int) -> dict[str, Any]:
    """Return what the page shows about a row by a fit, whatever the answers are."""
    if isinstance(session.data, PictureRows):
        return _common(session, fit, row) | _picture(session, row)
    return _common(session, fit, row) | _row(session, fit, row)


def plain(session: Session, fit: Shown, row: int, why: str) -> dict[str, Any]:
    """Return the same for a row that the detector cannot explain, and why not."""
    common = _common(session, fit, row)
    common |= {
        "reasons": None,
        "values": [],
        "note": trouble.NO_REASONS.format(said=why),
    }
    if isinstance(session.data, PictureRows):
        return common | _shown_picture(session, row) | {"heat": None, "place": ""}
    frame = session.frame
    cells = describe(frame, row, frame.column_names[:_VALUES])
    return common | {"values": list(cells.items())}


def _common(session: Session, fit: Shown, row: int) -> dict[str, Any]:
    return {
        "id": row,
        "name": session.name(row),
        "score": content.score_text(float(fit.scores[row]), fit.width),
        "rank": int((fit.scores > fit.scores[row]).sum()) + 1,
    }


def _row(session: Session, fit: Shown, row: int) -> dict[str, Any]:
    assert session.encoder is not None
    frame = session.frame
    (found,) = reasons.of_rows(
        fit.model, session.encoder, frame.slice(row, 1), limit=_REASONS
    )
    named = {one.column for one in found}
    used = set(session.encoder.source_columns_)
    # Columns that the detector does not see stay at the end: a person may need them.
    others = [name for name in frame.column_names if name not in named]
    others.sort(key=lambda name: name not in used)
    most = max((one.share for one in found), default=1.0)
    return {
        "reasons": [_reason(session, row, one, most) for one in found],
        "values": list(describe(frame, row, others[:_VALUES]).items()),
    }


def _reason(session: Session, row: int, reason: Reason, most: float) -> dict[str, Any]:
    assert session.encoder is not None
    strip = _strip(session, reason.column)
    cells = session.frame[reason.column].slice(row, 1)
    number = float(session.encoder.chart(reason.column, cells)[0])
    mark, beyond, bar = content.place_in(strip, reason.value, number)
    return {
        "column": reason.column,
        "text": reason.text,
        "usual": reason.usual,
        "share": round(100 * reason.share),
        "width": 100 * reason.share / most,
        "chart": {"path": strip.path, "band": strip.band},
        "mark": mark,
        "beyond": beyond,
        "bar": bar,
    }


def _strip(session: Session, column: str) -> Strip:
    """Return the chart of a column, drawn once."""
    if column not in session.strips:
        assert session.encoder is not None
        strip = content.column_strip(session.encoder, column, session.frame[column])
        session.strips[column] = strip or charts.EMPTY
    return session.strips[column]


def neighbours(
    session: Session, row: int, state: State, columns: Sequence[str]
) -> list[dict[str, Any]]:
    """List rows with a sure answer that look most alike to the detector.

    Parameters
    ----------
    session : Session
    row : int
    state : State
    columns : sequence of str
        Of a table, those to show.
    """
    pictures = session.data.kind == "picture"
    show = _near_picture if pictures else partial(_near_row, columns)
    return [
        {"id": other, "answer": state.verdict(other), **show(session, other)}
        for other in _nearest(session, row, state)
    ]


def _near_row(columns: Sequence[str], session: Session, row: int) -> dict[str, Any]:
    frame = session.frame
    columns = columns[:3] or frame.column_names[:3]
    cells = (f"{c} {shown(frame.column(c)[row].as_py())}" for c in columns)
    return {"name": session.name(row), "text": ", ".join(cells)}


def _near_picture(session: Session, row: int) -> dict[str, Any]:
    return {
        "name": session.name(row).rpartition("/")[2],
        "picture": f"/picture/{row}?small=1",
        "sharp": content.is_small(session.pictures.images),
    }


def _nearest(session: Session, row: int, state: State) -> list[int]:
    """Find the nearest rows with a sure answer, starting from those of last time.

    Only a row that got an answer since can be nearer, unless one of them lost its own.
    """
    points, last = session.loop.embeddings_, session.near.get(row)
    sure = state.codes(len(session.data)) != labels.UNLABELLED
    if last is not None and last.points is points and sure[last.rows].all():
        known = np.union1d(last.rows, np.flatnonzero(sure & ~last.sure))
    else:
        known = np.flatnonzero(sure)
    known = known[known != row]
    gaps = np.asarray(points[known], dtype=np.float64) - points[row]
    order = np.argsort(np.square(gaps).sum(axis=1), kind="stable")[:_NEIGHBOURS]
    keep(session.near, row, Near(known[order], sure, points), _QUESTIONS)
    return [int(other) for other in known[order]]


def keep(cache: OrderedDict[int, Item], key: int, value: Item, most: int) -> None:
    """Put into a cache; the oldest go."""
    cache[key] = value
    while len(cache) > most:
        cache.popitem(last=False)


# ----------------------------------------------------------------------- pictures


def _picture(session: Session, row: int) -> dict[str, Any]:
    return _shown_picture(session, row) | {
        "heat": f"/heat/{row}",
        "place": "the " + place_of(session.heat(row)),
        "reasons": None,
        "values": [],
    }


def _shown_picture(session: Session, row: int) -> dict[str, Any]:
    return {
        "picture": f"/picture/{row}",
        "sharp": content.is_small(session.pictures.images),
    }


def picture(session: Session, row: int, *, small: bool) -> tuple[str, bytes]:
    """Return a picture's media type and content, the original if there is a file."""
    data = session.pictures
    file = data.file(row)
    side = _SMALL if small else _LARGE
    return thumbnails.picture(data.images[row], file, side=side, depth=data.depth)


def heat(session: Session, row: int) -> tuple[str, bytes]:
    """Return a heat map's media type and content."""
    return thumbnails.heat(session.heat(row))
