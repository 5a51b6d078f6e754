"""Dates, clock times and durations as people write them.

Nearly all rows are on Mondays to Wednesdays, or in the morning; one is not, and it is
first only where day, month and hour are read as they were meant.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from people import ODD, Desk, Found, N, loads, quoted, rng

Cell = Callable[[datetime], str]

MONDAY = datetime(2021, 1, 4)
GERMAN = "Januar Februar März April Mai Juni Juli August September Oktober November"
MONTHS = [*GERMAN.split(), "Dezember"]


def days(odd: int = 5) -> list[datetime]:
    """Three days of each of 100 weeks, between nine and twelve; one Saturday."""
    minutes = rng(4).integers(9 * 60, 12 * 60, N)
    found = [
        MONDAY + timedelta(weeks=row // 3, days=row % 3, minutes=int(minutes[row]))
        for row in range(N)
    ]
    found[ODD] += timedelta(days=odd - ODD % 3)
    return found


def hours() -> list[datetime]:
    """All days alike, between nine and twelve; one at night."""
    minutes = rng(4).integers(9 * 60, 12 * 60, N)
    found = [MONDAY + timedelta(days=i, minutes=int(m)) for i, m in enumerate(minutes)]
    found[ODD] = found[ODD].replace(hour=22, minute=40)
    return found


def calm() -> list[str]:
    return [f"{v:.3f}" for v in rng(2).normal(10, 0.02, N)]


def is_read_as_moment(found: Found, column: str = "when") -> None:
    found.never_says(f"{column}'? is an identifier", f"{column}'? (was|is) not read")
    told = [line for line in found.text.splitlines() if column in line]
    assert any(re.search(r"date|time|moment|day|hour|clock", line) for line in told)


DATES: dict[str, Cell] = {
    "ISO": lambda d: f"{d:%Y-%m-%d}",
    "slashes, year first": lambda d: f"{d:%Y/%m/%d}",
    "points, year first": lambda d: f"{d:%Y.%m.%d}",
    "day first": lambda d: f"{d:%d/%m/%Y}",
    "day first, points": lambda d: f"{d:%d.%m.%Y}",
    "day first, no zeros": lambda d: f"{d.day}.{d.month}.{d.year}",
    "day first, hyphens": lambda d: f"{d:%d-%m-%Y}",
    "day first, two digits": lambda d: f"{d:%d.%m.%y}",
    "month first": lambda d: f"{d:%m/%d/%Y}",
    "month first, no zeros": lambda d: f"{d.month}/{d.day}/{d.year}",
    "month first, two digits": lambda d: f"{d:%m/%d/%y}",
    "English": lambda d: quoted(f"{d:%b} {d.day}, {d:%Y}"),
    "English, long": lambda d: quoted(f"{d:%B %d, %Y}"),
    "British": lambda d: f"{d.day} {d:%B %Y}",
    "Oracle": lambda d: f"{d:%d-%b-%y}".upper(),
    "SAS": lambda d: f"{d:%d%b%Y}".upper(),
    "Excel": lambda d: f"{d:%d-%b-%Y}",
    "weekday": lambda d: quoted(f"{d:%a, %d %b %Y}"),
    "German": lambda d: f"{d.day}. {MONTHS[d.month - 1]} {d.year}",
    "digits only": lambda d: f"{d:%Y%m%d}",
    "ISO week": lambda d: "{}-W{:02}-{}".format(*d.isocalendar()),
    "ISO week, short": lambda d: "{}W{:02}{}".format(*d.isocalendar()),
}

MOMENTS: dict[str, Cell] = {
    "ISO": lambda d: d.isoformat(),
    "ISO with a blank": lambda d: d.isoformat(sep=" "),
    "ISO, no seconds": lambda d: f"{d:%Y-%m-%d %H:%M}",
    "ISO, hours only": lambda d: f"{d:%Y-%m-%d %H}",
    "Zulu": lambda d: d.isoformat() + "Z",
    "milliseconds": lambda d: d.isoformat() + ".123Z",
    "microseconds": lambda d: d.isoformat(sep=" ") + ".123456",
    "nanoseconds": lambda d: d.isoformat() + ".123456789",
    "Python's log": lambda d: quoted(d.isoformat(sep=" ") + ",123"),
    "UTC": lambda d: d.isoformat(sep=" ") + " UTC",
    "an offset": lambda d: d.isoformat() + "+02:00",
    "a short offset": lambda d: d.isoformat(sep=" ") + "+0200",
    "day first": lambda d: f"{d:%d/%m/%Y %H:%M}",
    "day first, points": lambda d: f"{d:%d.%m.%Y %H:%M:%S}",
    "month first, half days": lambda d: f"{d:%m/%d/%Y %I:%M %p}",
    "month first, no zeros": lambda d: f"{d.month}/{d.day}/{d:%Y %I:%M:%S %p}",
    "Apache": lambda d: f"{d:%d/%b/%Y:%H:%M:%S} +0000",
    "Apache in brackets": lambda d: f"[{d:%d/%b/%Y:%H:%M:%S +0000}]",
    "mail": lambda d: quoted(f"{d:%a, %d %b %Y %H:%M:%S} +0000"),
    "C": lambda d: f"{d:%a %b %d %H:%M:%S %Y}",
    "English": lambda d: quoted(f"{d:%b %d, %Y %I:%M %p}"),
    "digits only": lambda d: f"{d:%Y%m%d%H%M%S}",
    "digits and a T": lambda d: f"{d:%Y%m%dT%H%M%S}",
}


@pytest.mark.parametrize("name", DATES)
def test_the_odd_day_is_first_however_it_is_written(name: str, desk: Desk) -> None:
    cells = [DATES[name](d) for d in days()]
    found = desk.detect(desk.table("x.csv", {"when": cells, "load": calm()}))
    is_read_as_moment(found.rows(N).first())


@pytest.mark.parametrize("name", MOMENTS)
def test_the_odd_hour_is_first_however_it_is_written(name: str, desk: Desk) -> None:
    cells = [MOMENTS[name](d) for d in hours()]
    found = desk.detect(desk.table("x.csv", {"when": cells, "load": calm()}))
    is_read_as_moment(found.rows(N).first())


@pytest.mark.parametrize("name", ["day first", "Apache", "month first, half days"])
def test_the_model_reads_them_alike(name: str, desk: Desk) -> None:
    cells = [MOMENTS[name](d) for d in hours()]
    desk.table("x.csv", {"when": cells, "load": calm()})
    desk.fit("x.csv", "--method", "knn")
    scores = desk.score("x.csv")
    assert scores == desk.detect("x.csv").score
    # A few rows show no order of day and month: the model knows it.
    desk.table("few.csv", {"when": cells[:3], "load": calm()[:3]})
    assert desk.score("few.csv") == pytest.approx(scores[:3])


@pytest.mark.parametrize("form", ["{:%d/%m/%Y}", "{:%m/%d/%Y}"])
def test_where_day_and_month_look_alike_it_is_said(form: str, desk: Desk) -> None:
    early = [datetime(2021, 1 + row % 12, 1 + row // 12 % 12) for row in range(N)]
    cells = [form.format(d) for d in early]
    found = desk.detect(desk.table("x.csv", {"when": cells, "load": calm()}))
    found.tells("when", r"(day|month).first", "--read-as")


@pytest.mark.parametrize("how", ["day-first", "month-first"])
def test_a_person_says_what_comes_first(how: str, desk: Desk) -> None:
    form = "{:%d/%m/%Y}" if how == "day-first" else "{:%m/%d/%Y}"
    # No day above the twelfth: only the days of the week tell how they are meant.
    some = [d for d in days(odd=ODD % 3) if d.day <= 12]
    odd = next(i for i, d in enumerate(some) if (d.weekday(), d.day) == (0, 6))
    some[odd] += timedelta(days=5)
    columns = {"when": [form.format(d) for d in some], "load": calm()[: len(some)]}
    desk.table("x.csv", columns)
    found = desk.detect("x.csv", "--read-as", f"when={how}")
    found.first(odd).never_says("--read-as")


@pytest.mark.parametrize(
    "bad", ["unknown", "", "-", "0000-00-00", "2024-02-31", "9999-12-31", "n/a", "TBD"]
)
@pytest.mark.parametrize("method", ["knn", None])
def test_dates_with_one_bad_cell(bad: str, method: str | None, desk: Desk) -> None:
    cells = [f"{d:%Y-%m-%d}" for d in days()]
    cells[100] = bad
    found = desk.detect(
        desk.table("x.csv", {"when": cells, "load": calm()}), method=method
    )
    is_read_as_moment(found)
    found.first(at_most=3)


@pytest.mark.parametrize("wrong", ["1900-01-01", "2012-02-03", "2031-05-05"])
@pytest.mark.parametrize("method", ["knn", None])
def test_a_wrong_year_is_first_and_named(
    wrong: str, method: str | None, desk: Desk
) -> None:
    cells = [f"{d:%Y-%m-%d}" for d in days(odd=ODD % 3)]
    columns = {"when": cells, "load": loads()}
    desk.table("usual.csv", columns)
    desk.fit("usual.csv", "--method", method or "knn")
    cells[100] = wrong
    found = desk.detect(desk.table("x.csv", columns), method=method)
    found.first(100, at_most=3).says(f"far from all others: {wrong} in row 100")
    scores = desk.score("x.csv")
    assert scores[100] == max(scores)


def test_day_first_dates_with_words_for_missing(desk: Desk) -> None:
    cells = [f"{d:%d.%m.%Y}" for d in days()]
    cells[100::11] = ["k.A."] * len(cells[100::11])
    found = desk.detect(desk.table("x.csv", {"when": cells, "load": calm()}))
    is_read_as_moment(found)
    assert found.rank[ODD] < min(found.rank[row] for row in range(N) if row % 11 == 5)


def test_two_ways_to_write_dates_in_one_column(desk: Desk) -> None:
    cells = [
        f"{d:%Y-%m-%d}" if row % 2 else f"{d:%d.%m.%Y}" for row, d in enumerate(days())
    ]
    desk.detect(desk.table("x.csv", {"when": cells, "load": calm()})).tells("when")


def test_summer_and_winter_offsets(desk: Desk) -> None:
    zones = [timezone(timedelta(hours=1 + (3 < d.month < 10))) for d in hours()]
    cells = [
        d.replace(tzinfo=zone).isoformat()
        for d, zone in zip(hours(), zones, strict=True)
    ]
    found = desk.detect(desk.table("x.csv", {"when": cells, "load": calm()}))
    is_read_as_moment(found.first(at_most=2))


# --- clock times ----------------------------------------------------------------------

CLOCKS: dict[str, Cell] = {
    "hours and minutes": lambda d: f"{d:%H:%M}",
    "seconds": lambda d: f"{d:%H:%M:%S}",
    "milliseconds": lambda d: f"{d:%H:%M:%S}.250",
    "no zeros": lambda d: f"{d.hour}:{d:%M}",
    "half days": lambda d: f"{d:%I:%M %p}",
    "half days, small": lambda d: f"{int(f'{d:%I}')}:{d:%M} {d:%p}".lower(),
    "half days, no blank": lambda d: f"{int(f'{d:%I}')}:{d:%M}{d:%p}",
    "German": lambda d: f"{d:%H:%M} Uhr",
}


@pytest.mark.parametrize("name", CLOCKS)
def test_the_odd_clock_time_is_first(name: str, desk: Desk) -> None:
    cells = [CLOCKS[name](d) for d in hours()]
    found = desk.detect(desk.table("x.csv", {"at": cells, "load": calm()}))
    is_read_as_moment(found.first(), "at")


@pytest.mark.parametrize("method", ["knn", "hbos", None])
def test_clock_times_all_over_the_day(method: str | None, desk: Desk) -> None:
    minutes = rng(1).integers(0, 24 * 60, N)
    cells = [f"{m // 60:02d}:{m % 60:02d}" for m in minutes]
    desk.detect(desk.table("x.csv", {"at": cells, "load": loads()}), method=method)


def test_midnight_is_between_five_to_twelve_and_five_past(desk: Desk) -> None:
    minutes = rng(1).integers(-15, 15, N) % (24 * 60)
    minutes[ODD] = 12 * 60
    cells = [f"{m // 60:02d}:{m % 60:02d}" for m in minutes]
    found = desk.detect(desk.table("x.csv", {"at": cells, "load": calm()})).first()
    late = [found.score[row] for row in range(N) if minutes[row] > 1000]
    early = [found.score[row] for row in range(N) if minutes[row] < 100]
    assert max(*late, *early) < found.score[ODD] / 3


# --- durations ------------------------------------------------------------------------

DURATIONS: dict[str, Callable[[int], str]] = {
    "more than a day": lambda s: f"{s // 3600}:{s // 60 % 60:02d}:{s % 60:02d}",
    "days before": lambda s: (
        f"{s // 86400} days {s // 3600 % 24:02d}:{s // 60 % 60:02d}:{s % 60:02d}"
    ),
    "Python": lambda s: quoted(str(timedelta(seconds=s))),
    "ISO": lambda s: f"PT{s // 3600}H{s // 60 % 60}M{s % 60}S",
    "letters": lambda s: f"{s // 3600}h {s // 60 % 60}m {s % 60}s",
    "minutes": lambda s: f"{s / 60:.1f} min",
    "seconds": lambda s: f"{s} s",
}


@pytest.mark.parametrize("name", DURATIONS)
def test_the_longest_duration_is_first(name: str, desk: Desk) -> None:
    seconds = rng(1).normal(26 * 3600, 1800, N).astype(int)
    seconds[ODD] = 90 * 3600
    cells = [DURATIONS[name](int(s)) for s in seconds]
    found = desk.detect(desk.table("x.csv", {"took": cells, "load": calm()})).first()
    found.never_says("took'? is an identifier")


# --- moments that are typed already ---------------------------------------------------


def typed() -> dict[str, Any]:
    at = np.array([np.datetime64(d, "ns") for d in hours()])
    clock = [d.time() for d in hours()]
    took = [timedelta(minutes=d.hour * 60 + d.minute) for d in hours()]
    return {
        "nanoseconds": pa.array(at + np.timedelta64(123_456_789, "ns")),
        "seconds": pa.array(hours(), pa.timestamp("s")),
        "a zone": pa.array(hours(), pa.timestamp("us", "Europe/Berlin")),
        "a clock": pa.array(clock, pa.time64("us")),
        "a short clock": pa.array(clock, pa.time32("s")),
        "a duration": pa.array(took, pa.duration("ns")),
        "text": pa.array([d.isoformat(sep=" ") for d in hours()]),
        "text of an Apache log": pa.array([MOMENTS["Apache"](d) for d in hours()]),
    }


@pytest.mark.parametrize("name", typed())
@pytest.mark.parametrize("method", ["knn", None])
def test_typed_moments(name: str, method: str | None, desk: Desk) -> None:
    load = [float(v) for v in calm()]
    pq.write_table(pa.table({"when": typed()[name], "load": load}), desk / "x.parquet")
    found = desk.detect("x.parquet", method=method)
    if name not in ("a zone",):
        found.first(at_most=1 if method else 3)
    desk.fit("x.parquet", "--method", "knn")
    desk.score("x.parquet")
    desk.run("explain", "m.crow", "x.parquet", "--row", ODD).ok().says("when")


@pytest.mark.parametrize("name", ["date32", "date64"])
def test_typed_days(name: str, desk: Desk) -> None:
    kind = pa.date32() if name == "date32" else pa.date64()
    when = pa.array([d.date() for d in days()], kind)
    load = [float(v) for v in calm()]
    pq.write_table(pa.table({"when": when, "load": load}), desk / "x.parquet")
    desk.detect("x.parquet").first()
