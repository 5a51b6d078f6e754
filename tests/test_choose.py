"""Text as constructor arguments."""

from __future__ import annotations

from typing import Any, Literal

import pytest

from whitecrow import methods
from whitecrow.choose import convert, describe, legal_names
from whitecrow.errors import ParameterError


class Example:
    """Has one argument of each kind."""

    def __init__(
        self,
        *,
        count: int = 1,
        share: float | str = "auto",
        flag: bool = True,
        sizes: str | tuple[int, ...] = "auto",
        limit: int | None = None,
        mode: Literal["a", "b"] = "a",
        anything: Any = None,
    ) -> None:
        pass


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("count", "3", 3),
        ("share", "0.5", 0.5),
        ("share", "1e-3", 0.001),
        ("share", "auto", "auto"),
        ("flag", "false", False),
        ("flag", "Yes", True),
        ("sizes", "64,32", (64, 32)),
        ("sizes", "(64, 32)", (64, 32)),
        ("sizes", "64", (64,)),
        ("sizes", "auto", "auto"),
        ("limit", "none", None),
        ("limit", "7", 7),
        ("mode", "b", "b"),
        ("anything", "2.5", 2.5),
        ("anything", "word", "word"),
    ],
)
def test_values(name: str, text: str, expected: object) -> None:
    (value,) = convert(Example, {name: text}).values()
    assert value == expected
    assert type(value) is type(expected)


@pytest.mark.parametrize(
    ("name", "text", "wanted"),
    [
        ("count", "1.5", "a whole number"),
        ("flag", "2", "true or false"),
        ("limit", "x", "a whole number or none"),
    ],
)
def test_values_of_another_type(name: str, text: str, wanted: str) -> None:
    with pytest.raises(ParameterError, match=f"--model.{name} must be {wanted}, not"):
        convert(Example, {name: text})


def test_unknown_names_come_with_the_closest_and_all_legal_ones() -> None:
    with pytest.raises(ParameterError) as caught:
        convert(Example, {"cuont": "1"})
    assert "did you mean --model.count?" in str(caught.value)
    assert "anything, count, flag" in str(caught.value)


@pytest.mark.parametrize("method", methods(), ids=lambda m: m.name)
def test_every_parameter_of_every_method_is_described_and_converted(
    method: Any,
) -> None:
    for name in legal_names(method.cls):
        assert describe(method.cls, name)


def test_defaults_survive_as_text() -> None:
    """What `whitecrow methods NAME` shows as default can be given back."""
    import inspect

    for method in methods():
        for name, parameter in inspect.signature(method.cls).parameters.items():
            default = parameter.default
            if isinstance(default, bool | int | float | str):
                assert convert(method.cls, {name: str(default)}) == {name: default}
