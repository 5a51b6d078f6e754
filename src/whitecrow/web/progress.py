"""How far the labelling is, as numbers, charts and sentences."""

from __future__ import annotations

import threading
import time
from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from whitecrow import labels
from whitecrow.active.agreement import WORDS, Agreement, measure
from whitecrow.active.log import ANOMALY, DISPUTED, GIVEN, NORMAL
from whitecrow.data.kinds.words import percent
from whitecrow.metrics.ranking import auroc
from whitecrow.report.charts import curve

if TYPE_CHECKING:
    from whitecrow.active import Loop
    from whitecrow.active.judging import Comparison
    from whitecrow.active.log import State

__all__ = ["Finishing", "Measures", "agreement", "disagreements"]

_FEWEST = 3  # of each class, for an AUROC that is more than chance
_SURE = 0.95  # share of resamples in which one ranks better than the other

Chart = dict[str, Any]


class Measures:
    """What is known after the last fit; written by one thread, read by all.

    Attributes
    ----------
    found, quality : dict
        Charts: `path`, `list` and `band` in a viewBox of 100 x 100, their ends, `text`.
    ratio : dict
        `estimate`, `low`, `high` and `scale` (the whole bar), `text`.
    model : str
        What the detector knows, in a sentence.
    beside : str
        How a classifier does, which learns from the answers alone; empty while they
        are too few for one.
    seconds : float
        Time of the last look, fit included.
    """

    def __init__(self) -> None:
        self.found: Chart = {"path": "", "text": ""}
        self.quality: Chart = {"path": "", "text": ""}
        self.ratio: dict[str, Any] = {"high": None, "text": ""}
        self.model = ""
        self.beside = ""
        self.seconds = 0.0
        self._points: list[tuple[int, float]] = []

    def look(self, loop: Loop, truth: labels.Codes | None) -> None:
        """Measure with the newest fit.

        Parameters
        ----------
        loop : Loop
        truth : ndarray of int8, or None
            Labels that the data came with; nobody learns from them here.
        """
        started = time.perf_counter()
        codes = loop.state.codes(loop.n)
        self.model = _learnt(loop)
        self.found = _found(loop)
        self.ratio = _ratio(loop)
        self.quality = self._quality(loop, codes, truth)
        self.seconds = time.perf_counter() - started

    def compare(self, loop: Loop) -> None:
        """Set a classifier beside the detector; this takes five fits of both."""
        found = loop.compare()
        self.beside = "" if found is None else _beside(found)

    def _quality(
        self, loop: Loop, codes: labels.Codes, truth: labels.Codes | None
    ) -> Chart:
        if truth is None:
            points = _by_answers(loop.state)
            what = "where each answer judges the scores from before it"
        else:
            learns = loop.detector.uses_labels
            # Of scores that have not learnt them, rows with an answer are as fair.
            fair = codes == labels.UNLABELLED if learns else np.full(loop.n, True)
            which = "the rows without an answer" if learns else "all rows"
            points = self._remembered(loop.spent, _on_truth(loop.scores_, fair, truth))
            what = f"on {which}, by the labels that the data have"
        if not points:
            text = f"Shown from {_FEWEST} anomalies and {_FEWEST} normal rows on."
            return {"path": "", "text": text}
        return _quality_chart(points, what)

    def _remembered(self, spent: int, value: float | None) -> list[tuple[int, float]]:
        """Remember a value, and return all so far: the log does not have them."""
        if value is not None:
            self._points = [point for point in self._points if point[0] < spent]
            self._points.append((spent, value))
        return self._points


def _beside(found: Comparison) -> str:
    """Say who ranks the answered rows better, and what follows."""
    values = f"(AP {found.classifier:.2f} and {found.detector:.2f}"
    values += ", each row scored without its own answer)."
    forest = "A random forest that learns from the answers alone ranks the answered"
    if found.ahead > _SURE:
        return f"{forest} rows better {values} They are enough to train a classifier."
    if found.ahead < 1 - _SURE:
        return f"{forest} rows less well {values}"
    return f"{forest} rows about as well {values}"


def _learnt(loop: Loop) -> str:
    """Say what the answers have changed."""
    judged = loop.state.counts.judged
    sure = judged[ANOMALY] + judged[NORMAL]
    given = loop.state.answers.get(GIVEN, {})
    if not loop.detector.uses_labels:
        return _not_learnt(loop, bool(sure or given))
    known = [counted(sure, "answer")] if sure else []
    if given:
        known.append(counted(len(given), "label") + " of the data")
    if not known:
        return "The detector has not learnt from answers yet."
    return f"The detector has learnt from {' and '.join(known)}."


def _not_learnt(loop: Loop, answered: bool) -> str:
    """Say the same for a method that ranks without labels."""
    auto = loop.detector.get_params(deep=False).get("contamination", "auto") == "auto"
    uses = ["what is asked next"] if loop.learns else []
    uses += ["which scores count as anomalies"] if auto else []
    said = (
        f"{type(loop.detector).__name__} does not learn from labels: its scores stay."
    )
    if not uses:
        return f"{said} The answers say how many anomalies there are."
    verb = "decide" if answered else "will decide"
    return f"{said} The answers {verb} {' and '.join(uses)}."


def counted(n: int, what: str) -> str:
    """Write a number with its noun."""
    return f"{n:,} {what}" if n == 1 else f"{n:,} {what}s"


def agreement(state: State) -> list[dict[str, Any]]:
    """Say who agrees with whom, and with themselves, with counts for a table."""
    return [_agreement(one) for one in measure(state)]


def _agreement(one: Agreement) -> dict[str, Any]:
    again = one.annotator == one.other
    said = f"the same answer to {one.same:,} of {counted(one.n, 'row')}"
    if again:
        text = f"{one.annotator}, asked again: {said}."
    else:
        kappa = "" if np.isnan(one.kappa) else f" (kappa {one.kappa:.2f})"
        text = f"{one.annotator} and {one.other}: {said}{kappa}."
    used = (one.counts + one.counts.T).any(axis=0)
    return {
        "text": text,
        "side": "first answer" if again else one.annotator,
        "top": "asked again" if again else one.other,
        "words": [WORDS[i] for i in np.flatnonzero(used)],
        "counts": one.counts[used][:, used].tolist(),
    }


def disagreements(state: State, annotator: str) -> Iterator[tuple[int, str]]:
    """Yield rows with two answers, of which neither counts until somebody decides."""
    torn = state.torn(annotator)
    for item, (first, second) in torn.items():
        said = f"{first.answer} first, and {second.answer} when asked again"
        yield item, f"You said {said}."
    for item, row in sorted(state.unclear.items(), key=lambda one: one[1].first):
        if row.verdict == DISPUTED and item not in torn:
            votes = sorted(row.votes.items())
            all_said = (f"{who} says {_BOTH.get(vote, vote)}" for who, vote in votes)
            yield item, ", ".join(all_said) + "."


_BOTH = {DISPUTED: "one, then the other"}


def _quality_chart(points: list[tuple[int, float]], what: str) -> Chart:
    x, y = np.array(points).T
    low = float(np.floor(10 * min(y.min(), 0.9)) / 10)
    first, last = int(x[0]), int(x[-1])
    shares = (x - first) / max(last - first, 1)
    return {
        "path": curve(shares, (y - low) / (1 - low)) if len(x) > 1 else "",
        "text": f"AUROC {y[-1]:.3f} {what}.",
        "x0": str(first),
        "x1": str(last),
        "y0": f"{low:g}",
        "y1": "1",
    }


def _by_answers(state: State) -> list[tuple[int, float]]:
    """Compute AUROC after each answer, by the places rows had when asked about."""
    points, odd, normal = [], list[float](), list[float]()
    before = 0.0  # pairs in which the anomaly has the higher score, ties counting half
    for row, verdict in state.verdicts().items():
        asked = state.question(row)
        if verdict not in (ANOMALY, NORMAL) or asked is None or asked.place is None:
            continue
        if verdict == ANOMALY:
            before += len(normal) - _below(normal, asked.place)
            insort(odd, asked.place)
        else:
            before += _below(odd, asked.place)
            insort(normal, asked.place)
        if min(len(odd), len(normal)) >= _FEWEST:
            points.append((len(odd) + len(normal), before / len(odd) / len(normal)))
    return points


def _below(places: list[float], place: float) -> float:
    """Count the sorted places that are less than a place, equal ones as half."""
    return (bisect_left(places, place) + bisect_right(places, place)) / 2


def _on_truth(
    scores: NDArray[np.float64], fair: NDArray[np.bool_], truth: labels.Codes
) -> float | None:
    fair = fair & (truth != labels.UNLABELLED)
    odd = truth[fair] == labels.ANOMALY
    if min(odd.sum(), (~odd).sum()) < _FEWEST:
        return None
    return float(auroc(odd, scores[fair]))


def _found(loop: Loop) -> Chart:
    """Chart anomalies found per question, beside the list ranked without answers."""
    history = loop.history()
    n = len(history.items)
    if not n:
        return {"path": "", "text": "Nothing is answered yet."}
    mine, least = history.found, history.ranked
    most = least + history.ranked_unknown
    top = max(int(mine[-1]), int(most[-1]), 1)
    x = np.r_[0, np.arange(1, n + 1)] / n
    low, high = int(least[-1]), int(most[-1])
    other = f"{low} to {high}" if high > low else str(low)
    band = np.r_[0, most, least[::-1], 0] / top
    return {
        "path": curve(x, np.r_[0, mine] / top),
        "list": curve(x, np.r_[0, least] / top),
        "band": curve(np.r_[x, x[::-1]], band) if high > low else "",
        "text": f"{int(mine[-1])} in {n} questions; the first {n} of the score-ranked "
        f"list hold {other}"
        + (", as nobody has judged all of them (shaded)." if high > low else "."),
        "x0": "0",
        "x1": str(n),
        "y0": "0",
        "y1": str(top),
    }


def _ratio(loop: Loop) -> dict[str, Any]:
    estimate, low, high = (float(value) for value in loop.ratio())
    return {
        "estimate": estimate,
        "low": low,
        "high": high,
        "scale": next(one for one in (0.1, 0.2, 0.5, 1.0) if high <= one or one == 1),
        "text": f"About {percent(estimate)}, between {percent(low)} and "
        f"{percent(high)} (90 % interval).",
    }


class Finishing:
    """Whether the files are being written, and what came of it."""

    def __init__(self) -> None:
        self.running = False
        self.done = False
        self._text = ""
        self._lock = threading.Lock()

    def begin(self) -> bool:
        """Claim the writing; False if somebody writes already."""
        with self._lock:
            if self.running:
                return False
            self.running = True
            return True

    def end(self, text: str, *, failed: bool = False) -> None:
        """Keep what was written, or why nothing was, for `status`."""
        self._text = f"Not written: {text}" if failed else f"Written {text}."
        self.done = not failed or self.done
        self.running = False

    def status(self) -> dict[str, Any]:
        """Return the state of the writing, for the page."""
        text = (
            "Writing the labels, the model and the report …"
            if self.running
            else self._text
        )
        return {"running": self.running, "done": self.done, "text": text}
