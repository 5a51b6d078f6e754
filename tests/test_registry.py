"""The registry: every method has its parts, and its row tells the truth.

Pages and descriptions of parameters are checked in test_docs.py.
"""

import inspect
import re
from pathlib import Path

import pytest

import whitecrow as wc
from whitecrow import registry
from whitecrow.deep import DeepDetector
from whitecrow.detector import Detector
from whitecrow.errors import ModelFileError, ParameterError

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "src" / "whitecrow"

every_method = pytest.mark.parametrize("record", wc.methods(), ids=lambda r: r.name)


def test_methods_are_sorted_and_unique():
    names = [record.name for record in wc.methods()]
    assert names == sorted(set(names))
    assert len({record.class_name for record in wc.methods()}) == len(names)


def test_every_file_is_a_method():
    files = {path.stem for path in (SOURCE / "detectors").glob("*.py")}
    wrappers = {record.name for record in wc.methods() if record.package == "wrappers"}
    assert files - {"__init__"} | wrappers == {record.name for record in wc.methods()}


@every_method
def test_a_method_has_a_file_a_class_and_a_test(record):
    assert issubclass(record.cls, Detector)
    assert record.cls.__name__ == record.class_name
    assert record.cls.__module__ == record.module
    assert (ROOT / "tests" / record.package / f"test_{record.name}.py").is_file()


@every_method
def test_the_row_says_what_the_class_does(record):
    assert record.input_kinds == record.cls.input_kinds
    assert set(record.input_kinds) <= {"table", "picture"}
    assert record.supervision in {"none", "polluted", "labels", "auxiliary"}
    assert record.cls.uses_auxiliary == (record.supervision == "auxiliary")
    # Polluted training data need no labels; a method may take them all the same.
    if record.supervision != "polluted":
        assert record.cls.uses_labels == (record.supervision != "none")


@every_method
def test_the_row_can_be_read(record):
    assert 1900 <= record.year <= 2030
    assert len(record.paper) > 20
    assert "\n" not in record.summary
    assert 10 < len(record.summary) <= 80
    assert not record.summary.endswith(".")


def signature(cls):
    return list(inspect.signature(cls).parameters)


@every_method
def test_the_docstring_has_an_example_that_runs(record):
    text = inspect.getdoc(record.cls)
    assert re.search(r"^Examples\n-+\n", text, re.MULTILINE)
    assert text.count(">>>") >= 3
    assert record.class_name in text[text.index(">>>") :]


@every_method
def test_the_module_names_its_source(record):
    module = inspect.getmodule(record.cls)
    text = f"{module.__doc__}\n{inspect.getdoc(record.cls)}"
    assert str(record.year) in text or "specs/" in text
    assert re.search(r"\.\. math::|:math:|\^|=", module.__doc__), "no formula"


@every_method
def test_deviations_give_their_reason(record):
    source = (SOURCE / record.package / f"{record.name}.py").read_text(encoding="utf-8")
    notes = re.split(r"(?<!`)NOTE\[DIFF\]", source)[1:]
    assert all(len(note.split("\n\n")[0].split()) >= 8 for note in notes)
    assert "NOTE [DIFF]" not in source


@every_method
def test_every_parameter_has_legal_values(record):
    assert set(record.cls._parameter_constraints) == set(signature(record.cls))
    record.cls()._check_parameters()


@every_method
def test_seed_and_share_are_called_the_same_everywhere(record):
    names = signature(record.cls)
    assert "contamination" in names
    if issubclass(record.cls, DeepDetector):
        assert {"random_state", "device", "epochs", "batch_size", "lr"} <= set(names)


@every_method
def test_presets_are_legal(record):
    for name in record.cls.presets:
        record.cls.preset(name)._check_parameters()


@every_method
def test_a_method_is_found_by_both_of_its_names(record):
    assert registry.method(record.name) is record
    assert registry.method(record.class_name) is record


def test_an_unknown_method_is_refused_with_the_known_ones():
    with pytest.raises(
        ParameterError, match=r"'forest'; use one of alad, autoencoder, "
    ):
        registry.method("forest")


# -------------------------------------------------------------------- classes of users


def test_a_class_of_your_own_is_saved_and_loaded(tmp_path, monkeypatch):
    monkeypatch.setattr(registry, "_REGISTERED", {})

    class HalfKNN(wc.KNN):
        """KNN with five neighbours."""

        n_neighbors = 5

    rows = [[float(i), float(i % 3)] for i in range(20)]
    model = HalfKNN().fit(rows)
    with pytest.raises(ModelFileError, match=r"'HalfKNN' is not .*whitecrow\.register"):
        model.save(tmp_path / "m.crow")
    assert wc.register(HalfKNN) is HalfKNN
    model.save(tmp_path / "m.crow")
    again = wc.load(tmp_path / "m.crow")
    assert type(again) is HalfKNN
    assert (again.anomaly_score(rows) == model.anomaly_score(rows)).all()
    record = registry.method("half_knn")
    assert (record.cls, record.supervision) == (HalfKNN, "none")
    assert record.summary == "KNN with five neighbours"
    assert record not in wc.methods()


@pytest.mark.parametrize("name", ["KNN", "Wrapped"])
def test_names_of_ours_are_not_taken(name):
    with pytest.raises(ParameterError, match="already; give the class another name"):
        wc.register(type(name, (wc.KNN,), {}))


def test_what_is_no_detector_is_not_registered():
    with pytest.raises(ParameterError, match="dict is no detector"):
        wc.register(dict)
