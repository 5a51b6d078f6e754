"""Experiment files, plans and what the tables and sentences say."""

import json
import re
from pathlib import Path

import measure
import ours
import peers
import pytest
import quality
import report
import speed

from whitecrow.data import catalog
from whitecrow.experiments.file import load, parse

FILES = sorted((quality.ROOT / "experiments").glob("*.toml")) + sorted(
    quality.GRID.glob("*.toml")
)


def described(**facts):
    content = {
        "name": "e",
        "title": "t",
        "data": ["cardio"],
        "seeds": 2,
        "protocol": {"name": "holdout"},
        "methods": [{"name": "kde", "label": "KDE"}],
    }
    return parse({**content, **facts})


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_task_of_a_file_can_be_built(path):
    tasks = quality.plan(load(path))
    keys = [(t["data"], t["name"], json.dumps(t["protocol"])) for t in tasks]
    assert len(set(keys)) == len(keys)
    for task in tasks:
        if task["side"] == "default":
            ours.default(task["method"], {**task["settings"], "seed": 0})
        else:
            assert (task["method"], task["side"]) in peers.PEERS
    assert {"plain isolation_forest", "plain knn"} <= {task["name"] for task in tasks}


def test_peers_take_part_without_being_named():
    named = {"name": "pyod:AutoEncoder", "label": "theirs"}
    experiment = described(methods=[{"name": "autoencoder"}, named])
    sides = {task["name"]: task["side"] for task in quality.plan(experiment)}
    assert sides["PyOD autoencoder"] == "pyod"
    assert "theirs" not in sides
    assert "DeepOD deep_sad" not in sides


def test_who_asks_is_left_to_the_runner():
    asking = {"strategy": "random", "questions": 5}
    experiment = described(methods=[{"name": "deep_sad", "asking": asking}])
    assert {task["side"] for task in quality.plan(experiment)} == {"sklearn"}


@pytest.mark.parametrize(
    ("protocol", "expected"),
    [
        ({"name": "holdout"}, False),
        ({"name": "labelled_ratio"}, False),
        ({"name": "labelled_ratio", "ratio_known_anomaly": 0.01}, True),
        ({"name": "stratified", "known_anomalies": 0.1}, True),
    ],
)
def test_classifiers_take_part_where_training_sees_labels(protocol, expected):
    names = {task["method"] for task in quality.plan(described(protocol=protocol))}
    assert ("logistic_regression" in names) is expected
    assert ("gradient_boosting" in names) is expected


def test_a_sweep_repeats_everything_for_each_value():
    tasks = quality.plan(
        described(
            data=["digits_all"],
            protocol={"name": "one_vs_rest"},
            repeat={"normal": [["0"], ["1"]]},
        )
    )
    ours_only = [task for task in tasks if task["side"] == "default"]
    assert [task["protocol"]["normal"] for task in ours_only] == [["0"], ["1"]]
    assert all(task["seeds"] == [0, 1] for task in tasks)


def records(data, name, values):
    return [
        {
            "data": data,
            "name": name,
            "side": "default",
            "auroc": value,
            "ap": value / 2,
            "f1": 0.5,
            "fit_cpu": 1.0,
            "peak_mb": 100.0,
        }
        for value in values
    ]


NUMBERS = [
    {"data": "cardio", "method": "KDE", "metric": "auroc", "mean": 0.81, "std": 0.02},
    {"data": "cardio", "method": "Theirs", "metric": "f1_at_share", "mean": 0.9},
]


@pytest.mark.parametrize(
    ("our", "their", "says"),
    [
        ([0.8, 0.8], [0.9, 0.9], r"a plain reference wins.*-10\.0 ± 0\.0"),
        ([0.9, 0.9], [0.8, 0.8], r"cardio: ahead: KDE 90\.0 against plain knn 80\.0"),
        ([0.7, 0.93], [0.8, 0.8], r"no clear winner"),
    ],
)
def test_it_says_who_wins(our, their, says):
    found = records("cardio", "KDE", our) + records("cardio", "plain knn", their)
    found[-1]["side"] = found[-2]["side"] = "sklearn"
    (sentence,) = quality.verdicts(described(), found)
    assert re.search(says, sentence)


def test_published_numbers_stand_beside_ours():
    experiment = described(published=NUMBERS)
    lines = quality.rows(experiment, records("cardio", "KDE", [0.8, 0.9]))
    ours_line = ["85.0 ± 5.0", "42.5 ± 2.5", "50.0 ± 0.0", "1", "100"]
    assert lines[0] == ["cardio", "KDE", *ours_line, "AUROC 81.0 ± 2.0"]
    assert lines[1][1:3] == ["plain isolation_forest", "not run"]
    assert lines[-1][1] == "Theirs (published)"
    assert lines[-1][-1] == "F1 90.0"
    assert {len(line) for line in lines} == {len(quality.HEADER)}


def test_sections_are_replaced_and_others_are_kept(tmp_path):
    page = tmp_path / "RESULTS.md"
    report.write_section("a", "first", page)
    report.write_section("b", "other", page)
    page.write_text(page.read_text().replace("## b", "A person wrote this.\n\n## b"))
    report.write_section("a", "second", page)
    text = page.read_text()
    assert "first" not in text
    assert text.index("second") < text.index("A person wrote this.")
    assert "other" in text
    assert [path.name for path in tmp_path.iterdir()] == ["RESULTS.md"]


def test_stored_records_replace_those_with_equal_keys(tmp_path, monkeypatch):
    monkeypatch.setattr(report, "RESULTS", tmp_path / "results")
    old = [{"case": "a", "x": 1}, {"case": "b", "x": 1}]
    report.store("speed", old, same=("case",))
    kept = report.store("speed", [{"case": "a", "x": 2}], same=("case",))
    assert kept == [{"case": "b", "x": 1}, {"case": "a", "x": 2}]
    stored = json.loads((tmp_path / "results" / "speed.json").read_text())
    assert stored == kept


def test_a_table_is_markdown():
    lines = report.table(["a", "bb"], [["long", "1"], ["", "22"]]).splitlines()
    assert lines == ["| a    | bb |", "|------|----|", "| long | 1  |", "|      | 22 |"]


def test_ratios_are_medians_over_the_turns():
    # Turn by turn 2, 3 and 10: a turn in which the machine was busy does not decide.
    assert speed.ratio([1.0, 1.0, 1.0], [2.0, 3.0, 10.0]) == 3.0


def test_sides_take_turns(monkeypatch, capsys):
    asked = []

    def run(task):
        asked.append(task["side"])
        return [{**task, "error": "no"}]

    monkeypatch.setattr(measure, "run", run)
    found = speed.compare("autoencoder", "cardio", repeats=2)
    assert asked == ["whitecrow", "pyod", "bare", "pyod", "bare", "whitecrow"]
    assert speed.rows(found)[0][:4] == ["autoencoder", "cardio", "whitecrow", "no"]
    assert "failed: no" in capsys.readouterr().out


def test_a_speed_table_has_ratios_against_ours():
    found = [
        {
            "case": "lof",
            "data": "cardio",
            "side": side,
            "turn": 0,
            "fit_cpu": seconds,
            "score_cpu": 2 * seconds,
            "peak_mb": 10.0,
            "added_mb": 1.0,
            "auroc": 0.5,
            "ap": 0.25,
        }
        for side, seconds in (("whitecrow", 1.0), ("sklearn", 3.0))
    ]
    (our, their) = speed.rows(found)
    assert len(our) == len(their) == len(speed.HEADER)
    assert our[5] == "1"
    assert their[5] == their[8] == "3.00x"


def test_every_case_names_known_sides_and_data():
    for case in speed.CASES.values():
        for side in set(case.sides) - {"whitecrow", "seeds", "bare"}:
            assert (case.method, side) in peers.PEERS
        for data in case.data:
            assert data in catalog.names() or data.startswith("generated_")


def test_no_machine_path_is_in_the_page():
    page = Path(report.PAGE)
    assert not page.exists() or "/work" not in page.read_text()
