"""Pictures of more than 8 bits: the range of a set, found or given."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from whitecrow.data.depth import checked, to_bytes
from whitecrow.errors import DataError, ParameterError


def textures(low: float, high: float, n: int = 20) -> NDArray[np.float64]:
    return np.random.default_rng(0).uniform(low, high, (n, 16, 16))


def test_bytes_stay_as_they_are() -> None:
    images = textures(0, 255).astype(np.uint8)
    assert to_bytes(images, (0, 1023))[0] is images
    assert to_bytes(images)[1] is None


def test_truth_values() -> None:
    images = np.array([[[True, False]]])
    assert to_bytes(images)[0].tolist() == [[[255, 0]]]


def test_full_range_is_divided_by_257() -> None:
    images = np.arange(65536, dtype=np.uint16).reshape(1, 256, 256)
    found, depth = to_bytes(images)
    assert depth == (0, 65535)
    np.testing.assert_array_equal(found, images // 257)


@pytest.mark.parametrize("bits", [8, 10, 12, 14, 16])
@pytest.mark.parametrize("dtype", [np.uint16, np.int32, np.uint32, np.int64])
def test_a_range_that_is_used_is_taken_whole(bits: int, dtype: type) -> None:
    top = 2**bits - 1
    images = textures(0.1 * top, 0.9 * top).astype(dtype)
    found, depth = to_bytes(images)
    assert depth == (0, top)
    np.testing.assert_array_equal(found, images.astype(np.int64) * 255 // top)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_fractions_are_as_bytes(dtype: type) -> None:
    images = np.arange(256).reshape(1, 16, 16)
    found, depth = to_bytes((images / 255).astype(dtype))
    assert depth == (0, 1)
    np.testing.assert_array_equal(found, images)


@pytest.mark.parametrize("dtype", [np.float32, np.int64])
def test_bytes_kept_as_other_numbers(dtype: type) -> None:
    images = np.arange(256).reshape(1, 16, 16)
    found, depth = to_bytes(images.astype(dtype))
    assert depth == (0, 255)
    np.testing.assert_array_equal(found, images)


def test_a_narrow_range_is_spread_with_room_on_both_sides() -> None:
    images = textures(400, 600).astype(np.uint16)
    found, depth = to_bytes(images)
    assert depth is not None
    assert 340 <= depth[0] <= 355
    assert 645 <= depth[1] <= 660
    assert np.ptp(found) > 160
    brighter = np.full((1, 4, 4), 640, dtype=np.uint16)
    assert to_bytes(brighter, depth)[0].min() > found.max()


def test_extremes_of_the_set_are_inside() -> None:
    images = textures(400, 600).astype(np.uint16)
    images[3, 4:9, 4:9] = 880
    found, depth = to_bytes(images)
    assert depth is not None
    assert depth[1] == 880
    assert found[3].max() == 255
    assert found[3, 6, 6] > found[4].max()


def test_hot_pixels_and_overexposed_pictures_do_not_darken_the_set() -> None:
    images = textures(400, 600, 40).astype(np.uint16)
    images[:, 0, 0] = 65535
    images[7] = 65535
    found, depth = to_bytes(images)
    assert depth is not None
    assert depth[1] < 1023
    assert np.ptp(found[0, 1:]) > 120
    assert (found[7] == 255).all()


def test_negative_values() -> None:
    images = textures(-1000, 3000).astype(np.int16)
    found, depth = to_bytes(images)
    assert depth is not None
    assert depth[0] < -1000 < 3000 < depth[1]
    assert np.ptp(found) > 160


@pytest.mark.parametrize("value", [0, 500, -7, 70000])
def test_a_set_of_one_value(value: int) -> None:
    found, depth = to_bytes(np.full((3, 2, 2), value, dtype=np.int64))
    assert depth is not None
    assert depth[0] <= value <= depth[1]
    assert len(np.unique(found)) == 1


def test_mostly_black_pictures_keep_their_stars() -> None:
    images = np.zeros((30, 40, 40), dtype=np.uint16)
    images[:, 5, 5] = 60000
    assert (to_bytes(images)[0][:, 5, 5] > 200).all()


def test_colours_have_one_range() -> None:
    images = np.zeros((2, 3, 4, 4), dtype=np.uint16)
    images[:, 0], images[:, 1] = 1000, 500
    found, _ = to_bytes(images)
    assert found[0, :, 0, 0].tolist() == [249, 124, 0]


def test_what_is_beyond_a_given_range_is_cut_off() -> None:
    images = np.array([[[0, 100, 150, 200, 9999]]], dtype=np.uint16)
    assert to_bytes(images, (100, 200))[0].tolist() == [[[0, 0, 127, 255, 255]]]


def test_many_small_pictures_are_read_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    images = textures(0, 3000, 30).astype(np.uint16)
    whole = to_bytes(images)
    monkeypatch.setattr("whitecrow.data.depth._CHUNK", 600)
    parts = to_bytes(images)
    assert whole[1] == parts[1]
    np.testing.assert_array_equal(whole[0], parts[0])


def test_pixels_that_are_not_numbers() -> None:
    images = textures(0, 1)
    images[4, 0, :3] = np.nan, np.inf, -np.inf
    with pytest.raises(DataError, match="picture 4: 3 of 256 pixels are not finite"):
        to_bytes(images)
    with pytest.raises(DataError, match="type complex128"):
        to_bytes(images.astype(complex))


@pytest.mark.parametrize("depth", [(1, 1), (2, 1), (0, np.nan), (1,), "ab", (0, "x")])
def test_illegal_ranges(depth: Any) -> None:
    with pytest.raises(ParameterError, match="give the values that become 0 and 255"):
        checked(depth)


@given(
    st.lists(st.floats(-1e308, 1e308), min_size=4, max_size=4),
    st.sampled_from([np.float64, np.float32, np.int64, np.uint16]),
)
def test_any_numbers_become_bytes(values: list[float], dtype: type) -> None:
    info = np.finfo(dtype) if np.dtype(dtype).kind == "f" else np.iinfo(dtype)
    safe = np.clip(values, float(info.min) / 2, float(info.max) / 2)
    images = safe.reshape(1, 2, 2).astype(dtype)
    found, depth = to_bytes(images)
    assert depth is not None
    assert checked(depth) == depth
    order = np.argsort(images.ravel(), kind="stable")
    assert (np.diff(found.ravel()[order].astype(int)) >= 0).all()
