"""CPU seconds of whole `whitecrow detect` runs, this tree beside another in turns.

    python benchmarks/detect.py --before CHECKOUT [--busy] [--runs 3]

Every table is detected in a process of its own, with the threads that are the default;
the two trees take turns. `--busy` keeps another process on one core meanwhile, since
threads that wait for each other cost most on a machine that is not theirs alone.
"""

from __future__ import annotations

import argparse
import gzip
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd
import report

ROOT = Path(__file__).resolve().parents[1]
REAL = {
    "SKAB (18,160 x 12)": "demo/table/skab_valve1.csv.gz",
    "credit cards (1,722 x 31)": "demo/table/creditcard_sample.csv.gz",
    "NSL-KDD (25,192 x 43)": "network/nsl_kdd_train20.csv.gz",
}
MIXED = (7_000, 50_000, 300_000)


def mixed(rows: int) -> pd.DataFrame:
    """A ledger of 21 columns: numbers, counts, categories, days, gaps, constants."""
    draw = np.random.default_rng(0)
    table = {f"size_{i}": draw.normal(i, 1 + i, rows).round(3) for i in range(8)}
    table |= {f"count_{i}": draw.poisson(3 + i, rows) for i in range(4)}
    for i, levels in enumerate((2, 5, 40, 400)):
        table[f"kind_{i}"] = draw.choice([f"k{j}" for j in range(levels)], rows)
    days = pd.Timestamp("2024-01-01") + pd.to_timedelta(
        np.sort(draw.integers(0, 365 * 86_400, rows)), unit="s"
    )
    table["time"] = days.strftime("%Y-%m-%d %H:%M:%S")
    table["open"] = draw.choice(["yes", "no"], rows)
    gappy = draw.lognormal(3, 1, rows).round(2)
    table["gappy"] = np.where(draw.random(rows) < 0.2, np.nan, gappy)
    table["unit"] = "mm"
    table["id"] = [f"R{i:07d}" for i in range(rows)]
    return pd.DataFrame(table)


def tables(folder: Path, data: Path | None) -> Iterator[tuple[str, Path]]:
    """Every table by name: real ones where the data are, made-up ones always."""
    for name, place in REAL.items():
        if data and (data / place).exists():
            plain = folder / Path(place).stem
            with gzip.open(data / place) as packed, plain.open("wb") as out:
                shutil.copyfileobj(packed, out)
            yield name, plain
    for rows in MIXED:
        path = folder / f"mixed_{rows}.csv"
        mixed(rows).to_csv(path, index=False)
        yield f"mixed ({rows:,} x 21)", path


def cpu_seconds(tree: Path, table: Path, folder: Path) -> float:
    """Detect in a new process and count what it and its children used."""
    out = Path(tempfile.mkdtemp(dir=folder))
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [sys.executable, "-m", "whitecrow", "detect", str(table), "-o", str(out / "o")],
        env={**os.environ, "PYTHONPATH": str(tree / "src")},
        capture_output=True,
        text=True,
        check=False,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    shutil.rmtree(out)
    if done.returncode:
        raise SystemExit(f"{tree}: {table.name}: {done.stderr[-500:]}")
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


@contextmanager
def busy(wanted: bool) -> Iterator[None]:
    """Keep another process busy meanwhile."""
    other = [sys.executable, "-c", "while True: pass"]
    process = subprocess.Popen(other) if wanted else None
    try:
        yield
    finally:
        if process:
            process.kill()
            process.wait()


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--before", type=Path, help="a checkout to compare with")
    parser.add_argument("--busy", action="store_true", help="beside a busy process")
    parser.add_argument("--runs", type=int, default=3, help="runs of each (default: 3)")
    arguments = parser.parse_args()
    data = Path(os.environ.get("WHITECROW_DATA", ROOT.parent / "shared" / "data"))
    trees = [tree for tree in (arguments.before, ROOT) if tree]
    rows = []
    with tempfile.TemporaryDirectory() as name, busy(arguments.busy):
        folder = Path(name)
        for title, table in tables(folder, data if data.is_dir() else None):
            used = [
                [cpu_seconds(tree, table, folder) for tree in trees]
                for _ in range(arguments.runs)
            ]
            middle = [statistics.median(column) for column in zip(*used, strict=True)]
            spread = statistics.median(turn[-1] / turn[0] for turn in used)
            rows.append(
                [title, *map(report.seconds, middle)]
                + ([f"{spread:.2f}"] if arguments.before else [])
            )
            print(*rows[-1], sep="  ", file=sys.stderr, flush=True)
    header = ["table", *(["before"] if arguments.before else []), "now"]
    print(report.table(header + (["ratio"] if arguments.before else []), rows))
    print(f"\n{report.machine()}")


if __name__ == "__main__":
    main()
