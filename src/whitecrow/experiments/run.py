"""Run tasks: one task in, one record out; the same record on any machine.

Preprocessing is fitted on training rows, splits are disjoint, and test labels select
nothing: numbers whose threshold reads the truth are recorded as what they are, and the
report shows them only where a publication did the same.
"""

from __future__ import annotations

import functools
import json
import logging
import time
import traceback
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from whitecrow import labels
from whitecrow.data.kinds.number_cells import plain
from whitecrow.data.kinds.text import clean_text, family_of
from whitecrow.data.protocols import Split
from whitecrow.data.source import PictureSource, TableSource, open_source
from whitecrow.errors import DataError, ModelFileError, UserError
from whitecrow.experiments.asking import answers
from whitecrow.experiments.plan import Task
from whitecrow.experiments.references import reference
from whitecrow.experiments.results import Store, model_path
from whitecrow.metrics import ranking, thresholds

__all__ = ["Problem", "problem", "run", "run_task"]

logger = logging.getLogger(__name__)

Record = dict[str, Any]
Work = Callable[[list[Task]], Iterator[Record]]


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
    truth_train : ndarray of int8
        Truth about the training rows, for what publications report on them.
    X_validation : ndarray
        Rows set apart from the training rows; often none.
    kinds : ndarray of str or None
        Category of each test row, where the set names categories.
    """

    X_train: NDArray[Any]
    X_test: NDArray[Any]
    y_train: NDArray[np.float64]
    y_test: labels.Codes
    truth_train: labels.Codes
    X_validation: NDArray[Any]
    kinds: NDArray[np.str_] | None = None


def run(
    tasks: Iterable[Task],
    store: Store,
    *,
    jobs: int = 1,
    engine: str = "local",
    store_models: bool = False,
    test_only: bool = False,
    on_record: Callable[[Task, Record], None] | None = None,
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
    store_models : bool
        Keep the fitted models in the store; a task whose model is not there runs.
    test_only : bool
        Fit nothing: evaluate the stored models again, those of all tasks that did not
        fail.
    on_record : callable, optional
        Called with each task and its record.

    Returns
    -------
    int
        How many tasks ran.

    Raises
    ------
    ModelFileError
        If the model of a task to evaluate is not stored.
    """
    if test_only:
        left = [task for task in tasks if not _failed(task, store)]
        _check_models(left, store)
    else:
        left = [task for task in tasks if not _done(task, store, store_models)]
    models = store.models.resolve() if store_models or test_only else None
    work = functools.partial(_run_group, models=models, test_only=test_only)
    left = list({task.key: task for task in left}.values())  # once under two names
    groups: dict[str, list[Task]] = {}
    for task in left:
        groups.setdefault(task.group, []).append(task)
    for group, records in _results(list(groups.values()), work, jobs, engine):
        for task, record in zip(group, records, strict=True):
            store.put(task.key, record)
            if on_record is not None:
                on_record(task, record)
    return len(left)


def _failed(task: Task, store: Store) -> bool:
    return store.has(task.key) and bool(store.get(task.key)["error"])


def _done(task: Task, store: Store, store_models: bool) -> bool:
    if not store_models or store.has_model(task.key):
        return store.has(task.key)
    return _failed(task, store)


def _check_models(tasks: list[Task], store: Store) -> None:
    missing = [task for task in tasks if not store.has_model(task.key)]
    if missing:
        first = missing[0]
        raise ModelFileError(
            f"{len(missing)} of {len(tasks)} models are not in {store.models}, such as "
            f"that of {first.label} on {first.data}, seed {first.seed}; run the "
            "experiment with store_models = true and without --test-only first"
        )


def run_task(task: Task) -> Record:
    """Run one task and return its record; a failure is a record with `error`.

    Examples
    --------
    >>> task = Task(data="breast_cancer", method="isolation_forest", label="forest",
    ...             seed=0, parameters={}, protocol={"name": "holdout"})
    >>> run_task(task)["auroc"] > 0.9
    True
    """
    return next(_run_group([task]))


def _results(
    groups: list[list[Task]], work: Work, jobs: int, engine: str
) -> Iterator[tuple[list[Task], Iterable[Record]]]:
    """Yield each group with its records: one by one here, all at once elsewhere."""
    whole = functools.partial(_listed, work)
    if engine == "dask":
        from whitecrow.experiments.dask_engine import results

        yield from results(groups, whole)
    elif jobs == 1:
        for group in groups:
            yield group, work(group)
    else:
        from joblib import Parallel, delayed

        pool = Parallel(n_jobs=jobs, return_as="generator")
        found = pool(delayed(whole)(group) for group in groups)
        yield from zip(groups, found, strict=True)


def _listed(work: Work, group: list[Task]) -> list[Record]:
    return list(work(group))


def _run_group(
    group: list[Task], models: Path | None = None, test_only: bool = False
) -> Iterator[Record]:
    """Run tasks that differ in their seed, or ask the same fit, and yield records."""
    work: Callable[..., Record] = _evaluated if test_only else _fitted
    if group[0].first is not None and not test_only:
        work = functools.partial(_told, _First(group[0].first))
    elif len(group) > 1 and not test_only:
        try:
            yield from _stacked(group, models)
            return
        except UserError as error:
            logger.debug("one by one: %s", error)
    for task in group:
        yield _guarded(work, task, models)


def _guarded(work: Callable[..., Record], task: Task, models: Path | None) -> Record:
    try:
        return work(task, models)
    except Exception as error:  # any failure of a contender is a result: stored
        logger.warning("%s on %s: %s", task.label, task.data, error)
        where = "".join(traceback.format_exception(error)[-2:])
        message = f"{type(error).__name__}: {error}"
        return {**_facts(task), "error": message, "traceback": where}


def _fitted(task: Task, models: Path | None) -> Record:
    made = problem(task)
    detector = _detector(task, made.X_train[0].size)
    clock = _Clock()
    detector.fit(*_training(task, detector, made))
    return _finish(task, made, detector, clock.read(), models)


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
            detector = _detector(self.task, self.made.X_train[0].size)
            detector.fit(self.made.X_train)
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


def _told(first: _First, task: Task, models: Path | None) -> Record:
    """Fit a contender with the answers to its questions, and return its record.

    `fit_seconds` are those of the last fit; `first_fit_seconds` those of the one that
    was asked, which several tasks may share, and 0 where nothing was.
    """
    asking = task.asking
    assert asking is not None
    if not asking.questions:
        detector, seconds = first.fit
        return _finish(task, first.made, detector, seconds | _asked(0, 0, 0.0), models)
    given = {need: getattr(first, need) for need in sorted(asking.needs)}
    ids, y = answers(asking, first.made.truth_train, given, seed=task.seed)
    made = replace(first.made, y_train=y)
    detector = _detector(task, made.X_train[0].size)
    clock = _Clock()
    detector.fit(made.X_train, y)
    found = int((made.truth_train[ids] == labels.ANOMALY).sum())
    before = first.fit[1]["fit_seconds"] if given else 0.0
    facts = clock.read() | _asked(len(ids), found, before)
    return _finish(task, made, detector, facts, models)


def _asked(n_known: int, found: int, seconds: float) -> dict[str, float]:
    return {"n_known": n_known, "found": found, "first_fit_seconds": seconds}


def _evaluated(task: Task, models: Path) -> Record:
    """Evaluate a model from its file, which knows of its fit too."""
    from whitecrow import saving

    bundle = saving.load_bundle(model_path(models, task.key))
    return _record(task, problem(task), bundle.detector, bundle.info["seconds"])


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
    models: Path | None,
) -> Record:
    """Return the record of a fitted detector, saved where there is a folder for it."""
    record = _record(task, made, detector, seconds)
    if models is not None:
        from whitecrow import saving

        models.mkdir(parents=True, exist_ok=True)
        info = {**_facts(task), "seconds": seconds}
        saving.save(model_path(models, task.key), detector, info=info)
    return record


def _stacked(group: list[Task], models: Path | None) -> list[Record]:
    """Fit all seeds of a deep method as one batched network.

    Raises
    ------
    UserError
        Where that is not possible; the tasks then run one by one.
    """
    from whitecrow.deep import DeepDetector, fit_seeds

    detector = _detector(group[0])
    if not isinstance(detector, DeepDetector):
        raise DataError("not a deep method")
    problems = [problem(task) for task in group]
    sets = [_training(group[0], detector, made) for made in problems]
    clock = _Clock()
    fits = fit_seeds(detector, sets, [task.seed for task in group])
    seconds = clock.read(len(group))
    rows = zip(group, problems, fits, strict=True)
    return [_finish(task, made, fit, seconds, models) for task, made, fit in rows]


def _detector(task: Task, n_features: int | None = None) -> Any:
    from whitecrow import registry
    from whitecrow.choose import legal_names

    given = {key: _untoml(value) for key, value in task.parameters.items()}
    if task.method.startswith("pyod:"):
        return _peer(task, given, n_features)
    if task.method.startswith("reference:"):
        return reference(task.method.removeprefix("reference:"), task.seed)
    cls = registry.method(task.method).cls
    if "random_state" in legal_names(cls):
        given.setdefault("random_state", task.seed)
    try:
        return cls(**given) if task.preset is None else cls.preset(task.preset, **given)
    except TypeError as error:
        raise DataError(f"{task.label}: {error}") from None


def _untoml(value: Any) -> Any:
    """Turn TOML's lists into tuples, `{method = NAME, ...}` into a detector (LOE)."""
    if isinstance(value, list):
        return tuple(_untoml(one) for one in value)
    if isinstance(value, dict) and "method" in value:
        from whitecrow import registry

        inner = {key: _untoml(v) for key, v in value.items() if key != "method"}
        return registry.method(value["method"]).cls(**inner)
    return value


def _peer(task: Task, given: dict[str, Any], n_features: int | None) -> Any:
    """Build a detector of PyOD under our contract, with the same seed."""
    import importlib
    import inspect

    from whitecrow.wrappers.wrapped import wrap

    name = task.method.removeprefix("pyod:")
    module = importlib.import_module(f"pyod.models.{_PYOD.get(name, name.lower())}")
    cls = getattr(module, name)
    offered = {"random_state": task.seed, "n_features": n_features}
    for name in offered.keys() & inspect.signature(cls).parameters.keys():
        given.setdefault(name, offered[name])
    return wrap(cls(**given))


_PYOD = {"AutoEncoder": "auto_encoder", "DeepSVDD": "deep_svdd"}


def _training(
    task: Task, detector: Any, made: Problem
) -> tuple[NDArray[Any], NDArray[np.float64] | None]:
    """Give rows and labels as a method trains on them.

    One that does not learn from labels is fitted without known anomalies, as
    `NormalsOnly` does; with `use_labels = false` they are unknown to every method.
    """
    if task.use_labels is False:
        return made.X_train, None
    if detector.uses_labels or task.use_labels:
        return made.X_train, made.y_train
    odd = _left_out(task, detector, made)
    return (made.X_train[~odd] if odd.any() else made.X_train), None


def _left_out(task: Task, detector: Any, made: Problem) -> NDArray[np.bool_]:
    """Mark the known anomalies that a method does not train on."""
    uses = task.use_labels is not None or detector.uses_labels
    odd: NDArray[np.bool_] = made.y_train == labels.ANOMALY
    return np.zeros_like(odd) if uses else odd


def _record(
    task: Task, made: Problem, detector: Any, seconds: dict[str, float]
) -> Record:
    started = time.process_time()
    scores = detector.anomaly_score(made.X_test)
    score_seconds = time.process_time() - started
    share = float((made.y_test == labels.ANOMALY).mean())
    at_share = np.quantile(scores, 1 - share)
    return {
        **_facts(task),
        **ranking.summary(made.y_test, scores),
        **thresholds.outcomes(_scored(task, made, detector, scores)),
        "f1_at_share": ranking.flagged(made.y_test, scores, at_share).f1,
        "f1_at_threshold": ranking.flagged(
            made.y_test, scores, np.nextafter(detector.threshold_, np.inf)
        ).f1,
        "n_train": len(made.X_train),
        "n_known": int(np.isfinite(made.y_train).sum()),
        "n_left_out": int(_left_out(task, detector, made).sum()),
        **seconds,
        "score_seconds": score_seconds,
        "recall_by_kind": json.dumps(_recalls(made, scores >= at_share)),
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


def problem(task: Task) -> Problem:
    """Read, split and encode the data of a task; pictures stay as they are."""
    data, truth, kinds = _load(task.data)
    chosen = _cut(data.shape[0], task.max_rows, task.seed)
    if task.protocol["name"] == "one_vs_rest":
        truth = _one_class(task, kinds)
    elif truth is None:
        raise DataError(f"{task.data} has no labels, so nothing can be measured on it")
    elif task.anomaly == "reversed":
        truth = np.where(truth == labels.ANOMALY, labels.NORMAL, labels.ANOMALY)
    truth = truth[chosen]
    kinds = None if kinds is None else kinds[chosen]
    split = _split(task, truth, kinds)
    parts = [split.train, split.test, split.validation]
    X_train, X_test, X_validation = _encode(data, [chosen[part] for part in parts])
    return Problem(
        X_train=X_train,
        X_test=X_test,
        y_train=np.where(split.y_train == labels.UNLABELLED, np.nan, split.y_train),
        y_test=truth[split.test],
        truth_train=truth[split.train],
        X_validation=X_validation,
        kinds=None if kinds is None else kinds[split.test],
    )


def _one_class(task: Task, kinds: NDArray[np.str_] | None) -> labels.Codes:
    """Take some classes of a set as normal, all others as anomalies."""
    from whitecrow.data.protocols.one_vs_rest import truth_of

    if kinds is None:
        raise DataError(f"{task.data} names no classes, which one_vs_rest needs")
    return truth_of(kinds, task.protocol["normal"])


def _split(task: Task, truth: labels.Codes, kinds: NDArray[np.str_] | None) -> Split:
    from whitecrow.data.protocols.holdout import holdout, stratified
    from whitecrow.data.protocols.labelled_ratio import labelled_ratio
    from whitecrow.data.protocols.soel import soel

    # One class of a set against the others is a matter of the truth; the split is that
    # of normal rows.
    protocols: dict[str, Callable[..., Split]] = {
        "holdout": holdout,
        "labelled_ratio": labelled_ratio,
        "one_vs_rest": holdout,
        "soel": soel,
        "stratified": stratified,
    }
    other = {"name", "normal"}
    arguments = {key: v for key, v in task.protocol.items() if key not in other}
    if {"pollution_class", "known_classes"} & set(arguments):
        if kinds is None:
            raise DataError(f"{task.data} names no classes to choose anomalies by")
        arguments["classes"] = kinds
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
    """Read rows, truth, and the classes of the rows where the set names them."""
    source = open_source(name)
    data = source.rows()
    if data.codes is not None and (data.codes == labels.UNLABELLED).any():
        raise DataError(f"{name} has rows without a label; measure on complete truth")
    if isinstance(source, PictureSource):
        classes = np.asarray(source.pictures.kinds, dtype=str)
        return source.pictures.images, data.codes, classes if classes.any() else None
    table = source.rows().frame.drop_columns(list(source.ignore))
    return table, data.codes, _kinds(source)


def _kinds(source: TableSource) -> NDArray[np.str_] | None:
    """Return the label column as classes, where it holds words."""
    if source.rule.column is None:
        return None
    words = source.file.read().column(source.rule.column).combine_chunks()
    if family_of(words.type) != "text" or plain(clean_text(words)) is not None:
        return None
    return np.asarray(words.to_pylist(), dtype=str)


def _encode(
    data: pa.Table | NDArray[np.uint8], parts: list[NDArray[Any]]
) -> list[NDArray[Any]]:
    """Fit the encoding to the first part, the training rows, and encode all parts."""
    if isinstance(data, np.ndarray):
        return [data[part] for part in parts]
    from whitecrow.data.kinds.table import TableEncoder

    tables = [data.take(pa.array(part)) for part in parts]
    encoder = TableEncoder().fit(tables[0])
    return [encoder.transform(table) for table in tables]
