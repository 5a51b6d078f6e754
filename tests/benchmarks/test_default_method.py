"""The default method is chosen on other tables than it is judged on."""

import default_method
import numpy as np


def test_each_table_is_judged_by_a_choice_without_it():
    # The first candidate is better on two tables of three, by little.
    one, two = [80.0, 80.0, 10.0], [79.0, 79.0, 90.0]
    table = np.stack([one, two])[:, :, None].repeat(2, axis=2)
    chosen = default_method.left_out(table, [np.array([j]) for j in range(3)])
    assert chosen == [1, 1, 0]
    assert default_method.expected(table, chosen).tolist() == [56.0, 56.0]


def test_folds_are_left_out_together():
    table = np.zeros((2, 4, 2))
    table[0, :2], table[1, 2:] = 1, 1
    halves = [np.array([0, 1]), np.array([2, 3])]
    assert default_method.left_out(table, halves) == [1, 1, 0, 0]
