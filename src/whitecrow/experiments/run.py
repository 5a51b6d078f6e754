"""Run what an experiment has not stored yet."""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection, Iterable

from whitecrow.errors import ModelFileError
from whitecrow.experiments.engines import results
from whitecrow.experiments.provenance import provenance
from whitecrow.experiments.record import Record, run_group
from whitecrow.experiments.store import KINDS, MODELS, Keep, Store
from whitecrow.experiments.task import Task

__all__ = ["outdated", "run"]


def run(
    tasks: Iterable[Task],
    store: Store,
    *,
    jobs: int = 1,
    engine: str = "local",
    keep: Collection[str] = (),
    test_only: bool = False,
    on_record: Callable[[Task, Record], None] | None = None,
) -> int:
    """Run what is not stored yet.

    Parameters
    ----------
    tasks : iterable of Task
    store : Store
        Where records go; what it holds is skipped, unless it was made with other
        data, parameters or code: see `outdated`.
    jobs : int
        Processes at once of the engines of this machine.
    engine : {"local", "process", "dask"}
        joblib on this machine; there, a process for each group of seeds, whose peak of
        memory is noted; or a Dask cluster (the one of the environment variable
        DASK_SCHEDULER_ADDRESS, or a local one).
    keep : collection of str
        `MODELS`, `SCORES`: keep these in the store; a task without them runs.
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
    every = {task.key: task for task in tasks}  # once, also under two names
    if test_only:
        left = [task for task in every.values() if not _failed(task, store)]
        _check_models(left, store)
        made_with = {task.key: _noted(task, store) for task in left}
    else:
        made_with = {task.key: provenance(task) for task in every.values()}
        for key, made in made_with.items():
            store.restore(key, made)
        left = [
            task
            for key, task in every.items()
            if not _done(task, store, made_with[key], keep)
        ]
    places = Keep(
        *(getattr(store.new, kind) if kind in keep else None for kind in KINDS)
    )
    if test_only:
        places = places._replace(models=store.kept.models)
    work = functools.partial(run_group, keep=places, test_only=test_only)
    groups: dict[str, list[Task]] = {}
    for task in left:
        groups.setdefault(task.group, []).append(task)
    for group, records in results(list(groups.values()), work, jobs, engine):
        for task, record in zip(group, records, strict=True):
            record = {**record, "made_with": made_with[task.key]}
            store.put(task.key, record)
            if on_record is not None:
                on_record(task, record)
    return len(left)


def _failed(task: Task, store: Store) -> bool:
    return store.has(task.key) and bool(store.get(task.key)["error"])


def _noted(task: Task, store: Store) -> str:
    """Return what the model of a task was made with, as its record says."""
    return (store.get(task.key).get("made_with") or "") if store.has(task.key) else ""


def outdated(
    tasks: Iterable[Task], store: Store, *, restore: bool = False
) -> list[Task]:
    """List the tasks whose record was made with other data, parameters or code.

    Records of before that was noted are among them.

    Parameters
    ----------
    tasks : iterable of Task
    store : Store
    restore : bool
        First take up again what was set aside and is right now.
    """
    found = []
    for task in tasks:
        if store.has(task.key):
            made = provenance(task)
            if restore:
                store.restore(task.key, made)
            if not store.fits(task.key, made):
                found.append(task)
    return found


def _done(task: Task, store: Store, made_with: str, keep: Collection[str]) -> bool:
    if not store.fits(task.key, made_with):
        return False
    files = [store.kept_file(kind, task.key) for kind in keep]
    return all(file.is_file() for file in files) or _failed(task, store)


def _check_models(tasks: list[Task], store: Store) -> None:
    missing = [
        task for task in tasks if not store.kept_file(MODELS, task.key).is_file()
    ]
    if missing:
        first = missing[0]
        raise ModelFileError(
            f"{len(missing)} of {len(tasks)} models are not in {store.kept.models}, "
            f"such as that of {first.label} on {first.data}, seed {first.seed}; run "
            "the experiment with store_models = true and without --test-only first"
        )
