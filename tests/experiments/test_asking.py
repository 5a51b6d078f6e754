"""Asking: what a file may say, what is known afterwards, what is fitted how often."""

import json
import xml.etree.ElementTree as ET

import numpy as np
import pytest

from whitecrow.detectors.deep_sad import DeepSAD
from whitecrow.errors import DataError
from whitecrow.experiments import pictures
from whitecrow.experiments.asking import Asking, answers
from whitecrow.experiments.csv_file import comma_separated
from whitecrow.experiments.curves import by_axis
from whitecrow.experiments.file import parse
from whitecrow.experiments.outcomes import Outcomes
from whitecrow.experiments.problem import problem
from whitecrow.experiments.record import run_task
from whitecrow.experiments.run import run
from whitecrow.experiments.store import Store
from whitecrow.experiments.table import markdown
from whitecrow.experiments.task import plan, shard

SMALL = {"epochs": 2, "pretrain": False, "hidden": [8, 4]}


def content(asking, **method):
    """An experiment with one contender that asks."""
    asks = {"name": "deep_sad", "parameters": SMALL, "asking": asking} | method
    return {
        "name": "e",
        "title": "E",
        "data": ["breast_cancer"],
        "seeds": 1,
        "protocol": {"name": "soel"},
        "methods": [asks],
    }


def tasks(asking, **method):
    return plan(parse(content(asking, **method)))


def records(asking, **method):
    return [run_task(task) for task in tasks(asking, **method)]


@pytest.fixture
def fits(monkeypatch):
    """Number of known labels of each fit of Deep SAD, None without labels."""
    found, fit = [], DeepSAD.fit

    def counted(self, X, y=None, **more):
        found.append(None if y is None else int(np.isfinite(y).sum()))
        return fit(self, X, y, **more)

    monkeypatch.setattr(DeepSAD, "fit", counted)
    return found


# ----------------------------------------------------------------------- what is legal


def test_lists_are_contenders():
    asking = {"strategy": ["kmeans", "random"], "questions": [5, 10]}
    found = tasks(asking, label="SAD", grid={"eta": [1.0, 2.0]})
    assert len(found) == 8
    assert found[0].label == "SAD (eta=1.0, strategy=kmeans, questions=5)"
    assert found[-1].asking == Asking(strategy="random", questions=10)
    assert [t.label for t in tasks({"strategy": "random", "questions": 5})] == [
        "deep_sad"
    ]


@pytest.mark.parametrize(
    ("asking", "method", "message"),
    [
        (
            {"strategy": "best", "questions": 1},
            {},
            r"'best'; use one of audit, hybrid1",
        ),
        ({"strategy": "aad", "questions": 1}, {}, r"asking.strategy = 'aad'; use one"),
        ({"strategy": "random"}, {}, "key 'questions' of Asking is missing"),
        ({}, {}, "key 'strategy' of Asking is missing"),
        ([1], {}, "should be a table of Asking"),
        ({"strategy": "random", "questions": []}, {}, "has an empty list"),
        ({"strategy": "random", "questions": -1}, {}, "questions = -1; give a whole"),
        ({"strategy": "random", "questions": 2.5}, {}, "questions = 2.5; give a whole"),
        ({"strategy": "random", "questions": True}, {}, "questions = True; give"),
        (
            {"strategy": "random", "questions": 1, "wrong": 1.5},
            {},
            r"wrong = 1.5; give a share in \[0, 1\]",
        ),
        (
            {"strategy": "random", "questions": 1, "wrong": "few"},
            {},
            "wrong = 'few'; give a share",
        ),
        (
            {"strategy": "random", "questions": 1, "first": 3},
            {},
            "first = 3; give a table",
        ),
        (
            {"strategy": "random", "questions": 1, "colour": 3},
            {},
            "'colour' is no key of Asking; use strategy, questions, wrong, first",
        ),
        (
            {"strategy": "random", "questions": 5},
            {"name": "isolation_forest", "parameters": {}},
            "'isolation_forest' learns from no labels",
        ),
        (
            {"strategy": "random", "questions": 5},
            {"use_labels": False},
            "'deep_sad' learns from no labels here",
        ),
        (
            {"strategy": "positive", "questions": 5},
            {"name": "reference:logistic_regression", "parameters": {}},
            "cannot be fitted without labels.*at least one, by audit or random",
        ),
        (
            {"strategy": "random", "questions": [0, 5]},
            {"name": "reference:logistic_regression", "parameters": {}},
            "'random' with 0 questions needs",
        ),
    ],
)
def test_what_is_wrong_is_said_in_one_line(asking, method, message):
    with pytest.raises(DataError, match=message) as caught:
        tasks(asking, **method)
    assert "\n" not in str(caught.value)


def test_who_has_no_codes_is_asked_by_scores(monkeypatch):
    monkeypatch.delattr("whitecrow.deep.DeepDetector.embed")
    with pytest.raises(DataError, match=r"'kmeans' needs codes.*has no `embed`; use"):
        tasks({"strategy": "kmeans", "questions": 5})
    (record,) = records({"strategy": "positive", "questions": 5})
    assert (record["error"], record["n_known"]) == ("", 5)


def test_the_hash_tells_questions_apart_and_knows_the_others_as_before():
    asking = {"strategy": ["kmeans", "random"], "questions": [0, 5], "wrong": [0, 0.2]}
    keys = [task.key for task in tasks(asking)]
    assert len(set(keys)) == len(keys) == 8
    old = {**content({}), "protocol": {"name": "holdout"}, "methods": [{"name": "knn"}]}
    # Of the version before there were questions.
    assert plan(parse(old))[0].key == "44cf474bb17c3225"


def test_a_shard_has_all_that_asks_one_fit():
    asking = {"strategy": "kmeans", "questions": [0, 1, 2, 3]}
    every = plan(parse({**content(asking), "seeds": 20}))
    parts = [shard(every, index, 3) for index in (1, 2, 3)]
    assert sorted(map(len, parts))[0] > 0
    assert sum(map(len, parts)) == 80
    assert all(len(part) % 4 == 0 for part in parts)
    assert sum(len({t.seed for t in part}) for part in parts) == 20


# -------------------------------------------------------------------- what comes of it


@pytest.mark.parametrize(("wrong", "n_wrong"), [(0.0, 0), (0.1, 2), (1.0, 20)])
def test_answers_are_true_but_for_a_whole_number(wrong, n_wrong):
    truth = (np.arange(60) < 6).astype(np.int8)
    asking = Asking(strategy="positive", questions=20, wrong=wrong)
    given = {"scores": np.arange(60.0)[::-1]}
    ids, y = answers(asking, truth, given, seed=3)
    assert ids.tolist() == list(range(20))
    assert np.flatnonzero(np.isfinite(y)).tolist() == ids.tolist()
    assert (y[ids] != truth[ids]).sum() == n_wrong
    np.testing.assert_array_equal(answers(asking, truth, given, seed=3)[1], y)


def test_which_answers_are_wrong_depends_on_the_seed():
    asking = Asking(strategy="positive", questions=20, wrong=0.1)
    given = {"scores": np.arange(60.0)}
    truth = np.zeros(60, np.int8)
    found = {tuple(answers(asking, truth, given, seed=s)[1]) for s in range(5)}
    assert len(found) > 1


def test_records_have_what_was_found():
    asking = {"strategy": "positive", "questions": [0, 12]}
    without, asked = tasks(asking)
    made = problem(asked)
    cold = DeepSAD(random_state=0, **{**SMALL, "hidden": (8, 4)}).fit(made.X_train)
    scores = cold.anomaly_score(made.X_train)
    odd = made.truth_train[np.argsort(-scores)[:12]] == 1
    assert 0 < odd.sum() < 12
    record = run_task(asked)
    assert record["error"] == ""
    assert (record["n_known"], record["found"]) == (12, odd.sum())
    assert record["first_fit_seconds"] > 0
    assert json.loads(record["asking"])["strategy"] == "positive"
    before = run_task(without)
    assert (before["n_known"], before["found"]) == (0, 0)
    assert before["auroc"] != record["auroc"]
    plain = {"name": "deep_sad", "parameters": SMALL, "use_labels": False}
    (same,) = plan(parse({**content({}), "methods": [plain]}))
    assert before["auroc"] == run_task(same)["auroc"]


def test_labels_of_the_protocol_are_forgotten(fits):
    asked = content({"strategy": "random", "questions": 7})
    asked["protocol"] = {"name": "stratified", "known_anomalies": 0.5}
    (task,) = plan(parse(asked))
    assert np.isfinite(problem(task).y_train).sum() > 50
    assert run_task(task)["n_known"] == 7
    assert fits == [7]


def test_all_questions_are_asked_of_one_fit(fits, tmp_path):
    asking = {"strategy": ["positive", "kmeans"], "questions": [3, 0, 6]}
    every = plan(parse({**content(asking), "seeds": 2}))
    store = Store(tmp_path)
    assert run(every, store) == 12
    assert fits.count(None) == 2  # one for each seed
    assert sorted(k for k in fits if k) == [3, 3, 3, 3, 6, 6, 6, 6]
    for task in every:
        assert store.get(task.key)["n_known"] == task.asking.questions


def test_random_rows_need_no_first_fit(fits):
    (record,) = records({"strategy": "random", "questions": 5})
    assert record["first_fit_seconds"] == 0
    assert fits == [5]


def test_what_is_shared_changes_nothing(tmp_path):
    asking = {"strategy": ["kmeans", "random"], "questions": [4, 8], "wrong": [0, 0.5]}
    every = tasks(asking)
    here, there = Store(tmp_path / "1"), Store(tmp_path / "2")
    run(every, here)
    run(every, there, jobs=2)
    for task in every:
        alone = run_task(task)
        for store in (here, there):
            for key in ("auroc", "found", "f1_at_share"):
                assert store.get(task.key)[key] == alone[key]


def test_the_first_fit_may_have_other_parameters():
    soel = {
        "name": "soel",
        "parameters": {"method": "sup", "detector": {"method": "hsc", "epochs": 2}},
    }
    asking = {"strategy": "kmeans", "questions": 10}
    (failed,) = records(asking, **soel)
    assert "learns from labelled rows only" in failed["error"]
    (record,) = records(asking | {"first": {"method": "loe"}}, **soel)
    assert (record["error"], record["n_known"]) == ("", 10)


def test_a_first_fit_that_fails_is_tried_once(tmp_path, monkeypatch):
    tries = []

    def failing(self, X, y=None, **more):
        tries.append(y is None)
        raise DataError("no such luck")

    monkeypatch.setattr(DeepSAD, "fit", failing)
    every = tasks({"strategy": "kmeans", "questions": [0, 4, 8]})
    run(every, store := Store(tmp_path))
    assert tries == [True]
    errors = {store.get(task.key)["error"] for task in every}
    assert errors == {"DataError: no such luck"}


def test_several_methods_may_be_underneath():
    hsc, neutral = ({"method": name, "epochs": 2} for name in ("hsc", "neutral_ad"))
    soel = {"name": "soel", "parameters": {"detector": [hsc, neutral]}}
    (record,) = records({"strategy": "kmeans", "questions": 10}, **soel)
    assert (record["error"], record["n_known"]) == ("", 10)


def test_more_questions_than_rows_are_a_failure():
    (record,) = records({"strategy": "random", "questions": 10_000})
    assert "ask for at most" in record["error"]


def test_one_task_under_two_names_runs_once(tmp_path):
    asking = {"strategy": "random", "questions": 5}
    twice = content(asking)
    twice["methods"] = [{**twice["methods"][0], "label": name} for name in "ab"]
    every = plan(parse(twice))
    assert len(every) == 2
    assert run(every, Store(tmp_path)) == 1


def test_kept_models_know_what_was_asked(tmp_path):
    every = tasks({"strategy": "kmeans", "questions": [0, 6]})
    store = Store(tmp_path)
    run(every, store, keep=["models"])
    before = [store.get(task.key) for task in every]
    assert run(every, store, test_only=True) == 2
    for task, old in zip(every, before, strict=True):
        new = store.get(task.key)
        for key in ("n_known", "found", "auroc", "fit_seconds", "first_fit_seconds"):
            assert new[key] == old[key]


# -------------------------------------------------------------------------- the report

BUDGETS = {
    **content({"strategy": ["kmeans", "random"], "questions": [0, 5, 10]}, label="A"),
    "data": ["breast_cancer", "wine"],
    "metrics": ["auroc"],
}


def made_up(experiment, auroc):
    """Records: contender and set -> AUROC; three in ten questions found something."""
    return [
        {"label": task.label, "data": task.data, "seed": task.seed, "error": ""}
        | {"auroc": auroc(task), "found": 0.3 * task.asking.questions}
        | {"fit_seconds": 0.5, "first_fit_seconds": 2.0, "recall_by_kind": "{}"}
        for task in plan(experiment)
    ]


def quality(task):
    more = 0.01 if task.asking.strategy == "kmeans" else 0.0
    return 0.5 + more * task.asking.questions + 0.2 * (task.data == "wine")


def test_the_report_shows_what_was_asked():
    experiment = parse(BUDGETS)
    found = made_up(experiment, quality)
    page = markdown(Outcomes(experiment, found), {"curves": "x.svg"})
    assert "![By number of questions](x.svg)" in page
    assert "| AUROC | 0 | 5 | 10 |" in page
    assert "| A (strategy=kmeans) | 60.0 | 65.0 | 70.0 |" in page
    assert "| A (strategy=random) | 60.0 | 60.0 | 60.0 |" in page
    assert "| anomalies among the questions | 5 | 10 |" in page
    assert "| A (strategy=random) | 30.0 | 30.0 |" in page
    line = "| A (strategy=kmeans, questions=10) | kmeans | 10 | 0 | 3.0 | 3.0 |"
    assert line in page
    table = comma_separated(Outcomes(experiment, found)).splitlines()
    end = "strategy,questions,wrong,found,first_fit_cpu_seconds"
    assert table[0].endswith(end)
    assert any(row.endswith("random,5,0.0,1.5,2.0") for row in table)
    assert len({row.count(",") for row in table[:1]}) == 1


def test_experiments_without_questions_have_no_word_of_them():
    plain = parse({**BUDGETS, "methods": [{"name": "knn"}]})
    record = {"label": "knn", "data": "wine", "seed": 0, "auroc": 0.5, "error": ""}
    record |= {"fit_seconds": 0.5, "recall_by_kind": "{}"}
    assert by_axis(Outcomes(plain, [record])) == []
    assert "asked" not in markdown(Outcomes(plain, [record]))
    assert "strategy" not in comma_separated(Outcomes(plain, [record]))


def test_budgets_are_not_ranked():
    data = ["breast_cancer", "digits", "breastw", "wine", "stamps", "wbc"]
    for questions, n_ranked in (([5, 10], 0), (5, 1)):
        asking = {"strategy": ["kmeans", "random", "margin"], "questions": questions}
        asks = {**BUDGETS["methods"][0], "asking": asking}
        experiment = parse({**BUDGETS, "data": data, "methods": [asks]})
        found = made_up(experiment, quality)
        assert len(Outcomes(experiment, found).rankings) == n_ranked


def test_who_asks_once_has_no_curve():
    once = content({"strategy": "random", "questions": 5})
    experiment = parse(once)
    page = markdown(Outcomes(experiment, made_up(experiment, quality)))
    assert "By number of questions" not in page
    assert "| deep_sad | random | 5 | 0 | 1.5 |" in page


def test_who_misses_a_set_has_no_point():
    experiment = parse(BUDGETS)
    label = "A (strategy=kmeans, questions=5)"
    found = [
        record
        for record in made_up(experiment, quality)
        if (record["label"], record["data"]) != (label, "wine")
    ]
    ((auroc, _),) = by_axis(Outcomes(experiment, found))
    assert sorted(auroc.curves["A (strategy=kmeans)"]) == [0, 10]
    assert sorted(auroc.curves["A (strategy=random)"]) == [0, 5, 10]


def drawn(auroc=quality):
    experiment = parse(BUDGETS)
    rows = by_axis(Outcomes(experiment, made_up(experiment, auroc)))
    return pictures.diagram(rows, "a < b")


def test_the_picture_has_a_curve_for_each_contender_and_panel():
    root = ET.fromstring(drawn())
    space = "{http://www.w3.org/2000/svg}"
    lines = root.findall(f"{space}polyline")
    assert len(lines) == 2 * 2
    higher = [float(point.split(",")[1]) for point in lines[0].get("points").split()]
    assert higher == sorted(higher, reverse=True)  # up is small
    assert len(higher) == 3
    words = [each.text for each in root.findall(f"{space}text")]
    assert {"A (strategy=kmeans)", "AUROC", "questions", "a < b"} <= set(words)


def test_the_picture_depends_on_the_numbers_alone():
    assert drawn() == drawn()
    assert drawn() != drawn(lambda task: 0.5 * quality(task))


def test_a_picture_without_numbers_is_whole():
    empty = [[pictures.Panel("AUROC", {"A": {}}, "questions")]]
    assert ET.fromstring(pictures.diagram(empty)) is not None
    one = [[pictures.Panel("AUROC", {"A": {0: 50.0}}, "questions")]]
    assert "circle" in pictures.diagram(one)
