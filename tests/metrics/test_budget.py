import numpy as np
import pytest

from whitecrow.errors import DataError
from whitecrow.metrics import Curve, detection, discovery

Y = [0, 1, 0, 1, 1, 0]
SCORE = [6, 5, 4, 3, 2, 1]


def test_discovery_beside_ranking_and_ideal():
    curves = discovery([3, 0, 1, 2], Y, SCORE)
    assert curves.found.values.tolist() == [1, 1, 2, 2]
    assert curves.ranked.values.tolist() == [0, 1, 1, 2]
    assert curves.ideal.values.tolist() == [1, 2, 3, 3]
    assert curves.found.questions.tolist() == [1, 2, 3, 4]
    assert curves.area() == pytest.approx(6 / 9)


def test_perfect_discovery_has_area_one():
    assert discovery([1, 3, 4, 0], Y, SCORE).area() == 1.0
    assert np.isnan(discovery([0, 1], [0, 0], [1, 2]).area())


def test_value_at_a_budget():
    curve = detection([5, 10, 20], [0.6, 0.8, 0.9])
    assert [curve.at(b) for b in (5, 9, 10, 99)] == [0.6, 0.6, 0.8, 0.9]
    assert np.isnan(curve.at(4))
    assert curve.area() == pytest.approx((0.7 * 5 + 0.85 * 10) / 15)
    assert Curve(np.array([3]), np.array([0.7])).area() == 0.7


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: discovery([0], Y, SCORE[:-1]), "give one each"),
        (lambda: discovery([6], Y, SCORE), "rows of 0 to 5"),
        (lambda: discovery([], Y, SCORE), "rows of 0 to 5"),
        (lambda: discovery([0], [0, 2], [0, 1]), "more than 0 and 1"),
        (lambda: detection([1, 1], [0.5, 0.5]), "increasing"),
        (lambda: detection([], []), "increasing"),
    ],
)
def test_bad_data(call, message):
    with pytest.raises(DataError, match=message):
        call()
