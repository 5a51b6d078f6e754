"""New rows that are written unlike those of training, or hold what it never had."""

from __future__ import annotations

import csv
import json
import unicodedata
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from people import Desk, N, Ran, comma, quoted, rng

import whitecrow as wc
from whitecrow.data.kinds import TableEncoder
from whitecrow.data.source import Reading
from whitecrow.model import Model


def table(seed: int) -> tuple[list[float], list[float]]:
    """Thousands that may be written with a mark, and numbers with one decimal."""
    values = rng(seed)
    return values.normal(1250, 60, N).tolist(), values.normal(70, 8, N).tolist()


Write = Callable[[Desk, str, int], str]


def written(first: str, second: str, swap: bool = False, sep: str = ",") -> Write:
    """Write a table; the first column in thousands where its format has a point."""

    def write(desk: Desk, name: str, seed: int) -> str:
        a, b = table(seed)
        a = [v / 1000 for v in a] if "." in first else a
        texts = [format(v, first) for v in a], [format(v, second) for v in b]
        if swap:
            texts = [comma(t) for t in texts[0]], [comma(t) for t in texts[1]]
        if sep == "," and (swap or "," in first):
            texts = [quoted(t) for t in texts[0]], [quoted(t) for t in texts[1]]
        return desk.table(name, {"a": texts[0], "b": texts[1]}, sep=sep)

    return write


def parquet(desk: Desk, name: str, seed: int) -> str:
    a, b = table(seed)
    frame = pd.DataFrame({"a": [v / 1000 for v in a], "b": b})
    frame.to_parquet(desk / f"{name}.parquet")
    return f"{name}.parquet"


POINT, COMMA = written(".3f", ".1f"), written(".3f", ".1f", swap=True, sep=";")
MARKS: dict[str, tuple[Write, Write]] = {
    "points, then commas": (POINT, COMMA),
    "points, then quoted commas": (POINT, written(".3f", ".1f", swap=True)),
    "commas, then points": (COMMA, POINT),
    "floats, then commas": (parquet, COMMA),
    "plain, then thousands": (
        written(".0f", ".2f"),
        written(",.0f", ".2f", swap=True, sep=";"),
    ),
    "only the range tells": (
        written(".3f", ".0f"),
        written(".3f", ".0f", swap=True, sep=","),
    ),
    "only the range tells thousands": (
        written(".0f", ".0f"),
        written(",.0f", ".0f", swap=True),
    ),
}


@pytest.mark.parametrize("case", MARKS)
def test_marks_are_judged_on_the_new_file(case: str, desk: Desk) -> None:
    first, second = MARKS[case]
    desk.fit(first(desk, "old.csv", 1), "--method", "knn")
    new = second(desk, "new.csv", 2)
    done = desk.run("score", "m.crow", new, "-o", "s.csv", "--json").ok()
    values = json.loads(done.out)
    assert values["flagged"] < 0.1 * N
    assert not any(one["moved"] for one in values["drift"]), values["drift"]
    desk.run("explain", "m.crow", new, "--top", "1").ok().never_says(
        "a = .* in training"
    )


def test_marks_are_judged_on_all_batches(desk: Desk) -> None:
    """The one cell that tells stands in the last row."""
    cells = [f"{v / 1000:.3f}" for v in table(1)[0]]
    desk.fit(desk.table("old.csv", {"a": cells, "b": table(1)[1]}), "--method", "knn")
    new = desk.table(
        "new.csv", {"a": [*map(comma, cells[1:]), "1,3"], "b": table(1)[1]}, sep=";"
    )
    model = Model.load(desk / "m.crow")
    source = model.open(new, Reading())
    parts = list(source.batches(50))
    assert len(parts) > 1
    met = model.meeting(parts)
    X = np.concatenate([met.encode(part) for part in parts])
    assert X[:, 0].max() < 2


def test_a_mark_that_nothing_tells_is_said() -> None:
    wide = pa.table({"a": ["1", "2000.5", "70000", "3", "5.25"] * 5})
    encoder = TableEncoder().fit(wide)
    _, notes = encoder.as_written([pa.table({"a": ["1,255", "2,388"]})])
    assert len(notes) == 1
    assert "'a' does not tell its decimal mark" in notes[0]


def test_a_model_of_a_frame_reads_decimal_commas(desk: Desk) -> None:
    frames = [pd.DataFrame({"a": a, "b": b}) for a, b in (table(1), table(2))]
    wc.KNN().fit(frames[0]).save(desk / "k.crow")
    frames[1][["b"]].to_csv(
        desk / "b.csv", sep=";", decimal=",", float_format="%.3f", index=False
    )
    frames[1].to_csv(
        desk / "n.csv", sep=";", decimal=",", float_format="%.3f", index=False
    )
    done = desk.run("score", "k.crow", "n.csv", "-o", "s.csv", "--json").ok()
    assert json.loads(done.out)["flagged"] < 0.3 * N
    wc.KNN().fit(frames[0][["b"]]).save(desk / "b.crow")
    done = desk.run("score", "b.crow", "b.csv", "-o", "s.csv").ok()
    done.says("'b' does not tell its decimal mark").never_says(f"{N} of {N} rows")


# --- columns with one value in training --------------------------------------------

ONE: dict[str, tuple[str, str]] = {
    "a number": ("1", "9"),
    "money": ("5.00 EUR", "500 EUR"),
    "a word": ("EU", "US"),
    "a truth": ("true", "false"),
    "a gap": ("PASS", ""),
    "a value where there was none": ("", "E17"),
}


def flags(path: Path) -> list[int]:
    with path.open(encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines))
    return [int(row["row"]) for row in rows if row["reasons"]]


@pytest.mark.parametrize("kind", ONE)
def test_another_value_in_a_constant_column_is_an_anomaly(
    kind: str, desk: Desk
) -> None:
    always, other = ONE[kind]
    a, b = table(1)
    desk.fit(desk.table("old.csv", {"a": a, "b": b, "mode": [always] * N}))
    same = desk.run("score", "m.crow", "old.csv", "-o", "same.csv").ok()
    same.says("all 3 are distributed as in training")
    cells = [other if row in (17, 40) else always for row in range(N)]
    desk.table("new.csv", {"a": a, "b": b, "mode": cells})
    done = desk.run("score", "m.crow", "new.csv", "-o", "new.csv.gz").ok()
    done.says(f"'mode' was always .* in training; 2 of {N} rows differ: .* in row 17")
    desk.run("score", "m.crow", "new.csv", "-o", "s.csv", "--json").ok()
    assert flags(desk / "s.csv") == [17, 40]
    assert flags(desk / "same.csv") == []
    with (desk / "s.csv").open(encoding="utf-8") as lines:
        assert list(csv.DictReader(lines))[17]["is_anomaly"] == "true"
    told = desk.run("explain", "m.crow", "new.csv", "--row", "17").ok()
    told.says("not above the threshold .*, but flagged: a column differs")
    told.says("mode = .*always")
    ordinary = desk.run("explain", "m.crow", "old.csv", "--row", "17").ok()
    ordinary.never_says("flagged")


@pytest.mark.parametrize(("one", "other"), [("5", "500"), ("yes", "no")])
def test_one_value_and_gaps_are_watched_too(one: str, other: str, desk: Desk) -> None:
    a, b = table(1)
    cells = [one if row % 3 else "" for row in range(N)]
    desk.fit(desk.table("old.csv", {"a": a, "b": b, "mode": cells}))
    cells[17] = other
    desk.table("new.csv", {"a": a, "b": b, "mode": cells})
    done = desk.run("score", "m.crow", "new.csv", "-o", "s.csv").ok()
    done.says(f"'mode' was always .* in training; 1 of {N} rows differs: {other} in")
    assert flags(desk / "s.csv") == [17]


def test_an_equal_value_that_is_written_otherwise_is_no_difference(desk: Desk) -> None:
    a, b = table(1)
    desk.fit(desk.table("old.csv", {"a": a, "b": b, "mode": ["1.50"] * N}))
    new = desk.table(
        "new.csv", {"a": map(str, a), "b": map(str, b), "mode": ["1,5"] * N}, sep=";"
    )
    done = desk.run("score", "m.crow", new, "-o", "s.csv").ok()
    done.never_says("was always")


def test_a_constant_column_that_is_gone_is_said(desk: Desk) -> None:
    a, b = table(1)
    desk.fit(desk.table("old.csv", {"a": a, "b": b, "mode": [1] * N}))
    desk.table("new.csv", {"a": a, "b": b})
    done = desk.run("score", "m.crow", "new.csv", "-o", "s.csv").ok()
    done.says("'mode' was always 1 in training; these data have no such column")


def test_later_dates_in_a_constant_column_are_no_difference(desk: Desk) -> None:
    a, b = table(1)
    desk.fit(desk.table("old.csv", {"a": a, "b": b, "day": ["2024-05-06"] * N}))
    desk.table("new.csv", {"a": a, "b": b, "day": ["2024-05-07"] * N})
    desk.run("score", "m.crow", "new.csv", "-o", "s.csv").ok().never_says("attention")


# --- cells that cannot be read --------------------------------------------------------


@pytest.mark.parametrize("unit", ["kg", "%"])
def test_a_unit_that_training_did_not_have_is_named(unit: str, desk: Desk) -> None:
    a, b = table(1)
    desk.fit(desk.table("old.csv", {"a": a, "b": b}))
    desk.table("new.csv", {"a": a, "b": [f"{v} {unit}" for v in b]})
    done = desk.run("score", "m.crow", "new.csv", "-o", "s.csv")
    done.refused("column 'b' held plain numbers", f"take '{unit}' off", "fit again")


def test_a_total_and_a_repeated_header_are_no_rows(desk: Desk) -> None:
    done = scored_with(desk, ["day", "a", "b"], ["Total", "30000", "3000"])
    done.says("the header once more among the rows is left out", "Total")
    assert len(pd.read_csv(desk / "s.csv")) == N


def test_rows_have_their_time_in_explanations(desk: Desk) -> None:
    scored_with(desk, ["2024-03-01 00:30:00", "90000", "90"], ["", "100", "10"])
    told = desk.run("explain", "m.crow", "new.csv", "--row", "50").ok()
    told.says(r"row 50 \(line 52, 2024-03-01 00:30:00\): score")
    # The time and the names of rows need not be there.
    a, b = table(1)
    desk.table("bare.csv", {"a": a, "b": b})
    desk.run(
        "fit",
        desk.table(
            "named.csv",
            {
                "who": [f"K{i}" for i in range(N)],
                "a": a,
                "b": b,
            },
        ),
        "-o",
        "named.crow",
    ).ok()
    told = desk.run("explain", "named.crow", "named.csv", "--row", "3").ok()
    told.says(r"row 3 \(line 5, K3\): score")
    told = desk.run("explain", "named.crow", "bare.csv", "--row", "3").ok()
    told.says(r"row 3 \(line 5\): score")


def test_a_few_cells_that_cannot_be_read_are_tolerated(desk: Desk) -> None:
    done = scored_with(desk, ["later", "see b", "11"], ["soon", "100", "10"])
    done.says("'day' held dates in training: 2 cells such as 'later' are not")
    done.says("'a' held numbers in training: 1 cell, 'see b', is not")
    assert len(pd.read_csv(desk / "s.csv")) == N + 2


def test_one_impossible_date_is_one_bad_cell(desk: Desk) -> None:
    a, b = table(1)
    days = pd.date_range("2024-01-01", periods=N, freq="D").strftime("%Y-%m-%d")
    desk.fit(desk.table("old.csv", {"day": days, "a": a, "b": b}))
    new = {"day": [*days[:3], "2024-02-31"], "a": a[:4], "b": b[:4]}
    desk.table("new.csv", new)
    done = desk.run("score", "m.crow", "new.csv", "-o", "s.csv").ok()
    done.says("'day' held dates in training: 1 cell, '2024-02-31', is not, and counts")
    desk.table("new.csv", new | {"day": ["soon", "later", *days[:2]]})
    done = desk.run("score", "m.crow", "new.csv", "-o", "s.csv")
    done.refused("'day' held dates in the training data, but row 0", "correct the cell")


def test_a_word_that_is_neither_yes_nor_no_does_not_count_as_missing(
    desk: Desk,
) -> None:
    a, b = table(1)
    desk.fit(desk.table("old.csv", {"a": a, "b": b, "on": ["yes", "no"] * (N // 2)}))
    desk.table("new.csv", {"a": a, "b": b, "on": ["yes", "maybe", *["no"] * (N - 2)]})
    done = desk.run("score", "m.crow", "new.csv", "-o", "s.csv").ok()
    done.says("'on' is neither true nor false in 1 row, such as 'maybe'")
    done.never_says("counts? as missing")


def scored_with(desk: Desk, among: list[str], below: list[str]) -> Ran:
    """Score the training rows with one more row among them, and one below them."""
    a, b = table(1)
    days = pd.date_range("2024-01-01 00:30", periods=N, freq="7h").astype(str)
    columns = {"day": list(days), "a": list(a), "b": list(b)}
    desk.fit(desk.table("old.csv", columns))
    more = zip(columns.items(), among, below, strict=True)
    new = {name: [*c[:50], cell, *c[50:], last] for (name, c), cell, last in more}
    desk.table("new.csv", new)
    return desk.run("score", "m.crow", "new.csv", "-o", "s.csv").ok()


def test_a_word_in_most_cells_is_named(desk: Desk) -> None:
    a, b = table(1)
    desk.fit(desk.table("old.csv", {"a": a, "b": b}))
    cells = ["ERROR" if i % 3 else v for i, v in enumerate(b)]
    desk.table("new.csv", {"a": a, "b": cells})
    done = desk.run("score", "m.crow", "new.csv", "-o", "s.csv").ok()
    done.says("'b' is missing in 67 % of the rows .200 hold 'ERROR'.")


# --- what a model says of its training ------------------------------------------------


def test_the_share_of_flagged_rows_is_that_of_the_rows_trained_on(desk: Desk) -> None:
    a, b = table(1)
    odd = range(0, N, 10)
    b = [900.0 if row in odd else value for row, value in enumerate(b)]
    kind = [1 if row in odd else 0 for row in range(N)]
    desk.table("old.csv", {"a": a, "b": b, "odd": kind})
    desk.fit("old.csv", "--label-column", "odd", "--method", "knn")
    assert Model.load(desk / "m.crow").info["flagged_share"] < 0.05


def test_two_columns_of_the_data_keep_two_names(desk: Desk) -> None:
    columns = {
        "row (data)": [f"K{i:05d}x" for i in range(N)],
        "row": [f"R{i:05d}y" for i in range(N)],
        "a": table(1)[0],
        "b": table(1)[1],
    }
    desk.fit(desk.table("old.csv", columns))
    desk.run("score", "m.crow", "old.csv", "-o", "s.csv").ok()
    with (desk / "s.csv").open(encoding="utf-8") as lines:
        first = next(csv.DictReader(lines))
    assert {"K00000x", "R00000y"} <= set(first.values())


# --- letters with accents in one sign or two -----------------------------------------


@pytest.mark.parametrize("forms", [("NFC", "NFD"), ("NFD", "NFC")])
def test_names_and_levels_are_the_same_however_they_are_typed(
    forms: tuple[str, str], desk: Desk
) -> None:
    a, _ = table(1)
    for form, file in zip(forms, ("old.csv", "new.csv"), strict=True):
        name, level, other = (
            unicodedata.normalize(form, word) for word in ("größe", "Köln", "Gänge")
        )
        columns = {name: a, "ort": [level, "Bonn", "Ulm"] * (N // 3)}
        desk.table(
            file, columns | {other: [level] * N, f"{name} ok": [0, 1] * (N // 2)}
        )
    option = unicodedata.normalize(forms[1], "größe ok")
    desk.fit("old.csv", "--label-column", option, "--method", "knn")
    for file in ("old.csv", "new.csv"):
        done = desk.run("score", "m.crow", file, "-o", f"s-{file}", "--json").ok()
        values = json.loads(done.out)
        assert values["quality"]["labelled"] == N
        assert not values["notes"]
        assert not any(one["moved"] for one in values["drift"])
    assert (desk / "s-old.csv").read_bytes() == (desk / "s-new.csv").read_bytes()
    why = desk.run("explain", "m.crow", "new.csv", "--row", "0").ok()
    why.never_says("never in training")
