import math

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from torch.nn.functional import softplus

import whitecrow as wc
from runs import batch
from whitecrow import LOE, SOEL, MHRot
from whitecrow.deep import fit_seeds
from whitecrow.detectors.mhrot import (
    factors,
    heads,
    latent_gauss,
    log_odds,
    sources,
    uniform_loss,
)
from whitecrow.errors import DataError, ParameterError

RNG = np.random.default_rng(0)
PICTURES = RNG.integers(0, 256, (10, 1, 12, 12), dtype=np.uint8)
SMALL = {
    "transformations": "simple",
    "depth": 10,
    "widen_factor": 1,
    "epochs": 2,
    "device": "cpu",
    "random_state": 0,
}

# ------------------------------------------------- specs/active_soel.md 14.10, golden

LOGITS = ([[2.0, 0], [0, 1]], [[1.0, 0, -1], [0, 3, 0]])
TRUTH = ([0, 1], [0, 1])


def of_heads(loss):
    """Mean over both heads of `loss(logits, one-hot truth)`, one number a view."""
    values = [
        loss(
            torch.tensor(logits, dtype=torch.float64),
            torch.nn.functional.one_hot(torch.tensor(true), len(logits[0])).double(),
        )
        for logits, true in zip(LOGITS, TRUTH, strict=True)
    ]
    return torch.stack(values).mean(0)


@pytest.mark.parametrize(
    ("loss", "expected"),
    [
        (lambda o, c: softplus(-log_odds(o, c)), (0.2672669877, 0.2040923220)),
        (lambda o, c: softplus(log_odds(o, c)), (1.6106361440, 1.8575187317)),
        (lambda o, c: uniform_loss(o), (1.2672669877, 1.4540923220)),
    ],
)
def test_golden_losses(loss, expected):
    assert_allclose(of_heads(loss), expected, rtol=1e-9)


def test_golden_scores():
    normal = of_heads(lambda o, c: softplus(-log_odds(o, c))).sum()
    odd = of_heads(lambda o, c: uniform_loss(o)).sum()
    assert normal.item() == pytest.approx(0.4713593097, abs=1e-9)
    assert odd.item() == pytest.approx(2.7213593097, abs=1e-9)
    assert (normal - odd).item() == pytest.approx(-2.25, abs=1e-12)


def test_losses_of_clear_answers_are_finite():
    logits, own = torch.tensor([500.0, 0.0]), torch.tensor([1.0, 0.0])
    assert log_odds(logits, own) == 500
    assert softplus(log_odds(logits, own)) == 500


@pytest.mark.parametrize(
    ("features", "total"),
    [([[0, 0], [2, 0]], 0.0362998558), ([[1, 0], [1, 0]], 1.3862943611)],
)
def test_golden_latent_gauss(features, total):
    means = torch.tensor([[0.0, 0.0], [2.0, 0.0]], dtype=torch.float64)
    z = torch.tensor([features, features], dtype=torch.float64)
    # A sum over the views there, a mean here.
    assert_allclose(2 * latent_gauss(z, means), [total, total], atol=1e-10)


def test_latent_gauss_as_it_is_written():
    z, means = torch.randn(5, 3, 4).double(), torch.randn(3, 4).double()
    distances = (z.unsqueeze(-2) - means).square().sum(-1)
    own = (-distances).log_softmax(-1)[:, range(3), range(3)]
    assert_allclose(latent_gauss(z, means), -own.mean(-1), rtol=1e-12)


# --------------------------------------------------------------------------- views


@pytest.mark.parametrize(
    ("kind", "count", "classes"),
    [
        ("medium", 36, (3, 3, 4)),
        ("simple", 8, (2, 4)),
        ("complicated", 72, (2, 3, 3, 4)),
    ],
)
def test_counts(kind, count, classes):
    assert heads(kind) == classes
    assert factors(kind).shape == (count, len(classes))
    assert math.prod(classes) == count
    assert sources(kind, 12, 2).shape == (count, 144)


def test_index_of_a_view_is_that_of_its_factors():
    index = 12 * factors("medium")[:, 0] + 4 * factors("medium")[:, 1]
    assert_array_equal(index + factors("medium")[:, 2], np.arange(36))


def view(picture, flip, down, right, turns, shift):
    """One transformation as the specification words it, pixel by pixel."""
    if flip:
        picture = picture[:, ::-1]
    moves = (0, -shift, shift)
    side, moved = len(picture), np.empty_like(picture)

    def mirrored(i):
        return -i - 1 if i < 0 else 2 * side - 1 - i if i >= side else i

    for r in range(side):
        for c in range(side):
            source = mirrored(r + moves[down]), mirrored(c + moves[right])
            moved[r, c] = picture[source]
    return np.rot90(moved, turns)


def test_views_pixel_by_pixel():
    picture = RNG.normal(size=(7, 7))
    views = picture.ravel()[sources("complicated", 7, 3)].reshape(-1, 7, 7)
    for found, values in zip(views, factors("complicated"), strict=True):
        assert_array_equal(found, view(picture, *values, shift=3))


def test_the_first_view_is_the_picture():
    for kind in ("simple", "medium", "complicated"):
        assert_array_equal(sources(kind, 9, 2)[0], np.arange(81))


def test_the_network_sees_each_view_of_each_picture():
    model = MHRot(**SMALL).fit(PICTURES)
    net, x = model.net_, model._tensor(PICTURES)
    together = net(x)
    moved = (2 * x - 1).flatten(-2)[..., net.sources[3]].unflatten(-1, (12, 12))
    features = net.trunk(moved)
    torch.testing.assert_close(together[:, 3, : net.trunk.n_features], features)
    logits = net.heads(features)
    torch.testing.assert_close(together[:, 3, net.trunk.n_features :], logits)


# --------------------------------------------------------------------------- method


def test_score_is_the_mean_over_views_and_heads():
    model = MHRot(**SMALL).fit(PICTURES)
    logits = model.net_(model._tensor(PICTURES))[..., -6:].double()
    truth = torch.from_numpy(factors("simple"))
    losses = [
        torch.nn.functional.cross_entropy(
            part.flatten(0, 1), true.repeat(10), reduction="none"
        )
        for part, true in zip(logits.split((2, 4), -1), truth.T, strict=True)
    ]
    expected = torch.stack(losses).view(2, 10, 8).mean((0, 2))
    assert_allclose(model.anomaly_score(PICTURES), expected, rtol=1e-6)


LATENT = {**SMALL, "score_metric": "latent_gauss"}
SOME_KNOWN = np.where(np.arange(10) < 4, np.arange(10) % 2, np.nan)


def means_of(net, model, pictures):
    """Mean features of each transformation, in one piece."""
    return net(model._tensor(pictures))[..., :-6].mean(0)


def test_means_are_those_of_the_trained_network():
    model = MHRot(**LATENT).fit(PICTURES)
    net = model.net_
    assert not net.training
    assert_allclose(net.means, means_of(net, model, PICTURES), rtol=1e-5, atol=1e-6)


def test_many_pictures_have_the_same_means(monkeypatch):
    whole = MHRot(**LATENT).fit(PICTURES).net_.means
    monkeypatch.setattr("whitecrow.deep.run._PIECE", 24 * 7_800)  # 24 views at once
    assert_allclose(MHRot(**LATENT).fit(PICTURES).net_.means, whole, rtol=1e-5)


def test_latent_score_of_a_fit():
    model = MHRot(**LATENT).fit(PICTURES)
    z = model.net_(model._tensor(PICTURES))[..., :-6].double()
    distances = (z.unsqueeze(-2) - model.net_.means).square().sum(-1)
    own = torch.diagonal((-distances).log_softmax(-1), dim1=-2, dim2=-1)
    assert_allclose(model.anomaly_score(PICTURES), -own.mean(-1), rtol=1e-6)


@pytest.mark.parametrize("n_members", [1, 2])
def test_both_scores(n_members):
    settings = {**SMALL, "n_members": n_members}
    entropy = MHRot(**settings).fit(PICTURES)
    latent = MHRot(**settings, score_metric="latent_gauss").fit(PICTURES)
    both = latent.both_scores(PICTURES)
    for one, model in zip(both, (entropy, latent), strict=True):
        alone = model._member_scores(PICTURES).mean(0)
        assert_allclose(one, alone, rtol=1e-12)
        if n_members == 1:
            assert_array_equal(one, model.anomaly_score(PICTURES))
    assert not np.allclose(*both)


@pytest.mark.parametrize("certainty", [None, np.full(10, 0.9)])
def test_known_anomalies_do_not_count_for_the_means(certainty):
    model = SOEL(MHRot(**LATENT)).fit(PICTURES, SOME_KNOWN, certainty=certainty)
    (inner,) = model.detectors_
    rest = PICTURES[SOME_KNOWN != 1]
    expected = means_of(inner.net_, inner, rest)
    assert_allclose(inner.net_.means, expected, rtol=1e-5, atol=1e-6)
    everything = means_of(inner.net_, inner, PICTURES)
    assert not np.allclose(inner.net_.means, everything, rtol=1e-3)


def test_means_under_latent_exposure():
    inner = LOE(MHRot(**LATENT), warm_up_epochs=1).fit(PICTURES).detector_
    expected = means_of(inner.net_, inner, PICTURES)
    assert_allclose(inner.net_.means, expected, rtol=1e-5, atol=1e-6)


def test_members_with_dropout_are_the_same_again():
    fits = [MHRot(**SMALL, n_members=2).fit(PICTURES) for _ in range(2)]
    assert_array_equal(*(fit.loss_curve_ for fit in fits))
    assert_array_equal(*(fit.anomaly_score(PICTURES) for fit in fits))


@pytest.mark.parametrize("n_members", [1, 2])
def test_batches_of_one_picture_are_refused(n_members):
    with pytest.raises(DataError, match="batch_size=1"):
        MHRot(**SMALL, n_members=n_members, batch_size=1).fit(PICTURES)


def test_members_have_means_of_their_own():
    model = MHRot(**LATENT, n_members=2).fit(PICTURES)
    both = model.net_(model._input(PICTURES))[..., :-6].mean(1)
    assert_allclose(model.net_.get_buffer("means"), both, rtol=1e-5, atol=1e-6)
    assert not np.allclose(both[0], both[1], rtol=1e-2)
    assert np.isfinite(model.anomaly_score(PICTURES)).all()


def test_seeds_at_once_have_the_means_of_their_own_pictures():
    other = PICTURES[::-1, :, :, ::-1].copy()
    settings = {**LATENT, "dropout": 0.0}
    tasks = [(PICTURES, None), (other, None)]
    fits = fit_seeds(MHRot(**settings), tasks, seeds=[3, 4])
    for fit, (X, _), seed in zip(fits, tasks, (3, 4), strict=True):
        expected = means_of(fit.net_, fit, X)
        assert_allclose(fit.net_.means, expected, rtol=1e-4, atol=1e-5)
        alone = MHRot(**{**settings, "random_state": seed}).fit(X)
        assert_allclose(
            fit.anomaly_score(X), alone.anomaly_score(X), rtol=1e-3, atol=1e-5
        )


def test_the_regulariser_changes_no_rank():
    with_, without = MHRot(**SMALL), MHRot(**SMALL, reg=0.0)
    net = with_.fit(PICTURES).net_
    without.fit(PICTURES)
    x = with_._tensor(PICTURES)
    pairs = [model._losses(net, batch(x)) for model in (with_, without)]
    size = pairs[0][0] - pairs[1][0]
    assert (size > 0).all()
    assert_allclose(pairs[0][1] - pairs[1][1], size, rtol=1e-4)


@pytest.mark.parametrize(
    "changed",
    [
        {"transformations": "medium", "shift": 3},
        {"shift": 3, "transformations": "complicated"},
        {"reg": 0.0},
        {"dropout": 0.0},
        {"reference_block": True},
        {"widen_factor": 2},
        {"depth": 16},
        {"batch_size": 3},
        {"milestones": (1,)},
        {"score_metric": "latent_gauss"},
    ],
)
def test_every_parameter_has_an_effect(changed):
    one = MHRot(**SMALL).fit(PICTURES).anomaly_score(PICTURES)
    other = MHRot(**{**SMALL, **changed}).fit(PICTURES).anomaly_score(PICTURES)
    assert not np.allclose(one, other)


def test_the_exposure_matters_where_anomalies_are_known():
    y = np.where(np.arange(10) < 3, 1.0, np.nan)
    one, other = (
        SOEL(MHRot(**SMALL, exposure=exposure), ratio=0.1).fit(PICTURES, y)
        for exposure in ("max_ent", "zero_driven")
    )
    assert not np.allclose(one.anomaly_score(PICTURES), other.anomaly_score(PICTURES))


@pytest.mark.parametrize("method", ["loe", "hard", "refine", "oc", "sup", "blind"])
@pytest.mark.parametrize("update", ["joint", "alternate"])
def test_under_soel(method, update):
    model = SOEL(MHRot(**SMALL), method=method, update=update)
    model.fit(PICTURES, SOME_KNOWN)
    assert np.isfinite(model.anomaly_score(PICTURES)).all()


def test_under_latent_exposure():
    model = LOE(MHRot(**SMALL), warm_up_epochs=1).fit(PICTURES)
    assert np.isfinite(model.anomaly_score(PICTURES)).all()


def test_codes_of_all_views():
    model = MHRot(**SMALL).fit(PICTURES)
    assert model.embed(PICTURES).shape == (10, 8 * 64)


def gradients(n, seed):
    """Pictures that say where up is; anomalies are noise of the same brightness."""
    rng = np.random.default_rng(seed)
    ramp = np.linspace(0, 1, 12)[:, None] * np.linspace(0.3, 1, 12)
    X = ramp + 0.1 * rng.normal(size=(n, 1, 12, 12))
    X[: n // 4] = rng.permuted(X[: n // 4].reshape(-1, 144), axis=1).reshape(
        -1, 1, 12, 12
    )
    return np.clip(X, 0, 1).astype(np.float32), np.arange(n) < n // 4


def test_it_finds_pictures_without_an_orientation():
    X, y = gradients(80, 0)
    model = MHRot(**{**SMALL, "epochs": 5, "reg": 0.1}).fit(X[~y])
    test, truth = gradients(80, 1)
    for scores in model.both_scores(test):
        assert scores[truth].min() > np.median(scores[~truth])


@pytest.mark.parametrize("n_members", [1, 2])
@pytest.mark.parametrize("settings", [SMALL, LATENT])
def test_saved_and_loaded(tmp_path, settings, n_members):
    model = MHRot(**settings, n_members=n_members).fit(PICTURES)
    model.save(tmp_path / "m.crow")
    same = wc.load(tmp_path / "m.crow")
    assert_array_equal(same.anomaly_score(PICTURES), model.anomaly_score(PICTURES))
    assert_array_equal(same.both_scores(PICTURES), model.both_scores(PICTURES))


def test_published_settings():
    cifar = MHRot.preset("soel-cifar10")
    assert (cifar.depth, cifar.widen_factor, cifar.batch_size) == (16, 4, 10)
    assert cifar.reference_block


@pytest.mark.parametrize(
    ("shape", "shift"), [((1, 12, 10), 2), ((1, 12, 12), 12), ((3, 8, 8), 8)]
)
def test_pictures_that_cannot_be_turned_or_shifted(shape, shift):
    X = np.zeros((4, *shape), dtype=np.uint8)
    with pytest.raises(DataError, match=f"shifts them by {shift} pixels"):
        MHRot(**{**SMALL, "shift": shift}).fit(X)


def test_depths():
    with pytest.raises(ParameterError, match="depth=12"):
        MHRot(**{**SMALL, "depth": 12}).fit(PICTURES)
