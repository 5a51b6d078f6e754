import importlib
import json
import subprocess
import sys
from importlib import metadata

import pytest

import whitecrow as wc


def test_public_names_are_sorted_and_complete():
    assert wc.__all__ == sorted(wc.__all__)
    assert set(wc.__all__) == {"__version__", *wc._HOMES, *wc._MODULES}
    assert dir(wc) == sorted(wc.__all__)


@pytest.mark.parametrize("name", wc.__all__)
def test_every_name_is_there(name):
    assert getattr(wc, name) is getattr(wc, name)


def test_every_method_is_public():
    for record in wc.methods():
        assert record.class_name in wc.__all__
        assert getattr(wc, record.class_name) is record.cls


def test_public_classes_and_functions_say_what_they_are():
    for name in wc._HOMES:
        value = getattr(wc, name)
        assert value.__doc__, name
        assert value.__name__ == name


def test_names_that_others_rely_on():
    """DESIGN: detectors, methods, load, wrap, labels."""
    assert {"methods", "load", "wrap", "labels", "AutoEncoder", "DeepSAD"} <= set(
        wc.__all__
    )


def test_anything_else_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'whitecrow' has no attribute 'x'"):
        wc.x  # noqa: B018


def test_version_is_that_of_the_package():
    assert wc.__version__ == metadata.version("whitecrow")


@pytest.mark.parametrize("module", ["whitecrow.testing", "whitecrow.supervision"])
def test_all_of_a_module_is_there(module):
    loaded = importlib.import_module(module)
    assert all(hasattr(loaded, name) for name in loaded.__all__)


HEAVY = {"torch", "sklearn", "scipy", "numpy", "pandas", "pyarrow", "matplotlib"}


@pytest.mark.parametrize(
    ("code", "allowed"),
    [
        ("import whitecrow", set()),
        ("import whitecrow; whitecrow.methods(); dir(whitecrow)", set()),
        ("import whitecrow; whitecrow.errors.DataError", set()),
        ("from whitecrow import labels; labels.encode([0, 1])", {"numpy"}),
    ],
)
def test_importing_loads_nothing_heavy(code, allowed):
    show = "import json, sys; print(json.dumps(sorted(sys.modules)))"
    run = subprocess.run(
        [sys.executable, "-c", f"{code}; {show}"],
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = {name.partition(".")[0] for name in json.loads(run.stdout)}
    assert loaded & HEAVY <= allowed
