import numpy as np
import pytest
import torch
from sklearn import decomposition

import whitecrow as wc
from whitecrow import memory
from whitecrow.scaling import Scaler
from whitecrow.testing.checks import _layouts

X = np.random.default_rng(0).normal(size=(300, 9)) @ np.diag(np.arange(1.0, 10))


def turned(shape):
    return np.asfortranarray(np.random.default_rng(1).normal(size=shape))


def test_arrays_anywhere_inside_are_put_into_c_order():
    detector = wc.PCA()
    inner = wc.PCA()
    inner.components_ = turned((3, 4))
    net = torch.nn.Linear(3, 2)
    net.weight.data = net.weight.data.T.contiguous().T
    vars(detector).update(
        inner_=inner,
        net_=net,
        several_=[turned((2, 3)), (turned((4, 2)), "name")],
        scaler_=Scaler(turned((6, 2))[1], np.ones(2)),
    )
    memory.settle(detector)
    assert inner.components_.flags.c_contiguous
    assert net.weight.is_contiguous()
    assert detector.several_[0].flags.c_contiguous
    assert detector.several_[1][0].flags.c_contiguous
    assert detector.several_[1][1] == "name"
    assert detector.scaler_.center.flags.c_contiguous


def test_values_stay_and_arrays_in_order_are_not_copied():
    there = np.arange(6.0).reshape(2, 3)
    assert memory.in_c_order(there) is there
    np.testing.assert_array_equal(memory.in_c_order(there.T), there.T)
    assert memory.in_c_order(np.array(3.0)).shape == ()


def test_parameters_are_the_callers():
    given = decomposition.PCA(n_components=2)
    given.components_ = turned((3, 4))
    wrapped = wc.wrap(given)
    memory.settle(wrapped)
    assert not given.components_.flags.c_contiguous


@pytest.mark.parametrize(
    "detector",
    [
        wc.PCA(),
        wc.PCA(measure="reconstruction", n_components=3),
        wc.Consensus([wc.PCA(), wc.KNN()], random_state=0),
    ],
)
def test_a_file_changes_no_layout(detector, tmp_path):
    """Directions came from `eigh` by columns, and back from a file by rows."""
    fitted = detector.fit(X)
    fitted.save(tmp_path / "m.crow")
    loaded = wc.load(tmp_path / "m.crow")
    assert _layouts(loaded) == _layouts(fitted)
    np.testing.assert_array_equal(loaded.anomaly_score(X), fitted.anomaly_score(X))
