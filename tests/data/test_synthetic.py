"""The planted problems are what their text says, and can be solved."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import ks_2samp
from sklearn.neighbors import NearestNeighbors

from whitecrow.data import synthetic
from whitecrow.errors import ParameterError
from whitecrow.metrics import auroc

KINDS = tuple(synthetic.KINDS)


def distance_to_neighbours(X, k=10):
    return NearestNeighbors(n_neighbors=k).fit(X).kneighbors()[0].mean(axis=1)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", [0, 1])
def test_anomalies_can_be_found_and_labels_matter(kind, seed):
    X, y = synthetic.planted(kind, 1000, 10, random_state=seed)
    score = distance_to_neighbours(X)
    assert auroc(y, score) > 0.9
    shuffled = np.random.default_rng(0).permutation(y)
    assert 0.35 < auroc(shuffled, score) < 0.65


@given(
    kind=st.sampled_from(KINDS),
    n=st.integers(2, 200),
    d=st.integers(2, 12),
    contamination=st.floats(0, 0.5),
    seed=st.integers(0, 2**32),
)
def test_shapes_counts_and_repeatability(kind, n, d, contamination, seed):
    X, y = synthetic.planted(kind, n, d, contamination=contamination, random_state=seed)
    assert X.shape == (n, d)
    assert X.dtype == np.float64
    assert np.isfinite(X).all()
    assert set(np.unique(y)) <= {0, 1}
    assert abs(y.sum() - n * contamination) <= 1
    assert (y.sum() > 0) == (contamination > 0)
    again = synthetic.planted(
        kind, n, d, contamination=contamination, random_state=seed
    )
    np.testing.assert_array_equal(X, again[0])
    np.testing.assert_array_equal(y, again[1])


@pytest.mark.parametrize("kind", KINDS)
def test_rows_are_shuffled_and_seeds_differ(kind):
    X, y = synthetic.planted(kind, 400, 3, contamination=0.25, random_state=0)
    assert 20 < y[:200].sum() < 80
    assert not np.array_equal(X, synthetic.planted(kind, 400, 3, random_state=1)[0])


def test_local_anomalies_inflate_the_covariance_five_times():
    X, y = synthetic.planted(
        "local", 20_000, 6, contamination=0.5, n_clusters=1, random_state=0
    )
    ratio = np.cov(X[y == 1].T) / np.cov(X[y == 0].T)
    np.testing.assert_allclose(np.diag(ratio), 5.0, rtol=0.1)
    np.testing.assert_allclose(X[y == 1].mean(0), X[y == 0].mean(0), atol=0.1)


def test_global_anomalies_fill_the_widened_box():
    X, y = synthetic.planted("global", 4000, 4, contamination=0.5, random_state=0)
    low, high = X[y == 0].min(axis=0), X[y == 0].max(axis=0)
    place = (X[y == 1] - low) / (high - low)
    assert place.min() >= -0.05 - 1e-12
    assert place.max() <= 1.05 + 1e-12
    np.testing.assert_allclose(place.min(axis=0), -0.05, atol=0.01)
    np.testing.assert_allclose(place.max(axis=0), 1.05, atol=0.01)


def test_dependency_anomalies_keep_marginals_and_lose_correlation():
    X, y = synthetic.planted(
        "dependency", 8000, 5, contamination=0.5, n_clusters=1, random_state=0
    )
    normal, odd = X[y == 0], X[y == 1]
    for column in range(5):
        assert ks_2samp(normal[:, column], odd[:, column]).pvalue > 1e-4
    off = ~np.eye(5, dtype=bool)
    assert np.abs(np.corrcoef(normal.T)[off]).min() > 0.5
    assert np.abs(np.corrcoef(odd.T)[off]).max() < 0.06


def test_clustered_anomalies_are_dense_and_five_times_as_far():
    X, y = synthetic.planted(
        "clustered", 8000, 6, contamination=0.5, n_clusters=1, random_state=0
    )
    normal, odd = X[y == 0], X[y == 1]
    np.testing.assert_allclose(odd.mean(0), 5 * normal.mean(0), atol=0.3)
    np.testing.assert_allclose(np.cov(odd.T), np.cov(normal.T), atol=0.1)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"kind": "odd"}, ["kind='odd'", "local, global, dependency, clustered"]),
        ({"n": 1}, ["n=1", "at least 2"]),
        ({"d": 0}, ["d=0", "at least 1"]),
        ({"kind": "dependency", "d": 1}, ["d=1", "at least 2"]),
        ({"contamination": 0.6}, ["contamination=0.6", "[0, 0.5]"]),
        ({"contamination": float("nan")}, ["contamination=nan"]),
        ({"n_clusters": 0}, ["n_clusters=0"]),
    ],
)
def test_illegal_parameters_are_named(arguments, words):
    with pytest.raises(ParameterError) as caught:
        synthetic.planted(**arguments)
    assert all(word in str(caught.value) for word in words)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", [*synthetic.DEFECTS, "mixed"])
def test_pictures_have_defects_where_the_masks_say(kind):
    images, y, masks = synthetic.pictures(kind, 60, contamination=0.2, random_state=0)
    assert images.shape == (60, 1, 32, 32)
    assert images.dtype == np.uint8
    assert y.sum() == 12
    np.testing.assert_array_equal(masks.any(axis=(1, 2)), y == 1)
    # The usual picture varies little, so defect pixels stand out from it.
    usual = images[y == 0, 0].astype(float)
    excess = np.abs(images[:, 0] - usual.mean()) / usual.std()
    assert excess[masks].mean() > 3
    assert excess[~masks].mean() < 1.5


@pytest.mark.parametrize(("kind", "sign"), [("blob", -1), ("scratch", 1)])
def test_blobs_are_dark_and_scratches_bright_and_seen_by_neighbours(kind, sign):
    images, y, masks = synthetic.pictures(kind, 200, random_state=1)
    grey = images[:, 0].astype(float)
    assert sign * (grey[masks].mean() - grey[~masks].mean()) > 40
    assert auroc(y, distance_to_neighbours(grey.reshape(200, -1))) > 0.9


def test_blobs_lie_inside_the_picture():
    masks = synthetic.pictures("blob", 200, contamination=0.5, random_state=0).masks
    assert not masks[:, [0, -1]].any()
    assert not masks[:, :, [0, -1]].any()


def test_pictures_repeat_and_refuse():
    first, again = (synthetic.pictures(n=10, size=16, random_state=3) for _ in "ab")
    np.testing.assert_array_equal(first.images, again.images)
    with pytest.raises(ParameterError, match="size=4"):
        synthetic.pictures(size=4)
    with pytest.raises(ParameterError, match="blob, scratch, mixed"):
        synthetic.pictures("hole")
