"""Average ranks, critical differences, and the diagram that shows both."""

import xml.etree.ElementTree as ET

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import friedmanchisquare, wilcoxon

from whitecrow.errors import ParameterError
from whitecrow.experiments.rank_diagram import diagram
from whitecrow.experiments.ranking import (
    Ranking,
    best_against_second,
    critical_difference,
    groups,
    rank,
)


def test_what_is_alike_is_grouped():
    """Eight sets: two good methods that take turns, and one that is always worse."""
    turns = [0.9, 0.8] * 4
    found = rank({"a": turns, "b": turns[::-1], "worst": [0.1] * 8})
    assert found.ranks == {"a": 1.5, "b": 1.5, "worst": 3.0}
    assert found.p_value == pytest.approx(
        friedmanchisquare(turns, turns[::-1], [0.1] * 8).pvalue
    )
    assert found.critical_difference == pytest.approx(
        2.343 * np.sqrt(12 / 48), abs=1e-3
    )
    assert groups(found) == [("a", "b")]


def test_critical_values_of_the_source():
    """q at .05: 2.343, 2.569, 2.728 for 3 to 5 methods; 3.164 for 10."""
    for k, q in {3: 2.343, 4: 2.569, 5: 2.728, 10: 3.164}.items():
        expected = q * np.sqrt(k * (k + 1) / (6 * 30))
        assert critical_difference(k, 30) == pytest.approx(expected, abs=2e-3)


@given(st.integers(3, 8), st.integers(2, 20), st.integers(0, 99))
def test_ranks_are_shared_out(k, n, seed):
    table = np.random.default_rng(seed).integers(0, 5, (k, n)) / 5
    found = rank({f"m{i}": row for i, row in enumerate(table.tolist())})
    assert sum(found.ranks.values()) == pytest.approx(k * (k + 1) / 2)
    values = list(found.ranks.values())
    assert values == sorted(values)
    assert 0 <= found.p_value <= 1


def test_runs_of_like_methods_are_maximal_and_share_members():
    ranking = Ranking(
        dict(zip("abcde", [1.0, 2.0, 3.0, 6.0, 9.0], strict=True)), 9, 0.0, 1.5
    )
    assert groups(ranking) == [("a", "b"), ("b", "c")]


@pytest.mark.parametrize(
    "quality",
    [
        {"a": [1.0, 2.0], "b": [1.0, 2.0]},
        {"a": [1.0], "b": [1.0], "c": [2.0]},
        {"a": [1.0, 2.0], "b": [1.0, np.nan], "c": [2.0, 2.0]},
    ],
)
def test_what_cannot_be_ranked(quality):
    with pytest.raises(ParameterError, match="a ranking needs"):
        rank(quality)


def test_the_diagram_names_each_method_once_and_stays_inside():
    rng = np.random.default_rng(0)
    quality = {
        f"<{i}> & co": (rng.uniform(size=30) + i / 20).tolist() for i in range(17)
    }
    root = ET.fromstring(diagram(rank(quality), "AUROC"))
    width, height = (float(v) for v in root.get("viewBox").split()[2:])
    texts = [node for node in root if node.tag.endswith("text")]
    assert sum("& co" in node.text for node in texts) == 17
    for node in root:
        for name, limit in (("x", width), ("x1", width), ("y", height), ("y1", height)):
            assert 0 <= float(node.get(name, 0)) <= limit


def test_ranks_and_p_are_of_the_same_numbers():
    """Friedman's p was of the raw numbers: 6e-6 where the ranks say .22."""
    rng = np.random.default_rng(0)
    table = 0.9 + 1e-9 * np.arange(3)[:, None] + np.zeros((3, 30))
    table[:, :4] = rng.uniform(size=(3, 4)).round(2)
    found = rank(dict(zip("abc", table.tolist(), strict=True)))
    assert found.p_value == pytest.approx(friedmanchisquare(*table.round(6)).pvalue)


def test_wilcoxon_of_the_two_best():
    rng = np.random.default_rng(1)
    quality = {
        name: (rng.uniform(size=9) + shift).tolist()
        for name, shift in (("a", 0.0), ("b", 0.4), ("c", 0.3))
    }
    ranking = rank(quality)
    first, second = list(ranking.ranks)[:2]
    assert best_against_second(quality, ranking) == pytest.approx(
        wilcoxon(quality[first], quality[second]).pvalue
    )
    few = {name: values[:5] for name, values in quality.items()}
    assert best_against_second(few, rank(few)) is None
