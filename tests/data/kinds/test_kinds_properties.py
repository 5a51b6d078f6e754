"""What holds for every table: styles, batches, dates, round trips, company."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from datetime import datetime
from typing import Any

import numpy as np
import pyarrow as pa
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from whitecrow.data.kinds import choose, moment, moment_text, number_cells, number_style
from whitecrow.data.kinds.table import TableEncoder
from whitecrow.data.kinds.text import distinct
from whitecrow.errors import DataError

AFFIXES = ("{}", "${}", "{} \u20ac", "CHF {}", "{}%", "{} kg", "{}\u00a0bar", "'{}")
GROUPS = (
    ("", "."),
    ("", ","),
    (",", "."),
    (".", ","),
    (" ", ","),
    ("'", "."),
    ("\u202f", ","),
)
SIGNS = ("-{}", "{}-", "({})", "\u2212{}")


def printed(
    value: float, digits: int, marks: tuple[str, str], sign: str, affix: str
) -> str:
    plain = f"{abs(value):,.{digits}f}".replace(",", "\0").replace(".", "\1")
    cell = affix.format(plain.replace("\0", marks[0]).replace("\1", marks[1]))
    return sign.format(cell) if value < 0 else cell


@settings(max_examples=150)
@given(
    values=st.lists(
        st.decimals(-(10**7), 10**7, places=2).map(float), min_size=3, max_size=30
    ),
    marks=st.sampled_from(GROUPS),
    sign=st.sampled_from(SIGNS),
    affix=st.sampled_from(AFFIXES),
)
def test_numbers_in_any_style_are_read_back(
    values: list[float], marks: tuple[str, str], sign: str, affix: str
) -> None:
    cells = [printed(value, 2, marks, sign, affix) for value in values]
    text = distinct(pa.array(cells))
    found = number_style.find(text, str)
    assert found is not None
    assert found.verdict.fits
    read, unread = number_cells.parse(pa.array(cells), found.settings)
    assert not unread.any()
    assert read.tolist() == values


FORMATS = (
    *("%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S", "%d.%m.%Y %H:%M:%S", "%Y%m%dT%H%M%S"),
    *("%d/%m/%Y %H:%M:%S", "%m/%d/%Y %I:%M:%S %p", "%d-%b-%Y %H:%M:%S"),
    *("%b %d, %Y %H:%M:%S", "%a %b %d %H:%M:%S %Y", "[%d/%b/%Y:%H:%M:%S +0000]"),
    *("%A, %d %B %Y %H:%M:%S", "%Y/%m/%d %H:%M:%S", "%d-%m-%Y %H:%M:%S"),
)


@settings(max_examples=150)
@given(
    moments=st.lists(
        st.datetimes(datetime(1970, 1, 1), datetime(2068, 1, 1)),
        min_size=2,
        max_size=20,
    ),
    form=st.sampled_from(FORMATS),
)
def test_dates_in_any_format_are_read_back(moments: list[datetime], form: str) -> None:
    kept = [one.replace(microsecond=0) for one in moments]
    cells = pa.array([one.strftime(form) for one in kept])
    first = form[:2]
    order = {"%d": "dmy", "%m": "mdy"}.get(first, "")
    found = moment.find(distinct(cells), order)
    assert found is not None
    expected = pa.array(kept, pa.timestamp("us")).cast(pa.int64())
    assert found.values.to_pylist() == expected.to_pylist()
    if any(one.day > 12 for one in kept):
        judged = moment.find(distinct(cells))
        assert judged is not None
        assert judged.values.to_pylist() == expected.to_pylist()


@settings(max_examples=150)
@given(
    moments=st.lists(st.datetimes(), min_size=1, max_size=10),
    mark=st.sampled_from(" T"),
    unit=st.sampled_from(["hours", "minutes", "seconds", "milliseconds", "auto"]),
    zone=st.sampled_from(["", "Z", "+02:00", "-0330"]),
)
def test_dates_in_iso_form_are_the_same_alone_and_in_a_whole_column(
    moments: list[datetime], mark: str, unit: str, zone: str
) -> None:
    cells = pa.array([one.isoformat(mark, unit) + zone for one in moments])
    fast = moment_text.iso(cells)
    assert fast is not None
    slow, right = moment_text.put_together(moment_text.split(cells), len(cells), "")
    assert right.all()
    assert slow.tolist() == fast.to_pylist()


def cells_of(kind: str) -> st.SearchStrategy[Any]:
    return {
        "plain": st.floats(width=32).map(str),
        "money": st.integers(-(10**6), 10**6).map(lambda v: f"${v:,}.50"),
        "comma": st.integers(-(10**6), 10**6).map(
            lambda v: f"{v / 100:.2f}".replace(".", ",")
        ),
        "open": st.sampled_from(["1,125", "993", "1.125", "2,250", "-", "12,5"]),
        "word": st.sampled_from(["a", "b", "ja", "nein", "x", "?", "-", "1", ""]),
        "text": st.text(max_size=8),
        "date": st.dates().map(lambda d: f"{d.day}/{d.month}/{d.year}"),
        "clock": st.times().map(lambda t: f"{t:%H:%M}"),
        "length": st.integers(0, 10**6).map(
            lambda s: f"{s // 3600}:{s // 60 % 60:02}:00"
        ),
        "unit": st.sampled_from(["5 kg", "7 kg", "3", "2 lb", "9 MB", "1 kB", "4%"]),
        "far": st.sampled_from(
            ["1", "2.5", "inf", "-inf", "1e308", "1e999", "nan", "7"]
        ),
        "digits": st.integers(19900101, 20301231).map(str),
    }[kind]


KINDS = ("plain", "money", "comma", "open", "word", "text", "date", "clock", "length")
KINDS += ("unit", "far", "digits")


@st.composite
def frames(draw: DrawFn) -> pa.Table:
    n = draw(st.integers(2, 30))
    columns = {}
    for j, kind in enumerate(draw(st.lists(st.sampled_from(KINDS), max_size=4))):
        cell = st.none() | cells_of(kind)
        columns[f"{kind}{j}"] = pa.array(
            draw(st.lists(cell, min_size=n, max_size=n)), pa.string()
        )
    columns["last"] = pa.array([f"{i * i}.5" for i in range(n)])
    return pa.table(columns)


@settings(max_examples=200)
@given(frame=frames(), data=st.data())
def test_properties_of_written_tables(frame: pa.Table, data: st.DataObject) -> None:
    encoder = TableEncoder().fit(frame)
    X = encoder.transform(frame)
    assert np.isfinite(X).all()
    again = TableEncoder.from_dict(json.loads(json.dumps(encoder.to_dict())))
    assert again.to_dict() == encoder.to_dict()
    np.testing.assert_array_equal(again.transform(frame), X)
    cuts = sorted(data.draw(st.lists(st.integers(0, frame.num_rows), max_size=4)))
    edges = [0, *cuts, frame.num_rows]
    parts = [frame.slice(a, b - a) for a, b in itertools.pairwise(edges)]
    np.testing.assert_array_equal(
        np.concatenate([encoder.transform(p) for p in parts]), X
    )
    order = data.draw(st.permutations(range(frame.num_rows)))
    np.testing.assert_array_equal(encoder.transform(frame.take(list(order))), X[order])
    for column in frame.column_names:
        assert not np.isinf(encoder.chart(column, frame[column])).any()
        assert encoder.usual(column, frame[column][0].as_py()).text


@settings(max_examples=100)
@given(train=frames(), new=frames())
def test_new_rows_alone_are_as_in_company(train: pa.Table, new: pa.Table) -> None:
    names = [name for name in train.column_names if name in new.column_names]
    train, new = train.select(names), new.select(names)
    encoder = TableEncoder().fit(train)
    try:
        whole = encoder.transform(new)
    except DataError as error:
        assert "\n" not in str(error)  # noqa: PT017
        return
    rows = [encoder.transform(new.slice(i, 1)) for i in range(new.num_rows)]
    np.testing.assert_array_equal(np.concatenate(rows), whole)


@settings(max_examples=100)
@given(frame=frames(), how=st.sampled_from([*choose.HOWS[:-1], "missing:1"]))
def test_every_way_to_read_works_or_is_refused(frame: pa.Table, how: str) -> None:
    column = frame.column_names[0]
    assume(column != "last")
    try:
        encoder = TableEncoder(read_as={column: how}).fit(frame)
    except DataError as error:
        raise AssertionError(error) from error
    except ValueError as error:
        assert "cannot be read as" in str(error)  # noqa: PT017
        return
    assert np.isfinite(encoder.transform(frame)).all()


def monotone(read: Callable[[pa.Array], np.ndarray], values: list[float]) -> bool:
    found = read(pa.array([repr(v) for v in sorted(values)]))
    return bool((np.diff(found) >= 0).all())


@settings(max_examples=100)
@given(
    values=st.lists(st.floats(allow_nan=False), min_size=3, max_size=30),
    new=st.lists(st.floats(allow_nan=False), min_size=2, max_size=10),
)
def test_bigger_cells_are_never_encoded_smaller(
    values: list[float], new: list[float]
) -> None:
    frame = pa.table({"x": values, "y": np.arange(len(values)) ** 2})
    encoder = TableEncoder().fit(frame)
    assume("x" in encoder.feature_names_)
    place = encoder.feature_names_.index("x")

    def read(cells: pa.Array) -> np.ndarray:
        rows = pa.table({"x": cells, "y": [0.0] * len(cells)})
        return encoder.transform(rows)[:, place]

    assert monotone(read, new)
