"""Device, threads and seeds: the only file that says "cuda".

Small networks run slower on two threads than on one (up to 18 times where cores are
shared), so `threads` picks one thread for them and gives the setting back afterwards.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor

from whitecrow.errors import ParameterError

__all__ = [
    "answers_at_once",
    "available",
    "can_fuse",
    "resolve",
    "seeded",
    "seeds",
    "threads",
    "wide",
]

# Below this many multiply-adds a step, a second thread costs more than it brings.
_SMALL_STEP = 50_000_000

# One thread may seed again inside: a network, in a training with dropout of torch.
_seeding = threading.RLock()


def available() -> tuple[str, ...]:
    """List the devices of this machine that torch can use, the best one first."""
    found = ["cuda"] if torch.cuda.is_available() else []
    if torch.backends.mps.is_available():
        found.append("mps")
    return (*found, "cpu")


def resolve(device: str) -> torch.device:
    """Return the torch device for a `device` parameter.

    Parameters
    ----------
    device : {"auto", "cpu", "cuda", "mps"} or a torch name such as "cuda:1"
        "auto" takes the best one of this machine.

    Raises
    ------
    ParameterError
        When this machine does not have the device.

    Examples
    --------
    >>> resolve("cpu")
    device(type='cpu')
    """
    if device == "auto":
        return torch.device(available()[0])
    if device.partition(":")[0] not in available():
        legal = ", ".join(repr(name) for name in ("auto", *available()))
        raise ParameterError(
            f"device={device!r} is not available on this machine; use one of {legal}"
        )
    return torch.device(device)


def can_fuse(tensors: Iterable[Tensor]) -> bool:
    """Tell whether the optimiser has a fused step for tensors on these devices."""
    return all(tensor.device.type in {"cpu", "cuda"} for tensor in tensors)


def answers_at_once(x: Tensor) -> bool:
    """Tell whether Python can read a tensor's numbers without stopping its device."""
    return x.device.type == "cpu"


def wide(x: Tensor) -> Tensor:
    """Convert to float64, on the CPU if the device has none (mps)."""
    return (x.cpu() if x.device.type == "mps" else x).double()


def seeds(random_state: object, n: int) -> list[int]:
    """Derive `n` independent seeds from a `random_state` as scikit-learn takes it.

    The first k seeds do not depend on `n`, so that member i of an ensemble is the
    same whatever the size of the ensemble.
    """
    if isinstance(random_state, np.random.RandomState):
        root = int(random_state.randint(2**31 - 1))
    elif isinstance(random_state, np.random.Generator):
        root = int(random_state.integers(2**31 - 1))
    elif random_state is None:
        root = int(np.random.SeedSequence().generate_state(1)[0])
    else:
        root = int(random_state)  # type: ignore[call-overload]
    children = np.random.SeedSequence(root).spawn(n)
    return [int(child.generate_state(1, np.uint64)[0] >> 1) for child in children]


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Run a block with torch's global generator seeded, and put it back afterwards.

    Layers draw their first weights from the global generator without a way to pass
    another; everything else takes a generator of its own. Other threads wait for the
    end of the block, so it must be short.
    """
    with _seeding, torch.random.fork_rng(devices=_generators()):
        torch.manual_seed(seed)
        yield


def _generators() -> list[int]:
    """List the indices of accelerators whose generators must be put back, too."""
    return list(range(torch.cuda.device_count())) if torch.cuda.is_available() else []


@contextmanager
def threads(multiply_adds: float) -> Iterator[None]:
    """Run a block with as many torch threads as a step of this size can use."""
    before = torch.get_num_threads()
    if multiply_adds >= _SMALL_STEP or before == 1:
        yield
        return
    torch.set_num_threads(1)
    try:
        yield
    finally:
        # Only by the block that took them: blocks of several users may overlap.
        torch.set_num_threads(before)
