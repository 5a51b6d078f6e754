"""What is refused when an experiment file is read."""

from pathlib import Path

import pytest

from whitecrow.errors import DataError
from whitecrow.experiments.checks import check, check_data
from whitecrow.experiments.file import load, parse

ROOT = Path(__file__).parents[2]
FILES = sorted((ROOT / "experiments").rglob("*.toml"))
GOOD = {
    "name": "e",
    "title": "E",
    "data": ["breast_cancer"],
    "protocol": {"name": "holdout"},
    "methods": [{"name": "knn"}],
}


def method(**facts):
    return {**GOOD, "methods": [facts]}


@pytest.mark.parametrize("file", FILES, ids=lambda path: path.stem)
def test_every_file_of_ours_is_whole(file):
    check(load(file))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (method(name="knm"), "method 'knm': .*knn"),
        (method(name="knn", parameters={"n_neighbours": 3}), "n_neighbours"),
        (method(name="knn", parameters={"n_neighbors": 0}), "'n_neighbors'"),
        (method(name="knn", grid={"n_neighbors": [5, -1]}), "Got -1"),
        (method(name="knn", grid={"n_neighbors": 5}), "give a list of values"),
        (method(name="goad", preset="papre"), "papre"),
        (
            method(name="knn", for_data={"wine": {"n_neighbors": 1}}),
            "for_data of 'knn': 'wine' is none of the sets",
        ),
        (
            method(
                name="loe",
                parameters={"detector": {"method": "deep_svdd", "epochs": -1}},
            ),
            "'epochs'",
        ),
        (method(name="reference:forrest"), "there is no reference 'forrest'"),
        (
            {**GOOD, "protocol": {"name": "holdout", "polution": 0.1}},
            "protocol.polution is no argument of holdout; did you mean pollution",
        ),
        (
            {**GOOD, "protocol": {"name": "soel", "test": "official"}},
            "soel draws a test of its own",
        ),
        (
            {
                **GOOD,
                "protocol": {
                    "name": "holdout",
                    "test": "official",
                    "train_fraction": 0.5,
                },
            },
            "protocol.train_fraction is no argument of holdout",
        ),
        (
            {**GOOD, "protocol": {"name": "one_vs_rest"}},
            r"one_vs_rest needs normal = \[...\]",
        ),
        ({**GOOD, "sweep": {"protocol.pollution": 0.1}}, "give a list of values"),
        ({**GOOD, "repeat": {"share": [0.1]}}, "repeat.share is no argument"),
        ({**GOOD, "sweep": {"share": [0.1]}}, "belong into .repeat., share"),
        ({**GOOD, "sweep": {"parameters.k": [1]}}, "method 'knn'.*k"),
        ({**GOOD, "seeds": [0.5]}, "whole numbers"),
        (
            {**GOOD, "methods": [{"name": "knn"}, {"name": "knn"}]},
            "two methods are called 'knn'",
        ),
        (
            {
                **GOOD,
                "published": [
                    {"data": "b", "method": "m", "metric": "auroc", "mean": 1}
                ],
            },
            "published.data: 'b' is none of the sets",
        ),
    ],
)
def test_a_slip_is_refused_in_one_line(content, message):
    with pytest.raises(DataError, match=message) as caught:
        check(parse(content))
    assert "\n" not in str(caught.value)


def test_sets_are_looked_for(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.csv").write_text("a\n1\n")
    mine = {"path": "mine.csv", "name": "ours", "test": "*.csv"}
    check_data(parse({**GOOD, "data": ["breast_cancer", "adbench_mnist", mine]}))
    with pytest.raises(DataError, match="did you mean breast_cancer"):
        check_data(parse({**GOOD, "data": ["breast_canser"]}))
    with pytest.raises(DataError, match=r"other\.csv: no such file"):
        check_data(parse({**GOOD, "data": [{**mine, "test": "other.csv"}]}))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ([{"name": "a"}], "a table with a path"),
        ([{"path": "a.csv", "labels_column": "b"}], "'labels_column' is no key"),
        (["wine", "wine"], "data has 'wine' twice"),
    ],
)
def test_sets_are_named_rightly(data, message):
    with pytest.raises(DataError, match=message):
        parse({**GOOD, "data": data})
