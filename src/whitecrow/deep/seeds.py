"""Several seeds of one deep method, fitted side by side as one batched network."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import clone

from whitecrow import labels
from whitecrow.deep import device, stacked
from whitecrow.deep.detector import DeepDetector
from whitecrow.deep.run import TrainingSet
from whitecrow.detector import Rows
from whitecrow.errors import ParameterError

__all__ = ["fit_seeds"]


def fit_seeds(
    detector: DeepDetector,
    tasks: Sequence[tuple[ArrayLike, ArrayLike | None]],
    seeds: Sequence[int],
) -> list[DeepDetector]:
    """Fit one clone for each seed, all of them as one batched network.

    Parameters
    ----------
    detector : DeepDetector
        Settings; its own `random_state` is replaced.
    tasks : sequence of (X, y)
        Training set of each seed, all of the same shape.
    seeds : sequence of int
        `random_state` of each clone.

    Returns
    -------
    list of DeepDetector
        Equal to clones fitted one by one, to float tolerance; networks with dropout
        draw their masks together, and differ.

    Raises
    ------
    ParameterError
        When the training sets differ in shape, or the detector is itself an ensemble.

    Examples
    --------
    >>> from whitecrow import AutoEncoder
    >>> X = np.random.default_rng(0).normal(size=(64, 5))
    >>> fits = fit_seeds(AutoEncoder(epochs=2), [(X, None)] * 3, seeds=[0, 1, 2])
    >>> [fit.random_state for fit in fits]
    [0, 1, 2]
    """
    shapes = {np.shape(X) for X, _ in tasks}
    if len(shapes) > 1 or detector.n_members > 1:
        raise ParameterError(
            "stacked seeds need training sets of one shape and n_members=1, got shapes "
            f"{sorted(shapes)} and n_members={detector.n_members}; fit them one by one"
        )
    fits, prepared = _prepared(detector, tasks, seeds)
    first = fits[0]
    if len(fits) == 1:
        return [first.fit(*tasks[0])]
    drawn = [device.seeds(seed, 1)[0] for seed in seeds]
    run = first._first_run([its_set for _, _, its_set in prepared], drawn)
    curves = first._learn(run)
    learnt = {name: value for name, value in vars(first).items() if name != "net_"}
    for index, (fit, (rows, codes, its_set)) in enumerate(
        zip(fits, prepared, strict=True)
    ):
        # What `_begin` found out about all of them.
        vars(fit).update({k: v for k, v in learnt.items() if k not in vars(fit)})
        net = stacked.member(run.net, fit._rebuild_net(), index)
        where = next(run.net.parameters()).device
        fit.net_ = net.to(where).eval().requires_grad_(False)
        fit.loss_curve_ = curves[:, index]
        if run.best_epoch is not None:
            fit._keep_best_epochs(run.best_epoch[index])
        own = fit._run(fit.net_, [its_set.to(where)], [drawn[index]], (), ())
        fit._conclude(own, rows)
        fit._set_threshold(rows, codes)
    return fits


def _prepared(
    detector: DeepDetector,
    tasks: Sequence[tuple[ArrayLike, ArrayLike | None]],
    seeds: Sequence[int],
) -> tuple[list[DeepDetector], list[tuple[Rows, labels.Codes, TrainingSet]]]:
    """Clone the detector for each seed, and do all of `fit` that precedes training.

    Rows that several seeds share are checked and scaled once.
    """
    known: dict[Any, tuple[Any, Rows, labels.Codes, TrainingSet]] = {}
    fits, prepared = [], []
    for (X, y), seed in zip(tasks, seeds, strict=True):
        # With early stopping, each seed holds out rows of its own.
        key = id(X), id(y), None if detector.patience is None else seed
        if key not in known:
            one: DeepDetector = clone(detector).set_params(random_state=seed)
            rows, codes, _ = one._check_fit(X, y, None)
            known[key] = one, rows, codes, one._training_set(rows, codes, None)
        one, rows, codes, its_set = known[key]
        fit = copy.copy(one).set_params(random_state=seed)
        if fit.uses_auxiliary:  # outliers are drawn by each seed for itself
            its_set = replace(its_set)
        fits.append(fit)
        prepared.append((rows, codes, its_set))
    return fits, prepared
