"""Detectors as people call them from Python."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from people import Desk, rng

import whitecrow as wc
from whitecrow.model import Model


def refusal(call: Callable[[], Any]) -> tuple[str, Any]:
    """The one line of a refusal and nothing, or nothing and what came."""
    try:
        return "", call()
    except wc.errors.UserError as error:
        return str(error), None


@pytest.mark.parametrize("d", [1, 2, 3, 10, 20, 40])
@pytest.mark.parametrize("seed", [0, 1])
def test_gmm_ranks_a_lone_outlier_first(d: int, seed: int) -> None:
    X = rng(seed).normal(size=(400, d))
    X[7] = 9
    assert wc.GMM(random_state=seed).fit(X).anomaly_score(X).argmax() == 7


@pytest.mark.parametrize("distance", [5, 9, 50, 1e6])
def test_gmm_ranks_two_outliers_first(distance: float) -> None:
    X = rng().normal(size=(400, 4))
    X[7], X[8] = distance, -distance
    scores = wc.GMM(random_state=0).fit(X).anomaly_score(X)
    assert set(np.argsort(scores)[-2:]) == {7, 8}


FEW = [("LOF", n) for n in (2, 3)]  # of two different rows each is the other's only one
FEW += [(m, n) for m in ("KNN", "KDE", "OCSVM", "HBOS", "ECOD") for n in (1, 2, 3)]


@pytest.mark.parametrize(("method", "levels"), FEW)
def test_few_different_rows(method: str, levels: int) -> None:
    X = np.r_[rng().integers(0, levels, (400, 4)), [[9, 9, 9, 9]]].astype(float)
    scores = getattr(wc, method)().fit(X).anomaly_score(X)
    assert np.isfinite(scores).all()
    assert scores.argmax() == 400


@pytest.mark.parametrize("copies", [30, 200])
def test_lof_with_many_copies_of_one_row(copies: int) -> None:
    X = np.r_[np.zeros((copies, 3)), rng().normal(size=(200, 3)), [[8, 8, 8]]]
    scores = wc.LOF().fit(X).anomaly_score(X)
    assert scores.argmax() == len(X) - 1


@pytest.mark.parametrize("kind", ["int16", "int32", "int64", "uint16", "uint32"])
def test_whole_number_pictures_are_pictures(kind: str) -> None:
    X = rng().integers(0, 256, (24, 1, 28, 28)).astype(np.uint8)
    model = wc.AutoEncoder(epochs=1, random_state=0).fit(X)
    said, scores = refusal(lambda: model.anomaly_score(X.astype(kind)))
    if said:
        assert kind in said or "uint8" in said
        return
    assert np.allclose(scores, model.anomaly_score(X))


@pytest.mark.parametrize("method", ["ECOD", "KNN", "IsolationForest", "HBOS"])
def test_masked_cells_are_missing(method: str) -> None:
    values = np.where(
        np.arange(300)[:, None] == 5, -9999.0, rng().normal(size=(300, 2))
    )
    X = np.ma.masked_equal(values, -9999.0)
    said, scores = refusal(lambda: getattr(wc, method)().fit(X).anomaly_score(X))
    if said:
        assert "mask" in said or "missing" in said.lower()
        return
    assert scores.argmax() != 5


MIXED: dict[str, Any] = {
    "at": pd.date_range("2024-01-01", periods=100),
    "kind": ["a", "b"] * 50,
    "level": pd.Categorical(["low", "high"] * 50),
    "took": pd.to_timedelta(np.arange(100), unit="min"),
    "text": pd.array(["x", None] * 50, dtype="string"),
}


@pytest.mark.parametrize("column", MIXED)
@pytest.mark.parametrize("method", ["ECOD", "KNN", "DeepSVDD"])
def test_columns_that_are_no_numbers_are_refused_by_name(
    column: str, method: str
) -> None:
    table = pd.DataFrame({"x": rng().normal(size=100), column: MIXED[column]})
    said, _ = refusal(lambda: getattr(wc, method)().fit(table))
    assert column in said
    assert "TableEncoder" in said or "detect" in said
    assert "\n" not in said


def test_gaps_in_a_frame() -> None:
    table = pd.DataFrame({"x": rng().normal(size=100), "y": rng(1).normal(size=100)})
    table.loc[3, "y"] = None
    table["n"] = pd.array([1, None] * 50, dtype="Int64")
    said, scores = refusal(lambda: wc.ECOD().fit(table).anomaly_score(table))
    if said:
        assert "missing" in said.lower() or "NaN" in said
        return
    assert np.isfinite(scores).all()


@pytest.mark.parametrize("method", ["knn", "ocsvm", "lof", "kde", "isolation_forest"])
def test_known_anomalies_do_not_train_as_normal(method: str, desk: Desk) -> None:
    X = np.r_[rng().normal(size=(300, 4)), rng(1).normal(6, 0.3, (30, 4))]
    cells = {name: [f"{v:.4f}" for v in X[:, i]] for i, name in enumerate("abcd")}
    state = ["ok"] * 300 + ["broken"] * 30
    desk.table("all.csv", {**cells, "state": state})
    desk.table("good.csv", {name: column[:300] for name, column in cells.items()})
    desk.table("odd.csv", {name: column[300:] for name, column in cells.items()})
    told = ("--label-column", "state", "--anomaly-value", "broken")
    desk.fit("all.csv", *told, "--method", method, to="a.crow")
    desk.fit("good.csv", "--method", method, to="b.crow")
    a, b = (np.mean(desk.score("odd.csv", model=f"{m}.crow")) for m in "ab")
    assert a / b == pytest.approx(1, abs=0.35)


@pytest.mark.parametrize("method", ["DeepSAD", "HSC"])
def test_a_failed_refit_leaves_the_model_as_it_was(method: str) -> None:
    X = rng().normal(size=(200, 5))
    further = {"pretrain": False} if method == "DeepSAD" else {}
    cls = getattr(wc, method)
    if "clip_norm" in cls._get_param_names():
        further["clip_norm"] = None
    model = cls(epochs=3, random_state=0, **further).fit(X)
    before = model.anomaly_score(X)
    model.set_params(lr=1e30)
    said, _ = refusal(lambda: model.refit(X))
    after = model.anomaly_score(X)
    assert np.array_equal(before, after) if said else np.isfinite(after).all()


def test_detect_takes_a_frame() -> None:
    table = pd.DataFrame(
        {
            "at": pd.date_range("2024-01-01", periods=100),
            "kind": ["a", "b"] * 50,
            "x": rng().normal(size=100),
        }
    )
    table.loc[7, "x"] = 40.0
    found = wc.detect(table, method="knn")
    assert int(np.argmax(found.scores)) == 7
    assert found.flagged[7]
    assert len(found.to_frame()) == 100


# --- what people hand over, and what they are told -----------------------------------


def people() -> pd.DataFrame:
    values = rng(3)
    site = values.choice(["n", "s"], 150)
    return pd.DataFrame({"site": site, "w": values.normal(70, 8, 150)})


@pytest.mark.parametrize(
    "given",
    [
        lambda frame: frame.to_dict("list"),
        lambda frame: frame.to_dict("records"),
        lambda frame: frame.to_records(index=False),
    ],
)
def test_columns_with_names_are_a_table(given: Callable[[Any], Any]) -> None:
    expected = wc.detect(people(), method="knn").scores
    np.testing.assert_array_equal(
        wc.detect(given(people()), method="knn").scores, expected
    )


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (people()["w"], "Series is one column.*to_frame"),
        (None, r"NoneType is not a table.*pd\.DataFrame"),
        ({"a": 1}, "do not form a table"),
        (5, r"int is not a table.*pd\.DataFrame"),
    ],
)
def test_what_is_no_table_is_refused(data: Any, words: str) -> None:
    with pytest.raises(wc.errors.DataError, match=words):
        wc.detect(data)


def test_one_column_to_ignore_is_a_name() -> None:
    found = wc.detect(people(), ignore="site", method="knn")
    assert found.model.encoder is not None
    assert found.model.encoder.feature_names_ == ["w"]


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ({"contamination": 7}, "contamination='7' is neither"),
        ({"top": -1}, "top=-1 is negative"),
        ({"use_labels": True}, "use_labels: .*; name their column with labels$"),
        ({"ignore": "x"}, "^ignore: "),
        ({"labels": "site"}, "for example labels=.column == 'n'"),
        ({"read_as": {"w": "clock"}}, "leave out read_as={'w': 'clock'}"),
    ],
)
def test_errors_speak_of_parameters(how: dict[str, Any], words: str) -> None:
    data = people().assign(site=["n"] + ["s"] * 149) if "labels" in how else people()
    with pytest.raises(wc.errors.UserError, match=words) as caught:
        wc.detect(data, **how)
    assert "--" not in str(caught.value)


def test_a_report_that_cannot_be_written_says_why(desk: Desk) -> None:
    found = wc.detect(people(), method="knn")
    with pytest.raises(wc.errors.DataError, match="it is a folder; give the name"):
        found.report(desk.folder)
    with pytest.raises(wc.errors.DataError, match=r"there is no folder .*; make it"):
        found.report(desk / "nodir" / "r.html")


def test_a_loaded_model_of_a_table_names_the_way_to_score_a_frame(desk: Desk) -> None:
    frame = people()
    frame.to_csv(desk / "d.csv", index=False)
    desk.fit("d.csv", "--method", "knn")
    with pytest.raises(wc.errors.DataError, match=r"Model\.load.*anomaly_score.frame"):
        wc.load(desk / "m.crow").anomaly_score(frame)
    scores = Model.load(desk / "m.crow").anomaly_score(frame)
    assert scores.tolist() == desk.score("d.csv")
