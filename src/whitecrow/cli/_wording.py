"""What is wrong with a command line, as one line."""

from __future__ import annotations

import re
from difflib import get_close_matches

from cyclopts import (
    App,
    CycloptsError,
    MissingArgumentError,
    UnknownCommandError,
    UnusedCliTokensError,
    ValidationError,
)

__all__ = ["NO_OPTION", "line"]

NO_OPTION = "there is no such option"
"""What a check says of data that look like an option."""


def line(error: CycloptsError) -> str:
    """Say what is wrong with a command line, and where its help is."""
    command = f"whitecrow {' '.join(error.command_chain or ())}".strip()
    return f"{_what(error)}; see `{command} --help`"


def _what(error: CycloptsError) -> str:
    if isinstance(error, UnknownCommandError) and error.unused_tokens and error.app:
        return _unknown(error.unused_tokens[0], error.app)
    if isinstance(error, MissingArgumentError) and error.argument is not None:
        # The name as it was given, or nothing where it was not.
        if error.keyword is not None:
            return f"{error.keyword} needs a value"
        return f"{error.argument.name} is missing"
    if isinstance(error, UnusedCliTokensError) and error.unused_tokens:
        return (
            f"{error.unused_tokens[0]!r} is one too many; several files are one "
            "pattern in quotes, as in 'data/*.csv'"
        )
    if isinstance(error, ValidationError) and error.exception_message == NO_OPTION:
        return _no_option(error)
    text = " ".join(str(error).split()).rstrip(".")
    whole = r"'\1' is not a whole number"
    return re.sub(r'unable to convert "(.*)" into int$', whole, text)


def _no_option(error: ValidationError) -> str:
    """Name the option that is meant, as for one that stands behind the data."""
    tokens = () if error.argument is None else error.argument.tokens
    given = " ".join(token.value.partition("=")[0] for token in tokens)
    known = [] if error.app is None else error.app.assemble_argument_collection()
    names = [name for argument in known for name in argument.names]
    near = get_close_matches(given, names, n=1)
    return f"Unknown option: {given}" + (f". Did you mean {near[0]}?" if near else "")


def _unknown(given: str, app: App) -> str:
    """Name all commands: there are few, and one of them is meant."""
    names = [name for name in app if not name.startswith("-")]
    near = get_close_matches(given, names, n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    return f"there is no command {given!r}; {hint}commands: {', '.join(names)}"
