"""`score --engine dask`: the same file as here, from real processes."""

import hashlib

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from whitecrow.cli import main
from whitecrow.data.formats import BATCH_ROWS

pytestmark = pytest.mark.slow  # Dask takes some seconds to start


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder of Parquet files with more rows than two batches, and a class."""
    pytest.importorskip("distributed", reason="Dask is in the extra `dask`")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DASK_SCHEDULER_ADDRESS", raising=False)
    rng = np.random.default_rng(0)
    (tmp_path / "rows").mkdir()
    n = BATCH_ROWS // 2
    for part in range(5):
        X = rng.normal(size=(n, 6)) + 0.1 * part
        odd = rng.random(n) < 0.01
        columns = {f"x{j}": X[:, j] + 3 * odd for j in range(6)}
        columns["colour"] = pa.array(np.where(odd, "red", "blue"))
        pq.write_table(pa.table({**columns, "odd": odd}), f"rows/{part}.parquet")
    return tmp_path


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize("method", ["pca", "knn", "autoencoder"])
def test_the_scores_are_those_of_here_to_the_bit(place, method, capsys):
    fit = ["fit", "rows/0.parquet", "--method", method, "-o", "m.crow"]
    assert main([*fit, "--label-column", "odd", "--seed", "0"]) == 0
    score = ["score", "m.crow", "rows/*.parquet", "-q", "-o"]
    capsys.readouterr()
    assert main([*score, "here.parquet"]) == 0
    said = capsys.readouterr().out
    assert main([*score, "there.parquet", "--engine", "dask"]) == 0
    assert capsys.readouterr().out.replace("there.", "here.") == said
    assert "AUROC" in said
    assert digest(place / "there.parquet") == digest(place / "here.parquet")


def test_what_a_row_raises_is_the_same_line(place, capsys):
    fit = ["fit", "rows/0.parquet", "--method", "pca", "-o", "m.crow"]
    assert main([*fit, "--label-column", "odd"]) == 0
    other = pq.read_table("rows/1.parquet").drop_columns(["x3"])
    pq.write_table(other, "other.parquet")
    errors = []
    for engine in ("local", "dask"):
        capsys.readouterr()
        command = ["score", "m.crow", "other.parquet", "-o", "s.csv"]
        assert main([*command, "--engine", engine]) != 0
        errors.append(capsys.readouterr().err.splitlines()[-1])
    assert errors[0] == errors[1]
    assert not (place / "s.csv").exists()


def test_no_scheduler_is_one_line(place, capsys, monkeypatch):
    fit = ["fit", "rows/0.parquet", "--method", "pca", "-o", "m.crow"]
    assert main([*fit, "--label-column", "odd"]) == 0
    monkeypatch.setenv("DASK_SCHEDULER_ADDRESS", "tcp://127.0.0.1:9")
    command = ["score", "m.crow", "rows/0.parquet", "-o", "s.csv", "--engine", "dask"]
    assert main(command) != 0
    assert "there is no Dask scheduler" in capsys.readouterr().err
    assert not (place / "s.csv").exists()
