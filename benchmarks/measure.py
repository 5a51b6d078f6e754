"""Measurements in a process of their own: a contender, a problem, CPU seconds, memory.

`run(task)` starts this file as a script, hands the task over as JSON and reads one
record for each seed back. Everybody gets one thread (unless the task says otherwise)
and one small fit to warm up, so that neither imports nor data count: torch loads parts
of itself when the first optimiser is made.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import problems

_THREAD_LIMITS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
_WARM_UP_ROWS = 300
# A short scoring is repeated until it has taken this many CPU seconds.
_LONG_ENOUGH = 0.2
_MEGABYTE = 2**20
_RESETS = Path("/proc/self/clear_refs")


def run(task: dict[str, Any], timeout: float = 1200) -> list[dict[str, Any]]:
    """Measure a task in a new process.

    Parameters
    ----------
    task : dict
        `side` and `method` (see `build`), `data` and `protocol` (see `problems`),
        `settings`, `seeds` (a list), and `one_thread` (true if absent).
    timeout : float
        Seconds after which the process is stopped.

    Returns
    -------
    list of dict
        One record for each seed; a single one with the key `error` if it failed.
    """
    try:
        done = subprocess.run(
            [sys.executable, __file__],
            input=json.dumps(task),
            env=_environment(task.get("one_thread", True)),
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return [{**task, "error": f"stopped after {timeout:g} s"}]
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        return [{**task, "error": last}]
    return [{**task, **record} for record in json.loads(done.stdout.splitlines()[-1])]


def _environment(one_thread: bool) -> dict[str, str]:
    """Ours, with one thread for everybody or with no word about threads."""
    rest = {k: v for k, v in os.environ.items() if k not in _THREAD_LIMITS}
    return rest | (dict.fromkeys(_THREAD_LIMITS, "1") if one_thread else {})


def measure(task: dict[str, Any], seed: int) -> dict[str, Any]:
    """Fit and score in this process."""
    from whitecrow import metrics

    data = problems.split(task["data"], task["protocol"], seed)
    contender = build(task["side"], task["method"], {**task["settings"], "seed": seed})
    before = _reset_peak()
    fit_cpu, fit_wall = _timed(lambda: contender.fit(data.X_train, data.y_train))
    peak = _peak()
    scores: list[Any] = []
    score_cpu, score_wall = _repeated(
        lambda: scores.append(contender.score(data.X_test))
    )
    return {
        "seed": seed,
        "fit_cpu": fit_cpu,
        "fit_wall": fit_wall,
        "score_cpu": score_cpu,
        "score_wall": score_wall,
        "peak_mb": peak,
        "added_mb": peak - before,
        "auroc": metrics.auroc(data.y_test, scores[0]),
        "ap": metrics.average_precision(data.y_test, scores[0]),
        # Precision, recall and F1 are one when as many are flagged as there are.
        "f1": metrics.precision_at(data.y_test, scores[0]),
        "n_train": len(data.X_train),
        "n_test": len(data.X_test),
        "n_features": data.X_train[0].size,
        "note": problems.describe(data),
    }


def build(side: str, method: str, settings: dict[str, Any]) -> Any:
    """A contender by the name of its side: whitecrow, seeds, bare, or a peer's."""
    if side in {"whitecrow", "seeds", "default"}:
        import ours

        if side == "default":
            return ours.default(method, settings)
        if side == "seeds":
            return ours.seeds(method, settings, settings["n_seeds"])
        return ours.method(method, settings)
    if side == "bare":
        return _Bare(method, settings)
    import peers

    return peers.PEERS[method, side].build(settings)


class _Bare:
    """A bare loop as a contender."""

    def __init__(self, method: str, settings: dict[str, Any]) -> None:
        import bare

        self.loop, self.settings = bare.LOOPS[method], settings

    def fit(self, X: Any, y: Any) -> None:
        self.fitted = self.loop(X, y, self.settings)

    def score(self, X: Any) -> Any:
        return self.fitted.score(X)


def _warm_up(task: dict[str, Any]) -> None:
    """Fit and score a few rows for one epoch."""
    data = problems.split(task["data"], task["protocol"], 0)
    step = max(1, len(data.X_train) // _WARM_UP_ROWS)
    known = np.flatnonzero(data.y_train == 1)[:5]
    rows = np.union1d(np.arange(0, len(data.X_train), step), known)
    brief = {**task["settings"], "epochs": 1, "seed": 0, "brief": True}
    contender = build(task["side"], task["method"], brief)
    contender.fit(data.X_train[rows], data.y_train[rows])
    contender.score(data.X_train[rows])


def _timed(action: Callable[[], object]) -> tuple[float, float]:
    """CPU seconds of this process and its children, and wall seconds."""
    cpu, wall = _cpu(), time.perf_counter()
    action()
    return _cpu() - cpu, time.perf_counter() - wall


def _repeated(action: Callable[[], object]) -> tuple[float, float]:
    cpu = wall = 0.0
    count = 0
    while cpu < _LONG_ENOUGH and wall < 10 * _LONG_ENOUGH:
        more_cpu, more_wall = _timed(action)
        cpu, wall, count = cpu + more_cpu, wall + more_wall, count + 1
    return cpu / count, wall / count


def _cpu() -> float:
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def _reset_peak() -> float:
    """Forget the peak so far, where the system can; megabytes in use now."""
    if not _RESETS.exists():
        return _peak()
    _RESETS.write_text("5")
    return _status("VmRSS")


def _peak() -> float:
    if _RESETS.exists():
        return _status("VmHWM")
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / _MEGABYTE


def _status(name: str) -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    line = next(line for line in lines if line.startswith(f"{name}:"))
    return int(line.split()[1]) * 1024 / _MEGABYTE


def _main() -> None:
    # Peers warn about their own dependencies; a table is not the place for it.
    warnings.simplefilter("ignore")
    task = json.load(sys.stdin)
    _warm_up(task)
    records = [measure(task, seed) for seed in task["seeds"]]
    sys.stdout.write("\n" + json.dumps(records) + "\n")


if __name__ == "__main__":
    _main()
