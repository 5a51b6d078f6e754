"""Questions about training rows: what can be asked of whom, and the answers.

A contender that asks knows no label at first. It is fitted without any; a query
strategy chooses rows by the scores and codes of that fit, all at once; and it is fitted
anew with the truth about these rows, some of it wrong if the experiment says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from whitecrow import labels
from whitecrow.active import strategies
from whitecrow.errors import DataError

__all__ = ["Asking", "answers", "check"]


@dataclass(frozen=True, kw_only=True)
class Asking:
    """Which training rows a contender gets the truth about.

    Attributes
    ----------
    strategy : str
        Of `whitecrow.active.strategies.names()`, but for those that go by answers.
    questions : int
        How many rows; with 0 the fit without labels is what is judged.
    wrong : float in [0, 1]
        Share of the answers that are wrong, rounded to a whole number of them.
    first : mapping
        Constructor arguments of the fit without labels where they differ from the
        contender's.

    Examples
    --------
    >>> sorted(Asking(strategy="kmeans", questions=10).needs)
    ['embeddings']
    """

    strategy: str
    questions: int
    wrong: float = 0.0
    first: Mapping[str, Any] = field(default_factory=dict)

    @property
    def needs(self) -> frozenset[str]:
        """What of the fit without labels the strategy reads."""
        return strategies.get(self.strategy).needs


def check(asking: Asking, *, method: str, use_labels: bool | None = None) -> None:
    """Refuse what cannot be asked, as far as an experiment file tells.

    Parameters
    ----------
    asking : Asking
    method : str
        Who asks, as in the file.
    use_labels : bool or None
        As in the file.

    Raises
    ------
    DataError
        One line: what is wrong, and what is legal.
    """
    # All questions are asked at once: a strategy that goes by answers would have none.
    legal = _strategies_without("answers")
    if asking.strategy not in legal:
        raise DataError(
            f"asking.strategy = {asking.strategy!r}; use one of {', '.join(legal)}"
        )
    _check_values(asking)
    learns, gives = _abilities(method)
    if not learns or use_labels is False:
        raise DataError(
            f"{method!r} learns from no labels here, so that answers change nothing; "
            "leave asking out"
        )
    if not gives:
        _check_without_fit(asking, method)
    elif not asking.needs <= gives:
        raise DataError(
            f"asking.strategy = {asking.strategy!r} needs codes, and {method!r} has no "
            f"`embed`; use one of {', '.join(_strategies_without('embeddings'))}"
        )


def _check_values(asking: Asking) -> None:
    given: dict[str, Any] = vars(asking)  # as the file has them
    n, wrong, first = given["questions"], given["wrong"], given["first"]
    if not isinstance(n, int) or isinstance(n, bool) or n < 0:
        raise DataError(f"asking.questions = {n!r}; give a whole number from 0")
    number = isinstance(wrong, int | float) and not isinstance(wrong, bool)
    if not number or not 0 <= wrong <= 1:
        raise DataError(f"asking.wrong = {wrong!r}; give a share in [0, 1]")
    if not isinstance(first, Mapping):
        raise DataError(f"asking.first = {first!r}; give a table of parameters")


def _check_without_fit(asking: Asking, method: str) -> None:
    """Who cannot be fitted without labels can be told those of random rows."""
    if asking.needs or not asking.questions:
        able = _strategies_without("scores", "embeddings")
        raise DataError(
            f"{method!r} cannot be fitted without labels, which asking.strategy = "
            f"{asking.strategy!r} with {asking.questions} questions needs; ask at "
            f"least one, by {' or '.join(able)}"
        )


def _strategies_without(*inputs: str) -> list[str]:
    """Strategies that read none of these, and no answers."""
    never = {*inputs, "answers"}
    names = strategies.names()
    return [name for name in names if not strategies.get(name).needs & never]


def _abilities(method: str) -> tuple[bool, frozenset[str]]:
    """Whether a contender learns from labels, and what it says without any."""
    from whitecrow import registry

    if method.startswith("reference:"):
        return True, frozenset()
    if method.startswith("pyod:"):
        return False, frozenset({"scores"})
    cls = registry.method(method).cls
    codes = {"embeddings"} if hasattr(cls, "embed") else set()
    return cls.uses_labels, frozenset({"scores", *codes})


def answers(
    asking: Asking,
    truth: labels.Codes,
    given: Mapping[str, NDArray[Any]],
    *,
    seed: int,
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """The rows that are asked about, and what training then knows.

    Parameters
    ----------
    asking : Asking
        With at least one question.
    truth : ndarray of int8, shape (n,)
        About the training rows.
    given : mapping
        The inputs that the strategy needs: "scores" of shape (n,), "embeddings" of
        shape (n, p).
    seed : int
        Of the strategy, and of which answers are wrong.

    Returns
    -------
    ids : ndarray of int64, shape (k,)
        Row numbers.
    y : ndarray of float64, shape (n,)
        Answers in the public convention, NaN elsewhere.

    Raises
    ------
    DataError, ParameterError
        As the query: inputs are missing or not finite, or there are too few rows.

    Examples
    --------
    >>> given = {"scores": np.array([0.1, 0.9, 0.4])}
    >>> asking = Asking(strategy="positive", questions=2)
    >>> answers(asking, np.array([0, 1, 0], np.int8), given, seed=0)
    (array([1, 2]), array([nan,  1.,  0.]))
    """
    ids = strategies.get(asking.strategy).query(
        # A strategy that reads nothing counts the rows.
        scores=given.get("scores", np.zeros(len(truth))),
        embeddings=given.get("embeddings"),
        k=asking.questions,
        random_state=seed,
    )
    y = np.full(len(truth), np.nan)
    y[ids] = truth[ids]
    n_wrong = round(asking.wrong * len(ids))
    lies = np.random.default_rng(seed).choice(ids, n_wrong, replace=False)
    y[lies] = 1 - y[lies]
    return ids, y
