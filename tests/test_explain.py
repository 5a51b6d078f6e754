from typing import ClassVar

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import whitecrow as wc
from whitecrow import explain
from whitecrow.detector import Detector

RNG = np.random.default_rng(0)
# Columns that follow two factors, so that one column alone can be odd.
TABLE = RNG.normal(size=(300, 2)) @ RNG.normal(size=(2, 6))
TABLE += 0.1 * RNG.normal(size=TABLE.shape)
PICTURES = RNG.integers(100, 120, (40, 1, 24, 36), dtype=np.uint8)

FAST = {"epochs": 20, "random_state": 0, "device": "cpu"}
EXPLAINED = {
    "exact": wc.AutoEncoder(**FAST),
    "gradient": wc.DeepSVDD(pretrain=False, **FAST),
    "gradient, members": wc.DeepSVDD(pretrain=False, n_members=2, **FAST),
    "occlusion": wc.KDE(),
}


class Sum(Detector):
    """The sum of a row or of a picture: every value counts the same."""

    explanation: ClassVar[str] = "occlusion"

    def __init__(self, contamination="auto"):
        self.contamination = contamination

    def _fit(self, X, codes, auxiliary):
        self.fitted_ = True

    def _anomaly_score(self, X):
        return X.astype(float).sum(axis=tuple(range(1, X.ndim)))


def odd_rows():
    """Usual rows with one column moved, and the column."""
    rows, columns = TABLE[:24].copy(), np.arange(24) % 6
    rows[np.arange(24), columns] += 8 * TABLE.std(axis=0)[columns]
    return rows, columns


@pytest.mark.parametrize("name", EXPLAINED)
def test_the_planted_column_comes_first(name):
    detector = EXPLAINED[name].fit(TABLE)
    rows, columns = odd_rows()
    parts = detector.explain(rows)
    assert parts.shape == rows.shape
    assert parts.dtype == np.float64
    assert (parts.argmax(axis=1) == columns).mean() >= 0.75


@pytest.mark.parametrize("name", EXPLAINED)
def test_the_planted_place_of_a_picture_is_hot(name):
    detector = Sum() if name == "occlusion" else EXPLAINED[name].set_params(epochs=3)
    detector.fit(PICTURES)
    odd = PICTURES[:1].copy()
    odd[0, 0, 14:20, 4:10] = 255
    heat = detector.explain(odd)
    assert heat.shape == (1, 24, 36)
    inside = heat[0, 14:20, 4:10].mean()
    assert inside > 2 * np.abs(heat).mean()


@pytest.mark.parametrize("name", ["exact", "gradient", "gradient, members"])
def test_contributions_add_up(name):
    """To the score, or for gradients to its distance from that of the typical row."""
    detector = EXPLAINED[name].set_params(epochs=10).fit(TABLE)
    rows, _ = odd_rows()
    score = detector.anomaly_score(rows)
    if name != "exact":
        score = score - detector.anomaly_score(detector.typical_[None])
    assert_allclose(detector.explain(rows).sum(axis=1), score, rtol=0.02, atol=0.02)


def test_occlusion_is_what_a_typical_value_takes_away():
    detector = Sum().fit(TABLE)
    assert_allclose(detector.explain(TABLE[:5]), TABLE[:5] - np.median(TABLE, axis=0))


def test_occlusion_in_blocks_is_that_in_one(monkeypatch):
    detector = wc.KDE().fit(TABLE)
    whole = detector.explain(TABLE[:9])
    monkeypatch.setattr(explain, "_BLOCK", 7)
    assert_allclose(detector.explain(TABLE[:9]), whole)


@pytest.mark.parametrize("name", EXPLAINED)
def test_explanations_in_pieces_are_those_at_once(name, monkeypatch):
    """Gradients of all rows were in memory together."""
    detector = EXPLAINED[name].fit(TABLE)
    whole = detector.explain(TABLE[:9])
    asked, own = [], type(detector)._contributions
    monkeypatch.setattr(
        type(detector),
        "_contributions",
        lambda self, X: asked.append(len(X)) or own(self, X),
    )
    monkeypatch.setattr(explain, "_NUMBERS", 4 * 6)
    assert_allclose(detector.explain(TABLE[:9]), whole, rtol=1e-5, atol=1e-6)
    assert asked == [4, 4, 1]


@pytest.mark.parametrize("kind", [np.uint8, np.float32])
def test_patches_are_replaced_by_the_mean_picture_in_the_units_of_the_picture(kind):
    unit = 255 if kind == np.float32 else 1
    given = (PICTURES / unit).astype(kind)
    detector = Sum().fit(given)
    heat = detector._contributions(given[:1])
    # 24 x 36 pixels in 12 x 12 patches of 2 x 3
    difference = given[0, 0] - PICTURES.mean(axis=0)[0].astype(kind) / unit
    patches = difference.reshape(12, 2, 12, 3).sum(axis=(1, 3))
    assert_allclose(heat[0, ::2, ::3], patches, rtol=1e-3, atol=0.02)


def test_a_detector_around_another_passes_its_explanation_on():
    """Once smoothed, not twice."""
    outer = wc.LOE(wc.DeepSVDD(pretrain=False, **FAST), ratio=0.1).fit(PICTURES)
    inner = outer.detector_
    assert_array_equal(outer.explain(PICTURES[:2]), inner.explain(PICTURES[:2]))


def test_pictures_smaller_than_the_grid_of_patches():
    small = np.ascontiguousarray(PICTURES[:, :, :5, :7])
    assert Sum().fit(small).explain(small[:2]).shape == (2, 5, 7)


def test_typical_rows_have_nothing_to_explain():
    detector = EXPLAINED["gradient"].fit(TABLE)
    assert_allclose(detector.explain(detector.typical_[None]), np.zeros((1, 6)))


def test_methods_say_how_they_are_explained():
    for record in wc.methods():
        assert record.cls().explanation in {"exact", "gradient", "occlusion"}


@pytest.mark.parametrize(
    ("detector", "way"),
    [
        (wc.LOE(wc.NeuTraLAD(epochs=1)), "occlusion"),
        (wc.LOE(wc.DeepSVDD(epochs=1)), "gradient"),
        (wc.LOE(wc.RobustAutoEncoder(epochs=1)), "exact"),
        (wc.LOE(), "occlusion"),
        (wc.SOEL(wc.HSC(epochs=1)), "gradient"),
        (wc.SOEL([wc.HSC(epochs=1), wc.NeuTraLAD(epochs=1)]), "occlusion"),
        (wc.SOEL([wc.HSC(epochs=1), wc.RobustAutoEncoder(epochs=1)]), "gradient"),
        (wc.Consensus([wc.KNN(), wc.PCA()]), "exact"),
        (wc.Consensus([wc.KNN(), wc.OCSVM()]), "occlusion"),
        (wc.Consensus(), "exact"),
    ],
)
def test_wrappers_say_how_what_they_wrap_is_explained(detector, way):
    """They all said "exact"."""
    assert detector.explanation == way
    if detector.get_params(deep=False).get("detector", detector) is not None:
        assert detector.fit(TABLE[:40]).explanation == way
