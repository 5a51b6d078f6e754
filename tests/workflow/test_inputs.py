"""Labels and features from what a user names."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from whitecrow.errors import DataError, LabelError, ParameterError
from whitecrow.workflow import inputs
from whitecrow.workflow.inputs import Labelling, column_codes


@pytest.mark.parametrize(
    ("values", "rule", "expected"),
    [
        ([1, 0, None], {}, [1, 0, -1]),
        ([1.0, 0.0, float("nan")], {}, [1, 0, -1]),
        ([True, False, None], {}, [1, 0, -1]),
        (["anomaly", "Normal", ""], {}, [1, 0, -1]),
        (["1", "0.0", "true", "false", None], {}, [1, 0, 1, 0, -1]),
        ([-1, 0, 1], {"convention": "deep-sad"}, [1, -1, 0]),
        (["-1", "0", "1"], {"convention": "deep-sad"}, [1, -1, 0]),
        ([-1, 0, 1], {"convention": "sklearn-semi"}, [-1, 0, 1]),
        ([-1, 1], {"convention": "outlier-predict"}, [1, 0]),
        (["neptune", "normal", None], {"anomaly_values": ("!normal",)}, [1, 0, -1]),
        ([2, 3, 4], {"anomaly_values": ("2", "4.0")}, [1, 0, 1]),
    ],
)
def test_codes(values: list[object], rule: dict[str, object], expected: object) -> None:
    labelling = Labelling(column="y", **rule)  # type: ignore[arg-type]
    codes = column_codes(pa.array(values), labelling)
    assert codes.dtype == np.int8
    assert codes.tolist() == expected
    chunked = pa.chunked_array([pa.array(values[:1]), pa.array(values[1:])])
    if len({chunk.type for chunk in chunked.chunks}) == 1:
        assert column_codes(chunked, labelling).tolist() == expected


@pytest.mark.parametrize(
    ("values", "rule", "message"),
    [
        ([0, 0, 2], {}, "label 2 in row 102, .*--anomaly-value '2'"),
        ([0, -1], {}, "label -1 in row 101, .*--labels deep-sad"),
        (["a"], {}, "'a' in row 100, .*'!a'"),
        ([5], {"convention": "deep-sad"}, "5 in row 100, .*not in the convention"),
        (["x"], {"convention": "deep-sad"}, "'x' in row 100"),
    ],
)
def test_values_outside_the_convention(
    values: list[object], rule: dict[str, object], message: str
) -> None:
    labelling = Labelling(column="y", **rule)  # type: ignore[arg-type]
    with pytest.raises(LabelError, match=message):
        column_codes(pa.array(values), labelling, first_row=100)


def test_the_catalogue_knows_labels_and_columns_to_ignore(tmp_path: Path) -> None:
    found = inputs.read("breast_cancer")
    assert found.labelling.column == "y"
    assert found.codes is not None
    assert int((found.codes == 1).sum()) == 212
    assert "y" not in found.table.column_names


def test_what_the_user_says_comes_before_the_catalogue() -> None:
    found = inputs.read("breast_cancer", Labelling(column="y", anomaly_values=("0",)))
    assert found.codes is not None
    assert int((found.codes == 1).sum()) == 357


def test_a_file_comes_before_a_set_of_that_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert inputs.entry_of("digits") is not None
    Path("digits").mkdir()
    assert inputs.entry_of("digits") is None


@pytest.mark.parametrize("own", [Labelling(column="z"), Labelling(column="y")])
def test_the_meaning_of_labels_belongs_to_their_column(own: Labelling) -> None:
    filled = own.filled(Labelling(column="y", anomaly_values=("bad",), ignore=("t",)))
    assert filled.column == own.column
    assert filled.anomaly_values == (("bad",) if own.column == "y" else ())
    assert filled.ignore == ("t",)


def test_contradictions_are_refused() -> None:
    with pytest.raises(ParameterError, match="no convention"):
        Labelling(convention="other")
    with pytest.raises(ParameterError, match="give one"):
        Labelling(convention="deep-sad", anomaly_values=("1",))


def test_unknown_columns_come_with_close_ones(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("Flow,load\n1,2\n3,4\n")
    with pytest.raises(DataError, match="did you mean 'Flow'"):
        inputs.read(str(path), Labelling(column="flow"))


def test_a_label_column_without_labels_is_none(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("a,y\n1,\n3,\n")
    assert inputs.read(str(path), Labelling(column="y")).codes is None


def test_kinds_of_pictures_can_be_named_as_anomalies() -> None:
    found = inputs.read("digits_all", Labelling(anomaly_values=("!3",)))
    assert found.pictures is not None
    assert found.codes is not None
    odd = np.array(found.pictures.kinds) != "3"
    assert (found.codes == odd).all()
    with pytest.raises(LabelError, match="no pictures of that kind; it has 0, 1"):
        inputs.read("digits_all", Labelling(anomaly_values=("12",)))
