"""Numbers as people write them: the odd one is first, and what was read is said."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from people import ODD, Desk, N, comma, loads, prices, quoted, rng

Cell = Callable[[float], str]


def us(value: float, digits: int = 2) -> str:
    return f"{value:,.{digits}f}"


def eu(value: float, digits: int = 2) -> str:
    return comma(us(value, digits))


def marked(mark: str, decimal: str = ".", digits: int = 2) -> Cell:
    """Thousands with any mark."""
    return lambda value: us(value, digits).translate(
        str.maketrans({",": mark, ".": decimal})
    )


def indian(value: float) -> str:
    """Lakh and crore: groups of two above the thousands."""
    whole, _, cents = f"{abs(value):.2f}".partition(".")
    head, tail = whole[:-3], whole[-3:]
    pairs = [head[max(0, i - 2) : i] for i in range(len(head), 0, -2)][::-1]
    return ("-" if value < 0 else "") + ",".join([*pairs, tail]) + "." + cents


# name -> (separator, cell, what the note has to mention)
MONEY: dict[str, tuple[str, Cell, str]] = {
    "dollars": (",", lambda v: quoted(f"${us(v)}"), r"\$|dollar|currency"),
    "dollars without quotes": (",", lambda v: f"${v:.2f}", r"\$|dollar|currency"),
    "US dollars": (";", lambda v: f"US$ {us(v)}", r"US\$|currency"),
    "euros behind": (";", lambda v: f"{eu(v)} €", "€|euro|currency"),
    "euros before": (";", lambda v: f"€{eu(v)}", "€|euro|currency"),
    "EUR before": (",", lambda v: quoted(f"EUR {us(v)}"), "EUR|currency"),
    "EUR behind": (";", lambda v: f"{eu(v)} EUR", "EUR|currency"),
    "pounds": (",", lambda v: f"£{v:.2f}", "£|currency|pound"),
    "GBP behind": (",", lambda v: f"{v:.2f} GBP", "GBP|currency"),
    "francs": (";", lambda v: "CHF " + marked("'")(v), "CHF|currency"),
    "yen": (";", lambda v: f"¥{us(v, 0)}", "¥|yen|currency"),
    "rupees": (";", lambda v: f"₹{indian(100 * v)}", "₹|rupee|currency"),
    "rupees in letters": (";", lambda v: f"Rs. {us(v)}", "Rs|currency"),
    "crowns": (";", lambda v: marked("\xa0", ",")(v) + " kr", "kr|currency|unit"),
    "reais": (";", lambda v: f"R$ {eu(v)}", r"R\$|currency"),
    "zloty": (";", lambda v: f"{eu(v)} zł", "zł|currency|unit"),
}

PLAIN: dict[str, tuple[str, Cell, str]] = {
    "US thousands in quotes": (",", lambda v: quoted(us(v)), "thousand|,"),
    "US thousands, semicolons": (";", us, "thousand|,"),
    "US thousands, tabs": ("\t", us, "thousand|,"),
    "European": (";", eu, "comma"),
    "European, tabs": ("\t", eu, "comma"),
    "apostrophes": (",", marked("'"), "thousand|'"),
    "typographic apostrophes": (",", marked("\u2019"), "thousand|\u2019"),
    "spaces": (";", marked(" ", ","), "thousand|space|comma"),
    "no-break spaces": (";", marked("\xa0", ","), "thousand|space|comma"),
    "narrow no-break spaces": (";", marked("\u202f", ","), "thousand|space|comma"),
    "thin spaces and points": (",", marked("\u2009"), "thousand|space"),
    "lakh": (",", lambda v: quoted(indian(100 * v)), "thousand|,"),
    "decimal commas in a tab file": ("\t", lambda v: f"{v:.2f}".replace(".", ","), "c"),
    "decimal commas in quotes": (
        ",",
        lambda v: quoted(f"{v:.2f}".replace(".", ",")),
        "comma",
    ),
    "decimal commas between bars": (
        "|",
        lambda v: f"{v:.2f}".replace(".", ","),
        "comma",
    ),
    "powers of ten": (",", lambda v: f"{v:.5e}", ""),
    "powers of ten with commas": (
        ";",
        lambda v: f"{v:.5E}".replace(".", ","),
        "comma",
    ),
    "a plus sign": (",", lambda v: f"+{v:.2f}", ""),
    "blanks around": (",", lambda v: f"  {v:.2f} ", ""),
    "quotes around": (",", lambda v: quoted(f"{v:.2f}"), ""),
}

WITH_UNITS: dict[str, tuple[str, Cell, str]] = {
    "percent": (",", lambda v: f"{v / 100:.2f}%", "%|percent"),
    "percent with a blank": (",", lambda v: f"{v / 100:.2f} %", "%|percent"),
    "percent, decimal comma": (
        ";",
        lambda v: f"{v / 100:.2f}\xa0%".replace(".", ","),
        "%|percent",
    ),
    "per mille": (",", lambda v: f"{v / 100:.2f} \u2030", "\u2030|per mille|unit"),
    "kilogrammes": (",", lambda v: f"{v:.1f} kg", r"\bkg\b"),
    "kilogrammes, no blank": (",", lambda v: f"{v:.1f}kg", "kg"),
    "degrees": (",", lambda v: f"{v:.1f} °C", "°C"),
    "speed": (",", lambda v: f"{v:.0f} km/h", "km/h"),
    "volume": (";", lambda v: f"{v:.1f} m³".replace(".", ","), "m³"),
    "bytes": (",", lambda v: f"{v:.1f} MB", "MB"),
    "thousands as k": (",", lambda v: f"{v / 1000:.3f}k", "k"),
}

WRITTEN = MONEY | PLAIN | WITH_UNITS


@pytest.mark.parametrize("name", WRITTEN)
def test_the_odd_number_is_first_however_it_is_written(name: str, desk: Desk) -> None:
    sep, cell, _ = WRITTEN[name]
    columns = {"price": [cell(v) for v in prices()], "load": loads()}
    if sep != "," and "," in cell(1.5):
        columns["load"] = [v.replace(".", ",") for v in columns["load"]]
    found = desk.detect(desk.table("x.csv", columns, sep=sep))
    found.rows(N).first().never_says("price'? is an identifier")


@pytest.mark.parametrize("name", MONEY | WITH_UNITS)
def test_what_was_taken_off_a_number_is_said(name: str, desk: Desk) -> None:
    sep, cell, said = WRITTEN[name]
    columns = {"price": [cell(v) for v in prices()], "load": loads()}
    if sep != "," and "," in cell(1.5):
        columns["load"] = [v.replace(".", ",") for v in columns["load"]]
    found = desk.detect(desk.table("x.csv", columns, sep=sep))
    lines = [line for line in found.text.splitlines() if "'price'" in line]
    assert any(re.search(said, line) for line in lines), found.text
    found.tells("price")


@pytest.mark.parametrize(
    ("sep", "mark"), [(";", ","), ("\t", ","), (";", "."), ("\t", "'"), (";", " ")]
)
def test_a_thousands_mark_in_some_cells_only(sep: str, mark: str, desk: Desk) -> None:
    # 993 has none, 1,125 has one: 1.125 would be the smallest of all.
    cells = [marked(mark, digits=0)(v) for v in prices(9999, 1100, 90)]
    decimal = "," if mark == "." else "."
    other = [v.replace(".", decimal) for v in loads(2)]
    desk.table("x.csv", {"price": cells, "load": other}, sep=sep)
    desk.detect("x.csv").first()


def test_whole_loads_beside_thousands(desk: Desk) -> None:
    cells = [us(v, 0) for v in prices(9999, 1100, 60)]
    whole = [f"{v:.0f}" for v in rng(2).normal(10, 2, N)]
    desk.table("x.csv", {"price": cells, "load": whole}, sep=";")
    desk.detect("x.csv").first()


def test_millions_with_points(desk: Desk) -> None:
    cells = [eu(v, 0) for v in prices(9e7, 2e6, 2e5)]
    desk.table("x.csv", {"price": cells, "load": loads(0)}, sep=";")
    desk.detect("x.csv").first()


def test_three_decimals_are_no_thousands(desk: Desk) -> None:
    # A sensor with three digits after the point: 1.125 is little more than one.
    values = rng(1).normal(1.5, 0.1, N)
    values[ODD] = 0.2
    desk.table("x.csv", {"flow": [f"{v:.3f}" for v in values], "load": loads()})
    desk.detect("x.csv").first().never_says("flow.*thousand")


@pytest.mark.parametrize("sep", [";", "\t"])
def test_three_decimals_after_a_comma_are_no_thousands(sep: str, desk: Desk) -> None:
    # Every cell has three digits behind its comma; of thousands, some would have none.
    values = rng(1).normal(50, 3, N)
    cells = [f"{v:.3f}".replace(".", ",") for v in values]
    cells[ODD] = "150,5"
    other = [v.replace(".", ",") for v in loads()]
    desk.table("x.csv", {"flow": cells, "load": other}, sep=sep)
    desk.detect("x.csv").first()
    cells[ODD] = "150,500"
    desk.table("x.csv", {"flow": cells, "load": other}, sep=sep)
    desk.detect("x.csv").first().never_says(r"\b(read as )?150500\b", r"\b\d{5}\b")


NEGATIVE: dict[str, Cell] = {
    "a hyphen": lambda v: f"{v:.2f}",
    "a minus sign": lambda v: f"{v:.2f}".replace("-", "\u2212"),
    "an en dash": lambda v: f"{v:.2f}".replace("-", "\u2013"),
    "behind": lambda v: f"{abs(v):.2f}" + "-" * (v < 0),
    "in brackets": lambda v: quoted(f"({us(-v)})" if v < 0 else us(v)),
    "dollars in brackets": lambda v: quoted(f"(${us(-v)})" if v < 0 else f"${us(v)}"),
    "before the dollar": lambda v: quoted(f"{'-' * (v < 0)}${us(abs(v))}"),
    "behind the dollar": lambda v: quoted(f"${us(v)}"),
    "percent in brackets": lambda v: f"({-v:.1f}%)" if v < 0 else f"{v:.1f}%",
}


@pytest.mark.parametrize("name", NEGATIVE)
def test_negative_numbers(name: str, desk: Desk) -> None:
    # -1,500 among numbers of the same size but above 0: the sign alone is odd.
    values = prices(-1500)
    values[40], values[41] = -5.0, -3.0
    cells = [NEGATIVE[name](v) for v in values]
    desk.table("x.csv", {"price": cells, "load": loads()})
    desk.detect("x.csv").first()


def test_one_decimal_point_elsewhere_in_a_file_with_commas(desk: Desk) -> None:
    columns = {
        "price": [f"{v:.2f}".replace(".", ",") for v in prices()],
        "load": [v.replace(".", ",") for v in loads()],
        "note": ["1.2" if row == 50 else "ok" for row in range(N)],
    }
    desk.table("x.csv", columns, sep=";")
    desk.detect("x.csv", "--ignore", "note").first()


def test_points_in_one_column_and_commas_in_another(desk: Desk) -> None:
    columns = {
        "price": [f"{v:.2f}".replace(".", ",") for v in prices()],
        "version": [f"{v:.1f}" for v in rng(3).normal(5, 1, N)],
    }
    desk.table("x.csv", columns, sep=";")
    desk.detect("x.csv").first()


def test_a_version_beside_decimal_commas_is_no_number(desk: Desk) -> None:
    columns = {
        "price": [f"{v:.2f}".replace(".", ",") for v in prices()],
        "version": [f"1.{row % 3}.2" for row in range(N)],
    }
    desk.table("x.csv", columns, sep=";")
    desk.detect("x.csv").first()


@pytest.mark.parametrize("sep", [";", "\t"])
def test_decimal_commas_without_a_header(sep: str, desk: Desk) -> None:
    first = [400 + row / 2 for row in range(N)]
    second = [407.25 + row / 2 for row in range(N)]
    first[ODD], second[ODD] = 400.0, 9000.0
    columns = {
        "a": [f"{v:.2f}".replace(".", ",") for v in first],
        "b": [f"{v:.2f}".replace(".", ",") for v in second],
    }
    desk.table("x.csv", columns, sep=sep, header=False)
    desk.detect("x.csv").rows(N).first()


# --- missing cells --------------------------------------------------------------------

SIGNS = ["-", "--", "---", "\u2014", "\u2013", "?", ".", "*", "/", "..."]
WORDS = ["n.a.", "(null)", "unknown", "N/A", "#N/A", "k.A.", "k. A.", "#DIV/0!"]
WORDS += ["#VALUE!", "null", "NULL", "None", "nan", "NaN", "NA", "missing", "\\N"]
WORDS += ["not available", "keine Angabe", "nicht messbar", "n.d.", "N.D.", "no data"]
WORDS += ["error", "Bad", "offline", "[-11059] No Good Data", "< LOD", "n/v"]


@pytest.mark.parametrize("word", SIGNS + WORDS)
def test_a_repeated_word_among_numbers_is_missing(word: str, desk: Desk) -> None:
    cells = [f"{v:.2f}" for v in rng(1).normal(50, 3, N)]
    cells[::12] = [word] * len(cells[::12])
    cells[ODD] = "300.00"
    desk.table("x.csv", {"load": cells, "temp": loads(1)})
    desk.detect("x.csv").first(at_most=4).tells("missing")


@pytest.mark.parametrize("word", ["k.A.", "-", "n/a", "#NV"])
def test_a_word_among_decimal_commas_is_missing(word: str, desk: Desk) -> None:
    # Only one: the column is one of numbers all the same.
    cells = [f"{v:.4f}".replace(".", ",") for v in rng(1).normal(0, 1, N)]
    cells[50], cells[ODD] = word, "-30,5"
    other = [v.replace(".", ",") for v in loads()]
    desk.table("x.csv", {"druck": cells, "last": other}, sep=";")
    desk.detect("x.csv").first(at_most=2).never_says("identifier")


def test_two_words_for_missing_in_one_column(desk: Desk) -> None:
    cells = [f"{v:.2f}" for v in rng(1).normal(50, 3, N)]
    cells[::12] = ["n/a"] * len(cells[::12])
    cells[1::20] = ["-"] * len(cells[1::20])
    cells[ODD] = "300.00"
    desk.table("x.csv", {"load": cells, "temp": loads(1)})
    desk.detect("x.csv").first(at_most=4).tells("missing")


def test_words_among_dollars_are_missing(desk: Desk) -> None:
    cells = [f"${v:.2f}" for v in prices()]
    cells[::12] = ["N/A"] * len(cells[::12])
    desk.table("x.csv", {"price": cells, "load": loads()})
    desk.detect("x.csv").first(at_most=4).tells("missing")


@pytest.mark.parametrize(
    "value", ["-999", "-9999", "9999", "-200", "99999", "-999.0", "-999.25"]
)
def test_a_number_that_stands_for_missing_is_named(value: str, desk: Desk) -> None:
    cells = [f"{v:.1f}" for v in rng(1).normal(50, 3, N)]
    cells[5::12] = [value] * len(cells[5::12])
    desk.table("x.csv", {"load": cells, "temp": loads(1)})
    desk.detect("x.csv").tells("load", value.removesuffix(".0"), "missing")


def test_an_ordinary_repeated_number_stands_for_nothing(desk: Desk) -> None:
    cells = [f"{v:.0f}" for v in rng(1).normal(50, 3, N)]
    desk.table("x.csv", {"load": cells, "temp": loads(1)})
    desk.detect("x.csv").never_says("load.*missing")


# --- no end of numbers ----------------------------------------------------------------


@pytest.mark.parametrize("word", ["inf", "-inf", "Infinity", "-Infinity", "INF"])
def test_an_infinite_cell_is_extreme_or_refused(word: str, desk: Desk) -> None:
    rows = rng(1).normal([20, 1000], [1, 30], (N, 2))
    columns = {"temp": rows[:, 0].round(3), "pressure": rows[:, 1].round(2)}
    desk.table("train.csv", columns)
    desk.table("new.csv", {"temp": [word, 20, 20.5], "pressure": [1000, 1000, 990]})
    desk.fit("train.csv", "--method", "ecod")
    ran = desk.run("score", "m.crow", "new.csv", "-o", "s.parquet")
    if ran.code:
        ran.refused("infin", "temp")
        return
    scores = desk.score("new.csv")
    assert scores[0] > max(scores[1:])


@pytest.mark.parametrize("method", ["knn", "hbos", "ecod", None])
@pytest.mark.parametrize("word", ["inf", "-Infinity"])
def test_an_infinite_cell_to_train_on(word: str, method: str, desk: Desk) -> None:
    cells = [f"{v:.2f}" for v in rng(1).normal(50, 3, N)]
    cells[ODD] = word
    desk.table("x.csv", {"load": cells, "temp": loads(1)})
    how = ("--method", method) if method else ()
    ran = desk.run("detect", "x.csv", "-o", "found", *how)
    if ran.code:
        ran.refused("infin", "load")
        return
    ran.says("infin", "load")
    # For ECOD it is as far out as the highest of the finite ones, and no farther.
    desk.found(ran).first(at_most=8 if method == "ecod" else 2)


@pytest.mark.parametrize("word", ["1.797e308", "-1e300", "1e40", "1" + 60 * "0"])
@pytest.mark.parametrize("method", ["knn", None])
def test_a_huge_cell_ranks_first(word: str, method: str | None, desk: Desk) -> None:
    cells = [f"{v:.2f}" for v in rng(1).normal(50, 3, N)]
    cells[ODD] = word
    desk.table("x.csv", {"load": cells, "temp": loads(1)})
    how = ("--method", method) if method else ()
    ran = desk.run("detect", "x.csv", "-o", "found", *how)
    if ran.code:
        ran.refused("load", f"row {ODD}|line {ODD + 2}")
        return
    desk.found(ran).first()


def test_a_number_beyond_all_floats(desk: Desk) -> None:
    cells = [f"{v:.2f}" for v in rng(1).normal(50, 3, N)]
    cells[ODD] = "1e400"
    desk.table("x.csv", {"load": cells, "temp": loads(1)})
    ran = desk.run("detect", "x.csv", "-o", "found", "--method", "knn")
    if ran.code:
        ran.refused("load")
        return
    ran.says("load")


def test_whole_numbers_beyond_two_to_the_53(desk: Desk) -> None:
    values = rng(1).integers(0, 40, N).astype(np.uint64) * 4096 + 2**63
    values[ODD] = 5
    table = {"counter": pa.array(values), "temp": rng(2).normal(20, 1, N)}
    pq.write_table(pa.table(table), desk / "x.parquet")
    desk.detect("x.parquet").first()
    desk.table("x.csv", {"counter": values, "temp": loads()})
    desk.detect("x.csv").first()


# --- being told -----------------------------------------------------------------------


def test_a_person_may_say_how_a_column_is_read(desk: Desk) -> None:
    cells = [f"{v:.3f}" for v in prices(99.5, 1.5, 0.2)]
    desk.table("x.csv", {"price": cells, "load": loads()}, sep=";")
    plain = desk.detect("x.csv").score
    told = desk.detect("x.csv", "--read-as", "price=decimal-comma")
    assert told.score != plain
    # ... and the model remembers.
    desk.fit("x.csv", "--read-as", "price=decimal-comma", "--method", "knn")
    assert desk.score("x.csv") == told.score


@pytest.mark.parametrize(
    ("word", "says"),
    [
        ("price=nonsense", "nonsense.*decimal-comma"),
        ("prize=number", "prize"),
        ("price", "price"),
    ],
)
def test_a_wrong_word_for_how_to_read_is_refused(
    word: str, says: str, desk: Desk
) -> None:
    desk.table("x.csv", {"price": [f"{v:.2f}" for v in prices()], "load": loads()})
    desk.run("detect", "x.csv", "-o", "found", "--read-as", word).refused(says)


# --- cells that are not numbers ----------------------------------------------------


@pytest.mark.parametrize("cell", ["ERROR 504", "leak", "5O.1"])
def test_the_only_cell_that_is_not_a_number_is_found(cell: str, desk: Desk) -> None:
    temps = [f"{v:.1f}" for v in rng(3).normal(20, 1, N)]
    temps[ODD] = cell
    desk.table("t.csv", {"temp": temps, "load": loads()})
    found = desk.detect("t.csv", method=None).first()
    found.tells(f"{cell}' in row 7, is not a number", "not a number, as one cell in")
    desk.fit("t.csv")
    scores = desk.score("t.csv")
    assert int(np.argmax(scores)) == ODD


ODD_ROWS: dict[str, tuple[Callable[[float], str], str]] = {
    "footnotes": (lambda v: f"{v:.0f}" + "\u00b9" * int(v % 1 < 0.15), "480"),
    "debit and credit": (lambda v: f"{v:.2f} {'SH'[int(v % 1 < 0.5)]}", "99999.00 S"),
    "tonnes": (lambda v: f"{v:.1f} kg", "9 t"),
    "south": (lambda v: f"{v:.4f} N", "12.5000 S"),
    "milli": (lambda v: f"{v:.0f}m" if v % 1 < 0.7 else f"{v / 1000:.3f}", "9.1"),
    "yes or no": (lambda v: "ja", "nein"),
    "a setpoint": (lambda v: "20.0", "20.5"),
    "pressure": (lambda v: f"{v:.0f}/{v * 7 % 11 + 75:.0f}", "240/30"),
    "remarks": (lambda v: f"{v / 25:.1f}" + (" H" if v > 128 else ""), "47.0 H"),
    "euros": (lambda v: f"\u20ac{v:.2f}", "$120.00"),
}


@pytest.mark.parametrize("name", ODD_ROWS)
def test_the_odd_row_is_first_and_new_rows_are_taken(name: str, desk: Desk) -> None:
    form, odd = ODD_ROWS[name]
    cells = [form(v) for v in rng(3).normal(120, 8, N)]
    cells[ODD] = odd
    desk.table("t.csv", {"x": cells, "load": loads()})
    desk.detect("t.csv", method=None).first().tells("x")
    usual = [cell for cell in cells if cell != odd]
    if len(set(usual)) > 1 and name != "euros":
        desk.table("u.csv", {"x": usual, "load": loads()[1:]})
        desk.fit("u.csv")
        assert int(np.argmax(desk.score("t.csv"))) == ODD
