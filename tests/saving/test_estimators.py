"""scikit-learn parts: equal after a round trip; a tampered tree is refused."""

import io
import json
import zipfile

import numpy as np
import pytest
from sklearn.ensemble import IsolationForest

from whitecrow.errors import ModelFileError
from whitecrow.saving import estimators


@pytest.fixture(scope="module")
def rows():
    return np.random.default_rng(0).normal(size=(80, 3))


@pytest.fixture(scope="module")
def forest(rows):
    return IsolationForest(n_estimators=3, random_state=0).fit(rows)


def test_round_trip_gives_equal_scores(forest, rows):
    again = estimators.undump(estimators.dump(forest))
    np.testing.assert_array_equal(again.score_samples(rows), forest.score_samples(rows))


def tampered(forest, field, value):
    """The forest's bytes with one field of the root of its first tree replaced."""
    data = estimators.dump(forest)
    wanted = forest.estimators_[0].tree_.__getstate__()["nodes"]
    source, result = zipfile.ZipFile(io.BytesIO(data)), io.BytesIO()
    with zipfile.ZipFile(result, "w") as target:
        for name in source.namelist():
            content = source.read(name)
            if name.endswith(".npy"):
                array = np.load(io.BytesIO(content))
                if array.dtype == wanted.dtype and np.array_equal(array, wanted):
                    array[0][field] = value
                    buffer = io.BytesIO()
                    np.save(buffer, array)
                    content = buffer.getvalue()
            target.writestr(name, content)
    return result.getvalue()


@pytest.mark.parametrize(
    ("field", "value"),
    [("left_child", 10**9), ("right_child", 0), ("left_child", -5), ("feature", 3)],
)
def test_tree_that_points_outside_is_refused(forest, field, value):
    data = tampered(forest, field, value)
    assert data != estimators.dump(forest)
    with pytest.raises(ModelFileError, match="points outside of itself"):
        estimators.undump(data)


def test_untouched_rewrite_is_accepted(forest, rows):
    root = int(forest.estimators_[0].tree_.children_left[0])
    again = estimators.undump(tampered(forest, "left_child", root))
    np.testing.assert_array_equal(again.score_samples(rows), forest.score_samples(rows))


def test_columns_that_do_not_exist_are_refused(forest):
    data = estimators.dump(forest)
    copy = estimators.undump(data)
    copy.estimators_features_[1] = np.array([0, 1, 7])
    with pytest.raises(ModelFileError, match="columns that do not exist"):
        estimators.undump(estimators.dump(copy))


class Sneaky(IsolationForest):
    """A type that no list of trusted types has."""


def test_unlisted_types_are_neither_written_nor_read(rows):
    model = Sneaky(n_estimators=2, random_state=0).fit(rows)
    with pytest.raises(ModelFileError, match="does not take"):
        estimators.dump(model)


def test_schema_of_another_type_is_refused(forest):
    """A file that names a type outside of the list is not rebuilt."""
    source = zipfile.ZipFile(io.BytesIO(estimators.dump(forest)))
    result = io.BytesIO()
    with zipfile.ZipFile(result, "w") as target:
        for name in source.namelist():
            content = source.read(name)
            if name == "schema.json":
                schema = json.loads(content)
                schema["__class__"], schema["__module__"] = "Popen", "subprocess"
                content = json.dumps(schema).encode()
            target.writestr(name, content)
    with pytest.raises(Exception, match=r"(?i)untrusted"):
        estimators.undump(result.getvalue())
