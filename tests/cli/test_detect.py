"""`whitecrow detect` and `demo`: what is written, what labels do, determinism."""

from __future__ import annotations

import html
import re
import shlex
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from running import N_NORMAL, N_ODD, Run

import whitecrow as wc

N = N_NORMAL + N_ODD


def scores(folder: str) -> np.ndarray:
    return pq.read_table(f"{folder}/scores.parquet")["anomaly_score"].to_numpy()


def test_writes_report_scores_and_model(run: Run, table: Path) -> None:
    done = run("detect", table, "--label-column", "y", "-o", "out", "--top", "5")
    assert (done.code, done.err) == (0, "")
    assert sorted(p.name for p in Path("out").iterdir()) == [
        "flagged.csv",
        "model.crow",
        "report.html",
        "scores.parquet",
    ]
    frame = pq.read_table("out/scores.parquet")
    assert frame.column_names == [
        *("row", "line", "anomaly_score", "rank", "is_anomaly", "reasons"),
    ]
    values, ranks = frame["anomaly_score"].to_numpy(), frame["rank"].to_numpy()
    assert frame["row"].to_pylist() == list(range(N))
    assert sorted(ranks) == list(range(1, N + 1))
    assert (np.diff(values[np.argsort(ranks)]) <= 0).all()
    threshold = wc.load("out/model.crow").threshold_
    assert frame["is_anomaly"].to_pylist() == (values > threshold).tolist()
    explained = [r is not None for r in frame["reasons"].to_pylist()]
    n_flagged = frame["is_anomaly"].to_pylist().count(True)
    assert n_flagged > 5
    assert explained == (ranks <= n_flagged).tolist()
    assert frame["line"].to_pylist() == list(range(2, N + 2))
    flagged = pa.csv.read_csv("out/flagged.csv")
    assert flagged["rank"].to_pylist() == list(range(1, n_flagged + 1))
    assert flagged.column_names == [
        *(*frame.column_names, "flow", "load", "colour"),
    ]
    odd = pa.csv.read_csv(table).take(flagged["row"])
    assert flagged["flow"] == odd["flow"]


def test_the_planted_rows_lead_and_the_reason_is_their_column(
    run: Run, table: Path
) -> None:
    words = ["--label-column", "y", "--top", str(N), "-o", "out", "--json"]
    found = run("detect", table, *words).json
    first = [one["row"] for one in found["top"][:N_ODD]]
    assert len(set(first) & set(range(N_NORMAL, N))) >= 9
    assert first[0] >= N_NORMAL
    assert found["top"][0]["reasons"][0].startswith("flow = ")
    assert "usual" in found["top"][0]["reasons"][0]
    assert found["quality"]["auroc"] > 0.98
    assert found["quality"]["anomalies"] == N_ODD
    assert found["rows"] == N
    assert found["flagged"] == sum(one["is_anomaly"] for one in found["top"])


def test_progress_is_told_where_stderr_is_no_terminal(run: Run, table: Path) -> None:
    words = ("detect", table, "--ignore", "y", "--method", "knn", "-o", "out")
    assert run(*words).progress == (
        *(f"reading {table}", "reading the columns", "fitting knn"),
        *("explaining the flagged rows", "writing the files"),
    )
    assert run(*words, "--quiet").progress == ()
    assert run(*words, "--json").progress == ()


def test_the_folder_is_named_after_the_data(run: Run, table: Path) -> None:
    assert run("detect", table, "--ignore", "y", "--method", "knn").code == 0
    assert Path("pumps-anomalies/report.html").is_file()


def test_use_labels_leaves_anomalies_out_of_a_method_that_cannot_learn_from_them(
    run: Run, table: Path
) -> None:
    words = ("detect", table, "--label-column", "y", "--method", "lof")
    done = run(*words, "--use-labels", "-o", "a")
    said = f"{N_ODD} rows labelled as anomalies are left out of training"
    assert said in done.out
    found = run(*words, "--use-labels", "-o", "a", "--json").json
    assert found["labels_used"] is True
    assert said in found["notes"][0]["text"]
    assert set(found["notes"][0]) == {"text", "level", "column", "remedy"}
    run(*words, "-o", "b")
    assert (scores("a")[N_NORMAL:] > scores("b")[N_NORMAL:]).all()


def test_labels_serve_the_evaluation_only(run: Run, table: Path) -> None:
    learn = ["--method", "deep_sad", "--model.epochs", "3"]
    with_labels = run("detect", table, *learn, "--label-column", "y", "-o", "a")
    run("detect", table, *learn, "--ignore", "y", "-o", "b")
    used = run(
        "detect", table, *learn, "--label-column", "y", "--use-labels", "-o", "c"
    )
    assert (scores("a") == scores("b")).all()
    assert (scores("a") != scores("c")).any()
    assert "not used for training" in with_labels.out
    assert "learnt from them" in used.out
    assert "were not used for training" in Path("a/report.html").read_text()
    assert "learnt from these labels" in Path("c/report.html").read_text()


def test_use_labels_takes_a_method_that_learns_from_them(run: Run, table: Path) -> None:
    words = ["--label-column", "y", "--use-labels", "--model.epochs", "2", "--json"]
    found = run("detect", table, *words, "-o", "out").json
    assert (found["method"], found["labels_used"]) == ("deep_sad", True)
    assert found["chosen_because"]


@pytest.mark.parametrize(
    "method", [["isolation_forest"], ["autoencoder", "--model.epochs", "2"]]
)
def test_the_seed_decides_the_scores(run: Run, table: Path, method: list[str]) -> None:
    words = ["--label-column", "y", "--method", *method]
    for seed, out in (("1", "a"), ("1", "b"), ("2", "c")):
        assert run("detect", table, *words, "--seed", seed, "-o", out).code == 0
    same = [Path(folder, "scores.parquet").read_bytes() for folder in "abc"]
    assert same[0] == same[1]
    assert same[0] != same[2]


def test_contamination_decides_how_many_are_flagged(run: Run, table: Path) -> None:
    for text in ("0.1", "10%"):
        found = run(
            *("detect", table, "--label-column", "y", "--contamination", text),
            *("-o", "out", "--json"),
        ).json
        assert found["flagged"] == pytest.approx(0.1 * N, abs=1)


def test_method_parameters_reach_the_method(run: Run, table: Path) -> None:
    run(
        *("detect", table, "--label-column", "y", "--method", "autoencoder"),
        *("--model.hidden", "4,2", "--model.batch-size", "100", "--model.epochs", "1"),
        *("-o", "out"),
    )
    model = wc.load("out/model.crow")
    assert (tuple(model.hidden), model.batch_size, model.epochs) == ((4, 2), 100, 1)


def test_a_preset_is_taken_and_can_be_changed(run: Run, table: Path) -> None:
    run(
        *("detect", table, "--label-column", "y", "--method", "autoencoder"),
        *("--preset", "paper", "--model.epochs", "1", "-o", "out"),
    )
    model = wc.load("out/model.crow")
    assert (model.act_fn, model.epochs) == ("tanh", 1)


def test_anomaly_values(run: Run, table: Path) -> None:
    words = ["detect", table, "--label-column", "colour", "-o", "out", "--json"]
    one = run(*words, "--anomaly-value", "violet").json
    but = run(*words, "--anomaly-value", "!green").json
    two = run(*words, "--anomaly-value", "violet", "--anomaly-value", "red").json
    assert one["quality"]["anomalies"] == 1
    assert but["quality"]["anomalies"] == two["quality"]["anomalies"] > 50


@pytest.mark.parametrize(
    ("convention", "texts"),
    [
        ("deep-sad", ("1", "-1")),
        ("sklearn-semi", ("0", "1")),
        ("outlier-predict", ("1", "-1")),
    ],
)
def test_label_conventions(
    run: Run, table: Path, convention: str, texts: tuple[str, str]
) -> None:
    lines = table.read_text().splitlines()
    changed = [f"{line[:-1]}{texts[int(line[-1])]}" for line in lines[1:]]
    table.write_text("\n".join([lines[0], *changed]))
    words = ["--label-column", "y", "--labels", convention, "-o", "out", "--json"]
    assert run("detect", table, *words).json["quality"]["anomalies"] == N_ODD


def test_pictures_have_paths_and_heat_maps(run: Run, pictures: Path) -> None:
    found = run("detect", pictures, "-o", "out", "--json").json
    frame = pq.read_table("out/scores.parquet")
    assert frame.column_names[:2] == ["row", "path"]
    # Those that were learnt from are not ranked; a row is the place in the folder.
    assert frame["path"].to_pylist()[::7] == ["test/good/16.png", "test/hole/23.png"]
    assert frame["row"].to_pylist() == list(range(16, 24))
    top = found["top"][0]
    explained = run("explain", "out/model.crow", pictures, "--row", str(top["row"]))
    assert explained.out.startswith(top["path"])
    assert found["quality"]["auroc"] == 1.0
    assert found["top"][0]["path"].startswith("test/hole/")
    assert Path("out/report.html").read_text().count('class="heat"') == 8


@pytest.mark.parametrize("source", ["digits", "breast_cancer"])
def test_nothing_needs_to_be_explained(run: Run, source: str) -> None:
    found = run("detect", source, "--top", "0", "-o", "out", "--json").json
    assert found["top"] == []
    assert "highest scores</h2>" not in Path("out/report.html").read_text()


def test_a_pattern_of_files(run: Run, table: Path) -> None:
    lines = table.read_text().splitlines()
    Path("part1.csv").write_text("\n".join(lines[:100]))
    Path("part2.csv").write_text("\n".join([lines[0], *lines[100:]]))
    run("detect", table, "--ignore", "y", "-o", "whole")
    assert run("detect", "part*.csv", "--ignore", "y", "-o", "parts").code == 0
    assert (scores("whole") == scores("parts")).all()


def test_auxiliary_outliers_are_learnt_from(run: Run, table: Path) -> None:
    Path("odd.csv").write_text("flow,load,colour\n80,150,red\n85,150,green\n")
    words = ["--method", "hsc", "--model.epochs", "20", "--label-column", "y"]
    found = run(
        "detect", table, *words, "--auxiliary", "odd.csv", "-o", "out", "--json"
    ).json
    assert found["quality"]["auroc"] > 0.95


def test_a_part_of_the_outliers_and_noise(run: Run, table: Path) -> None:
    Path("odd.csv").write_text("flow,load,colour\n80,150,red\n85,150,green\n")
    words = ["--method", "bce", "--model.epochs", "2", "--label-column", "y"]
    sizes = {}
    for n in ("1", "2"):
        some = ["--auxiliary", "odd.csv", "--auxiliary-size", n]
        assert run("detect", table, *words, *some, "-o", n).code == 0
        sizes[n] = scores(n)
    assert (sizes["1"] != sizes["2"]).any()
    many = ["--auxiliary", "odd.csv", "--auxiliary-size", "3"]
    done = run("fit", table, *words, *many, "-o", "m.crow")
    assert done.code == 2
    assert "--auxiliary-size = 3: odd.csv has 2 rows that may be drawn" in done.err
    assert not Path("m.crow").exists()
    noise = ["--auxiliary-noise", "shuffled", "--auxiliary-size", "50"]
    assert run("fit", table, *words, *noise, "-o", "m.crow").code == 0


def test_demo_ends_with_the_report_and_a_reading(run: Run) -> None:
    done = run("demo")
    assert done.code == 0
    *_, report, reading = done.out.splitlines()
    assert report == "report: whitecrow-demo/report.html"
    assert Path("whitecrow-demo/report.html").is_file()
    assert "of 377 rows" in reading
    assert "AUROC 0.9" in reading
    # The command that the demo shows is the one that it runs.
    before = Path("whitecrow-demo/scores.parquet").read_bytes()
    shown = done.out.splitlines()[0].removeprefix("$ whitecrow ")
    assert run(*shown.split()).code == 0
    assert Path("whitecrow-demo/scores.parquet").read_bytes() == before


def test_the_commands_in_the_report_run(run: Run, table: Path) -> None:
    run("detect", table, "--label-column", "y", "-o", "out")
    page = html.unescape(Path("out/report.html").read_text())
    page = page.replace("<wbr>", "")
    commands = re.findall(r"<pre class=\"copy\"><code>whitecrow (.*?)</code>", page)
    assert [command.split()[0] for command in commands] == ["score", "explain"]
    for command in commands:
        words = shlex.split(command.replace("NEW_DATA.csv", str(table)))
        assert run(*words).code == 0
    (code,) = re.findall(r"<pre class=\"copy\"><code>(import .*?)</code>", page)
    exec(code)


def test_one_of_a_kind_is_told_in_the_singular_and_in_one_line(run: Run) -> None:
    rng = np.random.default_rng(3)
    lines = ['"net\nvalue",other,y']
    for row in range(120):
        value = 90.0 if row == 7 else rng.normal(5, 1)
        lines.append(f"{value:.3f},{rng.normal():.3f},{int(row == 7)}")
    Path("one.csv").write_text("\n".join(lines))
    done = run("detect", "one.csv", "--label-column", "y", "-o", "out")
    assert "1 of 120 rows is flagged; 1 of these is a labelled anomaly" in done.out
    assert "'y': 1 anomaly, 119 normal" in done.out
    assert "net value = 90.000 (usual" in done.out
    scored = run("score", "out", "one.csv", "--label-column", "y")
    assert "1 of 120 rows is flagged" in scored.out
    assert "labels: 1 anomaly in 120 labelled rows" in scored.out
    Path("folder").mkdir()
    Path("folder/a.csv").write_text("a\n1\n")
    assert "1 csv file;" in run("detect", "folder", "-o", "out").err
