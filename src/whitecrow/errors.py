"""Errors that a user can act on.

Every message is one line with the value, what would have been legal, and the remedy.
The command line prints it and exits with code 2; in Python they are ordinary
exceptions, subclasses of `ValueError` so that scikit-learn code can catch them.
"""

__all__ = [
    "DataError",
    "LabelError",
    "MissingDependencyError",
    "ModelFileError",
    "ParameterError",
    "TrainingError",
    "UserError",
]


class UserError(ValueError):
    r"""Something that the caller can put right; the message says how.

    Parameters
    ----------
    message : object
        Line breaks in it, as names in a file may have them, become spaces.

    Examples
    --------
    >>> str(UserError("no column 'a\nb'; use 'c'"))
    "no column 'a b'; use 'c'"
    """

    def __init__(self, message: object = "") -> None:
        super().__init__(" ".join(str(message).splitlines()))


class DataError(UserError):
    """A file, column, row or picture cannot be used as it is."""


class LabelError(UserError):
    """Labels outside the convention: 1 anomaly, 0 normal, missing unlabelled."""


class ParameterError(UserError):
    """A parameter has an illegal value, or cannot be combined with another."""


class ModelFileError(UserError):
    """A model file is broken, altered, from the future, or not a model file."""


class TrainingError(UserError, RuntimeError):
    """Training diverged; the message says in which epoch and what to try."""


class MissingDependencyError(UserError, ImportError):
    """An optional dependency is absent; the message has the install command."""
