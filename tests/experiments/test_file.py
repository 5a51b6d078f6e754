"""Experiment files: what is legal, and one line for what is not."""

import re
import tomllib
from pathlib import Path

import pytest

from whitecrow.errors import DataError
from whitecrow.experiments.checks import check
from whitecrow.experiments.file import load, parse
from whitecrow.experiments.measures import leak_of
from whitecrow.experiments.task import plan, shard

ROOT = Path(__file__).parents[2]
FILES = sorted(ROOT.glob("experiments/**/*.toml"))

MINIMAL = {
    "name": "e",
    "title": "E",
    "data": ["breast_cancer"],
    "seeds": 2,
    "protocol": {"name": "holdout"},
    "methods": [{"name": "knn"}],
}


@pytest.mark.parametrize("file", FILES, ids=lambda f: f.stem)
def test_every_file_names_known_sets_and_methods(file):
    from whitecrow import registry
    from whitecrow.data import catalog, prepare
    from whitecrow.experiments.references import REFERENCES

    experiment = load(file)
    for name in experiment.data:
        if name in experiment.readings:  # of a path: the user's own
            continue
        # Some sets exist only once they are prepared, under the name of their layout.
        known = catalog.get(name) if catalog.has(name) else prepare.find(name)
        assert known.name == name
    for method in experiment.methods:
        if method.name.startswith("reference:"):
            assert method.name.removeprefix("reference:") in REFERENCES
        elif not method.name.startswith("pyod:"):
            cls = registry.method(method.name).cls
            if method.preset:
                cls.preset(method.preset)
            legal = cls._get_param_names()
            for given in (method.parameters, method.grid, *method.for_data.values()):
                assert set(given) <= set(legal)
    labels = {task.label for task in plan(experiment)}
    for number in experiment.published:
        assert number.data in experiment.data
        assert 0 <= number.mean <= 1, "shares, not percent"
        assert number.method in labels or number.method[0].isupper()


def test_files_in_the_documentation_are_legal():
    page = (ROOT / "docs" / "tutorials" / "researcher.md").read_text("utf-8")
    shown = re.findall(r"^```toml\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    assert len(shown) == 3
    for text in shown:
        experiment = parse({"name": "e", "title": "E"} | tomllib.loads(text))
        check(experiment)
        assert plan(experiment)


def test_there_are_files():
    assert len(FILES) >= 2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"protocol": {"name": "magic"}},
            r"protocol.name = 'magic'; use one of holdout",
        ),
        ({"metrics": ["accuracy"]}, r"metrics = 'accuracy'; use one of auroc"),
        ({"colour": 1}, r"'colour' is no key of Experiment; use name"),
        ({"methods": [{"preset": "paper"}]}, r"key 'name' of MethodSpec is missing"),
        ({"methods": []}, r"'methods' is empty"),
        ({"anomaly": "other"}, r"anomaly = 'other'; use one of label, reversed"),
        (
            {"metrics": ["f1_test_only_optimal"]},
            "with all labels of the test; set leak_as_published = true",
        ),
        ({"metrics": ["best_f1"]}, "set leak_as_published = true"),
        (
            {"store_models": True, "methods": [{"name": "pyod:ECOD"}]},
            "'pyod:ECOD' is none of our methods",
        ),
    ],
)
def test_what_is_wrong_is_said_in_one_line(change, message):
    with pytest.raises(DataError, match=message) as caught:
        parse({**MINIMAL, **change})
    assert "\n" not in str(caught.value)


def test_leaks_are_legal_where_they_are_said():
    metrics = ["f1_test_only_optimal", "f1_train_quantile"]
    experiment = parse({**MINIMAL, "metrics": metrics, "leak_as_published": True})
    assert [bool(leak_of(metric)) for metric in experiment.metrics] == [
        True,
        False,
    ]
    parse({**MINIMAL, "metrics": ["f1_train_quantile", "f1_at_threshold"]})


def test_keeping_models_does_not_change_tasks():
    plain = plan(parse(MINIMAL))
    kept = plan(parse({**MINIMAL, "store_models": True}))
    assert [task.key for task in plain] == [task.key for task in kept]


def test_missing_and_broken_files(tmp_path):
    with pytest.raises(DataError, match="there is no experiment file"):
        load(tmp_path / "none.toml")
    (tmp_path / "bad.toml").write_text("a = [")
    with pytest.raises(DataError, match=r"bad.toml is not a readable TOML"):
        load(tmp_path / "bad.toml")


def test_hash_depends_on_everything_but_the_label():
    def key(**change):
        return plan(parse({**MINIMAL, **change}))[0].key

    assert key() == key(title="other")
    assert key() == key(methods=[{"name": "knn", "label": "nearest"}])
    different = [
        key(),
        key(seeds=[5]),
        key(protocol={"name": "holdout", "pollution": 0.1}),
        key(methods=[{"name": "knn", "parameters": {"n_neighbors": 3}}]),
        key(methods=[{"name": "lof"}]),
        key(data=["digits"]),
        key(anomaly="reversed"),
        key(max_rows=100),
    ]
    assert len(set(different)) == len(different)


def test_parameters_for_one_set_and_grids():
    experiment = parse(
        {
            **MINIMAL,
            "data": ["breast_cancer", "digits"],
            "seeds": 1,
            "methods": [
                {
                    "name": "knn",
                    "grid": {"n_neighbors": [3, 4]},
                    "for_data": {"digits": {"n_neighbors": 9}},
                }
            ],
        }
    )
    found = [(t.data, t.parameters["n_neighbors"]) for t in plan(experiment)]
    assert found == [
        ("breast_cancer", 3),
        ("breast_cancer", 4),
        ("digits", 9),
        ("digits", 9),
    ]


def test_shards_are_a_partition():
    tasks = plan(parse({**MINIMAL, "seeds": 40}))
    parts = [shard(tasks, index, 3) for index in (1, 2, 3)]
    assert sorted(t.seed for part in parts for t in part) == list(range(40))
    assert all(parts)
