"""The mixture algebra: golden values, exact merging, energies against torch's own."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from torch.distributions import MultivariateNormal

import whitecrow as wc
from whitecrow.deep import mixture
from whitecrow.deep.mixture import AutoencodedMixture, Mixture

DOUBLE = torch.float64

# ------------------------------------------------------- specs/deep_unsupervised.md, G2

Z = torch.tensor([[0, 0], [1, 0], [0, 1], [4, 4]], dtype=DOUBLE)
MEMBERSHIP = torch.tensor(
    [[0.9, 0.1], [0.8, 0.2], [0.7, 0.3], [0.1, 0.9]], dtype=DOUBLE
)


def test_golden_mixture():
    found = mixture.estimate(Z, MEMBERSHIP)
    assert_allclose(found.mass / 4, [0.625, 0.375], atol=1e-12)
    means = [[0.48, 0.44], [2.533333333333, 2.6]]
    assert_allclose(found.mean, means, atol=1e-8)
    first = [[0.7296, 0.4288], [0.4288, 0.7264]]
    second = [[3.315555555556, 3.013333333333], [3.013333333333, 3.04]]
    assert_allclose(found.covariance, [first, second], atol=1e-8)


@pytest.mark.parametrize(
    ("jitter", "energies", "penalty"),
    [
        (
            0.0,
            [1.8311845031, 2.5018858407, 2.5461617781, 3.1500344890],
            3.377821964975,
        ),
        (
            1e-6,
            [1.8311865350, 2.5018849401, 2.5461605052, 3.1500376152],
            3.377817992054,
        ),
        (
            1e-3,
            [1.8332130089, 2.5009918845, 2.5448986838, 3.1531511288],
            3.373854277059,
        ),
    ],
)
def test_golden_energies(jitter, energies, penalty):
    found = mixture.regularise(mixture.estimate(Z, MEMBERSHIP), jitter)
    assert_allclose(mixture.energy(Z, found), energies, atol=1e-8)
    assert_allclose(mixture.penalty(found), penalty, atol=1e-8)


def test_golden_objective_without_reconstruction_error():
    found = mixture.regularise(mixture.estimate(Z, MEMBERSHIP), 1e-6)
    objective = 0.1 * mixture.energy(Z, found).mean() + 0.005 * mixture.penalty(found)
    assert_allclose(objective, 0.267620829848, atol=1e-8)


def test_energies_far_away_are_not_clipped():
    """The reference gives 11.7199334347 and 13.8155105580 here."""
    found = mixture.regularise(mixture.estimate(Z, MEMBERSHIP), 1e-6)
    far = torch.tensor([[10, 10], [100, 100]], dtype=DOUBLE)
    assert_allclose(mixture.energy(far, found), [11.8511808518, 1564.4308221364])


def test_golden_standard_normal():
    one = Mixture(torch.ones(1), torch.zeros(1, 2), torch.eye(2)[None])
    one = Mixture(*(part.double() for part in one))
    rows = torch.tensor([[0, 0], [1, 0], [3, 4]], dtype=DOUBLE)
    expected = [1.8378770664, 2.3378770664, 14.3378770664]
    assert_allclose(mixture.energy(rows, one), expected, atol=1e-8)


@pytest.mark.parametrize(
    ("jitter", "energy", "penalty"),
    [(1e-6, -11.9776334916, 4.0e6), (1e-4, -7.3724633056, 4.0e4)],
)
def test_golden_collapsed_batch(jitter, energy, penalty):
    rows, half = torch.zeros(5, 2, dtype=DOUBLE), torch.full((5, 2), 0.5, dtype=DOUBLE)
    found = mixture.regularise(mixture.estimate(rows, half), jitter)
    assert_allclose(mixture.energy(rows, found), [energy] * 5, atol=1e-8)
    assert_allclose(mixture.penalty(found), penalty)


# --------------------------------------------------------------------------- statistics


def random_rows(n, members=()):
    generator = torch.Generator().manual_seed(n)
    z = torch.randn(*members, n, 3, generator=generator, dtype=DOUBLE)
    logits = torch.randn(*members, n, 4, generator=generator, dtype=DOUBLE)
    return z, logits.softmax(-1)


@pytest.mark.parametrize("cut", [1, 2, 3])
def test_mixtures_of_parts_merge_into_that_of_the_whole(cut):
    parts = [mixture.estimate(Z[i], MEMBERSHIP[i]) for i in (slice(cut), slice(cut, 4))]
    whole = mixture.estimate(Z, MEMBERSHIP)
    for found, expected in zip(mixture.merge(*parts), whole, strict=True):
        assert_allclose(found, expected, atol=1e-8)


def test_merging_loses_no_digits_far_from_the_origin():
    z, membership = random_rows(60)
    whole = mixture.estimate(z, membership)
    halves = [
        mixture.estimate(z[i] + 1e7, membership[i]) for i in (slice(9), slice(9, 60))
    ]
    found = mixture.merge(*halves)
    assert_allclose(found.covariance, whole.covariance, atol=1e-7)


def test_energy_is_the_negative_log_density():
    z, membership = random_rows(50)
    found = mixture.estimate(z, membership)
    density = MultivariateNormal(found.mean, found.covariance).log_prob(z[:, None])
    shares = found.mass / found.mass.sum()
    expected = -(density + shares.log()).logsumexp(-1)
    assert_allclose(mixture.energy(z, found), expected, atol=1e-10)


def test_members_side_by_side_equal_members_alone():
    z, membership = random_rows(50, members=(3,))
    together = mixture.regularise(mixture.estimate(z, membership), 1e-3)
    energies, penalties = mixture.energy(z, together), mixture.penalty(together)
    for i in range(3):
        alone = mixture.regularise(mixture.estimate(z[i], membership[i]), 1e-3)
        assert_allclose(energies[i], mixture.energy(z[i], alone), atol=1e-12)
        assert_allclose(penalties[i], mixture.penalty(alone), atol=1e-12)


def test_gradients_of_the_objective():
    def objective(z, logits):
        found = mixture.regularise(mixture.estimate(z, logits.softmax(-1)), 1e-6)
        return mixture.energy(z, found).mean() + 0.01 * mixture.penalty(found)

    z, membership = random_rows(8)
    inputs = z.requires_grad_(), membership.log().requires_grad_()
    assert torch.autograd.gradcheck(objective, inputs)


def weights_of_a_batch(members=()):
    """Rows and memberships that depend on nothing else, and do not add up to 1."""
    z, membership = random_rows(8, members)
    return z.requires_grad_(), (3 * membership).requires_grad_()


@pytest.mark.parametrize("members", [(), (2,)])
def test_gradients_of_a_batch(members):
    inputs = weights_of_a_batch(members)
    assert torch.autograd.gradcheck(mixture.of_batch, (*inputs, 1e-3))


@pytest.mark.parametrize("members", [(), (2,)])
def test_a_batch_in_one_go_equals_its_parts(members):
    z, membership = weights_of_a_batch(members)
    found = mixture.regularise(mixture.estimate(z, membership), 1e-6)
    parts = mixture.energy(z, found), mixture.penalty(found)
    whole = mixture.of_batch(z, membership, 1e-6)
    slopes = torch.arange(8.0).expand_as(parts[0]), torch.full_like(parts[1], 0.01)
    for one, other in zip(whole, parts, strict=True):
        assert_allclose(one.detach(), other.detach(), rtol=1e-12)
    gradients = [
        torch.autograd.grad(outputs, (z, membership), slopes)
        for outputs in (whole, parts)
    ]
    for one, other in zip(*gradients, strict=True):
        assert_allclose(one, other, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("scale", [1.0, 1e-3])
def test_a_batch_that_needs_jitter_equals_its_parts(scale):
    """Its rows lie on a line, so that no covariance can be factored as it is."""
    line = torch.tensor([1.0, 2.0, 4.0], dtype=DOUBLE) * scale
    rows = torch.linspace(-1, 1, 7, dtype=DOUBLE)[:, None] * line
    membership = random_rows(7)[1]
    found = mixture.regularise(mixture.estimate(rows, membership), 0.0)
    energies, penalty = mixture.of_batch(rows, membership, 0.0)
    assert torch.isfinite(energies).all()
    assert_allclose(energies, mixture.energy(rows, found), rtol=1e-9)
    assert_allclose(penalty, mixture.penalty(found), rtol=1e-12)


# ----------------------------------------------------------------------- regularisation


def one_component(covariance):
    covariance = torch.as_tensor(covariance, dtype=DOUBLE)[None]
    d = covariance.shape[-1]
    return Mixture(torch.ones(1).double(), torch.zeros(1, d).double(), covariance)


def test_what_can_be_factored_gets_reg_covar_and_no_more():
    found = mixture.regularise(one_component([[2.0, 1.0], [1.0, 2.0]]), 0.5)
    assert_allclose(found.covariance[0], [[2.5, 1.0], [1.0, 2.5]])


@pytest.mark.parametrize(
    ("lowest", "level"), [(-1e-7, 1e-6), (-5e-5, 1e-4), (-5e-3, 1e-2)]
)
def test_jitter_escalates_to_the_first_level_that_works(lowest, level):
    """A matrix with eigenvalues 2 and a negative one; its diagonal is about 1."""
    matrix = np.ones((2, 2)) + lowest / 2 * np.array([[1, -1], [-1, 1]])
    found = mixture.regularise(one_component(matrix), 0.0)
    added = found.covariance[0].numpy() - matrix
    assert_allclose(added, level * np.eye(2) * matrix[0, 0], atol=1e-12)


def test_components_are_regularised_one_by_one():
    good, bad = np.eye(2), np.ones((2, 2)) - 1e-5 * np.eye(2)
    both = Mixture(
        torch.ones(2).double(),
        torch.zeros(2, 2).double(),
        torch.as_tensor(np.stack([good, bad])),
    )
    found = mixture.regularise(both, 0.0).covariance
    assert_allclose(found[0], good)
    assert (torch.linalg.eigvalsh(found[1]) > 0).all()


def test_no_variance_and_no_jitter_is_finite():
    rows, half = torch.zeros(5, 2, dtype=DOUBLE), torch.full((5, 2), 0.5, dtype=DOUBLE)
    found = mixture.regularise(mixture.estimate(rows, half), 0.0)
    assert torch.isfinite(mixture.energy(rows, found)).all()


def test_a_component_without_rows_is_finite():
    z, membership = random_rows(20)
    membership = membership * torch.tensor([1.0, 1, 1, 0])
    found = mixture.regularise(mixture.estimate(z, membership), 1e-6)
    assert torch.isfinite(mixture.energy(z, found)).all()


# ----------------------------------------------------------------- features and network


def test_golden_features():
    x, x_hat = torch.tensor([[3.0, 4.0]]), torch.tensor([[3.0, 0.0]])
    features, distance = mixture.reconstruction_features(x, x_hat)
    assert_allclose(features, [[0.8, 0.6]])
    assert_allclose(distance.square(), [16])


def test_features_of_zeros_and_of_far_rows_are_finite():
    x = torch.tensor([[0.0, 0.0], [1e12, -1e12], [1.0, 1.0]], requires_grad=True)
    x_hat = torch.tensor([[0.3, 0.1], [1.0, 1.0], [0.0, 0.0]], requires_grad=True)
    features, distance = mixture.reconstruction_features(x, x_hat)
    assert torch.isfinite(features).all()
    assert_allclose(features[1].detach(), [1, 0], atol=1e-6)
    (features.sum() + distance.square().sum()).backward()
    assert torch.isfinite(x_hat.grad).all()
    # A perfect reconstruction has a slope, too.
    same = x.detach().clone().requires_grad_()
    mixture.reconstruction_features(x.detach(), same)[0].sum().backward()
    assert torch.isfinite(same.grad).all()


@pytest.mark.parametrize("members", [(), (2,)])
def test_gradients_of_the_features(members):
    x, x_hat = (random_rows(n, members)[0].requires_grad_() for n in (5, 6))
    rows = x, x_hat[..., :5, :]
    assert torch.autograd.gradcheck(mixture.reconstruction_features, rows)


def test_features_of_a_nearly_perfect_reconstruction_lose_no_digits():
    """|x|^2 - 2 x x_hat + |x_hat|^2 would be noise here."""
    generator = torch.Generator().manual_seed(0)
    x, noise = torch.randn(2, 9, 120, generator=generator)
    found, slopes = [], []
    for dtype in (torch.float32, DOUBLE):
        x_hat = (x + 1e-4 * noise).to(dtype).requires_grad_()
        features, distance = mixture.reconstruction_features(x.to(dtype), x_hat)
        (features.sum() + distance.square().sum()).backward()
        found.append(features.detach())
        slopes.append(x_hat.grad)
    assert found[1][:, 0].max() < 2e-4
    assert_allclose(found[0], found[1], rtol=1e-5)
    assert_allclose(slopes[0], slopes[1], atol=1e-5 * slopes[1].abs().max())


def test_columns_beyond_the_autoencoder_pass_into_z():
    net = AutoencodedMixture(
        (4, 3, 2), 5, n_further=2, ae_act="tanh", gmm_act="tanh", dropout=0.0
    )
    x = torch.randn(7, 6, generator=torch.Generator().manual_seed(0))
    z, membership, distance = net(x)
    assert z.shape == (7, 6)
    assert_allclose(z[:, 4:].detach(), x[:, 4:])
    assert_allclose(membership.detach().sum(-1), np.ones(7))
    expected = x[:, :4] - net.decoder(net.encoder(x[:, :4]))
    assert_allclose(distance.detach(), expected.detach().norm(dim=-1), rtol=1e-6)
    moved = torch.cat([x[:, :4], x[:, 4:] + 1], dim=1)
    assert not np.allclose(net(moved)[1].detach(), membership.detach())


@pytest.mark.parametrize(
    ("n", "batch_size"), [(1, 256), (7, 256), (257, 256), (1000, 256), (1030, 1)]
)
def test_batches_are_equally_large(n, batch_size):
    size = mixture.even_batch_size(n, batch_size)
    assert 1 <= size <= batch_size
    last = n % size or size
    assert size - last < -(-n // size)


def test_a_network_is_copied_once_a_call(monkeypatch):
    """It was copied for every thousand rows."""
    model = wc.DAGMM(epochs=2, device="cpu", random_state=0)
    rows = np.random.default_rng(0).normal(size=(5000, 4))
    scores = model.fit_score(rows)
    copies, exact = [], mixture.exact

    def counted(net):
        if next(net.parameters()).dtype == torch.float32:
            copies.append(net)
        return exact(net)

    monkeypatch.setattr(mixture, "exact", counted)
    again = model.anomaly_score(rows)
    assert len(copies) == 1
    np.testing.assert_array_equal(again, scores)
    assert next(model.net_.parameters()).dtype == torch.float32
