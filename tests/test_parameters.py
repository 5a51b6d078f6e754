"""Parameters that are written once: lines of a class become its constructor."""

from __future__ import annotations

import inspect
import subprocess
import sys
from dataclasses import KW_ONLY
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from sklearn.base import BaseEstimator, clone

from whitecrow.errors import ParameterError
from whitecrow.parameters import (
    Auto,
    Count,
    Limit,
    Parameters,
    Positive,
    RandomState,
    above,
    at_least,
    between,
    check,
    fitted,
    fixed,
    methods,
    options,
    words,
)

SOURCE = Path(__file__).parent.parent / "src"


class Base(Parameters, BaseEstimator):
    _: KW_ONLY
    epochs: Count = 50
    n_members: Count = 1
    random_state: RandomState = None
    slope: float = fixed(0.5)
    net_: Any = fitted()


class Method(Base):
    kind: Annotated[str, options("soft", "hard")] = "soft"
    _: KW_ONLY
    width: Auto | Positive = "auto"
    epochs = 7
    n_members: int = fixed(3)
    slope: Annotated[float, between(0, 1, closed="both")] = 0.1


class Narrow(Method):
    width = 2.0


class ByHand(Base):
    def __init__(self, power: float = 1.0, *, epochs: int = 3) -> None:
        self.power, self.epochs = power, epochs


class BelowByHand(ByHand):
    epochs = 9


def test_own_parameters_come_first_and_shared_ones_last() -> None:
    shown = "(kind: str = 'soft', *, slope: float = 0.1, width: str | float = 'auto', "
    shown += "epochs: int = 7, random_state: Any = None) -> None"
    assert str(inspect.signature(Method)) == shown


def test_the_constructor_stores_what_it_is_given() -> None:
    method = Method("hard", epochs=2)
    assert vars(method) == {
        "kind": "hard",
        "slope": 0.1,
        "width": "auto",
        "epochs": 2,
        "random_state": None,
    }
    assert clone(method).get_params() == method.get_params()


def test_a_fixed_setting_is_no_parameter_until_it_is_opened() -> None:
    assert (Method().n_members, Base().slope) == (3, 0.5)
    for cls, name in ((Method, "n_members"), (Base, "slope"), (Base, "net_")):
        with pytest.raises(TypeError, match=rf"{cls.__name__}.__init__.*'{name}'"):
            cls(**{name: 1})
    assert Method(slope=0.7).slope == 0.7
    assert not hasattr(Base, "net_")


def test_a_default_alone_changes_nothing_else() -> None:
    assert (Narrow().width, Narrow().epochs, Narrow("hard").kind) == (2.0, 7, "hard")
    with pytest.raises(ParameterError, match="'width' parameter of Narrow must be"):
        check(Narrow(width=-1.0))
    assert Method().width == "auto"


def test_a_constructor_written_by_hand_stays() -> None:
    for cls in (ByHand, BelowByHand):
        assert cls(2.0).get_params() == {"power": 2.0, "epochs": 3}
        with pytest.raises(ParameterError, match="'epochs' parameter"):
            check(cls(epochs=0))


CASES = [
    (bool, "an instance of 'bool' or an instance of 'numpy.bool'"),
    (int | None, "an instance of 'int' or None"),
    (float, "an instance of 'float'"),
    (tuple[int, ...], "an instance of 'tuple' or an instance of 'list'"),
    (Limit, r"an int in the range \[2, inf\) or None"),
    (
        Annotated[int, at_least(1), options(-1)],
        r"an int .*\[1, inf\) or a int among {-1}",
    ),
    (Positive | Auto, r"a str among {'auto'} or a float in the range \(0.0, inf\)"),
    (Annotated[float, above(1)], r"a float in the range \(1.0, inf\)"),
    (Annotated[Any, methods("fit"), None], "an object implementing 'fit' or None"),
    (Literal["a"], "a str among {'a'}"),
    (Count, r"an int in the range \[1, inf\)"),
]


@pytest.mark.parametrize(("hint", "legal"), CASES)
def test_what_is_illegal_is_said_with_what_is_legal(hint: Any, legal: str) -> None:
    body = {"__annotations__": {"value": hint}, "__module__": __name__}
    cls = type("Odd", (Parameters, BaseEstimator), body)
    with pytest.raises(
        ParameterError, match=f"'value' parameter of Odd must be {legal}"
    ):
        check(cls("nosuch"))


def test_anything_is_legal_where_nothing_is_said() -> None:
    class Open(Parameters, BaseEstimator):
        value: Any = None

    check(Open(object()))


def test_words_of_a_parameter() -> None:
    assert words(Method, "kind") == "hard, soft"
    assert words(Method, "epochs") == words(int, "epochs") == ""


def test_nobody_else_imports_the_private_validator() -> None:
    found = [
        path.name
        for path in SOURCE.rglob("*.py")
        if "_param_validation" in path.read_text(encoding="utf-8")
    ]
    assert found == ["parameters.py"]


def test_the_help_needs_no_parameters() -> None:
    code = "import whitecrow, whitecrow.choose, sys; print('sklearn' in sys.modules)"
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert run.stdout.strip() == "False"
