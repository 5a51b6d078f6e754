"""A parameter written once: its type, its legal values and its default, on one line.

    class DeepSVDD(DeepDetector):
        objective: Annotated[str, options("one-class", "soft-boundary")] = "one-class"
        _: KW_ONLY
        nu: Annotated[float, between(0, 1, closed="right")] = 0.1
        milestones: tuple[int, ...] = ()
        epochs = 50

What stands above `_: KW_ONLY` can be given by position. A line without a type gives a
parameter of a base another default; `= fixed(...)` makes a setting that is none, and
`= fitted()` declares what `fit` learns. The constructor, the check in `fit`, and what
the command line reads and lists all come from these lines.
"""

from __future__ import annotations

import inspect
from dataclasses import MISSING, dataclass, field, fields, is_dataclass
from functools import partial, reduce
from numbers import Integral, Real
from operator import or_
from types import NoneType, UnionType
from typing import (
    Annotated,
    Any,
    ClassVar,
    Literal,
    TypeVar,
    Union,
    dataclass_transform,
    get_args,
    get_origin,
    get_type_hints,
)

from sklearn.utils._param_validation import (
    HasMethods,
    Interval,
    InvalidParameterError,
    Options,
    StrOptions,
    validate_parameter_constraints,
)

from whitecrow.errors import ParameterError
from whitecrow.scaling import SCALINGS

__all__ = [
    "Auto",
    "Contamination",
    "Count",
    "Limit",
    "Natural",
    "NonNegative",
    "Parameters",
    "Patience",
    "Positive",
    "RandomState",
    "Scaling",
    "Share",
    "above",
    "at_least",
    "between",
    "check",
    "fitted",
    "fixed",
    "methods",
    "options",
    "words",
]

T = TypeVar("T")

# Shared parameters come last in a signature, everywhere in this order.
_LAST = (
    "network",
    "scaling",
    "max_rows",
    "epochs",
    "batch_size",
    "lr",
    "weight_decay",
    "milestones",
    "n_members",
    "contamination",
    "patience",
    "device",
    "n_jobs",
    "random_state",
)

# What a type says without legal values: rules of scikit-learn's validator.
_RULES: dict[Any, list[Any]] = {
    bool: ["boolean"],
    int: [Integral],
    float: [Real],
    str: [str],
    tuple: [tuple, list],
    NoneType: [None],
    Any: [object],
}


# --- legal values ---------------------------------------------------------------------


def at_least(low: float) -> Any:
    """Allow numbers from `low` on."""
    return partial(Interval, left=low, right=None, closed="left")


def above(low: float) -> Any:
    """Allow numbers greater than `low`."""
    return partial(Interval, left=low, right=None, closed="neither")


def between(low: float | None, high: float | None, *, closed: str = "left") -> Any:
    """Allow numbers of an interval; `closed` names the ends that belong to it."""
    return partial(Interval, left=low, right=high, closed=closed)


def options(*values: Any, kind: type = Integral) -> Any:
    """Allow these words alone, or these numbers of a kind."""
    if isinstance(values[0], str):
        return StrOptions(set(values))
    return Options(kind, set(values))


def methods(*names: str) -> Any:
    """Allow objects that have these methods."""
    return HasMethods(list(names))


Count = Annotated[int, at_least(1)]
Natural = Annotated[int, at_least(0)]
Patience = Annotated[int, at_least(1)] | None
Limit = Annotated[int, at_least(2)] | None
Positive = Annotated[float, above(0)]
NonNegative = Annotated[float, at_least(0)]
Share = Annotated[float, between(0, 1)]
Auto = Annotated[str, options("auto")]
Contamination = Annotated[float, between(0, 0.5, closed="right")] | Auto
Scaling = Annotated[str, options(*SCALINGS)]
RandomState = Annotated[Any, "random_state"]


# --- the lines of a class -------------------------------------------------------------


def fixed(default: T, *, init: Literal[False] = False) -> T:
    """Declare a setting that is no parameter here; a derived class may make it one."""
    return field(default=default, init=init)


def fitted(*, init: Literal[False] = False) -> Any:
    """Declare what `fit` learns."""
    return field(init=init)


@dataclass_transform(field_specifiers=(fixed, fitted))
class Parameters:
    """Base of classes whose constructor comes from the lines of their body.

    A class that writes its own constructor keeps it, and so do those derived from it.
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {}

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Give each class a constructor and the table of its legal values."""
        super().__init_subclass__(**kwargs)
        init: Any = cls.__init__
        if init is object.__init__ or hasattr(init, "__signature__"):
            hints = _construct(cls)
            rules = {name: _rules(hint) for name, hint in hints.items()}
        else:
            rules = _inherited_rules(cls)
        cls._parameter_constraints = rules


def check(estimator: Any) -> None:
    """Refuse illegal values of parameters.

    Raises
    ------
    ParameterError
        Names the parameter, its legal values and the one that it has.
    """
    try:
        validate_parameter_constraints(
            type(estimator)._parameter_constraints,
            estimator.get_params(deep=False),
            caller_name=type(estimator).__name__,
        )
    except InvalidParameterError as error:
        raise ParameterError(str(error)) from None


def words(cls: type, name: str) -> str:
    """List the words among the legal values of a parameter."""
    for rule in getattr(cls, "_parameter_constraints", {}).get(name, ()):
        if isinstance(rule, StrOptions):
            return ", ".join(sorted(rule.options))
    return ""


def _construct(cls: Any) -> dict[str, Any]:
    """Give a class the constructor that its lines describe; return its hints."""
    _take_defaults(cls)
    dataclass(eq=False, repr=False, match_args=False)(cls)
    init = cls.__init__
    hints = get_type_hints(init, include_extras=True)
    init.__annotations__ = hints
    plain = {name: _shown(hint) for name, hint in get_type_hints(init).items()}
    for name in hints.keys() - {"return"}:
        cls.__dataclass_fields__[name].type = hints[name]
    given = inspect.signature(init).parameters.values()
    shown = [one.replace(annotation=plain.get(one.name, one.empty)) for one in given]
    init.__signature__ = inspect.Signature(
        sorted(shown, key=_place), return_annotation=None
    )
    return {name: hint for name, hint in hints.items() if name != "return"}


def _take_defaults(cls: Any) -> None:
    """Turn lines without a type into the parameters of the bases that they mean."""
    types = cls.__annotations__
    for known in fields(cls) if is_dataclass(cls) else ():
        default = vars(cls).get(known.name, MISSING)
        if default is not MISSING and known.name not in types:
            again = field(default=default, init=known.init, kw_only=known.kw_only)
            types[known.name] = known.type
            setattr(cls, known.name, again)


def _shown(hint: Any) -> Any:
    """Return a hint as `help` shows it: `str | float`, not `Union[str, float]`."""
    return reduce(or_, get_args(hint)) if get_origin(hint) is Union else hint


def _place(parameter: inspect.Parameter) -> tuple[int, int]:
    shared = parameter.kind is parameter.KEYWORD_ONLY and parameter.name in _LAST
    return parameter.kind, 1 + _LAST.index(parameter.name) if shared else 0


def _rules(hint: Any) -> list[Any]:
    """Return what scikit-learn's validator takes for a hint, the words first."""
    origin = get_origin(hint) or hint
    if origin in (Union, UnionType):
        rules = [rule for part in get_args(hint) for rule in _rules(part)]
        return sorted(rules, key=lambda rule: not isinstance(rule, StrOptions))
    if origin is Literal:
        return [options(*get_args(hint))]
    if origin is not Annotated:
        return _RULES.get(origin, [origin])
    kind, *legal = get_args(hint)
    # An interval is one of the numbers of the type; all else stands for itself.
    return [
        rule(*_RULES[kind]) if isinstance(rule, partial) else rule for rule in legal
    ]


def _inherited_rules(cls: type) -> dict[str, list[Any]]:
    """Merge the tables of legal values of a class and its bases."""
    rules: dict[str, list[Any]] = {}
    for base in reversed(cls.__mro__):
        rules |= vars(base).get("_parameter_constraints", {})
    return rules
