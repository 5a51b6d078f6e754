"""Numbers as people write them: each way of writing, doubt, missing, far cells."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from whitecrow.data.kinds import Decision, TableEncoder, number_cells, units
from whitecrow.errors import DataError, ParameterError

RNG = np.random.default_rng(0)
N = 120
VALUES = np.round(RNG.normal(1500, 700, N), 2)
VALUES[7] = 99999.5


def fitted(cells: Sequence[str | None], **other: Sequence[str]) -> TableEncoder:
    y = [f"{i * i}" for i in range(len(cells))]
    return TableEncoder().fit(pa.table({"x": cells, "y": y, **other}))


def decided(encoder: TableEncoder) -> Decision:
    return encoder.decisions_[0]


def column(encoder: TableEncoder, cells: Sequence[str | None]) -> list[float]:
    frame = pa.table({"x": cells, "y": ["0"] * len(cells)})
    X = encoder.transform(frame)
    return X[:, encoder.feature_names_.index("x")].tolist()


def us(value: float, digits: int = 2) -> str:
    return f"{value:,.{digits}f}"


def swapped(text: str, marks: str = ".,") -> str:
    return text.translate(str.maketrans(",.", marks))


STYLES: dict[str, Callable[[float], str]] = {
    "plain": lambda v: f"{v:.2f}",
    "american": us,
    "european": lambda v: swapped(us(v)),
    "decimal comma": lambda v: swapped(f"{v:.2f}"),
    "blank": lambda v: swapped(us(v), " ,"),
    "blank and point": lambda v: us(v).replace(",", " "),
    "no-break space": lambda v: swapped(us(v), "\u00a0,"),
    "narrow no-break space": lambda v: swapped(us(v), "\u202f,"),
    "thin space": lambda v: swapped(us(v), "\u2009,"),
    "apostrophe": lambda v: us(v).replace(",", "'"),
    "typographic apostrophe": lambda v: us(v).replace(",", "\u2019"),
    "underscore": lambda v: us(v).replace(",", "_"),
    "dollar": lambda v: f"${us(v)}".replace("$-", "-$"),
    "minus after the dollar": lambda v: f"${us(v)}",
    "dollar and blank": lambda v: f"$ {us(v)}",
    "euro behind": lambda v: f"{swapped(us(v))} \u20ac",
    "euro behind, narrow": lambda v: f"{swapped(us(v), chr(0x202F) + ',')}\u00a0\u20ac",
    "code before": lambda v: f"EUR {us(v)}",
    "code behind": lambda v: f"{us(v)} USD",
    "francs": lambda v: f"CHF {us(v)}".replace(",", "\u2019"),
    "crowns": lambda v: f"{swapped(us(v), ' ,')} kr",
    "rupees in words": lambda v: f"Rs. {us(v)}",
    "zloty": lambda v: f"{swapped(us(v), ' ,')} z\u0142",
    "pound": lambda v: f"\u00a3{us(v)}",
    "yen": lambda v: f"\u00a5{us(v)}",
    "won": lambda v: f"\u20a9{us(v)}",
    "real": lambda v: f"R$ {swapped(us(v))}",
    "percent": lambda v: f"{v:.2f}%",
    "percent and blank": lambda v: f"{swapped(f'{v:.2f}')} %",
    "per mille": lambda v: f"{v:.2f}\u2030",
    "kilograms": lambda v: f"{v:.2f} kg",
    "kilograms without blank": lambda v: f"{v:.2f}kg",
    "degrees": lambda v: f"{v:.2f} \u00b0C",
    "square metres": lambda v: f"{v:.2f} m\u00b2",
    "square metres, ascii": lambda v: f"{v:.2f} m2",
    "speed": lambda v: f"{v:.2f} km/h",
    "micro": lambda v: f"{v:.2f} \u00b5m",
    "brackets": lambda v: f"({us(-v)})" if v < 0 else us(v),
    "brackets and dollar": lambda v: f"(${us(-v)})" if v < 0 else f"${us(v)}",
    "brackets behind the dollar": lambda v: f"$({us(-v)})" if v < 0 else f"${us(v)}",
    "trailing minus": lambda v: f"{-v:.2f}-" if v < 0 else f"{v:.2f}",
    "unicode minus": lambda v: f"{v:.2f}".replace("-", "\u2212"),
    "en dash": lambda v: f"{v:.2f}".replace("-", "\u2013"),
    "plus": lambda v: f"{v:+.2f}",
    "blank after the sign": lambda v: f"{v:.2f}".replace("-", "- "),
    "blanks around": lambda v: f"  {v:.2f}\t",
    "apostrophe in front": lambda v: f"'{v:.2f}",
    "excel text": lambda v: f'="{v:.2f}"',
    "quoted": lambda v: f'"{us(v)}"',
    "full width": lambda v: f"{v:.2f}".translate(
        {ord(d): ord(d) + 0xFEE0 for d in "0123456789.-"}
    ),
    "scientific": lambda v: f"{v:.8e}",
    "scientific, comma": lambda v: swapped(f"{v:.8E}"),
}


@pytest.mark.parametrize("style", STYLES)
def test_every_way_to_write_a_number(style: str) -> None:
    write = STYLES[style]
    cells = [write(float(v)) for v in VALUES]
    encoder = fitted(cells)
    assert decided(encoder).kind == "number", decided(encoder)
    assert column(encoder, cells) == VALUES.tolist()
    text, usual, _ = encoder.usual("x", cells[7])
    assert text == " ".join(cells[7].split()) or style == "scientific"
    assert "above" not in usual


@pytest.mark.parametrize("style", sorted(set(STYLES) - {"plain", "plus"}))
def test_what_was_reinterpreted_is_said_with_a_remedy(style: str) -> None:
    cells = [STYLES[style](float(v)) for v in VALUES]
    one = decided(fitted(cells))
    if style in {"blanks around", "scientific", "blank after the sign"}:
        return
    assert one.level == 1
    assert "cells such as" in one.detail or "decimal comma" in one.detail


def test_money_has_two_decimals_or_none() -> None:
    for write in ("\u20ac {}.{:03}", "{}.{:03} EUR", "${},{:03}"):
        cells = [write.format(i % 9 + 1, i % 800 + 100) for i in range(60)]
        encoder = fitted(cells)
        assert column(encoder, [cells[4]]) == [5104.0]
        assert "--read-as 'x=category'" in decided(encoder).remedy


def test_minus_before_the_currency_and_rupees_with_a_dash() -> None:
    cells = [f"{i},50-\u20ac" if i % 2 else f"{i},50 \u20ac" for i in range(60)]
    assert column(fitted(cells), cells[:3]) == [0.5, -1.5, 2.5]
    cells = [f"Rs. {i},{i + 100}/-" for i in range(1, 60)]
    assert column(fitted(cells), cells[:2]) == [1101.0, 2102.0]


def test_bounds_among_numbers_count_as_the_number_that_they_name() -> None:
    cells = ["<0.05" if i % 3 == 0 else f"{i}.5" for i in range(60)]
    encoder = fitted(cells)
    assert "cells such as '<0.05' are read as 0.05" in decided(encoder).detail
    assert column(encoder, ["<0.05", "7.5"]) == [0.05, 7.5]
    assert decided(fitted(["<18", ">65"] * 30)).kind == "category"


def test_letters_behind_numbers_tell_these_apart() -> None:
    cells = [f"{i % 90}{'ab'[i % 2] if i % 5 == 0 else ''}" for i in range(60)]
    one = decided(fitted(cells))
    assert one.kind in {"category", "unread"}
    assert "looks like numbers in several units (none, 'a', 'b')" in one.detail


def separated(cells: list[str], separator: str) -> pa.Table:
    schema = pa.schema([("x", pa.string())], {"separator": separator})
    return pa.table([cells], schema=schema)


@pytest.mark.parametrize(
    ("separator", "whole", "wanted"),
    [
        (";", [], 47.594),
        ("\t", [], 47.594),
        ("|", [], 47.594),
        (",", [], 47594),
        ("", [], 47594),
        (";", ["993", "12"], 47594),
        (";", ["2500", "12"], 47.594),
    ],
)
def test_the_separator_tells_where_cells_do_not(
    separator: str, whole: list[str], wanted: float
) -> None:
    cells = [f"{i % 90 + 1},{i + 100}" for i in range(60)] + whole
    encoder = TableEncoder().fit(separated(cells, separator))
    assert encoder.transform(pa.table({"x": ["47,594"]}))[0, 0] == wanted
    how = "decimal-comma" if wanted > 1000 else "decimal-point"
    assert encoder.decisions_[0].level == 1
    assert encoder.decisions_[0].remedy == f"if that is wrong: --read-as 'x={how}'"


def test_a_column_with_both_decimal_marks_says_so() -> None:
    cells = [f"{i},5" if i % 10 == 0 else f"{i}.25" for i in range(60)]
    encoder = fitted(cells)
    assert column(encoder, ["10,5", "7.25"]) == [10.5, 7.25]
    assert "6 cells have a decimal comma, unlike the others" in decided(encoder).detail


def test_indian_groups() -> None:
    cells = [f"\u20b9{1 + i % 98},{i % 90 + 10},{i % 900 + 100}.50" for i in range(N)]
    expected = [
        ((1 + i % 98) * 100 + i % 90 + 10) * 1000 + i % 900 + 100.5 for i in range(N)
    ]
    assert column(fitted(cells), cells) == expected


def test_swiss_prices_without_cents() -> None:
    cells = [f"{i % 50 + 1}.-" if i % 2 else f"{i % 50 + 1}.50" for i in range(N)]
    expected = [i % 50 + 1 + (0 if i % 2 else 0.5) for i in range(N)]
    assert column(fitted(cells), cells) == expected


# ---------------------------------------------------------- points and commas


def test_a_comma_beside_small_whole_numbers_marks_thousands() -> None:
    values = RNG.normal(1100, 60, N).round()
    cells = [us(v, 0) for v in values]
    encoder = fitted(cells)
    assert column(encoder, cells) == values.tolist()
    assert decided(encoder).remedy == "if that is wrong: --read-as 'x=decimal-comma'"
    assert decided(encoder).level == 1


def test_a_point_beside_small_whole_numbers_marks_thousands_too() -> None:
    values = RNG.normal(1100, 90, 400).round()
    cells = [swapped(us(v, 0)) for v in values]
    encoder = fitted(cells)
    assert column(encoder, cells) == values.tolist()
    assert "decimal-point" in decided(encoder).remedy


@pytest.mark.parametrize(
    "cells",
    [
        ["1,125", "12,5"],  # other numbers of digits
        ["1,125", "0,125"],  # a zero in front
        ["1,125", "2500"],  # a thousand without a mark
        ["1,125", "1234,125"],
        ["1,125", "1.234,125"],
    ],
)
def test_what_makes_a_comma_decimal(cells: list[str]) -> None:
    cells = [*cells, "2,250", "3,375"] * 5
    assert column(fitted(cells), ["1,125"]) == [1.125]


@pytest.mark.parametrize("cells", [["1,125", "1,125.5"], ["1,125", "1,000,000"]])
def test_what_makes_a_comma_a_mark_of_thousands(cells: list[str]) -> None:
    cells = [*cells, "2,250", "3,375"] * 5
    assert column(fitted(cells), ["1,125"]) == [1125.0]


def test_other_columns_tell_what_a_comma_is() -> None:
    cells = [f"{i % 9 + 1},{i % 800 + 100}" for i in range(60)]
    frame = {"x": cells, "z": [f"{i % 7},5" for i in range(60)]}
    encoder = TableEncoder().fit(pa.table(frame))
    assert encoder.transform(pa.table({"x": ["1,125"], "z": ["1,5"]}))[0, 0] == 1.125
    assert encoder.decisions_[0].remedy == ""


def test_three_decimals_with_a_point_stay_decimals() -> None:
    cells = [f"{i % 9 + 1}.{i % 800 + 100}" for i in range(60)]
    assert column(fitted(cells), ["1.125"]) == [1.125]
    german = {"x": cells, "z": [f"{i % 7},5" for i in range(60)]}
    encoder = TableEncoder().fit(pa.table(german))
    assert encoder.transform(pa.table({"x": ["1.125"], "z": ["1,5"]}))[0, 0] == 1125.0


def test_a_stray_cell_spoils_nothing() -> None:
    cells = [swapped(f"{v:.2f}") for v in VALUES]
    cells[50] = "1.2"  # no mark of thousands, so it can only be a decimal point
    assert column(fitted(cells), [cells[3], "1.2"]) == [VALUES[3], 1.2]
    note = ["1.2" if i == 50 else "ok" for i in range(N)]
    encoder = TableEncoder().fit(pa.table({"note": note, "x": cells}))
    assert encoder.feature_names_[-1] == "x"


def test_the_decimal_mark_can_be_asked_for() -> None:
    cells = ["1,125", "993", "2,250", "3,375", "4,500"]
    for how, expected in {"decimal-comma": 1.125, "decimal-point": 1125.0}.items():
        encoder = TableEncoder(read_as={"x": how}).fit(pa.table({"x": cells}))
        assert encoder.transform(pa.table({"x": ["1,125"]})).tolist() == [[expected]]


def test_new_rows_in_another_style_are_read() -> None:
    encoder = fitted([f"{v:.2f}" for v in VALUES])
    cells = ["$1,234.50", "1.234,50", "1 234,50 \u20ac", "(1,234.50)", "1234,5"]
    assert column(encoder, cells) == [1234.5, 1234.5, 1234.5, -1234.5, 1234.5]
    with pytest.raises(DataError, match=r"row 0 .* holds '5 kg'"):
        column(encoder, ["5 kg"])


# ----------------------------------------------------------------------- units


def test_prefixes_of_one_unit_are_converted() -> None:
    cells = [f"{i % 90 + 1.5} {('MB', 'MB', 'GB')[i % 3]}" for i in range(90)]
    encoder = fitted(cells)
    assert "converted to 'MB'" in decided(encoder).detail
    assert column(encoder, ["1.5 kB", "2 MB", "3 GB"]) == [1.5e-3, 2.0, 3e3]
    assert encoder.usual("x", "2 MB").usual.endswith(" MB")


@pytest.mark.parametrize(
    ("found", "factors"),
    [
        ({"mm", "cm", "m"}, {"mm": 0.1, "cm": 1.0, "m": 100.0}),
        ({"mg", "g", "kg"}, {"mg": 1e-3, "g": 1.0, "kg": 1e3}),
        ({"mW", "MW"}, {"mW": 1e-9, "MW": 1.0}),
        ({"kg", "t", "lbs"}, {"kg": 1.0, "t": 1000.0, "lbs": 0.45359237}),
        ({"ppm", "ppb"}, {"ppm": 1000.0, "ppb": 1.0}),
        ({"hPa", "mbar", "bar"}, {"hPa": 1e-3, "mbar": 1e-3, "bar": 1.0}),
        ({"EUR", "ct"}, {"EUR": 1.0, "ct": 0.01}),
        ({"$", "\u00a2"}, {"$": 1.0, "\u00a2": 0.01}),
        ({"days", "months"}, {"days": 86400.0, "months": 2629746.0}),
        ({"\u20b9 L", "\u20b9 Cr"}, {"\u20b9 L": 1e5, "\u20b9 Cr": 1e7}),
        ({"kg", "KG"}, {"kg": 1.0, "KG": 1.0}),
        ({"ms", "s", "min"}, {"ms": 1e-3, "s": 1.0, "min": 60.0}),
        ({"k", "M"}, {"k": 1e3, "M": 1e6}),
        ({"$ M", "$ bn"}, {"$ M": 1e6, "$ bn": 1e9}),
        ({"K", "M"}, {"K": 1e3, "M": 1e6}),
        ({"pc", "pcs"}, {"pc": 1.0, "pcs": 1.0}),
    ],
)
def test_units_that_are_one(found: set[str], factors: dict[str, float]) -> None:
    converted = units.system(dict.fromkeys(found, 5)).factors
    assert converted == {"": 1.0, **{k: pytest.approx(v) for k, v in factors.items()}}


@pytest.mark.parametrize("pair", ["SH", "CD", "NS", "EW", ("CR", "DR"), ("Cr", "Dr")])
def test_letters_that_are_signs(pair: tuple[str, str]) -> None:
    positive = {"S": -1.0, "D": -1.0, "W": -1.0, "DR": -1.0, "Dr": -1.0}
    found = units.system(dict.fromkeys(pair, 5), cents=True)
    assert found.factors == {"": 1.0, **{one: positive.get(one, 1.0) for one in pair}}
    assert found.unit == ""


def test_debit_and_credit_are_never_hours_and_seconds() -> None:
    cells = [f"{swapped(us(v))} {'HS'[i % 2]}" for i, v in enumerate(VALUES)]
    encoder = fitted(cells)
    assert "'S' behind a number makes it negative" in decided(encoder).detail
    assert column(encoder, ["13.617,83 H", "1.234,00 S"]) == [13617.83, -1234.0]


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        ("119\u00b9", 119.0),
        ("10.8\u00b9\u00b2", 10.8),
        ("9.6[1]", 9.6),
        ("12.9 (a)", 12.9),
        ("12.1*", 12.1),
        ("\u224849", 49.0),
        ("ca. 53", 53.0),
        ("97.00 \u00b1 0.10", 97.0),
        ("97.00 +/- 0.10", 97.0),
    ],
)
def test_marks_beside_numbers_are_ignored_and_said(cell: str, value: float) -> None:
    encoder = fitted([*(f"{v:.1f}" for v in VALUES), cell])
    assert column(encoder, [cell]) == [value]
    assert "has a mark beside the number, which is ignored" in decided(encoder).detail
    assert decided(encoder).level == 1


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        ("3.12 \u00d7 10\u2076", 3.12e6),
        ("3.12x10^6", 3.12e6),
        ("3.12\u00b710\u207b\u2076", 3.12e-6),
        ("2.71D+03", 2710.0),
        ("\u0661\u0662\u066b\u0665", 12.5),
        ("\u25bc 38.00", -38.0),
        ("%44.0", 44.0),
        ("41.9\u066a", 41.9),
        ("(15,799.88) USD", -15799.88),
        ("<1,234.00>", -1234.0),
        ("RD$12,867.48", 12867.48),
        ("GH\u20b514,847.92", 14847.92),
        ("KSh 1,268", 1268.0),
        ("Rp. 397.926,-", 397926.0),
        ("15 734:-", 15734.0),
        ("39,6 Mio. \u20ac", 39.6),
    ],
)
def test_numbers_of_the_world(cell: str, value: float) -> None:
    cells = [re.sub(r"^(\D*)\d", rf"\g<1>{i}", cell) for i in range(1, 10)] * 12
    assert column(fitted([*cells, cell]), [cell]) == [value]


def test_letters_behind_measurements_are_remarks_and_behind_house_numbers_not() -> None:
    cells = [
        f"{v / 300:.1f}{('', '', ' H', '', ' L')[i % 5]}" for i, v in enumerate(VALUES)
    ]
    one = decided(fitted(cells))
    assert (one.kind, one.level) == ("number", 1)
    assert "the letters 'H', 'L' behind some numbers are ignored" in one.detail
    house = [f"{i % 60 + 1}{('', '', 'a')[i % 3]}" for i in range(120)]
    assert decided(fitted(house)).kind == "category"


def test_bare_numbers_beside_a_prefix_are_in_the_base_unit() -> None:
    cells = [f"{400 + i}m" if i % 4 else f"0.{400 + i}" for i in range(100)]
    assert column(fitted(cells), ["450m", "0.45", "9000m"]) == [0.45, 0.45, 9.0]
    metres = [f"{400 + i % 50} m" if i % 4 else f"{400 + i % 50}" for i in range(100)]
    assert column(fitted(metres), ["450 m", "450"]) == [450.0, 450.0]
    likes = [f"{i / 50 + 1:.1f}K" if i % 2 else f"{800 + i}" for i in range(100)]
    assert column(fitted(likes), ["1.5K", "850", "4.2M"]) == [1500.0, 850.0, 4.2e6]


def test_new_rows_in_another_unit_of_the_same_kind_are_converted() -> None:
    size = fitted([f"{300 + i % 9} MB" for i in range(100)])
    assert column(size, ["388 MB", "4.2 GB", "12 kB"]) == [388.0, 4200.0, 0.012]
    time = fitted([f"{200 + i % 9}ms" for i in range(100)])
    assert column(time, ["208ms", "2m13s", "0.5 s"]) == [208.0, 133000.0, 500.0]
    with pytest.raises(DataError, match=r"holds '5 \u20ac'"):
        column(size, ["5 \u20ac"])


def test_many_bounds_are_read_as_few_are() -> None:
    cells = ["<0.01" if i % 5 else f"0.0{i % 89 + 10}" for i in range(200)]
    encoder = fitted(cells)
    assert column(encoder, ["<0.01", "0.05"]) == [0.01, 0.05]


def test_a_number_that_hardly_changes_counts_as_a_rare_level_does() -> None:
    encoder = fitted(["20.0"] * 399 + ["20.5"])
    assert encoder.feature_names_[:2] == ["x", "x rarity"]
    cells = {"x": ["20.0", "20.5", ""], "y": ["1", "1", "1"]}
    found = encoder.transform(pa.table(cells))[:, 1].tolist()
    assert found == [0.0, pytest.approx(np.log2(200)), 0.0]
    assert encoder.usual("x", "20.5")[:2] == ("20.5", "20 in 99.75 % of training rows")


def test_a_column_that_is_empty_but_for_a_cell_says_so() -> None:
    encoder = fitted([None] * 399 + ["17.5"])
    assert "99.75 % of the rows are missing" in decided(encoder).detail
    assert encoder.usual("x", "17.5")[:2] == (
        "17.5",
        "has a value; 99.75 % of training rows have none",
    )
    assert encoder.transform(pa.table({"x": ["17.5", ""], "y": ["1", "1"]}))[
        :, 0
    ].tolist() == [0.0, pytest.approx(np.log2(200))]


@pytest.mark.parametrize("name", ["zip", "http_status", "PLZ", "AccountNo", "konto"])
def test_repeated_whole_numbers_that_are_called_codes_are_pointed_out(
    name: str,
) -> None:
    cells = {name: [(200, 404, 301, 500)[i % 4] for i in range(200)]}
    one = TableEncoder().fit(pa.table(cells)).decisions_[0]
    assert (one.kind, one.level) == ("number", 1)
    assert f"--read-as '{name}=category'" in one.remedy


def test_ranges_of_euros_have_their_sign() -> None:
    encoder = fitted([f"{1000 + i}.50 EUR" for i in range(60)])
    said = encoder.usual("x", "9,000 EUR").usual
    assert said.startswith("usual 1,003.5 to 1,056.5, median 1,030 \u20ac; above")


def test_large_whole_numbers_are_written_in_full() -> None:
    encoder = fitted([str(2**60 + 1000 * (i % 50)) for i in range(100)])
    assert "e+" not in encoder.usual("x", str(2**60)).usual


@pytest.mark.parametrize(
    ("pair", "words"),
    [
        (("EUR", "USD"), "looks like money in several currencies"),
        (("\u00b0C", "\u00b0F"), "looks like numbers in several units"),
        (("kg", "pcs"), "looks like numbers in several units"),
    ],
)
def test_units_that_are_not_one_are_left_out_loudly(
    pair: tuple[str, str], words: str
) -> None:
    cells = [f"{i}.5 {pair[i % 2]}" for i in range(60)]
    one = decided(fitted(cells))
    assert (one.kind, one.level, one.action) == ("unread", 2, "left out")
    assert one.detail.startswith(words)
    assert "but" not in one.detail
    assert "--read-as 'x=category'" in one.remedy


def test_percent_and_shares_do_not_mix() -> None:
    cells = [f"{i}%" if i % 2 else f"0.{i + 10}" for i in range(60)]
    assert decided(fitted(cells)).level == 2


def test_numbers_without_their_unit_are_of_the_same() -> None:
    cells = [f"{i}.5 kg" if i % 10 else f"{i}.5" for i in range(60)]
    assert column(fitted(cells), ["7 kg", "7"]) == [7.0, 7.0]


@pytest.mark.parametrize(
    "cells",
    [
        [f"C-{1000 + i}" for i in range(40)],
        [f"shop{i:02}" for i in range(40)],
        [f"{i} Main Street" if i % 2 else f"{i} Elm Road" for i in range(40)],
        [hex(7919 * i**3 + 12345678) for i in range(40)],
        [f"{i}-{i + 1}" for i in range(40)],
        [f"{i}.{i + 1}.{i + 2}" for i in range(40)],
        [f"192.168.0.{i}" for i in range(40)],
        [f"192.168.{i + 100}.{200 - i}" for i in range(40)],
        [f"{i}:{i % 3}" for i in range(40)],
        [f"{i % 9}.{i % 5}.{i % 8}{i}" for i in range(30, 90)],
        [f"+49 30 {1234567 + i}" for i in range(40)],
        [f"555-{1000 + i}" for i in range(40)],
        [f"{52 + i}\u00b031'{i}\"N" for i in range(40)],
    ],
)
def test_what_is_not_a_number(cells: list[str]) -> None:
    assert decided(fitted(cells)).kind == "identifier"


def test_codes_with_leading_zeros() -> None:
    cells = [f"{7919 * (i + 1) % 99999:05}" for i in range(60)]
    one = decided(fitted(cells))
    assert (one.kind, one.level) == ("identifier", 1)
    assert "codes, not numbers" in one.detail
    assert "--read-as 'x=number'" in one.remedy
    encoder = TableEncoder(read_as={"x": "number"}).fit(pa.table({"x": cells}))
    assert encoder.transform(pa.table({"x": ["00123"]})).tolist() == [[123.0]]
    assert decided(fitted(["007", "011", "300"] * 20)).kind == "category"
    # One padded cell is a way to write a number, and decimals are never codes.
    assert decided(fitted([*(str(i) for i in range(60)), "05"])).kind == "number"
    assert decided(fitted([f"{i / 10:05.1f}" for i in range(60)])).kind == "number"


# --------------------------------------------------------------------- missing


@pytest.mark.parametrize(
    "word",
    [
        *("-", "--", "---", ".", "?", "n.a.", "n/a", "NA", "(null)", "null", "NULL"),
        *("none", "nil", "unknown", "k.A.", "missing", "#N/A", "#DIV/0!", "#VALUE!"),
        *("#REF!", "empty", "TBD", "not available", "\u2013", "whatever it is"),
    ],
)
def test_words_and_signs_for_missing(word: str) -> None:
    cells = [word if i % 12 == 0 else f"{v:.2f}" for i, v in enumerate(VALUES)]
    encoder = fitted(cells)
    found = encoder.transform(pa.table({"x": cells, "y": ["0"] * N}))
    marked = found[:, encoder.feature_names_.index("x is missing")]
    assert marked.tolist() == [float(i % 12 == 0) for i in range(N)]
    silent = {"?", "NA", "n/a", "null", "NULL", "none", "#N/A"}
    assert decided(encoder).level == (0 if word in silent else 1)


def test_missing_words_are_counted() -> None:
    cells = ["-" if i % 12 == 0 else f"{v:.2f}" for i, v in enumerate(VALUES)]
    assert "10 cells are '-' and count as missing" in decided(fitted(cells)).detail
    cells[3] = "what"
    detail = decided(fitted(cells)).detail
    assert "1 cell, 'what' in row 3, is not a number and counts as missing" in detail


def test_a_word_that_training_knows_is_missing_in_new_rows_too() -> None:
    cells = ["broken" if i % 12 == 0 else f"{v:.2f}" for i, v in enumerate(VALUES)]
    encoder = fitted(cells)
    assert (
        column(encoder, ["broken", "n.a."]) == [encoder.summaries_["x"]["median"]] * 2
    )
    with pytest.raises(DataError, match="holds 'other'"):
        column(encoder, ["1", "other"])


def test_mostly_numbers_are_never_called_an_identifier() -> None:
    cells = [f"note {i}" if i % 5 == 0 else f"{v:.2f}" for i, v in enumerate(VALUES)]
    one = decided(fitted(cells))
    assert (one.kind, one.level) == ("unread", 2)
    assert (
        "looks like numbers, but 20 % of the cells are not, such as 'note" in one.detail
    )
    assert "--read-as 'x=number'" in one.remedy
    encoder = TableEncoder(read_as={"x": "number"}).fit(pa.table({"x": cells}))
    assert encoder.feature_names_ == ["x", "x is not a number"]


def test_a_few_codes_that_are_digits_stay_a_category() -> None:
    assert decided(fitted(["12", "A5", "7", "B1"] * 20)).kind == "category"


@pytest.mark.parametrize(
    ("value", "others"),
    [
        (-200, RNG.uniform(0.2, 2.2, N)),
        (-200, RNG.uniform(2, 1400, N).round()),
        (-999, RNG.normal(0, 3, N)),
        (-9999, RNG.normal(0, 300, N)),
        (9999, RNG.uniform(0, 60, N)),
        (99999, RNG.uniform(0, 3000, N)),
        (-1, RNG.uniform(1, 9, N).round()),
        (65535, RNG.uniform(0, 300, N)),
    ],
)
def test_sentinels_are_named_but_kept(value: float, others: np.ndarray) -> None:
    cells = [str(value) if i % 15 == 0 else f"{v:.2f}" for i, v in enumerate(others)]
    encoder = fitted(cells)
    one = decided(encoder)
    assert one.level == 2
    assert f"{value} occurs 8 times, far from all other values" in one.detail
    assert one.remedy == f"if it does: --read-as 'x=missing:{value}'"
    assert column(encoder, [str(value)]) == [float(value)]
    typed = pa.table({"x": [float(cell) for cell in cells]})
    assert TableEncoder().fit(typed).decisions_[0].detail == one.detail
    for frame in (typed, pa.table({"x": cells})):
        asked = TableEncoder(read_as={"x": f"missing:{value}"}).fit(frame)
        assert asked.feature_names_ == ["x", "x is missing"]
        assert asked.transform(frame)[0, 1] == 1.0
        assert asked.decisions_[0].level < 2


@pytest.mark.parametrize(
    "cell",
    [
        *("-999.25", "-9999.0", "-999.99", "1e20", "-1.0E+30", "9.96921e36", "99.99"),
        *("999.9", "-9999.25", "9999.99", "1.0E+20"),
    ],
)
def test_values_that_programs_fill_in_are_named(cell: str) -> None:
    rest = [f"{value:.3f}" for value in np.random.default_rng(0).normal(5, 2, 300)]
    frame = pa.table({"x": [cell] * 4 + rest})
    (one,) = TableEncoder().fit(frame).decisions_
    assert "and may mean missing" in one.detail
    assert one.level == 2
    how = one.remedy.removeprefix("if it does: --read-as 'x=").removesuffix("'")
    for column in (frame["x"], pa.array([float(value) for value in [cell] * 4 + rest])):
        asked = TableEncoder(read_as={"x": how}).fit(pa.table({"x": column}))
        assert asked.summaries_["x"]["missing"] == pytest.approx(4 / 304)


def test_a_filled_in_value_of_narrow_floats_is_named_in_full() -> None:
    values = np.r_[np.random.default_rng(0).normal(5, 2, 300), [-999.99] * 4]
    frame = pa.table({"x": pa.array(values, pa.float32())})
    (one,) = TableEncoder().fit(frame).decisions_
    assert "-999.99 occurs 4 times" in one.detail
    how = one.remedy.removeprefix("if it does: --read-as 'x=").removesuffix("'")
    asked = TableEncoder(read_as={"x": how}).fit(frame)
    assert asked.summaries_["x"]["missing"] > 0


@pytest.mark.parametrize(
    "values",
    [
        RNG.normal(size=N),
        RNG.pareto(1, N).round(),
        RNG.integers(0, 2, N).astype(float),
        np.where(np.arange(N) % 2, -1.0, 1.0),
        np.where(np.arange(N) % 3, 0.0, -1.0),
        RNG.integers(0, 100, N).astype(float),
        np.r_[np.zeros(N - 3), 60, 60, 60],
    ],
)
def test_ordinary_values_are_no_sentinels(values: np.ndarray) -> None:
    encoder = TableEncoder().fit(pa.table({"x": values}))
    assert encoder.decisions_[0].level == 0, encoder.decisions_[0]


# ------------------------------------------------------- infinite and huge cells


@pytest.mark.parametrize(
    "cell", ["inf", "Infinity", "1e999", "1.797e308", "1e40", "\u221e"]
)
@pytest.mark.parametrize("sign", ["", "-"])
def test_cells_far_beyond_all_others_are_extreme(cell: str, sign: str) -> None:
    cells = [f"{v:.3f}" for v in RNG.normal(50, 3, N)]
    plain = fitted(cells)
    new = column(plain, [sign + cell, "51"])
    assert np.isfinite(new).all()
    assert abs(new[0]) > 1e6
    assert new[1] == 51.0
    cells[7] = sign + cell
    encoder = fitted(cells)
    found = np.array(column(encoder, cells))
    others = np.delete(found, 7)
    assert others.tolist() == [float(c) for i, c in enumerate(cells) if i != 7]
    assert abs(found[7] - 50) > 5 * np.ptp(others)
    assert (found[7] > 50) == (sign == "")
    one = decided(encoder)
    assert one.level == 2
    assert "in row 7) and counts as beyond all others" in one.detail
    assert np.isfinite(encoder.summaries_["x"]["deciles"]).all() or cell == "1.797e308"


def test_bigger_never_becomes_smaller() -> None:
    cells = [f"{v:.3f}" for v in np.random.default_rng(0).normal(50, 3, N)]
    for extra in ([], ["1e300"], ["inf", "-inf"]):
        encoder = fitted(cells + extra)
        rising = [
            "-inf",
            "-1e300",
            "-7e9",
            "-80",
            "49",
            "50",
            "60",
            "700",
            "1e12",
            "inf",
        ]
        found = column(encoder, rising)
        assert found == sorted(found)
        assert found[3:7] == [-80.0, 49.0, 50.0, 60.0]


def test_typed_infinite_cells_are_as_written_ones() -> None:
    values = RNG.normal(50, 3, N)
    values[[3, 9]] = np.inf, -np.inf
    typed, text = (
        pa.table({"x": values}),
        pa.table({"x": [repr(float(v)) for v in values]}),
    )
    one, other = TableEncoder().fit(typed), TableEncoder().fit(text)
    np.testing.assert_array_equal(one.transform(typed), other.transform(text))
    assert one.decisions_ == other.decisions_
    assert "x is missing" not in one.feature_names_


def test_heavy_tails_keep_their_values() -> None:
    values = RNG.pareto(0.4, 5000)
    encoder = TableEncoder().fit(pa.table({"x": values}))
    np.testing.assert_array_equal(
        encoder.transform(pa.table({"x": values}))[:, 0], values
    )
    bytes_sent = np.r_[np.zeros(4000), RNG.integers(0, 600, 999), 1.38e9]
    encoder = TableEncoder().fit(pa.table({"x": bytes_sent}))
    assert encoder.decisions_[0].level == 0


def test_nothing_but_infinite_cells() -> None:
    frame = pa.table({"x": ["inf"] * 30, "y": [str(i * i) for i in range(30)]})
    assert TableEncoder().fit(frame).feature_names_ == ["y"]


# ------------------------------------------------------------------------- types


@pytest.mark.parametrize(
    "kind",
    [
        *(pa.int8(), pa.uint64(), pa.float16(), pa.float32(), pa.decimal128(9, 3)),
        *(pa.decimal256(60, 5), pa.dictionary(pa.int8(), pa.int64())),
        *(
            pa.run_end_encoded(pa.int32(), pa.int64()),
            pa.string_view(),
            pa.large_string(),
        ),
    ],
)
def test_typed_columns_give_the_plan_of_text(kind: pa.DataType) -> None:
    whole = [int(v) for v in RNG.integers(0, 90, N)]
    array = pa.array([float(v) for v in whole])
    if pa.types.is_dictionary(kind):
        array = pa.array(whole).dictionary_encode()
    elif pa.types.is_run_end_encoded(kind):
        array = pc.run_end_encode(pa.array(whole))
    elif "string" in str(kind):
        array = pa.array([str(v) for v in whole]).cast(kind)
    else:
        array = array.cast(kind)
    text = pa.table({"x": [str(v) for v in whole]})
    one, other = TableEncoder().fit(pa.table({"x": array})), TableEncoder().fit(text)
    assert one.to_dict() == other.to_dict()
    np.testing.assert_array_equal(
        one.transform(pa.table({"x": array})), other.transform(text)
    )


def test_whole_numbers_beyond_what_floats_hold() -> None:
    numbers = pa.array([2**62 + i for i in range(40)], pa.uint64())
    y = [float(i * i) for i in range(40)]
    for column_ in (numbers, pa.array([str(n) for n in numbers.to_pylist()])):
        encoder = TableEncoder().fit(pa.table({"x": column_, "y": y}))
        assert encoder.identifiers_ == ["x"]
    spread = pa.array([2**62 + 10**15 * (i % 7) for i in range(40)], pa.uint64())
    assert TableEncoder().fit(pa.table({"x": spread})).feature_names_ == ["x"]


def test_charts_and_words_of_written_numbers() -> None:
    cells = [f"${us(v)}" for v in VALUES]
    encoder = fitted([*cells, None])
    found = encoder.chart("x", pa.array([cells[0], None, "n.a."]))
    np.testing.assert_array_equal(found, [VALUES[0], np.nan, np.nan])
    text, usual, _ = encoder.usual("x", "$250,000.00")
    assert text == "$250,000.00"
    assert usual.startswith("usual ")
    assert (
        usual.endswith("above the highest in training (100,000)") or "99,999.5" in usual
    )
    assert encoder.usual("x", None)[:2] == ("missing", "like 0.83 % of training rows")
    assert encoder.usual("x", "high")[:2] == (
        "'high'",
        "not a number, never in training rows",
    )


def test_long_decimals_are_rounded_in_words() -> None:
    cells = [repr(float(v)) for v in RNG.normal(50, 3, N)]
    assert len(fitted(cells).usual("x", "50.12345678901234").text) < 8


def test_deciles_measure_drift() -> None:
    summary = TableEncoder().fit(pa.table({"x": np.arange(101.0) ** 2})).summaries_["x"]
    assert summary["deciles"] == [float((10 * i) ** 2) for i in range(11)]


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ("speed", "read_as='speed' for column 'x' is not known; use one of number, "),
        ("missing:", "is not known; use one of"),
        ("day-first", "column 'x' cannot be read as 'day-first': no cell is one, such"),
        ("truth", "it has 30 different cells"),
    ],
)
def test_readings_that_cannot_be(how: str, message: str) -> None:
    frame = pa.table({"x": [f"{i}.5" for i in range(30)]})
    with pytest.raises(ParameterError, match=message):
        TableEncoder(read_as={"x": how}).fit(frame)
    with pytest.raises(ParameterError, match=r"no column 'xx' to read.*close: 'x'"):
        TableEncoder(read_as={"xx": "number"}).fit(frame)


def test_plain_numbers_are_cast() -> None:
    assert number_cells.plain(pa.array(["1", "2e3", None]))[1] == 2000.0  # type: ignore[index]
    assert number_cells.plain(pa.array(["1,5"])) is None


def test_a_few_repeated_words_among_numbers_mean_no_value() -> None:
    words = {0: "aus", 5: "defekt", 9: "Wartung"}
    cells = [words.get(i % 14, f"{v:.1f}") for i, v in enumerate(VALUES)]
    encoder = fitted(cells)
    assert encoder.feature_names_[:2] == ["x", "x is missing"]
    for word in words.values():
        assert f"cells are '{word}' and count as missing" in decided(encoder).detail


def test_a_cell_in_another_currency_says_so() -> None:
    encoder = fitted([*(f"\u20ac{us(v)}" for v in VALUES), "$900.00"])
    assert encoder.usual("x", "$900.00")[:2] == (
        "'$900.00'",
        "not a number in EUR, as one cell in 121 rows",
    )
