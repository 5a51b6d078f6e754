"""Detector: the estimator contract that every method fulfils.

A method is a subclass with two hooks: `_fit` learns from checked rows, `_anomaly_score`
scores checked rows. Everything that a caller sees is here: validation, labels, the
threshold, and scikit-learn's `score_samples`, `decision_function` and `predict`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import KW_ONLY
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import issparse
from sklearn.utils.validation import check_array, check_is_fitted, validate_data

from whitecrow import explain, frames, labels, memory, parameters, threshold
from whitecrow.errors import (
    DataError,
    LabelError,
    ParameterError,
    TrainingError,
    UserError,
)
from whitecrow.parameters import Contamination, Parameters, fitted, fixed

if TYPE_CHECKING:
    # scikit-learn has no types, and over a base of unknown type a checker lets a
    # constructor pass with any argument.
    class OutlierMixin: ...

    class BaseEstimator:
        def get_params(self, deep: bool = True) -> dict[str, Any]: ...
        def set_params(self, **params: Any) -> Self: ...
        def set_fit_request(self, *, auxiliary: bool | str | None) -> Self: ...
        def __sklearn_tags__(self) -> Any: ...

        n_features_in_: int
        feature_names_in_: NDArray[Any]
else:
    from sklearn.base import BaseEstimator, OutlierMixin

__all__ = ["Detector", "all_or_nothing", "check_rows"]

Scores = NDArray[np.float64]
Rows = NDArray[Any]

# What scikit-learn checks of rows. C order, as sums, and so scores, depend on it.
_AS_NUMBERS: dict[str, Any] = {
    "dtype": "numeric",
    "order": "C",
    "allow_nd": True,
    "ensure_all_finite": False,
}

# How far rounding and resampling may take a float beyond black and white.
_BEYOND = 1e-3

_OTHER_UNITS = 'columns in other units, or scaling="standard"'


class _NoNumbersError(DataError, TypeError):
    """Cells that are no numbers; scikit-learn's own checks expect a TypeError."""


class Detector(Parameters, OutlierMixin, BaseEstimator):
    """Base of all detectors; see the module for the two hooks of a subclass.

    Attributes
    ----------
    offset_ : float
        `decision_function = score_samples - offset_`.
    threshold_source_ : str
        Where the threshold comes from, as a sentence for people.
    input_shape_ : tuple of int
        Shape of one row: `(d,)` or `(c, h, w)`.
    typical_ : ndarray of shape `input_shape_`
        Median row (table) or mean picture, in [0, 1], of the training rows: what
        explanations compare with.
    """

    uses_labels: ClassVar[bool] = False
    uses_auxiliary: ClassVar[bool] = False
    _encoded_by: str = fixed("")  # the model file that has the encoding of its columns
    input_kinds: ClassVar[tuple[str, ...]] = ("table", "picture")
    # How explanations come about: "exact", "gradient" or "occlusion".
    explanation: ClassVar[str] = "occlusion"
    # Named sets of constructor arguments, see `preset`.
    presets: ClassVar[dict[str, dict[str, Any]]] = {}

    _: KW_ONLY
    contamination: Contamination = "auto"
    offset_: float = fitted()
    threshold_source_: str = fitted()
    input_shape_: tuple[int, ...] = fitted()
    typical_: NDArray[np.float64] = fitted()

    @classmethod
    def preset(cls, name: str, **parameters: Any) -> Self:
        """Build an estimator with the settings of a paper or reference code.

        Parameters
        ----------
        name : str
            One of the keys of `presets`.
        **parameters
            Constructor arguments that override those of the preset.

        Raises
        ------
        ParameterError
            When the method has no preset of this name.
        """
        if name not in cls.presets:
            legal = ", ".join(repr(key) for key in cls.presets) or "none"
            raise ParameterError(
                f"{cls.__name__} has no preset {name!r}; it has: {legal}"
            )
        return cls(**{**cls.presets[name], **parameters})

    def fit(
        self,
        X: ArrayLike,
        y: ArrayLike | None = None,
        *,
        auxiliary: ArrayLike | None = None,
    ) -> Self:
        """Learn what is normal.

        Parameters
        ----------
        X : array-like of shape (n, d), or (n, c, h, w) for pictures
            Training rows, also as a frame of numbers (pandas, polars, pyarrow).
            Pictures are whole numbers from 0 to 255 or floats from 0 to 1.
        y : array-like of shape (n,), optional
            1 anomaly, 0 normal, missing (NaN, None, "") unlabelled. Methods without
            supervision ignore it.
        auxiliary : array-like with rows like those of `X`, optional
            Outliers from elsewhere, for methods with outlier exposure.

        Returns
        -------
        self

        Raises
        ------
        DataError, LabelError, ParameterError
            One line each: what is wrong, where, and the remedy. A detector that was
            fitted before is then as it was.
        """
        self.fit_score(X, y, auxiliary=auxiliary)
        return self

    def fit_score(
        self,
        X: ArrayLike,
        y: ArrayLike | None = None,
        *,
        auxiliary: ArrayLike | None = None,
    ) -> Scores:
        """Learn what is normal, and return the anomaly scores of the same rows.

        The scores are those that the threshold is set by, so that they cost nothing
        more. The detector does not keep them.

        Parameters
        ----------
        X, y, auxiliary
            As for `fit`.

        Returns
        -------
        ndarray of float64, shape (n,)
            What `fit(X, y).anomaly_score(X)` returns.

        Raises
        ------
        DataError, LabelError, ParameterError
            As `fit`. After an error, or an interrupt, a detector that was fitted
            before is as it was.

        Examples
        --------
        >>> from whitecrow import ECOD
        >>> X = np.random.default_rng(0).normal(size=(100, 2))
        >>> model = ECOD()
        >>> scores = model.fit_score(X)
        >>> bool((scores == model.anomaly_score(X)).all())
        True
        """
        with all_or_nothing(self):
            rows, codes, outliers = self._check_fit(X, y, auxiliary)
            scores = self._fit(rows, codes, outliers)
            return self._set_threshold(rows, codes, scores)

    def fit_predict(
        self, X: ArrayLike, y: ArrayLike | None = None, **kwargs: Any
    ) -> NDArray[np.int64]:
        """Fit (with `y`, where the method uses it) and predict the same rows."""
        return self.fit(X, y, **kwargs).predict(X)

    def anomaly_score(self, X: ArrayLike) -> Scores:
        """Compute the anomaly score of each row.

        Parameters
        ----------
        X : array-like of shape (n, d) or (n, c, h, w)
            Rows with the columns, or pictures with the size, of the training rows.

        Returns
        -------
        ndarray of float64, shape (n,)
            Higher = more anomalous; unbounded, in units of the method.
        """
        check_is_fitted(self)
        scores = self._anomaly_score(self._check_rows(X, reset=False))
        return np.asarray(scores, dtype=np.float64)

    def score_samples(self, X: ArrayLike) -> Scores:
        """Return the negative anomaly score, as scikit-learn does (higher = normal)."""
        return -self.anomaly_score(X)

    def decision_function(self, X: ArrayLike) -> Scores:
        """Return `score_samples - offset_`, negative for anomalies."""
        return self.score_samples(X) - self.offset_

    def predict(self, X: ArrayLike) -> NDArray[np.int64]:
        """Return -1 for anomalies, +1 for normal rows, as scikit-learn does."""
        return np.where(self.decision_function(X) < 0, -1, 1).astype(np.int64)

    def explain(self, X: ArrayLike) -> Scores:
        """Explain what makes each row odd.

        Returns
        -------
        ndarray of shape (n, d), or (n, h, w) for pictures
            Contribution of each column or pixel to the anomaly score; the larger,
            the more it speaks for an anomaly. `explanation` says how it is obtained.
        """
        check_is_fitted(self)
        rows = self._check_rows(X, reset=False)
        return explain.contributions(self._contributions, rows)

    def save(self, path: str | Path) -> None:
        """Write the fitted detector to a `.crow` file; see `whitecrow.load`."""
        from whitecrow import saving

        saving.save(path, self)

    @property
    def threshold_(self) -> float:
        """Return the anomaly score above which a row counts as an anomaly."""
        return -self.offset_

    def _fit(
        self, X: Rows, codes: labels.Codes, auxiliary: Rows | None
    ) -> Scores | None:
        """Learn from checked rows; return their scores, if the method has them."""
        raise NotImplementedError  # abstract

    def _anomaly_score(self, X: Rows) -> Scores:
        raise NotImplementedError  # abstract

    def _contributions(self, X: Rows) -> Scores:
        """Compute contributions before smoothing, by default by occlusion."""
        occluded = explain.occlusion if X.ndim == 2 else explain.patches
        return occluded(self._anomaly_score, X, self.typical_)

    def _check_parameters(self) -> None:
        parameters.check(self)

    def _check_fit(
        self, X: ArrayLike, y: ArrayLike | None, auxiliary: ArrayLike | None
    ) -> tuple[Rows, labels.Codes, Rows | None]:
        """Check parameters, rows, labels and outliers, before any work."""
        self._check_parameters()
        rows = self._check_rows(X, reset=True)
        codes = self._codes(y, len(rows))
        outliers = self._check_auxiliary(auxiliary)
        self.typical_ = _typical(rows)
        return rows, codes, outliers

    def _codes(self, y: ArrayLike | None, n: int) -> labels.Codes:
        """Check and encode labels of n rows; ignore them if the method does."""
        codes = labels.encode(y if self.uses_labels else None, n=n)
        _require_some_normal(codes, type(self).__name__)
        return codes

    def _check_rows(self, X: ArrayLike, *, reset: bool) -> Rows:
        try:
            return self._checked(X, reset=reset)
        except DataError:
            if reset or not self._encoded_by:
                raise
            raise DataError(
                f"{self._encoded_by} was fitted on a table whose columns it encodes, "
                "and `load` gives its detector alone; score a frame with "
                f"whitecrow.model.Model.load({self._encoded_by!r}).anomaly_score(frame)"
                f", a file with `whitecrow score {self._encoded_by} DATA`"
            ) from None

    def _checked(self, X: ArrayLike, *, reset: bool) -> Rows:
        rows = self._as_array(X, reset=reset)
        names = getattr(self, "feature_names_in_", None)
        rows = check_rows(rows, self.input_kinds, type(self).__name__, names)
        if reset:
            self.input_shape_ = rows.shape[1:]
        elif rows.shape[1:] != self.input_shape_:
            raise DataError(
                f"X has rows of shape {rows.shape[1:]}, but "
                f"{type(self).__name__} was fitted on {self.input_shape_}; "
                "give the same columns or picture size as at fitting"
            )
        return rows

    def _as_array(self, X: ArrayLike, *, reset: bool) -> Rows:
        """Validate X with scikit-learn; re-raise its errors as one line."""
        who = type(self).__name__
        if issparse(X):
            raise DataError(
                f"X is a sparse matrix, and {who} needs dense rows; use X.toarray()"
            )
        if isinstance(X, np.ma.MaskedArray):
            X = _unmasked(X, who)
        if frames.is_pandas(X):
            frames.require_numbers(X, who)
        table = frames.as_table(X)
        try:
            if table is not None:  # its names; the rows follow
                validate_data(self, table, reset=reset, skip_check_array=True)
                rows = frames.numbers(table, who)
                return np.ascontiguousarray(check_array(rows, **_AS_NUMBERS))
            checked: Rows = validate_data(self, X, reset=reset, **_AS_NUMBERS)
        except UserError:
            raise
        except ValueError as error:
            raise DataError(_one_line(str(error))) from None
        except TypeError as error:
            raise _NoNumbersError(_one_line(str(error))) from None
        return checked

    def _check_auxiliary(self, auxiliary: ArrayLike | None) -> Rows | None:
        if auxiliary is None:
            return None
        if not self.uses_auxiliary:
            raise ParameterError(
                f"{type(self).__name__} takes no auxiliary outliers; use HSC, or "
                "Exposure over a method with a loss for anomalies"
            )
        return self._check_rows(auxiliary, reset=False)

    def _set_threshold(
        self, X: Rows, codes: labels.Codes, scores: Scores | None = None
    ) -> Scores:
        """End a fit: settle memory layout, score the rows, set the threshold."""
        memory.settle(self)
        if scores is None:
            scores = self._anomaly_score(X)
        scores = np.asarray(scores, dtype=np.float64)
        if scores.shape != (len(X),):
            raise TrainingError(
                f"{type(self).__name__}: scores of {len(X)} rows have the shape "
                f"{scores.shape}; _anomaly_score is to give one number for each row"
            )
        self._cut(scores, codes)
        return scores

    def _cut(self, scores: Scores, codes: labels.Codes) -> None:
        """Set the threshold by scores of the training rows."""
        if not np.isfinite(scores).all():
            learns_by_steps = "lr" in self.get_params(deep=False)
            remedy = "a lower lr or scaled inputs" if learns_by_steps else _OTHER_UNITS
            raise TrainingError(
                f"{type(self).__name__}: {(~np.isfinite(scores)).sum()} of "
                f"{len(scores)} training rows have no finite score; try {remedy}"
            )
        chosen = threshold.select(scores, codes, self.contamination)
        self.offset_ = -chosen.value
        self.threshold_source_ = chosen.source

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = False
        return tags


@contextmanager
def all_or_nothing(detector: Detector) -> Iterator[None]:
    """Put a detector back as it was when a block ends in an error or an interrupt.

    Whatever a block learns it must assign, and not write into what is there.
    """
    before = dict(vars(detector))
    try:
        yield
    except BaseException:
        detector.__dict__.clear()
        detector.__dict__.update(before)
        raise


def _require_some_normal(codes: labels.Codes, who: str) -> None:
    if (codes == labels.ANOMALY).all():
        raise LabelError(
            f"all rows are labelled as anomalies (n_samples = {len(codes)}); {who} "
            "learns what is normal: add normal or unlabelled rows"
        )


def check_rows(
    rows: Rows, kinds: tuple[str, ...], who: str, names: ArrayLike | None = None
) -> Rows:
    """Return rows as a finite table of floats or pictures, if the method takes them."""
    kind = {2: "table", 4: "picture"}.get(rows.ndim)
    if kind is None:
        raise DataError(
            f"X has {rows.ndim} dimensions; give a table (n, d) or pictures "
            "(n, c, h, w)"
        )
    if kind not in kinds:
        raise DataError(
            f"{who} takes {' or '.join(kinds)} input, not X of shape {rows.shape}; "
            "`whitecrow methods` lists methods for it"
        )
    if rows.dtype.kind not in "biuf":
        rows = _as_floats(rows, who)
    if rows.dtype.kind == "f":
        _refuse_non_finite(rows, who, names)
    if kind == "picture":
        return _as_pictures(rows, who)
    return rows if rows.dtype == np.float32 else rows.astype(np.float64, copy=False)


def _as_floats(rows: Rows, who: str) -> Rows:
    """Convert objects to floats; refuse dates and durations."""
    if rows.dtype.kind in "mM":
        raise DataError(
            f"X holds {rows.dtype.name}, and {who} needs numbers; use for example "
            "X.astype('int64')"
        )
    try:
        return rows.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise _NoNumbersError(f"X: {_one_line(str(error))}") from None


def _unmasked(X: Any, who: str) -> Rows:
    """Return the numbers of a masked array; refuse masked cells."""
    masked = np.argwhere(np.ma.getmaskarray(X))
    if len(masked):
        place = ", ".join(map(str, masked[0]))
        raise DataError(
            f"X has {len(masked)} masked cells (first: [{place}]), which are missing; "
            f"{who} does not accept missing values: fill them in, for example with "
            "sklearn.impute.SimpleImputer on X.filled(np.nan)"
        )
    return np.asarray(X.data)


def _as_pictures(rows: Rows, who: str) -> Rows:
    """Convert pictures to bytes or to float32 fractions; refuse other ranges."""
    if rows.dtype == np.uint8:
        return rows
    low, high = rows.min(), rows.max()
    if rows.dtype.kind in "iu" and low >= 0 and high <= 255:
        return rows.astype(np.uint8)
    if rows.dtype.kind in "bf" and low >= -_BEYOND and high <= 1 + _BEYOND:
        return rows.astype(np.float32, copy=False)
    whole = "whole numbers" if rows.dtype.kind in "iu" else "floats"
    raise DataError(
        f"X holds pictures of {whole} from {low:g} to {high:g}; {who} takes whole "
        "numbers from 0 to 255 or floats from 0 to 1: divide X by its largest possible "
        "value, such as X / 255.0, or use X.astype('uint8')"
    )


def _refuse_non_finite(rows: Rows, who: str, names: ArrayLike | None) -> None:
    # One sum finds any NaN or infinity without a temporary array.
    with np.errstate(over="ignore", invalid="ignore"):
        if np.isfinite(rows.sum(dtype=np.float64)):
            return
    bad = np.argwhere(~np.isfinite(rows))
    if not len(bad):
        return
    row, column = int(bad[0][0]), int(bad[0][1])
    found = "NaN" if np.isnan(rows[tuple(bad[0])]) else "infinity"
    shown = column if names is None else repr(np.asarray(names)[column])
    raise DataError(
        f"X contains {found} (first in row {row}, column {shown}; {len(bad)} values "
        f"in all); {who} does not accept NaN or infinity: impute or drop them, for "
        "example with sklearn.impute.SimpleImputer"
    )


def _one_line(message: str) -> str:
    """Put a message on one line, except one whose lines scikit-learn prescribes."""
    if message.startswith("The feature names should match"):
        return message
    return " ".join(message.split())


def _typical(rows: Rows) -> NDArray[np.float64]:
    if rows.ndim == 2:
        return np.asarray(np.median(rows, axis=0), dtype=np.float64)
    mean = np.asarray(rows.mean(axis=0, dtype=np.float64))
    return mean / 255 if rows.dtype == np.uint8 else mean
