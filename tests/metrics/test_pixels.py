"""Heat maps against masks: cases by hand, a slow copy of the definition, time."""

from __future__ import annotations

import itertools
import time
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage
from sklearn.metrics import (
    average_precision_score,
    precision_recall_curve,
    roc_auc_score,
)

from whitecrow.errors import DataError, ParameterError
from whitecrow.metrics.pixels import evaluate_pixels, regions

Array = NDArray[Any]


def slow_pro(heat: Array, masks: Array, limit: float) -> float:
    """PRO by its definition: every threshold, every region, one after the other."""
    found = []
    for row, mask in enumerate(masks):
        labelled, k = ndimage.label(mask, np.ones((3, 3)))
        found += [(row, labelled == number + 1) for number in range(k)]
    curve = [(0.0, 0.0)]
    for threshold in np.unique(heat)[::-1]:
        hot = heat >= threshold
        rate = (hot & ~masks).sum() / (~masks).sum()
        overlap = np.mean([hot[row][region].mean() for row, region in found])
        curve.append((float(rate), float(overlap)))
    area = 0.0
    for (x0, y0), (x1, y1) in itertools.pairwise(curve):
        if x1 > limit:
            y1 = y0 + (y1 - y0) * (limit - x0) / (x1 - x0)
            x1 = limit
        area += (x1 - x0) * (y0 + y1) / 2
        if x1 == limit:
            break
    return area / limit


def by_rectangles(seed: int, *, ties: bool) -> tuple[Array, Array]:
    random = np.random.default_rng(seed)
    masks = np.zeros((6, 17, 13), dtype=bool)
    for row in range(4):
        for _ in range(int(random.integers(1, 4))):
            y, x = random.integers(0, 12), random.integers(0, 9)
            masks[row, y : y + random.integers(1, 6), x : x + random.integers(1, 4)] = 1
    heat = random.normal(size=masks.shape) + random.uniform(0, 2) * masks
    return (np.round(heat) if ties else heat), masks


@pytest.mark.parametrize("limit", [0.05, 0.3, 1.0])
@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("seed", range(5))
def test_against_the_definition(seed: int, ties: bool, limit: float) -> None:
    heat, masks = by_rectangles(seed, ties=ties)
    found = evaluate_pixels(heat, masks, fpr_limit=limit)
    assert found.pro == pytest.approx(slow_pro(heat, masks, limit), abs=1e-12)


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("seed", range(5))
def test_against_scikit_learn(seed: int, ties: bool) -> None:
    heat, masks = by_rectangles(seed, ties=ties)
    found, flat = evaluate_pixels(heat, masks), (masks.ravel(), heat.ravel())
    assert found.auroc == pytest.approx(roc_auc_score(*flat), abs=1e-12)
    expected = average_precision_score(*flat)
    assert found.average_precision == pytest.approx(expected, abs=1e-12)
    precision, recall, _ = precision_recall_curve(*flat)
    f1 = 2 * precision * recall / np.maximum(precision + recall, 1e-12)
    assert found.best_f1 == pytest.approx(f1.max(), abs=1e-12)
    assert (found.n_pictures, found.n_masks) == (6, 4)


def test_by_hand() -> None:
    # Regions of 1 and 3 pixels; 6 clear pixels. From the hottest pixel on: the
    # small region (PRO 1/2), a clear pixel (rate 1/6), two of three (PRO 5/6), ...
    masks = np.array([[[1, 0, 0, 0, 0], [0, 0, 1, 1, 1]]], dtype=bool)
    heat = np.array([[[9, 0, 0, 0, 8], [0, 0, 7, 7, 1]]], dtype=float)
    found = evaluate_pixels(heat, masks)
    assert found.n_regions == 2
    # 1/2 up to a rate of 1/6, then 5/6 up to 0.3 (the last pixel ends it at 1/6 too).
    assert found.pro == pytest.approx((1 / 2 / 6 + (0.3 - 1 / 6)) / 0.3)
    assert found.auroc == pytest.approx(21 / 24)
    assert found.average_precision == pytest.approx(
        1 / 4 + 2 / 4 * 3 / 4 + 1 / 4 * 4 / 5
    )
    assert found.best_f1 == pytest.approx(2 * 4 / (5 + 4))


def test_regions_count_alike_whatever_their_size() -> None:
    masks = np.zeros((2, 20, 20), dtype=bool)
    masks[0, :10, :10] = masks[1, 3, 3] = True
    large, small = np.zeros((2, 2, 20, 20))
    large[0, :10, :10] = 1
    small[1, 3, 3] = 1
    one, other = evaluate_pixels(large, masks), evaluate_pixels(small, masks)
    assert one.pro is not None
    assert one.auroc is not None
    # The region that is not found has the score of all clear pixels: half a unit.
    assert one.pro == pytest.approx(other.pro)
    assert one.auroc > 0.99
    assert other.auroc == pytest.approx(0.5 + 0.5 / 101)


def test_extremes() -> None:
    heat, masks = by_rectangles(0, ties=False)
    assert evaluate_pixels(masks.astype(float), masks).pro == 1
    assert evaluate_pixels(1.0 - masks, masks).pro == 0
    constant = evaluate_pixels(np.ones(masks.shape), masks)
    assert constant.auroc == pytest.approx(0.5)
    assert constant.pro == pytest.approx(0.15)
    assert evaluate_pixels(heat.astype(np.float32), masks).pro == pytest.approx(
        slow_pro(heat.astype(np.float32), masks, 0.3)
    )


def test_the_hottest_clear_pixels_may_fill_the_whole_range() -> None:
    masks = np.zeros((1, 10, 10), dtype=bool)
    masks[0, 0, 0] = True
    heat = np.ones((1, 10, 10))
    heat[masks] = 0.5
    assert evaluate_pixels(heat, masks).pro == 0


def test_regions_touch_by_corners_but_not_across_pictures() -> None:
    masks = np.zeros((3, 4, 4), dtype=bool)
    masks[0, 0, 0] = masks[0, 1, 1] = masks[2, 1, 1] = masks[1, 1, 1] = True
    sizes, region = regions(masks)
    assert sorted(sizes.tolist()) == [1, 1, 2]
    assert len(region) == 4


def test_absent_classes() -> None:
    nothing = evaluate_pixels(np.zeros((2, 3, 3)), np.zeros((2, 3, 3), dtype=bool))
    assert (nothing.auroc, nothing.pro, nothing.n_masks) == (None, None, 0)
    everything = evaluate_pixels(np.zeros((2, 3, 3)), np.ones((2, 3, 3), dtype=bool))
    assert (everything.auroc, everything.pro) == (None, None)
    assert everything.average_precision == 1
    assert everything.to_dict()["n_regions"] == 2


def test_illegal_input() -> None:
    masks = np.zeros((2, 3, 3), dtype=bool)
    with pytest.raises(DataError, match="resize the masks"):
        evaluate_pixels(np.zeros((2, 6, 6)), masks)
    with pytest.raises(DataError, match="truth values"):
        evaluate_pixels(np.zeros((2, 3, 3)), masks.astype(int))
    with pytest.raises(ParameterError, match="fpr_limit=0"):
        evaluate_pixels(np.zeros((2, 3, 3)), masks, fpr_limit=0)
    heat = np.zeros((2, 3, 3))
    heat[1, 0, 0] = np.nan
    with pytest.raises(DataError, match="picture 1 is not finite"):
        evaluate_pixels(heat, masks)


def test_time_grows_with_pixels_not_with_thresholds() -> None:
    random = np.random.default_rng(0)
    heat = random.normal(size=(40, 128, 128))
    masks = np.zeros(heat.shape, dtype=bool)
    masks[:20, 30:50, 40:70] = True
    started = time.perf_counter()
    evaluate_pixels(heat, masks)  # 655,360 thresholds
    assert time.perf_counter() - started < 5
