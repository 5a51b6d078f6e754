"""One task in, one record out; the same record on any machine.

Numbers whose threshold reads the truth are recorded as what they are, and the report
shows them only where a publication did the same.
"""

from __future__ import annotations

import functools
import json
import logging
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from whitecrow import labels
from whitecrow.errors import DataError, UserError
from whitecrow.experiments.asking import answers
from whitecrow.experiments.contender import (
    build,
    fitted,
    left_out,
    outliers_for,
    training,
)
from whitecrow.experiments.problem import Problem, problem
from whitecrow.experiments.scores_file import write_scores
from whitecrow.experiments.store import MODELS, NOTHING, SCORES, Keep, file_of
from whitecrow.experiments.task import Task
from whitecrow.metrics import acceptance, ranking, thresholds

__all__ = ["Record", "failure", "run_group", "run_task"]

logger = logging.getLogger(__name__)

Record = dict[str, Any]


def run_task(task: Task) -> Record:
    """Run one task and return its record; a failure is a record with `error`.

    Examples
    --------
    >>> task = Task(data="breast_cancer", method="isolation_forest", label="forest",
    ...             seed=0, parameters={}, protocol={"name": "holdout"})
    >>> run_task(task)["auroc"] > 0.9
    True
    """
    return next(run_group([task]))


def run_group(
    group: list[Task], keep: Keep = NOTHING, test_only: bool = False
) -> Iterator[Record]:
    """Run tasks that differ in their seed, or ask the same fit, and yield records."""
    work: Callable[..., Record] = _evaluated if test_only else _fitted
    if group[0].first is not None and not test_only:
        work = functools.partial(_told, _First(group[0].first))
    elif len(group) > 1 and not test_only:
        try:
            yield from _stacked(group, keep)
            return
        except UserError as error:
            logger.debug("one by one: %s", error)
    for task in group:
        yield _guarded(work, task, keep)


def _guarded(work: Callable[..., Record], task: Task, keep: Keep) -> Record:
    try:
        return work(task, keep)
    except Exception as error:  # any failure of a contender is a result: stored
        logger.warning("%s on %s: %s", task.label, task.data, error)
        return failure(task, error)


def failure(task: Task, error: BaseException) -> Record:
    """Return the record of a task that failed."""
    where = "".join(traceback.format_exception(error)[-2:])
    message = f"{type(error).__name__}: {error}"
    return {**_facts(task), "error": message, "traceback": where}


def _fitted(task: Task, keep: Keep) -> Record:
    made = problem(task)
    detector = build(task, made.X_train[0].size)
    clock = _Clock()
    fitted(task, detector, made)
    return _finish(task, made, detector, clock.read(), keep)


class _First:
    """What tasks that differ in their questions share, each part made when needed.

    Attributes
    ----------
    made : Problem
        The split; no training label is known.
    fit : tuple
        The detector fitted without labels, and the seconds of that.
    scores, embeddings : ndarray
        Of the training rows, as a strategy reads them.
    """

    def __init__(self, task: Task) -> None:
        self.task = task

    @functools.cached_property
    def made(self) -> Problem:
        made = problem(self.task)
        return replace(made, y_train=np.full_like(made.y_train, np.nan))

    @property
    def fit(self) -> tuple[Any, dict[str, float]]:
        if isinstance(self._outcome, Exception):
            raise self._outcome
        return self._outcome

    @functools.cached_property
    def _outcome(self) -> tuple[Any, dict[str, float]] | Exception:
        # What fails once would fail for every task that shares it.
        clock = _Clock()
        try:
            detector = build(self.task, self.made.X_train[0].size)
            fitted(self.task, detector, self.made)
        except Exception as error:  # raised by `fit`
            return error
        return detector, clock.read()

    @functools.cached_property
    def scores(self) -> NDArray[np.float64]:
        scores: NDArray[np.float64] = self.fit[0].anomaly_score(self.made.X_train)
        return scores

    @functools.cached_property
    def embeddings(self) -> NDArray[np.float64]:
        return np.asarray(self.fit[0].embed(self.made.X_train), np.float64)


def _told(first: _First, task: Task, keep: Keep) -> Record:
    """Fit a contender with the answers to its questions, and return its record.

    `fit_seconds` are those of the last fit; `first_fit_seconds` those of the one that
    was asked, which several tasks may share, and 0 where nothing was.
    """
    asking = task.asking
    assert asking is not None
    if not asking.questions:
        detector, seconds = first.fit
        return _finish(task, first.made, detector, seconds | _asked(0, 0, 0.0), keep)
    given = {need: getattr(first, need) for need in sorted(asking.needs)}
    ids, y = answers(asking, first.made.truth_train, given, seed=task.seed)
    made = replace(first.made, y_train=y)
    detector = build(task, made.X_train[0].size)
    clock = _Clock()
    fitted(task, detector, made)
    found = int((made.truth_train[ids] == labels.ANOMALY).sum())
    before = first.fit[1]["fit_seconds"] if given else 0.0
    facts = clock.read() | _asked(len(ids), found, before)
    return _finish(task, made, detector, facts, keep)


def _asked(n_known: int, found: int, seconds: float) -> dict[str, float]:
    return {"n_known": n_known, "found": found, "first_fit_seconds": seconds}


def _evaluated(task: Task, keep: Keep) -> Record:
    """Evaluate a model from its file, which knows of its fit too."""
    from whitecrow import saving

    assert keep.models is not None
    bundle = saving.load_bundle(file_of(keep.models, MODELS, task.key))
    made, seconds = problem(task), bundle.info["seconds"]
    return _record(task, made, bundle.detector, seconds, keep.scores)


class _Clock:
    """Seconds since it was made, of this process and on the wall."""

    def __init__(self) -> None:
        self.cpu, self.wall = time.process_time(), time.perf_counter()

    def read(self, runs: int = 1) -> dict[str, float]:
        """Return the seconds since the start, divided among the runs."""
        return {
            "fit_seconds": (time.process_time() - self.cpu) / runs,
            "fit_wall_seconds": (time.perf_counter() - self.wall) / runs,
        }


def _finish(
    task: Task,
    made: Problem,
    detector: Any,
    seconds: dict[str, float],
    keep: Keep,
) -> Record:
    """Return the record of a fitted detector, saved where there is a folder for it."""
    record = _record(task, made, detector, seconds, keep.scores)
    if keep.models is not None:
        from whitecrow import saving

        keep.models.mkdir(parents=True, exist_ok=True)
        info = {**_facts(task), "seconds": seconds}
        path = file_of(keep.models, MODELS, task.key)
        saving.save(path, detector, info=info)
    return record


def _stacked(group: list[Task], keep: Keep) -> list[Record]:
    """Fit all seeds of a deep method as one batched network.

    Raises
    ------
    UserError
        Where that is not possible; the tasks then run one by one.
    """
    from whitecrow.deep import DeepDetector, fit_seeds

    detector = build(group[0])
    if not isinstance(detector, DeepDetector):
        raise DataError("not a deep method")
    if group[0].auxiliary is not None:
        raise DataError("outliers are drawn by each fit for itself")
    problems = [problem(task) for task in group]
    sets = [training(group[0], detector, made) for made in problems]
    clock = _Clock()
    fits = fit_seeds(detector, sets, [task.seed for task in group])
    seconds = clock.read(len(group))
    rows = zip(group, problems, fits, strict=True)
    return [_finish(task, made, fit, seconds, keep) for task, made, fit in rows]


def _record(
    task: Task,
    made: Problem,
    detector: Any,
    seconds: dict[str, float],
    folder: Path | None,
) -> Record:
    started = time.process_time()
    scores = detector.anomaly_score(made.X_test)
    score_seconds = time.process_time() - started
    if folder is not None:
        write_scores(file_of(folder, SCORES, task.key), made, scores)
    share = float((made.y_test == labels.ANOMALY).mean())
    at_share = np.quantile(scores, 1 - share)
    y, outliers = made.y_test, outliers_for(detector, made)
    return {
        **_facts(task),
        **ranking.summary(y, scores),
        "fpr95": acceptance.fpr_at_tpr(y, scores),
        "detection_error": acceptance.detection_error(y, scores),
        "aupr_in": acceptance.balanced_aupr(y, scores, positive="normal"),
        "aupr_out": acceptance.balanced_aupr(y, scores),
        **thresholds.outcomes(_scored(task, made, detector, scores)),
        "f1_at_share": ranking.f1_at_share(y, scores).f1,
        "f1_at_threshold": ranking.flagged(
            y, scores, np.nextafter(detector.threshold_, np.inf)
        ).f1,
        "n_train": len(made.X_train),
        "n_known": int(np.isfinite(made.y_train).sum()),
        "n_auxiliary": 0 if outliers is None else len(outliers),
        "n_auxiliary_drawn": int(getattr(detector, "outliers_drawn_", 0)),
        "n_left_out": int(left_out(task, detector, made).sum()),
        **seconds,
        "score_seconds": score_seconds,
        "recall_by_kind": json.dumps(_recalls(made, scores > at_share)),
        "error": "",
        "traceback": "",
    }


def _scored(
    task: Task, made: Problem, detector: Any, scores: NDArray[np.float64]
) -> thresholds.Scored:
    apart = made.X_validation
    share = getattr(detector, "contamination", "auto")
    return thresholds.Scored(
        train=detector.anomaly_score(made.X_train),
        y_train=made.truth_train,
        test=scores,
        y_test=made.y_test,
        validation=detector.anomaly_score(apart) if len(apart) else None,
        seed=task.seed,
        # "auto" is no share; the one that is assumed otherwise is documented there.
        **({} if share == "auto" else {"contamination": float(share)}),
    )


def _recalls(made: Problem, flagged: NDArray[np.bool_]) -> dict[str, list[float]]:
    """Map categories to [rows, share flagged, share odd], at the true share."""
    if made.kinds is None:
        return {}
    odd = made.y_test == labels.ANOMALY
    found = {}
    for kind in np.unique(made.kinds):
        rows = made.kinds == kind
        shares = float(flagged[rows].mean()), float(odd[rows].mean())
        found[str(kind)] = [int(rows.sum()), *shares]
    return found


def _facts(task: Task) -> Record:
    asked = {} if task.asking is None else {"asking": json.dumps(asdict(task.asking))}
    return {
        "data": task.data,
        "method": task.method,
        "label": task.label,
        "seed": task.seed,
        "parameters": json.dumps(dict(task.parameters), default=list),
        **asked,
    }
