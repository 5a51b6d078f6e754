"""Categories: what is rare is odd, however many levels there are; labels by name."""

from __future__ import annotations

import numpy as np
import pytest
from people import ODD, Desk, N, loads, rng


def shops(common: int, times: int, rare: int) -> list[str]:
    often = [f"shop{i:04d}" for i in range(common)] * times
    return often + [f"once{i:05d}" for i in range(rare)]


@pytest.mark.parametrize("method", [None, "knn", "hbos", "ecod", "isolation_forest"])
@pytest.mark.parametrize(("common", "times", "rare"), [(50, 24, 300), (3, 200, 12)])
def test_rare_levels_are_odder_than_common_ones(
    method: str | None, common: int, times: int, rare: int, desk: Desk
) -> None:
    shop = shops(common, times, rare)
    values = [f"{v:.3f}" for v in rng().normal(size=len(shop))]
    desk.table("x.csv", {"shop": shop, "x": values})
    score = np.array(desk.detect("x.csv", method=method).score)
    often = common * times
    assert score[often:].mean() > score[:often].mean()


@pytest.mark.parametrize("method", [None, "knn", "hbos"])
def test_one_rare_level_among_thousands(method: str | None, desk: Desk) -> None:
    # 400 customers with ten rows each; one row of somebody who was never there.
    who = [f"customer {i % 400}" for i in range(4000)]
    who[ODD] = "stranger"
    values = [f"{v:.3f}" for v in rng().normal(0, 0.3, size=4000)]
    desk.table("x.csv", {"who": who, "x": values})
    desk.detect("x.csv", method=method).first(at_most=40)


@pytest.mark.parametrize("method", ["knn", "hbos", None])
@pytest.mark.parametrize(
    ("often", "seldom"),
    [
        ("ok", "fail"),
        ("yes", "no"),
        ("ja", "nein"),
        ("Y", "N"),
        ("T", "F"),
        ("on", "off"),
        ("TRUE", "FALSE"),
        ("oui", "non"),
        ("wahr", "falsch"),
        ("0", "1"),
        ("1.0", "0.0"),
        ("north", "Ostfriesland, außen"),
    ],
)
def test_the_one_other_word_is_first(
    often: str, seldom: str, method: str | None, desk: Desk
) -> None:
    words = [often] * N
    words[ODD] = f'"{seldom}"'
    values = [f"{v:.3f}" for v in rng().normal(10, 0.1, size=N)]
    desk.table("x.csv", {"state": words, "x": values})
    found = desk.detect("x.csv", method=method).tells("state")
    found.first(at_most=1 if method else 10)


def test_a_reason_says_how_often_a_level_was_seen(desk: Desk) -> None:
    shop = ["north", "south", "west"] * 100
    shop[ODD] = "moon"
    desk.table("x.csv", {"shop": shop, "x": loads()})
    found = desk.detect("x.csv").first()
    found.tells("moon", r"seen (once|1 time|one time)")


def test_a_level_that_training_never_saw(desk: Desk) -> None:
    desk.table("x.csv", {"shop": ["north", "south", "west"] * 100, "x": loads()})
    desk.table("new.csv", {"shop": ["north", "moon", "south"], "x": [10, 10, 10]})
    desk.fit("x.csv", "--method", "knn")
    scores = desk.score("new.csv")
    assert scores[1] > max(scores[0], scores[2])
    desk.run("explain", "m.crow", "new.csv", "--row", 1).ok().says("moon", "never")


def test_rarity_is_learnt_from_training_rows_alone(desk: Desk) -> None:
    desk.table("x.csv", {"shop": shops(20, 14, 20), "x": loads()})
    desk.fit("x.csv", "--method", "knn")
    desk.table("one.csv", {"shop": ["shop0003"], "x": [10]})
    many = {"shop": ["shop0003"] + ["new"] * 50, "x": [10] * 51}
    desk.table("many.csv", many)
    assert desk.score("one.csv")[0] == pytest.approx(desk.score("many.csv")[0])


def test_levels_that_differ_in_case_and_blanks(desk: Desk) -> None:
    words = ["north", "South ", "west"] * 100
    words[3], words[4] = "North", "south"
    desk.detect(desk.table("x.csv", {"shop": words, "x": loads()})).tells("shop")


def test_numbers_that_are_names(desk: Desk) -> None:
    codes = [f"{(10115, 20095, 80331)[i % 3]:05d}" for i in range(N)]
    codes[ODD] = "01067"
    desk.detect(desk.table("x.csv", {"postcode": codes, "x": loads()})).tells(
        "postcode"
    )


def test_sentences_are_left_out_and_said(desk: Desk) -> None:
    words = [
        "pump",
        "valve",
        "leaks",
        "again",
        "since",
        "monday",
        "in",
        "the",
        "second",
        "hall,",
        "ask",
        "Ann",
    ]
    notes = ['"' + " ".join(rng(i).permutation(words)) + '"' for i in range(N)]
    found = desk.detect(desk.table("x.csv", {"note": notes, "x": loads()}))
    found.tells("note", "left out|not used")


@pytest.mark.parametrize(
    "names",
    [
        [f"C-{1000 + i}" for i in range(N)],
        [f"{i:08x}-7a6e-4f0e-9d5e-{i * 7919:012x}" for i in range(N)],
        [f"user{i}@example.org" for i in range(N)],
        [f"DE{10**18 + i * 97}" for i in range(N)],
    ],
    ids=["customers", "uuids", "addresses", "accounts"],
)
def test_the_report_says_who_a_row_is(names: list[str], desk: Desk) -> None:
    values = loads()
    values[ODD] = "99"
    desk.table("x.csv", {"who": names, "load": values})
    found = desk.detect("x.csv").first().tells("who")
    assert names[ODD] in found.words


def test_the_report_has_row_numbers_and_lines(desk: Desk) -> None:
    values = loads()
    values[ODD] = "99"
    desk.table("x.csv", {"load": values, "temp": loads()}, above="# made by hand\n")
    found = desk.detect("x.csv").first()
    found.tells(rf"\b{ODD}\b", rf"line {ODD + 3}")


def test_everything_about_a_flagged_row_is_in_flagged_csv(desk: Desk) -> None:
    values = loads()
    values[ODD] = "99"
    names = [f"C-{1000 + i}" for i in range(N)]
    desk.table("x.csv", {"who": names, "load": values, "always": [7] * N})
    desk.detect("x.csv").first()
    lines = (desk / "found/flagged.csv").read_text(encoding="utf-8-sig").splitlines()
    assert all(word in lines[0] for word in ("who", "load", "always"))
    (line,) = (line for line in lines if "C-1007" in line)
    assert "99" in line
    assert "7" in line


# --- labels ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "odd", "plain"),
    [
        ("anomaly", "1", "0"),
        ("label", "1", "0"),
        ("Label", "attack", "normal"),
        ("is_fraud", "1", "0"),
        ("isFraud", "1", "0"),
        ("outlier", "yes", "no"),
        ("class", "1", "0"),
        ("Class", "fraud", "genuine"),
        ("target", "1", "0"),
        ("is_anomaly", "True", "False"),
        ("fraud", "1", "0"),
        ("attack", "1", "0"),
        ("y", "1", "0"),
    ],
)
def test_a_column_that_looks_like_labels_is_pointed_out(
    name: str, odd: str, plain: str, desk: Desk
) -> None:
    bad = np.arange(400) % 40 == 0
    flow = rng().normal(size=400) + 4 * bad
    columns = {
        "flow": [f"{v:.3f}" for v in flow],
        "temp": [f"{v:.3f}" for v in rng(1).normal(size=400)],
        name: [odd if one else plain for one in bad],
    }
    found = desk.detect(desk.table("x.csv", columns))
    found.tells(f"--label-column[ =]'?{name}")


def test_what_is_named_like_a_label_but_is_none(desk: Desk) -> None:
    columns = {"class": ["a", "b", "c", "d", "e"] * 60, "load": loads()}
    found = desk.detect(desk.table("x.csv", columns))
    found.never_says("--label-column")


def test_a_label_column_that_was_named_is_not_pointed_out(desk: Desk) -> None:
    columns = {"load": loads(), "anomaly": [int(i == ODD) for i in range(N)]}
    desk.table("x.csv", columns)
    found = desk.detect("x.csv", "--label-column", "anomaly")
    found.never_says("looks like")
