"""Notes of one kind become one; others stay apart."""

from __future__ import annotations

from whitecrow.notes import Note, folded


def note(column: str, value: int, remedy: str) -> Note:
    return Note(f"{column!r}: {value} occurs 5 times", 2, column, remedy)


def test_other_values_and_other_remedies_stay_apart() -> None:
    how = "if so: --read-as '{}=missing:{}'"
    same = [note(c, -999, how.format(c, -999)) for c in "abc"]
    other = [note(c, -1, how.format(c, -1)) for c in "de"]
    several = [note(c, 7, "--read-as 'x=a', or --read-as 'x=b'") for c in "fghi"]
    found = folded([*same, *other, *several, Note("read as text", 1)])
    assert [len(members) for _, members in found] == [3, *[0] * 7]
    assert found[0][0].remedy.count("--read-as") == 3


def test_without_a_remedy_all_are_named() -> None:
    ((one, members),) = folded([note(c, 1, "") for c in "abcd"])
    assert one.text.endswith("(all: a, b, c, d)")
    assert len(members) == 4
