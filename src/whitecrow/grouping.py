"""Groups of flagged rows: those that share one reason, and those of one episode.

366 rows with `AH = -200` are one finding, and so are 84 odd rows in a row. Two sorts of
groups are looked for:

- **One reason.** The same column with the same cell (a level, or a number that most
  rows beyond that end of the column have), or the same column beyond the same end of
  its usual range. Groups are picked greedily: each time the one that explains most of
  the rows that are in no group yet. A group has all rows with its reason, so that a row
  with several reasons may be in several groups.
- **One episode.** Flagged rows that follow each other, in time or in the order of the
  file, with small gaps. A row is in one episode at most. Rows that chance scatters make
  clumps too: if flagged rows clump no more than that, there are no episodes.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.special import pdtrc

__all__ = [
    "Cause",
    "Group",
    "by_episode",
    "by_reason",
    "moment_text",
    "side_of",
]

Floats = NDArray[np.float64]
Rows = NDArray[np.intp]

LEAST_ROWS = 3
# A reason counts for a row when it is the row's first or has this share of it.
LEAST_SHARE = 0.25
# Further reasons that a group's rows share are named with it.
MOSTLY = 0.9
# "Beyond the usual range" says less than a value: it takes this part of the rows.
LEAST_PART_BEYOND = 0.02
# A value stands for itself if so much of what is beyond the same end has it.
MOST_OF_SIDE = 0.5
# Flagged rows of one episode are at most so many rows apart; more if few are flagged.
WIDE_GAP, WIDEST_GAP = 10, 50
# Episodes explain the order of the rows if there are this much fewer than by chance.
FEWER_THAN_CHANCE = 0.6
# A run is an episode if so much of it is flagged, or if chance would hardly make it.
LEAST_DENSITY = 1 / 3
LARGEST_CHANCE = 0.01
# Two runs are one episode if no further apart than so many of their usual gaps.
LOOSE = 6


class Cause(Protocol):
    """What is needed of a reason; see `whitecrow.result.Reason`."""

    @property
    def column(self) -> str:
        """Column of the data."""

    @property
    def text(self) -> str:
        """The cell as a person reads it."""

    @property
    def share(self) -> float:
        """Share of what makes the row odd, 0 to 1."""


class Group(NamedTuple):
    """Flagged rows that belong together.

    Attributes
    ----------
    text : str
        What they share, such as "AH = -200", or when and where they are.
    rows : tuple of int
        The highest score first.
    start, end : str
        First and last moment of an episode, or its first and last row.
    column : str or None
        The column of a shared reason; None for an episode.
    """

    text: str
    rows: tuple[int, ...]
    start: str = ""
    end: str = ""
    column: str | None = None


# ---------------------------------------------------------------------- one reason


def by_reason(
    reasons: Mapping[int, Sequence[Cause]],
    scores: Floats,
    sides: Mapping[tuple[int, str], str] | None = None,
) -> tuple[Group, ...]:
    """Group rows that share one reason, the largest group first.

    Parameters
    ----------
    reasons : mapping of int to sequence of Cause
        For each flagged row its reasons, the strongest first.
    scores : ndarray of shape (n,)
        Scores of all rows; they give the order within a group.
    sides : mapping of (row, column) to str, optional
        Where a number is beyond the usual range of its column, in words, such as
        "above its usual 0.3 to 1.5".

    Examples
    --------
    >>> from collections import namedtuple
    >>> R = namedtuple("R", "column text share")
    >>> odd = {row: [R("AH", "-200", 0.9)] for row in range(4)}
    >>> by_reason(odd | {9: [R("T", "44", 0.5)]}, np.arange(10.0))
    (Group(text='AH = -200', rows=(3, 2, 1, 0), start='', end='', column='AH'),)
    """
    picked = _picked(_keys(reasons, sides or {}))
    groups = [
        Group(
            _with_others(f"{key.column} {key.text}", key.column, rows, reasons),
            _ranked(rows, scores),
            column=key.column,
        )
        for key, rows in picked.items()
    ]
    return tuple(sorted(groups, key=lambda group: -len(group.rows)))


def side_of(number: float, low: float, high: float, usual: str) -> str:
    """Say at which end a number is beyond its usual range; "" within it.

    Parameters
    ----------
    number, low, high : float
    usual : str
        The range in words.

    Examples
    --------
    >>> side_of(9.0, 0.3, 1.5, "0.3 to 1.5"), side_of(1.0, 0.3, 1.5, "0.3 to 1.5")
    ('above its usual 0.3 to 1.5', '')
    """
    if number > high:
        return f"above its usual {usual}"
    return f"below its usual {usual}" if number < low else ""


class _Key(NamedTuple):
    """What rows of a group share."""

    column: str
    text: str
    is_side: bool = False


def _keys(
    reasons: Mapping[int, Sequence[Cause]], sides: Mapping[tuple[int, str], str]
) -> dict[int, dict[_Key, float]]:
    """For each row, what it may share with others, and how much that explains.

    A number beyond its usual range stands for itself where most rows on that side of
    the column have it, as -200 for a broken sensor; otherwise the side is what counts.
    """
    values = Counter((r.column, r.text) for found in reasons.values() for r in found)
    beyond = Counter(
        (r.column, sides.get((row, r.column), ""))
        for row, found in reasons.items()
        for r in found
    )
    keys: dict[int, dict[_Key, float]] = {}
    for row, found in reasons.items():
        keys[row] = {}
        for r in found:
            side = sides.get((row, r.column), "")
            many = values[r.column, r.text] >= MOST_OF_SIDE * beyond[r.column, side]
            same = _Key(r.column, f"= {r.text}")
            keys[row][same if many or not side else _Key(r.column, side, True)] = (
                r.share
            )
    return keys


def _picked(keys: Mapping[int, Mapping[_Key, float]]) -> dict[_Key, list[int]]:
    """Keys with all rows that hold them, picked by the largest sum of shares.

    Only strong shares of rows that no key before holds count for the sum.
    """
    left = {row: _strong(shares) for row, shares in keys.items()}
    found: dict[_Key, list[int]] = {}
    while sums := _sums(left, len(keys)):
        best = max(sums, key=sums.__getitem__)
        found[best] = [row for row, shares in keys.items() if best in shares]
        left = {row: shares for row, shares in left.items() if best not in shares}
    return found


def _strong(shares: Mapping[_Key, float]) -> dict[_Key, float]:
    """Keep the first key, and those with a large share."""
    ranked = enumerate(shares.items())
    return {
        k: share for place, (k, share) in ranked if not place or share >= LEAST_SHARE
    }


def _sums(keys: Mapping[int, Mapping[_Key, float]], n_rows: int) -> dict[_Key, float]:
    """Sum the shares of each key that enough rows hold."""
    many = max(LEAST_ROWS, int(np.ceil(LEAST_PART_BEYOND * n_rows)))
    found: dict[_Key, list[float]] = defaultdict(list)
    for shares in keys.values():
        for key, share in shares.items():
            found[key].append(share)
    return {
        key: sum(shares)
        for key, shares in found.items()
        if len(shares) >= (many if key.is_side else LEAST_ROWS)
    }


def _with_others(
    text: str, column: str, rows: Sequence[int], reasons: Mapping[int, Sequence[Cause]]
) -> str:
    """Complete the text with what nearly all rows of the group share beside it."""
    counts: dict[str, int] = defaultdict(int)
    for row in rows:
        for reason in reasons[row]:
            if reason.column != column:
                counts[f"{reason.column} = {reason.text}"] += 1
    others = [other for other, n in counts.items() if n >= MOSTLY * len(rows)]
    text = f"{text}, with {' and '.join(others)}" if others else text
    return " ".join(text.split())


def _ranked(rows: Iterable[int], scores: Floats) -> tuple[int, ...]:
    return tuple(sorted(rows, key=lambda row: (-scores[row], row)))


# --------------------------------------------------------------------- one episode


def by_episode(
    flagged: NDArray[np.bool_], scores: Floats, moments: Floats | None = None
) -> tuple[Group, ...]:
    """Group flagged rows that follow each other, the largest group first.

    Parameters
    ----------
    flagged : ndarray of bool, shape (n,)
    scores : ndarray of shape (n,)
    moments : ndarray of shape (n,), optional
        Seconds since 1970, NaN where missing. Without them, the order of the rows
        takes the place of time.

    Examples
    --------
    >>> flagged = np.zeros(1000, dtype=bool)
    >>> flagged[[100, 101, 103, 104, 700, 701, 702]] = True
    >>> [(group.text, len(group.rows)) for group in by_episode(flagged, flagged * 1.0)]
    [('rows 100 to 104', 4), ('rows 700 to 702', 3)]
    """
    order = _in_time(moments, len(flagged))
    places = np.flatnonzero(flagged[order])
    if len(places) < LEAST_ROWS:
        return ()
    at = np.arange(len(order), dtype=float) if moments is None else moments[order]
    share = len(places) / len(order)
    gap = _gap(share)
    runs = _runs(places, at, gap)
    if len(runs) > FEWER_THAN_CHANCE * _runs_by_chance(len(places), share, gap):
        return ()
    runs = [run for run in runs if _stands_out(run, share, len(places))]
    groups = [_episode(order[run], scores, moments) for run in _joined(runs, at)]
    return tuple(sorted(groups, key=lambda group: -len(group.rows)))


def moment_text(seconds: float, step: float = 1.0) -> str:
    """Write a moment in UTC, as precise as the distance between two moments asks for.

    Examples
    --------
    >>> moment_text(1078941600.0, 3600.0), moment_text(0.25, 0.01)
    ('2004-03-10 18:00', '1970-01-01 00:00:00.250')
    """
    epoch = dt.datetime(1970, 1, 1)
    try:
        moment = epoch + dt.timedelta(seconds=float(seconds))
    except OverflowError:
        return f"{seconds:.6g} s"
    if step >= 86400 and moment.time() == dt.time():
        return moment.date().isoformat()
    if step >= 60 and moment.second == 0:
        return moment.isoformat(" ", "minutes")
    return moment.isoformat(" ", "seconds" if step >= 1 else "milliseconds")


def _in_time(moments: Floats | None, n: int) -> Rows:
    """Row numbers in the order of time; rows without a moment are left out."""
    if moments is None:
        return np.arange(n)
    order = np.argsort(moments, kind="stable")
    return order[np.isfinite(moments[order])]


def _runs(places: Rows, at: Floats, gap: int) -> list[Rows]:
    """Places cut where two are further apart than the gap, in rows or in time."""
    far = (np.diff(places) > gap) | (np.diff(at[places]) > gap * _step(at))
    return np.split(places, np.flatnonzero(far) + 1)


def _step(at: Floats) -> float:
    """Time from row to row, pauses that are as regular as nights included."""
    steps = np.diff(at)
    return max(_interval(at), float(np.quantile(steps, 0.95))) if len(steps) else 0.0


def _gap(share: float) -> int:
    """How far apart flagged rows of one episode may be, in rows."""
    return max(2, int(min(1 / share, WIDE_GAP)), int(min(0.25 / share, WIDEST_GAP)))


def _stands_out(run: Rows, share: float, n_flagged: int) -> bool:
    """Whether a run is dense, or too long for flagged rows that are scattered."""
    span = int(run[-1] - run[0]) + 1
    if len(run) < LEAST_ROWS:
        return False
    if len(run) >= span * max(LEAST_DENSITY, min(2 * share, 0.9)):
        return True
    # Chance that as many others follow a flagged row, for all flagged rows together.
    return bool(n_flagged * pdtrc(len(run) - 2, span * share) < LARGEST_CHANCE)


def _joined(runs: Sequence[Rows], at: Floats) -> list[Rows]:
    """Put runs together that are one sparse episode."""
    joined: list[Rows] = []
    for run in runs:
        if joined and _belong(joined[-1], run, at):
            joined[-1] = np.concatenate([joined[-1], run])
        else:
            joined.append(run)
    return joined


def _belong(run: Rows, following: Rows, at: Floats) -> bool:
    loose = LOOSE * min(_spacing(run), _spacing(following))
    pause = at[following[0]] - at[run[-1]]
    return bool(following[0] - run[-1] <= loose and pause <= loose * _step(at))


def _spacing(run: Rows) -> float:
    return float((run[-1] - run[0]) / (len(run) - 1))


def _interval(at: Floats) -> float:
    """Find the usual distance between two moments."""
    steps = np.diff(at)
    steps = steps[steps > 0]
    return float(np.median(steps)) if len(steps) else 0.0


def _runs_by_chance(n_flagged: int, share: float, gap: int) -> float:
    """Count the runs that so many flagged rows make when scattered at random."""
    return float(n_flagged * (1 - share) ** gap)


def _episode(rows: Rows, scores: Floats, moments: Floats | None) -> Group:
    ranked = _ranked(rows.tolist(), scores)
    if moments is None:
        start, end = str(rows.min()), str(rows.max())
        return Group(f"rows {start} to {end}", ranked, start, end)
    at = moments[rows]
    step = _interval(np.sort(at))
    start, end = moment_text(float(at.min()), step), moment_text(float(at.max()), step)
    day, _, clock = end.partition(" ")
    short = clock if clock and start.startswith(day) else end
    text = start if start == end else f"{start} to {short}"
    return Group(text, ranked, start, end)
