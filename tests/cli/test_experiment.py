"""`whitecrow experiment`: run, report, list; errors in one line."""

import json
from pathlib import Path

import pytest

from whitecrow.cli import main

FILE = str(Path(__file__).parents[2] / "experiments" / "breast_cancer.toml")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return str(tmp_path_factory.mktemp("out"))


def test_run_report_and_resume(folder, capsys, tmp_path):
    assert main(["experiment", "run", FILE, "-o", folder]) == 0
    shown = capsys.readouterr().out
    assert "| deep_sad |" in shown
    assert "15 runs now, 15 of 15 stored" in shown
    assert main(["experiment", "run", FILE, "-o", folder, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["ran"] == 0
    assert len(found["records"]) == 15
    page = tmp_path / "page.md"
    arguments = ["experiment", "report", FILE, "-o", folder, "--markdown", str(page)]
    assert main(arguments) == 0
    assert page.read_text().startswith("# Malignant tumours")
    assert (tmp_path / "page.csv").is_file()


def test_list_shows_the_files(capsys):
    assert main(["experiment", "list", str(Path(FILE).parent), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["experiments"]
    assert any(each["title"].startswith("Malignant") for each in found)
    assert any(Path(each["file"]).parent.name == "deep_unsupervised" for each in found)


def test_a_set_that_has_to_be_prepared_is_asked_for_at_once(tmp_path, capsys):
    file = Path(FILE).parent / "deep_unsupervised" / "ids2017.toml"
    assert main(["experiment", "run", str(file), "-o", str(tmp_path / "out")]) == 2
    shown = capsys.readouterr().err
    assert "whitecrow data prepare cic_ids2017 FILES" in shown
    assert len(shown.strip().splitlines()) == 1
    assert not (tmp_path / "out").exists()


def test_what_is_stored_needs_no_prepared_set(tmp_path, capsys, monkeypatch):
    file, out = tmp_path / "e.toml", tmp_path / "out"
    file.write_text(
        'data = ["breast_cancer"]\nseeds = 1\n[protocol]\nname = "holdout"\n'
        '[[methods]]\nname = "knn"\n'
    )
    run = ["experiment", "run", str(file), "-o", str(out)]
    assert main(run) == 0
    monkeypatch.setattr("whitecrow.data.catalog.has", lambda name: False)
    monkeypatch.setattr("whitecrow.data.prepare.knows", lambda name: True)
    capsys.readouterr()
    assert main(run) == main([*run, "--retry"]) == 0
    assert capsys.readouterr().out.count("0 runs now, 1 of 1 stored") == 2
    assert main([*run[:-1], str(tmp_path / "other")]) == 2
    assert "is not prepared" in capsys.readouterr().err


def test_kept_models_are_evaluated_again(tmp_path, capsys):
    file, out = tmp_path / "kept.toml", tmp_path / "out"
    file.write_text(
        'data = ["breast_cancer"]\nseeds = 2\nstore_models = true\n'
        '[protocol]\nname = "holdout"\n[[methods]]\nname = "knn"\n'
    )
    run = ["experiment", "run", str(file), "-o", str(out)]
    assert main([*run, "--test-only"]) == 2
    shown = capsys.readouterr().err
    assert "2 of 2 models are not in" in shown
    assert len(shown.strip().splitlines()) == 1
    assert main(run) == 0
    assert len(list((out / "models").glob("*.crow"))) == 2
    page, table = ((out / f"report.{kind}").read_text() for kind in ("md", "csv"))
    assert page.startswith("# kept")
    assert table.startswith("data,method,metric")
    capsys.readouterr()
    assert main([*run, "--test-only"]) == 0
    assert "2 runs now, 2 of 2 stored" in capsys.readouterr().out
    assert (out / "report.csv").read_text() == table


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "nowhere.toml"], "there is no experiment file nowhere.toml"),
        (["run", FILE, "--shard", "5/4"], "is not i/n"),
        (["run", FILE, "--engine", "cloud"], 'Choose from: "local", "process", "dask"'),
        (["list", "nowhere"], "no experiment files"),
    ],
)
def test_errors(arguments, message, capsys):
    assert main(["experiment", *arguments]) == 2
    shown = capsys.readouterr().err
    assert message in shown
    assert len(shown.strip().splitlines()) == 1


def test_exit_code_1_when_all_runs_failed(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("mine.csv").write_text("a,b\n" + "1,2\n" * 30)  # nothing says what is odd
    Path("e.toml").write_text(
        'data = ["mine.csv"]\n[protocol]\nname = "holdout"\n[[methods]]\nname = "knn"\n'
    )
    assert main(["experiment", "run", "e.toml", "-o", "out"]) == 1
    assert "has no labels" in capsys.readouterr().out


def test_a_slip_in_a_file_is_named_with_the_file(tmp_path, capsys):
    file = tmp_path / "e.toml"
    file.write_text(
        'data = ["wine"]\n[protocol]\nname = "holdout"\n[[methods]]\nname = "knm"\n'
    )
    for words in (["run", str(file)], ["report", str(file)], ["list", str(tmp_path)]):
        assert main(["experiment", *words]) == 2
        assert "e.toml: method 'knm'" in capsys.readouterr().err
