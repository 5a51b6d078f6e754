import pytest

from whitecrow import errors


@pytest.mark.parametrize(
    "name", [name for name in errors.__all__ if name != "UserError"]
)
def test_each_error_is_a_user_error_and_takes_one_message(name):
    error = getattr(errors, name)("what, where, and the remedy")
    assert isinstance(error, errors.UserError)
    assert isinstance(error, ValueError)  # scikit-learn code catches it
    assert str(error) == "what, where, and the remedy"


def test_errors_are_also_what_python_calls_them():
    assert issubclass(errors.TrainingError, RuntimeError)
    assert issubclass(errors.MissingDependencyError, ImportError)


def test_all_errors_are_listed():
    defined = {
        name
        for name, value in vars(errors).items()
        if isinstance(value, type) and issubclass(value, Exception)
    }
    assert defined == set(errors.__all__)
    assert errors.__all__ == sorted(errors.__all__)
