"""Run tasks: one task in, one record out; the same record on any machine.

Preprocessing is fitted on training rows, splits are disjoint, and test labels select
nothing: `best_f1` is recorded as what it is, a number chosen on the test set, and the
report shows it only where a publication did the same.
"""

from __future__ import annotations

import functools
import json
import logging
import time
import traceback
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from whitecrow import labels
from whitecrow.data.protocols import Split
from whitecrow.errors import DataError, UserError
from whitecrow.experiments.plan import Task
from whitecrow.experiments.references import reference
from whitecrow.experiments.results import Store
from whitecrow.metrics import ranking

__all__ = ["Problem", "problem", "run", "run_task"]

logger = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Problem:
    """A split of a set, encoded.

    Attributes
    ----------
    X_train, X_test : ndarray
        Rows, encoded by what the training rows look like.
    y_train : ndarray of float, shape (n,)
        Known labels in the public convention; NaN where training may not see them.
    y_test : ndarray of int8
        Truth.
    kinds : ndarray of str or None
        Category of each test row, where the set names categories.
    """

    X_train: NDArray[Any]
    X_test: NDArray[Any]
    y_train: NDArray[np.float64]
    y_test: labels.Codes
    kinds: NDArray[np.str_] | None = None


def run(
    tasks: Iterable[Task],
    store: Store,
    *,
    jobs: int = 1,
    engine: str = "local",
    on_record: Callable[[Task, dict[str, Any]], None] | None = None,
) -> int:
    """Run what is not stored yet.

    Parameters
    ----------
    tasks : iterable of Task
    store : Store
        Where records go; what it holds is skipped.
    jobs : int
        Processes of the local engine.
    engine : {"local", "dask"}
        joblib on this machine, or a Dask cluster (the one of the environment
        variable DASK_SCHEDULER_ADDRESS, or a local one).
    on_record : callable, optional
        Called with each task and its record.

    Returns
    -------
    int
        How many tasks ran.
    """
    left = [task for task in tasks if not store.has(task.key)]
    groups = [list(group) for _, group in groupby(left, key=lambda task: task.group)]
    for group, records in _results(groups, jobs, engine):
        for task, record in zip(group, records, strict=True):
            store.put(task.key, record)
            if on_record is not None:
                on_record(task, record)
    return len(left)


def run_task(task: Task) -> dict[str, Any]:
    """The record of one task; a failure is a record with `error`.

    Examples
    --------
    >>> task = Task(data="breast_cancer", method="isolation_forest", label="forest",
    ...             seed=0, parameters={}, protocol={"name": "holdout"})
    >>> run_task(task)["auroc"] > 0.9
    True
    """
    return _run_group([task])[0]


def _results(
    groups: list[list[Task]], jobs: int, engine: str
) -> Iterator[tuple[list[Task], list[dict[str, Any]]]]:
    if engine == "dask":
        from whitecrow.experiments.dask_engine import results

        yield from results(groups, _run_group)
    elif jobs == 1:
        for group in groups:
            yield group, _run_group(group)
    else:
        from joblib import Parallel, delayed

        pool = Parallel(n_jobs=jobs, return_as="generator")
        found = pool(delayed(_run_group)(group) for group in groups)
        yield from zip(groups, found, strict=True)


def _run_group(group: list[Task]) -> list[dict[str, Any]]:
    """Records of tasks that differ in their seed only: stacked where possible."""
    if len(group) > 1:
        try:
            return _stacked(group)
        except UserError as error:
            logger.debug("one by one: %s", error)
    return [_guarded(task) for task in group]


def _guarded(task: Task) -> dict[str, Any]:
    try:
        made = problem(task)
        detector = _detector(task)
        started = time.process_time()
        detector.fit(made.X_train, _known(task, detector, made))
        seconds = time.process_time() - started
        return _record(task, made, detector, seconds)
    except Exception as error:  # any failure of a contender is a result: stored
        logger.warning("%s on %s: %s", task.label, task.data, error)
        where = "".join(traceback.format_exception(error)[-2:])
        message = f"{type(error).__name__}: {error}"
        return {**_facts(task), "error": message, "traceback": where}


def _stacked(group: list[Task]) -> list[dict[str, Any]]:
    """All seeds of a deep method as one batched network.

    Raises
    ------
    UserError
        Where that is not possible; the tasks then run one by one.
    """
    from whitecrow.deep import DeepDetector, fit_seeds

    detector = _detector(group[0])
    if not isinstance(detector, DeepDetector):
        raise DataError("not a deep method")
    if type(detector)._train_members is not DeepDetector._train_members:
        raise DataError("a recipe of its own")
    problems = [problem(task) for task in group]
    sets = [(made.X_train, _known(group[0], detector, made)) for made in problems]
    started = time.process_time()
    fits = fit_seeds(detector, sets, [task.seed for task in group])
    seconds = (time.process_time() - started) / len(group)
    rows = zip(group, problems, fits, strict=True)
    return [_record(task, made, fit, seconds) for task, made, fit in rows]


def _detector(task: Task) -> Any:
    from whitecrow.detectors import _table

    given = {key: _untoml(value) for key, value in task.parameters.items()}
    if task.method.startswith("pyod:"):
        return _peer(task, given)
    if task.method.startswith("reference:"):
        return reference(task.method.removeprefix("reference:"), task.seed)
    cls = _table.method(task.method).cls
    if "random_state" in cls._get_param_names():
        given.setdefault("random_state", task.seed)
    try:
        return cls(**given) if task.preset is None else cls.preset(task.preset, **given)
    except TypeError as error:
        raise DataError(f"{task.label}: {error}") from None


def _untoml(value: Any) -> Any:
    """TOML's lists as tuples, and `{method = NAME, ...}` as a detector (for LOE)."""
    if isinstance(value, list):
        return tuple(value)
    if isinstance(value, dict) and "method" in value:
        from whitecrow.detectors import _table

        inner = {key: _untoml(v) for key, v in value.items() if key != "method"}
        return _table.method(value["method"]).cls(**inner)
    return value


def _peer(task: Task, given: dict[str, Any]) -> Any:
    """A detector of PyOD under our contract, with the same seed."""
    import importlib
    import inspect

    from whitecrow.detectors.wrapped import wrap

    name = task.method.removeprefix("pyod:")
    module = importlib.import_module(f"pyod.models.{_PYOD.get(name, name.lower())}")
    cls = getattr(module, name)
    if "random_state" in inspect.signature(cls).parameters:
        given.setdefault("random_state", task.seed)
    return wrap(cls(**given))


_PYOD = {"AutoEncoder": "auto_encoder", "DeepSVDD": "deep_svdd"}


def _known(task: Task, detector: Any, made: Problem) -> NDArray[np.float64] | None:
    wanted = detector.uses_labels if task.use_labels is None else task.use_labels
    return made.y_train if wanted else None


def _record(task: Task, made: Problem, detector: Any, seconds: float) -> dict[str, Any]:
    started = time.process_time()
    scores = detector.anomaly_score(made.X_test)
    score_seconds = time.process_time() - started
    share = float((made.y_test == labels.ANOMALY).mean())
    at_share = np.quantile(scores, 1 - share)
    return {
        **_facts(task),
        **ranking.summary(made.y_test, scores),
        "f1_at_share": ranking.flagged(made.y_test, scores, at_share).f1,
        "f1_at_threshold": ranking.flagged(
            made.y_test, scores, np.nextafter(detector.threshold_, np.inf)
        ).f1,
        "n_train": len(made.X_train),
        "n_known": int(np.isfinite(made.y_train).sum()),
        "fit_seconds": seconds,
        "score_seconds": score_seconds,
        "recall_by_kind": json.dumps(_recalls(made, scores > at_share)),
        "error": "",
        "traceback": "",
    }


def _recalls(made: Problem, flagged: NDArray[np.bool_]) -> dict[str, list[float]]:
    """Category -> [rows, share flagged], the threshold being the true share."""
    if made.kinds is None:
        return {}
    found = {}
    for kind in np.unique(made.kinds):
        rows = made.kinds == kind
        found[str(kind)] = [int(rows.sum()), float(flagged[rows].mean())]
    return found


def _facts(task: Task) -> dict[str, Any]:
    return {
        "data": task.data,
        "method": task.method,
        "label": task.label,
        "seed": task.seed,
        "parameters": json.dumps(dict(task.parameters), default=list),
    }


def problem(task: Task) -> Problem:
    """Read, split and encode; rows of a picture set as they are."""
    data, truth, kinds = _load(task.data)
    chosen = _cut(data.shape[0], task.max_rows, task.seed)
    if task.protocol["name"] == "one_vs_rest":
        truth = _one_class(task, kinds)
    elif truth is None:
        raise DataError(f"{task.data} has no labels, so nothing can be measured on it")
    elif task.anomaly == "reversed":
        truth = np.where(truth == labels.ANOMALY, labels.NORMAL, labels.ANOMALY)
    truth = truth[chosen]
    split = _split(task, truth)
    train, test = chosen[split.train], chosen[split.test]
    X_train, X_test = _encode(data, train, test)
    known = np.where(split.y_train == labels.UNLABELLED, np.nan, split.y_train)
    tested = None if kinds is None else kinds[test]
    return Problem(X_train, X_test, known, truth[split.test], tested)


def _one_class(task: Task, kinds: NDArray[np.str_] | None) -> labels.Codes:
    """Some classes of a set are normal, all others anomalies."""
    from whitecrow.data.protocols.one_vs_rest import truth_of

    if kinds is None:
        raise DataError(f"{task.data} names no classes, which one_vs_rest needs")
    return truth_of(kinds, task.protocol["normal"])


def _split(task: Task, truth: labels.Codes) -> Split:
    from whitecrow.data.protocols.holdout import holdout, stratified
    from whitecrow.data.protocols.labelled_ratio import labelled_ratio

    # One class of a set against the others is a matter of the truth; the split is that
    # of normal rows.
    protocols: dict[str, Callable[..., Split]] = {
        "holdout": holdout,
        "labelled_ratio": labelled_ratio,
        "one_vs_rest": holdout,
        "stratified": stratified,
    }
    other = {"name", "normal"}
    arguments = {key: v for key, v in task.protocol.items() if key not in other}
    try:
        return protocols[task.protocol["name"]](
            truth, **arguments, random_state=task.seed
        )
    except TypeError as error:
        raise DataError(f"protocol {task.protocol['name']}: {error}") from None


def _cut(n: int, max_rows: int | None, seed: int) -> NDArray[np.int64]:
    if max_rows is None or n <= max_rows:
        return np.arange(n)
    rng = np.random.default_rng(seed)
    return np.sort(rng.choice(n, max_rows, replace=False))


@functools.lru_cache(maxsize=2)
def _load(
    name: str,
) -> tuple[Any, labels.Codes | None, NDArray[np.str_] | None]:
    """Rows, truth, and the classes of the rows where the set names them."""
    from whitecrow.workflow import inputs

    data = inputs.read(name)
    if data.codes is not None and (data.codes == labels.UNLABELLED).any():
        raise DataError(f"{name} has rows without a label; measure on complete truth")
    if data.pictures is not None:
        classes = np.asarray(data.pictures.kinds, dtype=str)
        return data.pictures.images, data.codes, classes if classes.any() else None
    table = data.table.drop_columns(
        [c for c in data.labelling.ignore if c in data.table.column_names]
    )
    return table, data.codes, _kinds(name, data.labelling.column)


def _kinds(name: str, column: str | None) -> NDArray[np.str_] | None:
    from whitecrow.workflow import inputs

    if column is None:
        return None
    words = inputs.load_table(name)[0].column(column)
    if not pa.types.is_string(words.type) and not pa.types.is_large_string(words.type):
        return None
    return np.asarray(words.to_pylist(), dtype=str)


def _encode(
    data: pa.Table | NDArray[np.uint8], train: NDArray[Any], test: NDArray[Any]
) -> tuple[NDArray[Any], NDArray[Any]]:
    if isinstance(data, np.ndarray):
        return data[train], data[test]
    from whitecrow.data.encoding import TableEncoder

    rows = data.take(pa.array(train)), data.take(pa.array(test))
    encoder = TableEncoder().fit(rows[0])
    return encoder.transform(rows[0]), encoder.transform(rows[1])
