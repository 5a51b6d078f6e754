"""Dates, times of day and durations as people write them."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import partial

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from whitecrow.data.kinds import Decision, TableEncoder, moment_text
from whitecrow.errors import DataError

N = 300
MOMENTS = [
    datetime(2022, 1, 3, 1, 5, 9) + timedelta(minutes=2537 * i) for i in range(N)
]
MONTHS_DE = """
Januar Februar März April Mai Juni Juli August September Oktober November Dezember
"""
MONTHS_FR = """
janvier février mars avril mai juin juillet août septembre octobre novembre décembre
"""
MONTHS_ES = """
enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre
"""


def fitted(cells: Sequence[str | None], name: str = "t") -> TableEncoder:
    y = [f"{i * i}" for i in range(len(cells))]
    return TableEncoder().fit(pa.table({name: cells, "y": y}))


def decided(encoder: TableEncoder) -> Decision:
    return encoder.decisions_[0]


def seconds(
    encoder: TableEncoder, cells: Sequence[str | None], name: str = "t"
) -> list[float]:
    return encoder.chart(name, pa.array(cells)).tolist()


def since_1970(moments: Sequence[datetime]) -> list[float]:
    return [(one - datetime(1970, 1, 1)).total_seconds() for one in moments]


def to_day(one: datetime) -> datetime:
    return one.replace(hour=0, minute=0, second=0)


def to_minute(one: datetime) -> datetime:
    return one.replace(second=0)


def same(one: datetime) -> datetime:
    return one


def named(one: datetime, names: str, pattern: str) -> str:
    return pattern.format(d=one, month=names.split()[one.month - 1])


def to_quarter(one: datetime) -> datetime:
    return to_day(one).replace(month=(one.month + 2) // 3 * 3 - 2, day=1)


def to_monday(one: datetime) -> datetime:
    return to_day(one) - timedelta(days=one.weekday())


MORE_MONTHS = {
    "polish": "stycznia lutego marca kwietnia maja czerwca lipca sierpnia września "
    "października listopada grudnia",
    "russian": "января февраля марта апреля мая июня июля августа сентября октября "
    "ноября декабря",
    "turkish": "Ocak Şubat Mart Nisan May\u0131s Haziran Temmuz Ağustos Eylül Ekim "
    "Kas\u0131m Aral\u0131k",
    "czech": "ledna února března dubna května června července srpna září října "
    "listopadu prosince",
    "danish": "januar februar marts april maj juni juli august september oktober "
    "november december",
    "finnish": "tammikuuta helmikuuta maaliskuuta huhtikuuta toukokuuta kesäkuuta "
    "heinäkuuta elokuuta syyskuuta lokakuuta marraskuuta joulukuuta",
    "indonesian": "Januari Februari Maret April Mei Juni Juli Agustus September "
    "Oktober November Desember",
}


Way = tuple[Callable[[datetime], str], Callable[[datetime], datetime]]
WAYS: dict[str, Way] = {
    "iso": (lambda d: d.isoformat(), same),
    "iso with a blank": (lambda d: str(d), same),
    "iso, minutes": (lambda d: f"{d:%Y-%m-%d %H:%M}", to_minute),
    "iso, hours": (
        lambda d: f"{d:%Y-%m-%d %H}",
        lambda d: d.replace(minute=0, second=0),
    ),
    "iso, days": (lambda d: f"{d:%Y-%m-%d}", to_day),
    "iso, months": (lambda d: f"{d:%Y-%m}", lambda d: to_day(d).replace(day=1)),
    "iso, Z": (lambda d: d.isoformat() + "Z", same),
    "iso, zone": (lambda d: (d + timedelta(hours=2)).isoformat() + "+02:00", same),
    "iso, zone of digits": (
        lambda d: (d + timedelta(hours=2)).isoformat() + "+0200",
        same,
    ),
    "iso, zone behind a blank": (lambda d: f"{d} +0000", same),
    "iso, UTC": (lambda d: f"{d} UTC", same),
    "iso, milliseconds": (lambda d: d.isoformat() + ".000", same),
    "iso, nanoseconds": (lambda d: d.isoformat() + ".000000999", same),
    "iso, comma": (lambda d: d.isoformat() + ",000", same),
    "compact": (lambda d: f"{d:%Y%m%d}", to_day),
    "compact with T": (lambda d: f"{d:%Y%m%dT%H%M%S}", same),
    "compact with T and Z": (lambda d: f"{d:%Y%m%dT%H%M%SZ}", same),
    "compact, fourteen digits": (lambda d: f"{d:%Y%m%d%H%M%S}", same),
    "compact, twelve digits": (lambda d: f"{d:%Y%m%d%H%M}", to_minute),
    "compact with a blank": (lambda d: f"{d:%Y%m%d %H:%M:%S}", same),
    "year first, slash": (lambda d: f"{d:%Y/%m/%d %H:%M:%S}", same),
    "year first, points": (lambda d: f"{d:%Y.%m.%d}", to_day),
    "year first, no zeros": (lambda d: f"{d.year}-{d.month}-{d.day}", to_day),
    "day first, slash": (lambda d: f"{d:%d/%m/%Y}", to_day),
    "day first, points": (lambda d: f"{d:%d.%m.%Y}", to_day),
    "day first, dashes": (lambda d: f"{d:%d-%m-%Y}", to_day),
    "day first, no zeros": (lambda d: f"{d.day}.{d.month}.{d.year}", to_day),
    "day first, two digits": (lambda d: f"{d:%d.%m.%y %H:%M}", to_minute),
    "day first, Uhr": (lambda d: f"{d:%d.%m.%Y %H:%M} Uhr", to_minute),
    "day first with a comma": (lambda d: f"{d:%d/%m/%Y, %H:%M:%S}", same),
    "month first": (lambda d: f"{d:%m/%d/%Y}", to_day),
    "month first, half days": (lambda d: f"{d:%m/%d/%Y %I:%M %p}", to_minute),
    "month first, small": (
        lambda d: f"{d.month}/{d.day}/{d:%y %I:%M:%S%p}".lower(),
        same,
    ),
    "month first, dots": (
        lambda d: f"{d:%m/%d/%Y %I:%M:%S} " + ("a.m." if d.hour < 12 else "p.m."),
        same,
    ),
    "named": (lambda d: f"{d.day} {d:%b %Y}", to_day),
    "named, long": (lambda d: f"{d.day} {d:%B %Y %H:%M:%S}", same),
    "named, dashes": (lambda d: f"{d:%d-%b-%Y}".upper(), to_day),
    "named, two digits": (lambda d: f"{d:%d-%b-%y}", to_day),
    "named, month first": (lambda d: f"{d:%b} {d.day}, {d.year}", to_day),
    "named, month first, long": (
        lambda d: f"{d:%B} {d.day}, {d.year} {d:%I:%M %p}",
        to_minute,
    ),
    "named, of": (lambda d: f"{d.day}th of {d:%B %Y}", to_day),
    "named, year first": (lambda d: f"{d:%Y-%b-%d}", to_day),
    "named, month only": (lambda d: f"{d:%B %Y}", lambda d: to_day(d).replace(day=1)),
    "named, excel month": (lambda d: f"{d:%b-%y}", lambda d: to_day(d).replace(day=1)),
    "german": (lambda d: named(d, MONTHS_DE, "{d.day}. {month} {d.year}"), to_day),
    "french": (lambda d: named(d, MONTHS_FR, "{d.day} {month} {d.year}"), to_day),
    "spanish": (
        lambda d: named(d, MONTHS_ES, "{d.day} de {month} de {d.year}"),
        to_day,
    ),
    "apache": (lambda d: f"[{d - timedelta(hours=7):%d/%b/%Y:%H:%M:%S} -0700]", same),
    "apache without brackets": (lambda d: f"{d:%d/%b/%Y:%H:%M:%S +0000}", same),
    "mail": (lambda d: f"{d:%a, %d %b %Y %H:%M:%S} +0000", same),
    "web": (lambda d: f"{d:%a, %d %b %Y %H:%M:%S} GMT", same),
    "javascript": (
        lambda d: f"{d + timedelta(hours=1):%a %b %d %Y %H:%M:%S} GMT+0100 (CET)",
        same,
    ),
    "zone by name": (lambda d: f"{d - timedelta(hours=5)} EST", same),
    "ctime": (lambda d: d.ctime(), same),
    "ctime with zone": (lambda d: f"{d:%a %b %d %H:%M:%S UTC %Y}", same),
    "weekday": (lambda d: f"{d:%A, %d %B %Y}", to_day),
    "quarter": (lambda d: f"{d.year}-Q{(d.month + 2) // 3}", to_quarter),
    "quarter in front": (lambda d: f"Q{(d.month + 2) // 3} {d.year}", to_quarter),
    "week": (lambda d: "{}-W{:02}".format(*d.isocalendar()), to_monday),
    "day of a week": (lambda d: "{}-W{:02}-{}".format(*d.isocalendar()), to_day),
    "compact day of a week": (
        lambda d: "{}W{:02}{}".format(*d.isocalendar()),
        to_day,
    ),
    "german week": (lambda d: "KW {1}/{0}".format(*d.isocalendar()), to_monday),
    "statistical month": (
        lambda d: f"{d:%YM%m}",
        lambda d: to_day(d).replace(day=1),
    ),
    "korean": (lambda d: f"{d.year}. {d.month}. {d.day}.", to_day),
    "korean, named": (lambda d: f"{d.year}년 {d.month}월 {d.day}일", to_day),
    "japanese": (lambda d: f"{d:%Y年%m月%d日} {d.hour}時{d.minute}分", to_minute),
    "chinese half days": (
        lambda d: f"{d:%Y年%m月%d日} {'上午' if d.hour < 12 else '下午'}{d:%I:%M}",
        to_minute,
    ),
    "spanish half days": (
        lambda d: f"{d:%m/%d/%Y %I:%M:%S} {'a. m.' if d.hour < 12 else 'p. m.'}",
        same,
    ),
    "hours with points": (lambda d: f"{d:%d.%m.%Y %H.%M}", to_minute),
    "oracle": (lambda d: f"{d:%d-%b-%y %I.%M.%S}.000000000 {d:%p}".upper(), same),
    "iso, zone and its place": (
        lambda d: f"{(d + timedelta(hours=1)).isoformat()}+01:00[Europe/Berlin]",
        same,
    ),
    **{
        language: (
            partial(named, names=names, pattern="{d.day} {month} {d.year}"),
            to_day,
        )
        for language, names in MORE_MONTHS.items()
    },
    "german weekday": (
        lambda d: (
            ("Mo", "Di", "Mi", "Do", "Fr", "Sa", "So")[d.weekday()] + f", {d:%d.%m.%Y}"
        ),
        to_day,
    ),
}


@pytest.mark.parametrize("way", WAYS)
def test_every_way_to_write_a_date(way: str) -> None:
    write, kept = WAYS[way]
    cells = [write(one) for one in MOMENTS]
    encoder = fitted(cells)
    one = decided(encoder)
    assert one.kind == "date", one
    expected = [kept(moment) for moment in MOMENTS]
    assert seconds(encoder, cells) == since_1970(expected)
    typed = TableEncoder().fit(
        pa.table({"t": pa.array(expected, pa.timestamp("us")), "y": np.arange(N) ** 2})
    )
    frame = pa.table({"t": cells, "y": ["0"] * N})
    names = encoder.feature_names_
    assert names == typed.feature_names_
    dated = pa.table({"t": pa.array(expected, pa.timestamp("us")), "y": [0] * N})
    np.testing.assert_array_equal(encoder.transform(frame), typed.transform(dated))
    if not any(word in way for word in ("first", "weekday", "compact")):
        np.testing.assert_array_equal(typed.transform(frame), typed.transform(dated))
    iso = (way.startswith("iso") and "months" not in way) or way == "zone by name"
    assert one.level == (0 if iso else 1)
    if not iso:
        assert "are read as" in one.detail
    assert encoder.usual("t", cells[0]).text == " ".join(cells[0].split())


def test_new_rows_may_have_another_form() -> None:
    encoder = fitted([f"{d:%d/%m/%Y}" for d in MOMENTS])
    cells = ["2022-02-01", "01.02.2022", "1 Feb 2022", "20220201", "1/2/22"]
    assert seconds(encoder, cells) == since_1970([datetime(2022, 2, 1)] * 5)


# ---------------------------------------------------------------- day and month


def days(order: str, step: int = 1, n: int = 12, start: int = 0) -> list[str]:
    """Days of which no part is above 12."""
    found = []
    for i in range(n):
        month, day = (start + i * step) // 12 % 12 + 1, (start + i * step) % 12 + 1
        first, second = (day, month) if order == "dmy" else (month, day)
        found.append(f"{first:02}/{second:02}/2022")
    return found


@pytest.mark.parametrize("order", ["dmy", "mdy"])
def test_rows_in_order_tell_day_from_month(order: str) -> None:
    cells = days(order, n=60)
    encoder = fitted(cells)
    how = {"dmy": "day-first", "mdy": "month-first"}
    other = how["mdy" if order == "dmy" else "dmy"]
    found = seconds(encoder, cells)
    assert found == sorted(found)
    assert decided(encoder).remedy == f"if that is wrong: --read-as 't={other}'"
    assert (
        "cells such as '01/01/2022' are read as 2022-01-01" in decided(encoder).detail
    )


def test_without_an_order_the_mark_decides() -> None:
    r = random.Random(0)
    pairs = [(r.randrange(1, 13), r.randrange(1, 13)) for _ in range(80)]
    for mark, expected in {"/": (1, 2), ".": (2, 1), "-": (2, 1)}.items():
        cells = [f"{a:02}{mark}{b:02}{mark}2022" for a, b in pairs]
        encoder = fitted(cells)
        one = datetime(2022, *expected)
        assert seconds(encoder, [f"01{mark}02{mark}2022"]) == since_1970([one])
        assert decided(encoder).level == 1
        assert "first'" in decided(encoder).remedy


@pytest.mark.parametrize(
    ("how", "expected"),
    [("day-first", (2022, 2, 1)), ("month-first", (2022, 1, 2))],
)
def test_the_order_can_be_asked_for(how: str, expected: tuple[int, int, int]) -> None:
    frame = pa.table({"t": days("dmy", n=60), "y": np.arange(60) ** 2})
    encoder = TableEncoder(read_as={"t": how}).fit(frame)
    found = encoder.chart("t", pa.array(["01/02/2022"])).tolist()
    assert found == since_1970([datetime(*expected)])


def test_years_of_two_digits_may_come_first() -> None:
    cells = [f"{d:%y-%m-%d}" for d in MOMENTS]
    encoder = fitted(cells)
    assert seconds(encoder, cells) == since_1970([to_day(d) for d in MOMENTS])


def test_one_cell_of_the_other_order_is_bad() -> None:
    cells = [f"{d:%d/%m/%Y}" for d in MOMENTS]
    cells[5] = "12/31/2022"
    detail = decided(fitted(cells)).detail
    assert (
        "1 cell, '12/31/2022' in row 5, is not a date and counts as missing" in detail
    )


# ---------------------------------------------------------------------- bad cells


@pytest.mark.parametrize("cell", ["unknown", "2024-02-30", "2024-13-01", "-", "n.a."])
def test_one_bad_cell_counts_as_missing(cell: str) -> None:
    cells = [f"{d:%Y-%m-%d}" for d in MOMENTS]
    cells[5] = cell
    encoder = fitted(cells)
    one = decided(encoder)
    assert (one.kind, one.level) == ("date", 1)
    assert repr(cell) in one.detail
    assert np.isnan(seconds(encoder, cells)).tolist() == [i == 5 for i in range(N)]


def test_one_repeated_text_among_dates_is_missing() -> None:
    cells = [f"{d:%Y-%m-%d}" if i % 4 else "offen" for i, d in enumerate(MOMENTS)]
    assert "75 cells are 'offen' and count as missing" in decided(fitted(cells)).detail


def test_mostly_dates_are_never_called_an_identifier() -> None:
    cells = [
        f"{d:%Y-%m-%d %H:%M}" if i % 4 else f"run {i}" for i, d in enumerate(MOMENTS)
    ]
    one = decided(fitted(cells))
    assert (one.kind, one.level) == ("unread", 2)
    assert (
        "looks like dates, but 25 % of the cells are not, such as 'run 0'" in one.detail
    )
    assert "--read-as 't=date'" in one.remedy
    frame = pa.table({"t": cells, "y": np.arange(N) ** 2})
    encoder = TableEncoder(read_as={"t": "date"}).fit(frame)
    assert encoder.summaries_["t"]["missing"] == 0.25


def test_a_bad_cell_in_new_rows_is_refused() -> None:
    encoder = fitted([f"{d:%d/%m/%Y}" for d in MOMENTS])
    with pytest.raises(DataError, match=r"row 1 \(from 0\) holds '30/02/2022'"):
        encoder.transform(
            pa.table({"t": ["01/02/2022", "30/02/2022"], "y": ["1", "2"]})
        )


@pytest.mark.parametrize("date", ["9999-12-31", "1900-01-01", "0001-01-01"])
def test_dates_that_mean_none_are_named(date: str) -> None:
    cells = [f"{d:%Y-%m-%d}" if i % 9 else date for i, d in enumerate(MOMENTS)]
    typed = pa.array(cells).cast(pa.date32())
    for column in (pa.array(cells), typed):
        frame = pa.table({"t": column, "y": np.arange(N) ** 2})
        one = decided(TableEncoder().fit(frame))
        assert one.level == 2
        assert f"{date} occurs 34 times, far from all other dates" in one.detail
        assert one.remedy == f"if it does: --read-as 't=missing:{date}'"
        asked = TableEncoder(read_as={"t": f"missing:{date}"}).fit(frame)
        assert asked.summaries_["t"]["missing"] == pytest.approx(34 / N)
        place = asked.feature_names_.index("t is missing")
        assert asked.transform(frame)[:, place].sum() == 34


def test_japanese_dates() -> None:
    cells = [f"{d.year}\u5e74{d.month}\u6708{d.day}\u65e5" for d in MOMENTS]
    expected = since_1970([to_day(d) for d in MOMENTS])
    assert seconds(fitted(cells), cells) == expected


def test_whole_numbers_are_dates_only_if_all_can_be() -> None:
    cells = [f"{d:%Y%m%d}" for d in MOMENTS]
    for frame in (
        pa.table({"t": cells, "y": np.arange(N) ** 2}),
        pa.table({"t": [int(cell) for cell in cells], "y": np.arange(N) ** 2}),
    ):
        encoder = TableEncoder().fit(frame)
        assert (
            "whole numbers such as 20220103 are read as dates"
            in decided(encoder).detail
        )
        assert "--read-as 't=number'" in decided(encoder).remedy
        X = encoder.transform(frame)
        text = frame.set_column(0, "t", pa.array(cells))
        np.testing.assert_array_equal(encoder.transform(text), X)
        asked = TableEncoder(read_as={"t": "number"}).fit(frame)
        assert asked.feature_names_ == ["t", "y"]
    cells[7] = "20221332"
    assert decided(fitted(cells)).kind == "number"
    assert (
        decided(fitted([str(1_640_000_000 + 997 * i) for i in range(N)])).kind
        == "number"
    )


# --------------------------------------------------------------- far from the others

WRONG = ["0001-01-01", "1900-01-01", "1987-03-14", "2031-05-05", "9999-12-31"]


@pytest.mark.parametrize("wrong", WRONG)
def test_a_date_far_from_all_others_is_named_and_encoded(wrong: str) -> None:
    plain = [f"{d:%Y-%m-%d}" for d in MOMENTS]
    odd = [*plain[:5], wrong, *plain[6:]]
    encoder, usual = fitted(odd), fitted(plain)
    one = decided(encoder)
    assert one.level == 2
    assert f"1 cell lies far from all others: {wrong} in row 5" in one.detail
    # Neither what is learnt of the other dates nor their summary is stretched by it.
    assert encoder.summaries_["t"]["max"] <= usual.summaries_["t"]["max"]
    names = usual.feature_names_
    assert encoder.feature_names_ == [*names[:2], "t far off", *names[2:]]
    frame = pa.table({"t": odd, "y": ["0"] * N})
    far = encoder.transform(frame)[:, 2]
    assert np.flatnonzero(far).tolist() == [5]
    where = "before" if wrong < "2022" else "after"
    said = encoder.usual("t", wrong).usual
    assert said == f"far {where} all other dates, 2022-01-03 to 2023-06-13"


@pytest.mark.parametrize("wrong", WRONG)
def test_new_rows_far_from_all_dates_are_odd_and_said(wrong: str) -> None:
    encoder = fitted([f"{d:%Y-%m-%d}" for d in MOMENTS])
    frame = pa.table({"t": ["2022-02-03", "2023-12-01", wrong], "y": ["0"] * 3})
    radius = np.hypot(*encoder.transform(frame)[:, :2].T)
    assert radius[:2] == pytest.approx([1, 1])
    assert radius[2] > 2
    (note,) = encoder.notes(frame)
    assert f"in 1 row, such as {wrong}" in note


def test_dates_that_thin_out_are_not_far() -> None:
    days = [datetime(2024, 6, 1) - timedelta(days=1.05**i) for i in range(150)]
    encoder = fitted([str(day) for day in days])
    assert "far" not in decided(encoder).detail
    assert not any("far" in name for name in encoder.feature_names_)


def test_what_is_odd_about_a_moment_is_said() -> None:
    days = [datetime(2021, 1, 4) + timedelta(days=i) for i in range(800)]
    days = [d.replace(hour=9 + d.day % 8) for d in days if d.weekday() < 6]
    days[9:11] = [datetime(2021, 1, 17, 10), datetime(2021, 1, 19, 3, 7)]
    encoder = fitted([f"{d:%d.%m.%Y %H:%M}" for d in days])
    for cell, expected in {
        "19.01.2021 03:07": "at 03:07, usually 09:00 to 17:00",
        "17.01.2021 10:00": "a Sunday, as 0.15 % of training rows",
        "24.01.2021 23:00": "at 23:00, usually 09:00 to 17:00; a Sunday, as 0.15 %",
        "20.01.2021 11:00": "training rows from 2021-01-04 13:00 to 2023-03-14 15:00",
    }.items():
        assert encoder.usual("t", cell).usual.startswith(expected)


# ------------------------------------------------------- times of day, durations


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("09:13", 33180.0),
        ("9:13", 33180.0),
        ("09:13:05", 33185.0),
        ("09:13:05.123", 33185.123),
        ("9:13 pm", 76380.0),
        ("12:00 AM", 0.0),
        ("9:13 p.m.", 76380.0),
        ("9pm", 75600.0),
    ],
)
def test_times_of_day(cell: str, expected: float) -> None:
    r = random.Random(1)
    cells = [f"{r.randrange(24):02}:{r.randrange(60):02}" for _ in range(200)]
    encoder = fitted(cells)
    assert encoder.feature_names_[:2] == ["t hour sine", "t hour cosine"]
    assert seconds(encoder, [cell]) == [expected]
    assert encoder.moment_ is None


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (["1:30:00", "26:00:00"], [5400.0, 93600.0]),
        (["12:34.5", "1:02.25"], [754.5, 62.25]),
        (["2h 15m", "1h", "45m", "1h30"], [8100.0, 3600.0, 2700.0, 5400.0]),
        (["90 min", "45 min 10 s"], [5400.0, 2710.0]),
        (["1 hour 30 minutes", "2 hours"], [5400.0, 7200.0]),
        (["1 Std. 44 Min.", "2 Stunden und 5 Sek."], [6240.0, 7205.0]),
        (["1 heure et 30 minutes", "2 jours"], [5400.0, 172800.0]),
        (["1 hora y 30 minutos", "2 días"], [5400.0, 172800.0]),
        (
            ["1 ora e 5 minuti", "3 giorni", "2 uur", "1 semana"],
            [3900, 259200, 7200, 604800],
        ),
        (["3 days 04:05:06", "0 days 00:00:01.500"], [273906.0, 1.5]),
        (["3 days, 4:05:06", "-1 day, 23:59:59"], [273906.0, -1.0]),
        (["PT1H30M", "P1DT1H", "PT5S", "P2W"], [5400.0, 90000.0, 5.0, 1209600.0]),
        (["-00:05:00", "00:05:00"], [-300.0, 300.0]),
        (["30:15", "1:05"], [108900.0, 3900.0]),
        (["59:58", "1:02:03"], [3598.0, 3723.0]),
    ],
)
def test_durations_are_seconds(cells: list[str], expected: list[float]) -> None:
    encoder = fitted(cells * 20)
    one = decided(encoder)
    assert (one.kind, one.level) == ("number", 1)
    assert "seconds" in one.detail
    assert seconds(encoder, cells) == pytest.approx(expected, abs=1e-9)
    assert re.search(r"\d (d|h|min|s)$", encoder.usual("t", cells[0]).usual)


def test_24_00_is_midnight_where_all_others_are_times_of_day() -> None:
    cells = [f"{i % 24:02}:{i % 60:02}" for i in range(100)]
    cells[5] = "24:00"
    one = decided(encoder := fitted(cells))
    assert one.kind == "clock"
    assert "'24:00' is read as midnight" in one.detail
    assert seconds(encoder, ["24:00", "23:00"]) == [0.0, 82800.0]
    assert decided(fitted([*cells, "26:30"])).kind == "number"


def test_the_time_on_the_wall_is_what_matters() -> None:
    cells = [f"{i % 24:02}:{i % 60:02}:00+02:00" for i in range(100)]
    encoder = fitted(cells)
    assert "offsets do not count" in decided(encoder).detail
    assert seconds(encoder, cells[:2]) == [0.0, 3660.0]
    plan = encoder.to_dict()
    del plan["columns"][0]["settings"]["wall"]
    before = TableEncoder.from_dict(plan)
    assert seconds(before, ["03:00:00+02:00"]) == [3600.0]


@pytest.mark.parametrize("cell", ["2022-02-30", "31.31.2022", "soon"])
def test_one_cell_that_is_no_date_is_marked(cell: str) -> None:
    cells = [f"{d:%d.%m.%Y}" for d in MOMENTS]
    cells[5] = cell
    encoder = fitted(cells)
    frame = pa.table({"t": cells, "y": ["0"] * N})
    place = encoder.feature_names_.index("t is not a date")
    assert np.flatnonzero(encoder.transform(frame)[:, place]).tolist() == [5]
    assert encoder.usual("t", cell).usual == "not a date, as one cell in 300 rows"


@pytest.mark.parametrize(
    ("form", "cell", "expected"),
    [
        ("%H%M", "0312", 11520.0),
        ("%H%M%S", "031209", 11529.0),
        ("%H.%M Uhr", "03.12 Uhr", 11520.0),
        ("%H Uhr", "3 Uhr", 10800.0),
        ("%d%m%Y", "05022022", 1644019200.0),
        ("%m.%Y", "02.2022", 1643673600.0),
    ],
)
def test_moments_of_digits_are_neither_codes_nor_numbers(
    form: str, cell: str, expected: float
) -> None:
    encoder = fitted([f"{d:{form}}" for d in MOMENTS])
    assert decided(encoder).kind in ("date", "clock")
    assert seconds(encoder, [cell]) == [expected]
    if form[-1] not in "r":
        assert "are read as" in decided(encoder).detail
        assert "--read-as 't=category'" in decided(encoder).remedy


def test_codes_are_no_moments() -> None:
    for cells in (
        [f"{i % 60:04}" for i in range(N)],
        [f"{i % 20:02}{i % 7:02}" for i in range(N)],
        [f"{(7919 * i) % 10000:04}" for i in range(N)],
        [f"{i % 12 + 1}.{(37 * i) % 10000:04}" for i in range(N)],
    ):
        assert decided(fitted(cells)).kind not in ("date", "clock")


def test_what_looks_like_moments_but_is_not_read_is_said_loudly() -> None:
    one = decided(fitted([f"{d:%b %d %H:%M:%S}" for d in MOMENTS]))
    assert (one.kind, one.level) == ("unread", 2)
    assert "looks like dates or times" in one.detail
    cells = [f"user{i}@corp.com, {i * 7919}" for i in range(N)]
    assert decided(fitted(cells)).kind == "identifier"


def test_first_days_of_months_have_no_usual_weekday() -> None:
    cells = [f"{2015 + i // 12}-{i % 12 + 1:02}-01" for i in range(96)]
    assert fitted(cells).feature_names_[:2] == ["t month sine", "t month cosine"]


def test_times_of_day_are_called_so() -> None:
    cells = [f"{i % 24:02}:{i % 60:02}" for i in range(100)]
    encoder = fitted(cells)
    assert str(decided(encoder)) == "'t' is a time of day: kept as hour."
    frame = pa.table({"t": cells, "y": [f"{i * i}" for i in range(100)]})
    asked = TableEncoder(read_as={"t": "clock"}).fit(frame)
    assert asked.feature_names_ == encoder.feature_names_


def test_the_name_of_a_column_tells_durations_from_times_of_day() -> None:
    cells = [f"{i % 9}:{i % 60:02}:00" for i in range(60)]
    assert decided(fitted(cells)).kind == "clock"
    assert decided(fitted(cells, name="call duration")).kind == "number"
    for how, kind in {"duration": "number", "clock": "clock"}.items():
        encoder = TableEncoder(read_as={"t": how}).fit(pa.table({"t": cells}))
        assert encoder.decisions_[0].kind == kind


def test_typed_durations_are_seconds() -> None:
    cells = [timedelta(minutes=2), timedelta(milliseconds=1500), timedelta(days=2)]
    encoder = TableEncoder().fit(pa.table({"t": cells}))
    assert encoder.chart("t", pa.array(cells)).tolist() == [120.0, 1.5, 172800.0]
    assert encoder.usual("t", cells[0])[0] == "0:02:00"
    assert seconds(encoder, ["0:02:00"]) == [120.0]


# -------------------------------------------------------------------- the table


def test_the_time_axis_is_the_column_in_order() -> None:
    shuffled = random.Random(0).sample(MOMENTS, N)
    frame = pa.table(
        {"born": [str(d) for d in shuffled], "at": MOMENTS, "y": np.arange(N) ** 2}
    )
    encoder = TableEncoder().fit(frame)
    assert encoder.moment_ == "at"
    assert TableEncoder.from_dict(encoder.to_dict()).moment_ == "at"
    assert TableEncoder().fit(frame.select(["y"])).moment_ is None


def test_summaries_of_dates() -> None:
    summary = fitted([str(d) for d in MOMENTS]).summaries_["t"]
    assert summary["min"] == "2022-01-03 01:05:09"
    assert summary["deciles"][0] == since_1970(MOMENTS)[0]
    assert len(summary["deciles"]) == 11


def test_a_text_has_one_form_only() -> None:
    cells = [write(one) for write, _ in WAYS.values() for one in MOMENTS[::17]]
    text = moment_text.tidy(pa.array(sorted(set(cells))))
    hits = sum(
        pc.match_substring_regex(text, form).cast(pa.int64()).to_numpy()
        for form in moment_text._FORMS
    )
    assert set(np.unique(hits)) == {1}
