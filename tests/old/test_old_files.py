"""Files that an older version wrote still load, score and replay."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

import whitecrow as wc
from whitecrow.active import Event, Store
from whitecrow.active.log import replay
from whitecrow.cli import main
from whitecrow.web import serving

OLD = Path(__file__).parent
EXPECTED: dict[str, Any] = json.loads((OLD / "expected.json").read_text())

# Logarithms and products of matrices differ in the last digits between processors.
DIGITS = {"pumps": 1e-9, "readings": 1e-12, "parts": 1e-6}


@pytest.fixture
def beside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with copies: reading a log may write beside it."""
    for path in OLD.iterdir():
        if path.suffix in {".csv", ".npz", ".crow", ".db"}:
            shutil.copy(path, tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("name", EXPECTED["scores"])
def test_an_old_model_scores_as_it_did(name: str, beside: Path) -> None:
    before = EXPECTED["scores"][name]
    assert main(["score", f"{name}.crow", before["source"], "-o", "s.parquet"]) == 0
    found = pq.read_table("s.parquet").sort_by("row")
    scores = found["anomaly_score"].to_numpy()
    np.testing.assert_allclose(scores, before["scores"], rtol=DIGITS[name])
    flagged = np.flatnonzero(found["is_anomaly"].to_numpy(zero_copy_only=False))
    assert flagged.tolist() == before["flagged"]


@pytest.mark.parametrize("name", EXPECTED["scores"])
def test_an_old_model_explains(
    name: str, beside: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = EXPECTED["scores"][name]
    first = int(np.argmax(before["scores"]))
    code = main(["explain", f"{name}.crow", before["source"], "--top", "1"])
    assert code == 0
    assert str(first) in capsys.readouterr().out


BIASES: dict[str, list[float]] = json.loads((OLD / "biases.json").read_text())


@pytest.mark.parametrize("name", BIASES)
def test_networks_with_biases_before_a_normalisation(name: str, tmp_path: Path) -> None:
    """New networks of pictures have none; those of old files keep theirs."""
    rng = np.random.default_rng(0)
    pictures = rng.integers(0, 256, (24, 1, 28, 28), dtype=np.uint8)
    model = wc.load(OLD / f"{name}.crow")
    scores = model.anomaly_score(pictures)
    np.testing.assert_allclose(scores, BIASES[name], rtol=1e-6)
    model.save(tmp_path / "again.crow")
    again = wc.load(tmp_path / "again.crow").anomaly_score(pictures)
    np.testing.assert_array_equal(again, scores)
    fitted = model.refit(pictures).anomaly_score(pictures)
    assert np.isfinite(fitted).all()
    assert not np.array_equal(fitted, scores)


@pytest.mark.parametrize("name", EXPECTED["answers"])
def test_old_answers_replay_to_the_same_state(name: str, beside: Path) -> None:
    before = EXPECTED["answers"][name]
    with Store(beside / f"{name}.db") as store:
        state = replay(store.read())
    told = {who: [said(e) for e in events] for who, events in state.told.items()}
    assert told == before["told"]
    assert {str(k): v for k, v in state.verdicts().items()} == before["verdicts"]
    assert state.codes(before["n"]).tolist() == before["codes"]
    assert (state.rounds, state.spent()) == (before["rounds"], before["spent"])
    assert state.since_again == before["since_again"]
    assert sorted(state.unclear) == before["unclear"]
    assert sorted(state.skipped) == before["skipped"]
    assert {who: state.pending(who) for who in sorted(told)} == before["pending"]


def said(event: Event) -> list[Any]:
    return [event.kind, event.item, event.answer, event.annotator, event.seq]


@pytest.mark.parametrize("name", EXPECTED["answers"])
def test_labelling_goes_on_with_old_answers(
    name: str, beside: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = EXPECTED["answers"][name]
    (beside / "labels").mkdir()
    (beside / f"{name}.db").rename(beside / "labels" / "answers.db")
    seen: dict[str, Any] = {}

    def serve(session: Any, *_: object, **__: object) -> None:
        verdicts = session.loop.state.verdicts()
        seen.update({str(row): verdict for row, verdict in verdicts.items()})

    monkeypatch.setattr(serving, "serve", serve)
    words = [*before["words"], "--no-browser"]
    assert main(["label", before["source"], "-o", "labels", *words]) == 0
    assert seen == before["verdicts"]
