"""What a model learns from, and what its file keeps."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from whitecrow.choose import choose
from whitecrow.data.labelling import Labelling
from whitecrow.data.rows import PictureRows, TableRows
from whitecrow.errors import DataError
from whitecrow.learning import fit, learnt_from

KNN = choose("table", "knn", use_labels=True)
SAD = choose("table", "deep_sad", use_labels=True, parameters={"epochs": "1"})
PADIM = choose("picture", "padim", use_labels=False)
CODES = np.array([0, 1, -1, 1, 0], np.int8)


def table(codes: np.ndarray | None, n: int = 5) -> TableRows:
    rng = np.random.default_rng(0)
    return TableRows(
        source="a.csv", frame=pa.table({"x": rng.normal(size=n)}), codes=codes
    )


def pictures(parts: tuple[str, ...], codes: list[int]) -> PictureRows:
    n = len(parts)
    return PictureRows(
        source="tiles",
        images=np.zeros((n, 1, 4, 4), np.uint8),
        paths=tuple(f"{i}.png" for i in range(n)),
        kinds=tuple("good" if code == 0 else "hole" for code in codes),
        codes=np.array(codes, np.int8),
        parts=parts,
    )


def test_all_rows_are_learnt_from_without_labels() -> None:
    for codes in (None, CODES):
        keep, notes = learnt_from(table(codes), KNN, False)
        assert (keep.all(), notes) == (True, ())


def test_methods_that_cannot_learn_from_labels_lose_the_anomalies() -> None:
    keep, notes = learnt_from(table(CODES), KNN, True)
    assert keep.tolist() == [True, False, True, False, True]
    assert notes == (
        "2 rows labelled as anomalies are left out of training: knn learns what is "
        "normal",
    )


def test_methods_that_learn_from_labels_keep_all() -> None:
    keep, notes = learnt_from(table(CODES), SAD, True)
    assert (keep.all(), notes) == (True, ())


def test_nothing_but_anomalies_is_refused() -> None:
    with pytest.raises(DataError, match="nothing to learn from") as caught:
        learnt_from(table(np.ones(5, np.int8)), KNN, True)
    assert "\n" not in str(caught.value)
    assert learnt_from(table(np.ones(5, np.int8)), KNN, False)[0].all()


def test_pictures_of_the_train_folder_but_the_defects() -> None:
    rows = pictures(("train", "train", "test", "test"), [0, 1, 0, 1])
    keep, notes = learnt_from(rows, PADIM, False)
    assert keep.tolist() == [True, False, False, False]
    assert notes == ("trained on 1 picture of train/good; the other 3 are scored only",)


def test_pictures_without_a_train_folder_are_all_learnt_from() -> None:
    keep, notes = learnt_from(pictures(("", ""), [0, 1]), PADIM, False)
    assert (keep.all(), notes) == (True, ())
    keep, notes = learnt_from(pictures(("", ""), [0, 1]), PADIM, True)
    assert keep.tolist() == [True, False]
    assert notes[0].startswith("1 pictures labelled as anomalies are left out")


def test_rows_that_are_left_out_are_scored_too_and_the_file_says_so() -> None:
    codes = np.zeros(60, np.int8)
    codes[:20] = 1
    rows = table(codes, 60)
    rule = Labelling(column="y")
    found = fit(rows, KNN, rule=rule, use_labels=True)
    assert len(found.scores) == len(found.rows) == 60
    assert np.isfinite(found.scores).all()
    assert found.labels_used
    assert found.model.info["labels_used"] is True
    assert found.model.labelling == rule
    assert "best F1 on 20 labelled anomalies" in found.model.detector.threshold_source_
    assert found.model.encoder is not None
    assert found.model.encoder.summaries_["x"]["rows"] == 40
    assert not fit(rows, KNN, rule=rule).labels_used
