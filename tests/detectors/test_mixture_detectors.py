"""What DAGMM and SOM-DAGMM promise alike: energies of a mixture of all rows."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

import whitecrow as wc
from small_fits import SHORT, X, scores_apart
from whitecrow.deep import mixture
from whitecrow.errors import ParameterError

pytestmark = pytest.mark.parametrize("method", [wc.DAGMM, wc.SOMDAGMM])


def test_the_mixture_that_scores_is_that_of_all_training_rows(method):
    model = method(**SHORT).fit(X)
    z = torch.from_numpy(model.latent(X))
    membership = mixture.exact(model.net_)(model._tensor(X).double())[1]
    whole = mixture.estimate(z, membership)
    assert_allclose(model.mass_[0], whole.mass, rtol=1e-10)
    assert_allclose(model.means_[0], whole.mean, rtol=1e-10)
    assert_allclose(model.covariances_[0], whole.covariance, rtol=1e-8, atol=1e-12)
    expected = mixture.energy(z, mixture.regularise(whole, 1e-6))
    assert_allclose(model.anomaly_score(X), expected, rtol=1e-8)


@pytest.mark.parametrize("n_members", [1, 2])
def test_it_does_not_depend_on_the_pieces_of_the_pass(monkeypatch, method, n_members):
    whole = method(n_members=n_members, **SHORT).fit(X)
    monkeypatch.setattr(
        "whitecrow.deep.run._PIECE", 6 * 23
    )  # pieces of 23 rows, and one of 1
    pieces = method(n_members=n_members, **SHORT).fit(X)
    assert_allclose(pieces.covariances_, whole.covariances_, rtol=1e-8, atol=1e-12)
    assert_allclose(pieces.anomaly_score(X), whole.anomaly_score(X), rtol=1e-8)


def test_scores_depend_on_neither_neighbours_nor_order(method):
    """The reference of SOM-DAGMM estimates the mixture anew from each test batch."""
    maps = {"n_soms": 2} if method is wc.SOMDAGMM else {}
    model = method(**{**SHORT, "epochs": 30}, **maps).fit(X)
    together = model.anomaly_score(X)
    for apart in scores_apart(model, X):
        assert_allclose(apart, together, atol=1e-9)


def test_energies_of_members_are_averaged_as_they_are(method):
    model = method(n_members=3, **SHORT).fit(X)
    width = 7 if method is wc.DAGMM else 9
    assert model.latent(X).shape == (3, 70, width)
    assert_allclose(model.anomaly_score(X), model._member_scores(X).mean(axis=0))
    assert model.means_.shape == (3, 4, width)


def test_strong_anomalies_do_not_tie(method):
    """The reference gives all of them the same score."""
    rows = np.random.default_rng(1).normal(0, 1, size=(300, 6)) * 50
    scores = method(**SHORT).fit(X).anomaly_score(rows)
    assert len(np.unique(scores)) == 300
    assert scores.min() > 0


def test_columns_with_hardly_any_variance(method):
    rows = X.copy()
    rows[:, 1], rows[:, 4] = 7.0, 1e-9 * rows[:, 4]
    for settings in ({}, {"reg_covar": 0.0}, {"reg_covar": 1e-12, "scaling": "none"}):
        scores = method(**SHORT, **settings).fit(rows).anomaly_score(rows)
        assert np.isfinite(scores).all()


def test_a_width_of_zero_is_refused(method):
    with pytest.raises(ParameterError, match="without a unit"):
        method(hidden="rule", **SHORT).fit(X)
