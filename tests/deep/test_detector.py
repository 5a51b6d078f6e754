"""What all deep methods share: stacks of members, seeds, stages, and parameters."""

import inspect
from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from torch import nn

import whitecrow as wc
from runs import batch, run_of
from whitecrow import registry
from whitecrow.deep import DeepDetector, Losses, Stage, device, fit_seeds, train
from whitecrow.deep.nets.mlp import mlp
from whitecrow.deep.run import TrainingSet
from whitecrow.errors import DataError, ParameterError, TrainingError
from whitecrow.parameters import fitted
from whitecrow.supervision import exposure, latent, unlabelled

RNG = np.random.default_rng(0)
TABLE = RNG.normal(size=(70, 6)) @ RNG.normal(size=(6, 6))
LABELS = np.full(70, np.nan)
LABELS[:6], LABELS[6:12] = 1, 0
OUTLIERS = RNG.normal(0, 4, size=(15, 6))
PICTURES = RNG.integers(0, 256, (12, 1, 8, 8), dtype=np.uint8)

SHORT = {"epochs": 3, "batch_size": 32, "device": "cpu"}


def own_network(shape):
    """Layers of torch itself, which run under vmap in a stack."""
    layers = nn.Linear(shape[0], 8), nn.Tanh(), nn.Linear(8, 3)
    return nn.Sequential(*layers)


# Every deep method, and each way of its own to train: detector, rows, fit arguments.
CASES = {
    "autoencoder": (wc.AutoEncoder(**SHORT), TABLE, {}),
    "autoencoder, penalty": (
        wc.AutoEncoder(reg=0.1, batch_norm=True, **SHORT),
        TABLE,
        {},
    ),
    "autoencoder, pictures": (wc.AutoEncoder(**SHORT), PICTURES, {}),
    "deep svdd": (wc.DeepSVDD(pretrain_epochs=2, **SHORT), TABLE, {}),
    "deep svdd, soft": (
        wc.DeepSVDD("soft-boundary", warm_up_epochs=1, pretrain=False, **SHORT),
        TABLE,
        {},
    ),
    "deep svdd, pictures": (wc.DeepSVDD(pretrain_epochs=1, **SHORT), PICTURES, {}),
    "deep svdd, own network": (
        wc.DeepSVDD(network=own_network, pretrain=False, **SHORT),
        TABLE,
        {},
    ),
    "deep sad": (wc.DeepSAD(pretrain_epochs=2, **SHORT), TABLE, {"y": LABELS}),
    "hsc": (wc.HSC(**SHORT), TABLE, {"y": LABELS}),
    "hsc, auxiliary": (wc.HSC(**SHORT), TABLE, {"auxiliary": OUTLIERS}),
    "deep sad oe": (wc.DeepSADOE(**SHORT), TABLE, {"auxiliary": OUTLIERS}),
    "bce": (wc.BCE(**SHORT), TABLE, {"y": LABELS}),
    "bce, variants of pictures": (
        # A logit around 0 shows every rounding: small steps keep them apart.
        wc.BCE(
            augment="cifar10", normalise="rows", outlier_ratio=0.5, lr=1e-4, **SHORT
        ),
        PICTURES,
        {},
    ),
    "focal": (wc.Focal(outlier_weight=2.0, **SHORT), TABLE, {"auxiliary": OUTLIERS}),
    "neutral ad": (wc.NeuTraLAD(**SHORT), TABLE, {}),
    "neutral ad, as soel": (
        wc.NeuTraLAD.preset("soel-tabular", **SHORT),
        TABLE / 10,
        {},
    ),
    "mhrot": (
        wc.MHRot("simple", shift=2, depth=10, widen_factor=1, reg=0.1, **SHORT),
        PICTURES,
        {},
    ),
    "dagmm": (wc.DAGMM(**SHORT), TABLE, {}),
    "som dagmm": (wc.SOMDAGMM(2, **SHORT), TABLE, {}),
    "dsebm": (wc.DSEBM(**SHORT), TABLE, {}),
    "dsebm, plain": (wc.DSEBM("energy", architecture="plain", **SHORT), TABLE, {}),
    "goad": (wc.GOAD(n_transforms=5, **SHORT), TABLE, {}),
    "drocc": (wc.DROCC(only_ce_epochs=1, **SHORT), TABLE, {}),
    "mem ae": (wc.MemAE(**SHORT), TABLE, {}),
    "robust autoencoder": (wc.RobustAutoEncoder((8, 2), **SHORT), TABLE, {}),
    "alad": (wc.ALAD(**SHORT), TABLE, {}),
}


def settings(*names):
    return pytest.mark.parametrize("name", names or CASES)


def test_every_deep_method_is_tried_here():
    # All that stack members; DUAD does not.
    deep = {
        m.class_name
        for m in wc.methods()
        if issubclass(m.cls, DeepDetector) and "n_members" in signature(m.cls)
    }
    assert deep == {type(detector).__name__ for detector, _, _ in CASES.values()}


# ------------------------------------------------------------------ frozen parameters


class Frozen(nn.Module):
    """The error of one network in imitating another, which does not learn."""

    def __init__(self, make):
        super().__init__()
        self.fixed, self.learner = make().requires_grad_(False), make()

    def forward(self, x):
        return (self.learner(x) - self.fixed(x)).square().sum(-1)


class StackedFrozen(Frozen):
    has_member_axis = True


class Imitating(DeepDetector):
    has_l_a, input_kinds = True, ("table",)
    blocks: bool = True

    def _build(self, shape):
        if self.blocks:
            return StackedFrozen(lambda: mlp((shape[0], 8, 3)))
        return Frozen(lambda: own_network(shape))

    def _losses(self, net, batch):
        error = net(batch.x)
        return Losses(error, 1 / (error + 0.01))

    def _score(self, net, x):
        return net(x)


def test_frozen_parameters_of_a_stack_stay_frozen():
    """Those of a network from outside were trained."""
    for blocks in (True, False):
        settings = {**SHORT, "lr": 0.01, "blocks": blocks, "random_state": 0}
        alone = Imitating(**settings).fit(TABLE).anomaly_score(TABLE)
        members = Imitating(n_members=2, **settings).fit(TABLE)
        first = members._member_scores(members._check_rows(TABLE, reset=False))[0]
        assert_allclose(first, alone, rtol=1e-4)


@pytest.mark.parametrize("n_members", [1, 2])
@pytest.mark.parametrize("blocks", [True, False])
def test_frozen_parameters_stay_frozen_when_a_network_trains_on(blocks, n_members):
    """SOEL trained them after its warm-up."""
    settings = {**SHORT, "lr": 0.01, "n_members": n_members, "random_state": 0}
    method = Imitating(blocks=blocks, **settings)
    fixed, trained = (
        {name: p for name, p in model.net_.named_parameters() if "learner" not in name}
        for model in (
            method.fit(TABLE),
            wc.SOEL(method).fit(TABLE, LABELS).detectors_[0],
        )
    )
    assert fixed
    for name, parameter in fixed.items():
        assert_array_equal(parameter, trained[name])


def test_a_network_that_is_the_same_module_again_trains_on():
    network = own_network((6,))
    settings = {**SHORT, "pretrain": False, "random_state": 0}
    model = wc.DeepSAD(network=lambda _: network, **settings).fit(TABLE)
    before = model.anomaly_score(TABLE)
    # A second fit has the same first weights, and takes nothing from the first model.
    again = wc.DeepSAD(network=lambda _: network, **settings).fit(TABLE)
    assert_array_equal(again.anomaly_score(TABLE), before)
    assert_array_equal(model.anomaly_score(TABLE), before)
    assert all(parameter.requires_grad for parameter in network.parameters())
    assert (model.refit(TABLE, LABELS).anomaly_score(TABLE) != before).all()


# ------------------------------------------------------------------------------- codes


@settings()
def test_codes_have_one_line_a_row(name):
    detector, X, given = CASES[name]
    one, two = (
        clone(detector).set_params(n_members=n, random_state=0).fit(X, **given).embed(X)
        for n in (1, 2)
    )
    assert one.shape[0] == two.shape[0] == len(X)
    assert two.shape[1] == 2 * one.shape[1]
    assert_allclose(two[:, : one.shape[1]], one, rtol=1e-3, atol=5e-3)


def test_codes_by_default_are_the_scaled_rows():
    detector = wc.GOAD(n_transforms=5, **SHORT).fit(TABLE)
    assert_allclose(detector.embed(TABLE[:7]), detector._tensor(TABLE[:7]))
    with pytest.raises(DataError, match="X has 5 features"):
        detector.embed(TABLE[:, :5])


# ----------------------------------------------------------------------------- members


@pytest.fixture
def double(monkeypatch):
    """Train in double precision: steps along gradients carry rounding on and on."""
    single = DeepDetector._tensor
    monkeypatch.setattr(DeepDetector, "_tensor", lambda *rows: single(*rows).double())
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


@settings()
def test_stacked_members_equal_members_trained_one_by_one(name, double):
    detector, X, given = CASES[name]
    ensemble = detector.set_params(n_members=5, random_state=3).fit(X, **given)
    together = ensemble._member_scores(X)
    assert together.shape == (5, len(X))
    seeds = device.seeds(3, 5)
    for i, seed in enumerate(seeds):
        alone = train_with_seed(detector, X, given, seed)
        assert_allclose(alone._member_scores(X)[0], together[i], rtol=1e-9)
        assert_allclose(alone.loss_curve_, ensemble.loss_curve_[:, i], rtol=1e-9)
    assert len(np.unique(together[:, 0])) == 5


def train_with_seed(detector, X, given, seed):
    """One member alone, with the seed that it has in the ensemble."""
    one = type(detector)(**{**detector.get_params(), "n_members": 1})
    rows, codes, outliers = one._check_fit(X, given.get("y"), given.get("auxiliary"))
    data = one._training_set(rows, codes, outliers)
    if one.uses_auxiliary:  # members share the outliers that the first one draws
        first = one._first_run([data], device.seeds(3, 1))
        one._begin(first)
        data = replace(data, outliers=first.outliers)
    run = one._first_run([data], [seed])
    one.loss_curve_ = one._learn(run)
    one._conclude(run, rows)
    return one


@settings("autoencoder", "deep sad", "neutral ad")
def test_an_ensemble_scores_the_mean_of_members_in_comparable_units(name):
    detector, X, given = CASES[name]
    ensemble = detector.set_params(n_members=3, random_state=0).fit(X, **given)
    members = ensemble._member_scores(X)
    expected = (members / members.mean(axis=1, keepdims=True)).mean(axis=0)
    assert_allclose(ensemble.anomaly_score(X), expected)
    assert ensemble.member_scale_.shape == (3,)


@settings("autoencoder", "autoencoder, pictures", "deep sad", "neutral ad")
def test_explanations_of_an_ensemble(name):
    detector, X, given = CASES[name]
    ensemble = detector.set_params(n_members=2, random_state=0).fit(X, **given)
    parts = ensemble.explain(X[:5])
    assert parts.shape == (5, *X.shape[-(X.ndim - 1 if X.ndim == 2 else 2) :])
    assert np.isfinite(parts).all()
    if name == "autoencoder":
        assert_allclose(parts.sum(axis=1), ensemble.anomaly_score(X[:5]), rtol=1e-5)


@settings(*[name for name, (_, _, given) in CASES.items() if "auxiliary" not in given])
def test_seeds_fitted_together_equal_single_fits(name):
    detector, X, given = CASES[name]
    detector.set_params(n_members=1)
    tasks = [(X, given.get("y")), (X[::-1], given.get("y")), (X, given.get("y"))]
    fits = fit_seeds(detector, tasks, seeds=[4, 5, 6])
    for fit, seed, (rows, y) in zip(fits, [4, 5, 6], tasks, strict=True):
        alone = type(detector)(**{**detector.get_params(), "random_state": seed})
        alone.fit(rows, y)
        scores = alone.anomaly_score(X)
        assert_allclose(fit.anomaly_score(X), scores, rtol=1e-4, atol=1e-6)
        assert_allclose(fit.loss_curve_, alone.loss_curve_, rtol=1e-4)
        assert fit.threshold_ == pytest.approx(alone.threshold_, rel=5e-3)
        fitted = {key for key in vars(alone) if key.endswith("_")}
        assert fitted == {key for key in vars(fit) if key.endswith("_")}


def test_one_seed_and_no_epochs():
    detector = wc.AutoEncoder(epochs=0)
    assert len(fit_seeds(detector, [(TABLE, None)], [1])) == 1
    curves = [f.loss_curve_ for f in fit_seeds(detector, [(TABLE, None)] * 2, [0, 1])]
    assert [curve.shape for curve in curves] == [(0,), (0,)]


@pytest.mark.parametrize(
    ("tasks", "n_members"), [([TABLE, TABLE[:50]], 1), ([TABLE, TABLE], 2)]
)
def test_what_cannot_be_stacked_is_refused(tasks, n_members):
    with pytest.raises(ParameterError, match="fit them one by one"):
        fit_seeds(
            wc.AutoEncoder(n_members=n_members), [(X, None) for X in tasks], [0, 1]
        )


def test_each_set_draws_from_its_own_outliers():
    sets = [
        TrainingSet(
            torch.zeros(6, 1), torch.full((6,), -1).char(), torch.full((3, 1), 1.0 + i)
        )
        for i in range(4)
    ]
    data = run_of(sets, range(4), batch_size=6)
    (index,) = data.batches(0)
    x, y, _, _, outliers = data.take(index)
    assert x.shape == (4, 12, 1)
    assert_array_equal(x[:, 6:, 0], np.arange(1.0, 5)[:, None].repeat(6, 1))
    assert_array_equal(y, np.full((4, 12), -1))
    assert_array_equal(outliers[0], np.arange(12) >= 6)


def test_targets_are_those_of_the_row_and_of_the_member():
    x, y = torch.arange(6.0)[:, None], torch.full((6,), -1).char()
    shared = [TrainingSet(x, y)] * 2
    distinct = [TrainingSet(x, y), TrainingSet(x, y)]
    for sets in (shared, distinct):
        data = run_of(sets, [0, 1])
        data.targets = torch.stack([x + 10, x + 20])
        for index in data.batches(0):
            step = data.take(index)
            more = (step.targets - step.x)[..., 0]
            assert_array_equal(more, np.full_like(more, [[10.0], [20.0]]))
    alone = run_of([TrainingSet(x, y)], [0])
    alone.targets = x + 10
    for index in alone.batches(0):
        step = alone.take(index)
        assert_array_equal(step.targets - step.x, np.full((len(index), 1), 10.0))


def test_outliers_have_no_targets():
    x, y = torch.arange(6.0)[:, None], torch.full((6,), -1).char()
    for seeds in ([0], [0, 1]):
        data = run_of([TrainingSet(x, y, x - 9)] * len(seeds), seeds)
        data.targets = x + 10 if len(seeds) == 1 else torch.stack([x + 10] * 2)
        for index in data.batches(0):
            step, n = data.take(index), index.shape[-1]
            assert step.targets.shape == step.x.shape
            assert step.outliers[..., n:].all()
            own = (step.targets - step.x)[..., :n, :]
            assert_array_equal(own, np.full_like(own, 10))
            assert not step.targets[..., n:, :].any()


class WithTargets(wc.HSC):
    """Rows are to be where they are, in the first of the codes."""

    def _begin(self, run):
        assert run.rows.ndim == 1
        run.targets = run.x[:, :1]

    def _losses(self, net, batch):
        distance = (net(batch.x)[..., :1] - batch.targets).square().sum(-1)
        return super()._losses(net, batch)._replace(normal=distance)


@pytest.mark.parametrize("given", [{}, {"auxiliary": OUTLIERS}])
def test_outlier_exposure_over_a_method_with_targets(given):
    """It ended in a NotImplementedError."""
    model = wc.Exposure(WithTargets(**SHORT, random_state=0)).fit(TABLE, **given)
    assert np.isfinite(model.anomaly_score(TABLE)).all()


# ---------------------------------------------------------------------------- training


def stages_of(detector, X, **given):
    heard = []
    with train.on_log(lambda epoch, record: heard.append(record)):
        detector.fit(X, **given)
    return [(record["stage"], record["epoch"]) for record in heard]


def test_milestones_count_the_epochs_of_all_stages(monkeypatch):
    schedules = []
    plain = train.train

    def spy(parameters, step, batches, schedule, **names):
        schedules.append(schedule)
        return plain(parameters, step, batches, schedule, **names)

    monkeypatch.setattr(train, "train", spy)
    detector = wc.DeepSVDD(
        "soft-boundary", pretrain=False, warm_up_epochs=3, epochs=8, milestones=(2, 5)
    )
    detector.fit(TABLE)
    rates = [s.lr_at(e) / 1e-3 for s in schedules for e in range(s.epochs)]
    assert rates == pytest.approx([1, 1, 0.1, 0.1, 0.1, 0.01, 0.01, 0.01])


@pytest.mark.parametrize("n_members", [1, 2])
@pytest.mark.parametrize("warm", [0, 2, 9])
def test_a_stage_without_epochs(n_members, warm):
    detector = wc.DeepSVDD(
        "soft-boundary",
        warm_up_epochs=warm,
        pretrain=False,
        n_members=n_members,
        **SHORT,
    )
    stages = stages_of(detector, TABLE)
    assert len(stages) == 3
    assert sum(stage == "warm-up" for stage, _ in stages) == min(warm, 3)
    assert len(detector.loss_curve_) == 3


@settings()
@pytest.mark.parametrize("n", [2, 5, 33])
def test_fewer_rows_than_a_batch_and_a_last_batch_of_one(name, n):
    detector, X, given = CASES[name]
    detector.set_params(n_members=1, random_state=0)
    rows = np.resize(X, (n, *X.shape[1:]))  # repeats rows where there are too few
    y = {"y": np.resize(given["y"][5:], n)} if "y" in given else {}
    detector.fit(rows, **{**given, **y})
    assert np.isfinite(detector.anomaly_score(rows)).all()
    assert np.isfinite(detector.loss_curve_).all()


def test_batches_of_one_row():
    plain = wc.AutoEncoder(batch_norm=False, batch_size=1, random_state=0)
    fitted = clone(plain).set_params(epochs=2).fit(TABLE)
    untrained = plain.set_params(epochs=0).fit(TABLE)
    assert not np.allclose(fitted.anomaly_score(TABLE), untrained.anomaly_score(TABLE))
    wc.DeepSVDD(batch_norm=False, pretrain=False, epochs=2, batch_size=1).fit(TABLE)
    with pytest.warns(UserWarning, match="or equal rows"):
        wc.DeepSVDD(batch_norm=False, pretrain=False, epochs=2).fit(TABLE[:1])


@pytest.mark.parametrize(("n", "batch_size"), [(1, 32), (70, 1)])
def test_one_row_has_no_batch_statistics(n, batch_size):
    with pytest.raises(DataError, match=f"n_samples = {n}, batch_size={batch_size}"):
        wc.DeepSVDD(epochs=1, batch_size=batch_size).fit(TABLE[:n])


def test_divergence_names_method_epoch_and_remedy():
    with pytest.raises(TrainingError, match=r"AutoEncoder: .* lower lr") as caught:
        wc.AutoEncoder(epochs=5, lr=1e30).fit(TABLE)
    assert "epoch" in str(caught.value)
    # Diverged in the very last step, so that no loss tells.
    with pytest.raises(TrainingError, match="70 of 70 training rows have no finite"):
        wc.AutoEncoder(epochs=1, batch_size=70, lr=1e30).fit(TABLE)


def test_training_lowers_the_loss_that_it_reports():
    curve = wc.AutoEncoder(epochs=30, lr=0.01, random_state=0).fit(TABLE).loss_curve_
    assert curve.shape == (30,)
    assert curve[-1] < 0.5 * curve[0]


@settings()
def test_fits_repeat_to_the_bit_and_differ_with_the_seed(name):
    detector, X, given = CASES[name]
    detector.set_params(n_members=1)
    first, again, other = (
        detector.set_params(random_state=seed).fit(X, **given).anomaly_score(X)
        for seed in (1, 1, 2)
    )
    assert_array_equal(first, again)
    assert not np.allclose(first, other)


@pytest.mark.parametrize("kind", [np.random.default_rng, np.random.RandomState])
def test_generators_as_random_state(kind):
    fits = [wc.HSC(random_state=kind(5), **SHORT).fit(TABLE) for _ in "ab"]
    scores = [fit.anomaly_score(TABLE) for fit in fits]
    assert_array_equal(*scores)


def test_dropout_repeats_too():
    scores = [
        wc.AutoEncoder(dropout=0.5, random_state=0, **SHORT)
        .fit(TABLE)
        .anomaly_score(TABLE)
        for _ in "ab"
    ]
    assert_array_equal(*scores)


# ------------------------------------------------------------------------------- rules


METHODS = [wc.AutoEncoder, wc.DeepSAD, wc.DeepSVDD, wc.HSC, wc.NeuTraLAD]


@pytest.mark.parametrize("method", METHODS)
def test_methods_declare_their_pair_and_its_shape(method):
    detector = method(random_state=0, **SHORT).fit(TABLE)
    x = detector._tensor(TABLE)
    l_n, l_a, _ = detector._losses(detector.net_, batch(x))
    score = detector._score(detector.net_, x)
    assert l_n.shape == score.shape == (70,)
    assert (l_a is not None) == method.has_l_a
    if l_a is not None:
        assert l_a.shape == (70,)
        assert (l_a >= 0).all()
        # What is more normal is less anomalous.
        order = np.argsort(score.numpy())
        assert np.corrcoef(l_n[order], np.arange(70))[0, 1] > 0
        assert np.corrcoef(l_a[order], np.arange(70))[0, 1] < 0


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("rule", [unlabelled, latent(0.2)])
def test_legal_combinations_of_rule_and_method(method, rule):
    detector = method(random_state=0, **SHORT)
    rows, codes, _ = detector._check_fit(TABLE, None, None)
    stages = [Stage("training", rule, 2)]
    if rule is unlabelled or method.has_l_a:
        detector._fit_stages(rows, codes, None, stages)
        return
    with pytest.raises(ParameterError, match="needs a method with a loss") as caught:
        detector._fit_stages(rows, codes, None, stages)
    assert "\n" not in str(caught.value)


# -------------------------------------------------------------------------- parameters


def signature(method):
    return set(inspect.signature(method).parameters)


# Another value for every parameter, and what has to be set so that it matters.
COMMON = {
    "epochs": 2,
    "batch_size": 16,
    "lr": 0.01,
    "weight_decay": 0.5,
    "milestones": (1,),
    "scaling": "robust",
    "n_members": 2,
    "patience": 1,
    "random_state": 1,
    "contamination": 0.3,
}
NETWORK = {"hidden": (7, 2), "act_fn": "tanh", "bias": True, "batch_norm": False}
RULE = {"hidden": "rule", "n_layers": 2, "compression_factor": 2, "latent_dim": 2}
ALTERNATIVES = {
    wc.AutoEncoder: {
        **COMMON,
        **NETWORK,
        "act_fn": "relu",
        "reg": 1.0,
        "dropout": 0.3,
        "n_layers": (RULE, 3),
        "compression_factor": (RULE, 3),
        "latent_dim": (RULE, 1),
        "network": lambda shape: (nn.Linear(6, 2), nn.Linear(2, 6)),
    },
    wc.DeepSVDD: {
        **COMMON,
        **NETWORK,
        "objective": ({"warm_up_epochs": 1}, "soft-boundary"),
        "nu": ({"objective": "soft-boundary", "warm_up_epochs": 0}, 0.5),
        "warm_up_epochs": ({"objective": "soft-boundary"}, 1),
        "pretrain": True,
        "pretrain_epochs": ({"pretrain": True}, 1),
        "network": own_network,
    },
    wc.DeepSAD: {
        **COMMON,
        **NETWORK,
        "eta": 5.0,
        "epsilon": ({"clip_norm": None}, 1.0),
        "clip_norm": 0.01,
        "pretrain": True,
        "pretrain_epochs": ({"pretrain": True}, 1),
        "slope": 0.3,
        "start": "glorot",
        "decoder_output": ({"pretrain": True, "scaling": "minmax"}, "sigmoid"),
        "pretrain_weight_decay": ({"pretrain": True, "pretrain_epochs": 2}, 0.5),
        "pretrain_lr": ({"pretrain": True, "pretrain_epochs": 2}, 0.02),
        "pretrain_milestones": ({"pretrain": True, "pretrain_epochs": 2}, (1,)),
        "pretrain_batch_size": ({"pretrain": True, "pretrain_epochs": 2}, 9),
        "network": own_network,
    },
    wc.HSC: {
        **COMMON,
        **NETWORK,
        "bias": False,
        "norm": "l2",
        "synthetic": "permuted",
        "outlier_ratio": 0.3,
        "outlier_weight": 3.0,
        "rep_dim": ({"network": "toy"}, 5),
        "network": own_network,
    },
    wc.NeuTraLAD: {
        **COMMON,
        **NETWORK,
        "batch_norm": True,
        "n_transforms": 3,
        "trans_type": "mul",
        "temperature": 1.0,
        "trans_hidden": 5,
        "trans_layers": 3,
        "trans_batch_norm": True,
        "constant": 1.0,
        "lr_factor": ({"milestones": (1,)}, 0.5),
    },
}
# Where to compute says nothing about what comes out; two are for pictures, and
# refused here (tests/deep/test_exposed.py).
WITHOUT_EFFECT = {"device", "augment", "normalise"}


@pytest.mark.parametrize(
    ("method", "parameter"),
    [
        (method, name)
        for method, table in ALTERNATIVES.items()
        for name in table
        if name in signature(method)
    ],
)
def test_every_parameter_has_an_effect(method, parameter):
    value = ALTERNATIVES[method][parameter]
    needed, other = (
        value
        if isinstance(value, tuple) and isinstance(value[0], dict)
        else ({}, value)
    )
    base = {"random_state": 0, **SHORT}
    if "pretrain" in signature(method):
        base |= {"pretrain": False, "pretrain_epochs": 2}
    base |= needed
    assert method(**base).get_params()[parameter] != other
    results = []
    for settings_ in (base, {**base, parameter: other}):
        detector = method(**settings_).fit(TABLE, LABELS)
        results.append(np.r_[detector.anomaly_score(TABLE), detector.threshold_])
    assert not np.allclose(*results, rtol=1e-6, atol=0)


@pytest.mark.parametrize("method", ALTERNATIVES)
def test_no_parameter_is_forgotten(method):
    names = set(ALTERNATIVES[method]) & signature(method)
    assert names == signature(method) - WITHOUT_EFFECT


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("value", [(), (0,), (3, -1), ("a",), (2.5,)])
def test_widths_are_whole_and_positive(method, value):
    with pytest.raises(ParameterError, match=r"hidden=.*positive whole numbers"):
        method().set_params(hidden=value).fit(TABLE)


def test_what_is_no_parameter_is_not_checked():
    class Other(wc.DSEBM):
        hidden = (0, "a")

    assert Other(epochs=1, device="cpu").fit(TABLE)


@pytest.mark.parametrize("value", [("a",), (0,), (1.5,)])
def test_milestones_are_whole_and_positive(value):
    with pytest.raises(ParameterError, match=r"milestones=.*positive whole numbers"):
        wc.DeepSAD().set_params(milestones=value).fit(TABLE)
    assert wc.DeepSAD(milestones=[], epochs=1, pretrain_epochs=1).fit(TABLE)


@pytest.mark.parametrize(
    "method", [method for method in METHODS if "network" in signature(method)]
)
def test_networks_for_pictures_are_not_for_tables(method):
    with pytest.raises(ParameterError, match="'lenet_mnist' is not for tables"):
        method(network="lenet_mnist").fit(TABLE)


@pytest.mark.parametrize(
    ("method", "preset"),
    [(method, name) for method in METHODS for name in method.presets],
)
def test_presets_run(method, preset):
    small = {"epochs": 1, "random_state": 0}
    if "pretrain_epochs" in signature(method):
        small["pretrain_epochs"] = 1
    X = np.random.default_rng(0).normal(size=(40, 30))
    detector = method.preset(preset, **small).fit(X)
    assert np.isfinite(detector.anomaly_score(X)).all()
    assert method.preset(preset).epochs > 1


def test_pictures_as_bytes_and_as_fractions_are_the_same():
    detector = wc.DeepSVDD(pretrain=False, random_state=0, **SHORT).fit(PICTURES)
    fractions = (PICTURES / 255).astype(np.float32)
    assert_allclose(
        detector.anomaly_score(fractions), detector.anomaly_score(PICTURES), rtol=1e-5
    )
    assert_allclose(detector.explain(fractions), detector.explain(PICTURES), rtol=1e-3)


# ------------------------------------------------------------------ refits that fail


def refitted(**settings):
    """A fitted Deep SAD, and everything that it has learnt."""
    rows = np.random.default_rng(0).normal(size=(200, 5))
    model = wc.DeepSAD(**SHORT, pretrain=False, random_state=0, **settings).fit(rows)
    return model, rows, model.anomaly_score(rows)


def test_a_refit_that_diverges_leaves_the_model_as_it_was():
    model, rows, before = refitted(clip_norm=None)
    curve = model.loss_curve_
    model.set_params(lr=1e30)
    with pytest.raises(TrainingError):
        model.refit(rows)
    assert_array_equal(model.anomaly_score(rows), before)
    assert model.loss_curve_ is curve
    assert not model.net_.training
    assert not any(p.requires_grad for p in model.net_.parameters())


def test_an_interrupted_refit_leaves_the_model_as_it_was(monkeypatch):
    model, rows, before = refitted()
    kept = dict(vars(model))

    def interrupted(self, X, codes, scores=None):
        raise KeyboardInterrupt

    monkeypatch.setattr(wc.DeepSAD, "_set_threshold", interrupted)
    with pytest.raises(KeyboardInterrupt):
        model.refit(rows)
    assert vars(model) == kept
    assert_array_equal(model.anomaly_score(rows), before)


def test_a_refit_takes_over_all_that_it_learnt(monkeypatch):
    model, rows, before = refitted()

    def end(self, run):
        self.told_ = run.n

    monkeypatch.setattr(wc.DeepSAD, "_end", end)
    y = np.where(np.arange(200) < 20, 1.0, np.nan)
    model.refit(rows, y)
    assert model.told_ == 200
    assert len(model.loss_curve_) > SHORT["epochs"]
    assert model.epochs == SHORT["epochs"]
    assert not np.array_equal(model.anomaly_score(rows), before)


# ---------------------------------------------------------------------------- dropout


@pytest.mark.parametrize("n_members", [1, 2])
def test_nobody_waits_for_a_training_with_dropout(tmp_path, n_members):
    """A file loaded meanwhile waited for ever, or for the end of the training."""
    rows = np.random.default_rng(0).normal(size=(64, 4))
    wc.AutoEncoder(**SHORT).fit(rows).save(tmp_path / "m.crow")
    loaded = []

    def load(epoch, report):
        assert not device._seeding._is_owned()
        loaded.append(wc.load(tmp_path / "m.crow"))

    settings = {**SHORT, "dropout": 0.2, "random_state": 0, "n_members": n_members}
    with train.on_log(load):
        wc.AutoEncoder(**settings).fit(rows)
    assert loaded


def test_masks_follow_from_the_seed_and_leave_the_global_generator_alone():
    rows = np.random.default_rng(0).normal(size=(64, 4))
    scores = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        before = torch.random.get_rng_state()
        model = wc.AutoEncoder(**SHORT, dropout=0.2, random_state=0)
        scores.append(model.fit_score(rows))
        assert torch.equal(torch.random.get_rng_state(), before)
        assert all(getattr(x, "generator", None) is None for x in model.net_.modules())
    assert_array_equal(*scores)


def test_dropout_of_a_network_from_outside_is_seeded_too():
    rows = np.random.default_rng(0).normal(size=(64, 4))

    def network(shape):
        return nn.Sequential(nn.Linear(4, 8), nn.Dropout(0.5), nn.Linear(8, 2))

    settings = {**SHORT, "pretrain": False, "network": network, "random_state": 0}
    scores = [wc.DeepSVDD(**settings).fit_score(rows) for _ in range(2)]
    assert_array_equal(*scores)


# ------------------------------------------------------- what methods to come will need


class TwoNetworks(DeepDetector):
    """Distance between the codes of a trained network and of one that stays."""

    input_kinds = ("table",)
    codes_: nn.Module = fitted()

    def _build(self, shape):
        return mlp((*shape, 8, 3))

    def _build_codes(self, shape):
        return mlp((*shape, 5, 3))

    def _begin(self, run):
        with device.seeded(run.seeds[0]):
            self.codes_ = self._build_codes(self.input_shape_).requires_grad_(False)

    def _losses(self, net, batch):
        return Losses(self._score(net, batch.x))

    def _score(self, net, x):
        return (net(x) - self.codes_(x)).square().sum(-1)


def test_a_file_holds_several_networks(tmp_path, monkeypatch):
    monkeypatch.setattr(registry, "_REGISTERED", {})
    wc.register(TwoNetworks)
    model = TwoNetworks(epochs=3, random_state=0).fit(TABLE)
    model.save(tmp_path / "m.crow")
    again = wc.load(tmp_path / "m.crow")
    assert_array_equal(again.anomaly_score(TABLE), model.anomaly_score(TABLE))
    assert not again.codes_.training
    assert not any(p.requires_grad for p in again.codes_.parameters())


class BySlope(DeepDetector):
    """An autoencoder whose score is the slope of its error, as ODIN needs it."""

    input_kinds = ("table",)
    explanation = "occlusion"
    _needs_gradient = True

    def _build(self, shape):
        return mlp((*shape, 6, *shape))

    def _error(self, net, x):
        return (net(x) - x).square().sum(-1)

    def _losses(self, net, batch):
        return Losses(self._error(net, batch.x))

    def _score(self, net, x):
        x = x.detach().requires_grad_()
        (slope,) = torch.autograd.grad(self._error(net, x).sum(), x)
        return slope.norm(dim=-1)


@pytest.mark.parametrize("n_members", [1, 3])
def test_a_score_may_follow_from_gradients(n_members):
    model = BySlope(epochs=3, n_members=n_members, random_state=0).fit(TABLE)
    scores = model.anomaly_score(TABLE)
    assert np.isfinite(scores).all()
    assert (scores > 0).all()
    assert model.explain(TABLE[:4]).shape == (4, TABLE.shape[1])


class TwoLosses(DeepDetector):
    """Rows without a label cost what neither sort does; a stage with other losses."""

    uses_labels = True
    has_l_a = True
    input_kinds = ("table",)

    def _build(self, shape):
        return mlp((*shape, 4))

    def _begin(self, run):
        run.plan(
            Stage("small", unlabelled, 1, losses=self._small),
            Stage("training", exposure, 2),
        )

    def _small(self, net, batch):
        return Losses(0.0 * self._score(net, batch.x))

    def _losses(self, net, batch):
        score = self._score(net, batch.x)
        return Losses(score, score + 100, score + 1000)

    def _score(self, net, x):
        return net(x).square().sum(-1)


def test_unlabelled_rows_may_cost_something_of_their_own():
    y = np.where(np.arange(70) < 35, 0.0, np.nan)
    curve = TwoLosses(batch_size=70, lr=1e-9, random_state=0).fit(TABLE, y).loss_curve_
    assert curve[0] == 0
    blind = TwoLosses(batch_size=70, lr=1e-9, random_state=0).fit(TABLE).loss_curve_
    assert blind[1] - curve[1] == pytest.approx(500, abs=1)
    assert curve[1] > 500


def normalised_dropout(shape):
    drop = nn.Dropout(0.5), nn.BatchNorm1d(8, affine=False)
    return nn.Sequential(nn.Linear(4, 8), *drop, nn.Linear(8, 2))


def test_dropout_before_the_training_is_seeded_too():
    """Statistics of batches, and so scores, depended on the global generator."""
    rows = np.random.default_rng(0).normal(size=(64, 4))
    settings = {**SHORT, "pretrain": False, "random_state": 0}
    scores = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        before = torch.random.get_rng_state()
        model = wc.DeepSVDD(**settings, network=normalised_dropout)
        scores.append(model.fit_score(rows))
        assert torch.equal(torch.random.get_rng_state(), before)
    assert_array_equal(*scores)


def test_a_network_may_be_built_before_a_training_with_dropout():
    """One thread takes the lock of the global generator twice."""
    with device.seeded(0), device.seeded(1):
        inner = torch.rand(3)
    with device.seeded(1):
        assert_array_equal(inner, torch.rand(3))
    with pytest.raises(ParameterError, match="pretraining needs a decoder"):
        wc.DeepSVDD(pretrain=True, **SHORT, network=normalised_dropout).fit(
            TABLE[:, :4]
        )
