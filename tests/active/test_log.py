"""Replaying a log gives what somebody with a notebook would have written down."""

import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import whitecrow as wc
from whitecrow.active import Event, Loop, MemoryLog, replay
from whitecrow.active.log import ANSWERS, latest

ROWS = np.random.default_rng(0).normal(size=(12, 2))
PEOPLE = ("ann", "bob")

items = st.integers(0, len(ROWS) - 1)
words = st.sampled_from(ANSWERS)
acts = st.one_of(
    st.tuples(st.just("tell"), st.dictionaries(items, words, min_size=1, max_size=4)),
    st.tuples(st.just("relabel"), st.dictionaries(items, words, max_size=2)),
    st.tuples(st.just("undo"), st.integers(1, 4)),
)
scripts = st.lists(st.tuples(st.sampled_from(PEOPLE), acts), max_size=30)


class Notebook:
    """What a person remembers: own answers in their order."""

    def __init__(self):
        self.told = []

    def answers(self):
        return dict(self.told)

    def tell(self, pairs):
        known = self.answers()
        self.told += [(i, word) for i, word in pairs.items() if known.get(i) != word]

    def undo(self, n):
        del self.told[max(0, len(self.told) - n) :]


def play(script):
    log = MemoryLog()
    loops = {who: Loop(wc.HBOS(), ROWS, store=log, annotator=who) for who in PEOPLE}
    notes = {who: Notebook() for who in PEOPLE}
    for who, (act, what) in script:
        if act == "undo":
            loops[who].undo(what)
            notes[who].undo(what)
            continue
        if act == "relabel":
            what = {i: w for i, w in what.items() if i in notes[who].answers()}
        method = getattr(loops[who], act)
        method(np.array(list(what), dtype=int), list(what.values()))
        notes[who].tell(what)
    return log, loops, notes


@given(scripts)
def test_state_is_what_was_said(script):
    log, loops, notes = play(script)
    state = replay(log.read())
    for who in PEOPLE:
        said = state.answers.get(who, {})
        assert {i: e.answer for i, e in said.items()} == notes[who].answers()
    expected = {}
    for row in range(len(ROWS)):
        votes = [notes[w].answers()[row] for w in PEOPLE if row in notes[w].answers()]
        yes, no = votes.count("anomaly"), votes.count("normal")
        if yes != no:
            expected[row] = int(yes > no)
    assert {i: int(c) for i, c in enumerate(state.codes(12)) if c != -1} == expected
    labels = loops["ann"].labels_
    assert {i: int(labels[i]) for i in np.flatnonzero(~np.isnan(labels))} == expected


@given(scripts, st.randoms(use_true_random=False))
def test_order_of_delivery_does_not_matter(script, rng: random.Random):
    log, _, _ = play(script)
    events = log.read()
    mixed = events.copy()
    rng.shuffle(mixed)
    assert vars(replay(mixed)) == vars(replay(events))


def answered(seq, item, answer, who="ann", round_=1):
    return Event(
        "answered", item=item, answer=answer, annotator=who, seq=seq, round=round_
    )


def asked(seq, item, who="ann", round_=1):
    return Event("asked", item=item, annotator=who, seq=seq, round=round_)


@pytest.mark.parametrize(
    ("votes", "verdict"),
    [
        (["anomaly"], "anomaly"),
        (["anomaly", "normal"], "disputed"),
        (["anomaly", "normal", "normal"], "normal"),
        (["anomaly", "unsure", "skip"], "anomaly"),
        (["skip", "unsure"], "unsure"),
        (["skip", "skip"], "skip"),
        ([], None),
    ],
)
def test_verdict_of_several(votes, verdict):
    events = [answered(i + 1, 4, v, who=f"p{i}") for i, v in enumerate(votes)]
    assert replay(events).verdict(4) == verdict


def test_disagreement_is_visible_and_nothing_is_learnt_from_it():
    state = replay([answered(1, 4, "anomaly"), answered(2, 4, "normal", who="bob")])
    assert state.votes(4) == {"ann": "anomaly", "bob": "normal"}
    assert (state.codes(6) == -1).all()


def test_pending_until_somebody_answers():
    events = [asked(1, 3), asked(2, 5), answered(3, 3, "normal")]
    assert replay(events).pending("ann") == [5]
    assert replay(events).waiting() == {5}
    assert replay([*events, answered(4, 5, "normal", who="bob")]).pending("ann") == []
    undone = [*events, Event("undone", target=3, item=3, seq=4)]
    assert replay(undone).pending("ann") == [3, 5]


def test_a_skipped_row_rests_and_is_pending_when_asked_again():
    events = [asked(1, 3), answered(2, 3, "skip", round_=1)]
    assert replay(events).settled(3).tolist() == [3]
    later = [*events, asked(3, 1, round_=4)]
    assert replay(later).settled(3).tolist() == []
    assert replay([*later, asked(4, 3, round_=5)]).pending("ann") == [1, 3]


def test_unsure_is_settled_for_good():
    events = [answered(1, 3, "unsure"), asked(2, 1, round_=99)]
    assert replay(events).settled(3).tolist() == [3]
    assert replay(events).spent() == 1


def test_latest_answers_that_stand():
    events = [
        answered(1, 3, "normal"),
        answered(2, 4, "normal", who="bob"),
        answered(3, 5, "normal"),
        Event("undone", target=3, seq=4),
    ]
    assert [event.seq for event in latest(events, "ann", 5)] == [1]
