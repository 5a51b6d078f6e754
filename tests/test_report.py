"""The report: what it says, that it is safe and self-contained, how it looks."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Page, sync_playwright

from whitecrow.cli import main
from whitecrow.report import charts

ROOT = Path(__file__).parent.parent
CSS = ROOT / "src" / "whitecrow" / "report" / "templates" / "style.css"
EVIL = "<script>alert(1)</script>"


def detect(*words: object) -> str:
    assert main(["detect", *map(str, words)]) == 0
    return (Path(str(words[words.index("-o") + 1])) / "report.html").read_text()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Reports of a table with names that try to break out, and of pictures."""
    from PIL import Image

    place = tmp_path_factory.mktemp("report")
    rng = np.random.default_rng(0)
    n = 300
    lines = [f'"{EVIL}",a column with quite a long name,"kind & ""k""",date,y']
    for row in range(n):
        odd = row >= n - 6
        value = rng.normal(5, 1) + 40 * odd
        kind = EVIL if odd else rng.choice(["a", "b"])
        day = f"2024-{1 + row % 12:02d}-{1 + row % 28:02d}"
        lines.append(f'{value},{1e6 * rng.random():.2f},"{kind}",{day},{int(odd)}')
    (place / "evil.csv").write_text("\n".join(lines))
    for row in range(30):
        pixels = rng.integers(90, 130, (40, 40)).astype(np.uint8)
        kind = "test/crack <b>" if row > 25 else "train/good"
        if row > 25:
            pixels[row - 20 : row - 10, 5 * (row - 25) : 5 * (row - 25) + 6] = 255
        (place / "pictures" / kind).mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(place / "pictures" / kind / f"{row}.png")
    return place


@pytest.fixture(scope="module")
def table_page(folder: Path) -> str:
    out = folder / "table"
    return detect(folder / "evil.csv", "--label-column", "y", "-o", out)


@pytest.fixture(scope="module")
def picture_page(folder: Path) -> str:
    return detect(folder / "pictures", "-o", folder / "shown")


class Checker(HTMLParser):
    """Collects tags and addresses, and sees that tags are closed in order."""

    VOID = frozenset({"meta", "link", "img", "input", "col", "br"})

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
        tags = Checker(page).tags
        assert "script" not in tags
        assert "b" not in tags or EVIL not in page
    assert EVIL not in table_page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in table_page
    assert "crack &lt;b&gt;" in picture_page


def test_nothing_is_fetched(table_page: str, picture_page: str) -> None:
    for page in (table_page, picture_page):
        addresses = Checker(page).addresses
        assert addresses
        assert all(a.startswith(("data:", "#")) for a in addresses)
        assert not re.search(r"url\(|@import|https?://", page)


def test_it_says_what_matters(table_page: str) -> None:
    text = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", table_page))
    assert re.search(r"\d+ of 300 rows are flagged", text)
    assert "Consensus" in text
    assert "It was chosen because" in text
    assert "median + 3 robust standard deviations" in text
    assert "The labels were not used for training" in text
    assert "6 of them are anomalies (2 %)" in text
    assert "usual" in text
    assert "whitecrow score" in text
    assert "seed 0" in text
    assert "whitecrow 0." in text


def test_top_rows_are_the_odd_ones_with_their_reasons(table_page: str) -> None:
    rows = re.findall(r'<td role="cell" class="name">(\d+)</td>', table_page)
    assert len(rows) == 20
    assert set(rows[:6]) == {str(row) for row in range(294, 300)}
    body = table_page[table_page.index('class="rows"') :]
    first = body[: body.index("</tr>\n<tr role")]
    assert "&lt;script&gt;" in first
    assert "label: anomaly" in first


def test_confusion_counts_add_up(table_page: str) -> None:
    table = table_page[table_page.index('class="confusion"') :]
    cells = [int(c) for c in re.findall(r"<td>(\d+)</td>", table[:900])]
    assert len(cells) == 4
    assert sum(cells) == 300
    assert cells[0] + cells[1] == 6


def test_without_labels_there_is_no_quality(folder: Path) -> None:
    page = detect(folder / "evil.csv", "--ignore", "y", "-o", folder / "plain")
    assert "How good the ranking is" not in page
    assert "quality cannot be measured" in page


def test_encoding_of_every_column_is_told(table_page: str) -> None:
    table = table_page[table_page.index('<table class="columns">') :]
    rows = re.findall(r'<th scope="row">(.*?)</th><td>(.*?)</td>', table)
    assert [kind for _, kind in rows] == ["number", "number", "category", "date"]


def test_pictures_have_heat_maps_and_kinds(picture_page: str) -> None:
    assert picture_page.count('class="heat"') == 20
    assert "For comparison, the lowest scores" in picture_page
    assert "By kind" in picture_page
    assert "test/crack &lt;b&gt;/" in picture_page


def test_size(folder: Path, table_page: str, picture_page: str) -> None:
    assert len(table_page) < 200_000
    assert len(picture_page) < 2_000_000


def test_many_columns_stay_below_the_limit(folder: Path) -> None:
    rng = np.random.default_rng(0)
    np.savez(folder / "wide.npz", X=rng.normal(size=(60, 900)))
    page = detect(folder / "wide.npz", "-o", folder / "wide")
    assert len(page) < 2_000_000
    assert "first 400 of 900 columns" in page


@pytest.mark.parametrize(
    "content",
    [
        "a,b\n" + "\n".join("1,2" for _ in range(30)) + "\n2,2\n",
        "a\n1\n2\n3\n",
        "a,b\n" + "\n".join(f"{10.0**k},x" for k in range(-5, 20)),
        "a,when\n" + "\n".join(f"{k % 3},2024-01-{1 + k % 28:02d}" for k in range(60)),
    ],
    ids=["nearly constant", "three rows", "25 orders of magnitude", "dates"],
)
@pytest.mark.parametrize("method", ["isolation_forest", "kde"])
def test_odd_tables(tmp_path: Path, content: str, method: str) -> None:
    (tmp_path / "t.csv").write_text(content)
    words = ["--method", method, "-o", tmp_path / "out"]
    page = detect(tmp_path / "t.csv", *words)
    Checker(page)
    assert not re.search(r"\bnan\b|\binf\b", page[page.index("<main>") :])


# -------------------------------------------------------------------------- charts


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
    assert titles == [
        "Distribution of the anomaly scores",
        "The 20 highest scores",
        "How good the ranking is",
        "What was read",
        "How to continue",
    ]
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


def test_moments_are_numbers_on_one_scale() -> None:
    import pyarrow as pa

    from whitecrow.report.content import _number, _numbers

    day = dt.datetime(2024, 3, 1, 12)
    columns = [
        pa.chunked_array([pa.array([day, None], pa.timestamp(unit))])
        for unit in ("s", "us", "ns")
    ]
    columns.append(pa.chunked_array([pa.array([day.replace(tzinfo=dt.UTC), None])]))
    for column in columns:
        first, second = _numbers(column)
        assert first == _number(day) == 1709294400.0
        assert np.isnan(second)
    dates = pa.chunked_array([pa.array([day.date()])])
    assert _numbers(dates).tolist() == [_number(day.date())]
    assert _numbers(pa.chunked_array([pa.array(["1.5", "x"])]))[0] == 1.5
    assert _numbers(pa.chunked_array([pa.array([3, None])]))[0] == 3.0


def test_paper_is_white_for_dark_readers_too(visit: Any, table_page: str) -> None:
    page = visit("table", 800, "dark")
    page.emulate_media(media="print")
    style = "getComputedStyle(document.body)"
    assert page.evaluate(f"{style}.backgroundColor") == "rgb(255, 255, 255)"
    assert page.evaluate(f"{style}.color") == "rgb(0, 0, 0)"
