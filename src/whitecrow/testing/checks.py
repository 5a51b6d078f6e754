"""What a detector must be able to do, as checks that anybody can run on theirs.

    check_detector(MyDetector(epochs=20))

Each check is a function of an unfitted detector, which it copies. It raises an
`AssertionError` that says what was expected and what was found. The problems are easy
on purpose: a method that fails is broken, not weak. They have controls, because without
them broken detectors pass: planted anomalies must also be found where the data are
centred (a detector that scores by the distance from the origin finds them elsewhere),
and whatever labels bring must vanish when they are shuffled.
"""

from __future__ import annotations

import copy
import pickle
import random
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import spearmanr
from sklearn.base import BaseEstimator, clone
from sklearn.exceptions import NotFittedError
from sklearn.metrics import roc_auc_score

from whitecrow import registry
from whitecrow.data.synthetic import pictures
from whitecrow.detector import Detector
from whitecrow.errors import ParameterError, UserError
from whitecrow.scaling import Scaler

__all__ = ["CHECKS", "check_detector", "checks_for"]

Array = NDArray[Any]
Check = Callable[[Detector], None]

FOUND = 0.9
"""Area under the ROC curve from which a planted anomaly counts as found."""

ADVANTAGE = 0.1
"""What labels must bring at least, and what shuffled ones must take away again."""

TOLERANCE = 1e-6
"""How far scores of one row may differ with the company that it is scored in."""


# ----------------------------------------------------------------------------- running


def check_detector(
    detector: Detector, *, skip: Mapping[str, str] | None = None
) -> None:
    """Run all checks that apply to a detector.

    Parameters
    ----------
    detector : Detector
        Unfitted, with settings that train in a second or so; it is left as it is.
    skip : dict of str to str, optional
        Names of checks to leave out, each with the reason.

    Raises
    ------
    AssertionError
        With one paragraph for each check that failed.
    ParameterError
        When `skip` names a check that does not apply to the detector.

    Examples
    --------
    >>> from whitecrow import KDE
    >>> check_detector(KDE(), skip={"pictures": "tables only, here"})
    """
    failures = []
    for name, check in checks_for(detector, skip=skip):
        try:
            check()
        except AssertionError as error:
            failures.append(f"{name}: {error}")
        except Exception as error:
            failures.append(f"{name}: {type(error).__name__}: {error}")
    if failures:
        raise AssertionError(
            f"{type(detector).__name__} fails {len(failures)} checks\n\n"
            + "\n\n".join(failures)
        )


def checks_for(
    detector: Detector, *, skip: Mapping[str, str] | None = None
) -> Iterator[tuple[str, Callable[[], None]]]:
    """Yield `(name, check)` for all checks that apply, to be called without arguments.

    Parameters
    ----------
    detector, skip
        As for `check_detector`.

    Examples
    --------
    >>> from whitecrow import KDE
    >>> [name for name, check in checks_for(KDE())][:2]
    ['planted_anomalies', 'planted_anomalies_far_from_the_origin']
    """
    skip = skip or {}
    named = {name: check for name, check in CHECKS.items() if _applies(check, detector)}
    if unknown := set(skip) - set(named):
        raise ParameterError(
            f"skip names {', '.join(sorted(unknown))}, which is no check for "
            f"{type(detector).__name__}; it has {', '.join(named)}"
        )
    for name, check in named.items():
        if name not in skip:
            yield name, partial(check, detector)


CHECKS: dict[str, Check] = {}
"""All checks by name, in the order in which they run."""

_CONDITIONS: dict[str, Callable[[Detector], bool]] = {
    "table": lambda detector: "table" in detector.input_kinds,
    "picture": lambda detector: "picture" in detector.input_kinds,
    "labels": lambda detector: bool(detector.uses_labels),
    "no labels": lambda detector: not detector.uses_labels,
    "auxiliary": lambda detector: bool(detector.uses_auxiliary),
    "seed": lambda detector: "random_state" in detector.get_params(),
    "scaling": lambda detector: detector.get_params().get("scaling") != "none",
    "claims scaling": lambda detector: (
        detector.get_params().get("scaling", "none") != "none"
    ),
    "file": lambda detector: _can_be_saved(detector),
    "trained by losses": lambda detector: hasattr(detector, "_losses"),
    "members": lambda detector: (
        hasattr(detector, "_losses") and "n_members" in detector.get_params()
    ),
}


def _check(*needs: str) -> Callable[[Check], Check]:
    """Put a check on the list, for detectors that meet all conditions."""

    def register(check: Check) -> Check:
        CHECKS[check.__name__.removeprefix("check_")] = check
        check.needs = needs  # type: ignore[attr-defined]
        return check

    return register


def _applies(check: Check, detector: Detector) -> bool:
    needs: tuple[str, ...] = check.needs  # type: ignore[attr-defined]
    return all(_CONDITIONS[need](detector) for need in needs)


def _can_be_saved(detector: Detector) -> bool:
    try:
        known = registry.detector_class(type(detector).__name__)
    except ParameterError:
        return False
    return isinstance(detector, known)


# ---------------------------------------------------------------------------- problems


def _rows(n: int, seed: int, *, anomalies: int = 0) -> tuple[Array, Array]:
    """Draw centred rows near a plane in 8 dimensions; anomalies are off the plane."""
    rng = np.random.default_rng(seed)
    directions = np.random.default_rng(0).normal(size=(2, 8))
    directions /= np.linalg.norm(directions, axis=0)
    X = rng.normal(size=(n, 2)) @ directions + 0.1 * rng.normal(size=(n, 8))
    X[n - anomalies :] = rng.normal(0, 2.5, size=(anomalies, 8))
    return X, (np.arange(n) >= n - anomalies).astype(int)


def _hidden_cluster(n: int, seed: int) -> tuple[Array, Array]:
    """Draw normal rows, and in their midst a cluster that only labels reveal."""
    rng = np.random.default_rng(seed)
    X, y = rng.normal(size=(n, 8)), np.zeros(n)
    y[: n // 8] = 1
    X[: n // 8] = [1.5, 1.5, 1.5, 0, 0, 0, 0, 0] + 0.3 * rng.normal(size=(n // 8, 8))
    return X, y


def _some_labels(y: Array) -> Array:
    """Keep the labels of two thirds of the anomalies and a fifth of the rest."""
    known = np.where(y == 1, np.arange(len(y)) % 3 > 0, np.arange(len(y)) % 5 == 0)
    return np.where(known, y, np.nan)


def _pictures(n: int) -> Array:
    return pictures("blob", n, 28, contamination=0.1, random_state=0).images


def _training_rows(detector: Detector) -> Array:
    """Draw rows of a kind that the detector takes."""
    if "table" in detector.input_kinds:
        return _rows(200, seed=1, anomalies=10)[0]
    return _pictures(40)


def _auroc(detector: Detector, X: Array, y: Array) -> float:
    return float(roc_auc_score(y, detector.anomaly_score(X)))


def _seeded(detector: Detector, seed: int = 0) -> Detector:
    """Return an unfitted copy, with a seed where it takes one."""
    fresh: Detector = clone(detector)
    return fresh.set_params(random_state=seed) if _has_seed(detector) else fresh


def _has_seed(detector: Detector) -> bool:
    return "random_state" in detector.get_params()


def _fitted(detector: Detector, X: ArrayLike, y: ArrayLike | None = None) -> Detector:
    return _seeded(detector).fit(X, y)


def _require(condition: bool | np.bool_, message: str) -> None:
    if not condition:
        raise AssertionError(message)


def _require_close(found: Array, expected: Array, what: str) -> None:
    """Require equal scores but for rounding, relative to their size and spread."""
    scale = np.abs(expected) + np.ptp(expected)
    off = np.abs(found - expected) / np.where(scale > 0, scale, 1.0)
    row = int(off.argmax())
    _require(
        off[row] <= TOLERANCE,
        f"{what}: scores differ by up to {off[row]:.2g} of their size, in row {row}: "
        f"{found[row]} instead of {expected[row]}",
    )


def _require_finite(scores: Array, n: int, what: str) -> None:
    _require(
        scores.shape == (n,), f"{what}: {n} rows give scores of shape {scores.shape}"
    )
    _require(np.isfinite(scores).all(), f"{what}: not all scores are finite: {scores}")


# ----------------------------------------------------------------------- what is found


@_check("table")
def check_planted_anomalies(detector: Detector) -> None:
    """Check that planted anomalies are found in centred data."""
    _require_found(detector, shift=0.0, what="centred data")


@_check("table", "scaling")
def check_planted_anomalies_far_from_the_origin(detector: Detector) -> None:
    """Check that the same problem is solved far from the origin."""
    _require_found(detector, shift=100.0, what="data far from the origin")


def _require_found(detector: Detector, *, shift: float, what: str) -> None:
    train, _ = _rows(400, seed=1, anomalies=12)
    test, y = _rows(400, seed=2, anomalies=40)
    found = _auroc(_fitted(detector, train + shift), test + shift, y)
    _require(
        found >= FOUND,
        f"planted anomalies in {what} have AUROC {found:.3f}, not {FOUND} or more",
    )


@_check("table", "labels")
def check_labels_help(detector: Detector) -> None:
    """Check that labels find what is hidden without them, but shuffled ones do not."""
    X, y = _hidden_cluster(480, seed=1)
    test, truth = _hidden_cluster(480, seed=2)
    given = _some_labels(y)
    shuffled = np.random.default_rng(0).permutation(given)
    right, wrong, none = (
        _auroc(_fitted(detector, X, labels), test, truth)
        for labels in (given, shuffled, None)
    )
    _require(
        right >= FOUND,
        f"with 40 labelled anomalies AUROC is {right:.3f}, not {FOUND} or more",
    )
    _require(
        right >= none + ADVANTAGE,
        f"labels do not help: AUROC {right:.3f} with and {none:.3f} without them",
    )
    _require(
        right >= wrong + ADVANTAGE,
        f"shuffled labels help as well: AUROC {wrong:.3f} instead of {right:.3f}",
    )


@_check("no labels")
def check_labels_are_ignored(detector: Detector) -> None:
    """Check that scores and threshold are the same with any y."""
    X = _training_rows(detector)
    expected = _fitted(detector, X)
    rng = np.random.default_rng(0)
    for y in (np.arange(len(X)) < 40, rng.integers(0, 2, len(X)), np.zeros(len(X))):
        found = _fitted(detector, X, y)
        equal = np.array_equal(found.anomaly_score(X), expected.anomaly_score(X))
        _require(
            equal and found.offset_ == expected.offset_,
            "uses_labels is False, but scores or the threshold depend on y",
        )


@_check("table", "auxiliary")
def check_auxiliary_outliers_help(detector: Detector) -> None:
    """Check that outliers given as `auxiliary` reveal what is hidden without them.

    Where there is a `refit`, it does not forget them: it finds what was found, or asks
    for them in one line.
    """
    X, y = _hidden_cluster(480, seed=1)
    test, truth = _hidden_cluster(480, seed=2)
    given = _seeded(detector).fit(X[y == 0], auxiliary=X[y == 1])
    found = _auroc(given, test, truth)
    without = _auroc(_fitted(detector, X[y == 0]), test, truth)
    _require(
        found >= max(FOUND, without + ADVANTAGE),
        f"auxiliary outliers do not help: AUROC {found:.3f}, and {without:.3f} without",
    )
    if hasattr(given, "refit"):
        _require_outliers_stay(given, X[y == 0], test, truth)


def _require_outliers_stay(fitted: Any, X: Array, test: Array, truth: Array) -> None:
    try:
        fitted.refit(X)
    except UserError as error:
        _require("auxiliary" in str(error), f"refit without outliers says: {error}")
    found = _auroc(fitted, test, truth)
    _require(
        found >= FOUND,
        f"refit forgets the auxiliary outliers of fit: AUROC is then {found:.3f}",
    )


# ----------------------------------------------------------------------- repeatability


@_check()
def check_deterministic(detector: Detector) -> None:
    """Check that a seed fixes the scores to the bit, and that scoring repeats them."""
    X = _training_rows(detector)
    first, second = _fitted(detector, X), _fitted(detector, X)
    scores = first.anomaly_score(X)
    _require(
        np.array_equal(scores, first.anomaly_score(X)),
        "scoring twice gives two results",
    )
    _require(
        np.array_equal(scores, second.anomaly_score(X)),
        "two fits with the same random_state give different scores",
    )


@_check("seed")
def check_seeds_differ(detector: Detector) -> None:
    """Check that fits with different seeds differ where fits without a seed do."""
    X = _training_rows(detector)
    free = [
        clone(detector).set_params(random_state=None).fit(X).anomaly_score(X)
        for _ in range(2)
    ]
    if np.array_equal(free[0], free[1]):
        return  # there is nothing random in it
    scores = [_seeded(detector, seed).fit(X).anomaly_score(X) for seed in (0, 1)]
    _require(
        not np.array_equal(scores[0], scores[1]),
        "fits without a seed differ, but random_state=0 and random_state=1 do not",
    )


@_check()
def check_global_random_state(detector: Detector) -> None:
    """Check that global generators are neither moved nor looked at."""
    X = _training_rows(detector)
    scores = []
    kept, own = _global_states(), random.getstate()
    try:
        for seed in (1, 2):
            _seed_globally(seed)
            before = _global_states()
            scores.append(_fitted(detector, X).anomaly_score(X))
            for name, state in _global_states().items():
                _require(
                    pickle.dumps(state) == pickle.dumps(before[name]),
                    f"fitting or scoring moves the global generator of {name}",
                )
    finally:
        _restore(kept)
        random.setstate(own)
    _require(
        np.array_equal(scores[0], scores[1]),
        "scores depend on the state of a global random generator",
    )


def _global_states() -> dict[str, Any]:
    # Not Python's own: type checkers such as beartype draw from it all the time.
    states: dict[str, Any] = {"numpy": np.random.get_state()}
    if torch := sys.modules.get("torch"):
        states["torch"] = torch.random.get_rng_state().numpy()
    return states


def _restore(states: dict[str, Any]) -> None:
    np.random.set_state(states["numpy"])
    if "torch" in states:
        torch = sys.modules["torch"]
        torch.random.set_rng_state(torch.from_numpy(states["torch"]))


def _seed_globally(seed: int) -> None:
    """Seed the global generators, as a user would; `_restore` undoes it."""
    random.setstate(random.Random(seed).getstate())
    np.random.set_state(np.random.RandomState(seed).get_state())
    if torch := sys.modules.get("torch"):
        generator = torch.Generator().manual_seed(seed)
        torch.random.set_rng_state(generator.get_state())


# -------------------------------------------------------------------- what wraps them


@_check("trained by losses")
def check_wrappers(detector: Detector) -> None:
    """Check that LOE and SOEL train over the method, or refuse it in one line."""
    X = _training_rows(detector)
    X = X[:60] if X.ndim == 2 else X[:8]
    inner = _short(detector)
    loe, soel = (registry.method(name).cls for name in ("loe", "soel"))
    for variant in ("soft", "hard", "refine"):
        few, many = (
            _wrapped(loe, inner, X, variant=variant, ratio=ratio)
            for ratio in (0.0, 0.4)
        )
        _require(
            few is None or many is None or not np.array_equal(few, many),
            f"LOE with variant={variant!r} ignores its ratio over this method",
        )
    y = np.where(np.arange(len(X)) % 4 == 0, np.arange(len(X)) % 8 == 0, np.nan)
    for method in ("loe", "hard", "refine", "oc", "sup", "blind"):
        for update in ("joint", "alternate"):
            _wrapped(soel, inner, X, y, method=method, update=update)
    _require_last_row(soel, inner, X)


def _require_last_row(soel: Any, inner: Detector, X: Array) -> None:
    """Require that one row without a label is learnt from as two are."""
    place = np.arange(len(X))
    one_free, two_free = (np.where(place < n, np.nan, place % 4 == 0) for n in (1, 2))
    for update in ("joint", "alternate"):
        one, two = (
            _wrapped(soel, inner, X, y, update=update) for y in (one_free, two_free)
        )
        _require(
            one is not None or two is None,
            f"SOEL with update={update!r} fails where one row has no label",
        )


def _short(detector: Detector) -> Detector:
    """Return an unfitted copy with three epochs."""
    few = {"epochs": 3, "pretrain_epochs": 1, "warm_up_epochs": 1, "max_rounds": 1}
    legal = detector.get_params()
    return _seeded(detector).set_params(**{k: v for k, v in few.items() if k in legal})


def _wrapped(
    wrapper: Any, inner: Detector, X: Array, y: Array | None = None, **given: Any
) -> Array | None:
    """Score rows by a wrapper over a method; None where it is rightly refused."""
    what = f"{wrapper.__name__} with {given}"
    try:
        model = wrapper(inner, random_state=0, warm_up_epochs=1, **given).fit(X, y)
    except UserError as error:
        _require("\n" not in str(error), f"{what} is not refused in one line: {error}")
        return None
    except Exception as error:
        raise AssertionError(
            f"{what} ends in {type(error).__name__}: {error}"
        ) from error
    scores: Array = model.anomaly_score(X)
    _require_finite(scores, len(X), what)
    return scores


@_check("members")
def check_members(detector: Detector) -> None:
    """Check that networks trained side by side are what each is alone."""
    from whitecrow.deep import fit_seeds

    X = _training_rows(detector)
    X = X[:60] if X.ndim == 2 else X[:8]
    short: Any = _short(detector).set_params(n_members=1)
    seeds = [3, 4]
    for seed, fit in zip(seeds, fit_seeds(short, [(X, None)] * 2, seeds), strict=True):
        alone = clone(short).set_params(random_state=seed).fit(X)
        found, expected = fit.anomaly_score(X), alone.anomaly_score(X)
        spread = float(np.ptp(expected)) or 1.0
        _require(
            bool((np.abs(found - expected) <= 0.02 * spread).all()),
            f"with seed {seed} beside another one scores differ by "
            f"{np.abs(found - expected).max():.3g} from those of the fit alone",
        )
    both = clone(short).set_params(n_members=2).fit(X)
    _require_finite(both.anomaly_score(X), len(X), "with two members")


@_check("auxiliary")
def check_refit_without_outliers(detector: Detector) -> None:
    """Check that outliers given to `fit` are asked for again by `refit`."""
    X = _training_rows(detector)
    X = X[:60] if X.ndim == 2 else X[:8]
    short = _short(detector)
    if not hasattr(short, "refit"):
        return
    y = np.where(np.arange(len(X)) % 4 == 0, 0.0, np.nan)
    outliers = X[::-1][:6]
    model: Any = short.fit(X, y, auxiliary=outliers)
    before = model.anomaly_score(X)
    try:
        model.refit(X, y)
    except ParameterError:
        _require(
            np.array_equal(model.anomaly_score(X), before),
            "a refused refit changes the scores",
        )
    else:
        raise AssertionError(
            "refit without outliers forgets those of fit, and does not say so"
        )
    _require_finite(
        model.refit(X, y, auxiliary=outliers).anomaly_score(X), len(X), "after refit"
    )


# ------------------------------------------------------------------------------ scores


@_check()
def check_scores(detector: Detector) -> None:
    """Check that scores are finite float64 of shape (n,), and agree on the sign."""
    X = _training_rows(detector)
    fitted = _fitted(detector, X)
    score = fitted.anomaly_score(X)
    _require_finite(score, len(X), "training rows")
    _require(score.dtype == np.float64, f"scores are {score.dtype}, not float64")
    _require(len(np.unique(score)) > len(X) / 2, "half of the scores are equal")
    _require(
        np.array_equal(fitted.score_samples(X), -score),
        "score_samples is not -anomaly_score",
    )
    decision = fitted.decision_function(X)
    _require(
        np.array_equal(decision, -score - fitted.offset_),
        "decision_function is not score_samples - offset_",
    )
    _require(
        np.array_equal(fitted.predict(X), np.where(decision < 0, -1, 1)),
        "predict is not -1 where decision_function is negative, and 1 elsewhere",
    )
    _require(bool(fitted.threshold_source_), "threshold_source_ is empty")


@_check()
def check_contamination(detector: Detector) -> None:
    """Check that `contamination` is the share of training rows called anomalies."""
    X = _training_rows(detector)
    for share in (0.05, 0.2, 0.5):
        fitted = _seeded(detector).set_params(contamination=share).fit(X)
        flagged = int((fitted.predict(X) == -1).sum())
        _require(
            abs(flagged - share * len(X)) <= 1,
            f"contamination={share} calls {flagged} of {len(X)} rows anomalies",
        )


@_check()
def check_batches(detector: Detector) -> None:
    """Check that the score of a row does not depend on the rows scored with it."""
    X = _training_rows(detector)[:50]
    fitted = _fitted(detector, _training_rows(detector))
    whole = fitted.anomaly_score(X)
    for size in (1, 7):
        parts = [fitted.anomaly_score(X[i : i + size]) for i in range(0, len(X), size)]
        _require_close(np.concatenate(parts), whole, f"scored in batches of {size}")


@_check()
def check_row_order(detector: Detector) -> None:
    """Check that the score of a row does not depend on its place."""
    X = _training_rows(detector)
    fitted = _fitted(detector, X)
    order = np.random.default_rng(0).permutation(len(X))
    found = fitted.anomaly_score(X[order])
    _require_close(found, fitted.anomaly_score(X)[order], "scored in another order")


@_check("table")
def check_far_rows(detector: Detector) -> None:
    """Check that far rows score like anomalies and stay finite at any distance."""
    X = _training_rows(detector)
    fitted = _fitted(detector, X)
    usual = np.median(fitted.anomaly_score(X))
    for distance in (1e2, 1e6, 1e30, 1e300):
        scores = fitted.anomaly_score(_rays(distance))
        _require_finite(scores, len(scores), f"rows at distance {distance:g}")
        _require(
            (scores > usual).mean() > FOUND,
            f"rows at distance {distance:g} score below the median of training rows",
        )


@_check("table")
def check_far_rows_apart(detector: Detector) -> None:
    """Check that rows score higher the further out they are, without ties."""
    fitted = _fitted(detector, _training_rows(detector))
    distances = (1e1, 1e2, 1e3, 1e4, 1e6)
    for ray in _rays(1.0):
        scores = fitted.anomaly_score(np.outer(distances, ray))
        _require(
            (np.diff(scores) > 0).all(),
            f"scores do not rise along a ray at distances {distances}: {scores}",
        )


def _rays(distance: float) -> Array:
    """Return a row in each of 20 directions unlike those of the training rows."""
    rays = np.random.default_rng(3).normal(size=(20, 8))
    return distance * rays / np.abs(rays).max(axis=1, keepdims=True)


# --------------------------------------------------------------- the object's contract


@_check()
def check_parameters(detector: Detector) -> None:
    """Check that cloning and fitting keep parameters, and nothing works unfitted."""
    X = _training_rows(detector)
    fresh = _seeded(detector)
    before = {key: repr(value) for key, value in fresh.get_params().items()}
    copied = {key: repr(value) for key, value in clone(fresh).get_params().items()}
    _require(before == copied, "clone changes parameters")
    try:
        fresh.anomaly_score(X)
    except NotFittedError:
        pass
    else:
        raise AssertionError("anomaly_score works before fit")
    _require(fresh.fit(X) is fresh, "fit does not return the detector")
    after = {key: repr(value) for key, value in fresh.get_params().items()}
    _require(before == after, "fit changes parameters")


@_check()
def check_data_untouched(detector: Detector) -> None:
    """Check that fitting, scoring and explaining leave the caller's rows alone."""
    X = _training_rows(detector)
    kept = X.copy()
    fitted = _fitted(detector, X)
    fitted.anomaly_score(X)
    fitted.explain(X[:3])
    _require(np.array_equal(X, kept), "fit, anomaly_score or explain changes X")


@_check()
def check_pickle(detector: Detector) -> None:
    """Check that copies and pickles of a fitted detector score equally to the bit."""
    X = _training_rows(detector)
    fitted = _fitted(detector, X)
    for twin in (pickle.loads(pickle.dumps(fitted)), copy.deepcopy(fitted)):
        _require(
            np.array_equal(twin.anomaly_score(X), fitted.anomaly_score(X)),
            "a pickled or copied detector scores differently",
        )


@_check("file")
def check_save_and_load(detector: Detector) -> None:
    """Check that a detector from a file scores, judges and explains as before."""
    X = _training_rows(detector)
    _require_same_from_file(_fitted(detector, X), X)


@_check()
def check_memory_layout(detector: Detector) -> None:
    """Check that fitted arrays are and stay in C order, as BLAS rounds by it."""
    X = _training_rows(detector)
    fitted = _fitted(detector, X)
    fitted.anomaly_score(X)
    turned = [name for name, layout in _layouts(fitted).items() if not layout[2]]
    _require(not turned, f"not in C order: {', '.join(turned)}")


def _layouts(value: Any, name: str = "") -> dict[str, tuple[Any, ...]]:
    """Map the path of every fitted array inside to its type, shape and layout."""
    if isinstance(value, np.ndarray):
        flags = value.flags
        layout = value.dtype, value.shape, flags.c_contiguous, flags.f_contiguous
        return {name: (*layout, flags.aligned)}
    if hasattr(value, "is_contiguous"):  # a tensor
        return {name: (value.dtype, tuple(value.shape), value.is_contiguous())}
    found: dict[str, tuple[Any, ...]] = {}
    for key, item in _parts(value):
        found |= _layouts(item, f"{name}.{key}" if name else key)
    return found


def _parts(value: Any) -> list[tuple[str, Any]]:
    """List the parts of a fitted value; of a detector what `fit` has added."""
    if isinstance(value, list | tuple):
        return [(str(i), item) for i, item in enumerate(value)]
    if isinstance(value, Scaler):
        return list(value.to_arrays().items())
    if isinstance(value, BaseEstimator):
        fitted = vars(value).items()
        return [(k, v) for k, v in fitted if k.endswith("_") and k[0] != "_"]
    return list(value.state_dict().items()) if hasattr(value, "state_dict") else []


def _require_same_from_file(fitted: Detector, X: Array) -> None:
    from whitecrow.saving import load

    with tempfile.TemporaryDirectory() as folder:
        before = _layouts(fitted)
        fitted.save(Path(folder) / "detector.crow")
        loaded = load(Path(folder) / "detector.crow")
    after = _layouts(loaded)
    moved = [key for key in before | after if before.get(key) != after.get(key)]
    _require(not moved, f"a file changes the layout of {', '.join(moved)}")
    for call, rows in {"anomaly_score": X, "predict": X, "explain": X[:5]}.items():
        _require(
            np.array_equal(getattr(loaded, call)(rows), getattr(fitted, call)(rows)),
            f"{call} of a saved and loaded detector differs",
        )


# ---------------------------------------------------------------------- unusual tables


@_check("table")
def check_one_column(detector: Detector) -> None:
    """Check that one column is enough to fit and to score."""
    X = np.random.default_rng(0).normal(size=(100, 1))
    scores = _fitted(detector, X).anomaly_score(X)
    _require_finite(scores, 100, "one column")


@_check("table")
def check_three_rows(detector: Detector) -> None:
    """Check that three rows are enough to fit and to score."""
    X = _rows(3, seed=0)[0]
    _require_finite(_fitted(detector, X).anomaly_score(X), 3, "three rows")


@_check("table")
def check_containers(detector: Detector) -> None:
    """Check that lists, frames, float32 and integers mean the same as float64."""
    # Whole numbers, so that every type holds them exactly.
    X = np.rint(_training_rows(detector) * 50)
    expected = _fitted(detector, X).anomaly_score(X)
    for what, given in _containers(X).items():
        found = _fitted(detector, given).anomaly_score(given)
        _require(
            np.allclose(found, expected, rtol=1e-4, atol=1e-6 * np.ptp(expected)),
            f"scores of rows as {what} differ from those of float64",
        )


def _containers(X: Array) -> dict[str, Any]:
    given = {
        "lists": X.tolist(),
        "float32": X.astype(np.float32),
        "int64": X.astype(np.int64),
        "int16": X.astype(np.int16),
        "an array in Fortran's order": np.asfortranarray(X),
    }
    try:
        import pandas as pd
    except ImportError:
        return given
    return {**given, "a frame": pd.DataFrame(X, columns=[f"c{i}" for i in range(8)])}


@_check("table")
def check_constant_columns(detector: Detector) -> None:
    """Check that constant columns do no harm, and a new value in one is finite."""
    X = _training_rows(detector)
    X[:, 2], X[:, 5] = 0.0, 1e6
    fitted = _fitted(detector, X)
    _require_finite(fitted.anomaly_score(X), len(X), "two constant columns")
    changed = X[:5].copy()
    changed[:, 5] += 1
    _require_finite(fitted.anomaly_score(changed), 5, "a constant column that changes")


@_check("table")
def check_equal_rows(detector: Detector) -> None:
    """Check that rows of zeros and repeated rows do no harm."""
    X = _training_rows(detector)
    X[:20] = 0
    twice = np.repeat(X[:60], 5, axis=0)
    for what, rows in {"rows of zeros": X, "each row five times": twice}.items():
        scores = _fitted(detector, rows).anomaly_score(rows)
        _require_finite(scores, len(rows), what)
    same = scores.reshape(-1, 5)
    _require_close(same[:, 1:].ravel(), same[:, :1].repeat(4), "equal rows")


@_check("table", "claims scaling")
def check_units(detector: Detector) -> None:
    """Check that other units and origins of the columns keep the ranking."""
    # Multiples of 2^-10 and factors of 2: rows change, standardised ones do not.
    X = np.rint(_training_rows(detector) * 1024) / 1024
    factors = 2.0 ** np.array([0, 10, -10, 3, 0, -3, 6, 1])
    changed = (X + np.array([0, 5, -300, 1000, 7, 0, -1, 64])) * factors
    scores = [_fitted(detector, rows).anomaly_score(rows) for rows in (X, changed)]
    agreement = float(spearmanr(scores[0], scores[1]).statistic)
    _require(
        agreement > 0.99,
        f"in other units scores rank the rows differently (correlation of ranks "
        f"{agreement:.3f})",
    )


# -------------------------------------------------------------------------- explaining


@_check()
def check_explanations_have_a_shape(detector: Detector) -> None:
    """Check for a finite contribution of every column, or a heat map, for each row."""
    X = _training_rows(detector)
    parts = _fitted(detector, X).explain(X[:5])
    expected = X[:5].shape if X.ndim == 2 else (5, *X.shape[2:])
    _require(
        parts.shape == expected, f"explain gives shape {parts.shape}, not {expected}"
    )
    _require(np.isfinite(parts).all(), "not all contributions are finite")


@_check("table")
def check_explanations(detector: Detector) -> None:
    """Check that the column that is odd comes first in the explanation."""
    X, _ = _rows(300, seed=1)
    fitted = _fitted(detector, X)
    rows, columns = X[:32].copy(), np.arange(32) % 8
    rows[np.arange(32), columns] += np.where(np.arange(32) % 2, 8.0, -8.0)
    first = fitted.explain(rows).argmax(axis=1)
    share = float((first == columns).mean())
    _require(
        share >= 0.7,
        f"the column with the planted anomaly comes first in {share:.0%} of the "
        "explanations, not in 70% or more",
    )


# --------------------------------------------------------------------------- bad input


@_check("table")
def check_bad_input(detector: Detector) -> None:
    """Check that unusable input is refused in one line, at fitting and at scoring."""
    X = _training_rows(detector)
    fitted = _fitted(detector, X)
    bad = {
        "NaN": np.where(np.arange(8) == 3, np.nan, X),
        "infinity": np.where(np.arange(8) == 3, np.inf, X),
        "no rows": X[:0],
        "no columns": X[:, :0],
        "one dimension": X[0],
        "three dimensions": X[None],
        "words": [["a"] * 8, ["b"] * 8],
    }
    for what, rows in bad.items():
        _require_one_line(partial(_fitted, detector), rows, f"fit with {what}")
        _require_one_line(fitted.anomaly_score, rows, f"anomaly_score of {what}")
    for rows in (X[:, :3], np.hstack([X, X])):
        _require_one_line(fitted.anomaly_score, rows, f"{rows.shape[1]} columns, not 8")
        _require_one_line(fitted.explain, rows, f"{rows.shape[1]} columns, not 8")


def _require_one_line(call: Callable[[Any], Any], rows: Any, what: str) -> None:
    try:
        call(rows)
    except UserError as error:
        message = str(error)
        _require(
            bool(message) and "\n" not in message,
            f"{what}: the message is not one line: {message!r}",
        )
    except Exception as error:
        raise AssertionError(
            f"{what} raises {type(error).__name__} instead of a UserError: {error}"
        ) from error
    else:
        raise AssertionError(f"{what} is accepted")


# ---------------------------------------------------------------------------- pictures


@_check("picture")
def check_pictures(detector: Detector) -> None:
    """Check scores, heat maps and files for pictures as bytes or fractions."""
    images = _pictures(24)
    fitted = _fitted(detector, images)
    scores = fitted.anomaly_score(images)
    _require_finite(scores, 24, "pictures")
    heat = fitted.explain(images[:2])
    _require(
        heat.shape == (2, 28, 28) and bool(np.isfinite(heat).all()),
        f"explain gives no finite heat maps of 28 x 28 pixels but shape {heat.shape}",
    )
    fractions = fitted.anomaly_score((images / 255).astype(np.float32))
    _require(
        np.allclose(fractions, scores, rtol=1e-3, atol=1e-6 * np.ptp(scores)),
        "pictures as bytes and as fractions have different scores",
    )
    if _can_be_saved(detector):
        _require_same_from_file(fitted, images)
    _require_one_line(fitted.anomaly_score, images[..., :20], "28 x 20 pixels, not 28")
