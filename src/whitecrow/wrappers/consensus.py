r"""Consensus: simple methods vote, fitted without the rows that they find odd.

The score of each method becomes evidence, a number without units that means the same
for all of them. With :math:`r(s)` of the `n` training rows scoring `s` or more, with
the quantile `c` that a tenth of them exceed, and with their mean excess `m` over it,

.. math::

    t(s) = \log \bigl( 1 + e(s) \bigr), \qquad
    e(s) = -\log \frac{r(\min(s, c)) + 1}{n + 2} + \frac{\max(s - c, 0)}{m}.

Up to `c`, :math:`e` is the negative log of how many rows score that high. Beyond it the
count would soon be zero and all anomalies equal; there, the excess over a threshold
takes its place, whose negative log probability is linear where tails are exponential
(Pickands, 1975). The score of a row is what its evidence from the `k` methods amounts
to on average, in the units of :math:`e`:

.. math::

    \mathrm{score}(x) = \exp \Bigl( \frac{1}{k} \sum_j t_j(x) \Bigr) - 1

A score of 5 says that, among the rows known, one in :math:`e^5` would be so odd.

The fit goes round: the evidence of all methods is added up, and that of a scout, which
counts as much as all of them together. The share `drop` of the rows that have most is
left out, and the methods are fitted again on the others.

Source: the recipe is ours. That scores should be made comparable before they are
combined is from Kriegel et al., SDM 2011; on their average see Aggarwal and Sathe,
Outlier Ensembles, 2017.
"""

from __future__ import annotations

import itertools
import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import KW_ONLY
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone

from whitecrow import explain, labels, memory, registry, tables, watching
from whitecrow.detector import Detector, Rows, Scores
from whitecrow.errors import ParameterError
from whitecrow.parameters import Limit, Natural, RandomState, Share, fitted, methods

__all__ = ["Consensus", "evidence"]

# Where the tail of the scores begins.
_BULK = 0.9

# Scores this close, in units of their size, are equal but for rounding.
_EQUAL = 1e-8
# Smaller ones are no units: other scores divided by them would overflow.
_NOTHING = 1e-200

# So many rows are kept at least: fewer say nothing about the others.
_FEWEST = 10


class Consensus(Detector):
    r"""Several methods vote, fitted without the rows that they find odd.

    Unsupervised: `y` is ignored. Made for training rows with anomalies among them.

    Parameters
    ----------
    detectors : list or tuple of Detector, or None, default=None
        The methods that vote; their parameters are set there. None takes KNN with 20
        neighbours, once with `scaling="standard"` and once with "minmax", HBOS with 10
        bins, and GMM.
    scout : Detector or None, default=None
        Fitted once on all rows, it decides with the others which rows to leave out, as
        one of two equal halves, but does not enter the score. None takes an isolation
        forest.
    drop : float in [0, 1), default=0.2
        Share of the training rows to leave out. Ten rows are kept in any case.
    rounds : int, default=2
        How often rows are left out, and the methods fitted again.
    max_rows : int or None, default=20000
        With more training rows, this many chosen at random. A warning is logged.
    contamination : "auto" or float in (0, 0.5], default="auto"
        Share of training rows to call anomalies.
    random_state : int, RandomState or None, default=None
        Given to those of `detectors` and to a `scout` that take one and have none.

    Attributes
    ----------
    detectors_ : list of Detector
        The methods after the last fit.
    scout_ : Detector
        The fitted scout.
    kept_ : ndarray of bool, shape (n,)
        Training rows (of those chosen by `max_rows`) of the last fit.
    references_ : ndarray of shape (number of methods, n)
        Their scores by each method, in ascending order.
    offset_, threshold_source_, input_shape_, typical_
        As in `whitecrow.detector.Detector`.

    Notes
    -----
    Rows that were kept and rows that were left out are judged by the same methods, so
    these must not remember what they were fitted on. `KNN`, `KDE` and `LOF` compare a
    training row with the other ones only.

    Between the scores of two training rows the count :math:`r` is interpolated, so that
    a rounding error of a score does not change the evidence by a whole row.

    Explanations share the evidence of a method among the columns in proportion to its
    contributions.

    NOTE[DIFF] Kriegel et al. map scores to probabilities, and Aggarwal and Sathe
    average ranks or standardised scores. Probabilities and ranks are equal for all
    clear anomalies, and standardised scores let one method decide alone; the logarithm
    of an exponential tail does neither.

    References
    ----------
    Kriegel, Kroeger, Schubert and Zimek, Interpreting and Unifying Outlier Scores, SDM
    2011. Aggarwal and Sathe, Outlier Ensembles: An Introduction, 2017. Pickands,
    Statistical Inference Using Extreme Order Statistics, Annals of Statistics 1975.

    Examples
    --------
    >>> import numpy as np
    >>> from whitecrow.wrappers.consensus import Consensus
    >>> rng = np.random.default_rng(0)
    >>> X = np.concatenate([rng.normal(size=(180, 4)), rng.normal(3, 1, (20, 4))])
    >>> model = Consensus(random_state=0).fit(X)
    >>> int(model.kept_[180:].sum())
    0
    >>> model.anomaly_score(X[[0, 180]]).round().tolist()
    [0.0, 4.0]
    """

    detectors: Annotated[Any, list, tuple, None] = None
    _: KW_ONLY
    scout: Annotated[Any, methods("fit", "anomaly_score"), None] = None
    drop: Share = 0.2
    rounds: Natural = 2
    max_rows: Limit = 20_000
    random_state: RandomState = None

    detectors_: list[Detector] = fitted()
    scout_: Detector = fitted()
    kept_: NDArray[np.bool_] = fitted()
    references_: Scores = fitted()

    def _fit(
        self, X: Rows, codes: labels.Codes, auxiliary: Rows | None
    ) -> Scores | None:
        given, scout = self._given()
        n = len(X)
        X, codes = self._learnt_from(X, codes)
        self.kept_ = np.ones(len(X), dtype=bool)
        with _notes_once([*given, scout]):
            steps = self._steps(len(given))
            (self.scout_,), hint = self._fitted([scout], X, steps)
            members, scores = self._fitted(given, X, steps)
            for _ in range(self.rounds):
                # The scout counts as much as all the others together.
                everyone = np.concatenate([hint.repeat(len(given), axis=0), scores])
                self.kept_ = _least(_total(everyone, np.sort(everyone)), self.drop)
                members, scores = self._fitted(given, X, steps)
        everyone = np.concatenate([hint, scores])
        for one, own in zip([self.scout_, *members], everyone, strict=True):
            one._cut(own, codes)
        self.detectors_, self.references_ = members, np.sort(scores)
        return self._combined(scores) if len(X) == n else None

    def _learnt_from(self, X: Rows, codes: labels.Codes) -> tuple[Rows, labels.Codes]:
        """At most `max_rows` rows; labels set thresholds, so they come along."""
        number = tables.limit_rows(
            np.arange(len(X)),
            self.max_rows,
            random_state=self.random_state,
            method="Consensus",
        )
        return X[number], codes[number]

    def _steps(self, members: int) -> Callable[[], None]:
        """Count the fits of all rounds for whoever watches."""
        steps = itertools.count(1)
        total = 1 + members * (self.rounds + 1)

        def report() -> None:
            watching.report(
                method="Consensus", stage="fitting", epoch=next(steps), epochs=total
            )

        return report

    def _fitted(
        self, given: Sequence[Detector], X: Rows, steps: Callable[[], None]
    ) -> tuple[list[Detector], Scores]:
        """Fit copies on the rows to keep; return them and their scores of all rows."""
        fitted = [self._copy(one) for one in given]
        scores = []
        for one in fitted:
            one._fit(*one._check_fit(X[self.kept_], None, None))
            memory.settle(one)
            scores.append(one._anomaly_score(X))
            steps()
        return fitted, np.stack(scores)

    def _copy(self, given: Detector) -> Detector:
        fresh: Detector = clone(given)
        if fresh.get_params(deep=False).get("random_state", 0) is None:
            fresh.set_params(random_state=self.random_state)
        return fresh

    def _given(self) -> tuple[Sequence[Detector], Detector]:
        """Return the methods and the scout, or those by default."""
        members = _default_members() if self.detectors is None else self.detectors
        scout = _default_scout() if self.scout is None else self.scout
        if not len(members):
            raise ParameterError(
                "Consensus has no methods to ask; give at least one in detectors, or "
                "None for those by default"
            )
        for one in (*members, scout):
            if not isinstance(one, Detector):
                raise ParameterError(
                    f"Consensus asks detectors of whitecrow, not {type(one).__name__}; "
                    "use whitecrow.wrap for those of other libraries"
                )
        return members, scout

    def _anomaly_score(self, X: Rows) -> Scores:
        return self._combined(self._scores(X))

    def _combined(self, scores: Scores) -> Scores:
        """Combine the scores of the methods."""
        total = _total(scores, self.references_)
        return np.asarray(np.expm1(total / len(self.references_)))

    def _scores(self, X: Rows) -> Scores:
        """Compute the scores of each method, shape (number of methods, n)."""
        return np.stack([member._anomaly_score(X) for member in self.detectors_])

    @property
    def explanation(self) -> str:  # type: ignore[override]
        """Name how the methods are explained, by the least exact way."""
        given = self.detectors or _default_members()
        return explain.least_exact(getattr(self, "detectors_", given))

    def _contributions(self, X: Rows) -> Scores:
        shares = [_shares(member._contributions(X)) for member in self.detectors_]
        votes = list(zip(self._scores(X), self.references_, shares, strict=True))
        parts = [(evidence(s, reference) * share.T).T for s, reference, share in votes]
        # All evidence of a row, in the units of its score.
        total = np.sum([evidence(s, r) for s, r, _ in votes], axis=0)
        unit = np.expm1(total / len(votes)) / np.where(total > 0, total, 1.0)
        return np.asarray((np.sum(parts, axis=0).T * unit).T)


def evidence(scores: Scores, reference: Scores) -> Scores:
    """Convert scores of one method to units that all methods share.

    Parameters
    ----------
    scores : ndarray of shape (n,)
        Of the rows to judge.
    reference : ndarray of shape (m,)
        Of the training rows, in ascending order.

    Returns
    -------
    ndarray of shape (n,)
        `t` of the module's docstring: never lower for a higher score, and always
        higher beyond the 90 % quantile of the reference.

    Examples
    --------
    >>> reference = np.arange(100.0)
    >>> evidence(np.array([0.0, 50.0, 99.0, 999.0]), reference).round(2).tolist()
    [0.01, 0.53, 1.61, 5.15]
    """
    cut = float(np.quantile(reference, _BULK))
    equal = max(_EQUAL * max(abs(cut), cut - reference[0]), _NOTHING)
    # The first of each group of scores that are equal but for rounding.
    first = np.flatnonzero(np.diff(reference, prepend=-np.inf) > equal)
    n = len(reference)
    count = np.interp(np.minimum(scores, cut), reference[first], n - first)
    excess = np.maximum(scores - cut, 0) / _excess(reference, cut, equal)
    information: Scores = np.log1p(excess + np.log((n + 2) / (count + 1)))
    return information


def _excess(reference: Scores, cut: float, equal: float) -> float:
    """Average the excess over the cut; if there is none, give a length of its order."""
    beyond = reference[reference > cut] - cut
    for length in (beyond.sum() / max(1, len(beyond)), np.abs(reference - cut).mean()):
        if length > equal:
            return float(length)
    return 1.0


def _total(scores: Scores, references: Scores) -> Scores:
    """Sum of the evidence of all methods; both have one row for each."""
    pairs = zip(scores, references, strict=True)
    total: Scores = np.sum([evidence(s, r) for s, r in pairs], axis=0)
    return total


def _least(total: Scores, drop: float) -> NDArray[np.bool_]:
    """Select the rows with the least evidence: all but a share, and never too few."""
    fewest = np.sort(total)[:_FEWEST][-1]
    kept: NDArray[np.bool_] = total <= max(np.quantile(total, 1 - drop), fewest)
    return kept


def _shares(parts: Scores) -> Scores:
    """Scale contributions of columns or pixels so that their sizes sum to 1."""
    size = np.abs(parts).reshape(len(parts), -1).sum(axis=1)
    shares: Scores = (parts.T / np.where(size > 0, size, 1.0)).T
    return shares


def _default_members() -> list[Detector]:
    return [
        _build("knn", n_neighbors=20),
        _build("knn", n_neighbors=20, scaling="minmax"),
        _build("hbos", n_bins=10),
        _build("gmm"),
    ]


def _default_scout() -> Detector:
    # Cuts do not depend on units, but the forest's float32 does.
    return _build("isolation_forest", scaling="standard")


def _build(name: str, **parameters: Any) -> Detector:
    cls: Any = registry.method(name).cls
    detector: Detector = cls(**parameters)
    return detector


@contextmanager
def _notes_once(detectors: Sequence[Detector]) -> Iterator[None]:
    """Log only the first note of each kind that methods log at several fits."""
    seen: set[tuple[str, Any]] = set()

    def first(record: logging.LogRecord) -> bool:
        kind = (record.name, record.msg)
        new = kind not in seen
        seen.add(kind)
        return new

    # Those of the methods themselves, and of what several of them share.
    names = {type(one).__module__ for one in detectors} | {"whitecrow.tables"}
    loggers = [logging.getLogger(name) for name in names]
    for logger in loggers:
        logger.addFilter(first)
    try:
        yield
    finally:
        for logger in loggers:
            logger.removeFilter(first)
