"""The loop: what it asks, what it makes of answers, and what it refuses."""

import threading
import time

import numpy as np
import pytest
from sklearn.neighbors import LocalOutlierFactor

import whitecrow as wc
from whitecrow.active import Annotator, Loop, MemoryLog, Store, simulate
from whitecrow.errors import DataError, LabelError, ParameterError

N, ODD = 120, 12
RNG = np.random.default_rng(0)
X = np.r_[RNG.normal(size=(N - ODD, 3)), RNG.normal(5, 1, size=(ODD, 3))]
Y = np.arange(N) >= N - ODD


def make(detector=None, **settings):
    settings = {"strategy": "positive", "random_state": 0} | settings
    return Loop(wc.HBOS() if detector is None else detector, X, **settings)


class Nearest(wc.KNN):
    """Distance to the labelled anomalies, if there are any; counts its fits."""

    uses_labels = True
    fits = 0
    wait = 0.0

    def _fit(self, X, codes, auxiliary):
        type(self).fits += 1
        time.sleep(type(self).wait)
        super()._fit(X, codes, auxiliary)
        self.seen_ = X[codes == 1]

    def _anomaly_score(self, X):
        if not len(self.seen_):
            return super()._anomaly_score(X)
        return -np.linalg.norm(X[:, None] - self.seen_, axis=-1).min(axis=1)


@pytest.fixture
def nearest():
    Nearest.fits, Nearest.wait = 0, 0.0
    return Nearest()


# ------------------------------------------------------------------- questions


def test_questions_have_reasons_and_are_not_repeated():
    loop = make(audit_share=0)
    seen = []
    for _ in range(4):
        ids = loop.ask(5)
        assert ids.dtype == np.int64
        assert all(loop.why(i) for i in ids)
        loop.tell(ids, Y[ids].astype(int))
        seen += ids.tolist()
    assert len(set(seen)) == 20
    assert loop.spent == 20
    # The strategy asks by score, and nothing else was mixed in.
    assert set(seen) == set(np.argsort(-loop.scores_, kind="stable")[:20].tolist())


def test_asking_again_gives_the_open_questions():
    loop = make()
    first = loop.ask(4)
    assert loop.ask(4).tolist() == first.tolist()
    assert loop.ask(6).tolist()[:4] == first.tolist()
    loop.tell(first[:1], [0])
    assert loop.ask(5).tolist()[:3] == first[1:].tolist()


def test_budget_is_not_exceeded():
    loop = make(budget=7)
    while not loop.finished:
        ids = loop.ask(3)
        loop.tell(ids, Y[ids])
    assert loop.spent == 7
    assert len(loop.ask(3)) == 0


def test_every_row_can_be_asked_and_then_it_ends():
    loop = Loop(wc.HBOS(), X[:15], random_state=0)
    while not loop.finished:
        ids = loop.ask(4)
        loop.tell(ids, np.zeros(len(ids), int))
    assert loop.spent == 15
    assert len(loop.ask()) == 0
    assert loop.ratio()[0] == pytest.approx(1 / 15)


@pytest.mark.parametrize("name", wc.active.strategies.names())
def test_every_strategy_drives_a_loop(name):
    loop = simulate(make(strategy=name, budget=12), Annotator(Y), 12, batch=4)
    assert loop.spent == 12


def test_unsure_is_not_asked_again_nor_learnt():
    loop = make(audit_share=0)
    ids = loop.ask(2)
    loop.tell(ids, ["unsure", "unsure"])
    asked = set(loop.ask(N).tolist())
    assert not asked & set(ids.tolist())
    assert np.isnan(loop.labels_).all()
    assert loop.spent == 2


def test_skip_costs_nothing_and_comes_back_after_three_rounds():
    loop = make(audit_share=0, budget=50)
    (first,) = loop.ask()
    loop.tell(first, "skip")
    assert loop.spent == 0
    asked = []
    for _ in range(4):
        (item,) = loop.ask()
        asked.append(int(item))
        loop.tell(item, 0)
    assert first not in asked[:2]
    assert first in asked


@pytest.mark.parametrize(("budget", "share", "audits"), [(20, 0.2, 5), (50, 0.2, 10)])
def test_audits_are_a_share_and_at_least_five(budget, share, audits):
    loop = make(budget=budget, audit_share=share)
    simulate(loop, Annotator(Y), budget, batch=5)
    asked = [q.strategy for q in loop.state.asked.values()]
    assert asked.count("audit") == audits
    assert "at random" in loop.why(
        next(i for i, q in loop.state.asked.items() if q.strategy == "audit")
    )


def test_audited_rows_are_a_uniform_sample():
    """Each row is audited equally often, whatever its score."""
    counts = np.zeros(40)
    for seed in range(150):
        loop = Loop(
            wc.HBOS(), X[-40:], strategy="positive", random_state=seed, budget=20
        )
        simulate(loop, Annotator(Y[-40:]), 20, batch=10)
        counts[loop._audited(loop.state)] += 1
    ranked = np.argsort(-loop.scores_, kind="stable")
    high, low = counts[ranked[:20]].sum(), counts[ranked[20:]].sum()
    assert abs(high - low) < 4 * np.sqrt(high + low)


def test_the_next_batch_is_ready_while_this_one_is_answered(nearest):
    loop = make(nearest)
    ids = loop.ask(4)
    loop.tell(ids, Y[ids])
    thread = threading.Thread(target=loop.prepare, args=(4,))
    thread.start()
    thread.join()
    assert (nearest.fits, loop.stale) == (2, False)
    Nearest.wait = 5.0  # another fit would be noticed
    begin = time.perf_counter()
    ready = loop.ask(4)
    assert time.perf_counter() - begin < 2
    assert not set(ready.tolist()) & set(ids.tolist())


def test_asking_does_not_wait_for_a_fit_in_another_thread(nearest):
    loop = make(nearest)
    ids = loop.ask(4)
    loop.tell(ids, Y[ids])
    Nearest.wait = 1.5
    thread = threading.Thread(target=loop.refit)
    thread.start()
    time.sleep(0.3)
    begin = time.perf_counter()
    assert len(loop.ask(4)) == 4
    assert time.perf_counter() - begin < 0.8
    thread.join()


# --------------------------------------------------------------------- answers


def test_all_spellings_of_an_answer():
    loop = make()
    loop.tell(
        range(8), [1, 0, True, np.int64(0), "Anomaly", "normal", "unsure", "skip"]
    )
    assert list(loop.state.verdicts().values()) == [
        *("anomaly", "normal", "anomaly", "normal"),
        *("anomaly", "normal", "unsure", "skip"),
    ]


@pytest.mark.parametrize(
    ("ids", "answers", "message"),
    [
        ([1], [2], "2 is not an answer"),
        ([1], [-1], "-1 is not an answer"),
        ([1], ["odd"], "'odd' is not an answer"),
        ([1], [float("nan")], "nan is not an answer"),
        ([N], [1], f"no row {N}; rows go from 0 to {N - 1}"),
        ([-1], [1], "no row -1"),
        ([1, 2], [1], "2 answers for 3 rows"),
        ([1, 1], [1, 0], "twice"),
        ([0.5], [1], "row numbers"),
    ],
)
def test_bad_answers_are_refused_whole(ids, answers, message):
    loop = make()
    with pytest.raises(LabelError, match=message) as error:
        loop.tell([7, *ids], [0, *answers])
    assert "\n" not in str(error.value)
    assert not loop.state.answers


def test_undo_goes_back_one_answer_at_a_time():
    loop = make()
    ids = loop.ask(3)
    loop.tell(ids, [0, 1, 0])
    loop.relabel(ids[:1], [1])
    assert loop.undo(2).tolist() == [ids[0], ids[2]]
    assert [loop.state.verdict(i) for i in ids] == ["normal", "anomaly", None]
    assert loop.ask(1).tolist() == [ids[2]]  # open again
    assert len(loop.undo(99)) == 2
    assert len(loop.undo()) == 0


def test_an_answer_sent_twice_was_given_once():
    loop = make()
    ids = loop.ask(2)
    loop.tell(ids, [0, 1])
    loop.tell(ids, [0, 1])
    loop.undo()
    assert loop.state.verdict(ids[1]) is None


def test_relabel_needs_an_answer():
    with pytest.raises(LabelError, match="row 3 has no answer of 'me'"):
        make().relabel([3], [1])


# --------------------------------------------------------------------- resuming


def test_a_store_goes_on_where_it_stopped(tmp_path):
    path = tmp_path / "a.db"
    whole = make(budget=30)
    simulate(whole, Annotator(Y), 30, batch=3)
    with Store(path) as store:
        simulate(make(budget=30, store=store), Annotator(Y), 12, batch=3)
    with Store(path) as store:
        loop = make(budget=30, store=store, random_state=99)  # the store's seed counts
        assert loop.spent == 12
        simulate(loop, Annotator(Y), 30, batch=3)
        assert list(loop.state.asked) == list(whole.state.asked)
        np.testing.assert_array_equal(loop.labels_, whole.labels_)
        assert loop.ratio() == whole.ratio()


def test_other_data_are_refused(tmp_path):
    with Store(tmp_path / "a.db") as store:
        make(store=store)
        for other in (X[1:], X[::-1], X + 1e-9):
            with pytest.raises(DataError, match="other data") as error:
                Loop(wc.HBOS(), other, store=store)
            assert "\n" not in str(error.value)


def test_the_source_says_which_data_these_are(tmp_path):
    with Store(tmp_path / "a.db") as store:
        make(store=store, source_hash="one").tell([3], [1])
        other = Loop(wc.HBOS(), X[:, :2], store=store, source_hash="one")
        assert other.spent == 1
        assert not other.notes
        make(store=store, source_hash="two")  # the rows are the same
        for further in ({"source_hash": "two"}, {}):
            with pytest.raises(DataError, match="other data"):
                Loop(wc.HBOS(), X[:, :2], store=store, **further)


def test_answers_of_an_earlier_version_are_taken_by_number(tmp_path):
    with Store(tmp_path / "a.db") as store:
        make(store=store).tell([3], [1])
        loop = Loop(wc.HBOS(), X[:, :2], store=store, source_hash="one")
        assert loop.labels_[3] == 1
        (note,) = loop.notes
        assert "by row number" in note
        with pytest.raises(DataError, match="other data"):
            Loop(wc.HBOS(), X[1:], store=store, source_hash="one")


def test_two_annotators_share_a_store(tmp_path):
    path = tmp_path / "a.db"
    with Store(path) as one, Store(path) as two:
        ann = make(store=one, annotator="ann")
        bob = make(store=two, annotator="bob")
        first, second = ann.ask(4), bob.ask(4)
        assert not set(first.tolist()) & set(second.tolist())
        ann.tell(first, [1, 0, 0, 0])
        bob.tell(second, [0, 0, 0, 0])
        bob.tell(first[:2], [0, 0])
        assert ann.spent == bob.spent == 8
        assert ann.state.votes(first[0]) == {"ann": "anomaly", "bob": "normal"}
        assert ann.state.verdict(first[0]) == "disputed"
        assert np.isnan(ann.labels_[first[0]])
        assert bob.undo().tolist() == [first[1]]
        assert ann.state.verdict(first[1]) == "normal"


# --------------------------------------------------------------------- learning


def test_answers_reach_the_detector(nearest):
    loop = make(nearest, strategy="positive", audit_share=0)
    loop.tell([N - 1], [1])
    assert loop.stale
    detector = loop.detector_
    assert detector.seen_.tolist() == [X[N - 1].tolist()]
    assert wc.metrics.auroc(Y, detector.anomaly_score(X)) > 0.95
    assert not loop.stale


def test_a_detector_without_labels_is_fitted_once_and_cut_at_the_answers():
    loop = make(wc.IsolationForest())
    before = loop.scores_
    simulate(loop, Annotator(Y), 30, batch=10)
    detector = loop.detector_
    assert loop.scores_ is before
    found = (detector.predict(X) == -1).mean()
    assert 0.05 < found < 0.2
    assert "labelled anomalies" in detector.threshold_source_
    few = make(wc.IsolationForest())
    few.tell([N - 1, 0, 1], [1, 0, 0])
    assert "share of anomalies by the answers" in few.detector_.threshold_source_
    kept = make(wc.IsolationForest(contamination=0.25))
    assert "contamination=0.25" in kept.detector_.threshold_source_


def test_other_libraries_and_pictures_take_part():
    loop = make(LocalOutlierFactor(novelty=True))
    assert len(loop.ask(3)) == 3
    pictures = np.random.default_rng(0).random((20, 1, 16, 16)).astype(np.float32)
    loop = Loop(wc.KNN(), pictures, strategy="kmeans", random_state=0)
    assert len(loop.ask(3)) == 3
    assert loop.embeddings_.shape[0] == 20


def test_beside_a_thread_that_learns_asking_fits_nothing(nearest):
    loop = make(nearest, audit_share=0)
    loop.prepare(4)
    first = loop.scores_
    for _ in range(3):  # the second and third ask for more than was chosen
        ids = loop.ask(4, spare=2)
        assert len(ids) == 4
        loop.tell(ids, [1, 0, 0, 0])
    assert loop.fitted_.anomaly_score(X).tolist() == first.tolist()
    assert Nearest.fits == 1
    loop.ask(4)
    assert Nearest.fits == 2


def test_embeddings_of_the_detector_are_used():
    class Seeing(wc.HBOS):
        def embed(self, X):
            return X[:, :1]

    assert make(Seeing()).embeddings_.shape == (N, 1)
    assert make().embeddings_.shape == X.shape


def epochs(loop):
    return len(loop.refit()._current().detector.loss_curve_)


def test_deep_detectors_train_on_from_the_fit_without_answers():
    loop = make(wc.DeepSAD(epochs=200, pretrain_epochs=50, random_state=0))
    first = loop.refit()._current()
    before = first.detector.anomaly_score(X)
    assert epochs(loop) == 200
    for round_ in range(3):
        loop.tell([round_, N - 1 - round_], [0, 1])
        assert epochs(loop) == 400  # one batch an epoch: 200 steps, not a fifth
    assert first.detector.anomaly_score(X).tolist() == before.tolist()
    assert wc.metrics.auroc(Y, loop.scores_) > wc.metrics.auroc(Y, before)


def test_a_refit_takes_a_share_of_the_epochs():
    model = wc.DeepSAD(epochs=20, batch_size=4, milestones=(10,), pretrain=False)
    model.set_params(random_state=0).fit(X)
    assert len(model.refit(X, np.where(Y, 1.0, np.nan), share=0.5).loss_curve_) == 30
    assert (model.epochs, model.milestones) == (20, (10,))
    assert wc.metrics.auroc(Y, model.anomaly_score(X)) > 0.95
    for share in (0, 1.5):
        with pytest.raises(ParameterError, match=f"share={share}"):
            model.refit(X, share=share)
    with (
        pytest.warns(UserWarning, match="reversed"),
        pytest.raises(LabelError, match="all rows are labelled"),
    ):
        model.refit(X, np.ones(N))
    with pytest.raises(DataError, match="expecting 3 features"):
        model.refit(X[:, :2])
    assert not hasattr(wc.AutoEncoder(), "refit")


def test_a_long_table_is_fitted_on_a_sample_and_scored_whole():
    loop = make(wc.DeepSAD(epochs=3, pretrain=False), fit_rows=40)
    assert len(loop.ask(5)) == 5
    assert loop.scores_.shape == (N,)
    seen = []

    class Counting(Nearest):
        def _fit(self, X, codes, auxiliary):
            seen.append((len(X), int((codes == 1).sum())))
            super()._fit(X, codes, auxiliary)

    loop = make(Counting(), fit_rows=40)
    loop.refit()
    outside = [i for i in range(N) if i not in loop._sample][:3]
    loop.tell(outside, [1, 1, 1])
    loop.refit()
    assert seen == [(40, 0), (43, 3)]
    assert make(Counting(), fit_rows=N)._sample is None


def test_what_is_learnt_depends_on_the_answers_alone():
    often, once = (
        make(wc.DeepSAD(epochs=6, pretrain=False), random_state=3) for _ in range(2)
    )
    assert often.refit().scores_.tolist() == once.refit().scores_.tolist()
    for item in (0, N - 1, 5):
        often.tell([item], [int(Y[item])])
        often.refit()
    once.tell([0, N - 1, 5], [0, 1, 0])
    assert often.detector_.anomaly_score(X).tolist() == once.refit().scores_.tolist()
    # Without answers, as after an undo of all of them, it is the first fit again.
    often.undo(3)
    assert epochs(often) == 6


# ------------------------------------------------------------------ looking back


def test_history_counts_what_was_found():
    loop = simulate(make(audit_share=0), Annotator(Y), 15, batch=5)
    history = loop.history()
    np.testing.assert_array_equal(history.found, np.cumsum(Y[history.items]))
    # By score alone the questions are those of the ranking.
    np.testing.assert_array_equal(history.ranked, history.found)
    assert not history.ranked_unknown.any()


def test_contradictions_find_flipped_answers(nearest):
    loop, plain = make(nearest), make()
    said = Y.astype(int).copy()
    wrong = [3, 40, int(np.argmax(plain.scores_))]
    said[wrong] = 1 - said[wrong]
    shown = np.r_[0:60, N - ODD : N]
    loop.tell(shown, said[shown])
    found = loop.contradictions()
    assert wrong[2] in {one.item for one in found}
    assert all("its own label is hidden" in one.reason for one in found)
    plain.tell(shown, said[shown])
    assert set(wrong) <= {one.item for one in plain.contradictions()}
    assert len(plain.contradictions()) <= 8
    # Nothing need be hidden from a detector that learns no labels.
    assert not [one for one in plain.contradictions() if "hidden" in one.reason]


def test_nothing_contradicts_two_labels():
    loop = make()
    loop.tell([0, N - 1], [1, 0])
    assert loop.contradictions() == []


def test_covering_radius_shrinks():
    loop = make(strategy="kcenter")
    assert loop.covering_radius() == np.inf
    loop.ask(2)
    wide = loop.covering_radius()
    loop.ask(30)
    assert loop.covering_radius() < wide
    everything = make()
    everything.tell(range(N), Y)
    assert everything.covering_radius() == pytest.approx(0, abs=1e-6)


# -------------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"budget": 0}, "budget=0 is not a whole number"),
        ({"budget": 2.5}, "budget=2.5"),
        ({"audit_share": 1.5}, "audit_share=1.5"),
        ({"annotator": " "}, "annotator=' '"),
        ({"annotator": "the data"}, "came with"),
        ({"ask_again": 0}, "ask_again=0"),
        ({"fit_rows": -1}, "fit_rows=-1"),
        ({"strategy": "best"}, "no query strategy 'best'"),
    ],
)
def test_bad_settings(settings, message):
    with pytest.raises(ParameterError, match=message) as error:
        make(**settings)
    assert "\n" not in str(error.value)


def test_bad_calls():
    loop = make()
    for k in (0, -1, 1.5, True):
        with pytest.raises(ParameterError, match=f"k={k}"):
            loop.ask(k)
    with pytest.raises(ParameterError, match="row 5 was not asked"):
        loop.why(5)
    with pytest.raises(DataError, match="NaN"):
        Loop(wc.HBOS(), np.array([[1.0], [np.nan]]))
    with pytest.raises(DataError, match="not numbers"):
        Loop(wc.HBOS(), [["a"], ["b"]])
    with pytest.raises(DataError, match="no rows"):
        Loop(wc.HBOS(), np.empty((0, 3)))


def test_a_method_that_estimates_the_ratio_is_told_it():
    class Told(Nearest):
        def __init__(self, *, ratio="estimate", contamination="auto"):
            super().__init__(contamination=contamination)
            self.ratio = ratio

    loop = make(Told())
    assert loop.refit()._current().detector.ratio == "estimate"
    simulate(loop, Annotator(Y), 20, batch=10)
    told = loop.detector_.ratio
    left = loop.n - loop.spent
    known = np.nansum(loop.labels_)
    assert told == pytest.approx((loop.ratio().estimate * N - known) / left, abs=0.05)
    assert make(Told(ratio=0.3)).detector_.ratio == 0.3


def test_same_seed_same_questions():
    first, second = (make(strategy="kmeans").ask(6).tolist() for _ in range(2))
    assert first == second
    assert MemoryLog().read() == []
