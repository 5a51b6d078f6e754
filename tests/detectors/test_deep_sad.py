import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from sklearn.metrics import roc_auc_score
from torch import nn

from runs import batch
from whitecrow import DeepSAD
from whitecrow.deep import hypersphere, train
from whitecrow.deep.nets.mlp import Linear
from whitecrow.supervision import semi

RNG = np.random.default_rng(0)
TABLE = RNG.normal(size=(200, 5))
Y = np.full(200, np.nan)
Y[:10], Y[10:30] = 1, 0
FAST = {"epochs": 5, "pretrain_epochs": 3, "device": "cpu", "random_state": 0}


class At(torch.nn.Module):
    """Codes relative to the centre (1, 1) of specs/deep_sad.md G1."""

    def forward(self, x):
        return x - 1.0


CODES = torch.tensor([[1, 2], [0.5, 0.5], [2, 1], [1.1, 1]], dtype=torch.float64)
CODES_Y = torch.tensor([-1, 0, 1, 1], dtype=torch.int8)


@pytest.mark.parametrize(
    ("eta", "mean"), [(1.0, 25.6225002500), (2.0, 50.9950005000), (0.1, 2.7872500250)]
)
def test_golden_loss(eta, mean):
    l_n, l_a, _ = DeepSAD()._losses(At(), batch(CODES))
    assert l_n.tolist() == pytest.approx([1, 0.5, 1, 0.01])
    assert l_a[2:].tolist() == pytest.approx([0.999999000001, 99.9900009999])
    loss = semi(eta)(l_n=l_n, l_a=l_a, y=CODES_Y)
    # NOTE[DIFF]: without the constant eta epsilon of the known normal row
    assert loss.item() == pytest.approx(mean - eta * 1e-6 / 4, abs=1e-9)


def test_golden_gradient():
    x = CODES.clone().requires_grad_()
    l_n, l_a, _ = DeepSAD()._losses(At(), batch(x))
    semi(1.0)(l_n=l_n, l_a=l_a, y=CODES_Y).backward()
    assert x.grad[2].tolist() == pytest.approx([-0.499999, 0.0], abs=1e-6)


def test_golden_largest_gradient_is_why_it_is_clipped():
    """specs/deep_sad.md G17: at d = epsilon / 3 it is 6.4952e8."""
    distance = (1e-6 / 3) ** 0.5
    x = torch.tensor([[1 + distance, 1.0]], dtype=torch.float64, requires_grad=True)
    DeepSAD()._losses(At(), batch(x)).anomalous.sum().backward()
    assert x.grad.norm().item() == pytest.approx(6.4952e8, rel=1e-4)
    assert DeepSAD().clip_norm is not None


def spied_schedules(monkeypatch, detector):
    """`(stage, learning rate of every epoch)` of a fit."""
    seen, plain = [], train.train

    def spy(parameters, step, batches, schedule, *, method, stage, watch=None):
        seen.append((stage, [schedule.lr_at(e) for e in range(schedule.epochs)]))
        short = train.Schedule(epochs=1, lr=schedule.lr)
        return plain(parameters, step, batches, short, method=method, stage=stage)

    monkeypatch.setattr(train, "train", spy)
    detector.fit(TABLE[:40], Y[:40])
    return dict(seen)


def test_golden_schedule_of_the_paper(monkeypatch):
    """specs/deep_sad.md G16, paper mode: 50 epochs at 1e-4 and 100 at 1e-5."""
    rates = spied_schedules(monkeypatch, DeepSAD.preset("paper", device="cpu"))
    assert rates["training"] == pytest.approx([1e-4] * 50 + [1e-5] * 100)
    assert rates["pretraining"] == rates["training"]


def test_pretraining_has_a_schedule_and_batches_of_its_own(monkeypatch):
    sizes, plain = {}, train.train

    def spy(parameters, step, batches, schedule, *, method, stage, watch=None):
        sizes[stage] = {index.shape[-1] for index in batches}, schedule.lr
        return plain(parameters, step, batches, schedule, method=method, stage=stage)

    monkeypatch.setattr(train, "train", spy)
    own = {"pretrain_lr": 0.02, "pretrain_batch_size": 10}
    DeepSAD(batch_size=20, **own, **FAST).fit(TABLE[:40], Y[:40])
    assert sizes["pretraining"] == ({10}, 0.02)
    assert sizes["training"] == ({20}, 1e-3)


def test_training_starts_where_pretraining_ends(monkeypatch):
    """In the released code no pretrained weight arrives."""
    states, plain = {}, train.train

    def spy(parameters, *args, stage, **names):
        encoder = current["net"].encoder.state_dict()
        states[f"{stage} begins"] = {k: v.clone() for k, v in encoder.items()}
        curve = plain(parameters, *args, stage=stage, **names)
        encoder = current["net"].encoder.state_dict()
        states[f"{stage} ends"] = {k: v.clone() for k, v in encoder.items()}
        return curve

    current = {}
    detector = DeepSAD(**FAST)
    build = detector._first_weights
    monkeypatch.setattr(train, "train", spy)
    monkeypatch.setattr(
        detector,
        "_first_weights",
        lambda seeds: current.setdefault("net", build(seeds)),
    )
    detector.fit(TABLE, Y)
    assert current["net"] is detector.net_
    first, last = states["pretraining begins"], states["pretraining ends"]
    start, end = states["training begins"], states["training ends"]
    for name in first:
        assert not torch.equal(first[name], last[name]), name
        assert torch.equal(last[name], start[name]), name
    assert any(not torch.equal(start[name], end[name]) for name in start)


@pytest.mark.parametrize("pretrain", [False, True])
def test_labelled_anomalies_do_not_move_the_centre(pretrain):
    centres = []
    for shift in (0.0, 30.0):
        X = TABLE.copy()
        X[:10] += shift
        settings = {"scaling": "none", "batch_norm": False, **FAST}
        detector = DeepSAD(pretrain=pretrain, **settings).fit(X + 3, Y)
        centres.append(detector.net_.centre)
    assert torch.equal(*centres)
    unlabelled = DeepSAD(pretrain=pretrain, **settings).fit(X + 3)
    assert not torch.equal(unlabelled.net_.centre, centres[0])


def test_without_labels_eta_has_no_effect():
    scores = [
        DeepSAD(eta, **FAST).fit(TABLE).anomaly_score(TABLE) for eta in (1.0, 7.0)
    ]
    assert_allclose(*scores, rtol=0)


def test_labels_move_scores_in_their_direction():
    blind = DeepSAD(**{**FAST, "epochs": 30}).fit(TABLE).anomaly_score(TABLE)
    told = DeepSAD(**{**FAST, "epochs": 30}).fit(TABLE, Y).anomaly_score(TABLE)
    # Ranks of rows drawn from one distribution, of which some are called anomalies.
    odd = np.arange(200) < 10
    assert roc_auc_score(odd, told) > 0.9 > roc_auc_score(odd, blind)


def test_every_convention_of_labels_is_the_same():
    given = [
        Y,
        [None if np.isnan(y) else bool(y) for y in Y],
        np.array(["", "normal", "anomaly"])[np.nan_to_num(Y + 1).astype(int)],
    ]
    scores = [DeepSAD(**FAST).fit(TABLE, y).anomaly_score(TABLE) for y in given]
    assert_allclose(scores[1], scores[0], rtol=0)
    assert_allclose(scores[2], scores[0], rtol=0)


def test_all_rows_labelled():
    y = np.r_[np.ones(90), np.zeros(110)]
    detector = DeepSAD(**FAST).fit(TABLE, y)
    assert "F1" in detector.threshold_source_
    assert np.isfinite(detector.anomaly_score(TABLE)).all()


def test_presets_carry_published_settings():
    paper, code = DeepSAD.preset("paper"), DeepSAD.preset("reference")
    assert (paper.batch_size, code.batch_size) == (200, 128)
    assert (paper.weight_decay, code.weight_decay) == (1e-6, 0.5e-6)
    assert paper.eta == code.eta == 1.0
    assert paper.clip_norm is None
    assert (paper.slope, code.slope) == (0.1, 0.01)


def layers_of(monkeypatch, model, rows):
    """Fit, and return the encoder and the decoder of its pretraining."""
    decoders = []

    def spy(*args, **options):
        decoders.append(build_decoder(*args, **options))
        return decoders[-1]

    build_decoder = hypersphere._decoder
    monkeypatch.setattr(hypersphere, "_decoder", spy)
    model.set_params(epochs=0, pretrain_epochs=0, device="cpu", random_state=0)
    return model.fit(rows).net_.encoder, decoders[0]


def test_the_paper_starts_with_glorot_and_ends_linear(monkeypatch):
    encoder, decoder = layers_of(monkeypatch, DeepSAD.preset("paper"), TABLE)
    for net in (encoder, decoder):
        slopes = {m.negative_slope for m in net if isinstance(m, nn.LeakyReLU)}
        assert slopes == {0.1}
        for layer in (m for m in net if isinstance(m, Linear)):
            bound = (6 / sum(layer.weight.shape)) ** 0.5
            largest = float(layer.weight.detach().abs().max())
            assert 0.7 * bound < largest <= bound
    assert isinstance(decoder[-1], Linear)


def test_the_code_starts_as_torch_does_and_ends_in_a_sigmoid(monkeypatch):
    encoder, decoder = layers_of(monkeypatch, DeepSAD.preset("reference"), TABLE)
    assert isinstance(decoder[-1], nn.Sigmoid)
    first = encoder[0].weight.detach()
    assert float(first.abs().max()) <= first.shape[0] ** -0.5


def test_the_networks_of_paper_and_code_for_fashion_mnist(monkeypatch):
    """specs/deep_sad.md 4 and 7.4: dense layers of 64 and 32, and of 128 and 64."""
    rows = RNG.integers(0, 256, (6, 1, 28, 28), dtype=np.uint8)
    sizes = []
    for name in ("lenet_fmnist_64_32", "lenet_fmnist"):
        model = DeepSAD.preset("paper", network=name)
        encoder, decoder = layers_of(monkeypatch, model, rows)
        sizes.append(sum(p.numel() for p in encoder.parameters()))
        slopes = {
            m.negative_slope
            for m in [*encoder, *decoder]
            if isinstance(m, nn.LeakyReLU)
        }
        assert slopes == {0.1}
        assert decoder(encoder(torch.zeros(2, 1, 28, 28))).shape == (2, 1, 28, 28)
        monkeypatch.undo()
    assert sizes == [400 + 12_800 + 1568 * 64 + 64 * 32, 222_096]
