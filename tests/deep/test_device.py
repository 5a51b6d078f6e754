import numpy as np
import pytest
import torch

from whitecrow.deep import device
from whitecrow.errors import ParameterError


def test_auto_is_the_best_of_what_is_there():
    assert str(device.resolve("auto")) == device.available()[0]
    assert device.available()[-1] == "cpu"


@pytest.mark.parametrize("name", ["tpu", "cuda:7x", "", "CPU", "meta"])
def test_a_device_that_is_not_there_is_refused_with_those_that_are(name):
    with pytest.raises(ParameterError, match=r"use one of 'auto', .*'cpu'"):
        device.resolve(name)


def test_accelerators_are_preferred(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert device.available()[0] == "cuda"
    assert device.resolve("cuda:1") == torch.device("cuda", 1)


def test_seeds_do_not_depend_on_how_many_there_are():
    assert device.seeds(7, 3) == device.seeds(7, 9)[:3]
    assert len(set(device.seeds(7, 100))) == 100
    assert device.seeds(7, 2) != device.seeds(8, 2)
    assert all(0 <= seed < 2**63 for seed in device.seeds(7, 100))


@pytest.mark.parametrize("kind", [np.random.RandomState, np.random.default_rng])
def test_generators_move_on_and_repeat(kind):
    one, same = kind(3), kind(3)
    first = device.seeds(one, 2)
    assert first == device.seeds(same, 2)
    assert device.seeds(one, 2) != first


def test_none_is_different_each_time():
    assert device.seeds(None, 1) != device.seeds(None, 1)


def test_seeding_is_put_back():
    torch.manual_seed(0)
    expected = torch.rand(2)
    torch.manual_seed(0)
    with device.seeded(5):
        inside = torch.rand(2)
    assert torch.equal(torch.rand(2), expected)
    with device.seeded(5):
        assert torch.equal(torch.rand(2), inside)


def test_seeding_is_put_back_after_an_error():
    torch.manual_seed(0)
    expected = torch.rand(1)
    torch.manual_seed(0)
    with pytest.raises(KeyError), device.seeded(5):
        raise KeyError
    assert torch.equal(torch.rand(1), expected)


@pytest.fixture
def three_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize(("work", "expected"), [(1e3, 1), (1e12, 3)])
def test_small_steps_run_on_one_thread(three_threads, work, expected):
    with device.threads(work):
        assert torch.get_num_threads() == expected
    assert torch.get_num_threads() == 3
    with pytest.raises(KeyError), device.threads(work):
        raise KeyError
    assert torch.get_num_threads() == 3


def test_blocks_of_one_thread_may_overlap(three_threads):
    """Enter A, enter B, leave A, leave B: one thread remained."""
    first, second = device.threads(1e3), device.threads(1e3)
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    second.__exit__(None, None, None)
    assert torch.get_num_threads() == 3
