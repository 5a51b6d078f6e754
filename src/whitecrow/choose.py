"""From text to a method with its settings: names, parameters, presets, shares."""

from __future__ import annotations

import difflib
import inspect
import types
import typing
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from whitecrow.defaults import default_method
from whitecrow.errors import ParameterError
from whitecrow.registry import Method, method, methods

if TYPE_CHECKING:
    from whitecrow.detector import Detector

__all__ = [
    "Choice",
    "build",
    "choose",
    "choose_detector",
    "convert",
    "describe",
    "legal_names",
    "share",
]

WRAPPED = Method(
    "wrapped",
    "Wrapped",
    "see its documentation",
    0,
    "none",
    ("table",),
    "an estimator of another library",
)
"""What `whitecrow.wrap` gives, which has no name on the command line."""

_TRUTHS = dict.fromkeys(("true", "yes", "on"), True)
_TRUTHS |= dict.fromkeys(("false", "no", "off"), False)


@dataclass(frozen=True, kw_only=True)
class Choice:
    """A method with its settings, and why it was taken.

    Attributes
    ----------
    method : Method
        Row of the registry.
    reason : str or None
        Completes "chosen because"; None when the user named the method.
    parameters : dict
        Constructor arguments that the user gave.
    preset : str or None
        A named set of constructor arguments.
    contamination : "auto" or float
        Expected share of anomalies.
    seed : int
        `random_state`, where the method has one.
    detector : Detector or None
        An unfitted one with all its settings, in place of these.
    """

    method: Method
    reason: str | None = None
    parameters: Mapping[str, Any] = field(default_factory=dict)
    preset: str | None = None
    contamination: float | str = "auto"
    seed: int = 0
    detector: Detector | None = None


def choose(
    kind: str,
    name: str | None,
    *,
    use_labels: bool,
    parameters: Mapping[str, str] | None = None,
    preset: str | None = None,
    contamination: str = "auto",
    seed: int = 0,
) -> Choice:
    """Choose a method by name, or the default one, with its settings from text.

    Parameters
    ----------
    kind : {"table", "picture"}
        What the rows are.
    name : str or None
        A name of `whitecrow methods`, or of a class; None takes the default.
    use_labels : bool
        Whether there are labels to learn from.
    parameters : mapping of str to str, optional
        Constructor arguments as text.
    preset : str, optional
        Settings of a publication.
    contamination : str, default="auto"
        "auto", or a share such as "0.05" or "5%".
    seed : int, default=0

    Raises
    ------
    ParameterError
        For an unknown method, preset or parameter; a method that does not take this
        kind of data; a value of the wrong type.

    Examples
    --------
    >>> choose("table", "knn", use_labels=False, contamination="5%").contamination
    0.05
    """
    reason = None
    if name is None:
        name, reason = default_method(kind, use_labels=use_labels)
    record = method(name.replace("-", "_") if name.islower() else name)
    if kind not in record.input_kinds:
        legal = ", ".join(m.name for m in methods() if kind in m.input_kinds)
        raise ParameterError(
            f"{record.name} does not take {kind} input; use one of {legal}"
        )
    if not 0 <= seed < 2**32:
        raise ParameterError(
            f"--seed {seed}: a seed is a whole number from 0 to {2**32 - 1}"
        )
    choice = Choice(
        method=record,
        reason=reason,
        parameters=convert(record.cls, parameters or {}),
        preset=preset,
        contamination=share(contamination),
        seed=seed,
    )
    # Before hours go into reading: a wrong value is known by now.
    build(choice)._check_parameters()
    return choice


def choose_detector(kind: str, detector: Detector) -> Choice:
    """Choose a detector with the settings that it has.

    Raises
    ------
    ParameterError
        When it is not a detector, or does not take this kind of data.
    """
    name = type(detector).__name__
    known = (*methods(), WRAPPED)
    record = next((one for one in known if one.class_name == name), None)
    if record is None:
        raise ParameterError(
            f"method={name} is not a detector of whitecrow; wrap it with "
            "whitecrow.wrap(...), or give a name from whitecrow.methods()"
        )
    if kind not in record.input_kinds:
        raise ParameterError(f"{name} does not take {kind} input")
    return Choice(method=record, detector=detector)


def build(choice: Choice) -> Detector:
    """Build the unfitted detector of a choice."""
    if choice.detector is not None:
        from sklearn.base import clone

        return clone(choice.detector)
    cls = choice.method.cls
    shared = {"contamination": choice.contamination, "random_state": choice.seed}
    given = {name: v for name, v in shared.items() if name in legal_names(cls)}
    given |= choice.parameters
    return cls(**given) if choice.preset is None else cls.preset(choice.preset, **given)


def share(text: str) -> float | str:
    """Read an expected share of anomalies.

    Raises
    ------
    ParameterError
        When it is neither "auto" nor a share above 0 and up to 0.5.

    Examples
    --------
    >>> share("5%"), share("auto")
    (0.05, 'auto')
    """
    if text == "auto":
        return text
    try:
        value = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError:
        value = 0.0
    if not 0 < value <= 0.5:
        raise ParameterError(
            f"--contamination {text!r} is neither 'auto' nor a share above 0 and up to "
            "0.5, such as 0.05 or 5%"
        )
    return value


def convert(cls: type, given: Mapping[str, str]) -> dict[str, Any]:
    """Read constructor arguments of `cls` from text.

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
    """List the names of the constructor arguments, sorted.

    Examples
    --------
    >>> from whitecrow import AutoEncoder
    >>> "epochs" in legal_names(AutoEncoder)
    True
    """
    return tuple(sorted(inspect.signature(cls).parameters))


def describe(cls: type, name: str) -> str:
    """Say in words which values of a constructor argument are legal.

    Examples
    --------
    >>> from whitecrow import AutoEncoder
    >>> describe(AutoEncoder, "batch_norm")
    'true or false'
    """
    from whitecrow import parameters

    hint = typing.get_type_hints(cls.__init__).get(name, Any)  # type: ignore[misc]
    words = parameters.words(cls, name)
    if hint is Any:
        return words or "see the documentation"
    kinds = [_NAMES.get(kind, "") for kind in _members(hint)]
    if words:
        kinds = [words if kind == "text" else kind for kind in kinds]
    return " or ".join(kind for kind in kinds if kind)


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
            with suppress(ValueError, KeyError):
                return parse(text.strip(), members[kind])
    wanted = " or ".join(_NAMES.get(kind, str(kind)) for kind in members)
    raise ParameterError(f"--model.{name} must be {wanted}, not {text!r}")


def _members(hint: Any) -> dict[Any, Any]:
    """Map the origin of each type of an annotation to the annotation itself."""
    if hint is Any or hint is object:
        return {kind: kind for kind in (type(None), bool, int, float, str)}
    if isinstance(hint, types.UnionType) or typing.get_origin(hint) is typing.Union:
        parts = [_members(part) for part in typing.get_args(hint)]
        return {kind: value for part in parts for kind, value in part.items()}
    return {typing.get_origin(hint) or hint: hint}


def _tuple(text: str, hint: Any) -> tuple[Any, ...]:
    inner = next((a for a in typing.get_args(hint) if a is not Ellipsis), Any)
    parse = _PARSERS.get(inner, _PARSERS[float])
    cells = text.strip("()[]").removesuffix(",").split(",")
    return tuple(parse(cell.strip(), inner) for cell in cells)


# In the order in which they are tried; a text of another type is an error.
_PARSERS: dict[Any, Callable[[str, Any], Any]] = {
    type(None): lambda text, _: {"none": None}[text.lower()],
    bool: lambda text, _: _TRUTHS[text.lower()],
    int: lambda text, _: int(text),
    float: lambda text, _: float(text),
    tuple: _tuple,
    list: _tuple,
    typing.Literal: lambda text, hint: {str(v): v for v in typing.get_args(hint)}[text],
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
