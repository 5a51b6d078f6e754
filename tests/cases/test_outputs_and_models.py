"""What is written where, and models that meet other tables."""

from __future__ import annotations

import csv
import hashlib
import json
import os
import zipfile
from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from people import ODD, Desk, N, loads, prices, rng, scores_of
from PIL import Image

import whitecrow as wc
from whitecrow.web import serving
from whitecrow.web.session import Session


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture
def data(desk: Desk) -> str:
    columns = {"price": [f"{v:.2f}" for v in prices()], "load": loads()}
    return desk.table("d.csv", columns)


# --- an input is never overwritten ----------------------------------------------------


def linked(desk: Desk) -> str:
    (desk / "link.csv").symlink_to(desk / "d.csv")
    return "link.csv"


def linked_folder(desk: Desk) -> str:
    (desk / "here").symlink_to(desk.folder, target_is_directory=True)
    return "here/d.csv"


def hard_linked(desk: Desk) -> str:
    os.link(desk / "d.csv", desk / "same.csv")
    return "same.csv"


def around(desk: Desk) -> str:
    (desk / "sub").mkdir()
    return "sub/../d.csv"


SPELLINGS: dict[str, Callable[[Desk], str]] = {
    "the same": lambda desk: "d.csv",
    "a dot": lambda desk: "./d.csv",
    "two slashes": lambda desk: ".//d.csv",
    "the whole path": lambda desk: str(desk / "d.csv"),
    "a way around": around,
    "a link": linked,
    "a linked folder": linked_folder,
    "a hard link": hard_linked,
}


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_no_command_writes_over_the_table_it_reads(
    spelling: str, data: str, desk: Desk
) -> None:
    other = SPELLINGS[spelling](desk)
    desk.fit(data, "--method", "hbos")
    before = digest(desk / data), digest(desk / "m.crow")
    for words in (
        ("fit", data, "-o", other),
        ("fit", other, "-o", data),
        ("score", "m.crow", data, "-o", other),
        ("score", "m.crow", other, "-o", data),
        ("score", "m.crow", data, "-o", "m.crow"),
        ("detect", data, "-o", other),
        ("label", data, "-o", other, "--no-browser"),
    ):
        desk.run(*words).refused(r"d\.csv|m\.crow|link\.csv|same\.csv")
    assert (digest(desk / data), digest(desk / "m.crow")) == before


def test_a_process_does_not_either(shell: Desk) -> None:
    table = shell.table("d.csv", {"price": prices(), "load": loads()})
    before = digest(shell / table)
    shell.run("fit", table, "-o", "./d.csv", "--method", "hbos").refused(r"d\.csv")
    assert digest(shell / table) == before


def test_no_part_of_a_pattern_is_written_over(data: str, desk: Desk) -> None:
    (desk / "d2.csv").write_bytes((desk / data).read_bytes())
    before = digest(desk / "d2.csv")
    desk.run("fit", "d*.csv", "-o", "d2.csv").refused("d2.csv")
    assert digest(desk / "d2.csv") == before


def test_scores_of_an_earlier_run_are_not_written_over(data: str, desk: Desk) -> None:
    desk.detect(data)
    before = digest(desk / "found/scores.parquet")
    desk.run("detect", "found/scores.parquet", "-o", "found").refused("scores.parquet")
    desk.run("detect", "found/*.parquet", "-o", "found").refused("scores.parquet")
    assert digest(desk / "found/scores.parquet") == before


def test_no_picture_of_a_folder_is_written_over(desk: Desk) -> None:
    from PIL import Image

    (desk / "p").mkdir()
    for i in range(12):
        pixels = rng(i).integers(90, 120, (24, 24)).astype(np.uint8)
        Image.fromarray(pixels).save(desk / "p" / f"{i:02d}.png")
    before = digest(desk / "p/03.png")
    desk.run("fit", "p", "-o", "p/03.png", "--method", "pca").refused("03.png")
    assert digest(desk / "p/03.png") == before


EXPERIMENT = """\
name = "e"
title = "E"
data = ["breast_cancer"]
seeds = 1
[protocol]
name = "holdout"
[[methods]]
name = "hbos"
"""


def test_no_experiment_file_is_written_over(desk: Desk) -> None:
    (desk / "e.toml").write_text(EXPERIMENT)
    for words in (
        ("experiment", "run", "e.toml", "-o", "e.toml"),
        ("experiment", "report", "e.toml", "--markdown", "e.toml"),
        ("experiment", "report", "e.toml", "--markdown", "./e.toml"),
    ):
        desk.run(*words).refused("e.toml")
    assert (desk / "e.toml").read_text() == EXPERIMENT


def test_no_original_file_is_written_over(desk: Desk) -> None:
    lines = ["Category,pslist.nproc,pslist.nppid,pslist.nprocs64bit,Class"]
    for i in range(60):
        kind = f"Trojan-Zeus-{i:08x}-1.raw,{i},5.0{i},0,Malware"
        lines.append(kind if i % 3 == 0 else f"Benign,{i + 30},2.0{i},0,Benign")
    original = desk / "Obfuscated-MalMem2022.csv"
    original.write_text("\n".join(lines) + "\n")
    before = digest(original)
    prepare = ("data", "prepare", "malmem2022", original.name, "-o")
    desk.run(*prepare, "fine.parquet").ok()
    (desk / "link.parquet").symlink_to(original)
    for target in (original.name, f"./{original.name}", original, "link.parquet"):
        desk.run(*prepare, target).refused("Obfuscated|link.parquet")
    assert digest(original) == before


def test_the_folder_of_the_table_may_hold_the_results(data: str, desk: Desk) -> None:
    desk.run("detect", data, "-o", ".", "--method", "hbos").ok()
    assert (desk / "report.html").is_file()
    assert (desk / "d.csv").is_file()


# --- the name of an output says what it is --------------------------------------------


@pytest.mark.parametrize("name", ["s.csv", "s.CSV", "s.tsv", "s.txt", "s.csv.gz"])
def test_scores_under_the_name_of_text_are_text(
    name: str, data: str, desk: Desk
) -> None:
    desk.fit(data, "--method", "knn")
    ran = desk.run("score", "m.crow", data, "-o", name)
    if ran.code:
        ran.refused(name, "csv|parquet")
        assert not (desk / name).exists()
        return
    content = (desk / name).read_bytes()
    assert not content.startswith(b"PAR1")
    if name.lower() != "s.csv":
        return
    rows = list(csv.DictReader(content.decode("utf-8-sig").splitlines()))
    assert len(rows) == N
    best = max(rows, key=lambda row: float(row["anomaly_score"]))
    assert int(best["row"]) == ODD
    assert best["is_anomaly"].lower() in ("true", "1", "yes")


def test_csv_and_parquet_have_the_same_scores(data: str, desk: Desk) -> None:
    desk.fit(data, "--method", "ecod")
    exact = desk.score(data)
    desk.run("score", "m.crow", data, "-o", "s.csv").ok()
    rows = csv.DictReader((desk / "s.csv").read_text(encoding="utf-8-sig").splitlines())
    assert [float(row["anomaly_score"]) for row in rows] == exact


@pytest.mark.parametrize("name", ["s.xlsx", "s.json", "s.jsonl", "s.feather", "s.crow"])
def test_other_names_are_obeyed_or_refused(name: str, data: str, desk: Desk) -> None:
    desk.fit(data, "--method", "ecod")
    ran = desk.run("score", "m.crow", data, "-o", name)
    if ran.code:
        ran.refused(name, "csv|parquet")
        assert not (desk / name).exists()
        return
    content = (desk / name).read_bytes()
    assert not content.startswith(b"PAR1")
    if name == "s.xlsx":
        assert zipfile.is_zipfile(desk / name)


def test_an_output_has_a_default(data: str, desk: Desk) -> None:
    desk.run("detect", data, "--method", "hbos").ok().says("report")
    assert list(desk.folder.glob("**/report.html"))
    desk.run("fit", data, "--method", "hbos").ok()
    (model,) = desk.folder.glob("*.crow")
    desk.run("score", model.name, data).ok()
    assert (desk / data).read_text().startswith("price")


# --- labels that cannot be followed ---------------------------------------------------


@pytest.fixture
def labelled(desk: Desk) -> str:
    columns = {
        "price": [f"{v:.2f}" for v in prices()],
        "load": loads(),
        "state": ["broken" if i in (ODD, 8, 9) else "good" for i in range(N)],
    }
    return desk.table("d.csv", columns)


@pytest.mark.parametrize("command", ["score", "explain"])
@pytest.mark.parametrize(
    ("options", "word"),
    [
        (("--label-column", "stat"), "stat"),
        (("--label-column", "state", "--anomaly-value", "brokn"), "brokn"),
        (("--label-column", "state"), "state.*--anomaly-value|--anomaly-value"),
        (("--anomaly-value", "broken"), "--label-column|broken"),
    ],
)
def test_label_options_that_cannot_be_followed_are_refused(
    command: str, options: tuple[str, ...], word: str, labelled: str, desk: Desk
) -> None:
    desk.fit(labelled, "--ignore", "state", "--method", "ecod")
    where = ("-o", "s.parquet") if command == "score" else ()
    desk.run(command, "m.crow", labelled, *where, *options).refused(word)
    desk.run("detect", labelled, "-o", "found", *options).refused(word)


def test_label_options_that_can_be_followed(labelled: str, desk: Desk) -> None:
    desk.fit(labelled, "--ignore", "state", "--method", "ecod")
    how = ("--label-column", "state", "--anomaly-value", "broken")
    desk.run("score", "m.crow", labelled, "-o", "s.parquet", *how).ok().says("AUROC")


@pytest.mark.parametrize("command", ["detect", "score"])
def test_kinds_of_pictures_that_are_not_there_are_refused(
    command: str, desk: Desk
) -> None:
    X = rng().integers(90, 130, (40, 12, 12)).astype(np.uint8)
    np.savez(desk / "p.npz", X=X, y=np.arange(40) % 4)
    desk.run("fit", "p.npz", "-o", "m.crow", "--method", "pca").ok()
    data = ("p.npz",) if command == "detect" else ("m.crow", "p.npz")
    where = ("-o", "found" if command == "detect" else "s.parquet")
    desk.run(command, *data, *where, "--anomaly-value", "9").refused("9")
    ran = desk.run(command, *data, *where, "--anomaly-value", "3").ok()
    ran.says("AUROC|10 anomalies")


# --- models from Python ---------------------------------------------------------------


def frame() -> pd.DataFrame:
    columns = {
        "temp": rng(1).normal(20, 1, N),
        "pressure": rng(2).normal(1000, 30, N),
        "flow": rng(3).normal(5, 0.2, N),
    }
    columns["flow"][ODD] = 9.0
    return pd.DataFrame(columns)


@pytest.fixture
def python_model(desk: Desk) -> pd.DataFrame:
    table = frame()
    wc.ECOD().fit(table).save(desk / "m.crow")
    return table


@pytest.mark.parametrize(
    "order",
    [
        ["temp", "pressure", "flow"],
        ["flow", "temp", "pressure"],
        ["pressure", "flow", "temp"],
    ],
)
def test_columns_are_taken_by_name(
    order: list[str], python_model: pd.DataFrame, desk: Desk
) -> None:
    python_model[order].to_csv(desk / "d.csv", index=False)
    expected = wc.ECOD().fit(python_model).anomaly_score(python_model)
    assert np.allclose(desk.score("d.csv"), expected)
    ran = desk.run("explain", "m.crow", "d.csv", "--row", ODD).ok()
    ran.says("flow")


def test_a_further_column_is_left_out_and_said(
    python_model: pd.DataFrame, desk: Desk
) -> None:
    python_model.assign(site="north").to_csv(desk / "d.csv", index=False)
    ran = desk.run("score", "m.crow", "d.csv", "-o", "s.parquet").ok()
    ran.says("site")
    found = [row["anomaly_score"] for row in scores_of(desk / "s.parquet")]
    assert np.allclose(found, wc.ECOD().fit(python_model).anomaly_score(python_model))


@pytest.mark.parametrize(
    "change",
    [
        lambda table: table.drop(columns="flow"),
        lambda table: table.rename(columns={"flow": "Durchfluss"}),
        lambda table: table.rename(columns={"flow": "Flow"}),
        lambda table: table[["temp"]],
    ],
    ids=["missing", "renamed", "other case", "one left"],
)
@pytest.mark.parametrize("where", ["python", "command line"])
def test_a_column_that_is_not_there_is_refused(
    change: Callable[[pd.DataFrame], pd.DataFrame], where: str, desk: Desk
) -> None:
    table = frame()
    if where == "python":
        wc.ECOD().fit(table).save(desk / "m.crow")
    else:
        table.to_csv(desk / "train.csv", index=False)
        desk.fit("train.csv", "--method", "ecod")
    change(table).to_csv(desk / "d.csv", index=False)
    desk.run("score", "m.crow", "d.csv", "-o", "s.parquet").refused("flow")
    desk.run("explain", "m.crow", "d.csv", "--row", 1).refused("flow")


def test_a_model_of_an_array_takes_columns_by_place(desk: Desk) -> None:
    table = frame()
    model = wc.ECOD().fit(table.to_numpy())
    model.save(desk / "m.crow")
    table.to_csv(desk / "d.csv", index=False)
    assert np.allclose(desk.score("d.csv"), model.anomaly_score(table.to_numpy()))
    table.assign(more=1.0).to_csv(desk / "e.csv", index=False)
    desk.run("score", "m.crow", "e.csv", "-o", "s.parquet").refused("3|4")


# --- score compares with training -----------------------------------------------------


def test_new_rows_like_those_of_training(desk: Desk) -> None:
    frame().to_csv(desk / "a.csv", index=False)
    desk.fit("a.csv", "--method", "ecod")
    ran = desk.run("score", "m.crow", "a.csv", "-o", "s.parquet", "--json").ok()
    assert json.loads(ran.out)


@pytest.mark.parametrize("method", ["ecod", "knn", "hbos"])
def test_when_everything_is_flagged_it_is_said_loudly(method: str, desk: Desk) -> None:
    frame().to_csv(desk / "a.csv", index=False)
    desk.fit("a.csv", "--method", method)
    other = frame() * [2.0, 1.0, 1.0]
    other.to_csv(desk / "b.csv", index=False)
    calm = desk.run("score", "m.crow", "a.csv", "-o", "s.parquet").ok()
    loud = desk.run("score", "m.crow", "b.csv", "-o", "s.parquet").ok()
    loud.says("temp", "train")
    assert len(loud.text) > len(calm.text)


# --- thresholds -----------------------------------------------------------------------


@pytest.mark.parametrize("method", [None, "knn", "hbos", "ecod"])
@pytest.mark.parametrize("share", [0.02, 0.1, 0.24])
def test_mostly_zero_counts(method: str | None, share: float, desk: Desk) -> None:
    some = rng(1).permutation(500)[: int(500 * share)]
    counts = np.zeros((500, 2), int)
    counts[some, 0] = rng(2).poisson(1.5, len(some)) + 1
    counts[some[: len(some) // 2], 1] = rng(3).poisson(2, len(some) // 2) + 1
    counts[some[0]] = [60, 20]
    found = desk.detect(
        desk.table("x.csv", {"a": counts[:, 0], "b": counts[:, 1]}), method=method
    )
    assert found.flag[some[0]]
    assert sum(found.flag) <= 50


def test_a_constant_table_with_one_other_row(desk: Desk) -> None:
    values = np.full((N, 2), 5)
    values[ODD] = 9
    table = desk.table("x.csv", {"a": values[:, 0], "b": values[:, 1]})
    found = desk.detect(table, method=None).first()
    assert found.flag[ODD]
    assert sum(found.flag) <= 3


def test_equal_rows_are_not_flagged(desk: Desk) -> None:
    cells = {"a": [1, 2, 3, 4] * 75, "b": [1, 1, 2, 2] * 75}
    found = desk.detect(desk.table("x.csv", cells), method=None)
    assert sum(found.flag) <= 30


# --- standard input, pictures and experiments -----------------------------------------


def test_standard_input_is_data(shell: Desk, data: str) -> None:
    given = (shell / data).read_bytes()
    quick = ("--method", "hbos")
    shell.run("detect", "-", "-o", "found", *quick, stdin=given).ok()
    assert len(scores_of(shell / "found/scores.parquet")) == N
    shell.run("fit", *quick, "-", "-o", "m.crow", stdin=given).ok()
    shell.run("score", "m.crow", "-", "-o", "s.parquet", stdin=given).ok()
    assert len(scores_of(shell / "s.parquet")) == N
    shell.run("explain", "m.crow", "-", "--row", ODD, stdin=given).ok().says("row 7")


def test_standard_input_can_be_labelled(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    spooled = desk.table("in.csv", {"load": loads()})
    with (desk / spooled).open() as given:
        monkeypatch.setattr("sys.stdin", given)
        desk.run("label", "-", "-o", "answers", "--no-browser").ok()
    assert len(desk.sessions) == 1


@pytest.mark.parametrize("name", ["labels.parquet", "agreement.csv", "scores.parquet"])
def test_labelling_writes_over_its_own_files_only(
    name: str, data: str, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def answered(session: Session, *_: Any, **__: Any) -> None:
        for row in (3, 4):
            session.answer(row, "normal", None)
        session.write()

    monkeypatch.setattr(serving, "serve", answered)
    words = ["label", data, "-o", "answers", "--method", "hbos", "--no-browser"]
    for annotator in ("Ann", "Ben"):  # the second one writes over files of the first
        desk.run(*words, "--annotator", annotator).ok()
    monkeypatch.setattr(serving, "serve", lambda *_, **__: None)
    assert (desk / "answers" / name).is_file()
    desk.run(*words).ok()
    (desk / "answers" / name).write_bytes(b"my notes")
    desk.run(*words).refused(f"{name} exists and is not of whitecrow")
    assert (desk / "answers" / name).read_bytes() == b"my notes"


@pytest.mark.parametrize("command", ["detect", "fit", "score", "explain", "label"])
@pytest.mark.parametrize("words", [("--outptu", "x"), ("--outptu=x",), ("-x",)])
def test_an_option_that_does_not_exist_is_no_data(
    command: str, words: tuple[str, ...], data: str, desk: Desk
) -> None:
    model = ["m.crow"] if command in ("score", "explain") else []
    output = [] if command == "explain" else ["-o", "out"]
    for tokens in ((*words, data), (data, *words), words):
        done = desk.run(command, *model, *tokens, *output)
        done.refused("Unknown option: -", f"whitecrow {command} --help")


@pytest.mark.parametrize("target", ["tiles/03.png", "./tiles/../tiles/03.png"])
@pytest.mark.parametrize("given", ["tiles", "tiles/*.png"])
def test_no_model_is_written_over_a_picture(
    given: str, target: str, desk: Desk
) -> None:
    (desk / "tiles").mkdir()
    for number in range(6):
        pixels = rng(number).integers(0, 255, (8, 8)).astype(np.uint8)
        Image.fromarray(pixels).save(desk / f"tiles/{number:02d}.png")
    before = digest(desk / "tiles/03.png")
    desk.run("fit", given, "-o", target).refused("would overwrite the input")
    assert digest(desk / "tiles/03.png") == before


def test_no_report_is_written_over_an_experiment_or_its_data(
    data: str, desk: Desk
) -> None:
    file = desk / "e.toml"
    file.write_text(
        'data = ["d.csv"]\nseeds = 1\n[protocol]\nname = "holdout"\n'
        '[[methods]]\nname = "knn"\n'
    )
    (desk / "link.md").symlink_to(file)
    before = digest(file), digest(desk / data)
    for page in ("e.toml", "./e.toml", "link.md", "d.md", "d.csv"):
        done = desk.run("experiment", "report", "e.toml", "--markdown", page)
        done.refused("--markdown .* would overwrite the input")
    assert (digest(file), digest(desk / data)) == before


@pytest.mark.parametrize("spelling", ["same", "a dot", "a link"])
def test_no_table_is_prepared_over_its_original(spelling: str, desk: Desk) -> None:
    original = desk / "o.parquet"
    original.write_text("0,tcp,http,SF,1\n")
    (desk / "l.parquet").symlink_to(original)
    other = {"same": "o.parquet", "a dot": "./o.parquet", "a link": "l.parquet"}
    before = digest(original)
    done = desk.run("data", "prepare", "kdd10", "o.parquet", "-o", other[spelling])
    done.refused("would overwrite the input")
    assert digest(original) == before


# --- what delimited text cannot hold --------------------------------------------------

ANY_CELLS = {
    "list": pa.array([[1, 2]] * N),
    "large list": pa.array([["a"]] * N, pa.large_list(pa.string())),
    "list of dates": pa.array([[date(2024, 5, 1)]] * N),
    "view of a list": pa.array([[1, 2]] * N, pa.list_view(pa.int64())),
    "map": pa.array([[("k", 1)]] * N, pa.map_(pa.string(), pa.int64())),
    "struct": pa.array([{"a": row % 5, "b": {"c": "x"}} for row in range(N)]),
    "duration": pa.array([timedelta(seconds=90)] * N),
    "decimal": pa.array([Decimal(row % 9) / 4 for row in range(N)]),
    "bytes": pa.array([b"\xff\xfe" + bytes([row % 250]) for row in range(N)]),
    "fixed bytes": pa.array([b"a\xff"] * N, pa.binary(2)),
    "category": pa.array(["u", "v"] * (N // 2)).dictionary_encode(),
    "text view": pa.array(["u", "v"] * (N // 2), pa.string_view()),
    "bytes view": pa.array([b"u", b"\xff"] * (N // 2), pa.binary_view()),
    "nothing": pa.nulls(N),
}


@pytest.mark.parametrize("kind", ANY_CELLS)
def test_every_type_of_column_reaches_flagged_rows_and_scores(
    kind: str, desk: Desk
) -> None:
    table = pa.table({"price": prices(), "cells": ANY_CELLS[kind]})
    pq.write_table(table, desk / "t.parquet")
    desk.detect("t.parquet", method="hbos").first()
    with (desk / "found/flagged.csv").open(encoding="utf-8", newline="") as file:
        flagged = list(csv.DictReader(file))
    assert len(flagged) >= 1
    desk.run("score", "found/model.crow", "t.parquet", "-o", "s.csv").ok()
    desk.run("explain", "found/model.crow", "t.parquet", "--row", ODD).ok()
    desk.run("label", "t.parquet", "-o", "answers", "--no-browser").ok()
    expected = {"list": "[1, 2]", "map": '{"k": 1}', "duration": "0:01:30"}
    if kind in expected:
        assert flagged[0]["cells"] == expected[kind]
    if kind == "struct":
        assert flagged[0]["cells.b.c"] == "x"


def test_a_model_of_a_frame_scores_without_a_warning(shell: Desk) -> None:
    frame = pd.DataFrame(rng().normal(size=(N, 2)), columns=["a", "b"])
    fitted = wc.HBOS().fit(frame)
    fitted.save(shell / "m.crow")
    frame[["b", "a"]].to_csv(shell / "d.csv", index=False)
    done = shell.run("score", "m.crow", "d.csv", "-o", "s.parquet").ok()
    done.never_says("warning", "feature names")
    shell.run("explain", "m.crow", "d.csv").ok().never_says("feature names")
    found = [row["anomaly_score"] for row in scores_of(shell / "s.parquet")]
    assert np.allclose(found, fitted.anomaly_score(frame))
