import logging

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.spatial.distance import cdist

from whitecrow import shallow


def test_pictures_become_rows_of_unit_values_channel_by_channel():
    pictures = np.zeros((2, 3, 4, 5), dtype=np.uint8)
    pictures[1, 2, 3, 4] = 255
    rows = shallow.as_table(pictures)
    assert rows.shape == (2, 60)
    assert rows.sum() == rows[1, -1] == 1.0


def test_tables_stay_as_they_are():
    rows = np.ones((3, 2))
    assert shallow.as_table(rows) is rows


def test_contributions_of_pictures_are_summed_over_channels():
    flat = np.arange(24.0).reshape(2, 12)
    maps = shallow.as_pictures(flat, (3, 2, 2))
    assert_array_equal(maps[0], [[0 + 4 + 8, 1 + 5 + 9], [2 + 6 + 10, 3 + 7 + 11]])
    assert shallow.as_pictures(flat, (12,)) is flat


def test_pictures_are_not_scaled():
    pictures = np.random.default_rng(0).integers(0, 255, (5, 1, 4, 4), dtype=np.uint8)
    assert_array_equal(shallow.fit_scaler(pictures, "standard").scale, np.ones(16))
    assert (shallow.fit_scaler(pictures[:, 0, 0], "standard").scale > 1).all()


def test_limit_takes_rows_once_in_order_and_says_so(caplog):
    rows = np.arange(100)[:, None]
    with caplog.at_level(logging.WARNING):
        kept = shallow.limit_rows(rows, 30, random_state=0, method="KDE")
    assert len(kept) == 30
    assert (np.diff(kept[:, 0]) > 0).all()
    assert "KDE learns from 30 of 100 rows" in caplog.text
    again = shallow.limit_rows(rows, 30, random_state=0, method="KDE")
    other = shallow.limit_rows(rows, 30, random_state=1, method="KDE")
    assert_array_equal(kept, again)
    assert not np.array_equal(kept, other)


@pytest.mark.parametrize("limit", [None, 100])
def test_enough_room_keeps_all_rows_silently(limit, caplog):
    rows = np.arange(100)[:, None]
    assert shallow.limit_rows(rows, limit, random_state=0, method="KDE") is rows
    assert not caplog.text


@pytest.mark.parametrize("block", [1, 50, 10**6])
def test_squared_distances(monkeypatch, block):
    monkeypatch.setattr(shallow, "_BLOCK", block)
    rng = np.random.default_rng(0)
    rows, others = rng.normal(size=(20, 5)) + 2.0**20, rng.normal(size=(7, 5)) + 2.0**20
    found = np.full((20, 7), np.nan)
    for part, squares in shallow.squared_distances(rows, others):
        found[part] = squares
    assert_allclose(found, cdist(rows, others, "sqeuclidean"), rtol=1e-12)
