import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from whitecrow.errors import ParameterError
from whitecrow.scaling import SCALINGS, Scaler, to_unit


@pytest.fixture
def rows():
    return np.random.default_rng(0).lognormal(size=(101, 3)) * [1.0, 100.0, 1e-4]


def test_standard_gives_mean_0_and_deviation_1(rows):
    scaled = Scaler.fit(rows, "standard").transform(rows)
    assert_allclose(scaled.mean(axis=0), 0, atol=1e-12)
    assert_allclose(scaled.std(axis=0), 1)


def test_minmax_gives_0_to_1_and_goes_beyond_for_new_rows(rows):
    scaler = Scaler.fit(rows, "minmax")
    scaled = scaler.transform(rows)
    assert_allclose([scaled.min(axis=0), scaled.max(axis=0)], [[0] * 3, [1] * 3])
    assert scaler.transform(rows.max(axis=0, keepdims=True) * 2).min() > 1


def test_robust_ignores_one_outlier(rows):
    rows[0] = 1e9
    scaled = Scaler.fit(rows, "robust").transform(rows)
    quartiles = np.quantile(scaled, [0.25, 0.5, 0.75], axis=0)
    assert_allclose(quartiles[1], 0, atol=1e-12)
    assert_allclose(quartiles[2] - quartiles[0], 1)


def test_robust_falls_back_where_most_rows_are_equal():
    rows = np.zeros((10, 1))
    rows[0] = 10.0
    assert_allclose(Scaler.fit(rows, "robust").scale, rows.std(axis=0))


def test_none_changes_nothing(rows):
    assert_array_equal(Scaler.fit(rows, "none").transform(rows), rows)


def test_none_keeps_no_reference_to_the_rows(rows):
    scaled = Scaler.fit(rows, "none").transform(rows)
    assert not np.shares_memory(scaled, rows)


@pytest.mark.parametrize("how", SCALINGS)
@pytest.mark.parametrize("value", [0.0, 0.1, -1e6 / 3])
def test_constant_columns_have_scale_1(how, value):
    scaler = Scaler.fit(np.full((1001, 1), value), how)
    assert_array_equal(scaler.scale, [1.0])
    if how != "none":
        assert_allclose(scaler.transform(np.array([[value]])), 0, atol=1e-9)


def test_a_small_spread_on_a_large_offset_is_not_taken_for_constant():
    rows = 1e9 + np.random.default_rng(0).normal(size=(500, 1))
    assert_allclose(Scaler.fit(rows, "standard").scale, rows.std(axis=0))


def test_float32_rows_have_float64_statistics():
    rows = (1e6 + np.arange(20001)[:, None] % 3).astype(np.float32)
    scaler = Scaler.fit(rows, "standard")
    assert scaler.center.dtype == np.float64
    assert_allclose(scaler.center, rows.astype(float).mean(axis=0), rtol=1e-12)


@pytest.mark.parametrize(("dtype", "farthest"), [("f4", 1e15), ("f8", 1e100)])
def test_squares_of_the_farthest_values_are_finite(dtype, farthest):
    scaler = Scaler.fit(np.array([[0.0], [1e-9]]), "standard")
    scaled = scaler.transform(np.array([[1.7e308], [-1.7e308], [1e-9]]), dtype)
    assert scaled.dtype == dtype
    assert_allclose(scaled[:, 0], [farthest, -farthest, 1])
    assert np.isfinite(scaled**2).all()


def test_unknown_scaling_names_the_legal_ones():
    with pytest.raises(ParameterError, match=r"'sigmoid'.*'standard', 'minmax'"):
        Scaler.fit(np.ones((2, 1)), "sigmoid")


@pytest.mark.parametrize("how", ["standard", "minmax", "robust"])
@pytest.mark.parametrize("size", [1e-200, 1e200, 1.7e308])
def test_a_column_whose_squares_are_beyond_float64(how, size):
    """Such a column was refused, or left in units of 1e-200."""
    column = np.random.default_rng(0).uniform(-1, 1, size=50)
    column[:2] = -1, 1
    usual = Scaler.fit(column[:, None], how)
    odd = Scaler.fit(size * column[:, None], how)
    assert_allclose(odd.center, size * usual.center)
    with np.errstate(over="ignore"):
        expected = np.minimum(size * usual.scale, np.finfo(float).max)
    assert_allclose(odd.scale, expected)


@pytest.mark.parametrize("how", ["standard", "minmax", "robust", "none"])
@pytest.mark.parametrize("cell", [1e30, 1e200, 1.7e308, -1.7e308])
def test_one_huge_cell_is_far_from_the_others(how, cell):
    rows = np.random.default_rng(0).normal(size=(300, 2))
    rows[7, 1] = cell
    scaled = Scaler.fit(rows, how).transform(rows)
    scaled = np.abs(scaled - np.median(scaled, axis=0))
    assert np.isfinite(scaled).all()
    assert scaled[:, 1].argmax() == 7


def test_other_columns_keep_their_units_to_the_bit():
    rows = np.random.default_rng(0).normal(size=(300, 2))
    usual = Scaler.fit(rows)
    beside = Scaler.fit(rows * [1, 1e307])
    assert (usual.center[0], usual.scale[0]) == (beside.center[0], beside.scale[0])


@pytest.mark.parametrize("value", [0.0, 1e-200, 1e-320, 0.1, 1e300])
def test_a_constant_column_of_any_size_is_not_scaled(value):
    assert Scaler.fit(np.full((9, 1), value)).scale == 1


def test_arrays_round_trip(rows):
    scaler = Scaler.fit(rows, "robust")
    arrays = scaler.to_arrays()
    assert sorted(arrays) == ["center", "scale"]
    copy = Scaler.from_arrays(arrays)
    assert_array_equal(copy.transform(rows), scaler.transform(rows))


def test_to_unit_divides_bytes_only():
    pictures = np.array([[[[0, 51, 255]]]], dtype=np.uint8)
    assert_allclose(to_unit(pictures)[0, 0, 0], [0, 0.2, 1], rtol=1e-7)
    floats = np.array([-3.0, 300.0])
    assert_array_equal(to_unit(floats), floats.astype(np.float32))
    assert to_unit(pictures).dtype == to_unit(floats).dtype == np.float32
