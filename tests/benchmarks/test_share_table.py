"""How often the interval of the share of anomalies covers the truth."""

import pytest
import share


@pytest.mark.parametrize("audited", [100, 500])
@pytest.mark.parametrize(
    ("n", "shares"), [(100_000, share.SHARES[:4]), (20_000, share.SHARES[:6])]
)
def test_the_interval_covers_rare_anomalies_too(n, audited, shares):
    """Exactly, over all that the audit can show; it was 0 for one in a thousand."""
    for truth in shares:
        # 97.5 % for .0005: 500 rows show none or one of it, and both must be inside.
        assert 0.85 <= share.alone(n, audited, truth) <= 0.976, truth


@pytest.mark.parametrize("gap", [0, 1.5, 3])
@pytest.mark.parametrize(("audited", "truth"), [(500, 0.001), (500, 0.01), (100, 0.05)])
def test_chosen_rows_do_not_make_it_too_sure(gap, audited, truth):
    """Also where the ranking is useless, or so good that nearly all are found."""
    covered = share.with_chosen(20_000, audited, truth, runs=20, gap=gap)
    assert covered >= 0.75


def test_a_ranking_has_its_anomalies_at_the_top():
    y = share.ranked(1_000, 0.05, 3.0, share.np.random.default_rng(0))
    assert y.sum() == 50
    assert y[:100].sum() > 40


def test_the_table_is_printed(capsys):
    share.show("Coverage", lambda n, audited, truth: 0.9)
    lines = capsys.readouterr().out.splitlines()
    assert lines[2].split() == ["100,000", "100", *["90.0%"] * 7]
