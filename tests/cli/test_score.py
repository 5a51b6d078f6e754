"""`fit`, `score` and `explain`: models on new data."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from running import N_NORMAL, N_ODD, Run

import whitecrow as wc

N = N_NORMAL + N_ODD


def column(path: str, name: str = "anomaly_score") -> list[object]:
    return pq.read_table(path)[name].to_pylist()


def test_scores_are_those_of_detect(run: Run, table: Path) -> None:
    run("detect", table, "--label-column", "y", "-o", "out")
    done = run("score", "out/model.crow", table, "-o", "s.parquet")
    assert (done.code, done.err) == (0, "")
    assert column("s.parquet") == column("out/scores.parquet")
    assert column("s.parquet", "is_anomaly") == column(
        "out/scores.parquet", "is_anomaly"
    )
    assert column("s.parquet", "row") == list(range(N))


def test_fit_then_score_prints_the_quality(run: Run, table: Path) -> None:
    fitted = run("fit", table, "--label-column", "y", "--method", "lof", "-o", "m.crow")
    assert "12 rows labelled as anomalies are left out of training" in fitted.out
    done = run("score", "m.crow", table, "-o", "s.parquet")
    assert "AUROC 1.0" in done.out or "AUROC 0.9" in done.out
    found = run("score", "m.crow", table, "-o", "s.parquet", "--json").json
    assert found["quality"]["anomalies"] == N_ODD
    assert found["flagged"] == sum(column("s.parquet", "is_anomaly"))
    # Which rows are normal was learnt.
    assert found["learnt_from_these_labels"] is True


def test_fit_hands_labels_to_a_method_that_uses_them(run: Run, table: Path) -> None:
    words = ["--method", "deep_sad", "--model.epochs", "2", "-o", "m.crow"]
    done = run("fit", table, "--label-column", "y", *words)
    assert "deep_sad learnt from them" in done.out
    scored = run("score", "m.crow", table, "-o", "s.parquet")
    assert "learnt from the labels of this source" in scored.out


def test_naming_labels_chooses_a_method_that_uses_them(run: Run, table: Path) -> None:
    words = ["--model.epochs", "2", "-o", "m.crow", "--json"]
    found = run("fit", table, "--label-column", "y", *words).json
    assert (found["method"], found["labels_used"]) == ("deep_sad", True)


# Sums of products, which the default method takes, round differently for other numbers
# of rows; a forest has none.
@pytest.mark.parametrize(
    ("method", "error"), [(["--method", "isolation_forest"], 0.0), ([], 1e-9)]
)
def test_a_table_streams_in_batches_to_the_same_scores(
    run: Run,
    table: Path,
    monkeypatch: pytest.MonkeyPatch,
    method: list[str],
    error: float,
) -> None:
    from whitecrow.data.source import TableSource

    batches = TableSource.batches
    run("fit", table, "--ignore", "y", *method, "-o", "m.crow")
    run("score", "m.crow", table, "-o", "one.parquet")
    monkeypatch.setattr(TableSource, "batches", lambda self: batches(self, 50))
    pq.write_table(pa.csv.read_csv(table), "t.parquet", row_group_size=70)
    for source in (table, "t.parquet"):
        run("score", "m.crow", source, "-o", "many.parquet", "--label-column", "y")
        assert pq.ParquetFile("many.parquet").num_row_groups == 6
        many, one = column("many.parquet"), column("one.parquet")
        np.testing.assert_allclose(many, one, rtol=error, atol=0)
        assert column("many.parquet", "row") == list(range(N))


def test_columns_may_come_in_another_order_with_more(run: Run, table: Path) -> None:
    run("fit", table, "--ignore", "y", "-o", "m.crow")
    run("score", "m.crow", table, "-o", "a.parquet")
    frame = pa.csv.read_csv(table).select(["y", "colour", "load", "flow"])
    pq.write_table(frame.append_column("extra", [list(range(N))]), "t.parquet")
    done = run("score", "m.crow", "t.parquet", "-o", "b.parquet")
    assert column("a.parquet") == column("b.parquet")
    assert "columns that training did not have are ignored: 'extra'" in done.out


def test_new_data_need_no_labels(run: Run, table: Path) -> None:
    run("fit", table, "--label-column", "y", "--method", "lof", "-o", "m.crow")
    pq.write_table(pa.csv.read_csv(table).drop_columns(["y"]), "t.parquet")
    done = run("score", "m.crow", "t.parquet", "-o", "s.parquet")
    assert done.code == 0
    assert "AUROC" not in done.out


def test_arrays(run: Run) -> None:
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(120, 3)), np.r_[np.zeros(110, int), np.ones(10, int)]
    X[y == 1] += 6
    np.savez("a.npz", X=X, y=y)
    words = ["fit", "a.npz", "--method", "deep_sad", "--model.epochs", "3"]
    assert "10 anomalies, 110 normal" in run(*words, "-o", "m.crow").out
    found = run("score", "m.crow", "a.npz", "-o", "s.parquet", "--json").json
    assert found["quality"]["anomalies"] == 10
    loaded = wc.load("m.crow")
    assert column("s.parquet") == loaded.anomaly_score(X).tolist()


def test_a_model_saved_in_python_scores_numbers(run: Run) -> None:
    X = np.random.default_rng(0).normal(size=(60, 2))
    model = wc.IsolationForest(random_state=0).fit(X)
    model.save("m.crow")
    np.savez("a.npz", X=X, y=np.zeros(60, int))
    assert run("score", "m.crow", "a.npz", "-o", "s.parquet").code == 0
    assert column("s.parquet") == model.anomaly_score(X).tolist()
    explained = run("explain", "m.crow", "a.npz", "--row", "2")
    assert "x0 = " in explained.out or "x1 = " in explained.out
    Path("t.csv").write_text("a,b\n1,red\n2,green\n")
    done = run("score", "m.crow", "t.csv", "-o", "t.parquet")
    assert done.code == 2
    assert "column 'b' holds 'red' in row 0" in done.err


def test_pictures(run: Run, pictures: Path) -> None:
    assert run("fit", pictures / "train", "-o", "m.crow").code == 0
    done = run("score", "m.crow", pictures / "test", "-o", "s.parquet")
    assert "8 pictures of 24 x 24 pixels" in done.out
    assert "AUROC 1.0000" in done.out
    assert pq.read_table("s.parquet").column_names == [
        *("row", "path", "anomaly_score", "is_anomaly"),
    ]
    assert column("s.parquet", "path")[-1] == "hole/23.png"


def test_pictures_of_another_size_and_mode_are_brought_to_the_models(
    run: Run, pictures: Path
) -> None:
    from PIL import Image

    run("fit", pictures / "train", "-o", "m.crow")
    Path("new").mkdir()
    for path in (pictures / "test" / "hole").iterdir():
        with Image.open(path) as image:
            image.convert("RGB").resize((48, 48)).save(Path("new", path.name))
    assert run("score", "m.crow", "new", "-o", "s.parquet").code == 0
    run("score", "m.crow", pictures / "test", "-o", "t.parquet")
    odd = column("t.parquet")[-4:]
    assert np.allclose(column("s.parquet"), odd, rtol=0.5)
    assert min(column("s.parquet")) > max(column("t.parquet")[:4])


def test_explain_names_the_column_in_its_units(run: Run, table: Path) -> None:
    run("fit", table, "--ignore", "y", "-o", "m.crow")
    found = run("explain", "m.crow", table, "--row", "249", "7", "--json").json
    assert [one["row"] for one in found["rows"]] == [249, 7]
    assert found["rows"][0]["is_anomaly"] is True
    assert found["rows"][0]["reasons"][0].startswith("flow = ")
    text = run("explain", "m.crow", table, "--top", "2").out
    assert text.count("above the threshold") == 2
    assert "contributes" in text


def test_explain_pictures_says_where(run: Run, pictures: Path) -> None:
    run("fit", pictures / "train", "-o", "m.crow")
    done = run("explain", "m.crow", pictures / "test", "--row", "7")
    assert done.out.startswith("hole/23.png: score")
    assert "upper left" in done.out or "centre" in done.out or "middle left" in done.out


def test_json_is_one_object_and_nothing_else(run: Run, table: Path) -> None:
    run("fit", table, "--ignore", "y", "-o", "m.crow")
    for words in (
        ("detect", table, "--ignore", "y", "-o", "out"),
        ("fit", table, "--ignore", "y", "-o", "m.crow"),
        ("score", "m.crow", table, "-o", "s.parquet"),
        ("explain", "m.crow", table),
        ("methods",),
        ("methods", "lof"),
        ("data", "list"),
        ("data", "show", "digits"),
        ("data", "get", "digits"),
        ("doctor",),
    ):
        done = run(*words, "--json")
        assert done.code == 0, done.err
        assert isinstance(done.json, dict)
        assert done.out.count("\n") == 1


def test_whole_numbers_beyond_64_signed_bits(run: Run) -> None:
    rng = np.random.default_rng(0)
    ids = np.uint64(2**63) + rng.integers(0, 5, 120).astype(np.uint64) * np.uint64(2048)
    frame = pa.table({"key": ids, "load": rng.normal(size=120)})
    pq.write_table(frame, "u.parquet")
    pa.csv.write_csv(frame, "u.csv")
    for name in ("u.parquet", "u.csv"):
        words = ["--method", "hbos", "--read-as", "key=number"]
        assert run("detect", name, *words, "-o", "out").code == 0
        done = run("explain", "out/model.crow", name, "--top", "1")
        assert (done.code, done.err) == (0, "")
