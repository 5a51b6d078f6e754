"""PaDiM: the anomaly map points at the defect, light does not count."""

import numpy as np
import pytest

from whitecrow import PaDiM
from whitecrow.detectors import padim
from whitecrow.detectors.padim import derivatives
from whitecrow.errors import DataError


@pytest.fixture(scope="module")
def tiles():
    """Forty tiles with a pattern of their own place, and noise."""
    rng = np.random.default_rng(0)
    pattern = 100 + 40 * np.sin(np.arange(48) / 3)[None, :] * np.ones((48, 1))
    return (pattern + rng.normal(0, 4, (40, 1, 48, 48))).clip(0, 255).astype(np.uint8)


def scratch(pictures):
    damaged = pictures.copy()
    damaged[:, :, 30:34, 10:22] = 220
    return damaged


def test_finds_scratches_and_shows_where(tiles):
    model = PaDiM().fit(tiles[:30])
    damaged = scratch(tiles[30:])
    assert model.anomaly_score(damaged).min() > model.anomaly_score(tiles[30:]).max()
    heat = model.explain(damaged)
    assert heat.shape == (10, 48, 48)
    for picture in heat:
        row, column = np.unravel_index(picture.argmax(), picture.shape)
        assert 28 <= row < 36
        assert 8 <= column < 24


def test_distance_of_a_place_is_mahalanobis(tiles):
    """The inverse covariance is that of the standardised features plus the ridge."""
    model = PaDiM(normalise=False).fit(tiles)
    features = derivatives(tiles / np.float32(255))
    scaled = (features - model.mean_) / model.scale_
    block = scaled[:, 20:27, 20:27].reshape(-1, features.shape[-1])
    covariance = block.T @ block / len(block)
    expected = np.linalg.inv(covariance + 1e-3 * np.eye(len(covariance)))
    np.testing.assert_allclose(model.precision_[23, 23], expected, rtol=0.05, atol=1)


def test_light_does_not_count_when_normalised(tiles):
    dimmed = (tiles[30:] * 0.6 + 20).astype(np.float32) / 255
    plain = tiles[30:].astype(np.float32) / 255
    model = PaDiM().fit(tiles[:30])
    np.testing.assert_allclose(
        model.anomaly_score(dimmed), model.anomaly_score(plain), rtol=1e-3
    )
    literal = PaDiM(normalise=False).fit(tiles[:30])
    assert (literal.anomaly_score(dimmed) > 2 * literal.anomaly_score(plain)).all()


def test_large_pictures_are_scaled_down_but_heat_maps_keep_their_size(tiles):
    large = np.kron(tiles, np.ones((1, 1, 4, 4), np.uint8))
    model = PaDiM(size=96).fit(large[:20])
    assert model.mean_.shape[:2] == (48, 48)
    assert model.explain(large[20:22]).shape == (2, 192, 192)


def test_colour_has_three_times_the_features(tiles):
    colour = np.repeat(tiles, 3, axis=1)
    assert PaDiM().fit(colour).mean_.shape[-1] == 63


def test_refuses_tables():
    with pytest.raises(DataError, match="takes picture input"):
        PaDiM().fit(np.zeros((10, 3)))


def test_ranks_real_defects(real_data):
    """Solar cells: AUROC .966 when written; a broken bank gives about .5."""
    from sklearn.metrics import roc_auc_score

    from whitecrow.data.source import open_source

    root = real_data / "demo" / "solar_cells"
    good, test = (open_source(str(root / part)).rows() for part in ("train", "test"))
    scores = PaDiM().fit(good.images).anomaly_score(test.images)
    assert roc_auc_score(test.codes, scores) > 0.94


@pytest.mark.parametrize("size", [128, 256])
@pytest.mark.parametrize("shape", [(128, 128), (200, 130)])
def test_the_map_lies_over_what_is_odd(size, shape):
    """It was shifted to the lower right by half of the distance of two places."""
    rng = np.random.default_rng(0)
    pictures = rng.integers(100, 110, size=(12, 1, *shape)).astype(np.uint8)
    model = PaDiM(size=size).fit(pictures)
    off = []
    for top, left in [(30, 40), (60, 71), (81, 93), (41, 80)]:
        odd = pictures[:1].copy()
        odd[0, 0, top : top + 20, left : left + 20] = 200
        heat = model.explain(odd)[0]
        heat = np.where(heat > heat.max() / 2, heat, 0)
        rows, columns = np.indices(shape)
        middle = [(heat * i).sum() / heat.sum() for i in (rows, columns)]
        off.append(np.subtract(middle, (top + 9.5, left + 9.5)))
    assert np.abs(np.mean(off, axis=0)).max() < 0.35


def test_one_place_is_stretched_over_all():
    found = padim._stretched(np.full((2, 1, 3), 7.0), 1, 9, 9, 9)
    assert found.shape == (2, 9, 3)
    assert (found == 7).all()
    line = np.arange(4.0)[None]
    np.testing.assert_allclose(padim._stretched(line, 1, 7, 7, 2)[0], np.arange(7) / 2)
    np.testing.assert_array_equal(padim._stretched(line, 1, 4, 4, 1), line)
