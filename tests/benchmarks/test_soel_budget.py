"""Curves over the number of questions: what is measured, and how it is summed up."""

import json

import soel_budget

from whitecrow.active import strategies
from whitecrow.detectors.soel import METHODS


def record(k, auroc, seed=40, strategy="kmeans", method="loe", name="sphere"):
    values = (name, "pima", seed, strategy, method, k)
    keys = dict(zip(soel_budget.KEYS, values, strict=True))
    return keys | {"f1": 1.0, "auroc": auroc, "ap": 2 * auroc, "found": 30.0}


def test_the_grid_has_legal_names():
    for strategy, method in soel_budget.grid():
        assert strategy in strategies.names()
        assert method in METHODS
    assert len(set(soel_budget.grid())) == len(soel_budget.grid())


def test_what_is_measured_is_not_measured_again():
    every = soel_budget.missing("sphere", "pima", 40, set())
    assert len(every) == 1 + len(soel_budget.grid()) * len(soel_budget.QUESTIONS)
    done = {json.dumps([r[key] for key in soel_budget.KEYS]) for r in every[:5]}
    assert soel_budget.missing("sphere", "pima", 40, done) == every[5:]
    assert soel_budget.missing("default", "pima", 40, done)[:5] != every[5:10]


def test_means_are_over_tables_and_seeds():
    records = [record(5, 10.0), record(5, 30.0, seed=41), record(10, 90.0)]
    records.append(record(5, 70.0, strategy="random"))
    same = {"strategy": "kmeans", "method": "loe"}
    assert soel_budget.mean(records, "auroc", k=5, **same) == 20
    line = next(soel_budget.rows(records))
    assert line[:4] == ["kmeans", "loe", "20.0", "90.0"]


def test_the_picture_depends_on_the_numbers_alone(tmp_path):
    one, two, other = (tmp_path / f"{name}.svg" for name in "abc")
    soel_budget.plot([record(5, 10.0), record(10, 90.0)], one)
    soel_budget.plot([record(5, 10.0), record(10, 90.0)], two)
    soel_budget.plot([record(5, 10.0), record(10, 20.0)], other)
    assert one.read_text() == two.read_text()
    assert one.read_text() != other.read_text()
