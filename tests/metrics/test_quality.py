"""Numbers about a ranking."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from whitecrow.metrics.quality import evaluate, percent


def test_quality_is_that_of_the_labelled_rows() -> None:
    rng = np.random.default_rng(0)
    codes = rng.choice(np.array([-1, 0, 0, 0, 1], np.int8), 400)
    scores = rng.normal(size=400) + (codes == 1)
    flagged = scores > 1.0
    quality = evaluate(codes, scores, flagged)
    assert quality is not None
    known = codes >= 0
    truth, values = codes[known] == 1, scores[known]
    assert quality.auroc == roc_auc_score(truth, values)
    assert quality.interval is not None
    assert quality.interval[0] < quality.auroc < quality.interval[1]
    assert quality.average_precision == average_precision_score(truth, values)
    assert quality.n_labelled == known.sum()
    table = [
        *(quality.true_positives, quality.false_positives),
        *(quality.false_negatives, quality.true_negatives),
    ]
    assert sum(table) == known.sum()
    assert quality.true_positives == (truth & flagged[known]).sum()
    assert quality.precision == truth[flagged[known]].mean()
    assert quality.recall == flagged[known][truth].mean()


def test_one_class_has_no_auroc() -> None:
    scores = np.arange(4.0)
    good = evaluate(np.zeros(4, np.int8), scores, scores > 2)
    assert good is not None
    assert (good.auroc, good.average_precision, good.recall) == (None, None, None)
    assert good.precision == 0.0
    odd = evaluate(np.ones(4, np.int8), scores, scores > 9)
    assert odd is not None
    assert (odd.auroc, odd.precision, odd.recall) == (None, None, 0.0)


def test_nothing_labelled_has_no_quality() -> None:
    scores = np.arange(4.0)
    assert evaluate(None, scores, scores > 2) is None
    assert evaluate(np.full(4, -1, np.int8), scores, scores > 2) is None


@pytest.mark.parametrize(
    ("share", "text"), [(0, "0 %"), (1, "100 %"), (0.123, "12 %"), (0.9987, "99.9 %")]
)
def test_percent(share: float, text: str) -> None:
    assert percent(share) == text
