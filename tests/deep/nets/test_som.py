"""Self-organising maps: golden values, the update rule, and a topology that is real."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal

from whitecrow.deep.nets import som
from whitecrow.deep.nets.som import SelfOrganisingMaps, train_map

DOUBLE = torch.float64


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def square(n=600, seed=0):
    """Rows all over a square."""
    return torch.rand(n, 2, generator=generator(seed))


# ------------------------------------------------------ specs/deep_unsupervised.md, G12


@pytest.mark.parametrize(
    ("n", "side"),
    [
        (452, 5),
        (3_772, 8),
        (58_596, 17),
        (148_517, 21),
        (494_021, 29),
        (2_800_000, 32),
        (10**9, 32),
        (1, 1),
        (7, 1),
        (33, 2),
    ],
)
def test_golden_sides(n, side):
    assert som.grid_side(n) == side


def test_golden_place():
    assert_allclose(som.places(torch.tensor([4 * 5 + 2]), 5), [[1.0, 0.5]])
    assert_array_equal(som.places(torch.tensor([0]), 1), [[0.0, 0.0]])


@pytest.mark.parametrize(
    ("sigma", "neurons"), [(1.0, 1), (0.3, 1), (1.5, 9), (3.0, 25)]
)
def test_golden_bubbles(sigma, neurons):
    near = som.bubble(5, sigma)
    around = torch.outer(near[2], near[2])  # the winner is in the middle
    assert around.sum() == neurons
    assert around[2, 2] == 1


# ----------------------------------------------------------------------------- winners


@pytest.mark.parametrize("piece", [1, 40, 10**6])
def test_winners_are_the_nearest_neurons(monkeypatch, piece):
    monkeypatch.setattr(som, "_PIECE", piece)
    x = torch.randn(50, 7, generator=generator(1), dtype=DOUBLE)
    weight = torch.randn(9, 7, generator=generator(2), dtype=DOUBLE)
    assert_array_equal(som.winners(x, weight), torch.cdist(x, weight).argmin(1))


def test_spare_neurons_never_win():
    weight = torch.tensor([[0.0], [1.0], [5.0]])
    spare = torch.tensor([False, True, False])
    x = torch.tensor([[1.0], [2.4], [2.6]])
    assert som.winners(x, weight, spare).tolist() == [0, 0, 2]


def test_of_equal_neurons_the_first_wins_whatever_the_piece():
    weight = torch.randn(4, 30, generator=generator())[[0, 1, 0, 2, 3, 1, 1]]
    spare = som.repeats(weight)
    assert spare.tolist() == [False, False, True, False, False, True, True]
    x = torch.randn(64, 30, generator=generator(1))
    together = som.winners(x, weight, spare)
    assert set(together.tolist()) <= {0, 1, 3, 4}
    alone = torch.cat([som.winners(row[None], weight, spare) for row in x])
    assert_array_equal(together, alone)


# ------------------------------------------------------------------------- update rule


def neighbourhood(side, sigma):
    """theta(winner, k) of all pairs of neurons, one by one."""
    theta = np.zeros((side**2, side**2))
    for a in range(side**2):
        for b in range(side**2):
            rows, columns = abs(a // side - b // side), abs(a % side - b % side)
            theta[a, b] = rows < sigma and columns < sigma
    return theta


@pytest.mark.parametrize(("sigma", "eta"), [(1.0, 0.6), (1.5, 1.0), (2.5, 0.2)])
def test_with_one_row_the_step_is_the_online_rule(sigma, eta):
    weight = torch.randn(16, 3, generator=generator(), dtype=DOUBLE)
    x = torch.randn(1, 3, generator=generator(1), dtype=DOUBLE)
    winner = torch.cdist(x, weight).argmin(1).item()
    theta = torch.from_numpy(neighbourhood(4, sigma)[winner])[:, None]
    expected = weight + eta * theta * (x - weight)
    found = som._pulled(weight, x, sigma=sigma, eta=eta)
    assert_allclose(found, expected, atol=1e-12)


def test_with_all_rows_the_step_is_the_mean_of_the_rows_around():
    weight = torch.randn(25, 3, generator=generator(), dtype=DOUBLE)
    x = torch.randn(40, 3, generator=generator(1), dtype=DOUBLE)
    theta = neighbourhood(5, 2.0)[torch.cdist(x, weight).argmin(1)]  # rows x neurons
    reached = theta.sum(0) > 0
    expected = (theta.T @ x.numpy())[reached] / theta.sum(0)[reached, None]
    found = som._pulled(weight, x, sigma=2.0, eta=1.0).numpy()
    assert_allclose(found[reached], expected, atol=1e-12)
    assert_array_equal(found[~reached], weight.numpy()[~reached])


@pytest.mark.parametrize(
    ("algorithm", "etas"),
    [("batch", [1.0, 1.0]), ("online", [0.6 / (1 + t / 2) for t in range(4)])],
)
def test_steps_get_smaller_and_narrower(monkeypatch, algorithm, etas):
    seen, plain = [], som._pulled

    def spy(weight, x, *, sigma, eta):
        seen.append((len(x), sigma, eta))
        return plain(weight, x, sigma=sigma, eta=eta)

    monkeypatch.setattr(som, "_pulled", spy)
    train_map(square(100), 5, algorithm=algorithm, epochs=2, generator=generator())
    rows, sigmas, found = zip(*seen, strict=True)
    steps = len(etas)
    assert_allclose(found, etas)
    assert_allclose(sigmas, [2.5 / (1 + 2 * t / steps) for t in range(steps)])
    assert rows == ((100, 100) if algorithm == "batch" else (64, 36, 64, 36))


# ---------------------------------------------------------------------------- topology

both = pytest.mark.parametrize("algorithm", som.ALGORITHMS)


def distances(weight, side):
    """Between all pairs of neurons: among the rows, and in steps on the grid."""
    place = torch.cartesian_prod(*[torch.arange(float(side))] * 2)
    return torch.cdist(weight, weight), torch.cdist(place, place, p=1)


@both
def test_neighbours_on_the_grid_are_neighbours_among_the_rows(algorithm):
    weight = train_map(square(), 8, algorithm=algorithm, generator=generator())
    far, steps = distances(weight, 8)
    assert far[steps == 1].mean() < 0.25 * far[steps >= 6].mean()
    assert np.corrcoef(far.ravel(), steps.ravel())[0, 1] > 0.6


def test_without_a_neighbourhood_they_are_not(monkeypatch):
    """The map of the reference: its winner learns alone."""
    monkeypatch.setattr(som, "bubble", lambda side, sigma: torch.eye(side).double())
    far, steps = distances(train_map(square(), 8, generator=generator()), 8)
    assert far[steps == 1].mean() > 0.75 * far[steps >= 6].mean()


@both
def test_the_map_spreads_over_the_rows(algorithm):
    x = square()
    weight = train_map(x, 8, algorithm=algorithm, generator=generator())
    error = torch.cdist(x, weight).min(1).values.mean()
    assert error < 0.3 * torch.cdist(x, x.mean(0, keepdim=True)).mean()


@both
def test_only_the_generator_decides(algorithm):
    before = torch.random.get_rng_state()
    maps = [
        train_map(square(200), 5, algorithm=algorithm, generator=generator(seed))
        for seed in (1, 1, 2)
    ]
    assert_array_equal(maps[0], maps[1])
    assert not np.allclose(maps[0], maps[2])
    assert_array_equal(torch.random.get_rng_state(), before)


def test_the_batch_rule_does_not_depend_on_pieces(monkeypatch):
    whole = train_map(square(), 6, generator=generator())
    monkeypatch.setattr(som, "_PIECE", 36 * 7)
    assert_allclose(train_map(square(), 6, generator=generator()), whole, atol=1e-6)


@both
@pytest.mark.parametrize(("n", "side"), [(1, 1), (1, 3), (2, 4), (70, 1)])
def test_few_rows(algorithm, n, side):
    x = square(n)
    weight = train_map(x, side, algorithm=algorithm, generator=generator())
    assert weight.shape == (side**2, 2)
    assert weight.isfinite().all()
    assert (weight >= x.min(0).values - 1e-6).all()
    assert (weight <= x.max(0).values + 1e-6).all()


def test_equal_rows_leave_one_neuron():
    weight = train_map(torch.full((50, 3), 0.3), 4, generator=generator())
    assert som.repeats(weight).sum() == 15


# --------------------------------------------------------------------- maps as a module


def test_places_of_members_and_maps():
    """Maps of members: each looks at its own rows, one map after the other."""
    x = torch.randn(2, 11, 3, generator=generator())
    maps = SelfOrganisingMaps(2, 3, 3)
    maps.weight, maps.spare = (
        torch.zeros(2, *part.shape, dtype=part.dtype)
        for part in (maps.weight, maps.spare)
    )
    weights = torch.randn(2, 2, 9, 3, generator=generator(1))
    for member in range(2):
        for number in range(2):
            maps.store(weights[member, number], number, member)
    found = maps(x)
    assert found.shape == (2, 11, 4)
    for member in range(2):
        for number in range(2):
            winner = torch.cdist(x[member], weights[member, number]).argmin(1)
            place = torch.stack([winner // 3, winner % 3], dim=1) / 2
            assert_allclose(found[member, :, 2 * number : 2 * number + 2], place)


def test_maps_are_part_of_the_state():
    maps = SelfOrganisingMaps(1, 2, 3)
    maps.store(torch.ones(4, 3), 0)
    state = maps.state_dict()
    assert set(state) == {"weight", "spare"}
    assert state["spare"].tolist() == [[False, True, True, True]]
    assert not list(maps.parameters())
