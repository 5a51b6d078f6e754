"""JSON lines and arrays of objects as tables."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from whitecrow.data import formats
from whitecrow.data.formats import TableFile
from whitecrow.errors import DataError


def opened(folder: Path, text: str, name: str = "a.jsonl") -> TableFile:
    path = folder / name
    path.write_bytes(text.encode())
    return formats.open_table(path)


def refusal(folder: Path, text: str, name: str = "a.jsonl") -> str:
    with pytest.raises(DataError) as caught:
        opened(folder, text, name).read()
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_nested_objects_are_columns_with_dots(tmp_path: Path) -> None:
    text = (
        '{"a": 1, "b": {"c": 2.5, "d": {"e": "x"}}}\n\n'
        '{"a": 2, "f": [1, 2], "b": {"d": {}}}\n{"b": {"c": 3}, "a": null}'
    )
    file = opened(tmp_path, text)
    assert file.read().to_pydict() == {
        "a": [1, 2, None],
        "b.c": [2.5, None, 3.0],
        "b.d.e": ["x", None, None],
        "f": [None, [1, 2], None],
    }
    assert file.lines([0, 2, 1]) == [1, 4, 3]
    assert "nested objects are columns with dots: b.c, b.d.e" in file.notes


@pytest.mark.parametrize(
    ("cells", "kind", "expected"),
    [
        ([1, 2], pa.int64(), [1, 2]),
        ([1, 2.5], pa.float64(), [1.0, 2.5]),
        ([True, None], pa.bool_(), [True, None]),
        ([1, "x"], pa.string(), ["1", "x"]),
        ([1.5, "x", True], pa.string(), ["1.5", "x", "true"]),
        ([True, 1], pa.string(), ["true", "1"]),
        (["", "x"], pa.string(), [None, "x"]),
        ([2**70, 1], pa.string(), [str(2**70), "1"]),
        ([[1], [2.5, None]], pa.list_(pa.float64()), [[1.0], [2.5, None]]),
        ([[1], ["x"]], pa.string(), ["[1]", '["x"]']),
        ([[{"a": 1}], []], pa.string(), ['[{"a": 1}]', "[]"]),
        (["\ud800", "x"], pa.string(), ["?", "x"]),
    ],
)
@pytest.mark.parametrize("array", [False, True])
def test_types(
    tmp_path: Path,
    cells: list[object],
    kind: pa.DataType,
    expected: list[object],
    array: bool,
) -> None:
    records = [{"a": cell, "n": 1} for cell in cells]
    text = json.dumps(records) if array else "\n".join(map(json.dumps, records))
    frame = opened(tmp_path, text).read()
    assert frame.schema.field("a").type == kind
    assert frame["a"].to_pylist() == expected


def test_a_late_cell_decides_on_the_type_of_all_batches(tmp_path: Path) -> None:
    text = '{"a": 1}\n' * 40_000 + '{"a": 1.5}\n{"b": "x"}\n'
    file = opened(tmp_path, text)
    batches = list(file.batches(1000))
    assert {str(batch.schema) for batch in batches} == {"a: double\nb: string"}
    assert pa.Table.from_batches(batches).equals(file.read())


@pytest.mark.parametrize(
    "text",
    [
        '[{"a": 1}, {"a": 2}]',
        '\ufeff [\n  {"a": 1},\n  {"a": 2}\n]\n',
        '{"total": 2, "rows": [{"a": 1}, {"a": 2}]}',
        '{\n"rows": [\n{"a": 1},\n{"a": 2}]}',
    ],
)
def test_one_array_of_objects(tmp_path: Path, text: str) -> None:
    if text.startswith('{"total'):
        text = text.replace(", ", ",\n")
    file = opened(tmp_path, text, "a.json")
    assert file.read().to_pydict() == {"a": [1, 2]}
    assert "an array of objects" in file.notes[0]


BAD = {
    "broken": ('{"a": 1}\n{"a":\n', "line 2 is not valid JSON"),
    "cut off": ('{"a": 1}\n{"a": 1', "line 2 is not valid JSON"),
    "array in a line": ('{"a": 1}\n[1]\n', "line 2 holds list where an object"),
    "deep": ('{"a":' * 100_000, "nested too deeply"),
    "deep array": ("[" * 100_000, "not valid JSON"),
    "numbers": ("[1, 2]", "holds other things than objects"),
    "one object": ('{"a": 1,\n"b": 2}', "not one array of objects"),
    "no rows": ("[]", "no rows of data"),
    "no columns": ("{}\n{}\n", "no rows of data"),
    "text": ("hello", "text that is not JSON"),
    "twice": ('{"a.b": 1, "a": {"b": 2}}', "two values for 'a.b'"),
    "all missing": ('{"a": null}\n', "every cell of all 1 columns is missing"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_json_gets_one_line(tmp_path: Path, case: str) -> None:
    text, expected = BAD[case]
    assert expected in refusal(tmp_path, text)


VALUE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(st.text("ab.", max_size=2), inner, max_size=2)
    ),
    max_leaves=5,
)


@settings(max_examples=200, deadline=None)
@given(
    records=st.lists(st.dictionaries(st.text("ab .", max_size=2), VALUE, max_size=3)),
    batch_rows=st.integers(1, 4),
)
def test_any_objects(
    tmp_path_factory: pytest.TempPathFactory, records: list[dict], batch_rows: int
) -> None:
    folder = tmp_path_factory.getbasetemp()
    text = "".join(json.dumps(record) + "\n" for record in records)
    if len(records) == 1:  # it may be an object of columns
        text += "{}\n"
        records = [*records, {}]
    try:
        file = opened(folder, text)
        found = file.read()
    except DataError as error:
        assert "\n" not in str(error)  # noqa: PT017
        return
    assert found.num_rows == len(records)
    batches = pa.Table.from_batches(file.batches(batch_rows))
    assert str(batches.to_pylist()) == str(found.to_pylist())


def test_a_list_of_fractions_may_hold_any_whole_number(tmp_path: Path) -> None:
    """Arrow refuses 2^53 + 1 among fractions; alone such a number was rounded."""
    text = '{"a": [9007199254740993, 0.5]}\n{"a": [1]}\n{"a": null}\n'
    found = opened(tmp_path, text).read().column("a").to_pylist()
    assert found == [[9007199254740992.0, 0.5], [1.0], None]
