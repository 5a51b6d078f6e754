import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from jaxtyping import TypeCheckError

from whitecrow import supervision
from whitecrow.errors import ParameterError
from whitecrow.supervision import (
    exposure,
    labelled,
    latent,
    one_class,
    refine,
    semi,
    soel,
    supervised,
    truncated,
    unlabelled,
)

few = settings(max_examples=30)


def pair(l_n, l_a, y=None):
    l_n, l_a = (torch.tensor(loss, dtype=torch.float64) for loss in (l_n, l_a))
    codes = torch.full(l_n.shape, -1) if y is None else torch.tensor(y)
    return {"l_n": l_n, "l_a": l_a, "y": codes.to(torch.int8)}


# specs/active_soel.md 14.8
BATCH = {"l_n": [0.2, 0.5, 0.1, 0.9, 0.4], "l_a": [1.2, 0.8, 1.5, 0.3, 0.9]}


@pytest.mark.parametrize(
    ("rule", "loss"),
    [
        (latent(0.4, soft=True), 0.39),
        (latent(0.4, soft=False), 0.36),
        (refine(0.4), (0.2 + 0.1 + 0.4) / 3),
        (latent(0.0), np.mean(BATCH["l_n"])),
        (refine(0.0), np.mean(BATCH["l_n"])),
    ],
)
def test_golden_latent_outlier_exposure(rule, loss):
    if isinstance(rule, refine):
        # The spec ranks by l_n - l_a; refinement here has no l_a and ranks by l_n,
        # which takes the same two rows of this batch.
        assert set(np.argsort(BATCH["l_n"])[-2:]) == {1, 3}
    assert rule(**pair(**BATCH)).item() == pytest.approx(loss, abs=1e-12)


def test_the_boundary_row_is_split_so_that_the_quota_is_exact():
    # 1.25 of 5 rows: row 3 wholly, a quarter of row 1 (the reference drops it).
    expected = (0.2 + 0.1 + 0.4 + 0.3 + (0.75 * 0.5 + 0.25 * 0.8)) / 5
    hard = latent(0.25, soft=False)(**pair(**BATCH))
    assert hard.item() == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(
    ("rule", "loss"),
    [
        (soel(0.4), 0.39),
        (soel(0.4, variant="hard"), 0.36),
        (soel(0.4, variant="refine"), (0.2 + 0.1 + 0.4) / 3),
        (one_class(), np.mean(BATCH["l_n"])),
        (truncated(0.4), 0.39),
        # Three rows, then one; row 1 is dropped.
        (truncated(0.25), (0.2 + 0.1 + 0.4 + (0.9 + 0.3) / 2) / 4),
        (labelled(), 0.0),
    ],
)
def test_golden_soel_without_labels(rule, loss):
    assert rule(**pair(**BATCH)).item() == pytest.approx(loss, abs=1e-12)


def test_labelled_rows_weigh_as_much_as_all_others():
    l_n, l_a = [1.0, 2.0, *BATCH["l_n"]], [5.0, 7.0, *BATCH["l_a"]]
    batch = pair(l_n, l_a, [1, 0, -1, -1, -1, -1, -1])
    known = (5 + 2) / 2
    assert soel(0.4, smoothing=0.0)(**batch).item() == pytest.approx(known + 0.39)
    assert truncated(0.4)(**batch).item() == pytest.approx(known + 0.39)
    assert one_class(0.0)(**batch).item() == pytest.approx(
        known + np.mean(BATCH["l_n"])
    )
    assert labelled(0.0)(**batch) == supervised(**batch) == known
    smooth = (0.9 * 5 + 0.1 * 1 + 0.9 * 2 + 0.1 * 7) / 2
    assert labelled(0.1)(**batch).item() == pytest.approx(smooth)


def test_labels_may_be_probabilities():
    batch = pair([1.0, 2.0, 3.0], [5.0, 7.0, 0.0])
    batch["y"] = torch.tensor([0.75, 0.0, -1.0], dtype=torch.float64)
    assert labelled(0.0)(**batch).item() == pytest.approx((0.25 + 0.75 * 5 + 2) / 2)
    assert one_class(0.0)(**batch).item() == pytest.approx(
        (0.25 + 0.75 * 5 + 2) / 2 + 3
    )


@few
@given(n=st.integers(1, 60), ratio=st.floats(0, 0.99))
def test_truncation_counts_like_python(n, ratio):
    """With l_n = 0, l_a = 1 the loss is half the share of rows taken as anomalous."""
    batch = pair([0.0] * n, [1.0] * n)
    odd, normal = int(n * ratio), int(n * (1 - ratio))
    expected = 0.5 * odd / max(odd + normal, 1)
    assert truncated(ratio)(**batch).item() == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("smoothing", [-0.1, 0.5, float("nan")])
def test_smoothing_is_a_share(smoothing):
    with pytest.raises(ParameterError, match=r"smoothing=.*\[0, 0.5\)"):
        labelled(smoothing)


# specs/deep_sad.md 11, G1: c = (1, 1), epsilon = 1e-6
DEEP_SAD = pair(
    [1.0, 0.5, 1.0, 0.01],
    [1 / (d + 1e-6) for d in (1.0, 0.5, 1.0, 0.01)],
    [-1, 0, 1, 1],
)


@pytest.mark.parametrize(
    ("eta", "mean"), [(1.0, 25.6225002500), (2.0, 50.9950005000), (0.1, 2.7872500250)]
)
def test_golden_deep_sad(eta, mean):
    # NOTE[DIFF] of DeepSAD: a known normal row costs eta d, not eta (d + epsilon).
    expected = mean - eta * 1e-6 / 4
    assert semi(eta)(**DEEP_SAD).item() == pytest.approx(expected, abs=1e-9)


def test_golden_deep_sad_with_an_anomaly_on_the_centre():
    d = [1.0, 0.5, 1.0, 0.01, 0.0]
    batch = pair(d, [1 / (x + 1e-6) for x in d], [-1, 0, 1, 1, 1])
    expected = 200020.498000200 - 1e-6 / 5
    assert semi(1.0)(**batch).item() == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("eta", [0.1, 1.0, 7.0])
def test_without_labels_eta_has_no_effect(eta):
    d = [1.0, 0.5, 1.0, 0.01]
    assert semi(eta)(**pair(d, [9.0] * 4)).item() == pytest.approx(0.6275)


def test_exposure_and_supervised():
    batch = pair([1.0, 2.0, 3.0, 4.0], [10.0, 20.0, 30.0, 40.0], [-1, 0, 1, -1])
    assert exposure(**batch).item() == pytest.approx((1 + 2 + 30 + 4) / 4)
    assert supervised(**batch).item() == pytest.approx((2 + 30) / 2)
    batch["y"][:] = -1
    assert supervised(**batch).item() == 0
    assert unlabelled(**batch).item() == 2.5


RULES = {
    "unlabelled": unlabelled,
    "supervised": supervised,
    "exposure": exposure,
    "semi": semi(2.0),
    "refine": refine(0.3),
    "soft": latent(0.3, soft=True),
    "hard": latent(0.3, soft=False),
    "labelled": labelled(),
    "one_class": one_class(),
    "soel": soel(0.3),
    "soel, hard": soel(0.3, variant="hard"),
    "soel, refine": soel(0.3, variant="refine"),
    "truncated": truncated(0.3),
}
NEED_L_A = set(RULES) - {"unlabelled", "refine"}


def test_every_rule_is_tried_here():
    public = {name for name in supervision.__all__ if name != "Rule"}
    assert public - {"latent"} <= set(RULES)


loss = st.floats(0, 100, width=32)


@st.composite
def batches(draw, *, members=0):
    n = draw(st.integers(1, 12))
    shape = (members, n) if members else (n,)
    l_n, l_a = (draw(hnp.arrays(np.float64, shape, elements=loss)) for _ in "na")
    y = draw(hnp.arrays(np.int8, shape, elements=st.sampled_from([-1, 0, 1])))
    return pair(l_n, l_a, y)


def test_an_unknown_variant_is_named():
    with pytest.raises(ParameterError, match=r"variant 'medium'.*'refine'"):
        soel(0.1, variant="medium")


@pytest.mark.parametrize("name", RULES)
@few
@given(batch=batches(), seed=st.integers(0, 99))
def test_the_order_of_rows_does_not_matter(name, batch, seed):
    # Rows with equal rank may swap at the boundary; they then cost different things.
    assume(len(set((batch["l_n"] - batch["l_a"]).tolist())) == len(batch["y"]))
    assume(len(set(batch["l_n"].tolist())) == len(batch["y"]))
    order = np.random.default_rng(seed).permutation(len(batch["y"]))
    moved = {key: value[order] for key, value in batch.items()}
    torch.testing.assert_close(RULES[name](**batch), RULES[name](**moved))


@pytest.mark.parametrize("name", RULES)
@few
@given(batch=batches(members=3))
def test_members_do_not_see_each_other(name, batch):
    together = RULES[name](**batch)
    assert together.shape == (3,)
    for member in range(3):
        alone = RULES[name](**{key: value[member] for key, value in batch.items()})
        torch.testing.assert_close(together[member], alone)


@pytest.mark.parametrize("soft", [True, False])
@few
@given(batch=batches(), ratio=st.floats(0, 0.99))
def test_the_quota_of_anomalies_is_exact(soft, batch, ratio):
    """With l_n = 0 and l_a = 1 (times a rank) the loss counts the anomalous share."""
    y = batch["y"]
    free, known = int((y == -1).sum()), int((y == 1).sum())
    ones = {"l_n": torch.zeros(len(y)), "l_a": torch.ones(len(y)), "y": y}
    per_row = 0.5 if soft else 1.0
    expected = (per_row * ratio * free + known) / len(y)
    result = latent(ratio, soft=soft)(**ones).item()
    assert result == pytest.approx(expected, abs=1e-5)


@few
@given(batch=batches(), ratio=st.floats(0, 0.99))
def test_labelled_rows_keep_their_label(batch, ratio):
    known = batch["y"] >= 0
    assume(bool(known.any()))
    only = {key: value[known] for key, value in batch.items()}
    expected = torch.where(only["y"] == 1, only["l_a"], only["l_n"]).mean()
    torch.testing.assert_close(latent(ratio)(**only), expected)


@few
@given(batch=batches(), ratio=st.floats(0.01, 0.99))
def test_latent_labels_are_the_best_of_their_quota(batch, ratio):
    """No other choice of the same number of rows has a lower loss."""
    free = batch["y"] == -1
    k = int(ratio * int(free.sum()))
    chosen = latent(k / max(int(free.sum()), 1), soft=False)(**batch)
    rng = np.random.default_rng(0)
    for _ in range(5):
        other = batch["y"].clone()
        picked = rng.permutation(np.flatnonzero(free.numpy()))[:k]
        other[torch.as_tensor(picked, dtype=torch.long)] = 1
        assert chosen <= exposure(**{**batch, "y": other}) + 1e-6


@few
@given(batch=batches())
def test_refine_leaves_known_anomalies_out(batch):
    changed = {**batch, "l_n": torch.where(batch["y"] == 1, 1e3, batch["l_n"])}
    torch.testing.assert_close(refine(0.2)(**batch), refine(0.2)(**changed))


def test_guessed_labels_carry_no_gradient_but_losses_do():
    l_n = torch.tensor([1.0, 5.0], requires_grad=True)
    l_a = torch.tensor([2.0, 0.5], requires_grad=True)
    latent(0.5, soft=False)(
        l_n=l_n, l_a=l_a, y=torch.tensor([-1, -1]).char()
    ).backward()
    assert l_n.grad.tolist() == [0.5, 0.0]
    assert l_a.grad.tolist() == [0.0, 0.5]


def test_an_infinite_loss_of_a_row_taken_as_normal_does_no_harm():
    batch = pair([1.0, 5.0], [float("inf"), 0.5])
    assert latent(0.5, soft=False)(**batch).item() == pytest.approx(0.75)


@pytest.mark.parametrize("name", sorted(NEED_L_A))
def test_rules_that_need_l_a_say_so_in_one_line(name):
    batch = {**pair([1.0], [1.0]), "l_a": None}
    with pytest.raises(ParameterError, match="needs a method with a loss") as caught:
        RULES[name](**batch)
    assert "\n" not in str(caught.value)
    assert "'refine'" in str(caught.value)


@pytest.mark.parametrize("name", ["unlabelled", "refine"])
def test_rules_for_methods_without_l_a(name):
    assert RULES[name](**{**pair([1.0, 3.0], [0.0, 0.0]), "l_a": None}) > 0


@pytest.mark.parametrize("rule", [latent, refine, soel, truncated])
@pytest.mark.parametrize("ratio", [-0.1, 1.0, 3.0, float("nan")])
def test_ratio_is_a_share(rule, ratio):
    with pytest.raises(ParameterError, match=r"ratio=.*\[0, 1\)"):
        rule(ratio)


@pytest.mark.parametrize("name", RULES)
def test_a_column_of_losses_is_refused(name):
    batch = pair([1.0, 2.0, 3.0], [1.0, 2.0, 3.0])
    with pytest.raises(TypeCheckError):
        RULES[name](**{**batch, "l_n": batch["l_n"][:, None]})


# ---------------------------------------------------------------- auxiliary outliers

ALL_RULES = {
    "unlabelled": unlabelled,
    "supervised": supervised,
    "exposure": exposure,
    "semi": semi(2.0),
    "refine": refine(0.4),
    "soft": latent(0.4),
    "hard": latent(0.4, soft=False),
    "labelled": labelled(),
    "one_class": one_class(),
    "soel": soel(0.4),
    "soel hard": soel(0.4, variant="hard"),
    "soel refine": soel(0.4, variant="refine"),
    "truncated": truncated(0.4),
}


def with_outliers(l_n, l_a):
    """Five rows, two of them labelled, and two outliers behind them."""
    both = pair(
        [*BATCH["l_n"], *l_n], [*BATCH["l_a"], *l_a], [-1, -1, -1, 1, 0, -1, -1]
    )
    return {**both, "outliers": torch.arange(7) >= 5}


@pytest.mark.parametrize("name", ALL_RULES)
def test_outliers_are_never_taken_for_training_rows(name):
    """Whatever they would cost as normal rows has no effect, and l_a has."""
    rule = ALL_RULES[name]
    loss, same = (rule(**with_outliers(l_n, [1, 2])) for l_n in ([0, 0], [70, -70]))
    assert torch.equal(loss, same)
    other = rule(**with_outliers([0, 0], [1, 3]))
    assert torch.equal(loss, other) == (name in {"supervised", "labelled"})


def test_outliers_count_among_the_rows_without_labels():
    known = (0.05 * 0.9 + 0.95 * 0.3 + 0.95 * 0.4 + 0.05 * 0.9) / 2
    rest = (0.2 + 0.5 + 0.1 + 1 + 2) / 5
    assert one_class()(**with_outliers([0, 0], [1, 2])).item() == pytest.approx(
        known + rest
    )


def test_outliers_have_no_part_in_the_quota():
    """1.2 of three free rows are suspected, as without the two outliers."""
    free = {"l_n": [0.2, 0.5, 0.1], "l_a": [1.2, 0.8, 1.5]}
    alone = latent(0.4, soft=False)(**pair(**free)).item() * 3
    both = pair([*free["l_n"], 9, 9], [*free["l_a"], 1, 2])
    found = latent(0.4, soft=False)(**both, outliers=torch.arange(5) >= 3).item() * 5
    assert found == pytest.approx(alone + 3)
