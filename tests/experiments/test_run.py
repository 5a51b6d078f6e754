"""Running: records, failures, resuming after a kill, stacked seeds, engines."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

import whitecrow as wc
from whitecrow import labels
from whitecrow.experiments.file import parse
from whitecrow.experiments.outcomes import Outcomes
from whitecrow.experiments.problem import problem
from whitecrow.experiments.record import run_task
from whitecrow.experiments.run import run
from whitecrow.experiments.store import Store
from whitecrow.experiments.table import markdown
from whitecrow.experiments.task import plan
from whitecrow.metrics import auroc

CONTENT = {
    "name": "e",
    "title": "E",
    "data": ["breast_cancer"],
    "seeds": 3,
    "protocol": {"name": "holdout", "pollution": 0.05},
    "methods": [
        {"name": "isolation_forest", "parameters": {"n_estimators": 20}},
        {"name": "autoencoder", "parameters": {"epochs": 2}},
    ],
    "published": [
        {
            "data": "breast_cancer",
            "method": "isolation_forest",
            "metric": "auroc",
            "mean": 0.5,
            "std": 0.01,
        },
        {
            "data": "breast_cancer",
            "method": "Other",
            "metric": "auroc",
            "mean": 0.123,
        },
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
    store = Store(tmp_path_factory.mktemp("records"))
    assert run(tasks, store) == 6
    return store


def test_records_are_complete_and_a_second_run_does_nothing(tasks, store):
    records = store.read(task.key for task in tasks)
    assert len(records) == 6
    for record in records:
        assert record["error"] == ""
        assert record["auroc"] > 0.8
        assert record["n_train"] > 100
    assert run(tasks, store) == 0


def test_stacked_seeds_equal_single_ones(tasks, store):
    """The record of a deep method does not depend on who trained beside it."""
    for task in tasks[3:]:
        alone = run_task(task)
        assert store.get(task.key)["auroc"] == pytest.approx(alone["auroc"], abs=2e-3)


def test_splits_are_disjoint_and_encoded_on_training_rows(tasks):
    made = problem(tasks[0])
    together = np.r_[made.X_train, made.X_test]
    assert len(np.unique(together, axis=0)) == len(together)
    assert np.isnan(made.y_train).all()
    assert (made.y_test == labels.ANOMALY).any()
    other = problem(tasks[1])
    assert other.X_train.shape == made.X_train.shape
    assert not np.array_equal(other.X_train, made.X_train)


def test_reversed_labels():
    content = {**CONTENT, "anomaly": "reversed", "protocol": {"name": "holdout"}}
    made = problem(plan(parse(content))[0])
    plain = {**CONTENT, "protocol": {"name": "holdout"}}
    usual = problem(plan(parse(plain))[0])
    assert len(made.X_train) == 212 // 2
    assert len(usual.X_train) in {357 // 2, 357 // 2 + 1}


def test_max_rows_cuts_at_random():
    content = {**CONTENT, "max_rows": 100}
    made = problem(plan(parse(content))[0])
    assert len(made.X_train) + len(made.X_test) <= 100


def test_failures_are_records_and_do_not_stop_the_rest(tmp_path):
    bad = {"name": "lof", "parameters": {"n_neighbors": -3}}
    content = {**CONTENT, "seeds": 1, "methods": [bad, CONTENT["methods"][0]]}
    experiment = parse(content)
    tasks, store = plan(experiment), Store(tmp_path)
    run(tasks, store)
    failed, fine = store.read(task.key for task in tasks)
    assert "ParameterError" in failed["error"]
    assert "n_neighbors" in failed["error"]
    assert fine["auroc"] > 0.8
    page = markdown(Outcomes(experiment, [failed, fine]))
    assert "## Failures" in page
    assert "lof on breast_cancer, seed 0" in page


def test_report_sets_published_below_ours(experiment, tasks, store):
    page = markdown(Outcomes(experiment, store.read(task.key for task in tasks)))
    lines = page.splitlines()
    ours = next(i for i, line in enumerate(lines) if "| isolation_forest |" in line)
    assert "± " in lines[ours]
    assert lines[ours + 1] == "| *isolation_forest, published* | *50.0 ± 1.0* |"
    assert "| *Other, published* | *12.3* |" in lines
    assert "3 seeds" in page


def test_references_and_peers(tmp_path):
    pytest.importorskip("pyod", reason="the peers are in the extra `bench`")
    content = {
        **CONTENT,
        "seeds": 1,
        "protocol": {
            "name": "labelled_ratio",
            "ratio_known_normal": 0.0,
            "ratio_known_anomaly": 0.05,
            "pollution": 0.0,
        },
        "methods": [
            {"name": "reference:logistic_regression"},
            {"name": "pyod:ECOD"},
            # Wants to be told the number of columns.
            {"name": "pyod:DeepSVDD", "parameters": {"epochs": 20, "verbose": 0}},
            {
                "name": "loe",
                "parameters": {
                    "detector": {"method": "deep_svdd", "epochs": 2, "pretrain": False}
                },
            },
        ],
    }
    for task in plan(parse(content)):
        record = run_task(task)
        assert record["error"] == ""
        assert record["auroc"] > 0.6


def test_two_processes_give_the_same_records(tasks, store, tmp_path):
    other = Store(tmp_path)
    run(tasks[:3], other, jobs=2)
    for task in tasks[:3]:
        assert other.get(task.key)["auroc"] == store.get(task.key)["auroc"]


@pytest.mark.parametrize("moment", [0.4, 1.2, 2.5])
def test_kill_9_loses_no_record_and_the_next_run_goes_on(tmp_path, moment):
    """The process is killed for real; what is stored afterwards is whole."""
    methods = [
        {
            "name": "isolation_forest",
            "label": f"forest {n}",
            "parameters": {"n_estimators": n},
        }
        for n in range(10, 40)
    ]
    content = {**CONTENT, "seeds": 2, "methods": methods}
    script = (
        "import json, sys\n"
        "from whitecrow.experiments.file import parse\n"
        "from whitecrow.experiments.run import run\n"
        "from whitecrow.experiments.store import Store\n"
        "from whitecrow.experiments.task import plan\n"
        "tasks = plan(parse(json.loads(sys.argv[1])))\n"
        "print('ready', flush=True)\n"
        "run(tasks, Store(sys.argv[2]))\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script, json.dumps(content), str(tmp_path)],
        stdout=subprocess.PIPE,
    )
    assert process.stdout.readline() == b"ready\n"
    time.sleep(moment)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    tasks, store = plan(parse(content)), Store(tmp_path)
    stored = [task for task in tasks if store.has(task.key)]
    for task in stored:
        assert store.get(task.key)["seed"] == task.seed
    ran = run(tasks, store)
    assert ran == len(tasks) - len(stored)
    assert len(store.read(task.key for task in tasks)) == len(tasks)


def test_categories_are_recalled(real_data):
    content = {
        **CONTENT,
        "data": ["nsl_kdd_test"],
        "seeds": 1,
        "max_rows": 3000,
        "methods": CONTENT["methods"][:1],
    }
    record = run_task(plan(parse(content))[0])
    recalls = json.loads(record["recall_by_kind"])
    assert recalls["neptune"][0] > 50
    assert 0 <= recalls["normal"][1] <= 1
    page = markdown(Outcomes(parse(content), [record]))
    assert "## Flagged of each category, nsl_kdd_test" in page


def test_dask_gives_the_same_records(tasks, store, tmp_path):
    pytest.importorskip("distributed", reason="Dask is in the extra `dask`")
    other = Store(tmp_path)
    run(tasks[:2], other, engine="dask")
    for task in tasks[:2]:
        assert other.get(task.key)["auroc"] == store.get(task.key)["auroc"]


def test_one_class_against_the_others_swept_over_classes():
    content = {
        **CONTENT,
        "data": ["digits_all"],
        "seeds": 1,
        "protocol": {"name": "one_vs_rest"},
        "repeat": {"normal": [["0"], ["7"]]},
        "methods": [{"name": "knn"}],
        "published": [],
    }
    experiment = parse(content)
    tasks = plan(experiment)
    assert [task.protocol["normal"] for task in tasks] == [["0"], ["7"]]
    records = [run_task(task) for task in tasks]
    for record in records:
        assert record["error"] == ""
        assert record["auroc"] > 0.95
        assert record["n_train"] in range(85, 95)
    page = markdown(Outcomes(experiment, records))
    assert "Repeated for 2 values of `normal`" in page
    assert "Unfinished" not in page


# Six sets that are one: enough for ranks, and quickly run.
MANY = {
    **CONTENT,
    "data": ["breast_cancer", "digits", "breastw", "wine", "stamps", "wbc"],
    "seeds": 2,
    "metrics": ["auroc"],
    "published": [],
    "methods": [
        {"name": "ecod", "label": "a"},
        {"name": "pca", "label": "b"},
        {"name": "hbos", "label": "c", "most_seeds": 1},
    ],
}


def records_of(quality):
    """Made-up records: contender -> AUROC on each set of MANY."""
    return [
        {"label": name, "data": data, "seed": seed, "auroc": value, "error": ""}
        | {"fit_seconds": 0.5, "recall_by_kind": "{}"}
        for name, values in quality.items()
        for data, value in zip(MANY["data"], values, strict=True)
        for seed in range(2)
    ]


def test_many_sets_are_ranked():
    experiment = parse(MANY)
    assert len(plan(experiment)) == 6 * (2 + 2 + 1)
    records = records_of({"a": [0.9] * 6, "b": [0.8] * 6, "c": [0.1] * 6})
    found = Outcomes(experiment, records).rankings["auroc"]
    assert found.ranks == {"a": 1.0, "b": 2.0, "c": 3.0}
    page = markdown(Outcomes(experiment, records), {"auroc": "x.svg"})
    assert "| a | 90.0 | 1.0 | 0.5 |" in page
    assert "| c (1 seed) | 10.0 | 3.0 | 0.5 |" in page
    assert "![Critical differences](x.svg)" in page
    assert "| wine | 90.0 ± 0.0 | 80.0 ± 0.0 | 10.0 ± 0.0 |" in page  # a row each set


def test_who_misses_a_set_is_not_ranked():
    records = records_of({n: [0.9] * 6 for n in "abc"} | {"d": [0.5] * 6})
    page = markdown(
        Outcomes(
            parse(MANY),
            [r for r in records if (r["label"], r["data"]) != ("d", "wine")],
        )
    )
    assert "Without d, which miss a set." in page
    assert "| d | 50.0 |" not in page


def test_known_anomalies_do_not_train_methods_that_learn_from_no_labels(tmp_path):
    """They trained as normal rows; the report did not say so."""
    protocol = {"name": "labelled_ratio", "ratio_known_anomaly": 0.1}
    knn = {"name": "knn"}
    methods = [knn, {**knn, "label": "blind", "use_labels": False}]
    content = {**CONTENT, "seeds": 1, "protocol": protocol, "methods": methods}
    experiment = parse(content)
    tasks, store = plan(experiment), Store(tmp_path)
    run(tasks, store)
    told, blind = store.read(task.key for task in tasks)
    made = problem(tasks[0])
    known = int((made.y_train == labels.ANOMALY).sum())
    assert known > 0
    assert (told["n_left_out"], blind["n_left_out"]) == (known, 0)
    alone = wc.KNN(random_state=0).fit(made.X_train[made.y_train != labels.ANOMALY])
    expected = auroc(made.y_test, alone.anomaly_score(made.X_test))
    assert told["auroc"] == pytest.approx(expected)
    text = markdown(Outcomes(experiment, [told, blind]))
    assert "known to be anomalies, as they do not learn from labels: knn." in text
    assert "blind" not in text[text.index("Fitted without") :].splitlines()[0]
