"""The report: what it says, that it is safe and self-contained, how it looks."""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Page, expect, sync_playwright

from whitecrow import report
from whitecrow.notes import Note
from whitecrow.report import breakable, charts, island
from whitecrow.report.content import note_view
from whitecrow.report.scores import cuts, histogram, score_text
from whitecrow.report.strips import usual_text
from whitecrow.result import Result, detect

ROOT = Path(__file__).parent.parent
CSS = ROOT / "src" / "whitecrow" / "report" / "templates" / "style.css"
EVIL = "</script><script>alert(1)</script>"
NOTES = (
    Note(f"'{EVIL}' holds infinite cells", 2, EVIL),
    Note(
        "'day' is read with the day first",
        1,
        "day",
        "to change it: --read-as day=month-first",
    ),
    Note(
        "'anomaly' is named like labels",
        2,
        "anomaly",
        "whitecrow detect x.csv --label-column anomaly",
    ),
    *(Note(f"column {place} was renamed", 1) for place in range(9)),
    Note("300 rows, commas between the cells", 0),
)


def result_of(source: Path, **options: Any) -> Result:
    return detect(str(source), **options)


def shown(result: Result, folder: Path) -> str:
    """Write a report, as `detect` does, and return it."""
    folder.mkdir(exist_ok=True)
    report.write(result, folder / "report.html")
    return (folder / "report.html").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A table with names that try to break out, and pictures."""
    from PIL import Image

    place = tmp_path_factory.mktemp("report")
    rng = np.random.default_rng(0)
    n = 300
    names = f'"{EVIL}",a column with quite a long name,"kind & ""k""",date,order,y'
    lines = [names]
    for row in range(n):
        odd = row >= n - 36
        value = rng.normal(5, 1) + 40 * (odd + rng.uniform(0, 0.2))
        kind = EVIL if odd else rng.choice(["a", "b"])
        day = dt.datetime(2024, 1, 1) + dt.timedelta(hours=6 * row)
        cells = f'{1e6 * rng.random():.2f},"{kind}",{day:%Y-%m-%d %H:%M},ORD-{row:05d}'
        lines.append(f"{value},{cells},{int(odd)}")
    (place / "evil.csv").write_text("\n".join(lines))
    for row in range(64):
        pixels = rng.integers(90, 130, (40, 40)).astype(np.uint8)
        kind = "test/crack <b>" if row > 59 else "test/good"
        kind = "train/good" if row < 24 else kind
        if row > 59:
            pixels[row - 54 : row - 44, 5 * (row - 59) : 5 * (row - 59) + 6] = 255
        (place / "pictures" / kind).mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(place / "pictures" / kind / f"{row}.png")
    return place


@pytest.fixture(scope="module")
def table(folder: Path) -> Result:
    source = folder / "evil.csv"
    found = result_of(source, labels="y", method="hbos", contamination=0.12)
    found.fit.__dict__["said"] = NOTES
    return found


@pytest.fixture(scope="module")
def table_page(folder: Path, table: Result) -> str:
    return shown(table, folder / "table")


@pytest.fixture(scope="module")
def picture_page(folder: Path) -> str:
    return shown(result_of(folder / "pictures"), folder / "shown")


def data_of(page: str) -> dict[str, Any]:
    (text,) = re.findall(
        r'<script type="application/json" id="data">(.*?)</script>', page
    )
    return json.loads(text)


class Checker(HTMLParser):
    """Collects tags and addresses, and sees that tags are closed in order."""

    VOID = frozenset({"meta", "link", "img", "input", "col", "br", "wbr"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.addresses: list[str] = []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[Any]) -> None:
        self.tags.append(tag)
        self.addresses += [
            v for k, v in attrs if k in {"src", "href", "action", "data"}
        ]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[Any]) -> None:
        self.tags.append(tag)
        self.addresses += [v for k, v in attrs if k in {"src", "href"}]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


# ------------------------------------------------------------------------- content


def test_data_cannot_break_out(table_page: str, picture_page: str) -> None:
    for page in (table_page, picture_page):
        assert Checker(page).tags.count("script") == 3  # class, data, code
    assert EVIL not in table_page
    assert "<script>alert" not in table_page
    text = table_page.replace("<wbr>", "")
    assert "&lt;/script&gt;&lt;script&gt;alert(1)&lt;/script&gt;" in text
    assert any(name == EVIL for name, _, _ in data_of(table_page)["columns"])
    assert "crack &lt;b&gt;" in picture_page.replace("<wbr>", "")


def test_nothing_is_fetched(table_page: str, picture_page: str) -> None:
    for page in (table_page, picture_page):
        addresses = Checker(page).addresses
        assert addresses
        assert all(a.startswith(("data:", "#")) for a in addresses)
        assert not re.search(r"url\(|@import", page)
        assert set(re.findall(r"https?://[^\"]*", page)) == {
            "http://www.w3.org/2000/svg"
        }


def test_it_says_what_matters(table_page: str) -> None:
    text = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", table_page))
    assert "36 of 300 rows are flagged" in re.sub(r" +", " ", text)
    assert "HBOS" in text
    assert "contamination=0.12" in text
    assert "The labels were not used for training" in text
    assert "36 of them are anomalies (12 %)" in text
    assert "usual" in text
    assert "whitecrow score" in text
    assert "seed 0" in text
    assert "whitecrow 0." in text


def test_notes_come_first_and_loudest_first(table_page: str) -> None:
    text = table_page.replace("<wbr>", "")
    places = [
        text.index(mark)
        for mark in (
            "<h1>",
            "Check this first",
            "holds infinite cells",
            "named like labels",
            '<p class="lead">',
            "How your data were read",
            "with the day first",
            "column 8 was renamed",
            "300 rows, commas between the cells",
        )
    ]
    assert places == sorted(places)
    assert '<code class="copy">--read-as day=month-first</code>' in text
    assert (
        '<code class="copy">whitecrow detect x.csv --label-column anomaly</code>'
        in text
    )


def test_remedies_are_parted_into_words_and_command() -> None:
    note = note_view("x", "to use it: --read-as 'a b=category'")
    assert (note.before, note.command) == ("to use it:", "--read-as 'a b=category'")
    assert note_view("x", "correct the cells").before == "correct the cells"
    assert note_view("x", "correct the cells").command == ""


def test_top_rows_are_the_odd_ones_with_their_reasons(table_page: str) -> None:
    rows = re.findall(r'<tr role="row" data-row="(\d+)"', table_page)
    assert len(rows) == 20
    assert {int(row) for row in rows[:10]} <= set(range(264, 300))
    body = table_page[table_page.index('id="rows"') :]
    first = body[: body.index("</tr>\n<tr role")].replace("<wbr>", "")
    assert "&lt;script&gt;" in first
    assert "label: anomaly" in first


def test_rows_have_their_identifiers_and_lines(table_page: str) -> None:
    (row,) = re.findall(r'data-row="(\d+)"', table_page)[:1]
    body = table_page[table_page.index('id="rows"') :][:3000]
    assert f"ORD-{int(row):05d}" in body
    assert f"line {int(row) + 2}" in body


def test_the_data_hold_all_flagged_rows_and_columns(
    table: Result, table_page: str
) -> None:
    data = data_of(table_page)
    assert data["rows"] == table.explained
    assert len(data["rows"]) == data["flagged"] == 36
    names = [name for name, _, _ in data["columns"]]
    assert names == table.rows.frame.column_names
    assert data["columns"][names.index("date")][2] != "t"
    assert data["columns"][names.index(EVIL)][2] == "n"
    assert data["ids"] == [names.index("order")]
    assert all(len(reasons) >= 1 for reasons in data["reasons"])
    wanted = ["na"[row >= 264] for row in table.explained]
    assert list(data["labels"]) == wanted


def test_groups_are_told_and_can_be_found(table: Result, table_page: str) -> None:
    assert "What the flagged rows have in common" in table_page
    assert len(data_of(table_page)["groups"]) == len(table.groups) >= 2
    buttons = re.findall(r'class="group" data-group="(\d+)"', table_page)
    assert sorted(map(int, buttons)) == list(range(len(table.groups)))
    assert 'class="episode"' in table_page


def test_confusion_counts_add_up(table_page: str) -> None:
    table = table_page[table_page.index('class="confusion"') :]
    cells = [int(c) for c in re.findall(r"<td>(\d+)</td>", table[:900])]
    assert len(cells) == 4
    assert sum(cells) == 300
    assert cells[0] + cells[1] == 36


def test_without_labels_there_is_no_quality(folder: Path) -> None:
    found = result_of(folder / "evil.csv", ignore=("y",), method="hbos")
    page = report.render(found)
    assert "How good the ranking is" not in page
    assert "quality cannot be measured" in page
    assert "hits" not in data_of(page)["cuts"]


def test_every_column_is_told(table_page: str) -> None:
    columns = table_page[table_page.index('class="columns"') :]
    kinds = re.findall(r'<h3>.*?</h3>\s*<p class="soft">(.*?)</p>', columns, re.DOTALL)
    assert sorted(kinds) == ["category", "date", "identifier", "number", "number"]
    reasons = [int(n) for n in re.findall(r"a reason in (\d+) rows", columns)]
    assert reasons == sorted(reasons, reverse=True)


def test_pictures_have_heat_maps_and_kinds(picture_page: str) -> None:
    assert "Explain any picture" in picture_page
    assert 20 <= picture_page.count('class="heat"') <= 60
    assert "For comparison, the lowest scores" in picture_page
    assert "By kind" in picture_page
    assert "test/crack &lt;b&gt;/" in picture_page


def test_masks_are_measured_on_the_page(folder: Path) -> None:
    measured: Any = SimpleNamespace(auroc=0.91234, pro=0.5, n_pictures=30, n_masks=4)
    page = report.render(replace(result_of(folder / "pictures"), pixels=measured))
    assert "0.912" in page
    assert "PRO" in page


def test_size(table_page: str, picture_page: str) -> None:
    assert len(table_page.encode()) < 200_000
    assert len(picture_page.encode()) < 2_000_000


@pytest.mark.parametrize(("columns", "width"), [(40, 12), (40, 70), (300, 9)])
def test_a_thousand_rows_stay_below_a_megabyte(
    tmp_path: Path, columns: int, width: int
) -> None:
    """40 columns of numbers and of long texts, and 300 columns."""
    rng = np.random.default_rng(0)
    lines = [",".join(f"column_{place}" for place in range(columns))]
    for _ in range(2500):
        cells = [f"{x:.{width - 3}f}" for x in rng.normal(size=columns)]
        cells[::5] = [f"{x} {'word ' * 20}"[:width] for x in cells[::5]]
        lines.append(",".join(cells))
    (tmp_path / "t.csv").write_text("\n".join(lines))
    found = result_of(tmp_path / "t.csv", method="hbos", contamination=0.4)
    page = report.render(found)
    assert len(found.explained) == 1000
    assert len(page.encode()) < 1_000_000
    data = data_of(page)
    assert len(data["rows"]) == 1000
    absent = [name for name, cells, _ in data["columns"] if cells is None]
    assert bool(absent) == (f"no cells of {len(absent)} columns" in page)
    assert len(absent) < columns
    if (columns, width) == (40, 12):
        assert absent == []


def test_many_columns_stay_below_the_limit(folder: Path) -> None:
    rng = np.random.default_rng(0)
    np.savez(folder / "wide.npz", X=rng.normal(size=(60, 900)))
    page = report.render(result_of(folder / "wide.npz", method="hbos"))
    assert len(page) < 1_000_000
    assert "the page has 400 of 900" in page


@pytest.mark.parametrize(
    "content",
    [
        "a,b\n" + "\n".join("1,2" for _ in range(30)) + "\n2,2\n",
        "a\n1\n2\n3\n",
        "a,b\n" + "\n".join(f"{10.0**k},x" for k in range(-5, 20)),
        "a,when\n" + "\n".join(f"{k % 3},2024-01-{1 + k % 28:02d}" for k in range(60)),
        "a,when\n"
        + "\n".join(f"{k % 3},{9 + k % 9:02d}:{k % 60:02d}" for k in range(60)),
    ],
    ids=["nearly constant", "three rows", "25 orders of magnitude", "dates", "clock"],
)
@pytest.mark.parametrize("method", ["isolation_forest", "kde"])
def test_odd_tables(tmp_path: Path, content: str, method: str) -> None:
    (tmp_path / "t.csv").write_text(content)
    page = report.render(result_of(tmp_path / "t.csv", method=method))
    Checker(page)
    seen = page[page.index("<main>") : page.index("</main>")]
    assert not re.search(r"\bnan\b|\binf\b", seen)


def test_fragment_is_safe_and_short(table: Result) -> None:
    text = report.fragment(table)
    assert "<script" not in text
    assert "36 of 300 rows are flagged" in text
    assert "named like labels" in text
    assert len(text) < 20_000


def test_every_kind_of_column_has_its_place(tmp_path: Path) -> None:
    """Yes and no, decimal commas, clock times and durations are on their charts."""
    lines = ["paid;load;at;took;day;code"]
    for row in range(200):
        odd = row == 150
        load = f"{1 + row % 7},{row % 10}" if not odd else "1.234,5"
        cells = f"{'yes' if odd else 'no'};{load};{8 + row % 9:02d}:15;{1 + row % 5}h"
        lines.append(f"{cells};{1 + row % 28:02d}.03.2024;K{row % 3}")
    (tmp_path / "t.csv").write_text("\n".join(lines))
    found = result_of(tmp_path / "t.csv", method="hbos", contamination=0.1)
    page = report.render(found)
    data = data_of(page)
    names = [name for name, _, _ in data["columns"]]
    marks = {}
    for row, reasons in zip(data["rows"], data["reasons"], strict=True):
        marks |= {(row, names[column]): mark for column, *_, mark in reasons}
    assert marks[150, "load"] == "r"
    assert isinstance(marks[150, "paid"], list)
    assert all(mark is not None for mark in marks.values())
    orders = {name: order for name, _, order in data["columns"]}
    assert {name for name in names if orders[name] == "t"} == {"code"}
    assert found.model.encoder is not None
    summaries = found.model.encoder.summaries_
    assert usual_text(summaries["day"]) == "2024-03-01 to 2024-03-28"
    assert usual_text(summaries["at"]) == "08:15 to 16:15"
    assert usual_text(summaries["took"]) == "usual 1 to 5, median 3 h"
    assert usual_text(summaries["paid"]) == "false 99.5\u00a0%, true 0.5\u00a0%"
    kinds = re.findall(r'<p class="soft">(yes/no column|time of day|boolean)', page)
    assert sorted(kinds) == ["time of day", "yes/no column"]


# ------------------------------------------------------------- data for the script


def test_money_and_dates_come_with_their_ranks() -> None:
    cells = ["$1,125.50", "$993", "", "$2"]
    order = island.order_code(cells, np.array([1125.5, 993.0, np.nan, 2.0]))
    keys = [order[i : i + 2] for i in range(0, len(order), 2)]
    assert sorted(range(4), key=keys.__getitem__) == [3, 1, 0, 2]


def test_plain_numbers_are_sorted_by_the_script() -> None:
    assert island.order_code(["-1.5", "2e3", ""], np.array([-1.5, 2000, np.nan])) == "n"
    # Where the encoder reads another number than the script would, it has its way.
    assert island.order_code(["1.125", "9"], np.array([1125.0, 9.0])) != "n"
    assert island.order_code(["a", "b"], None) == "t"
    assert island.order_code(["a"], np.array([np.nan])) == "t"


def test_ranks_keep_their_order_for_a_thousand_rows() -> None:
    numbers = np.random.default_rng(0).permutation(1000).astype(float)
    order = island.order_code([f"{x} m" for x in numbers], numbers)
    keys = [order[i : i + 2] for i in range(0, 2000, 2)]
    assert sorted(range(1000), key=keys.__getitem__) == np.argsort(numbers).tolist()


def test_words_break_only_where_they_are_too_long() -> None:
    assert str(breakable("category category category")) == "category category category"
    assert str(breakable("x" * 21)) == "x" * 14 + "<wbr>" + "x" * 7
    assert str(breakable("a<b")) == "a&lt;b"
    assert "<wbr>" in str(breakable("warehouse_location_identifier"))


def test_cuts_flag_what_the_command_would(table: Result) -> None:
    from whitecrow.threshold import from_contamination

    found = cuts(table, histogram(table))
    assert found is not None
    for share, count in zip(found["shares"], found["counts"], strict=True):
        value = (
            table.threshold
            if share is None
            else from_contamination(table.scores, share).value
        )
        assert (table.scores > value).sum() == count
    assert found["shares"][found["start"]] is None
    assert found["counts"] == sorted(found["counts"])
    assert len(found["counts"]) < 300
    assert found["hits"][-1] <= found["anomalies"] == 36


# -------------------------------------------------------------------------- charts


@pytest.mark.parametrize("base", [2.0**63, 2.0**62, -(2.0**63), 2.0**53, 1e300, 0.0])
@pytest.mark.parametrize("apart", [0, 1, 2, 5, 40, 1000])
def test_numbers_that_floats_hardly_tell_apart_are_drawn(
    base: float, apart: int
) -> None:
    values = base + np.arange(200) % (apart + 1) * np.spacing(base)
    for usual in ((values.min(), values.max()), (base, base)):
        assert "nan" not in charts.strip_of(values, usual).path
    for threshold in (values[0], values.max(), float(np.median(values))):
        assert charts.histogram(values, float(threshold), None).bars is not None


def test_bars_end_at_the_threshold() -> None:
    scores = np.random.default_rng(0).normal(size=2000)
    drawn = charts.histogram(scores, 1.7, None)
    left = [float(x) for x in re.findall(r"M([\d.]+) 100V", drawn.flagged_bars)]
    right = [float(x) for x in re.findall(r"H([\d.]+)V100z", drawn.bars)]
    assert max(right) <= drawn.cut <= min(left)
    assert min(left) - max(right) < 1.0
    assert drawn.truth == ""


def test_a_threshold_beyond_all_scores_is_in_the_chart() -> None:
    drawn = charts.histogram(np.linspace(0, 1, 50), 3.0, None)
    assert drawn.flagged_bars == ""
    assert 95 < drawn.cut <= 100


def test_long_tails_get_a_log_axis() -> None:
    scores = np.r_[np.random.default_rng(0).uniform(1, 2, 500), 1e6]
    assert charts.histogram(scores, 3.0, None).is_log
    assert not charts.histogram(scores - 2, 3.0, None).is_log


def test_the_outline_counts_the_labelled_anomalies() -> None:
    scores = np.repeat([0.0, 1.0], [90, 10])
    drawn = charts.histogram(scores, 0.5, scores > 0.5)
    tops = [float(y) for y in re.findall(r"L[\d.]+ ([\d.]+)", drawn.truth)]
    assert min(tops) == pytest.approx(100 - 100 * np.log(11) / np.log(91), abs=0.1)


def test_ticks_are_round_and_inside() -> None:
    for low, high in ((0.37, 0.68), (-3.0, 1200.0), (1e-7, 3e-7)):
        ticks = charts.histogram(np.linspace(low, high, 30), (low + high) / 2, None)
        assert 3 <= len(ticks.x_ticks) <= 9
        assert all(-0.01 <= at <= 100.01 for at, _ in ticks.x_ticks)


def test_a_value_beyond_the_strip_is_said_to_be_beyond() -> None:
    strip = charts.strip_of(
        np.r_[np.random.default_rng(0).normal(size=500), 90.0], (-2, 2)
    )
    assert strip.is_beyond(90.0)
    assert not strip.is_beyond(1.0)
    assert strip.place(90.0) == 100.0
    assert strip.band is not None
    low, high = strip.band
    assert low < strip.place(0.0) < high


def test_whole_numbers_have_a_bin_each() -> None:
    strip = charts.strip_of(np.repeat([0.0, 1.0, 2.0, 3.0], [40, 30, 20, 10]), (0, 3))
    tops = [float(y) for y in re.findall(r"V([\d.]+)H", strip.path)]
    assert len(tops) == 4
    assert tops == sorted(tops)
    assert strip.place(0.0) == 12.5


def test_curves_keep_their_corners() -> None:
    x = np.r_[np.zeros(500), np.linspace(0, 1, 5000)]
    y = np.r_[np.linspace(0, 1, 500), np.ones(5000)]
    path = charts.curve(x, y)
    points = re.findall(r"[ML]([\d.]+) ([\d.]+)", path)
    assert points == [("0", "100"), ("0", "0"), ("100", "0")]


def test_curves_stay_close_with_few_points() -> None:
    x = np.sort(np.random.default_rng(0).uniform(size=30_000))
    path = charts.curve(x, np.sqrt(x))
    points = np.array(re.findall(r"[ML]([\d.]+) ([\d.]+)", path), dtype=float) / 100
    assert len(points) < 800
    assert np.abs(np.sqrt(points[:, 0]) - (1 - points[:, 1])).max() < 0.05


def test_a_time_axis_has_the_highest_score_of_each_span() -> None:
    moments = np.r_[60.0 * np.arange(10_000), np.nan]
    scores = np.r_[np.random.default_rng(0).uniform(size=10_000), 99.0]
    scores[5000] = 8.0
    drawn = charts.timeline(moments, scores, scores > 2, 2.0)
    assert drawn is not None
    assert sum(drawn.counts) == 1
    at = drawn.counts.index(1)
    assert drawn.highest[at] == 8.0
    assert (
        drawn.start + at * drawn.step
        <= 60 * 5000
        <= drawn.start + (at + 1) * drawn.step
    )
    assert drawn.dots.count("M") == 1
    assert drawn.place(60.0 * 9999) == pytest.approx(100)
    assert drawn.place(-5.0) == 0.0


def test_a_time_axis_reaches_no_lower_than_what_is_drawn() -> None:
    scores = np.random.default_rng(0).uniform(1, 2, 5000)
    scores[[7, 8]] = 0.002, 900.0
    drawn = charts.timeline(60.0 * np.arange(5000), scores, scores > 4, 4.0)
    assert drawn is not None
    depths = [float(y) for y in re.findall(r"V([\d.]+)", drawn.band)]
    assert max(depths) > 95
    assert min(float(text) for _, text in drawn.y_ticks) >= 1


def test_a_time_axis_needs_two_moments() -> None:
    ones = np.ones(5)
    assert charts.timeline(ones, ones, ones > 2, 2.0) is None
    assert charts.timeline(ones * np.nan, ones, ones > 2, 2.0) is None


@pytest.mark.parametrize(
    "span", [0.5, 7, 600, 5e4, 3e5, 5e6, 4e7, 4e8, 2e10], ids="{:g} s".format
)
def test_time_has_a_few_ticks(span: float) -> None:
    ticks = charts._time_ticks(1583748873.0, 1583748873.0 + span)
    assert 2 <= len(ticks) <= 8
    assert all(-0.01 <= at <= 100.01 for at, _ in ticks)
    assert len({text for _, text in ticks}) == len(ticks)


# ----------------------------------------------------------------------- the looks


def luminance(colour: str) -> float:
    digits = colour.lstrip("#")
    digits = digits if len(digits) == 6 else "".join(2 * d for d in digits)
    parts = np.array([int(digits[i : i + 2], 16) / 255 for i in (0, 2, 4)])
    linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_text_has_contrast(scheme: int) -> None:
    """WCAG 2.2 AA: 4.5 for text, 3 for what charts are made of."""
    found = re.findall(r":root \{(.*?)\}", CSS.read_text(), re.DOTALL)[scheme]
    colours = dict(re.findall(r"--([\w-]+): (#\w+)", found))
    for text in ("ink", "soft", "odd"):
        for ground in ("paper", "wash"):
            assert contrast(colours[text], colours[ground]) >= 4.5, (text, ground)
    assert contrast(colours["curve"], colours["paper"]) >= 3


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Any]:
    with sync_playwright() as playwright:
        options = ["--no-sandbox", "--disable-gpu"]
        opened = playwright.chromium.launch(executable_path=chromium, args=options)
        yield opened
        opened.close()


@pytest.fixture
def visit(browser: Any, folder: Path) -> Iterator[Any]:
    """A function that opens a report and records requests and complaints."""
    seen: list[str] = []
    contexts = []

    def go(name: str, width: int, scheme: str = "light") -> Page:
        context = browser.new_context(
            viewport={"width": width, "height": 800}, color_scheme=scheme, offline=True
        )
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: seen.append(message.text))
        page.on("pageerror", lambda error: seen.append(str(error)))
        page.on(
            "request",
            lambda r: (
                None if r.url.startswith(("data:", "file:")) else seen.append(r.url)
            ),
        )
        page.goto((folder / name / "report.html").as_uri())
        return page

    yield go
    for context in contexts:
        context.close()
    assert seen == []


NAMES = ["table", "shown"]
TITLES = {
    "table": [
        "Check this first",
        "What the flagged rows have in common",
        "When it happened",
        "The flagged rows",
        "Where to draw the line",
        "How good the ranking is",
        "Which columns cause most flags",
        "How your data were read",
        "How to continue",
    ],
    "shown": [
        "The flagged pictures",
        "Where to draw the line",
        "How good the ranking is",
        "How your data were read",
        "How to continue",
    ],
}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("width", [1280, 768, 390, 320])
def test_no_horizontal_scroll(
    visit: Any, name: str, width: int, table_page: str, picture_page: str
) -> None:
    page = visit(name, width)
    page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("name", NAMES)
def test_it_reads_in_order(
    visit: Any, name: str, table_page: str, picture_page: str
) -> None:
    page = visit(name, 1280)
    assert page.locator("h1").count() == 1
    titles = page.locator("h2").all_inner_texts()
    titles = [re.sub(r"The \d+ highest", "The highest", title) for title in titles]
    assert titles == TITLES[name]
    unnamed = page.eval_on_selector_all(
        "[role=img]:not([aria-label]), img:not([alt])", "found => found.length"
    )
    assert unnamed == 0


def test_rows_can_be_opened_and_keep_their_table(visit: Any, table_page: str) -> None:
    page = visit("table", 390)
    assert page.get_by_role("table").first.is_visible()
    assert page.get_by_role("row").count() >= 20
    value = page.locator("dl.values").first
    assert not value.is_visible()
    page.locator("td summary").first.click()
    assert value.is_visible()


def test_heat_maps_can_be_hidden(visit: Any, picture_page: str) -> None:
    page = visit("shown", 1280)
    heat = page.locator(".heat").first
    assert heat.is_visible()
    page.get_by_label("show heat maps").uncheck()
    assert not heat.is_visible()


def test_dark_readers_get_a_dark_page(visit: Any, table_page: str) -> None:
    backgrounds = [
        visit("table", 800, scheme).evaluate(
            "getComputedStyle(document.body).background"
        )
        for scheme in ("light", "dark")
    ]
    assert "255, 255, 255" in backgrounds[0]
    assert "255, 255, 255" not in backgrounds[1]


def test_marks_lie_on_their_strips(visit: Any, table_page: str) -> None:
    """The strip's shape is drawn (a symbol is found), and in the page's colours."""
    page = visit("table", 1280)
    box = page.locator("svg.strip use").first.bounding_box()
    assert box["width"] > 100
    colour = page.evaluate(
        "getComputedStyle(document.querySelector('symbol .shape')).fill"
    )
    assert colour not in {"rgb(0, 0, 0)", "none"}


def test_paper_is_white_for_dark_readers_too(visit: Any, table_page: str) -> None:
    page = visit("table", 800, "dark")
    page.emulate_media(media="print")
    style = "getComputedStyle(document.body)"
    assert page.evaluate(f"{style}.backgroundColor") == "rgb(255, 255, 255)"
    assert page.evaluate(f"{style}.color") == "rgb(0, 0, 0)"


# ------------------------------------------------------------------- what it can do


def rows_of(page: Page) -> list[int]:
    found = page.locator("#rows tbody tr").evaluate_all(
        "rows => rows.map(row => Number(row.dataset.row))"
    )
    return [int(row) for row in found]


def test_without_script_the_page_reads(
    browser: Any, folder: Path, table_page: str
) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto((folder / "table" / "report.html").as_uri())
    assert len(page.locator("#rows tbody tr").all()) == 20
    assert not page.locator("#controls").is_visible()
    assert page.get_by_text("Other thresholds as a table").is_visible()
    page.locator("td summary").first.click()
    assert page.locator("dl.values").first.is_visible()
    context.close()


def test_rows_that_the_script_draws_look_like_those_of_the_page(
    visit: Any, table_page: str
) -> None:
    page = visit("table", 1280)
    before = page.locator("#rows tbody tr").first
    shape = """row => { row.querySelectorAll('.values').forEach(v => v.remove());
        return row.outerHTML.replace(/\\s+/g, ' ').replace(/> </g, '><')
            .replace(/ (?=<)|(?<=>) /g, '').replace(/style="width:[^"]*"/g, '')
            .replace(/"(\\d+)\\.0"/g, '"$1"').replace(/M(\\d+)\\.0 /g, 'M$1 ') }"""
    old = before.evaluate(shape)
    page.locator("#sort").select_option("row")
    page.locator("#sort").select_option("rank")
    assert page.locator("#rows tbody tr").first.evaluate(shape) == old


def test_all_rows_can_be_shown(visit: Any, table: Result, table_page: str) -> None:
    page = visit("table", 1280)
    expect(page.locator("#count")).to_have_text("36 rows; showing the first 20.")
    page.get_by_role("button", name="show all 36").click()
    assert rows_of(page) == table.explained
    expect(page.locator("#count")).to_have_text("36 rows; showing all.")
    assert not page.locator("#more").is_visible()


def test_rows_can_be_sorted(visit: Any, table: Result, table_page: str) -> None:
    page = visit("table", 1280)
    page.get_by_role("button", name="show all 36").click()
    for name in (EVIL, "date", "order"):
        numbers = table.rows.frame[name].to_pylist()
        label = f"time ({name})" if name == "date" else name
        page.locator("#sort").select_option(label=label)
        page.get_by_role("button", name="show all 36").click()
        wanted = sorted(table.explained, key=lambda row: numbers[row])
        assert rows_of(page) == wanted
    page.get_by_role("button", name="reverse").click()
    page.get_by_role("button", name="show all 36").click()
    assert rows_of(page) == wanted[::-1]
    page.locator("#sort").select_option("row")
    assert rows_of(page)[0] == max(table.explained)


def test_rows_can_be_searched(visit: Any, table: Result, table_page: str) -> None:
    page = visit("table", 1280)
    row = table.explained[7]
    page.get_by_label("Search").fill(f"ord-{row:05d}")
    assert rows_of(page) == [row]
    expect(page.locator("#count")).to_contain_text("1 of the 36 listed rows match")
    page.get_by_label("Search").fill("nothing has this")
    expect(page.locator("#count")).to_have_text("No listed row matches.")
    page.get_by_role("button", name="show all rows").click()
    assert len(rows_of(page)) == 20


def test_rows_can_be_filtered_by_reason(
    visit: Any, table: Result, table_page: str
) -> None:
    page = visit("table", 1280)
    options = page.locator("#reason option").all_inner_texts()
    name = options[-1].rpartition(" (")[0]
    page.locator("#reason").select_option(label=options[-1])
    with_it = [
        row for row in table.explained if name in {r.column for r in table.reasons[row]}
    ]
    assert rows_of(page) == with_it[:20]


def test_groups_filter_by_keyboard(visit: Any, table: Result, table_page: str) -> None:
    page = visit("table", 1280)
    button = page.locator(".group").first
    button.focus()
    page.keyboard.press("Enter")
    expect(button).to_have_attribute("aria-pressed", "true")
    group = table.groups[int(button.get_attribute("data-group") or -1)]
    assert rows_of(page) == [row for row in table.explained if row in group.rows][:20]
    expect(page.locator("#count")).to_contain_text(
        f"{len(group.rows)} of the 36 listed rows match"
    )
    button.focus()
    page.keyboard.press("Space")
    expect(button).to_have_attribute("aria-pressed", "false")


def test_an_episode_on_the_time_axis_filters(
    visit: Any, table: Result, table_page: str
) -> None:
    page = visit("table", 1280)
    page.locator(".episode").first.click()
    expect(page.locator("#count")).to_contain_text("rows match")
    assert page.locator(".group[aria-pressed=true]").count() == 1


def test_the_time_axis_reads_with_arrow_keys(visit: Any, table_page: str) -> None:
    page = visit("table", 1280)
    page.locator("#time").focus()
    whole = page.locator("#time-says").inner_text()
    page.keyboard.press("End")
    expect(page.locator("#time-says")).to_contain_text("highest score")
    page.keyboard.press("ArrowLeft")
    assert page.locator("#cursor").is_visible()
    page.locator("#search").focus()
    expect(page.locator("#time-says")).to_have_text(whole)


@pytest.mark.parametrize("name", NAMES)
def test_the_threshold_can_be_tried(
    visit: Any, name: str, table_page: str, picture_page: str
) -> None:
    page = visit(name, 390)
    says, command = page.locator("#cut-says"), page.locator("#cut-command")
    start = says.inner_text()
    assert not command.is_visible()
    page.locator("#cut").focus()
    page.keyboard.press("End")
    assert says.inner_text() != start
    if name == "table":
        expect(command).to_have_text(re.compile(r"^--contamination 0\.\d+$"))
    else:  # trained on other pictures, which set the threshold
        assert not command.is_visible()
    assert "recall" in says.inner_text()
    page.get_by_role("button", name="Back to the threshold").click()
    assert says.inner_text() == start


def test_opened_rows_show_every_column(
    visit: Any, table: Result, table_page: str
) -> None:
    page = visit("table", 1280)
    page.get_by_role("button", name="show all 36").click()
    page.locator("td summary").last.click()
    names = page.locator("dl.values").last.locator("dt").all_inner_texts()
    assert names[0] == "order"
    assert set(names) == set(table.rows.frame.column_names)
    assert EVIL in names


def test_commands_are_copied_without_more(
    browser: Any, folder: Path, table_page: str
) -> None:
    context = browser.new_context(permissions=["clipboard-read", "clipboard-write"])
    page = context.new_page()
    page.goto((folder / "table" / "report.html").as_uri())
    for place in (page.locator("pre.copy").first, page.locator("code.copy").first):
        text = place.evaluate("p => (p.dataset.text || p.textContent).trim()")
        button = (
            place.locator(".copy-button")
            if place.evaluate("p => p.tagName") == "PRE"
            else place.locator("xpath=following-sibling::button").first
        )
        button.click()
        assert page.evaluate("navigator.clipboard.readText()") == text
        assert not text.startswith("$")
    context.close()


@pytest.mark.parametrize("width", [1280, 390])
def test_words_do_not_break_inside(visit: Any, width: int, table_page: str) -> None:
    """A word of up to 20 letters is on one line wherever it stands."""
    page = visit("table", width)
    page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    broken = page.evaluate(
        """() => {
        const found = [], range = document.createRange();
        const main = document.querySelector('main');
        const walker = document.createTreeWalker(main, NodeFilter.SHOW_TEXT);
        for (let node; (node = walker.nextNode());)
            for (const word of node.data.matchAll(/[\\p{L}\\p{N}]{2,14}/gu)) {
                range.setStart(node, word.index);
                range.setEnd(node, word.index + word[0].length);
                const tops = [...range.getClientRects()].map(r => Math.round(r.top));
                if (new Set(tops).size > 1)
                    found.push([word[0], node.parentNode.outerHTML]);
            }
        return found; }"""
    )
    assert broken == []


@pytest.mark.parametrize("width", [1280, 390])
def test_the_thumb_is_below_the_line(visit: Any, width: int, table_page: str) -> None:
    page = visit("table", width)
    slider = page.locator("#cut")
    slider.focus()
    for _ in range(9):
        page.keyboard.press("ArrowLeft")
    line, whole = page.locator("#would").bounding_box(), slider.bounding_box()
    assert line is not None
    assert whole is not None
    share = float(slider.input_value()) / 100
    thumb = whole["x"] + 8 + share * (whole["width"] - 16)
    assert thumb == pytest.approx(line["x"], abs=2)


def test_bands_of_episodes_end_with_the_chart(visit: Any, table_page: str) -> None:
    page = visit("table", 1280)
    chart = page.locator("#time").bounding_box()
    assert chart is not None
    for band in page.locator(".episode").all():
        box = band.bounding_box()
        assert box is not None
        assert box["x"] + box["width"] <= chart["x"] + chart["width"] + 1


@pytest.fixture(scope="module")
def visits(folder: Path) -> Result:
    rng = np.random.default_rng(2)
    lines = ["day,charges,again,clock,size,y"]
    for row in range(240):
        day = dt.date(2024, 1, 1) + dt.timedelta(days=row)
        charge = 985_000 if row == 7 else rng.integers(1000, 9000)
        again = "" if row == 9 else rng.choice(["Yes", "No"])
        size = f"{rng.normal(5, 1):.2f}"
        clock = f"{rng.integers(24):02d}:{rng.integers(60):02d}"
        lines.append(f'{day},"${charge:,}.00",{again},{clock},{size},{int(row < 2)}')
    (folder / "visits.csv").write_text("\n".join(lines))
    return result_of(folder / "visits.csv", labels="y", method="ecod")


def test_search_finds_what_a_page_shows(
    visit: Any, visits: Result, folder: Path
) -> None:
    shown(visits, folder / "visits")
    page = visit("visits", 1280)
    for words in ("985000", "985,000"):
        page.get_by_label("Search").fill(words)
        assert rows_of(page) == [7]
    page.get_by_label("Search").fill("missing")
    assert rows_of(page) == ([9] if 9 in visits.explained else [])


def test_rows_have_their_time_and_cards_the_words_of_the_file(
    visits: Result, folder: Path
) -> None:
    page = shown(visits, folder / "visits").replace("<wbr>", "")
    assert '<span class="soft time">2024-01-08</span>' in page
    assert "2024-01-08" in visits.name(7)
    assert "time of day" in page
    assert re.search(r'class="usual">(Yes|No) \d+\s%, (Yes|No)', page)
    assert str(folder) not in re.sub(r'title="[^"]*"', "", page.split("<pre")[0])


def test_a_ranking_worse_than_chance_is_called_so(visits: Result) -> None:
    assert visits.quality is not None
    bad = replace(visits, quality=replace(visits.quality, auroc=0.3))
    good = replace(visits, quality=replace(visits.quality, auroc=0.7))
    assert "AUROC 0.300, worse than chance" in bad.reading()
    assert "worse than chance" in report.render(bad)
    assert "worse than chance" in report.fragment(bad)
    assert "worse than chance" not in good.reading() + report.render(good)


def test_notes_of_one_kind_are_one_with_one_remedy(visits: Result) -> None:
    found = replace(visits)
    notes = tuple(
        Note(
            f"'x{n}': -999 occurs {n + 2} times",
            2,
            f"x{n}",
            f"if it does: --read-as 'x{n}=missing:-999'",
        )
        for n in range(50)
    )
    found.fit.__dict__["said"] = notes
    page = report.render(found).replace("<wbr>", "")
    found.fit.__dict__.pop("said")
    top = page[page.index("Check this first") : page.index('<p class="lead">')]
    assert "50 columns like &#39;x0&#39;: -999 occurs 2 times" in top
    (remedy,) = re.findall(r'<code class="copy">(.*?)</code>', top)
    assert remedy.count("--read-as") == 50
    fold = top[top.index("<details>") :]
    assert all(f"&#39;x{n}&#39;: -999 occurs {n + 2} times" in fold for n in range(50))


def test_missed_pictures_can_be_seen(folder: Path) -> None:
    few = result_of(folder / "pictures")
    few.model.detector.offset_ = -1e9
    page = report.render(replace(few, top=few.top[:1]))
    assert "4 labelled anomalies are not flagged; 3 more" in page


def test_scores_near_zero_have_no_sign() -> None:
    assert score_text(-0.0001, 1.0) == "0.00"


def test_few_counts_have_ticks() -> None:
    assert [text for _, text in charts._count_ticks(8)] == ["1", "2", "5"]
