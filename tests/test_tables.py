import logging

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.spatial.distance import cdist
from sklearn.base import clone

import whitecrow as wc
from whitecrow import tables


def test_pictures_become_rows_of_unit_values_channel_by_channel():
    pictures = np.zeros((2, 3, 4, 5), dtype=np.uint8)
    pictures[1, 2, 3, 4] = 255
    rows = tables.as_table(pictures)
    assert rows.shape == (2, 60)
    assert rows.sum() == rows[1, -1] == 1.0


def test_tables_stay_as_they_are():
    rows = np.ones((3, 2))
    assert tables.as_table(rows) is rows


def test_contributions_of_pictures_are_summed_over_channels():
    flat = np.arange(24.0).reshape(2, 12)
    maps = tables.as_pictures(flat, (3, 2, 2))
    assert_array_equal(maps[0], [[0 + 4 + 8, 1 + 5 + 9], [2 + 6 + 10, 3 + 7 + 11]])
    assert tables.as_pictures(flat, (12,)) is flat


def test_pictures_are_not_scaled():
    pictures = np.random.default_rng(0).integers(0, 255, (5, 1, 4, 4), dtype=np.uint8)
    assert_array_equal(tables.fit_scaler(pictures, "standard").scale, np.ones(16))
    assert (tables.fit_scaler(pictures[:, 0, 0], "standard").scale > 1).all()


def test_limit_takes_rows_once_in_order_and_says_so(caplog):
    rows = np.arange(100)[:, None]
    with caplog.at_level(logging.WARNING):
        kept = tables.limit_rows(rows, 30, random_state=0, method="KDE")
    assert len(kept) == 30
    assert (np.diff(kept[:, 0]) > 0).all()
    assert "KDE learns from 30 of 100 rows" in caplog.text
    again = tables.limit_rows(rows, 30, random_state=0, method="KDE")
    other = tables.limit_rows(rows, 30, random_state=1, method="KDE")
    assert_array_equal(kept, again)
    assert not np.array_equal(kept, other)


@pytest.mark.parametrize("limit", [None, 100])
def test_enough_room_keeps_all_rows_silently(limit, caplog):
    rows = np.arange(100)[:, None]
    assert tables.limit_rows(rows, limit, random_state=0, method="KDE") is rows
    assert not caplog.text


@pytest.mark.parametrize("block", [1, 50, 10**6])
def test_squared_distances(monkeypatch, block):
    monkeypatch.setattr(tables, "_BLOCK", block)
    rng = np.random.default_rng(0)
    rows, others = rng.normal(size=(20, 5)) + 2.0**20, rng.normal(size=(7, 5)) + 2.0**20
    found = np.full((20, 7), np.nan)
    for part, squares in tables.squared_distances(rows, others):
        found[part] = squares
    assert_allclose(found, cdist(rows, others, "sqeuclidean"), rtol=1e-12)


def test_twins_are_equal_to_the_bit():
    rng = np.random.default_rng(0)
    train = rng.normal(size=(500, 7))
    train[3] = 0.0
    rows = np.r_[train[[3, 10, 499]], np.nextafter(train[:5], np.inf), -0.0 * train[:1]]
    assert_array_equal(tables.twins(train, rows), [3, 10, 499, *[-1] * 5, 3])
    assert_array_equal(tables.twins(train[:1], train[:2]), [0, -1])


@pytest.mark.parametrize("d", [1, 2, 30])
def test_different_rows_have_different_hashes(d):
    grid = np.random.default_rng(0).integers(-9, 9, (5000, d)) / 8
    n = len(np.unique(grid, axis=0))
    assert len(np.unique(tables._hashes(grid))) == n


def near_copies():
    """Readings, and the same ones in other units and back: distances round to 0."""
    rows = np.random.default_rng(0).normal(20, 5, (150, 20))
    return np.r_[rows, ((rows * 1.8 + 32) - 32) / 1.8]


@pytest.mark.parametrize(
    "detector",
    [wc.KDE(), wc.KDE(kernel="exponential"), wc.KNN(), wc.KNN(n_neighbors=1), wc.LOF()],
)
def test_scores_beside_near_copies_do_not_depend_on_company(detector):
    """Which of two near copies was the row itself depended on rounding."""
    rows = near_copies()
    fitted = clone(detector).fit(rows)
    together = fitted.anomaly_score(rows)
    alone = np.concatenate([fitted.anomaly_score(row[None]) for row in rows])
    assert_allclose(alone, together, rtol=1e-6, atol=1e-6)
    order = np.random.default_rng(1).permutation(len(rows))
    assert_allclose(fitted.anomaly_score(rows[order]), together[order], atol=1e-6)
