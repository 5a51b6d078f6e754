"""Records know what they were made with: data, resolved parameters, code."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import whitecrow as wc
from whitecrow.cli import main
from whitecrow.experiments import provenance as provenances
from whitecrow.experiments.file import parse
from whitecrow.experiments.provenance import code_digest, provenance
from whitecrow.experiments.run import outdated, run
from whitecrow.experiments.store import Store
from whitecrow.experiments.task import plan

TOML = """
data = [{ path = "mine.parquet", label_column = "label" }]
seeds = 2
[protocol]
name = "holdout"
[[methods]]
name = "knn"
parameters = { n_neighbors = 3 }
"""


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write(1.0)
    return tmp_path


def write(far):
    """Write a table of 60 rows, the last ten of which are odd by so much."""
    X = np.random.default_rng(0).normal(size=(60, 2))
    X[50:] += far
    odd = np.r_[np.zeros(50, int), np.ones(10, int)]
    pq.write_table(pa.table({"a": X[:, 0], "b": X[:, 1], "label": odd}), "mine.parquet")


def tasks(**parameters):
    methods = [{"name": "knn", "parameters": parameters}]
    content = {"name": "e", "title": "E", "data": ["breast_cancer"], "methods": methods}
    return plan(parse({**content, "protocol": {"name": "holdout"}, "seeds": 2}))


def test_a_parameter_written_out_at_its_default_is_the_same_run():
    (one, _), (other, _) = tasks(), tasks(n_neighbors=wc.KNN().n_neighbors)
    assert one.key != other.key
    assert provenance(one) == provenance(other) != provenance(tasks(p=1)[0])


def test_a_changed_default_is_another_run(tmp_path, monkeypatch):
    """A default changed and records of before it stood for those after."""
    store = Store(tmp_path)
    assert run(tasks(), store) == 2
    assert run(tasks(), store) == 0
    plain = wc.KNN.__init__

    def changed(self, **given):
        plain(self, **{"n_neighbors": 7, **given})

    changed.__signature__ = plain.__signature__
    monkeypatch.setattr(wc.KNN, "__init__", changed)
    provenances._method.cache_clear()
    assert len(outdated(tasks(), store)) == 2
    monkeypatch.undo()
    provenances._method.cache_clear()
    assert outdated(tasks(), store) == []


def test_code_counts_and_prose_does_not(tmp_path, monkeypatch):
    """Comments and docstrings change; then a number does."""
    file = tmp_path / "detectors" / "knn.py"
    file.parent.mkdir()
    text = '"""One."""\n\nLIMIT = 3\n\n\ndef f():\n    """Say."""\n    return LIMIT\n'
    monkeypatch.setattr(provenances, "_ROOT", tmp_path)
    monkeypatch.setattr(provenances, "_FRAME", ())
    found = []
    for version in (
        text,
        "# new\n" + text.replace("One", "Two"),
        text.replace("3", "4"),
    ):
        file.write_text(version)
        for cached in (code_digest, provenances._tree, provenances._source_digest):
            cached.cache_clear()
        found.append(code_digest(("whitecrow.detectors.knn",)))
    monkeypatch.undo()
    for cached in (code_digest, provenances._tree, provenances._source_digest):
        cached.cache_clear()
    assert found[0] == found[1] != found[2]


def test_what_a_method_imports_counts():
    closure = {"whitecrow.detectors.deep_sad"}
    for _ in range(3):
        closure |= {new for name in closure for new in provenances._imports(name)}
    assert {"whitecrow.deep.hypersphere", "whitecrow.deep.train"} <= closure


def test_other_data_behind_a_path_run_again_with_a_word(place, capsys):
    """ "ran 0", and the AUROC of the old table."""
    Path("e.toml").write_text(TOML)
    command = ["experiment", "run", "e.toml", "-o", "out"]

    def auroc(*more):
        assert main([*command, *more, "--json"]) == 0
        told = json.loads(capsys.readouterr().out)
        return told["ran"], told["records"][0]["auroc"]

    ran, near = auroc()
    assert (ran, auroc()[0]) == (2, 0)
    write(8.0)
    assert main(["experiment", "report", "e.toml", "-o", "out"]) == 0
    assert "2 of 2 runs were made with other data" in capsys.readouterr().out
    assert main(command) == 0
    assert "2 of 2 stored runs were made with other data" in capsys.readouterr().out
    ran, far = auroc()
    assert (ran, far) == (0, 1.0)
    assert near < 1.0
    write(1.0)  # and back: nothing was lost
    assert auroc() == (0, near)


def test_records_of_before_run_again_and_are_kept(tmp_path):
    store = Store(tmp_path)
    (task, _) = tasks()
    store.put(task.key, {"error": "", "auroc": 0.1})  # as there was no such note
    assert outdated([task], store) == [task]
    assert run([task], store) == 1
    assert store.get(task.key)["auroc"] > 0.1
    assert store.get(f"{task.key}.before")["auroc"] == 0.1


def test_looking_at_a_report_changes_nothing(place, capsys):
    """A report swapped records that fit the data of now."""
    Path("e.toml").write_text(
        TOML.replace("[protocol]", "store_models = true\n[protocol]")
    )
    command = ["experiment", "run", "e.toml", "-o", "out"]
    assert main(command) == 0
    models = {
        path.name: path.read_bytes() for path in Path("out/models").glob("*.crow")
    }
    write(8.0)
    assert main(command) == 0
    write(1.0)
    before = sorted(Path("out").rglob("*"))
    assert main(["experiment", "report", "e.toml", "-o", "out"]) == 0
    assert "2 of 2 runs were made with other data" in capsys.readouterr().out
    assert sorted(Path("out").rglob("*")) == before
    assert main(command) == 0
    assert "0 runs now" in capsys.readouterr().out
    # The record of before comes back with its own model.
    for name, content in models.items():
        assert Path("out/models", name).read_bytes() == content


def test_what_is_evaluated_again_leaves_no_copy(place):
    """A record of before that was noted was set aside for itself."""
    Path("e.toml").write_text(
        TOML.replace("[protocol]", "store_models = true\n[protocol]")
    )
    command = ["experiment", "run", "e.toml", "-o", "out"]
    assert main(command) == 0
    store = Store("out")
    keys = [path.stem for path in store.folder.iterdir()]
    for path in store.folder.iterdir():
        with pq.ParquetFile(path) as file:
            record = file.read()
        pq.write_table(record.drop_columns(["made_with"]), path)
    assert main([*command, "--test-only"]) == 0
    assert sorted(path.stem for path in store.folder.iterdir()) == sorted(keys)
