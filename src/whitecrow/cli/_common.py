"""What the commands share: messages, progress, a fit. Imports nothing heavy."""

from __future__ import annotations

import json
import logging
import shlex
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, NamedTuple

from cyclopts import App, CycloptsError

from whitecrow.cli import _wording

if TYPE_CHECKING:
    from whitecrow.choose import Choice
    from whitecrow.data.rows import PictureRows, TableRows
    from whitecrow.data.source import Reading, Source
    from whitecrow.learning import Fit
    from whitecrow.model import Model
    from whitecrow.notes import Note

__all__ = [
    "Opened",
    "Output",
    "Progress",
    "add",
    "command_line",
    "complain",
    "epilogue",
    "inputs",
    "interrupted",
    "log_on_stderr",
    "opened",
    "show_warning",
]

USER_ERROR = 2
INTERRUPTED = 130
MOST_NOTES = 30
"""Sentences about ordinary columns; those that may matter are all shown."""


class Progress:
    """How far a command is: a bar on a terminal, one line a stage elsewhere.

    Parameters
    ----------
    bars : rich.progress.Progress or None
        The bar; None writes lines.
    lines : bool
        Whether stages are written as lines.
    """

    def __init__(self, bars: Any = None, *, lines: bool = False) -> None:
        self._bars, self._lines = bars, lines
        self._task = None if bars is None else bars.add_task("starting", total=None)
        self._stage = ""

    def __call__(self, what: str, done: int, total: int | None) -> None:
        """Show how much of a stage is done; on a terminal only."""
        if self._bars is not None:
            self._bars.update(self._task, description=what, completed=done, total=total)

    def stage(self, what: str) -> None:
        """Say which stage begins."""
        if self._bars is not None:
            self._bars.reset(self._task, description=what, total=None)
        elif self._lines and what != self._stage:
            sys.stderr.write(f"{what} ...\n")
            sys.stderr.flush()
        self._stage = what

    def epoch(self, epoch: int, record: dict[str, Any]) -> None:
        """Show an epoch of a training; see `whitecrow.watching`."""
        loss = f": loss {record['loss']:.4g}" if "loss" in record else ""
        self(f"{record['method']}, {record['stage']}{loss}", epoch, record["epochs"])


class Output:
    """Where a command speaks: text on stdout, or with `--json` one object there.

    Progress goes to stderr; `--quiet` and `--json` silence it.
    """

    def __init__(self, *, as_json: bool = False, quiet: bool = False) -> None:
        self.as_json, self.quiet = as_json, quiet

    def line(self, text: str = "") -> None:
        """Write a line for people."""
        if not self.as_json:
            sys.stdout.write(text + "\n")

    def facts(self, facts: Mapping[str, Any]) -> None:
        """Write what is known, a line each."""
        for what, value in facts.items():
            if value:
                self.line(f"  {what}: {value}")

    def flush(self) -> None:
        """Flush the lines to readers of a pipe, before a command that waits."""
        sys.stdout.flush()

    def table(self, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Write a table for people, as wide as the terminal."""
        if self.as_json:
            return
        from rich.console import Console
        from rich.table import Table

        table = Table(box=None, header_style="bold", pad_edge=False)
        for column in columns:
            table.add_column(column, overflow="fold")
        for row in rows:
            table.add_row(*row)
        console = Console(highlight=False, markup=False, emoji=False)
        # Through our own stdout: rich would end the process when a pipe is closed.
        with console.capture() as text:
            console.print(table)
        sys.stdout.write(text.get())

    def result(self, values: dict[str, Any]) -> None:
        """Write the object of `--json`; nothing otherwise."""
        if self.as_json:
            sys.stdout.write(json.dumps(values, allow_nan=False) + "\n")

    @contextmanager
    def progress(self) -> Iterator[Progress]:
        """Show how far the command is."""
        if self.as_json or self.quiet:
            yield Progress()
            return
        if not sys.stderr.isatty():
            yield Progress(lines=True)
            return
        from rich import progress
        from rich.console import Console

        columns = (
            progress.TextColumn("{task.description}"),
            progress.BarColumn(),
            progress.TaskProgressColumn(),
            progress.TimeElapsedColumn(),
            progress.TimeRemainingColumn(elapsed_when_finished=True),
        )
        console = Console(stderr=True)
        with progress.Progress(*columns, console=console, transient=True) as bars:
            yield Progress(bars)

    @contextmanager
    def training(self) -> Iterator[Progress]:
        """Show how far the command is, and every epoch of its trainings."""
        from whitecrow import watching

        with self.progress() as progress, watching.on_log(progress.epoch):
            yield progress


class Opened(NamedTuple):
    """Data that a command learns from.

    Attributes
    ----------
    source : Source
    rows : TableRows or PictureRows
        All of them.
    read_as : mapping of str to str
        How to read columns.
    """

    source: Source
    rows: TableRows | PictureRows
    read_as: Mapping[str, str]

    def fit(
        self,
        choice: Choice,
        progress: Progress,
        *,
        use_labels: bool,
        auxiliary: Mapping[str, Any] | None,
    ) -> Fit:
        """Fit the method and score the rows."""
        from whitecrow import learning

        return learning.fit(
            self.rows,
            choice,
            rule=self.source.rule,
            use_labels=use_labels,
            ignore=self.source.ignore,
            read_as=self.read_as,
            auxiliary=auxiliary,
            stage=progress.stage,
        )


def opened(data: str, reading: Reading, progress: Progress) -> Opened:
    """Read data to learn from."""
    from whitecrow import learning
    from whitecrow.data.source import open_source

    progress.stage(f"reading {data}")
    source = open_source(data, learning.for_training(reading))
    return Opened(source, source.rows(), reading.read_as)


def inputs(*names: str | None) -> list[Path]:
    """List the files behind data that a command reads, and must not write over."""
    from whitecrow.data.source import paths_of

    return [path for name in names if name for path in paths_of(name)]


def add(app: App, *modules: ModuleType) -> None:
    """Register the `command` of each module, with its `EXAMPLE` in the help."""
    for place, module in enumerate(modules):
        name = module.__name__.rpartition(".")[2]
        help_end = epilogue(module.EXAMPLE)
        if isinstance(module.command, App):
            module.command.help_epilogue, module.command.sort_key = help_end, place
            app.command(module.command)
        else:
            app.command(
                module.command, name=name, help_epilogue=help_end, sort_key=place
            )


def say_notes(notes: Sequence[Note], out: Output) -> None:
    """Say what was read and decided: what may matter in full, the rest in short."""
    from whitecrow.notes import LOUD, ORDINARY, folded

    for note, _ in folded(notes):
        if note.level > ORDINARY:
            mark = "attention" if note.level == LOUD else "note"
            out.line(f"{mark}: {note}")


def say_fitted(found: Fit, notes: Sequence[Note], out: Output) -> None:
    """Say what was read, how it was encoded, which method and threshold, and why."""
    from whitecrow.result import Result

    for note in found.rows.notes[:1]:
        out.line(f"read: {note}")
    say_notes(notes, out)
    say_columns(found.model, out)
    out.line(method_line(found.choice))
    out.line(labels_line(found))
    source = Result(fit=found, top=[], explained=[], reasons={}).threshold_source
    out.line(f"threshold: {found.model.threshold:.4g} ({source})")


def say_columns(model: Model, out: Output) -> None:
    """Say what became of the columns that were not mentioned yet."""
    from whitecrow.data.kinds import grouped

    decisions = () if model.encoder is None else model.encoder.decisions_
    sentences = grouped(one for one in decisions if not one.level)
    for sentence in sentences[:MOST_NOTES]:
        out.line(f"columns: {sentence}")
    if len(sentences) > MOST_NOTES:
        left = len(sentences) - MOST_NOTES
        out.line(f"columns: and {left} more sentences of this kind, in the report")


def method_line(choice: Choice) -> str:
    """Say which method is used, and why."""
    why = f"chosen because {choice.reason}" if choice.reason else "as asked for"
    return f"method: {choice.method.name} ({choice.method.summary}), {why}"


def labels_line(found: Fit) -> str:
    """Say what labels were used for."""
    name = found.choice.method.name
    if found.rows.codes is None:
        return "labels: none"
    if not found.labels_used:
        return "labels: not used for training, only for evaluation"
    if found.model.detector.uses_labels:
        return f"labels: {name} learnt from them"
    return "labels: rows labelled as anomalies were left out of training"


def default_folder(data: str, purpose: str) -> str:
    """Name a folder for output after the data, in the folder where a command runs.

    Examples
    --------
    >>> default_folder("measurements/pumps.csv.gz", "anomalies")
    'pumps-anomalies'
    """
    return f"{stem_of(data)}-{purpose}"


def stem_of(data: str) -> str:
    """Return the name of data without folder and endings, to name output by.

    Examples
    --------
    >>> stem_of("measurements/pumps.csv.gz"), stem_of("-")
    ('pumps', 'data')
    """
    return Path(data).name.split(".")[0].replace("*", "").strip("-_ ") or "data"


def epilogue(example: str) -> str:
    """Write the end of a help page: examples that work as pasted."""
    # Two spaces at the end of a line are markdown's line break.
    return "  \n".join(["Example:", *(f"`$ {line}`" for line in example.split("\n"))])


def command_line(*words: str) -> str:
    """Write a command for pasting into a shell."""
    return shlex.join(words)


def complain(error: Exception) -> int:
    """Write one line on stderr for something that the user can fix."""
    text = _wording.line(error) if isinstance(error, CycloptsError) else str(error)
    text = " ".join(text.split())
    sys.stderr.write(f"whitecrow: {text}\n")
    return USER_ERROR


def interrupted(stop: KeyboardInterrupt) -> int:
    """Write one line for Ctrl-C: what it carries, or what holds for most commands."""
    text = str(stop) or "unfinished files were not kept"
    sys.stderr.write(f"whitecrow: interrupted; {text}\n")
    return INTERRUPTED


@contextmanager
def log_on_stderr() -> Iterator[None]:
    """Show what the library logs as a warning like a warning."""
    logger = logging.getLogger("whitecrow")
    handler = logging.StreamHandler(sys.stderr)
    handler.setLevel(logging.WARNING)
    handler.setFormatter(logging.Formatter("whitecrow: note: %(message)s"))
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)


def show_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: Any = None,
    line: str | None = None,
) -> None:
    """Show a warning as one line on stderr, without the line of code that gave it."""
    text = " ".join(str(message).split())
    sys.stderr.write(f"whitecrow: note: {text}\n")
