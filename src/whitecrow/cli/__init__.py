"""The command line: `whitecrow COMMAND`.

One file a command; what a command does is in `whitecrow.result`, `learning` and
`scoring`. Whatever a user can put right is one line on stderr and exit code 2; anything
else keeps its traceback.
"""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Sequence

from cyclopts import App, CycloptsError

from whitecrow import __version__
from whitecrow.cli import (
    _common,
    data,
    demo,
    detect,
    doctor,
    experiment,
    explain,
    fit,
    label,
    methods,
    score,
)
from whitecrow.errors import UserError

__all__ = ["app", "main"]

BROKEN_PIPE = 141  # what the shell reports for a program that SIGPIPE ended

app = App(
    name="whitecrow",
    help="Find anomalies in tables and pictures, with whatever labels there are.",
    help_epilogue=_common.epilogue("whitecrow detect breast_cancer -o report/"),
    version=__version__,
    suppress_keyboard_interrupt=False,
    version_flags=["--version"],
)
_common.add(
    app, demo, detect, fit, score, explain, label, experiment, data, methods, doctor
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code.

    Parameters
    ----------
    arguments : sequence of str, optional
        Without the name of the program; those of the process by default.

    Returns
    -------
    int
        0, 1 (all runs of an experiment failed), 2 (something that the user can put
        right), 130 (interrupted) or 141 (the reader of our output went away).
    """
    tokens = list(sys.argv[1:] if arguments is None else arguments)
    try:
        with warnings.catch_warnings(), _common.log_on_stderr():
            warnings.showwarning = _common.show_warning
            code = app(
                tokens,
                exit_on_error=False,
                print_error=False,
                result_action="return_value",
            )
            sys.stdout.flush()
    except (UserError, CycloptsError) as error:
        return _common.complain(error)
    except KeyboardInterrupt as stop:
        return _common.interrupted(stop)
    except BrokenPipeError:
        _forget_stdout()
        return BROKEN_PIPE
    return code if isinstance(code, int) else 0


def _forget_stdout() -> None:
    """Keep Python from flushing into the broken pipe once more when it exits."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
