"""The protocol of the one-class papers: splits, thresholds, models kept, reports."""

import csv
import io
import json

import numpy as np
import pytest

from whitecrow.errors import ModelFileError
from whitecrow.experiments.contender import build
from whitecrow.experiments.csv_file import comma_separated
from whitecrow.experiments.file import parse
from whitecrow.experiments.outcomes import Outcomes
from whitecrow.experiments.problem import Problem, problem
from whitecrow.experiments.record import _recalls, run_task
from whitecrow.experiments.run import run
from whitecrow.experiments.store import Store
from whitecrow.experiments.table import markdown
from whitecrow.experiments.task import plan
from whitecrow.metrics import PROTOCOLS

CONTENT = {
    "name": "e",
    "title": "E",
    "data": ["breast_cancer"],
    "seeds": 2,
    "protocol": {"name": "holdout", "pollution": 0.05, "hold_out": 0.2},
    "metrics": ["f1_test_only_optimal", "f1_train_quantile", "auroc"],
    "leak_as_published": True,
    "store_models": True,
    "methods": [
        {"name": "isolation_forest", "parameters": {"n_estimators": 20}},
        {"name": "autoencoder", "parameters": {"epochs": 2}},
    ],
    "published": [
        {
            "data": "breast_cancer",
            "method": "isolation_forest",
            "metric": "f1_test_only_optimal",
            "mean": 0.5,
            "std": 0.01,
            "source": "A draft",
        }
    ],
}


@pytest.fixture(scope="module")
def experiment():
    return parse(CONTENT)


@pytest.fixture(scope="module")
def tasks(experiment):
    return plan(experiment)


@pytest.fixture(scope="module")
def store(tasks, tmp_path_factory):
    store = Store(tmp_path_factory.mktemp("out"))
    assert run(tasks, store, keep=["models"]) == 4
    return store


# ------------------------------------------------------------------------- records


def test_records_have_every_threshold_protocol(tasks, store):
    for record in store.read(task.key for task in tasks):
        for name in PROTOCOLS:
            assert 0 <= record[f"f1_{name}"] <= 1
            assert record[f"precision_{name}"] + record[f"recall_{name}"] > 0
        assert record["f1_test_only_leaking"] == record["f1_at_share"]
        assert record["f1_test_only_optimal"] <= record["best_f1"]
        assert record["fit_wall_seconds"] > 0


def test_each_seed_is_another_split_and_another_estimator(tasks):
    first, second = tasks[:2]
    assert (first.seed, second.seed) == (0, 1)
    made = problem(first), problem(second)
    assert not np.array_equal(made[0].X_train, made[1].X_train)
    assert [build(task).random_state for task in (first, second)] == [0, 1]


@pytest.mark.parametrize("contamination", ["auto", 0.2])
def test_the_deployable_threshold_flags_the_assumed_share(contamination):
    parameters = {"n_estimators": 20, "contamination": contamination}
    methods = [{"name": "isolation_forest", "parameters": parameters}]
    task = plan(parse({**CONTENT, "seeds": 1, "methods": methods}))[0]
    record, made = run_task(task), problem(task)
    model = build(task).fit(made.X_train)
    share = 0.05 if contamination == "auto" else contamination
    flagged = model.anomaly_score(made.X_train) >= record["threshold_train_quantile"]
    assert flagged.mean() == pytest.approx(share, abs=0.01)


def test_validation_rows_train_nothing_and_set_the_threshold():
    protocol = {"name": "holdout", "val_ratio": 0.25}
    task = plan(parse({**CONTENT, "protocol": protocol}))[0]
    made = problem(task)
    assert len(made.X_validation) == 179 - 134
    assert made.X_validation.shape[1] == made.X_train.shape[1]
    record = run_task(task)
    assert record["n_train"] == 134
    scores = build(task).fit(made.X_train).anomaly_score(made.X_validation)
    assert record["threshold_train_quantile"] == pytest.approx(
        np.quantile(scores, 0.95)
    )


def test_one_category_pollutes(real_data):
    content = {
        **CONTENT,
        "data": ["nsl_kdd_test"],
        "max_rows": 4000,
        "protocol": {
            "name": "holdout",
            "pollution": 0.1,
            "pollution_class": "neptune",
            "hold_out": 0.5,
        },
    }
    task = plan(parse(content))[0]
    made = problem(task)
    assert made.truth_train.mean() == pytest.approx(0.1, abs=0.005)
    assert "neptune" in made.kinds
    wrong = {**content["protocol"], "pollution_class": "Neptune"}
    record = run_task(plan(parse({**content, "protocol": wrong}))[0])
    assert "pollution_class='Neptune'; choose among" in record["error"]


def test_sets_without_categories_say_so():
    protocol = {"name": "holdout", "pollution_class": "x"}
    task = plan(parse({**CONTENT, "protocol": protocol}))[0]
    assert "breast_cancer names no classes" in run_task(task)["error"]


# -------------------------------------------------------------------------- models


def test_models_are_kept_and_evaluated_again(tasks, store, monkeypatch):
    before = store.read(task.key for task in tasks)
    assert all(store.kept_file("models", task.key).is_file() for task in tasks)
    monkeypatch.setattr(
        "whitecrow.experiments.record.build", None
    )  # nothing may be built
    assert run(tasks, store, test_only=True) == 4
    timed = {"score_seconds"}
    for old, new in zip(before, store.read(t.key for t in tasks), strict=True):
        assert new["error"] == ""
        assert {k: v for k, v in new.items() if k not in timed} == {
            k: v for k, v in old.items() if k not in timed
        }


def test_a_missing_model_is_one_line_and_runs_again(tasks, store, tmp_path):
    other = Store(tmp_path)
    for task in tasks:
        other.put(task.key, store.get(task.key))
    with pytest.raises(ModelFileError, match="4 of 4 models are not in") as caught:
        run(tasks, other, test_only=True)
    assert "isolation_forest on breast_cancer, seed 0" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert run(tasks[:2], other) == 0
    assert run(tasks[:2], other, keep=["models"]) == 2
    assert run(tasks[:2], other, keep=["models"]) == 0


def test_failures_have_no_model_and_need_none(tmp_path):
    bad = [{"name": "lof", "parameters": {"n_neighbors": -3}}]
    tasks = plan(parse({**CONTENT, "seeds": 1, "methods": bad}))
    store = Store(tmp_path)
    assert run(tasks, store, keep=["models"]) == 1
    assert run(tasks, store, keep=["models"]) == 0
    assert run(tasks, store, test_only=True) == 0
    assert "ParameterError" in store.get(tasks[0].key)["error"]


# ------------------------------------------------------------------------- reports


def test_the_page_labels_leaks_and_names_sources(experiment, tasks, store):
    page = markdown(Outcomes(experiment, store.read(task.key for task in tasks)))
    parts = {part.partition("\n")[0]: part for part in page.split("## ")}
    leaking = parts["F1, best percentile on the test (`test_only_optimal`)"]
    assert "**Leak, as published:**" in leaking
    assert "| *isolation_forest, published* | *50.0 ± 1.0* |" in leaking
    assert "| flag every row | " in leaking
    deployable = parts["F1, quantile of training scores (`train_quantile`)"]
    assert "Leak" not in deployable
    assert "- A draft: isolation_forest" in page
    assert "## Seconds of a fit on the clock" in page


def test_the_table_as_csv(experiment, tasks, store):
    records = store.read(task.key for task in tasks)
    text = comma_separated(Outcomes(experiment, records))
    rows = list(csv.DictReader(io.StringIO(text)))
    assert len(rows) == 2 * 3
    first = rows[0]
    f1 = [record["f1_test_only_optimal"] for record in records[:2]]
    assert (first["method"], first["metric"]) == (
        "isolation_forest",
        "f1_test_only_optimal",
    )
    assert first["leak"] == "all labels of the test"
    assert float(first["mean"]) == pytest.approx(np.mean(f1))
    assert float(first["std"]) == pytest.approx(np.std(f1))
    assert first["n"] == "2"
    assert float(first["trivial_f1"]) == pytest.approx(
        records[0]["trivial_f1"], abs=0.01
    )
    assert (first["published_mean"], first["published_source"]) == ("0.5", "A draft")
    assert float(first["fit_wall_seconds"]) > 0


def test_records_of_an_earlier_version_leave_cells_empty(experiment, tasks, store):
    new = {"f1_train_quantile", "fit_wall_seconds"}
    old = [
        {k: v for k, v in record.items() if k not in new}
        for record in store.read(task.key for task in tasks)
    ]
    for record in old:
        record["recall_by_kind"] = json.dumps({"a": [10, 0.5]})
    page = markdown(Outcomes(experiment, old))
    assert "on the clock" not in page
    assert "| a |  | 10 | 50 | 50 |" in page
    assert comma_separated(Outcomes(experiment, old))


def test_categories_without_and_with_only_errors():
    """The published code reports 0 for a category without errors."""
    kinds = np.array(["normal"] * 6 + ["found"] * 2 + ["missed"] * 2)
    score = np.r_[np.zeros(4), 5, 6, 9, 8, 1, 2]
    y = np.repeat([0, 1], [6, 4]).astype(np.int8)
    empty = np.empty((0, 1))
    made = Problem(
        X_train=empty,
        X_test=score[:, None],
        y_train=np.empty(0),
        y_test=y,
        truth_train=np.empty(0, np.int8),
        X_validation=empty,
        kinds=kinds,
    )
    found = _recalls(made, score >= np.quantile(score, 0.6))
    assert found == {
        "found": [2, 1.0, 1.0],
        "missed": [2, 0.0, 1.0],
        "normal": [6, pytest.approx(1 / 3), 0.0],
    }


def test_the_page_says_which_categories_are_anomalies(real_data):
    content = {
        **CONTENT,
        "data": ["nsl_kdd_test"],
        "seeds": 1,
        "max_rows": 3000,
        "methods": CONTENT["methods"][:1],
        "anomaly": "reversed",
    }
    experiment = parse(content)
    record = run_task(plan(experiment)[0])
    page = markdown(Outcomes(experiment, [record]))
    assert "| category | is | rows | isolation_forest |" in page
    assert "| neptune | normal | " in page
    assert "| normal | anomaly | " in page
