"""What the commands share: options, messages, progress. Imports nothing heavy."""

from __future__ import annotations

import json
import logging
import shlex
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import ModuleType
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App, CycloptsError, Parameter

from whitecrow.cli import _wording

if TYPE_CHECKING:
    from whitecrow.workflow.inputs import Labelling
    from whitecrow.workflow.training import Choice, Fitted

__all__ = [
    "Flag",
    "Json",
    "LabelOptions",
    "MethodOptions",
    "Output",
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
MOST_SENTENCES = 8

Progress = Callable[[str, int, int | None], None]

# `Annotated` types of arguments that several commands have.
Flag = Annotated[bool, Parameter(negative="", show_default=False)]
Json = Annotated[bool, Parameter(name="--json", negative="", show_default=False)]


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
        """The method for data of this kind, with its settings."""
        from whitecrow.workflow import training

        return training.choose(
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
    """Options that say where labels are and what they mean.

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
        Columns that are no features, separated by commas.
    """

    label_column: str | None = None
    labels: str | None = None
    anomaly_value: Annotated[
        tuple[str, ...],
        Parameter(allow_leading_hyphen=True, negative="", show_default=False),
    ] = ()
    ignore: Annotated[str, Parameter(show_default=False)] = ""

    def rule(self) -> Labelling:
        """The same for the workflow."""
        from whitecrow.workflow.inputs import Labelling

        return Labelling(
            column=self.label_column,
            convention=self.labels,
            anomaly_values=self.anomaly_value,
            ignore=tuple(filter(None, map(str.strip, self.ignore.split(",")))),
        )

    @property
    def given(self) -> bool:
        """Whether the user said anything about labels."""
        return bool(self.label_column or self.labels or self.anomaly_value)


class Output:
    """Where a command speaks: text on stdout, or with `--json` one object there.

    Progress goes to stderr, and only to a terminal.
    """

    def __init__(self, *, as_json: bool = False) -> None:
        self.as_json = as_json

    def line(self, text: str = "") -> None:
        """A line for people."""
        if not self.as_json:
            sys.stdout.write(text + "\n")

    def flush(self) -> None:
        """Let readers of a pipe have the lines before a command that waits."""
        sys.stdout.flush()

    def table(self, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """A table for people, as wide as the terminal."""
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
        """The object of `--json`; nothing otherwise."""
        if self.as_json:
            sys.stdout.write(json.dumps(values, allow_nan=False) + "\n")

    @contextmanager
    def progress(self) -> Iterator[Progress]:
        """A function `(what, done, total)` that draws progress."""
        if self.as_json or not sys.stderr.isatty():
            yield lambda what, done, total: None
            return
        from rich.console import Console
        from rich.progress import Progress as Bars

        with Bars(console=Console(stderr=True), transient=True) as bars:
            task = bars.add_task("working", total=None)
            yield lambda what, done, total: bars.update(
                task, description=what, completed=done, total=total
            )


@contextmanager
def training_progress(progress: Progress) -> Iterator[None]:
    """Report the epochs of every training inside the block."""
    from whitecrow import train

    def report(epoch: int, record: dict[str, Any]) -> None:
        what = f"{record['method']}, {record['stage']}: loss {record['loss']:.4g}"
        progress(what, epoch, record["epochs"])

    progress("reading", 0, None)
    with train.on_log(report):
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


def say_fitted(fitted: Fitted, out: Output) -> None:
    """What was read, how it was encoded, which method and why, which threshold."""
    for note in fitted.data.notes:
        out.line(f"read: {note}")
    for sentence in fitted.encoding[:MOST_SENTENCES]:
        out.line(f"columns: {sentence}")
    if len(fitted.encoding) > MOST_SENTENCES:
        out.line(f"columns: and {len(fitted.encoding) - MOST_SENTENCES} more decisions")
    out.line(method_line(fitted.choice))
    out.line(labels_line(fitted))
    source = fitted.detector.threshold_source_
    out.line(f"threshold: {fitted.threshold:.4g} ({source})")


def method_line(choice: Choice) -> str:
    """Which method, and why."""
    why = f"chosen because {choice.reason}" if choice.reason else "as asked for"
    return f"method: {choice.method.name} ({choice.method.summary}), {why}"


def labels_line(fitted: Fitted) -> str:
    """What labels were used for."""
    name = fitted.choice.method.name
    if fitted.data.codes is None:
        return "labels: none"
    if fitted.labels_used:
        return f"labels: {name} learnt from them"
    if not fitted.detector.uses_labels:
        return f"labels: not used for training ({name} does not learn from labels)"
    return "labels: not used for training, only for evaluation"


def epilogue(example: str) -> str:
    """The end of a help page: examples that work as pasted."""
    # Two spaces at the end of a line are markdown's line break.
    return "  \n".join(["Example:", *(f"`$ {line}`" for line in example.split("\n"))])


def command_line(*words: str) -> str:
    """A command for pasting into a shell."""
    return shlex.join(words)


def complain(error: Exception) -> int:
    """One line on stderr for something that the user can put right."""
    text = _wording.line(error) if isinstance(error, CycloptsError) else str(error)
    text = " ".join(text.split())
    sys.stderr.write(f"whitecrow: {text}\n")
    return USER_ERROR


def interrupted(stop: KeyboardInterrupt) -> int:
    """One line for Ctrl-C: what it carries, or what holds for most commands."""
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
    """A warning as one line on stderr, without the line of code that gave it."""
    text = " ".join(str(message).split())
    sys.stderr.write(f"whitecrow: note: {text}\n")
