"""Problems, runs and batches that several test files share."""

import numpy as np
import torch

from whitecrow.deep.nets.noise import Noise
from whitecrow.deep.run import Batch, Run, TrainingSet
from whitecrow.deep.train import Schedule

NOISE = Noise([0], torch.device("cpu"))


def batch(x, targets=None):
    """Unlabelled rows."""
    y = torch.full(x.shape[:1], -1, dtype=torch.int8)
    return Batch(x, y, NOISE, targets)


def run_of(sets, seeds, batch_size=4, net=None, **more):
    net = torch.nn.Linear(1, 1) if net is None else net
    schedule = Schedule(epochs=1, lr=0.01)
    more = {"method": "test", "schedule": schedule, **more}
    return Run(net, sets, list(seeds), batch_size=batch_size, **more)


def planned(detector, n=8, shape=(2,)):
    """A run at the moment when its training begins."""
    one = TrainingSet(torch.zeros(n, *shape), torch.full((n,), -1, dtype=torch.int8))
    detector.input_shape_ = shape
    run = detector._run(torch.nn.Linear(1, 1), [one], [0], (), ())
    detector._begin(run)
    return run


def polluted(seed, n=400, share=0.15):
    """Rows near a plane, and some that are shifted off it, not far."""
    rng, plane = np.random.default_rng(seed), np.random.default_rng(9)
    X = rng.normal(size=(n, 2)) @ plane.normal(size=(2, 6))
    X += 0.1 * rng.normal(size=X.shape)
    y = (np.arange(n) < round(share * n)).astype(float)
    X[y == 1] += rng.normal(size=(int(y.sum()), 6))
    return X, y
