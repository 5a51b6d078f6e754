"""What the commands share: options, messages, progress. Imports nothing heavy."""

from __future__ import annotations

import json
import logging
import shlex
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App, CycloptsError, Parameter

from whitecrow.cli import _wording

if TYPE_CHECKING:
    from whitecrow.choose import Choice
    from whitecrow.data.source import Reading
    from whitecrow.model import Fit, Model
    from whitecrow.notes import Note

__all__ = [
    "Data",
    "Flag",
    "Json",
    "LabelOptions",
    "MethodOptions",
    "Output",
    "Progress",
    "Quiet",
    "ReadAs",
    "add",
    "command_line",
    "complain",
    "epilogue",
    "interrupted",
    "log_on_stderr",
    "show_warning",
]

USER_ERROR = 2
INTERRUPTED = 130
MOST_NOTES = 30
"""Sentences about ordinary columns; those that may matter are all shown."""


def _check_data(type_: object, given: str) -> None:
    """Refuse an option that does not exist where data are expected."""
    if given.startswith("-") and given != "-" and not Path(given).exists():
        raise ValueError(_wording.NO_OPTION)


# `Annotated` types of arguments that several commands have. What begins with a hyphen
# may be data, since `-` is standard input.
Data = Annotated[str, Parameter(allow_leading_hyphen=True, validator=_check_data)]
Flag = Annotated[bool, Parameter(negative="", show_default=False)]
Json = Annotated[bool, Parameter(name="--json", negative="", show_default=False)]
Quiet = Annotated[
    bool, Parameter(name=["--quiet", "-q"], negative="", show_default=False)
]


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class MethodOptions:
    """Options that say how to detect.

    Attributes
    ----------
    method
        A name from `whitecrow methods`; chosen by the data if not given.
    model
        A parameter of the method, as in `--model.epochs 20` or `--model.hidden 64,32`;
        `whitecrow methods NAME` lists them.
    preset
        Settings of a publication, such as `paper`.
    contamination
        Expected share of anomalies: `auto`, or up to 0.5.
    seed
        The same seed gives the same scores.
    """

    method: str | None = None
    model: Annotated[
        dict[str, str], Parameter(allow_leading_hyphen=True, show_default=False)
    ] = field(default_factory=dict)
    preset: str | None = None
    contamination: str = "auto"
    seed: int = 0

    def choose(self, kind: str, *, use_labels: bool) -> Choice:
        """Choose the method for data of this kind, with its settings."""
        from whitecrow import choose

        return choose.choose(
            kind,
            self.method,
            use_labels=use_labels,
            parameters=self.model,
            preset=self.preset,
            contamination=self.contamination,
            seed=self.seed,
        )


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class LabelOptions:
    """Options that say how to read the data and where labels are.

    Attributes
    ----------
    label_column
        The column with labels: 1 anomaly, 0 normal, empty unlabelled.
    labels
        Another convention: `deep-sad` (-1 anomaly, 0 unlabelled, 1 normal),
        `sklearn-semi` (-1 unlabelled), `outlier-predict` (-1 anomaly, 1 normal).
    anomaly_value
        The label that means an anomaly; `'!normal'` for all but `normal`. May be
        given several times.
    ignore
        Columns to leave out, separated by commas.
    sheet
        The sheet of a workbook, by name or number; by default the first with data.
    """

    label_column: str | None = None
    labels: str | None = None
    anomaly_value: Annotated[
        tuple[str, ...],
        Parameter(allow_leading_hyphen=True, negative="", show_default=False),
    ] = ()
    ignore: Annotated[str, Parameter(show_default=False)] = ""
    sheet: str | None = None

    def reading(
        self, read_as: Sequence[str] = (), picture_size: int | None = None
    ) -> Reading:
        """Say the same to whoever opens the data."""
        from whitecrow.data.labelling import Labelling
        from whitecrow.data.source import Reading

        return Reading(
            labels=Labelling(
                column=self.label_column,
                convention=self.labels,
                anomaly_values=self.anomaly_value,
            ),
            ignore=tuple(filter(None, map(str.strip, self.ignore.split(",")))),
            read_as=dict(map(_pair, read_as)),
            sheet=self.sheet,
            picture_size=picture_size,
        )

    @property
    def given(self) -> bool:
        """Whether the user said anything about labels."""
        return bool(self.label_column or self.labels or self.anomaly_value)


ReadAs = Annotated[
    tuple[str, ...],
    Parameter(
        name="--read-as",
        allow_leading_hyphen=True,
        negative="",
        show_default=False,
    ),
]


def _pair(text: str) -> tuple[str, str]:
    from whitecrow.errors import ParameterError

    column, equals, how = text.rpartition("=")
    if not equals or not column or not how:
        raise ParameterError(
            f"--read-as {text!r} is not COLUMN=HOW, as in --read-as 'when=month-first'"
        )
    return column, how


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

    def flush(self) -> None:
        """Let readers of a pipe have the lines before a command that waits."""
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
def training_progress(progress: Progress) -> Iterator[None]:
    """Report the epochs of every training inside the block."""
    from whitecrow import watching

    def report(epoch: int, record: dict[str, Any]) -> None:
        loss = f": loss {record['loss']:.4g}" if "loss" in record else ""
        what = f"{record['method']}, {record['stage']}{loss}"
        progress(what, epoch, record["epochs"])

    with watching.on_log(report):
        yield


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
    from whitecrow.notes import LOUD, ORDINARY

    for note in notes:
        if note.level > ORDINARY:
            mark = "attention" if note.level == LOUD else "note"
            out.line(f"{mark}: {note}")


def say_fitted(found: Fit, notes: Sequence[Note], out: Output) -> None:
    """Say what was read, how it was encoded, which method and threshold, and why."""
    for note in found.rows.notes[:1]:
        out.line(f"read: {note}")
    say_notes(notes, out)
    say_columns(found.model, out)
    out.line(method_line(found.choice))
    out.line(labels_line(found))
    source = found.model.detector.threshold_source_
    out.line(f"threshold: {found.model.threshold:.4g} ({source})")


def say_columns(model: Model, out: Output) -> None:
    """Say what became of the columns that nothing else was said about."""
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
    """Name data without folder and endings, for what is made of them.

    Examples
    --------
    >>> stem_of("measurements/pumps.csv.gz"), stem_of("-")
    ('pumps', 'data')
    """
    from pathlib import Path

    return Path(data).name.split(".")[0].replace("*", "").strip("-_ ") or "data"


def epilogue(example: str) -> str:
    """Write the end of a help page: examples that work as pasted."""
    # Two spaces at the end of a line are markdown's line break.
    return "  \n".join(["Example:", *(f"`$ {line}`" for line in example.split("\n"))])


def command_line(*words: str) -> str:
    """Write a command for pasting into a shell."""
    return shlex.join(words)


def complain(error: Exception) -> int:
    """Write one line on stderr for something that the user can put right."""
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
