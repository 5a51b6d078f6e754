"""scikit-learn's own checks on every registered method."""

import inspect

import numpy as np
import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

import whitecrow as wc
from whitecrow.deep import DeepDetector
from whitecrow.wrappers.under_rule import UnderRule

# What makes a method fast enough for fifty small fits.
FAST = {"epochs": 2, "pretrain_epochs": 1, "n_estimators": 5, "device": "cpu"}

# What may fail: 1e-7 of a decision, close to 0 or not, is asked; we promise 1e-6 of the
# score.
ROUNDING = (
    "a float32 network: products of matrices round differently for {}, and whether it "
    "shows in the seventh digit depends on the processor"
)
FEWER = {"check_methods_subset_invariance": ROUNDING.format("fewer rows")}
ELSEWHERE = {"check_methods_sample_order_invariance": ROUNDING.format("rows elsewhere")}

# scikit-learn writes many labels of 1, and asks for no warning about it.
pytestmark = pytest.mark.filterwarnings("ignore:.*labels are not reversed:UserWarning")


def in_our_convention(y):
    """scikit-learn's checks take 0, 1, 2, 3 and floats for labels; ours are 0 and 1."""
    y = np.asarray(y)
    return (y == 1).astype(float) if y.dtype.kind in "iuf" else np.zeros(len(y))


def for_checks(cls):
    """The same method for checks that know neither our labels nor our type checks.

    Labels are mapped where the method uses them. The constructor is the one that users
    run: that of the test run (tests/conftest.py) refuses values of a wrong type itself.
    """

    def fit(self, X, y=None, **given):
        y = None if y is None else in_our_convention(y)
        return cls.fit(self, X, y, **given)

    body = {"__init__": inspect.unwrap(cls.__init__), "__module__": __name__}
    if cls.uses_labels:
        body["fit"] = fit
    same = type(cls.__name__, (cls,), body)
    # A home of its own, so that it can be pickled.
    same.__qualname__ = f"{cls.__name__}ForChecks"
    globals()[same.__qualname__] = same
    return same


def estimators():
    for record in wc.methods():
        if "table" not in record.input_kinds:
            continue  # scikit-learn's checks have tables only
        detector = for_checks(record.cls)()
        legal = detector.get_params()
        detector.set_params(**{k: v for k, v in FAST.items() if k in legal})
        if isinstance(detector, UnderRule):
            detector.set_params(detector=wc.NeuTraLAD(epochs=2, device="cpu"))
        yield detector


def expected_failures(detector):
    # Rules are checked over NeuTraL AD.
    if isinstance(detector, wc.NeuTraLAD | UnderRule):
        return FEWER | ELSEWHERE
    return FEWER if isinstance(detector, DeepDetector) else {}


@parametrize_with_checks(
    list(estimators()), expected_failed_checks=expected_failures, xfail_strict=False
)
def test_estimator(estimator, check):
    check(estimator)


def test_labels_really_arrive():
    """The subclass that makes scikit-learn's labels ours does not drop them."""
    cls = for_checks(wc.DeepSAD)
    X = np.random.default_rng(0).normal(size=(60, 3))
    y = np.arange(60) % 4
    settings = {"pretrain": False, "epochs": 3, "random_state": 0}
    theirs = cls(**settings).fit(X, y).anomaly_score(X)
    ours = wc.DeepSAD(**settings).fit(X, y == 1).anomaly_score(X)
    assert (theirs == ours).all()
    assert (theirs != cls(**settings).fit(X).anomaly_score(X)).any()
