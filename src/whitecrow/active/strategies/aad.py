r"""Active anomaly discovery: every answer moves the ranking, then the top is asked.

The leaves of an isolation forest are features, and a ranking is a linear function of
them. Active anomaly discovery (AAD; Das et al., 2016) fits its weights to the answers
and holds them near their start. Here start and answers are those of Gaussian processes,
where the fit is one small linear system. With a target :math:`y_i` of 1 for an anomaly
and -1 for a normal row in the set :math:`L` of answers,

.. math::

    f(x) = m(x) + \kappa(x, L) \, (\kappa(L, L) + \sigma^2 I)^{-1} (y_L - m(L)),
    \qquad m(x) = -0.8 + z(x) / 4,

with :math:`z` the normal quantile of the rank of the detector's score: most rows are
normal, and without answers the ranking is the detector's. How much an answer says about
another row is the sum of three similarities,

.. math::

    \kappa(x, x') = \frac{1}{T} \sum_t \frac{\text{common}_t(x, x')}{D}
        + \tfrac14 e^{-|x - x'|^2 / \ell^2}
        + \tfrac{3}{10} e^{-(r - r')^2 / (2 \cdot 0.2^2)}:

the cuts that both rows pass on the same side in tree `t`, of `D`, all `D` if they share
a leaf; nearness, with :math:`\ell` a quarter of the typical distance; and nearness of
their ranks :math:`r \in (0, 1)`, by which the answers correct the detector where it is
wrong about a whole range of scores.

Source: specs/active_soel.md 15.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.linalg import cho_factor, cho_solve
from scipy.special import ndtri
from scipy.stats import rankdata
from sklearn.ensemble import IsolationForest

from whitecrow.active.strategies import ranks
from whitecrow.active.strategies.interface import Floats, Ids, Pool, Seed, Strategy
from whitecrow.errors import ParameterError

__all__ = ["AAD"]

Codes = NDArray[np.uint8]
Rows = NDArray[np.float32]

# A tree of 256 rows is cut eight times deep at most: one bit each.
_DEPTH = 8
_MAX_SAMPLES = 2**_DEPTH

# Typical values are within a few standard deviations; a distance must not be ruled by
# one column in which a row is a thousand of them away.
_FARTHEST = 5.0

_BASE = -0.8
_PRIOR = 0.25
_NOISE = 0.1
_NEAR, _NEAR_WIDTH = 0.25, 0.25
_RANK, _RANK_WIDTH = 0.3, 0.2


@dataclass(frozen=True)
class AAD(Strategy):
    """The rows most likely to be anomalies after the answers so far.

    Without answers these are the highest scores. If the first `patience` answers are
    all normal, the detector may be wrong about what is odd here: then every second
    question is about a random row, until an anomaly is found.

    Parameters
    ----------
    n_trees : int, default=100
        Trees of the forest, which is grown anew in each query.
    patience : int, default=10
        Normal answers in a row, from the first, before random rows are asked too.

    Raises
    ------
    ParameterError
        If a parameter is less than 1.

    Notes
    -----
    NOTE[DIFF] Das et al. minimise hinge losses around the score that a share of the
    rows exceeds. Squared losses give the same kind of ranking without a solver, and
    need no such share.

    NOTE[DIFF] Their features are the leaves alone. Here the inner nodes are too, so
    that an answer also says something about rows of neighbouring leaves; nearness and
    ranks are additions, and so are the random rows.

    `X`, or else `embeddings`, should have columns of comparable scale.

    References
    ----------
    Das, Wong, Dietterich, Fern and Emmott, Incorporating Expert Feedback into Active
    Anomaly Discovery, ICDM 2016; Das, Islam, Jayakodi and Doppa, Effectiveness of Tree-
    based Ensembles for Anomaly Discovery, JAIR 80, 2024.
    Korolev et al., coniferest, Astronomy and Computing 52, 2025 (the comparison).

    Examples
    --------
    An anomaly was found at 8, and 9 was normal: more like the former is asked next.

    >>> import numpy as np
    >>> X = np.r_[np.linspace(-1, 1, 95), 8.0, 8.1, 8.2, 9.0, 9.1][:, None]
    >>> answers = np.full(100, np.nan)
    >>> answers[95], answers[98] = 1, 0
    >>> scores = np.abs(X[:, 0])
    >>> ids = AAD().query(
    ...     scores=scores, embeddings=X, k=2, random_state=0, labelled=[95, 98],
    ...     answers=answers,
    ... )
    >>> sorted(ids.tolist())
    [96, 97]
    """

    name: ClassVar[str] = "aad"
    needs: ClassVar[frozenset[str]] = frozenset({"scores", "embeddings", "answers"})

    n_trees: int = 100
    patience: int = 10

    def __post_init__(self) -> None:
        for name in ("n_trees", "patience"):
            value = getattr(self, name)
            if value < 1:
                raise ParameterError(f"{name}={value!r}; give a whole number from 1")

    def query(
        self,
        *,
        scores: ArrayLike | None,
        embeddings: ArrayLike | None,
        k: int,
        random_state: Seed,
        labelled: ArrayLike | None = None,
        ratio: float | None = None,
        answers: ArrayLike | None = None,
        X: ArrayLike | None = None,
    ) -> Ids:
        """Row numbers to ask about, in the order in which to ask.

        Parameters
        ----------
        scores, embeddings, k, random_state, labelled, ratio, answers
            As in `Strategy.query`. No `answers` means that there are none yet.
        X : array-like of shape (n, d), optional
            Scaled rows of the pool, in place of the embeddings.

        Returns
        -------
        ndarray of int64, shape (k,)
            Distinct, and none of them in `labelled`.

        Raises
        ------
        DataError, ParameterError
            As `Strategy.query`.
        """
        if answers is None and scores is not None:
            answers = np.full(len(np.asarray(scores)), np.nan)
        return super().query(
            scores=scores,
            embeddings=embeddings if X is None else X,
            k=k,
            random_state=random_state,
            labelled=labelled,
            ratio=ratio,
            answers=answers,
        )

    def _choose(self, pool: Pool) -> Ids:
        known = np.flatnonzero(~np.isnan(pool.answers))
        if not len(known):
            return ranks.highest(pool.scores, pool, pool.k)
        forest = int(pool.rng.integers(2**31))
        at_random = pool.rng.permutation(np.flatnonzero(pool.free))
        updated = _posterior(pool, known, self.n_trees, forest)
        ids = ranks.highest(updated, pool, pool.k)
        if not self._despairs(pool.answers[known]):
            return ids
        # Odd places of the whole session, so that it also holds for k = 1.
        explore = (len(known) + np.arange(pool.k)) % 2 == 1
        return _interleave(ids, at_random, explore)

    def _despairs(self, answers: Floats) -> bool:
        """Whether nothing was found for so long that the scores are in doubt."""
        return len(answers) >= self.patience and not answers.any()

    def _why(self, position: int, place: int) -> str:
        if not place:
            return "the highest score among the rows not shown yet"
        return f"number {position + 1} by score and by what the answers so far say"


def _interleave(ids: Ids, others: Ids, explore: NDArray[np.bool_]) -> Ids:
    """`ids`, with rows of `others` in the places to explore, none of them twice."""
    chosen = ids[: int((~explore).sum())]
    others = others[~np.isin(others, chosen)]
    mixed = np.empty(len(explore), dtype=np.int64)
    mixed[~explore] = chosen
    mixed[explore] = others[: int(explore.sum())]
    return mixed


def _posterior(pool: Pool, known: Ids, n_trees: int, seed: int) -> Floats:
    """Expected target of each row, between normal (-1) and anomaly (1)."""
    rank = (rankdata(pool.scores) - 0.5) / pool.n
    prior = _BASE + _PRIOR * ndtri(rank)
    rows = np.clip(pool.embeddings, -_FARTHEST, _FARTHEST).astype(np.float32)
    similarity = (
        together(paths(pool.embeddings, n_trees, seed), known)
        + _NEAR * near(rows, known)
        + _RANK * np.exp(-0.5 * ((rank[:, None] - rank[known]) / _RANK_WIDTH) ** 2)
    )
    system = similarity[known] + _NOISE * np.eye(len(known))
    surprise = 2 * pool.answers[known] - 1 - prior[known]
    updated: Floats = prior + similarity @ cho_solve(cho_factor(system), surprise)
    return updated


def paths(embeddings: NDArray[Any], n_trees: int, seed: int) -> Codes:
    """How each row goes through each tree, one bit for each cut, the first cut first.

    Rows in the same leaf have the same bits; those below a leaf are 0.

    Returns
    -------
    ndarray of uint8, shape (n, n_trees)
    """
    largest = float(np.finfo(np.float32).max)
    rows = np.clip(embeddings, -largest, largest).astype(np.float32)
    forest = IsolationForest(
        n_trees, max_samples=min(_MAX_SAMPLES, len(rows)), random_state=seed
    ).fit(rows)
    codes = np.empty((len(rows), n_trees), dtype=np.uint8)
    for number, member in enumerate(forest.estimators_):
        codes[:, number] = _codes(member.tree_)[member.tree_.apply(rows)]
    return codes


def _codes(tree: Any) -> Codes:
    """The bits of each node, level by level from the root."""
    left, right = tree.children_left, tree.children_right
    codes = np.zeros(len(left), dtype=np.uint8)
    nodes = np.zeros(1, dtype=np.int64)
    for bit in reversed(range(_DEPTH)):
        nodes = nodes[left[nodes] >= 0]
        codes[left[nodes]] = codes[nodes]
        codes[right[nodes]] = codes[nodes] | np.uint8(1 << bit)
        nodes = np.concatenate([left[nodes], right[nodes]])
    return codes


# Of two paths that differ in these bits, the share of cuts before the first difference.
_COMMON = np.array(
    [1 - difference.bit_length() / _DEPTH for difference in range(2**_DEPTH)],
    dtype=np.float32,
)


def together(codes: Codes, known: Ids) -> Floats:
    """Share of the cuts that each row passes with each known one, shape (n, m)."""
    shares = np.empty((len(codes), len(known)))
    for column, row in enumerate(known):
        shares[:, column] = _COMMON[codes ^ codes[row]].mean(axis=1)
    return shares


def near(rows: Rows, known: Ids) -> Floats:
    """Nearness of each row to each known one, 1 for equal rows, shape (n, m)."""
    center = rows.mean(axis=0)
    rows = rows - center
    squares = np.square(rows).sum(axis=1)
    distances = squares[:, None] - 2 * rows @ rows[known].T + squares[known]
    # The mean over all pairs of rows, without looking at them; no rounding below 0.
    width = _NEAR_WIDTH**2 * 2 * max(float(squares.mean()), np.finfo(np.float32).tiny)
    nearness: Floats = np.exp(-np.maximum(distances, 0) / width).astype(np.float64)
    return nearness
