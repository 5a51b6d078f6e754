"""Text from a command line as constructor arguments, by the annotations of a class."""

from __future__ import annotations

import difflib
import inspect
import types
import typing
from collections.abc import Callable, Mapping
from typing import Any

from whitecrow.errors import ParameterError

__all__ = ["convert", "describe", "legal_names"]

_TRUE, _FALSE = {"true", "yes", "on"}, {"false", "no", "off"}


def convert(cls: type, given: Mapping[str, str]) -> dict[str, Any]:
    """Constructor arguments of `cls` from text.

    Parameters
    ----------
    cls : type
        An estimator class.
    given : mapping from str to str
        Names (a dash is as good as an underscore) and values: `none`, `true`, `3`,
        `1e-3`, `64,32` for a tuple, or a word.

    Raises
    ------
    ParameterError
        For an unknown name, with the legal ones; for a value of another type.

    Examples
    --------
    >>> class Net:
    ...     def __init__(self, hidden: str | tuple[int, ...] = "auto", lr: float = 1.0):
    ...         pass
    >>> convert(Net, {"hidden": "64,32", "lr": "1e-3"})
    {'hidden': (64, 32), 'lr': 0.001}
    """
    hints = typing.get_type_hints(cls.__init__)  # type: ignore[misc]
    result = {}
    for given_name, text in given.items():
        name = given_name.replace("-", "_")
        if name not in legal_names(cls):
            raise ParameterError(_unknown(cls, given_name))
        result[name] = _value(text, hints.get(name, Any), name)
    return result


def legal_names(cls: type) -> tuple[str, ...]:
    """Names of the constructor arguments, sorted.

    Examples
    --------
    >>> from whitecrow import AutoEncoder
    >>> "epochs" in legal_names(AutoEncoder)
    True
    """
    return tuple(sorted(inspect.signature(cls).parameters))


def describe(cls: type, name: str) -> str:
    """The legal values of a constructor argument, in words.

    Examples
    --------
    >>> from whitecrow import AutoEncoder
    >>> describe(AutoEncoder, "batch_norm")
    'true or false'
    """
    hint = typing.get_type_hints(cls.__init__).get(name, Any)  # type: ignore[misc]
    words = _choices(cls, name)
    if hint is Any:
        return words or "see the documentation"
    kinds = [_NAMES.get(kind, "") for kind in _members(hint)]
    if words:
        kinds = [words if kind == "text" else kind for kind in kinds]
    return " or ".join(kind for kind in kinds if kind)


def _choices(cls: type, name: str) -> str:
    """The words that the class's table of legal values has for an argument."""
    from sklearn.utils._param_validation import StrOptions

    for base in cls.__mro__:
        for rule in vars(base).get("_parameter_constraints", {}).get(name, ()):
            if isinstance(rule, StrOptions):
                return ", ".join(sorted(rule.options))
    return ""


def _unknown(cls: type, name: str) -> str:
    names = legal_names(cls)
    close = difflib.get_close_matches(name.replace("-", "_"), names, n=1)
    hint = f"did you mean --model.{close[0]}? " if close else ""
    return (
        f"--model.{name}: {cls.__name__} has no parameter {name!r}; {hint}"
        f"it has {', '.join(names)}"
    )


def _value(text: str, hint: Any, name: str) -> Any:
    members = _members(hint)
    for kind, parse in _PARSERS.items():
        if kind in members:
            value = parse(text.strip(), members[kind])
            if value is not _NO:
                return value
    wanted = " or ".join(_NAMES.get(kind, str(kind)) for kind in members)
    raise ParameterError(f"--model.{name} must be {wanted}, not {text!r}")


def _members(hint: Any) -> dict[Any, Any]:
    """The types of an annotation: their origin -> the annotation itself."""
    if hint is Any or hint is object:
        return {kind: kind for kind in (type(None), bool, int, float, str)}
    if isinstance(hint, types.UnionType) or typing.get_origin(hint) is typing.Union:
        parts = [_members(part) for part in typing.get_args(hint)]
        return {kind: value for part in parts for kind, value in part.items()}
    return {typing.get_origin(hint) or hint: hint}


_NO = object()


def _none(text: str, _: Any) -> Any:
    return None if text.lower() == "none" else _NO


def _bool(text: str, _: Any) -> Any:
    word = text.lower()
    return word in _TRUE if word in _TRUE | _FALSE else _NO


def _number(of: Callable[[str], Any]) -> Callable[[str, Any], Any]:
    def parse(text: str, _: Any) -> Any:
        try:
            return of(text)
        except ValueError:
            return _NO

    return parse


def _literal(text: str, hint: Any) -> Any:
    by_text = {str(value): value for value in typing.get_args(hint)}
    return by_text.get(text, _NO)


def _tuple(text: str, hint: Any) -> Any:
    inner = next((a for a in typing.get_args(hint) if a is not Ellipsis), Any)
    parse = _PARSERS.get(inner, _PARSERS[float])
    cells = text.strip("()[]").removesuffix(",").split(",")
    values = [parse(cell.strip(), inner) for cell in cells]
    return _NO if any(value is _NO for value in values) else tuple(values)


# In the order in which they are tried.
_PARSERS: dict[Any, Callable[[str, Any], Any]] = {
    type(None): _none,
    bool: _bool,
    int: _number(int),
    float: _number(float),
    tuple: _tuple,
    list: _tuple,
    typing.Literal: _literal,
    str: lambda text, _: text,
}
_NAMES = {
    type(None): "none",
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    tuple: "numbers separated by commas",
    list: "numbers separated by commas",
    str: "text",
}
