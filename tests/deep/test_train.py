import logging

import numpy as np
import pytest
import torch

from whitecrow.deep.train import Batches, Schedule, on_log, train
from whitecrow.errors import TrainingError


def epoch_of(n, batch_size, seeds=(0,), members=0):
    rows = torch.arange(n)
    if members:
        rows = rows.expand(members, n)
    return list(Batches(rows, batch_size, list(seeds)))


@pytest.mark.parametrize(
    ("n", "batch_size", "sizes"),
    [
        (10, 4, [4, 4, 2]),
        (9, 4, [4, 4]),  # a last batch of one row has no batch statistics
        (3, 8, [3]),
        (1, 8, [1]),
        (3, 1, [1, 1, 1]),
        (8, 4, [4, 4]),
    ],
)
def test_sizes_of_batches(n, batch_size, sizes):
    batches = epoch_of(n, batch_size)
    assert [len(batch) for batch in batches] == sizes
    rows = torch.cat(batches).tolist()
    assert len(set(rows)) == len(rows) == sum(sizes)


def test_every_epoch_has_an_order_of_its_own_that_the_seed_repeats():
    batches, again = (Batches(torch.arange(50), 50, [3]) for _ in "ab")
    first, second = (next(iter(batches)) for _ in "ab")
    assert not torch.equal(first, second)
    assert torch.equal(next(iter(again)), first)
    assert not torch.equal(next(iter(Batches(torch.arange(50), 50, [4]))), first)


def test_a_member_has_the_same_batches_alone_and_in_a_stack():
    together = epoch_of(10, 4, seeds=[5, 6, 7], members=3)
    for member, seed in enumerate([5, 6, 7]):
        alone = epoch_of(10, 4, seeds=[seed])
        assert all(torch.equal(t[member], a) for t, a in zip(together, alone, strict=1))


@pytest.mark.parametrize(
    ("milestones", "epochs", "rates"),
    [
        # specs/deep_sad.md G16: 50 epochs at lr and 100 at lr / 10
        ((50,), (0, 49, 50, 149), (1e-3, 1e-3, 1e-4, 1e-4)),
        # specs/outlier_exposure.md 8, "Schedule"
        (
            (100, 150),
            (99, 100, 149, 150, 199),
            (1e-3, 1e-4, 1e-4, 1e-5, 1e-5),
        ),
        ((), (0, 1000), (1e-3, 1e-3)),
        ((-3, 2), (0, 1, 2), (1e-4, 1e-4, 1e-5)),
    ],
)
def test_golden_schedules(milestones, epochs, rates):
    schedule = Schedule(epochs=200, lr=1e-3, milestones=milestones)
    assert [schedule.lr_at(e) for e in epochs] == pytest.approx(list(rates))


def steps_of(schedule):
    """Sizes of the steps that training takes down a constant slope."""
    w = torch.zeros(1, requires_grad=True)
    path = []

    def step(batch):
        path.append(w.item())
        return w.sum()

    train([w], step, [torch.arange(4)], schedule, method="slope")
    return -np.diff([*path, w.item()])


def test_the_milestones_are_those_of_the_schedule():
    """Adam's step on a constant slope is the learning rate."""
    taken = steps_of(Schedule(epochs=6, lr=0.1, milestones=(2, 4)))
    assert taken == pytest.approx([0.1, 0.1, 0.01, 0.01, 1e-3, 1e-3], rel=1e-4)


def test_adam_is_that_of_torch():
    target = torch.tensor([1.0, -2.0, 3.0])
    ours, theirs = (torch.zeros(3, requires_grad=True) for _ in "ab")
    schedule = Schedule(epochs=5, lr=0.1, weight_decay=0.3, betas=(0.5, 0.9))
    train(
        [ours],
        lambda rows: (ours - target).square().sum(),
        [torch.arange(2)],
        schedule,
        method="quadratic",
    )
    adam = torch.optim.Adam([theirs], lr=0.1, weight_decay=0.3, betas=(0.5, 0.9))
    for _ in range(5):
        adam.zero_grad()
        (theirs - target).square().sum().backward()
        adam.step()
    torch.testing.assert_close(ours, theirs)


def test_the_curve_is_the_mean_over_rows_not_over_batches():
    w = torch.zeros(1, requires_grad=True)
    batches = [torch.arange(6), torch.arange(2)]
    step = lambda batch: 0 * w.sum() + len(batch)  # noqa: E731
    curve = train([w], step, batches, Schedule(epochs=2, lr=1.0), method="rows")
    assert curve.tolist() == [5.0, 5.0]  # (6 * 6 + 2 * 2) / 8


def test_curve_of_members():
    w = torch.zeros(3, 2, requires_grad=True)
    curve = train(
        [w],
        lambda batch: (w - torch.arange(3.0)[:, None]).square().sum(-1),
        [torch.zeros(3, 4, dtype=torch.long)],
        Schedule(epochs=2, lr=1e-9),
        method="members",
    )
    assert curve.shape == (2, 3)
    assert curve[0].tolist() == [0.0, 2.0, 8.0]


@pytest.mark.parametrize("members", [0, 1, 3])
def test_clipping_limits_the_gradient_of_each_member_by_itself(members):
    # The gradient of member k has norm 2 (k + 1); the limit is 3.
    slopes = torch.arange(1.0, members + 1).view(-1, 1, 1) if members else 2.0
    w = torch.zeros((members, 2, 2) if members else (2, 2), requires_grad=True)

    def step(batch):
        return (slopes * w).sum((-2, -1))

    schedule = Schedule(epochs=1, lr=1.0, clip_norm=3.0)
    train([w], step, [torch.arange(4)], schedule, method="clip")
    norms = w.grad.flatten(-2).norm(dim=-1).reshape(-1)
    expected = [2.0, 3.0, 3.0][:members] if members else [3.0]
    torch.testing.assert_close(norms, torch.tensor(expected), rtol=1e-5, atol=0)


def test_a_loss_that_is_not_finite_stops_with_all_that_helps():
    w = torch.ones(1, requires_grad=True)
    losses = iter([1.0, 1.0, float("nan"), 1.0])
    with pytest.raises(TrainingError) as caught:
        train(
            [w],
            lambda batch: w.sum() * next(losses),
            [torch.arange(4)],
            Schedule(epochs=4, lr=0.25),
            method="DeepSAD",
            stage="pretraining",
        )
    message = str(caught.value)
    for part in ("DeepSAD", "epoch 3 of 4", "pretraining", "lower lr than 0.25"):
        assert part in message
    assert "\n" not in message


def test_one_broken_member_stops_all():
    w = torch.ones(2, 1, requires_grad=True)
    bad = torch.tensor([1.0, float("inf")])
    with pytest.raises(TrainingError, match="epoch 1"):
        train(
            [w],
            lambda batch: w.sum(-1) * bad,
            [torch.zeros(2, 4)],
            Schedule(epochs=2, lr=0.1),
            method="members",
        )


def test_no_epochs_give_an_empty_curve():
    w = torch.ones(1, requires_grad=True)
    schedule = Schedule(epochs=0, lr=0.1)
    assert len(train([w], lambda b: w.sum(), [], schedule, method="none")) == 0
    assert w.item() == 1


def run_logged():
    w = torch.ones(1, requires_grad=True)
    return train(
        [w],
        lambda batch: w.square().sum(),
        [torch.arange(4)],
        Schedule(epochs=3, lr=0.1),
        method="m",
        stage="s",
    )


def test_on_log_hears_every_epoch_inside_the_block_only():
    heard = []
    with on_log(lambda epoch, record: heard.append((epoch, record))):
        curve = run_logged()
    run_logged()
    assert [epoch for epoch, _ in heard] == [1, 2, 3]
    assert heard[1][1] == {
        "method": "m",
        "stage": "s",
        "epoch": 2,
        "epochs": 3,
        "loss": curve[1],
    }


def test_on_log_is_undone_after_an_error_in_the_callback():
    def stop(epoch, record):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), on_log(stop):
        run_logged()
    assert np.isfinite(run_logged()).all()


def test_epochs_are_logged(caplog):
    with caplog.at_level(logging.DEBUG, logger="whitecrow.deep.train"):
        run_logged()
    assert [record.message.split(",")[0] for record in caplog.records] == ["m"] * 3
