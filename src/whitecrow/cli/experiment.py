"""`whitecrow experiment`: published protocols as files, ours beside the numbers."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import App, Parameter

from whitecrow.cli._common import Output, epilogue
from whitecrow.cli._options import Flag, Json, Whole

if TYPE_CHECKING:
    from whitecrow.experiments.file import Experiment
    from whitecrow.experiments.task import Task

__all__ = ["EXAMPLE", "command"]

RUN = "whitecrow experiment run experiments/breast_cancer.toml -o results/"
REPORT = "whitecrow experiment report experiments/breast_cancer.toml -o results/"
EXAMPLE = f"whitecrow experiment list\n{RUN}"

Folder = Annotated[Path | None, Parameter(name=["--output", "-o"])]

command = App(
    name="experiment", help="Run a published protocol and set ours beside its numbers."
)


@command.command(help_epilogue=epilogue(RUN))
def run(
    file: Path,
    /,
    *,
    output: Folder = None,
    jobs: Whole = 1,
    engine: Literal["local", "process", "dask"] = "local",
    shard: str | None = None,
    retry: Flag = False,
    test_only: Flag = False,
    json: Json = False,
) -> int:
    """Run what is not done yet, and print the report; exit code 1 if all runs failed.

    Every finished run is stored at once; after an interruption the same command goes on
    where it stopped. Failures are stored with their error. The report is also written
    beside the records, as `report.md` and `report.csv`.

    Parameters
    ----------
    file
        An experiment file (TOML).
    output
        Folder of the records; `results/NAME` if not given.
    jobs
        Processes on this machine.
    engine
        `local`; `process`, in which every method, set and group of seeds has a process
        of its own, and its memory is in the report; or `dask` for the cluster of
        DASK_SCHEDULER_ADDRESS.
    shard
        `i/n`: only the i-th of n parts, for several machines.
    retry
        Run stored failures again.
    test_only
        Fit nothing: evaluate the models that a run with `store_models = true` kept.
    """
    from whitecrow.experiments import run as runner
    from whitecrow.experiments import task as planning
    from whitecrow.experiments.checks import check_data

    experiment, every, store = _open(file, output)
    check_data(experiment)
    tasks = planning.shard(every, *_shard(shard)) if shard else every
    again = _failed(store, tasks) if retry else []
    _check_prepared({t.data for t in tasks if t.key in again or not store.has(t.key)})
    for record in again:
        store.drop(record)
    say = Output(as_json=json)
    if not test_only and (old := runner.outdated(tasks, store, restore=True)):
        say.line(
            f"{len(old)} of {len(tasks)} stored runs were made with other data, "
            "defaults or code, and run again; the old records stay beside the new ones"
        )
    with say.progress() as progress:
        done = 0

        def on_record(task: Task, record: dict[str, Any]) -> None:
            nonlocal done
            done += 1
            progress(f"{task.label} on {task.data}", done, len(tasks))

        ran = runner.run(
            tasks,
            store,
            jobs=jobs,
            engine=engine,
            keep=experiment.keep,
            test_only=test_only,
            on_record=on_record,
        )
    if store.folder.is_dir():  # not where a shard has no tasks
        _write(experiment, every, store, store.folder.parent / "report.md")
    _show(experiment, every, store, say, ran)
    done_here = [store.get(task.key) for task in tasks if store.has(task.key)]
    return int(bool(done_here) and all(record["error"] for record in done_here))


@command.command(help_epilogue=epilogue(RUN + "\n" + REPORT))
def report(
    file: Path,
    /,
    *,
    output: Folder = None,
    markdown: Path | None = None,
    json: Json = False,
) -> None:
    """Print the report of what is done, or write it as a page and a table.

    Parameters
    ----------
    file
        An experiment file (TOML).
    output
        Folder of the records; `results/NAME` if not given.
    markdown
        Write the page here instead of printing it, and its numbers beside it as CSV.
    """
    from whitecrow.experiments.run import outdated

    experiment, tasks, store = _open(file, output)
    say = Output(as_json=json)
    if old := outdated(tasks, store):
        say.line(
            f"{len(old)} of {len(tasks)} runs were made with other data, defaults or "
            "code than there are now; `whitecrow experiment run` makes them again\n"
        )
    if markdown is None:
        _show(experiment, tasks, store, say, 0)
        return
    _check_page(markdown, file, tasks)
    _write(experiment, tasks, store, markdown)
    say.line(f"report: {markdown}")
    say.result({"report": str(markdown)})


@command.command(name="list", help_epilogue=epilogue("whitecrow experiment list"))
def list_(folder: Path = Path("experiments"), /, *, json: Json = False) -> None:
    """List the experiment files of a folder.

    Parameters
    ----------
    folder
        Where to look.
    """
    from whitecrow.errors import DataError
    from whitecrow.experiments import checks, file, task

    files = sorted(folder.glob("**/*.toml"))
    if not files:
        raise DataError(
            f"there are no experiment files (*.toml) in {folder}/; name their folder: "
            "whitecrow experiment list FOLDER"
        )
    say = Output(as_json=json)
    found = [(path, checks.checked(file.load(path), path)) for path in files]
    rows = [
        (str(path), experiment.title, str(len(task.plan(experiment))))
        for path, experiment in found
    ]
    say.table(("file", "title", "runs"), rows)
    say.result(
        {
            "experiments": [
                {"file": path, "title": title, "runs": int(runs)}
                for path, title, runs in rows
            ]
        }
    )


def _open(file: Path, output: Path | None) -> tuple[Experiment, list[Task], Any]:
    from whitecrow.experiments.checks import checked
    from whitecrow.experiments.file import load
    from whitecrow.experiments.store import Store
    from whitecrow.experiments.task import plan

    experiment = checked(load(file), file)
    folder = output or Path("results") / experiment.name
    return experiment, plan(experiment), Store(folder)


def _check_prepared(names: set[str]) -> None:
    """Refuse at once what would fail in every run: a set that nobody prepared here."""
    from whitecrow.data import catalog, places, prepare
    from whitecrow.errors import DataError

    for name in sorted(names):
        if catalog.has(name) or not prepare.knows(name):
            continue
        try:
            places.locate(name)
        except DataError as error:
            raise DataError(
                f"{name} is not prepared on this machine; `whitecrow data prepare "
                f"{name} FILES... -o prepared/{name}.parquet` below the folder that "
                "$WHITECROW_DATA names does that"
            ) from error


def _check_page(page: Path, file: Path, tasks: list[Task]) -> None:
    """Refuse to write the report, or its numbers, over the experiment or its data."""
    from whitecrow import files
    from whitecrow.data.source import paths_of
    from whitecrow.errors import DataError

    read = [file]
    places = {
        task.data if task.reading is None else task.reading["path"]: None
        for task in tasks
    }
    for name in places:
        with suppress(DataError):  # not on this machine: nothing to write over
            read += paths_of(name)
    files.check_writable(page)
    files.refuse_inputs([page, page.with_suffix(".csv")], read, "--markdown")


def _write(experiment: Experiment, tasks: list[Task], store: Any, page: Path) -> None:
    """Write the page, and its numbers as CSV beside it."""
    from whitecrow.experiments import curves, grids, pictures, rank_diagram
    from whitecrow.experiments.csv_file import comma_separated
    from whitecrow.experiments.outcomes import Outcomes
    from whitecrow.experiments.table import markdown
    from whitecrow.files import replacing

    found = Outcomes(experiment, _records(store, tasks))
    drawn = {
        metric: rank_diagram.diagram(ranks, f"{experiment.title}: {metric}")
        for metric, ranks in found.rankings.items()
    }
    if rows := curves.by_axis(found):
        drawn["curves"] = pictures.diagram(rows, experiment.title)
    names = {name: f"{page.stem}-{name}.svg" for name in drawn}
    contents = {page.with_name(names[name]): drawn[name].encode() for name in drawn}
    shown: dict[str, dict[str, str]] = {}
    for number, (title, sheets) in enumerate(grids.drawn(experiment, tasks, store)):
        files = {name: f"{page.stem}-{number}-{name}.png" for name in sheets}
        contents |= {page.with_name(files[name]): sheets[name] for name in sheets}
        shown[title] = files
    contents[page.with_suffix(".csv")] = comma_separated(found).encode()
    contents[page] = markdown(found, names, shown).encode()
    for path, content in contents.items():
        with replacing(path) as unfinished:
            unfinished.write_bytes(content)


def _show(
    experiment: Experiment, tasks: list[Task], store: Any, output: Output, ran: int
) -> None:
    from whitecrow.experiments.outcomes import Outcomes
    from whitecrow.experiments.table import markdown

    records = _records(store, tasks)
    output.line(markdown(Outcomes(experiment, records)).rstrip())
    failed = sum(bool(record["error"]) for record in records)
    output.line(
        f"\n{ran} runs now, {len(records)} of {len(tasks)} stored in {store.folder}, "
        f"{failed} failed"
    )
    output.result({"ran": ran, "records": records})


def _records(store: Any, tasks: list[Task]) -> list[dict[str, Any]]:
    """Collect what is done, under the names that the file has for it now."""
    done = [task for task in tasks if store.has(task.key)]
    return [store.get(task.key) | {"label": task.label} for task in done]


def _failed(store: Any, tasks: list[Task]) -> list[str]:
    keys = [task.key for task in tasks if store.has(task.key)]
    return [key for key in keys if store.get(key)["error"]]


def _shard(text: str) -> tuple[int, int]:
    from whitecrow.errors import ParameterError

    index, _, count = text.partition("/")
    if index.isdigit() and count.isdigit() and 1 <= int(index) <= int(count):
        return int(index), int(count)
    raise ParameterError(f"--shard {text!r} is not i/n with 1 <= i <= n, such as 1/4")
