"""Noise: a member draws the same alone and in a stack."""

import torch

from whitecrow.deep.nets.noise import Noise

CPU = torch.device("cpu")


def test_members_draw_as_if_alone():
    together, alone = Noise([1, 2, 3], CPU), Noise([2], CPU)
    for _ in range(2):
        assert (
            together.normal(torch.empty(3, 4, 5))[1] == alone.normal(torch.empty(4, 5))
        ).all()
        assert (
            together.uniform(torch.empty(3, 7))[1] == alone.uniform(torch.empty(7))
        ).all()


def test_distributions_and_types():
    noise = Noise([0], CPU)
    normal = noise.normal(torch.empty(100_000, dtype=torch.float64))
    assert normal.dtype == torch.float64
    assert abs(normal.mean()) < 0.02
    assert abs(normal.std() - 1) < 0.02
    uniform = noise.uniform(torch.empty(100_000))
    assert uniform.min() >= 0
    assert uniform.max() < 1
    assert abs(uniform.mean() - 0.5) < 0.01


def test_global_generator_is_left_alone():
    before = torch.random.get_rng_state()
    Noise([0], CPU).normal(torch.empty(3))
    assert (torch.random.get_rng_state() == before).all()
