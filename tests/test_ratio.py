import numpy as np
import pytest

from whitecrow.errors import DataError
from whitecrow.ratio import among_unlabelled, iw_kde, nearest

# specs/active_soel.md 14.7
SCORES = [0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.9, 1]


@pytest.mark.parametrize(
    ("queried", "y", "share"),
    [
        ([0, 4, 8, 9], [0, 0, 1, 1], 0.323206439460),
        ([8, 9], [1, 1], 0.607552548313),
        (range(10), [0] * 8 + [1] * 2, 0.2),
    ],
)
def test_golden_estimate(queried, y, share):
    found = iw_kde(scores=SCORES, queried=list(queried), y=y)
    assert found == pytest.approx(share, abs=1e-11)


def test_golden_share_of_the_rest():
    rest = among_unlabelled(0.323206439460, n=10, y=[0, 0, 1, 1])
    assert rest == pytest.approx(0.205344065766, abs=1e-11)


def test_the_estimate_has_no_units():
    moved = iw_kde(scores=np.multiply(SCORES, 100) - 7, queried=[0, 8], y=[0, 1])
    same = iw_kde(scores=SCORES, queried=[0, 8], y=[0, 1])
    assert moved == pytest.approx(same)


def test_equal_scores_say_nothing():
    assert iw_kde(scores=np.ones(9), queried=[1, 2, 3, 4], y=[0, 0, 1, 0]) == 0.25


def test_labels_that_contradict_the_share():
    assert among_unlabelled(0.1, n=10, y=[1, 1, 1]) == 0
    assert among_unlabelled(1.5, n=10, y=[0, 0]) == 1
    assert among_unlabelled(0.5, n=2, y=[1, 0]) == 0


@pytest.mark.parametrize(
    ("scores", "queried", "y"),
    [(SCORES, [], []), (SCORES, [1, 2], [1]), ([np.nan, 1.0], [0], [1])],
)
def test_nothing_to_estimate_from(scores, queried, y):
    with pytest.raises(DataError, match="the ratio needs finite scores and one label"):
        iw_kde(scores=scores, queried=queried, y=y)


# ------------------------------------------------------------- the nearest labelled row


def test_a_row_that_is_far_from_all_stands_for_itself():
    """Half of the answers are anomalies, but few rows are like them."""
    codes = np.r_[np.linspace(0, 1, 97), [20, 30, 40]][:, None]
    queried, y = [10, 50, 90, 97, 98, 99], [0, 0, 0, 1, 1, 1]
    assert nearest(embeddings=codes, queried=queried, y=y) == 0.03


def test_probabilities_count_in_part():
    codes = np.arange(4.0)[:, None]
    assert nearest(embeddings=codes, queried=[0, 3], y=[0.1, 0.5]) == 0.3


def test_nearest_does_not_depend_on_the_order_of_answers():
    rng = np.random.default_rng(0)
    codes, queried, y = rng.normal(size=(50, 3)), np.arange(8), np.arange(8) % 2
    back = {"queried": queried[::-1], "y": y[::-1]}
    assert nearest(embeddings=codes, queried=queried, y=y) == nearest(
        embeddings=codes, **back
    )


@pytest.mark.parametrize(
    ("codes", "queried", "y"),
    [([[0.0], [1.0]], [], []), ([[0.0], [1.0]], [0], [0, 1]), ([[np.nan]], [0], [0])],
)
def test_nearest_refuses(codes, queried, y):
    with pytest.raises(DataError, match="needs finite codes"):
        nearest(embeddings=codes, queried=queried, y=y)
